//! `hoso decoder`: how this program starts itself to look at untrusted bytes. Nobody types it.

use crate::sandbox;
use crate::scan::reader::Answering;

/// Serves until the parent ends; the number is the exit code.
pub fn run() -> u8 {
    // A panic is the answer's to tell; its text may hold what was on a page.
    std::panic::set_hook(Box::new(|_| ()));
    let mut answering = Answering::default();
    match sandbox::serve(|header, file| answering.answer(header, file)) {
        Ok(()) => 0,
        Err(fault) => {
            eprintln!("hoso: {fault}");
            fault.code.class.exit_code()
        }
    }
}
