//! A reading: the raw files of a chip and the evidence taken with them, as a `*.reading.json` file.
//!
//! Everything in it is untrusted; sizes are capped before memory is taken, and errors never quote a value.

mod file;

use super::chip_authentication::ChipAuthentication;
use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What came off a chip.
#[derive(Clone, PartialEq)]
pub struct Reading {
    /// When, as the reading station says.
    pub read_at: Option<jiff::Timestamp>,
    /// Which reading station, as it says.
    pub station: Option<String>,
    /// How the chip was opened.
    pub access: Access,
    /// The raw files.
    pub files: BTreeMap<FileId, Vec<u8>>,
    /// Evidence that the chip holds the private key of DG15.
    pub active_authentication: Option<Challenge>,
    /// Evidence that the chip holds the private key of DG14.
    pub chip_authentication: Option<ChipAuthentication>,
    /// Whether a vendor's reader claims anything; claims are never judged.
    pub asserted: bool,
}

/// A file of the ICAO application (Doc 9303-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileId {
    /// EF.COM, unsigned.
    Com,
    /// EF.SOD, signed.
    Sod,
    /// Data group 1 to 16.
    Dg(u8),
    /// EF.CardAccess.
    CardAccess,
    /// EF.CardSecurity.
    CardSecurity,
}

/// How a chip was opened (Doc 9303-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Access {
    /// PACE with the six digits on the card.
    #[serde(rename = "PACE-CAN")]
    PaceCan,
    /// PACE with the machine readable zone.
    #[serde(rename = "PACE-MRZ")]
    PaceMrz,
    /// Basic access control, the older way.
    #[serde(rename = "BAC")]
    Bac,
    /// Not said.
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
}

/// An active authentication exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What the chip was asked to sign.
    pub challenge: Vec<u8>,
    /// What it answered.
    pub response: Vec<u8>,
}

impl Reading {
    /// A reading of raw files alone, without evidence.
    ///
    /// # Errors
    /// `CHIP-004` without SOD or any data group, `CHIP-002` over a size limit.
    pub fn of_files(files: BTreeMap<FileId, Vec<u8>>) -> Outcome<Self> {
        for (id, bytes) in &files {
            if bytes.len() > id.largest() {
                return Err(Fault::new(&READING_TOO_LARGE)
                    .at(id)
                    .detail(format_args!("{} bytes", bytes.len())));
            }
        }
        if !files.contains_key(&FileId::Sod) || !files.keys().any(|f| matches!(f, FileId::Dg(_))) {
            return Err(Fault::new(&READING_INCOMPLETE));
        }
        Ok(Reading {
            read_at: None,
            station: None,
            access: Access::Unknown,
            files,
            active_authentication: None,
            chip_authentication: None,
            asserted: false,
        })
    }

    /// The same without pictures of the holder: face, fingers, eyes, signature (DG2 to DG5, DG7).
    pub fn without_pictures(&self) -> Self {
        let files = self.files.iter().filter(|(id, _)| !id.is_picture());
        Reading {
            files: files.map(|(id, bytes)| (*id, bytes.clone())).collect(),
            station: self.station.clone(),
            active_authentication: self.active_authentication.clone(),
            chip_authentication: self.chip_authentication.clone(),
            ..*self
        }
    }

    /// The bytes of a data group.
    pub fn dg(&self, number: u8) -> Option<&[u8]> {
        self.files.get(&FileId::Dg(number)).map(Vec::as_slice)
    }
}

/// Shows which files are there and never what they hold.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.iter().map(|(id, b)| format!("{id}: {} bytes", b.len()))).finish()
    }
}

impl FileId {
    /// Most bytes that are taken for this file.
    pub fn largest(self) -> usize {
        if self.is_picture() { 512 * 1024 } else { 64 * 1024 }
    }

    /// Face, fingers, eyes, displayed portrait, signature.
    fn is_picture(self) -> bool {
        matches!(self, FileId::Dg(2..=5 | 7))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileId::Com => f.write_str("COM"),
            FileId::Sod => f.write_str("SOD"),
            FileId::Dg(number) => write!(f, "DG{number}"),
            FileId::CardAccess => f.write_str("CardAccess"),
            FileId::CardSecurity => f.write_str("CardSecurity"),
        }
    }
}

/// Text that is no file of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a file of the chip")]
pub struct NotAFile;

impl FromStr for FileId {
    type Err = NotAFile;
    fn from_str(text: &str) -> Result<Self, NotAFile> {
        match text {
            "COM" => Ok(FileId::Com),
            "SOD" => Ok(FileId::Sod),
            "CardAccess" => Ok(FileId::CardAccess),
            "CardSecurity" => Ok(FileId::CardSecurity),
            _ => {
                let digits = text.strip_prefix("DG").ok_or(NotAFile)?;
                let number: u8 = digits.parse().map_err(|_| NotAFile)?;
                let plain = (1..=16).contains(&number) && number.to_string() == digits;
                if plain { Ok(FileId::Dg(number)) } else { Err(NotAFile) }
            }
        }
    }
}

/// The largest reading file, bytes: all files at their caps in base64 stay below.
pub const LARGEST_READING: usize = 8 << 20;

/// The file is not a reading.
pub const NOT_A_READING: Code = Code {
    id: "CHIP-001",
    class: Class::Input,
    vi: "Tệp không phải là kết quả đọc thẻ hợp lệ",
    en: "the file is not a chip reading",
    remedy_vi: "Đọc lại thẻ, hoặc sửa đúng trường được nêu; tệp gốc của chip (EF_SOD.bin, ...): dùng hoso identity reading --from",
    remedy_en: "read the card again, or mend the key that is named; of raw chip files (EF_SOD.bin, ...) make a reading with hoso identity reading --from",
};

/// A file or the whole reading is over its cap.
pub const READING_TOO_LARGE: Code = Code {
    id: "CHIP-002",
    class: Class::Input,
    vi: "Kết quả đọc thẻ vượt quá kích thước cho phép",
    en: "the chip reading is over a size limit",
    remedy_vi: "Đọc lại thẻ; không con chip nào có tệp lớn như vậy",
    remedy_en: "read the card again; no chip holds files of that size",
};

/// A later version of the format.
pub const READING_VERSION: Code = Code {
    id: "CHIP-003",
    class: Class::Input,
    vi: "Phiên bản của tệp kết quả đọc thẻ không được hỗ trợ",
    en: "this version of the reading file is not supported",
    remedy_vi: "Dùng phần mềm đọc thẻ ghi phiên bản 1, hoặc nâng cấp hoso",
    remedy_en: "use a reader that writes version 1, or upgrade hoso",
};

/// SOD or every data group is missing.
pub const READING_INCOMPLETE: Code = Code {
    id: "CHIP-004",
    class: Class::Input,
    vi: "Kết quả đọc thẻ thiếu EF.SOD hoặc không có nhóm dữ liệu nào",
    en: "the reading lacks EF.SOD or any data group",
    remedy_vi: "Đọc lại thẻ và giữ thẻ yên cho đến khi đọc xong",
    remedy_en: "read the card again and keep it still until the end",
};
