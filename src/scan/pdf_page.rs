//! The one image of a PDF page as pixels or as the archive takes it.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::Coding;
use crate::pdf::read::{Colour, Filter, Image, Pdf};
use crate::scan::luma::{self, Luma};
use crate::scan::tiff_decode::{unpacked, widened};
use crate::scan::{Limits, ccitt, jbig2_page, jp2_page, jpeg};

/// The grey plane, as stored.
pub(super) fn luma(pdf: &Pdf, image: &Image, limits: &Limits) -> Outcome<Luma> {
    let (width, height) = (image.width as usize, image.height as usize);
    match image.filter {
        Filter::Jpeg => {
            let bytes = pdf.image_bytes(image)?;
            let head = checked_jpeg(&bytes, image)?;
            return jpeg::luma(&bytes, &head, image.inverted, limits);
        }
        Filter::G4 { .. } => luma::from_packed(width, height, &fax(pdf, image)?.1),
        Filter::Samples => match samples(pdf, image)? {
            Coding::Bilevel(packed) => luma::from_packed(width, height, &packed),
            Coding::Grey(data) => Luma::new(width, height, data),
            Coding::Rgb(data) => luma::from_rgb(width, height, &data),
            _ => None,
        },
        Filter::Jbig2 => luma::from_packed(width, height, &jbig2(pdf, image, limits)?.packed),
        Filter::Jpx => {
            let bytes = pdf.image_bytes(image)?;
            return jp2_page::luma(&bytes, &checked_jpx(&bytes, image, limits)?);
        }
    }
    .ok_or_else(size)
}

/// True where the PDF shows a JPEG in other colours than the file alone means: an archive of the bytes would not.
pub(super) fn is_transformed(pdf: &Pdf, image: &Image) -> Outcome<bool> {
    let Some(transform) = image.transform else { return Ok(false) };
    let head = jpeg::head(&pdf.image_bytes(image)?)?;
    // What the marker of the file says outweighs the PDF (ISO 32000-1, table 13).
    Ok(head.adobe.is_none() && (transform == 0) != (head.rgb_ids || head.components == 4))
}

/// The stream passed through where the archive can carry it, else its samples.
pub(super) fn coding(pdf: &Pdf, image: &Image, limits: &Limits) -> Outcome<Coding> {
    match image.filter {
        Filter::Jpeg => {
            let bytes = pdf.image_bytes(image)?;
            let head = checked_jpeg(&bytes, image)?;
            let icc = pdf.icc(image).or(head.icc);
            Ok(Coding::Jpeg { bytes, components: head.components, inverted: image.inverted, icc })
        }
        Filter::G4 { black_is_1 } => {
            let (bytes, _) = fax(pdf, image)?;
            Ok(Coding::G4 { bytes, black_is_1: black_is_1 != turned(image)? })
        }
        Filter::Jbig2 => {
            let Jbig2 { bytes, globals, .. } = jbig2(pdf, image, limits)?;
            Ok(Coding::Jbig2 { bytes, globals, inverted: turned(image)? })
        }
        Filter::Jpx => {
            let bytes = pdf.image_bytes(image)?;
            let head = checked_jpx(&bytes, image, limits)?;
            Ok(match jp2_page::coding(&bytes, &head)? {
                Coding::Jpx { bytes, components, .. } => {
                    Coding::Jpx { bytes, components, icc: pdf.icc(image) }
                }
                pixels => pixels,
            })
        }
        Filter::Samples => samples(pdf, image),
    }
}

/// A JBIG2 image: its segments, those it shares, and its rows packed with 1 = black on the page.
struct Jbig2 {
    bytes: Vec<u8>,
    globals: Option<Vec<u8>>,
    packed: Vec<u8>,
}

fn jbig2(pdf: &Pdf, image: &Image, limits: &Limits) -> Outcome<Jbig2> {
    let bytes = pdf.image_bytes(image)?;
    let globals = pdf.jbig2_globals(image)?;
    let mut packed = jbig2_page::packed(&bytes, globals.as_deref(), image.width, image.height, limits)?;
    if turned(image)? {
        packed.iter_mut().for_each(|b| *b = !*b);
    }
    Ok(Jbig2 { bytes, globals, packed })
}

/// The JPEG 2000's own head, which must be what the image dictionary promised.
fn checked_jpx(bytes: &[u8], image: &Image, limits: &Limits) -> Outcome<jp2_page::Head> {
    let head = jp2_page::head(bytes, limits)?;
    if (head.width, head.height) != (image.width, image.height) {
        return Err(Fault::new(&PIXELS).detail(format!(
            "JPEG 2000 of {} x {} in an image of {} x {}",
            head.width, head.height, image.width, image.height
        )));
    }
    Ok(head)
}

/// The strip, and its rows packed with 1 = black on the page.
fn fax(pdf: &Pdf, image: &Image) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let Filter::G4 { black_is_1 } = image.filter else { return Err(size()) };
    let bytes = pdf.image_bytes(image)?;
    let mut packed = ccitt::group4(&bytes, image.width, image.height)
        .ok_or_else(|| Fault::new(&PIXELS).detail("fax data breaks off"))?;
    // The code's white is shown white unless BlackIs1 or the colours turn it round.
    if black_is_1 != turned(image)? {
        packed.iter_mut().for_each(|b| *b = !*b);
    }
    Ok((bytes, packed))
}

/// True where sample 0 of a bilevel image is shown white.
fn turned(image: &Image) -> Outcome<bool> {
    let by_colour = match &image.colour {
        Colour::Indexed(table) => match table.as_slice() {
            [[0, 0, 0], [255, 255, 255], ..] => false,
            [[255, 255, 255], [0, 0, 0], ..] => true,
            _ => return Err(Fault::new(&PIXELS).detail("fax data in other colours than black and white")),
        },
        _ => false,
    };
    Ok(by_colour != image.inverted)
}

fn samples(pdf: &Pdf, image: &Image) -> Outcome<Coding> {
    let mut data = pdf.image_bytes(image)?;
    let (width, height) = (image.width as usize, image.height as usize);
    let bits = image.bits;
    if let Colour::Indexed(table) = &image.colour {
        if bits == 1 {
            // Any other pair of colours goes the long way below.
            if let Ok(white_first) = turned(image) {
                if !white_first {
                    data.iter_mut().for_each(|b| *b = !*b);
                }
                return Ok(Coding::Bilevel(data));
            }
        }
        let top = (1u16 << bits) - 1;
        let of = |i: u8| {
            let i = if image.inverted { top - u16::from(i) } else { u16::from(i) };
            // ISO 32000-1, 8.6.6.3: an index beyond the table is taken for the nearest in it.
            table.get(usize::from(i)).or(table.last()).copied().unwrap_or_default()
        };
        let rgb: Vec<u8> = unpacked(&data, width, height, bits).into_iter().flat_map(of).collect();
        return Ok(Coding::Rgb(rgb));
    }
    if bits == 1 && image.colour == Colour::Grey {
        // Samples say 0 for black; packed rows say 1.
        if !image.inverted {
            data.iter_mut().for_each(|b| *b = !*b);
        }
        return Ok(Coding::Bilevel(data));
    }
    let per_row = width.saturating_mul(usize::from(image.colour.samples()));
    let mut data = match bits {
        16 => data.chunks_exact(2).map(|p| p[0]).collect(),
        1 => unpacked(&data, per_row, height, 1).into_iter().map(|b| b * 255).collect(),
        2 | 4 => widened(&data, per_row, height, bits),
        _ => data,
    };
    if image.inverted {
        data.iter_mut().for_each(|b| *b = !*b);
    }
    Ok(match image.colour {
        Colour::Rgb => Coding::Rgb(data),
        Colour::Cmyk => {
            let ink = |c: u8, k: u8| (u32::from(255 - c) * u32::from(255 - k) / 255) as u8;
            Coding::Rgb(data.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|i| ink(p[i], p[3]))).collect())
        }
        _ => Coding::Grey(data),
    })
}

/// The JPEG's own head, which must be what the image dictionary promised.
fn checked_jpeg(bytes: &[u8], image: &Image) -> Outcome<jpeg::Head> {
    let head = jpeg::head(bytes)?;
    if (head.width, head.height, head.components) != (image.width, image.height, image.colour.samples()) {
        return Err(Fault::new(&PIXELS).detail(format!(
            "JPEG of {} x {} x {} in an image of {} x {} x {}",
            head.width,
            head.height,
            head.components,
            image.width,
            image.height,
            image.colour.samples()
        )));
    }
    Ok(head)
}

fn size() -> Fault {
    Fault::new(&PIXELS).detail("pixels do not fit the declared size")
}

/// The pixels of a PDF page are not what its dictionary says, or break off.
pub(super) const PIXELS: Code = Code {
    id: "SCAN-036",
    class: Class::Input,
    vi: "Dữ liệu ảnh của trang PDF bị hỏng",
    en: "the pixels of the PDF page are damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};
