//! Dialect A: one address for everything, under a session that is kept as long as it works.

use super::{answered, below};
use crate::deliver::attempt::{self, Attempt};
use crate::deliver::portal::{LOGIN_REFUSED, NOT_LET_IN, PortalSink, reply, unsure};
use crate::fault::Fault;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// Account, endpoints and the session of a session adapter.
pub struct Session {
    /// Below the adapter's address, where sessions are given.
    pub auth_endpoint: String,
    /// Below it, where dossiers are taken.
    pub integration_endpoint: String,
    /// The `dstcode` header of newer adapters, login included.
    pub dstcode: Option<String>,
    username: String,
    password: Zeroizing<String>,
    held: Mutex<Option<Zeroizing<String>>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    /// With the usual endpoints (`login`, `integration`) and no `dstcode`.
    pub fn new(username: &str, password: Zeroizing<String>) -> Self {
        Session {
            auth_endpoint: "login".into(),
            integration_endpoint: "integration".into(),
            dstcode: None,
            username: username.into(),
            password,
            held: Mutex::new(None),
        }
    }

    pub(super) async fn dossier(
        &self,
        client: &Client,
        sink: &PortalSink,
        is_updating: &str,
        data: &Value,
    ) -> Result<Vec<u8>, Box<Attempt>> {
        let call = json!({ "service": "DongBoHoSoMC", "madonvi": sink.unit, "isUpdating": is_updating, "data": data });
        self.exchange(client, sink, &call, false).await
    }

    pub(super) async fn progress(
        &self,
        client: &Client,
        sink: &PortalSink,
        data: &Value,
    ) -> Result<Vec<u8>, Box<Attempt>> {
        let call = json!({ "service": PROGRESS, "madonvi": sink.unit, "data": data });
        self.exchange(client, sink, &call, false).await
    }

    /// `TraCuuHoSo`.
    pub(in crate::deliver::portal) async fn look_up(
        &self,
        client: &Client,
        sink: &PortalSink,
        code: &str,
    ) -> Result<Vec<u8>, Box<Attempt>> {
        let call = json!({ "service": "TraCuuHoSo", "madonvi": sink.unit, "mahoso": code });
        self.exchange(client, sink, &call, true).await
    }

    /// One call under a session. How long a session lasts is not known: where one that was used before gets an answer of the
    /// contract that is not understood, it may have ended, so log in once more and try once more. Where the answer is
    /// none of the contract, the call may have been done: only a question is asked again at once, for all else the
    /// session is forgotten and the next attempt begins with the question. Progress goes again at once only where the answer
    /// speaks of the session: a line that is told twice stands there twice.
    async fn exchange(
        &self,
        client: &Client,
        sink: &PortalSink,
        call: &Value,
        harmless: bool,
    ) -> Result<Vec<u8>, Box<Attempt>> {
        let (session, fresh) = self.open(client, sink, None).await?;
        let first = self.post(client, sink, &self.integration_endpoint, call, Some(&session)).await;
        let (ended, again) = match &first {
            Ok(body) => {
                let may_repeat = call["service"] != PROGRESS || reply::is_about_session(&sink.adapter, body);
                (!self.understood(sink, call, body), harmless || (may_repeat && reply::is_answer(body)))
            }
            Err(attempt) => (is_refusal(attempt), true),
        };
        if fresh || !ended {
            return first;
        }
        if !again {
            *self.held.lock().await = None;
            return first;
        }
        let (session, _) = self.open(client, sink, Some(&session)).await?;
        self.post(client, sink, &self.integration_endpoint, call, Some(&session)).await
    }

    fn understood(&self, sink: &PortalSink, call: &Value, body: &[u8]) -> bool {
        use reply::Found;
        use reply::Reply::{Absent, Duplicate, Taken};
        match call["mahoso"].as_str() {
            // An empty answer under a code that is not 0 may come of a session that ended: it is believed of a fresh one.
            Some(code) => {
                let open = reply::is_doubtful(&sink.adapter, body);
                reply::found(&sink.adapter, body, code).is_some_and(|found| !open || found != Found::Nothing)
            }
            None => {
                matches!(reply::parse(&sink.adapter, sink.dialect(), body), Some(Taken | Duplicate | Absent))
            }
        }
    }

    /// The session, and whether it was made just now. `ended` is one that no longer works.
    async fn open(
        &self,
        client: &Client,
        sink: &PortalSink,
        ended: Option<&str>,
    ) -> Result<(Zeroizing<String>, bool), Box<Attempt>> {
        let mut held = self.held.lock().await;
        if let Some(session) = held.as_ref().filter(|session| ended != Some(session.as_str())) {
            return Ok((session.clone(), false));
        }
        *held = None;
        let call = json!({ "username": self.username, "password": self.password.as_str() });
        let body =
            // Whatever its shape, a refused login judges the station and not the parcel, which waits with all the others.
            self.post(client, sink, &self.auth_endpoint, &call, None).await.map_err(|attempt| match *attempt {
                Attempt::Never(fault) | Attempt::Again { reason: fault, .. } if is_refusal_of(&fault) => {
                    Box::new(Attempt::again(Fault { code: &LOGIN_REFUSED, ..fault }))
                }
                _ => attempt,
            })?;
        let session = match reply::session(&body) {
            Some(session) => Zeroizing::new(session),
            // An answer of the contract that gives no session: perhaps the password, perhaps the portal. Not for ever.
            None if reply::is_answer(&body) => {
                return Err(Box::new(Attempt::again(Fault::new(&LOGIN_REFUSED))));
            }
            None => return Err(unsure(sink, &body)),
        };
        *held = Some(session.clone());
        Ok((session, true))
    }

    async fn post(
        &self,
        client: &Client,
        sink: &PortalSink,
        endpoint: &str,
        call: &Value,
        session: Option<&str>,
    ) -> Result<Vec<u8>, Box<Attempt>> {
        let url = below(&sink.base, endpoint)?;
        let mut call = call.clone();
        if let (Some(session), Some(fields)) = (session, call.as_object_mut()) {
            fields.insert("session".into(), session.into());
        }
        let mut request =
            client.post(url).header("accept", "application/json").header("charset", "utf-8").json(&call);
        if let Some(dstcode) = &self.dstcode {
            request = request.header("dstcode", dstcode);
        }
        answered(request).await
    }
}

const PROGRESS: &str = "CapNhatTienDoHoSoMC";

/// Whether an answer refuses the call as a whole, as HTTP has it: under a session, perhaps since that ended.
fn is_refusal(attempt: &Attempt) -> bool {
    match attempt {
        Attempt::Never(fault) | Attempt::Again { reason: fault, .. } => is_refusal_of(fault),
        Attempt::Delivered(_) => false,
    }
}

fn is_refusal_of(fault: &Fault) -> bool {
    [&attempt::REFUSED, &attempt::CONFLICT, &NOT_LET_IN].contains(&fault.code)
}
