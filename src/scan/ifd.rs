//! Image file directories (TIFF 6.0, section 2), read with every offset checked: the chain of a TIFF file and
//! the EXIF block of a JPEG or PNG are the same structure.

use crate::page::{Dpi, DpiSource};

/// A TIFF structure in memory.
#[derive(Clone, Copy)]
pub(super) struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

/// One directory: its entries, at most [`MAX_ENTRIES`], and where the next one lies (0 for none).
pub(super) struct Directory<'a> {
    tiff: Tiff<'a>,
    entries: usize,
    count: usize,
    pub(super) next: u32,
}

/// More tags than any writer sets; a longer list is an attack on our time.
const MAX_ENTRIES: usize = 4096;

/// Strips or tiles of the largest page taken, in the smallest tiles of the standard (16 x 16).
const MAX_VALUES: usize = 1 << 20;

impl<'a> Tiff<'a> {
    /// Reads the header; gives the structure and where its first directory lies.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, u32)> {
        let big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let tiff = Tiff { bytes, big_endian };
        let first = tiff.u32_at(4)?;
        Some((tiff, first))
    }

    /// The directory at an offset.
    pub(super) fn directory(self, offset: u32) -> Option<Directory<'a>> {
        let start = usize::try_from(offset).ok()?;
        let count = usize::from(self.u16_at(start)?);
        if count == 0 || count > MAX_ENTRIES {
            return None;
        }
        let from = start.checked_add(2)?;
        let to = from.checked_add(count.checked_mul(12)?)?;
        self.bytes.get(from..to)?;
        // A file that ends with its last directory may lack the pointer; that means "no more".
        let next = self.u32_at(to).unwrap_or(0);
        Some(Directory { tiff: self, entries: from, count, next })
    }

    fn u16_at(self, at: usize) -> Option<u16> {
        let pair: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    }

    fn u32_at(self, at: usize) -> Option<u32> {
        let four: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }
}

impl Directory<'_> {
    /// Position, type and count of a tag's values.
    fn find(&self, tag: u16) -> Option<(usize, u16, usize)> {
        for i in 0..self.count {
            let at = self.entries + i * 12;
            if self.tiff.u16_at(at)? != tag {
                continue;
            }
            let kind = self.tiff.u16_at(at + 2)?;
            let count = usize::try_from(self.tiff.u32_at(at + 4)?).ok()?;
            let size = match kind {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 13 => 4,
                5 | 10 => 8,
                _ => return None,
            };
            let length = count.checked_mul(size)?;
            let start = if length <= 4 { at + 8 } else { usize::try_from(self.tiff.u32_at(at + 8)?).ok()? };
            self.tiff.bytes.get(start..start.checked_add(length)?)?;
            return Some((start, kind, count));
        }
        None
    }

    /// Where the lowest byte of a tag's first value lies.
    pub(super) fn lowest_byte(&self, tag: u16) -> Option<usize> {
        let (start, kind, _) = self.find(tag)?;
        match (kind, self.tiff.big_endian) {
            (1 | 7, _) | (3 | 4, false) => Some(start),
            (3, true) => Some(start + 1),
            (4, true) => Some(start + 3),
            _ => None,
        }
    }

    /// The first value of a whole-number tag.
    pub(super) fn number(&self, tag: u16) -> Option<u32> {
        self.numbers(tag)?.first().copied()
    }

    /// All values of a whole-number tag, at most [`MAX_VALUES`].
    pub(super) fn numbers(&self, tag: u16) -> Option<Vec<u32>> {
        let (start, kind, count) = self.find(tag)?;
        if count > MAX_VALUES {
            return None;
        }
        (0..count)
            .map(|i| match kind {
                1 | 7 => self.tiff.bytes.get(start + i).map(|&b| u32::from(b)),
                3 => self.tiff.u16_at(start + i * 2).map(u32::from),
                4 | 13 => self.tiff.u32_at(start + i * 4),
                _ => None,
            })
            .collect()
    }

    /// The first value of a rational tag.
    fn rational(&self, tag: u16) -> Option<f32> {
        let (start, kind, count) = self.find(tag)?;
        if kind != 5 || count == 0 {
            return None;
        }
        let (over, under) = (self.tiff.u32_at(start)?, self.tiff.u32_at(start + 4)?);
        (under != 0).then(|| (f64::from(over) / f64::from(under)) as f32)
    }

    /// Resolution in dots per inch (tags 282, 283, 296); none where the unit is not absolute.
    pub(super) fn dpi(&self) -> Option<Dpi> {
        let scale = match self.number(296).unwrap_or(2) {
            2 => 1.0,
            3 => 2.54,
            _ => return None,
        };
        let x = self.rational(282)? * scale;
        let y = self.rational(283).map_or(x, |y| y * scale);
        Some(Dpi { x, y, source: DpiSource::Header })
    }

    /// Quarter turns clockwise and mirroring (tag 274) that show the page upright.
    pub(super) fn orientation(&self) -> (u8, bool) {
        self.number(274).map_or((0, false), upright)
    }
}

/// Orientation tag (TIFF 6.0 and EXIF, tag 274) as: mirror left to right first, then turn clockwise.
pub(super) fn upright(orientation: u32) -> (u8, bool) {
    match orientation {
        2 => (0, true),
        3 => (2, false),
        4 => (2, true),
        5 => (3, true),
        6 => (1, false),
        7 => (1, true),
        8 => (3, false),
        _ => (0, false),
    }
}

/// What an EXIF block (without its `Exif\0\0`) says: turns, mirrored, resolution.
pub(super) fn exif(block: &[u8]) -> Option<(u8, bool, Option<Dpi>)> {
    let (tiff, first) = Tiff::read(block)?;
    let directory = tiff.directory(first)?;
    let (turns, mirrored) = directory.orientation();
    Some((turns, mirrored, directory.dpi()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exif_block_gives_orientation_and_resolution() {
        let mut block = b"MM\0*\0\0\0\x08\0\x03".to_vec();
        block.extend_from_slice(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        block.extend_from_slice(b"\x01\x1A\0\x05\0\0\0\x01\0\0\0\x32");
        block.extend_from_slice(b"\x01\x28\0\x03\0\0\0\x01\0\x03\0\0");
        block.extend_from_slice(b"\0\0\0\0");
        assert_eq!(block.len(), 0x32);
        block.extend_from_slice(&[0, 0, 0, 118, 0, 0, 0, 1]);
        let (turns, mirrored, dpi) = exif(&block).unwrap();
        assert_eq!((turns, mirrored), (1, false));
        assert!((dpi.unwrap().x - 299.72).abs() < 0.01);
    }

    #[test]
    fn directories_that_point_outside_are_not_read() {
        for length in 0..26 {
            let block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xFF\xFF\xFF\xFF\x08\0\0\0\0\0\0\0";
            let _ = exif(&block[..length]);
        }
        assert!(exif(b"II*\0\xFF\xFF\xFF\xFF").is_none());
    }
}
