//! The signatures of a PDF: found through its form, and the bytes that each says it covers (ISO 32000-1, 12.8.1).

use super::VerifyCode;
use crate::fault::{Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, ObjectId, Value, text_of, unhex};
use std::collections::HashSet;
use std::ops::Range;

/// A signature field that holds a signature.
#[derive(Debug, Clone)]
pub(super) struct SignatureField {
    /// Full name, parts joined by dots.
    pub(super) name: String,
    /// The object in which the signature dictionary stands: its own, or the field's.
    pub(super) object: ObjectId,
    /// The signature dictionary.
    pub(super) dict: Dict,
    /// The field's own dictionary.
    pub(super) field: Dict,
}

/// The signed bytes: from the start to the hole, and from the hole to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coverage {
    /// The hole, brackets included.
    pub(super) hole: Range<usize>,
    /// End of the signed revision.
    pub(super) end: usize,
    /// End of the object in which the signature stands, where it takes nothing but its own bytes to read it.
    pub(super) object_end: Option<usize>,
}

/// All filled signature fields of the newest revision, in form order.
///
/// # Errors
/// A form that cannot be read, loops, or holds more than anyone needs.
pub(super) fn signature_fields(document: &Document<'_>) -> Outcome<Vec<SignatureField>> {
    let mut found = Vec::new();
    for node in field_nodes(document)? {
        if node.kind.as_deref() != Some(b"Sig") {
            continue;
        }
        let (object, dict) = match node.dict.get(b"V") {
            Some(Value::Ref(id)) => match document.get(*id)? {
                Value::Dict(dict) => (*id, dict),
                Value::Null => continue,
                _ => return Err(Fault::new(&FORM).detail(format!("the value of field {}", node.id))),
            },
            Some(Value::Dict(dict)) => (node.id, dict.clone()),
            Some(Value::Null) | None => continue,
            Some(_) => return Err(Fault::new(&FORM).detail(format!("the value of field {}", node.id))),
        };
        found.push(SignatureField { name: node.name, object, dict, field: node.dict });
    }
    Ok(found)
}

/// A node of the form's field tree.
#[derive(Debug, Clone)]
pub(super) struct FieldNode {
    pub(super) id: ObjectId,
    pub(super) name: String,
    /// `/FT`, inherited where absent.
    pub(super) kind: Option<Vec<u8>>,
    pub(super) dict: Dict,
    /// The node above it.
    pub(super) parent: Option<ObjectId>,
    /// It has a name of its own; a node without one is a widget of the field above it.
    pub(super) has_name: bool,
}

/// The form's fields and widgets, parents first.
///
/// # Errors
/// As [`signature_fields`].
pub(super) fn field_nodes(document: &Document<'_>) -> Outcome<Vec<FieldNode>> {
    let (_, catalog) = document.catalog()?;
    let form = document.lookup(&catalog, b"AcroForm")?;
    let Some(form) = form.as_dict() else { return Ok(Vec::new()) };
    let roots = document.lookup(form, b"Fields")?;
    let mut open: Vec<Branch> = Vec::new();
    let root = Branch { value: Value::Null, name: String::new(), kind: None, parent: None, depth: 0 };
    let push = |items: &[Value], above: &Branch, open: &mut Vec<Branch>| {
        open.extend(items.iter().rev().map(|value| Branch { value: value.clone(), ..above.clone() }));
    };
    push(roots.as_array().unwrap_or_default(), &root, &mut open);
    let (mut seen, mut nodes) = (HashSet::new(), Vec::new());
    while let Some(Branch { value, name: prefix, kind: inherited, parent, depth }) = open.pop() {
        let Some(id) = value.as_ref() else {
            return Err(Fault::new(&FORM).detail("a field that is not an object of its own"));
        };
        if depth > MAX_DEPTH || nodes.len() + open.len() >= MAX_FIELDS || !seen.insert(id) {
            return Err(Fault::new(&FORM).detail("the field tree loops or is too large").at(id));
        }
        let value = document.get(id)?;
        let Some(dict) = value.as_dict() else { continue };
        let own = document.lookup(dict, b"T")?.as_string().map(text_of).unwrap_or_default();
        let has_name = !own.is_empty();
        let name = match (prefix.is_empty(), own.is_empty()) {
            (true, _) => own,
            (false, true) => prefix,
            (false, false) => format!("{prefix}.{own}"),
        };
        let kind = document.lookup(dict, b"FT")?.as_name().map(<[u8]>::to_vec).or(inherited);
        let kids = document.lookup(dict, b"Kids")?;
        let here = Branch {
            value: Value::Null,
            name: name.clone(),
            kind: kind.clone(),
            parent: Some(id),
            depth: depth + 1,
        };
        push(kids.as_array().unwrap_or_default(), &here, &mut open);
        nodes.push(FieldNode { id, name, kind, dict: dict.clone(), parent, has_name });
    }
    Ok(nodes)
}

/// A node that is still to be read, with what it inherits.
#[derive(Clone)]
struct Branch {
    value: Value,
    name: String,
    kind: Option<Vec<u8>>,
    parent: Option<ObjectId>,
    depth: usize,
}

/// Reads `/ByteRange`, strictly: two pairs, the first from 0; the hole between them is exactly the `<...>` token of this
/// dictionary's `/Contents`, an even number of hexadecimal digits and nothing else.
///
/// # Errors
/// [`BYTE_RANGE`] with what is wrong.
pub(super) fn coverage(document: &Document<'_>, signature: &SignatureField) -> Outcome<Coverage> {
    let bad = |why: &str| Fault::new(&BYTE_RANGE).detail(why);
    let range = signature.dict.get(b"ByteRange").and_then(Value::as_array).ok_or_else(|| bad("missing"))?;
    let numbers: Option<Vec<usize>> =
        range.iter().map(|v| v.as_int().and_then(|n| usize::try_from(n).ok())).collect();
    let Some([0, before, after, rest]) = numbers.as_deref() else { return Err(bad("not [0 a b c]")) };
    let (before, after) = (*before, *after);
    let end = after.checked_add(*rest).ok_or_else(|| bad("overflow"))?;
    if before == 0 || before >= after || end > document.length() {
        return Err(bad("out of range"));
    }
    let (value, extent) =
        document.placed(signature.object)?.ok_or_else(|| bad("the signature is packed in a stream"))?;
    if before < extent.start || after > extent.end {
        return Err(bad("the hole lies outside the signature's own object"));
    }
    let object = document.read(extent.start..after)?;
    let (ahead, hole) = object
        .split_at_checked(object.len().saturating_sub(after - before))
        .ok_or_else(|| bad("out of range"))?;
    if !ahead.trim_ascii_end().ends_with(b"/Contents") {
        return Err(bad("the hole is not the value of Contents"));
    }
    let [b'<', digits @ .., b'>'] = hole else { return Err(bad("the hole is not a <...> token")) };
    let decoded = unhex(digits).filter(|decoded| !decoded.is_empty());
    let decoded =
        decoded.ok_or_else(|| bad("the hole holds something other than pairs of hexadecimal digits"))?;
    if signature.dict.get(b"Contents").and_then(Value::as_string) != Some(&decoded) {
        return Err(bad("the hole is not the value of Contents"));
    }
    let object_end = matches!(value, Value::Dict(_)).then_some(extent.end);
    Ok(Coverage { hole: before..after, end, object_end })
}

const MAX_DEPTH: usize = 16;
const MAX_FIELDS: usize = 20_000;

/// A form that cannot be read.
pub const FORM: Code = VerifyCode {
    id: "VRFY-035",
    vi: "Không đọc được biểu mẫu chứa chữ ký trong PDF",
    en: "the form that holds the signatures cannot be read",
}
.code();
/// ByteRange.
pub const BYTE_RANGE: Code = VerifyCode {
    id: "VRFY-036",
    vi: "Phạm vi được ký không đúng quy tắc",
    en: "the range of signed bytes breaks the rules",
}
.code();
