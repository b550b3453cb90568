//! Commands to a card and its responses (ISO/IEC 7816-4): short and extended length, status words.

use zeroize::Zeroizing;

/// A command before secure messaging.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// Class; bits for secure messaging are set by it.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Data field, at most 65,535 bytes.
    pub data: &'a [u8],
    /// Most bytes that may come back, 1 to 65,536; `None` where none are expected.
    pub le: Option<usize>,
}

impl<'a> Command<'a> {
    /// A command of the interindustry class.
    pub fn new(ins: u8, p1: u8, p2: u8, data: &'a [u8], le: Option<usize>) -> Self {
        Command { cla: 0, ins, p1, p2, data, le }
    }

    /// Whether it can only be written with three-byte lengths.
    pub fn is_extended(&self) -> bool {
        self.data.len() > 255 || self.le.is_some_and(|le| le > 256)
    }

    /// As bytes, in the shortest form that holds it; `None` above what a command can hold.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        self.encode(self.is_extended())
    }

    /// As bytes, in the extended form where asked for.
    pub fn encode(&self, extended: bool) -> Option<Vec<u8>> {
        let mut out = vec![self.cla, self.ins, self.p1, self.p2];
        if self.le.is_some_and(|le| le == 0 || le > 65_536) {
            return None;
        }
        if extended {
            if !self.data.is_empty() {
                out.push(0);
                out.extend(u16::try_from(self.data.len()).ok()?.to_be_bytes());
                out.extend(self.data);
            }
            if let Some(le) = self.le {
                if self.data.is_empty() {
                    out.push(0);
                }
                out.extend(((le & 0xffff) as u16).to_be_bytes());
            }
        } else {
            if !self.data.is_empty() {
                out.push(u8::try_from(self.data.len()).ok()?);
                out.extend(self.data);
            }
            if let Some(le) = self.le {
                out.push(if le == 256 { 0 } else { u8::try_from(le).ok()? });
            }
        }
        Some(out)
    }
}

/// The header and data field of a command as sent; `None` where the lengths do not add up.
pub fn split_command(bytes: &[u8]) -> Option<([u8; 4], &[u8])> {
    let header: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let rest = &bytes[4..];
    let (length, body, le) = match rest {
        // Without data: nothing, a short Le or an extended one.
        [] | [_] | [0, _, _] => return Some((header, &[])),
        [0, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body, 2),
        [length, body @ ..] => (usize::from(*length), body, 1),
    };
    let (data, tail) = body.split_at_checked(length)?;
    (length > 0 && (tail.is_empty() || tail.len() == le)).then_some((header, data))
}

/// What a card answered, after secure messaging.
pub struct Response {
    /// Data field.
    pub data: Zeroizing<Vec<u8>>,
    /// Status word.
    pub sw: u16,
}

impl Response {
    /// Reads a response; `None` below two bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (data, sw) = bytes.split_last_chunk::<2>()?;
        Some(Response { data: Zeroizing::new(data.to_vec()), sw: u16::from_be_bytes(*sw) })
    }

    /// The card did what it was asked.
    pub fn is_ok(&self) -> bool {
        self.sw == OK
    }
}

/// Done.
pub const OK: u16 = 0x9000;
/// Fewer bytes were there than asked for; they are in the data field.
pub const END_OF_FILE: u16 = 0x6282;
/// A wrong length, without saying which is right.
pub const WRONG_LENGTH: u16 = 0x6700;
/// Not without further authorisation.
pub const NOT_ALLOWED: u16 = 0x6982;
/// No such file.
pub const NO_FILE: u16 = 0x6a82;
/// Wrong parameters, also an offset behind the end.
pub const WRONG_OFFSET: u16 = 0x6b00;

#[cfg(test)]
mod tests {
    use super::*;

    fn hexed(command: Command<'_>) -> String {
        hex::encode(command.to_bytes().unwrap())
    }

    #[test]
    fn commands_take_the_shortest_form() {
        assert_eq!(hexed(Command::new(0xa4, 2, 0x0c, &[1, 0x1e], None)), "00a4020c02011e");
        assert_eq!(hexed(Command::new(0x84, 0, 0, &[], Some(8))), "0084000008");
        assert_eq!(hexed(Command::new(0xb0, 0, 0, &[], Some(256))), "00b0000000");
        assert_eq!(hexed(Command::new(0xb0, 0, 0, &[], Some(257))), "00b00000000101");
        assert_eq!(hexed(Command::new(0xb0, 0, 0, &[], Some(65_536))), "00b00000000000");
        assert_eq!(hexed(Command::new(0x88, 0, 0, &[7], Some(512))), "00880000000001070200");
        let long = hexed(Command::new(0x86, 0, 0, &[9; 256], None));
        assert!(long.starts_with("0086000000010009") && long.len() == 2 * (7 + 256));
        assert!(Command::new(0x86, 0, 0, &vec![0; 70_000], None).to_bytes().is_none());
        assert!(Command::new(0xb0, 0, 0, &[], Some(0)).to_bytes().is_none());
    }

    #[test]
    fn a_command_comes_apart_as_it_was_put_together() {
        for data in [&[][..], &[1], &[2; 255], &[3; 256], &[4; 3000]] {
            for le in [None, Some(1), Some(256), Some(257), Some(65_536)] {
                let command = Command::new(0xa4, 4, 0x0c, data, le);
                let bytes = command.to_bytes().unwrap();
                assert_eq!(split_command(&bytes), Some(([0, 0xa4, 4, 0x0c], data)), "{}", data.len());
            }
        }
        for bad in ["00a4", "00a4040c05aa", "00a4040c01aabbccdd", "00a4040c000005aa", "00a4040c00000000"] {
            assert_eq!(split_command(&hex::decode(bad).unwrap()), None, "{bad}");
        }
    }
}
