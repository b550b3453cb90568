//! PAdES B-B and B-T: the original bytes stay as they are, the signature is a revision behind them.
//!
//! | clause | where it is met |
//! |---|---|
//! | ISO 32000-1, 12.8.1: the signed range is everything but the `/Contents` token | [`append`] |
//! | EN 319 142-1, 6.3: `ETSI.CAdES.detached`, time in `/M` | `dictionary` |
//! | ISO 19005-2, 6.1.6: an even number of hexadecimal digits | the hole is counted in octets |
//! | ISO 19005-2, 6.3.2: `/F` Print set, Hidden and NoView clear | `widget` |
//! | ISO 32000-1, 12.8.4: DocMDP P=1 forbids any further change | `refuse_if_locked` |

use super::appearance::{self, AppearanceFacts};
use super::key::{KeyHandle, check_may_sign};
use super::profile::SignatureProfile;
use super::signed_data::{Draft, size_bound};
use super::timestamp::TimestampSource;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Field, ObjectId, Page, Rect, Revision, Value, text_string};
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};

/// A signed file.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The original bytes and the revision behind them.
    pub bytes: Vec<u8>,
    /// What was made.
    pub seal: Seal,
}

/// What [`append`] made: the tail is to be written behind the original bytes.
#[derive(Debug, Clone)]
pub struct Tail {
    /// The revision.
    pub bytes: Vec<u8>,
    /// What was made.
    pub seal: Seal,
}

/// A signature that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seal {
    /// With or without a time stamp.
    pub level: Level,
    /// Name of the signature field.
    pub field: String,
    /// The profile's name and version, `intake_scan/1`.
    pub profile: String,
    /// The time in `/M`.
    pub signed_at: Timestamp,
    /// SHA-256 of the signed range.
    pub digest: Sha256,
    /// Octets of the CMS.
    pub cms_size: usize,
    /// Page (from 1) and rectangle in user space where it is seen.
    pub shown: Option<Shown>,
}

/// Where a signature is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// From 1.
    pub page: usize,
    /// Left, bottom, right, top in user space units.
    pub rect: [f64; 4],
}

/// Baseline level of a signature (EN 319 142-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Signature alone.
    #[serde(rename = "B-B")]
    BB,
    /// With a time stamp over the signature.
    #[serde(rename = "B-T")]
    BT,
}

/// Signs a PDF. With a time stamp source the result is B-T or nothing: without an answer no bytes come back.
///
/// # Errors
/// The file cannot be appended to or forbids it ([`LOCKED`]), the certificate may not sign, the key, the authority or
/// the appearance fails.
pub fn sign(
    pdf: &[u8],
    profile: &SignatureProfile,
    key: &dyn KeyHandle,
    tsa: Option<&dyn TimestampSource>,
    at: Timestamp,
    facts: &AppearanceFacts,
) -> Outcome<Sealed> {
    let tail = append(pdf, profile, key, tsa, at, facts)?;
    let mut bytes = Vec::with_capacity(pdf.len() + tail.bytes.len());
    bytes.extend_from_slice(pdf);
    bytes.extend_from_slice(&tail.bytes);
    Ok(Sealed { bytes, seal: tail.seal })
}

/// As [`sign`], but gives only what is to be written behind the original bytes; those are read once and never copied.
///
/// # Errors
/// As [`sign`].
pub fn append(
    pdf: &[u8],
    profile: &SignatureProfile,
    key: &dyn KeyHandle,
    tsa: Option<&dyn TimestampSource>,
    at: Timestamp,
    facts: &AppearanceFacts,
) -> Outcome<Tail> {
    check_may_sign(key.certificate(), at)?;
    let document = Document::open(pdf)?;
    let fields = document.fields()?;
    refuse_if_locked(&document, &fields)?;
    let mut original = openssl::sha::Sha256::new();
    original.update(pdf);
    let stamp = if tsa.is_some() { STAMP_ROOM } else { 0 };
    let mut hole = (size_bound(key)? + stamp).next_multiple_of(256);
    for attempt in 0..2 {
        let mut draft = lay_out(&document, &fields, profile, key, at, facts, hole)?;
        let digest = draft.digest(original.clone());
        let signed = Draft::detached(key, &digest)?;
        let token = tsa.map(|tsa| tsa.stamp(&Sha256::of(signed.signature()))).transpose()?;
        let cms = signed.finish(token.as_deref());
        if cms.len() > hole && attempt == 0 {
            hole = (cms.len() + SPARE).next_multiple_of(256);
            continue;
        }
        draft.fill(&cms)?;
        let seal = Seal {
            level: if token.is_some() { Level::BT } else { Level::BB },
            field: draft.field,
            profile: format!("{}/{}", profile.id, profile.version),
            signed_at: at,
            digest,
            cms_size: cms.len(),
            shown: draft.shown,
        };
        return Ok(Tail { bytes: draft.bytes, seal });
    }
    Err(Fault::new(&HOLE).detail(format!("{hole} octets reserved")))
}

/// A revision whose signature is still zeros.
struct Unsigned {
    bytes: Vec<u8>,
    /// The `/Contents` token in `bytes`, angle brackets included.
    hole: std::ops::Range<usize>,
    field: String,
    shown: Option<Shown>,
}

impl Unsigned {
    /// SHA-256 of the original and of the revision without its hole.
    fn digest(&self, mut original: openssl::sha::Sha256) -> Sha256 {
        original.update(&self.bytes[..self.hole.start]);
        original.update(&self.bytes[self.hole.end..]);
        Sha256(original.finish())
    }

    /// Writes the CMS into the hole; the rest stays zeros.
    fn fill(&mut self, cms: &[u8]) -> Outcome<()> {
        let digits = hex::encode(cms);
        let room = self.bytes.get_mut(self.hole.start + 1..self.hole.end - 1);
        match room.and_then(|room| room.get_mut(..digits.len())) {
            Some(room) => room.copy_from_slice(digits.as_bytes()),
            None => return Err(Fault::new(&HOLE).detail(format!("{} octets needed", cms.len()))),
        }
        Ok(())
    }
}

fn lay_out(
    document: &Document<'_>,
    fields: &[Field],
    profile: &SignatureProfile,
    key: &dyn KeyHandle,
    at: Timestamp,
    facts: &AppearanceFacts,
    hole: usize,
) -> Outcome<Unsigned> {
    let mut revision = Revision::new(document)?;
    let signature = revision.reserve();
    let field = revision.reserve();
    let (index, page) = match &profile.look {
        Some(look) => appearance::choose_page(document, look, facts)?,
        None => (0, document.page(0)?),
    };
    let name = free_name(fields);
    let mut shown = None;
    let mut face = None;
    if let Some(look) = &profile.look {
        let placed = appearance::draw(&mut revision, &page, look, facts, at)?;
        let Rect { x0, y0, x1, y1 } = placed.rect;
        shown = Some(Shown { page: index + 1, rect: [x0, y0, x1, y1] });
        face = Some((placed.rect, placed.form));
    }
    revision.set(field, widget(&name, signature, &page, face));
    revision.add_signature_field(field)?;
    revision.add_annotation(&page, field)?;
    let reason = &profile.reason;
    let signer = if facts.name.is_empty() { common_name(key) } else { facts.name.clone() };
    let (content, range_at, hole_at) = dictionary(&signer, reason, at, hole);
    revision.set(signature, content);
    let appended = revision.finish()?;
    let mut bytes = appended.bytes;
    let start = *appended.contents.get(&signature).ok_or(&HOLE)?;
    let token = start + hole_at..start + hole_at + 2 * hole + 2;
    let base = document.bytes().len();
    let numbers = [base + token.start, base + token.end, bytes.len() - token.end];
    if numbers.iter().any(|n| *n > MAX_OFFSET) {
        return Err(Fault::new(&crate::pdf::revise::OFFSET_RANGE));
    }
    let range = numbers.map(|n| format!("{n:<10}")).join(" ");
    let range_at = start + range_at;
    bytes[range_at..range_at + range.len()].copy_from_slice(range.as_bytes());
    Ok(Unsigned { bytes, hole: token, field: name, shown })
}

/// The signature dictionary (ISO 32000-1, table 252) with an empty hole, and where in it the three numbers of
/// `/ByteRange` and the `/Contents` token begin.
fn dictionary(name: &str, reason: &str, at: Timestamp, hole: usize) -> (Vec<u8>, usize, usize) {
    let mut out = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached".to_vec();
    let local = at.to_zoned(vietnam());
    out.extend_from_slice(format!("/M(D:{}+07'00')", local.strftime("%Y%m%d%H%M%S")).as_bytes());
    for (key, text) in [("/Name", name), ("/Reason", reason)] {
        if !text.is_empty() {
            out.extend_from_slice(key.as_bytes());
            out.push(b' ');
            out.extend_from_slice(&text_string(text).to_pdf());
        }
    }
    out.extend_from_slice(b"/ByteRange [0 ");
    let range_at = out.len();
    // Ten places a number: a wider file would otherwise move what was already measured.
    out.extend_from_slice(&[b' '; 32]);
    out.extend_from_slice(b"]/Contents ");
    let hole_at = out.len();
    out.push(b'<');
    out.resize(out.len() + 2 * hole, b'0');
    out.extend_from_slice(b">>>");
    (out, range_at, hole_at)
}

/// Field and widget in one dictionary; split ones lose their appearance in some readers.
fn widget(name: &str, signature: ObjectId, page: &Page, face: Option<(Rect, ObjectId)>) -> Vec<u8> {
    let mut dict = Dict::new();
    dict.set(b"Type", Value::name("Annot"));
    dict.set(b"Subtype", Value::name("Widget"));
    dict.set(b"FT", Value::name("Sig"));
    dict.set(b"T", text_string(name));
    dict.set(b"V", Value::Ref(signature));
    dict.set(b"F", Value::Int(PRINT | LOCKED_FLAG));
    dict.set(b"P", Value::Ref(page.id));
    let rect = face.map_or(Rect::new(0.0, 0.0, 0.0, 0.0), |(rect, _)| rect);
    dict.set(b"Rect", rect.to_value());
    if let Some((_, form)) = face {
        let mut normal = Dict::new();
        normal.set(b"N", Value::Ref(form));
        dict.set(b"AP", Value::Dict(normal));
    }
    Value::Dict(dict).to_pdf()
}

/// Refuses a file that an earlier signature closed: DocMDP with P=1, or a lock on a signed field that says the same.
fn refuse_if_locked(document: &Document<'_>, fields: &[Field]) -> Outcome<()> {
    let (_, catalog) = document.catalog()?;
    let mut signatures = Vec::new();
    if let Value::Dict(perms) = document.lookup(&catalog, b"Perms")? {
        signatures.push(document.lookup(&perms, b"DocMDP")?);
    }
    for field in fields.iter().filter(|f| f.kind.as_deref() == Some(b"Sig")) {
        let Some(value) = &field.value else { continue };
        signatures.push(document.resolve(value)?);
        let lock = document.lookup(&field.dict, b"Lock")?;
        if let Some(lock) = lock.as_dict()
            && document.lookup(lock, b"P")?.as_int() == Some(1)
        {
            return Err(Fault::new(&LOCKED));
        }
    }
    for signature in signatures {
        let Some(dict) = signature.as_dict() else { continue };
        let Value::Array(references) = document.lookup(dict, b"Reference")? else { continue };
        for reference in references.iter().take(MAX_REFERENCES) {
            let reference = document.resolve(reference)?;
            let Some(reference) = reference.as_dict() else { continue };
            let parameters = document.lookup(reference, b"TransformParams")?;
            let level = match parameters.as_dict() {
                Some(parameters) => document.lookup(parameters, b"P")?.as_int(),
                None => None,
            };
            if level == Some(1) {
                return Err(Fault::new(&LOCKED));
            }
        }
    }
    Ok(())
}

/// `Signature1` or the next that no field has.
fn free_name(fields: &[Field]) -> String {
    (1..=fields.len() + 1)
        .map(|n| format!("Signature{n}"))
        .find(|name| fields.iter().all(|f| f.name != name.as_bytes()))
        .unwrap_or_else(|| "Signature".to_owned())
}

/// The signer's common name out of the certificate.
pub fn common_name(key: &dyn KeyHandle) -> String {
    let subject = key.certificate().subject_name();
    let entry = subject.entries_by_nid(openssl::nid::Nid::COMMONNAME).last();
    entry.and_then(|e| e.data().to_string().ok()).unwrap_or_default()
}

/// UTC+07:00, all year.
pub(crate) fn vietnam() -> TimeZone {
    TimeZone::fixed(tz::offset(7))
}

const PRINT: i64 = 4;
const LOCKED_FLAG: i64 = 128;
/// Room for a time stamp token; replies of 3 to 7 KB were met.
const STAMP_ROOM: usize = 8192;
const SPARE: usize = 512;
const MAX_OFFSET: usize = 9_999_999_999;
const MAX_REFERENCES: usize = 16;

/// A closed file.
pub const LOCKED: Code = Code {
    id: "SEAL-020",
    class: Class::Input,
    vi: "Tệp PDF đã được chứng thực và khoá, không cho phép thêm chữ ký",
    en: "the PDF is certified against any further change",
    remedy_vi: "Đề nghị người ký trước cấp bản cho phép ký thêm",
    remedy_en: "ask the earlier signer for a copy that permits further signatures",
};

/// The CMS outgrew its place twice.
pub const HOLE: Code = Code {
    id: "SEAL-021",
    class: Class::Inner,
    vi: "Chữ ký không vừa chỗ đã dành",
    en: "the signature does not fit its place",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo người bảo trì",
    remedy_en: "try again, then report it to the maintainers",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::key::CERT_EXPIRED;
    use crate::seal::training::{Minted, Usage};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A page with indirect `/Annots` and `/Fields`, so that only those arrays may be written again.
    fn paper() -> Vec<u8> {
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
        out.extend_from_slice(
            format!("trailer\n<</Size 7/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF").as_bytes(),
        );
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
        }
    }

    #[test]
    fn an_expired_certificate_signs_nothing() {
        let key = Minted::new("ec", Usage::Sign).soft_key();
        let late = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 40);
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let refused = sign(&paper(), &profile, &key, None, late, &AppearanceFacts::default());
        assert_eq!(refused.unwrap_err().code.id, CERT_EXPIRED.id);
    }
}
