//! Chip, card QR and what was typed at the desk, laid side by side. The result says which fields agree and never what
//! they hold.

use super::card_qr::CardQr;
use super::holder::{Holder, Sex, expires_of, parse_date};
use super::mrz::Expires;
use super::name::{Name, fold, same_name};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an applicant or a clerk typed, as it was typed. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Typed {
    /// Personal number.
    pub number: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Birth date, `dd/mm/yyyy` or `YYYY-MM-DD`.
    pub birth: Option<String>,
    /// `Nam` or `Nữ`, `male` or `female`.
    pub sex: Option<String>,
    /// Expiry date of the card, or `Không thời hạn`.
    pub expiry: Option<String>,
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
    /// One of them cannot be read, or they are names in letters that cannot be held against each other.
    Unclear,
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
            push(
                Field::Number,
                agreement(&a.number, &b.number, |x, y| Some(x.iter().any(|n| y.contains(n)))),
            );
            push(Field::Name, agreement(&a.name, &b.name, |x, y| same_name(*x, *y)));
            push(Field::Birth, agreement(&a.birth, &b.birth, |x, y| Some(x == y)));
            push(Field::Sex, agreement(&a.sex, &b.sex, |x, y| Some(x == y)));
            push(Field::Expiry, agreement(&a.expiry, &b.expiry, |x, y| Some(x == y)));
            push(Field::Issued, agreement(&a.issued, &b.issued, |x, y| Some(x == y)));
        }
    }
    out
}

struct Facts<'a> {
    /// The personal number; of a chip that of the document besides.
    number: Said<Vec<String>>,
    name: Said<Name<'a>>,
    birth: Said<Date>,
    sex: Said<Sex>,
    expiry: Said<Expires>,
    issued: Said<Date>,
}

/// What a source says in one field.
enum Said<T> {
    Nothing,
    Unreadable,
    This(T),
}

impl<T> Said<T> {
    /// A field that is blank says nothing.
    fn read(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Self {
        match text.filter(|t| !t.trim().is_empty()) {
            None => Said::Nothing,
            Some(text) => read(text).map_or(Said::Unreadable, Said::This),
        }
    }
}

impl<T> From<Option<T>> for Said<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Said::Nothing, Said::This)
    }
}

impl<'a> Facts<'a> {
    fn of_holder(h: &'a Holder) -> Self {
        let numbers: Vec<String> =
            [&h.number, &h.document].into_iter().flatten().map(|n| unspaced(n)).collect();
        let never = h.no_expiry.then_some(Expires::Never);
        Facts {
            number: Some(numbers).filter(|n| !n.is_empty()).into(),
            name: h.name.as_deref().map(|text| Name { text, cut: h.name_cut }).into(),
            birth: h.birth.into(),
            sex: h.sex.into(),
            expiry: h.expiry.map(Expires::On).or(never).into(),
            issued: h.issued.into(),
        }
    }

    fn of_qr(q: &'a CardQr) -> Self {
        Facts {
            number: Said::This(vec![unspaced(&q.number)]),
            name: Said::This(Name { text: &q.name, cut: false }),
            birth: q.birth.into(),
            sex: q.sex.into(),
            expiry: Said::Nothing,
            issued: q.issued.into(),
        }
    }

    fn of_typed(t: &'a Typed) -> Self {
        let name = t.name.as_deref().filter(|text| !text.trim().is_empty());
        Facts {
            number: Said::read(t.number.as_deref(), |number| Some(vec![unspaced(number)])),
            name: name.map(|text| Name { text, cut: false }).into(),
            birth: Said::read(t.birth.as_deref(), parse_date),
            sex: Said::read(t.sex.as_deref(), sex_of),
            expiry: Said::read(t.expiry.as_deref(), typed_expiry),
            issued: Said::Nothing,
        }
    }
}

fn agreement<T>(a: &Said<T>, b: &Said<T>, same: impl Fn(&T, &T) -> Option<bool>) -> Agreement {
    match (a, b) {
        (Said::This(a), Said::This(b)) => match same(a, b) {
            Some(true) => Agreement::Agree,
            Some(false) => Agreement::Differ,
            None => Agreement::Unclear,
        },
        (Said::Unreadable, _) | (_, Said::Unreadable) => Agreement::Unclear,
        (Said::Nothing, _) | (_, Said::Nothing) => Agreement::Absent,
    }
}

/// Numbers are typed in groups, too.
pub(crate) fn unspaced(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace()).collect()
}

fn typed_expiry(text: &str) -> Option<Expires> {
    let never = ["KHONG THOI HAN", "KHONG XAC DINH", "KHONG XAC DINH THOI HAN", "VO THOI HAN"];
    if never.contains(&fold(text).as_str()) {
        return Some(Expires::Never);
    }
    Some(expires_of(text)).filter(|expires| *expires != Expires::Unknown)
}

/// `Nam`, `Nữ` composed or not, `M`, `F`, and the words of our own reports.
pub(crate) fn sex_of(text: &str) -> Option<Sex> {
    match fold(text).as_str() {
        "NAM" | "M" | "MALE" => Some(Sex::Male),
        "NU" | "F" | "FEMALE" => Some(Sex::Female),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sex_is_read_composed_and_decomposed() {
        assert_eq!(
            (sex_of("Nữ"), sex_of("Nu\u{31b}\u{303}"), sex_of("nam")),
            (Some(Sex::Female), Some(Sex::Female), Some(Sex::Male))
        );
        assert_eq!((sex_of("male"), sex_of("FEMALE")), (Some(Sex::Male), Some(Sex::Female)));
        assert_eq!((sex_of("<"), sex_of("")), (None, None));
    }

    #[test]
    fn what_was_typed_is_read_in_every_usual_form_and_never_passed_over() {
        let chip = Holder {
            number: Some("001090123456".into()),
            document: Some("C12345678".into()),
            birth: Some(jiff::civil::date(1990, 5, 20)),
            sex: Some(Sex::Male),
            expiry: Some(jiff::civil::date(2030, 5, 20)),
            ..Holder::default()
        };
        let forever = Holder { expiry: None, no_expiry: true, ..chip.clone() };
        let outcome = |chip: &Holder, field: Field, text: &str| {
            let text = Some(text.to_owned());
            let typed = match field {
                Field::Number => Typed { number: text, ..Typed::default() },
                Field::Birth => Typed { birth: text, ..Typed::default() },
                Field::Sex => Typed { sex: text, ..Typed::default() },
                _ => Typed { expiry: text, ..Typed::default() },
            };
            let table = compare(Some(chip), None, Some(&typed));
            table.into_iter().find(|c| c.field == field).unwrap().outcome
        };
        for (field, text, expected) in [
            (Field::Number, " 001 090 123 456 ", Agreement::Agree),
            (Field::Number, "C12345678", Agreement::Agree),
            (Field::Number, "001090123457", Agreement::Differ),
            (Field::Birth, "1990-05-20", Agreement::Agree),
            (Field::Birth, "20/5/1990", Agreement::Agree),
            (Field::Birth, "20051990", Agreement::Agree),
            (Field::Birth, "1990-01-01", Agreement::Differ),
            (Field::Birth, "20/13/1990", Agreement::Unclear),
            (Field::Birth, "1990", Agreement::Unclear),
            (Field::Birth, "  ", Agreement::Absent),
            (Field::Sex, "male", Agreement::Agree),
            (Field::Sex, "Nam", Agreement::Agree),
            (Field::Sex, "female", Agreement::Differ),
            (Field::Sex, "0", Agreement::Unclear),
            (Field::Expiry, "2030-05-20", Agreement::Agree),
            (Field::Expiry, "Không thời hạn", Agreement::Differ),
            (Field::Expiry, "mai", Agreement::Unclear),
        ] {
            assert_eq!(outcome(&chip, field, text), expected, "{text}");
        }
        for text in ["Không thời hạn", "31/12/2099"] {
            assert_eq!(outcome(&forever, Field::Expiry, text), Agreement::Agree);
        }
        assert_eq!(outcome(&forever, Field::Expiry, "20/05/2030"), Agreement::Differ);
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
