//! The hot folder: a file is taken only when it is complete. It polls, since network shares give no notice, and asks
//! twice: the size and time have stood still, and the file's own structure says that it is whole.

use crate::scan::complete::looks_complete;
use crate::steps::admit::{is_passed_over, is_reading};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Watches one folder; every entry of it, file or folder, is one batch.
#[derive(Debug)]
pub struct HotFolder {
    root: PathBuf,
    settle: Duration,
    seen: HashMap<PathBuf, (Fingerprint, Instant)>,
}

/// What must stand still: every file below the entry with its size and time of change.
pub type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The least time after which a file that is not whole is taken as it is.
const LEAST_TO_GIVE_UP: Duration = Duration::from_secs(5);
/// Where a batch lies while it is admitted: out of the scanner's reach, so that nothing is added to it unseen.
const TAKING: &str = ".taking";
/// How long chip readings are kept beside them.
pub const READINGS_KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Where batches that were taken are kept.
pub const TAKEN: &str = ".taken";
/// Where batches that could not be taken are kept.
pub const REFUSED: &str = ".refused";

impl HotFolder {
    /// Watches a folder; an entry must stand still this long. What a crash left half-taken comes back first.
    pub fn new(root: &Path, settle: Duration) -> Self {
        let hot = HotFolder { root: root.to_owned(), settle, seen: HashMap::new() };
        for entry in fs::read_dir(root.join(TAKING)).into_iter().flatten().flatten() {
            let _ = move_into(&entry.path(), root);
        }
        hot
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
            if is_passed_over(&path) {
                continue;
            }
            let fingerprint = fingerprint(&path);
            if fingerprint.is_empty() {
                continue;
            }
            let since = match self.seen.get(&path) {
                Some((before, since)) if *before == fingerprint => *since,
                _ => now,
            };
            let stood = now.duration_since(since);
            // What has stood still for so long will never be whole: intake refuses it with its reason.
            let given_up = stood >= (self.settle * 15).max(LEAST_TO_GIVE_UP);
            let whole = || fingerprint.iter().all(|(file, ..)| looks_complete(file));
            if stood >= self.settle && (given_up || whole()) {
                ready.push(path.clone());
            }
            present.insert(path, (fingerprint, since));
        }
        self.seen = present;
        ready.sort();
        let waiting = self.seen.len() - ready.len();
        Ok((ready, waiting))
    }

    /// Puts an entry out of the scanner's reach; gives where it is now.
    ///
    /// # Errors
    /// Whatever moving fails with; the entry stays where it is.
    pub fn take(&mut self, entry: &Path) -> std::io::Result<PathBuf> {
        self.seen.remove(entry);
        move_into(entry, &self.root.join(TAKING))
    }

    /// Removes the chip readings of entries that were dealt with at least `age` ago: they hold a face, and whoever wants to
    /// hand such an entry in again does so within days. What cannot be removed now is tried again the next time.
    pub fn forget_readings(&self, age: Duration, now: SystemTime) {
        for folder in [TAKEN, REFUSED] {
            for entry in fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten() {
                // Moving an entry changes its inode; the files in a folder keep the times that the desk gave them.
                let seconds = entry.metadata().map_or(i64::MAX, |about| about.ctime());
                let moved = UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
                if now.duration_since(moved).is_ok_and(|since| since >= age) {
                    let files = fingerprint(&entry.path()).into_iter().map(|(path, ..)| path);
                    for reading in files.filter(|path| is_reading(path)) {
                        let _ = fs::remove_file(reading);
                    }
                }
            }
        }
    }

    /// Keeps an entry that was dealt with in one of the folders beside; nothing of it is deleted but a chip reading, in time.
    ///
    /// # Errors
    /// Whatever moving fails with.
    pub fn keep(&self, taken: &Path, folder: &str) -> std::io::Result<PathBuf> {
        move_into(taken, &self.root.join(folder))
    }
}

/// Moves a file or folder into another, under a free name.
fn move_into(path: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default();
    let mut target = folder.join(name);
    let mut number = 1;
    while target.exists() {
        number += 1;
        target = folder.join(format!("{}~{number}", name.to_string_lossy()));
    }
    fs::rename(path, &target)?;
    Ok(target)
}

/// What an entry is made of just now.
pub fn fingerprint(entry: &Path) -> Fingerprint {
    let mut fingerprint = Fingerprint::new();
    collect(entry, &mut fingerprint, 0);
    fingerprint
}

fn collect(path: &Path, into: &mut Fingerprint, depth: usize) {
    if path.is_dir() {
        if depth > 8 {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if !is_passed_over(&entry.path()) {
                collect(&entry.path(), into, depth + 1);
            }
        }
        into.sort();
    } else {
        // A link that leads nowhere is still an entry: it is named when it is handed in.
        let meta = fs::metadata(path).ok();
        let changed = meta.as_ref().and_then(|m| m.modified().ok());
        into.push((path.to_owned(), meta.map_or(0, |m| m.len()), changed));
    }
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
    fn a_cut_file_that_stands_still_for_long_is_taken_and_refused_later_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        fs::write(&path, &JPEG[..2]).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("b.jpg")).unwrap();
        let mut hot = HotFolder::new(dir.path(), Duration::from_secs(2));
        let start = Instant::now();
        assert_eq!(hot.look(start).unwrap(), (vec![], 2));
        assert_eq!(hot.look(start + Duration::from_secs(29)).unwrap(), (vec![], 2));
        assert_eq!(
            hot.look(start + Duration::from_secs(30)).unwrap(),
            (vec![path, dir.path().join("b.jpg")], 0)
        );
    }

    #[test]
    fn readings_of_what_was_dealt_with_are_removed_in_time_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let hot = HotFolder::new(dir.path(), Duration::ZERO);
        for (entry, folder) in [("a", TAKEN), ("b", REFUSED), ("waits", "")] {
            let entry = dir.path().join(entry);
            fs::create_dir(&entry).unwrap();
            fs::write(entry.join("1.jpg"), JPEG).unwrap();
            fs::write(entry.join("card.reading.json"), b"{}").unwrap();
            if !folder.is_empty() {
                hot.keep(&entry, folder).unwrap();
            }
        }
        let count = || {
            let files = fingerprint_all(dir.path());
            (files.iter().filter(|p| is_reading(p)).count(), files.len())
        };
        assert_eq!(count(), (3, 6));
        hot.forget_readings(READINGS_KEPT, SystemTime::now() + READINGS_KEPT - Duration::from_secs(60));
        assert_eq!(count(), (3, 6));
        hot.forget_readings(READINGS_KEPT, SystemTime::now() + READINGS_KEPT + Duration::from_secs(60));
        assert_eq!(count(), (1, 4));
        assert!(dir.path().join("waits/card.reading.json").exists());
    }

    /// Hidden folders, too.
    fn fingerprint_all(root: &Path) -> Vec<PathBuf> {
        let folders = fs::read_dir(root).unwrap().flatten().flat_map(|e| match e.file_name().to_str() {
            Some(TAKEN | REFUSED) => fs::read_dir(e.path()).unwrap().flatten().map(|e| e.path()).collect(),
            _ => vec![e.path()],
        });
        folders.flat_map(|folder| fingerprint(&folder)).map(|(path, ..)| path).collect()
    }

    #[test]
    fn what_was_taken_is_kept_and_what_a_crash_left_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jpg");
        let mut hot = HotFolder::new(dir.path(), Duration::ZERO);
        for _ in 0..2 {
            fs::write(&path, JPEG).unwrap();
            let taken = hot.take(&path).unwrap();
            hot.keep(&taken, TAKEN).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path().join(TAKEN)).unwrap().count(), 2);
        assert_eq!(hot.look(Instant::now()).unwrap(), (vec![], 0));
        fs::write(&path, JPEG).unwrap();
        hot.take(&path).unwrap();
        assert!(!path.exists());
        HotFolder::new(dir.path(), Duration::ZERO);
        assert!(path.exists());
    }
}
