//! Time stamp authorities that fail in every way, through the command.

use super::*;
use crate::seal_judges::serve;
use axum::body::Bytes;
use axum::routing::post;
use hoso::seal::authority::Authority;
use jiff::{SignedDuration, Timestamp};
use std::io::Write as _;
use std::time::{Duration, Instant};

const KEY: [&str; 4] = ["--key", "ec.p12", "--passfile", "password"];

fn authority() -> Authority {
    let pem = |name: &str| std::fs::read(WORLD.dir.path().join(name)).unwrap();
    Authority::from_pem(&pem("tsa.key"), &[pem("tsa.pem"), pem("inter.pem")].concat()).unwrap()
}

/// An authority that changes the question before it answers, or the answer before it is sent.
fn liar(
    before: fn(Vec<u8>) -> Vec<u8>,
    shift: SignedDuration,
    after: fn(Vec<u8>) -> Vec<u8>,
) -> axum::routing::MethodRouter {
    let authority = std::sync::Arc::new(authority());
    post(move |question: Bytes| async move {
        let reply = authority.reply(&before(question.to_vec()), Timestamp::now() + shift);
        ([("content-type", "application/timestamp-reply")], after(reply))
    })
}

fn same(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// The nonce is the INTEGER of eight octets near the end of the question.
fn other_nonce(mut question: Vec<u8>) -> Vec<u8> {
    let at = question.len() - 4;
    question[at] ^= 1;
    question
}

/// The imprint is the OCTET STRING of 32 octets.
fn other_imprint(mut question: Vec<u8>) -> Vec<u8> {
    let at = question.windows(2).position(|w| w == [0x04, 0x20]).unwrap() + 2;
    question[at] ^= 1;
    question
}

#[test]
fn an_authority_that_fails_leaves_nothing_and_every_failure_has_its_own_code() {
    let desk = Desk::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let none = SignedDuration::ZERO;
    let day = SignedDuration::from_hours(24);
    let reply = |body: Vec<u8>| {
        post(move || async move { ([("content-type", "application/timestamp-reply")], body) })
    };
    let router = axum::Router::new()
        .route("/good", liar(same, none, same))
        .route("/nonce", liar(other_nonce, none, same))
        .route("/imprint", liar(other_imprint, none, same))
        .route("/future", liar(same, day, same))
        .route("/past", liar(same, SignedDuration::from_mins(-90), same))
        .route("/expired", liar(same, day * 400, same))
        .route("/rejects", liar(|_| b"no question".to_vec(), none, same))
        .route("/cut", liar(same, none, |reply| reply[..reply.len() / 2].to_vec()))
        .route(
            "/forged",
            liar(same, none, |mut reply| {
                *reply.last_mut().unwrap() ^= 1;
                reply
            }),
        )
        .route("/huge", reply(vec![0x30; 2 << 20]))
        .route("/html", post(|| async { axum::response::Html("<html>") }))
        .route("/busy", post(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE }))
        .route("/hung", post(|| async { std::future::pending::<String>().await }));
    let url = serve(&runtime, router);
    for (route, code) in [
        ("nonce", "SEAL-014"),
        ("imprint", "SEAL-014"),
        ("future", "SEAL-058"),
        ("past", "SEAL-056"),
        ("expired", "SEAL-056"),
        ("rejects", "SEAL-013"),
        ("cut", "SEAL-012"),
        ("forged", "SEAL-015"),
        ("huge", "SEAL-012"),
        ("html", "SEAL-012"),
        ("busy", "SEAL-011"),
        ("hung", "SEAL-011"),
        ("slow", "SEAL-011"),
    ] {
        let begun = Instant::now();
        let tsa = if route == "slow" { drip() } else { format!("{url}{route}") };
        // A busy machine may take longer for an answer that does come.
        let patience = if code == "SEAL-011" { "1" } else { "30" };
        let arguments = [&KEY[..], &["--tsa", &tsa, "--tsa-timeout", patience]].concat();
        let said = desk.refused(&arguments, code, &[]);
        assert!(begun.elapsed() < Duration::from_secs(120), "{route} is not waited for");
        assert!(!said.contains("127.0.0.1"), "{route}: addresses stay out of messages: {said}");
    }
    let good = format!("{url}good");
    let signed = desk.signed(&[&KEY[..], &["--tsa", &good, "--level", "B-T", "--trust", "."]].concat());
    let path = WORLD.file("key-stamped.pdf", &std::fs::read(signed).unwrap());
    judge(&WORLD, &path, 1, &["TIMESTAMP_TOKEN<INTACT:TRUSTED>"]);
    std::fs::create_dir(desk.path("strangers")).unwrap();
    WORLD.openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -subj /CN=STRANGER -out stranger.pem",
    );
    std::fs::copy(WORLD.dir.path().join("stranger.pem"), desk.path("strangers/root.pem")).unwrap();
    desk.refused(&[&KEY[..], &["--tsa", &good, "--trust", "strangers"]].concat(), "SEAL-057", &[]);
}

/// The address of an authority that gives an octet now and then, and never ends; it does so for one question.
fn drip() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: 5000\r\n\r\n";
        let mut alive = line.write_all(head.as_bytes()).is_ok();
        while alive {
            std::thread::sleep(Duration::from_millis(200));
            alive = line.write_all(b"0").is_ok();
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_lower_level_is_written_only_where_that_was_allowed_and_is_said() {
    let desk = Desk::new();
    let dead = ["--tsa", "http://127.0.0.1:9/", "--level", "B-T"];
    desk.refused(&[&KEY[..], &dead].concat(), "SEAL-011", &[]);
    let (exit, said, written) = desk.sign(&[&KEY[..], &dead, &["--allow-lower"]].concat());
    assert!(exit == 0 && written && said.contains("only B-B"), "{said}");
    let out = desk.run(&[&["in.pdf", "-o", "out.pdf", "--json", "--allow-lower"][..], &KEY, &dead].concat());
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&line["level"], &line["lowered"]["code"]), (&"B-B".into(), &"SEAL-011".into()));
    let path = WORLD.file("key-lowered.pdf", &std::fs::read(desk.path("out.pdf")).unwrap());
    judge(&WORLD, &path, 1, &["TRUSTED,UNTOUCHED"]);
}
