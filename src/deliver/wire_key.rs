//! Keys of the wire: what signs requests (RFC 9421) and receipts (RFC 7515), ECDSA P-256 or Ed25519.
//!
//! Both formats want the same 64 raw bytes: `r ‖ s`, 32 bytes each, for P-256 (RFC 9421 3.3.4, RFC 7518 3.4),
//! the plain signature for Ed25519 (RFC 9421 3.3.6, RFC 8037 3.1). A key is called by the SHA-256 of its
//! SubjectPublicKeyInfo unless the other side knows it by another name.

use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::bn::BigNum;
use openssl::ec::EcGroup;
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::sign::{Signer, Verifier};
use openssl::x509::X509;
use std::fmt;

/// Which of the two algorithms a key speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The name in RFC 9421's registry of signature algorithms.
    pub fn http_name(self) -> &'static str {
        match self {
            KeyKind::P256 => "ecdsa-p256-sha256",
            KeyKind::Ed25519 => "ed25519",
        }
    }

    /// The name in the JOSE registry (RFC 7518, RFC 8037).
    pub fn jose_name(self) -> &'static str {
        match self {
            KeyKind::P256 => "ES256",
            KeyKind::Ed25519 => "EdDSA",
        }
    }
}

/// A private key that signs requests or receipts.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    kind: KeyKind,
    id: String,
}

/// A public key that is pinned: receipts of a sink, requests of a sender.
#[derive(Clone)]
pub struct VerifyingKey {
    key: PKey<Public>,
    kind: KeyKind,
    id: String,
}

impl SigningKey {
    /// Reads a private key, PKCS#8 or SEC 1, PEM, without a password.
    ///
    /// # Errors
    /// [`KEY_UNREADABLE`], [`KEY_KIND`] for anything but P-256 and Ed25519.
    pub fn from_pem(pem: &[u8]) -> Outcome<Self> {
        // An empty password keeps OpenSSL from asking on the terminal.
        let key = PKey::private_key_from_pem_passphrase(pem, b"").map_err(|_| Fault::new(&KEY_UNREADABLE))?;
        Self::new(key)
    }

    /// Takes a key that is already open.
    ///
    /// # Errors
    /// [`KEY_KIND`] for anything but P-256 and Ed25519.
    pub fn new(key: PKey<Private>) -> Outcome<Self> {
        let kind = kind_of(&key)?;
        let id = id_of(&key)?;
        Ok(SigningKey { key, kind, id })
    }

    /// Mints a new P-256 key, for training and tests.
    ///
    /// # Errors
    /// [`SIGNING_FAILED`] when OpenSSL cannot.
    pub fn mint() -> Outcome<Self> {
        let minted = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
            .and_then(|group| openssl::ec::EcKey::generate(&group))
            .and_then(PKey::from_ec_key)
            .map_err(|_| Fault::new(&SIGNING_FAILED))?;
        Self::new(minted)
    }

    /// The private key as PKCS#8 PEM, to be stored by whoever minted it.
    ///
    /// # Errors
    /// [`SIGNING_FAILED`] when OpenSSL cannot write it.
    pub fn private_pem(&self) -> Outcome<zeroize::Zeroizing<Vec<u8>>> {
        let pem = self.key.private_key_to_pem_pkcs8().map_err(|_| Fault::new(&SIGNING_FAILED))?;
        Ok(zeroize::Zeroizing::new(pem))
    }

    /// The public half.
    ///
    /// # Errors
    /// [`SIGNING_FAILED`] when OpenSSL cannot write it.
    pub fn public(&self) -> Outcome<VerifyingKey> {
        let spki = self.key.public_key_to_der().map_err(|_| Fault::new(&SIGNING_FAILED))?;
        VerifyingKey::new(PKey::public_key_from_der(&spki).map_err(|_| Fault::new(&SIGNING_FAILED))?)
    }

    /// Signs; 64 raw bytes.
    ///
    /// # Errors
    /// [`SIGNING_FAILED`] when OpenSSL cannot.
    pub fn sign(&self, message: &[u8]) -> Outcome<[u8; 64]> {
        let raw = match self.kind {
            KeyKind::P256 => self.sign_p256(message),
            KeyKind::Ed25519 => {
                Signer::new_without_digest(&self.key).and_then(|mut s| s.sign_oneshot_to_vec(message))
            }
        };
        raw.ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok()).ok_or_else(|| Fault::new(&SIGNING_FAILED))
    }

    fn sign_p256(&self, message: &[u8]) -> Result<Vec<u8>, openssl::error::ErrorStack> {
        let ec = self.key.ec_key()?;
        let signature = EcdsaSig::sign(&openssl::sha::sha256(message), &ec)?;
        let mut raw = signature.r().to_vec_padded(32)?;
        raw.extend(signature.s().to_vec_padded(32)?);
        Ok(raw)
    }

    /// The same key under the name that the other side knows it by.
    ///
    /// # Errors
    /// [`KEY_NAME`] unless it is 1 to 128 letters, digits, `-`, `_`, `.`, `:`, `/` or `@`.
    pub fn named(self, id: &str) -> Outcome<Self> {
        Ok(Self { id: name(id)?, ..self })
    }

    /// Which algorithm it speaks.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its name; unless it was [`named`](Self::named), SHA-256 of the SubjectPublicKeyInfo, 64 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl VerifyingKey {
    /// Reads a certificate or a public key (SubjectPublicKeyInfo), PEM. Of a certificate only the key counts:
    /// it is pinned, so neither its names nor its dates are looked at.
    ///
    /// # Errors
    /// [`KEY_UNREADABLE`], [`KEY_KIND`] for anything but P-256 and Ed25519.
    pub fn from_pem(pem: &[u8]) -> Outcome<Self> {
        let key = PKey::public_key_from_pem(pem)
            .or_else(|_| X509::from_pem(pem).and_then(|certificate| certificate.public_key()))
            .map_err(|_| Fault::new(&KEY_UNREADABLE))?;
        Self::new(key)
    }

    fn new(key: PKey<Public>) -> Outcome<Self> {
        let kind = kind_of(&key)?;
        let id = id_of(&key)?;
        Ok(VerifyingKey { key, kind, id })
    }

    /// True where 64 raw bytes are this key's signature of the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() != 64 {
            return false;
        }
        let judged = match self.kind {
            KeyKind::P256 => self.verify_p256(message, signature),
            KeyKind::Ed25519 => {
                Verifier::new_without_digest(&self.key).and_then(|mut v| v.verify_oneshot(signature, message))
            }
        };
        matches!(judged, Ok(true))
    }

    fn verify_p256(&self, message: &[u8], raw: &[u8]) -> Result<bool, openssl::error::ErrorStack> {
        let (r, s) = raw.split_at(32);
        let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
        signature.verify(&openssl::sha::sha256(message), &*self.key.ec_key()?)
    }

    /// The key as SubjectPublicKeyInfo PEM.
    ///
    /// # Errors
    /// [`SIGNING_FAILED`] when OpenSSL cannot write it.
    pub fn pem(&self) -> Outcome<Vec<u8>> {
        self.key.public_key_to_pem().map_err(|_| Fault::new(&SIGNING_FAILED))
    }

    /// The same key under the name that the other side knows it by.
    ///
    /// # Errors
    /// [`KEY_NAME`] unless it is 1 to 128 letters, digits, `-`, `_`, `.`, `:`, `/` or `@`.
    pub fn named(self, id: &str) -> Outcome<Self> {
        Ok(Self { id: name(id)?, ..self })
    }

    /// Which algorithm it speaks.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its name; unless it was [`named`](Self::named), SHA-256 of the SubjectPublicKeyInfo, 64 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn name(id: &str) -> Outcome<String> {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b));
    if plain && (1..=128).contains(&id.len()) { Ok(id.to_owned()) } else { Err(Fault::new(&KEY_NAME)) }
}

fn kind_of<T: HasPublic>(key: &PKeyRef<T>) -> Outcome<KeyKind> {
    match key.id() {
        Id::ED25519 => Ok(KeyKind::Ed25519),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|ec| ec.group().curve_name());
            if curve == Some(Nid::X9_62_PRIME256V1) {
                Ok(KeyKind::P256)
            } else {
                Err(Fault::new(&KEY_KIND).detail("an elliptic curve other than P-256"))
            }
        }
        _ => Err(Fault::new(&KEY_KIND)),
    }
}

fn id_of<T: HasPublic>(key: &PKeyRef<T>) -> Outcome<String> {
    let spki = key.public_key_to_der().map_err(|_| Fault::new(&KEY_UNREADABLE))?;
    Ok(Sha256::of(&spki).to_string())
}

/// A key file that OpenSSL cannot read.
pub const KEY_UNREADABLE: Code = Code {
    id: "SEND-010",
    class: Class::Setup,
    vi: "Không đọc được khóa dùng để gửi nhận",
    en: "the delivery key cannot be read",
    remedy_vi: "Kiểm tra tệp khóa: định dạng PEM, không đặt mật khẩu",
    remedy_en: "check the key file: PEM, without a password",
};

/// A key of an algorithm that the wire does not speak.
pub const KEY_KIND: Code = Code {
    id: "SEND-011",
    class: Class::Setup,
    vi: "Loại khóa không dùng được cho việc gửi nhận",
    en: "the delivery key is of a kind that cannot be used",
    remedy_vi: "Dùng khóa ECDSA P-256 hoặc Ed25519",
    remedy_en: "use an ECDSA P-256 or an Ed25519 key",
};

/// A key's name that the wire cannot carry.
pub const KEY_NAME: Code = Code {
    id: "SEND-013",
    class: Class::Setup,
    vi: "Tên khóa không hợp lệ",
    en: "the key's name is not valid",
    remedy_vi: "Dùng 1 đến 128 chữ cái không dấu, chữ số hoặc các dấu - _ . : / @",
    remedy_en: "use 1 to 128 letters, digits or the signs - _ . : / @",
};

/// OpenSSL refused to sign or to write a key.
pub const SIGNING_FAILED: Code = Code {
    id: "SEND-012",
    class: Class::Inner,
    vi: "Không ký được gói tin gửi đi",
    en: "the message could not be signed",
    remedy_vi: "Báo cho người phát triển phần mềm",
    remedy_en: "report this to the developers",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_key_sign_what_their_public_half_verifies() {
        for key in [SigningKey::mint().unwrap(), SigningKey::new(PKey::generate_ed25519().unwrap()).unwrap()]
        {
            let public = key.public().unwrap();
            let mut signature = key.sign(b"bytes").unwrap();
            assert!(public.verifies(b"bytes", &signature));
            assert!(!public.verifies(b"other", &signature));
            assert!(!public.verifies(b"bytes", &signature[..63]));
            signature[7] ^= 1;
            assert!(!public.verifies(b"bytes", &signature));
            assert_eq!(key.id(), public.id());
            assert_eq!(VerifyingKey::from_pem(&public.pem().unwrap()).unwrap().id(), key.id());
            assert_eq!(SigningKey::from_pem(&key.private_pem().unwrap()).unwrap().id(), key.id());
        }
    }

    #[test]
    fn an_rsa_key_and_rubbish_are_refused_and_debug_shows_no_key() {
        let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
        assert_eq!(SigningKey::new(rsa).unwrap_err().code, &KEY_KIND);
        assert_eq!(SigningKey::from_pem(b"rubbish").unwrap_err().code, &KEY_UNREADABLE);
        assert_eq!(VerifyingKey::from_pem(b"rubbish").unwrap_err().code, &KEY_UNREADABLE);
        assert!(!format!("{:?}", SigningKey::mint().unwrap()).contains("PRIVATE"));
    }
}
