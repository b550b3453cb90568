//! The outbox in people's hands: queue one, look, try now, send on its way again, end.
//!
//! What a person names is looked up and acted on in one transaction, so that of two people who act at once the second sees
//! what the first did. Every act is a row of its own (`parcel_act`) and an entry in the journal of each run that hangs on the
//! parcel. A courier that has the parcel meanwhile loses its lease: it can still bring a receipt, and nothing else.

use super::outbox::{finish_run, sha256};
use super::runs::report;
use super::{SqliteLedger, consent};
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::NewParcel;
use crate::ledger::delivery::{Act, Delivery, DeliveryRun, DeliveryState, Which};
use crate::ledger::journal::{self, Entry, blake3};
use rusqlite::{Connection, Result, Row, params};

impl SqliteLedger {
    /// Puts one parcel into the outbox on which no run hangs. One that is known stays as it is; `true` where it is new.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn post_by_hand(&self, parcel: NewParcel, who: &str) -> Outcome<(Delivery, bool)> {
        let (now, who) = (self.clock.now_ms(), who.to_owned());
        self.writer
            .run(move |db| {
                let new = super::outbox::insert(db, &parcel, now)?;
                if new {
                    act(db, &parcel.id, "queued", &who, None, now)?;
                    consent::on_post(db, &parcel.id, &parcel.recipient, &parcel.body, now)?;
                }
                Ok((one(db, &parcel.id, now)?, new))
            })
            .await
    }

    /// The deliveries that are asked for, in the order in which they were queued.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn deliveries(&self, which: Which) -> Outcome<Vec<Delivery>> {
        let now = self.clock.now_ms();
        self.writer.run(move |db| select(db, &which, now)).await
    }

    /// One delivery by the beginning of its id, and what was done to it by hand.
    ///
    /// # Errors
    /// `SEND-122`, `SEND-123` where none or several begin so; `LEDG-001`.
    pub async fn delivery(&self, prefix: &str) -> Outcome<(Delivery, Vec<Act>)> {
        let (now, prefix) = (self.clock.now_ms(), prefix.to_owned());
        self.writer
            .run(move |db| match find(db, &prefix)? {
                Ok(id) => Ok(Ok((one(db, &id, now)?, acts(db, &id)?))),
                Err(fault) => Ok(Err(fault)),
            })
            .await?
    }

    /// Makes a waiting delivery due now.
    ///
    /// # Errors
    /// As [`SqliteLedger::delivery`]; `SEND-125` where it does not wait for its time.
    pub async fn retry(&self, prefix: &str, who: &str) -> Outcome<Delivery> {
        self.by_hand(prefix, who, |db, delivery, who, now| {
            if delivery.state != DeliveryState::Pending {
                return Ok(Err(not_so(delivery)));
            }
            retry(db, &delivery.id, who, now).map(Ok)
        })
        .await
    }

    /// Makes every delivery due now that waits for a later time; gives how many.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn retry_all(&self, recipient: Option<String>, who: &str) -> Outcome<usize> {
        self.all_by_hand(recipient, DeliveryState::Pending, who, |db, delivery, who, now| {
            if delivery.due <= now {
                return Ok(false);
            }
            retry(db, &delivery.id, who, now).map(|()| true)
        })
        .await
    }

    /// Sends a dead letter on its way again, under its old name and with a fresh clock; the recipient is asked first.
    /// Without the consent that it needs it is held instead.
    ///
    /// # Errors
    /// As [`SqliteLedger::delivery`]; `SEND-125` where it is no dead letter.
    pub async fn redrive(&self, prefix: &str, who: &str) -> Outcome<Delivery> {
        self.by_hand(prefix, who, |db, delivery, who, now| {
            if delivery.state != DeliveryState::Dead {
                return Ok(Err(not_so(delivery)));
            }
            Ok(if redrive(db, &delivery.id, who, now)? { Ok(()) } else { Err(not_so(delivery)) })
        })
        .await
    }

    /// Sends every dead letter on its way again; gives how many.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn redrive_dead(&self, recipient: Option<String>, who: &str) -> Outcome<usize> {
        self.all_by_hand(recipient, DeliveryState::Dead, who, |db, delivery, who, now| {
            redrive(db, &delivery.id, who, now)
        })
        .await
    }

    /// Ends a delivery for good; the runs that hang on it are parked and say so. One that a courier has in hand may still
    /// arrive: its receipt is kept then.
    ///
    /// # Errors
    /// As [`SqliteLedger::delivery`]; `SEND-125` where it is over already.
    pub async fn cancel(&self, prefix: &str, why: &str, who: &str) -> Outcome<Delivery> {
        let why = why.to_owned();
        self.by_hand(prefix, who, move |db, delivery, who, now| {
            if delivery.state.is_final() {
                return Ok(Err(not_so(delivery)));
            }
            let reason = Fault::new(&CANCELLED).at(&delivery.recipient).detail(&why).report();
            db.execute(
                "UPDATE parcel SET state='cancelled', due=?2, reason=?3, lease_token=NULL, lease_until=NULL WHERE id=?1",
                params![&delivery.id.0[..], now, report(&reason)],
            )?;
            act(db, &delivery.id, "cancelled", who, Some(&why), now)?;
            enter_runs(db, &delivery.id, "cancelled", who, now)?;
            for run in &delivery.runs {
                finish_run(db, &run.run, who, now)?;
            }
            Ok(Ok(()))
        })
        .await
    }

    /// Finds one and acts on it in one transaction; gives it as it is then.
    async fn by_hand(
        &self,
        prefix: &str,
        who: &str,
        act: impl FnOnce(&Connection, &Delivery, &str, i64) -> Result<Outcome<()>> + Send + 'static,
    ) -> Outcome<Delivery> {
        let (now, prefix, who) = (self.clock.now_ms(), prefix.to_owned(), who.to_owned());
        self.writer
            .run(move |db| {
                let id = match find(db, &prefix)? {
                    Ok(id) => id,
                    Err(fault) => return Ok(Err(fault)),
                };
                match act(db, &one(db, &id, now)?, &who, now)? {
                    Ok(()) => one(db, &id, now).map(Ok),
                    Err(fault) => Ok(Err(fault)),
                }
            })
            .await?
    }

    async fn all_by_hand(
        &self,
        recipient: Option<String>,
        state: DeliveryState,
        who: &str,
        act: impl Fn(&Connection, &Delivery, &str, i64) -> Result<bool> + Send + 'static,
    ) -> Outcome<usize> {
        let (now, who) = (self.clock.now_ms(), who.to_owned());
        let which = Which { recipient, state: Some(state), ..Which::default() };
        self.writer
            .run(move |db| {
                let mut count = 0;
                for delivery in select(db, &which, now)? {
                    count += usize::from(act(db, &delivery, &who, now)?);
                }
                Ok(count)
            })
            .await
    }
}

fn retry(db: &Connection, id: &Sha256, who: &str, now: i64) -> Result<()> {
    db.prepare_cached("UPDATE parcel SET due=?2 WHERE id=?1")?.execute(params![&id.0[..], now])?;
    act(db, id, "retried", who, None, now)?;
    enter_runs(db, id, "retried", who, now)
}

/// `false`, and nothing done, where newer news of its subject is on its way or there: what is older would undo it.
fn redrive(db: &Connection, id: &Sha256, who: &str, now: i64) -> Result<bool> {
    // One attempt stays on the books: it may have arrived, so the recipient is asked before it is sent again.
    let revived = db
        .prepare_cached(
            "UPDATE parcel SET state='pending', due=?2, attempts=1, first_at=NULL, reason=NULL WHERE id=?1 AND NOT EXISTS
             (SELECT 1 FROM parcel n WHERE n.subject=parcel.subject AND n.seq>parcel.seq AND n.state IN ('leased', 'receipted'))",
        )?
        .execute(params![&id.0[..], now])?;
    if revived == 0 {
        return Ok(false);
    }
    act(db, id, "redriven", who, None, now)?;
    enter_runs(db, id, "redriven", who, now)?;
    consent::hold_unless_allowed(db, id, who, now)?;
    db.prepare_cached(
        "UPDATE run SET state='sending', due=?2, reason=NULL, attempts=0, setbacks=0
         WHERE state='parked' AND id IN (SELECT run FROM parcel_of WHERE parcel=?1)",
    )?
    .execute(params![&id.0[..], now])
    .map(|_| true)
}

/// Notes what was done to a parcel.
pub(super) fn act(
    db: &Connection,
    id: &Sha256,
    kind: &str,
    who: &str,
    why: Option<&str>,
    now: i64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO parcel_act (parcel, act, kind, at, who, why)
         SELECT ?1, coalesce(max(act) + 1, 0), ?2, ?3, ?4, ?5 FROM parcel_act WHERE parcel=?1",
    )?
    .execute(params![&id.0[..], kind, now, who, why])
    .map(|_| ())
}

/// Enters what was done to a parcel into the journal of every run that hangs on it; no record changes by it.
pub(super) fn enter_runs(db: &Connection, id: &Sha256, kind: &str, who: &str, now: i64) -> Result<()> {
    let mut runs = db.prepare_cached(
        "SELECT r.id, r.cursor, r.record FROM parcel_of o JOIN run r ON r.id=o.run WHERE o.parcel=?1",
    )?;
    let runs: Vec<(Vec<u8>, u32, Vec<u8>)> =
        runs.query_map([&id.0[..]], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect::<Result<_>>()?;
    for (run, step, record) in runs {
        let (run, output) = (blake3(run), Blake3::of(&record));
        journal::append(
            db,
            &Entry { run: &run, kind, step, input: Blake3(id.0), output, at: now, worker: who },
        )?;
    }
    Ok(())
}

/// The one parcel whose id begins so.
fn find(db: &Connection, prefix: &str) -> Result<Outcome<Sha256>> {
    let prefix = prefix.to_ascii_lowercase();
    let bound = |fill: char| {
        let digits: String = prefix.chars().chain(std::iter::repeat(fill)).take(64).collect();
        hex::decode(digits).ok()
    };
    let (Some(low), Some(high), 4..=64) = (bound('0'), bound('f'), prefix.len()) else {
        return Ok(Err(Fault::new(&UNKNOWN).detail("not 4 to 64 hexadecimal digits")));
    };
    let mut found = db.prepare_cached("SELECT id FROM parcel WHERE id BETWEEN ?1 AND ?2 LIMIT 2")?;
    let mut found = found
        .query_map(params![low, high], |r| r.get(0).map(sha256))?
        .collect::<Result<Vec<_>>>()?
        .into_iter();
    Ok(match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Fault::new(&UNKNOWN)),
        (Some(_), Some(_)) => Err(Fault::new(&AMBIGUOUS)),
    })
}

/// A lease that lapsed is nobody's: `?1` now.
const COLUMNS: &str =
    "SELECT id, recipient, iif(state='leased' AND lease_until < ?1, 'pending', state), attempts, due,
    posted_at, first_at, receipt, reason";

fn one(db: &Connection, id: &Sha256, now: i64) -> Result<Delivery> {
    let mut delivery = db
        .prepare_cached(&format!("{COLUMNS}, body, proof FROM parcel WHERE id=?2"))?
        .query_row(params![now, &id.0[..]], row)?;
    delivery.runs = runs(db, id)?;
    Ok(delivery)
}

fn select(db: &Connection, which: &Which, now: i64) -> Result<Vec<Delivery>> {
    let mut deliveries: Vec<Delivery> = db
        .prepare(&format!(
            "{COLUMNS}, x'', NULL FROM parcel WHERE (?2 IS NULL OR recipient=?2) AND (?3 IS NULL OR posted_at <= ?3)
             AND NOT (?4 AND state IN ('receipted', 'cancelled')) AND NOT (?5 AND state='receipted')
             ORDER BY posted_at, id"
        ))?
        .query_map(params![now, which.recipient, which.posted_by, which.open, which.unreceipted], row)?
        .filter(|delivery| !matches!((delivery, which.state), (Ok(d), Some(state)) if d.state != state))
        .collect::<Result<_>>()?;
    for delivery in &mut deliveries {
        delivery.runs = runs(db, &delivery.id)?;
    }
    Ok(deliveries)
}

fn row(r: &Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        id: sha256(r.get(0)?),
        recipient: r.get(1)?,
        // A state of another version: nothing of it goes out by itself, and a person has to look.
        state: DeliveryState::parse(&r.get::<_, String>(2)?).unwrap_or(DeliveryState::Held),
        attempts: r.get(3)?,
        due: r.get(4)?,
        posted_at: r.get(5)?,
        first_at: r.get(6)?,
        receipt: r.get::<_, Option<Vec<u8>>>(7)?.map(blake3),
        reason: r.get::<_, Option<String>>(8)?.and_then(|t| serde_json::from_str(&t).ok()),
        body: r.get(9)?,
        proof: r.get(10)?,
        runs: Vec::new(),
    })
}

fn runs(db: &Connection, id: &Sha256) -> Result<Vec<DeliveryRun>> {
    db.prepare_cached(
        "SELECT r.id, r.label, r.code FROM parcel_of o JOIN run r ON r.id=o.run WHERE o.parcel=?1 ORDER BY r.admitted_at, r.id",
    )?
    .query_map([&id.0[..]], |r| {
        Ok(DeliveryRun { run: blake3(r.get(0)?), label: r.get(1)?, code: r.get(2)? })
    })?
    .collect()
}

fn acts(db: &Connection, id: &Sha256) -> Result<Vec<Act>> {
    db.prepare("SELECT kind, at, who, why FROM parcel_act WHERE parcel=?1 ORDER BY act")?
        .query_map([&id.0[..]], |r| {
            Ok(Act { kind: r.get(0)?, at: r.get(1)?, who: r.get(2)?, why: r.get(3)? })
        })?
        .collect()
}

fn not_so(delivery: &Delivery) -> Fault {
    Fault::new(&NOT_SO).at(delivery.id.to_string().get(..12).unwrap_or_default()).detail(format!(
        "{} / {}",
        delivery.state.vi(),
        delivery.state.as_str()
    ))
}

/// No delivery begins so.
pub const UNKNOWN: Code = Code {
    id: "SEND-122",
    class: Class::Input,
    vi: "Không có lượt gửi nào có mã này",
    en: "no delivery has this id",
    remedy_vi: "Xem mã ở cột đầu của `hoso deliver list`; ghi ít nhất 4 ký tự đầu",
    remedy_en: "see the first column of `hoso deliver list`; give at least its first 4 digits",
};
/// Several deliveries begin so.
pub const AMBIGUOUS: Code = Code {
    id: "SEND-123",
    class: Class::Input,
    vi: "Nhiều lượt gửi có mã bắt đầu như vậy",
    en: "several deliveries have an id that begins so",
    remedy_vi: "Ghi thêm ký tự của mã",
    remedy_en: "give more digits of it",
};
/// Not in a state for this.
pub const NOT_SO: Code = Code {
    id: "SEND-125",
    class: Class::Input,
    vi: "Lượt gửi đang ở trạng thái không làm việc này được",
    en: "the delivery is in a state in which this cannot be done",
    remedy_vi: "Gửi ngay (retry): chỉ khi đang chờ gửi; gửi lại (redrive): chỉ khi đã ngừng gửi; hủy (cancel): khi chưa có biên nhận; tạm giữ: ghi đồng ý bằng `hoso consent give`",
    remedy_en: "retry is for what waits, redrive for dead letters, cancel for what has no receipt; what is held waits for `hoso consent give`",
};
/// Ended by hand.
pub const CANCELLED: Code = Code {
    id: "SEND-126",
    class: Class::Person,
    vi: "Cán bộ đã hủy lượt gửi này, hệ thống không gửi nữa",
    en: "this delivery was cancelled by hand and never goes out again",
    remedy_vi: "Trả kết quả bằng bản giấy hoặc tại quầy",
    remedy_en: "hand the result over on paper or at the counter",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&UNKNOWN, &AMBIGUOUS, &NOT_SO, &CANCELLED];
