//! A stand-in for a citizen's wallet service: the receiving side of push v1 ([`crate::deliver::push`]), strictly.
//!
//! It keeps each PDF (or JWE, as it came) under its delivery id and the first receipt byte for byte; the line in `effects.jsonl` is
//! the moment a delivery is taken.

use super::effects::{self, EffectLog};
use super::loopback::Cut;
use super::mischief::Fates;
use crate::deliver::receipt::{self, Facts};
use crate::deliver::signature::{self, Message, Verified};
use crate::deliver::wire_key::{SigningKey, VerifyingKey};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header, request};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a wallet is set up with.
#[derive(Debug)]
pub struct Setup {
    /// Its own address, as senders write it; signatures cover it.
    pub base: String,
    /// Where it keeps what it took.
    pub state: PathBuf,
    /// Its name on receipts.
    pub name: String,
    /// What it signs receipts with.
    pub receipt_key: SigningKey,
    /// Who may send.
    pub senders: Vec<VerifyingKey>,
    /// The largest PDF that it takes, bytes.
    pub largest: usize,
}

/// A wallet over what its state folder holds.
///
/// # Errors
/// [`NO_SENDERS`], a state folder that cannot be used.
pub fn router(setup: Setup, fates: Fates) -> Outcome<Router> {
    let wallet = Wallet::open(setup, fates)?;
    Ok(Router::new()
        .route("/v1/deliveries/{id}", put(deliver).get(ask).patch(part))
        .with_state(Arc::new(wallet)))
}

struct Wallet {
    setup: Setup,
    fates: Fates,
    log: EffectLog,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    deliveries: HashMap<Sha256, (Facts, Bytes)>,
    in_progress: HashSet<Sha256>,
    /// Documents that come in parts: the digest of the whole, and what is here of it.
    parts: HashMap<Sha256, (Sha256, Vec<u8>)>,
    /// Nonces seen, each with the second after which its signature is refused anyway.
    nonces: HashMap<(String, String), i64>,
}

/// One line of `effects.jsonl`.
#[derive(Serialize, Deserialize)]
struct Effect {
    delivery_id: Sha256,
    sha256: Sha256,
    size: u64,
    received_at: jiff::Timestamp,
    receipt: String,
    /// Digest of the document inside, as its sender told it, where what came is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document_sha256: Option<Sha256>,
}

impl Wallet {
    fn open(setup: Setup, fates: Fates) -> Outcome<Self> {
        if setup.senders.is_empty() {
            return Err(Fault::new(&NO_SENDERS));
        }
        let (log, taken) = EffectLog::open::<Effect>(&setup.state)?;
        let mut kept = Kept::default();
        for effect in taken {
            let there = std::fs::metadata(setup.state.join(format!("{}.pdf", effect.delivery_id)));
            if !there.is_ok_and(|file| file.len() == effect.size) {
                return Err(Fault::new(&effects::STATE_BROKEN).at(format!("{}.pdf", effect.delivery_id)));
            }
            let facts = Facts { delivery_id: effect.delivery_id, sha256: effect.sha256, size: effect.size };
            if kept.deliveries.insert(effect.delivery_id, (facts, effect.receipt.into())).is_some() {
                return Err(Fault::new(&effects::STATE_BROKEN).detail("one delivery twice"));
            }
        }
        Ok(Wallet { setup, fates, log, kept: Mutex::new(kept) })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks who sends, and that it was not sent before.
    fn admit(&self, parts: &request::Parts, covered: &[&str]) -> Outcome<()> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let target_uri = format!("{}{path}", self.setup.base.trim_end_matches('/'));
        let message =
            Message { method: parts.method.as_str(), target_uri: &target_uri, headers: &parts.headers };
        let now = jiff::Timestamp::now().as_second();
        let Verified { keyid, terms } = signature::verify(&message, covered, &self.setup.senders, now)?;
        let nonces = &mut self.kept().nonces;
        if nonces.len() >= 100_000 {
            nonces.retain(|_, useless_from| *useless_from >= now);
        }
        match nonces.insert((keyid, terms.nonce), terms.created.saturating_add(signature::WINDOW)) {
            None => Ok(()),
            Some(_) => Err(Fault::new(&signature::STALE).detail("nonce seen")),
        }
    }

    /// Keeps a delivery and signs for it. From here on it runs to its end, even when the sender hangs up.
    async fn keep(self: Arc<Self>, facts: Facts, document: Option<Sha256>, pdf: Bytes) -> Outcome<Bytes> {
        let received_at = jiff::Timestamp::now();
        let (name, key) = (&self.setup.name, &self.setup.receipt_key);
        let receipt = receipt::write_receipt_of(&facts, document, received_at, name, key)?;
        let folder = self.setup.state.clone();
        let stored = tokio::task::spawn_blocking(move || store(&folder, &facts.delivery_id, &pdf)).await;
        if !matches!(stored, Ok(Ok(()))) {
            return Err(Fault::new(&effects::STATE_UNUSABLE));
        }
        let text = String::from_utf8_lossy(&receipt).into_owned();
        let Facts { delivery_id, sha256, size } = facts;
        let document_sha256 = document;
        self.log
            .append(&Effect { delivery_id, sha256, size, received_at, receipt: text, document_sha256 })
            .await?;
        let receipt = Bytes::from(receipt);
        self.kept().deliveries.insert(delivery_id, (facts, receipt.clone()));
        Ok(receipt)
    }
}

async fn deliver(
    State(wallet): State<Arc<Wallet>>,
    UrlPath(id): UrlPath<String>,
    request: Request,
) -> Response {
    let fate = wallet.fates.next().await;
    let cut = Cut::of(request.extensions());
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let answer = take(&wallet, &id, request).await;
    fate.spoil(cut, answer)
}

async fn take(wallet: &Arc<Wallet>, id: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let pdf = match axum::body::to_bytes(body, wallet.setup.largest).await {
        Ok(pdf) => pdf,
        Err(error) if error.to_string().contains("length limit") => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
        }
        // A line that broke on the way says nothing of the document: whoever sent it shall try again.
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "cut-off"),
    };
    let sha256 = Sha256::of(&pdf);
    let covered = covered(&parts.headers, signature::COVERED_PUT);
    let genuine =
        signature::check_digest(&parts.headers, &sha256).and_then(|()| wallet.admit(&parts, &covered));
    if let Err(fault) = genuine {
        return unsigned(&fault);
    }
    whole(wallet, id, &parts.headers, pdf, sha256).await
}

/// A document that is here whole, whether it came so or in parts.
async fn whole(wallet: &Arc<Wallet>, id: &str, headers: &HeaderMap, pdf: Bytes, sha256: Sha256) -> Response {
    let Some(delivery_id) = exact_hex(id) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "delivery-id");
    };
    let document = match acceptable(headers, id, &pdf) {
        Ok(document) => document,
        Err((status, what)) => return problem(status, what),
    };
    let facts = Facts { delivery_id, sha256, size: pdf.len() as u64 };
    {
        let mut kept = wallet.kept();
        match kept.deliveries.get(&delivery_id) {
            Some((first, receipt)) if *first == facts => return receipted(StatusCode::OK, receipt.clone()),
            Some(_) => return problem(StatusCode::CONFLICT, "conflict"),
            None => {}
        }
        if !kept.in_progress.insert(delivery_id) {
            return problem(StatusCode::CONFLICT, "in-progress");
        }
    }
    let keeping = tokio::spawn({
        let wallet = Arc::clone(wallet);
        async move {
            let kept = Arc::clone(&wallet).keep(facts, document, pdf).await;
            wallet.kept().in_progress.remove(&delivery_id);
            kept
        }
    });
    match keeping.await {
        Ok(Ok(receipt)) => receipted(StatusCode::CREATED, receipt),
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    }
}

async fn ask(State(wallet): State<Arc<Wallet>>, UrlPath(id): UrlPath<String>, request: Request) -> Response {
    let fate = wallet.fates.next().await;
    let cut = Cut::of(request.extensions());
    let (parts, _) = request.into_parts();
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let answer = match wallet.admit(&parts, signature::COVERED_GET) {
        Err(fault) => unsigned(&fault),
        Ok(()) => {
            let found =
                exact_hex(&id).and_then(|id| wallet.kept().deliveries.get(&id).map(|kept| kept.1.clone()));
            match found {
                Some(receipt) => receipted(StatusCode::OK, receipt),
                None => {
                    let safe =
                        exact_hex(&id).and_then(|id| wallet.kept().parts.get(&id).map(|part| part.1.len()));
                    at(safe.unwrap_or(0), problem(StatusCode::NOT_FOUND, "unknown"))
                }
            }
        }
    };
    fate.spoil(cut, answer)
}

/// A part of a large document. They are kept in memory: a stand-in that is started anew has none of it, and says so.
async fn part(State(wallet): State<Arc<Wallet>>, UrlPath(id): UrlPath<String>, request: Request) -> Response {
    let fate = wallet.fates.next().await;
    let cut = Cut::of(request.extensions());
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let answer = take_part(&wallet, &id, request).await;
    fate.spoil(cut, answer)
}

async fn take_part(wallet: &Arc<Wallet>, id: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(piece) = axum::body::to_bytes(body, wallet.setup.largest).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    };
    let covered = covered(&parts.headers, signature::COVERED_PATCH);
    let genuine = signature::check_digest(&parts.headers, &Sha256::of(&piece))
        .and_then(|()| wallet.admit(&parts, &covered));
    if let Err(fault) = genuine {
        return unsigned(&fault);
    }
    let text = |name| signature::single(&parts.headers, name);
    let number = |name| text(name).and_then(|text| text.parse::<usize>().ok());
    let told = text("repr-digest").and_then(signature::read_digest);
    let (Some(delivery), Some(told), Some(begin), Some(length)) =
        (exact_hex(id), told, number("upload-offset"), number("upload-length"))
    else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "part");
    };
    if length > wallet.setup.largest || begin.saturating_add(piece.len()) > length {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    }
    let bytes = {
        let mut kept = wallet.kept();
        let growing = kept.parts.entry(delivery).or_insert_with(|| (told, Vec::new()));
        if growing.0 != told && begin == 0 {
            *growing = (told, Vec::new());
        }
        if growing.0 != told || growing.1.len() != begin {
            let safe = if growing.0 == told { growing.1.len() } else { 0 };
            return at(safe, problem(StatusCode::CONFLICT, "upload-offset"));
        }
        growing.1.extend_from_slice(&piece);
        if growing.1.len() < length {
            return at(growing.1.len(), StatusCode::NO_CONTENT.into_response());
        }
        kept.parts.remove(&delivery).map(|(_, bytes)| bytes).unwrap_or_default()
    };
    let sha256 = Sha256::of(&bytes);
    if sha256 != told {
        return at(0, problem(StatusCode::CONFLICT, "upload-offset"));
    }
    whole(wallet, id, &parts.headers, bytes.into(), sha256).await
}

/// An answer that says how much of a document is here.
fn at(safe: usize, mut answer: Response) -> Response {
    answer.headers_mut().insert("upload-offset", header::HeaderValue::from(safe));
    answer
}

/// What a signature has to cover: of an encrypted document also what is inside.
fn covered(headers: &HeaderMap, always: &[&'static str]) -> Vec<&'static str> {
    let named = headers.contains_key(signature::DOCUMENT_DIGEST).then_some(signature::DOCUMENT_DIGEST);
    always.iter().copied().chain(named).collect()
}

/// What must hold of a signed document besides its signature; gives the digest of the document inside, where it is encrypted.
fn acceptable(
    headers: &HeaderMap,
    id: &str,
    pdf: &[u8],
) -> Result<Option<Sha256>, (StatusCode, &'static str)> {
    if signature::single(headers, "idempotency-key") != Some(id) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key"));
    }
    if signature::single(headers, "hoso-recipient").and_then(exact_hex).is_none() {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "recipient"));
    }
    let not_a_pdf = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-pdf");
    let kind = signature::single(headers, "content-type");
    if headers.contains_key(signature::DOCUMENT_DIGEST) {
        let told = signature::single(headers, signature::DOCUMENT_DIGEST).and_then(signature::read_digest);
        let jwe = matches!(kind, Some("application/jose" | "application/partial-upload"));
        let five = pdf.starts_with(b"ey") && pdf.iter().filter(|byte| **byte == b'.').count() == 4;
        return match told {
            Some(document) if jwe && five => Ok(Some(document)),
            Some(_) => Err(not_a_pdf),
            None => Err((StatusCode::UNPROCESSABLE_ENTITY, "document-digest")),
        };
    }
    let named = matches!(kind, Some("application/pdf" | "application/partial-upload"));
    if !named || !pdf.starts_with(b"%PDF-") {
        return Err(not_a_pdf);
    }
    // A wallet that cannot open it cannot show it.
    if crate::pdf::revise::is_locked(pdf) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "encrypted"));
    }
    Ok(None)
}

/// 64 lower-case digits and nothing else.
fn exact_hex(text: &str) -> Option<Sha256> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { text.parse().ok() }
}

fn store(folder: &Path, id: &Sha256, pdf: &[u8]) -> std::io::Result<()> {
    let unfinished = folder.join(format!("{id}.part"));
    let mut file = File::create(&unfinished)?;
    file.write_all(pdf)?;
    file.sync_all()?;
    std::fs::rename(unfinished, folder.join(format!("{id}.pdf")))?;
    effects::sync_folder(folder)
}

fn receipted(status: StatusCode, receipt: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/jose+json")], receipt).into_response()
}

/// One answer for every way a signature can fail: a forger learns nothing from it.
fn unsigned(fault: &Fault) -> Response {
    tracing::warn!(code = fault.code.id, detail = fault.detail.as_deref(), "a request was not taken");
    problem(StatusCode::UNAUTHORIZED, "signature-invalid")
}

fn problem(status: StatusCode, r#type: &str) -> Response {
    let body = serde_json::json!({ "type": r#type, "status": status.as_u16() }).to_string();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// A wallet that would have to take deliveries from anyone, or from no one.
pub const NO_SENDERS: Code = Code {
    id: "MOCK-006",
    class: Class::Setup,
    vi: "Ví giả lập chưa biết nhận tài liệu của ai",
    en: "the wallet stand-in knows no sender",
    remedy_vi: "Khai khóa công khai hoặc chứng thư của bên gửi bằng --sender",
    remedy_en: "name the sender's public key or certificate with --sender",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::attempt::{self, Attempt};
    use crate::deliver::link::{self, Line};
    use crate::deliver::outbox::{AttemptOutcome, Backoff, Decision, next_attempt};
    use crate::deliver::push::{
        NOT_RECOGNISED, Parcel, Probe, RecipientHandle, Sink, probe, push, push_again,
    };
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
        let stored =
            std::fs::read(world.folder.path().join(format!("{}.pdf", effects[0].delivery_id))).unwrap();
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
        let (input, value) =
            signature::sign(&message, signature::COVERED_GET, &terms, &world.sink.key).unwrap();
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
        assert!(
            !std::fs::read_to_string(folder.path().join("effects.jsonl")).unwrap().contains("001099000001")
        );
    }
}
