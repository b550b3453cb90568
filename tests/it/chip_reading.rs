//! The reader of chips against the emulated card in process: every cipher and curve, the quirks of real cards, the tricks
//! of false ones, and a card that is taken away at any moment.

use crate::chip_card::Card;
use crate::chip_card::chip::{CARD_ACCESS, COM, Chip, SOD, dg};
use crate::chip_card::messaging::BadAnswer;
use crate::chip_card::mint::{Active, Agreement, BIRTH, CAN, EXPIRY, Hash, Issuer, NUMBER, Order};
use crate::chip_card::quirks::{PaceStep, Quirks};
use crate::chip_card::suite::Suite;
use hoso::chip::reader::{AccessKeys, CARD_LOST, Captured, Lost, Session, SystemEntropy, Transceiver};
use hoso::chip::reading::{Access, FileId};
use hoso::chip::verdict::{CloneCheck, Overall};
use hoso::chip::{Policy, Trust, Verdict, verify};
use hoso::digest::Sha256;
use hoso::fault::Outcome;
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

impl Transceiver for Card {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        let answer = self.answer(command);
        if answer.is_empty() { Err(Lost) } else { Ok(answer) }
    }
}

#[test]
fn every_cipher_and_curve_of_pace_opens_the_card() {
    let curves = [12, 13, 15, 16, 17, 18];
    let suites = [Suite::TripleDes, Suite::Aes128, Suite::Aes192, Suite::Aes256];
    let all = suites.map(|suite| (suite, 13)).into_iter().chain(curves.map(|curve| (Suite::Aes128, curve)));
    for (suite, curve) in all {
        let chip = Chip { pace: vec![(suite, curve)], card_access: None, ..standard() };
        let chip = with_card_access(chip);
        for keys in [can(), fields()] {
            let (captured, verdict) = read(&mut Card::new(chip.clone()), keys);
            assert_same(&captured, &chip);
            assert_ne!(verdict.access, Access::Bac, "{suite:?} {curve}");
            assert!(!verdict.pace_downgrade);
        }
    }
}

#[test]
fn a_thousand_openings_all_succeed() {
    // A coordinate begins with a zero byte once in 256 times; who forgets to keep it fails then.
    let mut chip = with_card_access(Chip { pace: vec![(Suite::Aes128, 12)], ..standard() });
    chip.files.retain(|id, _| [COM, SOD, dg(1)].contains(id));
    for _ in 0..1000 {
        let captured = try_read(&mut Card::new(chip.clone()), can()).unwrap();
        assert_eq!(captured.reading.access, Access::PaceCan);
    }
}

#[test]
fn every_proof_that_a_chip_is_no_copy_is_found() {
    let key = |suite, curve, id| Agreement { suite, curve, id };
    let agreements = |agreements| Order { active: None, agreements, ..Order::default() };
    for (suite, curve) in [
        (Suite::TripleDes, 12),
        (Suite::TripleDes, 13),
        (Suite::Aes128, 13),
        (Suite::Aes192, 12),
        (Suite::Aes256, 16),
        (Suite::Aes256, 17),
    ] {
        let verdict = judged(&agreements(vec![key(suite, curve, None)]));
        assert_eq!(
            (verdict.overall, verdict.clone_check),
            (Overall::Genuine, Some(CloneCheck::ChipAuthentication)),
            "{suite:?} {curve}"
        );
    }
    let alone = mint(&agreements(vec![key(Suite::Aes128, 13, None)]));
    let captured = try_read(&mut Card::new(alone), can()).unwrap();
    let trust = Trust::load(&issuer().lock().unwrap().anchors()).unwrap();
    let stranger = verify(&captured.reading, &trust, jiff::Timestamp::now(), &Policy::default());
    assert_eq!(stranger.overall, Overall::GenuineCloneUnchecked, "nobody vouches for the key");
    let two = vec![key(Suite::Aes128, 12, Some(1)), key(Suite::Aes256, 13, Some(2))];
    assert_eq!(judged(&agreements(two)).overall, Overall::Genuine);
    let named = Order { named_curves: true, ..agreements(vec![key(Suite::Aes128, 12, None)]) };
    assert_eq!(judged(&named).overall, Overall::Genuine);
    for active in [
        Active::Rsa(2048, Hash::Sha1),
        Active::Rsa(2048, Hash::Sha256),
        Active::Rsa(3072, Hash::Sha256),
        Active::Ec(12, Hash::Sha256),
        Active::Ec(13, Hash::Sha256),
        Active::Ec(16, Hash::Sha384),
    ] {
        let verdict = judged(&Order { active: Some(active), agreements: vec![], ..Order::default() });
        assert_eq!(
            (verdict.overall, verdict.clone_check),
            (Overall::Genuine, Some(CloneCheck::ActiveAuthentication))
        );
    }
    let none = judged(&Order { active: None, agreements: vec![], ..Order::default() });
    assert_eq!(none.overall, Overall::GenuineCloneUnchecked);
}

#[test]
fn cards_with_the_habits_of_real_ones_are_read_whole() {
    let habits = [
        ("no master file", Quirks { no_master_file: true, ..Quirks::default() }),
        ("no idle Le", Quirks { refuses_idle_le: true, ..Quirks::default() }),
        ("parameter id wanted", Quirks { needs_parameter_id: true, ..Quirks::default() }),
        ("short answers", Quirks { most_read: Some(0xdf), ..Quirks::default() }),
        (
            "long reads refused",
            Quirks { most_read: Some(0xdf), refuses_long_read: true, ..Quirks::default() },
        ),
        (
            "very long reads refused",
            Quirks { most_read: Some(0x60), refuses_long_read: true, ..Quirks::default() },
        ),
        ("no extended length", Quirks { no_extended: true, ..Quirks::default() }),
        ("strict end", Quirks { strict_end: true, ..Quirks::default() }),
    ];
    let large = mint(&Order { portrait: 40_000, ..Order::default() });
    for (name, quirks) in habits {
        for chip in [&standard(), &large] {
            for keys in [can(), fields()] {
                let mut card = Card::with(chip.clone(), quirks.clone());
                let (captured, verdict) = read(&mut card, keys);
                eprintln!("{name}: {} commands", card.commands);
                assert_same(&captured, chip);
                assert_eq!((verdict.overall, verdict.pace_downgrade), (Overall::Genuine, false), "{name}");
            }
        }
    }
}

#[test]
fn a_card_that_does_not_name_its_curve_is_opened_somehow() {
    let chip = mint(&Order { names_parameters: false, ..Order::default() });
    let (captured, verdict) = read(&mut Card::new(chip.clone()), fields());
    assert_same(&captured, &chip);
    assert_eq!(verdict.overall, Overall::Genuine);
}

#[test]
fn wherever_and_however_pace_fails_the_older_way_is_taken_and_shown() {
    for step in [PaceStep::Start, PaceStep::Nonce, PaceStep::Map, PaceStep::Agree, PaceStep::Token] {
        for status in [0x6300, 0x6982, 0x6a80, 0x6a88, 0x6fff] {
            let quirks = Quirks { pace_fails: Some((step, status)), ..Quirks::default() };
            let (_, verdict) = read(&mut Card::with(standard(), quirks), fields());
            assert_eq!(
                (verdict.access, verdict.pace_downgrade),
                (Access::Bac, true),
                "{step:?} {status:04x}"
            );
        }
    }
}

#[test]
fn a_chip_that_does_not_know_the_password_is_not_talked_to() {
    for quirks in [
        Quirks { pace_bad_token: true, ..Quirks::default() },
        Quirks { pace_reflects: true, ..Quirks::default() },
    ] {
        let mut card = Card::with(Chip { bac: false, ..standard() }, quirks.clone());
        assert!(try_read(&mut card, can()).is_err(), "{quirks:?}");
    }
    for quirks in [
        Quirks { bac_bad_echo: true, ..Quirks::default() },
        Quirks { bac_bad_mac: true, ..Quirks::default() },
    ] {
        let chip = Chip { pace: vec![], card_access: None, ..standard() };
        assert!(try_read(&mut Card::with(chip, quirks.clone()), fields()).is_err(), "{quirks:?}");
    }
}

#[test]
fn a_copy_is_never_genuine() {
    let rsa = mint(&Order {
        active: Some(Active::Rsa(2048, Hash::Sha256)),
        agreements: vec![],
        ..Order::default()
    });
    let ec = mint(&Order { agreements: vec![], ..Order::default() });
    let agreed = mint(&Order { active: None, ..Order::default() });
    for chip in [&rsa, &ec, &agreed] {
        for quirks in [
            Quirks { no_private_keys: true, ..Quirks::default() },
            Quirks { other_active_key: true, other_chip_key: true, ..Quirks::default() },
            Quirks { replays: Some([7; 8]), other_chip_key: true, ..Quirks::default() },
        ] {
            match try_read(&mut Card::with(chip.clone(), quirks.clone()), can()) {
                Ok(captured) => assert_ne!(judge(&captured).overall, Overall::Genuine, "{quirks:?}"),
                Err(fault) => eprintln!("{quirks:?}: {}", fault.code.id),
            }
        }
    }
}

#[test]
fn an_answer_that_is_not_rightly_protected_is_never_taken() {
    use BadAnswer::{NoMac, OldCounter, Plain, ShortStatus, StatusDiffers, WrongMac};
    let chip = standard();
    let mut whole = Card::new(chip.clone());
    read(&mut whole, can());
    for bad in [NoMac, WrongMac, StatusDiffers, ShortStatus, OldCounter, Plain] {
        for number in [1, 2, 3, 10, 25] {
            for keys in [can(), fields()] {
                let quirks = Quirks { bad_answer: Some((number, bad)), ..Quirks::default() };
                let mut card = Card::with(chip.clone(), quirks);
                // It may be opened again, which costs commands; what comes of it is what is on the card.
                if let Ok(captured) = try_read(&mut card, keys) {
                    assert!(card.commands > whole.commands, "{bad:?} in answer {number} was taken");
                    assert_same(&captured, &chip);
                }
            }
        }
    }
}

#[test]
fn a_card_that_is_taken_away_at_any_command_is_read_on_when_it_is_back() {
    let chip = standard();
    let mut whole = Card::new(chip.clone());
    read(&mut whole, can());
    eprintln!("a whole reading takes {} commands", whole.commands);
    for at in 1..=whole.commands {
        let quirks = Quirks { pulled_at: BTreeSet::from([at]), ..Quirks::default() };
        let mut card = Card::with(chip.clone(), quirks);
        let mut session = Session::new(can(), None).unwrap();
        let lost = session.read(&mut card, &mut SystemEntropy, &mut |_| {}).unwrap_err();
        assert_eq!(lost.code.id, CARD_LOST.id, "command {at}");
        let captured = session.read(&mut card, &mut SystemEntropy, &mut |_| {}).unwrap();
        assert_same(&captured, &chip);
        assert_eq!(judge(&captured).overall, Overall::Genuine, "command {at}");
        // Opened again, and on from there.
        let late = at > whole.commands / 2;
        assert!(!late || card.commands < at + whole.commands - 5, "it began anew after command {at}");
    }
}

/// One card for the tests that need none of its own.
fn standard() -> Chip {
    static CHIP: OnceLock<Mutex<Chip>> = OnceLock::new();
    CHIP.get_or_init(|| Mutex::new(mint(&Order::default()))).lock().unwrap().clone()
}

fn mint(order: &Order) -> Chip {
    issuer().lock().unwrap().card(order)
}

fn issuer() -> &'static Mutex<Issuer> {
    static ISSUER: OnceLock<(tempfile::TempDir, Mutex<Issuer>)> = OnceLock::new();
    let (_, issuer) = ISSUER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::new(folder.path());
        (folder, Mutex::new(issuer))
    });
    issuer
}

/// EF.CardAccess anew for what the chip can do; it is not signed.
fn with_card_access(chip: Chip) -> Chip {
    let card_access = Some(crate::chip_card::mint::card_access(&chip.pace));
    Chip { card_access, ..chip }
}

fn can() -> AccessKeys {
    AccessKeys::default().can(CAN).unwrap()
}

fn fields() -> AccessKeys {
    AccessKeys::default().fields(NUMBER, BIRTH, EXPIRY).unwrap()
}

fn try_read(card: &mut Card, keys: AccessKeys) -> Outcome<Captured> {
    Session::new(keys, None)?.read(card, &mut SystemEntropy, &mut |_| {})
}

fn read(card: &mut Card, keys: AccessKeys) -> (Captured, Verdict) {
    let captured = try_read(card, keys).unwrap();
    let verdict = judge(&captured);
    (captured, verdict)
}

fn judged(order: &Order) -> Verdict {
    read(&mut Card::new(mint(order)), can()).1
}

fn judge(captured: &Captured) -> Verdict {
    let trust = Trust::load(&issuer().lock().unwrap().anchors()).unwrap();
    // The station that read the card knows which key and which challenge were its own.
    let policy = Policy {
        challenge: captured.reading.active_authentication.as_ref().map(|aa| aa.challenge.clone()),
        terminal_key: captured.reading.chip_authentication.as_ref().map(|ca| Sha256::of(&ca.terminal_key)),
        ..Policy::default()
    };
    verify(&captured.reading, &trust, jiff::Timestamp::now(), &policy)
}

/// All files came over as they were minted.
fn assert_same(captured: &Captured, chip: &Chip) {
    let files = &captured.reading.files;
    let mut wanted = vec![(FileId::Com, COM), (FileId::Sod, SOD)];
    wanted.extend([1, 2, 13, 14, 15].map(|number| (FileId::Dg(number), dg(number))));
    for (name, id) in wanted {
        if let Some(content) = chip.files.get(&id) {
            assert!(files.get(&name) == Some(content), "{name} ({id:04x}) differs");
        }
    }
    assert!(!files.contains_key(&FileId::Dg(3)));
    if let (Some(read), Some(minted)) = (files.get(&FileId::CardAccess), &chip.card_access) {
        assert!(read == minted, "{CARD_ACCESS:04x} differs");
    }
}
