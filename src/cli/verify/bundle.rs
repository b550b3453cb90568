//! Evidence bundles: one file, judged as a whole.

use crate::cli::evidence::shown;
use crate::evidence::archive::looks_like_one;
use crate::evidence::{Report, Trust, check};
use crate::fault::{Fault, Outcome};
use crate::log::UNREADABLE;
use crate::seal::verify::{Verdict, told};
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

/// Whether a file is to be judged as a bundle: by its name, or by how it begins.
pub(super) fn is_one(file: &Path) -> bool {
    let named = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"));
    let mut head = [0; 4];
    named || File::open(file).and_then(|mut f| f.read_exact(&mut head)).is_ok_and(|()| looks_like_one(&head))
}

/// Judges a bundle.
pub(super) fn judge(file: &Path, trust: &Trust<'_>) -> Outcome<Report> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(file.display());
    check(BufReader::new(File::open(file).map_err(unreadable)?), trust).map_err(|f| f.at(file.display()))
}

/// Everything about one bundle.
pub(super) fn one(name: &str, report: &Report) -> String {
    let mut out = format!("{}\n\n  tệp / file: {name}\n", told::conclusion(report.verdict));
    let mut item = |name: &str, value: &str| out.push_str(&format!("  {name}: {value}\n"));
    if let Some(dossier) = &report.dossier {
        item("hồ sơ / dossier", &shown(dossier));
    }
    item("cơ quan lập gói / made by", report.office.as_deref().unwrap_or("?"));
    item("tình trạng tới / state as of", report.as_of.as_deref().unwrap_or("?"));
    item("chữ ký của trạm trên bản kê / station's signature over the manifest", word(report.manifest));
    item(
        "nhật ký xử lý / journal",
        &format!("{} mục liền chuỗi / entries, chain whole", report.journal_entries),
    );
    for document in &report.documents {
        out.push_str(&format!("\n{}\n  SHA-256: {}\n", document.entry, document.sha256));
        let seal = document.seal.as_ref();
        out.push_str(&format!(
            "  chữ ký số / signature: {}\n",
            seal.map_or("không có / none", |s| word(s.verdict))
        ));
        for signature in seal.iter().flat_map(|s| &s.signatures) {
            let time = signature.timestamp.time.map(|t| t.to_string()).or_else(|| signature.time.clone());
            let (who, time) = (signature.signer.as_deref().unwrap_or("?"), time.unwrap_or_default());
            out.push_str(&format!("    {} {who}, {time}\n", signature.level));
        }
        let log = document.log.map_or("không có / none", word);
        out.push_str(&format!(
            "  nhật ký minh bạch / log: {log} {}\n",
            document.logged.as_deref().unwrap_or("")
        ));
    }
    if !report.deliveries.is_empty() {
        out.push_str("\nGiao tới / deliveries\n");
    }
    for delivery in &report.deliveries {
        let receipt = match delivery.receipt {
            Some(verdict) => word(verdict),
            None if delivery.by == "portal" => "không ký / unsigned",
            None => "không có / none",
        };
        let time = delivery.received_at.as_deref().unwrap_or("");
        let id = &delivery.id.to_string()[..12];
        out.push_str(&format!("  {} {id}: biên nhận / receipt {receipt} {time}\n", delivery.recipient));
    }
    out.push_str(&explain(report));
    out
}

/// Why, and what nobody checked.
pub(super) fn explain(report: &Report) -> String {
    let mut out = String::new();
    if !report.reasons.is_empty() {
        out.push_str("\nLý do và lưu ý / reasons and notes\n");
    }
    for reason in &report.reasons {
        let about = reason.about.as_deref().map(|a| format!(" {a}")).unwrap_or_default();
        out.push_str(&format!("  ! {}{about}: {} / {}\n", reason.code, reason.vi, reason.en));
    }
    if !report.not_checked.is_empty() {
        out.push_str("\nChưa kiểm tra / not checked\n");
    }
    report.not_checked.iter().for_each(|gap| out.push_str(&format!("  {gap}\n")));
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "đúng / good",
        Verdict::Indeterminate => "chưa rõ / unknown",
        Verdict::Invalid => "KHÔNG ĐẠT / NOT GOOD",
    }
}
