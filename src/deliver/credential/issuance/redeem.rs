//! From an offer to a token.

use super::{Issuance, Stage, Token};
use crate::deliver::credential::refusal::Refusal;
use crate::deliver::credential::secret;

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
                        self.die(false);
                    }
                    return Err(Refusal::bad("invalid_grant", "the transaction code is wrong"));
                }
            }
        }
        let token = Token {
            digest: secret::stored("token", token),
            until: now.saturating_add(TOKEN_LIFE),
            spared: false,
        };
        self.stage = Stage::Granted(token);
        self.pin = None;
        Ok(())
    }

    /// Remembers that the wallet that has just redeemed it refuses a deferred answer with a `notification_id`, which OpenID4VCI 1.0, 9.2
    /// allows: it is left out for that one then, where the answer is not encrypted.
    pub fn spare_notification(&mut self) {
        if let Stage::Granted(token) = &mut self.stage {
            token.spared = true;
        }
    }
}

/// Wrong PINs until an offer is dead.
pub const TRIES: u8 = 5;
/// How long a token is good for asking for a credential, seconds.
pub const TOKEN_LIFE: i64 = 600;
