//! Whether a signature holds (RFC 5652 5.4 and 5.6), told apart check by check.

use super::key::KeyError;
use super::{Attribute, Hash, SignerInfo, known};
use crate::der;
use openssl::x509::X509Ref;
use serde::{Deserialize, Serialize};

/// What a signer's signature proves about the contents, given a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerCheck {
    /// The signature holds under the certificate's key.
    pub signature: bool,
    /// Which bytes it was checked over; those it holds over, if any.
    pub over: Over,
    /// The messageDigest attribute equals the hash of the contents; `None` without signed attributes, where the
    /// signature itself covers the contents, or without exactly one such attribute.
    pub message_digest: Option<bool>,
    /// The contentType attribute equals the type of the contents; `None` as above.
    pub content_type: Option<bool>,
    /// What is wrong with the attributes themselves.
    pub problems: Vec<Problem>,
}

impl SignerCheck {
    /// Everything that must hold does.
    pub fn holds(&self) -> bool {
        self.signature
            && self.message_digest != Some(false)
            && self.content_type != Some(false)
            && self.problems.iter().all(|p| *p == Problem::NoSignedAttributes)
    }
}

/// What the signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The signed attributes as sent.
    AttributesAsSent,
    /// The signed attributes put into DER order, which they were not sent in.
    AttributesSorted,
    /// The contents; there are no signed attributes.
    Content,
}

/// What is wrong with signed attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// There are none; allowed only for contents of type `data` (RFC 5652 5.3), met elsewhere too.
    NoSignedAttributes,
    /// No messageDigest.
    MissingMessageDigest,
    /// More than one messageDigest, or one with other than one value.
    RepeatedMessageDigest,
    /// No contentType.
    MissingContentType,
    /// More than one contentType, or one with other than one value.
    RepeatedContentType,
    /// The certificate's key cannot be read.
    Key,
}

/// What is signed, wherever it lies.
pub trait Content {
    /// Its digest; `None` where it cannot be read, or this OpenSSL refuses the hash.
    fn digest(&self, hash: Hash) -> Option<Vec<u8>>;

    /// Gives all of it in parts, in order; `None` where it cannot be read.
    fn each(&self, take: &mut dyn FnMut(&[u8])) -> Option<()>;
}

impl Content for &[&[u8]] {
    fn digest(&self, hash: Hash) -> Option<Vec<u8>> {
        hash.digest(self)
    }

    fn each(&self, take: &mut dyn FnMut(&[u8])) -> Option<()> {
        self.iter().for_each(|part| take(part));
        Some(())
    }
}

impl SignerInfo {
    /// Checks this signer's signature with a certificate. `content` is the contents in parts laid end to end (a
    /// signed PDF has a hole in the middle), `content_type` the type that encloses them, dotted.
    pub fn check_signature(
        &self,
        certificate: &X509Ref,
        content_type: &str,
        content: &[&[u8]],
    ) -> SignerCheck {
        self.check_content(certificate, content_type, &content)
    }

    /// As [`SignerInfo::check_signature`], of contents that need not be in memory.
    pub fn check_content(
        &self,
        certificate: &X509Ref,
        content_type: &str,
        content: &dyn Content,
    ) -> SignerCheck {
        let mut check = SignerCheck {
            signature: false,
            over: Over::Content,
            message_digest: None,
            content_type: None,
            problems: Vec::new(),
        };
        let key =
            known::facts(certificate).map_err(|_| KeyError::Unreadable).and_then(|facts| facts.public_key());
        let verify = |over: &dyn Content| {
            key.as_ref().is_ok_and(|key| self.signature_alg.verify_content(key, over, &self.signature))
        };
        if key.is_err() {
            check.problems.push(Problem::Key);
        }
        let Some(raw) = &self.signed_attrs_raw else {
            check.problems.push(Problem::NoSignedAttributes);
            check.signature = verify(content);
            return check;
        };
        check.over = Over::AttributesAsSent;
        check.signature = verify(&&[&raw[..]][..]);
        if !check.signature
            && let Some(sorted) = sorted(raw)
            && verify(&&[&sorted[..]][..])
        {
            (check.signature, check.over) = (true, Over::AttributesSorted);
        }
        match single(self.attributes_of(MESSAGE_DIGEST)) {
            Single::One(value) => {
                let said = der::only(value, 0x04).map(|t| t.content);
                let is = content.digest(self.digest);
                check.message_digest = Some(matches!((said, is), (Ok(said), Some(is)) if said == is));
            }
            Single::None => check.problems.push(Problem::MissingMessageDigest),
            Single::Many => check.problems.push(Problem::RepeatedMessageDigest),
        }
        match single(self.attributes_of(CONTENT_TYPE)) {
            Single::One(value) => {
                let said = der::only(value, 0x06).and_then(|t| t.oid());
                check.content_type = Some(said.is_ok_and(|said| said == content_type));
            }
            Single::None => check.problems.push(Problem::MissingContentType),
            Single::Many => check.problems.push(Problem::RepeatedContentType),
        }
        check
    }

    /// The claimed signingTime attribute (RFC 5652 11.3), as it stands: `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
    pub fn signing_time(&self) -> Option<String> {
        let Single::One(value) = single(self.attributes_of(SIGNING_TIME)) else { return None };
        let time = der::Reader::new(value).read_tlv().ok()?;
        matches!(time.tag, 0x17 | 0x18).then(|| String::from_utf8(time.content.to_vec()).ok())?
    }
}

enum Single<'a> {
    None,
    One(&'a [u8]),
    Many,
}

fn single<'a>(mut found: impl Iterator<Item = &'a Attribute>) -> Single<'a> {
    match (found.next(), found.next()) {
        (None, _) => Single::None,
        (Some(one), None) if one.values.len() == 1 => Single::One(&one.values[0]),
        _ => Single::Many,
    }
}

/// A SET OF put into DER order; `None` where it already is.
fn sorted(set: &[u8]) -> Option<Vec<u8>> {
    let mut reader = der::only(set, 0x31).ok()?.reader();
    let mut parts = Vec::new();
    while !reader.is_empty() {
        parts.push(reader.read_tlv().ok()?.raw);
    }
    let sorted = der::set_of(&parts);
    (sorted != set).then_some(sorted)
}

const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
