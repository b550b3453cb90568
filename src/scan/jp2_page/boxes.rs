//! The boxes of a JP2 file (ISO/IEC 15444-1, annex I): where the codestream lies, its colours and its resolution.

use super::codestream::Main;
use super::{BROKEN, CODING};
use crate::fault::{Fault, Outcome};
use crate::page::{Dpi, DpiSource};
use std::ops::Range;

/// What the boxes say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Boxes {
    /// Where the first codestream lies.
    pub(super) stream: Range<usize>,
    pub(super) dpi: Option<Dpi>,
    /// Brand or compatibility `jp2 `.
    is_jp2: bool,
    colours: Vec<Colour>,
    /// Where the first ICC profile lies.
    pub(super) profile: Option<Range<usize>>,
    /// A palette, a channel definition or a component mapping.
    is_mapped: bool,
}

/// A colour specification (I.5.3.3).
#[derive(Debug, Clone, Copy, PartialEq)]
enum Colour {
    /// Grey, sRGB: number of channels.
    Listed(u16),
    /// An ICC profile.
    Profile,
    Other,
}

impl Boxes {
    /// Whether the channels are the components as they lie, in one colour space that PDF/A-2 readers know.
    pub(super) fn is_plain(&self, components: u16) -> bool {
        self.is_jp2
            && !self.is_mapped
            && match self.colours.as_slice() {
                [Colour::Listed(channels)] => *channels == components,
                [Colour::Profile] => true,
                _ => false,
            }
    }
}

/// Boxes in one file or one superbox: real ones have ten.
const MAX_BOXES: usize = 256;

/// Reads the boxes up to the codestream and behind it.
pub(super) fn read(bytes: &[u8]) -> Outcome<Boxes> {
    let broken = |what: &str| Fault::new(&BROKEN).detail(what);
    let mut found = Boxes {
        stream: 0..0,
        dpi: None,
        is_jp2: false,
        colours: Vec::new(),
        profile: None,
        is_mapped: false,
    };
    let mut has_header = false;
    for part in parts(bytes, 0..bytes.len())? {
        let body = bytes.get(part.body.clone()).unwrap_or(&[]);
        match &part.kind {
            b"ftyp" => found.is_jp2 = body.chunks_exact(4).any(|brand| brand == b"jp2 "),
            b"jp2h" => {
                has_header = true;
                header(bytes, part.body, &mut found)?;
            }
            b"jp2c" if found.stream.is_empty() => found.stream = part.body,
            b"jp2c" => return Err(Fault::new(&CODING).detail("several codestreams")),
            _ => {}
        }
    }
    match (has_header, found.stream.is_empty()) {
        (true, false) => Ok(found),
        _ => Err(broken("no header box or no codestream")),
    }
}

fn header(bytes: &[u8], range: Range<usize>, found: &mut Boxes) -> Outcome<()> {
    for part in parts(bytes, range)? {
        let body = bytes.get(part.body.clone()).unwrap_or(&[]);
        if let (b"colr", [2, _, _, ..], None) = (&part.kind, body, &found.profile) {
            found.profile = Some(part.body.start + 3..part.body.end);
        }
        match &part.kind {
            b"colr" => found.colours.push(match body {
                [1, _, _, 0, 0, 0, 16, ..] => Colour::Listed(3),
                [1, _, _, 0, 0, 0, 17, ..] => Colour::Listed(1),
                [2, ..] => Colour::Profile,
                _ => Colour::Other,
            }),
            b"pclr" | b"cdef" | b"cmap" => found.is_mapped = true,
            b"res " => {
                for inner in parts(bytes, part.body)? {
                    let resolution = bytes.get(inner.body).and_then(resolution);
                    // As captured before as displayed.
                    if &inner.kind == b"resc" || found.dpi.is_none() {
                        found.dpi = resolution.or(found.dpi);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Samples a metre, as fractions and powers of ten, vertical first (I.5.3.7).
fn resolution(body: &[u8]) -> Option<Dpi> {
    let &[a, b, c, d, e, f, g, h, vertical, horizontal] = body else { return None };
    let inch = |over: [u8; 2], under: [u8; 2], power: u8| {
        let (over, under) = (f64::from(u16::from_be_bytes(over)), f64::from(u16::from_be_bytes(under)));
        (over / under * 10f64.powi(i32::from(power.cast_signed())) * 0.0254) as f32
    };
    let (y, x) = (inch([a, b], [c, d], vertical), inch([e, f], [g, h], horizontal));
    (x.is_finite() && y.is_finite()).then_some(Dpi { x, y, source: DpiSource::Header })
}

struct Part {
    kind: [u8; 4],
    body: Range<usize>,
}

/// The boxes that lie in a range (I.4); the last may leave its length open.
fn parts(bytes: &[u8], range: Range<usize>) -> Outcome<Vec<Part>> {
    let broken = || Fault::new(&BROKEN).detail("box");
    let mut parts = Vec::new();
    let mut at = range.start;
    // A few bytes behind the last box are padding, not a box.
    while at.saturating_add(8) <= range.end {
        let &[a, b, c, d, k0, k1, k2, k3] = bytes.get(at..at + 8).ok_or_else(broken)? else {
            return Err(broken());
        };
        let (body, length) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (at + 8, range.end - at),
            1 => {
                let long: [u8; 8] =
                    bytes.get(at + 8..at + 16).and_then(|b| b.try_into().ok()).ok_or_else(broken)?;
                (at + 16, usize::try_from(u64::from_be_bytes(long)).map_err(|_| broken())?)
            }
            length => (at + 8, length as usize),
        };
        let end = at.checked_add(length).filter(|&end| end >= body && end <= range.end).ok_or_else(broken)?;
        parts.push(Part { kind: [k0, k1, k2, k3], body: body..end });
        if parts.len() > MAX_BOXES {
            return Err(broken());
        }
        at = end;
    }
    Ok(parts)
}

/// A bare codestream with the boxes that a PDF asks for around it (ISO 32000-1, 7.4.9): grey or sRGB by its components.
pub(super) fn wrapped(stream: &[u8], main: &Main) -> Vec<u8> {
    let mut out = b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ".to_vec();
    out.extend(b"\0\0\0\x2Djp2h\0\0\0\x16ihdr");
    out.extend(main.height.to_be_bytes());
    out.extend(main.width.to_be_bytes());
    out.extend(main.components.to_be_bytes());
    out.extend([main.bits.wrapping_sub(1), 7, 0, 0]);
    out.extend(b"\0\0\0\x0Fcolr\x01\0\0\0\0\0");
    out.push(if main.components == 1 { 17 } else { 16 });
    // An open length: the codestream is the last box.
    out.extend(b"\0\0\0\0jp2c");
    out.extend(stream);
    out
}
