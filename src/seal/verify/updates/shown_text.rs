//! What the appearance of a form field says, as far as that can be told for sure: text in the reader's own fonts and
//! nothing else drawn. A picture, a path or a font that came with the file can show anything.

use crate::pdf::revise::{Dict, Document, ObjectId, Parser, Value};

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

/// Compares an appearance stream with a value; white space does not count.
pub(super) fn compare(document: &Document<'_>, appearance: &Value, value: &str) -> Shown {
    let Some(shown) = text(document, appearance) else { return Shown::Unread };
    if !value.is_ascii() {
        return Shown::Unread;
    }
    let squeeze = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0).collect()
    };
    if squeeze(&shown) == squeeze(value.as_bytes()) { Shown::Same } else { Shown::Differs }
}

/// The text that a form XObject shows; none where it draws anything else.
fn text(document: &Document<'_>, appearance: &Value) -> Option<Vec<u8>> {
    let data = document.stream_data(appearance, MAX_STREAM).ok()?;
    let resources = document.lookup(appearance.as_dict()?, b"Resources").ok()?;
    let fonts = match resources.as_dict() {
        Some(resources) => document.lookup(resources, b"Font").ok()?,
        None => Value::Null,
    };
    let mut parser = Parser::new(&data, 0);
    let (mut shown, mut operands) = (Vec::new(), Vec::new());
    loop {
        parser.skip_space();
        let rest = data.get(parser.at..)?;
        let Some(first) = rest.first() else { break };
        if first.is_ascii_alphabetic() || matches!(first, b'\'' | b'"') {
            let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"*'\"".contains(b)).count();
            let operator = rest.get(..length)?;
            if !matches!(operator, b"true" | b"false" | b"null") {
                parser.at += length;
                perform(document, operator, &operands, &fonts, &mut shown)?;
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
    (operands.is_empty() && shown.is_ascii()).then_some(shown)
}

/// One operator; none where it may show something that is not text.
fn perform(
    document: &Document<'_>,
    operator: &[u8],
    operands: &[Value],
    fonts: &Value,
    shown: &mut Vec<u8>,
) -> Option<()> {
    match operator {
        b"Tj" | b"'" => shown.extend_from_slice(operands.last()?.as_string()?),
        b"\"" => shown.extend_from_slice(operands.get(2)?.as_string()?),
        b"TJ" => {
            for item in operands.last()?.as_array()? {
                shown.extend_from_slice(item.as_string().unwrap_or_default());
            }
        }
        b"Tf" => {
            let font = document.lookup(fonts.as_dict()?, operands.first()?.as_name()?).ok()?;
            is_readers_own(document, font.as_dict()?).then_some(())?;
        }
        b"g" | b"rg" | b"k" => is_dark(operator, operands).then_some(())?,
        b"BT" | b"ET" | b"BMC" | b"BDC" | b"EMC" | b"q" | b"Q" | b"Td" | b"TD" | b"Tm" | b"T*" | b"Tc"
        | b"Tw" | b"TL" | b"re" | b"W" | b"W*" | b"n" | b"G" | b"RG" | b"K" | b"w" => {}
        _ => return None,
    }
    Some(())
}

/// A font that every reader draws with its own letters: one of the standard fourteen without a program or an encoding.
fn is_readers_own(document: &Document<'_>, font: &Dict) -> bool {
    const OWN: [&[u8]; 3] = [b"Helvetica", b"Times-", b"Courier"];
    let name = font.get(b"BaseFont").and_then(Value::as_name).unwrap_or_default();
    let plain = match document.lookup(font, b"Encoding") {
        Ok(Value::Null) => true,
        Ok(Value::Name(name)) => matches!(&name[..], b"WinAnsiEncoding" | b"MacRomanEncoding"),
        Ok(Value::Dict(dict)) => dict.get(b"Differences").is_none(),
        _ => false,
    };
    font.is_name(b"Subtype", b"Type1")
        && OWN.iter().any(|own| name.starts_with(own))
        && font.get(b"FontDescriptor").is_none()
        && plain
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

/// The stream of a widget's normal appearance, where it has one.
pub(super) fn appearance(document: &Document<'_>, widget: &Dict) -> Option<Value> {
    let looks = document.lookup(widget, b"AP").ok()?;
    let normal = document.lookup(looks.as_dict()?, b"N").ok()?;
    matches!(normal, Value::Stream(_)).then_some(normal)
}

/// The object of a widget's normal appearance.
pub(super) fn appearance_object(document: &Document<'_>, widget: &Dict) -> Option<ObjectId> {
    document.lookup(widget, b"AP").ok()?.as_dict()?.get(b"N")?.as_ref()
}

const MAX_STREAM: usize = 1 << 20;
const MAX_OPERANDS: usize = 64;
