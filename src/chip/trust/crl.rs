//! Revocation lists (RFC 5280 5; ICAO Doc 9303-12, 7.1.4). Only the frame is read when a list is loaded.

use super::anchor::{Mark, mark, name_mark};
use super::revocation::country_of;
use crate::cms::certificate::{Signed, extensions};
use crate::cms::validity::time;
use crate::der::{self, DerError, Tlv};
use openssl::pkey::{PKeyRef, Public};

/// A revocation list whose signature has not been checked yet.
pub(super) struct Crl {
    bytes: Vec<u8>,
    pub(super) issuer: Mark,
    /// The country of its issuer.
    pub(super) country: Option<String>,
    /// The mark of its authority key identifier.
    pub(super) key_id: Option<Mark>,
    from: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    scope: Scope,
}

/// What a list speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything that its issuer issued.
    Whole,
    /// A part of it, changes since another list, what a broken hash covers, or what cannot be told: a certificate that is not on it may be
    /// revoked all the same.
    Part,
    /// Certificates of other issuers too: what is on it may be somebody else's.
    Indirect,
}

impl Crl {
    /// Reads a list's DER.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, DerError> {
        let signed = Signed::read(bytes)?;
        let fields = Fields::read(signed.tbs)?;
        let issuer = name_mark(fields.issuer).ok_or(DerError::Value { at: 0 })?;
        // What a broken hash covers may have been exchanged for a list with less on it.
        let weak = signed.algorithm.is_some_and(|algorithm| algorithm.hash().is_weak());
        let (mut scope, mut key_id) = (if weak { Scope::Part } else { Scope::Whole }, None);
        for extension in fields.extensions.map(|list| extensions(&list)).transpose()?.unwrap_or_default() {
            match extension.oid.as_str() {
                AUTHORITY_KEY => {
                    let mut inner = der::only(&extension.value, 0x30)?.reader();
                    key_id = inner.optional(0x80)?.map(|id| mark(id.content));
                }
                DISTRIBUTION_POINT => {
                    let mut inner = der::only(&extension.value, 0x30)?.reader();
                    let mut indirect = false;
                    while !inner.is_empty() {
                        let field = inner.read_tlv()?;
                        indirect |= field.tag == INDIRECT && field.content != [0];
                    }
                    scope = if indirect { Scope::Indirect } else { Scope::Part };
                }
                // Not every issuer marks it as critical, as it must be.
                DELTA if scope == Scope::Whole => scope = Scope::Part,
                _ if extension.critical && scope == Scope::Whole => scope = Scope::Part,
                _ => {}
            }
        }
        let country = country_of(fields.issuer);
        Ok(Crl {
            issuer,
            country,
            key_id,
            from: fields.from,
            until: fields.until,
            scope,
            bytes: bytes.to_vec(),
        })
    }

    /// Its signature holds under this key.
    pub(super) fn holds(&self, key: &PKeyRef<Public>) -> bool {
        Signed::read(&self.bytes).is_ok_and(|signed| signed.holds(key))
    }

    /// The serial number (contents of the INTEGER) is on it. A list that cannot be read to its end lists everything.
    pub(super) fn lists(&self, serial: &[u8]) -> bool {
        self.scope != Scope::Indirect && self.search(serial).unwrap_or(true)
    }

    /// It speaks about everything that its issuer issued; being absent from it means something.
    pub(super) fn is_whole(&self) -> bool {
        self.scope == Scope::Whole
    }

    /// It was out and had not yet to be replaced.
    pub(super) fn is_current(&self, now: jiff::Timestamp) -> bool {
        self.from.is_some_and(|from| from <= now) && self.until.is_some_and(|until| now <= until)
    }

    fn search(&self, serial: &[u8]) -> Result<bool, DerError> {
        let serial = trimmed(serial);
        let Some(list) = Fields::read(Signed::read(&self.bytes)?.tbs)?.revoked else { return Ok(false) };
        let mut list = list.reader();
        while !list.is_empty() {
            if trimmed(list.expect(0x30)?.reader().expect(0x02)?.content) == serial {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

struct Fields<'a> {
    issuer: &'a [u8],
    from: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    revoked: Option<Tlv<'a>>,
    extensions: Option<Tlv<'a>>,
}

impl<'a> Fields<'a> {
    fn read(tbs: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = der::only(tbs, 0x30)?.reader();
        fields.optional(0x02)?;
        fields.expect(0x30)?;
        let issuer = fields.expect(0x30)?.raw;
        let from = time(&fields.read_tlv()?);
        let until = match fields.peek() {
            Some(0x17 | 0x18) => time(&fields.read_tlv()?),
            _ => None,
        };
        let revoked = fields.optional(0x30)?;
        let extensions = fields.optional(0xa0)?;
        fields.end()?;
        Ok(Fields { issuer, from, until, revoked, extensions })
    }
}

/// Some issuers forget the leading zero of a serial number, or write one too many.
fn trimmed(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|b| **b == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

const AUTHORITY_KEY: &str = "2.5.29.35";
/// deltaCRLIndicator.
const DELTA: &str = "2.5.29.27";
const DISTRIBUTION_POINT: &str = "2.5.29.28";
/// indirectCRL [4] of IssuingDistributionPoint.
const INDIRECT: u32 = 0x84;
