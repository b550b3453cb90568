//! One thread owns the connection that writes. Jobs that gather while a commit flushes share the next one
//! ([`crate::commit`], as in the ledger); between commits it tidies.

use super::{failed, schema, tidy};
use crate::clock::Clock;
use crate::commit::{self, Change, Trouble};
use crate::deliver::credential::register::UNAVAILABLE;
use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What the thread does next.
enum Job {
    /// Inside a transaction.
    Change(Change),
    /// Outside one.
    EmptyLog(oneshot::Sender<()>),
}

/// A handle to the thread; the thread ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Commits {
    jobs: mpsc::Sender<Job>,
    made: Arc<AtomicU64>,
}

impl Commits {
    pub(super) fn start(path: &Path, clock: Clock) -> Outcome<Self> {
        let db = schema::open(path)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let made = Arc::<AtomicU64>::default();
        let count = Arc::clone(&made);
        std::thread::Builder::new()
            .name("issuer".into())
            .spawn(move || work(&db, &queue, &clock, &count))
            .map_err(|e| Fault::new(&UNAVAILABLE).detail(e.kind()))?;
        Ok(Commits { jobs, made })
    }

    /// Runs a job in a transaction and returns when the commit is durable. A job that fails is undone alone.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let (change, wait) = Change::new(job, named);
        self.jobs.send(Job::Change(change)).map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }

    /// How many transactions there were.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Moves what the log holds into the file and empties the log.
    pub(super) async fn empty_log(&self) -> Outcome<()> {
        let (answer, wait) = oneshot::channel();
        self.jobs.send(Job::EmptyLog(answer)).map_err(|_| ended())?;
        wait.await.map_err(|_| ended())
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

fn ended() -> Fault {
    Fault::new(&UNAVAILABLE).detail("the register's thread has ended")
}

fn work(db: &Connection, queue: &mpsc::Receiver<Job>, clock: &Clock, made: &AtomicU64) {
    let mut tidied = Instant::now();
    let mut next = None;
    loop {
        let due = tidied + TIDY_EVERY;
        let wait = || queue.recv_timeout(due.saturating_duration_since(Instant::now()));
        match next.take().map_or_else(wait, Ok) {
            Ok(Job::Change(first)) => {
                next = commit(db, first, queue);
                made.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Job::EmptyLog(answer)) => {
                tidy::empty_log(db);
                let _ = answer.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if due <= Instant::now() {
            tidied = Instant::now();
            tidy::tidy(db, clock.now_ms().div_euclid(1000));
        }
    }
}

/// One transaction of all that has gathered; gives back a job that cannot be in it.
fn commit(db: &Connection, first: Change, queue: &mpsc::Receiver<Job>) -> Option<Job> {
    if let Err(e) = db.execute_batch("BEGIN IMMEDIATE") {
        first.refuse(failed(&e));
        return None;
    }
    let mut held_back = None;
    let next = || match queue.try_recv().ok()? {
        Job::Change(change) => Some(change),
        other => {
            held_back = Some(other);
            None
        }
    };
    commit::together(db, first, next, named);
    held_back
}

fn named(trouble: Trouble<'_>) -> Fault {
    match trouble {
        Trouble::Statement(e) => failed(e),
        Trouble::Ended => Fault::new(&UNAVAILABLE).detail("the storage ended the transaction"),
    }
}

/// How often what has had its time is let go of.
const TIDY_EVERY: Duration = Duration::from_secs(60);
