//! The interactive form (ISO 32000-1, 12.7): its fields, and how a revision hangs one more into it.

use super::page::Page;
use super::value::{Dict, ObjectId, Value, text_of};
use super::{Document, FORM, Revision, TOO_LARGE};
use crate::fault::{Fault, Outcome};
use std::collections::HashSet;

/// A terminal field of the form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its object, where it has one.
    pub id: Option<ObjectId>,
    /// Partial names from the root, joined by full stops; bytes as written.
    pub name: Vec<u8>,
    /// `/FT`, inherited.
    pub kind: Option<Vec<u8>>,
    /// `/V` as written, inherited; a reference in a signed signature field.
    pub value: Option<Value>,
    /// The dictionary as written.
    pub dict: Dict,
    /// The name as text, each part decoded by itself.
    pub title: String,
}

impl Document<'_> {
    /// The `/AcroForm` dictionary and its object, if it is one of its own.
    ///
    /// # Errors
    /// It is not a dictionary.
    pub fn form(&self) -> Outcome<Option<(Option<ObjectId>, Dict)>> {
        let (_, catalog) = self.catalog()?;
        let id = catalog.get(b"AcroForm").and_then(Value::as_ref);
        match self.lookup(&catalog, b"AcroForm")? {
            Value::Null => Ok(None),
            Value::Dict(dict) => Ok(Some((id, dict))),
            _ => Err(Fault::new(&FORM).detail("AcroForm is not a dictionary")),
        }
    }

    /// All terminal fields, in the order of the tree. Kids without a name are widgets of their parent, not fields.
    ///
    /// # Errors
    /// A field tree that runs in a circle, is too deep or too large.
    pub fn fields(&self) -> Outcome<Vec<Field>> {
        Ok(self.named_fields()?.0)
    }

    /// As [`Document::fields`], and the full names that are taken: theirs, and those of the nodes above them.
    ///
    /// # Errors
    /// As [`Document::fields`].
    pub fn named_fields(&self) -> Outcome<(Vec<Field>, HashSet<String>)> {
        let (mut found, mut names) = (Vec::new(), HashSet::new());
        let Some((_, form)) = self.form()? else { return Ok((found, names)) };
        let Value::Array(roots) = self.lookup(&form, b"Fields")? else { return Ok((found, names)) };
        let mut seen = HashSet::new();
        let root = Branch { name: Vec::new(), title: String::new(), kind: None, value: None, depth: 0 };
        let mut stack: Vec<(Value, Branch)> = roots.into_iter().rev().map(|v| (v, root.clone())).collect();
        while let Some((value, above)) = stack.pop() {
            if value.as_ref().is_some_and(|id| !seen.insert(id)) {
                return Err(Fault::new(&FORM).detail("a field is its own ancestor or appears twice"));
            }
            if above.depth > MAX_DEPTH || found.len() + stack.len() > MAX_FIELDS {
                return Err(Fault::new(&TOO_LARGE).detail("the form is too deep or has too many fields"));
            }
            let Value::Dict(dict) = self.resolve(&value)? else { continue };
            let branch = self.descend(&dict, above)?;
            names.insert(branch.title.clone());
            let kids = match self.lookup(&dict, b"Kids")? {
                Value::Array(kids) => kids,
                _ => Vec::new(),
            };
            let mut fields = Vec::new();
            for kid in kids {
                if self.resolve(&kid)?.as_dict().is_some_and(|d| d.get(b"T").is_some()) {
                    fields.push(kid);
                }
            }
            if fields.is_empty() {
                let Branch { name, title, kind, value: of, .. } = branch;
                found.push(Field { id: value.as_ref(), name, kind, value: of, dict, title });
            } else {
                stack.extend(fields.into_iter().rev().map(|kid| (kid, branch.clone())));
            }
        }
        Ok((found, names))
    }

    fn descend(&self, dict: &Dict, above: Branch) -> Outcome<Branch> {
        let (mut name, mut title) = (above.name, above.title);
        if let Value::String(part) = self.lookup(dict, b"T")? {
            if !name.is_empty() {
                name.push(b'.');
                title.push('.');
            }
            title.extend(text_of(&part).chars().take(MAX_NAME.saturating_sub(title.len())));
            name.extend_from_slice(&part);
            name.truncate(MAX_NAME);
        }
        let kind = self.lookup(dict, b"FT")?.as_name().map(<[u8]>::to_vec).or(above.kind);
        let value = dict.get(b"V").cloned().or(above.value);
        Ok(Branch { name, title, kind, value, depth: above.depth + 1 })
    }
}

#[derive(Clone)]
struct Branch {
    name: Vec<u8>,
    title: String,
    kind: Option<Vec<u8>>,
    value: Option<Value>,
    depth: usize,
}

impl Revision<'_, '_> {
    /// Hangs a widget into a page. Only the object that holds `/Annots` is written again.
    ///
    /// # Errors
    /// `/Annots` is not an array.
    pub fn add_annotation(&mut self, page: &Page, widget: ObjectId) -> Outcome<()> {
        let mut dict = page.dict.clone();
        if let Some((id, content)) = self.pushed(&mut dict, b"Annots", widget)? {
            self.set(id, content);
        } else {
            self.set(page.id, Value::Dict(dict).to_pdf());
        }
        Ok(())
    }

    /// Hangs a signature field into the form and says that the file is signed (`/SigFlags` 3). Makes a form where
    /// there is none; writes only those objects again whose bytes change.
    ///
    /// # Errors
    /// The form is not one.
    pub fn add_signature_field(&mut self, field: ObjectId) -> Outcome<()> {
        self.signed_form(Some(field))
    }

    /// Says that the file is signed (`/SigFlags` 3), where a field that is there already was signed.
    ///
    /// # Errors
    /// The form is not one.
    pub fn say_signed(&mut self) -> Outcome<()> {
        self.signed_form(None)
    }

    fn signed_form(&mut self, field: Option<ObjectId>) -> Outcome<()> {
        let (root, mut catalog) = self.document().catalog()?;
        let Some((id, mut form)) = self.document().form()? else {
            let mut form = Dict::new();
            form.set(b"Fields", Value::Array(field.into_iter().map(Value::Ref).collect()));
            form.set(b"SigFlags", Value::Int(3));
            let form = self.add(Value::Dict(form).to_pdf());
            catalog.set(b"AcroForm", Value::Ref(form));
            self.set(root, Value::Dict(catalog).to_pdf());
            return Ok(());
        };
        let before = form.clone();
        if let Some(field) = field
            && let Some((array, content)) = self.pushed(&mut form, b"Fields", field)?
        {
            self.set(array, content);
        }
        let flags = self.document().lookup(&form, b"SigFlags")?.as_int().unwrap_or(0);
        if flags & 3 != 3 {
            form.set(b"SigFlags", Value::Int(flags | 3));
        }
        if form == before {
            return Ok(());
        }
        match id {
            Some(id) => self.set(id, Value::Dict(form).to_pdf()),
            None => {
                catalog.set(b"AcroForm", Value::Dict(form));
                self.set(root, Value::Dict(catalog).to_pdf());
            }
        }
        Ok(())
    }

    /// Appends to the array under a key: in place where it is direct, else the array's object and its new content.
    fn pushed(&self, dict: &mut Dict, key: &[u8], item: ObjectId) -> Outcome<Option<(ObjectId, Vec<u8>)>> {
        let own = dict.get(key).and_then(Value::as_ref);
        let (own, mut items) = match self.document().lookup(dict, key)? {
            Value::Null => (None, Vec::new()),
            Value::Array(items) => (own, items),
            _ => return Err(Fault::new(&FORM).detail("Annots or Fields is not an array")),
        };
        items.push(Value::Ref(item));
        let array = Value::Array(items);
        if let Some(id) = own {
            return Ok(Some((id, array.to_pdf())));
        }
        dict.set(key, array);
        Ok(None)
    }
}

const MAX_DEPTH: usize = 32;
const MAX_FIELDS: usize = 100_000;
const MAX_NAME: usize = 4096;
