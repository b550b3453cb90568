//! Which files make which batch.

use super::manifest::{self, Line};
use super::{
    EMPTY, LINKED, MAX_FILES, NOT_THERE, TOO_DEEP, TOO_MANY, UNREADABLE, is_passed_over, is_reading, shown,
};
use crate::fault::{Fault, Outcome};
use crate::pipeline::Batch;
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// One batch as it lies on the disk.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What names are relative to.
    pub root: PathBuf,
    /// The folder or file, below the root.
    pub source: String,
    /// Page files in order.
    pub files: Vec<PathBuf>,
    /// Chip readings.
    pub readings: Vec<PathBuf>,
    /// `dossier.toml`, and `<dossier code>.dossier.toml` with its code.
    pub desk_slips: Vec<(Option<String>, PathBuf)>,
    /// `NAME.toml` beside `NAME.pdf`.
    pub result_slip: Option<PathBuf>,
    /// What the manifest says.
    pub line: Option<Line>,
}

const SLIP: &str = "dossier.toml";

pub(super) fn find(input: &Path, batch: Batch) -> Outcome<Vec<Outcome<Found>>> {
    let kind = fs::metadata(input).map_err(|e| unreadable(input, &e))?;
    let found = if kind.is_file() {
        let root = input.parent().unwrap_or(Path::new("")).to_owned();
        vec![single(&root, input)]
    } else {
        match batch {
            Batch::Folder => folders(input)?,
            Batch::File => files(input)?,
        }
    };
    if found.is_empty() { Err(Fault::new(&EMPTY).at(input.display())) } else { Ok(found) }
}

/// The input's own files are one batch; every folder directly below is another.
fn folders(input: &Path) -> Outcome<Vec<Outcome<Found>>> {
    let mut batches = Vec::new();
    let own_name = input.file_name().map_or_else(|| ".".into(), |n| shown(&n.to_string_lossy()));
    let parent = input.parent().unwrap_or(Path::new("")).to_owned();
    let mut below = Vec::new();
    let own = one_folder(input, &parent, own_name, &mut below)?;
    if !own.files.is_empty() {
        batches.push(Ok(own));
    }
    for folder in below {
        let name = folder.file_name().map(|n| shown(&n.to_string_lossy())).unwrap_or_default();
        if folder.is_symlink() {
            batches.push(Err(Fault::new(&LINKED).at(name)));
            continue;
        }
        let mut deeper = Vec::new();
        match one_folder(&folder, input, name.clone(), &mut deeper) {
            Ok(found) if found.files.is_empty() => batches.push(Err(Fault::new(&EMPTY).at(&name))),
            other => batches.push(other),
        }
        // Silence would be a lost paper: a folder that is not looked into is said.
        batches.extend(deeper.iter().map(|path| Err(Fault::new(&TOO_DEEP).at(super::below(path, input)))));
    }
    Ok(batches)
}

fn one_folder(folder: &Path, root: &Path, source: String, below: &mut Vec<PathBuf>) -> Outcome<Found> {
    let mut found = Found { root: root.to_owned(), source, ..Found::default() };
    for path in listing(folder)? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            below.push(path);
        } else if is_reading(&path) {
            found.readings.push(path);
        } else if name == SLIP {
            found.desk_slips.push((None, path));
        } else if let Some(code) = name.strip_suffix(SLIP).and_then(|n| n.strip_suffix('.')) {
            found.desk_slips.push((Some(code.to_owned()), path));
        } else if name != manifest::NAME {
            found.files.push(path);
        }
    }
    if found.files.len() > MAX_FILES {
        return Err(Fault::new(&TOO_MANY)
            .at(&found.source)
            .detail(format!("{} files, at most {MAX_FILES}", found.files.len())));
    }
    Ok(found)
}

/// Every file by itself, in the folder and below; a manifest says what is expected.
fn files(input: &Path) -> Outcome<Vec<Outcome<Found>>> {
    let lines = manifest::read(&input.join(manifest::NAME))?;
    let mut batches = Vec::new();
    let mut seen = Vec::new();
    let mut folders = vec![input.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = match listing(&folder) {
            Ok(listed) => listed,
            Err(fault) if folder != input => {
                batches.push(Err(fault));
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let mut below = Vec::new();
        for path in listed {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() && path.is_symlink() {
                // Followed, a link to a folder above it would never end.
                batches.push(Err(Fault::new(&LINKED).at(super::below(&path, input))));
            } else if path.is_dir() {
                below.push(path);
            } else if name != manifest::NAME && path.extension().is_none_or(|e| e != "toml") {
                seen.push(super::below(&path, input));
                batches.push(single(input, &path).map(|found| Found {
                    line: lines.iter().find(|l| l.file == found.source).cloned(),
                    ..found
                }));
            }
        }
        below.reverse();
        folders.extend(below);
    }
    for line in lines.iter().filter(|l| !seen.contains(&l.file)) {
        batches.push(Err(Fault::new(&NOT_THERE).at(&line.file)));
    }
    Ok(batches)
}

/// A chip reading by itself is no dossier, and must not lie among the pages, from where nothing is let go of.
fn single(root: &Path, path: &Path) -> Outcome<Found> {
    let source = super::below(path, root);
    if is_reading(path) {
        return Err(Fault::new(&EMPTY).at(source));
    }
    let slip = path.with_extension("toml");
    Ok(Found {
        root: root.to_owned(),
        source,
        files: vec![path.to_owned()],
        result_slip: slip.is_file().then_some(slip),
        ..Found::default()
    })
}

/// A folder's entries without litter, numbers in names counted as numbers (`2.jpg` before `10.jpg`).
fn listing(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        if !is_passed_over(&entry.path()) {
            entries.push(entry.path());
        }
    }
    entries.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(entries)
}

fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    loop {
        match (a.peek().copied(), b.peek().copied()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let order = digits(&mut a).cmp(&digits(&mut b));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (x, y) if x != y || x.is_none() => return x.cmp(&y),
            _ => {
                a.next();
                b.next();
            }
        }
    }
}

/// A run of digits as a number of any size: its length without leading zeros, then its digits.
fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> (usize, String) {
    let mut run = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        run.push(digit);
    }
    let run = run.trim_start_matches('0').to_owned();
    (run.len(), run)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(&UNREADABLE).at(shown(&path.to_string_lossy())).detail(error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ten_comes_after_page_two() {
        let mut names = vec!["p10.jpg", "p2.jpg", "p1.jpg", "p02b.jpg", "P3.jpg"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["P3.jpg", "p1.jpg", "p2.jpg", "p02b.jpg", "p10.jpg"]);
    }
}
