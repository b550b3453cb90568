//! The body of a request, read within its limit, or read and forgotten.

use super::problem::Problem;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use std::future::poll_fn;
use std::pin::Pin;

/// All of it, at most `limit` bytes; `announced` is what its head said, which is not believed beyond the limit.
pub(super) async fn read(mut body: Body, announced: Option<usize>, limit: usize) -> Result<Bytes, Problem> {
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(limit).min(FIRST));
    while let Some(chunk) = next(&mut body).await {
        let chunk = chunk.map_err(|_| CUT_OFF)?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(drained(body, TOO_LARGE).await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Lets a sender finish a body of usual size before it is refused: one that is still writing would only see its connection
/// break.
pub(super) async fn drained(mut body: Body, problem: Problem) -> Problem {
    let all = async {
        let mut left = DRAINED;
        while let Some(Ok(chunk)) = next(&mut body).await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // Nobody has shown who they are: a drip without an end is not waited for.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    problem
}

async fn next(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// What the head says of the body's length.
pub(super) fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// More than is taken.
pub(super) const TOO_LARGE: Problem =
    Problem::at(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "/document", "the document is too large");
/// Less than was announced: the line broke. 408, so that the sender tries again and does not give the document up.
pub(super) const CUT_OFF: Problem =
    Problem::new(StatusCode::REQUEST_TIMEOUT, "cut-off", "the body did not arrive whole");
/// Memory that is taken on the word of a head, bytes.
const FIRST: usize = 1 << 20;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// How much of a refused body is read all the same, bytes.
const DRAINED: usize = 8 << 20;
