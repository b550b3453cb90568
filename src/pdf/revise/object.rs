//! An indirect object where its entry says that it is: at its place in the file (7.3.10), or in an object stream (7.5.7).

use super::parse::Parser;
use super::source::Source;
use super::value::{ObjectId, Stream, Value};
use super::{Document, Entry, MISPLACED, STREAM_BROKEN, SYNTAX};
use crate::fault::{Fault, Outcome};
use std::ops::Range;
use std::rc::Rc;

impl Document<'_> {
    /// The object at `offset`, and where its `endobj` ends.
    pub(super) fn read_at(&self, id: ObjectId, offset: usize) -> Outcome<(Value, usize)> {
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

    /// The object at `index` of an object stream.
    pub(super) fn unpack(&self, id: ObjectId, stream: u32, index: u32) -> Outcome<Value> {
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
pub(super) struct Pack {
    data: Vec<u8>,
    index: Vec<(u32, usize)>,
}

/// Takes `stream`, `length` bytes and `endstream` from `at` on; the range of the bytes, and where the keyword ends.
pub(super) fn stream_range(source: Source<'_>, at: usize, length: usize) -> Outcome<(Range<usize>, usize)> {
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

/// Decoded bytes of one object stream.
const MAX_PACK: usize = 64 << 20;
/// Decoded bytes of all object streams of a document.
const MAX_UNPACKED: usize = 256 << 20;
