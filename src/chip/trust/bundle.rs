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
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
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

/// Where a certificate's bytes are.
pub(super) struct Slice {
    store: Store,
    at: usize,
    length: usize,
}

#[derive(Clone)]
enum Store {
    Memory(Arc<Vec<u8>>),
    /// Stays the one that was opened when another takes its name.
    File(Arc<File>),
}

impl Slice {
    /// A whole certificate in memory.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Slice { at: 0, length: bytes.len(), store: Store::Memory(Arc::new(bytes)) }
    }

    /// The bytes; none where the file no longer has them.
    pub(super) fn get(&self) -> Vec<u8> {
        match &self.store {
            Store::Memory(all) => {
                all.get(self.at..self.at.saturating_add(self.length)).unwrap_or_default().to_vec()
            }
            Store::File(file) => {
                let mut bytes = vec![0; self.length];
                let read = file.read_exact_at(&mut bytes, self.at as u64);
                read.map_or_else(|_| Vec::new(), |()| bytes)
            }
        }
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
        if Sha256::of(&bytes) != self.sha256 {
            return None;
        }
        let anchor = Anchor::read(file, &bytes).ok()?;
        let said = Row::of(&anchor, Slice::of(Vec::new()))?;
        ((said.name, said.key_id, said.key) == (self.name, self.key_id, self.key)).then_some(anchor)
    }
}

/// A bundle's bytes; fills in the number of certificates and the digest of the index.
pub(super) fn write(mut provenance: Provenance, anchors: &[(Anchor, &[u8])]) -> Option<Vec<u8>> {
    let mut sorted: Vec<&(Anchor, &[u8])> = anchors.iter().collect();
    sorted.sort_by_key(|(anchor, _)| anchor.sha256);
    let (mut index, mut certificates) = (Vec::new(), Vec::new());
    for (anchor, bytes) in sorted {
        let row = Row::of(anchor, Slice::of(Vec::new()))?;
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

/// The provenance and the rows of a bundle in memory; an English reason where it is damaged.
pub(super) fn read(bytes: Vec<u8>) -> Result<(Provenance, Vec<Row>), &'static str> {
    let bytes = Arc::new(bytes);
    read_index(&mut bytes.as_slice(), bytes.len(), &Store::Memory(Arc::clone(&bytes)))
}

/// The same of a file, which is read no further than its index: its certificates when they are asked for.
pub(super) fn open(file: File, size: usize) -> Result<(Provenance, Vec<Row>), &'static str> {
    let file = Arc::new(file);
    read_index(&mut BufReader::with_capacity(BUFFER, &*file), size, &Store::File(Arc::clone(&file)))
}

fn read_index(
    from: &mut impl BufRead,
    size: usize,
    store: &Store,
) -> Result<(Provenance, Vec<Row>), &'static str> {
    let mut format = [0; FORMAT.len()];
    from.read_exact(&mut format).ok().filter(|()| format == FORMAT).ok_or("another format")?;
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|_| "cut off")?;
    let provenance: Provenance = serde_json::from_slice(&line).map_err(|_| "no provenance")?;
    let head = FORMAT.len() + line.len();
    let base = provenance.certificates.checked_mul(ROW).and_then(|rows| rows.checked_add(head));
    let base = base.filter(|base| *base <= size && line.ends_with(b"\n")).ok_or("cut off")?;
    let mut index = vec![0; base - head];
    from.read_exact(&mut index).map_err(|_| "cut off")?;
    if Sha256::of(&index) != provenance.index_sha256 {
        return Err("the index is not the one that was written");
    }
    let mut rows = Vec::with_capacity(provenance.certificates);
    for row in index.as_chunks::<ROW>().0 {
        let part = |at: usize| -> Mark { row[at..at + 16].try_into().unwrap_or_default() };
        let number = |at: usize| row[at..at + 4].iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        let (at, length) = (base.saturating_add(number(80)), number(84));
        if at.checked_add(length).is_none_or(|end| end > size) {
            return Err("cut off");
        }
        rows.push(Row {
            sha256: Sha256(row[..32].try_into().unwrap_or([0; 32])),
            name: part(32),
            key_id: part(48),
            key: part(64),
            bytes: Slice { store: store.clone(), at, length },
        });
    }
    Ok((provenance, rows))
}

/// More than the line and half of a large index need.
const BUFFER: usize = 32 << 10;
const LONGEST_LINE: u64 = 1 << 20;
const FORMAT: &[u8] = b"hoso anchors 1\n";
/// Three marks, a digest, two numbers of 32 bits.
const ROW: usize = 32 + 3 * 16 + 8;
