//! The QR code printed on a citizen card: an unsigned claim, used to fill forms and to be compared, never proof.
//!
//! Seven fields since 2021, more since 2024, whose order is not published: those stay as they are.

mod garbled;

use super::compare::sex_of;
use super::holder::{Sex, is_personal, parse_date};
use super::name::fold;
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::civil::Date;
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;

/// The fields of a card's QR code. `Debug` shows how many there are and never what they hold.
#[derive(Clone, PartialEq, Eq)]
pub struct CardQr {
    /// 12-digit personal number.
    pub number: String,
    /// Number of the older card, 9 digits, where there is one.
    pub old_number: Option<String>,
    /// Full name, composed form.
    pub name: String,
    /// Birth date; `None` where the field is empty or no date.
    pub birth: Option<Date>,
    /// Sex; `None` where the field says neither.
    pub sex: Option<Sex>,
    /// Residence, composed form.
    pub address: String,
    /// Issue date; `None` where the field is empty or no date.
    pub issued: Option<Date>,
    /// Fields after the seventh, as they stand.
    pub rest: Vec<String>,
    /// A date field is neither empty nor a date.
    pub unread_date: bool,
    /// The field of the sex is neither empty nor one.
    pub unread_sex: bool,
}

/// Which card a QR code is of, by the number of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Seven fields, on the front of the card of 2021.
    Of2021,
    /// More, on the back of the card of 2024 (Circular 16/2024/TT-BCA); the order of the others is not published.
    Of2024,
}

impl CardQr {
    /// Reads what a QR reader or a scanner at the desk gave.
    ///
    /// # Errors
    /// `CHIP-020`, with the reason as its detail: too long, not UTF-8, garbled by a wrong code page, too few fields,
    /// no personal number, or the empty second field dropped.
    pub fn parse(bytes: &[u8]) -> Outcome<Self> {
        let refused = |why: &str| Fault::new(&NOT_A_CARD_QR).detail(why);
        if bytes.len() > LONGEST {
            return Err(refused("longer than any QR code"));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| refused("not UTF-8; the scanner uses a wrong code page"))?;
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n', '\0', '\t']);
        if let Some(how) = garbled::named(text) {
            return Err(refused(how));
        }
        let text: String = text.nfc().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        let [number, old, name, birth, sex, address, issued, rest @ ..] = fields.as_slice() else {
            return Err(refused(&format!("{} fields in place of 7 or more", fields.len())));
        };
        let number = unlabelled(number);
        if !is_personal(number) {
            return Err(refused("the first field is not a number of 12 digits"));
        }
        let old = unlabelled(old);
        // A source that drops an empty field would move the name here.
        let old_fits =
            old.is_empty() || (matches!(old.len(), 9 | 12) && old.bytes().all(|b| b.is_ascii_digit()));
        if !old_fits {
            return Err(refused("the second field is neither empty nor an older number"));
        }
        let name = unlabelled(name);
        if name.contains(|c: char| c.is_ascii_digit()) && name.contains(|c: char| c.is_alphabetic()) {
            return Err(refused("digits in the name; turn the Vietnamese keyboard (VNI) off while scanning"));
        }
        if name.is_empty() || name.contains(|c: char| c.is_ascii_digit()) {
            return Err(refused("the third field is not a name"));
        }
        if rest.len() > MOST_EXTRA {
            return Err(refused("too many fields"));
        }
        let (birth, sex, issued) = (unlabelled(birth), unlabelled(sex), unlabelled(issued));
        Ok(CardQr {
            number: number.to_owned(),
            old_number: Some(old.to_owned()).filter(|o| !o.is_empty()),
            name: name.to_owned(),
            birth: parse_date(birth),
            sex: sex_of(sex),
            address: without_label(address).to_owned(),
            issued: parse_date(issued),
            rest: rest.iter().map(|field| (*field).to_owned()).collect(),
            unread_date: [birth, issued].iter().any(|d| !d.is_empty() && parse_date(d).is_none()),
            unread_sex: !sex.is_empty() && sex_of(sex).is_none(),
        })
    }

    /// Which card it is of.
    pub fn layout(&self) -> Layout {
        if self.rest.is_empty() { Layout::Of2021 } else { Layout::Of2024 }
    }
}

impl fmt::Debug for CardQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardQr({} fields)", 7 + self.rest.len())
    }
}

/// Some desk scanners put a label before each field.
fn unlabelled(field: &str) -> &str {
    field.rsplit_once(':').map_or(field, |(_, value)| value.trim())
}

/// The same for an address, which may hold a colon of its own.
fn without_label(field: &str) -> &str {
    let label = |text: &str| {
        matches!(fold(text).as_str(), "DIA CHI" | "NOI THUONG TRU" | "THUONG TRU" | "NOI CU TRU" | "CU TRU")
    };
    field.split_once(':').filter(|(before, _)| label(before)).map_or(field, |(_, value)| value.trim())
}

/// More than the largest QR code holds in byte mode (2,953).
const LONGEST: usize = 4096;
const MOST_EXTRA: usize = 25;

/// The text is not the QR code of a citizen card.
pub const NOT_A_CARD_QR: Code = Code {
    id: "CHIP-020",
    class: Class::Input,
    vi: "Nội dung mã QR không phải mã QR của thẻ căn cước",
    en: "the text is not the QR code of a citizen card",
    remedy_vi: "Quét lại mã QR trên thẻ, hoặc đặt đầu đọc về bảng mã UTF-8",
    remedy_en: "scan the QR code on the card again, or set the scanner to UTF-8",
};

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "001090123456||NGUYỄN VĂN A|01011990|Nam|Phường X, Tỉnh Y|15042021";

    fn parse(text: &str) -> Outcome<CardQr> {
        CardQr::parse(text.as_bytes())
    }

    fn why(text: &str) -> String {
        parse(text).unwrap_err().detail.unwrap()
    }

    #[test]
    fn seven_fields_and_more_are_read() {
        let qr = parse(OLD).unwrap();
        assert_eq!((qr.number.as_str(), qr.old_number.as_deref()), ("001090123456", None));
        assert_eq!((qr.sex, qr.birth), (Some(Sex::Male), Some(jiff::civil::date(1990, 1, 1))));
        assert_eq!(qr.issued, Some(jiff::civil::date(2021, 4, 15)));
        let newer = parse(&format!("{OLD}||||\r\n")).unwrap();
        assert_eq!((qr.layout(), newer.layout()), (Layout::Of2021, Layout::Of2024));
        let family = parse(&format!("{OLD}||Nguyễn Văn B|Trần Thị C|")).unwrap();
        assert_eq!(family.rest, ["", "Nguyễn Văn B", "Trần Thị C", ""]);
        assert_eq!((newer.rest.len(), &newer.name), (4, &qr.name));
        assert_eq!(
            parse(&OLD.replace("||", "|012345678|")).unwrap().old_number.as_deref(),
            Some("012345678")
        );
    }

    #[test]
    fn decomposed_letters_labels_and_slashed_dates_are_read_alike() {
        let decomposed: String = OLD.replace("Nam", "Nữ").nfd().collect();
        let qr = parse(&decomposed).unwrap();
        assert_eq!((qr.name.as_str(), qr.sex), ("NGUYỄN VĂN A", Some(Sex::Female)));
        let labelled = "Số CCCD: 001090123456|Số CMND:|Họ tên: NGUYỄN VĂN A|Ngày sinh: 01/01/1990|Giới tính: Nam|Phường X, Tỉnh Y|15/04/2021";
        assert!(parse(labelled).unwrap() == parse(OLD).unwrap());
        let address = labelled.replace("Phường X", "Nơi thường trú: Phường X");
        assert!(parse(&address).unwrap() == parse(OLD).unwrap());
        assert_eq!(
            parse(&OLD.replace("Phường X", "Hẻm 3: Phường X")).unwrap().address,
            "Hẻm 3: Phường X, Tỉnh Y"
        );
    }

    #[test]
    fn a_dropped_empty_field_is_refused_also_when_others_follow() {
        assert_eq!(why(&OLD.replace("||", "|")), "6 fields in place of 7 or more");
        let longer = format!("{}||||", OLD.replace("||", "|"));
        assert_eq!(why(&longer), "the second field is neither empty nor an older number");
    }

    #[test]
    fn garbled_letters_are_refused_by_name_and_true_ones_are_not() {
        let latin: String = OLD.bytes().map(char::from).collect();
        assert_eq!(why(&latin), "garbled: UTF-8 was read as Windows-1252; set the scanner to UTF-8");
        assert_eq!(
            why(&OLD.replace('Ễ', "?")),
            "garbled: letters were lost; set the scanner's output and keyboard to Unicode"
        );
        assert!(why(&OLD.replace('Ễ', "\u{1}")).starts_with("garbled: control characters"));
        assert_eq!(
            why(&OLD.replace("NGUYỄN", "NGUYE64N")),
            "digits in the name; turn the Vietnamese keyboard (VNI) off while scanning"
        );
        assert_eq!(
            CardQr::parse(&[0xc3]).unwrap_err().detail.unwrap(),
            "not UTF-8; the scanner uses a wrong code page"
        );
        for name in ["TRẦN THỊ ÁNH", "LÃ ĐỨC ÂN", "HÃÂN", "Đỗ Ãnh"] {
            assert!(parse(&OLD.replace("NGUYỄN VĂN A", name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_address_may_ask_and_have_a_tab_and_lost_letters_are_still_told() {
        for address in ["Phường X (?)", "Phường X ?", "Phường X?, Tỉnh Y", "Hẻm 3? Phường X"]
        {
            let qr = parse(&OLD.replace("Phường X", address)).unwrap();
            assert!(qr.address.contains('?'), "{address}");
        }
        assert_eq!(parse(&OLD.replace("Phường X", "Phường\tX")).unwrap().address, "Phường X, Tỉnh Y");
        for address in ["Ph??ng X", "?ường X", "H? N?i", "Thành ph? H? Ch? Minh", "Phường\u{fffd}"] {
            assert!(why(&OLD.replace("Phường X", address)).contains("letters were lost"), "{address}");
        }
        assert!(why(&OLD.replace("NGUYỄN VĂN A", "L? VĂN A")).contains("letters were lost"));
    }

    #[test]
    fn other_texts_are_refused_without_being_quoted() {
        for text in ["", "https://example.com/?a=001090123456", "1|2|3|4|5|6|7", "001090123456||9|a|b|c|d"] {
            assert!(!parse(text).unwrap_err().to_string().contains("0010"));
        }
        assert!(parse(&"|".repeat(5000)).is_err());
    }
}
