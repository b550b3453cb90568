//! What people and the engine ask of the ledger without changing where a run is.

use super::{SqliteLedger, outbox, runs};
use crate::digest::Sha256;
use crate::fault::Outcome;
use crate::ledger::journal::blake3;
use crate::ledger::{ParcelView, RunId, RunView, State, Tally};
use rusqlite::{Connection, Result, Row, params};

impl SqliteLedger {
    /// Every run, in the order of admission.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn runs(&self) -> Outcome<Vec<RunView>> {
        self.writer.run(|db| select(db, "1=1", -1)).await
    }

    /// The runs of one dossier code, in the order of admission.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn runs_of(&self, code: String) -> Outcome<Vec<RunView>> {
        let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        // Into the text of the statement goes nothing but letters, digits, dots and dashes.
        let condition = if plain { format!("code = '{code}'") } else { "1=0".to_owned() };
        self.writer.run(move |db| select(db, &condition, -1)).await
    }

    /// Forgets that finished runs are in `out/`, so that they are laid there again; gives how many.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn unpublish(&self) -> Outcome<usize> {
        self.writer.run(|db| db.execute("UPDATE run SET published=0 WHERE state='done'", [])).await
    }

    /// Puts parked runs back to work; gives how many.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn reopen(&self, ids: Vec<RunId>) -> Outcome<usize> {
        let now = self.clock.now_ms();
        self.writer.run(move |db| runs::reopen(db, &ids, now)).await
    }
}

pub(super) fn select(db: &Connection, condition: &str, most: i64) -> Result<Vec<RunView>> {
    let mut views: Vec<RunView> = db
        .prepare(&format!(
            "SELECT id, label, source, pipeline, state, cursor, steps, due, reason, record, parent, admitted_at, work_ms
             FROM run WHERE {condition} ORDER BY admitted_at, label, id LIMIT {most}"
        ))?
        .query_map([], view)?
        .collect::<Result<_>>()?;
    let mut parcels = db.prepare(
        "SELECT p.id, p.recipient, p.state, p.attempts, p.receipt, p.reason, p.proof FROM parcel_of o JOIN parcel p ON p.id=o.parcel
         WHERE o.run=?1 ORDER BY p.recipient, p.id",
    )?;
    for view in &mut views {
        view.parcels = parcels.query_map([&view.id.0[..]], parcel)?.collect::<Result<_>>()?;
    }
    Ok(views)
}

fn view(r: &Row<'_>) -> Result<RunView> {
    Ok(RunView {
        id: blake3(r.get(0)?),
        label: r.get(1)?,
        source: r.get(2)?,
        pipeline: r.get(3)?,
        state: State::parse(&r.get::<_, String>(4)?).unwrap_or(State::Parked),
        cursor: r.get(5)?,
        steps: r.get(6)?,
        due: r.get(7)?,
        reason: r.get::<_, Option<String>>(8)?.and_then(|t| serde_json::from_str(&t).ok()),
        record: r.get(9)?,
        parent: r.get::<_, Option<Vec<u8>>>(10)?.map(blake3),
        admitted_at: r.get(11)?,
        work_ms: r.get::<_, i64>(12)?.unsigned_abs(),
        parcels: Vec::new(),
    })
}

fn parcel(r: &Row<'_>) -> Result<ParcelView> {
    Ok(ParcelView {
        id: Sha256(r.get::<_, Vec<u8>>(0)?.try_into().unwrap_or([0; 32])),
        recipient: r.get(1)?,
        state: r.get(2)?,
        attempts: r.get(3)?,
        receipt: r.get::<_, Option<Vec<u8>>>(4)?.map(blake3),
        reason: r.get::<_, Option<String>>(5)?.and_then(|t| serde_json::from_str(&t).ok()),
        proof: r.get(6)?,
    })
}

pub(super) fn tally(db: &Connection, now: i64) -> Result<Tally> {
    let count = |sql: &str| db.query_row(sql, params![now], |r| r.get::<_, i64>(0)).map(i64::unsigned_abs);
    let next: Option<i64> =
        db.query_row("SELECT min(due) FROM run WHERE state='ready' AND due>?1", params![now], |r| r.get(0))?;
    let queues = outbox::queues(db, now)?;
    Ok(Tally {
        working: count(
            "SELECT count(*) FROM run WHERE (state='ready' AND due<=?1) OR (state='leased' AND ?1=?1)",
        )?,
        waiting: count("SELECT count(*) FROM run WHERE state='ready' AND due>?1")?
            + queues.iter().map(|queue| queue.waiting).sum::<u64>(),
        sending: queues.iter().map(|queue| queue.due + queue.leased).sum(),
        ended: count(
            "SELECT count(*) FROM run WHERE state IN ('done','split','refused','parked') AND ?1=?1",
        )?,
        next_due: queues.iter().filter_map(|queue| queue.next_due).chain(next).min(),
    })
}
