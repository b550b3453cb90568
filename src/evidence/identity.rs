//! The verdict on a chip reading as it leaves the station: check by check, with hashes, and nothing of the holder.

use crate::chip::Verdict;
use crate::chip::compare::Comparison;
use crate::digest::{Digests, Sha256};
use crate::dossier::Dossier;
use serde::Serialize;
use std::collections::BTreeMap;

/// `identity.json`.
///
/// Names, numbers and dates are not in it, and which fields agreed is. Hashes of data groups can be found by trying for who
/// knows most of what is in them: they are in bundles for courts alone, beside documents that say it in plain letters.
#[derive(Debug, Serialize)]
pub struct Identity<'a> {
    /// The conclusion, the chain and every check.
    pub verdict: &'a Verdict,
    /// Chip, card QR and what was typed: which fields agree.
    pub comparisons: &'a [Comparison],
    /// Every reading that was handed in.
    pub readings: Vec<Reading>,
}

/// What a reading was, without its bytes.
#[derive(Debug, Serialize)]
pub struct Reading {
    /// Digests of the reading as it came: whoever has the file can show that it is the one that was judged.
    pub digests: Digests,
    /// SHA-256 of every data group that came, `DG1` to `DG16`.
    pub groups: BTreeMap<String, Sha256>,
    /// Entry with EF.SOD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sod: Option<String>,
}

/// The verdict of a dossier, where there is one. `sod_entry` names the entry of a reading's EF.SOD by its place.
pub fn of(dossier: &Dossier, sod_entry: impl Fn(usize) -> Option<String>) -> Option<Identity<'_>> {
    let readings = dossier.readings.iter().enumerate().map(|(at, reading)| Reading {
        digests: reading.digests,
        groups: reading
            .evidence
            .iter()
            .flat_map(|e| &e.groups)
            .map(|(number, hash)| (format!("DG{number}"), *hash))
            .collect(),
        sod: sod_entry(at),
    });
    Some(Identity {
        verdict: dossier.verdict.as_ref()?,
        comparisons: &dossier.comparisons,
        readings: readings.collect(),
    })
}
