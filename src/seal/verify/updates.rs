//! What was appended to a PDF after it was signed: an allow-list over objects. A new signature field with its widget, a
//! document time stamp, validation data (DSS), values of form fields and bookkeeping are taken; whatever else changed is
//! an illegal modification and is named. Annotations are never taken: deliberately stricter than DocMDP P=3.

mod fill;
mod objects;
mod roles;
mod shapes;
mod shown_text;
mod store;

use super::Update;
use super::changes::{Changes, ILLEGAL, Signed, TOO_MANY};
use super::fields::{FieldNode, field_nodes};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use objects::{Change, References};
use roles::{Pages, Role};
use std::collections::{BTreeSet, HashMap};

/// What is known of a revision and carried on to the next, so that only what changed is read again.
pub(super) struct Carried {
    references: References,
    pages: Pages,
}

impl Carried {
    /// Reads a revision whole.
    ///
    /// # Errors
    /// [`TOO_MANY`] where there is more than `room`; what cannot be read and is used.
    pub(super) fn of(document: &Document<'_>, room: &mut usize) -> Outcome<Carried> {
        Ok(Carried { references: References::of(document, room)?, pages: Pages::of(document, room)? })
    }
}

/// Compares one revision with the next; gives what changed. What is carried is of the older revision, and becomes that of
/// the newer one.
///
/// # Errors
/// [`ILLEGAL`] naming the object, [`TOO_MANY`] where the fields of all revisions are more than `room`, or a revision that
/// cannot be read.
pub(super) fn compare(
    old: &Document<'_>,
    new: &Document<'_>,
    carried: &mut Carried,
    room: &mut usize,
) -> Outcome<Changes> {
    let changed = objects::changed(old, new, &carried.references)?;
    let fields = field_nodes(old)?;
    *room = room.checked_sub(fields.len()).ok_or_else(|| Fault::new(&TOO_MANY).detail("form fields"))?;
    let mut step = Step {
        old,
        new,
        found: Changes::default(),
        roles: roles::of(old, &fields, &carried.pages, &carried.references, &changed)?,
        new_fields: HashMap::new(),
        touched: BTreeSet::new(),
        places: fields.iter().enumerate().map(|(place, node)| (node.id, place)).collect(),
        fields,
        pages: &carried.pages,
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
    carried.references.follow(&changed, new)?;
    carried.pages.follow(&changed);
    Ok(found)
}

struct Step<'d, 'a> {
    old: &'d Document<'a>,
    new: &'d Document<'a>,
    found: Changes,
    roles: HashMap<ObjectId, Role>,
    /// New signature fields and their widgets; whether they, or a field above them, hold a signature.
    new_fields: HashMap<ObjectId, bool>,
    /// Fields whose value or look was changed.
    touched: BTreeSet<ObjectId>,
    /// Those of the older revision.
    fields: Vec<FieldNode>,
    /// Where each of them stands in that list.
    places: HashMap<ObjectId, usize>,
    /// Of both revisions.
    pages: &'d Pages,
}

impl Step<'_, '_> {
    fn judge(&mut self, change: &Change) -> Outcome<()> {
        let before = &change.before;
        let role = self.roles.get(&change.id).copied();
        // A stream is no dictionary here: it could be painted.
        fn plain(value: &Value) -> Option<&Dict> {
            if let Value::Dict(dict) = value { Some(dict) } else { None }
        }
        let (old, new) = (plain(before), plain(&change.after));
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
            (Some(Role::DssPart), Some(old), Some(new)) => self.vri(change.id, old, new, 0),
            (Some(Role::Metadata), None, None) if is_xml(before) && is_xml(&change.after) => {
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
            if !matches!(is, Value::Null | Value::Dict(_)) {
                return Err(illegal(id, "document information of another shape"));
            }
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
                    let empty = Dict::new();
                    self.dss(
                        id,
                        &empty,
                        is.as_dict()
                            .filter(|_| matches!(is, Value::Dict(_)))
                            .ok_or_else(|| illegal(id, "validation data of another shape"))?,
                    )?;
                }
                (b"DSS", Some(was), Some(is)) => {
                    let (was, is) = (self.old.resolve(was)?, self.new.resolve(is)?);
                    match (was.as_dict(), is.as_dict()) {
                        (Some(was), Some(is)) => self.dss(id, was, is)?,
                        _ => return Err(illegal(id, "validation data was replaced")),
                    }
                }
                (b"Extensions", _, Some(is)) if shapes::is_extensions(self.new, is)? => {
                    self.found.kinds.insert(Update::Metadata);
                }
                (b"MarkInfo", None, Some(is)) if shapes::is_mark_info(self.new, is)? => {
                    self.found.kinds.insert(Update::Metadata);
                }
                (b"Metadata", _, Some(is)) => {
                    if !is_xml(&self.new.resolve(is)?) {
                        return Err(illegal(id, "the metadata was replaced"));
                    }
                    self.found.kinds.insert(Update::Metadata);
                }
                (b"Version", _, Some(Value::Name(_))) => {
                    self.found.kinds.insert(Update::Metadata);
                }
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
                key if self.is_idle_default(key, old, new)? => {
                    self.found.kinds.insert(Update::Metadata);
                }
                key => return Err(illegal(id, &format!("/{} of the form", printable(key)))),
            }
        }
        Ok(())
    }

    /// Defaults for looks that a reader would have to make itself, added where there is nothing for it to make: Acrobat
    /// puts them into the form when it signs.
    fn is_idle_default(&self, key: &[u8], old: &Dict, new: &Dict) -> Outcome<bool> {
        let value = self.new.lookup(new, key)?;
        let fits = match (key, &value) {
            (b"DA", Value::String(_)) => true,
            (b"Q", Value::Int(place)) => (0..=2).contains(place),
            (b"DR", Value::Dict(resources)) => shapes::are_resources(self.new, resources)?,
            _ => false,
        };
        if !fits || old.get(key).is_some() {
            return Ok(false);
        }
        for form in [(self.old, old), (self.new, new)] {
            if !matches!(form.0.lookup(form.1, b"NeedAppearances")?, Value::Null | Value::Bool(false)) {
                return Ok(false);
            }
        }
        // Readers make the looks of those that have none.
        for node in self.fields.iter().filter(|node| node.kind.as_deref() != Some(b"Sig")) {
            let is_widget = node.dict.get(b"Rect").is_some() || node.dict.is_name(b"Subtype", b"Widget");
            let looks = self.old.lookup(&node.dict, b"AP")?;
            let normal = match looks.as_dict() {
                Some(looks) => self.old.lookup(looks, b"N")?,
                None => Value::Null,
            };
            if is_widget && normal.as_dict().is_none() {
                return Ok(false);
            }
        }
        Ok(true)
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
            let known = item.as_ref().is_some_and(|id| self.new_fields.contains_key(&id));
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
        let says = node.dict.get(b"Parent").filter(|p| **p != Value::Null);
        if says.is_some_and(|p| p.as_ref() != node.parent) || (says.is_none() && node.parent.is_some()) {
            return Err(illegal(node.id, "a signature field below another than it says"));
        }
        if node.dict.get(b"Subtype").is_some_and(|s| s.as_name() != Some(b"Widget")) {
            return Err(illegal(node.id, "a signature field that is another annotation"));
        }
        if node.dict.get(b"Type").is_some_and(|t| t.as_name() != Some(b"Annot")) {
            return Err(illegal(node.id, "a signature field of another type"));
        }
        let signed = self.takes_value(node.id, &node.dict)?;
        let draws = [&b"AP"[..], b"MK"].iter().any(|key| node.dict.get(key).is_some());
        // A widget below a field that is signed shows that field's signature. Fields come before what is below them.
        let above = node.parent.is_some_and(|p| self.new_fields.get(&p) == Some(&true));
        if signed.is_none() && draws && !above {
            return Err(illegal(node.id, "a signature field without a signature that shows something"));
        }
        let shown = self.shown(&node.dict)?;
        if shown.is_some() {
            self.found.kinds.insert(Update::VisibleSignature);
        }
        let is_stamp = signed == Some(true);
        self.found.signed.push(Signed { name: node.name.clone(), is_new: true, is_stamp, shown });
        self.new_fields.insert(node.id, signed.is_some() || above);
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
        let Value::Dict(dict) = self.new.resolve(value)? else {
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
        let page = widget.get(b"P").and_then(Value::as_ref);
        Ok(Some(page.and_then(|id| self.pages.number(id))))
    }

    /// A field of the older revision.
    fn known_field(&self, id: ObjectId) -> Option<&FieldNode> {
        self.fields.get(*self.places.get(&id)?)
    }

    /// A signature field that was waiting to be signed. That it waited, and no field above it held a signature, is its
    /// role.
    fn signed(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            let (was, is) = (self.old.lookup(old, &key)?, self.new.lookup(new, &key)?);
            let fits = match key.as_slice() {
                b"V" => true,
                b"AP" => self.is_fresh_look(old, new)?,
                b"M" | b"DA" => matches!(is, Value::String(_) | Value::Null),
                b"MK" => is == Value::Null || shapes::is_flat(&is),
                // A signer may make its widget print, and lock it; to show or to hide it is another thing.
                b"F" => shapes::only_adds(&was, &is, FLAG_PRINT | FLAG_LOCKED | FLAG_LOCKED_CONTENTS),
                b"Ff" => shapes::only_adds(&was, &is, FIELD_READ_ONLY),
                _ => false,
            };
            if !fits {
                return Err(illegal(id, &format!("/{} of a signature field", printable(&key))));
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
        for key in different_keys(old, new) {
            let text = matches!(self.new.lookup(new, &key)?, Value::String(_) | Value::Null);
            if !text || !matches!(key.as_slice(), b"ModDate" | b"Producer") {
                return Err(illegal(id, &format!("/{} of the document information", printable(&key))));
            }
        }
        self.found.kinds.insert(Update::Metadata);
        Ok(())
    }
}

fn is_xml(value: &Value) -> bool {
    matches!(value, Value::Stream(stream) if stream.dict.is_name(b"Subtype", b"XML"))
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

/// Bits of an annotation's flags (ISO 32000-1, table 165) and of a field's (table 221).
const FLAG_PRINT: i64 = 1 << 2;
const FLAG_LOCKED: i64 = 1 << 7;
const FLAG_LOCKED_CONTENTS: i64 = 1 << 9;
const FIELD_READ_ONLY: i64 = 1;
