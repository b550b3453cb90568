//! `hoso verify`: judges signed PDFs and their receipts, offline.
//!
//! Exit code 0 says that everything that was found is proven; what was not looked at is listed all the same.

mod delivery;

use super::log::{load_keys, receipt_beside};
use super::table::Table;
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::receipt::{self, ReceiptOutcome, ReceiptVerdict};
use crate::log::{UNREADABLE, VerifierKey};
use crate::seal::verify::{
    Anchors, CoverageClass, Integrity, PdfReport, Revocation, SignatureReport, Trust, verify_pdf,
};
use crate::station::Station;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What to verify, and whom to trust.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso verify ket-qua.pdf --anchors anchors --log-keys anchors/log\n  \
    hoso verify out/ --station /srv/hoso\n\n\
    Exit code: 0 all proven, 1 something is not proven, altered or missing, 4 anchors or keys cannot be read.")]
pub struct Args {
    /// Signed PDFs, wallet receipts (*.receipt), or folders of them; X.tlog-proof beside X.pdf is checked together
    /// with it. Left out: the station's out/.
    paths: Vec<PathBuf>,
    /// Folder of trusted roots (*.pem) and revocation lists (*.crl), or a station's anchors folder; otherwise the
    /// station's, where there is one.
    #[arg(long)]
    anchors: Option<PathBuf>,
    /// Public keys of trusted logs: a line, a file of lines, or a folder of such files; otherwise the station's.
    #[arg(long)]
    log_keys: Vec<String>,
    /// Keys of wallets that receipts may be signed with, PEM files or a folder of them; otherwise the station's.
    #[arg(long)]
    receipt_keys: Vec<PathBuf>,
    /// Also demand that nobody's certificate could have been revoked unseen.
    #[arg(long)]
    require_revocation: bool,
    /// Say everything about every file, not only about those that are not proven.
    #[arg(long)]
    details: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Judges all that was named.
///
/// # Errors
/// Anchors or keys that cannot be read, [`UNREADABLE`] for a file, `STAT-001` where nothing is named and there is no
/// station.
pub fn run(args: &Args, station: Option<&Path>) -> Outcome<u8> {
    // A court has no station: one is used where it is there, and needed only where nothing else is named.
    let station = match Station::find(station) {
        Ok(station) => Some(station),
        Err(fault) if args.paths.is_empty() || station.is_some() => return Err(fault),
        Err(_) => None,
    };
    let own = |below: &str| station.as_ref().map(|s| s.path(below));
    let anchors = args.anchors.clone().or_else(|| own("anchors"));
    let anchors = anchors.as_deref().map(Anchors::load).transpose()?.unwrap_or_default();
    let log_keys = match own("anchors/log") {
        Some(folder) if args.log_keys.is_empty() => vec![folder.to_string_lossy().into_owned()],
        _ => args.log_keys.clone(),
    };
    let keys = load_keys(&log_keys)?;
    let receipt_keys = match own("anchors/receipts") {
        Some(folder) if args.receipt_keys.is_empty() => vec![folder],
        _ => args.receipt_keys.clone(),
    };
    let receipt_keys = delivery::load_keys(&receipt_keys)?;
    let paths = if args.paths.is_empty() { own("out").into_iter().collect() } else { args.paths.clone() };
    let now = Timestamp::now();
    let mut files = Vec::new();
    for path in &paths {
        collect(path, 0, &mut files)?;
    }
    let mut report = Report::default();
    for file in &files {
        let name = shown_name(file, &paths);
        if file.extension().is_some_and(|e| e == delivery::EXTENSION) {
            let verdict = match delivery::judge(file, &receipt_keys) {
                Ok(verdict) => verdict,
                Err(fault) => {
                    report.unreadable(&name, &fault, args.json.then_some(file));
                    continue;
                }
            };
            if args.json {
                println!("{}", json!({"file": file, "proven": verdict.proven(), "delivery": verdict}));
            }
            report.delivery(&name, &verdict);
        } else {
            let verdict = match judge(file, &anchors, &keys, now) {
                Ok(verdict) => verdict,
                Err(fault) => {
                    report.unreadable(&name, &fault, args.json.then_some(file));
                    continue;
                }
            };
            let good = verdict.is_proven(args.require_revocation);
            if args.json {
                println!(
                    "{}",
                    json!({"file": file, "proven": good, "sha256": verdict.digests.sha256, "pdf": verdict.pdf, "receipt": verdict.receipt})
                );
            }
            report.pdf(&name, &verdict, good, args.details);
        }
    }
    if args.json && files.is_empty() {
        println!("{}", json!({"proven": false, "files": 0}));
    } else if !args.json {
        print!("{}", report.render());
    }
    if files.is_empty() {
        eprintln!("hoso: {}", Fault::new(&NOTHING));
    }
    Ok(u8::from(files.is_empty() || report.proven != report.judged))
}

/// A file's path below what was asked for, as long as that still tells it apart.
fn shown_name(file: &Path, asked: &[PathBuf]) -> String {
    let below = asked.iter().find_map(|a| file.strip_prefix(a).ok()).filter(|b| !b.as_os_str().is_empty());
    below.unwrap_or(file).to_string_lossy().into_owned()
}

/// The table, what is wrong, and what nobody checked.
#[derive(Default)]
struct Report {
    table: Vec<Vec<String>>,
    notes: String,
    not_checked: BTreeMap<String, usize>,
    judged: usize,
    proven: usize,
}

impl Report {
    fn pdf(&mut self, name: &str, verdict: &Verdict, good: bool, details: bool) {
        self.judged += 1;
        self.proven += usize::from(good);
        let receipt = match &verdict.receipt {
            None => "không có / none".to_owned(),
            Some(r) if r.outcome == ReceiptOutcome::Proven => "đúng / proven".to_owned(),
            Some(_) => "KHÔNG ĐẠT / NOT PROVEN".to_owned(),
        };
        if verdict.pdf.signatures.is_empty() {
            self.table.push([name, "không có / none", "-", "-", "-", &receipt].map(str::to_owned).to_vec());
        }
        for s in &verdict.pdf.signatures {
            let who = format!("{} {}", level(s), s.signer.as_deref().unwrap_or("?"));
            let cells =
                [name, &who, integrity(s.integrity), trust(s.chain.trust), coverage(s.coverage), &receipt];
            self.table.push(cells.map(str::to_owned).to_vec());
        }
        let receipt_gaps = verdict.receipt.iter().flat_map(|r| r.not_checked.iter().map(ToString::to_string));
        let gaps = verdict.pdf.signatures.iter().flat_map(|s| s.not_checked.iter().map(ToString::to_string));
        for gap in gaps.chain(receipt_gaps) {
            *self.not_checked.entry(gap).or_default() += 1;
        }
        if details || !good {
            self.notes.push_str(&format!("\n{name}\n{}", verdict.explain()));
        }
    }

    /// A file that cannot be read is not proven; the others are judged all the same.
    fn unreadable(&mut self, name: &str, fault: &Fault, json: Option<&PathBuf>) {
        self.judged += 1;
        if let Some(file) = json {
            println!("{}", json!({"file": file, "proven": false, "error": fault.report()}));
        }
        self.table
            .push([name, "KHÔNG ĐỌC ĐƯỢC / UNREADABLE", "-", "-", "-", "-"].map(str::to_owned).to_vec());
        self.notes.push_str(&format!("\n{name}\n    ! {}\n", fault.report()));
    }

    fn delivery(&mut self, name: &str, verdict: &delivery::Verdict) {
        let (word, detail) = verdict.words();
        self.table
            .push([name, "biên nhận / delivery receipt", "-", "-", "-", word].map(str::to_owned).to_vec());
        if !verdict.judged() {
            *self.not_checked.entry(detail.to_owned()).or_default() += 1;
            return;
        }
        self.judged += 1;
        self.proven += usize::from(verdict.proven());
        if !verdict.proven() {
            self.notes.push_str(&format!("\n{name}\n    ! {detail}\n"));
        }
    }

    fn render(&self) -> String {
        let mut table = Table::new(&[
            "tệp / file",
            "chữ ký / signature",
            "toàn vẹn / integrity",
            "tin cậy / trust",
            "phạm vi / coverage",
            "biên nhận / receipt",
        ]);
        self.table.iter().for_each(|row| table.row(row.clone()));
        let mut out = table.render();
        out.push_str(&self.notes);
        if !self.not_checked.is_empty() {
            out.push_str("\nchưa kiểm tra / not checked:\n");
            for (what, count) in &self.not_checked {
                out.push_str(&format!("  {count:>4} x  {what}\n"));
            }
        }
        out.push_str(&format!("\n{}/{} đạt / proven\n", self.proven, self.judged));
        out
    }
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

    /// Everything that is known, line by line.
    fn explain(&self) -> String {
        let mut lines = Vec::new();
        for signature in &self.pdf.signatures {
            lines.push(format!("{} / {}", signature.vi, signature.en));
            if let Some(time) = signature.timestamp.as_ref().and_then(|t| t.time) {
                lines.push(format!("dấu thời gian / time stamp: {time}"));
            }
            if let Some(time) = &signature.signed_at {
                lines.push(format!("thời điểm ký do người ký khai / time claimed by the signer: {time}"));
            }
            if !signature.updates.is_empty() {
                lines.push(format!(
                    "bổ sung sau khi ký / appended after signing: {}",
                    json!(signature.updates)
                ));
            }
            lines
                .extend(signature.problems.iter().chain(&signature.chain.problems).map(|p| format!("! {p}")));
        }
        if self.pdf.signatures.is_empty() {
            lines.push("! không có chữ ký số / no signature".to_owned());
        }
        lines.extend(self.pdf.problems.iter().map(|p| format!("! {p}")));
        if let Some(receipt) = &self.receipt {
            lines.push(format!("biên nhận / receipt: {} / {}", receipt.vi, receipt.en));
        }
        lines.iter().map(|line| format!("    {line}\n")).collect()
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

/// Files named are taken as they are; of folders the PDFs and receipts, all the way down, links to folders left out.
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
        let wanted = |e: &std::ffi::OsStr| e.eq_ignore_ascii_case("pdf") || e == delivery::EXTENSION;
        let wanted = entry.extension().is_some_and(wanted);
        if entry.is_dir() && !entry.is_symlink() && depth < MAX_DEPTH {
            collect(&entry, depth + 1, files)?;
        } else if wanted && entry.is_file() {
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
