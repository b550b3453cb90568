//! The outbox in SQL: what leaves the house, each thing once.

use super::runs::report;
use super::{consent, readings, token};
use crate::deliver::pace::{Rooms, shares};
use crate::digest::{Blake3, Sha256};
use crate::ledger::journal::{self, Entry};
use crate::ledger::{NewParcel, ParcelKey, ParcelLease, ParcelSettlement, Queue, schema};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::collections::BTreeMap;

/// Puts a parcel into the outbox, for a run or for itself. One that is known is shared: two runs that make the same thing
/// send it once. `true` where it is new.
pub(super) fn post(db: &Connection, run: Option<&Blake3>, parcel: &NewParcel, now: i64) -> Result<bool> {
    let new = insert(db, parcel, now)?;
    if let Some(run) = run {
        db.prepare_cached("INSERT OR IGNORE INTO parcel_of VALUES (?1, ?2)")?
            .execute(params![&run.0[..], &parcel.id.0[..]])?;
    }
    if new {
        consent::on_post(db, &parcel.id, &parcel.recipient, &parcel.body, now)?;
    }
    Ok(new)
}

/// The parcel alone; `false` where it is known.
pub(super) fn insert(db: &Connection, parcel: &NewParcel, now: i64) -> Result<bool> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO parcel (id, recipient, body, state, due, subject, posted_at, seq, head)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?4, (SELECT coalesce(max(seq), 0) + 1 FROM parcel),
                 NOT EXISTS (SELECT 1 FROM parcel WHERE subject=?5 AND state IN ('pending', 'leased', 'held')))",
    )?
    .execute(params![&parcel.id.0[..], parcel.recipient, parcel.body, now, parcel.subject])
    .map(|rows| rows == 1)
}

/// Leases up to `n` parcels, shared over the recipients that have something due; of each the one that is due longest
/// first. `turn` is the recipient that was served last: where there are more of them than couriers, all come round.
pub(super) fn claim(
    db: &Connection,
    worker: &str,
    n: usize,
    rooms: &Rooms,
    turn: &mut String,
    (now, until): (i64, i64),
) -> Result<Vec<ParcelLease>> {
    db.prepare_cached(schema::LAPSED_PARCELS)?.execute(params![now, LAPSED_AT_ONCE])?;
    let mut due: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for recipient in recipients(db)? {
        let room = rooms.at(&recipient);
        let most = room.most.saturating_sub(room.on_way).min(n);
        if most > 0 {
            let ids: Vec<Vec<u8>> = db
                .prepare_cached(schema::DUE_PARCELS)?
                .query_map(params![recipient, now, i64::try_from(most).unwrap_or(i64::MAX)], |r| r.get(0))?
                .collect::<Result<_>>()?;
            due.push((recipient, ids));
        }
    }
    due.retain(|(_, ids)| !ids.is_empty());
    let after = due.partition_point(|(recipient, _)| *recipient <= *turn);
    due.rotate_left(after);
    let (room, want): (Vec<_>, Vec<_>) = due.iter().map(|(r, ids)| (rooms.at(r), ids.len())).unzip();
    let mut leases = Vec::new();
    for ((recipient, ids), share) in due.into_iter().zip(shares(n, &room, &want)) {
        for id in ids.into_iter().take(share) {
            leases.push(lease(db, worker, &id, (now, until))?);
            turn.clone_from(&recipient);
        }
    }
    Ok(leases)
}

/// Everyone that has something which may go, now or later.
fn recipients(db: &Connection) -> Result<Vec<String>> {
    let mut next = db.prepare_cached(schema::NEXT_RECIPIENT)?;
    let mut all: Vec<String> = Vec::new();
    loop {
        let before = all.last().map_or("", String::as_str);
        match next.query_row([before], |r| r.get(0)).optional()? {
            Some(recipient) => all.push(recipient),
            None => return Ok(all),
        }
    }
}

fn lease(db: &Connection, worker: &str, id: &[u8], (now, until): (i64, i64)) -> Result<ParcelLease> {
    let token = token()?;
    db.prepare_cached(
        "UPDATE parcel SET state='leased', lease_token=?2, lease_until=?3, lease_owner=?5, attempts=attempts+1,
         first_at=coalesce(first_at, ?4) WHERE id=?1 RETURNING recipient, body, attempts-1, first_at, progress",
    )?
    .query_row(params![id, &token[..], until, now, worker], |r| {
        Ok(ParcelLease {
            key: ParcelKey { id: sha256(id.to_vec()), token },
            recipient: r.get(0)?,
            body: r.get(1)?,
            attempts: r.get(2)?,
            first_at: r.get(3)?,
            progress: r.get(4)?,
        })
    })
}

pub(super) fn renew(db: &Connection, key: &ParcelKey, until: i64) -> Result<bool> {
    db.prepare_cached(
        "UPDATE parcel SET state='leased', lease_until=?3 WHERE id=?1 AND state IN ('leased', 'pending') AND lease_token=?2",
    )?
    .execute(params![&key.id.0[..], &key.token[..], until])
    .map(|rows| rows == 1)
}

/// What is held or cancelled meanwhile stays so, whatever the attempt came to; only a receipt is true of every state.
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
    let (state, due, proof, reason) = match outcome {
        ParcelSettlement::Rest { due } => ("pending", *due, None, None),
        ParcelSettlement::Receipted(proof) => ("receipted", now, Some(proof), None),
        ParcelSettlement::Later { due, reason, .. } => ("pending", *due, None, Some(report(reason))),
        ParcelSettlement::Dead(reason) => ("dead", now, None, Some(report(reason))),
    };
    let receipt = proof.map(|bytes| Blake3::of(bytes));
    // A lease that lapsed is pending and keeps its token until another courier takes it.
    let held = db
        .prepare_cached(
            "UPDATE parcel SET state=?3, due=?4, receipt=?5, proof=?9, reason=iif(?7, reason, ?6), attempts=attempts-?7,
             lease_token=NULL, lease_until=NULL, progress=coalesce(?8, progress)
             WHERE id=?1 AND ((state IN ('leased', 'pending') AND lease_token=?2) OR (?3='receipted' AND state<>'receipted'))",
        )?
        .execute(params![
            &key.id.0[..],
            &key.token[..],
            state,
            due,
            receipt.as_ref().map(|r| &r.0[..]),
            reason,
            rest,
            progress,
            proof
        ])?;
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
        let output = receipt.unwrap_or(Blake3([0; 32]));
        let cursor =
            db.prepare_cached("SELECT cursor FROM run WHERE id=?1")?.query_row([&run.0[..]], |r| r.get(0))?;
        journal::append(
            db,
            &Entry { run: &run, kind: state, step: cursor, input: Blake3(key.id.0), output, at: now, worker },
        )?;
        finish_run(db, &run, worker, now)?;
    }
    Ok(true)
}

/// Moves a sending run on when its last parcel is receipted, and parks it when all that is left is given up or
/// cancelled. What is held keeps it waiting.
pub(super) fn finish_run(db: &Connection, run: &Blake3, worker: &str, now: i64) -> Result<()> {
    let (open, given_up): (i64, i64) = db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE p.state IN ('pending','leased','held')),
                    count(*) FILTER (WHERE p.state IN ('dead','cancelled'))
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
    if given_up > 0 {
        // A dead letter says more than a parcel that somebody cancelled.
        db.prepare_cached(
            "UPDATE run SET state='parked', reason=(SELECT p.reason FROM parcel_of o JOIN parcel p ON p.id=o.parcel
             WHERE o.run=?1 AND p.state IN ('dead','cancelled') ORDER BY p.state='dead' DESC LIMIT 1) WHERE id=?1",
        )?
        .execute([&run.0[..]])?;
        return enter("parked");
    }
    let state = if cursor + 1 >= steps { "done" } else { "ready" };
    if state == "done" {
        readings::ended(db, run, now)?;
    }
    db.prepare_cached("UPDATE run SET state=?2, cursor=?3, due=?4, reason=NULL, published=0 WHERE id=?1")?
        .execute(params![&run.0[..], state, cursor + 1, now])?;
    enter("step")
}

/// A recipient answers again: what waits for it is due now, but for what waits behind another of its subject.
pub(super) fn wake(db: &Connection, recipient: &str, now: i64) -> Result<usize> {
    db.prepare_cached(schema::WAKE)?.execute(params![recipient, now])
}

/// Every recipient that something waits for or is on its way to, by name.
pub(super) fn queues(db: &Connection, now: i64) -> Result<Vec<Queue>> {
    let mut all: BTreeMap<String, Queue> = BTreeMap::new();
    // Each arm on an index that holds all it needs.
    for recipient in recipients(db)? {
        let mut queue = Queue { recipient: recipient.clone(), ..Queue::default() };
        (queue.due, queue.waiting, queue.next_due) = db
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE due<=?2), count(*) FILTER (WHERE due>?2), min(due) FILTER (WHERE due>?2)
                 FROM parcel WHERE state='pending' AND head=1 AND recipient=?1",
            )?
            .query_row(params![recipient, now], |r| Ok((count(r, 0)?, count(r, 1)?, r.get(2)?)))?;
        all.insert(recipient, queue);
    }
    for which in ["state='leased'", "state='pending' AND head=0", "state='held'"] {
        let mut rows = db.prepare_cached(&format!(
            "SELECT recipient, count(*) FROM parcel WHERE {which} GROUP BY recipient"
        ))?;
        for row in rows.query_map([], |r| Ok((r.get::<_, String>(0)?, count(r, 1)?)))? {
            let (recipient, count) = row?;
            let queue = all.entry(recipient.clone()).or_insert(Queue { recipient, ..Queue::default() });
            match which {
                "state='leased'" => queue.leased = count,
                "state='held'" => queue.held = count,
                _ => queue.waiting += count,
            }
        }
    }
    Ok(all.into_values().collect())
}

fn count(row: &Row<'_>, at: usize) -> Result<u64> {
    row.get::<_, i64>(at).map(i64::unsigned_abs)
}

pub(super) fn sha256(bytes: Vec<u8>) -> Sha256 {
    Sha256(bytes.try_into().unwrap_or([0; 32]))
}

/// How many parcels of dead couriers are taken back in one claim.
const LAPSED_AT_ONCE: i64 = 256;

#[cfg(test)]
mod tests;
