//! The engine over work that panics, dawdles, is put off, and over workers that die.

use crate::ledger::{made, parcel, run};
use hoso::clock::Clock;
use hoso::engine::{Engine, Made, Until, Work};
use hoso::fault::{Class, Code, Fault, Outcome};
use hoso::ledger::{
    Lane, Lease, Ledger, NewRun, ParcelLease, ParcelSettlement, RunView, SqliteLedger, State,
};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Work by a rule; it counts what it does.
struct Fake<F> {
    step: F,
    did: Arc<Did>,
}

#[derive(Default)]
struct Did {
    steps: Mutex<HashMap<(String, u32), usize>>,
    sent: Mutex<HashMap<String, usize>>,
    /// How many steps were done when a run was laid out.
    published: Mutex<HashMap<String, usize>>,
}

impl<F: Fn(&Lease, usize) -> Outcome<Made> + Send + Sync + 'static> Work for Fake<F> {
    fn step(&self, lease: &Lease) -> Outcome<Made> {
        let before = count(&self.did.steps, (lease.key.run.to_string(), lease.cursor));
        (self.step)(lease, before)
    }

    async fn send(&self, parcel: &ParcelLease) -> ParcelSettlement {
        count(&self.did.sent, String::from_utf8(parcel.body.clone()).unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
        ParcelSettlement::Receipted(b"receipt".to_vec())
    }

    fn publish(&self, run: &RunView) -> Outcome<()> {
        let steps = self.did.steps.lock().unwrap().values().sum();
        self.did.published.lock().unwrap().entry(run.source.clone()).or_insert(steps);
        Ok(())
    }
}

fn count<K: std::hash::Hash + Eq>(counts: &Mutex<HashMap<K, usize>>, key: K) -> usize {
    let mut counts = counts.lock().unwrap();
    let count = counts.entry(key).or_default();
    *count += 1;
    *count - 1
}

fn engine<F>(
    ledger: &Arc<SqliteLedger>,
    permits: usize,
    stop: &CancellationToken,
    step: F,
) -> (Engine<SqliteLedger, Fake<F>>, Arc<Did>)
where
    F: Fn(&Lease, usize) -> Outcome<Made> + Send + Sync + 'static,
{
    let did: Arc<Did> = Arc::default();
    let work = Arc::new(Fake { step, did: Arc::clone(&did) });
    (Engine::new(Arc::clone(ledger), work, Arc::new(Semaphore::new(permits)), stop.clone()), did)
}

fn ledger(dir: &Path, lease: Duration) -> Arc<SqliteLedger> {
    Arc::new(SqliteLedger::open_with_lease(&dir.join("ledger.db"), Clock::System, lease).unwrap())
}

/// The name of the run, which `made` keeps as its label.
fn next(lease: &Lease) -> Outcome<Made> {
    Ok(Made::Next(made(&lease.label)))
}

fn fault(class: Class) -> Fault {
    static CODES: [Code; 5] =
        [code(Class::Input), code(Class::Setup), code(Class::Later), code(Class::Person), code(Class::Inner)];
    Fault::new(CODES.iter().find(|c| c.class == class).unwrap())
}

const fn code(class: Class) -> Code {
    Code { id: "TEST-002", class, vi: "Thử", en: "a test", remedy_vi: "Không", remedy_en: "none" }
}

async fn states(ledger: &SqliteLedger) -> HashMap<String, (State, Option<String>)> {
    ledger
        .runs()
        .await
        .unwrap()
        .into_iter()
        .map(|r| (r.source, (r.state, r.reason.map(|r| r.code))))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_or_panics_stops_its_own_dossier_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), Duration::from_secs(60));
    let names = ["fine 1", "panics", "refused", "setup", "person", "fine 2", "inner"];
    ledger.admit(names.map(run).to_vec()).await.unwrap();
    let (engine, did) =
        engine(&ledger, 2, &CancellationToken::new(), |lease, _| match lease.label.as_str() {
            "panics" => panic!("on purpose"),
            "refused" => Err(fault(Class::Input)),
            "setup" => Err(fault(Class::Setup)),
            "person" => Err(fault(Class::Person)),
            "inner" => Err(fault(Class::Inner)),
            _ => next(lease),
        });
    let tally = engine.run(Until::Idle(Duration::ZERO)).await.unwrap();
    assert_eq!((tally.ended, tally.working, tally.waiting), (7, 0, 0));
    let states = states(&ledger).await;
    let at = |name: &str| (states[name].0, states[name].1.as_deref());
    assert_eq!(at("fine 1"), (State::Done, None));
    assert_eq!(at("fine 2"), (State::Done, None));
    assert_eq!(at("panics"), (State::Parked, Some("ENGN-001")));
    assert_eq!(at("refused"), (State::Refused, Some("TEST-002")));
    for parked in ["setup", "person", "inner"] {
        assert_eq!(at(parked), (State::Parked, Some("TEST-002")), "{parked}");
    }
    assert_eq!(did.published.lock().unwrap().len(), 2, "only what is done is laid out");
    assert!(did.steps.lock().unwrap().values().all(|n| *n == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_put_off_is_tried_again_and_said_aloud() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), Duration::from_secs(60));
    ledger.admit(vec![run("put off"), run("fine")]).await.unwrap();
    let rule = |lease: &Lease, _: usize| match lease.label.as_str() {
        "put off" if lease.cursor == 1 => Err(fault(Class::Later)),
        _ => next(lease),
    };
    let (hasty, _) = engine(&ledger, 2, &CancellationToken::new(), rule);
    let (tell, mut told) = mpsc::unbounded_channel();
    let started = Instant::now();
    let tally = hasty.telling(tell).run(Until::Idle(Duration::ZERO)).await.unwrap();
    assert_eq!((tally.waiting, tally.ended), (1, 1), "no patience: it is left for the next command");
    assert_eq!(told.recv().await.unwrap().label, "put off");
    let (patient, did) = engine(&ledger, 2, &CancellationToken::new(), |lease, _| next(lease));
    patient.run(Until::Idle(Duration::from_secs(5))).await.unwrap();
    assert_eq!(states(&ledger).await["put off"].0, State::Done);
    assert!(started.elapsed() > Duration::from_millis(300), "it waited for its time");
    assert_eq!(did.steps.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dossier_that_takes_five_workers_down_is_parked_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let quick = ledger(dir.path(), Duration::from_millis(5));
    quick.admit(vec![run("deadly")]).await.unwrap();
    for _ in 0..5 {
        assert_eq!(quick.claim("a worker that dies", 1).await.unwrap().len(), 1);
        tokio::time::sleep(Duration::from_millis(12)).await;
    }
    quick.admit(vec![run("fine")]).await.unwrap();
    let ledger = ledger(dir.path(), Duration::from_secs(60));
    let (engine, did) = engine(&ledger, 1, &CancellationToken::new(), |lease, _| next(lease));
    engine.run(Until::Idle(Duration::ZERO)).await.unwrap();
    let states = states(&ledger).await;
    assert_eq!(states["deadly"], (State::Parked, Some("ENGN-002".into())));
    assert_eq!(states["fine"].0, State::Done);
    assert!(did.steps.lock().unwrap().keys().all(|(id, _)| *id == run("fine").id.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_is_clean_and_another_engine_finishes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), Duration::from_secs(60));
    let runs: Vec<NewRun> = (0..30).map(|n| run(&format!("run {n}"))).collect();
    ledger.admit(runs).await.unwrap();
    let stop = CancellationToken::new();
    let (steps, stopping) = (Arc::new(AtomicUsize::new(0)), stop.clone());
    let slow = move |lease: &Lease, _: usize| {
        if steps.fetch_add(1, Ordering::SeqCst) == 8 {
            stopping.cancel();
        }
        std::thread::sleep(Duration::from_millis(60));
        match lease.cursor {
            0 => next(lease),
            _ => Ok(Made::Send(made(&lease.label), vec![parcel(&lease.label)])),
        }
    };
    let (first, did_first) = engine(&ledger, 2, &stop, slow.clone());
    let tally = first.run(Until::Stopped).await.unwrap();
    assert!(tally.ended < 30, "the steps that ran were waited for, no more");
    assert!(
        ledger.runs().await.unwrap().iter().all(|r| r.state != State::Leased),
        "nothing is left in dead hands"
    );
    let (second, did_second) = engine(&ledger, 2, &CancellationToken::new(), slow);
    let tally = second.run(Until::Idle(Duration::from_secs(1))).await.unwrap();
    assert_eq!((tally.ended, tally.working + tally.waiting + tally.sending), (30, 0));
    assert!(states(&ledger).await.values().all(|(state, _)| *state == State::Done));
    every_effect_once(&[did_first, did_second], 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_engines_on_one_file_do_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) =
        (ledger(dir.path(), Duration::from_secs(60)), ledger(dir.path(), Duration::from_secs(60)));
    let runs: Vec<NewRun> = (0..30)
        .map(|n| NewRun { code: Some(format!("H40-{}", n % 7)), ..run(&format!("run {n}")) })
        .collect();
    one.admit(runs).await.unwrap();
    let at_once: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let rule = {
        let at_once = Arc::clone(&at_once);
        move |lease: &Lease, _: usize| {
            let number: usize = lease.label.trim_start_matches("run ").parse().unwrap();
            let code = format!("H40-{}", number % 7);
            assert_eq!(count(&at_once, code.clone()), 0, "two runs of one code at a time");
            std::thread::sleep(Duration::from_millis(3));
            *at_once.lock().unwrap().get_mut(&code).unwrap() -= 1;
            let made = hoso::ledger::StepRecord { code: Some(code), ..made(&lease.label) };
            Ok(if lease.cursor == 0 {
                Made::Next(made)
            } else {
                Made::Send(made, vec![parcel(&lease.label)])
            })
        }
    };
    let stop = CancellationToken::new();
    let (first, did_first) = engine(&one, 2, &stop, rule.clone());
    let (second, did_second) = engine(&two, 2, &stop, rule);
    let patience = Until::Idle(Duration::from_secs(1));
    let (a, b) = tokio::join!(tokio::spawn(first.run(patience)), tokio::spawn(second.run(patience)));
    a.unwrap().unwrap();
    assert_eq!(b.unwrap().unwrap().ended, 30);
    let states = states(&one).await;
    assert!(states.values().all(|(state, _)| *state == State::Done), "{states:?}");
    every_effect_once(&[did_first, did_second], 30);
    one.check_journal().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_step_longer_than_its_lease_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    // Long enough that a busy machine does not take the renewal for a death.
    let lease = Duration::from_secs(6);
    let (one, two) = (ledger(dir.path(), lease), ledger(dir.path(), lease));
    one.admit(vec![run("long")]).await.unwrap();
    let rule = |lease: &Lease, _: usize| {
        std::thread::sleep(Duration::from_secs(8));
        next(lease)
    };
    let (first, did_first) = engine(&one, 1, &CancellationToken::new(), rule);
    let (second, did_second) = engine(&two, 1, &CancellationToken::new(), rule);
    let patience = Until::Idle(Duration::ZERO);
    let (a, b) = tokio::join!(tokio::spawn(first.run(patience)), tokio::spawn(second.run(patience)));
    assert_eq!((a.unwrap().unwrap().ended, b.unwrap().unwrap().ended), (1, 1));
    let steps: usize =
        [did_first, did_second].iter().map(|d| d.steps.lock().unwrap().values().sum::<usize>()).sum();
    assert_eq!(steps, 2, "two steps, each run once");
}

/// A clerk's files must not wait for the end of a box of old paper.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_done_is_laid_out_while_others_are_still_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), Duration::from_secs(60));
    let mut runs: Vec<NewRun> =
        (0..20).map(|n| NewRun { lane: Lane::Backfill, ..run(&format!("box {n}")) }).collect();
    runs.push(run("desk"));
    ledger.admit(runs).await.unwrap();
    let (engine, did) = engine(&ledger, 2, &CancellationToken::new(), |lease, _| {
        std::thread::sleep(Duration::from_millis(if lease.label == "desk" { 1 } else { 40 }));
        next(lease)
    });
    engine.run(Until::Idle(Duration::ZERO)).await.unwrap();
    let all: usize = did.steps.lock().unwrap().values().sum();
    let desk = did.published.lock().unwrap()["desk"];
    assert!(desk < all / 2, "laid out after {desk} of {all} steps");
}

fn every_effect_once(did: &[Arc<Did>], runs: usize) {
    let mut steps: HashMap<(String, u32), usize> = HashMap::new();
    let mut sent: HashMap<String, usize> = HashMap::new();
    for did in did {
        for (key, n) in did.steps.lock().unwrap().iter() {
            *steps.entry(key.clone()).or_default() += n;
        }
        for (key, n) in did.sent.lock().unwrap().iter() {
            *sent.entry(key.clone()).or_default() += n;
        }
    }
    assert_eq!((steps.len(), sent.len()), (2 * runs, runs));
    assert!(steps.values().all(|n| *n == 1), "a step ran twice: {steps:?}");
    assert!(sent.values().all(|n| *n == 1), "a parcel went twice: {sent:?}");
}
