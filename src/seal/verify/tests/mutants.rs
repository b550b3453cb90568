//! Signed papers that are good, and what an attacker would make of them; the class is the label. Good and bad ones come in
//! every shape of file, with and without a time stamp.

use super::mint::*;

/// A file to be judged.
pub(super) struct Case {
    /// What kind of attack, or of a good file.
    pub(super) class: &'static str,
    /// Which one.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

const PADES: &str = "ETSI.CAdES.detached";
const STAMP: &str = "ETSI.RFC3161";
const PAGE: &str = "/Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots 8 0 R/Resources<</Font<</F1 10 0 R>>/XObject<</X 11 0 R>>>>";
const FIELD: &str = "/FT/Tx/T(name)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R";
const FIELDS: &str = "[7 0 R 9 0 R 21 0 R";

/// The base files that everything is made from: shape and level.
pub(super) fn bases(pki: &Pki) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for (style, word) in [(Style::Table, "table"), (Style::Packed, "packed")] {
        let paper = paper_in(style);
        out.push((format!("{word} B-B"), sign(&paper, 20, PADES, &|o| pki.cms(o, &Shape::default()))));
        out.push((format!("{word} B-T"), sign(&paper, 20, PADES, &|o| pki.stamped(o))));
    }
    out
}

/// Files that must be found good.
pub(super) fn good(pki: &Pki) -> Vec<Case> {
    let plain = |over: &[u8]| pki.cms(over, &Shape::default());
    let mut cases = Vec::new();
    for (base, pdf) in bases(pki) {
        let mut add = |name: &str, bytes: Vec<u8>| {
            cases.push(Case { class: "good", name: format!("{base}, {name}"), bytes });
        };
        add("as signed", pdf.clone());
        add("signed twice", sign(&pdf, 26, PADES, &plain));
        add("an object that nobody needs", update(&pdf, &[(30, "<</Idle true>>".into())]));
        add(
            "the same font once more",
            update(&pdf, &[(10, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".into())]),
        );
        add("dates", update(&pdf, &[(5, "<</Producer(other)/Title(Quyet dinh)/ModDate(D:2026)>>".into())]));
        add("a field filled in", update(&pdf, &[(7, format!("<<{FIELD}/V(Tran)>>"))]));
        add("a field filled in and drawn", update(&pdf, &drawn("(Tran) Tj", "Tran")));
        let filled = "<</FT/Sig/T(Waiting)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
        add("a waiting field signed", seal(&pdf, 30, PADES, "", &[(9, filled.into())], &plain));
        add("archived", archived(pki, &pdf));
    }
    for (level, style) in [(2, Style::Table), (3, Style::Packed)] {
        let certified = sign_with(&paper_in(style), 20, PADES, &certify_as(level), "", &plain);
        let mut add = |name: &str, bytes: Vec<u8>| {
            cases.push(Case { class: "good", name: format!("certified P={level}, {name}"), bytes });
        };
        add("as signed", certified.clone());
        add("signed again", sign(&certified, 26, PADES, &plain));
        add("a field filled in", update(&certified, &[(7, format!("<<{FIELD}/V(Tran)>>"))]));
    }
    let locked = sign_with(&paper(), 20, PADES, &lock("Include", "(other)"), "", &plain);
    cases.push(Case {
        class: "good",
        name: "another field locked".into(),
        bytes: update(&locked, &[(7, format!("<<{FIELD}/V(Tran)>>"))]),
    });
    let first = sign_with(&paper(), 20, PADES, &certify_as(1), "", &plain);
    cases.push(Case { class: "good", name: "certified P=1, archived".into(), bytes: archived(pki, &first) });
    cases
}

/// Files that must not be found good.
pub(super) fn bad(pki: &Pki) -> Vec<Case> {
    let mut cases = Vec::new();
    for (base, pdf) in bases(pki) {
        let before = cases.len();
        updates(&pdf, &mut cases);
        forgeries(&pdf, &mut cases);
        structure(&pdf, &mut cases);
        flips(&pdf, &mut cases);
        for case in &mut cases[before..] {
            case.name = format!("{base}, {}", case.name);
        }
    }
    shapes_of_cms(pki, &mut cases);
    permissions(pki, &mut cases);
    stores(pki, &mut cases);
    shadows(pki, &mut cases);
    cases
}

/// Incremental saving, annotations, shadows by later updates.
fn updates(pdf: &[u8], cases: &mut Vec<Case>) {
    let black = || stream("", "0 0 595 842 re f");
    let annotation =
        |kind: &str| format!("<</Type/Annot/Subtype/{kind}/Rect[72 690 300 720]/Contents(khac)>>");
    let with_30 = || (8, format!("{FIELDS} 30 0 R]"));
    let fake = |more: &str| {
        format!("<</FT/Sig/T(Fake)/Type/Annot/Subtype/Widget/Rect[72 690 300 720]/F 4/P 3 0 R{more}>>")
    };
    let with_field = || (6, format!("<</Fields{FIELDS} 30 0 R]/SigFlags 3>>"));
    let look = || (31, stream("/Type/XObject/Subtype/Form/BBox[0 0 100 20]", "0 0 100 20 re f"));
    type Objects = Vec<(u32, String)>;
    let list: Vec<(&'static str, &str, Objects)> = vec![
        ("ISA", "page content replaced", vec![(4, black())]),
        ("ISA", "content added", vec![(3, format!("<<{PAGE}/Contents[4 0 R 30 0 R]>>")), (30, black())]),
        ("ISA", "page added", vec![(2, "<</Type/Pages/Kids[3 0 R 30 0 R]/Count 2>>".into()), (30, format!("<<{PAGE}/Contents 4 0 R>>"))]),
        ("ISA", "page tree replaced", vec![(1, "<</Type/Catalog/Pages 30 0 R/AcroForm 6 0 R>>".into()), (30, "<</Type/Pages/Kids[3 0 R]/Count 1>>".into())]),
        ("ISA", "action on opening", vec![(1, "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/OpenAction<</S/JavaScript/JS(x)>>>>".into())]),
        ("ISA", "page boxes", vec![(3, format!("<<{}/Contents 4 0 R>>", PAGE.replace("595", "200")))]),
        ("ISA", "another title", vec![(5, "<</Producer(test)/Title(Khac)>>".into())]),
        ("EAA", "free text", vec![with_30(), (30, annotation("FreeText"))]),
        ("EAA", "stamp", vec![with_30(), (30, annotation("Stamp"))]),
        ("EAA", "redaction", vec![with_30(), (30, annotation("Redact"))]),
        ("EAA", "annotation removed", vec![(8, "[9 0 R 21 0 R]".into())]),
        ("SSA", "widget without a signature that draws", vec![with_30(), with_field(), (30, fake("/AP<</N 31 0 R>>")), look()]),
        ("SSA", "widget with a background", vec![with_30(), with_field(), (30, fake("/MK<</BG[0 0 0]>>"))]),
        ("SSA", "own widget moved", vec![(21, "<</FT/Sig/T(Sig20)/V 20 0 R/Type/Annot/Subtype/Widget/Rect[0 0 500 500]/F 132/P 3 0 R/AP<</N 31 0 R>>>>".into()), look()]),
        ("shadow hide", "picture emptied", vec![(11, stream("/Type/XObject/Subtype/Image/Width 0/Height 0/BitsPerComponent 8/ColorSpace/DeviceGray", ""))]),
        ("shadow hide", "picture freed", vec![(11, String::new())]),
        ("shadow hide", "content freed", vec![(4, String::new())]),
        ("shadow replace", "font exchanged", vec![(10, "<</Type/Font/Subtype/Type1/BaseFont/Symbol>>".into())]),
        ("shadow replace", "a field shows something else", drawn("(Khac) Tj", "Tran")),
        ("shadow replace", "a field shows nothing", drawn("", "Tran")),
        ("shadow replace", "a field shows paths", drawn("0 0 50 10 re f", "Tran")),
        ("shadow replace", "a field in white", drawn("1 g (Tran) Tj", "Tran")),
        ("form", "a field moved", vec![(7, "<</FT/Tx/T(name)/V(Nguyen)/Type/Annot/Subtype/Widget/Rect[0 0 595 842]/P 3 0 R>>".into())]),
        ("form", "a field with an action", vec![(7, format!("<<{FIELD}/V(Nguyen)/AA<</K<</S/JavaScript/JS(x)>>>>>>"))]),
        ("form", "a field removed", vec![(6, "<</Fields[9 0 R 21 0 R]/SigFlags 3>>".into())]),
        ("form", "a field added", vec![with_field(), (30, "<</FT/Tx/T(x)/V(y)>>".into())]),
        ("form", "looks asked for", vec![(6, format!("<</Fields{FIELDS}]/SigFlags 3/NeedAppearances true>>"))]),
        ("form", "the signature removed", vec![(6, "<</Fields[7 0 R 9 0 R]/SigFlags 3>>".into())]),
        ("form", "the signature's value removed", vec![(21, "<</FT/Sig/T(Sig20)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>".into())]),
        ("form", "the signature replaced", vec![(20, "<</Type/Sig/Filter/Adobe.PPKLite>>".into())]),
        ("form", "a signature field with an action", vec![with_field(), (30, "<</FT/Sig/T(x)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/AA<</E<</S/JavaScript/JS(x)>>>>>>".into())]),
        ("form", "a waiting field signed with nothing", vec![(9, "<</FT/Sig/T(Waiting)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>".into()), (30, "<</Type/Sig/SubFilter/ETSI.CAdES.detached>>".into())]),
    ];
    for (class, name, objects) in list {
        cases.push(Case { class, name: name.into(), bytes: update(pdf, &objects) });
    }
    let loose = |text: &str| [pdf, text.as_bytes()].concat();
    let body = "4 0 obj\n<</Length 16>>stream\n0 0 595 842 re f\nendstream\nendobj\n";
    let root = "trailer\n<</Size 100/Root 1 0 R>>\n";
    for (name, bytes) in [
        ("objects without cross-references", loose(body)),
        ("objects and a trailer", loose(&format!("{body}{root}%%EOF\n"))),
        ("objects and startxref 0", loose(&format!("{body}{root}startxref\n0\n%%EOF\n"))),
        (
            "cross-references that begin anew",
            loose(&format!("{body}xref\n0 0\n{root}startxref\n{}\n%%EOF\n", pdf.len() + body.len())),
        ),
    ] {
        cases.push(Case { class: "ISA", name: name.into(), bytes });
    }
}

/// The text field with a value and a look that draws this.
fn drawn(operators: &str, value: &str) -> Vec<(u32, String)> {
    let content = format!("/Tx BMC q BT /Helv 10 Tf 2 4 Td {operators} ET Q EMC");
    let look =
        stream("/Type/XObject/Subtype/Form/BBox[0 0 128 20]/Resources<</Font<</Helv 10 0 R>>>>", &content);
    vec![(7, format!("<<{FIELD}/V({value})/AP<</N 31 0 R>>>>")), (31, look)]
}

/// Universal forgery, wrapping, coverage: the range and the hole.
fn forgeries(pdf: &[u8], cases: &mut Vec<Case>) {
    let start = find(pdf, b"/ByteRange ") + 11;
    let text = String::from_utf8_lossy(&pdf[start..start + 36]).into_owned();
    let numbers: Vec<usize> = text.trim_matches(['[', ']']).split(' ').map(|n| n.parse().unwrap()).collect();
    let (before, after, rest) = (numbers[1], numbers[2], numbers[3]);
    let shapes = [
        ("USF", "null".to_owned()),
        ("USF", "[]".to_owned()),
        ("USF", "[0 0 0 0]".to_owned()),
        ("USF", format!("[0 {before} {after}]")),
        ("USF", format!("[0 {before} {after} {rest} 0 0]")),
        ("USF", format!("[0 -{before} {after} {rest}]")),
        ("USF", format!("[0 {before} {after} 9223372036854775807]")),
        ("coverage", format!("[0 {}]", pdf.len())),
        ("coverage", format!("[1 {before} {after} {rest}]")),
        ("coverage", format!("[0 {after} {before} {rest}]")),
        ("coverage", format!("[0 {before} {} {}]", after + 1, rest - 1)),
        ("coverage", format!("[0 {} {after} {rest}]", before - 10)),
        ("coverage", format!("[0 {before} {after} {}]", rest + 1)),
        ("coverage", format!("[0 {before} {after} {}]", rest - 1)),
    ];
    for (class, shape) in shapes {
        let padded = format!("{shape:<36}");
        if padded.len() == 36 {
            let mut bytes = pdf.to_vec();
            bytes[start..start + 36].copy_from_slice(padded.as_bytes());
            cases.push(Case { class, name: format!("ByteRange {}", shape.trim()), bytes });
        }
    }
    for (from, to, name) in [
        (&b"/ByteRange "[..], &b"/ByteRangX "[..], "ByteRange missing"),
        (b"/Contents <", b"/Contentx <", "Contents missing"),
        (b"/SubFilter/ETSI", b"/SubFiltes/ETSI", "SubFilter missing"),
    ] {
        let mut bytes = pdf.to_vec();
        let signature = find(pdf, b"20 0 obj");
        let at = signature + find(&pdf[signature..], from);
        bytes[at..at + to.len()].copy_from_slice(to);
        cases.push(Case { class: "USF", name: name.into(), bytes });
    }
    // The hole is not signed, so that what is put there is as free as its brackets let it be.
    let digits = &pdf[before + 1..after - 1];
    let cms = &digits[..digits.iter().rposition(|d| *d != b'0').unwrap() + 2];
    let hole = |text: &[u8]| {
        let mut bytes = pdf.to_vec();
        bytes[before..after].fill(b' ');
        bytes[before..before + text.len()].copy_from_slice(text);
        bytes
    };
    let holes: Vec<(&'static str, &str, Vec<u8>)> = vec![
        ("USF", "Contents null", hole(b"null")),
        ("USF", "Contents empty", hole(b"<>")),
        ("USF", "Contents 00", hole(b"<00>")),
        ("USF", "Contents all zeros", {
            let mut b = pdf.to_vec();
            b[before + 1..after - 1].fill(b'0');
            b
        }),
        ("SWA", "a second Contents in the hole", hole(&[b"<00>/Contents <", cms, b">"].concat())),
        ("SWA", "another key in the hole", hole(&[b"<", cms, b">/Evil(x)"].concat())),
        (
            "SWA",
            "an object in the hole",
            hole(
                &[
                    b"<",
                    cms,
                    b">>>endobj 4 0 obj<</Length 16>>stream\n0 0 595 842 re f\nendstream endobj 41 0 obj<<",
                ]
                .concat(),
            ),
        ),
        (
            "SWA",
            "cross-references in the hole",
            hole(&[b"<", cms, b">%\nxref\n0 0\ntrailer<</Root 1 0 R>>startxref\n0\n%%EOF"].concat()),
        ),
        ("SWA", "white space after the digits", hole(&[b"<", cms, b">"].concat())),
        ("SWA", "a literal string", hole(b"(x)")),
    ];
    for (class, name, bytes) in holes {
        cases.push(Case { class, name: name.into(), bytes });
    }
    let value = String::from_utf8_lossy(&pdf[find(pdf, b"20 0 obj") + 9..]).into_owned();
    let value = value[..value.find("endobj").unwrap()].to_owned();
    let copy = "<</FT/Sig/T(Copy)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
    let shared = copy.replace("30 0 R", "20 0 R");
    let list = (6, format!("<</Fields{FIELDS} 31 0 R]/SigFlags 3>>"));
    cases.push(Case {
        class: "SWA",
        name: "the signature dictionary copied".into(),
        bytes: update(pdf, &[(30, value), (31, copy.into()), list.clone()]),
    });
    cases.push(Case {
        class: "SWA",
        name: "two fields, one signature".into(),
        bytes: update(pdf, &[(31, shared), list]),
    });
    for (name, tail) in [
        ("junk after the end", &b"junk"[..]),
        ("a comment after the end", b"% hello there\n"),
        ("zeros after the end", &[0; 64]),
    ] {
        cases.push(Case { class: "coverage", name: name.into(), bytes: [pdf, tail].concat() });
    }
}

/// Cross-references that are broken, loop, or can be read twice.
fn structure(pdf: &[u8], cases: &mut Vec<Case>) {
    let mut add = |name: &str, bytes: Vec<u8>| {
        cases.push(Case { class: "structure", name: name.into(), bytes });
    };
    let at = startxref(pdf);
    let tail = |offset: usize| format!("startxref\n{offset}\n%%EOF\n");
    let cut = pdf.windows(9).rposition(|w| w == b"startxref").unwrap();
    for (name, offset) in [
        ("startxref one too far", at + 1),
        ("startxref one short", at - 1),
        ("startxref beyond", pdf.len() * 2),
    ] {
        add(name, [&pdf[..cut], tail(offset).as_bytes()].concat());
    }
    let own = pdf.len();
    let looped = format!(
        "xref\n0 0\ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {own}>>\n{}",
        tail(own)
    );
    add("Prev that names itself", [pdf, looped.as_bytes()].concat());
    let locked = format!(
        "xref\n0 0\ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {at}/Encrypt<</Filter/Standard/V 1/R 2/O<00>/U<00>/P -4>>>>\n{}",
        tail(own)
    );
    add("encrypted later", [pdf, locked.as_bytes()].concat());
    let hybrid = format!(
        "xref\n0 0\ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {at}/XRefStm {at}>>\n{}",
        tail(own)
    );
    add("hybrid", [pdf, hybrid.as_bytes()].concat());
    let font = "10 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Symbol>>\nendobj\n";
    let first = own + font.len();
    let twice = format!(
        "{font}xref\n10 1\n{:010} 00000 n \n10 1\n{own:010} 00000 n \ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {at}>>\n{}",
        find(pdf, b"%PDF"),
        tail(first)
    );
    add("one object in two places", [pdf, twice.as_bytes()].concat());
    let skipped =
        format!("xref\n0 0\ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]>>\n{}", tail(own));
    add("a chain that forgets the signed revision", [pdf, skipped.as_bytes()].concat());
    for part in 1..12 {
        add(&format!("cut after {part}/12"), pdf[..pdf.len() * part / 12].to_vec());
    }
    add("the last byte but one cut", pdf[..pdf.len() - 2].to_vec());
}

/// One bit in every region.
fn flips(pdf: &[u8], cases: &mut Vec<Case>) {
    let range = find(pdf, b"/ByteRange ") + 11;
    let open = find(pdf, b"/Contents <") + 10;
    let mut places: Vec<(&str, usize)> = vec![
        ("page", find(pdf, b"Quyet dinh so")),
        ("image", find(pdf, b"0123456789abcdef") + 7),
        ("xref", startxref(pdf) + 8),
        ("first xref", startxref(&pdf[..find(pdf, b"20 0 obj")]) + 8),
        ("ByteRange", range + 8),
        ("ByteRange end", range + 30),
        ("hole begins", open),
        ("hole ends", open + HOLE + 1),
        ("padding", open + HOLE - 20),
        ("trailer", pdf.len() - 40),
        ("header", 6),
    ];
    // In the signature data, found by their names; hexadecimal digits, so that a place is two of them.
    let data = |marker: &[u8]| {
        let marker = hex::encode(marker);
        open + pdf[open..open + HOLE].windows(marker.len()).position(|w| w == marker.as_bytes()).unwrap()
    };
    let oid = |tail: &[u8]| data(&[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01], tail].concat());
    let end = open + pdf[open..open + HOLE].iter().rposition(|d| *d != b'0').unwrap();
    places.extend([
        ("CMS type", oid(&[7, 2]) + 16),
        ("CMS version", oid(&[7, 2]) + 16 + 2 + 18 + 5),
        ("CMS hashes", data(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]) + 17),
        ("CMS certificate", data(b"TEST officer") + 7),
        ("CMS certificate's key", data(b"TEST officer") + 150),
        ("CMS message digest", oid(&[9, 4]) + 18 + 12),
        ("CMS content type", oid(&[9, 3]) + 18 + 20),
        ("CMS named certificate", oid(&[9, 16, 2, 47]) + 22 + 20),
        ("CMS end", end),
    ]);
    if pdf[open..].windows(24).any(|w| w == hex::encode(b"TEST stamper").as_bytes()) {
        places.extend([
            ("stamp data", oid(&[9, 16, 1, 4]) - 60),
            ("stamp contents", oid(&[9, 16, 1, 4]) + 22 + 30),
            ("stamp certificate", data(b"TEST stamper") + 7),
        ]);
    }
    for (region, place) in places {
        let mut bytes = pdf.to_vec();
        bytes[place] ^= if (open..open + HOLE).contains(&place) { 1 } else { 4 };
        cases.push(Case { class: "flip", name: region.into(), bytes });
    }
}

/// CMS of every wrong shape, and certificates that may not sign.
fn shapes_of_cms(pki: &Pki, cases: &mut Vec<Case>) {
    let other = certify(&ask("TEST other", &pki.inter)).certificate;
    let good = Shape::default();
    let foreign = |_: &[u8]| pki.token(b"something else");
    let late = |signature: &[u8]| token(&pki.stamper, signature, NOW + 3600, &Shape::default());
    let officer = |signature: &[u8]| token(&pki.officer, signature, NOW - 60, &Shape::default());
    let list: Vec<(&str, Shape<'_>)> = vec![
        ("content inside", Shape { content: Some(b"x"), ..good.clone() }),
        ("no signed attributes", Shape { attributes: false, ..good.clone() }),
        ("an attribute twice", Shape { twice: true, ..good.clone() }),
        ("another certificate named", Shape { ess: Some(&other), ..good.clone() }),
        ("no certificate named", Shape { no_ess: true, ..good.clone() }),
        ("two signers", Shape { signers: 2, ..good.clone() }),
        ("no signer", Shape { signers: 0, ..good.clone() }),
        ("SHA-1", Shape { sha1: true, ..good.clone() }),
        ("indefinite length", Shape { indefinite: true, ..good.clone() }),
        ("something in the padding", Shape { padding: &[0, 0, 1], ..good.clone() }),
        (
            "another content type",
            Shape { content_type: &[1, 2, 840, 113_549, 1, 9, 16, 1, 4], ..good.clone() },
        ),
        ("a time stamp over something else", Shape { stamp: Some(&foreign), ..good.clone() }),
        ("a time stamp from the future", Shape { stamp: Some(&late), ..good.clone() }),
        ("a time stamp by somebody who may not", Shape { stamp: Some(&officer), ..good.clone() }),
    ];
    for (name, shape) in list {
        let bytes = sign(&paper(), 20, PADES, &|over| pki.cms(over, &shape));
        cases.push(Case { class: "CMS", name: name.into(), bytes });
    }
    let mut encipher = openssl::x509::extension::KeyUsage::new();
    encipher.critical().key_encipherment();
    let stranger = root("TEST root");
    let asks = [
        Ask { rsa: Some(1024), ..ask("RSA 1024", &pki.inter) },
        Ask { usage: Some(encipher), ..ask("for encryption", &pki.inter) },
        Ask { usage: None, ..ask("no use named", &pki.inter) },
        Ask { stamping: true, ..ask("for time stamps", &pki.inter) },
        Ask { days: (-30, -1), ..ask("expired", &pki.inter) },
        Ask { days: (1, 30), ..ask("not yet valid", &pki.inter) },
        Ask {
            hash: openssl::hash::MessageDigest::sha1(),
            ..ask("certificate signed with SHA-1", &pki.inter)
        },
        ask("by an officer", &pki.officer),
        ask("by a stranger", &stranger),
    ];
    for ask in asks {
        let holder = certify(&ask);
        let above = vec![pki.inter.certificate.clone(), pki.officer.certificate.clone()];
        let shape = Shape { above, ..Shape::default() };
        let bytes = sign(&paper(), 20, PADES, &|over| cms(&holder, over, &shape));
        cases.push(Case { class: "certificate", name: ask.name.into(), bytes });
    }
}

fn certify_as(level: u8) -> String {
    format!(
        "/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P {level}/V/1.2>>>>]"
    )
}

fn lock(action: &str, fields: &str) -> String {
    format!(
        "/Reference[<</Type/SigRef/TransformMethod/FieldMDP/Data 1 0 R/TransformParams<</Type/TransformParams/Action/{action}/Fields[{fields}]/V/1.2>>>>]"
    )
}

/// What a signature forbids, done all the same.
fn permissions(pki: &Pki, cases: &mut Vec<Case>) {
    let plain = |over: &[u8]| pki.cms(over, &Shape::default());
    let fill = || vec![(7, format!("<<{FIELD}/V(Tran)>>"))];
    let mut add = |name: String, bytes: Vec<u8>| cases.push(Case { class: "permission", name, bytes });
    let look = || (31, stream("/Type/XObject/Subtype/Form/BBox[0 0 100 20]", "0 0 100 20 re f"));
    for style in [Style::Table, Style::Packed] {
        let one = sign_with(&paper_in(style), 20, PADES, &certify_as(1), "", &plain);
        add(format!("{style:?}, P=1, a field filled in"), update(&one, &fill()));
        add(format!("{style:?}, P=1, signed again"), sign(&one, 26, PADES, &plain));
        for level in [2, 3] {
            let two = sign_with(&paper_in(style), 20, PADES, &certify_as(level), "", &plain);
            let visible = "<</FT/Sig/T(Seen)/V 30 0 R/Type/Annot/Subtype/Widget/Rect[72 690 300 720]/F 132/P 3 0 R/AP<</N 31 0 R>>>>";
            let objects = [
                (32, visible.to_owned()),
                look(),
                (8, format!("{FIELDS} 32 0 R]")),
                (6, format!("<</Fields{FIELDS} 32 0 R]/SigFlags 3>>")),
            ];
            add(
                format!("{style:?}, P={level}, a visible field added"),
                seal(&two, 30, PADES, "", &objects, &plain),
            );
            let note = "<</Type/Annot/Subtype/FreeText/Rect[72 690 300 720]/Contents(khac)>>".to_owned();
            let objects = [(8, format!("{FIELDS} 30 0 R]")), (30, note)];
            add(format!("{style:?}, P={level}, a note over the text"), update(&two, &objects));
        }
        for (action, fields) in [("Include", "(name)"), ("All", ""), ("Exclude", "(other)")] {
            let locked = sign_with(&paper_in(style), 20, PADES, &lock(action, fields), "", &plain);
            add(format!("{style:?}, locked by {action}, filled in"), update(&locked, &fill()));
        }
    }
    let field = "<</FT/Sig/T(Sig20)/V 20 0 R/Lock<</Type/SigFieldLock/Action/All>>/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
    let objects =
        [(21, field.to_owned()), (8, format!("{FIELDS}]")), (6, format!("<</Fields{FIELDS}]/SigFlags 3>>"))];
    let locked = seal(&paper(), 20, PADES, "", &objects, &plain);
    add("locked by its field alone, filled in".into(), update(&locked, &fill()));
}

/// A signed file with evidence.
pub(super) fn stored(pki: &Pki, pdf: &[u8]) -> Vec<u8> {
    let hexed = |der: &[u8]| stream("/Filter/ASCIIHexDecode", &format!("{}>", hex::encode(der)));
    let [root, inter] = pki.lists();
    let der = |holder: &Holder| holder.certificate.to_der().unwrap();
    let objects = [
        (1, "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/DSS 60 0 R>>".to_owned()),
        (60, "<</Type/DSS/Certs 61 0 R/CRLs 62 0 R>>".to_owned()),
        (61, "[63 0 R 64 0 R 65 0 R]".to_owned()),
        (62, "[66 0 R 67 0 R]".to_owned()),
        (63, hexed(&der(&pki.officer))),
        (64, hexed(&der(&pki.inter))),
        (65, hexed(&der(&pki.root))),
        (66, hexed(&root)),
        (67, hexed(&inter)),
    ];
    update(pdf, &objects)
}

/// A signed file with evidence and a document time stamp over it.
pub(super) fn archived(pki: &Pki, pdf: &[u8]) -> Vec<u8> {
    let with_store = stored(pki, pdf);
    let widget = "<</FT/Sig/T(Archive)/V 70 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>";
    let objects = [
        (71, widget.to_owned()),
        (8, format!("{FIELDS} 71 0 R]")),
        (6, format!("<</Fields{FIELDS} 71 0 R]/SigFlags 3>>")),
    ];
    seal(&with_store, 70, STAMP, "", &objects, &|over| pki.token(over))
}

/// Security stores taken away or turned into something else.
fn stores(pki: &Pki, cases: &mut Vec<Case>) {
    for (base, pdf) in bases(pki) {
        let archived = archived(pki, &pdf);
        let page = |dss: &str| format!("<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R{dss}>>");
        for (name, objects) in [
            ("store removed", vec![(1, page(""))]),
            ("store emptied", vec![(60, "<</Type/DSS>>".to_owned())]),
            ("store replaced", vec![(1, page("/DSS 80 0 R")), (80, "<</Type/DSS>>".to_owned())]),
            ("lists removed", vec![(62, "[]".to_owned())]),
            ("a list exchanged", vec![(66, stream("", "x"))]),
            (
                "store of another shape",
                vec![(60, "<</Type/DSS/Certs 61 0 R/CRLs 62 0 R/Evil 4 0 R>>".to_owned())],
            ),
        ] {
            cases.push(Case {
                class: "DSS",
                name: format!("{base}, {name}"),
                bytes: update(&archived, &objects),
            });
        }
        let mut bytes = archived.clone();
        let at = find(&bytes, b"/Type/DSS");
        bytes[at + 7] ^= 1;
        cases.push(Case { class: "DSS", name: format!("{base}, store flipped"), bytes });
    }
}

/// What an author prepares before signing and switches on after it.
fn shadows(pki: &Pki, cases: &mut Vec<Case>) {
    let plain = |over: &[u8]| pki.cms(over, &Shape::default());
    let mut add = |name: &str, class: &'static str, bytes: Vec<u8>| {
        cases.push(Case { class, name: name.into(), bytes });
    };
    let planted =
        [&paper()[..], b"10 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Symbol>>\nendobj\n"].concat();
    let signed = sign(&planted, 20, PADES, &plain);
    let (at, prev, own) = (paper().len(), startxref(&signed), signed.len());
    let switch = format!(
        "xref\n10 1\n{at:010} 00000 n \ntrailer\n<</Size 100/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {prev}>>\nstartxref\n{own}\n%%EOF\n"
    );
    add("a planted font switched to", "shadow hide-and-replace", [&signed[..], switch.as_bytes()].concat());
    // The page's content is the document's metadata as well, or its security store's list.
    let metadata = stream("/Type/Metadata/Subtype/XML", "BT /F1 12 Tf 72 650 Td (x) Tj ET");
    let page = format!("<<{PAGE}/Contents[4 0 R 50 0 R]>>");
    let catalog = "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/Metadata 50 0 R>>".to_owned();
    let prepared = update(&paper(), &[(1, catalog), (3, page), (50, metadata)]);
    let signed = sign(&prepared, 20, PADES, &plain);
    let other = stream("/Type/Metadata/Subtype/XML", "0 0 595 842 re f");
    add("metadata that is the page's content", "shadow replace", update(&signed, &[(50, other)]));
    let catalog = "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/DSS<</Type/DSS/CRLs 51 0 R>>>>".to_owned();
    let prepared =
        update(&paper(), &[(1, catalog), (3, format!("<<{PAGE}/Contents 51 0 R>>")), (51, "[4 0 R]".into())]);
    let signed = sign(&prepared, 20, PADES, &plain);
    let objects = [(51, "[4 0 R 52 0 R]".to_owned()), (52, stream("", "0 0 595 842 re f"))];
    add("lists that are the page's content", "shadow replace", update(&signed, &objects));
    let page = format!("<<{}/Contents 4 0 R>>", PAGE.replace("/X 11 0 R", "/X 11 0 R/Y 40 0 R"));
    let signed = sign(&update(&paper(), &[(3, page)]), 20, PADES, &plain);
    let form = stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]", "0 0 9 9 re f");
    add("an object that was missing", "shadow hide-and-replace", update(&signed, &[(40, form)]));
    // Objects that the signed revision promises, and that only come with what is appended: behind its end, or across it.
    let unsigned = update(&paper(), &[(3, format!("<<{PAGE}/Contents[4 0 R 12 0 R]>>"))]);
    // The object's place and bytes that stand before the cross-references that promise it.
    let promised = |at: usize, before: &str| {
        let mut file = [&unsigned[..], before.as_bytes()].concat();
        let (prev, own) = (startxref(&file), file.len());
        let section = format!(
            "xref\n12 1\n{at:010} 00000 n \ntrailer\n<</Size 13/Root 1 0 R/Info 5 0 R/ID[<00><01>]/Prev {prev}>>\nstartxref\n{own}\n%%EOF\n"
        );
        file.extend_from_slice(section.as_bytes());
        sign(&file, 20, PADES, &plain)
    };
    let later = |signed: &[u8], tail: &str| {
        update(&[signed, tail.as_bytes()].concat(), &[(30, "<</Idle true>>".to_owned())])
    };
    let length = promised(0, "").len();
    let behind = promised(length, "");
    let black = "12 0 obj\n<</Length 16>>stream\n0 0 595 842 re f\nendstream\nendobj\n";
    add("an object behind the signed end", "shadow hide-and-replace", later(&behind, black));
    let across = |length: usize| format!("% 12 0 obj<</Length {length:07}>>stream\n");
    let from = unsigned.len();
    let signed = promised(from + 2, &across(0));
    let signed = promised(from + 2, &across(signed.len() - from - across(0).len()));
    add(
        "an object across the signed end",
        "shadow hide-and-replace",
        later(&signed, "\nendstream\nendobj\n"),
    );
    // A font of the file's own draws other letters than the value says.
    let font =
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/Differences[84/K/r/h]>>>>";
    let prepared = update(&paper(), &[(53, font.to_owned()), (54, "<</F 53 0 R>>".into())]);
    let signed = sign(&prepared, 20, PADES, &plain);
    let content = "/Tx BMC q BT /Helv 10 Tf 2 4 Td (Tran) Tj ET Q EMC";
    let look =
        stream("/Type/XObject/Subtype/Form/BBox[0 0 128 20]/Resources<</Font<</Helv 53 0 R>>>>", content);
    let objects = [(7, format!("<<{FIELD}/V(Tran)/AP<</N 31 0 R>>>>")), (31, look)];
    add("a font that draws other letters", "shadow replace", update(&signed, &objects));
}
