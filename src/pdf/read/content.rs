//! What a page's drawing orders put on it: the images and where, and whether anything else is seen
//! (ISO 32000-1, 7.8.2). Orders are counted and nesting is bounded; nothing is drawn.

use lopdf::{Dictionary, Document, Object, ObjectId};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) images: Vec<Placed>,
    /// Text that is seen, anywhere; and after the last image.
    pub(super) text: bool,
    pub(super) text_after: bool,
    /// Lines and areas other than white ones, anywhere; and after the last image.
    pub(super) drawing: bool,
    pub(super) drawing_after: bool,
    /// Text of any kind, unseen included.
    pub(super) has_text: bool,
    pub(super) unreadable: bool,
}

/// An image under its matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) id: ObjectId,
    pub(super) matrix: [f32; 6],
    pub(super) fill_is_black: bool,
}

/// Orders of one page, forms included.
const MAX_TOKENS: usize = 4_000_000;
/// Forms within forms.
const MAX_DEPTH: u8 = 6;
/// `q` without `Q`.
const MAX_SAVED: usize = 512;
/// Images looked at; a page of more is made of several anyway.
const MAX_IMAGES: usize = 16;

/// Follows the orders of a page.
pub(super) fn survey(
    document: &Document,
    resources: Option<&Object>,
    content: &[u8],
    limit: usize,
) -> Survey {
    let mut walk = Walk { document, limit, left: MAX_TOKENS, found: Survey::default() };
    let resources = resources.and_then(|o| document.dereference(o).ok()).and_then(|(_, o)| o.as_dict().ok());
    walk.run(content, resources, State::new(), 0);
    walk.found
}

struct Walk<'a> {
    document: &'a Document,
    limit: usize,
    left: usize,
    found: Survey,
}

/// The part of the graphics state that matters here.
#[derive(Clone, Copy)]
struct State {
    matrix: [f32; 6],
    fill: Paint,
    stroke: Paint,
    unseen_text: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Paint {
    Black,
    White,
    Other,
}

impl State {
    fn new() -> Self {
        State {
            matrix: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            fill: Paint::Black,
            stroke: Paint::Black,
            unseen_text: false,
        }
    }
}

impl<'a> Walk<'a> {
    fn run(&mut self, content: &[u8], resources: Option<&'a Dictionary>, start: State, depth: u8) {
        let mut tokens = Tokens { bytes: content, at: 0 };
        let mut state = start;
        let mut saved: Vec<State> = Vec::new();
        let mut numbers: Vec<f32> = Vec::new();
        let mut name: Vec<u8> = Vec::new();
        while let Some(token) = tokens.next() {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.found.unreadable = true;
                return;
            }
            let order = match token {
                Token::Number(value) => {
                    if numbers.len() < 64 {
                        numbers.push(value);
                    }
                    continue;
                }
                Token::Name(text) => {
                    name = text.to_vec();
                    continue;
                }
                Token::Other => continue,
                Token::Order(order) => order,
            };
            match order {
                b"q" if saved.len() < MAX_SAVED => saved.push(state),
                b"q" => {
                    self.found.unreadable = true;
                    return;
                }
                b"Q" => state = saved.pop().unwrap_or(state),
                b"cm" => {
                    if let Some(m) = last_six(&numbers) {
                        state.matrix = multiply(m, state.matrix);
                    }
                }
                b"g" | b"rg" | b"k" => state.fill = paint(order, &numbers),
                b"G" | b"RG" | b"K" => state.stroke = paint(order, &numbers),
                b"cs" | b"sc" | b"scn" => state.fill = general(order, &numbers),
                b"CS" | b"SC" | b"SCN" => state.stroke = general(order, &numbers),
                b"Tr" => state.unseen_text = matches!(numbers.last(), Some(v) if *v == 3.0 || *v == 7.0),
                b"Tj" | b"TJ" | b"'" | b"\"" => {
                    self.found.has_text = true;
                    if !state.unseen_text {
                        self.found.text = true;
                        self.found.text_after = true;
                    }
                }
                b"f" | b"F" | b"f*" if state.fill != Paint::White => self.draws(),
                b"S" | b"s" if state.stroke != Paint::White => self.draws(),
                b"B" | b"B*" | b"b" | b"b*" if state.fill != Paint::White || state.stroke != Paint::White => {
                    self.draws();
                }
                b"sh" => self.draws(),
                b"BI" => {
                    tokens.skip_inline_image();
                    self.draws();
                }
                b"Do" => self.object(&name, resources, state, depth),
                _ => {}
            }
            numbers.clear();
        }
    }

    fn draws(&mut self) {
        self.found.drawing = true;
        self.found.drawing_after = true;
    }

    /// `Do`: an image is noted, a form is followed.
    fn object(&mut self, name: &[u8], resources: Option<&'a Dictionary>, state: State, depth: u8) {
        let document = self.document;
        let entry = resources
            .and_then(|r| r.get_deref(b"XObject", document).ok())
            .and_then(|o| o.as_dict().ok())
            .and_then(|d| d.get(name).ok());
        let Some(Object::Reference(id)) = entry else { return };
        let Ok(stream) = document.get_object(*id).and_then(Object::as_stream) else { return };
        match stream.dict.get_deref(b"Subtype", document).and_then(Object::as_name) {
            Ok(b"Image") if self.found.images.len() < MAX_IMAGES => {
                self.found.images.push(Placed {
                    id: *id,
                    matrix: state.matrix,
                    fill_is_black: state.fill == Paint::Black,
                });
                self.found.text_after = false;
                self.found.drawing_after = false;
            }
            Ok(b"Form") if depth < MAX_DEPTH => {
                let body = match stream.dict.has(b"Filter") {
                    true => stream.decompressed_content_with_limit(self.limit).ok(),
                    false => (stream.content.len() <= self.limit).then(|| stream.content.clone()),
                };
                let Some(body) = body else {
                    self.found.unreadable = true;
                    return;
                };
                let mut inner = state;
                if let Ok(matrix) = stream.dict.get_deref(b"Matrix", document).and_then(Object::as_array) {
                    let values: Vec<f32> =
                        matrix.iter().take(6).filter_map(|o| super::number_of(document, Some(o))).collect();
                    if let Some(m) = last_six(&values) {
                        inner.matrix = multiply(m, state.matrix);
                    }
                }
                let own = stream.dict.get_deref(b"Resources", document).and_then(Object::as_dict).ok();
                // Each form costs a token more than its orders, so empty ones cannot multiply for free.
                self.left = self.left.saturating_sub(64 + body.len() / 64);
                self.run(&body, own.or(resources), inner, depth + 1);
            }
            Ok(b"Image" | b"Form") => self.found.unreadable = true,
            _ => {}
        }
    }
}

fn last_six(numbers: &[f32]) -> Option<[f32; 6]> {
    numbers.get(numbers.len().checked_sub(6)?..)?.try_into().ok()
}

/// `m` applied before `n` (ISO 32000-1, 8.3.4).
fn multiply(m: [f32; 6], n: [f32; 6]) -> [f32; 6] {
    [
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    ]
}

fn paint(order: &[u8], numbers: &[f32]) -> Paint {
    let all = |value: f32| numbers.iter().all(|n| *n == value);
    match (order, numbers) {
        (b"k" | b"K", [c, m, y, k]) => match (c + m + y == 0.0, *k == 0.0, *k == 1.0) {
            (true, true, _) => Paint::White,
            (_, _, true) => Paint::Black,
            _ => Paint::Other,
        },
        _ if all(0.0) => Paint::Black,
        _ if all(1.0) => Paint::White,
        _ => Paint::Other,
    }
}

/// A colour in a space that is not followed: one or three numbers are taken for grey and RGB.
fn general(order: &[u8], numbers: &[f32]) -> Paint {
    match (order, numbers.len()) {
        (b"cs" | b"CS", _) => Paint::Black,
        (_, 1 | 3) => paint(b"g", numbers),
        (_, 4) => paint(b"k", numbers),
        _ => Paint::Other,
    }
}

enum Token<'b> {
    Number(f32),
    Name(&'b [u8]),
    Order(&'b [u8]),
    /// Strings, brackets.
    Other,
}

struct Tokens<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Tokens<'b> {
    fn next(&mut self) -> Option<Token<'b>> {
        loop {
            match *self.bytes.get(self.at)? {
                b'%' => {
                    while !matches!(self.bytes.get(self.at), None | Some(b'\n' | b'\r')) {
                        self.at += 1;
                    }
                }
                b if is_space(b) => self.at += 1,
                _ => break,
            }
        }
        let start = self.at;
        self.at += 1;
        match self.bytes[start] {
            b'(' => self.skip_string(),
            b'<' if self.bytes.get(self.at) != Some(&b'<') => {
                while !matches!(self.bytes.get(self.at), None | Some(b'>')) {
                    self.at += 1;
                }
                self.at += 1;
            }
            b'/' => return Some(Token::Name(self.word(start + 1))),
            b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b')' => {}
            _ => {
                let word = self.word(start);
                return Some(match std::str::from_utf8(word).ok().and_then(|w| w.parse::<f32>().ok()) {
                    Some(value) if !word[0].is_ascii_alphabetic() => Token::Number(value),
                    _ => Token::Order(word),
                });
            }
        }
        Some(Token::Other)
    }

    fn word(&mut self, start: usize) -> &'b [u8] {
        self.at = start;
        while self.bytes.get(self.at).is_some_and(|&b| !is_space(b) && !is_delimiter(b)) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    fn skip_string(&mut self) {
        let mut open = 1usize;
        while let Some(&b) = self.bytes.get(self.at) {
            self.at += 1;
            match b {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }

    /// From behind `BI` to behind `EI` between white space.
    fn skip_inline_image(&mut self) {
        while let Some(window) = self.bytes.get(self.at..self.at + 4) {
            if is_space(window[0]) && &window[1..3] == b"EI" && is_space(window[3]) {
                self.at += 3;
                return;
            }
            self.at += 1;
        }
        self.at = self.bytes.len();
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, 0 | b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

fn is_delimiter(b: u8) -> bool {
    matches!(b, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(content: &str) -> Survey {
        survey(&Document::new(), None, content.as_bytes(), 1 << 20)
    }

    #[test]
    fn unseen_text_is_a_layer_and_seen_text_is_not() {
        let layer = seen("BT 3 Tr /F 12 Tf (a(b)\\)c) Tj ET");
        assert!(layer.has_text && !layer.text);
        assert!(seen("BT (a) Tj ET").text);
    }

    #[test]
    fn a_white_background_is_no_drawing() {
        assert!(!seen("q 1 1 1 rg 0 0 612 792 re f Q").drawing);
        assert!(seen("q 0 0 612 792 re f Q").drawing);
        assert!(!seen("0 0 612 792 re W n").drawing);
    }

    #[test]
    fn inline_images_and_odd_bytes_end() {
        assert!(seen("BI /W 1 /H 1 ID \x01\x02 EI S").drawing);
        for junk in ["(", "<", "<<", "BI", "/", "\\", "q ".repeat(600).as_str(), "% no end"] {
            seen(junk);
        }
    }

    #[test]
    fn matrices_multiply_in_the_order_of_the_standard() {
        let scale = [2.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let shift = [1.0, 0.0, 0.0, 1.0, 10.0, 0.0];
        assert_eq!(multiply(scale, shift)[4], 10.0);
        assert_eq!(multiply(shift, scale)[4], 20.0);
    }
}
