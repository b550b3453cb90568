//! In: decoded pages. Out: the codes on each, and the dossier code where the batch carries exactly one.
//! What can go wrong: nothing that stops a batch; a strange code is kept as it is and means nothing.

use crate::codes::DossierCode;
use crate::dossier::Dossier;
use crate::pipeline::BarcodesConfig;
use crate::scan::barcode::{Barcode, Policy};
use crate::scan::separate::{Role, role_of};

/// What is looked for on every page.
pub fn policy(config: &BarcodesConfig) -> Policy {
    Policy { formats: config.kinds.iter().map(|kind| kind.format()).collect(), ..Policy::default() }
}

/// Takes the dossier code over where nobody typed one and the pages agree on it.
pub fn run(mut dossier: Dossier) -> Dossier {
    if dossier.code.is_none() {
        let mut codes: Vec<String> =
            dossier.pages.iter().flat_map(|p| &p.codes).filter_map(dossier_code).collect();
        codes.sort_unstable();
        codes.dedup();
        if let [code] = codes.as_slice() {
            dossier.code = Some(code.clone());
        }
    }
    dossier
}

fn dossier_code(code: &Barcode) -> Option<String> {
    match role_of(code.format, &code.text) {
        Role::DossierCode(code) => Some(DossierCode::to_string(&code)),
        // Printed by us for this dossier; where the batch is not divided it stays among the pages.
        Role::Cover(cover) => Some(cover.dossier.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::PageRecord;
    use crate::scan::barcode::{Format, Stage};

    const A: &str = "H49.12.5-250914-0042";
    const B: &str = "H49.12.5-250914-0043";

    /// The dossier code of a batch whose pages carry these codes.
    fn taken(pages: &[&str], typed: Option<&str>) -> Option<String> {
        let page = |text: &&str| PageRecord {
            file: 0,
            number: 1,
            width: 100,
            height: 100,
            dpi: None,
            quality: None,
            codes: vec![Barcode {
                format: if text.starts_with("HOSO") { Format::Code128 } else { Format::QRCode },
                text: (*text).into(),
                bytes: (*text).into(),
                corners: [[0.0; 2]; 4],
                module_px: 3.0,
                found_by: Stage::Finders,
            }],
            fault: None,
        };
        let pages = pages.iter().map(page).collect();
        run(Dossier { pages, code: typed.map(str::to_owned), ..Dossier::default() }).code
    }

    #[test]
    fn the_code_counts_where_all_pages_agree_whatever_sheet_says_it() {
        let cover = format!("HOSO-COV-7-{A}");
        assert_eq!(taken(&[A, "anything", A], None).as_deref(), Some(A));
        assert_eq!(taken(&[&cover, "anything"], None).as_deref(), Some(A));
        assert_eq!(taken(&[&cover, A, &cover], None).as_deref(), Some(A));
        assert_eq!(taken(&[&cover, B], None), None, "two dossiers in one batch");
        assert_eq!(taken(&[A, B, A], None), None);
        assert_eq!(taken(&["anything"], None), None);
        assert_eq!(taken(&[&cover], Some(B)).as_deref(), Some(B), "what was typed stays");
    }
}
