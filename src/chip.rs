//! Chip cards: what a reading proves, and what it does not (ICAO Doc 9303).
//!
//! Readings are judged, not chips: the raw files and the evidence taken with them verify again years later without
//! the card. A verdict is never a bool, unknown is never ok, and no verdict holds a personal value.

pub mod card_qr;
pub mod caution;
pub mod chip_authentication;
pub mod clone;
pub mod compare;
pub mod country;
pub mod dg11;
pub mod dg12;
pub mod dg13;
pub mod dg7;
pub mod face;
pub mod holder;
pub mod lds;
pub mod master_list;
pub mod mrz;
mod name;
pub mod number;
pub mod portrait;
pub mod reader;
pub mod reading;
pub mod reason;
pub mod report;
pub mod security_info;
pub mod sod;
pub mod trust;
pub mod verdict;

pub use reading::Reading;
pub use trust::Trust;
pub use verdict::{Policy, Verdict, verify};

use crate::fault::Code;

/// All faults of this room.
pub const CODES: &[&Code] = &[
    &reading::NOT_A_READING,
    &reading::READING_TOO_LARGE,
    &reading::READING_VERSION,
    &reading::READING_INCOMPLETE,
    &trust::ANCHORS_UNREADABLE,
    &trust::NOT_AN_ANCHOR,
    &trust::BUNDLE_DAMAGED,
    &trust::NOT_A_LIST,
    &trust::install::LIST_OLDER,
    &trust::install::NOT_INSTALLED,
    &master_list::NOT_A_MASTER_LIST,
    &master_list::LIST_SIGNATURE,
    &master_list::LIST_SIGNER,
    &card_qr::NOT_A_CARD_QR,
    &face::MODEL_ABSENT,
    &face::MODEL_CHANGED,
    &face::MODEL_BROKEN,
];
