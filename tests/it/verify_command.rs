//! What `hoso verify` promises to programs and to people: one object, five exit codes, a report that can be filed.

use crate::playground::{HOSO, samples};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A training station, a signed paper and folders to trust.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        assert!(world.run(&["init", "station", "--training"]).status.success());
        let signed = world.run(&[
            "sign",
            samples().join("results/result-1.pdf").to_str().unwrap(),
            "-o",
            "signed.pdf",
            "--p12",
            "station/keys/officer.p12",
            "--password",
            "file:station/keys/training-password.txt",
        ]);
        assert!(signed.status.success(), "{signed:?}");
        std::fs::create_dir(world.path("bare")).unwrap();
        for name in ["root.pem", "issuing.pem"] {
            std::fs::copy(world.path("station/anchors/signing").join(name), world.path("bare").join(name))
                .unwrap();
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(HOSO).current_dir(self.dir.path()).args(args).output().unwrap()
    }

    /// Exit code and the JSON lines of a verification.
    fn verify(&self, args: &str) -> (i32, Vec<serde_json::Value>) {
        let args: Vec<&str> = ["verify", "--json"].into_iter().chain(args.split(' ')).collect();
        let out = self.run(&args);
        let lines = String::from_utf8(out.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (out.status.code().unwrap(), lines)
    }
}

#[test]
fn one_file_prints_exactly_the_promised_object() {
    let world = World::new();
    let (code, lines) = world.verify("signed.pdf --trust station/anchors");
    let time = lines[0]["signatures"][0]["time"].clone();
    assert_eq!(code, 0);
    assert_eq!(
        lines,
        [serde_json::json!({
            "verdict": "valid",
            "signatures": [{
                "field": "Signature1", "integrity": "intact", "coverage": "whole", "modifications": "none",
                "chain": "trusted", "revocation": "good", "timestamp": {"status": "none", "time": null},
                "level": "B-B", "signer": "Nguyễn Thị Mẫu - HUẤN LUYỆN / TRAINING ONLY", "time": time
            }],
            "reasons": [{
                "code": "VRFY-063",
                "vi": "Thời điểm ký chưa được chứng minh (không có dấu thời gian tin cậy)",
                "en": "no trusted time stamp proves when it was signed"
            }]
        })]
    );
}

#[test]
fn every_conclusion_has_its_exit_code_and_the_worst_of_several_counts() {
    let world = World::new();
    let signed = std::fs::read(world.path("signed.pdf")).unwrap();
    let mut changed = signed.clone();
    changed[signed.len() / 3] ^= 1;
    std::fs::write(world.path("changed.pdf"), changed).unwrap();
    std::fs::write(world.path("text.pdf"), "no PDF").unwrap();
    std::fs::copy(samples().join("results/result-1.pdf"), world.path("plain.pdf")).unwrap();
    let verdict = |args: &str| {
        let (code, lines) = world.verify(args);
        (
            code,
            lines[0]["verdict"].as_str().unwrap().to_owned(),
            lines[0]["reasons"][0]["code"].as_str().unwrap().to_owned(),
        )
    };
    let is = |code: i32, verdict: &str, reason: &str| (code, verdict.to_owned(), reason.to_owned());
    assert_eq!(verdict("signed.pdf"), is(4, "indeterminate", "VRFY-002"));
    assert_eq!(verdict("signed.pdf --trust bare"), is(4, "indeterminate", "VRFY-061"));
    assert_eq!(verdict("plain.pdf --trust bare"), is(4, "indeterminate", "VRFY-042"));
    assert_eq!(verdict("text.pdf --trust bare"), is(1, "indeterminate", "PDF-050"));
    assert_eq!(verdict("nowhere.pdf --trust bare").0, 1);
    assert_eq!(verdict("changed.pdf --trust station/anchors").0, 5);
    assert_eq!(verdict("signed.pdf --trust station/anchors --at 2001-01-01T00:00:00Z").2, "VRFY-004");
    assert_eq!(world.run(&["verify", "signed.pdf", "--trust", "nowhere"]).status.code(), Some(1));
    assert_eq!(world.run(&["verify", "signed.pdf", "--at", "yesterday"]).status.code(), Some(2));
    for (files, code) in [
        ("signed.pdf plain.pdf", 4),
        ("signed.pdf plain.pdf text.pdf", 1),
        ("signed.pdf plain.pdf text.pdf changed.pdf", 5),
    ] {
        let (got, lines) = world.verify(&format!("{files} --trust station/anchors"));
        assert_eq!(got, code, "{files}");
        assert!(lines.iter().all(|l| l["file"].is_string()) && lines.len() == files.split(' ').count());
    }
}

#[test]
fn a_policy_may_do_without_evidence_and_nothing_else() {
    let world = World::new();
    let policy = world.path("bare/policy.toml");
    std::fs::write(&policy, "revocation = \"not-required\"\n").unwrap();
    let (code, lines) = world.verify("signed.pdf --anchors bare");
    assert_eq!((code, lines[0]["signatures"][0]["revocation"].as_str()), (0, Some("unknown")));
    assert_eq!(world.verify("signed.pdf --trust bare --require-revocation").0, 4);
    std::fs::write(&policy, "revokation = \"not-required\"\n").unwrap();
    assert_eq!(world.run(&["verify", "signed.pdf", "--trust", "bare"]).status.code(), Some(1));
}

#[test]
fn the_report_is_pdf_a() {
    let world = World::new();
    let out = world.run(&["verify", "signed.pdf", "--trust", "station/anchors", "--report", "report.pdf"]);
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    for words in [
        "HỢP LỆ / VALID",
        "Người ký / signer: Nguyễn Thị Mẫu",
        "Toàn vẹn / integrity: nguyên vẹn",
        "1/1 đạt / proven",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let folder = world.run(&["verify", "station", "--trust", "bare", "--report", "other.pdf"]);
    assert_eq!(folder.status.code(), Some(2));
    let Some(python) = python() else {
        eprintln!("skipped: no python with pikepdf.pdfa");
        return;
    };
    let judged = Command::new(python).args(["-c", JUDGE]).arg(world.path("report.pdf")).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| Path::new(&v).join("bin/python"));
    let works = |python: &PathBuf| {
        Command::new(python).args(["-c", "import pikepdf.pdfa"]).output().is_ok_and(|o| o.status.success())
    };
    venv.into_iter().chain([PathBuf::from("python3")]).find(works)
}

const JUDGE: &str = "
import sys
from pikepdf import pdfa
verdict = pdfa.validate_written(sys.argv[1], '2b')
for finding in verdict.findings: print(finding)
sys.exit(0 if verdict.passed else 1)
";
