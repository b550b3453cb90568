//! Judges the log with `tlog_tiles` and `signed_note`: proofs of every leaf of every tree up to a size and of every pair of
//! trees, made by our own `src/log/tree.rs`, which must take them as well; then a real log folder with its receipts and
//! consistency proofs.
//!
//!   hoso-tlog proofs 1000
//!   hoso-tlog folder LOG KEY-FILE RECEIPT...
//!   hoso-tlog growth < lines of `hoso log consistency --json`, each with "old_root" and "new_root" added

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, StandardVerifier, VerifierList};
use std::io::BufRead as _;
use tlog_tiles::{Checkpoint, Hash};

mod fault {
    pub type Outcome<T> = Result<T, String>;
}
#[path = "../../../src/log/tree.rs"]
mod tree;

/// All subtrees of a power of two of leaves, level by level.
struct Leaves(Vec<Vec<tree::Hash>>);

impl tree::Subtrees for Leaves {
    fn subtree(&self, level: u8, index: u64) -> fault::Outcome<tree::Hash> {
        self.0.get(level as usize).and_then(|l| l.get(index as usize)).copied().ok_or("no such subtree".into())
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("proofs") => proofs(args[1].parse().expect("a number")),
        Some("folder") => folder(&args[1], &args[2], &args[3..]),
        Some("growth") => growth(),
        _ => panic!("proofs N | folder LOG KEY RECEIPT... | growth"),
    }
}

fn proofs(most: u64) {
    let records: Vec<Vec<u8>> = (0..most).map(|i| i.to_be_bytes().to_vec()).collect();
    let mut levels = vec![records.iter().map(|r| tree::leaf_hash(r)).collect::<Vec<_>>()];
    while levels.last().unwrap().len() > 1 {
        let next = levels.last().unwrap().as_chunks::<2>().0.iter().map(|[l, r]| tree::node_hash(l, r)).collect();
        levels.push(next);
    }
    let leaves = Leaves(levels);
    let roots: Vec<Hash> = (0..=most).map(|n| Hash(tree::root(&leaves, n).unwrap())).collect();
    let (mut paths, mut pairs) = (0u64, 0u64);
    for size in 1..=most {
        for index in 0..size {
            let path = tree::inclusion_proof(&leaves, index, size).unwrap();
            let leaf = tree::leaf_hash(&records[index as usize]);
            assert_eq!(tree::root_of_inclusion(&leaf, index, size, &path), Some(roots[size as usize].0));
            let path: Vec<Hash> = path.into_iter().map(Hash).collect();
            let record = tlog_tiles::record_hash(&records[index as usize]);
            tlog_tiles::check_record(&path, size, roots[size as usize], index, record)
                .unwrap_or_else(|e| panic!("leaf {index} of {size}: {e:?}"));
            if size > 1 {
                let other = tlog_tiles::record_hash(&records[((index + 1) % size) as usize]);
                assert!(tlog_tiles::check_record(&path, size, roots[size as usize], index, other).is_err());
            }
            paths += 1;
        }
        for old in 1..=size {
            let path = tree::consistency_proof(&leaves, old, size).unwrap();
            assert!(tree::is_consistent(old, size, &roots[old as usize].0, &roots[size as usize].0, &path));
            let path: Vec<Hash> = path.into_iter().map(Hash).collect();
            tlog_tiles::check_tree(&path, size, roots[size as usize], old, roots[old as usize])
                .unwrap_or_else(|e| panic!("{old} to {size}: {e:?}"));
            pairs += 1;
        }
    }
    println!("tlog_tiles: {paths} inclusion proofs and {pairs} consistency proofs of trees up to {most} leaves hold");
}

fn signed(note: &str, key: &str) -> Checkpoint {
    let verifier = StandardVerifier::new(key.trim()).expect("a verifier key");
    let note = Note::from_bytes(note.as_bytes()).expect("a note");
    let (good, _) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("a good signature");
    assert_eq!(good.len(), 1, "signatures of the log");
    Checkpoint::from_bytes(note.text()).expect("a checkpoint")
}

fn folder(log: &str, key: &str, receipts: &[String]) {
    let key = std::fs::read_to_string(key).expect("a key file");
    let read = |name: &str| std::fs::read_to_string(format!("{log}/{name}")).expect("a file");
    let head = signed(&read("checkpoint"), &key);
    for receipt in receipts {
        let text = std::fs::read_to_string(receipt).expect("a receipt");
        let (proof, note) = text.split_once("\n\n").expect("an empty line");
        let head = signed(note, &key);
        let mut lines = proof.lines();
        assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
        let extra = STANDARD.decode(lines.next().unwrap().strip_prefix("extra ").unwrap()).unwrap();
        let index: u64 = lines.next().unwrap().strip_prefix("index ").unwrap().parse().unwrap();
        let path: Vec<Hash> = lines.map(|l| Hash(STANDARD.decode(l).unwrap().try_into().unwrap())).collect();
        // A log without an authority lays the statement there as it is.
        let record = tlog_tiles::record_hash(&openssl::sha::sha256(&extra));
        tlog_tiles::check_record(&path, head.size(), *head.hash(), index, record)
            .unwrap_or_else(|e| panic!("{receipt}: {e:?}"));
    }
    println!("signed_note, tlog_tiles: a log of {} leaves and {} receipts hold", head.size(), receipts.len());
}

fn growth() {
    let mut count = 0;
    for line in std::io::stdin().lock().lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let hash = |text: &serde_json::Value| Hash(STANDARD.decode(text.as_str().unwrap()).unwrap().try_into().unwrap());
        let (old, new) = (line["from"].as_u64().unwrap(), line["to"].as_u64().unwrap());
        let proof: Vec<Hash> = line["proof"].as_array().unwrap().iter().map(hash).collect();
        tlog_tiles::check_tree(&proof, new, hash(&line["new_root"]), old, hash(&line["old_root"]))
            .unwrap_or_else(|e| panic!("{old} to {new}: {e:?}"));
        count += 1;
    }
    println!("tlog_tiles: {count} consistency proofs between kept checkpoints hold");
}
