//! What the portal's answer says: parsed into four cases, of which only one is success.
//!
//! Which numbers and words mean what stands in the adapter's tables. An answer that is not of the contract is `None`,
//! and nothing that is not known is ever success.

use super::adapter::{Adapter, folded};
use super::dialect::Dialect;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An answer to a dossier or progress call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Taken: code 0, "0" or "00", no word of a duplicate, and where the dialect has them the words of success.
    Taken,
    /// There already ("đã tồn tại"): send it as an update. Code 0 can say this.
    Duplicate,
    /// Not there ("không tồn tại"): send it as new.
    Absent,
    /// A code that is not known, with its value where it is a plain number.
    Other(Option<i64>),
}

/// What the portal says of a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It has none of this code.
    Nothing,
    /// It has it.
    There(Holding),
}

/// What an answer says that the portal holds of a dossier; what it does not speak of is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// `TrangThaiHoSo` as it stands on the wire.
    pub state: Option<String>,
    /// `TepDinhKemId` of `TaiLieuNop`, with what is said of `DuocSoHoa`.
    pub papers: Option<BTreeMap<String, Option<bool>>>,
    /// `GiayToId` of `DanhSachGiayToKetQua`.
    pub results: Option<BTreeSet<String>>,
}

/// Parses an answer; `None` when it is no answer of this contract (HTML, not JSON, no `error_code`).
pub fn parse(adapter: &Adapter, dialect: Dialect, body: &[u8]) -> Option<Reply> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let code = code_of(answer.get("error_code")?);
    let rule = adapter.rule(dialect)?;
    let message = folded(answer.get("message").and_then(Value::as_str).unwrap_or_default());
    let is = |codes: &[i64]| code.is_some_and(|code| codes.contains(&code));
    let has = |words: &[String]| words.iter().any(|word| message.contains(word.as_str()));
    Some(if is(&rule.duplicate) && has(&adapter.words.duplicate) {
        Reply::Duplicate
    } else if has(&adapter.words.absent) {
        Reply::Absent
    } else if is(&rule.taken)
        && !has(&adapter.words.duplicate)
        && !has(&adapter.words.not_taken)
        && (!rule.taken_words || has(&adapter.words.taken))
    {
        Reply::Taken
    } else {
        Reply::Other(code)
    })
}

/// Parses the answer to a progress call of a bridge: plain text that says so, or an answer as to a dossier.
pub fn parse_text(adapter: &Adapter, dialect: Dialect, body: &[u8]) -> Option<Reply> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(text)) => spoken(adapter, &text),
        Ok(_) => parse(adapter, dialect, body),
        Err(_) => spoken(adapter, std::str::from_utf8(body).ok()?),
    }
}

/// What `TraCuuHoSo` found; `None` when the answer is not one that can be relied on.
///
/// There is what a `result` that is not empty names; an empty `result` is absence under whatever code, as is a message that
/// says so, but never where the message speaks of the session or of a failure inside.
pub fn found(adapter: &Adapter, body: &[u8], code: &str) -> Option<Found> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let message = folded(answer.get("message").and_then(Value::as_str).unwrap_or_default());
    let has = |words: &[String]| words.iter().any(|word| message.contains(word.as_str()));
    if has(&adapter.words.session) {
        return None;
    }
    let list = match answer.get("result") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(Value::Null) | None if has(&adapter.words.absent) => &[],
        _ => return None,
    };
    if list.is_empty() {
        return (has(&adapter.words.absent) || !has(&adapter.words.failed)).then_some(Found::Nothing);
    }
    let done = answer.get("error_code").is_none_or(|code| code_of(code) == Some(0));
    // A list that names codes and not ours is an answer to another question; one under a code of failure has to name ours.
    let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let named: Vec<_> = list.iter().map(|record| text(record, "MaHoSo")).collect();
    let (record, _) =
        list.iter().zip(&named).find(|(_, name)| name.as_deref().map_or(done, |name| name == code))?;
    let list = |name: &str| record.get(name).and_then(Value::as_array);
    Some(Found::There(Holding {
        state: match record.get("TrangThaiHoSo") {
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => text(record, "TrangThaiHoSo"),
        },
        papers: list("TaiLieuNop").map(|list| {
            let there = list.iter().filter(|paper| text(paper, "IsDeleted").as_deref() != Some("True"));
            let digitised = |paper| text(paper, "DuocSoHoa").map(|flag| flag == "1");
            there.filter_map(|paper| Some((text(paper, "TepDinhKemId")?, digitised(paper)))).collect()
        }),
        results: list("DanhSachGiayToKetQua")
            .map(|list| list.iter().filter_map(|result| text(result, "GiayToId")).collect()),
    }))
}

/// Whether an answer's message speaks of the session.
pub(super) fn is_about_session(adapter: &Adapter, body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = folded(answer.get("message").and_then(Value::as_str).unwrap_or_default());
    adapter.words.session.iter().any(|word| message.contains(word.as_str()))
}

/// Whether an answer to the question leaves it open if the session still holds: nothing found, under a code that is not 0
/// and without a word of absence.
pub(super) fn is_doubtful(adapter: &Adapter, body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = folded(answer.get("message").and_then(Value::as_str).unwrap_or_default());
    let absent = adapter.words.absent.iter().any(|word| message.contains(word.as_str()));
    !absent && answer.get("error_code").is_some_and(|code| code_of(code) != Some(0))
}

/// The session of a login answer.
pub fn session(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let session = answer.get("session")?.as_str()?;
    (code_of(answer.get("error_code")?) == Some(0) && !session.is_empty()).then(|| session.to_owned())
}

/// Whether a body is an answer of the contract at all.
pub(super) fn is_answer(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer.get("error_code").is_some())
}

fn spoken(adapter: &Adapter, text: &str) -> Option<Reply> {
    let text = folded(text.trim());
    // A page of a proxy may say anything.
    if text.is_empty() || text.starts_with('<') {
        return None;
    }
    let has = |words: &[String]| words.iter().any(|word| text.contains(word.as_str()));
    Some(match () {
        () if has(&adapter.words.absent) => Reply::Absent,
        () if has(&adapter.words.taken) && !has(&adapter.words.not_taken) => Reply::Taken,
        () => Reply::Other(None),
    })
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
mod tests;
