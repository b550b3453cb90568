//! Certificates and revocation lists of the training world (RFC 5280; ICAO Doc 9303-12 for the chip's chain).

use crate::der;
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Crl, X509CrlBuilder, X509Extension, X509Name};

/// Who a certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The own part of the common name.
    pub name: &'a str,
    /// `O`.
    pub organisation: &'a str,
    /// What follows the name in the common name.
    pub mark: &'a str,
}

/// What a certificate's key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sign documents: digitalSignature, nonRepudiation.
    DocumentSigning,
    /// Time stamps: digitalSignature, critical timeStamping (RFC 3161 2.3).
    TimeStamping,
    /// Receipts and requests of a machine: digitalSignature.
    Receipts,
    /// Chip data: digitalSignature, with a private key usage period (Doc 9303-12 7.1.1).
    ChipData,
}

/// A certificate authority with its key.
pub struct Authority {
    /// Its certificate.
    pub cert: X509,
    /// Its private key.
    pub key: PKey<Private>,
    now: jiff::Timestamp,
}

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

impl Authority {
    /// A self-signed root over any number of levels.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn root(subject: &Subject<'_>, key: PKey<Private>, now: jiff::Timestamp) -> Result<Self, ErrorStack> {
        let mut builder = certificate(subject, &key, now, 30)?;
        authority_extensions(&mut builder, None, None)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Authority { cert: builder.build(), key, now })
    }

    /// A country signing authority: P-384, no authority below it (Doc 9303-12 7.1.1).
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn csca(subject: &Subject<'_>, now: jiff::Timestamp) -> Result<Self, ErrorStack> {
        let key = ec(Nid::SECP384R1)?;
        let mut builder = certificate(subject, &key, now, 30)?;
        authority_extensions(&mut builder, None, Some(0))?;
        builder.append_extension(private_key_usage_period(now)?)?;
        builder.sign(&key, MessageDigest::sha384())?;
        Ok(Authority { cert: builder.build(), key, now })
    }

    /// An authority below this one that issues to end entities only.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn subordinate(
        &self,
        subject: &Subject<'_>,
        key: PKey<Private>,
        now: jiff::Timestamp,
    ) -> Result<Self, ErrorStack> {
        let mut builder = certificate(subject, &key, now, 25)?;
        authority_extensions(&mut builder, Some(&self.cert), Some(0))?;
        builder.set_issuer_name(self.cert.subject_name())?;
        builder.sign(&self.key, self.digest())?;
        Ok(Authority { cert: builder.build(), key, now })
    }

    /// A certificate for an end entity.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn issue(
        &self,
        subject: &Subject<'_>,
        key: &PKeyRef<Private>,
        purpose: Purpose,
        now: jiff::Timestamp,
    ) -> Result<X509, ErrorStack> {
        let mut builder = certificate(subject, key, now, 20)?;
        builder.set_issuer_name(self.cert.subject_name())?;
        // Doc 9303-12 forbids basicConstraints in a document signer; elsewhere it says plainly what it is not.
        if purpose != Purpose::ChipData {
            builder.append_extension(BasicConstraints::new().critical().build()?)?;
        }
        let mut usage = KeyUsage::new();
        usage.critical().digital_signature();
        if purpose == Purpose::DocumentSigning {
            usage.non_repudiation();
        }
        builder.append_extension(usage.build()?)?;
        match purpose {
            Purpose::TimeStamping => {
                builder.append_extension(ExtendedKeyUsage::new().critical().time_stamping().build()?)?;
            }
            Purpose::ChipData => builder.append_extension(private_key_usage_period(now)?)?,
            Purpose::DocumentSigning | Purpose::Receipts => {}
        }
        key_identifiers(&mut builder, Some(&self.cert))?;
        builder.sign(&self.key, self.digest())?;
        Ok(builder.build())
    }

    /// Revocation list number 1, with nobody on it, good for ten years.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn empty_crl(&self) -> Result<X509Crl, ErrorStack> {
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(self.cert.subject_name())?;
        let (start, end) = (self.now.as_second() - DAY, self.now.as_second() + 10 * YEAR);
        builder.set_last_update(Asn1Time::from_unix(start)?.as_ref())?;
        builder.set_next_update(Asn1Time::from_unix(end)?.as_ref())?;
        // AuthorityKeyIdentifier with only [0] keyIdentifier (RFC 5280 5.2.1).
        let key_id = self.cert.subject_key_id().map(|id| id.as_slice().to_vec()).unwrap_or_default();
        builder.append_extension(extension(&[2, 5, 29, 35], &der::sequence(&[&der::tlv(0x80, &key_id)]))?)?;
        builder.append_extension(CrlNumber::new(BigNum::from_u32(1)?)?.build()?)?;
        builder.sign(&self.key, self.digest())?;
        builder.build()
    }

    fn digest(&self) -> MessageDigest {
        // The hash of a signature follows the strength of the key that makes it.
        if self.key.bits() == 384 { MessageDigest::sha384() } else { MessageDigest::sha256() }
    }
}

/// A fresh P-256 key.
///
/// # Errors
/// OpenSSL's.
pub fn ec_p256() -> Result<PKey<Private>, ErrorStack> {
    ec(Nid::X9_62_PRIME256V1)
}

/// A fresh RSA key.
///
/// # Errors
/// OpenSSL's.
pub fn rsa(bits: u32) -> Result<PKey<Private>, ErrorStack> {
    PKey::from_rsa(Rsa::generate(bits)?)
}

fn ec(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    let mut group = EcGroup::from_curve_name(curve)?;
    group.set_asn1_flag(openssl::ec::Asn1Flag::NAMED_CURVE);
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn name(subject: &Subject<'_>) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COUNTRYNAME, "VN")?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, subject.organisation)?;
    name.append_entry_by_nid(Nid::COMMONNAME, &format!("{} - {}", subject.name, subject.mark))?;
    Ok(name.build())
}

/// Version 3, a random serial of 127 bits, self-issued until told otherwise, from a day before `now`.
fn certificate(
    subject: &Subject<'_>,
    key: &PKeyRef<Private>,
    now: jiff::Timestamp,
    years: i64,
) -> Result<X509Builder, ErrorStack> {
    let name = name(subject)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::ONE, false)?;
    builder.set_serial_number(Asn1Integer::from_bn(&serial)?.as_ref())?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(Asn1Time::from_unix(now.as_second() - DAY)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(now.as_second() + years * YEAR)?.as_ref())?;
    Ok(builder)
}

fn authority_extensions(
    builder: &mut X509Builder,
    issuer: Option<&X509>,
    levels: Option<u32>,
) -> Result<(), ErrorStack> {
    let mut constraints = BasicConstraints::new();
    constraints.critical().ca();
    if let Some(levels) = levels {
        constraints.pathlen(levels);
    }
    builder.append_extension(constraints.build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    key_identifiers(builder, issuer)
}

/// Subject key identifier and, below an issuer, the authority's; a self-signed one needs none (RFC 5280 4.2.1.1).
fn key_identifiers(builder: &mut X509Builder, issuer: Option<&X509>) -> Result<(), ErrorStack> {
    let own = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(own)?;
    if let Some(issuer) = issuer {
        let context = builder.x509v3_context(Some(issuer), None);
        let authority = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(authority)?;
    }
    Ok(())
}

/// PrivateKeyUsagePeriod (Doc 9303-12 7.1.1): a day back, ten years on.
fn private_key_usage_period(now: jiff::Timestamp) -> Result<X509Extension, ErrorStack> {
    let time = |seconds: i64| {
        let at = jiff::Timestamp::from_second(now.as_second() + seconds).unwrap_or(now);
        at.strftime("%Y%m%d%H%M%SZ").to_string()
    };
    let (from, to) = (time(-DAY), time(10 * YEAR));
    let period = der::sequence(&[&der::tlv(0x80, from.as_bytes()), &der::tlv(0x81, to.as_bytes())]);
    extension(&[2, 5, 29, 16], &period)
}

fn extension(oid: &[u64], value: &[u8]) -> Result<X509Extension, ErrorStack> {
    let dotted: Vec<String> = oid.iter().map(u64::to_string).collect();
    X509Extension::new_from_der(
        Asn1Object::from_str(&dotted.join("."))?.as_ref(),
        false,
        Asn1OctetString::new_from_bytes(value)?.as_ref(),
    )
}
