//! Receipts: `c2sp.org/tlog-proof@v1` texts that prove, without a server, that a document is in a log.
//!
//! The `extra` line carries the salted statement. It is unauthenticated by the format, and authenticated here all the
//! same: its hash is the leaf that the inclusion proof starts from.

use super::note::{Checkpoint, Note, Signed, VerifierKey, decimal};
use super::statement::{MAX_STATEMENT, Statement};
use super::tree::{Hash, root_of_inclusion};
use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Longest receipt that is read.
pub const MAX_RECEIPT: usize = 128 * 1024;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A receipt, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The statement that was logged.
    pub statement: Statement,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// What a receipt is worth for a document; each outcome has its own sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptOutcome {
    /// This document, byte for byte, is in the log.
    Proven,
    /// The receipt is good, and the file is not what was logged.
    AlteredDocument,
    /// The statement contradicts itself about the document: one digest fits and another does not.
    NotThisDocument,
    /// No trusted key signed the checkpoint.
    UnknownLogKey,
    /// The checkpoint claims a trusted key and is not signed by it.
    BadSignature,
    /// The proof does not lead from the statement to the signed root.
    BadPath,
    /// It is no receipt.
    Malformed,
}

impl ReceiptOutcome {
    /// The sentence, Vietnamese.
    pub fn vi(self) -> &'static str {
        match self {
            ReceiptOutcome::Proven => "Tài liệu này đã được ghi vào nhật ký minh bạch và chưa bị thay đổi",
            ReceiptOutcome::AlteredDocument => {
                "Biên nhận đúng nhưng tài liệu đã bị thay đổi hoặc là tài liệu khác"
            }
            ReceiptOutcome::NotThisDocument => "Biên nhận mâu thuẫn với tài liệu này, không dùng được",
            ReceiptOutcome::UnknownLogKey => "Không có khóa tin cậy nào ký biên nhận này",
            ReceiptOutcome::BadSignature => "Chữ ký của nhật ký trên biên nhận không đúng",
            ReceiptOutcome::BadPath => "Bằng chứng trong biên nhận không khớp với nhật ký đã ký",
            ReceiptOutcome::Malformed => "Biên nhận hỏng hoặc không đúng định dạng",
        }
    }

    /// The sentence, English.
    pub fn en(self) -> &'static str {
        match self {
            ReceiptOutcome::Proven => "this document was logged and has not been changed since",
            ReceiptOutcome::AlteredDocument => {
                "the receipt is good but the document was altered or is another one"
            }
            ReceiptOutcome::NotThisDocument => "the receipt contradicts itself about this document",
            ReceiptOutcome::UnknownLogKey => "no trusted log key signed this receipt",
            ReceiptOutcome::BadSignature => "the log's signature on this receipt is not good",
            ReceiptOutcome::BadPath => "the proof in this receipt does not lead to the signed log",
            ReceiptOutcome::Malformed => "the receipt is damaged or malformed",
        }
    }
}

/// The outcome with what was read on the way. Figures are claims unless the outcome is `Proven` or `AlteredDocument`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptVerdict {
    /// The judgement.
    pub outcome: ReceiptOutcome,
    /// [`ReceiptOutcome::vi`].
    pub vi: &'static str,
    /// [`ReceiptOutcome::en`].
    pub en: &'static str,
    /// The log's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Size of the log at its checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What the office stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// What this judgement did not look at.
    pub not_checked: Vec<&'static str>,
}

impl Receipt {
    /// The text that is handed over, by convention in a file `*.tlog-proof`.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nextra {}\n", STANDARD.encode(self.statement.to_bytes()));
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a receipt, strictly.
    ///
    /// # Errors
    /// [`BAD_RECEIPT`].
    pub fn parse(text: &str) -> Outcome<Receipt> {
        let bad = |why: &str| Fault::new(&BAD_RECEIPT).detail(why);
        if text.len() > MAX_RECEIPT {
            return Err(bad("too long"));
        }
        let (proof, checkpoint) = text.split_once("\n\n").ok_or_else(|| bad("no empty line"))?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(bad("not a tlog-proof@v1"));
        }
        let extra = lines.next().and_then(|l| l.strip_prefix("extra ")).ok_or_else(|| bad("no statement"))?;
        if extra.len() > MAX_STATEMENT * 2 {
            return Err(bad("statement too long"));
        }
        let extra = STANDARD.decode(extra).map_err(|_| bad("the statement's base64"))?;
        let statement = Statement::parse(&extra).map_err(|_| bad("the statement"))?;
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| bad("no index"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == 64 {
                return Err(bad("path too long"));
            }
            let hash = STANDARD.decode(line).ok().and_then(|h| h.try_into().ok());
            path.push(hash.ok_or_else(|| bad("a hash of the path"))?);
        }
        Note::parse(checkpoint)
            .and_then(|n| Checkpoint::parse(n.text()))
            .map_err(|_| bad("the checkpoint"))?;
        Ok(Receipt { statement, index, path, checkpoint: checkpoint.to_owned() })
    }
}

/// Judges a receipt for a document under the log keys that the verifier trusts. Needs nothing else.
pub fn verify(receipt: &str, document: &Digests, keys: &[VerifierKey]) -> ReceiptVerdict {
    let verdict = |outcome: ReceiptOutcome| ReceiptVerdict {
        outcome,
        vi: outcome.vi(),
        en: outcome.en(),
        origin: None,
        index: None,
        size: None,
        statement: None,
        not_checked: NOT_CHECKED.to_vec(),
    };
    let Ok(receipt) = Receipt::parse(receipt) else { return verdict(ReceiptOutcome::Malformed) };
    let Ok(note) = Note::parse(&receipt.checkpoint) else { return verdict(ReceiptOutcome::Malformed) };
    let Ok(head) = Checkpoint::parse(note.text()) else { return verdict(ReceiptOutcome::Malformed) };
    let outcome = judge(&receipt, &note, &head, document, keys);
    ReceiptVerdict {
        origin: Some(head.origin),
        index: Some(receipt.index),
        size: Some(head.size),
        statement: Some(receipt.statement),
        ..verdict(outcome)
    }
}

fn judge(
    receipt: &Receipt,
    note: &Note,
    head: &Checkpoint,
    document: &Digests,
    keys: &[VerifierKey],
) -> ReceiptOutcome {
    let mut signed = Signed::UnknownKey;
    for key in keys.iter().filter(|k| k.name() == head.origin) {
        match note.signed_by(key) {
            Signed::Bad => return ReceiptOutcome::BadSignature,
            Signed::By => signed = Signed::By,
            Signed::UnknownKey => {}
        }
    }
    if signed != Signed::By {
        return ReceiptOutcome::UnknownLogKey;
    }
    let leaf = receipt.statement.leaf();
    if root_of_inclusion(&leaf, receipt.index, head.size, &receipt.path) != Some(head.root) {
        return ReceiptOutcome::BadPath;
    }
    let about = &receipt.statement;
    if about.is_about(document) {
        ReceiptOutcome::Proven
    } else if about.sha256 == document.sha256 || about.blake3 == document.blake3 {
        ReceiptOutcome::NotThisDocument
    } else {
        ReceiptOutcome::AlteredDocument
    }
}

/// What a receipt alone cannot tell.
const NOT_CHECKED: [&str; 3] = [
    "whether the log showed others a different tree (no witness)",
    "the time of logging (no time stamp token)",
    "whether a newer document supersedes this one",
];

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
    use crate::log::note::Signer;
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
                (document, Receipt { statement, index, path, checkpoint: checkpoint.clone() })
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
