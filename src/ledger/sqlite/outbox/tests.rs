use super::*;
use crate::clock::Clock;
use crate::digest::Sha256;
use crate::fault::Fault;
use crate::ledger::{Ledger, OTHER_VERSION, SqliteLedger};
use rusqlite::StatementStatus;
use std::path::Path;

fn ledger(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, Clock::System).unwrap()
}

fn parcel(recipient: &str, subject: &str, name: &str) -> NewParcel {
    NewParcel {
        id: Sha256::of(name.as_bytes()),
        recipient: recipient.into(),
        subject: subject.into(),
        body: name.into(),
    }
}

/// So many parcels of one recipient, each a subject of its own.
fn many(recipient: &str, count: usize) -> Vec<NewParcel> {
    (0..count).map(|n| format!("{recipient} {n}")).map(|name| parcel(recipient, &name, &name)).collect()
}

fn names(leases: &[ParcelLease]) -> Vec<String> {
    leases.iter().map(|lease| String::from_utf8(lease.body.clone()).unwrap()).collect()
}

fn set(path: &Path, name: &str, state: &str) {
    let db = Connection::open(path).unwrap();
    let sql = "UPDATE parcel SET state=?2 WHERE id=?1";
    assert_eq!(db.execute(sql, params![&Sha256::of(name.as_bytes()).0[..], state]).unwrap(), 1);
}

#[tokio::test]
async fn a_ledger_of_version_2_is_moved_with_its_order_and_one_of_tomorrow_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    {
        let db = Connection::open(&path).unwrap();
        db.execute_batch(schema::TABLES).unwrap();
        db.execute_batch("PRAGMA user_version=2; PRAGMA journal_mode=WAL").unwrap();
        // Posted in this order, whatever their names sort like.
        for (at, name, subject, state) in [
            (5, "receipted", "portal 1", "receipted"),
            (10, "b first", "portal 1", "pending"),
            (20, "a second", "portal 1", "pending"),
            (15, "alone", "portal 2", "pending"),
            (1, "dead", "portal 3", "dead"),
            (2, "after dead", "portal 3", "leased"),
        ] {
            db.execute(
                "INSERT INTO parcel (id, recipient, body, state, due, subject, posted_at, lease_until, receipt)
                 VALUES (?1, 'portal', ?2, ?3, ?4, ?5, ?4, 0, ?6)",
                params![
                    &Sha256::of(name.as_bytes()).0[..],
                    name.as_bytes(),
                    state,
                    at,
                    subject,
                    (state == "receipted").then_some(&[7u8; 32][..])
                ],
            )
            .unwrap();
        }
    }
    let moved = ledger(&path);
    let mut first = names(&moved.claim_parcels("w", 9).await.unwrap());
    first.sort();
    assert_eq!(first, ["after dead", "alone", "b first"], "the second of its subject waits");
    let (old, version): (i64, i64) = Connection::open(&path)
        .unwrap()
        .query_row("SELECT (SELECT count(*) FROM parcel WHERE receipt=x'0707070707070707070707070707070707070707070707070707070707070707' AND proof IS NULL), user_version FROM pragma_user_version", [], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .unwrap();
    assert_eq!((old, version), (1, schema::VERSION), "what was receipted stays so");
    moved.post(vec![parcel("portal", "portal 2", "later")]).await.unwrap();
    drop(moved);
    // Again: there is nothing left to do.
    assert_eq!(ledger(&path).queues().await.unwrap()[0].waiting, 2);
    for other in [1, schema::VERSION + 1, -1] {
        Connection::open(&path).unwrap().execute_batch(&format!("PRAGMA user_version={other}")).unwrap();
        assert_eq!(SqliteLedger::open(&path, Clock::System).unwrap_err().code, &OTHER_VERSION, "{other}");
    }
}

#[tokio::test]
async fn a_move_that_fails_half_way_leaves_the_version_that_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    {
        let db = Connection::open(&path).unwrap();
        db.execute_batch(schema::TABLES).unwrap();
        // Somebody laid an index of that name there: the script stops in its middle.
        db.execute_batch("CREATE INDEX parcel_claim ON parcel (due); PRAGMA user_version=2").unwrap();
    }
    assert!(SqliteLedger::open(&path, Clock::System).is_err());
    let db = Connection::open(&path).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    let columns: i64 = db
        .query_row("SELECT count(*) FROM pragma_table_info('parcel') WHERE name='seq'", [], |r| r.get(0))
        .unwrap();
    assert_eq!((version, columns), (2, 0));
    db.execute_batch("DROP INDEX parcel_claim").unwrap();
    drop(db);
    ledger(&path);
}

#[test]
fn no_statement_of_a_claim_walks_over_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    drop(ledger(&path));
    let db = Connection::open(&path).unwrap();
    let plan = |sql: &str, arguments: usize| -> Vec<String> {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let arguments = vec![0i64; arguments];
        plan.query_map(rusqlite::params_from_iter(arguments), |r| r.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    assert_eq!(
        plan(schema::NEXT_RECIPIENT, 1),
        ["SEARCH parcel USING COVERING INDEX parcel_claim (recipient>?)"]
    );
    assert_eq!(
        plan(schema::DUE_PARCELS, 3),
        ["SEARCH parcel USING COVERING INDEX parcel_claim (recipient=? AND due<?)"]
    );
    for (sql, arguments) in [(schema::LAPSED_PARCELS, 2), (schema::WAKE, 2)] {
        let plan = plan(sql, arguments);
        assert!(
            plan.iter().all(|line| !line.starts_with("SCAN parcel") && !line.contains("TEMP")),
            "{plan:?}"
        );
    }
    // And counted, beside a backlog: the same few steps for five couriers, whatever waits.
    let steps = |backlog: usize| {
        db.execute_batch("DELETE FROM parcel").unwrap();
        db.execute_batch("BEGIN").unwrap();
        for (n, parcel) in many("a", backlog).iter().chain(&many("b", 5)).enumerate() {
            insert(&db, parcel, i64::try_from(n).unwrap()).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        let mut due = db.prepare(schema::DUE_PARCELS).unwrap();
        let rows = due.query_map(params!["a", i64::MAX, 5], |_| Ok(())).unwrap().count();
        assert_eq!(rows, 5);
        let mut next = db.prepare(schema::NEXT_RECIPIENT).unwrap();
        assert_eq!(next.query_row(["a"], |r| r.get::<_, String>(0)).unwrap(), "b");
        due.get_status(StatementStatus::VmStep) + next.get_status(StatementStatus::VmStep)
    };
    let (few, lots) = (steps(10), steps(5_000));
    assert!(lots <= few + 20, "{few} steps beside 10, {lots} beside 5,000");
}

#[tokio::test]
async fn a_backlog_of_one_recipient_takes_nothing_from_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir.path().join("ledger.db"));
    ledger.post(many("backlog", 500)).await.unwrap();
    ledger.post(many("late", 3)).await.unwrap();
    let share = |leases: &[ParcelLease], who: &str| leases.iter().filter(|l| l.recipient == who).count();
    let leases = ledger.claim_parcels("w", 8).await.unwrap();
    assert_eq!(
        (share(&leases, "backlog"), share(&leases, "late")),
        (3, 3),
        "two couriers stay free for a third"
    );
    // One that has no room is not touched at all: no attempt is counted, no due time moves.
    let mut rooms = Rooms::of_all(4);
    rooms.on_way("backlog", 4);
    assert!(ledger.claim_parcels_within("w", 8, rooms).await.unwrap().is_empty());
    let queues = ledger.queues().await.unwrap();
    assert_eq!((queues[0].due, queues[0].leased, queues[1].leased), (497, 3, 3));
}

#[tokio::test]
async fn where_there_are_more_recipients_than_couriers_all_come_round() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir.path().join("ledger.db"));
    for recipient in ["a", "b", "c", "d", "e"] {
        ledger.post(many(recipient, 9)).await.unwrap();
    }
    let mut served = Vec::new();
    for _ in 0..5 {
        for lease in ledger.claim_parcels("w", 2).await.unwrap() {
            served.push(lease.recipient);
        }
    }
    assert_eq!(served.concat(), "abcdeabcde");
}

#[tokio::test]
async fn what_is_held_keeps_its_place_and_what_ended_gives_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = ledger(&path);
    let news = |name| parcel("portal", "portal H40-1", name);
    ledger.post(["one", "two", "three", "four"].map(news).to_vec()).await.unwrap();
    let claim = async || names(&ledger.claim_parcels("w", 9).await.unwrap());

    set(&path, "one", "held");
    assert!(claim().await.is_empty(), "what is held keeps those behind it waiting");
    set(&path, "one", "cancelled");
    assert_eq!(claim().await, ["two"]);
    set(&path, "two", "dead");
    assert_eq!(claim().await, ["three"]);
    // On its way again: it goes before what was posted after it, once what is on its way is through.
    set(&path, "two", "pending");
    set(&path, "three", "receipted");
    assert_eq!(claim().await, ["two"]);
    set(&path, "two", "receipted");
    assert_eq!(claim().await, ["four"]);
    let db = Connection::open(&path).unwrap();
    let heads: i64 = db
        .query_row(
            "SELECT count(*) FROM parcel WHERE head=1 AND state IN ('pending','leased','held')",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(heads, 1);
}

#[tokio::test]
async fn what_a_person_did_meanwhile_outlives_the_attempt_but_a_receipt_is_true() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let ledger = ledger(&path);
    ledger.post(many("w", 2)).await.unwrap();
    let leases = ledger.claim_parcels("w", 9).await.unwrap();
    let state = |name: &str| -> (String, Option<Vec<u8>>) {
        let db = Connection::open(&path).unwrap();
        let sql = "SELECT state, proof FROM parcel WHERE id=?1";
        db.query_row(sql, [&Sha256::of(name.as_bytes()).0[..]], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    };
    for state in ["held", "cancelled"] {
        set(&path, "w 0", state);
        for outcome in [
            ParcelSettlement::Rest { due: 0 },
            ParcelSettlement::Dead(Fault::new(&OTHER_VERSION).report()),
            ParcelSettlement::Later { due: 0, reason: Fault::new(&OTHER_VERSION).report(), progress: None },
        ] {
            assert!(!ledger.settle_parcel(&leases[0].key, "w", outcome).await.unwrap());
        }
        assert!(!ledger.renew_parcel(&leases[0].key).await.unwrap());
    }
    let receipt = || ParcelSettlement::Receipted(b"proof".to_vec());
    assert!(ledger.settle_parcel(&leases[0].key, "w", receipt()).await.unwrap());
    assert_eq!(state("w 0"), ("receipted".into(), Some(b"proof".to_vec())));
    // The first receipt stays.
    let other = ParcelSettlement::Receipted(b"other".to_vec());
    assert!(!ledger.settle_parcel(&leases[0].key, "w", other).await.unwrap());
    assert_eq!(state("w 0").1, Some(b"proof".to_vec()));
}

#[tokio::test]
async fn a_line_that_is_back_makes_due_what_waited_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir.path().join("ledger.db"));
    ledger.post([many("dead", 3), many("other", 1)].concat()).await.unwrap();
    let due = jiff::Timestamp::now().as_millisecond() + 900_000;
    for lease in ledger.claim_parcels("w", 9).await.unwrap() {
        let reason = Fault::new(&OTHER_VERSION).report();
        let later = ParcelSettlement::Later { due, reason, progress: None };
        assert!(ledger.settle_parcel(&lease.key, "w", later).await.unwrap());
    }
    assert_eq!(ledger.wake("dead").await.unwrap(), 3);
    let queues = ledger.queues().await.unwrap();
    assert_eq!((queues[0].due, queues[0].waiting), (3, 0));
    assert_eq!((queues[1].due, queues[1].waiting, queues[1].next_due), (0, 1, Some(due)));
}
