//! Random handles, of which only digests are stored: who steals the store can redeem nothing.

use super::jose::b64;
use crate::deliver::wire_key::SIGNING_FAILED;
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use zeroize::Zeroizing;

/// A new handle: 256 random bits, 43 characters of base64url.
///
/// # Errors
/// `SEND-012` where the random source fails.
pub(super) fn mint() -> Outcome<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    openssl::rand::rand_bytes(&mut *bytes).map_err(|_| Fault::new(&SIGNING_FAILED))?;
    Ok(Zeroizing::new(b64(&*bytes)))
}

/// The digest under which a handle is stored; `kind` keeps one kind from being used as another.
pub(super) fn stored(kind: &str, handle: &str) -> Sha256 {
    let mut hasher = openssl::sha::Sha256::new();
    for part in ["hoso", kind, handle] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Sha256(hasher.finish())
}

/// Another handle out of one: who has the first can compute it, nobody can go back.
pub(super) fn derived(kind: &str, handle: &str) -> Zeroizing<String> {
    Zeroizing::new(b64(&stored(kind, handle).0))
}

/// HMAC-SHA-256.
///
/// # Errors
/// `SEND-012` where OpenSSL refuses.
pub(super) fn mac(key: &[u8], message: &[u8]) -> Outcome<[u8; 32]> {
    let failed = |_| Fault::new(&SIGNING_FAILED);
    let key = openssl::pkey::PKey::hmac(key).map_err(failed)?;
    let mut signer =
        openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).map_err(failed)?;
    let mut code = [0u8; 32];
    signer.sign_oneshot(&mut code, message).map_err(failed)?;
    Ok(code)
}
