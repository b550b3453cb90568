//! One command to the card and its response, through secure messaging once a session stands.

use super::apdu::{Command, OK, Response};
use super::messaging::{Broken, Messaging};
use super::{Lost, Transceiver};

/// A card with the session that is open to it.
pub struct Link<'a> {
    card: &'a mut dyn Transceiver,
    session: Option<Messaging>,
    last: Exchange,
}

/// A command as sent and its response as received.
#[derive(Default, Clone)]
pub struct Exchange {
    /// Command.
    pub command: Vec<u8>,
    /// Response with status word.
    pub response: Vec<u8>,
}

/// Why an exchange did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The card is gone or the link to it broke.
    #[error("the card is gone")]
    Lost,
    /// Secure messaging ended.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// The card refused with this status word.
    #[error("the card answered with status {0:04X}")]
    Status(u16),
    /// The card answered something else than belongs there.
    #[error("the card answered {0}")]
    Malformed(&'static str),
    /// The card has another password than was tried.
    #[error("the card does not accept the key (status {0:04X})")]
    WrongKey(u16),
    /// A file says that it is longer than any of its kind.
    #[error("a file over the size limit")]
    TooLarge,
    /// OpenSSL failed at something that must work.
    #[error("cryptography failed: {0}")]
    Inner(&'static str),
}

impl From<Lost> for Trouble {
    fn from(_: Lost) -> Self {
        Trouble::Lost
    }
}

impl<'a> Link<'a> {
    /// A card without a session.
    pub fn new(card: &'a mut dyn Transceiver) -> Self {
        Link { card, session: None, last: Exchange::default() }
    }

    /// From here on all goes through this session.
    pub fn secure(&mut self, session: Messaging) {
        self.session = Some(session);
    }

    /// From here on all goes in the clear.
    pub fn unsecure(&mut self) {
        self.session = None;
    }

    /// Whether a session stands.
    pub fn is_secure(&self) -> bool {
        self.session.is_some()
    }

    /// The last exchange as it went over the air.
    pub fn last(&self) -> &Exchange {
        &self.last
    }

    /// Sends a command; the status word is the caller's to judge.
    ///
    /// # Errors
    /// The card is gone, or the session ended.
    pub fn send(&mut self, command: &Command<'_>) -> Result<Response, Trouble> {
        let bytes = match &mut self.session {
            Some(session) => session.protect(command)?,
            None => command.to_bytes().ok_or(Broken::Command)?,
        };
        let raw = self.exchange(&bytes)?;
        let response = match &mut self.session {
            Some(session) => session.unprotect(&raw).map_err(Trouble::Broken),
            None => Response::parse(&raw).ok_or(Trouble::Malformed("less than a status word")),
        };
        // What a card holds is never logged: only which command it was and how it went.
        match &response {
            Ok(r) => {
                tracing::trace!(ins = command.ins, sw = format_args!("{:04X}", r.sw), size = r.data.len());
            }
            Err(trouble) => tracing::debug!(ins = command.ins, %trouble),
        }
        (self.last.command, self.last.response) = (bytes, raw);
        response
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// As [`Link::send`], and any status but 9000.
    pub fn must(&mut self, command: &Command<'_>) -> Result<Response, Trouble> {
        let response = self.send(command)?;
        if response.is_ok() { Ok(response) } else { Err(Trouble::Status(response.sw)) }
    }

    /// Collects a response that the card hands out in pieces (`61xx`, ISO/IEC 7816-4, 5.3.4).
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut whole: Vec<u8> = Vec::new();
        let mut raw = self.card.transceive(command)?;
        for _ in 0..MOST_PIECES {
            // Every card ends in a status word: less is what some drivers give when it was taken away.
            if raw.len() < 2 {
                return Err(Trouble::Lost);
            }
            if raw.len() > LONGEST || whole.len() + raw.len() > LONGEST {
                return Err(Trouble::Malformed("more than a response can hold"));
            }
            match raw.split_last_chunk::<2>() {
                Some((piece, [0x61, more])) => {
                    whole.extend(piece);
                    raw = self.card.transceive(&[0, 0xc0, 0, 0, *more])?;
                }
                _ => {
                    whole.extend(raw);
                    return Ok(whole);
                }
            }
        }
        Err(Trouble::Malformed("without an end"))
    }
}

impl Trouble {
    /// The status word that stands behind it, where one does.
    pub fn sw(self) -> Option<u16> {
        match self {
            Trouble::Status(sw) | Trouble::WrongKey(sw) | Trouble::Broken(Broken::Plain(sw)) => {
                (sw != OK).then_some(sw)
            }
            _ => None,
        }
    }
}

/// 65,536 bytes of data, what secure messaging adds, and the status word.
const LONGEST: usize = 65_536 + 64;
const MOST_PIECES: usize = 300;
