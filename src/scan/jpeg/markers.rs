//! The segments of a JPEG one after the other (ISO/IEC 10918-1, annex B).

use super::{BROKEN, CUT};
use crate::fault::{Fault, Outcome};

/// A walk over marker segments (B.1.1.2).
pub(super) struct Markers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Markers<'a> {
    /// The next marker code; fill bytes and stray bytes before it are passed over.
    pub(super) fn next(&mut self) -> Outcome<u8> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            let Some(gap) = rest.iter().position(|&b| b == 0xFF) else { return Err(self.cut()) };
            self.at += gap + 1;
            match self.bytes.get(self.at) {
                None => return Err(self.cut()),
                Some(0xFF) => {}
                Some(0) => self.at += 1,
                Some(&marker) => {
                    self.at += 1;
                    return Ok(marker);
                }
            }
        }
    }

    /// Position and content of the segment after a marker.
    pub(super) fn segment(&mut self) -> Outcome<(usize, &'a [u8])> {
        let length = match self.bytes.get(self.at..self.at + 2) {
            Some(pair) => usize::from(u16::from_be_bytes([pair[0], pair[1]])),
            None => return Err(self.cut()),
        };
        if length < 2 {
            return Err(Fault::new(&BROKEN).detail(format!("segment of length {length} at {}", self.at)));
        }
        let start = self.at + 2;
        let end = self.at + length;
        let Some(body) = self.bytes.get(start..end) else { return Err(self.cut()) };
        self.at = end;
        Ok((start, body))
    }

    /// Passes entropy-coded data: up to the next marker that is neither stuffing nor a restart.
    pub(super) fn skip_entropy(&mut self) {
        while let Some(rest) = self.bytes.get(self.at..) {
            let Some(gap) = rest.iter().position(|&b| b == 0xFF) else {
                self.at = self.bytes.len();
                return;
            };
            match rest.get(gap + 1) {
                Some(0x00 | 0xD0..=0xD7) => self.at += gap + 2,
                Some(0xFF) => self.at += gap + 1,
                _ => {
                    self.at += gap;
                    return;
                }
            }
        }
    }

    fn cut(&self) -> Fault {
        Fault::new(&CUT).detail(format!("{} bytes, no end marker", self.bytes.len()))
    }
}
