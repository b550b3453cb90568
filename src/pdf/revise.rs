//! A reader that walks the cross-reference chain of a stranger's PDF, and a writer that only ever appends.
//!
//! Whoever signs must not move a byte that somebody else signed. So nothing here saves a document: [`Document`] looks
//! at the bytes as they are, and [`Revision`] makes the bytes that go behind them. There is no repair: a file whose
//! chain is broken is refused with the place, since two programs that repair differently show different papers.

mod filter;
mod form;
mod page;
mod parse;
mod source;
mod tail;
mod value;
mod xref;

pub(crate) use parse::{Parser, unhex};

pub use form::Field;
pub use page::{Page, Rect};
pub use tail::{Appended, Revision};
pub use value::{Dict, ObjectId, Stream, Value, text_of, text_string};
pub use xref::{Entry, Kind, Section};

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use source::Source;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// A PDF file as it lies there. Opening reads the cross-reference chain only; objects are read when asked for.
pub struct Document<'a> {
    source: Source<'a>,
    sections: Vec<Section>,
    newest: HashMap<u32, Entry>,
    depth: Cell<usize>,
    unpacked: Cell<usize>,
    packs: RefCell<HashMap<u32, Rc<Pack>>>,
    catalog: OnceCell<(ObjectId, Dict)>,
}

impl<'a> Document<'a> {
    /// Opens a file at its last revision.
    ///
    /// # Errors
    /// A broken, looping or too long chain; an encrypted file; no `%PDF-` at the first byte.
    pub fn open(bytes: &'a [u8]) -> Outcome<Self> {
        Self::open_source(Source::Memory(bytes))
    }

    /// Opens a file where it lies: of it only what is asked for is read.
    ///
    /// # Errors
    /// As [`Document::open`], and those of the file.
    pub fn open_original(file: &'a Original) -> Outcome<Self> {
        match file.in_memory() {
            Some(bytes) => Self::open(bytes),
            None => Self::open_source(Source::of_file(file)),
        }
    }

    /// The first `end` bytes as a document of their own, at its last revision.
    ///
    /// # Errors
    /// As [`Document::open`].
    pub fn until(&self, end: usize) -> Outcome<Document<'a>> {
        Self::open_source(self.source.until(end))
    }

    /// The first `end` bytes as the section at `offset` and those before it describe them.
    ///
    /// # Errors
    /// As [`Document::open`].
    pub fn until_section(&self, end: usize, offset: usize) -> Outcome<Document<'a>> {
        let source = self.source.until(end);
        source.check_header()?;
        Self::at_section(source, offset)
    }

    fn open_source(source: Source<'a>) -> Outcome<Self> {
        source.check_header()?;
        let newest = source.last_startxref()?;
        Self::at_section(source, newest)
    }

    fn at_section(source: Source<'a>, offset: usize) -> Outcome<Self> {
        let (sections, newest) = xref::walk(source, offset)?;
        if sections.iter().any(|s| s.trailer.get(b"Encrypt").is_some_and(|v| *v != Value::Null)) {
            return Err(Fault::new(&ENCRYPTED));
        }
        Ok(Document {
            source,
            sections,
            newest,
            depth: Cell::new(0),
            unpacked: Cell::new(0),
            packs: RefCell::default(),
            catalog: OnceCell::new(),
        })
    }

    /// The bytes of a range, from memory or from the file; none where it reaches beyond the end.
    ///
    /// # Errors
    /// Those of the file.
    pub fn read(&self, range: Range<usize>) -> Outcome<Cow<'a, [u8]>> {
        self.source.read(range)
    }

    /// Gives all bytes of a range in parts, in order; those of a file through `buffer`, which may be used again.
    ///
    /// # Errors
    /// Those of the file.
    pub fn stream(
        &self,
        range: Range<usize>,
        buffer: &mut Vec<u8>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Outcome<()> {
        self.source.stream(range, buffer, take)
    }

    /// Where the bytes before `end` stop but for white space.
    ///
    /// # Errors
    /// Those of the file.
    pub fn ink_end(&self, end: usize) -> Outcome<usize> {
        self.source.ink_end(end)
    }

    /// Octets of the file.
    pub fn length(&self) -> usize {
        self.source.len()
    }

    /// The cross-reference sections, newest first.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The trailer of the newest section.
    pub fn trailer(&self) -> &Dict {
        static EMPTY: std::sync::LazyLock<Dict> = std::sync::LazyLock::new(Dict::new);
        self.sections.first().map_or(&*EMPTY, |s| &s.trailer)
    }

    /// Where an object is, in the newest revision.
    pub fn entry(&self, number: u32) -> Option<Entry> {
        self.newest.get(&number).copied()
    }

    /// The numbers of all objects that are not free, ascending.
    pub fn object_numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> =
            self.newest.iter().filter(|(_, e)| **e != Entry::Free).map(|(n, _)| *n).collect();
        numbers.sort_unstable();
        numbers
    }

    /// One more than the highest object number that the chain knows or claims.
    pub fn size(&self) -> u32 {
        let highest = self.newest.keys().max().map_or(0, |n| n.saturating_add(1));
        let claimed = self.sections.iter().filter_map(|s| s.trailer.get(b"Size")?.as_int());
        claimed.filter_map(|n| u32::try_from(n).ok()).max().unwrap_or(0).max(highest)
    }

    /// An indirect object; [`Value::Null`] where there is none (7.3.10).
    ///
    /// # Errors
    /// The entry points to something else, or the object is malformed.
    pub fn get(&self, id: ObjectId) -> Outcome<Value> {
        let depth = self.depth.get();
        if depth > MAX_NESTED_READS {
            return Err(Fault::new(&TOO_LARGE).detail("objects that need each other to be read"));
        }
        self.depth.set(depth + 1);
        let value = match self.entry(id.number) {
            None | Some(Entry::Free) => Ok(Value::Null),
            Some(Entry::At { generation, .. }) if generation != id.generation => Ok(Value::Null),
            Some(Entry::At { offset, .. }) => self.read_at(id, offset).map(|(value, _)| value),
            Some(Entry::In { .. }) if id.generation != 0 => Ok(Value::Null),
            Some(Entry::In { stream, index }) => self.unpack(id, stream, index),
        };
        self.depth.set(depth);
        value
    }

    /// An indirect object and its bytes in the file, from its header to the end of `endobj`; `None` for one that is in an
    /// object stream or nowhere.
    ///
    /// # Errors
    /// As [`Document::get`].
    pub fn placed(&self, id: ObjectId) -> Outcome<Option<(Value, Range<usize>)>> {
        match self.entry(id.number) {
            Some(Entry::At { offset, generation }) if generation == id.generation => {
                self.read_at(id, offset).map(|(value, end)| Some((value, offset..end)))
            }
            _ => Ok(None),
        }
    }

    /// The value itself, or what it refers to.
    ///
    /// # Errors
    /// As [`Document::get`], and references that only lead to references.
    pub fn resolve(&self, value: &Value) -> Outcome<Value> {
        let Value::Ref(first) = value else { return Ok(value.clone()) };
        let mut id = *first;
        for _ in 0..MAX_NESTED_READS {
            match self.get(id)? {
                Value::Ref(next) => id = next,
                value => return Ok(value),
            }
        }
        Err(Fault::new(&TOO_LARGE).detail(format!("references without end from {first}")))
    }

    /// The value of a key, resolved; [`Value::Null`] where there is none.
    ///
    /// # Errors
    /// As [`Document::resolve`].
    pub fn lookup(&self, dict: &Dict, key: &[u8]) -> Outcome<Value> {
        dict.get(key).map_or(Ok(Value::Null), |value| self.resolve(value))
    }

    /// Whether two streams have the same raw bytes, wherever they lie.
    ///
    /// # Errors
    /// Those of the file.
    pub fn same_bytes(&self, own: &Stream, other: &Document<'_>, theirs: &Stream) -> Outcome<bool> {
        let length = own.end.saturating_sub(own.start);
        if length != theirs.end.saturating_sub(theirs.start) {
            return Ok(false);
        }
        let (mut at, mut same, mut trouble) = (theirs.start, true, None);
        self.stream(own.start..own.end, &mut Vec::new(), &mut |part| {
            if same && trouble.is_none() {
                match other.read(at..at.saturating_add(part.len())) {
                    Ok(bytes) => same = *bytes == *part,
                    Err(fault) => trouble = Some(fault),
                }
                at = at.saturating_add(part.len());
            }
        })?;
        trouble.map_or(Ok(same), Err)
    }

    fn stream_bytes(&self, stream: &Stream) -> Outcome<Cow<'a, [u8]>> {
        self.source.read(stream.start..stream.end)
    }

    /// The decoded bytes of a stream value, of at most `limit` bytes. Flate (with predictors) and ASCIIHex only.
    ///
    /// # Errors
    /// Not a stream, another filter, broken or too much data.
    pub fn stream_data(&self, value: &Value, limit: usize) -> Outcome<Vec<u8>> {
        let Value::Stream(stream) = value else {
            return Err(Fault::new(&SYNTAX).detail("an object is not a stream"));
        };
        let names = self.list(&stream.dict, &[b"Filter", b"F"])?;
        let parms = self.list(&stream.dict, &[b"DecodeParms", b"DP"])?;
        let mut filters = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let mut resolved = Dict::new();
            if let Some(parms) = parms.get(i).and_then(Value::as_dict) {
                for (key, value) in parms.iter() {
                    resolved.set(key, self.resolve(value)?);
                }
            }
            filters
                .push(filter::Filter { name: name.as_name().unwrap_or_default().to_vec(), parms: resolved });
        }
        filter::decode(&self.stream_bytes(stream)?, &filters, limit)
    }

    /// The catalog and its object.
    ///
    /// # Errors
    /// There is none.
    pub fn catalog(&self) -> Outcome<(ObjectId, Dict)> {
        if let Some(read) = self.catalog.get() {
            return Ok(read.clone());
        }
        let root = self.trailer().get(b"Root").and_then(Value::as_ref).ok_or(&NO_CATALOG)?;
        match self.get(root)? {
            Value::Dict(dict) => Ok(self.catalog.get_or_init(|| (root, dict)).clone()),
            _ => Err(Fault::new(&NO_CATALOG)),
        }
    }

    /// A single value or an array of them, resolved, under the first key that is there.
    fn list(&self, dict: &Dict, keys: &[&[u8]]) -> Outcome<Vec<Value>> {
        for key in keys {
            match self.lookup(dict, key)? {
                Value::Null => {}
                Value::Array(items) if items.len() > MAX_NESTED_READS => {
                    return Err(Fault::new(&TOO_LARGE).detail("too many filters on one stream"));
                }
                Value::Array(items) => return items.iter().map(|item| self.resolve(item)).collect(),
                // `/F` of a stream dictionary is a file specification unless it names a filter.
                one @ (Value::Name(_) | Value::Dict(_)) => return Ok(vec![one]),
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    fn read_at(&self, id: ObjectId, offset: usize) -> Outcome<(Value, usize)> {
        let misplaced = || Fault::new(&MISPLACED).detail(format!("object {} is not at {offset}", id.number));
        let ((value, ended), at) = self.source.parse(offset, |parser| {
            if parser.object_header().map_err(|_| misplaced())? != id {
                return Err(misplaced());
            }
            let value = parser.value()?;
            parser.skip_space();
            if value.as_dict().is_some() && parser.rest().starts_with(b"stream") {
                return Ok((value, false));
            }
            if parser.keyword(b"endobj") { Ok((value, true)) } else { Err(parser.syntax("no endobj")) }
        })?;
        let Value::Dict(dict) = value else { return Ok((value, at)) };
        if ended {
            return Ok((Value::Dict(dict), at));
        }
        let length = self.lookup(&dict, b"Length")?.as_int().and_then(|n| usize::try_from(n).ok());
        let length =
            length.ok_or_else(|| Fault::new(&SYNTAX).detail(format!("stream without Length at {at}")))?;
        let (body, at) = stream_range(self.source, at, length)?;
        let ((), at) = self.source.parse(at, |parser| {
            parser.skip_space();
            if parser.keyword(b"endobj") { Ok(()) } else { Err(parser.syntax("no endobj")) }
        })?;
        Ok((Value::Stream(Stream { dict, start: body.start, end: body.end }), at))
    }

    fn unpack(&self, id: ObjectId, stream: u32, index: u32) -> Outcome<Value> {
        let pack = self.pack(stream)?;
        let misplaced = || {
            Fault::new(&MISPLACED).detail(format!("object {} is not in object stream {stream}", id.number))
        };
        let (number, at) =
            *usize::try_from(index).ok().and_then(|i| pack.index.get(i)).ok_or_else(misplaced)?;
        if number != id.number {
            return Err(misplaced());
        }
        Parser::new(&pack.data, at).value()
    }

    /// A decoded object stream (7.5.7), kept for the next object in it.
    fn pack(&self, number: u32) -> Outcome<Rc<Pack>> {
        if let Some(pack) = self.packs.borrow().get(&number) {
            return Ok(Rc::clone(pack));
        }
        let broken =
            |what: &str| Fault::new(&STREAM_BROKEN).detail(format!("object stream {number}: {what}"));
        let Some(Entry::At { offset, generation: 0 }) = self.entry(number) else {
            return Err(broken("not in the file"));
        };
        let (value, _) = self.read_at(ObjectId::new(number), offset)?;
        let Some(dict) = value.as_dict().filter(|d| d.is_name(b"Type", b"ObjStm")) else {
            return Err(broken("not an object stream"));
        };
        let small = |key: &[u8]| -> Outcome<usize> {
            let n = self.lookup(dict, key)?.as_int().and_then(|n| usize::try_from(n).ok());
            n.ok_or_else(|| broken("N or First missing"))
        };
        let (count, first) = (small(b"N")?, small(b"First")?);
        let left = MAX_UNPACKED.saturating_sub(self.unpacked.get());
        let data = self.stream_data(&value, left.min(MAX_PACK))?;
        self.unpacked.set(self.unpacked.get() + data.len());
        if first > data.len() || count > first {
            return Err(broken("N or First out of range"));
        }
        let mut header = Parser::new(&data[..first], 0);
        let mut index = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            let number =
                u32::try_from(header.unsigned()?).map_err(|_| broken("object number out of range"))?;
            let at = usize::try_from(header.unsigned()?).ok().and_then(|at| at.checked_add(first));
            let at = at.filter(|at| *at < data.len()).ok_or_else(|| broken("offset out of range"))?;
            index.push((number, at));
        }
        let pack = Rc::new(Pack { data, index });
        self.packs.borrow_mut().insert(number, Rc::clone(&pack));
        Ok(pack)
    }
}

/// A decoded object stream: its bytes, and number and position of each object in it.
struct Pack {
    data: Vec<u8>,
    index: Vec<(u32, usize)>,
}

/// Takes `stream`, `length` bytes and `endstream` from `at` on; the range of the bytes, and where the keyword ends.
fn stream_range(source: Source<'_>, at: usize, length: usize) -> Outcome<(Range<usize>, usize)> {
    let ((), start) = source.parse(at, |parser| {
        parser.skip_space();
        if !parser.keyword(b"stream") {
            return Err(parser.syntax("no stream keyword"));
        }
        parser.at += match parser.rest() {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => return Err(parser.syntax("no line end after the stream keyword")),
        };
        Ok(())
    })?;
    let end = start.checked_add(length).filter(|end| *end <= source.len());
    let end = end
        .ok_or_else(|| Fault::new(&SYNTAX).detail(format!("a stream is longer than the file at {start}")))?;
    let ((), after) = source.parse(end, |parser| {
        parser.skip_space();
        // At most a line end may stand between the data and its keyword; more means that Length is wrong.
        if parser.at - end > 2 || !parser.keyword(b"endstream") {
            return Err(Fault::new(&SYNTAX).detail(format!("no endstream where Length says at {end}")));
        }
        Ok(())
    })?;
    Ok((start..end, after))
}

const MAX_NESTED_READS: usize = 16;
/// Decoded bytes of one object stream.
const MAX_PACK: usize = 64 << 20;
/// Decoded bytes of all object streams of a document.
const MAX_UNPACKED: usize = 256 << 20;

/// Every code of this file and the files beside it.
pub const CODES: &[&Code] = &[
    &NOT_A_PDF,
    &NO_STARTXREF,
    &XREF_BROKEN,
    &XREF_LOOP,
    &TOO_LARGE,
    &SYNTAX,
    &MISPLACED,
    &FILTER,
    &STREAM_BROKEN,
    &ENCRYPTED,
    &HYBRID,
    &NO_CATALOG,
    &PAGE_TREE,
    &NO_SUCH_PAGE,
    &OFFSET_RANGE,
    &FORM,
];

/// No header at the first byte.
pub const NOT_A_PDF: Code = Code {
    id: "PDF-050",
    class: Class::Input,
    vi: "Tệp không phải là PDF, hoặc có dữ liệu lạ đứng trước phần đầu PDF",
    en: "not a PDF, or foreign bytes stand before its header",
    remedy_vi: "Kiểm tra lại tệp và xuất lại PDF từ nguồn",
    remedy_en: "check the file and export the PDF again from its source",
};

/// No usable startxref.
pub const NO_STARTXREF: Code = Code {
    id: "PDF-051",
    class: Class::Input,
    vi: "Tệp PDF bị cụt hoặc hỏng phần cuối",
    en: "the PDF has no usable startxref at its end",
    remedy_vi: "Lấy lại tệp đầy đủ từ nguồn",
    remedy_en: "fetch the whole file from its source again",
};

/// A section that cannot be read.
pub const XREF_BROKEN: Code = Code {
    id: "PDF-052",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF bị hỏng",
    en: "the cross-reference data of the PDF is broken",
    remedy_vi: "Xuất lại PDF từ nguồn; tệp đã ký thì lấy lại bản gốc",
    remedy_en: "export the PDF again from its source; if it is signed, fetch its original again",
};

/// The chain comes back to a section.
pub const XREF_LOOP: Code = Code {
    id: "PDF-053",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF lặp vòng",
    en: "the cross-reference chain of the PDF runs in a circle",
    remedy_vi: "Không dùng tệp này; lấy lại bản gốc từ nguồn",
    remedy_en: "do not use this file; fetch its original again",
};

/// A bound was met.
pub const TOO_LARGE: Code = Code {
    id: "PDF-054",
    class: Class::Input,
    vi: "Cấu trúc tệp PDF vượt giới hạn an toàn",
    en: "the PDF exceeds a safety limit",
    remedy_vi: "Chia nhỏ tệp hoặc xuất lại PDF từ nguồn",
    remedy_en: "split the file or export it again from its source",
};

/// Malformed syntax.
pub const SYNTAX: Code = Code {
    id: "PDF-055",
    class: Class::Input,
    vi: "Tệp PDF sai cú pháp",
    en: "malformed PDF syntax",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// An entry that points to something else.
pub const MISPLACED: Code = Code {
    id: "PDF-056",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF chỉ sai chỗ",
    en: "a cross-reference entry does not point to its object",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A filter this reader does not know.
pub const FILTER: Code = Code {
    id: "PDF-057",
    class: Class::Input,
    vi: "Tệp PDF dùng kiểu nén chưa được hỗ trợ ở phần cấu trúc",
    en: "a stream that must be read uses an unsupported filter",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A stream that does not decode.
pub const STREAM_BROKEN: Code = Code {
    id: "PDF-058",
    class: Class::Input,
    vi: "Dữ liệu nén trong tệp PDF bị hỏng",
    en: "a stream of the PDF does not decode",
    remedy_vi: "Lấy lại tệp đầy đủ từ nguồn",
    remedy_en: "fetch the whole file from its source again",
};

/// An encrypted file.
pub const ENCRYPTED: Code = Code {
    id: "PDF-059",
    class: Class::Input,
    vi: "Tệp PDF được mã hoá nên không thể ký hoặc kiểm tra",
    en: "the PDF is encrypted",
    remedy_vi: "Gỡ mật khẩu của tệp tại nguồn rồi nộp lại",
    remedy_en: "remove the encryption at the source and hand it in again",
};

/// Two cross-reference systems in one file.
pub const HYBRID: Code = Code {
    id: "PDF-060",
    class: Class::Input,
    vi: "Tệp PDF có hai bảng tham chiếu song song nên mỗi phần mềm có thể hiển thị khác nhau",
    en: "the PDF has hybrid cross-references, so two readers may show different papers",
    remedy_vi: "Xuất lại PDF từ nguồn rồi ký",
    remedy_en: "export the PDF again from its source, then sign",
};

/// No catalog.
pub const NO_CATALOG: Code = Code {
    id: "PDF-061",
    class: Class::Input,
    vi: "Tệp PDF không có mục gốc",
    en: "the PDF has no catalog",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A page tree that is no tree.
pub const PAGE_TREE: Code = Code {
    id: "PDF-062",
    class: Class::Input,
    vi: "Cây trang của tệp PDF bị hỏng",
    en: "the page tree of the PDF is broken",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// Fewer pages than asked for.
pub const NO_SUCH_PAGE: Code = Code {
    id: "PDF-063",
    class: Class::Input,
    vi: "Tệp PDF không có trang được yêu cầu",
    en: "the PDF has no such page",
    remedy_vi: "Chọn trang có trong tệp",
    remedy_en: "choose a page that is there",
};

/// An offset that its table cannot hold.
pub const OFFSET_RANGE: Code = Code {
    id: "PDF-064",
    class: Class::Input,
    vi: "Tệp PDF quá lớn để ghi thêm chữ ký",
    en: "the PDF is too large for another revision",
    remedy_vi: "Chia nhỏ tệp rồi ký",
    remedy_en: "split the file, then sign",
};

/// A form that is none.
pub const FORM: Code = Code {
    id: "PDF-065",
    class: Class::Input,
    vi: "Biểu mẫu hoặc danh sách chú thích trong tệp PDF bị hỏng",
    en: "the form or the annotations of the PDF are broken",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

#[cfg(test)]
#[path = "revise/tests.rs"]
mod tests;
