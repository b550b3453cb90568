//! Receipts as COSE: a receipt of inclusion for RFC9162_SHA256 (RFC 9942, section 5.2), which other people's tools read.
//!
//! It is a COSE_Sign1 by the log's key over the Merkle root, which is left out: whoever checks it computes the root from the
//! entry and the path. The entry is the 32 bytes that were logged, SHA-256 of the statement. The receipt does not carry them;
//! the `.tlog-proof` beside it has the statement. The tree size only steers the path and is not under this signature, here
//! as in the RFC; it is under the checkpoint's.

use super::note::Signer;
use super::receipt::{BAD_RECEIPT, Receipt};
use super::store::history::Head;
use super::tree::root_of_inclusion;
use crate::cose::{self, Cbor, Payload};
use crate::fault::{Fault, Outcome};

/// Header parameters and their values: RFC 9052, 3.1; RFC 9053, 2.2; RFC 9942, 2 and 5.
const ALG: i64 = 1;
const EDDSA: i64 = -8;
const KID: i64 = 4;
const VDS: i64 = 395;
const RFC9162_SHA256: i64 = 1;
const VDP: i64 = 396;
const INCLUSION: i64 = -1;

/// The same proof as `receipt`, as bytes of `application/cose`. Its key id is the beginning of the verifier key line up to the
/// key, `name+id`. In a log of one leaf the path is an empty list, as RFC 9162, 2.1.3.1 has it.
///
/// # Errors
/// [`super::store::OTHER_ORIGIN`] where `signer` did not sign the receipt's checkpoint, and [`BAD_RECEIPT`] where the receipt
/// does not lead to that checkpoint's root: no root is signed that was not signed before. [`super::note::KEY_REFUSED`].
pub fn of(receipt: &Receipt, signer: &Signer) -> Outcome<Vec<u8>> {
    let key = signer.verifier();
    let head = Head::read(&receipt.checkpoint, &key)?.checkpoint;
    let root = root_of_inclusion(&receipt.statement.leaf(), receipt.index, head.size, &receipt.path);
    let root = root.filter(|root| *root == head.root).ok_or_else(|| bad("the path"))?;
    let uint = |number: u64| i64::try_from(number).map(Cbor::int).map_err(|_| bad("a number"));
    let path: Vec<Cbor> = receipt.path.iter().map(|hash| Cbor::bytes(hash)).collect();
    let proof = Cbor::list(&[uint(head.size)?, uint(receipt.index)?, Cbor::list(&path)]);
    let proofs = Cbor::list(&[Cbor::bytes(proof.as_bytes())]);
    let protected = Cbor::map(&[
        (Cbor::int(ALG), Cbor::int(EDDSA)),
        (Cbor::int(KID), Cbor::bytes(key.label().as_bytes())),
        (Cbor::int(VDS), Cbor::int(RFC9162_SHA256)),
    ]);
    let unprotected = Cbor::map(&[(Cbor::int(VDP), Cbor::map(&[(Cbor::int(INCLUSION), proofs)]))]);
    cose::sign1(&protected, &unprotected, Payload::Detached(&root), |bytes| signer.raw_signature(bytes))
}

fn bad(why: &str) -> Fault {
    Fault::new(&BAD_RECEIPT).detail(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digests;
    use crate::log::note::{Checkpoint, VerifierKey};
    use crate::log::proof::Stamp;
    use crate::log::statement::{Statement, tests::facts};
    use crate::log::tree::{Hash, inclusion_proof, leaf_hash, root, tests::Leaves};
    use openssl::pkey::{Id, PKey};
    use openssl::sign::Verifier;

    fn receipts(count: usize) -> (Signer, Vec<Receipt>) {
        let signer = Signer::generate("h49.vn/log").unwrap();
        let statement = |i| Statement::new(&Digests::of(format!("paper {i}").as_bytes()), &facts(), &signer);
        let statements: Vec<Statement> = (0..count).map(|i| statement(i).unwrap()).collect();
        let leaves = Leaves(statements.iter().map(Statement::leaf).collect());
        let size = count as u64;
        let head = Checkpoint { origin: signer.name().into(), size, root: root(&leaves, size).unwrap() };
        let checkpoint = signer.sign(&head.text()).unwrap();
        let receipt = |(statement, index)| {
            let path = inclusion_proof(&leaves, index, size).unwrap();
            Receipt { statement, stamp: Stamp::None, index, path, checkpoint: checkpoint.clone() }
        };
        let receipts = statements.into_iter().zip(0..).map(receipt).collect();
        (signer, receipts)
    }

    fn holds(key: &VerifierKey, protected: &[u8], root: &Hash, signature: &[u8]) -> bool {
        let line = key.to_string();
        let raw = openssl::base64::decode_block(line.splitn(3, '+').last().unwrap()).unwrap();
        let key = PKey::public_key_from_raw_bytes(&raw[1..], Id::ED25519).unwrap();
        let mut verifier = Verifier::new_without_digest(&key).unwrap();
        verifier.verify_oneshot(signature, &cose::to_be_signed(protected, root)).unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc_and_the_signature_is_over_the_root_of_the_entry() {
        let (signer, receipts) = receipts(3);
        let receipt = &receipts[2];
        let bytes = of(receipt, &signer).unwrap();
        let label = signer.verifier().label();
        // {1: -8, 4: label, 395: 1}
        let protected =
            [&[0xa3, 1, 0x27, 4, 0x40 + label.len() as u8], label.as_bytes(), &[0x19, 1, 0x8b, 1]].concat();
        // {396: {-1: [<<[3, 2, [32 bytes]]>>]}}, nil
        let unprotected = [
            &[0xa1, 0x19, 1, 0x8c, 0xa1, 0x20, 0x81, 0x58, 38, 0x83, 3, 2, 0x81, 0x58, 32],
            &receipt.path[0][..],
        ];
        let start =
            [&[0xd2, 0x84, 0x58, protected.len() as u8], &protected[..], &unprotected.concat()].concat();
        let (front, signature) = bytes.split_at(bytes.len() - 64);
        assert_eq!(hex::encode(front), hex::encode([&start[..], &[0xf6, 0x58, 64]].concat()));
        let leaf = leaf_hash(&receipt.statement.entry());
        let root = root_of_inclusion(&leaf, 2, 3, &receipt.path).unwrap();
        let key = signer.verifier();
        assert!(holds(&key, &protected, &root, signature));
        assert!(!holds(&key, &protected, &leaf, signature));
        assert!(!holds(&key, &protected[1..], &root, signature));
    }

    #[test]
    fn the_only_leaf_has_an_empty_path_and_is_its_own_root() {
        let (signer, receipts) = receipts(1);
        let bytes = of(&receipts[0], &signer).unwrap();
        let proof = [0x81, 0x44, 0x83, 1, 0, 0x80, 0xf6];
        assert!(bytes.windows(proof.len()).any(|window| window == proof));
    }

    #[test]
    fn no_root_is_signed_that_the_log_did_not_sign_before() {
        let (signer, receipts) = receipts(5);
        let receipt = &receipts[3];
        let moved = Receipt { index: 2, ..receipt.clone() };
        let longer = Receipt { path: [&receipt.path[..], &[[0; 32]]].concat(), ..receipt.clone() };
        let other = Receipt { statement: receipts[0].statement.clone(), ..receipt.clone() };
        for wrong in [moved, longer, other] {
            assert_eq!(of(&wrong, &signer).unwrap_err().code.id, "LOG-007");
        }
        let stranger = Signer::generate("h49.vn/log").unwrap();
        assert_eq!(of(receipt, &stranger).unwrap_err().code.id, "LOG-014");
        let grown = Receipt { checkpoint: receipt.checkpoint.replace("\n5\n", "\n7\n"), ..receipt.clone() };
        assert_eq!(of(&grown, &signer).unwrap_err().code.id, "LOG-014");
    }
}
