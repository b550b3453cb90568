//! A PDF without the pictures in it: what the parser gets of a file, however large its scans are.
//!
//! The parser wants all bytes at once and copies every stream. Five hundred scanned pages would be in memory twice.
//! So it gets a mirror of the file in which the pictures' bytes are left out: every offset stays what it is, memory
//! that nobody wrote to costs nothing, and a picture is read from the file when its page is looked at.
//!
//! What is left out decides nothing about the structure: the parser follows the cross-reference table as in the whole
//! file. Where mirror and parser do not agree on where a picture begins, where one could have swallowed objects behind
//! it, or where the parser gives up, the whole file is parsed instead.

use super::{Bounds, reason};
use crate::fault::Outcome;
use crate::original::Original;
use crate::pdf::revise::{Parser, Value};
use lopdf::xref::XrefEntry;
use lopdf::{Document, LoadOptions, Object, ObjectId, Stream};
use memchr::memmem::{find, rfind};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A parsed PDF whose pictures lie in the file still.
pub(super) struct Skimmed {
    pub(super) document: Document,
    /// Where the bytes of a left out stream begin.
    bodies: HashMap<ObjectId, u64>,
    original: Original,
    /// `/ByteRange` is written in it, outside of every picture.
    pub(super) byte_range: bool,
}

impl Skimmed {
    /// Parses a file; its errors are the parser's own, not yet sorted.
    pub(super) fn load(original: Original, bounds: &Bounds) -> Outcome<Result<Self, Refused>> {
        let mirror = Mirror::of(&original)?;
        let options = LoadOptions {
            max_decompressed_size: Some(bounds.stream_bytes),
            filter: Some(without_zeros),
            ..LoadOptions::default()
        };
        let byte_range = mirror.byte_range;
        match Document::load_mem_with_options(&mirror.bytes, options) {
            Ok(document) => {
                if let Some(bodies) = mirror.bodies_of(&document) {
                    return Ok(Ok(Skimmed { document, bodies, original, byte_range }));
                }
            }
            // Nothing is missing from the mirror that the parser could have needed.
            Err(error) if mirror.bodies.values().all(|body| body.is_sure) => {
                return Ok(Err(Refused::new(error, &mirror.bytes)));
            }
            Err(_) => {}
        }
        drop(mirror);
        let whole = original.whole()?;
        // What was left out wrongly was not searched either; a signature must be seen before anything is written.
        let byte_range = byte_range || find(&whole, BYTE_RANGE).is_some();
        let options =
            LoadOptions { max_decompressed_size: Some(bounds.stream_bytes), ..LoadOptions::default() };
        Ok(match Document::load_mem_with_options(&whole, options) {
            Ok(document) => Ok(Skimmed { document, bodies: HashMap::new(), original, byte_range }),
            Err(error) => Err(Refused::new(error, &whole)),
        })
    }

    /// The bytes of a stream as they lie in the file.
    pub(super) fn content<'a>(&'a self, id: ObjectId, stream: &'a Stream) -> Outcome<Cow<'a, [u8]>> {
        match self.bodies.get(&id) {
            Some(start) => Ok(Cow::Owned(self.original.read(*start..start + encoded(stream))?)),
            None => Ok(Cow::Borrowed(&stream.content)),
        }
    }
}

/// Bytes that a stream has in the file, in memory or not.
pub(super) fn encoded(stream: &Stream) -> u64 {
    let left_out = stream.dict.get(LEFT_OUT).and_then(Object::as_i64).ok();
    left_out.and_then(|n| u64::try_from(n).ok()).unwrap_or(stream.content.len() as u64)
}

/// Why the parser gave up.
pub(super) struct Refused {
    pub(super) error: lopdf::Error,
    /// There is something in the file that could be a page.
    pub(super) may_have_pages: bool,
}

impl Refused {
    fn new(error: lopdf::Error, bytes: &[u8]) -> Self {
        let may_have_pages = find(bytes, b"/Page").is_some() || find(bytes, b"/ObjStm").is_some();
        Refused { error, may_have_pages }
    }

    /// The parser's words.
    pub(super) fn reason(&self) -> String {
        reason(&self.error)
    }
}

/// The file without its pictures.
struct Mirror {
    bytes: Vec<u8>,
    /// What is left out, by where its object begins.
    bodies: BTreeMap<u64, Body>,
    byte_range: bool,
}

/// Bytes of a stream that are left out.
struct Body {
    start: u64,
    end: u64,
    /// The dictionary says where they end, and it is so.
    is_sure: bool,
}

impl Mirror {
    fn of(original: &Original) -> Outcome<Mirror> {
        let length = usize::try_from(original.len()).unwrap_or(usize::MAX);
        let mut mirror = Mirror { bytes: vec![0; length], bodies: BTreeMap::new(), byte_range: false };
        // The part before `seen` was searched for streams, the part before `filled` is in the mirror.
        let (mut from, mut seen, mut filled, mut window) = (0, 0, 0, LEAST_WINDOW);
        loop {
            match find(&mirror.bytes[seen..filled], b"stream") {
                // The order of the two: a body is found by the keyword and what follows it.
                Some(at) if seen + at + AFTER_KEYWORD <= filled || filled == length => {
                    let keyword = seen + at;
                    seen = keyword + b"stream".len();
                    if let Some((object, body)) = body(&mirror.bytes[from..filled], keyword - from) {
                        let (object, body) = (from + object, from + body);
                        if let Some((end, is_sure)) =
                            end_of(original, body as u64, &mirror.bytes[object..body])
                        {
                            let left_out = Body { start: body as u64, end: end as u64, is_sure };
                            mirror.bodies.insert(object as u64, left_out);
                            mirror.bytes[body..end.min(filled)].fill(0);
                            (seen, filled, window) = (end, filled.max(end), LEAST_WINDOW);
                        }
                    }
                    from = seen;
                }
                Some(at) => {
                    seen += at;
                    filled = mirror.fill(original, filled, window)?;
                }
                None if filled == length => return Ok(mirror),
                None => {
                    seen = filled.saturating_sub(b"stream".len()).max(seen);
                    filled = mirror.fill(original, filled, window)?;
                    window = (2 * window).min(MOST_WINDOW);
                }
            }
        }
    }

    fn fill(&mut self, original: &Original, from: usize, window: usize) -> Outcome<usize> {
        let to = from.saturating_add(window).min(self.bytes.len());
        original.fill(from as u64, &mut self.bytes[from..to])?;
        let before = from.saturating_sub(BYTE_RANGE.len());
        self.byte_range |= find(&self.bytes[before..to], BYTE_RANGE).is_some();
        Ok(to)
    }

    /// Where the streams begin that are left out, by their objects in the cross-reference table; nothing where the
    /// parser could see something else in the whole file.
    fn bodies_of(&self, document: &Document) -> Option<HashMap<ObjectId, u64>> {
        // Offsets count from the header, which may have bytes before it.
        let header = find(&self.bytes[..self.bytes.len().min(1024)], b"%PDF-").unwrap_or(0) as u64;
        let mut bodies = HashMap::new();
        let mut found = 0;
        for (number, entry) in &document.reference_table.entries {
            let XrefEntry::Normal { offset, generation } = *entry else { continue };
            let at = u64::from(offset) + header;
            let (object, body) = match self.bodies.range(..=at).next_back() {
                Some((object, body)) if at < body.end => (*object, body),
                _ => continue,
            };
            // An object that lies in what was left out is none to this parser.
            if at != object {
                return None;
            }
            let id = (*number, generation);
            if document.objects.get(&id).is_some_and(is_left_out) {
                found += usize::from(!body.is_sure);
                bodies.insert(id, body.start);
            }
        }
        let claimed = |(id, object): (&ObjectId, &Object)| !is_left_out(object) || bodies.contains_key(id);
        let unsure = self.bodies.values().filter(|body| !body.is_sure).count();
        (found >= unsure && document.objects.iter().all(claimed)).then_some(bodies)
    }
}

fn is_left_out(object: &Object) -> bool {
    matches!(object, Object::Stream(stream) if stream.dict.has(LEFT_OUT))
}

/// The object whose stream begins at a keyword: where it begins, and where its bytes do. `bytes` begin after the
/// stream before.
fn body(bytes: &[u8], keyword: usize) -> Option<(usize, usize)> {
    let before = bytes.get(..keyword)?.trim_ascii_end();
    if !before.ends_with(b">>") {
        return None;
    }
    let header = rfind(before, b"obj")?;
    let number = |end: usize| {
        let text = before[..end].trim_ascii_end();
        let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        (digits > 0).then_some(text.len() - digits)
    };
    let object = number(number(header)?)?;
    let mut rest = bytes.get(keyword + b"stream".len()..)?;
    let all = rest.len();
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    rest = match rest {
        [b'\r', b'\n', after @ ..] | [b'\n' | b'\r', after @ ..] => after,
        _ => return None,
    };
    Some((object, keyword + b"stream".len() + all - rest.len()))
}

/// Where a picture's bytes end that begin at `start`, and whether its dictionary says so; nothing where it is no picture,
/// or a small one.
fn end_of(original: &Original, start: u64, object: &[u8]) -> Option<(usize, bool)> {
    let mut parser = Parser::new(object, 0);
    parser.object_header().ok()?;
    let Value::Dict(dict) = parser.value().ok()? else { return None };
    if !dict.is_name(b"Subtype", b"Image") {
        return None;
    }
    let length = dict.get(b"Length").and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
    let (end, is_sure) = match length.and_then(|n| start.checked_add(n)) {
        Some(end) if ends_there(original, end) => (end, true),
        // Said elsewhere, or wrongly.
        _ => (search_end(original, start)?, false),
    };
    (end - start >= LEAST_LEFT_OUT).then_some(())?;
    Some((usize::try_from(end).ok()?, is_sure))
}

fn ends_there(original: &Original, end: u64) -> bool {
    let to = end.saturating_add(16).min(original.len());
    let after = if end < to { original.read(end..to).ok() } else { None };
    after.is_some_and(|bytes| bytes.trim_ascii_start().starts_with(b"endstream"))
}

/// The first `endstream` from a position on.
fn search_end(original: &Original, start: u64) -> Option<u64> {
    let (mut at, mut window) = (start, LEAST_WINDOW);
    while at < original.len() {
        let to = at.saturating_add(window as u64).min(original.len());
        window = (2 * window).min(MOST_WINDOW);
        let part = original.read(at..to).ok()?;
        if let Some(found) = find(&part, b"endstream") {
            // The line break before the keyword is not the picture's, and the parser wants to see it.
            let line_break = match &part[..found] {
                [.., b'\r', b'\n'] => 2,
                [.., b'\n' | b'\r'] => 1,
                _ => 0,
            };
            return Some(at + found as u64 - line_break);
        }
        if to == original.len() {
            return None;
        }
        at = to - b"endstream".len() as u64;
    }
    None
}

/// Drops the bytes of a stream that is left out of the mirror as soon as it is parsed, and keeps their number.
fn without_zeros(id: ObjectId, object: &mut Object) -> Option<(ObjectId, Object)> {
    let Object::Stream(stream) = object else { return Some((id, object.clone())) };
    stream.dict.remove(LEFT_OUT);
    // What looks like a line break before the end may have been the picture's own.
    let most = stream.content.len().saturating_sub(2);
    if most as u64 >= LEAST_LEFT_OUT && stream.content[..most].iter().all(|b| *b == 0) {
        stream.dict.set(LEFT_OUT, stream.content.len() as i64);
        // Not empty: an empty stream is one whose length the parser looks for later.
        stream.content = vec![0];
    }
    // What a stream is exchanged for is not asked.
    Some((id, Object::Null))
}

/// Our own mark on a stream: how long it is.
const LEFT_OUT: &[u8] = b"HosoLeftOut";
const BYTE_RANGE: &[u8] = b"/ByteRange";
/// Shorter pictures are parsed with the rest.
const LEAST_LEFT_OUT: u64 = 16 << 10;
/// Bytes after the keyword that show where the body begins.
const AFTER_KEYWORD: usize = 32;
const LEAST_WINDOW: usize = 4 << 10;
const MOST_WINDOW: usize = 1 << 20;

#[cfg(test)]
mod tests;
