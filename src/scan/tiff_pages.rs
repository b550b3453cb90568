//! The pages of a TIFF file (TIFF 6.0), listed from its directories without touching a pixel.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::Dpi;
use crate::scan::Limits;
use crate::scan::ifd::{Directory, Tiff};
use std::collections::HashSet;

/// What one directory says of its page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    /// Where its directory lies.
    pub(super) offset: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bits a sample.
    pub(super) bits: u32,
    /// Samples a pixel.
    pub(super) samples: u32,
    pub(super) compression: u32,
    pub(super) photometric: u32,
    /// Where the byte that says it lies.
    pub(super) photometric_at: Option<usize>,
    /// What the first sample beyond the colours is (tag 338): 1 opacity that the colours hold already, 2 opacity.
    pub(super) extra: Option<u32>,
    /// Bits of each byte run from the least significant one.
    pub(super) reversed: bool,
    /// T4Options or T6Options.
    pub(super) fax_options: u32,
    pub(super) rows_per_strip: u32,
    /// Offset and length of each strip; empty where the page is tiled.
    pub(super) strips: Vec<(u32, u32)>,
    /// The same of each tile.
    pub(super) tiles: Vec<(u32, u32)>,
    pub(super) has_jpeg_tables: bool,
    /// Each sample lies in a plane of its own (tag 284).
    pub(super) planar: bool,
    pub(super) dpi: Option<Dpi>,
    pub(super) turns: u8,
    pub(super) mirrored: bool,
}

impl Head {
    pub(super) fn bilevel(&self) -> bool {
        self.bits == 1 && self.samples == 1 && self.photometric <= 1
    }

    /// The bytes of one strip.
    pub(super) fn strip<'a>(&self, bytes: &'a [u8], strip: usize) -> Option<&'a [u8]> {
        let &(offset, length) = self.strips.get(strip)?;
        let start = usize::try_from(offset).ok()?;
        bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }
}

/// All pages in the order of the chain. A page that cannot be taken is its own fault; a chain that cannot be
/// followed is the file's. Reduced-size copies (thumbnails, tag 254 bit 0) are not pages, if they are smaller than
/// the page before them: some writers mark pages so.
pub(super) fn pages(bytes: &[u8], limits: &Limits) -> Outcome<Vec<Outcome<Head>>> {
    if matches!(bytes.get(..4), Some(b"II+\0" | b"MM\0+")) {
        return Err(Fault::new(&CODING).detail("BigTIFF"));
    }
    let (tiff, first) = Tiff::read(bytes).ok_or_else(|| Fault::new(&BROKEN).detail("header"))?;
    let mut seen = HashSet::new();
    let mut pages = Vec::new();
    let mut offset = first;
    let mut index = 0usize;
    // Pixels of the page before.
    let mut before = 0u64;
    while offset != 0 {
        if !seen.insert(offset) {
            return Err(Fault::new(&LOOP).detail(format!("after {index} pages")));
        }
        let directory = tiff
            .directory(offset)
            .ok_or_else(|| Fault::new(&BROKEN).detail(format!("directory {} lies outside", index + 1)))?;
        let pixels = [256, 257].map(|tag| u64::from(directory.number(tag).unwrap_or(0))).iter().product();
        if directory.number(254).unwrap_or(0) & 1 == 0 || index == 0 || pixels >= before {
            before = pixels;
            pages.push(head(bytes, &directory, offset, limits));
            limits.count(pages.len())?;
        }
        index += 1;
        // Thumbnails count too: a chain of them alone must also end.
        limits.count(index / 2)?;
        offset = directory.next;
    }
    if pages.is_empty() {
        return Err(Fault::new(&BROKEN).detail("no page"));
    }
    Ok(pages)
}

fn head(bytes: &[u8], directory: &Directory<'_>, offset: u32, limits: &Limits) -> Outcome<Head> {
    let need = |tag: u16| {
        directory.number(tag).ok_or_else(|| Fault::new(&BROKEN).detail(format!("tag {tag} is missing")))
    };
    let (turns, mirrored) = directory.orientation();
    let height = need(257)?;
    let depths = directory.numbers(258).unwrap_or_else(|| vec![1]);
    let compression = directory.number(259).unwrap_or(1);
    let (offsets, lengths) = if directory.number(324).is_some() {
        (directory.numbers(324), directory.numbers(325))
    } else {
        (directory.numbers(273), directory.numbers(279))
    };
    let tiled = directory.number(324).is_some();
    let offsets = offsets.ok_or_else(|| Fault::new(&BROKEN).detail("no strip offsets"))?;
    // Old writers leave the length of a single strip out: it then runs to the end of the file.
    let lengths = match lengths {
        Some(lengths) => lengths,
        None if offsets.len() == 1 => {
            vec![u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_sub(offsets[0])]
        }
        None => return Err(Fault::new(&BROKEN).detail("no strip lengths")),
    };
    if offsets.len() != lengths.len() {
        return Err(Fault::new(&BROKEN).detail("strip offsets and lengths differ in number"));
    }
    let parts: Vec<(u32, u32)> = offsets.into_iter().zip(lengths).collect();
    let outside = parts.iter().any(|&(o, l)| u64::from(o) + u64::from(l) > bytes.len() as u64);
    if outside {
        return Err(Fault::new(&BROKEN).detail("pixel data lies beyond the end of the file"));
    }
    // Strips may share bytes; a page never has more encoded bytes than its file.
    let encoded = parts.iter().map(|&(_, l)| u64::from(l)).sum::<u64>().min(bytes.len() as u64);
    let (strips, tiles) = if tiled { (Vec::new(), parts) } else { (parts, Vec::new()) };
    let head = Head {
        offset,
        width: need(256)?,
        height,
        bits: depths.first().copied().unwrap_or(1),
        samples: directory.number(277).unwrap_or(1),
        compression,
        photometric: directory.number(262).unwrap_or(0),
        photometric_at: directory.lowest_byte(262),
        extra: directory.number(338),
        reversed: directory.number(266) == Some(2),
        fax_options: directory.number(if compression == 4 { 293 } else { 292 }).unwrap_or(0),
        rows_per_strip: directory.number(278).unwrap_or(u32::MAX).min(height),
        strips,
        tiles,
        has_jpeg_tables: directory.number(347).is_some(),
        planar: directory.number(284) == Some(2) && directory.number(277).unwrap_or(1) > 1,
        dpi: directory.dpi(),
        turns,
        mirrored,
    };
    let pixel_bits = u64::from(head.bits).saturating_mul(u64::from(head.samples));
    limits.page(head.width, head.height, pixel_bits, encoded)?;
    supported(&head)?;
    Ok(head)
}

fn supported(head: &Head) -> Outcome<()> {
    let refuse = |what: String| Err(Fault::new(&CODING).detail(what));
    match head.compression {
        1 | 5 | 7 | 8 | 32_773 | 32_946 => {}
        2..=4 if !head.bilevel() => return refuse("fax coding of more than one bit".into()),
        2..=4 if head.strips.is_empty() => return refuse("fax coding in tiles".into()),
        3 | 4 if head.fax_options & 2 != 0 => return refuse("fax coding with uncompressed mode".into()),
        2..=4 => {}
        6 => return refuse("old-style JPEG".into()),
        other => return refuse(format!("compression {other}")),
    }
    if !matches!((head.bits, head.samples), (1 | 2 | 4 | 8 | 16, 1) | (8 | 16, 2..=4)) {
        return refuse(format!("{} samples of {} bits", head.samples, head.bits));
    }
    if head.photometric == 3 && (head.samples, head.bits) != (1, head.bits.min(8)) {
        return refuse(format!("{} samples of {} bits in a palette", head.samples, head.bits));
    }
    Ok(())
}

/// The bytes are a TIFF whose directories cannot be followed.
pub(super) const BROKEN: Code = Code {
    id: "SCAN-030",
    class: Class::Input,
    vi: "Tệp TIFF bị hỏng hoặc bị cắt cụt",
    en: "the TIFF is damaged or cut off",
    remedy_vi: "Quét lại tệp này",
    remedy_en: "scan it again",
};

/// A chain of directories that comes back to itself.
pub(super) const LOOP: Code = Code {
    id: "SCAN-031",
    class: Class::Input,
    vi: "Danh sách trang của tệp TIFF chạy vòng, tệp có thể độc hại",
    en: "the page chain of the TIFF runs in a circle",
    remedy_vi: "Quét lại từ bản giấy",
    remedy_en: "scan the paper again",
};

/// A TIFF coding that is not taken.
pub(super) const CODING: Code = Code {
    id: "SCAN-032",
    class: Class::Input,
    vi: "Kiểu mã hoá TIFF không được hỗ trợ",
    en: "the TIFF is of an unsupported coding",
    remedy_vi: "Quét lại ra TIFF (G4, LZW, JPEG), JPEG hoặc PDF",
    remedy_en: "scan to TIFF (G4, LZW, JPEG), JPEG or PDF",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A one-page uncompressed bilevel TIFF whose next pointer is given.
    fn tiff(next: u32) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        let tags: [(u16, u32); 8] =
            [(256, 8), (257, 1), (258, 1), (259, 1), (262, 0), (273, 4), (278, 1), (279, 1)];
        bytes.extend_from_slice(&8u16.to_le_bytes());
        for (tag, value) in tags {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&[4, 0, 1, 0, 0, 0]);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&next.to_le_bytes());
        bytes
    }

    #[test]
    fn a_chain_that_returns_to_its_start_is_refused() {
        assert_eq!(pages(&tiff(8), &Limits::default()).unwrap_err().code.id, LOOP.id);
        assert_eq!(pages(&tiff(0), &Limits::default()).unwrap().len(), 1);
    }

    #[test]
    fn only_a_copy_that_is_smaller_than_its_page_is_left_out() {
        let first = tiff(110);
        let with_second = |width: u32| {
            let mut bytes = first.clone();
            bytes.resize(110, 0);
            let mut second = tiff(0)[8..].to_vec();
            second[10..14].copy_from_slice(&width.to_le_bytes());
            second[0] = 9;
            bytes.extend_from_slice(&second[..2]);
            bytes.extend_from_slice(&[254, 0, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            bytes.extend_from_slice(&second[2..]);
            pages(&bytes, &Limits::default()).unwrap().len()
        };
        assert_eq!((with_second(8), with_second(4)), (2, 1));
    }

    #[test]
    fn a_chain_that_leaves_the_file_is_refused() {
        assert_eq!(pages(&tiff(100_000), &Limits::default()).unwrap_err().code.id, BROKEN.id);
    }

    #[test]
    fn a_very_long_chain_is_refused_at_the_limit() {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        for i in 0..3_000u32 {
            bytes.extend_from_slice(&[1, 0, 0, 1, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            bytes.extend_from_slice(&(8 + 18 * (i + 1)).to_le_bytes());
        }
        let fault = pages(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(fault.code.id, crate::scan::limits::TOO_MANY_PAGES.id);
    }

    #[test]
    fn pixel_data_beyond_the_end_is_that_pages_fault_alone() {
        let mut bytes = tiff(0);
        let at = 10 + 7 * 12 + 8;
        bytes[at..at + 4].copy_from_slice(&9_999u32.to_le_bytes());
        let pages = pages(&bytes, &Limits::default()).unwrap();
        assert_eq!(pages[0].as_ref().unwrap_err().code.id, BROKEN.id);
    }
}
