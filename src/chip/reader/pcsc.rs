//! Card readers by way of PC/SC (`pcscd`), the system's own service for them.

use super::{Lost, Transceiver};
use crate::fault::{Class, Code, Fault, Outcome};
use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State, Transaction};
use std::ffi::CString;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The readers of this machine.
pub struct Readers(Context);

/// A reader as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The answer to reset of the card on it; `None` without a card that answers.
    pub atr: Option<Vec<u8>>,
}

/// A card on a reader; reset when dropped, so that no open channel stays behind.
pub struct Laid(Card);

impl Readers {
    /// Asks the system's service.
    ///
    /// # Errors
    /// `CARD-020` where it does not run.
    pub fn open() -> Outcome<Self> {
        Context::establish(Scope::System).map(Readers).map_err(|e| Fault::new(&NO_SERVICE).detail(e))
    }

    /// Every reader with what lies on it.
    ///
    /// # Errors
    /// `CARD-020` where the service went away.
    pub fn slots(&self) -> Outcome<Vec<Slot>> {
        let states = self.states()?;
        let slots = states.iter().map(|state| Slot {
            name: state.name().to_string_lossy().into_owned(),
            atr: has_card(state).then(|| state.atr().to_vec()),
        });
        Ok(slots.collect())
    }

    /// Waits until a card lies on a reader and answers. `reader` is a part of the reader's name, in any case of letters;
    /// without it the first card counts. `None` where `stop` said so.
    ///
    /// # Errors
    /// `CARD-021` where there is no such reader, `CARD-022` where no card came in time, `CARD-023` where another program
    /// holds it.
    pub fn wait(
        &self,
        reader: Option<&str>,
        patience: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Outcome<Option<Laid>> {
        let begun = Instant::now();
        let mut why = Fault::new(&NO_READER);
        while !stop() {
            let states = self.states()?;
            let mut fitting = states.iter().filter(|state| fits(state, reader)).peekable();
            if fitting.peek().is_some() && why.code == &NO_READER {
                why = Fault::new(&NO_CARD);
            }
            for state in fitting.filter(|state| has_card(state)) {
                match self.0.connect(state.name(), ShareMode::Shared, Protocols::ANY) {
                    Ok(card) => {
                        // The answer to reset by way of the card's status: not every reader has it as an attribute.
                        let size = card.status2_owned().map(|status| status.atr().len()).unwrap_or_default();
                        tracing::debug!(atr = size, "card connected");
                        return Ok(Some(Laid(card)));
                    }
                    Err(Error::SharingViolation) => why = Fault::new(&IN_USE),
                    // Not yet down, or just taken away: it is looked at again.
                    Err(error) => tracing::debug!(%error, "card not connected"),
                }
            }
            if begun.elapsed() >= patience {
                return Err(why);
            }
            std::thread::sleep(GLANCE);
        }
        Ok(None)
    }

    /// Waits until no card lies on the readers of that name.
    ///
    /// # Errors
    /// `CARD-020` where the service went away.
    pub fn wait_until_gone(
        &self,
        reader: Option<&str>,
        patience: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Outcome<()> {
        let begun = Instant::now();
        while !stop() && begun.elapsed() < patience {
            if !self.states()?.iter().any(|state| fits(state, reader) && has_card(state)) {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn states(&self) -> Outcome<Vec<ReaderState>> {
        let names: Vec<CString> = match self.0.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(Fault::new(&NO_SERVICE).detail(error)),
        };
        let mut states: Vec<_> =
            names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        // A reader that is pulled out right now shows as one without a card.
        if !states.is_empty()
            && let Err(error @ (Error::NoService | Error::ServiceStopped)) =
                self.0.get_status_change(GLANCE, &mut states)
        {
            return Err(Fault::new(&NO_SERVICE).detail(error));
        }
        Ok(states)
    }
}

impl Laid {
    /// Talks to the card with nobody in between.
    ///
    /// # Errors
    /// The card is gone.
    pub fn talk<T>(&mut self, with: impl FnOnce(&mut dyn Transceiver) -> T) -> Result<T, Lost> {
        let transaction = self.0.transaction().map_err(|error| {
            tracing::debug!(%error, "no transaction");
            Lost
        })?;
        let buffer = Zeroizing::new(vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED]);
        let mut live = Live { transaction, buffer };
        let out = with(&mut live);
        if let Err((_, error)) = live.transaction.end(Disposition::LeaveCard) {
            tracing::debug!(%error, "the transaction did not end");
        }
        Ok(out)
    }
}

struct Live<'a> {
    transaction: Transaction<'a>,
    buffer: Zeroizing<Vec<u8>>,
}

impl Transceiver for Live<'_> {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        match self.transaction.transmit(command, &mut self.buffer) {
            Ok(response) => Ok(response.to_vec()),
            Err(error) => {
                tracing::debug!(%error, "the card is gone");
                Err(Lost)
            }
        }
    }
}

fn has_card(state: &ReaderState) -> bool {
    let event = state.event_state();
    event.contains(State::PRESENT) && !event.contains(State::MUTE)
}

fn fits(state: &ReaderState, wanted: Option<&str>) -> bool {
    let name = state.name().to_string_lossy().to_lowercase();
    wanted.is_none_or(|wanted| name.contains(&wanted.to_lowercase()))
}

/// Between two looks at the readers.
const GLANCE: Duration = Duration::from_millis(200);

/// All faults of card readers.
pub const CODES: &[&Code] = &[&NO_SERVICE, &NO_READER, &NO_CARD, &IN_USE];

/// `pcscd` does not run.
pub const NO_SERVICE: Code = Code {
    id: "CARD-020",
    class: Class::Setup,
    vi: "Dịch vụ đầu đọc thẻ (pcscd) không chạy",
    en: "the card reader service (pcscd) does not run",
    remedy_vi: "Cài và bật dịch vụ: apt install pcscd, systemctl start pcscd",
    remedy_en: "install and start it: apt install pcscd, systemctl start pcscd",
};

/// No reader, or none of that name.
pub const NO_READER: Code = Code {
    id: "CARD-021",
    class: Class::Setup,
    vi: "Không tìm thấy đầu đọc thẻ",
    en: "there is no such card reader",
    remedy_vi: "Cắm đầu đọc; xem tên các đầu đọc bằng: hoso card list",
    remedy_en: "plug the reader in; hoso card list shows their names",
};

/// No card came.
pub const NO_CARD: Code = Code {
    id: "CARD-022",
    class: Class::Later,
    vi: "Hết thời gian chờ mà chưa có thẻ trên đầu đọc",
    en: "no card was laid on the reader in time",
    remedy_vi: "Đặt thẻ lên giữa đầu đọc, chỉ một thẻ, rồi chạy lại",
    remedy_en: "lay one card on the middle of the reader and run it again",
};

/// Another program holds the card.
pub const IN_USE: Code = Code {
    id: "CARD-023",
    class: Class::Later,
    vi: "Một chương trình khác đang giữ thẻ",
    en: "another program holds the card",
    remedy_vi: "Đóng chương trình đọc thẻ khác (trình duyệt, phần mềm ký số) rồi chạy lại",
    remedy_en: "close other programs that use cards (browser, signing software) and run it again",
};
