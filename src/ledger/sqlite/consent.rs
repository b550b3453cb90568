//! Consent in SQL: who agreed that what is sent where, and what their withdrawal stops (Law 91/2025/QH15).
//!
//! Whether a parcel may go is decided where it is written: when it is posted, when a consent is given or withdrawn, when a
//! dead letter is sent on its way again, and once more right before a courier sends. Each in the transaction that
//! does it, so that no parcel is due without the consent that its recipient requires.

use super::hand::{act, enter_runs};
use super::runs::report;
use super::{SqliteLedger, outbox};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::ParcelKey;
use crate::ledger::delivery::{Consent, Given, NewConsent, Withdrawn};
use crate::steps::deliver::Body;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde_json::Value;

/// Its tables: `consent`, whose rows are only added and ended; for whom every parcel is; what was done to parcels by hand.
pub(in crate::ledger) const TABLES: &str = "
CREATE TABLE consent (
  id INTEGER PRIMARY KEY, holder TEXT NOT NULL, purpose TEXT NOT NULL, recipient TEXT NOT NULL, channel TEXT NOT NULL,
  given_at INTEGER NOT NULL, given_by TEXT NOT NULL, evidence BLOB, key TEXT, withdrawn_at INTEGER, withdrawn_by TEXT
) STRICT;
CREATE INDEX consent_of ON consent (holder, recipient);
CREATE TRIGGER consent_is_only_withdrawn BEFORE UPDATE ON consent
  WHEN OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL OR NEW.withdrawn_by IS NULL
    OR (NEW.id, NEW.holder, NEW.purpose, NEW.recipient, NEW.channel, NEW.given_at, NEW.given_by, NEW.evidence, NEW.key)
       IS NOT (OLD.id, OLD.holder, OLD.purpose, OLD.recipient, OLD.channel, OLD.given_at, OLD.given_by, OLD.evidence, OLD.key)
  BEGIN SELECT RAISE(ABORT, 'a consent is only withdrawn, once'); END;
CREATE TRIGGER consent_is_not_removed BEFORE DELETE ON consent
  BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END;
CREATE TABLE parcel_holder (
  parcel BLOB PRIMARY KEY, holder TEXT NOT NULL, recipient TEXT NOT NULL, purpose TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_holder_of ON parcel_holder (holder, recipient);
CREATE TABLE parcel_act (
  parcel BLOB NOT NULL, act INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT,
  PRIMARY KEY (parcel, act)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER parcel_act_is_not_edited BEFORE UPDATE ON parcel_act
  BEGIN SELECT RAISE(ABORT, 'what was done by hand is append-only'); END;
CREATE TRIGGER parcel_act_is_not_removed BEFORE DELETE ON parcel_act
  BEGIN SELECT RAISE(ABORT, 'what was done by hand is append-only'); END;
";

/// For whom the parcels of a ledger are that knew no holders: once, when it is brought up to date.
pub(in crate::ledger) const HOLDERS_OF_OLD: &str = "
INSERT OR IGNORE INTO parcel_holder (parcel, holder, recipient)
  SELECT id, handle, recipient FROM (SELECT id, recipient,
    CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.push.handle') END AS handle FROM parcel)
  WHERE handle IS NOT NULL;
";

impl SqliteLedger {
    /// Writes a consent down and lets go out what waited for it, in one transaction. The same one again is found.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn give_consent(&self, new: NewConsent, who: &str) -> Outcome<Given> {
        let (now, who) = (self.clock.now_ms(), who.to_owned());
        self.writer.run(move |db| give(db, &new, &who, now)).await
    }

    /// Ends every consent of a person to a recipient (for one purpose, or all) and holds what is queued for them
    /// there, in one transaction. A courier that has a parcel in hand loses its lease: its attempt is the last.
    ///
    /// # Errors
    /// `SEND-124` where there is none; `LEDG-001`.
    pub async fn withdraw_consent(
        &self,
        holder: &str,
        recipient: &str,
        purpose: Option<String>,
        who: &str,
    ) -> Outcome<Withdrawn> {
        let now = self.clock.now_ms();
        let (holder, recipient, who) = (holder.to_owned(), recipient.to_owned(), who.to_owned());
        self.writer
            .run(move |db| withdraw(db, &holder, &recipient, purpose.as_deref(), &who, now))
            .await?
            .ok_or_else(|| Fault::new(&NONE_TO_WITHDRAW))
    }

    /// Every consent in the order in which it was given; of one person, to one recipient, only living ones.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn consents(
        &self,
        holder: Option<String>,
        recipient: Option<String>,
        live: bool,
    ) -> Outcome<Vec<Consent>> {
        self.writer
            .run(move |db| {
                db.prepare(
                    "SELECT id, holder, purpose, recipient, channel, given_at, given_by, evidence, key, withdrawn_at, withdrawn_by
                     FROM consent WHERE (?1 IS NULL OR holder=?1) AND (?2 IS NULL OR recipient=?2)
                       AND NOT (?3 AND withdrawn_at IS NOT NULL) ORDER BY id",
                )?
                .query_map(params![holder, recipient, live], row)?
                .collect()
            })
            .await
    }

    /// Whether a courier may send what it has leased: the lease still holds and so does the consent. One without its
    /// consent is held.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn may_send(&self, key: &ParcelKey, body: &[u8]) -> Outcome<bool> {
        let (key, body, now) = (*key, body.to_owned(), self.clock.now_ms());
        self.writer
            .run(move |db| {
                let mut leased = db.prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM parcel WHERE id=?1 AND state='leased' AND lease_token=?2)",
                )?;
                if !leased.query_row(params![&key.id.0[..], &key.token[..]], |r| r.get(0))? {
                    return Ok(false);
                }
                if hold_unless_allowed(db, &key.id, "courier", now)? {
                    return Ok(false);
                }
                // A key that came since the claim: the courier has the body as it was.
                db.prepare_cached("SELECT body=?2 FROM parcel WHERE id=?1")?
                    .query_row(params![&key.id.0[..], body], |r| r.get(0))
            })
            .await
    }
}

/// Notes for whom a parcel is that was just posted, and holds it where their consent is missing. Gives whether it is held.
pub(super) fn on_post(db: &Connection, id: &Sha256, recipient: &str, body: &[u8], now: i64) -> Result<bool> {
    let Ok(Body::Push { handle, purpose, .. }) = serde_json::from_slice(body) else { return Ok(false) };
    db.prepare_cached("INSERT OR IGNORE INTO parcel_holder VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        &id.0[..],
        handle,
        recipient,
        purpose
    ])?;
    hold_unless_allowed(db, id, "outbox", now)
}

/// Holds a parcel whose person has not agreed, or no longer; puts their key into one that may go. Gives whether it is held.
pub(super) fn hold_unless_allowed(db: &Connection, id: &Sha256, who: &str, now: i64) -> Result<bool> {
    let asked: Option<(String, String, Option<String>)> = db
        .prepare_cached("SELECT holder, recipient, purpose FROM parcel_holder WHERE parcel=?1")?
        .query_row([&id.0[..]], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((holder, recipient, purpose)) = asked else { return Ok(false) };
    match standing(db, &holder, &recipient, purpose.as_deref())? {
        Standing::Given(key) => encrypt_to(db, id, key.as_deref()).map(|()| false),
        Standing::NotAsked => Ok(false),
        Standing::Missing(code) => {
            hold(db, id, &Fault::new(code).at(&recipient), now)?;
            act(db, id, "held", who, Some(code.id), now)?;
            Ok(true)
        }
    }
}

/// What a person has said about a recipient.
enum Standing {
    /// They agreed; with the key that their wallet wants.
    Given(Option<String>),
    /// They said nothing, and nobody has to ask.
    NotAsked,
    /// They have not agreed, or no longer.
    Missing(&'static Code),
}

/// `purpose`: what for, where the recipient requires consent. Where none is required, a withdrawal still counts.
fn standing(db: &Connection, holder: &str, recipient: &str, purpose: Option<&str>) -> Result<Standing> {
    let mut said = db.prepare_cached(
        "SELECT withdrawn_at IS NULL, key FROM consent WHERE holder=?1 AND recipient=?2 AND (?3 IS NULL OR purpose=?3)
         ORDER BY withdrawn_at IS NULL DESC, key IS NULL, id DESC LIMIT 1",
    )?;
    let last: Option<(bool, Option<String>)> =
        said.query_row(params![holder, recipient, purpose], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(match (last, purpose) {
        (Some((true, key)), _) => Standing::Given(key),
        (Some((false, _)), _) => Standing::Missing(&WITHDRAWN),
        (None, Some(_)) => Standing::Missing(&NO_CONSENT),
        (None, None) => Standing::NotAsked,
    })
}

fn give(db: &Connection, new: &NewConsent, who: &str, now: i64) -> Result<Given> {
    let evidence = new.evidence.map(|digest| digest.0.to_vec());
    let known: Option<i64> = db
        .query_row(
            "SELECT id FROM consent WHERE holder=?1 AND recipient=?2 AND purpose=?3 AND channel=?4
               AND evidence IS ?5 AND key IS ?6 AND withdrawn_at IS NULL",
            params![new.holder, new.recipient, new.purpose, new.channel, evidence, new.key],
            |r| r.get(0),
        )
        .optional()?;
    if known.is_none() {
        db.execute(
            "INSERT INTO consent (holder, purpose, recipient, channel, given_at, given_by, evidence, key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![new.holder, new.purpose, new.recipient, new.channel, now, who, evidence, new.key],
        )?;
    }
    let id = known.unwrap_or_else(|| db.last_insert_rowid());
    let mut released = 0;
    for (parcel, state) in parcels(db, &new.holder, &new.recipient, Some(&new.purpose), now)? {
        if !matches!(state.as_str(), "held" | "pending" | "leased") {
            continue;
        }
        // Waiting for a person's word is no failure of the recipient: the clock begins anew. What may have arrived is
        // still asked for.
        let freed = db
            .prepare_cached(
                "UPDATE parcel SET state='pending', due=?2, reason=NULL, attempts=min(attempts, 1), first_at=NULL
                 WHERE id=?1 AND state='held'",
            )?
            .execute(params![&parcel.0[..], now])?;
        if !hold_unless_allowed(db, &parcel, who, now)? && freed == 1 {
            act(db, &parcel, "released", who, None, now)?;
            enter_runs(db, &parcel, "released", who, now)?;
            released += 1;
        }
    }
    Ok(Given { id, new: known.is_none(), released })
}

/// `None`: there is nothing to withdraw.
fn withdraw(
    db: &Connection,
    holder: &str,
    recipient: &str,
    purpose: Option<&str>,
    who: &str,
    now: i64,
) -> Result<Option<Withdrawn>> {
    let consents = db.execute(
        "UPDATE consent SET withdrawn_at=?4, withdrawn_by=?5
         WHERE holder=?1 AND recipient=?2 AND (?3 IS NULL OR purpose=?3) AND withdrawn_at IS NULL",
        params![holder, recipient, purpose, now, who],
    )?;
    if consents == 0 {
        return Ok(None);
    }
    let mut outcome = Withdrawn { consents, held: 0, on_the_way: 0, receipted: 0 };
    for (parcel, state) in parcels(db, holder, recipient, purpose, now)? {
        match state.as_str() {
            "receipted" => outcome.receipted += 1,
            "pending" | "leased" if hold_unless_allowed(db, &parcel, who, now)? => {
                enter_runs(db, &parcel, "held", who, now)?;
                outcome.held += 1;
                outcome.on_the_way += usize::from(state == "leased");
            }
            _ => {}
        }
    }
    Ok(Some(outcome))
}

/// The parcels that a consent speaks of, each with its state.
fn parcels(
    db: &Connection,
    holder: &str,
    recipient: &str,
    purpose: Option<&str>,
    now: i64,
) -> Result<Vec<(Sha256, String)>> {
    db.prepare(
        "SELECT p.id, iif(p.state='leased' AND p.lease_until < ?4, 'pending', p.state) FROM parcel_holder h JOIN parcel p ON p.id=h.parcel
         WHERE h.holder=?1 AND h.recipient=?2 AND (?3 IS NULL OR h.purpose IS NULL OR h.purpose=?3)",
    )?
    .query_map(params![holder, recipient, purpose, now], |r| Ok((outbox::sha256(r.get(0)?), r.get(1)?)))?
    .collect()
}

/// A held parcel is in nobody's hands: the lease's token is gone, so a courier that had it can bring a receipt and
/// nothing else.
fn hold(db: &Connection, id: &Sha256, reason: &Fault, now: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE parcel SET state='held', due=?2, reason=?3, lease_token=NULL, lease_until=NULL WHERE id=?1",
    )?
    .execute(params![&id.0[..], now, report(&reason.report())])
    .map(|_| ())
}

/// Puts the key into what the sender needs, or takes an old one out.
fn encrypt_to(db: &Connection, id: &Sha256, jwk: Option<&str>) -> Result<()> {
    let body: Vec<u8> =
        db.prepare_cached("SELECT body FROM parcel WHERE id=?1")?.query_row([&id.0[..]], |r| r.get(0))?;
    let Ok(mut body) = serde_json::from_slice::<Body>(&body) else { return Ok(()) };
    let Body::Push { key, .. } = &mut body else { return Ok(()) };
    let wanted: Option<Value> = jwk.and_then(|text| serde_json::from_str(text).ok());
    if *key == wanted {
        return Ok(());
    }
    *key = wanted;
    // What was tried may be there as it was: a second attempt asks first, and takes the receipt of the earlier form.
    db.prepare_cached("UPDATE parcel SET body=?2 WHERE id=?1 AND state<>'receipted'")?
        .execute(params![&id.0[..], serde_json::to_vec(&body).unwrap_or_default()])
        .map(|_| ())
}

fn row(r: &Row<'_>) -> Result<Consent> {
    Ok(Consent {
        id: r.get(0)?,
        holder: r.get(1)?,
        purpose: r.get(2)?,
        recipient: r.get(3)?,
        channel: r.get(4)?,
        given_at: r.get(5)?,
        given_by: r.get(6)?,
        evidence: r.get::<_, Option<Vec<u8>>>(7)?.map(outbox::sha256),
        key: r.get(8)?,
        withdrawn_at: r.get(9)?,
        withdrawn_by: r.get(10)?,
    })
}

/// The recipient requires consent, and there is none.
pub const NO_CONSENT: Code = Code {
    id: "SEND-120",
    class: Class::Person,
    vi: "Chưa có sự đồng ý của công dân cho việc gửi tới nơi nhận này",
    en: "the citizen has not consented to this being sent to this recipient",
    remedy_vi: "Hỏi ý kiến công dân rồi ghi bằng `hoso consent give`; hệ thống sẽ tự gửi. Trong lúc chờ, trả bản giấy hoặc nhận tại quầy",
    remedy_en: "ask the citizen and note it with `hoso consent give`; it goes out by itself then. Meanwhile hand over paper, or at the counter",
};
/// The consent was withdrawn.
pub const WITHDRAWN: Code = Code {
    id: "SEND-121",
    class: Class::Person,
    vi: "Công dân đã rút lại sự đồng ý cho nơi nhận này",
    en: "the citizen has withdrawn the consent for this recipient",
    remedy_vi: "Không gửi; trả bản giấy hoặc nhận tại quầy. Nếu công dân đồng ý lại, ghi bằng `hoso consent give`",
    remedy_en: "it is not sent: hand over paper, or at the counter. If the citizen consents again, note it with `hoso consent give`",
};
/// There is no consent to withdraw.
pub const NONE_TO_WITHDRAW: Code = Code {
    id: "SEND-124",
    class: Class::Input,
    vi: "Không có sự đồng ý nào đang có hiệu lực để rút lại",
    en: "there is no living consent to withdraw",
    remedy_vi: "Xem `hoso consent list`; kiểm tra mã người nhận, nơi nhận và mục đích",
    remedy_en: "see `hoso consent list`; check handle, recipient and purpose",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_CONSENT, &WITHDRAWN, &NONE_TO_WITHDRAW];
