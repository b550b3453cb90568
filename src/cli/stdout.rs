//! What a command answers on the standard output. An answer that cannot be written never stops the work half-way: the
//! command goes on to its end, and then says so.

use super::scan::OUTPUT;
use crate::fault::{Fault, Outcome};
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

/// Writes a part of the answer, or remembers why that failed.
pub(super) fn write(text: fmt::Arguments<'_>) {
    if FAILED.get().is_none() {
        keep(io::stdout().lock().write_fmt(text));
    }
}

/// The outcome of the command whose answer this was. A reader that hangs up (`hoso status | head`) has what it wanted.
///
/// # Errors
/// That of the command; [`OUTPUT`].
pub(super) fn judge(done: Outcome<u8>) -> Outcome<u8> {
    keep(io::stdout().lock().flush());
    match (FAILED.get(), done) {
        (_, Err(fault)) => Err(fault),
        (None, done) => done,
        (Some(ErrorKind::BrokenPipe), Ok(_)) => Ok(HUNG_UP),
        (Some(kind), Ok(_)) => Err(Fault::new(&OUTPUT).detail(kind)),
    }
}

fn keep(written: io::Result<()>) {
    if let Err(e) = written {
        let _ = FAILED.set(e.kind());
    }
}

/// The first thing that went wrong.
static FAILED: OnceLock<ErrorKind> = OnceLock::new();

/// The exit code that a shell gives a program whose reader is gone.
const HUNG_UP: u8 = 141;
