//! The logical data structure (ICAO Doc 9303-10): which tag a file opens with, what EF.COM claims, what DG14 offers.

use super::clone::AnswerHash;
use super::security_info;
use crate::cms::SignatureAlg;
use crate::der::{self, DerError, Reader, Tlv};

/// The contents of a data group file whose outer tag must belong to its number and must span the whole file.
///
/// # Errors
/// Another tag, a dishonest length, trailing bytes.
pub fn open(file: &[u8], number: u8) -> Result<&[u8], DerError> {
    let wanted = tag_of(number).ok_or(DerError::Tag { at: 0 })?;
    let mut reader = Reader::lenient(file);
    let tlv = reader.expect(wanted)?;
    reader.end()?;
    Ok(tlv.content)
}

/// The outer tag of a data group, `None` outside 1 to 16 (Doc 9303-10, table 38).
pub fn tag_of(number: u8) -> Option<u32> {
    let index = usize::from(number).checked_sub(1)?;
    TAGS.get(index).copied()
}

/// The data group of an outer tag.
pub fn number_of(tag: u32) -> Option<u8> {
    TAGS.iter().position(|t| *t == tag).and_then(|i| u8::try_from(i + 1).ok())
}

/// Numbers of the data groups that EF.COM lists. EF.COM is unsigned: this is a hint, never a list of what must hold.
///
/// # Errors
/// What is not an EF.COM.
pub fn com_list(file: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut outer = Reader::lenient(file);
    let mut fields = outer.expect(0x60)?.lenient();
    outer.end()?;
    while let Ok(field) = fields.read_tlv() {
        if field.tag == 0x5c {
            return Ok(field.content.iter().filter_map(|t| number_of(u32::from(*t))).collect());
        }
    }
    Err(DerError::Unexpected { at: fields.at(), wanted: 0x5c, found: 0 })
}

/// What DG14 says that the chip can prove about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityInfos {
    /// By which hash the chip answers active authentication with ECDSA.
    pub answer_hash: AnswerHash,
    /// A chip authentication protocol is offered.
    pub chip_authentication: bool,
    /// The chip can be opened by PACE: the signed word for what EF.CardAccess says unsigned (Doc 9303-11, 9.2.8).
    pub pace: bool,
}

/// Reads DG14 (Doc 9303-11, 9.2). Infos of other kinds are passed over.
///
/// # Errors
/// What is not a SET OF SecurityInfo, or more than a few hundred of them.
pub fn security_infos(file: &[u8]) -> Result<SecurityInfos, DerError> {
    let mut infos = SecurityInfos::default();
    security_info::each(&der::only(open(file, 14)?, 0x31)?, Tlv::reader, |_, protocol, mut info| {
        if protocol == ACTIVE_AUTHENTICATION {
            info.expect(0x02)?;
            let algorithm = info.expect(0x06)?;
            let algorithm = der::sequence(&[algorithm.raw]);
            let algorithm = SignatureAlg::read(&der::only(&algorithm, 0x30)?, None);
            infos.answer_hash =
                algorithm.map_or(AnswerHash::Unknown, |algorithm| AnswerHash::Named(algorithm.hash()));
        } else if protocol.starts_with(CHIP_AUTHENTICATION) {
            infos.chip_authentication = true;
        } else if protocol.starts_with(PACE) {
            infos.pace = true;
        }
        Ok(())
    })?;
    Ok(infos)
}

/// Whether EF.CardAccess offers PACE in any way, be it one that this program does not speak.
///
/// # Errors
/// What is not a SET OF SecurityInfo, or more than a few hundred of them.
pub fn offers_pace(card_access: &[u8]) -> Result<bool, DerError> {
    let mut offered = false;
    let set = Reader::lenient(card_access).expect(0x31)?;
    security_info::each(&set, Tlv::lenient, |_, protocol, _| {
        offered |= protocol.starts_with(PACE);
        Ok(())
    })?;
    Ok(offered)
}

const TAGS: [u32; 16] =
    [0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70];
/// id-AA.
const ACTIVE_AUTHENTICATION: &str = "2.23.136.1.1.5";
/// id-CA of BSI TR-03110-3.
const CHIP_AUTHENTICATION: &str = "0.4.0.127.0.7.2.2.3.";
/// id-PACE of BSI TR-03110-3.
const PACE: &str = "0.4.0.127.0.7.2.2.4.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cms::Hash;

    #[test]
    fn a_file_opens_only_under_its_own_number() {
        let file = der::tlv(0x6d, &[1, 2]);
        assert_eq!(open(&file, 13), Ok(&[1u8, 2][..]));
        assert_eq!(open(&file, 1), Err(DerError::Unexpected { at: 0, wanted: 0x61, found: 0x6d }));
        assert_eq!(open(&[&file[..], &[0]].concat(), 13), Err(DerError::Trailing { at: 4 }));
        assert!(open(&file, 0).is_err() && open(&file, 17).is_err());
        assert_eq!(
            (1..=16).map(|n| number_of(tag_of(n).unwrap()).unwrap()).collect::<Vec<_>>(),
            (1..=16).collect::<Vec<_>>()
        );
    }

    #[test]
    fn com_is_a_list_of_numbers() {
        let fields = [
            &der::tlv(0x5f, &[])[..0],
            &[0x5f, 1, 4],
            b"0107",
            &[0x5f, 0x36, 6],
            b"040000",
            &[0x5c, 3, 0x61, 0x75, 0x6d],
        ];
        assert_eq!(com_list(&der::tlv(0x60, &fields.concat())), Ok(vec![1, 2, 13]));
        assert!(com_list(&der::tlv(0x60, &[])).is_err());
    }

    #[test]
    fn dg14_names_the_hash_of_active_authentication() {
        let info = der::sequence(&[
            &der::oid(&[2, 23, 136, 1, 1, 5]),
            &der::integer(&[1]),
            &der::oid(&[0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 4]),
        ]);
        let other =
            der::sequence(&[&der::oid(&[2, 23, 136, 1, 1, 5]), &der::integer(&[1]), &der::oid(&[1, 2, 3])]);
        let ca = der::sequence(&[&der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 3, 2, 1]), &der::integer(&[1])]);
        let infos = security_infos(&der::tlv(0x6e, &der::set_of(&[&info, &ca]))).unwrap();
        assert_eq!(
            infos,
            SecurityInfos {
                answer_hash: AnswerHash::Named(Hash::Sha384),
                chip_authentication: true,
                pace: false
            }
        );
        let hash =
            |infos: &[&[u8]]| security_infos(&der::tlv(0x6e, &der::set_of(infos))).unwrap().answer_hash;
        assert_eq!(hash(&[&other, &ca]), AnswerHash::Unknown);
        assert_eq!(hash(&[&ca]), AnswerHash::Unsaid);
    }
}
