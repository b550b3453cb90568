//! A log that crashes, is rolled back, forked, damaged and shared.

use super::*;
use crate::log::receipt::{ReceiptOutcome, verify};
use crate::log::statement::tests::facts;

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
    fs::remove_file(folder.path().join("checkpoint")).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().code.id, "LOG-013");

    let mut torn = head.clone();
    torn[60] ^= 1;
    fs::write(folder.path().join("checkpoint"), &torn).unwrap();
    assert!(open(folder.path()).is_err());
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
