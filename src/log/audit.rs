//! A whole log from one end to the other: tiles and entries under the signed head, every kept head signed and on the way to
//! it, every kept time stamp over the head that it belongs to; of the log's own folder also the leaves and statements.

use super::copy::LogCopy;
use super::mark::Mark;
use super::note::{Checkpoint, KeyKind, Note, VerifierKey};
use super::statement::Statement;
use super::store::{FORKED, ROLLED_BACK, anchored_sizes, history, note_of, token_of};
use super::tree::Hash;
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::seal::timestamp::check_token;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

/// What was found in a sound log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Its name.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them, hexadecimal.
    pub root: String,
    /// How many kept heads were found to lie on the way, the newest one with them.
    pub heads: u64,
    /// How many kept time stamps are over a head of this log.
    pub stamps: u64,
    /// Of a log's own folder: how many leaves have no statement, so that no receipt can be made for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<u64>,
    /// What was not looked at.
    pub not_checked: Vec<&'static str>,
}

/// Judges the log or copy in a folder.
///
/// # Errors
/// Those of [`LogCopy::open`] and [`LogCopy::verify`]; [`FORKED`] where two heads or the leaves contradict each other or a
/// stamp is over something else; [`ROLLED_BACK`] where a larger head than the shown one was signed.
pub fn audit(folder: &Path, keys: &[VerifierKey]) -> Outcome<Audit> {
    // A log that is written to meanwhile may have signed on after its checkpoint was read: then it is read again.
    for _ in 0..AGAIN {
        match once(folder, keys) {
            Err(fault) if fault.code == &ROLLED_BACK => std::thread::sleep(PAUSE),
            judged => return judged,
        }
    }
    once(folder, keys)
}

fn once(folder: &Path, keys: &[VerifierKey]) -> Outcome<Audit> {
    let copy = LogCopy::open(folder, keys)?;
    let head = copy.head().clone();
    let mut not_checked = Vec::new();
    let key = keys.iter().find(|k| k.kind() == KeyKind::Log && k.name() == head.origin);
    // Root by size of every head that was signed.
    let mut signed: BTreeMap<u64, Hash> = BTreeMap::new();
    if let Some(key) = key {
        history::all(folder, key, |kept| enter(&mut signed, &kept.checkpoint))?;
    }
    if signed.is_empty() {
        not_checked.push(NO_HISTORY);
    }
    enter(&mut signed, &head)?;
    if signed.last_key_value().is_some_and(|(size, _)| *size > head.size) {
        return Err(Fault::new(&ROLLED_BACK).detail("the history goes on after the checkpoint"));
    }
    let stamps = stamps(folder, &head, keys, &mut signed)?;
    if signed.last_key_value().is_some_and(|(size, _)| *size > head.size) {
        return Err(Fault::new(&ROLLED_BACK).detail("a larger head was confirmed"));
    }
    let sizes: Vec<u64> = signed.keys().copied().collect();
    copy.verify(&sizes, |size, root| {
        if signed.get(&size) == Some(&root) {
            return Ok(());
        }
        Err(Fault::new(&FORKED).detail(format!("at {size} leaves")))
    })?;
    let private = if folder.join("leaves").exists() { Some(own(folder, &copy)?) } else { None };
    if stamps > 0 {
        not_checked.push(NO_TRUST);
    }
    not_checked.push(NO_SPLIT);
    let (origin, size, root) = (head.origin, head.size, hex::encode(head.root));
    Ok(Audit { origin, size, root, heads: sizes.len() as u64, stamps, private, not_checked })
}

fn enter(signed: &mut BTreeMap<u64, Hash>, head: &Checkpoint) -> Outcome<()> {
    match signed.insert(head.size, head.root) {
        Some(other) if other != head.root => {
            Err(Fault::new(&FORKED).detail(format!("two heads of {} leaves", head.size)))
        }
        _ => Ok(()),
    }
}

/// Every kept note is signed and every kept token over the head of its size; how many tokens.
fn stamps(
    folder: &Path,
    head: &Checkpoint,
    keys: &[VerifierKey],
    signed: &mut BTreeMap<u64, Hash>,
) -> Outcome<u64> {
    let mut stamps = 0;
    for size in anchored_sizes(folder)? {
        let wrong = |what: &str| Fault::new(&FORKED).detail(format!("{what} at {size} leaves")).at("anchors");
        if let Some(note) = note_of(folder, size)? {
            let parsed = Note::parse(&note).map_err(|f| f.at("anchors"))?;
            let kept = Checkpoint::parse(parsed.text()).map_err(|f| f.at("anchors"))?;
            let own = |k: &&VerifierKey| k.kind() == KeyKind::Log && k.name() == head.origin;
            let by = |k: &VerifierKey| parsed.signed_by(k) == super::note::Signed::By;
            if kept.origin != head.origin || kept.size != size || !keys.iter().filter(own).any(by) {
                return Err(wrong("a note of another log"));
            }
            enter(signed, &kept)?;
        }
        if let Some(token) = token_of(folder, size)? {
            let root = *signed.get(&size).ok_or_else(|| wrong("a stamp without its head"))?;
            let text = Checkpoint { origin: head.origin.clone(), size, root }.text();
            check_token(&token, &Sha256::of(text.as_bytes()), &[])
                .map_err(|_| wrong("a stamp over something else"))?;
            stamps += 1;
        }
    }
    Ok(stamps)
}

/// The leaves are the entries of the tiles, and have their statements; how many have none.
fn own(folder: &Path, copy: &LogCopy) -> Outcome<u64> {
    let unreadable = |e: std::io::Error| Fault::new(&super::UNREADABLE).detail(e.kind()).at(folder.display());
    let mut leaves = BufReader::new(File::open(folder.join("leaves")).map_err(unreadable)?);
    let mut lines = match File::open(folder.join("statements")) {
        Ok(file) => Some(BufReader::new(file)),
        Err(_) => None,
    };
    let (mut without, mut differs, mut line) = (0, None, Vec::new());
    let mut next_line = || -> Option<Hash> {
        let lines = lines.as_mut()?;
        loop {
            line.clear();
            lines.read_until(b'\n', &mut line).ok().filter(|n| *n > 0)?;
            let text = line.strip_suffix(b"\n")?;
            if Statement::parse(text).is_ok() || Mark::parse(text).is_ok() {
                return Some(Sha256::of(text).0);
            }
        }
    };
    // Lines stand in the order of their leaves, with some between that never became leaves: those read ahead are kept.
    let mut ahead: HashSet<Hash> = HashSet::new();
    copy.entries(|place, entry| {
        let mut leaf = [0; 32];
        if leaves.read_exact(&mut leaf).is_err() || leaf[..] != *entry {
            differs.get_or_insert(place);
            return;
        }
        while !ahead.remove(&leaf) {
            if ahead.len() >= AHEAD {
                without += 1;
                return;
            }
            match next_line() {
                Some(hash) => ahead.insert(hash),
                None => {
                    without += 1;
                    return;
                }
            };
        }
    })?;
    match differs {
        Some(place) => {
            Err(Fault::new(&FORKED).detail(format!("leaf {place} differs from its tile")).at("leaves"))
        }
        None => Ok(without),
    }
}

const AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// Lines that are kept while their leaves are looked for.
const AHEAD: usize = 1 << 18;
const NO_HISTORY: &str =
    "các điểm chốt đã ký trước đây (không có tệp history) / the heads signed earlier (no file history)";
const NO_TRUST: &str =
    "đơn vị cấp dấu thời gian có đáng tin không / whether the time stamp authorities are to be trusted";
const NO_SPLIT: &str =
    "nhật ký có cho người khác xem một lịch sử khác không / whether the log showed others a different tree";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digests;
    use crate::log::note::Signer;
    use crate::log::statement::tests::facts;
    use crate::log::store::Log;
    use std::fs;

    #[test]
    fn a_sound_folder_passes_and_each_of_its_files_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open_with(folder.path(), Signer::generate("h49.vn/log").unwrap()).unwrap();
        for i in 0..5usize {
            let statements: Vec<_> = (0..60)
                .map(|j| log.statement(&Digests::of(&(60 * i + j).to_be_bytes()), &facts()).unwrap())
                .collect();
            log.append(&statements).unwrap();
        }
        let keys = [log.verifier()];
        let sound = audit(folder.path(), &keys).unwrap();
        assert_eq!((sound.size, sound.heads, sound.private), (300, 6, Some(0)));
        for (name, place, code) in [
            ("leaves", 40, "LOG-012"),
            ("history", 30, "LOG-014"),
            ("checkpoint", 20, "LOG-014"),
            ("tile/0/000", 0, "LOG-006"),
            ("tile/entries/001.p/44", 9, "LOG-006"),
        ] {
            let file = folder.path().join(name);
            let bytes = fs::read(&file).unwrap();
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(&file, &changed).unwrap();
            let code_is = audit(folder.path(), &keys).unwrap_err().code.id;
            assert!(code_is == code || code_is == "LOG-002", "{name}: {code_is}");
            fs::write(&file, &bytes).unwrap();
        }
        let lines = fs::read_to_string(folder.path().join("statements")).unwrap();
        let fewer: String = lines.split_inclusive('\n').skip(1).collect();
        fs::write(folder.path().join("statements"), fewer).unwrap();
        assert_eq!(audit(folder.path(), &keys).unwrap().private, Some(1));
    }
}
