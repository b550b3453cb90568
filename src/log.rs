//! (room)
pub mod tree;
pub mod note;
pub mod receipt;
