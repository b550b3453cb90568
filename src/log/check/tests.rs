//! Receipts under every policy, with what the log said later beside them.

use super::*;
use crate::log::copy::LogCopy;
use crate::log::note::Signer;
use crate::log::outcome::Class;
use crate::log::statement::StatementFacts;
use crate::log::statement::tests::facts;
use crate::log::store::Log;
use crate::seal::authority::Authority;
use crate::seal::timestamp::{Request, check_reply};
use crate::seal::training::{Minted, Usage};
use jiff::Timestamp;
use std::path::Path;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    log: Log,
    tsa: Minted,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open_with(folder.path(), Signer::generate("h49.vn/log").unwrap()).unwrap().stamped(true);
    World { folder, log, tsa: Minted::new("ec", Usage::Stamp) }
}

fn document(i: usize) -> Digests {
    Digests::of(format!("paper {i}").as_bytes())
}

impl World {
    fn append(&self, range: std::ops::Range<usize>) -> Vec<Receipt> {
        let statements: Vec<_> = range.map(|i| self.log.statement(&document(i), &facts()).unwrap()).collect();
        self.log.append(&statements).unwrap()
    }

    fn anchor(&self) -> u64 {
        let note = Note::parse(&self.log.checkpoint().unwrap()).unwrap();
        let request = Request::new(&Sha256::of(note.text().as_bytes())).unwrap();
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(5);
        let reply = Authority::new(self.tsa.soft_key()).unwrap().reply(&request.der, at);
        let stamp = check_reply(&reply, &request).unwrap();
        self.log.keep_token(self.log.size(), &stamp.token).unwrap();
        self.log.size()
    }

    fn judge(&self, receipt: &str, document: &Digests) -> ReceiptVerdict {
        let (keys, roots) = ([self.log.verifier()], [self.tsa.root.clone()]);
        let policy = Policy { authorities: &roots, ..Policy::of(&keys) };
        judge(receipt, document, &policy, &Later::default())
    }

    fn copy(&self) -> LogCopy {
        LogCopy::open(self.folder.path(), &[self.log.verifier()]).unwrap()
    }
}

#[test]
fn a_receipt_awaits_its_stamp_and_passes_once_it_has_it() {
    let world = world();
    let early = world.append(0..3)[1].to_text();
    let verdict = world.judge(&early, &document(1));
    assert_eq!((verdict.outcome, verdict.result), (ReceiptOutcome::NotYetAnchored, Class::NotYetAnchored));
    assert_eq!(world.anchor(), 3);
    world.append(3..9);
    let receipt = world.log.prove(&document(1).sha256).unwrap();
    let verdict = world.judge(&receipt.to_text(), &document(1));
    assert_eq!((verdict.outcome, verdict.size), (ReceiptOutcome::Proven, Some(3)));
    assert!(verdict.stamped_at.is_some());
    // A leaf after the stamp waits for the next one.
    let late = world.log.prove(&document(5).sha256).unwrap();
    assert_eq!(world.judge(&late.to_text(), &document(5)).outcome, ReceiptOutcome::NotYetAnchored);
}

#[test]
fn a_stamp_of_another_head_of_a_stranger_or_none_is_not_taken() {
    let world = world();
    world.append(0..3);
    world.anchor();
    let receipt = world.log.prove(&document(1).sha256).unwrap();
    let elsewhere = self::world();
    elsewhere.append(0..4);
    elsewhere.anchor();
    let theirs = elsewhere.log.prove(&document(1).sha256).unwrap();
    let moved = Receipt { stamp: theirs.stamp, ..receipt.clone() };
    assert_eq!(world.judge(&moved.to_text(), &document(1)).outcome, ReceiptOutcome::BadStamp);
    let keys = [world.log.verifier()];
    let roots = [elsewhere.tsa.root.clone()];
    let strangers = Policy { authorities: &roots, ..Policy::of(&keys) };
    let verdict = judge(&receipt.to_text(), &document(1), &strangers, &Later::default());
    assert_eq!(verdict.outcome, ReceiptOutcome::NotYetAnchored);
    let bare = Receipt { stamp: Stamp::None, ..receipt.clone() };
    let wants = Policy { stamp: true, ..Policy::of(&keys) };
    assert_eq!(
        judge(&bare.to_text(), &document(1), &wants, &Later::default()).outcome,
        ReceiptOutcome::NotYetAnchored
    );
    let verdict = judge(&bare.to_text(), &document(1), &Policy::of(&keys), &Later::default());
    assert_eq!(verdict.outcome, ReceiptOutcome::Proven);
    assert!(verdict.not_checked.contains(&NO_STAMP) && verdict.not_checked.contains(&NO_NEWER));
    let unknown = judge(&receipt.to_text(), &document(1), &Policy::of(&keys), &Later::default());
    assert_eq!(unknown.outcome, ReceiptOutcome::Proven);
    assert!(unknown.not_checked.contains(&NO_AUTHORITY));
}

#[test]
fn a_stamp_without_its_certificate_counts_where_that_is_at_hand() {
    let world = world();
    world.append(0..3);
    world.anchor();
    let receipt = world.log.prove(&document(1).sha256).unwrap();
    let Stamp::Token(token) = &receipt.stamp else { panic!("no token") };
    let (bare, certificates) = without_certificates(token).unwrap();
    assert!(bare.len() < token.len() && !certificates.is_empty());
    assert_eq!(crate::log::store::certificates(world.folder.path()).unwrap().len(), certificates.len());
    let bare = Receipt { stamp: Stamp::Token(bare), ..receipt }.to_text();
    let (keys, roots) = ([world.log.verifier()], [world.tsa.root.clone()]);
    let policy = Policy { authorities: &roots, stamp: true, ..Policy::of(&keys) };
    let verdict = judge(&bare, &document(1), &policy, &Later::default());
    assert_eq!(verdict.outcome, ReceiptOutcome::NotYetAnchored);
    assert!(verdict.not_checked.contains(&NO_CERTIFICATE) && verdict.stamped_at.is_none());
    let policy = Policy { known: &certificates, ..policy };
    assert_eq!(judge(&bare, &document(1), &policy, &Later::default()).outcome, ReceiptOutcome::Proven);
    // To be at hand is not to be trusted.
    let stranger = Minted::new("ec", Usage::Stamp);
    let others = [stranger.root.clone()];
    let known = [&certificates[..], std::slice::from_ref(&world.tsa.root)].concat();
    let policy = Policy { authorities: &others, known: &known, ..policy };
    assert_eq!(
        judge(&bare, &document(1), &policy, &Later::default()).outcome,
        ReceiptOutcome::NotYetAnchored
    );
}

#[test]
fn no_changed_byte_of_a_stamped_and_witnessed_receipt_leaves_it_valid() {
    let world = world();
    world.append(0..6);
    world.anchor();
    let witness = Signer::generate("tinh.vn/nhan-chung").unwrap();
    let note = world.log.checkpoint().unwrap();
    let line = witness.cosign(Note::parse(&note).unwrap().text(), 1_790_000_000).unwrap();
    world.log.keep_cosignatures(&format!("{note}{line}"), &[witness.witness()]).unwrap();
    let text = world.log.prove(&document(4).sha256).unwrap().to_text();
    let (keys, roots, witnesses) = ([world.log.verifier()], [world.tsa.root.clone()], [witness.witness()]);
    let policy =
        Policy { authorities: &roots, witnesses: &witnesses, quorum: 1, stamp: true, ..Policy::of(&keys) };
    let verdict = judge(&text, &document(4), &policy, &Later::default());
    assert_eq!(verdict.outcome, ReceiptOutcome::Proven);
    assert_eq!(verdict.witnesses, [("tinh.vn/nhan-chung".to_owned(), 1_790_000_000)]);
    for place in 0..text.len() {
        for bit in [1u8, 4, 32] {
            let mut changed = text.clone().into_bytes();
            changed[place] ^= bit;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let outcome = judge(&changed, &document(4), &policy, &Later::default()).outcome;
            assert_ne!(outcome, ReceiptOutcome::Proven, "byte {place} bit {bit}");
        }
        let cut = judge(&text[..text.floor_char_boundary(place)], &document(4), &policy, &Later::default());
        assert_ne!(cut.outcome, ReceiptOutcome::Proven, "cut at {place}");
    }
}

#[test]
fn too_few_witnesses_and_forged_cosignatures_are_told() {
    let world = world();
    world.append(0..6);
    let (one, two) = (Signer::generate("a.vn/w").unwrap(), Signer::generate("b.vn/w").unwrap());
    let witnesses = [one.witness(), two.witness(), one.witness()];
    let note = world.log.checkpoint().unwrap();
    let line = one.cosign(Note::parse(&note).unwrap().text(), 5).unwrap();
    let forged = two.cosign("h49.vn/log\n6\nAAAA\n", 5).unwrap();
    let noted = world.log.keep_cosignatures(&format!("{note}{line}{forged}"), &witnesses).unwrap();
    assert!(noted.contains("a.vn/w") && !noted.contains("b.vn/w"));
    let receipt = world.log.prove(&document(4).sha256).unwrap();
    let bare = Receipt { stamp: Stamp::None, ..receipt };
    let keys = [world.log.verifier()];
    for (quorum, expected) in [(1, ReceiptOutcome::Proven), (2, ReceiptOutcome::NotYetWitnessed)] {
        let policy = Policy { witnesses: &witnesses, quorum, ..Policy::of(&keys) };
        assert_eq!(judge(&bare.to_text(), &document(4), &policy, &Later::default()).outcome, expected);
    }
    let lied = Receipt { checkpoint: format!("{}{forged}", bare.checkpoint), ..bare };
    let policy = Policy { witnesses: &witnesses, quorum: 1, ..Policy::of(&keys) };
    assert_eq!(
        judge(&lied.to_text(), &document(4), &policy, &Later::default()).outcome,
        ReceiptOutcome::BadSignature
    );
    // A log's key is no witness, and a witness's key signs no log.
    let own = [world.log.verifier()];
    let policy = Policy { witnesses: &own, quorum: 1, ..Policy::of(&keys) };
    let outcome = judge(&lied.to_text(), &document(4), &policy, &Later::default()).outcome;
    assert_eq!(outcome, ReceiptOutcome::NotYetWitnessed);
}

#[test]
fn revocation_is_found_in_a_copy_and_in_a_notice_and_by_nobody_who_has_neither() {
    let world = world();
    let receipts = world.append(0..700);
    world.anchor();
    let receipt = world.log.prove(&document(300).sha256).unwrap().to_text();
    let other = world.log.prove(&document(301).sha256).unwrap().to_text();
    let keys = [world.log.verifier()];
    let before = world.copy();
    let later = Later { log: Some(&before), newer: &[] };
    let verdict = judge(&receipt, &document(300), &Policy::of(&keys), &later);
    assert_eq!((verdict.outcome, verdict.unrevoked_at), (ReceiptOutcome::Proven, Some(700)));
    assert!(!verdict.not_checked.contains(&NO_NEWER));

    let notices = world.log.revoke(&document(300).sha256).unwrap();
    assert_eq!(world.log.revoke(&document(300).sha256).unwrap()[0].index, notices[0].index);
    assert_eq!(world.log.revoke(&document(9999).sha256).unwrap_err().code.id, "LOG-015");
    let after = world.copy();
    let later = Later { log: Some(&after), newer: &[] };
    assert_eq!(judge(&receipt, &document(300), &Policy::of(&keys), &later).outcome, ReceiptOutcome::Revoked);
    assert_eq!(judge(&other, &document(301), &Policy::of(&keys), &later).outcome, ReceiptOutcome::Proven);
    let newer = [notices[0].to_text()];
    let later = Later { log: None, newer: &newer };
    assert_eq!(judge(&receipt, &document(300), &Policy::of(&keys), &later).outcome, ReceiptOutcome::Revoked);
    let verdict = judge(&other, &document(301), &Policy::of(&keys), &later);
    assert_eq!(verdict.outcome, ReceiptOutcome::Proven);
    assert!(verdict.not_checked.contains(&NEWER_OTHER));
    // The notice itself in place of a receipt, and about another paper.
    assert_eq!(world.judge(&newer[0], &document(300)).outcome, ReceiptOutcome::Revoked);
    assert_eq!(world.judge(&newer[0], &document(301)).outcome, ReceiptOutcome::AlteredDocument);
    assert_eq!(world.judge(&receipt, &document(300)).outcome, ReceiptOutcome::Proven);
    assert_eq!(receipts.len(), 700);
}

#[test]
fn a_paper_that_takes_anothers_place_is_named_and_the_older_one_ends() {
    let world = world();
    world.append(0..5);
    world.anchor();
    let old = world.log.prove(&document(2).sha256).unwrap().to_text();
    let facts = StatementFacts { supersedes: Some(document(2).sha256), ..facts() };
    let new = world.log.append_document(&document(80), &facts).unwrap();
    assert_eq!((new.index, world.log.size()), (5, 7));
    let keys = [world.log.verifier()];
    let newer = [new.to_text()];
    let later = Later { log: None, newer: &newer };
    let verdict = judge(&old, &document(2), &Policy::of(&keys), &later);
    assert_eq!(verdict.outcome, ReceiptOutcome::Superseded);
    assert_eq!(verdict.superseded_by, Some(document(80).sha256));
    let copy = world.copy();
    let later = Later { log: Some(&copy), newer: &[] };
    assert_eq!(judge(&old, &document(2), &Policy::of(&keys), &later).outcome, ReceiptOutcome::Superseded);
    assert_eq!(
        judge(&newer[0], &document(80), &Policy::of(&keys), &later).outcome,
        ReceiptOutcome::NotYetAnchored
    );
    // Logged again it adds nothing.
    world.log.append_document(&document(80), &facts).unwrap();
    assert_eq!(world.log.size(), 7);
    world.log.revoke(&document(2).sha256).unwrap();
    let copy = world.copy();
    let later = Later { log: Some(&copy), newer: &newer };
    assert_eq!(judge(&old, &document(2), &Policy::of(&keys), &later).outcome, ReceiptOutcome::Revoked);
}

fn forked(signer: &Signer, first: usize) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let pem = signer.to_pem().unwrap();
    let log = Log::open_with(folder.path(), Signer::from_pem(signer.name(), &pem).unwrap()).unwrap();
    for i in first..first + 9 {
        log.append_document(&document(i), &facts()).unwrap();
    }
    (folder, log)
}

#[test]
fn two_histories_of_one_log_are_noticed_by_a_copy_and_by_a_receipt_of_the_same_size() {
    let signer = Signer::generate("h49.vn/log").unwrap();
    let (_one, ours) = forked(&signer, 0);
    let (two, theirs) = forked(&signer, 1);
    let receipt = ours.prove(&document(4).sha256).unwrap().to_text();
    let keys = [ours.verifier()];
    let copy = LogCopy::open(two.path(), &keys).unwrap();
    let later = Later { log: Some(&copy), newer: &[] };
    assert_eq!(
        judge(&receipt, &document(4), &Policy::of(&keys), &later).outcome,
        ReceiptOutcome::BrokenConsistency
    );
    let newer = [theirs.prove(&document(5).sha256).unwrap().to_text()];
    let later = Later { log: None, newer: &newer };
    assert_eq!(
        judge(&receipt, &document(4), &Policy::of(&keys), &later).outcome,
        ReceiptOutcome::BrokenConsistency
    );
}

#[test]
fn a_copy_that_is_older_damaged_or_of_another_log_proves_no_absence() {
    let world = world();
    world.append(0..300);
    let old = tempfile::tempdir().unwrap();
    copy_folder(world.folder.path(), old.path());
    world.append(300..600);
    world.anchor();
    let receipt = world.log.prove(&document(9).sha256).unwrap().to_text();
    let keys = [world.log.verifier()];
    let unproven = |copy: &LogCopy, why: &'static str| {
        let later = Later { log: Some(copy), newer: &[] };
        let verdict = judge(&receipt, &document(9), &Policy::of(&keys), &later);
        assert!(verdict.not_checked.contains(&why) && verdict.not_checked.contains(&NO_NEWER), "{why}");
        assert_eq!(verdict.unrevoked_at, None);
    };
    unproven(&LogCopy::open(old.path(), &keys).unwrap(), COPY_OLDER);
    let damaged = tempfile::tempdir().unwrap();
    copy_folder(world.folder.path(), damaged.path());
    let bundle = damaged.path().join("tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    unproven(&LogCopy::open(damaged.path(), &keys).unwrap(), COPY_DAMAGED);
    std::fs::remove_file(bundle).unwrap();
    unproven(&LogCopy::open(damaged.path(), &keys).unwrap(), COPY_DAMAGED);
    let other = tempfile::tempdir().unwrap();
    let log = Log::open_with(other.path(), Signer::generate("other.vn/log").unwrap()).unwrap();
    unproven(&LogCopy::open(other.path(), &[log.verifier()]).unwrap(), COPY_OTHER);
    assert_eq!(LogCopy::open(other.path(), &keys).unwrap_err().code.id, "LOG-014");
}

/// What a web server would be given: checkpoint and tiles alone.
fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            std::fs::create_dir_all(to.join(name)).unwrap();
            copy_folder(&path, &to.join(name));
        } else if name == "checkpoint" || from.components().any(|c| c.as_os_str() == "tile") {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
