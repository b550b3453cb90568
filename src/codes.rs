//! Codes that name things in one-stop-shop work: dossiers, procedures, offices, persons.
//!
//! Each is parsed once and cannot hold nonsense afterwards. Letters are folded to upper case and blanks at the
//! ends are dropped; the text as it came is kept where a record may have to show it. The personal number shows
//! itself to nobody who does not ask for it by [`NationalId::expose`].

use crate::fault::{Class, Code, Fault, Outcome};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use zeroize::Zeroize;

/// The code of a dossier: office, day of reception, serial of that day, `H49.12.5-250914-0042`.
///
/// Both orders of the office part are read (Circular 01/2018/TT-VPCP Art 19: small to large; identifiers of
/// Decision 20/2020/QD-TTg: large to small), and serials of 4 to 6 digits, as live systems write them.
/// Two codes are equal when their normal forms are; a serial `0042` is not `00042`.
#[derive(Clone)]
pub struct DossierCode {
    office: OfficeCode,
    date: Date,
    serial: String,
    original: String,
}

impl DossierCode {
    /// The office that received the dossier.
    pub fn office(&self) -> &OfficeCode {
        &self.office
    }

    /// The day of reception; two-digit years are of this century.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The serial of the day, 4 to 6 digits, zeros in front kept.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The text as it came, before folding.
    pub fn original(&self) -> &str {
        &self.original
    }
}

impl FromStr for DossierCode {
    type Err = Fault;

    fn from_str(text: &str) -> Outcome<Self> {
        let refuse = |why: &str| Fault::new(&DOSSIER_CODE).detail(why);
        let folded = fold(text, 40).ok_or_else(|| refuse("not a short ASCII text"))?;
        let mut parts = folded.split('-');
        let (Some(office), Some(day), Some(serial), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse("expected three parts with hyphens between"));
        };
        let office = OfficeCode::from_folded(office).ok_or_else(|| refuse("office part"))?;
        if !digits(day, 6..=6) {
            return Err(refuse("day part"));
        }
        if !digits(serial, 4..=6) {
            return Err(refuse("serial of 4 to 6 digits"));
        }
        let two = |at: usize| day.get(at..at + 2).and_then(|d| d.parse::<i8>().ok());
        let date = match (two(0), two(2), two(4)) {
            (Some(y), Some(m), Some(d)) => Date::new(2000 + i16::from(y), m, d).ok(),
            _ => None,
        }
        .ok_or_else(|| refuse("no such day in the calendar"))?;
        Ok(DossierCode { office, date, serial: serial.to_owned(), original: text.to_owned() })
    }
}

impl fmt::Display for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = (self.date.year() - 2000, self.date.month(), self.date.day());
        write!(f, "{}-{y:02}{m:02}{d:02}-{}", self.office, self.serial)
    }
}

impl fmt::Debug for DossierCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DossierCode({self})")
    }
}

impl PartialEq for DossierCode {
    fn eq(&self, other: &Self) -> bool {
        self.office == other.office && self.date == other.date && self.serial == other.serial
    }
}

impl Eq for DossierCode {}

impl Hash for DossierCode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.office.hash(state);
        self.date.hash(state);
        self.serial.hash(state);
    }
}

/// The identifier of an office: `H49.12.5` (large to small) or `000.00.01.H22` (small to large).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfficeCode(String);

impl OfficeCode {
    /// The letter and two digits of the ministry or province, `H49`.
    pub fn root(&self) -> &str {
        let root = |part: &&str| part.starts_with(|c: char| c.is_ascii_uppercase());
        self.0.split('.').find(root).unwrap_or(&self.0)
    }

    /// The identifier in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_folded(folded: &str) -> Option<Self> {
        let parts: Vec<&str> = folded.split('.').collect();
        let root = |part: &str| {
            part.len() == 3 && part.starts_with(|c: char| c.is_ascii_uppercase()) && digits(&part[1..], 2..=2)
        };
        let large_first = match parts.split_first() {
            Some((first, rest)) => root(first) && rest.len() <= 3 && rest.iter().all(|p| digits(p, 1..=3)),
            None => false,
        };
        let small_first = match (parts.split_last(), parts.first()) {
            (Some((last, rest)), Some(first)) if (1..=3).contains(&rest.len()) => {
                root(last) && digits(first, 3..=3) && rest[1..].iter().all(|p| digits(p, 2..=2))
            }
            _ => false,
        };
        (large_first || small_first).then(|| OfficeCode(folded.to_owned()))
    }
}

impl FromStr for OfficeCode {
    type Err = Fault;

    fn from_str(text: &str) -> Outcome<Self> {
        let folded = fold(text, 24).and_then(|folded| Self::from_folded(&folded));
        folded.ok_or_else(|| Fault::new(&OFFICE_CODE))
    }
}

/// The code of a procedure in the national database: `1.005129`, `1.000894.01`, `3.000181.000.00.00.H22`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcedureCode(String);

impl ProcedureCode {
    /// The code in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcedureCode {
    type Err = Fault;

    fn from_str(text: &str) -> Outcome<Self> {
        let folded = fold(text, 32).ok_or_else(|| Fault::new(&PROCEDURE_CODE))?;
        let parts: Vec<&str> = folded.split('.').collect();
        let head = |a: &str, b: &str| digits(a, 1..=1) && digits(b, 6..=6);
        let good = match parts[..] {
            [a, b] => head(a, b),
            [a, b, case] => head(a, b) && digits(case, 2..=2),
            [a, b, x, y, z, root] => {
                head(a, b)
                    && [x, y, z].iter().all(|p| digits(p, 2..=3))
                    && root.len() == 3
                    && OfficeCode::from_folded(root).is_some()
            }
            _ => false,
        };
        if good { Ok(ProcedureCode(folded)) } else { Err(Fault::new(&PROCEDURE_CODE)) }
    }
}

/// Sex as the personal number tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Nam.
    Male,
    /// Nữ.
    Female,
}

/// The 12-digit personal number `PPP G YY NNNNNN` (Circular 59/2021/TT-BCA Art 4). It has no check digit.
///
/// `Display` and `Debug` show no digit of it; serialising writes it in full, for records that are kept sealed.
/// The bytes are wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NationalId([u8; 12]);

impl NationalId {
    /// The twelve digits.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Sex at registration, from the fourth digit.
    pub fn sex(&self) -> Sex {
        if self.digit(3).is_multiple_of(2) { Sex::Male } else { Sex::Female }
    }

    /// The first year of the century of birth: 1900, 2000, ... 2300, from the fourth digit.
    pub fn century(&self) -> u16 {
        1900 + 100 * (self.digit(3) / 2)
    }

    /// The year of birth, from the fourth to the sixth digit.
    pub fn birth_year(&self) -> u16 {
        self.century() + 10 * self.digit(4) + self.digit(5)
    }

    /// The code of the place where the birth was registered: a province as of 2016, else a country. Never a
    /// residence.
    pub fn birth_place(&self) -> u16 {
        100 * self.digit(0) + 10 * self.digit(1) + self.digit(2)
    }

    /// What a clerk should look at twice: a birth place that is in no list of provinces. A number of somebody
    /// born abroad carries a country's code there, so this never refuses.
    pub fn warning(&self) -> Option<&'static Code> {
        (!PROVINCES.contains(&self.birth_place())).then_some(&BIRTH_PLACE)
    }

    fn digit(&self, at: usize) -> u16 {
        u16::from(self.0.get(at).map_or(0, |b| b.wrapping_sub(b'0')))
    }
}

impl FromStr for NationalId {
    type Err = Fault;

    fn from_str(text: &str) -> Outcome<Self> {
        let bytes: [u8; 12] =
            text.trim().as_bytes().try_into().map_err(|_| Fault::new(&NATIONAL_ID).detail("length"))?;
        if bytes.iter().all(u8::is_ascii_digit) {
            Ok(NationalId(bytes))
        } else {
            Err(Fault::new(&NATIONAL_ID).detail("a character that is no digit"))
        }
    }
}

impl fmt::Display for NationalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("************")
    }
}

impl fmt::Debug for NationalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NationalId(************)")
    }
}

impl Drop for NationalId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Trims, refuses what is empty, long, not ASCII or blank inside, and folds to upper case.
fn fold(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let good = !text.is_empty() && text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| text.to_ascii_uppercase())
}

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

macro_rules! as_text {
    ($name:ident, $write:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$name) -> String = $write;
                serializer.serialize_str(&write(self))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
as_text!(DossierCode, ToString::to_string);
as_text!(OfficeCode, ToString::to_string);
as_text!(ProcedureCode, ToString::to_string);
as_text!(NationalId, |id| id.expose().to_owned());

macro_rules! shows_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
shows_text!(OfficeCode);
shows_text!(ProcedureCode);

/// Codes of provinces as of Circular 07/2016/TT-BCA; they stay valid in numbers after mergers.
const PROVINCES: [u16; 63] = [
    1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38, 40,
    42, 44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77, 79, 80, 82, 83,
    84, 86, 87, 89, 91, 92, 93, 94, 95, 96,
];

/// The text is no dossier code.
pub const DOSSIER_CODE: Code = Code {
    id: "SCAN-050",
    class: Class::Input,
    vi: "Mã hồ sơ không đúng định dạng",
    en: "not a dossier code",
    remedy_vi: "Kiểm tra lại mã trên giấy tiếp nhận, ví dụ H49.12.5-250914-0042",
    remedy_en: "check the code on the receipt, for example H49.12.5-250914-0042",
};

/// The text is no office identifier.
pub const OFFICE_CODE: Code = Code {
    id: "SCAN-051",
    class: Class::Input,
    vi: "Mã định danh cơ quan không đúng định dạng",
    en: "not an office identifier",
    remedy_vi: "Nhập mã định danh điện tử của cơ quan, ví dụ H49.12.5",
    remedy_en: "give the electronic identifier of the office, for example H49.12.5",
};

/// The text is no procedure code.
pub const PROCEDURE_CODE: Code = Code {
    id: "SCAN-052",
    class: Class::Input,
    vi: "Mã thủ tục hành chính không đúng định dạng",
    en: "not a procedure code",
    remedy_vi: "Tra mã trên Cơ sở dữ liệu quốc gia về thủ tục hành chính, ví dụ 1.005129",
    remedy_en: "look it up in the national database of procedures, for example 1.005129",
};

/// The text is no personal number.
pub const NATIONAL_ID: Code = Code {
    id: "SCAN-053",
    class: Class::Input,
    vi: "Số định danh cá nhân phải gồm đúng 12 chữ số",
    en: "a personal number has exactly 12 digits",
    remedy_vi: "Nhập lại số trên thẻ căn cước",
    remedy_en: "enter the number on the card again",
};

/// The first three digits of a personal number are in no list of provinces.
pub const BIRTH_PLACE: Code = Code {
    id: "SCAN-054",
    class: Class::Person,
    vi: "Ba số đầu của số định danh không thuộc danh mục tỉnh, thành phố",
    en: "the first three digits of the personal number are no province",
    remedy_vi: "Đối chiếu với thẻ; người đăng ký khai sinh ở nước ngoài có mã quốc gia ở đây",
    remedy_en: "compare with the card; a person registered abroad has a country's code there",
};

/// The codes that this file raises.
pub const CODES: &[&Code] = &[&DOSSIER_CODE, &OFFICE_CODE, &PROCEDURE_CODE, &NATIONAL_ID, &BIRTH_PLACE];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dossier_codes_of_both_orders_and_serials_of_4_to_6_digits_are_read() {
        for good in [
            "H49.12.5-250914-0042",
            "000.00.01.H22-200101-0001",
            "G09.20-250101-12345",
            "H49-240229-123456",
            "001.H22-200101-0001",
        ] {
            let code: DossierCode = good.parse().unwrap();
            assert_eq!(code.to_string(), good);
            assert_eq!(code.original(), good);
        }
        let code: DossierCode = "H49.12.5-250914-0042".parse().unwrap();
        assert_eq!(code.date(), Date::constant(2025, 9, 14));
        assert_eq!(
            (code.office().as_str(), code.office().root(), code.serial()),
            ("H49.12.5", "H49", "0042")
        );
        assert_eq!("000.00.01.H22".parse::<OfficeCode>().unwrap().root(), "H22");
    }

    #[test]
    fn lower_case_and_blanks_are_folded_and_the_original_is_kept() {
        let code: DossierCode = " h49.12.5-250914-0042\r\n".parse().unwrap();
        assert_eq!(code.to_string(), "H49.12.5-250914-0042");
        assert_eq!(code.original(), " h49.12.5-250914-0042\r\n");
        assert_eq!(code, "H49.12.5-250914-0042".parse().unwrap());
    }

    #[test]
    fn what_is_no_dossier_code_is_refused_without_repeating_it() {
        for bad in [
            "",
            "H49.12.5-250914-042",
            "H49.12.5-250914-0000042",
            "H49.12.5-250230-0042",
            "H49.12.5-251301-0042",
            "H49.12.5-25 0914-0042",
            "H49.12.5-٢٥٠٩١٤-0042",
            "H49.1.2.3.4-250914-0042",
            "000.00.00.01.H22-250914-0042",
            "0000.H22-250914-0042",
            "H4-250914-0042",
            "H49.12.5_250914_0042",
            "H49.12.5-250914-0042-1",
            "ĐH49-250914-0042",
        ] {
            let fault = bad.parse::<DossierCode>().unwrap_err();
            assert_eq!(fault.code, &DOSSIER_CODE, "{bad}");
            assert!(bad.is_empty() || !fault.to_string().contains(bad));
        }
    }

    #[test]
    fn procedure_codes_with_and_without_suffix_are_read() {
        for good in ["1.005129", "1.000894.01", "3.000181.000.00.00.H22"] {
            assert_eq!(good.parse::<ProcedureCode>().unwrap().to_string(), good);
        }
        for bad in ["1.00512", "10.005129", "1.005129.", "1.005129.1", "3.000181.000.00.H22", "1,005129"] {
            assert!(bad.parse::<ProcedureCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_personal_number_tells_sex_century_and_year_and_hides_itself() {
        let id: NationalId = "040203000001".parse().unwrap();
        assert_eq!((id.sex(), id.century(), id.birth_year(), id.birth_place()), (Sex::Male, 2000, 2003, 40));
        assert_eq!(id.warning(), None);
        assert_eq!(format!("{id} {id:?}"), "************ NationalId(************)");
        let abroad: NationalId = "123199000001".parse().unwrap();
        assert_eq!((abroad.sex(), abroad.birth_year()), (Sex::Female, 1999));
        assert_eq!(abroad.warning(), Some(&BIRTH_PLACE));
        for bad in ["", "04020300000", "0402030000011", "04020300000a", "٠٤٠٢٠٣", "040 03000001"] {
            assert!(bad.parse::<NationalId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn codes_travel_as_plain_strings() {
        let code: DossierCode = serde_json::from_str("\"h49.12.5-250914-0042\"").unwrap();
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"H49.12.5-250914-0042\"");
        let id: NationalId = serde_json::from_str("\"040203000001\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"040203000001\"");
        assert!(serde_json::from_str::<ProcedureCode>("\"nonsense\"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_what_is_parsed_is_stable(text in "\\PC{0,44}|[A-Z0-9.-]{4,30}") {
            if let Ok(code) = text.parse::<DossierCode>() {
                prop_assert_eq!(code.to_string().parse::<DossierCode>().unwrap(), code);
            }
            let _ = (text.parse::<ProcedureCode>(), text.parse::<OfficeCode>(), text.parse::<NationalId>());
        }
    }
}
