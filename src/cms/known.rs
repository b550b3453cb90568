//! What this process has already worked out about certificates: those of one agency come along with every signature that
//! it makes. Only what follows from the bytes alone is kept, never whom to trust or whether it was valid at some time.

use super::key::KeyError;
use super::{KeyFacts, Parts};
use crate::der::DerError;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::x509::{X509, X509Ref};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

/// What a certificate says.
pub struct Facts {
    /// Its fields.
    pub parts: Parts,
    key: OnceLock<Result<PKey<Public>, KeyError>>,
    strength: OnceLock<KeyFacts>,
}

impl Facts {
    /// As [`Parts::public_key`].
    ///
    /// # Errors
    /// As there.
    pub fn public_key(&self) -> Result<PKey<Public>, KeyError> {
        self.key.get_or_init(|| self.parts.public_key()).clone()
    }

    /// As [`KeyFacts::of_parts`].
    pub fn key_facts(&self) -> &KeyFacts {
        self.strength.get_or_init(|| KeyFacts::of_parts(&self.parts))
    }
}

/// Reads a certificate, DER, as [`X509::from_der`] does; one that was read before is not taken apart again.
///
/// # Errors
/// As there.
pub fn certificate(der: &[u8]) -> Result<X509, ErrorStack> {
    static READ: LazyLock<Memory<Vec<u8>, X509>> = LazyLock::new(Memory::new);
    if der.len() > MAX_BYTES {
        return X509::from_der(der);
    }
    if let Some(known) = READ.get(der) {
        return Ok(known);
    }
    let certificate = X509::from_der(der)?;
    READ.put(der.to_vec(), certificate.clone());
    Ok(certificate)
}

/// What a certificate says, as [`Parts::of`] reads it.
///
/// # Errors
/// As there.
pub fn facts(certificate: &X509Ref) -> Result<Arc<Facts>, DerError> {
    static FACTS: LazyLock<Memory<usize, (X509, Arc<Facts>)>> = LazyLock::new(Memory::new);
    if let Some((_, known)) = FACTS.get(&place(certificate)) {
        return Ok(known);
    }
    let parts = Parts::of(certificate)?;
    let facts = Arc::new(Facts { parts, key: OnceLock::new(), strength: OnceLock::new() });
    FACTS.put(place(certificate), (certificate.to_owned(), Arc::clone(&facts)));
    Ok(facts)
}

/// Whether one certificate was issued by the other: `ask` is asked once for each two.
pub fn issued_by(certificate: &X509Ref, issuer: &X509Ref, ask: impl FnOnce() -> bool) -> bool {
    static ISSUED: LazyLock<Memory<[usize; 2], (X509, X509, bool)>> = LazyLock::new(Memory::new);
    let pair = [place(certificate), place(issuer)];
    if let Some((.., known)) = ISSUED.get(&pair) {
        return known;
    }
    let answer = ask();
    ISSUED.put(pair, (certificate.to_owned(), issuer.to_owned(), answer));
    answer
}

/// Whether two certificates are the same, byte by byte.
pub fn same(a: &X509Ref, b: &X509Ref) -> bool {
    if place(a) == place(b) {
        return true;
    }
    let other = matches!((facts(a), facts(b)), (Ok(a), Ok(b)) if a.parts.serial != b.parts.serial);
    !other && matches!((a.to_der(), b.to_der()), (Ok(a), Ok(b)) if a == b)
}

/// Where OpenSSL keeps a certificate. It names this certificate and no other for as long as somebody holds on to it, as
/// the tables here do.
fn place(certificate: &X509Ref) -> usize {
    std::ptr::from_ref(certificate).addr()
}

/// A bounded table; a full one is emptied, so that no stranger's file can make it grow.
struct Memory<K, V>(Mutex<HashMap<K, V>>);

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    fn new() -> Self {
        Memory(Mutex::new(HashMap::new()))
    }

    fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MOST {
            table.clear();
        }
        table.insert(key, value);
    }
}

const MOST: usize = 256;
/// A certificate has one or two thousand.
const MAX_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::rsa::Rsa;

    fn minted(serial: u32) -> Vec<u8> {
        let key = PKey::from_rsa(Rsa::generate(512).unwrap()).unwrap();
        let mut certificate = X509::builder().unwrap();
        certificate.set_pubkey(&key).unwrap();
        let serial = BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap();
        certificate.set_serial_number(&serial).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        certificate.build().to_der().unwrap()
    }

    #[test]
    fn a_certificate_read_twice_is_one_and_says_the_same() {
        let (der, other) = (minted(1), certificate(&minted(2)).unwrap());
        let (first, again) = (certificate(&der).unwrap(), certificate(&der).unwrap());
        assert_eq!(place(&first), place(&again));
        let apart = X509::from_der(&der).unwrap();
        assert_ne!(place(&first), place(&apart));
        assert!(
            same(&first, &apart) && !same(&first, &other) && !same(&apart, &certificate(&minted(1)).unwrap())
        );
        for one in [&first, &apart, &other] {
            assert_eq!(facts(one).unwrap().parts, Parts::of(one).unwrap());
            assert_eq!(*facts(one).unwrap().key_facts(), KeyFacts::of(one));
        }
    }

    #[test]
    fn who_issued_whom_is_asked_once_for_each_two_and_never_mixed_up() {
        let (child, issuer) = (certificate(&minted(3)).unwrap(), certificate(&minted(4)).unwrap());
        assert!(issued_by(&child, &issuer, || true));
        assert!(issued_by(&child, &issuer, || false), "from memory");
        assert!(!issued_by(&issuer, &child, || false), "the other way round is another question");
        assert!(!issued_by(&X509::from_der(&child.to_der().unwrap()).unwrap(), &issuer, || false));
    }

    #[test]
    fn a_full_memory_starts_anew() {
        let memory = Memory::new();
        (0..=MOST).for_each(|n| memory.put(n, n));
        assert_eq!((memory.get(&0), memory.get(&MOST)), (None, Some(MOST)));
    }

    #[test]
    fn what_is_no_certificate_is_none_each_time() {
        (0..2).for_each(|_| assert!(certificate(b"\x30\x00").is_err()));
    }
}
