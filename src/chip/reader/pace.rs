//! PACE (ICAO Doc 9303-11, 4.4) with generic mapping over elliptic curves: a password of six digits opens a channel that
//! nobody can search for the password. EF.CardAccess says with which cipher and curve.

use super::access::Password;
use super::apdu::{Command, OK, Response};
use super::curve::{Curve, Entropy};
use super::link::{Link, Trouble};
use super::messaging::Messaging;
use super::suite::{Suite, pad};
use crate::chip::security_info;
use crate::der::{self, DerError, Reader, Tlv};
use openssl::bn::BigNum;
use openssl::ec::{EcPoint, EcPointRef};
use openssl::memcmp;

/// One way of PACE that a card offers and that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Contents of the protocol's OBJECT IDENTIFIER.
    oid: Vec<u8>,
    /// Cipher of the nonce and of the session.
    pub suite: Suite,
    /// Identifier of the standardised domain parameters.
    pub parameter: u64,
    /// The card has several sets of parameters for this protocol.
    ambiguous: bool,
}

/// Where PACE stopped and why: shown to the clerk where the card was opened the older way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The step.
    pub step: Step,
    /// What happened.
    pub trouble: Trouble,
}

/// A step of PACE (Doc 9303-11, 4.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Reading or understanding EF.CardAccess: it offers nothing that is known here.
    Offers,
    /// MSE:Set AT.
    SetUp,
    /// The encrypted nonce.
    Nonce,
    /// Mapping of the nonce to a generator.
    Mapping,
    /// Key agreement.
    Agreement,
    /// Exchange of tokens.
    Tokens,
}

/// What EF.CardAccess offers, strongest cipher first. A PACEInfo without identifier of its parameters gets that of the
/// PACEDomainParameterInfo, and where there is none both curves of 256 bits are tried.
///
/// # Errors
/// What is not a SET OF SecurityInfo, or more than a few hundred of them.
pub fn offers(card_access: &[u8]) -> Result<Vec<Offer>, DerError> {
    let (mut found, mut domains) = (Vec::new(), Vec::new());
    let set = Reader::lenient(card_access).expect(0x31)?;
    security_info::each(&set, Tlv::lenient, |protocol, oid, mut info| {
        if oid == GENERIC || oid == CHIP_MAPPING {
            let mut algorithm = info.expect(0x30)?.lenient();
            if algorithm.expect(0x06)?.oid()? == STANDARDISED_PARAMETERS {
                domains.push(algorithm.expect(0x02)?.number()?);
            }
            return Ok(());
        }
        let arc = [GENERIC, CHIP_MAPPING].iter().find_map(|p| oid.strip_prefix(p)?.strip_prefix('.'));
        if let Some(suite) = arc.and_then(Suite::of_arc) {
            let version = info.expect(0x02)?.number()?;
            let parameter = info.optional(0x02)?.map(|t| t.number()).transpose()?;
            if version == 2 {
                found.push((protocol.content.to_vec(), suite, parameter));
            }
        }
        Ok(())
    })?;
    let guesses = if domains.is_empty() { vec![12, 13] } else { domains };
    let mut offers: Vec<Offer> = Vec::new();
    for (oid, suite, parameter) in &found {
        let stated: Vec<u64> = parameter.map_or_else(|| guesses.clone(), |id| vec![id]);
        let choices = found.iter().filter(|(other, _, _)| other == oid).count();
        let ambiguous = choices > 1 || (parameter.is_none() && stated.len() > 1);
        for parameter in stated.into_iter().filter(|id| Curve::standardised(*id).is_some()) {
            offers.push(Offer { oid: oid.clone(), suite: *suite, parameter, ambiguous });
        }
    }
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.suite));
    Ok(offers)
}

/// Opens the card with a password. The identifier of the parameters is sent where the card has several; where it refuses
/// without giving away that the key is wrong, the other form is tried as well.
///
/// # Errors
/// Where and why the last try stopped.
pub fn open(
    link: &mut Link<'_>,
    offer: &Offer,
    password: Password<'_>,
    entropy: &mut dyn Entropy,
) -> Result<Messaging, Failure> {
    let first = attempt(link, offer, password, offer.ambiguous, entropy);
    match first {
        Err(Failure { trouble: Trouble::Status(_), .. }) => {
            let second = attempt(link, offer, password, !offer.ambiguous, entropy);
            match (second, first) {
                (Err(second), Err(first)) if second.step < first.step => Err(first),
                (second, _) => second,
            }
        }
        other => other,
    }
}

fn attempt(
    link: &mut Link<'_>,
    offer: &Offer,
    password: Password<'_>,
    named: bool,
    entropy: &mut dyn Entropy,
) -> Result<Messaging, Failure> {
    let mut step = Step::SetUp;
    let run = run(link, offer, password, named, entropy, &mut step);
    run.map_err(|trouble| {
        tracing::debug!(?step, %trouble, parameter = offer.parameter, "PACE");
        Failure { step, trouble }
    })
}

fn run(
    link: &mut Link<'_>,
    offer: &Offer,
    password: Password<'_>,
    named: bool,
    entropy: &mut dyn Entropy,
    step: &mut Step,
) -> Result<Messaging, Trouble> {
    let suite = offer.suite;
    let curve = Curve::standardised(offer.parameter).ok_or(Trouble::Inner("curve"))?;
    set_up(link, offer, password, named)?;

    *step = Step::Nonce;
    let sealed = general_authenticate(link, &[], 0x80, false)?;
    if !(8..=64).contains(&sealed.len()) {
        return Err(Trouble::Malformed("a nonce of another length"));
    }
    let key = suite.derive(&password.secret(), 3);
    let nonce = suite
        .decrypt(&key, &vec![0; suite.block()], &sealed)
        .ok_or(Trouble::Malformed("a nonce of another length"))?;

    *step = Step::Mapping;
    let inner = || Trouble::Inner("PACE");
    let base = curve.generator().ok_or_else(inner)?;
    let mine = curve.private(entropy).ok_or_else(inner)?;
    let public = curve.multiply(base, mine.scalar()).and_then(|p| curve.encode(&p)).ok_or_else(inner)?;
    let theirs = general_authenticate(link, &der::tlv(0x81, &public), 0x82, false)?;
    let theirs = sound_point(&curve, &theirs, &public)?;
    let shared = curve.multiply(&theirs, mine.scalar()).ok_or(OFF_CURVE)?;
    let generator = map(&curve, base, &nonce, &shared).ok_or(OFF_CURVE)?;

    *step = Step::Agreement;
    let mine = curve.private(entropy).ok_or_else(inner)?;
    let public =
        curve.multiply(&generator, mine.scalar()).and_then(|p| curve.encode(&p)).ok_or_else(inner)?;
    let answer = general_authenticate(link, &der::tlv(0x83, &public), 0x84, false)?;
    let theirs = sound_point(&curve, &answer, &public)?;
    let secret =
        curve.multiply(&theirs, mine.scalar()).and_then(|point| curve.shared(&point)).ok_or(OFF_CURVE)?;
    let authenticate = suite.derive(&secret, 2);
    let theirs = curve.encode(&theirs).ok_or_else(inner)?;

    *step = Step::Tokens;
    let ours = token(offer, &authenticate, &theirs).ok_or_else(inner)?;
    let answer = match general_authenticate(link, &der::tlv(0x85, &ours), 0x86, true) {
        // Up to here no step depends on the password.
        Err(Trouble::Status(sw)) => return Err(Trouble::WrongKey(sw)),
        other => other?,
    };
    let expected = token(offer, &authenticate, &public).ok_or_else(inner)?;
    if answer.len() != expected.len() || !memcmp::eq(&answer, &expected) {
        return Err(Trouble::WrongKey(OK));
    }
    Ok(Messaging::of_secret(suite, &secret))
}

/// MSE:Set AT; no Le, which some cards refuse.
fn set_up(link: &mut Link<'_>, offer: &Offer, password: Password<'_>, named: bool) -> Result<(), Trouble> {
    let mut data = der::tlv(0x80, &offer.oid);
    data.extend([0x83, 1, password.reference()]);
    if named {
        data.extend([0x84, 1, u8::try_from(offer.parameter).map_err(|_| Trouble::Inner("parameter"))?]);
    }
    let answer = link.send(&Command::new(0x22, 0xc1, 0xa4, &data, None))?;
    // 63Cx: the password may be tried x more times.
    let fine = answer.is_ok() || (answer.sw & 0xfff0 == 0x63c0 && answer.sw != 0x63c0);
    if fine { Ok(()) } else { Err(Trouble::Status(answer.sw)) }
}

/// One step of GENERAL AUTHENTICATE: dynamic authentication data there, those of one tag back.
fn general_authenticate(
    link: &mut Link<'_>,
    data: &[u8],
    wanted: u32,
    last: bool,
) -> Result<Vec<u8>, Trouble> {
    let template = der::tlv(0x7c, data);
    let chained = if last { 0 } else { 0x10 };
    let command = Command { cla: chained, ..Command::new(0x86, 0, 0, &template, Some(256)) };
    let answer = link.must(&command)?;
    read_template(&answer, wanted).ok_or(Trouble::Malformed("no authentication data of the right kind"))
}

fn read_template(answer: &Response, wanted: u32) -> Option<Vec<u8>> {
    let mut outer = Reader::lenient(&answer.data);
    let mut objects = outer.expect(0x7c).ok()?.lenient();
    outer.end().ok()?;
    // Others may stand beside it: certification authorities, chip authentication data.
    while !objects.is_empty() {
        let object = objects.read_tlv().ok()?;
        if object.tag == wanted {
            return Some(object.content.to_vec());
        }
    }
    None
}

/// A point on the curve that is not just ours sent back (Doc 9303-11, 4.4.4).
fn sound_point(curve: &Curve, bytes: &[u8], ours: &[u8]) -> Result<EcPoint, Trouble> {
    if bytes == ours {
        return Err(Trouble::Malformed("with the terminal's own key"));
    }
    curve.point(bytes).ok_or(OFF_CURVE)
}

/// Generic mapping (Doc 9303-11, 4.4.3.3.1): `nonce * base + shared`.
fn map(curve: &Curve, base: &EcPointRef, nonce: &[u8], shared: &EcPointRef) -> Option<EcPoint> {
    let mut number = BigNum::new_secure().ok()?;
    number.copy_from_slice(nonce).ok()?;
    curve.add(&*curve.multiply(base, &number)?, shared)
}

/// The MAC over the other side's key (Doc 9303-11, 4.4.3.4).
fn token(offer: &Offer, key: &[u8], public: &[u8]) -> Option<[u8; 8]> {
    let body = [der::tlv(0x06, &offer.oid), der::tlv(0x86, public)].concat();
    let object = der::tlv(0x49, &body);
    let object = [&[0x7f], &object[..]].concat();
    match offer.suite {
        Suite::TripleDes => offer.suite.mac(key, &pad(&object, 8)),
        _ => offer.suite.mac(key, &object),
    }
}

const OFF_CURVE: Trouble = Trouble::Malformed("a key that is not on the curve");
/// id-PACE-ECDH-GM; the cipher follows.
const GENERIC: &str = "0.4.0.127.0.7.2.2.4.2";
/// id-PACE-ECDH-CAM: generic mapping, and a proof of the chip at the end that is not used here.
const CHIP_MAPPING: &str = "0.4.0.127.0.7.2.2.4.6";
/// standardizedDomainParameters (TR-03110-3, A.2.1.1).
const STANDARDISED_PARAMETERS: &str = "0.4.0.127.0.7.1.2";

#[cfg(test)]
mod tests;
