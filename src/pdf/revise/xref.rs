//! The chain of cross-reference sections (ISO 32000-1, 7.5.4 and 7.5.8), walked from the newest to the oldest.

use super::parse::{Parser, is_space};
use super::source::Source;
use super::value::{Dict, Value};
use super::{NO_STARTXREF, TOO_LARGE, XREF_BROKEN, XREF_LOOP, filter};
use crate::fault::{Fault, Outcome};
use std::collections::{HashMap, HashSet};

/// One cross-reference section with its trailer.
#[derive(Debug, Clone)]
pub struct Section {
    /// Where it begins: the `xref` keyword, or the object header of a cross-reference stream.
    pub offset: usize,
    /// Table, stream, or both.
    pub kind: Kind,
    /// `/Prev`: the next older section.
    pub prev: Option<usize>,
    /// Object number of the cross-reference stream.
    pub stream_object: Option<u32>,
    /// The trailer dictionary, or the dictionary of the cross-reference stream.
    pub trailer: Dict,
    /// What the section says about objects, in the order it is written.
    pub entries: Vec<(u32, Entry)>,
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `xref` table and `trailer`.
    Table,
    /// Cross-reference stream.
    Stream,
    /// A table whose trailer names an additional stream (`/XRefStm`).
    Hybrid,
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nowhere: a free entry, or one of an unknown type.
    Free,
    /// At a byte of the file.
    At {
        /// Offset of the object header.
        offset: usize,
        /// Generation.
        generation: u16,
    },
    /// In an object stream.
    In {
        /// Object number of the stream.
        stream: u32,
        /// Place within it.
        index: u32,
    },
}

/// The offset that the last `startxref` of the last bytes of a file names.
pub(super) fn startxref_in(tail: &[u8], from: usize, length: usize) -> Outcome<usize> {
    let at = memchr::memmem::rfind(tail, STARTXREF)
        .ok_or_else(|| Fault::new(&NO_STARTXREF).detail(format!("not in the last {} bytes", tail.len())))?;
    let rest = tail.get(at + STARTXREF.len()..).unwrap_or_default();
    let offset = Parser::in_part(rest, from + at + STARTXREF.len()).unsigned()?;
    usize::try_from(offset)
        .ok()
        .filter(|o| *o < length)
        .ok_or_else(|| Fault::new(&NO_STARTXREF).detail("it points outside the file"))
}

/// All sections from the one at `offset` to the oldest, and for each object its newest entry.
pub(super) fn walk(source: Source<'_>, offset: usize) -> Outcome<(Vec<Section>, HashMap<u32, Entry>)> {
    let mut sections = Vec::new();
    let mut newest = HashMap::new();
    let mut seen = HashSet::new();
    let mut room = MAX_ENTRIES;
    let mut next = Some(offset);
    while let Some(offset) = next {
        if !seen.insert(offset) {
            return Err(Fault::new(&XREF_LOOP).detail(format!("section at {offset}")));
        }
        if sections.len() >= MAX_SECTIONS {
            return Err(Fault::new(&TOO_LARGE).detail(format!("more than {MAX_SECTIONS} revisions")));
        }
        let section = section(source, offset, &mut room)?;
        for (number, entry) in &section.entries {
            newest.entry(*number).or_insert(*entry);
        }
        next = section.prev;
        sections.push(section);
    }
    Ok((sections, newest))
}

/// Whether a trailer on the chain from `offset` on names a key (`/Encrypt`). Streams are not unpacked: their dictionaries are trailers.
pub(super) fn names_a_key(source: Source<'_>, offset: usize) -> Outcome<bool> {
    let mut seen = HashSet::new();
    let mut room = MAX_ENTRIES;
    let mut next = Some(offset);
    while let Some(offset) = next {
        if !seen.insert(offset) {
            return Err(Fault::new(&XREF_LOOP).detail(format!("section at {offset}")));
        }
        if seen.len() > MAX_SECTIONS {
            return Err(Fault::new(&TOO_LARGE).detail(format!("more than {MAX_SECTIONS} revisions")));
        }
        let left = room;
        let ((trailer, left), _) = source.parse(offset, |parser| {
            let mut room = left;
            parser.skip_space();
            if parser.keyword(b"xref") {
                table(parser, &mut room)?;
            } else {
                parser.object_header().map_err(|_| broken(offset, "neither a table nor a stream"))?;
            }
            match parser.value()? {
                Value::Dict(trailer) => Ok((trailer, room)),
                _ => Err(broken(offset, "trailer is not a dictionary")),
            }
        })?;
        room = left;
        if trailer.get(b"Encrypt").is_some_and(|value| *value != Value::Null) {
            return Ok(true);
        }
        next = prev(&trailer, source, offset)?;
    }
    Ok(false)
}

fn section(source: Source<'_>, offset: usize, room: &mut usize) -> Outcome<Section> {
    let left = *room;
    let (table, _) = source.parse(offset, |parser| {
        parser.skip_space();
        if !parser.keyword(b"xref") {
            return Ok(None);
        }
        let mut room = left;
        let entries = table(parser, &mut room)?;
        match parser.value()? {
            Value::Dict(trailer) => Ok(Some((entries, trailer, room))),
            _ => Err(broken(offset, "trailer is not a dictionary")),
        }
    })?;
    let Some((mut entries, trailer, left)) = table else {
        return stream_section(source, offset, room);
    };
    *room = left;
    let mut kind = Kind::Table;
    if let Some(at) = trailer.get(b"XRefStm") {
        kind = Kind::Hybrid;
        let at = position(at, source).ok_or_else(|| broken(offset, "XRefStm out of range"))?;
        let extra = stream_section(source, at, room)?;
        let known: HashSet<u32> =
            entries.iter().filter(|(_, e)| *e != Entry::Free).map(|(n, _)| *n).collect();
        entries.retain(|(_, e)| *e != Entry::Free);
        entries.extend(extra.entries.into_iter().filter(|(n, _)| !known.contains(n)));
    }
    let prev = prev(&trailer, source, offset)?;
    Ok(Section { offset, kind, prev, stream_object: None, trailer, entries })
}

/// Reads the subsections of a table and the keyword `trailer`. Line ends of any width are taken.
fn table(parser: &mut Parser<'_>, room: &mut usize) -> Outcome<Vec<(u32, Entry)>> {
    let start = parser.at;
    let mut entries = Vec::new();
    loop {
        parser.skip_space();
        if parser.keyword(b"trailer") {
            return Ok(entries);
        }
        let first = parser.unsigned()?;
        let count = parser.unsigned()?;
        for i in 0..count {
            take_room(room)?;
            let offset = parser.unsigned()?;
            let generation = parser.unsigned()?;
            parser.skip_space();
            let number = first
                .checked_add(i)
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| broken(start, "object number out of range"))?;
            if parser.keyword(b"n") {
                let offset = usize::try_from(offset).map_err(|_| broken(start, "offset out of range"))?;
                let generation =
                    u16::try_from(generation).map_err(|_| broken(start, "generation out of range"))?;
                entries.push((number, Entry::At { offset, generation }));
            } else if parser.keyword(b"f") {
                entries.push((number, Entry::Free));
            } else {
                return Err(broken(start, "an entry is neither n nor f"));
            }
        }
    }
}

fn stream_section(source: Source<'_>, offset: usize, room: &mut usize) -> Outcome<Section> {
    let ((id, dict), after) = source.parse(offset, |parser| {
        let id = parser.object_header().map_err(|_| broken(offset, "neither a table nor a stream"))?;
        match parser.value()? {
            Value::Dict(dict) => Ok((id, dict)),
            _ => Err(broken(offset, "no stream dictionary")),
        }
    })?;
    if !dict.is_name(b"Type", b"XRef") {
        return Err(broken(offset, "the stream is no cross-reference stream"));
    }
    let length = dict
        .get(b"Length")
        .and_then(Value::as_int)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| broken(offset, "no direct Length"))?;
    let (body, _) = super::object::stream_range(source, after, length)?;
    let data = filter::decode(&source.read(body)?, &direct_filters(&dict), MAX_XREF_BYTES)?;
    let entries = rows(&dict, &data, offset, room)?;
    let prev = prev(&dict, source, offset)?;
    Ok(Section { offset, kind: Kind::Stream, prev, stream_object: Some(id.number), trailer: dict, entries })
}

fn rows(dict: &Dict, data: &[u8], offset: usize, room: &mut usize) -> Outcome<Vec<(u32, Entry)>> {
    let small = |value: &Value| value.as_int().and_then(|n| usize::try_from(n).ok());
    let widths: Vec<usize> =
        dict.get(b"W").and_then(Value::as_array).unwrap_or_default().iter().filter_map(small).collect();
    let [kind_width, second, third] = widths[..] else {
        return Err(broken(offset, "W is not three numbers"));
    };
    if widths.iter().any(|w| *w > 8) || second == 0 {
        return Err(broken(offset, "W out of range"));
    }
    let size = dict.get(b"Size").and_then(small).ok_or_else(|| broken(offset, "no Size"))?;
    let index: Vec<usize> = match dict.get(b"Index").and_then(Value::as_array) {
        Some(pairs) => pairs.iter().filter_map(small).collect(),
        None => vec![0, size],
    };
    let mut rows = data.chunks_exact(kind_width + second + third);
    let mut entries = Vec::new();
    for pair in index.chunks_exact(2) {
        for i in 0..pair[1] {
            take_room(room)?;
            let row = rows.next().ok_or_else(|| broken(offset, "fewer rows than Index says"))?;
            let number = pair[0].checked_add(i).and_then(|n| u32::try_from(n).ok());
            let number = number.ok_or_else(|| broken(offset, "object number out of range"))?;
            let (kind, rest) = row.split_at(kind_width);
            let (b, c) = rest.split_at(second);
            let kind = if kind_width == 0 { 1 } else { big_endian(kind) };
            entries.push((number, entry(kind, big_endian(b), big_endian(c), offset)?));
        }
    }
    Ok(entries)
}

fn entry(kind: u64, b: u64, c: u64, section: usize) -> Outcome<Entry> {
    let range = |_| broken(section, "an entry is out of range");
    match kind {
        1 => Ok(Entry::At {
            offset: usize::try_from(b).map_err(range)?,
            generation: u16::try_from(c).map_err(range)?,
        }),
        2 => Ok(Entry::In {
            stream: u32::try_from(b).map_err(range)?,
            index: u32::try_from(c).map_err(range)?,
        }),
        _ => Ok(Entry::Free),
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Filters of a stream whose dictionary may hold no references.
fn direct_filters(dict: &Dict) -> Vec<filter::Filter> {
    let list = |key: &[u8]| match dict.get(key) {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one.clone()],
    };
    let parms = list(b"DecodeParms");
    list(b"Filter")
        .iter()
        .enumerate()
        .map(|(i, name)| filter::Filter {
            name: name.as_name().unwrap_or_default().to_vec(),
            parms: parms.get(i).and_then(Value::as_dict).cloned().unwrap_or_default(),
        })
        .collect()
}

fn prev(trailer: &Dict, source: Source<'_>, offset: usize) -> Outcome<Option<usize>> {
    match trailer.get(b"Prev") {
        None => Ok(None),
        Some(value) => {
            position(value, source).map(Some).ok_or_else(|| broken(offset, "Prev points outside the file"))
        }
    }
}

fn position(value: &Value, source: Source<'_>) -> Option<usize> {
    value.as_int().and_then(|n| usize::try_from(n).ok()).filter(|n| *n < source.len())
}

fn take_room(room: &mut usize) -> Outcome<()> {
    *room = room
        .checked_sub(1)
        .ok_or_else(|| Fault::new(&TOO_LARGE).detail(format!("more than {MAX_ENTRIES} object entries")))?;
    Ok(())
}

fn broken(offset: usize, what: &str) -> Fault {
    Fault::new(&XREF_BROKEN).detail(format!("section at {offset}: {what}"))
}

/// Whether only white space follows the last `%%EOF`.
pub(super) fn ends_cleanly(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|b| !is_space(*b)).map_or(0, |i| i + 1);
    bytes.get(..end).unwrap_or_default().ends_with(b"%%EOF")
}

const STARTXREF: &[u8] = b"startxref";
const MAX_SECTIONS: usize = 1024;
const MAX_ENTRIES: usize = 2_000_000;
const MAX_XREF_BYTES: usize = 64 << 20;
