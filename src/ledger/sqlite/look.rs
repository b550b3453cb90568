//! Looking at the ledger from beside it, over connections that only read: who asks often must not stand in the writer's way.

use super::views;
use crate::digest::Blake3;
use crate::fault::{Fault, Outcome};
use crate::ledger::{RunId, RunView, State, UNAVAILABLE};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A ledger that is looked at. Everything here blocks.
#[derive(Debug, Clone)]
pub struct Look {
    path: PathBuf,
    readers: Arc<Mutex<Vec<Connection>>>,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs by the word of their state.
    pub runs: Vec<(String, u64)>,
    /// Parcels by recipient and the word of their state.
    pub parcels: Vec<(String, String, u64)>,
    /// When the oldest run that waits or works was admitted (ms).
    pub oldest_run: Option<i64>,
    /// By recipient, when its oldest parcel that is on its way was posted (ms).
    pub oldest_parcel: Vec<(String, i64)>,
}

impl Look {
    /// At the ledger in a file that is there.
    pub fn at(path: &Path) -> Self {
        Look { path: path.to_owned(), readers: Arc::default() }
    }

    /// How much there is of everything.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn counts(&self) -> Outcome<Counts> {
        self.read(|db| {
            let number = |r: &Row<'_>, at: usize| r.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok(Counts {
                runs: rows(db, "SELECT state, count(*) FROM run GROUP BY state", |r| Ok((r.get(0)?, number(r, 1)?)))?,
                parcels: rows(db, "SELECT recipient, state, count(*) FROM parcel GROUP BY recipient, state", |r| {
                    Ok((r.get(0)?, r.get(1)?, number(r, 2)?))
                })?,
                oldest_run: db.query_row(
                    "SELECT min(admitted_at) FROM run WHERE state IN ('ready', 'leased', 'sending', 'parked')",
                    [],
                    |r| r.get(0),
                )?,
                oldest_parcel: rows(
                    db,
                    "SELECT recipient, min(posted_at) FROM parcel WHERE state IN ('pending', 'leased') GROUP BY recipient",
                    |r| Ok((r.get(0)?, r.get(1)?)),
                )?,
            })
        })
    }

    /// Whether it can be read.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn ready(&self) -> Outcome<()> {
        self.read(|db| db.query_row("SELECT count(*) FROM (SELECT 1 FROM run LIMIT 1)", [], |_| Ok(())))
    }

    /// One run.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn run(&self, id: RunId) -> Outcome<Option<RunView>> {
        self.read(|db| views::select(db, &format!("id = x'{id}'"), 1).map(|mut runs| runs.pop()))
    }

    /// Runs in one state, or in any, whose identity comes after `after`, in the order of identities; with `below`, only those and
    /// what they were divided into.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn page(
        &self,
        state: Option<State>,
        after: Option<RunId>,
        below: Option<&[RunId]>,
        most: u32,
    ) -> Outcome<Vec<RunView>> {
        let state = state.map_or(String::new(), |state| format!(" AND state = '{}'", state.as_str()));
        let after = after.map_or(String::new(), |id| format!(" AND id > x'{id}'"));
        let condition = match below {
            None => format!("1=1{state}{after}"),
            Some(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("(x'{id}')")).collect();
                let ids = if ids.is_empty() { "(NULL)".to_owned() } else { ids.join(",") };
                format!(
                    "id IN (WITH RECURSIVE mine(id) AS (VALUES {ids} UNION SELECT r.id FROM run r JOIN mine ON r.parent = mine.id)
                     SELECT id FROM mine){state}{after}"
                )
            }
        };
        self.read(|db| {
            // The view is in the order of admission, and pages have to be in one that no new run disturbs.
            let sql = format!("SELECT id FROM run WHERE {condition} ORDER BY id LIMIT {most}");
            let ids: Vec<Vec<u8>> = rows(db, &sql, |r| r.get(0))?;
            let ids: Vec<String> = ids.iter().map(|id| format!("x'{}'", hex::encode(id))).collect();
            let mut runs = views::select(db, &format!("id IN ({})", ids.join(",")), -1)?;
            runs.sort_by_key(|run| run.id);
            Ok(runs)
        })
    }

    /// Whether a run is among these, or was divided off one of them.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn descends(&self, run: RunId, from: &[RunId]) -> Outcome<bool> {
        self.read(|db| {
            let mut up = db.prepare_cached("SELECT parent FROM run WHERE id = ?1")?;
            let mut at = Some(run);
            for _ in 0..DEEPEST {
                let Some(id) = at else { return Ok(false) };
                if from.contains(&id) {
                    return Ok(true);
                }
                let parent: Option<Option<Vec<u8>>> = up.query_row([&id.0[..]], |r| r.get(0)).optional()?;
                at = parent.flatten().and_then(|bytes| bytes.try_into().ok()).map(Blake3);
            }
            Ok(false)
        })
    }

    fn read<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Outcome<T> {
        let failed = |e: rusqlite::Error| Fault::new(&UNAVAILABLE).detail(e);
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match kept {
            Some(db) => db,
            None => open(&self.path).map_err(failed)?,
        };
        let result = job(&db).map_err(failed);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        result
    }
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(sql)?.query_map([], read)?.collect()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: a reader of a file in WAL mode may have to make its index.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.execute_batch("PRAGMA busy_timeout=10000; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
    Ok(db)
}

/// How often a run can have been divided.
const DEEPEST: usize = 16;
