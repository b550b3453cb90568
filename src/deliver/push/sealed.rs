//! A document that nobody after the office reads but whom it is for: compact JWE, ECDH-ES with A256GCM (RFC 7516, RFC 7518).
//!
//! Every attempt must send the same bytes, or the second would be a conflict with the first, and the receipt of one whose answer was
//! lost could not be checked. So the ephemeral key and the nonce are drawn from a digest over the document itself, the delivery and
//! the recipient's key, and from nothing that changes while a parcel waits (our own keys do). The digest of another delivery, key or
//! document is another one: no key meets two texts. Whoever holds the very document could recognise it, which the signed digest
//! beside it allows anyway; who does not hold it learns nothing.

use crate::deliver::credential::jose::Jwk;
use crate::deliver::credential::jwe::{ENCRYPTION_FAILED, Enc, Recipient};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use serde_json::Value;
use zeroize::Zeroizing;

/// The document as the JWE that goes over the wire.
///
/// # Errors
/// [`BAD_RECIPIENT_KEY`]; `SEND-063` where OpenSSL cannot.
pub(super) fn seal(pdf: &[u8], delivery_id: &Sha256, key: &Value) -> Outcome<String> {
    let kid = key.get("kid").and_then(Value::as_str).filter(|kid| kid.len() <= 256).map(str::to_owned);
    let key = Jwk::from_value(key).map_err(|_| Fault::new(&BAD_RECIPIENT_KEY))?;
    let mut hasher = openssl::sha::Sha512::new();
    for part in [b"hoso push jwe v1".as_slice(), &delivery_id.0, key.thumbprint().as_bytes(), pdf] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let drawn = Zeroizing::new(hasher.finish());
    let (scalar, rest) = drawn.split_at(48);
    let mut iv = [0u8; 12];
    iv.copy_from_slice(&rest[..12]);
    let ephemeral = ephemeral(scalar).map_err(|_| Fault::new(&ENCRYPTION_FAILED))?;
    Recipient { key, kid, enc: Enc::A256GCM }.encrypt_with(&ephemeral, iv, Some("application/pdf"), pdf)
}

/// The key of a number: 48 bytes, modulo the order less one, plus one (FIPS 186-5 A.2.1).
fn ephemeral(bytes: &[u8]) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new_secure()?;
    let mut order = BigNum::new()?;
    group.order(&mut order, &mut context)?;
    order.sub_word(1)?;
    let mut scalar = BigNum::new_secure()?;
    scalar.nnmod(&*BigNum::from_slice(bytes)?, &order, &mut context)?;
    scalar.add_word(1)?;
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &scalar, &mut context)?;
    PKey::from_ec_key(EcKey::from_private_components(&group, &scalar, &point)?)
}

/// A key that nothing can be encrypted to.
pub const BAD_RECIPIENT_KEY: Code = Code {
    id: "SEND-037",
    class: Class::Person,
    vi: "Khóa mã hóa mà ví của người nhận cung cấp không dùng được",
    en: "the key that the recipient's wallet gave cannot be encrypted to",
    remedy_vi: "Xin lại khóa công khai của ví (JWK, P-256), hoặc giao tại quầy; không gửi bản rõ thay thế",
    remedy_en: "ask for the wallet's public key again (a JWK on P-256) or hand it over at the desk; it is not sent in the clear instead",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::credential::jwe::decrypt;

    fn pair() -> (PKey<Private>, Value) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let jwk = Jwk::of(&*key).unwrap().value();
        (key, jwk)
    }

    #[test]
    fn every_attempt_seals_the_same_bytes_and_no_two_things_share_a_key() {
        let ((key, jwk), (other, elsewhere)) = (pair(), pair());
        let (first, second) = (Sha256::of(b"1"), Sha256::of(b"2"));
        let text = seal(b"%PDF-1.7", &first, &jwk).unwrap();
        assert_eq!(seal(b"%PDF-1.7", &first, &jwk).unwrap(), text);
        assert_eq!(&decrypt(&text, &key).unwrap().1[..], b"%PDF-1.7");
        assert!(decrypt(&text, &other).is_err());
        let head = |text: &str| text.split('.').next().unwrap().to_owned();
        for changed in [
            seal(b"%PDF-1.8", &first, &jwk).unwrap(),
            seal(b"%PDF-1.7", &second, &jwk).unwrap(),
            seal(b"%PDF-1.7", &first, &elsewhere).unwrap(),
        ] {
            assert_ne!(head(&changed), head(&text));
        }
    }

    #[test]
    fn a_key_that_is_none_stops_the_parcel_and_is_never_a_reason_to_send_it_in_the_clear() {
        for bad in
            [Value::Null, serde_json::json!({"kty": "RSA"}), serde_json::json!({"kty": "EC", "crv": "P-521"})]
        {
            assert_eq!(seal(b"x", &Sha256::of(b"1"), &bad).unwrap_err().code, &BAD_RECIPIENT_KEY);
        }
    }
}
