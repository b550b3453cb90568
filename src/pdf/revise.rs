//! A reader that walks the cross-reference chain of a stranger's PDF, and a writer that only ever appends.
//!
//! Whoever signs must not move a byte that somebody else signed. So nothing here saves a document: [`Document`] looks
//! at the bytes as they are, and [`Revision`] makes the bytes that go behind them. There is no repair: a file whose
//! chain is broken is refused with the place, since two programs that repair differently show different papers.

mod filter;
mod form;
mod locked;
mod object;
mod page;
mod parse;
mod refused;
mod source;
mod tail;
mod value;
mod xref;

pub(crate) use parse::{Parser, unhex};

pub use form::Field;
pub use locked::is_locked;
pub use page::{Page, Rect};
pub use refused::{
    CODES, ENCRYPTED, FILTER, FORM, HYBRID, MISPLACED, NO_CATALOG, NO_STARTXREF, NO_SUCH_PAGE, NOT_A_PDF,
    OFFSET_RANGE, PAGE_TREE, STREAM_BROKEN, SYNTAX, TOO_LARGE, XREF_BROKEN, XREF_LOOP,
};
pub use tail::{Appended, Revision};
pub use value::{Dict, ObjectId, Stream, Value, text_of, text_string};
pub use xref::{Entry, Kind, Section};

use crate::fault::{Fault, Outcome};
use crate::original::Original;
use object::Pack;
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
}

const MAX_NESTED_READS: usize = 16;

#[cfg(test)]
mod tests;
