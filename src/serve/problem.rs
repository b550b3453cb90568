//! A refusal as a problem document (RFC 9457): what is wrong, where in the request, and nothing about anybody.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// `type`: one word for programs.
    pub kind: &'static str,
    /// `title`: the same for people.
    pub title: &'static str,
    /// JSON pointer (RFC 6901) to what is wrong, among `delivery_id`, `recipient`, `document` and the like.
    pub pointer: Option<&'static str>,
    /// `Upload-Offset`: bytes of a document in parts that are safe.
    pub safe: Option<u64>,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of the request as a whole.
    pub const fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Problem { status, kind, title, pointer: None, safe: None, retry_after: None }
    }

    /// A problem of one part of the request.
    pub const fn at(
        status: StatusCode,
        kind: &'static str,
        pointer: &'static str,
        title: &'static str,
    ) -> Self {
        Problem { status, kind, title, pointer: Some(pointer), safe: None, retry_after: None }
    }

    /// The same, with how much is safe of a document in parts.
    pub const fn with_safe(self, bytes: u64) -> Self {
        Problem { safe: Some(bytes), ..self }
    }

    /// The same, with the wish to be left alone for some seconds.
    pub const fn after(self, seconds: u32) -> Self {
        Problem { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "type": self.kind, "title": self.title, "status": self.status.as_u16() });
        if let Some(pointer) = self.pointer {
            body["pointer"] = pointer.into();
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(bytes) = self.safe {
            response.headers_mut().insert("upload-offset", HeaderValue::from(bytes));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = if self.kind == "token-invalid" { "Bearer" } else { "Signature" };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        response
    }
}
