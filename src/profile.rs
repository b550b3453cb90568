//! Legal parameters of a time and place, as data: what the catalogue of procedures says.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// `profiles/procedures.toml`: procedures by their national code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedures {
    /// Which edition of the catalogue this is, a date.
    #[serde(default)]
    pub edition: String,
    /// The procedures.
    #[serde(default)]
    procedure: BTreeMap<String, Procedure>,
}

/// One procedure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// `TenTTHC`.
    pub name: String,
    /// `MaLinhVuc`.
    pub field: String,
    /// `TenLinhVuc`.
    pub field_name: String,
}

impl Procedures {
    /// Reads the file; a station without one knows no procedure.
    ///
    /// # Errors
    /// `PROF-001` with the line of the mistake.
    pub fn load(path: &Path) -> Outcome<Self> {
        if !path.exists() {
            return Ok(Procedures::default());
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| Fault::new(&BROKEN).at(path.display()).detail(e.kind()))?;
        toml::from_str(&text).map_err(|e| {
            let before = e.span().and_then(|s| text.get(..s.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            Fault::new(&BROKEN).at(format!("{}:{line}", path.display())).detail(e.message())
        })
    }

    /// What is known of a procedure.
    pub fn get(&self, code: &str) -> Option<&Procedure> {
        self.procedure.get(code)
    }
}

/// The profile has a mistake.
pub const BROKEN: Code = Code {
    id: "PROF-001",
    class: Class::Setup,
    vi: "Bộ quy định của trạm có lỗi",
    en: "there is a mistake in the station's profile",
    remedy_vi: "Sửa dòng được nêu",
    remedy_en: "mend the line that is named",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&BROKEN];
