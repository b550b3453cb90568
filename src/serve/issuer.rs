//! The wallet issuer over HTTP: every endpoint of OpenID4VCI 1.0 under a public address that may have a path.
//!
//! Wallets look for metadata with the well-known part *before* the path (RFC 8414 3.1). Nothing of a request is logged: links and
//! codes are secrets, bodies hold keys.

pub mod openapi;
pub mod store;

use crate::blobs::Blobs;
use crate::deliver::credential::issuer::{Body as Said, Fetched, Form, Issuer, Request as Asked};
use crate::deliver::credential::metadata::{CREDENTIAL, DEFERRED, NONCE, NOTIFICATION, TOKEN};
use crate::deliver::credential::refusal::Refusal;
use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;

/// The issuer's public address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme, host and port.
    pub origin: String,
    /// The path, empty or beginning with a slash and not ending in one.
    pub path: String,
}

impl PublicUrl {
    /// Reads an address: `https`, or `http` to this machine; a path of plain segments at most.
    ///
    /// # Errors
    /// `SEND-006`, `SEND-007`; [`BAD_PATH`].
    pub fn parse(text: &str) -> Outcome<Self> {
        let url = crate::deliver::link::address(text)?;
        let path = url.path().trim_end_matches('/').to_owned();
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        if !path.is_empty() && !path.split('/').skip(1).all(plain) {
            return Err(Fault::new(&BAD_PATH));
        }
        Ok(PublicUrl { origin: url.origin().ascii_serialization(), path })
    }

    /// The whole address, without a slash at its end: the issuer's identifier.
    pub fn issuer(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

/// What the endpoints share.
pub struct Shared {
    issuer: Issuer<Store>,
    blobs: Arc<Blobs>,
    /// Documents that are encrypted at once: each is in memory as a whole.
    encrypting: Semaphore,
}

/// The endpoints, to be [`dressed`](super::front::dressed); their description is [`openapi::text`].
pub fn router(issuer: Issuer<Store>, blobs: Arc<Blobs>, at: &PublicUrl) -> Router {
    let shared = Arc::new(Shared { issuer, blobs, encrypting: Semaphore::new(2) });
    let path = &at.path;
    let routes = Router::new()
        .route(&format!("/.well-known/openid-credential-issuer{path}"), get(metadata))
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(authorization_metadata))
        .route(&format!("/.well-known/jwt-vc-issuer{path}"), get(key_metadata))
        .route(&format!("{path}/offers/{{link}}"), get(offer))
        .route(&format!("{path}{TOKEN}"), post(token))
        .route(&format!("{path}{NONCE}"), post(nonce))
        .route(&format!("{path}{CREDENTIAL}"), post(credential))
        .route(&format!("{path}{DEFERRED}"), post(deferred))
        .route(&format!("{path}{NOTIFICATION}"), post(notification))
        .route(&format!("{path}/documents/{{link}}"), get(document))
        .route(&format!("{path}/status/{{list}}"), get(status));
    routes.layer(DefaultBodyLimit::max(LARGEST_BODY)).with_state(shared)
}

type App = State<Arc<Shared>>;
type Taken = Result<Bytes, BytesRejection>;

async fn metadata(State(app): App) -> Response {
    (CACHED, axum::Json(app.issuer.metadata())).into_response()
}

async fn authorization_metadata(State(app): App) -> Response {
    (CACHED, axum::Json(app.issuer.authorization_metadata())).into_response()
}

async fn key_metadata(State(app): App) -> Response {
    (CACHED, axum::Json(app.issuer.key_metadata())).into_response()
}

async fn offer(State(app): App, Path(link): Path<String>) -> Response {
    told(app.issuer.offer(&link).await)
}

async fn token(State(app): App, headers: HeaderMap, body: Taken) -> Response {
    let form = taken(body).and_then(|body| {
        if kind(&headers) != "application/x-www-form-urlencoded" {
            return Err(Refusal::bad("invalid_request", "the body must be a form"));
        }
        form(&body).ok_or(Refusal::bad("invalid_request", "the form cannot be read"))
    });
    match form {
        Ok(form) => told(app.issuer.token(&form).await),
        Err(refusal) => refuse(&refusal),
    }
}

async fn nonce(State(app): App) -> Response {
    told(app.issuer.nonce())
}

async fn credential(State(app): App, headers: HeaderMap, body: Taken) -> Response {
    let Some(bearer) = bearer(&headers) else { return refuse(&NO_TOKEN) };
    match asked(&headers, body) {
        Ok(asked) => answered(app.issuer.credential(bearer, &asked).await),
        Err(refusal) => refuse(&refusal),
    }
}

async fn deferred(State(app): App, headers: HeaderMap, body: Taken) -> Response {
    let Some(bearer) = bearer(&headers) else { return refuse(&NO_TOKEN) };
    match asked(&headers, body) {
        Ok(asked) => answered(app.issuer.deferred(bearer, &asked).await),
        Err(refusal) => refuse(&refusal),
    }
}

async fn notification(State(app): App, headers: HeaderMap, body: Taken) -> Response {
    let Some(bearer) = bearer(&headers) else { return refuse(&NO_TOKEN) };
    let body = match taken(body) {
        Ok(body) => body,
        Err(refusal) => return refuse(&refusal),
    };
    match app.issuer.notification(bearer, &body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

async fn document(State(app): App, Path(link): Path<String>) -> Response {
    let fetched = match app.issuer.document(&link).await {
        Ok(fetched) => fetched,
        Err(refusal) => return refuse(&refusal),
    };
    match send(&app, fetched).await {
        Ok(response) => response,
        Err(fault) => refuse(&Refusal::later(&fault)),
    }
}

/// The document as it is, or encrypted for the wallet that gave a key.
async fn send(app: &Arc<Shared>, fetched: Fetched) -> Outcome<Response> {
    let Fetched { document, encrypt } = fetched;
    let digest = document.digests.blake3;
    let Some(recipient) = encrypt else {
        let lost = |e: std::io::Error| Fault::new(&DOCUMENT_LOST).detail(e.kind());
        let file = tokio::fs::File::open(app.blobs.path(&digest)).await.map_err(lost)?;
        let length = file.metadata().await.map_err(lost)?.len();
        if length != document.digests.size {
            return Err(Fault::new(&DOCUMENT_LOST).detail("its size is not what was signed"));
        }
        let body = Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
            (header::CONTENT_LENGTH, HeaderValue::from(length)),
            (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"ket-qua.pdf\"")),
        ];
        return Ok((headers, body).into_response());
    };
    if document.digests.size > LARGEST_ENCRYPTED {
        return Err(Fault::new(&DOCUMENT_LOST).detail("too large to be encrypted"));
    }
    let _permit = app.encrypting.acquire().await.map_err(|_| Fault::new(&DOCUMENT_LOST))?;
    let blobs = Arc::clone(&app.blobs);
    let work = move || recipient.encrypt(Some("application/pdf"), &blobs.get(&digest)?);
    let text = tokio::task::spawn_blocking(work).await.map_err(|_| Fault::new(&DOCUMENT_LOST))??;
    Ok(([(header::CONTENT_TYPE, "application/jose")], text).into_response())
}

async fn status(State(app): App, Path(list): Path<String>, headers: HeaderMap) -> Response {
    // One spelling a list: the address is signed into it.
    let Some(list) = list.parse::<u32>().ok().filter(|number| number.to_string() == list) else {
        return refuse(&Refusal { status: 404, error: "not_found", why: "there is no such status list" });
    };
    let (form, kind) = match wants_cwt(&headers) {
        true => (Form::Cwt, "application/statuslist+cwt"),
        false => (Form::Jwt, "application/statuslist+jwt"),
    };
    match app.issuer.status(list, form).await {
        Ok(token) => {
            let kind = (header::CONTENT_TYPE, kind);
            let told = [kind, (header::CACHE_CONTROL, "max-age=60"), (header::VARY, "accept")];
            (told, token.to_vec()).into_response()
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// Whether a status list is asked for as CWT and not as JWT; who names neither gets the latter.
fn wants_cwt(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = asked
        .flat_map(|value| value.split(','))
        .map(|kind| kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    kinds.find(|kind| kind.starts_with("application/statuslist+")).is_some_and(|kind| kind.ends_with("+cwt"))
}

fn told(result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(value) => axum::Json(value).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

fn answered(result: Result<(u16, Said), Refusal>) -> Response {
    match result {
        Ok((status, said)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            match said {
                Said::Json(value) => (status, axum::Json(value)).into_response(),
                Said::Encrypted(text) => {
                    (status, [(header::CONTENT_TYPE, "application/jwt")], text).into_response()
                }
            }
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// A refusal as OAuth 2.0 writes it (RFC 6749 5.2), with what RFC 6750 3 and RFC 9110 want in headers.
fn refuse(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = axum::Json(json!({ "error": refusal.error, "error_description": refusal.why }));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = if refusal == &NO_TOKEN { "Bearer" } else { "Bearer error=\"invalid_token\"" };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn taken(body: Taken) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| {
        let status = rejection.status().as_u16();
        Refusal { status, error: "invalid_request", why: "the body is too large or was cut off" }
    })
}

/// A credential request: JSON, or the same encrypted (OpenID4VCI 1.0, 10).
fn asked(headers: &HeaderMap, body: Taken) -> Result<Asked, Refusal> {
    let body = taken(body)?;
    match kind(headers).as_str() {
        "application/json" => Ok(Asked::Json(body.to_vec())),
        "application/jwt" => match std::str::from_utf8(&body) {
            Ok(text) => Ok(Asked::Encrypted(text.trim().to_owned())),
            Err(_) => Err(Refusal::bad("invalid_credential_request", "the request is no JWE")),
        },
        _ => Err(Refusal {
            status: 415,
            error: "invalid_credential_request",
            why: "send application/json or application/jwt",
        }),
    }
}

/// The media type without its parameters.
fn kind(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    text.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The one Bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (1..=256).contains(&token.len())).then_some(token)
}

/// `application/x-www-form-urlencoded`; nothing where it is not UTF-8, has a parameter twice (RFC 6749 3.2) or too many.
fn form(body: &[u8]) -> Option<HashMap<String, String>> {
    let mut form = HashMap::new();
    for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let (name, value) = (unescaped(pair.get(..at)?)?, unescaped(pair.get(at + 1..).unwrap_or(&[]))?);
        if form.len() >= MOST_PARAMETERS || form.insert(name, value).is_some() {
            return None;
        }
    }
    Some(form)
}

fn unescaped(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?];
                let mut byte = [0u8];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                byte[0]
            }
            plain => *plain,
        });
    }
    String::from_utf8(bytes).ok()
}

const NO_TOKEN: Refusal = Refusal::token("a Bearer token is needed");
const CACHED: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "max-age=300")];
/// Largest body of a request, bytes.
const LARGEST_BODY: usize = 64 * 1024;
const MOST_PARAMETERS: usize = 32;
/// Largest document that is encrypted for a wallet, bytes.
const LARGEST_ENCRYPTED: u64 = 64 << 20;

/// A public address whose path has more than plain segments.
pub const BAD_PATH: Code = Code {
    id: "HTTP-001",
    class: Class::Setup,
    vi: "Đường dẫn trong địa chỉ công khai không hợp lệ",
    en: "the path of the public address is not valid",
    remedy_vi: "Dùng đường dẫn gồm chữ cái không dấu, chữ số và - . _ ~, ví dụ https://may/h/quangninh",
    remedy_en: "use letters, digits and - . _ ~ in the path, such as https://host/h/quangninh",
};

/// A document that was offered is not there any more.
pub const DOCUMENT_LOST: Code = Code {
    id: "HTTP-002",
    class: Class::Setup,
    vi: "Không đọc được tài liệu đã cấp",
    en: "a document that was issued cannot be read",
    remedy_vi: "Kiểm tra thư mục var/blobs; khôi phục từ bản sao lưu",
    remedy_en: "look at var/blobs; restore it from a backup",
};

#[cfg(test)]
mod tests;
