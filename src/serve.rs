//! HTTP faces, and the stand-ins of the outside world that a training station talks to.
//!
//! [`issuer`] is what citizens' wallets talk to, behind [`front`], which anyone can reach. A stand-in speaks its contract strictly, keeps what it took across restarts, writes every effect as one line
//! of `effects.jsonl`, and fails on purpose when told to ([`mischief`]). It serves this machine only ([`loopback`]).

pub mod effects;
pub mod front;
pub mod issuer;
pub mod log_tiles;
pub mod loopback;
pub mod mischief;
pub mod mock_portal;
pub mod mock_tsa;
pub mod mock_wallet;
pub mod witness;

use crate::fault::Code;

/// Every fault of this room: of the stand-ins (`MOCK-001` to `MOCK-019`) and of what is served to others (`HTTP-…`).
pub const CODES: &[&Code] = &[
    &loopback::NOT_LOOPBACK,
    &loopback::CANNOT_LISTEN,
    &effects::STATE_UNUSABLE,
    &effects::STATE_IN_USE,
    &effects::STATE_BROKEN,
    &mock_wallet::NO_SENDERS,
    &front::CANNOT_LISTEN,
    &front::BAD_TLS,
    &issuer::BAD_PATH,
    &issuer::DOCUMENT_LOST,
];
