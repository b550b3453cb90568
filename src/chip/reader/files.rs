//! Files of a chip (ICAO Doc 9303-10, 3): selected by identifier, read in parts as long as card and reader can carry,
//! with a limit before memory is taken.

use super::apdu::{Command, END_OF_FILE, OK, WRONG_LENGTH};
use super::link::{Link, Trouble};
use super::messaging::Broken;
use super::suite::Secret;
use crate::chip::reading::FileId;
use crate::der::{self, Reader};
use zeroize::Zeroizing;

/// How long the parts may be; learnt from the card while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Most bytes in a short response under secure messaging.
    short: usize,
    /// Whether extended length is still to be tried.
    extended: bool,
    /// Extended length has worked.
    proven: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Reach { short: SHORT, extended: true, proven: false }
    }
}

/// A file of which a part has been read.
pub struct Partial {
    /// Which.
    pub id: FileId,
    /// How long it says that it is.
    pub total: usize,
    /// What has been read.
    pub bytes: Vec<u8>,
}

/// Selects the application of travel documents; without Le and file control information, as some cards demand.
///
/// # Errors
/// The card has none.
pub fn select_application(link: &mut Link<'_>) -> Result<(), Trouble> {
    let answer = link.send(&Command::new(0xa4, 4, 0x0c, &APPLICATION, None))?;
    match answer.sw {
        OK | 0x6283 => Ok(()),
        // Cards that insist on describing what was selected.
        WRONG_LENGTH | 0x6a86 | 0x6a87 => {
            link.must(&Command::new(0xa4, 4, 0, &APPLICATION, Some(256))).map(|_| ())
        }
        sw => Err(Trouble::Status(sw)),
    }
}

/// EF.CardAccess, which stands beside the application and is open to all: selected as it is, then after the master file,
/// which Vietnamese cards refuse. `None` where the card has none.
///
/// # Errors
/// The card is gone.
pub fn read_card_access(link: &mut Link<'_>, reach: &mut Reach) -> Result<Option<Vec<u8>>, Trouble> {
    for select_master in [None, Some(&[0x3f, 0][..]), Some(&[])] {
        if let Some(master) = select_master {
            // Whatever it answers: the file may be there all the same.
            link.send(&Command::new(0xa4, 0, 0x0c, master, None))?;
        }
        let mut partial = None;
        match read(link, FileId::CardAccess, reach, &mut partial, &mut |_, _| {}) {
            Ok(file) if file.first() == Some(&0x31) => return Ok(Some(file)),
            Err(Trouble::Lost) => return Err(Trouble::Lost),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

/// A whole file. What was read before the card was lost stays in `partial`, and reading goes on there.
///
/// # Errors
/// The card is gone or refuses, the session ended, the file is longer than its kind may be or is cut off.
pub fn read(
    link: &mut Link<'_>,
    id: FileId,
    reach: &mut Reach,
    partial: &mut Option<Partial>,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Vec<u8>, Trouble> {
    link.must(&Command::new(0xa4, 2, 0x0c, &identifier(id).to_be_bytes(), None))?;
    let known = partial.take().filter(|partial| partial.id == id);
    let mut file = match known {
        Some(known) => known,
        None => begin(link, id)?,
    };
    while file.bytes.len() < file.total {
        match next_part(link, &file, reach) {
            Ok(Some(part)) => {
                file.bytes.extend(&*part);
                tell(file.bytes.len(), file.total);
            }
            Ok(None) => {}
            Err(trouble) => {
                *partial = Some(file);
                return Err(trouble);
            }
        }
    }
    file.bytes.truncate(file.total);
    Ok(file.bytes)
}

/// The first bytes, which say how long the file is.
fn begin(link: &mut Link<'_>, id: FileId) -> Result<Partial, Trouble> {
    let head = binary(link, 0, HEADER)?;
    let total = whole_length(&head).ok_or(Trouble::Malformed("a file that does not say its length"))?;
    if total > id.largest() {
        return Err(Trouble::TooLarge);
    }
    let mut bytes = Vec::with_capacity(total.max(head.len()));
    bytes.extend(&*head);
    Ok(Partial { id, total, bytes })
}

/// The next part; `None` where the card took offence at the length and a shorter one is to be tried.
fn next_part(link: &mut Link<'_>, file: &Partial, reach: &mut Reach) -> Result<Option<Secret>, Trouble> {
    let offset = file.bytes.len();
    let left = file.total - offset;
    let extended = reach.extended && left > reach.short;
    let want = left.min(if extended { EXTENDED } else { reach.short });
    match binary(link, offset, want) {
        Ok(part) if part.is_empty() => Err(Trouble::Malformed("a file shorter than it says")),
        Ok(part) if part.len() > want => Err(Trouble::Malformed("more than it was asked for")),
        Ok(part) => {
            reach.proven |= extended;
            Ok(Some(part))
        }
        Err(Trouble::Status(_)) if extended => {
            reach.extended = false;
            Ok(None)
        }
        Err(Trouble::Status(sw)) if reach.shorten(sw, want) => Ok(None),
        Err(trouble) => {
            // In the clear, or not at all: the session is gone, but the next one knows better.
            match trouble {
                Trouble::Broken(Broken::Plain(sw)) if sw != OK => {
                    if extended {
                        reach.extended = false;
                    } else {
                        reach.shorten(sw, want);
                    }
                }
                Trouble::Lost if extended && !reach.proven => reach.extended = false,
                _ => {}
            }
            Err(trouble)
        }
    }
}

impl Reach {
    /// Whether there is a shorter length to try after this status.
    fn shorten(&mut self, sw: u16, tried: usize) -> bool {
        let exact = usize::from(sw & 0xff);
        let shorter = match sw {
            0x6c01..=0x6cff if exact < tried => exact,
            WRONG_LENGTH | 0x6c00..=0x6cff => tried / 2,
            _ => return false,
        };
        if shorter < SHORTEST {
            return false;
        }
        self.short = shorter;
        true
    }
}

/// READ BINARY; behind 32,767 with the odd instruction and the offset as a data object (ISO/IEC 7816-4, 7.2.3).
fn binary(link: &mut Link<'_>, offset: usize, want: usize) -> Result<Secret, Trouble> {
    let [.., a, b, c] = offset.to_be_bytes();
    let far = offset > 0x7fff;
    let answer = if far {
        let place = if a == 0 { der::tlv(0x54, &[b, c]) } else { der::tlv(0x54, &[a, b, c]) };
        // The data object around the data takes two to four bytes.
        let around = if want < 0x80 {
            2
        } else if want < 0x100 {
            3
        } else {
            4
        };
        link.send(&Command::new(0xb1, 0, 0, &place, Some(want + around)))?
    } else {
        link.send(&Command::new(0xb0, b, c, &[], Some(want)))?
    };
    if answer.sw != OK && answer.sw != END_OF_FILE {
        return Err(Trouble::Status(answer.sw));
    }
    if !far {
        return Ok(answer.data);
    }
    let mut outer = Reader::lenient(&answer.data);
    let object = outer.expect(0x53).map_err(|_| Trouble::Malformed("far data of another form"))?;
    Ok(Zeroizing::new(object.content.to_vec()))
}

/// How long a file is, from the identifier and length that it begins with.
fn whole_length(head: &[u8]) -> Option<usize> {
    let identifier = if head.first()? & 0x1f == 0x1f { 2 } else { 1 };
    let first = *head.get(identifier)?;
    let octets = match first {
        0..=0x7f => return Some(identifier + 1 + usize::from(first)),
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return None,
    };
    let length = head.get(identifier + 1..identifier + 1 + octets)?;
    let length = length.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
    usize::try_from(length).ok()?.checked_add(identifier + 1 + octets)
}

/// The file identifier (Doc 9303-10, tables 32 to 35).
fn identifier(id: FileId) -> u16 {
    match id {
        FileId::Com => 0x011e,
        FileId::Sod | FileId::CardSecurity => 0x011d,
        FileId::CardAccess => 0x011c,
        FileId::Dg(number) => 0x0100 | u16::from(number),
    }
}

const APPLICATION: [u8; 7] = [0xa0, 0, 0, 2, 0x47, 0x10, 1];
/// With what secure messaging adds and the longest padding, still within 256 bytes.
const SHORT: usize = 223 - 4;
/// Below this a card cannot be read in any reasonable time.
const SHORTEST: usize = 4;
/// Enough that the way there and back no longer counts, and within every reader's buffer.
const EXTENDED: usize = 2048;
/// Identifier and the longest length of a file within the limits.
const HEADER: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_how_long_it_is() {
        for (head, length) in [
            ("6105", Some(7)),
            ("758200ff0000", Some(4 + 255)),
            ("7f6181800000", Some(4 + 128)),
            ("77840000ffff", Some(6 + 65_535)),
            ("7784ffffffff", Some(6 + 0xffff_ffff)),
            ("7780", None),
            ("7785", None),
            ("7782ff", None),
            ("77", None),
            ("", None),
        ] {
            assert_eq!(whole_length(&hex::decode(head).unwrap()), length, "{head}");
        }
    }

    #[test]
    fn a_length_that_was_refused_is_not_tried_again() {
        let mut reach = Reach::default();
        assert!(reach.shorten(0x6c40, 200) && reach.short == 0x40);
        assert!(reach.shorten(0x6700, 64) && reach.short == 32);
        assert!(reach.shorten(0x6cff, 32) && reach.short == 16);
        assert!(!reach.shorten(0x6982, 16) && !reach.shorten(0x6700, 6));
        let mut steps = 0;
        while reach.shorten(0x6700, reach.short) {
            steps += 1;
        }
        assert!(steps < 10);
    }
}
