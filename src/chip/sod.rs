//! EF.SOD (ICAO Doc 9303-10, 4.6.2): a signed list of the hashes of the data groups.

mod frame;

use crate::cms::{self, CmsError, Hash, SignedData};
use crate::der::{self, DerError, Limits, Reader, Tlv};
use std::collections::BTreeMap;

/// A parsed EF.SOD; nothing in it has been checked yet.
#[derive(Debug, Clone)]
pub struct Sod {
    /// The signature and who made it.
    pub signed: SignedData,
    /// What it is over.
    pub list: List,
    /// What no signature covers is written exactly as prescribed.
    pub plain: bool,
}

/// LDSSecurityObject (Doc 9303-10, 4.6.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// 0, or 1 with version information.
    pub version: u64,
    /// The hash of the data groups.
    pub hash: Hash,
    /// Hash by number.
    pub hashes: BTreeMap<u8, Vec<u8>>,
    /// A number twice or outside 1 to 16.
    pub faulty: bool,
    /// The version of the data structure, in version 1 (LDS 1.8): `0108`.
    pub lds_version: Option<String>,
}

/// Why an EF.SOD cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SodError {
    /// The signature's structure.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// The contents are of another type; dotted.
    #[error("the contents are not a list of data groups")]
    ContentType,
    /// The contents are not there.
    #[error("the contents are missing")]
    Detached,
}

impl From<DerError> for SodError {
    fn from(error: DerError) -> Self {
        SodError::Cms(CmsError::Der(error))
    }
}

impl Sod {
    /// Reads EF.SOD: tag 77 around a SignedData over an LDSSecurityObject.
    ///
    /// # Errors
    /// See [`SodError`].
    pub fn parse(file: &[u8]) -> Result<Self, SodError> {
        let mut outer = Reader::lenient(file);
        let content = outer.expect(0x77)?.content;
        outer.end()?;
        let limits = Limits { bytes: 64 * 1024, depth: 32, items: 20_000 };
        let normal = der::normalise(content, &limits).map_err(CmsError::Der)?;
        let signed = cms::parse(&normal, &limits)?;
        if signed.econtent_type != LIST && !Sod::is_legacy(&signed.econtent_type) {
            return Err(SodError::ContentType);
        }
        let list = List::parse(signed.econtent.as_deref().ok_or(SodError::Detached)?)?;
        Ok(Sod { signed, list, plain: frame::is_plain(&normal) })
    }

    /// A content type of the years before Doc 9303 settled (old ICAO, Sdu).
    pub fn is_legacy(econtent_type: &str) -> bool {
        matches!(econtent_type, "1.3.27.1.1.1" | "1.2.528.1.1006.1.20.1")
    }
}

impl List {
    /// Reads an LDSSecurityObject.
    ///
    /// # Errors
    /// Another structure, a hash that is not known here.
    pub fn parse(bytes: &[u8]) -> Result<Self, SodError> {
        let mut fields = der::only(bytes, 0x30)?.reader();
        let version = fields.expect(0x02)?.number()?;
        let algorithm = fields.expect(0x30)?;
        let hash = Hash::read(&algorithm).map_err(|_| CmsError::Algorithm { at: algorithm.at })?;
        let mut entries = fields.expect(0x30)?.reader();
        let lds_version = match fields.optional(0x30)? {
            Some(info) => Some(read_version(&info)?),
            None => None,
        };
        fields.end()?;
        let (mut hashes, mut faulty) = (BTreeMap::new(), false);
        while !entries.is_empty() {
            let mut entry = entries.expect(0x30)?.reader();
            let number = entry.expect(0x02)?.number();
            let digest = entry.expect(0x04)?.content.to_vec();
            entry.end()?;
            match number.ok().and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=16).contains(n)) {
                Some(number) => faulty |= hashes.insert(number, digest).is_some(),
                None => faulty = true,
            }
        }
        Ok(List { version, hash, hashes, faulty, lds_version })
    }
}

/// LDSVersionInfo (Doc 9303-10, 4.6.2.3): the version of the data structure and that of Unicode, digits.
fn read_version(info: &Tlv<'_>) -> Result<String, DerError> {
    let mut fields = info.reader();
    let version = fields.expect(0x13)?;
    fields.expect(0x13)?;
    fields.end()?;
    let digits = version.content.len() <= 8 && version.content.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(DerError::Value { at: version.at });
    }
    Ok(version.content.iter().map(|b| char::from(*b)).collect())
}

/// id-icao-mrtd-security-ldsSecurityObject.
const LIST: &str = "2.23.136.1.1.1";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u8, &[u8])], version_info: bool) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = entries
            .iter()
            .map(|(n, h)| der::sequence(&[&der::integer(&[*n]), &der::octet_string(h)]))
            .collect();
        let sha256 = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])]);
        let info = der::sequence(&[&der::tlv(0x13, b"0108"), &der::tlv(0x13, b"040000")]);
        let version = der::integer(&[u8::from(version_info)]);
        let parts = [
            &version[..],
            &sha256,
            &der::tlv(0x30, &entries.concat()),
            if version_info { &info } else { &[] },
        ];
        der::sequence(&parts)
    }

    #[test]
    fn both_versions_are_read() {
        for version in [false, true] {
            let list = List::parse(&list(&[(1, &[7; 32]), (2, &[8; 32])], version)).unwrap();
            assert_eq!((list.version, list.hashes.len(), list.faulty), (u64::from(version), 2, false));
            assert_eq!(list.lds_version.as_deref(), version.then_some("0108"));
        }
    }

    #[test]
    fn a_number_twice_or_out_of_range_is_a_fault_of_the_list() {
        for entries in [&[(1u8, &[7u8; 32][..]), (1, &[8; 32])][..], &[(0, &[7; 32])], &[(17, &[7; 32])]] {
            assert!(List::parse(&list(entries, false)).unwrap().faulty);
        }
    }
}
