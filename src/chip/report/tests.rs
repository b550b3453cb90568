//! The words of the report, as other programs rely on them.

use super::*;
use crate::chip::reading::FileId;
use crate::chip::trust::Trust;
use crate::chip::verdict::tests::hand::{by, right};
use crate::chip::verdict::tests::judge;
use crate::chip::verdict::tests::world::world;
use crate::chip::verdict::{Policy, Refusal, verify};
use serde_json::{Value, json};

fn report(reading: &Reading, verdict: &Verdict) -> Value {
    serde_json::to_value(Report::of(Some(reading), verdict)).unwrap()
}

#[test]
fn a_genuine_reading_in_all_its_words() {
    let reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let mut report = report(&reading, &judge(&reading, "crls"));
    let anchor = report["chain"]["anchor_sha256"].take();
    assert_eq!(anchor.as_str().map(str::len), Some(64));
    assert_eq!(report["overall"], "genuine");
    assert_eq!(report["reasons"], json!([]));
    assert_eq!(
        report["sod"],
        json!({"signature": "valid", "digest": "sha256", "algorithm": "ecdsa-with-SHA256", "weak": false,
            "weak_algorithms": [], "over": "attributes_as_sent", "lds_version": null})
    );
    assert_eq!(
        report["chain"],
        json!({"status": "trusted", "issuer": "C=VN, O=TEST ONLY, CN=TEST CSCA", "anchor_sha256": null, "anchor": "vn.pem", "broken": []})
    );
    assert_eq!(report["groups"], json!({"DG1": "match", "DG2": "match", "DG13": "match", "DG15": "match"}));
    assert_eq!(
        report["clone_check"],
        json!({"method": "AA", "status": "passed", "active_authentication": "passed", "chip_authentication": "not_done"})
    );
    assert_eq!((&report["revocation"], &report["access"]), (&json!("fresh"), &json!("PACE-CAN")));
    let holder = &report["holder"];
    assert_eq!((&holder["verified"], &holder["signed"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&holder["name"], &holder["birth"], &holder["sex"]),
        (&json!("Nguyễn Văn An"), &json!("1990-01-15"), &json!("male"))
    );
    assert_eq!(holder["from"]["name"], "DG13");
    assert_eq!(holder["from"]["nationality"], "DG1");
}

#[test]
fn every_conclusion_has_its_word_its_reasons_and_its_exit_code() {
    let unchecked = world().mint("ds", &[]);
    let verdict = judge(&unchecked, "anchors");
    let value = report(&unchecked, &verdict);
    assert_eq!(value["overall"], "genuine_clone_unchecked");
    assert_eq!(value["reasons"][0]["code"], "clone_not_checked");
    assert_eq!((&value["holder"]["verified"], &value["holder"]["signed"]), (&json!(false), &json!(true)));
    assert_eq!(value["revocation"], "unknown");

    let unanchored = verify(&unchecked, &Trust::default(), jiff::Timestamp::now(), &Policy::default());
    let value = report(&unchecked, &unanchored);
    assert_eq!((&value["overall"], &value["chain"]["status"]), (&json!("unverifiable"), &json!("no_anchor")));
    assert_eq!(value["reasons"][0]["code"], "no_anchor");
    assert_eq!((&value["holder"]["verified"], &value["holder"]["signed"]), (&json!(false), &json!(false)));

    let tampered = world().mint("ds", &["--tamper", "2"]);
    let value = report(&tampered, &judge(&tampered, "anchors"));
    assert_eq!((&value["overall"], &value["groups"]["DG2"]), (&json!("forged"), &json!("mismatch")));
    assert_eq!(
        (&value["chain"]["status"], &value["reasons"][0]["code"]),
        (&json!("trusted"), &json!("dg_hash"))
    );

    let mut broken = unchecked.clone();
    broken.files.insert(FileId::Sod, vec![0x77, 2, 0x30, 0x80]);
    let value = report(&broken, &judge(&broken, "anchors"));
    assert_eq!(
        (&value["overall"], &value["reasons"][0]["code"]),
        (&json!("unverifiable"), &json!("malformed"))
    );
    assert_eq!((&value["sod"]["signature"], &value["holder"]), (&json!("unsupported"), &Value::Null));

    let limit = Verdict::refused(
        Overall::Rejected(Refusal::Limit),
        Access::Unknown,
        jiff::Timestamp::now(),
        &Policy::default(),
    );
    let value = serde_json::to_value(Report::of(None, &limit)).unwrap();
    assert_eq!((&value["overall"], &value["reasons"][0]["code"]), (&json!("unverifiable"), &json!("limit")));

    let codes = [
        Conclusion::Genuine,
        Conclusion::GenuineCloneUnchecked,
        Conclusion::Unverifiable,
        Conclusion::Forged,
    ];
    assert_eq!(codes.map(Conclusion::exit_code), [0, 3, 4, 5]);
}

#[test]
fn weak_algorithms_are_named_in_the_reason() {
    let reading = world().mint("ds", &["--md", "sha1"]);
    let value = report(&reading, &judge(&reading, "anchors"));
    assert_eq!((&value["sod"]["weak"], &value["sod"]["weak_algorithms"]), (&json!(true), &json!(["SHA-1"])));
    let reason = &value["reasons"][0];
    assert_eq!(reason["code"], "weak_algorithm");
    for language in ["vi", "en"] {
        assert!(reason[language].as_str().is_some_and(|s| s.ends_with("(SHA-1).")));
    }
}

#[test]
fn expired_untrusted_and_revoked_chains_are_told_apart() {
    let reading = world().forge(&right());
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 1000);
    let verdict = verify(&reading, &world().trust("anchors"), later, &Policy::default());
    let value = report(&reading, &verdict);
    assert_eq!(
        (&value["overall"], &value["chain"]["status"]),
        (&json!("genuine_clone_unchecked"), &json!("expired"))
    );
    let earlier = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 10);
    let verdict = verify(&reading, &world().trust("anchors"), earlier, &Policy::default());
    let value = report(&reading, &verdict);
    assert_eq!((&value["overall"], &value["chain"]["status"]), (&json!("unverifiable"), &json!("untrusted")));
    assert_eq!(value["chain"]["broken"], json!(["signer_not_yet_valid"]));
    let mut revoked = right();
    revoked.signers = vec![by("revoked")];
    let reading = world().forge(&revoked);
    let value = report(&reading, &judge(&reading, "crls"));
    assert_eq!(
        (&value["revocation"], &value["reasons"][0]["code"]),
        (&json!("revoked"), &json!("dsc_revoked"))
    );
    let stale = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 60);
    let reading = world().forge(&right());
    let verdict = verify(&reading, &world().trust("crls"), stale, &Policy::default());
    assert_eq!(report(&reading, &verdict)["revocation"], "stale");
}

#[test]
fn stripped_protected_and_unlisted_groups_are_told_apart() {
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let dg15 = reading.files.remove(&FileId::Dg(15)).unwrap();
    let value = report(&reading, &judge(&reading, "anchors"));
    assert_eq!(value["groups"]["DG15"], "missing");
    assert_eq!(value["reasons"][0]["code"], "clone_check_stripped");
    assert_eq!(value["clone_check"]["status"], "untrusted_key");
    let mut hand = right();
    hand.hashes.push((3, vec![3; 32]));
    let mut reading = world().forge(&hand);
    reading.files.insert(FileId::Dg(15), dg15);
    let value = report(&reading, &judge(&reading, "anchors"));
    assert_eq!(
        (&value["groups"]["DG3"], &value["groups"]["DG15"]),
        (&json!("protected"), &json!("unlisted"))
    );
    assert_eq!(
        (&value["clone_check"]["method"], &value["clone_check"]["status"]),
        (&json!("none"), &json!("not_done"))
    );
}

#[test]
fn records_of_earlier_versions_are_still_read() {
    let reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let verdict = judge(&reading, "anchors");
    let mut record = serde_json::to_value(&verdict).unwrap();
    for key in ["trials", "unproven", "sod", "issuer", "broken"] {
        assert!(record.as_object_mut().unwrap().remove(key).is_some());
    }
    let old: Verdict = serde_json::from_value(record).unwrap();
    let value = report(&reading, &old);
    assert_eq!(
        (&value["clone_check"]["method"], &value["clone_check"]["status"]),
        (&json!("AA"), &json!("passed"))
    );
}
