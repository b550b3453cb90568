//! DG11, additional personal details (ICAO Doc 9303-10, 4.7.11): most issuers that have no national data group state the
//! holder's name in full letters here. Unknown tags are passed over; counts and sizes are capped.

use super::lds;
use crate::der::{DerError, Reader, Tlv};
use jiff::civil::Date;

/// What DG11 states. Holds personal data and therefore has no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dg11 {
    /// Full name in national letters (5F0E), blanks between its parts.
    pub name: Option<String>,
    /// Other names (A0, 5F0F).
    pub other_names: Vec<String>,
    /// Personal number (5F10).
    pub number: Option<String>,
    /// Full birth date (5F2B).
    pub birth: Option<Date>,
    /// Birth place (5F11), parts with commas between.
    pub birth_place: Option<String>,
    /// Permanent address (5F42), parts with commas between.
    pub residence: Option<String>,
}

impl Dg11 {
    /// Reads DG11.
    ///
    /// # Errors
    /// Another tag, dishonest lengths, text that is not UTF-8, more than 64 elements or 16 other names.
    pub fn parse(file: &[u8]) -> Result<Self, DerError> {
        let mut dg11 = Dg11::default();
        for field in elements(lds::open(file, 11)?)? {
            match field.tag {
                0x5f0e => dg11.name = filled(text(&field, " ")?),
                0x5f10 => dg11.number = filled(text(&field, " ")?),
                0x5f2b => dg11.birth = date(field.content),
                0x5f11 => dg11.birth_place = filled(text(&field, ", ")?),
                0x5f42 => dg11.residence = filled(text(&field, ", ")?),
                0xa0 => dg11.other_names = names(&field, 0x5f0f)?,
                _ => {}
            }
        }
        Ok(dg11)
    }
}

/// The elements of a group of details, at most 64.
pub(super) fn elements(content: &[u8]) -> Result<Vec<Tlv<'_>>, DerError> {
    let mut reader = Reader::lenient(content);
    let mut out = Vec::new();
    while !reader.is_empty() {
        if out.len() == MOST_ELEMENTS {
            return Err(DerError::Limit { what: "items", at: reader.at() });
        }
        out.push(reader.read_tlv()?);
    }
    Ok(out)
}

/// A text whose parts have `<` between them, and names `<<`.
pub(super) fn text(field: &Tlv<'_>, between: &str) -> Result<String, DerError> {
    let text = std::str::from_utf8(field.content).map_err(|_| DerError::Value { at: field.at })?;
    Ok(text.split('<').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between))
}

pub(super) fn filled(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

/// `YYYYMMDD`, as characters or as packed digits.
pub(super) fn date(content: &[u8]) -> Option<Date> {
    let digits = match content.len() {
        8 => std::str::from_utf8(content).ok()?.to_owned(),
        4 => hex::encode(content),
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?).ok()
}

/// A count and so many texts of one tag; what the count says is of no consequence, what is there is.
pub(super) fn names(group: &Tlv<'_>, tag: u32) -> Result<Vec<String>, DerError> {
    let mut fields = group.lenient();
    fields.expect(0x02)?;
    let mut out = Vec::new();
    while !fields.is_empty() {
        let field = fields.expect(tag)?;
        if out.len() == MOST_NAMES {
            return Err(DerError::Limit { what: "items", at: field.at });
        }
        out.extend(filled(text(&field, " ")?));
    }
    Ok(out)
}

const MOST_ELEMENTS: usize = 64;
const MOST_NAMES: usize = 16;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::der::tlv;

    /// An element with a tag of two octets.
    pub(in super::super) fn wide(tag: u16, content: &[u8]) -> Vec<u8> {
        let [first, second] = tag.to_be_bytes();
        [&[first], &tlv(second, content)[..]].concat()
    }

    #[test]
    fn details_are_read_and_dates_in_both_forms() {
        let others =
            tlv(0xa0, &[&[2, 1, 2][..], &wide(0x5f0f, b"A<<B"), &wide(0x5f0f, "Bé".as_bytes())].concat());
        let fields = [
            wide(0x5f0e, "NGUYỄN<<VĂN<AN".as_bytes()),
            others,
            wide(0x5f10, b"001090123456"),
            wide(0x5f2b, b"19900115"),
            wide(0x5f11, "Hà Nội<Việt Nam".as_bytes()),
            wide(0x5f42, "Phường X<<Hà Nội".as_bytes()),
            wide(0x5f12, b"not for us"),
        ];
        let file = tlv(0x6b, &fields.concat());
        let Ok(dg11) = Dg11::parse(&file) else { panic!() };
        assert_eq!(
            (dg11.name.as_deref(), dg11.number.as_deref()),
            (Some("NGUYỄN VĂN AN"), Some("001090123456"))
        );
        assert_eq!(dg11.other_names, ["A B", "Bé"]);
        assert_eq!(dg11.birth, Some(jiff::civil::date(1990, 1, 15)));
        assert_eq!(dg11.birth_place.as_deref(), Some("Hà Nội, Việt Nam"));
        assert_eq!(dg11.residence.as_deref(), Some("Phường X, Hà Nội"));
        let packed = Dg11::parse(&tlv(0x6b, &wide(0x5f2b, &[0x19, 0x90, 0x01, 0x15])));
        assert_eq!(packed.ok().and_then(|d| d.birth), Some(jiff::civil::date(1990, 1, 15)));
        assert_eq!((date(b"19901515"), date(b"1990"), date(&[0xab; 4])), (None, None, None));
        for length in 0..file.len() {
            assert!(Dg11::parse(&file[..length]).is_err());
        }
    }

    #[test]
    fn counts_are_capped_and_lying_ones_do_no_harm() {
        let group = |count: &[u8], names: usize| {
            let names = wide(0x5f0f, b"A").repeat(names);
            tlv(0x6b, &tlv(0xa0, &[&tlv(2, count)[..], &names].concat()))
        };
        assert!(Dg11::parse(&group(&[0xff; 16], 3)).is_ok_and(|d| d.other_names.len() == 3));
        assert!(Dg11::parse(&group(&[1], 17)).is_err());
        assert!(Dg11::parse(&tlv(0x6b, &wide(0x5f10, b"1").repeat(65))).is_err());
        assert!(Dg11::parse(&tlv(0x6b, &wide(0x5f0e, &[0xff]))).is_err());
        assert!(Dg11::parse(&tlv(0x6c, &[])).is_err());
    }
}
