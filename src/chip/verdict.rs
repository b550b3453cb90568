//! The verdict on a reading: what it proves, check by check, and what was not checked. Never a bool; no personal value
//! and no data group's hash is in it (a birth date and nine digits are found from their hash by trying).

use super::clone::{self, Answer};
use super::reading::{Access, FileId, Reading};
use super::sod::{Sod, SodError};
use super::trust::{Broken, Chain, Odd, Revocation, Trust, curve_allowed};
use super::{country, dg13::Dg13, holder, lds, mrz::Mrz, portrait};
use crate::cms::{CmsError, KeyFacts, Problem, SignerInfo};
use crate::der::DerError;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// How it was proven that the chip is no copy.
    pub clone_check: Option<CloneCheck>,
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
    /// It is listed and not supplied; the rule for DG3 and DG4, which only a police terminal may read.
    Missing,
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
    pub sha256: crate::digest::Sha256,
}

/// Judges a reading at a point in time. Never fails: what cannot be judged is a verdict too.
pub fn verify(reading: &Reading, trust: &Trust, now: jiff::Timestamp, policy: &Policy) -> Verdict {
    let mut judge = Judge::new(reading, now, policy);
    let overall = judge.run(trust).unwrap_or_else(|early| early);
    judge.verdict.conclude(overall)
}

impl Verdict {
    /// The data group is there and its hash is in a list whose signature holds. Whether the signer is trusted is
    /// another question.
    pub fn intact(&self, dg: u8) -> bool {
        self.pa_signature == Check::Ok && self.dg.get(&dg) == Some(&DgState::Ok)
    }

    fn conclude(mut self, overall: Overall) -> Self {
        let (vi, en) = overall.sentence();
        let intact = self.pa_signature == Check::Ok && !self.dg.values().any(|s| *s == DgState::Mismatch);
        self.short = overall.short(intact);
        if !matches!(overall, Overall::Genuine) {
            self.clone_check = None;
        }
        (self.overall, self.vi, self.en) = (overall, vi.to_owned(), en.to_owned());
        self
    }
}

struct Judge<'a> {
    reading: &'a Reading,
    now: jiff::Timestamp,
    policy: &'a Policy,
    verdict: Verdict,
    mrz: Option<Mrz>,
}

/// A conclusion that needs no further check.
type Early<T> = Result<T, Overall>;

impl<'a> Judge<'a> {
    fn new(reading: &'a Reading, now: jiff::Timestamp, policy: &'a Policy) -> Self {
        let offers_pace = reading.files.contains_key(&FileId::CardAccess);
        let verdict = Verdict {
            overall: Overall::Rejected(Refusal::Malformed),
            short: Short::Unverified,
            vi: String::new(),
            en: String::new(),
            pa_signature: Check::NotChecked,
            pa_chain: Check::NotChecked,
            dg: BTreeMap::new(),
            clone_check: None,
            access: reading.access,
            pace_downgrade: offers_pace && reading.access == Access::Bac,
            revocation: None,
            validity: Validity::Unknown,
            flags: BTreeSet::new(),
            anchor: None,
            judged_at: now,
            policy_version: policy.version.clone(),
        };
        Judge { reading, now, policy, verdict, mrz: None }
    }

    fn flag(&mut self, flag: Flag) {
        self.verdict.flags.insert(flag);
    }

    fn run(&mut self, trust: &Trust) -> Early<Overall> {
        if self.reading.asserted {
            self.flag(Flag::AssertedByReader);
        }
        let Some(sod) = self.reading.files.get(&FileId::Sod) else {
            return Err(Overall::Unverifiable(Unproven::NoRawFiles));
        };
        let sod = Sod::parse(sod).map_err(|error| unjudged(&error))?;
        if Sod::is_legacy(&sod.signed.econtent_type) {
            self.flag(Flag::LegacyOid);
        }
        if !sod.signed.crls.is_empty() {
            self.flag(Flag::CrlInSodIgnored);
        }
        self.compare_hashes(&sod);
        self.look_at_com(&sod);
        let signers = self.check_signers(&sod)?;
        self.check_groups(&sod)?;
        self.read_zone()?;
        let unproven = self.check_chain(trust, &signers)?;
        let clone = self.check_clone(&sod)?;
        if let Some(reason) = unproven.or_else(|| self.demands()) {
            return Err(Overall::Unverifiable(reason));
        }
        match clone {
            Some(proof) => {
                self.verdict.clone_check = Some(proof);
                Ok(Overall::Genuine)
            }
            None => Ok(Overall::GenuineCloneUnchecked),
        }
    }

    /// The state of each data group; conclusions are drawn later, so that the table is whole whatever comes first.
    fn compare_hashes(&mut self, sod: &Sod) {
        for number in 1..=16 {
            let state = match (self.reading.dg(number), sod.list.hashes.get(&number)) {
                (None, None) => continue,
                (Some(_), None) => DgState::NotInSod,
                (None, Some(_)) => DgState::Missing,
                (Some(file), Some(listed)) => {
                    let same = sod.list.hash.digest(&[file]).is_some_and(|digest| digest == *listed);
                    if same { DgState::Ok } else { DgState::Mismatch }
                }
            };
            self.verdict.dg.insert(number, state);
        }
        let stripped = |n: u8| self.verdict.dg.get(&n) == Some(&DgState::Missing);
        if stripped(14) || stripped(15) {
            self.flag(Flag::CloneCheckStripped);
        }
    }

    fn look_at_com(&mut self, sod: &Sod) {
        let Some(com) = self.reading.files.get(&FileId::Com) else { return };
        let listed = lds::com_list(com).map(|l| l.into_iter().collect::<BTreeSet<_>>());
        if listed != Ok(sod.list.hashes.keys().copied().collect()) {
            self.flag(Flag::ComDiffers);
        }
    }

    /// Every signature must hold; returns the signers with their certificates.
    fn check_signers<'s>(&mut self, sod: &'s Sod) -> Early<Vec<(&'s SignerInfo, &'s X509)>> {
        let signed = &sod.signed;
        if signed.signers.is_empty() {
            self.verdict.pa_signature = Check::Failed;
            return Err(Overall::Forged(Forgery::NoSigner));
        }
        let content = signed.econtent.as_deref().unwrap_or_default();
        let mut found = Vec::new();
        for signer in &signed.signers {
            let Some(certificate) = signer.certificate(&signed.certificates) else {
                return Err(Overall::Unverifiable(Unproven::SignerMissing));
            };
            let facts = KeyFacts::of(certificate);
            // Before any arithmetic on it: a curve of the sender's own making.
            if !curve_allowed(&facts, &self.policy.curves) {
                return Err(match facts {
                    KeyFacts::Ec { curve: Some(_), .. } => Overall::Unverifiable(Unproven::ChainPolicy),
                    _ => Overall::Rejected(Refusal::EcParams),
                });
            }
            let check = signer.check_signature(certificate, &signed.econtent_type, &[content]);
            let wrong = if !check.signature {
                Some(Forgery::Signature)
            } else if check.message_digest == Some(false)
                || has(&check.problems, &[Problem::MissingMessageDigest, Problem::RepeatedMessageDigest])
            {
                Some(Forgery::MessageDigest)
            } else if check.content_type == Some(false)
                || has(&check.problems, &[Problem::MissingContentType, Problem::RepeatedContentType])
            {
                Some(Forgery::ContentType)
            } else {
                None
            };
            if let Some(reason) = wrong {
                self.verdict.pa_signature = Check::Failed;
                return Err(Overall::Forged(reason));
            }
            if check.over == crate::cms::Over::AttributesSorted {
                self.flag(Flag::AttributesReordered);
            }
            if check.problems.contains(&Problem::NoSignedAttributes) {
                self.flag(Flag::NoSignedAttributes);
            }
            if signer.signature_alg.hash().is_weak() || signer.digest.is_weak() || facts.is_weak() {
                self.flag(Flag::WeakAlgorithm);
            }
            found.push((signer, certificate));
        }
        if sod.list.hash.is_weak() {
            self.flag(Flag::WeakAlgorithm);
        }
        self.verdict.pa_signature = Check::Ok;
        Ok(found)
    }

    fn check_groups(&mut self, sod: &Sod) -> Early<()> {
        if sod.list.faulty {
            return Err(Overall::Forged(Forgery::DgList));
        }
        if self.verdict.dg.values().any(|state| *state == DgState::Mismatch) {
            return Err(Overall::Forged(Forgery::DgHash));
        }
        for number in 1..=16 {
            let Some(file) = self.reading.dg(number) else { continue };
            if lds::open(file, number).is_err() {
                return Err(Overall::Forged(Forgery::DgTag));
            }
        }
        Ok(())
    }

    /// What the holder's data say about themselves: check digits, dates, one file against the other, the portrait.
    fn read_zone(&mut self) -> Early<()> {
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        if let Some(file) = self.reading.dg(1).filter(|_| self.verdict.intact(1)) {
            match Mrz::of_dg1(file) {
                Ok(mrz) => {
                    if !mrz.checks {
                        self.flag(Flag::MrzCheck);
                    }
                    self.verdict.validity = match mrz.expiry_date(today) {
                        Some(date) if date < today => Validity::Expired,
                        Some(_) => Validity::Valid,
                        None => Validity::Unknown,
                    };
                    self.mrz = Some(mrz);
                }
                Err(_) => self.flag(Flag::Dg1Unreadable),
            }
        }
        if let Some(file) = self.reading.dg(13).filter(|_| self.verdict.intact(13)) {
            match Dg13::parse(file) {
                Ok(dg13) => {
                    if self.mrz.as_ref().is_some_and(|mrz| holder::conflict(mrz, &dg13, today)) {
                        self.flag(Flag::DataConflict);
                    }
                }
                Err(_) => self.flag(Flag::Dg13Unreadable),
            }
        }
        if let Some(file) = self.reading.dg(2).filter(|_| self.verdict.intact(2)) {
            match portrait::find(file) {
                Ok(_) => {}
                Err(portrait::PortraitError::TooLarge { .. }) => {
                    return Err(Overall::Rejected(Refusal::ImageLimit));
                }
                Err(_) => self.flag(Flag::PortraitUnreadable),
            }
        }
        Ok(())
    }

    /// Whether a trusted authority stands behind every signer; the first reason why not.
    fn check_chain(&mut self, trust: &Trust, signers: &[(&SignerInfo, &X509)]) -> Early<Option<Unproven>> {
        let mut unproven = None;
        for (signer, certificate) in signers {
            self.look_at_time(signer, certificate);
            let Some(chain) = trust.chain(certificate, self.now, &self.policy.curves) else {
                // With nobody to ask, the dates of the signer are all that can be told.
                self.look_at_expiry(certificate);
                unproven.get_or_insert(Unproven::NoAnchor);
                continue;
            };
            self.note_chain(&chain);
            if chain.broken.contains(&Broken::Country) {
                self.verdict.pa_chain = Check::Failed;
                return Err(Overall::Forged(Forgery::Country));
            }
            if !chain.broken.is_empty() {
                self.verdict.pa_chain = Check::Failed;
                unproven.get_or_insert(Unproven::ChainPolicy);
                continue;
            }
            let state = self.mrz.as_ref().map(|mrz| mrz.issuing_state.clone());
            match (state, chain.anchor.country()) {
                (Some(state), Some(country)) => match country::issues(&country, &state) {
                    Some(true) => {}
                    Some(false) => {
                        self.verdict.pa_chain = Check::Failed;
                        return Err(Overall::Forged(Forgery::Country));
                    }
                    None => {
                        unproven.get_or_insert(Unproven::ChainPolicy);
                    }
                },
                (Some(_), None) => {
                    unproven.get_or_insert(Unproven::ChainPolicy);
                }
                (None, _) => self.flag(Flag::CountryUnchecked),
            }
            if chain.revocation == Revocation::Revoked {
                unproven.get_or_insert(Unproven::DscRevoked);
            }
        }
        if unproven.is_none() {
            self.verdict.pa_chain = Check::Ok;
        }
        Ok(unproven)
    }

    fn note_chain(&mut self, chain: &Chain<'_>) {
        self.verdict.anchor = Some(AnchorId { file: chain.anchor.file.clone(), sha256: chain.anchor.sha256 });
        // Of several signers the worst counts.
        self.verdict.revocation = self.verdict.revocation.max(Some(chain.revocation));
        for odd in &chain.odd {
            self.flag(match odd {
                Odd::SignerExpired => Flag::DscExpired,
                Odd::AnchorExpired => Flag::CscaExpired,
                Odd::SignerProfile => Flag::DscProfile,
                Odd::Weak => Flag::WeakAlgorithm,
                Odd::IssuedOutsideKeyPeriod => Flag::SignedOutsideValidity,
            });
        }
    }

    fn look_at_expiry(&mut self, certificate: &X509) {
        let now = openssl::asn1::Asn1Time::from_unix(self.now.as_second());
        if now.is_ok_and(|now| *certificate.not_after() < now) {
            self.flag(Flag::DscExpired);
        }
    }

    /// The only witness of the time of signing is the signer itself.
    fn look_at_time(&mut self, signer: &SignerInfo, certificate: &X509) {
        let Some(claimed) = signer.signing_time() else { return };
        self.flag(Flag::SigningTimeSelfAsserted);
        let time = x509_time(&claimed);
        let outside = time.is_none_or(|t| t < *certificate.not_before() || t > *certificate.not_after());
        let period = crate::cms::Parts::of(certificate)
            .ok()
            .and_then(|p| crate::cms::certificate::key_usage_period(&p));
        let outside_period = period.is_some_and(|(from, to)| {
            let time = x509_time(&claimed);
            let before =
                from.and_then(|f| x509_time(&f)).is_some_and(|f| time.as_ref().is_some_and(|t| *t < f));
            let after = to.and_then(|f| x509_time(&f)).is_some_and(|f| time.as_ref().is_some_and(|t| *t > f));
            before || after
        });
        if outside || outside_period {
            self.flag(Flag::SignedOutsideValidity);
        }
    }

    /// Counts only with a DG15 whose hash is in a list whose signature and chain hold.
    fn check_clone(&mut self, sod: &Sod) -> Early<Option<CloneCheck>> {
        if self.reading.chip_authentication {
            self.flag(Flag::ChipAuthenticationNotJudged);
        }
        let Some(exchange) = &self.reading.active_authentication else { return Ok(None) };
        let Some(file) = self.reading.dg(15).filter(|_| self.verdict.intact(15)) else {
            self.flag(Flag::AaKeyUnsigned);
            return Ok(None);
        };
        if self.verdict.pa_chain != Check::Ok {
            return Ok(None);
        }
        match &self.policy.challenge {
            Some(challenge) if *challenge != exchange.challenge => {
                self.flag(Flag::AaReplay);
                return Ok(None);
            }
            Some(_) => {}
            None => self.flag(Flag::AaChallengeUnproven),
        }
        let listed = sod.list.hashes.contains_key(&14) && self.verdict.intact(14);
        let infos = self.reading.dg(14).filter(|_| listed).and_then(|f| lds::security_infos(f).ok());
        let said = infos.and_then(|i| i.active_authentication);
        match clone::check(lds::open(file, 15).unwrap_or_default(), said, exchange) {
            Answer::Holds => Ok(Some(CloneCheck::ActiveAuthentication)),
            Answer::Wrong => Err(Overall::Forged(Forgery::ActiveAuthentication)),
            Answer::Unusable => {
                self.flag(Flag::AaKeyWeak);
                Ok(None)
            }
        }
    }

    /// What the station demands beyond the standard.
    fn demands(&self) -> Option<Unproven> {
        if self.verdict.flags.contains(&Flag::WeakAlgorithm) && !self.policy.allow_weak {
            return Some(Unproven::WeakAlgorithm);
        }
        let missing = |n: &u8| self.verdict.dg.get(n) != Some(&DgState::Ok);
        if self.policy.required.iter().any(missing) {
            return Some(Unproven::DgMissing);
        }
        // A zone that cannot be read leaves the country unchecked.
        self.mrz.is_none().then_some(Unproven::DgMissing)
    }
}

fn has(problems: &[Problem], any: &[Problem]) -> bool {
    any.iter().any(|p| problems.contains(p))
}

fn x509_time(text: &str) -> Option<openssl::asn1::Asn1Time> {
    openssl::asn1::Asn1Time::from_str_x509(text).ok()
}

fn unjudged(error: &SodError) -> Overall {
    match error {
        SodError::ContentType => Overall::Forged(Forgery::ContentType),
        SodError::Detached | SodError::Cms(CmsError::NotSignedData | CmsError::Certificate { .. }) => {
            Overall::Rejected(Refusal::Malformed)
        }
        SodError::Cms(CmsError::Algorithm { .. }) => Overall::Unverifiable(Unproven::UnknownAlgorithm),
        SodError::Cms(CmsError::TooMany { .. } | CmsError::Der(DerError::Limit { .. })) => {
            Overall::Rejected(Refusal::Limit)
        }
        SodError::Cms(CmsError::Der(_)) => Overall::Rejected(Refusal::Malformed),
    }
}

/// Prime curves of FIPS 186-4 and RFC 5639, with the short ones of old documents, which are flagged as weak.
const CURVES: [&str; 13] = [
    "prime192v1",
    "secp224r1",
    "prime256v1",
    "secp256k1",
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
mod tests;
