//! Who a card belongs to, taken only from data groups whose hash is the signed one.

use super::compare::sex_of;
use super::dg11::Dg11;
use super::dg12::Dg12;
use super::dg13::Dg13;
use super::mrz::{Expires, Layout, Mrz};
use super::name::{Name, same_name};
use super::reading::Reading;
use super::verdict::Verdict;
use crate::clock::vietnam_day;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The holder's data. `Debug` shows which fields are there and never what they hold.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// 12-digit personal number, or the document number of a card without one.
    pub number: Option<String>,
    /// Number of the document, where it is another one: a passport has both.
    pub document: Option<String>,
    /// Full name as written on the card, or as transliterated in the machine readable zone.
    pub name: Option<String>,
    /// The name comes from the zone and fills it, so that its end may be cut off.
    pub name_cut: bool,
    /// Birth date.
    pub birth: Option<Date>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Expiry date; `None` for the elderly, whose cards do not expire, too.
    pub expiry: Option<Date>,
    /// The card says that it does not expire.
    pub no_expiry: bool,
    /// Nationality.
    pub nationality: Option<String>,
    /// Place of origin (DG13), birth place (DG11).
    pub origin: Option<String>,
    /// Place of residence.
    pub residence: Option<String>,
    /// Issue date.
    pub issued: Option<Date>,
    /// The data group that each field comes from, by the field's name.
    pub from: BTreeMap<&'static str, u8>,
}

/// Sex as cards state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Nam.
    Male,
    /// Nữ.
    Female,
}

impl Holder {
    /// The holder as the intact data groups of a reading state it; DG13 comes first, then DG11 and DG12, and DG1 fills
    /// the gaps. `None` where none of them is intact. The verdict must be the one on this reading.
    pub fn of(reading: &Reading, verdict: &Verdict) -> Option<Self> {
        let intact = |number| reading.dg(number).filter(|_| verdict.intact(number));
        let today = vietnam_day(verdict.judged_at);
        let stated = [
            (13, intact(13).and_then(|file| Dg13::parse(file).ok()).map(|dg13| of_dg13(&dg13))),
            (11, intact(11).and_then(|file| Dg11::parse(file).ok()).map(of_dg11)),
            (12, intact(12).and_then(|file| Dg12::parse(file).ok()).map(|dg12| of_dg12(&dg12))),
            (1, intact(1).and_then(|file| Mrz::of_dg1(file).ok()).map(|mrz| of_zone(&mrz, today))),
        ];
        let mut found = None;
        for (group, holder) in stated {
            if let Some(holder) = holder {
                found.get_or_insert_with(Holder::default).fill(holder, group);
            }
        }
        found.map(Holder::without_repetition)
    }

    /// A card's number is the end of its holder's.
    fn without_repetition(mut self) -> Self {
        let (number, document) = (self.number.as_deref(), self.document.as_deref());
        if matches!((number, document), (Some(number), Some(document)) if number.ends_with(document)) {
            self.document = None;
            self.from.remove("document");
        }
        self
    }

    /// Takes over what is not known yet.
    fn fill(&mut self, other: Holder, group: u8) {
        let from = &mut self.from;
        let mut field = |known: bool, stated: bool, name: &'static str| {
            let takes = !known && stated;
            if takes {
                from.insert(name, group);
            }
            takes
        };
        if field(self.name.is_some(), other.name.is_some(), "name") {
            (self.name, self.name_cut) = (other.name, other.name_cut);
        }
        macro_rules! take {
            ($($name:ident),*) => {$(
                if field(self.$name.is_some(), other.$name.is_some(), stringify!($name)) {
                    self.$name = other.$name;
                }
            )*};
        }
        take!(number, document, birth, sex, expiry, nationality, origin, residence, issued);
        self.no_expiry |= other.no_expiry && self.expiry.is_none();
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("number", &self.number.is_some())
            .field("name", &self.name.is_some())
            .field("birth", &self.birth.is_some())
            .finish_non_exhaustive()
    }
}

/// DG1 and DG13 both state something about the holder and do not agree.
pub(crate) fn conflict(mrz: &Mrz, dg13: &Dg13, today: Date) -> bool {
    fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    let (zone, texts) = (of_zone(mrz, today), of_dg13(dg13));
    // Without the full number in the optional data the zone of a card holds its last nine digits.
    let number = match (&zone.number, &texts.number) {
        (Some(a), Some(b)) if a == b || *b == mrz.number => false,
        // A passport's number says nothing about its holder's.
        (Some(a), Some(b)) if mrz.layout != Layout::Td1 && is_personal(b) && !is_personal(a) => false,
        (Some(a), Some(b)) => !(a.len() == 9 && b.ends_with(a.as_str())),
        _ => false,
    };
    number
        || names_differ(&zone, texts.name.as_deref())
        || days_differ(zone.birth, texts.birth)
        || differ(zone.sex, texts.sex)
        || expiries_differ(mrz.expires(today), dg13_expires(dg13))
}

fn expiries_differ(a: Expires, b: Expires) -> bool {
    match (a, b) {
        (Expires::On(a), Expires::On(b)) => days_differ(Some(a), Some(b)),
        (Expires::Never, Expires::On(_)) | (Expires::On(_), Expires::Never) => true,
        (Expires::Never, Expires::Never) | (Expires::Unknown, _) | (_, Expires::Unknown) => false,
    }
}

/// A text in place of a day contradicts nothing: what DG13 says of cards that do expire is not published.
fn dg13_expires(dg13: &Dg13) -> Expires {
    dg13.text(12).map_or(Expires::Unknown, expires_of)
}

/// Where the zone has the last day that it can hold, others have a day of the same digits.
pub(crate) fn expires_of(text: &str) -> Expires {
    match parse_date(text) {
        Some(date) if date.month() == 12 && date.day() == 31 && date.year() % 100 == 99 => Expires::Never,
        Some(date) => Expires::On(date),
        None => Expires::Unknown,
    }
}

/// The same of DG1 and DG11, whose personal number need not be the document's.
pub(crate) fn details_conflict(mrz: &Mrz, dg11: &Dg11, today: Date) -> bool {
    let zone = of_zone(mrz, today);
    names_differ(&zone, dg11.name.as_deref()) || days_differ(zone.birth, dg11.birth)
}

/// A name in other letters than Latin ones contradicts nothing.
fn names_differ(zone: &Holder, full: Option<&str>) -> bool {
    let names = zone.name.as_deref().zip(full);
    names.is_some_and(|(text, full)| {
        same_name(Name { text, cut: zone.name_cut }, Name { text: full, cut: false }) == Some(false)
    })
}

/// The zone has two digits of a year: which century they are of is not its own statement.
fn days_differ(zone: Option<Date>, full: Option<Date>) -> bool {
    let digits = |d: Date| (d.year().rem_euclid(100), d.month(), d.day());
    matches!((zone, full), (Some(a), Some(b)) if digits(a) != digits(b))
}

fn of_zone(mrz: &Mrz, today: Date) -> Holder {
    let number = mrz.personal_number().map_or(mrz.number.clone(), |number| number.expose().to_owned());
    let expires = mrz.expires(today);
    Holder {
        number: Some(number).filter(|n| !n.is_empty()),
        document: Some(mrz.number.clone()).filter(|n| !n.is_empty()),
        name: Some(mrz.name.clone()).filter(|n| !n.is_empty()),
        name_cut: mrz.name_cut,
        birth: mrz.birth_date(today),
        sex: sex_of(&mrz.sex.to_string()),
        expiry: expires.date(),
        no_expiry: expires == Expires::Never,
        nationality: Some(mrz.nationality.clone()).filter(|n| !n.is_empty()),
        ..Holder::default()
    }
}

fn of_dg11(dg11: Dg11) -> Holder {
    Holder {
        number: dg11.number,
        name: dg11.name,
        birth: dg11.birth,
        origin: dg11.birth_place,
        residence: dg11.residence,
        ..Holder::default()
    }
}

fn of_dg12(dg12: &Dg12) -> Holder {
    Holder { issued: dg12.issued, ..Holder::default() }
}

fn of_dg13(dg13: &Dg13) -> Holder {
    let text = |id| dg13.text(id).map(str::to_owned);
    Holder {
        number: text(1),
        document: None,
        name: text(2),
        name_cut: false,
        birth: dg13.text(3).and_then(parse_date),
        sex: dg13.text(4).and_then(sex_of),
        expiry: dg13_expires(dg13).date(),
        no_expiry: false,
        nationality: text(5),
        origin: text(8),
        residence: text(9),
        issued: dg13.text(11).and_then(parse_date),
        from: BTreeMap::new(),
    }
}

/// 12 digits.
pub(crate) fn is_personal(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `DDMMYYYY`, `DD/MM/YYYY` or `YYYY-MM-DD`; with slashes, dots or hyphens, and without zeros in front.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = if text.len() == 8 && digits(text) {
        vec![&text[..2], &text[2..4], &text[4..]]
    } else {
        text.split(['/', '.', '-']).map(str::trim).collect()
    };
    let [first, month, last] = parts.as_slice() else { return None };
    let (day, year) = match (first.len(), month.len(), last.len()) {
        (1..=2, 1..=2, 4) => (first, last),
        (4, 1..=2, 1..=2) => (last, first),
        _ => return None,
    };
    if !parts.iter().all(|part| digits(part)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_usual_form_and_only_where_they_exist() {
        let day = Some(jiff::civil::date(1990, 1, 31));
        for text in ["31011990", "31/01/1990", " 31-01-1990", "31.1.1990", "1990-01-31", "31 / 1 / 1990"] {
            assert_eq!(parse_date(text), day, "{text}");
        }
        for text in [
            "31021990",
            "19900131",
            "Không xác định",
            "",
            "3101199",
            "31/011/990",
            "à101990",
            "+1012000",
            "1990",
            "31/01/90",
            "01/1990",
            "-1/+1/1990",
            "31/01/1990/2",
            "31/01/１９90",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
