//! The machine readable zone (ICAO Doc 9303-3, -4, -5, -6) as DG1 holds it: 3 lines of 30, 2 of 36 or 2 of 44.

use super::lds;
use crate::codes::NationalId;
use crate::der::{DerError, Reader};
use jiff::civil::Date;

/// The fields of a machine readable zone. Holds personal data and therefore has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Mrz {
    /// Which layout.
    pub layout: Layout,
    /// `ID`, `P`, ...
    pub document_code: String,
    /// Three letters, or `D`.
    pub issuing_state: String,
    /// Document number, with the overflow of a long one.
    pub number: String,
    /// Optional data of the first line (TD1), of the second (TD3, TD2).
    pub optional: String,
    /// Surname and given names, blanks between; as cut off by the layout.
    pub name: String,
    /// The name fills its field to the end, or up to where a word would begin, and may be cut off.
    pub name_cut: bool,
    /// `YYMMDD`, digits or fillers.
    pub birth: String,
    /// `M`, `F` or a filler.
    pub sex: char,
    /// `YYMMDD`.
    pub expiry: String,
    /// Three letters, or `D`.
    pub nationality: String,
    /// All check digits are right.
    pub checks: bool,
}

/// The layout of a machine readable zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Cards, 3 x 30.
    Td1,
    /// Older cards, 2 x 36.
    Td2,
    /// Passports, 2 x 44.
    Td3,
}

/// When a document expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// At the end of this day.
    On(Date),
    /// It is valid without a limit.
    Never,
    /// Nothing that can be read says when.
    Unknown,
}

impl Expires {
    /// The last day of its validity, where it has one.
    pub fn date(self) -> Option<Date> {
        match self {
            Expires::On(date) => Some(date),
            Expires::Never | Expires::Unknown => None,
        }
    }
}

impl Mrz {
    /// Reads DG1.
    ///
    /// # Errors
    /// Another tag, a length that is no layout, a character outside the alphabet.
    pub fn of_dg1(file: &[u8]) -> Result<Self, DerError> {
        let mut content = Reader::lenient(lds::open(file, 1)?);
        let zone = content.expect(0x5f1f)?;
        content.end()?;
        Mrz::parse(zone.content).ok_or(DerError::Value { at: zone.at })
    }

    /// Reads the characters of all lines laid end to end; `None` where they are no such zone.
    pub fn parse(zone: &[u8]) -> Option<Self> {
        if !zone.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'<') {
            return None;
        }
        let zone = std::str::from_utf8(zone).ok()?;
        match zone.len() {
            90 => Some(td1(zone)),
            72 => Some(two_lines(zone, 36, Layout::Td2)),
            88 => Some(two_lines(zone, 44, Layout::Td3)),
            _ => None,
        }
    }

    /// The holder's personal number where it is a Vietnamese document: cards and passports have it in
    /// the optional data, or as a number that runs on into it.
    pub fn personal_number(&self) -> Option<NationalId> {
        let vietnamese = self.issuing_state == "VNM";
        let places = [self.optional.split(' ').next(), Some(self.number.as_str())];
        places.into_iter().flatten().filter(|_| vietnamese).find_map(|number| number.parse().ok())
    }

    /// Birth date: in the century that the personal number says, else the latest that is not after `today`.
    pub fn birth_date(&self, today: Date) -> Option<Date> {
        let (year, month, day) = six(&self.birth)?;
        let said = self.personal_number().and_then(|number| i16::try_from(number.birth_year()).ok());
        let said = said.filter(|said| said % 100 == year).and_then(|said| Date::new(said, month, day).ok());
        if let Some(date) = said.filter(|d| *d <= today) {
            return Some(date);
        }
        let century = today.year() - today.year().rem_euclid(100);
        let date = Date::new(century + year, month, day).ok();
        date.filter(|d| *d <= today).or_else(|| Date::new(century - 100 + year, month, day).ok())
    }

    /// When it expires: of the dates that it may mean the one nearest to `today` at which there were chips.
    pub fn expires(&self, today: Date) -> Expires {
        // Vietnamese documents that do not expire fill the field with the last day that it can hold.
        if self.issuing_state == "VNM" && self.expiry == "991231" {
            return Expires::Never;
        }
        let Some((year, month, day)) = six(&self.expiry) else { return Expires::Unknown };
        let century = today.year() - today.year().rem_euclid(100);
        [century - 100, century, century + 100]
            .into_iter()
            .filter_map(|c| Date::new(c + year, month, day).ok())
            .filter(|d| d.year() >= FIRST_CHIPS)
            .min_by_key(|d| (i32::from(d.year()) - i32::from(today.year())).abs())
            .map_or(Expires::Unknown, Expires::On)
    }
}

/// The year of the first documents with such a chip: none has expired before it.
const FIRST_CHIPS: i16 = 2004;

/// A document number, what is left of the optional data behind it, and whether its check digit is right. A filler in the
/// check digit's place means that the number runs on into the optional data, up to its check digit (Doc 9303-5, 4.2.4;
/// 9303-6, 4.2.2.1).
fn numbered(number: &str, digit: &str, optional: &str) -> (String, String, bool) {
    if digit != "<" {
        return (number.to_owned(), optional.to_owned(), digit == check_digit(&[number]).to_string());
    }
    let overflow = optional.split('<').next().unwrap_or_default();
    match overflow.char_indices().last() {
        Some((at, digit)) => {
            let number = format!("{number}{}", &overflow[..at]);
            let right = check_digit(&[&number]) == digit;
            (number, optional[overflow.len()..].to_owned(), right)
        }
        None => (number.to_owned(), optional.to_owned(), false),
    }
}

fn td1(zone: &str) -> Mrz {
    let (number, optional, number_ok) = numbered(&zone[5..14], &zone[14..15], &zone[15..30]);
    let composite = [&zone[5..30], &zone[30..37], &zone[38..45], &zone[48..59]];
    let checks = number_ok
        && checked(zone, 30..36)
        && checked(zone, 38..44)
        && zone[59..60] == check_digit(&composite).to_string();
    Mrz {
        layout: Layout::Td1,
        document_code: trim(&zone[0..2]),
        issuing_state: trim(&zone[2..5]),
        number: trim(&number),
        optional: trim(&optional),
        name: name(&zone[60..90]),
        name_cut: !zone.ends_with("<<"),
        birth: zone[30..36].to_owned(),
        sex: char::from(zone.as_bytes()[37]),
        expiry: zone[38..44].to_owned(),
        nationality: trim(&zone[45..48]),
        checks,
    }
}

fn two_lines(zone: &str, width: usize, layout: Layout) -> Mrz {
    let (first, second) = zone.split_at(width);
    // Only the smaller layout has numbers that run on.
    let (number, optional, number_ok) = if layout == Layout::Td3 {
        (second[0..9].to_owned(), second[28..42].to_owned(), checked(second, 0..9))
    } else {
        numbered(&second[0..9], &second[9..10], &second[28..35])
    };
    let optional_ok = layout == Layout::Td2
        || checked(second, 28..42)
        || (second[28..42].bytes().all(|b| b == b'<') && &second[42..43] == "<");
    let composite = [&second[0..10], &second[13..20], &second[21..width - 1]];
    let checks = number_ok
        && checked(second, 13..19)
        && checked(second, 21..27)
        && optional_ok
        && second[width - 1..] == check_digit(&composite).to_string();
    Mrz {
        layout,
        document_code: trim(&first[0..2]),
        issuing_state: trim(&first[2..5]),
        number: trim(&number),
        optional: trim(&optional),
        name: name(&first[5..]),
        name_cut: !first.ends_with("<<"),
        birth: second[13..19].to_owned(),
        sex: char::from(second.as_bytes()[20]),
        expiry: second[21..27].to_owned(),
        nationality: trim(&second[10..13]),
        checks,
    }
}

fn trim(field: &str) -> String {
    field.trim_end_matches('<').replace('<', " ")
}

fn name(field: &str) -> String {
    field.split('<').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn six(text: &str) -> Option<(i16, i8, i8)> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && text.len() == 6;
    digits.then(|| Some((text[0..2].parse().ok()?, text[2..4].parse().ok()?, text[4..6].parse().ok()?)))?
}

/// The field's check digit follows it.
fn checked(line: &str, field: std::ops::Range<usize>) -> bool {
    let digit = &line[field.end..=field.end];
    *digit == check_digit(&[&line[field]]).to_string()
}

/// Weights 7, 3, 1; letters count from 10, fillers 0 (Doc 9303-3, 4.9).
pub(crate) fn check_digit(parts: &[&str]) -> char {
    let weights = [7u32, 3, 1].into_iter().cycle();
    let sum: u32 = parts
        .iter()
        .flat_map(|p| p.chars())
        .zip(weights)
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum();
    char::from_digit(sum % 10, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of Doc 9303-4 appendix B, -5 appendix B and -6.
    const TD3: &str =
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    const TD1: &str =
        "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
    const TD2: &str = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<D231458907UTO7408122F1204159<<<<<<<6";

    #[test]
    fn the_samples_of_the_standard_read_with_all_check_digits_right() {
        for (zone, number) in [(TD3, "L898902C3"), (TD1, "D23145890"), (TD2, "D23145890")] {
            let Some(mrz) = Mrz::parse(zone.as_bytes()) else { panic!("{zone}") };
            assert!(mrz.checks, "{zone}");
            assert_eq!((mrz.number.as_str(), mrz.name.as_str()), (number, "ERIKSSON ANNA MARIA"));
            assert_eq!((mrz.issuing_state.as_str(), mrz.sex, mrz.name_cut), ("UTO", 'F', false));
        }
    }

    #[test]
    fn a_long_number_runs_on_into_the_optional_data() {
        let number = "D23145890734";
        let digit = check_digit(&[number]);
        let first = format!("I<UTO{}<{}{digit}{:<<11}", &number[..9], &number[9..], "");
        let second = &TD1[30..59];
        let composite = check_digit(&[&first[5..30], &second[..7], &second[8..15], &second[18..29]]);
        let zone = format!("{first}{second}{composite}{}", &TD1[60..]);
        let mrz = Mrz::parse(zone.as_bytes()).unwrap();
        assert!(mrz.checks && mrz.number == number && mrz.optional.is_empty());
    }

    #[test]
    fn a_long_number_of_two_lines_of_36_runs_on_too_and_one_of_44_never_does() {
        let number = "D23145890734";
        let digit = check_digit(&[number]);
        let second = format!("{}<UTO7408122F1204159{}{digit}{:<<3}", &number[..9], &number[9..], "");
        let composite = check_digit(&[&second[..10], &second[13..20], &second[21..35]]);
        let zone = |second: &str, composite: char| format!("{}{second}{composite}", &TD2[..36]);
        let mrz = Mrz::parse(zone(&second, composite).as_bytes()).unwrap();
        assert!(mrz.checks && mrz.number == number && mrz.optional.is_empty());
        let other = second.replace(&format!("734{digit}"), &format!("735{digit}"));
        let composite = check_digit(&[&other[..10], &other[13..20], &other[21..35]]);
        assert!(!Mrz::parse(zone(&other, composite).as_bytes()).unwrap().checks);
        let mut passport = TD3.as_bytes().to_vec();
        passport[53] = b'<';
        let mrz = Mrz::parse(&passport).unwrap();
        assert!(!mrz.checks && mrz.number == "L898902C3");
    }

    #[test]
    fn every_changed_character_in_a_checked_field_shows() {
        let td1: Vec<usize> = (5..30).chain(30..37).chain(38..45).chain(48..60).collect();
        let td2: Vec<usize> = (36..46).chain(49..56).chain(57..72).collect();
        let td3: Vec<usize> = (44..54).chain(57..64).chain(65..88).collect();
        for (sample, places) in [(TD1, td1), (TD2, td2), (TD3, td3)] {
            for at in places {
                let mut zone = sample.as_bytes().to_vec();
                // Another letter whose value is the same modulo 10 would not show, by the standard's own design.
                let value = char::from(zone[at]).to_digit(36).unwrap_or(0) % 10;
                zone[at] = if value == 5 { b'6' } else { b'5' };
                assert!(!Mrz::parse(&zone).unwrap().checks, "{at} of {}", zone.len());
            }
        }
    }

    #[test]
    fn two_digit_years_fall_into_the_right_century() {
        let today = jiff::civil::date(2026, 3, 2);
        let mut mrz = Mrz::parse(TD1.as_bytes()).unwrap();
        assert_eq!(mrz.birth_date(today), Some(jiff::civil::date(1974, 8, 12)));
        assert_eq!(mrz.expires(today), Expires::On(jiff::civil::date(2012, 4, 15)));
        mrz.birth = "260302".into();
        assert_eq!(mrz.birth_date(today), Some(jiff::civil::date(2026, 3, 2)));
        mrz.birth = "260303".into();
        assert_eq!(mrz.birth_date(today), Some(jiff::civil::date(1926, 3, 3)));
        mrz.birth = "74<<<<".into();
        assert_eq!(mrz.birth_date(today), None);
    }

    #[test]
    fn who_is_over_a_hundred_is_told_by_the_personal_number() {
        let today = jiff::civil::date(2026, 3, 2);
        let mut mrz = Mrz::parse(TD1.as_bytes()).unwrap();
        (mrz.birth, mrz.optional) = ("250101".into(), "001025123456".into());
        assert_eq!(
            mrz.birth_date(today),
            Some(jiff::civil::date(2025, 1, 1)),
            "another country's number says nothing"
        );
        mrz.issuing_state = "VNM".into();
        assert_eq!(mrz.birth_date(today), Some(jiff::civil::date(1925, 1, 1)));
        for optional in ["001225123456", "001090123456", "001425123456", "00102512345", ""] {
            mrz.optional = optional.into();
            assert_eq!(mrz.birth_date(today), Some(jiff::civil::date(2025, 1, 1)), "{optional}");
        }
    }

    #[test]
    fn a_vietnamese_document_that_ends_on_the_last_day_of_all_does_not_expire() {
        let today = jiff::civil::date(2026, 3, 2);
        let mut mrz = Mrz::parse(TD1.as_bytes()).unwrap();
        mrz.expiry = "991231".into();
        assert_eq!(
            mrz.expires(today),
            Expires::On(jiff::civil::date(2099, 12, 31)),
            "no chip expired in 1999"
        );
        mrz.issuing_state = "VNM".into();
        assert_eq!((mrz.expires(today), Expires::Never.date()), (Expires::Never, None));
        mrz.expiry = "051231".into();
        assert_eq!(mrz.expires(today), Expires::On(jiff::civil::date(2005, 12, 31)));
        mrz.expiry = "9912<<".into();
        assert_eq!(mrz.expires(today), Expires::Unknown);
    }

    #[test]
    fn other_lengths_and_characters_are_no_zone() {
        assert!(Mrz::parse(&TD1.as_bytes()[1..]).is_none());
        assert!(Mrz::parse(TD1.to_lowercase().as_bytes()).is_none());
        assert!(Mrz::parse(&[0xc3; 90]).is_none());
    }
}
