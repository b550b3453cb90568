//! What signing does to a file, and what it refuses.

use super::*;
use crate::pdf::revise::{ObjectId, Revision, Value};
use crate::seal::key::preflight::CERT_EXPIRED;
use crate::seal::training::{Minted, Usage};
use crate::seal::verify::{Anchors, CoverageClass, verify_pdf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A page with indirect `/Annots` and `/Fields`, so that only those arrays may be written again.
pub(crate) fn paper() -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    let bodies = [
        "<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        "<</Type/Page/Parent 2 0 R/Annots 4 0 R>>",
        "[]",
        "<</Fields 6 0 R/SigFlags 3>>",
        "[]",
    ];
    for (i, body) in bodies.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    out.extend_from_slice(b"xref\n0 7\n0000000000 65535 f\r\n");
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
    }
    out.extend_from_slice(format!("trailer\n<</Size 7/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF").as_bytes());
    out
}

fn seal(pdf: &[u8], profile: &str, tsa: Option<&dyn TimestampSource>) -> Outcome<Sealed> {
    let key = Minted::new("ec", Usage::Sign).soft_key();
    let facts = AppearanceFacts { name: "Nguyễn Thị Huệ".into(), ..Default::default() };
    sign(pdf, &SignatureProfile::built_in(profile)?, &key, tsa, Timestamp::now(), &facts)
}

/// Gives tokens of one length and counts how often it was asked.
struct Fake(usize, AtomicUsize);

impl TimestampSource for Fake {
    fn stamp(&self, _: &Sha256) -> Outcome<Vec<u8>> {
        let asked = self.1.fetch_add(1, Ordering::Relaxed);
        Ok(crate::der::octet_string(&vec![7; self.0 * (asked + 1)]))
    }
}

#[test]
fn the_original_stays_and_only_the_arrays_are_written_again() {
    let pdf = paper();
    let sealed = seal(&pdf, "intake_scan", None).unwrap();
    assert!(sealed.bytes.starts_with(&pdf));
    let document = Document::open(&sealed.bytes).unwrap();
    let mut again: Vec<u32> = document.sections()[0].entries.iter().map(|(n, _)| *n).collect();
    again.retain(|n| *n < 7);
    assert_eq!(again, [4, 6]);
    let twice = seal(&sealed.bytes, "invisible", None).unwrap();
    assert!(twice.bytes.starts_with(&sealed.bytes));
    assert_eq!(twice.seal.field, "Signature2");
    assert_eq!(Document::open(&twice.bytes).unwrap().fields().unwrap().len(), 2);
}

#[test]
fn the_signed_range_is_everything_but_the_contents_token() {
    let sealed = seal(&paper(), "invisible", None).unwrap();
    let document = Document::open(&sealed.bytes).unwrap();
    let field = document.fields().unwrap().remove(0);
    let Value::Dict(signature) = document.resolve(&field.value.unwrap()).unwrap() else { panic!() };
    let range: Vec<usize> = signature
        .get(b"ByteRange")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_int().unwrap() as usize)
        .collect();
    assert_eq!((range[0], range[2] + range[3]), (0, sealed.bytes.len()));
    let token = &sealed.bytes[range[1]..range[2]];
    assert_eq!((token[0], token[token.len() - 1], token.len() % 2), (b'<', b'>', 0));
    assert!(token[1..token.len() - 1].iter().all(u8::is_ascii_hexdigit));
    let signed = [&sealed.bytes[..range[1]], &sealed.bytes[range[2]..]].concat();
    assert_eq!(Sha256::of(&signed), sealed.seal.digest);
    let cms = signature.get(b"Contents").unwrap().as_string().unwrap();
    let data = crate::cms::parse_padded(cms, &crate::der::Limits::default()).unwrap();
    let signer = &data.signers[0];
    let certificate = signer.certificate(&data.certificates).unwrap();
    assert!(signer.check_signature(certificate, &data.econtent_type, &[&signed]).holds());
}

#[test]
fn a_large_token_is_given_one_more_try_and_an_endless_one_is_refused() {
    let fits = Fake(9_000, AtomicUsize::new(0));
    // The second token is twice as large: the room of the second try is measured on the first.
    assert_eq!(seal(&paper(), "invisible", Some(&fits)).unwrap_err().code.id, HOLE.id);
    assert_eq!(fits.1.load(Ordering::Relaxed), 2);
    struct Steady(AtomicUsize);
    impl TimestampSource for Steady {
        fn stamp(&self, _: &Sha256) -> Outcome<Vec<u8>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(crate::der::octet_string(&[7; 20_000]))
        }
    }
    let steady = Steady(AtomicUsize::new(0));
    let sealed = seal(&paper(), "invisible", Some(&steady)).unwrap();
    assert_eq!((sealed.seal.level, steady.0.load(Ordering::Relaxed)), (Level::BT, 2));
}

#[test]
fn a_file_that_is_certified_against_changes_is_refused() {
    for (level, refused) in [(1, true), (2, false), (3, false)] {
        let pdf = paper();
        let document = Document::open(&pdf).unwrap();
        let mut revision = Revision::new(&document).unwrap();
        let certified = format!(
            "<</Type/Sig/Reference[<</TransformMethod/DocMDP/TransformParams<</P {level}/V/1.2>>>>]>>"
        );
        let certified = revision.add(certified.into_bytes());
        let catalog = format!("<</Type/Catalog/Pages 2 0 R/Perms<</DocMDP {certified}>>>>");
        revision.set(ObjectId::new(1), catalog.into_bytes());
        let whole = [pdf.as_slice(), &revision.finish().unwrap().bytes].concat();
        let sealed = seal(&whole, "invisible", None);
        assert_eq!(sealed.err().map(|f| f.code.id), refused.then_some(LOCKED.id), "P={level}");
        let visible = seal(&whole, "intake_scan", None).unwrap_err().code.id;
        assert_eq!(visible, if refused { LOCKED.id } else { CERTIFIED.id }, "P={level}");
    }
}

/// A file with an empty signature field: merged with its widget, or with a widget of its own.
fn form(split: bool, extra: &str) -> Vec<u8> {
    let pdf = paper();
    let document = Document::open(&pdf).unwrap();
    let mut revision = Revision::new(&document).unwrap();
    let face = "/Type/Annot/Subtype/Widget/F 4/P 3 0 R/Rect[100 100 250 160]";
    let field = if split {
        let (field, widget) = (revision.reserve(), revision.reserve());
        revision.set(field, format!("<</FT/Sig/T(Seal)/Kids[{widget}]{extra}>>").into_bytes());
        revision.set(widget, format!("<<{face}/Parent {field}>>").into_bytes());
        revision.set(ObjectId::new(4), format!("[{widget}]").into_bytes());
        field
    } else {
        let field = revision.add(format!("<</FT/Sig/T(Seal){face}{extra}>>").into_bytes());
        revision.set(ObjectId::new(4), format!("[{field}]").into_bytes());
        field
    };
    revision.set(ObjectId::new(6), format!("[{field}]").into_bytes());
    [pdf.as_slice(), &revision.finish().unwrap().bytes].concat()
}

fn seal_into(pdf: &[u8], profile: &str, field: &str) -> Outcome<Vec<u8>> {
    let key = Minted::new("ec", Usage::Sign).soft_key();
    let facts = AppearanceFacts { name: "Nguyễn Thị Huệ".into(), ..Default::default() };
    let profile = SignatureProfile::built_in(profile)?;
    let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: Some(field) };
    let tail = sign_sheet(&Sheet::open(Original::from(pdf))?, &key, &order, None)?;
    Ok([pdf, &tail.bytes].concat())
}

#[test]
fn an_empty_field_is_filled_where_it_is_and_its_lock_is_carried_out() {
    for split in [false, true] {
        for profile in ["intake_scan", "invisible"] {
            let lock = "/Lock<</Type/SigFieldLock/Action/All>>";
            let signed = seal_into(&form(split, lock), profile, "Seal").unwrap();
            let document = Document::open(&signed).unwrap();
            let fields = document.fields().unwrap();
            assert_eq!(fields.len(), 1, "{split} {profile}");
            let Value::Dict(value) = document.resolve(fields[0].value.as_ref().unwrap()).unwrap() else {
                panic!()
            };
            let reference = value.get(b"Reference").unwrap().to_pdf();
            assert!(memchr::memmem::find(&reference, b"/FieldMDP").is_some());
            assert!(memchr::memmem::find(&reference, b"/Action /All").is_some());
            let page = document.page(0).unwrap();
            let annots = document.lookup(&page.dict, b"Annots").unwrap();
            let widget = document.resolve(&annots.as_array().unwrap()[0]).unwrap();
            let dict = widget.as_dict().unwrap();
            assert!(dict.get(b"AP").is_some(), "{split} {profile}");
            assert_eq!(dict.get(b"F").and_then(Value::as_int), Some(4));
        }
    }
}

#[test]
fn a_field_that_cannot_be_signed_into_is_refused_by_name() {
    assert_eq!(seal_into(&form(false, "/SV<<>>"), "invisible", "Seal").unwrap_err().code.id, FIELD.id);
    let signed = seal_into(&form(false, ""), "invisible", "Seal").unwrap();
    assert_eq!(seal_into(&signed, "invisible", "Seal").unwrap_err().code.id, FIELD.id);
    assert_eq!(seal_into(&paper(), "invisible", "a.b").unwrap_err().code.id, FIELD.id);
    let named = seal_into(&paper(), "invisible", "Person").unwrap();
    assert_eq!(Document::open(&named).unwrap().fields().unwrap()[0].name, b"Person");
}

#[test]
fn nothing_is_signed_on_top_of_a_broken_signature() {
    let signed = seal(&paper(), "invisible", None).unwrap().bytes;
    assert!(seal(&signed, "invisible", None).is_ok());
    // Any bit of the pages; without a form a file has no signature that anyone sees.
    let place = |what: &[u8]| memchr::memmem::find(&signed, what).unwrap();
    for at in (place(b"2 0 obj")..place(b"4 0 obj")).step_by(5) {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        assert!(seal(&changed, "invisible", None).is_err(), "byte {at}");
    }
    // The last digit that is not padding belongs to the signature's value.
    let end = place(b"0>>>") - 1;
    let last = signed[..end].iter().rposition(|b| *b != b'0').unwrap();
    let mut changed = signed;
    changed[last - 8] = if changed[last - 8] == b'1' { b'2' } else { b'1' };
    assert_eq!(seal(&changed, "invisible", None).map(|_| ()).unwrap_err().code.id, BROKEN_BEFORE.id);
}

#[test]
fn a_file_signed_where_it_lies_is_the_file_signed_in_memory() {
    let key = Minted::new("rsa", Usage::Sign).soft_key();
    let facts = AppearanceFacts { name: "Nguyễn Thị Huệ".into(), ..Default::default() };
    let profile = SignatureProfile::built_in("intake_scan").unwrap();
    let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: None };
    let pdf = paper();
    let mut lying = tempfile::tempfile().unwrap();
    lying.write_all(&pdf).unwrap();
    let copy = tempfile::tempfile().unwrap();
    let sheet = Sheet::copy(&Original::file(lying).unwrap(), &copy).unwrap();
    let there = sign_sheet(&sheet, &key, &order, None).unwrap();
    let here = sign_sheet(&Sheet::open(Original::from(&pdf[..])).unwrap(), &key, &order, None).unwrap();
    assert_eq!(there.bytes, here.bytes);
    let mut copied = Vec::new();
    std::io::Read::read_to_end(
        &mut std::io::Seek::rewind(&mut (&copy)).map(|()| &copy).unwrap(),
        &mut copied,
    )
    .unwrap();
    assert_eq!(copied, pdf);
}

#[test]
fn an_expired_certificate_signs_nothing() {
    let key = Minted::new("ec", Usage::Sign).soft_key();
    let late = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 40);
    let profile = SignatureProfile::built_in("invisible").unwrap();
    let refused = sign(&paper(), &profile, &key, None, late, &AppearanceFacts::default());
    assert_eq!(refused.unwrap_err().code.id, CERT_EXPIRED.id);
}

/// A file with empty fields of these names, one above the other, as an office prepares it for several to sign.
fn prepared(fields: &[(&str, &str)]) -> Vec<u8> {
    let pdf = paper();
    let document = Document::open(&pdf).unwrap();
    let mut revision = Revision::new(&document).unwrap();
    let mut hung = String::new();
    for (i, (name, extra)) in fields.iter().enumerate() {
        let (low, high) = (100 + 80 * i, 160 + 80 * i);
        let face = format!("/Type/Annot/Subtype/Widget/P 3 0 R/Rect[100 {low} 250 {high}]");
        hung.push_str(&format!(
            " {}",
            revision.add(format!("<</FT/Sig/T{name}{face}{extra}>>").into_bytes())
        ));
    }
    revision.set(ObjectId::new(4), format!("[{hung}]").into_bytes());
    revision.set(ObjectId::new(6), format!("[{hung}]").into_bytes());
    [pdf.as_slice(), &revision.finish().unwrap().bytes].concat()
}

/// As the verifier sees a file: what each signature covers.
fn coverages(pdf: &[u8]) -> Vec<CoverageClass> {
    let report = verify_pdf(pdf, &Anchors::default(), Timestamp::now());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    report.signatures.iter().map(|s| s.coverage).collect()
}

/// The file with some of its objects written again.
fn rewritten(pdf: &[u8], objects: &[(u32, &str)]) -> Vec<u8> {
    let document = Document::open(pdf).unwrap();
    let mut revision = Revision::new(&document).unwrap();
    for (number, content) in objects {
        revision.set(ObjectId::new(*number), content.as_bytes().to_vec());
    }
    [pdf, &revision.finish().unwrap().bytes].concat()
}

fn refusal<T>(made: Outcome<T>) -> Option<&'static str> {
    made.err().map(|fault| fault.code.id)
}

#[test]
fn a_person_and_then_the_agency_sign_into_prepared_fields_and_both_signatures_hold() {
    for flags in [4, 4 | 64, 4 | 128, 4 | 512] {
        let extra = format!("/F {flags}");
        let pdf = prepared(&[("(Person)", &extra), ("(Agency)", &extra)]);
        let once = seal_into(&pdf, "intake_scan", "Person").unwrap();
        let twice = seal_into(&once, "intake_scan", "Agency").unwrap();
        assert_eq!(coverages(&twice), [CoverageClass::WholeRevision, CoverageClass::Whole], "{flags}");
        for field in Document::open(&twice).unwrap().fields().unwrap() {
            assert_eq!(field.dict.get(b"F").and_then(Value::as_int), Some(flags));
        }
    }
}

#[test]
fn a_field_that_would_not_be_printed_or_seen_is_made_so_and_keeps_its_other_flags() {
    for (before, after) in [("", 4), ("/F 0", 4), ("/F 2", 4), ("/F 102", 68), ("/F 289", 4), ("/F 64", 68)] {
        let signed = seal_into(&prepared(&[("(Seal)", before)]), "intake_scan", "Seal").unwrap();
        let field = Document::open(&signed).unwrap().fields().unwrap().remove(0);
        assert_eq!(field.dict.get(b"F").and_then(Value::as_int), Some(after), "{before}");
    }
}

#[test]
fn a_field_that_an_earlier_signature_locks_is_not_signed_and_no_other_comes_against_its_will() {
    let all = "/Lock<</Type/SigFieldLock/Action/All>>";
    let only = "/Lock<</Type/SigFieldLock/Action/Include/Fields[(Agency)<FEFF005300690067006E006100740075007200650031>]>>";
    let but = "/Lock<</Type/SigFieldLock/Action/Exclude/Fields[(Agency)]>>";
    for (lock, agency, fresh, named) in [
        (all, false, None, false),
        (only, false, Some("Signature2"), true),
        (but, true, None, false),
        ("/Lock<</Action/Include>>", false, None, false),
        ("/Lock<</Action/Whatever/Fields[]>>", false, None, false),
    ] {
        let pdf = prepared(&[("(Person)", lock), ("(Agency)", "/F 4")]);
        let once = seal_into(&pdf, "invisible", "Person").unwrap();
        let into = seal_into(&once, "invisible", "Agency");
        assert_eq!(
            refusal(into.as_ref().map_err(Clone::clone)),
            (!agency).then_some(FIELD_LOCKED.id),
            "{lock}"
        );
        let new = seal(&once, "invisible", None);
        assert_eq!(new.as_ref().ok().map(|s| s.seal.field.as_str()), fresh, "{lock}");
        assert!(new.as_ref().err().is_none_or(|f| f.code.id == FIELD_LOCKED.id), "{lock}");
        let other = seal_into(&once, "invisible", "Other");
        assert_eq!(
            refusal(other.as_ref().map_err(Clone::clone)),
            (!named).then_some(FIELD_LOCKED.id),
            "{lock}"
        );
        // Whatever was signed all the same breaks nothing.
        for signed in [into.ok(), new.ok().map(|s| s.bytes), other.ok()].into_iter().flatten() {
            assert_eq!(coverages(&signed), [CoverageClass::WholeRevision, CoverageClass::Whole], "{lock}");
        }
    }
}

#[test]
fn what_a_signature_forbids_is_heard_however_it_is_said() {
    let mdp = |p: &str| format!("<</TransformMethod/DocMDP/TransformParams<<{p}/V/1.2>>>>");
    let field = |how: &str| format!("<</TransformMethod/FieldMDP/TransformParams<<{how}>>>>");
    let many = "<</TransformMethod/Identity>>".repeat(16);
    for (references, said) in [
        (format!("[{}]", mdp("/P 1.0")), Some(LOCKED.id)),
        (format!("[{}]", mdp("/P 0")), Some(LOCKED.id)),
        (format!("[{}]", mdp("/P/Name")), Some(LOCKED.id)),
        (format!("[{}]", mdp("/P 4")), Some(LOCKED.id)),
        (format!("[{}]", mdp("/P 2.0")), None),
        (format!("[{}]", mdp("")), None),
        (format!("[{}{}]", mdp("/P 2"), mdp("/P 1")), Some(LOCKED.id)),
        (format!("[{many}{}]", mdp("/P 1")), Some(LOCKED.id)),
        (format!("[{many}{}]", mdp("/P 2")), Some(LOCKED.id)),
        (mdp("/P 1"), Some(LOCKED.id)),
        ("[7]".to_owned(), Some(LOCKED.id)),
        ("[<</TransformMethod/DocMDP/TransformParams 7>>]".to_owned(), Some(LOCKED.id)),
        ("[<</TransformMethod/New/TransformParams<</P 2>>>>]".to_owned(), Some(LOCKED.id)),
        ("[<</TransformParams<</P 1>>>>]".to_owned(), Some(LOCKED.id)),
        (format!("[{}]", field("/Action/All")), Some(FIELD_LOCKED.id)),
        (format!("[{}]", field("/Action/Include/Fields[(Mine)]")), Some(FIELD_LOCKED.id)),
        (format!("[{}]", field("/Action/Include/Fields[<FEFF004D0069006E0065>]")), Some(FIELD_LOCKED.id)),
        (format!("[{}]", field("/Action/Include/Fields[7]")), Some(FIELD_LOCKED.id)),
        (format!("[{}]", field("/Action/Include/Fields[(Mi)(Minestrone)]")), None),
        (format!("[{}]", field("/Action/Exclude/Fields[(Mi)]")), Some(FIELD_LOCKED.id)),
        (format!("[{}]", field("/Action/Exclude/Fields[(Mine)]")), None),
        (
            format!("[{}{}]", field("/Action/Exclude/Fields[(Mine)]"), field("/Action/All")),
            Some(FIELD_LOCKED.id),
        ),
    ] {
        let catalog = format!(
            "<</Type/Catalog/Pages 2 0 R/AcroForm 5 0 R/Perms<</DocMDP<</Type/Sig/Reference {references}>>>>>>"
        );
        let pdf = rewritten(&paper(), &[(1, &catalog)]);
        assert_eq!(refusal(seal_into(&pdf, "invisible", "Mine")), said, "{references}");
    }
}

#[test]
fn nothing_is_signed_on_top_of_what_an_earlier_signature_does_not_allow() {
    let signed = seal(&paper(), "invisible", None).unwrap().bytes;
    let page = "<</Type/Page/Parent 2 0 R/Annots 4 0 R/Contents[]>>";
    let mut hostile = vec![
        ("a page", rewritten(&signed, &[(3, page)])),
        ("the pages", rewritten(&signed, &[(2, "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 5 5]>>")])),
        ("no fields", rewritten(&signed, &[(4, "[]")])),
        ("foreign bytes", [&signed[..], b"\nforeign bytes and more of them\n"].concat()),
    ];
    // Whoever signs on top of it does not make it better, nor does a second update that puts it back.
    let page = "<</Type/Page/Parent 2 0 R/Annots 4 0 R>>";
    hostile.push(("and back", rewritten(&hostile[0].1, &[(3, page)])));
    for (what, pdf) in &hostile {
        assert_eq!(refusal(seal(pdf, "invisible", None)), Some(CHANGED_BEFORE.id), "{what}");
        assert_eq!(refusal(seal_into(pdf, "intake_scan", "New")), Some(CHANGED_BEFORE.id), "{what}");
    }
    let fault = seal(&hostile[0].1, "invisible", None).unwrap_err().to_string();
    assert!(fault.contains("object 3"), "{fault}");
    // What is allowed is: more signatures, and white space behind the last line.
    let mut pdf = [&signed[..], b"\n"].concat();
    for _ in 0..3 {
        pdf = seal(&pdf, "intake_scan", None).unwrap().bytes;
    }
    let mut all = coverages(&pdf);
    assert_eq!(all.pop(), Some(CoverageClass::Whole));
    assert_eq!(all, [CoverageClass::WholeRevision; 3]);
}

#[test]
fn bytes_in_the_gap_that_are_not_the_signature_are_nobodys() {
    let signed = seal(&paper(), "invisible", None).unwrap().bytes;
    let place = memchr::memmem::find(&signed, b"/Contents <").unwrap() + 10;
    let end = place + signed[place..].iter().position(|b| *b == b'>').unwrap() + 1;
    // The last two digits are padding: the token ends earlier and something stands in the rest of the gap.
    let mut changed = signed;
    changed[end - 3..end].copy_from_slice(b"> %");
    assert!(seal(&changed, "invisible", None).is_err());
    changed[end - 3..end].copy_from_slice(b">  ");
    assert_eq!(refusal(seal(&changed, "invisible", None)), Some(BROKEN_BEFORE.id));
}

#[test]
fn a_new_field_gets_a_name_that_nothing_in_the_form_has_however_it_is_written() {
    let wide = |name: &str| {
        let units: String = name.encode_utf16().map(|u| format!("{u:04X}")).collect();
        format!("<FEFF{units}>")
    };
    for taken in [wide("Signature1"), "<EFBBBF5369676E617475726531>".to_owned(), "(Signature1)".to_owned()] {
        let pdf = prepared(&[(&taken, "/F 4")]);
        assert_eq!(seal(&pdf, "invisible", None).unwrap().seal.field, "Signature2", "{taken}");
        assert!(seal_into(&pdf, "invisible", "Signature1").is_ok(), "{taken}");
        // A group of fields has its name as well, whether its fields have one of their own or not.
        for kid in ["/T(x)", ""] {
            let form = format!("[{}]", 8);
            let group = format!("<</T{taken}/Kids[9 0 R]>>");
            let kid = format!("<</FT/Tx{kid}/Parent 8 0 R>>");
            let pdf = rewritten(&paper(), &[(8, &group), (9, &kid), (6, &form.replace('8', "8 0 R"))]);
            assert_eq!(seal(&pdf, "invisible", None).unwrap().seal.field, "Signature2", "{taken}");
            assert_eq!(refusal(seal_into(&pdf, "invisible", "Signature1")), Some(FIELD.id), "{taken}");
            let twice = seal(&seal(&pdf, "invisible", None).unwrap().bytes, "invisible", None).unwrap();
            assert_eq!(twice.seal.field, "Signature3");
        }
    }
    // Parts are decoded one by one.
    let field = format!("<</T{}/FT/Sig/Parent 8 0 R>>", wide("Ký"));
    let group = format!("<</T{}/Kids[9 0 R]>>", wide("Đơn"));
    let pdf = rewritten(&paper(), &[(8, &group), (9, &field), (6, "[8 0 R]")]);
    assert!(seal_into(&pdf, "invisible", "Đơn.Ký").is_ok());
    let twins = prepared(&[("(Twin)", ""), (&wide("Twin"), "")]);
    assert_eq!(refusal(seal_into(&twins, "invisible", "Twin")), Some(FIELD.id));
}

#[test]
fn objects_that_nothing_uses_and_nobody_can_read_keep_nobody_from_signing() {
    let pdf =
        String::from_utf8(rewritten(&paper(), &[(8, "<</Length 10>>\nstream\nabc\nendstream")])).unwrap();
    let unused = "0000000000 00000 n\r\ntrailer\n<</Size 8/Root";
    let nowhere = String::from_utf8(paper()).unwrap().replace("xref\n0 7\n", "xref\n0 8\n");
    let nowhere = nowhere.replace("trailer\n<</Size 7/Root", unused);
    assert!(Document::open(nowhere.as_bytes()).unwrap().get(ObjectId::new(7)).is_err());
    for pdf in [pdf, nowhere] {
        let once = seal(pdf.as_bytes(), "intake_scan", None).unwrap().bytes;
        let twice = seal(&once, "invisible", None).unwrap();
        assert_eq!(twice.seal.field, "Signature2");
    }
}
