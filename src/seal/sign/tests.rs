//! What signing does to a file, and what it refuses.

use super::*;
use crate::pdf::revise::{ObjectId, Revision, Value};
use crate::seal::key::preflight::CERT_EXPIRED;
use crate::seal::training::{Minted, Usage};
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
            assert_eq!(dict.get(b"F").and_then(Value::as_int), Some(132));
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
