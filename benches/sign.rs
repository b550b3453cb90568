//! What a signature costs: `cargo bench --bench sign -- --p12 FILE --password TEXT [--trust DIR] [--rounds 100] [--only WORD] [--profile NAME] FILE.pdf...`
//!
//! For every file and profile one JSON line: CPU milliseconds (user and system) of one signature, the file hashed, copied
//! and its revision written behind the copy; of the floor, SHA-256 of the same bytes in memory and one signature of the
//! key; and of judging the signed file where it lies, opening included. Best and median of the rounds. `scripts/bench_sign.py` makes the files and runs
//! pyHanko beside.

#![expect(clippy::expect_used, reason = "a bench ends at its first surprise, with its place")]

use hoso::digest::Sha256;
use hoso::original::Original;
use hoso::seal::appearance::AppearanceFacts;
use hoso::seal::key::{KeyHandle, SoftKey};
use hoso::seal::profile::SignatureProfile;
use hoso::seal::sign::{Order, Sheet, sign_sheet};
use hoso::seal::verify::{Anchors, Question, verify_original};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

fn main() {
    let (mut p12, mut password, mut trust, mut rounds, mut files) =
        (None, String::new(), None, 100, Vec::new());
    let mut only = String::new();
    let mut profiles = vec!["invisible".to_owned(), "intake_scan".to_owned()];
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--p12" => p12 = args.next(),
            "--password" => password = args.next().unwrap_or_default(),
            "--only" => only = args.next().unwrap_or_default(),
            "--profile" => profiles = args.next().into_iter().collect(),
            "--trust" => trust = args.next().map(PathBuf::from),
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("a number of rounds"),
            file => files.push(PathBuf::from(file)),
        }
    }
    let Some(p12) = p12.filter(|_| !files.is_empty()) else {
        println!("sign: nothing to do; see scripts/bench_sign.py");
        return;
    };
    let key = SoftKey::from_pkcs12(&std::fs::read(p12).expect("a key file"), &password).expect("a key");
    let anchors =
        trust.map(|folder| Anchors::load(&folder).expect("a folder of anchors")).unwrap_or_default();
    let folder = tempfile::tempdir().expect("room");
    for file in &files {
        if "floor".contains(&only) {
            floor(file, &key, rounds);
        }
        for profile in &profiles {
            let profile = SignatureProfile::built_in(profile).expect("a profile");
            let out = folder.path().join("signed.pdf");
            sign(file, &out, &key, &profile);
            if "sign".contains(&only) {
                let took = costs(rounds, || sign(file, &out, &key, &profile));
                told(&format!("sign, {}", profile.id), file, &took);
            }
            if !"verify".contains(&only) {
                continue;
            }
            let took = costs(rounds, || {
                let signed =
                    Original::file(File::open(&out).expect("the signed file")).expect("a plain file");
                let question =
                    Question { anchors: &anchors, at: jiff::Timestamp::now(), as_of: false, online: None };
                let (report, _) = verify_original(&signed, &question, false).expect("a judgement");
                assert_eq!(report.signatures.len(), 1, "{report:?}");
            });
            told(&format!("verify, {}", profile.id), file, &took);
        }
    }
}

fn sign(file: &Path, out: &Path, key: &dyn KeyHandle, profile: &SignatureProfile) {
    let facts = AppearanceFacts { name: "TEST OFFICER".to_owned(), ..AppearanceFacts::default() };
    let original = Original::file(File::open(file).expect("a file")).expect("a plain file");
    let mut copy =
        File::options().read(true).write(true).create(true).truncate(true).open(out).expect("room");
    let sheet = Sheet::copy(&original, &copy).expect("a copy");
    let order = Order { profile, facts: &facts, at: jiff::Timestamp::now(), field: None };
    let tail = sign_sheet(&sheet, key, &order, None).expect("a signature");
    copy.write_all(&tail.bytes).expect("room");
}

fn floor(file: &Path, key: &dyn KeyHandle, rounds: usize) {
    let bytes = std::fs::read(file).expect("a file");
    let took = costs(rounds, || {
        let digest = Sha256::of(&bytes);
        assert!(key.sign_digests(&[digest]).iter().all(Result::is_ok));
    });
    told("floor", file, &took);
}

/// What rounds of work cost.
struct Costs {
    /// CPU milliseconds of each round, user and system, least first.
    rounds: Vec<f64>,
    /// Milliseconds of a round outside of the kernel, on average.
    user: f64,
}

fn costs(rounds: usize, mut work: impl FnMut()) -> Costs {
    work();
    let user = user();
    let mut took: Vec<f64> = (0..rounds)
        .map(|_| {
            let before = cpu();
            work();
            (cpu() - before) * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    Costs { rounds: took, user: (self::user() - user) * 1000.0 / rounds as f64 }
}

fn told(what: &str, file: &Path, took: &Costs) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (best, median, user) = (took.rounds[0], took.rounds[took.rounds.len() / 2], took.user);
    let line = serde_json::json!({ "what": what, "file": name, "best_ms": best, "median_ms": median, "user_ms": user });
    println!("{line}");
}

/// Seconds that this process took outside of the kernel, to a hundredth (proc(5), utime).
fn user() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(") ").next().expect("a name in brackets");
    let ticks: f64 = after_name.split(' ').nth(11).and_then(|n| n.parse().ok()).expect("utime");
    ticks / 100.0
}

/// Seconds of the processor that this process took so far.
fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
