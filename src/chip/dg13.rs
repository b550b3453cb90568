//! DG13 of the Vietnamese citizen card: numbered texts. No specification is public; the shape is what public readers
//! agree on, read as ASN.1 and not by scanning for bytes. Numbers that are not known stay as they are.

use super::lds;
use crate::der::{DerError, Reader, Tlv};

/// The entries of DG13 in order. Holds personal data and therefore has no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dg13 {
    entries: Vec<(u64, Vec<String>)>,
}

impl Dg13 {
    /// Reads DG13: `6D { SEQUENCE { SET or SEQUENCE OF SEQUENCE { INTEGER, value } } }`, one level may be missing.
    ///
    /// # Errors
    /// Another structure, more than 64 entries, text that is not UTF-8.
    pub fn parse(file: &[u8]) -> Result<Self, DerError> {
        let mut list = Reader::lenient(lds::open(file, 13)?);
        for _ in 0..4 {
            let outer = list;
            let first = list.read_tlv()?;
            if !matches!(first.tag, 0x30 | 0x31) {
                return Err(DerError::Unexpected { at: first.at, wanted: 0x30, found: first.tag });
            }
            if first.lenient().peek() == Some(0x02) {
                return read_entries(outer);
            }
            list.end()?;
            list = first.lenient();
        }
        Err(DerError::Limit { what: "depth", at: list.at() })
    }

    /// The text of an entry; `None` where it is missing or empty.
    pub fn text(&self, id: u64) -> Option<&str> {
        let values = self.entries.iter().find(|(i, _)| *i == id).map(|(_, v)| v)?;
        values.first().map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// All texts of an entry, as they stand.
    pub fn texts(&self, id: u64) -> &[String] {
        self.entries.iter().find(|(i, _)| *i == id).map_or(&[], |(_, v)| v)
    }

    /// Number of the entries, known or not.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|(id, _)| *id)
    }
}

fn read_entries(mut list: Reader<'_>) -> Result<Dg13, DerError> {
    let mut entries = Vec::new();
    while !list.is_empty() {
        let entry = list.expect(0x30)?;
        if entries.len() == MOST_ENTRIES {
            return Err(DerError::Limit { what: "items", at: entry.at });
        }
        let mut fields = entry.lenient();
        let id = fields.expect(0x02)?.number()?;
        let mut texts = Vec::new();
        while !fields.is_empty() {
            read_texts(&fields.read_tlv()?, 0, &mut texts)?;
        }
        entries.push((id, texts));
    }
    Ok(Dg13 { entries })
}

/// A text, or texts nested in sequences (parents).
fn read_texts(value: &Tlv<'_>, depth: usize, out: &mut Vec<String>) -> Result<(), DerError> {
    if depth > 3 || out.len() >= MOST_ENTRIES {
        return Err(DerError::Limit { what: "depth", at: value.at });
    }
    match value.tag {
        0x0c | 0x13 | 0x16 => {
            let text = std::str::from_utf8(value.content).map_err(|_| DerError::Value { at: value.at })?;
            out.push(text.to_owned());
        }
        0x30 | 0x31 => {
            let mut inner = value.lenient();
            while !inner.is_empty() {
                read_texts(&inner.read_tlv()?, depth + 1, out)?;
            }
        }
        // Numbers and binary values are not texts; they stay unread.
        _ => {}
    }
    Ok(())
}

const MOST_ENTRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der;

    fn entry(id: u8, text: &str) -> Vec<u8> {
        der::sequence(&[&der::integer(&[id]), &der::tlv(0x0c, text.as_bytes())])
    }

    #[test]
    fn long_texts_sets_and_a_missing_level_are_read() {
        let long = "Tổ dân phố số 4, ".repeat(12);
        let parents = der::sequence(&[
            &der::tlv(0x0c, "Nguyễn Văn B".as_bytes()),
            &der::tlv(0x0c, "Trần Thị C".as_bytes()),
        ]);
        let family = der::sequence(&[&der::integer(&[13]), &parents]);
        let body = [
            entry(1, "001090123456"),
            entry(9, &long),
            entry(12, "Không xác định"),
            entry(10, ""),
            family,
            entry(99, "?"),
        ]
        .concat();
        for file in [
            der::sequence(&[&der::tlv(0x31, &body)]),
            der::sequence(&[&der::tlv(0x30, &body)]),
            der::tlv(0x31, &body),
            body.clone(),
        ] {
            let dg13 = Dg13::parse(&der::tlv(0x6d, &file)).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(dg13.text(1), Some("001090123456"));
            assert_eq!(dg13.text(9), Some(long.trim()));
            assert_eq!((dg13.text(10), dg13.text(2)), (None, None));
            assert_eq!(dg13.texts(13), ["Nguyễn Văn B", "Trần Thị C"]);
            assert_eq!(dg13.ids().count(), 6);
        }
    }

    #[test]
    fn other_structures_are_refused() {
        for body in
            [vec![], vec![0x04, 1, 0], [0x30, 0x80].repeat(9), der::sequence(&[&entry(1, "x"), &[0x30, 9]])]
        {
            assert!(Dg13::parse(&der::tlv(0x6d, &body)).is_err());
        }
        let many = entry(1, "x").repeat(65);
        assert!(Dg13::parse(&der::tlv(0x6d, &many)).is_err());
    }
}
