//! The bytes of a file as they came: in memory, or left in the file where they lie.
//!
//! A box of five hundred pages is half a gigabyte in one file. Whoever reads it takes what it needs and leaves the
//! rest where it is, so that memory does not grow with the number of pages.

use crate::digest::{Digester, Digests};
use crate::fault::{Class, Code, Fault, Outcome};
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that do not change while they are looked at. A clone is another handle on the same bytes.
#[derive(Debug, Clone)]
pub struct Original(Bytes);

#[derive(Debug, Clone)]
enum Bytes {
    Memory(Arc<Vec<u8>>),
    File { file: Arc<File>, length: u64 },
}

impl Original {
    /// Leaves the bytes in the file, which is read by position: other users of the handle are not disturbed.
    ///
    /// # Errors
    /// [`UNREADABLE`] where it is no plain file.
    pub fn file(file: File) -> Outcome<Self> {
        let about = file.metadata().map_err(|e| Fault::new(&UNREADABLE).detail(e.kind()))?;
        if !about.is_file() {
            return Err(Fault::new(&UNREADABLE).detail("not a plain file"));
        }
        Ok(Original(Bytes::File { length: about.len(), file: Arc::new(file) }))
    }

    /// A file whose kind and length another process of this program has looked at: a decoder may not ask.
    pub fn handed_over(file: File, length: u64) -> Self {
        Original(Bytes::File { length, file: Arc::new(file) })
    }

    /// Number of bytes, as it was when the file was opened.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Bytes::Memory(bytes) => bytes.len() as u64,
            Bytes::File { length, .. } => *length,
        }
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes. The caller has checked [`Original::len`] against its limits.
    ///
    /// # Errors
    /// [`CHANGED`], [`UNREADABLE`].
    pub fn whole(&self) -> Outcome<Arc<Vec<u8>>> {
        match &self.0 {
            Bytes::Memory(bytes) => Ok(bytes.clone()),
            Bytes::File { length, .. } => Ok(Arc::new(self.read(0..*length)?)),
        }
    }

    /// The bytes of a range.
    ///
    /// # Errors
    /// [`CHANGED`] where the range reaches beyond the end, [`UNREADABLE`].
    pub fn read(&self, range: Range<u64>) -> Outcome<Vec<u8>> {
        if range.start > range.end || range.end > self.len() {
            return Err(Fault::new(&CHANGED).detail(format!("bytes {range:?} of {}", self.len())));
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        self.fill(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills a buffer from a position on.
    ///
    /// # Errors
    /// As [`Original::read`].
    pub fn fill(&self, from: u64, into: &mut [u8]) -> Outcome<()> {
        match &self.0 {
            Bytes::Memory(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let part = bytes.get(from..from.saturating_add(into.len()));
                into.copy_from_slice(part.ok_or_else(|| Fault::new(&CHANGED).detail("beyond the end"))?);
                Ok(())
            }
            Bytes::File { file, .. } => file.read_exact_at(into, from).map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => Fault::new(&CHANGED).detail("it has become shorter"),
                kind => Fault::new(&UNREADABLE).detail(kind),
            }),
        }
    }

    /// Both digests, in constant memory.
    ///
    /// # Errors
    /// As [`Original::read`].
    pub fn digests(&self) -> Outcome<Digests> {
        if let Bytes::Memory(bytes) = &self.0 {
            return Ok(Digests::of(bytes));
        }
        let mut digester = Digester::default();
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        while at < self.len() {
            let part = usize::try_from(self.len() - at).unwrap_or(usize::MAX).min(buffer.len());
            self.fill(at, &mut buffer[..part])?;
            digester.update(&buffer[..part]);
            at += part as u64;
        }
        Ok(digester.finish())
    }

    /// Writes all bytes out, in constant memory.
    ///
    /// # Errors
    /// As [`Original::read`]; [`UNWRITABLE`].
    pub fn write_to(&self, out: &mut dyn std::io::Write) -> Outcome<()> {
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        while at < self.len() {
            let part = usize::try_from(self.len() - at).unwrap_or(usize::MAX).min(buffer.len());
            self.fill(at, &mut buffer[..part])?;
            out.write_all(&buffer[..part]).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))?;
            at += part as u64;
        }
        Ok(())
    }

    /// The bytes, where they are in memory already.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.0 {
            Bytes::Memory(bytes) => Some(bytes),
            Bytes::File { .. } => None,
        }
    }

    /// The file, where the bytes lie in one: to be handed to another process.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Bytes::Memory(_) => None,
            Bytes::File { file, .. } => Some(file.as_fd()),
        }
    }
}

impl From<Arc<Vec<u8>>> for Original {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Original(Bytes::Memory(bytes))
    }
}

impl From<Vec<u8>> for Original {
    fn from(bytes: Vec<u8>) -> Self {
        Original(Bytes::Memory(Arc::new(bytes)))
    }
}

impl From<&[u8]> for Original {
    fn from(bytes: &[u8]) -> Self {
        Original(Bytes::Memory(Arc::new(bytes.to_vec())))
    }
}

/// The file cannot be read.
pub const UNREADABLE: Code = Code {
    id: "FILE-001",
    class: Class::Input,
    vi: "Không đọc được tệp",
    en: "the file cannot be read",
    remedy_vi: "Kiểm tra tên tệp, quyền đọc và ổ đĩa",
    remedy_en: "check its name, the permission to read and the disk",
};

/// A copy cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "FILE-003",
    class: Class::Later,
    vi: "Không ghi được bản sao của tệp",
    en: "a copy of the file cannot be written",
    remedy_vi: "Kiểm tra dung lượng ổ đĩa",
    remedy_en: "check the free space on the disk",
};

/// Somebody shortened the file while it was read.
pub const CHANGED: Code = Code {
    id: "FILE-002",
    class: Class::Input,
    vi: "Tệp bị thay đổi trong khi đang đọc",
    en: "the file changed while it was read",
    remedy_vi: "Đợi chương trình khác ghi xong rồi gửi lại",
    remedy_en: "wait until the other program has written it and hand it in again",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&UNREADABLE, &UNWRITABLE, &CHANGED];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn both(bytes: &[u8]) -> [Original; 2] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        [Original::from(bytes), Original::file(file).unwrap()]
    }

    #[test]
    fn a_file_and_memory_answer_alike() {
        for original in both(b"a scanned page") {
            assert_eq!(original.len(), 14);
            assert_eq!(original.read(2..9).unwrap(), b"scanned");
            assert_eq!(original.read(14..14).unwrap(), b"");
            assert_eq!(&*original.whole().unwrap(), b"a scanned page");
            assert_eq!(original.digests(), Ok(Digests::of(b"a scanned page")));
            for beyond in [10..15, 15..16, u64::MAX - 1..u64::MAX] {
                assert_eq!(original.read(beyond).unwrap_err().code, &CHANGED);
            }
        }
    }

    #[test]
    fn a_file_that_shrinks_is_a_fault_and_never_a_short_answer() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 100]).unwrap();
        let original = Original::file(File::open(file.path()).unwrap()).unwrap();
        file.as_file().set_len(50).unwrap();
        assert_eq!(original.whole().unwrap_err().code, &CHANGED);
        assert_eq!(original.read(0..50).unwrap(), [7; 50]);
    }

    #[test]
    fn a_folder_is_no_original() {
        let folder = File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
        assert_eq!(Original::file(folder).unwrap_err().code, &UNREADABLE);
    }
}
