//! A small certificate world for tests: root, intermediate, one leaf of the wanted kind.

use super::key::SoftKey;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use openssl::x509::{X509, X509Extension, X509NameBuilder};

/// What a leaf is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Sign,
    /// nonRepudiation alone.
    CommitOnly,
    /// digitalSignature alone.
    DigitalOnly,
    /// No key usage at all.
    Nothing,
    /// As `Sign`, for mail.
    Mail,
    /// As `Sign`, for mail and time stamps.
    MailAndStamp,
    /// As `Sign`, with a critical extension that nobody knows.
    Strange,
    Encipher,
    Stamp,
    /// As `Stamp`, but its extended key usage is not critical.
    StampLoosely,
}

/// A leaf with everything above it.
pub(crate) struct Minted {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
    pub(crate) intermediate: X509,
    pub(crate) root: X509,
}

impl Minted {
    /// `kind` is `rsa` (2048) or `ec` (P-256).
    pub(crate) fn new(kind: &str, usage: Usage) -> Self {
        let (root_key, inter_key) = (key("ec"), key("ec"));
        let root = certificate("TRAINING ROOT", &root_key, None, None);
        let intermediate = certificate("TRAINING CA", &inter_key, Some((&root, &root_key)), None);
        let key = key(kind);
        let leaf = certificate("TRAINING LEAF", &key, Some((&intermediate, &inter_key)), Some(usage));
        Minted { key, certificate: leaf, intermediate, root }
    }

    pub(crate) fn soft_key(&self) -> SoftKey {
        let others = vec![self.root.clone(), self.intermediate.clone()];
        SoftKey::new(self.key.clone(), self.certificate.clone(), others).unwrap()
    }

    /// With OpenSSL's defaults: PBES2, AES-256, SHA-256.
    pub(crate) fn pkcs12(&self, password: &str) -> Vec<u8> {
        let mut ca = Stack::new().unwrap();
        ca.push(self.root.clone()).unwrap();
        ca.push(self.intermediate.clone()).unwrap();
        let mut builder = Pkcs12::builder();
        builder.name("leaf").pkey(&self.key).cert(&self.certificate).ca(ca);
        builder.build2(password).unwrap().to_der().unwrap()
    }
}

fn key(kind: &str) -> PKey<Private> {
    if kind == "rsa" {
        return PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    }
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(
    name: &str,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
    usage: Option<Usage>,
) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial: [u8; 8] = std::array::from_fn(|i| name.as_bytes()[i] ^ i as u8);
    builder.set_serial_number(&BigNum::from_slice(&serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |(c, _)| c.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    let mut constraints = BasicConstraints::new();
    let mut purpose = KeyUsage::new();
    purpose.critical();
    match usage {
        None => {
            constraints.critical().ca();
            purpose.key_cert_sign().crl_sign();
        }
        Some(Usage::Encipher) => {
            purpose.key_encipherment();
        }
        Some(Usage::DigitalOnly) => {
            purpose.digital_signature();
        }
        Some(Usage::CommitOnly) => {
            purpose.non_repudiation();
        }
        Some(_) => {
            purpose.digital_signature().non_repudiation();
        }
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    if usage != Some(Usage::Nothing) {
        builder.append_extension(purpose.build().unwrap()).unwrap();
    }
    if matches!(usage, Some(Usage::Mail | Usage::MailAndStamp)) {
        let mut extended = ExtendedKeyUsage::new();
        extended.email_protection();
        if usage == Some(Usage::MailAndStamp) {
            extended.time_stamping();
        }
        builder.append_extension(extended.build().unwrap()).unwrap();
    }
    if usage == Some(Usage::Strange) {
        let oid = openssl::asn1::Asn1Object::from_str("1.2.3.4.5.6").unwrap();
        let content = openssl::asn1::Asn1OctetString::new_from_bytes(&[5, 0]).unwrap();
        builder.append_extension(X509Extension::new_from_der(&oid, true, &content).unwrap()).unwrap();
    }
    if matches!(usage, Some(Usage::Stamp | Usage::StampLoosely)) {
        let mut extended = ExtendedKeyUsage::new();
        extended.time_stamping();
        if usage == Some(Usage::Stamp) {
            extended.critical();
        }
        builder.append_extension(extended.build().unwrap()).unwrap();
    }
    builder.sign(issuer.map_or(key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    builder.build()
}
