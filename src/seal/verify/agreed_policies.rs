//! Certificate policies on a way to an anchor (RFC 5280 6.1), where no policy is asked for: what is left to find out is
//! whether one is agreed to all the way down where an authority demands that one be. Of the tree of that section only its
//! leaves count then, which are kept as a set (RFC 9618 gives why that is the same).

use crate::cms::known;
use crate::cms::{Parts, name_key};
use crate::der::{self, DerError};
use openssl::x509::X509;
use std::collections::{BTreeMap, BTreeSet};

/// Policies, mappings, constraints, and the end of any policy.
const POLICIES: &str = "2.5.29.32";
pub(super) const MAPPINGS: &str = "2.5.29.33";
pub(super) const CONSTRAINTS: &str = "2.5.29.36";
pub(super) const NO_ANY: &str = "2.5.29.54";
const ANY: &str = "2.5.29.32.0";

/// Whether a way, from the end certificate to the anchor, agrees to a policy where it must. The anchor's own words are
/// not part of it.
///
/// # Errors
/// What is wrong.
pub(super) fn hold(route: &[X509]) -> Result<(), &'static str> {
    let below = route.split_last().map(|(_, below)| below).unwrap_or_default();
    // Nobody but these demands that a policy be agreed to.
    let demands = |certificate: &X509| {
        known::facts(certificate).is_ok_and(|facts| facts.parts.extension(CONSTRAINTS).is_some())
    };
    if !below.iter().any(demands) {
        return Ok(());
    }
    let count = below.len() as u64;
    let mut state = State {
        expected: BTreeSet::from([ANY.to_owned()]),
        explicit: count + 1,
        mapping: count + 1,
        any: count + 1,
    };
    for (place, certificate) in below.iter().enumerate().rev() {
        let facts = known::facts(certificate).map_err(|_| BROKEN)?;
        let said = Said::of(&facts.parts).map_err(|_| BROKEN)?;
        state.take(&said, place == 0)?;
    }
    Ok(())
}

/// What one certificate says.
struct Said {
    policies: Option<BTreeSet<String>>,
    mappings: BTreeMap<String, BTreeSet<String>>,
    explicit: Option<u64>,
    no_mapping: Option<u64>,
    no_any: Option<u64>,
    /// By an authority to itself.
    self_issued: bool,
}

impl Said {
    fn of(parts: &Parts) -> Result<Said, DerError> {
        let mut said = Said {
            policies: None,
            mappings: BTreeMap::new(),
            explicit: None,
            no_mapping: None,
            no_any: None,
            self_issued: name_key(&parts.issuer)? == name_key(&parts.subject)?,
        };
        if let Some(extension) = parts.extension(POLICIES) {
            let mut list = der::only(&extension.value, 0x30)?.reader();
            let mut policies = BTreeSet::new();
            while !list.is_empty() {
                policies.insert(list.expect(0x30)?.reader().expect(0x06)?.oid()?);
            }
            said.policies = Some(policies);
        }
        if let Some(extension) = parts.extension(MAPPINGS) {
            let mut list = der::only(&extension.value, 0x30)?.reader();
            while !list.is_empty() {
                let mut pair = list.expect(0x30)?.reader();
                let mut policy = || pair.expect(0x06)?.oid();
                let (from, to) = (policy()?, policy()?);
                said.mappings.entry(from).or_default().insert(to);
            }
        }
        if let Some(extension) = parts.extension(CONSTRAINTS) {
            let mut fields = der::only(&extension.value, 0x30)?.reader();
            let mut skip = |tag: u32| -> Result<Option<u64>, DerError> {
                fields.optional(tag)?.map(|field| skip_count(field.content)).transpose()
            };
            (said.explicit, said.no_mapping) = (skip(0x80)?, skip(0x81)?);
            fields.end()?;
        }
        if let Some(extension) = parts.extension(NO_ANY) {
            said.no_any = Some(skip_count(der::only(&extension.value, 0x02)?.content)?);
        }
        Ok(said)
    }
}

/// How many more certificates may go by; more than anybody has is as good as any number.
fn skip_count(content: &[u8]) -> Result<u64, DerError> {
    match content {
        [first, rest @ ..] if *first < 0x80 => Ok(rest
            .iter()
            .fold(u64::from(*first), |n, b| n.saturating_mul(256).saturating_add(u64::from(*b)))),
        _ => Err(DerError::Value { at: 0 }),
    }
}

/// Between two certificates.
struct State {
    /// Policies that the next one may have.
    expected: BTreeSet<String>,
    explicit: u64,
    mapping: u64,
    any: u64,
}

impl State {
    /// 6.1.3 (d) to (f), and 6.1.4 or 6.1.5.
    fn take(&mut self, said: &Said, is_end: bool) -> Result<(), &'static str> {
        let free = self.expected.contains(ANY);
        let mut valid = BTreeSet::new();
        if let Some(policies) = &said.policies {
            let agreed = policies.iter().filter(|p| *p != ANY && (free || self.expected.contains(*p)));
            valid.extend(agreed.cloned());
            if policies.contains(ANY) && (self.any > 0 || (!is_end && said.self_issued)) {
                valid.extend(self.expected.iter().cloned());
            }
        }
        if self.explicit == 0 && valid.is_empty() {
            return Err(NONE_AGREED);
        }
        if is_end {
            let now = self.explicit <= 1 || said.explicit == Some(0);
            return if now && valid.is_empty() { Err(NONE_AGREED) } else { Ok(()) };
        }
        self.expected = self.mapped(said, &valid)?;
        if !said.self_issued {
            for count in [&mut self.explicit, &mut self.mapping, &mut self.any] {
                *count = count.saturating_sub(1);
            }
        }
        let least =
            |count: &mut u64, said: Option<u64>| *count = said.map_or(*count, |said| said.min(*count));
        least(&mut self.explicit, said.explicit);
        least(&mut self.mapping, said.no_mapping);
        least(&mut self.any, said.no_any);
        Ok(())
    }

    /// 6.1.4 (a) and (b): a policy of this authority goes by other names below it, or ends where none may be mapped.
    fn mapped(&self, said: &Said, valid: &BTreeSet<String>) -> Result<BTreeSet<String>, &'static str> {
        let mut expected = valid.clone();
        for from in said.mappings.keys() {
            expected.remove(from);
        }
        for (from, to) in &said.mappings {
            if from == ANY || to.contains(ANY) {
                return Err(BROKEN);
            }
            if self.mapping > 0 && (valid.contains(from) || valid.contains(ANY)) {
                expected.extend(to.iter().cloned());
            }
        }
        Ok(expected)
    }
}

const BROKEN: &str = "certificate policies that cannot be read";
const NONE_AGREED: &str = "an authority demands a certificate policy, and none is agreed to all the way";
