//! In: documents, sealed or kept as they came. Out: a receipt of the transparency log for each.
//! What can go wrong: the log refuses to sign, since its leaves and its signed head do not agree; the dossier waits.

use super::Desk;
use crate::clock::vietnam_time;
use crate::dossier::Dossier;
use crate::fault::Outcome;
use crate::log::statement::StatementFacts;

/// Appends every document to the log.
///
/// # Errors
/// Those of the log; `BLOB-001`.
pub fn run(mut dossier: Dossier, desk: &Desk) -> Outcome<Dossier> {
    let log = desk.log()?;
    for index in 0..dossier.papers.len() {
        let paper = &dossier.papers[index];
        let (digests, doc_type, at) = match (&paper.sealed, &paper.document) {
            (Some(sealed), _) => (sealed.digests, sealed.profile.clone(), sealed.at),
            (None, Some(document)) => (document.digests, "kept".to_owned(), dossier.received_at),
            (None, None) => continue,
        };
        // Everything in the leaf comes from the record: a second attempt makes the same leaf and finds its place.
        let facts = StatementFacts {
            media_type: "application/pdf".into(),
            office: desk.office.clone(),
            doc_type,
            issued_at: vietnam_time(at),
            supersedes: None,
        };
        let receipt = log.append_document(&digests, &facts)?;
        dossier.papers[index].receipt = Some(desk.blobs.put(receipt.to_text().as_bytes())?.blake3);
    }
    Ok(dossier)
}
