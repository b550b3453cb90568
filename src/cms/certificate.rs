//! What chain policy asks of a certificate beyond what OpenSSL's bindings tell: names that compare across string
//! types, exact serials, extensions, and how strong its key is.

use super::key::{self, Curve, KeyError};
use super::validity::time;
use super::{Hash, SignatureAlg};
use crate::der::{self, DerError, Reader, Tlv};
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use openssl::x509::X509Ref;
use serde::{Deserialize, Serialize};

/// The fields of a certificate, as they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Contents of the serial number's INTEGER.
    pub serial: Vec<u8>,
    /// Issuer Name, DER.
    pub issuer: Vec<u8>,
    /// Subject Name, DER.
    pub subject: Vec<u8>,
    /// Valid from; `None` for a time that cannot be read.
    pub not_before: Option<jiff::Timestamp>,
    /// Valid until; `None` for a time that cannot be read.
    pub not_after: Option<jiff::Timestamp>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// How the issuer signed it; `None` for an algorithm that is not known here.
    pub signature_alg: Option<SignatureAlg>,
    /// Extensions in order.
    pub extensions: Vec<Extension>,
}

/// One certificate extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Dotted.
    pub oid: String,
    /// Who does not know it must refuse the certificate.
    pub critical: bool,
    /// What the OCTET STRING holds.
    pub value: Vec<u8>,
}

impl Parts {
    /// Reads a certificate that OpenSSL has already accepted.
    ///
    /// # Errors
    /// BER that OpenSSL tolerates and DER forbids.
    pub fn of(certificate: &X509Ref) -> Result<Self, DerError> {
        let bytes = certificate.to_der().map_err(|_| DerError::Value { at: 0 })?;
        Parts::read(&bytes)
    }

    /// Reads a certificate's DER (RFC 5280 4.1).
    ///
    /// # Errors
    /// What is not a certificate.
    pub fn read(bytes: &[u8]) -> Result<Self, DerError> {
        let mut outer = der::only(bytes, 0x30)?.reader();
        let mut tbs = outer.expect(0x30)?.reader();
        let algorithm = outer.expect(0x30)?;
        tbs.optional(0xa0)?;
        let serial = tbs.expect(0x02)?.content.to_vec();
        tbs.expect(0x30)?;
        let issuer = tbs.expect(0x30)?.raw.to_vec();
        let mut validity = tbs.expect(0x30)?.reader();
        let (not_before, not_after) = (time(&validity.read_tlv()?), time(&validity.read_tlv()?));
        let subject = tbs.expect(0x30)?.raw.to_vec();
        let spki = tbs.expect(0x30)?.raw.to_vec();
        tbs.optional(0x81)?;
        tbs.optional(0x82)?;
        let extensions = tbs.optional(0xa3)?.map(|list| extensions(&list)).transpose()?.unwrap_or_default();
        let signature_alg = SignatureAlg::read(&algorithm, None).ok();
        Ok(Parts { serial, issuer, subject, not_before, not_after, spki, signature_alg, extensions })
    }

    /// The extension with this dotted OID.
    pub fn extension(&self, oid: &str) -> Option<&Extension> {
        self.extensions.iter().find(|e| e.oid == oid)
    }

    /// SubjectKeyIdentifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        let value = &self.extension("2.5.29.14")?.value;
        der::only(value, 0x04).ok().map(|t| t.content)
    }

    /// The key identifier of the AuthorityKeyIdentifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        let value = &self.extension("2.5.29.35")?.value;
        let mut fields = der::only(value, 0x30).ok()?.reader();
        fields.optional(0x80).ok()?.map(|t| t.content)
    }

    /// The public key holds curve parameters instead of a curve's name.
    pub fn explicit_curve(&self) -> bool {
        key::curve(&self.spki) != Curve::Named
    }

    /// The public key; see [`key::public_key`].
    ///
    /// # Errors
    /// A curve that is not known, a key that cannot be read.
    pub fn public_key(&self) -> Result<PKey<Public>, KeyError> {
        key::public_key(&self.spki)
    }
}

/// What a certificate or revocation list is signed over, and how (RFC 5280 4.1.1, 5.1.1).
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The signed part, header included.
    pub tbs: &'a [u8],
    /// The algorithm, the same inside and outside of the signed part; `None` for one that is not known here.
    pub algorithm: Option<SignatureAlg>,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the frame of a certificate or revocation list, DER.
    ///
    /// # Errors
    /// Another structure, or two different algorithms.
    pub fn read(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = der::only(bytes, 0x30)?.reader();
        let tbs = outer.expect(0x30)?;
        let algorithm = outer.expect(0x30)?;
        let bits = outer.expect(0x03)?;
        outer.end()?;
        let mut fields = tbs.reader();
        // Certificate: [0] version and a serial number stand before the algorithm; list: at most a version.
        fields.optional(0xa0)?;
        fields.optional(0x02)?;
        if fields.expect(0x30)?.raw != algorithm.raw {
            return Err(DerError::Value { at: algorithm.at });
        }
        let [0, signature @ ..] = bits.content else { return Err(DerError::Value { at: bits.at }) };
        Ok(Signed { tbs: tbs.raw, algorithm: SignatureAlg::read(&algorithm, None).ok(), signature })
    }

    /// The signature holds under this key.
    pub fn holds(&self, key: &PKeyRef<Public>) -> bool {
        self.algorithm.is_some_and(|algorithm| algorithm.verify(key, &[self.tbs], self.signature))
    }
}

/// The Extensions inside an explicit tag, of a certificate or a revocation list.
///
/// # Errors
/// Another structure, too many of them.
pub fn extensions(tagged: &Tlv<'_>) -> Result<Vec<Extension>, DerError> {
    let mut wrapper = tagged.reader();
    let mut list = wrapper.expect(0x30)?.reader();
    wrapper.end()?;
    let mut found = Vec::new();
    while !list.is_empty() {
        if found.len() == MOST_EXTENSIONS {
            return Err(DerError::Limit { what: "items", at: list.at() });
        }
        found.push(read_extension(&list.expect(0x30)?)?);
    }
    Ok(found)
}

fn read_extension(extension: &Tlv<'_>) -> Result<Extension, DerError> {
    let mut fields = extension.reader();
    let oid = fields.expect(0x06)?.oid()?;
    let critical = fields.optional(0x01)?.is_some_and(|t| t.content != [0]);
    let value = fields.expect(0x04)?.content.to_vec();
    fields.end()?;
    Ok(Extension { oid, critical, value })
}

/// A Name in a form that is equal for names that RFC 5280 7.1 calls equal: string types, letter case and runs of
/// blanks do not count, the order of the parts does.
///
/// # Errors
/// What is not a Name.
pub fn name_key(name: &[u8]) -> Result<String, DerError> {
    let mut key = String::new();
    let mut sets = der::only(name, 0x30)?.reader();
    while !sets.is_empty() {
        let mut members = Vec::new();
        let mut set = sets.expect(0x31)?.reader();
        while !set.is_empty() {
            let mut pair = set.expect(0x30)?.reader();
            let oid = pair.expect(0x06)?.oid()?;
            let value = pair.read_tlv()?;
            members.push(format!("{oid}={}", fold(&value)));
        }
        members.sort_unstable();
        key.push_str(&members.join("\u{1}"));
        key.push('\u{2}');
    }
    Ok(key)
}

/// The text of a Name's attribute with this OID (`2.5.4.6` country, `2.5.4.3` common name), the last one if there
/// are several.
pub fn name_part(name: &[u8], oid: &str) -> Option<String> {
    let mut found = None;
    let mut sets = der::only(name, 0x30).ok()?.reader();
    while let Ok(set) = sets.expect(0x31) {
        let mut set = set.reader();
        while let Ok(pair) = set.expect(0x30) {
            let mut pair = pair.reader();
            if pair.expect(0x06).ok()?.oid().ok()? == oid {
                found = text(&pair.read_tlv().ok()?);
            }
        }
    }
    found
}

fn fold(value: &Tlv<'_>) -> String {
    match text(value) {
        Some(text) => text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "),
        None => format!("#{}", hex::encode(value.raw)),
    }
}

/// The text of an ASN.1 string; `None` for a type that holds none or bytes that do not fit it.
fn text(value: &Tlv<'_>) -> Option<String> {
    match value.tag {
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => String::from_utf8(value.content.to_vec()).ok(),
        0x14 => Some(value.content.iter().map(|b| char::from(*b)).collect()),
        0x1e => {
            let (units, []) = value.content.as_chunks::<2>() else { return None };
            String::from_utf16(&units.iter().map(|u| u16::from_be_bytes(*u)).collect::<Vec<_>>()).ok()
        }
        0x1c => {
            let (units, []) = value.content.as_chunks::<4>() else { return None };
            units.iter().map(|u| char::from_u32(u32::from_be_bytes(*u))).collect()
        }
        _ => None,
    }
}

/// How strong a public key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFacts {
    /// RSA.
    Rsa {
        /// Modulus length, bits.
        bits: u32,
        /// The public exponent is 1 or 3.
        small_exponent: bool,
    },
    /// Elliptic curve.
    Ec {
        /// Order length, bits.
        bits: u32,
        /// OpenSSL's short name of the curve; `None` where the parameters are those of no known curve.
        curve: Option<String>,
        /// Written with its parameters instead of its name.
        explicit: bool,
    },
    /// Anything else, or a key that OpenSSL cannot read (a broken curve, for one).
    Other,
}

impl KeyFacts {
    /// Of a certificate's key.
    pub fn of(certificate: &X509Ref) -> Self {
        Parts::of(certificate).map_or(KeyFacts::Other, |parts| KeyFacts::of_parts(&parts))
    }

    /// Of a certificate's key.
    pub fn of_parts(parts: &Parts) -> Self {
        match parts.public_key() {
            Ok(key) => KeyFacts::of_key(&key, parts.explicit_curve()),
            Err(KeyError::Curve) => {
                KeyFacts::Ec { bits: key::claimed_bits(&parts.spki), curve: None, explicit: true }
            }
            Err(KeyError::Unreadable) => KeyFacts::Other,
        }
    }

    /// Of a bare key; whether its curve was written out is known to the caller alone.
    pub fn of_key(key: &PKeyRef<Public>, explicit: bool) -> Self {
        match key.id() {
            Id::RSA | Id::RSA_PSS => {
                let small_exponent = key.rsa().is_ok_and(|rsa| rsa.e().num_bits() <= 2);
                KeyFacts::Rsa { bits: key.bits(), small_exponent }
            }
            Id::EC => {
                let curve = key.ec_key().ok().and_then(|ec| ec.group().curve_name());
                let curve = curve.and_then(|nid| nid.short_name().ok()).map(str::to_owned);
                KeyFacts::Ec { bits: key.bits(), curve, explicit }
            }
            _ => KeyFacts::Other,
        }
    }

    /// Below what may carry a signature made today: RSA under 2048 bits or with exponent 1 or 3, curves under
    /// 250 bits, keys of unknown kind.
    pub fn is_weak(&self) -> bool {
        match self {
            KeyFacts::Rsa { bits, small_exponent } => *bits < 2048 || *small_exponent,
            KeyFacts::Ec { bits, .. } => *bits < 250,
            KeyFacts::Other => true,
        }
    }
}

/// The hash that a certificate was signed with; `None` where its algorithm is not known here.
pub fn signed_with(certificate: &X509Ref) -> Option<Hash> {
    Parts::of(certificate).ok()?.signature_alg.map(SignatureAlg::hash)
}

/// The two times of a privateKeyUsagePeriod extension (RFC 3280 4.2.1.4), GeneralizedTime text as it stands.
pub fn key_usage_period(parts: &Parts) -> Option<(Option<String>, Option<String>)> {
    let mut fields: Reader<'_> = der::only(&parts.extension("2.5.29.16")?.value, 0x30).ok()?.reader();
    let text = |t: Tlv<'_>| String::from_utf8(t.content.to_vec()).ok();
    let from = fields.optional(0x80).ok()?.and_then(text);
    let to = fields.optional(0x81).ok()?.and_then(text);
    Some((from, to))
}

/// Certificates have ten or so.
const MOST_EXTENSIONS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tag: u8, text: &[u8]) -> Vec<u8> {
        let pair = der::sequence(&[&der::oid(&[2, 5, 4, 3]), &der::tlv(tag, text)]);
        der::sequence(&[&der::set_of(&[&pair])])
    }

    #[test]
    fn names_are_equal_across_string_types_case_and_blanks() {
        let utf8 = name_key(&name(0x0c, b"CSCA  Test ")).unwrap();
        assert_eq!(utf8, name_key(&name(0x13, b"csca test")).unwrap());
        assert_eq!(utf8, name_key(&name(0x1e, b"\0C\0S\0C\0A\0 \0T\0e\0s\0t")).unwrap());
        assert_ne!(utf8, name_key(&name(0x0c, b"CSCA Tesd")).unwrap());
        assert_eq!(name_part(&name(0x0c, b"VN"), "2.5.4.3").as_deref(), Some("VN"));
        assert_eq!(name_part(&name(0x0c, b"VN"), "2.5.4.6"), None);
    }
}
