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
mod record;
mod rules;
mod store;
mod voice;

use super::effects::{Accepted, EffectLog};
use super::loopback::Cut;
use super::mischief::{Fate, Fates};
use crate::deliver::link::{self, Line};
use crate::digest::Sha256;
use crate::fault::Outcome;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use record::{Effect, Kept};
use rules::{Typing, text};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::Mutex;
use voice::{End, Voice};

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
}

const LARGEST_CALL: usize = 8 << 20;

#[cfg(test)]
mod tests;
