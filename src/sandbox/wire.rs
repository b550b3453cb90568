//! Frames over a socket pair. To the child: length (u32, little endian), header; a file may ride on the first byte
//! (`SCM_RIGHTS`, unix(7)). From the child: header length (u32), payload length (u64), header, payload.

use super::{Answer, MOST_ANSWERED, MOST_ASKED};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recv, recvmsg, send, sendmsg,
};
use std::mem::MaybeUninit;
use std::time::Instant;

/// Why a frame did not come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The other end is gone.
    Closed,
    /// The time is over.
    Late,
    /// A length that nobody sends.
    Nonsense,
}

/// A request's header, and the file that came with it.
pub(super) type Asked = (Vec<u8>, Option<OwnedFd>);

/// Sends a request, with a file if one goes with it.
pub(super) fn ask(
    to: impl AsFd,
    header: &[u8],
    file: Option<BorrowedFd<'_>>,
    until: Option<Instant>,
) -> Result<(), Broken> {
    let mut frame = Vec::with_capacity(4 + header.len());
    let length =
        u32::try_from(header.len()).ok().filter(|n| *n as usize <= MOST_ASKED).ok_or(Broken::Nonsense)?;
    frame.extend(length.to_le_bytes());
    frame.extend(header);
    let mut rest = frame.as_slice();
    if let Some(file) = file {
        let files = [file];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&files));
        let sent = again(&to, PollFlags::OUT, until, || {
            sendmsg(&to, &[IoSlice::new(rest)], &mut control, flags(until))
        })?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    send_all(to, rest, until)
}

/// Takes the next request; `None` where the other end is gone and nothing more will come.
pub(super) fn asked(from: impl AsFd) -> Result<Option<Asked>, Broken> {
    let mut length = [0; 4];
    let mut file = None;
    let mut have = 0;
    while have < 4 {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let rest = length.get_mut(have..).unwrap_or_default();
        let got = match recvmsg(&from, &mut [IoSliceMut::new(rest)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) => message.bytes,
            Err(Errno::INTR) => continue,
            Err(_) => return Err(Broken::Closed),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                file = files.last().or(file);
            }
        }
        match (got, have) {
            (0, 0) => return Ok(None),
            (0, _) => return Err(Broken::Closed),
            _ => have += got,
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_ASKED {
        return Err(Broken::Nonsense);
    }
    Ok(Some((receive(from, length, None)?, file)))
}

/// Sends an answer.
pub(super) fn answer(to: impl AsFd, answer: &Answer) -> Result<(), Broken> {
    let mut frame = Vec::with_capacity(12 + answer.header.len());
    frame.extend(u32::try_from(answer.header.len()).map_err(|_| Broken::Nonsense)?.to_le_bytes());
    frame.extend((answer.payload.len() as u64).to_le_bytes());
    frame.extend(&answer.header);
    send_all(&to, &frame, None)?;
    send_all(to, &answer.payload, None)
}

/// Takes an answer whose payload has at most so many bytes.
pub(super) fn answered(from: impl AsFd, most_payload: u64, until: Instant) -> Result<Answer, Broken> {
    let lengths = receive(&from, 12, Some(until))?;
    let (header, payload) = lengths.split_at_checked(4).ok_or(Broken::Nonsense)?;
    let header = u32::from_le_bytes(header.try_into().map_err(|_| Broken::Nonsense)?) as usize;
    let payload = u64::from_le_bytes(payload.try_into().map_err(|_| Broken::Nonsense)?);
    if header > MOST_ANSWERED || payload > most_payload {
        return Err(Broken::Nonsense);
    }
    let payload = usize::try_from(payload).map_err(|_| Broken::Nonsense)?;
    Ok(Answer {
        header: receive(&from, header, Some(until))?,
        payload: receive(&from, payload, Some(until))?,
    })
}

fn send_all(to: impl AsFd, bytes: &[u8], until: Option<Instant>) -> Result<(), Broken> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let sent = again(&to, PollFlags::OUT, until, || send(&to, rest, flags(until)))?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    Ok(())
}

fn receive(from: impl AsFd, length: usize, until: Option<Instant>) -> Result<Vec<u8>, Broken> {
    // Zeroed memory is only taken as it is filled, so that a length alone costs nothing.
    let mut bytes = vec![0; length];
    let mut rest = bytes.as_mut_slice();
    let wanted = if until.is_some() { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    while !rest.is_empty() {
        let got = again(&from, PollFlags::IN, until, || recv(&from, &mut *rest, wanted).map(|(got, _)| got))?;
        if got == 0 {
            return Err(Broken::Closed);
        }
        rest = rest.get_mut(got..).unwrap_or_default();
    }
    Ok(bytes)
}

/// With a deadline nothing may block: the wait is in [`again`].
fn flags(until: Option<Instant>) -> SendFlags {
    SendFlags::NOSIGNAL | if until.is_some() { SendFlags::DONTWAIT } else { SendFlags::empty() }
}

/// Does it, waits while it would block, until the time is over.
fn again(
    on: impl AsFd,
    ready: PollFlags,
    until: Option<Instant>,
    mut work: impl FnMut() -> Result<usize, Errno>,
) -> Result<usize, Broken> {
    loop {
        match work() {
            Ok(done) => return Ok(done),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = until.ok_or(Broken::Closed)?.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Broken::Late);
                }
                let left = left.try_into().map_err(|_| Broken::Late)?;
                match poll(&mut [PollFd::new(&on, ready)], Some(&left)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return Err(Broken::Closed),
                }
            }
            Err(_) => return Err(Broken::Closed),
        }
    }
}
