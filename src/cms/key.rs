//! Public keys as certificates carry them. A curve that is written out with its parameters is compared, number by
//! number, with the curves that have a name, and used under that name: the sender's numbers never reach any arithmetic
//! (CVE-2020-0601, CVE-2022-0778).

use crate::der::{self, DerError, Tlv};
use openssl::asn1::Asn1Object;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
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
    let written_out = match curve(spki) {
        Curve::Named => None,
        Curve::WrittenOut(name) => Some(name),
        Curve::Unknown => return Err(KeyError::Curve),
    };
    // What is met in chips is put together here: OpenSSL's own decoder takes ten times as long.
    let parts = Parts::read(spki).map_err(|_| KeyError::Unreadable)?;
    let named = |name: &str| KNOWN.iter().position(|(known, _, _)| *known == name);
    let found = match parts.algorithm {
        RSA => parts.rsa(),
        EC => match written_out {
            Some(name) => named(name).and_then(|index| parts.ec(index)),
            None => {
                KNOWN.iter().position(|(_, oid, _)| *oid == parts.curve).and_then(|index| parts.ec(index))
            }
        },
        _ => None,
    };
    // Other kinds and curves; what is malformed is refused there too.
    let other = || PKey::public_key_from_der(spki).ok().filter(|_| written_out.is_none());
    found.or_else(other).ok_or(KeyError::Unreadable)
}

/// A SubjectPublicKeyInfo taken apart.
struct Parts<'a> {
    /// Contents of the OBJECT IDENTIFIER.
    algorithm: &'a [u8],
    /// Contents of the curve's OBJECT IDENTIFIER, nothing where there is none.
    curve: &'a [u8],
    key: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(spki: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = der::only(spki, 0x30)?.reader();
        let mut algorithm = fields.expect(0x30)?.reader();
        let oid = algorithm.expect(0x06)?.content;
        let curve = algorithm.optional(0x06)?.map_or(&[][..], |t| t.content);
        let bits = fields.expect(0x03)?;
        fields.end()?;
        let [0, key @ ..] = bits.content else { return Err(DerError::Value { at: bits.at }) };
        Ok(Parts { algorithm: oid, curve, key })
    }

    fn rsa(&self) -> Option<PKey<Public>> {
        let mut fields = der::only(self.key, 0x30).ok()?.reader();
        let mut number = || {
            let digits = fields.expect(0x02).ok()?.content;
            let positive = digits.first().is_some_and(|first| first & 0x80 == 0);
            BigNum::from_slice(digits).ok().filter(|n| positive && n.num_bits() <= LARGEST_MODULUS)
        };
        let (n, e) = (number()?, number()?);
        fields.end().ok()?;
        PKey::from_rsa(Rsa::from_public_components(n, e).ok()?).ok()
    }

    fn ec(&self, index: usize) -> Option<PKey<Public>> {
        let group = &known(index)?.group;
        let mut context = BigNumContext::new().ok()?;
        // Refuses a point that is not on the curve.
        let point = EcPoint::from_bytes(group, self.key, &mut context).ok()?;
        if point.is_infinity(group) {
            return None;
        }
        PKey::from_ec_key(EcKey::from_public_key(group, &point).ok()?).ok()
    }
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
    let at = KNOWN.iter().enumerate().filter(|(_, (_, _, octets))| *octets == written.p.len());
    at.filter_map(|(index, (name, _, _))| Some((name, known(index)?)))
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
    group: EcGroup,
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
    LOADED.get(index)?.get_or_init(|| KNOWN.get(index).and_then(|(name, _, _)| load(name))).as_ref()
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
    Some(Known { group, p: p.to_vec(), a: a.to_vec(), b: b.to_vec(), x, y, order: order.to_vec() })
}

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const PRIME_FIELD: &str = "1.2.840.10045.1.1";
/// Contents of rsaEncryption's and id-ecPublicKey's OBJECT IDENTIFIERs.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// Bits; OpenSSL verifies nothing under larger ones either.
const LARGEST_MODULUS: i32 = 16_384;
/// Prime curves of FIPS 186-4, SEC 2 and RFC 5639: OpenSSL's short name, contents of the OBJECT IDENTIFIER, octets of the
/// field. Which of them may be used is for policy to say.
const KNOWN: [(&str, &[u8], usize); 20] = [
    ("prime192v1", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01], 24),
    ("secp224r1", &[0x2b, 0x81, 0x04, 0x00, 0x21], 28),
    ("prime256v1", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 32),
    ("secp256k1", &[0x2b, 0x81, 0x04, 0x00, 0x0a], 32),
    ("secp384r1", &[0x2b, 0x81, 0x04, 0x00, 0x22], 48),
    ("secp521r1", &[0x2b, 0x81, 0x04, 0x00, 0x23], 66),
    ("brainpoolP160r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x01], 20),
    ("brainpoolP160t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x02], 20),
    ("brainpoolP192r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x03], 24),
    ("brainpoolP192t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x04], 24),
    ("brainpoolP224r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x05], 28),
    ("brainpoolP224t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x06], 28),
    ("brainpoolP256r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], 32),
    ("brainpoolP256t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x08], 32),
    ("brainpoolP320r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x09], 40),
    ("brainpoolP320t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0a], 40),
    ("brainpoolP384r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b], 48),
    ("brainpoolP384t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0c], 48),
    ("brainpoolP512r1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0d], 64),
    ("brainpoolP512t1", &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0e], 64),
];

#[cfg(test)]
mod tests;
