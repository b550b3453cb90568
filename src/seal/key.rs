//! Keys that sign: one trait, and the kind that lies in a PKCS#12 file.

use crate::cms::Parts;
use crate::der;
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use openssl::sign::Signer;
use openssl::x509::{X509, X509Ref};

/// Something that signs: a file, a token, a module, a service far away.
pub trait KeyHandle: Send + Sync {
    /// The signer's certificate.
    fn certificate(&self) -> &X509;
    /// The certificates above it, nearest first, as far as known; the root may be among them.
    fn chain(&self) -> &[X509];
    /// How [`KeyHandle::sign`] signs.
    fn algorithm(&self) -> Algorithm;
    /// The signature over SHA-256 of the bytes: PKCS#1 v1.5 for RSA, a DER SEQUENCE of r and s for ECDSA.
    ///
    /// # Errors
    /// Whatever keeps the key from signing.
    fn sign(&self, to_be_signed: &[u8]) -> Outcome<Vec<u8>>;
}

/// How a key signs. SHA-256 in every case (TT 15/2025/TT-BKHCN sets the floor of the key sizes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017), with the octets of a signature.
    RsaSha256 {
        /// Length of the modulus in octets.
        size: usize,
    },
    /// ECDSA (FIPS 186-5), with the most octets of a signature.
    EcdsaSha256 {
        /// Most octets of the DER value.
        size: usize,
    },
}

impl Algorithm {
    /// What a key signs with.
    ///
    /// # Errors
    /// [`KEY_KIND`] for other kinds of keys, [`KEY_WEAK`] for RSA below 2048 and curves below 256 bits.
    pub fn of<T: openssl::pkey::HasPublic>(key: &PKeyRef<T>) -> Outcome<Self> {
        let weak = |kind: &str| Fault::new(&KEY_WEAK).detail(format!("{kind} of {} bits", key.bits()));
        match key.id() {
            Id::RSA if key.bits() < 2048 => Err(weak("RSA")),
            Id::RSA => Ok(Algorithm::RsaSha256 { size: key.size() }),
            Id::EC if key.bits() < 256 => Err(weak("EC")),
            Id::EC => Ok(Algorithm::EcdsaSha256 { size: key.size() }),
            _ => Err(Fault::new(&KEY_KIND)),
        }
    }

    /// The AlgorithmIdentifier of the signature, DER.
    pub fn identifier(self) -> Vec<u8> {
        match self {
            Algorithm::RsaSha256 { .. } => {
                der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 11]), &der::null()])
            }
            Algorithm::EcdsaSha256 { .. } => der::sequence(&[&der::oid(&[1, 2, 840, 10_045, 4, 3, 2])]),
        }
    }

    /// Most octets that a signature takes.
    pub fn size(self) -> usize {
        match self {
            Algorithm::RsaSha256 { size } | Algorithm::EcdsaSha256 { size } => size,
        }
    }
}

/// A private key in memory. It is parsed and checked once; a signature then costs the arithmetic alone.
pub struct SoftKey {
    key: PKey<Private>,
    certificate: X509,
    chain: Vec<X509>,
    algorithm: Algorithm,
}

impl SoftKey {
    /// Opens a PKCS#12 file (RFC 7292): one key, its certificate, the certificates above it.
    ///
    /// # Errors
    /// [`P12_BROKEN`], [`P12_PASSWORD`], [`P12_CIPHER`], and those of [`SoftKey::new`].
    pub fn from_pkcs12(bytes: &[u8], password: &str) -> Outcome<Self> {
        if bytes.len() > MAX_P12 {
            return Err(Fault::new(&P12_BROKEN).detail(format!("{} bytes", bytes.len())));
        }
        let file = Pkcs12::from_der(bytes).map_err(|_| Fault::new(&P12_BROKEN))?;
        let parts = file.parse2(password).map_err(|stack| {
            // The reasons of OpenSSL's PKCS12_parse; nothing of the file is in them.
            let reasons: Vec<_> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
            if reasons.contains(&"mac verify failure") {
                Fault::new(&P12_PASSWORD)
            } else if reasons.contains(&"unsupported") || reasons.contains(&"unknown pbe algorithm") {
                Fault::new(&P12_CIPHER)
            } else {
                Fault::new(&P12_BROKEN)
            }
        })?;
        let (Some(key), Some(certificate)) = (parts.pkey, parts.cert) else {
            return Err(Fault::new(&P12_BROKEN).detail("no key, or no certificate for it"));
        };
        let others = parts.ca.map(|stack| stack.into_iter().collect()).unwrap_or_default();
        SoftKey::new(key, certificate, others)
    }

    /// A key with its certificate and, in any order, certificates above it.
    ///
    /// # Errors
    /// [`KEY_MISMATCH`], [`KEY_WEAK`], [`KEY_KIND`].
    pub fn new(key: PKey<Private>, certificate: X509, others: Vec<X509>) -> Outcome<Self> {
        let public = certificate.public_key().map_err(|_| Fault::new(&KEY_KIND))?;
        if !public.public_eq(&key) {
            return Err(Fault::new(&KEY_MISMATCH));
        }
        let algorithm = Algorithm::of(&key)?;
        let chain = path(&certificate, others);
        Ok(SoftKey { key, certificate, chain, algorithm })
    }
}

impl KeyHandle for SoftKey {
    fn certificate(&self) -> &X509 {
        &self.certificate
    }

    fn chain(&self) -> &[X509] {
        &self.chain
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn sign(&self, to_be_signed: &[u8]) -> Outcome<Vec<u8>> {
        Signer::new(MessageDigest::sha256(), &self.key)
            .and_then(|mut signer| signer.sign_oneshot_to_vec(to_be_signed))
            .map_err(|_| Fault::new(&SIGNING))
    }
}

/// Refuses a certificate that may not sign at this moment (TT 15/2025/TT-BKHCN: to be checked before signing):
/// outside its validity, or with a key usage (RFC 5280, 4.2.1.3) of neither digitalSignature nor nonRepudiation.
///
/// # Errors
/// [`CERT_EXPIRED`] and [`CERT_NOT_YET`] naming the date, [`CERT_USAGE`].
pub fn check_may_sign(certificate: &X509Ref, now: Timestamp) -> Outcome<()> {
    let (from, until) = validity(certificate)?;
    if now < from {
        return Err(Fault::new(&CERT_NOT_YET).detail(format!("valid from {from}")));
    }
    if now > until {
        return Err(Fault::new(&CERT_EXPIRED).detail(format!("valid until {until}")));
    }
    let parts = Parts::of(certificate).map_err(|_| Fault::new(&KEY_KIND))?;
    let Some(usage) = parts.extension("2.5.29.15") else { return Ok(()) };
    let bits = der::only(&usage.value, 0x03).ok().and_then(|bits| bits.content.get(1).copied());
    if bits.unwrap_or(0) & (DIGITAL_SIGNATURE | NON_REPUDIATION) == 0 {
        return Err(Fault::new(&CERT_USAGE));
    }
    Ok(())
}

/// From when until when a certificate is valid.
///
/// # Errors
/// [`KEY_KIND`] for times that OpenSSL cannot read.
pub fn validity(certificate: &X509Ref) -> Outcome<(Timestamp, Timestamp)> {
    Ok((moment(certificate.not_before())?, moment(certificate.not_after())?))
}

fn moment(time: &Asn1TimeRef) -> Outcome<Timestamp> {
    let unreadable = || Fault::new(&KEY_KIND).detail("a time of the certificate cannot be read");
    let epoch = Asn1Time::from_unix(0).map_err(|_| unreadable())?;
    let since = epoch.diff(time).map_err(|_| unreadable())?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    Timestamp::from_second(seconds).map_err(|_| unreadable())
}

/// The certificates above `leaf`, nearest first; those that lead nowhere are left out.
fn path(leaf: &X509, mut others: Vec<X509>) -> Vec<X509> {
    let mut chain: Vec<X509> = Vec::new();
    loop {
        let last = chain.last().unwrap_or(leaf);
        if is_root(last) {
            return chain;
        }
        let Some(at) = others.iter().position(|c| c.issued(last) == openssl::x509::X509VerifyResult::OK)
        else {
            return chain;
        };
        chain.push(others.swap_remove(at));
    }
}

/// Whether a certificate names itself as its issuer.
pub(crate) fn is_root(certificate: &X509Ref) -> bool {
    let name = |name: &openssl::x509::X509NameRef| name.to_der().unwrap_or_default();
    name(certificate.subject_name()) == name(certificate.issuer_name())
}

const MAX_P12: usize = 1 << 20;
const DIGITAL_SIGNATURE: u8 = 0x80;
const NON_REPUDIATION: u8 = 0x40;

/// Not a PKCS#12 file.
pub const P12_BROKEN: Code = Code {
    id: "SEAL-001",
    class: Class::Setup,
    vi: "Không đọc được tệp khoá PKCS#12",
    en: "the PKCS#12 file cannot be read",
    remedy_vi: "Xuất lại tệp .p12 gồm khoá và chứng thư của khoá",
    remedy_en: "export the .p12 again with the key and its certificate",
};

/// The password does not open the file.
pub const P12_PASSWORD: Code = Code {
    id: "SEAL-002",
    class: Class::Setup,
    vi: "Sai mật khẩu của tệp khoá PKCS#12",
    en: "wrong password for the PKCS#12 file",
    remedy_vi: "Kiểm tra mật khẩu trong biến môi trường hoặc tệp đã khai",
    remedy_en: "check the password in the variable or file that was named",
};

/// A cipher that OpenSSL no longer offers by default.
pub const P12_CIPHER: Code = Code {
    id: "SEAL-003",
    class: Class::Setup,
    vi: "Tệp khoá PKCS#12 dùng thuật toán mã hoá đã lỗi thời",
    en: "the PKCS#12 file is encrypted with a retired cipher",
    remedy_vi: "Xuất lại tệp .p12 bằng phần mềm mới (AES-256, PBES2)",
    remedy_en: "export the .p12 again with current software (AES-256, PBES2)",
};

/// A key below the floor.
pub const KEY_WEAK: Code = Code {
    id: "SEAL-004",
    class: Class::Setup,
    vi: "Khoá ký ngắn hơn mức tối thiểu (RSA 2048, ECDSA 256)",
    en: "the signing key is shorter than RSA 2048 or ECDSA 256",
    remedy_vi: "Xin cấp chứng thư mới với khoá đủ dài",
    remedy_en: "have a certificate issued for a longer key",
};

/// A key of another kind.
pub const KEY_KIND: Code = Code {
    id: "SEAL-005",
    class: Class::Setup,
    vi: "Khoá hoặc chứng thư ký thuộc loại chưa được hỗ trợ",
    en: "the signing key or certificate is of an unsupported kind",
    remedy_vi: "Dùng khoá RSA hoặc ECDSA",
    remedy_en: "use an RSA or ECDSA key",
};

/// Key and certificate of different owners.
pub const KEY_MISMATCH: Code = Code {
    id: "SEAL-006",
    class: Class::Setup,
    vi: "Khoá ký và chứng thư không thuộc về nhau",
    en: "the signing key does not belong to the certificate",
    remedy_vi: "Chọn đúng cặp khoá và chứng thư",
    remedy_en: "choose the pair that belongs together",
};

/// A certificate past its end.
pub const CERT_EXPIRED: Code = Code {
    id: "SEAL-007",
    class: Class::Setup,
    vi: "Chứng thư ký đã hết hạn",
    en: "the signing certificate has expired",
    remedy_vi: "Gia hạn chứng thư rồi ký lại",
    remedy_en: "renew the certificate, then sign again",
};

/// A certificate before its start.
pub const CERT_NOT_YET: Code = Code {
    id: "SEAL-008",
    class: Class::Setup,
    vi: "Chứng thư ký chưa có hiệu lực",
    en: "the signing certificate is not valid yet",
    remedy_vi: "Kiểm tra đồng hồ của máy và ngày hiệu lực của chứng thư",
    remedy_en: "check the clock and the first day of the certificate",
};

/// A certificate made for something else.
pub const CERT_USAGE: Code = Code {
    id: "SEAL-009",
    class: Class::Setup,
    vi: "Chứng thư không được cấp cho mục đích ký số",
    en: "the certificate is not meant for signatures",
    remedy_vi: "Dùng chứng thư có mục đích ký số hoặc chống chối bỏ",
    remedy_en: "use a certificate with digitalSignature or nonRepudiation",
};

/// The key did not sign.
pub const SIGNING: Code = Code {
    id: "SEAL-010",
    class: Class::Inner,
    vi: "Khoá không tạo được chữ ký",
    en: "the key did not sign",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo người bảo trì",
    remedy_en: "try again, then report it to the maintainers",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::training::{Minted, Usage};

    #[test]
    fn a_pkcs12_of_todays_default_opens_and_a_wrong_password_is_told_apart() {
        let minted = Minted::new("rsa", Usage::Sign);
        let p12 = minted.pkcs12("mật khẩu");
        let key = SoftKey::from_pkcs12(&p12, "mật khẩu").unwrap();
        assert_eq!(key.chain().len(), 2, "intermediate and root, nearest first");
        assert!(is_root(&key.chain()[1]) && !is_root(&key.chain()[0]));
        assert_eq!(key.algorithm(), Algorithm::RsaSha256 { size: 256 });
        assert_eq!(SoftKey::from_pkcs12(&p12, "wrong").err().unwrap().code.id, P12_PASSWORD.id);
        assert_eq!(SoftKey::from_pkcs12(&p12[..200], "x").err().unwrap().code.id, P12_BROKEN.id);
    }

    #[test]
    fn a_short_key_and_a_foreign_certificate_are_refused() {
        let weak = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
        assert_eq!(Algorithm::of(&weak).unwrap_err().code.id, KEY_WEAK.id);
        let one = Minted::new("ec", Usage::Sign);
        let other = Minted::new("ec", Usage::Sign);
        let mixed = SoftKey::new(one.key, other.certificate, Vec::new());
        assert_eq!(mixed.err().unwrap().code.id, KEY_MISMATCH.id);
    }

    #[test]
    fn a_certificate_outside_its_time_or_purpose_may_not_sign() {
        let minted = Minted::new("ec", Usage::Sign);
        let (from, until) = validity(&minted.certificate).unwrap();
        let hour = jiff::SignedDuration::from_hours(1);
        assert!(check_may_sign(&minted.certificate, from + hour).is_ok());
        assert_eq!(check_may_sign(&minted.certificate, from - hour).unwrap_err().code.id, CERT_NOT_YET.id);
        let expired = check_may_sign(&minted.certificate, until + hour).unwrap_err();
        assert_eq!(expired.code.id, CERT_EXPIRED.id);
        assert!(expired.detail.unwrap().contains(&until.to_string()));
        let other = Minted::new("ec", Usage::Encipher);
        assert_eq!(check_may_sign(&other.certificate, from + hour).unwrap_err().code.id, CERT_USAGE.id);
    }
}
