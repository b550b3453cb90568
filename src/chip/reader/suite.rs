//! The symmetric ciphers of chip access (ICAO Doc 9303-11, 9.7 and 9.8): key derivation, CBC, and the two MACs.

use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};
use zeroize::Zeroizing;

/// A cipher with its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// Two-key 3DES and the retail MAC (ISO/IEC 9797-1, algorithm 3).
    TripleDes,
    /// AES-128 and CMAC.
    Aes128,
    /// AES-192 and CMAC.
    Aes192,
    /// AES-256 and CMAC.
    Aes256,
}

/// A secret that is wiped when it is dropped.
pub type Secret = Zeroizing<Vec<u8>>;

impl Suite {
    /// By the last arc of a protocol's OBJECT IDENTIFIER (Doc 9303-11, 9.2.1).
    pub fn of_arc(arc: &str) -> Option<Self> {
        Some(match arc {
            "1" => Suite::TripleDes,
            "2" => Suite::Aes128,
            "3" => Suite::Aes192,
            "4" => Suite::Aes256,
            _ => return None,
        })
    }

    /// Block length, bytes.
    pub fn block(self) -> usize {
        if self == Suite::TripleDes { 8 } else { 16 }
    }

    /// The key derivation function (Doc 9303-11, 9.7.1): 1 encrypts, 2 authenticates, 3 is for a password.
    pub fn derive(self, secret: &[u8], counter: u32) -> Secret {
        let input = Zeroizing::new([secret, &counter.to_be_bytes()].concat());
        let (size, sha1) = match self {
            Suite::TripleDes | Suite::Aes128 => (16, true),
            Suite::Aes192 => (24, false),
            Suite::Aes256 => (32, false),
        };
        let mut key: Secret = Zeroizing::new(Vec::with_capacity(32));
        if sha1 {
            key.extend(&*Zeroizing::new(openssl::sha::sha1(&input)));
        } else {
            key.extend(&*Zeroizing::new(openssl::sha::sha256(&input)));
        }
        key.truncate(size);
        if self == Suite::TripleDes {
            // DES wants each byte odd; no cipher looks at it, but the worked examples show it.
            for byte in key.iter_mut() {
                *byte = (*byte & 0xfe) | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
            }
        }
        key
    }

    /// CBC without padding; `None` where the data are no whole number of blocks.
    pub fn encrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Secret> {
        self.cbc(Mode::Encrypt, key, iv, data)
    }

    /// CBC without padding; `None` where the data are no whole number of blocks.
    pub fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Secret> {
        self.cbc(Mode::Decrypt, key, iv, data)
    }

    fn cbc(self, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Secret> {
        if self == Suite::TripleDes {
            return triple_des(mode, key.get(..8)?, key.get(8..16)?, iv, data);
        }
        let cipher = match self {
            Suite::Aes192 => Cipher::aes_192_cbc(),
            Suite::Aes256 => Cipher::aes_256_cbc(),
            Suite::Aes128 | Suite::TripleDes => Cipher::aes_128_cbc(),
        };
        run(cipher, mode, key, iv, data)
    }

    /// Eight bytes of MAC. 3DES wants whole blocks, which [`pad`] makes; CMAC takes any length.
    pub fn mac(self, key: &[u8], data: &[u8]) -> Option<[u8; 8]> {
        let cipher = match self {
            Suite::TripleDes => return retail_mac(key, data),
            Suite::Aes128 => Cipher::aes_128_cbc(),
            Suite::Aes192 => Cipher::aes_192_cbc(),
            Suite::Aes256 => Cipher::aes_256_cbc(),
        };
        let key = PKey::cmac(&cipher, key).ok()?;
        let mut signer = Signer::new_without_digest(&key).ok()?;
        let mac = signer.sign_oneshot_to_vec(data).ok()?;
        mac.first_chunk().copied()
    }
}

/// Padding method 2 of ISO/IEC 9797-1: `80`, then zeros up to a whole block.
pub fn pad(data: &[u8], block: usize) -> Secret {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len() + block));
    out.extend(data);
    out.push(0x80);
    let whole = out.len().next_multiple_of(block);
    out.resize(whole, 0);
    out
}

/// What was padded; `None` where the padding is not that of one block.
pub fn unpad(data: &[u8], block: usize) -> Option<&[u8]> {
    let end = data.iter().rposition(|b| *b != 0)?;
    (data[end] == 0x80 && data.len() - end <= block).then(|| &data[..end])
}

/// 3DES with the keys a, b, a.
fn triple_des(mode: Mode, a: &[u8], b: &[u8], iv: &[u8], data: &[u8]) -> Option<Secret> {
    run(Cipher::des_ede3_cbc(), mode, &Zeroizing::new([a, b, a].concat()), iv, data)
}

/// Single DES over all blocks but the last, which gets both keys. Single DES is 3DES with one key three times, so
/// that no cipher of OpenSSL's legacy provider is needed.
fn retail_mac(key: &[u8], data: &[u8]) -> Option<[u8; 8]> {
    let (a, b) = (key.get(..8)?, key.get(8..16)?);
    let (head, last) = data.split_last_chunk::<8>()?;
    let chained = triple_des(Mode::Encrypt, a, a, &[0; 8], head)?;
    let iv = chained.last_chunk::<8>().copied().unwrap_or_default();
    triple_des(Mode::Encrypt, a, b, &iv, last)?.first_chunk().copied()
}

fn run(cipher: Cipher, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Secret> {
    // OpenSSL's bindings panic on a wrong length of the initial vector.
    if !data.len().is_multiple_of(cipher.block_size())
        || iv.len() != cipher.iv_len()?
        || key.len() != cipher.key_len()
    {
        return None;
    }
    let mut crypter = Crypter::new(cipher, mode, key, Some(iv)).ok()?;
    crypter.pad(false);
    let mut out = Zeroizing::new(vec![0; data.len() + cipher.block_size()]);
    let taken = crypter.update(data, &mut out).ok()?;
    let rest = crypter.finalize(out.get_mut(taken..)?).ok()?;
    out.truncate(taken + rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    /// Doc 9303-11, appendix D.1.
    #[test]
    fn keys_are_derived_as_in_the_worked_example() {
        let seed = unhex("239AB9CB282DAF66231DC5A4DF6BFBAE");
        let suite = Suite::TripleDes;
        assert_eq!(*suite.derive(&seed, 1), unhex("AB94FDECF2674FDFB9B391F85D7F76F2"));
        assert_eq!(*suite.derive(&seed, 2), unhex("7962D9ECE03D1ACD4C76089DCE131543"));
        assert_eq!(Suite::Aes192.derive(&seed, 1).len(), 24);
        assert_eq!(Suite::Aes256.derive(&seed, 1).len(), 32);
    }

    /// RFC 4493 and NIST SP 800-38B, cut to eight bytes.
    #[test]
    fn cmac_is_that_of_the_published_examples() {
        let message = unhex("6bc1bee22e409f96e93d7e117393172a");
        let key128 = unhex("2b7e151628aed2a6abf7158809cf4f3c");
        let key192 = unhex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b");
        let key256 = unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        assert_eq!(Suite::Aes128.mac(&key128, &message).unwrap()[..], unhex("070a16b46b4d4144"));
        assert_eq!(Suite::Aes128.mac(&key128, b"").unwrap()[..], unhex("bb1d6929e9593728"));
        assert_eq!(Suite::Aes192.mac(&key192, &message).unwrap()[..], unhex("9e99a7bf31e71090"));
        assert_eq!(Suite::Aes256.mac(&key256, &message).unwrap()[..], unhex("28a7023f452e8f82"));
    }

    #[test]
    fn padding_comes_off_only_as_it_was_put_on() {
        for length in 0..40 {
            let data = vec![0x80; length];
            assert_eq!(unpad(&pad(&data, 16), 16), Some(&data[..]));
        }
        assert_eq!(unpad(&[0; 16], 16), None);
        assert_eq!(unpad(&[1; 16], 16), None);
        assert_eq!(unpad(&[&[0x80][..], &[0; 31]].concat(), 16), None);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused_without_a_panic() {
        assert!(Suite::TripleDes.encrypt(&[0; 16], &[0; 8], &[0; 7]).is_none());
        assert!(Suite::TripleDes.encrypt(&[0; 15], &[0; 8], &[0; 8]).is_none());
        assert!(Suite::Aes128.encrypt(&[0; 16], &[0; 8], &[0; 16]).is_none());
        assert!(Suite::Aes256.decrypt(&[0; 16], &[0; 16], &[0; 16]).is_none());
        assert!(Suite::TripleDes.mac(&[0; 16], &[0; 9]).is_none());
        assert!(Suite::TripleDes.mac(&[0; 16], &[]).is_none());
        assert!(Suite::Aes128.mac(&[0; 3], &[]).is_none());
    }
}
