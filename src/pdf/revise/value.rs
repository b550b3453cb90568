//! PDF objects as values (ISO 32000-1, 7.3), and how they are written back.

use std::fmt;

/// The number and generation of an indirect object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// Object number, from 1.
    pub number: u32,
    /// Generation; 0 in nearly every file.
    pub generation: u16,
}

impl ObjectId {
    /// Object `number`, generation 0.
    pub fn new(number: u32) -> Self {
        ObjectId { number, generation: 0 }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} R", self.number, self.generation)
    }
}

/// One PDF object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`; also what a reference to nothing means.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a decimal point.
    Real(f64),
    /// A name without its slash, `#xx` undone.
    Name(Vec<u8>),
    /// A string, escapes or hexadecimal digits undone.
    String(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
    /// A dictionary.
    Dict(Dict),
    /// A reference.
    Ref(ObjectId),
    /// A stream: its dictionary and where its raw bytes lie.
    Stream(Stream),
}

/// A stream object: its dictionary and its still encoded bytes, as a range of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// The stream dictionary.
    pub dict: Dict,
    /// First raw byte, as an offset in the file.
    pub start: usize,
    /// One past the last raw byte.
    pub end: usize,
}

/// A dictionary: keys are unique (the parser refuses a second one) and keep the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dict(Vec<(Vec<u8>, Value)>);

impl Dict {
    /// An empty dictionary.
    pub fn new() -> Self {
        Dict::default()
    }

    /// From pairs whose keys are known to be unique.
    pub(crate) fn from_pairs(pairs: Vec<(Vec<u8>, Value)>) -> Self {
        Dict(pairs)
    }

    /// The value as written, references unresolved.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets or replaces a key; a replaced key keeps its place.
    pub fn set(&mut self, key: &[u8], value: Value) {
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_vec(), value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(at).1)
    }

    /// All pairs in file order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No keys at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key holds exactly this name.
    pub fn is_name(&self, key: &[u8], name: &[u8]) -> bool {
        self.get(key).and_then(Value::as_name) == Some(name)
    }
}

impl Value {
    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(n) = self { Some(*n) } else { None }
    }

    /// Integer or real as a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Real(x) => Some(*x),
            _ => None,
        }
    }

    /// The name without its slash.
    pub fn as_name(&self) -> Option<&[u8]> {
        if let Value::Name(n) = self { Some(n) } else { None }
    }

    /// The string's bytes.
    pub fn as_string(&self) -> Option<&[u8]> {
        if let Value::String(s) = self { Some(s) } else { None }
    }

    /// The array's items.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(a) = self { Some(a) } else { None }
    }

    /// The dictionary, of a dictionary or of a stream.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Value::Dict(d) => Some(d),
            Value::Stream(s) => Some(&s.dict),
            _ => None,
        }
    }

    /// The target of a reference.
    pub fn as_ref(&self) -> Option<ObjectId> {
        if let Value::Ref(id) = self { Some(*id) } else { None }
    }

    /// A name value from text.
    pub fn name(text: &str) -> Value {
        Value::Name(text.as_bytes().to_vec())
    }

    /// The value as PDF syntax. A stream is written as its dictionary alone.
    pub fn to_pdf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(self, &mut out);
        out
    }
}

impl From<Dict> for Value {
    fn from(dict: Dict) -> Self {
        Value::Dict(dict)
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Real(x) => out.extend_from_slice(real(*x).as_bytes()),
        Value::Name(name) => write_name(name, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Dict(dict) => write_dict(dict, out),
        Value::Stream(stream) => write_dict(&stream.dict, out),
        Value::Ref(id) => out.extend_from_slice(id.to_string().as_bytes()),
    }
}

fn write_dict(dict: &Dict, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<<");
    for (key, value) in dict.iter() {
        write_name(key, out);
        out.push(b' ');
        write(value, out);
        out.push(b'\n');
    }
    out.extend_from_slice(b">>");
}

fn write_name(name: &[u8], out: &mut Vec<u8>) {
    out.push(b'/');
    for &b in name {
        if b.is_ascii_alphanumeric() || b"-_.+*:@$!&'^~,;=?|".contains(&b) {
            out.push(b);
        } else {
            out.extend_from_slice(format!("#{b:02X}").as_bytes());
        }
    }
}

/// Plain ASCII as a literal, everything else as hexadecimal digits.
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().all(|b| (0x20..0x7f).contains(b)) {
        out.push(b'(');
        for &b in text {
            if matches!(b, b'(' | b')' | b'\\') {
                out.push(b'\\');
            }
            out.push(b);
        }
        out.push(b')');
    } else {
        out.push(b'<');
        out.extend_from_slice(hex::encode_upper(text).as_bytes());
        out.push(b'>');
    }
}

/// The shortest digits that read back as the same real, without exponent (PDF has none) and never as an integer: an
/// object that is written again must not differ from what an earlier signature covers.
fn real(x: f64) -> String {
    let text = if x.is_finite() { x.to_string() } else { "0".to_owned() };
    if text.contains('.') { text } else { text + ".0" }
}

/// Text as a PDF text string: ASCII as it is, else UTF-16BE with its mark (ISO 32000-1, 7.9.2.2).
pub fn text_string(text: &str) -> Value {
    if text.is_ascii() {
        return Value::String(text.as_bytes().to_vec());
    }
    let mut bytes = vec![0xfe, 0xff];
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    Value::String(bytes)
}

/// A PDF text string as text; what cannot be read becomes replacement characters.
pub fn text_of(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units: Vec<u16> = rest.as_chunks::<2>().0.iter().map(|u| u16::from_be_bytes(*u)).collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_any_reader_takes_them() {
        let mut dict = Dict::new();
        dict.set(b"A B", Value::Array(vec![Value::Int(-3), Value::Real(0.5), Value::Ref(ObjectId::new(7))]));
        dict.set(b"S", Value::String(b"a(b)\\".to_vec()));
        dict.set(b"H", Value::String(vec![0, 255]));
        let text = String::from_utf8(Value::Dict(dict).to_pdf()).unwrap();
        assert_eq!(text, "<</A#20B [-3 0.5 7 0 R]\n/S (a\\(b\\)\\\\)\n/H <00FF>\n>>");
    }

    #[test]
    fn reals_keep_every_digit_and_stay_reals() {
        for (x, text) in [
            (595.275_590_6, "595.2755906"),
            (1.0, "1.0"),
            (1e-9, "0.000000001"),
            (1e20, "100000000000000000000.0"),
        ] {
            assert_eq!(real(x), text);
        }
        assert_eq!(real(f64::NAN), "0.0");
    }

    #[test]
    fn vietnamese_becomes_utf_16() {
        assert_eq!(text_string("A"), Value::String(b"A".to_vec()));
        assert_eq!(text_string("ộ"), Value::String(vec![0xfe, 0xff, 0x1e, 0xd9]));
    }
}
