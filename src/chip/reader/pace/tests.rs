use super::*;
use crate::chip::reader::curve::SystemEntropy;
use crate::chip::reader::tests::chip::{Chip, Profile};
use crate::chip::reader::tests::script::{Bytes, Script, unhex};

/// Doc 9303-11, appendix G: EF.CardAccess.
const CARD_ACCESS: &str = "31143012060A04007F0007020204020202010202010D";
const ZONE: &[u8] = b"T22000129364081251010318";
/// Appendix G.1: both private keys of the terminal.
const OURS: &str = "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99 \
    A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595";
/// Appendix G.1: the exchange.
const EXAMPLE: [[&str; 2]; 5] = [
    ["0022C1A4 0F 800A04007F00070202040202 830101", "9000"],
    ["10860000 02 7C00 00", "7C12 8010 95A3A016522EE98D01E76CB6B98B42C3 9000"],
    [
        "10860000 45 7C43 8141 047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E\
         544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D 00",
        "7C43 8241 04824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57\
         30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54 9000",
    ],
    [
        "10860000 45 7C43 8341 042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C\
         3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462 00",
        "7C43 8441 049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB\
         7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094 9000",
    ],
    ["00860000 0C 7C0A 8508 C2B0BD78D94BA866 00", "7C0A 8608 3ABB9674BCE93C08 9000"],
];

fn run_script(lines: &[[&str; 2]]) -> Result<Messaging, Failure> {
    let offer = &offers(&unhex(CARD_ACCESS)).unwrap()[0];
    let mut card = Script::new(lines);
    open(&mut Link::new(&mut card), offer, Password::Zone(ZONE), &mut Bytes(unhex(&OURS.repeat(2))))
}

#[test]
fn the_worked_example_is_spoken_byte_for_byte() {
    let mut session = run_script(&EXAMPLE).unwrap_or_else(|f| panic!("{f:?}"));
    // Its session keys are F5F0E35C0D7161EE6724EE513A0D9A7F and FE251C7858B356B24514B3BD5F4297D1.
    let mut same = Messaging::new(
        Suite::Aes128,
        zeroize::Zeroizing::new(unhex("F5F0E35C0D7161EE6724EE513A0D9A7F")),
        zeroize::Zeroizing::new(unhex("FE251C7858B356B24514B3BD5F4297D1")),
        &[0; 16],
    );
    let command = Command::new(0xa4, 4, 0x0c, &[0xa0, 0, 0, 2, 0x47, 0x10, 1], None);
    assert_eq!(session.protect(&command), same.protect(&command));
}

#[test]
fn a_card_that_answers_wrongly_is_refused_at_every_step() {
    for (line, step) in [(1, Step::Nonce), (2, Step::Mapping), (3, Step::Agreement), (4, Step::Tokens)] {
        let good = unhex(EXAMPLE[line][1]);
        let with = |answer: &[u8]| {
            let answer = hex::encode(answer);
            let mut lines = EXAMPLE[..=line].to_vec();
            lines[line][1] = &answer;
            // A changed nonce or key shows at the token, which the script does not know.
            run_script(&lines).err().unwrap()
        };
        for at in 0..4 {
            let mut changed = good.clone();
            changed[at] ^= 0x40;
            assert!(
                matches!(with(&changed), Failure { step: s, trouble: Trouble::Malformed(_) } if s == step)
            );
        }
        assert!(matches!(with(&[0x90, 0]).trouble, Trouble::Malformed(_)));
        if line == 2 || line == 3 {
            let point = 4;
            for (at, bit) in [(point, 1), (point, 4), (point + 1, 1), (point + 64, 1)] {
                let mut changed = good.clone();
                changed[at] ^= bit;
                assert_eq!(with(&changed), Failure { step, trouble: OFF_CURVE });
            }
            let infinity = unhex(if line == 2 { "7C03 8201 00 9000" } else { "7C03 8401 00 9000" });
            assert_eq!(with(&infinity), Failure { step, trouble: OFF_CURVE });
            // Our own key sent back.
            let ours = &unhex(EXAMPLE[line][0])[9..74];
            let tag = if line == 2 { 0x82 } else { 0x84 };
            let echo = [der::tlv(0x7c, &der::tlv(tag, ours)), vec![0x90, 0]].concat();
            assert!(matches!(with(&echo).trouble, Trouble::Malformed("with the terminal's own key")));
        }
        if line == 4 {
            let mut changed = good.clone();
            changed[8] ^= 1;
            assert_eq!(with(&changed), Failure { step, trouble: Trouble::WrongKey(OK) });
            for sw in [0x6300, 0x6982, 0x6a80, 0x6a88, 0x6fff] {
                let failure = with(&u16::to_be_bytes(sw));
                assert_eq!(failure, Failure { step, trouble: Trouble::WrongKey(sw) });
            }
        }
    }
}

#[test]
fn a_refused_set_up_is_tried_again_with_the_parameters_named() {
    let named = "0022C1A4 12 800A04007F00070202040202 830101 84010D";
    for sw in ["6300", "6982", "6A80", "6A88", "6FFF"] {
        let mut lines = vec![[EXAMPLE[0][0], sw], [named, "9000"]];
        lines.extend(&EXAMPLE[1..]);
        assert!(run_script(&lines).is_ok());
        let failure = run_script(&[[EXAMPLE[0][0], sw], [named, sw]]).err().unwrap();
        let sw = u16::from_str_radix(sw, 16).unwrap();
        assert_eq!(failure, Failure { step: Step::SetUp, trouble: Trouble::Status(sw) });
    }
}

#[test]
fn card_access_is_read_with_and_without_parameters() {
    let oid = |arcs: &[u64]| der::oid(&[&[0, 4, 0, 127, 0, 7], arcs].concat());
    let two = der::integer(&[2]);
    let aes256 = der::sequence(&[&oid(&[2, 2, 4, 2, 4]), &two, &der::integer(&[16])]);
    let bare = der::sequence(&[&oid(&[2, 2, 4, 2, 2]), &two]);
    let modp = der::sequence(&[&oid(&[2, 2, 4, 2, 2]), &two, &der::integer(&[1])]);
    let integrated = der::sequence(&[&oid(&[2, 2, 4, 4, 2]), &two, &der::integer(&[13])]);
    let list = |infos: &[&[u8]]| -> Vec<(Suite, u64, bool)> {
        let offers = offers(&der::set_of(infos)).unwrap();
        offers.iter().map(|o| (o.suite, o.parameter, o.ambiguous)).collect()
    };
    assert_eq!(
        list(&[&bare, &aes256]),
        [(Suite::Aes256, 16, false), (Suite::Aes128, 12, true), (Suite::Aes128, 13, true)]
    );
    let algorithm = der::sequence(&[&oid(&[1, 2]), &der::integer(&[13])]);
    let domain = der::sequence(&[&oid(&[2, 2, 4, 2]), &algorithm]);
    assert_eq!(list(&[&bare, &domain]), [(Suite::Aes128, 13, false)]);
    assert_eq!(list(&[&modp, &integrated]), []);
    assert_eq!(list(&[]), []);
    let flood = der::tlv(0x31, &bare.repeat(201));
    assert!(matches!(offers(&flood), Err(DerError::Limit { .. })));
    for bad in ["", "30", "3000", "3184FFFFFFFF", "3103300100", "310430020500"] {
        assert!(offers(&unhex(bad)).is_err(), "{bad}");
    }
}

/// A coordinate begins with a zero byte once in 256 times: whoever does not pad it fails then.
#[test]
fn terminal_and_chip_agree_with_every_curve_cipher_and_a_thousand_nonces() {
    let mut zeros = 0;
    let mut chip = Chip::new(Profile::default());
    for round in 0..1044u64 {
        let (suite, parameter) = if round < 1000 { (2, 12) } else { (1 + round % 4, 8 + round % 11) };
        chip.profile.pace = Some((suite, parameter));
        chip.reset();
        let offer = offers(&chip.card_access()).unwrap().remove(0);
        let opened = open(&mut Link::new(&mut chip), &offer, Password::Can(b"123456"), &mut SystemEntropy);
        assert!(opened.is_ok(), "{round}: {:?}", opened.err());
        zeros += usize::from(chip.saw_leading_zero());
    }
    assert!(zeros > 0, "no coordinate began with a zero: the test proves nothing");
}

proptest::proptest! {
    #[test]
    fn any_card_access_is_refused_or_read_without_a_panic(bytes: Vec<u8>) {
        let _ = offers(&bytes);
        let _ = offers(&der::tlv(0x31, &bytes));
    }
}
