//! `hoso verify`: judges signed PDFs and their receipts, offline.
//!
//! Exit code 0 says that everything that was found is proven; what was not looked at is listed all the same.

use super::log::{load_keys, receipt_beside};
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::receipt::{self, ReceiptOutcome, ReceiptVerdict};
use crate::log::{UNREADABLE, VerifierKey};
use crate::seal::verify::{
    Anchors, CoverageClass, Integrity, PdfReport, Revocation, SignatureReport, Trust, verify_pdf,
};
use jiff::Timestamp;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What to verify, and whom to trust.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso verify ket-qua.pdf --anchors anchors --log-keys anchors/log\n  \
    hoso verify out/ --anchors anchors --json\n\n\
    Exit code: 0 all proven, 1 something is not proven, altered or missing, 4 anchors or keys cannot be read.")]
pub struct Args {
    /// Signed PDFs, or folders of them; X.tlog-proof beside X.pdf is checked together with it.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder of trusted roots (*.pem) and revocation lists (*.crl), or a station's anchors folder.
    #[arg(long)]
    anchors: Option<PathBuf>,
    /// Public keys of trusted logs: a line, a file of lines, or a folder of such files.
    #[arg(long)]
    log_keys: Vec<String>,
    /// Also demand that nobody's certificate could have been revoked unseen.
    #[arg(long)]
    require_revocation: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Judges all that was named.
///
/// # Errors
/// Anchors or keys that cannot be read, [`UNREADABLE`] for a file.
pub fn run(args: &Args) -> Outcome<u8> {
    let anchors = args.anchors.as_deref().map(Anchors::load).transpose()?.unwrap_or_default();
    let keys = load_keys(&args.log_keys)?;
    let now = Timestamp::now();
    let mut files = Vec::new();
    for path in &args.paths {
        collect(path, 0, &mut files)?;
    }
    let mut proven = 0;
    if !args.json && !files.is_empty() {
        println!(
            "{}",
            row([
                "tệp / file",
                "chữ ký / signature",
                "toàn vẹn / integrity",
                "tin cậy / trust",
                "phạm vi / coverage",
                "biên nhận / receipt"
            ])
        );
    }
    for file in &files {
        let verdict = judge(file, &anchors, &keys, now)?;
        let good = verdict.is_proven(args.require_revocation);
        proven += usize::from(good);
        if args.json {
            println!(
                "{}",
                json!({"file": file, "proven": good, "sha256": verdict.digests.sha256, "pdf": verdict.pdf, "receipt": verdict.receipt})
            );
        } else {
            print(file, &verdict, good);
        }
    }
    if !args.json {
        println!("{proven}/{} tệp đạt / files proven", files.len());
    } else if files.is_empty() {
        println!("{}", json!({"proven": false, "files": 0}));
    }
    if files.is_empty() {
        eprintln!("hoso: {}", Fault::new(&NOTHING));
    }
    Ok(u8::from(files.is_empty() || proven != files.len()))
}

struct Verdict {
    digests: Digests,
    pdf: PdfReport,
    receipt: Option<ReceiptVerdict>,
}

impl Verdict {
    fn is_proven(&self, require_revocation: bool) -> bool {
        let known = |s: &SignatureReport| s.chain.revocation == Revocation::NotRevoked;
        self.pdf.is_proven()
            && (!require_revocation || self.pdf.signatures.iter().all(known))
            && self.receipt.as_ref().is_none_or(|r| r.outcome == ReceiptOutcome::Proven)
    }
}

fn judge(file: &Path, anchors: &Anchors, keys: &[VerifierKey], now: Timestamp) -> Outcome<Verdict> {
    let bytes = read(file, MAX_PDF)?;
    let digests = Digests::of(&bytes);
    let receipt = match receipt_beside(file) {
        Some(path) => {
            let text = read(&path, receipt::MAX_RECEIPT as u64)?;
            // Text that is not UTF-8 cannot be a receipt; the replacement characters make sure that it is judged so.
            Some(receipt::verify(&String::from_utf8_lossy(&text), &digests, keys))
        }
        None => None,
    };
    Ok(Verdict { digests, pdf: verify_pdf(&bytes, anchors, now), receipt })
}

/// Files named are taken as they are; of folders the PDFs, all the way down, links to folders left out.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inner: Vec<PathBuf> =
        fs::read_dir(path).map_err(unreadable)?.filter_map(|e| Some(e.ok()?.path())).collect();
    inner.sort();
    for entry in inner {
        let pdf = entry.extension().is_some_and(|e| e.eq_ignore_ascii_case("pdf"));
        if entry.is_dir() && !entry.is_symlink() && depth < MAX_DEPTH {
            collect(&entry, depth + 1, files)?;
        } else if pdf && entry.is_file() {
            files.push(entry);
        }
    }
    Ok(())
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

fn print(file: &Path, verdict: &Verdict, good: bool) {
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let receipt = match &verdict.receipt {
        None => "không có / none".to_owned(),
        Some(r) if r.outcome == ReceiptOutcome::Proven => "đúng / proven".to_owned(),
        Some(_) => "KHÔNG ĐẠT / NOT PROVEN".to_owned(),
    };
    if verdict.pdf.signatures.is_empty() {
        println!("{}", row([&name, "0", "-", "-", "-", &receipt]));
    }
    for signature in &verdict.pdf.signatures {
        let who = signature.signer.as_deref().unwrap_or("?");
        let who = format!("{} {who}", level(signature));
        let cells = [
            name.as_str(),
            &who,
            integrity(signature.integrity),
            trust(signature.chain.trust),
            coverage(signature.coverage),
            &receipt,
        ];
        println!("{}", row(cells));
        println!("    {} / {}", signature.vi, signature.en);
        let time = signature.timestamp.as_ref().and_then(|t| t.time).map(|t| t.to_string());
        if let Some(time) = &time {
            println!("    dấu thời gian / time stamp: {time}");
        }
        if let Some(time) = &signature.signed_at {
            println!("    thời điểm ký do người ký khai / time claimed by the signer: {time}");
        }
        if !signature.updates.is_empty() {
            println!("    bổ sung sau khi ký / appended after signing: {}", json!(signature.updates));
        }
        for problem in signature.problems.iter().chain(&signature.chain.problems) {
            println!("    ! {problem}");
        }
        for item in &signature.not_checked {
            println!("    chưa kiểm tra / not checked: {item}");
        }
    }
    for problem in &verdict.pdf.problems {
        println!("    ! {problem}");
    }
    if let Some(receipt) = &verdict.receipt {
        println!("    biên nhận / receipt: {} / {}", receipt.vi, receipt.en);
        println!("    chưa kiểm tra / not checked: {}", receipt.not_checked.join("; "));
    }
    println!("    => {}", if good { "ĐẠT / PROVEN" } else { "KHÔNG ĐẠT / NOT PROVEN" });
}

fn row(cells: [&str; 6]) -> String {
    let widths = [24, 30, 22, 22, 24, 20];
    let padded = cells.iter().zip(widths).map(|(cell, width)| {
        let gap = usize::saturating_sub(width, cell.chars().count());
        format!("{cell}{}", " ".repeat(gap))
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn level(signature: &SignatureReport) -> String {
    json!(signature.level).as_str().unwrap_or_default().to_owned()
}

fn integrity(value: Integrity) -> &'static str {
    match value {
        Integrity::Intact => "nguyên vẹn / intact",
        Integrity::Altered => "BỊ SỬA / ALTERED",
        Integrity::Forged => "GIẢ / FORGED",
        Integrity::Malformed => "SAI QUY TẮC / MALFORMED",
    }
}

fn trust(value: Trust) -> &'static str {
    match value {
        Trust::Trusted => "tin cậy / trusted",
        Trust::Untrusted => "không / untrusted",
        Trust::Expired => "hết hạn / expired",
        Trust::Revoked => "bị thu hồi / revoked",
        Trust::WrongUse => "sai mục đích / wrong use",
        Trust::Unknown => "chưa rõ / unknown",
    }
}

fn coverage(value: CoverageClass) -> &'static str {
    match value {
        CoverageClass::Whole => "toàn bộ / whole",
        CoverageClass::WholeRevision => "cả phiên bản / revision",
        CoverageClass::TrailingBytes => "THỪA BYTE / TRAILING",
        CoverageClass::IllegalUpdates => "SỬA SAU KÝ / CHANGED",
        CoverageClass::Partial => "MỘT PHẦN / PARTIAL",
    }
}

const MAX_DEPTH: usize = 32;
const MAX_PDF: u64 = 1 << 30;

/// Nothing found.
const NOTHING: Code = Code {
    id: "VRFY-007",
    class: Class::Input,
    vi: "Không tìm thấy tệp nào để kiểm tra",
    en: "there is nothing here to verify",
    remedy_vi: "Chỉ tới tệp PDF hoặc thư mục có tệp PDF",
    remedy_en: "point to a PDF or to a folder that holds some",
};
