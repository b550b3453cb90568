//! `out/`: what people look for. Made of journaled blobs only, whole files only, and again at will: deleting `out/`
//! loses nothing.

use crate::blobs;
use crate::dossier::Dossier;
use crate::fault::{Fault, Outcome};
use crate::ledger::RunView;
use crate::log::proof::Stamp;
use crate::log::{Receipt, awaiting};
use crate::steps::Desk;
use std::fs;
use std::path::Path;

/// Lays a finished run's files into `out/<dossier code>/`.
///
/// # Errors
/// `BLOB-001`, `BLOB-002`.
pub fn lay_out(desk: &Desk, run: &RunView) -> Outcome<()> {
    let dossier: Dossier =
        serde_json::from_slice(&run.record).map_err(|_| Fault::new(&crate::work::RECORD_UNREADABLE))?;
    let folder = desk.station.path("out").join(folder_name(&dossier, run));
    fs::create_dir_all(&folder).map_err(|e| Fault::new(&blobs::NOT_STORED).at("out").detail(e.kind()))?;
    let kind = if dossier.slip.is_some() { "ket-qua" } else { "giay-to" };
    for (index, paper, digests) in dossier.outgoing() {
        // The digest in the name keeps two deliveries of one dossier apart and never changes.
        let stem = format!("{kind}-{:02}-{}", index + 1, &digests.sha256.to_string()[..8]);
        desk.blobs.lay(&folder.join(format!("{stem}.pdf")), &desk.blobs.get(&digests.blake3)?)?;
        if let Some(receipt) = &paper.receipt {
            lay_receipt(
                desk,
                &folder.join(format!("{stem}.{}", awaiting::EXTENSION)),
                &desk.blobs.get(receipt)?,
            )?;
        }
    }
    if let Some(verdict) = &dossier.verdict {
        let text = serde_json::to_vec_pretty(verdict).unwrap_or_default();
        desk.blobs.lay(&folder.join(format!("xac-minh-{}.verdict.json", run.id.short())), &text)?;
    }
    for parcel in &run.parcels {
        if let Some(receipt) = &parcel.receipt {
            let name = format!("bien-nhan-{}-{}.receipt", parcel.recipient, &parcel.id.to_string()[..8]);
            let bytes = match &parcel.proof {
                // Kept among the blobs, too, where everything else that a dossier names is found.
                Some(proof) => desk.blobs.put(proof).map(|_| proof.clone())?,
                None => desk.blobs.get(receipt)?,
            };
            desk.blobs.lay(&folder.join(name), &bytes)?;
        }
    }
    Ok(())
}

/// A receipt that awaits its stamp is completed there later ([`crate::steps::Desk::complete_receipts`]), and what was
/// completed stays.
fn lay_receipt(desk: &Desk, path: &Path, bytes: &[u8]) -> Outcome<()> {
    let receipt = std::str::from_utf8(bytes).ok().and_then(|text| Receipt::parse(text).ok());
    let Some(receipt) = receipt.filter(|receipt| matches!(receipt.stamp, Stamp::Awaited)) else {
        return desk.blobs.lay(path, bytes);
    };
    if !awaiting::is_completion(path, &receipt) {
        desk.blobs.lay(path, bytes)?;
        desk.log()?.mark_awaiting()?;
    }
    Ok(())
}

/// A folder name that is safe whatever a code or a file was called.
fn folder_name(dossier: &Dossier, run: &RunView) -> String {
    match &dossier.code {
        Some(code) if crate::dossier::is_plain_code(code) => code.clone(),
        _ => format!("khong-ma-{}", run.id.short()),
    }
}
