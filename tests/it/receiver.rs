//! `hoso serve` as other stations and programs of the office meet it, through the program itself: killed at any moment while a sender
//! repeats, over mutual TLS, with documents that only the recipient reads (opened by npm `jose`), handed in to over HTTP, and with
//! schemathesis reading its own description.

use crate::playground::{Dice, HOSO, samples};
use hoso::deliver::attempt::Attempt;
use hoso::deliver::credential::jose::Jwk;
use hoso::deliver::link::{self, Line};
use hoso::deliver::push::{NOT_RECOGNISED, Parcel, RecipientHandle, Sink, push, push_again};
use hoso::deliver::receipt;
use hoso::deliver::wire_key::{SigningKey, VerifyingKey};
use hoso::digest::Sha256;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TOKEN: &str = "quay-so-1-0123456789abcdef";
const OTHER: &str = "quay-so-2-0123456789abcdef";

/// A training station that others send to and hand in to, on a port of its own; killed when it is dropped.
struct Served {
    folder: tempfile::TempDir,
    listen: String,
    url: String,
    more: Vec<String>,
    process: Option<Child>,
}

impl Served {
    fn new() -> Served {
        Served::with("", &[], "http")
    }

    fn with(config: &str, more: &[String], scheme: &str) -> Served {
        let folder = tempfile::tempdir().unwrap();
        Served::over(folder, config, more, scheme)
    }

    fn over(folder: tempfile::TempDir, config: &str, more: &[String], scheme: &str) -> Served {
        let station = folder.path().join("station");
        let made = Command::new(HOSO).arg("init").arg(&station).arg("--training").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut text = fs::read_to_string(station.join("hoso.toml")).unwrap();
        text.push_str(&format!(
            "\n[inbox]\nreceipt-key = \"file:keys/wallet.key\"\n[senders.xa-mau]\nkeys = [\"keys/station.pem\"]\n\
             sink = \"tinh\"\n{config}\n\
             [clients.quay-1]\ntoken-sha256 = [\"{}\"]\npipelines = [\"intake-desk\"]\n\
             [clients.quay-2]\ntoken-sha256 = [\"{}\"]\n",
            Sha256::of(TOKEN.as_bytes()),
            Sha256::of(OTHER.as_bytes()),
        ));
        fs::write(station.join("hoso.toml"), text).unwrap();
        let listen = crate::playground::free_address().to_string();
        let url = format!("{scheme}://{listen}/h/tinh");
        let mut served = Served { folder, listen, url, more: more.to_vec(), process: None };
        served.start();
        served
    }

    fn start(&mut self) {
        let mut command =
            self.hoso(&["serve", "--json", "--listen", &self.listen, "--public-url", &self.url]);
        let mut process = command.args(&self.more).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(&self.url), "{line}");
        self.process = Some(process);
    }

    fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn station(&self) -> PathBuf {
        self.folder.path().join("station")
    }

    fn hoso(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOSO);
        command.args(args).arg("--station").arg(self.station()).stdin(Stdio::null());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.hoso(args).output().unwrap()
    }

    /// `hoso inbox list --json`.
    fn inbox(&self) -> Vec<Value> {
        let output = self.output(&["inbox", "list", "--json", "--most", "100000"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn sink(&self) -> Sink {
        let keys = self.station().join("keys");
        Sink {
            name: "tinh".into(),
            base: link::address(&self.url).unwrap(),
            key: SigningKey::from_pem(&fs::read(keys.join("station.key")).unwrap()).unwrap(),
            receipt_keys: vec![VerifyingKey::from_pem(&fs::read(keys.join("wallet.pem")).unwrap()).unwrap()],
        }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let request = http().get(format!("{}{path}", self.url));
        told(token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token))).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn told(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.unwrap();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    (status, value)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn handle() -> RecipientHandle {
    RecipientHandle::derive(&[7; 32], "001099000001").unwrap()
}

fn document(number: usize) -> Vec<u8> {
    let mut pdf = format!("%PDF-1.7\n% {number}\n").into_bytes();
    pdf.resize(5_000, b' ');
    pdf
}

#[test]
fn a_receiver_killed_at_any_moment_loses_nothing_has_nothing_twice_and_gives_the_same_receipts() {
    const DOCUMENTS: usize = 240;
    const SENDERS: usize = 8;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::new();
    let sink = Arc::new(served.sink());
    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let sink = Arc::clone(&sink);
            runtime.spawn(async move {
                let line = Line { answer: Duration::from_secs(5), ..Line::default() };
                let client = link::client(&line).unwrap();
                let (handle, mut receipts) = (handle(), HashMap::new());
                for number in (sender..DOCUMENTS).step_by(SENDERS) {
                    let pdf = document(number);
                    let parcel = Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf);
                    let mut attempt = push(&client, &sink, &parcel, now()).await;
                    let receipt = loop {
                        match attempt {
                            Attempt::Delivered(receipt) => break receipt,
                            Attempt::Again { .. } => tokio::time::sleep(Duration::from_millis(20)).await,
                            Attempt::Never(fault) => panic!("{fault}"),
                        }
                        attempt = push_again(&client, &sink, &parcel, now()).await;
                    };
                    receipts.insert(parcel.delivery_id.to_string(), (number, receipt.0));
                }
                receipts
            })
        })
        .collect();
    let mut dice = Dice(20_261_122);
    let mut kills = 0;
    while !senders.iter().all(tokio::task::JoinHandle::is_finished) && kills < 25 {
        std::thread::sleep(Duration::from_millis(30 + dice.below(250)));
        served.kill();
        served.start();
        kills += 1;
    }
    let mut receipts = HashMap::new();
    for sender in senders {
        receipts.extend(runtime.block_on(sender).unwrap());
    }
    done.store(true, Ordering::SeqCst);
    eprintln!("{kills} kills, {} receipts", receipts.len());
    assert!(kills >= 3);
    let laid = |served: &Served| served.inbox().iter().filter(|one| !one["file"].is_null()).count();
    let begun = Instant::now();
    while laid(&served) < DOCUMENTS {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} of {DOCUMENTS} are laid out", laid(&served));
        std::thread::sleep(Duration::from_millis(100));
    }
    let inbox = served.inbox();
    let ids: HashSet<&str> = inbox.iter().map(|one| one["delivery_id"].as_str().unwrap()).collect();
    assert_eq!((inbox.len(), ids.len(), receipts.len()), (DOCUMENTS, DOCUMENTS, DOCUMENTS));
    let client = link::client(&Line::default()).unwrap();
    let handle = handle();
    for one in &inbox {
        assert_eq!(one["state"], "received");
        let (number, first) = &receipts[one["delivery_id"].as_str().unwrap()];
        let pdf = fs::read(served.station().join(one["file"].as_str().unwrap())).unwrap();
        assert_eq!(pdf, document(*number));
        if number % 16 == 0 {
            let parcel = Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf);
            let again = runtime.block_on(push(&client, &sink, &parcel, now()));
            let Attempt::Delivered(again) = again else { panic!("{again:?}") };
            assert_eq!(&again.0, first);
        }
    }
    // The same key, other bytes: refused, told by the register.
    let (first, second) = (document(0), document(1));
    let id = Parcel::new("tinh", &handle, 1, Sha256::of(&first), &first).delivery_id;
    let forged = Parcel { delivery_id: id, ..Parcel::new("tinh", &handle, 1, Sha256::of(&second), &second) };
    assert!(matches!(runtime.block_on(push(&client, &sink, &forged, now())), Attempt::Never(_)));
}

#[test]
fn over_mutual_tls_a_sender_shows_its_own_certificate_or_is_nobody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let certificate = |name: &str, key: Option<&Path>| {
        let place = folder.path().join(format!("{name}.pem"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-days", "2", "-nodes", "-subj", "/CN=127.0.0.1"]);
        command.args(["-addext", "subjectAltName=IP:127.0.0.1"]).arg("-out").arg(&place);
        match key {
            Some(key) => command.arg("-key").arg(key),
            None => command
                .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .arg("-keyout")
                .arg(folder.path().join(format!("{name}.key"))),
        };
        assert!(command.output().unwrap().status.success());
        place
    };
    let server = certificate("server", None);
    let (own, other, stranger) =
        (certificate("own", None), certificate("other", None), certificate("stranger", None));
    let authorities = folder.path().join("ca.pem");
    fs::write(&authorities, [fs::read(&own).unwrap(), fs::read(&other).unwrap()].concat()).unwrap();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let more = [
        "--tls-cert".to_owned(),
        text(server.clone()),
        "--tls-key".to_owned(),
        text(folder.path().join("server.key")),
        "--tls-client-ca".to_owned(),
        text(authorities),
    ];
    let config = format!("certificates = [\"{}\"]", text(own.clone()));
    let served = Served::with(&config, &more, "https");
    let sink = served.sink();
    let (handle, pdf) = (handle(), document(1));
    let parcel = Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf);
    let attempt = |shown: Option<&PathBuf>| {
        let identity =
            shown.map(|pem| (fs::read(pem).unwrap(), fs::read(pem.with_extension("key")).unwrap().into()));
        let line = Line {
            authorities_pem: Some(fs::read(&server).unwrap()),
            identity_pem: identity,
            ..Line::default()
        };
        runtime.block_on(push(&link::client(&line).unwrap(), &sink, &parcel, now()))
    };
    // None, and one of an authority that is trusted for others: the same answer as to a wrong signature.
    let unknown =
        |attempt| matches!(attempt, Attempt::Again { reason, .. } if reason.code == &NOT_RECOGNISED);
    assert!(unknown(attempt(None)));
    assert!(unknown(attempt(Some(&other))));
    // One that no authority here knows does not even connect.
    assert!(matches!(attempt(Some(&stranger)), Attempt::Again { .. }));
    assert!(served.inbox().is_empty());
    assert!(matches!(attempt(Some(&own)), Attempt::Delivered(_)));
    assert_eq!(served.inbox().len(), 1);
}

#[test]
fn npm_jose_opens_what_was_encrypted_for_a_wallet_and_nobody_on_the_way_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = Served::new();
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::ec::EcKey::generate(&group).unwrap();
    let d = key.private_key().to_vec_padded(32).unwrap();
    let public = Jwk::of(&*openssl::pkey::PKey::from_ec_key(key).unwrap()).unwrap().value();
    let (handle, pdf) = (handle(), document(1));
    let parcel = Parcel { key: Some(&public), ..Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf) };
    let client = link::client(&Line::default()).unwrap();
    let attempt = runtime.block_on(push(&client, &served.sink(), &parcel, now()));
    let Attempt::Delivered(first) = attempt else { panic!("{attempt:?}") };
    let again = runtime.block_on(push_again(&client, &served.sink(), &parcel, now()));
    assert_eq!(again, Attempt::Delivered(first.clone()));
    let said = receipt::open_receipt(&first.0, &served.sink().receipt_keys).unwrap();
    assert_eq!(said.document_sha256, Some(Sha256::of(&pdf)));
    let begun = Instant::now();
    let file = loop {
        if let Some(file) = served.inbox()[0]["file"].as_str() {
            break served.station().join(file);
        }
        assert!(begun.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(50));
    };
    let jwe = fs::read_to_string(&file).unwrap();
    assert_eq!(
        (file.extension().unwrap().to_str().unwrap(), Sha256::of(jwe.as_bytes())),
        ("jwe", said.sha256)
    );
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wallet");
    if !place.join("node_modules/jose").is_dir() {
        eprintln!("skipped: `npm ci` was not run in tests/wallet");
        return;
    }
    const SCRIPT: &str = r"
import { compactDecrypt, importJWK } from 'jose';
let text = ''; for await (const chunk of process.stdin) text += chunk;
const ask = JSON.parse(text);
const { plaintext, protectedHeader } = await compactDecrypt(ask.jwe, await importJWK(ask.key, 'ECDH-ES'));
console.log(JSON.stringify({ header: protectedHeader, plain: Buffer.from(plaintext).toString('hex') }));
";
    let mut private = public.clone();
    private["d"] = hoso::deliver::credential::jose::b64(&d).into();
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", SCRIPT]).current_dir(&place);
    let Ok(mut node) = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        eprintln!("skipped: no node");
        return;
    };
    node.stdin
        .take()
        .unwrap()
        .write_all(json!({ "jwe": jwe, "key": private }).to_string().as_bytes())
        .unwrap();
    let said: Value = serde_json::from_slice(&node.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(hex::decode(said["plain"].as_str().unwrap()).unwrap(), pdf);
    assert_eq!(
        (&said["header"]["enc"], &said["header"]["cty"]),
        (&json!("A256GCM"), &json!("application/pdf"))
    );
}

#[test]
fn a_program_hands_in_a_batch_asks_how_it_is_and_sees_nothing_of_others() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::new();
    let put = |served: &Served, file: &Path, token: &str| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let request = http().put(format!("{}/v1/intake/lo-1/{name}", served.url)).bearer_auth(token);
        runtime.block_on(told(request.body(fs::read(file).unwrap())))
    };
    let batch = samples().join("intake/batch-1");
    let mut files: Vec<PathBuf> = fs::read_dir(&batch).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert_eq!(put(&served, &files[0], "a-token-that-nobody-has").0, 401);
    for (at, file) in files.iter().enumerate() {
        assert_eq!(put(&served, file, TOKEN).0, 201);
        assert_eq!(put(&served, file, TOKEN).0, 200);
        // What was acknowledged survives: the next file comes to another process.
        if at % 2 == 0 {
            served.kill();
            served.start();
        }
    }
    let (status, open) = runtime.block_on(served.get("/v1/intake/lo-1", Some(TOKEN)));
    assert_eq!((status, open["files"].as_array().unwrap().len()), (200, files.len()));
    assert_eq!(runtime.block_on(served.get("/v1/intake/lo-1", Some(OTHER))).0, 404);
    let finish = |served: &Served, token: &str, body: &'static str| {
        let request = http().post(format!("{}/v1/intake/lo-1", served.url)).bearer_auth(token).body(body);
        runtime.block_on(told(request))
    };
    assert_eq!(finish(&served, TOKEN, r#"{"pipeline":"archive-backfill"}"#).0, 422);
    let (status, first) = finish(&served, TOKEN, r#"{"pipeline":"intake-desk"}"#);
    assert_eq!(status, 200, "{first}");
    served.kill();
    served.start();
    assert_eq!(finish(&served, TOKEN, ""), (200, first.clone()));
    assert_eq!(put(&served, &files[0], TOKEN).0, 409);
    assert_eq!(finish(&served, OTHER, "").0, 422);
    let id = first["runs"][0]["id"].as_str().unwrap();
    let one = |token| runtime.block_on(served.get(&format!("/v1/runs/{id}"), token));
    let (status, run) = one(Some(TOKEN));
    assert_eq!(
        (status, run["state"].as_str(), run["step_name"].as_str()),
        (200, Some("ready"), Some("pages"))
    );
    assert_eq!((one(Some(OTHER)).0, one(None).0), (404, 401));
    let list = |query: &str, token| runtime.block_on(served.get(&format!("/v1/runs{query}"), Some(token)));
    assert_eq!(
        list("?state=ready", TOKEN).1["runs"].as_array().unwrap().len(),
        first["runs"].as_array().unwrap().len()
    );
    assert_eq!(list("", OTHER).1["runs"], json!([]));
    assert_eq!(list("?state=lost", TOKEN).0, 422);
    let nobody = "0".repeat(64);
    assert_eq!(runtime.block_on(served.get(&format!("/v1/runs/{nobody}"), Some(TOKEN))).0, 404);
}

#[test]
fn health_metrics_and_the_description_tell_how_it_is_and_nothing_about_anybody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = Served::new();
    let (handle, pdf) = (handle(), document(1));
    let parcel = Parcel::new("tinh", &handle, 1, Sha256::of(&pdf), &pdf);
    let client = link::client(&Line::default()).unwrap();
    let stranger = Sink { key: SigningKey::mint().unwrap(), ..served.sink() };
    // It waits until somebody mends key or clock: the document is not to blame.
    assert!(matches!(runtime.block_on(push(&client, &stranger, &parcel, now())), Attempt::Again { .. }));
    let sent = Instant::now();
    assert!(matches!(runtime.block_on(push(&client, &served.sink(), &parcel, now())), Attempt::Delivered(_)));
    while served.inbox()[0]["file"].is_null() {
        assert!(sent.elapsed() < Duration::from_secs(120));
    }
    let root = served.url.trim_end_matches("/h/tinh").to_owned();
    let get = |url: String| runtime.block_on(told(http().get(url)));
    for base in [&root, &served.url] {
        assert_eq!(get(format!("{base}/healthz")).0, 200);
        let (status, ready) = get(format!("{base}/readyz"));
        assert_eq!((status, &ready["ready"]), (200, &json!(true)), "{ready}");
        let (status, described) = get(format!("{base}/openapi.json"));
        assert_eq!(status, 200);
        assert!(described["paths"].get("/h/tinh/v1/deliveries/{id}").is_some());
        assert!(described["paths"].get("/h/tinh/token").is_some());
    }
    let metrics = get(format!("{root}/metrics")).1.as_str().unwrap().to_owned();
    for line in [
        "hoso_deliveries 1",
        "hoso_deliveries_received_total 1",
        "hoso_delivery_conflicts 0",
        "hoso_requests_refused_total{type=\"signature-invalid\"} 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains(handle.as_str()) && !metrics.contains(&parcel.delivery_id.to_string()));
    assert_eq!(get(format!("{}/metrics", served.url)).0, 404);
    let audit = fs::read_to_string(served.station().join("var/audit.jsonl")).unwrap();
    assert!(audit.contains("SEND-016") && !audit.contains(handle.as_str()), "{audit}");
}

#[test]
fn a_station_without_an_issuers_key_serves_the_rest_and_one_without_a_receipt_key_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::new();
    served.kill();
    let place = served.station().join("hoso.toml");
    let text = fs::read_to_string(&place).unwrap();
    let issuer = text.find("[issuer]").unwrap();
    let end = issuer + text[issuer..].find("\n[").unwrap();
    let without =
        format!("{}{}", &text[..issuer], &text[end..]).replace("training = true", "training = false");
    fs::write(&place, &without).unwrap();
    served.start();
    assert_eq!(runtime.block_on(served.get("/v1/runs", Some(TOKEN))).0, 200);
    assert_eq!(runtime.block_on(served.get("/nonce", None)).0, 404);
    served.kill();
    let inbox = without.find("[inbox]").unwrap();
    let end = inbox + without[inbox..].find("\n[").unwrap();
    fs::write(&place, format!("{}{}", &without[..inbox], &without[end..])).unwrap();
    let output = served.output(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("HTTP-025"));
}

#[test]
fn schemathesis_finds_no_failure_with_and_without_a_clients_token() {
    let program = std::env::var_os("HOSO_VENV").map(|venv| Path::new(&venv).join("bin/schemathesis"));
    let Some(program) = program.filter(|program| program.is_file()) else {
        eprintln!("skipped: HOSO_VENV has no schemathesis");
        return;
    };
    let served = Served::new();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/receiver.schemathesis.toml");
    // It has no idea of its own how to write a PDF: any bytes will do.
    let hooks = "import schemathesis\n\n@schemathesis.serializer('application/pdf', 'application/jose', 'application/partial-upload')\n\
                 def raw(ctx, value):\n    return value if isinstance(value, bytes) else str(value).encode()\n";
    fs::write(served.folder.path().join("raw_bodies.py"), hooks).unwrap();
    for more in [vec![], vec!["-H".to_owned(), format!("Authorization: Bearer {TOKEN}")]] {
        let mut command = Command::new(&program);
        command.env("SCHEMATHESIS_HOOKS", "raw_bodies").env("PYTHONPATH", served.folder.path());
        command.arg("--config-file").arg(&config).args(["run", "--max-examples", "12", "--no-color"]);
        command.args(["--include-path-regex", "/v1/|z$|metrics|openapi"]);
        command.arg(format!("{}/openapi.json", served.url)).args(more).current_dir(served.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
