use super::*;

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

/// The session of Doc 9303-11, appendix D.4.
fn example() -> Messaging {
    Messaging::new(
        Suite::TripleDes,
        Zeroizing::new(unhex("979EC13B1CBFE9DCD01AB0FED307EAE5")),
        Zeroizing::new(unhex("F1CB1F1FB5ADF208806B89DC579DC1F8")),
        &unhex("887022120C06C226"),
    )
}

#[test]
fn the_worked_example_is_spoken_byte_for_byte() {
    let mut session = example();
    let select = session.protect(&Command::new(0xa4, 2, 0x0c, &[1, 0x1e], None)).unwrap();
    assert_eq!(select, unhex("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800"));
    let answer = session.unprotect(&unhex("990290008E08FA855A5D4C50A8ED9000")).unwrap();
    assert!(answer.is_ok() && answer.data.is_empty());
    let read = session.protect(&Command::new(0xb0, 0, 0, &[], Some(4))).unwrap();
    assert_eq!(read, unhex("0CB000000D9701048E08ED6705417E96BA5500"));
    let answer = session.unprotect(&unhex("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"));
    assert_eq!(*answer.unwrap().data, unhex("60145F01"));
    let read = session.protect(&Command::new(0xb0, 0, 4, &[], Some(0x12))).unwrap();
    assert_eq!(read, unhex("0CB000040D9701128E082EA28A70F3C7B53500"));
    let answer = session.unprotect(&unhex(
        "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
    ));
    assert_eq!(*answer.unwrap().data, unhex("04303130365F36063034303030305C026175"));
}

/// What an honest chip would answer to the next command.
fn answer(session: &Messaging, tag: u8, data: &[u8], sw: u16, skip: u8) -> Vec<u8> {
    let mut chip = Messaging::new(
        session.suite,
        session.encrypt.clone(),
        session.authenticate.clone(),
        &session.counter,
    );
    for _ in 0..=skip {
        chip.begin().unwrap();
    }
    let mut objects = Vec::new();
    if !data.is_empty() {
        let sealed =
            chip.suite.encrypt(&chip.encrypt, &chip.iv().unwrap(), &pad(data, chip.suite.block())).unwrap();
        let indicator: &[u8] = if tag == CRYPTOGRAM { &[1] } else { &[] };
        objects.extend(der::tlv(tag, &[indicator, &sealed[..]].concat()));
    }
    objects.extend(der::tlv(0x99, &sw.to_be_bytes()));
    let mac = chip.mac(None, &objects).unwrap();
    objects.extend(der::tlv(0x8e, &mac));
    [&objects[..], &sw.to_be_bytes()].concat()
}

const SUITES: [Suite; 4] = [Suite::TripleDes, Suite::Aes128, Suite::Aes192, Suite::Aes256];

#[test]
fn every_cipher_carries_data_of_every_length_there_and_back() {
    for suite in SUITES {
        let mut session = Messaging::of_secret(suite, b"secret");
        let mut witness = Messaging::of_secret(suite, b"secret");
        for length in [0, 1, 7, 8, 15, 16, 17, 223, 255, 256, 2048] {
            let data = vec![0x5a; length];
            for (ins, tag) in [(0xb0, CRYPTOGRAM), (0xb1, CRYPTOGRAM_ODD)] {
                let command = session.protect(&Command::new(ins, 0, 0, &data, Some(length + 1))).unwrap();
                assert!(witness.is_next_command(&command), "{suite:?} {length}");
                let raw = answer(&session, tag, &data, 0x9000, 0);
                let got = session.unprotect(&raw).unwrap();
                assert!(got.is_ok() && *got.data == data, "{suite:?} {length}");
                assert!(witness.unprotect(&raw).is_ok());
            }
        }
    }
}

#[test]
fn whatever_does_not_fit_ends_the_session() {
    for suite in SUITES {
        let fresh = || {
            let mut session = Messaging::of_secret(suite, b"secret");
            session.protect(&Command::new(0xb0, 0, 0, &[], Some(4))).unwrap();
            session
        };
        let good = answer(&fresh(), CRYPTOGRAM, b"data", 0x9000, 0);
        let error = |raw: &[u8]| {
            let mut session = fresh();
            let error = session.unprotect(raw).err().unwrap();
            assert_eq!(session.unprotect(&good).err(), Some(Broken::Over));
            assert_eq!(session.protect(&Command::new(0xb0, 0, 0, &[], None)).err(), Some(Broken::Over));
            error
        };
        assert_eq!(error(&[0x90, 0]), Broken::Plain(0x9000));
        assert_eq!(error(&[0x69, 0x88]), Broken::Plain(0x6988));
        assert_eq!(error(&[]), Broken::Malformed);
        assert_eq!(error(&[0x90]), Broken::Malformed);
        assert_eq!(error(&answer(&fresh(), CRYPTOGRAM, b"data", 0x9000, 1)), Broken::Mac);
        let mac = good.len() - 12;
        assert_eq!(error(&[&good[..mac], &good[mac + 10..]].concat()), Broken::NoMac);
        let mut outer = good.clone();
        *outer.last_mut().unwrap() = 1;
        assert_eq!(error(&outer), Broken::Status);
        let with = |objects: &[u8]| {
            let mut chip = fresh();
            chip.begin().unwrap();
            let mac = chip.mac(None, objects).unwrap();
            error(&[objects, &der::tlv(0x8e, &mac), &[0x90, 0]].concat())
        };
        assert_eq!(with(&[0x99, 1, 0x90]), Broken::Status);
        assert_eq!(with(&[0x99, 0]), Broken::Status);
        assert_eq!(with(&[0x99, 3, 0x90, 0, 0]), Broken::Status);
        // A response of a MAC alone: nothing says what became of the command.
        assert!(matches!(with(&[]), Broken::Mac | Broken::Status));
        assert_eq!(with(&[0x87, 1, 1, 0x99, 2, 0x90, 0]), Broken::Padding);
        assert_eq!(with(&[0x87, 3, 1, 2, 3, 0x99, 2, 0x90, 0]), Broken::Padding);
        assert_eq!(with(&[0x87, 0, 0x99, 2, 0x90, 0]), Broken::Malformed);
        assert_eq!(with(&[0x87, 1, 2, 0x99, 2, 0x90, 0]), Broken::Malformed);
        assert_eq!(with(&[0x99, 2, 0x90, 0, 0x99, 2, 0x90, 0]), Broken::Malformed);
        assert_eq!(with(&[0x81, 2, 0x90, 0, 0x99, 2, 0x90, 0]), Broken::Malformed);
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            error(&changed);
            error(&good[..at]);
        }
    }
}

#[test]
fn a_recorded_command_counts_only_unchanged_and_in_its_place() {
    let mut session = Messaging::of_secret(Suite::Aes128, b"secret");
    let command = session.protect(&Command::new(0xa4, 2, 0x0c, &[1, 0x1e], None)).unwrap();
    let judge = |bytes: &[u8]| Messaging::of_secret(Suite::Aes128, b"secret").is_next_command(bytes);
    assert!(judge(&command));
    assert!(!Messaging::of_secret(Suite::Aes256, b"secret").is_next_command(&command));
    assert!(!Messaging::of_secret(Suite::Aes128, b"other").is_next_command(&command));
    // The last byte is Le, which no MAC covers.
    for at in (0..command.len() - 1).filter(|at| *at != 4) {
        let mut changed = command.clone();
        changed[at] ^= 1;
        assert!(!judge(&changed), "{at}");
        assert!(!judge(&command[..at]), "{at}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        for suite in SUITES {
            proptest::prop_assert!(Messaging::of_secret(suite, b"secret").unprotect(&bytes).is_err());
            proptest::prop_assert!(!Messaging::of_secret(suite, b"secret").is_next_command(&bytes));
        }
    }
}
