//! CMS SignedData (RFC 5652) as PAdES wants it: detached, three signed attributes, DER to the last byte.
//!
//! | clause | where it is met |
//! |---|---|
//! | EN 319 142-1, 6.3: no `signing-time`, the time is `/M` | [`Template::draft`] writes content-type, message-digest, signing-certificate-v2 |
//! | RFC 5652, 5.3: SET OF in DER order, signed with tag 0x31, embedded with 0xA0 | [`Draft`] |
//! | RFC 5035, 3: ESSCertIDv2, SHA-256 is the default and left out | [`Template`] |
//! | RFC 3161, appendix A: the time stamp is over the signature value | [`Signed::signature`], [`Signed::finish`] |

use super::key::{Algorithm, KeyHandle, is_root, sign_one};
use crate::cms::Parts;
use crate::der;
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use openssl::x509::{X509, X509Ref};
use std::sync::Arc;

/// What of every SignedData of one signer is the same: made once, it saves each signature the encoding of certificates.
/// Cheap to clone.
#[derive(Clone)]
pub struct Template {
    certificates: Arc<[Vec<u8>]>,
    sid: Arc<[u8]>,
    /// The attribute signing-certificate-v2.
    signing_certificate: Arc<[u8]>,
    algorithm: Algorithm,
}

impl Template {
    /// For a certificate and those above it; the root, which whoever checks must have already, is left out.
    ///
    /// # Errors
    /// [`super::key::KEY_KIND`] for a certificate that cannot be encoded.
    pub fn new(certificate: &X509, chain: &[X509], algorithm: Algorithm) -> Outcome<Self> {
        let above = chain.iter().filter(|c| !is_root(c));
        let certificates =
            std::iter::once(certificate).chain(above).map(encode).collect::<Outcome<Vec<_>>>()?;
        let own = certificates.first().map_or(&[][..], Vec::as_slice);
        let ess = der::sequence(&[&der::octet_string(&Sha256::of(own).0)]);
        let value = der::sequence(&[&der::sequence(&[&ess])]);
        let signing_certificate = attribute(SIGNING_CERTIFICATE_V2, &value).into();
        let sid = issuer_and_serial(certificate)?.into();
        Ok(Template { certificates: certificates.into(), sid, signing_certificate, algorithm })
    }

    /// For a key.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn of(key: &dyn KeyHandle) -> Outcome<Self> {
        Template::new(key.certificate(), key.chain(), key.algorithm())
    }

    /// A draft over bytes that lie outside and have this digest.
    pub fn draft(&self, message_digest: &Sha256) -> Draft {
        Draft::lay_out(self.clone(), &der::oid(DATA), None, message_digest)
    }

    /// How many octets a finished SignedData takes at most, without a time stamp.
    pub fn size_bound(&self) -> usize {
        let certificates: usize = self.certificates.iter().map(Vec::len).sum();
        certificates + self.sid.len() + self.algorithm.size() + FRAME
    }
}

/// A SignedData that waits for its signature.
pub struct Draft {
    template: Template,
    content_type: Vec<u8>,
    content: Option<Vec<u8>>,
    attributes: Vec<u8>,
}

impl Draft {
    /// A draft over bytes that lie outside and have this digest; the chain goes along without its root. Where one
    /// signer signs much, [`Template::draft`] does the half of it once.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn new(
        certificate: &X509,
        chain: &[X509],
        algorithm: Algorithm,
        message_digest: &Sha256,
    ) -> Outcome<Draft> {
        let template = Template::new(certificate, chain, algorithm)?;
        Ok(Draft::lay_out(template, &der::oid(DATA), None, message_digest))
    }

    /// Drafts and signs at once.
    ///
    /// # Errors
    /// The key does not sign, or its certificate cannot be read.
    pub fn detached(key: &dyn KeyHandle, message_digest: &Sha256) -> Outcome<Signed> {
        let draft = Draft::new(key.certificate(), key.chain(), key.algorithm(), message_digest)?;
        let signature = sign_one(key, &draft.to_sign())?;
        Ok(draft.signed(signature))
    }

    /// Drafts and signs contents that go along (a time stamp token); the certificates only when asked for.
    ///
    /// # Errors
    /// As [`Draft::detached`].
    pub fn attached(
        key: &dyn KeyHandle,
        content_type: &[u64],
        content: &[u8],
        certificates: bool,
    ) -> Outcome<Signed> {
        let mut template = Template::of(key)?;
        if !certificates {
            template.certificates = Arc::new([]);
        }
        let (kind, digest) = (der::oid(content_type), Sha256::of(content));
        let draft = Draft::lay_out(template, &kind, Some(content.to_vec()), &digest);
        let signature = sign_one(key, &draft.to_sign())?;
        Ok(draft.signed(signature))
    }

    /// What the key is to sign: SHA-256 of the signed attributes as a DER SET OF (RFC 5652, 5.4).
    pub fn to_sign(&self) -> Sha256 {
        Sha256::of(&self.attributes)
    }

    /// With the signature over [`Draft::to_sign`].
    pub fn signed(self, signature: Vec<u8>) -> Signed {
        Signed { draft: self, signature }
    }

    fn lay_out(template: Template, content_type: &[u8], content: Option<Vec<u8>>, digest: &Sha256) -> Self {
        let attributes = der::set_of(&[
            &attribute(CONTENT_TYPE, content_type),
            &attribute(MESSAGE_DIGEST, &der::octet_string(&digest.0)),
            &template.signing_certificate,
        ]);
        Draft { template, content_type: content_type.to_vec(), content, attributes }
    }
}

/// A SignedData that is signed but not yet written down: a time stamp over [`Signed::signature`] may still be added.
pub struct Signed {
    draft: Draft,
    signature: Vec<u8>,
}

impl Signed {
    /// The signature value: what a signature time stamp is over.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The ContentInfo, with a time stamp token (RFC 3161) over the signature where there is one.
    pub fn finish(self, token: Option<&[u8]>) -> Vec<u8> {
        let Signed { draft, signature } = self;
        let template = &draft.template;
        let sha256 = sha256_identifier();
        let mut attributes = draft.attributes;
        attributes[0] = 0xa0;
        let unsigned = token.map_or_else(Vec::new, |token| {
            let stamp = der::sequence(&[&der::oid(SIGNATURE_TIME_STAMP), &der::set_of(&[token])]);
            der::tlv(0xa1, &stamp)
        });
        let signer = der::sequence(&[
            &der::integer(&[1]),
            &template.sid,
            &sha256,
            &attributes,
            &template.algorithm.identifier(),
            &der::octet_string(&signature),
            &unsigned,
        ]);
        let content = draft.content.as_ref().map_or_else(Vec::new, |c| der::tlv(0xa0, &der::octet_string(c)));
        let certificates: Vec<&[u8]> = template.certificates.iter().map(Vec::as_slice).collect();
        let mut set = der::set_of(&certificates);
        set[0] = 0xa0;
        // RFC 5652, 5.1: version 3 as soon as the content is anything but plain data.
        let version = if draft.content_type == der::oid(DATA) { 1 } else { 3 };
        let signed_data = der::sequence(&[
            &der::integer(&[version]),
            &der::set_of(&[&sha256]),
            &der::sequence(&[&draft.content_type, &content]),
            if certificates.is_empty() { &[] } else { &set },
            &der::set_of(&[&signer]),
        ]);
        der::sequence(&[&der::oid(SIGNED_DATA), &der::tlv(0xa0, &signed_data)])
    }
}

/// How many octets the finished SignedData of a key takes at most, without a time stamp.
///
/// # Errors
/// A certificate cannot be encoded.
pub fn size_bound(key: &dyn KeyHandle) -> Outcome<usize> {
    Ok(Template::of(key)?.size_bound())
}

/// The AlgorithmIdentifier of SHA-256, without parameters (RFC 5754, 2).
pub fn sha256_identifier() -> Vec<u8> {
    der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])])
}

fn attribute(oid: &[u64], value: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::oid(oid), &der::set_of(&[value])])
}

fn encode(certificate: &X509) -> Outcome<Vec<u8>> {
    certificate.to_der().map_err(|_| Fault::new(&super::key::KEY_KIND))
}

fn issuer_and_serial(certificate: &X509Ref) -> Outcome<Vec<u8>> {
    let parts = Parts::of(certificate).map_err(|_| Fault::new(&super::key::KEY_KIND))?;
    Ok(der::sequence(&[&parts.issuer, &der::tlv(0x02, &parts.serial)]))
}

const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 47];
const SIGNATURE_TIME_STAMP: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 14];
/// Everything in a SignedData that is neither a certificate, a name nor a signature: about 270 octets.
const FRAME: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cms;
    use crate::der::Limits;
    use crate::seal::training::{Minted, Usage};

    #[test]
    fn the_reader_of_strangers_messages_takes_ours_and_finds_it_in_der_order() {
        for kind in ["rsa", "ec"] {
            let key = Minted::new(kind, Usage::Sign).soft_key();
            let bytes = Draft::detached(&key, &Sha256::of(b"paper")).unwrap().finish(None);
            assert!(bytes.len() <= size_bound(&key).unwrap());
            let data = cms::parse(&bytes, &Limits::default()).unwrap();
            assert_eq!(data.certificates.len(), 2, "signer and intermediate, no root");
            assert!(data.econtent.is_none());
            let signer = &data.signers[0];
            let oids: Vec<&str> = signer.attributes.iter().map(|a| a.oid.as_str()).collect();
            assert_eq!(oids.len(), 3);
            assert!(oids.contains(&"1.2.840.113549.1.9.16.2.47"));
            assert!(!oids.contains(&"1.2.840.113549.1.9.5"), "no signing-time");
            let check = signer.check_signature(key.certificate(), &data.econtent_type, &[b"pa", b"per"]);
            assert!(check.holds(), "{check:?}");
            assert_eq!(check.over, cms::Over::AttributesAsSent);
        }
    }

    #[test]
    fn a_token_goes_into_the_unsigned_attributes() {
        let key = Minted::new("ec", Usage::Sign).soft_key();
        let draft = Draft::detached(&key, &Sha256::of(b"paper")).unwrap();
        let token = der::sequence(&[&der::integer(&[7])]);
        let data = cms::parse(&draft.finish(Some(&token)), &Limits::default()).unwrap();
        assert_eq!(data.signers[0].unsigned[0].oid, "1.2.840.113549.1.9.16.2.14");
        assert_eq!(data.signers[0].unsigned[0].values, [token]);
    }
}
