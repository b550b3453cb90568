//! Seals on paper: PAdES signatures (EN 319 142-1, levels B-B and B-T) that are appended, never woven in, the time
//! stamps over them, what a person sees of them, and their verification.

pub mod appearance;
pub mod authority;
pub mod batch;
pub mod evidence;
pub mod key;
pub mod profile;
pub mod raise;
pub mod sign;
pub mod signed_data;
pub mod timestamp;
#[cfg(test)]
pub(crate) mod training;
pub mod verify;

use crate::fault::Code;

/// Every code of this room.
pub const CODES: &[&Code] = &[
    &key::file::P12_BROKEN,
    &key::file::P12_PASSWORD,
    &key::file::P12_CIPHER,
    &key::KEY_WEAK,
    &key::KEY_KIND,
    &key::KEY_MISMATCH,
    &key::preflight::CERT_EXPIRED,
    &key::preflight::CERT_NOT_YET,
    &key::preflight::CERT_USAGE,
    &key::preflight::ISSUER,
    &key::preflight::CERT_REVOKED,
    &key::preflight::REVOCATION_UNKNOWN,
    &key::SIGNING,
    &key::FOREIGN_SIGNATURE,
    #[cfg(feature = "pkcs11")]
    &key::token::uri::URI,
    #[cfg(feature = "pkcs11")]
    &key::token::MODULE,
    #[cfg(feature = "pkcs11")]
    &key::token::TOKEN_ABSENT,
    #[cfg(feature = "pkcs11")]
    &key::token::TOKEN_UNCLEAR,
    #[cfg(feature = "pkcs11")]
    &key::token::NO_KEY,
    #[cfg(feature = "pkcs11")]
    &key::token::NO_CERTIFICATE,
    #[cfg(feature = "pkcs11")]
    &key::token::PIN_WRONG,
    #[cfg(feature = "pkcs11")]
    &key::token::PIN_LOCKED,
    #[cfg(feature = "pkcs11")]
    &key::token::PIN_LAST_TRY,
    #[cfg(feature = "pkcs11")]
    &key::token::TOKEN_GONE,
    #[cfg(feature = "pkcs11")]
    &key::token::TOKEN_FAILED,
    &key::remote::ADDRESS,
    &key::remote::SILENT,
    &key::remote::BROKEN,
    &key::remote::DENIED,
    &key::remote::REFUSED,
    &key::remote::CREDENTIAL,
    &timestamp::SILENT,
    &timestamp::REPLY_BROKEN,
    &timestamp::REJECTED,
    &timestamp::OTHER_QUESTION,
    &timestamp::REPLY_SIGNATURE,
    &timestamp::NOT_AN_AUTHORITY,
    &timestamp::ADDRESS,
    &timestamp::AUTHORITY_EXPIRED,
    &timestamp::UNTRUSTED,
    &timestamp::CLOCK,
    &authority::SETUP,
    &evidence::BROKEN,
    &evidence::TOO_MUCH,
    &evidence::NO_ANSWER,
    &evidence::dss::SHAPE,
    &evidence::fetch::SILENT,
    &evidence::fetch::NO_ADDRESS,
    &raise::NO_SIGNATURE,
    &raise::NO_AUTHORITY,
    &raise::NO_PATH,
    &raise::OUT_OF_TIME,
    &raise::REVOKED,
    &raise::UNKNOWN,
    &raise::NOT_ARCHIVED,
    &raise::TOO_MANY,
    &sign::LOCKED,
    &sign::HOLE,
    &sign::FIELD,
    &sign::CERTIFIED,
    &sign::BROKEN_BEFORE,
    &sign::CHANGED_BEFORE,
    &sign::FIELD_LOCKED,
    &sign::COPY,
    &batch::UNWRITABLE,
    &profile::UNKNOWN_PROFILE,
    &profile::BROKEN_PROFILE,
    &appearance::NO_ROOM,
    &appearance::TEXT_TOO_LONG,
    &appearance::PICTURE,
    &appearance::NO_PICTURE,
    &appearance::MISSING_FACT,
    &appearance::UNREAD,
];
