//! One JPEG 2000 picture (ISO/IEC 15444-1): its boxes and main header read without decoding, its pixels decoded once.
//!
//! What the codestream declares is reckoned up here before any decoder sees it: pixels, tiles, code-blocks,
//! precincts. A file whose tile-parts do not run to its end marker is cut, whatever a lenient decoder could save.

mod boxes;
mod codestream;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, Dpi};
use crate::scan::Limits;
use crate::scan::luma::{Luma, luma_of, over_white};
use boxes::Boxes;
use codestream::Main;
use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

/// What a JPEG 2000 file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Components of the codestream.
    pub(super) components: u16,
    /// Bits of the deepest component.
    bits: u8,
    pub(super) dpi: Option<Dpi>,
    boxes: Option<Boxes>,
    main: Main,
}

impl Head {
    /// The ICC profile that the file names for its colours.
    pub(super) fn profile(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        bytes.get(self.boxes.as_ref()?.profile.clone()?).map(<[u8]>::to_vec)
    }

    /// Bits of one decoded pixel, for the ratio rule.
    pub(super) fn pixel_bits(&self) -> u64 {
        u64::from(self.bits) * u64::from(self.components)
    }
}

/// Reads boxes, if there are any, and the main header of the codestream; walks the tile-parts to the end marker.
pub(super) fn head(bytes: &[u8], limits: &Limits) -> Outcome<Head> {
    let boxes = if bytes.starts_with(codestream::START) { None } else { Some(boxes::read(bytes)?) };
    let stream = match &boxes {
        Some(boxes) => bytes.get(boxes.stream.clone()).ok_or_else(|| Fault::new(&BROKEN))?,
        None => bytes,
    };
    let (main, tiles) = codestream::read(stream)?;
    let head = Head {
        width: main.width,
        height: main.height,
        components: main.components,
        bits: main.bits,
        dpi: boxes.as_ref().and_then(|b| b.dpi),
        boxes,
        main,
    };
    limits.page(head.width, head.height, head.pixel_bits(), bytes.len() as u64)?;
    head.main.affordable(limits)?;
    codestream::whole(stream, tiles, &head.main)?;
    Ok(head)
}

/// Components as the decoder gives them: planes of equal size, alpha last where there is one.
fn decoded<T>(
    bytes: &[u8],
    head: &Head,
    take: impl FnOnce(&[Plane<'_>], usize, bool) -> Option<T>,
) -> Outcome<T> {
    let fault = |e: &dyn std::fmt::Display| {
        let words: String = e.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
        Fault::new(&BROKEN).detail(words)
    };
    let settings = DecodeSettings { resolve_palette_indices: true, strict: false, target_resolution: None };
    let image = Image::new(bytes, &settings).map_err(|e| fault(&e))?;
    let size = || Fault::new(&BROKEN).detail("pixels do not fit the declared size");
    if (image.width(), image.height()) != (head.width, head.height) {
        return Err(size());
    }
    let (colours, alpha) = (usize::from(image.color_space().num_channels()), image.has_alpha());
    if let ColorSpace::Unknown { .. } = image.color_space() {
        return Err(Fault::new(&CODING).detail(format!("{} components", head.components)));
    }
    let mut context = DecoderContext::default();
    let picture = image.decode(&mut context).map_err(|e| fault(&e))?;
    let count = (head.width as usize).saturating_mul(head.height as usize);
    let planes: Vec<Plane<'_>> = picture
        .components()
        .iter()
        .map(|c| Plane {
            samples: c.samples(),
            scale: 255.0 / ((1u64 << c.bit_depth().min(32)) - 1).max(1) as f32,
        })
        .collect();
    if planes.len() != colours + usize::from(alpha) || planes.iter().any(|p| p.samples.len() != count) {
        return Err(size());
    }
    take(&planes, count, alpha).ok_or_else(size)
}

/// One component.
struct Plane<'a> {
    samples: &'a [f32],
    scale: f32,
}

impl Plane<'_> {
    fn at(&self, index: usize) -> u8 {
        self.samples.get(index).map_or(0, |s| (s * self.scale + 0.5).clamp(0.0, 255.0) as u8)
    }
}

/// Grey of one pixel, or its colours.
fn colour(planes: &[Plane<'_>], index: usize, alpha: bool) -> [u8; 3] {
    let colours = planes.len() - usize::from(alpha);
    let at = |plane: usize| planes.get(plane).map_or(0, |p| p.at(index));
    let rgb = match colours {
        1 => [at(0); 3],
        4 => [0, 1, 2].map(|i| (u32::from(255 - at(i)) * u32::from(255 - at(3)) / 255) as u8),
        _ => [at(0), at(1), at(2)],
    };
    if alpha { rgb.map(|s| over_white(s, at(colours))) } else { rgb }
}

/// The grey plane, as stored.
pub(super) fn luma(bytes: &[u8], head: &Head) -> Outcome<Luma> {
    decoded(bytes, head, |planes, count, alpha| {
        let data = match planes {
            [grey] => (0..count).map(|i| grey.at(i)).collect(),
            _ => (0..count)
                .map(|i| {
                    let [r, g, b] = colour(planes, i, alpha);
                    luma_of(r, g, b)
                })
                .collect(),
        };
        Luma::new(head.width as usize, head.height as usize, data)
    })
}

/// The file itself where PDF/A-2 can carry it, else its pixels.
pub(super) fn coding(bytes: &[u8], head: &Head) -> Outcome<Coding> {
    // Decoded once to know that it is whole; what is passed on are its own bytes.
    let (is_grey, pixels) = decoded(bytes, head, |planes, count, alpha| {
        if passes(head) {
            return Some((false, Vec::new()));
        }
        let is_grey = planes.len() == 1 + usize::from(alpha);
        let pixels = match is_grey {
            true => (0..count).map(|i| colour(planes, i, alpha)[0]).collect(),
            false => (0..count).flat_map(|i| colour(planes, i, alpha)).collect(),
        };
        Some((is_grey, pixels))
    })?;
    if passes(head) {
        let bytes = match &head.boxes {
            Some(_) => bytes.to_vec(),
            None => boxes::wrapped(bytes, &head.main),
        };
        return Ok(Coding::Jpx { bytes, components: head.components as u8, icc: None });
    }
    Ok(if is_grey { Coding::Grey(pixels) } else { Coding::Rgb(pixels) })
}

/// Whether PDF/A-2 (ISO 19005-2, 6.2.8.3) can carry the file, with its colours told by the file itself: one or three
/// channels of one depth and size, no palette, no opacity, and one colour specification that is grey, sRGB or ICC.
fn passes(head: &Head) -> bool {
    matches!(head.components, 1 | 3)
        && head.main.is_even
        && head.boxes.as_ref().is_none_or(|boxes| boxes.is_plain(head.components))
}

/// The bytes are a JPEG 2000 that cannot be read to its end.
pub(super) const BROKEN: Code = Code {
    id: "SCAN-073",
    class: Class::Input,
    vi: "Tệp JPEG 2000 bị hỏng hoặc bị cắt cụt",
    en: "the JPEG 2000 is damaged or cut off",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

/// A JPEG 2000 of a kind that is not taken.
pub(super) const CODING: Code = Code {
    id: "SCAN-074",
    class: Class::Input,
    vi: "Kiểu mã hoá JPEG 2000 không được hỗ trợ",
    en: "the JPEG 2000 is of an unsupported coding",
    remedy_vi: "Quét lại ra JPEG, PNG, TIFF hoặc PDF",
    remedy_en: "scan to JPEG, PNG, TIFF or PDF",
};

#[cfg(test)]
pub(super) mod tests;
