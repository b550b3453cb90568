//! Judging one signature: its range, its revision, what was appended, its CMS, its time stamp, its signer.

use super::chain::{self, Given, Moment};
use super::changes::Changes;
use super::claimed_time::pdf_date;
use super::coverage::{self, Base};
use super::fields::{self, Coverage, SignatureField};
use super::hashes::{Covered, Hashes};
use super::history::History;
use super::record::{CoverageClass, Integrity, Level, SignatureKind, SignatureReport};
use super::token::{self, TimestampReport};
use super::usage::Purpose;
use super::{Question, Revocation, VerifyCode, anchors, enclosed, finding, signer};
use crate::cms::Content;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::revise::{Document, Value};
use crate::seal::evidence::Evidence;

/// A signature field with its place in the file.
pub(super) struct Found {
    pub(super) field: SignatureField,
    pub(super) range: Outcome<Coverage>,
    base: Option<Result<Base, (CoverageClass, Fault)>>,
}

/// What everything is judged by: the question, what comes along with the file, and the time so far.
pub(super) struct By<'a> {
    pub(super) question: &'a Question<'a>,
    /// Of the trust folder and of the file's security store.
    pub(super) evidence: &'a Evidence,
    pub(super) history: &'a History,
    pub(super) hashes: &'a Hashes<'a, 'a>,
    pub(super) known: Moment,
}

/// A judged signature, and what its level is worked out from.
pub(super) struct Judged {
    pub(super) report: SignatureReport,
    /// What its CMS carries.
    pub(super) carried: Evidence,
    /// When its signer was judged.
    pub(super) moment: Moment,
    /// When its time stamp's authority was.
    pub(super) stamp_moment: Moment,
}

impl Found {
    pub(super) fn new(document: &Document<'_>, field: SignatureField, clear: &Outcome<()>) -> Self {
        let range = fields::coverage(document, &field);
        let base = range.as_ref().ok().map(|range| coverage::base(document, &field, range, clear));
        Found { field, range, base }
    }

    /// Where the signed bytes end.
    pub(super) fn end(&self) -> usize {
        self.range.as_ref().map_or(usize::MAX, |r| r.end)
    }

    /// The section that its revision ends with, counted from the newest.
    pub(super) fn section(&self) -> Option<usize> {
        self.base.as_ref()?.as_ref().ok().map(|b| b.section)
    }
}

/// Judges one signature.
pub(super) fn judge(document: &Document<'_>, found: &Found, by: &By<'_>) -> Judged {
    let dict = &found.field.dict;
    let filter = dict.get(b"SubFilter").and_then(Value::as_name).unwrap_or_default();
    let kind =
        if filter == b"ETSI.RFC3161" { SignatureKind::DocumentTimestamp } else { SignatureKind::Signature };
    let mut report = SignatureReport::unknown(&found.field.name, kind);
    report.signed_at = dict.get(b"M").and_then(Value::as_string).and_then(pdf_date);
    let mut judged = Judged { report, carried: Evidence::new(), moment: by.known, stamp_moment: by.known };
    match &found.range {
        Err(fault) => judged.report.problems.push(fault.report()),
        Ok(range) => {
            judge_coverage(&mut judged.report, document, found, range, by.history);
            let over = Covered { hashes: by.hashes, range };
            let contents = dict.get(b"Contents").and_then(Value::as_string).unwrap_or_default();
            match filter {
                b"ETSI.RFC3161" => judge_stamp(&mut judged, contents, &over, by),
                b"ETSI.CAdES.detached" => judge_signature(&mut judged, contents, &over, Level::BB, by),
                b"adbe.pkcs7.detached" => judge_signature(&mut judged, contents, &over, Level::Pkcs7, by),
                _ => judged.report.problems.push(finding(&SUB_FILTER)),
            }
        }
    }
    judged
}

fn judge_coverage(
    report: &mut SignatureReport,
    document: &Document<'_>,
    found: &Found,
    range: &Coverage,
    history: &History,
) {
    let covered = match &found.base {
        Some(Ok(base)) => coverage::cover(document, &found.field, range, base, history),
        Some(Err((class, fault))) => Err((*class, fault.clone())),
        None => return,
    };
    match covered {
        Ok((class, changes)) => {
            report.coverage = class;
            tell(report, &changes);
            report.updates = changes.kinds;
        }
        Err((class, fault)) => {
            report.coverage = class;
            report.problems.push(fault.report());
        }
    }
    if report.coverage == CoverageClass::TrailingBytes {
        report.problems.push(finding(&TRAILING));
    }
}

/// Changes that are allowed and that a reader should know of.
fn tell(report: &mut SignatureReport, changes: &Changes) {
    for field in &changes.filled {
        let code = if field.readable { &FILLED_LATER } else { &FILL_UNREAD };
        let told = Fault::new(code).at(format!("field {}", field.name)).report();
        if field.readable { report.notes.push(told) } else { report.not_checked.push(told) }
    }
    for field in &changes.signed {
        if let Some(page) = field.shown {
            let page = page.map_or_else(|| "?".to_owned(), |n| n.to_string());
            let place = format!("page {page}, field {}", field.name);
            report.notes.push(Fault::new(&SHOWN_LATER).at(place).report());
        }
    }
    for list in [&mut report.notes, &mut report.not_checked] {
        list.truncate(MAX_TOLD);
    }
}

fn judge_signature(judged: &mut Judged, contents: &[u8], over: &dyn Content, level: Level, by: &By<'_>) {
    let report = &mut judged.report;
    let cms = signer::judge(contents, over, level == Level::BB);
    report.level = level;
    report.integrity = cms.integrity;
    report.problems.extend(cms.problems);
    let Some((data, certificate)) = cms.signed else { return };
    report.signer = Some(anchors::common_name(&certificate));
    enclosed::of_cms(&data, &mut judged.carried);
    let mut evidence = by.evidence.clone();
    enclosed::of_cms(&data, &mut evidence);
    let given = Given { anchors: by.question.anchors, evidence: &evidence, online: by.question.online };
    let tokens: Vec<_> =
        data.signers.iter().flat_map(|s| s.unsigned.iter()).filter(|a| a.oid == TIME_STAMP).collect();
    if let [token] = &tokens[..]
        && let [value] = &token.values[..]
        && let Some(signer) = data.signers.first()
    {
        let stamp = token::judge(value, &&[&signer.signature[..]][..], &given, by.known);
        if !stamp.ok {
            report.problems.extend(stamp.problems.iter().cloned());
        }
        if let Some(at) = stamp.proven_time() {
            judged.moment = Moment { at, proven: true, stamped: true };
        } else if stamp.ok {
            report.not_checked.push(stamp.stranger());
        }
        if let Some(gap) = stamp.chain.as_ref().and_then(|c| c.revocation_gap.clone()) {
            report.not_checked.push(gap);
        }
        report.timestamp = Some(stamp);
    } else if !tokens.is_empty() {
        report.problems.push(finding(&MANY_STAMPS));
    }
    report.chain = chain::judge(&certificate, &given, judged.moment, Purpose::Document);
    report.not_checked.extend(report.chain.revocation_gap.clone());
    if !judged.moment.stamped {
        report.not_checked.push(finding(&TIME_UNPROVEN));
    }
}

fn judge_stamp(judged: &mut Judged, contents: &[u8], over: &dyn Content, by: &By<'_>) {
    let report = &mut judged.report;
    report.level = Level::Dts;
    let token = crate::der::normalise_prefix(contents, &crate::der::Limits::default());
    let token = match token {
        Ok((der, used)) if contents.iter().skip(used).all(|b| *b == 0) => der,
        _ => {
            report.problems.push(finding(&token::TOKEN_BROKEN));
            return;
        }
    };
    let given = Given { anchors: by.question.anchors, evidence: by.evidence, online: by.question.online };
    let stamp = token::judge(&token, over, &given, by.known);
    report.integrity = if stamp.ok || stamp.is_ahead() {
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
            report.not_checked.extend(chain.revocation_gap.clone());
        }
    }
    report.timestamp = Some(stamp);
}

impl TimestampReport {
    /// That nobody trusted vouches for its time.
    fn stranger(&self) -> crate::fault::Report {
        let why = self.chain.iter().flat_map(|c| &c.problems).map(|p| p.en.as_str()).next();
        Fault::new(&token::TOKEN_STRANGER).detail(why.unwrap_or("not judged")).report()
    }
}

const TIME_STAMP: &str = "1.2.840.113549.1.9.16.2.14";
const MAX_TOLD: usize = 50;

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
/// No trusted time.
pub const TIME_UNPROVEN: Code = Code {
    id: "VRFY-063",
    class: Class::Person,
    vi: "Thời điểm ký chưa được chứng minh (không có dấu thời gian tin cậy)",
    en: "no trusted time stamp proves when it was signed",
    remedy_vi: "Nếu cần chứng minh thời điểm, xin bản có dấu thời gian",
    remedy_en: "where the time matters, ask for a copy with a time stamp",
};
/// A later signature shows itself.
pub const SHOWN_LATER: Code = Code {
    id: "VRFY-064",
    class: Class::Person,
    vi: "Một chữ ký thêm sau hiển thị đè lên trang đã ký",
    en: "a later signature shows itself over signed content",
    remedy_vi: "Xem trang đó và đối chiếu nội dung bị che với bản gốc",
    remedy_en: "look at that page and compare what it covers with the original",
};
/// A field was filled in later.
pub const FILLED_LATER: Code = Code {
    id: "VRFY-065",
    class: Class::Person,
    vi: "Một ô biểu mẫu được điền sau khi ký",
    en: "a form field was filled in after signing",
    remedy_vi: "Giá trị trong ô không do người ký xác nhận",
    remedy_en: "the signer does not vouch for the value in it",
};
/// A filled field whose look cannot be read.
pub const FILL_UNREAD: Code = Code {
    id: "VRFY-066",
    class: Class::Person,
    vi: "Ô biểu mẫu điền sau khi ký hiển thị nội dung không đọc được để đối chiếu với giá trị",
    en: "a form field filled in after signing shows something that cannot be compared with its value",
    remedy_vi: "Xem trang đó bằng mắt và đối chiếu với bản gốc",
    remedy_en: "look at that page and compare it with the original",
};
