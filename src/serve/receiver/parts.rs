//! Large documents that come in parts ([`crate::deliver::push`]): `var/inbox/<sender>/<delivery id>.part`, the digest of the whole
//! in its first 32 bytes and then what is safe of it. What is told as safe was flushed. What nobody goes on with for a week goes.
//! Each sender has its own folder, so that nobody sees, disturbs or fills the place of another's.

use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The folder of unfinished documents.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    folder: PathBuf,
}

/// What an unfinished document is kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    sender: Sha256,
    id: Sha256,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Laid {
    /// So many bytes are safe now.
    Safe(u64),
    /// It does not begin where what is safe ends: there.
    Elsewhere(u64),
    /// That was the last: the whole, not yet held against its digest.
    Whole(Vec<u8>),
}

impl Parts {
    /// Over a folder, which is made when it is first needed; what is a week old is removed.
    pub(super) fn over(folder: PathBuf) -> Self {
        let parts = Parts { folder };
        parts.sweep();
        parts
    }

    /// How much is safe of a delivery, whatever its digest.
    pub(super) fn safe(&self, key: &Key) -> u64 {
        fs::metadata(self.path(key)).map_or(0, |about| about.len().saturating_sub(HEAD))
    }

    /// Adds a part; blocks. Whoever calls sees to it that nobody else does so for this delivery at the same time.
    pub(super) fn add(&self, key: &Key, whole: &Sha256, at: u64, length: u64, part: &[u8]) -> Outcome<Laid> {
        self.try_add(key, whole, at, length, part).map_err(|e| Fault::new(&NO_ROOM).detail(e.kind()))
    }

    fn try_add(&self, key: &Key, whole: &Sha256, at: u64, length: u64, part: &[u8]) -> io::Result<Laid> {
        let (folder, path) = (self.folder_of(key), self.path(key));
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let (mut file, fresh) = match options.open(&path) {
            Ok(file) => (file, false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder)?;
                if fs::read_dir(&folder)?.count() >= MOST {
                    self.sweep();
                    if fs::read_dir(&folder)?.count() >= MOST {
                        return Err(io::ErrorKind::QuotaExceeded.into());
                    }
                }
                (options.create(true).truncate(false).open(&path)?, true)
            }
            Err(e) => return Err(e),
        };
        let mut head = [0u8; 32];
        let same = !fresh && file.read_exact(&mut head).is_ok() && head == whole.0;
        let safe = if same { file.metadata()?.len().saturating_sub(HEAD) } else { 0 };
        // All of it was here when a crash or a full disk came before the row: nothing more is needed.
        if same && safe >= length {
            return whole_of(&mut file).map(Laid::Whole);
        }
        if at != safe {
            if fresh {
                fs::remove_file(&path)?;
            }
            return Ok(Laid::Elsewhere(safe));
        }
        if !same {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&whole.0)?;
        }
        file.seek(SeekFrom::Start(HEAD + at))?;
        file.write_all(part)?;
        file.sync_all()?;
        if fresh {
            File::open(&folder)?.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
        }
        let safe = at + part.len() as u64;
        if safe < length {
            return Ok(Laid::Safe(safe));
        }
        whole_of(&mut file).map(Laid::Whole)
    }

    /// Forgets an unfinished document.
    pub(super) fn forget(&self, key: &Key) {
        let _ = fs::remove_file(self.path(key));
    }

    /// The folders of senders stay: one is few, and another thread may be about to write into it.
    fn sweep(&self) {
        let Ok(senders) = fs::read_dir(&self.folder) else { return };
        for entry in senders.flatten().flat_map(|sender| fs::read_dir(sender.path())).flatten().flatten() {
            let written = entry.metadata().and_then(|about| about.modified());
            if written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= KEPT)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn folder_of(&self, key: &Key) -> PathBuf {
        self.folder.join(key.sender.to_string())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder_of(key).join(format!("{}.part", key.id))
    }
}

/// The key of a sender's delivery. Senders are named by the configuration; their folders are not called as they are.
pub(super) fn key(sender: &str, id: &Sha256) -> Key {
    Key { sender: Sha256::of(sender.as_bytes()), id: *id }
}

fn whole_of(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(HEAD))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Bytes before the document.
const HEAD: u64 = 32;
/// A sender's unfinished documents at once.
const MOST: usize = 200;
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A part cannot be stored.
pub const NO_ROOM: Code = Code {
    id: "HTTP-026",
    class: Class::Later,
    vi: "Không lưu được phần tài liệu đang gửi dở",
    en: "a part of a large document cannot be stored",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi trên var/inbox; bên gửi sẽ tự gửi tiếp",
    remedy_en: "check the free space and the right to write in var/inbox; the sender goes on by itself",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_in_order_whatever_happens_between_them() {
        let dir = tempfile::tempdir().unwrap();
        let (id, whole) = (key("xa", &Sha256::of(b"id")), Sha256::of(b"abcdef"));
        let parts = || Parts::over(dir.path().join("inbox"));
        assert_eq!(parts().add(&id, &whole, 3, 6, b"def").unwrap(), Laid::Elsewhere(0));
        assert_eq!(parts().add(&id, &whole, 0, 6, b"abc").unwrap(), Laid::Safe(3));
        assert_eq!((parts().safe(&id), parts().safe(&key("huyen", &Sha256::of(b"id")))), (3, 0));
        assert_eq!(parts().add(&id, &whole, 0, 6, b"abc").unwrap(), Laid::Elsewhere(3));
        assert_eq!(parts().add(&id, &Sha256::of(b"other"), 3, 6, b"xyz").unwrap(), Laid::Elsewhere(0));
        assert_eq!(parts().add(&id, &whole, 3, 6, b"def").unwrap(), Laid::Whole(b"abcdef".to_vec()));
        parts().forget(&id);
        assert_eq!(parts().safe(&id), 0);
    }

    #[test]
    fn another_document_under_the_id_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (id, parts) = (key("xa", &Sha256::of(b"id")), Parts::over(dir.path().into()));
        parts.add(&id, &Sha256::of(b"1"), 0, 9, b"abc").unwrap();
        assert_eq!(parts.add(&id, &Sha256::of(b"2"), 0, 9, b"xy").unwrap(), Laid::Safe(2));
        assert_eq!(parts.safe(&id), 2);
    }

    #[test]
    fn whoever_fills_the_own_places_leaves_those_of_others_and_gets_new_ones_after_a_week() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::over(dir.path().join("inbox"));
        let begin = |sender: &str, n: usize| {
            parts.add(&key(sender, &Sha256::of(&n.to_be_bytes())), &Sha256::of(b"whole"), 0, 9, b"abc")
        };
        for n in 0..MOST {
            assert_eq!(begin("xa", n).unwrap(), Laid::Safe(3));
        }
        assert_eq!(begin("xa", MOST).unwrap_err().code, &NO_ROOM);
        assert_eq!(begin("huyen", 0).unwrap(), Laid::Safe(3));
        let old = parts.path(&key("xa", &Sha256::of(&7usize.to_be_bytes())));
        let file = OpenOptions::new().write(true).open(&old).unwrap();
        file.set_modified(SystemTime::now() - KEPT).unwrap();
        assert_eq!(begin("xa", MOST).unwrap(), Laid::Safe(3));
        assert!(!old.exists());
    }
}
