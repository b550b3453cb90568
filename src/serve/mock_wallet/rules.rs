//! What must hold of a signed request: what its signature covers, its fields, the kind of document.

use crate::deliver::signature;
use crate::digest::Sha256;
use axum::http::{HeaderMap, StatusCode};

/// What a signature has to cover: of an encrypted document also what is inside.
pub(super) fn covered(headers: &HeaderMap, always: &[&'static str]) -> Vec<&'static str> {
    let named = headers.contains_key(signature::DOCUMENT_DIGEST).then_some(signature::DOCUMENT_DIGEST);
    always.iter().copied().chain(named).collect()
}

/// What must hold of a signed document besides its signature; gives the digest of the document inside, where it is encrypted.
pub(super) fn acceptable(
    headers: &HeaderMap,
    id: &str,
    pdf: &[u8],
) -> Result<Option<Sha256>, (StatusCode, &'static str)> {
    if signature::single(headers, "idempotency-key") != Some(id) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key"));
    }
    if signature::single(headers, "hoso-recipient").and_then(exact_hex).is_none() {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "recipient"));
    }
    let not_a_pdf = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-pdf");
    let kind = signature::single(headers, "content-type");
    if headers.contains_key(signature::DOCUMENT_DIGEST) {
        let told = signature::single(headers, signature::DOCUMENT_DIGEST).and_then(signature::read_digest);
        let jwe = matches!(kind, Some("application/jose" | "application/partial-upload"));
        let five = pdf.starts_with(b"ey") && pdf.iter().filter(|byte| **byte == b'.').count() == 4;
        return match told {
            Some(document) if jwe && five => Ok(Some(document)),
            Some(_) => Err(not_a_pdf),
            None => Err((StatusCode::UNPROCESSABLE_ENTITY, "document-digest")),
        };
    }
    let named = matches!(kind, Some("application/pdf" | "application/partial-upload"));
    if !named || !pdf.starts_with(b"%PDF-") {
        return Err(not_a_pdf);
    }
    // A wallet that cannot open it cannot show it.
    if crate::pdf::revise::is_locked(pdf) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "encrypted"));
    }
    Ok(None)
}

/// 64 lower-case digits and nothing else.
pub(super) fn exact_hex(text: &str) -> Option<Sha256> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { text.parse().ok() }
}
