//! (room)
pub mod source;
pub mod luma;
pub mod quality;
pub mod skew;
pub mod barcode;
pub mod separate;
