//! Judging signed PDFs, offline: for every signature three questions kept apart. Does it hold (integrity)? Who made it,
//! and is that someone this verifier trusts (trust)? Does it cover the whole document, and what came after it (coverage)?
//!
//! Nothing is good by default: without anchors nobody is trusted, without a revocation list revocation is unknown and
//! listed as not checked, and what cannot be read is not good.

pub mod chain;
pub mod coverage;
pub mod fields;
pub mod signer;
pub mod token;
pub mod updates;

pub use chain::{Anchors, ChainReport, Revocation, Trust};
pub use token::TimestampReport;

use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::pdf::revise::{Document, Value};
use chain::{Enclosed, Moment, Purpose};
use fields::SignatureField;
use jiff::Timestamp;
use openssl::x509::X509;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// All that is known of a PDF's signatures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PdfReport {
    /// In the order in which they were made.
    pub signatures: Vec<SignatureReport>,
    /// What is wrong with the file as a whole.
    pub problems: Vec<Report>,
}

/// One judged signature or document time stamp.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignatureReport {
    /// Name of the form field.
    pub field: String,
    /// A signature, or a time stamp over the document.
    pub kind: SignatureKind,
    /// Common name of the signer's certificate. A claim unless trust is `Trusted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The form the signature has.
    pub level: Level,
    /// Does it hold?
    pub integrity: Integrity,
    /// What does it cover?
    pub coverage: CoverageClass,
    /// What was appended after it.
    pub updates: BTreeSet<Update>,
    /// Who made it.
    pub chain: ChainReport,
    /// The time stamp on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampReport>,
    /// `/M`: when the signer says it was; a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<String>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// What speaks against it.
    pub problems: Vec<Report>,
    /// The judgement in a sentence, Vietnamese.
    pub vi: String,
    /// The judgement in a sentence, English.
    pub en: String,
}

/// What a signature field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// Somebody's signature.
    Signature,
    /// A time stamp over the document so far.
    DocumentTimestamp,
}

/// The form of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Level {
    /// PAdES baseline.
    #[serde(rename = "B-B")]
    BB,
    /// PAdES baseline with a time stamp whose signature holds.
    #[serde(rename = "B-T")]
    BT,
    /// The form before PAdES (`adbe.pkcs7.detached`).
    #[serde(rename = "PKCS7")]
    Pkcs7,
    /// A document time stamp.
    #[serde(rename = "DTS")]
    Dts,
    /// Not a form that is known here.
    #[serde(rename = "unknown")]
    Unknown,
}

/// Whether a signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    /// It holds over what it covers.
    Intact,
    /// What it covers was changed.
    Altered,
    /// It is not by the certificate that it names.
    Forged,
    /// It breaks the rules that make a signature mean something.
    Malformed,
}

/// What a signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageClass {
    /// The whole file.
    Whole,
    /// The whole of its revision; what came after is on the allow-list.
    WholeRevision,
    /// The whole of its revision; after it stand bytes that belong to no revision.
    TrailingBytes,
    /// The whole of its revision; what came after is not allowed.
    IllegalUpdates,
    /// Not a whole revision.
    Partial,
}

/// A kind of change after a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// Another signature.
    Signature,
    /// Another signature, or a time stamp, that shows itself on a page.
    VisibleSignature,
    /// A time stamp over the document.
    DocumentTimestamp,
    /// Certificates and revocation data.
    ValidationData,
    /// Dates and producer of the file.
    Metadata,
}

impl PdfReport {
    /// True where there is at least one signature, and all of them hold, are trusted and cover all that counts.
    pub fn is_proven(&self) -> bool {
        let signed = self.signatures.iter().any(|s| s.kind == SignatureKind::Signature);
        signed && self.problems.is_empty() && self.signatures.iter().all(SignatureReport::is_proven)
    }
}

impl SignatureReport {
    /// True where it holds, is trusted, and covers all that counts. Says nothing of `not_checked`.
    pub fn is_proven(&self) -> bool {
        self.integrity == Integrity::Intact
            && matches!(self.coverage, CoverageClass::Whole | CoverageClass::WholeRevision)
            && self.chain.trust == Trust::Trusted
            && self.problems.is_empty()
            && self.timestamp.as_ref().is_none_or(|t| t.ok)
    }
}

/// Judges every signature of a PDF at `now`. Never fails: what cannot be read is in the report as a problem.
pub fn verify_pdf(bytes: &[u8], anchors: &Anchors, now: Timestamp) -> PdfReport {
    let mut report = PdfReport { signatures: Vec::new(), problems: Vec::new() };
    let read = Document::open(bytes).and_then(|document| {
        let fields = fields::signature_fields(&document)?;
        Ok((document, fields))
    });
    let (document, found) = match read {
        Ok(read) => read,
        Err(fault) => {
            report.problems.push(fault.report());
            return report;
        }
    };
    if found.is_empty() {
        report.problems.push(finding(&NO_SIGNATURE));
    }
    if found.len() > MAX_SIGNATURES {
        report.problems.push(Fault::new(&TOO_MANY_SIGNATURES).detail(found.len()).report());
        return report;
    }
    let mut objects = HashSet::new();
    if !found.iter().all(|f| objects.insert(f.object)) {
        report.problems.push(finding(&SHARED));
    }
    let enclosed = validation_data(&document).unwrap_or_default();
    let mut ranged: Vec<(Outcome<fields::Coverage>, SignatureField)> =
        found.into_iter().map(|f| (fields::coverage(&document, &f), f)).collect();
    ranged.sort_by_key(|(c, _)| c.as_ref().map_or(usize::MAX, |c| c.end));
    // Newest first: a trusted document time stamp proves that what it covers existed at its time.
    let mut known = Moment { at: now, proven: false };
    for (range, field) in ranged.into_iter().rev() {
        let judged = judge(&document, &field, range, &By { enclosed: &enclosed, anchors, known });
        let stamped = judged.timestamp.as_ref().and_then(TimestampReport::proven_time);
        if judged.kind == SignatureKind::DocumentTimestamp
            && judged.is_proven()
            && let Some(at) = stamped
        {
            known = Moment { at, proven: true };
        }
        report.signatures.push(judged);
    }
    report.signatures.reverse();
    report
}

/// What everything is judged by: what comes along with the file, whom to trust, and when.
struct By<'a> {
    enclosed: &'a Enclosed,
    anchors: &'a Anchors,
    known: Moment,
}

fn judge(
    document: &Document<'_>,
    field: &SignatureField,
    range: Outcome<fields::Coverage>,
    by: &By<'_>,
) -> SignatureReport {
    let dict = &field.dict;
    let filter = dict.get(b"SubFilter").and_then(Value::as_name).unwrap_or_default();
    let kind =
        if filter == b"ETSI.RFC3161" { SignatureKind::DocumentTimestamp } else { SignatureKind::Signature };
    let unknown = ChainReport {
        trust: Trust::Unknown,
        path: Vec::new(),
        revocation: Revocation::Unknown,
        problems: Vec::new(),
    };
    let mut report = SignatureReport {
        field: field.name.clone(),
        kind,
        signer: None,
        level: Level::Unknown,
        integrity: Integrity::Malformed,
        coverage: CoverageClass::Partial,
        updates: BTreeSet::new(),
        chain: unknown,
        timestamp: None,
        signed_at: dict.get(b"M").and_then(Value::as_string).and_then(pdf_date),
        not_checked: Vec::new(),
        problems: Vec::new(),
        vi: String::new(),
        en: String::new(),
    };
    match range {
        Err(fault) => report.problems.push(fault.report()),
        Ok(range) => {
            match coverage::cover(document, field, &range) {
                Ok((class, updates)) => (report.coverage, report.updates) = (class, updates),
                Err((class, fault)) => {
                    report.coverage = class;
                    report.problems.push(fault.report());
                }
            }
            let parts = range.parts(document.bytes());
            let contents = dict.get(b"Contents").and_then(Value::as_string).unwrap_or_default();
            match filter {
                b"ETSI.RFC3161" => judge_stamp(&mut report, contents, &parts, by),
                b"ETSI.CAdES.detached" => judge_signature(&mut report, contents, &parts, Level::BB, by),
                b"adbe.pkcs7.detached" => {
                    judge_signature(&mut report, contents, &parts, Level::Pkcs7, by);
                }
                _ => report.problems.push(finding(&SUB_FILTER)),
            }
        }
    }
    if report.coverage == CoverageClass::TrailingBytes {
        report.problems.push(finding(&TRAILING));
    }
    (report.vi, report.en) = sentences(&report);
    report
}

fn judge_signature(
    report: &mut SignatureReport,
    contents: &[u8],
    parts: &[&[u8]],
    level: Level,
    by: &By<'_>,
) {
    let judged = signer::judge(contents, parts, level == Level::BB);
    report.level = level;
    report.integrity = judged.integrity;
    report.problems.extend(judged.problems);
    let Some((data, certificate)) = judged.signed else { return };
    report.signer = Some(chain::common_name(&certificate));
    let mut enclosed = by.enclosed.clone();
    enclosed.certificates.extend(data.certificates.iter().cloned());
    enclosed.crls.extend(data.crls.iter().cloned());
    let mut moment = by.known;
    let tokens: Vec<_> =
        data.signers.iter().flat_map(|s| s.unsigned.iter()).filter(|a| a.oid == TIME_STAMP).collect();
    if let [token] = &tokens[..]
        && let [value] = &token.values[..]
        && let Some(signer) = data.signers.first()
    {
        let stamp = token::judge(value, &[&signer.signature], &enclosed, by.anchors, by.known.at);
        if stamp.ok && level == Level::BB {
            report.level = Level::BT;
        }
        if !stamp.ok {
            report.problems.extend(stamp.problems.iter().cloned());
        }
        if let Some(at) = stamp.proven_time() {
            moment = Moment { at, proven: true };
        } else if stamp.ok {
            report.not_checked.push(format!(
                "đơn vị cấp dấu thời gian có đáng tin không / whether the time stamp authority is to be trusted ({})",
                stamp.chain.as_ref().map_or("unknown", |c| trust_en(c.trust))
            ));
        }
        report.timestamp = Some(stamp);
    } else if !tokens.is_empty() {
        report.problems.push(finding(&MANY_STAMPS));
    }
    report.chain = chain::judge(&certificate, &enclosed, by.anchors, moment, Purpose::Document);
    if report.chain.revocation == Revocation::Unknown {
        report.not_checked.push(
            "chứng thư có bị thu hồi không (không có danh sách thu hồi dùng được) / revocation (no usable list)".to_owned(),
        );
    }
    if !moment.proven {
        report.not_checked.push(
            "thời điểm ký (không có dấu thời gian tin cậy) / the time of signing (no trusted time stamp)"
                .to_owned(),
        );
    }
}

fn judge_stamp(report: &mut SignatureReport, contents: &[u8], parts: &[&[u8]], by: &By<'_>) {
    report.level = Level::Dts;
    let token = crate::der::normalise_prefix(contents, &crate::der::Limits::default());
    let token = match token {
        Ok((der, used)) if contents.iter().skip(used).all(|b| *b == 0) => der,
        _ => {
            report.problems.push(finding(&token::TOKEN_BROKEN));
            return;
        }
    };
    let stamp = token::judge(&token, parts, by.enclosed, by.anchors, by.known.at);
    report.integrity = if stamp.ok {
        Integrity::Intact
    } else if stamp.problems.iter().any(|p| p.code == token::TOKEN_OTHER.id) {
        Integrity::Altered
    } else {
        Integrity::Malformed
    };
    report.problems.extend(stamp.problems.iter().cloned());
    if let Some(chain) = &stamp.chain {
        report.signer = chain.path.first().cloned();
        report.chain = chain.clone();
        if chain.revocation == Revocation::Unknown {
            report.not_checked.push(
                "thu hồi chứng thư cấp dấu thời gian / revocation of the time stamp authority".to_owned(),
            );
        }
    }
    report.timestamp = Some(stamp);
}

/// Certificates and lists of the DSS: claims that help to find the way.
fn validation_data(document: &Document<'_>) -> Outcome<Enclosed> {
    let mut enclosed = Enclosed::default();
    let (_, catalog) = document.catalog()?;
    let dss = document.lookup(&catalog, b"DSS")?;
    let Some(dss) = dss.as_dict() else { return Ok(enclosed) };
    let streams = |key: &[u8]| -> Outcome<Vec<Vec<u8>>> {
        let list = document.lookup(dss, key)?;
        let items = list.as_array().unwrap_or_default().iter().take(MAX_DSS);
        items.map(|item| document.stream_data(&document.resolve(item)?, MAX_DSS_STREAM)).collect()
    };
    enclosed.certificates = streams(b"Certs")?.iter().filter_map(|der| X509::from_der(der).ok()).collect();
    enclosed.crls = streams(b"CRLs")?;
    drop(openssl::error::ErrorStack::get());
    Ok(enclosed)
}

/// `D:YYYYMMDDhhmmss+hh'mm'` as RFC 3339; none where it is malformed.
fn pdf_date(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix("D:").unwrap_or(text);
    let digits = text.get(..14).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    let zone = match text.get(14..)?.replace('\'', "").as_str() {
        "" | "Z" | "Z0000" => "Z".to_owned(),
        zone if zone.len() == 5 => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let (date, time) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
    );
    let stamp = format!("{date}T{time}{zone}");
    stamp.parse::<Timestamp>().ok().map(|_| stamp)
}

fn sentences(report: &SignatureReport) -> (String, String) {
    let (vi, en) = match report.integrity {
        Integrity::Altered => ("Nội dung đã bị thay đổi sau khi ký", "what was signed has been changed"),
        Integrity::Forged => ("Chữ ký không đúng", "the signature does not hold"),
        Integrity::Malformed => ("Chữ ký sai quy tắc, không dùng được", "the signature breaks the rules"),
        Integrity::Intact => match report.coverage {
            CoverageClass::Partial => {
                ("Chữ ký không phủ cả tài liệu", "the signature does not cover the document")
            }
            CoverageClass::IllegalUpdates => (
                "Tài liệu đã bị sửa đổi trái phép sau khi ký",
                "the document was changed after it was signed",
            ),
            CoverageClass::TrailingBytes => {
                ("Có dữ liệu lạ nối sau tài liệu đã ký", "foreign bytes follow the signed document")
            }
            CoverageClass::Whole | CoverageClass::WholeRevision => match report.chain.trust {
                Trust::Trusted if report.is_proven() => {
                    ("Chữ ký hợp lệ, toàn vẹn và tin cậy", "valid, intact and trusted")
                }
                Trust::Trusted => {
                    ("Chữ ký toàn vẹn nhưng có điểm chưa đạt", "intact, but with something against it")
                }
                Trust::Untrusted => (
                    "Chữ ký toàn vẹn nhưng người ký không được tin cậy",
                    "intact, but the signer is not trusted",
                ),
                Trust::Expired => (
                    "Chữ ký toàn vẹn nhưng chứng thư không còn hoặc chưa có hiệu lực",
                    "intact, but a certificate was not valid in time",
                ),
                Trust::Revoked => (
                    "Chữ ký toàn vẹn nhưng chứng thư đã bị thu hồi",
                    "intact, but a certificate had been revoked",
                ),
                Trust::WrongUse => (
                    "Chữ ký toàn vẹn nhưng chứng thư không dùng để ký văn bản",
                    "intact, but the certificate is not for signing documents",
                ),
                Trust::Unknown => (
                    "Chữ ký toàn vẹn nhưng chưa có chứng thư gốc để xét người ký",
                    "intact, but there is no root to judge the signer by",
                ),
            },
        },
    };
    (vi.to_owned(), en.to_owned())
}

fn trust_en(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "trusted",
        Trust::Untrusted => "untrusted",
        Trust::Expired => "expired",
        Trust::Revoked => "revoked",
        Trust::WrongUse => "wrong use",
        Trust::Unknown => "unknown",
    }
}

/// A code of this room: always about what was handed in, and always with the same remedy.
struct VerifyCode {
    id: &'static str,
    vi: &'static str,
    en: &'static str,
}

impl VerifyCode {
    const fn code(self) -> Code {
        Code {
            id: self.id,
            class: Class::Input,
            vi: self.vi,
            en: self.en,
            remedy_vi: "Không dùng bản này làm căn cứ; xin lại bản gốc từ cơ quan phát hành",
            remedy_en: "do not rely on this copy; ask its issuer for the original",
        }
    }
}

fn finding(code: &'static Code) -> Report {
    Fault::new(code).report()
}

const TIME_STAMP: &str = "1.2.840.113549.1.9.16.2.14";
const MAX_SIGNATURES: usize = 64;
const MAX_DSS: usize = 64;
const MAX_DSS_STREAM: usize = 4 << 20;

/// Every code of this file and the files beside it.
pub const CODES: &[&Code] = &[
    &chain::ANCHORS,
    &chain::NO_ANCHORS,
    &chain::UNTRUSTED,
    &chain::EXPIRED,
    &chain::REVOKED,
    &chain::WRONG_USE,
    &token::TOKEN_BROKEN,
    &token::TOKEN_SIGNER,
    &token::TOKEN_FORGED,
    &token::TOKEN_WEAK,
    &token::TOKEN_OTHER,
    &token::TOKEN_FUTURE,
    &signer::ALTERED,
    &signer::FORGED,
    &signer::CMS_BROKEN,
    &signer::CMS_NOT_DER,
    &signer::CMS_PADDING,
    &signer::CMS_SIGNERS,
    &signer::CMS_CONTENT,
    &signer::CMS_NO_CERTIFICATE,
    &signer::CMS_WEAK_HASH,
    &signer::CMS_WEAK_KEY,
    &signer::CMS_NO_ATTRIBUTES,
    &signer::CMS_ATTRIBUTES,
    &signer::CMS_OTHER_CERTIFICATE,
    &fields::FORM,
    &fields::BYTE_RANGE,
    &updates::ILLEGAL,
    &updates::TOO_MANY,
    &NO_SIGNATURE,
    &TOO_MANY_SIGNATURES,
    &SHARED,
    &SUB_FILTER,
    &TRAILING,
    &coverage::NOT_A_REVISION,
    &coverage::HYBRID,
    &MANY_STAMPS,
];

/// No signature.
pub const NO_SIGNATURE: Code =
    VerifyCode {
        id: "VRFY-042", vi: "Tài liệu không có chữ ký số", en: "the document carries no signature"
    }
    .code();
/// Too many.
pub const TOO_MANY_SIGNATURES: Code = VerifyCode {
    id: "VRFY-043",
    vi: "Tài liệu có quá nhiều chữ ký để xét",
    en: "the document carries too many signatures to be judged",
}
.code();
/// Two fields, one signature.
pub const SHARED: Code = VerifyCode {
    id: "VRFY-044",
    vi: "Nhiều ô chữ ký dùng chung một chữ ký",
    en: "several fields show one and the same signature",
}
.code();
/// Unknown form.
pub const SUB_FILTER: Code = VerifyCode {
    id: "VRFY-045",
    vi: "Dạng chữ ký không được hỗ trợ",
    en: "the signature is of a form that is not supported",
}
.code();
/// Bytes after the end.
pub const TRAILING: Code = VerifyCode {
    id: "VRFY-046",
    vi: "Có dữ liệu lạ sau phần kết thúc của tài liệu",
    en: "there are foreign bytes after the end of the document",
}
.code();
/// Several time stamps on one signature.
pub const MANY_STAMPS: Code = VerifyCode {
    id: "VRFY-049",
    vi: "Chữ ký mang nhiều dấu thời gian mâu thuẫn",
    en: "the signature carries several time stamps",
}
.code();

#[cfg(test)]
mod tests;
