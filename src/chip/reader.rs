//! Reading a live chip (ICAO Doc 9303-11).

pub mod apdu;
pub mod curve;
pub mod messaging;
pub mod suite;
