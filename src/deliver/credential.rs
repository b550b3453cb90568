//! The wallet issuer's craft: OpenID4VCI 1.0 with pre-authorized code and PIN, `dc+sd-jwt` credentials that bind a PDF.
//!
//! Bytes and values: what is stored where is behind [`register::Register`], how it is spoken over HTTP is the door's.

pub mod issuance;
pub mod issuer;
pub mod jose;
pub mod jwe;
pub mod metadata;
pub mod name;
pub mod offer;
pub mod proof;
pub mod refusal;
pub mod register;
pub mod sd_jwt;
mod secret;
pub mod status_list;

use crate::fault::Code;

/// Every fault of this room (`SEND-060` to `SEND-079`).
pub const CODES: &[&Code] = &[
    &jose::BAD_JWK,
    &jose::BAD_JWS,
    &jose::BAD_SIGNATURE,
    &jwe::ENCRYPTION_FAILED,
    &jwe::UNDECRYPTABLE,
    &jwe::BAD_ENCRYPTION,
    &status_list::BAD_LIST,
    &status_list::NO_PLACE,
    &sd_jwt::BAD_CLAIM,
    &sd_jwt::BAD_CREDENTIAL,
    &issuance::BAD_PIN,
    &issuance::ALREADY_REVOKED,
    &offer::BAD_FIELDS,
    &offer::BAD_TERM,
    &register::UNAVAILABLE,
    &register::OTHER_VERSION,
    &register::UNKNOWN,
];
