//! A stand-in for the national portal behind all three adapters of [`crate::deliver::portal`], strictly.
//!
//! | address | speaks |
//! |---|---|
//! | `POST /login`, `/integration` | session dialect: sessions that end, services by name |
//! | `POST /share` | the catalogues, under a session ([`catalogue`]) |
//! | `POST /store`, `/store/file` | what a citizen's store holds of the results, files in base64 ([`store`]); with `fetch` |
//! | `POST /bridge/add`, `/bridge/update`, `/bridge/progress` | bridge: bare arrays, typed exceptions, text for progress |
//! | `POST /DongBoHoSoMC?MaDinhDanhDV=…&isUpdating=…` | older bridge |
//!
//! "False" makes and "True" changes, never the other way round; every scalar a string, every length within its limit ([`rules`]),
//! the dossier before its progress, progress in order and at most ten lines a call. A call of earlier lines than it has is taken
//! and marked `late`; a line that it has is an effect of its own (`duplicate`) unless whoever sent it asked about the dossier in
//! between, and in the record either way. Good answers come as 0, "0" and "00" in turn
//! and now and then in decomposed letters, duplicates as 0, "3" and "-3", as the field knows them.

mod catalogue;
mod rules;
mod store;

use super::effects::{Accepted, EffectLog};
use super::loopback::Cut;
use super::mischief::{Fate, Fates};
use crate::deliver::link::{self, Line};
use crate::digest::Sha256;
use crate::fault::Outcome;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use rules::{Typing, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::Mutex;
use unicode_normalization::UnicodeNormalization;

/// What a portal is set up with.
pub struct Setup {
    /// Where it keeps what it took.
    pub state: PathBuf,
    /// The one account.
    pub username: String,
    /// Its password.
    pub password: String,
    /// The `dstcode` it insists on, if any.
    pub dstcode: Option<String>,
    /// How long a session lasts.
    pub session_life: Duration,
    /// How many calls a session lasts.
    pub session_calls: u64,
    /// Whether it fetches the documents of what it takes; `fetched.jsonl` says how that went.
    pub fetch: bool,
}

/// A portal over what its state folder holds.
///
/// # Errors
/// A state folder that cannot be used.
pub fn router(setup: Setup, fates: Fates) -> Outcome<Router> {
    let (log, effects) = EffectLog::open::<Effect>(&setup.state)?;
    let mut kept = Kept::default();
    effects.into_iter().for_each(|effect| kept.apply(effect));
    let fetched = match setup.fetch {
        true => Some(Fetcher {
            client: link::client(&Line::default())?,
            log: EffectLog::open_file::<Value>(&setup.state.join("fetched.jsonl"))?.0,
            store: Store::open(&setup.state)?,
        }),
        false => None,
    };
    let portal = Portal {
        fetched,
        setup,
        fates,
        log,
        kept: Mutex::new(kept),
        sessions: Mutex::default(),
        turn: AtomicU64::new(0),
    };
    Ok(Router::new()
        .route("/login", post(login))
        .route("/integration", post(integration))
        .route("/share", post(share))
        .route("/store", post(store_search))
        .route("/store/file", post(store_file))
        .route("/bridge/add", post(bridge_add))
        .route("/bridge/update", post(bridge_update))
        .route("/bridge/progress", post(bridge_progress))
        .route("/DongBoHoSoMC", post(older_bridge))
        .with_state(Arc::new(portal)))
}

struct Portal {
    setup: Setup,
    fetched: Option<Fetcher>,
    fates: Fates,
    log: EffectLog,
    kept: Mutex<Kept>,
    sessions: Mutex<HashMap<String, (Instant, u64)>>,
    turn: AtomicU64,
}

/// One line of `effects.jsonl`: no names, only codes and digests of what was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Effect {
    service: String,
    code: String,
    op: String,
    status: String,
    /// `ThoiDiemXuLy`, of progress.
    at: String,
    sha256: Sha256,
    /// `DuocSoHoa`, of a dossier: how many papers say so.
    #[serde(default)]
    digitised: usize,
    /// `TepDinhKemId` of the papers of a dossier, with `DuocSoHoa`.
    #[serde(default)]
    papers: BTreeMap<String, bool>,
    /// `GiayToId` of its results.
    #[serde(default)]
    results: Vec<String>,
    /// Progress of before the last that is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    /// `KenhThucHien`, `LoaiDoiTuong`, `DuocThanhToanTrucTuyen`, `HinhThuc` and `NoiNopHoSo`, of a dossier.
    #[serde(default)]
    filing: Vec<String>,
}

const FILING: [&str; 5] =
    ["KenhThucHien", "LoaiDoiTuong", "DuocThanhToanTrucTuyen", "HinhThuc", "NoiNopHoSo"];

#[derive(Default)]
struct Kept {
    dossiers: HashMap<String, Known>,
}

struct Known {
    status: String,
    sha256: Sha256,
    progress: HashSet<Sha256>,
    last: String,
    papers: BTreeMap<String, bool>,
    results: Vec<String>,
    /// It was asked about since progress last came.
    asked: bool,
}

impl Kept {
    fn apply(&mut self, effect: Effect) {
        let Effect { code, op, status, at, sha256, papers, results, .. } = effect;
        let known = self.dossiers.entry(code).or_insert_with(|| Known {
            status: String::new(),
            sha256,
            progress: HashSet::new(),
            last: String::new(),
            papers: BTreeMap::new(),
            results: Vec::new(),
            asked: false,
        });
        match op.as_str() {
            "duplicate" => {}
            "progress" => {
                known.progress.insert(sha256);
                known.last = at.max(std::mem::take(&mut known.last));
            }
            _ => {
                known.status = status;
                known.sha256 = sha256;
                known.papers = papers;
                known.results = results;
            }
        }
    }
}

impl Known {
    /// What it says to whoever asks.
    fn answer(&mut self, code: &str) -> Value {
        self.asked = true;
        let paper = |(id, digitised): (&String, &bool)| json!({ "TepDinhKemId": id, "DuocSoHoa": if *digitised { "1" } else { "0" } });
        let result = |id: &String| json!({ "GiayToId": id });
        json!({ "MaHoSo": code, "TrangThaiHoSo": self.status,
            "TaiLieuNop": self.papers.iter().map(paper).collect::<Vec<_>>(),
            "DanhSachGiayToKetQua": self.results.iter().map(result).collect::<Vec<_>>() })
    }
}

/// Fetches documents as the portal does some time later.
#[derive(Clone)]
struct Fetcher {
    client: reqwest::Client,
    log: EffectLog,
    store: Store,
}

impl Fetcher {
    async fn fetch(self, dossier: Value) {
        let code = text(&dossier, "MaHoSo").to_owned();
        for link in rules::links(&dossier) {
            let line = match self.client.get(&link).send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let bytes = answer.bytes().await.unwrap_or_default();
                    if status.is_success() {
                        self.store.keep(&dossier, &link, &bytes).await;
                    }
                    json!({ "dossier": code, "status": status.as_u16(), "sha256": Sha256::of(&bytes), "size": bytes.len() })
                }
                Err(_) => json!({ "dossier": code, "status": 0 }),
            };
            let _ = self.log.append(&line).await;
        }
    }
}

/// What a call came to, before it is put into the words of its dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// Taken; whether anything changed.
    Taken(bool),
    /// There already.
    Duplicate,
    /// Not there.
    Absent,
    /// This field breaks the contract.
    Wrong(String),
    /// A failure inside.
    Failed,
    /// Any other answer.
    Said(Value, bool),
}

/// An end with what the record says of it.
struct Told {
    end: End,
    what: &'static str,
    id: String,
    /// How many progress lines were there already.
    repeated: usize,
}

impl Told {
    fn new(what: &'static str, id: &str, end: End) -> Self {
        Told { end, what, id: id.to_owned(), repeated: 0 }
    }
}

async fn login(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Json, |portal, headers, call, _| async move {
        let right = call["username"] == portal.setup.username.as_str()
            && call["password"] == portal.setup.password.as_str()
            && portal.dstcode_fits(&headers);
        let end = if right {
            portal.new_session().await
        } else {
            End::Said(json!({ "error_code": 1, "message": "Đăng nhập không thành công" }), false)
        };
        Told::new("login", "", end)
    })
    .await
}

async fn integration(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Json, |portal, headers, call, fate| async move {
        if fate == Fate::SessionExpiry {
            portal.sessions.lock().await.remove(call["session"].as_str().unwrap_or_default());
        }
        if !portal.dstcode_fits(&headers) || !portal.session_holds(&call).await {
            let answer = json!({ "error_code": "9", "message": "Phiên làm việc không hợp lệ" });
            return Told::new("session", "", End::Said(answer, false));
        }
        if call["madonvi"].as_str().is_none_or(str::is_empty) {
            return Told::new("", "", End::Wrong("madonvi".into()));
        }
        let data = &call["data"];
        match call["service"].as_str() {
            Some("TraCuuHoSo") => portal.look_up(&call).await,
            Some("LayThuTuc") => match catalogue::procedure(&call) {
                Ok(answer) => Told::new("LayThuTuc", text(&call, "maTTHC"), End::Said(answer, true)),
                Err(field) => Told::new("LayThuTuc", "", End::Wrong(field.into())),
            },
            Some("DongBoHoSoMC") => {
                portal.take_dossier(call["isUpdating"].as_str(), data, Typing::Strings).await
            }
            Some("CapNhatTienDoHoSoMC") => portal.take_progress(data).await,
            _ => Told::new("", "", End::Wrong("service".into())),
        }
    })
    .await
}

async fn share(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Json, |portal, headers, call, _| async move {
        if !portal.dstcode_fits(&headers) || !portal.session_holds(&call).await {
            let answer = json!({ "error_code": 9, "message": "Phiên làm việc không hợp lệ", "result": [] });
            return Told::new("session", "", End::Said(answer, false));
        }
        match catalogue::share(&call) {
            Ok((what, answer)) => Told::new(what, "", End::Said(answer, true)),
            Err(field) => Told::new("", "", End::Wrong(field.into())),
        }
    })
    .await
}

async fn store_search(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Json, |portal, _, call, _| async move {
        let Some(fetcher) = &portal.fetched else { return Told::new("store", "", End::Failed) };
        match fetcher.store.search(&call).await {
            Ok(answer) => Told::new("store", "", End::Said(answer, true)),
            Err(field) => Told::new("store", "", End::Wrong(field.into())),
        }
    })
    .await
}

async fn store_file(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Text, |portal, _, call, _| async move {
        let Some(fetcher) = &portal.fetched else { return Told::new("store-file", "", End::Failed) };
        match fetcher.store.file(&call).await {
            Some((id, base64)) => Told::new("store-file", &id, End::Said(base64.into(), true)),
            None => Told::new("store-file", "", End::Absent),
        }
    })
    .await
}

async fn bridge_add(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Words, |portal, _, data, _| async move {
        portal.take_dossier(Some("False"), &data, Typing::Bridge).await
    })
    .await
}

async fn bridge_update(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Words, |portal, _, data, _| async move {
        portal.take_dossier(Some("True"), &data, Typing::Bridge).await
    })
    .await
}

async fn bridge_progress(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, Voice::Text, |portal, _, data, _| async move { portal.take_progress(&data).await })
        .await
}

async fn older_bridge(
    State(portal): State<Arc<Portal>>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    serve(portal, request, Voice::Words, |portal, _, data, _| async move {
        if query.get("MaDinhDanhDV").is_none_or(String::is_empty) {
            return Told::new("", "", End::Wrong("MaDinhDanhDV".into()));
        }
        let updating = query.get("isUpdating").map(String::as_str);
        portal.take_dossier(updating, &data, Typing::Strings).await
    })
    .await
}

/// How an adapter puts its answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// Numbers and texts in turn.
    Json,
    /// Texts, and the words of success always.
    Words,
    /// Plain text.
    Text,
}

/// Runs a call to its end, whether or not the caller waits, under the next request's fate.
async fn serve<F>(
    portal: Arc<Portal>,
    request: Request,
    voice: Voice,
    work: impl FnOnce(Arc<Portal>, HeaderMap, Value, Fate) -> F,
) -> Response
where
    F: Future<Output = Told> + Send + 'static,
{
    let fate = portal.fates.next().await;
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_CALL).await.unwrap_or_else(|_| Bytes::new());
    let told = match serde_json::from_slice::<Value>(&body) {
        Ok(call) => tokio::spawn(work(Arc::clone(&portal), parts.headers, call, fate))
            .await
            .unwrap_or_else(|_| Told::new("", "", End::Failed)),
        Err(_) => Told::new("", "", End::Wrong("JSON".into())),
    };
    let accepted = matches!(told.end, End::Taken(_) | End::Said(_, true));
    let effect = told.end == End::Taken(true);
    let answer = match (fate, &told.end) {
        (Fate::UnknownCode, End::Taken(_)) => portal.unknown(voice),
        (Fate::Duplicate, End::Taken(true)) if told.what == "DongBoHoSoMC" => {
            portal.say(voice, &End::Duplicate)
        }
        _ => portal.say(voice, &told.end),
    };
    let mut answer = fate.spoil(Cut::of(&parts.extensions), answer);
    let (what, id) = (Some(told.what.to_owned()), Some(told.id));
    answer.extensions_mut().insert(Accepted { what, id, accepted, effect, repeated: told.repeated });
    answer
}

impl Portal {
    fn dstcode_fits(&self, headers: &HeaderMap) -> bool {
        self.setup
            .dstcode
            .as_deref()
            .is_none_or(|code| headers.get("dstcode").is_some_and(|given| given == code))
    }

    async fn new_session(&self) -> End {
        let mut bytes = [0u8; 16];
        if openssl::rand::rand_bytes(&mut bytes).is_err() {
            return End::Failed;
        }
        let session = hex::encode(bytes);
        self.sessions.lock().await.insert(session.clone(), (Instant::now(), 0));
        End::Said(json!({ "error_code": 0, "session": session }), true)
    }

    async fn session_holds(&self, call: &Value) -> bool {
        let mut sessions = self.sessions.lock().await;
        sessions.retain(|_, (born, calls)| {
            born.elapsed() < self.setup.session_life && *calls < self.setup.session_calls
        });
        let session = call["session"].as_str().and_then(|session| sessions.get_mut(session));
        session.map(|(_, calls)| *calls += 1).is_some()
    }

    /// Puts an end into words, a spelling of them after the other.
    fn say(&self, voice: Voice, end: &End) -> Response {
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        let spelt = |words: &str| if turn % 2 == 1 { words.nfd().collect() } else { words.to_owned() };
        if voice == Voice::Text {
            return match end {
                End::Taken(_) => spelt("Cập nhật tiến độ thành công"),
                End::Absent => spelt("Hồ sơ không tồn tại"),
                End::Wrong(field) => format!("Lỗi: trường {field} không hợp lệ"),
                End::Said(Value::String(said), _) => said.clone(),
                End::Duplicate | End::Failed | End::Said(..) => "Lỗi hệ thống".into(),
            }
            .into_response();
        }
        let zero = if voice == Voice::Words {
            json!("0")
        } else {
            [json!(0), json!("0"), json!("00")][turn % 3].clone()
        };
        let exists = "Hồ sơ đã tồn tại trên hệ thống";
        let answer = match end {
            End::Taken(_) => json!({ "error_code": zero, "message": spelt("Đồng bộ thành công") }),
            End::Duplicate => [
                json!({ "error_code": zero, "message": exists }),
                json!({ "error_code": "3", "message": exists.nfd().collect::<String>() }),
                json!({ "error_code": "-3", "message": exists.to_uppercase() }),
            ][turn % 3]
                .clone(),
            End::Absent => json!({ "error_code": "4", "message": spelt("Hồ sơ không tồn tại") }),
            End::Wrong(field) => {
                json!({ "error_code": "12", "message": format!("Trường {field} không hợp lệ") })
            }
            End::Failed => json!({ "error_code": 2, "message": "Lỗi hệ thống" }),
            End::Said(answer, _) => answer.clone(),
        };
        Json(answer).into_response()
    }

    /// An answer that nobody knows, after the work was done.
    fn unknown(&self, voice: Voice) -> Response {
        match voice {
            Voice::Text => "Mã 77".into_response(),
            _ => Json(json!({ "error_code": "77", "message": "Mã 77" })).into_response(),
        }
    }

    async fn look_up(&self, call: &Value) -> Told {
        let Some(code) = call["mahoso"].as_str() else {
            return Told::new("TraCuuHoSo", "", End::Wrong("mahoso".into()));
        };
        let mut kept = self.kept.lock().await;
        let found: Vec<Value> =
            kept.dossiers.get_mut(code).map(|known| known.answer(code)).into_iter().collect();
        Told::new("TraCuuHoSo", code, End::Said(json!({ "error_code": 0, "result": found }), true))
    }

    async fn take_dossier(&self, updating: Option<&str>, data: &Value, typing: Typing) -> Told {
        let wrong = |id: &str, field: &str| Told::new("DongBoHoSoMC", id, End::Wrong(field.into()));
        let new = match updating {
            Some("False") => true,
            Some("True") => false,
            _ => return wrong("", "isUpdating"),
        };
        let Some([dossier]) = data.as_array().map(Vec::as_slice) else { return wrong("", "data") };
        let code = text(dossier, "MaHoSo").to_owned();
        if let Some(field) = rules::wrong_field(dossier, typing) {
            return wrong(&code, &field);
        }
        let sha256 = Sha256::of(dossier.to_string().as_bytes());
        let mut kept = self.kept.lock().await;
        let end = match kept.dossiers.get(&code) {
            Some(_) if new => End::Duplicate,
            None if !new => End::Absent,
            // The same update again changes nothing.
            Some(known) if known.sha256 == sha256 => End::Taken(false),
            _ => {
                let papers = dossier["TaiLieuNop"].as_array().map(Vec::as_slice).unwrap_or_default();
                let effect = Effect {
                    service: "DongBoHoSoMC".into(),
                    code: code.clone(),
                    op: if new { "create" } else { "update" }.into(),
                    status: text(dossier, "TrangThaiHoSo").into(),
                    at: String::new(),
                    sha256,
                    digitised: papers.iter().filter(|paper| text(paper, "DuocSoHoa") == "1").count(),
                    papers: papers
                        .iter()
                        .filter(|paper| text(paper, "IsDeleted") != "True")
                        .map(|paper| (text(paper, "TepDinhKemId").into(), text(paper, "DuocSoHoa") == "1"))
                        .collect(),
                    results: dossier["DanhSachGiayToKetQua"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|result| text(result, "GiayToId").to_owned())
                        .collect(),
                    late: false,
                    filing: FILING.iter().map(|name| text(dossier, name).to_owned()).collect(),
                };
                self.commit(&mut kept, vec![effect]).await
            }
        };
        if let (End::Taken(true), Some(fetcher)) = (&end, &self.fetched) {
            tokio::spawn(fetcher.clone().fetch(dossier.clone()));
        }
        Told::new("DongBoHoSoMC", &code, end)
    }

    async fn take_progress(&self, data: &Value) -> Told {
        let id = data[0]["MaHoSo"].as_str().unwrap_or_default().to_owned();
        let mut repeated = 0;
        let end = self.progress_end(data, &mut repeated).await;
        Told { repeated, ..Told::new("CapNhatTienDoHoSoMC", &id, end) }
    }

    async fn progress_end(&self, data: &Value, repeated: &mut usize) -> End {
        let lines = match data.as_array() {
            Some(lines) if (1..=rules::CHUNK).contains(&lines.len()) => lines,
            _ => return End::Wrong("data".into()),
        };
        let mut kept = self.kept.lock().await;
        let mut effects: Vec<Effect> = Vec::new();
        for line in lines {
            if let Some(field) = rules::wrong_progress(line) {
                return End::Wrong(field);
            }
            let (code, at) = (text(line, "MaHoSo"), text(line, "ThoiDiemXuLy"));
            let Some(known) = kept.dossiers.get(code) else { return End::Absent };
            let sha256 = Sha256::of(line.to_string().as_bytes());
            let in_this_call = effects.iter().any(|effect| effect.sha256 == sha256);
            let there = known.progress.contains(&sha256) || in_this_call;
            if there {
                *repeated += 1;
            }
            if there && known.asked && !in_this_call {
                continue;
            }
            if effects.iter().rev().find(|effect| effect.code == code).is_some_and(|e| *at < *e.at) {
                return End::Wrong("ThoiDiemXuLy".into());
            }
            effects.push(Effect {
                service: "CapNhatTienDoHoSoMC".into(),
                code: code.into(),
                op: if there { "duplicate" } else { "progress" }.into(),
                status: text(line, "TrangThai").into(),
                at: at.into(),
                sha256,
                digitised: 0,
                papers: BTreeMap::new(),
                results: Vec::new(),
                late: !there && *at < *known.last,
                filing: Vec::new(),
            });
        }
        for line in lines {
            if let Some(known) = kept.dossiers.get_mut(text(line, "MaHoSo")) {
                known.asked = false;
            }
        }
        self.commit(&mut kept, effects).await
    }

    async fn commit(&self, kept: &mut Kept, effects: Vec<Effect>) -> End {
        let changes = !effects.is_empty();
        for effect in effects {
            if self.log.append(&effect).await.is_err() {
                return End::Failed;
            }
            kept.apply(effect);
        }
        End::Taken(changes)
    }
}

const LARGEST_CALL: usize = 8 << 20;

#[cfg(test)]
mod tests;
