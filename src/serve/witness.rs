//! The witness's face (C2SP tlog-witness): `POST /witness/add-checkpoint` vouches for the logs of other offices.

use crate::log::witness::{Answer, MAX_REQUEST, Witness};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use std::sync::Arc;

/// Serves a witness; its key line is to be had at `/witness/verifier.key`.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/witness/add-checkpoint", post(add_checkpoint))
        .route("/witness/verifier.key", get(verifier))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(Arc::new(witness))
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // What is vouched for is synced to disk before it is answered.
    let judged = tokio::task::spawn_blocking(move || {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        std::str::from_utf8(&body).map_or(Ok(Answer::Malformed), |body| witness.add_checkpoint(body, now))
    });
    match judged.await {
        Ok(Ok(answer)) => respond(answer),
        Ok(Err(fault)) => {
            tracing::error!("{fault}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn verifier(State(witness): State<Arc<Witness>>) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], format!("{}\n", witness.verifier())).into_response()
}

fn respond(answer: Answer) -> Response {
    match answer {
        Answer::Cosigned(lines) => ([(header::CONTENT_TYPE, TEXT)], lines).into_response(),
        Answer::Malformed => StatusCode::BAD_REQUEST.into_response(),
        Answer::UnknownLog => StatusCode::NOT_FOUND.into_response(),
        Answer::NotSigned => StatusCode::FORBIDDEN.into_response(),
        Answer::Conflict(size) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Answer::NotConsistent => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const SIZE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");
