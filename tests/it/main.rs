//! Every integration test in one binary: one link.
mod bad_input;
mod http_signature_judge;
mod seal_judges;
