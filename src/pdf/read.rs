//! A PDF taken apart for its scans: which pages are one full image, passed through as it is coded, and which
//! are anything else and stay untouched. Only bounded calls of the parser; nothing is rendered.

mod content;
mod image;
mod judge;
mod skim;
mod surveys;
mod tree;

pub use tree::{COUNT, LOST};

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::page::{Dpi, Window};
use image::{filters, is_image_filter, undo};
use judge::{Shown, overlap};
use lopdf::{Document, Object, ObjectId, Stream};
use memchr::memmem::find;
use skim::Skimmed;
use surveys::Surveys;
use tree::{Leaf, leaves, rectangle};

/// What a PDF may ask for while it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Pages.
    pub pages: usize,
    /// Bytes that any stream other than a page's own pixels may inflate to.
    pub stream_bytes: usize,
}

/// An opened PDF.
pub struct Pdf {
    file: Skimmed,
    leaves: Vec<Leaf>,
    surveys: Surveys,
    signed: bool,
    bounds: Bounds,
}

/// One page: how large it is on paper, and what is on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Width and height in points (1/72 inch) as shown, after `/Rotate` and `/UserUnit`.
    pub size: (f32, f32),
    /// What is on it.
    pub body: Body,
    /// True where the page has text that a reader can select, seen or unseen.
    pub has_text: bool,
}

/// What a page consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Exactly one image over the whole page.
    Image(Box<Image>),
    /// Anything else: kept as it is.
    Foreign(Foreign),
}

/// Why a page is not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// Nothing is drawn.
    Empty,
    /// Text that is seen.
    Text,
    /// Lines, areas, shadings.
    Drawing,
    /// More than one image.
    SeveralImages,
    /// One image that leaves much of the page free, or of which the page shows a part.
    PartOfPage,
    /// The image is seen through transparency, or lies in a layer that may be off.
    Veiled,
    /// Stamps, notes or filled fields lie on the page.
    Annotations,
    /// The image is sheared, or turned by more than any scan is straightened.
    Distorted,
    /// JBIG2 of a kind that is kept and not decoded here.
    Jbig2,
    /// JPEG 2000 of a kind that is kept and not decoded here.
    Jpeg2000,
    /// A colour space, mask or filter that is not decoded here.
    Coding,
    /// The page's drawing orders cannot be followed.
    Unreadable,
}

impl Foreign {
    /// The reason for a clerk.
    pub fn vi(self) -> &'static str {
        match self {
            Foreign::Empty => "trang PDF không có nội dung",
            Foreign::Text => "trang có chữ điện tử, không phải bản quét",
            Foreign::Drawing => "trang có hình vẽ véc-tơ, không phải bản quét",
            Foreign::SeveralImages => "trang gồm nhiều ảnh",
            Foreign::PartOfPage => "ảnh không phủ kín trang",
            Foreign::Veiled => "ảnh có độ trong suốt hoặc thuộc lớp ẩn hiện được",
            Foreign::Annotations => "trên trang có con dấu, ghi chú hoặc ô đã điền được chèn thêm",
            Foreign::Distorted => "ảnh bị kéo xiên hoặc xoay lệch nhiều trên trang",
            Foreign::Jbig2 => "ảnh mã hoá JBIG2, giữ nguyên và không phân tích",
            Foreign::Jpeg2000 => "ảnh mã hoá JPEG 2000, giữ nguyên và không phân tích",
            Foreign::Coding => "kiểu mã hoá ảnh không được phân tích, giữ nguyên",
            Foreign::Unreadable => "không đọc được lệnh vẽ của trang",
        }
    }

    /// The reason, English.
    pub fn en(self) -> &'static str {
        match self {
            Foreign::Empty => "the PDF page draws nothing",
            Foreign::Text => "the page has digital text and is no scan",
            Foreign::Drawing => "the page has vector drawing and is no scan",
            Foreign::SeveralImages => "the page is made of several images",
            Foreign::PartOfPage => "the image does not cover the page",
            Foreign::Veiled => "the image is transparent or lies in a layer that may be off",
            Foreign::Annotations => "stamps, notes or filled fields lie on the page",
            Foreign::Distorted => "the image is sheared or turned far on the page",
            Foreign::Jbig2 => "a JBIG2 image, kept and not analysed",
            Foreign::Jpeg2000 => "a JPEG 2000 image, kept and not analysed",
            Foreign::Coding => "an image coding that is kept and not analysed",
            Foreign::Unreadable => "the page's drawing orders cannot be followed",
        }
    }
}

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
    /// JBIG2Decode; see [`Pdf::jbig2_globals`].
    Jbig2,
    /// JPXDecode. What the dictionary leaves out, the file itself says.
    Jpx,
    /// None: plain samples, rows padded to a byte.
    Samples,
}

impl Pdf {
    /// Parses the structure and lists the pages; no page is looked at yet.
    ///
    /// # Errors
    /// [`BROKEN`], [`CUT`], [`ENCRYPTED`], [`NO_PAGES`], [`TOO_MANY_PAGES`].
    pub fn open(original: impl Into<Original>, bounds: &Bounds) -> Outcome<Pdf> {
        let original = original.into();
        let length = original.len();
        let tail = original.read(length.saturating_sub(TAIL)..length)?;
        if find(&tail, b"startxref").is_none() && find(&tail, b"%%EOF").is_none() {
            return Err(Fault::new(&CUT).detail(format!("{length} bytes, no end mark")));
        }
        let no_pages = || Fault::new(&NO_PAGES).detail(format!("{length} bytes"));
        let file = Skimmed::load(original, bounds)?.map_err(|refused| match refused.error {
            lopdf::Error::InvalidPassword
            | lopdf::Error::Decryption(_)
            | lopdf::Error::UnsupportedSecurityHandler(_) => Fault::new(&ENCRYPTED),
            // Header and end mark alone, or a trailer that leads nowhere.
            _ if !refused.may_have_pages => no_pages(),
            _ => Fault::new(&BROKEN).detail(refused.reason()),
        })?;
        let document = &file.document;
        if document.is_encrypted() || document.was_encrypted() || document.trailer.has(b"Encrypt") {
            return Err(Fault::new(&ENCRYPTED));
        }
        let leaves = leaves(document, bounds)?;
        if leaves.is_empty() {
            return Err(no_pages());
        }
        let signed = file.byte_range || document.objects.values().any(|o| signs(o, 0));
        Ok(Pdf { file, leaves, surveys: Surveys::default(), signed, bounds: bounds.clone() })
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.leaves.len()
    }

    /// True where any signature (ISO 32000-1, 12.8) lies in the file: it must never be written anew.
    pub fn signed(&self) -> bool {
        self.signed
    }

    /// Looks at one page, counted from 1.
    ///
    /// # Errors
    /// [`NO_PAGES`] where there is no such page, [`LOST`] where the file has none in its place, [`COUNT`] in the place
    /// after the last where the file says that it has another number of them, [`CONTENT`] where its drawing orders
    /// inflate beyond the bounds.
    pub fn page(&self, number: usize) -> Outcome<Page> {
        let leaf = number
            .checked_sub(1)
            .and_then(|i| self.leaves.get(i))
            .ok_or_else(|| Fault::new(&NO_PAGES).detail(format!("page {number}")))?;
        let document = &self.file.document;
        let page = leaf.page(document)?;
        let inherited = &leaf.inherited;
        let media = inherited.media_box.unwrap_or([0.0, 0.0, 612.0, 792.0]);
        let area = inherited.crop_box.and_then(|crop| overlap(crop, media)).unwrap_or(media);
        let unit = number_of(document, page.get(b"UserUnit").ok()).filter(|u| *u > 0.0).unwrap_or(1.0);
        let turns = (inherited.rotate.rem_euclid(360.0) / 90.0).round() as u8 % 4;
        let (wide, high) = ((area[2] - area[0]) * unit, (area[3] - area[1]) * unit);
        let size = if turns % 2 == 1 { (high, wide) } else { (wide, high) };
        let survey = self.surveys.of(document, page, &inherited.resources, self.bounds.stream_bytes)?;
        let body = match self.judge(&survey, page, &Shown { area, unit, turns }) {
            Ok(image) => Body::Image(Box::new(image)),
            Err(foreign) => Body::Foreign(foreign),
        };
        Ok(Page { size, body, has_text: survey.has_text })
    }

    /// The image's bytes with every byte-level filter undone: a JPEG, a Group 4 strip, or samples cut to
    /// exactly their number.
    ///
    /// # Errors
    /// [`PIXELS`].
    pub fn image_bytes(&self, image: &Image) -> Outcome<Vec<u8>> {
        let fault = |what: &str| Fault::new(&PIXELS).detail(what);
        let stream = self
            .file
            .document
            .get_object(image.id)
            .and_then(Object::as_stream)
            .map_err(|_| fault("the image is no stream"))?;
        let expected = match image.filter {
            Filter::Samples => {
                let bits = u64::from(image.width) * u64::from(image.bits) * u64::from(image.colour.samples());
                usize::try_from(bits.div_ceil(8) * u64::from(image.height)).ok()
            }
            _ => None,
        };
        let content = self.file.content(image.id, stream)?;
        let limit = expected.map_or(self.bounds.stream_bytes.max(content.len()), |n| {
            // Writers end streams with a line break or a padded row.
            n.saturating_add(64 << 10)
        });
        let filters = filters(&self.file.document, stream).map_err(|_| fault("filters"))?;
        let byte_filters = filters.iter().filter(|f| !is_image_filter(f)).count();
        let mut bytes = if byte_filters == 0 {
            content.into_owned()
        } else {
            undo(&self.file.document, stream, content.into_owned(), &filters[..byte_filters])
                .decompressed_content_with_limit(limit)
                .map_err(|e| fault(&reason(&e)))?
        };
        if let Some(expected) = expected {
            if bytes.len() < expected {
                return Err(fault(&format!("{} bytes of samples, expected {expected}", bytes.len())));
            }
            bytes.truncate(expected);
        }
        Ok(bytes)
    }

    /// The embedded ICC profile of an image's colour space, if it has one of at most 4 MiB.
    pub fn icc(&self, image: &Image) -> Option<Vec<u8>> {
        let stream = self.file.document.get_object(image.id).ok()?.as_stream().ok()?;
        let space = stream.dict.get_deref(b"ColorSpace", &self.file.document).ok()?.as_array().ok()?;
        if space.first()?.as_name().ok()? != b"ICCBased" {
            return None;
        }
        let (_, profile) = self.file.document.dereference(space.get(1)?).ok()?;
        let profile = profile.as_stream().ok()?;
        match profile.dict.has(b"Filter") {
            true => profile.decompressed_content_with_limit(4 << 20).ok(),
            false => (profile.content.len() <= 4 << 20).then(|| profile.content.clone()),
        }
    }
}

/// A stream with all its filters undone.
fn inflated(document: &Document, stream: &Stream, limit: usize) -> Result<Vec<u8>, lopdf::Error> {
    let names = filters(document, stream).map_err(|_| lopdf::Error::Unimplemented("filters"))?;
    if names.is_empty() {
        return stream.decompressed_content_with_limit(limit);
    }
    undo(document, stream, stream.content.clone(), &names).decompressed_content_with_limit(limit)
}

fn number_of(document: &Document, object: Option<&Object>) -> Option<f32> {
    let (_, object) = document.dereference(object?).ok()?;
    object.as_float().ok().filter(|v| v.is_finite())
}

/// A signature dictionary, or a signature field that holds one, anywhere inside an object.
fn signs(object: &Object, depth: u8) -> bool {
    if depth > 6 {
        return false;
    }
    match object {
        Object::Dictionary(dict) => {
            let name = |key: &[u8]| dict.get(key).and_then(Object::as_name).unwrap_or_default();
            (name(b"FT") == b"Sig" && dict.has(b"V"))
                || matches!(name(b"Type"), b"Sig" | b"DocTimeStamp")
                || dict.has(b"ByteRange")
                || dict.iter().any(|(_, value)| signs(value, depth + 1))
        }
        Object::Array(items) => items.iter().any(|item| signs(item, depth + 1)),
        _ => false,
    }
}

/// The parser's own words, cut short: object numbers and names of structures.
fn reason(error: &lopdf::Error) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Bytes at the end of a file within which its end mark must lie.
const TAIL: u64 = 4096;

/// The file's structure cannot be read.
pub const BROKEN: Code = Code {
    id: "PDF-001",
    class: Class::Input,
    vi: "Tệp PDF bị hỏng",
    en: "the PDF is damaged",
    remedy_vi: "Quét lại, hoặc xuất lại tệp PDF",
    remedy_en: "scan or export it again",
};

/// The file ends before its end mark.
pub const CUT: Code = Code {
    id: "PDF-002",
    class: Class::Input,
    vi: "Tệp PDF bị cắt cụt, chưa ghi xong",
    en: "the PDF is cut off before its end",
    remedy_vi: "Đợi máy quét ghi xong rồi gửi lại",
    remedy_en: "wait until it is written and send it again",
};

/// A password lies on the file.
pub const ENCRYPTED: Code = Code {
    id: "PDF-003",
    class: Class::Input,
    vi: "Tệp PDF bị đặt mật khẩu hoặc bị mã hoá",
    en: "the PDF is encrypted",
    remedy_vi: "Gỡ mật khẩu rồi gửi lại; nếu tệp mở được mà không hỏi mật khẩu thì in lại ra PDF",
    remedy_en: "remove the password and send it again; print it to a new PDF where it opens without asking for one",
};

/// A PDF without a page.
pub const NO_PAGES: Code = Code {
    id: "PDF-004",
    class: Class::Input,
    vi: "Tệp PDF không có trang nào, hoặc không có trang này",
    en: "the PDF has no page, or not this one",
    remedy_vi: "Quét lại từ bản giấy",
    remedy_en: "scan the paper again",
};

/// More pages than the policy allows.
pub const TOO_MANY_PAGES: Code = Code {
    id: "PDF-005",
    class: Class::Input,
    vi: "Tệp PDF có quá nhiều trang",
    en: "the PDF has too many pages",
    remedy_vi: "Chia thành nhiều tệp nhỏ hơn rồi gửi lại",
    remedy_en: "split it into smaller files",
};

/// Drawing orders that inflate beyond any real page.
pub const CONTENT: Code = Code {
    id: "PDF-006",
    class: Class::Input,
    vi: "Nội dung trang PDF nén bất thường, có thể là tệp độc hại",
    en: "the page content inflates beyond any real page",
    remedy_vi: "Quét lại từ bản giấy",
    remedy_en: "scan the paper again",
};

/// The image of a page cannot be read to its end.
pub const PIXELS: Code = Code {
    id: "PDF-007",
    class: Class::Input,
    vi: "Dữ liệu ảnh trong trang PDF bị hỏng",
    en: "the image of the PDF page is damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};

/// The codes of this file (PDF-001 to PDF-019).
pub const CODES: &[&Code] =
    &[&BROKEN, &CUT, &ENCRYPTED, &NO_PAGES, &TOO_MANY_PAGES, &CONTENT, &PIXELS, &LOST, &COUNT];

#[cfg(test)]
mod tests;
