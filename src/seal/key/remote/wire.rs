//! One question to a signing service and its answer: JSON over HTTPS, bounded in size and time, no redirects.

use super::{ADDRESS, BROKEN, DENIED, REFUSED, SILENT};
use crate::answer::{self, Unheard};
use crate::fault::{Fault, Outcome};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

/// The way to a service.
pub(super) struct Wire {
    base: reqwest::Url,
    version: u8,
    token: Zeroizing<String>,
    client: reqwest::Client,
    handle: Handle,
}

impl Wire {
    pub(super) fn new(
        url: &str,
        token: Zeroizing<String>,
        deadline: Duration,
        handle: Handle,
    ) -> Outcome<Self> {
        let mut base = reqwest::Url::parse(url).map_err(|_| Fault::new(&ADDRESS))?;
        let host = base.host_str().unwrap_or("").trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        // The access token goes along with every question: never in the clear to another machine.
        if base.scheme() != "https" && !(base.scheme() == "http" && here) {
            return Err(Fault::new(&ADDRESS));
        }
        if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
            return Err(Fault::new(&ADDRESS).detail("only host and path"));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        let version = if path.ends_with("/v1") { 1 } else { 2 };
        base.set_path(&format!("{path}/"));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(deadline)
            .build()
            .map_err(|_| Fault::new(&SILENT).detail("no TLS"))?;
        Ok(Wire { base, version, token, client, handle })
    }

    /// 1 or 2.
    pub(super) fn version(&self) -> u8 {
        self.version
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// POSTs a question, takes the answer apart.
    pub(super) fn ask<T: DeserializeOwned>(&self, method: &str, question: Value) -> Outcome<T> {
        let address = self.base.join(method).map_err(|_| Fault::new(&ADDRESS))?;
        let (status, body) = self.handle.block_on(self.post(address, question)).map_err(|f| f.at(method))?;
        let fault = match status {
            200..=299 => {
                // What does not fit is not quoted: it may be anything.
                return serde_json::from_slice(&body).map_err(|_| {
                    let what = if serde_json::from_slice::<Value>(&body).is_ok() {
                        "other JSON"
                    } else {
                        "not JSON"
                    };
                    Fault::new(&BROKEN).detail(what).at(method)
                });
            }
            401 | 403 => Fault::new(&DENIED),
            429 | 500..=599 => Fault::new(&SILENT),
            400..=499 if is_denial(&body) => Fault::new(&DENIED),
            400..=499 => Fault::new(&REFUSED),
            _ => Fault::new(&BROKEN),
        };
        let word = word(&body).map_or_else(String::new, |word| format!(", {word}"));
        Err(fault.detail(format!("HTTP {status}{word}")).at(method))
    }

    async fn post(&self, address: reqwest::Url, question: Value) -> Outcome<(u16, Vec<u8>)> {
        let silent = |e: reqwest::Error| Fault::new(&SILENT).detail(answer::how(&e));
        let request = self.client.post(address).bearer_auth(self.token.as_str()).json(&question);
        let mut reply = request.send().await.map_err(silent)?;
        let body = answer::whole(&mut reply, MAX_REPLY).await.map_err(|unheard| match unheard {
            Unheard::Silent(how) => Fault::new(&SILENT).detail(how),
            Unheard::TooLong(_) => Fault::new(&BROKEN).detail(unheard),
        })?;
        Ok((reply.status().as_u16(), body))
    }
}

/// The error word of a refusal (CSC API 2.0, 10.1), if it is one of a plain alphabet.
fn word(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let word = value.get("error")?.as_str()?;
    let plain =
        (1..=MAX_WORD).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then(|| word.to_owned())
}

fn is_denial(body: &[u8]) -> bool {
    const WORDS: [&str; 8] = [
        "access_denied",
        "invalid_token",
        "invalid_grant",
        "invalid_pin",
        "invalid_otp",
        "expired_otp",
        "invalid_auth_data",
        "unauthorized_client",
    ];
    word(body).is_some_and(|word| WORDS.contains(&word.as_str()))
}

const MAX_REPLY: usize = 1 << 20;
const MAX_WORD: usize = 40;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
