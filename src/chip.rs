//! (room)
pub mod tlv;
pub mod lds;
pub mod sod;
pub mod trust;
pub mod clone;
pub mod verdict;
pub mod card_qr;
pub mod reading;
