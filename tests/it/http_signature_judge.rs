//! RFC 9421 judged from outside: PyPI `http-message-signatures` 3.0.0 verifies what we sign, and we verify what it
//! signs. `HOSO_VENV` names a Python environment that has it; without one the test says so and is skipped.

use hoso::deliver::signature::{self, COVERED_PUT, Message, Terms};
use hoso::deliver::wire_key::{SigningKey, VerifyingKey};
use hoso::digest::Sha256;
use openssl::pkey::PKey;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const URI: &str = "https://wallet.example/h/quang-ninh/v1/deliveries/00ff";

/// Reads one JSON object, verifies or signs, answers with one JSON object.
const SCRIPT: &str = r#"
import sys, json, datetime
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

ask = json.load(sys.stdin)

class Message:
    method, url, headers = ask["method"], ask["url"], ask["headers"]

class Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id):
        assert key_id == ask["keyid"], key_id
        return load_pem_public_key(ask["pem"].encode())
    def resolve_private_key(self, key_id):
        return load_pem_private_key(ask["pem"].encode(), None)

algorithm = {"ES256": algorithms.ECDSA_P256_SHA256, "EdDSA": algorithms.ED25519}[ask["alg"]]
message = Message()
if ask["do"] == "verify":
    try:
        HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=Keys()).verify(message)
        print(json.dumps({"ok": True}))
    except Exception as error:
        print(json.dumps({"ok": False, "why": repr(error)}))
else:
    now = datetime.datetime.fromtimestamp(ask["now"])
    HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys()).sign(
        message, key_id=ask["keyid"], created=now, expires=now + datetime.timedelta(seconds=300),
        nonce="from-python", covered_component_ids=tuple(ask["covered"]), use_existing_digest=True)
    print(json.dumps({"headers": dict(message.headers)}))
"#;

#[test]
fn a_foreign_verifier_accepts_our_signatures_and_refuses_changed_messages() {
    let Some(python) = python() else { return };
    for key in keys() {
        let now = jiff::Timestamp::now().as_second();
        let mut headers = headers();
        let terms = Terms { created: now, expires: now + 300, nonce: "n-1".into() };
        let message = Message { method: "PUT", target_uri: URI, headers: &headers };
        let (input, value) = signature::sign(&message, COVERED_PUT, &terms, &key).unwrap();
        headers.insert("signature-input", input.parse().unwrap());
        headers.insert("signature", value.parse().unwrap());
        let mut ask = ask(&key, &headers, "verify");
        ask["pem"] = String::from_utf8(key.public().unwrap().pem().unwrap()).unwrap().into();
        let said = judge(&python, &ask);
        assert_eq!(said["ok"], true, "{:?}: {said}", key.kind());
        for (field, value) in
            [("hoso-recipient", "ee"), ("content-type", "text/html"), ("idempotency-key", "01")]
        {
            let mut changed = ask.clone();
            changed["headers"][field] = value.into();
            assert_eq!(judge(&python, &changed)["ok"], false, "{field}");
        }
        let mut changed = ask.clone();
        changed["url"] = format!("{URI}0").into();
        assert_eq!(judge(&python, &changed)["ok"], false, "url");
    }
}

#[test]
fn we_accept_what_a_foreign_signer_signs() {
    let Some(python) = python() else { return };
    for key in keys() {
        let now = jiff::Timestamp::now().as_second();
        let mut ask = ask(&key, &headers(), "sign");
        ask["pem"] = String::from_utf8(key.private_pem().unwrap().to_vec()).unwrap().into();
        ask["now"] = now.into();
        ask["covered"] = json!(COVERED_PUT);
        let signed = judge(&python, &ask);
        let headers: HeaderMap = signed["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
            })
            .collect();
        let pinned: [VerifyingKey; 1] = [key.public().unwrap()];
        let judged = |uri| {
            let message = Message { method: "PUT", target_uri: uri, headers: &headers };
            signature::verify(&message, COVERED_PUT, &pinned, now)
        };
        assert_eq!(judged(URI).unwrap().terms.nonce, "from-python");
        assert!(judged("https://elsewhere.example/").is_err());
    }
}

fn keys() -> [SigningKey; 2] {
    [SigningKey::mint().unwrap(), SigningKey::new(PKey::generate_ed25519().unwrap()).unwrap()]
}

fn headers() -> HeaderMap {
    let digest = signature::content_digest(&Sha256::of(b"%PDF-1.7"));
    let pairs = [
        ("content-digest", digest.as_str()),
        ("content-type", "application/pdf"),
        ("idempotency-key", "00ff"),
        ("hoso-recipient", "ff"),
    ];
    pairs.into_iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn ask(key: &SigningKey, headers: &HeaderMap, task: &str) -> Value {
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
    json!({ "do": task, "method": "PUT", "url": URI, "headers": headers, "alg": key.kind().jose_name(), "keyid": key.id() })
}

fn judge(python: &str, ask: &Value) -> Value {
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(ask.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).expect("the judge gives an answer")
}

/// The Python that has the judge.
fn python() -> Option<String> {
    let python = match std::env::var("HOSO_VENV") {
        Ok(venv) => format!("{venv}/bin/python"),
        Err(_) => "python3".into(),
    };
    let there =
        Command::new(&python).args(["-c", "import http_message_signatures"]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: PyPI http-message-signatures is not installed (HOSO_VENV)");
    None
}
