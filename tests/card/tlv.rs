//! BER-TLV and the little DER that a chip's own files need.

/// One data object: tag of one or two bytes, length in its shortest form, parts laid end to end.
pub(crate) fn tlv(tag: u32, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out: Vec<u8> = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    match content.len() {
        n @ 0..0x80 => out.push(n as u8),
        n @ 0x80..0x100 => out.extend([0x81, n as u8]),
        n => {
            assert!(n < 0x1_0000, "no file of a chip is that long");
            out.extend([0x82, (n >> 8) as u8, n as u8]);
        }
    }
    out.extend(content);
    out
}

/// The first data object: its tag, its content and what follows it. None where the bytes are none.
pub(crate) fn split(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(first);
    if first & 0x1f == 0x1f {
        let (&second, after) = rest.split_first()?;
        tag = tag << 8 | u32::from(second);
        rest = after;
    }
    let (&form, mut rest) = rest.split_first()?;
    let mut length = usize::from(form);
    if form >= 0x80 {
        let count = usize::from(form & 0x7f);
        if !(1..=2).contains(&count) {
            return None;
        }
        length = rest.get(..count)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = &rest[count..];
    }
    Some((tag, rest.get(..length)?, &rest[length..]))
}

/// All data objects of a template, in order; None where anything is left over.
pub(crate) fn objects(mut bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = split(bytes)?;
        all.push((tag, content));
        bytes = rest;
    }
    Some(all)
}

/// Contents of an OBJECT IDENTIFIER given with dots.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut out = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut groups = vec![(arc & 0x7f) as u8];
        let mut left = arc >> 7;
        while left > 0 {
            groups.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        out.extend(groups.iter().rev());
    }
    out
}

/// A small INTEGER, whole.
pub(crate) fn integer(value: u8) -> Vec<u8> {
    assert!(value < 0x80);
    vec![2, 1, value]
}
