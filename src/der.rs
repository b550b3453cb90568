//! DER (ITU-T X.690): what chips, certificates, signatures and time stamps are written in.
//!
//! Writing is plain concatenation; reading is bounded in depth, length and count, since the bytes are a stranger's.

use std::ops::Range;

/// What reading may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest input, bytes.
    pub bytes: usize,
    /// Deepest nesting.
    pub depth: usize,
    /// Most elements, all levels together.
    pub items: usize,
}

impl Default for Limits {
    /// 4 MiB, 32 levels, 200,000 elements: more than any document signature or chip file needs.
    fn default() -> Self {
        Limits { bytes: 4 << 20, depth: 32, items: 200_000 }
    }
}

/// Why bytes are not the DER that was expected; offsets count from the start of what was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// An element says that it is longer than what is there.
    #[error("the element at byte {at} is longer than its surroundings")]
    Truncated {
        /// Offset of the element.
        at: usize,
    },
    /// A length in more octets than needed, above 2^32, or indefinite where that is not allowed.
    #[error("the length at byte {at} is not a DER length")]
    Length {
        /// Offset of the element.
        at: usize,
    },
    /// A tag that cannot be, or whose number is above 2^21.
    #[error("the tag at byte {at} is not allowed")]
    Tag {
        /// Offset of the element.
        at: usize,
    },
    /// Another tag was expected.
    #[error("the element at byte {at} has tag {found:x} in place of {wanted:x}")]
    Unexpected {
        /// Offset of the element.
        at: usize,
        /// The tag that belongs there.
        wanted: u32,
        /// The tag that is there; 0 at the end.
        found: u32,
    },
    /// Bytes after the last element.
    #[error("bytes are left over at byte {at}")]
    Trailing {
        /// Offset of the first of them.
        at: usize,
    },
    /// The contents do not fit the type.
    #[error("the value at byte {at} is malformed")]
    Value {
        /// Offset of the element.
        at: usize,
    },
    /// One of [`Limits`].
    #[error("the {what} limit is exceeded at byte {at}")]
    Limit {
        /// `bytes`, `depth` or `items`.
        what: &'static str,
        /// Offset of the element.
        at: usize,
    },
}

/// One element as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// All identifier octets, big-endian: `0x30`, `0x7f61`.
    pub tag: u32,
    /// Offset of the first identifier octet from the start of the outermost input.
    pub at: usize,
    /// The value.
    pub content: &'a [u8],
    /// Identifier, length and value.
    pub raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// A reader over the contents; offsets stay those of the outermost input.
    pub fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content, at: self.at + self.raw.len() - self.content.len(), strict: true }
    }

    /// The same for BER (chip files): lengths need not be the shortest.
    pub fn lenient(&self) -> Reader<'a> {
        Reader { strict: false, ..self.reader() }
    }

    /// This element's identifier as an OID in dotted form.
    ///
    /// # Errors
    /// Another tag, or arcs that are cut off or above 2^64.
    pub fn oid(&self) -> Result<String, DerError> {
        if self.tag != 0x06 {
            return Err(DerError::Unexpected { at: self.at, wanted: 0x06, found: self.tag });
        }
        dotted(self.content).ok_or(DerError::Value { at: self.at })
    }

    /// A non-negative INTEGER that fits 64 bits.
    ///
    /// # Errors
    /// Another tag, a negative or longer number.
    pub fn number(&self) -> Result<u64, DerError> {
        if self.tag != 0x02 {
            return Err(DerError::Unexpected { at: self.at, wanted: 0x02, found: self.tag });
        }
        let digits = match self.content {
            [] => return Err(DerError::Value { at: self.at }),
            [0, rest @ ..] => rest,
            [first, ..] if first & 0x80 != 0 => return Err(DerError::Value { at: self.at }),
            all => all,
        };
        if digits.len() > 8 {
            return Err(DerError::Value { at: self.at });
        }
        Ok(digits.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
    }
}

/// Reads elements one after the other; never copies, never recurses.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    strict: bool,
}

impl<'a> Reader<'a> {
    /// Over DER: lengths must be definite and the shortest.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, at: 0, strict: true }
    }

    /// Over BER with definite lengths, as chip files are written.
    pub fn lenient(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, at: 0, strict: false }
    }

    /// True at the end.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Offset of the next element.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element, `None` at the end or where no tag can be read.
    pub fn peek(&self) -> Option<u32> {
        read_header(self.rest, self.at, self.strict).ok().map(|h| h.tag)
    }

    /// The next element.
    ///
    /// # Errors
    /// At the end, and where tag or length are not allowed or run past the end.
    pub fn read_tlv(&mut self) -> Result<Tlv<'a>, DerError> {
        let header = read_header(self.rest, self.at, self.strict)?;
        let length = header.length.ok_or(DerError::Length { at: self.at })?;
        let end = header.size.checked_add(length).ok_or(DerError::Truncated { at: self.at })?;
        let raw = self.rest.get(..end).ok_or(DerError::Truncated { at: self.at })?;
        let tlv = Tlv { tag: header.tag, at: self.at, content: &raw[header.size..], raw };
        self.rest = &self.rest[end..];
        self.at += end;
        Ok(tlv)
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    /// As [`Reader::read_tlv`], or another tag.
    pub fn expect(&mut self, wanted: u32) -> Result<Tlv<'a>, DerError> {
        let found = if self.rest.is_empty() { Some(0) } else { self.peek() };
        match found {
            Some(found) if found != wanted => Err(DerError::Unexpected { at: self.at, wanted, found }),
            _ => self.read_tlv(),
        }
    }

    /// The next element if it has this tag.
    ///
    /// # Errors
    /// As [`Reader::read_tlv`].
    pub fn optional(&mut self, wanted: u32) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(wanted) { self.read_tlv().map(Some) } else { Ok(None) }
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn end(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Trailing { at: self.at }) }
    }
}

/// The one element that the input consists of.
///
/// # Errors
/// Another tag, a malformed header, trailing bytes.
pub fn only(bytes: &[u8], tag: u32) -> Result<Tlv<'_>, DerError> {
    let mut reader = Reader::new(bytes);
    let tlv = reader.expect(tag)?;
    reader.end()?;
    Ok(tlv)
}

/// Arcs of an OBJECT IDENTIFIER's contents in dotted form; `None` where they are cut off or above 2^64.
pub fn dotted(content: &[u8]) -> Option<String> {
    use std::fmt::Write as _;
    if content.len() > 64 || content.last()? & 0x80 != 0 {
        return None;
    }
    let mut out = String::new();
    let mut arc = 0u64;
    for byte in content {
        if arc == 0 && *byte == 0x80 {
            return None;
        }
        arc = arc.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if out.is_empty() {
                let first = (arc / 40).min(2);
                let _ = write!(out, "{first}.{}", arc - first * 40);
            } else {
                let _ = write!(out, ".{arc}");
            }
            arc = 0;
        }
    }
    Some(out)
}

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
            push_length(&mut out, *size);
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
        let header = read_header(&bytes[at..limit], at, true)?;
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

struct Header {
    tag: u32,
    tag_size: usize,
    /// Octets of identifier and length.
    size: usize,
    /// `None`: indefinite.
    length: Option<usize>,
}

fn read_header(bytes: &[u8], at: usize, strict: bool) -> Result<Header, DerError> {
    let truncated = DerError::Truncated { at };
    let first = *bytes.first().ok_or(truncated)?;
    if first == 0 {
        return Err(DerError::Tag { at });
    }
    let (mut tag, mut tag_size) = (u32::from(first), 1);
    if first & 0x1f == 0x1f {
        loop {
            let byte = *bytes.get(tag_size).ok_or(truncated)?;
            if tag_size == 4 || (tag_size == 1 && byte == 0x80) {
                return Err(DerError::Tag { at });
            }
            tag = (tag << 8) | u32::from(byte);
            tag_size += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    let short = *bytes.get(tag_size).ok_or(truncated)?;
    let count = usize::from(short & 0x7f);
    let mut size = tag_size + 1;
    let length = match short {
        0..=0x7f => Some(count),
        0x80 => None,
        _ => {
            let octets = bytes.get(size..size + count).ok_or(truncated)?;
            size += count;
            if count > 4 || (strict && octets[0] == 0) {
                return Err(DerError::Length { at });
            }
            let length = octets.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
            if strict && length < 0x80 {
                return Err(DerError::Length { at });
            }
            Some(length)
        }
    };
    Ok(Header { tag, tag_size, size, length })
}

fn length_octets(length: usize) -> usize {
    if length < 0x80 { 1 } else { 1 + length.ilog2() as usize / 8 + 1 }
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
}

/// One TLV with the given identifier octet.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    push_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

/// SEQUENCE of parts that are already encoded.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// SET OF parts that are already encoded, in DER order (X.690 11.6).
pub fn set_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    tlv(0x31, &sorted.concat())
}

/// OBJECT IDENTIFIER from its arcs, e.g. `&[1, 2, 840, 113549, 1, 7, 2]`.
pub fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut content = Vec::new();
    let first = arcs.first().copied().unwrap_or(0) * 40 + arcs.get(1).copied().unwrap_or(0);
    for arc in std::iter::once(first).chain(arcs.iter().skip(2).copied()) {
        let mut groups = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        content.extend(groups.iter().rev());
    }
    tlv(0x06, &content)
}

/// Non-negative INTEGER from big-endian bytes, shortest form.
pub fn integer(big_endian: &[u8]) -> Vec<u8> {
    let start = big_endian.iter().position(|b| *b != 0).unwrap_or(big_endian.len().saturating_sub(1));
    let digits = big_endian.get(start..).filter(|d| !d.is_empty()).unwrap_or(&[0]);
    if digits[0] & 0x80 == 0 { tlv(0x02, digits) } else { tlv(0x02, &[&[0], digits].concat()) }
}

/// OCTET STRING.
pub fn octet_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

/// NULL.
pub fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_and_integers_are_written_as_openssl_writes_them() {
        assert_eq!(hex::encode(oid(&[1, 2, 840, 113_549, 1, 7, 2])), "06092a864886f70d010702");
        assert_eq!(hex::encode(oid(&[2, 23, 136, 1, 1, 1])), "0606678108010101");
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }

    #[test]
    fn long_lengths_take_the_fewest_octets() {
        assert_eq!(tlv(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(tlv(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[0; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn a_set_is_sorted() {
        assert_eq!(set_of(&[&[2, 1, 5], &[2, 1, 3]]), [0x31, 6, 2, 1, 3, 2, 1, 5]);
    }

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn elements_are_read_with_their_offsets() {
        let bytes = unhex("30 0b 02 01 05 06 06 67 81 08 01 01 01");
        let mut outer = Reader::new(&bytes);
        let sequence = outer.expect(0x30).unwrap();
        outer.end().unwrap();
        let mut inner = sequence.reader();
        assert_eq!(inner.read_tlv().unwrap().number(), Ok(5));
        assert_eq!(inner.optional(0x04), Ok(None));
        let oid = inner.expect(0x06).unwrap();
        assert_eq!((oid.at, oid.oid().unwrap().as_str()), (5, "2.23.136.1.1.1"));
        assert_eq!(inner.expect(0x04), Err(DerError::Unexpected { at: 13, wanted: 4, found: 0 }));
        assert_eq!(Reader::lenient(&unhex("5f1f 01 41")).read_tlv().unwrap().tag, 0x5f1f);
    }

    #[test]
    fn dishonest_lengths_are_refused() {
        let error = |text: &str| Reader::new(&unhex(text)).read_tlv().unwrap_err();
        assert_eq!(error("04 84 ff ff ff ff 00"), DerError::Truncated { at: 0 });
        assert_eq!(error("04 85 01 00 00 00 00"), DerError::Length { at: 0 });
        assert_eq!(error("04 81 05 01 02 03 04 05"), DerError::Length { at: 0 });
        assert_eq!(error("24 80 00 00"), DerError::Length { at: 0 });
        assert_eq!(error("1f 80 01 00"), DerError::Tag { at: 0 });
        assert_eq!(error("30"), DerError::Truncated { at: 0 });
        assert!(Reader::lenient(&unhex("04 81 01 05")).read_tlv().is_ok());
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
        fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
            if let Ok((der, used)) = normalise_prefix(&bytes, &Limits::default()) {
                proptest::prop_assert!(used <= bytes.len());
                proptest::prop_assert_eq!(normalise(&der, &Limits::default()), Ok(der));
            }
            let mut reader = Reader::lenient(&bytes);
            while let Ok(element) = reader.read_tlv() {
                let _ = (element.oid(), element.number());
            }
        }
    }
}
