//! What a stand-in did: one JSON line an effect, durable before it is acknowledged, no personal data; and, where it is asked
//! for, one line for every request that it accepted ([`recorded`]).
//!
//! Effects that arrive together share one fsync. A last line that was torn by a crash was never acknowledged and
//! is cut off when the file is opened again.

use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// The effects of one stand-in; closing the last handle ends its writer.
#[derive(Debug, Clone)]
pub struct EffectLog {
    queue: mpsc::Sender<Entry>,
}

struct Entry {
    line: Vec<u8>,
    done: oneshot::Sender<bool>,
}

impl EffectLog {
    /// Opens `effects.jsonl` in a folder, which is made where it is absent, and gives back all effects in it.
    ///
    /// # Errors
    /// [`STATE_UNUSABLE`], [`STATE_IN_USE`], [`STATE_BROKEN`] naming the line.
    pub fn open<E: DeserializeOwned>(folder: &Path) -> Outcome<(Self, Vec<E>)> {
        let unusable = |error: io::Error| Fault::new(&STATE_UNUSABLE).detail(error.kind());
        std::fs::create_dir_all(folder).map_err(unusable)?;
        Self::open_file(&folder.join("effects.jsonl"))
    }

    /// As [`EffectLog::open`], in a file of any name.
    ///
    /// # Errors
    /// As there.
    pub fn open_file<E: DeserializeOwned>(path: &Path) -> Outcome<(Self, Vec<E>)> {
        let unusable = |error: io::Error| Fault::new(&STATE_UNUSABLE).detail(error.kind());
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        file.try_lock().map_err(|_| Fault::new(&STATE_IN_USE))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unusable)?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(unusable)?;
        }
        file.seek(SeekFrom::End(0)).map_err(unusable)?;
        sync_folder(folder).map_err(unusable)?;
        let mut effects = Vec::new();
        for (at, line) in bytes[..whole].split(|&b| b == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let broken = |_| Fault::new(&STATE_BROKEN).at(format!("{name} line {}", at + 1));
            effects.push(serde_json::from_slice(line).map_err(broken)?);
        }
        let (queue, entries) = mpsc::channel();
        std::thread::Builder::new()
            .name("effects".into())
            .spawn(move || write_all(file, &entries))
            .map_err(unusable)?;
        Ok((EffectLog { queue }, effects))
    }

    /// Writes one effect; when this returns, it is on disk.
    ///
    /// # Errors
    /// [`STATE_UNUSABLE`] when it could not be made durable.
    pub async fn append(&self, effect: &impl Serialize) -> Outcome<()> {
        let mut line = serde_json::to_vec(effect).map_err(|_| Fault::new(&STATE_UNUSABLE))?;
        line.push(b'\n');
        let (done, written) = oneshot::channel();
        let queued = self.queue.send(Entry { line, done }).is_ok();
        if queued && written.await == Ok(true) { Ok(()) } else { Err(Fault::new(&STATE_UNUSABLE)) }
    }
}

/// What a request that was accepted came to; a handler lays it into its answer's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What it asked for; by itself the method.
    pub what: Option<String>,
    /// What it was about; by itself the last part of the path.
    pub id: Option<String>,
    /// Whether it was accepted.
    pub accepted: bool,
    /// Whether it changed anything.
    pub effect: bool,
    /// How much of it was there already.
    pub repeated: usize,
}

impl Accepted {
    /// What HTTP itself says: any success is accepted, "created" had an effect.
    pub fn of_status(status: StatusCode) -> Self {
        Accepted {
            what: None,
            id: None,
            accepted: status.is_success(),
            effect: status == StatusCode::CREATED,
            repeated: 0,
        }
    }
}

/// A line of the record.
#[derive(Debug, Serialize, serde::Deserialize)]
struct Line {
    at: String,
    what: String,
    id: String,
    body_sha256: Sha256,
    effect: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    repeated: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Lays a record over a stand-in: one JSON line for every request that it accepted, on disk before the answer leaves, also
/// where the answer is then lost. Bodies up to `limit` bytes.
///
/// # Errors
/// [`STATE_UNUSABLE`], [`STATE_IN_USE`], [`STATE_BROKEN`] for a file that holds something else.
pub fn recorded(router: Router, path: &Path, limit: usize) -> Outcome<Router> {
    let (log, _) = EffectLog::open_file::<Line>(path)?;
    Ok(router.layer(from_fn(move |request: Request, next: Next| {
        let log = log.clone();
        // Beside the connection: a caller that hangs up takes nothing off the record.
        let work = tokio::spawn(async move { keep_record(&log, request, next, limit).await });
        async move { work.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()) }
    })))
}

async fn keep_record(log: &EffectLog, request: Request, next: Next, limit: usize) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, limit).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let (body_sha256, method) = (Sha256::of(&body), parts.method.to_string());
    let last = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
    let came = answer.extensions().get().cloned().unwrap_or_else(|| Accepted::of_status(answer.status()));
    if !came.accepted {
        return answer;
    }
    let line = Line {
        at: jiff::Timestamp::now().to_string(),
        what: came.what.unwrap_or(method),
        id: came.id.unwrap_or(last),
        body_sha256,
        effect: came.effect,
        repeated: came.repeated,
    };
    match log.append(&line).await {
        Ok(()) => answer,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write_all(mut file: File, entries: &mpsc::Receiver<Entry>) {
    while let Ok(first) = entries.recv() {
        let batch: Vec<Entry> = std::iter::once(first).chain(entries.try_iter().take(255)).collect();
        let bytes: Vec<u8> = batch.iter().flat_map(|entry| entry.line.iter().copied()).collect();
        let written = file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok();
        for entry in batch {
            let _ = entry.done.send(written);
        }
        if !written {
            // After a failed write or fsync nobody knows what is on disk: nothing more is acknowledged.
            return;
        }
    }
}

/// A state folder that cannot be used.
pub const STATE_UNUSABLE: Code = Code {
    id: "MOCK-003",
    class: Class::Setup,
    vi: "Không dùng được thư mục trạng thái của hệ thống giả lập",
    en: "the stand-in's state folder cannot be used",
    remedy_vi: "Kiểm tra quyền ghi và dung lượng còn trống",
    remedy_en: "check that it can be written and that there is room",
};

/// A state folder that another stand-in is using.
pub const STATE_IN_USE: Code = Code {
    id: "MOCK-004",
    class: Class::Setup,
    vi: "Thư mục trạng thái đang được một hệ thống giả lập khác dùng",
    en: "another stand-in is using this state folder",
    remedy_vi: "Dừng hệ thống kia hoặc chọn thư mục khác",
    remedy_en: "stop the other one or choose another folder",
};

/// A state folder whose contents do not fit together.
pub const STATE_BROKEN: Code = Code {
    id: "MOCK-005",
    class: Class::Setup,
    vi: "Dữ liệu trong thư mục trạng thái không đọc được",
    en: "the state folder's contents do not hold together",
    remedy_vi: "Dùng thư mục mới; giữ lại thư mục cũ để kiểm tra",
    remedy_en: "use a new folder and keep the old one for inspection",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn effects_survive_and_a_torn_last_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (log, before) = EffectLog::open::<u32>(folder.path()).unwrap();
            assert!(before.is_empty());
            assert_eq!(EffectLog::open::<u32>(folder.path()).unwrap_err().code, &STATE_IN_USE);
            for n in 0..20u32 {
                log.append(&n).await.unwrap();
            }
        }
        let path = folder.path().join("effects.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"4").unwrap();
        let (log, effects) = reopen::<u32>(folder.path());
        assert_eq!(effects, (0..20).collect::<Vec<u32>>());
        log.append(&20u32).await.unwrap();
        drop(log);
        assert_eq!(reopen::<u32>(folder.path()).1.len(), 21);
    }

    #[tokio::test]
    async fn a_line_that_is_no_effect_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("effects.jsonl"), "1\nx\n").unwrap();
        let fault = EffectLog::open::<u32>(folder.path()).unwrap_err();
        assert_eq!((fault.code, fault.place.as_deref()), (&STATE_BROKEN, Some("effects.jsonl line 2")));
    }

    /// The writer thread lets go of the file a moment after its last handle is gone.
    fn reopen<E: DeserializeOwned>(folder: &Path) -> (EffectLog, Vec<E>) {
        for _ in 0..200 {
            match EffectLog::open(folder) {
                Err(fault) if fault.code == &STATE_IN_USE => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("the lock was never released");
    }
}
