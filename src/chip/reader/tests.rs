//! Whole readings against a chip in memory.

pub(crate) mod chip;
mod log;
pub(crate) mod script;

use super::*;
use crate::chip::clone::{self, Answer};
use crate::chip::reading::Access;
use crate::chip::{chip_authentication, lds};
use crate::fault::Outcome;
use chip::{BIRTH, CAN, Chip, EXPIRY, NUMBER, Profile, Spoil};

fn keys() -> AccessKeys {
    AccessKeys::default().can(CAN).unwrap()
}

fn all_keys() -> AccessKeys {
    keys().fields(NUMBER, BIRTH, EXPIRY).unwrap()
}

fn read_with(chip: &mut Chip, keys: AccessKeys) -> Outcome<Captured> {
    Session::new(keys, None)?.read(chip, &mut SystemEntropy, &mut |_| {})
}

/// Every file is there as it lies on the chip, and both proofs hold.
fn assert_whole(chip: &Chip, captured: &Captured) {
    let reading = &captured.reading;
    let mut groups = vec![1, 2, 13, 15];
    groups.extend(chip.profile.ca.map(|_| 14));
    for number in &groups {
        assert!(reading.dg(*number).unwrap() == chip.file(0x100 | u16::from(*number)), "DG{number}");
        let size = reading.dg(*number).unwrap().len();
        assert_eq!(captured.groups[number], Group::Read(size));
    }
    assert!(
        reading.files[&FileId::Sod] == chip.file(0x011d) && reading.files[&FileId::Com] == chip.file(0x011e)
    );
    assert_eq!(captured.groups[&3], Group::Protected);
    assert_eq!(reading.files.len(), groups.len() + 2 + usize::from(chip.profile.pace.is_some()));
    let exchange = reading.active_authentication.as_ref().unwrap();
    let spki = lds::open(chip.file(0x10f), 15).unwrap();
    assert_eq!(clone::check(spki, clone::AnswerHash::Unsaid, exchange), Answer::Holds);
    if chip.profile.ca.is_some() {
        let evidence = reading.chip_authentication.as_ref().unwrap();
        let dg14 = lds::open(chip.file(0x10e), 14).unwrap();
        assert_eq!(chip_authentication::check(dg14, evidence), Answer::Holds);
    }
}

#[test]
fn a_card_is_read_whole_and_proves_itself_with_every_cipher() {
    for (pace, ca) in [((1, 12), 1), ((2, 13), 2), ((3, 15), 3), ((4, 17), 4), ((4, 18), 4)] {
        let mut chip = Chip::new(Profile { pace: Some(pace), ca: Some(ca), ..Profile::default() });
        let captured = read_with(&mut chip, keys()).unwrap();
        assert_whole(&chip, &captured);
        assert_eq!(captured.reading.access, Access::PaceCan);
        assert_eq!(captured.pace_failure, None);
        assert!(captured.reading.files.contains_key(&FileId::CardAccess));
    }
}

#[test]
fn a_card_of_the_older_way_is_opened_with_the_zone() {
    let mut chip = Chip::new(Profile { pace: None, ca: Some(1), ..Profile::default() });
    let captured = read_with(&mut chip, all_keys()).unwrap();
    assert_whole(&chip, &captured);
    assert_eq!((captured.reading.access, captured.pace_failure), (Access::Bac, None));
    assert!(!captured.reading.files.contains_key(&FileId::CardAccess));
    chip.reset();
    assert_eq!(read_with(&mut chip, keys()).err().unwrap().code.id, "CARD-011");
}

#[test]
fn a_downgrade_is_kept_with_the_status_that_caused_it() {
    for sw in [0x6300, 0x6982, 0x6a80, 0x6a88, 0x6fff] {
        let mut chip = Chip::new(Profile { pace_refused: Some(sw), ..Profile::default() });
        let captured = read_with(&mut chip, all_keys()).unwrap();
        assert_whole(&chip, &captured);
        assert_eq!(captured.reading.access, Access::Bac);
        assert!(captured.reading.files.contains_key(&FileId::CardAccess));
        let failure = captured.pace_failure.unwrap();
        assert_eq!((failure.step, failure.trouble), (pace::Step::SetUp, Trouble::Status(sw)));
        chip.reset();
        let fault = read_with(&mut chip, keys()).err().unwrap();
        assert_eq!(fault.code.id, "CARD-009");
        assert!(fault.detail.unwrap().contains(&format!("{sw:04X}")));
    }
}

#[test]
fn wrong_keys_are_told_from_a_card_that_cannot_be_opened() {
    let wrong = || AccessKeys::default().can("654321").unwrap();
    let mut chip = Chip::new(Profile::default());
    assert_eq!(read_with(&mut chip, wrong()).err().unwrap().code.id, "CARD-008");
    chip.reset();
    // The next password is tried, still with PACE.
    let captured = read_with(&mut chip, wrong().fields(NUMBER, BIRTH, EXPIRY).unwrap()).unwrap();
    assert_eq!((captured.reading.access, captured.pace_failure), (Access::PaceMrz, None));
    chip.reset();
    // The twelve digits of a person whose zone has the last nine.
    let typed = AccessKeys::default().fields(&format!("001{NUMBER}"), BIRTH, EXPIRY).unwrap();
    assert_eq!(read_with(&mut chip, typed).unwrap().reading.access, Access::PaceMrz);
    chip.reset();
    let typed = AccessKeys::default().fields(NUMBER, BIRTH, "310101").unwrap();
    assert_eq!(read_with(&mut chip, typed).err().unwrap().code.id, "CARD-008");
    assert_eq!(Session::new(AccessKeys::default(), None).err().unwrap().code.id, "CARD-004");
    assert_eq!(Session::new(keys(), Some(vec![1; 7])).err().unwrap().code.id, "CARD-005");
}

#[test]
fn a_given_challenge_is_the_one_that_is_signed() {
    let mut chip = Chip::new(Profile::default());
    let mut session = Session::new(keys(), Some(b"8 bytes!".to_vec())).unwrap();
    let captured = session.read(&mut chip, &mut SystemEntropy, &mut |_| {}).unwrap();
    assert_eq!(captured.reading.active_authentication.as_ref().unwrap().challenge, b"8 bytes!");
    assert_whole(&chip, &captured);
}

#[test]
fn the_quirks_of_real_cards_are_lived_with() {
    let base = Profile::default;
    for profile in [
        Profile { master: 0x9000, ..base() },
        Profile { master: 0x6a87, wants_parameter: true, ..base() },
        Profile { most: 255, ..base() },
        Profile { most: 200, ..base() },
        Profile { most: 100, too_much: 0x6c64, ..base() },
        Profile { most: 48, portrait: 3000, ..base() },
        Profile { most: 255, blunt: true, ..base() },
        Profile { most: 200, blunt: true, ..base() },
        Profile { blunt: true, ..base() },
        Profile { portrait: 70_000, ..base() },
        Profile { portrait: 70_000, most: 220, ..base() },
        Profile { aa_bits: 1024, ..base() },
        Profile { aa_bits: 2048, ..base() },
        Profile { ca: None, ..base() },
    ] {
        let shown = (profile.most, profile.too_much, profile.blunt, profile.portrait, profile.aa_bits);
        let mut chip = Chip::new(profile);
        match read_with(&mut chip, keys()) {
            Ok(captured) => assert_whole(&chip, &captured),
            Err(fault) => panic!("{shown:?}: {fault}"),
        }
    }
    // What was once refused is not asked for again and again.
    let mut chip = Chip::new(Profile { most: 255, ..base() });
    read_with(&mut chip, keys()).unwrap();
    assert_eq!(chip.asked.iter().filter(|le| **le > 256).count(), 1);
}

#[test]
fn one_refusal_that_nobody_vouches_for_costs_nothing_but_time() {
    let profile = || Profile { portrait: 3000, ..Profile::default() };
    let mut chip = Chip::new(profile());
    read_with(&mut chip, keys()).unwrap();
    // Behind the opening and EF.SOD, and before the last command, which is chip authentication's own.
    for at in 20..chip.count - 3 {
        let mut chip = Chip::new(Profile { spoil: Some((at, Spoil::PlainRefusal)), ..profile() });
        match read_with(&mut chip, keys()) {
            Ok(captured) => {
                let groups = captured.groups.iter().filter(|(number, _)| **number != 3);
                for (number, group) in groups {
                    assert!(matches!(group, Group::Read(_)), "{at}: DG{number} {group:?}");
                }
                assert_eq!(captured.active, Proof::Answered(()), "{at}");
            }
            Err(fault) => panic!("{at}: {fault}"),
        }
    }
}

#[test]
fn a_group_that_is_refused_in_the_clear_again_is_called_so() {
    let mut chip = Chip::new(Profile { blunt: true, ..Profile::default() });
    chip.forget(0x10d);
    let captured = read_with(&mut chip, keys()).unwrap();
    assert_eq!(captured.groups[&13], Group::RefusedInClear(0x6a82));
    assert_eq!(captured.groups[&3], Group::Protected);
    assert!(matches!(captured.groups[&15], Group::Read(_)));
}

#[test]
fn a_group_that_is_listed_and_not_there_or_too_large_does_not_stop_the_others() {
    let mut chip = Chip::new(Profile { portrait: 600_000, ..Profile::default() });
    let captured = read_with(&mut chip, keys()).unwrap();
    assert_eq!(captured.groups[&2], Group::Malformed);
    assert!(captured.reading.dg(2).is_none() && captured.reading.dg(13).is_some());
    assert!(chip.asked.iter().all(|le| *le <= 4096));
}

#[test]
fn a_broken_channel_ends_the_session_with_its_own_fault_and_never_a_reading() {
    let mut chip = Chip::new(Profile { portrait: 3000, ..Profile::default() });
    read_with(&mut chip, keys()).unwrap();
    let count = chip.count;
    let mut ended = 0;
    for how in [Spoil::NoMac, Spoil::WrongMac, Spoil::WrongStatus, Spoil::PlainSuccess, Spoil::Twice] {
        for at in 0..count {
            chip.reset();
            (chip.count, chip.profile.spoil) = (0, Some((at, how)));
            match read_with(&mut chip, keys()) {
                // Before the channel stands there is nothing to break, and some answers do not matter.
                Ok(captured) => {
                    let evidence = captured.reading.chip_authentication.as_ref().unwrap();
                    let dg14 = lds::open(chip.file(0x10e), 14).unwrap();
                    let holds = chip_authentication::check(dg14, evidence) == Answer::Holds;
                    // A chip that cannot speak under the new keys has proven nothing.
                    assert!(holds || at >= count - 2, "{how:?} {at}");
                    assert!(
                        at < 9 || at == count - 1 || how == Spoil::NoMac || how == Spoil::Twice,
                        "{how:?} {at}"
                    );
                }
                Err(fault) => {
                    ended += 1;
                    let known = ["CARD-008", "CARD-009", "CARD-010", "CARD-011", "CARD-012"];
                    assert!(known.contains(&fault.code.id), "{how:?} {at}: {fault}");
                    assert!(at < 9 || fault.code.id == "CARD-012", "{how:?} {at}: {fault}");
                }
            }
        }
    }
    assert!(ended > 3 * (count - 12), "{ended} of {count}");
}

#[test]
fn a_card_that_is_pulled_at_any_command_is_read_on_when_it_is_laid_back() {
    for profile in [
        Profile { portrait: 9000, ..Profile::default() },
        Profile { portrait: 2000, pace: None, ca: Some(1), most: 255, ..Profile::default() },
        Profile { portrait: 2000, pace_refused: Some(0x6a80), blunt: true, ..Profile::default() },
    ] {
        let mut chip = Chip::new(profile);
        read_with(&mut chip, all_keys()).unwrap();
        let count = chip.count;
        assert!(count > 30);
        for at in 0..count {
            chip.reset();
            (chip.count, chip.profile.spoil) = (0, Some((at, Spoil::Gone)));
            let mut session = Session::new(all_keys(), None).unwrap();
            let mut done = 0;
            let fault = session
                .read(&mut chip, &mut SystemEntropy, &mut |progress| {
                    if let Progress::Reading(FileId::Dg(2), read, _) = progress {
                        done = read;
                    }
                })
                .err()
                .unwrap_or_else(|| panic!("{at}: nothing was lost"));
            assert_eq!((fault.code.id, fault.code.class), ("CARD-006", Class::Later), "{at}");
            let mut again = Vec::new();
            let mut tell = |progress| {
                if let Progress::Reading(FileId::Dg(2), read, _) = progress {
                    again.push(read);
                }
            };
            let captured = session.read(&mut chip, &mut SystemEntropy, &mut tell).unwrap();
            assert_whole(&chip, &captured);
            assert!(again.iter().all(|read| *read > done), "{at}: from {done}, and then {again:?}");
        }
    }
}

#[test]
fn a_copy_of_a_card_leaves_evidence_that_proves_nothing() {
    for ca in [1, 2, 4] {
        let mut chip = Chip::new(Profile { ca: Some(ca), copied: true, ..Profile::default() });
        let captured = read_with(&mut chip, keys()).unwrap();
        assert_eq!(captured.chip, Proof::Answered(()));
        let dg14 = lds::open(chip.file(0x10e), 14).unwrap();
        let evidence = captured.reading.chip_authentication.as_ref().unwrap();
        // It cannot even read the first command under the new keys, and says so in the clear.
        assert_eq!(chip_authentication::check(dg14, evidence), Answer::Inconclusive);
    }
}

#[test]
fn another_card_is_refused_and_the_first_one_still_welcome() {
    let (mut first, mut other) = (Chip::new(Profile::default()), Chip::new(Profile::default()));
    first.profile.spoil = Some((40, Spoil::Gone));
    let mut session = Session::new(keys(), None).unwrap();
    let mut read = |chip: &mut Chip| session.read(chip, &mut SystemEntropy, &mut |_| {});
    assert_eq!(read(&mut first).err().unwrap().code.id, "CARD-006");
    assert_eq!(read(&mut other).err().unwrap().code.id, "CARD-007");
    let captured = read(&mut first).unwrap();
    assert_whole(&first, &captured);
}

#[test]
fn a_downgrade_before_the_card_was_lost_is_not_forgotten_after() {
    let mut chip = Chip::new(Profile { pace_refused: Some(0x6a80), ..Profile::default() });
    chip.profile.spoil = Some((40, Spoil::Gone));
    let mut session = Session::new(all_keys(), None).unwrap();
    assert!(session.read(&mut chip, &mut SystemEntropy, &mut |_| {}).is_err());
    chip.profile.pace_refused = None;
    let captured = session.read(&mut chip, &mut SystemEntropy, &mut |_| {}).unwrap();
    assert_eq!(captured.reading.access, Access::Bac);
    assert!(captured.pace_failure.is_some());
}

#[test]
fn a_reader_that_loses_the_card_over_long_messages_is_served_with_short_ones() {
    struct Narrow(Chip);
    impl Transceiver for Narrow {
        fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
            // Room for a short answer alone.
            let response = self.0.transceive(command)?;
            if response.len() > 258 {
                self.0.reset();
                return Err(Lost);
            }
            Ok(response)
        }
    }
    let mut card = Narrow(Chip::new(Profile::default()));
    let mut session = Session::new(keys(), None).unwrap();
    assert_eq!(session.read(&mut card, &mut SystemEntropy, &mut |_| {}).err().unwrap().code.id, "CARD-006");
    let captured = session.read(&mut card, &mut SystemEntropy, &mut |_| {}).unwrap();
    assert_whole(&card.0, &captured);
}

#[test]
fn a_card_that_answers_anything_at_all_is_refused_without_a_panic() {
    struct Noise(u64);
    impl Transceiver for Noise {
        fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(command.len() as u64);
            let mut bytes = openssl::sha::sha512(&self.0.to_be_bytes()).to_vec();
            bytes.truncate((self.0 >> 40) as usize % 64);
            if !self.0.is_multiple_of(3) {
                bytes.extend([0x90, 0]);
            }
            if self.0.is_multiple_of(7) {
                bytes = vec![0x61, 0];
            }
            Ok(bytes)
        }
    }
    for seed in 0..2000 {
        assert!(
            Session::new(all_keys(), None)
                .unwrap()
                .read(&mut Noise(seed), &mut SystemEntropy, &mut |_| {})
                .is_err()
        );
    }
    struct Same(Vec<u8>);
    impl Transceiver for Same {
        fn transceive(&mut self, _: &[u8]) -> Result<Vec<u8>, Lost> {
            Ok(self.0.clone())
        }
    }
    for short in ["", "90"] {
        let mut card = Same(script::unhex(short));
        let fault = Session::new(all_keys(), None).unwrap().read(&mut card, &mut SystemEntropy, &mut |_| {});
        assert_eq!(fault.err().unwrap().code.id, "CARD-006", "what no card says is a lost card");
    }
    for same in ["9000", "6100", "61ff", "7c009000", "3100 9000", "31809000", "6982"] {
        let mut card = Same(script::unhex(same));
        assert!(
            Session::new(all_keys(), None).unwrap().read(&mut card, &mut SystemEntropy, &mut |_| {}).is_err()
        );
    }
    let mut flood = Same([vec![0x31; 100_000], vec![0x90, 0]].concat());
    assert!(
        Session::new(all_keys(), None).unwrap().read(&mut flood, &mut SystemEntropy, &mut |_| {}).is_err()
    );
}

#[test]
fn no_log_line_holds_a_key_or_a_byte_of_the_holder() {
    let mut chip = Chip::new(Profile { pace_refused: Some(0x6a80), blunt: true, ..Profile::default() });
    chip.profile.spoil = Some((35, Spoil::Gone));
    let lines = log::lines_of(|| {
        let mut session = Session::new(all_keys(), None).unwrap();
        let _ = session.read(&mut chip, &mut SystemEntropy, &mut |_| {});
        let _ = session.read(&mut chip, &mut SystemEntropy, &mut |_| {});
        chip.profile.pace_refused = None;
        chip.reset();
        let _ = read_with(&mut chip, all_keys()).unwrap();
    });
    assert!(lines.lines().count() > 20, "nothing was logged: the test proves nothing");
    assert!(lines.contains("6A80") || lines.contains("27264"));
    for secret in chip.secrets() {
        let plain = String::from_utf8_lossy(&secret).into_owned();
        let hex = hex::encode(&secret);
        let list = format!("{secret:?}");
        for form in [plain.as_str(), &hex, &hex.to_uppercase(), list.trim_matches(['[', ']'])] {
            assert!(!lines.contains(form), "a secret of {} bytes is in the log", secret.len());
        }
    }
}
