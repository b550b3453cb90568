//! What was appended to a PDF after it was signed: an allow-list over objects. A new signature field with its widget, a
//! document time stamp, validation data (DSS), values of form fields and bookkeeping are taken; whatever else changed is
//! an illegal modification and is named. Annotations are never taken: deliberately stricter than DocMDP P=3.

mod fill;
mod objects;
mod roles;
mod shown_text;

pub(super) use objects::References;

use super::Update;
use super::changes::{Changes, ILLEGAL, Signed};
use super::fields::{FieldNode, field_nodes};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use objects::Change;
use roles::Role;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Compares one revision with the next; gives what changed. `references` are those of the older revision, and become
/// those of the newer one.
///
/// # Errors
/// [`ILLEGAL`] naming the object, or a revision that cannot be read.
pub(super) fn compare(
    old: &Document<'_>,
    new: &Document<'_>,
    references: &mut References,
) -> Outcome<Changes> {
    let changed = objects::changed(old, new, references)?;
    let fields = field_nodes(old)?;
    let mut step = Step {
        old,
        new,
        found: Changes::default(),
        roles: roles::of(old, &fields, references)?,
        new_fields: HashSet::new(),
        touched: BTreeSet::new(),
        places: fields.iter().enumerate().map(|(place, node)| (node.id, place)).collect(),
        fields,
        pages: OnceCell::new(),
    };
    step.trailer()?;
    for node in field_nodes(new)? {
        if !step.places.contains_key(&node.id) {
            step.take_field(&node)?;
        }
    }
    for change in &changed.changes {
        step.judge(change)?;
    }
    step.settle_fields()?;
    let found = step.found;
    references.follow(&changed, new)?;
    Ok(found)
}

struct Step<'d, 'a> {
    old: &'d Document<'a>,
    new: &'d Document<'a>,
    found: Changes,
    roles: HashMap<ObjectId, Role>,
    /// New signature fields and their widgets.
    new_fields: HashSet<ObjectId>,
    /// Fields whose value or look was changed.
    touched: BTreeSet<ObjectId>,
    /// Those of the older revision.
    fields: Vec<FieldNode>,
    /// Where each of them stands in that list.
    places: HashMap<ObjectId, usize>,
    /// The newer revision's pages, where they were needed.
    pages: OnceCell<HashMap<ObjectId, usize>>,
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
            (Some(Role::EmptySignature), Some(old), Some(new)) => self.signed(change.id, old, new),
            (Some(Role::Field), Some(old), Some(new)) => self.field(change.id, old, new),
            (Some(Role::Dss), Some(old), Some(new)) => self.dss(change.id, old, new),
            (Some(Role::FormFields | Role::Annotations), None, None) => {
                self.grown(change.id, before, &change.after)
            }
            (Some(Role::DssPart), None, None) => self.only_more(change.id, before, &change.after),
            (Some(Role::DssPart), Some(old), Some(new)) => self.vri(change.id, old, new),
            (Some(Role::Metadata), Some(_), Some(new)) if new.is_name(b"Subtype", b"XML") => {
                self.found.kinds.insert(Update::Metadata);
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
                    self.found.kinds.insert(Update::ValidationData);
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
                    self.found.kinds.insert(Update::Metadata);
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
        if node.dict.get(b"Type").is_some_and(|t| t.as_name() != Some(b"Annot")) {
            return Err(illegal(node.id, "a signature field of another type"));
        }
        let signed = self.takes_value(node.id, &node.dict)?;
        let draws = [&b"AP"[..], b"MK"].iter().any(|key| node.dict.get(key).is_some());
        // A widget below a field that is signed shows that field's signature.
        let below = node.parent.is_some_and(|p| self.new_fields.contains(&p));
        if signed.is_none() && draws && !below {
            return Err(illegal(node.id, "a signature field without a signature that shows something"));
        }
        let shown = self.shown(&node.dict)?;
        if shown.is_some() {
            self.found.kinds.insert(Update::VisibleSignature);
        }
        let is_stamp = signed == Some(true);
        self.found.signed.push(Signed { name: node.name.clone(), is_new: true, is_stamp, shown });
        self.new_fields.insert(node.id);
        Ok(())
    }

    /// The signature that a field now holds, if any: whether it is a time stamp. It must be an object of its own that was
    /// not there before.
    fn takes_value(&mut self, id: ObjectId, dict: &Dict) -> Outcome<Option<bool>> {
        let Some(value) = dict.get(b"V").filter(|v| **v != Value::Null) else { return Ok(None) };
        if let Some(id) = value.as_ref()
            && self.old.entry(id.number).is_some_and(|e| e != Entry::Free)
        {
            return Err(illegal(id, "a signature field takes over an older object"));
        }
        let value = self.new.resolve(value)?;
        let Some(dict) = value.as_dict() else {
            return Err(illegal(id, "a signature field with a value that is no signature"));
        };
        let stamp = dict.is_name(b"SubFilter", b"ETSI.RFC3161");
        self.found.kinds.insert(if stamp { Update::DocumentTimestamp } else { Update::Signature });
        Ok(Some(stamp))
    }

    /// Whether a widget takes room on a page, and on which.
    fn shown(&self, widget: &Dict) -> Outcome<Option<Option<usize>>> {
        let rect = self.new.rect(widget, b"Rect")?;
        if !rect.is_some_and(|r| r.width() > 0.0 && r.height() > 0.0) {
            return Ok(None);
        }
        if self.pages.get().is_none() {
            let pages = self.new.pages()?.into_iter().zip(1..).map(|(page, number)| (page.id, number));
            let _ = self.pages.set(pages.collect());
        }
        let page = widget.get(b"P").and_then(Value::as_ref);
        Ok(Some(page.and_then(|id| self.pages.get()?.get(&id).copied())))
    }

    /// A field of the older revision.
    fn known_field(&self, id: ObjectId) -> Option<&FieldNode> {
        self.fields.get(*self.places.get(&id)?)
    }

    /// A signature field that was waiting to be signed.
    fn signed(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            match key.as_slice() {
                b"V" | b"M" | b"MK" => {}
                b"AP" if self.is_fresh_look(old, new)? => {}
                key => return Err(illegal(id, &format!("/{} of a signature field", printable(key)))),
            }
        }
        let Some(node) = self.known_field(id) else {
            return Err(illegal(id, "a signed object was changed"));
        };
        let (name, above) = (node.name.clone(), node.parent);
        let mut signed = self.takes_value(id, new)?;
        if signed.is_none()
            && let Some(above) = above
            && let Some(dict) = self.new.get(above)?.as_dict()
        {
            signed = self.takes_value(above, dict)?;
        }
        let Some(is_stamp) = signed else {
            return Err(illegal(id, "a signature field that was changed and not signed"));
        };
        let shown = self.shown(new)?;
        if shown.is_some() {
            self.found.kinds.insert(Update::VisibleSignature);
        }
        self.found.signed.push(Signed { name, is_new: false, is_stamp, shown });
        Ok(())
    }

    fn info(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        match different_keys(old, new).iter().find(|k| !matches!(k.as_slice(), b"ModDate" | b"Producer")) {
            Some(key) => Err(illegal(id, &format!("/{} of the document information", printable(key)))),
            None => {
                self.found.kinds.insert(Update::Metadata);
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
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }

    /// Validation data of single signatures: entries may come, none may go.
    fn vri(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        if old.iter().any(|(key, _)| new.get(key).is_none()) {
            return Err(illegal(id, "validation data was removed"));
        }
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }

    fn only_more(&mut self, id: ObjectId, old: &Value, new: &Value) -> Outcome<()> {
        let (Some(old), Some(new)) = (old.as_array(), new.as_array()) else {
            return Err(illegal(id, "validation data was replaced"));
        };
        if old.iter().any(|item| !new.contains(item)) {
            return Err(illegal(id, "validation data was removed"));
        }
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }
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

fn illegal(id: ObjectId, what: &str) -> Fault {
    Fault::new(&ILLEGAL).detail(what).at(format!("object {} {}", id.number, id.generation))
}

fn printable(key: &[u8]) -> String {
    key.iter().take(40).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}
