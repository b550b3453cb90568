//! A file that appears whole or not at all: it grows beside its place and gets its name once it is durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that grows. Dropped before [`Staged::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Staged {
    /// An empty file beside `target`, to be written and read, with these permissions (less the umask).
    ///
    /// # Errors
    /// The folder is not there or takes no file; `target` is there and is no plain file.
    pub fn beside(target: &Path, mode: u32) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // A pipe or a device of that name would be gone, and whoever waits behind it would wait for ever.
        if std::fs::metadata(target).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut name = name.to_os_string();
        name.push(format!(".{}-{}.partial", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let partial = target.with_file_name(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&partial)?;
        Ok(Staged { file, partial, target: target.to_owned(), published: false })
    }

    /// Where it grows.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes it durable and gives it its name; a file that had the name before is replaced.
    ///
    /// # Errors
    /// What the disk says; nothing is left behind.
    pub fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.target)?;
        self.published = true;
        let folder = self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("signed.pdf");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let staged = Staged::beside(&target, 0o600).unwrap();
        staged.file().write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(staged);
        assert_eq!(names(), 0);
        for text in [&b"first"[..], b"second"] {
            let staged = Staged::beside(&target, 0o600).unwrap();
            staged.file().write_all(text).unwrap();
            staged.publish().unwrap();
            assert_eq!((std::fs::read(&target).unwrap(), names()), (text.to_vec(), 1));
        }
        assert!(Staged::beside(&folder.path().join("no/such"), 0o600).is_err());
        assert!(Staged::beside(Path::new("/"), 0o600).is_err());
        assert!(Staged::beside(Path::new("/dev/null"), 0o600).is_err());
        assert!(Staged::beside(folder.path(), 0o600).is_err());
    }
}
