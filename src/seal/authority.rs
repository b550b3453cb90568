//! A time stamp authority (RFC 3161) for training and tests: it answers questions, and refuses bad ones in the
//! protocol's own words. Its clock is the machine's; nobody should trust it beyond a training room.

use super::key::{KeyHandle, SoftKey};
use super::signed_data::Draft;
use crate::cms::Hash;
use crate::der::{self, DerError};
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::Timestamp;
use openssl::pkey::PKey;
use openssl::x509::X509;

/// An authority with its key.
pub struct Authority {
    key: SoftKey,
}

impl Authority {
    /// From a private key and its certificate with those above it, PEM.
    ///
    /// # Errors
    /// [`SETUP`], also for a certificate whose extended key usage is not a critical timeStamping alone.
    pub fn from_pem(key: &[u8], certificates: &[u8]) -> Outcome<Self> {
        let key =
            PKey::private_key_from_pem(key).map_err(|_| Fault::new(&SETUP).detail("the key is not PEM"))?;
        let mut chain = X509::stack_from_pem(certificates)
            .map_err(|_| Fault::new(&SETUP).detail("the certificates are not PEM"))?
            .into_iter();
        let certificate = chain.next().ok_or_else(|| Fault::new(&SETUP).detail("no certificate"))?;
        Authority::new(SoftKey::new(key, certificate, chain.collect())?)
    }

    /// From a key.
    ///
    /// # Errors
    /// [`SETUP`] for a certificate that is not for time stamps alone.
    pub fn new(key: SoftKey) -> Outcome<Self> {
        if !super::timestamp::stamps_only(key.certificate()) {
            return Err(Fault::new(&SETUP).detail("extended key usage is not a critical timeStamping"));
        }
        Ok(Authority { key })
    }

    /// The TimeStampResp to a TimeStampReq, DER: a token, or a rejection with its reason.
    pub fn reply(&self, question: &[u8], now: Timestamp) -> Vec<u8> {
        match self.answer(question, now) {
            Ok(token) => der::sequence(&[&der::sequence(&[&der::integer(&[0])]), &token]),
            Err(refusal) => refusal.reply(),
        }
    }

    fn answer(&self, question: &[u8], now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let question = Question::read(question)?;
        let mut serial = [0u8; 16];
        openssl::rand::rand_bytes(&mut serial).map_err(|_| Refusal::SystemFailure)?;
        serial[0] = serial[0] & 0x7f | 0x40;
        let time = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%M%SZ").to_string();
        let info = der::sequence(&[
            &der::integer(&[1]),
            &der::oid(POLICY),
            &question.imprint,
            &der::integer(&serial),
            &der::tlv(0x18, time.as_bytes()),
            &der::sequence(&[&der::integer(&[1])]),
            &question.nonce,
        ]);
        let draft = Draft::attached(&self.key, TST_INFO, &info, question.certificates);
        Ok(draft.map_err(|_| Refusal::SystemFailure)?.finish(None))
    }
}

/// What of a question an answer needs, as DER.
struct Question {
    imprint: Vec<u8>,
    /// Empty where there is none.
    nonce: Vec<u8>,
    certificates: bool,
}

impl Question {
    /// RFC 3161, 2.4.1.
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = der::only(bytes, 0x30)?.reader();
        if fields.expect(0x02)?.number()? != 1 {
            return Err(Refusal::BadRequest);
        }
        let imprint = fields.expect(0x30)?;
        let mut parts = imprint.reader();
        let hash = Hash::read(&parts.expect(0x30)?).map_err(|_| Refusal::BadAlgorithm)?;
        let digest = parts.expect(0x04)?.content;
        parts.end()?;
        if !matches!(hash, Hash::Sha256 | Hash::Sha384 | Hash::Sha512) {
            return Err(Refusal::BadAlgorithm);
        }
        if digest.len() != hash.size() {
            return Err(Refusal::BadFormat);
        }
        if let Some(policy) = fields.optional(0x06)?
            && policy.raw != der::oid(POLICY)
        {
            return Err(Refusal::UnacceptedPolicy);
        }
        let nonce = fields.optional(0x02)?.map_or_else(Vec::new, |n| n.raw.to_vec());
        if nonce.len() > MAX_NONCE {
            return Err(Refusal::BadRequest);
        }
        let certificates = fields.optional(0x01)?.is_some_and(|flag| flag.content != [0]);
        if fields.optional(0xa0)?.is_some() {
            return Err(Refusal::UnacceptedExtension);
        }
        fields.end()?;
        Ok(Question { imprint: imprint.raw.to_vec(), nonce, certificates })
    }
}

/// PKIFailureInfo (RFC 3161, 2.4.2); the number is the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    BadAlgorithm = 0,
    BadRequest = 2,
    BadFormat = 5,
    UnacceptedPolicy = 15,
    UnacceptedExtension = 16,
    SystemFailure = 25,
}

impl Refusal {
    fn reply(self) -> Vec<u8> {
        let bit = self as usize;
        let mut bits = vec![0u8; bit / 8 + 2];
        bits[0] = (7 - bit % 8) as u8;
        bits[bit / 8 + 1] = 0x80 >> (bit % 8);
        der::sequence(&[&der::sequence(&[&der::integer(&[2]), &der::tlv(0x03, &bits)])])
    }
}

impl From<DerError> for Refusal {
    fn from(_: DerError) -> Self {
        Refusal::BadFormat
    }
}

/// A training policy, under the private enterprise number for examples (RFC 5612).
const POLICY: &[u64] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 1];
const TST_INFO: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 1, 4];
const MAX_NONCE: usize = 40;

/// A key or certificate that cannot stamp.
pub const SETUP: Code = Code {
    id: "SEAL-018",
    class: Class::Setup,
    vi: "Không khởi tạo được máy chủ cấp dấu thời gian tập huấn",
    en: "the training time stamp authority cannot be set up",
    remedy_vi: "Dùng khoá và chứng thư có mục đích timeStamping (critical)",
    remedy_en: "use a key and certificate with a critical timeStamping purpose",
};

#[cfg(test)]
mod tests {
    use super::super::timestamp::{self, Request, check_reply};
    use super::*;
    use crate::digest::Sha256;
    use crate::seal::training::{Minted, Usage};

    fn authority() -> Authority {
        Authority::new(Minted::new("ec", Usage::Stamp).soft_key()).unwrap()
    }

    #[test]
    fn an_answer_passes_the_checks_of_whoever_asked() {
        let request = Request::new(&Sha256::of(b"signature")).unwrap();
        let reply = authority().reply(&request.der, Timestamp::now());
        assert!(check_reply(&reply, &request).is_ok());
        let other = Request::new(&Sha256::of(b"signature")).unwrap();
        assert_eq!(check_reply(&reply, &other).unwrap_err().code.id, timestamp::OTHER_QUESTION.id);
        let other = Request { imprint: Sha256::of(b"another"), ..request };
        assert_eq!(check_reply(&reply, &other).unwrap_err().code.id, timestamp::OTHER_QUESTION.id);
    }

    #[test]
    fn a_changed_answer_is_refused_wherever_it_was_changed() {
        let request = Request::new(&Sha256::of(b"signature")).unwrap();
        let reply = authority().reply(&request.der, Timestamp::now());
        let token = check_reply(&reply, &request).unwrap().token;
        // The certificate at the end of its list is not what this check is about: leave its bytes alone.
        let data = crate::cms::parse(&token, &der::Limits::default()).unwrap();
        let info = data.econtent.unwrap();
        let at = reply.windows(info.len()).position(|w| w == info).unwrap();
        for i in at..at + info.len() {
            let mut bad = reply.clone();
            bad[i] ^= 1;
            assert!(check_reply(&bad, &request).is_err(), "byte {i}");
        }
        for end in 0..reply.len() {
            assert!(check_reply(&reply[..end], &request).is_err());
        }
    }

    #[test]
    fn bad_questions_are_rejected_in_the_protocols_own_words() {
        let authority = authority();
        let rejected = |question: &[u8]| {
            let reply = authority.reply(question, Timestamp::now());
            let request = Request::new(&Sha256::of(b"x")).unwrap();
            assert_eq!(check_reply(&reply, &request).unwrap_err().code.id, timestamp::REJECTED.id);
            hex::encode(reply)
        };
        assert_eq!(rejected(b"garbage"), "30093007020102030202 04".replace(' ', ""));
        let sha1 = der::sequence(&[&der::oid(&[1, 3, 14, 3, 2, 26])]);
        let ask = |hash: &[u8], len: usize, rest: &[u8]| {
            let imprint = der::sequence(&[hash, &der::octet_string(&vec![1; len])]);
            der::sequence(&[&der::integer(&[1]), &imprint, rest])
        };
        assert!(rejected(&ask(&sha1, 20, &[])).ends_with("03020780"));
        let sha256 = super::super::signed_data::sha256_identifier();
        assert!(rejected(&ask(&sha256, 20, &[])).ends_with("03020204"));
        assert!(rejected(&ask(&sha256, 32, &der::oid(&[1, 2, 3]))).ends_with("0303000001"));
    }

    #[test]
    fn a_certificate_for_anything_else_gives_no_stamps() {
        for usage in [Usage::Sign, Usage::StampLoosely] {
            let refused = Authority::new(Minted::new("ec", usage).soft_key());
            assert_eq!(refused.err().unwrap().code.id, SETUP.id);
        }
    }
}
