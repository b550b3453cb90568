//! Case 21: structures that are made to cost. Every one ends at a limit, without a panic.

use super::*;

/// A reading around any EF.SOD, larger than a reading file would let it be.
fn around(sod: Vec<u8>) -> Reading {
    let mut reading = world().forge(&right());
    reading.files.insert(FileId::Sod, sod);
    reading
}

/// A definite element nested so deep.
fn nested(tag: u8, depth: usize) -> Vec<u8> {
    let mut lengths = vec![0usize];
    for _ in 1..depth {
        let inner = lengths[lengths.len() - 1];
        lengths.push(inner + 1 + der::tlv(tag, &vec![0; inner]).len() - inner - 1);
    }
    let mut out = Vec::new();
    for length in lengths.iter().rev() {
        let head = der::tlv(tag, &vec![0; *length]);
        out.extend(&head[..head.len() - length]);
    }
    out
}

#[test]
fn bombs_in_the_sod_end_at_a_limit() {
    let malformed = Overall::Rejected(Refusal::Malformed);
    let limit = Overall::Rejected(Refusal::Limit);
    let bombs: [(&str, Vec<u8>, Overall); 11] = [
        ("depth, definite", der::tlv(0x77, &nested(0x30, 10_000)), limit),
        ("depth, indefinite", der::tlv(0x77, &[0x30, 0x80].repeat(10_000)), limit),
        ("length 2^32-1", [&[0x77, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30; 100]].concat(), malformed),
        ("inner length 2^32-1", der::tlv(0x77, &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0]), malformed),
        ("length of length", der::tlv(0x77, &[0x30, 0xfe, 0xff]), malformed),
        ("never closed", der::tlv(0x77, &[0x30, 0x80, 0x02, 1, 1]), malformed),
        ("a million members", der::tlv(0x77, &der::tlv(0x31, &[5, 0].repeat(1_000_000))), limit),
        ("30,000 members", der::tlv(0x77, &der::tlv(0x31, &[5, 0].repeat(30_000))), limit),
        ("length too long", der::tlv(0x77, &[0x30, 0x81, 2, 5, 0]), malformed),
        ("zero length", vec![0x77, 0], malformed),
        ("nothing", vec![], malformed),
    ];
    for (name, sod, expected) in bombs {
        let verdict = judge(&around(sod), "anchors");
        assert_eq!(
            (verdict.overall, verdict.short, flags(&verdict)),
            (expected, Short::Unverified, vec![]),
            "{name}"
        );
    }
}

#[test]
fn crowds_inside_a_right_structure_end_at_a_limit() {
    let sod = right().build(world());
    // Many signers, certificates, revocation lists, attributes, digest algorithms, entries of the list.
    let mut signers = right();
    signers.signers = (0..17).map(|_| by("ds")).collect();
    assert_eq!(judge(&world().forge(&signers), "anchors").overall, Overall::Rejected(Refusal::Limit));
    let mut crls = right();
    crls.crl = Some(der::sequence(&[]).repeat(65));
    assert_eq!(judge(&world().forge(&crls), "anchors").overall, Overall::Rejected(Refusal::Limit));
    let mut attributes = right();
    let one = der::sequence(&[&der::oid(&[1, 2, 3]), &der::tlv(0x31, &der::null())]);
    attributes.signers[0].unsigned = one.repeat(65);
    assert_eq!(judge(&world().forge(&attributes), "anchors").overall, Overall::Rejected(Refusal::Limit));
    let mut list = right();
    list.hashes.extend((0..255).map(|n| (n, vec![0; 32])));
    assert!(matches!(judge(&world().forge(&list), "anchors").overall, Overall::Forged(_)));
    // Every cut of a right one.
    for length in (0..sod.len()).step_by(3) {
        let verdict = judge(&around(sod[..length].to_vec()), "anchors");
        assert!(matches!(verdict.overall, Overall::Rejected(_)), "{length}");
    }
}

#[test]
fn bombs_in_signed_data_groups_are_flagged_and_do_no_harm() {
    let inner: [Vec<u8>; 6] = [
        nested(0x30, 10_000),
        [0x30, 0x80].repeat(10_000),
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        der::tlv(0x30, &[0x30, 0].repeat(30_000)),
        der::tlv(0x31, &nested(0x30, 9_000)),
        vec![],
    ];
    for content in &inner {
        for (number, tag) in
            [(1u8, 0x61u8), (2, 0x75), (7, 0x67), (11, 0x6b), (12, 0x6c), (13, 0x6d), (14, 0x6e), (15, 0x6f)]
        {
            let mut reading = world().forge(&with(number, &der::tlv(tag, content)));
            reading.active_authentication = Some(Challenge { challenge: vec![1; 8], response: vec![2; 64] });
            let verdict = judge(&reading, "anchors");
            assert_ne!(verdict.overall, Overall::Genuine);
            assert!(!matches!(verdict.overall, Overall::Forged(Forgery::DgHash)));
            let _ = holder::Holder::of(&reading, &verdict);
        }
    }
}

#[test]
fn files_over_their_caps_are_no_reading() {
    let files = |id: FileId, size: usize| {
        let mut files = world().forge(&right()).files;
        files.insert(id, vec![0; size]);
        Reading::of_files(files)
    };
    assert_eq!(files(FileId::Sod, 64 * 1024 + 1).unwrap_err().code.id, "CHIP-002");
    assert_eq!(files(FileId::Dg(13), 64 * 1024 + 1).unwrap_err().code.id, "CHIP-002");
    assert_eq!(files(FileId::Dg(2), 512 * 1024 + 1).unwrap_err().code.id, "CHIP-002");
    assert!(files(FileId::Dg(2), 512 * 1024).is_ok());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>, number in 1u8..=16, wrap: bool) {
        let tag = crate::chip::lds::tag_of(number).and_then(|t| u8::try_from(t).ok()).unwrap();
        let file = if wrap { der::tlv(tag, &bytes) } else { bytes.clone() };
        let _ = crate::chip::mrz::Mrz::of_dg1(&file);
        let _ = portrait::find(&file);
        let _ = crate::chip::dg7::pictures(&file);
        let _ = crate::chip::dg11::Dg11::parse(&file);
        let _ = crate::chip::dg12::Dg12::parse(&file);
        let _ = crate::chip::dg13::Dg13::parse(&file);
        let _ = crate::chip::lds::security_infos(&file);
        let _ = Sod::parse(&der::tlv(0x77, &bytes));
        let _ = crate::chip::card_qr::CardQr::parse(&bytes);
        let _ = Reading::parse(&bytes);
    }

    #[test]
    fn any_changed_portrait_is_found_or_refused_without_a_panic(at: proptest::sample::Index, to: u8, newer: bool) {
        let image = [&faces::jpeg(413, 531)[..21], &[0xff, 0xda, 0, 2, 7, 0xff, 0, 0xff, 0xd9]].concat();
        let mut file = if newer { faces::newer_dg2(&image) } else { faces::dg2(&image) };
        let at = at.index(file.len());
        file[at] = to;
        if let Ok(found) = portrait::find(&file) {
            proptest::prop_assert!(found.range.end <= file.len());
        }
    }
}
