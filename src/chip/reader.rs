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
pub mod suite;

pub use access::AccessKeys;
pub use curve::{Entropy, SystemEntropy};
pub use link::Trouble;

use super::chip_authentication::ChipAuthentication;
use super::lds;
use super::reading::{Access, Challenge, FileId, Reading};
use super::sod::Sod;
use crate::fault::{Class, Code, Fault, Outcome};
use access::Password;
use apdu::{NO_FILE, NOT_ALLOWED, OK};
use files::{Partial, Reach};
use link::Link;
use messaging::Broken;
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

/// The reading of one card, over as many approaches as it takes.
pub struct Session {
    keys: AccessKeys,
    challenge: Option<Vec<u8>>,
    files: BTreeMap<FileId, Vec<u8>>,
    partial: Option<Partial>,
    groups: BTreeMap<u8, Group>,
    com_asked: bool,
    reach: Reach,
    access: Option<Access>,
    pace_failure: Option<pace::Failure>,
    active: Proof<Challenge>,
    chip: Proof<ChipAuthentication>,
}

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

impl Session {
    /// A session for the card that these keys open. The chip is asked to sign `challenge`, eight bytes, or random ones.
    ///
    /// # Errors
    /// `CARD-004` without any key, `CARD-005` for a challenge of another length.
    pub fn new(keys: AccessKeys, challenge: Option<Vec<u8>>) -> Outcome<Self> {
        if keys.is_empty() {
            return Err(Fault::new(&NO_KEY));
        }
        if challenge.as_ref().is_some_and(|c| c.len() != 8) {
            return Err(Fault::new(&CHALLENGE));
        }
        Ok(Session {
            keys,
            challenge,
            files: BTreeMap::new(),
            partial: None,
            groups: BTreeMap::new(),
            com_asked: false,
            reach: Reach::default(),
            access: None,
            pace_failure: None,
            active: Proof::Open,
            chip: Proof::Open,
        })
    }

    /// Opens the card and reads what is still missing. After `CARD-006` (the card is gone) or `CARD-007` (this is another
    /// card) it may be called again with the card laid back.
    ///
    /// # Errors
    /// Those two; `CARD-008` to `CARD-013` where the card cannot be opened or read.
    pub fn read(
        &mut self,
        card: &mut dyn Transceiver,
        entropy: &mut dyn Entropy,
        tell: &mut dyn FnMut(Progress),
    ) -> Outcome<Captured> {
        for _ in 0..MOST_OPENINGS {
            let mut link = Link::new(card);
            match self.approach(&mut link, entropy, tell) {
                Ok(()) => return self.captured(),
                Err(Halt::Reopen) => tracing::debug!("the card ended the session; opening it again"),
                Err(Halt::Fault(fault)) => return Err(fault),
            }
        }
        Err(Fault::new(&MESSAGING).detail("the card ended every session"))
    }

    fn approach(
        &mut self,
        link: &mut Link<'_>,
        entropy: &mut dyn Entropy,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Halt> {
        tell(Progress::Opening);
        let access = self.open(link, entropy)?;
        tell(Progress::Opened(access));
        self.read_sod(link, tell)?;
        if !self.com_asked {
            self.read_com(link, tell)?;
        }
        for number in self.listed() {
            if !self.groups.contains_key(&number) {
                let group = self.read_group(link, number, tell)?;
                tell(Progress::Group(number, group));
            }
        }
        tell(Progress::Proving);
        self.prove_active(link, entropy)?;
        self.prove_chip(link, entropy)
    }

    /// PACE with every password, then the older way; a card that offers PACE and was opened without it is told apart for
    /// ever after.
    fn open(&mut self, link: &mut Link<'_>, entropy: &mut dyn Entropy) -> Result<Access, Halt> {
        let offered = files::read_card_access(link, &mut self.reach).map_err(lost)?;
        let mut failure = None;
        let mut opened = None;
        if let Some(card_access) = &offered {
            match self.open_with_pace(link, card_access, entropy)? {
                Ok(access) => opened = Some(access),
                Err(why) => failure = Some(why),
            }
        }
        if let Some(card_access) = offered {
            self.files.insert(FileId::CardAccess, card_access);
        }
        let access = match opened {
            Some(access) => access,
            None => self.open_with_bac(link, failure, entropy)?,
        };
        tracing::debug!(?access, ?failure, "opened");
        if access == Access::Bac || self.access != Some(Access::Bac) {
            self.access = Some(access);
            self.pace_failure = failure;
        }
        Ok(access)
    }

    fn open_with_pace(
        &self,
        link: &mut Link<'_>,
        card_access: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Result<Access, pace::Failure>, Halt> {
        let unknown = Trouble::Malformed("with no way of PACE that is known here");
        let mut failure = pace::Failure { step: pace::Step::Offers, trouble: unknown };
        let offers = pace::offers(card_access).unwrap_or_default();
        for password in self.keys.passwords() {
            for offer in offers.iter().take(MOST_OFFERS) {
                match pace::open(link, offer, password, entropy) {
                    Ok(session) => {
                        link.secure(session);
                        match files::select_application(link) {
                            Ok(()) => {
                                return Ok(Ok(match password {
                                    Password::Can(_) => Access::PaceCan,
                                    Password::Zone(_) => Access::PaceMrz,
                                }));
                            }
                            Err(trouble) => return Err(unselected(trouble)),
                        }
                    }
                    Err(why) => failure = why,
                }
                match failure.trouble {
                    Trouble::Lost | Trouble::Inner(_) => return Err(lost(failure.trouble)),
                    Trouble::WrongKey(_) => break,
                    _ => {}
                }
            }
        }
        Ok(Err(failure))
    }

    fn open_with_bac(
        &self,
        link: &mut Link<'_>,
        failure: Option<pace::Failure>,
        entropy: &mut dyn Entropy,
    ) -> Result<Access, Halt> {
        let mut why = failure.map(|failure| failure.trouble);
        let mut zones = self.keys.zones().peekable();
        if zones.peek().is_some() {
            files::select_application(link).map_err(unselected)?;
        } else if failure.is_none() {
            return Err(Halt::Fault(Fault::new(&CAN_NEEDS_PACE)));
        }
        for zone in zones {
            match bac::open(link, zone, entropy) {
                Ok(session) => {
                    link.secure(session);
                    return Ok(Access::Bac);
                }
                Err(trouble @ (Trouble::Lost | Trouble::Inner(_))) => return Err(lost(trouble)),
                Err(trouble) => why = Some(trouble),
            }
        }
        let why = why.unwrap_or(Trouble::Status(OK));
        let code = if matches!(why, Trouble::WrongKey(_)) { &WRONG_KEY } else { &NOT_OPENED };
        Err(Halt::Fault(Fault::new(code).detail(why)))
    }

    /// EF.SOD first: it names the data groups, and after an absence it shows whether this is the same card.
    fn read_sod(&mut self, link: &mut Link<'_>, tell: &mut dyn FnMut(Progress)) -> Result<(), Halt> {
        let known = self.files.get(&FileId::Sod);
        // Always whole: half of one and half of another would be compared with nothing.
        let (id, mut partial) = (FileId::Sod, None);
        let read = files::read(link, id, &mut self.reach, &mut partial, &mut |done, total| {
            tell(Progress::Reading(id, done, total));
        });
        match read {
            Ok(file) if known.is_some_and(|known| *known != file) => {
                Err(Halt::Fault(Fault::new(&OTHER_CARD)))
            }
            Ok(file) => {
                self.files.insert(FileId::Sod, file);
                Ok(())
            }
            Err(trouble) => Err(match trouble {
                Trouble::Status(_) | Trouble::Malformed(_) | Trouble::TooLarge => {
                    Halt::Fault(Fault::new(&NO_SOD).detail(trouble))
                }
                Trouble::Broken(Broken::Plain(sw)) if ended_kindly(sw) => Halt::Reopen,
                _ => lost(trouble),
            }),
        }
    }

    /// EF.COM is not signed: it is kept as it is, and a card without it is a card.
    fn read_com(&mut self, link: &mut Link<'_>, tell: &mut dyn FnMut(Progress)) -> Result<(), Halt> {
        let read = self.read_file(link, FileId::Com, tell);
        self.com_asked = !matches!(read, Err(Trouble::Lost));
        match read {
            Ok(file) => {
                self.files.insert(FileId::Com, file);
                Ok(())
            }
            Err(Trouble::Status(_) | Trouble::Malformed(_) | Trouble::TooLarge) => Ok(()),
            Err(Trouble::Broken(Broken::Plain(sw))) if ended_kindly(sw) => Err(Halt::Reopen),
            Err(trouble) => Err(lost(trouble)),
        }
    }

    /// The data groups in EF.SOD, or where that cannot be read as such in EF.COM; short ones first, so that a card taken
    /// away early has told most, and last those that end the session of some cards.
    fn listed(&self) -> Vec<u8> {
        let sod = self.files.get(&FileId::Sod).and_then(|file| Sod::parse(file).ok());
        let mut numbers: Vec<u8> = match sod {
            Some(sod) => sod.list.hashes.keys().copied().collect(),
            None => self.files.get(&FileId::Com).and_then(|f| lds::com_list(f).ok()).unwrap_or_default(),
        };
        numbers.retain(|number| (1..=16).contains(number));
        numbers.sort_by_key(|number| (matches!(number, 3 | 4), matches!(number, 2 | 5 | 7), *number));
        numbers.dedup();
        numbers
    }

    fn read_group(
        &mut self,
        link: &mut Link<'_>,
        number: u8,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Group, Halt> {
        let reach = self.reach.clone();
        let id = FileId::Dg(number);
        let of_status = |sw| match sw {
            NOT_ALLOWED | 0x6985 => Group::Protected,
            NO_FILE | 0x6a83 => Group::Absent,
            sw => Group::Refused(sw),
        };
        let (group, halt) = match self.read_file(link, id, tell) {
            Ok(file) => {
                let group = Group::Read(file.len());
                self.files.insert(id, file);
                (group, None)
            }
            Err(Trouble::Status(sw)) => (of_status(sw), None),
            Err(Trouble::Malformed(_) | Trouble::TooLarge) => (Group::Malformed, None),
            Err(Trouble::Broken(Broken::Plain(sw))) if ended_kindly(sw) => {
                // The length was refused and the next one is shorter: the group itself was not.
                if reach != self.reach {
                    return Err(Halt::Reopen);
                }
                (of_status(sw), Some(Halt::Reopen))
            }
            Err(trouble) => return Err(lost(trouble)),
        };
        self.groups.insert(number, group);
        match halt {
            Some(halt) => {
                tell(Progress::Group(number, group));
                Err(halt)
            }
            None => Ok(group),
        }
    }

    fn read_file(
        &mut self,
        link: &mut Link<'_>,
        id: FileId,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Vec<u8>, Trouble> {
        let read = files::read(link, id, &mut self.reach, &mut self.partial, &mut |done, total| {
            tell(Progress::Reading(id, done, total));
        });
        // Only a card that went away may go on in the middle of a file.
        if !matches!(read, Err(Trouble::Lost)) {
            self.partial = None;
        }
        read
    }

    fn prove_active(&mut self, link: &mut Link<'_>, entropy: &mut dyn Entropy) -> Result<(), Halt> {
        if !matches!(self.active, Proof::Open) {
            return Ok(());
        }
        let Some(spki) = self.files.get(&FileId::Dg(15)).and_then(|file| lds::open(file, 15).ok()) else {
            self.active = Proof::NotOffered;
            return Ok(());
        };
        let challenge = match &self.challenge {
            Some(challenge) => challenge.clone(),
            None => {
                let mut fresh = vec![0; 8];
                entropy.fill(&mut fresh).map_err(|_| lost(Trouble::Inner("random bytes")))?;
                fresh
            }
        };
        match proof::active(link, spki, &challenge) {
            Ok(response) => self.active = Proof::Answered(Challenge { challenge, response }),
            Err(Trouble::Status(sw)) => self.active = Proof::Refused(sw),
            Err(Trouble::Broken(Broken::Plain(sw))) if ended_kindly(sw) => {
                self.active = Proof::Refused(sw);
                return Err(Halt::Reopen);
            }
            Err(trouble) => return Err(lost(trouble)),
        }
        Ok(())
    }

    fn prove_chip(&mut self, link: &mut Link<'_>, entropy: &mut dyn Entropy) -> Result<(), Halt> {
        if !matches!(self.chip, Proof::Open) {
            return Ok(());
        }
        let content = self.files.get(&FileId::Dg(14)).and_then(|file| lds::open(file, 14).ok());
        self.chip = match content {
            None => Proof::NotOffered,
            Some(dg14) => match proof::chip(link, dg14, entropy) {
                Ok(Some(evidence)) => Proof::Answered(evidence),
                Ok(None) => Proof::NotOffered,
                Err(Trouble::Status(sw)) => Proof::Refused(sw),
                // It was the last question, so that a session that ended in it does no more harm.
                Err(Trouble::Broken(Broken::Plain(sw))) if ended_kindly(sw) => Proof::Refused(sw),
                Err(trouble) => return Err(lost(trouble)),
            },
        };
        Ok(())
    }

    fn captured(&mut self) -> Outcome<Captured> {
        let mut reading = Reading::of_files(std::mem::take(&mut self.files))?;
        reading.access = self.access.unwrap_or_default();
        let (active, chip) = (self.active.without_evidence(), self.chip.without_evidence());
        if let Proof::Answered(exchange) = std::mem::take(&mut self.active) {
            reading.active_authentication = Some(exchange);
        }
        if let Proof::Answered(evidence) = std::mem::take(&mut self.chip) {
            reading.chip_authentication = Some(evidence);
        }
        let groups = std::mem::take(&mut self.groups);
        Ok(Captured { reading, groups, pace_failure: self.pace_failure, active, chip })
    }
}

/// Why an approach ended.
enum Halt {
    /// The card ended the session in the clear; another session may go on.
    Reopen,
    /// For the caller.
    Fault(Fault),
}

/// Faults of the link itself, the same wherever they happen.
fn lost(trouble: Trouble) -> Halt {
    let code = match trouble {
        Trouble::Lost => &CARD_LOST,
        Trouble::Inner(_) => &INNER,
        Trouble::WrongKey(_) => &WRONG_KEY,
        Trouble::Broken(_) | Trouble::Status(_) | Trouble::Malformed(_) | Trouble::TooLarge => &MESSAGING,
    };
    let fault = Fault::new(code);
    Halt::Fault(if matches!(trouble, Trouble::Lost) { fault } else { fault.detail(trouble) })
}

fn unselected(trouble: Trouble) -> Halt {
    match trouble {
        Trouble::Status(_) => Halt::Fault(Fault::new(&NO_APPLICATION).detail(trouble)),
        other => lost(other),
    }
}

/// A refusal in the clear that ends the session and says why. A success in the clear, or a complaint about secure
/// messaging itself, is no such thing.
fn ended_kindly(sw: u16) -> bool {
    !matches!(sw, OK | 0x6987 | 0x6988) && (sw >> 12) == 6
}

/// Each refusal in the clear costs one; a card that ends every session is given up.
const MOST_OPENINGS: usize = 8;
const MOST_OFFERS: usize = 4;

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
