//! One thread owns the connection that writes. Jobs that gather while a commit flushes share the next one, each in its
//! savepoint; they are answered when the commit is on disk. (The ledger does the same with its own tables.)

use super::failed;
use crate::deliver::credential::register::{OTHER_VERSION, UNAVAILABLE};
use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, OpenFlags};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(Result<&Connection, Fault>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// A handle to the thread; the thread ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Commits {
    jobs: mpsc::Sender<Job>,
}

impl Commits {
    pub(super) fn start(path: &Path) -> Outcome<Self> {
        let db = open(path)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("issuer".into())
            .spawn(move || work(&db, &queue))
            .map_err(|e| Fault::new(&UNAVAILABLE).detail(e.kind()))?;
        Ok(Commits { jobs })
    }

    /// Runs a job in a transaction and returns when the commit is durable. A job that fails is undone alone.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let (answer, wait) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            let result = db.and_then(|db| savepoint(db, job).map_err(|e| failed(&e)));
            Box::new(move |committed| {
                let _ = answer.send(committed.and(result));
            })
        });
        let ended = || Fault::new(&UNAVAILABLE).detail("the register's thread has ended");
        self.jobs.send(job).map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.execute_batch("PRAGMA busy_timeout=30000; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
    Ok(db)
}

fn open(path: &Path) -> Outcome<Connection> {
    let unusable = |e: std::io::Error| Fault::new(&UNAVAILABLE).detail(e.kind());
    // It holds fields of results: for its owner alone, from its first byte on. SQLite gives its side files the same mode.
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unusable)?;
    let failed = |e: rusqlite::Error| failed(&e);
    let db = Connection::open(path).map_err(failed)?;
    db.execute_batch(
        "PRAGMA busy_timeout=30000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
    )
    .map_err(failed)?;
    db.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    match version {
        VERSION => db.execute_batch("COMMIT").map_err(failed)?,
        0 => db.execute_batch(&format!("{TABLES} PRAGMA user_version={VERSION}; COMMIT")).map_err(failed)?,
        other => {
            let _ = db.execute_batch("ROLLBACK");
            return Err(Fault::new(&OTHER_VERSION).detail(format!("version {other}, not {VERSION}")));
        }
    }
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

fn work(db: &Connection, queue: &mpsc::Receiver<Job>) {
    let mut rounds = 0u32;
    while let Ok(first) = queue.recv() {
        if let Err(e) = db.execute_batch("BEGIN IMMEDIATE") {
            first(Err(failed(&e)))(Err(failed(&e)));
            continue;
        }
        let mut replies: Vec<Reply> = vec![first(Ok(db))];
        // On a full disk SQLite ends the transaction by itself: a job run after that would commit alone.
        while replies.len() < BATCH && !db.is_autocommit() {
            match queue.try_recv() {
                Ok(job) => replies.push(job(Ok(db))),
                Err(_) => break,
            }
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(FORGET_EVERY) && !db.is_autocommit() {
            // Nonces that ended a day ago are refused by their own end.
            let _ = db.execute("DELETE FROM nonce WHERE until < unixepoch() - 86400", []);
        }
        let committed = if db.is_autocommit() {
            Err(Fault::new(&UNAVAILABLE).detail("the storage ended the transaction"))
        } else {
            db.execute_batch("COMMIT").map_err(|e| {
                let _ = db.execute_batch("ROLLBACK");
                failed(&e)
            })
        };
        for reply in replies {
            reply(committed.clone());
        }
    }
}

fn savepoint<T>(
    db: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    db.execute_batch("SAVEPOINT job")?;
    let result = job(db);
    db.execute_batch(if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
    result
}

/// At most this many jobs share a commit.
const BATCH: usize = 64;
const FORGET_EVERY: u32 = 1024;
const VERSION: i64 = 1;
pub(super) const TABLES: &str = "
CREATE TABLE issuance (
  id TEXT NOT NULL UNIQUE, link BLOB NOT NULL UNIQUE, code BLOB NOT NULL UNIQUE, token BLOB UNIQUE, document BLOB NOT NULL UNIQUE,
  record BLOB NOT NULL
) STRICT;
CREATE TABLE nonce (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_until ON nonce (until);
CREATE TABLE list (list INTEGER PRIMARY KEY, taken INTEGER NOT NULL) STRICT;
CREATE TABLE place (list INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (list, place)) STRICT, WITHOUT ROWID;
CREATE TABLE revoked (list INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (list, place)) STRICT, WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";
