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
        let references = match &references {
            Value::Null => &[][..],
            Value::Array(items) if items.len() <= MAX_REFERENCES => items,
            // More than anybody reads, or nothing that can be read: a rule of it may forbid anything.
            _ => return Ok(Permission::none()),
        };
        for item in references {
            let item = document.resolve(item)?;
            let Some(dict) = item.as_dict() else { return Ok(Permission::none()) };
            let parameters = document.lookup(dict, b"TransformParams")?;
            let parameters = parameters.as_dict().cloned().unwrap_or_default();
            match document.lookup(dict, b"TransformMethod")?.as_name() {
                Some(b"DocMDP") => {
                    let level = level(&document.lookup(&parameters, b"P")?).unwrap_or(2);
                    permission.certified = Some(permission.certified.map_or(level, |known| known.min(level)));
                }
                Some(b"FieldMDP") => permission.locks.push(lock(document, &parameters)?),
                // Usage rights allow a reader more, and forbid nothing (12.8.2.3).
                Some(b"UR" | b"UR3" | b"Identity") => {}
                _ => return Ok(Permission::none()),
            }
        }
        let field = document.lookup(&signature.field, b"Lock")?;
        if let Some(dict) = field.as_dict() {
            permission.locks.push(lock(document, dict)?);
            permission.lock_level = level(&document.lookup(dict, b"P")?);
        }
        Ok(permission)
    }

    /// Nothing may change.
    fn none() -> Permission {
        Permission { certified: Some(1), lock_level: Some(1), locks: vec![Lock::All] }
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

/// A level of permission, if one is said: anything but 2 or 3, whole or not, forbids everything.
fn level(said: &Value) -> Option<i64> {
    match said {
        Value::Null => None,
        said => Some(match said.as_number() {
            Some(2.0) => 2,
            Some(3.0) => 3,
            _ => 1,
        }),
    }
}

fn lock(document: &Document<'_>, dict: &Dict) -> Outcome<Lock> {
    let list = document.lookup(dict, b"Fields")?;
    let mut names = Vec::new();
    for name in list.as_array().unwrap_or_default() {
        // A name that cannot be read may be anybody's.
        let Value::String(name) = document.resolve(name)? else { return Ok(Lock::All) };
        names.push(text_of(&name));
    }
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
