//! Mints what the tests weigh: certificates, revocation lists and OCSP answers of every good and bad shape.

#![allow(dead_code, reason = "tests of several rooms take what they need")]

use super::ocsp::key_hash;
use crate::cms::{Hash, Parts};
use crate::der;
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};

/// 2026-06-01T00:00:00Z: what the tests take for now.
pub(crate) const NOW: i64 = 1_780_272_000;
pub(crate) const DAY: i64 = 86_400;

/// Someone with a key and a certificate.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
}

impl Holder {
    /// A root.
    pub(crate) fn root(name: &str) -> Self {
        Mint::new(name).ca().made()
    }

    /// The same key under a new certificate that ends `days` from [`NOW`].
    pub(crate) fn parts(&self) -> Parts {
        Parts::of(&self.certificate).unwrap()
    }
}

/// A certificate in the making.
pub(crate) struct Mint<'a> {
    name: String,
    issuer: Option<&'a Holder>,
    ca: bool,
    days: (i64, i64),
    at: i64,
    extensions: Vec<(String, bool, Vec<u8>)>,
    weak: bool,
}

impl<'a> Mint<'a> {
    pub(crate) fn new(name: &str) -> Self {
        Mint {
            name: name.to_owned(),
            issuer: None,
            ca: false,
            days: (-30, 365),
            at: NOW,
            extensions: Vec::new(),
            weak: false,
        }
    }

    pub(crate) fn by(self, issuer: &'a Holder) -> Self {
        Mint { issuer: Some(issuer), ..self }
    }

    pub(crate) fn ca(self) -> Self {
        Mint { ca: true, ..self }
    }

    /// From and until, days from now.
    pub(crate) fn days(self, from: i64, until: i64) -> Self {
        Mint { days: (from, until), ..self }
    }

    /// What is now.
    pub(crate) fn at(self, at: i64) -> Self {
        Mint { at, ..self }
    }

    pub(crate) fn signed_with_sha1(self) -> Self {
        Mint { weak: true, ..self }
    }

    pub(crate) fn with(mut self, oid: &str, critical: bool, value: Vec<u8>) -> Self {
        self.extensions.push((oid.to_owned(), critical, value));
        self
    }

    /// id-kp-OCSPSigning.
    pub(crate) fn answers(self) -> Self {
        self.purpose(&[1, 3, 6, 1, 5, 5, 7, 3, 9])
    }

    /// An extended key usage, critical.
    pub(crate) fn purpose(self, oid: &[u64]) -> Self {
        self.with("2.5.29.37", true, der::sequence(&[&der::oid(oid)]))
    }

    pub(crate) fn no_check(self) -> Self {
        self.with("1.3.6.1.5.5.7.48.1.5", false, der::null())
    }

    /// A distribution point with this address.
    pub(crate) fn list_at(self, url: &str) -> Self {
        let point = der::sequence(&[&distribution_point(url)]);
        self.with("2.5.29.31", false, der::sequence(&[&point]))
    }

    /// Addresses of a responder and of the issuer's certificate.
    pub(crate) fn access(self, ocsp: &str, issuer: &str) -> Self {
        let entry = |last: u64, url: &str| {
            if url.is_empty() {
                return Vec::new();
            }
            der::sequence(&[&der::oid(&[1, 3, 6, 1, 5, 5, 7, 48, last]), &der::tlv(0x86, url.as_bytes())])
        };
        self.with("1.3.6.1.5.5.7.1.1", false, der::sequence(&[&entry(1, ocsp), &entry(2, issuer)]))
    }

    pub(crate) fn made(self) -> Holder {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", &self.name).unwrap();
        let name = name.build();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
        builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(self.issuer.map_or(&*name, |i| i.certificate.subject_name())).unwrap();
        let day = |n: i64| Asn1Time::from_unix(self.at + n * DAY).unwrap();
        builder.set_not_before(&day(self.days.0)).unwrap();
        builder.set_not_after(&day(self.days.1)).unwrap();
        builder.set_pubkey(&key).unwrap();
        let mut constraints = BasicConstraints::new();
        constraints.critical();
        let mut usage = KeyUsage::new();
        usage.critical();
        if self.ca {
            constraints.ca();
            usage.key_cert_sign().crl_sign();
        } else {
            usage.digital_signature().non_repudiation();
        }
        builder.append_extension(constraints.build().unwrap()).unwrap();
        builder.append_extension(usage.build().unwrap()).unwrap();
        for (oid, critical, value) in &self.extensions {
            let oid = Asn1Object::from_str(oid).unwrap();
            let value = Asn1OctetString::new_from_bytes(value).unwrap();
            builder.append_extension(X509Extension::new_from_der(&oid, *critical, &value).unwrap()).unwrap();
        }
        let above = self.issuer.map(|i| i.certificate.clone());
        let context = builder.x509v3_context(above.as_deref(), None);
        let own_id = SubjectKeyIdentifier::new().build(&context).unwrap();
        let issuer_id =
            above.as_ref().map(|_| AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap());
        builder.append_extension(own_id).unwrap();
        if let Some(id) = issuer_id {
            builder.append_extension(id).unwrap();
        }
        let md = if self.weak { MessageDigest::sha1() } else { MessageDigest::sha256() };
        builder.sign(self.issuer.map_or(&key, |i| &i.key), md).unwrap();
        Holder { key, certificate: builder.build() }
    }
}

/// A list in the making.
pub(crate) struct List<'a> {
    issuer: &'a Holder,
    entries: Vec<Vec<u8>>,
    days: (i64, Option<i64>),
    at: i64,
    extensions: Vec<Vec<u8>>,
    sha1: bool,
}

impl<'a> List<'a> {
    pub(crate) fn by(issuer: &'a Holder) -> Self {
        List {
            issuer,
            entries: Vec::new(),
            days: (-1, Some(30)),
            at: NOW,
            extensions: Vec::new(),
            sha1: false,
        }
    }

    /// This and next update, days from now.
    pub(crate) fn days(self, this: i64, next: Option<i64>) -> Self {
        List { days: (this, next), ..self }
    }

    pub(crate) fn at(self, at: i64) -> Self {
        List { at, ..self }
    }

    pub(crate) fn revokes(self, holder: &Holder, day: i64, reason: Option<u8>) -> Self {
        let reason = reason.map(|r| extension(&[2, 5, 29, 21], false, &der::tlv(0x0a, &[r])));
        self.entry(&holder.parts().serial, day, reason)
    }

    pub(crate) fn entry(mut self, serial: &[u8], day: i64, extension: Option<Vec<u8>>) -> Self {
        let more = extension.map_or_else(Vec::new, |e| der::sequence(&[&e]));
        self.entries.push(der::sequence(&[&der::tlv(2, serial), &utc(self.at + day * DAY), &more]));
        self
    }

    pub(crate) fn with(mut self, oid: &[u64], critical: bool, value: &[u8]) -> Self {
        self.extensions.push(extension(oid, critical, value));
        self
    }

    /// issuingDistributionPoint with these fields.
    pub(crate) fn scope(self, fields: &[u8]) -> Self {
        self.with(&[2, 5, 29, 28], true, &der::tlv(0x30, fields))
    }

    pub(crate) fn signed_with_sha1(self) -> Self {
        List { sha1: true, ..self }
    }

    pub(crate) fn made(&self) -> Vec<u8> {
        let rows = self.entries.concat();
        let rows = if rows.is_empty() { rows } else { der::tlv(0x30, &rows) };
        let mut extensions = self.extensions.concat();
        if !extensions.is_empty() {
            extensions = der::tlv(0xa0, &der::tlv(0x30, &extensions));
        }
        let algorithm = algorithm(self.sha1);
        let tbs = der::sequence(&[
            &der::integer(&[1]),
            &algorithm,
            &self.issuer.certificate.subject_name().to_der().unwrap(),
            &utc(self.at + self.days.0 * DAY),
            &self.days.1.map_or_else(Vec::new, |n| utc(self.at + n * DAY)),
            &rows,
            &extensions,
        ]);
        der::sequence(&[&tbs, &algorithm, &signature(&self.issuer.key, self.sha1, &tbs)])
    }
}

/// What an OCSP answer says.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Good,
    /// Days from now, reason.
    Revoked(i64, Option<u8>),
    Unknown,
}

/// An OCSP answer in the making.
pub(crate) struct Answer<'a> {
    pub(crate) author: &'a Holder,
    pub(crate) issuer: &'a Holder,
    pub(crate) serial: Vec<u8>,
    pub(crate) says: Says,
    pub(crate) days: (i64, Option<i64>),
    pub(crate) at: i64,
    pub(crate) hash: Hash,
    pub(crate) by_name: bool,
    pub(crate) encloses: bool,
    pub(crate) sha1: bool,
    pub(crate) copies: usize,
    /// Extensions of the response and of its single answers.
    pub(crate) extensions: (Vec<u8>, Vec<u8>),
}

impl<'a> Answer<'a> {
    /// By the issuer itself, about a certificate of its: good.
    pub(crate) fn about(subject: &Holder, issuer: &'a Holder) -> Self {
        Answer {
            author: issuer,
            issuer,
            serial: subject.parts().serial,
            says: Says::Good,
            days: (0, Some(7)),
            at: NOW,
            hash: Hash::Sha1,
            by_name: false,
            encloses: true,
            sha1: false,
            copies: 1,
            extensions: (Vec::new(), Vec::new()),
        }
    }

    pub(crate) fn made(&self) -> Vec<u8> {
        let issuer = self.issuer.parts();
        let id = der::sequence(&[
            &der::sequence(&[&der::oid(self.hash.arcs()), &der::null()]),
            &der::octet_string(&self.hash.digest(&[&issuer.subject]).unwrap()),
            &der::octet_string(&key_hash(self.hash, &issuer.spki).unwrap()),
            &der::tlv(2, &self.serial),
        ]);
        let at = |day: i64| generalized(self.at + day * DAY);
        let status = match self.says {
            Says::Good => vec![0x80, 0],
            Says::Unknown => vec![0x82, 0],
            Says::Revoked(day, reason) => {
                let reason = reason.map_or_else(Vec::new, |r| der::tlv(0xa0, &der::tlv(0x0a, &[r])));
                der::tlv(0xa1, &[at(day), reason].concat())
            }
        };
        let next = self.days.1.map_or_else(Vec::new, |day| der::tlv(0xa0, &at(day)));
        let wrapped = |list: &[u8]| {
            if list.is_empty() { Vec::new() } else { der::tlv(0xa1, &der::tlv(0x30, list)) }
        };
        let single = der::sequence(&[&id, &status, &at(self.days.0), &next, &wrapped(&self.extensions.1)]);
        let author = self.author.parts();
        let responder = if self.by_name {
            der::tlv(0xa1, &author.subject)
        } else {
            der::tlv(0xa2, &der::octet_string(&key_hash(Hash::Sha1, &author.spki).unwrap()))
        };
        let singles = der::tlv(0x30, &single.repeat(self.copies));
        let data = der::sequence(&[&responder, &at(self.days.0), &singles, &wrapped(&self.extensions.0)]);
        let mut enclosed = Vec::new();
        if self.encloses {
            enclosed = der::tlv(0xa0, &der::sequence(&[&self.author.certificate.to_der().unwrap()]));
        }
        let signature = signature(&self.author.key, self.sha1, &data);
        let basic = der::sequence(&[&data, &algorithm(self.sha1), &signature, &enclosed]);
        let bytes = der::sequence(&[&der::oid(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 1]), &der::octet_string(&basic)]);
        der::sequence(&[&der::tlv(0x0a, &[0]), &der::tlv(0xa0, &bytes)])
    }
}

pub(crate) fn extension(oid: &[u64], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    der::sequence(&[&der::oid(oid), flag, &der::octet_string(value)])
}

/// A DistributionPointName in its tag, with one address.
pub(crate) fn distribution_point(url: &str) -> Vec<u8> {
    der::tlv(0xa0, &der::tlv(0xa0, &der::tlv(0x86, url.as_bytes())))
}

fn algorithm(sha1: bool) -> Vec<u8> {
    let sha1_or_2: &[u64] = if sha1 { &[1, 2, 840, 10045, 4, 1] } else { &[1, 2, 840, 10045, 4, 3, 2] };
    der::sequence(&[&der::oid(sha1_or_2)])
}

fn signature(key: &PKey<Private>, sha1: bool, tbs: &[u8]) -> Vec<u8> {
    let md = if sha1 { MessageDigest::sha1() } else { MessageDigest::sha256() };
    let signature = Signer::new(md, key).unwrap().sign_oneshot_to_vec(tbs).unwrap();
    der::tlv(3, &[&[0], &signature[..]].concat())
}

fn utc(at: i64) -> Vec<u8> {
    der::tlv(0x17, jiff::Timestamp::from_second(at).unwrap().strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
}

pub(crate) fn generalized(at: i64) -> Vec<u8> {
    der::tlv(0x18, jiff::Timestamp::from_second(at).unwrap().strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}
