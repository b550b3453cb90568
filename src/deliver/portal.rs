//! The national portal (Cổng Dịch vụ công quốc gia): a dossier and its progress are synced through whichever adapter the
//! province runs ([`dialect`]), with that adapter's tables ([`adapter`]).
//!
//! The contract has no idempotency key and no digest, so every sync asks before it sends: `TraCuuHoSo`, then the dossier as
//! new or as a change, then its progress in order, ten lines a call. A bridge that cannot be asked is told "new" first and
//! "changed" when it says that it has it. An answer that is not understood is never success. The answers that were,
//! byte for byte, are the receipt.
//!
//! No password, session or body goes into an error, a log or an address.

pub mod adapter;
pub mod dialect;
pub mod record;
pub mod reply;
pub mod standing;
pub mod whole;
pub mod wire;

use super::attempt::{Attempt, ReceiptBytes};
use super::file_link::Links;
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use adapter::Adapter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dialect::{Dialect, Envelope};
pub use record::PortalDossier;
use reply::{Found, Reply};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::{Cut, Mapped, Terms};

/// An adapter of the portal.
#[derive(Debug)]
pub struct PortalSink {
    /// Its name in the station's configuration.
    pub name: String,
    /// Where it answers ([`link::address`](super::link::address)).
    pub base: Url,
    /// `madonvi`: the unit in whose name we sync.
    pub unit: String,
    /// How it is spoken to.
    pub envelope: Envelope,
    /// Its tables.
    pub adapter: Arc<Adapter>,
    /// Obligatory fields that it is known to take empty.
    pub waived: BTreeSet<String>,
    /// Makes the links under which it fetches documents.
    pub links: Links,
    /// The session adapter that answers `TraCuuHoSo` for a bridge, where there is one.
    pub asks: Option<Box<PortalSink>>,
}

impl SyncState {
    /// Whether the portal took the dossier with this news once, whatever became of its progress.
    pub fn was_told(&self) -> bool {
        self.dossier_taken || self.dossier.is_some()
    }
}

impl PortalSink {
    /// An adapter with the national tables, nothing waived.
    pub fn new(name: &str, base: Url, unit: &str, envelope: Envelope, links: Links) -> Self {
        PortalSink {
            name: name.into(),
            base,
            unit: unit.into(),
            envelope,
            adapter: Adapter::national(),
            waived: BTreeSet::new(),
            links,
            asks: None,
        }
    }

    /// Which envelope it speaks.
    pub fn dialect(&self) -> Dialect {
        self.envelope.dialect()
    }

    /// Whether it, or whoever answers for it, can be asked about a dossier.
    pub fn can_ask(&self) -> bool {
        self.asks.is_some() || self.dialect() == Dialect::Session
    }
}

/// How far a sync came: kept with the outbox row, so that the next attempt goes on where this one stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncState {
    /// The portal took the dossier.
    pub dossier_taken: bool,
    /// The sum that it took ([`whole::digest`]): where that is another by now, it is told anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dossier: Option<Sha256>,
    /// Progress was sent whose answer never came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress_unsure: bool,
    /// So many progress lines were taken.
    pub progress_taken: usize,
    /// What was cut to fit.
    #[serde(default)]
    pub cuts: Vec<Cut>,
    /// The answers that were understood as success, in order.
    pub answers: Vec<Answer>,
    /// When the links that were sent end, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links_until: Option<i64>,
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
    /// `dvcqg-a`, `-b` or `-c`, by dialect.
    pub contract: String,
    /// `MaHoSo`.
    pub dossier: String,
    /// `TrangThaiHoSo` that was synced.
    pub status: String,
    /// What the portal was told of the dossier as a whole, earlier papers and results included ([`whole::digest`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Sha256>,
    /// What was cut to fit.
    pub cuts: Vec<Cut>,
    /// The answers.
    pub answers: Vec<Answer>,
    /// When the links that were sent end, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links_until: Option<i64>,
    /// Progress lines that this adapter has no address for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub progress_withheld: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Syncs a dossier and all of its progress once, from the beginning.
pub async fn sync(client: &Client, sink: &PortalSink, dossier: &PortalDossier) -> Attempt {
    sync_from(client, sink, dossier, &mut SyncState::default()).await
}

/// Syncs what `state` says is still to be synced, and moves `state` on with every call that the portal acknowledged.
/// `dossier` is the sum of what was told and this news ([`whole`]) with the progress of this news alone.
///
/// A progress call whose answer was lost is sent again, after the question whether the dossier is still there: the contract
/// has none about progress.
pub async fn sync_from(
    client: &Client,
    sink: &PortalSink,
    dossier: &PortalDossier,
    state: &mut SyncState,
) -> Attempt {
    let now = jiff::Timestamp::now().as_second();
    let mapped = match mapped(sink, dossier, now) {
        Ok(mapped) => mapped,
        Err(fault) => return Attempt::Never(fault.at(format!("dossier {}", dossier.code))),
    };
    state.cuts.clone_from(&mapped.cuts);
    let sum = whole::digest(dossier);
    // Of a state that an earlier version kept it is not known what was told.
    if state.dossier_taken && state.dossier != Some(sum) {
        state.dossier_taken = false;
    }
    let has_links = !dossier.papers.is_empty() || !dossier.results.is_empty();
    if has_links && !state.dossier_taken {
        state.links_until = Some(sink.links.until(now));
    }
    match sync_mapped(client, sink, dossier, &mapped, state).await {
        Ok(receipt) => Attempt::Delivered(receipt),
        Err(attempt) => *attempt,
    }
}

fn mapped(sink: &PortalSink, dossier: &PortalDossier, now: i64) -> Outcome<Mapped> {
    let link = |document: &Blake3| sink.links.make(document, now).map(|link| link.url);
    let terms = Terms { adapter: &sink.adapter, dialect: sink.dialect(), waived: &sink.waived, link: &link };
    wire::map(dossier, &terms)
}

/// Tells the portal of a dossier that it has, without its progress: how links are renewed before they end, and how what it
/// lost is told again with `whole`.
pub async fn tell_again(client: &Client, sink: &PortalSink, dossier: &PortalDossier, whole: bool) -> Attempt {
    let mut dossier = dossier.clone();
    if !whole {
        dossier.progress.clear();
    }
    sync(client, sink, &dossier).await
}

/// Asks the portal whether it has a dossier, and in which state.
///
/// # Errors
/// The attempt that the question came to, never [`Attempt::Delivered`]; [`CANNOT_ASK`] for a bridge.
pub async fn ask(client: &Client, sink: &PortalSink, code: &str) -> Result<Found, Box<Attempt>> {
    let asked = sink.asks.as_deref().unwrap_or(sink);
    let Envelope::Session(session) = &asked.envelope else {
        return Err(Box::new(Attempt::Never(Fault::new(&CANNOT_ASK).at(&sink.name))));
    };
    let body = session.look_up(client, asked, code).await?;
    reply::found(&asked.adapter, &body, code).ok_or_else(|| unsure(asked, &body))
}

async fn sync_mapped(
    client: &Client,
    sink: &PortalSink,
    dossier: &PortalDossier,
    mapped: &Mapped,
    state: &mut SyncState,
) -> Result<ReceiptBytes, Box<Attempt>> {
    if state.dossier_taken && state.progress_unsure && sink.can_ask() {
        state.dossier_taken = ask(client, sink, &dossier.code).await? != Found::Nothing;
    }
    if !state.dossier_taken {
        take_dossier(client, sink, dossier, mapped, state).await?;
    }
    let lines = if sink.envelope.takes_progress() { mapped.progress.as_slice() } else { &[] };
    while let Some(rest) = lines.get(state.progress_taken..).filter(|rest| !rest.is_empty()) {
        let chunk = &rest[..rest.len().min(sink.adapter.chunk)];
        let data = Value::Array(chunk.to_vec());
        state.progress_unsure = true;
        let answered = dialect::send_progress(client, sink, &data).await;
        if answered.as_ref().is_err_and(|attempt| !attempt.may_have_arrived()) {
            state.progress_unsure = false;
        }
        match answered? {
            (body, Reply::Taken) => {
                state.progress_unsure = false;
                state.answers.push(answer("CapNhatTienDoHoSoMC", None, &data, &body));
                state.progress_taken += chunk.len();
            }
            // The portal lost the dossier since it took it: the next attempt begins with it.
            (body, Reply::Absent) => {
                state.dossier_taken = false;
                return Err(unexpected(sink, &body, Reply::Absent));
            }
            (body, other) => return Err(unexpected(sink, &body, other)),
        }
    }
    let receipt = SyncReceipt {
        version: 1,
        contract: sink.dialect().contract().into(),
        dossier: dossier.code.clone(),
        status: mapped.dossier["TrangThaiHoSo"].as_str().unwrap_or_default().into(),
        record: state.dossier,
        cuts: state.cuts.clone(),
        answers: state.answers.clone(),
        links_until: state.links_until,
        progress_withheld: mapped.progress.len() - lines.len(),
    };
    let bytes = serde_json::to_vec(&receipt).map_err(|_| Attempt::again(Fault::new(&ANSWER_UNREADABLE)))?;
    Ok(ReceiptBytes(bytes))
}

/// Asks, then sends as new or as a change; the other way round once where the portal knows better.
async fn take_dossier(
    client: &Client,
    sink: &PortalSink,
    dossier: &PortalDossier,
    mapped: &Mapped,
    state: &mut SyncState,
) -> Result<(), Box<Attempt>> {
    let mut known = sink.can_ask() && ask(client, sink, &dossier.code).await? != Found::Nothing;
    let data = json!([mapped.dossier]);
    for turn in 0..2 {
        match dialect::send_dossier(client, sink, known, &data).await? {
            (body, Reply::Taken) => {
                let is_updating = dialect::is_updating(known);
                state.answers.push(answer("DongBoHoSoMC", Some(is_updating), &data, &body));
                state.dossier_taken = true;
                state.dossier = Some(whole::digest(dossier));
                return Ok(());
            }
            (_, Reply::Duplicate) if !known && turn == 0 => known = true,
            (_, Reply::Absent) if known && turn == 0 => known = false,
            // More turns would be with a portal that contradicts itself.
            (body, other) => return Err(unexpected(sink, &body, other)),
        }
    }
    Err(Box::new(Attempt::again(Fault::new(&ANSWER_UNKNOWN))))
}

/// Not success, perhaps later: the code where it is a number, the length, and nothing else of the answer.
fn unsure(sink: &PortalSink, body: &[u8]) -> Box<Attempt> {
    match reply::parse(&sink.adapter, sink.dialect(), body) {
        Some(reply) => unexpected(sink, body, reply),
        None => {
            alarm(&ANSWER_UNREADABLE, &sink.name);
            Box::new(Attempt::again(Fault::new(&ANSWER_UNREADABLE).detail(format!("{} bytes", body.len()))))
        }
    }
}

fn unexpected(sink: &PortalSink, body: &[u8], reply: Reply) -> Box<Attempt> {
    alarm(&ANSWER_UNKNOWN, &sink.name);
    let detail = match reply {
        Reply::Other(Some(code)) => format!("error_code {code}"),
        Reply::Other(None) => format!("{} bytes", body.len()),
        reply => format!("{reply:?} was not expected"),
    };
    Box::new(Attempt::again(Fault::new(&ANSWER_UNKNOWN).detail(detail)))
}

/// For whoever watches the station: an answer that nobody understands never passes in silence.
fn alarm(code: &Code, recipient: &str) {
    tracing::warn!(code = code.id, recipient, "the portal gave an answer that is not known");
}

fn answer(service: &str, is_updating: Option<&str>, data: &Value, body: &[u8]) -> Answer {
    Answer {
        service: service.into(),
        is_updating: is_updating.map(Into::into),
        data_sha256: Sha256::of(data.to_string().as_bytes()),
        body: BASE64.encode(body),
    }
}

/// The portal, or a gate before it, lets this station in nowhere.
pub const NOT_LET_IN: Code = Code {
    id: "SEND-147",
    class: Class::Later,
    vi: "Cổng Dịch vụ công (hoặc tường lửa phía trước) không cho trạm này truy cập",
    en: "the portal, or a gate before it, does not let this station in",
    remedy_vi: "Kiểm tra địa chỉ, tài khoản và việc mở truy cập cho trạm; hồ sơ vẫn nằm trong hàng đợi và tự gửi lại",
    remedy_en: "check the address, the account and whether this station is let through; what is queued waits and goes by itself",
};

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

/// A bridge that has no question to answer.
pub const CANNOT_ASK: Code = Code {
    id: "SEND-143",
    class: Class::Setup,
    vi: "Bộ kết nối này không trả lời tra cứu hồ sơ",
    en: "this adapter answers no question about a dossier",
    remedy_vi: "Khai ask-through trỏ tới một bộ kết nối kiểu session trong hoso.toml",
    remedy_en: "name a recipient of the session dialect in ask-through in hoso.toml",
};

/// A bridge without an address for progress.
pub const NO_PROGRESS: Code = Code {
    id: "SEND-144",
    class: Class::Setup,
    vi: "Bộ kết nối này không có địa chỉ nhận tiến độ",
    en: "this adapter has no address for progress",
    remedy_vi: "Khai progress-endpoint trong hoso.toml nếu tỉnh có cung cấp",
    remedy_en: "give progress-endpoint in hoso.toml where the province offers one",
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
        account_proof: None,
        payment: Payment::None,
        refused: None,
        filed: Some(1_757_811_909),
        url: None,
        papers: vec![SubmittedPaper {
            id: "1".into(),
            file_name: "to-khai.pdf".into(),
            deleted: false,
            component: None,
            document: Blake3::of(b"paper"),
            digitisation: Some(Digitisation {
                scan: Sha256::of(b"scan"),
                pages: 1,
                signed: Sha256::of(b"paper"),
                logged: Blake3::of(b"receipt"),
            }),
            reuse: Reuse::No,
            from_national_store: false,
        }],
        results: vec![ResultPaper {
            title: "Giấy khai sinh".into(),
            component: None,
            id: "2".into(),
            document: Blake3::of(b"result"),
            result_code: "KQ.G15.000031".into(),
        }],
        fees: Vec::new(),
        identities: vec![Identity { kind: IdentityKind::Personal12, number: "001099000001".into() }],
        databases: Vec::new(),
        others: Vec::new(),
        supplements: Vec::new(),
        said: Said::default(),
        progress: vec![progress(1_757_811_909, Status::Accepted), progress(1_757_815_509, Status::Done)],
    }
}
