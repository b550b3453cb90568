//! A time stamp authority that does not answer: documents are signed once, wait where everyone sees it, and are raised when it
//! is back; the signature they get then is the one that they had.

use crate::playground::{Playground, files, samples};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn documents_wait_at_b_b_and_are_raised_when_the_authority_answers() {
    let mut ground = Playground::new(&[]);
    ground.stop("tsa");
    for entry in files(&samples().join("results")).into_iter().take(2) {
        fs::copy(&entry, ground.input().join(entry.file_name().unwrap())).unwrap();
    }
    let input = ground.input();
    let run = |ground: &Playground, patience: &str| {
        let out =
            ground.hoso(&["run", "result-delivery", "--patience", patience]).arg(&input).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let (code, said) = run(&ground, "3");
    assert_eq!(code, Some(5), "{said}");
    assert!(published(&ground).is_empty(), "nothing goes out without its time stamp");
    assert!(ground.effects("portal").is_empty() && ground.effects("wallet").is_empty());
    let status = ground.output(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("đang chờ dấu thời gian") && status.contains("SEAL-011"), "{status}");
    let before = signatures(&ground);
    assert!(!before.is_empty());

    ground.start_tsa();
    let (code, said) = run(&ground, "60");
    assert_eq!(code, Some(0), "{said}");
    let after = published(&ground);
    assert!(!after.is_empty());
    for path in after {
        let bytes = fs::read(&path).unwrap();
        let digest = ranged(&bytes).expect("a signature");
        assert!(before.contains(&digest), "{} was signed anew", path.display());
        let verdict = ground.output(&["verify", path.to_str().unwrap(), "--json"]);
        let verdict = String::from_utf8_lossy(&verdict.stdout).into_owned();
        assert!(verdict.contains("B-T"), "{verdict}");
    }
}

#[test]
fn receipts_without_their_stamp_are_completed_by_a_worker_once_the_authority_answers() {
    let mut ground = Playground::new(&[]);
    ground.stop("tsa");
    // Only the log asks the authority here.
    let pipeline = ground.station().join("pipelines/result-delivery.toml");
    let text = fs::read_to_string(&pipeline).unwrap();
    fs::write(&pipeline, text.replace(", timestamp = true", "")).unwrap();
    for entry in files(&samples().join("results")).into_iter().take(4) {
        fs::copy(&entry, ground.input().join(entry.file_name().unwrap())).unwrap();
    }
    let run = ground.hoso(&["run", "result-delivery"]).arg(ground.input()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let before = pairs(&ground);
    assert!(before.len() >= 2);
    for (receipt, paper) in &before {
        assert_eq!(outcome(&ground, receipt, paper), Some(11), "it says that it awaits its stamp");
    }
    let deliveries = ground.effects("wallet").len();

    // A receipt that cannot be read as one, and somebody else's, stay as they are.
    let out = ground.station().join("out");
    fs::write(out.join("lạ.tlog-proof"), [0xff, 0xfe, 0]).unwrap();
    let worker = |ground: &Playground| {
        let mut worker = ground.hoso(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while pairs(ground).iter().any(|(receipt, paper)| outcome(ground, receipt, paper) != Some(0)) {
            assert!(began.elapsed() < Duration::from_secs(120), "the receipts still await their stamp");
            std::thread::sleep(Duration::from_millis(100));
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
    };
    let log = ground.station().join("var/log");
    assert!(log.join("awaiting").exists());
    ground.start_tsa();
    worker(&ground);
    assert_eq!(fs::read(out.join("lạ.tlog-proof")).unwrap(), [0xff, 0xfe, 0]);
    assert_eq!(ground.effects("wallet").len(), deliveries, "nobody gets anything again");

    // Laid out again, the older receipt does not replace the complete one; one that is gone comes back and is completed.
    assert!(ground.output(&["work", "--until-idle", "--out-again"]).status.success());
    for (receipt, paper) in &before {
        assert_eq!(outcome(&ground, receipt, paper), Some(0), "laid out again");
    }
    fs::remove_file(&before[0].0).unwrap();
    assert!(ground.output(&["work", "--until-idle", "--out-again"]).status.success());
    worker(&ground);
}

fn pairs(ground: &Playground) -> Vec<(PathBuf, PathBuf)> {
    let papers = published(ground).into_iter();
    papers.map(|paper| (paper.with_extension("tlog-proof"), paper)).collect()
}

fn outcome(ground: &Playground, receipt: &Path, paper: &Path) -> Option<i32> {
    let args = ["log", "check", receipt.to_str().unwrap(), paper.to_str().unwrap(), "--json"];
    ground.output(&args).status.code()
}

fn published(ground: &Playground) -> Vec<PathBuf> {
    let out = files(&ground.station().join("out"));
    out.into_iter().filter(|p| p.extension().is_some_and(|e| e == "pdf")).collect()
}

/// The signed bytes of every signed file among the blobs.
fn signatures(ground: &Playground) -> Vec<Vec<u8>> {
    let blobs = files(&ground.station().join("var/blobs"));
    blobs.iter().filter_map(|path| ranged(&fs::read(path).ok()?)).collect()
}

/// What the last signature of a file covers.
fn ranged(bytes: &[u8]) -> Option<Vec<u8>> {
    let mark = b"/ByteRange [";
    let at = memchr::memmem::rfind(bytes, mark)? + mark.len();
    let numbers = std::str::from_utf8(bytes.get(at..at + 60)?.split(|b| *b == b']').next()?).ok()?;
    let numbers: Vec<usize> = numbers.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [0, first, second, rest] = numbers[..] else { return None };
    Some([bytes.get(..first)?, bytes.get(second..second + rest)?].concat())
}
