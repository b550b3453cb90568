use super::*;
use crate::seal::appearance::AppearanceFacts;
use crate::seal::key::{Algorithm, SoftKey};
use crate::seal::profile::SignatureProfile;
use crate::seal::sign::tests::paper;
use crate::seal::training::{Minted, Usage};
use crate::seal::verify::{Anchors, Integrity, verify_pdf};
use jiff::Timestamp;
use openssl::x509::X509;
use std::collections::BTreeMap;

/// A key with habits: at a pace, lost after so many signatures, noting how many it was asked for at once.
struct Moody {
    inner: SoftKey,
    pace: Pace,
    left: AtomicUsize,
    asked: Mutex<Vec<usize>>,
}

impl KeyHandle for Moody {
    fn certificate(&self) -> &X509 {
        self.inner.certificate()
    }
    fn chain(&self) -> &[X509] {
        self.inner.chain()
    }
    fn algorithm(&self) -> Algorithm {
        self.inner.algorithm()
    }
    fn sign_digests(&self, digests: &[Sha256]) -> Vec<Outcome<Vec<u8>>> {
        self.asked.lock().unwrap().push(digests.len());
        let one = |d: &Sha256| {
            let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            left.map_err(|_| Fault::new(&SIGNING).detail("lost"))?;
            crate::seal::key::sign_one(&self.inner, d)
        };
        digests.iter().map(one).collect()
    }
    fn pace(&self) -> Pace {
        self.pace
    }
    fn is_lost(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

struct Tsa {
    fails: fn(usize) -> bool,
    size: usize,
    asked: AtomicUsize,
}

impl TimestampSource for Tsa {
    fn stamp(&self, _: &Sha256) -> Outcome<Vec<u8>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        if (self.fails)(asked) {
            return Err(Fault::new(&crate::seal::timestamp::SILENT));
        }
        Ok(crate::der::octet_string(&vec![7; self.size]))
    }
}

struct Bench {
    folder: tempfile::TempDir,
    jobs: Vec<Job>,
    key: Moody,
    root: X509,
}

impl Bench {
    fn new(count: usize, pace: Pace, left: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let minted = Minted::new("ec", Usage::Sign);
        let jobs: Vec<Job> = (0..count)
            .map(|i| Job {
                input: folder.path().join(format!("{i}.pdf")),
                output: folder.path().join(format!("out-{i}.pdf")),
            })
            .collect();
        for job in &jobs {
            std::fs::write(&job.input, paper()).unwrap();
        }
        let key =
            Moody { inner: minted.soft_key(), pace, left: AtomicUsize::new(left), asked: Mutex::default() };
        Bench { folder, jobs, key, root: minted.root }
    }

    fn run(&self, tsa: Option<&dyn TimestampSource>, allow_lower: bool) -> BTreeMap<usize, Outcome<Done>> {
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let facts = AppearanceFacts::default();
        let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: None };
        let how = How { key: &self.key, order, tsa, raise: None, allow_lower, threads: 3, stamps: 2 };
        let told = Mutex::new(BTreeMap::new());
        run(&self.jobs, &how, &|index, outcome| {
            assert!(told.lock().unwrap().insert(index, outcome).is_none(), "told once");
        });
        let told = told.into_inner().unwrap();
        assert_eq!(told.len(), self.jobs.len(), "told of each");
        for (index, outcome) in &told {
            assert_eq!(self.jobs[*index].output.exists(), outcome.is_ok(), "{index}");
            assert_eq!(
                std::fs::read(&self.jobs[*index].input).unwrap(),
                paper(),
                "an original is never changed"
            );
        }
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        assert!(names.flatten().all(|e| !e.file_name().to_string_lossy().contains("partial")));
        told
    }

    fn judge(&self, index: usize) {
        let mut anchors = Anchors::default();
        anchors.add(self.root.clone());
        let report =
            verify_pdf(&std::fs::read(&self.jobs[index].output).unwrap(), &anchors, Timestamp::now());
        assert_eq!(report.signatures[0].integrity, Integrity::Intact);
    }
}

#[test]
fn every_file_is_signed_by_itself_whatever_pace_the_key_has() {
    for pace in [Pace::AnyThread, Pace::OneByOne, Pace::Together(4)] {
        let bench = Bench::new(10, pace, 1000);
        let told = bench.run(None, false);
        for (index, outcome) in &told {
            assert_eq!(outcome.as_ref().unwrap().seal.level, Level::BB);
            bench.judge(*index);
        }
        let asked = bench.key.asked.lock().unwrap();
        assert_eq!(asked.iter().sum::<usize>(), 10, "nothing is signed twice");
        if let Pace::Together(most) = pace {
            assert_eq!(*asked, [most, most, 2], "a key far away is asked three times for ten");
        }
    }
}

#[test]
fn a_file_that_cannot_be_signed_stops_no_other_and_leaves_nothing() {
    let mut bench = Bench::new(6, Pace::OneByOne, 1000);
    std::fs::write(&bench.jobs[1].input, paper()).unwrap();
    bench.jobs[1].output = bench.folder.path().join("no/such/folder.pdf");
    let told = {
        let missing = bench.folder.path().join("not-there.pdf");
        std::fs::write(&missing, paper()).unwrap();
        bench.jobs[3].input = missing;
        bench.run(None, false)
    };
    assert_eq!(told[&1].as_ref().unwrap_err().code, &UNWRITABLE);
    assert!(told[&1].as_ref().unwrap_err().place.as_ref().unwrap().contains("1.pdf"));
    assert_eq!(told.values().filter(|o| o.is_ok()).count(), 5);
}

#[test]
fn a_key_that_goes_away_fails_the_rest_at_once() {
    let bench = Bench::new(40, Pace::OneByOne, 3);
    let told = bench.run(None, false);
    assert_eq!(told.values().filter(|o| o.is_ok()).count(), 3);
    assert!(told.values().filter_map(|o| o.as_ref().err()).all(|f| f.detail.as_deref() == Some("lost")));
    assert!(bench.key.asked.lock().unwrap().len() < 40, "it is not asked for files that were not begun");
}

#[test]
fn without_its_time_stamp_a_file_is_published_only_where_that_was_allowed() {
    let tsa = || Tsa { fails: |n| n % 2 == 1, size: 100, asked: AtomicUsize::new(0) };
    let bench = Bench::new(6, Pace::AnyThread, 1000);
    let told = bench.run(Some(&tsa()), false);
    assert_eq!(told.values().filter(|o| o.is_ok()).count(), 3);
    let bench = Bench::new(6, Pace::OneByOne, 1000);
    let told = bench.run(Some(&tsa()), true);
    let levels: Vec<Level> = told.values().map(|o| o.as_ref().unwrap().seal.level).collect();
    assert_eq!(levels.iter().filter(|l| **l == Level::BB).count(), 3);
    for outcome in told.values() {
        let done = outcome.as_ref().unwrap();
        assert_eq!(done.lowered.is_some(), done.seal.level == Level::BB);
    }
}

#[test]
fn a_token_larger_than_its_room_gets_one_more_try() {
    let bench = Bench::new(3, Pace::OneByOne, 1000);
    let tsa = Tsa { fails: |_| false, size: 20_000, asked: AtomicUsize::new(0) };
    let told = bench.run(Some(&tsa), false);
    assert!(told.values().all(|o| o.as_ref().unwrap().seal.level == Level::BT));
    assert_eq!(tsa.asked.load(Ordering::SeqCst), 6);
    bench.judge(0);
}
