//! The child's side: lock oneself in, then answer until nobody asks any more.

use super::{Answer, MOST_ANSWERED, NOT_STARTED, Policy, jail, wire};
use crate::fault::{Fault, Outcome};
use rustix::fd::OwnedFd;
use std::os::fd::AsFd;

/// Serves requests that come over standard input, a socket, until the parent closes it. `handle` gets a request's
/// header and the file that came with it, if one did.
///
/// Must be called while this thread is the only one: it alone is locked in.
///
/// # Errors
/// [`NOT_STARTED`] where standard input is no socket of a parent, or the limits cannot be set.
pub fn serve(mut handle: impl FnMut(&[u8], Option<OwnedFd>) -> Answer) -> Outcome<()> {
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    let stranger = || Fault::new(&NOT_STARTED).detail("this command is started by the program itself");
    let Ok(Some((terms, _))) = wire::asked(socket) else { return Err(stranger()) };
    let policy: Policy = serde_json::from_slice(&terms).map_err(|_| stranger())?;
    let jailed = jail::enter(&policy)?;
    let hello = Answer { header: serde_json::to_vec(&jailed).unwrap_or_default(), payload: Vec::new() };
    let mut said = wire::answer(socket, &hello);
    while said.is_ok() {
        let Ok(Some((header, file))) = wire::asked(socket) else { break };
        let answer = handle(&header, file);
        if answer.header.len() > MOST_ANSWERED {
            break;
        }
        said = wire::answer(socket, &answer);
    }
    Ok(())
}
