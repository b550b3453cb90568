//! HTTP faces, and the stand-ins of the outside world that a training station talks to.
//!
//! Behind [`front`], which anyone can reach: [`receiver`] is what other stations send to, [`intake`] and [`status`] what programs of
//! the office hand in to and ask, [`issuer`] what citizens' wallets talk to, [`health`] and [`metrics`] what keeps an eye on it. A stand-in speaks its contract strictly, keeps what it took across restarts, writes every effect as one line
//! of `effects.jsonl`, and fails on purpose when told to ([`mischief`]). It serves this machine only ([`loopback`]).

mod body;
pub mod effects;
pub mod files;
pub mod front;
pub mod health;
pub mod intake;
pub mod issuer;
pub mod log_tiles;
pub mod loopback;
pub mod metrics;
pub mod mischief;
pub mod mock_portal;
pub mod mock_tsa;
pub mod mock_wallet;
pub mod openapi;
pub mod problem;
pub mod receiver;
pub mod status;
pub mod tokens;
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
    &mischief::BAD_FAULTS,
    &files::NO_AUDIT,
    &files::LOST,
    &front::CANNOT_LISTEN,
    &front::BAD_TLS,
    &receiver::inbox::UNAVAILABLE,
    &receiver::inbox::OTHER_VERSION,
    &receiver::BAD_SENDER,
    &receiver::CONFLICT,
    &receiver::FAILURE,
    &receiver::NO_ROOM,
    &health::NOT_READY,
    &health::NO_ROOM,
    &health::CLOCK,
    &intake::FAILURE,
    &issuer::BAD_PATH,
    &issuer::DOCUMENT_LOST,
];
