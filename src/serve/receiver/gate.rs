//! Who may send: the signature of a request, the certificate of its connection, and that it is not one seen before. A forger gets one
//! answer for everything that can be wrong, and before a byte of the body was taken.

use super::inbox::Mark;
use crate::deliver::signature::{self, Message, Verified};
use crate::deliver::wire_key::VerifyingKey;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::front::Peer;
use crate::station::wire::SenderConfig;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use openssl::x509::X509;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Somebody who may send.
#[derive(Debug)]
pub struct Sender {
    /// Its name in the configuration.
    pub name: String,
    /// What it calls this station, where that is known.
    pub sink: Option<String>,
    /// The largest document, bytes.
    pub largest: u64,
    keys: Vec<VerifyingKey>,
    /// SHA-256 of the certificates of which it has to show one; none: it need not.
    certificates: Vec<Sha256>,
}

impl Sender {
    /// A sender with keys alone.
    pub fn new(name: &str, keys: Vec<VerifyingKey>, largest: u64) -> Self {
        Sender { name: name.into(), sink: None, largest, keys, certificates: Vec::new() }
    }

    /// As the station's configuration has it.
    ///
    /// # Errors
    /// [`BAD_SENDER`] naming it, for a file that cannot be read or holds no key.
    pub fn open(name: &str, config: &SenderConfig, root: &Path) -> Outcome<Self> {
        let read = |path: &String| {
            let place = format!("[senders.{name}] {path}");
            std::fs::read(root.join(path))
                .map_err(|e| Fault::new(&BAD_SENDER).detail(e.kind()).at(&place))
                .map(|pem| (pem, place))
        };
        let key = |path: &String| {
            let (pem, place) = read(path)?;
            VerifyingKey::from_pem(&pem).map_err(|fault| fault.at(place))
        };
        let certificate = |path: &String| {
            let (pem, place) = read(path)?;
            let wrong = |_| Fault::new(&BAD_SENDER).detail("no certificate").at(&place);
            let der = X509::from_pem(&pem).and_then(|cert| cert.to_der()).map_err(wrong)?;
            Ok(Sha256::of(&der))
        };
        if config.keys.is_empty() {
            return Err(Fault::new(&BAD_SENDER).detail("no keys").at(format!("[senders.{name}]")));
        }
        Ok(Sender {
            name: name.into(),
            sink: config.sink.clone(),
            largest: config.largest,
            keys: config.keys.iter().map(key).collect::<Outcome<_>>()?,
            certificates: config.certificates.iter().map(certificate).collect::<Outcome<_>>()?,
        })
    }
}

/// Everybody who may send, and the nonces that they used.
pub struct Gate {
    /// Scheme, host and port under which senders know this place: signatures cover it.
    origin: String,
    keys: Vec<VerifyingKey>,
    senders: HashMap<String, Arc<Sender>>,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    until: HashMap<[u8; 16], i64>,
    /// At so many it is looked which are of no use any more.
    sweep_at: usize,
}

/// A request that may go on.
pub struct Passed {
    /// Who sends.
    pub sender: Arc<Sender>,
    /// Its nonce: to be written down before it is answered.
    pub mark: Mark,
}

impl Gate {
    /// A gate for these senders; `used` are nonces from before a restart.
    ///
    /// # Errors
    /// [`BAD_SENDER`] where two have the same key.
    pub fn new(origin: &str, senders: Vec<Sender>, used: Vec<Mark>) -> Outcome<Self> {
        let mut of_key = BTreeMap::new();
        let mut keys = Vec::new();
        let mut by_key = HashMap::new();
        for sender in senders.into_iter().map(Arc::new) {
            for key in &sender.keys {
                if let Some(other) = of_key.insert(key.id().to_owned(), sender.name.clone()) {
                    let both = format!("{other} and {} have the same key", sender.name);
                    return Err(Fault::new(&BAD_SENDER).detail(both).at("[senders]"));
                }
                keys.push(key.clone());
                by_key.insert(key.id().to_owned(), Arc::clone(&sender));
            }
        }
        let until: HashMap<_, _> = used.into_iter().map(|mark| (mark.digest, mark.until)).collect();
        let sweep_at = SWEEP.max(until.len() * 2);
        let used = Mutex::new(Used { until, sweep_at });
        Ok(Gate { origin: origin.into(), keys, senders: by_key, used })
    }

    /// Lets a request through whose signature covers all of `covered`, and uses its nonce up. `now` in Unix seconds.
    ///
    /// # Errors
    /// What is wrong with it, for the log; the sender is told nothing of that.
    pub fn pass(&self, parts: &Parts, covered: &[&str], now: i64) -> Outcome<Passed> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let target_uri = format!("{}{path}", self.origin);
        let message =
            Message { method: parts.method.as_str(), target_uri: &target_uri, headers: &parts.headers };
        let Verified { keyid, terms } = signature::verify(&message, covered, &self.keys, now)?;
        let sender = self.senders.get(&keyid).ok_or_else(|| Fault::new(&signature::UNKNOWN_KEY))?;
        if !sender.certificates.is_empty() {
            let shown = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|peer| peer.0.certificate);
            if !shown.is_some_and(|shown| sender.certificates.contains(&shown)) {
                return Err(Fault::new(&signature::UNKNOWN_KEY)
                    .detail("client certificate")
                    .at(&sender.name));
            }
        }
        let digest = Sha256::of(format!("{keyid}\n{}", terms.nonce).as_bytes());
        let mut mark = Mark { digest: [0; 16], until: terms.created.saturating_add(signature::WINDOW) };
        mark.digest.copy_from_slice(&digest.0[..16]);
        if !self.first_use(mark, now) {
            return Err(Fault::new(&signature::STALE).detail("nonce seen").at(&sender.name));
        }
        Ok(Passed { sender: Arc::clone(sender), mark })
    }

    fn first_use(&self, mark: Mark, now: i64) -> bool {
        let used = &mut *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.until.len() >= used.sweep_at {
            used.until.retain(|_, until| *until >= now);
            used.sweep_at = SWEEP.max(used.until.len() * 2);
        }
        used.until.insert(mark.digest, mark.until).is_none()
    }
}

const SWEEP: usize = 10_000;

/// A sender whose keys or certificates cannot be used.
pub const BAD_SENDER: Code = Code {
    id: "HTTP-022",
    class: Class::Setup,
    vi: "Khai báo bên gửi không dùng được",
    en: "a sender's keys or certificates cannot be used",
    remedy_vi: "Kiểm tra mục [senders] trong hoso.toml và các tệp PEM nêu ở đó; mỗi khóa chỉ thuộc một bên gửi",
    remedy_en: "look at [senders] in hoso.toml and the PEM files named there; a key belongs to one sender only",
};
