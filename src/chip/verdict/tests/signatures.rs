//! Cases 1 to 5, 17, 19, 20, 22, 23: who signed what, with which algorithm.

use super::*;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;

#[test]
fn rsa_signatures_hold_in_both_paddings_whatever_the_certificate_was_signed_with() {
    for (options, name) in [
        (&[][..], "sha256WithRSAEncryption"),
        (&["--md", "sha512"], "sha512WithRSAEncryption"),
        (&["--cms", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32"], "rsassaPss-SHA256 (salt 32)"),
        (&["--cms", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:20"], "rsassaPss-SHA256 (salt 20)"),
        (
            &["--cms", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:0", "--md", "sha384"],
            "rsassaPss-SHA384 (salt 0)",
        ),
    ] {
        // The certificate itself is signed with ECDSA and SHA-384: only the SignerInfo tells the algorithm.
        let verdict = judge(&world().mint("rsa2048", options), "anchors");
        assert_eq!(
            (verdict.overall, flags(&verdict)),
            (UNCHECKED, vec![Flag::SigningTimeSelfAsserted]),
            "{name}"
        );
        assert_eq!(verdict.sod.algorithm.as_deref(), Some(name));
    }
}

fn pss(salt: i32, md: MessageDigest, parameters: Vec<u8>) -> Verdict {
    let mut hand = right();
    hand.signers = vec![Signature { how: How::Pss(md, salt, parameters), ..by("rsa2048") }];
    judge(&world().forge(&hand), "anchors")
}

fn sha256_parameters(salt: &[u8]) -> Vec<u8> {
    let sha256 = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), &der::null()]);
    let mask = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 8]), &sha256]);
    der::sequence(&[&der::tlv(0xa0, &sha256), &der::tlv(0xa1, &mask), &der::tlv(0xa2, &der::integer(salt))])
}

#[test]
fn absent_parameters_of_pss_are_those_of_sha1_and_a_salt_of_another_length_is_forged() {
    let right = pss(32, MessageDigest::sha256(), sha256_parameters(&[32]));
    assert_eq!((right.overall, flags(&right)), (UNCHECKED, vec![]));
    let defaults = pss(20, MessageDigest::sha1(), der::sequence(&[]));
    assert_eq!(defaults.overall, Overall::Unverifiable(Unproven::WeakAlgorithm));
    assert_eq!(
        (flags(&defaults), &defaults.sod.weak[..]),
        (vec![Flag::WeakAlgorithm], &["SHA-1".to_owned()][..])
    );
    // Without any parameters the same is meant, though RFC 4055 wants an empty SEQUENCE.
    let none = pss(20, MessageDigest::sha1(), Vec::new());
    assert_eq!(none.overall, Overall::Unverifiable(Unproven::WeakAlgorithm));
    for (salt, said) in [(32, 20), (20, 32), (32, 31)] {
        let verdict = pss(salt, MessageDigest::sha256(), sha256_parameters(&[said]));
        assert_eq!((verdict.overall, flags(&verdict)), (Overall::Forged(Forgery::Signature), vec![]));
    }
    let trailer = [&sha256_parameters(&[32])[2..], &der::tlv(0xa3, &der::integer(&[2]))].concat();
    let other = pss(32, MessageDigest::sha256(), der::tlv(0x30, &trailer));
    assert_eq!(other.overall, Overall::Unverifiable(Unproven::UnknownAlgorithm));
}

#[test]
fn every_curve_of_the_standard_is_judged_and_the_short_ones_are_weak() {
    for (curve, weak) in [
        ("prime192v1", true),
        ("secp224r1", true),
        ("brainpoolP224r1", true),
        ("prime256v1", false),
        ("secp384r1", false),
        ("secp521r1", false),
        ("brainpoolP384r1", false),
        ("brainpoolP512r1", false),
    ] {
        let reading = world().mint(curve, &[]);
        let verdict = judge(&reading, "anchors");
        let expected = if weak { Overall::Unverifiable(Unproven::WeakAlgorithm) } else { UNCHECKED };
        assert_eq!(
            (verdict.overall, verdict.flags.contains(&Flag::WeakAlgorithm)),
            (expected, weak),
            "{curve}"
        );
        assert_eq!(verdict.sod.weak.iter().any(|name| name.contains(curve)), weak, "{curve}");
    }
}

#[test]
fn small_exponents_and_old_hashes_are_weak_by_name() {
    let three = judge(&world().mint("rsa3", &[]), "anchors");
    assert_eq!(three.overall, Overall::Unverifiable(Unproven::WeakAlgorithm));
    assert_eq!(three.sod.weak, ["RSA e=1, 3"]);
    // With exponent 1 the padded digest is its own signature: anybody signs.
    let rsa =
        openssl::rsa::Rsa::public_key_from_der(&world().key("rsa2048").public_key_to_der().unwrap()).unwrap();
    let one =
        openssl::rsa::Rsa::from_public_components(rsa.n().to_owned().unwrap(), BigNum::from_u32(1).unwrap());
    let spki = PKey::from_rsa(one.unwrap()).unwrap().public_key_to_der().unwrap();
    let certificate = world().certify(&spki, &lately());
    let mut hand = right();
    hand.signers = vec![by_whom(Who::Made(certificate, world().key("rsa2048")))];
    hand.signers[0].how = How::PaddedDigest;
    let verdict = judge(&world().forge(&hand), "anchors");
    assert_eq!((verdict.overall, &verdict.sod.weak[..]), (WEAK, &["RSA e=1, 3".to_owned()][..]));
    let mut sha1 = right();
    sha1.signers[0].how = How::EcdsaSha1;
    let verdict = judge(&world().forge(&sha1), "anchors");
    assert_eq!((verdict.overall, flags(&verdict)), (WEAK, vec![Flag::WeakAlgorithm]));
    assert_eq!(verdict.sod.weak, ["SHA-1"]);
}

#[test]
fn what_is_weak_and_allowed_is_never_called_genuine() {
    let reading = world().mint("ds", &["--md", "sha1", "--aa-key", "aa.key"]);
    assert_eq!(judge(&reading, "anchors").overall, WEAK);
    let policy = Policy { allow_weak: true, ..Policy::default() };
    let verdict = verify(&reading, &world().trust("anchors"), jiff::Timestamp::now(), &policy);
    assert_eq!((verdict.overall, verdict.trials.active), (UNCHECKED, Trial::Passed));
    assert!(verdict.flags.contains(&Flag::WeakAlgorithm));
}

fn ecdsa(signature: Vec<u8>) -> Verdict {
    let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 2])]);
    let mut hand = right();
    hand.signers = vec![Signature { how: How::Fixed(algorithm, signature), ..by("prime256v1") }];
    judge(&world().forge(&hand), "anchors")
}

#[test]
fn impossible_numbers_of_an_elliptic_signature_are_forged() {
    let n = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let above = [&n[..31], &[0x52]].concat();
    for (r, s) in [
        (&[0][..], &[1][..]),
        (&[1], &[0]),
        (&[0], &[0]),
        (&n, &[1]),
        (&[1], &n),
        (&above, &[1]),
        (&[1], &[0xff; 40]),
    ] {
        let verdict = ecdsa(der::sequence(&[&der::integer(r), &der::integer(s)]));
        assert_eq!(
            (verdict.overall, verdict.pa_signature),
            (Overall::Forged(Forgery::Signature), Check::Failed),
            "{}",
            hex::encode(r)
        );
    }
    assert_eq!(ecdsa(vec![]).overall, Overall::Forged(Forgery::Signature));
    assert_eq!(ecdsa(vec![0x30, 6, 2, 1, 0xff, 2, 1, 1]).overall, Overall::Forged(Forgery::Signature));
}

#[test]
fn an_elliptic_signature_that_is_not_der_is_malformed() {
    let padded = der::sequence(&[&[2, 2, 0, 1], &[2, 1, 1]]);
    assert_eq!(ecdsa(padded).overall, Overall::Rejected(Refusal::Malformed));
    assert_eq!(ecdsa(vec![0x30, 0x81, 6, 2, 1, 1, 2, 1, 1]).overall, Overall::Rejected(Refusal::Malformed));
}

#[test]
fn a_key_on_one_curve_and_a_signature_made_on_another_are_the_issuers_mistake() {
    // The key is on P-256 and the certificate names brainpoolP256r1: the point does not lie on the curve.
    let spki = world().key("prime256v1").public_key_to_der().unwrap();
    let brainpool = der::oid(&[1, 3, 36, 3, 3, 2, 8, 1, 1, 7]);
    let p256 = der::oid(&[1, 2, 840, 10045, 3, 1, 7]);
    let at = spki.windows(p256.len()).position(|w| w == p256).unwrap();
    let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 2, 1]), &brainpool]);
    let mixed = der::sequence(&[&algorithm, &spki[at + p256.len()..]]);
    let certificate = world().certify(&mixed, &lately());
    let mut hand = right();
    hand.signers = vec![by_whom(Who::Made(certificate, world().key("prime256v1")))];
    let verdict = judge(&world().forge(&hand), "anchors");
    assert_eq!(
        (verdict.overall, verdict.short),
        (Overall::Unverifiable(Unproven::IssuerDefect), Short::Unverified)
    );
    // The key is on brainpoolP256r1 and the numbers are too large for it, as of a signature made on P-256.
    let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 2])]);
    let large = der::integer(&[0xee; 32]);
    let mut hand = right();
    hand.signers[0].how = How::Fixed(algorithm, der::sequence(&[&large, &large]));
    assert_eq!(
        judge(&world().forge(&hand), "anchors").overall,
        Overall::Unverifiable(Unproven::IssuerDefect)
    );
}

#[test]
fn attributes_out_of_order_are_hashed_as_sent_first_and_what_was_hashed_is_recorded() {
    let mut hand = right();
    hand.signers[0].reversed = true;
    let sent = judge(&world().forge(&hand), "anchors");
    assert_eq!((sent.overall, flags(&sent)), (UNCHECKED, vec![]));
    assert_eq!(sent.sod.over, Some(Over::AttributesAsSent));
    hand.signers[0].over = Made::SortedAttributes;
    let sorted = judge(&world().forge(&hand), "anchors");
    assert_eq!((sorted.overall, flags(&sorted)), (UNCHECKED, vec![Flag::AttributesReordered]));
    assert_eq!(sorted.sod.over, Some(Over::AttributesSorted));
    hand.signers[0].over = Made::Nothing;
    assert_eq!(judge(&world().forge(&hand), "anchors").overall, Overall::Forged(Forgery::Signature));
}

#[test]
fn a_signature_over_the_list_itself_holds_and_says_so() {
    let verdict = judge(&world().mint("ds", &["--cms", "-noattr"]), "anchors");
    assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![Flag::NoSignedAttributes]));
    assert_eq!(verdict.sod.over, Some(Over::Content));
}

#[test]
fn indefinite_lengths_are_read_like_definite_ones() {
    let reading = world().mint("ds", &["--cms", "-stream", "--aa-key", "aa.key"]);
    assert!(reading.files[&FileId::Sod].windows(2).any(|w| w == [0x24, 0x80]));
    assert_eq!(judge(&reading, "anchors").overall, Overall::Genuine);
}

#[test]
fn a_signer_pointed_to_by_its_key_is_found() {
    let verdict = judge(&world().mint("keyid", &["--cms", "-keyid", "--aa-key", "aa.key"]), "anchors");
    assert_eq!(verdict.overall, Overall::Genuine);
}

#[test]
fn what_nobody_signed_and_is_odd_is_never_called_genuine() {
    let aa = world().mint("ds", &["--aa-key", "aa.key"]);
    let listed = |hand: Hand| {
        let mut hand = hand;
        hand.hashes.push((15, openssl::sha::sha256(aa.dg(15).unwrap()).to_vec()));
        hand.files.insert(15, aa.dg(15).unwrap().to_vec());
        let mut reading = world().forge(&hand);
        reading.active_authentication.clone_from(&aa.active_authentication);
        judge(&reading, "anchors")
    };
    let plain = listed(right());
    assert_eq!((plain.overall, flags(&plain)), (Overall::Genuine, vec![Flag::AaChallengeUnproven]));
    let mut name = right();
    name.signers[0].issuer_as_printable = true;
    let mut unsigned = right();
    unsigned.signers[0].unsigned = der::sequence(&[&der::oid(&[1, 2, 3]), &der::tlv(0x31, &der::null())]);
    for hand in [name, unsigned] {
        let verdict = listed(hand);
        assert_eq!((verdict.overall, verdict.trials.active), (UNCHECKED, Trial::Passed));
        assert!(verdict.flags.contains(&Flag::SodFrameUnusual));
    }
}

#[test]
fn an_unknown_algorithm_is_unverifiable_and_not_forged() {
    let unknown = der::sequence(&[&der::oid(&[1, 3, 101, 112])]);
    let mut hand = right();
    hand.signers[0].how = How::Fixed(unknown, vec![0; 64]);
    let verdict = judge(&world().forge(&hand), "anchors");
    assert_eq!(verdict.overall, Overall::Unverifiable(Unproven::UnknownAlgorithm));
    assert_eq!(verdict.pa_signature, Check::NotChecked);
}
