//! (room)
pub mod outbox;
pub mod portal;
pub mod push;
