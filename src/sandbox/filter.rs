//! The system calls that are left to a decoder (seccomp(2)).
//!
//! Three answers: a call on the list is done; one that only an attacker makes kills the process; any other fails
//! with EPERM, since libraries try this and that and can do without. Arguments are looked at where the call alone
//! says too little: only standard input and standard error are written to, and only files that came later are read,
//! whatever else was left open; only private memory that cannot be executed is mapped; only oneself is signalled, and
//! only to die.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Puts both filters over the calling thread; false where the kernel or the processor has no seccomp. Files are read
/// only by the numbers in `free`: those that nothing has yet.
pub(super) fn apply(free: &[u64]) -> bool {
    let Ok(programs) = programs(free) else { return false };
    // The deadly list first: the other forbids to lay a filter.
    programs.iter().all(|program| apply_filter(program).is_ok())
}

fn programs(free: &[u64]) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let deadly = DEADLY.iter().map(|call| (*call, Vec::new())).collect();
    let deadly = SeccompFilter::new(deadly, SeccompAction::Allow, SeccompAction::KillProcess, arch)?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let allowed = SeccompFilter::new(allowed(free)?, refused, SeccompAction::Allow, arch)?;
    Ok([deadly.try_into()?, allowed.try_into()?])
}

/// Calls that nobody makes who decodes a page.
const DEADLY: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_mount,
    libc::SYS_chroot,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_keyctl,
];

/// Calls that are done whatever their arguments.
const FREE: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_ppoll,
    libc::SYS_fstat,
    libc::SYS_close,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn allowed(free: &[u64]) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = FREE.iter().map(|call| (*call, Vec::new())).collect();
    let stdin = || is(0, 0);
    let stderr = || is(0, 2);
    for call in [libc::SYS_recvmsg, libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_read] {
        rules.insert(call, vec![rule(vec![stdin()?])?]);
    }
    for call in [libc::SYS_write, libc::SYS_writev] {
        rules.insert(call, vec![rule(vec![stdin()?])?, rule(vec![stderr()?])?]);
    }
    let not_executable = || masked(2, libc::PROT_EXEC as u64, 0);
    rules.insert(libc::SYS_mmap, vec![rule(vec![not_executable()?, masked(3, SHARING, ANONYMOUS)?])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(vec![not_executable()?])?]);
    let read = free.iter().map(|number| rule(vec![is(0, *number)?]));
    rules.insert(libc::SYS_pread64, read.collect::<Result<_, _>>()?);
    // A second number for what was left open would be a way round.
    let again = free.iter().map(|number| rule(vec![is(0, *number)?, is(1, libc::F_DUPFD_CLOEXEC as u64)?]));
    let look = std::iter::once(rule(vec![is(1, libc::F_GETFD as u64)?]));
    rules.insert(libc::SYS_fcntl, look.chain(again).collect::<Result<_, _>>()?);
    // How the runtime dies: of a stack that ran over, of memory it did not get.
    let handled = [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT];
    let handled = handled.map(|signal| is(0, signal as u64).and_then(|c| rule(vec![c])));
    rules.insert(libc::SYS_rt_sigaction, handled.into_iter().collect::<Result<_, _>>()?);
    let own = is(0, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![rule(vec![own, is(2, libc::SIGABRT as u64)?])?]);
    Ok(rules)
}

/// What the allocator asks for; nothing that lies in a file is mapped, and nothing is shared.
const SHARING: u64 = ANONYMOUS | libc::MAP_SHARED as u64;
const ANONYMOUS: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions)
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}
