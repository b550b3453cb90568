//! What a verifier demands beyond signatures that hold: a file of its own beside the certificates that it trusts, since
//! whom to believe and how much to ask are one decision.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// The file of a trust folder that holds it.
pub const FILE: &str = "policy.toml";

/// Demands; the default is the strictest.
///
/// ```toml
/// revocation = "not-required"
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// Whether evidence is needed that nobody's certificate was revoked.
    pub revocation: Demand,
}

/// Whether something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Without it nothing is valid.
    #[default]
    Required,
    /// Its absence is told and does not count. What speaks against a signature counts all the same.
    NotRequired,
}

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    /// [`BROKEN`], also for a key that nobody knows: a demand that was misspelt must not be taken for none.
    pub fn read(bytes: &[u8]) -> Outcome<Policy> {
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::new(&BROKEN).detail("not UTF-8"))?;
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| text.get(..s.start).unwrap_or_default().matches('\n').count());
            Fault::new(&BROKEN).detail(e.message()).at(format_args!("line {}", line + 1))
        })
    }
}

/// A policy that cannot be read.
pub const BROKEN: Code = Code {
    id: "VRFY-060",
    class: Class::Setup,
    vi: "Không đọc được chính sách kiểm tra chữ ký (policy.toml)",
    en: "the policy of verification (policy.toml) cannot be read",
    remedy_vi: "Sửa tệp; khóa được phép: revocation = \"required\" hoặc \"not-required\"",
    remedy_en: "correct the file; allowed: revocation = \"required\" or \"not-required\"",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_demands_everything_and_a_misspelt_demand_is_refused() {
        assert_eq!(Policy::read(b"").unwrap().revocation, Demand::Required);
        assert_eq!(Policy::read(b"revocation = \"not-required\"\n").unwrap().revocation, Demand::NotRequired);
        for bad in [&b"revokation = \"not-required\""[..], b"revocation = \"no\"", b"revocation = 1", b"\xff"]
        {
            assert_eq!(Policy::read(bad).unwrap_err().code.id, "VRFY-060");
        }
    }
}
