//! One credential from its offer to its end: what may follow what.
//!
//! ```text
//! offered ──PIN──► granted ──proof──► issued ──► notified, revoked, superseded
//!    │                └──proof──► pending ──┘ (the result is not there yet)
//!    └─ five wrong PINs, withdrawn, expired ─► dead            accepted ─► closed
//! ```
//! Everything here is a value and a rule. A [`super::register::Register`] runs each change in one transaction, so that what
//! is decided here is decided once.

mod claim;
mod end;
mod pin;
mod redeem;

pub use claim::{Answer, Candidate};
pub use end::ALREADY_REVOKED;
pub use pin::{BAD_PIN, StoredPin};
pub use redeem::{TOKEN_LIFE, TRIES};

use super::jose::{Jwk, Object};
use super::jwe::Recipient;
use super::refusal::Refusal;
use super::secret;
use crate::digest::{Digests, Sha256};
use serde::{Deserialize, Serialize};

/// An offer and all that became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issuance {
    /// What clerks call it: 32 hexadecimal digits, says nothing.
    pub id: String,
    /// The document that it binds.
    pub document: Document,
    /// Claims that the holder shows one by one; none any more once they are in the credential.
    pub fields: Object,
    /// Seconds since 1970; so are all moments here.
    pub made_at: i64,
    /// When the offer ends.
    pub offer_until: i64,
    /// Before this the credential is not given out.
    pub ready_at: i64,
    /// How long the credential is valid once issued, seconds; without it, until it is revoked.
    pub lasts: Option<i64>,
    /// RFC 7638 thumbprint of the only key it may be bound to, where it is known beforehand.
    pub holder: Option<String>,
    /// Digests of the handles that lead here: the offer's link, its code, the document's link.
    pub link: Sha256,
    /// See `link`.
    pub code: Sha256,
    /// The transaction code, where one is asked for, until it was told.
    pub pin: Option<StoredPin>,
    /// Where it stands on the status list; given by the register.
    pub place: Place,
    /// How far it got.
    pub stage: Stage,
    /// When and why it stopped being valid.
    pub revoked: Option<Revoked>,
    /// The issuance that this one replaces.
    pub supersedes: Option<String>,
    /// The last things that happened, oldest first.
    pub events: Vec<Event>,
}

/// The PDF behind a credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// Its digests and size.
    #[serde(flatten)]
    pub digests: Digests,
    /// `application/pdf`.
    pub media_type: String,
    /// Random part of its address; empty once it stands in a credential that its wallet has.
    pub link: String,
    /// When the address ends.
    pub until: i64,
    /// SHA-256 of the document that it replaces.
    pub supersedes: Option<Sha256>,
}

/// A place on a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which list.
    pub list: u32,
    /// Which bit.
    pub index: u32,
}

/// How far an issuance got.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "lowercase")]
pub enum Stage {
    /// Nobody has redeemed it.
    Offered {
        /// Wrong PINs that are still forgiven, and one more.
        tries_left: u8,
    },
    /// Too many wrong PINs, withdrawn, or never made use of.
    Dead {
        /// Its time ran out.
        #[serde(default)]
        expired: bool,
    },
    /// Redeemed; one wallet has the token.
    Granted(Token),
    /// A wallet has proven its key; the result is not there yet.
    Pending {
        /// The wallet's token.
        token: Token,
        /// For which key.
        bound: Bound,
        /// What the wallet asks with.
        transaction: String,
    },
    /// Issued.
    Issued {
        /// The wallet's token.
        token: Token,
        /// To which key.
        bound: Bound,
        /// Where it was deferred.
        transaction: Option<String>,
        /// The credential, byte for byte.
        credential: String,
        /// What the wallet tells us of it with.
        notification: String,
        /// What it told us.
        told: Option<Told>,
        /// When it was given out for the first time, where it was deferred.
        #[serde(default)]
        handed_at: Option<i64>,
    },
    /// Issued, and out of our hands: only what revocation and audit need is left.
    Closed {
        /// The wallet's token: it may say the same again.
        token: Token,
        /// RFC 7638 thumbprint of the key that it is bound to.
        key: String,
        /// SHA-256 of what the wallet tells us of it with.
        notification: Sha256,
        /// What it told us.
        told: Option<Told>,
        /// What the wallet wants the document encrypted with, until its address ends.
        encrypt: Option<Recipient>,
    },
}

/// An access token as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Its digest.
    pub digest: Sha256,
    /// Until when it is good for asking for a credential.
    pub until: i64,
    /// Whether its wallet refuses a deferred answer that names a notification id ([`Issuance::spare_notification`]).
    #[serde(default)]
    pub spared: bool,
}

/// Whom a credential is bound to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bound {
    /// The wallet's signing key.
    pub key: Jwk,
    /// What it wants answers and document encrypted with.
    pub encrypt: Option<Recipient>,
}

/// What a wallet says became of a credential (OpenID4VCI 1.0, 11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Stored.
    CredentialAccepted,
    /// Not stored, not by the user's wish.
    CredentialFailure,
    /// Not stored, by the user's wish.
    CredentialDeleted,
}

/// The end of a credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Revoked {
    /// When.
    pub at: i64,
    /// The issuance that replaces it.
    pub superseded_by: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: i64,
    /// At which stage.
    pub what: String,
    /// The error that was answered, with its reason; none where it went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Issuance {
    /// The digest under which its document's address is found, while that is known.
    pub fn document_digest(&self) -> Sha256 {
        secret::stored("document", &self.document.link)
    }

    /// The token that is out, if any.
    pub fn token(&self) -> Option<&Token> {
        match &self.stage {
            Stage::Granted(token)
            | Stage::Pending { token, .. }
            | Stage::Issued { token, .. }
            | Stage::Closed { token, .. } => Some(token),
            Stage::Offered { .. } | Stage::Dead { .. } => None,
        }
    }

    /// Whether it was issued, and what its document is encrypted with then.
    pub fn reader(&self) -> (bool, Option<&Recipient>) {
        match &self.stage {
            Stage::Issued { bound, .. } => (true, bound.encrypt.as_ref()),
            Stage::Closed { encrypt, .. } => (true, encrypt.as_ref()),
            _ => (false, None),
        }
    }

    /// What answers about it are encrypted with, once its wallet asked for that.
    pub fn sealed_for(&self) -> Option<&Recipient> {
        match &self.stage {
            Stage::Pending { bound, .. } | Stage::Issued { bound, .. } => bound.encrypt.as_ref(),
            _ => None,
        }
    }

    /// What it is called in listings.
    pub fn state(&self, now: i64) -> &'static str {
        match (&self.revoked, &self.stage) {
            (Some(Revoked { superseded_by: Some(_), .. }), _) => "superseded",
            (Some(_), _) => "revoked",
            (None, Stage::Offered { .. }) if now >= self.offer_until => "expired",
            (None, Stage::Offered { .. }) => "offered",
            (None, Stage::Dead { expired: true }) => "expired",
            (None, Stage::Dead { expired: false }) => "dead",
            (None, Stage::Granted(_)) => "granted",
            (None, Stage::Pending { .. }) => "pending",
            (None, Stage::Issued { told, .. } | Stage::Closed { told, .. }) => match told {
                Some(Told::CredentialAccepted) => "accepted",
                Some(Told::CredentialDeleted) => "declined",
                Some(Told::CredentialFailure) | None => "issued",
            },
        }
    }

    /// Leaves a refusal among the events.
    pub(super) fn refused(&mut self, what: &str, refusal: Refusal, now: i64) -> Refusal {
        self.event(now, what, Some(&refusal));
        refusal
    }

    fn event(&mut self, at: i64, what: &str, error: Option<&Refusal>) {
        // The first ones tell how it began and stay; of the rest only the newest do.
        if self.events.len() >= MOST_EVENTS {
            self.events.remove(MOST_EVENTS / 2);
        }
        let error = error.map(|refusal| format!("{}: {}", refusal.error, refusal.why));
        self.events.push(Event { at, what: what.to_owned(), error });
    }
}

const MOST_EVENTS: usize = 40;

#[cfg(test)]
mod tests;
