//! The hot folder: a file is taken only when it is complete. It polls, since network shares give no notice, and asks
//! twice: the size and time have stood still, and the file's own structure says that it is whole.

use crate::scan::complete::looks_complete;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Watches one folder; every entry of it, file or folder, is one batch.
#[derive(Debug)]
pub struct HotFolder {
    root: PathBuf,
    settle: Duration,
    seen: HashMap<PathBuf, (Fingerprint, Instant)>,
}

/// What must stand still: every file below the entry with its size and time of change.
type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Where batches that were taken are moved to, below the folder.
pub const TAKEN: &str = ".taken";

impl HotFolder {
    /// Watches a folder; an entry must stand still this long.
    pub fn new(root: &Path, settle: Duration) -> Self {
        HotFolder { root: root.to_owned(), settle, seen: HashMap::new() }
    }

    /// Entries that are complete now, and how many still wait.
    ///
    /// # Errors
    /// Whatever reading the folder fails with.
    pub fn look(&mut self, now: Instant) -> std::io::Result<(Vec<PathBuf>, usize)> {
        let mut ready = Vec::new();
        let mut present = HashMap::new();
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if is_hidden(&path) {
                continue;
            }
            let mut fingerprint = Fingerprint::new();
            collect(&path, &mut fingerprint, 0);
            if fingerprint.is_empty() {
                continue;
            }
            let since = match self.seen.get(&path) {
                Some((before, since)) if *before == fingerprint => *since,
                _ => now,
            };
            let still = now.duration_since(since) >= self.settle;
            if still && fingerprint.iter().all(|(file, ..)| looks_complete(file)) {
                ready.push(path.clone());
            }
            present.insert(path, (fingerprint, since));
        }
        self.seen = present;
        ready.sort();
        let waiting = self.seen.len() - ready.len();
        Ok((ready, waiting))
    }

    /// Moves an entry that was acknowledged out of the way. It is kept, never deleted.
    ///
    /// # Errors
    /// Whatever moving fails with; the entry is taken again then and found to be known.
    pub fn taken(&mut self, entry: &Path) -> std::io::Result<PathBuf> {
        let folder = self.root.join(TAKEN);
        fs::create_dir_all(&folder)?;
        let name = entry.file_name().unwrap_or_default();
        let mut target = folder.join(name);
        let mut number = 1;
        while target.exists() {
            number += 1;
            target = folder.join(format!("{}~{number}", name.to_string_lossy()));
        }
        fs::rename(entry, &target)?;
        self.seen.remove(entry);
        Ok(target)
    }
}

fn collect(path: &Path, into: &mut Fingerprint, depth: usize) {
    if path.is_dir() && depth < 2 {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if !is_hidden(&entry.path()) {
                collect(&entry.path(), into, depth + 1);
            }
        }
        into.sort();
    } else if let Ok(meta) = fs::metadata(path) {
        into.push((path.to_owned(), meta.len(), meta.modified().ok()));
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|n| {
        let name = n.to_string_lossy();
        name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xd9];

    #[test]
    fn a_file_that_grows_is_not_taken_until_it_stands_still_and_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        let mut hot = HotFolder::new(dir.path(), Duration::from_secs(2));
        let start = Instant::now();
        fs::write(&path, &JPEG[..2]).unwrap();
        assert_eq!(hot.look(start).unwrap().0.len(), 0);
        assert_eq!(
            hot.look(start + Duration::from_secs(3)).unwrap(),
            (vec![], 1),
            "it stands still but is cut"
        );
        fs::write(&path, JPEG).unwrap();
        assert_eq!(hot.look(start + Duration::from_secs(4)).unwrap().0.len(), 0, "it has just changed");
        assert_eq!(hot.look(start + Duration::from_secs(7)).unwrap(), (vec![path], 0));
    }

    #[test]
    fn what_was_taken_is_moved_aside_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        let mut hot = HotFolder::new(dir.path(), Duration::ZERO);
        for _ in 0..2 {
            fs::write(&path, JPEG).unwrap();
            hot.taken(&path).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path().join(TAKEN)).unwrap().count(), 2);
        assert_eq!(hot.look(Instant::now()).unwrap(), (vec![], 0));
    }
}
