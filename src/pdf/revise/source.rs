//! Where a document's bytes are read from: memory, or the file in which they lie. A box of scans is signed without ever
//! being in memory: of a file only the objects that are asked for are read.

use super::TOO_LARGE;
use super::parse::Parser;
use crate::fault::{Fault, Outcome};
use crate::original::Original;
use std::borrow::Cow;
use std::ops::Range;

/// The bytes of a file.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Memory(&'a [u8]),
    /// The first so many bytes of a file.
    File(&'a Original, usize),
}

impl<'a> Source<'a> {
    /// The bytes of a file, read where they lie.
    pub(super) fn of_file(file: &'a Original) -> Self {
        Source::File(file, usize::try_from(file.len()).unwrap_or(usize::MAX))
    }

    /// The first bytes of it, as if nothing followed them.
    pub(super) fn until(&self, end: usize) -> Self {
        match self {
            Source::Memory(bytes) => Source::Memory(bytes.get(..end).unwrap_or(bytes)),
            Source::File(file, length) => Source::File(file, end.min(*length)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Source::Memory(bytes) => bytes.len(),
            Source::File(_, length) => *length,
        }
    }

    /// The bytes, where they are in memory.
    pub(super) fn in_memory(&self) -> Option<&'a [u8]> {
        match self {
            Source::Memory(bytes) => Some(bytes),
            Source::File(..) => None,
        }
    }

    /// The bytes of a range; none beyond the end.
    pub(super) fn read(&self, range: Range<usize>) -> Outcome<Cow<'a, [u8]>> {
        match self {
            Source::Memory(bytes) => Ok(Cow::Borrowed(bytes.get(range).unwrap_or_default())),
            Source::File(..) if range.start >= range.end || range.end > self.len() => Ok(Cow::Borrowed(&[])),
            Source::File(file, _) => Ok(Cow::Owned(file.read(range.start as u64..range.end as u64)?)),
        }
    }

    /// The last bytes, and where they begin.
    pub(super) fn tail(&self, length: usize) -> Outcome<(Cow<'a, [u8]>, usize)> {
        let from = self.len().saturating_sub(length);
        Ok((self.read(from..self.len())?, from))
    }

    /// Parses at a position. A file is read in parts that grow until what was parsed ends well inside of one, so that the
    /// result is that of parsing the whole; `parse` must not stop short of the token that ends what it takes.
    pub(super) fn parse<T>(
        &self,
        at: usize,
        parse: impl Fn(&mut Parser<'_>) -> Outcome<T>,
    ) -> Outcome<(T, usize)> {
        let Some(file) = (match self {
            Source::Memory(_) => None,
            Source::File(file, _) => Some(file),
        }) else {
            let mut parser = Parser::new(self.in_memory().unwrap_or_default(), at);
            return parse(&mut parser).map(|value| (value, parser.at));
        };
        let all = self.len();
        let mut length = FIRST_PART;
        loop {
            let end = at.saturating_add(length).min(all);
            let part = file.read(at.min(end) as u64..end as u64)?;
            let mut parser = Parser::in_part(&part, at);
            let parsed = parse(&mut parser);
            if end == all || (parsed.is_ok() && parser.at.saturating_add(LOOKAHEAD) <= end) {
                return parsed.map(|value| (value, parser.at));
            }
            if length >= MAX_PART {
                return parsed.and(Err(
                    Fault::new(&TOO_LARGE).detail(format!("an object of {MAX_PART} bytes at {at}"))
                ));
            }
            length *= 8;
        }
    }

    /// The offset that the last `startxref` names.
    pub(super) fn last_startxref(&self) -> Outcome<usize> {
        let (tail, from) = self.tail(TAIL)?;
        super::xref::startxref_in(&tail, from, self.len())
    }

    /// Whether only white space follows the last `%%EOF`.
    pub(super) fn ends_cleanly(&self) -> Outcome<bool> {
        let (tail, _) = self.tail(TAIL)?;
        Ok(super::xref::ends_cleanly(&tail))
    }

    /// Gives all bytes of a range in parts, in order; a file's through one buffer of [`STRIDE`] bytes.
    pub(super) fn stream(
        &self,
        range: Range<usize>,
        buffer: &mut Vec<u8>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Outcome<()> {
        let file = match self {
            Source::Memory(bytes) => {
                take(bytes.get(range).unwrap_or_default());
                return Ok(());
            }
            Source::File(file, _) => file,
        };
        let mut at = range.start;
        let end = range.end.min(self.len());
        while at < end {
            let part = (end - at).min(STRIDE);
            if buffer.len() < part {
                buffer.resize(part, 0);
            }
            let part = buffer.get_mut(..part).unwrap_or_default();
            file.fill(at as u64, part)?;
            take(part);
            at += part.len();
        }
        Ok(())
    }

    /// Where the bytes before `end` stop but for white space.
    pub(super) fn ink_end(&self, end: usize) -> Outcome<usize> {
        let mut end = end.min(self.len());
        while end > 0 {
            let from = end.saturating_sub(TAIL);
            let ink = self.read(from..end)?.trim_ascii_end().len();
            if ink > 0 {
                return Ok(from + ink);
            }
            end = from;
        }
        Ok(0)
    }

    /// Whether the last byte ends a line.
    pub(super) fn ends_a_line(&self) -> Outcome<bool> {
        Ok(matches!(self.tail(1)?.0.last(), Some(b'\n' | b'\r')))
    }

    /// Refuses bytes that do not begin as a PDF does.
    pub(super) fn check_header(&self) -> Outcome<()> {
        if &*self.read(0..5)? == b"%PDF-" { Ok(()) } else { Err(Fault::new(&super::NOT_A_PDF)) }
    }
}

/// Most objects are shorter.
const FIRST_PART: usize = 4 << 10;
/// Longest object, and longest cross-reference table: two million rows.
const MAX_PART: usize = 48 << 20;
/// The longest keyword and what ends it.
const LOOKAHEAD: usize = 64;
/// What is hashed or compared at a time: it stays in the processor's own memory.
const STRIDE: usize = 64 << 10;
/// Where `startxref` and `%%EOF` are looked for.
const TAIL: usize = 2048;
