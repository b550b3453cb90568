//! Whether this place runs (`/healthz`) and whether it could do its work now (`/readyz`): ledger, register, blobs, log, room on the
//! disk, clock. What is looked at is the thing itself, and no more often than once a second, whoever asks.

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::deliver::credential::register::Register as _;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::sqlite::look::Look;
use crate::serve::issuer::store::Store;
use crate::serve::receiver::inbox::Inbox;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What is looked at.
pub struct Health {
    /// The station's `var/`.
    pub var: PathBuf,
    /// The ledger.
    pub ledger: Look,
    /// The store of bytes.
    pub blobs: Arc<Blobs>,
    /// The register of what arrived, where there is a receiver.
    pub inbox: Option<Inbox>,
    /// The register of credentials, where there is an issuer.
    pub issuer: Option<Arc<Store>>,
    /// What time it is.
    pub clock: Clock,
}

/// What was seen last, and when.
struct Seen {
    health: Arc<Health>,
    last: Mutex<Option<(Instant, bool, String)>>,
    begun: (Instant, i64),
}

/// The endpoints, at the root and below a public path, to be [`dressed`](super::front::dressed).
pub fn router(health: Arc<Health>, path: &str) -> Router {
    let begun = (Instant::now(), health.clock.now_ms());
    let seen = Arc::new(Seen { health, last: Mutex::default(), begun });
    let mut router = Router::new();
    for base in if path.is_empty() { vec![""] } else { vec!["", path] } {
        router = router
            .route(&format!("{base}/healthz"), get(async || "ok\n"))
            .route(&format!("{base}/readyz"), get(ready));
    }
    router.with_state(seen)
}

async fn ready(State(seen): State<Arc<Seen>>) -> Response {
    let mut last = seen.last.lock().await;
    if last.as_ref().is_none_or(|(at, ..)| at.elapsed() >= FRESH) {
        let (good, said) = look(&seen).await;
        *last = Some((Instant::now(), good, said));
    }
    let (good, said) = last.as_ref().map_or((false, String::new()), |(_, good, said)| (*good, said.clone()));
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], said).into_response()
}

async fn look(seen: &Seen) -> (bool, String) {
    let (health, begun) = (Arc::clone(&seen.health), seen.begun);
    let files = tokio::task::spawn_blocking(move || {
        vec![
            ("ledger", health.ledger.ready()),
            ("blobs", health.blobs.lay(&health.var.join(".ready"), b"")),
            ("log", logged(&health.var).map(|_| ())),
            ("disk", room(&health.var)),
            ("clock", time(&health.var, health.clock.now_ms(), begun)),
        ]
    });
    let mut seen_now = files.await.unwrap_or_else(|_| vec![("files", Err(Fault::new(&NOT_READY)))]);
    if let Some(inbox) = &seen.health.inbox {
        seen_now.push(("inbox", inbox.ready().await));
    }
    if let Some(issuer) = &seen.health.issuer {
        seen_now.push(("issuer", issuer.ready().await));
    }
    let good = seen_now.iter().all(|(_, seen)| seen.is_ok());
    let checks: Map<String, Value> = seen_now
        .into_iter()
        .map(|(name, seen)| {
            (name.to_owned(), seen.map_or_else(|fault| fault.code.id.into(), |()| "ok".into()))
        })
        .collect();
    (good, json!({ "ready": good, "checks": checks }).to_string())
}

/// How many leaves the log's signed head counts; none where nothing was logged yet (C2SP tlog-checkpoint, second line).
///
/// # Errors
/// [`NOT_READY`] where the log's folder is there and its head cannot be read.
pub fn logged(var: &Path) -> Outcome<Option<u64>> {
    let folder = var.join("log");
    if !folder.is_dir() {
        return Ok(None);
    }
    let unreadable = || Fault::new(&NOT_READY).at("log");
    let text = std::fs::read_to_string(folder.join("checkpoint")).map_err(|_| unreadable())?;
    text.lines().nth(1).and_then(|line| line.parse().ok()).map(Some).ok_or_else(unreadable)
}

/// Bytes that are free for this program.
pub fn free(var: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(var).ok()?;
    about.f_bavail.checked_mul(about.f_frsize)
}

fn room(var: &Path) -> Outcome<()> {
    let free = free(var).ok_or_else(|| Fault::new(&NOT_READY).at("disk"))?;
    if free >= LEAST_ROOM { Ok(()) } else { Err(Fault::new(&NO_ROOM).detail(format!("{free} bytes free"))) }
}

/// A clock that runs, did not jump since the start, and is not before what was written here last.
fn time(var: &Path, now: i64, (begun, then): (Instant, i64)) -> Outcome<()> {
    let ran = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    let jumped = now.saturating_sub(then).abs_diff(ran) > JUMP;
    let written = std::fs::metadata(var.join("ledger.db")).and_then(|about| about.modified()).ok();
    let written = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let before = written.is_some_and(|at| {
        i64::try_from(at.as_millis()).is_ok_and(|at| at > now.saturating_add(JUMP.cast_signed()))
    });
    if jumped || before { Err(Fault::new(&CLOCK)) } else { Ok(()) }
}

/// What was seen is told again for so long.
const FRESH: Duration = Duration::from_secs(1);
/// Least room on the disk, bytes: one large batch and what is made of it.
const LEAST_ROOM: u64 = 512 << 20;
/// How far a clock may be moved by whoever keeps it right, ms: as far as signatures may be off.
const JUMP: u64 = 300_000;

/// Something that the work needs is not there.
pub const NOT_READY: Code = Code {
    id: "HTTP-030",
    class: Class::Later,
    vi: "Trạm chưa sẵn sàng làm việc",
    en: "the station is not ready to work",
    remedy_vi: "Xem mục nào không \"ok\" trong /readyz rồi kiểm tra thư mục var/",
    remedy_en: "see in /readyz what is not \"ok\", then look at var/",
};

/// The disk is nearly full.
pub const NO_ROOM: Code = Code {
    id: "HTTP-031",
    class: Class::Later,
    vi: "Đĩa sắp đầy",
    en: "the disk is nearly full",
    remedy_vi: "Giải phóng hoặc mở rộng đĩa chứa thư mục var/",
    remedy_en: "free or enlarge the disk that holds var/",
};

/// A clock that cannot be right.
pub const CLOCK: Code = Code {
    id: "HTTP-032",
    class: Class::Setup,
    vi: "Đồng hồ máy sai hoặc vừa bị chỉnh nhảy",
    en: "the machine's clock is wrong, or was moved by a jump",
    remedy_vi: "Đồng bộ giờ (NTP) rồi chạy lại chương trình",
    remedy_en: "set it by NTP, then start the program again",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_or_is_before_the_ledger_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ledger.db"), "x").unwrap();
        let now = Clock::System.now_ms();
        let begun = Instant::now();
        assert!(time(dir.path(), now, (begun, now)).is_ok());
        assert_eq!(time(dir.path(), now, (begun, now - 400_000)).unwrap_err().code, &CLOCK);
        let past = now - 86_400_000;
        assert_eq!(time(dir.path(), past, (begun, past)).unwrap_err().code, &CLOCK);
    }

    #[test]
    fn a_log_without_its_head_is_not_ready_and_no_log_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(logged(dir.path()).unwrap(), None);
        std::fs::create_dir(dir.path().join("log")).unwrap();
        assert!(logged(dir.path()).is_err());
        std::fs::write(dir.path().join("log/checkpoint"), "hoso.invalid/x\n42\nabc\n").unwrap();
        assert_eq!(logged(dir.path()).unwrap(), Some(42));
    }
}
