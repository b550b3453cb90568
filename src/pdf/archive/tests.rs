//! Archives by their bytes; what other programs say of them is asked in `tests/it/seal_judges.rs`.

use super::*;
use crate::page::Coding;
use crate::pdf::placement::{PAGE_SIZE, RESOLUTION};
use crate::pdf::{icc, samples};

fn meta() -> Metadata {
    Metadata {
        title: "Tờ khai đăng ký khai sinh".into(),
        created: "2025-09-14T01:05:09Z".parse().ok(),
        creator_tool: "hoso test".into(),
        dossier_code: None,
    }
}

fn page(coding: Coding, width: u32, height: u32, dpi: f32) -> ArchivePage {
    ArchivePage { image: PageImage::plain(width, height, dpi, coding), skew_deg: 0.0 }
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let samples = vec![200u8; (width * height) as usize];
    ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 80)
        .encode(&samples, width, height, ::image::ExtendedColorType::L8)
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
fn colours_that_only_their_names_call_rgb_are_called_so_in_the_pdf() {
    let mut bytes = Vec::new();
    ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 80)
        .encode(&[90; 16 * 16 * 3], 16, 16, ::image::ExtendedColorType::Rgb8)
        .unwrap();
    let told = |bytes: Vec<u8>| {
        let coding = Coding::Jpeg { bytes, components: 3, inverted: false, icc: None };
        contains(&assemble(&[page(coding, 16, 16, 100.0)], &meta()).unwrap().bytes, b"/ColorTransform 0")
    };
    assert!(!told(bytes.clone()));
    // The same without its JFIF segment, its components called R, G and B.
    let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    bytes.drain(2..4 + length);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    for (component, name) in b"RGB".iter().enumerate() {
        bytes[frame + 10 + 3 * component] = *name;
    }
    assert!(told(bytes));
}

#[test]
fn a_profile_of_samples_comes_along_where_it_fits_and_is_told_where_it_does_not() {
    let with = |coding: Coding| {
        let mut page = page(coding, 8, 8, 100.0);
        page.image.profile = Some(icc::srgb());
        assemble(&[page], &meta()).unwrap()
    };
    let based = |made: &Archived| contains(&made.bytes, b"/ICCBased");
    let palette = Coding::Png {
        stream: samples::deflate(&[1; 64], 8, 8, 1).unwrap(),
        bits: 8,
        components: 1,
        palette: Some(vec![7; 768]),
    };
    for coding in [Coding::Rgb(vec![9; 192]), palette] {
        let made = with(coding);
        assert!(based(&made) && made.notes.is_empty(), "{:?}", made.notes);
    }
    let made = with(Coding::Grey(vec![9; 64]));
    assert!(!based(&made));
    assert_eq!(made.notes, [Note::ProfileIgnored { page: 1 }]);
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

/// ISO 19005-2 6.1.2, 6.1.4, 6.1.7.1: faults of bytes that common validators let pass.
#[test]
fn cross_references_and_stream_lengths_are_right_to_the_byte() {
    let pages = [grey_jpeg_page(64, 64), page(Coding::Rgb(vec![9; 300]), 10, 10, 100.0)];
    let bytes = assemble(&pages, &meta()).unwrap().bytes;
    let find = |needle: &[u8], from: usize| {
        bytes[from..].windows(needle.len()).position(|window| window == needle).map(|at| at + from)
    };
    let number = |from: usize| -> usize {
        let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&bytes[from..from + digits]).unwrap().parse().unwrap()
    };
    let start = bytes.windows(9).rposition(|window| window == b"startxref").unwrap();
    let table = number(start + 10);
    assert_eq!(&bytes[table..table + 7], b"xref\n0 ");
    let count = number(table + 7);
    let entries = find(b"\n", table + 7).unwrap() + 1;
    for object in 1..count {
        let entry = &bytes[entries + 20 * object..entries + 20 * (object + 1)];
        assert!(entry.ends_with(b" n\r\n") || entry.ends_with(b" n \n"));
        let at = number(entries + 20 * object);
        let head = format!("{object} 0 obj\n");
        assert!(bytes[at..].starts_with(head.as_bytes()) && bytes[at - 1] == b'\n');
        let end = find(b"endobj", at).unwrap();
        let Some(stream) = find(b"\nstream\n", at).filter(|stream| *stream < end) else { continue };
        let length = number(find(b"/Length ", at).unwrap() + 8);
        assert!(bytes[stream + 8 + length..].starts_with(b"\nendstream"), "object {object}");
    }
    assert_eq!(&bytes[entries + 20 * count..entries + 20 * count + 7], b"trailer");
    assert!(bytes.ends_with(b"%%EOF") || bytes.ends_with(b"%%EOF\n"));
}

#[test]
fn skew_is_corrected_only_where_it_is_believed() {
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
    lying.image.head.height = 65;
    assert_eq!(wrong(lying).code, &NOT_PIXELS);
    assert_eq!(assemble(&[], &meta()).unwrap_err().code, &NO_PAGES);
}
