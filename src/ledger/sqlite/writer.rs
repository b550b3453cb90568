//! One thread owns the connection. Jobs that wait while a commit flushes go into the next commit together, so that
//! the disk's flush rate bounds commits, not steps.

use crate::commit::{self, Change, Trouble};
use crate::fault::{Fault, Outcome};
use crate::ledger::schema;
use crate::ledger::{OTHER_VERSION, UNAVAILABLE};
use rusqlite::{Connection, ErrorCode};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What the thread does next.
struct Job {
    change: Change,
    kind: Kind,
}

/// What a job asks of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Flushed before its end is told; others may share it.
    Durable,
    /// Flushed, and nothing else is in it, so that all it reads is on the disk.
    Alone,
    /// Need not be flushed: the next that is takes it along. A power cut may undo it, a killed process does not.
    Hasty,
}

/// A handle to the thread; the thread ends with the last handle.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(path: &Path) -> Outcome<Self> {
        Self::over("ledger", open(path)?)
    }

    /// A thread for a file that is open already and has its tables: what else is written as the ledger is.
    pub(crate) fn over(name: &str, db: Connection) -> Outcome<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(&db, &queue))
            .map_err(|e| Fault::new(&UNAVAILABLE).detail(e.kind()))?;
        Ok(Writer { jobs })
    }

    /// Runs a job in a transaction and returns after the commit is durable. A job that fails is undone alone.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        self.queue(job, Kind::Durable).await
    }

    /// The same in a transaction of its own: what the job reads was committed, and (but for leases) flushed, before it
    /// began. For what cannot be undone together with the transaction.
    pub(super) async fn run_alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        self.queue(job, Kind::Alone).await
    }

    /// The same without waiting for the disk, for what may be undone by a power cut and then is done again: leases.
    pub(super) async fn run_hastily<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        self.queue(job, Kind::Hasty).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        kind: Kind,
    ) -> Outcome<T> {
        let (change, wait) = Change::new(job, named);
        self.jobs.send(Job { change, kind }).map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }
}

fn ended() -> Fault {
    Fault::new(&UNAVAILABLE).detail("the ledger's thread has ended")
}

fn named(trouble: Trouble<'_>) -> Fault {
    let fault = Fault::new(&UNAVAILABLE);
    match trouble {
        Trouble::Statement(e) => fault.detail(e),
        Trouble::Ended => fault.detail("the storage ended the transaction (disk full or I/O error)"),
    }
}

fn open(path: &Path) -> Outcome<Connection> {
    let failed = |e: rusqlite::Error| Fault::new(&UNAVAILABLE).detail(e);
    let db = Connection::open(path).map_err(failed)?;
    // As a pragma: the crate's own call needs a younger SQLite than Debian 12 has.
    db.execute_batch("PRAGMA busy_timeout=30000; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;")
        .and_then(|()| commit::write_ahead(&db))
        .map_err(failed)?;
    // Two processes may open a new station at once: the version is looked at and the tables made under one lock.
    Turn::of(&db).begin(&db).map_err(failed)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    let known = |of: i64| of == 0 || schema::MIGRATIONS.iter().any(|(to, _)| *to == of);
    if !known(version) {
        let _ = db.execute_batch("ROLLBACK");
        return Err(Fault::new(&OTHER_VERSION).detail(format!("version {version}, not {}", schema::VERSION)));
    }
    // All of the way or nothing of it: a crash in between leaves the version that was.
    let moved = schema::MIGRATIONS.iter().filter(|(to, _)| *to > version).try_for_each(|(to, scripts)| {
        scripts.iter().try_for_each(|script| db.execute_batch(script))?;
        db.execute_batch(&format!("PRAGMA user_version={to}"))
    });
    if let Err(e) = moved.and_then(|()| db.execute_batch("COMMIT")) {
        let _ = db.execute_batch("ROLLBACK");
        return Err(failed(e));
    }
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

fn work(db: &Connection, queue: &mpsc::Receiver<Job>) {
    let turn = Turn::of(db);
    // From here on only `begin` waits, and in its own way.
    let _ = db.execute_batch("PRAGMA busy_timeout=0");
    let mut held_back = None;
    let mut flushes = true;
    while let Some(Job { change, kind }) = held_back.take().or_else(|| queue.recv().ok()) {
        if flushes != (kind != Kind::Hasty) {
            flushes = kind != Kind::Hasty;
            let set = if flushes { "PRAGMA synchronous=FULL" } else { "PRAGMA synchronous=NORMAL" };
            if let Err(e) = db.execute_batch(set) {
                // Nothing is told to be on the disk that may not be.
                flushes = !flushes;
                change.refuse(named(Trouble::Statement(&e)));
                continue;
            }
        }
        if let Err(e) = turn.begin(db) {
            change.refuse(named(Trouble::Statement(&e)));
            continue;
        }
        let next = || {
            if kind == Kind::Alone {
                return None;
            }
            match queue.try_recv().ok()? {
                Job { change, kind: Kind::Hasty } => Some(change),
                Job { change, kind: Kind::Durable } if flushes => Some(change),
                other => {
                    held_back = Some(other);
                    None
                }
            }
        };
        commit::together(db, change, next, named);
    }
}

/// Writers of several processes take turns. SQLite's own lock goes to whoever happens to ask in the moment between two
/// commits, and a busy writer leaves next to none. So each asks for it only with this lock in hand, which the kernel
/// gives to those who wait, and lets go of it as soon as it has the other: whoever waits here is next.
struct Turn(Option<File>);

impl Turn {
    /// A file beside the database; where it cannot be made, writers do without.
    fn of(db: &Connection) -> Self {
        let path = db.path().filter(|path| !path.is_empty()).map(|path| format!("{path}-turn"));
        Turn(path.and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok()))
    }

    fn begin(&self, db: &Connection) -> rusqlite::Result<()> {
        let locked = self.0.as_ref().filter(|file| file.lock().is_ok());
        let began = Instant::now();
        let begun = loop {
            match db.execute_batch("BEGIN IMMEDIATE") {
                // Asked again soon: a commit takes a few milliseconds, and others wait behind whoever waits here.
                Err(e)
                    if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && began.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(Duration::from_micros(250));
                }
                other => break other,
            }
        };
        if let Some(file) = locked {
            let _ = file.unlock();
        }
        begun
    }
}

/// How long another process may keep the write lock.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "INSERT INTO link VALUES (randomblob(32), 'x', 0)";
    const COUNT: &str = "SELECT count(*) FROM link";

    /// What another process would read, now.
    fn committed(path: &Path) -> i64 {
        Connection::open(path).unwrap().query_row(COUNT, [], |r| r.get(0)).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_job_that_runs_alone_reads_nothing_that_could_still_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let writer = Writer::start(&path).unwrap();
        let (begun, wait_begun) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let (place, reader) = (path.clone(), path.clone());
        // All of them queue up while the first is at work, so that they would share its transaction.
        let jobs = async {
            let hold = writer.run(move |_| {
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            });
            let write = || writer.run(|db| db.execute(WRITE, []));
            let shared = writer
                .run(move |db| Ok((db.query_row(COUNT, [], |r| r.get::<_, i64>(0))?, committed(&place))));
            let alone = writer.run_alone(move |db| {
                Ok((db.query_row(COUNT, [], |r| r.get::<_, i64>(0))?, committed(&reader)))
            });
            let after = async {
                tokio::task::spawn_blocking(move || wait_begun.recv().unwrap()).await.unwrap();
                go.send(()).unwrap();
            };
            tokio::join!(hold, write(), shared, alone, write(), after)
        };
        let (_, _, shared, alone, _, ()) = jobs.await;
        assert_eq!(shared.unwrap(), (1, 0), "jobs that share a commit see each other before it");
        assert_eq!(alone.unwrap(), (1, 1));
        assert_eq!(committed(&path), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_writer_that_has_much_to_do_lets_another_have_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let (busy, other) = (Writer::start(&path).unwrap(), Writer::start(&path).unwrap());
        let many: Vec<_> = (0..200)
            .map(|_| {
                let busy = busy.clone();
                tokio::spawn(async move {
                    busy.run_alone(|db| {
                        std::thread::sleep(Duration::from_millis(5));
                        db.execute(WRITE, [])
                    })
                    .await
                })
            })
            .collect();
        while committed(&path) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut turns = 0;
        while committed(&path) < 150 {
            other.run(|db| db.execute(WRITE, [])).await.unwrap();
            turns += 1;
        }
        assert!(turns >= 30, "{turns} turns beside 150");
        for job in many {
            job.await.unwrap().unwrap();
        }
    }
}
