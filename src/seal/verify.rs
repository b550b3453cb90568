//! Judging signed PDFs, offline: for every signature three questions kept apart. Does it hold (integrity)? Who made it,
//! and is that someone this verifier trusts (trust)? Does it cover the whole document, and what came after it (coverage)?
//!
//! Nothing is good by default: without anchors nobody is trusted, without revocation evidence revocation is unknown and
//! listed as not checked, and what cannot be read is not good.
//!
//! ```text
//! fields ─► range of bytes ─► base revision ─┐
//!                   history of updates ──────┴─► coverage ─┐
//! CMS ─► signer, time stamp ─► path ─► revocation ─────────┴─► record ─► printed report, verdict
//! ```
//! Newest first, since a trusted document time stamp proves that what it covers existed at its time.

mod agreed_policies;
pub mod anchors;
pub mod chain;
pub mod changes;
mod claimed_time;
mod constraints;
pub mod coverage;
mod enclosed;
pub mod fields;
mod hashes;
pub mod history;
pub mod judge;
mod level;
pub mod online;
pub mod paper;
mod path;
pub mod permission;
pub mod policy;
pub mod record;
pub mod report;
pub mod signer;
pub mod token;
pub mod told;
mod updates;
mod usage;

pub use anchors::Anchors;
pub use chain::{ChainReport, Revocation, Trust};
pub use online::{Asked, Authorities};
pub use policy::{Demand, Policy};
pub use record::{CoverageClass, Integrity, Level, PdfReport, SignatureKind, SignatureReport, Update};
pub use report::{Report, Verdict};
pub use token::TimestampReport;

use crate::digest::Sha256;
use crate::fault::{self, Class, Code, Fault, Outcome};
use crate::original::{self, Original};
use crate::pdf::revise::Document;
use crate::seal::evidence::Evidence;
use chain::Moment;
use hashes::Hashes;
use history::History;
use jiff::Timestamp;
use judge::{By, Found, Judged};
use std::collections::HashSet;

/// What a file is judged by.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Whom to trust, and what to demand.
    pub anchors: &'a Anchors,
    /// The time that counts where nothing proves an earlier one.
    pub at: Timestamp,
    /// Somebody answers for that time, so that what was revoked later does not count. Otherwise it is the clock's.
    pub as_of: bool,
    /// Where evidence may be asked for that is not at hand.
    pub online: Option<&'a Asked<'a>>,
}

/// Judges every signature of a PDF at `now`, offline. Never fails: what cannot be read is in the report as a problem.
pub fn verify_pdf(bytes: &[u8], anchors: &Anchors, now: Timestamp) -> PdfReport {
    verify(bytes, &Question { anchors, at: now, as_of: false, online: None })
}

/// Judges every signature of a PDF. Never fails: what is wrong with the bytes is in the report as a problem.
pub fn verify(bytes: &[u8], question: &Question<'_>) -> PdfReport {
    match Document::open(bytes) {
        Ok(document) => judge_document(&document, question, false).0,
        Err(fault) => PdfReport { signatures: Vec::new(), problems: vec![fault.report()] },
    }
}

/// As [`verify`], of a file where it lies: of it only what is asked for is read, and what is signed in strides. `whole`:
/// also give the SHA-256 of all its bytes, which costs next to nothing here.
///
/// # Errors
/// Those of the file itself: nothing is judged by half of it.
pub fn verify_original(
    file: &Original,
    question: &Question<'_>,
    whole: bool,
) -> Outcome<(PdfReport, Option<Sha256>)> {
    let is_of_file = |code: &str| original::CODES.iter().any(|known| known.id == code);
    let document = match Document::open_original(file) {
        Ok(document) => document,
        Err(fault) if is_of_file(fault.code.id) => return Err(fault),
        Err(fault) => {
            let report = PdfReport { signatures: Vec::new(), problems: vec![fault.report()] };
            let sha256 = if whole { Some(file.digests()?.sha256) } else { None };
            return Ok((report, sha256));
        }
    };
    let (report, hashed) = judge_document(&document, question, whole);
    let sha256 = hashed?;
    let told = report.signatures.iter().flat_map(|s| &s.problems).chain(&report.problems);
    match told.into_iter().find(|problem| is_of_file(&problem.code)) {
        Some(problem) => Err(Fault::new(&original::UNREADABLE).detail(&problem.en)),
        None => Ok((report, sha256)),
    }
}

/// The report; and the digest of all bytes where it is wanted, or what kept the file from being hashed.
fn judge_document(
    document: &Document<'_>,
    question: &Question<'_>,
    whole: bool,
) -> (PdfReport, Outcome<Option<Sha256>>) {
    let mut report = PdfReport { signatures: Vec::new(), problems: Vec::new() };
    let found = all_of(document, &mut report);
    let hashes = Hashes::new(document, found.iter().filter_map(|f| f.range.as_ref().ok()));
    let ends = found.iter().filter_map(|f| Some((f.section()?, f.end()))).collect();
    let history = History::new(document, &ends);
    let store = enclosed::of_document(document).unwrap_or_default();
    let judged = judge_all(document, &found, &history, &hashes, &store, question);
    report.signatures = level::settle(document, &found, &history, &store, judged);
    let sha256 = if whole { hashes.whole().map(Some) } else { Ok(None) };
    (report, hashes.trouble().map_or(sha256, Err))
}

/// The signatures to be judged, oldest first; what is wrong with all of them together goes into the report.
fn all_of(document: &Document<'_>, report: &mut PdfReport) -> Vec<Found> {
    let fields = match fields::signature_fields(document) {
        Ok(fields) => fields,
        Err(fault) => {
            report.problems.push(fault.report());
            return Vec::new();
        }
    };
    if fields.is_empty() {
        report.problems.push(finding(&NO_SIGNATURE));
    }
    if fields.len() > MAX_SIGNATURES {
        report.problems.push(Fault::new(&TOO_MANY_SIGNATURES).detail(fields.len()).report());
        return Vec::new();
    }
    let mut objects = HashSet::new();
    if !fields.iter().all(|f| objects.insert(f.object)) {
        report.problems.push(finding(&SHARED));
    }
    let clear = history::unambiguous(document);
    let mut found: Vec<Found> = fields.into_iter().map(|f| Found::new(document, f, &clear)).collect();
    found.sort_by_key(Found::end);
    found
}

/// Newest first; given back oldest first.
fn judge_all(
    document: &Document<'_>,
    found: &[Found],
    history: &History,
    hashes: &Hashes<'_, '_>,
    store: &Evidence,
    question: &Question<'_>,
) -> Vec<Judged> {
    let mut evidence = question.anchors.evidence.clone();
    evidence.certificates.extend(store.certificates.iter().cloned());
    evidence.crls.extend(store.crls.iter().cloned());
    evidence.ocsp.extend(store.ocsp.iter().cloned());
    let mut known = Moment { at: question.at, proven: question.as_of, stamped: false };
    let mut all = Vec::new();
    for one in found.iter().rev() {
        let by = By { question, evidence: &evidence, history, hashes, known };
        let judged = judge::judge(document, one, &by);
        let stamped = judged.report.timestamp.as_ref().and_then(TimestampReport::proven_time);
        if judged.report.kind == SignatureKind::DocumentTimestamp
            && judged.report.is_proven()
            && let Some(at) = stamped
        {
            known = Moment { at, proven: true, stamped: true };
        }
        all.push(judged);
    }
    all.reverse();
    all
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

fn finding(code: &'static Code) -> fault::Report {
    Fault::new(code).report()
}

const MAX_SIGNATURES: usize = 256;

/// Every code of this file and the files beside it.
pub const CODES: &[&Code] = &[
    &anchors::ANCHORS,
    &policy::BROKEN,
    &chain::NO_ANCHORS,
    &chain::UNTRUSTED,
    &chain::EXPIRED,
    &chain::REVOKED,
    &chain::WRONG_USE,
    &chain::NO_EVIDENCE,
    &token::TOKEN_BROKEN,
    &token::TOKEN_SIGNER,
    &token::TOKEN_FORGED,
    &token::TOKEN_WEAK,
    &token::TOKEN_OTHER,
    &token::TOKEN_FUTURE,
    &token::TOKEN_STRANGER,
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
    &changes::ILLEGAL,
    &changes::TOO_MANY,
    &permission::FORBIDDEN,
    &coverage::NOT_A_REVISION,
    &history::AMBIGUOUS,
    &judge::SUB_FILTER,
    &judge::TRAILING,
    &judge::MANY_STAMPS,
    &judge::TIME_UNPROVEN,
    &judge::SHOWN_LATER,
    &judge::FILLED_LATER,
    &judge::FILL_UNREAD,
    &NO_SIGNATURE,
    &TOO_MANY_SIGNATURES,
    &SHARED,
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

#[cfg(test)]
mod tests;
