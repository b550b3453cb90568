//! The text form of a proof, `c2sp.org/tlog-proof@v1`, and what we put on its `extra` line.
//!
//! The line is not authenticated by the format. What stands on ours authenticates itself: what was logged hashes to the leaf
//! that the path starts from, a time stamp token is signed. Two forms: the logged bytes alone (JSON), for a log without a
//! time stamp authority; otherwise a packed form that also holds the token, or room for one that is still awaited.

use super::note::{Checkpoint, Note, decimal};
use super::tree::Hash;
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::log::receipt::{BAD_RECEIPT, MAX_RECEIPT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// First byte of the packed form: this, eight bytes of SHA-256 over the rest, raw DEFLATE of `JSON ‖ newline ‖ token`.
/// The sum makes every changed bit show, also one in a part of the token that its signature does not cover.
const PACKED: u8 = 0x02;
/// Longest unpacked `extra`.
const MAX_EXTRA: usize = 32 * 1024;

/// A proof that something is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The bytes whose hash was logged.
    pub logged: Vec<u8>,
    /// When that was at the latest.
    pub stamp: Stamp,
    /// Its place in the log, from 0.
    pub index: u64,
    /// The inclusion proof, leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim, with the cosignatures that it has.
    pub checkpoint: String,
}

/// What a proof carries of the time stamp authority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stamp {
    /// The log asks no authority.
    #[default]
    None,
    /// The log asks one, and it had not answered yet.
    Awaited,
    /// A time stamp token (RFC 3161, CMS, DER) over the checkpoint's text.
    Token(Vec<u8>),
}

impl Proof {
    /// The text that is handed over.
    pub fn to_text(&self) -> String {
        let extra = match &self.stamp {
            Stamp::None => self.logged.clone(),
            Stamp::Awaited => pack(&self.logged, &[]),
            Stamp::Token(token) => pack(&self.logged, token),
        };
        let mut text = format!("{HEADER}\nextra {}\nindex {}\n", STANDARD.encode(extra), self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a proof, strictly.
    ///
    /// # Errors
    /// [`BAD_RECEIPT`].
    pub fn parse(text: &str) -> Outcome<Proof> {
        let bad = |why: &str| Fault::new(&BAD_RECEIPT).detail(why);
        if text.len() > MAX_RECEIPT {
            return Err(bad("too long"));
        }
        let (proof, checkpoint) = text.split_once("\n\n").ok_or_else(|| bad("no empty line"))?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(bad("not a tlog-proof@v1"));
        }
        let extra = lines.next().and_then(|l| l.strip_prefix("extra ")).ok_or_else(|| bad("no statement"))?;
        let extra = STANDARD.decode(extra).map_err(|_| bad("the statement's base64"))?;
        let (logged, stamp) = unpack(extra).ok_or_else(|| bad("the statement"))?;
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| bad("no index"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == 64 {
                return Err(bad("path too long"));
            }
            let hash = STANDARD.decode(line).ok().and_then(|h| h.try_into().ok());
            path.push(hash.ok_or_else(|| bad("a hash of the path"))?);
        }
        Note::parse(checkpoint)
            .and_then(|n| Checkpoint::parse(n.text()))
            .map_err(|_| bad("the checkpoint"))?;
        Ok(Proof { logged, stamp, index, path, checkpoint: checkpoint.to_owned() })
    }
}

fn pack(logged: &[u8], token: &[u8]) -> Vec<u8> {
    let packed = miniz_oxide::deflate::compress_to_vec(&[logged, b"\n", token].concat(), 9);
    let sum = Sha256::of(&packed).0;
    [&[PACKED][..], &sum[..8], &packed].concat()
}

fn unpack(extra: Vec<u8>) -> Option<(Vec<u8>, Stamp)> {
    if extra.first() != Some(&PACKED) {
        return (extra.len() <= MAX_EXTRA).then_some((extra, Stamp::None));
    }
    let (sum, packed) = extra.get(1..)?.split_first_chunk::<8>()?;
    if Sha256::of(packed).0.first_chunk::<8>() != Some(sum) {
        return None;
    }
    let whole = miniz_oxide::inflate::decompress_to_vec_with_limit(packed, MAX_EXTRA).ok()?;
    let cut = whole.iter().position(|b| *b == b'\n')?;
    let (logged, token) = (whole.get(..cut)?.to_vec(), whole.get(cut + 1..)?);
    let stamp = if token.is_empty() { Stamp::Awaited } else { Stamp::Token(token.to_vec()) };
    Some((logged, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_and_no_changed_bit_passes() {
        let logged = br#"{"sha256":"00"}"#.to_vec();
        for stamp in [Stamp::None, Stamp::Awaited, Stamp::Token(vec![0x30, 0x0a, 0, 0xff])] {
            let extra = match &stamp {
                Stamp::None => logged.clone(),
                Stamp::Awaited => pack(&logged, &[]),
                Stamp::Token(token) => pack(&logged, token),
            };
            assert_eq!(unpack(extra.clone()), Some((logged.clone(), stamp.clone())));
            if stamp == Stamp::None {
                continue;
            }
            for place in 1..extra.len() {
                for bit in 0..8 {
                    let mut changed = extra.clone();
                    changed[place] ^= 1 << bit;
                    assert_eq!(unpack(changed), None, "byte {place} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = pack(&vec![b' '; 64 << 20], &[]);
        assert!(bomb.len() < MAX_RECEIPT);
        assert_eq!(unpack(bomb), None);
    }
}
