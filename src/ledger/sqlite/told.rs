//! What the ledger has of one dossier, runs and journal read in one moment.

use super::{SqliteLedger, views};
use crate::digest::Blake3;
use crate::fault::Outcome;
use crate::ledger::journal::{self, blake3};
use crate::ledger::{RunExtract, RunView};
use rusqlite::{Connection, Result, params};

impl SqliteLedger {
    /// The runs that go by this dossier code, label, or beginning of a run's identity (8 digits or more), and the batches
    /// that they were divided from, in the order of admission.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn dossier(&self, name: String) -> Outcome<(Vec<RunExtract>, Vec<RunExtract>)> {
        self.writer.run(move |db| dossier(db, &name)).await
    }
}

fn dossier(db: &Connection, name: &str) -> Result<(Vec<RunExtract>, Vec<RunExtract>)> {
    let digits = name.len() >= 8 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let prefix = if digits { name.to_ascii_uppercase() } else { String::new() };
    let ids: Vec<Blake3> = db
        .prepare(
            // By a run's digits all of its dossier, too: a result that is left out would look as if there were none.
            "WITH hit AS (SELECT id, code FROM run
               WHERE code = ?1 OR label = ?1 OR (?2 <> '' AND substr(hex(id), 1, length(?2)) = ?2))
             SELECT id FROM run WHERE id IN (SELECT id FROM hit)
               OR code IN (SELECT code FROM hit WHERE code IS NOT NULL)
             ORDER BY admitted_at, label, id",
        )?
        .query_map(params![name, prefix], |row| row.get(0).map(blake3))?
        .collect::<Result<_>>()?;
    let mut runs = Vec::new();
    for id in &ids {
        runs.extend(extract(db, id)?);
    }
    let mut parents: Vec<Blake3> = Vec::new();
    for parent in runs.iter().filter_map(|run| run.view.parent) {
        if !parents.contains(&parent) && !ids.contains(&parent) {
            parents.push(parent);
        }
    }
    let mut batches = Vec::new();
    for id in &parents {
        batches.extend(extract(db, id)?);
    }
    Ok((runs, batches))
}

fn extract(db: &Connection, id: &Blake3) -> Result<Option<RunExtract>> {
    // The identity is our own 32 bytes in hexadecimal digits, nothing that somebody typed.
    let view: Option<RunView> = views::select(db, &format!("id = x'{id}'"), 1)?.pop();
    view.map(|view| Ok(RunExtract { view, journal: journal::chain(db, id)? })).transpose()
}
