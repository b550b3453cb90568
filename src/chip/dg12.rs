//! DG12, additional document details (ICAO Doc 9303-10, 4.7.12). Images of the document in it are not read.

use super::dg11::{date, elements, filled, names, text};
use super::lds;
use crate::der::DerError;
use jiff::civil::Date;

/// What DG12 states. Holds personal data (other people's names) and therefore has no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Dg12 {
    /// Issuing authority (5F19).
    pub authority: Option<String>,
    /// Issue date (5F26).
    pub issued: Option<Date>,
    /// Other people on the document (A0, 5F1A).
    pub others: Vec<String>,
}

impl Dg12 {
    /// Reads DG12.
    ///
    /// # Errors
    /// Another tag, dishonest lengths, text that is not UTF-8, more than 64 elements or 16 names.
    pub fn parse(file: &[u8]) -> Result<Self, DerError> {
        let mut dg12 = Dg12::default();
        for field in elements(lds::open(file, 12)?)? {
            match field.tag {
                0x5f19 => dg12.authority = filled(text(&field, ", ")?),
                0x5f26 => dg12.issued = date(field.content),
                0xa0 => dg12.others = names(&field, 0x5f1a)?,
                _ => {}
            }
        }
        Ok(dg12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::dg11::tests::wide;
    use crate::der::tlv;

    #[test]
    fn authority_date_and_other_people_are_read_and_pictures_passed_over() {
        let fields = [
            wide(0x5f19, "CỤC CẢNH SÁT QLHC".as_bytes()),
            wide(0x5f26, b"20210415"),
            tlv(0xa0, &[&[2, 1, 1][..], &wide(0x5f1a, b"A<<B")].concat()),
            wide(0x5f1d, &[0xff, 0xd8, 0xff]),
        ];
        let Ok(dg12) = Dg12::parse(&tlv(0x6c, &fields.concat())) else { panic!() };
        assert_eq!(dg12.authority.as_deref(), Some("CỤC CẢNH SÁT QLHC"));
        assert_eq!(
            (dg12.issued, dg12.others),
            (Some(jiff::civil::date(2021, 4, 15)), vec!["A B".to_owned()])
        );
        assert!(Dg12::parse(&tlv(0x6c, &wide(0x5f19, &[0xff]))).is_err());
        assert!(Dg12::parse(&tlv(0x6b, &[])).is_err());
    }
}
