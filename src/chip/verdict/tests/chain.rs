//! Cases 11 to 16: who stands behind the signer.

use super::*;
use crate::chip::report::{ChainState, Report};
use std::path::Path;

#[test]
fn certificates_of_one_name_are_told_apart_whatever_their_order() {
    // The authority's next key, certified by itself and by the one before it (a link): one name, three certificates.
    for (signer, folders) in [("after", ["links1", "links2"]), ("ds", ["links1", "links2"])] {
        let reading = world().mint(signer, &["--aa-key", "aa.key"]);
        let verdicts = folders.map(|folder| judge(&reading, folder));
        for verdict in &verdicts {
            assert_eq!(verdict.overall, Overall::Genuine, "{signer}");
        }
        let anchors = verdicts.map(|v| v.anchor.map(|a| a.sha256));
        assert_eq!(anchors[0], anchors[1]);
    }
    assert_eq!(judge(&world().mint("after", &[]), "links3").overall, UNCHECKED);
    assert_eq!(judge(&world().mint("after", &[]), "anchors").overall, NO_ANCHOR);
}

#[test]
fn a_document_signer_may_sign_no_certificates() {
    let reading = world().mint("below", &[]);
    assert_eq!(judge(&reading, "anchors").overall, NO_ANCHOR);
    let verdict = judge(&reading, "signers");
    assert_eq!((verdict.overall, verdict.pa_chain), (CHAIN, Check::Failed));
}

#[test]
fn a_german_card_under_a_german_authority_is_as_good_as_any() {
    let mut hand = with(1, &dg1("D<<"));
    hand.signers = vec![by("german")];
    let verdict = judge(&world().forge(&hand), "both");
    assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![]));
    let mut mixed = with(1, &dg1("D<<"));
    mixed.signers = vec![by("ds")];
    assert_eq!(judge(&world().forge(&mixed), "both").overall, Overall::Forged(Forgery::Country));
}

#[test]
fn a_state_that_is_in_no_list_is_forged_under_any_countrys_authority() {
    assert_eq!(
        judge(&world().forge(&with(1, &dg1("XXX"))), "anchors").overall,
        Overall::Forged(Forgery::Country)
    );
}

#[test]
fn an_authority_that_names_no_country_disproves_nothing_and_proves_nothing() {
    let verdict = judge(&world().mint("placeless", &[]), "placeless");
    assert_eq!((verdict.overall, verdict.unproven.as_slice()), (CHAIN, &[Unproven::ChainPolicy][..]));
}

#[test]
fn an_authority_whose_key_was_out_of_use_when_it_issued_is_told_as_that_and_nothing_expired() {
    let reading = world().mint("idled", &[]);
    let verdict = judge(&reading, "idle");
    assert_eq!(verdict.overall, UNCHECKED);
    assert_eq!(flags(&verdict), [Flag::SigningTimeSelfAsserted, Flag::IssuedOutsideKeyPeriod]);
    assert_eq!(Report::of(Some(&reading), &verdict).chain.status, ChainState::Trusted);
}

fn signed_at(time: &str, validity: &(String, String)) -> Verdict {
    let key = world().key("ds");
    let certificate = world().certify(&key.public_key_to_der().unwrap(), validity);
    let mut hand = right();
    hand.signers = vec![by_whom(Who::Made(certificate, key))];
    hand.signers[0].signing_time = Some(time.to_owned());
    judge(&world().forge(&hand), "anchors")
}

#[test]
fn a_claimed_time_outside_the_signers_validity_proves_nothing() {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |days: i64| (today + jiff::Span::new().days(days)).strftime("%y%m%d").to_string();
    let from = day(1);
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 40);
    let judged = |signed: i64, until: i64| {
        let key = world().key("ds");
        let certificate = world().certify(&key.public_key_to_der().unwrap(), &(from.clone(), day(until)));
        let mut hand = right();
        hand.signers = vec![by_whom(Who::Made(certificate, key))];
        hand.signers[0].signing_time = Some(format!("{}120000Z", day(signed)));
        verify(&world().forge(&hand), &world().trust("anchors"), at, &Policy::default())
    };
    let within = judged(2, 90);
    assert_eq!((within.overall, flags(&within)), (UNCHECKED, vec![Flag::SigningTimeSelfAsserted]));
    // Expired since, valid when it signed, by its own account.
    let expired = judged(2, 30);
    assert_eq!(
        (expired.overall, flags(&expired)),
        (UNCHECKED, vec![Flag::DscExpired, Flag::SigningTimeSelfAsserted])
    );
    for (signed, until) in [(0, 90), (35, 30)] {
        let outside = judged(signed, until);
        assert_eq!(outside.overall, CHAIN);
        assert!(outside.flags.contains(&Flag::SignedOutsideValidity));
    }
}

#[test]
fn a_claimed_time_that_has_yet_to_come_proves_nothing() {
    let certificate = lately();
    let now = jiff::Timestamp::now();
    let judged = |hours: i64| {
        let signed = now + jiff::SignedDuration::from_hours(hours);
        signed_at(&signed.strftime("%y%m%d%H%M%SZ").to_string(), &certificate).overall
    };
    assert_eq!(judged(20), UNCHECKED, "a clock may be ahead");
    assert_eq!(judged(30), Overall::Unverifiable(Unproven::SignedInFuture));
}

#[test]
fn a_signer_older_than_its_authority_or_with_a_broken_time_proves_nothing() {
    let old = ("200101".to_owned(), "491231".to_owned());
    assert_eq!(signed_at("210101000000Z", &old).overall, CHAIN);
    let verdict = signed_at("219901000000Z", &lately());
    assert!(verdict.flags.contains(&Flag::SignedOutsideValidity));
}

#[test]
fn signing_outside_the_keys_own_period_is_flagged() {
    let verdict = judge(&world().mint("future", &[]), "anchors");
    assert_eq!(verdict.overall, UNCHECKED);
    assert_eq!(flags(&verdict), [Flag::SigningTimeSelfAsserted, Flag::SignedOutsideKeyPeriod]);
}

#[test]
fn a_list_of_another_authority_of_the_same_name_is_ignored() {
    let reading = world().mint("revoked", &[]);
    let verdict = judge(&reading, "foreign");
    assert_eq!((verdict.overall, verdict.revocation), (UNCHECKED, Some(Revocation::Unknown)));
    let verdict = judge(&reading, "crls");
    assert_eq!(verdict.unproven, [Unproven::DscRevoked]);
}

#[test]
fn every_reason_is_told_and_the_weightiest_first() {
    let mut reading = world().mint("rsa", &[]);
    reading.files.remove(&FileId::Dg(2));
    let verdict = verify(&reading, &Trust::default(), jiff::Timestamp::now(), &Policy::default());
    assert_eq!(verdict.unproven, [Unproven::NoAnchor, Unproven::WeakAlgorithm, Unproven::DgMissing]);
    assert_eq!(verdict.overall, NO_ANCHOR);
}

#[test]
fn an_odd_file_in_the_anchor_folder_is_named_and_a_note_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("README.txt"), "who gave us this, and when").unwrap();
    assert!(Trust::load(dir.path()).unwrap().is_empty());
    std::fs::write(dir.path().join("odd.pem"), "odd").unwrap();
    let fault = Trust::load(dir.path()).err().unwrap();
    assert_eq!(fault.code.id, "CHIP-011");
    assert!(fault.place.unwrap().ends_with("odd.pem"));
    assert_eq!(Trust::load(Path::new("/no/such/folder")).err().unwrap().code.id, "CHIP-010");
}
