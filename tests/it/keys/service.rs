//! Keys at a signing service: a small one of our own that keeps to the CSC API and can misbehave, and certomancer's.

use super::*;
use crate::seal_judges::{serve, tool};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::x509::X509;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What is wrong with a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Good,
    /// Signs another hash.
    Wrong,
    /// Gives one signature too few.
    Fewer,
    /// Shows a certificate that is not the key's.
    OtherCertificate,
    /// Raw r and s.
    Plain,
    Html,
    Huge,
    Moved,
    Hung,
    Busy,
    Disabled,
    TwoCredentials,
}

struct Service {
    mood: Mood,
    key: PKey<Private>,
    chain: Vec<String>,
    other: String,
    multisign: usize,
    pin: bool,
    otp: bool,
    /// What activation data was given out for, and every call.
    granted: Mutex<Vec<Vec<String>>>,
    calls: Mutex<Vec<String>>,
}

impl Service {
    fn new(name: &str, mood: Mood) -> Self {
        let read = |file: &str| std::fs::read(WORLD.dir.path().join(file)).unwrap();
        let certificate = |file: &str| BASE64.encode(X509::from_pem(&read(file)).unwrap().to_der().unwrap());
        Service {
            mood,
            key: PKey::private_key_from_pem(&read(&format!("{name}.key"))).unwrap(),
            chain: vec![certificate(&format!("{name}.pem")), certificate("inter.pem")],
            other: certificate("third.pem"),
            multisign: 4,
            pin: false,
            otp: false,
            granted: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    fn router(self: &Arc<Self>) -> axum::Router {
        let answer = |method: &'static str| {
            post(
                move |State(service): State<Arc<Service>>,
                      headers: HeaderMap,
                      Json(question): Json<Value>| async move {
                    service.calls.lock().unwrap().push(method.to_owned());
                    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some("Bearer the-token")
                    {
                        return refuse(StatusCode::UNAUTHORIZED, "invalid_token");
                    }
                    match service.mood {
                        Mood::Html => return axum::response::Html("<html>").into_response(),
                        Mood::Huge => return "9".repeat(2 << 20).into_response(),
                        Mood::Moved => {
                            return axum::response::Redirect::temporary("/elsewhere").into_response();
                        }
                        Mood::Busy => return StatusCode::TOO_MANY_REQUESTS.into_response(),
                        Mood::Hung => std::future::pending::<()>().await,
                        _ => {}
                    }
                    service.answer(method, &question)
                },
            )
        };
        let methods =
            ["credentials/list", "credentials/info", "credentials/authorize", "signatures/signHash"];
        let mut router = axum::Router::new();
        for method in methods {
            router = router.route(&format!("/csc/v2/{method}"), answer(method));
        }
        router.with_state(Arc::clone(self))
    }

    fn answer(&self, method: &str, question: &Value) -> Response {
        if method == "credentials/list" {
            let ids = if self.mood == Mood::TwoCredentials { json!(["c1", "c2"]) } else { json!(["c1"]) };
            return Json(json!({ "credentialIDs": ids })).into_response();
        }
        if question["credentialID"] != "c1" {
            return refuse(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let hashes = || -> Vec<String> {
            let list = question["hashes"].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(|h| h.as_str().map(str::to_owned)).collect()
        };
        match method {
            "credentials/info" => self.info(),
            "credentials/authorize" => {
                let data = |id: &str| {
                    let list = question["authData"].as_array().cloned().unwrap_or_default();
                    list.iter().find(|d| d["id"] == id).map(|d| d["value"].clone())
                };
                if self.pin && data("PIN") != Some(json!(PIN)) {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_pin");
                }
                if self.otp && data("OTP") != Some(json!(OTP)) {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_otp");
                }
                let hashes = hashes();
                if hashes.is_empty()
                    || question["numSignatures"] != hashes.len()
                    || hashes.len() > self.multisign
                    || question["hashAlgorithmOID"] != "2.16.840.1.101.3.4.2.1"
                {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_request");
                }
                let mut granted = self.granted.lock().unwrap();
                granted.push(hashes);
                Json(json!({ "SAD": format!("sad-{}", granted.len() - 1), "expiresIn": 60 })).into_response()
            }
            _ => self.sign(question, &hashes()),
        }
    }

    fn info(&self) -> Response {
        let (algorithm, length) = if self.key.id() == openssl::pkey::Id::RSA {
            ("1.2.840.113549.1.1.11", 2048)
        } else {
            ("1.2.840.10045.4.3.2", 256)
        };
        let mut chain = self.chain.clone();
        if self.mood == Mood::OtherCertificate {
            chain[0] = self.other.clone();
        }
        let mut objects = Vec::new();
        if self.pin {
            objects.push(json!({ "type": "Password", "id": "PIN", "label": "PIN" }));
        }
        if self.otp {
            objects.push(json!({ "type": "Password", "id": "OTP", "label": "OTP" }));
        }
        let mode = if objects.is_empty() { "implicit" } else { "explicit" };
        Json(json!({
            "key": {
                "status": if self.mood == Mood::Disabled { "disabled" } else { "enabled" },
                "algo": [algorithm],
                "len": length,
            },
            "cert": { "status": "valid", "certificates": chain },
            "auth": { "mode": mode, "objects": objects },
            "SCAL": "2",
            "multisign": self.multisign,
        }))
        .into_response()
    }

    fn sign(&self, question: &Value, hashes: &[String]) -> Response {
        let number: Option<usize> =
            question["SAD"].as_str().and_then(|s| s.strip_prefix("sad-")).and_then(|n| n.parse().ok());
        let granted = self.granted.lock().unwrap();
        if number.and_then(|n| granted.get(n)).map(Vec::as_slice) != Some(hashes) {
            return refuse(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let mut signatures: Vec<String> = hashes
            .iter()
            .map(|hash| {
                let mut hash = BASE64.decode(hash).unwrap();
                if self.mood == Mood::Wrong {
                    hash[0] ^= 1;
                }
                let mut context = PkeyCtx::new(&self.key).unwrap();
                context.sign_init().unwrap();
                context.set_signature_md(Md::sha256()).unwrap();
                let mut out = Vec::new();
                context.sign_to_vec(&hash, &mut out).unwrap();
                if self.mood == Mood::Plain {
                    let signature = openssl::ecdsa::EcdsaSig::from_der(&out).unwrap();
                    out =
                        [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()]
                            .concat();
                }
                BASE64.encode(out)
            })
            .collect();
        if self.mood == Mood::Fewer {
            signatures.pop();
        }
        Json(json!({ "signatures": signatures })).into_response()
    }

    fn called(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|m| *m == method).count()
    }
}

fn refuse(status: StatusCode, word: &str) -> Response {
    (status, Json(json!({ "error": word, "error_description": "the-token 1234 246810" }))).into_response()
}

const PIN: &str = "1234";
const OTP: &str = "246810";
const SECRETS: [&str; 3] = ["the-token", PIN, OTP];

/// A desk with the secrets on it, and a service that runs as long as the runtime.
struct Remote {
    desk: Desk,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    fn new() -> Self {
        let desk = Desk::new();
        desk.file("token", b"the-token\n");
        desk.file("pin", format!("{PIN}\n").as_bytes());
        desk.file("otp", format!("{OTP}\n").as_bytes());
        desk.file("wrong", b"0000\n");
        Remote { desk, runtime: tokio::runtime::Runtime::new().unwrap() }
    }

    fn serve(&self, service: &Arc<Service>) -> String {
        format!("{}csc/v2", serve(&self.runtime, service.router()))
    }
}

#[test]
fn a_service_signs_to_the_satisfaction_of_every_judge() {
    let remote = Remote::new();
    for (name, mood) in [("rsa", Mood::Good), ("ec", Mood::Good), ("ec", Mood::Plain)] {
        let service = Arc::new(Service::new(name, mood));
        let url = remote.serve(&service);
        let signed = remote.desk.signed(&["--csc", &url, "--csc-token-file", "token"]);
        let path = WORLD.file(&format!("key-csc-{name}-{mood:?}.pdf"), &std::fs::read(signed).unwrap());
        judge(&WORLD, &path, 1, &["TRUSTED,UNTOUCHED"]);
    }
}

#[test]
fn many_files_are_signed_by_few_calls() {
    let remote = Remote::new();
    let service = Arc::new(Service::new("rsa", Mood::Good));
    let url = remote.serve(&service);
    let papers = remote.desk.papers(10);
    std::fs::create_dir(remote.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let key = ["--out-dir", "out", "--csc", &url, "--csc-credential", "c1", "--csc-token-file", "token"];
    let out = remote.desk.run(&[&papers, &key[..]].concat());
    assert!(out.status.success(), "{}", text(&out));
    assert_eq!(service.called("credentials/list"), 0, "the credential was named");
    assert_eq!(service.called("credentials/info"), 1);
    assert_eq!((service.called("credentials/authorize"), service.called("signatures/signHash")), (3, 3));
}

#[test]
fn pin_and_one_time_password_are_given_where_they_are_asked_for_and_a_refusal_is_final() {
    let remote = Remote::new();
    let mut service = Service::new("ec", Mood::Good);
    (service.pin, service.otp) = (true, true);
    let service = Arc::new(service);
    let url = remote.serve(&service);
    let base = ["--csc", url.as_str(), "--csc-token-file", "token"];
    let both = [&base[..], &["--pinfile", "pin", "--otpfile", "otp"]].concat();
    remote.desk.signed(&both);
    remote.desk.refused(&base, "SEAL-096", &SECRETS);
    remote.desk.refused(&[&base[..], &["--pinfile", "pin"]].concat(), "SEAL-096", &SECRETS);
    let wrong = [&base[..], &["--pinfile", "wrong", "--otpfile", "otp"]].concat();
    let said = remote.desk.refused(&wrong, "SEAL-094", &[&SECRETS[..], &["0000"]].concat());
    assert!(said.contains("invalid_pin"), "{said}");
    let before = service.called("credentials/authorize");
    let papers = remote.desk.papers(10);
    std::fs::create_dir(remote.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let out = remote.desk.run(&[&papers, &["--out-dir", "out"][..], &wrong].concat());
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(
        service.called("credentials/authorize"),
        before + 1,
        "a wrong PIN is tried once for ten files"
    );
    // One password is good for one authorisation: the files beyond it wait.
    let out = remote.desk.run(&[&papers, &["--out-dir", "out"][..], &both].concat());
    assert!(out.status.code() == Some(1) && text(&out).contains("4 / 10"), "{}", text(&out));
}

#[test]
fn a_service_that_misbehaves_leaves_nothing() {
    let remote = Remote::new();
    for (mood, code) in [
        (Mood::Wrong, "SEAL-097"),
        (Mood::Fewer, "SEAL-093"),
        (Mood::OtherCertificate, "SEAL-097"),
        (Mood::Html, "SEAL-093"),
        (Mood::Huge, "SEAL-093"),
        (Mood::Moved, "SEAL-093"),
        (Mood::Busy, "SEAL-092"),
        (Mood::Hung, "SEAL-092"),
        (Mood::Disabled, "SEAL-096"),
        (Mood::TwoCredentials, "SEAL-096"),
    ] {
        let service = Arc::new(Service::new("ec", mood));
        let url = remote.serve(&service);
        let key = ["--csc", &url, "--csc-token-file", "token", "--csc-timeout", "1"];
        remote.desk.refused(&key, code, &SECRETS);
    }
    let service = Arc::new(Service::new("ec", Mood::Good));
    let url = remote.serve(&service);
    let with = |url: &str, more: &[&str], code: &str| {
        remote.desk.refused(&[&["--csc", url, "--csc-token-file", "token"], more].concat(), code, &SECRETS);
    };
    with(&url, &["--csc-credential", "nobody"], "SEAL-095");
    with("http://127.0.0.1:9/csc/v2", &[], "SEAL-092");
    for address in ["http://192.0.2.1/csc/v2", "ftp://127.0.0.1/", "https://user@127.0.0.1/", "no address"] {
        with(address, &[], "SEAL-091");
    }
    remote.desk.refused(&["--csc", &url, "--csc-token-file", "wrong"], "SEAL-094", &SECRETS);
}

/// Somebody else's server, which speaks version 1: https://pypi.org/project/certomancer-csc-dummy/
#[test]
fn certomancers_service_signs_too() {
    let Some(python) = tool("python") else { return eprintln!("skipped: no python") };
    let there = Command::new(&python).args(["-c", "import csc_dummy"]).output();
    if !there.is_ok_and(|out| out.status.success()) {
        return eprintln!("skipped: no certomancer-csc-dummy");
    }
    let remote = Remote::new();
    let desk = &remote.desk;
    desk.file("certomancer.yml", CERTOMANCER.as_bytes());
    let port = crate::playground::free_address().port();
    let mut server = Command::new(&python)
        .current_dir(desk.folder.path())
        .args(["-m", "csc_dummy", "certomancer.yml", &port.to_string(), "2"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(("localhost", port)).is_err() {
        assert!(begun.elapsed().as_secs() < 120, "the service does not start");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let url = format!("http://localhost:{port}/csc/v1");
    let papers = desk.papers(3);
    std::fs::create_dir(desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let mut said = Vec::new();
    for kind in ["rsa", "ec"] {
        let credential = format!("training/{kind}-signer");
        let key =
            ["--csc", &url, "--csc-credential", &credential, "--csc-token-file", "token", "--out-dir", "out"];
        said.push(desk.run(&[&papers, &key[..]].concat()));
    }
    server.kill().unwrap();
    server.wait().unwrap();
    for out in said {
        assert!(out.status.success() && text(&out).contains("3 / 3"), "{}", text(&out));
    }
}

const CERTOMANCER: &str = "\
keysets:
  keys:
    path-prefix: .
    keys:
      root: {path: ec.key}
      rsa: {path: rsa.key}
      ec: {path: ec.key}
pki-architectures:
  training:
    keyset: keys
    entity-defaults: {country-name: VN, organization-name: TRAINING}
    entities:
      root: {common-name: Training root}
      rsa: {common-name: Training RSA}
      ec: {common-name: Training EC}
    certs:
      root:
        subject: root
        subject-key: root
        issuer: root
        authority-key: root
        validity: {valid-from: '2020-01-01T00:00:00+0000', valid-to: '2060-01-01T00:00:00+0000'}
        profiles: [{id: simple-ca, params: {max-path-len: 2}}]
      rsa-signer:
        subject: rsa
        subject-key: rsa
        issuer: root
        authority-key: root
        validity: {valid-from: '2020-01-01T00:00:00+0000', valid-to: '2060-01-01T00:00:00+0000'}
        extensions: [{id: key_usage, critical: true, smart-value: {schema: key-usage, params: [digital_signature, non_repudiation]}}]
      ec-signer:
        subject: ec
        subject-key: ec
        issuer: root
        authority-key: root
        validity: {valid-from: '2020-01-01T00:00:00+0000', valid-to: '2060-01-01T00:00:00+0000'}
        extensions: [{id: key_usage, critical: true, smart-value: {schema: key-usage, params: [digital_signature, non_repudiation]}}]
";
