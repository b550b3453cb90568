//! Receipts: `c2sp.org/tlog-proof@v1` texts that prove, without a server, that a document is in a log.
//!
//! The `extra` line carries the salted statement. It is unauthenticated by the format, and authenticated here all the
//! same: its hash is the leaf that the inclusion proof starts from.

use super::check::{Later, Policy, judge};
use super::note::VerifierKey;
pub use super::outcome::{ReceiptOutcome, ReceiptVerdict};
use super::proof::{Proof, Stamp};
use super::statement::Statement;
use super::tree::Hash;
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};

/// Longest receipt that is read.
pub const MAX_RECEIPT: usize = 128 * 1024;

/// A receipt, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The statement that was logged.
    pub statement: Statement,
    /// When that was at the latest.
    pub stamp: Stamp,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl Receipt {
    /// The text that is handed over, by convention in a file `*.tlog-proof`.
    pub fn to_text(&self) -> String {
        let proof = Proof {
            logged: self.statement.to_bytes(),
            stamp: self.stamp.clone(),
            index: self.index,
            path: self.path.clone(),
            checkpoint: self.checkpoint.clone(),
        };
        proof.to_text()
    }

    /// Reads a receipt, strictly.
    ///
    /// # Errors
    /// [`BAD_RECEIPT`].
    pub fn parse(text: &str) -> Outcome<Receipt> {
        let Proof { logged, stamp, index, path, checkpoint } = Proof::parse(text)?;
        let statement =
            Statement::parse(&logged).map_err(|_| Fault::new(&BAD_RECEIPT).detail("the statement"))?;
        Ok(Receipt { statement, stamp, index, path, checkpoint })
    }
}

/// Judges a receipt for a document under the log keys that the verifier trusts. Needs nothing else, and says what it could
/// not look at; [`judge`] also weighs time stamps, witnesses and what the log said later.
pub fn verify(receipt: &str, document: &Digests, keys: &[VerifierKey]) -> ReceiptVerdict {
    judge(receipt, document, &Policy::of(keys), &Later::default())
}

/// A receipt that is none.
pub const BAD_RECEIPT: Code = Code {
    id: "LOG-007",
    class: Class::Input,
    vi: "Biên nhận hỏng hoặc không đúng định dạng",
    en: "the receipt is damaged or malformed",
    remedy_vi: "Lấy lại tệp .tlog-proof từ nơi đã phát hành",
    remedy_en: "fetch the .tlog-proof file again from where it was issued",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::note::{Checkpoint, Signer};
    use crate::log::statement::tests::facts;
    use crate::log::tree::{inclusion_proof, root, tests::Leaves};

    fn receipts(count: usize) -> (Signer, Vec<(Digests, Receipt)>) {
        let signer = Signer::generate("h49.vn/log").unwrap();
        let documents: Vec<Digests> =
            (0..count).map(|i| Digests::of(format!("paper {i}").as_bytes())).collect();
        let statements: Vec<Statement> =
            documents.iter().map(|d| Statement::new(d, &facts(), &signer).unwrap()).collect();
        let leaves = Leaves(statements.iter().map(Statement::leaf).collect());
        let size = count as u64;
        let head = Checkpoint { origin: signer.name().into(), size, root: root(&leaves, size).unwrap() };
        let checkpoint = signer.sign(&head.text()).unwrap();
        let receipts =
            documents.into_iter().zip(statements).zip(0..).map(|((document, statement), index)| {
                let path = inclusion_proof(&leaves, index, size).unwrap();
                (
                    document,
                    Receipt { statement, stamp: Stamp::None, index, path, checkpoint: checkpoint.clone() },
                )
            });
        let receipts = receipts.collect();
        (signer, receipts)
    }

    #[test]
    fn every_receipt_proves_its_own_document_and_no_other() {
        let (signer, receipts) = receipts(19);
        let keys = [signer.verifier()];
        for (i, (document, receipt)) in receipts.iter().enumerate() {
            let text = receipt.to_text();
            assert_eq!(Receipt::parse(&text).unwrap(), *receipt);
            assert_eq!(verify(&text, document, &keys).outcome, ReceiptOutcome::Proven);
            let other = &receipts[(i + 1) % 19].0;
            assert_eq!(verify(&text, other, &keys).outcome, ReceiptOutcome::AlteredDocument);
            let mixed = Digests { size: document.size + 1, ..*document };
            assert_eq!(verify(&text, &mixed, &keys).outcome, ReceiptOutcome::NotThisDocument);
        }
    }

    #[test]
    fn strangers_forgers_and_wrong_paths_are_told_apart() {
        let (signer, receipts) = receipts(5);
        let (document, receipt) = &receipts[2];
        let text = receipt.to_text();
        let stranger = Signer::generate("h49.vn/log").unwrap();
        assert_eq!(verify(&text, document, &[]).outcome, ReceiptOutcome::UnknownLogKey);
        assert_eq!(verify(&text, document, &[stranger.verifier()]).outcome, ReceiptOutcome::UnknownLogKey);
        let moved = Receipt { index: 3, ..receipt.clone() };
        assert_eq!(verify(&moved.to_text(), document, &[signer.verifier()]).outcome, ReceiptOutcome::BadPath);
        let grown = receipt.checkpoint.replace("\n5\n", "\n6\n");
        let grown = Receipt { checkpoint: grown, ..receipt.clone() };
        assert_eq!(
            verify(&grown.to_text(), document, &[signer.verifier()]).outcome,
            ReceiptOutcome::BadSignature
        );
    }

    #[test]
    fn no_changed_bit_of_a_receipt_leaves_it_proven() {
        let (signer, receipts) = receipts(6);
        let (document, receipt) = &receipts[4];
        let keys = [signer.verifier()];
        let text = receipt.to_text().into_bytes();
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[place] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(changed) else { continue };
                assert_ne!(
                    verify(&changed, document, &keys).outcome,
                    ReceiptOutcome::Proven,
                    "byte {place} bit {bit}"
                );
            }
            assert_ne!(
                verify(&String::from_utf8_lossy(&text[..place]), document, &keys).outcome,
                ReceiptOutcome::Proven,
                "cut at {place}"
            );
        }
    }

    #[test]
    fn a_key_of_another_log_does_not_vouch_for_this_one() {
        let (signer, receipts) = receipts(3);
        let (document, receipt) = &receipts[0];
        let head = Checkpoint { origin: "other.vn/log".into(), size: 3, root: [0; 32] };
        let forged = Receipt { checkpoint: signer.sign(&head.text()).unwrap(), ..receipt.clone() };
        assert_eq!(
            verify(&forged.to_text(), document, &[signer.verifier()]).outcome,
            ReceiptOutcome::UnknownLogKey
        );
    }
}
