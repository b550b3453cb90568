//! One WebP still (RFC 9649): its chunks read without decoding, its pixels decoded once.
//!
//! No PDF can carry WebP, so the archive gets the pixels: as they are where the file was lossless, as JPEG of
//! quality 90 without subsampling where it was lossy, so that the archive does not grow tenfold.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, Dpi};
use crate::pdf::samples::{Samples, encode_jpeg};
use crate::scan::luma::{self, Luma, over_white};
use crate::scan::{Limits, ifd};
use image::ImageDecoder;
use image::codecs::webp::WebPDecoder;
use std::io::Cursor;
use std::ops::Range;

/// What the chunks of a WebP say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) width: u32,
    pub(super) height: u32,
    lossy: bool,
    /// Where the colour profile lies.
    icc: Option<Range<usize>>,
    pub(super) dpi: Option<Dpi>,
    pub(super) turns: u8,
    pub(super) mirrored: bool,
}

impl Head {
    /// The ICC profile of the picture.
    pub(super) fn profile(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        bytes.get(self.icc.clone()?).map(<[u8]>::to_vec)
    }
}

/// Walks the chunks (RFC 9649, 2.3 to 2.7) to the end that the file declares.
pub(super) fn head(bytes: &[u8]) -> Outcome<Head> {
    let broken = |what: &str| Fault::new(&BROKEN).detail(what);
    let declared = four(bytes, 4).ok_or_else(|| broken("header"))?;
    let end =
        usize::try_from(declared).ok().and_then(|n| n.checked_add(8)).ok_or_else(|| broken("header"))?;
    let riff = bytes.get(..end).ok_or_else(|| broken("cut off before its declared end"))?;
    let (mut canvas, mut frame) = (None, None);
    let (mut exif, mut icc) = (None, None);
    let mut at = 12usize;
    while at < riff.len() {
        let length = four(riff, at + 4).ok_or_else(|| broken("cut off inside a chunk"))? as usize;
        let body = at.checked_add(8).and_then(|from| riff.get(from..from.checked_add(length)?));
        let body = body.ok_or_else(|| broken("cut off inside a chunk"))?;
        match &riff[at..at + 4] {
            b"VP8X" if canvas.is_none() => {
                let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = body else {
                    return Err(broken("extended header"));
                };
                if flags & ANIMATION != 0 {
                    return Err(Fault::new(&ANIMATED));
                }
                let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
                canvas = Some((side(w0, w1, w2), side(h0, h1, h2)));
            }
            b"ANIM" | b"ANMF" => return Err(Fault::new(&ANIMATED)),
            b"VP8 " if frame.is_none() => {
                // RFC 6386, 9.1: a key frame, its start code, two sides of 14 bits.
                let &[tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] = body else {
                    return Err(broken("lossy frame header"));
                };
                if tag & 1 != 0 {
                    return Err(broken("lossy frame is no key frame"));
                }
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                frame = Some((side(w0, w1), side(h0, h1), true));
            }
            b"VP8L" if frame.is_none() => {
                let &[0x2F, a, b, c, d, ..] = body else { return Err(broken("lossless frame header")) };
                let bits = u32::from_le_bytes([a, b, c, d]);
                frame = Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, false));
            }
            b"ICCP" if icc.is_none() => icc = Some(at + 8..at + 8 + length),
            b"EXIF" => exif = exif.or_else(|| ifd::exif(body.strip_prefix(b"Exif\0\0").unwrap_or(body))),
            _ => {}
        }
        // Chunks are padded to even lengths.
        at = at.saturating_add(8).saturating_add(length).saturating_add(length % 2);
    }
    let (width, height, lossy) = frame.ok_or_else(|| broken("no picture"))?;
    if canvas.is_some_and(|canvas| canvas != (width, height)) {
        return Err(broken("picture and canvas differ in size"));
    }
    let (turns, mirrored, dpi) = exif.unwrap_or((0, false, None));
    Ok(Head { width, height, lossy, icc, dpi, turns, mirrored })
}

const ANIMATION: u8 = 0x02;

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// RGB samples, alpha laid over white.
fn pixels(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Vec<u8>> {
    let fault = |e: image::ImageError| {
        let words: String = e.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
        Fault::new(&BROKEN).detail(words)
    };
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(fault)?;
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.decoded_bytes.saturating_mul(2));
    decoder.set_limits(allowed).map_err(fault)?;
    let channels = usize::from(decoder.color_type().channel_count());
    let count = (head.width as usize).saturating_mul(head.height as usize);
    if decoder.dimensions() != (head.width, head.height) || !matches!(channels, 3 | 4) {
        return Err(Fault::new(&BROKEN).detail("pixels do not fit the declared size"));
    }
    let mut data = vec![0u8; count.saturating_mul(channels)];
    decoder.read_image(&mut data).map_err(fault)?;
    if channels == 3 {
        return Ok(data);
    }
    Ok(data.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|i| over_white(p[i], p[3]))).collect())
}

/// The grey plane, as stored.
pub(super) fn luma(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Luma> {
    luma::from_rgb(head.width as usize, head.height as usize, &pixels(bytes, head, limits)?)
        .ok_or_else(|| Fault::new(&BROKEN).detail("pixels do not fit the declared size"))
}

/// The pixels as the archive takes them.
pub(super) fn coding(bytes: &[u8], head: &Head, limits: &Limits) -> Outcome<Coding> {
    let rgb = pixels(bytes, head, limits)?;
    if !head.lossy {
        return Ok(Coding::Rgb(rgb));
    }
    let samples = Samples { width: head.width, height: head.height, channels: 3, bytes: rgb };
    // The file's colour profile is the page's, as that of any other file.
    let bytes = encode_jpeg(&samples, 90)?;
    Ok(Coding::Jpeg { bytes, components: 3, inverted: false, icc: None })
}

/// The bytes are a WebP that cannot be read to its end.
pub(super) const BROKEN: Code = Code {
    id: "SCAN-070",
    class: Class::Input,
    vi: "Tệp WebP bị hỏng hoặc bị cắt cụt",
    en: "the WebP is damaged or cut off",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

/// A moving picture is not a page.
pub(super) const ANIMATED: Code = Code {
    id: "SCAN-071",
    class: Class::Input,
    vi: "Ảnh WebP động không phải bản quét",
    en: "an animated WebP is not a scan",
    remedy_vi: "Gửi từng trang dưới dạng ảnh tĩnh JPEG, PNG hoặc WebP",
    remedy_en: "send each page as a still JPEG, PNG or WebP",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Lossless, made by the crate's encoder.
    fn lossless(width: u32, height: u32, rgba: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        image::codecs::webp::WebPEncoder::new_lossless(&mut out)
            .encode(rgba, width, height, image::ExtendedColorType::Rgba8)
            .unwrap();
        out
    }

    fn picture() -> Vec<u8> {
        let rgba: Vec<u8> = (0..40u32 * 30)
            .flat_map(|i| {
                let level = (i * 7 % 251) as u8;
                [level, level, level, if i < 40 { 0 } else { 255 }]
            })
            .collect();
        lossless(40, 30, &rgba)
    }

    #[test]
    fn what_shines_through_is_white_and_the_rest_is_kept() {
        let file = picture();
        let head = head(&file).unwrap();
        assert_eq!((head.width, head.height, head.lossy), (40, 30, false));
        let page = luma(&file, &head, &Limits::default()).unwrap();
        assert_eq!(page.row(0), [255; 40]);
        assert_eq!(page.row(1)[3], (43 * 7 % 251) as u8);
        let Coding::Rgb(rgb) = coding(&file, &head, &Limits::default()).unwrap() else { panic!() };
        assert_eq!(rgb[40 * 3 * 2], (80 * 7 % 251) as u8);
    }

    #[test]
    fn a_webp_cut_anywhere_is_refused() {
        let file = picture();
        for length in 12..file.len() {
            assert_eq!(head(&file[..length]).unwrap_err().code.id, BROKEN.id, "{length}");
        }
        // The same with a header that admits it.
        for length in (40..file.len() - 8).step_by(9) {
            let mut short = file[..length - length % 2].to_vec();
            let size = short.len() as u32 - 8;
            short[4..8].copy_from_slice(&size.to_le_bytes());
            short[16..20].copy_from_slice(&(size - 12).to_le_bytes());
            let read = head(&short).and_then(|head| luma(&short, &head, &Limits::default()));
            assert_eq!(read.unwrap_err().code.id, BROKEN.id, "{length}");
        }
    }

    #[test]
    fn a_moving_picture_and_a_false_canvas_are_refused() {
        let still = picture();
        let extended = |flags: u8, side: u8| {
            let mut out = b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0".to_vec();
            out.extend([flags, 0, 0, 0, side - 1, 0, 0, 29, 0, 0]);
            out.extend(&still[12..]);
            let size = out.len() as u32 - 8;
            out[4..8].copy_from_slice(&size.to_le_bytes());
            head(&out)
        };
        assert_eq!(extended(0x10, 40).unwrap().width, 40);
        assert_eq!(extended(0x12, 40).unwrap_err().code.id, ANIMATED.id);
        assert_eq!(extended(0x10, 41).unwrap_err().code.id, BROKEN.id);
    }
}
