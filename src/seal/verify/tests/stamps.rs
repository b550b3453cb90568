//! Time stamps, and evidence that is kept in the file.

use super::super::report::StampState;
use super::*;

#[test]
fn a_trusted_time_stamp_keeps_a_signature_good_after_its_certificate() {
    let world = world();
    let holder = certify(&Ask { days: (-30, -1), ..ask("expired", &world.inter) });
    let stamped = |at: i64, authority: &Holder| {
        let stamp = |signature: &[u8]| token(authority, signature, at, &Shape::default());
        let shape = Shape { stamp: Some(&stamp), ..Shape::default() };
        sign(&paper(), 20, PADES, &|over| cms(&holder, over, &shape))
    };
    let report = world.judge(&stamped(NOW - 5 * 86_400, &world.stamper));
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.is_proven());
    assert_eq!(report.signatures[0].level, Level::BT);
    // Stamped too late, by a stranger, or by somebody who may not stamp.
    assert_eq!(world.judge(&stamped(NOW - 3600, &world.stamper)).signatures[0].chain.trust, Trust::Expired);
    let stranger = root("TEST stranger");
    let stranger = certify(&Ask { stamping: true, ..ask("TEST stamper", &stranger) });
    for authority in [stranger, world.officer.clone()] {
        let report = world.judge(&stamped(NOW - 5 * 86_400, &authority));
        assert_eq!(report.signatures[0].chain.trust, Trust::Expired);
        assert!(!report.is_proven());
    }
}

#[test]
fn a_time_stamp_over_something_else_is_not_one() {
    let world = world();
    for (at, over, code) in [(NOW - 60, &b"other"[..], "VRFY-014"), (NOW + 3600, b"", "VRFY-015")] {
        let stamp = |signature: &[u8]| {
            let over = if over.is_empty() { signature } else { over };
            token(&world.stamper, over, at, &Shape::default())
        };
        let report = world.judge(&world.signed(&Shape { stamp: Some(&stamp), ..Shape::default() }));
        assert!(codes(&report).contains(&code), "{:?}", codes(&report));
        assert!(!report.is_proven());
        assert_eq!(report.signatures[0].level, Level::BB);
    }
}

#[test]
fn evidence_in_the_file_alone_makes_b_lt_and_a_stamp_over_it_b_lta_and_keeps_it_valid() {
    let pki = Pki::mint();
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    let judge = |pdf: &[u8], at: i64| {
        let record = verify_pdf(pdf, &anchors, Timestamp::from_second(at).unwrap());
        (record.signatures[0].level, Report::of(&record, anchors.policy()).verdict)
    };
    let bases = mutants::bases(&pki);
    let (bb, bt) = (&bases[0].1, &bases[3].1);
    assert_eq!(judge(bt, NOW), (Level::BT, Verdict::Indeterminate));
    assert_eq!(judge(&mutants::stored(&pki, bb), NOW).0, Level::BB);
    assert_eq!(judge(&mutants::stored(&pki, bt), NOW), (Level::BLT, Verdict::Valid));
    assert_eq!(judge(&mutants::archived(&pki, bt), NOW), (Level::BLTA, Verdict::Valid));
    // A document time stamp is a time stamp on what it covers.
    assert_eq!(judge(&mutants::archived(&pki, bb), NOW), (Level::BLTA, Verdict::Valid));
}

#[test]
fn clocks_may_differ_a_little_and_a_stamp_far_ahead_leaves_the_question_open() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let judge = |pdf: &[u8], at: i64, as_of: bool| {
        let at = Timestamp::from_second(at).unwrap();
        let record = verify(pdf, &Question { anchors: &anchors, at, as_of, online: None });
        let report = Report::of(&record, anchors.policy());
        (report.verdict, report.signatures.last().unwrap().timestamp.status)
    };
    let stamped = |at: i64| {
        let stamp = |signature: &[u8]| token(&pki.stamper, signature, at, &Shape::default());
        sign(&paper(), 20, PADES, &|o| pki.cms(o, &Shape { stamp: Some(&stamp), ..Shape::default() }))
    };
    let archived = |at: i64| {
        let pdf = &mutants::bases(&pki)[0].1;
        sign(pdf, 24, "ETSI.RFC3161", &|over| token(&pki.stamper, over, at, &Shape::default()))
    };
    for as_of in [false, true] {
        for ahead in [0, 20, 300] {
            assert_eq!(judge(&stamped(NOW + ahead), NOW, as_of), (Verdict::Valid, StampState::Trusted));
            assert_eq!(judge(&archived(NOW + ahead), NOW, as_of), (Verdict::Valid, StampState::Trusted));
        }
        for ahead in [301, 3600, 86_400] {
            let open = (Verdict::Indeterminate, StampState::Untrusted);
            assert_eq!(judge(&stamped(NOW + ahead), NOW, as_of), open);
            assert_eq!(judge(&archived(NOW + ahead), NOW, as_of), open);
        }
    }
    // What does not hold does not, whatever the clock says.
    let forged = |signature: &[u8]| token(&pki.stamper, &signature[1..], NOW + 3600, &Shape::default());
    let pdf = sign(&paper(), 20, PADES, &|o| pki.cms(o, &Shape { stamp: Some(&forged), ..Shape::default() }));
    assert_eq!(judge(&pdf, NOW, false), (Verdict::Invalid, StampState::Invalid));
}
