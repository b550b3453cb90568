//! The way from a certificate to an anchor (RFC 5280 section 6, the part of it that document signing needs): who issued
//! whom, and who may. Bounded in depth and steps.

use super::anchors::{Anchors, common_name};
use super::constraints;
use super::usage::{foreign_demand, may_issue, strong};
use crate::cms::known::{self, same};
use crate::cms::name_key;
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509, X509Ref};
use std::cmp::Ordering;

/// A way to an anchor: the end certificate first, the anchor last.
pub(super) struct Route {
    pub(super) certificates: Vec<X509>,
    /// One of them was not valid at the time asked about.
    pub(super) expired: bool,
}

/// The best way from `end` to an anchor: one that was valid at the time is preferred.
///
/// # Errors
/// There is none; and what stood in the way of one, where it was more than that.
pub(super) fn find(
    end: &X509,
    helpers: &[X509],
    anchors: &Anchors,
    at: Timestamp,
) -> Result<Route, Option<String>> {
    let mut search = Search { helpers, anchors, at, steps: 0, best: None, refused: None };
    search.extend(&mut vec![end.clone()]);
    search.best.ok_or(search.refused)
}

/// Depth-first over all issuers that fit.
struct Search<'a> {
    helpers: &'a [X509],
    anchors: &'a Anchors,
    at: Timestamp,
    steps: usize,
    best: Option<Route>,
    /// Why the first way that leads to an anchor may not be taken.
    refused: Option<String>,
}

impl Search<'_> {
    fn extend(&mut self, path: &mut Vec<X509>) {
        self.steps += 1;
        let Some(last) = path.last().cloned() else { return };
        if self.steps > MAX_STEPS || path.len() > MAX_DEPTH || self.best.as_ref().is_some_and(|b| !b.expired)
        {
            return;
        }
        if self.anchors.roots.iter().any(|r| same(r, &last)) {
            if let Err(why) = constraints::hold(path) {
                self.refused.get_or_insert(why);
                return;
            }
            let expired = path.iter().any(|c| !valid_at(c, self.at));
            self.best = Some(Route { certificates: path.clone(), expired });
            return;
        }
        if !strong(&last) {
            self.refuse(&last, path.len() == 1);
            return;
        }
        let (roots, known) = (&self.anchors.roots, &self.anchors.intermediates);
        let mut candidates: Vec<X509> = Vec::new();
        for candidate in roots.iter().chain(known).chain(self.helpers) {
            let new = !path.iter().chain(&candidates).any(|p| same(p, candidate));
            if !new || !is_issued_by(&last, candidate) {
                continue;
            }
            if may_issue(candidate, path.len() - 1) {
                candidates.push(candidate.clone());
            } else {
                self.refuse(candidate, false);
            }
        }
        for candidate in candidates {
            path.push(candidate);
            self.extend(path);
            path.pop();
        }
    }

    /// Remembers what a certificate demands that nobody here understands. Authorities are named, people are not.
    fn refuse(&mut self, certificate: &X509Ref, is_end: bool) {
        if let Some(oid) = foreign_demand(certificate) {
            let why = format!("critical extension {oid} is not understood");
            let name = common_name(certificate);
            self.refused.get_or_insert(if is_end { why } else { format!("{name}: {why}") });
        }
    }
}

/// Whether one certificate's name, key identifier and signature say that the other issued it.
pub(super) fn is_issued_by(certificate: &X509Ref, issuer: &X509Ref) -> bool {
    known::issued_by(certificate, issuer, || issued(certificate, issuer))
}

fn issued(certificate: &X509Ref, issuer: &X509Ref) -> bool {
    let (Ok(child), Ok(parent)) = (known::facts(certificate), known::facts(issuer)) else { return false };
    let (child, parent) = (&child.parts, &parent.parts);
    let named = matches!((name_key(&child.issuer), name_key(&parent.subject)), (Ok(a), Ok(b)) if a == b);
    let keyed = match (child.authority_key_id(), parent.subject_key_id()) {
        (Some(wanted), Some(is)) => wanted == is,
        _ => true,
    };
    let signed =
        named && keyed && issuer.public_key().is_ok_and(|key| certificate.verify(&key).unwrap_or(false));
    drop(openssl::error::ErrorStack::get());
    signed
}

fn valid_at(certificate: &X509Ref, at: Timestamp) -> bool {
    compare(certificate.not_before(), at).is_some_and(|o| o != Ordering::Greater)
        && compare(certificate.not_after(), at).is_some_and(|o| o != Ordering::Less)
}

fn compare(time: &Asn1TimeRef, at: Timestamp) -> Option<Ordering> {
    let at = Asn1Time::from_unix(at.as_second()).ok()?;
    time.compare(&at).ok()
}

const MAX_DEPTH: usize = 8;
const MAX_STEPS: usize = 200;
