//! (room)
pub mod locate;
pub mod read;
