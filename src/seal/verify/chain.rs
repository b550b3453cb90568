//! Whether a certificate leads to an anchor that this verifier trusts (RFC 5280 section 6, the part of it that document
//! signing needs), and whether a revocation list speaks of it. Without anchors nothing is trusted.

use super::{VerifyCode, finding};
use crate::cms::{KeyFacts, Parts, certificate::name_part, certificate::signed_with, name_key};
use crate::der;
use crate::fault::{Class, Code, Fault, Outcome, Report};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{CrlStatus, X509, X509Crl, X509Ref};
use serde::Serialize;
use std::cmp::Ordering;
use std::fs;
use std::path::Path;

/// What a verifier trusts: roots, helpful intermediates, and revocation lists.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    roots: Vec<X509>,
    intermediates: Vec<X509>,
    crls: Vec<Vec<u8>>,
}

/// How far a certificate is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A chain of good certificates leads to an anchor.
    Trusted,
    /// No chain leads to an anchor.
    Untrusted,
    /// A chain leads to an anchor, but a certificate in it was not valid at the time that counts.
    Expired,
    /// A certificate of the chain had been revoked.
    Revoked,
    /// The certificate may not be used for this.
    WrongUse,
    /// There are no anchors to judge by, or nothing to judge.
    Unknown,
}

/// What is known of revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// For every certificate below the anchor a good list says that it was not revoked.
    NotRevoked,
    /// A good list says that one was.
    Revoked,
    /// For at least one certificate there is no usable list.
    Unknown,
}

/// A judged chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The judgement.
    pub trust: Trust,
    /// Common names from the signer up to the anchor.
    pub path: Vec<String>,
    /// Revocation of all of them but the anchor.
    pub revocation: Revocation,
    /// What speaks against it.
    pub problems: Vec<Report>,
}

/// What the end certificate must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Document,
    TimeStamp,
}

/// What comes along with a signature: claims that only help to find the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Enclosed {
    pub(super) certificates: Vec<X509>,
    pub(super) crls: Vec<Vec<u8>>,
}

/// The time that certificates are judged at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// A trusted time stamp says so; otherwise it is only the latest time possible.
    pub(super) proven: bool,
}

impl Anchors {
    /// Loads `*.pem *.crt *.cer` (roots are those that sign themselves) and `*.crl` of one folder, PEM or DER. Where the
    /// folder has a subfolder `signing`, that is read in its place, so that a station's `anchors/` can be given.
    ///
    /// # Errors
    /// [`ANCHORS`] for a folder or file that cannot be read.
    pub fn load(folder: &Path) -> Outcome<Anchors> {
        let inner = folder.join("signing");
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let fault = |e: std::io::Error| Fault::new(&ANCHORS).detail(e.kind()).at(folder.display());
        let mut files: Vec<_> =
            fs::read_dir(&folder).map_err(fault)?.filter_map(|e| Some(e.ok()?.path())).collect();
        files.sort();
        let mut anchors = Anchors::default();
        for file in files {
            let kind = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
            let crl = kind == "crl";
            if !crl && !matches!(kind.as_str(), "pem" | "crt" | "cer") {
                continue;
            }
            let bad = |what: &str| Fault::new(&ANCHORS).detail(what).at(file.display());
            if fs::metadata(&file).map_err(fault)?.len() > MAX_FILE {
                return Err(bad("too large"));
            }
            let bytes = fs::read(&file).map_err(fault)?;
            if crl {
                let crl = X509Crl::from_der(&bytes).or_else(|_| X509Crl::from_pem(&bytes));
                let crl = crl.and_then(|c| c.to_der()).map_err(|_| bad("not a revocation list"))?;
                anchors.crls.push(crl);
                continue;
            }
            let certificates =
                X509::from_der(&bytes).map(|c| vec![c]).or_else(|_| X509::stack_from_pem(&bytes));
            let certificates = certificates.unwrap_or_default();
            if certificates.is_empty() {
                return Err(bad("no certificate"));
            }
            certificates.into_iter().for_each(|c| anchors.add(c));
        }
        Ok(anchors)
    }

    /// Trusts a certificate where it signed itself; otherwise only uses it to find the way.
    pub fn add(&mut self, certificate: X509) {
        if is_issued_by(&certificate, &certificate) {
            self.roots.push(certificate);
        } else {
            self.intermediates.push(certificate);
        }
    }

    /// Adds a revocation list, DER. Whether it counts is decided when it is used.
    pub fn add_crl(&mut self, crl: Vec<u8>) {
        self.crls.push(crl);
    }

    /// How many roots are trusted.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }
}

/// Judges the chain of `end` at a moment.
pub(super) fn judge(
    end: &X509Ref,
    enclosed: &Enclosed,
    anchors: &Anchors,
    moment: Moment,
    purpose: Purpose,
) -> ChainReport {
    let mut report = ChainReport {
        trust: Trust::Unknown,
        path: vec![common_name(end)],
        revocation: Revocation::Unknown,
        problems: Vec::new(),
    };
    if anchors.roots.is_empty() {
        report.problems.push(finding(&NO_ANCHORS));
        return report;
    }
    let mut search = Search { enclosed, anchors, steps: 0, best: None };
    let Ok(end) = X509::from_der(&end.to_der().unwrap_or_default()) else { return report };
    search.extend(&mut vec![end.clone()], moment);
    let Some(path) = search.best else {
        report.trust = Trust::Untrusted;
        report.problems.push(finding(&UNTRUSTED));
        return report;
    };
    report.path = path.certificates.iter().map(|c| common_name(c)).collect();
    report.trust = if path.expired { Trust::Expired } else { Trust::Trusted };
    if path.expired {
        report.problems.push(finding(&EXPIRED));
    }
    if !usable(&end, purpose) {
        report.trust = Trust::WrongUse;
        report.problems.push(finding(&WRONG_USE));
    }
    report.revocation = revocation(&path.certificates, enclosed, anchors, moment);
    if report.revocation == Revocation::Revoked {
        report.trust = Trust::Revoked;
        report.problems.push(finding(&REVOKED));
    }
    report
}

/// The common name of a certificate's subject, or its serial number.
pub(super) fn common_name(certificate: &X509Ref) -> String {
    let Ok(parts) = Parts::of(certificate) else { return String::new() };
    name_part(&parts.subject, "2.5.4.3").unwrap_or_else(|| format!("serial {}", hex::encode(&parts.serial)))
}

struct Route {
    certificates: Vec<X509>,
    expired: bool,
}

/// Depth-first over all issuers that fit, bounded in depth and steps; a chain that is valid in time is preferred.
struct Search<'a> {
    enclosed: &'a Enclosed,
    anchors: &'a Anchors,
    steps: usize,
    best: Option<Route>,
}

impl Search<'_> {
    fn extend(&mut self, path: &mut Vec<X509>, moment: Moment) {
        self.steps += 1;
        let Some(last) = path.last().cloned() else { return };
        if self.steps > MAX_STEPS || path.len() > MAX_DEPTH || self.best.as_ref().is_some_and(|b| !b.expired)
        {
            return;
        }
        if self.anchors.roots.iter().any(|r| same(r, &last)) {
            let expired = path.iter().any(|c| !valid_at(c, moment.at));
            self.best = Some(Route { certificates: path.clone(), expired });
            return;
        }
        if !strong(&last) {
            return;
        }
        let (roots, helpers) = (&self.anchors.roots, &self.anchors.intermediates);
        let candidates: Vec<X509> = roots
            .iter()
            .chain(helpers)
            .chain(&self.enclosed.certificates)
            .filter(|c| {
                !path.iter().any(|p| same(p, c)) && may_issue(c, path.len() - 1) && is_issued_by(&last, c)
            })
            .cloned()
            .collect();
        for candidate in candidates {
            path.push(candidate);
            self.extend(path, moment);
            path.pop();
        }
    }
}

fn revocation(path: &[X509], enclosed: &Enclosed, anchors: &Anchors, moment: Moment) -> Revocation {
    let lists: Vec<(X509Crl, &[u8])> = (anchors.crls.iter().chain(&enclosed.crls))
        .take(MAX_CRLS)
        .filter(|der| plain_list(der))
        .filter_map(|der| Some((X509Crl::from_der(der).ok()?, der.as_slice())))
        .collect();
    let mut verdict = Revocation::NotRevoked;
    for pair in path.windows(2) {
        let [certificate, issuer] = pair else { continue };
        let mut known = false;
        for (list, _) in lists.iter().filter(|(l, _)| list_of(l, issuer, moment)) {
            match list.get_by_cert(certificate) {
                CrlStatus::Revoked(entry) => {
                    let before = compare(entry.revocation_date(), moment.at) != Some(Ordering::Greater);
                    if before || !moment.proven {
                        return Revocation::Revoked;
                    }
                    known = true;
                }
                CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => known = true,
            }
        }
        if !known {
            verdict = Revocation::Unknown;
        }
    }
    verdict
}

/// A list that `issuer` signed, may sign, and that was not yet stale at the moment.
fn list_of(list: &X509Crl, issuer: &X509Ref, moment: Moment) -> bool {
    let names = list.issuer_name().to_der().ok().zip(issuer.subject_name().to_der().ok());
    let same_name =
        names.is_some_and(|(a, b)| matches!((name_key(&a), name_key(&b)), (Ok(a), Ok(b)) if a == b));
    let fresh = list.next_update().is_some_and(|next| compare(next, moment.at) != Some(Ordering::Less));
    let strong = issuer_bits(issuer, KEY_USAGE_CRL_SIGN);
    let good = issuer.public_key().is_ok_and(|key| list.verify(&key).unwrap_or(false));
    drop(openssl::error::ErrorStack::get());
    same_name && fresh && strong && good
}

/// A whole list over all reasons: no delta, no issuing distribution point, nothing critical that is not understood.
fn plain_list(list: &[u8]) -> bool {
    let read = || -> Result<bool, der::DerError> {
        let mut tbs = der::only(list, 0x30)?.reader().expect(0x30)?.reader();
        while !tbs.is_empty() {
            let field = tbs.read_tlv()?;
            if field.tag != 0xa0 {
                continue;
            }
            let mut extensions = field.reader().expect(0x30)?.reader();
            while !extensions.is_empty() {
                let mut extension = extensions.expect(0x30)?.reader();
                extension.expect(0x06)?;
                if extension.optional(0x01)?.is_some_and(|c| c.content != [0]) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    };
    read().unwrap_or(false)
}

fn is_issued_by(certificate: &X509Ref, issuer: &X509Ref) -> bool {
    let (Ok(child), Ok(parent)) = (Parts::of(certificate), Parts::of(issuer)) else { return false };
    let named = matches!((name_key(&child.issuer), name_key(&parent.subject)), (Ok(a), Ok(b)) if a == b);
    let keyed = match (child.authority_key_id(), parent.subject_key_id()) {
        (Some(wanted), Some(is)) => wanted == is,
        _ => true,
    };
    let signed =
        named && keyed && issuer.public_key().is_ok_and(|key| certificate.verify(&key).unwrap_or(false));
    drop(openssl::error::ErrorStack::get());
    signed
}

/// A CA that may have `below` further CAs under it, and asks for nothing that is not understood.
fn may_issue(certificate: &X509Ref, below: usize) -> bool {
    let Ok(parts) = Parts::of(certificate) else { return false };
    let constraints = parts.extension("2.5.29.19").and_then(|e| {
        let mut fields = der::only(&e.value, 0x30).ok()?.reader();
        let ca = fields.optional(0x01).ok()?.is_some_and(|b| b.content != [0]);
        let limit = fields.optional(0x02).ok()?.and_then(|n| n.number().ok());
        Some((ca, limit))
    });
    let Some((true, limit)) = constraints else { return false };
    let room = limit.is_none_or(|l| below as u64 <= l);
    room && understood(&parts) && issuer_bits(certificate, KEY_USAGE_CERT_SIGN)
}

/// Strong enough to be below an anchor, and asks for nothing that is not understood.
fn strong(certificate: &X509Ref) -> bool {
    let known = Parts::of(certificate).is_ok_and(|p| understood(&p));
    known
        && !KeyFacts::of(certificate).is_weak()
        && signed_with(certificate).is_some_and(|hash| !hash.is_weak())
}

fn understood(parts: &Parts) -> bool {
    // Basic constraints, key usage, extended key usage, policies, alternative names.
    const KNOWN: [&str; 5] = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.32", "2.5.29.17"];
    parts.extensions.iter().all(|e| !e.critical || KNOWN.contains(&e.oid.as_str()))
}

fn usable(end: &X509Ref, purpose: Purpose) -> bool {
    let Ok(parts) = Parts::of(end) else { return false };
    let extended = parts.extension("2.5.29.37").map(|e| (e.critical, oids(&e.value)));
    match purpose {
        Purpose::TimeStamp => {
            // RFC 3161 section 2.3: critical, and this use alone.
            matches!(extended, Some((true, uses)) if uses == ["1.3.6.1.5.5.7.3.8"])
                && key_usage(&parts).is_none_or(|bits| bits & (KEY_USAGE_SIGN | KEY_USAGE_COMMIT) != 0)
        }
        Purpose::Document => {
            const USES: [&str; 6] = [
                "2.5.29.37.0",
                "1.3.6.1.5.5.7.3.2",
                "1.3.6.1.5.5.7.3.4",
                "1.3.6.1.5.5.7.3.36",
                "1.3.6.1.4.1.311.10.3.12",
                "1.2.840.113583.1.1.5",
            ];
            let fits = extended.is_none_or(|(_, uses)| uses.iter().any(|u| USES.contains(&u.as_str())));
            fits && key_usage(&parts).is_some_and(|bits| bits & KEY_USAGE_COMMIT != 0)
        }
    }
}

fn oids(value: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let Ok(list) = der::only(value, 0x30) else { return out };
    let mut reader = list.reader();
    while let Ok(oid) = reader.expect(0x06) {
        out.extend(oid.oid());
    }
    out
}

/// The first octet of the key usage bits; none where the extension is absent or malformed.
fn key_usage(parts: &Parts) -> Option<u8> {
    let bits = der::only(&parts.extension("2.5.29.15")?.value, 0x03).ok()?.content;
    bits.get(1).copied()
}

fn issuer_bits(issuer: &X509Ref, wanted: u8) -> bool {
    let Ok(parts) = Parts::of(issuer) else { return false };
    parts.extension("2.5.29.15").is_none() || key_usage(&parts).is_some_and(|bits| bits & wanted != 0)
}

fn valid_at(certificate: &X509Ref, at: Timestamp) -> bool {
    compare(certificate.not_before(), at).is_some_and(|o| o != Ordering::Greater)
        && compare(certificate.not_after(), at).is_some_and(|o| o != Ordering::Less)
}

fn compare(time: &Asn1TimeRef, at: Timestamp) -> Option<Ordering> {
    let at = Asn1Time::from_unix(at.as_second()).ok()?;
    time.compare(&at).ok()
}

fn same(a: &X509Ref, b: &X509Ref) -> bool {
    matches!((a.to_der(), b.to_der()), (Ok(a), Ok(b)) if a == b)
}

const KEY_USAGE_SIGN: u8 = 0x80;
const KEY_USAGE_COMMIT: u8 = 0x40;
const KEY_USAGE_CERT_SIGN: u8 = 0x04;
const KEY_USAGE_CRL_SIGN: u8 = 0x02;
const MAX_DEPTH: usize = 8;
const MAX_STEPS: usize = 200;
const MAX_CRLS: usize = 256;
const MAX_FILE: u64 = 64 << 20;

/// Anchors that cannot be read.
pub const ANCHORS: Code = Code {
    id: "VRFY-001",
    class: Class::Setup,
    vi: "Không đọc được thư mục chứng thư tin cậy",
    en: "the folder of trusted certificates cannot be read",
    remedy_vi: "Kiểm tra thư mục và các tệp .pem, .crl trong đó",
    remedy_en: "check the folder and the .pem and .crl files in it",
};
/// Nothing to trust.
pub const NO_ANCHORS: Code = Code {
    id: "VRFY-002",
    class: Class::Setup,
    vi: "Chưa có chứng thư gốc tin cậy nên không kết luận được người ký là ai",
    en: "there is no trusted root, so who signed cannot be judged",
    remedy_vi: "Chỉ tới thư mục chứng thư gốc bằng --anchors",
    remedy_en: "point to the folder of trusted roots with --anchors",
};
/// No chain.
pub const UNTRUSTED: Code = VerifyCode {
    id: "VRFY-003",
    vi: "Chứng thư của người ký không dẫn tới chứng thư gốc tin cậy nào",
    en: "the signer's certificate does not lead to a trusted root",
}
.code();
/// Out of time.
pub const EXPIRED: Code = VerifyCode {
    id: "VRFY-004",
    vi: "Chứng thư hết hạn hoặc chưa có hiệu lực tại thời điểm xét",
    en: "a certificate was not valid at the time that counts",
}
.code();
/// Revoked.
pub const REVOKED: Code =
    VerifyCode {
        id: "VRFY-005", vi: "Chứng thư đã bị thu hồi", en: "a certificate had been revoked"
    }
    .code();
/// Wrong use.
pub const WRONG_USE: Code = VerifyCode {
    id: "VRFY-006",
    vi: "Chứng thư không được cấp cho mục đích này",
    en: "the certificate was not issued for this use",
}
.code();
