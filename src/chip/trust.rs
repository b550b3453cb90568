//! Whom this station trusts to issue cards: country signing authorities (CSCA) and their revocation lists, as files
//! in a folder that the station's keeper fills. None are shipped.
//!
//! Single certificates and lists are laid into it by hand; a master list is imported ([`install`]) and becomes one file
//! with an index, of which a start reads only the certificates that a chain asks for.
//!
//! OpenSSL checks one signature at a time; the policy of the chain is here, because its own chain building refuses the
//! curve parameters that half of all issuers write out (openssl #25461).

mod anchor;
mod bundle;
mod crl;
pub mod install;
mod pem;
mod revocation;
mod rules;

pub use anchor::{Anchor, Unfit};
pub use bundle::{Provenance, Refused};
pub use revocation::Revocation;
pub use rules::{Broken, Odd};
pub(crate) use rules::{
    COUNTRY, curve_allowed, is_authority, may_sign_certificates, may_sign_data, purposes, unknown_extension,
};

use crate::cms::certificate::{Parts, Signed};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use anchor::{Mark, mark, name_mark};
use bundle::{Row, Slice};
use crl::Crl;
use openssl::x509::X509Ref;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A folder of anchors, indexed.
#[derive(Default)]
pub struct Trust {
    entries: Vec<Entry>,
    crls: Vec<Crl>,
    imports: Vec<(String, Provenance)>,
    by_digest: HashMap<Sha256, usize>,
    by_name: HashMap<Mark, Vec<usize>>,
    by_key_id: HashMap<Mark, Vec<usize>>,
}

/// A certificate that is trusted, read when it is first asked for.
struct Entry {
    file: Arc<str>,
    row: Row,
    anchor: OnceLock<Option<Box<Anchor>>>,
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

impl Trust {
    /// Loads a folder: certificates and revocation lists (`.pem .crt .cer .der .crl`; PEM may hold several) and imported
    /// lists (`.anchors`). Other files are passed over, so that a note on provenance can lie beside.
    ///
    /// # Errors
    /// `CHIP-010` where the folder or a file cannot be read, `CHIP-011` for a file that is neither, `CHIP-012` for an
    /// imported list that is damaged.
    pub fn load(folder: &Path) -> Outcome<Self> {
        let mut trust = Trust::default();
        for (name, path) in files(folder, &["pem", "crt", "cer", "der", "crl", install::ENDING])? {
            let added = if name.ends_with(install::ENDING) {
                trust.open_import(&name, &path)
            } else {
                whole(&path).and_then(|bytes| trust.add_file(&name, &bytes))
            };
            added.map_err(|fault| fault.at(path.display()))?;
        }
        Ok(trust)
    }

    /// Adds the revocation lists of another folder (`.crl .pem .der`). Certificates that lie beside a list are passed
    /// over: a folder of revocation lists makes nobody trusted.
    ///
    /// # Errors
    /// `CHIP-010`, `CHIP-011`, and `CHIP-034` for a file without any list or a folder of other files.
    pub fn add_lists(&mut self, folder: &Path) -> Outcome<()> {
        let before = self.crls.len();
        for (_, path) in files(folder, &["crl", "pem", "der"])? {
            let (_, lists) = sort(&whole(&path)?).map_err(|fault| fault.at(path.display()))?;
            if lists.is_empty() {
                return Err(Fault::new(&NOT_A_LIST).at(path.display()));
            }
            self.crls.extend(lists);
        }
        // Whoever lays files there relies on them: that none was read must not look like that nobody is revoked. An empty
        // folder says of itself that nothing is known.
        let is_empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if self.crls.len() == before && !is_empty {
            return Err(Fault::new(&NOT_A_LIST).at(folder.display()).detail("no .crl, .pem or .der in it"));
        }
        Ok(())
    }

    /// Adds one file's certificates and revocation lists.
    ///
    /// # Errors
    /// `CHIP-011` where it holds neither, or a certificate that can be nobody's anchor.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let (certificates, lists) = sort(bytes)?;
        let file: Arc<str> = name.into();
        for der in certificates {
            let anchor = Anchor::read(name, &der).map_err(|e| Fault::new(&NOT_AN_ANCHOR).detail(e))?;
            let row = Row::of(&anchor, Slice::of(der)).ok_or(Fault::new(&NOT_AN_ANCHOR))?;
            self.add(Entry { file: Arc::clone(&file), row, anchor: OnceLock::from(Some(Box::new(anchor))) });
        }
        self.crls.extend(lists);
        Ok(())
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True where nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every anchor, in no order; reads all of them. `None` for one whose bytes are not those that its index tells of.
    pub fn anchors(&self) -> impl Iterator<Item = Option<&Anchor>> {
        self.entries.iter().map(Entry::anchor)
    }

    /// The same, taken out.
    pub fn into_anchors(self) -> impl Iterator<Item = Anchor> {
        self.entries.into_iter().filter_map(|entry| {
            entry.anchor();
            entry.anchor.into_inner().flatten().map(|anchor| *anchor)
        })
    }

    /// The imported lists: name of the file, and where it came from.
    pub fn imports(&self) -> &[(String, Provenance)] {
        &self.imports
    }

    /// How many revocation lists there are.
    pub fn revocation_lists(&self) -> usize {
        self.crls.len()
    }

    /// The anchor that signed this document signer, and what policy says about the two. All candidates count; where
    /// several signed it (link certificates), the one with the fewest broken rules is taken, so that the order of
    /// files is of no consequence. `None` where no anchor signed it.
    pub fn chain(&self, signer: &X509Ref, now: jiff::Timestamp, curves: &[String]) -> Option<Chain<'_>> {
        let bytes = signer.to_der().ok()?;
        let (parts, signed) = (Parts::read(&bytes).ok()?, Signed::read(&bytes).ok()?);
        let key_id = parts.authority_key_id().map(mark);
        let issuer = name_mark(&parts.issuer)?;
        let issuers = self.issuers(issuer, key_id, |anchor| signed.holds(&anchor.key));
        let judged = issuers.iter().map(|anchor| (*anchor, rules::judge(anchor, &parts, now, curves)));
        let best = judged.min_by_key(|(anchor, (broken, odd))| (broken.len(), odd.len(), anchor.sha256));
        let (anchor, (mut broken, odd)) = best?;
        let lists = self.lists_of(issuer, anchor);
        let revocation = lists.about(&parts, now);
        // One key is good or it is not, whichever certificate carries it.
        let keys: BTreeSet<Mark> = issuers.iter().map(|anchor| mark(&anchor.parts.spki)).collect();
        let carriers = self.entries.iter().filter(|entry| keys.contains(&entry.row.key));
        if carriers.filter_map(Entry::anchor).any(|carrier| lists.revoke(&carrier.parts)) {
            broken.push(Broken::AnchorRevoked);
        }
        Some(Chain { anchor, broken, odd, revocation })
    }

    /// What the lists of an authority, which need not be in the folder, say about something it issued.
    pub fn revocation(&self, authority: &Anchor, issued: &Parts, now: jiff::Timestamp) -> Revocation {
        let lists = name_mark(&issued.issuer).map(|issuer| self.lists_of(issuer, authority));
        lists.map_or(Revocation::Unknown, |lists| lists.about(issued, now))
    }

    /// True where this very certificate is an anchor.
    pub fn holds(&self, certificate: &X509Ref) -> bool {
        certificate.to_der().is_ok_and(|bytes| self.by_digest.contains_key(&Sha256::of(&bytes)))
    }

    /// Adds an imported list's file.
    ///
    /// # Errors
    /// `CHIP-012` where it is not as it was written.
    pub fn add_import(&mut self, name: &str, bytes: Vec<u8>) -> Outcome<()> {
        self.take_import(name, bundle::read(bytes))
    }

    fn open_import(&mut self, name: &str, path: &Path) -> Outcome<()> {
        let size = size_of(path)?;
        let file = std::fs::File::open(path).map_err(|e| unreadable(path, &e))?;
        self.take_import(name, bundle::open(file, size))
    }

    fn take_import(&mut self, name: &str, read: Result<(Provenance, Vec<Row>), &'static str>) -> Outcome<()> {
        let (provenance, rows) = read.map_err(|why| Fault::new(&BUNDLE_DAMAGED).detail(why))?;
        let file: Arc<str> = name.into();
        self.entries.reserve(rows.len());
        self.by_digest.reserve(rows.len());
        self.by_name.reserve(rows.len());
        self.by_key_id.reserve(rows.len());
        for row in rows {
            self.add(Entry { file: Arc::clone(&file), row, anchor: OnceLock::new() });
        }
        self.imports.push((name.to_owned(), provenance));
        Ok(())
    }

    /// A certificate that is there already stays as it was: which file told of it first is of no consequence.
    fn add(&mut self, entry: Entry) {
        let index = self.entries.len();
        if self.by_digest.contains_key(&entry.row.sha256) {
            return;
        }
        self.by_digest.insert(entry.row.sha256, index);
        self.by_name.entry(entry.row.name).or_default().push(index);
        if entry.row.key_id != Mark::default() {
            self.by_key_id.entry(entry.row.key_id).or_default().push(index);
        }
        self.entries.push(entry);
    }

    /// Every anchor with a key that something was signed with: first those that the signed thing names by key, then all
    /// of the issuer's name. One key is tried once, however many certificates carry it.
    fn issuers(&self, name: Mark, key_id: Option<Mark>, signed: impl Fn(&Anchor) -> bool) -> Vec<&Anchor> {
        let named = self.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        let keyed = key_id.and_then(|id| self.by_key_id.get(&id)).map_or(&[][..], Vec::as_slice);
        let all: BTreeSet<usize> = named.iter().chain(keyed).copied().collect();
        let mut tried = BTreeSet::new();
        for group in [keyed, named] {
            let mut found = BTreeSet::new();
            for entry in group.iter().filter_map(|index| self.entries.get(*index)) {
                if !tried.contains(&entry.row.key)
                    && let Some(anchor) = entry.anchor()
                {
                    tried.insert(entry.row.key);
                    if signed(anchor) {
                        found.insert(entry.row.key);
                    }
                }
            }
            if !found.is_empty() {
                let entries = all.iter().filter_map(|index| self.entries.get(*index));
                return entries.filter(|e| found.contains(&e.row.key)).filter_map(Entry::anchor).collect();
            }
        }
        Vec::new()
    }
}

impl Entry {
    fn anchor(&self) -> Option<&Anchor> {
        self.anchor.get_or_init(|| self.row.read(&self.file).map(Box::new)).as_deref()
    }
}

/// The files of a folder with these endings, name and path, in name order.
fn files(folder: &Path, endings: &[&str]) -> Outcome<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
        let path = entry.map_err(|e| unreadable(folder, &e))?.path();
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if ending.is_some_and(|ending| endings.contains(&ending.as_str())) {
            found.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

fn whole(path: &Path) -> Outcome<Vec<u8>> {
    size_of(path)?;
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

/// Refuses what is too large before memory is taken for it.
fn size_of(path: &Path) -> Outcome<usize> {
    let size = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?.len();
    match usize::try_from(size) {
        Ok(fits) if size <= LARGEST_FILE => Ok(fits),
        _ => Err(Fault::new(&NOT_AN_ANCHOR).at(path.display()).detail(format_args!("{size} bytes"))),
    }
}

fn unreadable(place: &Path, error: &std::io::Error) -> Fault {
    Fault::new(&ANCHORS_UNREADABLE).at(place.display()).detail(error.kind())
}

/// The certificates (DER) and revocation lists in a file's bytes.
fn sort(bytes: &[u8]) -> Outcome<(Vec<Vec<u8>>, Vec<Crl>)> {
    let refused = |detail: &str| Fault::new(&NOT_AN_ANCHOR).detail(detail);
    let (mut certificates, mut lists) = (Vec::new(), Vec::new());
    if pem::is_pem(bytes) {
        for (label, der) in pem::blocks(bytes).ok_or_else(|| refused("not PEM"))? {
            match label.as_str() {
                "CERTIFICATE" | "X509 CERTIFICATE" => certificates.push(der),
                "X509 CRL" => lists.push(Crl::read(&der).map_err(|e| refused(&e.to_string()))?),
                _ => {}
            }
        }
    } else if let Ok(list) = Crl::read(bytes) {
        lists.push(list);
    } else {
        certificates.push(bytes.to_vec());
    }
    if certificates.is_empty() && lists.is_empty() {
        return Err(Fault::new(&NOT_AN_ANCHOR));
    }
    Ok((certificates, lists))
}

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

/// An imported list is not as it was written.
pub const BUNDLE_DAMAGED: Code = Code {
    id: "CHIP-012",
    class: Class::Setup,
    vi: "Tệp chứng thư gốc đã nhập bị hỏng",
    en: "the file of imported authorities is damaged",
    remedy_vi: "Xóa tệp này rồi nhập lại danh sách bằng hoso identity anchors import",
    remedy_en: "remove it and import the list again with hoso identity anchors import",
};

/// A file of the folder of revocation lists is none.
pub const NOT_A_LIST: Code = Code {
    id: "CHIP-034",
    class: Class::Setup,
    vi: "Thư mục --crl có tệp nhưng không có danh sách thu hồi, hoặc có tệp không phải danh sách thu hồi",
    en: "the --crl folder holds files and no revocation list, or a file that is none",
    remedy_vi: "Đặt danh sách thu hồi (.crl, PEM hoặc DER) vào thư mục, bỏ tệp khác ra; LDIF của ICAO PKD phải tách từng danh sách trước; chứng thư gốc đặt trong --anchors",
    remedy_en: "put revocation lists (.crl, PEM or DER) into it and remove what is none; take the lists out of an LDIF of the ICAO PKD first; certificates of authorities belong into --anchors",
};

#[cfg(test)]
pub(in crate::chip) mod tests;
