//! Objects that updates may touch, prepared to be something else as well, and fields whose look is another's.

use super::*;

/// A paper with these objects, signed.
fn prepared(world: &World, objects: &[(u32, String)]) -> Vec<u8> {
    let paper = update(&paper(), objects);
    let signed = sign(&paper, 50, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    let report = world.judge(&signed);
    assert!(report.is_proven(), "{:?}", codes(&report));
    signed
}

fn page(resources: &str, content: u32) -> String {
    format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents[4 0 R {content} 0 R]/Annots 8 0 R/Resources<</Font<</F1 10 0 R>>{resources}>>>>"
    )
}

fn debt() -> String {
    let text = "BT /F1 40 Tf 72 300 Td (NO TIEN) Tj ET";
    stream("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</Font<</F1 10 0 R>>>>", text)
}

/// Whether every signature's paper is found changed without permission.
fn is_illegal(world: &World, pdf: &[u8]) -> bool {
    let report = world.judge(pdf);
    report.signatures.first().is_some_and(|s| s.coverage == CoverageClass::IllegalUpdates)
        && codes(&report).contains(&"VRFY-040")
}

const FORM: &str = "/AcroForm 6 0 R";

#[test]
fn an_object_with_a_role_that_a_page_uses_too_may_not_be_changed() {
    let world = world();
    let catalog = |more: &str| format!("<</Type/Catalog/Pages 2 0 R{FORM}{more}>>");
    let content = |text: &str| (41, stream("", text));
    type Objects = Vec<(u32, String)>;
    let cases: Vec<(&str, Objects, Objects)> = vec![
        (
            "catalog painted",
            vec![(3, page("/XObject 1 0 R", 41)), content("/Extensions Do")],
            vec![(1, catalog("/Extensions 99 0 R")), (99, debt())],
        ),
        (
            "catalog as graphics state",
            vec![
                (3, page("/ExtGState 1 0 R", 41)),
                (1, catalog("/Extensions<<>>")),
                content("/Extensions gs BT /F1 9 Tf 72 500 Td (tru khi) Tj ET"),
            ],
            vec![(1, catalog("/Extensions<</ca 0>>"))],
        ),
        (
            "catalog's metadata painted",
            vec![(3, page("/XObject 1 0 R", 41)), content("/Metadata Do")],
            vec![(1, catalog("/Metadata 99 0 R")), (99, debt())],
        ),
        (
            "information painted",
            vec![(3, page("/XObject 5 0 R", 41)), content("/Producer Do")],
            vec![(5, "<</Producer 99 0 R/Title(Quyet dinh)>>".into()), (99, debt())],
        ),
        (
            "evidence painted",
            vec![
                (3, page("/XObject 42 0 R", 41)),
                (1, catalog("/DSS 42 0 R")),
                (42, "<</Certs[]>>".into()),
                content("/CRLs Do"),
            ],
            vec![(42, "<</Certs[]/CRLs 99 0 R>>".into()), (99, debt())],
        ),
        (
            "a field's date painted",
            vec![
                (3, page("/XObject 43 0 R", 41)),
                (6, "<</Fields[7 0 R 9 0 R 43 0 R]/SigFlags 3>>".into()),
                (43, "<</FT/Tx/T(t)>>".into()),
                content("/M Do"),
            ],
            vec![(43, "<</FT/Tx/T(t)/M 99 0 R>>".into()), (99, debt())],
        ),
        (
            "a button's value as a colour space",
            vec![
                (3, page("/ColorSpace 43 0 R", 41)),
                (6, "<</Fields[7 0 R 9 0 R 43 0 R]/SigFlags 3>>".into()),
                (43, "<</FT/Btn/T(t)/V/DeviceGray>>".into()),
                content("/V cs 1 sc 0 0 99 99 re f"),
            ],
            vec![(43, "<</FT/Btn/T(t)/V/DeviceCMYK>>".into())],
        ),
        (
            "the form's defaults as fonts",
            vec![(3, page("/XObject 6 0 R", 41)), content("/DR Do")],
            vec![(6, "<</Fields[7 0 R 9 0 R 51 0 R]/SigFlags 3/DR 99 0 R>>".into()), (99, debt())],
        ),
        (
            "through an object that only points on",
            vec![
                (3, page("/ColorSpace 44 0 R", 41)),
                (44, "43 0 R".into()),
                (6, "<</Fields[7 0 R 9 0 R 43 0 R]/SigFlags 3>>".into()),
                (43, "<</FT/Btn/T(t)/V/DeviceGray>>".into()),
                content("/V cs 1 sc 0 0 99 99 re f"),
            ],
            vec![(43, "<</FT/Btn/T(t)/V/DeviceCMYK>>".into())],
        ),
    ];
    for (name, before, after) in cases {
        let mut before = before;
        if before.iter().any(|(number, _)| *number == 43) {
            // The mint lists its own fields anew when it signs.
            before.retain(|(number, _)| *number != 6);
            before.push((8, "[7 0 R 9 0 R]".into()));
            let paper = update(&paper(), &before);
            let list = "7 0 R 9 0 R 43 0 R 51 0 R";
            let widget =
                "<</FT/Sig/T(Sig50)/V 50 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
            let others = [
                (51, widget.to_owned()),
                (8, "[7 0 R 9 0 R 51 0 R]".to_owned()),
                (6, format!("<</Fields[{list}]/SigFlags 3>>")),
            ];
            let signed =
                seal(&paper, 50, PADES, "", &others, &|over| cms(&world.officer, over, &Shape::default()));
            assert!(world.judge(&signed).is_proven(), "{name}");
            assert!(is_illegal(&world, &update(&signed, &after)), "{name}");
            continue;
        }
        let signed = prepared(&world, &before);
        assert!(is_illegal(&world, &update(&signed, &after)), "{name}");
    }
}

#[test]
fn values_of_another_shape_are_refused_wherever_they_are_not_used_yet() {
    let world = world();
    let good = world.good();
    let catalog = |more: &str| (1, format!("<</Type/Catalog/Pages 2 0 R{FORM}{more}>>"));
    let fields = "[7 0 R 9 0 R 21 0 R]";
    let text = "/FT/Tx/T(name)/V(Nguyen)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R";
    for objects in [
        vec![catalog("/Extensions 99 0 R"), (99, debt())],
        vec![catalog("/Extensions<</ca 0>>")],
        vec![catalog("/Extensions<</ADBE<</ca 0>>>>")],
        vec![catalog("/MarkInfo 99 0 R"), (99, debt())],
        vec![catalog("/MarkInfo<</Marked 99 0 R>>"), (99, debt())],
        vec![catalog("/DSS 99 0 R"), (99, debt())],
        vec![catalog("/DSS<</CRLs 99 0 R>>"), (99, debt())],
        vec![catalog("/DSS<</CRLs[<</ca 0>>]>>")],
        vec![catalog("/DSS<</VRI 99 0 R>>"), (99, debt())],
        vec![catalog("/DSS<</VRI<</AB 99 0 R>>>>"), (99, debt())],
        vec![catalog("/Metadata 99 0 R"), (99, "<</Type/Metadata/Subtype/XML>>".into())],
        vec![(5, "<</Producer 99 0 R/Title(Quyet dinh)>>".into()), (99, debt())],
        vec![(5, "<</Producer(x)/Title(Quyet dinh)/ModDate<</ca 0>>>>".into())],
        vec![(7, format!("<<{text}/M 99 0 R>>")), (99, debt())],
        vec![(7, format!("<<{text}/M<</ca 0>>>>"))],
        // A look that is several, for a key of the signed file to choose from.
        vec![(7, format!("<<{text}/AP<</N 99 0 R>>>>")), (99, "<</On 98 0 R>>".into()), (98, debt())],
        vec![(6, format!("<</Fields{fields}/SigFlags 3/DR 99 0 R>>")), (99, debt())],
    ] {
        assert!(is_illegal(&world, &update(&good, &objects)), "{objects:?}");
    }
}

#[test]
fn the_look_of_a_signature_that_stands_with_the_field_above_stays_as_it_was() {
    let world = world();
    let kid = |look: u32| {
        format!(
            "<</Type/Annot/Subtype/Widget/Parent 52 0 R/F 132/P 3 0 R/Rect[72 400 400 460]/AP<</N {look} 0 R>>>>"
        )
    };
    let look = |text: &str| {
        let text = format!("BT /F1 30 Tf 4 4 Td ({text}) Tj ET");
        stream("/Type/XObject/Subtype/Form/BBox[0 0 328 60]/Resources<</Font<</F1 10 0 R>>>>", &text)
    };
    // The signature as an object, and in the field itself.
    for reference in [true, false] {
        let others = |value: &str| {
            vec![
                (52, format!("<</FT/Sig/T(Officer)/Kids[53 0 R]{value}>>")),
                (53, kid(54)),
                (54, look("Da ky")),
                (8, "[7 0 R 9 0 R 53 0 R]".to_owned()),
                (6, "<</Fields[7 0 R 9 0 R 52 0 R]/SigFlags 3>>".to_owned()),
            ]
        };
        let seal_it = |over: &[u8]| cms(&world.officer, over, &Shape::default());
        let signed = if reference {
            seal(&paper(), 50, PADES, "", &others("/V 50 0 R"), &seal_it)
        } else {
            let mut others = others("");
            others.remove(0);
            seal_within(&paper(), 52, "/FT/Sig/T(Officer)/Kids[53 0 R]", &others, &seal_it)
        };
        let report = world.judge(&signed);
        assert!(report.is_proven(), "{:?}", codes(&report));
        let swapped = update(&signed, &[(53, kid(99)), (99, look("Duyet chi 1000000"))]);
        assert!(is_illegal(&world, &swapped), "reference {reference}");
        let moved = kid(54).replace("/F 132", "/F 132/M(D:2027)");
        assert!(is_illegal(&world, &update(&signed, &[(53, moved)])), "reference {reference}");
    }
}

/// As the mint's `seal`, with the signature dictionary right in its field.
fn seal_within(
    pdf: &[u8],
    field: u32,
    keys: &str,
    others: &[(u32, String)],
    cms: &dyn Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let hole = "0".repeat(HOLE);
    let range = "[0 0000000000 0000000000 0000000000]";
    let value =
        format!("<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/{PADES}/ByteRange {range}/Contents <{hole}>>>");
    let mut out = update(pdf, &[&[(field, format!("<<{keys}/V {value}>>"))], others].concat());
    let open = pdf.len() + find(&out[pdf.len()..], format!("<{hole}>").as_bytes());
    let close = open + HOLE + 2;
    let text = format!("[0 {open:010} {close:010} {:010}]", out.len() - close);
    let at = pdf.len() + find(&out[pdf.len()..], range.as_bytes());
    out[at..at + text.len()].copy_from_slice(text.as_bytes());
    let digits = hex::encode(cms(&[&out[..open], &out[close..]].concat()));
    out[open + 1..open + 1 + digits.len()].copy_from_slice(digits.as_bytes());
    out
}

#[test]
fn a_field_without_a_signature_draws_nothing_not_by_a_widget_below_it_either() {
    let world = world();
    let good = world.good();
    let kid = |parent: u32| {
        format!(
            "<</Type/Annot/Subtype/Widget/Parent {parent} 0 R/Rect[0 0 595 842]/F 4/P 3 0 R/AP<</N 34 0 R>>>>"
        )
    };
    let lists = |field: u32, widget: u32| {
        [
            (6, format!("<</Fields[7 0 R 9 0 R 21 0 R {field} 0 R]/SigFlags 3>>")),
            (8, format!("[7 0 R 9 0 R 21 0 R {widget} 0 R]")),
            (34, debt()),
        ]
    };
    for value in ["", "/V null", "/V 9999 0 R"] {
        let field = (30, format!("<</FT/Sig/T(Evil){value}/Kids[31 0 R]>>"));
        let objects = [&lists(30, 31)[..], &[field, (31, kid(30))]].concat();
        assert!(is_illegal(&world, &update(&good, &objects)), "{value}");
        // Two levels up.
        let above = (30, format!("<</FT/Sig/T(Evil){value}/Kids[32 0 R]>>"));
        let between = (32, "<</T(x)/Parent 30 0 R/Kids[31 0 R]>>".to_owned());
        let objects = [&lists(30, 31)[..], &[above, between, (31, kid(32))]].concat();
        assert!(is_illegal(&world, &update(&good, &objects)), "{value}, two levels");
    }
    // A widget that says that it belongs to somebody else.
    let field = (30, "<</FT/Sig/T(Evil)/Kids[31 0 R]>>".to_owned());
    let objects = [&lists(30, 31)[..], &[field, (31, kid(21))]].concat();
    assert!(is_illegal(&world, &update(&good, &objects)));
    // One that is signed may show itself below.
    let objects = [
        &lists(32, 33)[..],
        &[(32, "<</FT/Sig/T(Second)/V 30 0 R/Kids[33 0 R]>>".to_owned()), (33, kid(32))],
    ]
    .concat();
    let twice = seal(&good, 30, PADES, "", &objects, &|o| cms(&world.officer, o, &Shape::default()));
    let report = world.judge(&twice);
    assert!(report.is_proven(), "{:?}", codes(&report));
    assert!(report.signatures[0].notes.iter().any(|note| note.code == "VRFY-064"));
}

#[test]
fn a_signer_may_lock_its_widget_and_not_show_or_hide_it() {
    let world = world();
    let waiting = |flags: &str, more: &str| {
        format!("<</FT/Sig/T(Waiting)/Type/Annot/Subtype/Widget/Rect[72 90 200 120]{flags}/P 3 0 R{more}>>")
    };
    for (before, after, proven) in [
        ("", "/F 132", true),
        ("", "/F 4", true),
        ("/F 4", "/F 132", true),
        ("/F 4", "/F 644", true),
        ("/F 132", "/F 132", true),
        ("/F 4", "/F 4/Ff 1", true),
        ("/F 4", "/F 4/DA(/Helv 0 Tf)", true),
        ("/F 4", "/F 6", false),
        ("/F 4", "/F 36", false),
        ("/F 4", "/F 5", false),
        ("/F 6", "/F 4", false),
        ("/F 132", "/F 4", false),
        ("/F 4", "", false),
        ("/F 4", "/F 132.0", false),
        ("/F 4", "/F 4/Ff 2", false),
    ] {
        let first = sign(&update(&paper(), &[(9, waiting(before, ""))]), 20, PADES, &|over| {
            cms(&world.officer, over, &Shape::default())
        });
        let second = seal(&first, 30, PADES, "", &[(9, waiting(after, "/V 30 0 R"))], &|over| {
            cms(&world.officer, over, &Shape::default())
        });
        let report = world.judge(&second);
        assert_eq!(report.is_proven(), proven, "{before} to {after}: {:?}", codes(&report));
    }
}
