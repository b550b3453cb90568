//! Files as they come, whole and damaged, through the one way in.

use super::*;
use crate::page::DpiSource;
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
    let Coding::Jpeg { bytes, components: 3, .. } = source.page_image(1).unwrap().coding else { panic!() };
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
    for marker in [0xDE, 0xDF] {
        assert_eq!(refused(&with_segment(&whole, marker, &[0x11])), jpeg::CODING.id, "{marker:x}");
    }
}

#[test]
fn a_jpeg_that_no_decoder_can_begin_with_is_refused_before_it_is_put_anywhere() {
    let whole = jpeg_file(64, 32);
    let sof = whole.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    // Behind the frame's length, size and count: name, sampling and table of each component.
    for (at, value) in [(11, 0x00), (11, 0x51), (11, 0x15), (12, 4), (13, whole[sof + 10]), (12, 3)] {
        let mut changed = whole.clone();
        changed[sof + at] = value;
        let fault = open(changed, &Limits::default()).map(|_| ()).unwrap_err();
        assert_eq!(fault.code.id, jpeg::BROKEN.id, "{at} {value:x}");
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
        (1, 9_999, 141.45, DpiSource::Doubted),
        (1, 20, 141.45, DpiSource::Doubted),
        (1, 72, 72.0, DpiSource::Header),
        (1, 1_200, 141.45, DpiSource::Doubted),
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
                    assert_ne!(packed[0] == 0xFF, black_is_1, "{said}");
                }
                Coding::Bilevel(packed) if compression == 1 => {
                    assert_eq!(packed[..2], [0xFF, 0], "{said}");
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
        let small =
            ["ocr-kcs.pdf", "ocr-hugemono.pdf", "ocr-aspect.pdf", "ocr-palette.pdf", "lept-shearer.148.tif"];
        files.extend(small.iter().filter_map(|name| std::fs::read(format!("{folder}/scans/{name}")).ok()));
    }
    let limits = Limits { pixels: 8_000_000, ..Limits::default() };
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    for file in files {
        for _ in 0..24 {
            let mut damaged = file.clone();
            for _ in 0..6 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
    assert_eq!(read, 35);
}

/// A PDF page of one image, which stands for itself.
fn image_pdf(dict: &str, stream: &[u8], globals: Option<&[u8]>) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    let mut object = |out: &mut Vec<u8>, head: &str, stream: Option<&[u8]>| {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n{head}\n", places.len()).bytes());
        if let Some(stream) = stream {
            out.extend([b"stream\n", stream, b"\nendstream\n"].concat());
        }
        out.extend(b"endobj\n");
    };
    object(&mut out, "<< /Type /Catalog /Pages 2 0 R >>", None);
    object(&mut out, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", None);
    object(
        &mut out,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 48] /Contents 4 0 R \
         /Resources << /XObject << /I 5 0 R >> >> >>",
        None,
    );
    object(&mut out, "<< /Length 26 >>", Some(b"q 72 0 0 48 0 0 cm /I Do Q"));
    object(
        &mut out,
        &format!("<< /Type /XObject /Subtype /Image {dict} /Length {} >>", stream.len()),
        Some(stream),
    );
    if let Some(globals) = globals {
        object(&mut out, &format!("<< /Length {} >>", globals.len()), Some(globals));
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).bytes());
    places.iter().for_each(|at| out.extend(format!("{at:010} 00000 n \n").bytes()));
    let end = format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", places.len() + 1);
    out.extend(end.bytes());
    out
}

#[test]
fn a_jbig2_image_of_a_pdf_is_looked_at_and_passes_through() {
    let rows: Vec<u8> = (0..3 * 16).map(|i| if i % 3 == 0 { 0xF0 } else { 0 }).collect();
    let stream = crate::scan::jbig2_page::tests::page(24, 16, &rows);
    for (decode, dark, light, turned) in [("[0 1]", 0, 255, false), ("[1 0]", 255, 0, true)] {
        let dict = format!(
            "/Width 24 /Height 16 /BitsPerComponent 1 /ColorSpace /DeviceGray /Decode {decode} \
             /Filter /JBIG2Decode"
        );
        let source = open(image_pdf(&dict, &stream, None), &Limits::default()).unwrap();
        let info = source.pages()[0].as_ref().unwrap();
        assert_eq!((info.coding, info.bilevel, info.foreign), (Coded::Jbig2, true, None));
        let luma = source.luma(1).unwrap();
        assert_eq!((luma.row(3)[0], luma.row(3)[10]), (dark, light));
        // The wallet's copy decodes it and sees the same page.
        let image = source.page_image(1).unwrap();
        assert_eq!(crate::pdf::samples::decode(&image).unwrap().bytes, luma.data);
        let Coding::Jbig2 { bytes, globals: None, inverted } = image.coding else { panic!() };
        assert_eq!((bytes, inverted), (stream.clone(), turned));
    }
    let dict = "/Width 24 /Height 16 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /JBIG2Decode \
                /DecodeParms << /JBIG2Globals 6 0 R >>";
    // An end-of-file segment is shared and says nothing.
    let shared = [0, 0, 0, 9, 51, 0, 0, 0, 0, 0, 0];
    let source = open(image_pdf(dict, &stream, Some(&shared)), &Limits::default()).unwrap();
    let Coding::Jbig2 { globals, .. } = source.page_image(1).unwrap().coding else { panic!() };
    assert_eq!(globals.as_deref(), Some(shared.as_slice()));
}

/// A page of 72 x 48 points whose pixels would be of a size that is not believed, and of which a strip is cut away.
#[test]
fn a_cropped_page_of_a_pdf_keeps_its_shape_at_whatever_size() {
    for (width, height) in [(24, 16), (24, 32), (48, 16), (3_600, 2_400)] {
        let dict = format!(
            "/Width {width} /Height {height} /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /DCTDecode"
        );
        let mut pdf = image_pdf(&dict, &jpeg_file(width, height), None);
        let at = pdf.windows(11).position(|w| w == b"[0 0 72 48]").unwrap();
        pdf[at..at + 11].copy_from_slice(b"[2 0 72 44]");
        let source = open(pdf, &Limits::default()).unwrap();
        let image = source.page_image(1).unwrap();
        assert_eq!(image.head.dpi.source, DpiSource::Doubted);
        let placed = crate::pdf::placement::Placement::of(&image.head, 0.0).unwrap();
        let [w, _, _, h, left, bottom] = placed.matrix;
        let by = placed.width / 70.0;
        assert!((w.max(h) - 297.0 / 25.4 * 72.0).abs() < 0.1, "{width} x {height}: {placed:?}");
        let expected = [44.0, 72.0, 48.0, -2.0, 0.0].map(|points| points * by);
        for (is, should) in [placed.height, w, h, left, bottom].into_iter().zip(expected) {
            assert!((is - should).abs() < 0.5, "{width} x {height}: {is} {should}");
        }
    }
}

#[test]
fn a_jpeg_that_a_pdf_shows_in_other_colours_is_kept_as_it_is() {
    let plain = jpeg_file(24, 16);
    let foreign = |jpeg: &[u8], transform: &str| {
        let dict = format!(
            "/Width 24 /Height 16 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /DCTDecode \
             /DecodeParms << {transform} >>"
        );
        let source = open(image_pdf(&dict, jpeg, None), &Limits::default()).unwrap();
        source.pages()[0].as_ref().unwrap().foreign
    };
    assert_eq!(foreign(&plain, ""), None);
    assert_eq!(foreign(&plain, "/ColorTransform 1"), None);
    assert_eq!(foreign(&plain, "/ColorTransform 0"), Some(Foreign::Coding));
    // The marker in the file outweighs the PDF.
    let adobe = with_segment(&plain, 0xEE, b"Adobe\0\x64\0\0\0\0\x01");
    assert_eq!(foreign(&adobe, "/ColorTransform 0"), None);
    // Components called R, G and B say the same.
    let mut named = plain;
    let frame = named.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    let scan = named.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    for (i, id) in b"RGB".iter().enumerate() {
        named[frame + 10 + 3 * i] = *id;
        named[scan + 5 + 2 * i] = *id;
    }
    assert_eq!(foreign(&named, "/ColorTransform 0"), None);
}

#[test]
fn a_jpeg_2000_image_of_a_pdf_is_looked_at_and_passes_through() {
    let file = jp2_page::tests::file();
    for space in ["", "/ColorSpace /DeviceGray"] {
        let dict = format!("/Width 24 /Height 16 {space} /Filter /JPXDecode");
        let source = open(image_pdf(&dict, &file, None), &Limits::default()).unwrap();
        assert_eq!(source.pages()[0].as_ref().unwrap().coding, Coded::Jpeg2000);
        assert_eq!(source.luma(1).unwrap().row(5)[5], 20);
        let Coding::Jpx { bytes, components: 1, icc: None } = source.page_image(1).unwrap().coding else {
            panic!()
        };
        assert_eq!(bytes, file);
    }
    let wrong = image_pdf("/Width 25 /Height 16 /Filter /JPXDecode", &file, None);
    assert_eq!(refused(&wrong), pdf_page::PIXELS.id);
}

#[test]
fn a_jpeg_2000_file_and_a_webp_file_are_pages() {
    let file = jp2_page::tests::file();
    let source = open(file.clone(), &Limits::default()).unwrap();
    assert_eq!((source.kind(), source.luma(1).unwrap().row(5)[5]), (Kind::Jp2, 20));
    assert!(matches!(source.page_image(1).unwrap().coding, Coding::Jpx { bytes, .. } if bytes == file));
    let mut webp = Vec::new();
    image::codecs::webp::WebPEncoder::new_lossless(&mut webp)
        .encode(&rgb(64, 32), 64, 32, image::ExtendedColorType::Rgb8)
        .unwrap();
    let source = open(webp, &Limits::default()).unwrap();
    assert_eq!((source.kind(), source.luma(1).unwrap().row(0)[0]), (Kind::Webp, luma_by_weights(20, 40, 30)));
    assert!(matches!(source.page_image(1).unwrap().coding, Coding::Rgb(data) if data == rgb(64, 32)));
}
