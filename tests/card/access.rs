//! Basic access control (Doc 9303-11, 4.3).

use super::Card;
use super::apdu::{Answer, Command};
use super::messaging::Messaging;
use super::suite::{Purpose, Suite, pad};

impl Card {
    pub(super) fn get_challenge(&mut self, command: &Command) -> Answer {
        if !self.chip.bac {
            return Answer::status(0x6d00);
        }
        if command.le != Some(8) {
            return Answer::status(0x6700);
        }
        if !self.state.application {
            return Answer::status(0x6985);
        }
        let challenge = self.random(8);
        self.state.challenge = Some(challenge[..].try_into().unwrap());
        Answer::ok(challenge)
    }

    pub(super) fn external_authenticate(&mut self, command: &Command) -> Answer {
        if !self.chip.bac {
            return Answer::status(0x6d00);
        }
        let Some(challenge) = self.state.challenge.take() else { return Answer::status(0x6985) };
        if command.data.len() != 40 || command.le != Some(40) {
            return Answer::status(0x6700);
        }
        let suite = Suite::TripleDes;
        let seed = &openssl::sha::sha1(self.chip.zone.as_bytes())[..16];
        let (encryption, mac) = (suite.derive(seed, Purpose::Encryption), suite.derive(seed, Purpose::Mac));
        let (text, token) = command.data.split_at(32);
        if suite.mac(&mac, &pad(text, 8)) != token {
            return Answer::status(0x6300);
        }
        let plain = suite.decrypt(&encryption, &[], text);
        let (terminal, echo, share) = (&plain[..8], &plain[8..16], &plain[16..]);
        if echo != challenge {
            return Answer::status(0x6300);
        }
        let own = self.random(16);
        let mut back = terminal.to_vec();
        if self.quirks.bac_bad_echo {
            back[0] ^= 1;
        }
        let text = suite.encrypt(&encryption, &[], &[&challenge, &back[..], &own].concat());
        let mut token = suite.mac(&mac, &pad(&text, 8));
        if self.quirks.bac_bad_mac {
            token[0] ^= 1;
        }
        let seed: Vec<u8> = share.iter().zip(&own).map(|(a, b)| a ^ b).collect();
        let counter = [&challenge[4..], &terminal[4..]].concat();
        self.state.open = true;
        self.state.next = Some(Messaging::of_basic_access(&seed, &counter));
        Answer::ok([&text[..], &token].concat())
    }
}
