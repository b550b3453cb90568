//! The wallet issuer's craft: OpenID4VCI 1.0 with pre-authorized code and PIN, `dc+sd-jwt` credentials that bind a PDF.
//!
//! Bytes and values: what is stored where is behind [`register::Register`], how it is spoken over HTTP is the door's.

pub mod jose;
pub mod jwe;
pub mod sd_jwt;
pub mod status_list;
