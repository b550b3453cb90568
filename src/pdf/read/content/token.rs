//! Drawing orders as words: numbers, names, orders. Strings are skipped.

/// One of the things that drawing orders are written in (ISO 32000-1, 7.8.2).
pub(super) enum Token<'b> {
    Number(f32),
    Name(&'b [u8]),
    Order(&'b [u8]),
    /// Strings, brackets.
    Other,
}

/// Orders read one after the other.
pub(super) struct Tokens<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Tokens<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Tokens { bytes, at: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Token<'b>> {
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
    pub(super) fn skip_inline_image(&mut self) {
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
