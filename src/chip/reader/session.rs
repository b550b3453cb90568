//! The reading of one card: opened, read file by file, asked for its proofs, and taken up again where it was lost.

use super::access::{AccessKeys, Password};
use super::apdu::{NO_FILE, NOT_ALLOWED, OK};
use super::curve::Entropy;
use super::files::{self, Partial, Reach};
use super::link::{Link, Trouble};
use super::messaging::Broken;
use super::{
    CAN_NEEDS_PACE, CARD_LOST, CHALLENGE, Captured, Group, INNER, MESSAGING, NO_APPLICATION, NO_KEY, NO_SOD,
    NOT_OPENED, OTHER_CARD, Progress, Proof, Transceiver, WRONG_KEY, bac, pace, proof,
};
use crate::chip::chip_authentication::ChipAuthentication;
use crate::chip::lds;
use crate::chip::reading::{Access, Challenge, FileId, Reading};
use crate::chip::sod::Sod;
use crate::fault::{Fault, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroize;

/// The reading of one card, over as many approaches as it takes.
pub struct Session {
    keys: AccessKeys,
    challenge: Option<Vec<u8>>,
    files: BTreeMap<FileId, Vec<u8>>,
    partial: Option<Partial>,
    groups: BTreeMap<u8, Group>,
    /// Refused in the clear once, which nobody vouches for: to be asked once more in the next session.
    doubted: BTreeSet<u8>,
    active_doubted: bool,
    com_asked: bool,
    reach: Reach,
    access: Option<Access>,
    pace_failure: Option<pace::Failure>,
    active: Proof<Challenge>,
    chip: Proof<ChipAuthentication>,
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
            doubted: BTreeSet::new(),
            active_doubted: false,
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
        let mut known = false;
        for _ in 0..MOST_OPENINGS {
            let mut link = Link::new(card);
            match self.approach(&mut link, &mut known, entropy, tell) {
                Ok(()) => return self.captured(),
                Err(Halt::Reopen) => tracing::debug!("the card ended the session; opening it again"),
                Err(Halt::Fault(fault)) => return Err(fault),
            }
        }
        Err(Fault::new(&MESSAGING).detail("the card ended every session"))
    }

    /// `known`: since it was laid down this card has shown that it is the right one.
    fn approach(
        &mut self,
        link: &mut Link<'_>,
        known: &mut bool,
        entropy: &mut dyn Entropy,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Halt> {
        tell(Progress::Opening);
        let access = self.open(link, entropy)?;
        tell(Progress::Opened(access));
        if !*known {
            self.read_sod(link, tell)?;
            *known = true;
        }
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
                // Fingers and eyes are never read, so that nobody gains by refusing them.
                let group = match of_status(sw) {
                    Group::Protected if matches!(number, 3 | 4) => Group::Protected,
                    _ if self.doubted.insert(number) => return Err(Halt::Reopen),
                    _ => Group::RefusedInClear(sw),
                };
                (group, Some(Halt::Reopen))
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
                if self.active_doubted {
                    self.active = Proof::Refused(sw);
                }
                self.active_doubted = true;
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

/// What was read is the holder's.
impl Drop for Session {
    fn drop(&mut self) {
        self.files.values_mut().for_each(Zeroize::zeroize);
        self.partial.iter_mut().for_each(|partial| partial.bytes.zeroize());
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
const MOST_OPENINGS: usize = 12;
const MOST_OFFERS: usize = 4;
