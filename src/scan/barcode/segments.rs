//! What the data codewords of a QR code say (ISO/IEC 18004, 7.4), segment by segment: the bytes as encoded and their
//! text. The text of the decoder library lacks bytes that its character set does not hold, and it gives none of many
//! symbols with an FNC1.

use rxing::common::{BitSource, CharacterSet, Eci};

/// The text and bytes of the codewords of a symbol of so many modules a side; nothing where they say nothing.
pub(crate) fn read(codewords: &[u8], modules: usize) -> Option<(String, Vec<u8>)> {
    let mut bits = BitSource::new(codewords);
    // Larger symbols have longer counts.
    let class = match modules.checked_sub(17)? / 4 {
        0..=9 => 0,
        10..=26 => 1,
        _ => 2,
    };
    let mut runs = Runs(Vec::new());
    let (mut charset, mut has_fnc1) = (None, false);
    while bits.available() >= 4 {
        match take(&mut bits, 4)? {
            0 => break,
            1 => {
                let count = take(&mut bits, [10, 12, 14][class])?;
                runs.put(None, &digits(&mut bits, count)?);
            }
            2 => {
                let count = take(&mut bits, [9, 11, 13][class])?;
                runs.put(None, &alphanumeric(&mut bits, count, has_fnc1)?);
            }
            // Which part of a larger message this is.
            3 => drop(take(&mut bits, 16)?),
            4 => {
                let count = take(&mut bits, [8, 16, 16][class])?;
                let bytes: Option<Vec<u8>> = (0..count).map(|_| byte(&mut bits)).collect();
                runs.put(charset, &bytes?);
            }
            5 => has_fnc1 = true,
            7 => charset = Some(CharacterSet::from(Eci::from(designator(&mut bits)?))),
            8 => {
                let count = take(&mut bits, [8, 10, 12][class])?;
                runs.put(Some(CharacterSet::Shift_JIS), &pairs(&mut bits, count, &KANJI)?);
            }
            9 => {
                has_fnc1 = true;
                runs.put(None, &application(byte(&mut bits)?)?);
            }
            // Hanzi of GB/T 18284, in the one set that there is.
            13 if take(&mut bits, 4)? == 1 => {
                let count = take(&mut bits, [8, 10, 12][class])?;
                runs.put(Some(CharacterSet::GB18030), &pairs(&mut bits, count, &HANZI)?);
            }
            _ => return None,
        }
    }
    let bytes: Vec<u8> = runs.0.iter().flat_map(|(_, bytes)| bytes).copied().collect();
    (!bytes.is_empty()).then(|| (runs.text(), bytes))
}

/// Bytes with the character set that the symbol names for them.
struct Runs(Vec<(Option<CharacterSet>, Vec<u8>)>);

impl Runs {
    /// A character may lie across two segments.
    fn put(&mut self, charset: Option<CharacterSet>, bytes: &[u8]) {
        match self.0.last_mut() {
            Some((last, run)) if *last == charset => run.extend_from_slice(bytes),
            _ => self.0.push((charset, bytes.to_vec())),
        }
    }

    fn text(&self) -> String {
        let said = |(charset, bytes): &(Option<CharacterSet>, Vec<u8>)| {
            charset.and_then(|set| set.decode(bytes).ok()).unwrap_or_else(|| guessed(bytes))
        };
        self.0.iter().map(said).collect()
    }
}

/// UTF-8 where it is UTF-8, else what the standard says of bytes without a character set, ISO 8859-1.
fn guessed(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn take(bits: &mut BitSource, count: usize) -> Option<u32> {
    if count > bits.available() { None } else { bits.readBits(count).ok() }
}

fn byte(bits: &mut BitSource) -> Option<u8> {
    take(bits, 8)?.try_into().ok()
}

/// Three digits in ten bits, two in seven, one in four.
fn digits(bits: &mut BitSource, count: u32) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let mut left = count as usize;
    while left > 0 {
        let some = left.min(3);
        let text = format!("{:0some$}", take(bits, [4, 7, 10][some - 1])?);
        if text.len() > some {
            return None;
        }
        said.extend(text.into_bytes());
        left -= some;
    }
    Some(said)
}

/// Two characters in eleven bits, one in six. After an FNC1 a percent sign is a field separator and two are one.
fn alphanumeric(bits: &mut BitSource, count: u32, has_fnc1: bool) -> Option<Vec<u8>> {
    let mut said: Vec<u8> = Vec::new();
    let character = |value: u32| ALPHANUMERIC.get(value as usize).copied();
    for _ in 0..count / 2 {
        let pair = take(bits, 11)?;
        said.extend([character(pair / 45)?, character(pair % 45)?]);
    }
    if count % 2 == 1 {
        said.push(character(take(bits, 6)?)?);
    }
    if !has_fnc1 {
        return Some(said);
    }
    let mut separated = Vec::new();
    let mut rest = said.into_iter().peekable();
    while let Some(next) = rest.next() {
        let is_separator = next == b'%' && rest.next_if_eq(&b'%').is_none();
        separated.push(if is_separator { 0x1d } else { next });
    }
    Some(separated)
}

/// The number of a character set: one byte, two or three.
fn designator(bits: &mut BitSource) -> Option<u32> {
    let first = take(bits, 8)?;
    match first {
        0..0x80 => Some(first),
        0x80..0xc0 => Some((first & 0x3f) << 8 | take(bits, 8)?),
        0xc0..0xe0 => Some((first & 0x1f) << 16 | take(bits, 16)?),
        _ => None,
    }
}

/// What an FNC1 in second position names: two digits, or a letter.
fn application(indicator: u8) -> Option<Vec<u8>> {
    match indicator {
        0..100 => Some(format!("{indicator:02}").into_bytes()),
        _ => Some(indicator - 100).filter(u8::is_ascii_alphabetic).map(|letter| vec![letter]),
    }
}

/// How characters of two bytes are packed in thirteen bits.
struct Packing {
    /// Values of the second byte.
    second: u32,
    /// What the first bytes below and from the gap on are moved by.
    gap: u32,
    below: u32,
    above: u32,
}

fn pairs(bits: &mut BitSource, count: u32, packing: &Packing) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    for _ in 0..count {
        let value = take(bits, 13)?;
        let pair = ((value / packing.second) << 8) | (value % packing.second);
        let pair = pair + if pair < packing.gap { packing.below } else { packing.above };
        said.extend(u16::try_from(pair).ok()?.to_be_bytes());
    }
    Some(said)
}

const KANJI: Packing = Packing { second: 0xc0, gap: 0x1f00, below: 0x8140, above: 0xc140 };
const HANZI: Packing = Packing { second: 0x60, gap: 0x0a00, below: 0xa1a1, above: 0xa6a1 };
const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

#[cfg(test)]
mod tests {
    use super::super::read::qr_bits;
    use super::*;
    use qrcode::bits::Bits;
    use qrcode::{Color, EcLevel, QrCode, Version};
    use rxing::common::BitMatrix;

    /// What the symbol of some segments says, and its mirror image too.
    fn said(put: impl FnOnce(&mut Bits)) -> (String, Vec<u8>) {
        let mut bits = Bits::new(Version::Normal(12));
        put(&mut bits);
        bits.push_terminator(EcLevel::L).unwrap();
        let code = QrCode::with_bits(bits, EcLevel::L).unwrap();
        let mut grid = BitMatrix::with_single_dimension(code.width() as u32).unwrap();
        let mut mirrored = grid.clone();
        for (at, colour) in code.to_colors().into_iter().enumerate() {
            if colour == Color::Dark {
                let (x, y) = ((at % code.width()) as u32, (at / code.width()) as u32);
                grid.set(x, y);
                mirrored.set(y, x);
            }
        }
        let said = qr_bits(&grid).unwrap();
        assert_eq!(qr_bits(&mirrored).as_ref(), Some(&said));
        said
    }

    #[test]
    fn no_byte_of_a_symbol_is_lost_whatever_its_character_set() {
        let latin1 = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(said(|b| b.push_byte_data(&all).unwrap()), (latin1(&all), all.clone()));
        assert_eq!(said(|b| b.push_byte_data(b"caf\xe9").unwrap()), ("café".to_owned(), b"caf\xe9".to_vec()));
        let name = "NGUYỄN THỊ ÁNH";
        assert_eq!(said(|b| b.push_byte_data(name.as_bytes()).unwrap()), (name.to_owned(), name.into()));
        let mixed = said(|b| {
            b.push_numeric_data(b"00123").unwrap();
            b.push_byte_data(b"\xe9|").unwrap();
            b.push_alphanumeric_data(b"AB%").unwrap();
        });
        assert_eq!(mixed, ("00123é|AB%".to_owned(), b"00123\xe9|AB%".to_vec()));
        // A character in two segments.
        let (one, other) = name.as_bytes().split_at(6);
        let halves = said(|b| {
            b.push_byte_data(one).unwrap();
            b.push_byte_data(other).unwrap();
        });
        assert_eq!(halves, (name.to_owned(), name.into()));
    }

    #[test]
    fn a_named_character_set_gives_the_text_and_never_takes_bytes() {
        let with_eci = |eci: u32, bytes: &[u8]| {
            said(|b| {
                b.push_eci_designator(eci).unwrap();
                b.push_byte_data(bytes).unwrap();
            })
        };
        assert_eq!(with_eci(26, "đất".as_bytes()), ("đất".to_owned(), "đất".into()));
        assert_eq!(with_eci(3, "đ".as_bytes()), ("Ä\u{91}".to_owned(), "đ".into()));
        assert_eq!(with_eci(26, b"caf\xe9"), ("café".to_owned(), b"caf\xe9".to_vec()));
        let kanji = said(|b| {
            b.push_kanji_data(b"\x93\x5f\xe4\xaa").unwrap();
            b.push_byte_data(b"\xe9").unwrap();
        });
        assert_eq!(kanji, ("点茗é".to_owned(), b"\x93\x5f\xe4\xaa\xe9".to_vec()));
    }

    #[test]
    fn fields_of_gs1_are_separated_and_applications_named() {
        let gs1 = |segments: &[&[u8]]| {
            said(|b| {
                b.push_fnc1_first_position().unwrap();
                segments.iter().for_each(|data| b.push_alphanumeric_data(data).unwrap());
            })
            .0
        };
        assert_eq!(gs1(&[b"10AB%21C"]), "10AB\u{1d}21C");
        assert_eq!(gs1(&[b"10A%%B%21C%"]), "10A%B\u{1d}21C\u{1d}");
        assert_eq!(gs1(&[b"%10%%%21%%"]), "\u{1d}10%\u{1d}21%");
        assert_eq!(gs1(&[b"10A%", b"%21C"]), "10A\u{1d}\u{1d}21C");
        let after_digits = said(|b| {
            b.push_fnc1_first_position().unwrap();
            b.push_numeric_data(b"10").unwrap();
            b.push_alphanumeric_data(b"A%%B%21C").unwrap();
            b.push_byte_data(b"%").unwrap();
        });
        assert_eq!(after_digits, ("10A%B\u{1d}21C%".to_owned(), b"10A%B\x1d21C%".to_vec()));
        let aim = |indicator: u8| {
            said(|b| {
                b.push_fnc1_second_position(indicator).unwrap();
                b.push_alphanumeric_data(b"AB%C").unwrap();
                b.push_byte_data(b"\xe9").unwrap();
            })
        };
        assert_eq!(aim(37), ("37AB\u{1d}Cé".to_owned(), b"37AB\x1dC\xe9".to_vec()));
        assert_eq!(aim(4).0, "04AB\u{1d}Cé");
        assert_eq!(aim(b'a' + 100).0, "aAB\u{1d}Cé");
    }

    #[test]
    fn what_no_encoder_writes_is_no_code() {
        // An application that is neither two digits nor a letter, then a byte.
        assert_eq!(read(&[0x97, 0x84, 0x01, 0x61, 0x00], 21), None);
        assert_eq!(read(&[0; 9], 21), None);
        // A count of what is not there.
        assert_eq!(read(&[0x4f, 0xf0], 21), None);
    }
}
