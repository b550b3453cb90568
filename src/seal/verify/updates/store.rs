//! The document's security store (DSS, ISO 32000-2 12.8.4.3): evidence may come, and none may go.

use super::{Step, different_keys, illegal};
use crate::fault::Outcome;
use crate::pdf::revise::{Dict, ObjectId, Value};
use crate::seal::verify::Update;
use std::collections::HashSet;

impl Step<'_, '_> {
    /// The store itself: lists and the data of single signatures may come and grow.
    pub(super) fn dss(&mut self, id: ObjectId, old: &Dict, new: &Dict) -> Outcome<()> {
        for key in different_keys(old, new) {
            let (was, is) = (self.old.lookup(old, &key)?, self.new.lookup(new, &key)?);
            match (key.as_slice(), &was, &is) {
                (b"Type", Value::Null, Value::Name(_)) => {}
                (b"Certs" | b"OCSPs" | b"CRLs", ..) => self.only_more(id, &was, &is)?,
                (b"VRI", Value::Null, Value::Dict(is)) => self.vri(id, &Dict::new(), is, 0)?,
                (b"VRI", Value::Dict(was), Value::Dict(is)) => self.vri(id, was, is, 0)?,
                _ => return Err(illegal(id, "validation data of another shape")),
            }
        }
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }

    /// Validation data of single signatures (`depth` 0), or of one: entries may come, none may go.
    pub(super) fn vri(&mut self, id: ObjectId, old: &Dict, new: &Dict, depth: u8) -> Outcome<()> {
        if old.iter().any(|(key, _)| new.get(key).is_none()) {
            return Err(illegal(id, "validation data was removed"));
        }
        for key in different_keys(old, new) {
            let (was, is) = (self.old.lookup(old, &key)?, self.new.lookup(new, &key)?);
            match (key.as_slice(), &was, &is) {
                (b"Type", _, Value::Name(_))
                | (b"TU", _, Value::String(_))
                | (b"TS", _, Value::Stream(_)) => {}
                (b"Cert" | b"CRL" | b"OCSP", ..) => self.only_more(id, &was, &is)?,
                // The entry of a signature.
                (_, Value::Null, Value::Dict(one)) if depth == 0 => self.vri(id, &Dict::new(), one, 1)?,
                (_, Value::Dict(was), Value::Dict(one)) if depth == 0 => self.vri(id, was, one, 1)?,
                _ => return Err(illegal(id, "validation data of another shape")),
            }
        }
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }

    /// A list of evidence, of which none goes and to which streams come.
    pub(super) fn only_more(&mut self, id: ObjectId, old: &Value, new: &Value) -> Outcome<()> {
        let (Some(before), Some(after)) =
            (old.as_array().or((*old == Value::Null).then_some(&[])), new.as_array())
        else {
            return Err(illegal(id, "validation data was replaced"));
        };
        let known: HashSet<ObjectId> = before.iter().filter_map(Value::as_ref).collect();
        let kept: HashSet<ObjectId> = after.iter().filter_map(Value::as_ref).collect();
        if before.iter().any(|item| item.as_ref().is_none_or(|id| !kept.contains(&id))) {
            return Err(illegal(id, "validation data was removed"));
        }
        for item in after.iter().filter(|item| item.as_ref().is_none_or(|id| !known.contains(&id))) {
            if !matches!((item, self.new.resolve(item)?), (Value::Ref(_), Value::Stream(_))) {
                return Err(illegal(id, "validation data of another shape"));
            }
        }
        self.found.kinds.insert(Update::ValidationData);
        Ok(())
    }
}
