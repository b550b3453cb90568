//! The three envelopes in which provinces really sync with the portal; what is inside them is mapped once ([`super::wire`]).
//!
//! | | session (A) | bridge (B) | older bridge (C) |
//! |---|---|---|---|
//! | login | a session, renewed once when it ends | none | none |
//! | dossier | `{session, madonvi, service, isUpdating, data:[…]}` | bare array, one address to add and one to update | bare array, `?MaDinhDanhDV=…&isUpdating=True` |
//! | progress | the same address, another `service` | bare array, a third address, answered in plain text | only where an address is configured |
//! | the question `TraCuuHoSo` | yes | through a session adapter, where one is configured | likewise |

mod session;

use super::reply::{self, Reply};
use super::{ANSWER_UNREADABLE, PortalSink, unsure};
use crate::deliver::attempt::{self, Attempt};
use crate::deliver::link;
use crate::fault::Fault;
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use session::Session;

/// Which envelope an adapter speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// A: the session adapter.
    #[default]
    Session,
    /// B: the provincial bridge.
    Bridge,
    /// C: the older bridge.
    OlderBridge,
}

impl Dialect {
    /// All of them.
    pub const ALL: &[Dialect] = &[Dialect::Session, Dialect::Bridge, Dialect::OlderBridge];

    /// Its name in configuration and tables.
    pub fn key(self) -> &'static str {
        match self {
            Dialect::Session => "session",
            Dialect::Bridge => "bridge",
            Dialect::OlderBridge => "older-bridge",
        }
    }

    /// Its name on receipts.
    pub fn contract(self) -> &'static str {
        match self {
            Dialect::Session => "dvcqg-a",
            Dialect::Bridge => "dvcqg-b",
            Dialect::OlderBridge => "dvcqg-c",
        }
    }
}

/// An envelope with what it needs. Endpoints are paths below the adapter's address.
#[derive(Debug)]
pub enum Envelope {
    /// A: the session adapter.
    Session(Session),
    /// B: the provincial bridge.
    Bridge {
        /// Where new dossiers go.
        add: String,
        /// Where changed ones go.
        update: String,
        /// Where progress goes.
        progress: String,
    },
    /// C: the older bridge.
    OlderBridge {
        /// Where dossiers go, usually `DongBoHoSoMC`.
        endpoint: String,
        /// Where progress goes, where the bridge takes any.
        progress: Option<String>,
    },
}

impl Envelope {
    /// Which one it is.
    pub fn dialect(&self) -> Dialect {
        match self {
            Envelope::Session(_) => Dialect::Session,
            Envelope::Bridge { .. } => Dialect::Bridge,
            Envelope::OlderBridge { .. } => Dialect::OlderBridge,
        }
    }

    /// Whether progress can be told through it at all.
    pub(super) fn takes_progress(&self) -> bool {
        !matches!(self, Envelope::OlderBridge { progress: None, .. })
    }
}

/// Sends one dossier as new or as a change; the answer and what it means.
pub(super) async fn send_dossier(
    client: &Client,
    sink: &PortalSink,
    updating: bool,
    data: &Value,
) -> Result<(Vec<u8>, Reply), Box<Attempt>> {
    // A string on the wire, never a JSON truth value.
    let is_updating = is_updating(updating);
    let body = match &sink.envelope {
        Envelope::Session(session) => session.dossier(client, sink, is_updating, data).await?,
        Envelope::Bridge { add, update, .. } => {
            let url = below(&sink.base, if updating { update } else { add })?;
            bare(client, url, data).await?
        }
        Envelope::OlderBridge { endpoint, .. } => {
            let mut url = below(&sink.base, endpoint)?;
            url.query_pairs_mut()
                .append_pair("MaDinhDanhDV", &sink.unit)
                .append_pair("isUpdating", is_updating);
            bare(client, url, data).await?
        }
    };
    match reply::parse(&sink.adapter, sink.dialect(), &body) {
        Some(said) => Ok((body, said)),
        None => Err(unsure(sink, &body)),
    }
}

/// Sends progress lines; the answer and what it means.
pub(super) async fn send_progress(
    client: &Client,
    sink: &PortalSink,
    data: &Value,
) -> Result<(Vec<u8>, Reply), Box<Attempt>> {
    let endpoint = match &sink.envelope {
        Envelope::Session(session) => {
            let body = session.progress(client, sink, data).await?;
            return match reply::parse(&sink.adapter, Dialect::Session, &body) {
                Some(said) => Ok((body, said)),
                None => Err(unsure(sink, &body)),
            };
        }
        Envelope::Bridge { progress, .. } | Envelope::OlderBridge { progress: Some(progress), .. } => {
            progress
        }
        Envelope::OlderBridge { progress: None, .. } => {
            return Err(Box::new(Attempt::Never(Fault::new(&super::NO_PROGRESS))));
        }
    };
    let body = bare(client, below(&sink.base, endpoint)?, data).await?;
    match reply::parse_text(&sink.adapter, sink.dialect(), &body) {
        Some(said) => Ok((body, said)),
        None => Err(Box::new(Attempt::again(
            Fault::new(&ANSWER_UNREADABLE).detail(format!("{} bytes", body.len())),
        ))),
    }
}

/// `isUpdating`.
pub(super) fn is_updating(updating: bool) -> &'static str {
    if updating { "True" } else { "False" }
}

/// Posts a bare JSON array.
async fn bare(client: &Client, url: Url, data: &Value) -> Result<Vec<u8>, Box<Attempt>> {
    answered(client.post(url).header("accept", "application/json").json(data)).await
}

fn below(base: &Url, endpoint: &str) -> Result<Url, Box<Attempt>> {
    // The station's to mend, like its keys: no parcel is worse for it.
    link::below(base, endpoint).map_err(|fault| Box::new(Attempt::again(fault)))
}

/// Sends a request; the body of its answer where that is a success as HTTP has it. A status that judges whoever asks, or
/// the address, says nothing of what was sent: the contract speaks of a dossier within its answers only.
async fn answered(request: reqwest::RequestBuilder) -> Result<Vec<u8>, Box<Attempt>> {
    let sent = async {
        let response = request.send().await.map_err(|error| link::failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, link::body(response, LONGEST_ANSWER).await?))
    };
    let (status, headers, body): (StatusCode, HeaderMap, Vec<u8>) =
        sent.await.map_err(|fault: Fault| Box::new(Attempt::again(fault)))?;
    if status.is_success() {
        return Ok(body);
    }
    let now = jiff::Timestamp::now().as_second();
    Err(Box::new(match (status.as_u16(), attempt::of_status(status, &headers, false, now)) {
        (401 | 403 | 404 | 405 | 407 | 410 | 421 | 451, Attempt::Never(fault)) => {
            Attempt::again(Fault { code: &super::NOT_LET_IN, ..fault })
        }
        (_, attempt) => attempt,
    }))
}

const LONGEST_ANSWER: usize = 1 << 20;
