//! Receipts that await a time stamp, where they lie: completed once the log's head has its stamp. Whether there are any is
//! marked in the log's folder, so that nobody walks through an archive to find out that there are none.

use super::proof::Stamp;
use super::receipt::Receipt;
use super::store::{Log, io_fault};
use crate::fault::Outcome;
use crate::staged::Staged;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// The end of a receipt's file name.
pub const EXTENSION: &str = "tlog-proof";

impl Log {
    /// Notes that a receipt which awaits its stamp lies somewhere now. To be called after it was laid there.
    ///
    /// # Errors
    /// [`super::store::FOLDER`].
    pub fn mark_awaiting(&self) -> Outcome<()> {
        let mark = self.folder().join(MARK);
        if mark.exists() {
            return Ok(());
        }
        Staged::beside(&mark, 0o644).and_then(Staged::publish).map_err(|e| io_fault(&e, MARK))
    }

    /// Whether receipts may lie somewhere that await their stamp.
    pub fn has_awaiting(&self) -> bool {
        [MARK, WALKED].iter().any(|name| self.folder().join(name).exists())
    }

    /// Completes the receipts below a path, and takes the mark away where all of it was walked; how many. Whoever lays
    /// another one meanwhile sets the mark anew.
    ///
    /// # Errors
    /// [`super::store::FOLDER`]; the mark stays then.
    pub fn complete_awaiting(&self, path: &Path, stopped: impl Fn() -> bool) -> Outcome<usize> {
        let (mark, walked) = (self.folder().join(MARK), self.folder().join(WALKED));
        let unless_gone = |done: io::Result<()>| match done {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(io_fault(&e, MARK)),
            _ => Ok(()),
        };
        unless_gone(fs::rename(&mark, &walked))?;
        let count = self.complete(path, &stopped)?;
        if !stopped() {
            unless_gone(fs::remove_file(&walked))?;
        }
        Ok(count)
    }

    /// Completes this log's receipts at or below a path: each that awaits its stamp, or has fewer confirmations than there
    /// are now, is written anew as a whole; how many. Links are not followed.
    ///
    /// # Errors
    /// [`super::store::FOLDER`] where a file cannot be read or written; the others are completed all the same.
    pub fn complete(&self, path: &Path, stopped: &impl Fn() -> bool) -> Outcome<usize> {
        let (mut count, mut failed, mut folders) = (0, None, Vec::new());
        let mut take = |done: io::Result<bool>, path: &Path| match done {
            Ok(completed) => count += usize::from(completed),
            // Taken away meanwhile.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => drop(failed.get_or_insert(io_fault(&e, name_of(path)))),
        };
        if path.is_dir() {
            folders.push(path.to_owned());
        } else {
            take(self.complete_one(path), path);
        }
        while let Some(folder) = folders.pop().filter(|_| !stopped()) {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) => {
                    take(Err(e), &folder);
                    continue;
                }
            };
            for entry in entries.flatten().take_while(|_| !stopped()) {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == EXTENSION) => {
                        take(self.complete_one(&path), &path);
                    }
                    Ok(_) => {}
                    Err(e) => take(Err(e), &path),
                }
            }
        }
        failed.map_or(Ok(count), Err)
    }

    fn complete_one(&self, path: &Path) -> io::Result<bool> {
        let text = String::from_utf8(fs::read(path)?);
        let Some(receipt) = text.ok().and_then(|text| Receipt::parse(&text).ok()) else { return Ok(false) };
        if matches!(receipt.stamp, Stamp::Token(_)) {
            return Ok(false);
        }
        // One of another log, or of a statement that is not here, stays as it is.
        let Ok(newer) = self.prove_statement(&receipt.statement) else { return Ok(false) };
        if !matches!(newer.stamp, Stamp::Token(_)) && newer.checkpoint == receipt.checkpoint {
            return Ok(false);
        }
        let staged = Staged::beside(path, 0o644)?;
        let mut file = staged.file();
        file.write_all(newer.to_text().as_bytes())?;
        staged.publish()?;
        Ok(true)
    }
}

/// Whether the file there is a receipt of the same statement that has its stamp: one that awaits it must not replace it.
pub fn is_completion(there: &Path, of: &Receipt) -> bool {
    let text = fs::read_to_string(there).ok();
    let there = text.and_then(|text| Receipt::parse(&text).ok());
    there.is_some_and(|there| matches!(there.stamp, Stamp::Token(_)) && there.statement == of.statement)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("receipt")
}

/// Receipts were laid that await their stamp.
const MARK: &str = "awaiting";
/// They are being completed; where this stays, nobody got through.
const WALKED: &str = "awaiting.walked";
