//! What the appearance of a form field says, as far as that can be told for sure: text in the reader's own fonts, written
//! as it is read and wholly within the field, and nothing else drawn. A picture, a path, a font that came with the file,
//! text that goes back over itself, leaves its box or is too small to see can show anything.

mod letters;

use crate::pdf::revise::{Dict, Document, ObjectId, Parser, Rect, Value};
use letters::{is_readers_own, width};

/// An appearance held against the value of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It says what the value is.
    Same,
    /// It says something else.
    Differs,
    /// What it shows cannot be told.
    Unread,
}

/// Compares a widget's appearance stream with a value; white space does not count.
pub(super) fn compare(document: &Document<'_>, widget: &Dict, appearance: &Value, value: &str) -> Shown {
    let Some(shown) = text(document, widget, appearance) else { return Shown::Unread };
    if !value.is_ascii() {
        return Shown::Unread;
    }
    let squeeze = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0).collect()
    };
    if squeeze(&shown) == squeeze(value.as_bytes()) { Shown::Same } else { Shown::Differs }
}

/// The text that a form XObject shows; none where it draws anything else, or draws it in a way that may be read otherwise.
fn text(document: &Document<'_>, widget: &Dict, appearance: &Value) -> Option<Vec<u8>> {
    let dict = appearance.as_dict()?;
    // Content that a reader may hide, or mix with what lies below it.
    if [&b"OC"[..], b"Group", b"F"].iter().any(|key| dict.get(key).is_some_and(|v| *v != Value::Null)) {
        return None;
    }
    let data = document.stream_data(appearance, MAX_STREAM).ok()?;
    let resources = document.lookup(dict, b"Resources").ok()?;
    let fonts = match resources.as_dict() {
        Some(resources) => document.lookup(resources, b"Font").ok()?,
        None => Value::Null,
    };
    let mut sheet = Sheet::of(document, widget, dict)?;
    let mut parser = Parser::new(&data, 0);
    let mut operands = Vec::new();
    loop {
        parser.skip_space();
        let rest = data.get(parser.at..)?;
        let Some(first) = rest.first() else { break };
        if first.is_ascii_alphabetic() || matches!(first, b'\'' | b'"') {
            let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"*'\"".contains(b)).count();
            let operator = rest.get(..length)?;
            if !matches!(operator, b"true" | b"false" | b"null") {
                parser.at += length;
                sheet.perform(document, operator, &operands, &fonts)?;
                operands.clear();
                continue;
            }
        }
        operands.push(parser.value().ok()?);
        if operands.len() > MAX_OPERANDS {
            return None;
        }
    }
    // A letter outside ASCII depends on the encoding.
    (operands.is_empty() && sheet.shown.is_ascii()).then_some(sheet.shown)
}

/// What `q` keeps and `Q` brings back (ISO 32000-1, tables 52 and 104), in the units of the appearance.
#[derive(Clone)]
struct State {
    /// Within this is drawn.
    clip: Rect,
    /// None before `Tf`.
    size: Option<f64>,
    between_letters: f64,
    between_words: f64,
    leading: f64,
}

/// A line of text as it is being written.
struct Sheet {
    shown: Vec<u8>,
    state: State,
    kept: Vec<State>,
    /// A rectangle that waits for `n`, and whether `W` was said of it.
    path: Option<(Rect, bool)>,
    in_text: bool,
    /// The widths and heights of the text matrix, which neither turns nor mirrors.
    scale: (f64, f64),
    /// Where the line that is being written began.
    line: (f64, f64),
    /// How far from there the pen has come at most, and how far it was put back since the last letter.
    advance: f64,
    back: f64,
    /// Nothing was moved since the last letter.
    goes_on: bool,
    /// Baseline and size of what was shown last, and where it ended at most.
    last: Option<(f64, f64, f64)>,
    /// The smallest size that can be read.
    least: (f64, f64),
}

impl Sheet {
    /// An empty one: the box of the appearance, and how large a letter of it is on the page.
    fn of(document: &Document<'_>, widget: &Dict, appearance: &Dict) -> Option<Sheet> {
        let place = document.rect(widget, b"Rect").ok()??;
        let clip = document.rect(appearance, b"BBox").ok()??;
        let mut matrix = [1.0, 0.0, 0.0, 1.0];
        if let Value::Array(items) = document.lookup(appearance, b"Matrix").ok()? {
            let numbers: Option<Vec<f64>> = items.iter().map(Value::as_number).collect();
            let [a, b, c, d, _, _] = numbers?[..] else { return None };
            matrix = [a, b, c, d];
        }
        let upright = matrix[0] > 0.0 && matrix[3] > 0.0 && matrix[1] == 0.0 && matrix[2] == 0.0;
        if !upright || clip.width() <= 0.0 || clip.height() <= 0.0 {
            return None;
        }
        // Whatever its matrix, a reader makes the box fill the widget's place (12.5.5).
        let (wide, high) = (place.width() / clip.width(), place.height() / clip.height());
        if !(wide > 0.0 && high > 0.0 && wide / high < MAX_STRETCH && high / wide < MAX_STRETCH) {
            return None;
        }
        Some(Sheet {
            shown: Vec::new(),
            state: State { clip, size: None, between_letters: 0.0, between_words: 0.0, leading: 0.0 },
            kept: Vec::new(),
            path: None,
            in_text: false,
            scale: (1.0, 1.0),
            line: (0.0, 0.0),
            advance: 0.0,
            back: 0.0,
            goes_on: false,
            last: None,
            least: (MIN_SIZE / wide, MIN_SIZE / high),
        })
    }

    /// One operator; none where what it shows cannot be told.
    fn perform(
        &mut self,
        document: &Document<'_>,
        operator: &[u8],
        operands: &[Value],
        fonts: &Value,
    ) -> Option<()> {
        let numbers: Vec<f64> = operands.iter().filter_map(Value::as_number).collect();
        let number = || numbers.first().copied();
        match operator {
            b"BT" => {
                (!self.in_text).then_some(())?;
                self.in_text = true;
                self.scale = (1.0, 1.0);
                self.to((0.0, 0.0));
            }
            b"ET" => self.in_text = false,
            b"q" => {
                (self.kept.len() < MAX_KEPT && !self.in_text).then_some(())?;
                self.kept.push(self.state.clone());
            }
            b"Q" => {
                (!self.in_text).then_some(())?;
                self.state = self.kept.pop()?;
            }
            b"re" => {
                let [x, y, width, height] = numbers[..] else { return None };
                self.path.is_none().then_some(())?;
                self.path = Some((Rect::new(x, y, x + width, y + height), false));
            }
            b"W" | b"W*" => self.path.as_mut()?.1 = true,
            b"n" => {
                if let Some((rect, true)) = self.path.take() {
                    self.state.clip = self.state.clip.intersection(&rect)?;
                }
            }
            b"Tf" => {
                let font = document.lookup(fonts.as_dict()?, operands.first()?.as_name()?).ok()?;
                is_readers_own(document, font.as_dict()?).then_some(())?;
                self.state.size = Some(*numbers.last()?);
            }
            b"Tc" => self.state.between_letters = number()?,
            b"Tw" => self.state.between_words = number()?,
            b"TL" => self.state.leading = number()?,
            b"Td" | b"TD" => {
                let [x, y] = numbers[..] else { return None };
                if operator == b"TD" {
                    self.state.leading = -y;
                }
                self.by(x, y);
            }
            b"Tm" => {
                let [a, b, c, d, x, y] = numbers[..] else { return None };
                (a > 0.0 && d > 0.0 && b == 0.0 && c == 0.0).then_some(())?;
                self.scale = (a, d);
                self.to((x, y));
            }
            b"T*" => self.by(0.0, -self.state.leading),
            b"Tj" => self.show(operands.last()?.as_string()?)?,
            b"'" => {
                self.by(0.0, -self.state.leading);
                self.show(operands.last()?.as_string()?)?;
            }
            b"\"" => {
                let [Value::Int(_) | Value::Real(_), Value::Int(_) | Value::Real(_), Value::String(text)] =
                    operands
                else {
                    return None;
                };
                (self.state.between_words, self.state.between_letters) =
                    (*numbers.first()?, *numbers.get(1)?);
                self.by(0.0, -self.state.leading);
                self.show(text)?;
            }
            b"TJ" => {
                for item in operands.last()?.as_array()? {
                    match item {
                        Value::String(text) => self.show(text)?,
                        item => self.kern(item.as_number()?)?,
                    }
                }
            }
            b"g" | b"rg" | b"k" => is_dark(operator, operands).then_some(())?,
            // Optional content may be hidden.
            b"BDC" if operands.first()?.as_name()? == b"OC" => return None,
            b"BMC" | b"BDC" | b"EMC" | b"G" | b"RG" | b"K" | b"w" => {}
            _ => return None,
        }
        Some(())
    }

    fn to(&mut self, place: (f64, f64)) {
        self.line = place;
        (self.advance, self.back, self.goes_on) = (0.0, 0.0, false);
    }

    fn by(&mut self, x: f64, y: f64) {
        self.to((self.line.0 + x * self.scale.0, self.line.1 + y * self.scale.1));
    }

    /// Space between letters, in thousandths of the size: a little of it closes up, and any amount of it parts.
    fn kern(&mut self, thousandths: f64) -> Option<()> {
        self.back = (self.back + thousandths).max(0.0);
        (self.back <= MAX_KERN).then_some(())?;
        self.advance += (-thousandths).max(0.0) / 1000.0 * self.state.size? * self.scale.0;
        Some(())
    }

    /// Writes letters where the pen is: further on in the line, or in one below it, and within the box.
    fn show(&mut self, text: &[u8]) -> Option<()> {
        if text.is_empty() {
            return Some(());
        }
        let state = &self.state;
        let size = state.size?;
        let (wide, high) = (size * self.scale.0, size * self.scale.1);
        let readable = self.in_text && wide >= self.least.0 && high >= self.least.1;
        // A path that is still open could be painted or cut by what follows.
        (readable && self.path.is_none() && wide / high < MAX_STRETCH && high / wide < MAX_STRETCH)
            .then_some(())?;
        let tight = -MAX_KERN / 1000.0 * size;
        (state.between_letters >= tight && state.between_words >= tight).then_some(())?;
        let start = self.line.0 + self.advance;
        let letters: f64 = text.iter().map(|letter| width(*letter)).sum::<f64>() * wide;
        let spaces = text.iter().filter(|b| **b == b' ').count() as f64 * state.between_words.max(0.0);
        let gaps = text.len() as f64 * state.between_letters.max(0.0) + spaces;
        let end = start + letters + gaps * self.scale.0;
        let base = self.line.1;
        let blank = text.iter().all(u8::is_ascii_whitespace);
        let (below, above) = (base - letters::depth(text) * high, base + letters::HEIGHT * high);
        let clip = &state.clip;
        let slack = high * 0.02;
        let inside = start >= clip.x0 - slack && end <= clip.x1 + slack && below >= clip.y0 - slack;
        // Nobody misses a blank that is cut off.
        (blank || (inside && above <= clip.y1 + slack)).then_some(())?;
        if let Some((last, height, reached)) = self.last {
            let further = self.goes_on || start >= reached - slack;
            let same_line = (base - last).abs() <= slack && further;
            let next_line = base <= last - 0.8 * high.max(height);
            (same_line || next_line).then_some(())?;
        }
        if !blank {
            self.back = 0.0;
        }
        self.advance = end - self.line.0;
        self.last = Some((base, high, end));
        self.goes_on = true;
        self.shown.extend_from_slice(text);
        Some(())
    }
}

/// Dark enough to be seen on paper.
fn is_dark(operator: &[u8], operands: &[Value]) -> bool {
    let numbers: Option<Vec<f64>> = operands.iter().map(Value::as_number).collect();
    match (operator, numbers.as_deref()) {
        (b"k", Some([.., black])) => *black >= 0.5,
        (_, Some(numbers)) => numbers.iter().all(|n| *n <= 0.6),
        _ => false,
    }
}

/// The normal appearance of a widget, where it has one: a stream, unless it is one of several.
pub(super) fn appearance(document: &Document<'_>, widget: &Dict) -> Option<Value> {
    let looks = document.lookup(widget, b"AP").ok()?;
    document.lookup(looks.as_dict()?, b"N").ok().filter(|normal| *normal != Value::Null)
}

/// The object of a widget's normal appearance.
pub(super) fn appearance_object(document: &Document<'_>, widget: &Dict) -> Option<ObjectId> {
    document.lookup(widget, b"AP").ok()?.as_dict()?.get(b"N")?.as_ref()
}

const MAX_STREAM: usize = 1 << 20;
const MAX_OPERANDS: usize = 64;
const MAX_KEPT: usize = 16;
/// Points on the page.
const MIN_SIZE: f64 = 3.0;
/// How much wider than high, or higher than wide, letters may be drawn.
const MAX_STRETCH: f64 = 2.5;
/// Thousandths of the size that letters may be moved together.
const MAX_KERN: f64 = 100.0;
