//! Which objects an update changed, and who pointed to what before it.

use super::super::changes::{MAX_OBJECTS, TOO_MANY};
use super::illegal;
use crate::fault::{Fault, Outcome};
use crate::original;
use crate::pdf::revise::{Dict, Document, Entry, ObjectId, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// An object that is another than before.
pub(super) struct Change {
    pub(super) id: ObjectId,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// What an update did to objects.
pub(super) struct Changed {
    pub(super) changes: Vec<Change>,
    /// Numbers that nothing had before.
    pub(super) fresh: HashSet<u32>,
}

/// Where a reference stands: the key of the nearest dictionary around it, as far as roles ask for it.
///
/// None of these keys holds things under names of the file's own choosing, as `/XObject`, `/ExtGState`, `/Colorants` or
/// `/CharProcs` do: whoever uses an object as one of those has a reference under another key, which is `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Under {
    Root,
    Info,
    Form,
    Store,
    /// `/Data` of a signature reference: the catalog, or the form.
    Data,
    /// Fields and widgets in lists, trees and structure: `/Fields`, `/Kids`, `/Annots`, `/Parent`, `/Obj`, `/CO`, `/T`.
    FieldTree,
    /// In an array that is an object of its own.
    List,
    Other,
}

impl Under {
    const ALL: [Under; 8] = [
        Under::Root,
        Under::Info,
        Under::Form,
        Under::Store,
        Under::Data,
        Under::FieldTree,
        Under::List,
        Under::Other,
    ];

    fn key(key: &[u8]) -> Under {
        match key {
            b"Root" => Under::Root,
            b"Info" => Under::Info,
            b"AcroForm" => Under::Form,
            b"DSS" => Under::Store,
            b"Data" => Under::Data,
            b"Fields" | b"Kids" | b"Annots" | b"Parent" | b"Obj" | b"CO" | b"T" => Under::FieldTree,
            _ => Under::Other,
        }
    }
}

/// How often each object number is pointed to, by whichever object of a revision, and from where.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct References {
    counts: HashMap<(u32, Under), u32>,
    /// Objects that cannot be read. They are nothing to anybody as long as nothing that can be read points to them: then
    /// no reader gets to them from the trailer, whatever they hold, nor to what only they point to.
    unread: BTreeSet<u32>,
}

impl References {
    /// Reads every object of a revision.
    ///
    /// # Errors
    /// [`TOO_MANY`] where there are more objects than `room`; an object that cannot be read and that is pointed to.
    pub(in super::super) fn of(document: &Document<'_>, room: &mut usize) -> Outcome<References> {
        let all = document.object_numbers();
        *room = room.checked_sub(all.len()).ok_or_else(|| {
            Fault::new(&TOO_MANY).detail(format!("{} objects, limit {MAX_OBJECTS}", all.len()))
        })?;
        let mut references = References::default();
        for number in all {
            references.add(document, number)?;
        }
        references.check_unread(document)?;
        Ok(references)
    }

    fn add(&mut self, document: &Document<'_>, number: u32) -> Outcome<()> {
        match readable(document.get(id_of(document, number)))? {
            Some(value) => self.count(&value, true),
            None => {
                self.unread.insert(number);
            }
        }
        Ok(())
    }

    /// How often something pointed to this number.
    pub(super) fn to(&self, number: u32) -> u32 {
        Under::ALL.iter().map(|place| self.at(number, *place)).fold(0, u32::saturating_add)
    }

    /// Whether something points to this number from anywhere else than these places.
    pub(super) fn to_from_elsewhere(&self, number: u32, places: &[Under]) -> bool {
        Under::ALL.iter().any(|place| !places.contains(place) && self.at(number, *place) > 0)
    }

    fn at(&self, number: u32, place: Under) -> u32 {
        self.counts.get(&(number, place)).copied().unwrap_or(0)
    }

    /// Goes on to the next revision.
    pub(super) fn follow(&mut self, changed: &Changed, new: &Document<'_>) -> Outcome<()> {
        for change in &changed.changes {
            self.count(&change.before, false);
            self.count(&change.after, true);
        }
        for number in &changed.fresh {
            self.add(new, *number)?;
        }
        self.check_unread(new)
    }

    /// What cannot be read must not be used.
    fn check_unread(&self, document: &Document<'_>) -> Outcome<()> {
        if self.unread.is_empty() {
            return Ok(());
        }
        let mut trailers = References::default();
        document.sections().iter().for_each(|s| trailers.count(&Value::Dict(s.trailer.clone()), true));
        match self.unread.iter().find(|number| self.to(**number) > 0 || trailers.to(**number) > 0) {
            Some(number) => {
                let id = id_of(document, *number);
                document.get(id)?;
                // It came within reach with what was appended.
                Err(illegal(id, "an object that the older revision could not read is used"))
            }
            None => Ok(()),
        }
    }

    fn count(&mut self, value: &Value, more: bool) {
        let place = if matches!(value, Value::Array(_)) { Under::List } else { Under::Other };
        self.count_under(value, place, more);
    }

    fn count_under(&mut self, value: &Value, place: Under, more: bool) {
        match value {
            Value::Ref(id) => {
                let count = self.counts.entry((id.number, place)).or_default();
                *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
            }
            Value::Array(items) => items.iter().for_each(|item| self.count_under(item, place, more)),
            _ => {
                let pairs = value.as_dict().into_iter().flat_map(Dict::iter);
                pairs.for_each(|(key, item)| self.count_under(item, Under::key(key), more));
            }
        }
    }
}

/// Objects whose value differs between the revisions. A new object is taken, unless the older revision already pointed
/// to its number: what was nothing would become something.
///
/// # Errors
/// An object removed, replaced by another generation, or added where the older revision pointed in vain.
pub(super) fn changed(old: &Document<'_>, new: &Document<'_>, references: &References) -> Outcome<Changed> {
    let mut numbers = BTreeSet::new();
    let shared: HashSet<usize> = old.sections().iter().map(|s| s.offset).collect();
    for section in new.sections().iter().take_while(|s| !shared.contains(&s.offset)) {
        numbers.extend(section.entries.iter().map(|(number, _)| *number));
        numbers.extend(section.stream_object);
    }
    if numbers.len() > MAX_CHANGES {
        return Err(Fault::new(&TOO_MANY).detail(format!("{} objects in one update", numbers.len())));
    }
    let room = old.trailer().get(b"Size").and_then(Value::as_int).unwrap_or(i64::MAX);
    let mut trailer = References::default();
    trailer.count(&Value::Dict(old.trailer().clone()), true);
    let (mut changes, mut fresh) = (Vec::new(), HashSet::new());
    for number in numbers {
        let (was, is) = (entry(old, number), entry(new, number));
        match (was, is) {
            (None, None) => {}
            (None, Some(_)) => {
                if references.to(number) + trailer.to(number) > 0 {
                    let why = "an object that the signed revision pointed to in vain was added";
                    return Err(illegal(ObjectId::new(number), why));
                }
                if i64::from(number) < room {
                    let why = "an object was added under a number that the signed revision had room for";
                    return Err(illegal(ObjectId::new(number), why));
                }
                fresh.insert(number);
            }
            (Some(_), None) => return Err(illegal(id_of(old, number), "a signed object was removed")),
            (Some(_), Some(_)) => {
                let id = id_of(old, number);
                if id != id_of(new, number) {
                    return Err(illegal(id, "a signed object was replaced"));
                }
                let (before, after) = (old.get(id), new.get(id));
                // At one place, and nothing to either: see [`References::unread`].
                let (before, after) = match (before, after) {
                    (Err(one), Err(other)) if was == is => {
                        readable(Err(one))?;
                        readable(Err(other))?;
                        continue;
                    }
                    (before, after) => (before?, after?),
                };
                if !alike(old, &before, new, &after)? {
                    changes.push(Change { id, before, after });
                }
            }
        }
    }
    Ok(Changed { changes, fresh })
}

/// What was read; none for what cannot be.
///
/// # Errors
/// The file itself failed: nobody knows what it holds.
fn readable(read: Outcome<Value>) -> Outcome<Option<Value>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(fault) if original::CODES.iter().any(|code| code.id == fault.code.id) => Err(fault),
        Err(_) => Ok(None),
    }
}

fn entry(document: &Document<'_>, number: u32) -> Option<Entry> {
    document.entry(number).filter(|e| *e != Entry::Free && number != 0)
}

fn id_of(document: &Document<'_>, number: u32) -> ObjectId {
    match document.entry(number) {
        Some(Entry::At { generation, .. }) => ObjectId { number, generation },
        _ => ObjectId::new(number),
    }
}

/// Equal values; streams by dictionary and raw bytes, wherever they lie.
fn alike(old: &Document<'_>, before: &Value, new: &Document<'_>, after: &Value) -> Outcome<bool> {
    match (before, after) {
        (Value::Stream(a), Value::Stream(b)) => Ok(a.dict == b.dict && old.same_bytes(a, new, b)?),
        _ => Ok(before == after),
    }
}

const MAX_CHANGES: usize = 100_000;
