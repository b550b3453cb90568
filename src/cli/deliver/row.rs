//! A delivery in a row of a table, and as one JSON object.

use crate::cli::table::Table;
use crate::clock::vietnam_time;
use crate::ledger::delivery::{Delivery, DeliveryState};
use serde_json::{Value, json};

/// An empty table of deliveries.
pub(in crate::cli) fn table() -> Table {
    Table::new(&[
        "mã gửi / id",
        "hồ sơ / dossier",
        "nơi nhận / to",
        "trạng thái / state",
        ">lần/tries",
        "từ lúc / since",
        "gửi lại lúc / next try",
        "ai xử lý / who acts",
        "lý do / reason",
    ])
}

/// What a person reads of a delivery.
pub(in crate::cli) fn cells(delivery: &Delivery) -> Vec<String> {
    let owner = delivery.owner();
    let reason = delivery.reason.as_ref().map_or_else(|| "-".into(), |r| format!("{} {}", r.code, r.vi));
    vec![
        short(delivery),
        dossier(delivery).unwrap_or_else(|| "-".into()),
        delivery.recipient.clone(),
        format!("{} / {}", delivery.state.vi(), delivery.state.as_str()),
        delivery.attempts.to_string(),
        vietnam_time(delivery.posted_at),
        next_try(delivery).unwrap_or_else(|| "-".into()),
        if owner.vi() == "-" { "-".into() } else { format!("{} / {}", owner.vi(), owner.en()) },
        reason,
    ]
}

/// What a program reads of a delivery.
pub(in crate::cli) fn to_json(delivery: &Delivery) -> Value {
    let owner = delivery.owner();
    json!({
        "delivery_id": delivery.id, "to": delivery.recipient, "state": delivery.state,
        "dossier": dossier(delivery), "runs": delivery.runs.iter().map(|r| r.run.to_string()).collect::<Vec<_>>(),
        "attempts": delivery.attempts, "since": vietnam_time(delivery.posted_at),
        "first_try": delivery.first_at.map(vietnam_time), "next_try": next_try(delivery),
        "receipt": delivery.receipt, "reason": delivery.reason,
        "owner": owner, "owner_vi": owner.vi(), "owner_en": owner.en(),
        "meanwhile": delivery.wants_paper().then_some("paper-or-counter"),
    })
}

/// What the desk does for a citizen whose delivery does not go out by itself.
pub(in crate::cli) const PAPER: &str =
    "trả bản giấy hoặc mời công dân nhận tại quầy / hand over paper, or at the counter";

/// As much of the id as a person types.
pub(in crate::cli) fn short(delivery: &Delivery) -> String {
    delivery.id.to_string().get(..12).unwrap_or_default().to_owned()
}

fn dossier(delivery: &Delivery) -> Option<String> {
    let names: Vec<&str> =
        delivery.runs.iter().map(|r| r.code.as_deref().unwrap_or(r.label.as_str())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn next_try(delivery: &Delivery) -> Option<String> {
    (delivery.state == DeliveryState::Pending).then(|| vietnam_time(delivery.due))
}
