//! Changes to a database that share a commit: each in a savepoint of its own, and all of them answered when the end of their
//! transaction is known. So the disk's flush rate bounds commits, not changes.
//!
//! Whose thread it is, how a transaction begins and which changes may share one is for whoever writes.

use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, ErrorCode};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A change that waits for its transaction.
pub struct Change(Work);

/// Runs inside the transaction; gives what to do when the transaction's end is known.
type Work = Box<dyn FnOnce(Result<&Connection, Fault>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// Why a change is not made.
#[derive(Debug, Clone, Copy)]
pub enum Trouble<'a> {
    /// A statement failed.
    Statement(&'a rusqlite::Error),
    /// SQLite ended the transaction by itself: a full disk, an I/O error.
    Ended,
}

/// What a trouble is called by those who write; what a statement says may quote what it was given.
pub type Named = fn(Trouble<'_>) -> Fault;

impl Change {
    /// A job that is undone alone where it fails, and what its asker waits on: the answer comes after the commit is durable,
    /// and none where the thread has ended.
    pub fn new<T: Send + 'static>(
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        named: Named,
    ) -> (Self, oneshot::Receiver<Outcome<T>>) {
        let (answer, wait) = oneshot::channel();
        let work: Work = Box::new(move |db| {
            let result = db.and_then(|db| savepoint(db, job).map_err(|e| named(Trouble::Statement(&e))));
            Box::new(move |committed| {
                // The asker may be gone (shutdown); the commit stands all the same.
                let _ = answer.send(committed.and(result));
            })
        });
        (Change(work), wait)
    }

    /// Answers without making it.
    pub fn refuse(self, fault: Fault) {
        self.0(Err(fault.clone()))(Err(fault));
    }
}

/// Commits the transaction that was begun, with `first` in it and what `next` gives, and answers all of them.
pub fn together(db: &Connection, first: Change, mut next: impl FnMut() -> Option<Change>, named: Named) {
    let mut replies: Vec<Reply> = vec![first.0(Ok(db))];
    // SQLite itself ends the transaction on a full disk or an I/O error: what came before in it is undone then, and a job run
    // after that would commit alone.
    while replies.len() < BATCH
        && !db.is_autocommit()
        && let Some(change) = next()
    {
        replies.push(change.0(Ok(db)));
    }
    let committed = if db.is_autocommit() {
        Err(named(Trouble::Ended))
    } else {
        db.execute_batch("COMMIT").map_err(|e| {
            let _ = db.execute_batch("ROLLBACK");
            named(Trouble::Statement(&e))
        })
    };
    for reply in replies {
        reply(committed.clone());
    }
}

/// Sets that what is written goes through a write-ahead log, which is kept in the file and asked for at every opening. Of two
/// processes that open a new file at once SQLite refuses one there and then, whatever it was told about waiting, lest the two
/// wait for each other: so it is asked again.
///
/// # Errors
/// Those of SQLite; that it is locked, after half a minute.
pub fn write_ahead(db: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match db.execute_batch("PRAGMA journal_mode=WAL") {
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => break other,
        }
    }
}

fn savepoint<T>(
    db: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let say = |sql: &str| db.prepare_cached(sql)?.execute([]);
    say("SAVEPOINT job")?;
    let result = job(db);
    if result.is_err() {
        say("ROLLBACK TO job")?;
    }
    say("RELEASE job")?;
    result
}

/// At most this many changes share a commit.
const BATCH: usize = 64;

/// How long others may keep a file to themselves that is to be opened.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Class, Code};

    const BROKEN: Code =
        Code { id: "TEST-001", class: Class::Later, vi: "", en: "", remedy_vi: "", remedy_en: "" };

    fn named(trouble: Trouble<'_>) -> Fault {
        match trouble {
            Trouble::Statement(e) => Fault::new(&BROKEN).detail(e),
            Trouble::Ended => Fault::new(&BROKEN).detail("ended"),
        }
    }

    fn begun() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (n INTEGER); BEGIN IMMEDIATE").unwrap();
        db
    }

    fn numbers(db: &Connection) -> Vec<i64> {
        let mut rows = db.prepare("SELECT n FROM t ORDER BY n").unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_new_file_that_many_open_at_once_is_opened_by_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = dir.path().join(format!("{round}.db"));
            let at_once = std::sync::Barrier::new(6);
            std::thread::scope(|s| {
                let open = || {
                    let db = Connection::open(&path).unwrap();
                    at_once.wait();
                    write_ahead(&db)?;
                    db.query_row("PRAGMA journal_mode", [], |r| r.get::<_, String>(0))
                };
                let all: Vec<_> = (0..6).map(|_| s.spawn(open)).collect();
                for one in all {
                    assert_eq!(one.join().unwrap().as_deref(), Ok("wal"));
                }
            });
        }
    }

    #[test]
    fn a_change_that_fails_is_undone_alone() {
        let db = begun();
        let (one, first) = Change::new(|db| db.execute("INSERT INTO t VALUES (1)", []), named);
        let (two, second) = Change::new(
            |db| {
                db.execute("INSERT INTO t VALUES (2)", [])?;
                db.execute("INSERT INTO nowhere VALUES (2)", [])
            },
            named,
        );
        let (three, third) = Change::new(|db| db.execute("INSERT INTO t VALUES (3)", []), named);
        let mut rest = vec![three, two];
        together(&db, one, || rest.pop(), named);
        assert_eq!(first.blocking_recv().unwrap(), Ok(1));
        assert!(second.blocking_recv().unwrap().is_err());
        assert_eq!(third.blocking_recv().unwrap(), Ok(1));
        assert_eq!(numbers(&db), [1, 3]);
    }

    #[test]
    fn where_the_storage_ends_the_transaction_nobody_is_told_that_it_was_made_and_nothing_is_made_after_it() {
        let db = begun();
        let (one, first) = Change::new(|db| db.execute("INSERT INTO t VALUES (1)", []), named);
        let (two, second) = Change::new(|db| db.execute_batch("ROLLBACK"), named);
        let (three, _) = Change::new(|db| db.execute("INSERT INTO t VALUES (3)", []), named);
        let mut rest = vec![three, two];
        together(&db, one, || rest.pop(), named);
        assert_eq!(first.blocking_recv().unwrap().unwrap_err().detail.as_deref(), Some("ended"));
        assert!(second.blocking_recv().unwrap().is_err());
        assert_eq!(rest.len(), 1, "the third stays in the queue");
        assert_eq!(numbers(&db), [0i64; 0]);
    }
}
