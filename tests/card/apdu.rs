//! Command APDUs as ISO/IEC 7816-4 lays them out, short and extended.

/// A command, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) cla: u8,
    pub(crate) ins: u8,
    pub(crate) p1: u8,
    pub(crate) p2: u8,
    pub(crate) data: Vec<u8>,
    /// How many bytes are wanted at most; None where the field is absent.
    pub(crate) le: Option<usize>,
    /// Whether `le` said "as many as there are".
    pub(crate) le_is_open: bool,
    /// Whether the lengths were of the extended kind.
    pub(crate) extended: bool,
}

/// Data and status word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) data: Vec<u8>,
    pub(crate) status: u16,
}

impl Command {
    /// None where the lengths do not add up.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Command> {
        let (&[cla, ins, p1, p2], body) = bytes.split_first_chunk::<4>()?;
        let mut command =
            Command { cla, ins, p1, p2, data: vec![], le: None, le_is_open: false, extended: false };
        match body {
            [] => {}
            [le] => command.want(usize::from(*le), 0x100),
            [0, high, low] => {
                command.extended = true;
                command.want(usize::from(*high) << 8 | usize::from(*low), 0x1_0000);
            }
            [0, high, low, rest @ ..] => {
                command.extended = true;
                let length = usize::from(*high) << 8 | usize::from(*low);
                command.data = rest.get(..length)?.to_vec();
                match rest[length..] {
                    [] if length > 0 => {}
                    [high, low] if length > 0 => {
                        command.want(usize::from(high) << 8 | usize::from(low), 0x1_0000);
                    }
                    _ => return None,
                }
            }
            [length, rest @ ..] => {
                let length = usize::from(*length);
                command.data = rest.get(..length)?.to_vec();
                match rest[length..] {
                    [] => {}
                    [le] => command.want(usize::from(le), 0x100),
                    _ => return None,
                }
            }
        }
        Some(command)
    }

    /// Sets what is wanted; 0 stands for the most that the field can say.
    pub(crate) fn want(&mut self, le: usize, most: usize) {
        self.le_is_open = le == 0;
        self.le = Some(if le == 0 { most } else { le });
    }
}

impl Answer {
    pub(crate) fn ok(data: Vec<u8>) -> Answer {
        Answer { data, status: 0x9000 }
    }

    pub(crate) fn status(status: u16) -> Answer {
        Answer { data: vec![], status }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.data[..], &self.status.to_be_bytes()].concat()
    }
}
