//! One attempt at sending one parcel, and what the outbox does with its end.

pub mod told;

use crate::deliver::Attempt;
use crate::deliver::link;
use crate::deliver::outbox::{self, AttemptOutcome, Decision};
use crate::deliver::pace::{Pace, PaceRule, Rooms, Ticket};
use crate::deliver::portal::{self, PortalDossier, PortalSink, SyncState};
use crate::deliver::push::{self, Parcel, RecipientHandle, Sink};
use crate::deliver::wire_key::{SigningKey, VerifyingKey};
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::acknowledged::Outbox;
use crate::ledger::{ParcelLease, ParcelSettlement};
use crate::station::config::RecipientConfig;
use crate::steps::Desk;
use crate::steps::deliver::Body;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Sends parcels for a desk. Lines to recipients stay open between parcels, and each recipient has its own pace.
pub struct Courier {
    desk: Arc<Desk>,
    lines: Mutex<HashMap<String, Arc<Open>>>,
    paces: Mutex<HashMap<String, Pace>>,
    back: Mutex<Vec<String>>,
    /// What recipients were told before; opened when it is first asked for.
    told: Mutex<Option<Outbox>>,
    rule: PaceRule,
}

/// A recipient that was opened, with the address it had then.
struct Open {
    address: String,
    client: reqwest::Client,
    sink: AnySink,
    /// Kilobytes of documents that may be in memory for it.
    memory: Semaphore,
}

/// How many kilobytes of documents one recipient may keep in memory; one document may be larger, and goes alone.
const MEMORY_KB: u32 = 64 * 1024;

enum AnySink {
    Portal(Box<PortalSink>),
    Push(Box<Sink>),
}

impl Courier {
    /// A courier for a desk.
    pub fn new(desk: Arc<Desk>) -> Self {
        let rule = desk.station.config.pace;
        let (lines, paces, back) = (Mutex::default(), Mutex::default(), Mutex::default());
        Courier { desk, lines, paces, back, told: Mutex::default(), rule }
    }

    /// How many parcels each recipient may have on its way now: none, where it is left alone.
    pub fn rooms(&self) -> Rooms {
        let now = self.desk.clock.now_ms();
        Rooms::of(&self.paces(), &self.rule, now)
    }

    /// The recipients that were left alone and have answered since this was last asked.
    pub fn back(&self) -> Vec<String> {
        std::mem::take(&mut self.back.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tries once.
    pub async fn send(&self, parcel: &ParcelLease) -> ParcelSettlement {
        let recipient = parcel.recipient.as_str();
        let ticket = match self.begin(recipient) {
            Ok(ticket) => ticket,
            Err(due) => return ParcelSettlement::Rest { due },
        };
        let before: SyncState =
            parcel.progress.as_deref().and_then(|p| serde_json::from_slice(p).ok()).unwrap_or_default();
        let mut state = before.clone();
        let attempt = match self.attempt(parcel, &mut state).await {
            Ok(attempt) => attempt,
            Err(fault) if fault.code.class == Class::Later => Attempt::again(fault),
            Err(fault) => Attempt::Never(fault),
        };
        let now = self.desk.clock.now_ms();
        // What was found wrong here before any call says nothing of the recipient; a probe that never went is replaced.
        let local = [&portal::FIELD_MISSING, &portal::FIELD_WRONG, &PARCEL_UNREADABLE, &crate::blobs::LOST];
        let called = !matches!(&attempt, Attempt::Never(fault) if local.contains(&fault.code));
        if called && self.paced(recipient, |pace, rule| pace.end(rule, ticket, &attempt, now)) {
            self.back.lock().unwrap_or_else(PoisonError::into_inner).push(recipient.to_owned());
        }
        let mut settlement = self.settlement(recipient, attempt, parcel.attempts + 1, parcel.first_at, now);
        // A dead letter keeps what the portal took, since later news carry it on: that is written down before it dies.
        let taken = |state: &SyncState| (state.dossier, state.was_told(), state.progress_taken);
        if let (ParcelSettlement::Dead(reason), true) = (&settlement, taken(&state) != taken(&before)) {
            settlement = ParcelSettlement::Later { due: now, reason: reason.clone(), progress: None };
        }
        if let ParcelSettlement::Later { progress, .. } = &mut settlement {
            *progress = serde_json::to_vec(&state).ok();
        }
        settlement
    }

    fn begin(&self, recipient: &str) -> Result<Ticket, i64> {
        let now = self.desk.clock.now_ms();
        self.paced(recipient, |pace, rule| pace.begin(rule, now))
    }

    fn paced<T>(&self, recipient: &str, then: impl FnOnce(&mut Pace, &PaceRule) -> T) -> T {
        let mut paces = self.paces();
        match paces.get_mut(recipient) {
            Some(pace) => then(pace, &self.rule),
            None => then(paces.entry(recipient.to_owned()).or_insert(Pace::new(&self.rule)), &self.rule),
        }
    }

    fn paces(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pace>> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settlement(
        &self,
        recipient: &str,
        attempt: Attempt,
        attempts: u32,
        first_at: i64,
        now: i64,
    ) -> ParcelSettlement {
        let last = AttemptOutcome::of(&attempt);
        let (fault, last) = match (attempt, last) {
            (Attempt::Delivered(receipt), _) => return ParcelSettlement::Receipted(receipt.0),
            (Attempt::Again { reason, .. }, Some(last)) => (reason, last),
            (Attempt::Again { reason, .. }, None) => (reason, AttemptOutcome::Again { retry_after: None }),
            (Attempt::Never(fault), _) => (fault, AttemptOutcome::Never),
        };
        let fault = fault.at(recipient);
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
        // A key or an address that cannot be read is the station's to mend; the parcel is as good as ever, and so is the
        // whole backlog behind it.
        let open = match self.line(&parcel.recipient) {
            Ok(open) => open,
            Err(fault) => return Ok(Attempt::again(fault)),
        };
        let now = self.desk.clock.now_ms() / 1000;
        Ok(match (&open.sink, body) {
            (AnySink::Portal(sink), Body::Portal(record)) => {
                let whole = match self.with_what_was_told(parcel, *record) {
                    Ok(whole) => whole,
                    Err(fault) => return Ok(Attempt::again(fault)),
                };
                portal::sync_from(&open.client, sink, &whole, state).await
            }
            (AnySink::Push(sink), Body::Push { handle, document, key, .. }) => {
                let handle = RecipientHandle::parse(&handle)?;
                let size = u32::try_from(document.size / 1024 + 1).map_or(MEMORY_KB, |kb| kb.min(MEMORY_KB));
                // Never closed: it lives as long as the line.
                let _memory = open.memory.acquire_many(size).await;
                let pdf = self.document(&document)?;
                let sent = Parcel {
                    delivery_id: parcel.key.id,
                    recipient: &handle,
                    sha256: document.sha256,
                    pdf: &pdf,
                    key: key.as_ref(),
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

    fn with_what_was_told(&self, parcel: &ParcelLease, news: PortalDossier) -> Outcome<PortalDossier> {
        let mut outbox = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let outbox = match &mut *outbox {
            Some(outbox) => outbox,
            empty => empty.insert(Outbox::open(&self.desk.station.path("var/ledger.db"))?),
        };
        told::with_news(outbox, &parcel.recipient, &parcel.key.id, news)
    }

    /// The document, read anew and held against its digest; whoever sends it holds it against the legal one.
    fn document(&self, digests: &Digests) -> Outcome<Vec<u8>> {
        self.desk.blobs.get(&digests.blake3)
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
        let memory = Semaphore::new(MEMORY_KB as usize);
        let open = Arc::new(Open { address, client, sink, memory });
        lines.insert(recipient.to_owned(), Arc::clone(&open));
        Ok(open)
    }

    fn sink(&self, name: &str, config: &RecipientConfig, address: &str) -> Outcome<AnySink> {
        let root = &self.desk.station.root;
        match config {
            RecipientConfig::Dvcqg { .. } => Ok(AnySink::Portal(Box::new(self.desk.station.portal(name)?))),
            RecipientConfig::Push { receipt_key, key, .. } => {
                let pem = std::fs::read(root.join(receipt_key))
                    .map_err(|e| Fault::new(&crate::station::NO_SECRET).at(receipt_key).detail(e.kind()))?;
                Ok(AnySink::Push(Box::new(Sink {
                    name: name.to_owned(),
                    base: link::address(address).map_err(|f| f.at(name))?,
                    key: SigningKey::from_pem(&key.bytes(root)?)?,
                    receipt_keys: several(&pem)?,
                })))
            }
        }
    }
}

/// The keys of a file; two while the receiver changes keys, since its first receipts stay as they are.
fn several(pem: &[u8]) -> Outcome<Vec<VerifyingKey>> {
    let text = String::from_utf8_lossy(pem);
    let blocks = text.split("-----BEGIN ").skip(1);
    let keys = blocks.map(|block| VerifyingKey::from_pem(format!("-----BEGIN {block}").as_bytes()));
    let keys = keys.collect::<Outcome<Vec<_>>>()?;
    if keys.is_empty() { Err(Fault::new(&crate::deliver::wire_key::KEY_UNREADABLE)) } else { Ok(keys) }
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
