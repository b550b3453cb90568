//! The course of a judgement: what is looked at, in which order, and what each finding leads to.

use super::{
    CloneCheck, DgState, Flag, Forgery, Overall, Policy, Refusal, Trial, Unproven, Validity, Verdict,
};
use crate::chip::chip_authentication::{self, ChipAuthentication};
use crate::chip::clone::Answer;
use crate::chip::mrz::{Expires, Mrz};
use crate::chip::reading::{Access, FileId, Reading};
use crate::chip::sod::{Sod, SodError};
use crate::chip::trust::Trust;
use crate::chip::{dg11, dg12, dg13::Dg13, holder, lds, portrait};
use crate::clock::vietnam_day;
use crate::cms::CmsError;
use crate::der::DerError;
use std::collections::BTreeSet;

/// A judgement in progress.
pub(super) struct Judge<'a> {
    pub(super) reading: &'a Reading,
    pub(super) now: jiff::Timestamp,
    pub(super) policy: &'a Policy,
    pub(super) verdict: Verdict,
    pub(super) mrz: Option<Mrz>,
    /// How evidence of chip authentication is checked: contents of DG14, evidence.
    pub(super) chip_authentication: fn(&[u8], &ChipAuthentication) -> Answer,
}

/// A conclusion that needs no further check.
pub(super) type Early<T> = Result<T, Overall>;

impl<'a> Judge<'a> {
    pub(super) fn new(reading: &'a Reading, now: jiff::Timestamp, policy: &'a Policy) -> Self {
        // What cannot be read may well be an offer.
        let offers_pace =
            reading.files.get(&FileId::CardAccess).is_some_and(|file| lds::offers_pace(file).unwrap_or(true));
        let mut verdict = Verdict::blank(reading.access, now, policy);
        verdict.pace_downgrade = offers_pace && reading.access == Access::Bac;
        Judge { reading, now, policy, verdict, mrz: None, chip_authentication: chip_authentication::check }
    }

    pub(super) fn conclude(mut self, trust: &Trust) -> Verdict {
        let overall = self.run(trust).unwrap_or_else(|early| early);
        self.verdict.concluding(overall)
    }

    pub(super) fn flag(&mut self, flag: Flag) {
        self.verdict.flags.insert(flag);
    }

    /// One more reason why nothing is proven; the first is the one that is shown in lists.
    pub(super) fn unproven(&mut self, reason: Unproven) {
        if !self.verdict.unproven.contains(&reason) {
            self.verdict.unproven.push(reason);
        }
    }

    fn run(&mut self, trust: &Trust) -> Early<Overall> {
        if self.reading.asserted {
            self.flag(Flag::AssertedByReader);
        }
        let Some(sod) = self.reading.files.get(&FileId::Sod) else {
            return Err(Overall::Unverifiable(Unproven::NoRawFiles));
        };
        let sod = Sod::parse(sod).map_err(|error| unjudged(&error))?;
        self.verdict.sod.digest = Some(sod.list.hash);
        self.verdict.sod.lds_version.clone_from(&sod.list.lds_version);
        if Sod::is_legacy(&sod.signed.econtent_type) {
            self.flag(Flag::LegacyOid);
        }
        if !sod.signed.crls.is_empty() {
            self.flag(Flag::CrlInSodIgnored);
        }
        self.compare_hashes(&sod);
        self.look_at_com(&sod);
        let signers = match self.check_signers(&sod) {
            Ok(signers) => signers,
            Err(early) => {
                self.look_at_chain(trust, &sod);
                return Err(early);
            }
        };
        // All are looked at, so that the table is whole; the first that is false decides.
        let groups = self.check_groups(&sod);
        self.look_at_access();
        let zone = self.read_zone();
        self.read_details();
        let chain = self.check_chain(trust, &signers);
        groups.and(zone).and(chain)?;
        let proof = self.check_copies(&sod)?;
        self.demands(&sod);
        if let Some(reason) = self.verdict.unproven.first() {
            return Err(Overall::Unverifiable(*reason));
        }
        // Never called genuine: a frame that nobody signed and that is not as prescribed, what is allowed although weak,
        // and a reading that leaves out one of the keys that could show a copy.
        let capped = [Flag::SodFrameUnusual, Flag::WeakAlgorithm, Flag::CloneCheckStripped];
        match proof {
            Some(proof) if !capped.iter().any(|flag| self.verdict.flags.contains(flag)) => {
                self.verdict.clone_check = Some(proof);
                Ok(Overall::Genuine)
            }
            _ => Ok(Overall::GenuineCloneUnchecked),
        }
    }

    /// The state of each data group; conclusions are drawn later, so that the table is whole whatever comes first.
    fn compare_hashes(&mut self, sod: &Sod) {
        for number in 1..=16 {
            let state = match (self.reading.dg(number), sod.list.hashes.get(&number)) {
                (None, None) => continue,
                (Some(_), None) => DgState::NotInSod,
                (None, Some(_)) if matches!(number, 3 | 4) => DgState::Protected,
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

    /// A card whose EF.CardAccess was taken away still says in DG14, signed, that it could be opened by PACE.
    fn look_at_access(&mut self) {
        let file = self.reading.dg(14).filter(|_| self.verdict.intact(14));
        let infos = file.and_then(|file| lds::security_infos(file).ok());
        if self.reading.access == Access::Bac && infos.is_some_and(|infos| infos.pace) {
            self.verdict.pace_downgrade = true;
        }
    }

    fn look_at_com(&mut self, sod: &Sod) {
        let Some(com) = self.reading.files.get(&FileId::Com) else { return };
        let listed = lds::com_list(com).map(|l| l.into_iter().collect::<BTreeSet<_>>());
        if listed != Ok(sod.list.hashes.keys().copied().collect()) {
            self.flag(Flag::ComDiffers);
        }
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
        let today = vietnam_day(self.now);
        if let Some(file) = self.intact(1) {
            match Mrz::of_dg1(file) {
                Ok(mrz) => {
                    if !mrz.checks {
                        self.flag(Flag::MrzCheck);
                    }
                    self.verdict.validity = match mrz.expires(today) {
                        Expires::On(date) if date < today => Validity::Expired,
                        Expires::On(_) | Expires::Never => Validity::Valid,
                        Expires::Unknown => Validity::Unknown,
                    };
                    self.mrz = Some(mrz);
                }
                Err(_) => self.flag(Flag::Dg1Unreadable),
            }
        }
        if let Some(file) = self.intact(13) {
            match Dg13::parse(file) {
                Ok(dg13) => {
                    if self.mrz.as_ref().is_some_and(|mrz| holder::conflict(mrz, &dg13, today)) {
                        self.flag(Flag::DataConflict);
                    }
                }
                // What other states keep there is theirs alone.
                Err(_) if self.mrz.as_ref().is_some_and(|mrz| mrz.issuing_state != "VNM") => {}
                Err(_) => self.flag(Flag::Dg13Unreadable),
            }
        }
        if let Some(file) = self.intact(2) {
            match portrait::find(file) {
                Ok(portrait) if portrait.trailing => self.flag(Flag::PortraitTrailing),
                Ok(_) => {}
                Err(portrait::PortraitError::TooLarge { .. }) => {
                    return Err(Overall::Rejected(Refusal::ImageLimit));
                }
                Err(_) => self.flag(Flag::PortraitUnreadable),
            }
        }
        Ok(())
    }

    fn read_details(&mut self) {
        let today = vietnam_day(self.now);
        let dg11 = self.intact(11).map(dg11::Dg11::parse);
        if matches!(dg11, Some(Err(_))) {
            self.flag(Flag::Dg11Unreadable);
        }
        if let (Some(Ok(dg11)), Some(mrz)) = (&dg11, &self.mrz)
            && holder::details_conflict(mrz, dg11, today)
        {
            self.flag(Flag::DataConflict);
        }
        if self.intact(12).is_some_and(|file| dg12::Dg12::parse(file).is_err()) {
            self.flag(Flag::Dg12Unreadable);
        }
    }

    /// A data group whose hash is the signed one.
    pub(super) fn intact(&self, number: u8) -> Option<&'a [u8]> {
        self.reading.dg(number).filter(|_| self.verdict.intact(number))
    }

    /// Either proof that the chip is no copy counts; that of chip authentication, which covers a whole session, comes
    /// first.
    fn check_copies(&mut self, sod: &Sod) -> Early<Option<CloneCheck>> {
        self.verdict.trials.active = self.active_authentication(sod);
        self.verdict.trials.chip = self.chip_authentication();
        let trials = self.verdict.trials;
        if trials.active == Trial::Failed {
            return Err(Overall::Forged(Forgery::ActiveAuthentication));
        }
        if trials.chip == Trial::Failed {
            return Err(Overall::Forged(Forgery::ChipAuthentication));
        }
        Ok(match (trials.chip, trials.active) {
            (Trial::Passed, _) => Some(CloneCheck::ChipAuthentication),
            (_, Trial::Passed) => Some(CloneCheck::ActiveAuthentication),
            _ => None,
        })
    }

    /// What the station demands beyond the standard.
    fn demands(&mut self, sod: &Sod) {
        if self.verdict.flags.contains(&Flag::WeakAlgorithm) && !self.policy.allow_weak {
            self.unproven(Unproven::WeakAlgorithm);
        }
        let mut required = self.policy.required.clone();
        // The Vietnamese card states its holder in DG13; newer ones may have none.
        let vietnamese = self.mrz.as_ref().is_some_and(|mrz| mrz.issuing_state == "VNM");
        if vietnamese && sod.list.hashes.contains_key(&13) {
            required.insert(13);
        }
        let missing = required.iter().any(|n| self.verdict.dg.get(n) != Some(&DgState::Ok));
        // A zone that cannot be read leaves the country unchecked.
        if missing || self.mrz.is_none() {
            self.unproven(Unproven::DgMissing);
        }
    }
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
