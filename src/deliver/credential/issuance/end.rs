//! How an issuance ends, and what is let go of then. What stays is what a revocation and an audit need: the id, digests, the
//! place on the status list, moments and outcomes, the thumbprint of the holder's key.

use super::{Issuance, Revoked, Stage};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};

impl Issuance {
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
        match self.stage {
            Stage::Offered { .. } => self.die(false),
            // It is given out no more; its token stays known, so that a wallet is told why.
            Stage::Granted(_) | Stage::Pending { .. } => self.strip(),
            Stage::Issued { .. } => self.close(),
            Stage::Dead { .. } | Stage::Closed { .. } => {}
        }
        self.event(now, if superseded_by.is_some() { "superseded" } else { "revoked" }, None);
        self.revoked = Some(Revoked { at: now, superseded_by });
        Ok(())
    }

    /// When something personal in it is to be let go of next; none where nothing is left.
    pub fn let_go_at(&self) -> Option<i64> {
        match &self.stage {
            Stage::Offered { .. } => Some(self.offer_until),
            Stage::Dead { .. } => self.holds().then_some(0),
            Stage::Granted(token) => Some(token.until),
            Stage::Pending { .. } => Some(self.afterwards_until()),
            Stage::Issued { token, transaction, handed_at, .. } => {
                // Nobody can ask for it again after that, so that nobody needs it here.
                let again = match (transaction, handed_at) {
                    (None, _) => token.until,
                    (Some(_), Some(at)) => at.saturating_add(AGAIN),
                    (Some(_), None) => i64::MAX,
                };
                Some(again.min(self.afterwards_until()))
            }
            Stage::Closed { encrypt: Some(_), .. } => Some(self.document.until),
            Stage::Closed { encrypt: None, .. } => self.holds().then_some(0),
        }
    }

    /// Lets go of what is no longer needed; says whether there was any.
    pub fn let_go(&mut self, now: i64) -> bool {
        let mut any = false;
        while self.let_go_at().is_some_and(|at| at <= now) {
            any = true;
            match &mut self.stage {
                Stage::Offered { .. } | Stage::Granted(_) | Stage::Pending { .. } => {
                    self.die(true);
                    self.event(now, "expired", None);
                }
                Stage::Issued { .. } => self.close(),
                Stage::Closed { encrypt: Some(_), .. } => self.forget_reader(),
                Stage::Dead { .. } | Stage::Closed { .. } => self.strip(),
            }
        }
        any
    }

    pub(super) fn die(&mut self, expired: bool) {
        self.stage = Stage::Dead { expired };
        self.strip();
    }

    /// Lets go of a credential that is out of our hands; nothing else is changed where there is none.
    pub(super) fn close(&mut self) {
        if let Stage::Issued { token, bound, notification, told, .. } = &self.stage {
            self.stage = Stage::Closed {
                token: token.clone(),
                key: bound.key.thumbprint(),
                notification: Sha256::of(notification.as_bytes()),
                told: *told,
                encrypt: bound.encrypt.clone(),
            };
            self.strip();
        }
    }

    fn forget_reader(&mut self) {
        if let Stage::Closed { encrypt, .. } = &mut self.stage {
            *encrypt = None;
        }
    }

    fn holds(&self) -> bool {
        !self.fields.is_empty()
            || self.pin.is_some()
            || self.holder.is_some()
            || !self.document.link.is_empty()
    }

    fn strip(&mut self) {
        self.fields.clear();
        self.pin = None;
        self.holder = None;
        self.document.link.clear();
    }
}

/// How long after it was first given out a deferred credential is given again to a wallet that lost the answer and never said what
/// became of it, seconds.
const AGAIN: i64 = 7 * 24 * 3600;

/// A credential that was revoked or superseded before.
pub const ALREADY_REVOKED: Code = Code {
    id: "SEND-071",
    class: Class::Input,
    vi: "Chứng nhận này đã bị thu hồi hoặc thay thế trước đó",
    en: "this credential was revoked or superseded before",
    remedy_vi: "Xem lại mã chứng nhận",
    remedy_en: "look at the credential's id again",
};
