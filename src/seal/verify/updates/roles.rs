//! What the objects of a revision are for, as far as an update may touch them at all.

use super::super::changes::TOO_MANY;
use super::super::fields::FieldNode;
use super::objects::{Changed, References, Under};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use std::collections::{HashMap, HashSet};

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

    /// From where it may be pointed to. From anywhere else it is something else as well: a catalog that is a page's
    /// `/XObject` dictionary lets a key of the catalog be painted. None for those that [`Role::is_alone`] is about, and
    /// for pages, which gain nothing but annotations, in an array.
    fn places(self) -> Option<&'static [Under]> {
        match self {
            Role::Catalog => Some(&[Under::Root, Under::Data]),
            Role::Form => Some(&[Under::Form, Under::Data]),
            Role::Info => Some(&[Under::Info]),
            Role::Dss => Some(&[Under::Store]),
            Role::EmptySignature | Role::Field => Some(&[Under::FieldTree, Under::List]),
            Role::Metadata | Role::FormFields | Role::Annotations | Role::DssPart | Role::Page => None,
        }
    }
}

/// The pages of a revision. No update may add, remove or move one, so that they are read once for a run of revisions.
pub(in super::super) struct Pages {
    /// From 1.
    numbers: HashMap<ObjectId, usize>,
    /// Arrays of annotations that are objects of their own, and how many pages name each.
    lists: HashMap<ObjectId, u32>,
}

impl Pages {
    /// Reads the page tree.
    ///
    /// # Errors
    /// A tree that is none, or has more pages than `room`.
    pub(in super::super) fn of(document: &Document<'_>, room: &mut usize) -> Outcome<Pages> {
        let pages = document.pages()?;
        *room = room.checked_sub(pages.len()).ok_or_else(|| Fault::new(&TOO_MANY).detail("pages"))?;
        let mut lists: HashMap<ObjectId, u32> = HashMap::new();
        for page in &pages {
            if let Some(list) = page.dict.get(b"Annots").and_then(Value::as_ref) {
                *lists.entry(list).or_default() += 1;
            }
        }
        Ok(Pages { numbers: pages.iter().map(|page| page.id).zip(1..).collect(), lists })
    }

    /// The number of a page, from 1.
    pub(super) fn number(&self, page: ObjectId) -> Option<usize> {
        self.numbers.get(&page).copied()
    }

    /// Goes on to the next revision, where every change was found allowed.
    pub(super) fn follow(&mut self, changed: &Changed) {
        let list = |value: &Value| value.as_dict()?.get(b"Annots")?.as_ref();
        for change in changed.changes.iter().filter(|change| self.numbers.contains_key(&change.id)) {
            if let Some(count) = list(&change.before).and_then(|id| self.lists.get_mut(&id)) {
                *count = count.saturating_sub(1);
            }
            if let Some(id) = list(&change.after) {
                *self.lists.entry(id).or_default() += 1;
            }
        }
    }
}

/// Whether a signature field waits: neither it nor a field above it, whose value it would inherit, holds one. Values are
/// not read, which are long, and would be so for each of many revisions.
fn is_empty(document: &Document<'_>, node: &FieldNode, places: &HashMap<ObjectId, &FieldNode>) -> bool {
    let mut next = Some(node);
    while let Some(node) = next {
        let holds = match node.dict.get(b"V") {
            None | Some(Value::Null) => false,
            Some(Value::Ref(id)) => document.entry(id.number).is_some_and(|entry| entry != Entry::Free),
            Some(_) => true,
        };
        if holds || !is_where_it_says(node) {
            return false;
        }
        next = node.parent.and_then(|id| places.get(&id).copied());
    }
    true
}

/// Whether the field above it in the tree is the one that it names: readers go up by `/Parent`.
fn is_where_it_says(node: &FieldNode) -> bool {
    match node.dict.get(b"Parent") {
        None | Some(Value::Null) => node.parent.is_none(),
        Some(parent) => parent.as_ref().is_some_and(|id| node.parent == Some(id)),
    }
}

/// The roles of those of a revision's objects that an update changed. An object with two roles has none, nor has one that
/// is pointed to from elsewhere: validation data that is a page's content as well is not to be changed.
pub(super) fn of(
    document: &Document<'_>,
    fields: &[FieldNode],
    pages: &Pages,
    references: &References,
    changed: &Changed,
) -> Outcome<HashMap<ObjectId, Role>> {
    let wanted: HashSet<ObjectId> = changed.changes.iter().map(|change| change.id).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
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
    let places: HashMap<ObjectId, &FieldNode> = fields.iter().map(|node| (node.id, node)).collect();
    for node in fields.iter().filter(|node| wanted.contains(&node.id)) {
        match node.kind.as_deref() {
            Some(b"Sig") if is_empty(document, node, &places) => {
                roles.push((node.id, Role::EmptySignature));
            }
            Some(b"Tx" | b"Ch" | b"Btn") if is_where_it_says(node) => roles.push((node.id, Role::Field)),
            _ => {}
        }
    }
    for id in &wanted {
        roles.extend(pages.number(*id).map(|_| (*id, Role::Page)));
        let count = pages.lists.get(id).copied().unwrap_or(0);
        // More than one is as bad as any number.
        roles.extend((0..count.min(2)).map(|_| (*id, Role::Annotations)));
    }
    let mut known: HashMap<ObjectId, (Role, u32)> = HashMap::new();
    let mut none = Vec::new();
    for (id, role) in roles.into_iter().filter(|(id, _)| wanted.contains(id)) {
        let (first, times) = known.entry(id).or_insert((role, 0));
        *times += 1;
        if *first != role {
            none.push(id);
        }
    }
    none.extend(known.iter().filter_map(|(id, (role, times))| {
        let shared = references.to(id.number) > *times || (*times > 1 && *role == Role::Annotations);
        let elsewhere = role.places().is_some_and(|places| references.to_from_elsewhere(id.number, places));
        ((role.is_alone() && shared) || elsewhere).then_some(*id)
    }));
    for id in none {
        known.remove(&id);
    }
    Ok(known.into_iter().map(|(id, (role, _))| (id, role)).collect())
}
