//! Page images to one PDF/A-2b: the bytes of the scan go in as they are, turned upright by a matrix, at 1:1.
//!
//! | ISO 19005-2 clause | where it is met |
//! |---|---|
//! | 6.1.2 header | `%PDF-1.7` and four bytes over 127 |
//! | 6.1.3 trailer | `/ID` from the content's digest, no `/Encrypt`, no `/Info` |
//! | 6.1.7.1 stream lengths | written by `pdf-writer` from the data |
//! | 6.1.13 limits | pages of 3 to 14,400 units a side |
//! | 6.2.3 output intent, 6.6 metadata | [`super::frame`] |
//! | 6.2.4.2 ICC profiles | [`icc::channels`](super::icc::channels) decides; a profile that does not fit is left out and noted |
//! | 6.2.4.3 device colours | grey and RGB only; CMYK has its own profile or is turned to RGB |
//! | 6.2.8 images | no `/Alternates`, `/OPI`, `/Interpolate`; no transparency |

mod image;
mod note;

pub use image::{JPEG_KIND, NOT_PIXELS, in_rgb};
pub use note::Note;

use super::frame::Frame;
use super::output::Output;
use super::placement::Placement;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{PageImage, Recoded};
use pdf_writer::{Name, Rect, Ref};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::io::Write;

/// One page of an archive.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivePage {
    /// The scan.
    pub image: PageImage,
    /// How far the upright content is turned clockwise, degrees. Corrected only from [`SKEW_MIN`] to
    /// [`SKEW_MAX`]; 0 where it is not known.
    pub skew_deg: f32,
}

/// What an archive says about itself. Nothing is added: no user, no machine, no file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `dc:title`; not written where it is empty.
    pub title: String,
    /// When it was made, `xmp:CreateDate`; not written where nobody says so.
    pub created: Option<jiff::Timestamp>,
    /// `xmp:CreatorTool`.
    pub creator_tool: String,
    /// `dc:identifier`.
    pub dossier_code: Option<String>,
}

/// A finished archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// The PDF/A-2b. The same pages and metadata always give the same bytes.
    pub bytes: Vec<u8>,
    /// What a reader of the archive should know about how it was made.
    pub notes: Vec<Note>,
}

/// The smallest skew that is worth a correction, degrees.
pub const SKEW_MIN: f32 = 0.3;
/// The largest skew that is believed, degrees.
pub const SKEW_MAX: f32 = 8.0;
/// The most pages in one archive.
pub const MAX_PAGES: usize = 2_000;

/// Makes a PDF/A-2b, one page of 1:1 size for each image.
///
/// # Errors
/// [`NO_PAGES`], [`TOO_MANY`], and with `page N` as their place [`RESOLUTION`](super::placement::RESOLUTION),
/// [`PAGE_SIZE`](super::placement::PAGE_SIZE), [`NOT_PIXELS`],
/// [`JPEG_KIND`], [`DECODING`](super::samples::DECODING), [`PACKING`](super::samples::PACKING).
pub fn assemble(pages: &[ArchivePage], meta: &Metadata) -> Outcome<Archived> {
    assemble_each(pages.iter().map(Ok), meta)
}

/// As [`assemble`], of pages that are made one after the other: only the archive itself is held in memory.
///
/// # Errors
/// As [`assemble`], and the first fault among the pages as it is.
pub fn assemble_each<P: Borrow<ArchivePage>>(
    pages: impl IntoIterator<Item = Outcome<P>>,
    meta: &Metadata,
) -> Outcome<Archived> {
    let mut bytes = Vec::new();
    let notes = write_each(pages, meta, &mut bytes)?;
    Ok(Archived { bytes, notes })
}

/// As [`assemble_each`], to a sink: one page at a time is in memory, and nothing else. After a fault the sink holds a
/// part of a file.
///
/// # Errors
/// As [`assemble_each`], and [`NOT_WRITTEN`](super::output::NOT_WRITTEN).
pub fn write_each<P: Borrow<ArchivePage>>(
    pages: impl IntoIterator<Item = Outcome<P>>,
    meta: &Metadata,
    sink: &mut dyn Write,
) -> Outcome<Vec<Note>> {
    let mut writer = Writer::new(sink)?;
    let frame = Frame::new(|| writer.bump());
    let mut kids = Vec::new();
    for (page, number) in pages.into_iter().zip(1usize..) {
        if number > MAX_PAGES {
            return Err(Fault::new(&TOO_MANY).detail(format!("limit {MAX_PAGES}")));
        }
        kids.push(
            writer.page(page?.borrow(), frame.tree, number).map_err(|f| f.at(format!("page {number}")))?,
        );
    }
    if kids.is_empty() {
        return Err(Fault::new(&NO_PAGES));
    }
    let Writer { out, notes, .. } = writer;
    frame.write(out, &kids, meta)?;
    Ok(notes)
}

/// The document under the pen.
struct Writer<'s> {
    out: Output<'s>,
    next: Ref,
    notes: Vec<Note>,
    /// Colour profiles and shared segments already written, by digest: a batch from one scanner carries one profile a
    /// hundred times.
    profiles: BTreeMap<[u8; 32], Ref>,
}

impl<'s> Writer<'s> {
    fn new(sink: &'s mut dyn Write) -> Outcome<Self> {
        let out = Output::new(sink)?;
        Ok(Writer { out, next: Ref::new(1), notes: Vec::new(), profiles: BTreeMap::new() })
    }

    fn bump(&mut self) -> Ref {
        self.next.bump()
    }

    /// Writes a page object, its content and its image; the answer is the page's reference.
    fn page(&mut self, page: &ArchivePage, tree: Ref, number: usize) -> Outcome<Ref> {
        let placed = Placement::of(&page.image.head, self.skew(page.skew_deg, number))?;
        let (id, content_id, image_id) = (self.bump(), self.bump(), self.bump());
        let image = in_rgb(&page.image)?;
        self.image(&image, image_id, number)?;
        self.notes.extend(match image.head.recoded {
            Some(Recoded::FromCmyk) => Some(Note::CmykConverted { page: number }),
            Some(Recoded::Repacked) => Some(Note::Repacked { page: number }),
            Some(Recoded::ShrunkPlain) => Some(Note::ProfileLeft { page: number }),
            Some(Recoded::Shrunk) | None => None,
        });
        let mut content = pdf_writer::Content::new();
        content.save_state().transform(placed.matrix).x_object(Name(b"Im0")).restore_state();
        self.out.object(content_id, |chunk| {
            chunk.stream(content_id, &content.finish());
        })?;
        self.out.object(id, |chunk| {
            let mut object = chunk.page(id);
            object.parent(tree).media_box(Rect::new(0.0, 0.0, placed.width, placed.height));
            object.contents(content_id).resources().x_objects().pair(Name(b"Im0"), image_id);
        })?;
        Ok(id)
    }

    /// The skew that is corrected; 0 for none.
    fn skew(&mut self, degrees: f32, page: usize) -> f32 {
        let size = degrees.abs();
        if size > SKEW_MAX {
            self.notes.push(Note::SkewLeft { page });
            0.0
        } else if size >= SKEW_MIN {
            self.notes.push(Note::Straightened { page, degrees });
            degrees
        } else {
            0.0
        }
    }
}

/// Nothing to assemble.
pub const NO_PAGES: Code = Code {
    id: "PDF-024",
    class: Class::Input,
    vi: "Không có trang nào để lập tệp",
    en: "there are no pages to assemble",
    remedy_vi: "Chọn ít nhất một ảnh trang",
    remedy_en: "give at least one page image",
};

/// More pages than one archive takes.
pub const TOO_MANY: Code = Code {
    id: "PDF-025",
    class: Class::Input,
    vi: "Quá nhiều trang cho một tệp",
    en: "too many pages for one file",
    remedy_vi: "Chia thành nhiều tệp",
    remedy_en: "split it into several files",
};

#[cfg(test)]
mod tests;
