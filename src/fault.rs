//! What went wrong, in words a clerk can act on.
//!
//! A [`Code`] is a stable identity with its sentences in Vietnamese and English; a [`Fault`] is one
//! occurrence of it, with the place and a detail. Neither may ever hold personal data: a detail is
//! a size, a count, a field name, a file's position in its batch, never a value read from a paper or a chip.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One kind of fault, declared as a constant beside the code that raises it.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable identity, `ROOM-NNN`; never reused for another meaning.
    pub id: &'static str,
    /// Who has to act.
    pub class: Class,
    /// What happened, Vietnamese, a whole sentence without its full stop.
    pub vi: &'static str,
    /// What happened, English, a lowercase fragment.
    pub en: &'static str,
    /// What to do about it, Vietnamese.
    pub remedy_vi: &'static str,
    /// What to do about it, English.
    pub remedy_en: &'static str,
}

/// Who has to act on a fault; decides the exit code and whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The thing that was handed in cannot be taken as it is; the sender must change it.
    Input,
    /// The station is set up wrongly: a file, key, anchor or pipeline; its keeper must act.
    Setup,
    /// Nobody's mistake: a full disk, a silent server; the engine tries again by itself.
    Later,
    /// A person has to decide before it goes on.
    Person,
    /// A defect of this program.
    Inner,
}

impl Class {
    /// The exit code of a command that ends with a fault of this class (README, "Exit codes").
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Input => 3,
            Class::Setup => 4,
            Class::Later => 5,
            Class::Person => 6,
            Class::Inner => 70,
        }
    }
}

/// One occurrence of a [`Code`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault.
    pub code: &'static Code,
    /// Where: a file name as given by the operator, `page 3`, a line and column, a recipient's name.
    pub place: Option<String>,
    /// The figures behind it, English, no personal data.
    pub detail: Option<String>,
}

/// The result of anything that can fail in a way a person should read.
pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A fault without place or detail yet.
    pub fn new(code: &'static Code) -> Self {
        Fault { code, place: None, detail: None }
    }

    /// Adds the figures behind it.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Says where, unless a place nearer to the cause is already known.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let outer = place.to_string();
        self.place = Some(match self.place.take() {
            // Two callers may know the same place, or one of them less of it: it is told once.
            Some(inner) if is_within(&inner, &outer) => inner,
            Some(inner) => format!("{outer}, {inner}"),
            None => outer,
        });
        self
    }

    /// The same fault as a value that can be stored and shown to both kinds of reader.
    pub fn report(&self) -> Report {
        Report {
            code: self.code.id.to_owned(),
            class: self.code.class,
            vi: self.code.vi.to_owned(),
            en: self.code.en.to_owned(),
            remedy_vi: self.code.remedy_vi.to_owned(),
            remedy_en: self.code.remedy_en.to_owned(),
            place: self.place.clone(),
            detail: self.detail.clone(),
        }
    }
}

/// Whether a place already begins with another: `a/b.jpg, page 1` with `a` or `a/b.jpg`.
fn is_within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with(", "))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.report(), f)
    }
}

impl std::error::Error for Fault {}

impl From<&'static Code> for Fault {
    fn from(code: &'static Code) -> Self {
        Fault::new(code)
    }
}

/// A [`Fault`] as data: in the journal, in `--json` output, on a status page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Fault")]
pub struct Report {
    /// [`Code::id`].
    pub code: String,
    /// [`Code::class`].
    #[schemars(with = "String")]
    pub class: Class,
    /// [`Code::vi`].
    pub vi: String,
    /// [`Code::en`].
    pub en: String,
    /// [`Code::remedy_vi`].
    pub remedy_vi: String,
    /// [`Code::remedy_en`].
    pub remedy_en: String,
    /// [`Fault::place`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// [`Fault::detail`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(place) = &self.place {
            write!(f, " {place}")?;
        }
        write!(f, ": {} / {}", self.vi, self.en)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        write!(f, ". {} / {}", self.remedy_vi, self.remedy_en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Code = Code {
        id: "TEST-001",
        class: Class::Input,
        vi: "Tệp rỗng",
        en: "the file is empty",
        remedy_vi: "Quét lại",
        remedy_en: "scan it again",
    };

    #[test]
    fn a_place_that_is_known_already_is_not_told_twice() {
        let place = |inner: &str, outer: &str| Fault::new(&SAMPLE).at(inner).at(outer).place.unwrap();
        assert_eq!(place("a.jpg", "a.jpg"), "a.jpg");
        assert_eq!(place("lot/a.jpg", "lot"), "lot/a.jpg");
        assert_eq!(place("page 1, row 2", "page 1"), "page 1, row 2");
        assert_eq!(place("page 12", "page 1"), "page 1, page 12");
    }

    #[test]
    fn a_fault_names_code_place_both_languages_and_the_remedy() {
        let fault = Fault::new(&SAMPLE).detail("0 bytes").at("page 3").at("batch-7.pdf");
        assert_eq!(
            fault.to_string(),
            "TEST-001 batch-7.pdf, page 3: Tệp rỗng / the file is empty (0 bytes). Quét lại / scan it again"
        );
    }
}
