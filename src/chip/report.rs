//! A verdict as `hoso identity verify --json` prints it: one object whose words stay the same whatever the program's own
//! types become. The holder is in it, so it is for the desk that asked and for nobody's log.

use super::caution;
use super::compare::Comparison;
use super::holder::{Holder, Sex};
use super::number::Note;
use super::reading::{Access, Reading};
use super::reason::{Flag, Overall};
use super::trust::Revocation;
use super::verdict::{Check, CloneCheck, DgState, Trial, Validity, Verdict};
use crate::cms::{Hash, Over};
use crate::digest::Sha256;
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A judged reading.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file that was judged, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The conclusion.
    pub overall: Conclusion,
    /// Why it is no better one, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The signed list of data groups.
    pub sod: SodReport,
    /// The authority behind it.
    pub chain: ChainReport,
    /// Every data group that is listed or supplied, `DG1` to `DG16`.
    pub groups: BTreeMap<GroupName, GroupState>,
    /// Whether the chip is a copy.
    pub clone_check: CloneReport,
    /// What revocation lists say about the signer.
    pub revocation: Revocation,
    /// How the chip was opened, as the reading says.
    pub access: Access,
    /// The chip offers PACE and was opened with the older protocol.
    pub pace_downgrade: bool,
    /// Whether the document has expired.
    pub validity: Validity,
    /// What else an auditor should know.
    pub flags: BTreeSet<Flag>,
    /// Whose card it is; `null` where no data group that says so is what was signed.
    pub holder: Option<HolderReport>,
    /// What to do next.
    pub next: Sentence,
    /// As of when it was judged.
    pub judged_at: jiff::Timestamp,
    /// The set of demands it was judged by.
    pub policy: String,
    /// Chip, QR code and what was typed, field by field; without values.
    pub comparison: Vec<Comparison>,
    /// What should be looked at twice in them.
    pub notes: Vec<Note>,
}

/// A data group's name: `DG13`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupName(pub u8);

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DG{}", self.0)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The conclusion in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Signed, unchanged, and the chip is no copy.
    Genuine,
    /// The same without proof that the chip is no copy.
    GenuineCloneUnchecked,
    /// Nothing is disproved and not everything is proven.
    Unverifiable,
    /// A check that must hold is false.
    Forged,
}

/// One reason, its code and its sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Stable.
    pub code: String,
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
    /// What to do about it, Vietnamese.
    pub remedy_vi: String,
    /// What to do about it, English.
    pub remedy_en: String,
}

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Sentence {
    /// What to do next on a verdict and on the sources held against each other.
    pub fn next(verdict: &Verdict, table: &[Comparison]) -> Self {
        let (vi, en) = caution::next(verdict, table);
        Sentence { vi, en }
    }
}

/// How EF.SOD is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SodReport {
    /// Whether the signature holds.
    pub signature: SignatureState,
    /// The hash of the data groups.
    pub digest: Option<Hash>,
    /// The algorithm of the signature.
    pub algorithm: Option<String>,
    /// Something in list, signature or chain is too weak.
    pub weak: bool,
    /// Its names.
    pub weak_algorithms: Vec<String>,
    /// Which bytes the signature is over.
    pub over: Option<Over>,
    /// Version of the data structure, where it is signed: `0108`.
    pub lds_version: Option<String>,
}

/// Whether the signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// It does.
    Valid,
    /// It does not.
    Invalid,
    /// It could not be checked.
    Unsupported,
}

/// The authority behind the signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Whether it is trusted.
    pub status: ChainState,
    /// The authority that the signer's certificate names.
    pub issuer: Option<String>,
    /// The anchor that signed it.
    pub anchor_sha256: Option<Sha256>,
    /// The file of that anchor.
    pub anchor: Option<String>,
    /// Rules of the chain that are broken.
    pub broken: Vec<String>,
}

/// Whether the authority is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainState {
    /// It is.
    Trusted,
    /// No trusted authority signed the signer's certificate.
    NoAnchor,
    /// One did, and a rule of the chain is broken.
    Untrusted,
    /// One did, and since then it or the signer's certificate has expired. See the flags for which.
    Expired,
}

/// What is known about one data group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// It is the one that was signed.
    Match,
    /// It is not.
    Mismatch,
    /// It was signed and is not there.
    Missing,
    /// It is there and nobody signed it.
    Unlisted,
    /// It was signed, and only a police terminal may read it.
    Protected,
}

/// Whether the chip is a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloneReport {
    /// Which proof the status is of; where both were made, the one that decided.
    pub method: Method,
    /// What became of it.
    pub status: Trial,
    /// What became of active authentication.
    pub active_authentication: Trial,
    /// What became of chip authentication.
    pub chip_authentication: Trial,
}

/// A way to prove that a chip is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Method {
    /// Active authentication.
    #[serde(rename = "AA")]
    ActiveAuthentication,
    /// Chip authentication.
    #[serde(rename = "CA")]
    ChipAuthentication,
    /// None was made.
    #[serde(rename = "none")]
    None,
}

/// Whose card it is, from data groups whose hash is the signed one.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct HolderReport {
    /// The reading is genuine. Where it is not, these are claims that somebody must check.
    pub verified: bool,
    /// A trusted authority signed these data, whether or not the chip that holds them is a copy.
    pub signed: bool,
    /// Personal number, or the document number of a card without one.
    pub number: Option<String>,
    /// Number of the document, where it is another one.
    pub document: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// The name may be cut off at its end.
    pub name_cut: bool,
    /// Birth date.
    pub birth: Option<Date>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Expiry date.
    pub expiry: Option<Date>,
    /// Nationality.
    pub nationality: Option<String>,
    /// Place of origin or birth.
    pub origin: Option<String>,
    /// Place of residence.
    pub residence: Option<String>,
    /// Issue date.
    pub issued: Option<Date>,
    /// The data group of each field: `{"name":"DG13"}`.
    pub from: BTreeMap<String, GroupName>,
}

impl Report {
    /// The report of a verdict; `reading` is the one it is on, where there is one.
    pub fn of(reading: Option<&Reading>, verdict: &Verdict) -> Self {
        let overall = verdict.overall;
        Report {
            file: None,
            overall: conclusion(overall),
            reasons: reasons(verdict),
            sod: SodReport {
                signature: match verdict.pa_signature {
                    Check::Ok => SignatureState::Valid,
                    Check::Failed => SignatureState::Invalid,
                    Check::NotChecked => SignatureState::Unsupported,
                },
                digest: verdict.sod.digest,
                algorithm: verdict.sod.algorithm.clone(),
                weak: verdict.flags.contains(&Flag::WeakAlgorithm),
                weak_algorithms: verdict.sod.weak.clone(),
                over: verdict.sod.over,
                lds_version: verdict.sod.lds_version.clone(),
            },
            chain: ChainReport {
                status: chain_state(verdict),
                issuer: verdict.issuer.clone(),
                anchor_sha256: verdict.anchor.as_ref().map(|a| a.sha256),
                anchor: verdict.anchor.as_ref().map(|a| a.file.clone()),
                broken: verdict.broken.clone(),
            },
            groups: verdict.dg.iter().map(|(n, state)| (GroupName(*n), group_state(*state))).collect(),
            clone_check: clone_report(verdict),
            revocation: verdict.revocation.unwrap_or(Revocation::Unknown),
            access: verdict.access,
            pace_downgrade: verdict.pace_downgrade,
            validity: verdict.validity,
            flags: verdict.flags.clone(),
            holder: reading.and_then(|r| Holder::of(r, verdict)).map(|h| holder_report(h, verdict)),
            next: Sentence::next(verdict, &[]),
            judged_at: verdict.judged_at,
            policy: verdict.policy_version.clone(),
            comparison: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Report {
    /// The chip proved itself to a question of which it is not known who asked it.
    pub fn asked_by_anyone(&self) -> bool {
        self.clone_check.method == Method::ActiveAuthentication
            && self.flags.contains(&Flag::AaChallengeUnproven)
    }
}

impl Conclusion {
    /// The exit code of a command that was asked about one reading.
    pub fn exit_code(self) -> u8 {
        match self {
            Conclusion::Genuine => 0,
            Conclusion::GenuineCloneUnchecked => 3,
            Conclusion::Unverifiable => 4,
            Conclusion::Forged => 5,
        }
    }
}

fn conclusion(overall: Overall) -> Conclusion {
    match overall {
        Overall::Genuine => Conclusion::Genuine,
        Overall::GenuineCloneUnchecked => Conclusion::GenuineCloneUnchecked,
        Overall::Unverifiable(_) | Overall::Rejected(_) => Conclusion::Unverifiable,
        Overall::Forged(_) => Conclusion::Forged,
    }
}

fn reasons(verdict: &Verdict) -> Vec<Reason> {
    match verdict.overall {
        Overall::Genuine => Vec::new(),
        Overall::GenuineCloneUnchecked => {
            let remedy = caution::remedy(verdict, &[]);
            let found: Vec<Reason> = SHORT_OF_GENUINE
                .iter()
                .filter(|f| verdict.flags.contains(f))
                .map(|f| by_flag(*f, remedy))
                .collect();
            let done = [verdict.trials.active, verdict.trials.chip].contains(&Trial::Passed);
            if found.is_empty() && !done {
                return vec![reason("clone_not_checked".to_owned(), verdict.overall.sentence(), remedy)];
            }
            found
        }
        Overall::Unverifiable(_) => {
            verdict.unproven.iter().map(|r| named(Overall::Unverifiable(*r), verdict)).collect()
        }
        overall => vec![named(overall, verdict)],
    }
}

/// A conclusion's own reason; of weak algorithms their names are told.
fn named(overall: Overall, verdict: &Verdict) -> Reason {
    let value = serde_json::to_value(overall).unwrap_or_default();
    let code = value.get("reason").and_then(|r| r.as_str()).unwrap_or_default();
    let mut reason = reason(code.to_owned(), overall.sentence(), overall.remedy());
    if code == "weak_algorithm" && !verdict.sod.weak.is_empty() {
        let names = verdict.sod.weak.join(", ");
        for sentence in [&mut reason.vi, &mut reason.en] {
            *sentence = format!("{} ({names}).", sentence.trim_end_matches('.'));
        }
    }
    reason
}

fn by_flag(flag: Flag, remedy: (&str, &str)) -> Reason {
    let value = serde_json::to_value(flag).unwrap_or_default();
    let code = value.as_str().unwrap_or_default().to_owned();
    reason(code, flag.sentence(), remedy)
}

fn reason(code: String, (vi, en): (&str, &str), (remedy_vi, remedy_en): (&str, &str)) -> Reason {
    Reason {
        code,
        vi: vi.to_owned(),
        en: en.to_owned(),
        remedy_vi: remedy_vi.to_owned(),
        remedy_en: remedy_en.to_owned(),
    }
}

fn chain_state(verdict: &Verdict) -> ChainState {
    let expired = [Flag::DscExpired, Flag::CscaExpired, Flag::SignedOutsideValidity];
    match (&verdict.anchor, verdict.pa_chain) {
        (None, _) => ChainState::NoAnchor,
        (Some(_), Check::Ok) if expired.iter().any(|f| verdict.flags.contains(f)) => ChainState::Expired,
        (Some(_), Check::Ok) => ChainState::Trusted,
        (Some(_), Check::Failed | Check::NotChecked) => ChainState::Untrusted,
    }
}

fn group_state(state: DgState) -> GroupState {
    match state {
        DgState::Ok => GroupState::Match,
        DgState::Mismatch => GroupState::Mismatch,
        DgState::NotInSod => GroupState::Unlisted,
        DgState::Missing => GroupState::Missing,
        DgState::Protected => GroupState::Protected,
    }
}

/// A failed proof is told first, then one that passed, then one that did not count.
fn clone_report(verdict: &Verdict) -> CloneReport {
    let trials = verdict.trials;
    let both = [(Method::ChipAuthentication, trials.chip), (Method::ActiveAuthentication, trials.active)];
    let order = [Trial::Failed, Trial::Passed, Trial::UntrustedKey];
    let (method, status) = order
        .iter()
        .find_map(|wanted| both.iter().find(|(_, trial)| trial == wanted))
        .copied()
        .or_else(|| verdict.clone_check.map(earlier))
        .unwrap_or((Method::None, Trial::NotDone));
    CloneReport { method, status, active_authentication: trials.active, chip_authentication: trials.chip }
}

/// Of a record in which the trials are not told apart yet.
fn earlier(check: CloneCheck) -> (Method, Trial) {
    let method = match check {
        CloneCheck::ActiveAuthentication => Method::ActiveAuthentication,
        CloneCheck::ChipAuthentication => Method::ChipAuthentication,
    };
    (method, Trial::Passed)
}

fn holder_report(holder: Holder, verdict: &Verdict) -> HolderReport {
    HolderReport {
        verified: verdict.overall == Overall::Genuine,
        signed: matches!(verdict.overall, Overall::Genuine | Overall::GenuineCloneUnchecked),
        number: holder.number,
        document: holder.document,
        name: holder.name,
        name_cut: holder.name_cut,
        birth: holder.birth,
        sex: holder.sex,
        expiry: holder.expiry,
        nationality: holder.nationality,
        origin: holder.origin,
        residence: holder.residence,
        issued: holder.issued,
        from: holder.from.into_iter().map(|(field, group)| (field.to_owned(), GroupName(group))).collect(),
    }
}

/// Flags that say why a signed and unchanged reading is not called genuine.
const SHORT_OF_GENUINE: [Flag; 17] = [
    Flag::CloneCheckStripped,
    Flag::AaSpent,
    Flag::CaSpent,
    Flag::AaLate,
    Flag::CaLate,
    Flag::AaReplay,
    Flag::CaReplay,
    Flag::AaUnanswered,
    Flag::AaHashUnknown,
    Flag::CaUnanswered,
    Flag::AaKeyUnsigned,
    Flag::CaKeyUnsigned,
    Flag::CaKeyInvalid,
    Flag::AaKeyWeak,
    Flag::SodFrameUnusual,
    Flag::WeakAlgorithm,
    Flag::ChipAuthenticationNotJudged,
];

#[cfg(test)]
mod tests;
