//! The transaction code of an offer: what the citizen is told apart from the link.

use crate::deliver::credential::secret;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// A transaction code as it is stored: keyed with the pre-authorized code, which is stored nowhere, so that whoever steals
/// the store cannot try all numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredPin {
    salt: Sha256,
    code: Sha256,
    /// How many digits.
    pub digits: u8,
}

impl StoredPin {
    /// Hashes a PIN.
    ///
    /// # Errors
    /// [`BAD_PIN`] unless it is 4 to 10 digits.
    pub fn new(pin: &str, pre_authorized_code: &str) -> Outcome<Self> {
        let digits = u8::try_from(pin.len()).unwrap_or(0);
        if !(4..=10).contains(&digits) || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::new(&BAD_PIN));
        }
        let salt = secret::stored("salt", &secret::mint()?);
        Ok(StoredPin { salt, code: Self::hash(&salt, pin, pre_authorized_code)?, digits })
    }

    fn hash(salt: &Sha256, pin: &str, pre_authorized_code: &str) -> Outcome<Sha256> {
        let message = [&salt.0[..], pin.as_bytes()].concat();
        secret::mac(pre_authorized_code.as_bytes(), &message).map(Sha256)
    }

    pub(super) fn is(&self, pin: &str, pre_authorized_code: &str) -> bool {
        Self::hash(&self.salt, pin, pre_authorized_code)
            .is_ok_and(|code| openssl::memcmp::eq(&code.0, &self.code.0))
    }
}

/// A transaction code that is none.
pub const BAD_PIN: Code = Code {
    id: "SEND-070",
    class: Class::Input,
    vi: "Mã PIN không hợp lệ",
    en: "the PIN is not valid",
    remedy_vi: "Dùng 4 đến 10 chữ số, hoặc bỏ trống để hệ thống tự đặt",
    remedy_en: "use 4 to 10 digits, or leave it out to have one made",
};
