//! A process locks itself in: limits (setrlimit(2)), no file and no network (Landlock), a short list of system
//! calls (seccomp(2)). Each of them is missing somewhere; what holds is told, and limits are the least.

use super::{NOT_STARTED, Policy, filter};
use crate::fault::{Fault, Outcome};
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus,
    Scope,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use serde::{Deserialize, Serialize};
use std::os::fd::AsRawFd;

/// What holds a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jailed {
    /// Files, network, signals, by Landlock.
    pub landlock: Landlock,
    /// Only the listed system calls.
    pub seccomp: bool,
    /// Memory, time, files and processes are limited.
    pub rlimits: bool,
}

/// How much of Landlock a kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Landlock {
    /// Files, network and signals (Linux 6.12 and later).
    Full,
    /// Files; network from Linux 6.7 on.
    Partial,
    /// Not in this kernel, or not enabled.
    None,
}

impl Jailed {
    /// Whether nothing is missing.
    pub fn is_whole(self) -> bool {
        self.landlock == Landlock::Full && self.seccomp && self.rlimits
    }
}

/// Locks the calling thread in, for ever; it should be the only one. It is killed when the thread that started
/// its process ends.
///
/// # Errors
/// [`NOT_STARTED`] where not even the limits can be set.
pub fn enter(policy: &Policy) -> Outcome<Jailed> {
    let refused = |e: rustix::io::Errno| Fault::new(&NOT_STARTED).detail(format!("limits: {e}"));
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused)?;
    // Neither a core file nor another process of the same user may show what is on a page.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)?;
    for (resource, most) in limits(policy) {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(refused)?;
    }
    let free =
        free_numbers().map_err(|e| Fault::new(&NOT_STARTED).detail(format!("open files: {}", e.kind())))?;
    let landlock = landlock().unwrap_or(Landlock::None);
    let seccomp = filter::apply(&free);
    Ok(Jailed { landlock, seccomp, rlimits: true })
}

fn limits(policy: &Policy) -> [(Resource, u64); 8] {
    [
        (Resource::As, policy.memory_bytes),
        (Resource::Stack, STACK_BYTES),
        (Resource::Cpu, policy.cpu_seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
    ]
}

/// The numbers that files get that are opened from now on. What the one who started us left open has others, and is not
/// to be read.
fn free_numbers() -> std::io::Result<Vec<u64>> {
    const OPEN: &str = "/proc/self/fd";
    // The list is a file, too, and has the lowest number that is free.
    let lowest = u64::try_from(std::fs::File::open(OPEN)?.as_raw_fd()).unwrap_or(0);
    let mut taken = Vec::new();
    for entry in std::fs::read_dir(OPEN)? {
        taken.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    let is_free = |number: &u64| *number == lowest || !taken.contains(number);
    Ok((3..OPEN_FILES).filter(is_free).take(FILES_AT_ONCE).collect())
}

const STACK_BYTES: u64 = 8 << 20;
/// Standard input and output, the file that is looked at, and what the one who started us left open.
const OPEN_FILES: u64 = 64;
/// The file that is looked at, the one before it, and second numbers of both.
const FILES_AT_ONCE: usize = 8;

/// Everything that Landlock can forbid is forbidden, as far as the kernel goes.
fn landlock() -> Result<Landlock, RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V9))?
        .handle_access(AccessNet::from_all(ABI::V9))?
        .scope(Scope::from_all(ABI::V9))?
        .create()?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Landlock::None,
        // What later kernels add (pathname sockets) is behind seccomp anyway.
        (_, LandlockStatus::Available { effective_abi, .. }) if effective_abi >= ABI::V6 => Landlock::Full,
        _ => Landlock::Partial,
    })
}
