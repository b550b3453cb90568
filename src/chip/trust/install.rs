//! A master list made part of a folder of anchors: verified, indexed, and put in place of the last one of its
//! publisher in one step, so that a crash leaves the old or the new.
//!
//! The publisher is a country (or ICAO, `UN`), whatever its authority is called at the time: Germany's has had three
//! names, and a list under the next one must not leave the last list in force, nor let an older one in.
//!
//! In the folder stand `ml-<country>.anchors`, which is loaded, and beside it the list as received (`.ml`), which is
//! kept for whoever wants to verify it once more.

use super::bundle::{self, Provenance, Refused};
use super::{Anchor, BUNDLE_DAMAGED, Revocation, Trust, may_sign_certificates};
use crate::chip::master_list::{self, LIST_SIGNER, MasterList};
use crate::cms::certificate::{Parts, name_part};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// The ending of an imported list's file.
pub const ENDING: &str = "anchors";

/// What an import did.
#[derive(Debug)]
pub struct Installed {
    /// Where the list came from.
    pub provenance: Provenance,
    /// The file that it became.
    pub file: String,
    /// Its countries, upper case.
    pub countries: BTreeSet<String>,
    /// Certificates that the last list of this publisher did not have.
    pub added: Vec<Listed>,
    /// Certificates that only the last list of this publisher had.
    pub removed: Vec<Listed>,
    /// When the last list of this publisher was signed.
    pub replaced: Option<jiff::Timestamp>,
    /// This very list was there already.
    pub unchanged: bool,
}

/// A certificate of a list, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// SHA-256 of its DER.
    pub sha256: Sha256,
    /// Its country.
    pub country: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// Verifies a list under the pinned roots and installs it in the folder, which is made where it is missing.
///
/// # Errors
/// Those of [`master_list::verify`] and [`Trust::load`]; `CHIP-016` for a list that is older than the one installed,
/// `CHIP-017` where the folder cannot be written. The folder is unchanged.
pub fn install(
    folder: &Path,
    list: &[u8],
    roots: &[Anchor],
    now: jiff::Timestamp,
    curves: &[String],
    command: &str,
) -> Outcome<Installed> {
    let verified = master_list::verify(list, roots, now, curves)?;
    let failed = |e: std::io::Error| Fault::new(&NOT_INSTALLED).at(folder.display()).detail(e.kind());
    fs::create_dir_all(folder).map_err(failed)?;
    // Held until the end: two imports at once would each judge by a list that the other replaces.
    let lock = File::create(folder.join(".import.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let root = roots.iter().find(|root| root.sha256 == verified.root_sha256);
    let root = root.ok_or(Fault::new(&LIST_SIGNER))?;
    let trust = Trust::load(folder)?;
    if trust.revocation(root, &verified.signer, now) == Revocation::Revoked {
        return Err(Fault::new(&LIST_SIGNER).detail("its certificate is revoked"));
    }
    let (usable, refused) = sift(&verified);
    let stem = stem(root);
    let last = last(folder, &stem, &trust)?;
    // Under the name of the last one, so that one step takes its place.
    let file = last.as_ref().map_or_else(|| format!("{stem}.{ENDING}"), |last| last.file.clone());
    let mut provenance = Provenance {
        list_sha256: verified.sha256,
        signed_at: verified.signed_at,
        publisher: said(&root.parts),
        signer: said(&verified.signer),
        signer_sha256: verified.signer_sha256,
        root_sha256: verified.root_sha256,
        imported_at: now,
        command: command.to_owned(),
        certificates: usable.len(),
        refused,
        index_sha256: Sha256([0; 32]),
    };
    let mut unchanged = false;
    if let Some(Last { provenance: installed, .. }) = &last {
        unchanged = installed.list_sha256 == verified.sha256;
        if !unchanged && verified.signed_at <= installed.signed_at {
            let times = format_args!("signed {}, installed {}", verified.signed_at, installed.signed_at);
            return Err(Fault::new(&LIST_OLDER).detail(times));
        }
    }
    let kept = format!("{stem}-{}.ml", &verified.sha256.to_string()[..16]);
    // The list first: a bundle is never without the list it was made of.
    lay(folder, &kept, list).map_err(failed)?;
    if unchanged {
        provenance = last.as_ref().map_or(provenance, |last| last.provenance.clone());
    } else {
        let bytes = bundle::write(provenance.clone(), &usable).ok_or(Fault::new(&NOT_INSTALLED))?;
        lay(folder, &file, &bytes).map_err(failed)?;
    }
    forget(folder, &stem, &[&file, &kept], &verified.sha256).map_err(failed)?;
    let before = last.as_ref().map_or_else(BTreeMap::new, |last| last.listed.clone());
    let after: BTreeMap<Sha256, Listed> = usable.iter().map(|(a, _)| (a.sha256, listed(a))).collect();
    let only = |these: &BTreeMap<Sha256, Listed>, those: &BTreeMap<Sha256, Listed>| {
        these.values().filter(|one| !those.contains_key(&one.sha256)).cloned().collect()
    };
    Ok(Installed {
        provenance,
        file,
        countries: after.values().filter_map(|l| Some(l.country.as_ref()?.to_ascii_uppercase())).collect(),
        added: only(&after, &before),
        removed: only(&before, &after),
        replaced: last.map(|last| last.provenance.signed_at),
        unchanged,
    })
}

/// The certificates that can be anchors, each once, and those that cannot.
fn sift(list: &MasterList) -> (Vec<(Anchor, &[u8])>, Vec<Refused>) {
    let (mut usable, mut refused, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for bytes in &list.certificates {
        let sha256 = Sha256::of(bytes);
        if !seen.insert(sha256) {
            continue;
        }
        let why = match Anchor::read("", bytes) {
            Ok(anchor) if may_sign_certificates(&anchor.parts) => {
                usable.push((anchor, bytes.as_slice()));
                continue;
            }
            Ok(_) => "its extensions do not say that it may sign certificates".to_owned(),
            Err(error) => error.to_string(),
        };
        let parts = Parts::read(bytes).ok();
        let part = |oid| parts.as_ref().and_then(|p| name_part(&p.subject, oid));
        refused.push(Refused { sha256, country: part(super::COUNTRY), name: part(COMMON_NAME), why });
    }
    (usable, refused)
}

/// What is installed of the same publisher.
struct Last {
    file: String,
    provenance: Provenance,
    listed: BTreeMap<Sha256, Listed>,
}

/// The newest list of the same publisher, with the certificates of all of its lists: a folder of an earlier version may
/// hold one for each name that the publisher's authority has had.
fn last(folder: &Path, stem: &str, trust: &Trust) -> Outcome<Option<Last>> {
    let mut found: Option<Last> = None;
    for (file, provenance) in trust.imports().iter().filter(|(file, _)| is_of(file, stem)) {
        let mut listed = found.as_ref().map_or_else(BTreeMap::new, |last| last.listed.clone());
        listed.extend(certificates(&folder.join(file))?);
        match &mut found {
            Some(last) if last.provenance.signed_at >= provenance.signed_at => last.listed = listed,
            _ => found = Some(Last { file: file.clone(), provenance: provenance.clone(), listed }),
        }
    }
    Ok(found)
}

fn certificates(path: &Path) -> Outcome<BTreeMap<Sha256, Listed>> {
    let bytes = fs::read(path).map_err(|e| Fault::new(&NOT_INSTALLED).at(path.display()).detail(e.kind()))?;
    let damaged = |why| Fault::new(&BUNDLE_DAMAGED).at(path.display()).detail(why);
    let (_, rows) = bundle::read(bytes).map_err(damaged)?;
    let listed = rows.iter().map(|row| {
        let parts = Parts::read(&row.bytes.get()).ok();
        let part = |oid| parts.as_ref().and_then(|p| name_part(&p.subject, oid));
        (row.sha256, Listed { sha256: row.sha256, country: part(super::COUNTRY), name: part(COMMON_NAME) })
    });
    Ok(listed.collect())
}

fn listed(anchor: &Anchor) -> Listed {
    let part = |oid| name_part(&anchor.parts.subject, oid);
    Listed { sha256: anchor.sha256, country: part(super::COUNTRY), name: part(COMMON_NAME) }
}

/// A subject for people: country and name.
fn said(parts: &Parts) -> String {
    let part = |oid| name_part(&parts.subject, oid);
    let name = part(COMMON_NAME).or_else(|| part(ORGANISATION)).unwrap_or_else(|| "?".to_owned());
    part(super::COUNTRY).map_or(name.clone(), |country| format!("{country}, {name}"))
}

/// A file name that stays the same while a publisher changes its keys and its name.
fn stem(root: &Anchor) -> String {
    let country: String =
        root.country().unwrap_or_default().chars().filter(char::is_ascii_alphabetic).collect();
    if country.is_empty() {
        let mark = super::name_mark(&root.parts.subject).unwrap_or_default();
        return format!("ml--{}", hex::encode(&mark[..4]));
    }
    format!("ml-{}", country.to_ascii_lowercase())
}

/// An imported list of this publisher, by the names that are given here and by no other: `ml-de.anchors`, and
/// `ml-de-0123abcd.anchors` of earlier versions, which wrote the publisher's name as a mark behind the country.
fn is_of(file: &str, stem: &str) -> bool {
    let marks = file.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ENDING)?.strip_suffix('.'));
    marks.is_some_and(|mark| mark.is_empty() || mark.strip_prefix('-').is_some_and(|mark| is_hex(mark, 8)))
}

/// The beginning of the digest in the name of a list as received: `ml-de-<16 digits>.ml`, of earlier versions with the
/// mark before it.
fn digest_in<'a>(file: &'a str, stem: &str) -> Option<&'a str> {
    let marks = file.strip_prefix(stem)?.strip_suffix(".ml")?.strip_prefix('-')?;
    let digest = match marks.split_once('-') {
        Some((mark, digest)) if is_hex(mark, 8) => digest,
        Some(_) => return None,
        None => marks,
    };
    is_hex(digest, 16).then_some(digest)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whole and durable, or not at all.
fn lay(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let staged = folder.join(format!(".{name}.staged"));
    let mut file = File::create(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// Takes away what was installed of this publisher before, and nothing that was not written here: a bundle by its name
/// and format, a list by the digest in its name. `imported` may stand in the folder, and stays: it is what the command was
/// given. A list that stays is only room lost; a bundle that stays would still be trusted.
fn forget(folder: &Path, stem: &str, kept: &[&str], imported: &Sha256) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if kept.contains(&name.as_str()) {
            continue;
        }
        let path = folder.join(&name);
        if is_of(&name, stem) {
            if bundle::read(fs::read(&path)?).is_ok() {
                fs::remove_file(path)?;
            }
        } else if let Some(named) = digest_in(&name, stem) {
            let digest = fs::read(&path).map(|bytes| Sha256::of(&bytes));
            if digest.is_ok_and(|digest| digest != *imported && digest.to_string().starts_with(named)) {
                let _ = fs::remove_file(path);
            }
        }
    }
    Ok(())
}

const COMMON_NAME: &str = "2.5.4.3";
const ORGANISATION: &str = "2.5.4.10";

/// A list that is older than the one installed.
pub const LIST_OLDER: Code = Code {
    id: "CHIP-016",
    class: Class::Input,
    vi: "Danh sách chứng thư gốc không mới hơn danh sách đang dùng; không nhập gì",
    en: "the master list is not newer than the one installed; nothing was imported",
    remedy_vi: "Tải danh sách mới nhất từ cơ quan công bố",
    remedy_en: "fetch the newest list from its publisher",
};

/// The folder of anchors cannot be written.
pub const NOT_INSTALLED: Code = Code {
    id: "CHIP-017",
    class: Class::Setup,
    vi: "Không ghi được vào thư mục chứng thư gốc; danh sách cũ vẫn còn nguyên",
    en: "the folder of card authorities cannot be written; what was there is unchanged",
    remedy_vi: "Kiểm tra quyền ghi và dung lượng trống",
    remedy_en: "check the permission to write and the free space",
};

#[cfg(test)]
mod tests;
