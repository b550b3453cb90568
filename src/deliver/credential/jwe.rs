//! Compact JWE with ECDH-ES straight to the content key (RFC 7516, RFC 7518 4.6): what is meant for a wallet is
//! unreadable to everyone after the office.

use super::jose::{self, Jwk, Object, b64, unb64};
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// How the content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Enc {
    /// AES-GCM with 128 bits.
    A128GCM,
    /// AES-GCM with 256 bits.
    A256GCM,
}

impl Enc {
    /// Reads the name of RFC 7518 5.1.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "A128GCM" => Some(Enc::A128GCM),
            "A256GCM" => Some(Enc::A256GCM),
            _ => None,
        }
    }

    /// The name of RFC 7518 5.1.
    pub fn name(self) -> &'static str {
        match self {
            Enc::A128GCM => "A128GCM",
            Enc::A256GCM => "A256GCM",
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Enc::A128GCM => 16,
            Enc::A256GCM => 32,
        }
    }

    fn cipher(self) -> Cipher {
        match self {
            Enc::A128GCM => Cipher::aes_128_gcm(),
            Enc::A256GCM => Cipher::aes_256_gcm(),
        }
    }
}

/// Whom to encrypt for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recipient {
    /// The wallet's key for this.
    pub key: Jwk,
    /// Its name, where the wallet gave it one; repeated to the wallet.
    pub kid: Option<String>,
    /// How.
    pub enc: Enc,
}

impl Recipient {
    /// Encrypts; `content_type` becomes `cty`. The result is one line of base64url parts.
    ///
    /// # Errors
    /// [`ENCRYPTION_FAILED`] where OpenSSL cannot.
    pub fn encrypt(&self, content_type: Option<&str>, plain: &[u8]) -> Outcome<String> {
        let failed = |_| Fault::new(&ENCRYPTION_FAILED);
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(failed)?;
        let ephemeral = EcKey::generate(&group).and_then(PKey::from_ec_key).map_err(failed)?;
        let mut iv = [0u8; 12];
        openssl::rand::rand_bytes(&mut iv).map_err(failed)?;
        self.encrypt_with(&ephemeral, iv, content_type, plain)
    }

    /// The same with a key and a nonce that the caller answers for: they must never be used for anything else.
    ///
    /// # Errors
    /// [`ENCRYPTION_FAILED`] where OpenSSL cannot.
    pub(in crate::deliver) fn encrypt_with(
        &self,
        ephemeral: &PKey<Private>,
        iv: [u8; 12],
        content_type: Option<&str>,
        plain: &[u8],
    ) -> Outcome<String> {
        let failed = |_| Fault::new(&ENCRYPTION_FAILED);
        let mut header = Object::new();
        header.insert("alg".into(), "ECDH-ES".into());
        header.insert("enc".into(), self.enc.name().into());
        header.insert("epk".into(), Jwk::of(&**ephemeral)?.value());
        if let Some(kid) = &self.kid {
            header.insert("kid".into(), kid.as_str().into());
        }
        if let Some(kind) = content_type {
            header.insert("cty".into(), kind.into());
        }
        let protected = b64(Value::Object(header).to_string().as_bytes());
        let public = self.key.ec_key().and_then(PKey::from_ec_key).map_err(failed)?;
        let key = agree(ephemeral, &public, self.enc, &[], &[]).map_err(failed)?;
        let mut tag = [0u8; 16];
        let body = encrypt_aead(self.enc.cipher(), &key, Some(&iv), protected.as_bytes(), plain, &mut tag)
            .map_err(failed)?;
        Ok(format!("{protected}..{}.{}.{}", b64(&iv), b64(&body), b64(&tag)))
    }
}

/// Decrypts a compact JWE that was made for `key`; gives the protected header and the content.
///
/// # Errors
/// [`UNDECRYPTABLE`] for whatever is wrong with it: which, an attacker is not told.
pub fn decrypt(compact: &str, key: &PKey<Private>) -> Outcome<(Object, Zeroizing<Vec<u8>>)> {
    read(compact, key).ok_or_else(|| Fault::new(&UNDECRYPTABLE))
}

fn read(compact: &str, key: &PKey<Private>) -> Option<(Object, Zeroizing<Vec<u8>>)> {
    let mut parts = compact.split('.');
    let (protected, wrapped) = (parts.next()?, parts.next()?);
    let (iv, body, tag) = (unb64(parts.next()?)?, unb64(parts.next()?)?, unb64(parts.next()?)?);
    if parts.next().is_some() || !wrapped.is_empty() || iv.len() != 12 || tag.len() != 16 {
        return None;
    }
    let header = jose::object(&unb64(protected)?)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("alg") != Some("ECDH-ES") || header.contains_key("crit") || header.contains_key("zip") {
        return None;
    }
    let enc = Enc::parse(text("enc")?)?;
    let party = |name: &str| match header.get(name) {
        None => Some(Vec::new()),
        Some(value) => unb64(value.as_str()?).filter(|bytes| bytes.len() <= 256),
    };
    let ephemeral = Jwk::from_value(header.get("epk")?).ok()?.ec_key().and_then(PKey::from_ec_key).ok()?;
    let content_key = agree(key, &ephemeral, enc, &party("apu")?, &party("apv")?).ok()?;
    let plain =
        decrypt_aead(enc.cipher(), &content_key, Some(&iv), protected.as_bytes(), &body, &tag).ok()?;
    Some((header, Zeroizing::new(plain)))
}

/// ECDH, then the Concat KDF with SHA-256 (NIST SP 800-56A 5.8.1 as RFC 7518 4.6.2 fills it in); one round gives
/// as many as 32 bytes.
fn agree(
    ours: &PKey<Private>,
    theirs: &PKey<Public>,
    enc: Enc,
    apu: &[u8],
    apv: &[u8],
) -> Result<Zeroizing<Vec<u8>>, openssl::error::ErrorStack> {
    let mut deriver = Deriver::new(ours)?;
    deriver.set_peer(theirs)?;
    let shared = Zeroizing::new(deriver.derive_to_vec()?);
    let mut kdf = openssl::sha::Sha256::new();
    kdf.update(&1u32.to_be_bytes());
    kdf.update(&shared);
    for part in [enc.name().as_bytes(), apu, apv] {
        // None of them is longer than 256 bytes.
        kdf.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        kdf.update(part);
    }
    let bits: u32 = match enc {
        Enc::A128GCM => 128,
        Enc::A256GCM => 256,
    };
    kdf.update(&bits.to_be_bytes());
    let mut key = Zeroizing::new(kdf.finish().to_vec());
    key.truncate(enc.key_bytes());
    Ok(key)
}

/// Reads the `credential_response_encryption` of OpenID4VCI 1.0, 8.2: `jwk` with its `alg`, and `enc`. An `alg` beside
/// them, as drafts had it, is taken too.
///
/// # Errors
/// [`BAD_ENCRYPTION`].
pub fn recipient(wish: &Value) -> Outcome<Recipient> {
    let wrong = |what: &'static str| Fault::new(&BAD_ENCRYPTION).detail(what);
    let jwk = wish.get("jwk").ok_or_else(|| wrong("jwk"))?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let alg = text(jwk, "alg").or_else(|| text(wish, "alg"));
    if alg.as_deref() != Some("ECDH-ES") {
        return Err(wrong("alg"));
    }
    if text(jwk, "use").is_some_and(|usage| usage != "enc") {
        return Err(wrong("use"));
    }
    if wish.get("zip").is_some() {
        return Err(wrong("zip"));
    }
    let enc = text(wish, "enc").as_deref().and_then(Enc::parse).ok_or_else(|| wrong("enc"))?;
    let kid = text(jwk, "kid").filter(|kid| kid.len() <= 256);
    Ok(Recipient { key: Jwk::from_value(jwk).map_err(|_| wrong("jwk"))?, kid, enc })
}

/// The metadata that tells wallets what [`recipient`] takes.
pub fn supported() -> Value {
    json!({ "alg_values_supported": ["ECDH-ES"], "enc_values_supported": ["A256GCM", "A128GCM"], "encryption_required": false })
}

/// OpenSSL refused to encrypt.
pub const ENCRYPTION_FAILED: Code = Code {
    id: "SEND-063",
    class: Class::Inner,
    vi: "Không mã hóa được cho ví",
    en: "it could not be encrypted for the wallet",
    remedy_vi: "Báo cho người phát triển phần mềm",
    remedy_en: "report this to the developers",
};

/// A message that was not encrypted for us, or was changed.
pub const UNDECRYPTABLE: Code = Code {
    id: "SEND-064",
    class: Class::Input,
    vi: "Không giải mã được thông điệp",
    en: "the message cannot be decrypted",
    remedy_vi: "Ví phải mã hóa bằng khóa hiện hành trong siêu dữ liệu, ECDH-ES và A256GCM",
    remedy_en: "the wallet must use the current key of the metadata, ECDH-ES and A256GCM",
};

/// A wish for encryption that cannot be met.
pub const BAD_ENCRYPTION: Code = Code {
    id: "SEND-065",
    class: Class::Input,
    vi: "Không đáp ứng được cách mã hóa mà ví yêu cầu",
    en: "the encryption that the wallet asks for cannot be done",
    remedy_vi: "Ví phải nêu khóa P-256 với alg ECDH-ES và enc A256GCM hoặc A128GCM",
    remedy_en: "the wallet must name a P-256 key with alg ECDH-ES and enc A256GCM or A128GCM",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (PKey<Private>, Jwk) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let jwk = Jwk::of(&*key).unwrap();
        (key, jwk)
    }

    #[test]
    fn the_key_agreement_is_that_of_rfc_7518_appendix_c() {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let bob = Jwk::from_value(
            &json!({"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
            "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}),
        )
        .unwrap()
        .ec_key()
        .unwrap();
        let alice = Jwk::from_value(
            &json!({"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}),
        )
        .unwrap()
        .ec_key()
        .unwrap();
        let d =
            openssl::bn::BigNum::from_slice(&unb64("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo").unwrap())
                .unwrap();
        let alice = EcKey::from_private_components(&group, &d, alice.public_key()).unwrap();
        let key = agree(
            &PKey::from_ec_key(alice).unwrap(),
            &PKey::from_ec_key(bob).unwrap(),
            Enc::A128GCM,
            b"Alice",
            b"Bob",
        )
        .unwrap();
        assert_eq!(b64(&key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn what_is_encrypted_reads_back_with_its_key_only() {
        let (key, jwk) = pair();
        for enc in [Enc::A128GCM, Enc::A256GCM] {
            let text = Recipient { key: jwk.clone(), kid: Some("k1".into()), enc }
                .encrypt(Some("application/pdf"), b"plain")
                .unwrap();
            let (header, plain) = decrypt(&text, &key).unwrap();
            assert_eq!(
                (&plain[..], &header["kid"], &header["cty"]),
                (&b"plain"[..], &json!("k1"), &json!("application/pdf"))
            );
            assert_eq!(decrypt(&text, &pair().0).unwrap_err().code, &UNDECRYPTABLE);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_or_a_part_too_few_is_never_decrypted() {
        let (key, jwk) = pair();
        let text = Recipient { key: jwk, kid: None, enc: Enc::A256GCM }.encrypt(None, b"plain text").unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(decrypt(&changed, &key).is_err(), "{at}");
            }
            assert!(decrypt(&text[..at], &key).is_err(), "{at}");
        }
    }

    #[test]
    fn wishes_that_cannot_be_met_are_refused() {
        let (_, jwk) = pair();
        let mut jwk = jwk.value();
        jwk["alg"] = "ECDH-ES".into();
        jwk["kid"] = "k".into();
        let good = json!({ "jwk": jwk, "enc": "A256GCM" });
        assert_eq!(recipient(&good).unwrap().kid.as_deref(), Some("k"));
        let with = |pointer: &str, value: Value| {
            let mut wish = good.clone();
            *wish.pointer_mut(pointer).unwrap() = value;
            wish
        };
        let mut zipped = good.clone();
        zipped["zip"] = "DEF".into();
        for bad in [
            with("/enc", "A256CBC-HS512".into()),
            with("/jwk/alg", "RSA-OAEP".into()),
            with("/jwk/crv", "P-521".into()),
            with("/jwk", Value::Null),
            zipped,
            json!("x"),
        ] {
            assert_eq!(recipient(&bad).unwrap_err().code, &BAD_ENCRYPTION, "{bad}");
        }
    }
}
