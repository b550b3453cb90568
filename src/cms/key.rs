//! Public keys as certificates carry them. A curve that is written out with its parameters is compared, number by
//! number, with the curves that have a name, and used under that name: the sender's numbers never reach any arithmetic
//! (CVE-2020-0601, CVE-2022-0778).

use crate::der::{self, DerError, Tlv};
use openssl::asn1::Asn1Object;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcGroup;
use openssl::pkey::{PKey, Public};
use std::sync::OnceLock;

/// The curve of a SubjectPublicKeyInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// The key is not on a curve, or its curve is given by name.
    Named,
    /// Written out (RFC 3279 2.3.5, ECParameters), and exactly those of the curve with this OpenSSL name.
    WrittenOut(&'static str),
    /// Written out, and those of no curve that is known here: another generator or cofactor, no cofactor, a field
    /// that is not prime, parameters that cannot be read.
    Unknown,
}

/// Why a public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// [`Curve::Unknown`].
    #[error("its curve has parameters of no known curve")]
    Curve,
    /// Anything else: another kind of key, a point that is not on its curve.
    #[error("its key cannot be read")]
    Unreadable,
}

/// The curve of a SubjectPublicKeyInfo (DER); compares bytes, computes nothing with them.
pub fn curve(spki: &[u8]) -> Curve {
    let written = || -> Result<Option<Tlv<'_>>, DerError> {
        let mut algorithm = der::only(spki, 0x30)?.reader().expect(0x30)?.reader();
        if algorithm.expect(0x06)?.oid()? != EC_PUBLIC_KEY {
            return Ok(None);
        }
        let parameters = algorithm.optional(0x30)?;
        if parameters.is_none() {
            algorithm.expect(0x06)?;
        }
        algorithm.end()?;
        Ok(parameters)
    };
    match written() {
        Ok(None) => Curve::Named,
        Ok(Some(parameters)) => same_as(&parameters).map_or(Curve::Unknown, Curve::WrittenOut),
        // Neither a name nor parameters, or something after them.
        Err(_) => Curve::Unknown,
    }
}

/// The key of a SubjectPublicKeyInfo (DER); one on a written-out curve comes back on the curve of that name.
///
/// # Errors
/// See [`KeyError`].
pub fn public_key(spki: &[u8]) -> Result<PKey<Public>, KeyError> {
    let named;
    let spki = match curve(spki) {
        Curve::Named => spki,
        Curve::Unknown => return Err(KeyError::Curve),
        Curve::WrittenOut(name) => {
            named = under_its_name(spki, name).ok_or(KeyError::Unreadable)?;
            &named
        }
    };
    PKey::public_key_from_der(spki).map_err(|_| KeyError::Unreadable)
}

/// The bits of the field that a written-out curve claims; for reports.
pub fn claimed_bits(spki: &[u8]) -> u32 {
    let read = || -> Result<u32, DerError> {
        let mut algorithm = der::only(spki, 0x30)?.reader().expect(0x30)?.reader();
        algorithm.expect(0x06)?;
        let mut fields = algorithm.expect(0x30)?.reader();
        fields.expect(0x02)?;
        let mut field = fields.expect(0x30)?.reader();
        field.expect(0x06)?;
        let p = trimmed(field.expect(0x02)?.content);
        let first = p.first().map_or(0, |b| 8 - b.leading_zeros());
        Ok(u32::try_from(p.len().saturating_sub(1))
            .unwrap_or(u32::MAX / 8)
            .saturating_mul(8)
            .saturating_add(first))
    };
    read().unwrap_or(0)
}

/// ECParameters (ANSI X9.62, SEC 1 C.2) as numbers, leading zeros left out.
struct Written<'a> {
    p: &'a [u8],
    a: &'a [u8],
    b: &'a [u8],
    base: &'a [u8],
    order: &'a [u8],
}

/// The name of the curve with exactly these parameters.
fn same_as(parameters: &Tlv<'_>) -> Option<&'static str> {
    let written = read(parameters).ok()??;
    let at = KNOWN.iter().enumerate().filter(|(_, (_, octets))| *octets == written.p.len());
    at.filter_map(|(index, (name, _))| Some((name, known(index)?)))
        .find(|(_, known)| known.is(&written))
        .map(|(name, _)| *name)
}

/// `None` for a field that is not prime or a cofactor other than 1; all known curves have that one.
fn read<'a>(parameters: &Tlv<'a>) -> Result<Option<Written<'a>>, DerError> {
    let mut fields = parameters.reader();
    if !(1..=3).contains(&fields.expect(0x02)?.number()?) {
        return Ok(None);
    }
    let mut field = fields.expect(0x30)?.reader();
    if field.expect(0x06)?.oid()? != PRIME_FIELD {
        return Ok(None);
    }
    let p = trimmed(field.expect(0x02)?.content);
    field.end()?;
    let mut coefficients = fields.expect(0x30)?.reader();
    let a = trimmed(coefficients.expect(0x04)?.content);
    let b = trimmed(coefficients.expect(0x04)?.content);
    // The seed only tells how the numbers were found.
    coefficients.optional(0x03)?;
    coefficients.end()?;
    let base = fields.expect(0x04)?.content;
    let order = trimmed(fields.expect(0x02)?.content);
    let cofactor = fields.optional(0x02)?.map(|c| c.content);
    fields.optional(0x30)?;
    fields.end()?;
    Ok((cofactor == Some(&[1])).then_some(Written { p, a, b, base, order }))
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A named curve's parameters, leading zeros left out except in `x` and `y`, which are as long as the field.
struct Known {
    /// Contents of the name's OBJECT IDENTIFIER.
    oid: Vec<u8>,
    p: Vec<u8>,
    a: Vec<u8>,
    b: Vec<u8>,
    x: Vec<u8>,
    y: Vec<u8>,
    order: Vec<u8>,
}

impl Known {
    fn is(&self, written: &Written<'_>) -> bool {
        let same_base = match written.base {
            // Both coordinates, also in the hybrid form, whose tag tells y's parity once more.
            [4, rest @ ..] => rest == [&self.x[..], &self.y].concat(),
            [tag @ (6 | 7), rest @ ..] => {
                *tag == 6 | self.parity() && rest == [&self.x[..], &self.y].concat()
            }
            [tag @ (2 | 3), rest @ ..] => *tag == 2 | self.parity() && rest == self.x,
            _ => false,
        };
        same_base
            && written.p == self.p
            && written.a == self.a
            && written.b == self.b
            && written.order == self.order
    }

    fn parity(&self) -> u8 {
        self.y.last().map_or(0, |b| b & 1)
    }
}

/// Loaded when first compared with: most runs meet one or two curves.
fn known(index: usize) -> Option<&'static Known> {
    static LOADED: [OnceLock<Option<Known>>; KNOWN.len()] = [const { OnceLock::new() }; KNOWN.len()];
    LOADED.get(index)?.get_or_init(|| KNOWN.get(index).and_then(|(name, _)| load(name))).as_ref()
}

fn load(name: &str) -> Option<Known> {
    let object = Asn1Object::from_str(name).ok()?;
    let group = EcGroup::from_curve_name(object.nid()).ok()?;
    let mut context = BigNumContext::new().ok()?;
    let number = || BigNum::new().ok();
    let (mut p, mut a, mut b) = (number()?, number()?, number()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context).ok()?;
    let (mut x, mut y) = (number()?, number()?);
    group.generator_opt()?.affine_coordinates(&group, &mut x, &mut y, &mut context).ok()?;
    let (mut order, mut cofactor) = (number()?, number()?);
    group.order(&mut order, &mut context).ok()?;
    group.cofactor(&mut cofactor, &mut context).ok()?;
    if cofactor.to_vec() != [1] {
        return None;
    }
    let width = p.num_bytes();
    let (x, y) = (x.to_vec_padded(width).ok()?, y.to_vec_padded(width).ok()?);
    let oid = object.as_slice().to_vec();
    Some(Known { oid, p: p.to_vec(), a: a.to_vec(), b: b.to_vec(), x, y, order: order.to_vec() })
}

/// The same SubjectPublicKeyInfo with the curve's name in place of its parameters.
fn under_its_name(spki: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut fields = der::only(spki, 0x30).ok()?.reader();
    let algorithm = fields.expect(0x30).ok()?.reader().expect(0x06).ok()?.raw;
    let point = fields.expect(0x03).ok()?.raw;
    fields.end().ok()?;
    let index = KNOWN.iter().position(|(known, _)| *known == name)?;
    let oid = der::tlv(0x06, &known(index)?.oid);
    Some(der::sequence(&[&der::sequence(&[algorithm, &oid]), point]))
}

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const PRIME_FIELD: &str = "1.2.840.10045.1.1";
/// Prime curves of FIPS 186-4, SEC 2 and RFC 5639 by OpenSSL's short names, with the octets of their field. Which of
/// them may be used is for policy to say.
const KNOWN: [(&str, usize); 20] = [
    ("prime192v1", 24),
    ("secp224r1", 28),
    ("prime256v1", 32),
    ("secp256k1", 32),
    ("secp384r1", 48),
    ("secp521r1", 66),
    ("brainpoolP160r1", 20),
    ("brainpoolP160t1", 20),
    ("brainpoolP192r1", 24),
    ("brainpoolP192t1", 24),
    ("brainpoolP224r1", 28),
    ("brainpoolP224t1", 28),
    ("brainpoolP256r1", 32),
    ("brainpoolP256t1", 32),
    ("brainpoolP320r1", 40),
    ("brainpoolP320t1", 40),
    ("brainpoolP384r1", 48),
    ("brainpoolP384t1", 48),
    ("brainpoolP512r1", 64),
    ("brainpoolP512t1", 64),
];

#[cfg(test)]
mod tests;
