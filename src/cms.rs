//! CMS SignedData (RFC 5652): what chips, signed PDFs and time stamps carry. The structure is read here, bounded and
//! after BER is made DER; OpenSSL only does the arithmetic. Whom to trust is decided elsewhere.
//!
//! The algorithm of a signature is what its SignerInfo says, never what the certificate suggests. Certificates and
//! revocation lists inside a message are claims of the sender.

pub mod algorithm;
pub mod certificate;
mod check;
pub mod key;
pub mod known;
pub mod validity;

pub use algorithm::{Hash, SignatureAlg};
pub use certificate::{KeyFacts, Parts, name_key};
pub use check::{Content, Over, Problem, SignerCheck};

use crate::der::{self, DerError, Limits, Reader, Tlv};
use openssl::x509::{X509, X509Ref};

/// A parsed SignedData.
#[derive(Debug, Clone)]
pub struct SignedData {
    /// Type of what is signed, dotted.
    pub econtent_type: String,
    /// What is signed; `None` where it lies outside (PDF).
    pub econtent: Option<Vec<u8>>,
    /// Certificates that came along, in order.
    pub certificates: Vec<X509>,
    /// CertificateLists that came along, DER, in order.
    pub crls: Vec<Vec<u8>>,
    /// Signers in order.
    pub signers: Vec<SignerInfo>,
}

/// One signer of a [`SignedData`].
#[derive(Debug, Clone)]
pub struct SignerInfo {
    /// Whose certificate.
    pub sid: Sid,
    /// The hash of the contents.
    pub digest: Hash,
    /// Signed attributes as a SET OF (`0x31`), in the order sent: the bytes that the signature is over.
    pub signed_attrs_raw: Option<Vec<u8>>,
    /// Signed attributes in the order sent.
    pub attributes: Vec<Attribute>,
    /// Unsigned attributes in the order sent.
    pub unsigned: Vec<Attribute>,
    /// How it was signed.
    pub signature_alg: SignatureAlg,
    /// The signature.
    pub signature: Vec<u8>,
}

/// How a signer points to its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sid {
    /// By issuer and serial number.
    IssuerSerial {
        /// Name, DER.
        issuer_der: Vec<u8>,
        /// Contents of the INTEGER.
        serial: Vec<u8>,
    },
    /// By SubjectKeyIdentifier.
    KeyId(Vec<u8>),
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Type, dotted.
    pub oid: String,
    /// Values, whole DER elements.
    pub values: Vec<Vec<u8>>,
}

/// Why bytes are not a SignedData that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    /// Not BER, not the structure, or over a limit.
    #[error(transparent)]
    Der(#[from] DerError),
    /// A ContentInfo of another type.
    #[error("the content type is not signedData")]
    NotSignedData,
    /// A certificate that OpenSSL cannot read.
    #[error("certificate {index} cannot be read")]
    Certificate {
        /// Counted from 0.
        index: usize,
    },
    /// A signature or digest algorithm that is not known here.
    #[error("the algorithm at byte {at} is not supported")]
    Algorithm {
        /// Offset after normalisation.
        at: usize,
    },
    /// More certificates, lists or signers than anyone sends.
    #[error("more than {limit} {what}")]
    TooMany {
        /// `certificates`, `crls`, `signers` or `attributes`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Reads a ContentInfo with SignedData, DER or BER, and nothing after it.
///
/// # Errors
/// See [`CmsError`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<SignedData, CmsError> {
    parse_der(&der::normalise(bytes, limits)?)
}

/// The same for a container that pads (PDF `/Contents`): zero bytes may follow, nothing else.
///
/// # Errors
/// See [`CmsError`].
pub fn parse_padded(bytes: &[u8], limits: &Limits) -> Result<SignedData, CmsError> {
    let (normal, used) = der::normalise_prefix(bytes, limits)?;
    match bytes[used..].iter().position(|b| *b != 0) {
        Some(extra) => Err(DerError::Trailing { at: used + extra }.into()),
        None => parse_der(&normal),
    }
}

impl SignerInfo {
    /// This signer's certificate among those given: by serial number and name, or by key identifier.
    pub fn certificate<'c>(&self, among: &'c [X509]) -> Option<&'c X509> {
        among.iter().find(|c| self.is_of(c))
    }

    /// Does this signer point to that certificate?
    pub fn is_of(&self, certificate: &X509Ref) -> bool {
        let Ok(facts) = known::facts(certificate) else { return false };
        let parts = &facts.parts;
        match &self.sid {
            Sid::KeyId(id) => parts.subject_key_id() == Some(id),
            Sid::IssuerSerial { issuer_der, serial } => {
                let same_name =
                    || matches!((name_key(issuer_der), name_key(&parts.issuer)), (Ok(a), Ok(b)) if a == b);
                *serial == parts.serial && same_name()
            }
        }
    }

    /// The signed attributes of this type.
    pub fn attributes_of<'s>(&'s self, oid: &'s str) -> impl Iterator<Item = &'s Attribute> {
        self.attributes.iter().filter(move |a| a.oid == oid)
    }
}

fn parse_der(bytes: &[u8]) -> Result<SignedData, CmsError> {
    let mut info = der::only(bytes, 0x30)?.reader();
    if info.expect(0x06)?.oid()? != SIGNED_DATA {
        return Err(CmsError::NotSignedData);
    }
    let explicit = info.expect(0xa0)?;
    info.end()?;
    let mut wrapper = explicit.reader();
    let mut fields = wrapper.expect(0x30)?.reader();
    wrapper.end()?;
    fields.expect(0x02)?;
    fields.expect(0x31)?;
    let mut content = fields.expect(0x30)?.reader();
    let econtent_type = content.expect(0x06)?.oid()?;
    let econtent = match content.optional(0xa0)? {
        Some(inner) => {
            let mut inner = inner.reader();
            let octets = inner.expect(0x04)?.content.to_vec();
            inner.end()?;
            Some(octets)
        }
        None => None,
    };
    content.end()?;
    let mut certificates = Vec::new();
    if let Some(set) = fields.optional(0xa0)? {
        for (index, item) in members(set.reader(), "certificates", MOST_CERTIFICATES)?.iter().enumerate() {
            // Other choices (attribute certificates) are tagged and of no use here.
            if item.tag == 0x30 {
                certificates.push(known::certificate(item.raw).map_err(|_| CmsError::Certificate { index })?);
            }
        }
    }
    let mut crls = Vec::new();
    if let Some(set) = fields.optional(0xa1)? {
        let lists = members(set.reader(), "crls", MOST_CRLS)?;
        crls.extend(lists.iter().filter(|i| i.tag == 0x30).map(|i| i.raw.to_vec()));
    }
    let set = fields.expect(0x31)?;
    fields.end()?;
    let signers = members(set.reader(), "signers", MOST_SIGNERS)?;
    let signers = signers.iter().map(read_signer).collect::<Result<_, _>>()?;
    Ok(SignedData { econtent_type, econtent, certificates, crls, signers })
}

fn read_signer(signer: &Tlv<'_>) -> Result<SignerInfo, CmsError> {
    if signer.tag != 0x30 {
        return Err(DerError::Unexpected { at: signer.at, wanted: 0x30, found: signer.tag }.into());
    }
    let mut fields = signer.reader();
    fields.expect(0x02)?;
    let sid = match fields.optional(0x80)? {
        Some(id) => Sid::KeyId(id.content.to_vec()),
        None => {
            let mut pair = fields.expect(0x30)?.reader();
            let issuer_der = pair.expect(0x30)?.raw.to_vec();
            let serial = pair.expect(0x02)?.content.to_vec();
            pair.end()?;
            Sid::IssuerSerial { issuer_der, serial }
        }
    };
    let digest = Hash::read(&fields.expect(0x30)?).map_err(unknown_algorithm)?;
    let (mut signed_attrs_raw, mut attributes) = (None, Vec::new());
    if let Some(set) = fields.optional(0xa0)? {
        attributes = read_attributes(set.reader())?;
        let mut raw = set.raw.to_vec();
        raw[0] = 0x31;
        signed_attrs_raw = Some(raw);
    }
    let signature_alg = SignatureAlg::read(&fields.expect(0x30)?, Some(digest)).map_err(unknown_algorithm)?;
    let signature = fields.expect(0x04)?.content.to_vec();
    let unsigned = match fields.optional(0xa1)? {
        Some(set) => read_attributes(set.reader())?,
        None => Vec::new(),
    };
    fields.end()?;
    Ok(SignerInfo { sid, digest, signed_attrs_raw, attributes, unsigned, signature_alg, signature })
}

fn read_attributes(set: Reader<'_>) -> Result<Vec<Attribute>, CmsError> {
    let mut out = Vec::new();
    for item in members(set, "attributes", MOST_ATTRIBUTES)? {
        if item.tag != 0x30 {
            return Err(DerError::Unexpected { at: item.at, wanted: 0x30, found: item.tag }.into());
        }
        let mut pair = item.reader();
        let oid = pair.expect(0x06)?.oid()?;
        let values = members(pair.expect(0x31)?.reader(), "attributes", MOST_ATTRIBUTES)?;
        pair.end()?;
        out.push(Attribute { oid, values: values.iter().map(|v| v.raw.to_vec()).collect() });
    }
    Ok(out)
}

fn members<'a>(mut set: Reader<'a>, what: &'static str, limit: usize) -> Result<Vec<Tlv<'a>>, CmsError> {
    let mut out = Vec::new();
    while !set.is_empty() {
        if out.len() == limit {
            return Err(CmsError::TooMany { what, limit });
        }
        out.push(set.read_tlv()?);
    }
    Ok(out)
}

fn unknown_algorithm(error: DerError) -> CmsError {
    match error {
        DerError::Value { at } => CmsError::Algorithm { at },
        other => other.into(),
    }
}

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
/// A master list carries its signer and root in the certificates and the list itself in the contents.
const MOST_CERTIFICATES: usize = 64;
const MOST_CRLS: usize = 64;
const MOST_SIGNERS: usize = 16;
const MOST_ATTRIBUTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs the OpenSSL command line, which signs everything that is tested here.
    fn openssl(dir: &std::path::Path, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn signed(key: &str, sign: &str) -> (tempfile::TempDir, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        openssl(
            dir.path(),
            &format!("req -x509 {key} -nodes -keyout key.pem -subj /C=VN/CN=TEST -days 30 -out cert.pem"),
        );
        std::fs::write(dir.path().join("content.bin"), b"what is signed").unwrap();
        let common =
            "cms -sign -binary -in content.bin -signer cert.pem -inkey key.pem -outform DER -out out.der";
        openssl(dir.path(), &format!("{common} {sign}"));
        let bytes = std::fs::read(dir.path().join("out.der")).unwrap();
        (dir, bytes)
    }

    const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";

    fn check(data: &SignedData) -> SignerCheck {
        let signer = &data.signers[0];
        let certificate = signer.certificate(&data.certificates).unwrap();
        signer.check_signature(certificate, &data.econtent_type, &[b"what is ", b"signed"])
    }

    #[test]
    fn what_openssl_signs_holds_for_every_kind_of_key_and_encoding() {
        let rsa = "-newkey rsa:2048";
        let pss = "-nodetach -md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32";
        let explicit = "-newkey ec -pkeyopt ec_paramgen_curve:brainpoolP256r1 -pkeyopt ec_param_enc:explicit";
        for (key, sign) in [
            (EC, "-nodetach"),
            (EC, "-nodetach -stream"),
            (EC, "-keyid"),
            (EC, "-noattr -nodetach"),
            (rsa, "-nodetach -md sha512"),
            (rsa, pss),
            (explicit, "-nodetach -stream -md sha256"),
        ] {
            let (_dir, bytes) = signed(key, sign);
            let data = parse(&bytes, &Limits::default()).unwrap();
            assert_eq!(data.econtent.is_some(), sign.contains("-nodetach"), "{sign}");
            let check = check(&data);
            assert!(check.holds(), "{key} {sign}: {check:?}");
            assert_eq!(check.message_digest.is_none(), sign.contains("-noattr"));
        }
    }

    #[test]
    fn a_changed_content_and_a_changed_signature_are_told_apart() {
        let (_dir, bytes) = signed(EC, "-nodetach");
        let mut data = parse(&bytes, &Limits::default()).unwrap();
        let certificate = data.certificates[0].clone();
        let other = data.signers[0].check_signature(&certificate, &data.econtent_type, &[b"another"]);
        assert_eq!((other.signature, other.message_digest), (true, Some(false)));
        let retyped = data.signers[0].check_signature(&certificate, "2.23.136.1.1.1", &[b"what is signed"]);
        assert_eq!((retyped.content_type, retyped.holds()), (Some(false), false));
        let last = data.signers[0].signature.len() - 1;
        data.signers[0].signature[last] ^= 1;
        let broken = check(&data);
        assert_eq!((broken.signature, broken.message_digest), (false, Some(true)));
    }

    #[test]
    fn a_missing_and_a_repeated_attribute_are_told_apart() {
        let (_dir, bytes) = signed(EC, "-nodetach");
        let data = parse(&bytes, &Limits::default()).unwrap();
        let mut without = data.clone();
        without.signers[0].attributes.retain(|a| a.oid != "1.2.840.113549.1.9.4");
        assert_eq!(check(&without).problems, [Problem::MissingMessageDigest]);
        let mut twice = data.clone();
        let again = twice.signers[0].attributes_of("1.2.840.113549.1.9.3").next().unwrap().clone();
        twice.signers[0].attributes.push(again);
        assert_eq!(check(&twice).problems, [Problem::RepeatedContentType]);
    }

    #[test]
    fn attributes_sent_out_of_order_but_signed_in_order_hold_and_say_so() {
        let (_dir, bytes) = signed(EC, "-nodetach");
        let mut data = parse(&bytes, &Limits::default()).unwrap();
        let raw = data.signers[0].signed_attrs_raw.clone().unwrap();
        let mut reader = der::only(&raw, 0x31).unwrap().reader();
        let mut parts = Vec::new();
        while !reader.is_empty() {
            parts.push(reader.read_tlv().unwrap().raw);
        }
        parts.reverse();
        data.signers[0].signed_attrs_raw = Some(der::tlv(0x31, &parts.concat()));
        let check = check(&data);
        assert!(check.holds());
        assert_eq!(check.over, Over::AttributesSorted);
    }

    #[test]
    fn the_signer_is_found_whatever_the_string_type_of_its_name() {
        let (_dir, bytes) = signed(EC, "-nodetach");
        let mut data = parse(&bytes, &Limits::default()).unwrap();
        if let Sid::IssuerSerial { issuer_der, .. } = &mut data.signers[0].sid {
            let at = issuer_der.windows(2).rposition(|w| w == [0x0c, 4]).unwrap();
            issuer_der[at] = 0x13;
        }
        assert!(check(&data).holds());
    }

    #[test]
    fn padding_is_zeros_or_nothing() {
        let (_dir, bytes) = signed(EC, "-stream -nodetach");
        let padded = [&bytes[..], &[0; 40]].concat();
        assert!(parse(&padded, &Limits::default()).is_err());
        assert!(parse_padded(&padded, &Limits::default()).is_ok());
        let other = [&padded[..], &[1]].concat();
        let trailing = CmsError::Der(DerError::Trailing { at: padded.len() });
        assert_eq!(parse_padded(&other, &Limits::default()).unwrap_err(), trailing);
    }

    #[test]
    fn every_cut_is_refused_and_every_flipped_byte_is_survived() {
        let (_dir, bytes) = signed(EC, "-nodetach");
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length], &Limits::default()).is_err());
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x41;
            if let Ok(data) = parse(&flipped, &Limits::default()) {
                for signer in &data.signers {
                    let _ = signer.certificate(&data.certificates);
                }
            }
        }
    }

    #[test]
    fn a_published_master_list_holds_under_the_signer_it_names() {
        let shared = std::env::var("HOSO_SHARED_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
        let path = std::path::Path::new(&shared).join("identity/master-list-de/DE_ML_2026-05-28.ml");
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("skipped: no {}", path.display());
            return;
        };
        let data = parse(&bytes, &Limits::default()).unwrap();
        let signer = &data.signers[0];
        let certificate = signer.certificate(&data.certificates).unwrap();
        let content = data.econtent.as_deref().unwrap();
        let check = signer.check_signature(certificate, "2.23.136.1.1.2", &[content]);
        assert!(check.holds(), "{check:?}");
        let mut list = der::only(content, 0x30).unwrap().reader();
        list.expect(0x02).unwrap();
        let mut members = list.expect(0x31).unwrap().reader();
        let (mut count, mut explicit, mut named) = (0, 0, 0);
        while !members.is_empty() {
            let member = X509::from_der(members.expect(0x30).unwrap().raw).unwrap();
            count += 1;
            if let KeyFacts::Ec { curve, explicit: true, .. } = KeyFacts::of(&member) {
                (explicit, named) = (explicit + 1, named + i32::from(curve.is_some()));
            }
        }
        assert_eq!((count, explicit, named), (588, 160, 160));
    }
}
