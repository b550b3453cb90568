//! Secure messaging (ICAO Doc 9303-11, 9.8): commands are encrypted and authenticated, responses are believed only
//! with a right MAC over the right counter. Whatever does not fit ends the session.

use super::apdu::{Command, Response, split_command};
use super::suite::{Secret, Suite, pad, unpad};
use crate::der::{self, Reader};
use openssl::memcmp;
use zeroize::Zeroizing;

/// The keys of a session and how many messages were sent under them.
pub struct Messaging {
    suite: Suite,
    encrypt: Secret,
    authenticate: Secret,
    counter: Secret,
    over: bool,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The card answered in the clear with this status word.
    #[error("the card answered in the clear with status {0:04X}")]
    Plain(u16),
    /// There is no MAC.
    #[error("a response without a MAC")]
    NoMac,
    /// The MAC is wrong: another key, another counter or changed bytes.
    #[error("a response with a wrong MAC")]
    Mac,
    /// The protected status word is missing, of another length, or not the one outside.
    #[error("a response whose protected status is not the one outside")]
    Status,
    /// Other data objects than belong there, twice the same, or out of order.
    #[error("a response that is not made of the right data objects")]
    Malformed,
    /// What was decrypted has no right padding.
    #[error("a response with wrong padding")]
    Padding,
    /// The command cannot be written.
    #[error("a command that is too long")]
    Command,
    /// The session ended before.
    #[error("a session that had ended")]
    Over,
}

impl Messaging {
    /// Begins a session with these keys and this counter (eight bytes for 3DES, sixteen for AES).
    pub fn new(suite: Suite, encrypt: Secret, authenticate: Secret, counter: &[u8]) -> Self {
        Messaging { suite, encrypt, authenticate, counter: Zeroizing::new(counter.to_vec()), over: false }
    }

    /// Begins a session with keys from an agreed secret and a counter of zero (PACE, chip authentication).
    pub fn of_secret(suite: Suite, secret: &[u8]) -> Self {
        let (encrypt, authenticate) = (suite.derive(secret, 1), suite.derive(secret, 2));
        Messaging::new(suite, encrypt, authenticate, &vec![0; suite.block()])
    }

    /// The command as it is sent.
    ///
    /// # Errors
    /// Too long a command; a session that is over.
    pub fn protect(&mut self, command: &Command<'_>) -> Result<Vec<u8>, Broken> {
        let protected = self.begin().and_then(|()| self.seal(command).ok_or(Broken::Command));
        self.over |= protected.is_err();
        protected
    }

    /// The response as it was meant.
    ///
    /// # Errors
    /// Anything that does not fit; the session is over then.
    pub fn unprotect(&mut self, response: &[u8]) -> Result<Response, Broken> {
        let opened = self.begin().and_then(|()| self.open(response));
        self.over |= opened.is_err();
        opened
    }

    /// Whether a command as it was sent is the next one of this session: only its MAC is looked at.
    pub fn is_next_command(&mut self, command: &[u8]) -> bool {
        let genuine = self.begin().is_ok() && self.covers(command).unwrap_or(false);
        self.over |= !genuine;
        genuine
    }

    fn covers(&self, command: &[u8]) -> Option<bool> {
        let (header, data) = split_command(command)?;
        let mut objects = Reader::lenient(data);
        let mut covered = 0;
        while objects.peek()? != MAC {
            objects.read_tlv().ok()?;
            covered = objects.at();
        }
        let mac = objects.expect(MAC).ok()?;
        objects.end().ok()?;
        let expected = self.mac(Some(header), data.get(..covered)?)?;
        Some(header[0] & 0x0c == 0x0c && same(mac.content, &expected))
    }

    /// Counts the next message.
    fn begin(&mut self) -> Result<(), Broken> {
        if self.over {
            return Err(Broken::Over);
        }
        for byte in self.counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return Ok(());
            }
        }
        // All counters are used up; no card lives that long.
        Err(Broken::Over)
    }

    fn seal(&self, command: &Command<'_>) -> Option<Vec<u8>> {
        let header = [command.cla | 0x0c, command.ins, command.p1, command.p2];
        let mut objects = Vec::new();
        if !command.data.is_empty() {
            let sealed =
                self.suite.encrypt(&self.encrypt, &self.iv()?, &pad(command.data, self.suite.block()))?;
            objects.extend(if command.ins & 1 == 0 {
                der::tlv(CRYPTOGRAM, &[&[1], &sealed[..]].concat())
            } else {
                der::tlv(CRYPTOGRAM_ODD, &sealed)
            });
        }
        if let Some(le) = command.le {
            let le = (le & 0xffff) as u16;
            let extended = command.is_extended();
            objects.extend(if extended {
                der::tlv(0x97, &le.to_be_bytes())
            } else {
                vec![0x97, 1, le as u8]
            });
        }
        let mac = self.mac(Some(header), &objects)?;
        objects.extend(der::tlv(0x8e, &mac));
        let extended = command.is_extended() || objects.len() > 255;
        let le = Some(if extended { 65_536 } else { 256 });
        Command { cla: header[0], data: &objects, le, ..*command }.encode(extended)
    }

    fn open(&self, response: &[u8]) -> Result<Response, Broken> {
        let (body, status) = response.split_last_chunk::<2>().ok_or(Broken::Malformed)?;
        let sw = u16::from_be_bytes(*status);
        if body.is_empty() {
            return Err(Broken::Plain(sw));
        }
        let mut objects = Reader::lenient(body);
        let mut next = |tag: u32| objects.optional(tag).map_err(|_| Broken::Malformed);
        let sealed = match next(u32::from(CRYPTOGRAM))? {
            Some(object) => Some(object.content.strip_prefix(&[1]).ok_or(Broken::Malformed)?),
            None => next(u32::from(CRYPTOGRAM_ODD))?.map(|object| object.content),
        };
        let inner = next(STATUS)?;
        let covered = objects.at();
        if objects.is_empty() {
            return Err(Broken::NoMac);
        }
        let mac = objects.expect(MAC).map_err(|_| Broken::Malformed)?;
        objects.end().map_err(|_| Broken::Malformed)?;
        let expected = self.mac(None, body.get(..covered).ok_or(Broken::Malformed)?).ok_or(Broken::Mac)?;
        if !same(mac.content, &expected) {
            return Err(Broken::Mac);
        }
        if inner.is_none_or(|inner| inner.content != status) {
            return Err(Broken::Status);
        }
        let data = match sealed {
            None => Zeroizing::new(Vec::new()),
            Some(sealed) => {
                let iv = self.iv().ok_or(Broken::Padding)?;
                let padded = self.suite.decrypt(&self.encrypt, &iv, sealed).ok_or(Broken::Padding)?;
                let size = unpad(&padded, self.suite.block()).ok_or(Broken::Padding)?.len();
                let mut data = padded;
                data.truncate(size);
                data
            }
        };
        Ok(Response { data, sw })
    }

    /// Over the counter, the header padded by itself, and the data objects.
    fn mac(&self, header: Option<[u8; 4]>, objects: &[u8]) -> Option<[u8; 8]> {
        let block = self.suite.block();
        let mut input = self.counter.to_vec();
        if let Some(header) = header {
            input.extend(&*pad(&header, block));
        }
        input.extend(objects);
        // A command without data objects ends in the padded header, which is not padded twice.
        let input = if objects.is_empty() { Zeroizing::new(input) } else { pad(&input, block) };
        self.suite.mac(&self.authenticate, &input)
    }

    /// Zero for 3DES, the encrypted counter for AES (Doc 9303-11, 9.8.6).
    fn iv(&self) -> Option<Secret> {
        let zero = vec![0; self.suite.block()];
        match self.suite {
            Suite::TripleDes => Some(Zeroizing::new(zero)),
            _ => self.suite.encrypt(&self.encrypt, &zero, &self.counter),
        }
    }
}

fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && memcmp::eq(left, right)
}

const CRYPTOGRAM: u8 = 0x87;
/// For instructions with an odd number, without padding indicator.
const CRYPTOGRAM_ODD: u8 = 0x85;
const STATUS: u32 = 0x99;
const MAC: u32 = 0x8e;

#[cfg(test)]
mod tests;
