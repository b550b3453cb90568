//! The algorithms that signatures name: parsed from AlgorithmIdentifiers, carried out by OpenSSL.

use super::Content;
use crate::der::{DerError, Reader, Tlv};
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKeyRef};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};
use serde::{Deserialize, Serialize};

/// A hash function that is met in certificates, signatures and chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// RFC 1321; broken.
    Md5,
    /// FIPS 180-4; broken for signatures.
    Sha1,
    /// FIPS 180-4.
    Sha224,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

impl Hash {
    /// By its OBJECT IDENTIFIER in dotted form; `None` for a hash that is not known here.
    pub fn from_oid(oid: &str) -> Option<Self> {
        Some(match oid {
            "1.2.840.113549.2.5" => Hash::Md5,
            "1.3.14.3.2.26" => Hash::Sha1,
            "2.16.840.1.101.3.4.2.4" => Hash::Sha224,
            "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
            "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
            "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
            _ => return None,
        })
    }

    /// Its OBJECT IDENTIFIER, arc by arc.
    pub fn arcs(self) -> &'static [u64] {
        match self {
            Hash::Md5 => &[1, 2, 840, 113_549, 2, 5],
            Hash::Sha1 => &[1, 3, 14, 3, 2, 26],
            Hash::Sha224 => &[2, 16, 840, 1, 101, 3, 4, 2, 4],
            Hash::Sha256 => &[2, 16, 840, 1, 101, 3, 4, 2, 1],
            Hash::Sha384 => &[2, 16, 840, 1, 101, 3, 4, 2, 2],
            Hash::Sha512 => &[2, 16, 840, 1, 101, 3, 4, 2, 3],
        }
    }

    /// From an AlgorithmIdentifier.
    ///
    /// # Errors
    /// Malformed, or a hash that is not known here.
    pub fn read(algorithm: &Tlv<'_>) -> Result<Self, DerError> {
        let oid = algorithm.reader().expect(0x06)?;
        Hash::from_oid(&oid.oid()?).ok_or(DerError::Value { at: oid.at })
    }

    /// OpenSSL's name for it.
    pub fn md(self) -> MessageDigest {
        match self {
            Hash::Md5 => MessageDigest::md5(),
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha224 => MessageDigest::sha224(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        }
    }

    /// Digest length, bytes.
    pub fn size(self) -> usize {
        self.md().size()
    }

    /// The digest of parts laid end to end; `None` where this OpenSSL refuses the hash.
    pub fn digest(self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let mut hasher = openssl::hash::Hasher::new(self.md()).ok()?;
        for part in parts {
            hasher.update(part).ok()?;
        }
        hasher.finish().ok().map(|d| d.to_vec())
    }

    /// Too weak to carry a signature made today.
    pub fn is_weak(self) -> bool {
        matches!(self, Hash::Md5 | Hash::Sha1)
    }
}

/// How a signature was made, as its SignerInfo or certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlg {
    /// RSASSA-PKCS1-v1_5 (RFC 8017).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 4055); absent parameters are SHA-1 and a salt of 20 bytes.
    RsaPss {
        /// Of the message.
        hash: Hash,
        /// Of the mask.
        mgf: Hash,
        /// Salt length, bytes.
        salt: u16,
    },
    /// ECDSA, signature as DER `SEQUENCE { r, s }` (RFC 5758).
    Ecdsa(Hash),
    /// ECDSA, signature as r and s laid end to end (BSI TR-03111 plain format).
    EcdsaPlain(Hash),
}

impl SignatureAlg {
    /// From an AlgorithmIdentifier; `digest` is what the SignerInfo says beside it, for identifiers that name
    /// the key only (`rsaEncryption`, `id-ecPublicKey`).
    ///
    /// # Errors
    /// Malformed, or an algorithm that is not known here.
    pub fn read(algorithm: &Tlv<'_>, digest: Option<Hash>) -> Result<Self, DerError> {
        let mut reader = algorithm.reader();
        let oid = reader.expect(0x06)?;
        let unknown = DerError::Value { at: oid.at };
        Ok(match oid.oid()?.as_str() {
            "1.2.840.113549.1.1.1" => SignatureAlg::RsaPkcs1(digest.ok_or(unknown)?),
            "1.2.840.113549.1.1.4" => SignatureAlg::RsaPkcs1(Hash::Md5),
            "1.2.840.113549.1.1.5" => SignatureAlg::RsaPkcs1(Hash::Sha1),
            "1.2.840.113549.1.1.14" => SignatureAlg::RsaPkcs1(Hash::Sha224),
            "1.2.840.113549.1.1.11" => SignatureAlg::RsaPkcs1(Hash::Sha256),
            "1.2.840.113549.1.1.12" => SignatureAlg::RsaPkcs1(Hash::Sha384),
            "1.2.840.113549.1.1.13" => SignatureAlg::RsaPkcs1(Hash::Sha512),
            "1.2.840.113549.1.1.10" => read_pss(&mut reader)?,
            "1.2.840.10045.2.1" => SignatureAlg::Ecdsa(digest.ok_or(unknown)?),
            "1.2.840.10045.4.1" => SignatureAlg::Ecdsa(Hash::Sha1),
            "1.2.840.10045.4.3.1" => SignatureAlg::Ecdsa(Hash::Sha224),
            "1.2.840.10045.4.3.2" => SignatureAlg::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" => SignatureAlg::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" => SignatureAlg::Ecdsa(Hash::Sha512),
            "0.4.0.127.0.7.1.1.4.1.1" => SignatureAlg::EcdsaPlain(Hash::Sha1),
            "0.4.0.127.0.7.1.1.4.1.2" => SignatureAlg::EcdsaPlain(Hash::Sha224),
            "0.4.0.127.0.7.1.1.4.1.3" => SignatureAlg::EcdsaPlain(Hash::Sha256),
            "0.4.0.127.0.7.1.1.4.1.4" => SignatureAlg::EcdsaPlain(Hash::Sha384),
            "0.4.0.127.0.7.1.1.4.1.5" => SignatureAlg::EcdsaPlain(Hash::Sha512),
            _ => return Err(unknown),
        })
    }

    /// The hash over what is signed.
    pub fn hash(self) -> Hash {
        match self {
            SignatureAlg::RsaPkcs1(hash)
            | SignatureAlg::RsaPss { hash, .. }
            | SignatureAlg::Ecdsa(hash)
            | SignatureAlg::EcdsaPlain(hash) => hash,
        }
    }

    /// Checks a signature over parts laid end to end. A key of another kind, and anything that OpenSSL refuses,
    /// is `false`.
    pub fn verify<T: HasPublic>(self, key: &PKeyRef<T>, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.verify_content(key, &parts, signature)
    }

    /// As [`SignatureAlg::verify`], over contents that need not be in memory; `false` too where they cannot be read.
    pub fn verify_content<T: HasPublic>(
        self,
        key: &PKeyRef<T>,
        over: &dyn Content,
        signature: &[u8],
    ) -> bool {
        self.try_verify(key, over, signature).unwrap_or(false)
    }

    fn try_verify<T: HasPublic>(
        self,
        key: &PKeyRef<T>,
        over: &dyn Content,
        signature: &[u8],
    ) -> Option<bool> {
        let fits = match self {
            SignatureAlg::RsaPkcs1(_) => key.id() == Id::RSA,
            SignatureAlg::RsaPss { .. } => matches!(key.id(), Id::RSA | Id::RSA_PSS),
            SignatureAlg::Ecdsa(_) | SignatureAlg::EcdsaPlain(_) => key.id() == Id::EC,
        };
        if !fits {
            return None;
        }
        let mut verifier = Verifier::new(self.hash().md(), key).ok()?;
        if let SignatureAlg::RsaPss { mgf, salt, .. } = self {
            verifier.set_rsa_padding(Padding::PKCS1_PSS).ok()?;
            verifier.set_rsa_mgf1_md(mgf.md()).ok()?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::custom(i32::from(salt))).ok()?;
        }
        let mut taken = true;
        over.each(&mut |part| taken = taken && verifier.update(part).is_ok())?;
        if !taken {
            return None;
        }
        match self {
            SignatureAlg::EcdsaPlain(_) => verifier.verify(&plain_to_der(signature)?).ok(),
            _ => verifier.verify(signature).ok(),
        }
    }
}

/// A plain ECDSA signature, r and s of equal length laid end to end, as DER; `None` for an odd or empty one.
pub fn plain_to_der(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.is_empty() || !plain.len().is_multiple_of(2) || plain.len() > 512 {
        return None;
    }
    let (r, s) = plain.split_at(plain.len() / 2);
    Some(crate::der::sequence(&[&crate::der::integer(r), &crate::der::integer(s)]))
}

/// RSASSA-PSS-params (RFC 4055 3.1).
fn read_pss(reader: &mut Reader<'_>) -> Result<SignatureAlg, DerError> {
    let (mut hash, mut mgf, mut salt) = (Hash::Sha1, Hash::Sha1, 20u16);
    if let Some(parameters) = reader.optional(0x30)? {
        let mut fields = parameters.reader();
        if let Some(field) = fields.optional(0xa0)? {
            hash = Hash::read(&field.reader().expect(0x30)?)?;
        }
        if let Some(field) = fields.optional(0xa1)? {
            let mut inner = field.reader().expect(0x30)?.reader();
            let function = inner.expect(0x06)?;
            if function.oid()? != "1.2.840.113549.1.1.8" {
                return Err(DerError::Value { at: function.at });
            }
            mgf = Hash::read(&inner.expect(0x30)?)?;
        }
        if let Some(field) = fields.optional(0xa2)? {
            let length = field.reader().expect(0x02)?;
            salt = u16::try_from(length.number()?).map_err(|_| DerError::Value { at: length.at })?;
        }
        if let Some(field) = fields.optional(0xa3)? {
            let trailer = field.reader().expect(0x02)?;
            if trailer.number()? != 1 {
                return Err(DerError::Value { at: trailer.at });
            }
        }
        fields.end()?;
    }
    Ok(SignatureAlg::RsaPss { hash, mgf, salt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der;

    #[test]
    fn absent_pss_parameters_take_the_defaults_of_the_standard() {
        let bytes = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 10]), &der::sequence(&[])]);
        let algorithm = der::only(&bytes, 0x30).unwrap();
        assert_eq!(
            SignatureAlg::read(&algorithm, None),
            Ok(SignatureAlg::RsaPss { hash: Hash::Sha1, mgf: Hash::Sha1, salt: 20 })
        );
    }

    #[test]
    fn a_bare_key_identifier_takes_the_digest_beside_it_and_an_unknown_one_is_refused() {
        let bytes = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 1]), &der::null()]);
        let algorithm = der::only(&bytes, 0x30).unwrap();
        assert_eq!(
            SignatureAlg::read(&algorithm, Some(Hash::Sha256)),
            Ok(SignatureAlg::RsaPkcs1(Hash::Sha256))
        );
        assert_eq!(SignatureAlg::read(&algorithm, None), Err(DerError::Value { at: 2 }));
        let unknown = der::sequence(&[&der::oid(&[1, 2, 3])]);
        assert!(SignatureAlg::read(&der::only(&unknown, 0x30).unwrap(), Some(Hash::Sha256)).is_err());
    }

    #[test]
    fn a_plain_signature_of_odd_length_is_none() {
        assert_eq!(plain_to_der(&[1, 2, 3]), None);
        assert_eq!(plain_to_der(&[1, 0x82]), Some(vec![0x30, 7, 2, 1, 1, 2, 2, 0, 0x82]));
    }
}
