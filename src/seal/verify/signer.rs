//! Whether the CMS inside a PDF signature holds and is of the shape that PAdES demands (EN 319 142-1 section 6.3,
//! EN 319 122-1): OpenSSL's own `-cades` check lets a signature without signed attributes pass, this does not.

use super::{Integrity, VerifyCode, finding};
use crate::cms::{self, Content, Hash, Over, Problem, SignedData, SignerInfo, known};
use crate::der::{self, DerError, Limits, Tlv};
use crate::fault::{Code, Fault, Report};
use openssl::x509::{X509, X509Ref};
use std::collections::HashSet;

/// A judged CMS.
pub(super) struct Judged {
    pub(super) integrity: Integrity,
    pub(super) problems: Vec<Report>,
    /// What could be read, with the signer's certificate.
    pub(super) signed: Option<(SignedData, X509)>,
}

/// Judges `contents` (the decoded `/Contents`, padding included) over the signed bytes. `pades` demands the
/// signing-certificate attribute; the older `adbe.pkcs7.detached` may leave it out.
pub(super) fn judge(contents: &[u8], over: &dyn Content, pades: bool) -> Judged {
    let mut judged = Judged { integrity: Integrity::Malformed, problems: Vec::new(), signed: None };
    let problems = &mut judged.problems;
    let limits = Limits::default();
    let (der, used) = match der::normalise_prefix(contents, &limits) {
        Ok(read) => read,
        Err(e) => {
            problems.push(Fault::new(&CMS_BROKEN).detail(e).report());
            return judged;
        }
    };
    if contents.get(..used) != Some(&der) {
        problems.push(finding(&CMS_NOT_DER));
    }
    if contents.iter().skip(used).any(|b| *b != 0) {
        problems.push(finding(&CMS_PADDING));
    }
    let data = match cms::parse(&der, &limits) {
        Ok(data) => data,
        Err(e) => {
            problems.push(Fault::new(&CMS_BROKEN).detail(e).report());
            return judged;
        }
    };
    let [signer] = &data.signers[..] else {
        problems.push(Fault::new(&CMS_SIGNERS).detail(format!("{} signers", data.signers.len())).report());
        return judged;
    };
    if data.econtent.is_some() || data.econtent_type != ID_DATA {
        problems.push(finding(&CMS_CONTENT));
    }
    let Some(certificate) = signer.certificate(&data.certificates).cloned() else {
        problems.push(finding(&CMS_NO_CERTIFICATE));
        return judged;
    };
    if frame(&der, true).is_none_or(|hashes| hashes != [signer.digest]) {
        problems.push(finding(&CMS_ATTRIBUTES));
    }
    if signer.digest.is_weak() || signer.signature_alg.hash().is_weak() {
        problems.push(finding(&CMS_WEAK_HASH));
    }
    if is_weak(&certificate) {
        problems.push(finding(&CMS_WEAK_KEY));
    }
    let check = signer.check_content(&certificate, ID_DATA, over);
    let types: HashSet<&str> = signer.attributes.iter().map(|a| a.oid.as_str()).collect();
    if check.problems.contains(&Problem::NoSignedAttributes) {
        problems.push(finding(&CMS_NO_ATTRIBUTES));
    } else if !check.problems.is_empty() || types.len() != signer.attributes.len() {
        problems.push(finding(&CMS_ATTRIBUTES));
    }
    if check.over == Over::AttributesSorted {
        problems.push(finding(&CMS_NOT_DER));
    }
    let has_ess = types.contains(ESS_V2) || types.contains(ESS_V1);
    if (pades || has_ess) && signing_certificate(signer, &certificate, !pades).is_err() {
        problems.push(finding(&CMS_OTHER_CERTIFICATE));
    }
    judged.integrity = if check.message_digest == Some(false) {
        Integrity::Altered
    } else if !check.signature {
        Integrity::Forged
    } else if check.content_type == Some(false) || !problems.is_empty() {
        Integrity::Malformed
    } else {
        Integrity::Intact
    };
    match judged.integrity {
        Integrity::Altered => problems.push(finding(&ALTERED)),
        Integrity::Forged => problems.push(finding(&FORGED)),
        Integrity::Malformed if problems.is_empty() => problems.push(finding(&CMS_ATTRIBUTES)),
        _ => {}
    }
    judged.signed = Some((data, certificate));
    judged
}

/// A key that is too weak to have signed anything, or one that cannot be read.
pub(super) fn is_weak(certificate: &X509Ref) -> bool {
    known::facts(certificate).map_or(true, |facts| facts.key_facts().is_weak())
}

/// What no signature covers and no reader needs, and which must be right all the same: version numbers (RFC 5652 5.1
/// and 5.3) and the list of hashes, which is given back. `is_data`: the contents are data.
pub(super) fn frame(der: &[u8], is_data: bool) -> Option<Vec<Hash>> {
    let mut info = der::only(der, 0x30).ok()?.reader();
    info.expect(0x06).ok()?;
    let mut fields = info.expect(0xa0).ok()?.reader().expect(0x30).ok()?.reader();
    let version = fields.expect(0x02).ok()?.number().ok()?;
    let mut hashes = Vec::new();
    let mut list = fields.expect(0x31).ok()?.reader();
    while !list.is_empty() {
        let algorithm = list.expect(0x30).ok()?;
        plain(&algorithm)?;
        hashes.push(Hash::read(&algorithm).ok()?);
    }
    let (mut signer, mut other_lists) = (None, false);
    while !fields.is_empty() {
        let field = fields.read_tlv().ok()?;
        if field.tag == 0xa1 {
            let mut lists = field.reader();
            while !lists.is_empty() {
                other_lists |= lists.read_tlv().ok()?.tag != 0x30;
            }
        }
        signer = (field.tag == 0x31).then_some(field);
    }
    let mut signer = signer?.reader().expect(0x30).ok()?.reader();
    let signer_version = signer.expect(0x02).ok()?.number().ok()?;
    let by_key = signer.peek() == Some(0x80);
    signer.read_tlv().ok()?;
    plain(&signer.expect(0x30).ok()?)?;
    signer.optional(0xa0).ok()?;
    plain(&signer.expect(0x30).ok()?)?;
    // No attribute certificates are taken.
    let due = match (other_lists, is_data) {
        (true, _) => 5,
        (false, true) => signer_version,
        (false, false) => 3,
    };
    let fits = matches!((signer_version, by_key), (1, false) | (3, true)) && version == due;
    fits.then_some(hashes)
}

/// Nothing, NULL or a structure that is read elsewhere: the parameters that an algorithm of ours can have (RFC 5754 2, RFC
/// 4055 2.1).
fn plain(algorithm: &Tlv<'_>) -> Option<()> {
    let mut fields = algorithm.reader();
    fields.expect(0x06).ok()?;
    if fields.is_empty() {
        return Some(());
    }
    let parameters = fields.read_tlv().ok()?;
    fields.end().ok()?;
    matches!((parameters.tag, parameters.content), (0x05, []) | (0x30, _)).then_some(())
}

/// The signing-certificate attribute (RFC 5035) must be there once and name this certificate by hash. The older form
/// with SHA-1 (RFC 2634) passes only where `old` says so; time stamp authorities still write it.
pub(super) fn signing_certificate(
    signer: &SignerInfo,
    certificate: &X509Ref,
    old: bool,
) -> Result<(), DerError> {
    let missing = DerError::Value { at: 0 };
    let mut found = signer.attributes_of(ESS_V2).map(|a| (a, true)).collect::<Vec<_>>();
    if old {
        found.extend(signer.attributes_of(ESS_V1).map(|a| (a, false)));
    }
    if found.is_empty() {
        return Err(missing);
    }
    let whole = certificate.to_der().map_err(|_| missing)?;
    for (attribute, second) in found {
        let [value] = &attribute.values[..] else { return Err(missing) };
        let mut list = der::only(value, 0x30)?.reader().expect(0x30)?.reader();
        let mut first = list.expect(0x30)?.reader();
        let hash = match first.optional(0x30)? {
            Some(algorithm) if second => Hash::read(&algorithm)?,
            Some(_) => return Err(missing),
            None if second => Hash::Sha256,
            None => Hash::Sha1,
        };
        let said = first.expect(0x04)?.content;
        if (second && hash.is_weak()) || hash.digest(&[&whole]).as_deref() != Some(said) {
            return Err(missing);
        }
    }
    Ok(())
}

const ID_DATA: &str = "1.2.840.113549.1.7.1";
const ESS_V1: &str = "1.2.840.113549.1.9.16.2.12";
const ESS_V2: &str = "1.2.840.113549.1.9.16.2.47";

/// The digest does not fit.
pub const ALTERED: Code = VerifyCode {
    id: "VRFY-020",
    vi: "Nội dung đã bị thay đổi sau khi ký",
    en: "what was signed has been changed",
}
.code();
/// The signature does not hold.
pub const FORGED: Code = VerifyCode {
    id: "VRFY-021",
    vi: "Chữ ký số không đúng với chứng thư đi kèm",
    en: "the signature does not hold under its certificate",
}
.code();
/// Not a CMS.
pub const CMS_BROKEN: Code = VerifyCode {
    id: "VRFY-022",
    vi: "Dữ liệu chữ ký hỏng hoặc sai định dạng",
    en: "the signature data is damaged or malformed",
}
.code();
/// BER where DER belongs.
pub const CMS_NOT_DER: Code = VerifyCode {
    id: "VRFY-023",
    vi: "Dữ liệu chữ ký không mã hóa theo DER",
    en: "the signature data is not in DER",
}
.code();
/// Something in the padding.
pub const CMS_PADDING: Code = VerifyCode {
    id: "VRFY-024",
    vi: "Có dữ liệu lạ sau dữ liệu chữ ký",
    en: "there is something other than zeros after the signature data",
}
.code();
/// Not one signer.
pub const CMS_SIGNERS: Code = VerifyCode {
    id: "VRFY-025",
    vi: "Dữ liệu chữ ký không có đúng một người ký",
    en: "the signature data does not have exactly one signer",
}
.code();
/// Content inside.
pub const CMS_CONTENT: Code = VerifyCode {
    id: "VRFY-026",
    vi: "Dữ liệu chữ ký tự mang nội dung khác với tài liệu",
    en: "the signature data carries contents of its own",
}
.code();
/// No certificate.
pub const CMS_NO_CERTIFICATE: Code = VerifyCode {
    id: "VRFY-027",
    vi: "Chữ ký không kèm chứng thư của người ký",
    en: "the signer's certificate does not come along",
}
.code();
/// SHA-1 and the like.
pub const CMS_WEAK_HASH: Code = VerifyCode {
    id: "VRFY-028",
    vi: "Chữ ký dùng hàm băm quá yếu",
    en: "the signature uses a hash that is too weak",
}
.code();
/// RSA below 2048 and the like.
pub const CMS_WEAK_KEY: Code =
    VerifyCode {
        id: "VRFY-029", vi: "Khóa của người ký quá yếu", en: "the signer's key is too weak"
    }
    .code();
/// No signed attributes.
pub const CMS_NO_ATTRIBUTES: Code = VerifyCode {
    id: "VRFY-030",
    vi: "Chữ ký không có thuộc tính được ký",
    en: "the signature has no signed attributes",
}
.code();
/// Attributes missing, repeated or contradictory.
pub const CMS_ATTRIBUTES: Code = VerifyCode {
    id: "VRFY-031",
    vi: "Thuộc tính được ký bị thiếu, lặp lại hoặc mâu thuẫn",
    en: "a signed attribute is missing, repeated or contradictory",
}
.code();
/// ESS names another certificate.
pub const CMS_OTHER_CERTIFICATE: Code = VerifyCode {
    id: "VRFY-032",
    vi: "Chữ ký không chỉ rõ hoặc chỉ sai chứng thư của người ký",
    en: "the signature does not name the signer's certificate, or names another",
}
.code();
