use super::*;
use crate::deliver::attempt::Attempt;
use crate::deliver::file_link::{LinkKey, Links};
use crate::deliver::portal::adapter::Adapter;
use crate::deliver::portal::dialect::{Dialect, Envelope, Session};
use crate::deliver::portal::record::{OtherPaper, PortalDossier, Progress, Status, Supplement};
use crate::deliver::portal::reply::{self, Found, Reply};
use crate::deliver::portal::wire::{Mapped, Terms, map};
use crate::deliver::portal::{
    self as portal_craft, PortalSink, SyncReceipt, SyncState, ask, sample, sync, sync_from,
};
use crate::digest::Blake3;
use crate::fault::Code;
use crate::serve::loopback::Loopback;
use crate::serve::mischief::{Fate, cuttable};
use axum::Json;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use unicode_normalization::UnicodeNormalization;
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
        fetch: false,
    };
    let base = link::address(&loopback.url()).unwrap();
    let sink = sink(&base, session("mat-khau"));
    let router = cuttable(router(setup, fates).unwrap());
    let serving = tokio::spawn(loopback.serve(router, std::future::pending()));
    World { folder, sink, client: link::client(&Line::default()).unwrap(), serving }
}

fn session(password: &str) -> Envelope {
    let mut session = Session::new("tram", Zeroizing::new(password.into()));
    session.dstcode = Some("VN:GOV:1".into());
    Envelope::Session(session)
}

fn sink(base: &reqwest::Url, envelope: Envelope) -> PortalSink {
    let links = Links::new("https://tram.example", "portal", LinkKey::new(vec![7; 32]).unwrap(), 30).unwrap();
    PortalSink::new("portal", base.clone(), "H49.12.5", envelope, links)
}

fn bridge() -> Envelope {
    Envelope::Bridge {
        add: "bridge/add".into(),
        update: "bridge/update".into(),
        progress: "bridge/progress".into(),
    }
}

fn older_bridge() -> Envelope {
    Envelope::OlderBridge { endpoint: "DongBoHoSoMC".into(), progress: None }
}

fn mapped(dossier: &PortalDossier, dialect: Dialect) -> Mapped {
    let none = std::collections::BTreeSet::new();
    let link = |document: &Blake3| Ok(format!("https://tram.example/{document}"));
    map(dossier, &Terms { adapter: &Adapter::national(), dialect, waived: &none, link: &link }).unwrap()
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
    dossier.progress = (0..n).map(|at| Progress { at: event.at + at, ..event.clone() }).collect();
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
        assert_eq!(
            (receipt.answers.len(), receipt.status.as_str()),
            (2, Adapter::national().value("TrangThaiHoSo", status.key()).unwrap())
        );
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
    world.sink = sink(&world.sink.base, session("sai-mat-khau"));
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
    let good = mapped(&sample(), Dialect::Session);
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
    assert_eq!(made["message"].as_str().unwrap().nfc().collect::<String>(), "Đồng bộ thành công");
    for _ in 0..3 {
        let again = call(sent(json!("False"), good.dossier.clone()), "integration").await;
        let parsed = reply::parse(&Adapter::national(), Dialect::Session, again.to_string().as_bytes());
        assert_eq!(parsed, Some(Reply::Duplicate));
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

#[tokio::test]
async fn a_bridge_takes_a_dossier_as_new_then_as_changed_and_its_progress_by_tens() {
    let world = world(u64::MAX, fair()).await;
    let sink = sink(&world.sink.base, bridge());
    for expected in [&["create"][..], &["create", "update"]] {
        let other = OtherPaper { title: "Đơn".into(), count: 1, kind: 1 };
        let supplement = Supplement {
            id: 1,
            asked_by: "Cán bộ tập huấn".into(),
            what: "Bổ sung".into(),
            asked_at: Some(1_757_811_909),
            taken_by: None,
            taken_note: None,
            taken_at: None,
            given: false,
            papers: vec![other.clone()],
            due_before: Some(1_757_811_909),
            due_now: None,
        };
        let status = if expected.len() == 1 { Status::Processing } else { Status::Done };
        let dossier =
            PortalDossier { status, others: vec![other], supplements: vec![supplement], ..events(21) };
        let Attempt::Delivered(receipt) = sync(&world.client, &sink, &dossier).await else { panic!("not") };
        let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
        assert_eq!((receipt.contract.as_str(), receipt.answers.len()), ("dvcqg-b", 4));
        let ops = world.ops();
        let dossiers: Vec<_> = ops.iter().filter(|op| *op == "create" || *op == "update").collect();
        assert_eq!(dossiers, expected);
    }
    let effects = world.effects();
    let lines: Vec<&Effect> = effects.iter().filter(|effect| effect.op == "progress").collect();
    assert_eq!(lines.len(), 21, "what was sent again is no progress");
    let twice = effects.iter().filter(|effect| effect.op == "duplicate").count();
    assert_eq!(twice, 21, "a bridge cannot be asked: what is told again stands there twice, and that shows");
    assert!(lines.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert_eq!(effects[0].digitised, 1);
}

#[tokio::test]
async fn a_bridge_that_lost_the_answer_says_that_it_has_it_and_gets_a_change() {
    let world = world(u64::MAX, Fates::by(|n| if n == 1 { Fate::LoseAnswer } else { Fate::Fair })).await;
    let sink = sink(&world.sink.base, bridge());
    let lost = sync(&world.client, &sink, &sample()).await;
    assert_eq!(code_of(&lost), &link::CUT_OFF);
    assert!(matches!(sync(&world.client, &sink, &sample()).await, Attempt::Delivered(_)));
    assert_eq!(world.ops(), ["create", "progress", "progress"], "the same change again changes nothing");
    // Progress is another matter: whoever tells a line again without a question tells it twice.
    let line = mapped(&sample(), Dialect::Bridge).progress[1].clone();
    let url = format!("{}bridge/progress", world.sink.base);
    world.client.post(url).json(&[line]).send().await.unwrap();
    assert_eq!(world.ops().last().map(String::as_str), Some("duplicate"));
    assert!(
        matches!(ask(&world.client, &sink, &sample().code).await, Err(attempt) if code_of(&attempt) == &portal_craft::CANNOT_ASK)
    );
}

#[tokio::test]
async fn a_bridge_can_be_asked_through_a_session_adapter() {
    let world = world(u64::MAX, fair()).await;
    let mut bridged = sink(&world.sink.base, bridge());
    bridged.asks = Some(Box::new(sink(&world.sink.base, session("mat-khau"))));
    assert_eq!(ask(&world.client, &bridged, &sample().code).await.unwrap(), Found::Nothing);
    for _ in 0..2 {
        assert!(matches!(sync(&world.client, &bridged, &sample()).await, Attempt::Delivered(_)));
    }
    let Found::There(there) = ask(&world.client, &bridged, &sample().code).await.unwrap() else {
        panic!("not")
    };
    assert_eq!(there.state.as_deref(), Some("9"));
    assert_eq!(there.papers.unwrap().get("1"), Some(&Some(true)));
    assert!(there.results.unwrap().contains("2"));
}

#[tokio::test]
async fn the_older_bridge_is_told_in_its_query_and_its_receipt_says_that_progress_stayed_here() {
    let world = world(u64::MAX, fair()).await;
    let sink = sink(&world.sink.base, older_bridge());
    for (status, expected) in [(Status::Processing, &["create"][..]), (Status::Done, &["create", "update"])] {
        let dossier = PortalDossier { status, ..sample() };
        let Attempt::Delivered(receipt) = sync(&world.client, &sink, &dossier).await else { panic!("not") };
        let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
        assert_eq!((receipt.contract.as_str(), receipt.progress_withheld), ("dvcqg-c", 2));
        assert_eq!(world.ops(), expected);
    }
}

#[tokio::test]
async fn a_new_dossier_that_is_answered_as_a_duplicate_is_told_as_a_change() {
    for (envelope, request) in [(session("mat-khau"), 3), (bridge(), 1), (older_bridge(), 1)] {
        let deal = move |n| if n == request { Fate::Duplicate } else { Fate::Fair };
        let world = world(u64::MAX, Fates::by(deal)).await;
        let sink = sink(&world.sink.base, envelope);
        let Attempt::Delivered(receipt) = sync(&world.client, &sink, &sample()).await else { panic!("not") };
        let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
        assert_eq!(receipt.answers[0].is_updating.as_deref(), Some("True"));
        assert_eq!(world.ops().iter().filter(|op| *op == "create").count(), 1);
    }
}

#[tokio::test]
async fn a_code_that_nobody_knows_is_no_success_though_the_work_was_done() {
    // Under a session the call is made once more after a new login: request 5.
    for (envelope, requests) in
        [(session("mat-khau"), [3, 5]), (bridge(), [1, 1]), (bridge(), [2, 2]), (older_bridge(), [1, 1])]
    {
        let deal = move |n| if requests.contains(&n) { Fate::UnknownCode } else { Fate::Fair };
        let world = world(u64::MAX, Fates::by(deal)).await;
        let sink = sink(&world.sink.base, envelope);
        let mut state = SyncState::default();
        let first = sync_from(&world.client, &sink, &sample(), &mut state).await;
        // A duplicate is what the second call under a session hears, and that is understood.
        if !matches!(sink.envelope, Envelope::Session(_)) {
            assert_eq!(code_of(&first), &portal_craft::ANSWER_UNKNOWN);
        }
        let again = sync_from(&world.client, &sink, &sample(), &mut state).await;
        assert!(matches!(again, Attempt::Delivered(_)), "{again:?}");
        let effects = world.effects();
        let distinct: HashSet<_> = effects.iter().map(|effect| effect.sha256).collect();
        // Only a bridge that took progress, said so in no known word and cannot be asked has it twice.
        let twice = if requests == [2, 2] { sample().progress.len() } else { 0 };
        assert_eq!(effects.iter().filter(|effect| effect.op == "duplicate").count(), twice);
        assert_eq!(distinct.len() + twice, effects.len());
    }
}

#[tokio::test]
async fn a_session_that_the_portal_ends_is_renewed_once_and_a_refusal_twice_is_not_believed() {
    let world =
        world(u64::MAX, Fates::by(|n| if n % 3 == 0 { Fate::SessionExpiry } else { Fate::Fair })).await;
    assert!(matches!(sync(&world.client, &world.sink, &events(21)).await, Attempt::Delivered(_)));
    assert_eq!(world.effects().len(), 22);
    let never = self::world(u64::MAX, Fates::by(|_| Fate::SessionExpiry)).await;
    let refused = sync(&never.client, &never.sink, &sample()).await;
    assert_eq!(code_of(&refused), &portal_craft::ANSWER_UNKNOWN);
    assert!(never.effects().is_empty());
}

#[tokio::test]
async fn a_login_page_in_place_of_an_answer_is_followed_by_the_question_and_not_by_the_same_call() {
    // Login, question, then the dossier is done and answered with nothing: the next attempt logs in and asks.
    let world = world(u64::MAX, Fates::by(|n| if n == 5 { Fate::NoReceipt } else { Fate::Fair })).await;
    let first = PortalDossier { code: "H49.12.5-250914-0001".into(), progress: Vec::new(), ..sample() };
    assert!(matches!(sync(&world.client, &world.sink, &first).await, Attempt::Delivered(_)));
    let dossier = PortalDossier { progress: Vec::new(), ..sample() };
    let lost = sync(&world.client, &world.sink, &dossier).await;
    assert_eq!(code_of(&lost), &portal_craft::ANSWER_UNREADABLE);
    assert_eq!(world.ops(), ["create", "create"]);
    let Attempt::Delivered(receipt) = sync(&world.client, &world.sink, &dossier).await else { panic!("not") };
    let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
    assert_eq!(receipt.answers[0].is_updating.as_deref(), Some("True"));
    assert_eq!(world.ops(), ["create", "create"], "the same change again changes nothing");
}

#[tokio::test]
async fn progress_of_a_dossier_that_the_portal_lost_brings_the_dossier_again() {
    let world = world(u64::MAX, fair()).await;
    let dossier = Some(portal_craft::whole::digest(&sample()));
    let mut state = SyncState { dossier_taken: true, dossier, ..SyncState::default() };
    let lost = sync_from(&world.client, &world.sink, &sample(), &mut state).await;
    assert!(matches!(lost, Attempt::Again { .. }));
    assert!(world.effects().is_empty(), "no progress before its dossier");
    let again = sync_from(&world.client, &world.sink, &sample(), &mut state).await;
    assert!(matches!(again, Attempt::Delivered(_)));
    assert_eq!(world.ops(), ["create", "progress", "progress"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_connection_that_is_cut_is_tried_again() {
    for fate in [Fate::Redirect, Fate::Reset, Fate::Busy] {
        let world = world(u64::MAX, Fates::by(move |n| if n >= 3 { fate } else { Fate::Fair })).await;
        let attempt = sync(&world.client, &world.sink, &sample()).await;
        assert!(matches!(attempt, Attempt::Again { .. }), "{fate:?}");
        assert!(world.effects().is_empty(), "{fate:?}");
    }
}

#[tokio::test]
async fn the_bridge_holds_to_its_types_and_the_older_one_to_its_query() {
    let world = world(u64::MAX, fair()).await;
    let post = |path: &str, body: Value| {
        let request = world.client.post(format!("{}{path}", world.sink.base)).json(&body);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let refused = |answer: &str| {
        let said = reply::parse_text(&Adapter::national(), Dialect::Bridge, answer.as_bytes());
        assert!(!matches!(said, Some(Reply::Taken | Reply::Duplicate)), "{answer}");
    };
    let other = OtherPaper { title: "Đơn".into(), count: 1, kind: 1 };
    let dossier = PortalDossier { others: vec![other], ..sample() };
    let typed = mapped(&dossier, Dialect::Bridge).dossier;
    let plain = mapped(&dossier, Dialect::Session).dossier;
    let with = |change: fn(&mut Value)| {
        let mut dossier = typed.clone();
        change(&mut dossier);
        dossier
    };
    for wrong in [
        json!([plain]),
        typed.clone(),
        json!({ "data": [typed] }),
        json!([with(|d| d["MaDoiTuong"] = json!("x"))]),
        json!([with(|d| d["KenhThucHien"] = json!("2"))]),
        json!([with(|d| d["DanhSachTepDinhKemKhac"][0]["SoLuong"] = json!("1"))]),
        json!([with(|d| d["TaiLieuNop"][0]["DuocSoHoa"] = json!(1))]),
        json!([with(|d| d["TaiLieuNop"][0]["DuocSoHoa"] = json!("0"))]),
        json!([with(|d| d["TaiLieuNop"][0]["DuongDanTaiTepTin"] = json!("tep.pdf"))]),
        json!([with(|d| d["TaiLieuNop"][0]["IsDeleted"] = json!("false"))]),
        json!([with(|d| d["DinhDanhCHS"][0]["LoaiDinhDanh"] = json!("3"))]),
    ] {
        refused(&post("bridge/add", wrong).await);
    }
    refused(&post("bridge/update", json!([typed])).await);
    refused(&post("bridge/progress", json!(mapped(&sample(), Dialect::Bridge).progress)).await);
    for query in ["", "?isUpdating=False", "?MaDinhDanhDV=H49", "?MaDinhDanhDV=H49&isUpdating=false"] {
        refused(&post(&format!("DongBoHoSoMC{query}"), json!([plain])).await);
    }
    assert!(world.effects().is_empty());
    assert!(post("bridge/add", json!([typed])).await.contains("\"0\""));
    let mut backwards = mapped(&sample(), Dialect::Bridge).progress;
    backwards.reverse();
    refused(&post("bridge/progress", json!(backwards)).await);
    assert_eq!(world.effects().len(), 1);
}

/// A portal behind a gate: what it says at the login, and what to every call under a session.
async fn gated(login: (u16, &'static str), calls: (u16, &'static str)) -> (reqwest::Url, impl Drop) {
    struct Serving(tokio::task::JoinHandle<Outcome<()>>);
    impl Drop for Serving {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let says = |(status, body): (u16, &'static str)| {
        post(move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), body) })
    };
    let router = Router::new()
        .route("/login", says(login))
        .route("/integration", says(calls))
        .route("/bridge/add", says(calls));
    let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let base = link::address(&loopback.url()).unwrap();
    (base, Serving(tokio::spawn(loopback.serve(router, std::future::pending()))))
}

#[tokio::test]
async fn a_refused_login_in_any_shape_judges_the_station_and_no_parcel() {
    let client = link::client(&Line::default()).unwrap();
    for said in [
        (400, "{}"),
        (401, ""),
        (403, "<html>WAF</html>"),
        (404, "{}"),
        (405, ""),
        (409, "{}"),
        (422, r#"{"error_code":1}"#),
        (200, r#"{"error_code":1,"message":"Sai mật khẩu"}"#),
        (200, "<html>"),
        (302, ""),
        (500, ""),
    ] {
        let (base, _serving) = gated(said, (200, "{}")).await;
        let attempt = sync(&client, &sink(&base, session("x")), &sample()).await;
        assert!(matches!(attempt, Attempt::Again { .. }), "{said:?} {attempt:?}");
        assert!(!attempt.shows_a_live_receiver(), "the breaker opens: {said:?}");
        if said.0 < 500 && said.0 >= 400 {
            assert_eq!(code_of(&attempt), &portal_craft::LOGIN_REFUSED, "{said:?}");
        }
    }
}

#[tokio::test]
async fn a_gate_before_every_call_judges_the_station_and_a_call_that_is_refused_for_itself_is_a_dead_letter()
{
    let client = link::client(&Line::default()).unwrap();
    let session_given = (200, r#"{"error_code":0,"session":"s"}"#);
    for status in [401, 403, 404, 405, 407] {
        let (base, _serving) = gated(session_given, (status, "<html>WAF</html>")).await;
        for envelope in [session("x"), bridge()] {
            let attempt = sync(&client, &sink(&base, envelope), &sample()).await;
            assert_eq!(code_of(&attempt), &portal_craft::NOT_LET_IN, "{status}");
            assert!(matches!(attempt, Attempt::Again { .. }) && !attempt.shows_a_live_receiver(), "{status}");
        }
    }
    let (base, _serving) = gated(session_given, (413, "")).await;
    assert!(matches!(sync(&client, &sink(&base, bridge()), &sample()).await, Attempt::Never(_)));
}

/// A portal that answers the question in words of its own: of the session that it gave first, and of every later one.
async fn answering(first: &'static str, later: &'static str) -> (reqwest::Url, Arc<Mutex<Vec<Value>>>) {
    let calls: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (noted, given) = (Arc::clone(&calls), Arc::new(AtomicU64::new(0)));
    let login = post(move || async move {
        let number = given.fetch_add(1, Ordering::Relaxed);
        Json(json!({ "error_code": 0, "session": format!("s{number}") }))
    });
    let integration = post(move |Json(call): Json<Value>| async move {
        let answer = match (call["service"].as_str(), call["session"].as_str()) {
            (Some("TraCuuHoSo"), Some("s0")) => first,
            (Some("TraCuuHoSo"), _) => later,
            _ => r#"{"error_code":"00"}"#,
        };
        noted.lock().await.push(call);
        answer
    });
    let router = Router::new().route("/login", login).route("/integration", integration);
    let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let base = link::address(&loopback.url()).unwrap();
    tokio::spawn(loopback.serve(router, std::future::pending()));
    (base, calls)
}

#[tokio::test]
async fn whatever_a_portal_calls_absence_a_dossier_gets_past_the_question() {
    let client = link::client(&Line::default()).unwrap();
    for empty in [
        r#"{"result":[]}"#,
        r#"{"error_code":"1","message":"Không tìm thấy hồ sơ","result":[]}"#,
        r#"{"error_code":9,"result":[]}"#,
        r#"{"error_code":0,"result":[]}"#,
    ] {
        let (base, calls) = answering(empty, empty).await;
        let attempt = sync(&client, &sink(&base, session("x")), &sample()).await;
        assert!(matches!(attempt, Attempt::Delivered(_)), "{empty} {attempt:?}");
        let updating: Vec<Value> = calls.lock().await.iter().map(|call| call["isUpdating"].clone()).collect();
        assert!(updating.contains(&json!("False")) && !updating.contains(&json!("True")), "{empty}");
    }
    for unsure in [r#"{"error_code":0}"#, r#"{"error_code":0,"result":"x"}"#, r#"{"result":{}}"#] {
        let (base, calls) = answering(unsure, unsure).await;
        let attempt = sync(&client, &sink(&base, session("x")), &sample()).await;
        assert!(matches!(attempt, Attempt::Again { .. }), "{unsure}");
        assert!(calls.lock().await.iter().all(|call| call["service"] == "TraCuuHoSo"));
    }
}

#[tokio::test]
async fn an_ended_session_that_answers_with_an_empty_list_is_no_absence() {
    let client = link::client(&Line::default()).unwrap();
    let there = r#"{"error_code":0,"result":[{"MaHoSo":"H49.12.5-250914-0042","TrangThaiHoSo":"2"}]}"#;
    for ended in [
        r#"{"error_code":"9","message":"Phiên làm việc không tồn tại","result":[]}"#,
        r#"{"error_code":"1","message":"Session expired","result":[]}"#,
        r#"{"error_code":9,"result":[]}"#,
        r#"{"error_code":0,"message":"Vui lòng đăng nhập lại","result":[]}"#,
    ] {
        let (base, _) = answering(ended, there).await;
        let sink = sink(&base, session("x"));
        // The first question is put under a fresh session, whose answer has to do.
        let _ = ask(&client, &sink, &sample().code).await;
        let found = ask(&client, &sink, &sample().code).await.unwrap();
        assert!(matches!(found, Found::There(_)), "{ended} {found:?}");
    }
}

#[tokio::test]
async fn progress_whose_answer_was_lost_is_asked_about_and_never_doubled_by_the_session_dialect() {
    let world = world(u64::MAX, Fates::by(|n| if n == 4 { Fate::LoseAnswer } else { Fate::Fair })).await;
    let mut state = SyncState::default();
    let lost = sync_from(&world.client, &world.sink, &sample(), &mut state).await;
    assert_eq!((code_of(&lost), state.progress_unsure), (&link::CUT_OFF, true));
    let again = sync_from(&world.client, &world.sink, &sample(), &mut state).await;
    assert!(matches!(again, Attempt::Delivered(_)));
    assert_eq!(world.ops(), ["create", "progress", "progress"]);
}

#[tokio::test]
async fn what_changed_since_the_portal_took_it_is_told_anew_before_the_rest_of_its_progress() {
    // Login, question, dossier; progress fails.
    let world = world(u64::MAX, Fates::by(|n| if n == 4 { Fate::Fail } else { Fate::Fair })).await;
    let mut state = SyncState::default();
    let bare = PortalDossier { papers: Vec::new(), ..sample() };
    assert!(matches!(sync_from(&world.client, &world.sink, &bare, &mut state).await, Attempt::Again { .. }));
    assert!(state.was_told());
    let again = sync_from(&world.client, &world.sink, &sample(), &mut state).await;
    let Attempt::Delivered(receipt) = again else { panic!("not") };
    let receipt: SyncReceipt = serde_json::from_slice(&receipt.0).unwrap();
    assert_eq!(receipt.record, Some(portal_craft::whole::digest(&sample())));
    assert_eq!(world.ops(), ["create", "update", "progress", "progress"]);
    assert_eq!(world.effects()[1].digitised, 1);
}

#[tokio::test]
async fn catalogues_are_shared_under_a_session_and_one_procedure_is_told() {
    let world = world(u64::MAX, fair()).await;
    let call = |path: &str, body: Value| {
        let url = format!("{}{path}", world.sink.base);
        let request = world.client.post(url).header("dstcode", "VN:GOV:1").json(&body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let login = call("login", json!({ "username": "tram", "password": "mat-khau" })).await;
    let session = login["session"].as_str().unwrap().to_owned();
    for (service, field) in
        [("LayDanhSachTTHC", "MATTHC"), ("LayDanhMucCoQuan", "MADONVI"), ("LayDanhMucLinhVuc", "MALINHVUC")]
    {
        let answer = call("share", json!({ "session": session, "service": service })).await;
        assert_eq!(answer["error_code"], 0, "a number: {answer}");
        assert!(answer["result"][0][field].is_string(), "{answer}");
    }
    let tech = |provider: &str, number: &str| json!({ "session": session, "service": "TraCuuTechID", "provider": provider, "mstorcmnd": number });
    let found = call("share", tech("wso2is", "001099000001")).await;
    assert!(found["result"][0]["TECHNICALID"].as_str().is_some_and(|id| !id.is_empty()), "{found}");
    for wrong in
        [tech("google", "001099000001"), tech("wso2is", "12"), json!({ "session": session, "service": "x" })]
    {
        assert_eq!(call("share", wrong).await["error_code"], "12");
    }
    assert_eq!(
        call("share", json!({ "session": "no", "service": "LayDanhSachTTHC" })).await["error_code"],
        9
    );
    let procedure =
        |code: &str| json!({ "session": session, "madonvi": "H49", "service": "LayThuTuc", "maTTHC": code });
    assert_eq!(call("integration", procedure("1.001193")).await["result"][0]["MATTHC"], "1.001193");
    assert_eq!(call("integration", procedure("9.999999")).await["result"], json!([]));
    assert_eq!(call("integration", procedure("")).await["error_code"], "12");
}

#[tokio::test]
async fn what_a_citizen_was_given_is_read_back_from_the_store_in_base64_and_in_both_spellings() {
    let pdf = Router::new().route("/{*file}", axum::routing::get(|| async { "%PDF-1.7 ket qua" }));
    let files = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let place = files.url();
    let _files = tokio::spawn(files.serve(pdf, std::future::pending()));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let dossier = mapped(&sample(), Dialect::Session).dossier;
    let fetcher = Fetcher {
        client: link::client(&Line::default()).unwrap(),
        log: EffectLog::open_file::<Value>(&folder.path().join("fetched.jsonl")).unwrap().0,
        store: store.clone(),
    };
    let mut local = dossier.clone();
    local["DanhSachGiayToKetQua"][0]["DuongDanTepTinKetQua"] = format!("{place}/ket-qua.pdf").into();
    local["TaiLieuNop"][0]["DuongDanTaiTepTin"] = format!("{place}/to-khai.pdf").into();
    fetcher.fetch(local).await;
    let asked = json!({ "SoDinhDanhChuSoHuu": "001099000001", "HoTenNguoiYeuCau": "Cán bộ", "KenhThucHien": "1",
        "SoDinhDanhNguoiYeuCau": "001099000009", "MaThuTuc": "1.001193",
        "DanhSachDanhMucKetQua": [{ "MaKetQua": "KQ.G15.000031", "SoKyHieu": "" }] });
    let small = json!({ "soDinhDanhChuSoHuu": "001099000001", "hoTenNguoiYeuCau": "Cán bộ", "kenhThucHien": "1",
        "soDinhDanhNguoiYeuCau": "001099000009", "maThuTuc": "1.001193",
        "danhSachDanhMucKetQua": [{ "maKetQua": "KQ.G15.000031", "soKyHieu": "" }] });
    let found = store.search(&asked).await.unwrap();
    assert_eq!(found["errorCode"], 0);
    let papers = found["result"]["DanhSachGiayToKetQua"].as_array().unwrap();
    assert_eq!(papers.len(), 1, "a paper that was handed in is no result: {found}");
    let paper = &papers[0];
    let file = json!({ "CoQuanChuQuan": paper["CoQuanChuQuan"], "DuongDan": paper["DanhSachTepDinhKem"][0]["DuongDan"] });
    let (_, base64) = store.file(&file).await.unwrap();
    use base64::Engine as _;
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(base64).unwrap(), b"%PDF-1.7 ket qua");
    let in_small = store.search(&small).await.unwrap();
    assert!(
        in_small["result"]["danhSachGiayToKetQua"][0]["danhSachTepDinhKem"][0]["tenTep"].is_string(),
        "{in_small}"
    );
    let mut other = asked.clone();
    other["SoDinhDanhChuSoHuu"] = "001099000002".into();
    assert_eq!(store.search(&other).await.unwrap()["result"]["DanhSachGiayToKetQua"], json!([]));
    assert_eq!(store.search(&json!({})).await, Err("SoDinhDanhChuSoHuu"));
    for path in ["../store.jsonl", ""] {
        assert!(
            store.file(&json!({ "CoQuanChuQuan": paper["CoQuanChuQuan"], "DuongDan": path })).await.is_none()
        );
    }
}
