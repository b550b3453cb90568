//! Asking a chip to prove that it is no copy (ICAO Doc 9303-11, 6): active authentication signs a challenge, chip
//! authentication agrees on new session keys. The evidence is recorded; whether it convinces is for the verdict.

use super::apdu::{Command, WRONG_LENGTH};
use super::curve::{Entropy, Private};
use super::link::{Link, Trouble};
use super::messaging::Messaging;
use super::suite::Suite;
use crate::chip::chip_authentication::{ChipAuthentication, Offer, offers};
use crate::der;
use openssl::pkey::PKey;

/// INTERNAL AUTHENTICATE (Doc 9303-11, 6.1.4): what the chip answers to a challenge of eight bytes.
///
/// # Errors
/// The chip refuses, or the link breaks.
pub fn active(link: &mut Link<'_>, spki: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Trouble> {
    let long = PKey::public_key_from_der(spki).is_ok_and(|key| key.size() > MOST_IN_SHORT);
    let ask = |le| Command::new(0x88, 0, 0, challenge, Some(le));
    let mut answer = link.send(&ask(if long { 65_536 } else { 256 }))?;
    if long && (answer.sw == WRONG_LENGTH || answer.sw >> 8 == 0x6c) {
        answer = link.send(&ask(256))?;
    }
    if answer.is_ok() { Ok(answer.data.to_vec()) } else { Err(Trouble::Status(answer.sw)) }
}

/// Chip authentication with the strongest way that DG14's contents offer, and the first exchange under the keys that come
/// of it. `None` where they offer none with a sound key. A chip that agrees on keys and then does not use them leaves
/// evidence too.
///
/// # Errors
/// The chip refuses, or the link breaks.
pub fn chip(
    link: &mut Link<'_>,
    dg14: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Option<ChipAuthentication>, Trouble> {
    let offers = offers(dg14).unwrap_or_default();
    let Some((offer, (curve, point))) = offers.iter().find_map(|offer| Some((offer, offer.key()?))) else {
        return Ok(None);
    };
    let inner = || Trouble::Inner("chip authentication");
    let mine = curve.private(entropy).ok_or_else(inner)?;
    let base = curve.generator().ok_or_else(inner)?;
    let public = curve.multiply(base, mine.scalar()).and_then(|p| curve.encode(&p)).ok_or_else(inner)?;
    agree(link, offer, &public)?;
    let shared = curve.multiply(&point, mine.scalar()).and_then(|p| curve.shared(&p)).ok_or_else(inner)?;
    link.secure(Messaging::of_secret(offer.suite, &shared));
    let first = link.send(&Command::new(0xa4, 2, 0x0c, &EF_COM, None));
    tracing::debug!(held = first.is_ok(), "chip authentication");
    match first {
        Ok(_) | Err(Trouble::Broken(_)) => {}
        Err(trouble) => return Err(trouble),
    }
    let exchange = link.last();
    Ok(Some(ChipAuthentication {
        protocol: offer.protocol.clone(),
        key_id: offer.key_id.clone(),
        terminal_key: Private::to_bytes(&mine, &curve).ok_or_else(inner)?.to_vec(),
        command: exchange.command.clone(),
        response: exchange.response.clone(),
    }))
}

/// MSE:Set KAT for 3DES; MSE:Set AT and GENERAL AUTHENTICATE for AES (Doc 9303-11, 6.2.4). No Le on the former.
fn agree(link: &mut Link<'_>, offer: &Offer, public: &[u8]) -> Result<(), Trouble> {
    let key_id = offer.key_id.as_ref().map_or(Vec::new(), |id| der::tlv(0x84, id));
    if offer.suite == Suite::TripleDes {
        let data = [der::tlv(0x91, public), key_id].concat();
        link.must(&Command::new(0x22, 0x41, 0xa6, &data, None))?;
    } else {
        let data = [der::tlv(0x80, &offer.oid), key_id].concat();
        link.must(&Command::new(0x22, 0x41, 0xa4, &data, None))?;
        let data = der::tlv(0x7c, &der::tlv(0x80, public));
        link.must(&Command::new(0x86, 0, 0, &data, Some(256)))?;
    }
    Ok(())
}

/// What fits a short response beside secure messaging.
const MOST_IN_SHORT: usize = 223;
/// Selecting EF.COM is the first command under the new keys: it tells nothing, and whether the chip has the file is the same.
const EF_COM: [u8; 2] = [0x01, 0x1e];
