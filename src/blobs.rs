//! Bytes by their digest: originals, readings, documents, receipts. Write-once, durable before acknowledged.
//!
//! A blob is staged in `staging/`, flushed to the disk, moved to `ab/<64 hex>` and its folder flushed; only then is
//! its digest given out (promise 1). Reading takes the digest again and fails closed (promise 2).

use crate::digest::{Blake3, Digester, Digesting, Digests};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A folder of blobs.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens the folder, making it if it is not there, and sweeps what a crash left half-staged.
    ///
    /// # Errors
    /// `BLOB-001` where the folder cannot be made or written.
    pub fn open(root: &Path) -> Outcome<Self> {
        let staging = root.join("staging");
        fs::create_dir_all(&staging).map_err(|e| refused(&e, "blobs"))?;
        // All shards at once: a folder made later would need its parent flushed by whoever uses it first.
        if !root.join("ff").is_dir() {
            for shard in 0..=255u8 {
                fs::create_dir_all(root.join(hex::encode([shard]))).map_err(|e| refused(&e, "blobs"))?;
            }
            sync_folder(root).map_err(|e| refused(&e, "blobs"))?;
        }
        let blobs = Blobs { root: root.to_owned() };
        blobs.sweep(&staging);
        Ok(blobs)
    }

    /// Stores bytes; the same bytes again cost a look.
    ///
    /// # Errors
    /// `BLOB-001` (disk full, no right to write): nothing is visible then.
    pub fn put(&self, bytes: &[u8]) -> Outcome<Digests> {
        let digests = Digests::of(bytes);
        if self.holds(&digests)? {
            return Ok(digests);
        }
        let (path, mut file) = self.stage()?;
        let written = file.write_all(bytes).and_then(|()| self.settle(&path, &file, &digests));
        self.done(&path, written, digests)
    }

    /// Stores what is written piece by piece, in constant memory; gives what `write` gave.
    ///
    /// # Errors
    /// `BLOB-001` as [`Blobs::put`]; else the fault of `write`, and nothing is stored.
    pub fn put_with<T>(&self, write: impl FnOnce(&mut dyn Write) -> Outcome<T>) -> Outcome<(Digests, T)> {
        let (path, file) = self.stage()?;
        let mut sink = Digesting::new(Remembering { sink: BufWriter::new(file), failed: None });
        let made = write(&mut sink);
        let (digests, Remembering { sink, failed }) = sink.finish();
        // A full disk is this store's fault, whatever the writer made of it.
        let stored = match (failed, made) {
            (Some(e), _) => Err(refused(&e, "blobs")),
            (None, Err(fault)) => Err(fault),
            (None, Ok(made)) => {
                sink.into_inner().map_err(|e| refused(e.error(), "blobs")).map(|file| (file, made))
            }
        };
        let (file, made) = match stored {
            Ok(stored) => stored,
            Err(fault) => {
                let _ = fs::remove_file(&path);
                return Err(fault);
            }
        };
        let settled = if self.holds(&digests)? { Ok(()) } else { self.settle(&path, &file, &digests) };
        Ok((self.done(&path, settled, digests)?, made))
    }

    /// Stores what a reader gives, in one pass and constant memory; at most `limit` bytes.
    ///
    /// # Errors
    /// `BLOB-001` as [`Blobs::put`]; `BLOB-003` where the source fails; `BLOB-004` over the limit.
    pub fn put_reader(&self, mut reader: impl Read, limit: u64) -> Outcome<Digests> {
        let (path, mut file) = self.stage()?;
        let mut digester = Digester::default();
        let mut buffer = vec![0u8; 256 * 1024];
        let mut total = 0u64;
        let copied = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => {
                    total += n as u64;
                    if total > limit {
                        break Err(Fault::new(&OVER_LIMIT).detail(format!("more than {limit} bytes")));
                    }
                    digester.update(&buffer[..n]);
                    if let Err(e) = file.write_all(&buffer[..n]) {
                        break Err(refused(&e, "blobs"));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(Fault::new(&UNREADABLE).detail(e.kind())),
            }
        };
        let digests = digester.finish();
        if let Err(fault) = copied {
            let _ = fs::remove_file(&path);
            return Err(fault);
        }
        let settled = if self.holds(&digests)? { Ok(()) } else { self.settle(&path, &file, &digests) };
        self.done(&path, settled, digests)
    }

    /// The bytes of a blob, checked against the digest.
    ///
    /// # Errors
    /// `BLOB-002` where the blob is missing or its bytes are not what the digest says.
    pub fn get(&self, digest: &Blake3) -> Outcome<Vec<u8>> {
        let bytes = fs::read(self.path(digest))
            .map_err(|e| Fault::new(&LOST).detail(format!("blob {}: {}", digest.short(), e.kind())))?;
        if Blake3::of(&bytes) != *digest {
            return Err(Fault::new(&LOST).detail(format!("blob {}: its bytes have changed", digest.short())));
        }
        Ok(bytes)
    }

    /// A blob to be read where it lies, checked against the digest. Nobody changes it while it is read: blobs never
    /// change.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub fn original(&self, digest: &Blake3) -> Outcome<Original> {
        let lost = |what: String| Fault::new(&LOST).detail(format!("blob {}: {what}", digest.short()));
        let file = File::open(self.path(digest)).map_err(|e| lost(e.kind().to_string()))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).map_err(|e| lost(e.kind().to_string()))?;
        if hasher.finalize().as_bytes() != &digest.0 {
            return Err(lost("its bytes have changed".into()));
        }
        Original::file(file)
    }

    /// Writes a file outside so that a reader sees the whole of it or nothing of it, and a crash leaves no part beside
    /// it: staged among the blobs, where the next opening sweeps, and moved.
    ///
    /// # Errors
    /// `BLOB-001` with the file's name.
    pub fn lay(&self, path: &Path, bytes: &[u8]) -> Outcome<()> {
        let (staged, mut file) = self.stage()?;
        let moved =
            file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&staged, path));
        let folder = path.parent().unwrap_or(&self.root);
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
        match moved.and_then(|()| sync_folder(folder)) {
            Ok(()) => Ok(()),
            Err(e) => {
                let _ = fs::remove_file(&staged);
                // Another disk: the part has to lie beside its file there.
                if e.kind() == io::ErrorKind::CrossesDevices {
                    write_whole(path, bytes)
                } else {
                    Err(refused(&e, name))
                }
            }
        }
    }

    /// Whether a blob lies here and survives a power cut. Its bytes were flushed before they got their name; whoever gave
    /// it that name may not have flushed the folder yet, so that is done here.
    ///
    /// # Errors
    /// `BLOB-001` where the folder cannot be flushed.
    pub fn stands(&self, digest: &Blake3) -> Outcome<bool> {
        let path = self.path(digest);
        if !path.is_file() {
            return Ok(false);
        }
        sync_folder(path.parent().unwrap_or(&self.root)).map_err(|e| refused(&e, "blobs"))?;
        Ok(true)
    }

    /// Removes a blob for good; one that is not there is removed. Only for stores of what may be let go of: whoever asks
    /// must know that nobody names it any more, and hold the lock under which names are given.
    ///
    /// # Errors
    /// `BLOB-005`.
    pub fn remove(&self, digest: &Blake3) -> Outcome<()> {
        let path = self.path(digest);
        let removed = match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        // Flushed although nothing was there: a crash may have come between removing and flushing.
        removed
            .and_then(|()| sync_folder(path.parent().unwrap_or(&self.root)))
            .map_err(|e| Fault::new(&NOT_REMOVED).at(digest.short()).detail(e.kind()))
    }

    /// Blobs that were stored at least this long ago. Removes, besides, stagings that nobody has written to for so long:
    /// [`Blobs::open`] does so for dead processes, but some stay open for months.
    ///
    /// # Errors
    /// `BLOB-001` where the folder cannot be read.
    pub fn older_than(&self, age: Duration) -> Outcome<Vec<Blake3>> {
        let now = SystemTime::now();
        let aged = |entry: &fs::DirEntry| {
            let stored = entry.metadata().and_then(|about| about.modified());
            stored.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since >= age))
        };
        let read = |folder: &str| fs::read_dir(self.root.join(folder)).map_err(|e| refused(&e, "blobs"));
        for staged in read("staging")?.flatten().filter(aged) {
            let _ = fs::remove_file(staged.path());
        }
        let mut old = Vec::new();
        for shard in 0..=255u8 {
            let entries = read(&hex::encode([shard]))?.flatten().filter(aged);
            old.extend(entries.filter_map(|e| e.file_name().to_str()?.parse::<Blake3>().ok()));
        }
        Ok(old)
    }

    /// Where a blob lies.
    pub fn path(&self, digest: &Blake3) -> PathBuf {
        let hex = digest.to_string();
        self.root.join(&hex[..2]).join(&hex)
    }

    /// Whether the blob is there, whole and durable: another thread may have renamed it and not yet flushed the
    /// folder, and a blob that rotted must not swallow the good copy that is handed in to mend it.
    fn holds(&self, digests: &Digests) -> Outcome<bool> {
        let path = self.path(&digests.blake3);
        let Ok(file) = File::open(&path) else { return Ok(false) };
        let stored = crate::digest::of_reader(file).map_err(|e| refused(&e, "blobs"))?;
        if stored != *digests {
            return Ok(false);
        }
        sync_folder(path.parent().unwrap_or(&self.root)).map_err(|e| refused(&e, "blobs"))?;
        Ok(true)
    }

    fn stage(&self) -> Outcome<(PathBuf, File)> {
        // Random and never reused: two containers on one volume may both be process 1.
        let mut random = [0u8; 8];
        openssl::rand::rand_bytes(&mut random)
            .map_err(|_| Fault::new(&NOT_STORED).detail("no random bytes"))?;
        let name = format!("{}-{}", std::process::id(), hex::encode(random));
        let path = self.root.join("staging").join(name);
        let file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| refused(&e, "blobs"))?;
        Ok((path, file))
    }

    fn settle(&self, staged: &Path, file: &File, digests: &Digests) -> io::Result<()> {
        file.sync_all()?;
        let path = self.path(&digests.blake3);
        let folder = path.parent().unwrap_or(&self.root);
        fs::rename(staged, &path)?;
        sync_folder(folder)
    }

    fn done(&self, staged: &Path, result: io::Result<()>, digests: Digests) -> Outcome<Digests> {
        let _ = fs::remove_file(staged);
        result.map(|()| digests).map_err(|e| refused(&e, "blobs"))
    }

    /// Removes stagings of processes that are gone. A living process keeps its own.
    fn sweep(&self, staging: &Path) {
        let Ok(entries) = fs::read_dir(staging) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let owner =
                name.to_str().and_then(|n| n.split_once('-')).and_then(|(pid, _)| pid.parse::<u32>().ok());
            let alive = owner
                .is_some_and(|pid| pid != std::process::id() && Path::new(&format!("/proc/{pid}")).exists());
            if !alive {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Writes a file so that a reader sees the whole of it or nothing of it: beside it, flushed, renamed.
///
/// # Errors
/// `BLOB-001` with the file's name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file").to_owned();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&staged)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&staged, path))
        .and_then(|()| sync_folder(folder));
    written.map_err(|e| {
        let _ = fs::remove_file(&staged);
        refused(&e, &name)
    })
}

/// Flushes a folder, so that the names in it survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Remembers why it failed, for whoever wrote to it says it in other words.
struct Remembering<W> {
    sink: W,
    failed: Option<io::Error>,
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes);
        written.map_err(|e| self.remember(e))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.sink.flush();
        flushed.map_err(|e| self.remember(e))
    }
}

impl<W> Remembering<W> {
    fn remember(&mut self, error: io::Error) -> io::Error {
        let again = io::Error::from(error.kind());
        if error.kind() != io::ErrorKind::Interrupted {
            self.failed = Some(error);
        }
        again
    }
}

fn refused(error: &io::Error, place: &str) -> Fault {
    Fault::new(&NOT_STORED).at(place).detail(error.kind())
}

/// The disk does not take more.
pub const NOT_STORED: Code = Code {
    id: "BLOB-001",
    class: Class::Later,
    vi: "Không ghi được vào kho lưu trữ",
    en: "the storage does not take the file",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi; việc sẽ tự chạy lại",
    remedy_en: "check the disk's free space and the right to write; the work is tried again by itself",
};
/// A stored blob is gone or altered.
pub const LOST: Code = Code {
    id: "BLOB-002",
    class: Class::Person,
    vi: "Bản lưu bị mất hoặc đã bị thay đổi",
    en: "a stored file is missing or altered",
    remedy_vi: "Khôi phục từ bản sao lưu; không dùng hồ sơ này cho tới khi khôi phục xong",
    remedy_en: "restore it from the backup; do not use the dossier before that",
};
/// The file that was handed in cannot be read.
pub const UNREADABLE: Code = Code {
    id: "BLOB-003",
    class: Class::Input,
    vi: "Không đọc được tệp",
    en: "the file cannot be read",
    remedy_vi: "Kiểm tra quyền đọc và thiết bị lưu trữ rồi đưa tệp vào lại",
    remedy_en: "check the right to read and the medium, then hand the file in again",
};
/// The file that was handed in is larger than the profile allows.
pub const OVER_LIMIT: Code = Code {
    id: "BLOB-004",
    class: Class::Input,
    vi: "Tệp lớn hơn giới hạn cho phép",
    en: "the file is larger than the limit",
    remedy_vi: "Chia tệp nhỏ hơn hoặc nâng giới hạn trong bộ quy định",
    remedy_en: "split the file or raise the limit in the profile",
};
/// What is to be let go of stays.
pub const NOT_REMOVED: Code = Code {
    id: "BLOB-005",
    class: Class::Later,
    vi: "Không xóa được kết quả đọc thẻ đã hết mục đích lưu giữ",
    en: "a chip reading that is no longer wanted cannot be removed",
    remedy_vi: "Kiểm tra quyền ghi trên thư mục var/readings; việc xóa sẽ tự chạy lại",
    remedy_en: "check the right to write in var/readings; it is tried again by itself",
};
/// Every code of this room.
pub const CODES: &[&Code] = &[&NOT_STORED, &LOST, &UNREADABLE, &OVER_LIMIT, &NOT_REMOVED];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_one_blob_and_come_back_whole() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let a = blobs.put(b"page").unwrap();
        let b = blobs.put_reader(&b"page"[..], 100).unwrap();
        assert_eq!(a, b);
        assert_eq!(blobs.get(&a.blake3).unwrap(), b"page");
        assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
    }

    #[test]
    fn an_altered_blob_is_never_given_out() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let digests = blobs.put(b"page").unwrap();
        fs::write(blobs.path(&digests.blake3), b"pagE").unwrap();
        assert_eq!(blobs.get(&digests.blake3).unwrap_err().code, &LOST);
    }

    #[test]
    fn a_source_over_the_limit_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let fault = blobs.put_reader(io::repeat(7).take(1 << 20), 1 << 19).unwrap_err();
        assert_eq!(fault.code, &OVER_LIMIT);
        assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_process_staged_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("staging")).unwrap();
        fs::write(dir.path().join("staging/999999999-1"), b"half").unwrap();
        Blobs::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_removed_is_gone_and_can_be_stored_again() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let face = blobs.put(b"a face").unwrap().blake3;
        let other = blobs.put(b"another").unwrap().blake3;
        assert!(blobs.stands(&face).unwrap());
        for _ in 0..2 {
            blobs.remove(&face).unwrap();
            assert!(!blobs.stands(&face).unwrap());
        }
        assert_eq!(blobs.get(&face).unwrap_err().code, &LOST);
        assert_eq!(blobs.get(&other).unwrap(), b"another");
        blobs.put(b"a face").unwrap();
        assert_eq!(blobs.get(&face).unwrap(), b"a face");
    }

    #[test]
    fn what_is_old_is_told_and_an_old_staging_goes() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let (old, young) = (blobs.put(b"old").unwrap().blake3, blobs.put(b"young").unwrap().blake3);
        let long_ago = SystemTime::now() - Duration::from_secs(7200);
        let staged = [dir.path().join("staging/1-a"), dir.path().join("staging/1-b")];
        for path in &staged {
            fs::write(path, b"half").unwrap();
        }
        for path in [&blobs.path(&old), &staged[0]] {
            File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        assert_eq!(blobs.older_than(Duration::from_secs(3600)).unwrap(), [old]);
        assert!(!staged[0].exists() && staged[1].exists());
        assert!(blobs.older_than(Duration::ZERO).unwrap().contains(&young));
    }

    #[test]
    fn write_whole_replaces_at_once_and_leaves_no_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.pdf");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
