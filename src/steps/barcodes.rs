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
        _ => None,
    }
}
