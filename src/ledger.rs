//! Where dossiers wait between steps, and the record of every step taken.
//!
//! One *run* is one dossier going through one pipeline. Its row is the queue entry: one cursor, one lease, one state
//! that a clerk can read (promise 3). Every change of it appends a journal entry in the same transaction, chained by
//! digest to the one before. What leaves the house waits in the outbox, whose rows are written in the transaction
//! that says so, and leave it only with a receipt (promise 4).

pub mod acknowledged;
pub mod delivery;
mod journal;
mod schema;
pub mod sqlite;

use crate::deliver::pace::Rooms;
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Code, Outcome, Report};
pub use crate::pipeline::Lane;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;

pub use sqlite::SqliteLedger;
pub(crate) use sqlite::Writer;

/// The identity of a run: a digest over what was handed in and the pipeline's name.
pub type RunId = Blake3;

/// Where dossiers wait. Four verbs for runs, two for the outbox, and what the engine asks besides; every
/// implementation passes one conformance suite.
pub trait Ledger: Send + Sync + 'static {
    /// Admits runs, each once and all together: an id that is known gives its present state and becomes a link. What
    /// was refused, or is a batch of which a part was, is taken up again from its beginning. Nothing is admitted, and
    /// `LEDG-004` said, where a reading was let go of since it was stored.
    fn admit(&self, new: Vec<NewRun>) -> impl Future<Output = Outcome<Vec<Admission>>> + Send;
    /// Leases up to `n` due runs, desk lane first. Never two runs of one dossier code at a time.
    fn claim(&self, worker: &str, n: usize) -> impl Future<Output = Outcome<Vec<Lease>>> + Send;
    /// Extends a lease; `false` when it is lost.
    fn renew(&self, lease: &LeaseKey) -> impl Future<Output = Outcome<bool>> + Send;
    /// Ends a lease: journal, record and cursor move together, or (`false`: the lease is lost) not at all.
    fn settle(
        &self,
        lease: &LeaseKey,
        worker: &str,
        outcome: Settlement,
    ) -> impl Future<Output = Outcome<bool>> + Send;
    /// Leases up to `n` parcels of the outbox that are due.
    fn claim_parcels(
        &self,
        worker: &str,
        n: usize,
    ) -> impl Future<Output = Outcome<Vec<ParcelLease>>> + Send {
        self.claim_parcels_within(worker, n, Rooms::default())
    }
    /// Leases up to `n` parcels that are due, shared over their recipients ([`crate::deliver::pace::shares`]): none of
    /// one that has no room. Costs what it gives, not what waits.
    fn claim_parcels_within(
        &self,
        worker: &str,
        n: usize,
        rooms: Rooms,
    ) -> impl Future<Output = Outcome<Vec<ParcelLease>>> + Send;
    /// Extends a parcel's lease; `false` when it is lost.
    fn renew_parcel(&self, parcel: &ParcelKey) -> impl Future<Output = Outcome<bool>> + Send;
    /// Ends a parcel's lease; the last receipt of a run moves the run on. `false` when the lease is lost; a receipt is
    /// taken all the same, since a checked receipt is true whoever holds the lease.
    fn settle_parcel(
        &self,
        parcel: &ParcelKey,
        worker: &str,
        outcome: ParcelSettlement,
    ) -> impl Future<Output = Outcome<bool>> + Send;
    /// What waits for a recipient is due now: its line is back, whatever each parcel was told to wait. Gives how many.
    fn wake(&self, recipient: &str) -> impl Future<Output = Outcome<usize>> + Send;
    /// Every recipient that something waits for or is on its way to, by name.
    fn queues(&self) -> impl Future<Output = Outcome<Vec<Queue>>> + Send;
    /// Ends when something was written since it last ended, by this process or another.
    fn changed(&self) -> impl Future<Output = ()> + Send;
    /// How much waits.
    fn tally(&self) -> impl Future<Output = Outcome<Tally>> + Send;
    /// Some of the runs whose documents are made, or whose receipts have come, and are not in `out/` yet.
    fn unpublished(&self) -> impl Future<Output = Outcome<Vec<RunView>>> + Send;
    /// Notes that a run's files are in `out/` as they were in this state; one that has moved on since is laid out again.
    fn mark_published(&self, run: RunId, state: State) -> impl Future<Output = Outcome<()>> + Send;
    /// Lets go of the readings that runs named and no run wants any more; `thorough`: also of what has lain among the
    /// readings for an hour and no run names. Gives how many were removed; safe at any time, beside others doing the same.
    fn let_go(&self, worker: &str, thorough: bool) -> impl Future<Output = Outcome<usize>> + Send;
    /// How long a claim holds.
    fn lease(&self) -> Duration;
}

/// A run to be admitted.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its identity.
    pub id: RunId,
    /// What a clerk calls it: the dossier code, or the batch's name until there is one.
    pub label: String,
    /// The dossier code, once known; runs of one code never overlap.
    pub code: Option<String>,
    /// Where it came from: the path below the input as the operator gave it.
    pub source: String,
    /// Pipeline name.
    pub pipeline: String,
    /// Digest of the pipeline's text; the run finishes under it.
    pub pipeline_digest: Blake3,
    /// First step to run.
    pub cursor: u32,
    /// How many steps the pipeline has.
    pub steps: u32,
    /// Who waits.
    pub lane: Lane,
    /// The record so far (JSON of a dossier).
    pub record: Vec<u8>,
    /// The run it was split from.
    pub parent: Option<RunId>,
    /// Why it is refused from the start, if it is: a segment of a batch that is not what its separator says.
    pub refused: Option<Report>,
    /// The chip readings that it names.
    pub readings: Vec<Wanted>,
}

/// A chip reading that a run still wants. What a run named and wants no longer is let go of; so is, when the run ends,
/// whatever it wanted for its steps alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its bytes in the store of readings.
    pub reading: Blake3,
    /// The pipeline keeps it, beyond the end of the run.
    pub kept: bool,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for a worker; after a setback, until its due time.
    Ready,
    /// A worker has it.
    Leased,
    /// Everything is made; parcels wait in the outbox.
    Sending,
    /// Finished.
    Done,
    /// Was divided into other runs, which carry on.
    Split,
    /// What was handed in cannot be taken; the reason says what to do.
    Refused,
    /// Waits for a person; the reason says for what.
    Parked,
}

impl State {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Leased => "leased",
            State::Sending => "sending",
            State::Done => "done",
            State::Split => "split",
            State::Refused => "refused",
            State::Parked => "parked",
        }
    }

    /// The word a clerk reads.
    pub fn vi(self) -> &'static str {
        match self {
            State::Ready => "chờ xử lý",
            State::Leased => "đang xử lý",
            State::Sending => "đang gửi",
            State::Done => "xong",
            State::Split => "đã tách",
            State::Refused => "từ chối",
            State::Parked => "chờ người",
        }
    }

    fn parse(text: &str) -> Option<State> {
        [
            State::Ready,
            State::Leased,
            State::Sending,
            State::Done,
            State::Split,
            State::Refused,
            State::Parked,
        ]
        .into_iter()
        .find(|s| s.as_str() == text)
    }
}

/// What admitting came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is new and will be worked on.
    New,
    /// The same source with the same bytes was admitted before, and is in this state now; nothing that was done is
    /// done again.
    Again(State),
    /// The same bytes are known under another source, named here: a link, not an error.
    Duplicate(String),
}

/// What names a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseKey {
    /// The run.
    pub run: RunId,
    /// Random; never given out twice, so a stale settle can never pass.
    pub token: [u8; 16],
}

/// A run in a worker's hands.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Run and token.
    pub key: LeaseKey,
    /// What a clerk calls it.
    pub label: String,
    /// Pipeline name.
    pub pipeline: String,
    /// The pipeline it was admitted under.
    pub pipeline_digest: Blake3,
    /// The step to run.
    pub cursor: u32,
    /// How many steps there are.
    pub steps: u32,
    /// How often it was claimed since it last moved; counts the claims that killed their worker too.
    pub attempts: u32,
    /// How often in a row it was put off.
    pub setbacks: u32,
    /// Who waits.
    pub lane: Lane,
    /// The record so far.
    pub record: Vec<u8>,
}

/// What a step made.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// The record after the step.
    pub record: Vec<u8>,
    /// The label after the step.
    pub label: String,
    /// The dossier code after the step.
    pub code: Option<String>,
    /// How long the step took.
    pub took_ms: u64,
    /// The chip readings that it still wants.
    pub readings: Vec<Wanted>,
}

/// How a lease ends.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// The step is done; on to the next.
    Done(StepRecord),
    /// The run is divided: the children are admitted and the parent ends, in one transaction.
    Split(StepRecord, Vec<NewRun>),
    /// Everything is made; these parcels go out, and the last receipt moves the run on.
    Send(StepRecord, Vec<NewParcel>),
    /// Try again after a while.
    Later {
        /// What the step made so far and need not make again.
        made: Option<StepRecord>,
        /// Not before this many milliseconds.
        after_ms: i64,
        /// Why.
        reason: Report,
    },
    /// What was handed in cannot be taken; the record says how far it came, where the step got that far.
    Refused(Option<StepRecord>, Report),
    /// A person has to act.
    Parked(Report),
}

/// One thing to be sent to one recipient, as it enters the outbox.
#[derive(Debug, Clone)]
pub struct NewParcel {
    /// The idempotency key, made from sink, recipient, content and revision: stored before the first call.
    pub id: Sha256,
    /// Name of the recipient in the station's configuration.
    pub recipient: String,
    /// What it is about: parcels of one subject go out one after the other, in the order they were posted.
    pub subject: String,
    /// What the sender needs (JSON, blobs by digest).
    pub body: Vec<u8>,
}

/// What names a parcel's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParcelKey {
    /// The parcel.
    pub id: Sha256,
    /// Random, as with runs.
    pub token: [u8; 16],
}

/// A parcel in the courier's hands.
#[derive(Debug, Clone)]
pub struct ParcelLease {
    /// Parcel and token.
    pub key: ParcelKey,
    /// Name of the recipient.
    pub recipient: String,
    /// What the sender needs.
    pub body: Vec<u8>,
    /// Attempts before this one; more than none means: ask the recipient before sending again.
    pub attempts: u32,
    /// When the first attempt was made (ms), or now.
    pub first_at: i64,
    /// How far an earlier attempt came, as its sender wrote it down.
    pub progress: Option<Vec<u8>>,
}

/// How a parcel's lease ends.
#[derive(Debug, Clone)]
pub enum ParcelSettlement {
    /// The recipient's receipt, byte for byte, after it was checked.
    Receipted(Vec<u8>),
    /// Try again at this time (ms).
    Later {
        /// Not before.
        due: i64,
        /// Why.
        reason: Report,
        /// How far it came, for the next attempt.
        progress: Option<Vec<u8>>,
    },
    /// Was not tried: its recipient is left alone until this time (ms). Counts as no attempt.
    Rest {
        /// Not before.
        due: i64,
    },
    /// Given up; a person has to look. Never the same as delivered.
    Dead(Report),
}

/// An entry of the journal, as it is shown to whoever checks the chain elsewhere; its JSON is a promise to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// The run.
    pub run: RunId,
    /// Its place in the run's chain, from 0.
    pub entry: u32,
    /// What happened.
    pub kind: String,
    /// The step it was at.
    pub step: u32,
    /// The record before; the parcel of `receipted` and `dead`.
    pub input: Blake3,
    /// The record after; the receipt of `receipted`.
    pub output: Blake3,
    /// When (ms).
    pub at: i64,
    /// Which process.
    pub worker: String,
    /// Digest of the entry before.
    pub prev: Blake3,
    /// Digest of this one.
    pub digest: Blake3,
}

/// A run and its chain in the journal, read in one moment.
#[derive(Debug, Clone)]
pub struct RunExtract {
    /// The run.
    pub view: RunView,
    /// Its chain, from the first entry on.
    pub journal: Vec<JournalEntry>,
}

/// A run as people see it.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its identity.
    pub id: RunId,
    /// What a clerk calls it.
    pub label: String,
    /// Where it came from.
    pub source: String,
    /// Pipeline name.
    pub pipeline: String,
    /// Where it is.
    pub state: State,
    /// Steps done.
    pub cursor: u32,
    /// Steps in all.
    pub steps: u32,
    /// When it is next due (ms), where it waits.
    pub due: i64,
    /// Why it waits or ended so.
    pub reason: Option<Report>,
    /// The record so far.
    pub record: Vec<u8>,
    /// The run it was split from.
    pub parent: Option<RunId>,
    /// When it was admitted (ms).
    pub admitted_at: i64,
    /// Milliseconds of work in its steps.
    pub work_ms: u64,
    /// Its parcels: recipient, state, attempts, receipt, reason.
    pub parcels: Vec<ParcelView>,
}

/// A parcel as people see it.
#[derive(Debug, Clone)]
pub struct ParcelView {
    /// Its idempotency key.
    pub id: Sha256,
    /// Name of the recipient.
    pub recipient: String,
    /// `pending`, `leased`, `receipted`, `dead`, `held` (by hand, or for want of consent) or `cancelled`.
    pub state: String,
    /// Attempts made.
    pub attempts: u32,
    /// The receipt's digest.
    pub receipt: Option<Blake3>,
    /// The receipt, byte for byte; one from before version 3 of the ledger lies in the blobs under its digest.
    pub proof: Option<Vec<u8>>,
    /// Why it waits or was given up.
    pub reason: Option<Report>,
}

/// What waits for one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Name in the station's configuration.
    pub recipient: String,
    /// May go now.
    pub due: u64,
    /// In a courier's hands.
    pub leased: u64,
    /// Waiting for a later time, or behind another of its subject.
    pub waiting: u64,
    /// Kept back by a person or for want of consent.
    pub held: u64,
    /// When the next of those that wait for a time is due (ms).
    pub next_due: Option<i64>,
}

/// How much waits and how much is finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Due now, or in a worker's hands.
    pub working: u64,
    /// Waiting for a later time.
    pub waiting: u64,
    /// Parcels due now or in the courier's hands.
    pub sending: u64,
    /// Finished, well or not.
    pub ended: u64,
    /// When the next waiting run or parcel is due (ms).
    pub next_due: Option<i64>,
}

/// The ledger's storage fails.
pub const UNAVAILABLE: Code = Code {
    id: "LEDG-001",
    class: Class::Later,
    vi: "Sổ hồ sơ không ghi được",
    en: "the ledger cannot be written or read",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi trên thư mục var/; việc sẽ tự chạy lại",
    remedy_en: "check the free space and the right to write in var/; the work is tried again by itself",
};
/// The ledger was made by another version of the program.
pub const OTHER_VERSION: Code = Code {
    id: "LEDG-002",
    class: Class::Setup,
    vi: "Sổ hồ sơ do phiên bản khác của chương trình tạo ra",
    en: "the ledger was made by another version of the program",
    remedy_vi: "Dùng đúng phiên bản hoặc nâng cấp theo hướng dẫn",
    remedy_en: "use that version, or upgrade as the manual says",
};
/// The journal does not hold together.
pub const JOURNAL_BROKEN: Code = Code {
    id: "LEDG-003",
    class: Class::Person,
    vi: "Chuỗi nhật ký bị đứt: có người đã sửa sổ",
    en: "the journal's chain is broken: entries were changed, removed or reordered",
    remedy_vi: "Giữ nguyên máy, báo người phụ trách an toàn thông tin, đối chiếu với bản sao lưu",
    remedy_en: "leave the machine as it is, tell the security officer, compare with the backup",
};
/// A reading was let go of between storing and admitting it.
pub const READING_GONE: Code = Code {
    id: "LEDG-004",
    class: Class::Later,
    vi: "Kết quả đọc thẻ vừa được xóa theo quy định đúng lúc hồ sơ được đưa vào lại",
    en: "the chip reading was let go of just when it was handed in again",
    remedy_vi: "Đưa hồ sơ vào lại",
    remedy_en: "hand the dossier in again",
};
/// Every code of this room.
pub const CODES: &[&Code] = &[&UNAVAILABLE, &OTHER_VERSION, &JOURNAL_BROKEN, &READING_GONE];
