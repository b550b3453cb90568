//! An ICAO chip card made of software: what a reader is tried on before it meets a true one.
//!
//! Written from Doc 9303-10 and -11 and TR-03110 with OpenSSL's primitives, knowing nothing of this crate's own reader;
//! other people's readers have read it (tests/readers). In process it is `Card::answer`; `vpcd::serve` lays it on the
//! virtual reader of Debian's vsmartcard-vpcd.

mod access;
mod apdu;
pub(crate) mod chip;
mod curve;
pub(crate) mod messaging;
pub(crate) mod mint;
mod pace;
mod proofs;
pub(crate) mod quirks;
pub(crate) mod suite;
mod tlv;
pub(crate) mod vpcd;

use apdu::{Answer, Command};
use chip::{CARD_ACCESS, Chip};
use messaging::Messaging;
use quirks::Quirks;
use std::collections::VecDeque;

/// A card and what it has been through.
pub(crate) struct Card {
    pub(crate) chip: Chip,
    pub(crate) quirks: Quirks,
    /// What the chip draws by chance, in this order, as long as there is any: for worked examples.
    pub(crate) fixed: VecDeque<Vec<u8>>,
    /// Commands so far, over all the times that it lay on a reader.
    pub(crate) commands: usize,
    protected: usize,
    state: State,
}

/// What is gone when the power is.
#[derive(Default)]
struct State {
    application: bool,
    file: Option<u16>,
    /// PACE or basic access control has come to its end.
    open: bool,
    challenge: Option<[u8; 8]>,
    pace: Option<pace::Run>,
    chip_key: Option<usize>,
    messaging: Option<Messaging>,
    /// Takes the place of `messaging` when the answer has left.
    next: Option<Messaging>,
}

const AID: [u8; 7] = [0xa0, 0, 0, 2, 0x47, 0x10, 1];

impl Card {
    pub(crate) fn new(chip: Chip) -> Card {
        Card::with(chip, Quirks::default())
    }

    pub(crate) fn with(chip: Chip, quirks: Quirks) -> Card {
        Card { chip, quirks, fixed: VecDeque::new(), commands: 0, protected: 0, state: State::default() }
    }

    /// Contactless, nothing but T=1 (ISO/IEC 14443 as PC/SC part 3 shows it).
    pub(crate) fn atr(&self) -> Vec<u8> {
        vec![0x3b, 0x80, 0x80, 0x01, 0x01]
    }

    pub(crate) fn power_off(&mut self) {
        self.state = State::default();
    }

    /// The answer to a command APDU with its status word; nothing at all where the card has been taken away.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.commands += 1;
        if self.quirks.pulled_at.remove(&self.commands) {
            self.power_off();
            return vec![];
        }
        let Some(command) = Command::parse(bytes) else { return Answer::status(0x6700).bytes() };
        if self.quirks.no_extended && command.extended {
            return Answer::status(0x6700).bytes();
        }
        let answer = if command.cla & 0x0c == 0x0c {
            self.answer_protected(&command)
        } else {
            // A plain command ends the session (9303-11, 9.8.1).
            if self.state.messaging.take().is_some() {
                self.state.open = false;
            }
            self.execute(&command).bytes()
        };
        if let Some(next) = self.state.next.take() {
            self.state.messaging = Some(next);
        }
        answer
    }

    fn answer_protected(&mut self, command: &Command) -> Vec<u8> {
        let Some(mut messaging) = self.state.messaging.take() else { return Answer::status(0x6882).bytes() };
        match messaging.open(command) {
            Err(status) => {
                self.state.open = false;
                Answer::status(status).bytes()
            }
            Ok(inner) => {
                self.state.messaging = Some(messaging.clone());
                let answer = self.execute(&inner);
                self.protected += 1;
                let bad = self
                    .quirks
                    .bad_answer
                    .filter(|(number, _)| *number == self.protected)
                    .map(|(_, bad)| bad);
                let bytes = messaging.close(inner.ins, &answer, bad);
                self.state.messaging = Some(messaging);
                bytes
            }
        }
    }

    fn execute(&mut self, command: &Command) -> Answer {
        if command.cla & !0x10 != 0 {
            return Answer::status(0x6e00);
        }
        let chained = command.cla & 0x10 != 0;
        if chained && command.ins != 0x86 {
            return Answer::status(0x6884);
        }
        match command.ins {
            0xa4 => self.select(command),
            0xb0 | 0xb1 => self.read(command),
            0x84 => self.get_challenge(command),
            0x82 => self.external_authenticate(command),
            0x22 => self.manage_security_environment(command),
            0x86 if self.state.pace.is_some() => self.pace(command, chained),
            0x86 => self.chip_authentication(command),
            0x88 => self.internal_authenticate(command),
            _ => Answer::status(0x6d00),
        }
    }

    fn select(&mut self, command: &Command) -> Answer {
        if self.quirks.refuses_idle_le && command.le.is_some() {
            return Answer::status(0x6700);
        }
        if !matches!(command.p2, 0 | 0x0c) {
            return Answer::status(0x6a86);
        }
        match (command.p1, &command.data[..]) {
            (0, [] | [0x3f, 0]) if self.quirks.no_master_file => Answer::status(0x6d00),
            (0, [] | [0x3f, 0]) => {
                (self.state.application, self.state.file) = (false, None);
                Answer::status(0x9000)
            }
            (4, aid) if aid == AID => {
                (self.state.application, self.state.file) = (true, None);
                Answer::status(0x9000)
            }
            (4, _) => Answer::status(0x6a82),
            (2, [high, low]) => {
                let id = u16::from_be_bytes([*high, *low]);
                match self.file(id) {
                    Err(status) => Answer::status(status),
                    Ok(_) => {
                        self.state.file = Some(id);
                        Answer::status(0x9000)
                    }
                }
            }
            _ => Answer::status(0x6a86),
        }
    }

    /// READ BINARY with offset or short identifier (B0), or with offset and data in data objects (B1).
    fn read(&mut self, command: &Command) -> Answer {
        let (p1, p2) = (command.p1, command.p2);
        let (short, offset) = match command.ins {
            0xb0 if p1 & 0xe0 == 0x80 => (p1 & 0x1f, usize::from(p2)),
            0xb0 if p1 & 0x80 == 0 => (0, usize::from(p1) << 8 | usize::from(p2)),
            0xb1 if p1 == 0 && p2 & 0xe0 == 0 => match tlv::split(&command.data) {
                Some((0x54, offset, [])) if offset.len() <= 4 => {
                    (p2, offset.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
                }
                _ => return Answer::status(0x6a80),
            },
            _ => return Answer::status(0x6a86),
        };
        if short != 0 {
            self.state.file = Some(0x0100 | u16::from(short));
        }
        let Some(id) = self.state.file else { return Answer::status(0x6986) };
        let content = match self.file(id) {
            Ok(content) => content,
            Err(status) => return Answer::status(status),
        };
        let Some(le) = command.le else { return Answer::status(0x6700) };
        let Some(rest) = content.get(offset..).filter(|rest| !rest.is_empty()) else {
            return Answer::status(0x6b00);
        };
        let mut most = self.room(command);
        if let Some(limit) = self.quirks.most_read {
            if le > limit && !command.le_is_open && self.quirks.refuses_long_read {
                return Answer::status(0x6700);
            }
            most = most.min(limit);
        }
        let mut wanted = le;
        if command.ins == 0xb1 {
            // Tag and length of DO'53'.
            let header = |bytes: usize| {
                if bytes > 0x102 {
                    4
                } else if bytes > 0x81 {
                    3
                } else {
                    2
                }
            };
            most = most.saturating_sub(header(most));
            if !self.quirks.le_without_header {
                wanted = le.saturating_sub(header(le));
            }
        }
        let most = most.min(wanted);
        let data = rest[..rest.len().min(most)].to_vec();
        let beyond = !command.le_is_open && command.ins == 0xb0 && le > rest.len();
        if beyond && self.quirks.strict_end {
            return Answer::status(0x6b00);
        }
        let status = if beyond && data.len() == rest.len() { 0x6282 } else { 0x9000 };
        Answer { data: if command.ins == 0xb1 { tlv::tlv(0x53, &[&data]) } else { data }, status }
    }

    /// A file where the current directory has it and the reader may see it.
    fn file(&self, id: u16) -> Result<&[u8], u16> {
        if !self.state.application {
            return match &self.chip.card_access {
                Some(content) if id == CARD_ACCESS => Ok(content),
                _ => Err(0x6a82),
            };
        }
        if !self.state.open {
            return Err(0x6982);
        }
        let content = self.chip.files.get(&id).ok_or(0x6a82_u16)?;
        if self.chip.locked.contains(&id) { Err(0x6982) } else { Ok(content) }
    }

    /// The most plain bytes that an answer to this command holds.
    fn room(&self, command: &Command) -> usize {
        let bytes = if command.extended { 0xfff0 } else { 0x100 };
        self.state.messaging.as_ref().map_or(bytes, |messaging| messaging.room(bytes))
    }

    fn manage_security_environment(&mut self, command: &Command) -> Answer {
        if self.quirks.refuses_idle_le && command.le.is_some() {
            return Answer::status(0x6700);
        }
        match (command.p1, command.p2) {
            (0xc1, 0xa4) => self.start_pace(command),
            (0x41, 0xa4 | 0xa6) => self.choose_chip_key(command),
            _ => Answer::status(0x6a86),
        }
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        self.fixed.pop_front().unwrap_or_else(|| suite::random(length))
    }
}
