//! What signatures that are in a file already demand of the next: that it is allowed at all, that they themselves hold,
//! and that nothing was done to the file since that they do not cover. Signing over that would lend it our name.

use super::rules::Rules;
use crate::cms;
use crate::der::Limits;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pdf::revise::{Dict, Document, Field, Value};
use crate::seal::raise::TOO_MANY;
use crate::seal::verify::{Anchors, CoverageClass, Question, verify_original};
use jiff::Timestamp;
use openssl::hash::Hasher;

/// Refuses a file that an earlier signature closed, whose earlier signatures are not over what they say, or to which
/// something was done after them that the verifier does not take. Gives what they allow otherwise.
pub(super) fn check(
    document: &Document<'_>,
    fields: &[Field],
    file: &Original,
    at: Timestamp,
) -> Outcome<Rules> {
    let mut rules = Rules::default();
    let (_, catalog) = document.catalog()?;
    if let Value::Dict(perms) = document.lookup(&catalog, b"Perms")?
        && perms.get(b"DocMDP").is_some()
    {
        let certified = document.lookup(&perms, b"DocMDP")?;
        rules.add_certification(document, certified.as_dict().unwrap_or(&Dict::new()))?;
    }
    let mut signatures = Vec::new();
    for field in fields.iter().filter(|f| f.kind.as_deref() == Some(b"Sig")) {
        let Some(value) = &field.value else { continue };
        let signature = match document.resolve(value)? {
            Value::Null => continue,
            Value::Dict(signature) => signature,
            _ => return Err(Fault::new(&BROKEN_BEFORE).detail("a signature that is no dictionary")),
        };
        rules.add_lock(document, &field.dict)?;
        rules.add_signature(document, &signature)?;
        signatures.push(signature);
        if signatures.len() > MAX_SIGNATURES {
            return Err(Fault::new(&TOO_MANY).detail(format!("more than {MAX_SIGNATURES}")));
        }
    }
    let mut is_newest = true;
    for signature in &signatures {
        let Some(end) = covered(signature, file)? else { return Err(Fault::new(&BROKEN_BEFORE)) };
        is_newest &= end == file.len();
    }
    if !is_newest {
        refuse_changed(file, at)?;
    }
    Ok(rules)
}

/// Whether what came after the signatures is on the verifier's allow-list. Asked only where something came, since it
/// reads every object and hashes the file once more.
fn refuse_changed(file: &Original, at: Timestamp) -> Outcome<()> {
    let anchors = Anchors::default();
    let (report, _) =
        verify_original(file, &Question { anchors: &anchors, at, as_of: false, online: None }, false)?;
    let covers = |class| matches!(class, CoverageClass::Whole | CoverageClass::WholeRevision);
    let changed = report.signatures.iter().find(|s| !covers(s.coverage));
    let why = match (report.problems.first(), changed) {
        (None, None) => return Ok(()),
        (Some(problem), _) => Some(problem),
        (None, Some(signature)) => signature.problems.first(),
    };
    let mut fault = Fault::new(&CHANGED_BEFORE);
    if let Some(why) = why {
        let detail = why.detail.as_deref().unwrap_or(&why.en);
        fault = fault.detail(format!("{} {detail}", why.code));
        if let Some(place) = &why.place {
            fault = fault.at(place);
        }
    }
    Err(fault)
}

/// Where the bytes end that a signature or document time stamp is over, by the certificate that it carries; none where it
/// is not over the bytes that it names. Who that is and what came after it are questions for the verifier.
fn covered(signature: &Dict, file: &Original) -> Outcome<Option<u64>> {
    let contents = signature.get(b"Contents").and_then(Value::as_string).unwrap_or_default();
    let Some(ranges) = ranges(signature, contents.len(), file.len()) else { return Ok(None) };
    let Ok(data) = cms::parse_padded(contents, &Limits::default()) else { return Ok(None) };
    let [signer] = &data.signers[..] else { return Ok(None) };
    let Some(certificate) = signer.certificate(&data.certificates) else { return Ok(None) };
    let (hash, said) = match &data.econtent {
        // A time stamp: the token's own content names the digest of the file.
        Some(info) => {
            let check = signer.check_signature(certificate, &data.econtent_type, &[info]);
            match imprint(info) {
                Some((hash, digest)) if check.holds() => (hash, digest),
                _ => return Ok(None),
            }
        }
        None => {
            let check = signer.check_signature(certificate, &data.econtent_type, &[]);
            let mut digests = signer.attributes_of(MESSAGE_DIGEST).flat_map(|a| &a.values);
            let (Some(said), None) = (digests.next(), digests.next()) else { return Ok(None) };
            let Ok(said) = crate::der::only(said, 0x04).map(|v| v.content.to_vec()) else { return Ok(None) };
            if !check.signature || !check.problems.is_empty() {
                return Ok(None);
            }
            (signer.digest, said)
        }
    };
    let mut hasher = Hasher::new(hash.md()).map_err(|_| Fault::new(&super::super::key::SIGNING))?;
    let mut buffer = vec![0; super::STRIDE];
    let [_, (_, last)] = ranges;
    for (mut at, end) in ranges {
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            file.fill(at, &mut buffer[..part])?;
            hasher.update(&buffer[..part]).map_err(|_| Fault::new(&super::super::key::SIGNING))?;
            at += part as u64;
        }
    }
    Ok(hasher.finish().is_ok_and(|digest| *digest == said[..]).then_some(last))
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

/// The two ranges of `/ByteRange` as start and end, within the file, with no more between them than the `<...>` token of so
/// many octets takes: what else stands there nobody signed.
fn ranges(signature: &Dict, octets: usize, length: u64) -> Option<[(u64, u64); 2]> {
    let numbers = signature.get(b"ByteRange")?.as_array()?;
    let numbers: Vec<u64> = numbers.iter().map(|n| u64::try_from(n.as_int()?).ok()).collect::<Option<_>>()?;
    let [0, first, second, rest] = numbers[..] else { return None };
    let end = second.checked_add(rest)?;
    let hole = u64::try_from(octets).ok()?.checked_mul(2)?.checked_add(2)?;
    (second.checked_sub(first)? == hole && end <= length).then_some([(0, first), (second, end)])
}

/// As many as the verifier judges.
const MAX_SIGNATURES: usize = 256;
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

/// Something was done after an earlier signature that it does not cover.
pub const CHANGED_BEFORE: Code = Code {
    id: "SEAL-027",
    class: Class::Input,
    vi: "Tệp PDF đã bị sửa đổi trái phép sau chữ ký có trước, nên không được ký thêm",
    en: "the PDF was changed after an earlier signature in a way that is not allowed; nothing is signed on top of it",
    remedy_vi: "Xem lỗi bằng `hoso verify`; đề nghị bên gửi cấp lại tệp",
    remedy_en: "see what is wrong with `hoso verify` and ask the sender for the file again",
};
