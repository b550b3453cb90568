//! A file of pages: opened within limits, listed without decoding, decoded a page at a time.
//!
//! A page that cannot be taken is one refused page; the others go on. What a decoder panics at is a fault too.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::{Coding, Dpi, DpiSource, PageImage};
use crate::pdf::read::{self, Body, Pdf};
use crate::scan::{Kind, Limits, Luma, jpeg, pdf_page, png_page, sniff, tiff_decode, tiff_pages};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use crate::pdf::read::Foreign;

/// An opened file.
pub struct Source {
    bytes: Arc<[u8]>,
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
    Tiff(Vec<Option<tiff_pages::Head>>),
    Pdf(Box<Pdf>, Vec<Option<read::Image>>),
}

/// Opens a file: tells its kind by content, checks every declared size against the limits, lists the pages.
///
/// # Errors
/// A fault of [`sniff`], of [`Limits`], or of the file's own format where no page at all can be listed.
pub fn open(bytes: impl Into<Arc<[u8]>>, limits: &Limits) -> Outcome<Source> {
    let bytes = bytes.into();
    limits.file(bytes.len() as u64)?;
    let kind = sniff(&bytes)?;
    guarded(|| match kind {
        Kind::Jpeg => open_jpeg(&bytes, limits),
        Kind::Png => open_png(&bytes, limits),
        Kind::Tiff => open_tiff(&bytes, limits),
        Kind::Pdf => open_pdf(&bytes, limits),
    })
    .map(|(pages, inner, signed)| Source { kind, limits: limits.clone(), signed, pages, inner, bytes })
}

impl Source {
    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The file, byte for byte.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// A PDF that holds a signature: its bytes must never be written anew.
    pub fn signed(&self) -> bool {
        self.signed
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

    /// The page as the archive writes it: its own coded bytes where a PDF can carry them, else its pixels.
    /// Not turned; the image says how to show it.
    ///
    /// # Errors
    /// As [`Source::luma`].
    pub fn page_image(&self, page: usize) -> Outcome<PageImage> {
        let info = self.info(page)?;
        let coding = guarded(|| match &self.inner {
            Inner::Jpeg(head) => Ok(Coding::Jpeg {
                bytes: self.bytes.to_vec(),
                components: head.components,
                inverted: head.components == 4 && head.adobe.is_some(),
                icc: head.icc.clone(),
            }),
            Inner::Png(head) => png_page::coding(&self.bytes, head, &self.limits),
            Inner::Tiff(heads) => tiff_decode::coding(&self.bytes, part(heads, page)?, &self.limits),
            Inner::Pdf(pdf, images) => pdf_page::coding(pdf, part(images, page)?),
        })
        .map_err(|f| f.at(format!("page {page}")))?;
        Ok(PageImage {
            width: info.width,
            height: info.height,
            dpi: info.dpi,
            turns: info.turns,
            mirrored: info.mirrored,
            coding,
        })
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

fn open_pdf(bytes: &[u8], limits: &Limits) -> Outcome<Opened> {
    let bounds = read::Bounds { pages: limits.pages, stream_bytes: limits.stream_bytes };
    let pdf = Pdf::open(bytes, &bounds)?;
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
    let page = pdf.page(number)?;
    let unknown = Dpi { x: 0.0, y: 0.0, source: DpiSource::Assumed };
    Ok(match page.body {
        Body::Foreign(why) => {
            let info = PageInfo {
                number,
                width: 0,
                height: 0,
                dpi: unknown,
                turns: 0,
                mirrored: false,
                bilevel: false,
                coding: Coded::Foreign,
                foreign: Some(why),
                has_text: page.has_text,
                size_pt: Some(page.size),
            };
            (info, None)
        }
        Body::Image(image) => {
            let bits = u64::from(image.bits) * u64::from(image.colour.samples());
            limits.page(image.width, image.height, bits, image.encoded)?;
            let coding = match image.filter {
                read::Filter::Jpeg => Coded::Jpeg,
                read::Filter::G4 { .. } => Coded::G4,
                read::Filter::Samples => Coded::Deflate,
            };
            let info = PageInfo {
                turns: image.turns,
                mirrored: image.mirrored,
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
        bilevel: false,
        coding,
        foreign: None,
        has_text: false,
        size_pt: None,
    }
}

/// A resolution that can be true, or one assumed: the long side over the long side of A4 (297 mm).
/// Not believed: none, below 50, above 2,400, and the 72 and 96 that cameras and screens write without
/// meaning it, where the page would be larger than A2; nor a header by which it would be smaller than a card.
fn believed(dpi: Option<Dpi>, width: u32, height: u32) -> Dpi {
    let long = width.max(height) as f32;
    match dpi {
        Some(d)
            if (LEAST_DPI..=MOST_DPI).contains(&d.x)
                && (LEAST_DPI..=MOST_DPI).contains(&d.y)
                && !(d.source == DpiSource::Header
                    && (d.x <= 96.0 && long / d.x > A2_INCHES || long / d.x < LEAST_INCHES)) =>
        {
            d
        }
        _ => {
            let assumed = long / A4_INCHES;
            Dpi { x: assumed, y: assumed, source: DpiSource::Assumed }
        }
    }
}

const LEAST_DPI: f32 = 50.0;
const MOST_DPI: f32 = 2400.0;
/// 297 mm.
const A4_INCHES: f32 = 297.0 / 25.4;
/// 70 mm: shorter than the long side of an identity card (85.6 mm), with room for a tight crop.
const LEAST_INCHES: f32 = 70.0 / 25.4;
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
mod tests {
    use super::*;
    use crate::scan::{limits, sniff};
    use image::ImageEncoder;
    use image::codecs::jpeg::JpegEncoder;

    /// A page with structure that survives JPEG: a dark block in the upper left.
    fn rgb(width: u32, height: u32) -> Vec<u8> {
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| if x < width / 2 && y < height / 2 { [20, 40, 30] } else { [230, 220, 240] })
            .collect()
    }

    fn jpeg_file(width: u32, height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        JpegEncoder::new_with_quality(&mut out, 90)
            .write_image(&rgb(width, height), width, height, image::ExtendedColorType::Rgb8)
            .unwrap();
        out
    }

    fn refused(bytes: &[u8]) -> &'static str {
        match open(bytes, &Limits::default()) {
            Err(fault) => fault.code.id,
            Ok(source) => match source.luma(1) {
                Err(fault) => fault.code.id,
                Ok(_) => "taken",
            },
        }
    }

    fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
        let mut out = jpeg[..2].to_vec();
        out.extend_from_slice(&[0xFF, marker]);
        out.extend_from_slice(&(body.len() as u16 + 2).to_be_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(&jpeg[2..]);
        out
    }

    fn exif(orientation: u8) -> Vec<u8> {
        let mut body = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        body.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
        body
    }

    #[test]
    fn a_truncated_jpeg_is_refused_with_its_reason() {
        let whole = jpeg_file(200, 120);
        assert_eq!(refused(&whole), "taken");
        for length in (3..whole.len() - 1).step_by(7) {
            assert_ne!(refused(&whole[..length]), "taken", "{length}");
        }
        assert_eq!(refused(&whole[..whole.len() - 2]), jpeg::CUT.id);
    }

    #[test]
    fn a_jpeg_whose_middle_is_missing_is_never_grey() {
        let whole = jpeg_file(400, 300);
        let scan = whole.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 14;
        let half = scan + (whole.len() - scan) / 2;
        let mut damaged = whole[..half].to_vec();
        while damaged.last() == Some(&0xFF) {
            damaged.pop();
        }
        damaged.extend_from_slice(&[0xFF, 0xD9]);
        assert_eq!(refused(&damaged), jpeg::BROKEN.id);
    }

    #[test]
    fn jpeg_passes_through_byte_for_byte_with_its_orientation() {
        let file = with_segment(&jpeg_file(64, 32), 0xE1, &exif(6));
        let source = open(file.clone(), &Limits::default()).unwrap();
        let info = source.pages()[0].as_ref().unwrap();
        assert_eq!((info.width, info.height, info.turns, info.mirrored), (64, 32, 1, false));
        let Coding::Jpeg { bytes, components: 3, .. } = source.page_image(1).unwrap().coding else {
            panic!()
        };
        assert_eq!(bytes, file);
        let luma = source.luma(1).unwrap();
        assert_eq!((luma.width, luma.height), (32, 64));
        // The dark block turns from the upper left to the upper right.
        assert!(luma.row(5)[28] < 60 && luma.row(5)[3] > 200 && luma.row(60)[28] > 200);
    }

    #[test]
    fn unsupported_jpeg_processes_are_refused_by_name() {
        let whole = jpeg_file(64, 32);
        let sof = whole.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        for (marker, precision) in [(0xC3, 8), (0xC9, 8), (0xCA, 8), (0xC1, 12)] {
            let mut changed = whole.clone();
            changed[sof + 1] = marker;
            changed[sof + 4] = precision;
            assert_eq!(refused(&changed), jpeg::CODING.id, "{marker:x}");
        }
    }

    #[test]
    fn an_adobe_rgb_jpeg_is_read_by_its_colours() {
        // The encoder wrote YCbCr; told that it is RGB, the same samples mean other colours, and no crash.
        let adobe = with_segment(&jpeg_file(64, 32), 0xEE, b"Adobe\0\x64\0\0\0\0\0");
        let source = open(adobe, &Limits::default()).unwrap();
        let (told, plain) = (source.luma(1).unwrap(), open(jpeg_file(64, 32), &Limits::default()).unwrap());
        let plain = plain.luma(1).unwrap();
        // Cb and Cr near 128 are taken for green and blue.
        let expected = luma_by_weights(plain.row(30)[60], 130, 128);
        assert!(told.row(30)[60].abs_diff(expected) < 8, "{} {expected}", told.row(30)[60]);
    }

    fn luma_by_weights(r: u8, g: u8, b: u8) -> u8 {
        crate::scan::luma::luma_of(r, g, b)
    }

    #[test]
    fn resolutions_that_cannot_be_true_are_assumed_from_a4() {
        let mut file = jpeg_file(1654, 40);
        // 1654 pixels over 297 mm are 141.45 dpi.
        // JFIF: unit at offset 13, densities behind it.
        for (unit, density, expected, source) in [
            (1u8, 200u16, 200.0, DpiSource::Header),
            (2, 79, 200.66, DpiSource::Header),
            (0, 1, 141.45, DpiSource::Assumed),
            (1, 0, 141.45, DpiSource::Assumed),
            (1, 9_999, 141.45, DpiSource::Assumed),
            (1, 20, 141.45, DpiSource::Assumed),
            (1, 1_200, 141.45, DpiSource::Assumed),
        ] {
            file[13] = unit;
            file[14..16].copy_from_slice(&density.to_be_bytes());
            file[16..18].copy_from_slice(&density.to_be_bytes());
            let opened = open(file.clone(), &Limits::default()).unwrap();
            let dpi = opened.pages()[0].as_ref().unwrap().dpi;
            assert_eq!(dpi.source, source, "{unit} {density}");
            assert!((dpi.x - expected).abs() < 0.1, "{unit} {density}: {}", dpi.x);
        }
    }

    #[test]
    fn a_declared_size_is_refused_before_memory_is_taken() {
        let mut bomb = jpeg_file(16, 16);
        let sof = bomb.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bomb[sof + 5..sof + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
        assert_eq!(refused(&bomb), limits::TOO_MANY_PIXELS.id);
        bomb[sof + 5..sof + 9].copy_from_slice(&[0x23, 0x28, 0x23, 0x28]);
        assert_eq!(refused(&bomb), limits::RATIO.id);
        assert_eq!(refused(b"PK\x03\x04 scan.pdf"), sniff::ZIP.id);
    }

    #[test]
    fn tiff_codings_all_give_the_same_page() {
        use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};
        let grey: Vec<u8> = rgb(90, 50).chunks(3).map(|p| luma_by_weights(p[0], p[1], p[2])).collect();
        for (name, compression) in [
            ("raw", Compression::Uncompressed),
            ("lzw", Compression::Lzw),
            ("deflate", Compression::Deflate(DeflateLevel::Fast)),
            ("packbits", Compression::Packbits),
        ] {
            let mut file = std::io::Cursor::new(Vec::new());
            let mut encoder = TiffEncoder::new(&mut file).unwrap().with_compression(compression);
            encoder.write_image::<colortype::Gray8>(90, 50, &grey).unwrap();
            encoder.write_image::<colortype::RGB8>(90, 50, &rgb(90, 50)).unwrap();
            let file = file.into_inner();
            let source = open(file.clone(), &Limits::default()).unwrap();
            assert_eq!(source.pages().len(), 2);
            for page in [1, 2] {
                assert_eq!(source.luma(page).unwrap().data, grey, "{name} page {page}");
            }
            assert!(matches!(source.page_image(2).unwrap().coding, Coding::Rgb(_)));
            for length in (8..file.len()).step_by(97) {
                let _ = open(&file[..length], &Limits::default()).map(|s| s.luma(1));
            }
        }
    }

    /// A one-page bilevel TIFF of 16 x 4: left half black.
    fn fax_tiff(photometric: u32, fill_order: u32, compression: u32) -> Vec<u8> {
        let black_is_code_black = photometric == 0;
        let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
        for _ in 0..4 {
            let pels = (0..16).map(|x| match (x < 8) == black_is_code_black {
                true => fax::Color::Black,
                false => fax::Color::White,
            });
            encoder.encode_line(pels, 16).unwrap();
        }
        let mut strip = encoder.finish().unwrap().finish();
        if compression == 1 {
            let row = if black_is_code_black { [0xFF, 0x00] } else { [0x00, 0xFF] };
            strip = row.repeat(4);
        }
        if fill_order == 2 {
            strip.iter_mut().for_each(|b| *b = b.reverse_bits());
        }
        let tags: [(u16, u32); 10] = [
            (256, 16),
            (257, 4),
            (258, 1),
            (259, compression),
            (262, photometric),
            (266, fill_order),
            (273, 8 + 2 + 120 + 4),
            (277, 1),
            (278, 4),
            (279, strip.len() as u32),
        ];
        let mut bytes = b"II*\0\x08\0\0\0\x0A\0".to_vec();
        for (tag, value) in tags {
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&[4, 0, 1, 0, 0, 0]);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&strip);
        bytes
    }

    #[test]
    fn bilevel_tiffs_mind_photometric_and_fill_order() {
        for compression in [4, 1] {
            for (photometric, fill_order) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
                let file = fax_tiff(photometric, fill_order, compression);
                let source = open(file, &Limits::default()).unwrap();
                let luma = source.luma(1).unwrap();
                let said = format!("compression {compression} photometric {photometric} order {fill_order}");
                assert_eq!((luma.row(2)[3], luma.row(2)[12]), (0, 255), "{said}");
                match source.page_image(1).unwrap().coding {
                    Coding::G4 { bytes, black_is_1 } if compression == 4 => {
                        let packed = crate::scan::ccitt::group4(&bytes, 16, 4).unwrap();
                        // A PDF shows the code's black as black unless BlackIs1.
                        assert_eq!((packed[0] == 0xFF) != black_is_1, true, "{said}");
                    }
                    Coding::Bilevel(packed) if compression == 1 => {
                        assert_eq!(packed[..2], [0xFF, 0], "{said}")
                    }
                    other => panic!("{said}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_page_over_a_limit_is_one_refused_page() {
        use tiff::encoder::{TiffEncoder, colortype};
        let mut file = std::io::Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        encoder.write_image::<colortype::Gray8>(90, 50, &[9; 4500]).unwrap();
        encoder.write_image::<colortype::Gray8>(20, 20, &[7; 400]).unwrap();
        let small = Limits { pixels: 1_000, ..Limits::default() };
        let source = open(file.into_inner(), &small).unwrap();
        assert_eq!(source.pages()[0].as_ref().unwrap_err().code.id, limits::TOO_MANY_PIXELS.id);
        assert_eq!(source.luma(1).unwrap_err().code.id, limits::TOO_MANY_PIXELS.id);
        assert_eq!(source.luma(2).unwrap().data, [7; 400]);
        assert_eq!(source.luma(3).unwrap_err().code.id, NO_SUCH_PAGE.id);
    }

    #[test]
    fn damaged_bytes_anywhere_never_bring_the_process_down() {
        let mut files = vec![jpeg_file(120, 90), fax_tiff(0, 1, 4), fax_tiff(1, 2, 1)];
        if let Ok(folder) = std::env::var("HOSO_SHARED_DATA") {
            let small = [
                "ocr-kcs.pdf",
                "ocr-hugemono.pdf",
                "ocr-aspect.pdf",
                "ocr-palette.pdf",
                "lept-shearer.148.tif",
            ];
            files
                .extend(small.iter().filter_map(|name| std::fs::read(format!("{folder}/scans/{name}")).ok()));
        }
        let limits = Limits { pixels: 8_000_000, ..Limits::default() };
        let mut seed = 0x9E37_79B9_7F4A_7C15u64;
        for file in files {
            for _ in 0..24 {
                let mut damaged = file.clone();
                for _ in 0..6 {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = (seed >> 33) as usize % damaged.len();
                    damaged[at] = (seed >> 20) as u8;
                }
                if let Ok(source) = open(damaged, &limits) {
                    for page in 1..=source.pages().len().min(2) {
                        let _ = source.luma(page);
                        let _ = source.page_image(page);
                    }
                }
            }
        }
    }

    #[test]
    fn every_real_scan_is_read_or_refused_and_none_crashes() {
        let folder = std::env::var("HOSO_SHARED_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
        let Ok(files) = std::fs::read_dir(format!("{folder}/scans")) else {
            eprintln!("skipped: no shared data");
            return;
        };
        let (mut read, mut refused) = (0, Vec::new());
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match open(std::fs::read(&path).unwrap(), &Limits::default()) {
                Err(fault) => refused.push(format!("{name} {}", fault.code.id)),
                Ok(source) => {
                    for (i, page) in source.pages().iter().enumerate() {
                        match page {
                            Ok(info) if info.foreign.is_none() => {
                                let luma = source.luma(i + 1).unwrap_or_else(|e| panic!("{name}: {e}"));
                                assert_eq!(luma.data.len(), luma.width * luma.height);
                                source.page_image(i + 1).unwrap_or_else(|e| panic!("{name}: {e}"));
                                read += 1;
                            }
                            Ok(_) => assert_eq!(source.luma(i + 1).unwrap_err().code.id, FOREIGN.id),
                            Err(fault) => refused.push(format!("{name} {}", fault.code.id)),
                        }
                    }
                }
            }
        }
        refused.sort();
        assert_eq!(refused, ["ocr-hugemono.pdf SCAN-013", "ocr-invalid.pdf PDF-004"]);
        assert_eq!(read, 27);
    }
}
