//! How the program is linked: the table by which the loader places it is kept small.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Half a hundred thousand addresses are put right when the program starts, and the plain table of them is read in whole:
    // 1.2 MB of memory of every process. glibc reads the packed one (DT_RELR) from 2.36 on.
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let here = of("HOST") == of("TARGET") && of("CARGO_CFG_TARGET_ENV") == "gnu";
    if here && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of the C library of this system.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let said = String::from_utf8(said).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
