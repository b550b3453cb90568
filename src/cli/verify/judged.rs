//! A PDF and the receipt beside it, judged together.

use crate::cli::log::receipt_beside;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::receipt::{self, ReceiptOutcome, ReceiptVerdict};
use crate::log::{UNREADABLE, VerifierKey};
use crate::original::{CHANGED, Original};
use crate::seal::verify::report::Reason;
use crate::seal::verify::told::Subject;
use crate::seal::verify::{PdfReport, Question, Report, Verdict, verify_original};
use jiff::Timestamp;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
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
/// `shown`: somebody will read which bytes were judged. The file is judged where it lies, whatever its size; one that is
/// written to meanwhile is not judged at all.
pub(super) fn judge(
    file: &Path,
    question: &Question<'_>,
    keys: &[VerifierKey],
    shown: bool,
) -> Outcome<Judged> {
    let unreadable = |e: io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(file.display());
    let here = |fault: Fault| fault.at(file.display());
    let handle = File::open(file).map_err(unreadable)?;
    let before = handle.metadata().map_err(unreadable)?;
    check_size(before.len(), MAX_PDF, file)?;
    let original = Original::file(handle.try_clone().map_err(unreadable)?).map_err(here)?;
    if original.read(0..before.len().min(5)).map_err(here)? != b"%PDF-" {
        return Err(here(Fault::new(&crate::pdf::revise::NOT_A_PDF)));
    }
    let (record, mut sha256) = verify_original(&original, question, shown).map_err(here)?;
    let mut report = Report::of(&record, question.anchors.policy());
    let beside = receipt_beside(file);
    let receipt = match beside {
        Some(path) => {
            let digests = original.digests().map_err(here)?;
            sha256 = Some(digests.sha256);
            let text = read(&path, receipt::MAX_RECEIPT as u64)?;
            // Text that is not UTF-8 cannot be a receipt; the replacement characters make sure that it is judged so.
            Some(receipt::verify(&String::from_utf8_lossy(&text), &digests, keys))
        }
        None => None,
    };
    let state = |about: &Metadata| {
        (about.len(), about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec())
    };
    if state(&before) != state(&handle.metadata().map_err(unreadable)?) {
        return Err(here(Fault::new(&CHANGED)));
    }
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
    let unreadable = |e: io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    check_size(fs::metadata(path).map_err(unreadable)?.len(), limit, path)?;
    fs::read(path).map_err(unreadable)
}

fn check_size(size: u64, limit: u64, path: &Path) -> Outcome<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Fault::new(&UNREADABLE).detail(format!("{size} bytes, limit {limit}")).at(path.display()))
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
