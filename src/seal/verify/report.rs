//! A verdict as `hoso verify --json` prints it: one object whose words stay the same whatever the program's own types
//! become.
//!
//! | verdict | when | exit |
//! |---|---|---|
//! | `valid` | every signature holds, covers all that counts, is trusted, and what the policy demands is known | 0 |
//! | `indeterminate` | nothing is disproved and not everything is proven; also a file without a signature | 4 |
//! | `invalid` | something is disproved: one bad signature spoils the file | 5 |

use super::chain::{Revocation, Trust};
use super::judge::{FILL_UNREAD, TIME_UNPROVEN};
use super::policy::{Demand, Policy};
use super::record::{CoverageClass, Integrity, Level, PdfReport, SignatureReport};
use super::token::{TOKEN_FUTURE, TOKEN_STRANGER, TimestampReport};
use super::{NO_SIGNATURE, TOO_MANY_SIGNATURES, chain};
use crate::fault;
use crate::pdf::revise;
use jiff::Timestamp;
use serde::Serialize;

/// A judged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The conclusion.
    pub verdict: Verdict,
    /// Signatures and document time stamps, in the order in which they were made.
    pub signatures: Vec<Signature>,
    /// Why, the weightiest first: what speaks against it, what is not known, what should be known all the same.
    pub reasons: Vec<Reason>,
}

/// The conclusion in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It can be relied upon.
    Valid,
    /// Nobody can say.
    Indeterminate,
    /// It cannot.
    Invalid,
}

/// One signature or document time stamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// Name of its form field.
    pub field: String,
    /// `intact`: it holds over a whole revision of the document.
    pub integrity: Held,
    /// `whole`: nothing came after it.
    pub coverage: Reach,
    /// What came after it.
    pub modifications: Modifications,
    /// The way to an anchor.
    pub chain: ChainState,
    /// What evidence says.
    pub revocation: RevocationState,
    /// Its time stamp; a document time stamp's own.
    pub timestamp: Stamp,
    /// Level of PAdES; `other` for other forms and for document time stamps.
    pub level: &'static str,
    /// Common name of the certificate; a claim unless the chain is trusted.
    pub signer: Option<String>,
    /// When the signer says it was (`/M`); a claim, RFC 3339.
    pub time: Option<String>,
}

/// Whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// It does.
    Intact,
    /// It does not, or not over a whole revision.
    Broken,
}

/// What it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// The whole file.
    Whole,
    /// The file was longer afterwards.
    Extended,
}

/// What came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Modifications {
    /// Nothing that changes anything.
    None,
    /// What may come after a signature, and after this one.
    Allowed,
    /// Something else.
    Illegal,
}

/// The way to an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainState {
    /// It leads to one, and all of it may be believed.
    Trusted,
    /// It does not, or not for this use and time, or one of its certificates was revoked.
    Untrusted,
    /// There is nothing to judge it by.
    Unknown,
}

/// What evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RevocationState {
    /// Nobody on the way was revoked in time.
    Good,
    /// Somebody was.
    Revoked,
    /// There is no usable evidence about somebody.
    Unknown,
}

/// A time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// What it is worth.
    pub status: StampState,
    /// When, as the authority says.
    pub time: Option<Timestamp>,
}

/// What a time stamp is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StampState {
    /// There is none.
    None,
    /// It holds, and a trusted authority made it.
    Trusted,
    /// It holds, and nobody trusted vouches for it.
    Untrusted,
    /// It does not hold.
    Invalid,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable.
    pub code: String,
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Verdict {
    /// The exit code of a command that concludes this.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Indeterminate => 4,
            Verdict::Invalid => 5,
        }
    }
}

impl Report {
    /// Weighs a record by a policy.
    pub fn of(record: &PdfReport, policy: &Policy) -> Report {
        let file = record.problems.iter().map(weight_of_file).max().unwrap_or(Verdict::Valid);
        let signatures = record.signatures.iter().map(|s| weigh(s, policy));
        let mut verdict = signatures.max().unwrap_or(Verdict::Indeterminate).max(file);
        // A time stamp alone says when, and nobody says what.
        if !record.signatures.iter().any(|s| s.kind == super::SignatureKind::Signature) {
            verdict = verdict.max(Verdict::Indeterminate);
        }
        let mut reasons = Vec::new();
        let mut add = |list: &mut dyn Iterator<Item = &fault::Report>| {
            for report in list {
                let reason = Reason::of(report);
                if !reasons.contains(&reason) && reasons.len() < MAX_REASONS {
                    reasons.push(reason);
                }
            }
        };
        add(&mut record.problems.iter());
        add(&mut record.signatures.iter().flat_map(|s| s.problems.iter().chain(&s.chain.problems)));
        add(&mut record.signatures.iter().flat_map(|s| &s.not_checked));
        add(&mut record.signatures.iter().flat_map(|s| &s.notes));
        Report { verdict, signatures: record.signatures.iter().map(Signature::of).collect(), reasons }
    }

    /// A file that was not judged, with the fault that stands against judging it.
    pub fn unread(fault: &fault::Report) -> Report {
        Report { verdict: Verdict::Indeterminate, signatures: Vec::new(), reasons: vec![Reason::of(fault)] }
    }
}

/// Whether a fault of the file as a whole disproves it or leaves it open.
fn weight_of_file(problem: &fault::Report) -> Verdict {
    let open = [
        NO_SIGNATURE.id,
        TOO_MANY_SIGNATURES.id,
        revise::NOT_A_PDF.id,
        revise::ENCRYPTED.id,
        revise::TOO_LARGE.id,
    ];
    if open.contains(&problem.code.as_str()) { Verdict::Indeterminate } else { Verdict::Invalid }
}

fn weigh(signature: &SignatureReport, policy: &Policy) -> Verdict {
    let covered = matches!(signature.coverage, CoverageClass::Whole | CoverageClass::WholeRevision);
    let refuted = matches!(signature.chain.trust, Trust::Revoked | Trust::WrongUse);
    let stamp = signature.timestamp.as_ref();
    let stamp_revoked = stamp.and_then(|t| t.chain.as_ref()).is_some_and(|c| c.trust == Trust::Revoked);
    if signature.integrity != Integrity::Intact
        || !covered
        || refuted
        || stamp_revoked
        || signature.problems.iter().any(|problem| problem.code != TOKEN_FUTURE.id)
        || stamp.is_some_and(|t| !t.ok && !t.is_ahead())
    {
        return Verdict::Invalid;
    }
    let demanded = policy.revocation == Demand::Required;
    let open = |gap: &fault::Report| match gap.code.as_str() {
        code if code == chain::NO_EVIDENCE.id => demanded,
        code => code == TOKEN_STRANGER.id || code == FILL_UNREAD.id || code != TIME_UNPROVEN.id,
    };
    if !signature.problems.is_empty()
        || signature.chain.trust != Trust::Trusted
        || (demanded && signature.chain.revocation != Revocation::NotRevoked)
        || signature.not_checked.iter().any(open)
    {
        return Verdict::Indeterminate;
    }
    Verdict::Valid
}

impl Signature {
    fn of(record: &SignatureReport) -> Signature {
        let whole = record.integrity == Integrity::Intact && record.coverage != CoverageClass::Partial;
        Signature {
            field: record.field.clone(),
            integrity: if whole { Held::Intact } else { Held::Broken },
            coverage: if record.coverage == CoverageClass::Whole { Reach::Whole } else { Reach::Extended },
            modifications: match record.coverage {
                CoverageClass::Whole => Modifications::None,
                CoverageClass::WholeRevision if record.updates.is_empty() => Modifications::None,
                CoverageClass::WholeRevision => Modifications::Allowed,
                _ => Modifications::Illegal,
            },
            chain: match record.chain.trust {
                Trust::Trusted => ChainState::Trusted,
                Trust::Unknown => ChainState::Unknown,
                _ => ChainState::Untrusted,
            },
            revocation: match record.chain.revocation {
                Revocation::NotRevoked => RevocationState::Good,
                Revocation::Revoked => RevocationState::Revoked,
                Revocation::Unknown => RevocationState::Unknown,
            },
            timestamp: Stamp::of(record.timestamp.as_ref()),
            level: match record.level {
                Level::BB => "B-B",
                Level::BT => "B-T",
                Level::BLT => "B-LT",
                Level::BLTA => "B-LTA",
                Level::Pkcs7 | Level::Dts | Level::Unknown => "other",
            },
            signer: record.signer.clone(),
            time: record.signed_at.clone(),
        }
    }
}

impl Stamp {
    fn of(record: Option<&TimestampReport>) -> Stamp {
        let Some(record) = record else { return Stamp { status: StampState::None, time: None } };
        let status = match record.proven_time() {
            Some(_) => StampState::Trusted,
            None if record.ok || record.is_ahead() => StampState::Untrusted,
            None => StampState::Invalid,
        };
        Stamp { status, time: record.time }
    }
}

impl Reason {
    /// A fault's sentences, with its place and figures.
    pub fn of(report: &fault::Report) -> Reason {
        let figures: Vec<&str> =
            [&report.place, &report.detail].into_iter().flatten().map(String::as_str).collect();
        let with = |sentence: &str| match &figures[..] {
            [] => sentence.to_owned(),
            figures => format!("{sentence} ({})", figures.join(": ")),
        };
        Reason { code: report.code.clone(), vi: with(&report.vi), en: with(&report.en) }
    }
}

/// A hostile file can hold a reason for each of its fields.
const MAX_REASONS: usize = 200;
