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
        let dossiers: Vec<_> = world.ops().into_iter().filter(|op| op != "progress").collect();
        assert_eq!(dossiers, expected);
    }
    let effects = world.effects();
    let lines: Vec<&Effect> = effects.iter().filter(|effect| effect.op == "progress").collect();
    assert_eq!(lines.len(), 21, "what was sent again is there once");
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
    assert_eq!(ask(&world.client, &bridged, &sample().code).await.unwrap(), Found::There(Some("9".into())));
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
        assert_eq!(distinct.len(), effects.len(), "nothing is there twice");
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
    let mut state = SyncState { dossier_taken: true, ..SyncState::default() };
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
