//! Cases 7 to 10, 26, 29, 31: what the data groups say.

use super::*;

#[test]
fn fingers_that_only_the_police_may_read_are_protected_and_not_missing() {
    let mut hand = right();
    hand.hashes.push((3, vec![3; 32]));
    hand.hashes.push((4, vec![4; 32]));
    let verdict = judge(&world().forge(&hand), "anchors");
    assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![]));
    assert_eq!((verdict.dg[&3], verdict.dg[&4]), (DgState::Protected, DgState::Protected));
}

#[test]
fn a_vietnamese_card_needs_the_dg13_that_it_lists_and_another_card_does_not() {
    let mut reading = world().forge(&right());
    reading.files.remove(&FileId::Dg(13));
    let verdict = judge(&reading, "anchors");
    assert_eq!(
        (verdict.overall, verdict.dg[&13]),
        (Overall::Unverifiable(Unproven::DgMissing), DgState::Missing)
    );
    let mut unlisted = right();
    unlisted.hashes.retain(|(n, _)| *n != 13);
    let mut reading = world().forge(&unlisted);
    reading.files.remove(&FileId::Dg(13));
    assert_eq!(judge(&reading, "anchors").overall, UNCHECKED);
    let mut german = with(1, &dg1("D<<"));
    german.signers = vec![by("german")];
    let mut reading = world().forge(&german);
    reading.files.remove(&FileId::Dg(13));
    assert_eq!(judge(&reading, "both").overall, UNCHECKED);
}

#[test]
fn an_injected_dg1_is_not_believed() {
    let mut unlisted = right();
    unlisted.hashes.retain(|(n, _)| *n != 1);
    let verdict = judge(&world().forge(&unlisted), "anchors");
    assert_eq!(
        (verdict.overall, verdict.dg[&1]),
        (Overall::Unverifiable(Unproven::DgMissing), DgState::NotInSod)
    );
    assert_eq!((verdict.validity, flags(&verdict)), (Validity::Unknown, vec![Flag::CountryUnchecked]));
}

#[test]
fn both_versions_of_the_list_are_judged_and_com_is_only_a_hint() {
    let mut hand = right();
    hand.version_info = Some("0108");
    let mut reading = world().forge(&hand);
    let com = |list: &[u8]| {
        let fields = [&[0x5f, 1, 4][..], b"0108", &[0x5f, 0x36, 6], b"040000", &der::tlv(0x5c, list)];
        der::tlv(0x60, &fields.concat())
    };
    reading.files.insert(FileId::Com, com(&[0x61, 0x75, 0x6d]));
    let verdict = judge(&reading, "anchors");
    assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![]));
    assert_eq!(verdict.sod.lds_version.as_deref(), Some("0108"));
    for list in [&[0x61, 0x75][..], &[0x61, 0x75, 0x6d, 0x6f], &[]] {
        reading.files.insert(FileId::Com, com(list));
        let verdict = judge(&reading, "anchors");
        assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![Flag::ComDiffers]));
    }
}

fn changed(field: std::ops::Range<usize>, text: &str) -> Vec<u8> {
    let mut file = dg1("VNM");
    let start = file.len() - 90;
    file[start + field.start..start + field.end].copy_from_slice(text.as_bytes());
    file
}

#[test]
fn wrong_check_digits_are_flagged_field_by_field() {
    for (field, text) in [(14..15, "0"), (36..37, "0"), (44..45, "0"), (59..60, "0")] {
        let file = changed(field.clone(), text);
        let file = if file == dg1("VNM") { changed(field.clone(), "1") } else { file };
        let verdict = judge(&world().forge(&with(1, &file)), "anchors");
        assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![Flag::MrzCheck]), "{field:?}");
    }
}

#[test]
fn dg1_and_dg13_that_disagree_are_for_a_person_to_look_at() {
    let entry = |id: u8, text: &str| der::sequence(&[&der::integer(&[id]), &der::tlv(0x0c, text.as_bytes())]);
    for (id, text, differs) in [
        (1, "001090123457", true),
        (1, "001090123456", false),
        (2, "Nguyễn Văn Anh", true),
        (2, "NGUYỄN VĂN AN", false),
        (3, "16/01/1990", true),
        (3, "15011990", false),
        (4, "Nữ", true),
        (12, "15/01/2036", true),
        (12, "Không thời hạn", false),
        (99, "?", false),
    ] {
        let file = der::tlv(0x6d, &der::sequence(&[&der::tlv(0x31, &entry(id, text))]));
        let verdict = judge(&world().forge(&with(13, &file)), "anchors");
        let expected = if differs { vec![Flag::DataConflict] } else { vec![] };
        assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, expected), "{id} {text}");
    }
}

/// A reading of a card whose zone says this, and whose DG13 has these entries besides.
fn card(number: &str, birth: &str, expiry: &str, entries: &[(u8, &str)]) -> Reading {
    let mut hand = with(1, &dg1_of("VNM", number, birth, expiry));
    let entry =
        |(id, text): &(u8, &str)| der::sequence(&[&der::integer(&[*id]), &der::tlv(0x0c, text.as_bytes())]);
    let file = der::tlv(
        0x6d,
        &der::sequence(&[&der::tlv(0x31, &entries.iter().flat_map(entry).collect::<Vec<_>>())]),
    );
    hand.hashes.retain(|(n, _)| *n != 13);
    hand.hashes.push((13, openssl::sha::sha256(&file).to_vec()));
    hand.files.insert(13, file);
    world().forge(&hand)
}

#[test]
fn a_card_of_the_elderly_does_not_expire_however_it_says_so() {
    for (stated, conflict) in [
        ("Không thời hạn", false),
        ("31/12/2099", false),
        ("31/12/9999", false),
        ("", false),
        ("01/01/2030", true),
    ] {
        let reading = card("001040123456", "400101", "991231", &[(1, "001040123456"), (12, stated)]);
        let verdict = judge(&reading, "anchors");
        assert_eq!((verdict.overall, verdict.validity), (UNCHECKED, Validity::Valid), "{stated}");
        assert_eq!(verdict.flags.contains(&Flag::DataConflict), conflict, "{stated}");
        let holder = holder::Holder::of(&reading, &verdict).unwrap();
        assert_eq!((holder.expiry.is_none(), holder.no_expiry), (!conflict, !conflict), "{stated}");
    }
    let dated = card("001040123456", "400101", "350101", &[(12, "31/12/2099")]);
    assert!(
        judge(&dated, "anchors").flags.contains(&Flag::DataConflict),
        "one says that it ends and one that not"
    );
}

#[test]
fn a_card_expires_at_midnight_in_vietnam() {
    let last = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 30);
    let last = crate::clock::vietnam_day(last);
    let reading = card("001090123456", "900115", &last.strftime("%y%m%d").to_string(), &[]);
    let midnight = last.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(7))).unwrap().timestamp()
        + jiff::SignedDuration::from_hours(24);
    let trust = world().trust("anchors");
    for (seconds, validity) in [(-1, Validity::Valid), (0, Validity::Expired)] {
        let at = midnight + jiff::SignedDuration::from_secs(seconds);
        assert_eq!(verify(&reading, &trust, at, &Policy::default()).validity, validity);
    }
}

#[test]
fn who_is_over_a_hundred_was_born_in_the_century_that_the_number_or_dg13_says() {
    let born = Some(jiff::civil::date(1925, 1, 1));
    for entries in [&[][..], &[(1, "001025123456"), (3, "01/01/1925")]] {
        let reading = card("001025123456", "250101", "991231", entries);
        let verdict = judge(&reading, "anchors");
        assert!(!verdict.flags.contains(&Flag::DataConflict));
        assert_eq!(holder::Holder::of(&reading, &verdict).unwrap().birth, born);
    }
    let other = card("001025123456", "250101", "991231", &[(3, "02/01/1925")]);
    assert!(judge(&other, "anchors").flags.contains(&Flag::DataConflict));
}

#[test]
fn a_vietnamese_passport_has_its_own_number_and_its_holders() {
    use crate::chip::mrz::check_digit;
    let zone = |personal: &str| {
        let optional = format!("{personal:<<14}");
        let digit = |text: &str| check_digit(&[text]);
        let start = format!(
            "C12345678{}VNM900115{}M350115{}{optional}{}",
            digit("C12345678"),
            digit("900115"),
            digit("350115"),
            digit(&optional)
        );
        let composite = check_digit(&[&start[..10], &start[13..20], &start[21..]]);
        let zone = format!("{:<<44}{start}{composite}", "P<VNMNGUYEN<<VAN<AN");
        der::tlv(0x61, &[&[0x5f, 0x1f, 88], zone.as_bytes()].concat())
    };
    for (personal, number, document) in
        [("001090123456", "001090123456", Some("C12345678")), ("", "C12345678", None)]
    {
        let mut hand = with(1, &zone(personal));
        hand.hashes.retain(|(n, _)| *n != 13);
        let mut reading = world().forge(&hand);
        reading.files.remove(&FileId::Dg(13));
        let verdict = judge(&reading, "anchors");
        assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![]));
        let holder = holder::Holder::of(&reading, &verdict).unwrap();
        assert_eq!((holder.number.as_deref(), holder.document.as_deref()), (Some(number), document));
    }
    let both = judge(&world().forge(&with(1, &zone("001090123456"))), "anchors");
    assert_eq!(flags(&both), [], "DG13 states the same personal number");
    let bare = judge(&world().forge(&with(1, &zone(""))), "anchors");
    assert_eq!(flags(&bare), [], "the zone states none");
    let other = judge(&world().forge(&with(1, &zone("001090123457"))), "anchors");
    assert_eq!(flags(&other), [Flag::DataConflict]);
}

#[test]
fn a_group_that_is_signed_and_unreadable_is_flagged_and_a_zone_is_needed() {
    let odd = |tag: u8| der::tlv(tag, &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
    for (number, tag, flag) in [
        (13, 0x6d, Flag::Dg13Unreadable),
        (11, 0x6b, Flag::Dg11Unreadable),
        (12, 0x6c, Flag::Dg12Unreadable),
        (2, 0x75, Flag::PortraitUnreadable),
    ] {
        let verdict = judge(&world().forge(&with(number, &odd(tag))), "anchors");
        assert_eq!((verdict.overall, flags(&verdict)), (UNCHECKED, vec![flag]), "DG{number}");
    }
    let mut german = with(1, &dg1("D<<"));
    german.signers = vec![by("german")];
    german.hashes.retain(|(n, _)| *n != 13);
    german.hashes.push((13, openssl::sha::sha256(&odd(0x6d)).to_vec()));
    german.files.insert(13, odd(0x6d));
    assert_eq!(flags(&judge(&world().forge(&german), "both")), [], "another state's DG13 is its own affair");
    let verdict = judge(&world().forge(&with(1, &odd(0x61))), "anchors");
    assert_eq!(verdict.overall, Overall::Unverifiable(Unproven::DgMissing));
    assert_eq!(flags(&verdict), [Flag::CountryUnchecked, Flag::Dg1Unreadable]);
}

#[test]
fn bombs_and_hidden_tails_of_portraits_show_in_both_encodings() {
    let jp2 = |width: u32| {
        let mut image = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x16ihdr".to_vec();
        image.extend([531u32.to_be_bytes(), width.to_be_bytes()].concat());
        image.extend([0, 3, 7, 7, 0, 0]);
        let mut stream =
            [&[0xff, 0x4f, 0xff, 0x51, 0, 0x2f, 0, 0][..], &width.to_be_bytes(), &531u32.to_be_bytes()]
                .concat();
        stream.extend([0xff, 0xd9]);
        image.extend((8 + stream.len() as u32).to_be_bytes());
        image.extend(b"jp2c");
        image.extend(stream);
        image
    };
    for encode in [faces::dg2, faces::newer_dg2] {
        for (image, expected, flag) in [
            (faces::jpeg(413, 531), UNCHECKED, None),
            (jp2(413), UNCHECKED, None),
            (faces::jpeg(60_000, 60_000), Overall::Rejected(Refusal::ImageLimit), None),
            (jp2(0xffff_ffff), Overall::Rejected(Refusal::ImageLimit), None),
            ([&faces::jpeg(413, 531)[..], b"<html>"].concat(), UNCHECKED, Some(Flag::PortraitTrailing)),
            ([&jp2(413)[..], b"PK\x03\x04"].concat(), UNCHECKED, Some(Flag::PortraitTrailing)),
        ] {
            let verdict = judge(&world().forge(&with(2, &encode(&image))), "anchors");
            assert_eq!((verdict.overall, flags(&verdict)), (expected, flag.into_iter().collect()));
        }
    }
}

#[test]
fn a_holder_without_dg13_comes_from_dg11_and_dg12_and_says_so() {
    let wide = |tag: u16, content: &str| {
        let [first, second] = tag.to_be_bytes();
        [&[first], &der::tlv(second, content.as_bytes())[..]].concat()
    };
    let dg11 = der::tlv(0x6b, &[wide(0x5f0e, "MÜLLER<<ANNA"), wide(0x5f42, "Bonn")].concat());
    let dg12 = der::tlv(0x6c, &wide(0x5f26, "20210415"));
    let mut hand = with(1, &dg1("D<<"));
    hand.signers = vec![by("german")];
    hand.hashes.retain(|(n, _)| *n != 13);
    for (number, file) in [(11, &dg11), (12, &dg12)] {
        hand.hashes.push((number, openssl::sha::sha256(file).to_vec()));
        hand.files.insert(number, file.clone());
    }
    let mut reading = world().forge(&hand);
    reading.files.remove(&FileId::Dg(13));
    let verdict = judge(&reading, "both");
    assert_eq!(verdict.overall, UNCHECKED);
    let holder = holder::Holder::of(&reading, &verdict).unwrap();
    assert_eq!((holder.name.as_deref(), holder.residence.as_deref()), (Some("MÜLLER ANNA"), Some("Bonn")));
    assert_eq!(holder.issued, Some(jiff::civil::date(2021, 4, 15)));
    assert!(verdict.flags.contains(&Flag::DataConflict), "DG1 says another name");
    let from: Vec<(&str, u8)> = holder.from.iter().map(|(k, v)| (*k, *v)).collect();
    assert!(from.contains(&("name", 11)) && from.contains(&("issued", 12)) && from.contains(&("birth", 1)));
}
