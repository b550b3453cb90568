//! Every integration test in one binary: one link.
mod bad_input;
mod engine;
mod house;
mod http_signature_judge;
mod kill;
mod ledger;
mod playground;
mod seal_judges;
