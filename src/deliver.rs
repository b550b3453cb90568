//! Delivery: a result goes out once, and counts as delivered only when the receiver's receipt proves it.
//!
//! Bytes and values only: the rows of the outbox live in the ledger, and the engine calls in here. The rules
//! of trying again are in [`outbox`]; the two wires are [`push`] (a signed PDF to a wallet or archive, answered
//! by a signed [`receipt`]) and [`portal`] (the national portal's dossier sync).

pub mod attempt;
pub mod credential;
pub mod file_link;
pub mod link;
pub mod outbox;
pub mod pace;
pub mod portal;
pub mod push;
pub mod receipt;
pub mod signature;
pub mod wire_key;

pub use attempt::{Attempt, ReceiptBytes};

use crate::fault::Code;

/// Every fault this room can raise (`SEND-001` to `SEND-059`, `SEND-140` to `SEND-169`).
pub const CODES: &[&Code] = &[
    &link::UNREACHABLE,
    &link::TIMED_OUT,
    &link::CUT_OFF,
    &link::ANSWER_TOO_LARGE,
    &link::CLIENT_SETUP,
    &link::PLAIN_HTTP,
    &link::BAD_ADDRESS,
    &wire_key::KEY_UNREADABLE,
    &wire_key::KEY_KIND,
    &wire_key::SIGNING_FAILED,
    &wire_key::KEY_NAME,
    &signature::MALFORMED,
    &signature::UNKNOWN_KEY,
    &signature::INVALID,
    &signature::STALE,
    &signature::DIGEST_MISMATCH,
    &receipt::UNREADABLE,
    &receipt::UNKNOWN_KEY,
    &receipt::BAD_SIGNATURE,
    &receipt::MISMATCH,
    &attempt::REDIRECTED,
    &attempt::SERVER_FAILED,
    &attempt::BUSY,
    &attempt::REFUSED,
    &attempt::CONFLICT,
    &push::PARCEL_CHANGED,
    &push::NOT_A_HANDLE,
    &push::NOT_RECOGNISED,
    &push::BAD_RECIPIENT_KEY,
    &portal::NOT_LET_IN,
    &portal::FIELD_MISSING,
    &portal::FIELD_WRONG,
    &portal::LOGIN_REFUSED,
    &portal::ANSWER_UNREADABLE,
    &portal::ANSWER_UNKNOWN,
    &portal::adapter::BROKEN,
    &portal::CANNOT_ASK,
    &portal::NO_PROGRESS,
    &file_link::BAD_KEY,
    &file_link::BAD_RECIPIENT,
    &outbox::GAVE_UP,
    &outbox::RECEIPT_INVALID,
    &outbox::SINK_PAUSED,
];
