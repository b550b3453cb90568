//! The verdict on a reading: what it proves, check by check, and what was not checked. Never a bool; no personal value
//! and no data group's hash is in it (a birth date and nine digits are found from their hash by trying).

mod chain;
mod copies;
mod judge;
mod signature;

use super::reading::{Access, Reading};
use super::trust::{Revocation, Trust};
use crate::cms::{Hash, Over};
use crate::digest::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::reason::ASKED_BY_ANYONE;
pub use super::reason::{Flag, Forgery, Overall, Refusal, Short, Unproven};

/// What a station demands of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Names this set of demands in every verdict.
    pub version: String,
    /// Data groups that must be there and match.
    pub required: BTreeSet<u8>,
    /// SHA-1, short keys and the like are shown as a flag only.
    pub allow_weak: bool,
    /// OpenSSL's names of the curves that may be used, by name or written out.
    pub curves: Vec<String>,
    /// What this station asked the chip to sign; without it a replayed answer cannot be told.
    pub challenge: Option<Vec<u8>>,
    /// SHA-256 of the private key that this station made for chip authentication, used once; without it no transcript
    /// counts as proof, since it could have been written without a chip.
    pub terminal_key: Option<Sha256>,
    /// Proofs that this station knows from another dossier: whoever has the reading can hand it in again.
    pub spent: Proofs,
    /// Proofs that this station asked for and got too late.
    pub late: Proofs,
}

/// Some of the proofs in a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proofs {
    /// Active authentication.
    pub active: bool,
    /// Chip authentication.
    pub chip: bool,
}

impl Default for Policy {
    /// DG1 and DG2 required, weak algorithms prove nothing, the prime curves of NIST and brainpool.
    fn default() -> Self {
        Policy {
            version: "2026-1".to_owned(),
            required: BTreeSet::from([1, 2]),
            allow_weak: false,
            curves: CURVES.iter().map(|c| (*c).to_owned()).collect(),
            challenge: None,
            terminal_key: None,
            spent: Proofs::default(),
            late: Proofs::default(),
        }
    }
}

/// What a reading proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The conclusion.
    pub overall: Overall,
    /// The conclusion for a list.
    pub short: Short,
    /// The conclusion as a Vietnamese sentence.
    pub vi: String,
    /// The conclusion as an English sentence.
    pub en: String,
    /// The signature over the list of data groups.
    pub pa_signature: Check,
    /// The document signer under a trusted authority.
    pub pa_chain: Check,
    /// Every data group that is listed or supplied.
    pub dg: BTreeMap<u8, DgState>,
    /// How it was proven that the chip is no copy; only in a verdict that is [`Overall::Genuine`].
    pub clone_check: Option<CloneCheck>,
    /// What became of either kind of proof.
    #[serde(default)]
    pub trials: Trials,
    /// How the chip was opened, as the reading says.
    pub access: Access,
    /// The chip offers PACE and was opened with the older protocol.
    pub pace_downgrade: bool,
    /// What revocation lists say about the document signer; `None` where no chain was found.
    pub revocation: Option<Revocation>,
    /// Whether the document has expired, from its machine readable zone.
    pub validity: Validity,
    /// Everything else worth knowing.
    pub flags: BTreeSet<Flag>,
    /// The authority that the chain ends in.
    pub anchor: Option<AnchorId>,
    /// Every reason why it is unverifiable, the weightiest first.
    #[serde(default)]
    pub unproven: Vec<Unproven>,
    /// How EF.SOD is signed.
    #[serde(default)]
    pub sod: SodFacts,
    /// The authority that the document signer's certificate names.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Rules of the chain that are broken, by name.
    #[serde(default)]
    pub broken: Vec<String>,
    /// When it was judged.
    pub judged_at: jiff::Timestamp,
    /// [`Policy::version`].
    pub policy_version: String,
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// It holds.
    Ok,
    /// It does not.
    Failed,
    /// It could not be made.
    NotChecked,
}

/// What is known about one data group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DgState {
    /// Its hash is the signed one.
    Ok,
    /// It is not.
    Mismatch,
    /// It is supplied and nobody signed it.
    NotInSod,
    /// It is listed and not supplied.
    Missing,
    /// The same for DG3 and DG4 (fingers, eyes), which only a police terminal may read.
    Protected,
}

/// How it was proven that a chip is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloneCheck {
    /// Active authentication with a signed DG15.
    #[serde(rename = "AA")]
    ActiveAuthentication,
    /// Chip authentication with a signed DG14.
    #[serde(rename = "CA")]
    ChipAuthentication,
}

/// What became of the two proofs that a chip is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trials {
    /// Active authentication.
    #[serde(rename = "AA")]
    pub active: Trial,
    /// Chip authentication.
    #[serde(rename = "CA")]
    pub chip: Trial,
}

/// What became of one proof that a chip is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// There is no evidence, it is another station's, or it is none.
    #[default]
    NotDone,
    /// The chip holds the key.
    Passed,
    /// It does not: it gave an answer, and a wrong one.
    Failed,
    /// The key is not one that a trusted authority signed, or is too weak or no key at all.
    UntrustedKey,
}

/// How EF.SOD is signed, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SodFacts {
    /// The hash of the data groups.
    pub digest: Option<Hash>,
    /// The algorithm of the (first) signature.
    pub algorithm: Option<String>,
    /// Names of all that is too weak in list, signature and chain.
    pub weak: Vec<String>,
    /// Which bytes the (first) signature was found to be over.
    pub over: Option<Over>,
    /// The version of the data structure, where the list says it (`0108`).
    pub lds_version: Option<String>,
}

/// Whether a document has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// Not yet.
    Valid,
    /// Yes.
    Expired,
    /// There is no date that could be trusted.
    Unknown,
}

/// Which authority a chain ends in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorId {
    /// The file it was configured with.
    pub file: String,
    /// SHA-256 of the certificate.
    pub sha256: Sha256,
}

/// Judges a reading at a point in time. Never fails: what cannot be judged is a verdict too.
pub fn verify(reading: &Reading, trust: &Trust, now: jiff::Timestamp, policy: &Policy) -> Verdict {
    judge::Judge::new(reading, now, policy).conclude(trust)
}

impl Verdict {
    /// The data group is there and its hash is in a list whose signature holds. Whether the signer is trusted is
    /// another question.
    pub fn intact(&self, dg: u8) -> bool {
        self.pa_signature == Check::Ok && self.dg.get(&dg) == Some(&DgState::Ok)
    }

    /// The verdict on a reading that cannot even be taken apart.
    pub fn refused(reason: Overall, access: Access, now: jiff::Timestamp, policy: &Policy) -> Self {
        Verdict::blank(access, now, policy).concluding(reason)
    }

    fn blank(access: Access, now: jiff::Timestamp, policy: &Policy) -> Self {
        Verdict {
            overall: Overall::Rejected(Refusal::Malformed),
            short: Short::Unverified,
            vi: String::new(),
            en: String::new(),
            pa_signature: Check::NotChecked,
            pa_chain: Check::NotChecked,
            dg: BTreeMap::new(),
            clone_check: None,
            trials: Trials::default(),
            access,
            pace_downgrade: false,
            revocation: None,
            validity: Validity::Unknown,
            flags: BTreeSet::new(),
            anchor: None,
            unproven: Vec::new(),
            sod: SodFacts::default(),
            issuer: None,
            broken: Vec::new(),
            judged_at: now,
            policy_version: policy.version.clone(),
        }
    }

    fn concluding(mut self, overall: Overall) -> Self {
        let unproven = self.flags.contains(&Flag::AaChallengeUnproven);
        let by_anyone = unproven && self.clone_check == Some(CloneCheck::ActiveAuthentication);
        let (vi, en) = match overall {
            Overall::Genuine if by_anyone => ASKED_BY_ANYONE,
            overall => overall.sentence(),
        };
        let intact = self.pa_signature == Check::Ok && !self.dg.values().any(|s| *s == DgState::Mismatch);
        self.short = overall.short(intact);
        if !matches!(overall, Overall::Genuine) {
            self.clone_check = None;
        }
        match overall {
            Overall::Unverifiable(reason) if self.unproven.is_empty() => self.unproven.push(reason),
            Overall::Unverifiable(_) => {}
            _ => self.unproven.clear(),
        }
        (self.overall, self.vi, self.en) = (overall, vi.to_owned(), en.to_owned());
        self
    }
}

/// Prime curves of FIPS 186-4 and RFC 5639, with the short ones of old documents, which are flagged as weak.
const CURVES: [&str; 12] = [
    "prime192v1",
    "secp224r1",
    "prime256v1",
    "secp384r1",
    "secp521r1",
    "brainpoolP192r1",
    "brainpoolP224r1",
    "brainpoolP256r1",
    "brainpoolP320r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "brainpoolP512t1",
];

#[cfg(test)]
pub(crate) mod tests;
