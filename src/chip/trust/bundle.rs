//! The certificates of one imported list in one file, with an index, so that a start reads no certificate it does
//! not need.
//!
//! ```text
//! hoso anchors 1                     the format
//! {"list_sha256": ..., ...}          where the list came from, one line of JSON
//! <rows>                             one of 88 bytes a certificate, sorted by digest
//! <certificates>                     DER, end to end
//! ```
//! A row is SHA-256 of the certificate, marks of subject, subject key identifier and key, offset among the
//! certificates and length (big endian). The index is a convenience: a row counts only where the bytes it points to
//! have its digest and say of themselves what the row says of them.

use super::anchor::{Anchor, Mark, mark, name_mark};
use crate::digest::Sha256;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where an imported list came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// SHA-256 of the list as received.
    pub list_sha256: Sha256,
    /// When its publisher signed it.
    pub signed_at: jiff::Timestamp,
    /// The publisher: subject of the pinned root, for people.
    pub publisher: String,
    /// Whose certificate signed the list, for people.
    pub signer: String,
    /// SHA-256 of that certificate.
    pub signer_sha256: Sha256,
    /// SHA-256 of the pinned root.
    pub root_sha256: Sha256,
    /// When it was imported here.
    pub imported_at: jiff::Timestamp,
    /// By which command.
    pub command: String,
    /// Certificates that can be used.
    pub certificates: usize,
    /// Certificates of the list that cannot, and why.
    pub refused: Vec<Refused>,
    /// SHA-256 of the rows.
    pub index_sha256: Sha256,
}

/// A certificate of a list that cannot be an anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// SHA-256 of its DER.
    pub sha256: Sha256,
    /// Its country, where that can be read.
    pub country: Option<String>,
    /// Its name, where that can be read.
    pub name: Option<String>,
    /// Why not, English.
    pub why: String,
}

/// A certificate that is found by its marks and read when it is asked for.
pub(super) struct Row {
    pub(super) sha256: Sha256,
    pub(super) name: Mark,
    /// All zeros without a subject key identifier.
    pub(super) key_id: Mark,
    pub(super) key: Mark,
    pub(super) bytes: Slice,
}

/// A part of bytes that many share.
pub(super) struct Slice {
    pub(super) all: Arc<Vec<u8>>,
    pub(super) at: usize,
    pub(super) length: usize,
}

impl Slice {
    pub(super) fn get(&self) -> &[u8] {
        self.all.get(self.at..self.at.saturating_add(self.length)).unwrap_or_default()
    }
}

impl Row {
    /// Of a certificate that was read.
    pub(super) fn of(anchor: &Anchor, bytes: Slice) -> Option<Self> {
        let name = name_mark(&anchor.parts.subject)?;
        let key_id = anchor.parts.subject_key_id().map_or(Mark::default(), mark);
        Some(Row { sha256: anchor.sha256, name, key_id, key: mark(&anchor.parts.spki), bytes })
    }

    /// The certificate, where its bytes are those that the row tells of.
    pub(super) fn read(&self, file: &str) -> Option<Anchor> {
        let bytes = self.bytes.get();
        if Sha256::of(bytes) != self.sha256 {
            return None;
        }
        let anchor = Anchor::read(file, bytes).ok()?;
        let said = Row::of(&anchor, Slice { all: Arc::default(), at: 0, length: 0 })?;
        ((said.name, said.key_id, said.key) == (self.name, self.key_id, self.key)).then_some(anchor)
    }
}

/// A bundle's bytes; fills in the number of certificates and the digest of the index.
pub(super) fn write(mut provenance: Provenance, anchors: &[(Anchor, &[u8])]) -> Option<Vec<u8>> {
    let mut sorted: Vec<&(Anchor, &[u8])> = anchors.iter().collect();
    sorted.sort_by_key(|(anchor, _)| anchor.sha256);
    let (mut index, mut certificates) = (Vec::new(), Vec::new());
    for (anchor, bytes) in sorted {
        let row = Row::of(anchor, Slice { all: Arc::default(), at: 0, length: 0 })?;
        index.extend_from_slice(&row.sha256.0);
        for mark in [row.name, row.key_id, row.key] {
            index.extend_from_slice(&mark);
        }
        index.extend_from_slice(&u32::try_from(certificates.len()).ok()?.to_be_bytes());
        index.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
        certificates.extend_from_slice(bytes);
    }
    provenance.certificates = anchors.len();
    provenance.index_sha256 = Sha256::of(&index);
    let line = serde_json::to_string(&provenance).ok()?;
    Some([FORMAT, line.as_bytes(), b"\n", &index, &certificates].concat())
}

/// The provenance and the rows of a bundle; an English reason where it is damaged.
pub(super) fn read(bytes: Vec<u8>) -> Result<(Provenance, Vec<Row>), &'static str> {
    let rest = bytes.strip_prefix(FORMAT).ok_or("another format")?;
    let end = rest.iter().position(|b| *b == b'\n').ok_or("no provenance")?;
    let provenance: Provenance = serde_json::from_slice(&rest[..end]).map_err(|_| "no provenance")?;
    let rest = &rest[end + 1..];
    let size =
        provenance.certificates.checked_mul(ROW).filter(|size| *size <= rest.len()).ok_or("cut off")?;
    let (index, certificates) = rest.split_at(size);
    if Sha256::of(index) != provenance.index_sha256 {
        return Err("the index is not the one that was written");
    }
    let base = bytes.len() - certificates.len();
    let all = Arc::new(bytes);
    let mut rows = Vec::with_capacity(provenance.certificates);
    for row in all[base - size..base].as_chunks::<ROW>().0 {
        let part = |at: usize| -> Mark { row[at..at + 16].try_into().unwrap_or_default() };
        let number = |at: usize| row[at..at + 4].iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        let (at, length) = (base.saturating_add(number(80)), number(84));
        if at.checked_add(length).is_none_or(|end| end > all.len()) {
            return Err("cut off");
        }
        rows.push(Row {
            sha256: Sha256(row[..32].try_into().unwrap_or([0; 32])),
            name: part(32),
            key_id: part(48),
            key: part(64),
            bytes: Slice { all: Arc::clone(&all), at, length },
        });
    }
    Ok((provenance, rows))
}

const FORMAT: &[u8] = b"hoso anchors 1\n";
/// Three marks, a digest, two numbers of 32 bits.
const ROW: usize = 32 + 3 * 16 + 8;
