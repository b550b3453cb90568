//! What the codes on a sheet between dossiers say: the grammar of the sheets that the program prints, and of the
//! patch sheets that everybody uses. Nothing else is a sheet.
//!
//! | code | text | means |
//! |---|---|---|
//! | any | `PATCHT` | separator |
//! | any | `HOSO-SEP`, `HOSO-SEP-<n>` | separator; n pages follow |
//! | any | `HOSO-COV-<dossier>`, `HOSO-COV-<n>-<dossier>` | cover of a dossier; n pages follow |
//! | QR | `HOSO-SHEET/1/SEP[/N:<n>]` | separator |
//! | QR | `HOSO-SHEET/1/COVER/D:<dossier>[/P:<procedure>][/N:<n>]` | cover |
//!
//! `n` has 1 to 4 digits and is not 0; keys come at most once, in any order, and an unknown key makes the text none of
//! ours. All letters are capitals, so that the QR stays in its alphanumeric mode (ISO/IEC 18004, 7.3.4) and its modules
//! can be large. Pages are sides as scanned, the sheet itself not among them.

use crate::codes::{DossierCode, ProcedureCode};
use crate::scan::barcode::Format;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// What one sheet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetText {
    /// A sheet between two dossiers; how many pages should follow, where it says so.
    Separator(Option<u32>),
    /// The sheet on top of one dossier.
    Cover(Cover),
}

/// What the cover of a dossier says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// The dossier.
    pub dossier: DossierCode,
    /// Its procedure, where the sheet says it.
    pub procedure: Option<ProcedureCode>,
    /// How many pages should follow, where the sheet says so.
    pub expected_pages: Option<u32>,
}

/// How many pages a sheet can announce.
pub const PAGES: RangeInclusive<u32> = 1..=9_999;

impl SheetText {
    /// Reads the text of a code; nothing where it is not of one of these forms.
    pub fn parse(format: Format, text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        if matches!(text, "PATCHT" | "HOSO-SEP") {
            return Some(SheetText::Separator(None));
        }
        if let Some(number) = text.strip_prefix("HOSO-SEP-") {
            return Some(SheetText::Separator(Some(pages(number)?)));
        }
        if let Some(rest) = text.strip_prefix("HOSO-COV-") {
            return bars_of_cover(rest);
        }
        let body = text.strip_prefix("HOSO-SHEET/1/").filter(|_| format == Format::QRCode)?;
        let mut parts = body.split('/');
        let kind = parts.next()?;
        let (mut dossier, mut procedure, mut expected_pages) = (None, None, None);
        for part in parts {
            match part.split_once(':')? {
                ("D", code) if dossier.is_none() => dossier = Some(code.parse().ok()?),
                ("P", code) if procedure.is_none() => procedure = Some(code.parse().ok()?),
                ("N", number) if expected_pages.is_none() => expected_pages = Some(pages(number)?),
                _ => return None,
            }
        }
        match (kind, dossier, procedure) {
            ("SEP", None, None) => Some(SheetText::Separator(expected_pages)),
            ("COVER", Some(dossier), procedure) => {
                Some(SheetText::Cover(Cover { dossier, procedure, expected_pages }))
            }
            _ => None,
        }
    }

    /// The text of its bars (Code 128).
    pub fn bars(&self) -> String {
        match self {
            SheetText::Separator(None) => "HOSO-SEP".into(),
            SheetText::Separator(Some(pages)) => format!("HOSO-SEP-{pages}"),
            SheetText::Cover(Cover { dossier, expected_pages: None, .. }) => format!("HOSO-COV-{dossier}"),
            SheetText::Cover(Cover { dossier, expected_pages: Some(pages), .. }) => {
                format!("HOSO-COV-{pages}-{dossier}")
            }
        }
    }

    /// The text of its QR.
    pub fn qr(&self) -> String {
        let mut text = String::from("HOSO-SHEET/1/");
        match self {
            SheetText::Separator(_) => text.push_str("SEP"),
            SheetText::Cover(cover) => {
                text.push_str(&format!("COVER/D:{}", cover.dossier));
                if let Some(procedure) = &cover.procedure {
                    text.push_str(&format!("/P:{}", procedure.as_str()));
                }
            }
        }
        if let Some(pages) = self.expected_pages() {
            text.push_str(&format!("/N:{pages}"));
        }
        text
    }

    /// How many pages should follow, where the sheet says so.
    pub fn expected_pages(&self) -> Option<u32> {
        match self {
            SheetText::Separator(pages) => *pages,
            SheetText::Cover(cover) => cover.expected_pages,
        }
    }
}

/// `<dossier>` or `<n>-<dossier>`; a dossier code never begins with a part that is all digits.
fn bars_of_cover(rest: &str) -> Option<SheetText> {
    let (expected_pages, code) = match rest.split_once('-') {
        Some((number, code)) if number.bytes().all(|b| b.is_ascii_digit()) => (Some(pages(number)?), code),
        _ => (None, rest),
    };
    Some(SheetText::Cover(Cover { dossier: code.parse().ok()?, procedure: None, expected_pages }))
}

fn pages(number: &str) -> Option<u32> {
    let good = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|n| good && PAGES.contains(n))
}

/// No sheet says more than this, bytes.
const LONGEST: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "H49.12.5-250914-0042";

    fn cover(procedure: Option<&str>, expected_pages: Option<u32>) -> SheetText {
        let procedure = procedure.map(|p| p.parse().unwrap());
        SheetText::Cover(Cover { dossier: A.parse().unwrap(), procedure, expected_pages })
    }

    #[test]
    fn a_sheet_reads_what_it_writes() {
        for pages in [None, Some(1), Some(42), Some(9_999)] {
            let separator = SheetText::Separator(pages);
            assert_eq!(SheetText::parse(Format::QRCode, &separator.qr()), Some(separator.clone()));
            assert_eq!(SheetText::parse(Format::Code128, &separator.bars()), Some(separator));
            for procedure in [None, Some("1.005129"), Some("3.000181.000.00.00.H22")] {
                let whole = cover(procedure, pages);
                assert_eq!(SheetText::parse(Format::QRCode, &whole.qr()), Some(whole.clone()));
                assert_eq!(SheetText::parse(Format::Code128, &whole.bars()), Some(cover(None, pages)));
            }
        }
        let text = cover(Some("1.005129"), Some(12)).qr();
        assert_eq!(text, "HOSO-SHEET/1/COVER/D:H49.12.5-250914-0042/P:1.005129/N:12");
        let alphanumeric = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " $%*+-./:".contains(c);
        assert!(text.chars().all(alphanumeric));
    }

    #[test]
    fn what_is_not_in_the_grammar_is_no_sheet() {
        for strange in [
            "",
            "HOSO-SEP-",
            "HOSO-SEP-0",
            "HOSO-SEP-99999",
            "HOSO-SEP-+1",
            "HOSO-SEP-1a",
            "hoso-sep",
            "PATCHT2",
            "HOSO-COV-",
            "HOSO-COV-12",
            "HOSO-COV-0-H49.12.5-250914-0042",
            "HOSO-COV-12345-H49.12.5-250914-0042",
            "HOSO-COV-H49.12.5-250932-0042",
            "HOSO-SHEET/1/",
            "HOSO-SHEET/2/SEP",
            "HOSO-SHEET/1/SEP/",
            "HOSO-SHEET/1/SEP/N:0",
            "HOSO-SHEET/1/SEP/N:1/N:1",
            "HOSO-SHEET/1/SEP/D:H49.12.5-250914-0042",
            "HOSO-SHEET/1/SEP/X:1",
            "HOSO-SHEET/1/COVER",
            "HOSO-SHEET/1/COVER/N:3",
            "HOSO-SHEET/1/COVER/D:H49.12.5-250914-0042/P:none",
        ] {
            assert_eq!(SheetText::parse(Format::QRCode, strange), None, "{strange}");
        }
        assert_eq!(SheetText::parse(Format::Code128, "HOSO-SHEET/1/SEP"), None);
        assert_eq!(SheetText::parse(Format::QRCode, &"HOSO-SEP".repeat(1_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "\\PC{0,60}|HOSO-(SEP|COV|SHEET/1)[-/A-Z0-9:.]{0,60}") {
            let _ = SheetText::parse(Format::QRCode, &text);
        }
    }
}
