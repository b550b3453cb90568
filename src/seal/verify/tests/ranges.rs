//! Byte ranges and the holes in them, of every shape but the right one.

use super::*;

#[test]
fn byte_ranges_of_every_wrong_shape_are_refused() {
    let world = world();
    let good = world.good();
    let start = find(&good, b"/ByteRange ") + 11;
    let range = &good[start..start + 36];
    let text = String::from_utf8_lossy(range).into_owned();
    let numbers: Vec<usize> = text.trim_matches(['[', ']']).split(' ').map(|n| n.parse().unwrap()).collect();
    let (before, after, rest) = (numbers[1], numbers[2], numbers[3]);
    let shapes = [
        "null".to_owned(),
        "[]".to_owned(),
        "[0 0 0 0]".to_owned(),
        format!("[0 {}]", good.len()),
        format!("[0 {before} {after}]"),
        format!("[0 {before} {after} {rest} 0 0]"),
        format!("[1 {before} {after} {rest}]"),
        format!("[0 -{before} {after} {rest}]"),
        format!("[0 {before} {after} -{rest}]"),
        format!("[0 {after} {before} {rest}]"),
        format!("[0 {before} {} {}]", after + 1, rest - 1),
        format!("[0 {} {after} {rest}]", before - 10),
        format!("[0 {before} {after} {}]", rest + 1),
        format!("[0 {before} {after} 9223372036854775807]"),
        format!("[0 {before} {after}.0 {rest}]"),
    ];
    for shape in shapes {
        let mut changed = good.clone();
        let padded = format!("{shape:<36}");
        if padded.len() > 36 {
            continue;
        }
        changed[start..start + 36].copy_from_slice(padded.as_bytes());
        let report = world.judge(&changed);
        assert_ne!(report.signatures[0].coverage, CoverageClass::Whole, "{shape}");
        assert!(codes(&report).contains(&"VRFY-036"), "{shape}: {:?}", codes(&report));
    }
}

#[test]
fn a_range_that_leaves_the_tail_out_is_partial_even_where_its_digest_fits() {
    let world = world();
    // Signed over less than the revision: the digest fits, the coverage does not.
    let mut pdf = world.good();
    let start = find(&pdf, b"/ByteRange ") + 11;
    let open = find(&pdf, b"/Contents <") + 10;
    let close = open + HOLE + 2;
    let short = pdf.len() - close - 30;
    pdf[start..start + 36].copy_from_slice(format!("[0 {open:010} {close:010} {short:010}]").as_bytes());
    let over = [&pdf[..open], &pdf[close..close + short]].concat();
    let digits = hex::encode(cms(&world.officer, &over, &Shape::default()));
    pdf[open + 1..close - 1].fill(b'0');
    pdf[open + 1..open + 1 + digits.len()].copy_from_slice(digits.as_bytes());
    let report = world.judge(&pdf);
    assert_eq!(report.signatures[0].integrity, Integrity::Intact);
    assert_eq!(report.signatures[0].coverage, CoverageClass::Partial);
    assert!(!report.is_proven());
}

#[test]
fn a_hole_that_is_another_dictionarys_is_refused() {
    let world = world();
    let good = world.good();
    // Wrapping: a later dictionary borrows the signed range and contents of the first.
    let value = good[find(&good, b"20 0 obj")..].to_vec();
    let value = String::from_utf8_lossy(&value[9..find(&value, b"endobj")]).into_owned();
    let wrapped = update(
        &good,
        &[
            (30, value),
            (31, "<</FT/Sig/T(Copy)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>".into()),
            (6, "<</Fields[7 0 R 9 0 R 21 0 R 31 0 R]/SigFlags 3>>".into()),
        ],
    );
    let report = world.judge(&wrapped);
    let copy = report.signatures.iter().find(|s| s.field == "Copy").unwrap();
    assert!(copy.problems.iter().any(|p| p.code == "VRFY-036"));
    assert!(!report.is_proven());
    // Two fields that share one signature.
    let shared = update(
        &good,
        &[
            (31, "<</FT/Sig/T(Copy)/V 20 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>".into()),
            (6, "<</Fields[7 0 R 9 0 R 21 0 R 31 0 R]/SigFlags 3>>".into()),
        ],
    );
    assert!(!world.judge(&shared).is_proven());
}
