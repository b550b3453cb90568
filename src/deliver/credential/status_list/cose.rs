//! As much of CBOR (RFC 8949) and COSE_Sign1 (RFC 9052) as a status list in a CWT needs, written in the one shortest form.

use crate::deliver::wire_key::SigningKey;
use crate::fault::Outcome;

/// A value that is already encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cbor(pub(super) Vec<u8>);

impl Cbor {
    pub(super) fn int(value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => head(0, value),
            Err(_) => head(1, value.saturating_add(1).unsigned_abs()),
        }
    }

    pub(super) fn text(text: &str) -> Self {
        head(3, text.len() as u64).then(text.as_bytes())
    }

    pub(super) fn bytes(bytes: &[u8]) -> Self {
        head(2, bytes.len() as u64).then(bytes)
    }

    pub(super) fn list(items: &[Cbor]) -> Self {
        items.iter().fold(head(4, items.len() as u64), |list, item| list.then(&item.0))
    }

    pub(super) fn map(members: &[(Cbor, Cbor)]) -> Self {
        members
            .iter()
            .fold(head(5, members.len() as u64), |map, (name, value)| map.then(&name.0).then(&value.0))
    }

    fn then(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

fn head(major: u8, value: u64) -> Cbor {
    let be = value.to_be_bytes();
    let (short, rest): (u8, &[u8]) = match value {
        0..24 => (be[7], &[]),
        24..0x100 => (24, &be[7..]),
        0x100..0x1_0000 => (25, &be[6..]),
        0x1_0000..0x1_0000_0000 => (26, &be[4..]),
        _ => (27, &be[..]),
    };
    Cbor(vec![major << 5 | short]).then(rest)
}

/// What is signed: RFC 9052, 4.4.
pub(super) fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Cbor::list(&[Cbor::text("Signature1"), Cbor::bytes(protected), Cbor::bytes(&[]), Cbor::bytes(payload)]).0
}

/// A tagged COSE_Sign1 with ES256; `protected` has to name the algorithm.
///
/// # Errors
/// `SEND-012` where OpenSSL cannot sign.
pub(super) fn sign1(protected: &Cbor, payload: &Cbor, key: &SigningKey) -> Outcome<Vec<u8>> {
    let signature = key.sign(&to_be_signed(&protected.0, &payload.0))?;
    let parts = [Cbor::bytes(&protected.0), Cbor::map(&[]), Cbor::bytes(&payload.0), Cbor::bytes(&signature)];
    Ok(head(6, 18).then(&Cbor::list(&parts).0).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_maps_are_written_as_the_rfc_writes_them() {
        // RFC 8949, appendix A.
        for (value, bytes) in [
            (Cbor::int(0), "00"),
            (Cbor::int(23), "17"),
            (Cbor::int(24), "1818"),
            (Cbor::int(1000), "1903e8"),
            (Cbor::int(1_000_000), "1a000f4240"),
            (Cbor::int(1_000_000_000_000), "1b000000e8d4a51000"),
            (Cbor::int(-1), "20"),
            (Cbor::int(-1000), "3903e7"),
            (Cbor::text("\u{6c34}"), "63e6b0b4"),
            (Cbor::bytes(&[1, 2, 3, 4]), "4401020304"),
            (Cbor::map(&[(Cbor::int(1), Cbor::int(2)), (Cbor::int(3), Cbor::int(4))]), "a201020304"),
            (Cbor::list(&[Cbor::int(1), Cbor::list(&[Cbor::int(2)])]), "82018102"),
        ] {
            assert_eq!(hex::encode(value.0), bytes);
        }
    }
}
