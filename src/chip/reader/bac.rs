//! Basic access control (ICAO Doc 9303-11, 4.3): the older way to open a chip, with number, birth and expiry.

use super::apdu::Command;
use super::curve::Entropy;
use super::link::{Link, Trouble};
use super::messaging::Messaging;
use super::suite::Suite;
use openssl::memcmp;
use zeroize::Zeroizing;

/// Opens the selected application with the zone's number, birth and expiry, each with its check digit. The card's MAC and
/// its echo of both challenges are checked.
///
/// # Errors
/// `WrongKey` where the card refuses or proves another key; what breaks the link.
pub fn open(link: &mut Link<'_>, zone: &[u8], entropy: &mut dyn Entropy) -> Result<Messaging, Trouble> {
    let failed = || Trouble::Inner("BAC");
    let suite = Suite::TripleDes;
    let seed = Zeroizing::new(openssl::sha::sha1(zone));
    let (encrypt, authenticate) = (suite.derive(&seed[..16], 1), suite.derive(&seed[..16], 2));
    let answer = link.must(&Command::new(0x84, 0, 0, &[], Some(8)))?;
    let theirs: [u8; 8] =
        answer.data.as_slice().try_into().map_err(|_| Trouble::Malformed("another length of challenge"))?;
    let (mut ours, mut half) = ([0; 8], Zeroizing::new([0; 16]));
    entropy.fill(&mut ours).map_err(|_| Trouble::Inner("random bytes"))?;
    entropy.fill(&mut *half).map_err(|_| Trouble::Inner("random bytes"))?;
    let plain = Zeroizing::new([&ours[..], &theirs, &*half].concat());
    let mut proof = suite.encrypt(&encrypt, &[0; 8], &plain).ok_or_else(failed)?;
    let mac = suite.mac(&authenticate, &super::suite::pad(&proof, 8)).ok_or_else(failed)?;
    proof.extend(mac);
    let answer = link.send(&Command::new(0x82, 0, 0, &proof, Some(40)))?;
    if !answer.is_ok() {
        return Err(Trouble::WrongKey(answer.sw));
    }
    let (sealed, mac) = answer.data.split_last_chunk::<8>().ok_or(Trouble::Malformed("too short a proof"))?;
    if sealed.len() != 32 {
        return Err(Trouble::Malformed("another length of proof"));
    }
    let expected = suite.mac(&authenticate, &super::suite::pad(sealed, 8)).ok_or_else(failed)?;
    let opened = suite.decrypt(&encrypt, &[0; 8], sealed).ok_or_else(failed)?;
    let echo = memcmp::eq(&opened[..8], &theirs) && memcmp::eq(&opened[8..16], &ours);
    if !memcmp::eq(mac, &expected) || !echo {
        return Err(Trouble::WrongKey(answer.sw));
    }
    let seed: Zeroizing<Vec<u8>> =
        Zeroizing::new(half.iter().zip(&opened[16..]).map(|(ours, theirs)| ours ^ theirs).collect());
    let counter = [&theirs[4..], &ours[4..]].concat();
    Ok(Messaging::new(suite, suite.derive(&seed, 1), suite.derive(&seed, 2), &counter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::reader::tests::script::{Bytes, Script, unhex};

    const ZONE: &[u8] = b"L898902C<369080619406236";
    const OURS: &str = "781723860C06C226 0B795240CB7049B01C19B33E32804F0B";
    const CHALLENGE: [&str; 2] = ["0084000008", "4608F91988702212 9000"];
    const PROOF: &str =
        "0082000028 72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2 5F1448EEA8AD90A7 28";
    const ANSWER: &str =
        "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F 2F2D235D074D7449 9000";

    fn run(answer: &str) -> Result<Vec<u8>, Trouble> {
        let mut card = Script::new(&[CHALLENGE, [PROOF, answer]]);
        let mut link = Link::new(&mut card);
        open(&mut link, ZONE, &mut Bytes(unhex(OURS)))
            .map(|mut session| session.protect(&Command::new(0xa4, 2, 0x0c, &[1, 0x1e], None)).unwrap())
    }

    /// Doc 9303-11, appendix D.3 and the first command of D.4.
    #[test]
    fn the_worked_example_is_spoken_byte_for_byte() {
        let select = unhex("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800");
        assert_eq!(run(ANSWER).unwrap(), select);
    }

    #[test]
    fn a_card_that_proves_another_key_is_refused() {
        let good = unhex(ANSWER);
        for at in 0..40 {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert_eq!(run(&hex::encode(&changed)).err(), Some(Trouble::WrongKey(0x9000)), "{at}");
        }
        assert_eq!(run("6300").err(), Some(Trouble::WrongKey(0x6300)));
        assert_eq!(run("6982").err(), Some(Trouble::WrongKey(0x6982)));
        assert!(matches!(run("9000").err(), Some(Trouble::Malformed(_))));
        assert!(matches!(run(&format!("00{ANSWER}")).err(), Some(Trouble::Malformed(_))));
    }

    #[test]
    fn a_right_mac_over_another_challenge_is_a_replay() {
        let suite = Suite::TripleDes;
        let seed = openssl::sha::sha1(ZONE);
        for (theirs, ours, fine) in [
            ("4608F91988702212", "781723860C06C226", true),
            ("4608F91988702213", "781723860C06C226", false),
            ("4608F91988702212", "781723860C06C227", false),
        ] {
            let plain = unhex(&format!("{theirs}{ours}0B4F80323EB3191CB04970CB4052790B"));
            let sealed = suite.encrypt(&suite.derive(&seed[..16], 1), &[0; 8], &plain).unwrap();
            let mac = suite.mac(&suite.derive(&seed[..16], 2), &crate::chip::reader::suite::pad(&sealed, 8));
            let answer = format!("{}{}9000", hex::encode(&*sealed), hex::encode(mac.unwrap()));
            assert_eq!(run(&answer).is_ok(), fine, "{theirs} {ours}");
        }
    }
}
