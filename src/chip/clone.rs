//! Active authentication (ICAO Doc 9303-11, 6.1): proof that the chip holds the private key of DG15 and is therefore no
//! copy. What is judged here is recorded evidence; whether DG15 itself is genuine is for the verdict.

use super::reading::Challenge;
use crate::cms::algorithm::plain_to_der;
use crate::cms::{Hash, KeyFacts, SignatureAlg};
use crate::der;
use openssl::bn::{BigNum, BigNumContext};
use openssl::pkey::{Id, PKey, Public};

/// What an active authentication exchange proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The chip holds the key.
    Holds,
    /// It gave an answer of the right form that does not fit the key, as a copy does.
    Wrong,
    /// There is nothing that could be right or wrong: no answer, one of another form, or one to no challenge. Anybody
    /// between card and reader can leave that behind, and a card that is taken away too early.
    Inconclusive,
    /// It gave an answer of the right form that holds by none of the hashes in use, and by which hash the card answers
    /// cannot be known: it may be right by another.
    HashUnknown,
    /// The key is too weak to prove anything, or of a kind that is not known here.
    Unusable,
}

/// By which hash a card answers with ECDSA (Doc 9303-11, 6.1.2.3). RSA answers name their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerHash {
    /// DG14 names it.
    Named(Hash),
    /// Nothing that was signed names one: it is one of those in use.
    #[default]
    Unsaid,
    /// DG14 may name it, and was not read or is not understood.
    Unknown,
}

/// Checks an exchange against the contents of DG15 (a SubjectPublicKeyInfo). Where no hash is named for ECDSA, all that
/// are in use are tried; a key takes as much of a hash as it is long.
pub fn check(spki: &[u8], said: AnswerHash, exchange: &Challenge) -> Answer {
    let Ok(key) = PKey::public_key_from_der(spki) else { return Answer::Unusable };
    let explicit = explicit(spki);
    let right = match (key.id(), KeyFacts::of_key(&key, explicit)) {
        (Id::RSA, KeyFacts::Rsa { bits, .. }) if bits >= 1024 => rsa(&key, exchange),
        (Id::EC, KeyFacts::Ec { bits, curve: Some(_), .. }) if bits >= 190 => {
            ecdsa(&key, bits, said, exchange)
        }
        _ => return Answer::Unusable,
    };
    match right {
        _ if exchange.challenge.len() != CHALLENGE => Answer::Inconclusive,
        Some(true) => Answer::Holds,
        Some(false) if key.id() == Id::EC && said == AnswerHash::Unknown => Answer::HashUnknown,
        Some(false) => Answer::Wrong,
        None => Answer::Inconclusive,
    }
}

/// Whether an exchange that holds rests on a key or hash that would be too weak to sign with today. It counts all the same:
/// the question is new each time, so that whoever wants to answer it must break the key and not find a collision, and
/// such keys are in cards that are valid.
pub fn is_weak(spki: &[u8], said: AnswerHash, exchange: &Challenge) -> bool {
    let Ok(key) = PKey::public_key_from_der(spki) else { return true };
    let hash = match key.id() {
        Id::RSA => recover(&key, &exchange.response).and_then(|message| Some(take_apart(&message)?.0)),
        _ => match said {
            AnswerHash::Named(hash) => Some(hash),
            AnswerHash::Unsaid | AnswerHash::Unknown => holding(&key, said, exchange),
        },
    };
    KeyFacts::of_key(&key, explicit(spki)).is_weak() || hash.is_some_and(Hash::is_weak)
}

fn explicit(spki: &[u8]) -> bool {
    let algorithm = der::only(spki, 0x30).and_then(|t| t.reader().expect(0x30)).map(|t| t.reader());
    algorithm.is_ok_and(|mut fields| fields.expect(0x06).is_ok() && fields.peek() == Some(0x30))
}

/// Chips answer with r and s laid end to end; some with DER. `None` for what is neither.
fn ecdsa(key: &PKey<Public>, bits: u32, said: AnswerHash, exchange: &Challenge) -> Option<bool> {
    let holds = holding(key, said, exchange).is_some();
    let whole = exchange.response.len() == 2 * bits.div_ceil(8) as usize || is_der(&exchange.response);
    (holds || whole).then_some(holds)
}

/// The hash by which an elliptic answer holds.
fn holding(key: &PKey<Public>, said: AnswerHash, exchange: &Challenge) -> Option<Hash> {
    let hashes = match said {
        AnswerHash::Named(hash) => vec![hash],
        AnswerHash::Unsaid | AnswerHash::Unknown => {
            vec![Hash::Sha256, Hash::Sha224, Hash::Sha384, Hash::Sha512, Hash::Sha1]
        }
    };
    let plain = plain_to_der(&exchange.response);
    let signatures = [plain.as_deref(), Some(&exchange.response[..])];
    let holds = |hash: Hash, signature: &[u8]| {
        SignatureAlg::Ecdsa(hash).verify(key, &[&exchange.challenge], signature)
    };
    hashes.into_iter().find(|hash| signatures.iter().flatten().any(|signature| holds(*hash, signature)))
}

/// `SEQUENCE { r, s }` and nothing else.
fn is_der(response: &[u8]) -> bool {
    let two = |fields: der::Reader<'_>| {
        let mut fields = fields;
        fields.expect(0x02)?;
        fields.expect(0x02)?;
        fields.end()
    };
    der::only(response, 0x30).is_ok_and(|signature| two(signature.reader()).is_ok())
}

/// ISO/IEC 9796-2 digital signature scheme 1 with partial recovery: `6A | M1 | H(M1 | challenge) | trailer`. `None` for
/// what is not as long as the key.
fn rsa(key: &PKey<Public>, exchange: &Challenge) -> Option<bool> {
    let message = recover(key, &exchange.response)?;
    let Some((hash, recovered, digest)) = take_apart(&message) else { return Some(false) };
    Some(hash.digest(&[recovered, &exchange.challenge])? == digest)
}

/// The message under a signature; empty for a number that is none of this key's.
fn recover(key: &PKey<Public>, response: &[u8]) -> Option<Vec<u8>> {
    let rsa = key.rsa().ok()?;
    let size = usize::try_from(rsa.size()).ok()?;
    if response.len() != size {
        return None;
    }
    let signature = BigNum::from_slice(response).ok()?;
    if signature.ucmp(rsa.n()) != std::cmp::Ordering::Less {
        return Some(Vec::new());
    }
    let mut message = BigNum::new().ok()?;
    message.mod_exp(&signature, rsa.e(), rsa.n(), &mut *BigNumContext::new().ok()?).ok()?;
    let mut bytes = message.to_vec_padded(i32::try_from(size).ok()?).ok()?;
    // A signer may give the smaller of two roots (ISO/IEC 9796-2, B.6).
    if bytes.last().is_some_and(|b| b & 0x0f != 0x0c) {
        let mut other = BigNum::new().ok()?;
        other.checked_sub(rsa.n(), &message).ok()?;
        bytes = other.to_vec_padded(i32::try_from(size).ok()?).ok()?;
    }
    Some(bytes)
}

/// Hash, recoverable part and digest of a message; `None` for one of another form.
fn take_apart(message: &[u8]) -> Option<(Hash, &[u8], &[u8])> {
    let (hash, trailer) = match message {
        [.., 0xbc] => (Hash::Sha1, 1),
        [.., 0x33, 0xcc] => (Hash::Sha1, 2),
        [.., 0x34, 0xcc] => (Hash::Sha256, 2),
        [.., 0x35, 0xcc] => (Hash::Sha512, 2),
        [.., 0x36, 0xcc] => (Hash::Sha384, 2),
        [.., 0x38, 0xcc] => (Hash::Sha224, 2),
        _ => return None,
    };
    let body = message.strip_prefix(&[0x6a])?;
    let body = &body[..body.len().checked_sub(trailer)?];
    let (recovered, digest) = body.split_at_checked(body.len().checked_sub(hash.size())?)?;
    Some((hash, recovered, digest))
}

/// RND.IFD, bytes (Doc 9303-11, 6.1.4).
const CHALLENGE: usize = 8;

#[cfg(test)]
mod tests {
    use super::AnswerHash::{Named, Unknown, Unsaid};
    use super::*;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use openssl::rsa::{Padding, Rsa};

    fn ec() -> (PKey<Private>, Vec<u8>) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let spki = key.public_key_to_der().unwrap();
        (key, spki)
    }

    fn exchange(response: Vec<u8>) -> Challenge {
        Challenge { challenge: vec![1, 2, 3, 4, 5, 6, 7, 8], response }
    }

    #[test]
    fn an_elliptic_answer_counts_plain_and_in_der() {
        let (key, spki) = ec();
        let mut signer = openssl::sign::Signer::new(Hash::Sha256.md(), &key).unwrap();
        signer.update(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let der = signer.sign_to_vec().unwrap();
        let signature = openssl::ecdsa::EcdsaSig::from_der(&der).unwrap();
        let plain =
            [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat();
        assert_eq!(check(&spki, Unsaid, &exchange(plain.clone())), Answer::Holds);
        assert_eq!(check(&spki, Named(Hash::Sha256), &exchange(der)), Answer::Holds);
        assert_eq!(check(&spki, Named(Hash::Sha384), &exchange(plain.clone())), Answer::Wrong);
        assert_eq!(check(&ec().1, Unsaid, &exchange(plain.clone())), Answer::Wrong);
        let other = Challenge { challenge: vec![9; 8], response: plain.clone() };
        assert_eq!(check(&spki, Unsaid, &other), Answer::Wrong);
        assert_eq!(check(&spki, Unsaid, &exchange(vec![0; 64])), Answer::Wrong);
        let off = der::sequence(&[&der::integer(&[7; 32]), &der::integer(&[9; 32])]);
        assert_eq!(check(&spki, Unsaid, &exchange(off.clone())), Answer::Wrong);
        for none in [vec![], vec![0; 63], vec![0x90, 0], off[..off.len() - 1].to_vec(), plain[..62].to_vec()]
        {
            assert_eq!(check(&spki, Unsaid, &exchange(none)), Answer::Inconclusive);
        }
        for challenge in [vec![], vec![9; 7], vec![9; 16]] {
            let other = Challenge { challenge, response: plain.clone() };
            assert_eq!(check(&spki, Unsaid, &other), Answer::Inconclusive, "to no chip's challenge");
        }
    }

    #[test]
    fn a_true_answer_holds_by_any_hash_in_use_and_none_disproves_where_the_hash_is_unknown() {
        let (key, spki) = ec();
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let mut signer = openssl::sign::Signer::new(hash.md(), &key).unwrap();
            signer.update(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
            let answer = exchange(signer.sign_to_vec().unwrap());
            for said in [Named(hash), Unsaid, Unknown] {
                assert_eq!(check(&spki, said, &answer), Answer::Holds, "{hash:?} {said:?}");
                assert_eq!(is_weak(&spki, said, &answer), hash == Hash::Sha1, "{hash:?} {said:?}");
            }
            let other = ec().1;
            assert_eq!(check(&other, Named(hash), &answer), Answer::Wrong);
            assert_eq!(check(&other, Unsaid, &answer), Answer::Wrong, "no hash in use fits");
            assert_eq!(check(&other, Unknown, &answer), Answer::HashUnknown);
        }
        assert_eq!(check(&spki, Unknown, &exchange(vec![])), Answer::Inconclusive);
        let rsa = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap().public_key_to_der().unwrap();
        assert_eq!(check(&rsa, Unknown, &exchange(vec![1; 128])), Answer::Wrong, "it names its own hash");
    }

    fn rsa_answer(key: &Rsa<Private>, hash: Hash, trailer: &[u8]) -> Vec<u8> {
        let size = key.size() as usize;
        let recovered = vec![0x5a; size - 1 - hash.size() - trailer.len()];
        let digest = hash.digest(&[&recovered, &[1, 2, 3, 4, 5, 6, 7, 8]]).unwrap();
        let message = [&[0x6a], &recovered[..], &digest, trailer].concat();
        let mut out = vec![0; size];
        key.private_encrypt(&message, &mut out, Padding::NONE).unwrap();
        out
    }

    #[test]
    fn an_rsa_answer_counts_with_either_trailer_and_with_the_smaller_root() {
        let key = Rsa::generate(1024).unwrap();
        let spki = PKey::from_rsa(key.clone()).unwrap().public_key_to_der().unwrap();
        for (hash, trailer) in
            [(Hash::Sha1, &[0xbc][..]), (Hash::Sha1, &[0x33, 0xcc]), (Hash::Sha256, &[0x34, 0xcc])]
        {
            let answer = rsa_answer(&key, hash, trailer);
            assert_eq!(check(&spki, Unsaid, &exchange(answer.clone())), Answer::Holds);
            let mut root = BigNum::new().unwrap();
            root.checked_sub(key.n(), &BigNum::from_slice(&answer).unwrap()).unwrap();
            assert_eq!(check(&spki, Unsaid, &exchange(root.to_vec_padded(128).unwrap())), Answer::Holds);
            let mut broken = answer;
            broken[5] ^= 1;
            assert_eq!(check(&spki, Unsaid, &exchange(broken.clone())), Answer::Wrong);
            assert_eq!(check(&spki, Unsaid, &exchange(vec![0xff; 128])), Answer::Wrong);
            for none in [&[][..], &broken[1..], &[0; 129]] {
                assert_eq!(check(&spki, Unsaid, &exchange(none.to_vec())), Answer::Inconclusive);
            }
        }
    }

    #[test]
    fn what_would_be_too_weak_to_sign_with_is_told_though_it_counts() {
        let (short, long) = (Rsa::generate(1024).unwrap(), Rsa::generate(2048).unwrap());
        for (key, hash, trailer, weak) in [
            (&short, Hash::Sha256, &[0x34, 0xcc][..], true),
            (&long, Hash::Sha1, &[0xbc], true),
            (&long, Hash::Sha256, &[0x34, 0xcc], false),
        ] {
            let spki = PKey::from_rsa(key.clone()).unwrap().public_key_to_der().unwrap();
            let answer = exchange(rsa_answer(key, hash, trailer));
            assert_eq!(check(&spki, Unsaid, &answer), Answer::Holds);
            assert_eq!(is_weak(&spki, Unsaid, &answer), weak, "{} {hash:?}", key.size());
        }
        for (nid, said, weak) in [
            (Nid::X9_62_PRIME192V1, Unsaid, true),
            (Nid::BRAINPOOL_P224R1, Named(Hash::Sha256), true),
            (Nid::X9_62_PRIME256V1, Named(Hash::Sha1), true),
            (Nid::X9_62_PRIME256V1, Unsaid, false),
        ] {
            let key = EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap();
            let spki = PKey::from_ec_key(key).unwrap().public_key_to_der().unwrap();
            assert_eq!(is_weak(&spki, said, &exchange(vec![])), weak, "{nid:?} {said:?}");
        }
    }

    #[test]
    fn a_weak_or_foreign_key_proves_nothing() {
        let weak = PKey::from_rsa(Rsa::generate(512).unwrap()).unwrap().public_key_to_der().unwrap();
        assert_eq!(check(&weak, Unsaid, &exchange(vec![0; 64])), Answer::Unusable);
        let other = PKey::generate_ed25519().unwrap().public_key_to_der().unwrap();
        assert_eq!(check(&other, Unsaid, &exchange(vec![0; 64])), Answer::Unusable);
        assert_eq!(check(b"no key", Unsaid, &exchange(vec![])), Answer::Unusable);
    }
}
