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
    File(&'a Original),
}

impl<'a> Source<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Source::Memory(bytes) => bytes.len(),
            Source::File(file) => usize::try_from(file.len()).unwrap_or(usize::MAX),
        }
    }

    /// The bytes, where they are in memory.
    pub(super) fn in_memory(&self) -> Option<&'a [u8]> {
        match self {
            Source::Memory(bytes) => Some(bytes),
            Source::File(_) => None,
        }
    }

    /// The bytes of a range; none beyond the end.
    pub(super) fn read(&self, range: Range<usize>) -> Outcome<Cow<'a, [u8]>> {
        match self {
            Source::Memory(bytes) => Ok(Cow::Borrowed(bytes.get(range).unwrap_or_default())),
            Source::File(_) if range.start >= range.end || range.end > self.len() => Ok(Cow::Borrowed(&[])),
            Source::File(file) => Ok(Cow::Owned(file.read(range.start as u64..range.end as u64)?)),
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
            Source::File(file) => Some(file),
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
/// Where `startxref` and `%%EOF` are looked for.
const TAIL: usize = 2048;
