//! Whom a document is for, in 64 digits that say nothing to anyone else.

use crate::fault::{Class, Code, Fault, Outcome};
use std::fmt;

/// A recipient as a receiver knows them: 64 hexadecimal digits that say nothing to anyone else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecipientHandle(String);

impl RecipientHandle {
    /// HMAC-SHA256 of a recipient's identity under a key that station and receiver share, so that numbers cannot be
    /// guessed back. The same recipient always has the same handle, whatever happens to signature keys.
    ///
    /// # Errors
    /// [`NOT_A_HANDLE`] when OpenSSL cannot.
    pub fn derive(key: &[u8; 32], identity: &str) -> Outcome<Self> {
        let unable = |_| Fault::new(&NOT_A_HANDLE);
        let hmac_key = openssl::pkey::PKey::hmac(key).map_err(unable)?;
        let mut signer =
            openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &hmac_key).map_err(unable)?;
        Ok(RecipientHandle(hex::encode(signer.sign_oneshot_to_vec(identity.as_bytes()).map_err(unable)?)))
    }

    /// A handle that was stored.
    ///
    /// # Errors
    /// [`NOT_A_HANDLE`] unless it is 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Outcome<Self> {
        let hexadecimal = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hexadecimal { Ok(RecipientHandle(text.to_owned())) } else { Err(Fault::new(&NOT_A_HANDLE)) }
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecipientHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientHandle({}…)", self.0.get(..8).unwrap_or_default())
    }
}

/// Not a recipient handle.
pub const NOT_A_HANDLE: Code = Code {
    id: "SEND-036",
    class: Class::Setup,
    vi: "Mã người nhận không hợp lệ",
    en: "the recipient handle is not valid",
    remedy_vi: "Mã người nhận gồm 64 chữ số thập lục phân viết thường",
    remedy_en: "a recipient handle is 64 lower-case hexadecimal digits",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_stable_opaque_and_only_ever_64_digits() {
        let handle = RecipientHandle::derive(&[1; 32], "001099000001").unwrap();
        assert_eq!(handle, RecipientHandle::derive(&[1; 32], "001099000001").unwrap());
        assert_ne!(handle, RecipientHandle::derive(&[2; 32], "001099000001").unwrap());
        assert_eq!(RecipientHandle::parse(handle.as_str()).unwrap(), handle);
        for bad in ["", "001099000001", &"A".repeat(64), &"g".repeat(64)] {
            assert_eq!(RecipientHandle::parse(bad).unwrap_err().code, &NOT_A_HANDLE);
        }
    }
}
