//! The token status list (IETF draft-ietf-oauth-status-list): one bit a credential, compressed, signed, fetched by whoever
//! checks a credential without telling which one is checked.

use super::jose::{self, Jwk, Jws, Object, b64, unb64};
use crate::cose::{self, Cbor, Payload};
use crate::deliver::wire_key::{KEY_KIND, KeyKind, SigningKey};
use crate::fault::{Class, Code, Fault, Outcome};
use serde_json::{Value, json};

/// Places on one list. A whole million hides one credential among many, and is 144 bytes while nothing is revoked.
pub const PLACES: u32 = 1 << 20;

/// How long a list may be kept by whoever fetched it, seconds.
pub const TTL: i64 = 600;

/// How long a signed list holds, seconds.
pub const LIFE: i64 = 24 * 3600;

/// One bit a place: set means that the credential is no longer valid.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList(Vec<u8>);

impl StatusList {
    /// A list on which the given places are revoked; places beyond [`PLACES`] are not on it.
    pub fn with_revoked(places: impl IntoIterator<Item = u32>) -> Self {
        let mut bits = vec![0u8; (PLACES / 8) as usize];
        for place in places {
            if let Some(byte) = bits.get_mut((place / 8) as usize) {
                *byte |= 1 << (place % 8);
            }
        }
        StatusList(bits)
    }

    /// Whether a place is revoked; `None` where the list has no such place.
    pub fn is_revoked(&self, place: u32) -> Option<bool> {
        self.0.get((place / 8) as usize).map(|byte| byte & (1 << (place % 8)) != 0)
    }

    /// The same compressed, ready to be signed.
    pub fn packed(&self) -> Packed {
        Packed(miniz_oxide::deflate::compress_to_vec_zlib(&self.0, LEVEL))
    }

    /// Reads a signed list.
    ///
    /// # Errors
    /// [`BAD_LIST`] unless its type, signature, subject and dates hold and its bits are one a place.
    pub fn read(token: &str, uri: &str, now: i64, key: &Jwk) -> Outcome<Self> {
        let wrong = |what: &'static str| Fault::new(&BAD_LIST).detail(what);
        let jws = Jws::read(token)?;
        jws.verify(TYP, key)?;
        if jws.payload.get("sub").and_then(Value::as_str) != Some(uri) {
            return Err(wrong("sub"));
        }
        let second = |name: &str| jws.payload.get(name).and_then(Value::as_i64);
        if second("iat").is_none_or(|iat| iat > now.saturating_add(60)) {
            return Err(wrong("iat"));
        }
        if jws.payload.contains_key("exp") && second("exp").is_none_or(|exp| exp <= now) {
            return Err(wrong("exp"));
        }
        let list = jws.payload.get("status_list").ok_or_else(|| wrong("status_list"))?;
        if list.get("bits").and_then(Value::as_u64) != Some(1) {
            return Err(wrong("bits"));
        }
        let packed = list.get("lst").and_then(Value::as_str).and_then(unb64).ok_or_else(|| wrong("lst"))?;
        let bits = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&packed, LARGEST)
            .map_err(|_| wrong("lst"))?;
        Ok(StatusList(bits))
    }
}

/// A compressed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

impl Packed {
    /// Signed as `statuslist+jwt`, valid from `now` (seconds since 1970). The list in it is base64 in base64: 16 bytes for 9.
    ///
    /// # Errors
    /// Those of [`jose::sign`].
    pub fn jwt(&self, uri: &str, now: i64, mut header: Object, key: &SigningKey) -> Outcome<String> {
        header.insert("typ".into(), TYP.into());
        let mut payload = Object::new();
        payload.insert("sub".into(), uri.into());
        payload.insert("iat".into(), now.into());
        payload.insert("exp".into(), now.saturating_add(LIFE).into());
        payload.insert("ttl".into(), TTL.into());
        payload.insert("status_list".into(), json!({ "bits": 1, "lst": b64(&self.0) }));
        jose::sign(header, &payload, key)
    }

    /// Signed as `statuslist+cwt` (draft, 5.2): a tagged COSE_Sign1. `kid` and `x5c` are taken from the header of the other form.
    ///
    /// # Errors
    /// `SEND-011` for a key that is not on P-256, `SEND-012`.
    pub fn cwt(&self, uri: &str, now: i64, header: &Object, key: &SigningKey) -> Outcome<Vec<u8>> {
        if key.kind() != KeyKind::P256 {
            return Err(Fault::new(&KEY_KIND));
        }
        let int = Cbor::int;
        let mut protected = vec![(int(1), int(-7))];
        if let Some(kid) = header.get("kid").and_then(Value::as_str) {
            protected.push((int(4), Cbor::bytes(kid.as_bytes())));
        }
        protected.push((int(16), Cbor::text("application/statuslist+cwt")));
        let chain = header.get("x5c").and_then(Value::as_array).into_iter().flatten();
        let chain = chain.filter_map(|der| openssl::base64::decode_block(der.as_str()?).ok());
        match chain.map(|der| Cbor::bytes(&der)).collect::<Vec<_>>().as_slice() {
            [] => {}
            // RFC 9360, 2: one certificate stands alone, more of them in a list.
            [one] => protected.push((int(33), one.clone())),
            more => protected.push((int(33), Cbor::list(more))),
        }
        let list = [(Cbor::text("lst"), Cbor::bytes(&self.0)), (Cbor::text("bits"), int(1))];
        let claims = [
            (int(2), Cbor::text(uri)),
            (int(4), int(now.saturating_add(LIFE))),
            (int(6), int(now)),
            (int(65_533), Cbor::map(&list)),
            (int(65_534), int(TTL)),
        ];
        let claims = Cbor::map(&claims);
        let payload = Payload::Attached(claims.as_bytes());
        cose::sign1(&Cbor::map(&protected), &Cbor::map(&[]), payload, |bytes| key.sign(bytes))
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set: u32 = self.0.iter().map(|byte| byte.count_ones()).sum();
        write!(f, "StatusList({set} of {} revoked)", self.0.len().saturating_mul(8))
    }
}

/// A random place, so that neighbours on the list say nothing about who came one after the other.
///
/// # Errors
/// [`NO_PLACE`] where the random source fails.
pub fn random_place() -> Outcome<u32> {
    let mut bytes = [0u8; 4];
    openssl::rand::rand_bytes(&mut bytes).map_err(|_| Fault::new(&NO_PLACE))?;
    // PLACES is a power of two: no place is likelier than another.
    Ok(u32::from_be_bytes(bytes) % PLACES)
}

const TYP: &str = "statuslist+jwt";
/// Of zlib: what a list of random places weighs is bounded by their entropy, 10.6 KB for a million at 1 %.
const LEVEL: u8 = 9;
/// Bytes of the largest list that is unpacked: sixteen million places.
const LARGEST: usize = 2 << 20;

/// A status list that cannot be believed.
pub const BAD_LIST: Code = Code {
    id: "SEND-066",
    class: Class::Input,
    vi: "Danh sách trạng thái không dùng được",
    en: "the status list cannot be used",
    remedy_vi: "Tải lại danh sách; nếu vẫn lỗi, báo cho cơ quan cấp",
    remedy_en: "fetch the list again; if it stays so, tell the office that issues it",
};

/// No place can be given on a status list.
pub const NO_PLACE: Code = Code {
    id: "SEND-067",
    class: Class::Later,
    vi: "Chưa cấp được chỗ trong danh sách trạng thái",
    en: "no place on a status list could be given",
    remedy_vi: "Hệ thống sẽ thử lại",
    remedy_en: "it is tried again by itself",
};

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://issuer.example/status/0";

    #[test]
    fn the_first_bits_are_packed_as_the_draft_packs_them() {
        // draft-ietf-oauth-status-list, 4.1: statuses 1,0,0,1,1,1,0,1 1,1,0,0,0,1,0,1 make the bytes B9 A3.
        let set = [0, 3, 4, 5, 7, 8, 9, 13, 15];
        assert_eq!(&StatusList::with_revoked(set).0[..3], &[0xb9, 0xa3, 0]);
    }

    #[test]
    fn a_signed_list_says_what_was_revoked_and_a_million_places_stay_small() {
        let key = SigningKey::mint().unwrap();
        let jwk = Jwk::of_signer(&key).unwrap();
        let revoked: Vec<u32> = (0..PLACES).filter(|p| p.wrapping_mul(2_654_435_761) % 100 == 0).collect();
        let token =
            StatusList::with_revoked(revoked.clone()).packed().jwt(URI, 1000, Object::new(), &key).unwrap();
        let empty = StatusList::with_revoked([]).packed().jwt(URI, 1000, Object::new(), &key).unwrap();
        assert!(empty.len() < 700, "{}", empty.len());
        let read = StatusList::read(&token, URI, 1000, &jwk).unwrap();
        assert_eq!(read.is_revoked(revoked[5]), Some(true));
        assert_eq!(read.is_revoked(revoked[5] + 1), Some(false));
        assert_eq!(read.is_revoked(PLACES), None);
        assert_eq!(
            StatusList::read(&token, "https://other/status/0", 1000, &jwk).unwrap_err().code,
            &BAD_LIST
        );
        assert_eq!(StatusList::read(&token, URI, 1000 + LIFE, &jwk).unwrap_err().code, &BAD_LIST);
        let other = Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap();
        assert!(StatusList::read(&token, URI, 1000, &other).is_err());
    }

    /// The same list, signed in the form that has no base64: what is in it, and that it is small.
    #[test]
    fn a_million_places_at_one_percent_are_sixteen_kilobytes_as_cwt() {
        let key = SigningKey::mint().unwrap();
        // Scattered as places are: SplitMix64 over the place.
        let mixed = |place: u32| {
            let mut z = u64::from(place).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let packed = StatusList::with_revoked((0..PLACES).filter(|p| mixed(*p) % 100 == 0)).packed();
        let mut header = Object::new();
        header.insert("kid".into(), "k1".into());
        let cwt = packed.cwt(URI, 1000, &header, &key).unwrap();
        assert!(cwt.len() <= 16_000, "{}", cwt.len());
        // d2 84: COSE_Sign1; its protected header names ES256 first; the signature is the last 64 bytes.
        assert_eq!(cwt[..3], [0xd2, 0x84, 0x58]);
        let length = usize::from(cwt[3]);
        let (protected, rest) = cwt[4..].split_at(length);
        assert_eq!(protected[..3], [0xa3, 1, 0x26]);
        let payload_at = 4 + length + 1 + 3;
        assert_eq!((rest[0], rest[1]), (0xa0, 0x59));
        let payload = &cwt[payload_at..cwt.len() - 66];
        assert_eq!(u16::from_be_bytes([rest[2], rest[3]]) as usize, payload.len());
        let signature = &cwt[cwt.len() - 64..];
        let jwk = Jwk::of_signer(&key).unwrap();
        assert!(jwk.verifies(&cose::to_be_signed(protected, payload), signature));
        assert!(!jwk.verifies(&cose::to_be_signed(protected, &payload[1..]), signature));
        assert!(payload.windows(packed.0.len()).any(|window| window == packed.0));
        eprintln!("{} bytes as CWT, {} as JWT", cwt.len(), packed.jwt(URI, 0, header, &key).unwrap().len());
    }

    #[test]
    fn a_list_that_unpacks_to_more_than_it_may_is_refused() {
        let key = SigningKey::mint().unwrap();
        let bomb = StatusList(vec![0; LARGEST + 1]).packed().jwt(URI, 0, Object::new(), &key).unwrap();
        let fault = StatusList::read(&bomb, URI, 0, &Jwk::of_signer(&key).unwrap()).unwrap_err();
        assert_eq!(fault.code, &BAD_LIST);
    }
}
