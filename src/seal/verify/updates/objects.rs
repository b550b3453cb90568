//! Which objects an update changed, and who pointed to what before it.

use super::super::changes::{MAX_OBJECTS, TOO_MANY};
use super::illegal;
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Document, Entry, ObjectId, Value};
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

/// How often each object number is pointed to, by whichever object of a revision.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct References {
    counts: HashMap<u32, u32>,
}

impl References {
    /// Reads every object of a revision.
    ///
    /// # Errors
    /// [`TOO_MANY`] where there are more objects than `room`; an object that cannot be read.
    pub(in super::super) fn of(document: &Document<'_>, room: &mut usize) -> Outcome<References> {
        let all = document.object_numbers();
        *room = room.checked_sub(all.len()).ok_or_else(|| {
            Fault::new(&TOO_MANY).detail(format!("{} objects, limit {MAX_OBJECTS}", all.len()))
        })?;
        let mut references = References::default();
        for number in all {
            references.count(&document.get(id_of(document, number))?, true);
        }
        Ok(references)
    }

    /// How often something pointed to this number.
    pub(super) fn to(&self, number: u32) -> u32 {
        self.counts.get(&number).copied().unwrap_or(0)
    }

    /// Goes on to the next revision.
    pub(super) fn follow(&mut self, changed: &Changed, new: &Document<'_>) -> Outcome<()> {
        for change in &changed.changes {
            self.count(&change.before, false);
            self.count(&change.after, true);
        }
        for number in &changed.fresh {
            self.count(&new.get(id_of(new, *number))?, true);
        }
        Ok(())
    }

    fn count(&mut self, value: &Value, more: bool) {
        match value {
            Value::Ref(id) => {
                let count = self.counts.entry(id.number).or_default();
                *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
            }
            Value::Array(items) => items.iter().for_each(|item| self.count(item, more)),
            Value::Dict(dict) => dict.iter().for_each(|(_, item)| self.count(item, more)),
            Value::Stream(stream) => stream.dict.iter().for_each(|(_, item)| self.count(item, more)),
            _ => {}
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
                let (before, after) = (old.get(id)?, new.get(id)?);
                if !alike(old, &before, new, &after)? {
                    changes.push(Change { id, before, after });
                }
            }
        }
    }
    Ok(Changed { changes, fresh })
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
