//! Every integration test in one binary: one link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at its first surprise; the exception for tests does not reach their helpers"
)]

mod anchors;
mod awaits_stamp;
mod bad_input;
#[cfg(feature = "pcsc")]
mod card;
#[allow(dead_code, reason = "the card can do more than these tests ask for")]
#[path = "../card/mod.rs"]
mod chip_card;
mod chip_reading;
mod deliver;
mod engine;
mod evidence;
mod house;
mod http_signature_judge;
mod issuer;
mod keys;
mod kill;
mod ledger;
mod levels;
mod log;
mod looks;
mod mocks;
mod offer;
mod outbox;
mod playground;
mod portal;
mod privacy;
mod proxy;
mod receiver;
mod sandbox;
mod scan;
mod seal_judges;
mod sheet_judges;
mod verify_command;
mod verify_judges;
