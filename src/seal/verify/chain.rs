//! Whether a certificate leads to an anchor that this verifier trusts, was valid at the time that counts, is for this use,
//! and is known not to have been revoked. Without anchors nothing is trusted; without evidence revocation is unknown.

use super::anchors::{Anchors, common_name};
use super::online::Asked;
use super::usage::{Purpose, usable};
use super::{VerifyCode, finding, path};
use crate::fault::{Class, Code, Fault, Report};
use crate::seal::evidence::{Evidence, Status, Why};
use jiff::Timestamp;
use openssl::x509::{X509, X509Ref};
use serde::Serialize;

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
    /// For every certificate below the anchor good evidence says that it was not revoked.
    NotRevoked,
    /// Good evidence says that one was.
    Revoked,
    /// For at least one certificate there is no usable evidence.
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
    /// Why revocation is unknown, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_gap: Option<Report>,
    /// The certificates of `path`.
    #[serde(skip)]
    pub(super) certificates: Vec<X509>,
}

/// The time that certificates are judged at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// It is known that what is judged existed then; otherwise it is only the latest time possible.
    pub(super) proven: bool,
    /// A trusted time stamp says so.
    pub(super) stamped: bool,
}

/// What chains are judged by.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) anchors: &'a Anchors,
    /// What came along with the signature, and what the trust folder holds.
    pub(super) evidence: &'a Evidence,
    /// Where more can be asked for.
    pub(super) online: Option<&'a Asked<'a>>,
}

impl ChainReport {
    /// Nothing is known.
    pub(super) fn unknown(path: Vec<String>) -> Self {
        ChainReport {
            trust: Trust::Unknown,
            path,
            revocation: Revocation::Unknown,
            problems: Vec::new(),
            revocation_gap: None,
            certificates: Vec::new(),
        }
    }
}

/// Judges the chain of `end` at a moment.
pub(super) fn judge(end: &X509Ref, given: &Given<'_>, moment: Moment, purpose: Purpose) -> ChainReport {
    let mut report = ChainReport::unknown(vec![common_name(end)]);
    if given.anchors.roots.is_empty() {
        report.problems.push(finding(&NO_ANCHORS));
        return report;
    }
    let end = end.to_owned();
    let find = |helpers: &[X509]| path::find(&end, helpers, given.anchors, moment.at);
    let route = find(&given.evidence.certificates).or_else(|refused| {
        let mut helpers = given.evidence.certificates.clone();
        helpers.extend(given.online.ok_or_else(|| refused.clone())?.issuers(&end));
        find(&helpers).map_err(|later| later.or(refused))
    });
    let route = match route {
        Ok(route) => route,
        Err(refused) => {
            report.trust = Trust::Untrusted;
            let fault = Fault::new(&UNTRUSTED);
            report.problems.push(refused.map_or(Fault::new(&UNTRUSTED), |why| fault.detail(why)).report());
            return report;
        }
    };
    report.path = route.certificates.iter().map(|c| common_name(c)).collect();
    report.trust = if route.expired { Trust::Expired } else { Trust::Trusted };
    if route.expired {
        report.problems.push(finding(&EXPIRED));
    }
    if !usable(&end, purpose) {
        report.trust = Trust::WrongUse;
        report.problems.push(finding(&WRONG_USE));
    }
    let known = revocation(&route.certificates, given.evidence, given.online, moment);
    report.revocation = match known {
        Known::Good => Revocation::NotRevoked,
        Known::Revoked => Revocation::Revoked,
        Known::Not(..) => Revocation::Unknown,
    };
    if let Known::Not(place, why) = known {
        let name = report.path.get(place).cloned().unwrap_or_default();
        let gap = Fault::new(&NO_EVIDENCE).detail(format!("{name}: {}", why.en()));
        report.revocation_gap = Some(gap.report());
    }
    if report.revocation == Revocation::Revoked {
        report.trust = Trust::Revoked;
        report.problems.push(finding(&REVOKED));
    }
    report.certificates = route.certificates;
    report
}

/// Whether this evidence alone answers for every certificate of a judged chain but the anchor.
pub(super) fn is_answered(report: &ChainReport, evidence: &Evidence, moment: Moment) -> bool {
    report.certificates.len() > 1
        && matches!(revocation(&report.certificates, evidence, None, moment), Known::Good)
}

/// What is known of a whole path.
enum Known {
    Good,
    Revoked,
    /// Nobody can say of the certificate at this place.
    Not(usize, Why),
}

fn revocation(path: &[X509], evidence: &Evidence, online: Option<&Asked<'_>>, moment: Moment) -> Known {
    let mut known = Known::Good;
    for (place, pair) in path.windows(2).enumerate() {
        let [certificate, issuer] = pair else { continue };
        let mut status = evidence.status(certificate, issuer, moment.at, moment.proven);
        if let (Status::Unknown(_), Some(online)) = (status, online) {
            status = online.evidence(evidence, certificate, issuer).status(
                certificate,
                issuer,
                moment.at,
                moment.proven,
            );
        }
        match status {
            Status::Good { .. } => {}
            Status::Revoked { .. } => return Known::Revoked,
            Status::Unknown(why) if matches!(known, Known::Good) => known = Known::Not(place, why),
            Status::Unknown(_) => {}
        }
    }
    known
}

/// Nothing to trust.
pub const NO_ANCHORS: Code = Code {
    id: "VRFY-002",
    class: Class::Setup,
    vi: "Chưa có chứng thư gốc tin cậy nên không kết luận được người ký là ai",
    en: "there is no trusted root, so who signed cannot be judged",
    remedy_vi: "Chỉ tới thư mục chứng thư gốc bằng --trust",
    remedy_en: "point to the folder of trusted roots with --trust",
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
/// Nobody says whether a certificate was revoked.
pub const NO_EVIDENCE: Code = Code {
    id: "VRFY-061",
    class: Class::Setup,
    vi: "Chưa có bằng chứng rằng chứng thư không bị thu hồi",
    en: "there is no usable evidence that a certificate was not revoked",
    remedy_vi: "Đặt danh sách thu hồi (.crl) hoặc trả lời OCSP (.ocsp) vào thư mục tin cậy, hoặc thêm --online",
    remedy_en: "put revocation lists (.crl) or OCSP answers (.ocsp) into the trust folder, or add --online",
};
