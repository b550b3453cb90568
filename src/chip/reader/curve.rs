//! The elliptic curves of chip access (ICAO Doc 9303-11, table 5, the standardised domain parameters; and 9.4.4, points
//! as bytes). A point is taken only where it lies on its curve and is not infinity.

use super::suite::Secret;
use crate::cms::KeyFacts;
use crate::der;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcGroupRef, EcPoint, EcPointRef, PointConversionForm};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use zeroize::Zeroizing;

/// A curve that is known by name.
pub struct Curve {
    group: EcGroup,
    /// Coordinate length, bytes.
    field: usize,
}

/// Where random bytes come from: the system's, or in a test those of a worked example.
pub trait Entropy {
    /// Fills with random bytes.
    ///
    /// # Errors
    /// No good random bytes are to be had.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoEntropy;

/// OpenSSL's generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        openssl::rand::rand_priv_bytes(bytes).map_err(|_| NoEntropy)
    }
}

impl Curve {
    /// By the identifier of the standardised domain parameters; `None` for what is no curve.
    pub fn standardised(id: u64) -> Option<Self> {
        STANDARDISED.iter().find(|(known, _)| *known == id).and_then(|(_, nid)| Curve::of_nid(*nid))
    }

    fn of_nid(nid: Nid) -> Option<Self> {
        let known = STANDARDISED.iter().any(|(_, n)| *n == nid) || TWISTED.contains(&nid);
        let group = EcGroup::from_curve_name(nid).ok().filter(|_| known)?;
        let field = usize::try_from(group.degree()).ok()?.div_ceil(8);
        Some(Curve { group, field })
    }

    /// The curve and the point of a SubjectPublicKeyInfo: by name, by standardised identifier, or with written-out
    /// parameters that are exactly those of a curve that has a name.
    pub fn of_key(spki: &[u8]) -> Option<(Self, EcPoint)> {
        let mut fields = der::only(spki, 0x30).ok()?.reader();
        let mut algorithm = fields.expect(0x30).ok()?.reader();
        if algorithm.expect(0x06).ok()?.oid().ok()? == STANDARDISED_PARAMETERS {
            let curve = Curve::standardised(algorithm.expect(0x02).ok()?.number().ok()?)?;
            let point = curve.point(fields.expect(0x03).ok()?.content.strip_prefix(&[0])?)?;
            return Some((curve, point));
        }
        let explicit = algorithm.peek() == Some(0x30);
        let key = PKey::public_key_from_der(spki).ok()?;
        let KeyFacts::Ec { curve: Some(_), .. } = KeyFacts::of_key(&key, explicit) else { return None };
        let key = key.ec_key().ok()?;
        let curve = Curve::of_nid(key.group().curve_name()?)?;
        // Into the curve of that name, whatever the key brought along.
        let mut context = BigNumContext::new().ok()?;
        let form = PointConversionForm::UNCOMPRESSED;
        let bytes = key.public_key().to_bytes(key.group(), form, &mut context).ok()?;
        let point = curve.point(&bytes)?;
        Some((curve, point))
    }

    /// Coordinate length, bytes.
    pub fn field(&self) -> usize {
        self.field
    }

    /// Order length, bits.
    pub fn bits(&self) -> u32 {
        self.group.order_bits()
    }

    /// The base point.
    pub fn generator(&self) -> Option<&EcPointRef> {
        self.group.generator_opt()
    }

    /// A point from its uncompressed form.
    pub fn point(&self, bytes: &[u8]) -> Option<EcPoint> {
        if bytes.len() != 1 + 2 * self.field || bytes.first() != Some(&4) {
            return None;
        }
        let mut context = BigNumContext::new().ok()?;
        let point = EcPoint::from_bytes(&self.group, bytes, &mut context).ok()?;
        let there = point.is_on_curve(&self.group, &mut context).ok()? && !point.is_infinity(&self.group);
        there.then_some(point)
    }

    /// A point in its uncompressed form: both coordinates as long as the field.
    pub fn encode(&self, point: &EcPointRef) -> Option<Vec<u8>> {
        let [x, y] = self.coordinates(point)?;
        Some([&[4], &x[..], &y[..]].concat())
    }

    /// The first coordinate, as long as the field: what two parties share.
    pub fn shared(&self, point: &EcPointRef) -> Option<Secret> {
        let [x, _] = self.coordinates(point)?;
        Some(x)
    }

    fn coordinates(&self, point: &EcPointRef) -> Option<[Secret; 2]> {
        let (mut x, mut y) = (BigNum::new_secure().ok()?, BigNum::new_secure().ok()?);
        let mut context = BigNumContext::new_secure().ok()?;
        point.affine_coordinates(&self.group, &mut x, &mut y, &mut context).ok()?;
        let size = i32::try_from(self.field).ok()?;
        Some([Zeroizing::new(x.to_vec_padded(size).ok()?), Zeroizing::new(y.to_vec_padded(size).ok()?)])
    }

    /// A private key; `None` unless it is above zero and below the order.
    pub fn scalar(&self, bytes: &[u8]) -> Option<BigNum> {
        let mut scalar = BigNum::new_secure().ok()?;
        scalar.copy_from_slice(bytes).ok()?;
        let mut order = BigNum::new().ok()?;
        let mut context = BigNumContext::new().ok()?;
        self.group.order(&mut order, &mut context).ok()?;
        let inside = scalar.num_bits() > 0 && scalar.ucmp(&order) == std::cmp::Ordering::Less;
        inside.then_some(scalar)
    }

    /// A fresh private key.
    pub fn private(&self, entropy: &mut dyn Entropy) -> Option<Private> {
        let bits = self.bits();
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(bits).ok()?.div_ceil(8)]);
        for _ in 0..128 {
            entropy.fill(&mut bytes).ok()?;
            if !bits.is_multiple_of(8) {
                *bytes.first_mut()? &= (1 << (bits % 8)) - 1;
            }
            if let Some(scalar) = self.scalar(&bytes) {
                return Some(Private(scalar));
            }
        }
        None
    }

    /// `scalar * point`; `None` where that is infinity.
    pub fn multiply(&self, point: &EcPointRef, scalar: &BigNumRef) -> Option<EcPoint> {
        let mut product = EcPoint::new(&self.group).ok()?;
        let mut context = BigNumContext::new_secure().ok()?;
        product.mul2(&self.group, point, scalar, &mut context).ok()?;
        (!product.is_infinity(&self.group)).then_some(product)
    }

    /// `left + right`; `None` where that is infinity.
    pub fn add(&self, left: &EcPointRef, right: &EcPointRef) -> Option<EcPoint> {
        let mut sum = EcPoint::new(&self.group).ok()?;
        let mut context = BigNumContext::new_secure().ok()?;
        sum.add(&self.group, left, right, &mut context).ok()?;
        (!sum.is_infinity(&self.group)).then_some(sum)
    }

    /// The same point.
    pub fn same(&self, left: &EcPointRef, right: &EcPointRef) -> bool {
        let group: &EcGroupRef = &self.group;
        BigNumContext::new().and_then(|mut context| left.eq(group, right, &mut context)).unwrap_or(true)
    }
}

/// A private key; wiped when dropped, as OpenSSL does with secure numbers.
pub struct Private(BigNum);

impl Private {
    /// The number.
    pub fn scalar(&self) -> &BigNumRef {
        &self.0
    }

    /// As bytes, left-padded to the length of the field or of the order, whichever is longer.
    pub fn to_bytes(&self, curve: &Curve) -> Option<Secret> {
        let size = curve.field.max(usize::try_from(curve.bits()).ok()?.div_ceil(8));
        self.0.to_vec_padded(i32::try_from(size).ok()?).ok().map(Zeroizing::new)
    }
}

/// Doc 9303-11, table 5, without the groups of integers.
const STANDARDISED: [(u64, Nid); 11] = [
    (8, Nid::X9_62_PRIME192V1),
    (9, Nid::BRAINPOOL_P192R1),
    (10, Nid::SECP224R1),
    (11, Nid::BRAINPOOL_P224R1),
    (12, Nid::X9_62_PRIME256V1),
    (13, Nid::BRAINPOOL_P256R1),
    (14, Nid::BRAINPOOL_P320R1),
    (15, Nid::SECP384R1),
    (16, Nid::BRAINPOOL_P384R1),
    (17, Nid::BRAINPOOL_P512R1),
    (18, Nid::SECP521R1),
];

/// Allowed in keys (RFC 5639), though no chip may use them for access.
const TWISTED: [Nid; 4] =
    [Nid::BRAINPOOL_P256T1, Nid::BRAINPOOL_P320T1, Nid::BRAINPOOL_P384T1, Nid::BRAINPOOL_P512T1];

/// standardizedDomainParameters (TR-03110-3, A.2.1.1).
const STANDARDISED_PARAMETERS: &str = "0.4.0.127.0.7.1.2";

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::ec::{Asn1Flag, EcKey};

    #[test]
    fn every_standardised_curve_is_there_and_nothing_else() {
        let there: Vec<u64> = (0..40).filter(|id| Curve::standardised(*id).is_some()).collect();
        assert_eq!(there, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
        assert_eq!(Curve::standardised(18).unwrap().field(), 66);
        assert_eq!(Curve::standardised(14).unwrap().field(), 40);
    }

    #[test]
    fn points_beside_the_curve_and_infinity_are_refused() {
        for id in 8..=18 {
            let curve = Curve::standardised(id).unwrap();
            let good = curve.encode(curve.generator().unwrap()).unwrap();
            assert!(curve.point(&good).is_some());
            for at in [0, 1, good.len() - 1] {
                let mut changed = good.clone();
                changed[at] ^= 1;
                assert!(curve.point(&changed).is_none(), "{id} {at}");
            }
            assert!(curve.point(&[0]).is_none() && curve.point(&[]).is_none());
            assert!(curve.point(&vec![0; good.len()]).is_none());
            assert!(curve.point(&good[..good.len() - 1]).is_none());
            assert!(curve.point(&[&[4][..], &vec![0xff; good.len() - 1]].concat()).is_none());
            assert!(curve.point(&[&[2][..], &good[1..=curve.field()]].concat()).is_none());
        }
    }

    #[test]
    fn private_keys_are_above_zero_and_below_the_order() {
        struct Script(Vec<Vec<u8>>);
        impl Entropy for Script {
            fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
                let next = self.0.pop().ok_or(NoEntropy)?;
                bytes.copy_from_slice(&next);
                Ok(())
            }
        }
        let curve = Curve::standardised(12).unwrap();
        let mut script = Script(vec![[&[0; 31][..], &[5]].concat(), vec![0; 32], vec![0xff; 32]]);
        let key = curve.private(&mut script).unwrap();
        assert_eq!(key.to_bytes(&curve).unwrap()[..], [&[0; 31][..], &[5]].concat());
        assert!(script.0.is_empty() && curve.private(&mut script).is_none());
        let wide = Curve::standardised(18).unwrap();
        assert_eq!(wide.private(&mut SystemEntropy).unwrap().to_bytes(&wide).unwrap().len(), 66);
    }

    #[test]
    fn a_key_with_written_out_parameters_counts_where_they_are_those_of_a_name() {
        let mut group = EcGroup::from_curve_name(Nid::BRAINPOOL_P256R1).unwrap();
        for flag in [Asn1Flag::NAMED_CURVE, Asn1Flag::EXPLICIT_CURVE] {
            group.set_asn1_flag(flag);
            let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
            let spki = key.public_key_to_der().unwrap();
            let (curve, _) = Curve::of_key(&spki).unwrap();
            assert_eq!(curve.group.curve_name(), Some(Nid::BRAINPOOL_P256R1));
            if flag == Asn1Flag::EXPLICIT_CURVE {
                // One bit of any parameter makes it another curve.
                for at in 30..spki.len() - 70 {
                    let mut changed = spki.clone();
                    changed[at] ^= 1;
                    if let Some((curve, _)) = Curve::of_key(&changed) {
                        // The seed or the field's name may change without changing the curve.
                        assert_eq!(curve.group.curve_name(), Some(Nid::BRAINPOOL_P256R1), "{at}");
                    }
                }
            }
        }
        let foreign = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&foreign).unwrap()).unwrap();
        assert!(Curve::of_key(&key.public_key_to_der().unwrap()).is_none());
        let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
        assert!(Curve::of_key(&rsa.public_key_to_der().unwrap()).is_none());
    }
}
