//! Keys in files: PKCS#12 with its certificates, or PEM with certificates beside it.

use super::{Algorithm, KEY_KIND, KEY_MISMATCH, KeyHandle, Pace, SIGNING, path};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::x509::X509;

/// A private key in memory. It is parsed and tried once; a signature then costs the arithmetic alone.
pub struct SoftKey {
    key: PKey<Private>,
    certificate: X509,
    chain: Vec<X509>,
    algorithm: Algorithm,
}

impl SoftKey {
    /// Opens a key file of either kind, told apart by its contents. `certificates` (PEM or DER, may be empty) are
    /// added to those in the file; a password is asked for only where the file is encrypted.
    ///
    /// # Errors
    /// Those of [`SoftKey::from_pkcs12`] and [`SoftKey::from_pem`].
    pub fn open(bytes: &[u8], password: Option<&str>, certificates: &[u8]) -> Outcome<Self> {
        if bytes.len() > MAX_FILE || certificates.len() > MAX_FILE {
            return Err(Fault::new(&P12_BROKEN).detail(format!("more than {MAX_FILE} bytes")));
        }
        if bytes.windows(BEGIN.len()).any(|w| w == BEGIN) {
            return SoftKey::from_pem(bytes, password, certificates);
        }
        let (key, certificate, mut others) = unpack(bytes, password.unwrap_or(""))?;
        others.extend(read_certificates(certificates)?);
        SoftKey::new(key, certificate, others)
    }

    /// The same key, with the certificates above its own looked for among these too: a key file may come without.
    #[must_use]
    pub fn below(mut self, known: &[X509]) -> Self {
        let others = self.chain.iter().chain(known).cloned().collect();
        self.chain = path(&self.certificate, others);
        self
    }

    /// Opens a PKCS#12 file (RFC 7292): one key, its certificate, the certificates above it.
    ///
    /// # Errors
    /// [`P12_BROKEN`], [`P12_PASSWORD`], [`P12_CIPHER`], and those of [`SoftKey::new`].
    pub fn from_pkcs12(bytes: &[u8], password: &str) -> Outcome<Self> {
        let (key, certificate, others) = unpack(bytes, password)?;
        SoftKey::new(key, certificate, others)
    }

    /// A private key in PEM (PKCS#8 or the older kinds, encrypted or not) with certificates in the same file, in
    /// `certificates`, or both; in any order, the signer's is the one that carries the key's public half.
    ///
    /// # Errors
    /// [`P12_BROKEN`], [`P12_PASSWORD`], [`KEY_MISMATCH`] where no certificate belongs to the key, and those of
    /// [`SoftKey::new`].
    pub fn from_pem(pem: &[u8], password: Option<&str>, certificates: &[u8]) -> Outcome<Self> {
        if pem.len() > MAX_FILE {
            return Err(Fault::new(&P12_BROKEN).detail(format!("{} bytes", pem.len())));
        }
        let mut asked = false;
        // Without a callback of ours OpenSSL would ask the terminal, and a service would wait there for ever.
        let key = PKey::private_key_from_pem_callback(pem, |room| {
            asked = true;
            let Some(password) = password.map(str::as_bytes) else { return Ok(0) };
            let Some(room) = room.get_mut(..password.len()) else { return Ok(0) };
            room.copy_from_slice(password);
            Ok(password.len())
        });
        let key = key.map_err(|_| Fault::new(if asked { &P12_PASSWORD } else { &P12_BROKEN }))?;
        let mut all = X509::stack_from_pem(pem).unwrap_or_default();
        all.extend(read_certificates(certificates)?);
        let own = all.iter().position(|c| c.public_key().is_ok_and(|public| public.public_eq(&key)));
        let own =
            own.ok_or_else(|| Fault::new(&KEY_MISMATCH).detail(format!("{} certificates", all.len())))?;
        let certificate = all.swap_remove(own);
        SoftKey::new(key, certificate, all)
    }

    /// A key with its certificate and, in any order, certificates above it. The key signs once, to see that the
    /// certificate confirms it.
    ///
    /// # Errors
    /// [`KEY_MISMATCH`], [`super::KEY_WEAK`], [`KEY_KIND`].
    pub fn new(key: PKey<Private>, certificate: X509, others: Vec<X509>) -> Outcome<Self> {
        let public = certificate.public_key().map_err(|_| Fault::new(&KEY_KIND))?;
        if !public.public_eq(&key) {
            return Err(Fault::new(&KEY_MISMATCH));
        }
        let algorithm = Algorithm::of(&key)?;
        let chain = path(&certificate, others);
        let key = SoftKey { key, certificate, chain, algorithm };
        let trial = Sha256::of(b"hoso");
        if !algorithm.holds(&public, &trial, &key.sign(&trial).map_err(|_| Fault::new(&SIGNING))?) {
            return Err(Fault::new(&KEY_MISMATCH));
        }
        Ok(key)
    }

    fn sign(&self, digest: &Sha256) -> Result<Vec<u8>, ErrorStack> {
        let mut context = PkeyCtx::new(&self.key)?;
        context.sign_init()?;
        if matches!(self.algorithm, Algorithm::RsaSha256 { .. }) {
            context.set_rsa_padding(Padding::PKCS1)?;
        }
        // With the digest named, RSA wraps it into its DigestInfo.
        context.set_signature_md(Md::sha256())?;
        let mut signature = Vec::with_capacity(self.algorithm.size());
        context.sign_to_vec(&digest.0, &mut signature)?;
        Ok(signature)
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

    fn sign_digests(&self, digests: &[Sha256]) -> Vec<Outcome<Vec<u8>>> {
        digests.iter().map(|digest| self.sign(digest).map_err(|_| Fault::new(&SIGNING))).collect()
    }

    fn pace(&self) -> Pace {
        Pace::AnyThread
    }
}

/// Certificates in PEM, one after the other, or a single one in DER.
///
/// # Errors
/// [`P12_BROKEN`] for bytes that hold none, unless there are no bytes.
pub fn read_certificates(bytes: &[u8]) -> Outcome<Vec<X509>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let unreadable = || Fault::new(&P12_BROKEN).detail("no certificate in PEM or DER");
    if let Ok(one) = X509::from_der(bytes) {
        return Ok(vec![one]);
    }
    let found = X509::stack_from_pem(bytes).map_err(|_| unreadable())?;
    if found.is_empty() { Err(unreadable()) } else { Ok(found) }
}

fn unpack(bytes: &[u8], password: &str) -> Outcome<(PKey<Private>, X509, Vec<X509>)> {
    if bytes.len() > MAX_FILE {
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
    Ok((key, certificate, parts.ca.map(|stack| stack.into_iter().collect()).unwrap_or_default()))
}

const MAX_FILE: usize = 1 << 20;
const BEGIN: &[u8] = b"-----BEGIN ";

/// Not a key file.
pub const P12_BROKEN: Code = Code {
    id: "SEAL-001",
    class: Class::Setup,
    vi: "Không đọc được tệp khoá",
    en: "the key file cannot be read",
    remedy_vi: "Xuất lại tệp .p12 hoặc .pem gồm khoá và chứng thư của khoá",
    remedy_en: "export the .p12 or .pem again with the key and its certificate",
};

/// The password does not open the file.
pub const P12_PASSWORD: Code = Code {
    id: "SEAL-002",
    class: Class::Setup,
    vi: "Sai mật khẩu của tệp khoá",
    en: "wrong password for the key file",
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

#[cfg(test)]
mod tests {
    use super::super::{KEY_WEAK, is_root};
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
    fn a_pem_key_finds_its_certificate_in_any_order_and_never_asks_a_terminal() {
        for kind in ["rsa", "ec"] {
            let minted = Minted::new(kind, Usage::Sign);
            let others: Vec<u8> = [&minted.root, &minted.certificate, &minted.intermediate]
                .iter()
                .flat_map(|c| c.to_pem().unwrap())
                .collect();
            let plain = minted.key.private_key_to_pem_pkcs8().unwrap();
            let cipher = openssl::symm::Cipher::aes_256_cbc();
            let locked = minted.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
            for (pem, password) in [(&plain, None), (&plain, Some("unused")), (&locked, Some("secret"))] {
                let key = SoftKey::open(pem, password, &others).unwrap();
                assert_eq!(key.chain().len(), 2);
                assert_eq!(key.certificate().to_der().unwrap(), minted.certificate.to_der().unwrap());
                let whole = [pem.as_slice(), &others].concat();
                assert!(SoftKey::open(&whole, password, &[]).is_ok());
            }
            for wrong in [None, Some("guess"), Some("")] {
                let refused = SoftKey::open(&locked, wrong, &others).err().unwrap();
                assert_eq!(refused.code.id, P12_PASSWORD.id, "{wrong:?}");
            }
            assert_eq!(SoftKey::open(&plain, None, &[]).err().unwrap().code.id, KEY_MISMATCH.id);
            assert_eq!(SoftKey::open(&plain[..60], None, &others).err().unwrap().code.id, P12_BROKEN.id);
            assert_eq!(SoftKey::open(&plain, None, b"no certificate").err().unwrap().code.id, P12_BROKEN.id);
        }
    }

    #[test]
    fn every_digest_of_a_batch_gets_the_signature_that_signing_its_bytes_would_have_given() {
        for kind in ["rsa", "ec"] {
            let minted = Minted::new(kind, Usage::Sign);
            let key = minted.soft_key();
            let texts: Vec<Vec<u8>> = (0..5u8).map(|i| vec![i; 100]).collect();
            let digests: Vec<Sha256> = texts.iter().map(|t| Sha256::of(t)).collect();
            let signatures = key.sign_digests(&digests);
            assert_eq!(signatures.len(), 5);
            for (text, signature) in texts.iter().zip(signatures) {
                let signature = signature.unwrap();
                let md = openssl::hash::MessageDigest::sha256();
                let mut verifier = openssl::sign::Verifier::new(md, &minted.key).unwrap();
                assert!(verifier.verify_oneshot(&signature, text).unwrap());
                assert!(key.algorithm().holds(&minted.key, &Sha256::of(text), &signature));
                assert!(!key.algorithm().holds(&minted.key, &Sha256::of(b"other"), &signature));
                assert!(!key.algorithm().holds(&minted.key, &Sha256::of(text), &signature[1..]));
            }
        }
    }
}
