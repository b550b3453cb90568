//! Notices: the receipts of marks. One given beside a paper's receipt says offline that the paper was revoked or superseded.

use super::mark::Mark;
use super::proof::{Proof, Stamp};
use super::receipt::BAD_RECEIPT;
use super::tree::Hash;
use crate::fault::{Fault, Outcome};

/// A notice, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The mark that was logged.
    pub mark: Mark,
    /// When that was at the latest.
    pub stamp: Stamp,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl Notice {
    /// The text that is handed over, by convention in a file `*.tlog-proof`.
    pub fn to_text(&self) -> String {
        let proof = Proof {
            logged: self.mark.to_bytes(),
            stamp: self.stamp.clone(),
            index: self.index,
            path: self.path.clone(),
            checkpoint: self.checkpoint.clone(),
        };
        proof.to_text()
    }

    /// Reads a notice, strictly.
    ///
    /// # Errors
    /// [`BAD_RECEIPT`].
    pub fn parse(text: &str) -> Outcome<Notice> {
        let Proof { logged, stamp, index, path, checkpoint } = Proof::parse(text)?;
        let mark = Mark::parse(&logged).map_err(|_| Fault::new(&BAD_RECEIPT).detail("the mark"))?;
        Ok(Notice { mark, stamp, index, path, checkpoint })
    }
}
