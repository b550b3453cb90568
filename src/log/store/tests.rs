//! A log that crashes, is rolled back, forked, damaged and shared.

use super::*;
use crate::log::note::Checkpoint;
use crate::log::receipt::{ReceiptOutcome, verify};
use crate::log::statement::tests::facts;
use std::fs::OpenOptions;
use std::io::Write as _;

const PEM: &[u8] = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

fn open(folder: &Path) -> Outcome<Log> {
    Log::open_with(folder, Signer::from_pem("h49.vn/log", PEM).unwrap())
}

fn document(i: usize) -> Digests {
    Digests::of(format!("paper {i}").as_bytes())
}

fn append(log: &Log, range: std::ops::Range<usize>) -> Vec<Receipt> {
    let statements: Vec<_> = range.map(|i| log.statement(&document(i), &facts()).unwrap()).collect();
    log.append(&statements).unwrap()
}

fn root_of(folder: &Path) -> (u64, Hash) {
    let note = Note::parse(&fs::read_to_string(folder.join("checkpoint")).unwrap()).unwrap();
    let head = Checkpoint::parse(note.text()).unwrap();
    (head.size, head.root)
}

#[test]
fn receipts_prove_and_a_second_logging_keeps_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for (i, receipt) in append(&log, 0..700).iter().enumerate() {
        assert_eq!(receipt.index, i as u64);
        assert_eq!(
            verify(&receipt.to_text(), &document(i), &[log.verifier()]).outcome,
            ReceiptOutcome::Proven
        );
    }
    let again = log.append_document(&document(3), &facts()).unwrap();
    assert_eq!((again.index, root_of(folder.path()).0), (3, 700));
    assert_eq!(append(&log, 699..702).iter().map(|r| r.index).collect::<Vec<_>>(), [699, 700, 701]);
    let twice = log.statement(&document(900), &facts()).unwrap();
    let twice = log.append(&[twice.clone(), twice]).unwrap();
    assert_eq!((twice[0].index, twice[1].index), (702, 702));
    let proof = log.prove(&document(256).sha256).unwrap();
    assert_eq!(verify(&proof.to_text(), &document(256), &[log.verifier()]).outcome, ReceiptOutcome::Proven);
    assert_eq!(log.prove(&document(5000).sha256).unwrap_err().code.id, "LOG-015");
    assert!(folder.path().join("tile/entries/000").exists());
    assert!(folder.path().join("tile/0/002.p/191").exists());
}

#[test]
fn the_log_grows_consistently_over_reopenings_and_rivals() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()).unwrap(), open(folder.path()).unwrap());
    let mut heads = Vec::new();
    for i in 0..40 {
        let log = if i % 3 == 0 { &one } else { &two };
        append(log, i * 13..i * 13 + 13);
        heads.push(root_of(folder.path()));
    }
    drop(two);
    let log = open(folder.path()).unwrap();
    let (size, root) = root_of(folder.path());
    assert_eq!(size, 520);
    for (old, old_root) in heads {
        let path = log.prove_growth(old).unwrap();
        assert!(tree::is_consistent(old, size, &old_root, &root, &path));
    }
}

#[test]
fn a_torn_tail_is_cut_and_unsigned_leaves_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    append(&log, 0..10);
    let before = log.statement(&document(10), &facts()).unwrap();
    drop(log);
    let mut statements = OpenOptions::new().append(true).open(folder.path().join("statements")).unwrap();
    statements.write_all(&[&before.to_bytes()[..], b"\n{\"blake3"].concat()).unwrap();
    let mut leaves = OpenOptions::new().append(true).open(folder.path().join("leaves")).unwrap();
    leaves.write_all(&before.entry()).unwrap();
    leaves.write_all(&[7; 9]).unwrap();
    let log = open(folder.path()).unwrap();
    assert_eq!(root_of(folder.path()).0, 11);
    assert_eq!(log.append(&[before]).unwrap()[0].index, 10);
    assert_eq!(append(&log, 11..12)[0].index, 11);
}

#[test]
fn a_log_that_lost_or_changed_leaves_refuses_to_sign() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    append(&log, 0..300);
    let leaves = fs::read(folder.path().join("leaves")).unwrap();
    let head = fs::read(folder.path().join("checkpoint")).unwrap();

    fs::write(folder.path().join("leaves"), &leaves[..32 * 299]).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code.id, "LOG-011");
    assert_eq!(log.append_document(&document(1000), &facts()).unwrap_err().code.id, "LOG-011");

    let mut changed = leaves.clone();
    changed[40] ^= 1;
    fs::write(folder.path().join("leaves"), &changed).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code.id, "LOG-012");

    fs::write(folder.path().join("leaves"), &leaves).unwrap();
    let history = fs::read(folder.path().join("history")).unwrap();
    fs::remove_file(folder.path().join("checkpoint")).unwrap();
    fs::remove_file(folder.path().join("history")).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code.id, "LOG-013");

    let mut torn = head.clone();
    torn[60] ^= 1;
    fs::write(folder.path().join("checkpoint"), &torn).unwrap();
    assert!(open(folder.path()).is_err());
    fs::write(folder.path().join("history"), &history).unwrap();
    open(folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join("checkpoint")).unwrap(), head);
    let stranger = Signer::generate("h49.vn/log").unwrap();
    fs::write(folder.path().join("checkpoint"), &head).unwrap();
    assert_eq!(Log::open_with(folder.path(), stranger).unwrap_err().code.id, "LOG-014");
    assert_eq!(fs::read(folder.path().join("checkpoint")).unwrap(), head);
    open(folder.path()).unwrap();
}

#[test]
fn a_damaged_tile_gives_no_receipt_until_it_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    append(&log, 0..600);
    let tile = folder.path().join("tile/0/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    fs::write(&tile, &bytes).unwrap();
    assert_eq!(log.append_document(&document(0), &facts()).unwrap_err().code.id, "LOG-006");
    assert_eq!(log.check().unwrap(), 600);
    assert_eq!(log.append_document(&document(0), &facts()).unwrap().index, 0);
}

#[test]
fn many_threads_and_handles_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = folder.path();
            scope.spawn(move || {
                let log = open(folder).unwrap();
                for i in 0..8 {
                    append(&log, (thread * 8 + i) * 3..(thread * 8 + i) * 3 + 5);
                }
            });
        }
    });
    let log = open(folder.path()).unwrap();
    assert_eq!(root_of(folder.path()).0, 98);
    for i in 0..98 {
        log.prove(&document(i).sha256).unwrap();
    }
}

/// What stood in a folder's own files at some moment.
type Snapshot = std::collections::BTreeMap<&'static str, Option<Vec<u8>>>;

/// In the order in which a commit writes them.
const FILES: [&str; 4] = ["statements", "leaves", "history", "checkpoint"];

fn snapshot(folder: &Path) -> Snapshot {
    FILES.into_iter().map(|name| (name, fs::read(folder.join(name)).ok())).collect()
}

fn lay_down(folder: &Path, name: &str, bytes: Option<&Vec<u8>>) {
    match bytes {
        Some(bytes) => fs::write(folder.join(name), bytes).unwrap(),
        None => drop(fs::remove_file(folder.join(name))),
    }
}

#[test]
fn whatever_is_restored_cut_or_swapped_no_size_ever_gets_a_second_root() {
    let folder = tempfile::tempdir().unwrap();
    let mut roots: std::collections::BTreeMap<u64, Hash> = std::collections::BTreeMap::new();
    let mut states = Vec::new();
    let log = open(folder.path()).unwrap();
    for i in 0..6 {
        append(&log, i * 50..i * 50 + 50);
        let (size, root) = root_of(folder.path());
        roots.insert(size, root);
        states.push(snapshot(folder.path()));
    }
    drop(log);
    let newest = states.last().unwrap().clone();
    let (mut refused, mut went_on, mut next) = (0, 0, 1000);
    // Every set of files from every older moment, missing, or cut at some places, beside the newest of the others; but never
    // all three that hold what was signed, which nobody but a witness could notice.
    for set in 1u8..16 {
        let chosen: Vec<&str> = (0..4).filter(|n| set & (1 << n) != 0).map(|n| FILES[n]).collect();
        let all_memory = ["leaves", "history", "checkpoint"].iter().all(|name| chosen.contains(name));
        for (moment, state) in states.iter().map(Some).chain([None; 3]).enumerate() {
            for (name, bytes) in &newest {
                lay_down(folder.path(), name, bytes.as_ref());
            }
            for name in &chosen {
                let bytes = newest[name].as_ref().unwrap();
                match moment {
                    0..8 if all_memory => {}
                    0..5 => lay_down(folder.path(), name, state.unwrap()[name].as_ref()),
                    5 => lay_down(folder.path(), name, None),
                    6 => lay_down(folder.path(), name, Some(&bytes[..bytes.len() - 1].to_vec())),
                    7 => lay_down(folder.path(), name, Some(&bytes[..bytes.len() / 2].to_vec())),
                    _ => {
                        let mut swapped = bytes.clone();
                        swapped.swap(3, bytes.len() - 5);
                        lay_down(folder.path(), name, Some(&swapped));
                    }
                }
            }
            next += 1;
            let logged = open(folder.path()).and_then(|log| log.append_document(&document(next), &facts()));
            let Ok(receipt) = logged else {
                refused += 1;
                continue;
            };
            went_on += 1;
            let head = Head::read(&receipt.checkpoint, &open(folder.path()).unwrap().verifier()).unwrap();
            assert!(head.checkpoint.size > 300, "{chosen:?} {moment}");
            // What was signed before is still the beginning of it.
            let log = open(folder.path()).unwrap();
            for (old, root) in &roots {
                let path = log.prove_growth(*old).unwrap();
                let now = root_of(folder.path());
                assert!(tree::is_consistent(*old, now.0, root, &now.1, &path), "{chosen:?} {moment} {old}");
            }
        }
    }
    assert!(refused > 20 && went_on > 20, "{refused} refused, {went_on} went on");
}

#[test]
fn a_crash_at_any_point_of_a_commit_loses_nothing_and_signs_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    append(&log, 0..300);
    let before = snapshot(folder.path());
    append(&log, 300..310);
    drop(log);
    let after = snapshot(folder.path());
    let signed = root_of(folder.path());
    // Files are written in this order; a crash leaves the first of them new, one torn, the others old.
    for torn in 0..4 {
        let (old, new) = (before[FILES[torn]].clone().unwrap(), after[FILES[torn]].clone().unwrap());
        for cut in [0, 1, 31, 32, 33, 100, 319, 320] {
            for (n, name) in FILES.iter().enumerate() {
                let source = if n < torn { &after } else { &before };
                lay_down(folder.path(), name, source[name].as_ref());
            }
            let bytes = if FILES[torn] == "checkpoint" {
                new[..cut.min(new.len())].to_vec()
            } else {
                new[..(old.len() + cut).min(new.len())].to_vec()
            };
            lay_down(folder.path(), FILES[torn], Some(&bytes));
            let log = open(folder.path()).unwrap();
            let again = append(&log, 300..310);
            let receipts = append(&log, 0..310);
            for (i, receipt) in receipts.iter().enumerate() {
                let verdict = verify(&receipt.to_text(), &document(i), &[log.verifier()]);
                assert_eq!(verdict.outcome, ReceiptOutcome::Proven);
            }
            assert_eq!(again.iter().map(|r| r.index).collect::<Vec<_>>(), (300..310).collect::<Vec<_>>());
            assert_eq!(root_of(folder.path()), signed, "{} cut at {cut}", FILES[torn]);
        }
    }
}

#[test]
fn a_large_log_opens_by_its_right_edge_and_mends_its_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for i in 0..7 {
        append(&log, i * 1000..i * 1000 + 1000);
    }
    drop(log);
    let before = root_of(folder.path());
    let log = open(folder.path()).unwrap();
    assert_eq!(append(&log, 6999..7001).iter().map(|r| r.index).collect::<Vec<_>>(), [6999, 7000]);
    drop(log);
    fs::remove_file(folder.path().join("tile/0/007")).unwrap();
    fs::write(folder.path().join("tile/0/026"), [0; 8192]).unwrap();
    let _ = fs::remove_dir_all(folder.path().join("index"));
    let log = open(folder.path()).unwrap();
    for i in [7 * 256 + 3, 6900, 12, 7000] {
        let receipt = log.prove(&document(i).sha256).unwrap();
        let verdict = verify(&receipt.to_text(), &document(i), &[log.verifier()]);
        assert_eq!((receipt.index, verdict.outcome), (i as u64, ReceiptOutcome::Proven));
    }
    let path = log.prove_growth(before.0).unwrap();
    let now = root_of(folder.path());
    assert!(tree::is_consistent(before.0, now.0, &before.1, &now.1, &path));
}

#[test]
fn those_who_log_at_the_same_time_share_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let before = fs::read_to_string(folder.path().join("history")).unwrap().lines().count();
    let start = std::sync::Barrier::new(16);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (log, start) = (&log, &start);
            scope.spawn(move || {
                start.wait();
                for i in 0..10 {
                    let number = thread * 10 + i;
                    let receipt = log.append_document(&document(number), &facts()).unwrap();
                    let verdict = verify(&receipt.to_text(), &document(number), &[log.verifier()]);
                    assert_eq!(verdict.outcome, ReceiptOutcome::Proven);
                }
            });
        }
    });
    let heads = fs::read_to_string(folder.path().join("history")).unwrap().lines().count() - before;
    assert_eq!(log.size(), 160);
    assert!(heads < 160, "{heads} heads for 160 documents");
}

/// Not a test of right and wrong: prints what appending and opening cost. Run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_appending_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let (batches, width) = (100, 1000);
    let start = std::time::Instant::now();
    for batch in 0..batches {
        append(&log, batch * width..(batch + 1) * width);
    }
    let appended = start.elapsed();
    drop(log);
    let start = std::time::Instant::now();
    let log = open(folder.path()).unwrap();
    let opened = start.elapsed();
    let receipt = log.append_document(&document(7), &facts()).unwrap().to_text();
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        assert_eq!(verify(&receipt, &document(7), &[log.verifier()]).outcome, ReceiptOutcome::Proven);
    }
    eprintln!(
        "{:.0} leaves/s in commits of {width}; open {:?} at {} leaves; receipt {} B, checked in {:?}",
        (batches * width) as f64 / appended.as_secs_f64(),
        opened,
        batches * width,
        receipt.len(),
        start.elapsed() / 1000
    );
}
