//! Evidence from the authorities themselves, over HTTP: OCSP (RFC 6960 appendix A), revocation lists and issuers'
//! certificates at the addresses that a certificate names (RFC 5280 4.2.1.13, 4.2.2.1). What comes back is only bytes:
//! whether it counts is for [`super::Evidence`] to say.
//!
//! Addresses out of a certificate are a stranger's wish until its issuer is known: ask for lists and answers after that.
//! No redirects, http and https only, everything bounded in size and time. A batch asks once: answers are remembered.

use super::{OcspResponse, is_issued_by};
use crate::answer;
use crate::cms::{self, Hash, Parts};
use crate::der::{self, DerError, Limits};
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::x509::{X509, X509Ref};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// The way to authorities. Call from a blocking thread: answers are waited for. Cheap to clone; clones share what they
/// remember.
#[derive(Clone)]
pub struct Online {
    client: reqwest::Client,
    handle: Handle,
    memory: Arc<Mutex<HashMap<Vec<u8>, Remembered>>>,
}

struct Remembered {
    since: Instant,
    answer: Outcome<Arc<[u8]>>,
}

impl Online {
    /// `handle` is the runtime that does the waiting.
    ///
    /// # Errors
    /// [`SILENT`] where there is no TLS.
    pub fn new(handle: Handle) -> Outcome<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|_| Fault::new(&SILENT).detail("no TLS"))?;
        Ok(Online { client, handle, memory: Arc::default() })
    }

    /// An OCSP response (DER) about a certificate from the responder that it names. It answered; nothing else is checked.
    ///
    /// # Errors
    /// [`NO_ADDRESS`], [`SILENT`], [`super::BROKEN`], [`super::NO_ANSWER`].
    pub fn ocsp(&self, certificate: &X509Ref, issuer: &X509Ref) -> Outcome<Vec<u8>> {
        let addresses = access(certificate, OCSP);
        let question = question(certificate, issuer)
            .ok_or_else(|| Fault::new(&super::BROKEN).detail("a certificate"))?;
        self.first(&addresses, |url| {
            let key = [b"ocsp ", url.as_bytes(), &question].concat();
            let answer = self.remembered(key, || {
                let post = self.client.post(url).header("content-type", "application/ocsp-request");
                self.ask(post.body(question.clone()), MAX_OCSP)
            })?;
            OcspResponse::read(&answer)?;
            Ok(answer.to_vec())
        })
    }

    /// The revocation list (DER) from a distribution point that a certificate names.
    ///
    /// # Errors
    /// [`NO_ADDRESS`], [`SILENT`].
    pub fn crl(&self, certificate: &X509Ref) -> Outcome<Vec<u8>> {
        let addresses = points(certificate);
        self.first(&addresses, |url| Ok(unarmoured(&self.get(url, MAX_CRL)?)))
    }

    /// The certificate of a certificate's issuer from the address that it names, DER, PEM or certs-only CMS; its
    /// signature under the certificate holds.
    ///
    /// # Errors
    /// [`NO_ADDRESS`], [`SILENT`], [`super::BROKEN`].
    pub fn issuer(&self, certificate: &X509Ref) -> Outcome<X509> {
        let addresses = access(certificate, CA_ISSUERS);
        self.first(&addresses, |url| {
            let found = certificates(&self.get(url, MAX_CERTIFICATE)?);
            let issuer = found.into_iter().find(|c| is_issued_by(certificate, c));
            issuer.ok_or_else(|| Fault::new(&super::BROKEN).detail("what was offered as the issuer is not"))
        })
    }

    /// What the first address that answers says, else the last fault.
    fn first<T>(&self, addresses: &[String], ask: impl Fn(&str) -> Outcome<T>) -> Outcome<T> {
        let mut last = Fault::new(&NO_ADDRESS);
        for url in addresses.iter().filter(|url| usable(url)).take(MAX_ADDRESSES) {
            match ask(url) {
                Ok(answer) => return Ok(answer),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    fn get(&self, url: &str, limit: usize) -> Outcome<Arc<[u8]>> {
        let key = [b"get ", url.as_bytes()].concat();
        self.remembered(key, || self.ask(self.client.get(url), limit))
    }

    fn remembered(&self, key: Vec<u8>, ask: impl FnOnce() -> Outcome<Vec<u8>>) -> Outcome<Arc<[u8]>> {
        let lock = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut memory = lock();
            memory.retain(|_, known| known.since.elapsed() < known.age());
            if let Some(known) = memory.get(&key) {
                return known.answer.clone();
            }
        }
        let answer = ask().map(Arc::from);
        let mut memory = lock();
        let held: usize = memory.values().filter_map(|k| k.answer.as_ref().ok()).map(|a| a.len()).sum();
        if memory.len() >= MAX_REMEMBERED || held > MAX_HELD {
            memory.clear();
        }
        memory.insert(key, Remembered { since: Instant::now(), answer: answer.clone() });
        answer
    }

    fn ask(&self, request: reqwest::RequestBuilder, limit: usize) -> Outcome<Vec<u8>> {
        self.handle.block_on(async {
            let silent = |how: &dyn std::fmt::Display| Fault::new(&SILENT).detail(how);
            let mut reply = request.send().await.map_err(|e| silent(&answer::how(&e)))?;
            if !reply.status().is_success() {
                return Err(Fault::new(&SILENT).detail(format!("HTTP {}", reply.status().as_u16())));
            }
            answer::whole(&mut reply, limit).await.map_err(|unheard| silent(&unheard))
        })
    }
}

impl Remembered {
    fn age(&self) -> Duration {
        if self.answer.is_ok() { ANSWER_COUNTS } else { SILENCE_COUNTS }
    }
}

/// OCSPRequest (RFC 6960 4.1) with SHA-1 identifiers, which every responder knows, and without a nonce: the answer is to
/// be kept as evidence, and many responders sign theirs ahead.
fn question(certificate: &X509Ref, issuer: &X509Ref) -> Option<Vec<u8>> {
    let (own, issuer) = (Parts::of(certificate).ok()?, Parts::of(issuer).ok()?);
    let id = der::sequence(&[
        &der::sequence(&[&der::oid(Hash::Sha1.arcs()), &der::null()]),
        &der::octet_string(&Hash::Sha1.digest(&[&own.issuer])?),
        &der::octet_string(&super::ocsp::key_hash(Hash::Sha1, &issuer.spki)?),
        &der::tlv(0x02, &own.serial),
    ]);
    Some(der::sequence(&[&der::sequence(&[&der::sequence(&[&der::sequence(&[&id])])])]))
}

/// The addresses under one method of authorityInfoAccess (RFC 5280 4.2.2.1).
fn access(certificate: &X509Ref, method: &str) -> Vec<String> {
    let read = || -> Result<Vec<String>, DerError> {
        let none = DerError::Value { at: 0 };
        let parts = Parts::of(certificate)?;
        let value = &parts.extension("1.3.6.1.5.5.7.1.1").ok_or(none)?.value;
        let mut list = der::only(value, 0x30)?.reader();
        let mut found = Vec::new();
        while !list.is_empty() && found.len() < MAX_ADDRESSES {
            let mut entry = list.expect(0x30)?.reader();
            let is = entry.expect(0x06)?.oid()?;
            let place = entry.read_tlv()?;
            if is == method && place.tag == URI {
                found.extend(String::from_utf8(place.content.to_vec()));
            }
        }
        Ok(found)
    };
    read().unwrap_or_default()
}

/// The addresses of a certificate's distribution points.
fn points(certificate: &X509Ref) -> Vec<String> {
    let Ok(parts) = Parts::of(certificate) else { return Vec::new() };
    let names = parts.extension("2.5.29.31").and_then(|e| super::crl::points_of(&e.value).ok());
    let uri = |name: Vec<u8>| {
        let content = der::only(&name, URI).ok()?.content.to_vec();
        String::from_utf8(content).ok()
    };
    names.unwrap_or_default().into_iter().filter_map(uri).collect()
}

/// http or https, without anybody's name and password, and not endless.
fn usable(url: &str) -> bool {
    let parsed = if url.len() <= MAX_ADDRESS { reqwest::Url::parse(url).ok() } else { None };
    parsed.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    })
}

/// Lists come as PEM from some.
fn unarmoured(bytes: &[u8]) -> Vec<u8> {
    let list =
        if bytes.starts_with(b"-----BEGIN") { openssl::x509::X509Crl::from_pem(bytes).ok() } else { None };
    drop(openssl::error::ErrorStack::get());
    list.and_then(|l| l.to_der().ok()).unwrap_or_else(|| bytes.to_vec())
}

fn certificates(bytes: &[u8]) -> Vec<X509> {
    let one = X509::from_der(bytes).map(|c| vec![c]).or_else(|_| X509::stack_from_pem(bytes));
    drop(openssl::error::ErrorStack::get());
    match one {
        Ok(found) if !found.is_empty() => found,
        _ => cms::parse(bytes, &Limits::default()).map(|data| data.certificates).unwrap_or_default(),
    }
}

const OCSP: &str = "1.3.6.1.5.5.7.48.1";
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
/// uniformResourceIdentifier of GeneralName.
const URI: u32 = 0x86;
const MAX_ADDRESSES: usize = 4;
const MAX_ADDRESS: usize = 2048;
const MAX_OCSP: usize = 256 << 10;
const MAX_CRL: usize = 32 << 20;
const MAX_CERTIFICATE: usize = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer is not asked for again, and how long a silence.
const ANSWER_COUNTS: Duration = Duration::from_mins(10);
const SILENCE_COUNTS: Duration = Duration::from_secs(30);
const MAX_REMEMBERED: usize = 4096;
/// Octets of answers that are remembered.
const MAX_HELD: usize = 128 << 20;

/// Nobody answers.
pub const SILENT: Code = Code {
    id: "SEAL-064",
    class: Class::Later,
    vi: "Máy chủ của đơn vị cấp chứng thư (OCSP, danh sách thu hồi) không trả lời",
    en: "the issuer's server (OCSP, revocation list) does not answer",
    remedy_vi: "Kiểm tra đường truyền rồi thử lại",
    remedy_en: "check the line and try again",
};

/// Nobody to ask.
pub const NO_ADDRESS: Code = Code {
    id: "SEAL-065",
    class: Class::Setup,
    vi: "Chứng thư không ghi địa chỉ để hỏi tình trạng thu hồi",
    en: "the certificate names no address to ask at",
    remedy_vi: "Đặt danh sách thu hồi của đơn vị cấp chứng thư vào thư mục tin cậy",
    remedy_en: "put the issuer's revocation list into the trust folder",
};

#[cfg(test)]
mod tests {
    use super::super::mint::{Answer, Holder, List, Mint};
    use super::*;
    use axum::Router;
    use axum::routing::{get, post};
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Served {
        runtime: tokio::runtime::Runtime,
        base: String,
        asked: Arc<AtomicUsize>,
    }

    fn serve(router: impl FnOnce(Arc<AtomicUsize>) -> Router) -> Served {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let router = router(asked.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Served { runtime, base, asked }
    }

    type Body = Arc<Mutex<Vec<u8>>>;

    fn counted(asked: &Arc<AtomicUsize>, body: &Body) -> Vec<u8> {
        asked.fetch_add(1, Ordering::SeqCst);
        body.lock().unwrap().clone()
    }

    #[test]
    fn answers_lists_and_issuers_are_fetched_once_each() {
        let bodies: [Body; 3] = Default::default();
        let [ocsp, list, issuer] = bodies.clone();
        let served = serve(move |asked| {
            let (a, b, c) = (asked.clone(), asked.clone(), asked);
            Router::new()
                .route("/ocsp", post(move || async move { counted(&a, &ocsp) }))
                .route("/list", get(move || async move { counted(&b, &list) }))
                .route("/ca", get(move || async move { counted(&c, &issuer) }))
        });
        let url = |path: &str| format!("{}{path}", served.base);
        let ca = Holder::root("CA");
        let leaf = Mint::new("LEAF").by(&ca).access(&url("ocsp"), &url("ca")).list_at(&url("list")).made();
        *bodies[0].lock().unwrap() = Answer::about(&leaf, &ca).made();
        *bodies[1].lock().unwrap() = List::by(&ca).made();
        *bodies[2].lock().unwrap() = ca.certificate.to_pem().unwrap();
        let online = Online::new(served.runtime.handle().clone()).unwrap();
        for _ in 0..2 {
            assert_eq!(online.ocsp(&leaf.certificate, &ca.certificate).unwrap(), *bodies[0].lock().unwrap());
            assert_eq!(online.crl(&leaf.certificate).unwrap(), *bodies[1].lock().unwrap());
            let found = online.issuer(&leaf.certificate).unwrap();
            assert_eq!(found.to_der().unwrap(), ca.certificate.to_der().unwrap());
        }
        assert_eq!(served.asked.load(Ordering::SeqCst), 3);
        // A stranger's certificate is not the issuer's.
        let online = Online::new(served.runtime.handle().clone()).unwrap();
        *bodies[2].lock().unwrap() = Holder::root("CA").certificate.to_der().unwrap();
        assert_eq!(online.issuer(&leaf.certificate).unwrap_err().code.id, super::super::BROKEN.id);
    }

    #[test]
    fn what_is_refused_is_refused_without_naming_the_address() {
        let served = serve(|asked| {
            Router::new()
                .route("/huge", post(|| async { vec![0x30u8; 300 << 10] }))
                .route("/garbage", post(|| async { "<html>" }))
                .route("/later", post(|| async { der::sequence(&[&der::tlv(0x0a, &[3])]) }))
                .route(
                    "/moved",
                    post(move || async move {
                        asked.fetch_add(1, Ordering::SeqCst);
                        axum::response::Redirect::temporary("/garbage")
                    }),
                )
        });
        let ca = Holder::root("CA");
        let online = Online::new(served.runtime.handle().clone()).unwrap();
        let refused = |url: &str| {
            let leaf = Mint::new("LEAF").by(&ca).access(url, "").made();
            let fault = online.ocsp(&leaf.certificate, &ca.certificate).unwrap_err();
            assert!(!fault.to_string().contains("127.0.0.1"), "{fault}");
            fault.code.id
        };
        for (path, code) in [
            ("huge", SILENT.id),
            ("garbage", super::super::BROKEN.id),
            ("later", super::super::NO_ANSWER.id),
            ("moved", SILENT.id),
            ("none", SILENT.id),
        ] {
            assert_eq!(refused(&format!("{}{path}", served.base)), code, "{path}");
        }
        for url in
            ["", "ftp://127.0.0.1/a", "ldap://127.0.0.1/", "file:///etc/passwd", "http://a:b@127.0.0.1/", "x"]
        {
            assert_eq!(refused(url), NO_ADDRESS.id, "{url}");
        }
        assert_eq!(refused("http://127.0.0.1:1/"), SILENT.id);
    }
}
