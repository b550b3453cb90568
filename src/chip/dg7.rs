//! DG7, the displayed signature or usual mark (ICAO Doc 9303-10, 4.7.7): where its pictures lie. Nothing is decoded here.

use super::lds;
use crate::der::{DerError, Reader};
use std::ops::Range;

/// Places of the pictures within the file, in order.
///
/// # Errors
/// Another tag, dishonest lengths, other elements, more than 9 pictures, another number of them than is said.
pub fn pictures(file: &[u8]) -> Result<Vec<Range<usize>>, DerError> {
    let content = lds::open(file, 7)?;
    let head = file.len() - content.len();
    let mut fields = Reader::lenient(content);
    let count = fields.expect(0x02)?;
    let said = count.number()?;
    let mut out = Vec::new();
    while !fields.is_empty() {
        let picture = fields.expect(0x5f43)?;
        if out.len() == MOST_PICTURES {
            return Err(DerError::Limit { what: "items", at: picture.at });
        }
        let end = head + fields.at();
        out.push(end - picture.content.len()..end);
    }
    if u64::try_from(out.len()) == Ok(said) { Ok(out) } else { Err(DerError::Value { at: count.at }) }
}

const MOST_PICTURES: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::dg11::tests::wide;
    use crate::der::tlv;

    #[test]
    fn pictures_are_found_at_their_places_and_a_lying_count_is_refused() {
        let body = |count: u8, pictures: usize| {
            tlv(0x67, &[&[2, 1, count][..], &wide(0x5f43, &[0xff, 0xd8, 0xff]).repeat(pictures)].concat())
        };
        let file = body(2, 2);
        let found = pictures(&file).unwrap();
        assert_eq!(
            found.iter().map(|r| file[r.clone()].to_vec()).collect::<Vec<_>>(),
            [[0xff, 0xd8, 0xff]; 2]
        );
        assert!(pictures(&body(1, 2)).is_err());
        assert!(matches!(pictures(&body(10, 10)), Err(DerError::Limit { .. })));
        for length in 0..file.len() {
            assert!(pictures(&file[..length]).is_err());
        }
    }
}
