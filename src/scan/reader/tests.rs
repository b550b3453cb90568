use super::*;
use crate::page::{PageHead, Recoded};
use crate::pdf::archive;
use crate::sandbox::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use message::{Crossed, ImageHead};
use std::borrow::Cow;

fn jpeg() -> Vec<u8> {
    let bytes = (0..200 * 300).map(|i| if i % 7 < 3 { 20 } else { 240 }).collect();
    let samples = Samples { bytes, width: 200, height: 300, channels: 1 };
    crate::pdf::samples::encode_jpeg(&samples, 80).unwrap()
}

/// What a child would be asked and would answer, without the child.
fn through_the_pipe(bytes: &[u8], what: What) -> Answer {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let ask = Ask { length: bytes.len() as u64, limits: Limits::default(), what };
    Answering::default().answer(&serde_json::to_vec(&ask).unwrap(), Some(file.into()))
}

fn told(answer: &Answer) -> Told {
    serde_json::from_slice(&answer.header).unwrap()
}

#[test]
fn a_child_lists_and_judges_as_this_process_does() {
    let bytes = jpeg();
    let here = Reader::here().open(bytes.clone(), &Limits::default()).unwrap();
    let Told::Opened { kind, signed, pages } = told(&through_the_pipe(&bytes, What::Open)) else { panic!() };
    assert_eq!((kind, signed), (here.kind(), here.signed()));
    assert_eq!(message::pages(pages).unwrap(), here.pages());
    let (profile, codes) = (Profile::default(), Some(Policy::default()));
    let what = What::Judge { page: 1, profile: profile.clone(), codes: codes.clone() };
    let Told::Judged(judged) = told(&through_the_pipe(&bytes, what)) else { panic!() };
    assert_eq!(*judged, here.judge(1, &profile, codes.as_ref()).unwrap());
}

#[test]
fn a_page_comes_back_byte_for_byte_and_a_whole_original_is_not_sent() {
    let bytes = jpeg();
    let answer = through_the_pipe(&bytes, What::Image { page: 1, form: Form::Archive });
    assert!(answer.payload.is_empty());
    let Told::Image(head) = told(&answer) else { panic!() };
    let back = head.join(answer.payload, || Ok(bytes.clone())).unwrap().unwrap();
    assert_eq!(back, open(bytes, &Limits::default()).unwrap().page_image(1).unwrap());

    let image = |coding| {
        let plain = PageImage::plain(9, 2, 200.0, coding);
        PageImage { head: PageHead { turns: 1, mirrored: true, tilt_deg: -1.5, ..plain.head }, ..plain }
    };
    for coding in [
        Coding::Jpeg { bytes: vec![1, 2], components: 3, inverted: false, icc: Some(vec![3; 5]) },
        Coding::Jpeg { bytes: vec![1, 2], components: 4, inverted: true, icc: None },
        Coding::G4 { bytes: vec![4; 3], black_is_1: true },
        Coding::Jbig2 { bytes: vec![8; 3], globals: Some(vec![9; 2]), inverted: true },
        Coding::Jpx { bytes: vec![8; 3], components: 1, icc: None },
        Coding::Jpx { bytes: vec![8; 3], components: 3, icc: Some(vec![9; 2]) },
        Coding::Bilevel(vec![5; 4]),
        Coding::Grey(vec![6; 18]),
        Coding::Rgb(vec![7; 54]),
    ] {
        let (head, payload) = ImageHead::split(image(coding.clone()), false);
        let head: ImageHead = serde_json::from_slice(&serde_json::to_vec(&head).unwrap()).unwrap();
        assert_eq!(head.join(payload, || panic!()), Some(Ok(image(coding))));
    }
}

#[test]
fn pixels_that_do_not_fill_the_page_are_nonsense() {
    for coding in [Coding::Bilevel(vec![0; 3]), Coding::Grey(vec![0; 19]), Coding::Rgb(Vec::new())] {
        let (head, payload) = ImageHead::split(PageImage::plain(9, 2, 200.0, coding), false);
        assert_eq!(head.join(payload, || panic!()), None);
    }
    let coding = Coding::Jpeg { bytes: vec![], components: 3, inverted: false, icc: Some(vec![0; 9]) };
    let (head, _) = ImageHead::split(PageImage::plain(9, 2, 200.0, coding), true);
    assert_eq!(head.join(vec![0; 8], || panic!()), None);
}

#[test]
fn every_fault_of_a_page_comes_back_as_the_one_it_was() {
    let lists = [crate::scan::CODES, crate::pdf::CODES, crate::original::CODES, sandbox::CODES];
    for code in lists.into_iter().flatten() {
        let fault = Fault::new(code).detail("3 of 4").at("page 2");
        let back: Crossed =
            serde_json::from_slice(&serde_json::to_vec(&Crossed::of(&fault)).unwrap()).unwrap();
        assert_eq!(back.fault(), Some(fault));
    }
    let strange: Crossed = serde_json::from_str(r#"{"code":"SCAN-999","place":null,"detail":null}"#).unwrap();
    assert_eq!(strange.fault(), None);
    let loud = Fault::new(&GIVEN_UP).detail(format!("\u{1b}[31m{}", "x".repeat(9_000)));
    let quiet = Crossed::of(&loud).fault().unwrap().detail.unwrap();
    assert!(quiet.starts_with("[31mx") && quiet.len() == 400);
}

#[test]
fn a_drawn_page_is_upright_rgb_and_carries_nothing_of_its_file() {
    let mut bytes = jpeg();
    bytes.extend_from_slice(b"something that is no picture");
    let answer = through_the_pipe(&bytes, What::Image { page: 1, form: Form::Drawn });
    let Told::Image(head) = told(&answer) else { panic!() };
    let image = head.join(answer.payload, || panic!("not the original")).unwrap().unwrap();
    let Coding::Rgb(rgb) = &image.coding else { panic!("{:?}", image.coding) };
    assert_eq!((image.head.width, image.head.height, rgb.len()), (200, 300, 200 * 300 * 3));
    let here = Reader::here().open(bytes, &Limits::default()).unwrap();
    assert_eq!(&here.drawn(1).unwrap().bytes, rgb);
}

#[test]
fn a_refused_file_and_a_request_of_another_version_are_answered_with_their_fault() {
    let answer = through_the_pipe(b"PK\x03\x04 an archive", What::Open);
    let Told::Refused(fault) = told(&answer) else { panic!() };
    assert_eq!(fault.fault().unwrap().code.id, "SCAN-002");
    let answer = Answering::default().answer(b"{\"what\":\"Dance\"}", None);
    let Told::Refused(fault) = told(&answer) else { panic!() };
    assert_eq!(fault.fault().unwrap().code, &sandbox::NONSENSE);
}

#[test]
fn bytes_in_memory_are_handed_over_as_a_file_that_nobody_can_change() {
    let original = Original::from(&b"a page"[..]);
    let file = std::fs::File::from(copy(&original).unwrap().unwrap());
    assert_eq!(Original::handed_over(file.try_clone().unwrap(), 6).read(0..6).unwrap(), b"a page");
    assert!((&file).write_all(b"x").is_err());
    assert!(file.set_len(1).is_err());
}

/// 16 x 16, made by another program: black ink on the left half, none on the right, as Adobe writes CMYK.
const CMYK: &str = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlw\
    ZHhcZWdj/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAHCP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8A\
    oCgKAn4DQADP4DQD/9k=";

#[test]
fn cmyk_comes_out_of_the_box_in_rgb_and_the_archive_decodes_nothing_more() {
    let bytes = STANDARD.decode(CMYK.replace(char::is_whitespace, "")).unwrap();
    let luma = open(bytes.clone(), &Limits::default()).unwrap().luma(1).unwrap();
    assert!(luma.row(8)[2] < 20 && luma.row(8)[13] > 235, "{:?}", luma.row(8));
    let answer = through_the_pipe(&bytes, What::Image { page: 1, form: Form::Archive });
    let Told::Image(head) = told(&answer) else { panic!() };
    let image = head.join(answer.payload, || panic!("not the original")).unwrap().unwrap();
    assert_eq!(image.head.recoded, Some(Recoded::FromCmyk));
    let Coding::Jpeg { bytes: converted, components: 3, inverted: false, icc: None } = &image.coding else {
        panic!("{:?}", image.coding)
    };
    let luma = open(converted.clone(), &Limits::default()).unwrap().luma(1).unwrap();
    assert!(luma.row(8)[2] < 20 && luma.row(8)[13] > 235, "{:?}", luma.row(8));
    assert!(matches!(archive::in_rgb(&image), Ok(Cow::Borrowed(_))));
    // What the child says of it reaches whoever reads the notes of the archive.
    let page = archive::ArchivePage { image, skew_deg: 0.0 };
    let meta = archive::Metadata {
        title: String::new(),
        created: Some(jiff::Timestamp::UNIX_EPOCH),
        creator_tool: String::new(),
        dossier_code: None,
    };
    assert_eq!(archive::assemble(&[page], &meta).unwrap().notes, [archive::Note::CmykConverted { page: 1 }]);
}

#[test]
fn the_archive_gets_a_picture_without_what_lies_behind_its_end() {
    let picture = include_bytes!("../jpeg/samples/at_once.jpg");
    for (behind, stays) in [(&b""[..], true), (b"a map of depths", false)] {
        let bytes = [picture, behind].concat();
        let answer = through_the_pipe(&bytes, What::Image { page: 1, form: Form::Archive });
        let Told::Image(head) = told(&answer) else { panic!() };
        assert_eq!(answer.payload.is_empty(), stays);
        let image = head.join(answer.payload, || Ok(bytes.clone())).unwrap().unwrap();
        assert!(matches!(image.coding, Coding::Jpeg { bytes, .. } if bytes == picture));
    }
}
