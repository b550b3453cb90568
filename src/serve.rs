//! HTTP faces, and the stand-ins of the outside world that a training station talks to.
//!
//! A stand-in speaks its contract strictly, keeps what it took across restarts, writes every effect as one line
//! of `effects.jsonl`, and fails on purpose when told to ([`mischief`]). It serves this machine only ([`loopback`]).

pub mod effects;
pub mod issuer;
pub mod loopback;
pub mod mischief;
pub mod mock_portal;
pub mod mock_tsa;
pub mod mock_wallet;

use crate::fault::Code;

/// Every fault the stand-ins can raise (`MOCK-001` to `MOCK-019`).
pub const CODES: &[&Code] = &[
    &loopback::NOT_LOOPBACK,
    &loopback::CANNOT_LISTEN,
    &effects::STATE_UNUSABLE,
    &effects::STATE_IN_USE,
    &effects::STATE_BROKEN,
    &mock_wallet::NO_SENDERS,
    &issuer::BAD_PATH,
    &issuer::DOCUMENT_LOST,
];
