//! What certificates are for: which may issue others, and which may sign documents or stamp time (RFC 5280 section 4.2,
//! RFC 3161 section 2.3).

use super::constraints;
use crate::cms::certificate::Extension;
use crate::cms::{Parts, SignatureAlg, known};
use crate::der;
use crate::seal::key::preflight::{UNDERSTOOD, USES};
use openssl::x509::X509Ref;

/// What the end certificate must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Document,
    TimeStamp,
}

/// A CA that may have `below` further CAs under it, and asks for nothing that is not understood.
pub(super) fn may_issue(certificate: &X509Ref, below: usize) -> bool {
    let Ok(facts) = known::facts(certificate) else { return false };
    let parts = &facts.parts;
    let constraints = parts.extension("2.5.29.19").and_then(|e| {
        let mut fields = der::only(&e.value, 0x30).ok()?.reader();
        let ca = fields.optional(0x01).ok()?.is_some_and(|b| b.content != [0]);
        let limit = match fields.optional(0x02).ok()? {
            Some(limit) => Some(limit.number().ok()?),
            None => None,
        };
        Some((ca, limit))
    });
    let Some((true, limit)) = constraints else { return false };
    let room = limit.is_none_or(|l| below as u64 <= l);
    room && understood(parts) && issuer_bits(parts, KEY_USAGE_CERT_SIGN)
}

/// Strong enough to be below an anchor, and asks for nothing that is not understood.
pub(super) fn strong(certificate: &X509Ref) -> bool {
    let Ok(facts) = known::facts(certificate) else { return false };
    understood(&facts.parts)
        && !facts.key_facts().is_weak()
        && facts.parts.signature_alg.map(SignatureAlg::hash).is_some_and(|hash| !hash.is_weak())
}

/// The first critical extension that nobody here understands.
pub(super) fn foreign_demand(certificate: &X509Ref) -> Option<String> {
    let facts = known::facts(certificate).ok()?;
    facts.parts.extensions.iter().find(|e| is_foreign(e)).map(|e| e.oid.clone())
}

fn understood(parts: &Parts) -> bool {
    !parts.extensions.iter().any(is_foreign)
}

fn is_foreign(extension: &Extension) -> bool {
    let oid = extension.oid.as_str();
    extension.critical && !UNDERSTOOD.contains(&oid) && !constraints::KNOWN.contains(&oid)
}

/// Whether the end certificate may be used for this.
pub(super) fn usable(end: &X509Ref, purpose: Purpose) -> bool {
    let Ok(facts) = known::facts(end) else { return false };
    let parts = &facts.parts;
    let extended = parts.extension("2.5.29.37").map(|e| (e.critical, oids(&e.value)));
    match purpose {
        Purpose::TimeStamp => {
            // RFC 3161 section 2.3: critical, and this use alone.
            matches!(extended, Some((true, uses)) if uses == ["1.3.6.1.5.5.7.3.8"])
                && key_usage(parts).is_none_or(|bits| bits & (KEY_USAGE_SIGN | KEY_USAGE_COMMIT) != 0)
        }
        Purpose::Document => {
            let fits = extended.is_none_or(|(_, uses)| uses.iter().any(|u| USES.contains(&u.as_str())));
            fits && key_usage(parts).is_some_and(|bits| bits & KEY_USAGE_COMMIT != 0)
        }
    }
}

fn oids(value: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let Ok(list) = der::only(value, 0x30) else { return out };
    let mut reader = list.reader();
    while let Ok(oid) = reader.expect(0x06) {
        out.extend(oid.oid());
    }
    out
}

/// The first octet of the key usage bits; none where the extension is absent or malformed.
fn key_usage(parts: &Parts) -> Option<u8> {
    let bits = der::only(&parts.extension("2.5.29.15")?.value, 0x03).ok()?.content;
    bits.get(1).copied()
}

fn issuer_bits(parts: &Parts, wanted: u8) -> bool {
    parts.extension("2.5.29.15").is_none() || key_usage(parts).is_some_and(|bits| bits & wanted != 0)
}

const KEY_USAGE_SIGN: u8 = 0x80;
const KEY_USAGE_COMMIT: u8 = 0x40;
const KEY_USAGE_CERT_SIGN: u8 = 0x04;
