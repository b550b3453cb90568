//! What `hoso verify` shows people: all about one file, or a table of many with what is wrong and what nobody checked.

use super::delivery;
use super::judged::Judged;
use crate::cli::table::Table;
use crate::fault::Fault;
use crate::log::receipt::ReceiptOutcome;
use crate::seal::verify::told::{self, Line};
use crate::seal::verify::{CoverageClass, Integrity, SignatureReport, Trust, Verdict};
use crate::shown::plain;
use serde_json::json;
use std::collections::BTreeMap;

/// The table, what is wrong, and what nobody checked.
#[derive(Default)]
pub(super) struct Listing {
    table: Vec<Vec<String>>,
    notes: String,
    not_checked: BTreeMap<String, usize>,
    pdfs: usize,
    bundles: usize,
    judged: usize,
    proven: usize,
}

impl Listing {
    pub(super) fn pdf(&mut self, name: &str, judged: &Judged, details: bool) {
        let good = judged.report.verdict == Verdict::Valid;
        self.pdfs += 1;
        self.judged += 1;
        self.proven += usize::from(good);
        let receipt = match &judged.receipt {
            None => "không có / none".to_owned(),
            Some(r) if r.outcome == ReceiptOutcome::Proven => "đúng / proven".to_owned(),
            Some(_) => "KHÔNG ĐẠT / NOT PROVEN".to_owned(),
        };
        if judged.record.signatures.is_empty() {
            self.table.push([name, "không có / none", "-", "-", "-", &receipt].map(str::to_owned).to_vec());
        }
        for s in &judged.record.signatures {
            let who = format!("{} {}", level(s), s.signer.as_deref().unwrap_or("?"));
            let cells =
                [name, &who, integrity(s.integrity), trust(s.chain.trust), coverage(s.coverage), &receipt];
            self.table.push(cells.map(str::to_owned).to_vec());
        }
        let gaps = judged.record.signatures.iter().flat_map(|s| s.not_checked.iter());
        let gaps = gaps.map(|gap| format!("{} / {}", gap.vi, gap.en));
        let receipt_gaps = judged.receipt.iter().flat_map(|r| r.not_checked.iter().map(ToString::to_string));
        for gap in gaps.chain(receipt_gaps) {
            *self.not_checked.entry(gap).or_default() += 1;
        }
        if details || !good {
            self.notes.push_str(&format!("\n{}\n{}", plain(name), explain(judged)));
        }
    }

    /// A file that cannot be read is not proven; the others are judged all the same.
    pub(super) fn unreadable(&mut self, name: &str, fault: &Fault) {
        self.judged += 1;
        self.table
            .push([name, "KHÔNG ĐỌC ĐƯỢC / UNREADABLE", "-", "-", "-", "-"].map(str::to_owned).to_vec());
        self.notes.push_str(&format!("\n{}\n    ! {}\n", plain(name), fault.report()));
    }

    pub(super) fn delivery(&mut self, name: &str, verdict: &delivery::Verdict) {
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
            self.notes.push_str(&format!("\n{}\n    ! {detail}\n", plain(name)));
        }
    }

    pub(super) fn bundle(&mut self, name: &str, report: &crate::evidence::Report, details: bool) {
        let good = report.verdict == Verdict::Valid;
        self.bundles += 1;
        self.judged += 1;
        self.proven += usize::from(good);
        let word = told::conclusion(report.verdict);
        self.table
            .push([name, "gói chứng cứ / evidence bundle", "-", "-", "-", word].map(str::to_owned).to_vec());
        for gap in &report.not_checked {
            *self.not_checked.entry(gap.clone()).or_default() += 1;
        }
        if details || !good {
            self.notes.push_str(&format!("\n{}\n{}", plain(name), super::bundle::explain(report)));
        }
    }

    /// Whether a file was judged of which everything is told where it is alone.
    pub(super) fn is_told(&self) -> bool {
        self.pdfs + self.bundles > 0
    }

    pub(super) fn render(&self) -> String {
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

/// Everything about one file.
pub(super) fn one(judged: &Judged) -> String {
    let mut out = String::new();
    for line in told::tell(&judged.report, &judged.subject) {
        match line {
            Line::Conclusion { text } => out.push_str(&format!("{text}\n\n")),
            Line::Heading { text } => out.push_str(&format!("\n{text}\n")),
            Line::Item { name, value } => out.push_str(&format!("  {name}: {}\n", plain(&value))),
            Line::Reason { code, vi, en } => out.push_str(&format!("  {code}: {vi} / {en}\n")),
        }
    }
    if let Some(receipt) = &judged.receipt {
        out.push_str(&format!("\nbiên nhận / receipt: {} / {}\n", receipt.vi, receipt.en));
        receipt
            .not_checked
            .iter()
            .for_each(|gap| out.push_str(&format!("  chưa kiểm tra / not checked: {gap}\n")));
    }
    out.push_str(&format!("\n{}/1 đạt / proven\n", u8::from(judged.report.verdict == Verdict::Valid)));
    out
}

/// All that is known, line by line, below a table.
fn explain(judged: &Judged) -> String {
    let mut lines = vec![told::conclusion(judged.report.verdict).to_owned()];
    for signature in &judged.record.signatures {
        lines.push(format!("{} / {}", signature.vi, signature.en));
        if let Some(time) = signature.timestamp.as_ref().and_then(|t| t.time) {
            lines.push(format!("dấu thời gian / time stamp: {time}"));
        }
        if let Some(time) = &signature.signed_at {
            lines.push(format!("thời điểm ký do người ký khai / time claimed by the signer: {time}"));
        }
        if !signature.updates.is_empty() {
            lines.push(format!("bổ sung sau khi ký / appended after signing: {}", json!(signature.updates)));
        }
    }
    lines.extend(judged.report.reasons.iter().map(|r| format!("! {}: {} / {}", r.code, r.vi, r.en)));
    if let Some(receipt) = &judged.receipt {
        lines.push(format!("biên nhận / receipt: {} / {}", receipt.vi, receipt.en));
    }
    lines.iter().map(|line| format!("    {}\n", plain(line))).collect()
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
