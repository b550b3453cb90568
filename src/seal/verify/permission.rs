//! What a signature allows after itself: DocMDP of one that certifies (ISO 32000-1, 12.8.2.2), FieldMDP and the lock of
//! its field (12.8.2.4, 12.7.4.5).

use super::VerifyCode;
use super::changes::Changes;
use super::fields::SignatureField;
use crate::fault::{Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Value, text_of};

/// The rules that one signature sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Permission {
    /// It certifies: 1 allows no change, 2 forms and signatures, 3 annotations too.
    certified: Option<i64>,
    /// 1 where a lock forbids any change (ISO 32000-2, table 236).
    lock_level: Option<i64>,
    locks: Vec<Lock>,
}

/// Fields that must stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lock {
    All,
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Permission {
    /// Reads the rules from a signature and its field.
    ///
    /// # Errors
    /// Something that cannot be read. A rule that is not understood forbids everything.
    pub(super) fn of(document: &Document<'_>, signature: &SignatureField) -> Outcome<Permission> {
        let mut permission = Permission::default();
        let references = document.lookup(&signature.dict, b"Reference")?;
        for item in references.as_array().unwrap_or_default().iter().take(MAX_REFERENCES) {
            let item = document.resolve(item)?;
            let Some(dict) = item.as_dict() else { continue };
            let parameters = document.lookup(dict, b"TransformParams")?;
            let parameters = parameters.as_dict().cloned().unwrap_or_default();
            if dict.is_name(b"TransformMethod", b"DocMDP") {
                let level = document.lookup(&parameters, b"P")?.as_int().unwrap_or(2);
                permission.certified = Some(permission.certified.map_or(level, |known| known.min(level)));
            } else if dict.is_name(b"TransformMethod", b"FieldMDP") {
                permission.locks.push(lock(document, &parameters)?);
            }
        }
        let field = document.lookup(&signature.field, b"Lock")?;
        if let Some(dict) = field.as_dict() {
            permission.locks.push(lock(document, dict)?);
            permission.lock_level = document.lookup(dict, b"P")?.as_int();
        }
        Ok(permission)
    }

    /// Whether changes after the signature go against its rules.
    ///
    /// # Errors
    /// [`FORBIDDEN`], naming the field.
    pub(super) fn judge(&self, changes: &Changes) -> Outcome<()> {
        let no_change = [self.certified, self.lock_level].iter().any(|level| level.is_some_and(|p| p <= 1));
        for field in &changes.filled {
            if no_change {
                return Err(forbidden(
                    "certified against any change, and a field was filled in",
                    &field.name,
                ));
            }
            if self.is_locked(&field.name) {
                return Err(forbidden("a field that the signature locks was filled in", &field.name));
            }
        }
        for field in &changes.signed {
            // Time stamps keep old signatures alive; they are allowed under any lock (EN 319 142-1 5.4.3).
            let is_idle_stamp = field.is_stamp && field.shown.is_none();
            if is_idle_stamp {
                continue;
            }
            if no_change {
                return Err(forbidden("certified against any change, then signed again", &field.name));
            }
            if self.certified.is_some() && field.is_new && field.shown.is_some() {
                return Err(forbidden("certified, and then a visible field was added", &field.name));
            }
            if self.is_locked(&field.name) {
                return Err(forbidden("a field that the signature locks was signed", &field.name));
            }
        }
        Ok(())
    }

    fn is_locked(&self, name: &str) -> bool {
        // A name stands for all that lies below it.
        let among = |names: &[String]| {
            names
                .iter()
                .any(|n| name == n || name.strip_prefix(n.as_str()).is_some_and(|rest| rest.starts_with('.')))
        };
        self.locks.iter().any(|lock| match lock {
            Lock::All => true,
            Lock::Only(names) => among(names),
            Lock::AllBut(names) => !among(names),
        })
    }
}

fn lock(document: &Document<'_>, dict: &Dict) -> Outcome<Lock> {
    let names = document.lookup(dict, b"Fields")?;
    let names = names.as_array().unwrap_or_default().iter().map(|name| document.resolve(name));
    let names: Outcome<Vec<Value>> = names.collect();
    let names = names?.iter().filter_map(Value::as_string).map(text_of).collect();
    Ok(match document.lookup(dict, b"Action")?.as_name() {
        Some(b"Include") => Lock::Only(names),
        Some(b"Exclude") => Lock::AllBut(names),
        _ => Lock::All,
    })
}

fn forbidden(why: &str, field: &str) -> Fault {
    Fault::new(&FORBIDDEN).detail(why).at(format!("field {field}"))
}

const MAX_REFERENCES: usize = 16;

/// A change that a signature forbids.
pub const FORBIDDEN: Code = VerifyCode {
    id: "VRFY-062",
    vi: "Tài liệu bị thay đổi theo cách mà chữ ký không cho phép (DocMDP, FieldMDP)",
    en: "the document was changed in a way that the signature forbids (DocMDP, FieldMDP)",
}
.code();
