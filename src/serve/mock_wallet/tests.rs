//! Deliveries to the stand-in over a real line, good and hostile ones.

use super::*;
use crate::deliver::attempt::{self, Attempt};
use crate::deliver::link::{self, Line};
use crate::deliver::outbox::{AttemptOutcome, Backoff, Decision, next_attempt};
use crate::deliver::push::{NOT_RECOGNISED, Parcel, Probe, RecipientHandle, Sink, probe, push, push_again};
use crate::serve::loopback::Loopback;
use crate::serve::mischief::Fate;
use std::sync::OnceLock;
use tokio::sync::oneshot;

/// A wallet that is being served, and a sink that knows it.
struct World {
    folder: tempfile::TempDir,
    sink: Sink,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<Outcome<()>>,
}

fn keys() -> &'static (SigningKey, SigningKey) {
    static KEYS: OnceLock<(SigningKey, SigningKey)> = OnceLock::new();
    KEYS.get_or_init(|| (SigningKey::mint().unwrap(), SigningKey::mint().unwrap()))
}

impl World {
    async fn new(fates: Fates) -> World {
        World::over(tempfile::tempdir().unwrap(), fates).await
    }

    async fn over(folder: tempfile::TempDir, fates: Fates) -> World {
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (sender, receiver) = keys();
        let setup = Setup {
            base: loopback.url(),
            state: folder.path().to_owned(),
            name: "ví tập huấn".into(),
            receipt_key: receiver.clone(),
            senders: vec![sender.public().unwrap()],
            largest: 1_000_000,
        };
        let sink = Sink {
            name: "wallet".into(),
            base: link::address(&setup.base).unwrap(),
            key: sender.clone(),
            receipt_keys: vec![receiver.public().unwrap()],
        };
        let router = router(setup, fates).unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(loopback.serve(router, async { drop(stopped.await) }));
        World { folder, sink, client: link::client(&Line::default()).unwrap(), stop: Some(stop), serving }
    }

    /// Stops serving and gives the folder to whoever comes next.
    async fn end(mut self) -> tempfile::TempDir {
        drop(self.client);
        drop(self.stop.take());
        self.serving.await.unwrap().unwrap();
        // The writer of effects ends a moment after its last handle.
        for _ in 0..200 {
            if EffectLog::open::<Effect>(self.folder.path()).is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        self.folder
    }

    fn effects(&self) -> Vec<Effect> {
        effects_in(self.folder.path())
    }
}

fn effects_in(folder: &Path) -> Vec<Effect> {
    let text = std::fs::read_to_string(folder.join("effects.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fair() -> Fates {
    Fates::by(|_| Fate::Fair)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn recipient() -> RecipientHandle {
    RecipientHandle::derive(&[7; 32], "001099000001").unwrap()
}

fn pdf(n: usize) -> Vec<u8> {
    format!("%PDF-1.7\n% {n}\n%%EOF\n").into_bytes()
}

async fn send(world: &World, pdf: &[u8], revision: u32, at: i64) -> Attempt {
    let recipient = recipient();
    let parcel = Parcel::new(&world.sink.name, &recipient, revision, Sha256::of(pdf), pdf);
    push(&world.client, &world.sink, &parcel, at).await
}

#[track_caller]
fn code_of(attempt: Attempt) -> &'static Code {
    match attempt {
        Attempt::Never(fault) | Attempt::Again { reason: fault, .. } => fault.code,
        Attempt::Delivered(_) => panic!("delivered"),
    }
}

#[tokio::test]
async fn a_delivery_is_stored_once_and_its_first_receipt_comes_back_after_a_restart() {
    let world = World::new(fair()).await;
    let first = send(&world, &pdf(1), 0, now()).await;
    assert!(matches!(first, Attempt::Delivered(_)), "{first:?}");
    assert_eq!(send(&world, &pdf(1), 0, now()).await, first);
    let world = World::over(world.end().await, fair()).await;
    assert_eq!(send(&world, &pdf(1), 0, now()).await, first);
    let effects = world.effects();
    assert_eq!(effects.len(), 1);
    let stored = std::fs::read(world.folder.path().join(format!("{}.pdf", effects[0].delivery_id))).unwrap();
    assert_eq!(stored, pdf(1));
    assert!(
        matches!(send(&world, &pdf(1), 1, now()).await, Attempt::Delivered(_)),
        "a revision is another one"
    );
    world.end().await;
}

#[tokio::test]
async fn other_bytes_under_the_same_id_are_a_conflict_and_never_overwrite() {
    let world = World::new(fair()).await;
    let recipient = recipient();
    let (first, second) = (pdf(1), pdf(2));
    let good = Parcel::new("wallet", &recipient, 0, Sha256::of(&first), &first);
    assert!(matches!(push(&world.client, &world.sink, &good, now()).await, Attempt::Delivered(_)));
    let other = Parcel { sha256: Sha256::of(&second), pdf: &second, ..good };
    assert_eq!(code_of(push(&world.client, &world.sink, &other, now()).await), &attempt::CONFLICT);
    let stored = std::fs::read(world.folder.path().join(format!("{}.pdf", good.delivery_id))).unwrap();
    assert_eq!(stored, first);
    world.end().await;
}

#[tokio::test]
async fn what_is_not_signed_now_by_a_known_sender_is_refused_and_nothing_is_stored() {
    let mut world = World::new(fair()).await;
    assert_eq!(code_of(send(&world, &pdf(1), 0, now() - 400).await), &NOT_RECOGNISED);
    assert_eq!(code_of(send(&world, &pdf(1), 0, now() + 400).await), &NOT_RECOGNISED);
    world.sink.key = SigningKey::mint().unwrap();
    assert_eq!(code_of(send(&world, &pdf(1), 0, now()).await), &NOT_RECOGNISED);
    let url = format!("{}v1/deliveries/{}", world.sink.base, Sha256::of(b"x"));
    let bare = world.client.put(url).body(pdf(1)).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    assert!(world.effects().is_empty());
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 1, "effects.jsonl alone");
    world.end().await;
}

#[tokio::test]
async fn a_request_sent_twice_as_it_was_is_refused_by_its_nonce() {
    let world = World::new(fair()).await;
    let id = Sha256::of(b"id");
    let target_uri = format!("{}v1/deliveries/{id}", world.sink.base);
    let terms = signature::Terms { created: now(), expires: now() + 60, nonce: "once".into() };
    let headers = HeaderMap::new();
    let message = Message { method: "GET", target_uri: &target_uri, headers: &headers };
    let (input, value) = signature::sign(&message, signature::COVERED_GET, &terms, &world.sink.key).unwrap();
    for status in [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED] {
        let request =
            world.client.get(&target_uri).header("signature-input", &input).header("signature", &value);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_no_pdf_or_locked_or_too_large_is_refused_for_good() {
    let world = World::new(fair()).await;
    let locked = b"%PDF-1.7\ntrailer << /Encrypt 5 0 R >>".to_vec();
    let large = [b"%PDF-".to_vec(), vec![0; 1_000_001]].concat();
    for bytes in [b"<html>".to_vec(), locked] {
        assert_eq!(code_of(send(&world, &bytes, 0, now()).await), &attempt::REFUSED);
    }
    // The refusal may reach the sender as a broken line, when it comes before the body is through.
    assert!(!matches!(send(&world, &large, 0, now()).await, Attempt::Delivered(_)));
    assert!(world.effects().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_document_whose_end_is_lost_on_the_way_is_no_reason_to_give_it_up() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new(fair()).await;
    let address = world.sink.base.as_str().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "PUT /v1/deliveries/x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n%PDF-1.7";
    line.write_all(head.as_bytes()).await.unwrap();
    line.shutdown().await.unwrap();
    let mut answer = String::new();
    // No answer at all is as good: the sender sees a broken line.
    let _ = line.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(world.effects().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_nothing_is_sent_twice() {
    let world =
        World::new(Fates::by(|request| if request == 1 { Fate::LoseAnswer } else { Fate::Fair })).await;
    let (recipient, pdf) = (recipient(), pdf(1));
    let parcel = Parcel::new("wallet", &recipient, 0, Sha256::of(&pdf), &pdf);
    let lost = push(&world.client, &world.sink, &parcel, now()).await;
    assert!(lost.may_have_arrived(), "{lost:?}");
    assert_eq!(code_of(lost), &link::CUT_OFF);
    let Probe::Stored(receipt) = probe(&world.client, &world.sink, &parcel.facts(), now()).await else {
        panic!("not stored")
    };
    assert_eq!(push_again(&world.client, &world.sink, &parcel, now()).await, Attempt::Delivered(receipt));
    let unknown = Facts { delivery_id: Sha256::of(b"other"), ..parcel.facts() };
    assert_eq!(probe(&world.client, &world.sink, &unknown, now()).await, Probe::Unknown);
    assert_eq!(world.effects().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn fifty_senders_of_one_delivery_make_one_effect() {
    let world = Arc::new(World::new(fair()).await);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { send(&world, &pdf(1), 0, now()).await })
        })
        .collect();
    let mut receipts = HashSet::new();
    for task in tasks {
        match task.await.unwrap() {
            Attempt::Delivered(receipt) => drop(receipts.insert(receipt.0)),
            other => assert_eq!(code_of(other), &attempt::BUSY),
        }
    }
    assert_eq!((receipts.len(), world.effects().len()), (1, 1));
    Arc::into_inner(world).unwrap().end().await;
}

/// 200 and more failures of every kind, dealt at random from a seed: each delivery has one effect, one receipt.
#[tokio::test]
async fn two_hundred_random_failures_leave_exactly_one_effect_a_delivery() {
    let failures = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Arc::clone(&failures);
    let fates = Fates::by(move |request| {
        let roll = crate::digest::Blake3::of_parts("fates", &[&request.to_be_bytes()]).0[0];
        let fate = match roll {
            0..=50 => Fate::LoseAnswer,
            51..=100 => Fate::NoReceipt,
            101..=130 => Fate::Fail,
            131..=150 => Fate::Html,
            _ => Fate::Fair,
        };
        counted.fetch_add(u64::from(fate != Fate::Fair), std::sync::atomic::Ordering::Relaxed);
        fate
    });
    let world = World::new(fates).await;
    let recipient = recipient();
    let rule = Backoff::default();
    let mut produced = HashSet::new();
    for n in 0.. {
        if failures.load(std::sync::atomic::Ordering::Relaxed) >= 200 {
            break;
        }
        let pdf = pdf(n);
        let parcel = Parcel::new("wallet", &recipient, 0, Sha256::of(&pdf), &pdf);
        produced.insert(parcel.delivery_id);
        let (mut tries, mut virtual_now, mut ask) = (0, 0, false);
        loop {
            let attempt = if ask {
                push_again(&world.client, &world.sink, &parcel, now()).await
            } else {
                push(&world.client, &world.sink, &parcel, now()).await
            };
            tries += 1;
            let Some(outcome) = AttemptOutcome::of(&attempt) else { break };
            ask |= attempt.may_have_arrived();
            match next_attempt(&rule, tries, outcome, 0, virtual_now, |most| most / 2) {
                Decision::RetryAt(then) => virtual_now = then,
                Decision::Dead(reason) => panic!("{reason:?} after {tries} tries"),
            }
        }
    }
    let stored: Vec<Sha256> = world.effects().iter().map(|effect| effect.delivery_id).collect();
    assert_eq!(stored.len(), produced.len());
    assert_eq!(stored.into_iter().collect::<HashSet<_>>(), produced);
    eprintln!(
        "{} deliveries, {} failures",
        produced.len(),
        failures.load(std::sync::atomic::Ordering::Relaxed)
    );
    let folder = world.end().await;
    assert!(!std::fs::read_to_string(folder.path().join("effects.jsonl")).unwrap().contains("001099000001"));
}
