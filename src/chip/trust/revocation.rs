//! What revocation lists say about a document signer and about the authority above it (Doc 9303-12, 7.1.4).
//!
//! Authorities change their keys and their names. A list speaks against what its issuer issued, under any name that its
//! key carries or that it succeeded by a link certificate, and never against what a successor issued, whose numbers begin
//! anew; it clears only what was issued under its own name.

use super::anchor::{Mark, mark, name_mark};
use super::crl::Crl;
use super::rules::{COUNTRY, is_authority, may_sign_lists};
use super::{Anchor, Trust};
use crate::cms::certificate::{Parts, name_part};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What revocation lists say about a document signer, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revocation {
    /// Not on the current list.
    Fresh,
    /// Not on a list that should have been replaced by now.
    Stale,
    /// No list of its issuer is here, or none that speaks about all of its certificates.
    Unknown,
    /// On a list.
    Revoked,
}

/// The genuine lists of one authority.
pub(super) struct Lists<'a>(Vec<List<'a>>);

struct List<'a> {
    crl: &'a Crl,
    /// Its issuer is the authority, or came after it: a number on it is one that the authority gave.
    against: bool,
    /// Its signer may sign lists: being absent from it can mean something.
    clears: bool,
}

impl Trust {
    /// The lists of the authority that issued something under this name, by whichever of its names and keys. The
    /// authority need not be in the folder.
    pub(super) fn lists_of(&self, issuer: Mark, authority: &Anchor) -> Lists<'_> {
        let country = country_of(&authority.parts.subject);
        let near = |crl: &&Crl| crl.issuer == issuer || crl.country == country;
        let near: Vec<&Crl> = self.crls.iter().filter(near).collect();
        if near.is_empty() {
            return Lists(Vec::new());
        }
        let key = mark(&authority.parts.spki);
        let carriers = self.entries.iter().filter(|entry| entry.row.key == key).map(|entry| entry.row.name);
        let own: BTreeSet<Mark> = [Some(issuer), name_mark(&authority.parts.subject)]
            .into_iter()
            .flatten()
            .chain(carriers)
            .collect();
        let mut ancestry = None;
        let mut tied = |name: Mark| {
            own.contains(&name) || {
                let ours = ancestry.get_or_insert_with(|| self.ancestry(own.clone()));
                !self.ancestry(BTreeSet::from([name])).is_disjoint(ours)
            }
        };
        let genuine = near.into_iter().filter_map(|crl| {
            // What its own key has signed speaks for it under whatever name.
            let by_key = crl.holds(&authority.key);
            let signers = if by_key {
                vec![authority]
            } else if !tied(crl.issuer) {
                return None;
            } else {
                let found = self.issuers(crl.issuer, crl.key_id, |other| crl.holds(&other.key));
                found
                    .into_iter()
                    .filter(|other| name_mark(&other.parts.subject).is_some_and(&mut tied))
                    .collect()
            };
            let authorities = signers.iter().filter(|signer| is_authority(&signer.parts) == Some(true));
            let may: Vec<bool> = authorities.map(|signer| may_sign_lists(&signer.parts)).collect();
            let succeeds = || !self.ancestry(BTreeSet::from([crl.issuer])).is_disjoint(&own);
            let against = by_key || succeeds();
            (!may.is_empty()).then(|| List { crl, against, clears: may.contains(&true) })
        });
        Lists(genuine.collect())
    }

    /// These names, every name that shares a key with one of them, and the names of those who certified them.
    fn ancestry(&self, names: BTreeSet<Mark>) -> BTreeSet<Mark> {
        let (mut open, mut known): (Vec<Mark>, BTreeSet<Mark>) =
            (names.into_iter().collect(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if !known.insert(name) {
                continue;
            }
            for index in self.by_name.get(&name).map_or(&[][..], Vec::as_slice) {
                let Some(entry) = self.entries.get(*index) else { continue };
                let carriers = self.entries.iter().filter(|other| other.row.key == entry.row.key);
                open.extend(carriers.map(|other| other.row.name));
                open.extend(entry.anchor().and_then(|anchor| name_mark(&anchor.parts.issuer)));
            }
        }
        known
    }
}

impl Lists<'_> {
    /// What they say about something that was issued.
    pub(super) fn about(&self, issued: &Parts, now: jiff::Timestamp) -> Revocation {
        if self.0.iter().any(|list| list.against && list.crl.lists(&issued.serial)) {
            return Revocation::Revoked;
        }
        let issuer = name_mark(&issued.issuer);
        let clearing = self
            .0
            .iter()
            .filter(|list| list.clears && list.crl.is_whole() && Some(list.crl.issuer) == issuer);
        let states =
            clearing.map(|list| if list.crl.is_current(now) { Revocation::Fresh } else { Revocation::Stale });
        states.min().unwrap_or(Revocation::Unknown)
    }

    /// An authority's own certificate is on the list of who issued it. Names count here: that numbers begin anew under
    /// another name must not bring down a country.
    pub(super) fn revoke(&self, authority: &Parts) -> bool {
        let issuer = name_mark(&authority.issuer);
        self.0.iter().any(|list| Some(list.crl.issuer) == issuer && list.crl.lists(&authority.serial))
    }
}

/// The country of a Name, in one spelling.
pub(super) fn country_of(name: &[u8]) -> Option<String> {
    name_part(name, COUNTRY).map(|country| country.trim().to_ascii_uppercase())
}
