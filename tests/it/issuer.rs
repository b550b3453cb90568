//! The wallet issuer, judged by other people's wallets: npm `@openid4vc/openid4vci` goes through the whole flow
//! (`tests/wallet/flow.mjs`; `npm ci` there first), npm and PyPI `sd-jwt` verify what came out. Then the crash: what a wallet holds
//! survives `kill -9`. Without node or its packages the judges are skipped, saying so.

use crate::playground::HOSO;
use hoso::deliver::credential::issuer::{CONFIGURATION, VCT};
use hoso::deliver::credential::jose::{self, Jwk};
use hoso::deliver::credential::sd_jwt::{self, Rules};
use hoso::deliver::credential::status_list::StatusList;
use hoso::deliver::wire_key::SigningKey;
use hoso::digest::Sha256;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n\
    2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n\
    3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n\
    xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \ntrailer\n<</Size 4/Root 1 0 R>>\nstartxref\n170\n%%EOF\n";
const PIN: &str = "482913";

/// A training station that is served on a port of its own; killed when it is dropped.
struct Served {
    folder: tempfile::TempDir,
    listen: String,
    url: String,
    tls: Option<(PathBuf, PathBuf)>,
    process: Option<Child>,
}

impl Served {
    fn new(path: &str, tls: bool) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let station = folder.path().join("station");
        let made = Command::new(HOSO).arg("init").arg(&station).arg("--training").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(folder.path().join("ket-qua.pdf"), PDF).unwrap();
        std::fs::write(
            folder.path().join("fields.json"),
            r#"{"ho_ten":"Đinh Văn Mẫu","so_ket_qua":"12/KQ"}"#,
        )
        .unwrap();
        // A port that was free a moment ago: the address has to be known before it is served.
        let listen = crate::playground::free_address().to_string();
        let tls = tls.then(|| certificate(folder.path()));
        let url = format!("{}://{listen}{path}", if tls.is_some() { "https" } else { "http" });
        let mut served = Served { folder, listen, url, tls, process: None };
        served.start();
        served
    }

    fn start(&mut self) {
        let mut command =
            self.hoso(&["serve", "--json", "--listen", &self.listen, "--public-url", &self.url]);
        if let Some((cert, key)) = &self.tls {
            command.arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
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

    fn hoso(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOSO);
        command
            .args(args)
            .arg("--station")
            .arg(self.folder.path().join("station"))
            .current_dir(self.folder.path());
        command
    }

    fn say(&self, args: &[&str]) -> Value {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn lines(&self, args: &[&str]) -> Vec<Value> {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn output(&self, args: &[&str]) -> Output {
        self.hoso(args).output().unwrap()
    }

    fn offer(&self, more: &[&str]) -> Value {
        let args =
            [&["offer", "ket-qua.pdf", "--fields", "fields.json", "--pin", PIN, "--json"], more].concat();
        self.say(&args)
    }

    /// What the npm wallet says of its way; nothing where it is not installed.
    fn wallet(&self, offer: &Value, pins: &[&str], more: &Value) -> Option<Value> {
        let ask = json!({ "offer_uri": offer["offer_uri"], "pins": pins });
        self.node(ask, more)
    }

    fn node(&self, mut ask: Value, more: &Value) -> Option<Value> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wallet");
        if !place.join("node_modules/@openid4vc/openid4vci").is_dir() {
            eprintln!("skipped: `npm ci` was not run in tests/wallet");
            return None;
        }
        ask["plain"] = self.tls.is_none().into();
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut command = Command::new("node");
        command.arg("flow.mjs").current_dir(&place);
        if let Some((cert, _)) = &self.tls {
            command.env("NODE_EXTRA_CA_CERTS", cert);
        }
        let Ok(mut process) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            eprintln!("skipped: no node");
            return None;
        };
        process.stdin.take().unwrap().write_all(ask.to_string().as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// A wallet in whose hands a credential arrived whole: everyone agrees on it.
    fn agree(&self, said: &Value) {
        assert!(said["failed"].is_null(), "{said:#}");
        let sha256 = Sha256::of(PDF).to_string();
        assert_eq!(said["document_sha256"], sha256);
        assert_eq!(said["claims"]["doc"]["sha256"], sha256);
        assert_eq!(said["claims"]["ho_ten"], "Đinh Văn Mẫu");
        let credential = said["credential"].as_str().unwrap();
        let issuer_key = Jwk::from_value(&said["issuer_jwk"]).unwrap();
        let rules = Rules { now: jiff::Timestamp::now().as_second(), issuer: &self.url, vct: VCT };
        let verified = sd_jwt::verify(credential, &issuer_key, &rules).unwrap();
        assert_eq!(verified.holder, Jwk::from_value(&said["holder"]).unwrap());
        assert_eq!(Value::Object(verified.claims), said["claims"]);
        if let Some(theirs) = python(credential, &said["issuer_jwk"]) {
            assert_eq!(theirs["doc"]["sha256"], sha256);
            assert_eq!(theirs["so_ket_qua"], "12/KQ");
        }
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

fn steps(said: &Value) -> Vec<&str> {
    said["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect()
}

#[test]
fn another_houses_wallet_gets_a_credential_whose_document_is_the_offered_one() {
    for (path, tls) in [("", false), ("/h/quangninh", false), ("/h/quangninh", true)] {
        let served = Served::new(path, tls);
        let Some(said) = served.wallet(&served.offer(&[]), &[PIN], &json!({})) else { return };
        served.agree(&said);
        let all = [
            "offer",
            "metadata",
            "token",
            "credential",
            "notification",
            "notification",
            "verified",
            "document",
        ];
        assert_eq!(steps(&said), all);
        assert_eq!(said["steps"][1]["version"], "V1");
    }
}

#[test]
fn another_houses_wallet_is_served_later_and_encrypted_where_it_asks() {
    let served = Served::new("/h/quangninh", false);
    let ready = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 4).unwrap().to_string();
    let Some(said) = served.wallet(&served.offer(&["--ready-at", &ready]), &[PIN], &json!({})) else {
        return;
    };
    served.agree(&said);
    assert!(steps(&said).iter().filter(|step| **step == "deferred").count() >= 2, "{said}");
    let said = served.wallet(&served.offer(&[]), &[PIN], &json!({ "encrypt": true })).unwrap();
    served.agree(&said);
    let types: Vec<&str> =
        said["steps"].as_array().unwrap().iter().filter_map(|step| step["type"].as_str()).collect();
    assert_eq!(types, ["application/jwt", "application/jose"]);
}

#[test]
fn another_houses_wallet_is_told_of_wrong_pins_and_used_codes() {
    let served = Served::new("", false);
    let Some(said) = served.wallet(&served.offer(&[]), &["0000", "111111", PIN, PIN], &json!({})) else {
        return;
    };
    let tokens = |said: &Value| -> Vec<Value> {
        let tokens = said["steps"].as_array().unwrap().iter().filter(|step| step["name"] == "token");
        tokens.map(|step| if step["ok"] == true { json!("ok") } else { step["error"].clone() }).collect()
    };
    assert_eq!(tokens(&said), ["invalid_grant", "invalid_grant", "ok", "invalid_grant"]);
    served.agree(&said);
    let wrong = ["000000"; 5];
    let said = served.wallet(&served.offer(&[]), &[&wrong[..], &[PIN]].concat(), &json!({})).unwrap();
    assert_eq!(tokens(&said), vec!["invalid_grant"; 6]);
    assert!(said["credential"].is_null());
}

/// `HOSO_WALLETS` says how many there are, 200 where the figure is wanted; each has a key and an offer of its own.
#[test]
fn another_houses_wallet_gets_its_credential_every_single_time() {
    let count: usize = std::env::var("HOSO_WALLETS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let served = Served::new("/h/quangninh", false);
    let offers: Vec<Value> = (0..count).map(|_| served.offer(&[])["offer_uri"].clone()).collect();
    let Some(said) = served.node(json!({ "offer_uris": offers, "pins": [PIN] }), &json!({})) else { return };
    let ok = said["ok"].as_u64().unwrap();
    eprintln!("{ok} of {count} wallets got what was offered, in {} s", said["seconds"]);
    assert_eq!(ok, count as u64, "{}", said["failures"]);
    let states = served.lines(&["offer", "--list", "--json"]);
    assert_eq!(states.iter().filter(|line| line["state"] == "accepted").count(), count);
    served.agree(&said["last"]);
}

#[test]
fn an_offer_says_four_things_and_no_more() {
    let served = Served::new("/h/mau", false);
    let offer = served.offer(&[]);
    let mut names: Vec<&String> = offer.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["credential_configuration_id", "expires_at", "offer_uri", "pin"]);
    assert_eq!((&offer["pin"], &offer["credential_configuration_id"]), (&json!(PIN), &json!(CONFIGURATION)));
    assert!(
        offer["offer_uri"].as_str().unwrap().starts_with("openid-credential-offer://?credential_offer_uri=")
    );
    let expires: jiff::Timestamp = offer["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(expires > jiff::Timestamp::now());
}

#[test]
fn a_credential_is_revoked_and_superseded_from_the_counter_while_wallets_are_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = Served::new("/h/mau", false);
    let (old, new) = (served.offer(&[]), served.offer(&[]));
    // The link of its offer names a credential as well as its id does.
    let id = |offer: &Value| offer["offer_uri"].as_str().unwrap().to_owned();
    let revoked = served.say(&["revoke", &id(&new), "--json"]);
    assert_eq!(revoked["state"], "revoked");
    // What was revoked succeeds nothing, nor does a credential itself; an id that is not known is the caller's mistake.
    for args in [
        ["supersede", &id(&old), &id(&new)],
        ["supersede", &id(&old), &id(&old)],
        ["supersede", &id(&old), "0"],
    ] {
        assert_eq!(served.output(&args).status.code(), Some(3), "{args:?}");
    }
    let next = served.offer(&["--supersedes", &id(&old)]);
    let ended = served.say(&["supersede", &id(&old), &id(&next), "--json"]);
    let listed = served.lines(&["offer", "--list", "--json"]);
    assert_eq!(listed.len(), 3);
    // The newest first.
    assert_eq!((&ended["state"], &ended["superseded_by"]), (&json!("superseded"), &listed[0]["credential"]));
    assert_eq!(listed[2]["state"], "superseded");
    let by_id = ended["credential"].as_str().unwrap();
    for named in [&id(&old), by_id] {
        let refused = served.output(&["revoke", named]);
        assert_eq!(refused.status.code(), Some(3));
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("/offers/"), "a link is a secret");
    }
    let (list, cwt, key) = runtime.block_on(async {
        let token =
            http().get(format!("{}/status/0", served.url)).send().await.unwrap().text().await.unwrap();
        let keys = http().get(well_known(&served.url, "jwt-vc-issuer")).send().await.unwrap();
        let keys: Value = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
        let cwt =
            http().get(format!("{}/status/0", served.url)).header("accept", "application/statuslist+cwt");
        let cwt = cwt.send().await.unwrap().bytes().await.unwrap();
        let key = Jwk::from_value(&keys["jwks"]["keys"][0]).unwrap();
        let now = jiff::Timestamp::now().as_second();
        let list = StatusList::read(&token, &format!("{}/status/0", served.url), now, &key).unwrap();
        (list, cwt, key)
    });
    let place = |said: &Value| u32::try_from(said["status_list"]["idx"].as_u64().unwrap()).unwrap();
    assert_eq!(list, StatusList::with_revoked([place(&revoked), place(&ended)]));
    if let Some(said) = cose(&cwt, &key.value()) {
        let mut places = [place(&revoked), place(&ended)];
        places.sort_unstable();
        assert_eq!(
            (&said["holds"], &said["revoked"], &said["bits"]),
            (&json!(true), &json!(places), &json!(1))
        );
        assert_eq!(said["sub"], format!("{}/status/0", served.url));
        assert_eq!(said["typ"], "application/statuslist+cwt");
    }
}

#[test]
fn a_file_that_is_no_pdf_and_fields_that_are_none_are_refused_before_anything_is_offered() {
    let served = Served::new("", false);
    std::fs::write(served.folder.path().join("x.txt"), "no pdf").unwrap();
    // What nobody could open is no result either.
    let hollow = served.folder.path().join("hollow.pdf");
    std::fs::write(&hollow, "%PDF-1.7\nnothing").unwrap();
    let locked =
        String::from_utf8(PDF.to_vec()).unwrap().replace("/Root 1 0 R", "/Root 1 0 R/Encrypt<</V 4>>");
    std::fs::write(served.folder.path().join("locked.pdf"), locked).unwrap();
    std::fs::write(served.folder.path().join("twice.json"), r#"{"a":1,"a":2}"#).unwrap();
    std::fs::write(served.folder.path().join("taken.json"), r#"{"exp":1}"#).unwrap();
    for args in [
        &["offer", "x.txt"][..],
        &["offer", "nothing.pdf"],
        &["offer", "hollow.pdf"],
        &["offer", "locked.pdf"],
        &["offer", "ket-qua.pdf", "--fields", "twice.json"],
        &["offer", "ket-qua.pdf", "--fields", "taken.json"],
        &["offer", "ket-qua.pdf", "--pin", "12a456"],
        &["offer", "ket-qua.pdf", "--supersedes", "unknown"],
    ] {
        let output = served.output(args);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_a_wallet_holds_survives_a_kill_at_any_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::new("/h/mau", false);
    let mut held = Vec::new();
    for round in 0..12u64 {
        let code = runtime.block_on(code_of(&served.offer(&[])));
        let key = SigningKey::mint().unwrap();
        let url = served.url.clone();
        let asked = runtime.spawn(async move { token(&url, &code).await.map(|token| (code, token)) });
        // Every second time the answer may be lost, the kill coming a little later each time; else it comes right behind it.
        let answered = if round % 2 == 0 {
            let answered = runtime.block_on(asked).unwrap();
            served.kill();
            answered
        } else {
            std::thread::sleep(Duration::from_millis(round * 20));
            served.kill();
            runtime.block_on(asked).unwrap()
        };
        served.start();
        let Some((code, access)) = answered else { continue };
        // Redeemed once is redeemed for good, and the token that was given out is good.
        assert!(runtime.block_on(token(&served.url, &code)).is_none());
        let first = runtime.block_on(credential(&served.url, &access, &key)).unwrap();
        served.kill();
        served.start();
        assert_eq!(runtime.block_on(credential(&served.url, &access, &key)), Some(first));
        held.push(access);
    }
    eprintln!("{} of 12 tokens arrived before the kill", held.len());
    assert!(!held.is_empty());
    // Between token and credential, and nobody else may step in.
    let code = runtime.block_on(code_of(&served.offer(&[])));
    let access = runtime.block_on(token(&served.url, &code)).unwrap();
    served.kill();
    served.start();
    assert!(runtime.block_on(credential(&served.url, &access, &SigningKey::mint().unwrap())).is_some());
    assert!(runtime.block_on(credential(&served.url, &access, &SigningKey::mint().unwrap())).is_none());
}

#[test]
fn schemathesis_finds_no_failure_with_and_without_a_token() {
    let program = std::env::var_os("HOSO_VENV").map(|venv| Path::new(&venv).join("bin/schemathesis"));
    let Some(program) = program.filter(|program| program.is_file()) else {
        eprintln!("skipped: HOSO_VENV has no schemathesis");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = Served::new("/h/mau", false);
    let code = runtime.block_on(code_of(&served.offer(&[])));
    let access = runtime.block_on(token(&served.url, &code)).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wallet/schemathesis.toml");
    for more in [vec![], vec!["-H".to_owned(), format!("Authorization: Bearer {access}")]] {
        let mut command = Command::new(&program);
        command.arg("--config-file").arg(&config).args(["run", "--max-examples", "20", "--no-color"]);
        command.arg(format!("{}/openapi.json", served.url)).args(more).current_dir(served.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn well_known(url: &str, name: &str) -> String {
    let at: reqwest::Url = url.parse().unwrap();
    let path = at.path().trim_end_matches('/');
    format!("{}/.well-known/{name}{path}", at.origin().ascii_serialization())
}

async fn json_of(response: reqwest::Response) -> Option<Value> {
    if !response.status().is_success() {
        return None;
    }
    serde_json::from_slice(&response.bytes().await.ok()?).ok()
}

async fn code_of(offer: &Value) -> String {
    let uri: reqwest::Url = offer["offer_uri"].as_str().unwrap().parse().unwrap();
    let address = uri.query_pairs().find(|(name, _)| name == "credential_offer_uri").unwrap().1.into_owned();
    let offer = json_of(http().get(address).send().await.unwrap()).await.unwrap();
    let grant = &offer["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"];
    grant["pre-authorized_code"].as_str().unwrap().to_owned()
}

async fn token(url: &str, code: &str) -> Option<String> {
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code={code}&tx_code={PIN}"
    );
    let request =
        http().post(format!("{url}/token")).header("content-type", "application/x-www-form-urlencoded");
    let answer = json_of(request.body(form).send().await.ok()?).await?;
    Some(answer["access_token"].as_str()?.to_owned())
}

async fn credential(url: &str, access: &str, key: &SigningKey) -> Option<String> {
    let nonce = json_of(http().post(format!("{url}/nonce")).send().await.ok()?).await?["c_nonce"].clone();
    let object = |value: Value| value.as_object().unwrap().clone();
    let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": Jwk::of_signer(key).unwrap() });
    let payload = json!({ "aud": url, "iat": jiff::Timestamp::now().as_second(), "nonce": nonce });
    let proof = jose::sign(object(header), &object(payload), key).unwrap();
    let ask = json!({ "credential_configuration_id": CONFIGURATION, "proofs": { "jwt": [proof] } });
    let request = http()
        .post(format!("{url}/credential"))
        .bearer_auth(access)
        .header("content-type", "application/json");
    let answer = json_of(request.body(ask.to_string()).send().await.ok()?).await?;
    Some(answer["credentials"][0]["credential"].as_str()?.to_owned())
}

/// What PyPI `sd-jwt` reads out of a credential; nothing where it is not installed.
fn python(credential: &str, issuer_jwk: &Value) -> Option<Value> {
    const SCRIPT: &str = r"
import sys, json
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier
ask = json.load(sys.stdin)
verifier = SDJWTVerifier(ask['credential'], lambda issuer, header=None: JWK.from_json(json.dumps(ask['key'])), None, None)
print(json.dumps(verifier.get_verified_payload()))
";
    judged("sd_jwt", SCRIPT, &json!({ "credential": credential, "key": issuer_jwk }))
}

/// What PyPI `pycose` makes of a status list in a CWT.
fn cose(token: &[u8], issuer_jwk: &Value) -> Option<Value> {
    const SCRIPT: &str = r"
import base64, cbor2, json, sys, zlib
from pycose.keys import EC2Key
from pycose.messages import CoseMessage
ask = json.load(sys.stdin)
coordinate = lambda name: base64.urlsafe_b64decode(ask['key'][name] + '=')
message = CoseMessage.decode(bytes.fromhex(ask['token']))
message.key = EC2Key(crv='P_256', x=coordinate('x'), y=coordinate('y'))
claims = cbor2.loads(message.payload)
bits = zlib.decompress(claims[65533]['lst'])
print(json.dumps({'holds': message.verify_signature(), 'sub': claims[2], 'typ': message.phdr[16], 'bits': claims[65533]['bits'],
    'revoked': [i for i in range(len(bits) * 8) if bits[i // 8] >> i % 8 & 1]}))
";
    judged("pycose", SCRIPT, &json!({ "token": hex::encode(token), "key": issuer_jwk }))
}

/// What a script says in the judges' Python; nothing, saying so, where a module that it needs is absent.
pub(crate) fn judged(module: &str, script: &str, ask: &Value) -> Option<Value> {
    let Some(venv) = std::env::var_os("HOSO_VENV") else {
        eprintln!("skipped: HOSO_VENV names no Python environment");
        return None;
    };
    let python = Path::new(&venv).join("bin/python");
    let import = format!("import {module}");
    let there = Command::new(&python).args(["-c", &import]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("skipped: the Python environment has no {module}");
        return None;
    }
    let mut process = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(ask.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A certificate for 127.0.0.1 that vouches for itself, and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    use openssl::asn1::Asn1Time;
    use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
    use openssl::x509::{X509Builder, X509NameBuilder};
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "127.0.0.1").unwrap();
    let name = name.build();
    let mut cert = X509Builder::new().unwrap();
    cert.set_version(2).unwrap();
    let serial = openssl::bn::BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    cert.set_serial_number(&serial).unwrap();
    cert.set_subject_name(&name).unwrap();
    cert.set_issuer_name(&name).unwrap();
    cert.set_pubkey(&key).unwrap();
    cert.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    cert.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    cert.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
    let names =
        SubjectAlternativeName::new().ip("127.0.0.1").build(&cert.x509v3_context(None, None)).unwrap();
    cert.append_extension(names).unwrap();
    cert.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    let (cert_path, key_path) = (folder.join("tls.pem"), folder.join("tls.key"));
    std::fs::write(&cert_path, cert.build().to_pem().unwrap()).unwrap();
    std::fs::write(&key_path, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    (cert_path, key_path)
}
