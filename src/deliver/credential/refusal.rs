//! What a wallet is told when it is refused: the error codes of OAuth 2.0 (RFC 6749 5.2), Bearer tokens (RFC 6750) and
//! OpenID4VCI 1.0 (6.3, 8.3.1.2, 9.3, 11.3), each with a fixed sentence. Nothing of a request comes back in it.

use crate::fault::Fault;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The error code of the protocol.
    pub error: &'static str,
    /// Why, for whoever develops wallets.
    pub why: &'static str,
}

impl Refusal {
    /// A request that is refused with status 400.
    pub const fn bad(error: &'static str, why: &'static str) -> Self {
        Refusal { status: 400, error, why }
    }

    /// No token, or one that is not good (any more) for this.
    pub const fn token(why: &'static str) -> Self {
        Refusal { status: 401, error: "invalid_token", why }
    }

    /// Something here does not work; asking later may help.
    pub fn later(fault: &Fault) -> Self {
        tracing::error!(
            code = fault.code.id,
            detail = fault.detail.as_deref(),
            "a wallet could not be served"
        );
        Refusal { status: 503, error: "temporarily_unavailable", why: "ask again later" }
    }
}
