//! A picture (PNG) of a seal or of a handwritten signature, as it goes into a PDF.

use super::{PICTURE, POINTS_PER_MM};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Dict, ObjectId, Revision, Value};
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

/// A picture, decoded once and packed for the file.
#[derive(Debug)]
pub(super) struct Picture {
    pixels: [usize; 2],
    /// Width and height in points, where the picture states its resolution.
    pub(super) real: Option<[f64; 2]>,
    color: Vec<u8>,
    /// Left out where every pixel is opaque.
    alpha: Option<Vec<u8>>,
}

impl Picture {
    /// Any PNG: grey, palette, 16 bits and interlaced ones too. The last few stay decoded, since a batch draws the same
    /// one over and over.
    ///
    /// # Errors
    /// [`PICTURE`]: no PNG, a broken one, or one that declares more than it may.
    pub(super) fn new(png: &[u8]) -> Outcome<Arc<Picture>> {
        static DECODED: Mutex<Vec<(Sha256, Arc<Picture>)>> = Mutex::new(Vec::new());
        if png.len() > MAX_BYTES {
            return Err(broken("too many bytes"));
        }
        let digest = Sha256::of(png);
        let mut decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, picture)) = decoded.iter().find(|(of, _)| *of == digest) {
            return Ok(Arc::clone(picture));
        }
        let picture = Arc::new(decode(png)?);
        decoded.truncate(MOST_KEPT - 1);
        decoded.insert(0, (digest, Arc::clone(&picture)));
        Ok(picture)
    }

    /// The largest size within `room` that keeps the proportions.
    pub(super) fn within(&self, room: [f64; 2]) -> [f64; 2] {
        let [width, height] = self.pixels.map(|n| n as f64);
        let scale = (room[0] / width).min(room[1] / height);
        [width * scale, height * scale]
    }

    /// Adds the image XObject; its transparency becomes a soft mask (PDF/A-2 allows it, PDF/A-1 does not).
    pub(super) fn add(&self, revision: &mut Revision<'_, '_>) -> ObjectId {
        let mask = self.alpha.as_ref().map(|alpha| self.image(revision, "DeviceGray", alpha, None));
        self.image(revision, "DeviceRGB", &self.color, mask)
    }

    fn image(
        &self,
        revision: &mut Revision<'_, '_>,
        space: &str,
        packed: &[u8],
        mask: Option<ObjectId>,
    ) -> ObjectId {
        let int = |n: usize| Value::Int(i64::try_from(n).unwrap_or(0));
        let mut dict = Dict::new();
        dict.set(b"Type", Value::name("XObject"));
        dict.set(b"Subtype", Value::name("Image"));
        dict.set(b"Width", int(self.pixels[0]));
        dict.set(b"Height", int(self.pixels[1]));
        dict.set(b"ColorSpace", Value::name(space));
        dict.set(b"BitsPerComponent", Value::Int(8));
        dict.set(b"Filter", Value::name("FlateDecode"));
        if let Some(mask) = mask {
            dict.set(b"SMask", Value::Ref(mask));
        }
        revision.add_stream(dict, packed)
    }
}

fn decode(png: &[u8]) -> Outcome<Picture> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(png), png::Limits { bytes: 8 * MAX_PIXELS });
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(|_| broken("not a PNG"))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.saturating_mul(height) > MAX_PIXELS || width == 0 || height == 0 {
        return Err(broken("too many pixels"));
    }
    let size = reader.output_buffer_size().filter(|size| *size <= 4 * MAX_PIXELS);
    let mut pixels = vec![0; size.ok_or_else(|| broken("too large"))?];
    let real = reader.info().pixel_dims.filter(|d| d.unit == png::Unit::Meter && d.xppu > 0 && d.yppu > 0);
    let real = real.map(|d| {
        [(width, d.xppu), (height, d.yppu)].map(|(n, per)| n as f64 / f64::from(per) * 1000.0 * POINTS_PER_MM)
    });
    let frame = reader.next_frame(&mut pixels).map_err(|_| broken("broken PNG"))?;
    let samples = frame.color_type.samples();
    let pixels = pixels.get(..frame.buffer_size()).unwrap_or_default();
    let mut color = Vec::with_capacity(width * height * 3);
    let mut alpha = Vec::with_capacity(width * height);
    for pixel in pixels.chunks_exact(samples) {
        match *pixel {
            // What cannot be seen may hold any colour; white packs best.
            [_, 0] | [_, _, _, 0] => (color.extend([255; 3]), alpha.push(0)),
            [g, a] => (color.extend([g, g, g]), alpha.push(a)),
            [r, g, b, a] => (color.extend([r, g, b]), alpha.push(a)),
            _ => return Err(broken("an unusual pixel format")),
        };
    }
    if alpha.len() != width * height {
        return Err(broken("broken PNG"));
    }
    let opaque = alpha.iter().all(|a| *a == 255);
    Ok(Picture {
        pixels: [width, height],
        real,
        color: compress_to_vec_zlib(&color, 9),
        alpha: (!opaque).then(|| compress_to_vec_zlib(&alpha, 9)),
    })
}

fn broken(what: &str) -> Fault {
    Fault::new(&PICTURE).detail(what)
}

const MAX_BYTES: usize = 4 << 20;
const MAX_PIXELS: usize = 4_000_000;
const MOST_KEPT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use png::{BitDepth, ColorType};

    /// A PNG of one colour type, its samples counting up.
    fn png(color: ColorType, depth: BitDepth, [width, height]: [u32; 2], fill: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 255, 255, 255, 255, 9, 9, 9, 1, 1, 1]);
            encoder.set_trns(vec![255, 0, 255, 255]);
        }
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: 1000, yppu: 2000, unit: png::Unit::Meter }));
        let bits = color.samples() * depth as usize * width as usize;
        let data = vec![fill; bits.div_ceil(8) * height as usize];
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        out
    }

    #[test]
    fn every_kind_of_png_becomes_a_picture_with_its_real_size() {
        let kinds = [
            (ColorType::Grayscale, BitDepth::One),
            (ColorType::Grayscale, BitDepth::Sixteen),
            (ColorType::GrayscaleAlpha, BitDepth::Eight),
            (ColorType::GrayscaleAlpha, BitDepth::Sixteen),
            (ColorType::Indexed, BitDepth::Two),
            (ColorType::Rgb, BitDepth::Eight),
            (ColorType::Rgb, BitDepth::Sixteen),
            (ColorType::Rgba, BitDepth::Eight),
            (ColorType::Rgba, BitDepth::Sixteen),
        ];
        for (color, depth) in kinds {
            let picture = Picture::new(&png(color, depth, [20, 10], 0b0001_0001)).unwrap();
            let [width, height] = picture.real.unwrap().map(|points| points / POINTS_PER_MM);
            assert!((width - 20.0).abs() < 1e-9 && (height - 5.0).abs() < 1e-9, "{color:?} {depth:?}");
            let transparent =
                matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba | ColorType::Indexed);
            assert_eq!(picture.alpha.is_some(), transparent, "{color:?} {depth:?}");
        }
    }

    #[test]
    fn an_interlaced_picture_is_read() {
        // Adam7, 2 x 2, RGBA; written out by hand since the encoder cannot.
        let rows = [&[0u8, 1, 2, 3, 4][..], &[0, 5, 6, 7, 8], &[0, 9, 10, 11, 12, 13, 14, 15, 16]].concat();
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8; 4], data: &[u8]| {
            out.extend((data.len() as u32).to_be_bytes());
            let body = [kind, data].concat();
            out.extend(&body);
            out.extend(crc(&body).to_be_bytes());
        };
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 2, 8, 6, 0, 0, 1]);
        chunk(b"IDAT", &compress_to_vec_zlib(&rows, 6));
        chunk(b"IEND", &[]);
        let picture = Picture::new(&out).unwrap();
        let alpha = miniz_oxide::inflate::decompress_to_vec_zlib(picture.alpha.as_ref().unwrap()).unwrap();
        assert_eq!(alpha, [4, 8, 12, 16]);
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn what_declares_too_much_or_is_cut_is_refused() {
        let whole = png(ColorType::Rgba, BitDepth::Eight, [30, 30], 7);
        assert!(Picture::new(&whole).is_ok());
        for end in [0, 8, 20, 40, whole.len() / 2, whole.len() - 14] {
            assert_eq!(Picture::new(&whole[..end]).unwrap_err().code.id, PICTURE.id, "{end}");
        }
        for size in [[100_000, 100_000], [u32::MAX >> 1, 1], [0, 5], [2001, 2001]] {
            let mut huge = whole.clone();
            huge[16..20].copy_from_slice(&size[0].to_be_bytes());
            huge[20..24].copy_from_slice(&size[1].to_be_bytes());
            let sum = crc(&huge[12..29]).to_be_bytes();
            huge[29..33].copy_from_slice(&sum);
            assert_eq!(Picture::new(&huge).unwrap_err().code.id, PICTURE.id, "{size:?}");
        }
        assert!(Picture::new(b"\xff\xd8\xff\xe0 a JPEG").is_err());
        assert!(Picture::new(&vec![0; MAX_BYTES + 1]).is_err());
    }
}
