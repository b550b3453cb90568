//! Whose signature it is: forms of the CMS, certificates that may not sign, what was revoked and when.

use super::*;
use openssl::hash::MessageDigest;
use openssl::x509::extension::KeyUsage;

#[test]
fn cms_of_every_wrong_shape_is_refused_for_its_own_reason() {
    let world = world();
    let other = certify(&ask("TEST other", &world.inter)).certificate;
    let good = Shape::default();
    let cases: Vec<(&str, Shape<'_>, &str)> = vec![
        ("content inside", Shape { content: Some(b"x"), ..good.clone() }, "VRFY-026"),
        ("no signed attributes", Shape { attributes: false, ..good.clone() }, "VRFY-030"),
        ("an attribute twice", Shape { twice: true, ..good.clone() }, "VRFY-031"),
        ("another certificate named", Shape { ess: Some(&other), ..good.clone() }, "VRFY-032"),
        ("no certificate named", Shape { no_ess: true, ..good.clone() }, "VRFY-032"),
        ("two signers", Shape { signers: 2, ..good.clone() }, "VRFY-025"),
        ("no signer", Shape { signers: 0, ..good.clone() }, "VRFY-025"),
        ("SHA-1", Shape { sha1: true, ..good.clone() }, "VRFY-028"),
        ("BER", Shape { indefinite: true, ..good.clone() }, "VRFY-023"),
        ("something in the padding", Shape { padding: &[0, 0, 1], ..good.clone() }, "VRFY-024"),
        (
            "another content type",
            Shape { content_type: &[1, 2, 840, 113_549, 1, 9, 16, 1, 4], ..good },
            "VRFY-026",
        ),
    ];
    for (name, shape, code) in cases {
        let report = world.judge(&world.signed(&shape));
        assert!(codes(&report).contains(&code), "{name}: {:?}", codes(&report));
        assert!(!report.is_proven(), "{name}");
    }
}

#[test]
fn certificates_that_may_not_sign_are_refused_for_their_own_reason() {
    let world = world();
    let mut encipher = KeyUsage::new();
    encipher.critical().key_encipherment();
    let cases = [
        (Ask { rsa: Some(1024), ..ask("weak", &world.inter) }, "VRFY-029", Trust::Untrusted),
        (Ask { usage: Some(encipher), ..ask("wrong use", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { usage: None, ..ask("no use", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { stamping: true, ..ask("stamper", &world.inter) }, "VRFY-006", Trust::WrongUse),
        (Ask { days: (-30, -1), ..ask("expired", &world.inter) }, "VRFY-004", Trust::Expired),
        (Ask { days: (1, 30), ..ask("not yet", &world.inter) }, "VRFY-004", Trust::Expired),
        (
            Ask { hash: MessageDigest::sha1(), ..ask("SHA-1 certificate", &world.inter) },
            "VRFY-003",
            Trust::Untrusted,
        ),
        // A certificate that is no CA signed another.
        (Ask { ..ask("child of an officer", &world.officer) }, "VRFY-003", Trust::Untrusted),
    ];
    for (ask, code, trust) in cases {
        let holder = certify(&ask);
        let above = vec![world.officer.certificate.clone()];
        let shape = Shape { above, ..Shape::default() };
        let pdf = sign(&paper(), 20, PADES, &|over| cms(&holder, over, &shape));
        let report = world.judge(&pdf);
        assert!(codes(&report).contains(&code), "{}: {:?}", ask.name, codes(&report));
        assert_eq!(report.signatures[0].chain.trust, trust, "{}", ask.name);
        assert!(!report.is_proven(), "{}", ask.name);
    }
    let rsa = certify(&Ask { rsa: Some(2048), ..ask("rsa", &world.inter) });
    let pdf = sign(&paper(), 20, PADES, &|over| cms(&rsa, over, &Shape::default()));
    assert!(world.judge(&pdf).is_proven());
}

#[test]
fn revocation_is_unknown_good_or_bad_and_never_guessed() {
    let world = world();
    let pdf = world.good();
    let judge = |lists: &[Vec<u8>]| {
        let mut anchors = world.anchors.clone();
        lists.iter().for_each(|l| anchors.add_crl(l).unwrap());
        let report = verify_pdf(&pdf, &anchors, now());
        (report.signatures[0].chain.revocation, report.is_proven())
    };
    let officer = &world.officer.certificate;
    let clean = [crl(&world.inter, &[], 7, false), crl(&world.root, &[], 7, false)];
    assert_eq!(judge(&clean), (Revocation::NotRevoked, true));
    assert_eq!(judge(&clean[..1]), (Revocation::Unknown, true));
    assert_eq!(judge(&[crl(&world.inter, &[(officer, NOW - 1)], 7, false)]), (Revocation::Revoked, false));
    let inter = crl(&world.root, &[(&world.inter.certificate, NOW - 1)], 7, false);
    assert_eq!(judge(&[clean[0].clone(), inter]), (Revocation::Revoked, false));
    // Stale, partial, or by somebody else: as if there were none.
    assert_eq!(judge(&[crl(&world.inter, &[], -1, false), clean[1].clone()]).0, Revocation::Unknown);
    assert_eq!(judge(&[crl(&world.inter, &[], 7, true), clean[1].clone()]).0, Revocation::Unknown);
    let liar = Holder { certificate: world.inter.certificate.clone(), ..world.root.clone() };
    assert_eq!(judge(&[crl(&liar, &[(officer, NOW - 1)], 7, false)]).0, Revocation::Unknown);
}

#[test]
fn what_was_revoked_after_the_time_that_somebody_answers_for_does_not_count() {
    let pki = Pki::mint();
    let pdf = &mutants::bases(&pki)[0].1;
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    anchors.add(pki.inter.certificate.clone());
    let day = 86_400;
    anchors.add_crl(&crl(&pki.root, &[], 7, false)).unwrap();
    anchors.add_crl(&crl(&pki.inter, &[(&pki.officer.certificate, NOW - day)], 7, false)).unwrap();
    let judge = |at: i64, as_of: bool| {
        let at = Timestamp::from_second(at).unwrap();
        let record = verify(pdf, &Question { anchors: &anchors, at, as_of, online: None });
        Report::of(&record, anchors.policy()).verdict
    };
    assert_eq!(judge(NOW, false), Verdict::Invalid);
    assert_eq!(judge(NOW, true), Verdict::Invalid);
    // The list is younger than that, and says when.
    assert_eq!(judge(NOW - 3 * day, true), Verdict::Valid);
    assert_eq!(judge(NOW - 40 * day, true), Verdict::Indeterminate, "the certificate was not valid yet");
}
