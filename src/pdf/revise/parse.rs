//! PDF syntax to values (ISO 32000-1, 7.2 and 7.3), over bytes of a stranger: bounded in depth and count.

use super::value::{Dict, ObjectId, Value};
use super::{SYNTAX, TOO_LARGE};
use crate::fault::{Fault, Outcome};

/// Reads objects from a position on. Positions are offsets in the bytes given.
pub(crate) struct Parser<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begins in what positions count from.
    base: usize,
    /// Where the next byte is read.
    pub(crate) at: usize,
    budget: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Parser { bytes, base: 0, at, budget: MAX_VALUES }
    }

    /// Reads from the beginning of a part of a file, with the positions of the file.
    pub(super) fn in_part(bytes: &'a [u8], base: usize) -> Self {
        Parser { bytes, base, at: base, budget: MAX_VALUES }
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.at.checked_sub(self.base).and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }

    /// Skips white space and comments.
    pub(crate) fn skip_space(&mut self) {
        while let Some(b) = self.peek() {
            if is_space(b) {
                self.at += 1;
            } else if b == b'%' {
                while let Some(b) = self.peek() {
                    if b == b'\r' || b == b'\n' {
                        break;
                    }
                    self.at += 1;
                }
            } else {
                break;
            }
        }
    }

    /// Takes a keyword that is followed by something that ends it.
    pub(crate) fn keyword(&mut self, word: &[u8]) -> bool {
        let rest = self.rest();
        let fits = rest.starts_with(word);
        let ends = rest.get(word.len()).is_none_or(|b| !is_regular(*b));
        if fits && ends {
            self.at += word.len();
        }
        fits && ends
    }

    /// Takes `N G obj`.
    pub(crate) fn object_header(&mut self) -> Outcome<ObjectId> {
        let number = self.unsigned()?;
        let generation = self.unsigned()?;
        self.skip_space();
        if !self.keyword(b"obj") {
            return Err(self.syntax("no obj keyword"));
        }
        match (u32::try_from(number), u16::try_from(generation)) {
            (Ok(number), Ok(generation)) => Ok(ObjectId { number, generation }),
            _ => Err(self.syntax("object number out of range")),
        }
    }

    /// Takes a plain decimal number after optional white space.
    pub(crate) fn unsigned(&mut self) -> Outcome<u64> {
        self.skip_space();
        let start = self.at;
        let mut number: u64 = 0;
        while let Some(b @ b'0'..=b'9') = self.peek() {
            number = number
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(b - b'0')))
                .ok_or_else(|| self.syntax("number too large"))?;
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("no number")) } else { Ok(number) }
    }

    /// Takes one object.
    pub(crate) fn value(&mut self) -> Outcome<Value> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Outcome<Value> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(&TOO_LARGE).detail(format!("more than {MAX_DEPTH} levels at {}", self.at)));
        }
        self.budget = self.budget.checked_sub(1).ok_or_else(|| {
            Fault::new(&TOO_LARGE).detail(format!("an object of more than {MAX_VALUES} values"))
        })?;
        self.skip_space();
        match self.peek() {
            Some(b'/') => Ok(Value::Name(self.name()?)),
            Some(b'(') => self.literal_string(),
            Some(b'[') => self.array(depth),
            Some(b'<') if self.rest().starts_with(b"<<") => self.dict(depth),
            Some(b'<') => self.hex_string(),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => self.number_or_reference(),
            Some(b't') if self.keyword(b"true") => Ok(Value::Bool(true)),
            Some(b'f') if self.keyword(b"false") => Ok(Value::Bool(false)),
            Some(b'n') if self.keyword(b"null") => Ok(Value::Null),
            Some(_) => Err(self.syntax("unknown token")),
            None => Err(self.syntax("file ends inside an object")),
        }
    }

    fn array(&mut self, depth: usize) -> Outcome<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Value::Array(items));
            }
            items.push(self.value_at(depth + 1)?);
        }
    }

    fn dict(&mut self, depth: usize) -> Outcome<Value> {
        let start = self.at;
        self.at += 2;
        let mut pairs = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'>') if self.rest().starts_with(b">>") => {
                    self.at += 2;
                    break;
                }
                Some(b'/') => {
                    let key = self.name()?;
                    pairs.push((key, self.value_at(depth + 1)?));
                }
                _ => return Err(self.syntax("no key in a dictionary")),
            }
        }
        let mut keys: Vec<&[u8]> = pairs.iter().map(|(k, _)| k.as_slice()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Fault::new(&SYNTAX).detail(format!("a key twice in the dictionary at {start}")));
        }
        Ok(Value::Dict(Dict::from_pairs(pairs)))
    }

    fn name(&mut self) -> Outcome<Vec<u8>> {
        self.at += 1;
        let mut name = Vec::new();
        while let Some(b) = self.peek().filter(|b| is_regular(*b)) {
            self.at += 1;
            let digits = self.rest().get(..2).and_then(hex_pair);
            match digits {
                Some(byte) if b == b'#' => {
                    name.push(byte);
                    self.at += 2;
                }
                _ => name.push(b),
            }
            if name.len() > MAX_NAME {
                return Err(self.syntax("name too long"));
            }
        }
        Ok(name)
    }

    fn literal_string(&mut self) -> Outcome<Value> {
        self.at += 1;
        let mut out = Vec::new();
        let mut open = 1usize;
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    if open == 0 {
                        return Ok(Value::String(out));
                    }
                }
                b'\\' => {
                    self.escape(&mut out);
                    continue;
                }
                b'\r' => {
                    if self.peek() == Some(b'\n') {
                        self.at += 1;
                    }
                    out.push(b'\n');
                    continue;
                }
                _ => {}
            }
            out.push(b);
        }
        Err(self.syntax("file ends inside a string"))
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some(b) = self.peek() else { return };
        self.at += 1;
        match b {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'\n' => {}
            b'\r' => {
                if self.peek() == Some(b'\n') {
                    self.at += 1;
                }
            }
            b'0'..=b'7' => {
                let mut code = u32::from(b - b'0');
                for _ in 0..2 {
                    let Some(d @ b'0'..=b'7') = self.peek() else { break };
                    code = code * 8 + u32::from(d - b'0');
                    self.at += 1;
                }
                out.push((code & 0xff) as u8);
            }
            other => out.push(other),
        }
    }

    fn hex_string(&mut self) -> Outcome<Value> {
        self.at += 1;
        // A signature is tens of thousands of digits with nothing between them.
        let rest = self.rest();
        if let Some(decoded) = memchr::memchr(b'>', rest).and_then(|end| unhex(rest.get(..end)?)) {
            self.at += decoded.len() * 2 + 1;
            return Ok(Value::String(decoded));
        }
        let mut out = Vec::new();
        let mut high: Option<u8> = None;
        while let Some(b) = self.peek() {
            self.at += 1;
            if b == b'>' {
                if let Some(high) = high {
                    out.push(high << 4);
                }
                return Ok(Value::String(out));
            }
            if is_space(b) {
                continue;
            }
            let digit = hex_digit(b).ok_or_else(|| self.syntax("not a hexadecimal digit"))?;
            match high.take() {
                Some(high) => out.push(high << 4 | digit),
                None => high = Some(digit),
            }
        }
        Err(self.syntax("file ends inside a string"))
    }

    fn number_or_reference(&mut self) -> Outcome<Value> {
        let number = self.number()?;
        let Value::Int(first) = number else { return Ok(number) };
        let Ok(object) = u32::try_from(first) else { return Ok(number) };
        let back = self.at;
        if let Some(generation) = self.reference_rest() {
            return Ok(Value::Ref(ObjectId { number: object, generation }));
        }
        self.at = back;
        Ok(number)
    }

    fn reference_rest(&mut self) -> Option<u16> {
        self.skip_space();
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return None;
        }
        let generation = u16::try_from(self.unsigned().ok()?).ok()?;
        self.skip_space();
        self.keyword(b"R").then_some(generation)
    }

    fn number(&mut self) -> Outcome<Value> {
        let start = self.at;
        let ahead = self.rest();
        while let Some(b) = self.peek().filter(|b| is_regular(*b)) {
            if !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.') || self.at - start > MAX_DIGITS {
                return Err(self.syntax("not a number"));
            }
            self.at += 1;
        }
        let text = ahead.get(..self.at - start).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or("");
        if let Ok(n) = text.parse::<i64>() {
            return Ok(Value::Int(n));
        }
        match text.parse::<f64>() {
            Ok(x) if x.abs() < MAX_REAL => Ok(Value::Real(x)),
            _ => Err(self.syntax("not a number")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.at.checked_sub(self.base).and_then(|at| self.bytes.get(at)).copied()
    }

    pub(crate) fn syntax(&self, what: &str) -> Fault {
        Fault::new(&SYNTAX).detail(format!("{what} at {}", self.at))
    }
}

/// White space of PDF (ISO 32000-1, table 1).
pub(crate) fn is_space(b: u8) -> bool {
    matches!(b, 0 | 9 | 10 | 12 | 13 | 32)
}

pub(super) fn is_regular(b: u8) -> bool {
    !is_space(b) && !b"()<>[]{}/%".contains(&b)
}

/// Pairs of hexadecimal digits and nothing else as bytes.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    // Branches are left out, so that many digits are taken at once.
    let good = digits.iter().fold(true, |good, digit| good & digit.is_ascii_hexdigit());
    let value = |digit: u8| (digit & 0x0f).wrapping_add((digit >> 6) * 9);
    good.then(|| pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)).collect())
}

fn hex_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    Some(hex_digit(*pair.first()?)? << 4 | hex_digit(*pair.get(1)?)?)
}

const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 1_000_000;
const MAX_NAME: usize = 1024;
const MAX_DIGITS: usize = 64;
/// The largest real of ISO 32000-1, annex C, roughly.
const MAX_REAL: f64 = 4e38;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Outcome<Value> {
        Parser::new(text, 0).value()
    }

    #[test]
    fn every_kind_of_object_is_read() {
        let value =
            parse(b"<< /A#42 [1 -2.5 +.5 (x\\(\\051\\\n)] /R 12 0 R % note\n /H <4a 4> /N null /T true>>")
                .unwrap();
        let dict = value.as_dict().unwrap();
        assert_eq!(
            dict.get(b"AB").unwrap().as_array().unwrap(),
            [Value::Int(1), Value::Real(-2.5), Value::Real(0.5), Value::String(b"x()".to_vec())]
        );
        assert_eq!(dict.get(b"R"), Some(&Value::Ref(ObjectId::new(12))));
        assert_eq!(dict.get(b"H"), Some(&Value::String(b"J@".to_vec())));
        assert_eq!(dict.get(b"N"), Some(&Value::Null));
    }

    #[test]
    fn numbers_in_a_row_are_not_references() {
        assert_eq!(
            parse(b"[1 2 3]").unwrap(),
            Value::Array(vec![Value::Int(1), Value::Int(2), Value::Int(3)])
        );
    }

    #[test]
    fn a_key_twice_is_refused() {
        assert_eq!(parse(b"<</A 1/B 2/A 3>>").unwrap_err().code.id, SYNTAX.id);
    }

    #[test]
    fn endless_nesting_is_refused() {
        assert_eq!(parse(&vec![b'['; 100_000]).unwrap_err().code.id, TOO_LARGE.id);
        assert_eq!(parse(&b"<</A".repeat(100_000)).unwrap_err().code.id, TOO_LARGE.id);
    }

    #[test]
    fn cut_input_is_refused_at_every_length() {
        let whole = b"<</A[1 2 0 R(x)<aa>]/B<</C/D>>>>";
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        assert!(parse(whole).is_ok());
    }
}
