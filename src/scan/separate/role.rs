//! What a code on a page is for. A code plays a role only when its text obeys the grammar of that role; every other
//! code is [`Role::Unknown`].

use super::sheet_text::{Cover, SheetText};
use super::system_qr::SystemQr;
use crate::codes::DossierCode;
use crate::scan::barcode::Format;
use serde::{Deserialize, Serialize};

/// What a code on a page is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The dossier that the pages from here on belong to.
    DossierCode(DossierCode),
    /// A sheet between two dossiers.
    Separator {
        /// How many pages should follow, where the sheet says so.
        expected_pages: Option<u32>,
    },
    /// The sheet on top of one dossier; it separates too.
    Cover(Box<Cover>),
    /// The QR of an identity card; read by `chip::card_qr`.
    CardQr,
    /// The QR of a paper that the system printed (Circular 01/2023/TT-VPCP Art 26).
    SystemQr(Box<SystemQr>),
    /// Anything else.
    Unknown,
}

/// The role of a code, by its format and the grammar of its text. Never fails: a strange code is unknown.
pub fn role_of(format: Format, text: &str) -> Role {
    if let Ok(code) = text.parse::<DossierCode>() {
        return Role::DossierCode(code);
    }
    match SheetText::parse(format, text) {
        Some(SheetText::Separator(expected_pages)) => return Role::Separator { expected_pages },
        Some(SheetText::Cover(cover)) => return Role::Cover(Box::new(cover)),
        None => {}
    }
    if format == Format::QRCode {
        if let Some(qr) = SystemQr::parse(text) {
            return Role::SystemQr(Box::new(qr));
        }
        if looks_like_card(text) {
            return Role::CardQr;
        }
    }
    Role::Unknown
}

/// Seven or more fields, the first a number of 12 digits.
fn looks_like_card(text: &str) -> bool {
    let mut fields = text.split('|');
    let first = fields.next().map(str::trim).unwrap_or_default();
    first.len() == 12 && first.bytes().all(|b| b.is_ascii_digit()) && (6..=23).contains(&fields.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "H49.12.5-250914-0042";

    #[test]
    fn roles_are_given_by_grammar_and_a_strange_code_is_unknown() {
        let role = |text: &str| role_of(Format::QRCode, text);
        assert_eq!(role(A), Role::DossierCode(A.parse().unwrap()));
        assert_eq!(role("PATCHT"), Role::Separator { expected_pages: None });
        assert_eq!(role("HOSO-SEP"), Role::Separator { expected_pages: None });
        assert_eq!(role_of(Format::Code128, "HOSO-SEP-12"), Role::Separator { expected_pages: Some(12) });
        let Role::Cover(cover) = role_of(Format::Code128, &format!("HOSO-COV-7-{A}")) else { panic!() };
        assert_eq!((cover.dossier, cover.expected_pages), (A.parse().unwrap(), Some(7)));
        let card = "001090123456||NGUYỄN VĂN A|01011990|Nam|Phường X|15042021";
        assert_eq!(role(card), Role::CardQr);
        assert_eq!(role(&format!("{card}||||")), Role::CardQr);
        assert!(matches!(role(&format!("hoso:1;d={A}")), Role::SystemQr(_)));
        for strange in [
            "",
            "HOSO-SEP-0",
            "https://example.invalid/",
            "001090123456|NGUYEN VAN A|01011990|Nam|X|15042021",
            "00109012345||A|01011990|Nam|X|15042021",
            "12345678901234567890123456789012345678901234567890123456",
            &format!("hoso:1;d={A};d={A}"),
        ] {
            assert_eq!(role(strange), Role::Unknown, "{strange}");
        }
        assert_eq!(role_of(Format::Code128, card), Role::Unknown);
    }

    proptest! {
        #[test]
        fn any_text_has_a_role(text in "\\PC{0,60}|hoso:1;[a-z=;%0-9]{0,40}") {
            let _ = role_of(Format::QRCode, &text);
        }
    }
}
