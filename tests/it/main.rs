//! Every integration test in one binary: one link.
