//! Chip authentication (ICAO Doc 9303-11, 6.2): a chip that derives the right session keys holds the private key of DG14 and is therefore no copy.
//! What is judged here is recorded evidence; whether DG14 itself is genuine is for the verdict.

use super::clone::Answer;

/// What a station recorded of one chip authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct ChipAuthentication {
    /// Dotted OID of the protocol that was run (`id-CA-...`).
    pub protocol: String,
    /// Which key of DG14, where it has several: contents of the INTEGER.
    pub key_id: Option<Vec<u8>>,
    /// The terminal's ephemeral private key, big endian, as long as the field.
    pub terminal_key: Vec<u8>,
    /// The first command under the restarted secure messaging, as sent.
    pub command: Vec<u8>,
    /// Its response with status word, as received.
    pub response: Vec<u8>,
}

/// Checks evidence against the contents of DG14.
pub fn check(_dg14: &[u8], _evidence: &ChipAuthentication) -> Answer {
    Answer::Unusable
}
