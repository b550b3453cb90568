//! A time stamp authority over HTTP (RFC 3161, 3.4), for training rooms and tests.

use crate::fault::Outcome;
use crate::seal::authority::Authority;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use std::sync::Arc;

/// Answers `POST /` and `POST /tsa`. The key and the certificates (its own first) are PEM.
///
/// # Errors
/// A key or certificate that cannot give time stamps.
pub fn router(key_pem: &[u8], chain_pem: &[u8]) -> Outcome<Router> {
    let authority = Arc::new(Authority::from_pem(key_pem, chain_pem)?);
    let routes = Router::new().route("/", post(stamp)).route("/tsa", post(stamp));
    Ok(routes.layer(DefaultBodyLimit::max(MAX_QUESTION)).with_state(authority))
}

async fn stamp(State(authority): State<Arc<Authority>>, headers: HeaderMap, question: Bytes) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    if !kind.eq_ignore_ascii_case("application/timestamp-query") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let reply = authority.reply(&question, Timestamp::now());
    ([(header::CONTENT_TYPE, "application/timestamp-reply")], reply).into_response()
}

const MAX_QUESTION: usize = 16 * 1024;
