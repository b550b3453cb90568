//! The hashes of what signatures cover. All of them cover the file from its first byte, but for their hole: the file is
//! read once, in strides, whatever its size and however many signatures ask.

use super::fields::Coverage;
use crate::cms::{Content, Hash};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::Document;
use openssl::hash::Hasher;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

/// Hashes of a document's beginnings, kept at every hole.
pub(super) struct Hashes<'d, 'a> {
    document: &'d Document<'a>,
    /// Where the holes begin, ascending.
    holes: Vec<usize>,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    /// For each hash that was asked for, its state at holes.
    states: Vec<(Hash, BTreeMap<usize, Hasher>)>,
    buffer: Vec<u8>,
    /// Why the file could not be read, the first time that it could not.
    trouble: Option<Fault>,
}

/// The bytes that one signature covers.
pub(super) struct Covered<'h, 'd, 'a> {
    pub(super) hashes: &'h Hashes<'d, 'a>,
    pub(super) range: &'h Coverage,
}

impl<'d, 'a> Hashes<'d, 'a> {
    /// Of signatures with these ranges.
    pub(super) fn new<'r>(document: &'d Document<'a>, ranges: impl Iterator<Item = &'r Coverage>) -> Self {
        let mut holes: Vec<usize> = ranges.map(|r| r.hole.start).collect();
        holes.sort_unstable();
        holes.dedup();
        Hashes { document, holes, inner: RefCell::default() }
    }

    /// SHA-256 of all bytes of the file; what was hashed for a signature is not hashed again.
    pub(super) fn whole(&self) -> Outcome<Sha256> {
        let end = self.document.length();
        let last = self.holes.iter().copied().rfind(|hole| *hole <= end).unwrap_or(0);
        let digest = self.inner.borrow_mut().digest(self, Hash::Sha256, last, last..end);
        match digest.and_then(|bytes| bytes.try_into().ok()) {
            Some(digest) => Ok(Sha256(digest)),
            None => Err(self.trouble().unwrap_or_else(|| Fault::new(&crate::original::UNREADABLE))),
        }
    }

    /// What kept the file from being read, if anything did.
    pub(super) fn trouble(&self) -> Option<Fault> {
        self.inner.borrow().trouble.clone()
    }
}

impl Inner {
    /// The hash of everything before `hole`, and of `rest`.
    fn digest(
        &mut self,
        of: &Hashes<'_, '_>,
        hash: Hash,
        hole: usize,
        rest: Range<usize>,
    ) -> Option<Vec<u8>> {
        let mut hasher = self.until(of, hash, hole)?;
        self.feed(of, rest, &mut hasher)?;
        hasher.finish().ok().map(|digest| digest.to_vec())
    }

    /// The state after everything before `hole`; the states at the holes on the way are kept.
    fn until(&mut self, of: &Hashes<'_, '_>, hash: Hash, hole: usize) -> Option<Hasher> {
        let place = match self.states.iter().position(|(known, _)| *known == hash) {
            Some(place) => place,
            None => {
                self.states.push((hash, BTreeMap::new()));
                self.states.len() - 1
            }
        };
        let known = self.states.get(place)?.1.range(..=hole).next_back();
        let (mut at, mut hasher) = match known {
            Some((at, hasher)) => (*at, hasher.clone()),
            None => (0, Hasher::new(hash.md()).ok()?),
        };
        let ahead = of.holes.iter().copied().filter(|stop| *stop > at && *stop <= hole);
        for stop in ahead.collect::<Vec<_>>() {
            self.feed(of, at..stop, &mut hasher)?;
            self.states.get_mut(place)?.1.insert(stop, hasher.clone());
            at = stop;
        }
        self.feed(of, at..hole, &mut hasher)?;
        Some(hasher)
    }

    fn feed(&mut self, of: &Hashes<'_, '_>, range: Range<usize>, hasher: &mut Hasher) -> Option<()> {
        if range.is_empty() {
            return Some(());
        }
        let mut good = true;
        let read = of.document.stream(range, &mut self.buffer, &mut |part| {
            good = good && hasher.update(part).is_ok();
        });
        if let Err(fault) = read {
            self.trouble.get_or_insert(fault);
            return None;
        }
        good.then_some(())
    }
}

impl Content for Covered<'_, '_, '_> {
    fn digest(&self, hash: Hash) -> Option<Vec<u8>> {
        let Coverage { hole, end, .. } = self.range;
        self.hashes.inner.borrow_mut().digest(self.hashes, hash, hole.start, hole.end..*end)
    }

    fn each(&self, take: &mut dyn FnMut(&[u8])) -> Option<()> {
        let (Coverage { hole, end, .. }, document) = (self.range, self.hashes.document);
        let inner = &mut *self.hashes.inner.borrow_mut();
        for range in [0..hole.start, hole.end..*end] {
            if let Err(fault) = document.stream(range, &mut inner.buffer, take) {
                inner.trouble.get_or_insert(fault);
                return None;
            }
        }
        Some(())
    }
}
