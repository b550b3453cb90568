//! What the log says later about a statement: that the paper was revoked, or superseded by another.
//!
//! A mark is a leaf of its own. It can be made from the older statement alone, without a time: whoever holds a receipt can
//! compute the leaf that would end it and look for it in a copy of the log, and nobody else learns which paper was meant.

use super::statement::{BAD_STATEMENT, MAX_STATEMENT, Statement};
use super::tree::{Hash, leaf_hash};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use serde::{Deserialize, Serialize};

/// What became of a paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does not hold any more, and nothing takes its place.
    Revoked,
    /// Another paper holds in its place.
    Superseded,
}

/// A statement about a statement. Its canonical form is JSON with keys in this (alphabetical) order and no spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The entry of the older statement ([`Statement::entry`]).
    pub entry: Sha256,
    /// The salt of the older statement: only who holds its receipt can make or recognise the mark.
    pub salt: String,
    /// SHA-256 of the document that it is about.
    pub sha256: Sha256,
    /// What became of it.
    pub status: Status,
    /// Always 1.
    pub v: u8,
}

impl Mark {
    /// The mark that says this of that statement.
    pub fn of(statement: &Statement, status: Status) -> Mark {
        let entry = Sha256(statement.entry());
        Mark { entry, salt: statement.salt.clone(), sha256: statement.sha256, status, v: 1 }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads canonical bytes and no other spelling of the same mark.
    ///
    /// # Errors
    /// [`BAD_STATEMENT`].
    pub fn parse(bytes: &[u8]) -> Outcome<Mark> {
        let bad = |why: &str| Fault::new(&BAD_STATEMENT).detail(why);
        if bytes.len() > MAX_STATEMENT {
            return Err(bad("too long"));
        }
        let mark: Mark = serde_json::from_slice(bytes).map_err(|_| bad("not a mark"))?;
        let canonical = mark.v == 1 && mark.to_bytes() == bytes;
        if canonical { Ok(mark) } else { Err(bad("not in canonical form")) }
    }

    /// What is stored in the log: SHA-256 of the canonical bytes.
    pub fn entry(&self) -> Hash {
        Sha256::of(&self.to_bytes()).0
    }

    /// SHA-256(0x00 ‖ entry).
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digests;
    use crate::log::note::Signer;
    use crate::log::statement::tests::facts;

    #[test]
    fn a_mark_follows_from_the_receipt_and_from_nothing_public() {
        let (one, two) = (Signer::generate("a").unwrap(), Signer::generate("a").unwrap());
        let document = Digests::of(b"paper");
        let statement = Statement::new(&document, &facts(), &one).unwrap();
        let mark = Mark::of(&statement, Status::Revoked);
        assert_eq!(Mark::parse(&mark.to_bytes()).unwrap(), mark);
        assert_ne!(mark.leaf(), Mark::of(&statement, Status::Superseded).leaf());
        let other = Statement::new(&document, &facts(), &two).unwrap();
        assert_ne!(mark.leaf(), Mark::of(&other, Status::Revoked).leaf());
    }

    #[test]
    fn no_other_spelling_of_a_mark_is_read_and_no_statement_is_one() {
        let signer = Signer::generate("a").unwrap();
        let statement = Statement::new(&Digests::of(b"paper"), &facts(), &signer).unwrap();
        let text = String::from_utf8(Mark::of(&statement, Status::Superseded).to_bytes()).unwrap();
        for bad in [
            text.replace(':', ": "),
            text.replace("\"v\":1", "\"v\":2"),
            text.replace("superseded", "valid"),
            text.replace("\"v\":1", "\"v\":1,\"x\":1"),
        ] {
            assert_eq!(Mark::parse(bad.as_bytes()).unwrap_err().code.id, "LOG-005", "{bad}");
        }
        assert!(Mark::parse(&statement.to_bytes()).is_err());
        assert!(Statement::parse(text.as_bytes()).is_err());
    }
}
