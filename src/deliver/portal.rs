//! The national portal (Cổng Dịch vụ công quốc gia): a dossier and its progress are synced through the session
//! adapter that provinces run (dialect A).
//!
//! The contract has no idempotency key and no digest, so every sync asks before it sends: `TraCuuHoSo`, then
//! `DongBoHoSoMC` as new or as update, then `CapNhatTienDoHoSoMC` in order, ten lines a call. An answer that is not
//! understood is never success. The answers that were, byte for byte, are the receipt.
//!
//! No password, session or body goes into an error, a log or an address.

pub mod record;
pub mod reply;
pub mod wire;

use super::attempt::{self, Attempt, ReceiptBytes};
use super::link;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
pub use record::PortalDossier;
use reply::Reply;
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::sync::Mutex;
use wire::{Cut, Mapped};
use zeroize::Zeroizing;

/// A portal adapter of dialect A.
#[derive(Debug)]
pub struct PortalSink {
    /// Its name in the station's configuration.
    pub name: String,
    /// `adapter_url` ([`link::address`]).
    pub base: Url,
    /// Below it, where sessions are given.
    pub auth_endpoint: String,
    /// Below it, where dossiers are taken.
    pub integration_endpoint: String,
    /// `madonvi`: the unit in whose name we sync.
    pub unit: String,
    /// The `dstcode` header of newer adapters, login included.
    pub dstcode: Option<String>,
    /// Obligatory fields that this adapter is known to take empty.
    pub waived: BTreeSet<String>,
    login: Login,
    session: Mutex<Option<Zeroizing<String>>>,
}

struct Login {
    username: String,
    password: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

impl PortalSink {
    /// An adapter with the usual endpoints (`login`, `integration`), no `dstcode`, nothing waived.
    pub fn new(name: &str, base: Url, unit: &str, username: &str, password: Zeroizing<String>) -> Self {
        PortalSink {
            name: name.into(),
            base,
            auth_endpoint: "login".into(),
            integration_endpoint: "integration".into(),
            unit: unit.into(),
            dstcode: None,
            waived: BTreeSet::new(),
            login: Login { username: username.into(), password },
            session: Mutex::new(None),
        }
    }
}

/// How far a sync came: kept with the outbox row, so that the next attempt goes on where this one stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncState {
    /// The portal took the dossier.
    pub dossier_taken: bool,
    /// So many progress lines were taken.
    pub progress_taken: usize,
    /// What was cut to fit.
    #[serde(default)]
    pub cuts: Vec<Cut>,
    /// The answers that were understood as success, in order.
    pub answers: Vec<Answer>,
}

/// An acknowledged call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// `DongBoHoSoMC` or `CapNhatTienDoHoSoMC`.
    pub service: String,
    /// `isUpdating`, of a dossier call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_updating: Option<String>,
    /// SHA-256 of the `data` that was sent, as JSON text.
    pub data_sha256: Sha256,
    /// The answer's body, base64, byte for byte.
    pub body: String,
}

/// The receipt of a sync, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncReceipt {
    /// 1.
    pub version: u32,
    /// `dvcqg-a`.
    pub contract: String,
    /// `MaHoSo`.
    pub dossier: String,
    /// `TrangThaiHoSo` that was synced.
    pub status: String,
    /// What was cut to fit.
    pub cuts: Vec<Cut>,
    /// The answers.
    pub answers: Vec<Answer>,
}

/// Syncs a dossier and all of its progress once, from the beginning.
pub async fn sync(client: &Client, sink: &PortalSink, dossier: &PortalDossier) -> Attempt {
    sync_from(client, sink, dossier, &mut SyncState::default()).await
}

/// Syncs what `state` says is still to be synced, and moves `state` on with every call that the portal acknowledged.
///
/// A progress call whose answer was lost is sent again: the contract has no question to ask for it.
pub async fn sync_from(
    client: &Client,
    sink: &PortalSink,
    dossier: &PortalDossier,
    state: &mut SyncState,
) -> Attempt {
    let mapped = match wire::map(dossier, &sink.waived) {
        Ok(mapped) => mapped,
        Err(fault) => return Attempt::Never(fault.at(format!("dossier {}", dossier.code))),
    };
    match sync_mapped(client, sink, dossier, &mapped, state).await {
        Ok(receipt) => Attempt::Delivered(receipt),
        Err(attempt) => *attempt,
    }
}

/// Asks the portal whether it has a dossier: for reconciling what we think it has with what it has.
///
/// # Errors
/// The attempt that the question came to, never [`Attempt::Delivered`].
pub async fn ask(client: &Client, sink: &PortalSink, code: &str) -> Result<bool, Box<Attempt>> {
    let call = json!({ "service": "TraCuuHoSo", "madonvi": sink.unit, "mahoso": code });
    let body = exchange(client, sink, &call, |body| reply::found(body).is_some()).await?;
    reply::found(&body).ok_or_else(|| unsure(&body))
}

async fn sync_mapped(
    client: &Client,
    sink: &PortalSink,
    dossier: &PortalDossier,
    mapped: &Mapped,
    state: &mut SyncState,
) -> Result<ReceiptBytes, Box<Attempt>> {
    state.cuts.clone_from(&mapped.cuts);
    if !state.dossier_taken {
        let mut known = ask(client, sink, &dossier.code).await?;
        let data = json!([mapped.dossier]);
        let mut turns = 0;
        loop {
            let is_updating = if known { "True" } else { "False" };
            let call = json!({ "service": "DongBoHoSoMC", "madonvi": sink.unit, "isUpdating": is_updating, "data": data });
            let body = exchange(client, sink, &call, understood).await?;
            match reply::parse(&body) {
                Some(Reply::Taken) => {
                    state.answers.push(answer("DongBoHoSoMC", Some(is_updating), &data, &body));
                    state.dossier_taken = true;
                    break;
                }
                // The other way round, once: more would be a portal that contradicts itself.
                Some(Reply::Duplicate) if !known && turns == 0 => known = true,
                Some(Reply::Absent) if known && turns == 0 => known = false,
                _ => return Err(unsure(&body)),
            }
            turns += 1;
        }
    }
    while let Some(rest) = mapped.progress.get(state.progress_taken..).filter(|rest| !rest.is_empty()) {
        let chunk = &rest[..rest.len().min(wire::CHUNK)];
        let data = Value::Array(chunk.to_vec());
        let call = json!({ "service": "CapNhatTienDoHoSoMC", "madonvi": sink.unit, "data": data });
        let body = exchange(client, sink, &call, understood).await?;
        if reply::parse(&body) != Some(Reply::Taken) {
            return Err(unsure(&body));
        }
        state.answers.push(answer("CapNhatTienDoHoSoMC", None, &data, &body));
        state.progress_taken += chunk.len();
    }
    let receipt = SyncReceipt {
        version: 1,
        contract: "dvcqg-a".into(),
        dossier: dossier.code.clone(),
        status: dossier.status.wire().into(),
        cuts: state.cuts.clone(),
        answers: state.answers.clone(),
    };
    let bytes = serde_json::to_vec(&receipt).map_err(|_| Attempt::again(Fault::new(&ANSWER_UNREADABLE)))?;
    Ok(ReceiptBytes(bytes))
}

/// One call under a session. Where a session that was used before gets an answer that is not understood, it may
/// have ended: log in once more, and try once more.
async fn exchange(
    client: &Client,
    sink: &PortalSink,
    call: &Value,
    understood: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Box<Attempt>> {
    let (session, fresh) = session(client, sink, None).await?;
    let first = post(client, sink, &sink.integration_endpoint, call, Some(&session)).await;
    let ended = match &first {
        Ok(body) => !understood(body),
        Err(attempt) => matches!(&**attempt, Attempt::Never(fault) if fault.code == &attempt::REFUSED),
    };
    if fresh || !ended {
        return first;
    }
    let (session, _) = self::session(client, sink, Some(&session)).await?;
    post(client, sink, &sink.integration_endpoint, call, Some(&session)).await
}

/// The session, and whether it was made just now. `ended` is one that no longer works.
async fn session(
    client: &Client,
    sink: &PortalSink,
    ended: Option<&str>,
) -> Result<(Zeroizing<String>, bool), Box<Attempt>> {
    let mut held = sink.session.lock().await;
    if let Some(session) = held.as_ref().filter(|session| ended != Some(session.as_str())) {
        return Ok((session.clone(), false));
    }
    *held = None;
    let call = json!({ "username": sink.login.username, "password": sink.login.password.as_str() });
    let body =
        post(client, sink, &sink.auth_endpoint, &call, None).await.map_err(|attempt| match *attempt {
            Attempt::Never(fault) => Box::new(Attempt::Never(Fault { code: &LOGIN_REFUSED, ..fault })),
            _ => attempt,
        })?;
    let session = match reply::session(&body) {
        Some(session) => Zeroizing::new(session),
        // An answer of the contract that gives no session: perhaps the password, perhaps the portal. Not for ever.
        None if reply::parse(&body).is_some() => {
            return Err(Box::new(Attempt::again(Fault::new(&LOGIN_REFUSED))));
        }
        None => return Err(unsure(&body)),
    };
    *held = Some(session.clone());
    Ok((session, true))
}

async fn post(
    client: &Client,
    sink: &PortalSink,
    endpoint: &str,
    call: &Value,
    session: Option<&str>,
) -> Result<Vec<u8>, Box<Attempt>> {
    let posted = async {
        let url = link::below(&sink.base, endpoint)?;
        let mut call = call.clone();
        if let (Some(session), Some(fields)) = (session, call.as_object_mut()) {
            fields.insert("session".into(), session.into());
        }
        let mut request =
            client.post(url).header("accept", "application/json").header("charset", "utf-8").json(&call);
        if let Some(dstcode) = &sink.dstcode {
            request = request.header("dstcode", dstcode);
        }
        let response = request.send().await.map_err(|error| link::failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = link::body(response, LONGEST_ANSWER).await?;
        Ok((status, headers, body))
    };
    let (status, headers, body): (StatusCode, HeaderMap, Vec<u8>) =
        posted.await.map_err(|fault: Fault| match fault.code.class {
            Class::Later => Box::new(Attempt::again(fault)),
            _ => Box::new(Attempt::Never(fault)),
        })?;
    if status.is_success() {
        return Ok(body);
    }
    let now = jiff::Timestamp::now().as_second();
    Err(Box::new(attempt::of_status(status, &headers, false, now)))
}

fn understood(body: &[u8]) -> bool {
    matches!(reply::parse(body), Some(Reply::Taken | Reply::Duplicate | Reply::Absent))
}

/// Not success, perhaps later: the code where it is a number, the length, and nothing else of the answer.
fn unsure(body: &[u8]) -> Box<Attempt> {
    let fault = match reply::parse(body) {
        Some(Reply::Other(Some(code))) => Fault::new(&ANSWER_UNKNOWN).detail(format!("error_code {code}")),
        Some(reply) => Fault::new(&ANSWER_UNKNOWN).detail(format!("{reply:?} was not expected")),
        None => Fault::new(&ANSWER_UNREADABLE).detail(format!("{} bytes", body.len())),
    };
    Box::new(Attempt::again(fault))
}

fn answer(service: &str, is_updating: Option<&str>, data: &Value, body: &[u8]) -> Answer {
    Answer {
        service: service.into(),
        is_updating: is_updating.map(Into::into),
        data_sha256: Sha256::of(data.to_string().as_bytes()),
        body: BASE64.encode(body),
    }
}

const LONGEST_ANSWER: usize = 1 << 20;

/// A field that the portal insists on is empty.
pub const FIELD_MISSING: Code = Code {
    id: "SEND-040",
    class: Class::Person,
    vi: "Thiếu thông tin bắt buộc để đồng bộ lên Cổng Dịch vụ công",
    en: "fields that the portal insists on are missing",
    remedy_vi: "Bổ sung các trường được nêu rồi cho gửi lại; hệ thống không tự điền thay",
    remedy_en: "fill in the fields named and send it on its way again; nothing is invented",
};

/// A field that the portal would refuse or misread.
pub const FIELD_WRONG: Code = Code {
    id: "SEND-041",
    class: Class::Person,
    vi: "Thông tin để đồng bộ lên Cổng Dịch vụ công không hợp lệ",
    en: "fields for the portal are not valid",
    remedy_vi: "Sửa các trường được nêu rồi cho gửi lại",
    remedy_en: "correct the fields named and send it on its way again",
};

/// The portal gives no session.
pub const LOGIN_REFUSED: Code = Code {
    id: "SEND-042",
    class: Class::Setup,
    vi: "Cổng Dịch vụ công không cho đăng nhập",
    en: "the portal refuses the login",
    remedy_vi: "Kiểm tra tài khoản, mật khẩu và mã dstcode của trạm",
    remedy_en: "check the station's account, password and dstcode",
};

/// An answer that is not of the contract.
pub const ANSWER_UNREADABLE: Code = Code {
    id: "SEND-043",
    class: Class::Later,
    vi: "Câu trả lời của Cổng Dịch vụ công không đọc được",
    en: "the portal's answer cannot be read",
    remedy_vi: "Chưa coi là đã đồng bộ; hệ thống sẽ hỏi lại rồi gửi lại",
    remedy_en: "it does not count as synced; the portal is asked, then it is sent again",
};

/// An answer whose code nobody knows.
pub const ANSWER_UNKNOWN: Code = Code {
    id: "SEND-044",
    class: Class::Later,
    vi: "Cổng Dịch vụ công trả về mã lỗi chưa biết",
    en: "the portal answers with a code that is not known",
    remedy_vi: "Chưa coi là đã đồng bộ; nếu lặp lại, báo người quản trị kèm mã lỗi",
    remedy_en: "it does not count as synced; if it repeats, tell the keeper the code",
};

#[cfg(test)]
pub(crate) fn sample() -> PortalDossier {
    use record::*;
    let named = |code: &str, name: &str| Named { code: code.into(), name: name.into() };
    let progress = |at: i64, status| Progress {
        officer: "Cán bộ tập huấn".into(),
        title: None,
        at,
        department: None,
        what: "Tiếp nhận".into(),
        status,
        started: None,
        due: None,
    };
    PortalDossier {
        code: "H49.12.5-250914-0042".into(),
        procedure: named("1.001193", "Đăng ký khai sinh"),
        field: named("G15-HT02", "Hộ tịch"),
        channel: Channel::Direct,
        owner_number: Some("001099000001".into()),
        owner_name: Some("Nguyễn Văn Tập".into()),
        owner_kind: OwnerKind::Citizen,
        account: None,
        other: None,
        email: None,
        fax: None,
        phone: Some("0900000000".into()),
        summary: "Đăng ký khai sinh".into(),
        received: Some(1_757_811_909),
        due: Some(1_757_898_309),
        status: Status::Done,
        returned: None,
        returned_how: None,
        handover: Handover::Desk,
        finished: None,
        unit: "UBND xã Tập Huấn".into(),
        note: None,
        filed_at: FiledAt::Local,
        account_verified_by_vneid: false,
        payment: Payment::None,
        refused: None,
        filed: Some(1_757_811_909),
        url: None,
        papers: vec![SubmittedPaper {
            id: "1".into(),
            file_name: "to-khai.pdf".into(),
            deleted: false,
            component: None,
            link: "https://tram.example/p/1".into(),
            digitised: true,
            reuse: Reuse::No,
            from_national_store: false,
        }],
        results: vec![ResultPaper {
            title: "Giấy khai sinh".into(),
            component: None,
            id: "2".into(),
            link: "https://tram.example/p/2".into(),
            result_code: "KQ.G15.000031".into(),
        }],
        fees: Vec::new(),
        identities: vec![Identity { kind: IdentityKind::Personal12, number: "001099000001".into() }],
        progress: vec![progress(1_757_811_909, Status::Accepted), progress(1_757_815_509, Status::Done)],
    }
}
