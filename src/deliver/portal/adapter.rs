//! What an adapter of the portal calls things: its tables, limits, shapes of codes and signs of success, as data.
//!
//! The program brings the national contract's (`dvcqg`); a station may lay others beside its profiles, since adapters of
//! ministries number some of it otherwise. What a table lacks cannot be said to that adapter: it is never told as
//! something else.

use super::dialect::Dialect;
use super::record::{Channel, FiledAt, Handover, IdentityKind, OwnerKind, Payment, Status};
use crate::fault::{Class, Code, Fault, Outcome};
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use unicode_normalization::UnicodeNormalization;

/// The tables of one adapter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Which edition of the contract, a date.
    pub edition: String,
    /// Where it was read.
    pub source: String,
    /// Most progress lines in one call.
    pub chunk: usize,
    /// Longest texts by field, UTF-16 code units after NFC.
    limits: BTreeMap<String, usize>,
    /// What codes look like, by field.
    shapes: BTreeMap<String, Shape>,
    /// Values on the wire by field and key.
    enums: BTreeMap<String, BTreeMap<String, String>>,
    /// Signs of success, by dialect.
    replies: BTreeMap<String, ReplyRule>,
    /// Words in answers.
    pub(super) words: Words,
}

/// What numbers an answer means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ReplyRule {
    pub(super) taken: Vec<i64>,
    /// The words of success must stand there, too.
    #[serde(default)]
    pub(super) taken_words: bool,
    pub(super) duplicate: Vec<i64>,
}

/// Words that an answer's message is searched for; lower case, NFC.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Words {
    pub(super) taken: Vec<String>,
    /// Hold the words of success and mean the contrary.
    pub(super) not_taken: Vec<String>,
    pub(super) duplicate: Vec<String>,
    pub(super) absent: Vec<String>,
    /// The session is none, or no longer.
    #[serde(default)]
    pub(super) session: Vec<String>,
    /// A failure inside the portal.
    #[serde(default)]
    pub(super) failed: Vec<String>,
}

impl Adapter {
    /// The national contract's tables.
    pub fn national() -> Arc<Self> {
        static NATIONAL: OnceLock<Option<Arc<Adapter>>> = OnceLock::new();
        let read = || Adapter::parse(include_str!("adapter/dvcqg.toml")).ok().map(Arc::new);
        // The file is part of the program and a test reads it; without tables nothing could be sent, which is safe.
        NATIONAL.get_or_init(read).clone().unwrap_or_else(|| Arc::new(Adapter::empty()))
    }

    /// Reads tables; `place` is named where they have a mistake.
    ///
    /// # Errors
    /// [`BROKEN`].
    pub fn parse(text: &str) -> Outcome<Self> {
        let mut adapter: Adapter = toml::from_str(text).map_err(|e| {
            let before = e.span().and_then(|s| text.get(..s.start)).unwrap_or("");
            Fault::new(&BROKEN).at(format!("line {}", before.matches('\n').count() + 1)).detail(e.message())
        })?;
        let wrong = |what: String| Err(Fault::new(&BROKEN).detail(what));
        if !(1..=1_000).contains(&adapter.chunk) {
            return wrong("chunk".into());
        }
        for (field, keys) in known() {
            let table = adapter.enums.get(field);
            if let Some(key) = table.and_then(|t| t.keys().find(|key| !keys.contains(&key.as_str()))) {
                return wrong(format!("enums.{field}.{key}"));
            }
        }
        if let Some(field) = adapter.enums.keys().find(|field| !known().iter().any(|(f, _)| f == field)) {
            return wrong(format!("enums.{field}"));
        }
        if let Some(dialect) =
            adapter.replies.keys().find(|name| !Dialect::ALL.iter().any(|d| d.key() == *name))
        {
            return wrong(format!("replies.{dialect}"));
        }
        let words = &mut adapter.words;
        for list in [
            &mut words.taken,
            &mut words.not_taken,
            &mut words.duplicate,
            &mut words.absent,
            &mut words.session,
            &mut words.failed,
        ] {
            list.iter_mut().for_each(|word| *word = folded(word));
            if list.iter().any(String::is_empty) {
                return wrong("words".into());
            }
        }
        Ok(adapter)
    }

    fn empty() -> Self {
        Adapter {
            name: String::new(),
            edition: String::new(),
            source: String::new(),
            chunk: 1,
            limits: BTreeMap::new(),
            shapes: BTreeMap::new(),
            enums: BTreeMap::new(),
            replies: BTreeMap::new(),
            words: Words::default(),
        }
    }

    /// What a value is called on this adapter's wire; `None` where it has no word for it.
    pub fn value(&self, field: &str, key: &str) -> Option<&str> {
        self.enums.get(field)?.get(key).map(String::as_str)
    }

    /// The key of a value that came over the wire.
    pub fn key_of(&self, field: &str, value: &str) -> Option<&str> {
        self.enums.get(field)?.iter().find(|(_, v)| *v == value).map(|(key, _)| key.as_str())
    }

    /// The longest text of a field.
    pub fn limit(&self, field: &str) -> Option<usize> {
        self.limits.get(field).copied()
    }

    /// Whether a code looks like one; a field without a shape takes anything.
    pub fn fits(&self, field: &str, code: &str) -> bool {
        self.shapes.get(field).is_none_or(|shape| shape.0.is_match(code))
    }

    pub(super) fn rule(&self, dialect: Dialect) -> Option<&ReplyRule> {
        self.replies.get(dialect.key())
    }
}

/// A text as it is compared: NFC, lower case.
pub(super) fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// The fields with tables, and the keys that they may have.
fn known() -> [(&'static str, Vec<&'static str>); 8] {
    fn keys<T: Copy>(all: &[T], key: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|v| key(*v)).collect()
    }
    [
        ("TrangThaiHoSo", keys(Status::ALL, Status::key)),
        ("KenhThucHien", keys(Channel::ALL, Channel::key)),
        ("LoaiDoiTuong", keys(OwnerKind::ALL, OwnerKind::key)),
        ("HinhThuc", keys(Handover::ALL, Handover::key)),
        ("NoiNopHoSo", keys(FiledAt::ALL, FiledAt::key)),
        ("DuocThanhToanTrucTuyen", keys(Payment::ALL, Payment::key)),
        ("LoaiDinhDanh", keys(IdentityKind::ALL, IdentityKind::key)),
        ("DuocTaiSuDung", vec!["no", "reused", "replaced-by-result"]),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Shape(Regex);

impl TryFrom<String> for Shape {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let whole = text.starts_with('^') && text.ends_with('$');
        let regex = Regex::new(&text).map_err(|_| "the shape is no regular expression")?;
        if whole { Ok(Shape(regex)) } else { Err("a shape begins with ^ and ends with $") }
    }
}

/// Tables that cannot be used.
pub const BROKEN: Code = Code {
    id: "SEND-140",
    class: Class::Setup,
    vi: "Bảng mã của bộ kết nối Cổng Dịch vụ công có lỗi",
    en: "there is a mistake in the tables of the portal's adapter",
    remedy_vi: "Sửa chỗ được nêu trong profiles/portal/",
    remedy_en: "mend what is named in profiles/portal/",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_national_tables_have_a_word_for_everything_and_all_ten_states() {
        let national = Adapter::national();
        assert_eq!((national.name.as_str(), national.chunk), ("dvcqg", 10));
        for (field, keys) in known() {
            for key in keys {
                let value = national.value(field, key).unwrap_or_else(|| panic!("{field} {key}"));
                assert_eq!(national.key_of(field, value), Some(key), "{field}: {value} has one meaning");
            }
        }
        // Five, six and eight stay what they are; a client in the field tells all three as nine.
        let states: Vec<_> =
            Status::ALL.iter().map(|s| national.value("TrangThaiHoSo", s.key()).unwrap()).collect();
        assert_eq!(states, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        assert!(Dialect::ALL.iter().all(|d| national.rule(*d).is_some()));
    }

    #[test]
    fn codes_have_shapes() {
        let national = Adapter::national();
        let judge = |field: &str, good: &[&str], bad: &[&str]| {
            good.iter().for_each(|code| assert!(national.fits(field, code), "{field} {code}"));
            bad.iter().for_each(|code| assert!(!national.fits(field, code), "{field} {code}"));
        };
        judge(
            "MaHoSo",
            &["H40.17.5-261121-0006", "H40-261121-000123", "G15.99-250101-0001", "000.00.05.H40-261121-0001"],
            &["", "H40.17.5-261121-123", "h40-261121-0001", "H40-261121-0001 ", "H40-261121-0001\n", "x"],
        );
        judge(
            "MaTTHC",
            &["1.001193", "2.000635.01", "1.004873.000.00.00.H40"],
            &["1.00119", "1.001193.1", "001193"],
        );
        judge("MaGiayToKetQua", &["KQ.G15.000031"], &["KQ.G15.31", "G15.000031", ""]);
        judge("MaLinhVuc", &["G03-GD10"], &["G3-GD10"]);
        judge("GhiChu", &["", "bất kỳ"], &[]);
    }

    #[test]
    fn a_mistake_in_a_table_is_named() {
        let text = include_str!("adapter/dvcqg.toml");
        for (from, to, named) in [
            ("citizen = \"1\"", "citzen = \"1\"", "enums.LoaiDoiTuong.citzen"),
            ("[enums.HinhThuc]", "[enums.HinhThucX]", "enums.HinhThucX"),
            ("[replies.bridge]", "[replies.brigde]", "replies.brigde"),
            ("chunk = 10", "chunk = 0", "chunk"),
            ("'^KQ", "'KQ", "begins with ^"),
        ] {
            let fault = Adapter::parse(&text.replace(from, to)).unwrap_err();
            assert_eq!(fault.code, &BROKEN);
            assert!(fault.detail.as_deref().unwrap().contains(named), "{fault}");
        }
        let other = Adapter::parse(&text.replace("citizen = \"1\"", "citizen = \"0\"")).unwrap();
        assert_eq!(other.value("LoaiDoiTuong", "citizen"), Some("0"), "ministries count otherwise");
    }
}
