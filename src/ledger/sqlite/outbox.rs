//! The outbox in SQL: what leaves the house, each thing once.

use super::runs::report;
use super::{consent, readings, token};
use crate::digest::{Blake3, Sha256};
use crate::ledger::journal::{self, Entry};
use crate::ledger::{NewParcel, ParcelKey, ParcelLease, ParcelSettlement};
use rusqlite::{Connection, OptionalExtension, Result, params};

/// Puts a parcel into the outbox. One that is known is shared: two runs that make the same thing send it once.
pub(super) fn post(db: &Connection, run: &Blake3, parcel: &NewParcel, now: i64) -> Result<()> {
    let new = insert(db, parcel, now)?;
    db.prepare_cached("INSERT OR IGNORE INTO parcel_of VALUES (?1, ?2)")?
        .execute(params![&run.0[..], &parcel.id.0[..]])?;
    if new {
        consent::on_post(db, &parcel.id, &parcel.recipient, &parcel.body, now)?;
    }
    Ok(())
}

/// The parcel alone; `false` where it is known.
pub(super) fn insert(db: &Connection, parcel: &NewParcel, now: i64) -> Result<bool> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO parcel (id, recipient, body, state, due, subject, posted_at)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?4)",
    )?
    .execute(params![&parcel.id.0[..], parcel.recipient, parcel.body, now, parcel.subject])
    .map(|rows| rows == 1)
}

pub(super) fn claim(
    db: &Connection,
    worker: &str,
    n: usize,
    now: i64,
    until: i64,
) -> Result<Vec<ParcelLease>> {
    let ids: Vec<Vec<u8>> = db
        .prepare_cached(
            "SELECT id FROM parcel p WHERE state IN ('pending', 'leased') AND due <= ?1
               AND (state='pending' OR lease_until < ?1)
               AND NOT EXISTS (SELECT 1 FROM parcel o WHERE o.subject = p.subject AND o.state IN ('pending', 'leased')
                               AND (o.posted_at, o.id) < (p.posted_at, p.id))
             ORDER BY due, id LIMIT ?2",
        )?
        .query_map(params![now, i64::try_from(n).unwrap_or(1)], |r| r.get(0))?
        .collect::<Result<_>>()?;
    ids.into_iter()
        .map(|id| {
            let token = token()?;
            db.prepare_cached(
                "UPDATE parcel SET state='leased', lease_token=?2, lease_until=?3, lease_owner=?5, attempts=attempts+1,
                 first_at=coalesce(first_at, ?4) WHERE id=?1 RETURNING recipient, body, attempts-1, first_at, progress",
            )?
            .query_row(params![id, &token[..], until, now, worker], |r| {
                Ok(ParcelLease {
                    key: ParcelKey { id: sha256(id.clone()), token },
                    recipient: r.get(0)?,
                    body: r.get(1)?,
                    attempts: r.get(2)?,
                    first_at: r.get(3)?,
                    progress: r.get(4)?,
                })
            })
        })
        .collect()
}

pub(super) fn renew(db: &Connection, key: &ParcelKey, until: i64) -> Result<bool> {
    db.prepare_cached("UPDATE parcel SET lease_until=?3 WHERE id=?1 AND state='leased' AND lease_token=?2")?
        .execute(params![&key.id.0[..], &key.token[..], until])
        .map(|rows| rows == 1)
}

pub(super) fn settle(
    db: &Connection,
    key: &ParcelKey,
    worker: &str,
    outcome: &ParcelSettlement,
    now: i64,
) -> Result<bool> {
    let progress = match outcome {
        ParcelSettlement::Later { progress, .. } => progress.clone(),
        _ => None,
    };
    let rest = matches!(outcome, ParcelSettlement::Rest { .. });
    let (state, due, receipt, reason) = match outcome {
        ParcelSettlement::Rest { due } => ("pending", *due, None, None),
        ParcelSettlement::Receipted(receipt) => ("receipted", now, Some(receipt.0.to_vec()), None),
        ParcelSettlement::Later { due, reason, .. } => ("pending", *due, None, Some(report(reason))),
        ParcelSettlement::Dead(reason) => ("dead", now, None, Some(report(reason))),
    };
    let held = db
        .prepare_cached(
            "UPDATE parcel SET state=?3, due=?4, receipt=?5, reason=iif(?7, reason, ?6), attempts=attempts-?7,
             lease_token=NULL, lease_until=NULL, progress=coalesce(?8, progress)
             WHERE id=?1 AND ((state='leased' AND lease_token=?2) OR (?3='receipted' AND state<>'receipted'))",
        )?
        .execute(params![&key.id.0[..], &key.token[..], state, due, receipt, reason, rest, progress])?;
    if held == 0 {
        return Ok(false);
    }
    if state == "pending" {
        return Ok(true);
    }
    let runs: Vec<Vec<u8>> = db
        .prepare_cached("SELECT run FROM parcel_of WHERE parcel=?1")?
        .query_map([&key.id.0[..]], |r| r.get(0))?
        .collect::<Result<_>>()?;
    for run in runs {
        let run = journal::blake3(run);
        let output = receipt.clone().map_or(Blake3([0; 32]), journal::blake3);
        let cursor = db.query_row("SELECT cursor FROM run WHERE id=?1", [&run.0[..]], |r| r.get(0))?;
        journal::append(
            db,
            &Entry { run: &run, kind: state, step: cursor, input: Blake3(key.id.0), output, at: now, worker },
        )?;
        finish_run(db, &run, worker, now)?;
    }
    Ok(true)
}

/// Moves a sending run on when its last parcel is receipted, and parks it when all that is left is given up.
pub(super) fn finish_run(db: &Connection, run: &Blake3, worker: &str, now: i64) -> Result<()> {
    let (open, dead): (i64, i64) = db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE p.state IN ('pending','leased','held')), count(*) FILTER (WHERE p.state IN ('dead','cancelled'))
             FROM parcel_of o JOIN parcel p ON p.id=o.parcel WHERE o.run=?1",
        )?
        .query_row([&run.0[..]], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let held: Option<(u32, u32, Vec<u8>)> = db
        .prepare_cached(
            "SELECT cursor, steps, record FROM run WHERE id=?1 AND (state='sending'
             OR (state='parked' AND EXISTS (SELECT 1 FROM parcel_of WHERE run=?1)))",
        )?
        .query_row([&run.0[..]], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((cursor, steps, record)) = held else { return Ok(()) };
    if open > 0 {
        return Ok(());
    }
    let same = Blake3::of(&record);
    let enter = |kind| {
        journal::append(db, &Entry { run, kind, step: cursor, input: same, output: same, at: now, worker })
    };
    if dead > 0 {
        db.execute(
            "UPDATE run SET state='parked', reason=(SELECT p.reason FROM parcel_of o JOIN parcel p ON p.id=o.parcel
             WHERE o.run=?1 AND p.state IN ('dead','cancelled') ORDER BY p.state DESC, p.id LIMIT 1) WHERE id=?1",
            [&run.0[..]],
        )?;
        return enter("parked");
    }
    let state = if cursor + 1 >= steps { "done" } else { "ready" };
    if state == "done" {
        readings::ended(db, run, now)?;
    }
    db.execute(
        "UPDATE run SET state=?2, cursor=?3, due=?4, reason=NULL, published=0 WHERE id=?1",
        params![&run.0[..], state, cursor + 1, now],
    )?;
    enter("step")
}

pub(super) fn sha256(bytes: Vec<u8>) -> Sha256 {
    Sha256(bytes.try_into().unwrap_or([0; 32]))
}
