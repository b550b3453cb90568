//! One child, seen from outside: started, asked, and looked at when it is dead.

use super::wire::{self, Broken};
use super::{Answer, DIED, Jailed, KILLED, LATE, MEMORY, NONSENSE, NOT_STARTED, Policy, Program, Request};
use crate::fault::{Fault, Outcome};
use rustix::fd::OwnedFd;
use std::io::{PipeReader, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A child that is locked in and waits for requests, or works on one. It is gone when this is dropped.
pub(super) struct Cell {
    child: Child,
    socket: OwnedFd,
    /// What the runtime says when it dies: the only thing that is ever written there.
    last_words: PipeReader,
    policy: Policy,
    /// Requests served.
    pub(super) served: u32,
    /// The file that it has, by the caller's number.
    pub(super) holds: Option<u64>,
    /// What protects us from it.
    pub(super) jailed: Jailed,
}

impl Cell {
    /// Starts a child and waits until it says that it is locked in.
    pub(super) fn start(program: &Program, policy: Policy) -> Outcome<Cell> {
        let failed = |why: String| Fault::new(&NOT_STARTED).detail(why);
        let (child, socket, last_words) = spawn(program.clone()).map_err(|e| failed(e.kind().to_string()))?;
        let jailed = Jailed { landlock: super::Landlock::None, seccomp: false, rlimits: false };
        let mut cell = Cell { child, socket, last_words, policy, served: 0, holds: None, jailed };
        let until = Instant::now() + policy.start;
        let terms = serde_json::to_vec(&policy).unwrap_or_default();
        let said = wire::ask(&cell.socket, &terms, None, Some(until))
            .and_then(|()| wire::answered(&cell.socket, 0, until));
        match said.map(|hello| serde_json::from_slice::<Jailed>(&hello.header)) {
            Ok(Ok(jailed)) => cell.jailed = jailed,
            Ok(Err(_)) => return Err(failed("it answers like another program".into())),
            Err(broken) => {
                let fault = cell.autopsy(broken);
                return Err(failed(format!("{} {}", fault.code.id, fault.detail.unwrap_or_default())));
            }
        }
        Ok(cell)
    }

    /// Asks. A child that has not answered is of no further use.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Result<Answer, Broken> {
        let until = Instant::now() + self.policy.request;
        let new = request.file.filter(|(number, _)| self.holds != Some(*number));
        wire::ask(&self.socket, request.header, new.map(|(_, file)| file), Some(until))?;
        if let Some((number, _)) = new {
            self.holds = Some(number);
        }
        let answer = wire::answered(&self.socket, request.most_payload, until)?;
        self.served = self.served.saturating_add(1);
        Ok(answer)
    }

    /// Whether it has done its share.
    pub(super) fn is_spent(&self) -> bool {
        self.served >= self.policy.requests
    }

    /// What it died of, or why it had to.
    pub(super) fn autopsy(mut self, broken: Broken) -> Fault {
        match broken {
            Broken::Late => Fault::new(&LATE).detail(format!("{} s", self.policy.request.as_secs_f32())),
            Broken::Nonsense => Fault::new(&NONSENSE).detail("a length that it may not send"),
            Broken::Closed => match self.own_end() {
                Some(status) => self.verdict(status),
                None => Fault::new(&NONSENSE).detail("it closed its end and went on"),
            },
        }
    }

    /// How it ended, if it ended by itself: its socket closes a moment before it can be waited for.
    fn own_end(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
                _ => return None,
            }
        }
    }

    fn verdict(&mut self, status: ExitStatus) -> Fault {
        let mut words = Vec::new();
        let _ = self.last_words.by_ref().take(4096).read_to_end(&mut words);
        let said = |what: &str| words.windows(what.len()).any(|w| w == what.as_bytes());
        // What it wrote is never shown: only whether it is one of the two sentences of the runtime.
        match status.signal() {
            Some(libc::SIGABRT) if said("memory allocation of") => {
                Fault::new(&MEMORY).detail(format!("at most {} MiB", self.policy.memory_bytes >> 20))
            }
            Some(libc::SIGXCPU) => Fault::new(&LATE).detail(format!("{} s in all", self.policy.cpu_seconds)),
            Some(libc::SIGABRT) if said("overflowed its stack") => {
                Fault::new(&DIED).detail("its stack ran over")
            }
            Some(libc::SIGKILL) => Fault::new(&KILLED),
            Some(libc::SIGSYS) => Fault::new(&DIED).detail("signal 31, it tried what is forbidden"),
            Some(signal) => Fault::new(&DIED).detail(format!("signal {signal}")),
            None => Fault::new(&DIED).detail(format!("exit code {}", status.code().unwrap_or(-1))),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Born = (Child, OwnedFd, PipeReader);
type Order = (Program, SyncSender<std::io::Result<Born>>);

/// Starts a child from a thread that lives as long as this process: the kernel ends a child with the thread that
/// started it (`PR_SET_PDEATHSIG`), and the threads that ask come and go.
fn spawn(program: Program) -> std::io::Result<Born> {
    static MIDWIFE: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let gone = || std::io::Error::other("the thread that starts decoders is gone");
    let midwife = MIDWIFE.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        // Where no thread can be had, the orders find nobody and each fails.
        let _ = std::thread::Builder::new().name("decoders".into()).spawn(move || {
            for (program, reply) in orders {
                let _ = reply.send(bear(&program));
            }
        });
        Mutex::new(sender)
    });
    let (reply, born) = sync_channel(1);
    midwife.lock().unwrap_or_else(PoisonError::into_inner).send((program, reply)).map_err(|_| gone())?;
    born.recv().map_err(|_| gone())?
}

fn bear(program: &Program) -> std::io::Result<Born> {
    let (ours, theirs) = UnixStream::pair()?;
    let (last_words, stderr) = std::io::pipe()?;
    // Nobody reads it while the child lives: a library that chatters must not stand still.
    rustix::io::ioctl_fionbio(&stderr, true)?;
    let child = Command::new(&program.path)
        .arg0("hoso")
        .args(&program.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(stderr))
        .spawn()?;
    Ok((child, ours.into(), last_words))
}
