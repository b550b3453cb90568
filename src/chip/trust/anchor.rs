//! One authority's certificate.

use super::rules::COUNTRY;
use crate::cms::KeyFacts;
use crate::cms::certificate::{Parts, Signed, name_key, name_part};
use crate::cms::key::KeyError;
use crate::der::DerError;
use crate::digest::Sha256;
use openssl::pkey::{PKey, Public};

/// A country signing certificate and where it came from.
pub struct Anchor {
    /// Its file's name.
    pub file: String,
    /// Digest of its DER.
    pub sha256: Sha256,
    /// Its fields.
    pub parts: Parts,
    /// How strong its key is.
    pub facts: KeyFacts,
    pub(super) key: PKey<Public>,
}

/// Why a certificate cannot be an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not a certificate in DER.
    #[error(transparent)]
    Malformed(#[from] DerError),
    /// No key that can be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What certificates are found by: a digest of a name, a key identifier or a key, cut short.
pub(super) type Mark = [u8; 16];

impl Anchor {
    /// Reads a certificate's DER. It is not judged.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, Unfit> {
        let parts = Parts::read(bytes)?;
        Signed::read(bytes)?;
        name_key(&parts.subject)?;
        let key = parts.public_key()?;
        let facts = KeyFacts::of_key(&key, parts.explicit_curve());
        Ok(Anchor { file: file.to_owned(), sha256: Sha256::of(bytes), parts, facts, key })
    }

    /// Its key made this signature.
    pub fn signed(&self, what: &Signed<'_>) -> bool {
        what.holds(&self.key)
    }

    /// The country in its subject.
    pub fn country(&self) -> Option<String> {
        name_part(&self.parts.subject, COUNTRY)
    }

    /// Its common name, or its organisation where it has none.
    pub fn name(&self) -> Option<String> {
        ["2.5.4.3", "2.5.4.11", "2.5.4.10"].iter().find_map(|oid| name_part(&self.parts.subject, oid))
    }
}

pub(super) fn mark(bytes: &[u8]) -> Mark {
    let mut mark = Mark::default();
    mark.copy_from_slice(&Sha256::of(bytes).0[..16]);
    mark
}

/// The mark of a Name, the same for names that compare equal.
pub(super) fn name_mark(name: &[u8]) -> Option<Mark> {
    name_key(name).ok().map(|key| mark(key.as_bytes()))
}
