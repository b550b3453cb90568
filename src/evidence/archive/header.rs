//! Headers of the one form, byte for byte: all in them follows from name, size, sum and place (APPNOTE 6.3.10, 4.3).

/// What a header is made of; all else in it is fixed.
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) offset: u64,
}

impl Header<'_> {
    pub(super) fn local(&self) -> Vec<u8> {
        let mut out = LOCAL.to_vec();
        out.extend(VERSION.to_le_bytes());
        self.common(&mut out);
        out.extend(self.name.as_bytes());
        out
    }

    pub(super) fn central(&self) -> Vec<u8> {
        let mut out = CENTRAL.to_vec();
        out.extend(MADE_BY.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        self.common(&mut out);
        // Comment, disk and internal attributes.
        out.extend([0; 6]);
        out.extend((MODE << 16).to_le_bytes());
        out.extend(low32(self.offset).to_le_bytes());
        out.extend(self.name.as_bytes());
        out
    }

    /// Flags, method, time, date, sum, both sizes, both lengths.
    fn common(&self, out: &mut Vec<u8>) {
        out.extend([0; 6]);
        out.extend(DATE.to_le_bytes());
        out.extend(self.crc.to_le_bytes());
        out.extend(low32(self.size).to_le_bytes());
        out.extend(low32(self.size).to_le_bytes());
        out.extend(low16(self.name.len()).to_le_bytes());
        out.extend([0; 2]);
    }
}

pub(super) fn end(count: usize, size: u64, offset: u64) -> Vec<u8> {
    let mut out = END.to_vec();
    out.extend([0; 4]);
    out.extend(low16(count).to_le_bytes());
    out.extend(low16(count).to_le_bytes());
    out.extend(low32(size).to_le_bytes());
    out.extend(low32(offset).to_le_bytes());
    out.extend([0; 2]);
    out
}

/// Limits keep every value of ours below; one that is not could not have been written.
fn low32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn low16(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

pub(super) const LOCAL: &[u8; 4] = b"PK\x03\x04";
pub(super) const CENTRAL: &[u8; 4] = b"PK\x01\x02";
pub(super) const END: &[u8; 4] = b"PK\x05\x06";
pub(super) const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
pub(super) const LOCAL_SIZE: usize = 30;
pub(super) const CENTRAL_SIZE: usize = 46;
pub(super) const END_SIZE: u64 = 22;
/// Version 1.0: stored files, no folders.
const VERSION: u16 = 10;
/// Version 1.0 on Unix, where the attributes are a mode.
const MADE_BY: u16 = 3 << 8 | VERSION;
/// 1980-01-01, the first day there is.
const DATE: u16 = 0x0021;
/// A plain file that everyone may read.
const MODE: u32 = 0o100_644;
