//! What opens a chip (ICAO Doc 9303-11, 4.2): the six digits printed on the card, or number, birth and expiry from its
//! machine readable zone. All of it is secret: wiped when dropped, never shown.

use super::suite::Secret;
use crate::chip::mrz::check_digit;
use crate::fault::{Class, Code, Fault, Outcome};
use zeroize::Zeroizing;

/// The access keys that are known of one card, in the order in which they are tried.
#[derive(Default)]
pub struct AccessKeys {
    can: Option<Secret>,
    zones: Vec<Secret>,
}

/// One password for PACE.
#[derive(Clone, Copy)]
pub enum Password<'a> {
    /// The card access number.
    Can(&'a [u8]),
    /// Number, birth and expiry, each with its check digit.
    Zone(&'a [u8]),
}

impl AccessKeys {
    /// Adds the six digits of the card access number.
    ///
    /// # Errors
    /// `CARD-001` for anything but six digits.
    pub fn can(mut self, text: &str) -> Outcome<Self> {
        let digits = text.trim();
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::new(&NOT_A_CAN));
        }
        self.can = Some(Zeroizing::new(digits.as_bytes().to_vec()));
        Ok(self)
    }

    /// Adds a machine readable zone, its lines one after the other with or without breaks.
    ///
    /// # Errors
    /// `CARD-002` where it is no such zone or a check digit is wrong.
    pub fn mrz(mut self, lines: &str) -> Outcome<Self> {
        let mut zone = Zeroizing::new(String::with_capacity(lines.len().min(200)));
        // `\n` may come through a shell as two characters.
        for piece in lines.split("\\n") {
            zone.extend(
                piece.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).take(100),
            );
        }
        let fault = || Fault::new(&NOT_A_ZONE);
        if !zone.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<') {
            return Err(fault().detail("a character that no zone has"));
        }
        let (at, optional) = match zone.len() {
            90 => ([5, 30, 38], 15..30),
            72 => ([36, 36 + 13, 36 + 21], 36 + 28..36 + 35),
            88 => ([44, 44 + 13, 44 + 21], 0..0),
            length => return Err(fault().detail(format_args!("{length} characters, not 90, 72 or 88"))),
        };
        let mut information = Zeroizing::new(Vec::with_capacity(64));
        for (name, start, size) in [("number", at[0], 9), ("birth", at[1], 6), ("expiry", at[2], 6)] {
            let (value, digit) = (&zone[start..start + size], &zone[start + size..=start + size]);
            // A long number goes on in the optional data, and its check digit with it (Doc 9303-5, 4.2.4).
            let overflow = zone[optional.clone()].split('<').next().filter(|_| size == 9 && digit == "<");
            let overflow = overflow.and_then(|all| all.split_at_checked(all.len().checked_sub(1)?));
            let (rest, digit) = overflow.unwrap_or(("", digit));
            if !digit.starts_with(check_digit(&[value, rest])) {
                return Err(fault().detail(format_args!("the check digit of the {name} is wrong")));
            }
            information.extend([value, rest, digit].concat().bytes());
        }
        self.zones.push(information);
        Ok(self)
    }

    /// Adds what a zone would hold: document number, birth and expiry (`YYMMDD`, `YYYY-MM-DD` or `DD/MM/YYYY`). Of a
    /// personal number of twelve digits the last nine are tried first, since they stand in the zone of Vietnamese cards.
    ///
    /// # Errors
    /// `CARD-003` where one of them cannot stand in a zone.
    pub fn fields(mut self, number: &str, birth: &str, expiry: &str) -> Outcome<Self> {
        let fault = |which: &str| Fault::new(&NOT_FIELDS).at(which);
        let number = Zeroizing::new(number.trim().to_ascii_uppercase());
        if !(1..=22).contains(&number.len())
            || !number.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<')
        {
            return Err(fault("number"));
        }
        let birth = six_digits(birth).ok_or_else(|| fault("birth"))?;
        let expiry = six_digits(expiry).ok_or_else(|| fault("expiry"))?;
        let personal = number.len() == 12 && number.bytes().all(|b| b.is_ascii_digit());
        for number in personal.then(|| &number[3..]).into_iter().chain([number.as_str()]) {
            let mut information = Zeroizing::new(Vec::with_capacity(64));
            let padded = Zeroizing::new(format!("{number:<<9}"));
            for value in [&padded, &birth, &expiry] {
                information.extend(value.bytes());
                information.extend(check_digit(&[value]).to_string().bytes());
            }
            self.zones.push(information);
        }
        Ok(self)
    }

    /// The passwords for PACE, the card access number first.
    pub fn passwords(&self) -> impl Iterator<Item = Password<'_>> {
        let can = self.can.iter().map(|can| Password::Can(can));
        can.chain(self.zones.iter().map(|zone| Password::Zone(zone)))
    }

    /// The keys of basic access control: document number, birth and expiry, each with its check digit.
    pub fn zones(&self) -> impl Iterator<Item = &[u8]> {
        self.zones.iter().map(|zone| zone.as_slice())
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.can.is_none() && self.zones.is_empty()
    }
}

impl Password<'_> {
    /// The secret that the key of the nonce is derived from (Doc 9303-11, 9.7.3).
    pub fn secret(self) -> Secret {
        match self {
            Password::Can(digits) => Zeroizing::new(digits.to_vec()),
            Password::Zone(zone) => Zeroizing::new(openssl::sha::sha1(zone).to_vec()),
        }
    }

    /// How it is called in a command.
    pub fn reference(self) -> u8 {
        match self {
            Password::Zone(_) => 1,
            Password::Can(_) => 2,
        }
    }
}

/// A date as a zone holds it.
fn six_digits(text: &str) -> Option<Zeroizing<String>> {
    let text = text.trim();
    let part = |range: std::ops::Range<usize>| text.get(range);
    let joined = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => [part(2..4)?, part(5..7)?, part(8..10)?].concat(),
        [_, _, b'/' | b'-' | b'.', _, _, b'/' | b'-' | b'.', _, _, _, _] => {
            [part(8..10)?, part(3..5)?, part(0..2)?].concat()
        }
        _ => text.to_owned(),
    };
    let date = Zeroizing::new(joined);
    let between = |range: std::ops::Range<usize>, largest: u8| {
        let digits = date.get(range)?;
        let known = digits.parse::<u8>().is_ok_and(|n| (1..=largest).contains(&n));
        (known || digits == "<<").then_some(())
    };
    between(2..4, 12)?;
    between(4..6, 31)?;
    let plain = date.len() == 6 && date.bytes().all(|b| b.is_ascii_digit() || b == b'<');
    plain.then_some(date)
}

/// Not six digits.
pub const NOT_A_CAN: Code = Code {
    id: "CARD-001",
    class: Class::Input,
    vi: "Số CAN không đúng: cần đúng 6 chữ số in trên thẻ",
    en: "the card access number is not six digits",
    remedy_vi: "Xem lại 6 chữ số in trên thẻ (thường là 6 số cuối của số định danh) và nhập lại",
    remedy_en: "look at the six digits on the card (often the last six of the number) and type them again",
};

/// Not a machine readable zone.
pub const NOT_A_ZONE: Code = Code {
    id: "CARD-002",
    class: Class::Input,
    vi: "Vùng MRZ không đúng: sai độ dài, ký tự hoặc số kiểm tra",
    en: "this is no machine readable zone: length, characters or a check digit are wrong",
    remedy_vi: "Nhập lại đủ 3 dòng 30 ký tự ở mặt sau thẻ, hoặc dùng --can",
    remedy_en: "type all 3 lines of 30 characters on the back again, or use --can",
};

/// Number, birth or expiry cannot stand in a zone.
pub const NOT_FIELDS: Code = Code {
    id: "CARD-003",
    class: Class::Input,
    vi: "Số thẻ, ngày sinh hoặc ngày hết hạn không đúng dạng",
    en: "number, birth or expiry has another form",
    remedy_vi: "Số gồm chữ và số không dấu; ngày viết YYMMDD, YYYY-MM-DD hoặc DD/MM/YYYY",
    remedy_en: "the number is letters and digits; dates are YYMMDD, YYYY-MM-DD or DD/MM/YYYY",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(keys: &AccessKeys) -> Vec<String> {
        keys.zones().map(|z| String::from_utf8(z.to_vec()).unwrap()).collect()
    }

    /// Doc 9303-11, appendix D.1 and D.2: TD1 with a long and a short number, TD2, and the same typed.
    #[test]
    fn the_zones_of_the_worked_examples_give_their_keys() {
        let long =
            "I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2STEVENSON<<PETER<JOHN<<<<<<<<<";
        assert_eq!(zones(&AccessKeys::default().mrz(long).unwrap()), ["D23145890734934071279507122"]);
        let short =
            "I<UTOL898902C<3<<<<<<<<<<<<<<<\n6908061F9406236UTO<<<<<<<<<<<2\nERIKSSON<<ANNA<MARIA<<<<<<<<<<";
        assert_eq!(zones(&AccessKeys::default().mrz(short).unwrap()), ["L898902C<369080619406236"]);
        let td2 = "I<UTOSTEVENSON<<PETER<<<<<<<<<<<<<<<D23145890<UTO3407127M95071227349<<<8";
        assert_eq!(zones(&AccessKeys::default().mrz(td2).unwrap()), ["D23145890734934071279507122"]);
        let td2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<L898902C<3UTO6908061F9406236<<<<<<<8";
        assert_eq!(zones(&AccessKeys::default().mrz(td2).unwrap()), ["L898902C<369080619406236"]);
        let typed = AccessKeys::default().fields("l898902c", "1969-08-06", "23/06/1994").unwrap();
        assert_eq!(zones(&typed), ["L898902C<369080619406236"]);
        let typed = AccessKeys::default().fields("D23145890734", "340712", "950712").unwrap();
        assert_eq!(zones(&typed), ["D23145890734934071279507122"]);
    }

    #[test]
    fn of_a_personal_number_the_last_nine_digits_are_tried_first() {
        let keys = AccessKeys::default().fields("001090123456", "900101", "300101").unwrap();
        let zones = zones(&keys);
        assert!(zones[0].starts_with("090123456") && zones[1].starts_with("001090123456"));
        assert_eq!(keys.passwords().count(), 2);
    }

    #[test]
    fn what_is_typed_wrongly_is_refused_without_being_quoted() {
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            let fault = AccessKeys::default().can(bad).err().unwrap();
            assert_eq!(fault.code.id, "CARD-001");
            assert!(bad.is_empty() || !fault.to_string().contains(bad));
        }
        let right =
            "I<UTOL898902C<3<<<<<<<<<<<<<<<6908061F9406236UTO<<<<<<<<<<<2ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
        for at in [5, 14, 30, 35, 36, 43, 44] {
            let mut wrong = right.to_owned();
            let other = if &right[at..=at] == "7" { "8" } else { "7" };
            wrong.replace_range(at..=at, other);
            assert_eq!(AccessKeys::default().mrz(&wrong).err().unwrap().code.id, "CARD-002", "{at}");
        }
        for bad in ["", "I<UTO", "Đ", &"<".repeat(90), &"A".repeat(1_000_000)] {
            assert!(AccessKeys::default().mrz(bad).is_err());
        }
        for (number, birth, expiry, place) in [
            ("", "690806", "940623", "number"),
            ("Đ1", "690806", "940623", "number"),
            ("L898902C", "691306", "940623", "birth"),
            ("L898902C", "06081969", "940623", "birth"),
            ("L898902C", "690806", "", "expiry"),
            ("L898902C", "690806", "9406ạ", "expiry"),
        ] {
            let fault = AccessKeys::default().fields(number, birth, expiry).err().unwrap();
            assert_eq!((fault.code.id, fault.place.as_deref()), ("CARD-003", Some(place)));
        }
    }
}
