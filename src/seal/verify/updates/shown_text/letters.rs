//! The letters that every reader draws by itself: which fonts those are, and how much room they take at most.

use crate::pdf::revise::{Dict, Document, Value};

/// A font that every reader draws with its own letters, and moves on by their own widths: one of the standard fourteen
/// (ISO 32000-1, 9.6.2.2) without a program, widths or another encoding.
pub(super) fn is_readers_own(document: &Document<'_>, font: &Dict) -> bool {
    const OWN: [&[u8]; 12] = [
        b"Helvetica",
        b"Helvetica-Bold",
        b"Helvetica-Oblique",
        b"Helvetica-BoldOblique",
        b"Times-Roman",
        b"Times-Bold",
        b"Times-Italic",
        b"Times-BoldItalic",
        b"Courier",
        b"Courier-Bold",
        b"Courier-Oblique",
        b"Courier-BoldOblique",
    ];
    let usual = |name: &[u8]| matches!(name, b"WinAnsiEncoding" | b"MacRomanEncoding" | b"StandardEncoding");
    let plain = match document.lookup(font, b"Encoding") {
        Ok(Value::Null) => true,
        Ok(Value::Name(name)) => usual(&name),
        Ok(Value::Dict(dict)) => {
            dict.get(b"Differences").is_none()
                && dict.get(b"BaseEncoding").is_none_or(|base| base.as_name().is_some_and(usual))
        }
        _ => false,
    };
    font.is_name(b"Subtype", b"Type1")
        && font.get(b"BaseFont").and_then(Value::as_name).is_some_and(|name| OWN.contains(&name))
        && [&b"FontDescriptor"[..], b"Widths", b"ToUnicode"].iter().all(|key| font.get(key).is_none())
        && plain
}

/// The width of a letter in the widest of these fonts or a little more, in sizes.
pub(super) fn width(letter: u8) -> f64 {
    match letter {
        b'W' | b'M' | b'%' | b'@' => 1.0,
        b'm' | b'&' => 0.89,
        b'O' | b'Q' | b'G' | b'w' | b'K' | b'H' => 0.79,
        b'A'..=b'Z' => 0.73,
        b'0'..=b'9' | b'$' | b'#' | b'?' => 0.62,
        // No narrower than in Courier.
        b'a'..=b'z' => 0.62,
        b'+' | b'<' | b'=' | b'>' => 0.68,
        _ => 0.61,
    }
}

/// How far letters reach below the line, in sizes.
pub(super) fn depth(text: &[u8]) -> f64 {
    if text.iter().any(|letter| b"gjpqyQ,;()[]{}|@_$/\\".contains(letter)) { 0.2 } else { 0.0 }
}

/// How far they reach above it.
pub(super) const HEIGHT: f64 = 0.72;
