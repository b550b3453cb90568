//! How a chip proves that it is no copy: chip authentication (Doc 9303-11, 6.2) and active authentication (6.1).

use super::Card;
use super::apdu::{Answer, Command};
use super::chip::ActiveKey;
use super::curve::Curve;
use super::messaging::Messaging;
use super::suite::{Suite, random};
use super::tlv::{objects, oid, split, tlv};
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};

/// id-CA-ECDH.
pub(super) const AGREEMENT: &str = "0.4.0.127.0.7.2.2.3.2";

impl Card {
    /// MSE:Set AT (AES) picks a key; MSE:Set KAT (3DES) picks it and agrees at once.
    pub(super) fn choose_chip_key(&mut self, command: &Command) -> Answer {
        self.state.pace = None;
        if self.quirks.no_private_keys || self.chip.chip_keys.is_empty() {
            return Answer::status(0x6d00);
        }
        if self.state.messaging.is_none() {
            return Answer::status(0x6982);
        }
        let Some(all) = objects(&command.data) else { return Answer::status(0x6a80) };
        let find = |tag: u32| all.iter().find(|(t, _)| *t == tag).map(|(_, content)| *content);
        let fits = |suite: Suite| match (command.p2, find(0x80)) {
            (0xa6, None) => suite == Suite::TripleDes,
            (0xa4, Some(protocol)) => oid(&format!("{AGREEMENT}.{}", suite.arc())) == protocol,
            _ => false,
        };
        let named = |id: Option<u8>| match (find(0x84), id) {
            (None, _) => true,
            (Some([wanted]), Some(id)) => *wanted == id,
            _ => false,
        };
        let mut keys = (0..).zip(&self.chip.chip_keys).filter(|(_, key)| fits(key.suite) && named(key.id));
        let Some((at, _)) = keys.next() else { return Answer::status(0x6a88) };
        if keys.next().is_some() {
            return Answer::status(0x6a80);
        }
        if command.p2 == 0xa4 {
            self.state.chip_key = Some(at);
            return Answer::status(0x9000);
        }
        match find(0x91) {
            Some(point) => Answer::status(self.agree_with(at, point).err().unwrap_or(0x9000)),
            None => Answer::status(0x6a80),
        }
    }

    pub(super) fn chip_authentication(&mut self, command: &Command) -> Answer {
        let Some(at) = self.state.chip_key.take() else { return Answer::status(0x6985) };
        if command.cla != 0 || command.le.is_none() {
            return Answer::status(0x6700);
        }
        let fields = split(&command.data).filter(|(tag, _, rest)| *tag == 0x7c && rest.is_empty());
        match fields.and_then(|(_, template, _)| objects(template)).as_deref() {
            Some([(0x80, point)]) => match self.agree_with(at, point) {
                Ok(()) => Answer::ok(tlv(0x7c, &[])),
                Err(status) => Answer::status(status),
            },
            _ => Answer::status(0x6a80),
        }
    }

    /// The session starts anew under the keys of the agreement when this answer has left.
    fn agree_with(&mut self, at: usize, point: &[u8]) -> Result<(), u16> {
        let key = &self.chip.chip_keys[at];
        let curve = Curve::standardised(key.curve);
        let terminal = curve.decode(point).ok_or(0x6a80_u16)?;
        let own = curve.pair(curve.generator(), None).secret;
        let secret = if self.quirks.other_chip_key { &own } else { &key.secret };
        let shared = curve.x(&curve.times(&terminal, secret));
        self.state.next = Some(Messaging::new(key.suite, &shared));
        Ok(())
    }

    pub(super) fn internal_authenticate(&mut self, command: &Command) -> Answer {
        let Some(key) = self.chip.active_key.clone().filter(|_| !self.quirks.no_private_keys) else {
            return Answer::status(0x6d00);
        };
        if !self.state.open || !self.state.application {
            return Answer::status(0x6982);
        }
        let Some(le) = command.le.filter(|_| command.data.len() == 8) else { return Answer::status(0x6700) };
        let challenge = self.quirks.replays.map_or(command.data.clone(), |old| old.to_vec());
        let signature = match (key, self.quirks.other_active_key) {
            (ActiveKey::Rsa(own, digest), false) => sign_9796(&own, digest, &challenge),
            (ActiveKey::Rsa(own, digest), true) => {
                sign_9796(&Rsa::generate(own.size() * 8).unwrap(), digest, &challenge)
            }
            (ActiveKey::Ec(own, digest), false) => sign_plain(&own, digest, &challenge),
            (ActiveKey::Ec(own, digest), true) => {
                sign_plain(&EcKey::generate(own.group()).unwrap(), digest, &challenge)
            }
        };
        // It cannot be given in parts; a reader that asked for too little has to ask again.
        if signature.len() > le.min(self.room(command)) {
            return Answer::status(0x6700);
        }
        Answer::ok(signature)
    }
}

/// ISO/IEC 9796-2 scheme 1 with partial recovery: 6A, chance, hash of chance and challenge, trailer.
fn sign_9796(key: &Rsa<Private>, digest: MessageDigest, challenge: &[u8]) -> Vec<u8> {
    let trailer: &[u8] = match digest.size() {
        20 => &[0xbc],
        28 => &[0x38, 0xcc],
        32 => &[0x34, 0xcc],
        48 => &[0x36, 0xcc],
        64 => &[0x35, 0xcc],
        other => panic!("no trailer for a hash of {other} bytes"),
    };
    let size = key.size() as usize;
    let chance = random(size - 1 - digest.size() - trailer.len());
    let print = hash(digest, &[&chance[..], challenge].concat()).unwrap();
    let message = [&[0x6a], &chance[..], &print, trailer].concat();
    let mut signature = vec![0; size];
    key.private_decrypt(&message, &mut signature, Padding::NONE).unwrap();
    signature
}

/// ECDSA, r and s as long as the order (TR-03111, plain format).
fn sign_plain(key: &EcKey<Private>, digest: MessageDigest, challenge: &[u8]) -> Vec<u8> {
    let signature = EcdsaSig::sign(&hash(digest, challenge).unwrap(), key).unwrap();
    let size = key.group().order_bits().div_ceil(8) as i32;
    [signature.r(), signature.s()].map(|number| number.to_vec_padded(size).unwrap()).concat()
}
