//! Reading a live chip (ICAO Doc 9303-11): opened with PACE or the older way, read file by file through secure messaging,
//! asked to prove that it is no copy. What comes of it is a [`Reading`]; nothing is judged here.
//!
//! A [`Session`] outlives the card's absence: after [`CARD_LOST`] it goes on with the same card where it stopped.

pub mod access;
pub mod apdu;
pub mod bac;
pub mod curve;
pub mod files;
pub mod link;
pub mod messaging;
pub mod pace;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod proof;
pub mod session;
pub mod suite;

pub use access::AccessKeys;
pub use curve::{Entropy, SystemEntropy};
pub use link::Trouble;
pub use session::Session;

use super::reading::{Access, FileId, Reading};
use crate::fault::{Class, Code};
use std::collections::BTreeMap;

/// The way to a card: PC/SC, or a card in memory.
pub trait Transceiver {
    /// Sends a command as it stands and gives the response with its status word.
    ///
    /// # Errors
    /// The card is gone or the link to it broke; what was sent may or may not have arrived.
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost>;
}

/// The card is gone, or the link to it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the card is gone")]
pub struct Lost;

/// What became of a data group that the chip lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Read, with its length in bytes.
    Read(usize),
    /// Only terminals with a further authorisation may read it: the rule for fingers and eyes.
    Protected,
    /// Listed and not there.
    Absent,
    /// The card refused with this status word.
    Refused(u16),
    /// The same in the clear, in two sessions: anybody between card and reader may have said it.
    RefusedInClear(u16),
    /// Not a file of that kind, or over the size limit.
    Malformed,
}

/// What became of a proof that the chip is no copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proof<T> {
    /// Not asked for yet.
    #[default]
    Open,
    /// The chip has no key for it, or none that is sound.
    NotOffered,
    /// The chip refused with this status word.
    Refused(u16),
    /// The chip answered; whether rightly is for the verdict.
    Answered(T),
}

/// What happens, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The chip is being opened.
    Opening,
    /// It is open.
    Opened(Access),
    /// So many bytes of so many have been read.
    Reading(FileId, usize, usize),
    /// What became of a data group.
    Group(u8, Group),
    /// The chip is asked to prove that it is no copy.
    Proving,
}

/// A finished reading and what else is worth telling.
#[derive(Debug)]
pub struct Captured {
    /// The files and the evidence; time and station are the caller's to add.
    pub reading: Reading,
    /// What became of every data group that the chip lists.
    pub groups: BTreeMap<u8, Group>,
    /// Why PACE failed, where the chip offers it and was opened the older way.
    pub pace_failure: Option<pace::Failure>,
    /// What became of active authentication.
    pub active: Proof<()>,
    /// What became of chip authentication.
    pub chip: Proof<()>,
}

impl<T> Proof<T> {
    fn without_evidence(&self) -> Proof<()> {
        match self {
            Proof::Open => Proof::Open,
            Proof::NotOffered => Proof::NotOffered,
            Proof::Refused(sw) => Proof::Refused(*sw),
            Proof::Answered(_) => Proof::Answered(()),
        }
    }
}

/// All faults of reading a live chip.
pub const CODES: &[&Code] = &[
    &access::NOT_A_CAN,
    &access::NOT_A_ZONE,
    &access::NOT_FIELDS,
    &NO_KEY,
    &CHALLENGE,
    &CARD_LOST,
    &OTHER_CARD,
    &WRONG_KEY,
    &NOT_OPENED,
    &NO_APPLICATION,
    &CAN_NEEDS_PACE,
    &MESSAGING,
    &NO_SOD,
    &INNER,
];

/// Neither the six digits nor anything of the zone.
pub const NO_KEY: Code = Code {
    id: "CARD-004",
    class: Class::Input,
    vi: "Chưa có gì để mở chip của thẻ",
    en: "nothing is given that opens the chip",
    remedy_vi: "Cho số CAN (--can), các dòng MRZ (--mrz), hoặc --number với --birth và --expiry",
    remedy_en: "give the card access number (--can), the zone (--mrz), or --number with --birth and --expiry",
};

/// A challenge that is not eight bytes.
pub const CHALLENGE: Code = Code {
    id: "CARD-005",
    class: Class::Input,
    vi: "Chuỗi thách thức phải đúng 8 byte",
    en: "a challenge is eight bytes",
    remedy_vi: "Dùng 16 chữ số hex do máy chủ cấp cho riêng lần đọc này",
    remedy_en: "use the 16 hexadecimal digits that the server gave for this reading",
};

/// The card was taken away.
pub const CARD_LOST: Code = Code {
    id: "CARD-006",
    class: Class::Later,
    vi: "Mất liên lạc với thẻ giữa chừng",
    en: "the card was taken away or the link to it broke",
    remedy_vi: "Đặt lại đúng thẻ đó lên đầu đọc và giữ yên cho đến khi đọc xong",
    remedy_en: "lay the same card back on the reader and keep it still until the end",
};

/// A card was laid back, and it is not the one that was begun with.
pub const OTHER_CARD: Code = Code {
    id: "CARD-007",
    class: Class::Input,
    vi: "Thẻ đặt lại không phải là thẻ đang đọc dở",
    en: "this is not the card whose reading was begun",
    remedy_vi: "Đặt lại đúng thẻ ban đầu, hoặc đọc thẻ này từ đầu",
    remedy_en: "lay the first card back, or begin anew with this one",
};

/// The card has another password.
pub const WRONG_KEY: Code = Code {
    id: "CARD-008",
    class: Class::Input,
    vi: "Thẻ không chấp nhận số CAN hoặc thông tin MRZ đã nhập",
    en: "the card does not accept the number or the zone that was given",
    remedy_vi: "So lại với thẻ đang đặt trên đầu đọc rồi nhập lại",
    remedy_en: "compare with the card on the reader and type it again",
};

/// The card cannot be opened, whatever the key.
pub const NOT_OPENED: Code = Code {
    id: "CARD-009",
    class: Class::Input,
    vi: "Không mở được chip của thẻ",
    en: "the chip cannot be opened",
    remedy_vi: "Đặt lại thẻ; nếu chỉ có số CAN, thử thêm thông tin MRZ. Nếu vẫn lỗi, thẻ có thể bị hỏng",
    remedy_en: "lay the card down again; with the number alone, try the zone too. It may be damaged",
};

/// No application of travel documents.
pub const NO_APPLICATION: Code = Code {
    id: "CARD-010",
    class: Class::Input,
    vi: "Thẻ trên đầu đọc không phải thẻ căn cước hay hộ chiếu gắn chip",
    en: "the card on the reader holds no travel document application",
    remedy_vi: "Kiểm tra có đặt nhầm thẻ khác, hoặc nhiều thẻ cùng lúc",
    remedy_en: "see whether another card, or several, lie on the reader",
};

/// Six digits open only a card with PACE.
pub const CAN_NEEDS_PACE: Code = Code {
    id: "CARD-011",
    class: Class::Input,
    vi: "Thẻ này không mở được bằng số CAN",
    en: "this card cannot be opened with the card access number",
    remedy_vi: "Dùng các dòng MRZ (--mrz) hoặc --number, --birth, --expiry",
    remedy_en: "use the zone (--mrz) or --number, --birth, --expiry",
};

/// Secure messaging broke.
pub const MESSAGING: Code = Code {
    id: "CARD-012",
    class: Class::Input,
    vi: "Kênh bảo mật với thẻ bị sai lệch; phần đang đọc đã bị bỏ",
    en: "the secure channel to the card broke; what was being read is dropped",
    remedy_vi: "Đọc lại từ đầu. Nếu lặp lại, nghi thẻ giả, thẻ hỏng hoặc có thiết bị chen giữa",
    remedy_en: "read from the beginning. If it happens again, suspect the card or something in between",
};

/// No EF.SOD.
pub const NO_SOD: Code = Code {
    id: "CARD-013",
    class: Class::Input,
    vi: "Không đọc được tệp chữ ký (EF.SOD) của thẻ",
    en: "the card's signature file (EF.SOD) cannot be read",
    remedy_vi: "Đọc lại; nếu vẫn lỗi, thẻ không thể xác minh được bằng chip",
    remedy_en: "read it again; if that fails, the chip cannot be verified",
};

/// OpenSSL failed at something that must work.
pub const INNER: Code = Code {
    id: "CARD-014",
    class: Class::Inner,
    vi: "Lỗi mật mã bên trong chương trình khi đọc thẻ",
    en: "cryptography failed inside this program",
    remedy_vi: "Báo cho người phát triển kèm phiên bản OpenSSL",
    remedy_en: "tell the developers, with the version of OpenSSL",
};

#[cfg(test)]
mod tests;
