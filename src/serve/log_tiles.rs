//! The transparency log for the world (C2SP tlog-tiles): `/log/checkpoint`, `/log/tile/…`, `/log/verifier.key`, read from the
//! log's folder as it stands. Only names that the specification has are looked for; nothing else in that folder can be had.

use crate::log::VerifierKey;
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::path::PathBuf;
use std::sync::Arc;

struct Served {
    folder: PathBuf,
    key: String,
}

/// Serves the log in `folder`; `key` is handed out for convenience, trust in it comes another way.
pub fn router(folder: PathBuf, key: &VerifierKey) -> Router {
    let served = Arc::new(Served { folder, key: format!("{key}\n") });
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/verifier.key", get(verifier))
        .route("/log/tile/{*path}", get(tile))
        .with_state(served)
}

async fn checkpoint(State(served): State<Arc<Served>>) -> Response {
    match tokio::fs::read(served.folder.join("checkpoint")).await {
        Ok(note) => ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, BRIEFLY)], note).into_response(),
        Err(e) => missing(&e),
    }
}

async fn verifier(State(served): State<Arc<Served>>) -> Response {
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, BRIEFLY)], served.key.clone()).into_response()
}

async fn tile(State(served): State<Arc<Served>>, UrlPath(path): UrlPath<String>) -> Response {
    if !is_tile(&path) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match tokio::fs::read(served.folder.join("tile").join(&path)).await {
        Ok(bytes) => {
            ([(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, FOR_EVER)], bytes).into_response()
        }
        Err(e) => missing(&e),
    }
}

fn missing(error: &std::io::Error) -> Response {
    match error.kind() {
        // A partial tile is gone once the full one is there.
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
    .into_response()
}

/// `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`, exactly as C2SP tlog-tiles writes them.
fn is_tile(path: &str) -> bool {
    let Some((level, rest)) = path.split_once('/') else { return false };
    let decimal = |text: &str, most: u16| {
        !text.starts_with('0')
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|n: u16| n <= most)
    };
    if level != "entries" && level != "0" && !decimal(level, 63) {
        return false;
    }
    let number = match rest.split_once(".p/") {
        Some((number, width)) if decimal(width, 255) => number,
        Some(_) => return false,
        None => rest,
    };
    let groups: Vec<&str> = number.split('/').collect();
    let Some((last, first)) = groups.split_last() else { return false };
    let three = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = first.first().is_none_or(|group| *group != "x000");
    groups.len() <= 7
        && canonical
        && three(last)
        && first.iter().all(|group| group.strip_prefix('x').is_some_and(three))
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const BRIEFLY: HeaderValue = HeaderValue::from_static("public, max-age=1");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_tiles_are_looked_for() {
        for good in ["0/000", "0/x001/x234/067", "63/001.p/255", "entries/x001/000.p/1", "entries/999"] {
            assert!(is_tile(good), "{good}");
        }
        for bad in [
            "",
            "0",
            "0/",
            "0/1",
            "0/0000",
            "00/000",
            "64/000",
            "-1/000",
            "0/../000",
            "../leaves",
            "0/x000/001",
            "0/001/002",
            "0/x001/",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/1/2",
            "0/000.p",
            "x/000",
            "entries/../../statements",
            "0/000.tmp",
            "0/%2e%2e/000",
            "0//000",
            "0/x٠٠١/000",
        ] {
            assert!(!is_tile(bad), "{bad}");
        }
    }
}
