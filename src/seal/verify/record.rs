//! What is known of a PDF's signatures, in full: the record that tables, printed reports and verdicts are made from.
//! Programs read [`Report`](super::Report) instead, whose words stay the same whatever happens here.

use super::chain::{ChainReport, Trust};
use super::token::TimestampReport;
use crate::fault;
use serde::Serialize;
use std::collections::BTreeSet;

/// All that is known of a PDF's signatures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PdfReport {
    /// In the order in which they were made.
    pub signatures: Vec<SignatureReport>,
    /// What is wrong with the file as a whole.
    pub problems: Vec<fault::Report>,
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
    /// What was not checked, or could not be.
    pub not_checked: Vec<fault::Report>,
    /// What speaks against it.
    pub problems: Vec<fault::Report>,
    /// What does not speak against it and should be known all the same.
    pub notes: Vec<fault::Report>,
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
    /// PAdES baseline with a time stamp whose signature holds: its own, or a later one over the document.
    #[serde(rename = "B-T")]
    BT,
    /// With evidence of revocation in the file for every certificate of signer and time stamp.
    #[serde(rename = "B-LT")]
    BLT,
    /// With a document time stamp over that evidence.
    #[serde(rename = "B-LTA")]
    BLTA,
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
    /// Dates and producer of the file, and marks of its catalog and form that show nothing.
    Metadata,
    /// A form field that was there was filled in.
    FormFill,
}

impl PdfReport {
    /// True where there is at least one signature, and all of them hold, are trusted and cover all that counts. Says
    /// nothing of what was not checked: that is the [`Report`](super::Report)'s verdict.
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

    /// A record that nothing is known for yet, which is not good.
    pub(super) fn unknown(field: &str, kind: SignatureKind) -> Self {
        SignatureReport {
            field: field.to_owned(),
            kind,
            signer: None,
            level: Level::Unknown,
            integrity: Integrity::Malformed,
            coverage: CoverageClass::Partial,
            updates: BTreeSet::new(),
            chain: ChainReport::unknown(Vec::new()),
            timestamp: None,
            signed_at: None,
            not_checked: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            vi: String::new(),
            en: String::new(),
        }
    }

    /// The judgement in a sentence, Vietnamese and English.
    pub(super) fn sentences(&self) -> (&'static str, &'static str) {
        match self.integrity {
            Integrity::Altered => ("Nội dung đã bị thay đổi sau khi ký", "what was signed has been changed"),
            Integrity::Forged => ("Chữ ký không đúng", "the signature does not hold"),
            Integrity::Malformed => ("Chữ ký sai quy tắc, không dùng được", "the signature breaks the rules"),
            Integrity::Intact => match self.coverage {
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
                CoverageClass::Whole | CoverageClass::WholeRevision => self.trust_sentences(),
            },
        }
    }

    fn trust_sentences(&self) -> (&'static str, &'static str) {
        match self.chain.trust {
            Trust::Trusted if self.is_proven() => {
                ("Chữ ký hợp lệ, toàn vẹn và tin cậy", "valid, intact and trusted")
            }
            Trust::Trusted => {
                ("Chữ ký toàn vẹn nhưng có điểm chưa đạt", "intact, but with something against it")
            }
            Trust::Untrusted => {
                ("Chữ ký toàn vẹn nhưng người ký không được tin cậy", "intact, but the signer is not trusted")
            }
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
        }
    }
}
