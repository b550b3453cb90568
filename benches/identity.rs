//! What judging a chip reading costs: `cargo bench --bench identity -- --anchors DIR [--reading FILE]... [--list ML --root CERT]`
//!
//! Prints CPU milliseconds, the best and the median of [`ROUNDS`], one JSON line each: loading the folder of anchors,
//! judging a reading with it loaded, both together as a command does, and verifying and importing a master list.
//! `scripts/bench_identity.py` makes the world and runs other programs beside.

#![expect(clippy::expect_used, reason = "a bench ends at its first surprise, with its place")]

use hoso::chip::reading::Reading;
use hoso::chip::trust::install::install;
use hoso::chip::{self, Policy, Trust, master_list};
use std::path::PathBuf;

const ROUNDS: usize = 30;

fn main() {
    let (mut anchors, mut readings, mut list, mut root) = (None, Vec::new(), None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--anchors" => anchors = args.next().map(PathBuf::from),
            "--reading" => readings.extend(args.next().map(PathBuf::from)),
            "--list" => list = args.next().map(PathBuf::from),
            "--root" => root = args.next().map(PathBuf::from),
            other => eprintln!("identity: {other} is passed over"),
        }
    }
    if anchors.is_none() && list.is_none() {
        println!("identity: nothing to do; see scripts/bench_identity.py");
    }
    let (now, policy) = (jiff::Timestamp::now(), Policy::default());
    if let Some(folder) = anchors {
        let load = || Trust::load(&folder).expect("a folder of anchors");
        let held = load();
        told("load", held.len(), || assert!(!load().is_empty()));
        for path in &readings {
            let reading = Reading::parse(&std::fs::read(path).expect("a file")).expect("a reading");
            let judge = |trust: &Trust| chip::verify(&reading, trust, now, &policy).overall;
            println!("{}", serde_json::json!({ "reading": path, "overall": judge(&held) }));
            told("verify, anchors loaded", held.len(), || {
                judge(&held);
            });
            told("load and verify", held.len(), || {
                judge(&load());
            });
        }
    }
    if let (Some(list), Some(root)) = (list, root) {
        let bytes = std::fs::read(list).expect("a list");
        let mut pinned = Trust::default();
        pinned.add_file("root", &std::fs::read(root).expect("a root")).expect("a certificate");
        let roots: Vec<_> = pinned.into_anchors().collect();
        let read = || master_list::verify(&bytes, &roots, now, &policy.curves).expect("a good list");
        let count = read().certificates.len();
        told("master list: verify", count, || {
            read();
        });
        told("master list: verify, read every certificate, write", count, || {
            let folder = tempfile::tempdir().expect("room");
            install(folder.path(), &bytes, &roots, now, &policy.curves, "bench").expect("an import");
        });
    }
}

/// Runs it over and over and says what it cost.
fn told(what: &str, certificates: usize, mut run: impl FnMut()) {
    let mut spent: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = ran();
            run();
            ran() - began
        })
        .collect();
    spent.sort_by(f64::total_cmp);
    let line = serde_json::json!({ "what": what, "certificates": certificates, "ms": spent[0],
        "median_ms": spent[ROUNDS / 2] });
    println!("{line}");
}

/// CPU milliseconds of this thread: waiting for a core does not count.
fn ran() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
