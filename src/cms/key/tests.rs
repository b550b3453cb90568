use super::*;
use std::process::Command;
use std::time::Instant;

/// A SubjectPublicKeyInfo by the OpenSSL command line.
fn spki(curve: &str, options: &str) -> Vec<u8> {
    let script = format!(
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} {options} | openssl pkey -pubout -outform DER"
    );
    let output = Command::new("bash").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const EXPLICIT: &str = "-pkeyopt ec_param_enc:explicit";

/// ECParameters taken apart, to be put together again wrongly.
struct Pieces {
    p: Vec<u8>,
    a: Vec<u8>,
    b: Vec<u8>,
    base: Vec<u8>,
    order: Vec<u8>,
    cofactor: Option<Vec<u8>>,
    point: Vec<u8>,
}

impl Pieces {
    fn of(spki: &[u8]) -> Self {
        let mut outer = der::only(spki, 0x30).unwrap().reader();
        let mut algorithm = outer.expect(0x30).unwrap().reader();
        algorithm.expect(0x06).unwrap();
        let parameters = algorithm.expect(0x30).unwrap();
        let written = read(&parameters).unwrap().unwrap();
        let vec = <[u8]>::to_vec;
        Pieces {
            p: vec(written.p),
            a: vec(written.a),
            b: vec(written.b),
            base: vec(written.base),
            order: vec(written.order),
            cofactor: Some(vec![1]),
            point: vec(outer.expect(0x03).unwrap().content),
        }
    }

    fn join(&self) -> Vec<u8> {
        let field = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 1, 1]), &der::integer(&self.p)]);
        let coefficients = der::sequence(&[&der::octet_string(&self.a), &der::octet_string(&self.b)]);
        let cofactor = self.cofactor.as_ref().map(|c| der::integer(c)).unwrap_or_default();
        let parameters = der::sequence(&[
            &der::integer(&[1]),
            &field,
            &coefficients,
            &der::octet_string(&self.base),
            &der::integer(&self.order),
            &cofactor,
        ]);
        let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 2, 1]), &parameters]);
        der::sequence(&[&algorithm, &der::tlv(0x03, &self.point)])
    }
}

#[test]
fn every_known_curve_that_is_written_out_is_used_under_its_name() {
    for (name, oid, octets) in KNOWN {
        let object = Asn1Object::from_str(name).unwrap();
        assert_eq!(object.as_slice(), oid, "{name}");
        let group = EcGroup::from_curve_name(object.nid()).unwrap();
        assert_eq!(group.degree().div_ceil(8) as usize, octets, "{name}");
        let written = spki(name, EXPLICIT);
        assert_eq!(curve(&written), Curve::WrittenOut(name));
        let key = public_key(&written).unwrap();
        let found = key.ec_key().unwrap();
        assert_eq!(found.group().curve_name().unwrap().short_name().unwrap(), name);
        // The same point as the one that OpenSSL reads by itself.
        let theirs = PKey::public_key_from_der(&written).unwrap().ec_key().unwrap();
        let mut context = BigNumContext::new().unwrap();
        assert!(found.public_key().eq(&group, theirs.public_key(), &mut context).unwrap(), "{name}");
        let named = spki(name, "");
        assert_eq!(curve(&named), Curve::Named);
        let theirs = PKey::public_key_from_der(&named).unwrap();
        assert!(public_key(&named).unwrap().public_eq(&theirs), "{name}");
    }
}

#[test]
fn a_generator_may_be_compressed_and_a_seed_may_be_there() {
    let compressed = spki("prime256v1", &format!("{EXPLICIT} -pkeyopt point-format:compressed"));
    let mut pieces = Pieces::of(&spki("prime256v1", EXPLICIT));
    assert_eq!(Pieces::of(&spki("prime256v1", EXPLICIT)).base[0], 4);
    let (x, y) = pieces.base[1..].split_at(32);
    let (x, parity) = (x.to_vec(), y[31] & 1);
    pieces.base = [&[2 | parity], &x[..]].concat();
    assert_eq!(curve(&pieces.join()), Curve::WrittenOut("prime256v1"));
    pieces.base[0] ^= 1;
    assert_eq!(curve(&pieces.join()), Curve::Unknown, "the other point with this x");
    assert_eq!(curve(&compressed), Curve::WrittenOut("prime256v1"));
}

#[test]
fn any_other_number_is_no_known_curve_and_never_reaches_the_arithmetic() {
    let right = || Pieces::of(&spki("brainpoolP256r1", EXPLICIT));
    assert_eq!(curve(&right().join()), Curve::WrittenOut("brainpoolP256r1"));
    type Change = fn(&mut Pieces);
    let cases: [(&str, Change); 9] = [
        // CVE-2020-0601: the public key itself as the generator, so that the private key is 1.
        ("generator", |p| p.base = p.point[1..].to_vec()),
        ("composite p", |p| *p.p.last_mut().unwrap() ^= 2),
        ("even p", |p| *p.p.last_mut().unwrap() ^= 1),
        ("coefficient", |p| p.b[3] ^= 1),
        ("order", |p| *p.order.last_mut().unwrap() ^= 1),
        ("no cofactor", |p| p.cofactor = None),
        ("cofactor", |p| p.cofactor = Some(vec![8])),
        // CVE-2022-0778: a square root modulo a number that is not prime never ends.
        ("huge p, compressed base", |p| {
            p.p = vec![0xff; 30_000];
            p.base = vec![2, 5];
        }),
        ("zero p", |p| p.p = vec![0]),
    ];
    for (what, change) in cases {
        let mut pieces = right();
        change(&mut pieces);
        let bytes = pieces.join();
        let start = Instant::now();
        assert_eq!(
            (curve(&bytes), public_key(&bytes).err()),
            (Curve::Unknown, Some(KeyError::Curve)),
            "{what}"
        );
        assert!(start.elapsed().as_secs() < 60, "{what} took {:?}", start.elapsed());
    }
    assert_eq!(claimed_bits(&right().join()), 256);
}

#[test]
fn a_point_off_the_curve_and_a_key_of_another_kind_are_told() {
    let mut off = Pieces::of(&spki("brainpoolP384r1", EXPLICIT));
    *off.point.last_mut().unwrap() ^= 1;
    assert_eq!(public_key(&off.join()).err(), Some(KeyError::Unreadable));
    assert_eq!(public_key(b"\x30\x00").err(), Some(KeyError::Curve));
    let rsa = Rsa::generate(1024).unwrap().public_key_to_der().unwrap();
    assert_eq!(curve(&rsa), Curve::Named);
    assert!(public_key(&rsa).unwrap().public_eq(&PKey::public_key_from_der(&rsa).unwrap()));
    let infinity = Pieces { point: vec![0, 0], ..Pieces::of(&spki("prime256v1", EXPLICIT)) };
    assert_eq!(public_key(&infinity.join()).err(), Some(KeyError::Unreadable));
    // A curve over a binary field has no number here, and a name that OpenSSL knows.
    assert!(public_key(&spki("sect283r1", "")).is_ok());
    let ed25519 = PKey::generate_ed25519().unwrap().public_key_to_der().unwrap();
    assert!(public_key(&ed25519).is_ok());
    for end in 0..rsa.len() {
        assert!(public_key(&rsa[..end]).is_err());
    }
}
