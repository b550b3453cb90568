//! A PDF on its way out: each object leaves for the sink as soon as it is written, and only its offset is kept.
//!
//! The writer library keeps a whole file in memory; a file of five hundred scans has no place there.

use crate::fault::{Class, Code, Fault, Outcome};
use pdf_writer::{Chunk, Ref};
use std::collections::BTreeMap;
use std::io::Write;

/// A file of PDF 1.7 whose objects go to a sink one after the other.
pub(super) struct Output<'s> {
    sink: &'s mut dyn Write,
    at: u64,
    hasher: blake3::Hasher,
    offsets: BTreeMap<i32, u64>,
}

impl<'s> Output<'s> {
    /// Writes the header and the bytes that mark a binary file.
    pub(super) fn new(sink: &'s mut dyn Write) -> Outcome<Self> {
        let mut output = Output { sink, at: 0, hasher: blake3::Hasher::new(), offsets: BTreeMap::new() };
        output.put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\n")?;
        Ok(output)
    }

    /// Writes the one indirect object `id`.
    pub(super) fn object(&mut self, id: Ref, write: impl FnOnce(&mut Chunk)) -> Outcome<()> {
        let mut chunk = Chunk::new();
        write(&mut chunk);
        debug_assert!(chunk.refs().eq([id]), "one object at a time");
        self.offsets.insert(id.get(), self.at);
        self.put(chunk.as_bytes())
    }

    /// Writes one indirect object whose body somebody else has made, as [`super::font`] does.
    pub(super) fn raw(&mut self, id: Ref, body: &[u8]) -> Outcome<()> {
        self.offsets.insert(id.get(), self.at);
        self.put(format!("{} 0 obj\n", id.get()).as_bytes())?;
        self.put(body)?;
        self.put(b"\nendobj\n\n")
    }

    /// Writes the cross-reference table and the trailer. The file's identifier is the digest of its objects, so that
    /// the same objects make the same file.
    pub(super) fn finish(mut self, root: Ref) -> Outcome<()> {
        let start = self.at;
        let size = self.offsets.keys().next_back().map_or(1, |last| last + 1);
        let mut end = format!("xref\n0 {size}\n0000000000 65535 f\r\n");
        for number in 1..size {
            // Numbers are given out one after the other and every one is written; a gap would be a free entry.
            match self.offsets.get(&number) {
                Some(offset) => end.push_str(&format!("{offset:010} 00000 n\r\n")),
                None => end.push_str("0000000000 65535 f\r\n"),
            }
        }
        let id = hex::encode(&self.hasher.finalize().as_bytes()[..16]);
        let root = root.get();
        end.push_str(&format!(
            "trailer\n<<\n  /Size {size}\n  /Root {root} 0 R\n  /ID [<{id}> <{id}>]\n>>\n"
        ));
        end.push_str(&format!("startxref\n{start}\n%%EOF"));
        self.put(end.as_bytes())?;
        self.sink.flush().map_err(|e| Fault::new(&NOT_WRITTEN).detail(e.kind()))
    }

    fn put(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        self.sink.write_all(bytes).map_err(|e| Fault::new(&NOT_WRITTEN).detail(e.kind()))
    }
}

/// The sink of a file failed.
pub const NOT_WRITTEN: Code = Code {
    id: "PDF-034",
    class: Class::Setup,
    vi: "Không ghi được tệp PDF",
    en: "the PDF cannot be written",
    remedy_vi: "Kiểm tra thư mục, quyền ghi và chỗ trống trên đĩa",
    remedy_en: "check the folder, the permission to write and the free space",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NOT_WRITTEN];

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_a_fault_at_every_byte() {
        let write = |sink: &mut dyn Write| {
            let mut output = Output::new(sink)?;
            output.object(Ref::new(1), |chunk| {
                chunk.indirect(Ref::new(1)).primitive(7);
            })?;
            output.finish(Ref::new(1))
        };
        let mut whole = Vec::new();
        write(&mut whole).unwrap();
        assert!(write(&mut Full(whole.len())).is_ok());
        for room in 0..whole.len() {
            assert_eq!(write(&mut Full(room)).unwrap_err().code, &NOT_WRITTEN, "{room}");
        }
    }
}
