//! A file of pages: opened within limits, listed without decoding, decoded a page at a time.
//!
//! A page that cannot be taken is one refused page; the others go on. What a decoder panics at is a fault too.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::page::{Coding, Dpi, DpiSource, PageHead, PageImage, Recoded, Window};
use crate::pdf::read::{self, Body, Filter, Pdf};
use crate::scan::{
    Kind, Limits, Luma, jp2_page, jpeg, pdf_page, png_page, sniff, tiff_decode, tiff_pages, webp_page,
};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use crate::pdf::read::Foreign;

/// An opened file.
pub struct Source {
    /// The whole file, where it is a picture or a chain of them; of a PDF nothing, which is read page by page.
    bytes: Arc<Vec<u8>>,
    kind: Kind,
    limits: Limits,
    signed: bool,
    pages: Vec<Outcome<PageInfo>>,
    inner: Inner,
}

/// What is known of a page before it is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageInfo {
    /// Counted from 1 within the file.
    pub number: usize,
    /// Pixels across, as stored; 0 where the page has no single image.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// Resolution of the stored pixels.
    pub dpi: Dpi,
    /// Quarter turns clockwise that show the stored pixels upright.
    pub turns: u8,
    /// Mirrored left to right before turning.
    pub mirrored: bool,
    /// Degrees clockwise by which the page shows them turned beyond that (PDF only).
    #[serde(default)]
    pub tilt_deg: f32,
    /// The page, where it shows a part of them or has a margin around them (PDF only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Black and white only.
    pub bilevel: bool,
    /// How the pixels are coded in the file.
    pub coding: Coded,
    /// Why the page is kept as it is and not analysed (PDF only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Foreign>,
    /// The page of the file has selectable text (PDF only).
    #[serde(default)]
    pub has_text: bool,
    /// Size on paper in points as shown, where the file says it (PDF only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_pt: Option<(f32, f32)>,
}

/// How the pixels of a page are coded in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coded {
    /// JPEG, alone or in a TIFF or PDF.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// JPEG 2000, alone or in a PDF.
    Jpeg2000,
    /// JBIG2, in a PDF.
    Jbig2,
    /// CCITT Group 4.
    G4,
    /// CCITT Group 3.
    G3,
    /// LZW.
    Lzw,
    /// Deflate, or another byte filter of a PDF.
    Deflate,
    /// PackBits.
    Packbits,
    /// Not coded.
    Raw,
    /// Not one image; see [`PageInfo::foreign`].
    Foreign,
}

enum Inner {
    Jpeg(Box<jpeg::Head>),
    Png(png_page::Head),
    Webp(webp_page::Head),
    Jpeg2000(Box<jp2_page::Head>),
    Tiff(Vec<Option<tiff_pages::Head>>),
    Pdf(Box<Pdf>, Vec<Option<read::Image>>),
}

/// Opens a file: tells its kind by content, checks every declared size against the limits, lists the pages.
///
/// # Errors
/// A fault of [`sniff`], of [`Limits`], or of the file's own format where no page at all can be listed.
pub fn open(original: impl Into<Original>, limits: &Limits) -> Outcome<Source> {
    let original = original.into();
    limits.file(original.len())?;
    let kind = sniff(&original.read(0..original.len().min(HEAD))?)?;
    let bytes = if kind == Kind::Pdf { Arc::default() } else { original.whole()? };
    guarded(|| match kind {
        Kind::Jpeg => open_jpeg(&bytes, limits),
        Kind::Png => open_png(&bytes, limits),
        Kind::Webp => open_webp(&bytes, limits),
        Kind::Jp2 => open_jpeg2000(&bytes, limits),
        Kind::Tiff => open_tiff(&bytes, limits),
        Kind::Pdf => open_pdf(&original, limits),
    })
    .map(|(pages, inner, signed)| Source { kind, limits: limits.clone(), signed, pages, inner, bytes })
}

impl Source {
    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A PDF that holds a signature: its bytes must never be written anew.
    pub fn signed(&self) -> bool {
        self.signed
    }

    /// A photograph of several, of which only the first is a page.
    pub fn has_another(&self) -> bool {
        matches!(&self.inner, Inner::Jpeg(head) if head.has_another)
    }

    /// All pages in order; a page that is refused holds its fault.
    pub fn pages(&self) -> &[Outcome<PageInfo>] {
        &self.pages
    }

    /// Decodes a page once, to 8-bit luma of the UPRIGHT page: already mirrored and turned as
    /// [`PageInfo::mirrored`] and [`PageInfo::turns`] say. Whatever is found on it is in upright pixels.
    ///
    /// # Errors
    /// The page's own fault, [`NO_SUCH_PAGE`], [`FOREIGN`], or the fault of the damaged pixels.
    pub fn luma(&self, page: usize) -> Outcome<Luma> {
        let info = self.info(page)?;
        let stored = guarded(|| match &self.inner {
            Inner::Jpeg(head) => jpeg::luma(&self.bytes, head, head.adobe.is_some(), &self.limits),
            Inner::Png(head) => png_page::luma(&self.bytes, head, &self.limits),
            Inner::Webp(head) => webp_page::luma(&self.bytes, head, &self.limits),
            Inner::Jpeg2000(head) => jp2_page::luma(&self.bytes, head),
            Inner::Tiff(heads) => tiff_decode::luma(&self.bytes, part(heads, page)?, &self.limits),
            Inner::Pdf(pdf, images) => pdf_page::luma(pdf, part(images, page)?, &self.limits),
        });
        stored.map(|luma| luma.upright(info.turns, info.mirrored)).map_err(|f| f.at(format!("page {page}")))
    }

    /// The resolution of the upright page, that is of the plane that [`Source::luma`] gives.
    ///
    /// # Errors
    /// As [`Source::luma`].
    pub fn upright_dpi(&self, page: usize) -> Outcome<Dpi> {
        let info = self.info(page)?;
        Ok(upright(info.dpi, info.turns))
    }

    /// Degrees clockwise by which the page is shown turned against the plane that [`Source::luma`] gives.
    ///
    /// # Errors
    /// As [`Source::luma`].
    pub fn tilt_deg(&self, page: usize) -> Outcome<f32> {
        self.info(page).map(|info| info.tilt_deg)
    }

    /// The page as the archive writes it: its own coded bytes where a PDF can carry them, else its pixels.
    /// Not turned; the image says how to show it.
    ///
    /// # Errors
    /// As [`Source::luma`].
    pub fn page_image(&self, page: usize) -> Outcome<PageImage> {
        let info = self.info(page)?;
        let coding = guarded(|| match &self.inner {
            Inner::Jpeg(head) => Ok(Coding::Jpeg {
                bytes: head.picture(&self.bytes).to_vec(),
                components: head.components,
                inverted: head.components == 4 && head.adobe.is_some(),
                icc: head.icc.clone(),
            }),
            Inner::Png(head) => png_page::coding(&self.bytes, head, &self.limits),
            Inner::Webp(head) => webp_page::coding(&self.bytes, head, &self.limits),
            Inner::Jpeg2000(head) => jp2_page::coding(&self.bytes, head),
            Inner::Tiff(heads) => tiff_decode::coding(&self.bytes, part(heads, page)?, &self.limits),
            Inner::Pdf(pdf, images) => pdf_page::coding(pdf, part(images, page)?, &self.limits),
        })
        .map_err(|f| f.at(format!("page {page}")))?;
        let profile = guarded(|| {
            Ok(match &self.inner {
                Inner::Jpeg(_) => None,
                Inner::Png(head) => png_page::profile(&self.bytes, head),
                Inner::Webp(head) => head.profile(&self.bytes),
                Inner::Jpeg2000(head) => head.profile(&self.bytes),
                Inner::Tiff(heads) => tiff_decode::profile(&self.bytes, part(heads, page)?),
                Inner::Pdf(pdf, images) => {
                    Some(part(images, page)?).filter(|i| i.filter == Filter::Samples).and_then(|i| pdf.icc(i))
                }
            })
        })?;
        let repacked = match &self.inner {
            Inner::Webp(_) => true,
            Inner::Tiff(heads) => {
                part(heads, page)?.compression == 7 && !matches!(coding, Coding::Jpeg { .. })
            }
            _ => false,
        };
        let head = PageHead {
            width: info.width,
            height: info.height,
            dpi: info.dpi,
            turns: info.turns,
            mirrored: info.mirrored,
            tilt_deg: info.tilt_deg,
            window: info.window,
            recoded: repacked.then_some(Recoded::Repacked),
        };
        Ok(PageImage { head, coding, profile })
    }

    fn info(&self, page: usize) -> Outcome<&PageInfo> {
        match page.checked_sub(1).and_then(|i| self.pages.get(i)) {
            None => Err(Fault::new(&NO_SUCH_PAGE).detail(format!("page {page} of {}", self.pages.len()))),
            Some(Err(fault)) => Err(fault.clone()),
            Some(Ok(PageInfo { foreign: Some(why), .. })) => {
                Err(Fault::new(&FOREIGN).detail(why.en()).at(format!("page {page}")))
            }
            Some(Ok(info)) => Ok(info),
        }
    }
}

/// A resolution as seen after turning.
pub fn upright(dpi: Dpi, turns: u8) -> Dpi {
    if turns % 2 == 1 { Dpi { x: dpi.y, y: dpi.x, ..dpi } } else { dpi }
}

type Opened = (Vec<Outcome<PageInfo>>, Inner, bool);

fn open_jpeg(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = jpeg::head(bytes)?;
    let bits = 8 * u64::from(head.components);
    limits.page(head.width, head.height, bits, bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        ..plain(1, head.width, head.height, head.dpi, Coded::Jpeg)
    };
    Ok((vec![Ok(info)], Inner::Jpeg(Box::new(head)), false))
}

fn open_png(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = png_page::head(bytes)?;
    limits.page(head.width, head.height, head.pixel_bits(), bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        bilevel: head.bilevel(),
        ..plain(1, head.width, head.height, head.dpi, Coded::Png)
    };
    Ok((vec![Ok(info)], Inner::Png(head), false))
}

fn open_webp(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = webp_page::head(bytes)?;
    limits.page(head.width, head.height, 32, bytes.len() as u64)?;
    let info = PageInfo {
        turns: head.turns,
        mirrored: head.mirrored,
        ..plain(1, head.width, head.height, head.dpi, Coded::Webp)
    };
    Ok((vec![Ok(info)], Inner::Webp(head), false))
}

fn open_jpeg2000(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let head = jp2_page::head(bytes, limits)?;
    let info = plain(1, head.width, head.height, head.dpi, Coded::Jpeg2000);
    Ok((vec![Ok(info)], Inner::Jpeg2000(Box::new(head)), false))
}

fn open_tiff(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let mut infos = Vec::new();
    let mut heads = Vec::new();
    for (i, page) in tiff_pages::pages(bytes, limits)?.into_iter().enumerate() {
        let info = page.as_ref().map_err(|f| f.clone().at(format!("page {}", i + 1))).map(|head| PageInfo {
            turns: head.turns,
            mirrored: head.mirrored,
            bilevel: head.bilevel(),
            ..plain(i + 1, head.width, head.height, head.dpi, tiff_coding(head.compression))
        });
        infos.push(info);
        heads.push(page.ok());
    }
    Ok((infos, Inner::Tiff(heads), false))
}

fn open_pdf(original: &Original, limits: &Limits) -> Outcome<Opened> {
    let bounds = read::Bounds { pages: limits.pages, stream_bytes: limits.stream_bytes };
    let pdf = Pdf::open(original.clone(), &bounds)?;
    let mut infos = Vec::new();
    let mut images = Vec::new();
    for number in 1..=pdf.pages() {
        // A page alone may be what the parser panics at.
        let (info, image) = match guarded(|| pdf_info(&pdf, number, limits)) {
            Ok((info, image)) => (Ok(info), image),
            Err(fault) => (Err(fault.at(format!("page {number}"))), None),
        };
        infos.push(info);
        images.push(image);
    }
    let signed = pdf.signed();
    Ok((infos, Inner::Pdf(Box::new(pdf), images), signed))
}

fn pdf_info(pdf: &Pdf, number: usize, limits: &Limits) -> Outcome<(PageInfo, Option<read::Image>)> {
    let mut page = pdf.page(number)?;
    if let Body::Image(image) = &page.body
        && pdf_page::is_transformed(pdf, image)?
    {
        page.body = Body::Foreign(Foreign::Coding);
    }
    Ok(match page.body {
        Body::Foreign(why) => {
            let info = PageInfo {
                dpi: Dpi { x: 0.0, y: 0.0, source: DpiSource::Assumed },
                foreign: Some(why),
                has_text: page.has_text,
                size_pt: Some(page.size),
                ..plain(number, 0, 0, None, Coded::Foreign)
            };
            (info, None)
        }
        Body::Image(image) => {
            let bits = u64::from(image.bits) * u64::from(image.colour.samples());
            limits.page(image.width, image.height, bits, image.encoded)?;
            let coding = match image.filter {
                Filter::Jpeg => Coded::Jpeg,
                Filter::G4 { .. } => Coded::G4,
                Filter::Jbig2 => Coded::Jbig2,
                Filter::Jpx => Coded::Jpeg2000,
                Filter::Samples => Coded::Deflate,
            };
            let info = PageInfo {
                turns: image.turns,
                mirrored: image.mirrored,
                tilt_deg: image.tilt_deg,
                window: image.window,
                bilevel: image.bits == 1 && image.colour.samples() == 1,
                has_text: page.has_text,
                size_pt: Some(page.size),
                ..plain(number, image.width, image.height, Some(image.dpi), coding)
            };
            (info, Some(*image))
        }
    })
}

fn plain(number: usize, width: u32, height: u32, dpi: Option<Dpi>, coding: Coded) -> PageInfo {
    PageInfo {
        number,
        width,
        height,
        dpi: believed(dpi, width, height),
        turns: 0,
        mirrored: false,
        tilt_deg: 0.0,
        window: None,
        bilevel: false,
        coding,
        foreign: None,
        has_text: false,
        size_pt: None,
    }
}

/// A resolution that can be true, or one assumed: the long side over the long side of A4 (297 mm).
/// Not believed: below 50, above 2,400, and the 72 and 96 that cameras and screens write without meaning it, where
/// the page would be larger than A2; nor a header by which it would be smaller than a card, unless it is one that
/// scanners work at and a portrait or a stamp would have that size.
fn believed(dpi: Option<Dpi>, width: u32, height: u32) -> Dpi {
    let long = width.max(height) as f32;
    let assumed = |source| Dpi { x: long / A4_INCHES, y: long / A4_INCHES, source };
    let Some(told) = dpi.filter(|d| d.x > 0.0 && d.y > 0.0) else { return assumed(DpiSource::Assumed) };
    let possible = |dpi: f32| (LEAST_DPI..=MOST_DPI).contains(&dpi);
    let inches = long / told.x;
    let is_small =
        inches < LEAST_INCHES && !(SCANNED_DPI.contains(&told.x) && inches >= LEAST_SCANNED_INCHES);
    let is_a_habit = told.x <= 96.0 && inches > A2_INCHES || is_small;
    if possible(told.x) && possible(told.y) && !(told.source == DpiSource::Header && is_a_habit) {
        told
    } else {
        assumed(DpiSource::Doubted)
    }
}

/// Bytes that tell the kind of a file.
const HEAD: u64 = 4096;
const LEAST_DPI: f32 = 50.0;
const MOST_DPI: f32 = 2400.0;
/// 297 mm.
const A4_INCHES: f32 = 297.0 / 25.4;
/// 70 mm: shorter than the long side of an identity card (85.6 mm), with room for a tight crop.
const LEAST_INCHES: f32 = 70.0 / 25.4;
/// What a picture smaller than a card is scanned at; more is the figure of the glass and not of the picture.
const SCANNED_DPI: std::ops::RangeInclusive<f32> = 150.0..=600.0;
/// 20 mm: half the long side of the smallest portrait.
const LEAST_SCANNED_INCHES: f32 = 20.0 / 25.4;
/// 594 mm.
const A2_INCHES: f32 = 594.0 / 25.4;

fn tiff_coding(compression: u32) -> Coded {
    match compression {
        2 | 3 => Coded::G3,
        4 => Coded::G4,
        5 => Coded::Lzw,
        7 => Coded::Jpeg,
        8 | 32_946 => Coded::Deflate,
        32_773 => Coded::Packbits,
        _ => Coded::Raw,
    }
}

fn part<T>(parts: &[Option<T>], page: usize) -> Outcome<&T> {
    page.checked_sub(1)
        .and_then(|i| parts.get(i))
        .and_then(Option::as_ref)
        .ok_or_else(|| Fault::new(&NO_SUCH_PAGE).detail(format!("page {page}")))
}

/// Runs a decoder; what it panics at is this file's fault, never this process's end.
fn guarded<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    // Decoders work on their own state; what a panic leaves half done is dropped with it.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Fault::new(&PANIC)))
}

/// A page number beyond the file.
pub const NO_SUCH_PAGE: Code = Code {
    id: "SCAN-040",
    class: Class::Input,
    vi: "Tệp không có trang này",
    en: "the file has no such page",
    remedy_vi: "Kiểm tra lại số trang",
    remedy_en: "check the page number",
};

/// A page that is kept as it is has no pixels to look at.
pub const FOREIGN: Code = Code {
    id: "SCAN-041",
    class: Class::Person,
    vi: "Trang PDF không phải một ảnh quét đơn, được giữ nguyên và không phân tích được",
    en: "the PDF page is not one scanned image; it is kept and cannot be analysed",
    remedy_vi: "Kiểm tra trang bằng mắt, hoặc quét lại ra JPEG hay TIFF",
    remedy_en: "look at the page, or scan it to JPEG or TIFF",
};

/// A decoder met something that it had not foreseen.
pub const PANIC: Code = Code {
    id: "SCAN-042",
    class: Class::Input,
    vi: "Bộ giải mã gặp lỗi bất ngờ với tệp này",
    en: "the decoder failed on this file",
    remedy_vi: "Quét lại; nếu vẫn lỗi, gửi tệp cho bộ phận kỹ thuật",
    remedy_en: "scan it again; if it fails again, hand the file to support",
};

#[cfg(test)]
mod tests;
