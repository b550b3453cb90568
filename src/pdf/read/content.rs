//! What a page's drawing orders put on it: the images and where, and whether anything else is seen
//! (ISO 32000-1, 7.8.2). Orders are counted and nesting is bounded; nothing is drawn.

mod path;
mod state;
mod token;

use super::rectangle;
use lopdf::{Dictionary, Document, Object, ObjectId};
use path::Path;
pub(super) use path::{Quad, holds, on_page, rectangle as corners};
use state::{Paint, State};
use std::borrow::Cow;
use token::{Token, Tokens};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The first two.
    pub(super) images: Vec<Placed>,
    /// Text that is seen, anywhere; and after the last image.
    pub(super) text: bool,
    pub(super) text_after: bool,
    /// Lines and areas, anywhere, other than white ones on the white page; and after the last image, white or not.
    pub(super) drawing: bool,
    pub(super) drawing_after: bool,
    /// Text of any kind, unseen included.
    pub(super) has_text: bool,
    pub(super) unreadable: bool,
}

/// An image under its matrix, and what stands between it and the eye.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) id: ObjectId,
    pub(super) matrix: [f32; 6],
    pub(super) fill_is_black: bool,
    /// The clipping paths; nothing for one that is no quadrilateral.
    pub(super) clips: Vec<Option<Quad>>,
    /// Transparency, a blend mode or another transfer curve.
    pub(super) is_altered: bool,
    /// It belongs to a layer that may be off.
    pub(super) is_optional: bool,
}

/// What the orders of a file's pages may still cost.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// Orders and operands.
    pub(super) tokens: usize,
    /// Inflated bytes.
    pub(super) bytes: usize,
}

impl Budget {
    pub(super) fn is_spent(&self) -> bool {
        self.tokens == 0 || self.bytes == 0
    }
}

/// Orders of one page, forms included.
const MAX_TOKENS: usize = 4_000_000;
/// Forms within forms.
const MAX_DEPTH: u8 = 6;
/// `q` without `Q`.
const MAX_SAVED: usize = 512;
/// Clipping paths within clipping paths.
const MAX_CLIPS: usize = 16;
/// A page of more images is made of several whatever they are.
const MAX_IMAGES: usize = 2;

/// Follows the orders of a page.
pub(super) fn survey(
    document: &Document,
    resources: Option<&Object>,
    content: &[u8],
    limit: usize,
    budget: &mut Budget,
) -> Survey {
    let left = MAX_TOKENS.min(budget.tokens);
    let mut walk = Walk { document, limit, left, budget, clips: Vec::new(), found: Survey::default() };
    let resources = resources.and_then(|o| document.dereference(o).ok()).and_then(|(_, o)| o.as_dict().ok());
    walk.run(content, resources, State::default(), 0);
    let used = left - walk.left;
    walk.budget.tokens = walk.budget.tokens.saturating_sub(used);
    walk.found
}

struct Walk<'a> {
    document: &'a Document,
    limit: usize,
    left: usize,
    budget: &'a mut Budget,
    /// The clipping paths in force; a state knows how many of them are its own.
    clips: Vec<Option<Quad>>,
    found: Survey,
}

impl<'a> Walk<'a> {
    fn run(&mut self, content: &[u8], resources: Option<&'a Dictionary>, start: State, depth: u8) {
        let document = self.document;
        let entry = |kind: &[u8], name: &[u8]| {
            let kind = resources?.get_deref(kind, document).ok()?.as_dict().ok()?;
            kind.get(&unescaped(name)).ok()
        };
        let mut tokens = Tokens::new(content);
        let mut state = start;
        let mut saved: Vec<State> = Vec::new();
        let mut numbers: Vec<f32> = Vec::new();
        let (mut first, mut name): (&[u8], &[u8]) = (b"", b"");
        let mut path = Path::default();
        // How deep marked content is, and from where on it belongs to a layer.
        let (mut marked, mut layer) = (0usize, None);
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
                    first = if first.is_empty() { text } else { first };
                    name = text;
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
                b"Q" => {
                    state = saved.pop().unwrap_or(state);
                    self.clips.truncate(state.clips);
                }
                b"cm" => {
                    if let Some(m) = last_six(&numbers) {
                        state.matrix = multiply(m, state.matrix);
                    }
                }
                b"g" | b"rg" | b"k" | b"G" | b"RG" | b"K" | b"cs" | b"CS" | b"sc" | b"scn" | b"SC"
                | b"SCN" => state.colour(document, order, &numbers, name, entry(b"ColorSpace", name)),
                b"gs" => state.parameters(document, entry(b"ExtGState", name)),
                b"BMC" | b"BDC" => {
                    marked += 1;
                    if order == b"BDC" && unescaped(first).as_ref() == b"OC" {
                        layer = layer.or(Some(marked));
                    }
                }
                b"EMC" => {
                    layer = layer.filter(|from| *from < marked);
                    marked = marked.saturating_sub(1);
                }
                b"Tr" => state.text_mode(&numbers),
                b"Tj" | b"TJ" | b"'" | b"\"" => {
                    self.found.has_text = true;
                    if !state.unseen_text {
                        self.found.text = true;
                        self.found.text_after = true;
                    }
                    if state.text_cuts {
                        self.clip(None, &mut state);
                    }
                }
                b"sh" => self.draws(Paint::Other),
                b"BI" => {
                    tokens.skip_inline_image();
                    self.draws(Paint::Other);
                }
                b"Do" => {
                    if let Some(Object::Reference(id)) = entry(b"XObject", name) {
                        let mut inner = state;
                        inner.is_optional |= layer.is_some();
                        self.object(*id, resources, inner, depth);
                    }
                }
                b"f" | b"F" | b"f*" | b"S" | b"s" | b"B" | b"B*" | b"b" | b"b*" | b"n" => {
                    match order {
                        b"n" => {}
                        b"f" | b"F" | b"f*" => self.draws(state.fill.paint),
                        b"S" | b"s" => self.draws(state.stroke.paint),
                        _ if state.fill.paint == state.stroke.paint => self.draws(state.fill.paint),
                        _ => self.draws(Paint::Other),
                    }
                    if path.cuts {
                        self.clip(path.quad(), &mut state);
                    }
                    path = Path::default();
                }
                _ => path.order(order, &numbers, state.matrix),
            }
            numbers.clear();
            (first, name) = (b"", b"");
        }
    }

    /// White on the white page is not seen; over an image it hides it.
    fn draws(&mut self, paint: Paint) {
        if paint != Paint::White || !self.found.images.is_empty() {
            self.found.drawing = true;
            self.found.drawing_after = true;
        }
    }

    fn clip(&mut self, path: Option<Quad>, state: &mut State) {
        if self.clips.last() == Some(&path) {
            return;
        }
        match self.clips.last_mut() {
            // Too many to be followed are one that is not known.
            Some(last) if state.clips >= MAX_CLIPS => *last = None,
            _ => self.clips.push(path),
        }
        state.clips = self.clips.len();
    }

    /// `Do`: an image is noted, a form is followed.
    fn object(&mut self, id: ObjectId, resources: Option<&'a Dictionary>, mut state: State, depth: u8) {
        let document = self.document;
        let Ok(stream) = document.get_object(id).and_then(Object::as_stream) else { return };
        state.is_optional |= stream.dict.has(b"OC");
        match stream.dict.get_deref(b"Subtype", document).and_then(Object::as_name) {
            Ok(b"Image") => {
                if self.found.images.len() < MAX_IMAGES {
                    self.found.images.push(Placed {
                        id,
                        matrix: state.matrix,
                        fill_is_black: state.fill.paint == Paint::Black,
                        clips: self.clips.clone(),
                        is_altered: state.is_altered(),
                        is_optional: state.is_optional,
                    });
                }
                self.found.text_after = false;
                self.found.drawing_after = false;
            }
            Ok(b"Form") if depth < MAX_DEPTH => {
                let body = super::stream::inflated(document, stream, self.limit.min(self.budget.bytes));
                let Ok(body) = body else {
                    self.budget.bytes = self.budget.bytes.saturating_sub(self.limit);
                    self.found.unreadable = true;
                    return;
                };
                self.budget.bytes = self.budget.bytes.saturating_sub(body.len());
                let mut inner = state.in_form();
                if let Ok(matrix) = stream.dict.get_deref(b"Matrix", document).and_then(Object::as_array) {
                    let values: Vec<f32> =
                        matrix.iter().take(6).filter_map(|o| super::number_of(document, Some(o))).collect();
                    if let Some(m) = last_six(&values) {
                        inner.matrix = multiply(m, state.matrix);
                    }
                }
                let frame = rectangle(document, stream.dict.get(b"BBox").ok());
                let frame = frame.map(|r| corners(r).map(|p| on_page(p, inner.matrix)));
                self.clip(frame, &mut inner);
                let own = stream.dict.get_deref(b"Resources", document).and_then(Object::as_dict).ok();
                // Each form costs a token more than its orders, so empty ones cannot multiply for free.
                self.left = self.left.saturating_sub(64 + body.len() / 64);
                self.run(&body, own.or(resources), inner, depth + 1);
                self.clips.truncate(state.clips);
            }
            Ok(b"Form") => self.found.unreadable = true,
            _ => {}
        }
    }
}

/// A name with its `#` codes resolved (ISO 32000-1, 7.3.5).
fn unescaped(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'#') {
        return Cow::Borrowed(name);
    }
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [byte, after @ ..] = rest {
        let hex = |b: &u8| char::from(*b).to_digit(16);
        let code = match after {
            [a, b, ..] if *byte == b'#' => hex(a).zip(hex(b)),
            _ => None,
        };
        out.push(code.map_or(*byte, |(a, b)| (16 * a + b) as u8));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    Cow::Owned(out)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(content: &str) -> Survey {
        let mut budget = Budget { tokens: 1 << 20, bytes: 1 << 20 };
        survey(&Document::new(), None, content.as_bytes(), 1 << 20, &mut budget)
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
