//! Whether a file on disk is whole by its own structure, from its head and tail only: a scanner may still be writing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// True when the file's format says that it has its end: a JPEG its EOI, a PNG its IEND, a PDF its `startxref` and
/// `%%EOF`, a TIFF its first directory inside the file. A format that is not known is whole when it is not empty:
/// intake refuses it with a reason.
pub fn looks_complete(path: &Path) -> bool {
    let read = || -> std::io::Result<(Vec<u8>, Vec<u8>, u64)> {
        // A pipe would let the watcher wait for a writer that never comes.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut head = vec![0; size.min(16) as usize];
        file.read_exact(&mut head)?;
        let tail_size = size.min(2048);
        file.seek(SeekFrom::Start(size - tail_size))?;
        let mut tail = Vec::new();
        file.take(tail_size).read_to_end(&mut tail)?;
        Ok((head, tail, size))
    };
    read().is_ok_and(|(head, tail, size)| whole(&head, &tail, size))
}

fn whole(head: &[u8], tail: &[u8], size: u64) -> bool {
    if head.starts_with(&[0xff, 0xd8]) {
        // Some scanners pad the file with zeros behind the end marker.
        let end = tail.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
        return tail[..end].ends_with(&[0xff, 0xd9]) || find(tail, &[0xff, 0xd9]);
    }
    if head.starts_with(b"\x89PNG") {
        return find(tail, b"IEND");
    }
    if head.starts_with(b"%PDF") {
        return find(tail, b"startxref") && find(tail, b"%%EOF");
    }
    if head.starts_with(b"II*\0") || head.starts_with(b"MM\0*") {
        let offset: Option<[u8; 4]> = head.get(4..8).and_then(|b| b.try_into().ok());
        let offset =
            offset.map_or(0, |b| if head[0] == b'I' { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) });
        // The first directory is often written last: an offset of 0 or past the end is a file in the making.
        return offset >= 8 && u64::from(offset) + 2 <= size;
    }
    size > 0
}

fn find(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_knows_its_end() {
        assert!(whole(&[0xff, 0xd8, 0xff], &[0xff, 0xd9, 0, 0], 9));
        assert!(!whole(&[0xff, 0xd8, 0xff], &[0xff, 0xd0], 9));
        assert!(whole(b"%PDF-1.7", b"startxref\n9\n%%EOF\n", 99));
        assert!(!whole(b"%PDF-1.7", b"endobj", 99));
        assert!(whole(b"II*\0\x08\0\0\0", b"", 100));
        assert!(!whole(b"II*\0\0\0\0\0", b"", 100));
        assert!(!whole(b"MM\0*\0\0\x01\0", b"", 100));
        assert!(!whole(b"", b"", 0));
    }
}
