//! A delivery as people see it and act on it: where it is, since when, why, and who has to act.

use super::RunId;
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Report};
use serde::{Deserialize, Serialize};

/// One parcel of the outbox, with the dossiers that hang on it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its idempotency key.
    pub id: Sha256,
    /// Name of the recipient in the station's configuration.
    pub recipient: String,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts made, one that is under way included.
    pub attempts: u32,
    /// Not before (ms), where it waits.
    pub due: i64,
    /// Queued (ms).
    pub posted_at: i64,
    /// First tried (ms).
    pub first_at: Option<i64>,
    /// The digest of its receipt.
    pub receipt: Option<Blake3>,
    /// The receipt, byte for byte; of one that was asked for by its id. Of an older ledger it lies among the blobs.
    pub proof: Option<Vec<u8>>,
    /// Why it waits or ended so.
    pub reason: Option<Report>,
    /// What the sender needs (JSON); of one that was asked for by its id, otherwise empty.
    pub body: Vec<u8>,
    /// The dossiers that wait for it; none for one that was queued by hand.
    pub runs: Vec<DeliveryRun>,
}

/// A dossier that waits for a delivery.
#[derive(Debug, Clone)]
pub struct DeliveryRun {
    /// Its run.
    pub run: RunId,
    /// What a clerk calls it.
    pub label: String,
    /// The dossier code, once known.
    pub code: Option<String>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits for its time, or for a courier.
    Pending,
    /// A courier has it.
    Leased,
    /// The recipient's receipt was checked and is kept.
    Receipted,
    /// Given up; a person has to look.
    Dead,
    /// Waits for consent.
    Held,
    /// Ended by hand; it never goes out again.
    Cancelled,
}

impl DeliveryState {
    /// Every state, in the order of a delivery's life.
    pub const ALL: [DeliveryState; 6] = [
        DeliveryState::Pending,
        DeliveryState::Leased,
        DeliveryState::Receipted,
        DeliveryState::Dead,
        DeliveryState::Held,
        DeliveryState::Cancelled,
    ];

    /// The word in the ledger and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Leased => "leased",
            DeliveryState::Receipted => "receipted",
            DeliveryState::Dead => "dead",
            DeliveryState::Held => "held",
            DeliveryState::Cancelled => "cancelled",
        }
    }

    /// The word a clerk reads.
    pub fn vi(self) -> &'static str {
        match self {
            DeliveryState::Pending => "chờ gửi",
            DeliveryState::Leased => "đang gửi",
            DeliveryState::Receipted => "đã có biên nhận",
            DeliveryState::Dead => "ngừng gửi",
            DeliveryState::Held => "tạm giữ",
            DeliveryState::Cancelled => "đã hủy",
        }
    }

    /// The state of that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more happens to it by itself or by hand.
    pub fn is_final(self) -> bool {
        matches!(self, DeliveryState::Receipted | DeliveryState::Cancelled)
    }
}

/// Who has to act on a delivery next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The program sends or tries again by itself.
    Machine,
    /// A clerk at the desk.
    Desk,
    /// Whoever keeps the station: configuration, keys, lines.
    Keeper,
    /// Whoever made this program.
    Support,
    /// Nobody: it is over.
    Nobody,
}

impl Owner {
    /// In Vietnamese.
    pub fn vi(self) -> &'static str {
        match self {
            Owner::Machine => "hệ thống tự gửi",
            Owner::Desk => "cán bộ một cửa",
            Owner::Keeper => "quản trị trạm",
            Owner::Support => "người hỗ trợ",
            Owner::Nobody => "-",
        }
    }

    /// In English.
    pub fn en(self) -> &'static str {
        match self {
            Owner::Machine => "the program",
            Owner::Desk => "the desk",
            Owner::Keeper => "the station's keeper",
            Owner::Support => "the support",
            Owner::Nobody => "nobody",
        }
    }
}

impl Delivery {
    /// Who has to act next.
    pub fn owner(&self) -> Owner {
        match (self.state, self.reason.as_ref().map(|r| r.class)) {
            (DeliveryState::Pending | DeliveryState::Leased, _) => Owner::Machine,
            (DeliveryState::Receipted, _) => Owner::Nobody,
            (DeliveryState::Dead, Some(Class::Setup)) => Owner::Keeper,
            (DeliveryState::Dead, Some(Class::Inner)) => Owner::Support,
            // A cancelled one is over for the line, but the citizen still has nothing.
            (DeliveryState::Dead | DeliveryState::Held | DeliveryState::Cancelled, _) => Owner::Desk,
        }
    }

    /// True where the citizen is served by paper or at the counter meanwhile: nothing goes out by itself any more.
    pub fn wants_paper(&self) -> bool {
        matches!(self.state, DeliveryState::Dead | DeliveryState::Held | DeliveryState::Cancelled)
    }
}

/// Which deliveries are asked for; what is left out matches all.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// To this recipient.
    pub recipient: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Queued no later than this (ms).
    pub posted_by: Option<i64>,
    /// Leave out what is receipted or cancelled.
    pub open: bool,
    /// Leave out what is receipted.
    pub unreceipted: bool,
}

/// Something that was done to a delivery by hand, or by a consent.
#[derive(Debug, Clone, Serialize)]
pub struct Act {
    /// `queued`, `retried`, `redriven`, `cancelled`, `held`, `released`.
    pub kind: String,
    /// When (ms).
    pub at: i64,
    /// OS user and host.
    pub who: String,
    /// What was said about it.
    pub why: Option<String>,
}

/// One person's consent to one recipient for one purpose. Rows are never changed, but for the day of withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its number.
    pub id: i64,
    /// The recipient handle: 64 hexadecimal digits that stand for the person.
    pub holder: String,
    /// What for.
    pub purpose: String,
    /// To whom: a recipient's name in the station's configuration.
    pub recipient: String,
    /// How it was given.
    pub channel: String,
    /// When (ms).
    pub given_at: i64,
    /// Who wrote it down: OS user and host.
    pub given_by: String,
    /// SHA-256 of what proves it (a scanned form, a signed statement), which stays with the office.
    pub evidence: Option<Sha256>,
    /// The public key that the person's wallet wants documents encrypted to: a JWK as JSON.
    pub key: Option<String>,
    /// When it was withdrawn (ms).
    pub withdrawn_at: Option<i64>,
    /// Who wrote that down.
    pub withdrawn_by: Option<String>,
}

/// A consent to be written down.
#[derive(Debug, Clone)]
pub struct NewConsent {
    /// [`Consent::holder`].
    pub holder: String,
    /// [`Consent::purpose`].
    pub purpose: String,
    /// [`Consent::recipient`].
    pub recipient: String,
    /// [`Consent::channel`].
    pub channel: String,
    /// [`Consent::evidence`].
    pub evidence: Option<Sha256>,
    /// [`Consent::key`].
    pub key: Option<String>,
}

/// What giving a consent came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// Its number; that of the earlier one where the same consent lives already.
    pub id: i64,
    /// False where it was there already.
    pub new: bool,
    /// How many held deliveries go out now.
    pub released: usize,
}

/// What withdrawing a consent came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn {
    /// How many consents ended.
    pub consents: usize,
    /// How many deliveries that were queued are held now.
    pub held: usize,
    /// How many of those a courier had in hand: one attempt may still arrive, and its receipt is kept then.
    pub on_the_way: usize,
    /// How many had arrived before; what arrived stays.
    pub receipted: usize,
}
