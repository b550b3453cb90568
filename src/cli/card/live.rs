//! Cards on a real reader: waiting for them, and asking for a card back that was taken away too early.

use super::{ListArgs, ReadArgs};
use crate::chip::reader::pcsc::Readers;
use crate::chip::reader::{CARD_LOST, Captured, Group, OTHER_CARD, Progress, Session, SystemEntropy};
use crate::chip::reading::FileId;
use crate::fault::{Fault, Outcome};
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// Prints the readers.
pub(super) fn list(args: &ListArgs) -> Outcome<u8> {
    let slots = Readers::open()?.slots()?;
    for slot in &slots {
        let atr = slot.atr.as_ref().map(hex::encode);
        if args.json {
            println!("{}", serde_json::json!({"reader": slot.name, "card": atr.is_some(), "atr": atr}));
        } else {
            let card = atr
                .map_or("không có thẻ / no card".to_owned(), |atr| format!("có thẻ / card, ATR {atr}"));
            println!("{}: {card}", slot.name);
        }
    }
    if slots.is_empty() && !args.json {
        println!("không có đầu đọc nào / no reader");
    }
    Ok(0)
}

/// Reads the card, however often it has to be laid back; `None` where the clerk stopped it.
pub(super) fn capture(
    args: &ReadArgs,
    session: &mut Session,
    stop: &dyn Fn() -> bool,
) -> Outcome<Option<Captured>> {
    let readers = Readers::open()?;
    let patience = Duration::from_secs(args.timeout);
    let reader = args.reader.as_deref();
    let mut shown = Shown { terminal: std::io::stderr().is_terminal(), open: false };
    shown.line("Đặt thẻ lên đầu đọc và giữ yên / Lay the card on the reader and keep it still");
    let mut losses = 0;
    loop {
        let Some(mut card) = readers.wait(reader, patience, stop)? else { return Ok(None) };
        let read = card.talk(|card| session.read(card, &mut SystemEntropy, &mut |p| shown.progress(p)));
        let fault = match read {
            Ok(Ok(captured)) => return Ok(Some(captured)),
            Ok(Err(fault)) => fault,
            Err(lost) => {
                tracing::debug!(%lost, "before the first command");
                Fault::new(&CARD_LOST)
            }
        };
        drop(card);
        losses += 1;
        let again = fault.code == &CARD_LOST || fault.code == &OTHER_CARD;
        if !again || losses > args.retries {
            shown.close();
            return Err(fault);
        }
        shown.line(&format!("{} / {}", fault.code.remedy_vi, fault.code.remedy_en));
        if fault.code == &OTHER_CARD {
            readers.wait_until_gone(reader, patience, stop)?;
        } else {
            std::thread::sleep(SETTLE);
        }
    }
}

/// A card that is laid down bounces.
const SETTLE: Duration = Duration::from_millis(300);

/// Progress on standard error: one line that is written over on a terminal, a line for each file elsewhere.
struct Shown {
    terminal: bool,
    open: bool,
}

impl Shown {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Opening => self.line("Đang mở chip / Opening the chip"),
            Progress::Opened(access) => self.line(&format!("Đã mở / Opened: {access:?}")),
            Progress::Reading(id, done, total) => self.file(id, done, total),
            Progress::Group(_, Group::Read(_)) => {}
            Progress::Group(number, Group::Protected) => {
                self.line(&format!("DG{number}: được bảo vệ, không đọc / protected, not read"));
            }
            Progress::Group(number, _) => {
                self.line(&format!("DG{number}: không đọc được / could not be read"));
            }
            Progress::Proving => self.line("Đang kiểm tra chống sao chép / Asking for proof against copies"),
        }
    }

    fn file(&mut self, id: FileId, done: usize, total: usize) {
        let percent = done.saturating_mul(100) / total.max(1);
        if self.terminal {
            eprint!("\r  {id} {percent:3} % ({total} byte)   ");
            let _ = std::io::stderr().flush();
            self.open = true;
        }
        if done >= total {
            if !self.terminal {
                eprintln!("  {id} {total} byte");
            }
            self.close();
        }
    }

    fn line(&mut self, text: &str) {
        self.close();
        eprintln!("{text}");
    }

    fn close(&mut self) {
        if self.open {
            eprintln!();
        }
        self.open = false;
    }
}
