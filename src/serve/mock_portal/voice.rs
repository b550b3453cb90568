//! How the portal puts its answers: the spellings of each adapter, one after the other.

use super::Portal;
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use unicode_normalization::UnicodeNormalization;

/// What a call came to, before it is put into the words of its dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Taken; whether anything changed.
    Taken(bool),
    /// There already.
    Duplicate,
    /// Not there.
    Absent,
    /// This field breaks the contract.
    Wrong(String),
    /// A failure inside.
    Failed,
    /// Any other answer.
    Said(Value, bool),
}

/// How an adapter puts its answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// Numbers and texts in turn.
    Json,
    /// Texts, and the words of success always.
    Words,
    /// Plain text.
    Text,
}

impl Portal {
    /// Puts an end into words, a spelling of them after the other.
    pub(super) fn say(&self, voice: Voice, end: &End) -> Response {
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        let spelt = |words: &str| if turn % 2 == 1 { words.nfd().collect() } else { words.to_owned() };
        if voice == Voice::Text {
            return match end {
                End::Taken(_) => spelt("Cập nhật tiến độ thành công"),
                End::Absent => spelt("Hồ sơ không tồn tại"),
                End::Wrong(field) => format!("Lỗi: trường {field} không hợp lệ"),
                End::Said(Value::String(said), _) => said.clone(),
                End::Duplicate | End::Failed | End::Said(..) => "Lỗi hệ thống".into(),
            }
            .into_response();
        }
        let zero = if voice == Voice::Words {
            json!("0")
        } else {
            [json!(0), json!("0"), json!("00")][turn % 3].clone()
        };
        let exists = "Hồ sơ đã tồn tại trên hệ thống";
        let answer = match end {
            End::Taken(_) => json!({ "error_code": zero, "message": spelt("Đồng bộ thành công") }),
            End::Duplicate => [
                json!({ "error_code": zero, "message": exists }),
                json!({ "error_code": "3", "message": exists.nfd().collect::<String>() }),
                json!({ "error_code": "-3", "message": exists.to_uppercase() }),
            ][turn % 3]
                .clone(),
            End::Absent => json!({ "error_code": "4", "message": spelt("Hồ sơ không tồn tại") }),
            End::Wrong(field) => {
                json!({ "error_code": "12", "message": format!("Trường {field} không hợp lệ") })
            }
            End::Failed => json!({ "error_code": 2, "message": "Lỗi hệ thống" }),
            End::Said(answer, _) => answer.clone(),
        };
        Json(answer).into_response()
    }

    /// An answer that nobody knows, after the work was done.
    pub(super) fn unknown(&self, voice: Voice) -> Response {
        match voice {
            Voice::Text => "Mã 77".into_response(),
            _ => Json(json!({ "error_code": "77", "message": "Mã 77" })).into_response(),
        }
    }
}
