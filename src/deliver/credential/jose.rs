//! Keys and signatures as wallets write them: JWK on P-256 (RFC 7517, RFC 7518 6.2), compact JWS with ES256 (RFC 7515),
//! thumbprints (RFC 7638).
//!
//! What comes in is read strictly: base64url in its one spelling, no member of an object twice, no key that carries
//! its private half, no algorithm but ES256.

use crate::deliver::wire_key::{KEY_KIND, KeyKind, SIGNING_FAILED, SigningKey};
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcGroupRef, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Public};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::OnceLock;

/// A JSON object.
pub type Object = Map<String, Value>;

/// Largest compact JWS that is read, bytes.
pub const LARGEST_JWS: usize = 256 * 1024;

/// A public key on P-256; its point was found to lie on the curve.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    x: [u8; 32],
    y: [u8; 32],
}

impl Jwk {
    /// Reads a JWK.
    ///
    /// # Errors
    /// [`BAD_JWK`] for another kind of key, a point off the curve, a coordinate that is not 32 bytes, and for a key
    /// that carries private or symmetric members.
    pub fn from_value(value: &Value) -> Outcome<Self> {
        let wrong = |what: &'static str| Fault::new(&BAD_JWK).detail(what);
        let object = value.as_object().ok_or_else(|| wrong("not an object"))?;
        if PRIVATE_MEMBERS.iter().any(|member| object.contains_key(*member)) {
            return Err(wrong("private members"));
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        if text("kty") != Some("EC") || text("crv") != Some("P-256") {
            return Err(wrong("not a key on P-256"));
        }
        let coordinate = |name: &str| text(name).and_then(unb64).and_then(|b| <[u8; 32]>::try_from(b).ok());
        let (Some(x), Some(y)) = (coordinate("x"), coordinate("y")) else {
            return Err(wrong("coordinates"));
        };
        let jwk = Jwk { x, y };
        jwk.ec_key().map_err(|_| wrong("a point off the curve"))?;
        Ok(jwk)
    }

    /// The public half of a key that OpenSSL holds.
    ///
    /// # Errors
    /// [`KEY_KIND`] unless it is on P-256.
    pub fn of<T: HasPublic>(key: &PKeyRef<T>) -> Outcome<Self> {
        let read = || -> Option<Jwk> {
            let ec = key.ec_key().ok()?;
            if ec.group().curve_name() != Some(Nid::X9_62_PRIME256V1) {
                return None;
            }
            let mut context = BigNumContext::new().ok()?;
            let (mut x, mut y) = (BigNum::new().ok()?, BigNum::new().ok()?);
            ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).ok()?;
            let padded = |n: &BigNum| <[u8; 32]>::try_from(n.to_vec_padded(32).ok()?).ok();
            Some(Jwk { x: padded(&x)?, y: padded(&y)? })
        };
        read().ok_or_else(|| Fault::new(&KEY_KIND))
    }

    /// The public half of a key that signs credentials.
    ///
    /// # Errors
    /// [`KEY_KIND`] unless it is on P-256.
    pub fn of_signer(key: &SigningKey) -> Outcome<Self> {
        let pem = key.public()?.pem()?;
        Self::of(&*PKey::public_key_from_pem(&pem).map_err(|_| Fault::new(&KEY_KIND))?)
    }

    /// The members that RFC 7638 wants and no others.
    pub fn value(&self) -> Value {
        json!({ "crv": "P-256", "kty": "EC", "x": b64(&self.x), "y": b64(&self.y) })
    }

    /// RFC 7638, SHA-256, base64url.
    pub fn thumbprint(&self) -> String {
        let canonical =
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64(&self.x), b64(&self.y));
        b64(&openssl::sha::sha256(canonical.as_bytes()))
    }

    pub(super) fn ec_key(&self) -> Result<EcKey<Public>, openssl::error::ErrorStack> {
        // As a point and not as coordinates: both look whether it lies on the curve, which is all there is to look at where the
        // cofactor is 1; the latter also multiplies it by the group's order, which costs as much as a verification.
        let group = p256()?;
        let uncompressed = [&[4][..], &self.x, &self.y].concat();
        let point = EcPoint::from_bytes(group, &uncompressed, &mut *BigNumContext::new()?)?;
        EcKey::from_public_key(group, &point)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let judge = || -> Result<bool, openssl::error::ErrorStack> {
            let (r, s) = signature.split_at(32);
            let signature =
                EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
            signature.verify(&openssl::sha::sha256(message), &*self.ec_key()?)
        };
        signature.len() == 64 && matches!(judge(), Ok(true))
    }
}

/// The group, built once.
fn p256() -> Result<&'static EcGroupRef, openssl::error::ErrorStack> {
    static GROUP: OnceLock<EcGroup> = OnceLock::new();
    if let Some(group) = GROUP.get() {
        return Ok(group);
    }
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(GROUP.get_or_init(|| group))
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.thumbprint())
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Jwk::from_value(&value).map_err(serde::de::Error::custom)
    }
}

/// A compact JWS taken apart; nothing in it is proven before [`Jws::verify`].
#[derive(Debug)]
pub struct Jws<'a> {
    /// The protected header.
    pub header: Object,
    /// The payload, an object.
    pub payload: Object,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// [`BAD_JWS`] for anything but three parts, of which the first two are JSON objects.
    pub fn read(compact: &'a str) -> Outcome<Self> {
        let wrong = |what: &'static str| Fault::new(&BAD_JWS).detail(what);
        if compact.len() > LARGEST_JWS {
            return Err(wrong("too long"));
        }
        let (signed, signature) = compact.rsplit_once('.').ok_or_else(|| wrong("not three parts"))?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| wrong("not three parts"))?;
        if payload.contains('.') {
            return Err(wrong("not three parts"));
        }
        let part = |text: &str| unb64(text).and_then(|bytes| object(&bytes));
        Ok(Jws {
            header: part(header).ok_or_else(|| wrong("the header is no object"))?,
            payload: part(payload).ok_or_else(|| wrong("the payload is no object"))?,
            signed: signed.as_bytes(),
            signature: unb64(signature).ok_or_else(|| wrong("the signature is not base64url"))?,
        })
    }

    /// Checks type, algorithm and signature. `typ` is compared without regard to case and to `application/`.
    ///
    /// # Errors
    /// [`BAD_JWS`] for another `typ` or `alg`, or with `crit`; [`BAD_SIGNATURE`].
    pub fn verify(&self, typ: &str, key: &Jwk) -> Outcome<()> {
        let text = |name: &str| self.header.get(name).and_then(Value::as_str);
        let given = text("typ").unwrap_or("").to_ascii_lowercase();
        if given.strip_prefix("application/").unwrap_or(&given) != typ {
            return Err(Fault::new(&BAD_JWS).detail("typ"));
        }
        if text("alg") != Some("ES256") {
            return Err(Fault::new(&BAD_JWS).detail("alg"));
        }
        if self.header.contains_key("crit") {
            return Err(Fault::new(&BAD_JWS).detail("crit"));
        }
        if key.verifies(self.signed, &self.signature) { Ok(()) } else { Err(Fault::new(&BAD_SIGNATURE)) }
    }
}

/// A compact JWS with ES256; `alg` is put into the header.
///
/// # Errors
/// [`KEY_KIND`] for a key that is not on P-256; [`SIGNING_FAILED`].
pub fn sign(mut header: Object, payload: &Object, key: &SigningKey) -> Outcome<String> {
    if key.kind() != KeyKind::P256 {
        return Err(Fault::new(&KEY_KIND));
    }
    header.insert("alg".into(), "ES256".into());
    let text = |value: &Object| serde_json::to_vec(value).map_err(|_| Fault::new(&SIGNING_FAILED));
    let mut compact = format!("{}.{}", b64(&text(&header)?), b64(&text(payload)?));
    let signature = key.sign(compact.as_bytes())?;
    compact.push('.');
    compact.push_str(&b64(&signature));
    Ok(compact)
}

/// base64url without padding (RFC 7515, 2).
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a base64url text; `None` for padding, white space and bits that no bytes stand behind.
pub fn unb64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A JSON object in which no object, however deep, has a member twice (RFC 7515 4, RFC 7519 4).
pub fn object(bytes: &[u8]) -> Option<Object> {
    match value(bytes)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// As [`object`], for any JSON value.
pub fn value(bytes: &[u8]) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Unique.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Reads any JSON value and refuses a member that comes twice.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Unique)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = map.next_key::<String>()? {
            if object.insert(name, map.next_value_seed(Unique)?).is_some() {
                return Err(serde::de::Error::custom("a member comes twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// Members of private and symmetric keys (RFC 7518 6.2.2, 6.3.2, 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key that is no public key on P-256.
pub const BAD_JWK: Code = Code {
    id: "SEND-060",
    class: Class::Input,
    vi: "Khóa của ví không dùng được",
    en: "the wallet's key cannot be used",
    remedy_vi: "Dùng khóa công khai P-256 dạng JWK",
    remedy_en: "use a public P-256 key as a JWK",
};

/// A text that is no signed token of the kind that was expected.
pub const BAD_JWS: Code = Code {
    id: "SEND-061",
    class: Class::Input,
    vi: "Không đọc được thông điệp đã ký",
    en: "the signed message cannot be read",
    remedy_vi: "Ví phải gửi JWS dạng rút gọn, ký ES256, đúng loại",
    remedy_en: "the wallet must send a compact JWS of the right type, signed with ES256",
};

/// A signature that is not its key's.
pub const BAD_SIGNATURE: Code = Code {
    id: "SEND-062",
    class: Class::Input,
    vi: "Chữ ký của thông điệp không đúng",
    en: "the message's signature does not hold",
    remedy_vi: "Không tin thông điệp này; yêu cầu bên gửi ký lại",
    remedy_en: "do not trust this message; have its sender sign again",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_rfc_for_ec_keys() {
        // The first key of RFC 7517 A.1.
        let jwk = Jwk::from_value(&json!({"kty":"EC","crv":"P-256","kid":"1","use":"enc",
            "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}))
        .unwrap();
        assert_eq!(jwk.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn the_example_of_rfc_7515_a_3_verifies_and_a_changed_one_does_not() {
        let key = Jwk::from_value(&json!({"kty":"EC","crv":"P-256",
            "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}))
        .unwrap();
        let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert!(Jws::read(text).unwrap().verify("", &key).is_ok());
        let changed = text.replace(".DtEh", ".DtEi");
        assert_eq!(Jws::read(&changed).unwrap().verify("", &key).unwrap_err().code, &BAD_SIGNATURE);
    }

    #[test]
    fn what_is_signed_reads_back_and_only_as_its_own_type() {
        let key = SigningKey::mint().unwrap();
        let jwk = Jwk::of_signer(&key).unwrap();
        let header = object(br#"{"typ":"x+jwt"}"#).unwrap();
        let text = sign(header, &object(br#"{"a":1}"#).unwrap(), &key).unwrap();
        let read = Jws::read(&text).unwrap();
        read.verify("x+jwt", &jwk).unwrap();
        assert_eq!(read.verify("y+jwt", &jwk).unwrap_err().code, &BAD_JWS);
        let other = Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap();
        assert_eq!(read.verify("x+jwt", &other).unwrap_err().code, &BAD_SIGNATURE);
    }

    #[test]
    fn algorithms_other_than_es256_and_critical_extensions_are_refused() {
        let key = SigningKey::mint().unwrap();
        let jwk = Jwk::of_signer(&key).unwrap();
        for header in [
            r#"{"alg":"none","typ":"x"}"#,
            r#"{"alg":"HS256","typ":"x"}"#,
            r#"{"alg":"es256","typ":"x"}"#,
            r#"{"typ":"x"}"#,
            r#"{"alg":"ES256","typ":"x","crit":["b64"]}"#,
        ] {
            let signed = format!("{}.{}", b64(header.as_bytes()), b64(b"{}"));
            let text = format!("{signed}.{}", b64(&key.sign(signed.as_bytes()).unwrap()));
            assert_eq!(Jws::read(&text).unwrap().verify("x", &jwk).unwrap_err().code, &BAD_JWS, "{header}");
        }
    }

    #[test]
    fn keys_that_are_private_off_the_curve_or_of_another_kind_are_refused() {
        let good = Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap().value();
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            jwk
        };
        assert!(Jwk::from_value(&good).is_ok());
        for bad in [
            with("d", "AAAA".into()),
            with("k", "AAAA".into()),
            with("kty", "RSA".into()),
            with("crv", "P-384".into()),
            with("x", b64(&[1; 32]).into()),
            with("x", b64(&[1; 33]).into()),
            with("y", 7.into()),
            json!([]),
            json!({"kty":"oct","k":"AAAA"}),
        ] {
            assert_eq!(Jwk::from_value(&bad).unwrap_err().code, &BAD_JWK, "{bad}");
        }
    }

    #[test]
    fn a_member_that_comes_twice_is_no_object_however_deep() {
        assert!(object(br#"{"a":{"b":1,"c":[{"d":1}]}}"#).is_some());
        assert!(object(br#"{"a":1,"a":1}"#).is_none());
        assert!(object(br#"{"a":[{"b":{"c":1,"c":2}}]}"#).is_none());
        assert!(object(br#"{} x"#).is_none() && object(b"[]").is_none());
        assert!(object("[".repeat(100_000).as_bytes()).is_none());
        assert!(unb64("QQ==").is_none() && unb64("QR").is_none() && unb64("QQ").is_some());
    }
}
