//! The zip that a bundle is: the narrowest form there is, so that any program opens it and every byte of it is known.
//!
//! Written: one entry after the other from the first byte on, stored and not compressed, names in ASCII and in order, times
//! at zero, then one central directory and its end. Nothing else: no comment, extra field, zip64 or data descriptor. Sealed
//! PDFs hold their pictures compressed already, so that storing costs little; and with stored entries a header says nothing
//! that does not follow from names, sizes and sums. The reader makes every header anew and wants it byte for byte (APPNOTE
//! 6.3.10, sections 4.3 and 4.4): no bit of the file is free, and nothing in it can expand.

mod directory;
mod header;

use crate::fault::{Class, Code, Fault, Outcome};
use directory::{between, central_entry, check_local, directory};
use header::{END, Header, LOCAL, LOCAL_SIZE, end};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

/// Most entries.
pub const MAX_ENTRIES: usize = 4096;
/// Largest bundle, bytes.
pub const MAX_FILE: u64 = 3 << 30;
/// Largest entry, bytes: a sealed PDF is judged in memory.
pub const MAX_ENTRY: u64 = 512 << 20;
/// Longest name, bytes.
pub const MAX_NAME: usize = 120;
const MAX_DEPTH: usize = 4;

/// An entry of an archive that was found to be of the one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with `/` between its parts.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    crc: u32,
    data: u64,
}

/// An archive whose structure was checked; contents are read and summed one by one.
#[derive(Debug)]
pub struct Archive<R> {
    file: R,
    entries: Vec<Entry>,
}

/// Writes an archive; entries must come in the order of their names.
///
/// # Errors
/// [`TOO_LARGE`], [`BAD_NAME`], [`DUPLICATE`] for what no reader would take; [`UNWRITABLE`] from the sink.
pub struct Writer<W> {
    sink: W,
    at: u64,
    central: Vec<u8>,
    count: usize,
    last: String,
}

impl<W: Write> Writer<W> {
    /// Nothing yet.
    pub fn new(sink: W) -> Self {
        Writer { sink, at: 0, central: Vec::new(), count: 0, last: String::new() }
    }

    /// Adds one entry.
    ///
    /// # Errors
    /// See [`Writer`].
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        check_name(name.as_bytes())?;
        if name <= self.last.as_str() {
            return Err(Fault::new(&DUPLICATE).at(name));
        }
        let size = bytes.len() as u64;
        if size > MAX_ENTRY || self.count == MAX_ENTRIES || self.at + size > MAX_FILE - (1 << 20) {
            return Err(Fault::new(&TOO_LARGE).at(name));
        }
        let header = Header { name, crc: crc32fast::hash(bytes), size, offset: self.at };
        let local = header.local();
        self.central.extend(header.central());
        self.write(&local)?;
        self.write(bytes)?;
        self.at += local.len() as u64 + size;
        self.count += 1;
        name.clone_into(&mut self.last);
        Ok(())
    }

    /// Writes the directory and gives the sink back.
    ///
    /// # Errors
    /// [`UNWRITABLE`].
    pub fn finish(mut self) -> Outcome<W> {
        let central = std::mem::take(&mut self.central);
        self.write(&central)?;
        let end = end(self.count, central.len() as u64, self.at);
        self.write(&end)?;
        Ok(self.sink)
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.sink.write_all(bytes).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Checks the whole structure and reads no content. Takes memory for the directory alone, at most a few hundred
    /// kilobytes.
    ///
    /// # Errors
    /// [`NOT_AN_ARCHIVE`] and the other codes of this file, each with the entry where it was found.
    pub fn open(mut file: R) -> Outcome<Self> {
        let length = file.seek(SeekFrom::End(0)).map_err(|e| unreadable(&e))?;
        if length > MAX_FILE {
            return Err(Fault::new(&TOO_LARGE).detail(format!("{length} bytes")));
        }
        let (count, directory) = directory(&mut file, length)?;
        let central = read_range(&mut file, &directory)?;
        let mut entries = Vec::with_capacity(count.min(MAX_ENTRIES));
        let mut rest = central.as_slice();
        let mut names = std::collections::HashSet::new();
        let mut last = Vec::new();
        let mut at = 0u64;
        for _ in 0..count {
            let (found, after) = central_entry(rest)?;
            rest = after;
            let name = found.name;
            let shown = String::from_utf8_lossy(name).into_owned();
            // Two names that a file system takes for one are one.
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(Fault::new(&DUPLICATE).at(shown));
            }
            if name <= last.as_slice() {
                return Err(Fault::new(&HEADER).at(shown).detail("out of order"));
            }
            last = name.to_vec();
            if found.offset < at {
                return Err(Fault::new(&OVERLAP).at(shown));
            }
            if found.offset > at {
                return Err(between(&mut file, at, &shown));
            }
            let data = at + (LOCAL_SIZE + name.len()) as u64;
            let end = data + found.size;
            if end > directory.start {
                return Err(Fault::new(&OVERLAP).at(shown).detail("reaches into the directory"));
            }
            let header = Header { name: &shown, crc: found.crc, size: found.size, offset: at };
            check_local(&read_range(&mut file, &(at..data))?, &header)?;
            entries.push(Entry { name: shown, size: found.size, crc: found.crc, data });
            at = end;
        }
        if !rest.is_empty() {
            return Err(Fault::new(&HEADER).detail("more entries in the directory than it says"));
        }
        if at != directory.start {
            return Err(between(&mut file, at, "directory"));
        }
        Ok(Archive { file, entries })
    }

    /// The entries, in the order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The content of an entry of at most `limit` bytes.
    ///
    /// # Errors
    /// [`TOO_LARGE`], [`CHECKSUM`], [`NESTED`], and [`NOT_AN_ARCHIVE`] where the file cannot be read any more.
    pub fn read(&mut self, entry: &Entry, limit: u64) -> Outcome<Vec<u8>> {
        if entry.size > limit {
            return Err(Fault::new(&TOO_LARGE).at(&entry.name).detail(format!("{} bytes", entry.size)));
        }
        let bytes = read_range(&mut self.file, &(entry.data..entry.data + entry.size))?;
        if crc32fast::hash(&bytes) != entry.crc {
            return Err(Fault::new(&CHECKSUM).at(&entry.name));
        }
        if [LOCAL, END].iter().any(|mark| bytes.starts_with(*mark)) {
            return Err(Fault::new(&NESTED).at(&entry.name));
        }
        Ok(bytes)
    }
}

/// Whether bytes begin as an archive does.
pub fn looks_like_one(head: &[u8]) -> bool {
    head.starts_with(LOCAL) || head.starts_with(END)
}

/// Parts of letters, digits, `.`, `_` and `-`, none of them empty or beginning with a dot.
fn check_name(name: &[u8]) -> Outcome<()> {
    let plain = |part: &[u8]| {
        part.first().is_some_and(|c| *c != b'.')
            && part.iter().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(c))
    };
    let parts = name.split(|c| *c == b'/');
    if name.len() <= MAX_NAME && parts.clone().count() <= MAX_DEPTH && parts.clone().all(plain) {
        return Ok(());
    }
    // Escaped: what cannot be a name must not move the reader's terminal.
    Err(Fault::new(&BAD_NAME).at(name[..name.len().min(MAX_NAME)].escape_ascii()))
}

fn read_range<R: Read + Seek>(file: &mut R, range: &Range<u64>) -> Outcome<Vec<u8>> {
    let size = range.end.saturating_sub(range.start);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(range.start))
        .and_then(|_| file.by_ref().take(size).read_to_end(&mut bytes))
        .map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(Fault::new(&HEADER).detail("cut off")) }
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::new(&NOT_AN_ARCHIVE).detail(error.kind())
}

/// A code of this file: the bundle is not what hoso writes, and nothing in it was believed.
const fn refused(id: &'static str, vi: &'static str, en: &'static str) -> Code {
    Code {
        id,
        class: Class::Input,
        vi,
        en,
        remedy_vi: "Không mở gói này bằng chương trình khác; xin lại gói từ cơ quan đã lập",
        remedy_en: "do not open it with another program; ask whoever made it for the bundle again",
    }
}

/// No zip, or one that is cut off at its end.
pub const NOT_AN_ARCHIVE: Code = refused(
    "EVID-001",
    "Tệp không phải gói chứng cứ (zip) hoặc bị cắt cụt",
    "the file is no zip, or its end is gone",
);
/// Over a limit.
pub const TOO_LARGE: Code = refused(
    "EVID-002",
    "Gói chứng cứ khai kích thước hoặc số mục vượt giới hạn",
    "it declares more bytes or entries than a bundle may have",
);
/// Compressed, or sizes that do not agree.
pub const COMPRESSED: Code = refused(
    "EVID-003",
    "Mục trong gói bị nén, gói chứng cứ chỉ lưu nguyên",
    "an entry is compressed; bundles store theirs as they are",
);
/// Encrypted.
pub const ENCRYPTED: Code = refused("EVID-004", "Mục trong gói bị mã hóa", "an entry is encrypted");
/// Zip64.
pub const ZIP64: Code = refused(
    "EVID-005",
    "Gói dùng trường zip64, gói chứng cứ không có",
    "it has zip64 fields, which bundles have not",
);
/// A name that leads elsewhere.
pub const BAD_NAME: Code = refused(
    "EVID-006",
    "Tên mục trong gói không an toàn",
    "an entry's name is absolute, leads upward or is not plain",
);
/// One name twice.
pub const DUPLICATE: Code = refused("EVID-007", "Gói có hai mục cùng tên", "two entries have one name");
/// A link.
pub const SYMLINK: Code =
    refused("EVID-008", "Mục trong gói là liên kết tới nơi khác", "an entry is a symbolic link");
/// Entries over one another.
pub const OVERLAP: Code = refused("EVID-009", "Các mục trong gói chồng lên nhau", "entries overlap");
/// Bytes that belong to nothing.
pub const GAP: Code = refused(
    "EVID-010",
    "Gói có dữ liệu nằm ngoài các mục",
    "there are bytes between the entries that belong to none",
);
/// Bytes after the end.
pub const TRAILING: Code = refused("EVID-011", "Gói có dữ liệu thừa ở cuối", "there are bytes after its end");
/// Two directories.
pub const TWO_DIRECTORIES: Code =
    refused("EVID-012", "Gói có hai bảng mục lục", "it has two central directories");
/// A zip in the zip.
pub const NESTED: Code = refused("EVID-013", "Trong gói có gói khác", "an entry is a zip itself");
/// A field that is not what it must be.
pub const HEADER: Code =
    refused("EVID-014", "Cấu trúc gói bị sửa hoặc hỏng", "a field of its structure is not what it must be");
/// A sum that does not fit.
pub const CHECKSUM: Code = refused(
    "EVID-015",
    "Nội dung một mục trong gói bị hỏng hoặc bị sửa",
    "an entry's bytes do not fit their checksum",
);
/// Where the bundle is written to does not take it.
pub const UNWRITABLE: Code = Code {
    id: "EVID-016",
    class: Class::Later,
    vi: "Không ghi được gói chứng cứ",
    en: "the bundle cannot be written",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi rồi lập lại",
    remedy_en: "check the free space and the right to write, then make it again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[
    &NOT_AN_ARCHIVE,
    &TOO_LARGE,
    &COMPRESSED,
    &ENCRYPTED,
    &ZIP64,
    &BAD_NAME,
    &DUPLICATE,
    &SYMLINK,
    &OVERLAP,
    &GAP,
    &TRAILING,
    &TWO_DIRECTORIES,
    &NESTED,
    &HEADER,
    &CHECKSUM,
    &UNWRITABLE,
];

#[cfg(test)]
mod tests;
