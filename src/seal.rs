//! (room)
pub mod key;
pub mod signed_data;
pub mod timestamp;
pub mod appearance;
pub mod sign;
pub mod verify;
pub mod authority;
