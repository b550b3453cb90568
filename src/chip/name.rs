//! Whether two names are the same one. Where both have diacritics these count; where one has none, as in the machine
//! readable zone, the other is held against it as the zone would write it (ICAO Doc 9303-3, section 6).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A name as a source writes it.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    /// Its letters.
    pub(crate) text: &'a str,
    /// It comes from a zone that had no room for all of it.
    pub(crate) cut: bool,
}

/// `None` where nothing can be said: one of them has no letters, or others than Latin ones.
pub(crate) fn same_name(a: Name<'_>, b: Name<'_>) -> Option<bool> {
    let (left, right) = (words(a.text)?, words(b.text)?);
    let plain = |words: &[String]| words.iter().all(|word| word.is_ascii());
    Some(match (plain(&left), plain(&right)) {
        (false, false) => left.iter().map(|w| spelled(w)).eq(right.iter().map(|w| spelled(w))),
        (true, false) => written(&left, a.cut, &right),
        (false, true) => written(&right, b.cut, &left),
        (true, true) => written(&left, a.cut, &right) || written(&right, b.cut, &left),
    })
}

/// Upper case letters A to Z and single blanks: `Nguyễn Văn Đức` and `NGUYEN<<VAN<DUC` fold alike.
pub(crate) fn fold(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().filter(|c| !is_apostrophe(*c)).nfkd().flat_map(char::to_uppercase) {
        match c {
            'Đ' | 'Ð' => out.push('D'),
            'A'..='Z' => out.push(c),
            // Combining marks belong to the letter before; apostrophes are dropped by the zone.
            _ if is_combining_mark(c) || is_apostrophe(c) => {}
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The words in capitals, without apostrophes; `None` without any, and where a letter is not Latin.
fn words(name: &str) -> Option<Vec<String>> {
    let letters: String = name
        .chars()
        .filter(|c| !is_apostrophe(*c))
        .nfkc()
        .flat_map(char::to_uppercase)
        .filter(|c| !is_apostrophe(*c))
        .map(|c| if c.is_alphabetic() || is_combining_mark(c) { c } else { ' ' })
        .collect();
    let latin = letters
        .chars()
        .filter(|c| c.is_alphabetic() && !is_combining_mark(*c))
        .all(|c| !spellings(c).is_empty());
    let words: Vec<String> = letters.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    Some(words).filter(|words| latin && !words.is_empty())
}

/// A word as it is spelled, whichever vowel its tone is put on: `HÒA` is `HOÀ`.
fn spelled(word: &str) -> String {
    let (tones, letters): (String, String) =
        word.nfd().map(|c| if c == 'Ð' { 'Đ' } else { c }).partition(|c| TONES.contains(c));
    letters + &tones
}

/// `zone` is how a zone may write the name; where it was cut, each of its words may end early and words may be left out
/// at the end.
fn written(zone: &[String], cut: bool, name: &[String]) -> bool {
    let fits = if cut { zone.len() <= name.len() } else { zone.len() == name.len() };
    fits && zone.iter().zip(name).all(|(zone, word)| written_word(zone, cut, word))
}

fn written_word(zone: &str, cut: bool, word: &str) -> bool {
    // How far into the zone's word the letters so far may reach.
    let mut reached = vec![0];
    for letter in word.chars().filter(|c| !is_combining_mark(*c)) {
        let mut next = Vec::new();
        for (start, spelling) in
            reached.iter().flat_map(|at| spellings(letter).iter().map(move |s| (*at, *s)))
        {
            let rest = zone.get(start..).unwrap_or_default();
            if cut && spelling.starts_with(rest) {
                return true;
            }
            let end = start + spelling.len();
            if rest.starts_with(spelling) && !next.contains(&end) {
                next.push(end);
            }
        }
        reached = next;
    }
    reached.contains(&zone.len())
}

/// How a zone may write a capital letter; empty for letters that are not Latin.
fn spellings(letter: char) -> &'static [&'static str] {
    let listed = |letter: char| SPELLINGS.iter().find(|(l, _)| *l == letter).map(|(_, s)| *s);
    let base = |letter: char| letter.nfd().next().and_then(|base| listed(base).or_else(|| plain(base)));
    listed(letter).or_else(|| base(letter)).unwrap_or_default()
}

fn plain(letter: char) -> Option<&'static [&'static str]> {
    let at = u32::from(letter).checked_sub(u32::from('A'))?;
    usize::try_from(at).ok().and_then(|at| PLAIN.get(at..=at))
}

fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '`' | '´' | '‘' | '’' | '‛' | '′' | '‵' | '＇' | '｀' | '\u{2b9}'
            ..='\u{2bd}' | '\u{2c8}' | '\u{2ca}' | '\u{2cb}'
    )
}

/// Grave, acute, tilde, hook above, dot below.
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];

const PLAIN: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z",
];

/// Letters that have more spellings than that of their base, or no base.
const SPELLINGS: [(char, &[&str]); 20] = [
    ('Ä', &["AE", "A"]),
    ('Å', &["AA", "A"]),
    ('Æ', &["AE"]),
    ('Đ', &["D"]),
    ('Ð', &["D"]),
    ('Ɖ', &["D"]),
    ('Ə', &["E", "A"]),
    ('Ħ', &["H"]),
    ('ĸ', &["K", "Q"]),
    ('Ł', &["L"]),
    ('Ñ', &["N", "NXX"]),
    ('Ŋ', &["N"]),
    ('Ö', &["OE", "O"]),
    ('Ø', &["OE", "O"]),
    ('Œ', &["OE"]),
    ('Þ', &["TH"]),
    ('Ŧ', &["T"]),
    ('Ü', &["UE", "U", "UXX"]),
    ('ẞ', &["SS"]),
    ('Ƶ', &["Z"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> Option<bool> {
        let name = |text| Name { text, cut: false };
        let (one, other) = (same_name(name(a), name(b)), same_name(name(b), name(a)));
        assert_eq!(one, other, "{a} / {b}");
        one
    }

    fn cut(zone: &str, name: &str) -> Option<bool> {
        same_name(Name { text: zone, cut: true }, Name { text: name, cut: false })
    }

    #[test]
    fn names_agree_across_forms_and_with_a_source_that_has_no_diacritics() {
        for other in [
            "NGUYEN<<VAN<DUC",
            "nguyen van duc",
            "NGUYỄN VĂN ĐỨC",
            "nguyễn  văn đức ",
            "Nguyễn Văn Ðức",
            "Nguye\u{302}\u{303}n Va\u{306}n Đu\u{31b}\u{301}c",
        ] {
            assert_eq!(same("Nguyễn Văn Đức", other), Some(true), "{other}");
        }
        for other in ["Nguyễn Văn Đúc Anh", "NGUYEN VAN", "NGUYEN VAN DUCH", "NGUYEN VAN D", "Đức Nguyễn Văn"]
        {
            assert_eq!(same("Nguyễn Văn Đức", other), Some(false), "{other}");
        }
    }

    #[test]
    fn diacritics_tell_names_apart_and_where_the_tone_stands_does_not() {
        for other in ["Nguyễn Văn Dực", "Nguyễn Văn Đưc", "Nguyên Văn Đức", "Nguyễn Van Đức"]
        {
            assert_eq!(same("Nguyễn Văn Đức", other), Some(false), "{other}");
        }
        for (old, new) in [("Trần Thị Hòa", "TRẦN THỊ HOÀ"), ("Lê Thủy", "Lê Thuỷ"), ("Khỏe Lụy", "Khoẻ Luỵ")]
        {
            assert_eq!(same(old, new), Some(true), "{old}");
        }
    }

    #[test]
    fn other_languages_are_held_against_what_the_zone_may_write() {
        for (name, zones) in [
            ("MÜLLER<<JÜRGEN", &["MUELLER<<JUERGEN", "MULLER<<JURGEN", "MUXXLLER<<JUERGEN"][..]),
            ("GROß<<ÅSE", &["GROSS<<AASE", "GROSS<<ASE"]),
            ("SØRENSEN<<ÆGIR", &["SOERENSEN<<AEGIR", "SORENSEN<<AEGIR"]),
            ("Łukasz Żółć", &["LUKASZ<<ZOLC"]),
            ("ÇELİK<<ÖZGÜR", &["CELIK<<OEZGUER", "CELIK<<OZGUR"]),
            ("Işık Nur", &["ISIK<<NUR"]),
            ("PEÑA<<ÍÑIGO", &["PENA<<INIGO", "PENXXA<<INXXIGO"]),
            ("Þórður Ðani", &["THORDUR<<DANI"]),
        ] {
            for zone in zones {
                assert_eq!(same(name, zone), Some(true), "{name} {zone}");
            }
        }
        assert_eq!(same("MÜLLER", "MIELLER"), Some(false));
        assert_eq!(same("MULLER", "MUELLER"), Some(false), "neither says that there was an Ü");
    }

    #[test]
    fn apostrophes_of_all_kinds_are_dropped() {
        for mark in ["'", "’", "‘", "`", "´", "ʼ", "ʹ", "′", "＇"] {
            assert_eq!(same(&format!("Ksor H{mark}Nhan"), "KSOR<<HNHAN"), Some(true), "{mark}");
            assert_eq!(fold(&format!("H{mark}Nhan")), "HNHAN");
        }
        assert_eq!(same("Y Ê-ban", "Y<<E<BAN"), Some(true));
    }

    #[test]
    fn names_in_other_letters_are_neither_the_same_nor_others() {
        for name in ["李<<小龙", "Иванов", "李 Li", "", "123", "محمد"] {
            assert_eq!(same(name, "LI<<XIAOLONG"), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_had_no_room_may_end_early_in_every_word() {
        assert_eq!(cut("NGUYEN VAN D", "Nguyễn Văn Đức"), Some(true));
        assert_eq!(
            cut("NILAVADHANANANDA CHAYAPA DEJT", "NILAVADHANANANDA CHAYAPA DEJTHAMRONG KRASUANG"),
            Some(true)
        );
        assert_eq!(
            cut("NILAVADHANANANDA ARNPOL PETC C", "NILAVADHANANANDA ARNPOL PETCH CHARONGUANG"),
            Some(true)
        );
        assert_eq!(cut("MUELLER AA", "Müller Åse"), Some(true));
        assert_eq!(cut("NGUYEN VAN E", "Nguyễn Văn Đức"), Some(false));
        assert_eq!(cut("NGUYEN VAN DUC", "Nguyễn Văn"), Some(false));
        assert_eq!(
            same_name(Name { text: "Nguyễn Văn Đức", cut: true }, Name { text: "NGUYEN VAN D", cut: false }),
            Some(false)
        );
    }
}
