//! One suite over every ledger: what a ledger promises, and what must not happen to it. Below it, what only a file can
//! suffer: an edited journal, a crash image, two processes.

use hoso::clock::Clock;
use hoso::digest::{Blake3, Sha256};
use hoso::fault::{Class, Code, Fault, Report};
use hoso::ledger::{
    Admission, Lane, Lease, Ledger, NewParcel, NewRun, ParcelSettlement, Settlement, SqliteLedger, State,
    StepRecord,
};
use rusqlite::Connection;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LEASE: i64 = 10_000;

/// A fresh ledger, the clock it goes by, and whatever must live as long as it.
struct Bench<L> {
    ledger: L,
    clock: Arc<AtomicI64>,
    _keep: Box<dyn std::any::Any>,
}

impl<L> Bench<L> {
    fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }
}

/// Everything that a ledger must do; `make` gives an empty one with leases of [`LEASE`] ms.
async fn conforms<L: Ledger>(make: impl Fn() -> Bench<L>) {
    a_run_is_admitted_once(make()).await;
    what_was_refused_is_judged_again_when_it_is_handed_in_again(make()).await;
    desk_goes_first_and_the_longest_waiting_before_the_others(make()).await;
    runs_of_one_code_are_never_leased_at_once(make()).await;
    a_worker_that_wakes_up_does_not_take_its_dossier_back(make()).await;
    a_lost_lease_moves_nothing(make()).await;
    a_late_settle_counts_while_nobody_else_has_the_run(make()).await;
    every_settlement_leaves_the_run_where_it_says(make()).await;
    a_split_happens_once_and_whole(make()).await;
    the_last_receipt_moves_a_run_on(make()).await;
    one_parcel_of_two_runs_is_sent_once(make()).await;
    a_dead_parcel_parks_its_run(make()).await;
    a_parcel_waits_and_rests_as_told(make()).await;
    a_lost_parcel_settles_nothing(make()).await;
}

async fn a_run_is_admitted_once<L: Ledger>(b: Bench<L>) {
    let one = run("one");
    let elsewhere = NewRun { source: "copy of one".into(), ..run("one") };
    assert_eq!(
        b.ledger.admit(vec![one.clone(), run("two")]).await.unwrap(),
        [Admission::New, Admission::New]
    );
    assert_eq!(b.ledger.admit(vec![one.clone()]).await.unwrap(), [Admission::Again(State::Ready)]);
    for _ in 0..2 {
        assert_eq!(
            b.ledger.admit(vec![elsewhere.clone()]).await.unwrap(),
            [Admission::Duplicate("one".into())]
        );
    }
    // Twice in one call, too.
    assert_eq!(
        b.ledger.admit(vec![run("three"), run("three")]).await.unwrap(),
        [Admission::New, Admission::Again(State::Ready)]
    );
    assert_eq!(b.ledger.tally().await.unwrap().working, 3);
    let refused = NewRun { refused: Some(reason()), ..run("refused") };
    b.ledger.admit(vec![refused.clone()]).await.unwrap();
    assert_eq!(state(&b.ledger, &refused).await, State::Refused);
    assert_eq!(b.ledger.claim("w", 9).await.unwrap().len(), 3, "a refused run is nobody's work");
}

async fn what_was_refused_is_judged_again_when_it_is_handed_in_again<L: Ledger>(b: Bench<L>) {
    let batch = run("batch");
    let (good, bad) = (run("good"), NewRun { refused: Some(reason()), ..run("bad") });
    let children = || [good.clone(), bad.clone()].map(|c| NewRun { parent: Some(batch.id), ..c }).to_vec();
    b.ledger.admit(vec![batch.clone()]).await.unwrap();
    let lease = only(b.ledger.claim("w", 1).await.unwrap());
    let split = Settlement::Split(made("batch"), children());
    assert!(b.ledger.settle(&lease.key, "w", split).await.unwrap());
    assert_eq!(state(&b.ledger, &batch).await, State::Split);

    // The same bytes again, under a pipeline that was mended: the batch is divided anew.
    let mended = NewRun { pipeline_digest: Blake3::of(b"mended"), ..batch.clone() };
    assert_eq!(b.ledger.admit(vec![mended]).await.unwrap(), [Admission::Again(State::Ready)]);
    let claimed = b.ledger.claim("w", 9).await.unwrap();
    let again = claimed.iter().find(|l| l.key.run == batch.id).unwrap();
    assert_eq!((again.cursor, again.pipeline_digest), (batch.cursor, Blake3::of(b"mended")));
    let taken = children().into_iter().map(|c| NewRun { refused: None, ..c }).collect();
    assert!(b.ledger.settle(&again.key, "w", Settlement::Split(made("batch"), taken)).await.unwrap());
    assert_eq!(state(&b.ledger, &good).await, State::Leased, "what was on its way stays where it is");
    assert_eq!(state(&b.ledger, &bad).await, State::Ready);

    // Nothing refused is left: the batch rests. What is refused from the start stays so.
    assert_eq!(b.ledger.admit(vec![batch.clone()]).await.unwrap(), [Admission::Again(State::Split)]);
    let refused = NewRun { refused: Some(reason()), ..run("refused") };
    for _ in 0..2 {
        b.ledger.admit(vec![refused.clone()]).await.unwrap();
        assert_eq!(state(&b.ledger, &refused).await, State::Refused);
    }
}

async fn desk_goes_first_and_the_longest_waiting_before_the_others<L: Ledger>(b: Bench<L>) {
    for (name, lane) in [("box", Lane::Backfill), ("late desk", Lane::Desk), ("result", Lane::Delivery)] {
        b.pass(5);
        b.ledger.admit(vec![NewRun { lane, ..run(name) }]).await.unwrap();
    }
    b.pass(5);
    b.ledger.admit(vec![run("later desk")]).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..4 {
        order.extend(b.ledger.claim("w", 1).await.unwrap().into_iter().map(|l| l.label));
    }
    assert_eq!(order, ["late desk", "later desk", "result", "box"]);
    assert!(b.ledger.claim("w", 1).await.unwrap().is_empty());
}

async fn runs_of_one_code_are_never_leased_at_once<L: Ledger>(b: Bench<L>) {
    let coded = |name: &str| NewRun { code: Some("H40-1".into()), ..run(name) };
    b.ledger.admit(vec![coded("a"), coded("b"), coded("c"), run("other"), run("another")]).await.unwrap();
    let first = b.ledger.claim("w", 9).await.unwrap();
    assert_eq!(
        first.len() + b.ledger.claim("v", 9).await.unwrap().len(),
        3,
        "one of the code, and two others"
    );
    let held: Lease = first.into_iter().find(|l| ["a", "b", "c"].contains(&l.label.as_str())).unwrap();
    assert!(b.ledger.claim("w", 9).await.unwrap().is_empty());
    assert!(b.ledger.settle(&held.key, "w", Settlement::Parked(reason())).await.unwrap());
    assert_eq!(b.ledger.claim("w", 9).await.unwrap().len(), 1, "the next of them");
    // Two runs that find out in their steps that they are of one code.
    b.ledger.admit(vec![run("x"), run("y")]).await.unwrap();
    let both = b.ledger.claim("w", 9).await.unwrap();
    assert_eq!(both.len(), 2);
    for lease in &both {
        let learnt = StepRecord { code: Some("H40-9".into()), ..made("learnt") };
        assert!(b.ledger.settle(&lease.key, "w", Settlement::Done(learnt)).await.unwrap());
    }
    assert_eq!(b.ledger.claim("w", 9).await.unwrap().len(), 1);
}

async fn a_worker_that_wakes_up_does_not_take_its_dossier_back<L: Ledger>(b: Bench<L>) {
    let coded = |name: &str, lane| NewRun { code: Some("H40-1".into()), lane, ..run(name) };
    b.ledger.admit(vec![coded("result", Lane::Delivery)]).await.unwrap();
    let asleep = only(b.ledger.claim("asleep", 9).await.unwrap());
    b.ledger.admit(vec![coded("intake", Lane::Desk)]).await.unwrap();
    assert!(b.ledger.claim("w", 9).await.unwrap().is_empty());
    b.pass(LEASE + 1);
    let awake = only(b.ledger.claim("awake", 9).await.unwrap());
    assert_eq!(awake.label, "intake", "the silent holder's dossier is free, for one of its runs");
    // Its token was given to nobody else, but the dossier is in other hands now.
    assert!(!b.ledger.renew(&asleep.key).await.unwrap(), "two valid leases on one dossier");
    assert!(b.ledger.renew(&awake.key).await.unwrap());
    b.ledger.settle(&awake.key, "awake", Settlement::Parked(reason())).await.unwrap();
    assert!(b.ledger.renew(&asleep.key).await.unwrap(), "free again");
}

async fn a_lost_lease_moves_nothing<L: Ledger>(b: Bench<L>) {
    let one = run("one");
    b.ledger.admit(vec![one.clone()]).await.unwrap();
    let slow = only(b.ledger.claim("slow", 1).await.unwrap());
    assert_eq!((slow.attempts, slow.cursor, slow.setbacks), (1, 0, 0));
    b.pass(LEASE - 1);
    assert!(b.ledger.renew(&slow.key).await.unwrap());
    b.pass(LEASE - 1);
    assert!(b.ledger.claim("quick", 1).await.unwrap().is_empty(), "it was renewed");
    b.pass(2);
    let quick = only(b.ledger.claim("quick", 1).await.unwrap());
    assert_ne!(slow.key.token, quick.key.token);
    assert_eq!(quick.attempts, 2);
    assert!(!b.ledger.renew(&slow.key).await.unwrap());
    let child = NewRun { parent: Some(one.id), ..run("child") };
    for stale in [
        Settlement::Done(made("stale")),
        Settlement::Split(made("stale"), vec![child.clone()]),
        Settlement::Send(made("stale"), vec![parcel("stale")]),
        Settlement::Later { made: None, after_ms: 1, reason: reason() },
        Settlement::Refused(None, reason()),
        Settlement::Parked(reason()),
    ] {
        assert!(!b.ledger.settle(&slow.key, "slow", stale).await.unwrap());
    }
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    assert_eq!(state(&b.ledger, &one).await, State::Leased);
    assert!(b.ledger.settle(&quick.key, "quick", Settlement::Done(made("quick"))).await.unwrap());
    assert!(!b.ledger.settle(&quick.key, "quick", Settlement::Done(made("twice"))).await.unwrap());
    let next = only(b.ledger.claim("w", 9).await.unwrap());
    assert_eq!((next.cursor, next.record.as_slice()), (1, &b"quick"[..]));
    assert_eq!(b.ledger.admit(vec![child]).await.unwrap(), [Admission::New], "a stale split admitted nobody");
}

async fn a_late_settle_counts_while_nobody_else_has_the_run<L: Ledger>(b: Bench<L>) {
    b.ledger.admit(vec![run("one")]).await.unwrap();
    let lease = only(b.ledger.claim("w", 1).await.unwrap());
    b.pass(LEASE * 100);
    assert!(b.ledger.settle(&lease.key, "w", Settlement::Done(made("late"))).await.unwrap());
    assert_eq!(only(b.ledger.claim("w", 1).await.unwrap()).record, b"late");
}

async fn every_settlement_leaves_the_run_where_it_says<L: Ledger>(b: Bench<L>) {
    let (done, refused, half, parked, later) =
        (run("done"), run("refused"), run("half"), run("parked"), run("later"));
    let settle = async |run: &NewRun, settlement| {
        b.ledger.admit(vec![run.clone()]).await.unwrap();
        let lease = only(b.ledger.claim("w", 1).await.unwrap());
        assert_eq!(lease.key.run, run.id);
        assert!(b.ledger.settle(&lease.key, "w", settlement).await.unwrap());
    };
    settle(&done, Settlement::Done(made("1"))).await;
    let second = only(b.ledger.claim("w", 1).await.unwrap());
    assert_eq!((second.cursor, second.attempts), (1, 1));
    b.ledger.settle(&second.key, "w", Settlement::Done(made("2"))).await.unwrap();
    settle(&refused, Settlement::Refused(None, reason())).await;
    settle(&half, Settlement::Refused(Some(made("so far")), reason())).await;
    settle(&parked, Settlement::Parked(reason())).await;
    settle(&later, Settlement::Later { made: None, after_ms: 500, reason: reason() }).await;
    for (run, at) in [
        (&done, State::Done),
        (&refused, State::Refused),
        (&half, State::Refused),
        (&parked, State::Parked),
        (&later, State::Ready),
    ] {
        assert_eq!(state(&b.ledger, run).await, at, "{}", run.label);
    }
    let tally = b.ledger.tally().await.unwrap();
    assert_eq!((tally.working, tally.waiting, tally.ended), (0, 1, 4));
    assert_eq!(tally.next_due, Some(b.clock.load(Ordering::SeqCst) + 500));
    assert!(b.ledger.claim("w", 9).await.unwrap().is_empty());
    b.pass(500);
    let again = only(b.ledger.claim("w", 9).await.unwrap());
    assert_eq!((again.setbacks, again.attempts), (1, 1), "put off is not killed");
    b.ledger.settle(&again.key, "w", Settlement::Done(made("3"))).await.unwrap();
    assert_eq!(only(b.ledger.claim("w", 9).await.unwrap()).setbacks, 0);
    // Finished work is laid out once.
    let out: Vec<_> = b.ledger.unpublished().await.unwrap();
    assert_eq!(out.iter().map(|v| (v.id, v.record.as_slice())).collect::<Vec<_>>(), [(done.id, &b"2"[..])]);
    b.ledger.mark_published(done.id, State::Done).await.unwrap();
    assert!(b.ledger.unpublished().await.unwrap().is_empty());
}

async fn a_split_happens_once_and_whole<L: Ledger>(b: Bench<L>) {
    let batch = run("batch");
    let child = |name: &str| NewRun { parent: Some(batch.id), cursor: 1, ..run(name) };
    let children = || {
        let refused = NewRun { refused: Some(reason()), ..child("three") };
        vec![child("one"), child("two"), refused, NewRun { cursor: 2, ..child("nothing left") }]
    };
    // A worker that died after this very split in another life: one child is known already.
    b.ledger.admit(vec![batch.clone(), child("two")]).await.unwrap();
    let leases = b.ledger.claim("w", 9).await.unwrap();
    let lease = leases.iter().find(|l| l.key.run == batch.id).unwrap();
    assert!(b.ledger.settle(&lease.key, "w", Settlement::Split(made("split"), children())).await.unwrap());
    assert!(!b.ledger.settle(&lease.key, "w", Settlement::Split(made("split"), children())).await.unwrap());
    assert_eq!(state(&b.ledger, &batch).await, State::Split);
    let states = b.ledger.admit(children()).await.unwrap();
    assert_eq!(
        states,
        [State::Ready, State::Leased, State::Refused, State::Done].map(Admission::Again).to_vec()
    );
    assert_eq!(only(b.ledger.claim("w", 9).await.unwrap()).label, "one");
}

async fn the_last_receipt_moves_a_run_on<L: Ledger>(b: Bench<L>) {
    let (sends, nothing) = (NewRun { cursor: 1, ..run("sends") }, NewRun { cursor: 1, ..run("nothing") });
    b.ledger.admit(vec![sends.clone(), nothing.clone()]).await.unwrap();
    for lease in b.ledger.claim("w", 9).await.unwrap() {
        let parcels = if lease.label == "sends" { vec![parcel("p"), parcel("q")] } else { Vec::new() };
        b.ledger.settle(&lease.key, "w", Settlement::Send(made("sent"), parcels)).await.unwrap();
    }
    assert_eq!(state(&b.ledger, &nothing).await, State::Done, "nothing to send is sent");
    assert_eq!(state(&b.ledger, &sends).await, State::Sending);
    assert!(b.ledger.claim("w", 9).await.unwrap().is_empty());
    let leases = b.ledger.claim_parcels("w", 9).await.unwrap();
    assert_eq!(leases.iter().map(|p| p.attempts).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(b.ledger.tally().await.unwrap().sending, 2);
    assert!(b.ledger.claim_parcels("v", 9).await.unwrap().is_empty());
    for (left, lease) in leases.iter().enumerate().rev() {
        assert_eq!(state(&b.ledger, &sends).await, State::Sending, "{left} left");
        assert!(b.ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap());
        assert!(!b.ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap());
    }
    assert_eq!(state(&b.ledger, &sends).await, State::Done);
    let views = b.ledger.unpublished().await.unwrap();
    let view = views.iter().find(|v| v.id == sends.id).unwrap();
    assert!(
        view.parcels.len() == 2 && view.parcels.iter().all(|p| p.receipt == Some(Blake3::of(b"receipt")))
    );
}

async fn one_parcel_of_two_runs_is_sent_once<L: Ledger>(b: Bench<L>) {
    let runs = ["a", "b", "c"].map(|name| NewRun { cursor: 1, ..run(name) });
    b.ledger.admit(runs[..2].to_vec()).await.unwrap();
    send_all(&b.ledger, "shared").await;
    let lease = only(b.ledger.claim_parcels("w", 9).await.unwrap());
    b.ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap();
    // One that comes when it is there already.
    b.ledger.admit(runs[2..].to_vec()).await.unwrap();
    send_all(&b.ledger, "shared").await;
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    for run in &runs {
        assert_eq!(state(&b.ledger, run).await, State::Done, "{}", run.label);
    }
}

async fn a_dead_parcel_parks_its_run<L: Ledger>(b: Bench<L>) {
    let one = NewRun { cursor: 1, ..run("one") };
    b.ledger.admit(vec![one.clone()]).await.unwrap();
    let lease = only(b.ledger.claim("w", 1).await.unwrap());
    let parcels = vec![parcel("p"), parcel("q")];
    b.ledger.settle(&lease.key, "w", Settlement::Send(made("sent"), parcels)).await.unwrap();
    let leases = b.ledger.claim_parcels("w", 9).await.unwrap();
    b.ledger.settle_parcel(&leases[0].key, "w", ParcelSettlement::Dead(reason())).await.unwrap();
    assert_eq!(state(&b.ledger, &one).await, State::Sending, "the other still has its chance");
    b.ledger.settle_parcel(&leases[1].key, "w", receipted()).await.unwrap();
    assert_eq!(state(&b.ledger, &one).await, State::Parked, "given up is never done");
    // The desk hands it over on paper: it has to lie in out/ for that.
    assert_eq!(b.ledger.unpublished().await.unwrap().len(), 1);
    b.ledger.mark_published(one.id, State::Parked).await.unwrap();
    assert!(b.ledger.unpublished().await.unwrap().is_empty());
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
}

async fn a_parcel_waits_and_rests_as_told<L: Ledger>(b: Bench<L>) {
    b.ledger.admit(vec![NewRun { cursor: 1, ..run("one") }]).await.unwrap();
    send_all(&b.ledger, "p").await;
    let start = b.clock.load(Ordering::SeqCst);
    for _ in 0..3 {
        let lease = only(b.ledger.claim_parcels("w", 9).await.unwrap());
        assert_eq!(lease.attempts, 0, "a rest is no attempt");
        let due = b.clock.load(Ordering::SeqCst) + 50;
        b.ledger.settle_parcel(&lease.key, "w", ParcelSettlement::Rest { due }).await.unwrap();
        assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
        b.pass(50);
    }
    let lease = only(b.ledger.claim_parcels("w", 9).await.unwrap());
    let due = b.clock.load(Ordering::SeqCst) + 700;
    let later = ParcelSettlement::Later { due, reason: reason(), progress: None };
    assert!(b.ledger.settle_parcel(&lease.key, "w", later).await.unwrap());
    let tally = b.ledger.tally().await.unwrap();
    assert_eq!((tally.sending, tally.waiting, tally.next_due), (0, 1, Some(due)));
    b.pass(699);
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    b.pass(1);
    let lease = only(b.ledger.claim_parcels("w", 9).await.unwrap());
    assert_eq!((lease.attempts, lease.first_at), (1, start));
}

async fn a_lost_parcel_settles_nothing<L: Ledger>(b: Bench<L>) {
    let one = NewRun { cursor: 1, ..run("one") };
    b.ledger.admit(vec![one.clone()]).await.unwrap();
    send_all(&b.ledger, "p").await;
    let slow = only(b.ledger.claim_parcels("slow", 9).await.unwrap());
    b.pass(LEASE + 1);
    let quick = only(b.ledger.claim_parcels("quick", 9).await.unwrap());
    assert_eq!(quick.attempts, 1, "somebody may have sent it: ask first");
    assert!(!b.ledger.settle_parcel(&slow.key, "slow", ParcelSettlement::Dead(reason())).await.unwrap());
    assert_eq!(state(&b.ledger, &one).await, State::Sending);
    b.pass(LEASE * 9);
    assert!(
        b.ledger.settle_parcel(&quick.key, "quick", receipted()).await.unwrap(),
        "late, but still its own"
    );
    assert_eq!(state(&b.ledger, &one).await, State::Done);
}

#[tokio::test]
async fn the_embedded_ledger_conforms() {
    conforms(|| {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let ledger = open(&dir.path().join("ledger.db"), Clock::Set(Arc::clone(&clock)));
        Bench { ledger, clock, _keep: Box::new(dir) }
    })
    .await;
}

#[tokio::test]
async fn a_split_that_fails_half_way_leaves_nothing() {
    let (dir, ledger) = file_ledger();
    ledger.admit(vec![run("batch")]).await.unwrap();
    let lease = only(ledger.claim("w", 1).await.unwrap());
    let trap =
        "CREATE TRIGGER trap BEFORE INSERT ON run WHEN new.label='two' BEGIN SELECT RAISE(ABORT,'trap'); END";
    Connection::open(dir.path().join("ledger.db")).unwrap().execute_batch(trap).unwrap();
    let split = || Settlement::Split(made("split"), vec![run("one"), run("two")]);
    let others = ledger.admit(vec![run("bystander")]);
    let (failed, stood) = tokio::join!(ledger.settle(&lease.key, "w", split()), others);
    assert_eq!(failed.unwrap_err().code.id, "LEDG-001");
    assert_eq!(stood.unwrap(), [Admission::New], "another's work in the same commit stands");
    let names: Vec<String> = ledger.runs().await.unwrap().into_iter().map(|r| r.label).collect();
    assert_eq!(names, ["batch", "bystander"]);
    Connection::open(dir.path().join("ledger.db")).unwrap().execute_batch("DROP TRIGGER trap").unwrap();
    assert!(ledger.settle(&lease.key, "w", split()).await.unwrap(), "the lease is still held");
    ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn what_a_person_reopens_goes_on_and_is_asked_for_before_it_is_sent_again() {
    let (_dir, ledger) = file_ledger();
    let sends = NewRun { cursor: 1, ..run("sends") };
    ledger.admit(vec![sends.clone(), run("parked")]).await.unwrap();
    for lease in ledger.claim("w", 9).await.unwrap() {
        let settlement = match lease.label.as_str() {
            "sends" => Settlement::Send(made("sent"), vec![parcel("p")]),
            _ => Settlement::Parked(reason()),
        };
        ledger.settle(&lease.key, "w", settlement).await.unwrap();
    }
    let lease = only(ledger.claim_parcels("w", 1).await.unwrap());
    ledger.settle_parcel(&lease.key, "w", ParcelSettlement::Dead(reason())).await.unwrap();
    let all: Vec<Blake3> = ledger.runs().await.unwrap().into_iter().map(|r| r.id).collect();
    assert_eq!(ledger.reopen(all.clone()).await.unwrap(), 2);
    assert_eq!(ledger.reopen(all).await.unwrap(), 0);
    assert_eq!(only(ledger.claim("w", 9).await.unwrap()).label, "parked");
    let lease = only(ledger.claim_parcels("w", 9).await.unwrap());
    assert!(lease.attempts > 0, "it was sent before and may have arrived: the recipient must be asked first");
    ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap();
    assert_eq!(state(&ledger, &sends).await, State::Done);
    ledger.check_journal().await.unwrap();
}

/// What the portal hears of a dossier last must be what happened last, also after an outage.
/// The files are laid out while the run is sending; the receipt comes before that is noted.
#[tokio::test]
async fn a_receipt_that_comes_while_files_are_laid_out_is_laid_out_too() {
    let (_dir, ledger) = file_ledger();
    ledger.admit(vec![NewRun { cursor: 1, ..run("sending") }]).await.unwrap();
    send_all(&ledger, "p").await;
    let seen = only(ledger.unpublished().await.unwrap());
    assert_eq!(seen.state, State::Sending);
    let lease = only(ledger.claim_parcels("w", 1).await.unwrap());
    ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap();
    ledger.mark_published(seen.id, seen.state).await.unwrap();
    let again = only(ledger.unpublished().await.unwrap());
    assert_eq!(again.state, State::Done);
    ledger.mark_published(again.id, again.state).await.unwrap();
    assert!(ledger.unpublished().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_parcels_of_one_dossier_go_to_one_recipient_in_the_order_of_its_runs() {
    let (_dir, ledger) = file_ledger();
    let of_dossier = |name: &str| NewRun { code: Some("H40-1".into()), cursor: 1, ..run(name) };
    for name in ["accepted", "done"] {
        ledger.admit(vec![of_dossier(name)]).await.unwrap();
        let lease = only(ledger.claim("w", 9).await.unwrap());
        let news = NewParcel { subject: "portal H40-1".into(), ..parcel(name) };
        ledger.settle(&lease.key, "w", Settlement::Send(made("sent"), vec![news])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let accepted = only(ledger.claim_parcels("w", 9).await.unwrap());
    assert_eq!(accepted.key.id, parcel("accepted").id);
    let due = Clock::System.now_ms() + 60_000;
    let later = ParcelSettlement::Later { due, reason: reason(), progress: None };
    ledger.settle_parcel(&accepted.key, "w", later).await.unwrap();
    let early = ledger.claim_parcels("w", 9).await.unwrap();
    assert!(early.is_empty(), "`done` overtakes `accepted`, which then is the last that the portal hears");
    assert_eq!(ledger.tally().await.unwrap().sending, 0, "nobody waits for what may not go yet");
    // Its lease is long gone, and the receipt is true all the same.
    assert!(ledger.settle_parcel(&accepted.key, "w", receipted()).await.unwrap());
    assert_eq!(only(ledger.claim_parcels("w", 9).await.unwrap()).key.id, parcel("done").id);
}

/// Every way to change what was written, one at a time, on a copy of a ledger with a bit of everything in it.
#[tokio::test]
async fn a_changed_journal_is_found_out() {
    let (dir, ledger) = file_ledger();
    ledger
        .admit(vec![NewRun { steps: 3, ..run("one") }, run("two"), NewRun { cursor: 1, ..run("three") }])
        .await
        .unwrap();
    for round in 0..3 {
        for lease in ledger.claim("w", 9).await.unwrap() {
            let settlement = match (lease.label.as_str(), round) {
                ("one", _) => {
                    let label = lease.label.clone();
                    Settlement::Done(StepRecord { label, ..made(&format!("one {round}")) })
                }
                ("two", 0) => Settlement::Later { made: None, after_ms: 0, reason: reason() },
                ("two", 1) => Settlement::Later { made: None, after_ms: 0, reason: reason() },
                ("two", _) => Settlement::Parked(reason()),
                _ => Settlement::Send(made("sent"), vec![parcel("p")]),
            };
            assert!(ledger.settle(&lease.key, "w", settlement).await.unwrap());
        }
    }
    ledger.admit(vec![run("four")]).await.unwrap();
    for _ in 0..2 {
        let lease = only(ledger.claim("w", 1).await.unwrap());
        ledger
            .settle(&lease.key, "w", Settlement::Later { made: None, after_ms: 0, reason: reason() })
            .await
            .unwrap();
    }
    let lease = only(ledger.claim_parcels("w", 1).await.unwrap());
    ledger.settle_parcel(&lease.key, "w", receipted()).await.unwrap();
    let entries = ledger.check_journal().await.unwrap();
    assert_eq!(
        entries,
        4 + 4 + 4 + 3,
        "admitted, 3 steps; admitted, 2 later, parked; admitted, send, receipted, step; ..."
    );
    drop(ledger);
    let file = dir.path().join("ledger.db");
    Connection::open(&file).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let one = hex(&run("one").id);
    let two = hex(&run("two").id);
    let three = hex(&run("three").id);
    let four = hex(&run("four").id);
    let mut unseen = Vec::new();
    for (what, sql) in [
        ("a worker's name", format!("UPDATE journal SET worker='somebody' WHERE run={one} AND entry=1")),
        ("a time", format!("UPDATE journal SET at=at+1 WHERE run={one} AND entry=2")),
        ("a kind", format!("UPDATE journal SET kind='refused' WHERE run={two} AND entry=3")),
        ("what came out", format!("UPDATE journal SET output=zeroblob(32) WHERE run={one} AND entry=1")),
        ("a digest", format!("UPDATE journal SET digest=zeroblob(32) WHERE run={one} AND entry=1")),
        ("the first entry gone", format!("DELETE FROM journal WHERE run={one} AND entry=0")),
        ("an entry gone", format!("DELETE FROM journal WHERE run={one} AND entry=1")),
        ("the last step gone", format!("DELETE FROM journal WHERE run={one} AND entry=3")),
        ("the parking gone", format!("DELETE FROM journal WHERE run={two} AND entry=3")),
        ("one of two times put off gone", format!("DELETE FROM journal WHERE run={four} AND entry=2")),
        ("a receipt and the end gone", format!("DELETE FROM journal WHERE run={three} AND entry>=2")),
        ("a whole chain gone", format!("DELETE FROM journal WHERE run={two}")),
        (
            "an entry gone and the rest moved up",
            format!("DELETE FROM journal WHERE run={one} AND entry=1; UPDATE journal SET entry=entry-1 WHERE run={one} AND entry>1"),
        ),
        (
            "two entries in each other's place",
            format!(
                "UPDATE journal SET entry=99 WHERE run={one} AND entry=1; UPDATE journal SET entry=1 WHERE run={one} AND entry=2;
                 UPDATE journal SET entry=2 WHERE run={one} AND entry=99"
            ),
        ),
        ("an entry of another run", format!("UPDATE journal SET run={two}, entry=4 WHERE run={one} AND entry=3")),
        ("a record", format!("UPDATE run SET record=CAST('other' AS BLOB) WHERE id={one}")),
    ] {
        let copy = dir.path().join(format!("{what}.db"));
        std::fs::copy(&file, &copy).unwrap();
        let db = Connection::open(&copy).unwrap();
        let guarded = db.execute_batch(&sql).is_err();
        assert!(guarded || what == "a record", "{what}: the triggers let it pass");
        db.execute_batch("DROP TRIGGER journal_is_not_edited; DROP TRIGGER journal_is_not_shortened").unwrap();
        db.execute_batch(&sql).unwrap();
        drop(db);
        match open(&copy, Clock::System).check_journal().await {
            Err(fault) => assert_eq!(fault.code.id, "LEDG-003"),
            Ok(_) => unseen.push(what),
        }
    }
    assert!(unseen.is_empty(), "changed, and nobody saw it: {unseen:?}");
    open(&file, Clock::System).check_journal().await.unwrap();
}

/// The files as a power cut would leave them, again and again while work goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whatever_was_acknowledged_is_in_every_crash_image() {
    let (dir, ledger) = file_ledger();
    let ledger = Arc::new(ledger);
    let admitted: Arc<Mutex<Vec<Blake3>>> = Arc::default();
    let settled: Arc<Mutex<Vec<Blake3>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let admits = {
        let (ledger, admitted, stop) = (Arc::clone(&ledger), Arc::clone(&admitted), Arc::clone(&stop));
        tokio::spawn(async move {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let new = NewRun { steps: 1, record: vec![7; 3_000], ..run(&format!("run {number}")) };
                let id = new.id;
                ledger.admit(vec![new]).await.unwrap();
                admitted.lock().unwrap().push(id);
            }
        })
    };
    let works = {
        let (ledger, settled, stop) = (Arc::clone(&ledger), Arc::clone(&settled), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                for lease in ledger.claim("w", 4).await.unwrap() {
                    let made = StepRecord { record: vec![8; 5_000], ..made("done") };
                    assert!(ledger.settle(&lease.key, "w", Settlement::Done(made)).await.unwrap());
                    settled.lock().unwrap().push(lease.key.run);
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut seen = (0, 0);
    // Twenty, or on a slow disk as many as it takes until enough went on.
    for number in 0..400 {
        if number >= 20 && seen.1 > 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(15 + number * 7 % 60)).await;
        let (was_admitted, was_settled) = (admitted.lock().unwrap().clone(), settled.lock().unwrap().clone());
        let image = image(dir.path(), &format!("image-{number}"));
        let image = open(&image, Clock::System);
        image.check_journal().await.unwrap();
        let runs = image.runs().await.unwrap();
        let there: HashSet<Blake3> = runs.iter().map(|r| r.id).collect();
        let done: HashSet<Blake3> = runs.iter().filter(|r| r.state == State::Done).map(|r| r.id).collect();
        assert!(was_admitted.iter().all(|id| there.contains(id)), "an admitted run is not in image {number}");
        assert!(was_settled.iter().all(|id| done.contains(id)), "a settled run is not in image {number}");
        seen = (was_admitted.len(), was_settled.len());
    }
    stop.store(true, Ordering::SeqCst);
    admits.await.unwrap();
    works.await.unwrap();
    eprintln!("the last crash image with {} admitted and {} settled", seen.0, seen.1);
    assert!(seen.1 > 10, "too little went on: {seen:?}");
}

/// Two connections, as two processes have them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_share_one_file_and_no_step_is_settled_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let count = 60;
    let settled: Arc<Mutex<Vec<(Blake3, u32)>>> = Arc::default();
    let sent = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for worker in ["one", "two"] {
        // Each makes the file if it is not there: both may be first.
        let ledger = open(&path, Clock::System);
        let (settled, sent) = (Arc::clone(&settled), Arc::clone(&sent));
        tasks.push(tokio::spawn(async move {
            for number in 0..count {
                let new = NewRun { code: Some(format!("H40-{}", number / 3)), ..run(&number.to_string()) };
                ledger.admit(vec![new]).await.unwrap();
            }
            loop {
                let leases = ledger.claim(worker, 3).await.unwrap();
                let parcels = ledger.claim_parcels(worker, 3).await.unwrap();
                if leases.is_empty() && parcels.is_empty() && ledger.tally().await.unwrap().ended == count {
                    break;
                }
                for lease in leases {
                    let code = lease.label.parse::<u64>().unwrap() / 3;
                    let same = StepRecord { code: Some(format!("H40-{code}")), ..made(&lease.label) };
                    let settlement = match lease.cursor {
                        0 => Settlement::Done(same),
                        _ => Settlement::Send(same, vec![parcel(&lease.label)]),
                    };
                    assert!(ledger.settle(&lease.key, worker, settlement).await.unwrap());
                    settled.lock().unwrap().push((lease.key.run, lease.cursor));
                }
                for parcel in parcels {
                    assert!(ledger.settle_parcel(&parcel.key, worker, receipted()).await.unwrap());
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let settled = settled.lock().unwrap().clone();
    let distinct: HashSet<_> = settled.iter().collect();
    assert_eq!((settled.len(), distinct.len()), (2 * count as usize, 2 * count as usize));
    assert_eq!(sent.load(Ordering::SeqCst), count as usize);
    let ledger = open(&path, Clock::System);
    assert_eq!(ledger.check_journal().await.unwrap(), 5 * count, "admitted, step, send, receipted, step");
    assert!(ledger.runs().await.unwrap().iter().all(|r| r.state == State::Done));
}

/// The database and its write-ahead log as they lie there; a reader keeps the log from being started over meanwhile.
fn image(from: &Path, name: &str) -> PathBuf {
    let reader = Connection::open(from.join("ledger.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM run", [], |r| r.get(0)).unwrap();
    let to = from.join(format!("{name}.db"));
    std::fs::copy(from.join("ledger.db"), &to).unwrap();
    std::fs::copy(from.join("ledger.db-wal"), from.join(format!("{name}.db-wal"))).unwrap();
    to
}

fn file_ledger() -> (tempfile::TempDir, SqliteLedger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(&dir.path().join("ledger.db"), Clock::System);
    (dir, ledger)
}

fn open(path: &Path, clock: Clock) -> SqliteLedger {
    SqliteLedger::open_with_lease(path, clock, Duration::from_millis(LEASE.unsigned_abs())).unwrap()
}

fn hex(id: &Blake3) -> String {
    format!("x'{id}'")
}

async fn send_all<L: Ledger>(ledger: &L, name: &str) {
    for lease in ledger.claim("w", 9).await.unwrap() {
        assert!(
            ledger.settle(&lease.key, "w", Settlement::Send(made("sent"), vec![parcel(name)])).await.unwrap()
        );
    }
}

async fn state<L: Ledger>(ledger: &L, run: &NewRun) -> State {
    // Handed in as refused from the start, so that asking takes nothing up again.
    let asked = NewRun { refused: Some(reason()), ..run.clone() };
    match ledger.admit(vec![asked]).await.unwrap().remove(0) {
        Admission::Again(state) => state,
        other => panic!("{}: {other:?}", run.label),
    }
}

fn only<T: std::fmt::Debug>(mut list: Vec<T>) -> T {
    assert_eq!(list.len(), 1, "{list:?}");
    list.remove(0)
}

/// A run of two steps.
pub(crate) fn run(name: &str) -> NewRun {
    NewRun {
        id: Blake3::of(name.as_bytes()),
        label: name.into(),
        code: None,
        source: name.into(),
        pipeline: "test".into(),
        pipeline_digest: Blake3::of(b"test"),
        cursor: 0,
        steps: 2,
        lane: Lane::Desk,
        record: b"{}".to_vec(),
        parent: None,
        refused: None,
        readings: Vec::new(),
    }
}

pub(crate) fn made(record: &str) -> StepRecord {
    StepRecord { record: record.into(), label: record.into(), code: None, took_ms: 1, readings: Vec::new() }
}

pub(crate) fn parcel(name: &str) -> NewParcel {
    let subject = name.to_owned();
    NewParcel { id: Sha256::of(name.as_bytes()), recipient: "portal".into(), subject, body: name.into() }
}

fn receipted() -> ParcelSettlement {
    ParcelSettlement::Receipted(b"receipt".to_vec())
}

pub(crate) fn reason() -> Report {
    static SILENT: Code = Code {
        id: "TEST-001",
        class: Class::Later,
        vi: "Thử",
        en: "a test",
        remedy_vi: "Không",
        remedy_en: "none",
    };
    Fault::new(&SILENT).report()
}
