//! Sets of SecurityInfo (ICAO Doc 9303-11, 9.2): what EF.CardAccess and DG14 say that a chip can do.

use crate::der::{DerError, Reader, Tlv};

/// Gives of each info its protocol, the same dotted, and a reader at what follows it. `inside` is how elements are opened:
/// [`Tlv::reader`], or [`Tlv::lenient`] for BER.
///
/// # Errors
/// What is not a SET OF SecurityInfo, or more than a few hundred of them; what `take` does not take.
pub fn each<'a>(
    set: &Tlv<'a>,
    inside: fn(&Tlv<'a>) -> Reader<'a>,
    mut take: impl FnMut(Tlv<'a>, &str, Reader<'a>) -> Result<(), DerError>,
) -> Result<(), DerError> {
    let mut infos = inside(set);
    for count in 0.. {
        if infos.is_empty() {
            break;
        }
        if count == MOST {
            return Err(DerError::Limit { what: "items", at: infos.at() });
        }
        let mut info = inside(&infos.expect(0x30)?);
        let protocol = info.expect(0x06)?;
        take(protocol, &protocol.oid()?, info)?;
    }
    Ok(())
}

const MOST: u32 = 200;
