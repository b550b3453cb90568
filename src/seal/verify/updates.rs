//! What was appended to a PDF after it was signed: an allow-list over objects. A new signature field with its widget, a
//! document time stamp, validation data (DSS), and bookkeeping are taken; whatever else changed is an illegal
//! modification and is named. Form filling and annotations are never taken: deliberately stricter than DocMDP P=2 and 3.

use super::fields::{FieldNode, SignatureField, field_nodes};
use super::{Update, VerifyCode};
use crate::fault::{Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Compares one revision with the next; gives the kinds of change found.
///
/// # Errors
/// [`ILLEGAL`] naming the object, or a revision that cannot be read.
pub(super) fn compare(old: &Document<'_>, new: &Document<'_>) -> Outcome<BTreeSet<Update>> {
    let changed = changed_objects(old, new)?;
    let mut step = Step { old, new, found: BTreeSet::new(), roles: roles(old)?, new_fields: HashSet::new() };
    step.trailer()?;
    let before: HashSet<ObjectId> = field_nodes(old)?.iter().map(|n| n.id).collect();
    for node in field_nodes(new)? {
        if !before.contains(&node.id) {
            step.take_field(&node)?;
        }
    }
    for change in &changed {
        step.judge(change)?;
    }
    Ok(step.found)
}

/// An object that is another than before.
struct Change {
    id: ObjectId,
    before: Value,
    after: Value,
}

/// What an object of the older revision is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Catalog,
    Form,
    FormFields,
    Info,
    Metadata,
    Page,
    Annotations,
    EmptySignature,
    Dss,
    DssPart,
}

struct Step<'d, 'a> {
    old: &'d Document<'a>,
    new: &'d Document<'a>,
    found: BTreeSet<Update>,
    roles: HashMap<ObjectId, Role>,
    /// New signature fields and their widgets.
    new_fields: HashSet<ObjectId>,
}

impl Step<'_, '_> {
    fn judge(&mut self, change: &Change) -> Outcome<()> {
        let before = &change.before;
        let role = self.roles.get(&change.id).copied();
        let (old, new) = (before.as_dict(), change.after.as_dict());
        match (role, old, new) {
            (Some(Role::Catalog), Some(old), Some(new)) => self.catalog(change.id, old, new),
            (Some(Role::Form), Some(old), Some(new)) => self.form(change.id, old, new),
            (Some(Role::Page), Some(old), Some(new)) => self.page(change.id, old, new),
            (Some(Role::Info), Some(old), Some(new)) => self.info(change.id, old, new),
            (Some(Role::EmptySignature), Some(old), Some(new)) => self.filled(change.id, old, new),
            (Some(Role::Dss), Some(old), Some(new)) => self.dss(change.id, old, new),
            (Some(Role::FormFields | Role::Annotations), None, None) => {
                self.grown(change.id, before, &change.after)
            }
            (Some(Role::DssPart), None, None) => self.only_more(change.id, before, &change.after),
            (Some(Role::DssPart), Some(old), Some(new)) => self.vri(change.id, old, new),
            (Some(Role::Metadata), Some(_), Some(new)) if new.is_name(b"Subtype", b"XML") => {
                self.found.insert(Update::Metadata);
                Ok(())
            }
            _ => Err(illegal(change.id, "a signed object was changed")),
        }
    }

    fn trailer(&mut self) -> Outcome<()> {
        let (old, new) = (self.old.trailer(), self.new.trailer());
        if old.get(b"Root") != new.get(b"Root") {
            return Err(Fault::new(&ILLEGAL).detail("the trailer names another catalog"));
        }
        let first = |d: &Dict| d.get(b"ID").and_then(Value::as_array).and_then(|a| a.first().cloned());
        if first(old).is_some() && first(old) != first(new) {
            return Err(Fault::new(&ILLEGAL).detail("the trailer names another file identifier"));
        }
        let (was, is) = (self.old.lookup(old, b"Info")?, self.new.lookup(new, b"Info")?);
        let nothing = Dict::new();
        let id = new.get(b"Info").and_then(Value::as_ref).unwrap_or(ObjectId::new(0));
        if was != is {
            self.info(id, was.as_dict().unwrap_or(&nothing), is.as_dict().unwrap_or(&nothing))?;
        }
        Ok(())
    }

    fn catalog(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            let (was, is) = (old.get(&key), new.get(&key));
            match (key.as_slice(), was, is) {
                (b"AcroForm", Some(Value::Dict(was)), Some(Value::Dict(is))) => self.form(id, was, is)?,
                // The form moves into an object of its own, or comes out of it.
                (b"AcroForm", Some(was), Some(is)) => {
                    let (was, is) = (self.old.resolve(was)?, self.new.resolve(is)?);
                    match (was.as_dict(), is.as_dict()) {
                        (Some(was), Some(is)) => self.form(id, was, is)?,
                        _ => return Err(illegal(id, "the form was replaced")),
                    }
                }
                (b"DSS", None, Some(is)) => {
                    let is = self.new.resolve(is)?;
                    if is.as_dict().is_none_or(|d| !known_dss(d)) {
                        return Err(illegal(id, "validation data of another shape"));
                    }
                    self.found.insert(Update::ValidationData);
                }
                (b"DSS", Some(was), Some(is)) => {
                    let (was, is) = (self.old.resolve(was)?, self.new.resolve(is)?);
                    match (was.as_dict(), is.as_dict()) {
                        (Some(was), Some(is)) => self.dss(id, was, is)?,
                        _ => return Err(illegal(id, "validation data was replaced")),
                    }
                }
                (b"Extensions", _, Some(is)) if self.new.resolve(is)?.as_dict().is_some() => {}
                (b"Metadata", _, Some(is)) => {
                    let stream = self.new.resolve(is)?;
                    if !stream.as_dict().is_some_and(|d| d.is_name(b"Subtype", b"XML")) {
                        return Err(illegal(id, "the metadata was replaced"));
                    }
                    self.found.insert(Update::Metadata);
                }
                (b"Version", _, Some(Value::Name(_))) => {}
                (key, ..) => return Err(illegal(id, &format!("/{} of the catalog", printable(key)))),
            }
        }
        Ok(())
    }

    fn form(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            match key.as_slice() {
                b"Fields" => {
                    let (was, is) = (self.old.lookup(old, b"Fields")?, self.new.lookup(new, b"Fields")?);
                    self.grown(id, &was, &is)?;
                }
                b"SigFlags" => {
                    let flags = self.new.lookup(new, b"SigFlags")?.as_int().unwrap_or(0);
                    if flags & 3 != 3 {
                        return Err(illegal(id, "/SigFlags of the form"));
                    }
                }
                key => return Err(illegal(id, &format!("/{} of the form", printable(key)))),
            }
        }
        Ok(())
    }

    fn page(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            match key.as_slice() {
                b"Annots" => {
                    let (was, is) = (self.old.lookup(old, b"Annots")?, self.new.lookup(new, b"Annots")?);
                    self.grown(id, &was, &is)?;
                }
                key => return Err(illegal(id, &format!("/{} of a page", printable(key)))),
            }
        }
        Ok(())
    }

    /// An array of fields or annotations may only gain new signature fields, at its end.
    fn grown(&mut self, id: ObjectId, old: &Value, new: &Value) -> Outcome<()> {
        let old = match old {
            Value::Null => &[][..],
            value => value.as_array().ok_or_else(|| illegal(id, "not an array"))?,
        };
        let new = new.as_array().ok_or_else(|| illegal(id, "an array was replaced"))?;
        let Some(added) = new.strip_prefix(old) else {
            return Err(illegal(id, "fields or annotations were removed or put in another order"));
        };
        for item in added {
            let known = item.as_ref().is_some_and(|id| self.new_fields.contains(&id));
            if !known {
                return Err(illegal(id, "an annotation or field that is no signature was added"));
            }
        }
        Ok(())
    }

    /// A field that was not there before must be a filled signature field (or its widget) that does nothing else.
    fn take_field(&mut self, node: &FieldNode) -> Outcome<()> {
        const KEYS: [&[u8]; 21] = [
            b"FT", b"T", b"TU", b"V", b"Ff", b"Kids", b"Parent", b"Type", b"Subtype", b"F", b"P", b"Rect",
            b"AP", b"MK", b"M", b"NM", b"DA", b"Border", b"BS", b"Lock", b"SV",
        ];
        let is_signature = node.kind.as_ref().is_some_and(|k| k == b"Sig");
        if !is_signature {
            return Err(illegal(node.id, "a form field was added"));
        }
        if let Some((key, _)) = node.dict.iter().find(|(k, _)| !KEYS.contains(k)) {
            return Err(illegal(node.id, &format!("a signature field with /{}", printable(key))));
        }
        if node.dict.get(b"Subtype").is_some_and(|s| s.as_name() != Some(b"Widget")) {
            return Err(illegal(node.id, "a signature field that is another annotation"));
        }
        if let Some(id) = node.dict.get(b"V").and_then(Value::as_ref)
            && self.old.entry(id.number).is_some_and(|e| e != Entry::Free)
        {
            return Err(illegal(node.id, "a new signature field takes over an older object"));
        }
        let value = self.new.lookup(&node.dict, b"V")?;
        if let Some(dict) = value.as_dict() {
            let stamp = dict.is_name(b"SubFilter", b"ETSI.RFC3161");
            self.found.insert(if stamp { Update::DocumentTimestamp } else { Update::Signature });
        }
        let rect = self.new.rect(&node.dict, b"Rect")?;
        if rect.is_some_and(|r| r.width() > 0.0 && r.height() > 0.0) {
            self.found.insert(Update::VisibleSignature);
        }
        self.new_fields.insert(node.id);
        Ok(())
    }

    /// A signature field that was waiting to be signed.
    fn filled(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            match key.as_slice() {
                b"V" if !old.get(b"V").is_some_and(|v| *v != Value::Null) => {
                    let value = self.new.lookup(new, b"V")?;
                    let stamp = value.as_dict().is_some_and(|d| d.is_name(b"SubFilter", b"ETSI.RFC3161"));
                    self.found.insert(if stamp { Update::DocumentTimestamp } else { Update::Signature });
                }
                b"AP" => {
                    self.found.insert(Update::VisibleSignature);
                }
                b"M" | b"MK" => {}
                key => return Err(illegal(id, &format!("/{} of a signature field", printable(key)))),
            }
        }
        Ok(())
    }

    fn info(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        match different_keys(old, new).iter().find(|k| !matches!(k.as_slice(), b"ModDate" | b"Producer")) {
            Some(key) => Err(illegal(id, &format!("/{} of the document information", printable(key)))),
            None => {
                self.found.insert(Update::Metadata);
                Ok(())
            }
        }
    }

    fn dss(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        if !known_dss(new) {
            return Err(illegal(id, "validation data of another shape"));
        }
        for key in different_keys(old, new) {
            let (was, is) = (self.old.lookup(old, &key)?, self.new.lookup(new, &key)?);
            match (was.as_dict(), is.as_dict()) {
                (Some(was), Some(is)) => self.vri(id, was, is)?,
                _ if was == Value::Null => {}
                _ => self.only_more(id, &was, &is)?,
            }
        }
        self.found.insert(Update::ValidationData);
        Ok(())
    }

    /// Validation data of single signatures: entries may come, none may go.
    fn vri(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        if old.iter().any(|(key, _)| new.get(key).is_none()) {
            return Err(illegal(id, "validation data was removed"));
        }
        self.found.insert(Update::ValidationData);
        Ok(())
    }

    fn only_more(&mut self, id: ObjectId, old: &Value, new: &Value) -> Outcome<()> {
        let (Some(old), Some(new)) = (old.as_array(), new.as_array()) else {
            return Err(illegal(id, "validation data was replaced"));
        };
        if old.iter().any(|item| !new.contains(item)) {
            return Err(illegal(id, "validation data was removed"));
        }
        self.found.insert(Update::ValidationData);
        Ok(())
    }
}

/// Objects whose value differs between the revisions. A new object is taken, unless the older revision already pointed
/// to its number: what was nothing would become something.
fn changed_objects(old: &Document<'_>, new: &Document<'_>) -> Outcome<Vec<Change>> {
    let mut numbers = BTreeSet::new();
    let shared: HashSet<usize> = old.sections().iter().map(|s| s.offset).collect();
    for section in new.sections().iter().take_while(|s| !shared.contains(&s.offset)) {
        numbers.extend(section.entries.iter().map(|(number, _)| *number));
        numbers.extend(section.stream_object);
    }
    if numbers.len() > MAX_CHANGES {
        return Err(Fault::new(&TOO_MANY).detail(format!("{} objects in one update", numbers.len())));
    }
    let mut changes = Vec::new();
    let mut fresh = HashSet::new();
    for number in numbers {
        let (was, is) = (entry(old, number), entry(new, number));
        let id = |e: Option<Entry>| match e {
            Some(Entry::At { generation, .. }) => ObjectId { number, generation },
            _ => ObjectId::new(number),
        };
        match (was, is) {
            (None, None) => {}
            (None, Some(_)) => {
                fresh.insert(number);
            }
            (Some(_), None) => return Err(illegal(id(was), "a signed object was removed")),
            (Some(_), Some(_)) => {
                if id(was) != id(is) {
                    return Err(illegal(id(was), "a signed object was replaced"));
                }
                let (before, after) = (old.get(id(was))?, new.get(id(is))?);
                if !alike(old, &before, new, &after) {
                    changes.push(Change { id: id(was), before, after });
                }
            }
        }
    }
    if let Some(number) = pointed_to(old, &fresh)? {
        return Err(illegal(
            ObjectId::new(number),
            "an object that the signed revision pointed to in vain was added",
        ));
    }
    Ok(changes)
}

fn entry(document: &Document<'_>, number: u32) -> Option<Entry> {
    document.entry(number).filter(|e| *e != Entry::Free && number != 0)
}

/// Equal values; streams by dictionary and raw bytes, wherever they lie.
fn alike(old: &Document<'_>, before: &Value, new: &Document<'_>, after: &Value) -> bool {
    match (before, after) {
        (Value::Stream(a), Value::Stream(b)) => a.dict == b.dict && old.raw_stream(a) == new.raw_stream(b),
        _ => before == after,
    }
}

/// One of these numbers that some object of the document points to.
fn pointed_to(document: &Document<'_>, numbers: &HashSet<u32>) -> Outcome<Option<u32>> {
    if numbers.is_empty() {
        return Ok(None);
    }
    let all = document.object_numbers();
    if all.len() > MAX_OBJECTS {
        return Err(Fault::new(&TOO_MANY).detail(format!("{} objects", all.len())));
    }
    let trailer = Value::Dict(document.trailer().clone());
    if let Some(number) = first_reference(&trailer, numbers) {
        return Ok(Some(number));
    }
    for number in all {
        let generation = match document.entry(number) {
            Some(Entry::At { generation, .. }) => generation,
            _ => 0,
        };
        let value = document.get(ObjectId { number, generation })?;
        if let Some(found) = first_reference(&value, numbers) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn first_reference(value: &Value, numbers: &HashSet<u32>) -> Option<u32> {
    match value {
        Value::Ref(id) => numbers.get(&id.number).copied(),
        Value::Array(items) => items.iter().find_map(|v| first_reference(v, numbers)),
        Value::Dict(_) | Value::Stream(_) => {
            value.as_dict().and_then(|d| d.iter().find_map(|(_, v)| first_reference(v, numbers)))
        }
        _ => None,
    }
}

/// What the objects are for that may change at all. An object with two roles has none: it is not to be changed.
fn roles(document: &Document<'_>) -> Outcome<HashMap<ObjectId, Role>> {
    let mut roles: Vec<(ObjectId, Role)> = Vec::new();
    let reference = |dict: &Dict, key: &[u8]| dict.get(key).and_then(Value::as_ref);
    let (root, catalog) = document.catalog()?;
    roles.push((root, Role::Catalog));
    roles.extend(reference(document.trailer(), b"Info").map(|id| (id, Role::Info)));
    roles.extend(reference(&catalog, b"Metadata").map(|id| (id, Role::Metadata)));
    roles.extend(reference(&catalog, b"AcroForm").map(|id| (id, Role::Form)));
    if let Some(form) = document.lookup(&catalog, b"AcroForm")?.as_dict() {
        roles.extend(reference(form, b"Fields").map(|id| (id, Role::FormFields)));
    }
    roles.extend(reference(&catalog, b"DSS").map(|id| (id, Role::Dss)));
    if let Some(dss) = document.lookup(&catalog, b"DSS")?.as_dict() {
        roles.extend(dss.iter().filter_map(|(_, v)| v.as_ref()).map(|id| (id, Role::DssPart)));
        if let Some(vri) = document.lookup(dss, b"VRI")?.as_dict() {
            roles.extend(vri.iter().filter_map(|(_, v)| v.as_ref()).map(|id| (id, Role::DssPart)));
        }
    }
    for node in field_nodes(document)? {
        let empty = document.lookup(&node.dict, b"V")? == Value::Null;
        if empty && node.kind.as_ref().is_some_and(|k| k == b"Sig") {
            roles.push((node.id, Role::EmptySignature));
        }
    }
    for page in document.pages()? {
        roles.push((page.id, Role::Page));
        roles.extend(reference(&page.dict, b"Annots").map(|id| (id, Role::Annotations)));
    }
    let mut known = HashMap::new();
    let mut twice = Vec::new();
    for (id, role) in roles {
        if known.insert(id, role).is_some_and(|other| other != role) {
            twice.push(id);
        }
    }
    for id in twice {
        known.remove(&id);
    }
    Ok(known)
}

fn known_dss(dss: &Dict) -> bool {
    const KEYS: [&[u8]; 5] = [b"Type", b"Certs", b"OCSPs", b"CRLs", b"VRI"];
    dss.iter().all(|(key, _)| KEYS.contains(&key))
}

fn different_keys(old: &Dict, new: &Dict) -> Vec<Vec<u8>> {
    let mut keys: BTreeSet<&[u8]> = old.iter().map(|(k, _)| k).collect();
    keys.extend(new.iter().map(|(k, _)| k));
    keys.into_iter().filter(|k| old.get(k) != new.get(k)).map(<[u8]>::to_vec).collect()
}

/// What a certifying signature allows after itself (ISO 32000-1, 12.8.2.2): 1 nothing, 2 and 3 more. None where this
/// signature does not certify.
pub(super) fn certified(document: &Document<'_>, signature: &SignatureField) -> Outcome<Option<i64>> {
    let references = document.lookup(&signature.dict, b"Reference")?;
    for item in references.as_array().unwrap_or_default().iter().take(16) {
        let item = document.resolve(item)?;
        let Some(dict) = item.as_dict().filter(|d| d.is_name(b"TransformMethod", b"DocMDP")) else {
            continue;
        };
        let params = document.lookup(dict, b"TransformParams")?;
        let level = params.as_dict().and_then(|p| p.get(b"P")).and_then(Value::as_int);
        return Ok(Some(level.unwrap_or(2)));
    }
    Ok(None)
}

fn illegal(id: ObjectId, what: &str) -> Fault {
    Fault::new(&ILLEGAL).detail(what).at(format!("object {} {}", id.number, id.generation))
}

fn printable(key: &[u8]) -> String {
    key.iter().take(40).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}

const MAX_CHANGES: usize = 100_000;
const MAX_OBJECTS: usize = 500_000;

/// An update that is not allowed.
pub const ILLEGAL: Code = VerifyCode {
    id: "VRFY-040",
    vi: "Tài liệu đã bị sửa đổi trái phép sau khi ký",
    en: "the document was changed after it was signed",
}
.code();
/// Too much to compare.
pub const TOO_MANY: Code = VerifyCode {
    id: "VRFY-041",
    vi: "Tài liệu có quá nhiều thay đổi sau khi ký để xét",
    en: "there is too much after the signature to be compared",
}
.code();
