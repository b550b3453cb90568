//! SODs that are put together by hand, for what the command line cannot make; OpenSSL signs their bytes.

use super::world::{World, world};
use crate::der;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::x509::X509;
use std::collections::BTreeMap;

/// A SOD put together by hand, right unless told otherwise.
pub(crate) struct Hand {
    pub(crate) signers: Vec<Signature>,
    pub(crate) hashes: Vec<(u8, Vec<u8>)>,
    pub(crate) econtent_type: Vec<u8>,
    pub(crate) crl: Option<Vec<u8>>,
    /// Version 1 of the list, with this version information.
    pub(crate) version_info: Option<&'static str>,
    /// Data groups besides or in place of the world's.
    pub(crate) files: BTreeMap<u8, Vec<u8>>,
}

pub(crate) struct Signature {
    pub(crate) who: Who,
    pub(crate) content_type: Vec<u8>,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) over: Made,
    pub(crate) how: How,
    pub(crate) issuer_as_printable: bool,
    /// Attributes are sent in the other order.
    pub(crate) reversed: bool,
    /// `YYMMDDhhmmssZ`.
    pub(crate) signing_time: Option<String>,
    /// Unsigned attributes, encoded.
    pub(crate) unsigned: Vec<u8>,
}

/// Whose signature.
pub(crate) enum Who {
    Named(&'static str),
    Made(X509, PKey<Private>),
}

/// How it is made.
pub(crate) enum How {
    EcdsaSha256,
    EcdsaSha1,
    /// RSASSA-PSS with a hash and a salt, and what is said about them: the parameters.
    Pss(MessageDigest, i32, Vec<u8>),
    /// What RSA with exponent 1 takes for a signature: the padded digest.
    PaddedDigest,
    /// An algorithm identifier and the finished signature.
    Fixed(Vec<u8>, Vec<u8>),
}

/// What a hand-made signature is over.
#[derive(PartialEq)]
pub(crate) enum Made {
    Attributes,
    SortedAttributes,
    ImplicitTag,
    Content,
    Nothing,
}

pub(crate) const ICAO: [u64; 6] = [2, 23, 136, 1, 1, 1];

pub(crate) fn right() -> Hand {
    let hash = |n: u8| (n, openssl::sha::sha256(&world().group(n)).to_vec());
    Hand {
        signers: vec![by("ds")],
        hashes: vec![hash(1), hash(2), hash(13)],
        econtent_type: der::oid(&ICAO),
        crl: None,
        version_info: None,
        files: BTreeMap::new(),
    }
}

/// Right, but for one data group.
pub(crate) fn with(number: u8, file: &[u8]) -> Hand {
    let mut hand = right();
    hand.hashes.retain(|(n, _)| *n != number);
    hand.hashes.push((number, openssl::sha::sha256(file).to_vec()));
    hand.files.insert(number, file.to_vec());
    hand
}

pub(crate) fn by(name: &'static str) -> Signature {
    by_whom(Who::Named(name))
}

pub(crate) fn by_whom(who: Who) -> Signature {
    Signature {
        who,
        content_type: der::oid(&ICAO),
        digest: None,
        over: Made::Attributes,
        how: How::EcdsaSha256,
        issuer_as_printable: false,
        reversed: false,
        signing_time: None,
        unsigned: Vec::new(),
    }
}

impl Hand {
    pub(crate) fn build(&self, world: &World) -> Vec<u8> {
        let sha256 = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])]);
        let list = self.list(&sha256);
        let content = der::sequence(&[&self.econtent_type, &der::tlv(0xa0, &der::octet_string(&list))]);
        let (mut certificates, mut signers) = (Vec::new(), Vec::new());
        for signature in &self.signers {
            let (certificate, signer) = signature.build(world, &sha256, &list);
            certificates.extend(certificate.to_der().unwrap());
            signers.extend(signer);
        }
        let crls = self.crl.as_ref().map(|crl| der::tlv(0xa1, crl)).unwrap_or_default();
        let data = der::sequence(&[
            &der::integer(&[3]),
            &der::set_of(&[&sha256]),
            &content,
            &der::tlv(0xa0, &certificates),
            &crls,
            &der::tlv(0x31, &signers),
        ]);
        let info = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 7, 2]), &der::tlv(0xa0, &data)]);
        der::tlv(0x77, &info)
    }

    fn list(&self, sha256: &[u8]) -> Vec<u8> {
        let entries: Vec<u8> = self
            .hashes
            .iter()
            .flat_map(|(n, h)| der::sequence(&[&der::integer(&[*n]), &der::octet_string(h)]))
            .collect();
        let info = self
            .version_info
            .map(|version| der::sequence(&[&der::tlv(0x13, version.as_bytes()), &der::tlv(0x13, b"040000")]));
        der::sequence(&[
            &der::integer(&[u8::from(info.is_some())]),
            sha256,
            &der::tlv(0x30, &entries),
            &info.unwrap_or_default(),
        ])
    }
}

impl Signature {
    fn build(&self, world: &World, sha256: &[u8], list: &[u8]) -> (X509, Vec<u8>) {
        let (certificate, key) = match &self.who {
            Who::Named(name) => (world.certificate(name), world.key(name)),
            Who::Made(certificate, key) => (certificate.clone(), key.clone()),
        };
        let parts = crate::cms::Parts::of(&certificate).unwrap();
        let digest = self.digest.clone().unwrap_or_else(|| openssl::sha::sha256(list).to_vec());
        let attribute = |oid: &[u64], value: &[u8]| der::sequence(&[&der::oid(oid), &der::tlv(0x31, value)]);
        let mut attributes = vec![attribute(&[1, 2, 840, 113_549, 1, 9, 3], &self.content_type)];
        if let Some(time) = &self.signing_time {
            attributes.push(attribute(&[1, 2, 840, 113_549, 1, 9, 5], &der::tlv(0x17, time.as_bytes())));
        }
        attributes.push(attribute(&[1, 2, 840, 113_549, 1, 9, 4], &der::octet_string(&digest)));
        let sorted = der::set_of(&attributes.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if self.reversed {
            attributes.reverse();
        }
        let attributes = attributes.concat();
        let over = match self.over {
            Made::Attributes => der::tlv(0x31, &attributes),
            Made::SortedAttributes => sorted,
            Made::ImplicitTag => der::tlv(0xa0, &attributes),
            Made::Content => list.to_vec(),
            Made::Nothing => vec![],
        };
        let (algorithm, signature) = self.how.sign(&key, &over);
        let mut issuer = parts.issuer.clone();
        if self.issuer_as_printable {
            issuer.iter_mut().filter(|b| **b == 0x0c).for_each(|b| *b = 0x13);
        }
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { der::tlv(0xa1, &self.unsigned) };
        let signer = der::sequence(&[
            &der::integer(&[1]),
            &der::sequence(&[&issuer, &der::tlv(0x02, &parts.serial)]),
            sha256,
            &der::tlv(0xa0, &attributes),
            &algorithm,
            &der::octet_string(&signature),
            &unsigned,
        ]);
        (certificate, signer)
    }
}

impl How {
    fn sign(&self, key: &PKey<Private>, over: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let ecdsa = |md: MessageDigest, oid: &[u64]| {
            let mut signer = Signer::new(md, key).unwrap();
            (der::sequence(&[&der::oid(oid)]), signer.sign_oneshot_to_vec(over).unwrap())
        };
        match self {
            How::EcdsaSha256 => ecdsa(MessageDigest::sha256(), &[1, 2, 840, 10045, 4, 3, 2]),
            How::EcdsaSha1 => ecdsa(MessageDigest::sha1(), &[1, 2, 840, 10045, 4, 1]),
            How::Pss(md, salt, parameters) => {
                let mut signer = Signer::new(*md, key).unwrap();
                signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                signer.set_rsa_mgf1_md(*md).unwrap();
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(*salt)).unwrap();
                let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 10]), parameters]);
                (algorithm, signer.sign_oneshot_to_vec(over).unwrap())
            }
            How::PaddedDigest => {
                let prefix = hex::decode("3031300d060960864801650304020105000420").unwrap();
                let digest = [prefix, openssl::sha::sha256(over).to_vec()].concat();
                let padded = [&[0, 1][..], &[0xff; 202], &[0], &digest].concat();
                (der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 11]), &der::null()]), padded)
            }
            How::Fixed(algorithm, signature) => (algorithm.clone(), signature.clone()),
        }
    }
}
