//! A stand-in for the national portal's session adapter (dialect A of [`crate::deliver::portal`]), strictly.
//!
//! `POST /login` gives sessions that end; `POST /integration` takes dossiers and progress by the rules: "False" makes
//! and "True" changes, never the other way round; every scalar a string, every length within its limit, progress in
//! order and at most ten lines a call. Good answers come as 0, "0" and "00" in turn, duplicates as 0, "3" and "-3"
//! and in decomposed letters, as the field knows them.

use super::effects::EffectLog;
use super::loopback::Cut;
use super::mischief::Fates;
use crate::deliver::portal::wire;
use crate::digest::Sha256;
use crate::fault::Outcome;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
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
}

/// A portal over what its state folder holds.
///
/// # Errors
/// A state folder that cannot be used.
pub fn router(setup: Setup, fates: Fates) -> Outcome<Router> {
    let (log, effects) = EffectLog::open::<Effect>(&setup.state)?;
    let mut kept = Kept::default();
    effects.into_iter().for_each(|effect| kept.apply(effect));
    let portal = Portal {
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
        .with_state(Arc::new(portal)))
}

struct Portal {
    setup: Setup,
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
}

#[derive(Default)]
struct Kept {
    dossiers: HashMap<String, Known>,
}

struct Known {
    status: String,
    sha256: Sha256,
    progress: HashSet<Sha256>,
    last: String,
}

impl Kept {
    fn apply(&mut self, effect: Effect) {
        let Effect { code, op, status, at, sha256, .. } = effect;
        let known = self.dossiers.entry(code).or_insert_with(|| Known {
            status: String::new(),
            sha256,
            progress: HashSet::new(),
            last: String::new(),
        });
        known.status = status;
        if op == "progress" {
            known.progress.insert(sha256);
            known.last = at;
        } else {
            known.sha256 = sha256;
        }
    }
}

async fn login(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, |portal, headers, call| async move {
        let right = call["username"] == portal.setup.username.as_str()
            && call["password"] == portal.setup.password.as_str()
            && portal.dstcode_fits(&headers);
        if !right {
            return json!({ "error_code": 1, "message": "Đăng nhập không thành công" });
        }
        let mut bytes = [0u8; 16];
        if openssl::rand::rand_bytes(&mut bytes).is_err() {
            return json!({ "error_code": 2, "message": "Lỗi hệ thống" });
        }
        let session = hex::encode(bytes);
        portal.sessions.lock().await.insert(session.clone(), (Instant::now(), 0));
        json!({ "error_code": 0, "session": session })
    })
    .await
}

async fn integration(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    serve(portal, request, |portal, headers, call| async move {
        if !portal.dstcode_fits(&headers) || !portal.session_holds(&call).await {
            return json!({ "error_code": "9", "message": "Phiên làm việc không hợp lệ" });
        }
        if call["madonvi"].as_str().is_none_or(str::is_empty) {
            return invalid("madonvi");
        }
        match call["service"].as_str() {
            Some("TraCuuHoSo") => portal.look_up(&call).await,
            Some("DongBoHoSoMC") => portal.take_dossiers(&call).await,
            Some("CapNhatTienDoHoSoMC") => portal.take_progress(&call).await,
            _ => invalid("service"),
        }
    })
    .await
}

/// Runs a call to its end, whether or not the caller waits, under the next request's fate.
async fn serve<F>(
    portal: Arc<Portal>,
    request: Request,
    work: impl FnOnce(Arc<Portal>, HeaderMap, Value) -> F,
) -> Response
where
    F: Future<Output = Value> + Send + 'static,
{
    let fate = portal.fates.next().await;
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_CALL).await.unwrap_or_else(|_| Bytes::new());
    let answer = match serde_json::from_slice::<Value>(&body) {
        Ok(call) => tokio::spawn(work(portal, parts.headers, call))
            .await
            .unwrap_or_else(|_| json!({ "error_code": 2, "message": "Lỗi hệ thống" })),
        Err(_) => invalid("JSON"),
    };
    fate.spoil(Cut::of(&parts.extensions), Json(answer).into_response())
}

impl Portal {
    fn dstcode_fits(&self, headers: &HeaderMap) -> bool {
        self.setup
            .dstcode
            .as_deref()
            .is_none_or(|code| headers.get("dstcode").is_some_and(|given| given == code))
    }

    async fn session_holds(&self, call: &Value) -> bool {
        let mut sessions = self.sessions.lock().await;
        sessions.retain(|_, (born, calls)| {
            born.elapsed() < self.setup.session_life && *calls < self.setup.session_calls
        });
        let session = call["session"].as_str().and_then(|session| sessions.get_mut(session));
        session.map(|(_, calls)| *calls += 1).is_some()
    }

    /// The next spelling of success.
    fn taken(&self) -> Value {
        let spellings = [json!(0), json!("0"), json!("00")];
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize % spellings.len();
        json!({ "error_code": spellings[turn], "message": "Đồng bộ thành công" })
    }

    /// The next spelling of "already there".
    fn duplicate(&self) -> Value {
        let words = "Hồ sơ đã tồn tại trên hệ thống";
        let spellings = [
            json!({ "error_code": 0, "message": words }),
            json!({ "error_code": "3", "message": words.nfd().collect::<String>() }),
            json!({ "error_code": "-3", "message": words.to_uppercase() }),
        ];
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize % spellings.len();
        spellings[turn].clone()
    }

    async fn look_up(&self, call: &Value) -> Value {
        let Some(code) = call["mahoso"].as_str() else { return invalid("mahoso") };
        let kept = self.kept.lock().await;
        let found: Vec<Value> = kept
            .dossiers
            .get(code)
            .map(|known| json!({ "MaHoSo": code, "TrangThaiHoSo": known.status }))
            .into_iter()
            .collect();
        json!({ "error_code": 0, "result": found })
    }

    async fn take_dossiers(&self, call: &Value) -> Value {
        let new = match call["isUpdating"].as_str() {
            Some("False") => true,
            Some("True") => false,
            _ => return invalid("isUpdating"),
        };
        let Some([dossier]) = call["data"].as_array().map(Vec::as_slice) else { return invalid("data") };
        if let Some(field) = wrong_field(dossier) {
            return invalid(&field);
        }
        let code = text(dossier, "MaHoSo").to_owned();
        let sha256 = Sha256::of(dossier.to_string().as_bytes());
        let mut kept = self.kept.lock().await;
        match kept.dossiers.get(&code) {
            Some(_) if new => return self.duplicate(),
            None if !new => return json!({ "error_code": "4", "message": "Hồ sơ không tồn tại" }),
            // The same update again changes nothing.
            Some(known) if known.sha256 == sha256 => return self.taken(),
            _ => {}
        }
        let effect = Effect {
            service: "DongBoHoSoMC".into(),
            code,
            op: if new { "create" } else { "update" }.into(),
            status: text(dossier, "TrangThaiHoSo").into(),
            at: String::new(),
            sha256,
        };
        self.commit(&mut kept, vec![effect]).await
    }

    async fn take_progress(&self, call: &Value) -> Value {
        let lines = match call["data"].as_array() {
            Some(lines) if (1..=wire::CHUNK).contains(&lines.len()) => lines,
            _ => return invalid("data"),
        };
        let mut kept = self.kept.lock().await;
        let mut effects: Vec<Effect> = Vec::new();
        for line in lines {
            if let Some(field) = wrong_progress(line) {
                return invalid(&field);
            }
            let (code, at) = (text(line, "MaHoSo"), text(line, "ThoiDiemXuLy"));
            let Some(known) = kept.dossiers.get(code) else {
                return json!({ "error_code": "4", "message": "Hồ sơ không tồn tại" });
            };
            let sha256 = Sha256::of(line.to_string().as_bytes());
            if known.progress.contains(&sha256) || effects.iter().any(|effect| effect.sha256 == sha256) {
                continue;
            }
            let last = effects
                .iter()
                .rev()
                .find(|effect| effect.code == code)
                .map_or(known.last.as_str(), |e| &e.at);
            if at < last {
                return invalid("ThoiDiemXuLy");
            }
            effects.push(Effect {
                service: "CapNhatTienDoHoSoMC".into(),
                code: code.into(),
                op: "progress".into(),
                status: text(line, "TrangThai").into(),
                at: at.into(),
                sha256,
            });
        }
        self.commit(&mut kept, effects).await
    }

    async fn commit(&self, kept: &mut Kept, effects: Vec<Effect>) -> Value {
        for effect in effects {
            if self.log.append(&effect).await.is_err() {
                return json!({ "error_code": 2, "message": "Lỗi hệ thống" });
            }
            kept.apply(effect);
        }
        self.taken()
    }
}

fn invalid(field: &str) -> Value {
    json!({ "error_code": "12", "message": format!("Trường {field} không hợp lệ") })
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// The first field of a dossier that breaks the contract.
fn wrong_field(dossier: &Value) -> Option<String> {
    let Some(fields) = dossier.as_object() else { return Some("data".into()) };
    let fits = |name: &str, value: &Value| value.is_string() || (value.is_array() && LISTS.contains(&name));
    if let Some((name, _)) = fields.iter().find(|(name, value)| !fits(name, value)) {
        return Some(name.clone());
    }
    if let Some(name) = OBLIGATORY.iter().find(|name| text(dossier, name).is_empty()) {
        return Some((*name).into());
    }
    if let Some(name) = DATES.iter().find(|name| !is_date(text(dossier, name))) {
        return Some((*name).into());
    }
    for (name, allowed) in ENUMS {
        if !allowed.contains(&text(dossier, name)) {
            return Some((*name).into());
        }
    }
    if too_long(dossier, "TrichYeuHoSo", wire::SUMMARY) {
        return Some("TrichYeuHoSo".into());
    }
    let strings = |record: &Value| match record.as_object() {
        Some(fields) => fields.iter().find(|(_, value)| !value.is_string()).map(|(name, _)| name.clone()),
        None => Some("data".into()),
    };
    let items = |name: &str| dossier[name].as_array().cloned().unwrap_or_default();
    for paper in items("TaiLieuNop") {
        let bad_flag = ["DuocSoHoa", "DuocLayTuKhoDMQG"]
            .into_iter()
            .find(|name| !matches!(text(&paper, name), "0" | "1"));
        let replaced = text(&paper, "DuocTaiSuDung") == "2";
        let wrong = strings(&paper)
            .or_else(|| bad_flag.map(Into::into))
            .or_else(|| too_long(&paper, "TenTepDinhKem", wire::FILE_NAME).then(|| "TenTepDinhKem".into()))
            .or_else(|| (!matches!(text(&paper, "IsDeleted"), "True" | "False")).then(|| "IsDeleted".into()))
            .or_else(|| {
                (replaced == text(&paper, "MaKetQuaThayThe").is_empty()).then(|| "MaKetQuaThayThe".into())
            });
        if wrong.is_some() {
            return wrong;
        }
    }
    items("DanhSachGiayToKetQua").iter().find_map(|paper| {
        strings(paper)
            .or_else(|| too_long(paper, "TenGiayTo", wire::PAPER_TITLE).then(|| "TenGiayTo".into()))
            .or_else(|| text(paper, "DuongDanTepTinKetQua").is_empty().then(|| "DuongDanTepTinKetQua".into()))
    })
}

fn wrong_progress(line: &Value) -> Option<String> {
    let Some(fields) = line.as_object() else { return Some("data".into()) };
    if let Some((name, _)) = fields.iter().find(|(_, value)| !value.is_string()) {
        return Some(name.clone());
    }
    let empty = ["MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "NoiDungXuLy", "TrangThai"];
    if let Some(name) = empty.into_iter().find(|name| text(line, name).is_empty()) {
        return Some(name.into());
    }
    if too_long(line, "NguoiXuLy", wire::OFFICER) {
        return Some("NguoiXuLy".into());
    }
    if !STATUSES.contains(&text(line, "TrangThai")) {
        return Some("TrangThai".into());
    }
    let dates = ["ThoiDiemXuLy", "NgayBatDau", "NgayKetThucTheoQuyDinh"];
    dates.into_iter().find(|name| !is_date(text(line, name))).map(Into::into)
}

fn too_long(record: &Value, name: &str, limit: usize) -> bool {
    text(record, name).encode_utf16().count() > limit
}

/// Fourteen digits that are a moment, or nothing.
fn is_date(text: &str) -> bool {
    let digits = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    text.is_empty() || (digits && jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).is_ok())
}

const LARGEST_CALL: usize = 8 << 20;
const OBLIGATORY: &[&str] = &[
    "MaHoSo",
    "MaTTHC",
    "TenTTHC",
    "MaLinhVuc",
    "TenLinhVuc",
    "SoGiayToChuHoSo",
    "SoDienThoai",
    "TrichYeuHoSo",
    "NgayTiepNhan",
    "NgayHenTra",
    "DonViXuLy",
    "NgayNopHoSo",
];
const DATES: &[&str] =
    &["NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy", "NgayTuChoi", "NgayNopHoSo"];
const LISTS: &[&str] = &[
    "TaiLieuNop",
    "DanhSachGiayToKetQua",
    "DanhSachLePhi",
    "DinhDanhCHS",
    "DSKetNoiCSDL",
    "DanhSachTepDinhKemKhac",
    "DanhSachHoSoBoSung",
];
const STATUSES: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
const ENUMS: &[(&str, &[&str])] = &[
    ("TrangThaiHoSo", STATUSES),
    ("KenhThucHien", &["1", "2", "3"]),
    ("LoaiDoiTuong", &["1", "2", "3", "4"]),
    ("HinhThuc", &["0", "1"]),
    ("NoiNopHoSo", &["1", "2"]),
    ("DuocThanhToanTrucTuyen", &["0", "1", "2", "3"]),
    ("HoSoCoThanhPhanSoHoa", &["0", "1"]),
    ("TaiKhoanDuocXacThucVoiVNeID", &["0", "1"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::attempt::Attempt;
    use crate::deliver::link::{self, Line};
    use crate::deliver::portal::record::{PortalDossier, Status};
    use crate::deliver::portal::{
        self as portal_craft, PortalSink, SyncReceipt, SyncState, sample, sync, sync_from,
    };
    use crate::fault::Code;
    use crate::serve::loopback::Loopback;
    use crate::serve::mischief::Fate;
    use zeroize::Zeroizing;

    struct World {
        folder: tempfile::TempDir,
        sink: PortalSink,
        client: reqwest::Client,
        serving: tokio::task::JoinHandle<Outcome<()>>,
    }

    impl Drop for World {
        fn drop(&mut self) {
            self.serving.abort();
        }
    }

    async fn world(session_calls: u64, fates: Fates) -> World {
        let folder = tempfile::tempdir().unwrap();
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let setup = Setup {
            state: folder.path().to_owned(),
            username: "tram".into(),
            password: "mat-khau".into(),
            dstcode: Some("VN:GOV:1".into()),
            session_life: Duration::from_secs(60),
            session_calls,
        };
        let base = link::address(&loopback.url()).unwrap();
        let mut sink = PortalSink::new("portal", base, "H49.12.5", "tram", Zeroizing::new("mat-khau".into()));
        sink.dstcode = Some("VN:GOV:1".into());
        let router = router(setup, fates).unwrap();
        let serving = tokio::spawn(loopback.serve(router, std::future::pending()));
        World { folder, sink, client: link::client(&Line::default()).unwrap(), serving }
    }

    impl World {
        fn effects(&self) -> Vec<Effect> {
            let text = std::fs::read_to_string(self.folder.path().join("effects.jsonl")).unwrap();
            assert!(!text.contains("Nguyễn") && !text.contains("001099000001"), "personal data in effects");
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        fn ops(&self) -> Vec<String> {
            self.effects().into_iter().map(|effect| effect.op).collect()
        }
    }

    fn fair() -> Fates {
        Fates::by(|_| Fate::Fair)
    }

    fn events(n: i64) -> PortalDossier {
        let mut dossier = sample();
        let event = dossier.progress[0].clone();
        dossier.progress =
            (0..n).map(|at| portal_craft::record::Progress { at: event.at + at, ..event.clone() }).collect();
        dossier
    }

    #[track_caller]
    fn code_of(attempt: &Attempt) -> &'static Code {
        match attempt {
            Attempt::Never(fault) | Attempt::Again { reason: fault, .. } => fault.code,
            Attempt::Delivered(_) => panic!("delivered"),
        }
    }

    #[tokio::test]
    async fn a_dossier_is_made_then_changed_and_its_answers_are_the_receipt() {
        let world = world(u64::MAX, fair()).await;
        for (status, expected) in [
            (Status::Processing, &["create", "progress", "progress"][..]),
            (Status::Done, &["create", "progress", "progress", "update"]),
            (Status::Done, &["create", "progress", "progress", "update"]),
        ] {
            let dossier = PortalDossier { status, ..sample() };
            let Attempt::Delivered(receipt) = sync(&world.client, &world.sink, &dossier).await else {
                panic!("not")
            };
            let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
            assert_eq!((receipt.answers.len(), receipt.status.as_str()), (2, status.wire()));
            assert_eq!(world.ops(), expected);
        }
    }

    #[tokio::test]
    async fn twenty_one_events_go_in_order_and_tens_and_a_broken_sync_goes_on_where_it_stopped() {
        // Login, question, dossier, ten; then the second ten is answered with 500.
        let world = world(u64::MAX, Fates::by(|n| if n == 5 { Fate::Fail } else { Fate::Fair })).await;
        let (dossier, mut state) = (events(21), SyncState::default());
        let broken = sync_from(&world.client, &world.sink, &dossier, &mut state).await;
        assert!(matches!(broken, Attempt::Again { .. }));
        assert_eq!((state.dossier_taken, state.progress_taken, state.answers.len()), (true, 10, 2));
        let state_again = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        state = state_again;
        assert!(matches!(
            sync_from(&world.client, &world.sink, &dossier, &mut state).await,
            Attempt::Delivered(_)
        ));
        assert_eq!((state.progress_taken, state.answers.len()), (21, 4));
        let effects = world.effects();
        assert_eq!(effects.len(), 22);
        assert!(effects[1..].windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    #[tokio::test]
    async fn a_lost_answer_is_asked_for_and_the_dossier_is_made_once() {
        let world = world(u64::MAX, Fates::by(|n| if n == 3 { Fate::LoseAnswer } else { Fate::Fair })).await;
        let lost = sync(&world.client, &world.sink, &sample()).await;
        assert_eq!(code_of(&lost), &link::CUT_OFF);
        assert!(matches!(sync(&world.client, &world.sink, &sample()).await, Attempt::Delivered(_)));
        assert_eq!(world.ops(), ["create", "progress", "progress"]);
    }

    #[tokio::test]
    async fn a_session_that_ends_in_the_middle_is_renewed_once() {
        let world = world(1, fair()).await;
        assert!(matches!(sync(&world.client, &world.sink, &events(21)).await, Attempt::Delivered(_)));
        assert_eq!(world.effects().len(), 22);
    }

    #[tokio::test]
    async fn a_wrong_password_is_no_success_and_stands_in_no_error() {
        let mut world = world(u64::MAX, fair()).await;
        world.sink = PortalSink::new(
            "p",
            world.sink.base.clone(),
            "H49",
            "tram",
            Zeroizing::new("sai-mat-khau".into()),
        );
        let refused = sync(&world.client, &world.sink, &sample()).await;
        assert_eq!(code_of(&refused), &portal_craft::LOGIN_REFUSED);
        let said = format!("{refused:?} {:?} {:?}", world.sink, sample());
        for secret in ["sai-mat-khau", "Nguyễn", "001099000001", "0900000000"] {
            assert!(!said.contains(secret), "{secret}");
        }
    }

    #[tokio::test]
    async fn html_nothing_and_five_hundred_are_never_success() {
        for fate in [Fate::Html, Fate::NoReceipt, Fate::Fail] {
            let world = world(u64::MAX, Fates::by(move |n| if n >= 3 { fate } else { Fate::Fair })).await;
            assert!(
                matches!(sync(&world.client, &world.sink, &sample()).await, Attempt::Again { .. }),
                "{fate:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_missing_never_leaves_and_is_named() {
        let world = world(u64::MAX, fair()).await;
        let dossier = PortalDossier { due: None, ..sample() };
        let Attempt::Never(fault) = sync(&world.client, &world.sink, &dossier).await else { panic!("sent") };
        assert_eq!((fault.code, fault.detail.as_deref()), (&portal_craft::FIELD_MISSING, Some("NgayHenTra")));
        assert!(world.effects().is_empty());
    }

    #[tokio::test]
    async fn the_portal_holds_to_its_contract() {
        let world = world(u64::MAX, fair()).await;
        let call = |body: Value, path: &str| {
            let url = format!("{}{path}", world.sink.base);
            let request = world.client.post(url).header("dstcode", "VN:GOV:1").json(&body);
            async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
        };
        let session =
            call(json!({ "username": "tram", "password": "mat-khau" }), "login").await["session"].clone();
        let good = wire::map(&sample(), &Default::default()).unwrap();
        let sent = |updating: Value, dossier: Value| json!({ "session": session, "madonvi": "H49", "service": "DongBoHoSoMC", "isUpdating": updating, "data": [dossier] });
        let with = |name: &str, value: Value| {
            let mut dossier = good.dossier.clone();
            dossier[name] = value;
            dossier
        };
        for (updating, dossier) in [
            (json!(false), good.dossier.clone()),
            (json!("false"), good.dossier.clone()),
            (json!("True"), good.dossier.clone()),
            (json!("False"), json!("x")),
            (json!("False"), with("TaiLieuNop", json!(["x"]))),
            (json!("False"), with("TrichYeuHoSo", "x".repeat(1_001).into())),
            (json!("False"), with("TrangThaiHoSo", json!(9))),
            (json!("False"), with("TrangThaiHoSo", "11".into())),
            (json!("False"), with("NgayTiepNhan", "2025-09-14".into())),
            (json!("False"), with("NgayTiepNhan", "20250931000000".into())),
            (json!("False"), with("NgayTra", Value::Null)),
            (json!("False"), with("MaTTHC", "".into())),
        ] {
            let answer = call(sent(updating, dossier), "integration").await;
            assert!(!matches!(answer["error_code"].as_str(), Some("0" | "00") | None), "{answer}");
        }
        assert!(world.effects().is_empty());
        let made =
            call(sent(json!("False"), with("TrichYeuHoSo", "x".repeat(1_000).into())), "integration").await;
        assert_eq!(made["message"], "Đồng bộ thành công");
        for _ in 0..3 {
            let again = call(sent(json!("False"), good.dossier.clone()), "integration").await;
            let parsed = portal_craft::reply::parse(again.to_string().as_bytes());
            assert_eq!(parsed, Some(portal_craft::reply::Reply::Duplicate));
        }
        let eleven = json!({ "session": session, "madonvi": "H49", "service": "CapNhatTienDoHoSoMC",
            "data": vec![good.progress[0].clone(); 11] });
        assert_eq!(call(eleven, "integration").await["error_code"], "12");
        let other = call(
            json!({ "session": "no", "madonvi": "H49", "service": "TraCuuHoSo", "mahoso": "x" }),
            "integration",
        )
        .await;
        assert_eq!(other["error_code"], "9");
        assert_eq!(world.effects().len(), 1);
    }
}
