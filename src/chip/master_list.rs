//! Master lists (ICAO Doc 9303-12, 9): the country signing certificates that a state or ICAO vouches for, signed.
//!
//! A list is believed where a certificate signed it that its publisher's own authority issued for signing lists, and
//! the operator pinned that authority. What the list carries along, its own root too, is no trust. Every byte that the
//! signatures do not cover is checked to be the one that it can only be.

use super::trust::{
    Anchor, COUNTRY, curve_allowed, is_authority, may_sign_certificates, may_sign_data, purposes,
    unknown_extension,
};
use crate::cms::certificate::{Parts, Signed, name_key, name_part};
use crate::cms::validity::{Validity, time};
use crate::cms::{self, Hash, KeyFacts, Sid, SignatureAlg, SignedData, SignerInfo};
use crate::der::{self, DerError, Limits, Reader, Tlv};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::x509::X509;

/// A list whose signature holds under a pinned root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterList {
    /// SHA-256 of the list as received.
    pub sha256: Sha256,
    /// When it was signed, as its signer says; inside the signer's validity.
    pub signed_at: jiff::Timestamp,
    /// The certificate that signed it.
    pub signer: Parts,
    /// SHA-256 of that certificate.
    pub signer_sha256: Sha256,
    /// SHA-256 of the pinned root above it.
    pub root_sha256: Sha256,
    /// The root's subject, DER: whose list this is.
    pub publisher: Vec<u8>,
    /// The certificates, DER, as they stand in the list; not judged.
    pub certificates: Vec<Vec<u8>>,
}

/// Reads and verifies a list. `roots` are those that the operator pinned, `curves` OpenSSL's names of the curves that
/// may be used.
///
/// # Errors
/// `CHIP-013` for what is no list or over a limit, `CHIP-014` where the signature does not hold, `CHIP-015` where its
/// signer may not sign lists or no pinned root issued it.
pub fn verify(
    bytes: &[u8],
    roots: &[Anchor],
    now: jiff::Timestamp,
    curves: &[String],
) -> Outcome<MasterList> {
    let limits = Limits { bytes: LARGEST, depth: 32, items: 20_000 };
    let malformed = |e: &dyn std::fmt::Display| Fault::new(&NOT_A_MASTER_LIST).detail(e);
    let normal = der::normalise(bytes, &limits).map_err(|e| malformed(&e))?;
    let data = cms::parse(&normal, &limits).map_err(|e| malformed(&e))?;
    if data.econtent_type != MASTER_LIST {
        return Err(malformed(&"its contents are of another type"));
    }
    let content = data.econtent.as_deref().ok_or_else(|| malformed(&"its contents are missing"))?;
    check_frame(&normal, &data).map_err(|e| malformed(&e))?;
    let mut found: Option<(jiff::Timestamp, &X509, &Anchor)> = None;
    for signer in &data.signers {
        let certificate = signer.certificate(&data.certificates);
        let certificate =
            certificate.ok_or_else(|| Fault::new(&LIST_SIGNER).detail("its certificate is missing"))?;
        let signed_at = signing_time(signer).ok_or_else(|| malformed(&"it has no signing time"))?;
        let root = issuer(certificate, roots, signed_at, curves)?;
        check_signature(signer, certificate, content)?;
        if signed_at.duration_since(now) > MOST_AHEAD {
            return Err(Fault::new(&LIST_SIGNER).detail("it says that it was signed in the future"));
        }
        // Of several signers the first to sign dates the list.
        if found.is_none_or(|(earliest, _, _)| signed_at < earliest) {
            found = Some((signed_at, certificate, root));
        }
    }
    let (signed_at, certificate, root) = found.ok_or_else(|| malformed(&"nobody signed it"))?;
    check_company(&data, roots)?;
    let signer = Parts::of(certificate).map_err(|e| malformed(&e))?;
    let signer_sha256 = Sha256::of(&certificate.to_der().unwrap_or_default());
    let certificates = read_list(content).map_err(|e| malformed(&e))?;
    Ok(MasterList {
        sha256: Sha256::of(bytes),
        signed_at,
        signer,
        signer_sha256,
        root_sha256: root.sha256,
        publisher: root.parts.subject.clone(),
        certificates,
    })
}

/// The pinned root that issued the signer's certificate, where both may do what they did when they did it.
fn issuer<'r>(
    certificate: &X509,
    roots: &'r [Anchor],
    signed_at: jiff::Timestamp,
    curves: &[String],
) -> Outcome<&'r Anchor> {
    let refused = |why: &str| Fault::new(&LIST_SIGNER).detail(why);
    let bytes = certificate.to_der().map_err(|_| refused("its certificate cannot be read"))?;
    let signer = Parts::read(&bytes).map_err(|e| refused(&e.to_string()))?;
    let signed = Signed::read(&bytes).map_err(|e| refused(&e.to_string()))?;
    let named = |root: &&Anchor| matches!((name_key(&root.parts.subject), name_key(&signer.issuer)), (Ok(a), Ok(b)) if a == b);
    let root = roots.iter().filter(named).find(|root| root.signed(&signed));
    let root = root.ok_or_else(|| refused("no pinned root issued its certificate"))?;
    let facts = KeyFacts::of_parts(&signer);
    let weak = signed.algorithm.is_none_or(|a| a.hash().is_weak()) || facts.is_weak() || root.facts.is_weak();
    let country = |parts: &Parts| name_part(&parts.subject, COUNTRY).map(|c| c.to_ascii_uppercase());
    let for_lists = purposes(&signer).is_some_and(|(found, critical)| critical && found == [LIST_SIGNING]);
    let rules: [(bool, &str); 10] = [
        (may_sign_certificates(&root.parts), "the pinned root may not sign certificates"),
        (for_lists, "its certificate is not for signing master lists"),
        (is_authority(&signer) == Some(false), "its certificate is an authority's"),
        (may_sign_data(&signer) == Some(true), "its certificate may not sign data"),
        (!unknown_extension(&signer), "its certificate has a critical extension that is not known here"),
        (country(&signer) == country(&root.parts), "its country is not that of the pinned root"),
        (Validity::of(&signer).holds(signed_at), "its certificate was not valid when it signed"),
        (Validity::of(&root.parts).holds(signed_at), "the pinned root was not valid when it signed"),
        (curve_allowed(&facts, curves) && curve_allowed(&root.facts, curves), "its curve is not allowed"),
        (!weak, "its algorithm is too weak"),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, why)) => Err(refused(why)),
        None => Ok(root),
    }
}

fn check_signature(signer: &SignerInfo, certificate: &X509, content: &[u8]) -> Outcome<()> {
    let check = signer.check_signature(certificate, MASTER_LIST, &[content]);
    let refused = |why: &str| Err(Fault::new(&LIST_SIGNATURE).detail(why));
    if check.message_digest != Some(true) {
        return refused("the certificates are not those that were signed");
    }
    if !check.holds() || check.content_type != Some(true) || check.over != cms::Over::AttributesAsSent {
        return refused("the signature does not hold");
    }
    if signer.digest.is_weak() || signer.signature_alg.hash().is_weak() {
        return refused("its hash is too weak");
    }
    Ok(())
}

/// What else came along is a signer's certificate, a pinned root or something that a pinned root issued.
fn check_company(data: &SignedData, roots: &[Anchor]) -> Outcome<()> {
    for (index, certificate) in data.certificates.iter().enumerate() {
        let known = data.signers.iter().any(|signer| signer.is_of(certificate))
            || certificate.to_der().is_ok_and(|bytes| {
                roots.iter().any(|root| root.sha256 == Sha256::of(&bytes))
                    || Signed::read(&bytes).is_ok_and(|signed| roots.iter().any(|root| root.signed(&signed)))
            });
        if !known {
            let why = format_args!("certificate {index} beside the list was not issued by a pinned root");
            return Err(Fault::new(&LIST_SIGNER).detail(why));
        }
    }
    Ok(())
}

/// The one signingTime attribute (RFC 5652 11.3).
fn signing_time(signer: &SignerInfo) -> Option<jiff::Timestamp> {
    let mut found = signer.attributes_of("1.2.840.113549.1.9.5");
    let (Some(attribute), None) = (found.next(), found.next()) else { return None };
    let [value] = attribute.values.as_slice() else { return None };
    time(&Reader::new(value).read_tlv().ok()?)
}

/// The certificates (DER, not judged) of a CscaMasterList (Doc 9303-12, 9.3): a version and a set of certificates.
///
/// # Errors
/// Another structure, an empty set, too many or too large ones.
pub fn read_list(content: &[u8]) -> Result<Vec<Vec<u8>>, DerError> {
    let mut fields = der::only(content, 0x30)?.reader();
    let version = fields.expect(0x02)?;
    if version.number()? != 0 {
        return Err(DerError::Value { at: version.at });
    }
    let set = fields.expect(0x31)?;
    fields.end()?;
    let (mut members, mut found) = (set.reader(), Vec::new());
    while !members.is_empty() {
        let certificate = members.expect(0x30)?;
        if found.len() == MOST_CERTIFICATES || certificate.raw.len() > LARGEST_CERTIFICATE {
            return Err(DerError::Limit { what: "items", at: certificate.at });
        }
        found.push(certificate.raw.to_vec());
    }
    if found.is_empty() { Err(DerError::Value { at: set.at }) } else { Ok(found) }
}

/// What no signature covers, byte for byte (RFC 5652 5.1, 5.3; Doc 9303-12, 9.2).
fn check_frame(bytes: &[u8], data: &SignedData) -> Result<(), DerError> {
    let mut info = der::only(bytes, 0x30)?.reader();
    info.expect(0x06)?;
    let mut fields = info.expect(0xa0)?.reader().expect(0x30)?.reader();
    exactly(&fields.expect(0x02)?, &[3])?;
    let digests = fields.expect(0x31)?;
    let mut named = digests.reader();
    let mut hashes = Vec::new();
    while !named.is_empty() {
        hashes.push(plain_hash(&named.expect(0x30)?)?);
    }
    let mut used: Vec<Hash> = data.signers.iter().map(|s| s.digest).collect();
    used.sort_unstable();
    used.dedup();
    hashes.sort_unstable();
    if hashes != used {
        return Err(DerError::Value { at: digests.at });
    }
    fields.expect(0x30)?;
    let mut certificates = fields.expect(0xa0)?.reader();
    while !certificates.is_empty() {
        certificates.expect(0x30)?;
    }
    let mut signers = fields.expect(0x31)?.reader();
    fields.end()?;
    for signer in &data.signers {
        let mut fields = signers.expect(0x30)?.reader();
        let version = fields.expect(0x02)?;
        let sid = fields.read_tlv()?;
        exactly(&version, if matches!(signer.sid, Sid::KeyId(_)) { &[3] } else { &[1] })?;
        if let Sid::IssuerSerial { issuer_der, serial } = &signer.sid {
            // Names that differ in their letters only would do for a search, and not here.
            let exact = data.certificates.iter().filter_map(|c| Parts::of(c).ok());
            let exact = exact.filter(|c| c.issuer == *issuer_der && c.serial == *serial).count();
            if exact != 1 {
                return Err(DerError::Value { at: sid.at });
            }
        }
        plain_hash(&fields.expect(0x30)?)?;
        fields.expect(0xa0)?;
        plain_signature(&fields.expect(0x30)?, signer.signature_alg)?;
        fields.expect(0x04)?;
        fields.end()?;
    }
    signers.end()
}

fn exactly(tlv: &Tlv<'_>, content: &[u8]) -> Result<(), DerError> {
    if tlv.content == content { Ok(()) } else { Err(DerError::Value { at: tlv.at }) }
}

/// A hash without parameters, or with the NULL that means the same.
fn plain_hash(algorithm: &Tlv<'_>) -> Result<Hash, DerError> {
    let mut fields = algorithm.reader();
    fields.expect(0x06)?;
    no_parameters(&fields, algorithm)?;
    Hash::read(algorithm)
}

fn plain_signature(algorithm: &Tlv<'_>, parsed: SignatureAlg) -> Result<(), DerError> {
    let mut fields = algorithm.reader();
    fields.expect(0x06)?;
    let SignatureAlg::RsaPss { hash, mgf, salt } = parsed else { return no_parameters(&fields, algorithm) };
    let spelled = [false, true].iter().flat_map(|null| {
        let named = |hash: Hash| der::sequence(&[&der::oid(hash.arcs()), if *null { &[5, 0] } else { &[] }]);
        let function = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 8]), &named(mgf)]);
        let salt = der::tlv(0xa2, &der::integer(&salt.to_be_bytes()));
        let parts = [der::tlv(0xa0, &named(hash)), der::tlv(0xa1, &function), salt].concat();
        let trailer = der::tlv(0xa3, &der::integer(&[1]));
        [der::tlv(0x30, &parts), der::tlv(0x30, &[parts, trailer].concat())]
    });
    if spelled.into_iter().any(|spelled| spelled == fields.rest()) {
        return Ok(());
    }
    Err(DerError::Value { at: algorithm.at })
}

fn no_parameters(rest: &Reader<'_>, algorithm: &Tlv<'_>) -> Result<(), DerError> {
    if matches!(rest.rest(), [] | [5, 0]) { Ok(()) } else { Err(DerError::Value { at: algorithm.at }) }
}

/// id-icao-cscaMasterList.
const MASTER_LIST: &str = "2.23.136.1.1.2";
/// id-icao-cscaMasterListSigningKey.
const LIST_SIGNING: &str = "2.23.136.1.1.3";
/// The published ones have about a megabyte and some hundred certificates.
const LARGEST: usize = 8 << 20;
const MOST_CERTIFICATES: usize = 5_000;
const LARGEST_CERTIFICATE: usize = 64 << 10;
/// Clocks differ; a list from the far future would keep all later ones out.
const MOST_AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Not a master list.
pub const NOT_A_MASTER_LIST: Code = Code {
    id: "CHIP-013",
    class: Class::Input,
    vi: "Tệp không phải là danh sách chứng thư gốc (master list) hợp lệ",
    en: "the file is not a valid master list",
    remedy_vi: "Tải lại danh sách từ cơ quan công bố, tệp thường có đuôi .ml; từ LDIF của ICAO PKD, nối các dòng gãy của pkdMasterListContent (hoặc CscaMasterListData), giải mã base64 thành tệp .ml rồi nhập",
    remedy_en: "fetch the list again from its publisher; the file usually ends in .ml. Of an LDIF of the ICAO PKD, join the folded lines of pkdMasterListContent (or CscaMasterListData), decode the base64 into an .ml file and import that",
};

/// Its signature does not hold.
pub const LIST_SIGNATURE: Code = Code {
    id: "CHIP-014",
    class: Class::Input,
    vi: "Chữ ký của danh sách chứng thư gốc không đúng; không nhập gì",
    en: "the signature of the master list does not hold; nothing was imported",
    remedy_vi: "Tải lại danh sách từ cơ quan công bố; nếu vẫn sai, báo cho cơ quan đó",
    remedy_en: "fetch the list again from its publisher; tell them if it is still wrong",
};

/// Its signer is not to be believed.
pub const LIST_SIGNER: Code = Code {
    id: "CHIP-015",
    class: Class::Input,
    vi: "Bên ký danh sách chứng thư gốc không được tin cậy; không nhập gì",
    en: "the signer of the master list is not trusted; nothing was imported",
    remedy_vi: "Đưa đúng chứng thư gốc của cơ quan công bố bằng --root, sau khi đối chiếu SHA-256 qua kênh khác",
    remedy_en: "give the publisher's own root with --root, after comparing its SHA-256 over another channel",
};

#[cfg(test)]
pub(in crate::chip) mod tests;
