//! The pixels of one TIFF page: fax codings by our own rows, everything else by the tiff crate within limits.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::Coding;
use crate::scan::luma::{self, Luma, over_white};
use crate::scan::tiff_pages::{CODING, Head};
use crate::scan::{Limits, ccitt, jpeg};
use std::borrow::Cow;
use std::io::{Cursor, Read, Result, Seek, SeekFrom};
use tiff::decoder::{Decoder, DecodingResult};

/// The grey plane, as stored.
pub(super) fn luma(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Luma> {
    let (width, height) = (head.width as usize, head.height as usize);
    match raster(bytes, head, limits)? {
        Coding::Bilevel(packed) => luma::from_packed(width, height, &packed),
        Coding::Grey(data) => Luma::new(width, height, data),
        Coding::Rgb(data) => luma::from_rgb(width, height, &data),
        _ => None,
    }
    .ok_or_else(size)
}

/// The page as the archive takes it: a single Group 4 strip or a whole JPEG as it is, else its pixels.
pub(super) fn coding(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Coding> {
    if head.compression == 4 && head.strips.len() == 1 {
        let strip = head.strip(bytes, 0).ok_or_else(size)?;
        // Decoded once to know that it is whole; what is passed on are its own bytes.
        fax(bytes, head)?;
        let strip = if head.reversed { reversed(strip) } else { strip.to_vec() };
        // The code's "white" is sample 0 of the file: paper where WhiteIsZero, ink where BlackIsZero.
        return Ok(Coding::G4 { bytes: strip, black_is_1: head.photometric == 1 });
    }
    if head.compression == 7 && head.strips.len() == 1 && !head.has_jpeg_tables {
        let strip = head.strip(bytes, 0).ok_or_else(size)?;
        let inner = jpeg::head(strip)?;
        let plain = match inner.components {
            1 => head.photometric == 1,
            3 => head.photometric == 6,
            _ => false,
        };
        if plain && (inner.width, inner.height) == (head.width, head.height) {
            return Ok(Coding::Jpeg {
                bytes: strip.to_vec(),
                components: inner.components,
                inverted: false,
                icc: inner.icc,
            });
        }
    }
    raster(bytes, head, limits)
}

/// The ICC profile of a page (tag 34675); empty where it cannot be read, which fits no colours.
pub(super) fn profile(bytes: &[u8], head: &Head) -> Option<Vec<u8>> {
    let mut allowed = tiff::decoder::Limits::default();
    allowed.ifd_value_size = 8 << 20;
    let mut decoder = Decoder::new(OnePage::new(bytes, head)).ok()?.with_limits(allowed);
    let value = decoder.find_tag(tiff::tags::Tag::IccProfile).transpose()?;
    Some(value.and_then(tiff::decoder::ifd::Value::into_u8_vec).unwrap_or_default())
}

fn raster(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Coding> {
    if matches!(head.compression, 2..=4) {
        let mut packed = fax(bytes, head)?;
        if head.photometric == 1 {
            packed.iter_mut().for_each(|b| *b = !*b);
        }
        return Ok(Coding::Bilevel(packed));
    }
    if head.compression == 7 {
        // The crate's JPEG decoder is lenient; a strip without its end is not.
        for strip in 0..head.strips.len() {
            let strip = head.strip(bytes, strip).ok_or_else(size)?;
            jpeg::head(strip)?;
        }
    }
    samples(bytes, head, limits)
}

/// All strips of a fax-coded page, packed, 1 = the code's black.
fn fax(bytes: &[u8], head: &Head) -> Outcome<Vec<u8>> {
    let mut packed = Vec::new();
    let mut left = head.height;
    for index in 0..head.strips.len() {
        let rows = left.min(head.rows_per_strip);
        let strip = head.strip(bytes, index).ok_or_else(size)?;
        let strip: Cow<'_, [u8]> = if head.reversed { reversed(strip).into() } else { strip.into() };
        let part = match head.compression {
            4 => ccitt::group4(&strip, head.width, rows),
            3 if head.fax_options & 1 != 0 => ccitt::group3(&strip, head.width, rows, ccitt::Rows::Tagged),
            3 => ccitt::group3(&strip, head.width, rows, ccitt::Rows::Marked),
            _ => ccitt::group3(&strip, head.width, rows, ccitt::Rows::Aligned),
        };
        packed.extend(
            part.ok_or_else(|| Fault::new(&PIXELS).detail(format!("fax strip {} breaks off", index + 1)))?,
        );
        left -= rows;
    }
    if left > 0 {
        return Err(Fault::new(&PIXELS).detail(format!("{left} rows are missing")));
    }
    Ok(packed)
}

/// Everything but fax, through the crate; grey where one sample a pixel, else RGB over white.
fn samples(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Coding> {
    let fault = |e: tiff::TiffError| {
        let code = if matches!(e, tiff::TiffError::UnsupportedError(_)) { &CODING } else { &PIXELS };
        let words: String = e.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
        Fault::new(code).detail(words)
    };
    let mut allowed = tiff::decoder::Limits::default();
    allowed.decoding_buffer_size = (limits.pixels as usize).saturating_mul(8);
    allowed.intermediate_buffer_size = (limits.pixels as usize).saturating_mul(8);
    allowed.ifd_value_size = 8 << 20;
    let mut decoder = Decoder::new(OnePage::new(bytes, head)).map_err(fault)?.with_limits(allowed);
    if decoder.dimensions().map_err(fault)? != (head.width, head.height) {
        return Err(size());
    }
    let colour = decoder.colortype().map_err(fault)?;
    let mut result = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut result).map_err(fault)?;
    let data = match result {
        DecodingResult::U8(data) => data,
        DecodingResult::U16(data) => data.into_iter().map(|s| (s >> 8) as u8).collect(),
        _ => return Err(Fault::new(&CODING).detail("samples are not whole numbers")),
    };
    let (width, height) = (head.width as usize, head.height as usize);
    let pixels = width.saturating_mul(height);
    let data =
        if head.planar { interleaved(&data, pixels, head.samples as usize).ok_or_else(size)? } else { data };
    use tiff::ColorType as C;
    let coding = match colour {
        C::Gray(bits @ (1 | 2 | 4 | 8)) if head.photometric == PALETTE => {
            match palette(&mut decoder, &data, width, height, bits)? {
                Coding::Bilevel(packed) if packed.len() < width.div_ceil(8).saturating_mul(height) => {
                    return Err(size());
                }
                Coding::Bilevel(packed) => return Ok(Coding::Bilevel(packed)),
                colours => colours,
            }
        }
        C::Gray(1) => {
            // The crate gives 1 for white, whatever the file said.
            let mut packed = data;
            packed.iter_mut().for_each(|b| *b = !*b);
            if packed.len() < width.div_ceil(8).saturating_mul(height) {
                return Err(size());
            }
            return Ok(Coding::Bilevel(packed));
        }
        C::Gray(8 | 16) => Coding::Grey(data),
        C::Gray(bits @ (2 | 4)) => Coding::Grey(widened(&data, width, height, bits)),
        C::GrayA(8 | 16) => Coding::Grey(data.chunks_exact(2).map(|p| over_white(p[0], p[1])).collect()),
        C::Multiband { num_samples: 2, .. } => Coding::Grey(data.chunks_exact(2).map(|p| p[0]).collect()),
        C::RGB(8 | 16) => Coding::Rgb(data),
        C::RGBA(8 | 16) => {
            let shown = |colour: u8, alpha: u8| match head.extra {
                Some(1) => colour.saturating_add(255 - alpha),
                Some(_) => over_white(colour, alpha),
                // A fourth sample of which nothing is said.
                None => colour,
            };
            Coding::Rgb(data.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|i| shown(p[i], p[3]))).collect())
        }
        C::CMYK(8 | 16) => {
            let ink = |c: u8, k: u8| (u32::from(255 - c) * u32::from(255 - k) / 255) as u8;
            Coding::Rgb(data.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|i| ink(p[i], p[3]))).collect())
        }
        C::YCbCr(8) => Coding::Rgb(data.chunks_exact(3).flat_map(|p| rgb_of([p[0], p[1], p[2]])).collect()),
        other => return Err(Fault::new(&CODING).detail(format!("colour {other:?}"))),
    };
    let fits = match &coding {
        Coding::Grey(data) => data.len() == pixels,
        Coding::Rgb(data) => data.len() == pixels.saturating_mul(3),
        _ => false,
    };
    if fits { Ok(coding) } else { Err(size()) }
}

/// Planes one after the other as pixels; `None` where they are not all there.
fn interleaved(data: &[u8], pixels: usize, samples: usize) -> Option<Vec<u8>> {
    if data.len() != pixels.checked_mul(samples)? || pixels == 0 {
        return None;
    }
    let mut out = vec![0; data.len()];
    for (sample, plane) in data.chunks_exact(pixels).enumerate() {
        out.iter_mut().skip(sample).step_by(samples).zip(plane).for_each(|(to, &from)| *to = from);
    }
    Some(out)
}

/// The file as if its chain began at one page, so that a bad page before it cannot spoil it; as if its bits ran from
/// the most significant one, which is all that the crate knows; and a palette's indices as if they were grey, for it
/// takes no palette.
struct OnePage<'a> {
    bytes: Cursor<Cow<'a, [u8]>>,
    changes: Vec<(u64, u8)>,
}

impl<'a> OnePage<'a> {
    fn new(bytes: &'a [u8], head: &Head) -> Self {
        let offset =
            if bytes.first() == Some(&b'M') { head.offset.to_be_bytes() } else { head.offset.to_le_bytes() };
        let mut changes: Vec<(u64, u8)> = (4..).zip(offset).collect();
        if head.photometric == PALETTE {
            changes.extend(head.photometric_at.map(|at| (at as u64, BLACK_IS_ZERO)));
        }
        // Bytes of a JPEG are never turned (TIFF Technical Note 2).
        let turned = head.reversed && head.compression != 7;
        let bytes = if turned { with_parts_reversed(bytes, head).into() } else { bytes.into() };
        OnePage { bytes: Cursor::new(bytes), changes }
    }
}

/// The file with the bits of each byte of its strips or tiles turned round, once where they share bytes.
fn with_parts_reversed(bytes: &[u8], head: &Head) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut parts: Vec<_> = head.strips.iter().chain(&head.tiles).collect();
    parts.sort_unstable();
    let mut done = 0;
    for &&(offset, length) in &parts {
        let (from, to) = (done.max(offset as usize), offset as usize + length as usize);
        if let Some(part) = bytes.get_mut(from..to) {
            part.iter_mut().for_each(|b| *b = b.reverse_bits());
            done = to;
        }
    }
    bytes
}

impl Read for OnePage<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let from = self.bytes.position();
        let count = self.bytes.read(buffer)?;
        for &(at, value) in &self.changes {
            let place = at.checked_sub(from).and_then(|i| usize::try_from(i).ok());
            if let Some(byte) = place.and_then(|i| buffer[..count].get_mut(i)) {
                *byte = value;
            }
        }
        Ok(count)
    }
}

impl Seek for OnePage<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}

/// Photometric interpretations (tag 262).
const BLACK_IS_ZERO: u8 = 1;
const PALETTE: u32 = 3;

/// Colour map (tag 320): all reds, then all greens, then all blues, 16 bits each.
fn palette<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    data: &[u8],
    width: usize,
    height: usize,
    bits: u8,
) -> Outcome<Coding> {
    let map = decoder
        .get_tag_u16_vec(tiff::tags::Tag::ColorMap)
        .map_err(|_| Fault::new(&PIXELS).detail("colour map"))?;
    let colours = 1usize << bits;
    if map.len() < 3 * colours {
        return Err(Fault::new(&PIXELS).detail("colour map is too short"));
    }
    // Some writers put 8 bits into it.
    let shift = if map.iter().all(|&v| v < 256) { 0 } else { 8 };
    let of = |i: u8| [0, 1, 2].map(|c| (map[c * colours + usize::from(i)] >> shift) as u8);
    if bits == 1 && [of(0), of(1)] == [[255; 3], [0; 3]] {
        return Ok(Coding::Bilevel(data.to_vec()));
    }
    if bits == 1 && [of(0), of(1)] == [[0; 3], [255; 3]] {
        return Ok(Coding::Bilevel(data.iter().map(|b| !b).collect()));
    }
    let rgb = unpacked(data, width, height, bits).into_iter().flat_map(of).collect();
    Ok(Coding::Rgb(rgb))
}

/// Samples of fewer than 8 bits, one a byte, rows padded to a byte taken apart.
pub(super) fn unpacked(data: &[u8], width: usize, height: usize, bits: u8) -> Vec<u8> {
    if bits == 8 {
        return data.to_vec();
    }
    let bits = usize::from(bits);
    let stride = (width * bits).div_ceil(8);
    let mask = (1u16 << bits) as u8 - 1;
    let mut out = Vec::with_capacity(width * height);
    for row in data.chunks_exact(stride.max(1)).take(height) {
        out.extend((0..width).map(|x| (row[x * bits / 8] >> (8 - bits - x * bits % 8)) & mask));
    }
    out
}

/// Grey samples of 2 or 4 bits stretched to 8.
pub(super) fn widened(data: &[u8], width: usize, height: usize, bits: u8) -> Vec<u8> {
    let step = 255 / ((1u16 << bits) - 1) as u8;
    let mut out = unpacked(data, width, height, bits);
    out.iter_mut().for_each(|s| *s *= step);
    out
}

/// YCbCr (T.871) to RGB.
fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_14 * cb - 0.714_14 * cr, y + 1.772 * cb]
        .map(|v| v.round().clamp(0.0, 255.0) as u8)
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b.reverse_bits()).collect()
}

fn size() -> Fault {
    Fault::new(&PIXELS).detail("pixels do not fit the declared size")
}

/// The pixel data of a TIFF page cannot be read to its end.
pub(super) const PIXELS: Code = Code {
    id: "SCAN-035",
    class: Class::Input,
    vi: "Dữ liệu ảnh của trang TIFF bị hỏng",
    en: "the pixels of the TIFF page are damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

#[cfg(test)]
mod tests;
