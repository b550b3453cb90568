//! Chip readings in SQL: which run names which one, what for, and which may go (ARCHITECTURE, "What is let go of").
//!
//! A row is `held` while its run has steps to take, `kept` where the pipeline says so, `leaving` when neither. A file is
//! removed when every row that names it is `leaving`.

use crate::blobs::Blobs;
use crate::digest::Blake3;
use crate::fault::{Fault, Outcome};
use crate::ledger::journal::{self, Entry, blake3};
use crate::ledger::{READING_GONE, Wanted};
use rusqlite::{Connection, Result, params};
use std::time::Duration;

/// What a run wants from now on; what it named before and wants no more is leaving. `ended`: no step will ask again.
pub(super) fn want(db: &Connection, run: &Blake3, wanted: &[Wanted], ended: bool, now: i64) -> Result<()> {
    db.prepare_cached("UPDATE reading SET state='leaving', since=?2 WHERE run=?1 AND state<>'leaving'")?
        .execute(params![&run.0[..], now])?;
    for Wanted { reading, kept } in wanted {
        let state = match (kept, ended) {
            (true, _) => "kept",
            (false, false) => "held",
            (false, true) => "leaving",
        };
        db.prepare_cached(
            "INSERT INTO reading VALUES (?1, ?2, ?3, ?4) ON CONFLICT (run, reading) DO UPDATE SET state=?3, since=?4",
        )?
        .execute(params![&run.0[..], &reading.0[..], state, now])?;
    }
    Ok(())
}

/// The run has ended without a word about its readings: no step will ask for them.
pub(super) fn ended(db: &Connection, run: &Blake3, now: i64) -> Result<()> {
    db.prepare_cached("UPDATE reading SET state='leaving', since=?2 WHERE run=?1 AND state='held'")?
        .execute(params![&run.0[..], now])
        .map(|_| ())
}

/// Readings that were stored for a run that is known already and does not begin again: unless it still wants them, they
/// are to go as they came.
pub(super) fn unwanted(db: &Connection, run: &Blake3, readings: &[Wanted], now: i64) -> Result<()> {
    for Wanted { reading, .. } in readings {
        db.prepare_cached("INSERT OR IGNORE INTO reading VALUES (?1, ?2, 'leaving', ?3)")?
            .execute(params![&run.0[..], &reading.0[..], now])?;
    }
    Ok(())
}

/// Whether every reading lies in the store, under the write lock of the transaction that this is asked in. Between its
/// being stored and this moment another worker may have let go of the same bytes, which an earlier run had named; from
/// this moment on the row that the transaction writes holds them.
pub(super) fn all_stand<'a>(store: &Blobs, wanted: impl Iterator<Item = &'a Wanted>) -> Outcome<()> {
    for Wanted { reading, .. } in wanted {
        if !store.stands(reading)? {
            return Err(Fault::new(&READING_GONE).at(reading.short()));
        }
    }
    Ok(())
}

/// Removes what every row calls leaving; gives how many files, and why it ended early.
///
/// To be run alone in its transaction. Then all it reads was committed before it began, and a commit is visible only
/// after it was flushed (`synchronous=FULL`): no row can fall back to `held` after its file is gone, neither by a power
/// cut nor by a commit that fails. The write lock keeps every admission, of this process and of others, before or after
/// it as a whole. Where this transaction itself is lost after a removal, the rows still say `leaving`, and removing what
/// is gone is no fault.
pub(super) fn let_go(
    db: &Connection,
    store: &Blobs,
    worker: &str,
    now: i64,
) -> Result<(usize, Option<Fault>)> {
    let leaving: Vec<Vec<u8>> = db
        .prepare_cached(
            "SELECT DISTINCT reading FROM reading l WHERE state='leaving'
             AND NOT EXISTS (SELECT 1 FROM reading o WHERE o.reading=l.reading AND o.state<>'leaving') LIMIT ?1",
        )?
        .query_map([AT_ONCE], |r| r.get(0))?
        .collect::<Result<_>>()?;
    let (mut count, mut why) = (0, None);
    for reading in leaving {
        let reading = blake3(reading);
        // One that cannot be removed does not keep the others.
        match store.remove(&reading) {
            Ok(()) => gone(db, &reading, worker, now)?,
            Err(fault) => {
                why = Some(fault);
                continue;
            }
        }
        count += 1;
    }
    Ok((count, why))
}

/// Removes what was stored and never admitted: a crash came between the two. As [`let_go`], alone.
pub(super) fn let_go_of_strays(db: &Connection, store: &Blobs) -> Result<Outcome<usize>> {
    let old = match store.older_than(STRAY) {
        Ok(old) => old,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut count = 0;
    for reading in old {
        let named: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM reading WHERE reading=?1)")?
            .query_row([&reading.0[..]], |r| r.get(0))?;
        if !named {
            if let Err(fault) = store.remove(&reading) {
                return Ok(Err(fault));
            }
            count += 1;
        }
    }
    Ok(Ok(count))
}

/// Says in the journal of every run that named it that the reading is gone.
fn gone(db: &Connection, reading: &Blake3, worker: &str, now: i64) -> Result<()> {
    let runs: Vec<(Vec<u8>, u32)> = db
        .prepare_cached("SELECT r.run, cursor FROM reading r JOIN run ON run.id = r.run WHERE r.reading=?1")?
        .query_map([&reading.0[..]], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_>>()?;
    for (run, step) in runs {
        let run = blake3(run);
        let entry = Entry {
            run: &run,
            kind: "let-go",
            step,
            input: *reading,
            output: Blake3([0; 32]),
            at: now,
            worker,
        };
        journal::append(db, &entry)?;
    }
    db.prepare_cached("DELETE FROM reading WHERE reading=?1")?.execute([&reading.0[..]]).map(|_| ())
}

/// How many files go in one transaction: each costs a flush, and others wait for the lock.
const AT_ONCE: i64 = 16;
/// From when on a file without a row is nobody's. Between storing and admitting a batch lie seconds, or minutes for a
/// large one; one that takes longer is told `LEDG-004` and stores it again.
const STRAY: Duration = Duration::from_secs(3600);
