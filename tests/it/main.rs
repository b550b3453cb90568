//! Every integration test in one binary: one link.
mod seal_judges;
