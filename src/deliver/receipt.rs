//! The receipt of a push delivery: the receiver's signed word that it has these bytes.
//!
//! A JSON Web Signature in its flattened form (RFC 7515 7.2.2), so that any JOSE library can judge it years later:
//!
//! ```json
//! {"payload": "<base64url>", "protected": "<base64url>", "signature": "<base64url>"}
//! ```
//! `protected` is `{"alg": "ES256" or "EdDSA", "typ": "hoso-receipt", "kid": "<SHA-256 of the SPKI, hex>"}`; `payload` is
//!
//! ```json
//! {"delivery_id": "<64 hex>", "sha256": "<64 hex>", "size": 12345, "received_at": "2026-03-02T01:15:09Z",
//!  "receiver": "name of the receiver", "keyid": "<kid>"}
//! ```
//! Of an encrypted document `sha256` and `size` are those of the JWE as it came, which is what the receiver can prove, and
//! `"document_sha256": "<64 hex>"` repeats what the sender said of the document inside.
//!
//! The signature is over the base64url texts as they are, so nothing has to be written in a canonical form, and
//! the bytes that came are the bytes that are kept. No personal data: a receiver names itself, not a citizen.

use super::wire_key::{SigningKey, VerifyingKey};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};

/// The longest receipt that is looked at, bytes.
pub const LONGEST: usize = 16 * 1024;

/// What the receiver says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The delivery.
    pub delivery_id: Sha256,
    /// SHA-256 of the bytes that it stored.
    pub sha256: Sha256,
    /// How many bytes.
    pub size: u64,
    /// When it had them safe, by its own clock.
    pub received_at: jiff::Timestamp,
    /// The receiver's name.
    pub receiver: String,
    /// The key that signed, [`VerifyingKey::id`].
    pub keyid: String,
    /// SHA-256 of the document inside, as the sender told it, where what was stored is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_sha256: Option<Sha256>,
}

/// What a receipt must agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The delivery.
    pub delivery_id: Sha256,
    /// SHA-256 of what was sent.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
}

/// Checks a receipt against the pinned keys and against what was sent; needs no network.
///
/// # Errors
/// [`UNREADABLE`], [`UNKNOWN_KEY`], [`BAD_SIGNATURE`], [`MISMATCH`] naming the fields.
pub fn verify_receipt(bytes: &[u8], keys: &[VerifyingKey], facts: &Facts) -> Outcome<Receipt> {
    verify_receipt_of(bytes, keys, facts, None)
}

/// As [`verify_receipt`]; `document` is the digest of the document inside, where what was sent is encrypted.
///
/// # Errors
/// As [`verify_receipt`].
pub fn verify_receipt_of(
    bytes: &[u8],
    keys: &[VerifyingKey],
    facts: &Facts,
    document: Option<Sha256>,
) -> Outcome<Receipt> {
    let receipt = open_receipt(bytes, keys)?;
    let wrong: Vec<&str> = [
        ("delivery_id", receipt.delivery_id == facts.delivery_id),
        ("sha256", receipt.sha256 == facts.sha256),
        ("size", receipt.size == facts.size),
        // A receipt of an older receiver, or one that was not asked about a document inside, says nothing of it.
        ("document_sha256", document.is_none() || receipt.document_sha256 == document),
    ]
    .into_iter()
    .filter_map(|(name, agrees)| (!agrees).then_some(name))
    .collect();
    if wrong.is_empty() { Ok(receipt) } else { Err(Fault::new(&MISMATCH).detail(wrong.join(", "))) }
}

/// Checks the signature alone: for a verifier that looks up the document by what the receipt says.
///
/// # Errors
/// [`UNREADABLE`], [`UNKNOWN_KEY`], [`BAD_SIGNATURE`].
pub fn open_receipt(bytes: &[u8], keys: &[VerifyingKey]) -> Outcome<Receipt> {
    let unreadable = |what: &str| Fault::new(&UNREADABLE).detail(what);
    if bytes.len() > LONGEST {
        return Err(unreadable("too long"));
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| unreadable("not a flattened JWS"))?;
    let decode = |text: &str, what| BASE64URL.decode(text).map_err(|_| unreadable(what));
    let header: Header = serde_json::from_slice(&decode(&envelope.protected, "protected header")?)
        .map_err(|_| unreadable("protected header"))?;
    if header.typ != TYPE {
        return Err(unreadable("typ"));
    }
    let key = keys.iter().find(|key| key.id() == header.kid).ok_or_else(|| Fault::new(&UNKNOWN_KEY))?;
    // The algorithm follows from the pinned key; the header may only agree.
    if header.alg != key.kind().jose_name() {
        return Err(Fault::new(&BAD_SIGNATURE).detail("alg does not fit the key"));
    }
    let signed = format!("{}.{}", envelope.protected, envelope.payload);
    if !key.verifies(signed.as_bytes(), &decode(&envelope.signature, "signature")?) {
        return Err(Fault::new(&BAD_SIGNATURE));
    }
    let receipt: Receipt =
        serde_json::from_slice(&decode(&envelope.payload, "payload")?).map_err(|_| unreadable("payload"))?;
    if receipt.keyid != header.kid {
        return Err(Fault::new(&MISMATCH).detail("keyid"));
    }
    Ok(receipt)
}

/// Writes and signs a receipt: the receiver's side, and training's.
///
/// # Errors
/// A key that cannot sign.
pub fn write_receipt(
    facts: &Facts,
    received_at: jiff::Timestamp,
    receiver: &str,
    key: &SigningKey,
) -> Outcome<Vec<u8>> {
    write_receipt_of(facts, None, received_at, receiver, key)
}

/// As [`write_receipt`]; `document` is what the sender said of the document inside, where what was stored is encrypted.
///
/// # Errors
/// As [`write_receipt`].
pub fn write_receipt_of(
    facts: &Facts,
    document: Option<Sha256>,
    received_at: jiff::Timestamp,
    receiver: &str,
    key: &SigningKey,
) -> Outcome<Vec<u8>> {
    let inner = |_| Fault::new(&UNREADABLE).detail("cannot be written");
    let header = Header { alg: key.kind().jose_name().into(), typ: TYPE.into(), kid: key.id().into() };
    let receipt = Receipt {
        delivery_id: facts.delivery_id,
        sha256: facts.sha256,
        size: facts.size,
        received_at,
        receiver: receiver.into(),
        keyid: key.id().into(),
        document_sha256: document,
    };
    let protected = BASE64URL.encode(serde_json::to_vec(&header).map_err(inner)?);
    let payload = BASE64URL.encode(serde_json::to_vec(&receipt).map_err(inner)?);
    let signature = BASE64URL.encode(key.sign(format!("{protected}.{payload}").as_bytes())?);
    serde_json::to_vec(&Envelope { payload, protected, signature }).map_err(inner)
}

const TYPE: &str = "hoso-receipt";

/// Strict on both levels: an unprotected header, or a `crit` that is not understood, makes it unreadable.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    protected: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// No receipt, or bytes that are none.
pub const UNREADABLE: Code = Code {
    id: "SEND-020",
    class: Class::Later,
    vi: "Nơi nhận không trả về biên nhận đọc được",
    en: "the receiver gave no readable receipt",
    remedy_vi: "Chưa coi là đã giao; hệ thống sẽ hỏi lại và gửi lại",
    remedy_en: "it does not count as delivered; it is asked for and sent again",
};

/// A receipt under a key that is not pinned for the receiver.
pub const UNKNOWN_KEY: Code = Code {
    id: "SEND-021",
    class: Class::Later,
    vi: "Biên nhận ký bằng khóa chưa khai cho nơi nhận này",
    en: "the receipt is signed with a key that is not pinned for this receiver",
    remedy_vi: "Xác minh khóa mới với đơn vị quản lý nơi nhận trước khi khai thêm",
    remedy_en: "confirm the new key with whoever runs the receiver before pinning it",
};

/// A receipt whose signature does not hold.
pub const BAD_SIGNATURE: Code = Code {
    id: "SEND-022",
    class: Class::Later,
    vi: "Chữ ký trên biên nhận không đúng",
    en: "the receipt's signature does not hold",
    remedy_vi: "Chưa coi là đã giao; báo cho đơn vị quản lý nơi nhận",
    remedy_en: "it does not count as delivered; tell whoever runs the receiver",
};

/// A good signature over something else than what was sent.
pub const MISMATCH: Code = Code {
    id: "SEND-023",
    class: Class::Later,
    vi: "Biên nhận không khớp với tài liệu đã gửi",
    en: "the receipt does not fit what was sent",
    remedy_vi: "Chưa coi là đã giao; báo cho đơn vị quản lý nơi nhận",
    remedy_en: "it does not count as delivered; tell whoever runs the receiver",
};

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::pkey::PKey;

    fn facts() -> Facts {
        Facts { delivery_id: Sha256::of(b"id"), sha256: Sha256::of(b"pdf"), size: 3 }
    }

    fn at() -> jiff::Timestamp {
        "2026-03-02T01:15:09Z".parse().unwrap()
    }

    #[test]
    fn a_receipt_of_either_kind_of_key_says_what_was_received() {
        for key in [SigningKey::mint().unwrap(), SigningKey::new(PKey::generate_ed25519().unwrap()).unwrap()]
        {
            let bytes = write_receipt(&facts(), at(), "ví số", &key).unwrap();
            let other = SigningKey::mint().unwrap().public().unwrap();
            let receipt = verify_receipt(&bytes, &[other, key.public().unwrap()], &facts()).unwrap();
            assert_eq!((receipt.receiver.as_str(), receipt.received_at), ("ví số", at()));
        }
    }

    #[test]
    fn another_id_hash_or_size_is_named() {
        let key = SigningKey::mint().unwrap();
        let bytes = write_receipt(&facts(), at(), "w", &key).unwrap();
        let asked = Facts { sha256: Sha256::of(b"x"), size: 4, ..facts() };
        let fault = verify_receipt(&bytes, &[key.public().unwrap()], &asked).unwrap_err();
        assert_eq!((fault.code, fault.detail.as_deref()), (&MISMATCH, Some("sha256, size")));
    }

    #[test]
    fn a_key_that_is_not_pinned_proves_nothing() {
        let bytes = write_receipt(&facts(), at(), "w", &SigningKey::mint().unwrap()).unwrap();
        let pinned = [SigningKey::mint().unwrap().public().unwrap()];
        assert_eq!(verify_receipt(&bytes, &pinned, &facts()).unwrap_err().code, &UNKNOWN_KEY);
        assert_eq!(verify_receipt(&bytes, &[], &facts()).unwrap_err().code, &UNKNOWN_KEY);
    }

    #[test]
    fn no_flipped_bit_anywhere_leaves_a_valid_receipt() {
        let key = SigningKey::new(PKey::generate_ed25519().unwrap()).unwrap();
        let bytes = write_receipt(&facts(), at(), "w", &key).unwrap();
        let keys = [key.public().unwrap()];
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(verify_receipt(&flipped, &keys, &facts()).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn rubbish_a_critical_header_and_the_none_algorithm_are_refused() {
        let key = SigningKey::mint().unwrap();
        let keys = [key.public().unwrap()];
        for bad in [&b""[..], b"{}", b"<html>", b"[]", &[b' '; LONGEST + 1]] {
            assert_eq!(open_receipt(bad, &keys).unwrap_err().code, &UNREADABLE);
        }
        let forged = |header: &str| {
            let protected = BASE64URL.encode(header);
            let signature = BASE64URL.encode(key.sign(format!("{protected}.e30").as_bytes()).unwrap());
            format!(r#"{{"payload":"e30","protected":"{protected}","signature":"{signature}"}}"#)
        };
        let kid = key.id();
        let critical =
            forged(&format!(r#"{{"alg":"ES256","typ":"hoso-receipt","kid":"{kid}","crit":["x"]}}"#));
        assert_eq!(open_receipt(critical.as_bytes(), &keys).unwrap_err().code, &UNREADABLE);
        let none = forged(&format!(r#"{{"alg":"none","typ":"hoso-receipt","kid":"{kid}"}}"#));
        assert_eq!(open_receipt(none.as_bytes(), &keys).unwrap_err().code, &BAD_SIGNATURE);
        let empty = forged(&format!(r#"{{"alg":"ES256","typ":"hoso-receipt","kid":"{kid}"}}"#));
        assert_eq!(open_receipt(empty.as_bytes(), &keys).unwrap_err().code, &UNREADABLE);
    }
}
