//! Who acts by hand: the OS user and the host, as the journal keeps them. No name of a person, no address.

use std::fs;

/// `operator USER@HOST`; a user who has no name here is called by number.
pub(super) fn operator() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "?",
        name => name,
    };
    format!("operator {}@{host}", user.unwrap_or_else(|| format!("uid-{uid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_acts_has_a_user_and_a_host() {
        let who = operator();
        let (user, host) = who.strip_prefix("operator ").unwrap().split_once('@').unwrap();
        assert!(!user.is_empty() && !host.is_empty() && !who.contains('\n'), "{who}");
    }
}
