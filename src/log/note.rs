//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) with Ed25519 keys.
//!
//! A note is text, an empty line, and one `— name base64(key id ‖ signature)` line a signer. A checkpoint is a note whose
//! text is the log's origin, its size and the root.

use super::tree::Hash;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::sign::{Signer as OpensslSigner, Verifier};
use std::fmt;

/// Longest note that is read.
pub const MAX_NOTE: usize = 64 * 1024;
/// Most signature lines that are read.
const MAX_SIGNATURES: usize = 100;

/// What a key signs: checkpoints of its own log, or those of others that it has watched grow. The value is the algorithm byte
/// of C2SP signed-note, "Signature types".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519 over the text: a log.
    Log = 0x01,
    /// A timestamped Ed25519 cosignature (C2SP tlog-cosignature, cosignature/v1): a witness.
    Witness = 0x04,
}

/// A private key with the name it signs under.
pub struct Signer {
    name: String,
    key: PKey<Private>,
    public: [u8; 32],
    id: [u8; 4],
}

/// A public key with its name: what a verifier is configured with, written `name+id+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    kind: KeyKind,
    name: String,
    public: [u8; 32],
    id: [u8; 4],
}

/// A signed note, taken apart; its signatures are not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SignatureLine {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// What a note's signatures are worth under some keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A trusted key signed it.
    By,
    /// No signature is from a trusted key.
    UnknownKey,
    /// A signature that claims a trusted key is not by that key.
    Bad,
}

/// The head of a log: the text of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; equals the name of its key.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Signer {
    /// A signer from an Ed25519 private key.
    ///
    /// # Errors
    /// [`BAD_NAME`] for a name that a note cannot carry, [`KEY_REFUSED`] for a key of another kind.
    pub fn new(name: &str, key: PKey<Private>) -> Outcome<Signer> {
        check_name(name)?;
        if key.id() != Id::ED25519 {
            return Err(Fault::new(&KEY_REFUSED).detail("not an Ed25519 key"));
        }
        let raw = key.raw_public_key().map_err(|_| Fault::new(&KEY_REFUSED))?;
        let public: [u8; 32] = raw.try_into().map_err(|_| Fault::new(&KEY_REFUSED))?;
        Ok(Signer { name: name.to_owned(), id: key_id(name, KeyKind::Log, &public), key, public })
    }

    /// A signer from a PKCS#8 PEM.
    ///
    /// # Errors
    /// As [`Signer::new`], and [`KEY_REFUSED`] for text that is not an unencrypted private key.
    pub fn from_pem(name: &str, pem: &[u8]) -> Outcome<Signer> {
        let key = PKey::private_key_from_pem_passphrase(pem, b"").map_err(|_| Fault::new(&KEY_REFUSED))?;
        Signer::new(name, key)
    }

    /// A fresh key.
    ///
    /// # Errors
    /// [`BAD_NAME`]; [`KEY_REFUSED`] where OpenSSL has no Ed25519.
    pub fn generate(name: &str) -> Outcome<Signer> {
        Signer::new(name, PKey::generate_ed25519().map_err(|_| Fault::new(&KEY_REFUSED))?)
    }

    /// The private key as PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KEY_REFUSED`] where the key does not leave its keeper.
    pub fn to_pem(&self) -> Outcome<Vec<u8>> {
        self.key.private_key_to_pem_pkcs8().map_err(|_| Fault::new(&KEY_REFUSED))
    }

    /// The name it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { kind: KeyKind::Log, name: self.name.clone(), public: self.public, id: self.id }
    }

    /// The public half, as that of a witness.
    pub fn witness(&self) -> VerifierKey {
        let id = key_id(&self.name, KeyKind::Witness, &self.public);
        VerifierKey { kind: KeyKind::Witness, name: self.name.clone(), public: self.public, id }
    }

    /// The line by which a witness vouches for a checkpoint's text at a time (POSIX seconds): the largest consistent head
    /// of that log that it has seen. The message names no witness: a key must have one name only, and sign no log.
    ///
    /// # Errors
    /// [`KEY_REFUSED`] where the key does not sign.
    pub fn cosign(&self, text: &str, time: u64) -> Outcome<String> {
        let signature = self.raw_signature(cosigned(time, text).as_bytes())?;
        let stamp = STANDARD.encode([&self.witness().id[..], &time.to_be_bytes(), &signature].concat());
        Ok(format!("\u{2014} {} {stamp}\n", self.name))
    }

    /// A note over `text`, which ends in a newline and holds no empty line at its end.
    ///
    /// # Errors
    /// [`KEY_REFUSED`] where the key does not sign.
    pub fn sign(&self, text: &str) -> Outcome<String> {
        let signature = self.raw_signature(text.as_bytes())?;
        let stamp = STANDARD.encode([&self.id[..], &signature].concat());
        Ok(format!("{text}\n\u{2014} {} {stamp}\n", self.name))
    }

    /// 64 bytes over `message` as it stands (RFC 8032). The kinds of message that one key signs must never be mistaken for one
    /// another: notes and cosignatures are UTF-8 text, a COSE Sig_structure begins with 0x84, which no UTF-8 text does.
    pub(super) fn raw_signature(&self, message: &[u8]) -> Outcome<Vec<u8>> {
        let refused = |_| Fault::new(&KEY_REFUSED);
        let mut signer = OpensslSigner::new_without_digest(&self.key).map_err(refused)?;
        signer.sign_oneshot_to_vec(message).map_err(refused)
    }

    /// A secret that only the holder of the key has, bound to one purpose.
    ///
    /// # Errors
    /// [`KEY_REFUSED`] where the key does not leave its keeper.
    pub fn derive(&self, purpose: &str) -> Outcome<zeroize::Zeroizing<[u8; 32]>> {
        let raw = zeroize::Zeroizing::new(self.key.raw_private_key().map_err(|_| Fault::new(&KEY_REFUSED))?);
        Ok(zeroize::Zeroizing::new(blake3::derive_key(purpose, &raw)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier())
    }
}

impl VerifierKey {
    /// Reads `name+id+base64(kind ‖ public key)`; the id must be the one that the key has.
    ///
    /// # Errors
    /// [`BAD_KEY`].
    pub fn parse(line: &str) -> Outcome<VerifierKey> {
        let bad = || Fault::new(&BAD_KEY);
        let line = line.strip_suffix('\n').unwrap_or(line);
        let (name, rest) = line.split_once('+').ok_or_else(bad)?;
        let (id_hex, key) = rest.split_once('+').ok_or_else(bad)?;
        check_name(name).map_err(|_| bad())?;
        let key = STANDARD.decode(key).map_err(|_| bad())?;
        let (algorithm, public) = key.split_first().ok_or_else(bad)?;
        let public: [u8; 32] = public.try_into().map_err(|_| bad())?;
        let kind = match *algorithm {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Witness,
            other => return Err(bad().detail(format!("key type {other} is not Ed25519"))),
        };
        let id = key_id(name, kind, &public);
        if hex::encode(id) != id_hex {
            return Err(bad().detail("the key id does not belong to this key"));
        }
        Ok(VerifierKey { kind, name: name.to_owned(), public, id })
    }

    fn is_of(&self, line: &SignatureLine) -> bool {
        self.name == line.name && self.id == line.id
    }

    /// Whose key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The log's or witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The beginning of its line, `name+id`, by which people find the whole line.
    pub fn label(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }

    /// The time that a cosignature says, 0 for a log's own signature; none where it is not this key's.
    fn has_signed(&self, text: &str, signature: &[u8]) -> Option<u64> {
        match self.kind {
            KeyKind::Log => self.holds(text.as_bytes(), signature).then_some(0),
            KeyKind::Witness => {
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                let sane = time <= i64::MAX as u64;
                (sane && self.holds(cosigned(time, text).as_bytes(), signature)).then_some(time)
            }
        }
    }

    fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = PKey::<Public>::public_key_from_raw_bytes(&self.public, Id::ED25519) else {
            return false;
        };
        let Ok(mut verifier) = Verifier::new_without_digest(&key) else { return false };
        let good = verifier.verify_oneshot(signature, message).unwrap_or(false);
        drop(openssl::error::ErrorStack::get());
        good
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[self.kind as u8][..], &self.public].concat());
        write!(f, "{}+{key}", self.label())
    }
}

impl Note {
    /// Takes a note apart, strictly: UTF-8 without control characters, well-formed signature lines only.
    ///
    /// # Errors
    /// [`BAD_NOTE`].
    pub fn parse(note: &str) -> Outcome<Note> {
        let bad = |why: &str| Fault::new(&BAD_NOTE).detail(why);
        if note.len() > MAX_NOTE {
            return Err(bad("too long"));
        }
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(bad("a control character"));
        }
        let cut = note.rfind("\n\n").ok_or_else(|| bad("no empty line"))?;
        let text = note.get(..cut + 1).ok_or_else(|| bad("no text"))?;
        let lines =
            note.get(cut + 2..).and_then(|l| l.strip_suffix('\n')).ok_or_else(|| bad("no signature"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(bad("too many signatures"));
            }
            let (name, stamp) = line
                .strip_prefix("\u{2014} ")
                .and_then(|l| l.split_once(' '))
                .ok_or_else(|| bad("a signature line without its parts"))?;
            check_name(name).map_err(|_| bad("a signer's name"))?;
            let stamp = STANDARD.decode(stamp).map_err(|_| bad("a signature's base64"))?;
            let (id, signature) = stamp.split_first_chunk::<4>().ok_or_else(|| bad("a short signature"))?;
            if signature.is_empty() {
                return Err(bad("a short signature"));
            }
            signatures.push(SignatureLine { name: name.to_owned(), id: *id, signature: signature.to_vec() });
        }
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// The signed text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `key` signed it. Every signature line under this key's name and id must be good.
    pub fn signed_by(&self, key: &VerifierKey) -> Signed {
        let mut verdict = Signed::UnknownKey;
        for line in self.signatures.iter().filter(|l| l.name == key.name && l.id == key.id) {
            if key.has_signed(&self.text, &line.signature).is_none() {
                return Signed::Bad;
            }
            verdict = Signed::By;
        }
        verdict
    }

    /// When the witness `key` cosigned it (POSIX seconds), the last time where it did several times.
    pub fn cosigned_at(&self, key: &VerifierKey) -> Option<u64> {
        let own = self
            .signatures
            .iter()
            .filter(|l| key.kind == KeyKind::Witness && l.name == key.name && l.id == key.id);
        own.filter_map(|l| key.has_signed(&self.text, &l.signature)).max()
    }

    /// The signature lines of these keys, as they stand in a note.
    pub fn lines_by(&self, keys: &[VerifierKey]) -> String {
        let known = |l: &&SignatureLine| keys.iter().any(|k| k.is_of(l));
        self.signatures.iter().filter(known).map(SignatureLine::to_text).collect()
    }

    /// The signature lines of everyone but these keys.
    pub fn lines_except(&self, keys: &[VerifierKey]) -> String {
        let strange = |l: &&SignatureLine| !keys.iter().any(|k| k.is_of(l));
        self.signatures.iter().filter(strange).map(SignatureLine::to_text).collect()
    }
}

impl SignatureLine {
    fn to_text(&self) -> String {
        let stamp = STANDARD.encode([&self.id[..], &self.signature].concat());
        format!("\u{2014} {} {stamp}\n", self.name)
    }
}

impl Checkpoint {
    /// The note text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads a note text. Extension lines are allowed by C2SP but refused here: we write none, and what is not
    /// understood must not look understood.
    ///
    /// # Errors
    /// [`BAD_NOTE`].
    pub fn parse(text: &str) -> Outcome<Checkpoint> {
        let bad = || Fault::new(&BAD_NOTE).detail("not a checkpoint");
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or_else(bad)?.split('\n').collect();
        let [origin, size, root] = lines[..] else { return Err(bad()) };
        check_name(origin).map_err(|_| bad())?;
        let size = decimal(size).ok_or_else(bad)?;
        let root = STANDARD.decode(root).ok().and_then(|r| r.try_into().ok()).ok_or_else(bad)?;
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }
}

/// An ASCII decimal without sign and leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// What a witness signs (C2SP tlog-cosignature, "Ed25519 signed message").
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// SHA-256(name ‖ newline ‖ algorithm ‖ public key), first four bytes.
fn key_id(name: &str, kind: KeyKind, public: &[u8; 32]) -> [u8; 4] {
    let digest = openssl::sha::sha256(&[name.as_bytes(), b"\n", &[kind as u8], public].concat());
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Names hold no space, no plus, no control character.
fn check_name(name: &str) -> Outcome<()> {
    let good = !name.is_empty()
        && name.len() <= 256
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if good { Ok(()) } else { Err(Fault::new(&BAD_NAME)) }
}

/// A verifier key line that is none.
pub const BAD_KEY: Code = Code {
    id: "LOG-001",
    class: Class::Setup,
    vi: "Dòng khóa công khai của nhật ký minh bạch không đúng",
    en: "the log's public key line is malformed",
    remedy_vi: "Xin lại dòng khóa dạng tên+mã+base64 từ đơn vị giữ nhật ký",
    remedy_en: "ask the log's keeper for the line name+id+base64 again",
};
/// A note or checkpoint that is none.
pub const BAD_NOTE: Code = Code {
    id: "LOG-002",
    class: Class::Input,
    vi: "Điểm chốt của nhật ký minh bạch sai định dạng",
    en: "the signed checkpoint is malformed",
    remedy_vi: "Lấy lại tệp từ nơi đã phát hành",
    remedy_en: "fetch the file again from where it was issued",
};
/// A name that notes cannot carry.
pub const BAD_NAME: Code = Code {
    id: "LOG-003",
    class: Class::Setup,
    vi: "Tên nhật ký không hợp lệ",
    en: "the log's name cannot be used",
    remedy_vi: "Dùng tên không có dấu cách và dấu cộng, ví dụ h49.vn/nhat-ky",
    remedy_en: "use a name without spaces and plus signs, such as h49.vn/log",
};
/// A signing key that cannot be used.
pub const KEY_REFUSED: Code = Code {
    id: "LOG-004",
    class: Class::Setup,
    vi: "Không dùng được khóa ký của nhật ký",
    en: "the log's signing key cannot be used",
    remedy_vi: "Dùng khóa Ed25519 dạng PEM (PKCS#8), ví dụ tạo bằng hoso log init",
    remedy_en: "use an Ed25519 key as PKCS#8 PEM, for instance made by hoso log init",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the C2SP signed-note and of Go's sumdb/note.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_verifies_under_the_published_key() {
        let key = VerifierKey::parse(PETER).unwrap();
        assert_eq!(key.to_string(), PETER);
        let note = Note::parse(PETER_NOTE).unwrap();
        assert_eq!(note.signed_by(&key), Signed::By);
        let changed = PETER_NOTE.replace("answer", "Answer");
        assert_eq!(Note::parse(&changed).unwrap().signed_by(&key), Signed::Bad);
        let other = Signer::generate("PeterNeumann").unwrap().verifier();
        assert_eq!(note.signed_by(&other), Signed::UnknownKey);
    }

    #[test]
    fn a_key_line_with_another_keys_id_is_refused() {
        for bad in [
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T=",
            "PeterNeumann+c74f20a3",
            "",
        ] {
            assert_eq!(VerifierKey::parse(bad).unwrap_err().code.id, "LOG-001", "{bad}");
        }
    }

    #[test]
    fn a_checkpoint_reads_what_it_writes_and_nothing_looser() {
        let checkpoint = Checkpoint { origin: "h49.vn/log".into(), size: 7, root: [9; 32] };
        assert_eq!(Checkpoint::parse(&checkpoint.text()).unwrap(), checkpoint);
        let text = checkpoint.text();
        for bad in [
            text.replace("\n7\n", "\n07\n"),
            text.replace("\n7\n", "\n+7\n"),
            text.replace("\n7\n", "\n18446744073709551616\n"),
            format!("{text}extension\n"),
            text.trim_end().to_owned(),
            text.replace("h49.vn/log", ""),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signer_comes_back_from_its_pem_and_never_prints_its_secret() {
        let signer = Signer::generate("h49.vn/log").unwrap();
        let again = Signer::from_pem("h49.vn/log", &signer.to_pem().unwrap()).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        assert_eq!(again.derive("x").unwrap(), signer.derive("x").unwrap());
        assert_ne!(again.derive("x").unwrap(), signer.derive("y").unwrap());
        let note = Note::parse(&signer.sign("a\nb\n").unwrap()).unwrap();
        assert_eq!((note.text(), note.signed_by(&signer.verifier())), ("a\nb\n", Signed::By));
        assert!(format!("{signer:?}").starts_with("Signer(h49.vn/log+"));
    }
}
