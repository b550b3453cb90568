//! A card that expects exactly these commands, and random bytes that are none.

use crate::chip::reader::curve::{Entropy, NoEntropy};
use crate::chip::reader::{Lost, Transceiver};

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(char::is_whitespace, "")).unwrap()
}

/// Commands with their responses.
pub(crate) struct Script(std::vec::IntoIter<(Vec<u8>, Vec<u8>)>);

impl Script {
    pub(crate) fn new(lines: &[[&str; 2]]) -> Self {
        let lines: Vec<_> = lines.iter().map(|[c, r]| (unhex(c), unhex(r))).collect();
        Script(lines.into_iter())
    }
}

impl Transceiver for Script {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        let Some((expected, response)) = self.0.next() else { return Err(Lost) };
        assert_eq!(hex::encode(command), hex::encode(expected));
        Ok(response)
    }
}

/// The private keys of a worked example, in the order in which they are needed.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Entropy for Bytes {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let next = self.0.get(..bytes.len()).ok_or(NoEntropy)?;
        bytes.copy_from_slice(next);
        self.0.drain(..bytes.len());
        Ok(())
    }
}
