//! Answers of every kind to a push, over a real line.

use super::*;
use crate::deliver::outbox::AttemptOutcome;
use axum::Router;
use axum::body::Bytes;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::any;
use std::time::Duration;

const PDF: &[u8] = b"%PDF-1.7";

/// Serves one answer to everything, and pushes to it.
async fn pushed_to(
    answer: impl IntoResponse + Clone + Send + Sync + 'static,
    keys: Vec<VerifyingKey>,
) -> Attempt {
    let router = Router::new().fallback(any(move |_body: Bytes| {
        let answer = answer.clone();
        async move { answer }
    }));
    pushed_through(router, keys).await
}

async fn pushed_through(router: Router, receipt_keys: Vec<VerifyingKey>) -> Attempt {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = link::address(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let serving = tokio::spawn(async { axum::serve(listener, router).await });
    let sink = Sink { name: "w".into(), base, key: SigningKey::mint().unwrap(), receipt_keys };
    let line = link::Line { answer: Duration::from_secs(3), ..link::Line::default() };
    let recipient = RecipientHandle::derive(&[1; 32], "x").unwrap();
    let attempt = push(&link::client(&line).unwrap(), &sink, &parcel(&recipient), 1_772_413_200).await;
    serving.abort();
    attempt
}

fn parcel(recipient: &RecipientHandle) -> Parcel<'_> {
    Parcel::new("w", recipient, 0, Sha256::of(PDF), PDF)
}

fn facts() -> Facts {
    parcel(&RecipientHandle::derive(&[1; 32], "x").unwrap()).facts()
}

fn receipt_of(facts: &Facts, key: &SigningKey) -> Vec<u8> {
    receipt::write_receipt(facts, "2026-03-02T01:15:09Z".parse().unwrap(), "w", key).unwrap()
}

#[track_caller]
fn again(attempt: Attempt, code: &Code) {
    match attempt {
        Attempt::Again { reason, .. } => assert_eq!(reason.code, code),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_a_receipt_that_holds_makes_a_delivery_whatever_the_status_says() {
    let key = SigningKey::mint().unwrap();
    let pinned = || vec![key.public().unwrap()];
    let good = receipt_of(&facts(), &key);
    assert_eq!(pushed_to(good.clone(), pinned()).await, Attempt::Delivered(ReceiptBytes(good.clone())));
    again(
        pushed_to((StatusCode::INTERNAL_SERVER_ERROR, good.clone()), pinned()).await,
        &attempt::SERVER_FAILED,
    );
    let other = Facts { sha256: Sha256::of(b"other"), ..facts() };
    again(pushed_to(receipt_of(&other, &key), pinned()).await, &receipt::MISMATCH);
    let other = Facts { delivery_id: Sha256::of(b"other"), ..facts() };
    again(pushed_to(receipt_of(&other, &key), pinned()).await, &receipt::MISMATCH);
    again(
        pushed_to(receipt_of(&facts(), &SigningKey::mint().unwrap()), pinned()).await,
        &receipt::UNKNOWN_KEY,
    );
    for body in ["", "{}", "OK", "null"] {
        let attempt = pushed_to(body, pinned()).await;
        assert_eq!(AttemptOutcome::of(&attempt), Some(AttemptOutcome::ReceiptInvalid));
        again(attempt, &receipt::UNREADABLE);
    }
    again(pushed_to(Html("<h1>200</h1>"), pinned()).await, &receipt::UNREADABLE);
    again(pushed_to(StatusCode::NO_CONTENT, pinned()).await, &receipt::UNREADABLE);
}

#[tokio::test]
async fn redirects_are_not_followed_and_large_answers_not_read() {
    again(pushed_to(Redirect::temporary("/elsewhere"), Vec::new()).await, &attempt::REDIRECTED);
    again(pushed_to(vec![b' '; 1_000_000], Vec::new()).await, &link::ANSWER_TOO_LARGE);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_in_time_and_one_that_is_not_there_at_once() {
    let hung = Router::new().fallback(any(std::future::pending::<()>));
    again(pushed_through(hung, Vec::new()).await, &link::TIMED_OUT);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = link::address(&format!("http://{}", gone.local_addr().unwrap())).unwrap();
    drop(gone);
    let sink = Sink { name: "w".into(), base, key: SigningKey::mint().unwrap(), receipt_keys: Vec::new() };
    let client = link::client(&link::Line::default()).unwrap();
    let recipient = RecipientHandle::derive(&[1; 32], "x").unwrap();
    let attempt = push(&client, &sink, &parcel(&recipient), 0).await;
    assert!(!attempt.may_have_arrived());
    again(attempt, &link::UNREACHABLE);
}

#[tokio::test]
async fn a_conflict_waits_only_while_the_receiver_is_still_at_it() {
    let conflict = |r#type: &str| (StatusCode::CONFLICT, format!(r#"{{"type":"{type}"}}"#));
    again(pushed_to(conflict("in-progress"), Vec::new()).await, &attempt::BUSY);
    assert!(matches!(pushed_to(conflict("conflict"), Vec::new()).await, Attempt::Never(_)));
    assert!(matches!(pushed_to(StatusCode::CONFLICT, Vec::new()).await, Attempt::Never(_)));
    let busy = (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "9")]);
    assert!(matches!(pushed_to(busy, Vec::new()).await, Attempt::Again { retry_after: Some(9), .. }));
}

#[tokio::test]
async fn bytes_that_changed_since_they_were_sealed_never_leave() {
    let base = link::address("http://127.0.0.1:9").unwrap();
    let sink = Sink { name: "w".into(), base, key: SigningKey::mint().unwrap(), receipt_keys: Vec::new() };
    let recipient = RecipientHandle::derive(&[1; 32], "x").unwrap();
    let parcel = Parcel { pdf: b"%PDF-1.8", ..parcel(&recipient) };
    let client = link::client(&link::Line::default()).unwrap();
    assert_eq!(
        push(&client, &sink, &parcel, 0).await,
        Attempt::Never(Fault::new(&PARCEL_CHANGED).detail("8 bytes"))
    );
}
