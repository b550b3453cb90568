//! Secure messaging, the chip's side (Doc 9303-11, 9.8).

use super::apdu::{Answer, Command};
use super::suite::{Purpose, Suite, pad, unpad};
use super::tlv::{objects, tlv};

/// Keys and counter of a session.
#[derive(Clone)]
pub(crate) struct Messaging {
    suite: Suite,
    encryption: Vec<u8>,
    mac: Vec<u8>,
    counter: Vec<u8>,
}

/// Ways of answering that a reader must not take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum BadAnswer {
    /// Without DO'8E'.
    NoMac,
    /// One bit of the MAC turned.
    WrongMac,
    /// A status word that DO'99' contradicts.
    StatusDiffers,
    /// DO'99' of one byte, under a right MAC.
    ShortStatus,
    /// The counter one step behind, as in an answer played again.
    OldCounter,
    /// Plain 9000 and nothing else.
    Plain,
}

impl Messaging {
    /// Keys from a shared secret, counter at zero (after PACE and chip authentication).
    pub(crate) fn new(suite: Suite, secret: &[u8]) -> Messaging {
        Messaging {
            suite,
            encryption: suite.derive(secret, Purpose::Encryption),
            mac: suite.derive(secret, Purpose::Mac),
            counter: vec![0; suite.block()],
        }
    }

    /// 3DES with the counter that basic access control agrees on.
    pub(crate) fn of_basic_access(seed: &[u8], counter: &[u8]) -> Messaging {
        Messaging { counter: counter.to_vec(), ..Messaging::new(Suite::TripleDes, seed) }
    }

    /// The command inside a protected one, or the status word that refuses it.
    pub(crate) fn open(&mut self, outer: &Command) -> Result<Command, u16> {
        const MISSING: u16 = 0x6987;
        const INCORRECT: u16 = 0x6988;
        self.count();
        let all = objects(&outer.data).ok_or(INCORRECT)?;
        let (mut cryptogram, mut le, mut mac, mut covered) = (None, None, None, Vec::new());
        for (tag, content) in all {
            let place = match tag {
                0x85 | 0x87 => &mut cryptogram,
                0x97 => &mut le,
                0x8e => &mut mac,
                _ => return Err(INCORRECT),
            };
            if place.replace((tag, content)).is_some() || (tag != 0x8e && mac.is_some()) {
                return Err(INCORRECT);
            }
            if tag != 0x8e {
                covered.extend(tlv(tag, &[content]));
            }
        }
        let header = pad(&[outer.cla, outer.ins, outer.p1, outer.p2], self.suite.block());
        let mut message = [&self.counter[..], &header].concat();
        if !covered.is_empty() {
            message.extend(pad(&covered, self.suite.block()));
        }
        if self.suite.mac(&self.mac, &message) != mac.ok_or(MISSING)?.1 {
            return Err(INCORRECT);
        }
        let mut inner = Command { cla: outer.cla & !0x0c, data: vec![], le: None, ..outer.clone() };
        if let Some((tag, content)) = cryptogram {
            // An odd INS says that the data are BER-TLV: then there is no padding indicator (ISO/IEC 7816-4).
            if (tag == 0x85) != (outer.ins & 1 == 1) {
                return Err(INCORRECT);
            }
            let ((0x87, [1, text @ ..]) | (0x85, text)) = (tag, content) else { return Err(INCORRECT) };
            if text.is_empty() || text.len() % self.suite.block() != 0 {
                return Err(INCORRECT);
            }
            let plain = self.suite.decrypt(&self.encryption, &self.vector(), text);
            inner.data = unpad(&plain).ok_or(INCORRECT)?.to_vec();
        }
        match le {
            None => {}
            Some((_, [le])) => inner.want(usize::from(*le), 0x100),
            Some((_, [high, low])) => inner.want(usize::from(*high) << 8 | usize::from(*low), 0x1_0000),
            Some(_) => return Err(INCORRECT),
        }
        Ok(inner)
    }

    /// A protected answer; in the way of a bad chip where that is asked for.
    pub(crate) fn close(&mut self, ins: u8, answer: &Answer, bad: Option<BadAnswer>) -> Vec<u8> {
        if bad != Some(BadAnswer::OldCounter) {
            self.count();
        }
        let mut body = Vec::new();
        if !answer.data.is_empty() {
            let text =
                self.suite.encrypt(&self.encryption, &self.vector(), &pad(&answer.data, self.suite.block()));
            body.extend(if ins & 1 == 1 { tlv(0x85, &[&text]) } else { tlv(0x87, &[&[1], &text]) });
        }
        let status = answer.status.to_be_bytes();
        body.extend(tlv(0x99, &[if bad == Some(BadAnswer::ShortStatus) { &status[..1] } else { &status }]));
        let message = [&self.counter[..], &pad(&body, self.suite.block())].concat();
        let mut mac = self.suite.mac(&self.mac, &message);
        match bad {
            Some(BadAnswer::Plain) => return vec![0x90, 0],
            Some(BadAnswer::WrongMac) => mac[7] ^= 1,
            _ => {}
        }
        if bad != Some(BadAnswer::NoMac) {
            body.extend(tlv(0x8e, &[&mac]));
        }
        body.extend(if bad == Some(BadAnswer::StatusDiffers) { [0x62, 0x82] } else { status });
        body
    }

    /// The most plain bytes that a protected answer of so many bytes holds.
    pub(crate) fn room(&self, bytes: usize) -> usize {
        // DO'99', DO'8E', and tag, length and indicator of DO'87'.
        let text = bytes.saturating_sub(4 + 10 + if bytes > 0x100 { 5 } else { 4 });
        (text / self.suite.block() * self.suite.block()).saturating_sub(1)
    }

    fn count(&mut self) {
        for byte in self.counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    fn vector(&self) -> Vec<u8> {
        match self.suite {
            Suite::TripleDes => vec![],
            suite => suite.encrypt(&self.encryption, &[], &self.counter),
        }
    }
}
