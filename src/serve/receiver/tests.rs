use super::inbox::Delivery;
use super::*;
use crate::deliver::attempt::{self, Attempt};
use crate::deliver::credential::jose::Jwk;
use crate::deliver::link::{self, Line};
use crate::deliver::push::{Parcel, Probe, RecipientHandle, Sink, probe, push, push_again};
use crate::deliver::receipt;
use crate::deliver::signature::{Message, Terms};
use crate::serve::front::{self, Front};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";
const NOW: i64 = 1_790_000_000;

fn keys() -> &'static (SigningKey, SigningKey) {
    static KEYS: OnceLock<(SigningKey, SigningKey)> = OnceLock::new();
    KEYS.get_or_init(|| (SigningKey::mint().unwrap(), SigningKey::mint().unwrap()))
}

/// What opens documents that are encrypted for this station.
fn opening_key() -> &'static PKey<Private> {
    static KEY: OnceLock<PKey<Private>> = OnceLock::new();
    KEY.get_or_init(|| {
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
        PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap()
    })
}

fn handle() -> RecipientHandle {
    RecipientHandle::derive(&[1; 32], "001099000001").unwrap()
}

/// A receiver that is being served, with a clock that stands, and a sink that knows it.
struct World {
    folder: tempfile::TempDir,
    receiver: Arc<Receiver>,
    sink: Sink,
    client: reqwest::Client,
    clock: Arc<AtomicI64>,
    serving: Vec<tokio::task::JoinHandle<()>>,
}

impl World {
    async fn new() -> World {
        World::over(tempfile::tempdir().unwrap()).await
    }

    async fn over(folder: tempfile::TempDir) -> World {
        World::with(folder, |sender| sender).await
    }

    async fn with(folder: tempfile::TempDir, change: impl FnOnce(Sender) -> Sender) -> World {
        let front = Front::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let (sender, receipts) = keys();
        let clock = Arc::new(AtomicI64::new(NOW * 1000));
        let inbox = Inbox::open(&folder.path().join("inbox.db")).unwrap();
        let used = inbox.nonces(NOW).await.unwrap();
        let one = change(Sender::new("xa-mau", vec![sender.public().unwrap()], 1_000_000));
        let setup = Setup {
            name: "Tỉnh Mẫu".into(),
            receipt_key: receipts.clone(),
            opening_keys: vec![opening_key().clone()],
            parts: folder.path().join("inbox"),
            gate: Gate::new(&front.url(), vec![one], used).unwrap(),
            inbox,
            blobs: Arc::new(Blobs::open(&folder.path().join("blobs")).unwrap()),
            out: folder.path().join("out/inbox"),
            audit: Audit::open(&folder.path().join("audit.jsonl"), Clock::System),
            clock: Clock::Set(Arc::clone(&clock)),
        };
        let sink = Sink {
            name: "tinh".into(),
            base: link::address(&format!("{}/h/tinh", front.url())).unwrap(),
            key: sender.clone(),
            receipt_keys: vec![receipts.public().unwrap()],
        };
        let receiver = Receiver::new(setup);
        let router = front::dressed(receiver.router("/h/tinh"));
        let laying = Arc::clone(&receiver).lay_out(CancellationToken::new());
        let serving = vec![
            tokio::spawn(async { drop(front.serve(router, std::future::pending()).await) }),
            tokio::spawn(laying),
        ];
        World { folder, receiver, sink, client: link::client(&Line::default()).unwrap(), clock, serving }
    }

    /// The power goes; whoever comes next has the folder.
    async fn dies(self) -> tempfile::TempDir {
        for task in self.serving {
            task.abort();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        self.folder
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.receiver.inbox().list(1000).unwrap()
    }

    fn refused(&self, kind: &str) -> u64 {
        self.receiver.tally().refused().get(kind).copied().unwrap_or(0)
    }

    /// A PUT signed by hand, so that anything can be wrong with it.
    async fn put(&self, id: &str, body: &[u8], change: impl FnOnce(&mut HeaderMap)) -> (u16, Value) {
        let headers = self.signed(id, body, change, &keys().0, |input| input);
        self.send(id, body, headers).await
    }

    fn signed(
        &self,
        id: &str,
        body: &[u8],
        change: impl FnOnce(&mut HeaderMap),
        key: &SigningKey,
        spoil: impl FnOnce(String) -> String,
    ) -> HeaderMap {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/pdf".to_owned()),
            ("content-digest", signature::content_digest(&Sha256::of(body))),
            ("idempotency-key", id.to_owned()),
            ("hoso-recipient", handle().as_str().to_owned()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        change(&mut headers);
        let target_uri = format!("{}/v1/deliveries/{id}", self.sink.base);
        let message = Message { method: "PUT", target_uri: &target_uri, headers: &headers };
        let nonce = format!("n-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let terms = Terms { created: NOW, expires: NOW + 300, nonce };
        let (input, value) =
            signature::sign(&message, &checks::covered(&headers, true), &terms, key).unwrap();
        headers.insert("signature-input", spoil(input).parse().unwrap());
        headers.insert("signature", value.parse().unwrap());
        headers
    }

    async fn send(&self, id: &str, body: &[u8], headers: HeaderMap) -> (u16, Value) {
        let url = format!("{}/v1/deliveries/{id}", self.sink.base);
        let answer = self.client.put(url).headers(headers).body(body.to_vec()).send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, if status < 300 { "application/jose+json" } else { "application/problem+json" });
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }
}

fn parcel(handle: &RecipientHandle) -> Parcel<'_> {
    Parcel::new("tinh", handle, 1, Sha256::of(PDF), PDF)
}

fn id() -> String {
    parcel(&handle()).delivery_id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_stored_receipted_and_laid_out_and_a_repeat_gets_the_first_receipt() {
    let world = World::new().await;
    let handle = handle();
    let parcel = parcel(&handle);
    assert_eq!(probe(&world.client, &world.sink, &parcel.facts(), NOW).await, Probe::Unknown);
    let Attempt::Delivered(first) = push(&world.client, &world.sink, &parcel, NOW).await else { panic!() };
    world.clock.fetch_add(60_000, Ordering::SeqCst);
    let now = NOW + 60;
    assert_eq!(push(&world.client, &world.sink, &parcel, now).await, Attempt::Delivered(first.clone()));
    assert_eq!(push_again(&world.client, &world.sink, &parcel, now).await, Attempt::Delivered(first.clone()));
    assert_eq!(probe(&world.client, &world.sink, &parcel.facts(), now).await, Probe::Stored(first.clone()));
    let kept = world.deliveries();
    assert_eq!((kept.len(), &kept[0].receipt), (1, &first.0));
    assert_eq!((kept[0].sender.as_str(), kept[0].facts), ("xa-mau", parcel.facts()));
    let laid = world.folder.path().join("out/inbox").join(format!("{}.pdf", parcel.delivery_id));
    for _ in 0..200 {
        if laid.is_file() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(std::fs::read(laid).unwrap(), PDF);
    // And after the power went: the same receipt, byte for byte.
    let world = World::over(world.dies().await).await;
    assert_eq!(push(&world.client, &world.sink, &parcel, NOW).await, Attempt::Delivered(first));
    assert_eq!(world.deliveries().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_under_an_id_are_never_taken_and_that_is_an_alarm() {
    let world = World::new().await;
    let (status, first) = world.put(&id(), PDF, |_| ()).await;
    assert_eq!(status, 201);
    for _ in 0..2 {
        let (status, problem) = world.put(&id(), b"%PDF-1.7 other", |_| ()).await;
        assert_eq!((status, &problem["type"]), (409, &"conflict".into()));
    }
    assert_eq!(world.put(&id(), PDF, |_| ()).await, (200, first));
    let counts = world.receiver.inbox().counts().unwrap();
    assert_eq!((counts.deliveries, counts.conflicts), (1, 1));
    assert_eq!(world.refused("conflict"), 2);
    let conflicts = world.receiver.inbox().conflicts(10).unwrap();
    assert_eq!(conflicts[0].facts.sha256, Sha256::of(b"%PDF-1.7 other"));
    let audit = || std::fs::read_to_string(world.folder.path().join("audit.jsonl")).unwrap_or_default();
    for _ in 0..100 {
        if audit().lines().count() >= 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(audit().contains("\"conflict\""), "{}", audit());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_a_signature_can_fail_gets_one_text_and_stores_nothing() {
    let world = World::new().await;
    let id = id();
    let good = |world: &World| world.signed(&id, PDF, |_| (), &keys().0, |input| input);
    let mut said = Vec::new();
    said.push(world.send(&id, b"%PDF-1.7 not what was signed", good(&world)).await);
    said.push(
        world.send(&id, PDF, world.signed(&id, PDF, |_| (), &SigningKey::mint().unwrap(), |i| i)).await,
    );
    let spoiled = world.signed(&id, PDF, |_| (), &keys().0, |input| input.replace(" \"content-digest\"", ""));
    said.push(world.send(&id, PDF, spoiled).await);
    let mut unsigned = good(&world);
    unsigned.remove("signature");
    said.push(world.send(&id, PDF, unsigned).await);
    let mut moved = good(&world);
    moved.insert("hoso-recipient", "0".repeat(64).parse().unwrap());
    said.push(world.send(&id, PDF, moved).await);
    said.push(world.send(&"0".repeat(64), PDF, good(&world)).await);
    let mut wrong_digest = good(&world);
    wrong_digest.insert("content-digest", signature::content_digest(&Sha256::of(b"x")).parse().unwrap());
    said.push(world.send(&id, PDF, wrong_digest).await);
    for (at, minutes) in [(NOW - 301, "late"), (NOW + 301, "early")] {
        world.clock.store(at * 1000, Ordering::SeqCst);
        said.push(world.send(&id, PDF, good(&world)).await);
        assert_eq!(said.last().unwrap().0, 401, "{minutes}");
    }
    world.clock.store(NOW * 1000, Ordering::SeqCst);
    let twice = good(&world);
    assert_eq!(world.send(&id, PDF, twice.clone()).await.0, 201);
    said.push(world.send(&id, PDF, twice).await);
    assert_eq!(said[0].1["type"], "signature-invalid");
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert_eq!(world.deliveries().len(), 1);
    assert_eq!(world.refused("signature-invalid"), said.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_stays_used_after_a_restart() {
    let mut world = World::new().await;
    let headers = world.signed(&id(), PDF, |_| (), &keys().0, |input| input);
    assert_eq!(world.send(&id(), PDF, headers.clone()).await.0, 201);
    let address = world.sink.base.clone();
    world = World::over(world.dies().await).await;
    // The address is another now, and signatures cover it: what is judged here is what the register remembers.
    drop(address);
    let marks = world.receiver.inbox().nonces(NOW).await.unwrap();
    assert_eq!(marks.len(), 1);
    let gate =
        Gate::new("https://x", vec![Sender::new("a", vec![keys().0.public().unwrap()], 1)], marks).unwrap();
    let request = |headers: HeaderMap| {
        let mut request = axum::http::Request::put("https://x/v1").body(()).unwrap().into_parts().0;
        request.headers = headers;
        request
    };
    let nonce =
        headers["signature-input"].to_str().unwrap().split('"').find(|t| t.starts_with("n-")).unwrap();
    let sign = |nonce: &str| {
        let message = Message { method: "PUT", target_uri: "https://x/v1", headers: &HeaderMap::new() };
        let terms = Terms { created: NOW, expires: NOW + 300, nonce: nonce.into() };
        let (input, value) = signature::sign(&message, signature::COVERED_GET, &terms, &keys().0).unwrap();
        HeaderMap::from_iter([
            (HeaderName::from_static("signature-input"), input.parse().unwrap()),
            (HeaderName::from_static("signature"), value.parse().unwrap()),
        ])
    };
    assert!(gate.pass(&request(sign(nonce)), signature::COVERED_GET, NOW).is_err());
    assert!(gate.pass(&request(sign("fresh")), signature::COVERED_GET, NOW).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_document_for_this_place_is_refused_with_its_pointer() {
    let world = World::new().await;
    let id = id();
    let told = |said: (u16, Value)| (said.0, said.1["pointer"].as_str().unwrap_or_default().to_owned());
    let is = |status: u16, pointer: &str| (status, pointer.to_owned());
    assert_eq!(told(world.put(&id, &[b'x'; 1_000_001], |_| ()).await), is(413, "/document"));
    assert_eq!(told(world.put(&id, b"<html>", |_| ()).await), is(415, "/document"));
    let html =
        |headers: &mut HeaderMap| drop(headers.insert("content-type", HeaderValue::from_static("text/html")));
    assert_eq!(told(world.put(&id, PDF, html).await), is(415, "/document"));
    let locked = b"%PDF-1.7\ntrailer << /Encrypt 5 0 R >>";
    assert_eq!(told(world.put(&id, locked, |_| ()).await), is(422, "/document"));
    for bad in ["short", &id.to_uppercase(), &"g".repeat(64)] {
        assert_eq!(told(world.put(bad, PDF, |_| ()).await), is(422, "/delivery_id"), "{bad}");
    }
    let other = |name: &'static str, value: &'static str| {
        move |headers: &mut HeaderMap| drop(headers.insert(name, HeaderValue::from_static(value)))
    };
    assert_eq!(told(world.put(&id, PDF, other("idempotency-key", "x")).await), is(422, "/idempotency_key"));
    assert_eq!(
        told(world.put(&id, PDF, other("hoso-recipient", "001099000001")).await),
        is(422, "/recipient")
    );
    let jose = other("content-type", "application/jose");
    assert_eq!(told(world.put(&id, b"eyJ.A.A.A.A", jose).await), is(422, "/document_digest"));
    assert!(world.deliveries().is_empty());
    // Each of them is a dead letter at the sender, at once.
    let handle = handle();
    let parcel = Parcel { pdf: b"<html>", sha256: Sha256::of(b"<html>"), ..parcel(&handle) };
    let attempt = push(&world.client, &world.sink, &parcel, NOW).await;
    assert!(matches!(attempt, Attempt::Never(fault) if fault.code == &attempt::REFUSED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_does_not_follow_from_what_is_sent_is_refused_where_that_can_be_known() {
    let named = |mut sender: Sender| {
        sender.sink = Some("tinh".into());
        sender
    };
    let world = World::with(tempfile::tempdir().unwrap(), named).await;
    let (status, problem) = world.put(&"0".repeat(64), PDF, |_| ()).await;
    assert_eq!((status, &problem["pointer"]), (422, &"/delivery_id".into()));
    assert_eq!(world.put(&id(), PDF, |_| ()).await.0, 201);
    let handle = handle();
    let second = Parcel::new("tinh", &handle, 7, Sha256::of(PDF), PDF);
    assert!(matches!(push(&world.client, &world.sink, &second, NOW).await, Attempt::Delivered(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_one_delivery_with_one_receipt() {
    let world = Arc::new(World::new().await);
    let pushes: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.put(&id(), PDF, |_| ()).await })
        })
        .collect();
    let mut receipts = HashSet::new();
    for push in pushes {
        match push.await.unwrap() {
            (200 | 201, receipt) => drop(receipts.insert(receipt.to_string())),
            (409, problem) => assert_eq!(problem["type"], "in-progress"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((receipts.len(), world.deliveries().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_of_a_sender_are_good_while_it_changes_them_and_no_two_senders_share_one() {
    let (old, new) = (keys().0.clone(), SigningKey::mint().unwrap());
    let both = vec![old.public().unwrap(), new.public().unwrap()];
    let world = World::with(tempfile::tempdir().unwrap(), |_| Sender::new("xa", both.clone(), 10_000)).await;
    let sink = Sink { key: new, ..world.sink.clone() };
    let handle = handle();
    let Attempt::Delivered(first) = push(&world.client, &world.sink, &parcel(&handle), NOW).await else {
        panic!()
    };
    assert_eq!(push(&world.client, &sink, &parcel(&handle), NOW).await, Attempt::Delivered(first));
    let twice = vec![Sender::new("a", both.clone(), 1), Sender::new("b", both, 1)];
    assert_eq!(Gate::new("https://x", twice, Vec::new()).err().unwrap().code, &BAD_SENDER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_encrypted_for_the_station_is_opened_checked_and_receipted_as_it_came() {
    let world = World::new().await;
    let jwk = Jwk::of(&**opening_key()).unwrap().value();
    let handle = handle();
    let parcel = Parcel { key: Some(&jwk), ..parcel(&handle) };
    let Attempt::Delivered(first) = push(&world.client, &world.sink, &parcel, NOW).await else { panic!() };
    assert_eq!(push_again(&world.client, &world.sink, &parcel, NOW).await, Attempt::Delivered(first.clone()));
    let receipt = receipt::open_receipt(&first.0, &world.sink.receipt_keys).unwrap();
    assert_eq!(receipt.document_sha256, Some(Sha256::of(PDF)));
    assert_ne!(receipt.sha256, Sha256::of(PDF));
    let kept = &world.deliveries()[0];
    let came = world.receiver.setup.blobs.get(&kept.blob).unwrap();
    assert!(came.starts_with(b"ey") && Sha256::of(&came) == receipt.sha256);
    let laid = world.folder.path().join("out/inbox").join(format!("{}.pdf", parcel.delivery_id));
    for _ in 0..200 {
        if laid.is_file() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(std::fs::read(laid).unwrap(), PDF);
    // For somebody else's key, or with another document inside than it says.
    let foreign = SigningKey::mint().unwrap();
    let foreign = Jwk::of_signer(&foreign).unwrap().value();
    let other = Parcel { key: Some(&foreign), ..Parcel::new("tinh", &handle, 2, Sha256::of(PDF), PDF) };
    assert!(matches!(push(&world.client, &world.sink, &other, NOW).await, Attempt::Never(_)));
    assert_eq!(world.refused("undecryptable"), 1);
    let jose = |headers: &mut HeaderMap| {
        headers.insert("content-type", HeaderValue::from_static("application/jose"));
        let digest = signature::content_digest(&Sha256::of(b"another"));
        headers.insert(signature::DOCUMENT_DIGEST, HeaderValue::from_str(&digest).unwrap());
    };
    let (status, problem) = world.put(&"1".repeat(64), &came, jose).await;
    assert_eq!((status, &problem["pointer"]), (422, &"/document_digest".into()));
    assert_eq!(world.deliveries().len(), 1);
}

/// A document of so many bytes.
fn large(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.extend((0..bytes).map(|at| (at % 251) as u8));
    pdf
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_document_goes_on_where_it_broke_off_even_after_a_restart() {
    let roomy = |_| Sender::new("xa", vec![keys().0.public().unwrap()], 64 << 20);
    let world = World::with(tempfile::tempdir().unwrap(), roomy).await;
    let pdf = large(5 << 20);
    let handle = handle();
    let parcel = Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf);
    // What an earlier attempt left: three parts.
    let (id, whole) = (parts::key("xa", &parcel.delivery_id), parcel.sha256);
    for at in 0..3u64 {
        let part = &pdf[usize::try_from(at << 20).unwrap()..][..1 << 20];
        world.receiver.parts.add(&id, &whole, at << 20, pdf.len() as u64, part).unwrap();
    }
    let world = World::with(world.dies().await, roomy).await;
    assert_eq!(world.receiver.parts.safe(&id), 3 << 20);
    let Attempt::Delivered(first) = push_again(&world.client, &world.sink, &parcel, NOW).await else {
        panic!()
    };
    assert_eq!(push(&world.client, &world.sink, &parcel, NOW).await, Attempt::Delivered(first));
    assert_eq!(world.receiver.parts.safe(&id), 0);
    let kept = world.deliveries();
    assert_eq!((kept.len(), world.receiver.setup.blobs.get(&kept[0].blob).unwrap()), (1, pdf.clone()));
    // The first attempt, from its beginning, meeting parts of a torn file: it starts over by itself.
    let second = Parcel::new("tinh", &handle, 2, Sha256::of(&pdf), &pdf);
    world
        .receiver
        .parts
        .add(&parts::key("xa", &second.delivery_id), &whole, 0, pdf.len() as u64, &[0; 1 << 20])
        .unwrap();
    assert!(matches!(push(&world.client, &world.sink, &second, NOW).await, Attempt::Delivered(_)));
    // Too large for this sender, in parts as well as whole.
    let small = |_| Sender::new("xa", vec![keys().0.public().unwrap()], 5 << 20);
    let world = World::with(tempfile::tempdir().unwrap(), small).await;
    let attempt = push(&world.client, &world.sink, &parcel, NOW).await;
    assert!(matches!(attempt, Attempt::Never(fault) if fault.code == &attempt::REFUSED));
    assert_eq!(world.refused("too-large"), 1);
}
