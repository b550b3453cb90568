//! A time stamp token put into a SignedData that is already signed: an unsigned attribute (RFC 3161 appendix A), so that
//! no signed byte changes.

use crate::der::{self, DerError};

/// The SignedData (DER, one signer) with one more unsigned attribute; none for what is not that.
pub(super) fn token(cms: &[u8], token: &[u8]) -> Option<Vec<u8>> {
    with_token(cms, token).ok()
}

fn with_token(cms: &[u8], token: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut info = der::only(cms, 0x30)?.reader();
    let kind = info.expect(0x06)?;
    let wrapper = info.expect(0xa0)?;
    info.end()?;
    let mut fields = der::only(wrapper.content, 0x30)?.reader();
    let (mut before, mut signers) = (Vec::new(), None);
    while !fields.is_empty() {
        let field = fields.read_tlv()?;
        match signers.replace(field) {
            Some(earlier) => before.extend_from_slice(earlier.raw),
            None => continue,
        }
    }
    let signers = signers.filter(|s| s.tag == 0x31).ok_or(DerError::Value { at: 0 })?;
    let mut list = signers.reader();
    let mut fields = list.expect(0x30)?.reader();
    list.end()?;
    let (mut signer, mut attributes) = (Vec::new(), Vec::new());
    // Version, identifier, digest and signed attributes stand before [1].
    while !fields.is_empty() {
        let field = fields.read_tlv()?;
        if field.tag != 0xa1 {
            signer.extend_from_slice(field.raw);
            continue;
        }
        let mut known = field.reader();
        while !known.is_empty() {
            attributes.push(known.expect(0x30)?.raw);
        }
        fields.end()?;
    }
    let stamp = der::sequence(&[&der::oid(TIME_STAMP), &der::set_of(&[token])]);
    attributes.push(&stamp);
    let mut unsigned = der::set_of(&attributes);
    unsigned[0] = 0xa1;
    let signer = der::sequence(&[&signer, &unsigned]);
    let signed = der::sequence(&[&before, &der::tlv(0x31, &signer)]);
    Ok(der::sequence(&[kind.raw, &der::tlv(0xa0, &signed)]))
}

const TIME_STAMP: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 14];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use crate::seal::signed_data::Draft;
    use crate::seal::training::{Minted, Usage};

    #[test]
    fn a_token_put_in_later_is_where_one_put_in_at_once_would_be() {
        let key = Minted::new("rsa", Usage::Sign).soft_key();
        let stamp = der::sequence(&[&der::integer(&[7])]);
        let digest = Sha256::of(b"paper");
        // RSA with PKCS#1 v1.5 signs the same twice.
        let plain = Draft::detached(&key, &digest).unwrap().finish(None);
        let at_once = Draft::detached(&key, &digest).unwrap().finish(Some(&stamp));
        assert_eq!(token(&plain, &stamp).unwrap(), at_once);
        let twice = token(&at_once, &stamp).unwrap();
        let data = crate::cms::parse(&twice, &der::Limits::default()).unwrap();
        assert_eq!(data.signers[0].unsigned.len(), 2);
        for length in 0..plain.len() {
            assert_eq!(token(&plain[..length], &stamp), None);
        }
    }
}
