use super::*;
use crate::chip::lds;
use crate::chip::reader::apdu::Command;
use crate::chip::reader::curve::SystemEntropy;
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

fn key(nid: Nid, flag: Asn1Flag) -> EcKey<Private> {
    let mut group = EcGroup::from_curve_name(nid).unwrap();
    group.set_asn1_flag(flag);
    EcKey::generate(&group).unwrap()
}

fn spki(key: &EcKey<Private>) -> Vec<u8> {
    PKey::from_ec_key(key.clone()).unwrap().public_key_to_der().unwrap()
}

fn dg14(suites: &[u64], keys: &[(&[u8], Option<u8>)]) -> Vec<u8> {
    let mut infos = Vec::new();
    for suite in suites {
        let oid = der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 3, 2, *suite]);
        infos.push(der::sequence(&[&oid, &der::integer(&[1])]));
    }
    for (spki, id) in keys {
        let oid = der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 1, 2]);
        let id = id.map_or(Vec::new(), |id| der::integer(&[id]));
        infos.push(der::sequence(&[&oid, spki, &id]));
    }
    der::set_of(&infos.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// What a chip with this key and a station leave behind.
fn evidence(chip: &EcKey<Private>, id: u64, arc: &str) -> ChipAuthentication {
    answered(chip, chip, id, arc, [0x90, 0])
}

/// The same of a station that agreed with the key `shown` and was answered by who holds `held`.
fn answered(
    shown: &EcKey<Private>,
    held: &EcKey<Private>,
    id: u64,
    arc: &str,
    sw: [u8; 2],
) -> ChipAuthentication {
    let curve = Curve::standardised(id).unwrap();
    let terminal = curve.private(&mut SystemEntropy).unwrap();
    let public = curve.multiply(curve.generator().unwrap(), terminal.scalar()).unwrap();
    // The chip's half, reached from the other side.
    let shared_with =
        |key: &EcKey<Private>| curve.shared(&curve.multiply(&public, key.private_key()).unwrap()).unwrap();
    let shared = shared_with(shown);
    let suite = Suite::of_arc(arc).unwrap();
    let mut session = Messaging::of_secret(suite, &shared);
    let command = session.protect(&Command::new(0xa4, 2, 0x0c, &[1, 0x1e], None)).unwrap();
    let zero = vec![0; suite.block()];
    let mut counter = zero.clone();
    *counter.last_mut().unwrap() = 2;
    let status = [0x99, 2, sw[0], sw[1]];
    let input = crate::chip::reader::suite::pad(&[&counter[..], &status].concat(), suite.block());
    let mac = suite.mac(&suite.derive(&shared_with(held), 2), &input).unwrap();
    ChipAuthentication {
        protocol: format!("{CA_ECDH}{arc}"),
        key_id: None,
        terminal_key: terminal.to_bytes(&curve).unwrap().to_vec(),
        command,
        response: [&status[..], &der::tlv(0x8e, &mac), &sw].concat(),
    }
}

#[test]
fn a_chip_that_holds_the_key_is_believed_on_every_curve_with_every_cipher() {
    let curves = [
        (9, Nid::BRAINPOOL_P192R1),
        (10, Nid::SECP224R1),
        (11, Nid::BRAINPOOL_P224R1),
        (12, Nid::X9_62_PRIME256V1),
        (13, Nid::BRAINPOOL_P256R1),
        (14, Nid::BRAINPOOL_P320R1),
        (15, Nid::SECP384R1),
        (16, Nid::BRAINPOOL_P384R1),
        (17, Nid::BRAINPOOL_P512R1),
        (18, Nid::SECP521R1),
    ];
    for (id, nid) in curves {
        for flag in [Asn1Flag::NAMED_CURVE, Asn1Flag::EXPLICIT_CURVE] {
            let chip = key(nid, flag);
            let dg14 = dg14(&[1, 2, 3, 4], &[(&spki(&chip), None)]);
            for arc in ["1", "2", "3", "4"] {
                assert_eq!(check(&dg14, &evidence(&chip, id, arc)), Answer::Holds, "{id} {arc}");
            }
        }
    }
}

#[test]
fn evidence_of_another_chip_or_with_a_changed_byte_is_not_believed() {
    let chip = key(Nid::BRAINPOOL_P256R1, Asn1Flag::NAMED_CURVE);
    let good = evidence(&chip, 13, "2");
    let dg14_of = |key: &EcKey<Private>| dg14(&[1, 2], &[(&spki(key), None)]);
    let ours = dg14_of(&chip);
    assert_eq!(check(&ours, &good), Answer::Holds);
    let copy = key(Nid::BRAINPOOL_P256R1, Asn1Flag::NAMED_CURVE);
    assert_eq!(check(&ours, &answered(&chip, &copy, 13, "2", [0x90, 0])), Answer::Wrong);
    // A transcript of another chip altogether.
    assert_eq!(check(&dg14_of(&copy), &good), Answer::Inconclusive);
    // Le, the last byte of the command, is under no MAC.
    for at in 0..good.command.len() - 1 {
        let mut changed = good.clone();
        changed.command[at] ^= 1;
        // Nor is the length, which then does not fit.
        assert_eq!(check(&ours, &changed), Answer::Inconclusive, "{at}");
    }
    for at in 0..good.response.len() {
        let mut changed = good.clone();
        changed.response[at] ^= 1;
        assert_ne!(check(&ours, &changed), Answer::Holds, "{at}");
        changed.response.truncate(at);
        assert_eq!(check(&ours, &changed), Answer::Inconclusive, "{at}");
    }
    for at in 0..32 {
        let mut changed = good.clone();
        changed.terminal_key[at] ^= 1;
        assert_ne!(check(&ours, &changed), Answer::Holds, "{at}");
    }
    let other = ChipAuthentication { protocol: format!("{CA_ECDH}1"), ..good };
    assert_eq!(check(&ours, &other), Answer::Inconclusive);
}

#[test]
fn a_refusal_under_the_new_keys_proves_them_and_one_in_the_clear_proves_nothing() {
    let chip = key(Nid::BRAINPOOL_P256R1, Asn1Flag::NAMED_CURVE);
    let dg14 = dg14(&[1, 2], &[(&spki(&chip), None)]);
    // A card without EF.COM, one that wants more authority, one that is broken.
    for sw in [[0x6a, 0x82], [0x69, 0x82], [0x6f, 0]] {
        for arc in ["1", "2"] {
            let mut evidence = answered(&chip, &chip, 13, arc, sw);
            assert_eq!(check(&dg14, &evidence), Answer::Holds, "{sw:02x?}");
            evidence.response = sw.to_vec();
            assert_eq!(check(&dg14, &evidence), Answer::Inconclusive, "{sw:02x?}");
        }
    }
}

#[test]
fn what_dg14_does_not_offer_or_no_curve_holds_is_unusable() {
    let chip = key(Nid::X9_62_PRIME256V1, Asn1Flag::NAMED_CURVE);
    let good = evidence(&chip, 12, "2");
    let spki = spki(&chip);
    let judge = |dg14: &[u8], change: &dyn Fn(&mut ChipAuthentication)| {
        let mut changed = good.clone();
        change(&mut changed);
        check(dg14, &changed)
    };
    let offered = dg14(&[2], &[(&spki, None)]);
    assert_eq!(judge(&offered, &|_| {}), Answer::Holds);
    for dg14 in
        [dg14(&[4], &[(&spki, None)]), dg14(&[2], &[]), dg14(&[], &[(&spki, None)]), vec![], vec![0x31]]
    {
        assert_eq!(judge(&dg14, &|_| {}), Answer::Unusable);
    }
    assert_eq!(judge(&offered, &|e| e.protocol.push('0')), Answer::Unusable);
    assert_eq!(judge(&offered, &|e| e.protocol.clear()), Answer::Unusable);
    for bad in [vec![], vec![0; 32], vec![0xff; 32], vec![0; 4096]] {
        assert_eq!(judge(&offered, &|e| e.terminal_key.clone_from(&bad)), Answer::Unusable);
    }
    // The point beside the curve, then infinity.
    let mut beside = spki.clone();
    *beside.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&dg14(&[2], &[(&beside, None)]), &|_| {}), Answer::Unusable);
    let algorithm = der::only(&spki, 0x30).unwrap().reader().expect(0x30).unwrap().raw;
    let infinity = der::sequence(&[algorithm, &der::tlv(0x03, &[0, 0])]);
    assert_eq!(judge(&dg14(&[2], &[(&infinity, None)]), &|_| {}), Answer::Unusable);
}

#[test]
fn of_several_keys_the_named_one_counts() {
    let (one, two) = (
        key(Nid::X9_62_PRIME256V1, Asn1Flag::NAMED_CURVE),
        key(Nid::X9_62_PRIME256V1, Asn1Flag::NAMED_CURVE),
    );
    let info = |id: u8| {
        let oid = der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 3, 2, 2]);
        der::sequence(&[&oid, &der::integer(&[1]), &der::integer(&[id])])
    };
    let public = |key: &EcKey<Private>, id: u8| {
        let oid = der::oid(&[0, 4, 0, 127, 0, 7, 2, 2, 1, 2]);
        der::sequence(&[&oid, &spki(key), &der::integer(&[id])])
    };
    let dg14 = der::set_of(&[&info(1), &info(2), &public(&one, 1), &public(&two, 2)]);
    let mut good = evidence(&two, 12, "2");
    assert_eq!(check(&dg14, &good), Answer::Unusable);
    good.key_id = Some(vec![2]);
    assert_eq!(check(&dg14, &good), Answer::Holds);
    good.key_id = Some(vec![1]);
    assert_eq!(check(&dg14, &good), Answer::Inconclusive);
    good.key_id = Some(vec![3]);
    assert_eq!(check(&dg14, &good), Answer::Unusable);
}

#[test]
fn a_key_without_a_protocol_is_run_with_triple_des() {
    let chip = key(Nid::SECP224R1, Asn1Flag::NAMED_CURVE);
    let dg14 = dg14(&[], &[(&spki(&chip), None)]);
    assert_eq!(check(&dg14, &evidence(&chip, 10, "1")), Answer::Holds);
}

#[test]
fn a_flood_of_infos_is_refused() {
    let info = der::sequence(&[&der::oid(&[1, 2, 3])]);
    let flood = der::tlv(0x31, &info.repeat(201));
    assert!(matches!(offers(&flood), Err(DerError::Limit { .. })));
    assert!(offers(&der::tlv(0x31, &info.repeat(200))).is_ok_and(|offers| offers.is_empty()));
}

#[test]
fn the_public_specimen_offers_a_key_on_a_curve_with_a_name() {
    let folder = std::env::var("HOSO_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let folder = std::path::Path::new(&folder).join("identity/specimen-bsi-2008");
    let file = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).find(|path| {
        path.file_stem().is_some_and(|s| {
            s.to_string_lossy().to_lowercase().replace("datagroup", "dg").replace("ef_", "") == "dg14"
        })
    });
    let Some(file) = file else {
        println!("skipped: no specimen at {}", folder.display());
        return;
    };
    let file = std::fs::read(file).unwrap();
    let offers = offers(lds::open(&file, 14).unwrap()).unwrap();
    assert!(!offers.is_empty());
    assert!(offers.iter().all(|offer| offer.key().is_some_and(|(curve, _)| curve.bits() == 224)));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(dg14: Vec<u8>, command: Vec<u8>, response: Vec<u8>) {
        let protocol = format!("{CA_ECDH}2");
        let evidence = ChipAuthentication { protocol, key_id: None, terminal_key: vec![1], command, response };
        proptest::prop_assert_eq!(check(&dg14, &evidence), Answer::Unusable);
    }
}
