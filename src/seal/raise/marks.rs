//! The signatures and document time stamps of a file, each of which must hold over the bytes that it names: raising a
//! broken one would lend it weight.

use super::{NO_SIGNATURE, TOO_MANY};
use crate::cms::{self, Hash, Parts, SignedData, SignerInfo};
use crate::der::{self, Limits};
use crate::fault::{Fault, Outcome};
use crate::original::Original;
use crate::pdf::revise::{Dict, Document, Value};
use crate::seal::sign::BROKEN_BEFORE;
use jiff::Timestamp;
use openssl::hash::Hasher;
use openssl::x509::X509;
use std::ops::Range;

/// What a signature field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Signature,
    DocumentStamp,
}

/// A signature or document time stamp that holds.
pub(super) struct Mark {
    pub(super) kind: Kind,
    /// `/Contents`, padding included, and how much of it is used.
    pub(super) contents: Vec<u8>,
    pub(super) used: usize,
    /// The `/Contents` token in the file, brackets included.
    pub(super) hole: Range<u64>,
    /// End of what is covered.
    pub(super) end: u64,
    /// The signature value.
    pub(super) signature: Vec<u8>,
    pub(super) signer: X509,
    /// What came along.
    pub(super) certificates: Vec<X509>,
    pub(super) crls: Vec<Vec<u8>>,
    /// The time stamp: the document time stamp itself, or that of the signature.
    pub(super) stamp: Option<Stamp>,
}

/// A time stamp token whose own signature holds.
pub(super) struct Stamp {
    pub(super) time: Timestamp,
    pub(super) signer: X509,
    pub(super) certificates: Vec<X509>,
    pub(super) crls: Vec<Vec<u8>>,
    imprint: (Hash, Vec<u8>),
}

impl Mark {
    /// Neither stamped itself nor covered by one of the later marks that is a document time stamp.
    pub(super) fn lacks_stamp(&self, later: &[Mark]) -> bool {
        self.kind == Kind::Signature
            && self.stamp.is_none()
            && !later.iter().any(|m| m.kind == Kind::DocumentStamp && m.end > self.end)
    }

    /// When the certificate of its author runs out.
    pub(super) fn certificate_ends(&self) -> Option<Timestamp> {
        Parts::of(&self.signer).ok()?.not_after
    }
}

/// All marks, in the order in which they were made.
///
/// # Errors
/// [`BROKEN_BEFORE`] for one that does not hold or is of a form that is not known here, [`TOO_MANY`].
pub(super) fn read(file: &Original) -> Outcome<Vec<Mark>> {
    let document = Document::open_original(file)?;
    let mut marks = Vec::new();
    for field in document.fields()?.iter().filter(|f| f.kind.as_deref() == Some(b"Sig")) {
        let Some(value) = &field.value else { continue };
        let value = document.resolve(value)?;
        let Some(signature) = value.as_dict() else { continue };
        if marks.len() == MAX_MARKS {
            return Err(Fault::new(&TOO_MANY).detail(format!("more than {MAX_MARKS}")));
        }
        let number = marks.len() + 1;
        let broken = || Fault::new(&BROKEN_BEFORE).at(format!("signature {number}"));
        marks.push(mark(signature, file)?.ok_or_else(broken)?);
    }
    if marks.is_empty() {
        return Err(Fault::new(&NO_SIGNATURE));
    }
    marks.sort_by_key(|m| m.end);
    Ok(marks)
}

fn mark(dict: &Dict, file: &Original) -> Outcome<Option<Mark>> {
    let kind = match dict.get(b"SubFilter").and_then(Value::as_name) {
        Some(b"ETSI.RFC3161") => Kind::DocumentStamp,
        Some(b"ETSI.CAdES.detached" | b"adbe.pkcs7.detached") => Kind::Signature,
        _ => return Ok(None),
    };
    let Some((hole, end)) = ranges(dict, file.len()) else { return Ok(None) };
    let contents = dict.get(b"Contents").and_then(Value::as_string).unwrap_or_default().to_vec();
    // What is to be written over must be the token that was read.
    let token = file.read(hole.clone())?;
    let is_token = token.first() == Some(&b'<')
        && token.last() == Some(&b'>')
        && token.get(1..token.len() - 1).and_then(|digits| hex::decode(digits).ok()).as_ref()
            == Some(&contents);
    if !is_token {
        return Ok(None);
    }
    let Ok((normal, used)) = der::normalise_prefix(&contents, &Limits::default()) else { return Ok(None) };
    if contents[used..].iter().any(|b| *b != 0) {
        return Ok(None);
    }
    let mut mark = if kind == Kind::DocumentStamp {
        let Some(stamp) = Stamp::read(&normal) else { return Ok(None) };
        if !covers(&stamp.imprint, file, &hole, end)? {
            return Ok(None);
        }
        let (signer, certificates) = (stamp.signer.clone(), stamp.certificates.clone());
        let crls = stamp.crls.clone();
        Mark {
            kind,
            used,
            hole,
            end,
            signature: Vec::new(),
            signer,
            certificates,
            crls,
            stamp: Some(stamp),
            contents: Vec::new(),
        }
    } else {
        let Some((signed, said)) = Signed::read(&normal) else { return Ok(None) };
        if !covers(&said, file, &hole, end)? {
            return Ok(None);
        }
        Mark {
            kind,
            used,
            hole,
            end,
            signature: signed.signer.signature,
            signer: signed.certificate,
            certificates: signed.certificates,
            crls: signed.crls,
            stamp: signed.stamp,
            contents: Vec::new(),
        }
    };
    mark.contents = contents;
    Ok(Some(mark))
}

/// A detached signature whose attributes are signed by its certificate.
struct Signed {
    signer: SignerInfo,
    certificate: X509,
    certificates: Vec<X509>,
    crls: Vec<Vec<u8>>,
    stamp: Option<Stamp>,
}

impl Signed {
    /// With the hash and digest that it names.
    fn read(cms: &[u8]) -> Option<(Self, (Hash, Vec<u8>))> {
        let SignedData { econtent_type, econtent, certificates, crls, signers } =
            cms::parse(cms, &Limits::default()).ok()?;
        let [signer] = <[SignerInfo; 1]>::try_from(signers).ok()?;
        let certificate = signer.certificate(&certificates)?.clone();
        let check = signer.check_signature(&certificate, &econtent_type, &[]);
        if econtent.is_some() || !check.signature || !check.problems.is_empty() {
            return None;
        }
        let said = {
            let mut values = signer.attributes_of(MESSAGE_DIGEST).flat_map(|a| &a.values);
            let value = values.next()?;
            (signer.digest, der::only(value, 0x04).ok()?.content.to_vec())
        };
        let stamp = {
            let mut tokens = signer.unsigned.iter().filter(|a| a.oid == TIME_STAMP).flat_map(|a| &a.values);
            match (tokens.next(), tokens.next()) {
                (None, _) => None,
                (Some(token), None) => {
                    let stamp = Stamp::read(token)?;
                    let (hash, imprint) = &stamp.imprint;
                    let fits = hash.digest(&[&signer.signature]).as_ref() == Some(imprint);
                    Some(fits.then_some(stamp)?)
                }
                _ => return None,
            }
        };
        Some((Signed { signer, certificate, certificates, crls, stamp }, said))
    }
}

impl Stamp {
    /// A TimeStampToken (RFC 3161 2.4.2) whose signature holds; what it is over is still to be compared.
    pub(super) fn read(token: &[u8]) -> Option<Self> {
        let data = cms::parse(token, &Limits::default()).ok()?;
        let [signer] = &data.signers[..] else { return None };
        let content = data.econtent.as_deref().filter(|_| data.econtent_type == TST_INFO)?;
        let certificate = signer.certificate(&data.certificates)?.clone();
        let check = signer.check_signature(&certificate, TST_INFO, &[content]);
        if !check.holds() || !check.problems.is_empty() {
            return None;
        }
        let mut fields = der::only(content, 0x30).ok()?.reader();
        fields.expect(0x02).ok()?;
        fields.expect(0x06).ok()?;
        let mut imprint = fields.expect(0x30).ok()?.reader();
        let hash = Hash::read(&imprint.expect(0x30).ok()?).ok().filter(|h| !h.is_weak())?;
        let digest = imprint.expect(0x04).ok()?.content.to_vec();
        fields.expect(0x02).ok()?;
        let time = time(fields.expect(0x18).ok()?.content)?;
        Some(Stamp {
            time,
            signer: certificate,
            imprint: (hash, digest),
            certificates: data.certificates,
            crls: data.crls,
        })
    }
}

/// genTime: GeneralizedTime in UTC, fractions allowed (RFC 3161 2.4.2) and cut.
fn time(content: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let plain = format!("{whole}Z");
    cms::validity::time(&der::Tlv { tag: 0x18, at: 0, content: plain.as_bytes(), raw: plain.as_bytes() })
}

/// The hole and the end of `/ByteRange`, strictly `[0 a b c]` within the file.
fn ranges(signature: &Dict, length: u64) -> Option<(Range<u64>, u64)> {
    let numbers = signature.get(b"ByteRange")?.as_array()?;
    let numbers: Vec<u64> = numbers.iter().map(|n| u64::try_from(n.as_int()?).ok()).collect::<Option<_>>()?;
    let [0, first, second, rest] = numbers[..] else { return None };
    let end = second.checked_add(rest)?;
    let fits = first > 0 && first < second && end <= length && second - first <= MAX_HOLE;
    fits.then_some((first..second, end))
}

/// The digest is over the file up to the end but for the hole.
fn covers((hash, said): &(Hash, Vec<u8>), file: &Original, hole: &Range<u64>, end: u64) -> Outcome<bool> {
    let unable = |_| Fault::new(&super::super::key::SIGNING);
    if hash.is_weak() {
        return Ok(false);
    }
    let mut hasher = Hasher::new(hash.md()).map_err(unable)?;
    let mut buffer = vec![0; super::STRIDE];
    for (mut at, end) in [(0, hole.start), (hole.end, end)] {
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            file.fill(at, &mut buffer[..part])?;
            hasher.update(&buffer[..part]).map_err(unable)?;
            at += part as u64;
        }
    }
    Ok(hasher.finish().is_ok_and(|digest| digest[..] == said[..]))
}

const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const TIME_STAMP: &str = "1.2.840.113549.1.9.16.2.14";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const MAX_MARKS: usize = 100;
/// Octets of a `/Contents` token.
const MAX_HOLE: u64 = 16 << 20;
