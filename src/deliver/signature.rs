//! HTTP message signatures (RFC 9421) and content digests (RFC 9530), the part of them that push v1 speaks.
//!
//! One signature a message, over whole fields and derived components without parameters. What a verifier reads
//! must be written as RFC 8941 writes it (one space between names, no padding), so the text that came is the
//! text that was signed.

use super::wire_key::{SigningKey, VerifyingKey};
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::HeaderMap;

/// What a signed PUT covers.
pub const COVERED_PUT: &[&str] =
    &["@method", "@target-uri", "content-digest", "content-type", "idempotency-key", "hoso-recipient"];
/// What a signed PATCH covers: a part of a document, and of which.
pub const COVERED_PATCH: &[&str] = &[
    "@method",
    "@target-uri",
    "content-digest",
    "content-type",
    "idempotency-key",
    "hoso-recipient",
    "repr-digest",
    "upload-offset",
    "upload-length",
];
/// What every request covers besides, where what is sent is encrypted: the digest of the document inside.
pub const DOCUMENT_DIGEST: &str = "hoso-document-digest";
/// What a signed GET covers.
pub const COVERED_GET: &[&str] = &["@method", "@target-uri"];
/// How far a signature's creation may be from the verifier's clock, seconds, either way.
pub const WINDOW: i64 = 300;

/// The parts of a request that a signature can cover.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// `PUT`.
    pub method: &'a str,
    /// The whole address, as the client asks for it.
    pub target_uri: &'a str,
    /// The fields.
    pub headers: &'a HeaderMap,
}

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When it was made, Unix seconds.
    pub created: i64,
    /// Until when it holds, Unix seconds.
    pub expires: i64,
    /// Never used twice by the same key.
    pub nonce: String,
}

/// A signature that held. Whether its nonce was seen before is for the verifier to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key, [`VerifyingKey::id`].
    pub keyid: String,
    /// What it says of itself.
    pub terms: Terms,
}

/// The values of `Signature-Input` and `Signature` for a message (RFC 9421 3.1).
///
/// # Errors
/// [`MALFORMED`] when a covered field is absent; a key that cannot sign.
pub fn sign(
    message: &Message<'_>,
    covered: &[&str],
    terms: &Terms,
    key: &SigningKey,
) -> Outcome<(String, String)> {
    let quoted: Vec<String> = covered.iter().map(|name| format!("\"{name}\"")).collect();
    let params = format!(
        "({});created={};expires={};nonce=\"{}\";keyid=\"{}\";alg=\"{}\"",
        quoted.join(" "),
        terms.created,
        terms.expires,
        terms.nonce,
        key.id(),
        key.kind().http_name()
    );
    let signature = key.sign(base(message, covered.iter().copied(), &params)?.as_bytes())?;
    Ok((format!("sig1={params}"), format!("sig1=:{}:", BASE64.encode(signature))))
}

/// Checks the one signature of a message: the key is known, everything in `required` is covered, it was made within
/// [`WINDOW`] of `now` (Unix seconds) and has not expired (RFC 9421 3.2).
///
/// # Errors
/// [`MALFORMED`], [`UNKNOWN_KEY`], [`STALE`], [`INVALID`]. A server should give its caller one answer for all.
pub fn verify(
    message: &Message<'_>,
    required: &[&str],
    keys: &[VerifyingKey],
    now: i64,
) -> Outcome<Verified> {
    let malformed = |what: &str| Fault::new(&MALFORMED).detail(what);
    let only = |name: &'static str| match single(message.headers, name) {
        Some(text) if text.len() <= 2_048 => Ok(text),
        _ => Err(malformed(name)),
    };
    let input = Input::parse(only("signature-input")?).ok_or_else(|| malformed("signature-input"))?;
    let signature = only("signature")?
        .strip_prefix(input.label)
        .and_then(|rest| rest.strip_prefix("=:"))
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|text| BASE64.decode(text).ok())
        .ok_or_else(|| malformed("signature"))?;
    if let Some(missing) = required.iter().find(|name| !input.covered.contains(name)) {
        return Err(malformed(missing));
    }
    let key = keys.iter().find(|key| key.id() == input.keyid).ok_or_else(|| Fault::new(&UNKNOWN_KEY))?;
    if input.alg.is_some_and(|alg| alg != key.kind().http_name()) {
        return Err(Fault::new(&INVALID).detail("alg does not fit the key"));
    }
    let base = base(message, input.covered.iter().copied(), input.params)?;
    if !key.verifies(base.as_bytes(), &signature) {
        return Err(Fault::new(&INVALID));
    }
    if input.created.abs_diff(now) > WINDOW.unsigned_abs() || input.expires <= now {
        return Err(Fault::new(&STALE).detail(format!("made {} s ago", now.saturating_sub(input.created))));
    }
    let terms = Terms { created: input.created, expires: input.expires, nonce: input.nonce.to_owned() };
    Ok(Verified { keyid: input.keyid.to_owned(), terms })
}

/// The value of `Content-Digest` for a body (RFC 9530 2).
pub fn content_digest(sha256: &crate::digest::Sha256) -> String {
    format!("sha-256=:{}:", BASE64.encode(sha256.0))
}

/// The SHA-256 in a digest field of one member ([`content_digest`]'s inverse).
pub fn read_digest(value: &str) -> Option<crate::digest::Sha256> {
    let text = value.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    BASE64.decode(text).ok()?.try_into().ok().map(crate::digest::Sha256)
}

/// Checks that a message's `Content-Digest` is the SHA-256 of its body, and nothing else.
///
/// # Errors
/// [`DIGEST_MISMATCH`].
pub fn check_digest(headers: &HeaderMap, sha256: &crate::digest::Sha256) -> Outcome<()> {
    if single(headers, "content-digest") == Some(content_digest(sha256).as_str()) {
        Ok(())
    } else {
        Err(Fault::new(&DIGEST_MISMATCH))
    }
}

/// A field that is there exactly once, in visible ASCII, without the space around it.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Some(value.trim()) }
}

/// The signature base (RFC 9421 2.5).
fn base<'a>(message: &Message<'_>, covered: impl Iterator<Item = &'a str>, params: &str) -> Outcome<String> {
    let mut base = String::new();
    for name in covered {
        let value = match name {
            "@method" => message.method,
            "@target-uri" => message.target_uri,
            // A field that comes twice would be joined (2.1); none of ours may.
            field => single(message.headers, field)
                .ok_or_else(|| Fault::new(&MALFORMED).detail("covered field"))?,
        };
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {params}"));
    Ok(base)
}

/// A `Signature-Input` of one member.
struct Input<'a> {
    label: &'a str,
    params: &'a str,
    covered: Vec<&'a str>,
    created: i64,
    expires: i64,
    nonce: &'a str,
    keyid: &'a str,
    alg: Option<&'a str>,
}

impl<'a> Input<'a> {
    /// `None` for anything that is not one canonical member with the four parameters that we ask for.
    fn parse(text: &'a str) -> Option<Self> {
        let (label, params) = text.split_once('=')?;
        let name_like = |s: &str| {
            !s.is_empty()
                && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.*".contains(&b))
        };
        if !name_like(label) {
            return None;
        }
        let (list, tail) = params.strip_prefix('(')?.split_once(')')?;
        let mut covered = Vec::new();
        for item in list.split(' ') {
            let name = item.strip_prefix('"')?.strip_suffix('"')?;
            if !name_like(name.strip_prefix('@').unwrap_or(name)) || covered.contains(&name) {
                return None;
            }
            covered.push(name);
        }
        let (mut created, mut expires, mut nonce, mut keyid, mut alg) = (None, None, None, None, None);
        for parameter in tail.strip_prefix(';')?.split(';') {
            let (name, value) = parameter.split_once('=')?;
            let fresh = match name {
                "created" => created.replace(integer(value)?).is_none(),
                "expires" => expires.replace(integer(value)?).is_none(),
                "nonce" => nonce.replace(string(value)?).is_none(),
                "keyid" => keyid.replace(string(value)?).is_none(),
                "alg" => alg.replace(string(value)?).is_none(),
                _ => false,
            };
            if !fresh {
                return None;
            }
        }
        let (created, expires, nonce, keyid) = (created?, expires?, nonce?, keyid?);
        Some(Input { label, params, covered, created, expires, nonce, keyid, alg })
    }
}

fn integer(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical && text.len() <= 15 { text.parse().ok() } else { None }
}

/// A quoted string of at most 256 characters; one that needs escapes, or holds what splits parameters, is refused.
fn string(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = inner.bytes().all(|b| matches!(b, 0x20..=0x7e) && !b"\"\\;".contains(&b));
    if plain && !inner.is_empty() && inner.len() <= 256 { Some(inner) } else { None }
}

/// A signature, or something it covers, is absent or not written as it must be.
pub const MALFORMED: Code = Code {
    id: "SEND-015",
    class: Class::Input,
    vi: "Chữ ký của gói tin thiếu hoặc sai định dạng",
    en: "the message's signature is absent or malformed",
    remedy_vi: "Bên gửi phải ký theo RFC 9421 với đủ các trường quy định",
    remedy_en: "the sender must sign as RFC 9421 says, over all the fields asked for",
};

/// A signature under a key that is not pinned.
pub const UNKNOWN_KEY: Code = Code {
    id: "SEND-016",
    class: Class::Input,
    vi: "Gói tin ký bằng khóa chưa được khai",
    en: "the message is signed with a key that is not pinned",
    remedy_vi: "Khai khóa công khai của bên gửi với bên nhận",
    remedy_en: "register the sender's public key with the receiver",
};

/// A signature that does not hold.
pub const INVALID: Code = Code {
    id: "SEND-017",
    class: Class::Input,
    vi: "Chữ ký của gói tin không đúng",
    en: "the message's signature does not hold",
    remedy_vi: "Kiểm tra khóa của bên gửi và thiết bị trung gian trên đường truyền",
    remedy_en: "check the sender's key and what lies between on the line",
};

/// A signature made too long ago, or ahead of the clock.
pub const STALE: Code = Code {
    id: "SEND-018",
    class: Class::Input,
    vi: "Chữ ký của gói tin quá hạn hoặc lệch giờ",
    en: "the message's signature is too old or ahead of the clock",
    remedy_vi: "Chỉnh đồng hồ hai bên cho đúng giờ",
    remedy_en: "set both clocks right",
};

/// A body that is not what was signed.
pub const DIGEST_MISMATCH: Code = Code {
    id: "SEND-019",
    class: Class::Input,
    vi: "Nội dung nhận được không khớp với mã băm đã ký",
    en: "the body does not fit its signed digest",
    remedy_vi: "Bên gửi phải gửi lại nguyên vẹn",
    remedy_en: "the sender must send it again, whole",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use reqwest::header::HeaderName;

    const NOW: i64 = 1_772_413_200;
    const URI: &str = "https://wallet.example/v1/deliveries/00";

    fn headers() -> HeaderMap {
        let digest = content_digest(&Sha256::of(b"pdf"));
        let pairs = [
            ("content-digest", digest.as_str()),
            ("content-type", "application/pdf"),
            ("idempotency-key", "00"),
            ("hoso-recipient", "ff"),
        ];
        pairs.into_iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    fn terms() -> Terms {
        Terms { created: NOW, expires: NOW + 300, nonce: "n-1".into() }
    }

    fn signed(key: &SigningKey) -> HeaderMap {
        let mut headers = headers();
        let message = Message { method: "PUT", target_uri: URI, headers: &headers };
        let (input, signature) = sign(&message, COVERED_PUT, &terms(), key).unwrap();
        headers.insert("signature-input", input.parse().unwrap());
        headers.insert("signature", signature.parse().unwrap());
        headers
    }

    fn judge(headers: &HeaderMap, key: &SigningKey, now: i64) -> Outcome<Verified> {
        let message = Message { method: "PUT", target_uri: URI, headers };
        verify(&message, COVERED_PUT, &[key.public().unwrap()], now)
    }

    #[test]
    fn what_we_sign_we_verify_and_what_was_changed_we_do_not() {
        let key = SigningKey::mint().unwrap();
        let good = signed(&key);
        assert_eq!(judge(&good, &key, NOW).unwrap(), Verified { keyid: key.id().into(), terms: terms() });
        for name in ["content-digest", "content-type", "idempotency-key", "hoso-recipient"] {
            let mut changed = good.clone();
            changed.insert(HeaderName::from_static(name), "other".parse().unwrap());
            assert_eq!(judge(&changed, &key, NOW).unwrap_err().code, &INVALID, "{name}");
            let mut dropped = good.clone();
            dropped.remove(name);
            assert_eq!(judge(&dropped, &key, NOW).unwrap_err().code, &MALFORMED, "{name}");
            let mut doubled = good.clone();
            doubled.append(HeaderName::from_static(name), "other".parse().unwrap());
            assert_eq!(judge(&doubled, &key, NOW).unwrap_err().code, &MALFORMED, "{name}");
        }
        let keys = [key.public().unwrap()];
        for (method, uri) in [("POST", URI), ("PUT", "https://wallet.example/v1/deliveries/01")] {
            let message = Message { method, target_uri: uri, headers: &good };
            assert_eq!(verify(&message, COVERED_PUT, &keys, NOW).unwrap_err().code, &INVALID);
        }
    }

    #[test]
    fn a_signature_holds_for_five_minutes_either_way_and_not_past_its_end() {
        let key = SigningKey::mint().unwrap();
        let good = signed(&key);
        for (now, holds) in [(NOW - 301, false), (NOW - 300, true), (NOW + 299, true), (NOW + 300, false)] {
            assert_eq!(judge(&good, &key, now).is_ok(), holds, "{now}");
        }
        assert_eq!(judge(&good, &key, NOW + 400).unwrap_err().code, &STALE);
        assert_eq!(judge(&good, &key, i64::MIN).unwrap_err().code, &STALE);
    }

    #[test]
    fn an_unpinned_key_is_refused() {
        let good = signed(&SigningKey::mint().unwrap());
        assert_eq!(judge(&good, &SigningKey::mint().unwrap(), NOW).unwrap_err().code, &UNKNOWN_KEY);
    }

    #[test]
    fn components_left_out_reordered_or_doubled_do_not_pass() {
        let key = SigningKey::mint().unwrap();
        let good = signed(&key);
        let input = good["signature-input"].to_str().unwrap().to_owned();
        let cases = [
            (input.replace(" \"content-digest\"", ""), &MALFORMED),
            (input.replace("\"@method\" \"@target-uri\"", "\"@target-uri\" \"@method\""), &INVALID),
            (input.replace("\"@method\"", "\"@method\" \"@method\""), &MALFORMED),
            (input.replace("\"@method\"", "\"@method\";req"), &MALFORMED),
            (input.replace("\"@method\" ", "\"@method\"  "), &MALFORMED),
            (input.replace("nonce=\"n-1\"", "nonce=\"n-2\""), &INVALID),
            (input.replace(";nonce=\"n-1\"", ""), &MALFORMED),
            (input.replace("alg=\"ecdsa-p256-sha256\"", "alg=\"hmac-sha256\""), &INVALID),
            (input.replace(";alg=", ";tag="), &MALFORMED),
            (format!("{input}, sig2=()"), &MALFORMED),
            (input.replace("sig1=", "sig2="), &MALFORMED),
            (input.replace("created=", "created=0"), &MALFORMED),
            (input.replace("created=", "created=-"), &MALFORMED),
            (String::new(), &MALFORMED),
        ];
        for (text, code) in cases {
            let mut headers = good.clone();
            headers.insert("signature-input", text.parse().unwrap());
            assert_eq!(judge(&headers, &key, NOW).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn a_digest_must_be_the_only_one_and_right() {
        let sha = Sha256::of(b"pdf");
        assert!(check_digest(&headers(), &sha).is_ok());
        assert_eq!(check_digest(&headers(), &Sha256::of(b"other")).unwrap_err().code, &DIGEST_MISMATCH);
        assert_eq!(check_digest(&HeaderMap::new(), &sha).unwrap_err().code, &DIGEST_MISMATCH);
        // RFC 9530, appendix B.1: the digest of {"hello": "world"} and a newline.
        let known = Sha256::of(b"{\"hello\": \"world\"}\n");
        assert_eq!(content_digest(&known), "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    }
}
