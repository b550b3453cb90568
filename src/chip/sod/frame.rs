//! The part of EF.SOD that no signature covers: version numbers, the algorithms' names, how a signer is pointed to, what
//! lies beside. A changed byte there changes no signed word, and yet the file is not the one that was issued. So it is
//! held against what the standards prescribe, byte for byte (RFC 5652, 5754, 5756; Doc 9303-12).
//!
//! One choice stays open: `rsaEncryption` and `shaNNNWithRSAEncryption` are both prescribed for the same signature.

use crate::cms::{Hash, Parts, SignatureAlg};
use crate::der::{self, DerError, Reader, Tlv};
use std::collections::BTreeSet;

/// Nothing outside the signatures is other than prescribed. `normal` is the SignedData in its ContentInfo as DER.
pub(super) fn is_plain(normal: &[u8]) -> bool {
    read(normal).unwrap_or(false)
}

fn read(normal: &[u8]) -> Result<bool, DerError> {
    let mut info = der::only(normal, 0x30)?.reader();
    info.expect(0x06)?;
    let mut data = info.expect(0xa0)?.reader().expect(0x30)?.reader();
    // Version 3: the contents are not of type `data`, and there are no certificates of other kinds.
    let mut plain = data.expect(0x02)?.content == [3];
    let mut announced = BTreeSet::new();
    let mut digests = data.expect(0x31)?.reader();
    while !digests.is_empty() {
        let hash = plain_hash(&digests.expect(0x30)?);
        plain &= hash.is_some_and(|hash| announced.insert(hash));
    }
    data.expect(0x30)?;
    let mut certificates = Vec::new();
    if let Some(set) = data.optional(0xa0)? {
        let mut set = set.reader();
        while !set.is_empty() {
            certificates.push(set.expect(0x30)?.raw);
        }
    }
    // Revocation lists end it here: they are not prescribed.
    let mut signers = data.expect(0x31)?.reader();
    data.end()?;
    let (mut used, mut spoken_for) = (BTreeSet::new(), BTreeSet::new());
    while !signers.is_empty() {
        let (hash, certificate) = signer(&signers.expect(0x30)?, &certificates)?;
        plain &= hash.is_some_and(|hash| used.insert(hash) || announced.contains(&hash));
        plain &= certificate.is_some_and(|index| spoken_for.insert(index));
    }
    Ok(plain && used == announced && spoken_for.len() == certificates.len())
}

/// The digest of a signer, and which certificate it points to in exactly that certificate's own bytes.
fn signer(signer: &Tlv<'_>, certificates: &[&[u8]]) -> Result<(Option<Hash>, Option<usize>), DerError> {
    let mut fields = signer.reader();
    let version = fields.expect(0x02)?.content;
    let found = match fields.optional(0x80)? {
        Some(id) => certificates
            .iter()
            .position(|c| version == [3] && parts(c).is_some_and(|p| p.subject_key_id() == Some(id.content))),
        None => {
            let mut pair = fields.expect(0x30)?.reader();
            let (issuer, serial) = (pair.expect(0x30)?.raw, pair.expect(0x02)?.content);
            pair.end()?;
            certificates.iter().position(|c| {
                version == [1] && parts(c).is_some_and(|p| p.issuer == issuer && p.serial == serial)
            })
        }
    };
    let digest = plain_hash(&fields.expect(0x30)?);
    fields.optional(0xa0)?;
    let algorithm = fields.expect(0x30)?;
    fields.expect(0x04)?;
    // Unsigned attributes end it here.
    fields.end()?;
    let plain = plain_algorithm(&algorithm, digest);
    Ok((digest.filter(|_| plain), found))
}

fn parts(certificate: &[u8]) -> Option<Parts> {
    Parts::read(certificate).ok()
}

/// A hash whose parameters are absent or NULL (RFC 5754, 2).
fn plain_hash(algorithm: &Tlv<'_>) -> Option<Hash> {
    let hash = Hash::read(algorithm).ok()?;
    without_parameters(algorithm.reader()).then_some(hash)
}

fn without_parameters(mut fields: Reader<'_>) -> bool {
    let mut read = || -> Result<bool, DerError> {
        fields.expect(0x06)?;
        let empty = fields.optional(0x05)?.is_none_or(|null| null.content.is_empty());
        fields.end()?;
        Ok(empty)
    };
    read().unwrap_or(false)
}

fn plain_algorithm(algorithm: &Tlv<'_>, digest: Option<Hash>) -> bool {
    match SignatureAlg::read(algorithm, digest) {
        Ok(SignatureAlg::RsaPss { hash, mgf, salt }) => {
            pss_forms(hash, mgf, salt).any(|f| f == algorithm.raw)
        }
        Ok(_) => without_parameters(algorithm.reader()),
        Err(_) => false,
    }
}

/// Every prescribed way to write these parameters (RFC 4055, 3.1): hashes with and without NULL, defaults written or not.
fn pss_forms(hash: Hash, mgf: Hash, salt: u16) -> impl Iterator<Item = Vec<u8>> {
    (0..8u8).map(move |choice| {
        let [null, trailer, defaults] = [1, 2, 4].map(|bit| choice & bit != 0);
        let algorithm = |hash: Hash| {
            let null = if null { der::null() } else { Vec::new() };
            der::sequence(&[&der::oid(hash.arcs()), &null])
        };
        let field = |tag: u8, content: Vec<u8>, default: bool| {
            if default && !defaults { Vec::new() } else { der::tlv(tag, &content) }
        };
        let mask = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 8]), &algorithm(mgf)]);
        let parameters = der::sequence(&[
            &field(0xa0, algorithm(hash), hash == Hash::Sha1),
            &field(0xa1, mask, mgf == Hash::Sha1),
            &field(0xa2, der::integer(&salt.to_be_bytes()), salt == 20),
            &if trailer { der::tlv(0xa3, &der::integer(&[1])) } else { Vec::new() },
        ]);
        der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 10]), &parameters])
    })
}
