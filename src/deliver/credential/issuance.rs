//! One credential from its offer to its end: what may follow what.
//!
//! ```text
//! offered ──PIN──► granted ──proof──► issued ──► notified, revoked, superseded
//!    │                └──proof──► pending ──┘ (the result is not there yet)
//!    └─ five wrong PINs, withdrawn ─► dead
//! ```
//! Everything here is a value and a rule. A [`super::register::Register`] runs each change in one transaction, so that what
//! is decided here is decided once.

use super::jose::{Jwk, Object};
use super::jwe::Recipient;
use super::refusal::Refusal;
use super::secret;
use crate::digest::{Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// An offer and all that became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issuance {
    /// What clerks call it: 32 hexadecimal digits, says nothing.
    pub id: String,
    /// The document that it binds.
    pub document: Document,
    /// Claims that the holder shows one by one.
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
    /// The transaction code, where one is asked for.
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
    /// Random part of its address.
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

/// A transaction code as it is stored: keyed with the pre-authorized code, which is stored nowhere, so that whoever steals
/// the store cannot try all numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredPin {
    salt: Sha256,
    code: Sha256,
    /// How many digits.
    pub digits: u8,
}

impl StoredPin {
    /// Hashes a PIN.
    ///
    /// # Errors
    /// [`BAD_PIN`] unless it is 4 to 10 digits.
    pub fn new(pin: &str, pre_authorized_code: &str) -> Outcome<Self> {
        let digits = u8::try_from(pin.len()).unwrap_or(0);
        if !(4..=10).contains(&digits) || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::new(&BAD_PIN));
        }
        let salt = secret::stored("salt", &secret::mint()?);
        Ok(StoredPin { salt, code: Self::hash(&salt, pin, pre_authorized_code)?, digits })
    }

    fn hash(salt: &Sha256, pin: &str, pre_authorized_code: &str) -> Outcome<Sha256> {
        let message = [&salt.0[..], pin.as_bytes()].concat();
        secret::mac(pre_authorized_code.as_bytes(), &message).map(Sha256)
    }

    fn is(&self, pin: &str, pre_authorized_code: &str) -> bool {
        Self::hash(&self.salt, pin, pre_authorized_code)
            .is_ok_and(|code| openssl::memcmp::eq(&code.0, &self.code.0))
    }
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
    /// Too many wrong PINs, or withdrawn.
    Dead,
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
    },
}

/// An access token as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Its digest.
    pub digest: Sha256,
    /// Until when it is good for asking for a credential.
    pub until: i64,
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

/// What a wallet that asks for a credential gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The credential and the id to notify with.
    Issued {
        /// `dc+sd-jwt`.
        credential: String,
        /// See [`Stage::Issued`].
        notification: String,
    },
    /// Later, under this id.
    Pending {
        /// See [`Stage::Pending`].
        transaction: String,
    },
}

impl Issuance {
    /// Redeems the offer for a token. The PIN is looked at before anything is used up; five wrong ones end the offer.
    ///
    /// # Errors
    /// `invalid_grant` for a wrong PIN and for an offer that is used, dead or expired; `invalid_request` where a PIN is
    /// missing or not asked for.
    pub fn redeem(&mut self, code: &str, pin: Option<&str>, token: &str, now: i64) -> Result<(), Refusal> {
        let result = self.try_redeem(code, pin, token, now);
        self.event(now, "token", result.as_ref().err());
        result
    }

    fn try_redeem(&mut self, code: &str, pin: Option<&str>, token: &str, now: i64) -> Result<(), Refusal> {
        let Stage::Offered { tries_left } = &mut self.stage else {
            return Err(Refusal::bad(
                "invalid_grant",
                "the pre-authorized code was used or is no longer good",
            ));
        };
        if now >= self.offer_until || self.revoked.is_some() {
            return Err(Refusal::bad("invalid_grant", "the pre-authorized code has expired"));
        }
        match (&self.pin, pin) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err(Refusal::bad("invalid_request", "no transaction code is expected"));
            }
            (Some(_), None) => {
                return Err(Refusal::bad("invalid_request", "the transaction code is missing"));
            }
            (Some(stored), Some(pin)) => {
                if !stored.is(pin, code) {
                    *tries_left = tries_left.saturating_sub(1);
                    if *tries_left == 0 {
                        self.stage = Stage::Dead;
                    }
                    return Err(Refusal::bad("invalid_grant", "the transaction code is wrong"));
                }
            }
        }
        let token = Token { digest: secret::stored("token", token), until: now.saturating_add(TOKEN_LIFE) };
        self.stage = Stage::Granted(token);
        Ok(())
    }

    /// The digest under which its document's address is found.
    pub fn document_digest(&self) -> Sha256 {
        secret::stored("document", &self.document.link)
    }

    /// The token that is out, if any.
    pub fn token(&self) -> Option<&Token> {
        match &self.stage {
            Stage::Granted(token) | Stage::Pending { token, .. } | Stage::Issued { token, .. } => Some(token),
            Stage::Offered { .. } | Stage::Dead => None,
        }
    }

    /// The credential that was issued to this key already.
    pub fn issued_to(&self, key: &Jwk) -> bool {
        matches!(&self.stage, Stage::Issued { bound, .. } if bound.key == *key)
    }

    /// Binds the credential to a key. `candidate` is the credential signed for this key, needed where it is ready.
    /// The same key gets the same answer again, another key none.
    ///
    /// # Errors
    /// 401 for a token that has ended; `credential_request_denied` for another key, and after a revocation.
    pub fn claim(&mut self, bound: Bound, candidate: Candidate, now: i64) -> Result<Answer, Refusal> {
        let result = self.try_claim(bound, candidate, now);
        self.event(now, "credential", result.as_ref().err());
        result
    }

    fn try_claim(&mut self, bound: Bound, candidate: Candidate, now: i64) -> Result<Answer, Refusal> {
        let denied = |why| Err(Refusal::bad("credential_request_denied", why));
        if self.token().is_none_or(|token| now >= token.until) {
            return Err(Refusal::token("the token has expired"));
        }
        if self.revoked.is_some() {
            return denied("it was revoked");
        }
        if self.holder.as_ref().is_some_and(|holder| *holder != bound.key.thumbprint()) {
            return denied("it is meant for another key");
        }
        match &mut self.stage {
            Stage::Issued { bound: first, .. } | Stage::Pending { bound: first, .. }
                if first.key != bound.key =>
            {
                denied("it is bound to another key")
            }
            Stage::Issued { bound: first, credential, notification, .. } => {
                first.encrypt = bound.encrypt;
                Ok(Answer::Issued { credential: credential.clone(), notification: notification.clone() })
            }
            Stage::Pending { bound: first, .. } => {
                first.encrypt = bound.encrypt;
                self.settle(candidate, now)
            }
            Stage::Granted(token) => {
                let stage = Stage::Pending {
                    token: token.clone(),
                    bound,
                    transaction: candidate.transaction.clone(),
                };
                self.stage = stage;
                self.settle(candidate, now)
            }
            Stage::Offered { .. } | Stage::Dead => Err(Refusal::token("the token is not known")),
        }
    }

    /// What became of a deferred credential. The token stays good for this as long as the document can be had.
    ///
    /// # Errors
    /// `invalid_transaction_id`; 401 for a token that has ended; `credential_request_denied` after a revocation.
    pub fn collect(
        &mut self,
        transaction: &str,
        encrypt: Option<Recipient>,
        candidate: Candidate,
        now: i64,
    ) -> Result<Answer, Refusal> {
        let result = self.try_collect(transaction, encrypt, candidate, now);
        self.event(now, "deferred", result.as_ref().err());
        result
    }

    fn try_collect(
        &mut self,
        transaction: &str,
        encrypt: Option<Recipient>,
        candidate: Candidate,
        now: i64,
    ) -> Result<Answer, Refusal> {
        self.afterwards(now)?;
        let known = match &mut self.stage {
            Stage::Pending { transaction, bound, .. } => Some((transaction, bound)),
            Stage::Issued { transaction: Some(transaction), bound, .. } => Some((transaction, bound)),
            _ => None,
        };
        let Some((_, bound)) = known.filter(|(t, _)| {
            openssl::memcmp::eq(&Sha256::of(t.as_bytes()).0, &Sha256::of(transaction.as_bytes()).0)
        }) else {
            return Err(Refusal::bad("invalid_transaction_id", "the transaction is not known"));
        };
        if encrypt.is_some() {
            bound.encrypt = encrypt;
        }
        if self.revoked.is_some() {
            return Err(Refusal::bad("credential_request_denied", "it was revoked"));
        }
        self.settle(candidate, now)
    }

    /// Turns pending into issued where the time has come.
    fn settle(&mut self, candidate: Candidate, now: i64) -> Result<Answer, Refusal> {
        match &self.stage {
            Stage::Issued { credential, notification, .. } => {
                Ok(Answer::Issued { credential: credential.clone(), notification: notification.clone() })
            }
            Stage::Pending { token, bound, transaction } => {
                let Some(credential) = candidate.credential.filter(|_| now >= self.ready_at) else {
                    return Ok(Answer::Pending { transaction: transaction.clone() });
                };
                let (notification, deferred) =
                    (candidate.notification, *transaction != candidate.transaction);
                let issued = Stage::Issued {
                    token: token.clone(),
                    bound: bound.clone(),
                    transaction: deferred.then(|| transaction.clone()),
                    credential: credential.clone(),
                    notification: notification.clone(),
                    told: None,
                };
                self.stage = issued;
                Ok(Answer::Issued { credential, notification })
            }
            _ => Err(Refusal::token("the token is not known")),
        }
    }

    /// Takes what the wallet says became of the credential; the same again changes nothing.
    ///
    /// # Errors
    /// `invalid_notification_id`; 401 for a token that has ended.
    pub fn notify(&mut self, id: &str, told: Told, now: i64) -> Result<(), Refusal> {
        self.afterwards(now)?;
        let Stage::Issued { notification, told: said, .. } = &mut self.stage else {
            return Err(Refusal::bad("invalid_notification_id", "the notification id is not known"));
        };
        if !openssl::memcmp::eq(&Sha256::of(notification.as_bytes()).0, &Sha256::of(id.as_bytes()).0) {
            return Err(Refusal::bad("invalid_notification_id", "the notification id is not known"));
        }
        if *said != Some(told) {
            *said = Some(told);
            self.event(now, "notification", None);
        }
        Ok(())
    }

    /// Until when a token is good for what comes after the credential request: a citizen may be told to come back tomorrow.
    fn afterwards(&self, now: i64) -> Result<(), Refusal> {
        let until = self.document.until.max(self.ready_at.saturating_add(AFTERWARDS));
        if self.token().is_none() || now >= until {
            return Err(Refusal::token("the token has expired"));
        }
        Ok(())
    }

    /// Ends it: an offer can no longer be redeemed, a credential no longer holds.
    ///
    /// # Errors
    /// [`ALREADY_REVOKED`].
    pub fn revoke(&mut self, superseded_by: Option<String>, now: i64) -> Outcome<()> {
        // The same again is no mistake; turning one reason into another is.
        if let Some(revoked) = &self.revoked {
            return if revoked.superseded_by == superseded_by {
                Ok(())
            } else {
                Err(Fault::new(&ALREADY_REVOKED))
            };
        }
        if matches!(self.stage, Stage::Offered { .. }) {
            self.stage = Stage::Dead;
        }
        self.event(now, if superseded_by.is_some() { "superseded" } else { "revoked" }, None);
        self.revoked = Some(Revoked { at: now, superseded_by });
        Ok(())
    }

    /// What it is called in listings.
    pub fn state(&self, now: i64) -> &'static str {
        match (&self.revoked, &self.stage) {
            (Some(Revoked { superseded_by: Some(_), .. }), _) => "superseded",
            (Some(_), _) => "revoked",
            (None, Stage::Offered { .. }) if now >= self.offer_until => "expired",
            (None, Stage::Offered { .. }) => "offered",
            (None, Stage::Dead) => "dead",
            (None, Stage::Granted(_)) => "granted",
            (None, Stage::Pending { .. }) => "pending",
            (None, Stage::Issued { told: Some(Told::CredentialAccepted), .. }) => "accepted",
            (None, Stage::Issued { .. }) => "issued",
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

/// What is prepared before a claim is decided.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The credential signed for the key; none where it is not ready or was issued already.
    pub credential: Option<String>,
    /// A new handle, used where the issuance has none yet.
    pub transaction: String,
    /// A new handle, used where the credential is issued now.
    pub notification: String,
}

/// Wrong PINs until an offer is dead.
pub const TRIES: u8 = 5;
/// How long a token is good for asking for a credential, seconds.
pub const TOKEN_LIFE: i64 = 600;
/// How long after it became ready a deferred credential waits, at the least, seconds.
const AFTERWARDS: i64 = 30 * 24 * 3600;
const MOST_EVENTS: usize = 40;

/// A transaction code that is none.
pub const BAD_PIN: Code = Code {
    id: "SEND-070",
    class: Class::Input,
    vi: "Mã PIN không hợp lệ",
    en: "the PIN is not valid",
    remedy_vi: "Dùng 4 đến 10 chữ số, hoặc bỏ trống để hệ thống tự đặt",
    remedy_en: "use 4 to 10 digits, or leave it out to have one made",
};

/// A credential that was revoked or superseded before.
pub const ALREADY_REVOKED: Code = Code {
    id: "SEND-071",
    class: Class::Input,
    vi: "Chứng nhận này đã bị thu hồi hoặc thay thế trước đó",
    en: "this credential was revoked or superseded before",
    remedy_vi: "Xem lại mã chứng nhận",
    remedy_en: "look at the credential's id again",
};

#[cfg(test)]
mod tests;
