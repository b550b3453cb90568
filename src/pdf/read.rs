//! A PDF taken apart for its scans: which pages are one full image, passed through as it is coded, and which
//! are anything else and stay untouched. Only bounded calls of the parser; nothing is rendered.

mod content;
mod foreign;
mod image;
mod judge;
mod skim;
mod stream;
mod surveys;
mod tree;

pub use foreign::Foreign;
pub use image::{Colour, Filter, Image};
pub use stream::PIXELS;
pub use tree::{COUNT, LOST};

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use judge::{Shown, overlap};
use lopdf::{Document, Object};
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

/// The codes of this file (PDF-001 to PDF-019).
pub const CODES: &[&Code] =
    &[&BROKEN, &CUT, &ENCRYPTED, &NO_PAGES, &TOO_MANY_PAGES, &CONTENT, &PIXELS, &LOST, &COUNT];

#[cfg(test)]
mod tests;
