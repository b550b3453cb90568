//! Revocation lists (CertificateList, RFC 5280 section 5). A list that speaks only of some reasons, some certificates or
//! some changes may prove that a certificate was revoked, never that it was not.

use super::{BROKEN, Opinion, Question, Statement, TOO_MUCH, Why, usage_allows};
use crate::cms::certificate::{Extension, Signed, extensions};
use crate::cms::name_key;
use crate::cms::validity::time;
use crate::der::{self, DerError, Reader, Tlv};
use crate::fault::{Fault, Outcome};
use jiff::Timestamp;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A revocation list as it was handed over; cloning is cheap.
#[derive(Clone)]
pub struct Crl(Arc<List>);

struct List {
    der: Vec<u8>,
    issuer: String,
    issuer_der: Vec<u8>,
    key_id: Option<Vec<u8>>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    scope: Scope,
    keeps_since: Option<Timestamp>,
    /// Where the entries lie in `der`.
    entries: Range<usize>,
    count: usize,
    /// The key (SubjectPublicKeyInfo) that the signature was last checked with, and whether it held: a list may have
    /// megabytes and is asked about every certificate of its issuer.
    checked: Mutex<Option<(Vec<u8>, bool)>>,
}

/// What a list is about (issuingDistributionPoint, RFC 5280 5.2.5).
#[derive(Debug, Clone, Default)]
struct Scope {
    /// Something critical that is not understood, or an indirect list.
    strange: bool,
    /// deltaCRLIndicator (5.2.4), or only some reasons.
    partial: bool,
    only_users: bool,
    only_cas: bool,
    only_attributes: bool,
    /// Names of its distribution point, whole GeneralNames; `None` where it has no point.
    points: Option<Vec<Vec<u8>>>,
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({} entries, {} bytes, of {})", self.0.count, self.0.der.len(), self.0.this_update)
    }
}

impl Crl {
    /// Reads a CertificateList, DER, of at most 32 MiB and a million entries.
    ///
    /// # Errors
    /// [`BROKEN`], [`TOO_MUCH`].
    pub fn read(der: &[u8]) -> Outcome<Self> {
        if der.len() > MAX_BYTES {
            return Err(Fault::new(&TOO_MUCH).detail(format!("a list of {} bytes", der.len())));
        }
        let list = List::read(der).map_err(|e| match e {
            DerError::Limit { .. } => Fault::new(&TOO_MUCH).detail(format!("a revocation list: {e}")),
            e => Fault::new(&BROKEN).detail(format!("a revocation list: {e}")),
        })?;
        Ok(Crl(Arc::new(list)))
    }

    /// The list, DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// When it was issued.
    pub fn this_update(&self) -> Timestamp {
        self.0.this_update
    }

    /// When the next one is due.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.0.next_update
    }

    /// Its issuer's Name, DER.
    pub fn issuer(&self) -> &[u8] {
        &self.0.issuer_der
    }

    /// What this list says, where it is by the issuer and about such certificates.
    pub(super) fn opinion(&self, question: &Question) -> Result<Opinion, Why> {
        let list = &*self.0;
        if list.issuer != question.issuer_name {
            return Err(Why::Nothing);
        }
        let keyed = match (list.key_id.as_deref(), question.issuer.subject_key_id()) {
            (Some(wanted), Some(is)) => wanted == is,
            _ => true,
        };
        if !keyed || !usage_allows(&question.issuer, CRL_SIGN) {
            return Err(Why::Author);
        }
        if list.scope.strange {
            return Err(Why::NotUnderstood);
        }
        if !list.is_signed_by(question) {
            return Err(Why::Signature);
        }
        let entry = list.entry_of(&question.certificate.serial).map_err(|_| Why::NotUnderstood)?;
        let statement = match entry {
            Some(entry) if entry.reason == Some(REMOVE_FROM_CRL) => Statement::Good,
            Some(Entry { at, reason, invalid_since }) => Statement::Revoked { at, reason, invalid_since },
            None => Statement::Good,
        };
        Ok(Opinion {
            this_update: list.this_update,
            next_update: list.next_update,
            statement,
            // Without a date for the next one a list says nothing about how long it counts (5.1.2.5).
            whole: list.next_update.is_some() && list.scope.covers(question),
            keeps_since: list.keeps_since,
        })
    }
}

impl List {
    fn read(bytes: &[u8]) -> Result<List, DerError> {
        let frame = Signed::read(bytes)?;
        let mut tbs = der::only(frame.tbs, 0x30)?.reader();
        let outer = der::only(bytes, 0x30)?;
        let offset = outer.raw.len() - outer.content.len();
        tbs.optional(0x02)?;
        tbs.expect(0x30)?;
        let name = tbs.expect(0x30)?;
        let (issuer, issuer_der) = (name_key(name.raw)?, name.raw.to_vec());
        let this_update = read_time(&tbs.read_tlv()?)?;
        let next_update = match tbs.peek() {
            Some(0x17 | 0x18) => Some(read_time(&tbs.read_tlv()?)?),
            _ => None,
        };
        let (mut entries, mut count, mut scope) = (0..0, 0, Scope::default());
        if let Some(list) = tbs.optional(0x30)? {
            let start = offset + list.at + list.raw.len() - list.content.len();
            entries = start..start + list.content.len();
            let mut rows = Reader::new(list.content);
            while !rows.is_empty() {
                count += 1;
                if count > MAX_ENTRIES {
                    return Err(DerError::Limit { what: "items", at: rows.at() });
                }
                let row = rows.expect(0x30)?;
                let (_, mut fields) = serial_of(&row)?;
                // Most entries end after their date.
                if !fields.is_empty() {
                    scope.strange |= read_entry(&mut fields)?.1;
                }
            }
        }
        let found = tbs.optional(0xa0)?.map(|list| extensions(&list)).transpose()?.unwrap_or_default();
        tbs.end()?;
        let (mut key_id, mut keeps_since) = (None, None);
        for extension in &found {
            match extension.oid.as_str() {
                // authorityKeyIdentifier
                "2.5.29.35" => {
                    let id = der::only(&extension.value, 0x30)?.reader().optional(0x80)?;
                    key_id = id.map(|t| t.content.to_vec());
                }
                // deltaCRLIndicator
                "2.5.29.27" => scope.partial = true,
                // issuingDistributionPoint
                "2.5.29.28" => scope.point(extension)?,
                // expiredCertsOnCRL (X.509)
                "2.5.29.60" => keeps_since = Some(read_time(&der::only(&extension.value, 0x18)?)?),
                // cRLNumber
                "2.5.29.20" => {}
                _ => scope.strange |= extension.critical,
            }
        }
        let (der, checked) = (bytes.to_vec(), Mutex::new(None));
        Ok(List {
            der,
            issuer,
            issuer_der,
            key_id,
            this_update,
            next_update,
            scope,
            keeps_since,
            entries,
            count,
            checked,
        })
    }

    fn is_signed_by(&self, question: &Question) -> bool {
        let key = &question.issuer.spki;
        if let Ok(memory) = self.checked.lock()
            && let Some((_, holds)) = memory.as_ref().filter(|(known, _)| known == key)
        {
            return *holds;
        }
        let frame = Signed::read(&self.der);
        let holds = frame.is_ok_and(|frame| {
            let strong = question.strong && frame.algorithm.is_some_and(|a| !a.hash().is_weak());
            strong && frame.holds(&question.issuer_key)
        });
        drop(openssl::error::ErrorStack::get());
        if let Ok(mut memory) = self.checked.lock() {
            *memory = Some((key.clone(), holds));
        }
        holds
    }

    /// The last entry of a serial number.
    fn entry_of(&self, serial: &[u8]) -> Result<Option<Entry>, DerError> {
        let mut rows = Reader::new(self.der.get(self.entries.clone()).unwrap_or_default());
        let (mut found, serial) = (None, trimmed(serial));
        while !rows.is_empty() {
            let row = rows.expect(0x30)?;
            let (number, mut fields) = serial_of(&row)?;
            if trimmed(number) == serial {
                found = Some(read_entry(&mut fields)?.0);
            }
        }
        Ok(found)
    }
}

struct Entry {
    at: Timestamp,
    reason: Option<u8>,
    invalid_since: Option<Timestamp>,
}

fn serial_of<'a>(row: &Tlv<'a>) -> Result<(&'a [u8], Reader<'a>), DerError> {
    let mut fields = row.reader();
    let serial = fields.expect(0x02)?.content;
    Ok((serial, fields))
}

/// What follows the serial number of an entry (5.3); true where it holds something critical that is not understood.
fn read_entry(fields: &mut Reader<'_>) -> Result<(Entry, bool), DerError> {
    let at = read_time(&fields.read_tlv()?)?;
    let mut entry = Entry { at, reason: None, invalid_since: None };
    let mut strange = false;
    if let Some(list) = fields.optional(0x30)? {
        // The reader of extensions wants the tag that wraps them elsewhere.
        let wrapped = Tlv { tag: 0xa0, at: list.at, content: list.raw, raw: list.raw };
        for extension in extensions(&wrapped)? {
            match extension.oid.as_str() {
                "2.5.29.21" => entry.reason = Some(reason(&der::only(&extension.value, 0x0a)?)?),
                "2.5.29.24" => {
                    entry.invalid_since = Some(read_time(&der::only(&extension.value, 0x18)?)?);
                }
                _ => strange |= extension.critical,
            }
        }
    }
    fields.end()?;
    Ok((entry, strange))
}

/// CRLReason.
pub(super) fn reason(value: &Tlv<'_>) -> Result<u8, DerError> {
    match value.content {
        [code @ 0..=10] => Ok(*code),
        _ => Err(DerError::Value { at: value.at }),
    }
}

pub(super) fn read_time(tlv: &Tlv<'_>) -> Result<Timestamp, DerError> {
    time(tlv).ok_or(DerError::Value { at: tlv.at })
}

impl Scope {
    fn point(&mut self, extension: &Extension) -> Result<(), DerError> {
        let mut fields = der::only(&extension.value, 0x30)?.reader();
        let flag = |tlv: Option<Tlv<'_>>| tlv.is_some_and(|t| t.content != [0]);
        if let Some(point) = fields.optional(0xa0)? {
            self.points = Some(full_names(&point)?);
        }
        self.only_users = flag(fields.optional(0x81)?);
        self.only_cas = flag(fields.optional(0x82)?);
        self.partial |= fields.optional(0x83)?.is_some();
        self.strange |= flag(fields.optional(0x84)?);
        self.only_attributes = flag(fields.optional(0x85)?);
        fields.end()
    }

    /// The list speaks of all revocations of such certificates.
    fn covers(&self, question: &Question) -> bool {
        let other_kind = if question.is_ca { self.only_users } else { self.only_cas };
        let kind = !self.only_attributes && !other_kind;
        let place = self.points.as_ref().is_none_or(|names| {
            let own = question.certificate.extension("2.5.29.31");
            let own = own.and_then(|e| points_of(&e.value).ok()).unwrap_or_default();
            own.iter().any(|name| names.contains(name))
        });
        kind && place && !self.partial
    }
}

/// The fullName of a DistributionPointName as whole GeneralNames; a name relative to the issuer gives none, so that it
/// matches nothing.
fn full_names(point: &Tlv<'_>) -> Result<Vec<Vec<u8>>, DerError> {
    let mut names = Vec::new();
    if let Some(full) = point.reader().optional(0xa0)? {
        let mut list = full.reader();
        while !list.is_empty() && names.len() < MAX_NAMES {
            names.push(list.read_tlv()?.raw.to_vec());
        }
    }
    Ok(names)
}

/// The names of a certificate's distribution points (cRLDistributionPoints, 4.2.1.13) for all reasons and of its own
/// issuer.
pub(super) fn points_of(value: &[u8]) -> Result<Vec<Vec<u8>>, DerError> {
    let mut points = der::only(value, 0x30)?.reader();
    let mut names = Vec::new();
    while !points.is_empty() && names.len() < MAX_NAMES {
        let mut fields = points.expect(0x30)?.reader();
        let name = fields.optional(0xa0)?;
        let reasons = fields.optional(0x81)?;
        let other = fields.optional(0xa2)?;
        if let (Some(name), None, None) = (name, reasons, other) {
            names.extend(full_names(&name)?);
        }
    }
    Ok(names)
}

/// Some issuers forget the leading zero of a serial number, or write one too many.
pub(super) fn trimmed(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|b| **b == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

const CRL_SIGN: u8 = 0x02;
const REMOVE_FROM_CRL: u8 = 8;
const MAX_BYTES: usize = 32 << 20;
const MAX_ENTRIES: usize = 1_000_000;
const MAX_NAMES: usize = 64;
