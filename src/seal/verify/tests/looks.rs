//! What a filled field shows, and all the ways of drawing its value so that people read something else.

use super::*;

/// A signed paper whose field `name` was filled with a value, and is drawn by this content.
fn filled(pdf: &[u8], value: &str, dict: &str, content: &str) -> Vec<u8> {
    let field = format!(
        "<</FT/Tx/T(name)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R/V({value})/AP<</N 31 0 R>>>>"
    );
    let look = stream(&format!("/Type/XObject/Subtype/Form{dict}"), content);
    update(pdf, &[(7, field), (31, look)])
}

const BOX: &str = "/BBox[0 0 128 20]/Resources<</Font<</Helv 10 0 R>>>>";

#[test]
fn a_value_drawn_as_people_read_it_is_taken_and_any_other_way_is_not() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let signed = mutants::bases(&pki).swap_remove(0).1;
    let judge = |pdf: &[u8]| Report::of(&verify_pdf(pdf, &anchors, now()), anchors.policy()).verdict;
    for content in [
        "/Tx BMC q BT /Helv 10 Tf 2 4 Td (19) Tj ET Q EMC",
        "/Tx BMC q 1 1 126 18 re W n BT 0 g /Helv 10 Tf 2 4 Td (19) Tj ET Q EMC",
        "/Tx BMC q BT /Helv 10 Tf 1 0 0 1 2 4 Tm (19) Tj ET Q EMC",
        "/Tx BMC q BT /Helv 1 Tf 10 0 0 10 2 4 Tm (19) Tj ET Q EMC",
        "BT /Helv 10 Tf 2 4 Td [(1) -50 (9)] TJ ET",
        "BT /Helv 10 Tf 2 4 Td (1) Tj (9) Tj ET",
        "BT /Helv 10 Tf 2 4 Td 2 Tc (19) Tj ET",
        // One letter to each cell.
        "BT /Helv 10 Tf 2 4 Td (1) Tj 20 0 Td (9) Tj ET",
        "BT /Helv 8 Tf 2 12 Td (1) Tj 0 -9 Td (9) Tj ET",
        "BT /Helv 8 Tf 9 TL 2 12 Td (1) Tj T* (9) Tj ET",
        "BT /Helv 8 Tf 9 TL 2 12 Td (1) Tj (9) ' ET",
    ] {
        assert_eq!(judge(&filled(&signed, "19", BOX, content)), Verdict::Valid, "{content}");
    }
    for content in [
        // Back in the line, over itself, or up.
        "BT /Helv 10 Tf 40 4 Td (1) Tj -20 0 Td (9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td (1) Tj ET BT /Helv 10 Tf 20 4 Td (9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td (1) Tj 1 0 0 1 20 4 Tm (9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td [(1) 2000 (9)] TJ ET",
        "BT /Helv 10 Tf 40 4 Td [(1) 90 90 90 90 90 90 90 90 90 90 90 90 (9)] TJ ET",
        "BT /Helv 10 Tf 40 4 Td [(1) 90] TJ [90] TJ [90 () 90 90 90 90 90 90 90 90 90 (9)] TJ ET",
        "BT /Helv 10 Tf -20 Tc 40 4 Td (19) Tj ET",
        "BT /Helv 10 Tf -20 Tw 40 4 Td (1 9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td 0 -20 (1) \" (9) Tj ET",
        "BT /Helv 8 Tf 2 3 Td (1) Tj 0 9 Td (9) Tj ET",
        "BT /Helv 8 Tf -9 TL 2 3 Td (1) Tj T* (9) Tj ET",
        "BT /Helv 8 Tf 2 3 Td (1) Tj 0 9 TD (9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td (1) Tj 2 0 Td (9) Tj ET",
        "BT /Helv 10 Tf 40 4 Td (1) Tj 0 -1 Td (9) Tj ET",
        // Mirrored, turned, slanted.
        "BT /Helv 10 Tf -1 0 0 1 60 4 Tm (19) Tj ET",
        "BT /Helv 10 Tf -1 0 0 -1 60 14 Tm (19) Tj ET",
        "BT /Helv -10 Tf 60 14 Td (19) Tj ET",
        "BT /Helv 10 Tf 1 0 5 1 2 4 Tm (19) Tj ET",
        // Cut off.
        "q 0 0 1 1 re W n BT /Helv 10 Tf 2 4 Td (19) Tj ET Q",
        "q 0 0 8 20 re W n BT /Helv 10 Tf 2 4 Td (19) Tj ET Q",
        "0 0 8 20 re W n q BT /Helv 10 Tf 2 4 Td (19) Tj ET Q",
        "q 0 0 128 6 re W* n BT /Helv 10 Tf 2 4 Td (19) Tj ET Q",
        "q 0 0 60 20 re W n 50 0 60 20 re W n BT /Helv 10 Tf 2 4 Td (19) Tj ET Q",
        "0 0 128 20 re 1 1 2 2 re W* n BT /Helv 10 Tf 2 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 118 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 2 4 Td [(1) -20000 (9)] TJ ET",
        "BT /Helv 10 Tf 2 -5 Td (19) Tj ET",
        "BT /Helv 10 Tf 2 15 Td (19) Tj ET",
        "BT /Helv 10 Tf -8 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 2 4 Td 300 Tc (19) Tj ET",
        // Not to be seen.
        "BT /Helv 10 Tf 3 Tr 2 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 7 Tr 2 4 Td (19) Tj ET",
        "BT /Helv 0 Tf 2 4 Td (19) Tj ET",
        "BT /Helv 0.5 Tf 2 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 0.01 0 0 0.01 2 4 Tm (19) Tj ET",
        "BT /Helv 10 Tf 0.1 0 0 1 2 4 Tm (19) Tj ET",
        "BT /Helv 10 Tf 1 Tz 2 4 Td (19) Tj ET",
        "BT /Helv 10 Tf 2 4 Td 1 g (19) Tj ET",
        "/OC /Hidden BDC BT /Helv 10 Tf 2 4 Td (19) Tj ET EMC",
        "BT /Helv 10 Tf 2 4 Td 30 Ts (19) Tj ET",
        "0.001 0 0 0.001 0 0 cm BT /Helv 10 Tf 2 4 Td (19) Tj ET",
        // Outside of a text object, or without a font.
        "/Helv 10 Tf 2 4 Td (19) Tj",
        "BT 2 4 Td (19) Tj ET",
        "Q BT /Helv 10 Tf 2 4 Td (19) Tj ET",
    ] {
        assert_ne!(judge(&filled(&signed, "19", BOX, content)), Verdict::Valid, "{content}");
    }
}

#[test]
fn the_box_of_a_look_neither_shrinks_nor_turns_nor_hides_it() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let signed = mutants::bases(&pki).swap_remove(0).1;
    let judge = |dict: &str| {
        let pdf = filled(&signed, "19", dict, "BT /Helv 10 Tf 2 4 Td (19) Tj ET");
        Report::of(&verify_pdf(&pdf, &anchors, now()), anchors.policy()).verdict
    };
    let font = "/Resources<</Font<</Helv 10 0 R>>>>";
    for dict in [
        "/BBox[0 0 128 20]",
        "/BBox[0 0 128 20]/Matrix[1 0 0 1 0 0]",
        "/BBox[128 20 0 0]",
        "/BBox[0 0 120 22]",
    ] {
        assert_eq!(judge(&format!("{dict}{font}")), Verdict::Valid, "{dict}");
    }
    for dict in [
        "",
        "/BBox[0 0 0 0]",
        "/BBox[0 0 1 1]",
        "/BBox[0 0 12800 2000]",
        "/BBox[0 0 128 2000]",
        "/BBox[0 0 12800 20]",
        "/BBox[-128 0 8 20]",
        "/BBox[0 0 128 20]/Matrix[-1 0 0 -1 0 0]",
        "/BBox[0 0 128 20]/Matrix[-1 0 0 1 0 0]",
        "/BBox[0 0 128 20]/Matrix[0 1 -1 0 0 0]",
        "/BBox[0 0 128 20]/Matrix[1 0 0 1]",
        "/BBox[0 0 128 20]/OC<</Type/OCG/Name(x)>>",
        "/BBox[0 0 128 20]/Group<</S/Transparency>>",
    ] {
        assert_ne!(judge(&format!("{dict}{font}")), Verdict::Valid, "{dict}");
    }
    for font in [
        "/Type/Font/Subtype/Type1/BaseFont/Helvetica/FirstChar 49/LastChar 57/Widths[0 0 0 0 0 0 0 0 -900]",
        "/Type/Font/Subtype/Type1/BaseFont/HelveticaUpsideDown",
        "/Type/Font/Subtype/Type1/BaseFont/Symbol",
        "/Type/Font/Subtype/Type3/BaseFont/Helvetica",
        "/Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/MacExpertEncoding",
        "/Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</BaseEncoding/MacExpertEncoding>>",
        "/Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Differences[49/nine 57/one]>>",
    ] {
        let dict = format!("/BBox[0 0 128 20]/Resources<</Font<</Helv<<{font}>>>>>>");
        assert_ne!(judge(&dict), Verdict::Valid, "{font}");
    }
}
