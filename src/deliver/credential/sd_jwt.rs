//! SD-JWT (RFC 9901) as `dc+sd-jwt` credentials: issuing, and judging more strictly than the libraries that wallets use.
//!
//! The npm and PyPI verifiers drop a disclosure that nothing refers to; RFC 9901 7.1 has it rejected, and so it is here.

use super::jose::{self, Jwk, Jws, Object, b64, unb64};
use crate::deliver::wire_key::{SIGNING_FAILED, SigningKey};
use crate::fault::{Class, Code, Fault, Outcome};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Signs a credential. `claims` are plain to whoever holds it, `disclosable` are shown one by one as the holder likes.
/// `header` may carry `kid` and `x5c`; `typ` and `alg` are put in. The result ends in `~`.
///
/// # Errors
/// [`BAD_CLAIM`] for a disclosable name that a verifier would not take; those of [`jose::sign`].
pub fn issue(
    mut claims: Object,
    disclosable: &Object,
    mut header: Object,
    key: &SigningKey,
) -> Outcome<String> {
    if let Some(name) =
        disclosable.keys().find(|name| !may_be_disclosable(name) || claims.contains_key(*name))
    {
        return Err(Fault::new(&BAD_CLAIM).at(format!("/{name}")));
    }
    let mut disclosures = Vec::with_capacity(disclosable.len());
    for (name, value) in disclosable {
        let mut salt = [0u8; 16];
        openssl::rand::rand_bytes(&mut salt).map_err(|_| Fault::new(&SIGNING_FAILED))?;
        disclosures.push(b64(json!([b64(&salt), name, value]).to_string().as_bytes()));
    }
    let mut digests: Vec<String> = disclosures.iter().map(|d| digest(d)).collect();
    // In the order of the digests, so that the place of one says nothing about its name (RFC 9901 4.2.4.1).
    digests.sort_unstable();
    if !digests.is_empty() {
        claims.insert("_sd".into(), json!(digests));
    }
    claims.insert("_sd_alg".into(), "sha-256".into());
    header.insert("typ".into(), TYP.into());
    let mut text = jose::sign(header, &claims, key)?;
    text.push('~');
    for disclosure in disclosures {
        text.push_str(&disclosure);
        text.push('~');
    }
    Ok(text)
}

/// What a credential must hold against.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The moment, seconds since 1970.
    pub now: i64,
    /// The issuer's address.
    pub issuer: &'a str,
    /// The kind of credential.
    pub vct: &'a str,
}

/// A credential that holds.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The protected header.
    pub header: Object,
    /// All claims, disclosed ones in their places.
    pub claims: Object,
    /// The key of whoever it was issued to.
    pub holder: Jwk,
}

/// Judges a credential as it was issued, without key binding. Whether it was revoked is another question.
///
/// # Errors
/// [`BAD_CREDENTIAL`] with what is wrong; [`jose::BAD_JWS`], [`jose::BAD_SIGNATURE`].
pub fn verify(text: &str, issuer_key: &Jwk, rules: &Rules<'_>) -> Outcome<Verified> {
    let wrong = |what: &'static str| Fault::new(&BAD_CREDENTIAL).detail(what);
    if text.len() > LARGEST {
        return Err(wrong("too long"));
    }
    let mut parts = text.split('~');
    let jws = Jws::read(parts.next().unwrap_or(""))?;
    let mut rest: Vec<&str> = parts.collect();
    if rest.pop() != Some("") {
        return Err(wrong("it does not end in ~"));
    }
    jws.verify(TYP, issuer_key)?;
    if jws.payload.get("_sd_alg").is_some_and(|alg| alg != "sha-256") {
        return Err(wrong("_sd_alg"));
    }
    let mut disclosures = Disclosures::read(&rest)?;
    let mut payload = jws.payload;
    payload.remove("_sd_alg");
    let claims = disclosures.open(payload, 0, true)?;
    if disclosures.found.len() != disclosures.by_digest.len() {
        return Err(wrong("a disclosure that nothing refers to"));
    }
    let text_of = |name: &str| claims.get(name).and_then(Value::as_str);
    if text_of("vct") != Some(rules.vct) {
        return Err(wrong("vct"));
    }
    if text_of("iss") != Some(rules.issuer) {
        return Err(wrong("iss"));
    }
    let dated = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong("a date that is no number")),
    };
    if dated("exp")?.is_some_and(|exp| exp <= rules.now) {
        return Err(wrong("expired"));
    }
    let soon = rules.now.saturating_add(SKEW);
    if dated("nbf")?.is_some_and(|nbf| nbf > soon) || dated("iat")?.is_some_and(|iat| iat > soon) {
        return Err(wrong("not yet valid"));
    }
    let jwk = claims.get("cnf").and_then(|cnf| cnf.get("jwk")).ok_or_else(|| wrong("cnf"))?;
    let holder = Jwk::from_value(jwk).map_err(|_| wrong("cnf"))?;
    Ok(Verified { header: jws.header, claims, holder })
}

/// The disclosures that came with a credential, by digest.
struct Disclosures {
    by_digest: HashMap<String, (Option<String>, Value)>,
    /// Every digest that was met, to refuse one that stands in two places.
    met: HashSet<String>,
    found: HashSet<String>,
}

impl Disclosures {
    fn read(parts: &[&str]) -> Outcome<Self> {
        let wrong = |what: &'static str| Fault::new(&BAD_CREDENTIAL).detail(what);
        if parts.len() > MOST {
            return Err(wrong("too many disclosures"));
        }
        let mut by_digest = HashMap::new();
        for part in parts {
            let Some(Value::Array(mut triple)) = unb64(part).and_then(|bytes| jose::value(&bytes)) else {
                return Err(wrong("a disclosure that is no array"));
            };
            let value = triple.pop().unwrap_or(Value::Null);
            let opened = match triple.as_slice() {
                [Value::String(_)] => (None, value),
                [Value::String(_), Value::String(name)] if name != "_sd" && name != "..." => {
                    (Some(name.clone()), value)
                }
                _ => return Err(wrong("a disclosure that is neither of a member nor of an element")),
            };
            if by_digest.insert(digest(part), opened).is_some() {
                return Err(wrong("a disclosure that comes twice"));
            }
        }
        Ok(Disclosures { by_digest, met: HashSet::new(), found: HashSet::new() })
    }

    /// The disclosure behind a digest; nothing where it was withheld or is a decoy.
    fn behind(&mut self, digest: &Value) -> Outcome<Option<(Option<String>, Value)>> {
        let wrong = |what: &'static str| Fault::new(&BAD_CREDENTIAL).detail(what);
        let digest = digest.as_str().ok_or_else(|| wrong("a digest that is no text"))?;
        if !self.met.insert(digest.to_owned()) {
            return Err(wrong("a digest that stands in two places"));
        }
        let opened = self.by_digest.get(digest).cloned();
        if opened.is_some() {
            self.found.insert(digest.to_owned());
        }
        Ok(opened)
    }

    fn open(&mut self, mut object: Object, depth: usize, top: bool) -> Outcome<Object> {
        let wrong = |what: &'static str| Fault::new(&BAD_CREDENTIAL).detail(what);
        if depth > DEEPEST {
            return Err(wrong("too deep"));
        }
        if object.contains_key("...") || object.contains_key("_sd_alg") {
            return Err(wrong("a reserved member"));
        }
        let digests = match object.remove("_sd") {
            None => Vec::new(),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(wrong("_sd is no array")),
        };
        let mut opened = Object::new();
        for (name, value) in object {
            opened.insert(name, self.open_value(value, depth + 1)?);
        }
        for digest in digests {
            let Some((name, value)) = self.behind(&digest)? else { continue };
            let name = name.ok_or_else(|| wrong("an element's disclosure among members"))?;
            if top && !may_be_disclosable(&name) {
                return Err(wrong("a claim that may not be selectively disclosed"));
            }
            let value = self.open_value(value, depth + 1)?;
            if opened.insert(name, value).is_some() {
                return Err(wrong("a disclosed member that is there already"));
            }
        }
        Ok(opened)
    }

    fn open_value(&mut self, value: Value, depth: usize) -> Outcome<Value> {
        match value {
            Value::Object(object) => self.open(object, depth, false).map(Value::Object),
            Value::Array(values) => {
                if depth > DEEPEST {
                    return Err(Fault::new(&BAD_CREDENTIAL).detail("too deep"));
                }
                let mut opened = Vec::with_capacity(values.len().min(1024));
                for value in values {
                    if let Some(digest) = hidden(&value) {
                        match self.behind(digest)? {
                            None => {}
                            Some((None, value)) => opened.push(self.open_value(value, depth + 1)?),
                            Some((Some(_), _)) => {
                                let what = "a member's disclosure among elements";
                                return Err(Fault::new(&BAD_CREDENTIAL).detail(what));
                            }
                        }
                    } else {
                        opened.push(self.open_value(value, depth + 1)?);
                    }
                }
                Ok(Value::Array(opened))
            }
            plain => Ok(plain),
        }
    }
}

/// `{"...": digest}` (RFC 9901 4.2.4.2).
fn hidden(value: &Value) -> Option<&Value> {
    value.as_object().filter(|object| object.len() == 1)?.get("...")
}

fn digest(disclosure: &str) -> String {
    b64(&openssl::sha::sha256(disclosure.as_bytes()))
}

/// Claims that a verifier must see (SD-JWT VC, 3.2.2.2), and ours that bind the document.
pub(super) fn may_be_disclosable(name: &str) -> bool {
    !ALWAYS_PLAIN.contains(&name)
}

const ALWAYS_PLAIN: [&str; 13] = [
    "iss",
    "nbf",
    "exp",
    "iat",
    "cnf",
    "vct",
    "vct#integrity",
    "status",
    "doc",
    "_sd",
    "_sd_alg",
    "...",
    "aud",
];
const TYP: &str = "dc+sd-jwt";
const LARGEST: usize = 1 << 20;
const MOST: usize = 512;
const DEEPEST: usize = 32;
/// How far the clocks of two honest machines may be apart, seconds.
const SKEW: i64 = 60;

/// A claim that cannot be made selectively disclosable.
pub const BAD_CLAIM: Code = Code {
    id: "SEND-068",
    class: Class::Input,
    vi: "Tên trường không dùng được trong chứng nhận điện tử",
    en: "a field's name cannot be used in a credential",
    remedy_vi: "Đổi tên trường; tên riêng của định dạng (iss, exp, doc, ...) không được dùng lại",
    remedy_en: "rename the field; names of the format itself (iss, exp, doc, ...) are taken",
};

/// A credential that does not hold.
pub const BAD_CREDENTIAL: Code = Code {
    id: "SEND-069",
    class: Class::Input,
    vi: "Chứng nhận điện tử không hợp lệ",
    en: "the credential is not valid",
    remedy_vi: "Không chấp nhận; yêu cầu người giữ xin cấp lại",
    remedy_en: "do not accept it; have the holder ask for a new one",
};

#[cfg(test)]
mod tests;
