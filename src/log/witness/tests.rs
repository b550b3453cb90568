//! A witness that forgets nothing and vouches for one history only.

use super::*;
use crate::digest::Digests;
use crate::log::statement::tests::facts;
use crate::log::store::Log;

struct Pair {
    folder: tempfile::TempDir,
    log: Log,
    key: Signer,
}

fn pair() -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open_with(&folder.path().join("log"), Signer::generate("h49.vn/log").unwrap()).unwrap();
    Pair { folder, log, key: Signer::generate("tinh.vn/nhan-chung").unwrap() }
}

impl Pair {
    fn witness(&self) -> Witness {
        let signer = Signer::from_pem("tinh.vn/nhan-chung", &self.key.to_pem().unwrap()).unwrap();
        Witness::open(&self.folder.path().join("witness"), signer, vec![self.log.verifier()]).unwrap()
    }

    fn grow(&self, i: usize) {
        self.log.append_document(&Digests::of(&i.to_be_bytes()), &facts()).unwrap();
    }

    fn request(&self, old: u64) -> Request {
        let proof = self.log.prove_growth(old).unwrap();
        Request { old, proof, note: self.log.checkpoint().unwrap() }
    }
}

#[test]
fn a_growing_log_is_vouched_for_step_by_step_and_over_restarts() {
    let pair = pair();
    let mut old = 0;
    for i in 0..12 {
        pair.grow(2 * i);
        pair.grow(2 * i + 1);
        let request = pair.request(old);
        let text = request.to_text();
        assert_eq!(Request::parse(&text).as_ref(), Some(&request));
        let Answer::Cosigned(lines) = pair.witness().add_checkpoint(&text, 7 + i as u64).unwrap() else {
            panic!("at {i}")
        };
        let note = Note::parse(&format!("{}{lines}", request.note)).unwrap();
        assert_eq!(note.cosigned_at(&pair.key.witness()), Some(7 + i as u64));
        assert_eq!(note.signed_by(&pair.key.verifier()), Signed::UnknownKey);
        old = pair.log.size();
        // Again with the old size: it says where it is. Again with the new one: it vouches once more.
        if i > 0 {
            assert_eq!(pair.witness().add_checkpoint(&text, 9).unwrap(), Answer::Conflict(old));
        }
        let again = pair.request(old).to_text();
        assert!(matches!(pair.witness().add_checkpoint(&again, 9).unwrap(), Answer::Cosigned(_)));
    }
}

#[test]
fn every_bad_request_gets_its_own_answer_and_moves_nothing() {
    let pair = pair();
    (0..9).for_each(|i| pair.grow(i));
    let witness = pair.witness();
    let good = pair.request(0);
    let stranger = Signer::generate("h49.vn/log").unwrap();
    let other = Signer::generate("other.vn/log").unwrap();
    let head = Checkpoint::parse(Note::parse(&good.note).unwrap().text()).unwrap();
    let signed = |signer: &Signer, head: &Checkpoint| signer.sign(&head.text()).unwrap();
    for (request, answer) in [
        (
            Request {
                note: signed(&other, &Checkpoint { origin: "other.vn/log".into(), ..head.clone() }),
                ..good.clone()
            },
            Answer::UnknownLog,
        ),
        (Request { note: signed(&stranger, &head), ..good.clone() }, Answer::NotSigned),
        (Request { old: 10, ..good.clone() }, Answer::Malformed),
        (Request { old: 4, ..good.clone() }, Answer::Conflict(0)),
        (Request { proof: vec![[1; 32]], ..good.clone() }, Answer::NotConsistent),
        (Request { proof: vec![[1; 32]; 64], ..good.clone() }, Answer::Malformed),
        (Request { note: good.note.replace("\n9\n", "\n09\n"), ..good.clone() }, Answer::Malformed),
    ] {
        assert_eq!(witness.add_checkpoint(&request.to_text(), 1).unwrap(), answer);
    }
    for bad in ["", "old 0", "old 0\n\n", "old 00\n\nx", "new 0\n\nx"] {
        assert_eq!(witness.add_checkpoint(bad, 1).unwrap(), Answer::Malformed, "{bad:?}");
    }
    assert!(matches!(witness.add_checkpoint(&good.to_text(), 1).unwrap(), Answer::Cosigned(_)));
}

#[test]
fn a_second_history_is_never_vouched_for() {
    // The same key over other leaves: the log's keeper lies.
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::generate("h49.vn/log").unwrap();
    let copy = Signer::from_pem("h49.vn/log", &signer.to_pem().unwrap()).unwrap();
    let (one, two) = (folder.path().join("1"), folder.path().join("2"));
    let (one, two) = (Log::open_with(&one, signer).unwrap(), Log::open_with(&two, copy).unwrap());
    for i in 0..9usize {
        one.append_document(&Digests::of(&i.to_be_bytes()), &facts()).unwrap();
        two.append_document(&Digests::of(&(i + 1).to_be_bytes()), &facts()).unwrap();
    }
    let key = Signer::generate("tinh.vn/nhan-chung").unwrap();
    let witness = Witness::open(&folder.path().join("w"), key, vec![one.verifier()]).unwrap();
    let ask = |log: &Log, old: u64| {
        let proof = log.prove_growth(old).unwrap();
        let request = Request { old, proof, note: log.checkpoint().unwrap() };
        witness.add_checkpoint(&request.to_text(), 1).unwrap()
    };
    assert!(matches!(ask(&one, 0), Answer::Cosigned(_)));
    assert_eq!(ask(&two, 9), Answer::Conflict(9));
    two.append_document(&Digests::of(b"more"), &facts()).unwrap();
    assert_eq!(ask(&two, 9), Answer::NotConsistent);
    assert_eq!(ask(&two, 0), Answer::Conflict(9));
}

#[test]
fn a_damaged_memory_vouches_for_nothing() {
    let pair = pair();
    pair.grow(1);
    pair.witness().add_checkpoint(&pair.request(0).to_text(), 1).unwrap();
    let own = fs::read_dir(pair.folder.path().join("witness")).unwrap().next().unwrap().unwrap().path();
    let history = own.join("history");
    let mut bytes = fs::read(&history).unwrap();
    bytes[5] ^= 1;
    fs::write(&history, bytes).unwrap();
    pair.grow(2);
    let fault = pair.witness().add_checkpoint(&pair.request(1).to_text(), 1).unwrap_err();
    assert_eq!(fault.code.id, "LOG-025");
}
