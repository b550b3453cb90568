//! A stand-in for a citizen's wallet service: the receiving side of push v1 ([`crate::deliver::push`]), strictly.
//!
//! It keeps each PDF (or JWE, as it came) under its delivery id and the first receipt byte for byte; the line in `effects.jsonl` is
//! the moment a delivery is taken.

mod parts;
mod rules;

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
use parts::part;
use rules::{acceptable, covered, exact_hex};
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

/// An answer that says how much of a document is here.
fn at(safe: usize, mut answer: Response) -> Response {
    answer.headers_mut().insert("upload-offset", header::HeaderValue::from(safe));
    answer
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
mod tests;
