//! DER (ITU-T X.690): what chips, certificates, signatures and time stamps are written in.
//!
//! Writing is plain concatenation; reading is bounded in depth, length and count, since the bytes are a stranger's.

/// One TLV with the given identifier octet.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
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
    if digits[0] & 0x80 == 0 {
        tlv(0x02, digits)
    } else {
        tlv(0x02, &[&[0], digits].concat())
    }
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
}
