//! A changed byte anywhere in what a chip gives never yields a genuine reading.

use super::*;

/// The lowest bit, all bits, the highest, and what turns one letter or string type into another.
const MASKS: [u8; 5] = [0x01, 0xff, 0x80, 0x20, 0x1f];
/// For files that differ little from one that is tried under all of them.
const FEW: usize = 2;

fn genuine(ds: &'static str, options: &[&str]) -> Reading {
    let reading = world().mint(ds, &[&["--aa-key", "aa.key"], options].concat());
    assert_eq!(judge(&reading, "anchors").overall, Overall::Genuine);
    reading
}

/// Every byte of a file under every mask; with `HOSO_EXHAUSTIVE` set, all 255 of them.
fn never_genuine(
    reading: &Reading,
    id: FileId,
    places: impl Iterator<Item = usize>,
    masks: &[u8],
    allowed: &[(usize, u8)],
) {
    let all: Vec<u8> = (1..=255).collect();
    let masks = if std::env::var_os("HOSO_EXHAUSTIVE").is_some() { &all[..] } else { masks };
    let (trust, policy, now) = (world().trust("anchors"), Policy::default(), jiff::Timestamp::now());
    let mut changed = reading.clone();
    for at in places {
        for mask in masks {
            let file = changed.files.get_mut(&id).unwrap();
            file[at] ^= mask;
            let now_is = file[at];
            let verdict = verify(&changed, &trust, now, &policy);
            let genuine = verdict.overall == Overall::Genuine && !allowed.contains(&(at, now_is));
            assert!(!genuine, "{id} byte {at} ^ {mask:02x}");
            changed.files.get_mut(&id).unwrap()[at] ^= mask;
        }
    }
    assert!(changed == *reading);
}

fn whole(reading: &Reading, id: FileId, masks: &[u8]) {
    never_genuine(reading, id, 0..reading.files[&id].len(), masks, &[]);
}

#[test]
fn no_flipped_byte_of_the_sod_is_genuine() {
    whole(&genuine("ds", &[]), FileId::Sod, &MASKS);
}

#[test]
fn no_flipped_byte_of_a_sod_with_indefinite_lengths_is_genuine() {
    whole(&genuine("ds", &["--cms", "-stream"]), FileId::Sod, &MASKS[..FEW]);
}

#[test]
fn no_flipped_byte_of_a_sod_with_pss_is_genuine() {
    whole(
        &genuine("rsa2048", &["--cms", "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32"]),
        FileId::Sod,
        &MASKS[..FEW],
    );
}

#[test]
fn of_a_sod_with_rsa_only_the_other_prescribed_name_of_the_same_algorithm_is_genuine() {
    let reading = genuine("rsa2048", &[]);
    let sod = &reading.files[&FileId::Sod];
    // rsaEncryption, whose last arc 1 may as well be 11 (with SHA-256): RFC 5754, 3.2 names both.
    let oid = der::oid(&[1, 2, 840, 113_549, 1, 1, 1]);
    let at = sod.windows(oid.len()).rposition(|w| w == oid).unwrap() + oid.len() - 1;
    never_genuine(&reading, FileId::Sod, 0..sod.len(), &MASKS[..FEW], &[(at, 11)]);
}

#[test]
fn no_flipped_byte_of_a_data_group_is_genuine() {
    let mut reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let dg14 = der::tlv(0x6e, &der::set_of(&[]));
    let mut hand = with(14, &dg14);
    hand.hashes.push((15, openssl::sha::sha256(reading.dg(15).unwrap()).to_vec()));
    let (portrait, noise) = (faces::jpeg(413, 531), vec![7u8; 6000]);
    let face =
        faces::dg2(&[&portrait[..portrait.len() - 2], &[0xff, 0xda, 0, 2], &noise, &[0xff, 0xd9]].concat());
    hand.hashes.retain(|(n, _)| *n != 2);
    hand.hashes.push((2, openssl::sha::sha256(&face).to_vec()));
    reading.files.insert(FileId::Dg(2), face);
    reading.files.insert(FileId::Dg(14), dg14);
    reading.files.insert(FileId::Sod, hand.build(world()));
    assert_eq!(judge(&reading, "anchors").overall, Overall::Genuine);
    for number in [1, 13, 14, 15] {
        whole(&reading, FileId::Dg(number), &MASKS);
    }
    let size = reading.dg(2).unwrap().len();
    never_genuine(
        &reading,
        FileId::Dg(2),
        (0..100).chain((100..size).step_by(61)).chain([size - 1]),
        &MASKS[..FEW],
        &[],
    );
}
