//! BER made DER, for messages whose sender did not know how long they would become.

use super::{DerError, Limits};
use std::ops::Range;

/// One BER element, and nothing after it, as DER: indefinite lengths become definite, an OCTET STRING in pieces
/// becomes one. Members of a SET OF stay in the order sent, as signatures may depend on it. Input that needs no
/// change comes back byte for byte. Linear in the input; lengths that are longer than needed are refused.
///
/// # Errors
/// What is not well-formed, other strings in pieces, anything over the limits, trailing bytes.
pub fn normalise(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, DerError> {
    let (out, used) = normalise_prefix(bytes, limits)?;
    if used == bytes.len() { Ok(out) } else { Err(DerError::Trailing { at: used }) }
}

/// As [`normalise`], for an element that something follows (the padding of a PDF signature); also says how many
/// bytes the element took.
///
/// # Errors
/// As [`normalise`], without the last.
pub fn normalise_prefix(bytes: &[u8], limits: &Limits) -> Result<(Vec<u8>, usize), DerError> {
    if bytes.len() > limits.bytes {
        return Err(DerError::Limit { what: "bytes", at: limits.bytes });
    }
    let (nodes, used, changed) = outline(bytes, limits)?;
    if !changed {
        return Ok((bytes[..used].to_vec(), used));
    }
    // Children follow their parents, so that going backwards every length is known when it is needed.
    let mut sizes: Vec<usize> = nodes.iter().map(|n| n.value.len()).collect();
    for (index, node) in nodes.iter().enumerate().rev() {
        let whole = if node.piece {
            sizes[index]
        } else {
            sizes[index] + node.tag.len() + length_octets(sizes[index])
        };
        if let Some(parent) = node.parent {
            sizes[parent] += whole;
        }
    }
    let mut out = Vec::with_capacity(used);
    for (node, size) in nodes.iter().zip(&sizes) {
        if !node.piece {
            match &bytes[node.tag.clone()] {
                [0x24] => out.push(0x04),
                tag => out.extend_from_slice(tag),
            }
            super::push_length(&mut out, *size);
        }
        out.extend_from_slice(&bytes[node.value.clone()]);
    }
    Ok((out, used))
}

/// An element of BER input: where it lies, without its children.
struct Node {
    parent: Option<usize>,
    tag: Range<usize>,
    /// Of a primitive element; empty for a constructed one.
    value: Range<usize>,
    /// Part of an OCTET STRING in pieces: only its value is written.
    piece: bool,
}

/// All elements in order, the bytes they take, and whether DER would write them otherwise.
fn outline(bytes: &[u8], limits: &Limits) -> Result<(Vec<Node>, usize, bool), DerError> {
    struct Open {
        node: usize,
        end: Option<usize>,
        string: bool,
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut at, mut changed) = (0, false);
    loop {
        while open.last().is_some_and(|o| o.end == Some(at)) {
            open.pop();
        }
        let around = open.last();
        if around.is_none() && at > 0 {
            return Ok((nodes, at, changed));
        }
        let limit = open.iter().rev().find_map(|o| o.end).unwrap_or(bytes.len());
        if around.is_some_and(|o| o.end.is_none()) && bytes[at..limit].starts_with(&[0, 0]) {
            at += 2;
            open.pop();
            continue;
        }
        let (parent, in_string) = (around.map(|o| o.node), around.is_some_and(|o| o.string));
        let header = super::read_header(&bytes[at..limit], at, true)?;
        let start = at + header.size;
        let end = match header.length {
            Some(length) => {
                Some(start.checked_add(length).filter(|e| *e <= limit).ok_or(DerError::Truncated { at })?)
            }
            None => None,
        };
        let (first, constructed) = (bytes[at], bytes[at] & 0x20 != 0);
        let string = first == 0x24;
        // A piece must itself be an OCTET STRING; other string types in pieces are not met in signatures.
        let foreign_piece = in_string && first & !0x20 != 0x04;
        let other_pieces = constructed && first & 0xc0 == 0 && !matches!(first, 0x24 | 0x28 | 0x30 | 0x31);
        if foreign_piece || other_pieces || (end.is_none() && !constructed) {
            return Err(DerError::Tag { at });
        }
        if nodes.len() >= limits.items {
            return Err(DerError::Limit { what: "items", at });
        }
        changed |= string || end.is_none();
        let value = if constructed { start..start } else { start..end.unwrap_or(start) };
        nodes.push(Node { parent, tag: at..at + header.tag_size, value, piece: in_string });
        if constructed {
            if open.len() >= limits.depth {
                return Err(DerError::Limit { what: "depth", at });
            }
            open.push(Open { node: nodes.len() - 1, end, string });
            at = start;
        } else {
            at = end.unwrap_or(start);
        }
    }
}

fn length_octets(length: usize) -> usize {
    if length < 0x80 { 1 } else { 1 + length.ilog2() as usize / 8 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{octet_string, sequence, tlv};

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn definite_input_comes_back_byte_for_byte_even_out_of_order() {
        let bytes = unhex("31 06 02 01 05 02 01 03");
        assert_eq!(normalise(&bytes, &Limits::default()), Ok(bytes));
    }

    #[test]
    fn indefinite_lengths_and_strings_in_pieces_become_der() {
        let bytes = unhex(
            "30 80 31 06 020105 020103 24 80 04 02 0102 24 80 04 01 03 00 00 00 00 a0 80 05 00 00 00 00 00",
        );
        let expected = unhex("30 11 31 06 020105 020103 04 03 010203 a0 02 05 00");
        assert_eq!(normalise(&bytes, &Limits::default()), Ok(expected));
        let padded = [&bytes[..], &[0, 0, 0]].concat();
        assert_eq!(normalise_prefix(&padded, &Limits::default()).unwrap().1, bytes.len());
        assert_eq!(normalise(&padded, &Limits::default()), Err(DerError::Trailing { at: bytes.len() }));
    }

    #[test]
    fn long_results_get_long_lengths() {
        let big = vec![7u8; 70_000];
        let bytes =
            [&[0x30, 0x80, 0x24, 0x80][..], &octet_string(&big), &octet_string(&big), &[0; 4]].concat();
        let expected = sequence(&[&octet_string(&[&big[..], &big].concat())]);
        assert_eq!(normalise(&bytes, &Limits::default()), Ok(expected));
    }

    #[test]
    fn bombs_end_at_a_limit() {
        let limits = Limits::default();
        let deep = [0x30, 0x80].repeat(10_000);
        assert_eq!(normalise(&deep, &limits), Err(DerError::Limit { what: "depth", at: 64 }));
        let many = tlv(0x31, &[5, 0].repeat(1_000_000));
        assert!(matches!(normalise(&many, &limits), Err(DerError::Limit { what: "items", .. })));
        assert_eq!(normalise(&[0x30, 0x80, 5, 0], &limits), Err(DerError::Truncated { at: 4 }));
        assert!(matches!(normalise(&vec![0; 5 << 20], &limits), Err(DerError::Limit { what: "bytes", .. })));
        assert_eq!(normalise(&unhex("24 80 02 01 01 00 00"), &limits), Err(DerError::Tag { at: 2 }));
        assert_eq!(normalise(&unhex("04 80 00 00"), &limits), Err(DerError::Tag { at: 0 }));
        assert_eq!(normalise(&[], &limits), Err(DerError::Truncated { at: 0 }));
    }

    #[test]
    fn an_inner_element_cannot_reach_past_its_parent() {
        assert_eq!(
            normalise(&unhex("30 03 04 05 01 0203040506"), &Limits::default()),
            Err(DerError::Truncated { at: 2 })
        );
        assert_eq!(
            normalise(&unhex("30 02 30 80 00 00"), &Limits::default()),
            Err(DerError::Truncated { at: 4 })
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_normal_stays_as_it_is(bytes: Vec<u8>) {
            if let Ok((der, used)) = normalise_prefix(&bytes, &Limits::default()) {
                proptest::prop_assert!(used <= bytes.len());
                proptest::prop_assert_eq!(normalise(&der, &Limits::default()), Ok(der));
            }
        }
    }
}
