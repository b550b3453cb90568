//! What was appended to a signed paper: what a later revision may change, and all else by the object that gives it away.

use super::*;

#[test]
fn further_signatures_and_document_time_stamps_are_allowed() {
    let world = world();
    let twice = sign(&world.good(), 22, PADES, &|over| cms(&world.officer, over, &Shape::default()));
    let thrice =
        sign(&twice, 24, "ETSI.RFC3161", &|over| token(&world.stamper, over, NOW - 9, &Shape::default()));
    let report = world.judge(&thrice);
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.is_proven());
    let classes: Vec<_> = report.signatures.iter().map(|s| s.coverage).collect();
    assert_eq!(classes, [CoverageClass::WholeRevision, CoverageClass::WholeRevision, CoverageClass::Whole]);
    assert_eq!(
        report.signatures[0].updates.iter().copied().collect::<Vec<_>>(),
        [Update::Signature, Update::DocumentTimestamp]
    );
    // The document time stamp proves when; only revocation is left open.
    assert_eq!(report.signatures[0].not_checked.len(), 1);
}

#[test]
fn every_other_update_after_a_signature_is_illegal_and_names_its_object() {
    let world = world();
    let good = world.good();
    let stream = |text: &str| format!("<</Length {}>>stream\n{text}\nendstream", text.len());
    let page = "/Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots 8 0 R/Resources<</Font<</F1 10 0 R>>/XObject<</X 11 0 R>>>>";
    let free_text = "<</Type/Annot/Subtype/FreeText/Rect[72 690 300 720]/Contents(khac)>>".to_owned();
    let fields = "[7 0 R 9 0 R 21 0 R";
    type Case<'a> = (&'a str, Vec<(u32, String)>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("black box on the page", vec![(4, stream("0 0 595 842 re f"))], "object 4 0"),
        ("new content stream", vec![(3, format!("<<{page}/Contents[4 0 R 30 0 R]>>")), (30, stream("f"))], "object 3 0"),
        ("another page", vec![(2, "<</Type/Pages/Kids[3 0 R 30 0 R]/Count 2>>".into()), (30, format!("<<{page}/Contents 4 0 R>>"))], "object 2 0"),
        ("free text annotation", vec![(8, format!("{fields} 30 0 R]")), (30, free_text)], "object 8 0"),
        ("annotation removed", vec![(8, "[9 0 R 21 0 R]".into())], "object 8 0"),
        ("form field moved", vec![(7, "<</FT/Tx/T(name)/V(Tran)/Type/Annot/Subtype/Widget/Rect[72 600 500 720]/P 3 0 R>>".into())], "object 7 0"),
        ("form field added", vec![(6, format!("<</Fields{fields} 30 0 R]/SigFlags 3>>")), (30, "<</FT/Tx/T(x)/V(y)>>".into())], "object 30 0"),
        ("signature removed", vec![(6, "<</Fields[7 0 R 9 0 R]/SigFlags 3>>".into())], ""),
        ("appearances asked for", vec![(6, format!("<</Fields{fields}]/SigFlags 3/NeedAppearances true>>"))], "object 6 0"),
        ("font exchanged", vec![(10, "<</Type/Font/Subtype/Type1/BaseFont/Symbol>>".into())], "object 10 0"),
        ("catalog with an action", vec![(1, "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/OpenAction<</S/JavaScript/JS(x)>>>>".into())], "object 1 0"),
        ("another page tree", vec![(1, "<</Type/Catalog/Pages 30 0 R/AcroForm 6 0 R>>".into()), (30, "<</Type/Pages/Kids[3 0 R]/Count 1>>".into())], "object 1 0"),
        ("title exchanged", vec![(5, "<</Producer(test)/Title(Khac)>>".into())], "object 5 0"),
        ("object freed", vec![(4, String::new())], "object 4 0"),
        ("signature dictionary replaced", vec![(20, "<</Type/Sig/Filter/Adobe.PPKLite>>".into())], ""),
        ("field with an action", vec![
            (6, format!("<</Fields{fields} 30 0 R]/SigFlags 3>>")),
            (30, "<</FT/Sig/T(x)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/AA<</E<</S/JavaScript/JS(x)>>>>>>".into())], "object 30 0"),
        ("own signature field changed", vec![(21, "<</FT/Sig/T(Sig20)/V 20 0 R/Type/Annot/Subtype/Widget/Rect[0 0 500 500]/F 132/P 3 0 R/AP<</N 4 0 R>>>>".into())], "object 21 0"),
    ];
    for (name, objects, place) in cases {
        let report = world.judge(&update(&good, &objects));
        assert!(!report.is_proven(), "{name}");
        if place.is_empty() {
            continue;
        }
        let one = &report.signatures[0];
        assert_eq!(
            (one.integrity, one.coverage),
            (Integrity::Intact, CoverageClass::IllegalUpdates),
            "{name}: {:?}",
            codes(&report)
        );
        let problem = one.problems.iter().find(|p| p.code == "VRFY-040").unwrap_or_else(|| panic!("{name}"));
        assert_eq!(problem.place.as_deref(), Some(place), "{name}");
    }
}

#[test]
fn idle_updates_and_dates_are_allowed() {
    let world = world();
    let good = world.good();
    assert!(world.judge(&update(&good, &[(30, "<</Idle true>>".into())])).is_proven());
    let dated = update(&good, &[(5, "<</Producer(other)/Title(Quyet dinh)/ModDate(D:2026)>>".into())]);
    let report = world.judge(&dated);
    assert!(report.is_proven(), "{:?}", codes(&report));
    assert_eq!(report.signatures[0].updates.iter().copied().collect::<Vec<_>>(), [Update::Metadata]);
    // The same bytes written once more are no change.
    let again = update(&good, &[(10, "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>".into())]);
    assert!(world.judge(&again).is_proven());
}

#[test]
fn hide_and_replace_by_another_chain_is_illegal() {
    let world = world();
    let good = world.good();
    // An update whose xref chain forgets the signed revision and starts over.
    let content = "0 0 595 842 re f";
    let objects = [(4, format!("<</Length {}>>stream\n{content}\nendstream", content.len()))];
    let base_xref = startxref(&paper());
    let skipped = write(&good, &objects, "/Root 1 0 R/Info 5 0 R/ID[<00><01>]", Some(base_xref));
    assert!(!world.judge(&skipped).is_proven());
    // A second object with an old number lies inside the signed bytes and is switched to later.
    let planted =
        [&paper()[..], b"10 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Symbol>>\nendobj\n"].concat();
    let at = paper().len();
    let seal = |over: &[u8]| cms(&world.officer, over, &Shape::default());
    // The planted object stands after the first revision's end and is signed with it.
    let signed = sign(&planted, 20, PADES, &seal);
    assert!(world.judge(&signed).is_proven());
    let xref = signed.len();
    let prev = startxref(&signed);
    let switch = format!(
        "xref\n10 1\n{at:010} 00000 n \ntrailer\n<</Size 40/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {prev}>>\nstartxref\n{xref}\n%%EOF\n"
    );
    let report = world.judge(&[&signed[..], switch.as_bytes()].concat());
    assert_eq!(report.signatures[0].coverage, CoverageClass::IllegalUpdates);
    assert_eq!(report.signatures[0].problems[0].place.as_deref(), Some("object 10 0"));
}

#[test]
fn a_paper_certified_against_any_change_takes_no_second_signature() {
    let world = world();
    let certify =
        |level: u8| format!("/Reference[<</TransformMethod/DocMDP/TransformParams<</P {level}/V/1.2>>>>]");
    for (level, proven) in [(1, false), (2, true)] {
        let first = sign_with(&paper(), 20, PADES, &certify(level), "", &|over| {
            cms(&world.officer, over, &Shape::default())
        });
        assert!(world.judge(&first).is_proven());
        let twice = sign(&first, 22, PADES, &|over| cms(&world.officer, over, &Shape::default()));
        assert_eq!(world.judge(&twice).is_proven(), proven, "P={level}");
    }
}

#[test]
fn a_waiting_field_may_be_signed() {
    let world = world();
    let good = world.good();
    let filled = update(
        &good,
        &[
            (
                9,
                "<</FT/Sig/T(Waiting)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>"
                    .into(),
            ),
            (30, "<</Type/Sig/SubFilter/ETSI.CAdES.detached>>".into()),
        ],
    );
    let report = world.judge(&filled);
    assert_eq!(report.signatures[0].coverage, CoverageClass::WholeRevision, "{:?}", codes(&report));
    // What was put in is no signature, so the paper is not proven all the same.
    assert!(!report.is_proven());
}
