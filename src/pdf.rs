//! (room)
pub mod read;
pub mod archive;
pub mod font;
pub mod revise;
