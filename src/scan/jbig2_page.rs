//! The pixels of a JBIG2 image of a PDF (ITU-T T.88, embedded organisation), bounded by its own segment headers.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::scan::Limits;
use hayro_jbig2::{DecodeSettings, Decoder, Globals, Page};

/// Rows packed most significant bit first, 1 = the code's black, each padded to a byte.
pub(super) fn packed(
    bytes: &[u8],
    globals: Option<&[u8]>,
    width: u32,
    height: u32,
    limits: &Limits,
) -> Outcome<Vec<u8>> {
    let fault = |e: &dyn std::fmt::Display| Fault::new(&PIXELS).detail(e);
    let mut walk = Walk { limits, area: 0, symbols: 0, segments: 0 };
    globals.map_or(Ok(()), |globals| walk.stream(globals))?;
    walk.stream(bytes)?;
    let settings = DecodeSettings { strict: true };
    let shared = globals.map(|g| Globals::new(g, &settings)).transpose().map_err(|e| fault(&e))?;
    let page = Page::new_embedded(bytes, shared.as_ref(), &settings).map_err(|e| fault(&e))?;
    if (page.width(), page.height()) != (width, height) {
        return Err(fault(&format!(
            "{} x {} in an image of {width} x {height}",
            page.width(),
            page.height()
        )));
    }
    let stride = (width as usize).div_ceil(8);
    let length = stride.saturating_mul(height as usize);
    let mut rows = Rows { data: Vec::with_capacity(length), stride, bit: 0 };
    page.decode(&mut rows).map_err(|e| fault(&e))?;
    if rows.data.len() != length {
        return Err(fault(&"rows are missing"));
    }
    Ok(rows.data)
}

/// Takes pixels as the decoder gives them.
struct Rows {
    data: Vec<u8>,
    stride: usize,
    /// Pixels in the last byte; 0 where it is full.
    bit: u32,
}

impl Decoder for Rows {
    fn push_pixel(&mut self, black: bool) {
        if self.bit == 0 {
            self.data.push(0);
        }
        if let Some(last) = self.data.last_mut() {
            *last |= u8::from(black) << (7 - self.bit);
        }
        self.bit = (self.bit + 1) % 8;
    }

    fn push_pixel_chunk(&mut self, black: bool, chunk_count: u32) {
        let to = self.data.len().saturating_add(chunk_count as usize);
        self.data.resize(to, if black { 0xFF } else { 0 });
    }

    fn next_line(&mut self) {
        self.bit = 0;
        let rows = self.data.len().div_ceil(self.stride.max(1));
        self.data.resize(rows * self.stride, 0);
    }
}

/// A walk over segment headers (7.2) that adds up what decoding them would take.
struct Walk<'a> {
    limits: &'a Limits,
    /// Pixels of all regions, patterns and grids so far.
    area: u64,
    symbols: u64,
    segments: usize,
}

/// Segments of one image; a page has a handful, a striped one some hundred.
const MAX_SEGMENTS: usize = 10_000;
/// Symbols that all dictionaries together may declare; a page of text has some hundred.
const MAX_SYMBOLS: u64 = 1 << 18;

impl Walk<'_> {
    fn stream(&mut self, bytes: &[u8]) -> Outcome<()> {
        let mut at = 0usize;
        while at < bytes.len() {
            let segment = Segment::at(bytes, at)
                .ok_or_else(|| Fault::new(&PIXELS).detail(format!("segment header at {at}")))?;
            self.segments += 1;
            if self.segments > MAX_SEGMENTS {
                return Err(Fault::new(&PIXELS).detail(format!("more than {MAX_SEGMENTS} segments")));
            }
            self.take(&segment)?;
            at = segment.end;
        }
        Ok(())
    }

    fn take(&mut self, segment: &Segment<'_>) -> Outcome<()> {
        let data = segment.data;
        let four = |at: usize| -> u64 {
            let part: Option<[u8; 4]> = data.get(at..at + 4).and_then(|b| b.try_into().ok());
            part.map_or(0, |b| u64::from(u32::from_be_bytes(b)))
        };
        let area = match segment.kind {
            // Symbol dictionary: the two counts end its header, behind 0 to 12 bytes of adaptive pixels (7.4.2.1).
            0 => {
                let flags = data.get(1).copied().unwrap_or(0);
                let (huffman, refined) = (flags & 1 != 0, flags & 2 != 0);
                let template = data.first().copied().unwrap_or(0) >> 2 & 3;
                let pixels = match (huffman, template) {
                    (true, _) => 0,
                    (false, 0) => 8,
                    _ => 2,
                };
                let refinement =
                    if refined && data.first().copied().unwrap_or(0) >> 4 & 1 == 0 { 4 } else { 0 };
                let counts = 2 + pixels + refinement;
                self.symbols = self.symbols.saturating_add(four(counts)).saturating_add(four(counts + 4));
                0
            }
            // Regions of text, halftone, generic and refinement coding (7.4.1): width and height come first.
            4 | 6 | 7 | 20 | 22 | 23 | 36 | 38 | 39 | 40 | 42 | 43 => {
                let grid =
                    if matches!(segment.kind, 20 | 22 | 23) { four(18).saturating_mul(four(22)) } else { 0 };
                four(0).saturating_mul(four(4)).saturating_add(grid)
            }
            // Pattern dictionary (7.4.4.1): one bitmap of all patterns side by side.
            16 => {
                let side = |at: usize| u64::from(data.get(at).copied().unwrap_or(0));
                side(1).saturating_mul(side(2)).saturating_mul(four(3).saturating_add(1))
            }
            // Page information (7.4.8); an unknown height is that of its stripes, checked once they are put together.
            48 => match four(4) {
                0xFFFF_FFFF => 0,
                height => four(0).saturating_mul(height),
            },
            _ => 0,
        };
        if area > self.limits.pixels {
            return Err(Fault::new(&crate::scan::limits::TOO_MANY_PIXELS)
                .detail(format!("a JBIG2 region of {area} pixels, at most {}", self.limits.pixels)));
        }
        self.area = self.area.saturating_add(area);
        if self.area > self.limits.pixels.saturating_mul(4) || self.symbols > MAX_SYMBOLS {
            return Err(Fault::new(&crate::scan::limits::RATIO).detail(format!(
                "JBIG2 regions of {} pixels and {} symbols in all",
                self.area, self.symbols
            )));
        }
        Ok(())
    }
}

struct Segment<'a> {
    kind: u8,
    data: &'a [u8],
    end: usize,
}

impl<'a> Segment<'a> {
    /// Number, flags, referred-to segments, page, length, data (7.2.2 to 7.2.7).
    fn at(bytes: &'a [u8], start: usize) -> Option<Segment<'a>> {
        let four = |at: usize| -> Option<u32> {
            Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        let number = four(start)?;
        let flags = *bytes.get(start.checked_add(4)?)?;
        let mut at = start.checked_add(5)?;
        let short = *bytes.get(at)? >> 5;
        let referred = if short == 7 {
            let count = (four(at)? & 0x1FFF_FFFF) as usize;
            at = at.checked_add(4)?.checked_add(count.checked_add(8)? / 8)?;
            count
        } else {
            at = at.checked_add(1)?;
            usize::from(short)
        };
        let size = match number {
            0..=256 => 1,
            257..=65_536 => 2,
            _ => 4,
        };
        at = at.checked_add(referred.checked_mul(size)?)?;
        at = at.checked_add(if flags & 0x40 == 0 { 1 } else { 4 })?;
        let length = four(at)?;
        at = at.checked_add(4)?;
        // An immediate generic region may leave its length open (7.2.7), and what follows it would go unseen.
        let end = if length == u32::MAX { return None } else { at.checked_add(length as usize)? };
        Some(Segment { kind: flags & 0x3F, data: bytes.get(at..end)?, end })
    }
}

/// The pixels of a JBIG2 image cannot be read to their end.
pub(super) const PIXELS: Code = Code {
    id: "SCAN-072",
    class: Class::Input,
    vi: "Dữ liệu ảnh JBIG2 bị hỏng",
    en: "the JBIG2 pixels are damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn segment(number: u32, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut out = number.to_be_bytes().to_vec();
        out.extend([kind, 0, 1]);
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(data);
        out
    }

    fn page_information(width: u32, height: u32) -> Vec<u8> {
        let mut data = [width.to_be_bytes(), height.to_be_bytes(), [0; 4], [0; 4]].concat();
        data.extend([0, 0, 0]);
        segment(0, 48, &data)
    }

    /// A page of one generic region, its rows coded as in fax Group 4.
    pub(in crate::scan) fn page(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
        let mut region = [width.to_be_bytes(), height.to_be_bytes(), [0; 4], [0; 4]].concat();
        // External combination by OR; MMR.
        region.extend([0, 1]);
        region.extend(crate::pdf::g4::encode(rows, width, height).unwrap());
        [page_information(width, height), segment(1, 38, &region)].concat()
    }

    fn rows() -> Vec<u8> {
        (0..3 * 20).map(|i| if i % 3 == 2 { 0xA0 } else { (i * 37) as u8 & 0x3C }).collect()
    }

    #[test]
    fn a_page_gives_back_its_rows() {
        let file = page(20, 20, &rows());
        assert_eq!(packed(&file, None, 20, 20, &Limits::default()).unwrap(), rows());
        assert_eq!(packed(&file, None, 20, 21, &Limits::default()).unwrap_err().code.id, PIXELS.id);
    }

    #[test]
    fn a_page_cut_inside_a_segment_is_refused() {
        let file = page(20, 20, &rows());
        let end = page_information(20, 20).len();
        for length in (1..file.len()).filter(|&length| length != end) {
            let fault = packed(&file[..length], None, 20, 20, &Limits::default()).unwrap_err();
            assert_eq!(fault.code.id, PIXELS.id, "{length}");
        }
    }

    #[test]
    fn what_declares_too_much_is_refused_before_it_is_decoded() {
        let limits = Limits::default();
        let refused = |bytes: &[u8]| packed(bytes, None, 20, 20, &limits).unwrap_err().code.id;
        let too_many = crate::scan::limits::TOO_MANY_PIXELS.id;
        assert_eq!(refused(&page_information(60_000, 60_000)), too_many);
        let mut region = [60_000u32.to_be_bytes(); 2].concat();
        region.extend([0; 30]);
        for kind in [4, 6, 7, 20, 22, 23, 36, 38, 39, 40, 42, 43] {
            assert_eq!(refused(&segment(1, kind, &region)), too_many, "{kind}");
        }
        let mut patterns = vec![0, 255, 255];
        patterns.extend(u32::MAX.to_be_bytes());
        assert_eq!(refused(&segment(1, 16, &patterns)), too_many);
        let mut symbols = vec![0, 1];
        symbols.extend([0xFF; 8]);
        assert_eq!(refused(&segment(1, 0, &symbols)), crate::scan::limits::RATIO.id);
        let mut half = [10_000u32.to_be_bytes(), 9_000u32.to_be_bytes()].concat();
        half.extend([0; 30]);
        let many: Vec<u8> = (0..9).flat_map(|i| segment(i, 38, &half)).collect();
        assert_eq!(refused(&many), crate::scan::limits::RATIO.id);
    }
}
