//! Chip authentication (ICAO Doc 9303-11, 6.2): a chip that derives the right session keys holds the private key of DG14
//! and is therefore no copy. What is judged here is recorded evidence; whether DG14 itself is genuine is for the verdict.
//!
//! Whoever knows the terminal's private key can write such evidence without a chip, since the other half is public: it
//! convinces only those who trust the station that made the key and talked to the card.

use super::clone::Answer;
use super::reader::curve::Curve;
use super::reader::messaging::{Broken, Messaging};
use super::reader::suite::Suite;
use super::security_info;
use crate::der::{self, DerError, Tlv};
use crate::digest::Sha256;
use openssl::ec::EcPoint;

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

impl ChipAuthentication {
    /// SHA-256 of the whole transcript. Whoever reads the terminal's key off one can write others with it: a station that
    /// wants to know its own again remembers this and not the key.
    pub fn digest(&self) -> Sha256 {
        let mut hasher = openssl::sha::Sha256::new();
        let key_id = self.key_id.as_deref().unwrap_or_default();
        for part in [self.protocol.as_bytes(), key_id, &self.terminal_key, &self.command, &self.response] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Sha256(hasher.finish())
    }
}

/// Checks evidence against the contents of DG14: `Unusable` where DG14 offers no such protocol or no sound key on a known
/// curve, or where the terminal's key is none. Whatever the chip said to the first command: under the new keys it can
/// only be said by who holds the key, and what another key protected is `Wrong`. A status word in the clear says nothing
/// of either.
pub fn check(dg14: &[u8], evidence: &ChipAuthentication) -> Answer {
    let Some((suite, secret)) = agreed(dg14, evidence) else { return Answer::Unusable };
    let mut session = Messaging::of_secret(suite, &secret);
    if !session.is_next_command(&evidence.command) {
        return Answer::Inconclusive;
    }
    match session.unprotect(&evidence.response) {
        Ok(_) => Answer::Holds,
        Err(Broken::Mac) => Answer::Wrong,
        Err(_) => Answer::Inconclusive,
    }
}

fn agreed(dg14: &[u8], evidence: &ChipAuthentication) -> Option<(Suite, super::reader::suite::Secret)> {
    let offers = offers(dg14).ok()?;
    let same_key = |offer: &&Offer| evidence.key_id.is_none() || evidence.key_id == offer.key_id;
    let mut fitting = offers.iter().filter(|o| o.protocol == evidence.protocol).filter(same_key);
    let offer = fitting.next()?;
    // Without an identifier there must be no choice.
    if fitting.any(|other| other.spki != offer.spki) {
        return None;
    }
    let (curve, point) = offer.key()?;
    if evidence.terminal_key.len() > 2 * curve.field() {
        return None;
    }
    let scalar = curve.scalar(&evidence.terminal_key)?;
    let shared = curve.shared(&*curve.multiply(&point, &scalar)?)?;
    Some((offer.suite, shared))
}

/// A protocol of DG14 with the key that it is run with.
pub struct Offer {
    /// Dotted OID.
    pub protocol: String,
    /// Its contents.
    pub oid: Vec<u8>,
    /// Cipher of the session that it begins.
    pub suite: Suite,
    /// Contents of the key identifier, where there is one.
    pub key_id: Option<Vec<u8>>,
    spki: Vec<u8>,
}

impl Offer {
    /// The chip's key; `None` off its curve, at infinity, too short, or on a curve that has no name.
    pub fn key(&self) -> Option<(Curve, EcPoint)> {
        Curve::of_key(&self.spki).filter(|(curve, _)| curve.bits() >= 190)
    }
}

/// What DG14's contents offer of chip authentication with elliptic curves, strongest cipher first (Doc 9303-11, 9.2.5 and
/// 9.2.6). A key without a protocol is run with 3DES, as the first edition had it.
///
/// # Errors
/// What is not a SET OF SecurityInfo, or more than a few hundred of them.
pub fn offers(dg14: &[u8]) -> Result<Vec<Offer>, DerError> {
    let (mut protocols, mut keys) = (Vec::new(), Vec::new());
    security_info::each(&der::only(dg14, 0x31)?, Tlv::lenient, |protocol, oid, mut info| {
        if oid == PUBLIC_KEY_ECDH {
            let spki = info.expect(0x30)?.raw.to_vec();
            keys.push((info.optional(0x02)?.map(|t| t.content.to_vec()), spki));
        } else if let Some(suite) = oid.strip_prefix(CA_ECDH).and_then(Suite::of_arc) {
            info.expect(0x02)?;
            protocols.push((
                protocol.content.to_vec(),
                suite,
                info.optional(0x02)?.map(|t| t.content.to_vec()),
            ));
        }
        Ok(())
    })?;
    let mut offers = Vec::new();
    for (key_id, spki) in &keys {
        let mut offer = |oid: &[u8], suite| {
            let (protocol, oid) = (der::dotted(oid).unwrap_or_default(), oid.to_vec());
            offers.push(Offer { protocol, oid, suite, key_id: key_id.clone(), spki: spki.clone() });
        };
        let named = |id: &Option<Vec<u8>>| keys.len() == 1 || id == key_id;
        protocols.iter().filter(|(_, _, id)| named(id)).for_each(|(oid, suite, _)| offer(oid, *suite));
        if protocols.is_empty() {
            offer(&CA_ECDH_3DES, Suite::TripleDes);
        }
    }
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.suite));
    Ok(offers)
}

/// id-PK-ECDH (TR-03110-3, A.1.1.2).
const PUBLIC_KEY_ECDH: &str = "0.4.0.127.0.7.2.2.1.2";
/// id-CA-ECDH; the cipher follows.
const CA_ECDH: &str = "0.4.0.127.0.7.2.2.3.2.";
/// id-CA-ECDH-3DES-CBC-CBC, contents of the OBJECT IDENTIFIER.
const CA_ECDH_3DES: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 1];

#[cfg(test)]
mod tests;
