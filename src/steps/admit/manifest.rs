//! `manifest.csv`: what a box is said to hold. Columns `file,pages,code,title`, in any order; only `file` must be there.

use super::BAD_MANIFEST;
use crate::fault::{Fault, Outcome};
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub(super) const NAME: &str = "manifest.csv";

/// One line of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file, below the box.
    pub file: String,
    /// How many pages it is said to have.
    pub pages: Option<u32>,
    /// Dossier code.
    pub code: Option<String>,
    /// What the paper is called.
    pub title: Option<String>,
}

/// The lines of a manifest; none where there is no manifest.
pub(super) fn read(path: &Path) -> Outcome<Vec<Line>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let wrong = |line: u64, what: String| {
        Fault::new(&BAD_MANIFEST).at(format!("{}, line {line}", path.display())).detail(what)
    };
    // Excel with Vietnamese settings writes semicolons.
    let semicolons = first_line(path).is_some_and(|l| l.contains(';') && !l.contains(','));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .delimiter(if semicolons { b';' } else { b',' })
        .from_path(path)
        .map_err(|_| wrong(1, "cannot be read".into()))?;
    let header = reader.headers().map_err(|_| wrong(1, "the header cannot be read".into()))?.clone();
    let known = ["file", "pages", "code", "title"];
    if let Some(other) = header.iter().position(|h| !known.contains(&h.trim_start_matches('\u{feff}'))) {
        return Err(wrong(1, format!("column {} is none of {}", other + 1, known.join(", "))));
    }
    let column = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
    let (file, pages, code, title) = (column("file"), column("pages"), column("code"), column("title"));
    if file.is_none() {
        return Err(wrong(1, "there is no column `file`".into()));
    }
    let mut lines: Vec<Line> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| {
            wrong(e.position().map_or(0, csv::Position::line), "not as many columns as the header".into())
        })?;
        let number = record.position().map_or(0, csv::Position::line);
        let cell =
            |at: Option<usize>| at.and_then(|i| record.get(i)).filter(|c| !c.is_empty()).map(str::to_owned);
        let name = cell(file).ok_or_else(|| wrong(number, "`file` is empty".into()))?;
        if lines.iter().any(|l| l.file == name) {
            return Err(wrong(number, "this file is listed twice".into()));
        }
        let pages = match cell(pages) {
            None => None,
            Some(text) => {
                Some(text.parse::<u32>().map_err(|_| wrong(number, "`pages` is not a number".into()))?)
            }
        };
        lines.push(Line { file: name, pages, code: cell(code), title: cell(title) });
    }
    Ok(lines)
}

fn first_line(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(4096).read_to_end(&mut head).ok()?;
    String::from_utf8_lossy(&head).lines().next().map(str::to_owned)
}
