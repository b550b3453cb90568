//! The receiving side of push v1 ([`crate::deliver::push`]): a commune sends to its province, an office to a wallet's back end.
//!
//! What is answered with a receipt is on the disk: first its bytes as a blob, then one row that names them and holds the receipt. The
//! same delivery again gets the first receipt, byte for byte; other bytes under its id are never taken, and that is an alarm. Nothing
//! of a body is looked at before its signature holds, and nothing of it is ever logged.

mod audit;
mod by_parts;
mod checks;
mod gate;
pub mod inbox;
mod keep;
mod lay;
mod parts;

pub use audit::Audit;
pub use gate::{BAD_SENDER, Gate, Sender};
pub use parts::NO_ROOM;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::deliver::signature;
use crate::deliver::wire_key::SigningKey;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault};
use crate::serve::body::{self, TOO_LARGE};
use crate::serve::problem::Problem;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, Request, State};
use axum::http::request::Parts as Head;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use checks::Envelope;
use gate::Passed;
use inbox::Inbox;
use openssl::pkey::{PKey, Private};
use parts::Parts;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// What a receiver is set up with.
pub struct Setup {
    /// Its name on receipts.
    pub name: String,
    /// What it signs receipts with.
    pub receipt_key: SigningKey,
    /// What opens documents that were encrypted for this station; none: they are kept as they came.
    pub opening_keys: Vec<PKey<Private>>,
    /// Who may send.
    pub gate: Gate,
    /// The register.
    pub inbox: Inbox,
    /// Where the bytes go.
    pub blobs: Arc<Blobs>,
    /// Where documents that come in parts grow: `var/inbox`.
    pub parts: PathBuf,
    /// Where people find them: `out/inbox`.
    pub out: PathBuf,
    /// Where refusals are written down.
    pub audit: Audit,
    /// What time it is.
    pub clock: Clock,
}

/// A receiver at work.
pub struct Receiver {
    parts: Parts,
    setup: Setup,
    /// Deliveries that are being stored.
    in_progress: Mutex<HashSet<Sha256>>,
    /// Room for bodies in memory, in pieces of [`PIECE`].
    room: Arc<Semaphore>,
    /// Bodies that are written to the disk at once.
    disk: Semaphore,
    arrived: Notify,
    tally: Tally,
}

/// What happened since the program was started, for whoever watches it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Deliveries that were new.
    pub received: AtomicU64,
    /// Deliveries that were here already.
    pub repeated: AtomicU64,
    /// Requests that were refused, by the `type` of the answer.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tally {
    /// Requests that were refused, by the `type` of the answer.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, kind: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }
}

impl Receiver {
    /// A receiver that is ready to be asked.
    pub fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Receiver {
            parts: Parts::over(setup.parts.clone()),
            setup,
            in_progress: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM / PIECE)),
            disk: Semaphore::new(AT_ONCE),
            arrived: Notify::new(),
            tally: Tally::default(),
        })
    }

    /// The endpoints below `path` (empty, or `/a/b`), to be [`dressed`](super::front::dressed).
    pub fn router(self: &Arc<Self>, path: &str) -> Router {
        Router::new()
            .route(&format!("{path}/v1/deliveries/{{id}}"), put(deliver).get(ask).patch(part))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(self))
    }

    /// The register of what arrived.
    pub fn inbox(&self) -> &Inbox {
        &self.setup.inbox
    }

    /// What happened since the start.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Lays what arrives into `out/inbox/` until it is told to stop; what a crash left undone first.
    pub async fn lay_out(self: Arc<Self>, stop: CancellationToken) {
        let setup = &self.setup;
        let place = (setup.out.as_path(), setup.opening_keys.as_slice());
        lay::until(&setup.inbox, &setup.blobs, place, &self.arrived, &stop).await;
    }

    fn in_progress(&self) -> MutexGuard<'_, HashSet<Sha256>> {
        self.in_progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, parts: &Head, covered: &[&str]) -> Result<Passed, Problem> {
        self.setup
            .gate
            .pass(parts, covered, self.setup.clock.now_ms() / 1000)
            .map_err(|fault| self.unsigned(&fault))
    }

    /// One answer for every way a signature can fail: a forger learns nothing from it.
    fn unsigned(&self, fault: &Fault) -> Problem {
        self.setup.audit.note("signature-invalid", fault);
        SIGNATURE_INVALID
    }

    /// Takes one PUT.
    async fn take(
        self: &Arc<Self>,
        id: &str,
        parts: &Head,
        body: Body,
    ) -> Result<(StatusCode, Bytes), Problem> {
        let Begun { envelope, passed, bytes, room } = self.begin(id, parts, body, true).await?;
        let at_it = AtIt::begin(self, envelope.id).ok_or(IN_PROGRESS)?;
        let told = signature::single(&parts.headers, "content-digest").and_then(signature::read_digest);
        // From here on it runs to its end, even when the sender hangs up.
        let receiver = Arc::clone(self);
        let keeping = tokio::spawn(async move {
            let _until_the_end = (at_it, room);
            receiver.keep(envelope, passed, told, bytes).await
        });
        keeping.await.unwrap_or(Err(FAILED))
    }

    /// What is the same for a whole document and a part of it: who sends, what the head says, the bytes.
    async fn begin(&self, id: &str, parts: &Head, body: Body, whole: bool) -> Result<Begun, Problem> {
        let begun = self.pass(parts, &checks::covered(&parts.headers, whole)).and_then(|passed| {
            let envelope = Envelope::read(&parts.headers, id, &passed.sender)?;
            let partial =
                signature::single(&parts.headers, "content-type") == Some("application/partial-upload");
            if partial == whole {
                return Err(checks::NOT_A_PDF);
            }
            let limit = if whole { passed.sender.largest } else { passed.sender.largest.min(LARGEST_PART) };
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let announced = body::announced(&parts.headers);
            if announced.is_some_and(|length| length > limit) {
                Err(TOO_LARGE)
            } else {
                Ok((passed, envelope, limit, announced))
            }
        });
        let (passed, envelope, limit, announced) = match begun {
            Ok(begun) => begun,
            Err(problem) => return Err(body::drained(body, problem).await),
        };
        let room = self.room_for(announced.unwrap_or(limit)).await?;
        let bytes = body::read(body, announced, limit).await?;
        Ok(Begun { envelope, passed, bytes, room })
    }

    /// Waits for room in memory.
    async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let pieces = u32::try_from(bytes.min(ROOM).div_ceil(PIECE)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(pieces).await.map_err(|_| FAILED)
    }

    /// Answers one GET.
    async fn answer(&self, id: &str, parts: &Head) -> Result<Bytes, Problem> {
        let passed = self.pass(parts, signature::COVERED_GET)?;
        let used = self.setup.inbox.use_up(passed.mark);
        let found = match checks::exact_hex(id) {
            None => Ok(None),
            Some(id) => {
                let inbox = self.setup.inbox.clone();
                tokio::task::spawn_blocking(move || inbox.look(&id))
                    .await
                    .unwrap_or_else(|_| Err(Fault::new(&FAILURE)))
            }
        };
        used.await.map_err(|fault| failed(&fault))?;
        match found.map_err(|fault| failed(&fault))? {
            // Another's receipt is none of theirs.
            Some(delivery) if delivery.sender == passed.sender.name => Ok(delivery.receipt.into()),
            _ => {
                let own = |id| parts::key(&passed.sender.name, &id);
                let safe = checks::exact_hex(id).map_or(0, |id| self.parts.safe(&own(id)));
                Err(UNKNOWN.with_safe(safe))
            }
        }
    }
}

/// A request whose body is here.
struct Begun {
    envelope: Envelope,
    passed: Passed,
    bytes: Bytes,
    room: OwnedSemaphorePermit,
}

/// A delivery that is being stored; until this is dropped nobody else stores it.
struct AtIt {
    receiver: Arc<Receiver>,
    id: Sha256,
}

impl AtIt {
    fn begin(receiver: &Arc<Receiver>, id: Sha256) -> Option<Self> {
        let fresh = receiver.in_progress().insert(id);
        fresh.then(|| AtIt { receiver: Arc::clone(receiver), id })
    }
}

impl Drop for AtIt {
    fn drop(&mut self) {
        self.receiver.in_progress().remove(&self.id);
    }
}

type App = State<Arc<Receiver>>;
type Id = Result<UrlPath<String>, PathRejection>;

async fn deliver(State(receiver): App, id: Id, request: Request) -> Response {
    let id = id.map(|UrlPath(id)| id).unwrap_or_default();
    let (parts, body) = request.into_parts();
    match receiver.take(&id, &parts, body).await {
        Ok((status, receipt)) => receipted(status, receipt),
        Err(problem) => refused(&receiver, problem),
    }
}

async fn part(State(receiver): App, id: Id, request: Request) -> Response {
    let id = id.map(|UrlPath(id)| id).unwrap_or_default();
    let (parts, body) = request.into_parts();
    match receiver.take_part(&id, &parts, body).await {
        Ok(Ok(safe)) => (StatusCode::NO_CONTENT, [("upload-offset", safe.to_string())]).into_response(),
        Ok(Err((status, receipt))) => receipted(status, receipt),
        Err(problem) => refused(&receiver, problem),
    }
}

async fn ask(State(receiver): App, id: Id, request: Request) -> Response {
    let id = id.map(|UrlPath(id)| id).unwrap_or_default();
    let (parts, _) = request.into_parts();
    match receiver.answer(&id, &parts).await {
        Ok(receipt) => receipted(StatusCode::OK, receipt),
        Err(problem) => refused(&receiver, problem),
    }
}

fn receipted(status: StatusCode, receipt: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/jose+json")], receipt).into_response()
}

fn refused(receiver: &Receiver, problem: Problem) -> Response {
    // That something is not here yet is an answer, not a refusal.
    if problem.kind != UNKNOWN.kind {
        receiver.tally.refuse(problem.kind);
    }
    problem.into_response()
}

fn failed(fault: &Fault) -> Problem {
    tracing::error!(code = fault.code.id, detail = fault.detail.as_deref(), "a delivery could not be kept");
    FAILED
}

/// Memory for bodies that are read at once, bytes.
const ROOM: usize = 256 << 20;
const PIECE: usize = 64 << 10;
/// Bodies written to the disk at once: their flushes share the file system's own commits.
const AT_ONCE: usize = 64;
/// The largest part of a document that comes in parts, bytes.
const LARGEST_PART: u64 = 8 << 20;

const SIGNATURE_INVALID: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "signature-invalid",
    "the request is not signed as it must be (RFC 9421, RFC 9530)",
);
const IN_PROGRESS: Problem =
    Problem::new(StatusCode::CONFLICT, "in-progress", "this delivery is being stored").after(1);
const ELSEWHERE: Problem =
    Problem::new(StatusCode::CONFLICT, "upload-offset", "the part does not begin where what is safe ends");
const CONFLICTING: Problem =
    Problem::at(StatusCode::CONFLICT, "conflict", "/document", "other bytes are here under this delivery id");
const UNKNOWN: Problem = Problem::new(StatusCode::NOT_FOUND, "unknown", "this delivery is not here");
const FAILED: Problem =
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "it could not be stored; try again")
        .after(5);

/// Two documents under one delivery id.
pub const CONFLICT: Code = Code {
    id: "HTTP-023",
    class: Class::Person,
    vi: "Có bên gửi tài liệu khác dưới cùng một mã gửi; bản đầu được giữ nguyên",
    en: "other bytes were sent under a delivery id that is taken; the first ones stay",
    remedy_vi: "Đối chiếu với bên gửi ngay; xem `hoso inbox list`",
    remedy_en: "compare with the sender at once; see `hoso inbox list`",
};

/// A task of the receiver ended.
pub const FAILURE: Code = Code {
    id: "HTTP-024",
    class: Class::Inner,
    vi: "Bộ nhận tài liệu gặp lỗi bên trong",
    en: "the receiver failed inside",
    remedy_vi: "Báo cho người phát triển phần mềm",
    remedy_en: "report this to the developers",
};

#[cfg(test)]
mod tests;
