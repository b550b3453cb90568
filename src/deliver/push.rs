//! Push v1: a finished PDF goes to a receiver and counts as delivered only when its signed receipt holds.
//!
//! ```text
//! PUT {base}/v1/deliveries/{delivery_id}        body: the PDF
//! Content-Type: application/pdf
//! Content-Digest: sha-256=:...:                 RFC 9530
//! Idempotency-Key: {delivery_id}
//! Hoso-Recipient: {64 hex}                      keyed digest of the recipient, no personal data
//! Signature-Input, Signature                    RFC 9421 over all of the above, method and address
//! -> 200 or 201, body: the receipt              the first one, byte for byte, on every repeat
//! -> 409 application/problem+json, "type": "in-progress" or "conflict"
//!
//! GET {base}/v1/deliveries/{delivery_id}        signed; asked before anything is sent again
//! -> 200, body: the first receipt; 404 when the receiver does not have it
//! ```
//! A document for a recipient who gave a key goes as a compact JWE ([`sealed`]): `Content-Type: application/jose`, and
//! `Hoso-Document-Digest: sha-256=:...:`, signed with the rest, names the PDF inside. What is larger than 4 MiB goes in parts
//! ([`parts`]), so that a line that breaks costs the part that was under way.
//!
//! The delivery id follows from sink, recipient, document and revision, so that every retry is harmless.

mod handle;
mod parts;
mod sealed;

pub use handle::{NOT_A_HANDLE, RecipientHandle};
pub use sealed::BAD_RECIPIENT_KEY;

use super::attempt::{self, Attempt, ReceiptBytes};
use super::link;
use super::outbox;
use super::receipt::{self, Facts};
use super::signature::{self, Message, Terms};
use super::wire_key::{SigningKey, VerifyingKey};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use std::borrow::Cow;

/// A receiver of signed PDFs.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Its name in the station's configuration; part of every delivery id, so never rename one in use.
    pub name: String,
    /// Where it is ([`link::address`]).
    pub base: Url,
    /// What we sign requests with.
    pub key: SigningKey,
    /// The keys that its receipts may be signed with; two while it changes keys.
    pub receipt_keys: Vec<VerifyingKey>,
}

/// One document for one recipient at one sink.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// The name of this delivery, stored before the first attempt.
    pub delivery_id: Sha256,
    /// For whom.
    pub recipient: &'a RecipientHandle,
    /// SHA-256 of the document, as it was sealed.
    pub sha256: Sha256,
    /// The document, read anew for every attempt.
    pub pdf: &'a [u8],
    /// The recipient's public key (a JWK on P-256), where they gave one: nobody but them reads it then.
    pub key: Option<&'a serde_json::Value>,
}

impl<'a> Parcel<'a> {
    /// A parcel whose id follows from its parts; `sha256` is what the document had when it was sealed.
    pub fn new(
        sink: &str,
        recipient: &'a RecipientHandle,
        revision: u32,
        sha256: Sha256,
        pdf: &'a [u8],
    ) -> Self {
        let delivery_id = outbox::delivery_id(sink, recipient.as_str(), &sha256, revision);
        Parcel { delivery_id, recipient, sha256, pdf, key: None }
    }

    /// What its receipt must agree with, where it is not encrypted.
    pub fn facts(&self) -> Facts {
        Facts { delivery_id: self.delivery_id, sha256: self.sha256, size: self.pdf.len() as u64 }
    }

    /// What goes over the wire: the same bytes for every attempt.
    fn wire(&self) -> Outcome<Wire<'a>> {
        // Hashed anew for every attempt: what leaves is what was sealed, or nothing leaves.
        if Sha256::of(self.pdf) != self.sha256 {
            return Err(Fault::new(&PARCEL_CHANGED).detail(format!("{} bytes", self.pdf.len())));
        }
        let Some(key) = self.key else {
            return Ok(Wire { bytes: self.pdf.into(), facts: self.facts(), document: None });
        };
        let bytes = sealed::seal(self.pdf, &self.delivery_id, key)?.into_bytes();
        let facts =
            Facts { delivery_id: self.delivery_id, sha256: Sha256::of(&bytes), size: bytes.len() as u64 };
        Ok(Wire { bytes: bytes.into(), facts, document: Some(self.sha256) })
    }
}

/// A parcel as it leaves.
struct Wire<'a> {
    bytes: Cow<'a, [u8]>,
    facts: Facts,
    /// The document inside, where the bytes are encrypted.
    document: Option<Sha256>,
}

impl Wire<'_> {
    /// The fields that say what it is and for whom, whole or in parts.
    fn headers(&self, parcel: &Parcel<'_>) -> Outcome<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", field(&parcel.delivery_id.to_string())?);
        headers.insert("hoso-recipient", field(parcel.recipient.as_str())?);
        if let Some(document) = &self.document {
            headers.insert(signature::DOCUMENT_DIGEST, field(&signature::content_digest(document))?);
        }
        Ok(headers)
    }
}

/// What a receiver says when it is asked about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It has it; its receipt holds.
    Stored(ReceiptBytes),
    /// It does not have it.
    Unknown,
    /// No usable answer.
    Silent(Attempt),
}

/// Sends a parcel once. `now` in Unix seconds.
///
/// After an attempt that [may have arrived](Attempt::may_have_arrived), use [`push_again`].
pub async fn push(client: &Client, sink: &Sink, parcel: &Parcel<'_>, now: i64) -> Attempt {
    let tried = async { send(client, sink, parcel, &parcel.wire()?, 0, now).await };
    tried.await.unwrap_or_else(of_fault)
}

/// Asks first, and sends only what the receiver does not have.
pub async fn push_again(client: &Client, sink: &Sink, parcel: &Parcel<'_>, now: i64) -> Attempt {
    let tried = async {
        let wire = parcel.wire()?;
        let there =
            match ask(client, sink, &wire.facts, wire.document, now).await.unwrap_or_else(Asked::of_fault) {
                Asked::Stored(receipt) => return Ok(Attempt::Delivered(receipt)),
                Asked::Missing { there } => there,
                // A receiver that cannot be asked is not sent to; one that does not know the question is.
                Asked::Silent(Attempt::Never(_)) => 0,
                Asked::Silent(attempt) => return Ok(attempt),
            };
        let sent = send(client, sink, parcel, &wire, there, now).await?;
        // An earlier attempt that was still on its way when the receiver was asked: in the clear, say, and now there is a key.
        if matches!(&sent, Attempt::Never(fault) if fault.code == &attempt::CONFLICT)
            && let Ok(Asked::Stored(receipt)) = ask(client, sink, &wire.facts, wire.document, now).await
        {
            return Ok(Attempt::Delivered(receipt));
        }
        Ok(sent)
    };
    tried.await.unwrap_or_else(of_fault)
}

/// Asks a receiver for the receipt of a delivery. `now` in Unix seconds.
pub async fn probe(client: &Client, sink: &Sink, facts: &Facts, now: i64) -> Probe {
    match ask(client, sink, facts, None, now).await.unwrap_or_else(Asked::of_fault) {
        Asked::Stored(receipt) => Probe::Stored(receipt),
        Asked::Missing { .. } => Probe::Unknown,
        Asked::Silent(attempt) => Probe::Silent(attempt),
    }
}

/// What a receiver says when it is asked, with how much of it is there.
enum Asked {
    Stored(ReceiptBytes),
    Missing { there: u64 },
    Silent(Attempt),
}

impl Asked {
    fn of_fault(fault: Fault) -> Self {
        Asked::Silent(of_fault(fault))
    }
}

async fn ask(
    client: &Client,
    sink: &Sink,
    facts: &Facts,
    document: Option<Sha256>,
    now: i64,
) -> Outcome<Asked> {
    let url = place(sink, &facts.delivery_id)?;
    let covered = signature::COVERED_GET;
    let response = exchange(client, sink, (Method::GET, url), covered, HeaderMap::new(), None, now).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(Asked::Missing { there: parts::offset(response.headers()).unwrap_or(0) });
    }
    Ok(match judge(sink, facts, document, response, now).await? {
        Attempt::Delivered(receipt) => Asked::Stored(receipt),
        other => Asked::Silent(other),
    })
}

/// Sends what goes over the wire, in parts where it is large; `there` bytes of it are at the receiver already.
async fn send(
    client: &Client,
    sink: &Sink,
    parcel: &Parcel<'_>,
    wire: &Wire<'_>,
    there: u64,
    now: i64,
) -> Outcome<Attempt> {
    if wire.bytes.len() > parts::WHOLE
        && let Some(attempt) = parts::send(client, sink, parcel, wire, there, now).await?
    {
        return Ok(attempt);
    }
    let mut headers = wire.headers(parcel)?;
    let kind = if wire.document.is_some() { "application/jose" } else { "application/pdf" };
    headers.insert("content-type", field(kind)?);
    headers.insert("content-digest", field(&signature::content_digest(&wire.facts.sha256))?);
    let url = place(sink, &parcel.delivery_id)?;
    let covered = covered(signature::COVERED_PUT, wire);
    let response =
        exchange(client, sink, (Method::PUT, url), &covered, headers, Some(wire.bytes.to_vec()), now).await?;
    judge(sink, &wire.facts, wire.document, response, now).await
}

/// What a signature covers.
fn covered(always: &[&'static str], wire: &Wire<'_>) -> Vec<&'static str> {
    let document = wire.document.map(|_| signature::DOCUMENT_DIGEST);
    always.iter().copied().chain(document).collect()
}

/// Signs and sends one request.
async fn exchange(
    client: &Client,
    sink: &Sink,
    (method, url): (Method, Url),
    covered: &[&str],
    mut headers: HeaderMap,
    body: Option<Vec<u8>>,
    now: i64,
) -> Outcome<Response> {
    let message = Message { method: method.as_str(), target_uri: url.as_str(), headers: &headers };
    let (input, value) = signature::sign(&message, covered, &terms(now)?, &sink.key)?;
    headers.insert("signature-input", field(&input)?);
    headers.insert("signature", field(&value)?);
    let mut request = client.request(method, url).headers(headers);
    if let Some(body) = body {
        request = request.body(body);
    }
    request.send().await.map_err(|error| link::failure(&error))
}

/// What an answer proves. Only a receipt that holds makes it a delivery, whatever the status says.
async fn judge(
    sink: &Sink,
    facts: &Facts,
    document: Option<Sha256>,
    response: Response,
    now: i64,
) -> Outcome<Attempt> {
    let status = response.status();
    let headers = response.headers().clone();
    if status.is_success() {
        let bytes = link::body(response, receipt::LONGEST).await?;
        if let Err(fault) = receipt::verify_receipt_of(&bytes, &sink.receipt_keys, facts, document) {
            // An earlier attempt may have gone in the clear, or under an earlier key: it is the same document.
            let whole = document.unwrap_or(facts.sha256);
            let there = receipt::open_receipt(&bytes, &sink.receipt_keys)?;
            let names_it = there.sha256 == whole || there.document_sha256 == Some(whole);
            if there.delivery_id != facts.delivery_id || !names_it {
                return Err(fault);
            }
        }
        return Ok(Attempt::Delivered(ReceiptBytes(bytes)));
    }
    // It judges this station's key or clock, not the parcel: the backlog rests until that is mended.
    if status == StatusCode::UNAUTHORIZED {
        return Ok(Attempt::again(Fault::new(&NOT_RECOGNISED).detail("HTTP 401")));
    }
    // Only a conflict's body matters; that it cannot be read is no reason to send over what is there.
    let in_progress = status == StatusCode::CONFLICT
        && link::body(response, receipt::LONGEST).await.is_ok_and(|bytes| {
            serde_json::from_slice::<Problem>(&bytes)
                .is_ok_and(|problem| matches!(problem.r#type.as_str(), "in-progress" | "upload-offset"))
        });
    Ok(attempt::of_status(status, &headers, in_progress, now))
}

/// A fault of the line or the receipt is worth another try; one of ours is not.
fn of_fault(fault: Fault) -> Attempt {
    match fault.code.class {
        Class::Later => Attempt::again(fault),
        Class::Input | Class::Setup | Class::Person | Class::Inner => Attempt::Never(fault),
    }
}

/// The part of a problem document (RFC 9457) that decides.
#[derive(serde::Deserialize)]
struct Problem {
    r#type: String,
}

fn place(sink: &Sink, delivery_id: &Sha256) -> Outcome<Url> {
    link::below(&sink.base, &format!("v1/deliveries/{delivery_id}"))
}

fn terms(now: i64) -> Outcome<Terms> {
    let mut nonce = [0u8; 16];
    openssl::rand::rand_bytes(&mut nonce).map_err(|_| Fault::new(&super::wire_key::SIGNING_FAILED))?;
    Ok(Terms { created: now, expires: now.saturating_add(signature::WINDOW), nonce: hex::encode(nonce) })
}

fn field(text: &str) -> Outcome<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| Fault::new(&signature::MALFORMED))
}

/// The document is no longer what was sealed.
pub const PARCEL_CHANGED: Code = Code {
    id: "SEND-035",
    class: Class::Person,
    vi: "Tài liệu sắp gửi không còn nguyên vẹn như khi ký",
    en: "the document to be sent is not what was sealed",
    remedy_vi: "Không gửi; báo người quản trị kiểm tra kho lưu trữ",
    remedy_en: "it is not sent; have the keeper check the store",
};

/// The receiver does not take this station's signature.
pub const NOT_RECOGNISED: Code = Code {
    id: "SEND-038",
    class: Class::Later,
    vi: "Nơi nhận không công nhận chữ ký của trạm này (khóa chưa được khai ở đó, hoặc đồng hồ lệch)",
    en: "the receiver does not take this station's signature (its key is not pinned there, or a clock is wrong)",
    remedy_vi: "Kiểm tra đồng hồ của máy và khóa đã khai ở nơi nhận; hệ thống tự gửi lại",
    remedy_en: "check this machine's clock and the key that the receiver pinned; it is tried again by itself",
};

#[cfg(test)]
mod tests;
