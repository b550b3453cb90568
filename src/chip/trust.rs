//! Whom this station trusts to issue cards: country signing authorities (CSCA) and their revocation lists, as files
//! that the station's keeper put into a folder. None are shipped.
//!
//! OpenSSL checks one signature at a time; the policy of the chain is here, because its own chain building refuses the
//! curve parameters that half of all issuers write out (openssl #25461).

use crate::cms::{KeyFacts, Parts, name_key};
use crate::der;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkey::{PKey, Public};
use openssl::x509::{CrlStatus, X509, X509Crl, X509Ref};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A folder of anchors, indexed.
#[derive(Default)]
pub struct Trust {
    anchors: Vec<Anchor>,
    crls: Vec<Crl>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_key: BTreeMap<Vec<u8>, Vec<usize>>,
}

/// A country signing certificate and where it came from.
pub struct Anchor {
    /// Its file's name.
    pub file: String,
    /// Digest of its DER.
    pub sha256: Sha256,
    certificate: X509,
    key: PKey<Public>,
    facts: KeyFacts,
    parts: Parts,
    name: String,
}

struct Crl {
    list: X509Crl,
    issuer: String,
}

/// What the chain above a document signer came to.
pub struct Chain<'a> {
    /// The authority that signed it.
    pub anchor: &'a Anchor,
    /// Rules of the chain that are broken; one is enough not to trust it.
    pub broken: Vec<Broken>,
    /// What is odd and not forbidden.
    pub odd: Vec<Odd>,
    /// What the revocation lists say.
    pub revocation: Revocation,
}

/// A broken rule of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The document signer is itself an anchor, or may sign certificates.
    SignerIsAuthority,
    /// The document signer may not sign data.
    SignerKeyUsage,
    /// The anchor may not sign certificates.
    AnchorNotAuthority,
    /// The anchor's key has a curve of its own, or one that is not allowed.
    AnchorCurve,
    /// The document signer was issued outside the anchor's validity.
    AnchorValidity,
    /// The document signer is not valid yet.
    SignerNotYetValid,
    /// The document signer's country is not the anchor's.
    Country,
    /// A critical extension that nobody here knows.
    CriticalExtension,
}

/// What is odd about a chain and not forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// The document signer has expired; it may have been valid when it signed.
    SignerExpired,
    /// The anchor has expired since.
    AnchorExpired,
    /// The document signer lacks extensions that Doc 9303-12 requires.
    SignerProfile,
    /// A weak hash or key in the chain.
    Weak,
}

/// What revocation lists say about a document signer, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revocation {
    /// Not on the current list.
    Fresh,
    /// Not on a list that should have been replaced by now.
    Stale,
    /// No list of its issuer is here.
    Unknown,
    /// On a list.
    Revoked,
}

impl Trust {
    /// Loads every certificate and revocation list of a folder (`.pem .crt .cer .der .crl`; PEM may hold several).
    /// Other files are passed over, so that a note on provenance can lie beside.
    ///
    /// # Errors
    /// `CHIP-010` where the folder or a file cannot be read, `CHIP-011` for a file that is neither.
    pub fn load(folder: &Path) -> Outcome<Self> {
        let unreadable = |place: &Path, error: &std::io::Error| {
            Fault::new(&ANCHORS_UNREADABLE).at(place.display()).detail(error.kind())
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
            let path = entry.map_err(|e| unreadable(folder, &e))?.path();
            let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
            if matches!(ending.as_deref(), Some("pem" | "crt" | "cer" | "der" | "crl")) {
                paths.push(path);
            }
        }
        paths.sort();
        let mut trust = Trust::default();
        for path in paths {
            let size = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?.len();
            if size > LARGEST_FILE {
                return Err(Fault::new(&NOT_AN_ANCHOR)
                    .at(path.display())
                    .detail(format_args!("{size} bytes")));
            }
            let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            trust.add_file(&name, &bytes).map_err(|fault| fault.at(path.display()))?;
        }
        Ok(trust)
    }

    /// Adds one file's certificates or its revocation list.
    ///
    /// # Errors
    /// `CHIP-011` where it holds neither.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let pem = bytes.windows(11).any(|w| w == b"-----BEGIN ");
        let list = if pem { X509Crl::from_pem(bytes) } else { X509Crl::from_der(bytes) };
        if let Ok(list) = list {
            return self.add_crl(list);
        }
        let certificates =
            if pem { X509::stack_from_pem(bytes) } else { X509::from_der(bytes).map(|c| vec![c]) };
        let certificates = certificates.unwrap_or_default();
        if certificates.is_empty() {
            return Err(Fault::new(&NOT_AN_ANCHOR));
        }
        certificates.into_iter().try_for_each(|certificate| self.add_anchor(name, certificate))
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// True where nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The anchor that signed this document signer, and what policy says about the two. All candidates are tried;
    /// where several signed it, the one with the fewest broken rules is taken, so that the order of files is of no
    /// consequence. `None` where no anchor signed it.
    pub fn chain(&self, signer: &X509Ref, now: jiff::Timestamp, curves: &[String]) -> Option<Chain<'_>> {
        let parts = Parts::of(signer).ok()?;
        let named = name_key(&parts.issuer).ok().and_then(|name| self.by_name.get(&name));
        let keyed = parts.authority_key_id().and_then(|id| self.by_key.get(id));
        let mut candidates: Vec<usize> = named.into_iter().chain(keyed).flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|index| self.anchors.get(index))
            .filter(|anchor| signer.verify(&anchor.key).unwrap_or(false))
            .map(|anchor| {
                let (broken, odd) = judge(anchor, signer, &parts, now, curves);
                Chain { anchor, broken, odd, revocation: self.revocation(anchor, signer, &parts, now) }
            })
            .min_by_key(|chain| (chain.broken.len(), chain.anchor.sha256))
    }

    /// True where this very certificate is an anchor.
    pub fn holds(&self, certificate: &X509Ref) -> bool {
        certificate.to_der().is_ok_and(|bytes| {
            let sha256 = Sha256::of(&bytes);
            self.anchors.iter().any(|a| a.sha256 == sha256)
        })
    }

    fn add_anchor(&mut self, file: &str, certificate: X509) -> Outcome<()> {
        let refused = || Fault::new(&NOT_AN_ANCHOR);
        let parts = Parts::of(&certificate).map_err(|e| refused().detail(e))?;
        let name = name_key(&parts.subject).map_err(|e| refused().detail(e))?;
        let key = certificate.public_key().map_err(|_| refused().detail("its key cannot be read"))?;
        let facts = KeyFacts::of_key(&key, parts.explicit_curve());
        let sha256 = Sha256::of(&certificate.to_der().map_err(|_| refused())?);
        if self.anchors.iter().any(|a| a.sha256 == sha256) {
            return Ok(());
        }
        let index = self.anchors.len();
        self.by_name.entry(name.clone()).or_default().push(index);
        if let Some(id) = parts.subject_key_id() {
            self.by_key.entry(id.to_vec()).or_default().push(index);
        }
        self.anchors.push(Anchor { file: file.to_owned(), sha256, certificate, key, facts, parts, name });
        Ok(())
    }

    fn add_crl(&mut self, list: X509Crl) -> Outcome<()> {
        let issuer = list.issuer_name().to_der().map_err(|_| Fault::new(&NOT_AN_ANCHOR))?;
        let issuer = name_key(&issuer).map_err(|e| Fault::new(&NOT_AN_ANCHOR).detail(e))?;
        self.crls.push(Crl { list, issuer });
        Ok(())
    }

    /// Only lists that the anchor itself signed count.
    fn revocation(
        &self,
        anchor: &Anchor,
        signer: &X509Ref,
        parts: &Parts,
        now: jiff::Timestamp,
    ) -> Revocation {
        let issuer = name_key(&parts.issuer).unwrap_or_default();
        let mut found = Revocation::Unknown;
        for crl in self.crls.iter().filter(|c| c.issuer == issuer || c.issuer == anchor.name) {
            if !crl.list.verify(&anchor.key).unwrap_or(false) {
                continue;
            }
            if matches!(crl.list.get_by_serial(signer.serial_number()), CrlStatus::Revoked(_)) {
                return Revocation::Revoked;
            }
            let current = after(now, crl.list.last_update())
                && crl.list.next_update().is_some_and(|next| !after(now, next));
            found = match (found, current) {
                (_, true) | (Revocation::Fresh, _) => Revocation::Fresh,
                _ => Revocation::Stale,
            };
        }
        found
    }
}

impl Anchor {
    /// The country in its subject.
    pub fn country(&self) -> Option<String> {
        crate::cms::certificate::name_part(&self.parts.subject, COUNTRY)
    }
}

fn judge(
    anchor: &Anchor,
    signer: &X509Ref,
    parts: &Parts,
    now: jiff::Timestamp,
    curves: &[String],
) -> (Vec<Broken>, Vec<Odd>) {
    let (mut broken, mut odd) = (Vec::new(), Vec::new());
    let same = signer.to_der().is_ok_and(|der| Sha256::of(&der) == anchor.sha256);
    if same || is_authority(parts) {
        broken.push(Broken::SignerIsAuthority);
    }
    match usage_bit(parts, DIGITAL_SIGNATURE) {
        Some(false) => broken.push(Broken::SignerKeyUsage),
        None => odd.push(Odd::SignerProfile),
        Some(true) if parts.authority_key_id().is_none() => odd.push(Odd::SignerProfile),
        Some(true) => {}
    }
    if !is_authority(&anchor.parts) || usage_bit(&anchor.parts, KEY_CERT_SIGN) == Some(false) {
        broken.push(Broken::AnchorNotAuthority);
    }
    if !curve_allowed(&anchor.facts, curves) {
        broken.push(Broken::AnchorCurve);
    }
    let (from, to) = (anchor.certificate.not_before(), anchor.certificate.not_after());
    if signer.not_before() < from || signer.not_before() > to {
        broken.push(Broken::AnchorValidity);
    }
    if !after(now, signer.not_before()) {
        broken.push(Broken::SignerNotYetValid);
    }
    if after(now, signer.not_after()) {
        odd.push(Odd::SignerExpired);
    }
    if after(now, to) {
        odd.push(Odd::AnchorExpired);
    }
    let country =
        |name: &[u8]| crate::cms::certificate::name_part(name, COUNTRY).map(|c| c.to_ascii_uppercase());
    let (ours, theirs) = (country(&anchor.parts.subject), country(&parts.subject));
    if theirs.is_some() && theirs != ours {
        broken.push(Broken::Country);
    }
    if parts.extensions.iter().any(|e| e.critical && !KNOWN_EXTENSIONS.contains(&e.oid.as_str())) {
        broken.push(Broken::CriticalExtension);
    }
    let weak_hash = |p: &Parts| p.signature_alg.is_none_or(|a| a.hash().is_weak());
    if weak_hash(parts) || anchor.facts.is_weak() {
        odd.push(Odd::Weak);
    }
    (broken, odd)
}

/// A key on a curve that is named, or whose written-out parameters are exactly those of an allowed one.
pub(crate) fn curve_allowed(facts: &KeyFacts, curves: &[String]) -> bool {
    match facts {
        KeyFacts::Rsa { .. } => true,
        KeyFacts::Ec { curve: Some(curve), .. } => curves.iter().any(|c| c == curve),
        KeyFacts::Ec { curve: None, .. } | KeyFacts::Other => false,
    }
}

fn is_authority(parts: &Parts) -> bool {
    let read = || -> Option<bool> {
        let mut fields = der::only(&parts.extension("2.5.29.19")?.value, 0x30).ok()?.reader();
        Some(fields.optional(0x01).ok()?.is_some_and(|flag| flag.content != [0]))
    };
    read().unwrap_or(false)
}

/// A bit of keyUsage; `None` without the extension.
fn usage_bit(parts: &Parts, bit: u8) -> Option<bool> {
    let extension = parts.extension("2.5.29.15")?;
    let bits = der::only(&extension.value, 0x03).ok().and_then(|t| t.content.get(1).copied());
    Some(bits.is_some_and(|bits| bits & (0x80 >> bit) != 0))
}

/// `now` is at or after that time; a time that cannot be compared is never reached.
fn after(now: jiff::Timestamp, time: &Asn1TimeRef) -> bool {
    Asn1Time::from_unix(now.as_second()).is_ok_and(|now| *time <= now)
}

const COUNTRY: &str = "2.5.4.6";
const DIGITAL_SIGNATURE: u8 = 0;
const KEY_CERT_SIGN: u8 = 5;
/// keyUsage, basicConstraints, extendedKeyUsage, certificatePolicies, key identifiers, alternative names,
/// distribution points, privateKeyUsagePeriod, documentType.
const KNOWN_EXTENSIONS: [&str; 11] = [
    "2.5.29.15",
    "2.5.29.19",
    "2.5.29.37",
    "2.5.29.32",
    "2.5.29.14",
    "2.5.29.35",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.31",
    "2.5.29.16",
    "2.23.136.1.1.6.2",
];
/// The largest published revocation lists of this kind have some hundred kilobytes.
const LARGEST_FILE: u64 = 16 << 20;

/// The folder or one of its files cannot be read.
pub const ANCHORS_UNREADABLE: Code = Code {
    id: "CHIP-010",
    class: Class::Setup,
    vi: "Không đọc được thư mục chứng thư gốc cấp thẻ",
    en: "the folder of card authorities cannot be read",
    remedy_vi: "Kiểm tra đường dẫn và quyền đọc",
    remedy_en: "check the path and the permission to read it",
};

/// A file is neither certificate nor revocation list.
pub const NOT_AN_ANCHOR: Code = Code {
    id: "CHIP-011",
    class: Class::Setup,
    vi: "Tệp không phải là chứng thư gốc hoặc danh sách thu hồi",
    en: "the file is neither a certificate nor a revocation list",
    remedy_vi: "Bỏ tệp này ra khỏi thư mục, hoặc thay bằng tệp PEM hay DER đúng",
    remedy_en: "remove it from the folder, or replace it by the right PEM or DER file",
};
