//! OCSP answers (RFC 6960). An answer is by the issuer itself, or by a responder whose certificate that same issuer signed
//! for this purpose; what anyone else says counts for nothing.

use super::crl::{read_time, reason, trimmed};
use super::{
    BROKEN, Evidence, Moment, NO_ANSWER, Opinion, Question, Statement, Status, TOO_MUCH, Why, is_issued_by,
    usage_allows,
};
use crate::cms::certificate::extensions;
use crate::cms::{Hash, KeyFacts, Parts, SignatureAlg, name_key};
use crate::der::{self, DerError, Tlv};
use crate::fault::{Fault, Outcome};
use jiff::Timestamp;
use openssl::x509::X509;
use std::fmt;
use std::sync::Arc;

/// An OCSP response with an answer, as it was handed over; cloning is cheap.
#[derive(Clone)]
pub struct OcspResponse(Arc<Answer>);

struct Answer {
    der: Vec<u8>,
    /// tbsResponseData, whole.
    signed: Vec<u8>,
    algorithm: Option<SignatureAlg>,
    signature: Vec<u8>,
    responder: Responder,
    produced_at: Timestamp,
    singles: Vec<Single>,
    certificates: Vec<X509>,
    /// Nothing critical in the response as a whole that is not understood.
    understood: bool,
}

/// ResponderID.
enum Responder {
    /// [`name_key`] of its Name.
    Name(String),
    /// SHA-1 of its key.
    Key(Vec<u8>),
}

/// SingleResponse.
struct Single {
    hash: Option<Hash>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    statement: Statement,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    keeps_since: Option<Timestamp>,
    understood: bool,
}

impl fmt::Debug for OcspResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OcspResponse({} answers, of {})", self.0.singles.len(), self.0.produced_at)
    }
}

impl OcspResponse {
    /// Reads an OCSPResponse, DER, of at most 1 MiB and 1,000 answers.
    ///
    /// # Errors
    /// [`BROKEN`], [`TOO_MUCH`]; [`NO_ANSWER`] where the responder declines.
    pub fn read(bytes: &[u8]) -> Outcome<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(Fault::new(&TOO_MUCH).detail(format!("an OCSP response of {} bytes", bytes.len())));
        }
        let broken = |e: DerError| match e {
            DerError::Limit { .. } => Fault::new(&TOO_MUCH).detail(format!("an OCSP response: {e}")),
            e => Fault::new(&BROKEN).detail(format!("an OCSP response: {e}")),
        };
        let (status, basic) = open(bytes).map_err(broken)?;
        let Some(basic) = basic.filter(|_| status == 0) else {
            return Err(Fault::new(&NO_ANSWER).detail(format!("responseStatus {status}")));
        };
        let answer = Answer::read(bytes, basic).map_err(broken);
        drop(openssl::error::ErrorStack::get());
        Ok(OcspResponse(Arc::new(answer?)))
    }

    /// The response, DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// When it was signed.
    pub fn produced_at(&self) -> Timestamp {
        self.0.produced_at
    }

    /// Certificates that came along.
    pub fn certificates(&self) -> &[X509] {
        &self.0.certificates
    }

    /// All that this response says about the certificate, each with what speaks for a delegated responder.
    pub(super) fn opinions(
        &self,
        question: &Question,
        evidence: &Evidence,
        moment: &Moment,
    ) -> Vec<(Result<Opinion, Why>, Evidence)> {
        let answer = &*self.0;
        let mut about = answer.singles.iter().filter(|s| s.is_about(question)).peekable();
        if about.peek().is_none() {
            return Vec::new();
        }
        let author = match answer.author(question, evidence, moment) {
            Ok(grounds) => grounds,
            Err(why) => return vec![(Err(why), Evidence::default())],
        };
        about.map(|single| (single.opinion(), author.clone())).collect()
    }
}

impl Answer {
    fn read(bytes: &[u8], basic: &[u8]) -> Result<Answer, DerError> {
        let mut outer = der::only(basic, 0x30)?.reader();
        let data = outer.expect(0x30)?;
        let algorithm = SignatureAlg::read(&outer.expect(0x30)?, None).ok();
        let bits = outer.expect(0x03)?;
        let [0, signature @ ..] = bits.content else { return Err(DerError::Value { at: bits.at }) };
        let mut certificates = Vec::new();
        if let Some(list) = outer.optional(0xa0)? {
            let mut list = list.reader().expect(0x30)?.reader();
            while !list.is_empty() {
                if certificates.len() == MAX_CERTIFICATES {
                    return Err(DerError::Limit { what: "items", at: list.at() });
                }
                let certificate = list.expect(0x30)?;
                certificates.extend(X509::from_der(certificate.raw).ok());
            }
        }
        outer.end()?;
        let mut fields = data.reader();
        if let Some(version) = fields.optional(0xa0)?
            && version.reader().expect(0x02)?.number()? != 0
        {
            return Err(DerError::Value { at: version.at });
        }
        let responder = responder(&fields.read_tlv()?)?;
        let produced_at = read_time(&fields.expect(0x18)?)?;
        let mut list = fields.expect(0x30)?.reader();
        let mut singles = Vec::new();
        while !list.is_empty() {
            if singles.len() == MAX_ANSWERS {
                return Err(DerError::Limit { what: "items", at: list.at() });
            }
            singles.push(Single::read(&list.expect(0x30)?)?);
        }
        let found = fields.optional(0xa1)?.map(|l| extensions(&l)).transpose()?.unwrap_or_default();
        fields.end()?;
        Ok(Answer {
            der: bytes.to_vec(),
            signed: data.raw.to_vec(),
            algorithm,
            signature: signature.to_vec(),
            responder,
            produced_at,
            singles,
            certificates,
            understood: found.iter().all(|e| !e.critical),
        })
    }

    /// Whether the author may answer for the issuer and signed this (RFC 6960 4.2.2.2).
    fn author(&self, question: &Question, evidence: &Evidence, moment: &Moment) -> Result<Evidence, Why> {
        if !self.understood {
            return Err(Why::NotUnderstood);
        }
        let algorithm = self.algorithm.filter(|a| !a.hash().is_weak()).ok_or(Why::Signature)?;
        let holds = |parts: &Parts| {
            let key = parts.public_key();
            let strong = !KeyFacts::of_parts(parts).is_weak();
            let holds =
                strong && key.is_ok_and(|key| algorithm.verify(&key, &[&self.signed], &self.signature));
            drop(openssl::error::ErrorStack::get());
            holds
        };
        if self.responder.is(&question.issuer) {
            return if holds(&question.issuer) { Ok(Evidence::default()) } else { Err(Why::Signature) };
        }
        let issuer = &question.issuer_certificate;
        let mut why = Why::Author;
        for candidate in self.certificates.iter().chain(&evidence.certificates) {
            let Ok(parts) = Parts::of(candidate) else { continue };
            if !self.responder.is(&parts) || !may_answer(&parts) || !is_issued_by(candidate, issuer) {
                continue;
            }
            if !holds(&parts) {
                why = why.max(Why::Signature);
                continue;
            }
            let within = parts.not_before.is_some_and(|from| from <= self.produced_at)
                && parts.not_after.is_some_and(|until| self.produced_at <= until);
            if !within {
                continue;
            }
            let mut grounds = Evidence { certificates: vec![candidate.clone()], ..Evidence::default() };
            if parts.extension(NO_CHECK).is_some() {
                return Ok(grounds);
            }
            // Who is not exempt must be on no list when it answered; its own kind's word does not help.
            let then = Moment { at: self.produced_at, proven: false, latest: moment.latest };
            let (status, lists) = evidence.by_lists(candidate, issuer, &then);
            if matches!(status, Status::Good { .. }) {
                grounds.crls.extend(lists.crls);
                return Ok(grounds);
            }
        }
        Err(why)
    }
}

impl Responder {
    fn is(&self, parts: &Parts) -> bool {
        match self {
            Responder::Name(name) => name_key(&parts.subject).is_ok_and(|own| own == *name),
            Responder::Key(id) => key_hash(Hash::Sha1, &parts.spki).is_some_and(|own| own == *id),
        }
    }
}

impl Single {
    fn read(single: &Tlv<'_>) -> Result<Single, DerError> {
        let mut fields = single.reader();
        let mut id = fields.expect(0x30)?.reader();
        let algorithm = id.expect(0x30)?;
        let hash = Hash::read(&algorithm).ok().filter(|h| *h != Hash::Md5);
        let name_hash = id.expect(0x04)?.content.to_vec();
        let key_hash = id.expect(0x04)?.content.to_vec();
        let serial = id.expect(0x02)?.content.to_vec();
        id.end()?;
        let status = fields.read_tlv()?;
        let mut revoked = None;
        let statement = match status.tag {
            0x80 => Statement::Good,
            0x82 => Statement::Unknown,
            0xa1 => {
                let mut info = status.reader();
                let at = read_time(&info.expect(0x18)?)?;
                let code = match info.optional(0xa0)? {
                    Some(wrapped) => Some(reason(&wrapped.reader().expect(0x0a)?)?),
                    None => None,
                };
                info.end()?;
                revoked = Some((at, code));
                Statement::Unknown
            }
            _ => return Err(DerError::Value { at: status.at }),
        };
        let this_update = read_time(&fields.expect(0x18)?)?;
        let next_update = match fields.optional(0xa0)? {
            Some(wrapped) => Some(read_time(&wrapped.reader().expect(0x18)?)?),
            None => None,
        };
        let found = fields.optional(0xa1)?.map(|l| extensions(&l)).transpose()?.unwrap_or_default();
        fields.end()?;
        let (mut keeps_since, mut invalid_since, mut understood) = (None, None, true);
        for extension in &found {
            match extension.oid.as_str() {
                ARCHIVE_CUTOFF => keeps_since = Some(read_time(&der::only(&extension.value, 0x18)?)?),
                // invalidityDate, as in a list (4.4.5)
                "2.5.29.24" => invalid_since = Some(read_time(&der::only(&extension.value, 0x18)?)?),
                _ => understood &= !extension.critical,
            }
        }
        let statement = match revoked {
            Some((at, reason)) => Statement::Revoked { at, reason, invalid_since },
            None => statement,
        };
        Ok(Single {
            hash,
            name_hash,
            key_hash,
            serial,
            statement,
            this_update,
            next_update,
            keeps_since,
            understood,
        })
    }

    /// CertID: hashes over the issuer's Name and key, and the serial number (4.1.1).
    fn is_about(&self, question: &Question) -> bool {
        let Some(hash) = self.hash else { return false };
        let name = [&question.certificate.issuer, &question.issuer.subject];
        trimmed(&self.serial) == trimmed(&question.certificate.serial)
            && name.iter().any(|n| hash.digest(&[n]).is_some_and(|own| own == self.name_hash))
            && key_hash(hash, &question.issuer.spki).is_some_and(|own| own == self.key_hash)
    }

    fn opinion(&self) -> Result<Opinion, Why> {
        if !self.understood {
            return Err(Why::NotUnderstood);
        }
        Ok(Opinion {
            this_update: self.this_update,
            next_update: self.next_update,
            statement: self.statement,
            whole: true,
            keeps_since: self.keeps_since,
        })
    }
}

/// responseStatus, and BasicOCSPResponse where there is one (4.2.1).
fn open(bytes: &[u8]) -> Result<(u8, Option<&[u8]>), DerError> {
    let mut fields = der::only(bytes, 0x30)?.reader();
    let status = fields.expect(0x0a)?;
    let &[code] = status.content else { return Err(DerError::Value { at: status.at }) };
    let Some(wrapped) = fields.optional(0xa0)? else {
        fields.end()?;
        return if code == 0 { Err(DerError::Value { at: status.at }) } else { Ok((code, None)) };
    };
    fields.end()?;
    let mut inner = wrapped.reader().expect(0x30)?.reader();
    let kind = inner.expect(0x06)?;
    if kind.oid()? != BASIC {
        return Err(DerError::Value { at: kind.at });
    }
    let basic = inner.expect(0x04)?.content;
    inner.end()?;
    Ok((code, Some(basic)))
}

fn responder(id: &Tlv<'_>) -> Result<Responder, DerError> {
    let mut inner = id.reader();
    let responder = match id.tag {
        0xa1 => Responder::Name(name_key(inner.expect(0x30)?.raw)?),
        0xa2 => Responder::Key(inner.expect(0x04)?.content.to_vec()),
        _ => return Err(DerError::Value { at: id.at }),
    };
    inner.end()?;
    Ok(responder)
}

/// A certificate made for answering: id-kp-OCSPSigning by name (4.2.2.2), a key that may sign, and nothing critical
/// that is not understood.
fn may_answer(parts: &Parts) -> bool {
    const KNOWN: [&str; 5] = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.32", "2.5.29.17"];
    let purpose = || {
        let mut list = der::only(&parts.extension("2.5.29.37")?.value, 0x30).ok()?.reader();
        while !list.is_empty() {
            if list.expect(0x06).ok()?.oid().ok()? == OCSP_SIGNING {
                return Some(true);
            }
        }
        Some(false)
    };
    let understood = |e: &crate::cms::certificate::Extension| {
        !e.critical || e.oid == NO_CHECK || KNOWN.contains(&e.oid.as_str())
    };
    purpose() == Some(true) && usage_allows(parts, SIGN) && parts.extensions.iter().all(understood)
}

/// The hash of a key: over the contents of its BIT STRING without the count of unused bits.
pub(super) fn key_hash(hash: Hash, spki: &[u8]) -> Option<Vec<u8>> {
    let mut fields = der::only(spki, 0x30).ok()?.reader();
    fields.expect(0x30).ok()?;
    let [0, key @ ..] = fields.expect(0x03).ok()?.content else { return None };
    hash.digest(&[key])
}

const BASIC: &str = "1.3.6.1.5.5.7.48.1.1";
const NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";
const ARCHIVE_CUTOFF: &str = "1.3.6.1.5.5.7.48.1.6";
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
/// digitalSignature and contentCommitment.
const SIGN: u8 = 0xc0;
const MAX_BYTES: usize = 1 << 20;
const MAX_ANSWERS: usize = 1000;
const MAX_CERTIFICATES: usize = 16;
