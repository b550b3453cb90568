//! Handing in over HTTP, for programs that know this station ([`super::tokens`]):
//!
//! ```text
//! PUT  {base}/v1/intake/{batch}/{file}    one file; answered when it is on the disk. Again: the same, or the file's better scan
//! GET  {base}/v1/intake/{batch}           what is here of it, so that a client that was cut off goes on
//! POST {base}/v1/intake/{batch}           that is all: {"pipeline": "intake-desk"}. Again: the first answer
//! ```
//! A batch lies in `var/intake/<client>/<batch>/` until it is finished, and is then admitted as `hoso run` admits a folder: the
//! same bytes are the same run, whoever hands them in and however often.

use super::body::{self, TOO_LARGE};
use super::problem::Problem;
use super::tokens::{self, TOKEN_INVALID};
use crate::blobs::{sync_folder, write_whole};
use crate::deliver::signature;
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::ledger::{Admission, RunId};
use crate::station::Station;
use crate::station::wire::ClientConfig;
use crate::steps::admit;
use crate::watch::READINGS_KEPT;
use crate::workshop::{Workshop, pipeline_of};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Where programs hand in.
pub struct Intake {
    workshop: Workshop,
    /// `var/intake`.
    folder: PathBuf,
    /// Files and batches that are being written.
    in_progress: Mutex<HashSet<PathBuf>>,
    /// What each client handed in.
    runs: Mutex<HashMap<String, Vec<RunId>>>,
    room: Semaphore,
}

/// What finishing a batch came to; kept, and told again.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Finished {
    batch: String,
    runs: Vec<Admitted>,
    /// Places in it that could not be taken, with the reason.
    refused: Vec<Report>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Admitted {
    id: Blake3,
    /// `new`, `again` or `duplicate`.
    admission: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    pipeline: Option<String>,
}

impl Intake {
    /// Over a station's folder; what clients handed in before is known. Chip readings of batches that nobody finished go after
    /// three days.
    pub fn open(workshop: Workshop) -> Arc<Self> {
        let folder = workshop.station.path("var/intake");
        let mut runs: HashMap<String, Vec<RunId>> = HashMap::new();
        for client in workshop.station.config.clients.keys() {
            for path in listed(&folder.join(client)) {
                if path.is_dir() {
                    forget_readings(&path);
                } else if let Some(finished) = read_finished(&path) {
                    runs.entry(client.clone()).or_default().extend(finished.runs.iter().map(|run| run.id));
                }
            }
        }
        let (in_progress, runs) = (Mutex::default(), Mutex::new(runs));
        Arc::new(Intake { workshop, folder, in_progress, runs, room: Semaphore::new(ROOM) })
    }

    /// The endpoints below `path`, to be [`dressed`](super::front::dressed).
    pub fn router(self: &Arc<Self>, path: &str) -> Router {
        Router::new()
            .route(&format!("{path}/v1/intake/{{batch}}/{{file}}"), put(add))
            .route(&format!("{path}/v1/intake/{{batch}}"), axum::routing::get(list).post(finish))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(self))
    }

    /// Lets go of chip readings that waited three days in batches that nobody finished. Blocks.
    pub fn forget(&self) {
        for client in listed(&self.folder) {
            listed(&client).filter(|path| path.is_dir()).for_each(|path| forget_readings(&path));
        }
    }

    /// The runs that a client handed in.
    pub fn runs_of(&self, client: &str) -> Vec<RunId> {
        self.runs().get(client).cloned().unwrap_or_default()
    }

    /// The station that is handed in to.
    pub fn station(&self) -> &Station {
        &self.workshop.station
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Vec<RunId>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks, and where the batch lies.
    fn place(&self, headers: &HeaderMap, batch: &str) -> Result<Place, Problem> {
        let clients = &self.workshop.station.config.clients;
        let (name, config) = tokens::client(clients, headers).ok_or(TOKEN_INVALID)?;
        if !is_name(batch, 64) {
            return Err(BAD_BATCH);
        }
        let client = self.folder.join(name);
        let (folder, done) = (client.join(batch), client.join(format!("{batch}.done")));
        Ok(Place { name: name.clone(), config: config.clone(), batch: batch.to_owned(), folder, done })
    }

    async fn add(self: &Arc<Self>, ids: (&str, &str), head: &Parts, body: Body) -> Result<Response, Problem> {
        let (batch, file) = ids;
        let begun = self.place(&head.headers, batch).and_then(|place| {
            if !is_name(file, 128) || admit::is_passed_over(Path::new(file)) {
                return Err(BAD_FILE);
            }
            let limit = usize::try_from(place.config.largest).unwrap_or(usize::MAX);
            let announced = body::announced(&head.headers);
            if announced.is_some_and(|length| length > limit) {
                Err(TOO_LARGE)
            } else {
                Ok((place, limit, announced))
            }
        });
        let (place, limit, announced) = match begun {
            Ok(begun) => begun,
            Err(problem) => return Err(body::drained(body, problem).await),
        };
        let pieces = u32::try_from(announced.unwrap_or(limit).div_ceil(PIECE).min(ROOM)).unwrap_or(u32::MAX);
        let _room = self.room.acquire_many(pieces).await.map_err(|_| FAILED)?;
        let bytes = body::read(body, announced, limit).await?;
        if bytes.is_empty() {
            return Err(EMPTY);
        }
        let sha256 = Sha256::of(&bytes);
        if head.headers.contains_key("content-digest")
            && signature::check_digest(&head.headers, &sha256).is_err()
        {
            return Err(ALTERED);
        }
        let path = place.folder.join(file);
        let at_it = AtIt::begin(self, &[path.clone(), place.folder.clone()]).ok_or(IN_PROGRESS)?;
        if place.done.is_file() {
            return Err(FINISHED);
        }
        let size = bytes.len();
        let written = tokio::task::spawn_blocking(move || {
            let _until_the_end = at_it;
            write(&place.folder, &path, &bytes)
        });
        let fresh =
            written.await.unwrap_or_else(|_| Err(Fault::new(&FAILURE))).map_err(|fault| failed(&fault))?;
        let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, axum::Json(json!({ "file": file, "sha256": sha256, "size": size }))).into_response())
    }

    async fn list(&self, batch: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let place = self.place(headers, batch)?;
        let look = move || {
            if let Some(finished) = read_finished(&place.done) {
                return Some(
                    json!({ "state": "finished", "runs": finished.runs, "refused": finished.refused }),
                );
            }
            if !place.folder.is_dir() {
                return None;
            }
            let file = |path: PathBuf| {
                let digests = crate::digest::of_reader(fs::File::open(&path).ok()?).ok()?;
                let name = path.file_name()?.to_str()?.to_owned();
                Some(json!({ "file": name, "sha256": digests.sha256, "size": digests.size }))
            };
            let mut files: Vec<PathBuf> =
                listed(&place.folder).filter(|path| !admit::is_passed_over(path)).collect();
            files.sort();
            Some(json!({ "state": "open", "files": files.into_iter().filter_map(file).collect::<Vec<_>>() }))
        };
        let said = tokio::task::spawn_blocking(look).await.map_err(|_| FAILED)?;
        said.map(|said| axum::Json(said).into_response()).ok_or(UNKNOWN)
    }

    async fn finish(self: &Arc<Self>, batch: &str, head: &Parts, body: Body) -> Result<Response, Problem> {
        let place = match self.place(&head.headers, batch) {
            Ok(place) => place,
            Err(problem) => return Err(body::drained(body, problem).await),
        };
        let wish = body::read(body, None, 4096).await?;
        let wish: Wish = match wish.is_empty() {
            true => Wish::default(),
            false => serde_json::from_slice(&wish).map_err(|_| BAD_WISH)?,
        };
        let at_it = AtIt::begin(self, std::slice::from_ref(&place.folder)).ok_or(IN_PROGRESS)?;
        // From here on it runs to its end, even when the client hangs up.
        let intake = Arc::clone(self);
        let finishing = tokio::spawn(async move {
            let _until_the_end = at_it;
            intake.admit(&place, wish).await
        });
        let finished = finishing.await.unwrap_or(Err(FAILED))?;
        Ok(axum::Json(finished).into_response())
    }

    async fn admit(&self, place: &Place, wish: Wish) -> Result<Finished, Problem> {
        if let Some(finished) = read_finished(&place.done) {
            if finished.refused.is_empty() {
                let _ = fs::remove_dir_all(&place.folder);
            }
            return Ok(finished);
        }
        let allowed = &place.config.pipelines;
        let name = wish.pipeline.as_ref().or(allowed.first()).filter(|name| allowed.contains(name));
        let name = name.ok_or(BAD_PIPELINE)?;
        if !place.folder.is_dir() {
            return Err(UNKNOWN);
        }
        let pipeline = pipeline_of(&self.workshop.station, name)
            .map_err(|faults| faults.first().map_or(FAILED, failed))?;
        let mut finished = Finished { batch: place.batch.clone(), runs: Vec::new(), refused: Vec::new() };
        for found in admit::find(&place.folder, pipeline.batch).map_err(|fault| refusal(&fault))? {
            let admitted = match found {
                Ok(found) => self.workshop.admit(&pipeline, found).await,
                Err(fault) => Err(fault),
            };
            match admitted {
                Ok((id, admission)) => {
                    finished.runs.push(Admitted { id, admission: word(&admission).into() });
                }
                Err(fault) if matches!(fault.code.class, Class::Input | Class::Person) => {
                    finished.refused.push(fault.report());
                }
                // A disk or ledger that takes no more: nothing was promised, and doing it again is harmless.
                Err(fault) => return Err(failed(&fault)),
            }
        }
        if finished.runs.is_empty() {
            return Err(NOTHING_TAKEN);
        }
        let ids = finished.runs.iter().map(|run| run.id).collect();
        // Whoever hands in again what waits for a person says that its reason is mended.
        self.workshop.ledger.reopen(ids).await.map_err(|fault| failed(&fault))?;
        let text = serde_json::to_vec(&finished).map_err(|_| FAILED)?;
        write_whole(&place.done, &text).map_err(|fault| failed(&fault))?;
        // What was refused lies nowhere else: it was taken with an answer that said so.
        if finished.refused.is_empty() {
            let _ = fs::remove_dir_all(&place.folder);
        }
        self.runs().entry(place.name.clone()).or_default().extend(finished.runs.iter().map(|run| run.id));
        Ok(finished)
    }
}

/// Where a batch of a client lies.
struct Place {
    name: String,
    config: ClientConfig,
    batch: String,
    folder: PathBuf,
    done: PathBuf,
}

/// Paths that are being written; until this is dropped nobody else writes them.
struct AtIt {
    intake: Arc<Intake>,
    paths: Vec<PathBuf>,
}

impl AtIt {
    fn begin(intake: &Arc<Intake>, paths: &[PathBuf]) -> Option<Self> {
        let mut busy = intake.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        if paths.iter().any(|path| busy.contains(path)) {
            return None;
        }
        busy.extend(paths.iter().cloned());
        Some(AtIt { intake: Arc::clone(intake), paths: paths.to_vec() })
    }
}

impl Drop for AtIt {
    fn drop(&mut self) {
        let mut busy = self.intake.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        for path in &self.paths {
            busy.remove(path);
        }
    }
}

type App = State<Arc<Intake>>;

async fn add(
    State(intake): App,
    ids: Result<UrlPath<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let (batch, file) = ids.map(|UrlPath(ids)| ids).unwrap_or_default();
    let (head, body) = request.into_parts();
    intake.add((&batch, &file), &head, body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn list(
    State(intake): App,
    batch: Result<UrlPath<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let batch = batch.map(|UrlPath(batch)| batch).unwrap_or_default();
    intake.list(&batch, &headers).await.unwrap_or_else(IntoResponse::into_response)
}

async fn finish(
    State(intake): App,
    batch: Result<UrlPath<String>, PathRejection>,
    request: Request,
) -> Response {
    let batch = batch.map(|UrlPath(batch)| batch).unwrap_or_default();
    let (head, body) = request.into_parts();
    intake.finish(&batch, &head, body).await.unwrap_or_else(IntoResponse::into_response)
}

/// Writes a file of a batch so that it survives; whether it is new.
fn write(folder: &Path, path: &Path, bytes: &Bytes) -> Outcome<bool> {
    let refused = |e: io::Error| Fault::new(&crate::blobs::NOT_STORED).at("var/intake").detail(e.kind());
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(refused)?;
        // The names of the new folders, up to `var/`.
        for above in folder.ancestors().skip(1).take(3) {
            sync_folder(above).map_err(refused)?;
        }
    }
    let fresh = !path.exists();
    write_whole(path, bytes)?;
    Ok(fresh)
}

/// A plain name: it becomes a file's, and stands in addresses and messages.
fn is_name(text: &str, longest: usize) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    plain && (1..=longest).contains(&text.len()) && !text.starts_with(['.', '-'])
}

fn listed(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn read_finished(path: &Path) -> Option<Finished> {
    if path.extension().is_none_or(|kind| kind != "done") {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A face is kept no longer than its check takes, and a batch that nobody finishes is never checked.
fn forget_readings(folder: &Path) {
    for path in listed(folder) {
        let written = fs::metadata(&path).and_then(|about| about.modified());
        let old = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= READINGS_KEPT));
        if old && (admit::is_reading(&path) || admit::is_passed_over(&path)) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn word(admission: &Admission) -> &'static str {
    match admission {
        Admission::New => "new",
        Admission::Again(_) => "again",
        Admission::Duplicate(_) => "duplicate",
    }
}

fn refusal(fault: &Fault) -> Problem {
    if matches!(fault.code.class, Class::Input | Class::Person) { NOTHING_TAKEN } else { failed(fault) }
}

fn failed(fault: &Fault) -> Problem {
    tracing::error!(code = fault.code.id, detail = fault.detail.as_deref(), "a batch could not be taken");
    FAILED
}

/// Memory for files that are read at once, in pieces.
const ROOM: usize = 4096;
const PIECE: usize = 64 << 10;

const UNFIT: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
const BAD_BATCH: Problem =
    Problem::at(UNFIT, "batch", "/batch", "a batch is called by 1 to 64 letters, digits and . _ -");
const BAD_FILE: Problem = Problem::at(
    UNFIT,
    "file",
    "/file",
    "a file is called by 1 to 128 letters, digits and . _ -, and is no part or draft",
);
const BAD_WISH: Problem = Problem::at(UNFIT, "wish", "", "the body may be {\"pipeline\": NAME} or nothing");
const BAD_PIPELINE: Problem =
    Problem::at(UNFIT, "pipeline", "/pipeline", "this client may not hand in to such a pipeline");
const NOTHING_TAKEN: Problem = Problem::at(
    UNFIT,
    "refused",
    "/batch",
    "nothing of the batch can be taken; mend its files and finish it again",
);
const EMPTY: Problem = Problem::at(UNFIT, "empty", "/file", "the file is empty");
const ALTERED: Problem =
    Problem::at(UNFIT, "content-digest", "/file", "the body does not fit its Content-Digest");
const IN_PROGRESS: Problem =
    Problem::new(StatusCode::CONFLICT, "in-progress", "this batch is being written").after(1);
const FINISHED: Problem =
    Problem::new(StatusCode::CONFLICT, "finished", "the batch is finished; begin another");
const UNKNOWN: Problem = Problem::new(StatusCode::NOT_FOUND, "unknown", "there is no such batch");
const FAILED: Problem =
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "it could not be taken; try again").after(5);

/// A task of the intake ended.
pub const FAILURE: Code = Code {
    id: "HTTP-033",
    class: Class::Inner,
    vi: "Bộ tiếp nhận qua mạng gặp lỗi bên trong",
    en: "the intake over HTTP failed inside",
    remedy_vi: "Báo cho người phát triển phần mềm",
    remedy_en: "report this to the developers",
};
