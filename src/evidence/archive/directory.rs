//! The central directory of an archive: where it lies, and that each of its entries, and the header before each content, is of
//! the one form.

use super::header::{
    CENTRAL, CENTRAL_SIZE, END, END_SIZE, Header, LOCAL, LOCAL_SIZE, ZIP64_LOCATOR, end, u16_at, u32_at,
};
use super::{
    COMPRESSED, ENCRYPTED, GAP, HEADER, MAX_ENTRIES, MAX_ENTRY, MAX_NAME, NOT_AN_ARCHIVE, OVERLAP, SYMLINK,
    TOO_LARGE, TRAILING, TWO_DIRECTORIES, ZIP64, check_name, read_range,
};
use crate::fault::{Fault, Outcome};
use std::io::{Read, Seek};
use std::ops::Range;

/// Finds the end, and from it how many entries there are and where the directory lies.
pub(super) fn directory<R: Read + Seek>(file: &mut R, length: u64) -> Outcome<(usize, Range<u64>)> {
    if length < END_SIZE {
        return Err(Fault::new(&NOT_AN_ARCHIVE));
    }
    let tail = read_range(file, &(length.saturating_sub(TAIL)..length))?;
    let ends: Vec<usize> =
        (0..tail.len().saturating_sub(3)).filter(|at| tail[*at..].starts_with(END)).collect();
    let start = tail.len() - END_SIZE as usize;
    match ends.as_slice() {
        [] => return Err(Fault::new(&NOT_AN_ARCHIVE)),
        [.., last] if *last != start => return Err(Fault::new(&TRAILING)),
        _ => {}
    }
    let bytes = &tail[start..];
    if start >= 20 && tail[start - 20..].starts_with(ZIP64_LOCATOR) {
        return Err(Fault::new(&ZIP64));
    }
    let count = usize::from(u16_at(bytes, 10));
    let (size, offset) = (u64::from(u32_at(bytes, 12)), u64::from(u32_at(bytes, 16)));
    if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
        return Err(Fault::new(&ZIP64));
    }
    if u16_at(bytes, 20) != 0 {
        return Err(Fault::new(&TRAILING).detail("a comment"));
    }
    if count > MAX_ENTRIES || size > MAX_DIRECTORY {
        return Err(Fault::new(&TOO_LARGE).detail(format!("{count} entries")));
    }
    let directory = offset..length - END_SIZE;
    if offset.checked_add(size) != Some(directory.end) {
        return Err(if offset + size > directory.end {
            Fault::new(&OVERLAP).detail("the directory reaches into its end")
        } else {
            between(file, offset + size, "end")
        });
    }
    if bytes != end(count, size, offset) {
        return Err(Fault::new(&HEADER).at("end"));
    }
    Ok((count, directory))
}

/// Bytes that belong to nothing, beginning there; a second directory is called so.
pub(super) fn between<R: Read + Seek>(file: &mut R, from: u64, before: &str) -> Fault {
    let mark = read_range(file, &(from..from.saturating_add(4))).unwrap_or_default();
    if [CENTRAL, END].iter().any(|m| mark.starts_with(*m)) {
        Fault::new(&TWO_DIRECTORIES)
    } else {
        Fault::new(&GAP).at(format!("before {before}"))
    }
}

/// An entry of the directory, of the one form.
pub(super) struct Central<'a> {
    pub(super) name: &'a [u8],
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) offset: u64,
}

/// One entry of the directory, named for what is wrong with it before it is compared as a whole.
pub(super) fn central_entry(bytes: &[u8]) -> Outcome<(Central<'_>, &[u8])> {
    let short = || Fault::new(&HEADER).at("directory").detail("cut off");
    let fixed = bytes.get(..CENTRAL_SIZE).ok_or_else(short)?;
    if !fixed.starts_with(CENTRAL) {
        return Err(Fault::new(&HEADER).at("directory"));
    }
    let (name_size, extra, comment) = (u16_at(fixed, 28), u16_at(fixed, 30), u16_at(fixed, 32));
    let whole = CENTRAL_SIZE + usize::from(name_size) + usize::from(extra) + usize::from(comment);
    let entry = bytes.get(..whole).ok_or_else(short)?;
    let name = &entry[CENTRAL_SIZE..CENTRAL_SIZE + usize::from(name_size)];
    check_name(name)?;
    let shown = String::from_utf8_lossy(name).into_owned();
    let (packed, size) = (u32_at(fixed, 20), u32_at(fixed, 24));
    let offset = u32_at(fixed, 42);
    named(u16_at(fixed, 8), u16_at(fixed, 10), (packed, size), &shown)?;
    if offset == u32::MAX || entry[CENTRAL_SIZE + usize::from(name_size)..].starts_with(&[1, 0]) {
        return Err(Fault::new(&ZIP64).at(shown));
    }
    if u32_at(fixed, 38) >> 28 == 0o12 {
        return Err(Fault::new(&SYMLINK).at(shown));
    }
    let (crc, size, offset) = (u32_at(fixed, 16), u64::from(size), u64::from(offset));
    if size > MAX_ENTRY {
        return Err(Fault::new(&TOO_LARGE).at(shown).detail(format!("{size} bytes")));
    }
    if entry != (Header { name: &shown, crc, size, offset }).central() {
        return Err(Fault::new(&HEADER).at(shown));
    }
    Ok((Central { name, crc, size, offset }, &bytes[whole..]))
}

pub(super) fn check_local(bytes: &[u8], header: &Header<'_>) -> Outcome<()> {
    if bytes == header.local() {
        return Ok(());
    }
    if bytes.len() >= LOCAL_SIZE && bytes.starts_with(LOCAL) {
        named(u16_at(bytes, 6), u16_at(bytes, 8), (u32_at(bytes, 18), u32_at(bytes, 22)), header.name)?;
    }
    Err(Fault::new(&HEADER).at(header.name).detail("the local header and the directory differ"))
}

/// What is refused under its own name.
fn named(flags: u16, method: u16, (packed, size): (u32, u32), name: &str) -> Outcome<()> {
    if flags & (1 | 1 << 6 | 1 << 13) != 0 {
        return Err(Fault::new(&ENCRYPTED).at(name));
    }
    if packed == u32::MAX || size == u32::MAX {
        return Err(Fault::new(&ZIP64).at(name));
    }
    if method != 0 || packed != size {
        return Err(Fault::new(&COMPRESSED).at(name).detail(format!("method {method}")));
    }
    Ok(())
}

/// As far back as an end with the longest comment can lie.
const TAIL: u64 = END_SIZE + 0xffff + 20;
const MAX_DIRECTORY: u64 = (MAX_ENTRIES * (CENTRAL_SIZE + MAX_NAME)) as u64;
