//! The cipher suites of PACE, chip authentication and secure messaging (Doc 9303-11, 9.7 and 9.8), from OpenSSL's primitives.

use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

/// What keys are derived for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Purpose {
    Encryption = 1,
    Mac = 2,
    Password = 3,
}

/// A block cipher with its MAC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Suite {
    /// Two-key 3DES in CBC mode with the retail MAC.
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
}

impl Suite {
    /// The last arc of the protocol's object identifier.
    pub(crate) fn arc(self) -> u8 {
        match self {
            Suite::TripleDes => 1,
            Suite::Aes128 => 2,
            Suite::Aes192 => 3,
            Suite::Aes256 => 4,
        }
    }

    /// Bytes of a block.
    pub(crate) fn block(self) -> usize {
        if self == Suite::TripleDes { 8 } else { 16 }
    }

    /// KDF(K, c), 9.7.1. Parity bits are left alone: DES does not look at them.
    pub(crate) fn derive(self, secret: &[u8], purpose: Purpose) -> Vec<u8> {
        let input = [secret, &(purpose as u32).to_be_bytes()].concat();
        let (digest, length) = match self {
            Suite::TripleDes | Suite::Aes128 => (MessageDigest::sha1(), 16),
            Suite::Aes192 => (MessageDigest::sha256(), 24),
            Suite::Aes256 => (MessageDigest::sha256(), 32),
        };
        hash(digest, &input).unwrap()[..length].to_vec()
    }

    /// CBC without padding; an empty vector is all zero.
    pub(crate) fn encrypt(self, key: &[u8], iv: &[u8], plain: &[u8]) -> Vec<u8> {
        self.cbc(Mode::Encrypt, key, iv, plain)
    }

    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], text: &[u8]) -> Vec<u8> {
        self.cbc(Mode::Decrypt, key, iv, text)
    }

    /// Eight bytes over whole blocks (secure messaging), or, with AES, over bytes of any length (tokens).
    pub(crate) fn mac(self, key: &[u8], message: &[u8]) -> [u8; 8] {
        let mac = match self {
            Suite::TripleDes => retail_mac(key, message),
            _ => {
                let key = PKey::cmac(&self.cipher(), key).unwrap();
                Signer::new_without_digest(&key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
        };
        mac[..8].try_into().unwrap()
    }

    /// The MAC of an authentication token: the retail MAC pads its message, CMAC sees to itself.
    pub(crate) fn token(self, key: &[u8], message: &[u8]) -> [u8; 8] {
        match self {
            Suite::TripleDes => self.mac(key, &pad(message, 8)),
            _ => self.mac(key, message),
        }
    }

    fn cbc(self, mode: Mode, key: &[u8], iv: &[u8], input: &[u8]) -> Vec<u8> {
        let zero = [0; 16];
        let iv = if iv.is_empty() { &zero[..self.block()] } else { iv };
        match self {
            Suite::TripleDes => {
                crypt(mode, Cipher::des_ede3_cbc(), &[&key[..16], &key[..8]].concat(), iv, input)
            }
            _ => crypt(mode, self.cipher(), key, iv, input),
        }
    }

    fn cipher(self) -> Cipher {
        match self {
            Suite::TripleDes => Cipher::des_ede3_cbc(),
            Suite::Aes128 => Cipher::aes_128_cbc(),
            Suite::Aes192 => Cipher::aes_192_cbc(),
            Suite::Aes256 => Cipher::aes_256_cbc(),
        }
    }
}

/// ISO/IEC 9797-1 padding method 2.
pub(crate) fn pad(bytes: &[u8], block: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(block), 0);
    padded
}

/// Takes it away again; None where it is not there.
pub(crate) fn unpad(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    (bytes[end] == 0x80).then(|| &bytes[..end])
}

pub(crate) fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    bytes
}

/// ISO/IEC 9797-1 MAC algorithm 3 over whole blocks. Single DES is 3DES with one key three times: OpenSSL 3 keeps the
/// plain one in a provider that is not loaded.
fn retail_mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let (first, second) = (&key[..8], &key[8..16]);
    let (body, last) = message.split_at(message.len() - 8);
    let mut state = vec![0; 8];
    if !body.is_empty() {
        let chain = crypt(Mode::Encrypt, Cipher::des_ede3_cbc(), &first.repeat(3), &[0; 8], body);
        state = chain[chain.len() - 8..].to_vec();
    }
    let block: Vec<u8> = state.iter().zip(last).map(|(a, b)| a ^ b).collect();
    crypt(Mode::Encrypt, Cipher::des_ede3_cbc(), &[first, second, first].concat(), &[0; 8], &block)
}

fn crypt(mode: Mode, cipher: Cipher, key: &[u8], iv: &[u8], input: &[u8]) -> Vec<u8> {
    let mut crypter = Crypter::new(cipher, mode, key, Some(iv)).unwrap();
    crypter.pad(false);
    let mut out = vec![0; input.len() + cipher.block_size()];
    let mut written = crypter.update(input, &mut out).unwrap();
    written += crypter.finalize(&mut out[written..]).unwrap();
    out.truncate(written);
    out
}
