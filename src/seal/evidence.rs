//! Evidence of revocation: revocation lists (RFC 5280 section 5), OCSP answers (RFC 6960) and certificates, from whatever
//! place they came, and what they say together of one certificate at one time.
//!
//! An answer counts only where its own signature, its author, its scope and its dates hold; whoever handed it over is of
//! no weight. What nobody answered is unknown, and unknown is never good.

mod crl;
pub mod dss;
pub mod fetch;
#[cfg(test)]
pub(crate) mod mint;
mod ocsp;
#[cfg(test)]
mod tests;

pub use crl::Crl;
pub use ocsp::OcspResponse;

use crate::cms::certificate::Signed;
use crate::cms::{Parts, known, name_key};
use crate::der;
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::{SignedDuration, Timestamp};
use openssl::pkey::{PKey, Public};
use openssl::x509::{X509, X509Ref};

/// Everything that anyone can say about certificates. Each part was parsed once, within limits; cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Certificates that help to find the way; none is trusted for being here.
    pub certificates: Vec<X509>,
    /// Revocation lists.
    pub crls: Vec<Crl>,
    /// OCSP answers.
    pub ocsp: Vec<OcspResponse>,
}

/// What is known of a certificate's revocation at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not revoked at that time.
    Good {
        /// When the answer that says so was issued.
        this_update: Timestamp,
        /// Its kind.
        source: Source,
    },
    /// Revoked, and to be taken for revoked at that time.
    Revoked {
        /// Since when: the date of revocation, or of invalidity where that is earlier.
        at: Timestamp,
        /// CRLReason (RFC 5280 5.3.1).
        reason: Option<u8>,
        /// The kind of the answer that says so.
        source: Source,
    },
    /// Nobody can say.
    Unknown(Why),
}

/// The kind of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A revocation list.
    Crl,
    /// An OCSP answer.
    Ocsp,
}

/// Why nothing is known; where there were several answers, what the last obstacle of the best of them was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No answer is about this certificate.
    Nothing,
    /// An answer asks for something that is not understood here: an unknown critical extension, an indirect list.
    NotUnderstood,
    /// An answer is not by its issuer, nor by anyone whom the issuer charged with answers.
    Author,
    /// The author's signature does not hold, or its hash or key is too weak.
    Signature,
    /// A list of changes, or of some reasons, or of some other certificates.
    Partial,
    /// An answer from the future of this clock.
    Future,
    /// An answer that was out of date at the time that counts.
    Stale,
    /// An answer made after the certificate had run out: it may have been dropped from the books.
    AfterExpiry,
    /// The responder answers that it does not know the certificate.
    NotKnownToResponder,
}

impl Why {
    /// The reason in a few words, Vietnamese.
    pub fn vi(self) -> &'static str {
        match self {
            Why::Nothing => "không có danh sách thu hồi hay trả lời OCSP nào về chứng thư này",
            Why::NotUnderstood => "dữ liệu thu hồi có yêu cầu không hiểu được",
            Why::Author => "dữ liệu thu hồi không do đơn vị cấp chứng thư hay người được ủy quyền lập",
            Why::Signature => "chữ ký trên dữ liệu thu hồi không đúng hoặc quá yếu",
            Why::Partial => "danh sách thu hồi chỉ là một phần",
            Why::Future => "dữ liệu thu hồi ở tương lai so với đồng hồ máy này",
            Why::Stale => "dữ liệu thu hồi đã cũ tại thời điểm xét",
            Why::AfterExpiry => "dữ liệu thu hồi lập sau khi chứng thư hết hạn",
            Why::NotKnownToResponder => "máy chủ OCSP không biết chứng thư này",
        }
    }

    /// The reason in a few words, English.
    pub fn en(self) -> &'static str {
        match self {
            Why::Nothing => "no revocation list or OCSP answer is about it",
            Why::NotUnderstood => "the revocation data asks for something that is not understood",
            Why::Author => "the revocation data is not by the issuer or its delegate",
            Why::Signature => "the signature on the revocation data does not hold or is too weak",
            Why::Partial => "the revocation list is only a part",
            Why::Future => "the revocation data lies in the future of this clock",
            Why::Stale => "the revocation data was out of date at the time that counts",
            Why::AfterExpiry => "the revocation data was made after the certificate expired",
            Why::NotKnownToResponder => "the OCSP responder does not know it",
        }
    }
}

impl Evidence {
    /// No evidence.
    pub fn new() -> Self {
        Evidence::default()
    }

    /// Adds a certificate, DER, unless it is there already.
    ///
    /// # Errors
    /// [`BROKEN`], [`TOO_MUCH`].
    pub fn add_certificate(&mut self, der: &[u8]) -> Outcome<()> {
        let certificate = known::certificate(der);
        drop(openssl::error::ErrorStack::get());
        let certificate = certificate.map_err(|_| Fault::new(&BROKEN).detail("a certificate"))?;
        if self.certificates.len() >= MOST {
            return Err(Fault::new(&TOO_MUCH).detail(format!("more than {MOST} certificates")));
        }
        if !self.certificates.iter().any(|c| same(c, &certificate)) {
            self.certificates.push(certificate);
        }
        Ok(())
    }

    /// Adds a revocation list, DER, unless it is there already. Whether it counts is decided when it is asked.
    ///
    /// # Errors
    /// [`BROKEN`], [`TOO_MUCH`].
    pub fn add_crl(&mut self, der: &[u8]) -> Outcome<()> {
        if self.crls.iter().any(|c| c.der() == der) {
            return Ok(());
        }
        if self.crls.len() >= MOST {
            return Err(Fault::new(&TOO_MUCH).detail(format!("more than {MOST} lists")));
        }
        self.crls.push(Crl::read(der)?);
        Ok(())
    }

    /// Adds an OCSP answer (OCSPResponse, DER), unless it is there already. Whether it counts is decided when it is
    /// asked.
    ///
    /// # Errors
    /// [`BROKEN`], [`TOO_MUCH`], [`NO_ANSWER`] for a response whose status is not successful.
    pub fn add_ocsp(&mut self, der: &[u8]) -> Outcome<()> {
        if self.ocsp.iter().any(|o| o.der() == der) {
            return Ok(());
        }
        if self.ocsp.len() >= MOST {
            return Err(Fault::new(&TOO_MUCH).detail(format!("more than {MOST} OCSP answers")));
        }
        self.ocsp.push(OcspResponse::read(der)?);
        Ok(())
    }

    /// Takes over what another holds and this does not.
    pub fn extend(&mut self, other: &Evidence) {
        for certificate in &other.certificates {
            if !self.certificates.iter().any(|c| same(c, certificate)) {
                self.certificates.push(certificate.clone());
            }
        }
        for crl in &other.crls {
            if !self.crls.iter().any(|c| c.der() == crl.der()) {
                self.crls.push(crl.clone());
            }
        }
        for answer in &other.ocsp {
            if !self.ocsp.iter().any(|o| o.der() == answer.der()) {
                self.ocsp.push(answer.clone());
            }
        }
    }

    /// What is known of `certificate`, issued by `issuer`, at a time. `proven`: a trusted time stamp shows that what the
    /// certificate signed existed then, so that a later revocation does not reach it, unless for a compromised key.
    ///
    /// An answer counts for `at` where it covers it or was issued later, and not later than this machine's clock (or
    /// `at`, whichever is later). Whoever says revoked is believed before whoever says good, also when out of date.
    pub fn status(&self, certificate: &X509Ref, issuer: &X509Ref, at: Timestamp, proven: bool) -> Status {
        self.weigh(certificate, issuer, at, proven).0
    }

    /// As [`Evidence::status`]; and what of this evidence it rests on: the decisive answer, and the certificate of a
    /// delegated responder.
    pub fn weigh(
        &self,
        certificate: &X509Ref,
        issuer: &X509Ref,
        at: Timestamp,
        proven: bool,
    ) -> (Status, Evidence) {
        let latest = Timestamp::now().max(at).checked_add(SKEW).unwrap_or(Timestamp::MAX);
        self.decide(certificate, issuer, &Moment { at, proven, latest })
    }

    fn decide(&self, certificate: &X509Ref, issuer: &X509Ref, moment: &Moment) -> (Status, Evidence) {
        let Some(question) = Question::new(certificate, issuer) else {
            return (Status::Unknown(Why::NotUnderstood), Evidence::default());
        };
        let mut verdict = Verdict::default();
        self.hear_lists(&mut verdict, &question, moment);
        for answer in &self.ocsp {
            for (opinion, delegate) in answer.opinions(&question, self, moment) {
                let grounds = || Evidence { ocsp: vec![answer.clone()], ..delegate.clone() };
                verdict.hear(opinion, Source::Ocsp, moment, &question, grounds);
            }
        }
        verdict.done()
    }

    /// As [`Evidence::weigh`], from lists alone.
    fn by_lists(&self, certificate: &X509Ref, issuer: &X509Ref, moment: &Moment) -> (Status, Evidence) {
        let Some(question) = Question::new(certificate, issuer) else {
            return (Status::Unknown(Why::NotUnderstood), Evidence::default());
        };
        let mut verdict = Verdict::default();
        self.hear_lists(&mut verdict, &question, moment);
        verdict.done()
    }

    fn hear_lists(&self, verdict: &mut Verdict, question: &Question, moment: &Moment) {
        for list in &self.crls {
            let grounds = || Evidence { crls: vec![list.clone()], ..Evidence::default() };
            verdict.hear(list.opinion(question), Source::Crl, moment, question, grounds);
        }
    }
}

/// The time that is asked about.
struct Moment {
    at: Timestamp,
    proven: bool,
    /// Answers issued later than this are from the future.
    latest: Timestamp,
}

/// Who is asked about.
struct Question {
    certificate: Parts,
    issuer: Parts,
    issuer_certificate: X509,
    issuer_name: String,
    issuer_key: PKey<Public>,
    /// The issuer's key is fit to sign today.
    strong: bool,
    is_ca: bool,
}

impl Question {
    fn new(certificate: &X509Ref, issuer: &X509Ref) -> Option<Self> {
        let certificate = known::facts(certificate).ok()?.parts.clone();
        let issuer_certificate = issuer.to_owned();
        let known = known::facts(issuer).ok()?;
        let issuer = known.parts.clone();
        let issuer_name = name_key(&issuer.subject).ok()?;
        // Somebody else's serial number says nothing.
        if name_key(&certificate.issuer).ok()? != issuer_name {
            return None;
        }
        let issuer_key = known.public_key().ok()?;
        let strong = !known.key_facts().is_weak();
        let is_ca = is_ca(&certificate);
        Some(Question { certificate, issuer, issuer_certificate, issuer_name, issuer_key, strong, is_ca })
    }
}

/// One answer about one certificate, its author and signature already checked.
#[derive(Debug, Clone, Copy)]
struct Opinion {
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    statement: Statement,
    /// It speaks of all reasons; without that it never proves good.
    whole: bool,
    /// It keeps certificates that ran out after this time.
    keeps_since: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
enum Statement {
    Good,
    Revoked { at: Timestamp, reason: Option<u8>, invalid_since: Option<Timestamp> },
    Unknown,
}

#[derive(Default)]
struct Verdict {
    good: Option<(Timestamp, Source, Evidence)>,
    revoked: Option<(Timestamp, Option<u8>, Source, Evidence)>,
    /// On hold (certificateHold), by the answer issued last.
    held: Option<(Timestamp, Timestamp, Source, Evidence)>,
    why: Option<Why>,
}

impl Verdict {
    fn hear(
        &mut self,
        opinion: Result<Opinion, Why>,
        source: Source,
        moment: &Moment,
        question: &Question,
        grounds: impl Fn() -> Evidence,
    ) {
        let good = match opinion {
            Err(why) => Err(why),
            Ok(opinion) => match opinion.statement {
                Statement::Unknown => Err(Why::NotKnownToResponder),
                Statement::Good => opinion.proves_good(moment, question),
                Statement::Revoked { at, reason, invalid_since } => {
                    let since = invalid_since.map_or(at, |i| i.min(at));
                    let compromised = matches!(reason, Some(1 | 2 | 10));
                    if moment.proven && since > moment.at && !compromised {
                        opinion.proves_good(moment, question)
                    } else if reason == Some(HOLD) {
                        if self.held.as_ref().is_none_or(|h| h.0 < opinion.this_update) {
                            self.held = Some((opinion.this_update, since, source, grounds()));
                        }
                        return;
                    } else {
                        if self.revoked.as_ref().is_none_or(|r| r.0 > since) {
                            self.revoked = Some((since, reason, source, grounds()));
                        }
                        return;
                    }
                }
            },
        };
        match good {
            Ok(this_update) => {
                if self.good.as_ref().is_none_or(|g| g.0 < this_update) {
                    self.good = Some((this_update, source, grounds()));
                }
            }
            Err(why) => self.why = self.why.max(Some(why)),
        }
    }

    fn done(self) -> (Status, Evidence) {
        if let Some((at, reason, source, grounds)) = self.revoked {
            return (Status::Revoked { at, reason, source }, grounds);
        }
        // Only an answer that is newer than the hold lifts it.
        if let Some((said, at, source, grounds)) = self.held
            && self.good.as_ref().is_none_or(|g| g.0 <= said)
        {
            return (Status::Revoked { at, reason: Some(HOLD), source }, grounds);
        }
        match self.good {
            Some((this_update, source, grounds)) => (Status::Good { this_update, source }, grounds),
            None => (Status::Unknown(self.why.unwrap_or(Why::Nothing)), Evidence::default()),
        }
    }
}

impl Opinion {
    /// The time of issue, where dates and scope let this answer prove that a certificate was not revoked.
    fn proves_good(&self, moment: &Moment, question: &Question) -> Result<Timestamp, Why> {
        if !self.whole {
            return Err(Why::Partial);
        }
        if self.this_update > moment.latest {
            return Err(Why::Future);
        }
        let covers = |from: Timestamp, span| from.checked_add(span).unwrap_or(Timestamp::MAX) >= moment.at;
        let fresh = match self.next_update {
            Some(next) => next >= self.this_update && covers(next, SignedDuration::ZERO),
            // "Newer is always to be had" (RFC 6960 2.4): good for a moment only.
            None => covers(self.this_update, ON_DEMAND),
        };
        if !fresh {
            return Err(Why::Stale);
        }
        let kept = |end: Timestamp| self.keeps_since.is_some_and(|since| since <= end);
        match question.certificate.not_after {
            Some(end) if self.this_update <= end || kept(end) => Ok(self.this_update),
            _ => Err(Why::AfterExpiry),
        }
    }
}

/// basicConstraints with cA (RFC 5280 4.2.1.9).
fn is_ca(parts: &Parts) -> bool {
    let read = || {
        let mut fields = der::only(&parts.extension("2.5.29.19")?.value, 0x30).ok()?.reader();
        Some(fields.optional(0x01).ok()?.is_some_and(|b| b.content != [0]))
    };
    read() == Some(true)
}

/// The certificate is allowed this by its key usage: a mask over the first octet of the bits. Absent: allowed.
pub(super) fn usage_allows(parts: &Parts, mask: u8) -> bool {
    let Some(usage) = parts.extension("2.5.29.15") else { return true };
    let bits = der::only(&usage.value, 0x03).ok().and_then(|t| t.content.get(1).copied());
    bits.is_some_and(|bits| bits & mask != 0)
}

/// `child` was signed by the key of `parent`, under its name, with a hash that still counts.
pub(super) fn is_issued_by(child: &X509Ref, parent: &X509Ref) -> bool {
    let signed = || {
        let (own, above) = (Parts::of(child).ok()?, Parts::of(parent).ok()?);
        let named = name_key(&own.issuer).ok()? == name_key(&above.subject).ok()?;
        let keyed = match (own.authority_key_id(), above.subject_key_id()) {
            (Some(wanted), Some(is)) => wanted == is,
            _ => true,
        };
        let strong = own.signature_alg.is_some_and(|a| !a.hash().is_weak());
        if !(named && keyed && strong) {
            return Some(false);
        }
        let (der, key) = (child.to_der().ok()?, above.public_key().ok()?);
        Some(Signed::read(&der).ok()?.holds(&key))
    };
    let signed = signed().unwrap_or(false);
    drop(openssl::error::ErrorStack::get());
    signed
}

pub(super) fn same(a: &X509Ref, b: &X509Ref) -> bool {
    matches!((a.to_der(), b.to_der()), (Ok(a), Ok(b)) if a == b)
}

/// Lists, answers or certificates in one body of evidence.
const MOST: usize = 1024;
const HOLD: u8 = 6;
/// How far the clocks of authorities may run ahead.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How long an answer without nextUpdate counts.
const ON_DEMAND: SignedDuration = SignedDuration::from_mins(10);

/// Not a list, answer or certificate.
pub const BROKEN: Code = Code {
    id: "SEAL-060",
    class: Class::Input,
    vi: "Dữ liệu về thu hồi chứng thư bị hỏng hoặc sai định dạng",
    en: "revocation data is damaged or malformed",
    remedy_vi: "Lấy lại danh sách thu hồi hoặc trả lời OCSP từ đơn vị cấp chứng thư",
    remedy_en: "fetch the list or the OCSP answer again from the issuer",
};

/// Over a limit.
pub const TOO_MUCH: Code = Code {
    id: "SEAL-061",
    class: Class::Input,
    vi: "Dữ liệu về thu hồi chứng thư vượt quá giới hạn",
    en: "there is more revocation data than is taken",
    remedy_vi: "Bỏ bớt dữ liệu không cần thiết",
    remedy_en: "take away what is not needed",
};

/// An OCSP response without an answer.
pub const NO_ANSWER: Code = Code {
    id: "SEAL-062",
    class: Class::Later,
    vi: "Máy chủ OCSP từ chối trả lời về chứng thư",
    en: "the OCSP responder gives no answer",
    remedy_vi: "Thử lại sau; nếu vẫn lỗi thì báo đơn vị cấp chứng thư",
    remedy_en: "try again later, then report it to the issuer",
};
