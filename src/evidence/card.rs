//! The card issuer's signature, judged again from EF.SOD: whoever has a bundle need not take the station's word for it.
//!
//! EF.SOD is the signed list of the data groups' hashes (ICAO Doc 9303-10, 4.6.2). What was in the groups is gone; that
//! the issuer signed these hashes, and that they are those that the station says it saw, can be shown without it.

use crate::chip::reading::{Access, FileId};
use crate::chip::sod::Sod;
use crate::chip::verdict::Check;
use crate::chip::{Policy, Reading, Trust, verify};
use crate::cms::Hash;
use crate::digest::Sha256;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What of `identity.json` is held against EF.SOD.
#[derive(Debug, Deserialize)]
pub struct Told {
    verdict: Verdict,
    readings: Vec<Reader>,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    pa_signature: Check,
    pa_chain: Check,
    judged_at: jiff::Timestamp,
    dg: BTreeMap<u8, String>,
}

#[derive(Debug, Deserialize)]
struct Reader {
    groups: BTreeMap<String, Sha256>,
    sod: Option<String>,
}

/// What judging again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The issuer's signature and chain are what the station said, and the hashes are those that it saw.
    Same,
    /// Signature and hashes are; nobody said which issuers of cards to trust.
    NoAnchors,
    /// They are; the issuer is not one that this verifier trusts, or was not then.
    Untrusted,
    /// There is no EF.SOD to judge.
    Nothing,
    /// It is not what the station said.
    Differs,
}

impl Told {
    /// Reads `identity.json`.
    pub fn parse(bytes: &[u8]) -> Option<Told> {
        serde_json::from_slice(bytes).ok()
    }

    /// Judges the last reading that has an EF.SOD, which is the one that the station's verdict is about. `sod` gives an
    /// entry's bytes.
    pub fn again<'b>(&self, sod: impl Fn(&str) -> Option<&'b [u8]>, trust: Option<&Trust>) -> Again {
        let found = self.readings.iter().rev().find_map(|r| Some((r, sod(r.sod.as_deref()?)?)));
        let Some((reading, bytes)) = found else { return Again::Nothing };
        let Ok(list) = Sod::parse(bytes).map(|sod| sod.list) else {
            // The station could not read it either.
            return if self.verdict.pa_signature == Check::Ok { Again::Differs } else { Again::Nothing };
        };
        let good = self.verdict.dg.iter().filter(|(_, state)| *state == "ok").map(|(number, _)| number);
        let signed = |number: &u8| {
            let seen = reading.groups.get(&format!("DG{number}"));
            seen.is_some_and(|seen| list.hashes.get(number).is_some_and(|listed| *listed == seen.0))
        };
        if list.hash == Hash::Sha256 && !good.copied().all(|number| signed(&number)) {
            return Again::Differs;
        }
        let again = Reading {
            read_at: None,
            station: None,
            access: Access::Unknown,
            files: BTreeMap::from([(FileId::Sod, bytes.to_vec())]),
            active_authentication: None,
            chip_authentication: None,
            asserted: false,
        };
        let policy = Policy { required: BTreeSet::new(), ..Policy::default() };
        let nobody = Trust::default();
        let verdict = verify(&again, trust.unwrap_or(&nobody), self.verdict.judged_at, &policy);
        if verdict.pa_signature != self.verdict.pa_signature {
            return Again::Differs;
        }
        match (trust, verdict.pa_chain == self.verdict.pa_chain) {
            (None, _) => Again::NoAnchors,
            (Some(_), true) => Again::Same,
            (Some(_), false) => Again::Untrusted,
        }
    }
}
