//! Keys on tokens and in hardware modules, through PKCS#11.
//!
//! The module is somebody else's shared library and runs in this process: what it does wrong, this process does. Every
//! signature it gives is checked against the certificate before it is used. A token has one session and one login in
//! the whole process, however many of its keys are open, and signs one digest after the other.
//!
//! A wrong PIN is tried once: three wrong ones destroy many tokens, and a pipeline would have tried them in a second.

mod find;
mod session;
pub mod uri;

pub use uri::Uri;

use super::{Algorithm, FOREIGN_SIGNATURE, KEY_KIND, KeyHandle, path};
use crate::der;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use cryptoki::object::ObjectHandle;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use session::Token;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A private key that never leaves its token.
pub struct TokenKey {
    token: Arc<Token>,
    handle: ObjectHandle,
    /// For keys that want the PIN before every signature (CKA_ALWAYS_AUTHENTICATE).
    pin: Option<Zeroizing<String>>,
    certificate: X509,
    chain: Vec<X509>,
    public: PKey<Public>,
    algorithm: Algorithm,
}

impl TokenKey {
    /// Opens the key that a URI names. `certificates` (may be empty) are added to those on the token; `last_try` allows
    /// a PIN to be tried although one more mistake locks the token.
    ///
    /// # Errors
    /// [`MODULE`], [`TOKEN_ABSENT`], [`TOKEN_UNCLEAR`], [`PIN_WRONG`], [`PIN_LOCKED`], [`PIN_LAST_TRY`],
    /// [`NO_KEY`], [`NO_CERTIFICATE`], [`TOKEN_GONE`], [`TOKEN_FAILED`], and those of [`Algorithm::of`].
    pub fn open(
        uri: &Uri,
        pin: &Zeroizing<String>,
        certificates: Vec<X509>,
        last_try: bool,
    ) -> Outcome<Self> {
        super::no_core_dumps();
        let token = session::open(uri, pin, last_try)?;
        let found = token.with(|session| find::find(session, uri, certificates))?;
        let public = found.certificate.public_key().map_err(|_| Fault::new(&KEY_KIND))?;
        let algorithm = Algorithm::of(&public)?;
        Ok(TokenKey {
            token,
            handle: found.key,
            pin: found.always_authenticate.then(|| pin.clone()),
            chain: path(&found.certificate, found.others),
            certificate: found.certificate,
            public,
            algorithm,
        })
    }

    fn sign(&self, session: &cryptoki::session::Session, digest: &Sha256) -> Outcome<Vec<u8>> {
        let raw = match self.algorithm {
            Algorithm::RsaSha256 { .. } => {
                session::sign_rsa(session, self.handle, &digest_info(digest), self.pin.as_deref())?
            }
            Algorithm::EcdsaSha256 { .. } => {
                let plain = session::sign_ec(session, self.handle, &digest.0, self.pin.as_deref())?;
                // PKCS#11 gives r and s one after the other (6.3.1), CMS wants them in a SEQUENCE.
                crate::cms::algorithm::plain_to_der(&plain).ok_or_else(|| Fault::new(&FOREIGN_SIGNATURE))?
            }
        };
        if self.algorithm.holds(&self.public, digest, &raw) {
            Ok(raw)
        } else {
            Err(Fault::new(&FOREIGN_SIGNATURE))
        }
    }
}

impl KeyHandle for TokenKey {
    fn certificate(&self) -> &X509 {
        &self.certificate
    }

    fn chain(&self) -> &[X509] {
        &self.chain
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn sign_digests(&self, digests: &[Sha256]) -> Vec<Outcome<Vec<u8>>> {
        digests.iter().map(|digest| self.token.with(|session| self.sign(session, digest))).collect()
    }

    fn is_lost(&self) -> bool {
        self.token.is_gone()
    }
}

/// DigestInfo of RFC 8017, 9.2: what CKM_RSA_PKCS pads.
fn digest_info(digest: &Sha256) -> Vec<u8> {
    let algorithm = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), &der::null()]);
    der::sequence(&[&algorithm, &der::octet_string(&digest.0)])
}

/// A library that does not load.
pub const MODULE: Code = Code {
    id: "SEAL-081",
    class: Class::Setup,
    vi: "Không nạp được thư viện PKCS#11 của thiết bị ký",
    en: "the PKCS#11 library of the token cannot be loaded",
    remedy_vi: "Cài phần mềm của nhà cung cấp thiết bị và kiểm tra module-path",
    remedy_en: "install the vendor's software and check module-path",
};

/// No token fits.
pub const TOKEN_ABSENT: Code = Code {
    id: "SEAL-082",
    class: Class::Person,
    vi: "Không thấy thiết bị ký đã khai",
    en: "the token is not there",
    remedy_vi: "Cắm đúng thiết bị ký rồi làm lại",
    remedy_en: "plug in the token that was named, then try again",
};

/// Several tokens fit.
pub const TOKEN_UNCLEAR: Code = Code {
    id: "SEAL-083",
    class: Class::Setup,
    vi: "Có nhiều thiết bị ký cùng phù hợp với địa chỉ PKCS#11",
    en: "several tokens fit the PKCS#11 URI",
    remedy_vi: "Ghi thêm token=, serial= hoặc slot-id= vào địa chỉ",
    remedy_en: "add token=, serial= or slot-id= to the URI",
};

/// No key, or several.
pub const NO_KEY: Code = Code {
    id: "SEAL-084",
    class: Class::Setup,
    vi: "Không xác định được khoá ký trên thiết bị",
    en: "the URI does not name exactly one signing key on the token",
    remedy_vi: "Ghi id= hoặc object= của khoá vào địa chỉ (xem bằng pkcs11-tool -O)",
    remedy_en: "name the key by id= or object= (pkcs11-tool -O lists them)",
};

/// No certificate for the key.
pub const NO_CERTIFICATE: Code = Code {
    id: "SEAL-085",
    class: Class::Setup,
    vi: "Thiết bị không có chứng thư của khoá ký",
    en: "the token holds no certificate for the key",
    remedy_vi: "Đưa chứng thư bằng --cert",
    remedy_en: "give the certificate with --cert",
};

/// The token refused the PIN.
pub const PIN_WRONG: Code = Code {
    id: "SEAL-086",
    class: Class::Person,
    vi: "Thiết bị ký không nhận mã PIN; hệ thống không thử lại với mã này",
    en: "the token refused the PIN, which is not tried again",
    remedy_vi: "Sửa mã PIN trong tệp đã khai; nhập sai nhiều lần sẽ khoá thiết bị",
    remedy_en: "correct the PIN in its file; further mistakes lock the token",
};

/// The token is locked.
pub const PIN_LOCKED: Code = Code {
    id: "SEAL-087",
    class: Class::Person,
    vi: "Thiết bị ký đã bị khoá mã PIN hoặc chưa đặt mã PIN",
    en: "the PIN of the token is locked or was never set",
    remedy_vi: "Nhờ nhà cung cấp mở khoá thiết bị",
    remedy_en: "have the token unlocked by its issuer",
};

/// One try is left.
pub const PIN_LAST_TRY: Code = Code {
    id: "SEAL-088",
    class: Class::Person,
    vi: "Thiết bị ký chỉ còn một lần thử mã PIN, hệ thống không thử",
    en: "one wrong PIN more locks the token; it was not tried",
    remedy_vi: "Kiểm tra mã PIN bằng phần mềm của nhà cung cấp, hoặc thêm --pin-last-try",
    remedy_en: "check the PIN with the vendor's own software, or add --pin-last-try",
};

/// The token was pulled out.
pub const TOKEN_GONE: Code = Code {
    id: "SEAL-089",
    class: Class::Person,
    vi: "Thiết bị ký đã bị rút ra",
    en: "the token was removed",
    remedy_vi: "Cắm lại thiết bị rồi ký tiếp các tệp còn lại",
    remedy_en: "plug it in again, then sign the remaining files",
};

/// The token did not sign.
pub const TOKEN_FAILED: Code = Code {
    id: "SEAL-090",
    class: Class::Later,
    vi: "Thiết bị ký báo lỗi",
    en: "the token reports an error",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì kiểm tra thiết bị bằng phần mềm của nhà cung cấp",
    remedy_en: "try again, then check the token with its vendor's software",
};
