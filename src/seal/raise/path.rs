//! Chains of certificates up to the roots, and what says of each certificate that it was not revoked.

use super::marks::{Kind, Mark};
use super::{NO_PATH, OUT_OF_TIME, REVOKED, Raising, UNKNOWN};
use crate::cms::{KeyFacts, Parts};
use crate::der;
use crate::fault::{Fault, Outcome};
use crate::seal::evidence::dss::Related;
use crate::seal::evidence::{Evidence, Status, is_issued_by, same, usage_allows};
use jiff::Timestamp;
use openssl::x509::{X509, X509Ref};

/// Gathers evidence.
pub(super) struct Collector<'a> {
    with: &'a Raising<'a>,
    /// All that may serve.
    pub(super) at_hand: Evidence,
    /// What is needed.
    pub(super) needed: Evidence,
}

/// The time that a certificate is judged at.
#[derive(Clone, Copy)]
struct Moment {
    at: Timestamp,
    proven: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(with: &'a Raising<'a>) -> Self {
        Collector { with, at_hand: with.evidence.clone(), needed: Evidence::new() }
    }

    /// What it takes to judge every mark; `needed` holds all of it together.
    ///
    /// # Errors
    /// [`NO_PATH`], [`OUT_OF_TIME`], [`REVOKED`], [`UNKNOWN`].
    pub(super) fn collect(&mut self, marks: &[Mark]) -> Outcome<Vec<Related>> {
        for mark in marks {
            let stamp = mark.stamp.iter().flat_map(|s| &s.crls);
            for crl in mark.crls.iter().chain(stamp) {
                // What came along is a claim; a malformed one helps nobody.
                let _ = self.at_hand.add_crl(crl);
            }
        }
        let mut known = Moment { at: self.with.at, proven: false };
        let mut related = Vec::new();
        // Newest first: a document time stamp proves that what it covers existed at its time.
        for (index, mark) in marks.iter().enumerate().rev() {
            let place = |f: Fault| f.at(format!("signature {}", index + 1));
            let mut own = Evidence::new();
            let mut moment = known;
            if let Some(stamp) = &mark.stamp {
                self.vouch(&stamp.signer, &stamp.certificates, known, &mut own)
                    .map_err(|f| place(f.at("time stamp")))?;
                moment = Moment { at: stamp.time, proven: true };
            }
            if mark.kind == Kind::DocumentStamp {
                known = moment;
            } else {
                self.vouch(&mark.signer, &mark.certificates, moment, &mut own).map_err(place)?;
            }
            self.needed.extend(&own);
            related.push(Related { contents: mark.contents.clone(), evidence: own });
        }
        related.reverse();
        Ok(related)
    }

    /// Adds a certificate's chain and what speaks for each of it.
    fn vouch(&mut self, end: &X509, along: &[X509], moment: Moment, into: &mut Evidence) -> Outcome<()> {
        let path = self.path(end, along, moment.at)?;
        for (index, pair) in path.windows(2).enumerate() {
            let [certificate, issuer] = pair else { continue };
            let grounds = self.standing(certificate, issuer, moment);
            into.extend(&grounds.map_err(|f| f.at(format!("certificate {} of its chain", index + 1)))?);
        }
        into.extend(&Evidence { certificates: path, ..Evidence::new() });
        Ok(())
    }

    /// What says that a certificate was not revoked: what is at hand, else what its authority answers.
    fn standing(&mut self, certificate: &X509Ref, issuer: &X509Ref, moment: Moment) -> Outcome<Evidence> {
        let ask = |evidence: &Evidence| match evidence.weigh(certificate, issuer, moment.at, moment.proven) {
            (Status::Good { .. }, grounds) => Ok(Ok(grounds)),
            (Status::Revoked { .. }, _) => Err(Fault::new(&REVOKED)),
            (Status::Unknown(why), _) => Ok(Err(why)),
        };
        let mut why = match ask(&self.at_hand)? {
            Ok(grounds) => return Ok(grounds),
            Err(why) => why,
        };
        let mut silence = None;
        let Some(online) = self.with.online else { return Err(Fault::new(&UNKNOWN).detail(why.en())) };
        for by_list in [false, true] {
            let fetched = if by_list {
                online.crl(certificate).and_then(|der| self.at_hand.add_crl(&der))
            } else {
                online.ocsp(certificate, issuer).and_then(|der| self.at_hand.add_ocsp(&der))
            };
            match fetched {
                Ok(()) => match ask(&self.at_hand)? {
                    Ok(grounds) => return Ok(grounds),
                    Err(now) => why = now,
                },
                Err(fault) => silence = Some(fault.code.en),
            }
        }
        let detail = silence.map_or_else(|| why.en().to_owned(), |s| format!("{}; {s}", why.en()));
        Err(Fault::new(&UNKNOWN).detail(detail))
    }

    /// A chain from a certificate up to a root, all of it valid at a time; issuers that are missing are fetched.
    pub(super) fn path(&mut self, end: &X509, along: &[X509], at: Timestamp) -> Outcome<Vec<X509>> {
        let mut fetched = Vec::new();
        loop {
            let candidates: Vec<&X509> = self
                .with
                .roots
                .iter()
                .chain(along)
                .chain(&self.at_hand.certificates)
                .chain(&fetched)
                .collect();
            let mut search = Search {
                roots: self.with.roots,
                candidates,
                at,
                steps: 0,
                found: None,
                highest: end.clone(),
            };
            search.climb(&mut vec![end.clone()]);
            let missing = match search.found {
                Some((path, true)) => return Ok(path),
                Some((_, false)) => Fault::new(&OUT_OF_TIME),
                None => Fault::new(&NO_PATH),
            };
            let highest = search.highest;
            let more = self.with.online.filter(|_| fetched.len() < MAX_DEPTH).map(|o| o.issuer(&highest));
            match more {
                Some(Ok(issuer)) if !fetched.iter().any(|f: &X509| same(f, &issuer)) => fetched.push(issuer),
                _ => return Err(missing),
            }
        }
    }
}

/// Depth-first over all issuers that fit, bounded in depth and steps.
struct Search<'s> {
    roots: &'s [X509],
    candidates: Vec<&'s X509>,
    at: Timestamp,
    steps: usize,
    /// A chain, and whether all of it is valid at the time.
    found: Option<(Vec<X509>, bool)>,
    /// The top of the longest chain that leads nowhere.
    highest: X509,
}

impl Search<'_> {
    fn climb(&mut self, path: &mut Vec<X509>) {
        self.steps += 1;
        let Some(last) = path.last().cloned() else { return };
        let done = self.found.as_ref().is_some_and(|(_, valid)| *valid);
        if done || self.steps > MAX_STEPS || path.len() > MAX_DEPTH {
            return;
        }
        if self.roots.iter().any(|r| same(r, &last)) {
            let valid = path.iter().all(|c| valid_at(c, self.at));
            self.found = Some((path.clone(), valid));
            return;
        }
        if KeyFacts::of(&last).is_weak() {
            return;
        }
        let below = path.len() - 1;
        let issuers: Vec<X509> = self
            .candidates
            .iter()
            .filter(|c| !path.iter().any(|p| same(p, c)) && may_issue(c, below) && is_issued_by(&last, c))
            .map(|c| (*c).clone())
            .collect();
        if issuers.is_empty() {
            self.highest = last;
        }
        for issuer in issuers {
            path.push(issuer);
            self.climb(path);
            path.pop();
        }
    }
}

/// A CA that may have `below` further CAs under it (RFC 5280 4.2.1.9, 4.2.1.3).
fn may_issue(certificate: &X509Ref, below: usize) -> bool {
    let Ok(parts) = Parts::of(certificate) else { return false };
    let constraints = || {
        let mut fields = der::only(&parts.extension("2.5.29.19")?.value, 0x30).ok()?.reader();
        let ca = fields.optional(0x01).ok()?.is_some_and(|b| b.content != [0]);
        let limit = fields.optional(0x02).ok()?.map(|n| n.number().ok()).unwrap_or(Some(u64::MAX))?;
        Some(ca && below as u64 <= limit)
    };
    constraints() == Some(true) && usage_allows(&parts, KEY_CERT_SIGN)
}

fn valid_at(certificate: &X509Ref, at: Timestamp) -> bool {
    let Ok(parts) = Parts::of(certificate) else { return false };
    parts.not_before.is_some_and(|from| from <= at) && parts.not_after.is_some_and(|until| at <= until)
}

const KEY_CERT_SIGN: u8 = 0x04;
const MAX_DEPTH: usize = 8;
const MAX_STEPS: usize = 200;
