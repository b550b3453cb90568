//! What others said about a head: the time stamp token (`N.tst`, CMS, DER) and the note with its witnesses' cosignatures
//! (`N.note`), below `anchors/` by the size of the tree in groups of three digits, so that the first one at or after a size
//! is found without a list.

use super::io_fault;
use crate::digest::Sha256;
use crate::fault::Outcome;
use openssl::x509::X509;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

const FOLDER_NAME: &str = "anchors";
const AUTHORITIES: &str = "authorities";
const TOKEN: &str = "tst";
const NOTE: &str = "note";

/// Keeps a token for the head of `size` leaves; the first one counts.
///
/// # Errors
/// [`super::FOLDER`].
pub(super) fn keep_token(folder: &Path, size: u64, token: &[u8]) -> Outcome<()> {
    if token_of(folder, size)?.is_some() {
        return Ok(());
    }
    write(&path(folder, size, TOKEN), token)
}

/// Keeps the head of `size` leaves with its cosignatures.
///
/// # Errors
/// [`super::FOLDER`].
pub(super) fn keep_note(folder: &Path, size: u64, note: &str) -> Outcome<()> {
    write(&path(folder, size, NOTE), note.as_bytes())
}

pub(crate) fn token_of(folder: &Path, size: u64) -> Outcome<Option<Vec<u8>>> {
    read(&path(folder, size, TOKEN))
}

pub(crate) fn note_of(folder: &Path, size: u64) -> Outcome<Option<String>> {
    Ok(read(&path(folder, size, NOTE))?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Keeps certificates of authorities, so that tokens can be handed out without them: `authorities/<SHA-256>.pem`.
pub(super) fn keep_certificates(folder: &Path, certificates: &[X509]) -> Outcome<()> {
    for certificate in certificates {
        let (Ok(pem), Ok(der)) = (certificate.to_pem(), certificate.to_der()) else { continue };
        let path = folder.join(AUTHORITIES).join(format!("{}.pem", Sha256::of(&der)));
        if !path.exists() {
            write(&path, &pem)?;
        }
    }
    Ok(())
}

/// The certificates that are kept of authorities; nothing is trusted because it lies there.
///
/// # Errors
/// [`super::FOLDER`].
pub fn certificates(folder: &Path) -> Outcome<Vec<X509>> {
    let fault = |e: std::io::Error| io_fault(&e, AUTHORITIES);
    let entries = match fs::read_dir(folder.join(AUTHORITIES)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fault(e)),
    };
    let mut certificates = Vec::new();
    for entry in entries {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|e| e == "pem") {
            let pem = fs::read(path).map_err(fault)?;
            certificates.extend(X509::stack_from_pem(&pem).unwrap_or_default());
        }
    }
    Ok(certificates)
}

/// The smallest size not below `least` for which something of this kind is kept.
pub(super) fn first_token(folder: &Path, least: u64) -> Outcome<Option<u64>> {
    search(&folder.join(FOLDER_NAME), least, 3, Some(TOKEN), 0)
}

/// As [`first_token`], of notes.
pub(super) fn first_note(folder: &Path, least: u64) -> Outcome<Option<u64>> {
    search(&folder.join(FOLDER_NAME), least, 3, Some(NOTE), 0)
}

/// Every size for which something is kept, in order.
pub(crate) fn sizes(folder: &Path) -> Outcome<Vec<u64>> {
    let (mut sizes, mut least) = (Vec::new(), 0);
    while let Some(size) = search(&folder.join(FOLDER_NAME), least, 3, None, 0)? {
        sizes.push(size);
        least = size + 1;
    }
    Ok(sizes)
}

/// The names below one group that are numbers, in order; those above `least` are searched from their beginning.
fn search(folder: &Path, least: u64, group: u32, kind: Option<&str>, before: u64) -> Outcome<Option<u64>> {
    let fault = |e: std::io::Error| io_fault(&e, FOLDER_NAME);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(e)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let path = entry.map_err(fault)?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        let fits = if group == 0 {
            kind.map_or(matches!(extension, Some(TOKEN | NOTE)), |k| extension == Some(k))
        } else {
            extension.is_none()
        };
        let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u64>().ok());
        numbers.extend(number.filter(|_| fits));
    }
    numbers.sort_unstable();
    let width = 1000u64.pow(group);
    for number in numbers {
        let at = before + number * width;
        if at + (width - 1) < least {
            continue;
        }
        if group == 0 {
            return Ok(Some(at));
        }
        let below = folder.join(format!("{number:03}"));
        if let Some(found) = search(&below, least, group - 1, kind, at)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn path(folder: &Path, size: u64, kind: &str) -> PathBuf {
    let group = |n: u32| size / 1000u64.pow(n) % 1000;
    folder.join(FOLDER_NAME).join(format!(
        "{:03}/{:03}/{:03}/{:03}.{kind}",
        group(3),
        group(2),
        group(1),
        group(0)
    ))
}

fn read(path: &Path) -> Outcome<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_fault(&e, FOLDER_NAME)),
    }
}

fn write(target: &Path, bytes: &[u8]) -> Outcome<()> {
    let write = || {
        let parent = target.parent().unwrap_or(target);
        fs::create_dir_all(parent)?;
        let temporary = target.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(bytes).and_then(|()| file.sync_data())?;
        fs::rename(&temporary, target)?;
        File::open(parent)?.sync_all()
    };
    write().map_err(|e: std::io::Error| io_fault(&e, FOLDER_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_anchor_at_or_after_a_size_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let kept = [1, 7, 999, 1000, 1_000_001, 4_000_000_000];
        assert_eq!(first_token(folder.path(), 0).unwrap(), None);
        for size in kept {
            keep_token(folder.path(), size, b"token").unwrap();
            keep_token(folder.path(), size, b"another").unwrap();
        }
        keep_note(folder.path(), 50, "note").unwrap();
        for least in [0, 1, 2, 8, 999, 1000, 1001, 1_000_001, 1_000_002, 4_000_000_000, 4_000_000_001] {
            let expected = kept.into_iter().find(|size| *size >= least);
            assert_eq!(first_token(folder.path(), least).unwrap(), expected, "{least}");
        }
        assert_eq!(token_of(folder.path(), 7).unwrap().as_deref(), Some(&b"token"[..]));
        assert_eq!(first_note(folder.path(), 8).unwrap(), Some(50));
        assert_eq!(sizes(folder.path()).unwrap(), [1, 7, 50, 999, 1000, 1_000_001, 4_000_000_000]);
    }
}
