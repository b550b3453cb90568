//! In: documents, sealed or kept as they came. Out: a receipt of the transparency log for each.
//! What can go wrong: the log refuses to sign, since its leaves and its signed head do not agree; the dossier waits.

use super::Desk;
use crate::clock::vietnam_time;
use crate::dossier::Dossier;
use crate::fault::Outcome;
use crate::log::{Statement, StatementFacts};

/// Appends every document to the log, and has the new head confirmed by whoever the station asks. Where nobody answers, the
/// receipts say that they await a time stamp; `hoso log anchor` fetches it later.
///
/// # Errors
/// Those of the log; `BLOB-001`.
pub fn run(mut dossier: Dossier, desk: &Desk) -> Outcome<Dossier> {
    let log = desk.log()?;
    let mut papers: Vec<(usize, Statement)> = Vec::new();
    for (index, paper) in dossier.papers.iter().enumerate() {
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
        papers.push((index, log.statement(&digests, &facts)?));
    }
    // All papers in one commit, which dossiers of other threads share.
    let statements: Vec<Statement> = papers.iter().map(|(_, statement)| statement.clone()).collect();
    let mut receipts = log.append(&statements)?;
    let round = desk.anchor(&log)?;
    if round.is_some_and(|round| round.stamped || round.cosigned > 0) {
        for receipt in &mut receipts {
            *receipt = log.prove_statement(&receipt.statement)?;
        }
    }
    for ((index, _), receipt) in papers.into_iter().zip(receipts) {
        let stored = desk.blobs.put(receipt.to_text().as_bytes())?.blake3;
        if let Some(paper) = dossier.papers.get_mut(index) {
            paper.receipt = Some(stored);
        }
    }
    Ok(dossier)
}
