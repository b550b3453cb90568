//! Evidence bundles: one zip that shows a court, or the recipient, what became of a dossier, and that is checked with the
//! network off by this program, or by `sha256sum` and `openssl` alone.
//!
//! ```text
//! 01-<run>/originals.json          names, sizes, SHA-256, BLAKE3 of what was handed in; never the originals
//! 01-<run>/identity.json           the verdict on the chip reading, hashes of its data groups; no name, number or face
//! 01-<run>/identity.sod            EF.SOD: the card issuer's signature over those hashes
//! 01-<run>/giay-to-01-….pdf        the sealed documents (giay-to: papers handed in; ket-qua: results)
//! 01-<run>/giay-to-01-….tlog-proof the log's receipt for the document of that name
//! 01-<run>/wallet-….receipt        a receiver's signed receipt; portal-….receipt: the portal's answers, unsigned
//! 01-<run>/journal.jsonl           the run's chain of the journal, to its end
//! batch-<run>.jsonl                the chain of the batch that a run was divided from
//! README.txt  SHA256SUMS           for people, and for `sha256sum -c`
//! claims/…                         keys and certificates, as claims: trust comes from outside
//! manifest.json  manifest.note     all of it listed, with what is missing and why; the station's signature over that
//! ```
//!
//! The same state of a station gives the same bytes: entries are sorted and stored, times are fixed, Ed25519 needs no dice,
//! and nothing of the clock goes in. `archive` is the zip, `manifest` the list and its signature, `gather` puts a bundle
//! together, `check` judges one: every entry against the manifest, each proof for itself, and that all of them speak of the
//! same SHA-256. What is absent never counts as proven: a bundle from which a receipt was taken is indeterminate at best.

pub mod archive;
pub mod card;
pub mod check;
pub mod gather;
pub mod identity;
pub mod journal;
pub mod manifest;

pub use check::{Report, Trust, check};
pub use gather::{Bundle, gather};
pub use manifest::{Manifest, Scope};

use crate::fault::Code;

/// Every code of this room.
pub const CODES: &[&[&Code]] =
    &[archive::CODES, manifest::CODES, &[&journal::BROKEN], check::CODES, gather::CODES];
