//! An incremental update (ISO 32000-1, 7.5.6): what goes behind the last byte of a file.

use super::value::{Dict, ObjectId, Value};
use super::xref::Kind;
use super::{Document, HYBRID, NO_STARTXREF, OFFSET_RANGE, XREF_BROKEN};
use crate::fault::{Fault, Outcome};
use std::collections::BTreeMap;

/// A revision in the making: objects to add or replace.
pub struct Revision<'d, 'a> {
    document: &'d Document<'a>,
    objects: BTreeMap<ObjectId, Vec<u8>>,
    next: u32,
}

/// A finished revision.
#[derive(Debug, Clone)]
pub struct Appended {
    /// What is to be written behind the original bytes.
    pub bytes: Vec<u8>,
    /// Where each object's content begins, as an offset in `bytes`.
    pub contents: BTreeMap<ObjectId, usize>,
}

impl<'d, 'a> Revision<'d, 'a> {
    /// A revision of a document without changes yet.
    ///
    /// # Errors
    /// A hybrid file, one without a catalog, and one whose end is not `%%EOF`.
    pub fn new(document: &'d Document<'a>) -> Outcome<Self> {
        if document.sections().iter().any(|s| s.kind == Kind::Hybrid) {
            return Err(Fault::new(&HYBRID));
        }
        document.catalog()?;
        if !document.source.ends_cleanly()? {
            return Err(Fault::new(&NO_STARTXREF).detail("the file does not end with %%EOF"));
        }
        Ok(Revision { document, objects: BTreeMap::new(), next: document.size().max(1) })
    }

    /// A number for an object that will be set later.
    pub fn reserve(&mut self) -> ObjectId {
        let id = ObjectId::new(self.next);
        self.next = self.next.saturating_add(1);
        id
    }

    /// Sets or replaces an object.
    pub fn set(&mut self, id: ObjectId, content: Vec<u8>) {
        self.objects.insert(id, content);
    }

    /// Adds an object.
    pub fn add(&mut self, content: Vec<u8>) -> ObjectId {
        let id = self.reserve();
        self.set(id, content);
        id
    }

    /// Adds a stream; `/Length` is set here.
    pub fn add_stream(&mut self, dict: Dict, data: &[u8]) -> ObjectId {
        self.add(stream_object(dict, data))
    }

    /// The bytes of the revision, its cross-reference section in the style of the last one.
    ///
    /// # Errors
    /// An offset that does not fit.
    pub fn finish(self) -> Outcome<Appended> {
        let base = self.document.length();
        let most = self.objects.values().map(|content| content.len() + ROW).sum::<usize>() + SECTION;
        let mut out = Vec::with_capacity(most);
        if !self.document.source.ends_a_line()? {
            out.push(b'\n');
        }
        let mut contents = BTreeMap::new();
        let mut entries: BTreeMap<u32, (u16, usize)> = BTreeMap::new();
        for (id, content) in &self.objects {
            entries.insert(id.number, (id.generation, base + out.len()));
            out.extend_from_slice(format!("{} {} obj\n", id.number, id.generation).as_bytes());
            contents.insert(*id, out.len());
            out.extend_from_slice(content);
            out.extend_from_slice(b"\nendobj\n");
        }
        let section = self.document.sections().first().ok_or(&XREF_BROKEN)?;
        let mut trailer = Dict::new();
        for (key, value) in section.trailer.iter().filter(|(key, _)| !SECTION_KEYS.contains(key)) {
            trailer.set(key, value.clone());
        }
        refresh_id(&mut trailer, &out);
        trailer.set(b"Prev", int(section.offset)?);
        let xref_at = base + out.len();
        if section.kind == Kind::Stream {
            let own = self.next;
            entries.insert(own, (0, xref_at));
            trailer.set(b"Size", int(own as usize + 1)?);
            out.extend_from_slice(format!("{own} 0 obj\n").as_bytes());
            out.extend_from_slice(&xref_stream(trailer, &entries)?);
            out.extend_from_slice(b"\nendobj\n");
        } else {
            trailer.set(b"Size", int(self.next as usize)?);
            write_table(&mut out, &entries)?;
            out.extend_from_slice(b"trailer\n");
            out.extend_from_slice(&Value::Dict(trailer).to_pdf());
            out.push(b'\n');
        }
        out.extend_from_slice(format!("startxref\n{xref_at}\n%%EOF\n").as_bytes());
        Ok(Appended { bytes: out, contents })
    }

    /// The document this will be appended to.
    pub fn document(&self) -> &'d Document<'a> {
        self.document
    }
}

/// A stream object's content with its `/Length`.
pub(crate) fn stream_object(mut dict: Dict, data: &[u8]) -> Vec<u8> {
    dict.set(b"Length", Value::Int(i64::try_from(data.len()).unwrap_or(i64::MAX)));
    let mut out = Value::Dict(dict).to_pdf();
    out.extend_from_slice(b"\nstream\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\nendstream");
    out
}

fn write_table(out: &mut Vec<u8>, entries: &BTreeMap<u32, (u16, usize)>) -> Outcome<()> {
    out.extend_from_slice(b"xref\n");
    for (first, run) in runs(entries) {
        out.extend_from_slice(format!("{first} {}\n", run.len()).as_bytes());
        for (generation, offset) in run {
            if offset > MAX_TABLE_OFFSET {
                return Err(Fault::new(&OFFSET_RANGE).detail(format!("offset {offset}")));
            }
            out.extend_from_slice(format!("{offset:010} {generation:05} n\r\n").as_bytes());
        }
    }
    Ok(())
}

fn xref_stream(mut dict: Dict, entries: &BTreeMap<u32, (u16, usize)>) -> Outcome<Vec<u8>> {
    let mut index = Vec::new();
    let mut data = Vec::new();
    for (first, run) in runs(entries) {
        index.push(Value::Int(i64::from(first)));
        index.push(int(run.len())?);
        for (generation, offset) in run {
            data.push(1);
            data.extend_from_slice(&(offset as u64).to_be_bytes());
            data.extend_from_slice(&generation.to_be_bytes());
        }
    }
    dict.set(b"Type", Value::name("XRef"));
    dict.set(b"W", Value::Array([1, 8, 2].map(Value::Int).to_vec()));
    dict.set(b"Index", Value::Array(index));
    Ok(stream_object(dict, &data))
}

/// Neighbouring numbers together: the first number and the entries of its run.
fn runs(entries: &BTreeMap<u32, (u16, usize)>) -> Vec<(u32, Vec<(u16, usize)>)> {
    let mut runs: Vec<(u32, Vec<(u16, usize)>)> = Vec::new();
    for (&number, &entry) in entries {
        match runs.last_mut() {
            Some((first, run)) if u64::from(*first) + run.len() as u64 == u64::from(number) => {
                run.push(entry);
            }
            _ => runs.push((number, vec![entry])),
        }
    }
    runs
}

/// Keeps the first half of `/ID` and changes the second (14.4), without a clock or chance.
fn refresh_id(trailer: &mut Dict, appended: &[u8]) {
    let Some(Value::Array(id)) = trailer.get(b"ID") else { return };
    let [Value::String(first), Value::String(second)] = id.as_slice() else { return };
    let mut seed = openssl::sha::Sha256::new();
    seed.update(second);
    seed.update(appended);
    let fresh = seed.finish()[..16].to_vec();
    let id = vec![Value::String(first.clone()), Value::String(fresh)];
    trailer.set(b"ID", Value::Array(id));
}

fn int(n: usize) -> Outcome<Value> {
    i64::try_from(n).map(Value::Int).map_err(|_| Fault::new(&OFFSET_RANGE))
}

/// What belongs to one section and is not carried over to the next.
const SECTION_KEYS: &[&[u8]] =
    &[b"Type", b"Length", b"Filter", b"DecodeParms", b"W", b"Index", b"Prev", b"XRefStm", b"Size", b"DL"];
/// What a revision takes at most beside its objects' contents, of each of them and for its section; more is made room for
/// where it is needed.
const ROW: usize = 64;
const SECTION: usize = 1024;
const MAX_TABLE_OFFSET: usize = 9_999_999_999;
