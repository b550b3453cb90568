//! Deliveries in people's hands: queued once, retried, sent on their way again, ended; held for want of consent. On a ledger
//! with a clock of its own where it is about who comes first, through the program and its stand-ins where it is about what
//! arrives.

use crate::playground::{Playground, samples};
use hoso::clock::Clock;
use hoso::deliver::push::RecipientHandle;
use hoso::digest::{Blake3, Digests, Sha256};
use hoso::fault::{Class, Code, Fault, Outcome};
use hoso::ledger::delivery::{Delivery, DeliveryState, NewConsent, Owner, Which};
use hoso::ledger::{
    Lane, Ledger, NewParcel, NewRun, ParcelLease, ParcelSettlement, Settlement, SqliteLedger, State,
    StepRecord,
};
use hoso::steps::deliver::{Body, Parcel};
use std::fs;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const HOLDER: &str = "62d05b72798b5305c85a5d0b27af45f3ee2dc2a2a1643ce4cb66fb420aac940a";
const WHO: &str = "operator thu@quay-1";
const LEASE: i64 = 10_000;

// ---- on a ledger ----

struct Bench {
    ledger: SqliteLedger,
    clock: Arc<AtomicI64>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let ledger = open(&dir, &clock);
        Bench { ledger, clock, dir }
    }

    /// Another process at the same ledger.
    fn beside(&self) -> SqliteLedger {
        open(&self.dir, &self.clock)
    }

    fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// One parcel by hand; its id in full.
    async fn post(&self, what: &str, purpose: Option<&str>) -> String {
        self.ledger.post_by_hand(parcel(what, purpose), WHO).await.unwrap().0.id.to_string()
    }

    async fn claim(&self) -> ParcelLease {
        let mut leases = self.ledger.claim_parcels("w", 9).await.unwrap();
        assert_eq!(leases.len(), 1);
        leases.remove(0)
    }

    async fn settle(&self, lease: &ParcelLease, outcome: ParcelSettlement) -> bool {
        self.ledger.settle_parcel(&lease.key, "w", outcome).await.unwrap()
    }

    async fn look(&self, id: &str) -> Delivery {
        self.ledger.delivery(id).await.unwrap().0
    }

    /// The key that travels with it.
    async fn key(&self, id: &str) -> Option<serde_json::Value> {
        match serde_json::from_slice(&self.look(id).await.body).unwrap() {
            Body::Push { key, .. } => key,
            Body::Portal(_) => None,
        }
    }

    /// What was done to it by hand.
    async fn acts(&self, id: &str) -> Vec<String> {
        self.ledger.delivery(id).await.unwrap().1.into_iter().map(|act| act.kind).collect()
    }

    /// A run whose last step sent these.
    async fn sending(&self, name: &str, parcels: Vec<NewParcel>) -> NewRun {
        let run = NewRun {
            id: Blake3::of(name.as_bytes()),
            label: name.into(),
            code: Some(name.into()),
            source: name.into(),
            pipeline: "p".into(),
            pipeline_digest: Blake3::of(b"p"),
            cursor: 0,
            steps: 1,
            lane: Lane::Desk,
            record: b"{}".to_vec(),
            parent: None,
            refused: None,
            readings: Vec::new(),
        };
        self.ledger.admit(vec![run.clone()]).await.unwrap();
        let lease = self.ledger.claim("w", 1).await.unwrap().remove(0);
        let made = StepRecord {
            record: b"{\"sent\":true}".to_vec(),
            label: name.into(),
            code: Some(name.into()),
            took_ms: 1,
            readings: Vec::new(),
        };
        assert!(self.ledger.settle(&lease.key, "w", Settlement::Send(made, parcels)).await.unwrap());
        run
    }

    async fn state(&self, run: &NewRun) -> State {
        self.ledger.runs().await.unwrap().into_iter().find(|r| r.id == run.id).unwrap().state
    }

    async fn give(&self, key: Option<&str>) -> hoso::ledger::delivery::Given {
        self.ledger.give_consent(consent("wallet", key), WHO).await.unwrap()
    }

    async fn withdraw(&self) -> Outcome<hoso::ledger::delivery::Withdrawn> {
        self.ledger.withdraw_consent(HOLDER, "wallet", None, WHO).await
    }
}

fn open(dir: &tempfile::TempDir, clock: &Arc<AtomicI64>) -> SqliteLedger {
    let lease = Duration::from_millis(LEASE.unsigned_abs());
    SqliteLedger::open_with_lease(&dir.path().join("ledger.db"), Clock::Set(Arc::clone(clock)), lease)
        .unwrap()
}

fn parcel(what: &str, purpose: Option<&str>) -> NewParcel {
    let handle = RecipientHandle::parse(HOLDER).unwrap();
    let document = Digests::of(what.as_bytes());
    let parcel = Parcel::push("wallet", &handle, document, 1, purpose.map(str::to_owned));
    NewParcel {
        id: parcel.id,
        recipient: parcel.recipient.clone(),
        subject: parcel.subject.clone(),
        body: parcel.to_json(),
    }
}

fn consent(recipient: &str, key: Option<&str>) -> NewConsent {
    NewConsent {
        holder: HOLDER.into(),
        purpose: "results".into(),
        recipient: recipient.into(),
        channel: "desk".into(),
        evidence: None,
        key: key.map(str::to_owned),
    }
}

const SILENT: Code = Code {
    id: "TEST-001",
    class: Class::Later,
    vi: "im lặng",
    en: "silent",
    remedy_vi: "chờ",
    remedy_en: "wait",
};

fn later(due: i64) -> ParcelSettlement {
    ParcelSettlement::Later { due, reason: Fault::new(&SILENT).report(), progress: None }
}

fn dead() -> ParcelSettlement {
    ParcelSettlement::Dead(Fault::new(&SILENT).report())
}

fn receipted() -> ParcelSettlement {
    ParcelSettlement::Receipted(b"receipt".to_vec())
}

fn code_of<T: std::fmt::Debug>(outcome: Outcome<T>) -> &'static str {
    outcome.unwrap_err().code.id
}

#[tokio::test]
async fn the_same_document_again_is_the_same_delivery_in_its_present_state() {
    let b = Bench::new();
    let (first, new) = b.ledger.post_by_hand(parcel("a", None), WHO).await.unwrap();
    assert!(new && first.state == DeliveryState::Pending && first.runs.is_empty());
    let lease = b.claim().await;
    assert!(b.settle(&lease, receipted()).await);
    let (again, new) = b.beside().post_by_hand(parcel("a", None), WHO).await.unwrap();
    assert!(!new && again.id == first.id && again.state == DeliveryState::Receipted);
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    assert_eq!(b.acts(&first.id.to_string()).await, ["queued"]);
}

#[tokio::test]
async fn a_delivery_is_found_by_the_beginning_of_its_id_if_no_other_begins_so() {
    let b = Bench::new();
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(b.post(&n.to_string(), None).await);
    }
    for id in &ids {
        assert_eq!(b.look(&id[..12]).await.id.to_string(), *id);
        assert_eq!(b.look(&id[..13].to_uppercase()).await.id.to_string(), *id);
    }
    assert_eq!(code_of(b.ledger.delivery(&format!("{}0", ids[0])).await), "SEND-122");
    let twin = |last: u8| {
        let mut id = [7; 32];
        id[31] = last;
        NewParcel { id: Sha256(id), ..parcel("twin", None) }
    };
    for last in [1, 2] {
        b.ledger.post_by_hand(twin(last), WHO).await.unwrap();
    }
    assert_eq!(
        code_of(b.ledger.cancel("0707", "?", WHO).await),
        "SEND-123",
        "nobody knows which one is meant"
    );
    for wrong in ["", "abc", "zzzz", "0000000000", "đđđđ", "%%%%"] {
        assert_eq!(code_of(b.ledger.delivery(wrong).await), "SEND-122", "{wrong}");
    }
    assert_eq!(b.ledger.deliveries(Which::default()).await.unwrap().len(), 42);
}

#[tokio::test]
async fn retry_makes_what_waits_due_now_and_refuses_the_rest_by_name() {
    let b = Bench::new();
    let id = b.post("a", None).await;
    let lease = b.claim().await;
    assert_eq!(code_of(b.ledger.retry(&id, WHO).await), "SEND-125", "a courier has it");
    b.settle(&lease, later(9_000_000)).await;
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    let due = b.ledger.retry(&id, WHO).await.unwrap();
    assert_eq!((due.due, due.attempts, due.owner()), (1_000_000, 1, Owner::Machine));
    let lease = b.claim().await;
    assert_eq!(lease.attempts, 1, "the recipient is asked first");
    b.settle(&lease, later(9_000_000)).await;
    assert_eq!(b.ledger.retry_all(Some("other".into()), WHO).await.unwrap(), 0);
    assert_eq!(b.ledger.retry_all(Some("wallet".into()), WHO).await.unwrap(), 1);
    assert_eq!(b.ledger.retry_all(None, WHO).await.unwrap(), 0, "it is due already");
    let lease = b.claim().await;
    b.settle(&lease, dead()).await;
    assert_eq!(code_of(b.ledger.retry(&id, WHO).await), "SEND-125");
    assert_eq!(b.acts(&id).await, ["queued", "retried", "retried"]);
}

#[tokio::test]
async fn a_redriven_dead_letter_asks_first_and_takes_its_run_along() {
    let b = Bench::new();
    let run = b.sending("H40-1", vec![parcel("a", None), parcel("b", None)]).await;
    for _ in 0..2 {
        let lease = b.ledger.claim_parcels("w", 1).await.unwrap().remove(0);
        b.settle(&lease, dead()).await;
    }
    assert_eq!(b.state(&run).await, State::Parked);
    let letters =
        b.ledger.deliveries(Which { state: Some(DeliveryState::Dead), ..Which::default() }).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert!(
        letters.iter().all(|d| d.owner() == Owner::Desk && d.wants_paper() && d.runs[0].label == "H40-1")
    );
    b.pass(99_000_000);
    let id = letters[0].id.to_string();
    let again = b.ledger.redrive(&id, WHO).await.unwrap();
    assert_eq!((again.state, again.attempts, again.first_at), (DeliveryState::Pending, 1, None));
    assert_eq!(b.state(&run).await, State::Sending);
    assert_eq!(code_of(b.ledger.redrive(&id, WHO).await), "SEND-125", "it is no dead letter any more");
    let lease = b.claim().await;
    assert_eq!(
        (lease.attempts, lease.first_at),
        (1, 99_000_000 + 1_000_000),
        "asked first, with a fresh clock"
    );
    b.settle(&lease, receipted()).await;
    assert_eq!(b.state(&run).await, State::Parked, "the other letter is still dead");
    assert_eq!(b.ledger.redrive_dead(None, WHO).await.unwrap(), 1);
    let lease = b.claim().await;
    b.settle(&lease, receipted()).await;
    assert_eq!(b.state(&run).await, State::Done);
    assert!(b.ledger.check_journal().await.unwrap() > 0, "every act stands in the chain");
    let db = rusqlite::Connection::open(b.dir.path().join("ledger.db")).unwrap();
    let said: i64 = db
        .query_row("SELECT count(*) FROM journal WHERE kind='redriven' AND worker=?1", [WHO], |r| r.get(0))
        .unwrap();
    assert_eq!(said, 2);
}

#[tokio::test]
async fn what_is_cancelled_never_goes_out_and_its_run_is_parked_and_says_why() {
    let b = Bench::new();
    let run = b.sending("H40-1", vec![parcel("a", None)]).await;
    let id = parcel("a", None).id.to_string();
    let gone = b.ledger.cancel(&id, "đã trả bản giấy", WHO).await.unwrap();
    assert_eq!(gone.state, DeliveryState::Cancelled);
    let reason = gone.reason.unwrap();
    assert_eq!((reason.code.as_str(), reason.detail.as_deref()), ("SEND-126", Some("đã trả bản giấy")));
    assert_eq!(b.state(&run).await, State::Parked);
    let view = b.ledger.runs().await.unwrap().remove(0);
    assert_eq!(view.reason.unwrap().code, "SEND-126");
    b.pass(99_000_000);
    for outcome in [
        b.ledger.retry(&id, WHO).await,
        b.ledger.redrive(&id, WHO).await,
        b.ledger.cancel(&id, "noch einmal", WHO).await,
    ] {
        assert_eq!(code_of(outcome), "SEND-125");
    }
    assert_eq!(b.ledger.redrive_dead(None, WHO).await.unwrap(), 0);
    b.ledger.reopen(vec![run.id]).await.unwrap();
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    assert_eq!(
        b.ledger.post_by_hand(parcel("a", None), WHO).await.unwrap().0.state,
        DeliveryState::Cancelled
    );
    b.ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn a_courier_whose_parcel_was_cancelled_can_bring_a_receipt_and_nothing_else() {
    let b = Bench::new();
    let run = b.sending("H40-1", vec![parcel("a", None)]).await;
    let id = parcel("a", None).id.to_string();
    let lease = b.claim().await;
    b.ledger.cancel(&id, "nhầm", WHO).await.unwrap();
    assert!(!b.ledger.renew_parcel(&lease.key).await.unwrap());
    assert!(!b.ledger.may_send(&lease.key, &lease.body).await.unwrap());
    for failed in [later(2_000_000), dead(), ParcelSettlement::Rest { due: 0 }] {
        assert!(!b.settle(&lease, failed).await);
    }
    assert_eq!(b.look(&id).await.state, DeliveryState::Cancelled);
    // It had arrived all the same: that is said, and the run goes on.
    assert!(b.settle(&lease, receipted()).await);
    assert_eq!((b.look(&id).await.state, b.state(&run).await), (DeliveryState::Receipted, State::Done));
    b.ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn of_two_people_who_act_at_once_the_second_sees_what_the_first_did() {
    let b = Bench::new();
    let mut ids = Vec::new();
    for n in 0..40 {
        let id = b.post(&n.to_string(), None).await;
        let lease = b.claim().await;
        b.settle(&lease, dead()).await;
        ids.push(id);
    }
    let (one, other) = (b.beside(), b.beside());
    for id in &ids {
        let (redriven, cancelled) =
            tokio::join!(one.redrive(id, WHO), other.cancel(id, "giấy", "operator b@2"));
        // Cancelling what was just redriven is fine; redriving what was just cancelled is not.
        assert!(cancelled.is_ok());
        if let Err(fault) = &redriven {
            assert_eq!(fault.code.id, "SEND-125");
        }
        assert_eq!(b.look(id).await.state, DeliveryState::Cancelled);
        let acts = b.acts(id).await;
        assert_eq!(acts.len(), if redriven.is_ok() { 3 } else { 2 }, "{acts:?}");
    }
    let id = b.post("last", None).await;
    let cancelled = tokio::join!(one.cancel(&id, "a", WHO), other.cancel(&id, "b", WHO));
    assert!(cancelled.0.is_ok() != cancelled.1.is_ok(), "one of them did it: {cancelled:?}");
}

#[tokio::test]
async fn nothing_is_due_without_the_consent_that_it_needs_and_all_of_it_once_it_is_given() {
    let b = Bench::new();
    let run = b.sending("H40-1", vec![parcel("a", Some("results"))]).await;
    let by_hand = b.post("b", Some("results")).await;
    let other = b.post("c", Some("advertising")).await;
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    let held = b.look(&by_hand).await;
    assert_eq!((held.state, held.owner()), (DeliveryState::Held, Owner::Desk));
    assert_eq!(held.reason.unwrap().code, "SEND-120");
    assert_eq!(b.state(&run).await, State::Sending, "it waits, and is not given up");
    for outcome in [b.ledger.retry(&by_hand, WHO).await, b.ledger.redrive(&by_hand, WHO).await] {
        assert_eq!(code_of(outcome), "SEND-125", "no hand lets it go without consent");
    }
    // Consent to somebody else is none.
    b.ledger.give_consent(consent("store", None), WHO).await.unwrap();
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    let given = b.give(None).await;
    assert_eq!((given.new, given.released), (true, 2));
    let again = b.give(None).await;
    assert_eq!((again.new, again.released, again.id), (false, 0, given.id));
    let leases = b.ledger.claim_parcels("w", 9).await.unwrap();
    assert_eq!(leases.len(), 2);
    for lease in &leases {
        assert!(b.ledger.may_send(&lease.key, &lease.body).await.unwrap());
        assert!(b.settle(lease, receipted()).await);
    }
    assert_eq!(b.state(&run).await, State::Done);
    assert_eq!(b.look(&other).await.state, DeliveryState::Held, "it was for another purpose");
    assert_eq!(b.acts(&by_hand).await, ["queued", "held", "released"]);
    // What is posted while it lives goes at once.
    b.post("d", Some("results")).await;
    b.claim().await;
    b.ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn a_withdrawal_holds_what_is_queued_and_leaves_what_arrived() {
    let b = Bench::new();
    assert_eq!(code_of(b.withdraw().await), "SEND-124");
    b.give(None).await;
    b.post("arrived", Some("results")).await;
    let lease = b.claim().await;
    b.settle(&lease, receipted()).await;
    let queued = b.post("queued", Some("results")).await;
    // Where nobody has to be asked, a citizen who says no is heard all the same.
    let unasked = b.post("unasked", None).await;
    let gone = b.withdraw().await.unwrap();
    assert_eq!((gone.consents, gone.held, gone.on_the_way, gone.receipted), (1, 2, 0, 1));
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    for id in [&queued, &unasked] {
        assert_eq!(b.look(id).await.reason.unwrap().code, "SEND-121");
    }
    assert_eq!(code_of(b.withdraw().await), "SEND-124", "it was withdrawn already");
    let later = b.post("later", None).await;
    assert_eq!(b.look(&later).await.state, DeliveryState::Held);
    assert_eq!(b.give(None).await.released, 3);
    assert_eq!(b.ledger.consents(None, None, false).await.unwrap().len(), 2);
    assert_eq!(b.ledger.consents(Some(HOLDER.into()), Some("wallet".into()), true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_withdrawal_while_a_courier_has_it_ends_it_after_that_attempt() {
    let b = Bench::new();
    b.give(None).await;
    let run = b.sending("H40-1", vec![parcel("a", Some("results"))]).await;
    let id = parcel("a", Some("results")).id.to_string();
    let lease = b.claim().await;
    let gone = b.withdraw().await.unwrap();
    assert_eq!((gone.held, gone.on_the_way), (1, 1));
    assert!(!b.ledger.may_send(&lease.key, &lease.body).await.unwrap(), "asked right before sending");
    assert!(!b.settle(&lease, later(0)).await);
    assert_eq!((b.look(&id).await.state, b.state(&run).await), (DeliveryState::Held, State::Sending));
    // Agreed again: it may have arrived, so it is asked for first.
    b.give(None).await;
    let lease = b.claim().await;
    assert_eq!(lease.attempts, 1);
    // And withdrawn again, too late: the receipt that comes is true.
    b.withdraw().await.unwrap();
    assert!(b.settle(&lease, receipted()).await);
    assert_eq!(b.state(&run).await, State::Done);
}

#[tokio::test]
async fn a_dead_letter_comes_back_to_life_only_with_consent() {
    let b = Bench::new();
    b.give(None).await;
    let run = b.sending("H40-1", vec![parcel("a", Some("results")), parcel("b", Some("results"))]).await;
    for _ in 0..2 {
        let lease = b.ledger.claim_parcels("w", 1).await.unwrap().remove(0);
        b.settle(&lease, dead()).await;
    }
    b.withdraw().await.unwrap();
    let id = parcel("a", Some("results")).id.to_string();
    assert_eq!(b.ledger.redrive(&id, WHO).await.unwrap().state, DeliveryState::Held);
    b.ledger.reopen(vec![run.id]).await.unwrap();
    b.ledger.redrive_dead(None, WHO).await.unwrap();
    assert!(b.ledger.claim_parcels("w", 9).await.unwrap().is_empty());
    let held = Which { state: Some(DeliveryState::Held), ..Which::default() };
    assert_eq!(b.ledger.deliveries(held).await.unwrap().len(), 2);
    assert_eq!(b.state(&run).await, State::Sending);
}

#[tokio::test]
async fn the_key_that_came_with_a_consent_travels_with_the_parcel() {
    let b = Bench::new();
    let waiting = b.post("waiting", Some("results")).await;
    let unasked = b.post("unasked", None).await;
    let jwk = r#"{"crv":"P-256","kty":"EC","x":"a","y":"b"}"#;
    b.give(Some(jwk)).await;
    let after = b.post("after", Some("results")).await;
    for id in [&waiting, &unasked, &after] {
        assert_eq!(b.key(id).await, serde_json::from_str(jwk).ok(), "{id}");
    }
    assert_eq!(b.look(&waiting).await.id, parcel("waiting", None).id, "the key is no part of the name");
    b.withdraw().await.unwrap();
    b.give(None).await;
    assert_eq!(b.key(&waiting).await, None, "the new consent says nothing of a key");

    // It was tried, and nobody answered: the key that comes then is used all the same, by whoever has it next.
    let b = Bench::new();
    let late = b.post("late", Some("results")).await;
    b.give(None).await;
    let lease = b.claim().await;
    let body = lease.body.clone();
    b.give(Some(jwk)).await;
    assert!(!b.beside().may_send(&lease.key, &body).await.unwrap(), "the courier has it without the key");
    assert!(b.settle(&lease, later(0)).await);
    assert_eq!(b.key(&late).await, serde_json::from_str(jwk).ok());
}

#[tokio::test]
async fn consents_and_acts_are_added_and_never_changed() {
    let b = Bench::new();
    b.give(None).await;
    b.post("a", None).await;
    b.withdraw().await.unwrap();
    b.give(None).await;
    let db = rusqlite::Connection::open(b.dir.path().join("ledger.db")).unwrap();
    for edit in [
        "DELETE FROM consent",
        "UPDATE consent SET purpose='x'",
        "UPDATE consent SET withdrawn_at=NULL, withdrawn_by=NULL WHERE id=1",
        "UPDATE consent SET withdrawn_at=5, withdrawn_by='x' WHERE id=1",
        "UPDATE consent SET withdrawn_at=5 WHERE id=2",
        "UPDATE consent SET withdrawn_at=5, withdrawn_by='x', key='k' WHERE id=2",
        "DELETE FROM parcel_act",
        "UPDATE parcel_act SET who='x'",
    ] {
        assert!(db.execute(edit, []).is_err(), "{edit}");
    }
    assert_eq!(db.execute("UPDATE consent SET withdrawn_at=5, withdrawn_by='x' WHERE id=2", []).unwrap(), 1);
}

// ---- through the program ----

fn line(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_else(|| panic!("{output:?}"));
    serde_json::from_str(first).unwrap_or_else(|_| panic!("{output:?}"))
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// A sample result without its slip.
fn bare(ground: &Playground, number: u8) -> String {
    let path = ground.input().join(format!("bare-{number}.pdf"));
    fs::copy(samples().join(format!("results/result-{number}.pdf")), &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Changes the station's configuration.
fn configure(ground: &Playground, what: &str, to: &str) {
    let path = ground.station().join("hoso.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(what));
    fs::write(path, text.replace(what, to)).unwrap();
}

fn listed(ground: &Playground, more: &[&str]) -> Vec<serde_json::Value> {
    lines(&ground.output(&[&["deliver", "list", "--json"], more].concat()))
}

#[test]
fn a_document_queued_twice_by_hand_is_once_at_the_wallet() {
    let ground = Playground::new(&[]);
    let file = bare(&ground, 1);
    let send = |more: &[&str]| {
        let to = ["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--json"];
        ground.output(&[&to, more].concat())
    };
    let (first, second) = (send(&[]), send(&[]));
    let id = line(&first)["delivery_id"].clone();
    assert_eq!(
        (line(&first)["state"].as_str(), line(&first)["new"].as_bool()),
        (Some("pending"), Some(true))
    );
    assert_eq!((&line(&second)["delivery_id"], line(&second)["new"].as_bool()), (&id, Some(false)));
    assert!(ground.effects("wallet").is_empty());
    let sent = send(&["--wait"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!((&line(&sent)["delivery_id"], line(&sent)["state"].as_str()), (&id, Some("receipted")));
    assert_eq!(line(&send(&["--wait"]))["state"], "receipted");
    let other = send(&["--wait", "--revision", "2"]);
    assert_ne!(line(&other)["delivery_id"], id);
    let effects = ground.effects("wallet");
    assert_eq!(effects.len(), 2);
    assert!(effects.iter().any(|e| e["delivery_id"] == id));

    // Names that are wrong are named, and nothing is queued.
    let text = ground.input().join("x.pdf");
    fs::write(&text, b"%PDF-1.7 but nothing else").unwrap();
    let pdf = fs::read(&file).unwrap();
    let locked = ground.input().join("locked.pdf");
    let trailer = String::from_utf8_lossy(&pdf).rfind("startxref").unwrap();
    assert!(trailer > 0);
    fs::write(&locked, [b"GIF89a".as_slice(), &pdf].concat()).unwrap();
    for (args, code, exit) in [
        (["deliver", text.to_str().unwrap(), "--to", "wallet"], "PDF-0", 3),
        (["deliver", locked.to_str().unwrap(), "--to", "wallet"], "PDF-0", 3),
        (["deliver", "missing.pdf", "--to", "wallet"], "ADMT-001", 3),
        (["deliver", &file, "--to", "nobody"], "STAT-003", 4),
        (["deliver", &file, "--to", "portal"], "SEND-128", 3),
    ] {
        let refused = ground.output(&args);
        assert_eq!(refused.status.code(), Some(exit), "{args:?} {refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(code), "{args:?} {refused:?}");
    }
    assert_eq!(listed(&ground, &[]).len(), 2);
    assert_eq!(listed(&ground, &["--state", "dead"]).len(), 0);
    assert_eq!(listed(&ground, &["--older-than", "1d"]).len(), 0);
    assert_eq!(listed(&ground, &["--open"]).len(), 0);
    let table = ground.output(&["deliver", "list"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("đã có biên nhận / receipted"));
    let shown = ground.output(&["deliver", "show", id.as_str().unwrap().get(..10).unwrap(), "--json"]);
    assert_eq!(line(&shown)["acts"][0]["act"], "queued");
    let receipt = ground.input().join("bien-nhan.receipt");
    let id = id.as_str().unwrap();
    let kept = ground.output(&["deliver", "show", id, "--receipt", receipt.to_str().unwrap()]);
    assert!(kept.status.success(), "{kept:?}");
    let bytes = fs::read(&receipt).unwrap();
    assert_eq!(line(&sent)["receipt"], Blake3::of(&bytes).to_string());
}

#[test]
fn a_dead_letter_parks_its_dossier_tells_the_desk_and_is_redriven_to_its_receipt() {
    let mut ground = Playground::new(&[]);
    configure(&ground, "give_up_ms = 60000", "give_up_ms = 1000");
    ground.stop("wallet");
    for end in ["pdf", "toml"] {
        let name = format!("result-1.{end}");
        fs::copy(samples().join("results").join(&name), ground.input().join(&name)).unwrap();
    }
    let input = ground.input().join("result-1.pdf");
    let run = ground.output(&["run", "result-delivery", input.to_str().unwrap(), "--json"]);
    assert_eq!(run.status.code(), Some(5), "{run:?}");
    let status = lines(&ground.output(&["status", "--json"]));
    assert_eq!(status[0]["state"], "parked");
    let waits = &status[0]["deliveries"][0];
    assert_eq!((waits["to"].as_str(), waits["state"].as_str()), (Some("wallet"), Some("dead")), "{waits}");
    assert_eq!(
        (waits["owner"].as_str(), waits["meanwhile"].as_str()),
        (Some("desk"), Some("paper-or-counter"))
    );
    let table = String::from_utf8(ground.output(&["status"]).stdout).unwrap();
    assert!(table.contains("trả bản giấy") && table.contains("cán bộ một cửa"), "{table}");
    let id = waits["delivery_id"].as_str().unwrap().to_owned();

    configure(&ground, "give_up_ms = 1000", "give_up_ms = 60000");
    ground.start_wallet(&[]);
    let again = ground.output(&["deliver", "redrive", &id[..8], "--json"]);
    assert_eq!(line(&again)["state"], "pending", "{again:?}");
    assert_eq!(lines(&ground.output(&["status", "--json"]))[0]["state"], "sending");
    assert!(ground.output(&["work", "--until-idle"]).status.success());
    let status = lines(&ground.output(&["status", "--json"]));
    assert_eq!(
        (status[0]["state"].as_str(), &status[0]["deliveries"]),
        (Some("done"), &serde_json::json!([]))
    );
    assert_eq!(ground.effects("wallet").len(), 1);
    assert_eq!(ground.effects("wallet")[0]["delivery_id"], id);
}

#[test]
fn a_worker_that_is_killed_leaves_a_list_that_is_whole_and_what_it_had_arrives_once() {
    let ground = Playground::new(&[]);
    ground.freeze("wallet");
    for number in 1..=4 {
        let queued =
            ground.output(&["deliver", &bare(&ground, number), "--to", "wallet", "--holder", HOLDER]);
        assert!(queued.status.success(), "{queued:?}");
    }
    let mut worker = ground.hoso(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| listed(&ground, &["--state", "leased"]).len() > 1);
    worker.kill().unwrap();
    worker.wait().unwrap();
    ground.thaw("wallet");
    let list = listed(&ground, &[]);
    assert_eq!(list.len(), 4);
    for delivery in &list {
        assert!(matches!(delivery["state"].as_str(), Some("pending" | "receipted")), "{delivery}");
    }
    assert!(list.iter().any(|d| d["attempts"] == 1 && d["state"] == "pending"), "{list:?}");
    assert!(ground.output(&["work", "--until-idle"]).status.success());
    assert_eq!(listed(&ground, &["--state", "receipted"]).len(), 4);
    assert_eq!(ground.effects("wallet").len(), 4);
}

#[test]
fn a_delivery_cancelled_on_its_way_keeps_the_receipt_that_comes_and_is_never_tried_again() {
    let ground = Playground::new(&[]);
    // What it is sent lies there unanswered for as long as the two commands below take.
    ground.freeze("wallet");
    let file = bare(&ground, 1);
    let args = ["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--wait", "--json"];
    let waiting = ground.hoso(&args).stdout(Stdio::piped()).spawn().unwrap();
    until(|| listed(&ground, &["--state", "leased"]).len() == 1);
    let id = listed(&ground, &[])[0]["delivery_id"].as_str().unwrap().to_owned();
    let refused = ground.output(&["deliver", "cancel", &id, "--why", "CCCD 001090123456"]);
    assert_eq!(refused.status.code(), Some(3), "a number is no reason: {refused:?}");
    let cancelled = ground.output(&["deliver", "cancel", &id[..8], "--why", "gửi nhầm", "--json"]);
    assert_eq!(line(&cancelled)["state"], "cancelled", "{cancelled:?}");
    ground.thaw("wallet");
    let waited = waiting.wait_with_output().unwrap();
    // Whether the attempt was over when the command looked decides what it says; the ledger has the receipt.
    assert!(matches!(waited.status.code(), Some(0 | 6)), "{waited:?}");
    let shown = line(&ground.output(&["deliver", "show", &id, "--json"]));
    assert_eq!(shown["state"], "receipted", "{shown}");
    assert_eq!(ground.effects("wallet").len(), 1);
}

#[test]
fn a_delivery_can_be_cancelled_without_a_reason_and_the_journal_says_so() {
    let ground = Playground::new(&[]);
    let file = bare(&ground, 1);
    let queued = line(&ground.output(&["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--json"]));
    let id = queued["delivery_id"].as_str().unwrap();
    let cancelled = ground.output(&["deliver", "cancel", id, "--json"]);
    assert_eq!(cancelled.status.code(), Some(0), "{cancelled:?}");
    assert_eq!(line(&cancelled)["state"], "cancelled");
    let shown = String::from_utf8(ground.output(&["deliver", "show", id, "--json"]).stdout).unwrap();
    assert!(shown.contains("no reason given"), "{shown}");
}

#[test]
fn a_recipient_that_requires_consent_gets_nothing_without_and_everything_with_it() {
    let ground = Playground::new(&[]);
    configure(
        &ground,
        "[recipients.wallet.push]",
        "[recipients.wallet.push]\nconsent = \"required\"\npurpose = \"result-delivery\"",
    );
    for end in ["pdf", "toml"] {
        let name = format!("result-1.{end}");
        fs::copy(samples().join("results").join(&name), ground.input().join(&name)).unwrap();
    }
    let input = ground.input().join("result-1.pdf");
    let run = |patience: &str| {
        let args = ["run", "result-delivery", input.to_str().unwrap(), "--json", "--patience", patience];
        ground.output(&args)
    };
    assert_eq!(run("1").status.code(), Some(5));
    let held = listed(&ground, &["--state", "held"]);
    assert_eq!((held.len(), held[0]["reason"]["code"].as_str()), (1, Some("SEND-120")));
    assert_eq!((held[0]["attempts"].as_u64(), ground.effects("wallet").len()), (Some(0), 0));
    let file = bare(&ground, 2);
    let nobody = ground.output(&["deliver", &file, "--to", "wallet"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("SEND-129"), "{nobody:?}");
    let held = ground.output(&["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--wait", "--json"]);
    assert_eq!((held.status.code(), line(&held)["state"].as_str()), (Some(5), Some("held")));

    let say = |args: &[&str]| {
        ground.output(&[&["consent"], args, &["--holder", HOLDER, "--to", "wallet", "--json"]].concat())
    };
    let purpose = ["--purpose", "result-delivery"];
    let evidence = ground.input().join("result-1.pdf");
    let paper =
        ["give", purpose[0], purpose[1], "--channel", "paper", "--evidence", evidence.to_str().unwrap()];
    assert_eq!(line(&say(&paper))["released"], 2);
    assert!(ground.output(&["work", "--until-idle"]).status.success());
    assert_eq!(ground.effects("wallet").len(), 2);
    assert_eq!(run("5").status.code(), Some(0));
    // Withdrawn: what arrived stays and is said; what comes after is held.
    let gone = line(&say(&["withdraw"]));
    assert_eq!((gone["withdrawn"].as_u64(), gone["receipted"].as_u64()), (Some(1), Some(2)), "{gone}");
    let file = bare(&ground, 3);
    let held = ground.output(&["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--json"]);
    assert_eq!((held.status.code(), line(&held)["reason"]["code"].as_str()), (Some(5), Some("SEND-121")));
    let table = String::from_utf8(ground.output(&["status"]).stdout).unwrap();
    assert!(table.contains("SEND-121") && table.contains("tạm giữ / held"), "{table}");
    let list = lines(&ground.output(&["consent", "list", "--json"]));
    assert_eq!(
        (list.len(), list[0]["live"].as_bool(), list[0]["who"].as_str()),
        (1, Some(false), Some(HOLDER))
    );
    assert_eq!(list[0]["evidence_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(ground.effects("wallet").len(), 2);
}

#[test]
fn a_key_that_comes_after_a_lost_answer_makes_no_second_delivery_and_seals_what_did_not_arrive() {
    let mut ground = Playground::new(&[]);
    ground.stop("wallet");
    let jwk = ground.input().join("holder.jwk");
    fs::write(&jwk, p256_jwk().to_string()).unwrap();
    let send = |ground: &Playground, number: u8| {
        let file = bare(ground, number);
        let sent = ground.output(&["deliver", &file, "--to", "wallet", "--holder", HOLDER, "--json"]);
        line(&sent)["delivery_id"].as_str().unwrap().to_owned()
    };
    let work_until = |ground: &Playground, there: &dyn Fn() -> bool| {
        let mut worker = ground.hoso(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until(there);
        worker.kill().unwrap();
        worker.wait().unwrap();
    };
    let arrived_in_the_clear = send(&ground, 1);
    ground.start_wallet(&["--faults", "lost-answer=100%"]);
    work_until(&ground, &|| ground.effects("wallet").len() == 1);
    ground.stop("wallet");
    let never_arrived = send(&ground, 2);
    let tried = |id: &str| {
        listed(&ground, &[]).iter().any(|d| d["delivery_id"] == id && d["attempts"].as_u64() > Some(0))
    };
    work_until(&ground, &|| tried(&never_arrived));

    let give =
        ["consent", "give", "--holder", HOLDER, "--to", "wallet", "--purpose", "any", "--channel", "desk"];
    let given = ground.output(&[&give[..], &["--key", jwk.to_str().unwrap()]].concat());
    assert!(given.status.success(), "{given:?}");
    let record = ground.mock("wallet-record.jsonl");
    ground.start_wallet(&["--record", record.to_str().unwrap()]);
    for id in [&arrived_in_the_clear, &never_arrived] {
        let retried = ground.output(&["deliver", "retry", id, "--json"]);
        assert!(retried.status.success(), "{retried:?}");
    }
    work_until(&ground, &|| listed(&ground, &["--state", "receipted"]).len() == 2);
    assert_eq!(ground.effects("wallet").len(), 2, "each once");
    let record = fs::read_to_string(record).unwrap();
    assert!(record.contains("\"PUT\"") || record.contains("PUT"), "{record}");
    for number in [1, 2] {
        let clear = fs::read(ground.input().join(format!("bare-{number}.pdf"))).unwrap();
        let clear = Sha256::of(&clear).to_string();
        assert!(
            !record.contains(&format!("\"body_sha256\":\"{clear}\"")),
            "nothing goes in the clear once there is a key: {record}"
        );
    }
}

/// A citizen's public key.
fn p256_jwk() -> serde_json::Value {
    use base64::Engine as _;
    use openssl::bn::{BigNum, BigNumContext};
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::ec::EcKey::generate(&group).unwrap();
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = BigNumContext::new().unwrap();
    key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).unwrap();
    let word =
        |n: BigNum| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(n.to_vec_padded(32).unwrap());
    serde_json::json!({ "kty": "EC", "crv": "P-256", "x": word(x), "y": word(y) })
}

fn until(mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(120), "it did not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}
