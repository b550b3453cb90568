//! What became of letters between a scanner and the desk, by name, so that the clerk knows what to set.

use unicode_normalization::UnicodeNormalization as _;

/// How the text was garbled; `None` where it does not look so.
pub(super) fn named(text: &str) -> Option<&'static str> {
    if reads_as(text, windows_1252) {
        return Some("garbled: UTF-8 was read as Windows-1252; set the scanner to UTF-8");
    }
    if reads_as(text, windows_1258) {
        return Some("garbled: UTF-8 was read as Windows-1258; set the scanner to UTF-8");
    }
    if letters_lost(text) {
        return Some("garbled: letters were lost; set the scanner's output and keyboard to Unicode");
    }
    if text.contains(|c: char| c.is_control() && c != '\t') {
        return Some("garbled: control characters; set the scanner to send text only");
    }
    let text: String = text.nfc().collect();
    odd_pairs(&text).then_some("garbled: the scanner uses a wrong code page; set it to UTF-8")
}

/// A letter that a code page lacks is sent as `?`. An address may hold one of its own, though hardly before a letter, and
/// hardly after the letters of several words.
fn letters_lost(text: &str) -> bool {
    let lost = |(at, field): (usize, &str)| {
        let letters: Vec<char> = field.chars().collect();
        let asked = |pair: &&[char]| pair.contains(&'?');
        let pairs = || letters.windows(2).filter(asked);
        let before = pairs().any(|pair| pair[1].is_alphabetic());
        let after = pairs().filter(|pair| pair[0].is_alphabetic()).count();
        if at < ADDRESS { field.contains('?') } else { before || after > 1 }
    };
    text.contains('\u{fffd}') || text.split('|').enumerate().any(lost)
}

/// Which field of the code it is, from 0.
const ADDRESS: usize = 5;

/// Written in a one-byte code page the text is UTF-8 with letters outside ASCII.
fn reads_as(text: &str, byte: fn(char) -> Option<u8>) -> bool {
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    bytes.is_some_and(|bytes| !bytes.is_ascii() && std::str::from_utf8(&bytes).is_ok())
}

fn windows_1252(c: char) -> Option<u8> {
    // Bytes 80 to 9f; where the code page has no letter, Latin-1's control character stands.
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    // A scanner that knows Latin-1 only sends those control characters for all of them.
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok(),
        _ => HIGH.iter().position(|h| *h == c).and_then(|i| u8::try_from(0x80 + i).ok()),
    }
}

fn windows_1258(c: char) -> Option<u8> {
    const OTHERS: [(char, u8); 14] = [
        ('Ă', 0xc3),
        ('\u{300}', 0xcc),
        ('Đ', 0xd0),
        ('\u{309}', 0xd2),
        ('Ơ', 0xd5),
        ('Ư', 0xdd),
        ('\u{303}', 0xde),
        ('ă', 0xe3),
        ('\u{301}', 0xec),
        ('đ', 0xf0),
        ('\u{323}', 0xf2),
        ('ơ', 0xf5),
        ('ư', 0xfd),
        ('₫', 0xfe),
    ];
    match OTHERS.iter().find(|(letter, _)| *letter == c) {
        Some((_, byte)) => Some(*byte),
        None => windows_1252(c).filter(|byte| !OTHERS.iter().any(|(_, b)| b == byte)),
    }
}

/// Text of which a part was garbled. Vietnamese letters begin with bytes C3, C4, C6 and E1 in UTF-8, which a code page
/// shows as Ã, Ä, Æ and á before a letter that no Vietnamese word has there.
fn odd_pairs(text: &str) -> bool {
    let mut pairs = text.chars().zip(text.chars().skip(1));
    pairs.any(|(a, b)| match a {
        'á' => matches!(b, 'º' | '»' | '¸' | '¹'),
        'Ã' | 'Ä' | 'Æ' | 'Â' => !b.is_ascii() && !is_vietnamese(b),
        _ => false,
    })
}

fn is_vietnamese(c: char) -> bool {
    c == 'đ' || c == 'Đ' || c.nfd().next().is_some_and(|base| base.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a keyboard wedge shows that takes each byte for a letter of a code page.
    fn shown(text: &str, byte: fn(char) -> Option<u8>) -> String {
        let letters = (0..0x2100).filter_map(char::from_u32).chain(['₫']);
        let page: Vec<(u8, char)> = letters.filter_map(|c| Some((byte(c)?, c))).collect();
        let letter = |b: u8| page.iter().rev().find(|(p, _)| *p == b).map(|(_, c)| *c);
        text.bytes().filter_map(letter).collect()
    }

    #[test]
    fn each_code_page_is_told_by_its_name() {
        for name in ["NGUYỄN VĂN A", "Trần Thị Ánh", "Lê Đức"] {
            assert_eq!(named(name), None);
            let western = shown(name, windows_1252);
            assert!(named(&western).is_some_and(|how| how.contains("Windows-1252")), "{western}");
            let vietnamese = shown(name, windows_1258);
            assert!(named(&vietnamese).is_some_and(|how| how.contains("Windows-125")), "{vietnamese}");
            let half = format!("{name} {western}");
            assert!(named(&half).is_some(), "{half}");
        }
        assert!(named(&shown("Lê Đức", windows_1258)).is_some_and(|how| how.contains("Windows-1258")));
    }

    #[test]
    fn true_letters_in_either_form_are_let_through() {
        for name in ["TRẦN THỊ ÁNH", "LÃ ĐỨC ÂN", "HÃÂN", "Đỗ Ãnh", "Phường 3, Quận Ô Môn"]
        {
            assert_eq!((named(name), named(&name.nfd().collect::<String>())), (None, None), "{name}");
        }
    }
}
