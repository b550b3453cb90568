//! Keys that sign: one trait, whatever the key lies in.
//!
//! | room | where the key is |
//! |---|---|
//! | [`file`] | in a PKCS#12 or PEM file |
//! | `token` | on a token or in a hardware module, through PKCS#11 (feature `pkcs11`) |
//! | [`remote`] | at a remote signing service |
//! | [`preflight`] | whether its certificate may sign at all |

pub mod file;
pub mod preflight;
pub mod remote;
#[cfg(feature = "pkcs11")]
pub mod token;

pub use file::SoftKey;
pub use preflight::{check_may_sign, validity};

use crate::der;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::md::Md;
use openssl::pkey::{HasPublic, Id, PKeyRef};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::x509::{X509, X509Ref};

/// Something that signs: a file, a token, a module, a service far away.
pub trait KeyHandle: Send + Sync {
    /// The signer's certificate.
    fn certificate(&self) -> &X509;
    /// The certificates above it, nearest first, as far as known; the root may be among them.
    fn chain(&self) -> &[X509];
    /// How [`KeyHandle::sign_digests`] signs.
    fn algorithm(&self) -> Algorithm;
    /// Signatures over SHA-256 digests, in their order, one result each: PKCS#1 v1.5 with its DigestInfo for RSA
    /// (RFC 8017, 9.2), a DER SEQUENCE of r and s for ECDSA (RFC 3279, 2.2.3). A key far away is asked once for all
    /// of them; a failure of one does not keep the others from being signed.
    fn sign_digests(&self, digests: &[Sha256]) -> Vec<Outcome<Vec<u8>>>;
    /// How it likes to be asked where there is much to sign.
    fn pace(&self) -> Pace {
        Pace::OneByOne
    }
    /// Whether the key went away for good, as a token that was pulled out: whoever keeps it opens it anew.
    fn is_lost(&self) -> bool {
        false
    }
}

/// How a key likes to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// From any thread, any number at a time.
    AnyThread,
    /// One digest after the other.
    OneByOne,
    /// For so many digests at once: every question costs.
    Together(usize),
}

/// The signature of a key over one digest.
///
/// # Errors
/// Whatever keeps the key from signing; [`SIGNING`] for a key that gives no answer.
pub fn sign_one(key: &dyn KeyHandle, digest: &Sha256) -> Outcome<Vec<u8>> {
    let mut answers = key.sign_digests(std::slice::from_ref(digest));
    answers.pop().unwrap_or_else(|| Err(Fault::new(&SIGNING).detail("no answer")))
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
    pub fn of<T: HasPublic>(key: &PKeyRef<T>) -> Outcome<Self> {
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

    /// Whether a signature over a SHA-256 digest is this key's. Whatever was signed elsewhere is asked this first.
    pub fn holds<T: HasPublic>(self, key: &PKeyRef<T>, digest: &Sha256, signature: &[u8]) -> bool {
        let check = || {
            let mut context = PkeyCtx::new(key)?;
            context.verify_init()?;
            if matches!(self, Algorithm::RsaSha256 { .. }) {
                context.set_rsa_padding(Padding::PKCS1)?;
            }
            context.set_signature_md(Md::sha256())?;
            context.verify(&digest.0, signature)
        };
        // OpenSSL tells a wrong signature by an error as well as by "false".
        let holds: Result<bool, openssl::error::ErrorStack> = check();
        holds.unwrap_or(false)
    }
}

/// Keeps the memory of this process, keys and PINs in it, out of core dumps and from debuggers of the same user. As far
/// as the system goes along: a key is not refused because it does not.
pub fn no_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // The limit alone does not keep a core from a collector that the kernel pipes it to.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The certificates above `leaf`, nearest first; those that lead nowhere are left out.
pub(crate) fn path(leaf: &X509, mut others: Vec<X509>) -> Vec<X509> {
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

/// The key did not sign.
pub const SIGNING: Code = Code {
    id: "SEAL-010",
    class: Class::Inner,
    vi: "Khoá không tạo được chữ ký",
    en: "the key did not sign",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo người bảo trì",
    remedy_en: "try again, then report it to the maintainers",
};

/// A signature from outside that is not the certificate's.
pub const FOREIGN_SIGNATURE: Code = Code {
    id: "SEAL-097",
    class: Class::Setup,
    vi: "Chữ ký nhận về không khớp với chứng thư của người ký",
    en: "the signature that came back is not the certificate's",
    remedy_vi: "Kiểm tra khoá và chứng thư có thuộc về nhau không; không tệp nào được ghi",
    remedy_en: "check that key and certificate belong together; nothing was written",
};
