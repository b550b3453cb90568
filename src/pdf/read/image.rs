//! The one image of a page, and what its dictionary says of its samples.

use super::skim::encoded;
use super::stream::{filters, is_image_filter, params};
use super::{Foreign, number_of};
use crate::page::{Dpi, DpiSource, Window};
use lopdf::{Document, Object, ObjectId, Stream};

/// The one image of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The stream.
    pub id: ObjectId,
    /// Pixels across, as stored.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// Bits a sample.
    pub bits: u8,
    /// What a sample means.
    pub colour: Colour,
    /// How the samples are coded once all byte-level filters are undone.
    pub filter: Filter,
    /// `/ColorTransform` of a JPEG, where it is not the one that a JPEG of so many components has anyway.
    pub transform: Option<u8>,
    /// `/Decode` turns every sample round.
    pub inverted: bool,
    /// Pixels over the inches that the page gives the image.
    pub dpi: Dpi,
    /// Quarter turns clockwise that show the stored pixels upright.
    pub turns: u8,
    /// Mirrored left to right before turning.
    pub mirrored: bool,
    /// Degrees clockwise by which the page shows it turned beyond that.
    pub tilt_deg: f32,
    /// The page, where it shows a part of the image or has a margin around it.
    pub window: Option<Window>,
    /// Encoded bytes.
    pub encoded: u64,
}

/// What a sample means.
#[derive(Debug, Clone, PartialEq)]
pub enum Colour {
    /// One sample, 0 black; stencil masks painted black are this.
    Grey,
    /// Three samples.
    Rgb,
    /// Four samples.
    Cmyk,
    /// One sample, an index into RGB triples.
    Indexed(Vec<[u8; 3]>),
}

impl Colour {
    /// Samples a pixel.
    pub fn samples(&self) -> u8 {
        match self {
            Colour::Grey | Colour::Indexed(_) => 1,
            Colour::Rgb => 3,
            Colour::Cmyk => 4,
        }
    }
}

/// The image filter at the end of a stream's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// DCTDecode.
    Jpeg,
    /// CCITTFaxDecode with K below 0.
    G4 {
        /// `BlackIs1`, not yet turned by [`Image::inverted`].
        black_is_1: bool,
    },
    /// JBIG2Decode; see [`Pdf::jbig2_globals`](super::Pdf::jbig2_globals).
    Jbig2,
    /// JPXDecode. What the dictionary leaves out, the file itself says.
    Jpx,
    /// None: plain samples, rows padded to a byte.
    Samples,
}

/// What the image dictionary says (ISO 32000-1, 8.9.5).
pub(super) fn describe(
    document: &Document,
    stream: &Stream,
    id: ObjectId,
    fill_is_black: bool,
    limit: usize,
) -> Result<Image, Foreign> {
    let dict = &stream.dict;
    let whole = |key: &[u8]| dict.get_deref(key, document).and_then(Object::as_i64).ok();
    let side = |key: &[u8]| whole(key).and_then(|n| u32::try_from(n).ok()).ok_or(Foreign::Unreadable);
    let mask = dict.get_deref(b"ImageMask", document).and_then(Object::as_bool).unwrap_or(false);
    if (mask && !fill_is_black) || dict.has(b"SMask") || dict.has(b"Mask") {
        return Err(Foreign::Coding);
    }
    let names = filters(document, stream)?;
    if names.iter().rev().skip(1).any(|f| is_image_filter(f)) {
        return Err(Foreign::Coding);
    }
    let last = names.last().map_or(&b""[..], Vec::as_slice);
    let filter = match last {
        b"JBIG2Decode" => Filter::Jbig2,
        // Opacity inside the file is not followed.
        b"JPXDecode" if mask || whole(b"SMaskInData").unwrap_or(0) != 0 => return Err(Foreign::Jpeg2000),
        b"JPXDecode" => Filter::Jpx,
        b"DCTDecode" => Filter::Jpeg,
        b"CCITTFaxDecode" => fax(document, stream, names.len() - 1, side(b"Width")?)?,
        b"" | b"FlateDecode" | b"LZWDecode" | b"ASCII85Decode" | b"ASCIIHexDecode" | b"RunLengthDecode" => {
            Filter::Samples
        }
        _ => return Err(Foreign::Coding),
    };
    let bits = match (mask, filter) {
        (true, _) | (_, Filter::G4 { .. } | Filter::Jbig2) => 1,
        (_, Filter::Jpeg | Filter::Jpx) => 8,
        _ => whole(b"BitsPerComponent").and_then(|b| u8::try_from(b).ok()).unwrap_or(8),
    };
    if !matches!(bits, 1 | 2 | 4 | 8 | 16) {
        return Err(Foreign::Coding);
    }
    let colour = if mask {
        Colour::Grey
    } else if matches!(filter, Filter::Jpx) && !dict.has(b"ColorSpace") {
        // The file says it; until it is read it may be colour.
        Colour::Rgb
    } else {
        let space = dict.get_deref(b"ColorSpace", document).map_err(|_| Foreign::Coding)?;
        colour(document, space, limit, 0)?
    };
    let inverted = match dict.get_deref(b"Decode", document).and_then(Object::as_array) {
        Err(_) => false,
        Ok(decode) => inverts(document, decode, &colour, bits)?,
    };
    let fits = match (&filter, &colour) {
        (Filter::Jpeg, Colour::Indexed(_)) => false,
        (Filter::Jpeg, Colour::Cmyk) => true,
        (Filter::Jpeg, _) => !inverted,
        (Filter::G4 { .. } | Filter::Jbig2, Colour::Grey | Colour::Indexed(_)) => true,
        (Filter::G4 { .. } | Filter::Jbig2, _) => false,
        (Filter::Jpx, Colour::Grey | Colour::Rgb) if !inverted => true,
        (Filter::Jpx, _) => return Err(Foreign::Jpeg2000),
        (Filter::Samples, Colour::Indexed(_)) => bits <= 8,
        (Filter::Samples, _) => true,
    };
    if !fits {
        return Err(Foreign::Coding);
    }
    let transform = matches!(filter, Filter::Jpeg)
        .then(|| params(document, stream, names.len() - 1)?.get_deref(b"ColorTransform", document).ok())
        .flatten()
        .and_then(|o| o.as_i64().ok())
        .map(|transform| u8::from(transform != 0))
        .filter(|transform| *transform != u8::from(colour.samples() == 3) && colour.samples() > 1);
    Ok(Image {
        id,
        width: side(b"Width")?,
        height: side(b"Height")?,
        bits,
        colour,
        filter,
        transform,
        inverted,
        dpi: Dpi { x: 0.0, y: 0.0, source: DpiSource::Placement },
        turns: 0,
        mirrored: false,
        tilt_deg: 0.0,
        window: None,
        encoded: encoded(stream),
    })
}

/// `/Decode` as it was, or turned round; other maps are not followed.
fn inverts(document: &Document, decode: &[Object], colour: &Colour, bits: u8) -> Result<bool, Foreign> {
    let top = match colour {
        Colour::Indexed(_) => ((1u32 << bits) - 1) as f32,
        _ => 1.0,
    };
    let values: Vec<f32> = decode.iter().take(8).filter_map(|o| number_of(document, Some(o))).collect();
    let all = |from: f32, to: f32| values.chunks(2).all(|p| p.len() == 2 && p[0] == from && p[1] == to);
    match (values.len() == 2 * usize::from(colour.samples()), all(0.0, top), all(top, 0.0)) {
        (true, true, _) => Ok(false),
        (true, _, true) => Ok(true),
        _ => Err(Foreign::Coding),
    }
}

fn colour(document: &Document, space: &Object, limit: usize, depth: u8) -> Result<Colour, Foreign> {
    if depth > 3 {
        return Err(Foreign::Coding);
    }
    if let Ok(name) = space.as_name() {
        return match name {
            b"DeviceGray" | b"G" | b"CalGray" => Ok(Colour::Grey),
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Ok(Colour::Rgb),
            b"DeviceCMYK" | b"CMYK" => Ok(Colour::Cmyk),
            _ => Err(Foreign::Coding),
        };
    }
    let parts = space.as_array().map_err(|_| Foreign::Coding)?;
    let part = |i: usize| {
        parts.get(i).and_then(|o| document.dereference(o).ok()).map(|(_, o)| o).ok_or(Foreign::Coding)
    };
    match part(0)?.as_name().map_err(|_| Foreign::Coding)? {
        b"DeviceGray" | b"CalGray" => Ok(Colour::Grey),
        b"DeviceRGB" | b"CalRGB" => Ok(Colour::Rgb),
        b"DeviceCMYK" => Ok(Colour::Cmyk),
        b"ICCBased" => match part(1)?.as_stream().ok().and_then(|s| s.dict.get_deref(b"N", document).ok()) {
            Some(Object::Integer(1)) => Ok(Colour::Grey),
            Some(Object::Integer(3)) => Ok(Colour::Rgb),
            Some(Object::Integer(4)) => Ok(Colour::Cmyk),
            _ => Err(Foreign::Coding),
        },
        b"Indexed" | b"I" => {
            let base = colour(document, part(1)?, limit, depth + 1)?;
            let table = match part(3)? {
                Object::String(bytes, _) => bytes.clone(),
                Object::Stream(stream) => {
                    stream.get_plain_content_with_limit(limit.min(64 << 10)).map_err(|_| Foreign::Coding)?
                }
                _ => return Err(Foreign::Coding),
            };
            let triples: Vec<[u8; 3]> = match base {
                Colour::Grey => table.iter().map(|&g| [g; 3]).collect(),
                Colour::Rgb => table.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect(),
                Colour::Cmyk => table
                    .chunks_exact(4)
                    .map(|c| [0, 1, 2].map(|i| (u32::from(255 - c[i]) * u32::from(255 - c[3]) / 255) as u8))
                    .collect(),
                Colour::Indexed(_) => return Err(Foreign::Coding),
            };
            Ok(Colour::Indexed(triples))
        }
        _ => Err(Foreign::Coding),
    }
}

fn fax(document: &Document, stream: &Stream, index: usize, width: u32) -> Result<Filter, Foreign> {
    let params = params(document, stream, index);
    let whole = |key: &[u8], default: i64| {
        params.and_then(|p| p.get_deref(key, document).ok()).and_then(|o| o.as_i64().ok()).unwrap_or(default)
    };
    let flag = |key: &[u8]| {
        params.and_then(|p| p.get_deref(key, document).ok()).and_then(|o| o.as_bool().ok()).unwrap_or(false)
    };
    if whole(b"K", 0) >= 0 || whole(b"Columns", 1728) != i64::from(width) || flag(b"EncodedByteAlign") {
        return Err(Foreign::Coding);
    }
    Ok(Filter::G4 { black_is_1: flag(b"BlackIs1") })
}
