//! Pages of every kind, and files that mean harm.

use super::*;
use lopdf::{Stream, dictionary};

fn bounds() -> Bounds {
    Bounds { pages: 2_000, stream_bytes: 1 << 20 }
}

/// A document of one page whose dictionary, image and content can be changed before it is written.
struct Draft {
    document: Document,
    page: ObjectId,
    pages: ObjectId,
    image: ObjectId,
}

fn draft(content: &str, image: Dictionary, pixels: Vec<u8>) -> Draft {
    let mut document = Document::with_version("1.7");
    let pages = document.new_object_id();
    let image = document.add_object(Stream::new(image, pixels));
    let content = document.add_object(Stream::new(Dictionary::new(), content.as_bytes().to_vec()));
    let page =
        document.add_object(dictionary! { "Type" => "Page", "Parent" => pages, "Contents" => content });
    document.objects.insert(
        pages,
        Object::Dictionary(dictionary! {
            "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1,
            // Inherited by the page.
            "MediaBox" => vec![0.into(), 0.into(), 144.into(), 288.into()],
            "Resources" => dictionary! { "XObject" => dictionary! { "Im0" => image } },
        }),
    );
    let root = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    document.trailer.set("Root", root);
    Draft { document, page, pages, image }
}

fn grey() -> Dictionary {
    dictionary! {
        "Subtype" => "Image", "Width" => 20, "Height" => 40, "BitsPerComponent" => 8, "ColorSpace" => "DeviceGray"
    }
}

fn scan(content: &str) -> Draft {
    draft(content, grey(), vec![9; 800])
}

const FULL: &str = "q 144 0 0 288 0 0 cm /Im0 Do Q";

impl Draft {
    fn bytes(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.document.save_to(&mut out).unwrap();
        out
    }

    fn page(mut self, key: &str, value: impl Into<Object>) -> Self {
        self.document.get_dictionary_mut(self.page).unwrap().set(key, value);
        self
    }

    fn image(mut self, key: &str, value: impl Into<Object>) -> Self {
        let image = self.document.get_object_mut(self.image).and_then(Object::as_stream_mut).unwrap();
        image.dict.set(key, value);
        self
    }

    fn body(self) -> Body {
        Pdf::open(self.bytes(), &bounds()).unwrap().page(1).unwrap().body
    }

    fn taken(self) -> Image {
        match self.body() {
            Body::Image(image) => *image,
            Body::Foreign(why) => panic!("{why:?}"),
        }
    }
}

#[test]
fn resolution_is_pixels_over_the_inches_of_the_placement() {
    let image = scan(FULL).taken();
    assert_eq!((image.dpi.x, image.dpi.y, image.turns, image.mirrored), (10.0, 10.0, 0, false));
    let image = scan(FULL).page("UserUnit", 2).taken();
    assert_eq!((image.dpi.x, image.dpi.y), (5.0, 5.0));
}

#[test]
fn rotation_and_mirroring_come_from_page_and_matrix_together() {
    assert_eq!(scan(FULL).page("Rotate", 90).taken().turns, 1);
    assert_eq!(scan(FULL).page("Rotate", -90).taken().turns, 3);
    // Rows run up the page: turned a quarter against the clock.
    let upward = scan("q 0 288 -144 0 144 0 cm /Im0 Do Q").taken();
    assert_eq!((upward.turns, upward.mirrored), (3, false));
    let back = scan("q 0 288 -144 0 144 0 cm /Im0 Do Q").page("Rotate", 90).taken();
    assert_eq!(back.turns, 0);
    let mirrored = scan("q -144 0 0 288 144 0 cm /Im0 Do Q").taken();
    assert_eq!((mirrored.turns, mirrored.mirrored), (0, true));
}

#[test]
fn what_is_not_one_full_image_is_named_and_kept() {
    let why = |draft: Draft| match draft.body() {
        Body::Foreign(why) => why,
        Body::Image(_) => panic!("taken"),
    };
    assert_eq!(why(scan("")), Foreign::Empty);
    assert_eq!(why(scan("BT (a) Tj ET")), Foreign::Text);
    assert_eq!(why(scan("0 0 m 9 9 l S")), Foreign::Drawing);
    assert_eq!(why(scan(&format!("{FULL} {FULL}"))), Foreign::SeveralImages);
    assert_eq!(why(scan("q 72 0 0 72 0 0 cm /Im0 Do Q")), Foreign::PartOfPage);
    assert_eq!(why(scan(&format!("{FULL} BT (stamp) Tj ET"))), Foreign::Text);
    let jpx = || scan(FULL).image("Filter", "JPXDecode");
    assert_eq!(why(jpx().image("SMaskInData", 1)), Foreign::Jpeg2000);
    assert_eq!(why(jpx().image("ColorSpace", "DeviceCMYK")), Foreign::Jpeg2000);
    assert_eq!(
        why(scan(FULL).image("Filter", "JBIG2Decode").image("ColorSpace", "DeviceRGB")),
        Foreign::Coding
    );
    assert_eq!(why(scan(FULL).image("ColorSpace", "Pattern")), Foreign::Coding);
}

#[test]
fn a_layer_of_unseen_text_leaves_the_scan_a_scan() {
    let file = scan(&format!("{FULL} BT 3 Tr (layer) Tj ET")).bytes();
    let page = Pdf::open(&file[..], &bounds()).unwrap().page(1).unwrap();
    assert!(page.has_text && matches!(page.body, Body::Image(_)));
}

#[test]
fn samples_that_break_off_are_a_fault_and_never_filled() {
    let file = draft(FULL, grey(), vec![9; 799]).bytes();
    let pdf = Pdf::open(&file[..], &bounds()).unwrap();
    let Body::Image(image) = pdf.page(1).unwrap().body else { panic!() };
    assert_eq!(pdf.image_bytes(&image).unwrap_err().code.id, PIXELS.id);
}

#[test]
fn a_signature_anywhere_is_seen_and_an_empty_field_is_none() {
    let with = |field: Dictionary| {
        let mut draft = scan(FULL);
        draft.document.add_object(field);
        Pdf::open(draft.bytes(), &bounds()).unwrap().signed()
    };
    assert!(!with(dictionary! { "FT" => "Sig", "T" => Object::string_literal("a") }));
    assert!(with(dictionary! { "FT" => "Sig", "V" => dictionary! { "Type" => "Sig" } }));
    assert!(with(dictionary! { "ByteRange" => vec![0.into(), 1.into(), 2.into(), 3.into()] }));
}

#[test]
fn a_page_tree_that_loops_or_repeats_its_kids_ends() {
    let mut looped = scan(FULL);
    let (pages, page) = (looped.pages, looped.page);
    let kids: Vec<Object> = std::iter::repeat_n(Object::from(page), 50_000).chain([pages.into()]).collect();
    looped.document.get_dictionary_mut(pages).unwrap().set("Kids", kids);
    assert_eq!(Pdf::open(looped.bytes(), &bounds()).unwrap().pages(), 1);
}

#[test]
fn content_that_inflates_beyond_the_bounds_is_that_pages_fault() {
    let mut bomb = scan(FULL);
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 8 << 20], 6);
    let twice = miniz_oxide::deflate::compress_to_vec_zlib(&zeros, 6);
    let filters = vec![Object::from("FlateDecode"), "FlateDecode".into()];
    let id = bomb.document.add_object(Stream::new(dictionary! { "Filter" => filters }, twice));
    let file = bomb.page("Contents", id).bytes();
    let fault = Pdf::open(&file[..], &bounds()).unwrap().page(1).unwrap_err();
    assert_eq!(fault.code.id, CONTENT.id);
}

#[test]
fn files_without_pages_cut_files_and_encrypted_ones_have_their_own_codes() {
    let code = |bytes: &[u8]| Pdf::open(bytes, &bounds()).err().map(|f| f.code.id);
    assert_eq!(code(b"%PDF-1.7\n%%EOF\n"), Some(NO_PAGES.id));
    let whole = scan(FULL).bytes();
    assert_eq!(code(&whole), None);
    assert_eq!(code(&whole[..whole.len() / 2]), Some(CUT.id));
    let mut locked = scan(FULL);
    let lock = locked.document.add_object(dictionary! {
        "Filter" => "Standard", "V" => 1, "R" => 2, "P" => -4,
        "O" => Object::string_literal(vec![7u8; 32]), "U" => Object::string_literal(vec![8u8; 32]),
    });
    locked.document.trailer.set("Encrypt", lock);
    assert_eq!(code(&locked.bytes()), Some(ENCRYPTED.id));
}
