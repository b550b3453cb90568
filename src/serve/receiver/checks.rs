//! What must hold of a delivery besides its signature: its head, and that its bytes are what the head says.

use super::gate::Sender;
use crate::deliver::credential::jwe;
use crate::deliver::outbox::delivery_id;
use crate::deliver::signature::{self, COVERED_PATCH, COVERED_PUT, DOCUMENT_DIGEST};
use crate::digest::{Digests, Sha256};
use crate::pdf::revise::is_locked;
use crate::serve::problem::Problem;
use axum::http::{HeaderMap, StatusCode};
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

/// What the head of a delivery says, in a form that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The delivery.
    pub(super) id: Sha256,
    /// For whom.
    pub(super) recipient: Sha256,
    /// SHA-256 of the document, where what comes is encrypted for whom it is meant.
    pub(super) document: Option<Sha256>,
    /// What the sender calls this station, where that is known.
    sink: Option<String>,
}

/// Why bytes are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// They are not what was signed.
    Altered,
    /// They are, and are no document that can be taken.
    Problem(Problem),
}

/// A part of a document that comes in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Digest of the whole.
    pub(super) whole: Sha256,
    /// Bytes before this part.
    pub(super) at: u64,
    /// Bytes of the whole.
    pub(super) length: u64,
}

impl Part {
    /// Reads the head of a part that was signed.
    pub(super) fn read(headers: &HeaderMap, length: usize) -> Result<Self, Problem> {
        let number = |name: &str| {
            let text = signature::single(headers, name)?;
            text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
        };
        let whole = signature::single(headers, "repr-digest").and_then(signature::read_digest);
        let (Some(whole), Some(at), Some(total)) = (whole, number("upload-offset"), number("upload-length"))
        else {
            return Err(BAD_PART);
        };
        let inside = length > 0 && at.checked_add(length as u64).is_some_and(|end| end <= total);
        if inside { Ok(Part { whole, at, length: total }) } else { Err(BAD_PART) }
    }
}

/// What the signature of a delivery has to cover, whole or a part of it.
pub(super) fn covered(headers: &HeaderMap, whole: bool) -> Vec<&'static str> {
    let mut covered = if whole { COVERED_PUT } else { COVERED_PATCH }.to_vec();
    if headers.contains_key(DOCUMENT_DIGEST) {
        covered.push(DOCUMENT_DIGEST);
    }
    covered
}

impl Envelope {
    /// Reads the head of a delivery that was signed.
    pub(super) fn read(headers: &HeaderMap, id: &str, sender: &Sender) -> Result<Self, Problem> {
        let delivery = exact_hex(id).ok_or(BAD_ID)?;
        if signature::single(headers, "idempotency-key") != Some(id) {
            return Err(BAD_KEY);
        }
        let recipient =
            signature::single(headers, "hoso-recipient").and_then(exact_hex).ok_or(BAD_RECIPIENT)?;
        let named = headers.contains_key(DOCUMENT_DIGEST);
        let document = match (signature::single(headers, "content-type"), named) {
            (Some("application/pdf" | "application/partial-upload"), false) => None,
            (Some("application/jose"), _) | (Some("application/partial-upload"), true) => {
                let told = signature::single(headers, DOCUMENT_DIGEST).and_then(signature::read_digest);
                Some(told.ok_or(BAD_DOCUMENT)?)
            }
            _ => return Err(NOT_A_PDF),
        };
        Ok(Envelope { id: delivery, recipient, document, sink: sender.sink.clone() })
    }

    /// Holds the bytes against the head; `told` is the digest of them in it. With keys that open what is encrypted, what is
    /// inside is held against the head, too.
    pub(super) fn fits(
        &self,
        told: Option<Sha256>,
        digests: &Digests,
        bytes: &[u8],
        keys: &[PKey<Private>],
    ) -> Result<(), Unfit> {
        if told != Some(digests.sha256) {
            return Err(Unfit::Altered);
        }
        let refuse = |problem| Err(Unfit::Problem(problem));
        match self.document {
            None => document(bytes).map_err(Unfit::Problem)?,
            // Five parts, base64url: what is inside is for whoever holds the key.
            Some(_) if !looks_like_jwe(bytes) => return refuse(NOT_A_PDF),
            Some(_) if keys.is_empty() => {}
            Some(told) => {
                let inside = opened(bytes, keys).ok_or(Unfit::Problem(NOT_FOR_US))?;
                if Sha256::of(&inside) != told {
                    return refuse(OTHER_DOCUMENT);
                }
                document(&inside).map_err(Unfit::Problem)?;
            }
        }
        if let Some(sink) = &self.sink {
            let sha256 = self.document.unwrap_or(digests.sha256);
            let handle = self.recipient.to_string();
            if !(0..REVISIONS).any(|revision| delivery_id(sink, &handle, &sha256, revision) == self.id) {
                return refuse(OTHER_ID);
            }
        }
        Ok(())
    }
}

/// A PDF that can be opened by whoever it is for.
pub(super) fn document(bytes: &[u8]) -> Result<(), Problem> {
    if !bytes.starts_with(b"%PDF-") {
        return Err(NOT_A_PDF);
    }
    if is_locked(bytes) { Err(ENCRYPTED) } else { Ok(()) }
}

/// What is inside a JWE that was made for one of these keys.
pub(super) fn opened(bytes: &[u8], keys: &[PKey<Private>]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    keys.iter().find_map(|key| jwe::decrypt(text, key).ok()).map(|(_, plain)| plain)
}

/// 64 lower-case digits and nothing else.
pub(super) fn exact_hex(text: &str) -> Option<Sha256> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { text.parse().ok() }
}

fn looks_like_jwe(bytes: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.starts_with(b"ey") && bytes.iter().all(plain) && bytes.iter().filter(|b| **b == b'.').count() == 4
}

/// Revisions of one document for one recipient that are looked at.
const REVISIONS: u32 = 64;

const UNFIT: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
const BAD_ID: Problem = Problem::at(
    UNFIT,
    "delivery-id",
    "/delivery_id",
    "the delivery id must be 64 lower-case hexadecimal digits",
);
const OTHER_ID: Problem = Problem::at(
    UNFIT,
    "delivery-id",
    "/delivery_id",
    "the delivery id does not follow from this station, recipient and document",
);
const BAD_KEY: Problem =
    Problem::at(UNFIT, "idempotency-key", "/idempotency_key", "Idempotency-Key must be the delivery id");
const BAD_RECIPIENT: Problem =
    Problem::at(UNFIT, "recipient", "/recipient", "Hoso-Recipient must be 64 lower-case hexadecimal digits");
const BAD_DOCUMENT: Problem = Problem::at(
    UNFIT,
    "document-digest",
    "/document_digest",
    "an encrypted document must be named by Hoso-Document-Digest: sha-256=:...:",
);
const NOT_FOR_US: Problem =
    Problem::at(UNFIT, "undecryptable", "/document", "it is not encrypted to a key of this station");
const OTHER_DOCUMENT: Problem = Problem::at(
    UNFIT,
    "document-digest",
    "/document_digest",
    "the document inside is not the one that Hoso-Document-Digest names",
);
const BAD_PART: Problem = Problem::at(
    UNFIT,
    "part",
    "/part",
    "a part needs Repr-Digest, Upload-Offset and Upload-Length, and must lie within the whole",
);
const ENCRYPTED: Problem =
    Problem::at(UNFIT, "encrypted", "/document", "the PDF is encrypted; nobody could show it");
pub(super) const NOT_A_PDF: Problem = Problem::at(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "not-a-pdf",
    "/document",
    "only application/pdf, or application/jose with Hoso-Document-Digest, is taken",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_64_lower_case_digits_and_nothing_else() {
        assert!(exact_hex(&"a1".repeat(32)).is_some());
        for bad in ["", "a1", &"A1".repeat(32), &"g1".repeat(32), &"a1".repeat(33)] {
            assert_eq!(exact_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_encrypted_pdf_is_seen_by_its_trailer_and_a_jwe_by_its_five_parts() {
        assert_eq!(document(b"%PDF-1.7 trailer << /Encrypt 9 0 R >>"), Err(ENCRYPTED));
        assert_eq!(document(b"<html>"), Err(NOT_A_PDF));
        assert_eq!(document(b"%PDF-1.7"), Ok(()));
        assert_eq!(document(b"%PDF-1.7 (hello /EncryptMetadata in a text)"), Ok(()));
        assert_eq!(document(b"%PDF-1.7 trailer << /#45ncrypt 9 0 R >>"), Err(ENCRYPTED));
        assert!(looks_like_jwe(b"eyJ.AA.AA.AA.AA"));
        assert!(!looks_like_jwe(b"eyJ.AA.AA.AA"));
        assert!(!looks_like_jwe(b"%PDF-1.7"));
        assert!(!looks_like_jwe(b"eyJ.AA.AA.AA.A\n"));
    }
}
