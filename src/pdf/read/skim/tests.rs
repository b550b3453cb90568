//! A skimmed file against the whole one, on files that try to make them differ.

use super::*;
use crate::pdf::read::{Body, Pdf};
use std::fmt::Write as _;

fn bounds() -> Bounds {
    Bounds { pages: 50, stream_bytes: 1 << 20 }
}

/// Samples of a picture of 200 x 200, grey, each page its own; they hold words that structure is made of.
fn samples(page: usize) -> Vec<u8> {
    let mut samples: Vec<u8> = (0..40_000usize).map(|i| (i * (page + 3) % 251) as u8).collect();
    samples[90..110].copy_from_slice(b"\nendobj 7 0 obj <</a");
    samples[300..312].copy_from_slice(b">>\nstream\n12");
    samples
}

/// How a test file says the length of a picture.
#[derive(Clone, Copy)]
enum Length {
    Direct,
    Elsewhere,
    TooShort,
}

/// A file of `pages` pictures with a plain cross-reference table.
fn file(pages: usize, length: Length, eol: &str) -> Vec<u8> {
    let mut bytes = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    let mut object = |body: &[u8]| {
        let number = offsets.len() + 1;
        offsets.push(bytes.len());
        bytes.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(b"\nendobj\n");
    };
    object(b"<< /Type /Catalog /Pages 2 0 R >>");
    let kids: String = (0..pages).fold(String::new(), |mut kids, page| {
        let _ = write!(kids, "{} 0 R ", 3 + 4 * page);
        kids
    });
    object(format!("<< /Type /Pages /Count {pages} /Kids [{kids}] >>").as_bytes());
    for page in 0..pages {
        let first = 3 + 4 * page;
        object(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 144 144] /Contents {} 0 R /Resources << /XObject \
                 << /Im0 {} 0 R >> >> >>",
                first + 1,
                first + 2
            )
            .as_bytes(),
        );
        object(b"<< /Length 29 >>\nstream\nq 144 0 0 144 0 0 cm /Im0 Do Q\nendstream");
        let said = match length {
            Length::Direct => "40000".to_owned(),
            Length::Elsewhere => format!("{} 0 R", first + 3),
            Length::TooShort => "39000".to_owned(),
        };
        let mut picture = format!(
            "<< /Type /XObject /Subtype /Image /Width 200 /Height 200 /BitsPerComponent 8 /ColorSpace /DeviceGray \
             /Length {said} >>\nstream{eol}"
        )
        .into_bytes();
        picture.extend_from_slice(&samples(page));
        picture.extend_from_slice(b"\nendstream");
        object(&picture);
        object(b"40000");
    }
    let start = bytes.len();
    bytes.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).as_bytes());
    for offset in &offsets {
        bytes.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    let end = format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", offsets.len() + 1);
    bytes.extend_from_slice(end.as_bytes());
    bytes
}

fn pictures(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let pdf = Pdf::open(bytes, &bounds()).unwrap();
    let picture = |number| match pdf.page(number).unwrap().body {
        Body::Image(image) => {
            assert_eq!(image.encoded, 40_000);
            pdf.image_bytes(&image).unwrap()
        }
        Body::Foreign(why) => panic!("{why:?}"),
    };
    (1..=pdf.pages()).map(picture).collect()
}

#[test]
fn every_picture_is_read_from_where_it_lies() {
    for length in [Length::Direct, Length::Elsewhere] {
        for eol in ["\n", "\r\n", " \r\n", "\r"] {
            let found = pictures(file(3, length, eol));
            assert!(found.iter().enumerate().all(|(page, found)| *found == samples(page)), "{eol:?}");
        }
    }
}

#[test]
fn pictures_are_not_in_the_parsed_document() {
    let skimmed = Skimmed::load(file(3, Length::Direct, "\n").into(), &bounds()).unwrap().ok().unwrap();
    assert_eq!(skimmed.bodies.len(), 3);
    for object in skimmed.document.objects.values() {
        assert!(object.as_stream().map_or(0, |s| s.content.len()) < 100);
    }
}

#[test]
fn bytes_before_the_header_move_nothing() {
    let mut moved = b"\r\n\r\njunk of a mail gateway\r\n".to_vec();
    moved.extend(file(2, Length::Direct, "\n"));
    assert_eq!(pictures(moved), [samples(0), samples(1)]);
}

#[test]
fn a_wrong_length_gives_what_the_parser_makes_of_it_or_a_fault_but_never_black() {
    let pdf = Pdf::open(file(1, Length::TooShort, "\n"), &bounds()).unwrap();
    if let Ok(page) = pdf.page(1)
        && let Body::Image(image) = page.body
        && let Ok(found) = pdf.image_bytes(&image)
    {
        assert_eq!(found, samples(0));
    }
}

#[test]
fn a_picture_that_is_really_black_stays_a_picture() {
    let mut black = file(2, Length::Direct, "\n");
    let at = find(&black, &samples(0)).unwrap();
    black[at..at + 40_000].fill(0);
    let found = pictures(black);
    assert_eq!(found, [vec![0; 40_000], samples(1)]);
}

#[test]
fn a_black_stream_that_is_no_picture_to_the_mirror_is_not_lost() {
    // Without its Subtype the mirror keeps it; the parser still sees zeros and must not drop them.
    let mut odd = file(1, Length::Direct, "\n");
    let at = find(&odd, &samples(0)).unwrap();
    odd[at..at + 40_000].fill(0);
    let at = find(&odd, b"/Subtype /Image").unwrap();
    odd[at..at + 15].copy_from_slice(b"/Subtype /Wrong");
    let skimmed = Skimmed::load(odd.into(), &bounds()).unwrap().ok().unwrap();
    assert!(
        skimmed.document.objects.values().any(|o| o.as_stream().is_ok_and(|s| s.content.len() == 40_000))
    );
}

#[test]
fn the_mark_of_ours_in_a_foreign_file_means_nothing() {
    let mut bytes = file(1, Length::Direct, "\n");
    let at = find(&bytes, b"<< /Length 29 >>").unwrap();
    bytes.splice(at..at + 16, *b"<</Length 29/HosoLeftOut 5>>");
    let skimmed = Skimmed::load(bytes.into(), &bounds()).unwrap().ok();
    let marked = skimmed.iter().flat_map(|s| s.document.objects.values());
    let marked = marked.filter(|o| o.as_stream().is_ok_and(|s| s.dict.has(LEFT_OUT) && s.content.len() != 1));
    assert_eq!(marked.count(), 0);
}

#[test]
fn a_signature_between_the_pictures_is_seen_and_one_inside_a_picture_is_none() {
    let plain = file(2, Length::Direct, "\n");
    assert!(!Pdf::open(plain.clone(), &bounds()).unwrap().signed());
    let at = plain.len() - 40;
    let mut signed = plain.clone();
    signed.splice(at..at, b"\n% /ByteRange [0 1 2 3]\n".iter().copied());
    assert!(
        Pdf::open(signed, &bounds()).is_err() || {
            let mut again = plain.clone();
            again.extend_from_slice(b"% /ByteRange [0 1 2 3]\n%%EOF\n");
            Pdf::open(again, &bounds()).unwrap().signed()
        }
    );
    let mut inside = plain;
    let at = find(&inside, &samples(1)).unwrap() + 20_000;
    inside[at..at + 10].copy_from_slice(b"/ByteRange");
    assert!(!Pdf::open(inside, &bounds()).unwrap().signed());
}

#[test]
fn a_picture_without_its_end_swallows_no_object_behind_it() {
    let mut bytes = file(2, Length::Direct, "\n");
    let at = find(&bytes, b"endstream\nendobj\n6 0 obj").unwrap();
    bytes[at] = 0;
    let skimmed = Skimmed::load(bytes.into(), &bounds()).unwrap().ok().unwrap();
    // The content of the second page lies before the next `endstream`.
    assert!(skimmed.document.objects.contains_key(&(8, 0)));
}

#[test]
fn a_signature_behind_a_picture_without_its_end_is_seen() {
    let mut bytes = file(2, Length::Direct, "\n");
    // In the content of the second page, which lies before the next `endstream`.
    let first = find(&bytes, b"endstream\nendobj\n6 0 obj").unwrap();
    let content = first + find(&bytes[first..], b"\nstream\n").unwrap() + 8;
    bytes[content..content + BYTE_RANGE.len()].copy_from_slice(BYTE_RANGE);
    assert!(Skimmed::load(bytes.clone().into(), &bounds()).unwrap().ok().unwrap().byte_range);
    bytes[first] = 0;
    assert!(Skimmed::load(bytes.into(), &bounds()).unwrap().ok().unwrap().byte_range);
}

#[test]
fn a_length_that_reaches_over_objects_hides_none_of_them() {
    let mut bytes = file(2, Length::Direct, "\n");
    // To just before the end of the second page's content.
    let start = find(&bytes, &samples(0)).unwrap();
    let end = rfind(&bytes[..find(&bytes, &samples(1)).unwrap()], b"endstream").unwrap();
    let at = find(&bytes, b"/Length 40000").unwrap();
    bytes[at..at + 13].copy_from_slice(format!("/Length {}", end - start).as_bytes());
    let skimmed = Skimmed::load(bytes.into(), &bounds()).unwrap().ok().unwrap();
    assert!([7, 8].iter().all(|n| skimmed.document.objects.contains_key(&(*n, 0))));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
    #[test]
    fn damage_anywhere_gives_the_same_pictures_or_a_fault(at in 0usize..1.0e6 as usize, with in 0u8.., indirect: bool) {
        let mut bytes = file(2, if indirect { Length::Elsewhere } else { Length::Direct }, "\n");
        // What is not a sample is one byte in a hundred; it gets every second hit.
        let pictures = [0, 1].map(|n| find(&bytes, &samples(n)).unwrap());
        let structure: Vec<usize> =
            (0..bytes.len()).filter(|i| pictures.iter().all(|p| !(*p..p + 40_000).contains(i))).collect();
        let hit = if at % 2 == 0 { structure[at / 2 % structure.len()] } else { at / 2 % bytes.len() };
        bytes[hit] = with;
        let whole = |bytes: &[u8]| {
            let document = Document::load_mem_with_options(
                bytes,
                LoadOptions { max_decompressed_size: Some(1 << 20), ..LoadOptions::default() },
            );
            document.ok().map(|d| d.objects.values().filter_map(|o| o.as_stream().ok()).map(|s| s.content.clone()).collect::<Vec<_>>())
        };
        let skimmed = Skimmed::load(bytes.clone().into(), &bounds()).unwrap().ok().map(|s| {
            s.document
                .objects
                .iter()
                .filter_map(|(id, o)| Some((id, o.as_stream().ok()?)))
                .map(|(id, stream)| s.content(*id, stream).unwrap().into_owned())
                .collect::<Vec<_>>()
        });
        proptest::prop_assert_eq!(skimmed, whole(&bytes));
    }
}
