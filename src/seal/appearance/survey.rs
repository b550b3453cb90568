//! What a page's drawing orders put on it, and where (ISO 32000-1, 7.8.2, 8 and 9): lines of text, pictures, strokes and
//! areas. Nothing is drawn; orders, depth and sizes are bounded, and what cannot be followed is a fault, never "free".

use super::UNREAD;
use super::letters::{Letters, Token, is_regular};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Page, Rect, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// What was found, in user space.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Text, seen or not: the unseen text of a scan says where its print is.
    pub(super) text: Vec<Run>,
    /// Pictures.
    pub(super) images: Vec<Rect>,
    /// Strokes, and areas other than white ones.
    pub(super) marks: Vec<Rect>,
}

/// A piece of text on one line.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) rect: Rect,
    pub(super) says: String,
}

/// Follows the orders of a page. What letters say is only looked up where it is asked for.
///
/// # Errors
/// [`UNREAD`]: a stream that cannot be decoded, or more orders than are followed.
pub(super) fn survey(document: &Document<'_>, page: &Page, with_text: bool) -> Outcome<Survey> {
    let mut content = Vec::new();
    let streams = match document.lookup(&page.dict, b"Contents")? {
        Value::Array(items) if items.len() > MAX_STREAMS => return Err(unread("too many streams")),
        Value::Array(items) => items.iter().map(|item| document.resolve(item)).collect::<Outcome<_>>()?,
        one => vec![one],
    };
    for stream in streams.iter().filter(|stream| matches!(stream, Value::Stream(_))) {
        let left = MAX_CONTENT.saturating_sub(content.len());
        content.extend(document.stream_data(stream, left).map_err(|f| unread(f.code.id))?);
        content.push(b'\n');
    }
    let mut walk = Walk { document, with_text, orders: 0, found: Survey::default() };
    walk.run(&content, &Scope::new(resources(document, page)?), State::new(page.crop_box), 0)?;
    Ok(walk.found)
}

/// The page's own resources or those of the nearest node above.
fn resources(document: &Document<'_>, page: &Page) -> Outcome<Dict> {
    let mut node = page.dict.clone();
    for _ in 0..MAX_TREE {
        if let Value::Dict(found) = document.lookup(&node, b"Resources")? {
            return Ok(found);
        }
        match document.lookup(&node, b"Parent")? {
            Value::Dict(parent) => node = parent,
            _ => break,
        }
    }
    Ok(Dict::new())
}

struct Walk<'d, 'a> {
    document: &'d Document<'a>,
    with_text: bool,
    orders: usize,
    found: Survey,
}

/// The names of one content stream, and the fonts it has used.
struct Scope {
    resources: Dict,
    fonts: std::cell::RefCell<HashMap<Vec<u8>, Rc<Letters>>>,
}

impl Scope {
    fn new(resources: Dict) -> Self {
        Scope { resources, fonts: std::cell::RefCell::default() }
    }
}

/// The part of the graphics state that matters here.
#[derive(Clone)]
struct State {
    matrix: [f64; 6],
    clip: Rect,
    white_fill: bool,
    white_stroke: bool,
    line_width: f64,
    font: Option<Rc<Letters>>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

impl State {
    fn new(clip: Rect) -> Self {
        State {
            matrix: UNIT,
            clip,
            white_fill: false,
            white_stroke: false,
            line_width: 1.0,
            font: None,
            size: 0.0,
            letter_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        }
    }
}

/// A path under construction, in user space.
#[derive(Default)]
struct Path {
    /// Boxes of the pieces of each subpath.
    subpaths: Vec<Vec<Rect>>,
    at: [f64; 2],
    pieces: usize,
    clips: bool,
}

impl Path {
    fn piece(&mut self, matrix: &[f64; 6], points: &[[f64; 2]]) {
        let all: Vec<[f64; 2]> = [self.at].iter().chain(points).map(|[x, y]| apply(matrix, *x, *y)).collect();
        if let Some(subpath) = self.subpaths.last_mut() {
            subpath.push(bounds(&all));
            self.pieces += 1;
        }
        if let Some(last) = points.last() {
            self.at = *last;
        }
    }

    fn begin(&mut self, x: f64, y: f64) {
        self.at = [x, y];
        if self.subpaths.last().is_none_or(|subpath| !subpath.is_empty()) {
            self.subpaths.push(Vec::new());
        }
    }
}

impl Walk<'_, '_> {
    fn run(&mut self, content: &[u8], scope: &Scope, start: State, depth: usize) -> Outcome<()> {
        let mut state = start;
        let mut saved: Vec<State> = Vec::new();
        let mut operands: Vec<Value> = Vec::new();
        let mut path = Path::default();
        let (mut text, mut line) = (UNIT, UNIT);
        let mut at = 0;
        while let Some(token) = Token::next(content, &mut at) {
            self.orders += 1;
            if self.orders > MAX_ORDERS || path.pieces > MAX_PIECES {
                return Err(unread("too many drawing orders"));
            }
            let order = match token {
                Token::Operand(value) => {
                    if operands.len() < MAX_OPERANDS {
                        operands.push(value);
                    }
                    continue;
                }
                Token::Order(order) => order,
            };
            let number = |i: usize| operands.get(i).and_then(Value::as_number).filter(|n| n.is_finite());
            let n = |i: usize| number(i).unwrap_or(0.0);
            match order {
                b"q" if saved.len() >= MAX_SAVED => return Err(unread("too deep a stack of states")),
                b"q" => saved.push(state.clone()),
                b"Q" => state = saved.pop().unwrap_or(state),
                b"cm" => state.matrix = multiply([n(0), n(1), n(2), n(3), n(4), n(5)], state.matrix),
                b"w" => state.line_width = n(0).abs(),
                b"g" | b"rg" | b"k" | b"cs" | b"sc" | b"scn" => state.white_fill = is_white(order, &operands),
                b"G" | b"RG" | b"K" | b"CS" | b"SC" | b"SCN" => {
                    state.white_stroke = is_white(order, &operands);
                }
                b"m" => path.begin(n(0), n(1)),
                b"l" => path.piece(&state.matrix, &[[n(0), n(1)]]),
                b"v" | b"y" => path.piece(&state.matrix, &[[n(0), n(1)], [n(2), n(3)]]),
                b"c" => path.piece(&state.matrix, &[[n(0), n(1)], [n(2), n(3)], [n(4), n(5)]]),
                b"re" => {
                    path.begin(n(0), n(1));
                    for [x, y] in [[n(2), 0.0], [n(2), n(3)], [0.0, n(3)], [0.0, 0.0]] {
                        path.piece(&state.matrix, &[[n(0) + x, n(1) + y]]);
                    }
                }
                b"W" | b"W*" => path.clips = true,
                b"f" | b"F" | b"f*" => self.paint(&mut path, &mut state, true, false)?,
                b"S" | b"s" => self.paint(&mut path, &mut state, false, true)?,
                b"B" | b"B*" | b"b" | b"b*" => self.paint(&mut path, &mut state, true, true)?,
                b"n" => self.paint(&mut path, &mut state, false, false)?,
                b"BT" => (text, line) = (UNIT, UNIT),
                b"Tf" => {
                    state.size = n(1);
                    state.font = match operands.first() {
                        Some(Value::Name(name)) => Some(self.font(scope, name)?),
                        _ => None,
                    };
                }
                b"Tc" => state.letter_space = n(0),
                b"Tw" => state.word_space = n(0),
                b"Tz" => state.stretch = n(0) / 100.0,
                b"TL" => state.leading = n(0),
                b"Ts" => state.rise = n(0),
                b"Td" | b"TD" | b"T*" => {
                    let (x, y) = if order == b"T*" { (0.0, -state.leading) } else { (n(0), n(1)) };
                    if order == b"TD" {
                        state.leading = -y;
                    }
                    line = multiply([1.0, 0.0, 0.0, 1.0, x, y], line);
                    text = line;
                }
                b"Tm" => {
                    line = [n(0), n(1), n(2), n(3), n(4), n(5)];
                    text = line;
                }
                b"Tj" | b"TJ" => self.show(operands.first(), &state, &mut text)?,
                b"'" | b"\"" => {
                    if order == b"\"" {
                        state.word_space = n(0);
                        state.letter_space = n(1);
                    }
                    line = multiply([1.0, 0.0, 0.0, 1.0, 0.0, -state.leading], line);
                    text = line;
                    self.show(operands.last(), &state, &mut text)?;
                }
                b"BI" => {
                    skip_inline_image(content, &mut at);
                    self.image(&state)?;
                }
                b"Do" => {
                    if let Some(Value::Name(name)) = operands.first() {
                        self.object(name, scope, &state, depth)?;
                    }
                }
                _ => {}
            }
            operands.clear();
        }
        Ok(())
    }

    /// Ends a path: what it paints is noted, what it clips is kept.
    fn paint(&mut self, path: &mut Path, state: &mut State, fill: bool, stroke: bool) -> Outcome<()> {
        let path = std::mem::take(path);
        let union = |pieces: &[Rect]| pieces.iter().copied().reduce(|a, b| join(&a, &b));
        let half = state.line_width / 2.0 * scale(&state.matrix);
        for pieces in &path.subpaths {
            if stroke && !state.white_stroke {
                for piece in pieces {
                    self.mark(grown(piece, half.max(0.25)), state)?;
                }
            }
            if fill
                && !state.white_fill
                && let Some(area) = union(pieces)
            {
                self.mark(area, state)?;
            }
        }
        if path.clips {
            let all: Vec<Rect> = path.subpaths.iter().filter_map(|pieces| union(pieces)).collect();
            let nothing = Rect::new(state.clip.x0, state.clip.y0, state.clip.x0, state.clip.y0);
            state.clip = union(&all).and_then(|area| area.intersection(&state.clip)).unwrap_or(nothing);
        }
        Ok(())
    }

    fn mark(&mut self, area: Rect, state: &State) -> Outcome<()> {
        // A line has no area: a hair's breadth gives it one.
        if let Some(seen) = grown(&area, HAIR).intersection(&state.clip) {
            self.found.marks.push(seen);
        }
        if self.found.marks.len() > MAX_FOUND { Err(unread("too many marks")) } else { Ok(()) }
    }

    fn image(&mut self, state: &State) -> Outcome<()> {
        let corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let area = bounds(&corners.map(|[x, y]| apply(&state.matrix, x, y)));
        if let Some(seen) = area.intersection(&state.clip) {
            self.found.images.push(seen);
        }
        if self.found.images.len() > MAX_FOUND { Err(unread("too many pictures")) } else { Ok(()) }
    }

    /// Shows a string, or strings with the shifts between them.
    fn show(&mut self, operand: Option<&Value>, state: &State, text: &mut [f64; 6]) -> Outcome<()> {
        let one = operand.map(std::slice::from_ref).unwrap_or_default();
        let pieces = operand.and_then(Value::as_array).unwrap_or(one);
        let usual = Rc::new(Letters::default());
        let font = state.font.as_ref().unwrap_or(&usual);
        let (mut from, mut x, mut says) = (0.0, 0.0, String::new());
        for piece in pieces {
            if let Some(shift) = piece.as_number() {
                let shift = -shift / 1000.0 * state.size * state.stretch;
                if shift.abs() > state.size.abs() {
                    self.text(from, x, std::mem::take(&mut says), state, text)?;
                    from = x + shift;
                }
                x += shift;
            } else if let Some(string) = piece.as_string() {
                for letter in font.read(string, &mut says) {
                    let word = if letter.space { state.word_space } else { 0.0 };
                    x += (letter.advance * state.size + state.letter_space + word) * state.stretch;
                }
            }
        }
        self.text(from, x, says, state, text)?;
        *text = multiply([1.0, 0.0, 0.0, 1.0, x, 0.0], *text);
        Ok(())
    }

    /// Notes a piece of text from `from` to `to` on its base line.
    fn text(&mut self, from: f64, to: f64, says: String, state: &State, text: &[f64; 6]) -> Outcome<()> {
        if from == to {
            return Ok(());
        }
        let (low, high) = (state.rise - DEPTH * state.size, state.rise + HEIGHT * state.size);
        let matrix = multiply(*text, state.matrix);
        let corners = [[from, low], [to, low], [from, high], [to, high]];
        let area = bounds(&corners.map(|[x, y]| apply(&matrix, x, y)));
        if let Some(rect) = area.intersection(&state.clip) {
            self.found.text.push(Run { rect, says });
        }
        if self.found.text.len() > MAX_FOUND { Err(unread("too much text")) } else { Ok(()) }
    }

    fn font(&self, scope: &Scope, name: &[u8]) -> Outcome<Rc<Letters>> {
        if let Some(font) = scope.fonts.borrow().get(name) {
            return Ok(Rc::clone(font));
        }
        let fonts = self.document.lookup(&scope.resources, b"Font")?;
        let font = fonts.as_dict().map(|fonts| self.document.lookup(fonts, name)).transpose()?;
        let font = match font.as_ref().and_then(Value::as_dict) {
            Some(dict) => Letters::of(self.document, dict, self.with_text)?,
            None => Letters::default(),
        };
        let font = Rc::new(font);
        scope.fonts.borrow_mut().insert(name.to_vec(), Rc::clone(&font));
        Ok(font)
    }

    /// `Do`: a picture is noted, a form is followed.
    fn object(&mut self, name: &[u8], scope: &Scope, state: &State, depth: usize) -> Outcome<()> {
        let objects = self.document.lookup(&scope.resources, b"XObject")?;
        let Some(objects) = objects.as_dict() else { return Ok(()) };
        let object = self.document.lookup(objects, name)?;
        let Some(dict) = object.as_dict() else { return Ok(()) };
        if dict.is_name(b"Subtype", b"Image") {
            return self.image(state);
        }
        if !dict.is_name(b"Subtype", b"Form") {
            return Ok(());
        }
        if depth >= MAX_DEPTH {
            return Err(unread("forms within forms"));
        }
        let body = self.document.stream_data(&object, MAX_CONTENT).map_err(|f| unread(f.code.id))?;
        // An empty form costs too, so that many cannot multiply for nothing.
        self.orders += 64 + body.len() / 64;
        let mut inner = state.clone();
        if let Value::Array(matrix) = self.document.lookup(dict, b"Matrix")?
            && let [a, b, c, d, e, f] = matrix.as_slice()
        {
            let matrix = [a, b, c, d, e, f].map(|n| n.as_number().unwrap_or(0.0));
            inner.matrix = multiply(matrix, state.matrix);
        }
        if let Some(r) = self.document.rect(dict, b"BBox")? {
            let corners = [[r.x0, r.y0], [r.x1, r.y0], [r.x0, r.y1], [r.x1, r.y1]];
            let shown = bounds(&corners.map(|[x, y]| apply(&inner.matrix, x, y)));
            match shown.intersection(&inner.clip) {
                Some(clip) => inner.clip = clip,
                None => return Ok(()),
            }
        }
        match self.document.lookup(dict, b"Resources")? {
            Value::Dict(own) => self.run(&body, &Scope::new(own), inner, depth + 1),
            _ => self.run(&body, scope, inner, depth + 1),
        }
    }
}

/// White in the usual spaces; any other colour is a mark.
fn is_white(order: &[u8], operands: &[Value]) -> bool {
    let all = |value: f64| operands.iter().all(|n| n.as_number() == Some(value));
    match (order, operands.len()) {
        (b"cs" | b"CS", _) => false,
        (_, 1 | 3) => all(1.0),
        (_, 4) => all(0.0),
        _ => false,
    }
}

/// From behind `BI` to behind `EI` between white space.
fn skip_inline_image(bytes: &[u8], at: &mut usize) {
    let rest = bytes.get(*at..).unwrap_or_default();
    let ends = |i: &usize| {
        !is_regular(rest[*i])
            && rest[i + 1..].starts_with(b"EI")
            && rest.get(i + 3).is_none_or(|b| !is_regular(*b))
    };
    let end = (0..rest.len()).find(ends);
    *at = end.map_or(bytes.len(), |i| *at + i + 3);
}

fn unread(what: &str) -> Fault {
    Fault::new(&UNREAD).detail(what)
}

fn apply(m: &[f64; 6], x: f64, y: f64) -> [f64; 2] {
    [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]]
}

/// `m` applied before `n` (8.3.4).
fn multiply(m: [f64; 6], n: [f64; 6]) -> [f64; 6] {
    let [e, f] = apply(&n, m[4], m[5]);
    [
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        e,
        f,
    ]
}

fn scale(m: &[f64; 6]) -> f64 {
    (m[0] * m[3] - m[1] * m[2]).abs().sqrt()
}

fn bounds(points: &[[f64; 2]]) -> Rect {
    let first = points.first().copied().unwrap_or_default();
    points.iter().fold(Rect::new(first[0], first[1], first[0], first[1]), |r, [x, y]| Rect {
        x0: r.x0.min(*x),
        y0: r.y0.min(*y),
        x1: r.x1.max(*x),
        y1: r.y1.max(*y),
    })
}

fn join(a: &Rect, b: &Rect) -> Rect {
    Rect { x0: a.x0.min(b.x0), y0: a.y0.min(b.y0), x1: a.x1.max(b.x1), y1: a.y1.max(b.y1) }
}

fn grown(r: &Rect, by: f64) -> Rect {
    Rect { x0: r.x0 - by, y0: r.y0 - by, x1: r.x1 + by, y1: r.y1 + by }
}

const UNIT: [f64; 6] = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
/// Letters under and over the base line, ems.
const DEPTH: f64 = 0.22;
const HEIGHT: f64 = 0.9;
const HAIR: f64 = 0.01;
const MAX_CONTENT: usize = 32 << 20;
const MAX_STREAMS: usize = 4096;
const MAX_ORDERS: usize = 4_000_000;
const MAX_PIECES: usize = 1_000_000;
const MAX_FOUND: usize = 500_000;
const MAX_OPERANDS: usize = 64;
const MAX_SAVED: usize = 512;
const MAX_DEPTH: usize = 8;
const MAX_TREE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::appearance::tests::paper;

    fn seen(content: &str) -> Outcome<Survey> {
        let pdf = paper("", content);
        let document = Document::open(&pdf).unwrap();
        survey(&document, &document.page(0).unwrap(), true)
    }

    fn close(rect: &Rect, want: [f64; 4]) -> bool {
        let have = [rect.x0, rect.y0, rect.x1, rect.y1];
        have.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.6)
    }

    #[test]
    fn text_stands_where_its_matrices_put_it() {
        let found =
            seen("q 2 0 0 2 10 20 cm BT /F1 10 Tf 1 0 0 1 5 5 Tm (abcd) Tj T* [(ab) -2000 (cd)] TJ ET Q")
                .unwrap();
        let text: Vec<&str> = found.text.iter().map(|run| run.says.as_str()).collect();
        assert_eq!(text, ["abcd", "ab", "cd"]);
        // Four letters of half an em at twice ten points, from (20, 30).
        assert!(close(&found.text[0].rect, [20.0, 25.6, 60.0, 48.0]), "{:?}", found.text[0]);
        assert!(close(&found.text[2].rect, [80.0, 25.6, 100.0, 48.0]), "{:?}", found.text[2]);
        let turned = seen("BT /F1 10 Tf 0 1 -1 0 100 100 Tm (abcd) Tj ET").unwrap();
        assert!(close(&turned.text[0].rect, [91.0, 100.0, 102.2, 120.0]), "{:?}", turned.text[0]);
    }

    #[test]
    fn unseen_text_counts_since_it_says_where_a_scan_has_print() {
        assert_eq!(seen("BT 3 Tr /F1 12 Tf 50 50 Td (a) Tj ET").unwrap().text.len(), 1);
    }

    #[test]
    fn pictures_lines_and_areas_are_marks_and_white_ones_and_clips_are_none() {
        let found =
            seen("q 30 0 0 40 100 200 cm BI /W 1 /H 1 ID \u{1} EI Q 1 1 1 rg 0 0 500 500 re f").unwrap();
        assert!(close(&found.images[0], [100.0, 200.0, 130.0, 240.0]) && found.marks.is_empty());
        let found =
            seen("0 0 1 RG 10 10 m 60 10 l S 0 g 20 30 5 5 re 40 30 5 5 re f 1 1 1 1 re W n").unwrap();
        assert_eq!(found.marks.len(), 3);
        assert!(
            close(&found.marks[0], [9.5, 9.5, 60.5, 10.5])
                && close(&found.marks[2], [40.0, 30.0, 45.0, 35.0])
        );
        let clipped = seen("10 10 20 20 re W n 0 0 500 500 re f").unwrap();
        assert!(close(&clipped.marks[0], [10.0, 10.0, 30.0, 30.0]));
        assert!(seen("10 10 20 20 re W n 100 100 50 50 re f").unwrap().marks.is_empty());
    }

    #[test]
    fn odd_orders_end_and_too_many_are_a_fault() {
        for junk in [
            "(",
            "<",
            "<<",
            "BI",
            "/",
            "\\",
            "% no end",
            "]]]",
            "1e5 --3 .5.5 w",
            "BI EI EI",
            "Q Q Q",
            "/F1 Tf (a) Tj",
        ] {
            let _ = seen(junk);
        }
        assert_eq!(seen(&"q ".repeat(600)).unwrap_err().code.id, UNREAD.id);
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_page_draws_it_comes_to_an_end(
            orders in proptest::collection::vec((0..ORDERS.len(), -3i32..3, -1e9f64..1e9), 0..200),
            junk in proptest::collection::vec(0u8..255, 0..60),
        ) {
            let mut content = String::new();
            for (order, small, large) in orders {
                content += &format!("{small} {large} {small} 1 0 {large} {}\n", ORDERS[order]);
            }
            let mut whole = content.into_bytes();
            whole.extend(&junk);
            let _ = seen(&String::from_utf8_lossy(&whole));
        }
    }

    const ORDERS: &[&str] = &[
        "q",
        "Q",
        "cm",
        "w",
        "g",
        "rg",
        "scn",
        "m",
        "l",
        "c",
        "re",
        "W",
        "f",
        "S",
        "B",
        "n",
        "BT",
        "/F1 5 Tf",
        "Tc",
        "Tz",
        "TL",
        "Td",
        "TD",
        "T*",
        "Tm",
        "(ab) Tj",
        "[(a) 5 (b)] TJ",
        "'",
        "BI",
        "/X Do",
        "ET",
        "sh",
        "<",
        ">>",
    ];
}
