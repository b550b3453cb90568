//! The four verbs of a run in SQL.

use super::{readings, token};
use crate::digest::Blake3;
use crate::fault::Report;
use crate::ledger::journal::{self, Entry, blake3};
use crate::ledger::{Admission, Lane, Lease, LeaseKey, NewRun, Settlement, State, StepRecord, schema};
use rusqlite::{Connection, OptionalExtension, Result, params};

pub(super) fn admit(db: &Connection, new: &NewRun, now: i64) -> Result<Admission> {
    let known: Option<(String, String)> = db
        .prepare_cached("SELECT source, state FROM run WHERE id = ?1")?
        .query_row([&new.id.0[..]], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    if let Some((source, state)) = known {
        if source == new.source {
            let state = State::parse(&state).unwrap_or(State::Parked);
            let taken_up = again(db, new, state, now)?;
            if !taken_up {
                readings::unwanted(db, &new.id, &new.readings, now)?;
            }
            return Ok(Admission::Again(if taken_up { State::Ready } else { state }));
        }
        readings::unwanted(db, &new.id, &new.readings, now)?;
        db.prepare_cached("INSERT OR IGNORE INTO link VALUES (?1, ?2, ?3)")?.execute(params![
            &new.id.0[..],
            new.source,
            now
        ])?;
        return Ok(Admission::Duplicate(source));
    }
    db.prepare_cached(
        "INSERT INTO run (id, label, code, source, pipeline, pipeline_digest, cursor, steps, lane, state, due, record, parent, admitted_at, reason)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?11,?14)",
    )?
    .execute(params![
        &new.id.0[..],
        new.label,
        new.code,
        new.source,
        new.pipeline,
        &new.pipeline_digest.0[..],
        new.cursor,
        new.steps,
        new.lane as i64,
        match &new.refused {
            Some(_) => "refused",
            None if new.cursor >= new.steps => "done",
            None => "ready",
        },
        now,
        new.record,
        new.parent.map(|p| p.0.to_vec()),
        new.refused.as_ref().map(report),
    ])?;
    let ended = new.refused.is_some() || new.cursor >= new.steps;
    readings::want(db, &new.id, &new.readings, ended, now)?;
    journal::append(
        db,
        &Entry {
            run: &new.id,
            kind: if new.refused.is_some() { "refused" } else { "admitted" },
            step: new.cursor,
            input: new.pipeline_digest,
            output: Blake3::of(&new.record),
            at: now,
            worker: "intake",
        },
    )?;
    Ok(Admission::New)
}

/// Whoever hands in again what was refused wants it judged again: under today's pipeline, by today's program, with
/// today's anchors. The same goes for a batch of which a part was refused; its other parts are known and stay as they
/// are. What is still refused from the start stays so.
fn again(db: &Connection, new: &NewRun, state: State, now: i64) -> Result<bool> {
    let wanted = match state {
        _ if new.refused.is_some() => false,
        State::Refused => true,
        State::Split => db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM run WHERE parent=?1 AND state='refused')")?
            .query_row([&new.id.0[..]], |r| r.get(0))?,
        _ => false,
    };
    if wanted {
        db.prepare_cached(
            "UPDATE run SET state='ready', label=?2, code=?3, pipeline_digest=?4, cursor=?5, steps=?6, lane=?7, record=?8,
             due=?9, reason=NULL, attempts=0, setbacks=0 WHERE id=?1",
        )?
        .execute(params![
            &new.id.0[..],
            new.label,
            new.code,
            &new.pipeline_digest.0[..],
            new.cursor,
            new.steps,
            new.lane as i64,
            new.record,
            now
        ])?;
        readings::want(db, &new.id, &new.readings, false, now)?;
        let output = Blake3::of(&new.record);
        let entry = Entry {
            run: &new.id,
            kind: "again",
            step: new.cursor,
            input: new.pipeline_digest,
            output,
            at: now,
            worker: "intake",
        };
        journal::append(db, &entry)?;
    }
    Ok(wanted)
}

pub(super) fn claim(db: &Connection, worker: &str, n: usize, now: i64, until: i64) -> Result<Vec<Lease>> {
    let ids: Vec<Vec<u8>> = db
        .prepare_cached(schema::CLAIMABLE)?
        .query_map(params![now, i64::try_from(n).unwrap_or(1)], |r| r.get(0))?
        .collect::<Result<_>>()?;
    let mut leases: Vec<Lease> = Vec::with_capacity(ids.len());
    for id in ids {
        let token = token()?;
        // Two runs of one dossier may both be due: the second of them fails this look and waits.
        let lease = db
            .prepare_cached(
                "UPDATE run SET state='leased', lease_token=?2, lease_until=?3, lease_owner=?5, attempts=attempts+1 WHERE id=?1
                   AND (code IS NULL OR NOT EXISTS
                        (SELECT 1 FROM run o WHERE o.code=run.code AND o.state='leased' AND o.lease_until>=?4 AND o.id<>run.id))
                 RETURNING label, pipeline, pipeline_digest, cursor, steps, attempts, setbacks, lane, record",
            )?
            .query_row(params![id, &token[..], until, now, worker], |r| {
                Ok(Lease {
                    key: LeaseKey { run: blake3(id.clone()), token },
                    label: r.get(0)?,
                    pipeline: r.get(1)?,
                    pipeline_digest: blake3(r.get(2)?),
                    cursor: r.get(3)?,
                    steps: r.get(4)?,
                    attempts: r.get(5)?,
                    setbacks: r.get(6)?,
                    lane: lane(r.get(7)?),
                    record: r.get(8)?,
                })
            })
            .optional()?;
        leases.extend(lease);
    }
    Ok(leases)
}

/// A lease that lapsed is not taken back while another run of the dossier is in other hands.
pub(super) fn renew(db: &Connection, key: &LeaseKey, now: i64, until: i64) -> Result<bool> {
    db.prepare_cached(
        "UPDATE run SET lease_until=?3 WHERE id=?1 AND state='leased' AND lease_token=?2
           AND (code IS NULL OR NOT EXISTS
                (SELECT 1 FROM run o WHERE o.code=run.code AND o.state='leased' AND o.lease_until>=?4 AND o.id<>run.id))",
    )?
    .execute(params![&key.run.0[..], &key.token[..], until, now])
    .map(|rows| rows == 1)
}

pub(super) fn settle(
    db: &Connection,
    key: &LeaseKey,
    worker: &str,
    outcome: &Settlement,
    now: i64,
) -> Result<bool> {
    let held: Option<(u32, u32, Vec<u8>)> = db
        .prepare_cached(
            "SELECT cursor, steps, record FROM run WHERE id=?1 AND state='leased' AND lease_token=?2",
        )?
        .query_row(params![&key.run.0[..], &key.token[..]], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((cursor, steps, before)) = held else { return Ok(false) };
    let input = Blake3::of(&before);
    let enter = |kind: &str, output: Blake3| {
        journal::append(db, &Entry { run: &key.run, kind, step: cursor, input, output, at: now, worker })
    };
    match outcome {
        Settlement::Done(made) => {
            let state = if cursor + 1 >= steps { State::Done } else { State::Ready };
            advance(db, key, made, cursor + 1, state, now)?;
            readings::want(db, &key.run, &made.readings, state == State::Done, now)?;
            enter("step", Blake3::of(&made.record))?;
        }
        Settlement::Split(made, children) => {
            for child in children {
                admit(db, child, now)?;
            }
            advance(db, key, made, cursor + 1, State::Split, now)?;
            // The children hold what they were given.
            readings::want(db, &key.run, &made.readings, true, now)?;
            enter("split", Blake3::of(&made.record))?;
        }
        Settlement::Send(made, parcels) => {
            advance(db, key, made, cursor, State::Sending, now)?;
            readings::want(db, &key.run, &made.readings, false, now)?;
            enter("send", Blake3::of(&made.record))?;
            for parcel in parcels {
                super::outbox::post(db, Some(&key.run), parcel, now)?;
            }
            super::outbox::finish_run(db, &key.run, worker, now)?;
        }
        Settlement::Later { made, after_ms, reason } => {
            if let Some(made) = made {
                db.prepare_cached("UPDATE run SET record=?2, work_ms=work_ms+?3 WHERE id=?1")?.execute(
                    params![&key.run.0[..], made.record, i64::try_from(made.took_ms).unwrap_or(0)],
                )?;
            }
            db.prepare_cached(
                "UPDATE run SET state='ready', lease_token=NULL, lease_until=NULL, due=?2, reason=?3, attempts=0,
                 setbacks=setbacks+1 WHERE id=?1",
            )?
            .execute(params![&key.run.0[..], now + after_ms, report(reason)])?;
            enter("later", made.as_ref().map_or(input, |m| Blake3::of(&m.record)))?;
        }
        Settlement::Refused(made, reason) => {
            match made {
                Some(made) => {
                    advance(db, key, made, cursor, State::Refused, now)?;
                    readings::want(db, &key.run, &made.readings, true, now)?;
                }
                None => readings::ended(db, &key.run, now)?,
            }
            stop(db, key, State::Refused, reason)?;
            enter("refused", made.as_ref().map_or(input, |m| Blake3::of(&m.record)))?;
        }
        Settlement::Parked(reason) => {
            stop(db, key, State::Parked, reason)?;
            enter("parked", input)?;
        }
    }
    Ok(true)
}

/// Makes the leases of dead workers lapse at once, so that a restart need not wait for them.
pub(super) fn release(db: &Connection, alive: impl Fn(&str) -> bool) -> Result<()> {
    for table in ["run", "parcel"] {
        let owners: Vec<String> = db
            .prepare(&format!(
                "SELECT DISTINCT lease_owner FROM {table} WHERE state='leased' AND lease_owner IS NOT NULL"
            ))?
            .query_map([], |r| r.get(0))?
            .collect::<Result<_>>()?;
        for owner in owners.iter().filter(|o| !alive(o)) {
            db.execute(
                &format!("UPDATE {table} SET lease_until=0 WHERE state='leased' AND lease_owner=?1"),
                [owner],
            )?;
        }
    }
    Ok(())
}

/// Puts parked runs, and the parked ones that were divided from them, back to work: a person has acted. Gives how
/// many.
pub(super) fn reopen(db: &Connection, runs: &[Blake3], now: i64) -> Result<usize> {
    let mut count = 0;
    let mut all = runs.to_vec();
    for run in runs {
        let mut children = db.prepare_cached("SELECT id FROM run WHERE parent=?1 AND state='parked'")?;
        let children = children.query_map([&run.0[..]], |r| r.get(0))?.collect::<Result<Vec<Vec<u8>>>>()?;
        all.extend(children.into_iter().map(blake3));
    }
    for run in &all {
        let held: Option<(u32, Vec<u8>, i64)> = db
            .query_row(
                "SELECT cursor, record, (SELECT count(*) FROM parcel_of o JOIN parcel p ON p.id=o.parcel WHERE o.run = run.id AND p.state='dead' AND NOT EXISTS (SELECT 1 FROM parcel n WHERE n.subject=p.subject AND n.seq>p.seq AND n.state IN ('leased', 'receipted'))) FROM run WHERE id=?1 AND state='parked'",
                [&run.0[..]],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
            )
            .optional()?;
        let Some((cursor, record, dead)) = held else { continue };
        let state = if dead > 0 { State::Sending } else { State::Ready };
        db.execute(
            "UPDATE run SET state=?2, due=?3, reason=NULL, attempts=0, setbacks=0 WHERE id=?1",
            params![&run.0[..], state.as_str(), now],
        )?;
        // One attempt stays on the books: it may have arrived, so the recipient is asked before it is sent again.
        let revived: Vec<Vec<u8>> = db
            .prepare_cached(
                "UPDATE parcel SET state='pending', due=?2, attempts=1, first_at=NULL
                 WHERE state='dead' AND id IN (SELECT parcel FROM parcel_of WHERE run=?1) AND NOT EXISTS (SELECT 1 FROM parcel n
                   WHERE n.subject=parcel.subject AND n.seq>parcel.seq AND n.state IN ('leased', 'receipted')) RETURNING id",
            )?
            .query_map(params![&run.0[..], now], |r| r.get(0))?
            .collect::<Result<_>>()?;
        for parcel in revived {
            super::consent::hold_unless_allowed(db, &super::outbox::sha256(parcel), "operator", now)?;
        }
        let same = Blake3::of(&record);
        journal::append(
            db,
            &Entry {
                run,
                kind: "reopened",
                step: cursor,
                input: same,
                output: same,
                at: now,
                worker: "operator",
            },
        )?;
        count += 1;
    }
    Ok(count)
}

fn advance(
    db: &Connection,
    key: &LeaseKey,
    made: &StepRecord,
    cursor: u32,
    state: State,
    now: i64,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE run SET cursor=?2, state=?3, record=?4, label=?5, code=?6, lease_token=NULL, lease_until=NULL, due=?7,
         attempts=0, setbacks=0, reason=NULL, work_ms=work_ms+?8 WHERE id=?1",
    )?
    .execute(params![
        &key.run.0[..],
        cursor,
        state.as_str(),
        made.record,
        made.label,
        made.code,
        now,
        i64::try_from(made.took_ms).unwrap_or(0)
    ])
    .map(|_| ())
}

fn stop(db: &Connection, key: &LeaseKey, state: State, reason: &Report) -> Result<()> {
    db.prepare_cached("UPDATE run SET state=?2, reason=?3, lease_token=NULL, lease_until=NULL WHERE id=?1")?
        .execute(params![&key.run.0[..], state.as_str(), report(reason)])
        .map(|_| ())
}

/// A reason as the column holds it.
pub(super) fn report(reason: &Report) -> String {
    serde_json::to_string(reason).unwrap_or_default()
}

fn lane(number: i64) -> Lane {
    match number {
        0 => Lane::Desk,
        1 => Lane::Delivery,
        _ => Lane::Backfill,
    }
}
