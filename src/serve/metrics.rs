//! `/metrics` in Prometheus' text format (version 0.0.4): how much waits, for how long, what arrived, what was refused. Recipients and
//! senders are told by their names in the configuration; nothing here is about a citizen. For this machine, and for whoever has a
//! client's token.

use super::front::Peer;
use super::health::{Health, free, logged};
use super::receiver::Receiver;
use crate::fault::Outcome;
use crate::station::wire::ClientConfig;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is counted.
pub struct Metrics {
    /// Where the ledger and the disk are.
    pub health: Arc<Health>,
    /// The receiver, where there is one.
    pub receiver: Option<Arc<Receiver>>,
    /// Nothing stands in front: who connects from this machine is on this machine.
    pub direct: bool,
    /// Whose tokens are good.
    pub clients: BTreeMap<String, ClientConfig>,
}

/// The endpoint, at the root only, to be [`dressed`](super::front::dressed).
pub fn router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(tell)).with_state(Arc::new(metrics))
}

async fn tell(State(metrics): State<Arc<Metrics>>, request: Request) -> Response {
    let near = metrics.direct
        && request
            .extensions()
            .get::<ConnectInfo<Peer>>()
            .is_some_and(|peer| peer.0.address.ip().is_loopback());
    if !near && super::tokens::client(&metrics.clients, request.headers()).is_none() {
        return super::tokens::TOKEN_INVALID.into_response();
    }
    match tokio::task::spawn_blocking(move || metrics.text()).await {
        Ok(Ok(text)) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Metrics {
    /// Everything, in the order of its names. Blocks.
    fn text(&self) -> Outcome<String> {
        let mut page = Page(String::new());
        let counts = self.health.ledger.counts()?;
        let now = self.health.clock.now_ms();
        let age = |at: i64| now.saturating_sub(at).max(0) / 1000;
        page.family("hoso_runs", "gauge", "Dossiers by state");
        for (state, count) in &counts.runs {
            page.line("hoso_runs", &[("state", state)], *count);
        }
        page.family("hoso_oldest_run_seconds", "gauge", "Age of the oldest dossier that is not finished");
        page.line("hoso_oldest_run_seconds", &[], counts.oldest_run.map_or(0, age));
        page.family("hoso_parcels", "gauge", "Parcels by recipient and state");
        for (recipient, state, count) in &counts.parcels {
            page.line("hoso_parcels", &[("recipient", recipient), ("state", state)], *count);
        }
        page.family(
            "hoso_oldest_parcel_seconds",
            "gauge",
            "Age of the oldest parcel on its way, by recipient",
        );
        for (recipient, at) in &counts.oldest_parcel {
            page.line("hoso_oldest_parcel_seconds", &[("recipient", recipient)], age(*at));
        }
        page.family("hoso_log_leaves", "gauge", "Leaves under the log's signed head");
        page.line("hoso_log_leaves", &[], logged(&self.health.var)?.unwrap_or(0));
        page.family("hoso_disk_free_bytes", "gauge", "Room on the disk that holds var/");
        page.line("hoso_disk_free_bytes", &[], free(&self.health.var).unwrap_or(0));
        if let Some(receiver) = &self.receiver {
            let (kept, tally) = (receiver.inbox().counts()?, receiver.tally());
            page.family("hoso_deliveries", "gauge", "Deliveries that arrived and are kept");
            page.line("hoso_deliveries", &[], kept.deliveries);
            page.family("hoso_deliveries_bytes", "gauge", "Their bytes");
            page.line("hoso_deliveries_bytes", &[], kept.bytes);
            page.family(
                "hoso_delivery_conflicts",
                "gauge",
                "Other bytes that were sent under an id that was taken: an alarm",
            );
            page.line("hoso_delivery_conflicts", &[], kept.conflicts);
            page.family(
                "hoso_deliveries_received_total",
                "counter",
                "Deliveries that were new, since the start",
            );
            page.line("hoso_deliveries_received_total", &[], tally.received.load(Ordering::Relaxed));
            page.family(
                "hoso_deliveries_repeated_total",
                "counter",
                "Deliveries that were here already, since the start",
            );
            page.line("hoso_deliveries_repeated_total", &[], tally.repeated.load(Ordering::Relaxed));
            page.family(
                "hoso_requests_refused_total",
                "counter",
                "Refused requests of senders by the answer's type, since the start",
            );
            for (kind, count) in tally.refused() {
                page.line("hoso_requests_refused_total", &[("type", kind)], count);
            }
        }
        Ok(page.0)
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(l, v)| format!("{l}=\"{}\"", escaped(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
