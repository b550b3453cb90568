//! Elliptic curves by the numbers that PACE gives them (Doc 9303-11, 9.5.1), and the arithmetic of generic mapping.

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcPoint, EcPointRef, PointConversionForm};
use openssl::nid::Nid;

/// A named curve.
pub(crate) struct Curve {
    pub(crate) group: EcGroup,
}

/// A private number with its point.
pub(crate) struct Pair {
    pub(crate) secret: BigNum,
    pub(crate) public: Vec<u8>,
}

impl Curve {
    /// By the number of the standardised domain parameters.
    pub(crate) fn standardised(number: u8) -> Curve {
        Curve::named(match number {
            12 => Nid::X9_62_PRIME256V1,
            13 => Nid::BRAINPOOL_P256R1,
            14 => Nid::BRAINPOOL_P320R1,
            15 => Nid::SECP384R1,
            16 => Nid::BRAINPOOL_P384R1,
            17 => Nid::BRAINPOOL_P512R1,
            18 => Nid::SECP521R1,
            other => panic!("the card has no curve {other}"),
        })
    }

    pub(crate) fn named(name: Nid) -> Curve {
        Curve { group: EcGroup::from_curve_name(name).unwrap() }
    }

    /// Bytes of a field element.
    pub(crate) fn size(&self) -> usize {
        self.group.degree().div_ceil(8) as usize
    }

    /// The base point that the curve is named with.
    pub(crate) fn generator(&self) -> &EcPointRef {
        self.group.generator_opt().unwrap()
    }

    /// A point from its uncompressed form; None where it is not on the curve.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Option<EcPoint> {
        if bytes.len() != 1 + 2 * self.size() || bytes[0] != 4 {
            return None;
        }
        EcPoint::from_bytes(&self.group, bytes, &mut BigNumContext::new().unwrap()).ok()
    }

    pub(crate) fn encode(&self, point: &EcPointRef) -> Vec<u8> {
        let mut context = BigNumContext::new().unwrap();
        point.to_bytes(&self.group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
    }

    /// The first coordinate, as long as the field.
    pub(crate) fn x(&self, point: &EcPointRef) -> Vec<u8> {
        self.encode(point)[1..1 + self.size()].to_vec()
    }

    pub(crate) fn times(&self, point: &EcPointRef, number: &BigNumRef) -> EcPoint {
        let mut product = EcPoint::new(&self.group).unwrap();
        product.mul2(&self.group, point, number, &mut BigNumContext::new().unwrap()).unwrap();
        product
    }

    /// A key over any base point; from `given` where a worked example fixes it.
    pub(crate) fn pair(&self, base: &EcPointRef, given: Option<Vec<u8>>) -> Pair {
        let mut order = BigNum::new().unwrap();
        self.group.order(&mut order, &mut BigNumContext::new().unwrap()).unwrap();
        let mut secret = BigNum::new().unwrap();
        match given {
            Some(bytes) => secret = BigNum::from_slice(&bytes).unwrap(),
            None => order.rand_range(&mut secret).unwrap(),
        }
        let public = self.encode(&self.times(base, &secret));
        Pair { secret, public }
    }

    /// Generic mapping (9303-11, 4.4.3.3.1): s * G + H.
    pub(crate) fn mapped(&self, nonce: &[u8], shared: &EcPointRef) -> EcPoint {
        let mut context = BigNumContext::new().unwrap();
        let nonce = BigNum::from_slice(nonce).unwrap();
        let first = self.times(self.generator(), &nonce);
        let mut sum = EcPoint::new(&self.group).unwrap();
        sum.add(&self.group, &first, shared, &mut context).unwrap();
        sum
    }
}
