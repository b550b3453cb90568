//! Decoded samples on their way into a PDF stream: packed without loss, or CMYK turned to RGB.

use super::archive::NOT_PIXELS;
use super::{g4, jbig2, png_stream};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, PageImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

/// What a JPEG's frame header says (ITU-T T.81 B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The process: 0 baseline, 1 extended, 2 progressive; others no PDF reader decodes.
    pub process: u8,
    /// Bits a sample.
    pub precision: u8,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Colour components.
    pub components: u8,
    /// They are red, green and blue, and nothing but their names says so: no JFIF, no Adobe marker.
    pub is_rgb_by_name: bool,
}

/// The first frame header of a JPEG, if its segments can be walked that far.
pub fn jpeg_frame(bytes: &[u8]) -> Option<Frame> {
    if bytes.get(..2)? != [0xff, 0xd8] {
        return None;
    }
    let mut at = 2usize;
    let mut is_told = false;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            0xff => at += 1, // fill byte
            0x01 | 0xd0..=0xd7 => at += 2,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let f = bytes.get(at + 4..at + 10)?;
                return Some(Frame {
                    process: marker - 0xc0,
                    precision: f[0],
                    height: u16::from_be_bytes([f[1], f[2]]),
                    width: u16::from_be_bytes([f[3], f[4]]),
                    components: f[5],
                    // Markers behind the frame header would be told as well; no encoder puts them there.
                    is_rgb_by_name: !is_told
                        && f[5] == 3
                        && [10, 13, 16].map(|id| bytes.get(at + id).copied()) == [b'R', b'G', b'B'].map(Some),
                });
            }
            0xd8..=0xda => return None,
            _ => {
                let body = bytes.get(at + 4..).unwrap_or_default();
                is_told |= marker == 0xe0 && body.starts_with(b"JFIF\0");
                is_told |= marker == 0xee && body.starts_with(b"Adobe");
                let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
                at = at.checked_add(2 + length.max(2))?;
            }
        }
    }
}

/// Packs 8-bit samples as a zlib stream with PNG predictors (`/FlateDecode`, `/Predictor 15`).
///
/// # Errors
/// [`PACKING`] where the encoder refuses; the caller has checked the length.
pub fn deflate(samples: &[u8], width: u32, height: u32, channels: u8) -> Outcome<Vec<u8>> {
    let mut file = Vec::new();
    let refused = |e: png::EncodingError| Fault::new(&PACKING).detail(e);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().map_err(refused)?;
    writer.write_image_data(samples).map_err(refused)?;
    writer.finish().map_err(refused)?;
    Ok(png_stream::joined(&file))
}

/// 8-bit samples of a page: grey or RGB, rows without padding.
#[derive(Debug, Clone)]
pub struct Samples {
    /// `width * height * channels` bytes.
    pub bytes: Vec<u8>,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// 1 grey, 3 RGB.
    pub channels: u8,
}

impl Samples {
    /// Turned by quarters clockwise, after mirroring left to right where that is asked.
    pub fn upright(self, turns: u8, mirrored: bool) -> Self {
        if turns.is_multiple_of(4) && !mirrored {
            return self;
        }
        let (width, height, channels) =
            (self.width as usize, self.height as usize, usize::from(self.channels));
        let (across, down) = if turns % 2 == 1 { (height, width) } else { (width, height) };
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for y in 0..down {
            for x in 0..across {
                // Where the pixel lay before it was turned.
                let (from_x, from_y) = match turns % 4 {
                    0 => (x, y),
                    1 => (y, height - 1 - x),
                    2 => (width - 1 - x, height - 1 - y),
                    _ => (width - 1 - y, x),
                };
                let from_x = if mirrored { width - 1 - from_x } else { from_x };
                let at = (from_y * width + from_x) * channels;
                bytes.extend_from_slice(self.bytes.get(at..at + channels).unwrap_or_default());
            }
        }
        Samples { bytes, width: across as u32, height: down as u32, channels: self.channels }
    }

    /// With three channels, whatever there were.
    pub fn in_rgb(self) -> Self {
        if self.channels == 3 {
            return self;
        }
        let bytes = self.bytes.iter().flat_map(|grey| [*grey; 3]).collect();
        Samples { bytes, channels: 3, ..self }
    }
}

/// Decodes a page as it is stored.
///
/// # Errors
/// [`DECODING`], [`NOT_PIXELS`].
pub fn decode(image: &PageImage) -> Outcome<Samples> {
    let (width, height) = (image.head.width, image.head.height);
    let failed = |why: &str| Fault::new(&DECODING).detail(why);
    let raw = |bytes: Vec<u8>, channels: u8| Samples { bytes, width, height, channels };
    let samples = match &image.coding {
        Coding::Jpeg { bytes, inverted, .. } => decode_jpeg(bytes, *inverted)?,
        Coding::Jpx { bytes, .. } => decode_jpx(bytes)?,
        Coding::Grey(bytes) => raw(bytes.clone(), 1),
        Coding::Rgb(bytes) => raw(bytes.clone(), 3),
        Coding::G4 { bytes, black_is_1 } => g4::decode(bytes, width, height, *black_is_1)
            .map(|bytes| raw(bytes, 1))
            .ok_or_else(|| failed("Group 4"))?,
        Coding::Bilevel(rows) => {
            let across = (width as usize).div_ceil(8).max(1);
            let light = |row: &[u8], x: usize| if row[x / 8] & (0x80 >> (x % 8)) == 0 { 255 } else { 0 };
            let rows = rows.chunks_exact(across);
            raw(rows.flat_map(|row| (0..width as usize).map(move |x| light(row, x))).collect(), 1)
        }
        Coding::Jbig2 { bytes, globals, inverted } => {
            let decoded = jbig2::decode(bytes, globals.as_deref(), *inverted, (width, height));
            raw(decoded.ok().flatten().ok_or_else(|| failed("JBIG2"))?, 1)
        }
        Coding::Png { stream, bits, components, palette } => {
            let decoded = png_stream::decode(&image.head, stream, *bits, *components, palette.as_deref());
            let channels = if palette.is_some() { 3 } else { *components };
            raw(decoded.map_err(|_| failed("PNG"))?, channels)
        }
    };
    let expected = u64::from(width) * u64::from(height) * u64::from(samples.channels);
    let fits = samples.bytes.len() as u64 == expected && (samples.width, samples.height) == (width, height);
    if fits {
        Ok(samples)
    } else {
        Err(Fault::new(&NOT_PIXELS).detail(format_args!("expected {expected} bytes of samples")))
    }
}

/// Decodes a JPEG to grey or RGB. `inverted` as in [`crate::page::Coding::Jpeg`].
///
/// # Errors
/// [`DECODING`] where it cannot be decoded or is larger than [`MAX_PIXELS`].
pub fn decode_jpeg(bytes: &[u8], inverted: bool) -> Outcome<Samples> {
    let failed = |e: &dyn std::fmt::Display| Fault::new(&DECODING).detail(e);
    let options = DecoderOptions::default().set_max_width(65_500).set_max_height(65_500);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| failed(&e))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| failed(&"no dimensions"))?;
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(failed(&format!("{width} x {height} pixels, limit {MAX_PIXELS}")));
    }
    let (target, channels) = match decoder.input_colorspace() {
        // The decoder takes every CMYK for inverted; what the file says decides here.
        Some(ColorSpace::CMYK) => (ColorSpace::CMYK, 3),
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(target));
    let decoded = decoder.decode().map_err(|e| failed(&e))?;
    let bytes = if target == ColorSpace::CMYK { cmyk_to_rgb(&decoded, inverted) } else { decoded };
    if Some(bytes.len()) != width.checked_mul(height).and_then(|pixels| pixels.checked_mul(channels)) {
        return Err(failed(&"the decoder gave another number of samples"));
    }
    Ok(Samples { bytes, width: width as u32, height: height as u32, channels: channels as u8 })
}

/// Decodes a JP2 file of one or three components, as [`crate::page::Coding::Jpx`] holds it: whoever made that has
/// checked what the file declares.
///
/// # Errors
/// [`DECODING`].
pub fn decode_jpx(bytes: &[u8]) -> Outcome<Samples> {
    let failed = |e: &dyn std::fmt::Display| Fault::new(&DECODING).detail(e);
    let settings = hayro_jpeg2000::DecodeSettings::default();
    let image = hayro_jpeg2000::Image::new(bytes, &settings).map_err(|e| failed(&e))?;
    let (width, height) = (image.width(), image.height());
    if u64::from(width) * u64::from(height) > MAX_PIXELS as u64 {
        return Err(failed(&format!("{width} x {height} pixels, limit {MAX_PIXELS}")));
    }
    let mut context = hayro_jpeg2000::DecoderContext::default();
    let picture = image.decode(&mut context).map_err(|e| failed(&e))?;
    let channels = match picture.components().len() {
        count @ (1 | 3) => count as u8,
        count => return Err(failed(&format!("{count} components"))),
    };
    Ok(Samples { bytes: picture.data_u8(), width, height, channels })
}

/// Encodes samples as a JPEG.
///
/// # Errors
/// [`PACKING`] where the encoder refuses, a side over 65,535 among its reasons.
pub fn encode_jpeg(samples: &Samples, quality: u8) -> Outcome<Vec<u8>> {
    let expected = u64::from(samples.width) * u64::from(samples.height) * u64::from(samples.channels);
    if samples.bytes.len() as u64 != expected {
        return Err(
            Fault::new(&PACKING).detail(format!("{} samples, expected {expected}", samples.bytes.len()))
        );
    }
    let kind =
        if samples.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    let mut out = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality)
        .encode(&samples.bytes, samples.width, samples.height, kind)
        .map_err(|e| Fault::new(&PACKING).detail(e))?;
    Ok(out)
}

/// The largest page that is decoded, pixels.
pub const MAX_PIXELS: usize = 100_000_000;

fn cmyk_to_rgb(samples: &[u8], inverted: bool) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(samples.len() / 4 * 3);
    for pixel in samples.chunks_exact(4) {
        let light = |ink: u8| if inverted { u16::from(ink) } else { u16::from(255 - ink) };
        let white = light(pixel[3]);
        rgb.extend(pixel[..3].iter().map(|ink| ((light(*ink) * white + 127) / 255) as u8));
    }
    rgb
}

/// Samples could not be packed.
pub const PACKING: Code = Code {
    id: "PDF-022",
    class: Class::Inner,
    vi: "Không nén được điểm ảnh của trang",
    en: "the samples of a page could not be packed",
    remedy_vi: "Báo cho người bảo trì chương trình",
    remedy_en: "report it to the maintainers",
};

/// A JPEG that had to be decoded and cannot.
pub const DECODING: Code = Code {
    id: "PDF-023",
    class: Class::Input,
    vi: "Không giải mã được ảnh JPEG của trang",
    en: "the JPEG of a page could not be decoded",
    remedy_vi: "Quét lại trang ở chế độ màu RGB hoặc xám",
    remedy_en: "scan the page again in RGB colour or grey",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_header_is_found_behind_other_segments() {
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc2, 0, 17, 8, 0, 5, 0, 7, 3];
        let frame = jpeg_frame(&jpeg).unwrap();
        let seen =
            Frame { process: 2, precision: 8, width: 7, height: 5, components: 3, is_rgb_by_name: false };
        assert_eq!(frame, seen);
        let named = [&jpeg[..], &[b'R', 0x11, 0, b'G', 0x11, 0, b'B', 0x11, 0]].concat();
        assert!(jpeg_frame(&named).unwrap().is_rgb_by_name);
        let told = [&named[..2], b"\xff\xe0\0\x07JFIF\0", &named[2..]].concat();
        assert!(!jpeg_frame(&told).unwrap().is_rgb_by_name);
        for length in 0..jpeg.len() {
            assert_eq!(jpeg_frame(&jpeg[..length]), None);
        }
        jpeg[4..6].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(jpeg_frame(&jpeg), None);
    }

    #[test]
    fn packed_samples_unpack_to_themselves() {
        let samples: Vec<u8> = (0..30 * 20 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let stream = deflate(&samples, 30, 20, 3).unwrap();
        let raw = miniz_oxide::inflate::decompress_to_vec_zlib(&stream).unwrap();
        assert_eq!(raw.len(), 20 * (30 * 3 + 1));
    }

    #[test]
    fn pixels_turn_clockwise_after_they_are_mirrored() {
        let grey =
            |bytes: &[u8], width, height| Samples { bytes: bytes.to_vec(), width, height, channels: 1 };
        let turned = |turns, mirrored| {
            let all = grey(&[1, 2, 3, 4, 5, 6], 3, 2).upright(turns, mirrored);
            (all.bytes, all.width)
        };
        assert_eq!(turned(0, false), (vec![1, 2, 3, 4, 5, 6], 3));
        assert_eq!(turned(1, false), (vec![4, 1, 5, 2, 6, 3], 2));
        assert_eq!(turned(2, false), (vec![6, 5, 4, 3, 2, 1], 3));
        assert_eq!(turned(3, false), (vec![3, 6, 2, 5, 1, 4], 2));
        assert_eq!(turned(0, true), (vec![3, 2, 1, 6, 5, 4], 3));
        assert_eq!(turned(1, true), (vec![6, 3, 5, 2, 4, 1], 2));
        assert_eq!(grey(&[7, 9], 2, 1).in_rgb().bytes, [7, 7, 7, 9, 9, 9]);
    }

    #[test]
    fn no_ink_is_white_and_all_ink_is_black_either_way() {
        assert_eq!(cmyk_to_rgb(&[0, 0, 0, 0, 255, 255, 255, 255], false), [255, 255, 255, 0, 0, 0]);
        assert_eq!(cmyk_to_rgb(&[255, 255, 255, 255, 0, 0, 0, 0], true), [255, 255, 255, 0, 0, 0]);
        assert_eq!(cmyk_to_rgb(&[0, 255, 0, 0], false), [255, 0, 255]);
    }
}
