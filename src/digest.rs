//! Digests: BLAKE3 is the address of bytes inside the house, SHA-256 is what law, signatures and wires use.
//! Both are always taken in one pass over the bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

/// A BLAKE3-256 digest: the address of a blob, the identity of a dossier. No legal standing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blake3(pub [u8; 32]);

/// A SHA-256 digest (FIPS 180-4): signatures, chip data, the transparency log, every wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

/// What is known about some bytes without having them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digests {
    /// The address.
    pub blake3: Blake3,
    /// The legal digest.
    pub sha256: Sha256,
    /// Length in bytes.
    pub size: u64,
}

impl Blake3 {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Blake3(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of several parts, each preceded by its length, so that no two lists of parts collide.
    pub fn of_parts(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Blake3(*hasher.finalize().as_bytes())
    }

    /// The first 12 hexadecimal digits: enough for a person to tell two dossiers apart.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl Sha256 {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Sha256(openssl::sha::sha256(bytes))
    }
}

impl Digests {
    /// Both digests of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Digests { blake3: Blake3::of(bytes), sha256: Sha256::of(bytes), size: bytes.len() as u64 }
    }
}

/// Takes both digests while bytes stream by.
pub struct Digester {
    blake3: blake3::Hasher,
    sha256: openssl::sha::Sha256,
    size: u64,
}

impl Default for Digester {
    fn default() -> Self {
        Digester { blake3: blake3::Hasher::new(), sha256: openssl::sha::Sha256::new(), size: 0 }
    }
}

impl Digester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Both digests of everything seen.
    pub fn finish(self) -> Digests {
        Digests {
            blake3: Blake3(*self.blake3.finalize().as_bytes()),
            sha256: Sha256(self.sha256.finish()),
            size: self.size,
        }
    }
}

/// Both digests of everything a reader gives, in one pass and constant memory.
///
/// # Errors
/// Whatever the reader fails with.
pub fn of_reader(mut reader: impl Read) -> io::Result<Digests> {
    let mut digester = Digester::default();
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(digester.finish()),
            Ok(n) => digester.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A sink that takes the digests of what goes through it.
pub struct Digesting<W> {
    sink: W,
    digester: Digester,
}

impl<W: Write> Digesting<W> {
    /// Everything that is written goes on to `sink`.
    pub fn new(sink: W) -> Self {
        Digesting { sink, digester: Digester::default() }
    }

    /// The digests of all that went through, and the sink.
    pub fn finish(self) -> (Digests, W) {
        (self.digester.finish(), self.sink)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.sink.write(bytes)?;
        self.digester.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct NotADigest;

macro_rules! hex_digest {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }
        impl FromStr for $name {
            type Err = NotADigest;
            fn from_str(text: &str) -> Result<Self, NotADigest> {
                let mut bytes = [0u8; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
                Ok($name(bytes))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
hex_digest!(Blake3);
hex_digest!(Sha256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_equals_two() {
        let bytes: Vec<u8> = (0..700_001u32).map(|i| (i % 251) as u8).collect();
        assert_eq!(of_reader(&bytes[..]).unwrap(), Digests::of(&bytes));
    }

    #[test]
    fn what_goes_through_a_sink_is_digested_as_it_arrives() {
        let mut sink = Digesting::new(Vec::new());
        sink.write_all(b"two ").unwrap();
        sink.write_all(b"parts").unwrap();
        assert_eq!(sink.finish(), (Digests::of(b"two parts"), b"two parts".to_vec()));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Blake3::of_parts("t", &[b"ab", b"c"]), Blake3::of_parts("t", &[b"a", b"bc"]));
    }

    #[test]
    fn a_digest_reads_what_it_prints_and_nothing_else() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("ba78".parse::<Sha256>(), Err(NotADigest));
    }
}
