//! From a token to a credential in a wallet that says so.

use super::{Bound, Issuance, Stage, Told};
use crate::deliver::credential::jwe::Recipient;
use crate::deliver::credential::refusal::Refusal;
use crate::digest::Sha256;

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

impl Bound {
    /// What was asked for encrypted is never given out in the clear again; another key may take the place of the first.
    fn seal(&mut self, encrypt: Option<Recipient>) {
        if encrypt.is_some() {
            self.encrypt = encrypt;
        }
    }
}

impl Issuance {
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
                first.seal(bound.encrypt);
                Ok(Answer::Issued { credential: credential.clone(), notification: notification.clone() })
            }
            Stage::Pending { bound: first, .. } => {
                first.seal(bound.encrypt);
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
            Stage::Closed { .. } => denied("the wallet has it already"),
            Stage::Offered { .. } | Stage::Dead { .. } => Err(Refusal::token("the token is not known")),
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
        bound.seal(encrypt);
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
                    handed_at: deferred.then_some(now),
                };
                self.stage = issued;
                self.fields.clear();
                Ok(Answer::Issued { credential, notification })
            }
            _ => Err(Refusal::token("the token is not known")),
        }
    }

    /// Takes what the wallet says became of the credential; the same again changes nothing. What the wallet has, or does not
    /// want, is let go of.
    ///
    /// # Errors
    /// `invalid_notification_id`; 401 for a token that has ended.
    pub fn notify(&mut self, id: &str, told: Told, now: i64) -> Result<(), Refusal> {
        self.afterwards(now)?;
        let unknown = Refusal::bad("invalid_notification_id", "the notification id is not known");
        let given = Sha256::of(id.as_bytes());
        let (known, said) = match &mut self.stage {
            Stage::Issued { notification, told, .. } => (Sha256::of(notification.as_bytes()), told),
            Stage::Closed { notification, told, .. } => (*notification, told),
            _ => return Err(unknown),
        };
        if !openssl::memcmp::eq(&known.0, &given.0) {
            return Err(unknown);
        }
        if *said != Some(told) {
            *said = Some(told);
            self.event(now, "notification", None);
        }
        if told != Told::CredentialFailure {
            self.close();
        }
        Ok(())
    }

    /// Until when a token is good for what comes after the credential request: a citizen may be told to come back tomorrow.
    fn afterwards(&self, now: i64) -> Result<(), Refusal> {
        if self.token().is_none() || now >= self.afterwards_until() {
            return Err(Refusal::token("the token has expired"));
        }
        Ok(())
    }

    pub(super) fn afterwards_until(&self) -> i64 {
        self.document.until.max(self.ready_at.saturating_add(AFTERWARDS))
    }
}

/// How long after it became ready a deferred credential waits, at the least, seconds.
const AFTERWARDS: i64 = 30 * 24 * 3600;
