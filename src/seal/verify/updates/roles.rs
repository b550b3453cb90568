//! What the objects of a revision are for, as far as an update may touch them at all.

use super::super::fields::FieldNode;
use super::objects::References;
use crate::fault::Outcome;
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use std::collections::HashMap;

/// What an object of the older revision is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Catalog,
    Form,
    FormFields,
    Info,
    Metadata,
    Page,
    Annotations,
    EmptySignature,
    /// A field to be filled in, or a widget of one.
    Field,
    Dss,
    DssPart,
}

impl Role {
    /// Whether a change of it could do harm in another place, so that nothing else may point to it.
    fn is_alone(self) -> bool {
        matches!(self, Role::Metadata | Role::FormFields | Role::Annotations | Role::DssPart)
    }
}

/// Whether a signature field waits. Its value is not read, which is long, and would be so for each of many revisions.
fn is_empty(document: &Document<'_>, node: &FieldNode) -> bool {
    match node.dict.get(b"V") {
        None | Some(Value::Null) => true,
        Some(Value::Ref(id)) => document.entry(id.number).is_none_or(|entry| entry == Entry::Free),
        Some(_) => false,
    }
}

/// The roles of a revision's objects. An object with two roles has none, nor has one that is pointed to from elsewhere
/// where that could do harm: validation data that is a page's content as well is not to be changed.
pub(super) fn of(
    document: &Document<'_>,
    fields: &[FieldNode],
    references: &References,
) -> Outcome<HashMap<ObjectId, Role>> {
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
    for node in fields {
        match node.kind.as_deref() {
            Some(b"Sig") if is_empty(document, node) => {
                roles.push((node.id, Role::EmptySignature));
            }
            Some(b"Tx" | b"Ch" | b"Btn") => roles.push((node.id, Role::Field)),
            _ => {}
        }
    }
    for page in document.pages()? {
        roles.push((page.id, Role::Page));
        roles.extend(reference(&page.dict, b"Annots").map(|id| (id, Role::Annotations)));
    }
    let mut known: HashMap<ObjectId, (Role, u32)> = HashMap::new();
    let mut none = Vec::new();
    for (id, role) in roles {
        let (first, times) = known.entry(id).or_insert((role, 0));
        *times += 1;
        if *first != role {
            none.push(id);
        }
    }
    none.extend(known.iter().filter_map(|(id, (role, times))| {
        let elsewhere = references.to(id.number) > *times || (*times > 1 && *role == Role::Annotations);
        (role.is_alone() && elsewhere).then_some(*id)
    }));
    for id in none {
        known.remove(&id);
    }
    Ok(known.into_iter().map(|(id, (role, _))| (id, role)).collect())
}
