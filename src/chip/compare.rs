//! Chip, card QR and what was typed at the desk, laid side by side. The result says which fields agree and never what
//! they hold.

use super::card_qr::CardQr;
use super::holder::{Holder, Sex};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;

/// What an applicant or a clerk typed. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Typed {
    /// Personal number.
    pub number: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Birth date.
    pub birth: Option<Date>,
    /// `Nam` or `Nữ`.
    pub sex: Option<String>,
    /// Expiry date of the card.
    pub expiry: Option<Date>,
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}

/// One field of two sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which field.
    pub field: Field,
    /// One source.
    pub left: Source,
    /// The other.
    pub right: Source,
    /// Whether they agree.
    pub outcome: Agreement,
}

/// A field that sources are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Personal number.
    Number,
    /// Full name.
    Name,
    /// Birth date.
    Birth,
    /// Sex.
    Sex,
    /// Expiry date.
    Expiry,
    /// Issue date.
    Issued,
}

/// Where a statement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Signed files of the chip.
    Chip,
    /// The QR code on the card: unsigned.
    Qr,
    /// Typed by a person.
    Typed,
}

/// Whether two statements agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// They do.
    Agree,
    /// They do not.
    Differ,
    /// One of them is missing.
    Absent,
}

/// Every field of every pair of sources that are there.
pub fn compare(chip: Option<&Holder>, qr: Option<&CardQr>, typed: Option<&Typed>) -> Vec<Comparison> {
    let sources: Vec<(Source, Facts<'_>)> = [
        chip.map(|h| (Source::Chip, Facts::of_holder(h))),
        qr.map(|q| (Source::Qr, Facts::of_qr(q))),
        typed.map(|t| (Source::Typed, Facts::of_typed(t))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut out = Vec::new();
    for (index, (left, a)) in sources.iter().enumerate() {
        for (right, b) in &sources[index + 1..] {
            let mut push =
                |field, outcome| out.push(Comparison { field, left: *left, right: *right, outcome });
            push(Field::Number, agreement(a.number, b.number, |x, y| x.trim() == y.trim()));
            push(Field::Name, agreement(a.name, b.name, |x, y| same_name(x, a.name_cut, y, b.name_cut)));
            push(Field::Birth, agreement(a.birth, b.birth, |x, y| x == y));
            push(Field::Sex, agreement(a.sex, b.sex, |x, y| x == y));
            push(Field::Expiry, agreement(a.expiry, b.expiry, |x, y| x == y));
            push(Field::Issued, agreement(a.issued, b.issued, |x, y| x == y));
        }
    }
    out
}

struct Facts<'a> {
    number: Option<&'a str>,
    name: Option<&'a str>,
    name_cut: bool,
    birth: Option<Date>,
    sex: Option<Sex>,
    expiry: Option<Date>,
    issued: Option<Date>,
}

impl<'a> Facts<'a> {
    fn of_holder(h: &'a Holder) -> Self {
        Facts {
            number: h.number.as_deref(),
            name: h.name.as_deref(),
            name_cut: h.name_cut,
            birth: h.birth,
            sex: h.sex,
            expiry: h.expiry,
            issued: h.issued,
        }
    }

    fn of_qr(q: &'a CardQr) -> Self {
        Facts {
            number: Some(&q.number),
            name: Some(&q.name),
            name_cut: false,
            birth: q.birth,
            sex: q.sex,
            expiry: None,
            issued: q.issued,
        }
    }

    fn of_typed(t: &'a Typed) -> Self {
        Facts {
            number: t.number.as_deref(),
            name: t.name.as_deref(),
            name_cut: false,
            birth: t.birth,
            sex: t.sex.as_deref().and_then(sex_of),
            expiry: t.expiry,
            issued: None,
        }
    }
}

fn agreement<T: Copy>(a: Option<T>, b: Option<T>, same: impl Fn(T, T) -> bool) -> Agreement {
    match (a, b) {
        (Some(a), Some(b)) if same(a, b) => Agreement::Agree,
        (Some(_), Some(_)) => Agreement::Differ,
        _ => Agreement::Absent,
    }
}

/// Equal after diacritics are folded as the machine readable zone does; a name that is cut off need only begin alike.
pub(crate) fn same_name(a: &str, a_cut: bool, b: &str, b_cut: bool) -> bool {
    let (a, b) = (fold(a), fold(b));
    if a.is_empty() || b.is_empty() {
        return false;
    }
    a == b || (a_cut && b.starts_with(&a)) || (b_cut && a.starts_with(&b))
}

/// Upper case letters A to Z and single blanks: `Nguyễn Văn Đức` and `NGUYEN<<VAN<DUC` fold alike.
pub(crate) fn fold(name: &str) -> String {
    let mut out = String::new();
    for c in name.nfkd().flat_map(char::to_uppercase) {
        match c {
            'Đ' | 'Ð' => out.push('D'),
            'A'..='Z' => out.push(c),
            // Combining marks belong to the letter before; apostrophes are dropped by the zone.
            '\u{300}'..='\u{36f}' | '\'' | '’' => {}
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// `Nam`, `Nữ` composed or not, `M`, `F`.
pub(crate) fn sex_of(text: &str) -> Option<Sex> {
    match fold(text).as_str() {
        "NAM" | "M" => Some(Sex::Male),
        "NU" | "F" => Some(Sex::Female),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_across_diacritics_forms_and_the_zone() {
        for other in
            ["NGUYEN<<VAN<DUC", "Nguyễn Văn Đức", "nguyễn  văn đức ", "Nguye\u{302}\u{303}n Va\u{306}n Đức"]
        {
            assert!(same_name("Nguyễn Văn Đức", false, other, false), "{other}");
        }
        assert!(!same_name("Nguyễn Văn Đức", false, "Nguyễn Văn Đúc Anh", false));
        assert!(same_name("Nguyễn Văn Đức", false, "NGUYEN VAN D", true));
        assert!(!same_name("Nguyễn Văn Đức", true, "NGUYEN VAN D", false));
        assert!(!same_name("", true, "NGUYEN", false));
    }

    #[test]
    fn sex_is_read_composed_and_decomposed() {
        assert_eq!(
            (sex_of("Nữ"), sex_of("Nu\u{31b}\u{303}"), sex_of("nam")),
            (Some(Sex::Female), Some(Sex::Female), Some(Sex::Male))
        );
        assert_eq!((sex_of("<"), sex_of("")), (None, None));
    }

    #[test]
    fn each_pair_is_reported_and_no_value_with_it() {
        let chip = Holder {
            number: Some("001090123456".into()),
            name: Some("NGUYEN VAN A".into()),
            ..Holder::default()
        };
        let qr =
            CardQr::parse("001090123456||Nguyễn Văn B|01011990|Nam|Phường X|15042021".as_bytes()).unwrap();
        let table = compare(Some(&chip), Some(&qr), Some(&Typed::default()));
        assert_eq!(table.len(), 18);
        let find =
            |field, right| table.iter().find(|c| c.field == field && c.right == right).unwrap().outcome;
        assert_eq!(find(Field::Number, Source::Qr), Agreement::Agree);
        assert_eq!(find(Field::Name, Source::Qr), Agreement::Differ);
        assert_eq!(find(Field::Birth, Source::Qr), Agreement::Absent);
        assert!(!serde_json::to_string(&table).unwrap().contains("0010"));
        assert!(compare(Some(&chip), None, None).is_empty());
    }
}
