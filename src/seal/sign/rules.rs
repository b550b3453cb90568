//! What signatures that are in a file allow of the next one: DocMDP (ISO 32000-1, 12.8.2.2), FieldMDP (12.8.2.4) and the
//! lock of a signed field (12.7.4.5). A rule that is not understood forbids, whatever another program would make of it.

use super::LOCKED;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Value, text_of};

/// The rules of all signatures of a file together; none where it carries no signature.
#[derive(Debug, Default)]
pub(super) struct Rules {
    certified: bool,
    locks: Vec<Lock>,
}

/// Fields that must stay as they are.
#[derive(Debug)]
enum Lock {
    All,
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Rules {
    /// Adds those of a signature dictionary.
    ///
    /// # Errors
    /// [`LOCKED`] where it forbids any change, or cannot be understood.
    pub(super) fn add_signature(&mut self, document: &Document<'_>, signature: &Dict) -> Outcome<()> {
        let references = match document.lookup(signature, b"Reference")? {
            Value::Null => return Ok(()),
            Value::Array(references) => references,
            _ => return Err(locked("signature references that are no array")),
        };
        if references.len() > MAX_REFERENCES {
            return Err(locked("more signature references than are read"));
        }
        for reference in &references {
            let Value::Dict(reference) = document.resolve(reference)? else {
                return Err(locked("a signature reference that is no dictionary"));
            };
            let parameters = match document.lookup(&reference, b"TransformParams")? {
                Value::Null => Dict::new(),
                Value::Dict(parameters) => parameters,
                _ => return Err(locked("parameters that are no dictionary")),
            };
            match document.lookup(&reference, b"TransformMethod")?.as_name() {
                Some(b"DocMDP") => {
                    self.certified = true;
                    refuse_no_changes(document, &parameters)?;
                }
                Some(b"FieldMDP") => {
                    refuse_no_changes(document, &parameters)?;
                    self.locks.push(Lock::read(document, &parameters)?);
                }
                // Rights of a reader program, and nothing at all (12.8.2.3, 12.8.2.5).
                Some(b"UR" | b"UR3" | b"Identity") => {}
                _ => return Err(locked("a transform method that is not known")),
            }
        }
        Ok(())
    }

    /// Adds the signature that `/Perms` names: it certifies, whatever else it says.
    ///
    /// # Errors
    /// As [`Rules::add_signature`].
    pub(super) fn add_certification(&mut self, document: &Document<'_>, signature: &Dict) -> Outcome<()> {
        self.certified = true;
        self.add_signature(document, signature)
    }

    /// Adds the `/Lock` of a field that is signed.
    ///
    /// # Errors
    /// As [`Rules::add_signature`].
    pub(super) fn add_lock(&mut self, document: &Document<'_>, field: &Dict) -> Outcome<()> {
        match document.lookup(field, b"Lock")? {
            Value::Null => Ok(()),
            Value::Dict(lock) => {
                refuse_no_changes(document, &lock)?;
                self.locks.push(Lock::read(document, &lock)?);
                Ok(())
            }
            _ => Err(locked("the lock of a field that is no dictionary")),
        }
    }

    /// Whether the file is certified, with whatever permissions.
    pub(super) fn is_certified(&self) -> bool {
        self.certified
    }

    /// Whether a field of this full name must neither be signed nor come.
    pub(super) fn locks(&self, name: &str) -> bool {
        self.locks.iter().any(|lock| match lock {
            Lock::All => true,
            Lock::Only(names) => is_among(name, names),
            Lock::AllBut(names) => !is_among(name, names),
        })
    }

    /// The names that locks speak of.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let names = self.locks.iter().flat_map(|lock| match lock {
            Lock::All => &[][..],
            Lock::Only(names) | Lock::AllBut(names) => names,
        });
        names.map(String::as_str)
    }
}

impl Lock {
    fn read(document: &Document<'_>, dict: &Dict) -> Outcome<Lock> {
        let action = document.lookup(dict, b"Action")?;
        let Value::Array(items) = document.lookup(dict, b"Fields")? else { return Ok(Lock::All) };
        let mut names = Vec::new();
        for item in &items {
            match document.resolve(item)?.as_string() {
                Some(name) => names.push(text_of(name)),
                None => return Ok(Lock::All),
            }
        }
        Ok(match action.as_name() {
            Some(b"Include") => Lock::Only(names),
            Some(b"Exclude") => Lock::AllBut(names),
            _ => Lock::All,
        })
    }
}

/// A name stands for all that lies below it.
fn is_among(name: &str, names: &[String]) -> bool {
    names.iter().any(|n| name.strip_prefix(n.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.')))
}

/// `/P`: 1 forbids any change, 2 and 3 let a signature come; written as a real it says the same.
fn refuse_no_changes(document: &Document<'_>, parameters: &Dict) -> Outcome<()> {
    match document.lookup(parameters, b"P")? {
        Value::Null => Ok(()),
        level => match level.as_number() {
            Some(n) if [2.0, 3.0].contains(&n) => Ok(()),
            Some(n) if (n - 1.0).abs() < f64::EPSILON => Err(Fault::new(&LOCKED)),
            _ => Err(locked("permissions that are not known")),
        },
    }
}

fn locked(why: &str) -> Fault {
    Fault::new(&LOCKED).detail(why)
}

/// Signature references that are read: one a transform method is usual.
const MAX_REFERENCES: usize = 16;

/// A field that an earlier signature locks.
pub const FIELD_LOCKED: Code = Code {
    id: "SEAL-026",
    class: Class::Input,
    vi: "Chữ ký có trước đã khoá ô này, ký thêm sẽ làm chữ ký đó mất hiệu lực",
    en: "an earlier signature locks this field; signing it would break that signature",
    remedy_vi: "Ký vào ô khác chưa bị khoá (--field), hoặc đề nghị người ký trước cấp bản cho phép ký thêm",
    remedy_en: "sign into a field that is not locked (--field), or ask the earlier signer for a copy that permits it",
};
