//! A large document in parts, after the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), each part signed by itself:
//!
//! ```text
//! PATCH {base}/v1/deliveries/{delivery_id}      body: up to 1 MiB of it
//! Content-Type: application/partial-upload
//! Content-Digest: sha-256=:...:                 of this part
//! Repr-Digest: sha-256=:...:                    of the whole (RFC 9530)
//! Upload-Offset: {bytes before}  Upload-Length: {bytes in all}
//! -> 204, Upload-Offset: {bytes that are safe}  more is wanted
//! -> 200 or 201, body: the receipt              that was the last part
//! -> 409, "type": "upload-offset", Upload-Offset: {bytes that are safe}
//! ```
//! A GET that answers 404 says `Upload-Offset`, too: an attempt begins where the last one broke off.

use super::{Parcel, Sink, Wire, covered, exchange, field, judge, place};
use crate::deliver::attempt::Attempt;
use crate::deliver::{receipt, signature};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use std::time::Instant;

/// What is not larger goes whole, bytes.
pub(super) const WHOLE: usize = 4 << 20;
/// Bytes of a part.
const PART: usize = 1 << 20;
/// How often in one attempt a receiver may say that it has less or more than it said before.
const CORRECTIONS: u32 = 4;

/// Sends what is not at the receiver yet; nothing where it takes no parts.
pub(super) async fn send(
    client: &Client,
    sink: &Sink,
    parcel: &Parcel<'_>,
    wire: &Wire<'_>,
    there: u64,
    now: i64,
) -> Outcome<Option<Attempt>> {
    let begun = Instant::now();
    let (whole, length) = (signature::content_digest(&wire.facts.sha256), wire.bytes.len());
    // What it says it has may be of something else, or more than there is: then from the start, and it will say so itself.
    let mut at = usize::try_from(there).ok().filter(|at| *at < length).unwrap_or(0);
    let mut corrections = 0;
    loop {
        let part = wire.bytes.get(at..length.min(at.saturating_add(PART))).unwrap_or_default();
        let mut headers = wire.headers(parcel)?;
        for (name, value) in [
            ("content-type", "application/partial-upload".to_owned()),
            ("content-digest", signature::content_digest(&Sha256::of(part))),
            ("repr-digest", whole.clone()),
            ("upload-offset", at.to_string()),
            ("upload-length", length.to_string()),
        ] {
            headers.insert(name, field(&value)?);
        }
        let url = place(sink, &parcel.delivery_id)?;
        let covered = covered(signature::COVERED_PATCH, wire);
        // A slow line may take longer than a signature holds: each part is signed when it leaves.
        let now = now.saturating_add(i64::try_from(begun.elapsed().as_secs()).unwrap_or(0));
        let sent = exchange(client, sink, (Method::PATCH, url), &covered, headers, Some(part.to_vec()), now);
        let response = sent.await?;
        let safe =
            offset(response.headers()).and_then(|at| usize::try_from(at).ok()).filter(|at| *at <= length);
        match (response.status(), safe) {
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => {
                return Ok(None);
            }
            (StatusCode::NO_CONTENT, Some(safe)) if safe == at + part.len() && safe < length => at = safe,
            (StatusCode::NO_CONTENT, _) => {
                return Err(Fault::new(&receipt::UNREADABLE).detail("Upload-Offset"));
            }
            (StatusCode::CONFLICT, Some(safe)) if safe < length && corrections < CORRECTIONS => {
                corrections += 1;
                at = safe;
            }
            _ => return judge(sink, &wire.facts, wire.document, response, now).await.map(Some),
        }
    }
}

/// `Upload-Offset` of an answer.
pub(super) fn offset(headers: &HeaderMap) -> Option<u64> {
    signature::single(headers, "upload-offset")?.parse().ok()
}
