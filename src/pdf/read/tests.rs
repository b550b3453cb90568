//! Pages of every kind, and files that mean harm.

use super::*;
use lopdf::{Dictionary, ObjectId, Stream, dictionary};

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

/// The draft with states, spaces and forms to name.
fn resources(mut draft: Draft) -> Draft {
    let separation = vec![Object::from("Separation"), "Black".into(), "DeviceGray".into(), Object::Null];
    let profile = draft.document.add_object(Stream::new(dictionary! { "N" => 3 }, Vec::new()));
    let form = |draft: &mut Draft, high: i64| {
        let dict = dictionary! {
            "Subtype" => "Form", "BBox" => vec![0.into(), 0.into(), 144.into(), high.into()]
        };
        draft.document.add_object(Stream::new(dict, FULL.as_bytes().to_vec()))
    };
    let (half, whole) = (form(&mut draft, 144), form(&mut draft, 288));
    let image = draft.image;
    draft.page(
        "Resources",
        dictionary! {
            "XObject" => dictionary! { "Im0" => image, "Half" => half, "Whole" => whole },
            "ColorSpace" => dictionary! {
                "Black" => separation, "Icc" => vec![Object::from("ICCBased"), profile.into()]
            },
            "ExtGState" => dictionary! {
                "Faint" => dictionary! { "ca" => 0.2 },
                "Masked" => dictionary! { "SMask" => dictionary! { "S" => "Luminosity" } },
                "Blended" => dictionary! { "BM" => vec![Object::from("Multiply")] },
                "Plain" => dictionary! { "ca" => 1, "CA" => 1, "BM" => "Normal", "SMask" => "None", "TR2" => "Default" },
            },
        },
    )
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

fn why(draft: Draft) -> Foreign {
    match draft.body() {
        Body::Foreign(why) => why,
        Body::Image(_) => panic!("taken"),
    }
}

#[test]
fn what_is_not_one_full_image_is_named_and_kept() {
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

const WHITE_SPACES: &str = "/DeviceRGB cs 1 1 1 sc 0 0 144 288 re f /Icc cs 1 1 1 scn 0 0 144 288 re f";

#[test]
fn what_covers_the_scan_makes_the_page_foreign() {
    let after = |orders: &str| why(resources(scan(&format!("{FULL} {orders}"))));
    assert_eq!(after("1 1 1 rg 0 100 100 60 re f"), Foreign::Drawing);
    assert_eq!(after("1 g 0 100 100 60 re f"), Foreign::Drawing);
    assert_eq!(after("/Black cs 1 scn 0 60 100 40 re f"), Foreign::Drawing);
    // White on the paper before the scan is common; a bar in another space is not white because it says 1.
    let smaller = |before: &str| resources(scan(&format!("{before} q 136 0 0 272 4 8 cm /Im0 Do Q")));
    smaller(WHITE_SPACES).taken();
    assert_eq!(why(smaller("/Black cs 1 scn 0 0 144 288 re f")), Foreign::Drawing);
    let hidden = scan(&format!("/Black cs 1 scn 0 0 144 288 re f {FULL}"));
    resources(hidden).taken();
    let mask = || scan(FULL).image("ImageMask", true).image("BitsPerComponent", 1);
    mask().taken();
    let drawn =
        scan(&format!("0 60 100 40 re f {FULL}")).image("ImageMask", true).image("BitsPerComponent", 1);
    assert_eq!(why(drawn), Foreign::Drawing);
}

#[test]
fn what_hides_a_part_of_the_scan_makes_the_page_foreign() {
    let inside = |before: &str| resources(scan(&format!("q {before} 144 0 0 288 0 0 cm /Im0 Do Q")));
    for half in
        ["0 0 144 144 re W n", "0 0 m 144 0 l 144 144 l 0 144 l h W* n", "0 0 m 9 9 9 9 9 9 c W n", "W n"]
    {
        assert_eq!(why(inside(half)), Foreign::PartOfPage, "{half}");
    }
    assert_eq!(why(inside("BT 7 Tr (a) Tj ET")), Foreign::PartOfPage);
    // A path around the page, or around the image, takes nothing away; nor does one that is left again.
    for whole in ["0 0 144 288 re W n", "-9 300 m 200 300 l 200 -9 l -9 -9 l h W n", "q 0 0 9 9 re W n Q"] {
        inside(whole).taken();
    }
    resources(scan("q 144 0 0 288 0 0 cm 0 0 1 1 re W n /Im0 Do Q")).taken();
    assert_eq!(why(resources(scan("/Half Do"))), Foreign::PartOfPage);
    resources(scan("/Whole Do")).taken();
}

#[test]
fn transparency_and_layers_make_the_page_foreign() {
    let inside = |before: &str| resources(scan(&format!("q {before} 144 0 0 288 0 0 cm /Im0 Do Q")));
    for state in [
        "/Faint gs",
        "/Masked gs",
        "/Blended gs",
        "/Unknown gs",
        "/OC /Layer BDC",
        "/Faint gs /Plain gs /Blended gs",
    ] {
        assert_eq!(why(inside(state)), Foreign::Veiled, "{state}");
    }
    for state in ["/Plain gs", "/Faint gs /Plain gs", "/OC /Layer BDC EMC", "/P <</MCID 0>> BDC"] {
        inside(state).taken();
    }
    assert_eq!(why(resources(scan("/Faint gs /Whole Do"))), Foreign::Veiled);
    assert_eq!(why(scan(FULL).image("OC", dictionary! { "Type" => "OCG" })), Foreign::Veiled);
}

#[test]
fn what_lies_on_the_page_makes_it_foreign() {
    let with = |kind: &str, flags: i64| {
        let rect = vec![10.into(), 10.into(), 90.into(), 50.into()];
        let annotation = dictionary! { "Type" => "Annot", "Subtype" => kind, "Rect" => rect, "F" => flags };
        scan(FULL).page("Annots", vec![annotation.into()])
    };
    for kind in ["Stamp", "Square", "FreeText"] {
        assert_eq!(why(with(kind, 4)), Foreign::Annotations, "{kind}");
    }
    for (kind, flags) in [("Link", 4), ("Popup", 0), ("Stamp", 2), ("Widget", 4), ("Text", 32)] {
        with(kind, flags).taken();
    }
}

#[test]
fn a_small_turn_is_told_and_a_shear_is_foreign() {
    let tilt = |content: &str| scan(content).taken().tilt_deg;
    assert_eq!(tilt(FULL), 0.0);
    // cos and sin of 3 degrees: against the clock.
    let turned = "143.803 7.536 -15.073 287.605 7.635 -3.571 cm /Im0 Do";
    assert!((tilt(turned) + 3.0).abs() < 0.01);
    let image = scan(turned).page("Rotate", 90).taken();
    assert!((image.tilt_deg + 3.0).abs() < 0.01 && image.turns == 1);
    assert!((image.dpi.x - 10.0).abs() < 0.01 && (image.dpi.y - 10.0).abs() < 0.01);
    assert_eq!(why(scan("144 0 20 288 -10 0 cm /Im0 Do")), Foreign::Distorted);
    assert_eq!(scan(FULL).page("Rotate", 90.0).taken().turns, 1);
}

#[test]
fn what_a_page_cuts_away_and_what_it_leaves_around_its_scan_is_told() {
    let window = |draft: Draft| draft.taken().window.map(|w| (w.width, w.height, w.right, w.up));
    assert_eq!(window(scan(FULL)), None);
    assert_eq!(window(scan("143.5 0 0 288.4 0.2 0 cm /Im0 Do")), None, "what producers round to");
    let cropped = || scan(FULL).page("CropBox", vec![0.into(), 28.into(), 144.into(), 288.into()]);
    assert_eq!(window(cropped()), Some((144.0, 260.0, 0.0, -14.0)));
    assert_eq!(window(cropped().page("Rotate", 90)), Some((260.0, 144.0, -14.0, 0.0)));
    assert_eq!(window(cropped().page("Rotate", 180)), Some((144.0, 260.0, 0.0, 14.0)));
    assert_eq!(window(cropped().page("Rotate", 270)), Some((260.0, 144.0, 14.0, 0.0)));
    assert_eq!(window(cropped().page("UserUnit", 2)), Some((288.0, 520.0, 0.0, -28.0)));
    let margin = "140 0 0 280 2 4 cm /Im0 Do";
    assert_eq!(window(scan(margin)), Some((144.0, 288.0, 0.0, 0.0)));
}

#[test]
fn names_and_filters_are_understood_as_viewers_do() {
    scan("q 144 0 0 288 0 0 cm /#49m0 Do Q").taken();
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&[7; 800], 6);
    let file = draft(FULL, grey(), packed).image("Filter", vec![Object::from("Fl")]).bytes();
    let pdf = Pdf::open(&file[..], &bounds()).unwrap();
    let Body::Image(image) = pdf.page(1).unwrap().body else { panic!() };
    assert_eq!(pdf.image_bytes(&image).unwrap(), vec![7; 800]);
}

#[test]
fn orders_that_many_pages_share_are_followed_once() {
    let orders = format!("{} {FULL}", "0 0 m ".repeat(40_000));
    let mut draft = scan(&orders);
    let page = draft.document.get_dictionary(draft.page).unwrap().clone();
    let kids: Vec<Object> = (0..400).map(|_| draft.document.add_object(page.clone()).into()).collect();
    let tree = draft.document.get_dictionary_mut(draft.pages).unwrap();
    tree.set("Count", kids.len() as i64);
    tree.set("Kids", kids);
    let file = draft.bytes();
    let pdf = Pdf::open(&file[..], &bounds()).unwrap();
    // Each for itself they would be more than what a file may cost.
    assert!((1..=400).all(|number| matches!(pdf.page(number).unwrap().body, Body::Image(_))));
}

#[test]
fn orders_beyond_what_a_file_may_cost_are_not_followed() {
    let first = scan(FULL).bytes();
    let mut pdf = Pdf::open(&first[..], &bounds()).unwrap();
    for (tokens, bytes) in [(10, 1 << 20), (1 << 20, 10), (0, 1 << 20)] {
        pdf.surveys = Surveys::from(content::Budget { tokens, bytes });
        assert_eq!(pdf.page(1).unwrap().body, Body::Foreign(Foreign::Unreadable), "{tokens} {bytes}");
    }
    // What was followed is known without being paid for again.
    pdf.surveys = Surveys::from(content::Budget { tokens: 15, bytes: 1 << 20 });
    assert!((0..3).all(|_| matches!(pdf.page(1).unwrap().body, Body::Image(_))));
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

/// What became of every page of a tree that lists these kids and says that they are so many.
fn listed(kids: impl Fn(&mut Draft) -> Vec<Object>, count: i64) -> Vec<&'static str> {
    let mut draft = scan(FULL);
    let kids = kids(&mut draft);
    let tree = draft.document.get_dictionary_mut(draft.pages).unwrap();
    tree.set("Kids", kids);
    tree.set("Count", count);
    let pdf = Pdf::open(draft.bytes(), &bounds()).unwrap();
    (1..=pdf.pages())
        .map(|number| match pdf.page(number) {
            Ok(Page { body: Body::Image(_), .. }) => "scan",
            Ok(_) => "foreign",
            Err(fault) => fault.code.id,
        })
        .collect()
}

#[test]
fn no_page_of_a_tree_vanishes() {
    let absent = |draft: &mut Draft| Object::Reference(draft.document.new_object_id());
    let page = |draft: &Draft| Object::Reference(draft.page);
    let around = |draft: &Draft, middle| vec![page(draft), middle, page(draft)];
    let lost = ["scan", LOST.id, "scan"];
    assert_eq!(
        listed(
            |d| {
                let kid = absent(d);
                around(d, kid)
            },
            3
        ),
        lost
    );
    assert_eq!(
        listed(
            |d| {
                let kid = d.document.add_object(Object::Null).into();
                around(d, kid)
            },
            3
        ),
        lost
    );
    assert_eq!(
        listed(
            |d| {
                let kid = d.image.into();
                around(d, kid)
            },
            3
        ),
        lost
    );
    let other = |d: &mut Draft| d.document.add_object(dictionary! { "Type" => "Font" }).into();
    assert_eq!(
        listed(
            |d| {
                let kid = other(d);
                around(d, kid)
            },
            3
        ),
        lost
    );
    assert_eq!(listed(|d| around(d, d.pages.into()), 3), lost);
    // The same page twice, and one that is written in the list itself.
    assert_eq!(listed(|d| around(d, page(d)), 3), ["scan"; 3]);
    let direct = |d: &Draft| Object::Dictionary(d.document.get_dictionary(d.page).unwrap().clone());
    assert_eq!(listed(|d| around(d, direct(d)), 3), ["scan"; 3]);
}

#[test]
fn a_tree_of_another_number_of_pages_than_it_says_is_told() {
    let one = |d: &mut Draft| vec![d.page.into()];
    assert_eq!(listed(one, 1), ["scan"]);
    assert_eq!(listed(one, 3), ["scan", COUNT.id]);
    assert_eq!(listed(one, 0), ["scan", COUNT.id]);
}

#[test]
fn a_page_tree_that_repeats_its_kids_ends_at_the_bounds() {
    let mut looped = scan(FULL);
    let (pages, page) = (looped.pages, looped.page);
    let kids: Vec<Object> = std::iter::repeat_n(Object::from(page), 50_000).chain([pages.into()]).collect();
    looped.document.get_dictionary_mut(pages).unwrap().set("Kids", kids);
    assert_eq!(Pdf::open(looped.bytes(), &bounds()).err().unwrap().code.id, TOO_MANY_PAGES.id);
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
