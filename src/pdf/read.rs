//! A PDF taken apart for its scans: which pages are one full image, passed through as it is coded, and which
//! are anything else and stay untouched. Only bounded calls of the parser; nothing is rendered.

mod content;
mod image;
mod skim;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::page::{Dpi, DpiSource};
use content::Survey;
use image::{describe, filters, is_image_filter, undo};
use lopdf::{Dictionary, Document, Object, ObjectId};
use memchr::memmem::find;
use skim::Skimmed;
use std::collections::HashSet;
use std::sync::Arc;

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
    signed: bool,
    bounds: Bounds,
}

/// One page of the tree with what it inherits (ISO 32000-1, 7.7.3.4).
struct Leaf {
    id: ObjectId,
    inherited: Inherited,
}

#[derive(Clone, Default)]
struct Inherited {
    resources: Option<Arc<Object>>,
    media_box: Option<[f32; 4]>,
    crop_box: Option<[f32; 4]>,
    rotate: i64,
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
    /// `/Decode` turns every sample round.
    pub inverted: bool,
    /// Pixels over the inches that the page gives the image.
    pub dpi: Dpi,
    /// Quarter turns clockwise that show the stored pixels upright.
    pub turns: u8,
    /// Mirrored left to right before turning.
    pub mirrored: bool,
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
        Ok(Pdf { file, leaves, signed, bounds: bounds.clone() })
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
    /// [`NO_PAGES`] where there is no such page, [`BROKEN`] where it is not a page, [`CONTENT`] where its
    /// drawing orders inflate beyond the bounds.
    pub fn page(&self, number: usize) -> Outcome<Page> {
        let leaf = number
            .checked_sub(1)
            .and_then(|i| self.leaves.get(i))
            .ok_or_else(|| Fault::new(&NO_PAGES).detail(format!("page {number}")))?;
        let dict =
            self.file.document.get_dictionary(leaf.id).map_err(|e| Fault::new(&BROKEN).detail(reason(&e)))?;
        let media = leaf.inherited.media_box.unwrap_or([0.0, 0.0, 612.0, 792.0]);
        let area = leaf.inherited.crop_box.and_then(|crop| overlap(crop, media)).unwrap_or(media);
        let unit =
            number_of(&self.file.document, dict.get(b"UserUnit").ok()).filter(|u| *u > 0.0).unwrap_or(1.0);
        let rotate = leaf.inherited.rotate.rem_euclid(360) / 90;
        let (wide, high) = ((area[2] - area[0]) * unit, (area[3] - area[1]) * unit);
        let size = if rotate % 2 == 1 { (high, wide) } else { (wide, high) };
        let content = match self.file.document.get_page_content_with_limit(leaf.id, self.bounds.stream_bytes)
        {
            Ok(content) => content,
            Err(lopdf::Error::Decompress(_)) => {
                return Err(
                    Fault::new(&CONTENT).detail(format!("more than {} bytes", self.bounds.stream_bytes))
                );
            }
            Err(_) => {
                return Ok(Page { size, body: Body::Foreign(Foreign::Unreadable), has_text: false });
            }
        };
        let survey = content::survey(
            &self.file.document,
            leaf.inherited.resources.as_deref(),
            &content,
            self.bounds.stream_bytes,
        );
        let body = match self.judge(&survey, area, unit, rotate as u8) {
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

    /// The one image of a page, or why it is not one.
    fn judge(&self, survey: &Survey, area: [f32; 4], unit: f32, rotate: u8) -> Result<Image, Foreign> {
        if survey.unreadable {
            return Err(Foreign::Unreadable);
        }
        let (id, m, fill_is_black) = match survey.images.as_slice() {
            [] if survey.text => return Err(Foreign::Text),
            [] if survey.drawing => return Err(Foreign::Drawing),
            [] => return Err(Foreign::Empty),
            [one] => (one.id, one.matrix, one.fill_is_black),
            _ => return Err(Foreign::SeveralImages),
        };
        let covered = covers(m, area);
        // What was drawn before an opaque image over the whole page is not seen; what comes after is.
        if survey.text_after || (survey.text && !covered) {
            return Err(Foreign::Text);
        }
        if survey.drawing_after || (survey.drawing && !covered) {
            return Err(Foreign::Drawing);
        }
        if !covered {
            return Err(Foreign::PartOfPage);
        }
        let stream =
            self.file.document.get_object(id).and_then(Object::as_stream).map_err(|_| Foreign::Unreadable)?;
        let mut image = describe(&self.file.document, stream, id, fill_is_black, self.bounds.stream_bytes)?;
        let (wide, high) = (m[0].hypot(m[1]) * unit / 72.0, m[2].hypot(m[3]) * unit / 72.0);
        image.dpi =
            Dpi { x: image.width as f32 / wide, y: image.height as f32 / high, source: DpiSource::Placement };
        // The direction of the stored rows on the page, y up; a negative determinant is a mirror.
        image.mirrored = m[0] * m[3] - m[1] * m[2] < 0.0;
        let (x, y) = if image.mirrored { (-m[0], -m[1]) } else { (m[0], m[1]) };
        let against = (y.atan2(x) / std::f32::consts::FRAC_PI_2).round() as i32;
        image.turns = (i32::from(rotate) - against).rem_euclid(4) as u8;
        Ok(image)
    }
}

/// True where the unit square under `m` covers at least 80% of the page and the page shows 80% of it.
fn covers(m: [f32; 6], area: [f32; 4]) -> bool {
    let xs = [m[4], m[4] + m[0], m[4] + m[2], m[4] + m[0] + m[2]];
    let ys = [m[5], m[5] + m[1], m[5] + m[3], m[5] + m[1] + m[3]];
    let min = |v: [f32; 4]| v.into_iter().fold(f32::INFINITY, f32::min);
    let max = |v: [f32; 4]| v.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let placed = [min(xs), min(ys), max(xs), max(ys)];
    let size = |r: [f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let Some(shown) = overlap(placed, area) else { return false };
    size(shown) >= 0.8 * size(area) && size(shown) >= 0.8 * size(placed)
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> Option<[f32; 4]> {
    let r = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    (r[2] > r[0] && r[3] > r[1]).then_some(r)
}

/// The leaves of the page tree in order. Each node is visited once, so loops and shared kids end.
fn leaves(document: &Document, bounds: &Bounds) -> Outcome<Vec<Leaf>> {
    let root = document
        .catalog()
        .and_then(|c| c.get(b"Pages"))
        .and_then(Object::as_reference)
        .map_err(|e| Fault::new(&NO_PAGES).detail(reason(&e)))?;
    let mut seen = HashSet::new();
    let mut stack = vec![(root, Inherited::default())];
    let mut leaves = Vec::new();
    while let Some((id, inherited)) = stack.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Ok(node) = document.get_dictionary(id) else { continue };
        let inherited = inherit(document, node, inherited);
        match node.get_deref(b"Kids", document).and_then(Object::as_array) {
            Ok(kids) => {
                let kids = kids.iter().rev().filter_map(|k| k.as_reference().ok());
                stack.extend(kids.filter(|k| !seen.contains(k)).map(|k| (k, inherited.clone())));
            }
            Err(_) => leaves.push(Leaf { id, inherited }),
        }
        if leaves.len() > bounds.pages {
            return Err(Fault::new(&TOO_MANY_PAGES).detail(format!("more than {} pages", bounds.pages)));
        }
    }
    Ok(leaves)
}

fn inherit(document: &Document, node: &Dictionary, from: Inherited) -> Inherited {
    Inherited {
        resources: node.get(b"Resources").ok().map(|o| Arc::new(o.clone())).or(from.resources),
        media_box: rectangle(document, node.get(b"MediaBox").ok()).or(from.media_box),
        crop_box: rectangle(document, node.get(b"CropBox").ok()).or(from.crop_box),
        rotate: node.get_deref(b"Rotate", document).and_then(Object::as_i64).unwrap_or(from.rotate),
    }
}

fn rectangle(document: &Document, object: Option<&Object>) -> Option<[f32; 4]> {
    let (_, object) = document.dereference(object?).ok()?;
    let values: Vec<f32> =
        object.as_array().ok()?.iter().take(4).filter_map(|o| number_of(document, Some(o))).collect();
    let [a, b, c, d] = values[..] else { return None };
    let r = [a.min(c), b.min(d), a.max(c), b.max(d)];
    (r.iter().all(|v| v.is_finite()) && r[2] - r[0] >= 1.0 && r[3] - r[1] >= 1.0).then_some(r)
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
    remedy_vi: "Gỡ mật khẩu rồi gửi lại",
    remedy_en: "remove the password and send it again",
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
pub const CODES: &[&Code] = &[&BROKEN, &CUT, &ENCRYPTED, &NO_PAGES, &TOO_MANY_PAGES, &CONTENT, &PIXELS];

#[cfg(test)]
mod tests;
