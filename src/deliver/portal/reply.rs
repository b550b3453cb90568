//! What the portal's answer says: parsed into four cases, of which only one is success.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// An answer to a dossier or progress call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Taken: `error_code` 0, "0" or "00", and not a duplicate.
    Taken,
    /// There already ("đã tồn tại"): send it as an update. Code 0 can say this.
    Duplicate,
    /// Not there ("không tồn tại"): send it as new.
    Absent,
    /// A code that is not known, with its value where it is a plain number.
    Other(Option<i64>),
}

/// Parses an answer; `None` when it is no answer of this contract (HTML, not JSON, no `error_code`).
pub fn parse(body: &[u8]) -> Option<Reply> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let code = code_of(answer.get("error_code")?);
    let message: String = answer.get("message").and_then(Value::as_str).unwrap_or_default().nfc().collect();
    let message = message.to_lowercase();
    Some(match code {
        Some(0 | 3 | -3) if message.contains("đã tồn tại") => Reply::Duplicate,
        _ if message.contains("không tồn tại") => Reply::Absent,
        Some(0) => Reply::Taken,
        other => Reply::Other(other),
    })
}

/// Whether `TraCuuHoSo` found the dossier; `None` when the answer is not one that can be relied on.
pub fn found(body: &[u8]) -> Option<bool> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    if code_of(answer.get("error_code")?) != Some(0) {
        return None;
    }
    match answer.get("result") {
        Some(Value::Array(found)) => Some(!found.is_empty()),
        Some(Value::Null) | None => Some(false),
        Some(_) => None,
    }
}

/// The session of a login answer.
pub fn session(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let session = answer.get("session")?.as_str()?;
    (code_of(answer.get("error_code")?) == Some(0) && !session.is_empty()).then(|| session.to_owned())
}

/// A number, or a text of few digits; anything else has no value, which is not zero.
fn code_of(code: &Value) -> Option<i64> {
    match code {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { text.parse().ok() } else { None }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<Reply> {
        parse(body.as_bytes())
    }

    #[test]
    fn zero_comes_as_number_and_as_two_texts() {
        for code in ["0", "\"0\"", "\"00\""] {
            assert_eq!(of(&format!(r#"{{"error_code":{code}}}"#)), Some(Reply::Taken), "{code}");
        }
    }

    #[test]
    fn a_duplicate_is_known_by_its_words_even_under_code_zero_and_in_decomposed_letters() {
        let decomposed: String = "Hồ sơ ĐÃ TỒN TẠI".nfd().collect();
        for code in ["0", "\"0\"", "\"00\"", "3", "\"3\"", "-3", "\"-3\""] {
            for message in ["Hồ sơ đã tồn tại trên hệ thống", decomposed.as_str()] {
                let body = serde_json::json!({ "message": message }).to_string();
                let body = body.replace('{', &format!("{{\"error_code\":{code},"));
                assert_eq!(of(&body), Some(Reply::Duplicate), "{body}");
            }
        }
        assert_eq!(of(r#"{"error_code":7,"message":"đã tồn tại"}"#), Some(Reply::Other(Some(7))));
    }

    #[test]
    fn nothing_else_is_ever_success() {
        for body in [
            r#"{"error_code":1}"#,
            r#"{"error_code":"01"}"#,
            r#"{"error_code":3}"#,
            r#"{"error_code":"-3","message":"lỗi"}"#,
            r#"{"error_code":""}"#,
            r#"{"error_code":"0x0"}"#,
            r#"{"error_code":" 0"}"#,
            r#"{"error_code":null}"#,
            r#"{"error_code":false}"#,
            r#"{"error_code":0.5}"#,
            r#"{"error_code":[]}"#,
            r#"{"error_code":0,"message":"Hồ sơ không tồn tại"}"#,
        ] {
            assert!(!matches!(of(body), Some(Reply::Taken | Reply::Duplicate)), "{body}");
        }
        for body in ["", "{}", "[]", "0", "\"00\"", "<html>0</html>", "thành công", r#"{"error":"0"}"#] {
            assert_eq!(of(body), None, "{body}");
        }
    }

    #[test]
    fn a_dossier_is_found_only_in_a_list_that_holds_it() {
        assert_eq!(found(br#"{"error_code":0,"result":[{}]}"#), Some(true));
        assert_eq!(found(br#"{"error_code":"00","result":[]}"#), Some(false));
        assert_eq!(found(br#"{"error_code":0}"#), Some(false));
        assert_eq!(found(br#"{"error_code":0,"result":"x"}"#), None);
        assert_eq!(found(br#"{"error_code":9,"result":[]}"#), None);
        assert_eq!(found(b"<html>"), None);
    }

    #[test]
    fn a_session_needs_code_zero_and_a_text() {
        assert_eq!(session(br#"{"error_code":0,"session":"s"}"#).as_deref(), Some("s"));
        for bad in [
            r#"{"error_code":1,"session":"s"}"#,
            r#"{"error_code":0,"session":""}"#,
            r#"{"session":"s"}"#,
            "x",
        ] {
            assert_eq!(session(bad.as_bytes()), None, "{bad}");
        }
    }
}
