//! A verdict told to people: who signed, when, and whether it is whole, in Vietnamese and English, as a terminal and a
//! sheet of paper show it (Circular 15/2025/TT-BKHCN: signer, time and integrity in Vietnamese).

use super::report::{
    ChainState, Held, Modifications, Reach, Report, RevocationState, Signature, StampState, Verdict,
};
use crate::digest::Sha256;
use jiff::Timestamp;

/// What is known of a judged file besides its verdict.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digest, where somebody will read it: what was judged.
    pub sha256: Option<Sha256>,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// The time that it was judged as of, where somebody chose one.
    pub as_of: Option<Timestamp>,
}

/// A line of the telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The conclusion.
    Conclusion {
        /// In both languages.
        text: String,
    },
    /// What the lines below it are about.
    Heading {
        /// In both languages.
        text: String,
    },
    /// A name and a value.
    Item {
        /// In both languages.
        name: String,
        /// As it is shown.
        value: String,
    },
    /// A reason: its code, Vietnamese, English.
    Reason {
        /// Stable.
        code: String,
        /// Vietnamese.
        vi: String,
        /// English.
        en: String,
    },
}

/// Tells a verdict, the conclusion first.
pub fn tell(report: &Report, subject: &Subject) -> Vec<Line> {
    let mut lines = vec![
        Line::Conclusion { text: conclusion(report.verdict).to_owned() },
        item("Tệp / file", &subject.name),
        item("Kiểm tra lúc / judged at", &local(subject.judged_at)),
    ];
    if let Some(sha256) = &subject.sha256 {
        lines.insert(2, item("SHA-256", &sha256.to_string()));
    }
    if let Some(at) = subject.as_of {
        lines.push(item("Xét tại thời điểm / judged as of", &local(at)));
    }
    for (signature, number) in report.signatures.iter().zip(1..) {
        lines.push(Line::Heading {
            text: format!("Chữ ký {number} / signature {number}: {}", signature.field),
        });
        lines.extend(signature_lines(signature));
    }
    if !report.reasons.is_empty() {
        lines.push(Line::Heading { text: "Lý do và lưu ý / reasons and notes".to_owned() });
    }
    lines.extend(report.reasons.iter().map(|r| Line::Reason {
        code: r.code.clone(),
        vi: r.vi.clone(),
        en: r.en.clone(),
    }));
    lines
}

/// The conclusion as a sentence.
pub fn conclusion(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "HỢP LỆ / VALID",
        Verdict::Indeterminate => "CHƯA KẾT LUẬN ĐƯỢC / INDETERMINATE",
        Verdict::Invalid => "KHÔNG HỢP LỆ / INVALID",
    }
}

fn signature_lines(signature: &Signature) -> Vec<Line> {
    let time = signature.time.as_deref().unwrap_or("không ghi / not stated");
    let stamp = match (signature.timestamp.status, signature.timestamp.time) {
        (StampState::None, _) | (_, None) => stamp(signature.timestamp.status).to_owned(),
        (state, Some(at)) => format!("{} ({})", local(at), stamp(state)),
    };
    let came = match signature.modifications {
        Modifications::None => "không có / none",
        Modifications::Allowed => "có, được phép / allowed",
        Modifications::Illegal => "CÓ, TRÁI PHÉP / ILLEGAL",
    };
    let mut lines = vec![
        item("Người ký / signer", signature.signer.as_deref().unwrap_or("?")),
        item("Thời điểm ký do người ký khai / time claimed", time),
        item("Dấu thời gian / time stamp", &stamp),
        item("Toàn vẹn / integrity", integrity(signature.integrity)),
        item("Phạm vi / coverage", coverage(signature.coverage)),
        item("Thay đổi sau khi ký / changes since", came),
        item("Chuỗi chứng thư / chain", chain(signature.chain)),
        item("Thu hồi / revocation", revocation(signature.revocation)),
    ];
    if signature.level != "other" {
        lines.push(item("Mức PAdES / level", signature.level));
    }
    lines
}

fn integrity(state: Held) -> &'static str {
    match state {
        Held::Intact => "nguyên vẹn / intact",
        Held::Broken => "KHÔNG NGUYÊN VẸN / BROKEN",
    }
}

fn coverage(reach: Reach) -> &'static str {
    match reach {
        Reach::Whole => "toàn bộ tệp / whole file",
        Reach::Extended => "tệp dài thêm sau khi ký / extended",
    }
}

fn chain(state: ChainState) -> &'static str {
    match state {
        ChainState::Trusted => "tin cậy / trusted",
        ChainState::Untrusted => "KHÔNG TIN CẬY / UNTRUSTED",
        ChainState::Unknown => "chưa rõ / unknown",
    }
}

fn revocation(state: RevocationState) -> &'static str {
    match state {
        RevocationState::Good => "không bị thu hồi / good",
        RevocationState::Revoked => "ĐÃ BỊ THU HỒI / REVOKED",
        RevocationState::Unknown => "chưa rõ / unknown",
    }
}

fn stamp(state: StampState) -> &'static str {
    match state {
        StampState::None => "không có / none",
        StampState::Trusted => "tin cậy / trusted",
        StampState::Untrusted => "chưa tin cậy / untrusted",
        StampState::Invalid => "KHÔNG ĐÚNG / INVALID",
    }
}

/// A time as it is read in Vietnam.
fn local(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(7))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn item(name: &str, value: &str) -> Line {
    Line::Item { name: name.to_owned(), value: value.to_owned() }
}
