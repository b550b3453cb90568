//! Page images to one PDF/A-2b: the bytes of the scan go in as they are, turned upright by a matrix, at 1:1.
//!
//! | ISO 19005-2 clause | where it is met |
//! |---|---|
//! | 6.1.2 header | `%PDF-1.7` and four bytes over 127 |
//! | 6.1.3 trailer | `/ID` from the content's digest, no `/Encrypt`, no `/Info` |
//! | 6.1.7.1 stream lengths | written by `pdf-writer` from the data |
//! | 6.1.13 limits | pages of 3 to 14,400 units a side |
//! | 6.2.3 output intent | one `GTS_PDFA1` with an sRGB profile |
//! | 6.2.4.2 ICC profiles | [`icc::channels`] decides; a profile that does not fit is left out and noted |
//! | 6.2.4.3 device colours | grey and RGB only; CMYK has its own profile or is turned to RGB |
//! | 6.2.8 images | no `/Alternates`, `/OPI`, `/Interpolate`; no transparency |
//! | 6.6 metadata | [`xmp::packet`], not compressed |

use super::samples::{self, jpeg_frame};
use super::{g4, icc, xmp};
use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, PageImage};
use pdf_writer::types::OutputIntentSubtype;
use pdf_writer::{Chunk, Filter, Finish, Name, Pdf, Rect, Ref, TextStr};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

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
    /// `dc:title`.
    pub title: String,
    /// When it was made, `xmp:CreateDate`.
    pub created: jiff::Timestamp,
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

/// A step away from plain passing through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// A CMYK JPEG without a usable profile was converted to RGB and encoded again (quality 90).
    CmykConverted {
        /// Page, from 1.
        page: usize,
    },
    /// An embedded colour profile is broken or of the wrong kind; the samples are taken as sRGB or grey.
    ProfileIgnored {
        /// Page, from 1.
        page: usize,
    },
    /// The page is turned by more than [`SKEW_MAX`]; it was left as it is.
    SkewLeft {
        /// Page, from 1.
        page: usize,
    },
    /// A page of the wallet copy is larger than [`super::wallet::PAGE_BYTES`]: it could not be made smaller.
    WalletLarge {
        /// Page, from 1.
        page: usize,
        /// Bytes of its image.
        bytes: usize,
    },
    /// The page was straightened by its matrix.
    Straightened {
        /// Page, from 1.
        page: usize,
        /// Degrees clockwise that were taken away.
        degrees: f32,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::CmykConverted { page } => {
                write!(
                    f,
                    "trang {page}: ảnh CMYK đã chuyển sang RGB / page {page}: CMYK turned to RGB, quality 90"
                )
            }
            Note::ProfileIgnored { page } => {
                write!(
                    f,
                    "trang {page}: bỏ qua hồ sơ màu hỏng / page {page}: unusable colour profile left out"
                )
            }
            Note::SkewLeft { page } => {
                write!(
                    f,
                    "trang {page}: nghiêng quá mức, giữ nguyên / page {page}: turned too far to straighten"
                )
            }
            Note::WalletLarge { page, bytes } => {
                write!(
                    f,
                    "trang {page}: bản cho ví vẫn lớn, {bytes} byte / page {page}: wallet copy still large"
                )
            }
            Note::Straightened { page, degrees } => {
                write!(
                    f,
                    "trang {page}: đã xoay thẳng {degrees:.2}° / page {page}: straightened by {degrees:.2}°"
                )
            }
        }
    }
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
/// [`NO_PAGES`], [`TOO_MANY`], and with `page N` as their place [`RESOLUTION`], [`PAGE_SIZE`], [`NOT_PIXELS`],
/// [`JPEG_KIND`], [`samples::DECODING`], [`samples::PACKING`].
pub fn assemble(pages: &[ArchivePage], meta: &Metadata) -> Outcome<Archived> {
    if pages.is_empty() {
        return Err(Fault::new(&NO_PAGES));
    }
    if pages.len() > MAX_PAGES {
        return Err(Fault::new(&TOO_MANY).detail(format!("{} pages, limit {MAX_PAGES}", pages.len())));
    }
    let mut writer = Writer::new();
    let (catalog, tree, profile, metadata) = (writer.bump(), writer.bump(), writer.bump(), writer.bump());
    let mut kids = Vec::with_capacity(pages.len());
    for (index, page) in pages.iter().enumerate() {
        kids.push(writer.page(page, tree, index + 1).map_err(|f| f.at(format!("page {}", index + 1)))?);
    }
    let pdf = &mut writer.pdf;
    pdf.pages(tree).kids(kids.iter().copied()).count(kids.len() as i32);
    icc_stream(pdf, profile, &icc::srgb(), 3);
    pdf.metadata(metadata, xmp::packet(meta).as_bytes());
    let mut root = pdf.catalog(catalog);
    root.pages(tree).metadata(metadata).lang(TextStr("vi-VN"));
    root.viewer_preferences().display_doc_title(true);
    root.output_intents()
        .push()
        .subtype(OutputIntentSubtype::PDFA)
        .output_condition_identifier(TextStr("sRGB"))
        .info(TextStr("sRGB IEC61966-2.1"))
        .dest_output_profile(profile);
    root.finish();
    let id = Blake3::of(pdf.as_bytes()).0[..16].to_vec();
    pdf.set_file_id((id.clone(), id));
    Ok(Archived { bytes: writer.pdf.finish(), notes: writer.notes })
}

/// The document under the pen.
struct Writer {
    pdf: Pdf,
    next: Ref,
    notes: Vec<Note>,
    /// Colour profiles already written, by digest: a batch from one scanner carries one profile a hundred times.
    profiles: BTreeMap<[u8; 32], Ref>,
}

impl Writer {
    fn new() -> Self {
        let mut pdf = Pdf::new();
        pdf.set_version(1, 7);
        pdf.set_binary_marker(b"\xe2\xe3\xcf\xd3");
        Writer { pdf, next: Ref::new(1), notes: Vec::new(), profiles: BTreeMap::new() }
    }

    fn bump(&mut self) -> Ref {
        self.next.bump()
    }

    /// Writes a page object, its content and its image; the answer is the page's reference.
    fn page(&mut self, page: &ArchivePage, tree: Ref, number: usize) -> Outcome<Ref> {
        let placed = Placement::of(&page.image, self.skew(page.skew_deg, number))?;
        let (id, content_id, image_id) = (self.bump(), self.bump(), self.bump());
        self.image(&page.image, image_id, number)?;
        let mut content = pdf_writer::Content::new();
        content.save_state().transform(placed.matrix).x_object(Name(b"Im0")).restore_state();
        self.pdf.stream(content_id, &content.finish());
        let mut object = self.pdf.page(id);
        object.parent(tree).media_box(Rect::new(0.0, 0.0, placed.width, placed.height)).contents(content_id);
        object.resources().x_objects().pair(Name(b"Im0"), image_id);
        object.finish();
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

    fn image(&mut self, image: &PageImage, id: Ref, page: usize) -> Outcome<()> {
        let (width, height) = (image.width, image.height);
        match &image.coding {
            Coding::Jpeg { bytes, components, inverted, icc } => {
                return self.jpeg(image, id, page, bytes, *components, *inverted, icc.as_deref());
            }
            Coding::G4 { bytes, black_is_1 } => self.fax(id, bytes, width, height, *black_is_1),
            Coding::Bilevel(rows) => {
                expect_length(rows, u64::from(width.div_ceil(8)) * u64::from(height))?;
                if width > g4::MAX_WIDTH {
                    self.flate_bits(id, rows, width, height);
                } else {
                    let strip = g4::encode(rows, width, height).ok_or_else(|| Fault::new(&NOT_PIXELS))?;
                    self.fax(id, &strip, width, height, false);
                }
            }
            Coding::Grey(samples) => self.flate(id, samples, width, height, 1)?,
            Coding::Rgb(samples) => self.flate(id, samples, width, height, 3)?,
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one enum variant")]
    fn jpeg(
        &mut self,
        image: &PageImage,
        id: Ref,
        page: usize,
        bytes: &[u8],
        components: u8,
        inverted: bool,
        profile: Option<&[u8]>,
    ) -> Outcome<()> {
        let frame = jpeg_frame(bytes).ok_or_else(|| Fault::new(&JPEG_KIND).detail("no frame header"))?;
        if frame.process > 2 || frame.precision != 8 || !matches!(components, 1 | 3 | 4) {
            let why = format!("process {}, {} bits, {components} components", frame.process, frame.precision);
            return Err(Fault::new(&JPEG_KIND).detail(why));
        }
        if (u32::from(frame.width), u32::from(frame.height), frame.components)
            != (image.width, image.height, components)
        {
            let why = format!("frame header says {} x {} x {}", frame.width, frame.height, frame.components);
            return Err(Fault::new(&NOT_PIXELS).detail(why));
        }
        let usable = profile.filter(|profile| icc::channels(profile) == Some(components));
        if profile.is_some() && usable.is_none() {
            self.notes.push(Note::ProfileIgnored { page });
        }
        let (data, channels): (Cow<'_, [u8]>, u8) = if components == 4 && usable.is_none() {
            self.notes.push(Note::CmykConverted { page });
            (Cow::Owned(samples::cmyk_to_rgb_jpeg(bytes, inverted)?), 3)
        } else {
            (Cow::Borrowed(bytes), components)
        };
        let profile = usable.map(|profile| self.profile(profile, channels));
        let mut object = self.pdf.image_xobject(id, &data);
        object.filter(Filter::DctDecode);
        object.width(image.width as i32).height(image.height as i32).bits_per_component(8);
        match profile {
            Some(stream) => object.color_space().icc_based(stream),
            None if channels == 1 => object.color_space().device_gray(),
            None => object.color_space().device_rgb(),
        }
        if channels == 4 && inverted {
            object.decode([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        }
        Ok(())
    }

    fn profile(&mut self, profile: &[u8], channels: u8) -> Ref {
        let digest = Blake3::of(profile).0;
        if let Some(known) = self.profiles.get(&digest) {
            return *known;
        }
        let id = self.bump();
        icc_stream(&mut self.pdf, id, profile, channels);
        self.profiles.insert(digest, id);
        id
    }

    fn fax(&mut self, id: Ref, strip: &[u8], width: u32, height: u32, black_is_1: bool) {
        let mut object = self.pdf.image_xobject(id, strip);
        object.filter(Filter::CcittFaxDecode);
        object.decode_parms().k(-1).columns(width as i32).rows(height as i32).black_is_1(black_is_1);
        object.width(width as i32).height(height as i32).bits_per_component(1);
        object.color_space().device_gray();
    }

    fn flate(&mut self, id: Ref, samples: &[u8], width: u32, height: u32, channels: u8) -> Outcome<()> {
        expect_length(samples, u64::from(width) * u64::from(height) * u64::from(channels))?;
        let stream = samples::deflate(samples, width, height, channels)?;
        let mut object = self.pdf.image_xobject(id, &stream);
        object.filter(Filter::FlateDecode);
        object
            .decode_parms()
            .predictor(pdf_writer::types::Predictor::PngOptimum)
            .colors(i32::from(channels))
            .bits_per_component(8)
            .columns(width as i32);
        object.width(width as i32).height(height as i32).bits_per_component(8);
        if channels == 1 {
            object.color_space().device_gray();
        } else {
            object.color_space().device_rgb();
        }
        Ok(())
    }

    /// Bilevel rows wider than Group 4 takes here.
    fn flate_bits(&mut self, id: Ref, rows: &[u8], width: u32, height: u32) {
        let stream = miniz_oxide::deflate::compress_to_vec_zlib(rows, 6);
        let mut object = self.pdf.image_xobject(id, &stream);
        object.filter(Filter::FlateDecode);
        object.width(width as i32).height(height as i32).bits_per_component(1).decode([1.0, 0.0]);
        object.color_space().device_gray();
    }
}

fn icc_stream(chunk: &mut Chunk, id: Ref, profile: &[u8], channels: u8) {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(profile, 9);
    chunk.icc_profile(id, &packed).n(i32::from(channels)).filter(Filter::FlateDecode);
}

fn expect_length(samples: &[u8], expected: u64) -> Outcome<()> {
    if samples.len() as u64 == expected && expected > 0 {
        return Ok(());
    }
    Err(Fault::new(&NOT_PIXELS).detail(format!("{} bytes of samples, expected {expected}", samples.len())))
}

/// Where the unit square of an image lands on its page, points.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placement {
    width: f32,
    height: f32,
    matrix: [f32; 6],
}

impl Placement {
    /// `skew` degrees clockwise are taken away by turning about the middle of the page; the page keeps its size.
    fn of(image: &PageImage, skew: f32) -> Outcome<Self> {
        let points = |pixels: u32, dpi: f32| f64::from(pixels) / f64::from(dpi) * 72.0;
        let dpi_fits = |dpi: f32| dpi.is_finite() && (1.0..=20_000.0).contains(&dpi);
        if !dpi_fits(image.dpi.x) || !dpi_fits(image.dpi.y) {
            return Err(Fault::new(&RESOLUTION).detail(format!("{} x {} dpi", image.dpi.x, image.dpi.y)));
        }
        let (w, h) = (points(image.width, image.dpi.x), points(image.height, image.dpi.y));
        let turns = image.turns % 4;
        let (width, height) = if turns.is_multiple_of(2) { (w, h) } else { (h, w) };
        if ![width, height].iter().all(|side| (3.0..=14_400.0).contains(side)) {
            return Err(Fault::new(&PAGE_SIZE).detail(format!("{width:.1} x {height:.1} points")));
        }
        // Columns of the stored image's axes on the page, y upward: mirror, then turn clockwise, then straighten.
        let mirror = if image.mirrored { -1.0 } else { 1.0 };
        let (u, v) = ((mirror * w, 0.0), (0.0, h));
        let turn = |(x, y): (f64, f64)| match turns {
            0 => (x, y),
            1 => (y, -x),
            2 => (-x, -y),
            _ => (-y, x),
        };
        let (sin, cos) = f64::from(skew).to_radians().sin_cos();
        let straighten = |(x, y): (f64, f64)| (x * cos - y * sin, x * sin + y * cos);
        let ((a, b), (c, d)) = (straighten(turn(u)), straighten(turn(v)));
        let (e, f) = (width / 2.0 - (a + c) / 2.0, height / 2.0 - (b + d) / 2.0);
        // Four decimals are a tenth of a micrometre, and -0 is written as 0.
        let tidy = |value: f64| ((value * 10_000.0).round() / 10_000.0 + 0.0) as f32;
        Ok(Placement { width: tidy(width), height: tidy(height), matrix: [a, b, c, d, e, f].map(tidy) })
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

/// A resolution that no page can have.
pub const RESOLUTION: Code = Code {
    id: "PDF-026",
    class: Class::Input,
    vi: "Độ phân giải của trang không hợp lệ",
    en: "the page has an impossible resolution",
    remedy_vi: "Quét lại trang với độ phân giải từ 200 dpi",
    remedy_en: "scan the page again at 200 dpi or more",
};

/// A page smaller or larger than PDF/A allows.
pub const PAGE_SIZE: Code = Code {
    id: "PDF-027",
    class: Class::Input,
    vi: "Khổ trang nằm ngoài giới hạn của PDF/A",
    en: "the page size is outside what PDF/A allows",
    remedy_vi: "Kiểm tra độ phân giải ghi trong ảnh; khổ trang tối đa là 5 m",
    remedy_en: "check the resolution in the image; a page is at most 5 m a side",
};

/// Samples that do not fit the size that the page claims.
pub const NOT_PIXELS: Code = Code {
    id: "PDF-028",
    class: Class::Input,
    vi: "Dữ liệu ảnh không khớp với kích thước trang",
    en: "the image data does not fit the size of the page",
    remedy_vi: "Quét lại trang",
    remedy_en: "scan the page again",
};

/// A JPEG that PDF readers cannot decode.
pub const JPEG_KIND: Code = Code {
    id: "PDF-029",
    class: Class::Input,
    vi: "Kiểu JPEG không dùng được trong PDF",
    en: "this kind of JPEG cannot be used in a PDF",
    remedy_vi: "Quét lại trang thành JPEG 8 bit thông thường",
    remedy_en: "scan the page again as an ordinary 8-bit JPEG",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Dpi, DpiSource};

    fn meta() -> Metadata {
        Metadata {
            title: "Tờ khai đăng ký khai sinh".into(),
            created: "2025-09-14T01:05:09Z".parse().unwrap(),
            creator_tool: "hoso test".into(),
            dossier_code: None,
        }
    }

    fn page(coding: Coding, width: u32, height: u32, dpi: f32) -> ArchivePage {
        let dpi = Dpi { x: dpi, y: dpi, source: DpiSource::Header };
        let image = PageImage { width, height, dpi, turns: 0, mirrored: false, coding };
        ArchivePage { image, skew_deg: 0.0 }
    }

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let samples = vec![200u8; (width * height) as usize];
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 80)
            .encode(&samples, width, height, image::ExtendedColorType::L8)
            .unwrap();
        out
    }

    fn grey_jpeg_page(width: u32, height: u32) -> ArchivePage {
        let coding = Coding::Jpeg { bytes: jpeg(width, height), components: 1, inverted: false, icc: None };
        page(coding, width, height, 100.0)
    }

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn a_jpeg_goes_in_byte_for_byte_and_the_same_pages_give_the_same_file() {
        let pages = [grey_jpeg_page(100, 140), page(Coding::Bilevel(vec![0x0f; 4 * 30]), 30, 30, 100.0)];
        let one = assemble(&pages, &meta()).unwrap();
        assert!(contains(&one.bytes, &jpeg(100, 140)));
        assert!(one.notes.is_empty());
        assert_eq!(one, assemble(&pages, &meta()).unwrap());
        assert!(one.bytes.starts_with(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"));
        let trailer = one.bytes.windows(7).rposition(|window| window == b"trailer").unwrap();
        assert!(!contains(&one.bytes[trailer..], b"/Info"));
    }

    #[test]
    fn every_coding_can_be_read_back_by_another_reader() {
        let pages = [
            grey_jpeg_page(64, 64),
            page(Coding::Bilevel(vec![0x0f; 4 * 30]), 30, 30, 100.0),
            page(Coding::Grey((0..64 * 64).map(|i| i as u8).collect()), 64, 64, 100.0),
            page(Coding::Rgb((0..64 * 64 * 3).map(|i| (i / 7) as u8).collect()), 64, 64, 100.0),
        ];
        let bytes = assemble(&pages, &meta()).unwrap().bytes;
        let document = lopdf::Document::load_mem_with_options(&bytes, lopdf::LoadOptions::default()).unwrap();
        assert_eq!(document.get_pages().len(), 4);
    }

    #[test]
    fn pages_are_as_large_as_the_paper() {
        let placed = Placement::of(&page(Coding::Grey(vec![]), 1654, 2339, 200.0).image, 0.0).unwrap();
        assert_eq!((placed.width, placed.height), (595.44, 842.04));
        assert_eq!(placed.matrix, [595.44, 0.0, 0.0, 842.04, 0.0, 0.0]);
    }

    #[test]
    fn quarter_turns_and_mirrors_land_on_the_page() {
        let mut image = page(Coding::Grey(vec![]), 200, 100, 72.0).image;
        // Page position of the stored image's (left, top), as the viewer sees it: x right, y up.
        let corner = |image: &PageImage| {
            let m = Placement::of(image, 0.0).unwrap().matrix;
            (m[2] + m[4], m[3] + m[5])
        };
        let expected = [(0.0, 100.0), (100.0, 200.0), (200.0, 0.0), (0.0, 0.0)];
        for (turns, want) in expected.into_iter().enumerate() {
            image.turns = turns as u8;
            assert_eq!(corner(&image), want, "turned {turns} times");
        }
        image.mirrored = true;
        let expected = [(200.0, 100.0), (100.0, 0.0), (0.0, 0.0), (0.0, 200.0)];
        for (turns, want) in expected.into_iter().enumerate() {
            image.turns = turns as u8;
            assert_eq!(corner(&image), want, "mirrored, turned {turns} times");
        }
    }

    #[test]
    fn skew_is_turned_back_about_the_middle_and_only_where_it_is_believed() {
        let image = page(Coding::Grey(vec![]), 200, 100, 72.0).image;
        let m = Placement::of(&image, 2.0).unwrap().matrix;
        // The right end of the image's base line rises: content that fell to the right becomes level.
        assert!(m[1] > 0.0);
        let middle = ((m[0] + m[2]) / 2.0 + m[4], (m[1] + m[3]) / 2.0 + m[5]);
        assert!((middle.0 - 100.0).abs() < 0.001 && (middle.1 - 50.0).abs() < 0.001);
        for (skew, notes) in [(0.29, 0), (-0.3, 1), (8.1, 1), (f32::NAN, 0)] {
            let mut page = grey_jpeg_page(64, 64);
            page.skew_deg = skew;
            assert_eq!(assemble(&[page], &meta()).unwrap().notes.len(), notes, "{skew}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_page() {
        let wrong = |page: ArchivePage| assemble(&[grey_jpeg_page(9, 9), page], &meta()).unwrap_err();
        let refused = [
            (page(Coding::Grey(vec![0; 10]), 9, 9, 100.0), &NOT_PIXELS),
            (page(Coding::Bilevel(vec![0; 10]), 9, 9, 100.0), &NOT_PIXELS),
            (page(Coding::Grey(vec![0; 81]), 9, 9, 0.0), &RESOLUTION),
            (page(Coding::Grey(vec![0; 81]), 9, 9, f32::NAN), &RESOLUTION),
            (page(Coding::Grey(vec![0; 81]), 9, 9, 5000.0), &PAGE_SIZE),
        ];
        for (page, code) in refused {
            let fault = wrong(page);
            assert_eq!((fault.code, fault.place.as_deref()), (code, Some("page 2")));
        }
        let mut lying = grey_jpeg_page(64, 64);
        lying.image.height = 65;
        assert_eq!(wrong(lying).code, &NOT_PIXELS);
        assert_eq!(assemble(&[], &meta()).unwrap_err().code, &NO_PAGES);
    }
}
