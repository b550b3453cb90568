//! Whether the chip is a copy. A proof counts, for the chip or against it, only with a key whose data group is in a list
//! whose signature and chain hold, and only where the question may have been this station's own.

use super::judge::Judge;
use super::{Check, Flag, Trial};
use crate::chip::clone::{self, Answer, AnswerHash};
use crate::chip::lds;
use crate::chip::sod::Sod;
use crate::digest::Sha256;

impl Judge<'_> {
    /// The list that vouches for a key is a trusted authority's, and nothing in its proof is too weak to believe it.
    fn is_list_trusted(&self) -> bool {
        let weak = self.verdict.flags.contains(&Flag::WeakAlgorithm) && !self.policy.allow_weak;
        self.verdict.pa_chain == Check::Ok && !weak
    }

    /// With the key of DG15.
    pub(super) fn active_authentication(&mut self, sod: &Sod) -> Trial {
        let Some(exchange) = &self.reading.active_authentication else { return Trial::NotDone };
        let Some(file) = self.intact(15) else {
            self.flag(Flag::AaKeyUnsigned);
            return Trial::UntrustedKey;
        };
        if !self.is_list_trusted() {
            return Trial::UntrustedKey;
        }
        if self.policy.spent.active {
            self.flag(Flag::AaSpent);
            return Trial::NotDone;
        }
        if self.policy.late.active {
            self.flag(Flag::AaLate);
            return Trial::NotDone;
        }
        match &self.policy.challenge {
            Some(challenge) if *challenge != exchange.challenge => {
                self.flag(Flag::AaReplay);
                return Trial::NotDone;
            }
            Some(_) => {}
            None => self.flag(Flag::AaChallengeUnproven),
        }
        let said = self.answer_hash(sod);
        let spki = lds::open(file, 15).unwrap_or_default();
        match clone::check(spki, said, exchange) {
            Answer::Holds => {
                if clone::is_weak(spki, said, exchange) {
                    self.flag(Flag::AaWeak);
                }
                Trial::Passed
            }
            Answer::Wrong => Trial::Failed,
            Answer::Inconclusive => {
                self.flag(Flag::AaUnanswered);
                Trial::NotDone
            }
            Answer::HashUnknown => {
                self.flag(Flag::AaHashUnknown);
                Trial::NotDone
            }
            Answer::Unusable => {
                self.flag(Flag::AaKeyWeak);
                Trial::UntrustedKey
            }
        }
    }

    /// What the signed files say of the hash. A DG14 that is signed and not there may name one that nobody here tries.
    fn answer_hash(&self, sod: &Sod) -> AnswerHash {
        if !sod.list.hashes.contains_key(&14) {
            return AnswerHash::Unsaid;
        }
        let infos = self.intact(14).and_then(|file| lds::security_infos(file).ok());
        infos.map_or(AnswerHash::Unknown, |infos| infos.answer_hash)
    }

    /// With the key of DG14. The evidence is worth what its terminal key is: whoever knows that could have written it
    /// without a chip, so it counts, for the chip or against it, only where the station says that the key was its own.
    /// CardSecurity (PACE with chip authentication mapping) is not evidence: its own signature is not checked.
    pub(super) fn chip_authentication(&mut self) -> Trial {
        let Some(evidence) = &self.reading.chip_authentication else { return Trial::NotDone };
        let Some(file) = self.intact(14) else {
            self.flag(Flag::CaKeyUnsigned);
            return Trial::UntrustedKey;
        };
        if !self.is_list_trusted() {
            return Trial::UntrustedKey;
        }
        if self.policy.spent.chip {
            self.flag(Flag::CaSpent);
            return Trial::NotDone;
        }
        if self.policy.late.chip {
            self.flag(Flag::CaLate);
            return Trial::NotDone;
        }
        match self.policy.terminal_key {
            Some(ours) if ours != Sha256::of(&evidence.terminal_key) => {
                self.flag(Flag::CaReplay);
                return Trial::NotDone;
            }
            Some(_) => {}
            None => self.flag(Flag::CaKeyUnproven),
        }
        let ours = self.policy.terminal_key.is_some();
        match (self.chip_authentication)(lds::open(file, 14).unwrap_or_default(), evidence) {
            Answer::Holds if ours => Trial::Passed,
            Answer::Holds => Trial::UntrustedKey,
            Answer::Wrong if ours => Trial::Failed,
            Answer::Wrong => Trial::NotDone,
            Answer::Inconclusive | Answer::HashUnknown => {
                self.flag(Flag::CaUnanswered);
                Trial::NotDone
            }
            Answer::Unusable => {
                self.flag(Flag::CaKeyInvalid);
                Trial::UntrustedKey
            }
        }
    }
}
