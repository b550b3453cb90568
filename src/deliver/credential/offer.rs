//! Offers (OpenID4VCI 1.0, 4): made at the counter, carried by a link or a QR code, redeemed by one wallet.
//!
//! The link's random part is the only secret there is: the pre-authorized code is computed from it, and only digests of both
//! are stored.

use super::issuance::{Document, Issuance, Place, Stage, StoredPin, TRIES};
use super::jose::Object;
use super::sd_jwt;
use super::secret;
use crate::deliver::wire_key::SIGNING_FAILED;
use crate::digest::{Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What is to be offered.
#[derive(Debug)]
pub struct Wish {
    /// The PDF.
    pub digests: Digests,
    /// Fields of the result that the holder shows one by one.
    pub fields: Object,
    /// The PIN; a random one of six digits where there is none.
    pub pin: Option<Zeroizing<String>>,
    /// Thumbprint of the only key that may have it.
    pub holder: Option<String>,
    /// Not given out before this moment, seconds since 1970.
    pub ready_at: i64,
    /// How long the offer is good, seconds.
    pub lasts: i64,
    /// How long the credential is valid, seconds.
    pub valid: Option<i64>,
    /// How long the document can be fetched, seconds.
    pub document_lasts: i64,
    /// What it replaces: the issuance and its document.
    pub supersedes: Option<(String, Sha256)>,
}

/// An offer with the secrets that are told once.
pub struct Made {
    /// What is stored.
    pub issuance: Issuance,
    /// Random part of the offer's address.
    pub link: Zeroizing<String>,
    /// What the citizen is told apart from the link.
    pub pin: Zeroizing<String>,
}

/// Makes an offer; it has no place on a status list yet.
///
/// # Errors
/// [`BAD_FIELDS`], `SEND-068`, `SEND-070`; [`BAD_TERM`] for a time that is not positive or beyond all reason.
pub fn make(wish: Wish, now: i64) -> Outcome<Made> {
    check_fields(&wish.fields)?;
    let terms = [Some(wish.lasts), wish.valid, Some(wish.document_lasts)];
    if terms.iter().flatten().any(|term| !(1..=LONGEST).contains(term)) {
        return Err(Fault::new(&BAD_TERM));
    }
    let link = secret::mint()?;
    let code = code_of(&link);
    let pin = match wish.pin {
        Some(pin) => pin,
        None => random_pin()?,
    };
    let (supersedes, old_document) = wish.supersedes.unzip();
    let issuance = Issuance {
        id: random_id()?,
        document: Document {
            digests: wish.digests,
            media_type: "application/pdf".to_owned(),
            link: secret::mint()?.to_string(),
            until: now.saturating_add(wish.document_lasts),
            supersedes: old_document,
        },
        fields: wish.fields,
        made_at: now,
        offer_until: now.saturating_add(wish.lasts),
        ready_at: wish.ready_at,
        lasts: wish.valid,
        holder: wish.holder,
        link: secret::stored("link", &link),
        code: secret::stored("code", &code),
        pin: Some(StoredPin::new(&pin, &code)?),
        place: Place { list: 0, index: 0 },
        stage: Stage::Offered { tries_left: TRIES },
        revoked: None,
        supersedes,
        events: Vec::new(),
    };
    Ok(Made { issuance, link, pin })
}

/// The pre-authorized code behind a link.
pub fn code_of(link: &str) -> Zeroizing<String> {
    secret::derived("pre-authorized code", link)
}

/// The offer as wallets fetch it (OpenID4VCI 1.0, 4.1.1).
pub fn document(issuer: &str, configuration: &str, link: &str, issuance: &Issuance) -> Value {
    let mut grant = json!({ "pre-authorized_code": code_of(link).as_str() });
    if let Some(pin) = &issuance.pin {
        grant["tx_code"] = json!({
            "input_mode": "numeric", "length": pin.digits,
            "description": "Mã PIN do bộ phận một cửa cấp / The PIN from the counter",
        });
    }
    json!({
        "credential_issuer": issuer,
        "credential_configuration_ids": [configuration],
        "grants": { "urn:ietf:params:oauth:grant-type:pre-authorized_code": grant },
    })
}

/// What goes into the QR code: a link that wallets open.
pub fn uri(issuer: &str, link: &str) -> String {
    let address = format!("{issuer}/offers/{link}");
    let mut escaped = String::with_capacity(address.len() + 16);
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("openid-credential-offer://?credential_offer_uri={escaped}")
}

fn check_fields(fields: &Object) -> Outcome<()> {
    let wrong = |what: &'static str| Fault::new(&BAD_FIELDS).detail(what);
    if fields.len() > MOST_FIELDS {
        return Err(wrong("too many"));
    }
    for name in fields.keys() {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || !(1..=64).contains(&name.len()) {
            return Err(wrong("a name that is not 1 to 64 letters, digits and _"));
        }
        if !sd_jwt::may_be_disclosable(name) || OURS.contains(&name.as_str()) {
            return Err(Fault::new(&sd_jwt::BAD_CLAIM).at(format!("/{name}")));
        }
    }
    let size = serde_json::to_vec(fields).map_or(usize::MAX, |text| text.len());
    if size > LARGEST_FIELDS { Err(wrong("too long")) } else { Ok(()) }
}

fn random_id() -> Outcome<String> {
    let mut bytes = [0u8; 16];
    openssl::rand::rand_bytes(&mut bytes).map_err(|_| Fault::new(&SIGNING_FAILED))?;
    Ok(hex::encode(bytes))
}

/// Six digits, each number as likely as any other.
fn random_pin() -> Outcome<Zeroizing<String>> {
    loop {
        let mut bytes = Zeroizing::new([0u8; 4]);
        openssl::rand::rand_bytes(&mut *bytes).map_err(|_| Fault::new(&SIGNING_FAILED))?;
        let number = u32::from_be_bytes(*bytes);
        if number < 4_294_000_000 {
            return Ok(Zeroizing::new(format!("{:06}", number % 1_000_000)));
        }
    }
}

/// Claims that the issuer itself puts into every credential, beside those of the format.
const OURS: [&str; 2] = ["office", "office_name"];
const MOST_FIELDS: usize = 64;
const LARGEST_FIELDS: usize = 32 * 1024;
/// A hundred years.
const LONGEST: i64 = 100 * 366 * 24 * 3600;

/// Fields that cannot stand in a credential.
pub const BAD_FIELDS: Code = Code {
    id: "SEND-072",
    class: Class::Input,
    vi: "Các trường của kết quả không dùng được trong chứng nhận",
    en: "the result's fields cannot be put into a credential",
    remedy_vi: "Tối đa 64 trường, tên gồm chữ cái không dấu, chữ số và _, tổng cộng không quá 32 KB",
    remedy_en: "at most 64 fields, names of letters, digits and _, no more than 32 KB in all",
};

/// A length of time that makes no sense.
pub const BAD_TERM: Code = Code {
    id: "SEND-073",
    class: Class::Input,
    vi: "Thời hạn không hợp lệ",
    en: "a length of time is not valid",
    remedy_vi: "Nêu số giây từ 1 đến 100 năm",
    remedy_en: "give seconds, from 1 to a hundred years",
};

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::deliver::credential) fn wish() -> Wish {
        Wish {
            digests: Digests::of(b"%PDF-1.7"),
            fields: json!({ "name": "Đinh Văn Mẫu" }).as_object().unwrap().clone(),
            pin: Some(Zeroizing::new("482913".into())),
            holder: None,
            ready_at: 0,
            lasts: 3_600,
            valid: None,
            document_lasts: 86_400,
            supersedes: None,
        }
    }

    #[test]
    fn neither_link_nor_code_nor_pin_is_stored() {
        let made = make(wish(), 1000).unwrap();
        let stored = serde_json::to_string(&made.issuance).unwrap();
        for secret in [&*made.link, &*code_of(&made.link), "482913"] {
            assert!(!stored.contains(secret));
        }
        assert_ne!(*made.link, *make(wish(), 1000).unwrap().link);
        let back: Issuance = serde_json::from_str(&stored).unwrap();
        assert_eq!(back.id, made.issuance.id);
    }

    #[test]
    fn a_pin_of_six_digits_is_made_where_none_is_given() {
        let pin = make(Wish { pin: None, ..wish() }, 0).unwrap().pin;
        assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()), "{}", *pin);
        for bad in ["", "123", "12345678901", "12345a", "１２３４５６"] {
            let wish = Wish { pin: Some(Zeroizing::new(bad.into())), ..wish() };
            assert_eq!(make(wish, 0).err().unwrap().code, &super::super::issuance::BAD_PIN);
        }
    }

    #[test]
    fn fields_that_a_verifier_would_misread_are_refused() {
        for (name, code) in [
            ("exp", &sd_jwt::BAD_CLAIM),
            ("office", &sd_jwt::BAD_CLAIM),
            ("họ tên", &BAD_FIELDS),
            ("", &BAD_FIELDS),
        ] {
            let fields = json!({ name: 1 }).as_object().unwrap().clone();
            assert_eq!(make(Wish { fields, ..wish() }, 0).err().unwrap().code, code, "{name}");
        }
        assert_eq!(make(Wish { lasts: 0, ..wish() }, 0).err().unwrap().code, &BAD_TERM);
    }

    #[test]
    fn the_offer_is_what_wallets_read() {
        let made = make(wish(), 0).unwrap();
        let offer = document("https://i.example/h/mau", "result", &made.link, &made.issuance);
        let grant = &offer["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"];
        assert_eq!(grant["tx_code"]["length"], 6);
        assert_eq!(grant["pre-authorized_code"], code_of(&made.link).as_str());
        let uri = uri("https://i.example/h/mau", "AB_-");
        assert_eq!(
            uri,
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fi.example%2Fh%2Fmau%2Foffers%2FAB_-"
        );
    }
}
