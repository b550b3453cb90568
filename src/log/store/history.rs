//! Every head that was ever signed, one line each: `size base64(root) base64(key id ‖ signature)`. Appended and synced before
//! the head is shown to anyone, so that what was signed for is known whatever becomes of the file `checkpoint`.

use super::io_fault;
use crate::fault::{Fault, Outcome};
use crate::log::note::{Checkpoint, Note, Signed, VerifierKey, decimal};
use crate::log::store::{FORKED, OTHER_ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Seek, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The signed note.
    pub(crate) note: String,
    /// What it says.
    pub(crate) checkpoint: Checkpoint,
}

impl Head {
    /// Reads a note of this log.
    ///
    /// # Errors
    /// [`super::super::note::BAD_NOTE`]; [`OTHER_ORIGIN`] where `key` did not sign it.
    pub(crate) fn read(note: &str, key: &VerifierKey) -> Outcome<Head> {
        let parsed = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(parsed.text())?;
        if checkpoint.origin != key.name() || parsed.signed_by(key) != Signed::By {
            return Err(Fault::new(&OTHER_ORIGIN));
        }
        Ok(Head { note: note.to_owned(), checkpoint })
    }

    fn line(&self) -> Option<String> {
        let stamp = self.note.trim_end().rsplit(' ').next()?;
        let Checkpoint { size, root, .. } = &self.checkpoint;
        Some(format!("{size} {} {stamp}\n", STANDARD.encode(root)))
    }

    fn of_line(line: &str, key: &VerifierKey) -> Outcome<Head> {
        let broken = || Fault::new(&OTHER_ORIGIN).at(FILE);
        let mut parts = line.split(' ');
        let (Some(size), Some(root), Some(stamp), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(broken());
        };
        decimal(size).ok_or_else(broken)?;
        let name = key.name();
        let note = format!("{name}\n{size}\n{root}\n\n\u{2014} {name} {stamp}\n");
        Head::read(&note, key).map_err(|_| broken())
    }
}

/// Adds a head, durably. A torn line of an earlier crash is cut off first: it was shown to nobody.
///
/// # Errors
/// [`super::FOLDER`].
pub(crate) fn append(folder: &Path, head: &Head) -> Outcome<()> {
    let fault = |e: std::io::Error| io_fault(&e, FILE);
    let mut options = OpenOptions::new();
    let new = !path(folder).exists();
    let mut file =
        options.create(true).truncate(false).read(true).write(true).open(path(folder)).map_err(fault)?;
    let (end, _) = last_line(&file).map_err(fault)?;
    file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(fault)?;
    let line = head.line().ok_or_else(|| Fault::new(&OTHER_ORIGIN))?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(fault)?;
    if new {
        File::open(folder).and_then(|d| d.sync_all()).map_err(fault)?;
    }
    Ok(())
}

/// The head signed last; none where none was ever signed.
///
/// # Errors
/// [`super::FOLDER`]; [`OTHER_ORIGIN`] where the line is not this key's.
pub(crate) fn last(folder: &Path, key: &VerifierKey) -> Outcome<Option<Head>> {
    let fault = |e: std::io::Error| io_fault(&e, FILE);
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(e)),
    };
    let (_, line) = last_line(&file).map_err(fault)?;
    line.map(|line| Head::of_line(&line, key)).transpose()
}

/// Every head, first to last, each larger than the one before; a torn last line is left out.
///
/// # Errors
/// As [`last`]; [`FORKED`] where sizes do not grow.
pub(crate) fn all(
    folder: &Path,
    key: &VerifierKey,
    mut each: impl FnMut(Head) -> Outcome<()>,
) -> Outcome<u64> {
    let fault = |e: std::io::Error| io_fault(&e, FILE);
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(fault(e)),
    };
    let (mut reader, mut line, mut before, mut count) = (BufReader::new(file), Vec::new(), None, 0);
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(fault)?;
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(count) };
        let text = std::str::from_utf8(text).map_err(|_| Fault::new(&OTHER_ORIGIN).at(FILE))?;
        let head = Head::of_line(text, key)?;
        if before.is_some_and(|before| before >= head.checkpoint.size) {
            return Err(Fault::new(&FORKED).detail(format!("at {} leaves", head.checkpoint.size)).at(FILE));
        }
        before = Some(head.checkpoint.size);
        count += 1;
        each(head)?;
    }
}

/// The head of exactly this size, where one was signed.
///
/// # Errors
/// As [`last`].
pub(super) fn of_size(folder: &Path, key: &VerifierKey, size: u64) -> Outcome<Option<Head>> {
    let fault = |e: std::io::Error| io_fault(&e, FILE);
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(e)),
    };
    // Sizes grow from line to line: the half that cannot hold it is left out, until little is left.
    let (mut low, mut high) = (0, file.metadata().map_err(fault)?.len());
    while high - low > 2 * LONGEST {
        let middle = low + (high - low) / 2;
        let mut piece = vec![0; LONGEST as usize];
        file.read_exact_at(&mut piece, middle).map_err(fault)?;
        let begin = piece.iter().position(|b| *b == b'\n').map(|n| n + 1);
        let line = begin.and_then(|begin| piece.get(begin..));
        let number = line.and_then(|l| decimal(std::str::from_utf8(l.split(|b| *b == b' ').next()?).ok()?));
        let (Some(begin), Some(number)) = (begin, number) else {
            return Err(Fault::new(&OTHER_ORIGIN).at(FILE));
        };
        if number <= size { low = middle + begin as u64 } else { high = middle + begin as u64 }
    }
    let wanted = format!("{size} ");
    (&file).seek(SeekFrom::Start(low)).map_err(fault)?;
    for line in BufReader::new(file.take(high - low)).split(b'\n') {
        let line = line.map_err(fault)?;
        if line.starts_with(wanted.as_bytes()) {
            return Head::of_line(&String::from_utf8_lossy(&line), key).map(Some);
        }
    }
    Ok(None)
}

/// Where the last whole line ends, and that line.
fn last_line(file: &File) -> std::io::Result<(u64, Option<String>)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST);
    let mut tail = vec![0; (length - from) as usize];
    file.read_exact_at(&mut tail, from)?;
    let Some(end) = tail.iter().rposition(|b| *b == b'\n') else {
        return Ok((if from == 0 { 0 } else { length }, None));
    };
    let begin = tail[..end].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    // What is not text is no line of ours; it fails where it is read as one.
    Ok((from + end as u64 + 1, Some(String::from_utf8_lossy(&tail[begin..end]).into_owned())))
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

const FILE: &str = "history";
/// Two lines and a torn one are shorter than this.
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::note::Signer;

    #[test]
    fn every_head_of_a_long_history_is_found_and_a_torn_line_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::generate("h49.vn/log").unwrap();
        let key = signer.verifier();
        let head = |size: u64| {
            let checkpoint = Checkpoint { origin: "h49.vn/log".into(), size, root: [size as u8; 32] };
            Head { note: signer.sign(&checkpoint.text()).unwrap(), checkpoint }
        };
        let lines: String = (0..300).map(|n| head(7 * n).line().unwrap()).collect();
        std::fs::write(path(folder.path()), lines).unwrap();
        for size in 0..2200 {
            let found = of_size(folder.path(), &key, size).unwrap();
            let expected = (size % 7 == 0 && size < 2100).then(|| head(size));
            assert_eq!(found, expected, "{size}");
        }
        let mut file = OpenOptions::new().append(true).open(path(folder.path())).unwrap();
        file.write_all(b"2100 AAAA").unwrap();
        assert_eq!(last(folder.path(), &key).unwrap(), Some(head(2093)));
        append(folder.path(), &head(2101)).unwrap();
        assert_eq!(last(folder.path(), &key).unwrap(), Some(head(2101)));
        assert_eq!(all(folder.path(), &key, |_| Ok(())).unwrap(), 301);
        append(folder.path(), &head(2101)).unwrap();
        assert_eq!(all(folder.path(), &key, |_| Ok(())).unwrap_err().code.id, "LOG-012");
    }
}
