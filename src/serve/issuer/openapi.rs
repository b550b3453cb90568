//! The description of the endpoints, written by hand and tried by schemathesis.

use super::PublicUrl;

/// `openapi.json` with the paths and the address of this issuer.
pub fn text(at: &PublicUrl) -> String {
    TEMPLATE.replace("@ORIGIN@", &at.origin).replace("@PATH@", &at.path)
}

const TEMPLATE: &str = include_str!("openapi.json");
