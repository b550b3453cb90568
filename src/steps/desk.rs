//! The desk a step works at: blobs, keys, anchors, the log, the timestamp authority. Everything is opened when it is
//! first asked for, so that a pipeline needs only what it uses, and a key is loaded once.

use super::anchor::{Anchoring, Round};
use crate::blobs::Blobs;
use crate::chip::Trust;
use crate::clock::Clock;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::store::Log;
use crate::profile::Procedures;
use crate::scan::Reader;
use crate::seal::key::file::read_certificates;
use crate::seal::key::remote::{self, Access, RemoteKey};
use crate::seal::key::{KeyHandle, SoftKey, no_core_dumps, preflight};
use crate::seal::profile::SignatureProfile;
use crate::seal::timestamp::{self, HttpTimestamp, TimestampSource};
use crate::station::Station;
use crate::station::challenges::Challenges;
use crate::station::config::{KeyConfig, RecipientConfig, Reference};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// What steps work with.
pub struct Desk {
    /// Bytes by digest.
    pub blobs: Arc<Blobs>,
    /// Chip readings as they came, until they are judged.
    pub readings: Arc<Blobs>,
    /// The office's identifier code.
    pub office: String,
    /// What time it is.
    pub clock: Clock,
    /// Where everything else is configured.
    pub station: Station,
    /// Where pages are read.
    pub reader: Reader,
    /// One permit a core; the engine holds one for every running step.
    cores: Arc<Semaphore>,
    runtime: Handle,
    keys: Mutex<HashMap<String, Arc<SealKey>>>,
    trust: Mutex<Option<Arc<Trust>>>,
    log: Mutex<Option<Arc<Log>>>,
    anchoring: Anchoring,
    procedures: Mutex<Option<Arc<Procedures>>>,
}

/// A key that seals, and the name it shows.
pub struct SealKey {
    /// The key.
    pub handle: Box<dyn KeyHandle>,
    /// The name in the visible signature.
    pub shown_name: String,
}

impl Desk {
    /// The desk of a station. `cores` is shared with the engine.
    pub fn new(
        station: Station,
        reader: Reader,
        blobs: Arc<Blobs>,
        readings: Arc<Blobs>,
        clock: Clock,
        cores: Arc<Semaphore>,
        runtime: Handle,
    ) -> Self {
        Desk {
            blobs,
            readings,
            office: station.config.office.clone(),
            clock,
            station,
            reader,
            cores,
            runtime,
            keys: Mutex::default(),
            trust: Mutex::default(),
            log: Mutex::default(),
            anchoring: Anchoring::default(),
            procedures: Mutex::default(),
        }
    }

    /// How many threads a step may use: its own, and as many as no other step uses now.
    pub fn spare_cores(&self) -> usize {
        1 + self.cores.available_permits()
    }

    /// A signature profile by its name: the station's own (`profiles/signature/NAME.toml`, its picture beside it) before the
    /// one that the program brings along.
    ///
    /// # Errors
    /// Those of [`SignatureProfile::named`].
    pub fn signature_profile(&self, name: &str) -> Outcome<SignatureProfile> {
        signature_profile(&self.station, name)
    }

    /// A key by its name in `hoso.toml`, checked to be one that may sign today. One that went away is opened anew.
    ///
    /// # Errors
    /// `STAT-003`, `STAT-004`, those of the kind of key and of [`preflight::check`].
    pub fn key(&self, name: &str) -> Outcome<Arc<SealKey>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.station.config.keys.get(name).ok_or_else(|| {
            Fault::new(&crate::station::MISFIT).detail(format!("[keys.{name}] is not in hoso.toml"))
        })?;
        let open = keys.get(name).filter(|key| !key.handle.is_lost()).cloned();
        let key = match open {
            Some(key) => key,
            None => {
                let handle = self.open_key(config).map_err(|f| f.at(format!("key {name}")))?;
                let key = Arc::new(SealKey { handle, shown_name: config.name.clone() });
                keys.insert(name.to_owned(), Arc::clone(&key));
                key
            }
        };
        let now = jiff::Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or_default();
        preflight::check(key.handle.as_ref(), now, &config.issuers, None)
            .map_err(|f| f.at(format!("key {name}")))?;
        Ok(key)
    }

    fn open_key(&self, config: &KeyConfig) -> Outcome<Box<dyn KeyHandle>> {
        let root = &self.station.root;
        let read = |path: &String| {
            std::fs::read(self.station.path(path))
                .map(Zeroizing::new)
                .map_err(|e| Fault::new(&crate::station::NO_SECRET).at(path).detail(e.kind()))
        };
        let secret = |reference: &Reference| reference.text(root).map(Zeroizing::new);
        let password = config.password.as_ref().map(secret).transpose()?;
        let more = config.certificates.as_ref().map(read).transpose()?.unwrap_or_default();
        no_core_dumps();
        match (&config.p12, &config.pem, &config.pkcs11, &config.csc) {
            (Some(path), None, None, None) | (None, Some(path), None, None) => {
                let key = SoftKey::open(&read(path)?, password.as_ref().map(|p| p.as_str()), &more);
                Ok(Box::new(key.map_err(|f| f.at(path))?))
            }
            (None, None, Some(uri), None) => open_token(uri, &password.unwrap_or_default(), &more),
            (None, None, None, Some(csc)) => {
                let access = Access {
                    url: csc.url.text(root)?,
                    credential: csc.credential.clone(),
                    token: secret(&csc.token)?,
                    pin: password,
                    otp: None,
                    deadline: remote::DEADLINE,
                };
                Ok(Box::new(RemoteKey::open(access, read_certificates(&more)?, self.runtime.clone())?))
            }
            _ => Err(Fault::new(&crate::station::MISFIT).detail("one of p12, pem, pkcs11 and csc is needed")),
        }
    }

    /// The document signing authorities of chips that this station trusts.
    ///
    /// # Errors
    /// Those of [`Trust::load`].
    pub fn trust(&self) -> Outcome<Arc<Trust>> {
        cached(&self.trust, || Trust::load(&self.station.path("anchors/csca")).map(Arc::new))
    }

    /// What this station asked chips.
    pub fn challenges(&self) -> Challenges {
        Challenges::of(&self.station)
    }

    /// The transparency log.
    ///
    /// # Errors
    /// Those of [`Log::open`]; `STAT-004`.
    pub fn log(&self) -> Outcome<Arc<Log>> {
        cached(&self.log, || open_log(&self.station).map(Arc::new))
    }

    /// Has the log's newest head confirmed; none where nobody is asked, or not just now.
    ///
    /// # Errors
    /// Those of [`Anchoring::round`].
    pub fn anchor(&self, log: &Log) -> Outcome<Option<Round>> {
        self.anchoring.round(&self.station, log, &self.runtime)
    }

    /// Completes the receipts in `out/` that await their stamp, where there are any and an authority answers now; how many.
    ///
    /// # Errors
    /// Those of [`Desk::log`] and [`Anchoring::round`]; what is left is found the next time.
    pub fn complete_receipts(&self, stopped: impl Fn() -> bool) -> Outcome<usize> {
        if self.station.config.timestamp.is_none() {
            return Ok(0);
        }
        let log = self.log()?;
        if !log.has_awaiting() || !self.anchor(&log)?.is_some_and(|round| round.stamped) {
            return Ok(0);
        }
        log.complete_awaiting(&self.station.path("out"), stopped)
    }

    /// The timestamp authority.
    ///
    /// # Errors
    /// `STAT-003`, `STAT-004`.
    pub fn timestamps(&self) -> Outcome<Arc<dyn TimestampSource>> {
        // The address may stand in a file that changes when a stand-in is started anew: it is looked up every time.
        let config = self.station.config.timestamp.as_ref().ok_or(&crate::station::MISFIT)?;
        let url = config.url.text(&self.station.root).map_err(|f| Fault { code: &timestamp::SILENT, ..f })?;
        Ok(Arc::new(HttpTimestamp::new(&url, self.runtime.clone())?))
    }

    /// The procedures that the station's profile knows, by code: `profiles/procedures.toml`.
    ///
    /// # Errors
    /// `PROF-001` where the file has a mistake.
    pub fn procedures(&self) -> Outcome<Arc<Procedures>> {
        cached(&self.procedures, || {
            Procedures::load(&self.station.path("profiles/procedures.toml")).map(Arc::new)
        })
    }

    /// The name that the portal shows for who did something: the agency's for results, the officer's otherwise.
    pub fn shown_signer(&self, result: bool) -> String {
        let key = if result { "agency" } else { "officer" };
        self.station.config.keys.get(key).map_or_else(|| self.station.config.name.clone(), |k| k.name.clone())
    }

    /// A recipient by its name in `hoso.toml`.
    ///
    /// # Errors
    /// `STAT-003`.
    pub fn recipient(&self, name: &str) -> Outcome<&RecipientConfig> {
        self.station.config.recipients.get(name).ok_or_else(|| {
            Fault::new(&crate::station::MISFIT).detail(format!("[recipients.{name}] is not in hoso.toml"))
        })
    }
}

#[cfg(feature = "pkcs11")]
fn open_token(uri: &str, pin: &Zeroizing<String>, more: &[u8]) -> Outcome<Box<dyn KeyHandle>> {
    use crate::seal::key::token::{TokenKey, Uri};
    // A pipeline never risks the last try: a person has to look first.
    Ok(Box::new(TokenKey::open(&Uri::parse(uri)?, pin, read_certificates(more)?, false)?))
}

#[cfg(not(feature = "pkcs11"))]
fn open_token(_: &str, _: &Zeroizing<String>, _: &[u8]) -> Outcome<Box<dyn KeyHandle>> {
    Err(Fault::new(&crate::station::MISFIT).detail("this build has no PKCS#11"))
}

/// Opens the station's log with its key and salt.
///
/// # Errors
/// Those of [`Log::open`]; `STAT-004`; `STEP-030` for a key that is none.
pub fn open_log(station: &Station) -> Outcome<Log> {
    let config = &station.config.log;
    let pem = config.key.bytes(&station.root)?;
    let key = openssl::pkey::PKey::private_key_from_pem(&pem).map_err(|_| Fault::new(&BAD_LOG_KEY))?;
    Ok(Log::open(&station.path("var/log"), &config.origin, key)?.stamped(station.config.timestamp.is_some()))
}

fn cached<T: ?Sized>(
    slot: &Mutex<Option<Arc<T>>>,
    open: impl FnOnce() -> Outcome<Arc<T>>,
) -> Outcome<Arc<T>> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(opened) = slot.as_ref() {
        return Ok(Arc::clone(opened));
    }
    let opened = open()?;
    *slot = Some(Arc::clone(&opened));
    Ok(opened)
}

/// As [`Desk::signature_profile`], for a station that no desk is open at.
///
/// # Errors
/// As there.
pub fn signature_profile(station: &Station, name: &str) -> Outcome<SignatureProfile> {
    let own = station.path("profiles/signature").join(format!("{name}.toml"));
    if own.is_file() { SignatureProfile::from_file(&own) } else { SignatureProfile::built_in(name) }
}

/// The log's key cannot be read.
pub const BAD_LOG_KEY: Code = Code {
    id: "STEP-030",
    class: Class::Setup,
    vi: "Khóa nhật ký không đọc được",
    en: "the log's key cannot be read",
    remedy_vi: "Khóa phải là Ed25519 dạng PEM; xem [log] trong hoso.toml",
    remedy_en: "it must be an Ed25519 private key in PEM; see [log] in hoso.toml",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&BAD_LOG_KEY];
