//! The wallet's proof that it holds the key the credential is to be bound to (OpenID4VCI 1.0, appendix F.1), and the nonces
//! that make each proof good for one request.

use super::jose::{Jwk, Jws, b64, unb64};
use super::refusal::Refusal;
use super::secret;
use crate::digest::Sha256;
use crate::fault::Outcome;
use serde_json::Value;

/// A proof that holds; its nonce has yet to be looked at.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The wallet's key.
    pub key: Jwk,
    /// The nonce in it.
    pub nonce: String,
}

/// Judges a proof. `audience` is the issuer's identifier, `now` seconds since 1970.
///
/// # Errors
/// `invalid_proof`, also where there is no nonce in it: `invalid_nonce` is for one that is not good (OpenID4VCI 1.0, 8.3.1.2).
pub fn check(jwt: &str, audience: &str, now: i64) -> Result<Proof, Refusal> {
    let wrong = |why| Refusal::bad("invalid_proof", why);
    if jwt.len() > LARGEST {
        return Err(wrong("the proof is too long"));
    }
    let jws = Jws::read(jwt).map_err(|_| wrong("the proof is no compact JWS"))?;
    let keys = ["jwk", "kid", "x5c", "trust_chain"].iter().filter(|n| jws.header.contains_key(**n)).count();
    if keys != 1 {
        return Err(wrong("the proof's header must name exactly one key"));
    }
    let jwk = jws.header.get("jwk").ok_or_else(|| wrong("the proof's key must be given as jwk"))?;
    let key = Jwk::from_value(jwk).map_err(|_| wrong("the proof's key must be a public key on P-256"))?;
    jws.verify("openid4vci-proof+jwt", &key)
        .map_err(|_| wrong("typ, alg (ES256) or signature of the proof is wrong"))?;
    let here = match jws.payload.get("aud") {
        Some(Value::String(aud)) => aud == audience,
        Some(Value::Array(list)) => matches!(list.as_slice(), [Value::String(aud)] if aud == audience),
        _ => false,
    };
    if !here {
        return Err(wrong("aud of the proof is not this issuer"));
    }
    let second = |name: &str| jws.payload.get(name).and_then(Value::as_i64);
    let iat = second("iat").ok_or_else(|| wrong("the proof has no iat"))?;
    if iat > now.saturating_add(AHEAD) || iat < now.saturating_sub(OLDEST) {
        return Err(wrong("iat of the proof is too far from now"));
    }
    if jws.payload.contains_key("exp") && second("exp").is_none_or(|exp| exp <= now) {
        return Err(wrong("the proof has expired"));
    }
    if jws.payload.contains_key("nbf") && second("nbf").is_none_or(|nbf| nbf > now.saturating_add(AHEAD)) {
        return Err(wrong("the proof is not yet valid"));
    }
    match jws.payload.get("nonce") {
        Some(Value::String(nonce)) => Ok(Proof { key, nonce: nonce.clone() }),
        _ => Err(wrong("the proof has no nonce")),
    }
}

/// Gives out nonces without remembering them: each carries its end and a code over both, so that asking for nonces costs
/// the disk nothing. Only a nonce that was used is remembered ([`Mark`]).
pub struct Nonces(zeroize::Zeroizing<[u8; 32]>);

/// A nonce of ours that is to be used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its digest.
    pub digest: Sha256,
    /// When it would end anyway and need no longer be remembered, seconds since 1970.
    pub until: i64,
}

impl Nonces {
    /// Nonces under a key; whoever has the same key takes the same nonces.
    pub fn new(key: [u8; 32]) -> Self {
        Nonces(zeroize::Zeroizing::new(key))
    }

    /// A new nonce.
    ///
    /// # Errors
    /// Where the random source or OpenSSL fails.
    pub fn mint(&self, now: i64) -> Outcome<String> {
        let mut body = [0u8; 24];
        openssl::rand::rand_bytes(&mut body[..16])
            .map_err(|_| crate::fault::Fault::new(&crate::deliver::wire_key::SIGNING_FAILED))?;
        body[16..].copy_from_slice(&now.saturating_add(NONCE_LIFE).to_be_bytes());
        let code = secret::mac(&*self.0, &body)?;
        Ok(b64(&[&body[..], &code[..16]].concat()))
    }

    /// The mark of a nonce that was given out here and has not ended; `None` for any other text.
    pub fn mark(&self, nonce: &str, now: i64) -> Option<Mark> {
        let bytes = unb64(nonce).filter(|bytes| bytes.len() == 40)?;
        let (body, code) = bytes.split_at(24);
        let expected = secret::mac(&*self.0, body).ok()?;
        if !openssl::memcmp::eq(code, expected.get(..16)?) {
            return None;
        }
        let until = i64::from_be_bytes(body.get(16..)?.try_into().ok()?);
        (until > now).then(|| Mark { digest: Sha256::of(&bytes), until })
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces")
    }
}

const LARGEST: usize = 16 * 1024;
/// How far a wallet's clock may be ahead, seconds.
const AHEAD: i64 = 60;
/// The oldest proof that is taken, seconds.
const OLDEST: i64 = 300;
/// How long a nonce is good, seconds.
const NONCE_LIFE: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::credential::jose::{self, Object};
    use crate::deliver::wire_key::SigningKey;
    use serde_json::json;

    const HERE: &str = "https://issuer.example/h/mau";

    fn proof(key: &SigningKey, header: Value, payload: Value) -> String {
        let object = |value: Value| -> Object { value.as_object().unwrap().clone() };
        jose::sign(object(header), &object(payload), key).unwrap()
    }

    #[test]
    fn a_proof_that_holds_gives_key_and_nonce() {
        let key = SigningKey::mint().unwrap();
        let jwk = Jwk::of_signer(&key).unwrap();
        let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": jwk });
        for aud in [json!(HERE), json!([HERE])] {
            let text = proof(&key, header.clone(), json!({ "aud": aud, "iat": 1000, "nonce": "n" }));
            let held = check(&text, HERE, 1010).unwrap();
            assert_eq!((held.key, held.nonce), (jwk.clone(), "n".to_owned()));
        }
    }

    #[test]
    fn every_way_a_proof_can_fail_is_refused_as_such() {
        let key = SigningKey::mint().unwrap();
        let jwk = Jwk::of_signer(&key).unwrap().value();
        let other = Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap().value();
        let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": jwk });
        let payload = json!({ "aud": HERE, "iat": 1000, "nonce": "n" });
        let with = |object: &Value, name: &str, value: Value| {
            let mut object = object.clone();
            object[name] = value;
            object
        };
        let mut private = jwk.clone();
        private["d"] = "AAAA".into();
        let mut keyless = header.clone();
        keyless.as_object_mut().unwrap().remove("jwk");
        let cases = [
            (with(&header, "typ", "JWT".into()), payload.clone()),
            (with(&header, "kid", "k".into()), payload.clone()),
            (with(&header, "x5c", json!([])), payload.clone()),
            (with(&header, "jwk", private), payload.clone()),
            (with(&header, "jwk", other), payload.clone()),
            (with(&keyless, "kid", "did:x".into()), payload.clone()),
            (keyless, payload.clone()),
            (header.clone(), with(&payload, "aud", "https://other".into())),
            (header.clone(), with(&payload, "aud", json!([HERE, "https://other"]))),
            (header.clone(), with(&payload, "aud", Value::Null)),
            (header.clone(), with(&payload, "iat", 699.into())),
            (header.clone(), with(&payload, "iat", 1061.into())),
            (header.clone(), with(&payload, "iat", "1000".into())),
            (header.clone(), with(&payload, "exp", 1000.into())),
            (header.clone(), with(&payload, "nbf", 1061.into())),
            (header.clone(), with(&payload, "nonce", Value::Null)),
            (header.clone(), with(&payload, "nonce", 7.into())),
            (header.clone(), json!({ "aud": HERE, "iat": 1000 })),
        ];
        for (header, payload) in cases {
            let refusal = check(&proof(&key, header.clone(), payload.clone()), HERE, 1000).unwrap_err();
            assert_eq!(refusal.error, "invalid_proof", "{header} {payload}");
        }
        for rubbish in ["", "a.b.c", "..", &"x".repeat(20_000)] {
            assert_eq!(check(rubbish, HERE, 1000).unwrap_err().error, "invalid_proof");
        }
    }

    #[test]
    fn nonces_are_known_again_until_they_end_and_no_other_text_is() {
        let nonces = Nonces::new([7; 32]);
        let nonce = nonces.mint(1000).unwrap();
        assert_ne!(nonce, nonces.mint(1000).unwrap());
        assert_eq!(nonces.mark(&nonce, 1000).unwrap().until, 1300);
        assert_eq!(nonces.mark(&nonce, 1300), None);
        assert_eq!(Nonces::new([8; 32]).mark(&nonce, 1000), None);
        for at in 0..nonce.len() {
            let mut bytes = nonce.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(nonces.mark(std::str::from_utf8(&bytes).unwrap(), 1000), None);
        }
        assert_eq!(nonces.mark("", 0), None);
    }
}
