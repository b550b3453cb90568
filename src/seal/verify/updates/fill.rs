//! Form filling: a text, choice or button field that was there gets a value and, drawn by the update, a look of its own.
//! Nothing else of the field may change, its place least of all.

use super::shown_text::{self, Shown};
use super::{Step, different_keys, illegal, printable};
use crate::fault::Outcome;
use crate::pdf::revise::{Dict, Entry, ObjectId, Value, text_of};
use crate::seal::verify::Update;
use crate::seal::verify::changes::Filled;
use crate::seal::verify::fields::FieldNode;
use std::collections::HashMap;

impl Step<'_, '_> {
    /// A field or widget whose dictionary was changed.
    pub(super) fn field(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        let Some(node) = self.known_field(id).cloned() else {
            return Err(illegal(id, "a signed object was changed"));
        };
        let kind = node.kind.as_deref().unwrap_or_default();
        for key in different_keys(old, new) {
            let value = self.new.lookup(new, &key)?;
            let fits = match (kind, key.as_slice(), &value) {
                (_, b"M", Value::String(_) | Value::Null)
                | (b"Tx" | b"Ch", b"V", Value::String(_) | Value::Null) => true,
                (b"Ch", b"V" | b"I", Value::Array(items)) => {
                    items.iter().all(|v| matches!(v, Value::String(_) | Value::Int(_)))
                }
                (b"Ch", b"I", Value::Null) | (b"Btn", b"V", Value::Name(_) | Value::Null) => true,
                (b"Btn", b"AS", Value::Name(state)) => state == b"Off" || self.has_state(old, state)?,
                (b"Tx" | b"Ch", b"AP", _) => self.is_fresh_look(old, new)?,
                _ => false,
            };
            if !fits {
                return Err(illegal(id, &format!("/{} of a form field", printable(&key))));
            }
        }
        // The value may stand with the field, its look with a widget below it.
        let holder = if node.has_name { node.id } else { node.parent.unwrap_or(node.id) };
        self.touched.insert(holder);
        self.found.kinds.insert(Update::FormFill);
        Ok(())
    }

    /// Holds the looks of every field that was touched against its value.
    pub(super) fn settle_fields(&mut self) -> Outcome<()> {
        let touched = std::mem::take(&mut self.touched);
        let mut below: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for (place, node) in self.fields.iter().enumerate() {
            if let Some(parent) = node.parent.filter(|p| touched.contains(p)) {
                below.entry(parent).or_default().push(place);
            }
        }
        for holder in touched {
            let Some(node) = self.known_field(holder).cloned() else { continue };
            let value = self.value_of(&node)?;
            let kids = below.get(&holder).map(Vec::as_slice).unwrap_or_default();
            let kids: Vec<&FieldNode> = kids.iter().filter_map(|place| self.fields.get(*place)).collect();
            // Values that named fields below inherit are theirs to show.
            let handed_down = kids.iter().any(|n| n.has_name);
            let unnamed = kids.iter().filter(|n| !n.has_name).map(|n| n.id);
            let widgets: Vec<ObjectId> = std::iter::once(holder).chain(unnamed).collect();
            let (mut readable, mut on) = (true, false);
            for id in widgets {
                let Value::Dict(widget) = self.new.get(id)? else { continue };
                on |= self.new.lookup(&widget, b"AS")?.as_name().is_some_and(|state| state != b"Off");
                match self.look(&node, &widget, &value)? {
                    Shown::Same => {}
                    Shown::Differs => {
                        return Err(illegal(id, "a form field shows something other than its value"));
                    }
                    Shown::Unread => readable = false,
                }
            }
            let said = value.as_name().is_some_and(|state| state != b"Off");
            if node.kind.as_deref() == Some(b"Btn") && said && !on {
                return Err(illegal(holder, "a form field shows something other than its value"));
            }
            self.found.filled.push(Filled { name: node.name.clone(), readable: readable && !handed_down });
        }
        Ok(())
    }

    fn look(&self, node: &FieldNode, widget: &Dict, value: &Value) -> Outcome<Shown> {
        if node.kind.as_deref() == Some(b"Btn") {
            let state = self.new.lookup(widget, b"AS")?;
            let on = state.as_name().filter(|s| *s != b"Off");
            let said = value.as_name().filter(|s| *s != b"Off");
            return Ok(if on.is_none() || on == said { Shown::Same } else { Shown::Differs });
        }
        let Some(appearance) = shown_text::appearance(self.new, widget) else { return Ok(Shown::Same) };
        let said = match value {
            Value::Null => String::new(),
            Value::String(bytes) => text_of(bytes),
            _ => return Ok(Shown::Unread),
        };
        let said = if node.kind.as_deref() == Some(b"Ch") { self.displayed(node, said)? } else { said };
        Ok(shown_text::compare(self.new, widget, &appearance, &said))
    }

    /// What a choice field displays for a value that is exported (ISO 32000-1, table 231).
    fn displayed(&self, node: &FieldNode, value: String) -> Outcome<String> {
        let options = self.new.lookup(&node.dict, b"Opt")?;
        for option in options.as_array().unwrap_or_default().iter().take(MAX_OPTIONS) {
            if let Some([Value::String(exported), Value::String(shown)]) =
                self.new.resolve(option)?.as_array()
                && text_of(exported) == value
            {
                return Ok(text_of(shown));
            }
        }
        Ok(value)
    }

    fn value_of(&self, node: &FieldNode) -> Outcome<Value> {
        let mut id = Some(node.id);
        for _ in 0..MAX_ABOVE {
            let Some(at) = id else { break };
            if let Some(dict) = self.new.get(at)?.as_dict()
                && dict.get(b"V").is_some()
            {
                return self.new.lookup(dict, b"V");
            }
            id = self.known_field(at).and_then(|n| n.parent);
        }
        Ok(Value::Null)
    }

    fn has_state(&self, widget: &Dict, state: &[u8]) -> Outcome<bool> {
        let looks = self.old.lookup(widget, b"AP")?;
        let Some(looks) = looks.as_dict() else { return Ok(false) };
        Ok(self.old.lookup(looks, b"N")?.as_dict().is_some_and(|n| n.get(state).is_some()))
    }

    /// Only the normal appearance is another, and it is an object that was not there before.
    pub(super) fn is_fresh_look(&self, old: &Dict, new: &Dict) -> Outcome<bool> {
        let (was, is) = (self.old.lookup(old, b"AP")?, self.new.lookup(new, b"AP")?);
        let (nothing, Value::Dict(is)) = (Dict::new(), &is) else { return Ok(false) };
        let was = was.as_dict().unwrap_or(&nothing);
        let only_normal = different_keys(was, is).iter().all(|key| key == b"N");
        // One look, not several that something else chooses from.
        let one = matches!(self.new.lookup(is, b"N")?, Value::Stream(_));
        let fresh = shown_text::appearance_object(self.new, new)
            .is_some_and(|id| self.old.entry(id.number).is_none_or(|e| e == Entry::Free));
        Ok(only_normal && one && fresh)
    }
}

const MAX_OPTIONS: usize = 10_000;
const MAX_ABOVE: usize = 16;
