//! The journal: one entry for every change of a run, each carrying the digest of the one before it.

use super::JournalEntry;
use crate::digest::Blake3;
use rusqlite::{Connection, params};

/// One entry, before it knows its place in the chain.
pub(super) struct Entry<'a> {
    pub run: &'a Blake3,
    /// `admitted`, `again`, `step`, `split`, `send`, `later`, `refused`, `parked`, `receipted`, `dead`, `reopened`,
    /// `let-go`; and what a person did to a parcel: `held`, `released`, `retried`, `redriven`, `cancelled`.
    pub kind: &'a str,
    pub step: u32,
    pub input: Blake3,
    pub output: Blake3,
    pub at: i64,
    pub worker: &'a str,
}

/// Appends an entry to its run's chain.
pub(super) fn append(db: &Connection, entry: &Entry<'_>) -> rusqlite::Result<()> {
    let last: Option<(u32, Vec<u8>)> = db
        .prepare_cached("SELECT entry, digest FROM journal WHERE run = ?1 ORDER BY entry DESC LIMIT 1")?
        .query_row([&entry.run.0[..]], |row| Ok((row.get(0)?, row.get(1)?)))
        .map(Some)
        .or_else(|e| if e == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(e) })?;
    let (number, prev) = match last {
        Some((number, digest)) => (number + 1, digest),
        None => (0, vec![0; 32]),
    };
    let digest = chain_digest(entry, number, &prev);
    db.prepare_cached("INSERT INTO journal VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?.execute(params![
        &entry.run.0[..],
        number,
        entry.kind,
        entry.step,
        &entry.input.0[..],
        &entry.output.0[..],
        entry.at,
        entry.worker,
        prev,
        &digest.0[..],
    ])?;
    db.prepare_cached("UPDATE run SET journal = ?2 WHERE id = ?1")?
        .execute([&entry.run.0[..], &digest.0[..]])?;
    Ok(())
}

/// The whole chain of one run, as it stands.
pub(super) fn chain(db: &Connection, run: &Blake3) -> rusqlite::Result<Vec<JournalEntry>> {
    db.prepare(
        "SELECT run, entry, kind, step, input, output, at, worker, prev, digest FROM journal WHERE run = ?1
         ORDER BY entry",
    )?
    .query_map([&run.0[..]], |row| {
        Ok(JournalEntry {
            run: blake3(row.get(0)?),
            entry: row.get(1)?,
            kind: row.get(2)?,
            step: row.get(3)?,
            input: blake3(row.get(4)?),
            output: blake3(row.get(5)?),
            at: row.get(6)?,
            worker: row.get(7)?,
            prev: blake3(row.get(8)?),
            digest: blake3(row.get(9)?),
        })
    })?
    .collect()
}

/// Walks every chain; gives the number of entries, or the first place where one does not hold.
pub(super) fn check(db: &Connection) -> rusqlite::Result<Result<u64, String>> {
    let mut rows = db.prepare("SELECT run, entry, kind, step, input, output, at, worker, prev, digest FROM journal ORDER BY run, entry")?;
    let mut rows = rows.query([])?;
    let mut count = 0;
    let mut last: Option<(Blake3, u32, Vec<u8>)> = None;
    let mut ends = std::collections::HashMap::new();
    while let Some(row) = rows.next()? {
        let (run, number) = (blake3(row.get(0)?), row.get::<_, u32>(1)?);
        let kind: String = row.get(2)?;
        let worker: String = row.get(7)?;
        let (prev, digest): (Vec<u8>, Vec<u8>) = (row.get(8)?, row.get(9)?);
        let entry = Entry {
            run: &run,
            kind: &kind,
            step: row.get(3)?,
            input: blake3(row.get(4)?),
            output: blake3(row.get(5)?),
            at: row.get(6)?,
            worker: &worker,
        };
        let (want_number, want_prev) = match &last {
            Some((r, n, d)) if *r == run => (n + 1, d.clone()),
            _ => (0, vec![0; 32]),
        };
        if number != want_number || prev != want_prev || digest != chain_digest(&entry, number, &prev).0 {
            return Ok(Err(format!("run {}, entry {number}", run.short())));
        }
        // Of a parcel or a reading, not of the record.
        if !OF_OTHERS.contains(&kind.as_str()) {
            ends.insert(run, (entry.output, digest.clone()));
        } else if let Some((_, end)) = ends.get_mut(&run) {
            end.clone_from(&digest);
        }
        last = Some((run, number, digest));
        count += 1;
    }
    // A chain cut at its tail is whole in itself: the run's own row says what its last entry must be.
    let mut runs = db.prepare("SELECT id, record, journal FROM run")?;
    let mut runs = runs.query([])?;
    while let Some(row) = runs.next()? {
        let (run, record): (_, Vec<u8>) = (blake3(row.get(0)?), row.get(1)?);
        let end = row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default();
        if ends.remove(&run) != Some((Blake3::of(&record), end)) {
            return Ok(Err(format!("run {}: its row does not agree with its last entry", run.short())));
        }
    }
    match ends.keys().next() {
        Some(run) => Ok(Err(format!("run {}: its row is gone", run.short()))),
        None => Ok(Ok(count)),
    }
}

/// Kinds of entries whose digests are not of the run's record.
const OF_OTHERS: [&str; 8] =
    ["receipted", "dead", "let-go", "held", "released", "retried", "redriven", "cancelled"];

/// A 32-byte column.
pub(super) fn blake3(bytes: Vec<u8>) -> Blake3 {
    Blake3(bytes.try_into().unwrap_or([0; 32]))
}

fn chain_digest(e: &Entry<'_>, number: u32, prev: &[u8]) -> Blake3 {
    Blake3::of_parts(
        "hoso journal v1",
        &[
            &e.run.0,
            &number.to_be_bytes(),
            e.kind.as_bytes(),
            &e.step.to_be_bytes(),
            &e.input.0,
            &e.output.0,
            &e.at.to_be_bytes(),
            e.worker.as_bytes(),
            prev,
        ],
    )
}
