//! How wide a page's letters are and what they say (ISO 32000-1, 9.6 to 9.10): enough to know where its text stands.

use crate::fault::Outcome;
use crate::pdf::revise::{Dict, Document, Parser, Value};
use std::collections::HashMap;

/// A font of a page.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// Two bytes a letter.
    composite: bool,
    /// Advance of a code, thousandths of an em.
    widths: HashMap<u32, f64>,
    default: f64,
    /// What a code says, where the file tells.
    says: HashMap<u32, String>,
}

/// One letter shown.
pub(super) struct Letter {
    /// Ems.
    pub(super) advance: f64,
    /// A single-byte space, which word spacing widens.
    pub(super) space: bool,
}

impl Letters {
    /// Reads a font dictionary; what is missing or odd is replaced by what is usual.
    pub(super) fn of(document: &Document<'_>, font: &Dict, with_text: bool) -> Outcome<Letters> {
        let mut letters = Letters { default: USUAL_WIDTH, ..Letters::default() };
        letters.composite = font.is_name(b"Subtype", b"Type0");
        if letters.composite {
            letters.default = 1000.0;
            if let Value::Array(below) = document.lookup(font, b"DescendantFonts")?
                && let Some(below) = below.first()
                && let Value::Dict(below) = document.resolve(below)?
            {
                letters.default = document.lookup(&below, b"DW")?.as_number().unwrap_or(1000.0);
                if let Value::Array(widths) = document.lookup(&below, b"W")? {
                    letters.composite_widths(document, &widths)?;
                }
            }
        } else {
            letters.simple_widths(document, font)?;
        }
        if with_text && let stream @ Value::Stream(_) = document.lookup(font, b"ToUnicode")? {
            // A map that cannot be read only means that the name is not found in this text.
            if let Ok(map) = document.stream_data(&stream, MAX_MAP) {
                letters.read_map(&map);
            }
        }
        Ok(letters)
    }

    fn simple_widths(&mut self, document: &Document<'_>, font: &Dict) -> Outcome<()> {
        let mut em = 1.0;
        if font.is_name(b"Subtype", b"Type3")
            && let Value::Array(matrix) = document.lookup(font, b"FontMatrix")?
            && let Some(scale) = matrix.first().and_then(Value::as_number)
        {
            em = scale * 1000.0;
        }
        let first = document.lookup(font, b"FirstChar")?.as_int().unwrap_or(0);
        if let Value::Array(widths) = document.lookup(font, b"Widths")? {
            for (i, width) in widths.iter().take(256).enumerate() {
                let code = u32::try_from(first.saturating_add(i as i64)).unwrap_or(u32::MAX);
                if let Some(width) = document.resolve(width)?.as_number() {
                    self.widths.insert(code, width * em);
                }
            }
        }
        Ok(())
    }

    /// `/W`: `c [w w w]` and `from to w` in any order (9.7.4.3).
    fn composite_widths(&mut self, document: &Document<'_>, widths: &[Value]) -> Outcome<()> {
        let mut items = widths.iter().take(MAX_CODES);
        while let Some(first) = items.next() {
            let first = document.resolve(first)?.as_int().and_then(|n| u32::try_from(n).ok());
            let (Some(first), Some(second)) = (first, items.next()) else { break };
            match document.resolve(second)? {
                Value::Array(each) => {
                    for (i, width) in each.iter().take(MAX_CODES).enumerate() {
                        if let Some(width) = document.resolve(width)?.as_number() {
                            self.widths.insert(first.saturating_add(i as u32), width);
                        }
                    }
                }
                last => {
                    let last = last.as_int().and_then(|n| u32::try_from(n).ok()).unwrap_or(0).min(0xffff);
                    let Some(width) = items.next() else { break };
                    if let Some(width) = document.resolve(width)?.as_number() {
                        self.widths.extend((first..=last).map(|code| (code, width)));
                    }
                }
            }
        }
        Ok(())
    }

    /// `beginbfchar` and `beginbfrange` of a ToUnicode map (9.10.3).
    fn read_map(&mut self, map: &[u8]) {
        let mut operands: Vec<Value> = Vec::new();
        let mut at = 0;
        while let Some(token) = Token::next(map, &mut at) {
            let order = match token {
                Token::Operand(value) => {
                    operands.push(value);
                    if operands.len() > MAX_CODES {
                        return;
                    }
                    continue;
                }
                Token::Order(order) => order,
            };
            match order {
                b"endbfchar" => {
                    for pair in operands.chunks_exact(2) {
                        if let (Some(code), Some(text)) = (pair[0].as_string(), pair[1].as_string()) {
                            self.say(number(code), text, 0);
                        }
                    }
                }
                b"endbfrange" => {
                    for row in operands.chunks_exact(3) {
                        let (Some(from), Some(to)) = (row[0].as_string(), row[1].as_string()) else {
                            continue;
                        };
                        let (from, to) = (number(from), number(to).min(0xffff));
                        for code in from..=to {
                            let step = code - from;
                            match &row[2] {
                                Value::String(text) => self.say(code, text, step),
                                Value::Array(each) => {
                                    if let Some(text) = each.get(step as usize).and_then(Value::as_string) {
                                        self.say(code, text, 0);
                                    }
                                }
                                _ => {}
                            }
                        }
                    }
                }
                _ => {}
            }
            operands.clear();
        }
    }

    /// UTF-16BE, its last unit moved by `step`.
    fn say(&mut self, code: u32, text: &[u8], step: u32) {
        if self.says.len() > MAX_CODES {
            return;
        }
        let mut units: Vec<u16> =
            text.chunks_exact(2).take(8).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        if let Some(last) = units.last_mut() {
            *last = last.wrapping_add((step & 0xffff) as u16);
        }
        self.says.insert(code, String::from_utf16_lossy(&units));
    }

    /// The letters of a string, one after the other; what they say is added to `text`.
    pub(super) fn read<'s>(
        &'s self,
        string: &'s [u8],
        text: &'s mut String,
    ) -> impl Iterator<Item = Letter> + 's {
        let step = if self.composite { 2 } else { 1 };
        string.chunks_exact(step).map(move |code| {
            let code = number(code);
            match self.says.get(&code) {
                Some(says) => text.push_str(says),
                // Without a map a simple font is taken for the Latin of the West.
                None if !self.composite => text.extend(char::from_u32(code)),
                None => {}
            }
            let width = self.widths.get(&code).copied().unwrap_or(self.default);
            Letter { advance: width / 1000.0, space: !self.composite && code == 32 }
        })
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// What stands next in a content stream or a map.
pub(super) enum Token<'b> {
    /// A number, name, string, array or dictionary.
    Operand(Value),
    /// An operator.
    Order(&'b [u8]),
}

impl<'b> Token<'b> {
    /// Takes a token; what is none is passed over.
    pub(super) fn next(bytes: &'b [u8], at: &mut usize) -> Option<Token<'b>> {
        loop {
            let mut parser = Parser::new(bytes, *at);
            parser.skip_space();
            *at = parser.at;
            let first = *bytes.get(*at)?;
            if b"/([<+-.0123456789".contains(&first) {
                if let Ok(value) = parser.value() {
                    *at = parser.at;
                    return Some(Token::Operand(value));
                }
                *at += 1;
                // The rest of a broken number is no operator.
                *at += bytes.get(*at..)?.iter().take_while(|b| is_regular(**b)).count();
                continue;
            }
            let length = bytes.get(*at..)?.iter().take_while(|b| is_regular(**b)).count();
            if length == 0 {
                *at += 1;
                continue;
            }
            let word = bytes.get(*at..*at + length)?;
            *at += length;
            return Some(Token::Order(word));
        }
    }
}

pub(super) fn is_regular(b: u8) -> bool {
    !matches!(b, 0 | 9 | 10 | 12 | 13 | 32) && !b"()<>[]{}/%".contains(&b)
}

/// Of fonts whose widths the file leaves out (the fourteen that every reader has).
const USUAL_WIDTH: f64 = 556.0;
const MAX_CODES: usize = 70_000;
const MAX_MAP: usize = 4 << 20;
