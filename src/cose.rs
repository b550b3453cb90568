//! As much of CBOR (RFC 8949) and COSE_Sign1 (RFC 9052) as status lists and receipts need, written in the one shortest form.
//!
//! Nothing is read here, and nothing signed: whoever has a key signs the bytes that it is handed.

use crate::fault::Outcome;

/// A value that is already encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cbor(Vec<u8>);

impl Cbor {
    /// An integer.
    pub fn int(value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => head(0, value),
            Err(_) => head(1, value.saturating_add(1).unsigned_abs()),
        }
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        head(3, text.len() as u64).then(text.as_bytes())
    }

    /// A byte string.
    pub fn bytes(bytes: &[u8]) -> Self {
        head(2, bytes.len() as u64).then(bytes)
    }

    /// A list of values, in this order.
    pub fn list(items: &[Cbor]) -> Self {
        items.iter().fold(head(4, items.len() as u64), |list, item| list.then(&item.0))
    }

    /// A map. The members stand in the order given: for the deterministic form (RFC 8949, 4.2) sort them by their names' bytes.
    pub fn map(members: &[(Cbor, Cbor)]) -> Self {
        members
            .iter()
            .fold(head(5, members.len() as u64), |map, (name, value)| map.then(&name.0).then(&value.0))
    }

    /// No value.
    pub fn nil() -> Self {
        Cbor(vec![0xf6])
    }

    /// The bytes of the value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
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

/// The payload of a message: taken along, or known to the reader from elsewhere and `nil` in the message (RFC 9052, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Stands in the message.
    Attached(&'a [u8]),
    /// Signed, and left out.
    Detached(&'a [u8]),
}

/// What is signed, without external data: RFC 9052, 4.4.
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Cbor::list(&[Cbor::text("Signature1"), Cbor::bytes(protected), Cbor::bytes(&[]), Cbor::bytes(payload)]).0
}

/// A tagged COSE_Sign1 (RFC 9052, 4.2); `protected` is a map that has to name the algorithm of `sign`, which gets
/// [`to_be_signed`] and returns the raw signature.
///
/// # Errors
/// Those of `sign`.
pub fn sign1<S: AsRef<[u8]>>(
    protected: &Cbor,
    unprotected: &Cbor,
    payload: Payload<'_>,
    sign: impl FnOnce(&[u8]) -> Outcome<S>,
) -> Outcome<Vec<u8>> {
    let (signed, shown) = match payload {
        Payload::Attached(bytes) => (bytes, Cbor::bytes(bytes)),
        Payload::Detached(bytes) => (bytes, Cbor::nil()),
    };
    let signature = sign(&to_be_signed(&protected.0, signed))?;
    let parts = [Cbor::bytes(&protected.0), unprotected.clone(), shown, Cbor::bytes(signature.as_ref())];
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
            (Cbor::nil(), "f6"),
        ] {
            assert_eq!(hex::encode(value.0), bytes);
        }
    }

    #[test]
    fn a_payload_that_is_left_out_is_signed_all_the_same() {
        let protected = Cbor::map(&[(Cbor::int(1), Cbor::int(-8))]);
        let message = |payload| {
            let mut signed = Vec::new();
            let sign = |bytes: &[u8]| {
                signed = bytes.to_vec();
                Ok([7u8; 2])
            };
            let message = sign1(&protected, &Cbor::map(&[]), payload, sign).unwrap();
            (hex::encode(message), hex::encode(signed))
        };
        // RFC 9052, 4.4: ["Signature1", protected, external, payload].
        let signed = "846a5369676e61747572653143a1012740420506";
        assert_eq!(message(Payload::Attached(&[5, 6])), ("d28443a10127a0420506420707".into(), signed.into()));
        assert_eq!(message(Payload::Detached(&[5, 6])), ("d28443a10127a0f6420707".into(), signed.into()));
    }
}
