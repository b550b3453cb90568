//! One attempt at sending one parcel, and what the outbox does with its end.

use crate::deliver::Attempt;
use crate::deliver::link;
use crate::deliver::outbox::{self, AttemptOutcome, Breaker, BreakerRule, Decision, Gate};
use crate::deliver::portal::{self, PortalSink, SyncState};
use crate::deliver::push::{self, Parcel, RecipientHandle, Sink};
use crate::deliver::wire_key::{SigningKey, VerifyingKey};
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::{ParcelLease, ParcelSettlement};
use crate::station::config::RecipientConfig;
use crate::steps::Desk;
use crate::steps::deliver::Body;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Sends parcels for a desk. Lines to recipients stay open between parcels; a recipient that fails again and again is
/// left alone for a while, so that it delays nobody else.
pub struct Courier {
    desk: Arc<Desk>,
    lines: Mutex<HashMap<String, Arc<Open>>>,
    breakers: Mutex<HashMap<String, Breaker>>,
}

/// A recipient that was opened, with the address it had then.
struct Open {
    address: String,
    client: reqwest::Client,
    sink: AnySink,
}

enum AnySink {
    Portal(Box<PortalSink>),
    Push(Box<Sink>),
}

impl Courier {
    /// A courier for a desk.
    pub fn new(desk: Arc<Desk>) -> Self {
        Courier { desk, lines: Mutex::default(), breakers: Mutex::default() }
    }

    /// Tries once.
    pub async fn send(&self, parcel: &ParcelLease) -> ParcelSettlement {
        let recipient = parcel.recipient.as_str();
        let rule = BreakerRule::default();
        let now = self.desk.clock.now_ms();
        let gate = self.breakers().entry(recipient.to_owned()).or_default().admit(&rule, now);
        if let Gate::Wait(until) = gate {
            return ParcelSettlement::Rest { due: until };
        }
        let mut state =
            parcel.progress.as_deref().and_then(|p| serde_json::from_slice(p).ok()).unwrap_or_default();
        let attempt = match self.attempt(parcel, &mut state).await {
            Ok(attempt) => attempt,
            Err(fault) if fault.code.class == Class::Later => Attempt::again(fault),
            Err(fault) => Attempt::Never(fault),
        };
        let now = self.desk.clock.now_ms();
        let live = attempt.shows_a_live_receiver();
        self.breakers().entry(recipient.to_owned()).or_default().settle(&rule, live, now);
        let mut settlement = self.settlement(recipient, &attempt, parcel.attempts + 1, parcel.first_at, now);
        if let ParcelSettlement::Later { progress, .. } = &mut settlement {
            *progress = serde_json::to_vec(&state).ok();
        }
        settlement
    }

    fn settlement(
        &self,
        recipient: &str,
        attempt: &Attempt,
        attempts: u32,
        first_at: i64,
        now: i64,
    ) -> ParcelSettlement {
        let fault = match attempt {
            Attempt::Delivered(receipt) => match self.desk.blobs.put(&receipt.0) {
                Ok(stored) => return ParcelSettlement::Receipted(stored.blake3),
                // It arrived, and the receipt cannot be kept: the recipient is asked for it again later.
                Err(fault) => fault,
            },
            Attempt::Again { reason, .. } => reason.clone(),
            Attempt::Never(fault) => fault.clone(),
        };
        let fault = fault.at(recipient);
        let last = AttemptOutcome::of(attempt).unwrap_or(AttemptOutcome::Again { retry_after: None });
        let backoff = self.desk.station.config.backoff;
        match outbox::next_attempt(&backoff, attempts, last, first_at, now, outbox::dice) {
            Decision::RetryAt(due) => ParcelSettlement::Later { due, reason: fault.report(), progress: None },
            Decision::Dead(why) => {
                let end = why
                    .fault()
                    .map(|end| end.at(recipient).detail(format!("{}: {}", fault.code.id, fault.code.en)));
                ParcelSettlement::Dead(end.unwrap_or(fault).report())
            }
        }
    }

    /// `state` says how far a sync came, and moves on with every call that the portal acknowledged.
    async fn attempt(&self, parcel: &ParcelLease, state: &mut SyncState) -> Outcome<Attempt> {
        let body: Body = serde_json::from_slice(&parcel.body).map_err(|_| Fault::new(&PARCEL_UNREADABLE))?;
        let open = self.line(&parcel.recipient)?;
        let now = self.desk.clock.now_ms() / 1000;
        Ok(match (&open.sink, body) {
            (AnySink::Portal(sink), Body::Portal(record)) => {
                portal::sync_from(&open.client, sink, &record, state).await
            }
            (AnySink::Push(sink), Body::Push { handle, document }) => {
                let handle = RecipientHandle::parse(&handle)?;
                let pdf = self.document(&document)?;
                let sent = Parcel {
                    delivery_id: parcel.key.id,
                    recipient: &handle,
                    sha256: document.sha256,
                    pdf: &pdf,
                    key: None,
                };
                // Even a first attempt of this process may follow one that a crash cut short: ask when in doubt.
                if parcel.attempts == 0 {
                    push::push(&open.client, sink, &sent, now).await
                } else {
                    push::push_again(&open.client, sink, &sent, now).await
                }
            }
            _ => Attempt::Never(Fault::new(&PARCEL_UNREADABLE)),
        })
    }

    /// The document, read anew and held against both digests.
    fn document(&self, digests: &Digests) -> Outcome<Vec<u8>> {
        let bytes = self.desk.blobs.get(&digests.blake3)?;
        if Digests::of(&bytes) == *digests { Ok(bytes) } else { Err(Fault::new(&crate::blobs::LOST)) }
    }

    fn line(&self, recipient: &str) -> Outcome<Arc<Open>> {
        let config = self.desk.recipient(recipient)?;
        let (RecipientConfig::Dvcqg { url, .. } | RecipientConfig::Push { url, .. }) = config;
        // An address that is not there yet is a recipient that does not answer yet.
        let address =
            url.text(&self.desk.station.root).map_err(|f| Fault { code: &link::UNREACHABLE, ..f })?;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = lines.get(recipient).filter(|open| open.address == address) {
            return Ok(Arc::clone(open));
        }
        let client = link::client(&config.line(&self.desk.station.root)?)?;
        let sink = self.sink(recipient, config, &address)?;
        let open = Arc::new(Open { address, client, sink });
        lines.insert(recipient.to_owned(), Arc::clone(&open));
        Ok(open)
    }

    fn sink(&self, name: &str, config: &RecipientConfig, address: &str) -> Outcome<AnySink> {
        let root = &self.desk.station.root;
        let base = link::address(address).map_err(|f| f.at(name))?;
        match config {
            RecipientConfig::Dvcqg { username, password, unit, dstcode, .. } => {
                let password = Zeroizing::new(password.text(root)?);
                let mut sink = PortalSink::new(name, base, unit, &username.text(root)?, password);
                sink.dstcode.clone_from(dstcode);
                Ok(AnySink::Portal(Box::new(sink)))
            }
            RecipientConfig::Push { receipt_key, key, .. } => {
                let pem = std::fs::read(root.join(receipt_key))
                    .map_err(|e| Fault::new(&crate::station::NO_SECRET).at(receipt_key).detail(e.kind()))?;
                Ok(AnySink::Push(Box::new(Sink {
                    name: name.to_owned(),
                    base,
                    key: SigningKey::from_pem(&key.bytes(root)?)?,
                    receipt_keys: vec![VerifyingKey::from_pem(&pem)?],
                })))
            }
        }
    }

    fn breakers(&self) -> std::sync::MutexGuard<'_, HashMap<String, Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outbox holds something that this version does not know.
pub const PARCEL_UNREADABLE: Code = Code {
    id: "WORK-003",
    class: Class::Person,
    vi: "Gói gửi không đọc được (có thể do phiên bản khác hoặc cấu hình nơi nhận đã đổi loại)",
    en: "the parcel cannot be read (another version wrote it, or the recipient's kind was changed)",
    remedy_vi: "Kiểm tra phần [recipients] trong hoso.toml",
    remedy_en: "look at [recipients] in hoso.toml",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&PARCEL_UNREADABLE];
