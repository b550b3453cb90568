//! Case 18: keys with their curve written out. Each of these ends, whatever the parameters.

use super::*;

/// A curve written out, brainpoolP256r1 unless told otherwise.
struct Curve {
    p: Vec<u8>,
    a: Vec<u8>,
    b: Vec<u8>,
    generator: Vec<u8>,
    order: Vec<u8>,
    cofactor: Option<u8>,
}

fn brainpool() -> Curve {
    let bytes = |text: &str| hex::decode(text).unwrap();
    Curve {
        p: bytes("a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377"),
        a: bytes("7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9"),
        b: bytes("26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6"),
        generator: bytes(
            "048bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262\
             547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
        ),
        order: bytes("a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
        cofactor: Some(1),
    }
}

impl Curve {
    /// A reading signed with the key `ds`, whose certificate writes this curve and that key's point.
    fn judged(&self) -> Verdict {
        let key = world().key("ds");
        let point = key.ec_key().unwrap();
        let mut context = openssl::bn::BigNumContext::new().unwrap();
        let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
        let point = point.public_key().to_bytes(point.group(), form, &mut context).unwrap();
        self.judged_with(&point)
    }

    fn judged_with(&self, point: &[u8]) -> Verdict {
        let field = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 1, 1]), &der::integer(&self.p)]);
        let curve = der::sequence(&[&der::octet_string(&self.a), &der::octet_string(&self.b)]);
        let parameters = der::sequence(&[
            &der::integer(&[1]),
            &field,
            &curve,
            &der::octet_string(&self.generator),
            &der::integer(&self.order),
            &self.cofactor.map(|h| der::integer(&[h])).unwrap_or_default(),
        ]);
        let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 2, 1]), &parameters]);
        let spki = der::sequence(&[&algorithm, &der::tlv(0x03, &[&[0], point].concat())]);
        let certificate = world().certify(&spki, &lately());
        let mut hand = right();
        hand.signers = vec![by_whom(Who::Made(certificate, world().key("ds")))];
        judge(&world().forge(&hand), "anchors")
    }
}

fn rejected(curve: &Curve) {
    let verdict = curve.judged();
    assert_eq!(
        (verdict.overall, verdict.pa_signature, verdict.short),
        (Overall::Rejected(Refusal::EcParams), Check::NotChecked, Short::Unverified)
    );
}

#[test]
fn a_named_curve_written_out_in_full_is_that_curve() {
    assert_eq!(brainpool().judged().overall, UNCHECKED);
}

#[test]
fn a_generator_of_the_senders_own_is_rejected() {
    // The signer's own public point as the generator: private key 1 (CVE-2020-0601).
    let key = world().key("ds").ec_key().unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = key.public_key().to_bytes(key.group(), form, &mut context).unwrap();
    rejected(&Curve { generator: point, ..brainpool() });
    let number = |bytes: &[u8]| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let mut y = openssl::bn::BigNum::new().unwrap();
    y.checked_sub(&number(&brainpool().p), &number(&brainpool().generator[33..])).unwrap();
    let negative = [&brainpool().generator[..33], &y.to_vec_padded(32).unwrap()].concat();
    rejected(&Curve { generator: negative, ..brainpool() });
}

#[test]
fn a_cofactor_that_is_absent_or_another_is_rejected() {
    for cofactor in [None, Some(0), Some(2), Some(4)] {
        rejected(&Curve { cofactor, ..brainpool() });
    }
}

#[test]
fn composite_and_huge_moduli_are_rejected_and_the_work_ends() {
    let mut composite = brainpool();
    composite.p[31] = 0x75;
    rejected(&composite);
    // A compressed generator needs a square root, which for some moduli never came (CVE-2022-0778).
    let mut compressed = composite;
    compressed.generator = [&[2], &compressed.generator[1..33]].concat();
    rejected(&compressed);
    let small = Curve {
        p: hex::decode("02b9").unwrap(),
        a: vec![0x17; 2],
        b: vec![0x03; 2],
        generator: vec![2, 0x02, 0xb9],
        order: hex::decode("02b9").unwrap(),
        cofactor: Some(1),
    };
    rejected(&small);
    for size in [128, 1024, 4000] {
        let big = vec![0xff; size];
        rejected(&Curve { p: big.clone(), a: big.clone(), b: big.clone(), ..brainpool() });
        let generator = [&[2], &big[..]].concat();
        rejected(&Curve {
            p: big.clone(),
            a: big.clone(),
            b: big.clone(),
            order: big,
            generator,
            cofactor: Some(1),
        });
    }
}

#[test]
fn any_single_changed_parameter_is_rejected() {
    let near = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 1;
        bytes[last] ^= 2;
        bytes
    };
    rejected(&Curve { p: near(brainpool().p), ..brainpool() });
    rejected(&Curve { a: near(brainpool().a), ..brainpool() });
    rejected(&Curve { b: near(brainpool().b), ..brainpool() });
    rejected(&Curve { order: near(brainpool().order), ..brainpool() });
    rejected(&Curve { generator: near(brainpool().generator), ..brainpool() });
}

#[test]
fn points_that_are_none_are_rejected() {
    for point in [&[0][..], &[], &[4], &[4; 65], &[2; 33]] {
        let verdict = brainpool().judged_with(point);
        assert!(
            matches!(verdict.overall, Overall::Rejected(_) | Overall::Forged(Forgery::Signature)),
            "{:?}",
            verdict.overall
        );
    }
}

#[test]
fn a_named_curve_that_no_document_uses_is_refused_by_policy() {
    let policy = Policy { curves: vec!["secp384r1".to_owned()], ..Policy::default() };
    let verdict =
        verify(&world().mint("prime256v1", &[]), &world().trust("anchors"), jiff::Timestamp::now(), &policy);
    assert_eq!(verdict.overall, CHAIN);
}
