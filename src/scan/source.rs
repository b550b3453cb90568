//! A file of pages: opened within limits, listed without decoding, decoded a page at a time.
//!
//! A page that cannot be taken is one refused page; the others go on. What a decoder panics at is a fault too.

mod open;
mod resolution;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::page::{Coding, Dpi, PageHead, PageImage, Recoded, Window};
use crate::pdf::read::{self, Filter, Pdf};
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
    guarded(|| open::pages(kind, &original, &bytes, limits)).map(|(pages, inner, signed)| Source {
        kind,
        limits: limits.clone(),
        signed,
        pages,
        inner,
        bytes,
    })
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
        Ok(resolution::upright(info.dpi, info.turns))
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

/// Bytes that tell the kind of a file.
const HEAD: u64 = 4096;

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
