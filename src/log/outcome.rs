//! What a receipt is worth: valid, or one of six outcomes that a person acts on in six different ways.

use super::mark::Status;
use super::statement::Statement;
use serde::Serialize;

/// The outcome to act on. Each has its own exit code of `hoso log check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// This document, byte for byte, is in the log, and nothing that was looked at speaks against it.
    Valid,
    /// Nobody outside the log has confirmed it yet: a time stamp or cosignature that is due is missing.
    NotYetAnchored,
    /// No trusted key signed the checkpoint.
    UnknownLog,
    /// A later paper took its place.
    Superseded,
    /// It was revoked.
    Revoked,
    /// The document or the receipt is not what was logged.
    Altered,
    /// The log signed two histories that contradict each other.
    BrokenConsistency,
}

impl Class {
    /// The exit code of `hoso log check` (README, "Exit codes").
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Valid => 0,
            Class::Altered => 10,
            Class::NotYetAnchored => 11,
            Class::UnknownLog => 12,
            Class::BrokenConsistency => 13,
            Class::Revoked => 14,
            Class::Superseded => 15,
        }
    }

    /// What to do, Vietnamese; nothing where all is well.
    pub fn remedy_vi(self) -> &'static str {
        match self {
            Class::Valid => "",
            Class::Altered => "Không dùng bản này làm căn cứ; xin lại tài liệu và biên nhận từ nơi phát hành",
            Class::NotYetAnchored => {
                "Chờ rồi lấy biên nhận mới từ nơi phát hành (hoso log anchor, hoso log prove)"
            }
            Class::UnknownLog => "Lấy khóa công khai của nhật ký qua kênh tin cậy rồi nêu bằng --key",
            Class::BrokenConsistency => {
                "Giữ lại cả hai bản làm bằng chứng và báo ngay cho người phụ trách nhật ký và cơ quan giám sát"
            }
            Class::Revoked => "Không sử dụng; liên hệ nơi phát hành để biết lý do",
            Class::Superseded => "Xin bản mới nhất từ nơi phát hành",
        }
    }

    /// What to do, English; nothing where all is well.
    pub fn remedy_en(self) -> &'static str {
        match self {
            Class::Valid => "",
            Class::Altered => {
                "do not rely on this copy; ask the issuer for the document and its receipt again"
            }
            Class::NotYetAnchored => {
                "wait, then fetch a new receipt from the issuer (hoso log anchor, hoso log prove)"
            }
            Class::UnknownLog => {
                "get the log's public key over a channel that you trust and give it with --key"
            }
            Class::BrokenConsistency => {
                "keep both as evidence and tell the log's keeper and whoever supervises it at once"
            }
            Class::Revoked => "do not use it; ask the issuer why",
            Class::Superseded => "ask the issuer for the newest one",
        }
    }
}

/// What a receipt is worth for a document; each outcome has its own sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptOutcome {
    /// This document, byte for byte, is in the log.
    Proven,
    /// The receipt is good, and the file is not what was logged.
    AlteredDocument,
    /// The statement contradicts itself about the document: one digest fits and another does not.
    NotThisDocument,
    /// No trusted key signed the checkpoint.
    UnknownLogKey,
    /// The checkpoint claims a trusted key and is not signed by it.
    BadSignature,
    /// The proof does not lead from the statement to the signed root.
    BadPath,
    /// The time stamp is damaged or belongs to something else.
    BadStamp,
    /// It is no receipt.
    Malformed,
    /// The time stamp that the log or the verifier wants is not there yet, or its authority is not trusted.
    NotYetAnchored,
    /// Fewer trusted witnesses cosigned than the verifier wants.
    NotYetWitnessed,
    /// A checkpoint that the same log signed contradicts this one.
    BrokenConsistency,
    /// The log says that the document was revoked.
    Revoked,
    /// The log says that another document takes its place.
    Superseded,
}

impl ReceiptOutcome {
    /// Which way to act.
    pub fn class(self) -> Class {
        match self {
            ReceiptOutcome::Proven => Class::Valid,
            ReceiptOutcome::AlteredDocument
            | ReceiptOutcome::NotThisDocument
            | ReceiptOutcome::BadSignature
            | ReceiptOutcome::BadPath
            | ReceiptOutcome::BadStamp
            | ReceiptOutcome::Malformed => Class::Altered,
            ReceiptOutcome::UnknownLogKey => Class::UnknownLog,
            ReceiptOutcome::NotYetAnchored | ReceiptOutcome::NotYetWitnessed => Class::NotYetAnchored,
            ReceiptOutcome::BrokenConsistency => Class::BrokenConsistency,
            ReceiptOutcome::Revoked => Class::Revoked,
            ReceiptOutcome::Superseded => Class::Superseded,
        }
    }

    /// The sentence, Vietnamese.
    pub fn vi(self) -> &'static str {
        match self {
            ReceiptOutcome::Proven => "Tài liệu này đã được ghi vào nhật ký minh bạch và chưa bị thay đổi",
            ReceiptOutcome::AlteredDocument => {
                "Biên nhận đúng nhưng tài liệu đã bị thay đổi hoặc là tài liệu khác"
            }
            ReceiptOutcome::NotThisDocument => "Biên nhận mâu thuẫn với tài liệu này, không dùng được",
            ReceiptOutcome::UnknownLogKey => "Không có khóa tin cậy nào ký biên nhận này",
            ReceiptOutcome::BadSignature => "Chữ ký của nhật ký hoặc nhân chứng trên biên nhận không đúng",
            ReceiptOutcome::BadPath => "Bằng chứng trong biên nhận không khớp với nhật ký đã ký",
            ReceiptOutcome::BadStamp => "Dấu thời gian trên biên nhận hỏng hoặc thuộc về dữ liệu khác",
            ReceiptOutcome::Malformed => "Biên nhận hỏng hoặc không đúng định dạng",
            ReceiptOutcome::NotYetAnchored => {
                "Tài liệu đã vào nhật ký nhưng chưa có dấu thời gian của đơn vị được tin cậy"
            }
            ReceiptOutcome::NotYetWitnessed => "Tài liệu đã vào nhật ký nhưng chưa đủ nhân chứng ký xác nhận",
            ReceiptOutcome::BrokenConsistency => {
                "Nhật ký đã ký hai lịch sử mâu thuẫn nhau, biên nhận không còn đáng tin"
            }
            ReceiptOutcome::Revoked => "Tài liệu này đã bị thu hồi",
            ReceiptOutcome::Superseded => "Tài liệu này đã được thay thế bằng bản mới",
        }
    }

    /// The sentence, English.
    pub fn en(self) -> &'static str {
        match self {
            ReceiptOutcome::Proven => "this document was logged and has not been changed since",
            ReceiptOutcome::AlteredDocument => {
                "the receipt is good but the document was altered or is another one"
            }
            ReceiptOutcome::NotThisDocument => "the receipt contradicts itself about this document",
            ReceiptOutcome::UnknownLogKey => "no trusted log key signed this receipt",
            ReceiptOutcome::BadSignature => "the log's or a witness's signature on this receipt is not good",
            ReceiptOutcome::BadPath => "the proof in this receipt does not lead to the signed log",
            ReceiptOutcome::BadStamp => {
                "the time stamp on this receipt is damaged or belongs to something else"
            }
            ReceiptOutcome::Malformed => "the receipt is damaged or malformed",
            ReceiptOutcome::NotYetAnchored => {
                "the document is in the log but no trusted authority has time-stamped it yet"
            }
            ReceiptOutcome::NotYetWitnessed => {
                "the document is in the log but too few witnesses have cosigned it yet"
            }
            ReceiptOutcome::BrokenConsistency => {
                "the log signed two histories that contradict each other, the receipt is worth nothing"
            }
            ReceiptOutcome::Revoked => "this document was revoked",
            ReceiptOutcome::Superseded => "this document was superseded by a newer one",
        }
    }
}

impl From<Status> for ReceiptOutcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Revoked => ReceiptOutcome::Revoked,
            Status::Superseded => ReceiptOutcome::Superseded,
        }
    }
}

/// The outcome with what was read on the way. Figures are claims unless the log's signature and path were found good, which
/// they are in every outcome but those of the class `altered` and `unknown-log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptVerdict {
    /// Valid, or one of six ways to act.
    pub result: Class,
    /// The judgement in detail.
    pub outcome: ReceiptOutcome,
    /// [`ReceiptOutcome::vi`].
    pub vi: &'static str,
    /// [`ReceiptOutcome::en`].
    pub en: &'static str,
    /// [`Class::remedy_vi`].
    #[serde(skip_serializing_if = "str::is_empty")]
    pub remedy_vi: &'static str,
    /// [`Class::remedy_en`].
    #[serde(skip_serializing_if = "str::is_empty")]
    pub remedy_en: &'static str,
    /// The log's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Size of the log at its checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What the office stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// When the document was in the log at the latest, as the time stamp says; judged only where nothing about the
    /// authority is among what was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamped_at: Option<jiff::Timestamp>,
    /// The trusted witnesses that cosigned, with the time that each says (POSIX seconds).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<(String, u64)>,
    /// The SHA-256 of the newer document, where the log or a newer receipt names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<crate::digest::Sha256>,
    /// The size of the newest checkpoint of the log up to which neither revocation nor supersession was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrevoked_at: Option<u64>,
    /// What this judgement did not look at.
    pub not_checked: Vec<&'static str>,
}

impl ReceiptVerdict {
    /// A verdict of which nothing else is known yet.
    pub(super) fn bare(outcome: ReceiptOutcome) -> ReceiptVerdict {
        let class = outcome.class();
        ReceiptVerdict {
            result: class,
            outcome,
            vi: outcome.vi(),
            en: outcome.en(),
            remedy_vi: class.remedy_vi(),
            remedy_en: class.remedy_en(),
            origin: None,
            index: None,
            size: None,
            statement: None,
            stamped_at: None,
            witnesses: Vec::new(),
            superseded_by: None,
            unrevoked_at: None,
            not_checked: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn seven_results_have_seven_exit_codes_that_mean_nothing_else() {
        let all = [
            Class::Valid,
            Class::Altered,
            Class::NotYetAnchored,
            Class::UnknownLog,
            Class::BrokenConsistency,
            Class::Revoked,
            Class::Superseded,
        ];
        let codes: HashSet<u8> = all.iter().map(|c| c.exit_code()).collect();
        assert_eq!(codes.len(), 7);
        assert!(codes.iter().all(|c| *c == 0 || ((7..70).contains(c))));
        let words: HashSet<&str> = all[1..].iter().flat_map(|c| [c.remedy_vi(), c.remedy_en()]).collect();
        assert_eq!(words.len(), 12);
    }
}
