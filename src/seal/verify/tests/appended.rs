//! What other programs append and what hinders nobody; and what only looks like it.

use super::*;

fn coverage(world: &World, pdf: &[u8]) -> (CoverageClass, Vec<Update>) {
    let report = world.judge(pdf);
    let first = &report.signatures[0];
    (first.coverage, first.updates.iter().copied().collect())
}

#[test]
fn defaults_of_the_form_may_come_where_no_look_is_left_to_make() {
    let world = world();
    let fields = "[7 0 R 9 0 R 21 0 R]";
    let text = "<</FT/Tx/T(name)/V(Nguyen)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R";
    let look = stream("/Type/XObject/Subtype/Form/BBox[0 0 128 20]", "");
    let drawn = update(&paper(), &[(7, format!("{text}/AP<</N 40 0 R>>>>")), (40, look)]);
    let seal = |pdf: &[u8]| sign(pdf, 20, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    let (drawn, bare) = (seal(&drawn), world.good());
    let form = |more: &str| vec![(6, format!("<</Fields{fields}/SigFlags 3{more}>>"))];
    let allowed = (CoverageClass::WholeRevision, vec![Update::Metadata]);
    for more in ["/DA(/Helv 0 Tf 0 g)", "/DR<</Font<</Helv 10 0 R>>>>", "/Q 1", "/Q 0/DA(/Helv 0 Tf)/DR<<>>"]
    {
        assert_eq!(coverage(&world, &update(&drawn, &form(more))), allowed, "{more}");
        // A reader would draw the field that has no look.
        assert_eq!(coverage(&world, &update(&bare, &form(more))).0, CoverageClass::IllegalUpdates, "{more}");
        // And a reader that is told to does it anew.
        let asked = form(&format!("{more}/NeedAppearances true"));
        assert_eq!(coverage(&world, &update(&drawn, &asked)).0, CoverageClass::IllegalUpdates, "{more}");
    }
    for more in ["/DA 10 0 R", "/DR 40 0 R", "/DR[10 0 R]", "/DR<</Font 40 0 R>>", "/Q 7", "/Q/x"] {
        assert_eq!(coverage(&world, &update(&drawn, &form(more))).0, CoverageClass::IllegalUpdates, "{more}");
    }
    // What was there stays.
    let first = update(&drawn, &form("/DA(/Helv 0 Tf)"));
    assert_eq!(
        coverage(&world, &update(&first, &form("/DA(/Helv 0 Tf 1 g)"))).0,
        CoverageClass::IllegalUpdates
    );
    let asking = update(&paper(), &[(6, "<</Fields[7 0 R 9 0 R]/SigFlags 3/NeedAppearances true>>".into())]);
    let bodies = [(6, "<</Fields[7 0 R 9 0 R 21 0 R]/SigFlags 3/NeedAppearances true>>".to_owned())];
    let widget = "<</FT/Sig/T(Sig20)/V 20 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
    let others = [&bodies[..], &[(21, widget.to_owned()), (8, "[7 0 R 9 0 R 21 0 R]".to_owned())]].concat();
    let asking = mint::seal(&asking, 20, PADES, "", &others, &|o| cms(&world.officer, o, &Shape::default()));
    let more = form("/NeedAppearances true/DA(/Helv 0 Tf)");
    assert_eq!(coverage(&world, &update(&asking, &more)).0, CoverageClass::IllegalUpdates);
}

#[test]
fn marks_of_the_catalog_that_show_nothing_may_come() {
    let world = world();
    let good = world.good();
    let catalog = |more: &str| vec![(1, format!("<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R{more}>>"))];
    for more in [
        "/MarkInfo<</Marked true>>",
        "/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>>>",
        "/Extensions<</Type/Extensions/ISO_[<</BaseVersion/2.0/ExtensionLevel 32001/ExtensionRevision(:2022)/URL(x)>>]>>",
        "/Version/2.0",
    ] {
        let allowed = (CoverageClass::WholeRevision, vec![Update::Metadata]);
        assert_eq!(coverage(&world, &update(&good, &catalog(more))), allowed, "{more}");
    }
    let marked = update(&good, &catalog("/MarkInfo<</Marked true>>"));
    let other = update(&marked, &catalog("/MarkInfo<</Marked false>>"));
    assert_eq!(coverage(&world, &other).0, CoverageClass::IllegalUpdates);
}

/// A paper with objects that cannot be read: one whose stream is longer than it says, one that is nowhere.
fn damaged(more: &[(u32, String)]) -> Vec<u8> {
    let mut objects = vec![(40, "<</Length 2>>stream\nabcdef\nendstream".to_owned())];
    objects.extend_from_slice(more);
    let pdf = update(&paper(), &objects);
    let at = find(&pdf[paper().len()..], b"40 1\n") + paper().len();
    // Object 41 is said to stand at the very start.
    let rows = String::from_utf8_lossy(&pdf[at..at + 25]).into_owned();
    let size = find(&pdf[at..], b"/Size 41") + at;
    [
        &pdf[..at],
        rows.as_bytes(),
        b"41 1\n0000000000 00000 n \n",
        &pdf[at + 25..size],
        b"/Size 42",
        &pdf[size + 8..],
    ]
    .concat()
}

#[test]
fn what_cannot_be_read_hinders_nobody_until_somebody_points_to_it() {
    let world = world();
    let seal = |pdf: &[u8]| sign(pdf, 50, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    let signed = seal(&damaged(&[]));
    assert!(world.judge(&signed).is_proven());
    let twice = sign(&signed, 60, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    let report = world.judge(&twice);
    assert!(report.is_proven(), "{:?}", codes(&report));
    // An update that lists everything once more, and one that brings something unreadable of its own.
    let (prev, own) = (startxref(&signed), signed.len());
    let place = find(&signed, b"40 0 obj");
    let listed = format!(
        "xref\n40 2\n{place:010} 00000 n \n0000000000 00000 n \n99 1\n0000000007 00000 n \ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {prev}>>\nstartxref\n{own}\n%%EOF\n"
    );
    let listed = [&signed[..], listed.as_bytes()].concat();
    assert_eq!(coverage(&world, &listed).0, CoverageClass::WholeRevision);
    let used = update(&listed, &[(100, "<</Idle 99 0 R>>".into())]);
    assert_ne!(coverage(&world, &used).0, CoverageClass::WholeRevision);
    // The page needs it, from the start or by an update; or an update puts something into its place.
    for number in [40, 41] {
        let page = format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents[4 0 R {number} 0 R]/Annots 8 0 R/Resources<</Font<</F1 10 0 R>>>>>>"
        );
        let used = seal(&update(&damaged(&[]), &[(3, page.clone())]));
        let later = update(&used, &[(99, "<</Idle true>>".into())]);
        assert_ne!(coverage(&world, &later).0, CoverageClass::WholeRevision, "{number}");
        let idle = update(&signed, &[(99, format!("<</Idle {number} 0 R>>"))]);
        assert_ne!(coverage(&world, &idle).0, CoverageClass::WholeRevision, "{number}");
        for body in ["<</Idle true>>", ""] {
            let mended = update(&signed, &[(number, body.to_owned())]);
            assert_ne!(coverage(&world, &mended).0, CoverageClass::WholeRevision, "{number} {body}");
        }
    }
}

#[test]
fn a_certification_that_is_hidden_or_written_oddly_forbids_all_the_same() {
    let world = world();
    let dummy = "<</TransformMethod/UR3>>";
    let forbids = |p: &str| format!("<</TransformMethod/DocMDP/TransformParams<</P {p}/V/1.2>>>>");
    let signed = |extra: &str| {
        sign_with(&paper(), 20, PADES, extra, "", &|over| cms(&world.officer, over, &Shape::default()))
    };
    let text = "<</FT/Tx/T(name)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R/V(Tran)>>";
    for (extra, forbidden) in [
        (format!("/Reference[{}{}]", dummy.repeat(15), forbids("1")), true),
        (format!("/Reference[{}{}]", dummy.repeat(16), forbids("1")), true),
        (format!("/Reference[{}{}]", dummy.repeat(400), forbids("1")), true),
        (format!("/Reference[{}]", dummy.repeat(17)), true),
        (format!("/Reference[{}]", dummy.repeat(16)), false),
        (format!("/Reference[{}]", forbids("1.0")), true),
        (format!("/Reference[{}]", forbids("1.9")), true),
        (format!("/Reference[{}]", forbids("/x")), true),
        (format!("/Reference[{}]", forbids("-5")), true),
        (format!("/Reference[{}]", forbids("99")), true),
        (format!("/Reference[{}]", forbids("2.0")), false),
        (format!("/Reference {}", forbids("1")), true),
        ("/Reference[<</TransformMethod/Other>>]".to_owned(), true),
        ("/Reference[null]".to_owned(), true),
        (
            "/Reference[<</TransformMethod/FieldMDP/TransformParams<</Action/Include/Fields[/name]>>>>]"
                .to_owned(),
            true,
        ),
    ] {
        let first = signed(&extra);
        assert!(world.judge(&first).is_proven(), "{extra}");
        let filled = world.judge(&update(&first, &[(7, text.to_owned())]));
        assert_eq!(codes(&filled).contains(&"VRFY-062"), forbidden, "{extra}: {:?}", codes(&filled));
        assert_eq!(filled.is_proven(), !forbidden, "{extra}");
    }
}

#[test]
fn many_updates_of_many_pages_are_compared_by_what_changed() {
    let world = world();
    let count = 600;
    let pages: Vec<(u32, String)> = (100..100 + count)
        .map(|n| (n, "<</Type/Page/Parent 99 0 R/MediaBox[0 0 9 9]>>".to_owned()))
        .collect();
    let kids: String = (100..100 + count).map(|n| format!("{n} 0 R ")).collect();
    let tree = [
        (2, format!("<</Type/Pages/Kids[3 0 R 99 0 R]/Count {}>>", count + 1)),
        (99, format!("<</Type/Pages/Parent 2 0 R/Kids[{kids}]/Count {count}>>")),
    ];
    let first = update(&paper(), &[&tree[..], &pages].concat());
    let mut pdf = sign(&first, 5000, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    for _ in 0..30 {
        pdf = update(&pdf, &[(10, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".into())]);
    }
    let began = std::time::Instant::now();
    assert_eq!(coverage(&world, &pdf).0, CoverageClass::WholeRevision);
    println!("{:?} for 30 updates of {count} pages", began.elapsed());
    // A page's list of annotations is still known for what it is after many updates.
    let note = "<</Type/Annot/Subtype/FreeText/Rect[72 690 300 720]/Contents(khac)>>".to_owned();
    let noted = update(&pdf, &[(8, "[7 0 R 9 0 R 5001 0 R 5100 0 R]".into()), (5100, note)]);
    assert_eq!(coverage(&world, &noted).0, CoverageClass::IllegalUpdates);
    let own = update(&pdf, &[(150, "<</Type/Page/Parent 99 0 R/MediaBox[0 0 9 9]/Annots 8 0 R>>".into())]);
    assert_eq!(coverage(&world, &own).0, CoverageClass::IllegalUpdates);
}
