//! Small files that would become very large, made here: refused by name, and before memory is taken.
//!
//! Each is opened and, where it opens, decoded in a process of its own, which tells how much memory it came to.

use crate::fault::Outcome;
use crate::scan::limits::{RATIO, TOO_MANY_PAGES, TOO_MANY_PIXELS};
use crate::scan::{Limits, open};
use std::process::Command;

/// Name, bytes, the codes of which one has to refuse it.
type Bomb = (&'static str, Vec<u8>, &'static [&'static str]);

fn bombs() -> Vec<Bomb> {
    let pixels: &[&str] = &[TOO_MANY_PIXELS.id];
    vec![
        ("a TIFF of 1 GiB in 33 KB", tiff(32_768, 1024), pixels),
        ("a PNG of 400 MiB in 400 KB", png(20_480, 20_480, png::ColorType::Grayscale, 8), pixels),
        ("a PNG of 400 MiB within the pixels", png(7_240, 7_240, png::ColorType::Rgba, 16), pixels),
        ("a page of 35,000 pixels a side", png(35_000, 35_000, png::ColorType::Grayscale, 1), pixels),
        ("a JPEG that declares 35,000 pixels a side", jpeg(35_000), pixels),
        ("a TIFF of 65,535 pages", chain(65_535), &[TOO_MANY_PAGES.id]),
        ("a TIFF whose strips share their bytes", tiff(9_000, 4), &[RATIO.id]),
        ("a PDF of 512 MiB of content in 1.4 KB", pdf(&Holding::Content), &["PDF-006"]),
        ("a PDF of 512 MiB of pixels in 1.4 KB", pdf(&Holding::Pixels), &[TOO_MANY_PIXELS.id]),
        ("a PDF whose pixels are more than declared", pdf(&Holding::More), &["PDF-007"]),
        ("a JPEG 2000 that declares 35,000 pixels a side", jpeg_2000(35_000), pixels),
        ("a WebP that declares 16,000 pixels a side", webp(16_000, 16_000), pixels),
        ("a JBIG2 region of 3.6 GP on a small page", pdf(&Holding::Jbig2), &["SCAN-072", "SCAN-013"]),
    ]
}

/// The codes with which a file is refused: its own, or its first page's.
fn refusal(bytes: Vec<u8>) -> Outcome<()> {
    let source = open(bytes, &Limits::default())?;
    source.luma(1).map(|_| ())
}

/// Most memory this process has had, in KiB (Linux; 0 elsewhere).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

#[test]
fn every_bomb_is_refused_by_name_and_takes_no_memory() {
    let program = std::env::current_exe().unwrap();
    for (index, (name, ..)) in bombs().into_iter().enumerate() {
        let child = Command::new(&program)
            .args(["--exact", "scan::limits::bombs::one_bomb", "--ignored", "--nocapture"])
            .env("HOSO_BOMB", index.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&child.stderr));
        assert!(said.contains("bomb refused"), "{name}: {said}");
    }
}

#[test]
#[ignore = "run by the test above, each bomb in its own process"]
fn one_bomb() {
    let Ok(Ok(index)) = std::env::var("HOSO_BOMB").map(|i| i.parse::<usize>()) else { return };
    let (name, bytes, codes) = bombs().swap_remove(index);
    let before = peak();
    let fault = refusal(bytes).expect_err(name);
    let taken = peak() - before;
    assert!(codes.contains(&fault.code.id), "{name}: {} {:?}", fault.code.id, fault.detail);
    assert!(taken < 40 << 10, "{name}: {taken} KiB");
    println!("bomb refused: {} {taken} KiB", fault.code.id);
}

/// A zlib stream of so many zeros: a literal, then matches of 258 bytes in two bits each (RFC 1951, 3.2.7).
pub(in crate::scan) fn zeros(length: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    // Last block, dynamic codes; 286 literals and lengths, 1 distance, 18 code lengths.
    for (value, count) in [(1, 1), (2, 2), (29, 5), (0, 5), (14, 4)] {
        bits.put(value, count);
    }
    // In the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: code 18 has one bit, codes 2 and 1 have two.
    (0..18).for_each(|i| bits.put([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2][i], 3));
    let (one, two) = ([1u32, 0], [1u32, 1]);
    let zeros = |bits: &mut Bits, run: u32| {
        bits.put(0, 1);
        bits.put(run - 11, 7);
    };
    // Literal 0 and the end have two bits, length 258 has one; so has distance 1.
    two.iter().for_each(|&b| bits.put(b, 1));
    zeros(&mut bits, 138);
    zeros(&mut bits, 117);
    two.iter().for_each(|&b| bits.put(b, 1));
    zeros(&mut bits, 28);
    one.iter().for_each(|&b| bits.put(b, 1));
    one.iter().for_each(|&b| bits.put(b, 1));
    // Literals for what 258 does not divide, then the matches.
    let (matches, literals) = ((length - 1) / 258, (length - 1) % 258 + 1);
    (0..literals).for_each(|_| bits.put(0b01, 2));
    (0..matches).for_each(|_| bits.put(0, 2));
    bits.put(0b11, 2);
    let mut out = vec![0x78, 0x9C];
    out.extend(bits.bytes);
    out.extend((((length % 65_521) as u32) << 16 | 1).to_be_bytes());
    out
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    /// Least significant bit first.
    fn put(&mut self, value: u32, count: u32) {
        for i in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> i & 1) as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[test]
fn the_stream_of_zeros_is_what_it_says() {
    for length in [1u64, 258, 259, 70_000] {
        let plain = miniz_oxide::inflate::decompress_to_vec_zlib(&zeros(length)).unwrap();
        assert_eq!(plain, vec![0u8; length as usize]);
    }
}

/// A square grey TIFF in deflated strips that all lie at the same place.
fn tiff(side: u32, strips: u32) -> Vec<u8> {
    let rows = side.div_ceil(strips);
    let block = zeros(u64::from(side) * u64::from(rows));
    let offsets = 8 + block.len() as u32;
    let lengths = offsets + 4 * strips;
    let directory = lengths + 4 * strips;
    let mut bytes = b"II*\0".to_vec();
    bytes.extend(directory.to_le_bytes());
    bytes.extend(&block);
    (0..strips).for_each(|_| bytes.extend(8u32.to_le_bytes()));
    (0..strips).for_each(|_| bytes.extend((block.len() as u32).to_le_bytes()));
    let tags = [
        (256u16, 1, side),
        (257, 1, side),
        (258, 1, 8),
        (259, 1, 8),
        (262, 1, 1),
        (273, strips, offsets),
        (277, 1, 1),
        (278, 1, rows),
        (279, strips, lengths),
    ];
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, count, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4u16.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// A chain of directories, each a page of one pixel.
fn chain(pages: u32) -> Vec<u8> {
    let tags: [(u16, u32); 8] =
        [(256, 8), (257, 1), (258, 1), (259, 1), (262, 0), (273, 4), (278, 1), (279, 1)];
    let size = 2 + 12 * tags.len() as u32 + 4;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    for page in 0..pages {
        bytes.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            bytes.extend(tag.to_le_bytes());
            bytes.extend([4, 0, 1, 0, 0, 0]);
            bytes.extend(value.to_le_bytes());
        }
        let next = if page + 1 == pages { 0 } else { 8 + size * (page + 1) };
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

/// Black, in as few bytes as deflate can.
fn png(width: u32, height: u32, colour: png::ColorType, bits: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::from_u8(bits).unwrap());
    let row = 1 + (u64::from(width) * u64::from(bits) * colour.samples() as u64).div_ceil(8);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &zeros(row * u64::from(height))).unwrap();
    drop(writer);
    if !out.ends_with(b"IEND\xAE\x42\x60\x82") {
        out.extend(b"\0\0\0\0IEND\xAE\x42\x60\x82");
    }
    out
}

/// A real JPEG whose frame says something else.
fn jpeg(side: u16) -> Vec<u8> {
    let mut out = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut out)
        .encode(&[200; 64 * 64], 64, 64, image::ExtendedColorType::L8)
        .unwrap();
    let sof = out.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    out[sof + 5..sof + 7].copy_from_slice(&side.to_be_bytes());
    out[sof + 7..sof + 9].copy_from_slice(&side.to_be_bytes());
    out
}

/// A real JPEG 2000 whose SIZ says something else, and that it is one tile.
fn jpeg_2000(side: u32) -> Vec<u8> {
    let mut file = crate::scan::jp2_page::tests::file();
    let siz = file.windows(2).position(|w| w == [0xFF, 0x51]).unwrap() + 6;
    for field in [0, 4, 16, 20] {
        file[siz + field..][..4].copy_from_slice(&side.to_be_bytes());
    }
    file
}

/// A lossless WebP that ends behind its header.
fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut body = vec![0x2F];
    body.extend(((width - 1) | ((height - 1) << 14)).to_le_bytes());
    body.resize(40, 0);
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32 + 12).to_le_bytes());
    out.extend(b"WEBPVP8L");
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

/// A JBIG2 page of 1,000 x 1,000 pixels with a region of 3.6 GP.
fn jbig2() -> Vec<u8> {
    let rows = vec![0; 125 * 1_000];
    let mut file = crate::scan::jbig2_page::tests::page(1_000, 1_000, &rows);
    // Behind two segment headers of 11 bytes and a page information of 19: the region's width and height.
    let at = 11 + 19 + 11;
    file[at..at + 8].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    file
}

enum Holding {
    Content,
    Pixels,
    More,
    Jbig2,
}

/// A page with 512 MiB deflated twice, as its content or as its picture.
fn pdf(holding: &Holding) -> Vec<u8> {
    let twice = miniz_oxide::deflate::compress_to_vec_zlib(&zeros(512 << 20), 9);
    let filters = "/Filter [/FlateDecode /FlateDecode]";
    let shown = miniz_oxide::deflate::compress_to_vec_zlib(b"q 595 0 0 842 0 0 cm /I Do Q", 6);
    let (content, content_filter, picture, size) = match holding {
        Holding::Content => (twice, filters, Vec::new(), 16),
        Holding::Pixels => (shown, "/Filter /FlateDecode", twice, 23_170),
        Holding::More => (shown, "/Filter /FlateDecode", twice, 1_000),
        Holding::Jbig2 => (shown, "/Filter /FlateDecode", jbig2(), 1_000),
    };
    let (picture_filter, bits) = match holding {
        Holding::Jbig2 => ("/Filter /JBIG2Decode", 1),
        _ => (filters, 8),
    };
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    let mut object = |out: &mut Vec<u8>, head: String, stream: Option<&[u8]>| {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n{head}\n", places.len()).bytes());
        if let Some(stream) = stream {
            out.extend(b"stream\n");
            out.extend(stream);
            out.extend(b"\nendstream\n");
        }
        out.extend(b"endobj\n");
    };
    object(&mut out, "<< /Type /Catalog /Pages 2 0 R >>".into(), None);
    object(&mut out, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(), None);
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
                /Resources << /XObject << /I 5 0 R >> >> >>";
    object(&mut out, page.into(), None);
    object(&mut out, format!("<< /Length {} {content_filter} >>", content.len()), Some(&content));
    let image = format!(
        "<< /Type /XObject /Subtype /Image /Width {size} /Height {size} /ColorSpace /DeviceGray \
         /BitsPerComponent {bits} {picture_filter} /Length {} >>",
        picture.len()
    );
    object(&mut out, image, Some(&picture));
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).bytes());
    places.iter().for_each(|at| out.extend(format!("{at:010} 00000 n \n").bytes()));
    out.extend(
        format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", places.len() + 1).bytes(),
    );
    out
}
