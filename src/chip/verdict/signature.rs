//! Whether the list of data groups is what its signers signed. Each check has its own reason; a key is looked at before
//! any arithmetic is done with it.

use super::judge::{Early, Judge};
use super::{Check, Flag, Forgery, Overall, Refusal, Unproven};
use crate::chip::sod::Sod;
use crate::chip::trust::curve_allowed;
use crate::cms::{Hash, KeyFacts, Over, Parts, Problem, SignatureAlg, SignerCheck, SignerInfo};
use crate::der;
use crate::shown::plain;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint};
use openssl::nid::Nid;
use openssl::x509::X509;

impl Judge<'_> {
    /// Every signature must hold; returns the signers with their certificates.
    pub(super) fn check_signers<'s>(&mut self, sod: &'s Sod) -> Early<Vec<(&'s SignerInfo, &'s X509)>> {
        let signed = &sod.signed;
        if signed.signers.is_empty() {
            self.verdict.pa_signature = Check::Failed;
            return Err(Overall::Forged(Forgery::NoSigner));
        }
        let content = signed.econtent.as_deref().unwrap_or_default();
        let mut found = Vec::new();
        for signer in &signed.signers {
            self.verdict.sod.algorithm.get_or_insert_with(|| name_of(signer.signature_alg));
            let Some(certificate) = signer.certificate(&signed.certificates) else {
                return Err(Overall::Unverifiable(Unproven::SignerMissing));
            };
            self.verdict.issuer.get_or_insert_with(|| issuer_of(certificate));
            let facts = KeyFacts::of(certificate);
            self.check_curve(certificate, &facts)?;
            let check = signer.check_signature(certificate, &signed.econtent_type, &[content]);
            if let Some(reason) = wrong(&check) {
                self.verdict.pa_signature = Check::Failed;
                return Err(match reason {
                    Forgery::Signature => unsigned(signer, &facts, &self.policy.curves),
                    other => Overall::Forged(other),
                });
            }
            self.verdict.sod.over.get_or_insert(check.over);
            if check.over == Over::AttributesSorted {
                self.flag(Flag::AttributesReordered);
            }
            if check.problems.contains(&Problem::NoSignedAttributes) {
                self.flag(Flag::NoSignedAttributes);
            }
            for hash in [signer.signature_alg.hash(), signer.digest] {
                self.weak_hash(hash);
            }
            if facts.is_weak() {
                self.weak(key_name(&facts));
            }
            found.push((signer, certificate));
        }
        self.weak_hash(sod.list.hash);
        if !sod.plain {
            self.flag(Flag::SodFrameUnusual);
        }
        self.verdict.pa_signature = Check::Ok;
        Ok(found)
    }

    /// A curve of the sender's own making is refused before any arithmetic on it.
    fn check_curve(&self, certificate: &X509, facts: &KeyFacts) -> Early<()> {
        let no_cofactor =
            Parts::of(certificate).is_ok_and(|parts| parts.explicit_curve() && !has_cofactor(&parts));
        if curve_allowed(facts, &self.policy.curves) && !no_cofactor {
            return Ok(());
        }
        Err(match facts {
            KeyFacts::Ec { curve: Some(_), .. } if !no_cofactor => {
                Overall::Unverifiable(Unproven::ChainPolicy)
            }
            KeyFacts::Other if point_of_another_curve(certificate, &self.policy.curves) => {
                Overall::Unverifiable(Unproven::IssuerDefect)
            }
            _ => Overall::Rejected(Refusal::EcParams),
        })
    }

    fn weak_hash(&mut self, hash: Hash) {
        match hash {
            Hash::Md5 => self.weak("MD5".to_owned()),
            Hash::Sha1 => self.weak("SHA-1".to_owned()),
            _ => {}
        }
    }

    pub(super) fn weak(&mut self, name: String) {
        self.flag(Flag::WeakAlgorithm);
        if !self.verdict.sod.weak.contains(&name) {
            self.verdict.sod.weak.push(name);
        }
    }
}

fn wrong(check: &SignerCheck) -> Option<Forgery> {
    let has = |any: [Problem; 2]| any.iter().any(|p| check.problems.contains(p));
    if !check.signature {
        Some(Forgery::Signature)
    } else if check.message_digest == Some(false)
        || has([Problem::MissingMessageDigest, Problem::RepeatedMessageDigest])
    {
        Some(Forgery::MessageDigest)
    } else if check.content_type == Some(false)
        || has([Problem::MissingContentType, Problem::RepeatedContentType])
    {
        Some(Forgery::ContentType)
    } else {
        None
    }
}

/// What a signature that does not hold comes to. Numbers that are not written as DER prescribes are malformed; numbers
/// that are too large for the key's curve and fit another one of its size betray an issuer that mixed the two up. No
/// other curve is tried.
fn unsigned(signer: &SignerInfo, facts: &KeyFacts, curves: &[String]) -> Overall {
    let forged = Overall::Forged(Forgery::Signature);
    let (SignatureAlg::Ecdsa(_), KeyFacts::Ec { curve: Some(curve), .. }) = (signer.signature_alg, facts)
    else {
        return forged;
    };
    let Some((r, s)) = numbers(&signer.signature) else { return forged };
    if der::sequence(&[&der::integer(r), &der::integer(s)]) != signer.signature {
        return Overall::Rejected(Refusal::Malformed);
    }
    let too_large = |order: &BigNum| {
        let over = |n: &[u8]| BigNum::from_slice(n).is_ok_and(|n| n.ucmp(order).is_gt());
        (over(r) || over(s), over(r) && over(s))
    };
    let Some(own) = group(curve) else { return forged };
    let Some(order) = order(&own) else { return forged };
    if !too_large(&order).0 {
        return forged;
    }
    let fits = curves
        .iter()
        .filter_map(|name| group(name))
        .filter(|g| g.degree() == own.degree())
        .any(|g| order_of_another(&g, &order).is_some_and(|other| !too_large(&other).0));
    if fits { Overall::Unverifiable(Unproven::IssuerDefect) } else { forged }
}

/// r and s of a DER signature, leniently; `None` for negative ones.
fn numbers(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = der::Reader::lenient(signature);
    let mut fields = outer.expect(0x30).ok()?.lenient();
    outer.end().ok()?;
    let (r, s) = (fields.expect(0x02).ok()?.content, fields.expect(0x02).ok()?.content);
    fields.end().ok()?;
    let negative = |n: &[u8]| n.first().is_none_or(|b| b & 0x80 != 0);
    (!negative(r) && !negative(s)).then_some((r, s))
}

fn group(name: &str) -> Option<EcGroup> {
    let nid = CURVE_NIDS.iter().find(|(n, _)| *n == name).map(|(_, nid)| *nid)?;
    EcGroup::from_curve_name(nid).ok()
}

fn order(group: &EcGroup) -> Option<BigNum> {
    let mut order = BigNum::new().ok()?;
    group.order(&mut order, &mut *BigNumContext::new().ok()?).ok()?;
    Some(order)
}

fn order_of_another(group: &EcGroup, own: &BigNum) -> Option<BigNum> {
    order(group).filter(|other| other != own)
}

/// The public key is no point of the curve that it names, and is one of another curve that may be used.
fn point_of_another_curve(certificate: &X509, curves: &[String]) -> bool {
    let point = || -> Option<Vec<u8>> {
        let spki = Parts::of(certificate).ok()?.spki;
        let mut fields = der::only(&spki, 0x30).ok()?.reader();
        let mut algorithm = fields.expect(0x30).ok()?.reader();
        let kind = algorithm.expect(0x06).ok()?.oid().ok()?;
        // Named: parameters that are written out are the sender's own.
        algorithm.expect(0x06).ok()?;
        let bits = fields.expect(0x03).ok()?.content.split_first()?.1.to_vec();
        // Uncompressed points only: the others are points of half of all curves.
        (kind == "1.2.840.10045.2.1" && bits.first() == Some(&4)).then_some(bits)
    };
    let Some(point) = point() else { return false };
    let lies_on = |group: &EcGroup| -> Option<bool> {
        let mut context = BigNumContext::new().ok()?;
        EcPoint::from_bytes(group, &point, &mut context).ok()?.is_on_curve(group, &mut context).ok()
    };
    curves.iter().filter_map(|name| group(name)).any(|g| lies_on(&g) == Some(true))
}

/// Written-out parameters must be complete (Doc 9303-12, 4.1.6.3): with the cofactor, which is the sixth field.
fn has_cofactor(parts: &Parts) -> bool {
    let read = || -> Option<bool> {
        let mut algorithm = der::only(&parts.spki, 0x30).ok()?.reader().expect(0x30).ok()?.reader();
        algorithm.expect(0x06).ok()?;
        let mut fields = algorithm.expect(0x30).ok()?.reader();
        fields.expect(0x02).ok()?;
        fields.expect(0x30).ok()?;
        fields.expect(0x30).ok()?;
        fields.expect(0x04).ok()?;
        fields.expect(0x02).ok()?;
        let cofactor = fields.expect(0x02).ok()?;
        Some(fields.end().is_ok() && cofactor.content == [1])
    };
    read().unwrap_or(false)
}

pub(super) fn key_name(facts: &KeyFacts) -> String {
    match facts {
        KeyFacts::Rsa { small_exponent: true, .. } => "RSA e=1, 3".to_owned(),
        KeyFacts::Rsa { bits, .. } => format!("RSA {bits} bit"),
        KeyFacts::Ec { bits, curve, .. } => {
            format!("ECDSA {bits} bit ({})", curve.as_deref().unwrap_or("-"))
        }
        KeyFacts::Other => "?".to_owned(),
    }
}

/// The name that OpenSSL gives it.
fn name_of(algorithm: SignatureAlg) -> String {
    let hash = |hash: Hash| format!("{hash:?}").to_uppercase();
    match algorithm {
        SignatureAlg::RsaPkcs1(Hash::Md5) => "md5WithRSAEncryption".to_owned(),
        SignatureAlg::RsaPkcs1(h) => format!("{}WithRSAEncryption", hash(h).to_lowercase()),
        SignatureAlg::RsaPss { hash: h, salt, .. } => format!("rsassaPss-{} (salt {salt})", hash(h)),
        SignatureAlg::Ecdsa(h) => format!("ecdsa-with-{}", hash(h)),
        SignatureAlg::EcdsaPlain(h) => format!("ecdsa-plain-{}", hash(h)),
    }
}

fn issuer_of(certificate: &X509) -> String {
    let parts = certificate.issuer_name().entries().map(|entry| {
        let key = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        // Whoever made the certificate chose it: nothing that steers, and not without end.
        let value: String = plain(&value).chars().take(128).collect();
        format!("{key}={value}")
    });
    parts.take(16).collect::<Vec<_>>().join(", ")
}

const CURVE_NIDS: [(&str, Nid); 11] = [
    ("prime192v1", Nid::X9_62_PRIME192V1),
    ("secp224r1", Nid::SECP224R1),
    ("prime256v1", Nid::X9_62_PRIME256V1),
    ("secp384r1", Nid::SECP384R1),
    ("secp521r1", Nid::SECP521R1),
    ("brainpoolP192r1", Nid::BRAINPOOL_P192R1),
    ("brainpoolP224r1", Nid::BRAINPOOL_P224R1),
    ("brainpoolP256r1", Nid::BRAINPOOL_P256R1),
    ("brainpoolP320r1", Nid::BRAINPOOL_P320R1),
    ("brainpoolP384r1", Nid::BRAINPOOL_P384R1),
    ("brainpoolP512r1", Nid::BRAINPOOL_P512R1),
];
