//! What the personal number says about its holder, held against what the chip, the card's QR code and the desk say. The
//! rules of the number are not published in full, so that nothing here refuses: a person looks again.

use super::card_qr::{CardQr, Layout};
use super::compare::{Source, Typed, sex_of, unspaced};
use super::holder::{Holder, Sex, parse_date};
use super::name::fold;
use crate::codes::{self, NationalId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Something about a source that a clerk should look at twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which source.
    pub source: Source,
    /// What about it.
    pub kind: Kind,
}

/// What should be looked at twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The number is not one of twelve digits (a document number of another kind).
    NotPersonal,
    /// The first three digits are in no list of provinces: born abroad, or mistyped.
    BirthPlace,
    /// The fourth digit says the other sex.
    Sex,
    /// The fourth to sixth digits say another year of birth.
    BirthYear,
    /// A date of the QR code is no date.
    QrDate,
    /// The sex in the QR code is neither.
    QrSex,
    /// The QR code has the fields of the card of 2024, whose order is not published: they are kept as they stand.
    QrLayout2024,
}

/// Everything worth a second look. The number is each source's own.
pub fn notes(chip: Option<&Holder>, qr: Option<&CardQr>, typed: Option<&Typed>) -> Vec<Note> {
    let mut out = Vec::new();
    // Another country's document has a number of another kind.
    let foreign = chip
        .and_then(|h| h.nationality.as_deref())
        .is_some_and(|n| !matches!(fold(n).as_str(), "VNM" | "VIET NAM"));
    let mut about = |source, number: Option<&str>, sex: Option<Sex>, birth: Option<Date>| {
        let number = number.filter(|_| !foreign);
        out.extend(
            number.into_iter().flat_map(|n| of_number(n, sex, birth)).map(|kind| Note { source, kind }),
        );
    };
    if let Some(h) = chip {
        about(Source::Chip, h.number.as_deref(), h.sex, h.birth);
    }
    if let Some(q) = qr {
        about(Source::Qr, Some(&q.number), q.sex, q.birth);
    }
    if let Some(t) = typed {
        let number = t.number.as_deref().map(unspaced).filter(|n| !n.is_empty());
        let birth = t.birth.as_deref().and_then(parse_date);
        about(Source::Typed, number.as_deref(), t.sex.as_deref().and_then(sex_of), birth);
    }
    if let Some(qr) = qr {
        let unread = [
            (qr.unread_date, Kind::QrDate),
            (qr.unread_sex, Kind::QrSex),
            (qr.layout() == Layout::Of2024, Kind::QrLayout2024),
        ];
        out.extend(
            unread.iter().filter(|(is, _)| *is).map(|(_, kind)| Note { source: Source::Qr, kind: *kind }),
        );
    }
    out
}

fn of_number(number: &str, sex: Option<Sex>, birth: Option<Date>) -> Vec<Kind> {
    let Ok(number) = number.parse::<NationalId>() else { return vec![Kind::NotPersonal] };
    let said = match number.sex() {
        codes::Sex::Male => Sex::Male,
        codes::Sex::Female => Sex::Female,
    };
    let year = i16::try_from(number.birth_year()).ok();
    let found = [
        (number.warning().is_some(), Kind::BirthPlace),
        (sex.is_some_and(|sex| sex != said), Kind::Sex),
        (birth.is_some_and(|birth| Some(birth.year()) != year), Kind::BirthYear),
    ];
    found.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect()
}

impl Note {
    /// Vietnamese, English.
    pub fn sentence(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::NotPersonal => (
                "số giấy tờ không phải số định danh 12 chữ số",
                "the number is not a personal number of 12 digits",
            ),
            Kind::BirthPlace => (
                "3 số đầu không thuộc danh mục tỉnh: sinh ở nước ngoài, hoặc gõ sai",
                "the first 3 digits are no province: born abroad, or mistyped",
            ),
            Kind::Sex => (
                "chữ số thứ 4 không ứng với giới tính ghi kèm",
                "the 4th digit does not go with the sex stated beside it",
            ),
            Kind::BirthYear => (
                "chữ số thứ 4 đến 6 không ứng với năm sinh ghi kèm",
                "the 4th to 6th digits do not go with the year of birth stated beside them",
            ),
            Kind::QrDate => ("ngày trong mã QR không đọc được", "a date of the QR code cannot be read"),
            Kind::QrSex => ("giới tính trong mã QR không đọc được", "the sex in the QR code cannot be read"),
            Kind::QrLayout2024 => (
                "mã QR mẫu 2024: các trường từ thứ 8 chưa có quy cách công bố, giữ nguyên",
                "QR code of the 2024 card: fields from the 8th on are kept as they stand, their order is not published",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(number: &str, sex: &str, birth: (i16, i8, i8)) -> Vec<Kind> {
        let typed = Typed {
            number: Some(number.to_owned()),
            sex: Some(sex.to_owned()),
            birth: Some(jiff::civil::date(birth.0, birth.1, birth.2).to_string()),
            ..Typed::default()
        };
        notes(None, None, Some(&typed)).into_iter().map(|n| n.kind).collect()
    }

    #[test]
    fn digits_are_held_against_sex_and_year_and_never_refuse() {
        assert_eq!(kinds("001090123456", "Nam", (1990, 1, 15)), []);
        assert_eq!(kinds("001090123456", "Nữ", (1990, 1, 15)), [Kind::Sex]);
        assert_eq!(kinds("001190123456", "Nam", (1991, 1, 15)), [Kind::Sex, Kind::BirthYear]);
        assert_eq!(kinds("001205123456", "Nam", (2005, 1, 15)), []);
        assert_eq!(kinds("001305123456", "Nữ", (2005, 1, 15)), []);
        assert_eq!(kinds("999090123456", "Nam", (1990, 1, 15)), [Kind::BirthPlace]);
        assert_eq!(kinds("C01X00T47", "Nam", (1990, 1, 15)), [Kind::NotPersonal]);
    }

    #[test]
    fn a_foreign_documents_number_is_not_held_against_the_rules_of_ours() {
        let card = |nationality: &str| Holder {
            number: Some("C01X00T47".to_owned()),
            nationality: Some(nationality.to_owned()),
            ..Holder::default()
        };
        assert!(notes(Some(&card("D")), None, None).is_empty());
        for ours in ["VNM", "Việt Nam"] {
            assert_eq!(notes(Some(&card(ours)), None, None).len(), 1);
        }
    }

    #[test]
    fn what_a_qr_code_could_not_say_is_noted() {
        let text = "001090123456||NGUYỄN VĂN A|31021990|?|Phường X|15042021||||";
        let parsed = CardQr::parse(text.replace('?', "X").as_bytes());
        let Ok(qr) = parsed else { panic!() };
        let found: Vec<Kind> = notes(None, Some(&qr), None).into_iter().map(|n| n.kind).collect();
        assert_eq!(found, [Kind::QrDate, Kind::QrSex, Kind::QrLayout2024]);
    }
}
