//! Cases 6, 24, 25, 27: whether the chip is a copy.

use super::super::judge::Judge;
use super::*;
use crate::chip::chip_authentication::ChipAuthentication;
use crate::chip::clone::Answer;
use crate::digest::Sha256;
use openssl::hash::MessageDigest;

fn evidence() -> ChipAuthentication {
    ChipAuthentication {
        protocol: "0.4.0.127.0.7.2.2.3.2.2".to_owned(),
        key_id: None,
        terminal_key: vec![7; 32],
        command: vec![1],
        response: vec![2],
    }
}

fn dg14() -> Vec<u8> {
    let info = der::sequence(&[&der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 3, 2, 2]), &der::integer(&[1])]);
    der::tlv(0x6e, &der::set_of(&[&info]))
}

fn with_evidence() -> Reading {
    let mut reading = world().forge(&with(14, &dg14()));
    reading.chip_authentication = Some(evidence());
    reading
}

/// Judged as if the evidence were what `answer` says; what it truly is, its own tests say.
fn judged(reading: &Reading, policy: &Policy, answer: fn(&[u8], &ChipAuthentication) -> Answer) -> Verdict {
    let mut judge = Judge::new(reading, jiff::Timestamp::now(), policy);
    judge.chip_authentication = answer;
    judge.conclude(&world().trust("anchors"))
}

#[test]
fn chip_authentication_with_a_signed_key_is_proof() {
    let ours = Policy { terminal_key: Some(Sha256::of(&[7; 32])), ..Policy::default() };
    let verdict = judged(&with_evidence(), &ours, |_, _| Answer::Holds);
    assert_eq!(
        (verdict.overall, verdict.clone_check),
        (Overall::Genuine, Some(CloneCheck::ChipAuthentication))
    );
    assert_eq!(flags(&verdict), []);
    // Anyone who has the files can make a key and write a transcript that fits it.
    let verdict = judged(&with_evidence(), &Policy::default(), |_, _| Answer::Holds);
    assert_eq!((verdict.overall, verdict.trials.chip), (UNCHECKED, Trial::UntrustedKey));
    assert_eq!(flags(&verdict), [Flag::CaKeyUnproven]);
    let other = Policy { terminal_key: Some(Sha256::of(&[8; 32])), ..Policy::default() };
    let verdict = judged(&with_evidence(), &other, |_, _| Answer::Holds);
    assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![Flag::CaReplay]));
    assert_eq!(verdict.trials.chip, Trial::NotDone);
}

#[test]
fn a_chip_opened_the_older_way_though_its_signed_dg14_offers_pace_is_shown() {
    let info = der::sequence(&[&der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 4, 2, 2]), &der::integer(&[2])]);
    let file = der::tlv(0x6e, &der::set_of(&[&info]));
    let mut reading = world().forge(&with(14, &file));
    reading.files.insert(FileId::Dg(14), file);
    reading.access = Access::PaceCan;
    assert!(!judge(&reading, "anchors").pace_downgrade);
    reading.access = Access::Bac;
    assert!(judge(&reading, "anchors").pace_downgrade);
    // Unsigned, it says nothing.
    let mut bare = world().mint("ds", &["--access", "BAC"]);
    bare.files.insert(FileId::Dg(14), reading.files[&FileId::Dg(14)].clone());
    assert!(!judge(&bare, "anchors").pace_downgrade);
}

#[test]
fn a_card_access_that_offers_no_pace_makes_no_downgrade() {
    let offer = der::sequence(&[&der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 4, 2, 2]), &der::integer(&[2])]);
    let other = der::sequence(&[&der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 2]), &der::integer(&[1])]);
    let mut reading = world().mint("ds", &["--access", "BAC"]);
    for (file, downgrade) in [
        (der::set_of(&[&offer]), true),
        (der::set_of(&[&other]), false),
        (vec![0x31, 0], false),
        // Cut off: it may have been one.
        (vec![0x31, 9], true),
    ] {
        reading.files.insert(FileId::CardAccess, file);
        assert_eq!(judge(&reading, "anchors").pace_downgrade, downgrade);
    }
}

#[test]
fn no_clone_check_is_passed_or_failed_with_a_key_under_a_list_that_is_too_weak() {
    let mut reading = world().mint("ds", &["--md", "sha1", "--aa-key", "aa.key"]);
    let exchange = reading.active_authentication.clone().unwrap();
    let wrong = Challenge { response: vec![1; exchange.response.len()], ..exchange.clone() };
    for exchange in [exchange, wrong] {
        reading.active_authentication = Some(exchange);
        let verdict = judge(&reading, "anchors");
        assert_eq!(verdict.overall, Overall::Unverifiable(Unproven::WeakAlgorithm));
        assert_eq!(verdict.trials.active, Trial::UntrustedKey);
    }
}

#[test]
fn a_chip_that_does_not_hold_the_key_of_dg14_is_a_copy() {
    let ours = Policy { terminal_key: Some(Sha256::of(&[7; 32])), ..Policy::default() };
    let verdict = judged(&with_evidence(), &ours, |_, _| Answer::Wrong);
    assert_eq!(
        (verdict.overall, verdict.trials.chip),
        (Overall::Forged(Forgery::ChipAuthentication), Trial::Failed)
    );
    // What anybody may have written disproves no more than it proves.
    let verdict = judged(&with_evidence(), &Policy::default(), |_, _| Answer::Wrong);
    assert_eq!((verdict.overall, verdict.trials.chip), (UNCHECKED, Trial::NotDone));
    assert_eq!(flags(&verdict), [Flag::CaKeyUnproven]);
}

#[test]
fn no_answer_is_no_proof_and_makes_no_copy() {
    let ours = Policy { terminal_key: Some(Sha256::of(&[7; 32])), ..Policy::default() };
    let silent = judged(&with_evidence(), &ours, |_, _| Answer::Inconclusive);
    assert_eq!((silent.overall, silent.trials.chip), (UNCHECKED, Trial::NotDone));
    assert_eq!(flags(&silent), [Flag::CaUnanswered]);
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let exchange = reading.active_authentication.clone().unwrap();
    // As long as the key's answers are and wrong: that is a copy.
    let wrong = vec![1; exchange.response.len()];
    for (challenge, response, overall) in [
        (&exchange.challenge, wrong.clone(), Overall::Forged(Forgery::ActiveAuthentication)),
        (&exchange.challenge, vec![], UNCHECKED),
        (&exchange.challenge, exchange.response[1..].to_vec(), UNCHECKED),
        (&vec![], wrong, UNCHECKED),
    ] {
        reading.active_authentication = Some(Challenge { challenge: challenge.clone(), response });
        let verdict = judge(&reading, "anchors");
        assert_eq!(verdict.overall, overall);
        assert_eq!(verdict.flags.contains(&Flag::AaUnanswered), overall == UNCHECKED);
    }
}

#[test]
fn a_chip_is_no_copy_because_its_dg14_was_not_read_or_is_not_understood() {
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let dg15 = reading.dg(15).unwrap().to_vec();
    let sign = |key: &str, hash: MessageDigest| {
        let mut signer = openssl::sign::Signer::new(hash, &world().key(key)).unwrap();
        signer.update(&[5; 8]).unwrap();
        Some(Challenge { challenge: vec![5; 8], response: signer.sign_to_vec().unwrap() })
    };
    let info = |algorithm: &[u64]| {
        let fields = [der::oid(&[2, 23, 136, 1, 1, 5]), der::integer(&[1]), der::oid(algorithm)];
        der::tlv(0x6e, &der::set_of(&[&der::sequence(&[&fields[0], &fields[1], &fields[2]])]))
    };
    let sha512 = info(&[0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 5]);
    let forged = Overall::Forged(Forgery::ActiveAuthentication);
    for (dg14, read, known) in [
        (&sha512, true, true),
        (&sha512, false, false),
        (&info(&[1, 2, 3]), true, false),
        (&der::tlv(0x6e, &[4, 1, 0]), true, false),
    ] {
        let mut hand = with(14, dg14);
        hand.hashes.push((15, openssl::sha::sha256(&dg15).to_vec()));
        reading.files.insert(FileId::Sod, hand.build(world()));
        reading.files.remove(&FileId::Dg(14));
        if read {
            reading.files.insert(FileId::Dg(14), dg14.clone());
        }
        reading.active_authentication = sign("aa", MessageDigest::sha512());
        let held = judge(&reading, "anchors");
        assert_eq!(held.overall, if read { Overall::Genuine } else { UNCHECKED });
        assert_eq!(held.trials.active, Trial::Passed);
        reading.active_authentication = sign("other-aa", MessageDigest::sha512());
        let verdict = judge(&reading, "anchors");
        assert_eq!(verdict.overall, if known { forged } else { UNCHECKED });
        assert_eq!(verdict.trials.active, if known { Trial::Failed } else { Trial::NotDone });
        assert_eq!(verdict.flags.contains(&Flag::AaHashUnknown), !known);
    }
}

#[test]
fn an_invalid_key_of_chip_authentication_does_not_count() {
    let verdict = judged(&with_evidence(), &Policy::default(), |_, _| Answer::Unusable);
    assert_eq!((verdict.overall, verdict.trials.chip), (UNCHECKED, Trial::UntrustedKey));
    assert_eq!(flags(&verdict), [Flag::CaKeyInvalid, Flag::CaKeyUnproven]);
}

#[test]
fn chip_authentication_with_a_key_that_nobody_signed_counts_for_nothing() {
    let never: fn(&[u8], &ChipAuthentication) -> Answer = |_, _| panic!("asked");
    let mut injected = world().forge(&right());
    injected.files.insert(FileId::Dg(14), dg14());
    injected.chip_authentication = Some(evidence());
    let verdict = judged(&injected, &Policy::default(), never);
    assert_eq!((verdict.overall, verdict.dg[&14]), (UNCHECKED, DgState::NotInSod));
    assert_eq!(flags(&verdict), [Flag::CaKeyUnsigned]);
    assert_eq!(verdict.trials.chip, Trial::UntrustedKey);
    let mut stripped = with_evidence();
    stripped.files.remove(&FileId::Dg(14));
    let verdict = judged(&stripped, &Policy::default(), never);
    assert_eq!(verdict.overall, UNCHECKED);
    assert_eq!(flags(&verdict), [Flag::CloneCheckStripped, Flag::CaKeyUnsigned]);
    // Nor under a signer that nobody vouches for.
    let reading = with_evidence();
    let policy = Policy::default();
    let mut judge = Judge::new(&reading, jiff::Timestamp::now(), &policy);
    judge.chip_authentication = never;
    let verdict = judge.conclude(&Trust::default());
    assert_eq!((verdict.overall, verdict.trials.chip), (NO_ANCHOR, Trial::UntrustedKey));
}

#[test]
fn of_two_proofs_the_method_is_told_and_either_failure_is_a_copy() {
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let mut hand = with(14, &dg14());
    hand.hashes.push((15, openssl::sha::sha256(reading.dg(15).unwrap()).to_vec()));
    reading.files.insert(FileId::Dg(14), dg14());
    reading.files.insert(FileId::Sod, hand.build(world()));
    reading.chip_authentication = Some(evidence());
    let policy = Policy { terminal_key: Some(Sha256::of(&[7; 32])), ..Policy::default() };
    let both = judged(&reading, &policy, |_, _| Answer::Holds);
    assert_eq!((both.overall, both.clone_check), (Overall::Genuine, Some(CloneCheck::ChipAuthentication)));
    assert_eq!((both.trials.active, both.trials.chip), (Trial::Passed, Trial::Passed));
    let active = judged(&reading, &policy, |_, _| Answer::Unusable);
    assert_eq!(
        (active.overall, active.clone_check),
        (Overall::Genuine, Some(CloneCheck::ActiveAuthentication))
    );
    let copy = judged(&reading, &policy, |_, _| Answer::Wrong);
    assert_eq!((copy.overall, copy.clone_check), (Overall::Forged(Forgery::ChipAuthentication), None));
}

#[test]
fn a_reading_that_leaves_out_either_key_is_never_genuine() {
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let dg15 = reading.dg(15).unwrap().to_vec();
    reading.files.remove(&FileId::Dg(15));
    let verdict = judge(&reading, "anchors");
    assert_eq!(verdict.overall, UNCHECKED);
    assert!(
        verdict.flags.contains(&Flag::CloneCheckStripped) && verdict.flags.contains(&Flag::AaKeyUnsigned)
    );
    // Though the other proof holds.
    let mut hand = with(14, &dg14());
    hand.hashes.push((15, openssl::sha::sha256(&dg15).to_vec()));
    reading.files.insert(FileId::Sod, hand.build(world()));
    reading.files.insert(FileId::Dg(15), dg15);
    let verdict = judge(&reading, "anchors");
    assert_eq!((verdict.overall, verdict.trials.active), (UNCHECKED, Trial::Passed));
    assert!(verdict.flags.contains(&Flag::CloneCheckStripped));
    reading.files.insert(FileId::Dg(14), dg14());
    assert_eq!(judge(&reading, "anchors").overall, Overall::Genuine);
}

fn rsa_answer(size: u32) -> Reading {
    let key = openssl::rsa::Rsa::generate(size).unwrap();
    let spki = PKey::from_rsa(key.clone()).unwrap().public_key_to_der().unwrap();
    let mut reading = world().forge(&with(15, &der::tlv(0x6f, &spki)));
    let challenge = vec![5; 8];
    let recovered = vec![0x5a; key.size() as usize - 1 - 32 - 2];
    let digest = openssl::sha::sha256(&[&recovered[..], &challenge].concat());
    let message = [&[0x6a][..], &recovered, &digest, &[0x34, 0xcc]].concat();
    let mut response = vec![0; key.size() as usize];
    key.private_encrypt(&message, &mut response, openssl::rsa::Padding::NONE).unwrap();
    reading.active_authentication = Some(Challenge { challenge, response });
    reading
}

#[test]
fn an_rsa_answer_is_proof_unless_its_key_is_too_short() {
    assert_eq!(judge(&rsa_answer(2048), "anchors").overall, Overall::Genuine);
    let short = judge(&rsa_answer(1024), "anchors");
    assert_eq!(short.overall, Overall::Genuine);
    assert_eq!(flags(&short), [Flag::AaWeak, Flag::AaChallengeUnproven]);
    let weak = judge(&rsa_answer(768), "anchors");
    assert_eq!((weak.overall, weak.trials.active), (UNCHECKED, Trial::UntrustedKey));
    assert_eq!(flags(&weak), [Flag::AaKeyWeak, Flag::AaChallengeUnproven]);
}

#[test]
fn card_security_is_no_evidence() {
    let mut reading = world().forge(&right());
    reading.access = Access::PaceCan;
    reading.files.insert(FileId::CardAccess, vec![0x31, 0]);
    for security in [reading.files[&FileId::Sod].clone(), vec![0x30, 0], vec![]] {
        reading.files.insert(FileId::CardSecurity, security);
        let verdict = judge(&reading, "anchors");
        assert_eq!(
            (verdict.overall, verdict.clone_check, verdict.trials),
            (UNCHECKED, None, Trials::default())
        );
    }
}
