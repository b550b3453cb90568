//! A PDF and the receipt beside it, judged together.

use crate::cli::log::receipt_beside;
use crate::digest::{Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::receipt::{self, ReceiptOutcome, ReceiptVerdict};
use crate::log::{UNREADABLE, VerifierKey};
use crate::seal::verify::report::Reason;
use crate::seal::verify::told::Subject;
use crate::seal::verify::{PdfReport, Question, Report, Verdict, verify};
use jiff::Timestamp;
use std::fs;
use std::path::Path;

/// A judged file.
pub(super) struct Judged {
    pub(super) subject: Subject,
    /// All that is known.
    pub(super) record: PdfReport,
    /// The verdict, the receipt weighed in.
    pub(super) report: Report,
    pub(super) receipt: Option<ReceiptVerdict>,
}

/// Judges a PDF and `X.tlog-proof` beside it.
///
/// `shown`: somebody will read which bytes were judged; otherwise they are not hashed once more.
pub(super) fn judge(
    file: &Path,
    question: &Question<'_>,
    keys: &[VerifierKey],
    shown: bool,
) -> Outcome<Judged> {
    let bytes = read(file, MAX_PDF)?;
    if !bytes.starts_with(b"%PDF-") {
        return Err(Fault::new(&crate::pdf::revise::NOT_A_PDF).at(file.display()));
    }
    let record = verify(&bytes, question);
    let mut report = Report::of(&record, question.anchors.policy());
    let beside = receipt_beside(file);
    let mut sha256 = shown.then(|| Sha256::of(&bytes));
    let receipt = match beside {
        Some(path) => {
            let digests = Digests::of(&bytes);
            sha256 = Some(digests.sha256);
            let text = read(&path, receipt::MAX_RECEIPT as u64)?;
            // Text that is not UTF-8 cannot be a receipt; the replacement characters make sure that it is judged so.
            Some(receipt::verify(&String::from_utf8_lossy(&text), &digests, keys))
        }
        None => None,
    };
    if let Some(receipt) = &receipt {
        weigh_in(&mut report, receipt, keys.is_empty());
    }
    let subject = Subject {
        name: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
        sha256,
        judged_at: Timestamp::now(),
        as_of: question.as_of.then_some(question.at),
    };
    Ok(Judged { subject, record, report, receipt })
}

/// A receipt that is refuted spoils the file. One that nobody gave a key for says nothing.
fn weigh_in(report: &mut Report, receipt: &ReceiptVerdict, no_keys: bool) {
    let (verdict, code) = match receipt.outcome {
        ReceiptOutcome::Proven => return,
        ReceiptOutcome::UnknownLogKey if no_keys => (Verdict::Valid, &RECEIPT_OPEN),
        ReceiptOutcome::UnknownLogKey => (Verdict::Indeterminate, &RECEIPT_OPEN),
        // It is in the log; only who confirms the time is still missing, and the file's own signature says its own.
        ReceiptOutcome::NotYetAnchored | ReceiptOutcome::NotYetWitnessed => (Verdict::Valid, &RECEIPT_OPEN),
        _ => (Verdict::Invalid, &RECEIPT_REFUTED),
    };
    let reason = Reason { code: code.id.to_owned(), vi: receipt.vi.to_owned(), en: receipt.en.to_owned() };
    if verdict > report.verdict {
        report.reasons.insert(0, reason);
        report.verdict = verdict;
    } else {
        report.reasons.push(reason);
    }
}

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > limit {
        return Err(Fault::new(&UNREADABLE)
            .detail(format!("{size} bytes, limit {limit}"))
            .at(path.display()));
    }
    fs::read(path).map_err(unreadable)
}

const MAX_PDF: u64 = 4 << 30;

/// A receipt that does not hold.
const RECEIPT_REFUTED: Code = Code {
    id: "VRFY-068",
    class: Class::Input,
    vi: "Biên nhận kèm theo không đúng với tài liệu",
    en: "the receipt beside the document does not hold for it",
    remedy_vi: "Không dùng bản này làm căn cứ; xin lại bản gốc và biên nhận",
    remedy_en: "do not rely on this copy; ask for the original and its receipt",
};
/// A receipt that cannot be checked.
const RECEIPT_OPEN: Code = Code {
    id: "VRFY-069",
    class: Class::Setup,
    vi: "Chưa kiểm tra được biên nhận kèm theo",
    en: "the receipt beside the document could not be checked",
    remedy_vi: "Chỉ tới khóa của nhật ký bằng --log-keys",
    remedy_en: "point to the log's keys with --log-keys",
};
