//! Which process works on something, told apart from every other that ever had its number.

use std::fs;

/// This process: `pid-starttime`, where the start time is the kernel's (proc(5), field 22 of `stat`).
pub fn own_name() -> String {
    let pid = std::process::id();
    format!("{pid}-{}", start_time(pid).unwrap_or(0))
}

/// Whether the process of that name still lives on this machine. A name of another form is not judged: alive.
pub fn is_alive(name: &str) -> bool {
    let Some((pid, started)) = name.split_once('-') else { return true };
    match (pid.parse::<u32>(), started.parse::<u64>()) {
        (Ok(pid), Ok(started)) => start_time(pid) == Some(started),
        _ => true,
    }
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything: count from its last parenthesis.
    let after = stat.rsplit_once(')')?.1;
    if after.trim_start().starts_with('Z') {
        return None;
    }
    after.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_alive_and_our_number_at_another_time_is_not() {
        assert!(is_alive(&own_name()));
        assert!(!is_alive(&format!("{}-1", std::process::id())));
        assert!(!is_alive("4194305-77"));
    }
}
