//! Copies that are whole, cut, damaged and lied about.

use super::*;
use crate::digest::Digests;
use crate::log::note::Signer;
use crate::log::statement::tests::facts;
use crate::log::store::Log;

fn log(leaves: usize) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open_with(folder.path(), Signer::generate("h49.vn/log").unwrap()).unwrap();
    let statement = |i: usize| log.statement(&Digests::of(&i.to_be_bytes()), &facts()).unwrap();
    log.append(&(0..leaves).map(statement).collect::<Vec<_>>()).unwrap();
    (folder, log)
}

#[test]
fn a_whole_copy_verifies_and_gives_the_root_of_every_earlier_size() {
    let (folder, log) = log(600);
    let copy = LogCopy::open(folder.path(), &[log.verifier()]).unwrap();
    let sizes = [0, 1, 255, 256, 257, 511, 512, 599, 600, 601];
    let mut seen = Vec::new();
    copy.verify(&sizes, |size, root| {
        seen.push((size, root));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen.iter().map(|(size, _)| *size).collect::<Vec<_>>(), sizes[..9]);
    for (size, root) in seen {
        assert_eq!(copy.root_at(size).unwrap(), root, "{size}");
    }
    assert_eq!(copy.root_at(601).unwrap_err().code.id, "LOG-006");
}

#[test]
fn every_file_of_a_copy_counts_and_no_changed_byte_passes() {
    let (folder, log) = log(600);
    let keys = [log.verifier()];
    let mut files = Vec::new();
    let mut folders = vec![folder.path().join("tile")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert_eq!(files.len(), 2 * 3 + 1);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(&file, &changed).unwrap();
            let copy = LogCopy::open(folder.path(), &keys).unwrap();
            let fault = copy.verify(&[], |_, _| Ok(())).unwrap_err();
            assert_eq!(fault.code.id, "LOG-006", "{} byte {place}", file.display());
        }
        fs::remove_file(&file).unwrap();
        let copy = LogCopy::open(folder.path(), &keys).unwrap();
        assert!(copy.verify(&[], |_, _| Ok(())).is_err(), "{}", file.display());
        fs::write(&file, &bytes).unwrap();
    }
    LogCopy::open(folder.path(), &keys).unwrap().verify(&[], |_, _| Ok(())).unwrap();
}
