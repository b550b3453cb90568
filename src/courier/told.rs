//! What a portal was told of a dossier so far: every change tells it again as a whole ([`whole`]).
//!
//! The outbox is the memory: what is receipted was told, and so was what the portal took before it refused the progress.
//! Only the oldest open parcel of a dossier is ever on its way, so that what lies before it does not change under it.

use crate::deliver::portal::whole::whole;
use crate::deliver::portal::{PortalDossier, SyncState};
use crate::digest::Sha256;
use crate::fault::Outcome;
use crate::ledger::acknowledged::Outbox;
use crate::steps::deliver::Body;

/// The dossier as a recipient knows it, with the progress that it was told of.
///
/// # Errors
/// `LEDG-001`.
pub fn as_told(outbox: &Outbox, recipient: &str, subject: &str) -> Outcome<Option<PortalDossier>> {
    Ok(whole(records(outbox, recipient, subject, None)?))
}

/// The dossier as a recipient knows it once it has this news, with the progress of this news alone.
///
/// # Errors
/// `LEDG-001`.
pub fn with_news(
    outbox: &Outbox,
    recipient: &str,
    id: &Sha256,
    news: PortalDossier,
) -> Outcome<PortalDossier> {
    let Some(subject) = outbox.subject(id)? else { return Ok(news) };
    let sum = whole(records(outbox, recipient, &subject, Some(id))?);
    Ok(match sum {
        Some(sum) => PortalDossier { progress: news.progress, ..sum },
        None => news,
    })
}

/// What was told, in the order of posting, and `news`.
fn records(
    outbox: &Outbox,
    recipient: &str,
    subject: &str,
    news: Option<&Sha256>,
) -> Outcome<Vec<PortalDossier>> {
    let mut told = Vec::new();
    for row in outbox.news(recipient, subject)? {
        let Ok(Body::Portal(mut record)) = serde_json::from_slice::<Body>(&row.body) else { continue };
        if !row.receipted && news != Some(&row.id) {
            let state = row.progress.as_deref().and_then(|p| serde_json::from_slice::<SyncState>(p).ok());
            let Some(state) = state.filter(SyncState::was_told) else { continue };
            record.progress.truncate(state.progress_taken);
        }
        told.push(*record);
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::deliver::portal::record::{Progress, Status};
    use crate::deliver::portal::{sample, whole};
    use crate::ledger::{NewParcel, SqliteLedger};

    /// What was told of one dossier, in the order of posting: each record's state in the ledger and how far it came.
    async fn outbox(told: &[(&PortalDossier, &str, Option<SyncState>)]) -> (tempfile::TempDir, Outbox) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Clock::System).unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        for (number, (record, state, came)) in told.iter().enumerate() {
            let body = serde_json::to_vec(&Body::Portal(Box::new((*record).clone()))).unwrap();
            let id = id(number);
            let parcel = NewParcel { id, recipient: "portal".into(), subject: "portal H49".into(), body };
            assert_eq!(ledger.post(vec![parcel]).await.unwrap(), [true]);
            let came = came.as_ref().map(|came| serde_json::to_vec(came).unwrap());
            let sql = "UPDATE parcel SET state=?2, progress=?3 WHERE id=?1";
            assert_eq!(db.execute(sql, rusqlite::params![&id.0[..], state, came]).unwrap(), 1);
        }
        drop(ledger);
        (dir, Outbox::open(&path).unwrap())
    }

    fn id(number: usize) -> Sha256 {
        Sha256::of(&number.to_be_bytes())
    }

    fn intake() -> PortalDossier {
        let progress = vec![Progress { status: Status::Accepted, ..sample().progress[0].clone() }];
        PortalDossier { status: Status::Accepted, results: Vec::new(), progress, ..sample() }
    }

    fn result() -> PortalDossier {
        PortalDossier { papers: Vec::new(), progress: vec![sample().progress[1].clone()], ..sample() }
    }

    #[tokio::test]
    async fn what_the_portal_took_is_carried_on_and_what_it_never_took_is_not() {
        let taken = |lines| SyncState { dossier_taken: true, progress_taken: lines, ..SyncState::default() };
        for (state, came, carried, lines) in [
            ("receipted", None, true, 1),
            ("dead", Some(taken(0)), true, 0),
            ("cancelled", Some(taken(1)), true, 1),
            ("pending", Some(taken(1)), true, 1),
            ("dead", None, false, 0),
            ("dead", Some(SyncState::default()), false, 0),
            ("cancelled", None, false, 0),
        ] {
            let (intake, result) = (intake(), result());
            let (_dir, outbox) = outbox(&[(&intake, state, came), (&result, "leased", None)]).await;
            let sent = with_news(&outbox, "portal", &id(1), result.clone()).unwrap();
            assert_eq!((sent.status, sent.papers.len()), (Status::Done, usize::from(carried)), "{state}");
            assert_eq!(sent.progress, result.progress, "each tells its own progress: {state}");
            let again = with_news(&outbox, "portal", &id(1), result).unwrap();
            assert_eq!(whole::digest(&sent), whole::digest(&again));
            let told = as_told(&outbox, "portal", "portal H49").unwrap();
            assert_eq!(told.map_or(0, |told| told.progress.len()), lines, "{state}");
        }
    }

    #[tokio::test]
    async fn an_older_letter_that_is_sent_after_a_newer_one_keeps_its_place_in_the_sum() {
        let (intake, result) = (intake(), result());
        let (_dir, outbox) = outbox(&[(&intake, "leased", None), (&result, "receipted", None)]).await;
        let sent = with_news(&outbox, "portal", &id(0), intake.clone()).unwrap();
        assert_eq!((sent.status, sent.papers.len(), sent.results.len()), (Status::Done, 1, 1));
        assert_eq!(sent.progress, intake.progress);
        assert_eq!(with_news(&outbox, "other", &id(7), intake.clone()).unwrap(), intake);
    }
}
