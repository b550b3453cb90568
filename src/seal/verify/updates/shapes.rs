//! Shapes that values have where an update may set them. A value of another shape could be something else to somebody who
//! reads the object for another purpose: a stream where a dictionary belongs can be painted.

use crate::fault::Outcome;
use crate::pdf::revise::{Dict, Document, Value};

/// Developer extensions (ISO 32000-1, 7.12): dictionaries of names, numbers and text, or arrays of such, under prefixes.
pub(super) fn is_extensions(document: &Document<'_>, value: &Value) -> Outcome<bool> {
    let Value::Dict(extensions) = document.resolve(value)? else { return Ok(false) };
    for (key, value) in extensions.iter() {
        let fits = match document.resolve(value)? {
            Value::Name(_) => key == b"Type",
            Value::Dict(one) => is_extension(&one),
            Value::Array(items) => {
                let items: Outcome<Vec<Value>> = items.iter().map(|item| document.resolve(item)).collect();
                items?.iter().all(|item| matches!(item, Value::Dict(one) if is_extension(one)))
            }
            _ => false,
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_extension(one: &Dict) -> bool {
    const KEYS: [&[u8]; 5] = [b"Type", b"BaseVersion", b"ExtensionLevel", b"ExtensionRevision", b"URL"];
    one.iter().all(|(key, value)| {
        KEYS.contains(&key) && matches!(value, Value::Name(_) | Value::Int(_) | Value::String(_))
    })
}

/// Whether the document is tagged (14.7.1): yes or no, thrice.
pub(super) fn is_mark_info(document: &Document<'_>, value: &Value) -> Outcome<bool> {
    const KEYS: [&[u8]; 3] = [b"Marked", b"UserProperties", b"Suspects"];
    let Value::Dict(info) = document.resolve(value)? else { return Ok(false) };
    Ok(info.iter().all(|(key, value)| KEYS.contains(&key) && matches!(value, Value::Bool(_))))
}

/// Resources: dictionaries of things under names, and procedure sets.
pub(super) fn are_resources(document: &Document<'_>, resources: &Dict) -> Outcome<bool> {
    for (_, value) in resources.iter() {
        if !matches!(document.resolve(value)?, Value::Dict(_) | Value::Array(_)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Numbers, text and colours, and nothing that can be drawn: what the appearance characteristics of a signature hold.
pub(super) fn is_flat(value: &Value) -> bool {
    let Value::Dict(dict) = value else { return false };
    dict.iter().all(|(_, value)| match value {
        Value::Array(items) => items.iter().all(|item| item.as_number().is_some()),
        value => matches!(value, Value::Int(_) | Value::Real(_) | Value::String(_)),
    })
}

/// Flags of which none is taken away, and none comes but some of these.
pub(super) fn only_adds(was: &Value, is: &Value, allowed: i64) -> bool {
    let was = match was {
        Value::Null => 0,
        Value::Int(flags) => *flags,
        _ => return false,
    };
    let Value::Int(is) = is else { return false };
    is & was == was && is & !was & !allowed == 0
}
