//! Good papers and hostile ones, each class by its name.

mod mint;
mod mutants;

/// What the mint takes from the library.
mod ground {
    pub(super) use crate::cms::Parts;
    pub(super) use crate::der;
    pub(super) use crate::digest::Sha256;
}

use super::*;
use mint::*;
use openssl::hash::MessageDigest;
use openssl::x509::extension::KeyUsage;
use std::io::Write;

const PADES: &str = "ETSI.CAdES.detached";

struct World {
    root: Holder,
    inter: Holder,
    officer: Holder,
    stamper: Holder,
    anchors: Anchors,
}

fn world() -> World {
    let root = root("TEST root");
    let inter = intermediate("TEST inter", &root);
    let officer = certify(&ask("TEST officer", &inter));
    let stamper = certify(&Ask { stamping: true, ..ask("TEST stamper", &root) });
    let mut anchors = Anchors::default();
    anchors.add(root.certificate.clone());
    anchors.add(inter.certificate.clone());
    World { root, inter, officer, stamper, anchors }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Judged in memory and in a file where it lies, which must come to the same to the last word.
fn verify_pdf(bytes: &[u8], anchors: &Anchors, now: Timestamp) -> PdfReport {
    let report = super::verify_pdf(bytes, anchors, now);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let question = Question { anchors, at: now, as_of: false, online: None };
    let (there, whole) = verify_original(&Original::file(file).unwrap(), &question, true).unwrap();
    assert_eq!(report, there);
    assert_eq!(whole, Some(Sha256::of(bytes)));
    report
}

impl World {
    fn signed(&self, shape: &Shape<'_>) -> Vec<u8> {
        sign(&paper(), 20, PADES, &|over| cms(&self.officer, over, shape))
    }

    fn good(&self) -> Vec<u8> {
        self.signed(&Shape::default())
    }

    fn judge(&self, pdf: &[u8]) -> PdfReport {
        verify_pdf(pdf, &self.anchors, now())
    }
}

fn codes(report: &PdfReport) -> Vec<&str> {
    let all = report.signatures.iter().flat_map(|s| s.problems.iter().chain(&s.chain.problems));
    report.problems.iter().chain(all).map(|p| p.code.as_str()).collect()
}

#[test]
fn a_good_signature_is_intact_trusted_and_whole_and_says_what_was_not_checked() {
    let world = world();
    let report = world.judge(&world.good());
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.is_proven());
    let one = &report.signatures[0];
    assert_eq!(
        (one.integrity, one.coverage, one.level),
        (Integrity::Intact, CoverageClass::Whole, Level::BB)
    );
    assert_eq!(one.chain.path, ["TEST officer", "TEST inter", "TEST root"]);
    assert_eq!(one.chain.revocation, Revocation::Unknown);
    assert_eq!(one.not_checked.len(), 2);
    assert_eq!(one.signed_at.as_deref(), Some("2026-06-01T07:00:00+07:00"));
}

#[test]
fn without_anchors_nobody_is_trusted() {
    let world = world();
    let report = verify_pdf(&world.good(), &Anchors::default(), now());
    assert_eq!(report.signatures[0].chain.trust, Trust::Unknown);
    assert!(!report.is_proven());
    let mut stranger = Anchors::default();
    stranger.add(root("TEST root").certificate);
    stranger.add(world.inter.certificate.clone());
    let report = verify_pdf(&world.good(), &stranger, now());
    assert_eq!(report.signatures[0].chain.trust, Trust::Untrusted);
    assert!(!report.is_proven());
}

#[test]
fn no_flipped_bit_anywhere_leaves_the_paper_proven() {
    let world = world();
    let good = world.good();
    let hole = find(&good, b"/Contents <") + 11;
    let mut harmless = Vec::new();
    for place in 0..good.len() {
        // The padding is long and says the same everywhere.
        let same = place > hole + 4000 && place + 64 < hole + HOLE;
        if place % if same { 397 } else { 5 } != 0 {
            continue;
        }
        // Bit 5 tells capital letters from small ones, which hexadecimal digits do not.
        let bit = [0, 1, 2, 3, 4, 6][place % 6];
        let mut changed = good.clone();
        changed[place] ^= 1 << bit;
        if world.judge(&changed).is_proven() {
            let around = String::from_utf8_lossy(&good[place - 20..place + 20]).into_owned();
            harmless.push((place.wrapping_sub(hole), bit, around));
        }
    }
    assert_eq!(harmless, []);
}

#[test]
fn a_file_cut_anywhere_is_not_proven() {
    let world = world();
    let good = world.good();
    for length in (0..good.len() - 1).step_by(41).chain(good.len() - 60..good.len() - 1) {
        assert!(!world.judge(&good[..length]).is_proven(), "{length}");
    }
}

#[test]
fn bytes_after_the_end_are_reported_as_such() {
    let world = world();
    let junk = [&world.good()[..], b"junk"].concat();
    let report = world.judge(&junk);
    assert_eq!(report.signatures[0].coverage, CoverageClass::TrailingBytes);
    assert_eq!(report.signatures[0].integrity, Integrity::Intact);
    assert!(!report.is_proven());
    assert!(world.judge(&[&world.good()[..], b"\r\n"].concat()).is_proven());
}

#[test]
fn cms_of_every_wrong_shape_is_refused_for_its_own_reason() {
    let world = world();
    let other = certify(&ask("TEST other", &world.inter)).certificate;
    let good = Shape::default();
    let cases: Vec<(&str, Shape<'_>, &str)> = vec![
        ("content inside", Shape { content: Some(b"x"), ..good.clone() }, "VRFY-026"),
        ("no signed attributes", Shape { attributes: false, ..good.clone() }, "VRFY-030"),
        ("an attribute twice", Shape { twice: true, ..good.clone() }, "VRFY-031"),
        ("another certificate named", Shape { ess: Some(&other), ..good.clone() }, "VRFY-032"),
        ("no certificate named", Shape { no_ess: true, ..good.clone() }, "VRFY-032"),
        ("two signers", Shape { signers: 2, ..good.clone() }, "VRFY-025"),
        ("no signer", Shape { signers: 0, ..good.clone() }, "VRFY-025"),
        ("SHA-1", Shape { sha1: true, ..good.clone() }, "VRFY-028"),
        ("BER", Shape { indefinite: true, ..good.clone() }, "VRFY-023"),
        ("something in the padding", Shape { padding: &[0, 0, 1], ..good.clone() }, "VRFY-024"),
        (
            "another content type",
            Shape { content_type: &[1, 2, 840, 113_549, 1, 9, 16, 1, 4], ..good },
            "VRFY-026",
        ),
    ];
    for (name, shape, code) in cases {
        let report = world.judge(&world.signed(&shape));
        assert!(codes(&report).contains(&code), "{name}: {:?}", codes(&report));
        assert!(!report.is_proven(), "{name}");
    }
}

#[test]
fn certificates_that_may_not_sign_are_refused_for_their_own_reason() {
    let world = world();
    let mut encipher = KeyUsage::new();
    encipher.critical().key_encipherment();
    let cases = [
        (Ask { rsa: Some(1024), ..ask("weak", &world.inter) }, "VRFY-029", Trust::Untrusted),
        (Ask { usage: Some(encipher), ..ask("wrong use", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { usage: None, ..ask("no use", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { stamping: true, ..ask("stamper", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { days: (-30, -1), ..ask("expired", &world.inter) }, "VRFY-004", Trust::Expired),
        (Ask { days: (1, 30), ..ask("not yet", &world.inter) }, "VRFY-004", Trust::Expired),
        (
            Ask { hash: MessageDigest::sha1(), ..ask("SHA-1 certificate", &world.inter) },
            "VRFY-003",
            Trust::Untrusted,
        ),
        // A certificate that is no CA signed another.
        (Ask { ..ask("child of an officer", &world.officer) }, "VRFY-003", Trust::Untrusted),
    ];
    for (ask, code, trust) in cases {
        let holder = certify(&ask);
        let above = vec![world.officer.certificate.clone()];
        let shape = Shape { above, ..Shape::default() };
        let pdf = sign(&paper(), 20, PADES, &|over| cms(&holder, over, &shape));
        let report = world.judge(&pdf);
        assert!(codes(&report).contains(&code), "{}: {:?}", ask.name, codes(&report));
        assert_eq!(report.signatures[0].chain.trust, trust, "{}", ask.name);
        assert!(!report.is_proven(), "{}", ask.name);
    }
    let rsa = certify(&Ask { rsa: Some(2048), ..ask("rsa", &world.inter) });
    let pdf = sign(&paper(), 20, PADES, &|over| cms(&rsa, over, &Shape::default()));
    assert!(world.judge(&pdf).is_proven());
}

#[test]
fn revocation_is_unknown_good_or_bad_and_never_guessed() {
    let world = world();
    let pdf = world.good();
    let judge = |lists: &[Vec<u8>]| {
        let mut anchors = world.anchors.clone();
        lists.iter().for_each(|l| anchors.add_crl(l).unwrap());
        let report = verify_pdf(&pdf, &anchors, now());
        (report.signatures[0].chain.revocation, report.is_proven())
    };
    let officer = &world.officer.certificate;
    let clean = [crl(&world.inter, &[], 7, false), crl(&world.root, &[], 7, false)];
    assert_eq!(judge(&clean), (Revocation::NotRevoked, true));
    assert_eq!(judge(&clean[..1]), (Revocation::Unknown, true));
    assert_eq!(judge(&[crl(&world.inter, &[(officer, NOW - 1)], 7, false)]), (Revocation::Revoked, false));
    let inter = crl(&world.root, &[(&world.inter.certificate, NOW - 1)], 7, false);
    assert_eq!(judge(&[clean[0].clone(), inter]), (Revocation::Revoked, false));
    // Stale, partial, or by somebody else: as if there were none.
    assert_eq!(judge(&[crl(&world.inter, &[], -1, false), clean[1].clone()]).0, Revocation::Unknown);
    assert_eq!(judge(&[crl(&world.inter, &[], 7, true), clean[1].clone()]).0, Revocation::Unknown);
    let liar = Holder { certificate: world.inter.certificate.clone(), ..world.root.clone() };
    assert_eq!(judge(&[crl(&liar, &[(officer, NOW - 1)], 7, false)]).0, Revocation::Unknown);
}

#[test]
fn a_trusted_time_stamp_keeps_a_signature_good_after_its_certificate() {
    let world = world();
    let holder = certify(&Ask { days: (-30, -1), ..ask("expired", &world.inter) });
    let stamped = |at: i64, authority: &Holder| {
        let stamp = |signature: &[u8]| token(authority, signature, at, &Shape::default());
        let shape = Shape { stamp: Some(&stamp), ..Shape::default() };
        sign(&paper(), 20, PADES, &|over| cms(&holder, over, &shape))
    };
    let report = world.judge(&stamped(NOW - 5 * 86_400, &world.stamper));
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.is_proven());
    assert_eq!(report.signatures[0].level, Level::BT);
    // Stamped too late, by a stranger, or by somebody who may not stamp.
    assert_eq!(world.judge(&stamped(NOW - 3600, &world.stamper)).signatures[0].chain.trust, Trust::Expired);
    let stranger = root("TEST stranger");
    let stranger = certify(&Ask { stamping: true, ..ask("TEST stamper", &stranger) });
    for authority in [stranger, world.officer.clone()] {
        let report = world.judge(&stamped(NOW - 5 * 86_400, &authority));
        assert_eq!(report.signatures[0].chain.trust, Trust::Expired);
        assert!(!report.is_proven());
    }
}

#[test]
fn a_time_stamp_over_something_else_is_not_one() {
    let world = world();
    for (at, over, code) in [(NOW - 60, &b"other"[..], "VRFY-014"), (NOW + 3600, b"", "VRFY-015")] {
        let stamp = |signature: &[u8]| {
            let over = if over.is_empty() { signature } else { over };
            token(&world.stamper, over, at, &Shape::default())
        };
        let report = world.judge(&world.signed(&Shape { stamp: Some(&stamp), ..Shape::default() }));
        assert!(codes(&report).contains(&code), "{:?}", codes(&report));
        assert!(!report.is_proven());
        assert_eq!(report.signatures[0].level, Level::BB);
    }
}

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

#[test]
fn an_unsigned_paper_and_noise_prove_nothing() {
    let world = world();
    assert_eq!(codes(&world.judge(&paper())), ["VRFY-042"]);
    assert!(!world.judge(b"").is_proven());
    assert!(!world.judge(b"%PDF-1.7\nstartxref\n0\n%%EOF").is_proven());
    let old = world.signed(&Shape::default());
    let old = String::from_utf8_lossy(&old).replace("ETSI.CAdES.detached", "adbe.x509.rsa_sha1 ");
    assert!(codes(&world.judge(old.as_bytes())).contains(&"VRFY-045"));
}

/// Anchors of the mint's world, and lists that revoke nobody.
fn trust(pki: &Pki) -> Anchors {
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    anchors.add(pki.inter.certificate.clone());
    pki.lists().iter().for_each(|list| anchors.add_crl(list).unwrap());
    anchors
}

#[test]
fn everything_good_is_valid_and_no_mutant_is() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let judge = |bytes: &[u8]| Report::of(&verify_pdf(bytes, &anchors, now()), anchors.policy());
    let mut wrong = Vec::new();
    for case in mutants::good(&pki) {
        let report = judge(&case.bytes);
        if report.verdict != Verdict::Valid {
            wrong.push(format!("{}: {:?} {:?}", case.name, report.verdict, report.reasons.first()));
        }
    }
    let bad = mutants::bad(&pki);
    assert!(bad.len() > 300, "{}", bad.len());
    for case in bad {
        if judge(&case.bytes).verdict == Verdict::Valid {
            wrong.push(format!("{} {}: valid", case.class, case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn evidence_in_the_file_alone_makes_b_lt_and_a_stamp_over_it_b_lta_and_keeps_it_valid() {
    let pki = Pki::mint();
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    let judge = |pdf: &[u8], at: i64| {
        let record = verify_pdf(pdf, &anchors, Timestamp::from_second(at).unwrap());
        (record.signatures[0].level, Report::of(&record, anchors.policy()).verdict)
    };
    let bases = mutants::bases(&pki);
    let (bb, bt) = (&bases[0].1, &bases[3].1);
    assert_eq!(judge(bt, NOW), (Level::BT, Verdict::Indeterminate));
    assert_eq!(judge(&mutants::stored(&pki, bb), NOW).0, Level::BB);
    assert_eq!(judge(&mutants::stored(&pki, bt), NOW), (Level::BLT, Verdict::Valid));
    assert_eq!(judge(&mutants::archived(&pki, bt), NOW), (Level::BLTA, Verdict::Valid));
    // A document time stamp is a time stamp on what it covers.
    assert_eq!(judge(&mutants::archived(&pki, bb), NOW), (Level::BLTA, Verdict::Valid));
}

#[test]
fn what_was_revoked_after_the_time_that_somebody_answers_for_does_not_count() {
    let pki = Pki::mint();
    let pdf = &mutants::bases(&pki)[0].1;
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    anchors.add(pki.inter.certificate.clone());
    let day = 86_400;
    anchors.add_crl(&crl(&pki.root, &[], 7, false)).unwrap();
    anchors.add_crl(&crl(&pki.inter, &[(&pki.officer.certificate, NOW - day)], 7, false)).unwrap();
    let judge = |at: i64, as_of: bool| {
        let at = Timestamp::from_second(at).unwrap();
        let record = verify(pdf, &Question { anchors: &anchors, at, as_of, online: None });
        Report::of(&record, anchors.policy()).verdict
    };
    assert_eq!(judge(NOW, false), Verdict::Invalid);
    assert_eq!(judge(NOW, true), Verdict::Invalid);
    // The list is younger than that, and says when.
    assert_eq!(judge(NOW - 3 * day, true), Verdict::Valid);
    assert_eq!(judge(NOW - 40 * day, true), Verdict::Indeterminate, "the certificate was not valid yet");
}

#[test]
fn a_file_that_is_cut_while_it_is_judged_is_a_fault_and_no_verdict() {
    let world = world();
    let pdf = world.good();
    for left in [pdf.len() - 1, pdf.len() / 2, 100, 3] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&pdf).unwrap();
        let original = Original::file(file.try_clone().unwrap()).unwrap();
        file.set_len(left as u64).unwrap();
        let question = Question { anchors: &world.anchors, at: now(), as_of: false, online: None };
        let judged = verify_original(&original, &question, false);
        assert_eq!(judged.unwrap_err().code.id, original::CHANGED.id, "{left} of {}", pdf.len());
    }
}

#[test]
fn two_hundred_signatures_are_judged_in_one_go() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let mut pdf = paper();
    for number in 0..200 {
        let earlier: String = (0..number).map(|n| format!("{} 0 R ", 21 + 2 * n)).collect();
        pdf = sign_with(&pdf, 20 + 2 * number, PADES, "", &earlier, &|over| pki.cms(over, &Shape::default()));
    }
    let began = std::time::Instant::now();
    let report = verify_pdf(&pdf, &anchors, now());
    println!("{:?} for 200 signatures, {} bytes", began.elapsed(), pdf.len());
    assert_eq!(report.signatures.len(), 200);
    assert!(report.is_proven(), "{:?}", codes(&report));
}
