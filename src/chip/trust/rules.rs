//! What policy asks of a document signer and the authority above it (ICAO Doc 9303-12, 7.1; RFC 5280).

use super::Anchor;
use super::revocation::country_of;
use crate::cms::certificate::{Parts, name_key};
use crate::cms::validity::{Validity, private_key_period};
use crate::cms::{KeyFacts, SignatureAlg};
use crate::der;

/// A broken rule of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The document signer is itself an anchor, has an anchor's key, or may sign certificates or revocation lists.
    SignerIsAuthority,
    /// The document signer may not sign data, or only data of another kind (a master list, for one).
    SignerKeyUsage,
    /// The anchor may not sign certificates.
    AnchorNotAuthority,
    /// The anchor's key has a curve of its own, or one that is not allowed.
    AnchorCurve,
    /// The document signer was issued outside the anchor's validity.
    AnchorValidity,
    /// The document signer is not valid yet.
    SignerNotYetValid,
    /// The document signer's country is not the anchor's.
    Country,
    /// A critical extension that nobody here knows, or an extension twice.
    CriticalExtension,
    /// The anchor's own certificate is on a revocation list.
    AnchorRevoked,
}

/// What is odd about a chain and not forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// The document signer has expired; it may have been valid when it signed.
    SignerExpired,
    /// The anchor has expired since.
    AnchorExpired,
    /// The document signer lacks what Doc 9303-12 requires: key usage, authority key identifier, a country, its
    /// issuer's exact name.
    SignerProfile,
    /// The document signer was issued when the anchor's key was out of use (privateKeyUsagePeriod).
    IssuedOutsideKeyPeriod,
    /// A weak hash or key in the chain.
    Weak,
}

/// Everything that the rules find; empty lists are a good chain.
pub(super) fn judge(
    anchor: &Anchor,
    signer: &Parts,
    now: jiff::Timestamp,
    curves: &[String],
) -> (Vec<Broken>, Vec<Odd>) {
    let (mut broken, mut odd) = (Vec::new(), Vec::new());
    let mut rule = |is_broken: bool, what: Broken| {
        if is_broken {
            broken.push(what);
        }
    };
    let parts = &anchor.parts;
    let signs_certificates =
        [KEY_CERT_SIGN, CRL_SIGN].iter().any(|bit| usage_bit(signer, *bit) == Some(true));
    rule(
        signer.spki == parts.spki || is_authority(signer) != Some(false) || signs_certificates,
        Broken::SignerIsAuthority,
    );
    rule(
        usage_bit(signer, DIGITAL_SIGNATURE) == Some(false) || for_another_use(signer),
        Broken::SignerKeyUsage,
    );
    rule(!may_sign_certificates(parts), Broken::AnchorNotAuthority);
    rule(!curve_allowed(&anchor.facts, curves), Broken::AnchorCurve);
    let issued = signer.not_before;
    rule(!issued.is_some_and(|issued| Validity::of(parts).holds(issued)), Broken::AnchorValidity);
    rule(issued.is_none_or(|from| from > now), Broken::SignerNotYetValid);
    let (ours, theirs) = (country_of(&parts.subject), country_of(&signer.subject));
    // An authority that names no country contradicts nobody; what the document says of its state decides.
    rule(matches!((&ours, &theirs), (Some(ours), Some(theirs)) if ours != theirs), Broken::Country);
    rule(unknown_extension(signer), Broken::CriticalExtension);

    let same_name = matches!((name_key(&signer.issuer), name_key(&parts.subject)), (Ok(a), Ok(b)) if a == b);
    let whole = usage_bit(signer, DIGITAL_SIGNATURE).is_some()
        && signer.authority_key_id().is_some()
        && theirs.is_some()
        && same_name;
    let in_use = private_key_period(parts).is_none_or(|period| issued.is_some_and(|t| period.holds(t)));
    let weak =
        signer.signature_alg.is_none_or(|a: SignatureAlg| a.hash().is_weak()) || anchor.facts.is_weak();
    let found = [
        (signer.not_after.is_none_or(|to| to < now), Odd::SignerExpired),
        (parts.not_after.is_none_or(|to| to < now), Odd::AnchorExpired),
        (!whole, Odd::SignerProfile),
        (!in_use, Odd::IssuedOutsideKeyPeriod),
        (weak, Odd::Weak),
    ];
    odd.extend(found.into_iter().filter(|(is_odd, _)| *is_odd).map(|(_, what)| what));
    (broken, odd)
}

/// A key on a curve that is named, or whose written-out parameters are exactly those of an allowed one.
pub(crate) fn curve_allowed(facts: &KeyFacts, curves: &[String]) -> bool {
    match facts {
        KeyFacts::Rsa { .. } => true,
        KeyFacts::Ec { curve: Some(curve), .. } => curves.iter().any(|c| c == curve),
        KeyFacts::Ec { curve: None, .. } | KeyFacts::Other => false,
    }
}

/// Its basicConstraints say that it is an authority, and its key usage, where it has one, that it may sign
/// certificates. A path length needs no look: what it signs here is always the end of a chain.
pub(crate) fn may_sign_certificates(parts: &Parts) -> bool {
    is_authority(parts) == Some(true) && usage_bit(parts, KEY_CERT_SIGN) != Some(false)
}

/// The same of revocation lists.
pub(super) fn may_sign_lists(parts: &Parts) -> bool {
    is_authority(parts) == Some(true) && usage_bit(parts, CRL_SIGN) != Some(false)
}

/// The certificate may sign data, as far as its key usage says.
pub(crate) fn may_sign_data(parts: &Parts) -> Option<bool> {
    usage_bit(parts, DIGITAL_SIGNATURE)
}

/// What basicConstraints say (RFC 5280 4.2.1.9); `None` where they cannot be read.
pub(crate) fn is_authority(parts: &Parts) -> Option<bool> {
    let Some(extension) = parts.extension("2.5.29.19") else { return Some(false) };
    let mut fields = der::only(&extension.value, 0x30).ok()?.reader();
    let authority = fields.optional(0x01).ok()?.is_some_and(|flag| flag.content != [0]);
    if let Some(length) = fields.optional(0x02).ok()? {
        length.number().ok()?;
    }
    fields.end().ok()?;
    Some(authority)
}

/// The purposes of an extendedKeyUsage (RFC 5280 4.2.1.12) and whether it is critical; `None` without one, no purpose
/// where it cannot be read.
pub(crate) fn purposes(parts: &Parts) -> Option<(Vec<String>, bool)> {
    let extension = parts.extension("2.5.29.37")?;
    let mut found = Vec::new();
    if let Ok(list) = der::only(&extension.value, 0x30) {
        let mut list = list.reader();
        while let Ok(Ok(purpose)) = list.expect(0x06).map(|p| p.oid()) {
            found.push(purpose);
        }
    }
    Some((found, extension.critical))
}

/// A critical extension that is not known here, or any extension twice.
pub(crate) fn unknown_extension(parts: &Parts) -> bool {
    let twice =
        |index: usize, oid: &str| parts.extensions.iter().skip(index + 1).any(|other| other.oid == oid);
    parts
        .extensions
        .iter()
        .enumerate()
        .any(|(i, e)| (e.critical && !KNOWN_EXTENSIONS.contains(&e.oid.as_str())) || twice(i, &e.oid))
}

/// A document signer has no extended key usage (Doc 9303-12, 7.1.1): one that has was made for something else.
fn for_another_use(signer: &Parts) -> bool {
    purposes(signer).is_some_and(|(found, _)| !found.iter().any(|p| p == ANY_PURPOSE))
}

/// A bit of keyUsage; `None` without the extension.
fn usage_bit(parts: &Parts, bit: u8) -> Option<bool> {
    let extension = parts.extension("2.5.29.15")?;
    let bits = der::only(&extension.value, 0x03).ok().and_then(|t| t.content.get(1).copied());
    Some(bits.is_some_and(|bits| bits & (0x80 >> bit) != 0))
}

/// countryName.
pub(crate) const COUNTRY: &str = "2.5.4.6";
const ANY_PURPOSE: &str = "2.5.29.37.0";
const DIGITAL_SIGNATURE: u8 = 0;
const KEY_CERT_SIGN: u8 = 5;
const CRL_SIGN: u8 = 6;
/// keyUsage, basicConstraints, extendedKeyUsage, certificatePolicies, key identifiers, alternative names,
/// distribution points, privateKeyUsagePeriod, documentType.
const KNOWN_EXTENSIONS: [&str; 11] = [
    "2.5.29.15",
    "2.5.29.19",
    "2.5.29.37",
    "2.5.29.32",
    "2.5.29.14",
    "2.5.29.35",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.31",
    "2.5.29.16",
    "2.23.136.1.1.6.2",
];
