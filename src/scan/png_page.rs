//! One PNG (ISO/IEC 15948): its chunks read without inflating, its pixels decoded once.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, Dpi, DpiSource};
use crate::pdf::png_stream;
use crate::scan::jpeg::TWO;
use crate::scan::luma::{self, Luma, over_white};
use crate::scan::{Limits, ifd};
use memchr::memmem::find;
use std::io::Cursor;
use std::ops::Range;

/// What the chunks of a PNG say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u8,
    colour: u8,
    /// Black of one bit is clear (tRNS).
    clear_black: bool,
    interlaced: bool,
    /// It has a chunk that makes colours shine through.
    transparent: bool,
    palette: Option<Vec<u8>>,
    /// Where the chunk of the colour profile lies.
    icc: Option<Range<usize>>,
    pub(super) dpi: Option<Dpi>,
    pub(super) turns: u8,
    pub(super) mirrored: bool,
}

impl Head {
    /// Grey of one bit: a page of black and white.
    pub(super) fn bilevel(&self) -> bool {
        self.bits == 1 && self.colour == 0
    }

    /// Whether a PDF can carry the image data as they are.
    fn passes(&self) -> bool {
        !self.interlaced
            && !self.transparent
            && match self.colour {
                0 => matches!(self.bits, 2 | 4 | 8),
                2 => self.bits == 8,
                3 => self.palette.is_some(),
                _ => false,
            }
    }

    /// Bits of one decoded pixel, for the ratio rule.
    pub(super) fn pixel_bits(&self) -> u64 {
        match self.colour {
            0 => u64::from(self.bits),
            2 => 3 * u64::from(self.bits),
            4 => 2 * u64::from(self.bits),
            6 => 4 * u64::from(self.bits),
            _ => 24,
        }
    }
}

/// Walks the chunks to the end mark.
pub(super) fn head(bytes: &[u8]) -> Outcome<Head> {
    let broken = |what: &str| Fault::new(&BROKEN).detail(what);
    let mut at = 8usize;
    let mut head: Option<Head> = None;
    loop {
        let (length, kind) = match bytes.get(at..at.saturating_add(8)) {
            Some(&[a, b, c, d, ref kind @ ..]) => (u32::from_be_bytes([a, b, c, d]) as usize, kind),
            _ => return Err(broken("cut off before the end chunk")),
        };
        let body = at
            .checked_add(8)
            .and_then(|from| bytes.get(from..from.checked_add(length)?))
            .ok_or_else(|| broken("cut off inside a chunk"))?;
        match (kind, head.as_mut()) {
            (b"IHDR", None) => {
                let &[w3, w2, w1, w0, h3, h2, h1, h0, bits, colour, _, _, interlaced, ..] = body else {
                    return Err(broken("header chunk"));
                };
                head = Some(Head {
                    width: u32::from_be_bytes([w3, w2, w1, w0]),
                    height: u32::from_be_bytes([h3, h2, h1, h0]),
                    bits,
                    colour,
                    clear_black: false,
                    interlaced: interlaced != 0,
                    transparent: false,
                    palette: None,
                    icc: None,
                    dpi: None,
                    turns: 0,
                    mirrored: false,
                });
            }
            (_, None) => return Err(broken("no header chunk")),
            (b"pHYs", Some(head)) => {
                if let &[x3, x2, x1, x0, y3, y2, y1, y0, 1] = body {
                    let inch = |metre: [u8; 4]| (f64::from(u32::from_be_bytes(metre)) * 0.0254) as f32;
                    let (x, y) = (inch([x3, x2, x1, x0]), inch([y3, y2, y1, y0]));
                    head.dpi = Some(Dpi { x, y, source: DpiSource::Header });
                }
            }
            (b"tRNS", Some(head)) => {
                head.transparent = true;
                head.clear_black = head.bilevel() && body.get(1).is_some_and(|b| b & 1 == 0);
            }
            (b"PLTE", Some(head)) if head.colour == 3 => head.palette = Some(body.to_vec()),
            (b"iCCP", Some(head)) => head.icc = Some(at + 8..at + 8 + length),
            (b"eXIf", Some(head)) => {
                if let Some((turns, mirrored, _)) = ifd::exif(body) {
                    (head.turns, head.mirrored) = (turns, mirrored);
                }
            }
            // A picture of one frame does not move.
            (b"acTL", Some(_)) if body.get(..4) != Some(&[0, 0, 0, 1]) => return Err(Fault::new(&ANIMATED)),
            (b"IEND", Some(_)) => {
                let behind = bytes.get(at.saturating_add(12)..).unwrap_or_default();
                if find(behind, b"\x89PNG\r\n\x1a\n").is_some() {
                    return Err(Fault::new(&TWO));
                }
                break;
            }
            _ => {}
        }
        // Length, kind and checksum frame the body.
        at = at.saturating_add(12).saturating_add(length);
    }
    head.ok_or_else(|| broken("no header chunk"))
}

/// Decoded samples of 8 bits (or packed bits where the page is bilevel), alpha laid over white.
fn pixels(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<(usize, Vec<u8>)> {
    let fault = |e: png::DecodingError| Fault::new(&BROKEN).detail(reason(&e));
    let size = || Fault::new(&BROKEN).detail("pixels do not fit the declared size");
    let budget = (limits.pixels as usize).saturating_mul(8).saturating_add(limits.stream_bytes);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: budget });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(if head.bilevel() {
        png::Transformations::IDENTITY
    } else {
        png::Transformations::EXPAND | png::Transformations::STRIP_16
    });
    let mut reader = decoder.read_info().map_err(fault)?;
    let mut data = vec![0u8; reader.output_buffer_size().ok_or_else(size)?];
    let frame = reader.next_frame(&mut data).map_err(fault)?;
    if (frame.width, frame.height) != (head.width, head.height) {
        return Err(size());
    }
    let (channels, data) = match frame.color_type {
        png::ColorType::Grayscale if head.bilevel() && head.clear_black => (1, vec![0xFF; data.len()]),
        png::ColorType::Grayscale => (1, data),
        png::ColorType::Rgb => (3, data),
        png::ColorType::GrayscaleAlpha => (1, data.chunks_exact(2).map(|p| over_white(p[0], p[1])).collect()),
        png::ColorType::Rgba => {
            let rgb = data.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|i| over_white(p[i], p[3])));
            (3, rgb.collect())
        }
        png::ColorType::Indexed => return Err(size()),
    };
    Ok((channels, data))
}

/// The grey plane, as stored.
pub(super) fn luma(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Luma> {
    let size = || Fault::new(&BROKEN).detail("pixels do not fit the declared size");
    let (width, height) = (head.width as usize, head.height as usize);
    let (channels, mut data) = pixels(bytes, head, limits)?;
    if head.bilevel() {
        data.iter_mut().for_each(|b| *b = !*b);
        return luma::from_packed(width, height, &data).ok_or_else(size);
    }
    match channels {
        1 => Luma::new(width, height, data),
        _ => luma::from_rgb(width, height, &data),
    }
    .ok_or_else(size)
}

/// The pixels as the archive takes them.
pub(super) fn coding(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Coding> {
    let (channels, mut data) = pixels(bytes, head, limits)?;
    if head.bilevel() {
        data.iter_mut().for_each(|b| *b = !*b);
        return Ok(Coding::Bilevel(data));
    }
    if head.bits == 1
        && !head.transparent
        && let Some([a, b, c, d, e, f]) = head.palette.as_deref()
        && matches!([[a, b, c], [d, e, f]], [[0, 0, 0], [255, 255, 255]] | [[255, 255, 255], [0, 0, 0]])
    {
        let rows = data.chunks_exact(3 * (head.width as usize).max(1));
        let dark = |pixel: &[u8], bit: usize| if pixel[0] == 0 { 0x80 >> bit } else { 0 };
        let eight = |run: &[u8]| run.chunks_exact(3).enumerate().fold(0, |byte, (i, p)| byte | dark(p, i));
        return Ok(Coding::Bilevel(rows.flat_map(|row| row.chunks(24).map(eight)).collect()));
    }
    if head.passes() {
        // The pixels were decoded above, to know that they are whole; what is passed on are their own bytes.
        let palette = head.palette.clone().map(|mut table| {
            // An index beyond the table is black, and not the last colour.
            table.resize(3 << head.bits, 0);
            table
        });
        let stream = png_stream::joined(bytes);
        let components = if head.colour == 2 { 3 } else { 1 };
        return Ok(Coding::Png { stream, bits: head.bits, components, palette });
    }
    Ok(if channels == 1 { Coding::Grey(data) } else { Coding::Rgb(data) })
}

/// The ICC profile of the picture; empty where it cannot be read, which fits no colours.
pub(super) fn profile(bytes: &[u8], head: &Head) -> Option<Vec<u8>> {
    let body = bytes.get(head.icc.clone()?)?;
    // Its name, a zero, the method, and then the profile.
    let packed = body.iter().position(|b| *b == 0).and_then(|end| body.get(end + 2..)).unwrap_or_default();
    Some(miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, 4 << 20).unwrap_or_default())
}

fn reason(error: &png::DecodingError) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The bytes are a PNG that cannot be read to its end.
pub(super) const BROKEN: Code = Code {
    id: "SCAN-025",
    class: Class::Input,
    vi: "Tệp PNG bị hỏng hoặc bị cắt cụt",
    en: "the PNG is damaged or cut off",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

/// A moving picture is not a page, and may be several.
pub(super) const ANIMATED: Code = Code {
    id: "SCAN-026",
    class: Class::Input,
    vi: "Ảnh PNG động không phải bản quét",
    en: "an animated PNG is not a scan",
    remedy_vi: "Gửi từng trang dưới dạng ảnh tĩnh JPEG, PNG hoặc WebP",
    remedy_en: "send each page as a still JPEG, PNG or WebP",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn write(colour: png::ColorType, bits: png::BitDepth, width: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, 1);
        encoder.set_color(colour);
        encoder.set_depth(bits);
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: 11_811,
            yppu: 11_811,
            unit: png::Unit::Meter,
        }));
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    fn grey(bytes: &[u8]) -> Vec<u8> {
        let limits = Limits::default();
        luma(bytes, &head(bytes).unwrap(), &limits).unwrap().data
    }

    #[test]
    fn every_depth_and_colour_comes_out_as_eight_bit_grey() {
        use png::{BitDepth, ColorType};
        assert_eq!(grey(&write(ColorType::Grayscale, BitDepth::One, 3, &[0b1010_0000])), [255, 0, 255]);
        assert_eq!(grey(&write(ColorType::Grayscale, BitDepth::Sixteen, 1, &[0x80, 0xFF])), [0x80]);
        assert_eq!(grey(&write(ColorType::Rgb, BitDepth::Eight, 1, &[255, 0, 0])), [76]);
        assert_eq!(grey(&write(ColorType::Rgba, BitDepth::Eight, 2, &[0, 0, 0, 0, 0, 0, 0, 255])), [255, 0]);
        assert_eq!(grey(&write(ColorType::GrayscaleAlpha, BitDepth::Eight, 1, &[0, 128])), [127]);
    }

    /// Two pixels of a palette.
    fn indexed(bits: png::BitDepth, palette: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, 2, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(bits);
        encoder.set_palette(palette.to_vec());
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        out
    }

    fn coded(bytes: &[u8]) -> Outcome<Coding> {
        coding(bytes, &head(bytes)?, &Limits::default())
    }

    #[test]
    fn a_palette_of_black_and_white_is_bilevel_and_others_pass_through_once_they_were_decoded() {
        use png::BitDepth::{Eight, One};
        let bits = |palette: &[u8]| coded(&indexed(One, palette, &[0b0100_0000])).unwrap();
        assert_eq!(bits(&[255, 255, 255, 0, 0, 0]), Coding::Bilevel(vec![0x40]));
        assert_eq!(bits(&[0, 0, 0, 255, 255, 255]), Coding::Bilevel(vec![0x80]));
        let shown = |coding: Coding| {
            let image = crate::page::PageImage::plain(2, 1, 100.0, coding);
            crate::pdf::samples::decode(&image).unwrap().bytes
        };
        let red = bits(&[255, 0, 0, 0, 0, 0]);
        assert!(matches!(&red, Coding::Png { bits: 1, components: 1, palette: Some(_), .. }));
        assert_eq!(shown(red), [255, 0, 0, 0, 0, 0]);
        // An index that the table has not is black.
        assert_eq!(shown(coded(&indexed(Eight, &[1, 2, 3, 9, 9, 9], &[0, 7])).unwrap()), [1, 2, 3, 0, 0, 0]);
        let rgb = write(png::ColorType::Rgb, Eight, 2, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(shown(coded(&rgb).unwrap()), [1, 2, 3, 4, 5, 6]);
        let mut damaged = rgb;
        let at = damaged.windows(4).position(|kind| kind == b"IDAT").unwrap() + 8;
        damaged[at] ^= 0xFF;
        assert_eq!(coded(&damaged).unwrap_err().code.id, BROKEN.id);
    }

    #[test]
    fn resolution_comes_from_the_physical_chunk() {
        let bytes = write(png::ColorType::Grayscale, png::BitDepth::Eight, 1, &[7]);
        assert!((head(&bytes).unwrap().dpi.unwrap().x - 300.0).abs() < 0.1);
    }

    fn with_chunk(bytes: &[u8], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(kind);
        checksum.update(body);
        // Behind the signature (8) and the header (25).
        let mut out = bytes[..33].to_vec();
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(kind);
        out.extend_from_slice(body);
        out.extend_from_slice(&checksum.finalize().to_be_bytes());
        out.extend_from_slice(&bytes[33..]);
        out
    }

    #[test]
    fn a_clear_colour_of_one_bit_is_white() {
        let bytes = write(png::ColorType::Grayscale, png::BitDepth::One, 3, &[0b1010_0000]);
        // Black is clear: nothing is left to see.
        assert_eq!(grey(&with_chunk(&bytes, b"tRNS", &[0, 0])), [255, 255, 255]);
        assert_eq!(grey(&with_chunk(&bytes, b"tRNS", &[0, 1])), [255, 0, 255]);
    }

    #[test]
    fn a_png_of_several_frames_is_refused_by_name() {
        let bytes = write(png::ColorType::Grayscale, png::BitDepth::Eight, 1, &[7]);
        let of = |frames: u8| head(&with_chunk(&bytes, b"acTL", &[0, 0, 0, frames, 0, 0, 0, 0]));
        assert_eq!(of(2).unwrap_err().code.id, ANIMATED.id);
        of(1).unwrap();
    }

    #[test]
    fn a_second_png_behind_the_first_is_never_lost_and_padding_is_nothing() {
        let bytes = write(png::ColorType::Grayscale, png::BitDepth::Eight, 1, &[7]);
        assert_eq!(head(&[&bytes[..], &bytes].concat()).unwrap_err().code.id, TWO.id);
        assert_eq!(head(&[&bytes[..], &[0; 9], &bytes].concat()).unwrap_err().code.id, TWO.id);
        head(&[&bytes[..], &[0; 512]].concat()).unwrap();
    }

    #[test]
    fn a_png_cut_anywhere_is_refused() {
        let bytes = write(png::ColorType::Grayscale, png::BitDepth::Eight, 1, &[7]);
        for length in 8..bytes.len() - 4 {
            assert_eq!(head(&bytes[..length]).unwrap_err().code.id, BROKEN.id);
        }
    }
}
