//! What signatures that are in a file already demand of the next: that it is allowed at all, and that they themselves
//! hold. Signing over a broken signature would lend it our name.

use super::LOCKED;
use crate::cms;
use crate::der::Limits;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pdf::revise::{Dict, Document, Field, Value};
use openssl::hash::Hasher;

/// Refuses a file that an earlier signature closed (DocMDP with P=1, or a lock on a signed field that says the same), or
/// whose earlier signatures are not over what they say.
pub(super) fn check(document: &Document<'_>, fields: &[Field], file: &Original) -> Outcome<()> {
    let (_, catalog) = document.catalog()?;
    if let Value::Dict(perms) = document.lookup(&catalog, b"Perms")?
        && let Some(certified) = document.lookup(&perms, b"DocMDP")?.as_dict()
    {
        refuse_if_locked(document, certified)?;
    }
    for field in fields.iter().filter(|f| f.kind.as_deref() == Some(b"Sig")) {
        let Some(value) = &field.value else { continue };
        let value = document.resolve(value)?;
        let Some(signature) = value.as_dict() else { continue };
        let lock = document.lookup(&field.dict, b"Lock")?;
        if let Some(lock) = lock.as_dict()
            && document.lookup(lock, b"P")?.as_int() == Some(1)
        {
            return Err(Fault::new(&LOCKED));
        }
        refuse_if_locked(document, signature)?;
        if !holds(signature, file)? {
            return Err(Fault::new(&BROKEN_BEFORE));
        }
    }
    Ok(())
}

fn refuse_if_locked(document: &Document<'_>, signature: &Dict) -> Outcome<()> {
    let Value::Array(references) = document.lookup(signature, b"Reference")? else { return Ok(()) };
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
    Ok(())
}

/// Whether a signature or document time stamp is over the bytes that it names, by the certificate that it carries. Who
/// that is and what came after it are questions for the verifier.
fn holds(signature: &Dict, file: &Original) -> Outcome<bool> {
    let Some(ranges) = ranges(signature, file.len()) else { return Ok(false) };
    let contents = signature.get(b"Contents").and_then(Value::as_string).unwrap_or_default();
    let Ok(data) = cms::parse_padded(contents, &Limits::default()) else { return Ok(false) };
    let [signer] = &data.signers[..] else { return Ok(false) };
    let Some(certificate) = signer.certificate(&data.certificates) else { return Ok(false) };
    let (hash, said) = match &data.econtent {
        // A time stamp: the token's own content names the digest of the file.
        Some(info) => {
            let check = signer.check_signature(certificate, &data.econtent_type, &[info]);
            match imprint(info) {
                Some((hash, digest)) if check.holds() => (hash, digest),
                _ => return Ok(false),
            }
        }
        None => {
            let check = signer.check_signature(certificate, &data.econtent_type, &[]);
            let mut digests = signer.attributes_of(MESSAGE_DIGEST).flat_map(|a| &a.values);
            let (Some(said), None) = (digests.next(), digests.next()) else { return Ok(false) };
            let Ok(said) = crate::der::only(said, 0x04).map(|v| v.content.to_vec()) else { return Ok(false) };
            if !check.signature || !check.problems.is_empty() {
                return Ok(false);
            }
            (signer.digest, said)
        }
    };
    let mut hasher = Hasher::new(hash.md()).map_err(|_| Fault::new(&super::super::key::SIGNING))?;
    let mut buffer = vec![0; super::STRIDE];
    for (mut at, end) in ranges {
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            file.fill(at, &mut buffer[..part])?;
            hasher.update(&buffer[..part]).map_err(|_| Fault::new(&super::super::key::SIGNING))?;
            at += part as u64;
        }
    }
    Ok(hasher.finish().is_ok_and(|digest| *digest == said[..]))
}

/// The hash and digest that a TSTInfo (RFC 3161, 2.4.2) is about.
fn imprint(info: &[u8]) -> Option<(cms::Hash, Vec<u8>)> {
    let mut fields = crate::der::only(info, 0x30).ok()?.reader();
    fields.expect(0x02).ok()?;
    fields.expect(0x06).ok()?;
    let mut imprint = fields.expect(0x30).ok()?.reader();
    let hash = cms::Hash::read(&imprint.expect(0x30).ok()?).ok()?;
    Some((hash, imprint.expect(0x04).ok()?.content.to_vec()))
}

/// The two ranges of `/ByteRange` as start and end, within the file.
fn ranges(signature: &Dict, length: u64) -> Option<[(u64, u64); 2]> {
    let numbers = signature.get(b"ByteRange")?.as_array()?;
    let numbers: Vec<u64> = numbers.iter().map(|n| u64::try_from(n.as_int()?).ok()).collect::<Option<_>>()?;
    let [0, first, second, rest] = numbers[..] else { return None };
    let end = second.checked_add(rest)?;
    (first < second && end <= length).then_some([(0, first), (second, end)])
}

const MAX_REFERENCES: usize = 16;
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";

/// A broken signature is in the file.
pub const BROKEN_BEFORE: Code = Code {
    id: "SEAL-023",
    class: Class::Input,
    vi: "Tệp PDF đã có chữ ký số không còn đúng, nên không được ký thêm",
    en: "the PDF carries a signature that does not hold; nothing is signed on top of it",
    remedy_vi: "Xem lỗi bằng `hoso verify`; đề nghị bên gửi cấp lại tệp",
    remedy_en: "see what is wrong with `hoso verify` and ask the sender for the file again",
};
