//! Who judges what next, and in which order it is printed. Pages of one file are judged by several at once; what is
//! printed is in the order of files and pages all the same.

use super::{Line, Opened, lock, table_row};
use crate::fault::Fault;
use crate::scan::barcode::Format;
use crate::scan::quality::{Flag, Repeats};
use crate::shown::plain;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What there is to do.
pub(super) enum Work {
    /// The file of this place is to be opened.
    Open(usize),
    /// A page of an opened file is to be judged: the file, its place, and the page's, from 0.
    Page(Arc<Opened>, usize, usize),
}

/// Hands out work: pages of what is open first, so that no more files are open than are needed.
pub(super) struct Order {
    files: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: usize,
    opening: usize,
    open: VecDeque<(Arc<Opened>, usize, usize)>,
}

impl Order {
    pub(super) fn new(files: usize) -> Self {
        Order { files, state: Mutex::default(), changed: Condvar::new() }
    }

    /// What to do next; nothing when all is done or being done. Waits for files that others open.
    pub(super) fn next(&self) -> Option<Work> {
        let mut state = lock(&self.state);
        loop {
            while let Some((opened, file, page)) = state.open.front_mut() {
                if *page < opened.sheaf.pages().len() {
                    *page += 1;
                    return Some(Work::Page(Arc::clone(opened), *file, *page - 1));
                }
                state.open.pop_front();
            }
            if state.next < self.files {
                state.next += 1;
                state.opening += 1;
                return Some(Work::Open(state.next - 1));
            }
            if state.opening == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says how [`Work::Open`] went.
    pub(super) fn opened(&self, file: usize, opened: Result<Opened, ()>) {
        let mut state = lock(&self.state);
        state.opening -= 1;
        state.open.extend(opened.ok().map(|opened| (Arc::new(opened), file, 0)));
        drop(state);
        self.changed.notify_all();
    }
}

/// Prints lines in the order of files and pages, each as soon as those before it are printed.
pub(super) struct Printer {
    json: bool,
    /// The next line to print.
    at: (usize, usize),
    waiting: BTreeMap<(usize, usize), Line>,
    /// Lines of every file that is not printed yet.
    expected: BTreeMap<usize, usize>,
    /// Pages that are printed, by their places and what they are called; only here do they come in their order.
    seen: Repeats<Vec<(Format, String)>, (usize, String)>,
    /// How many they are.
    printed: usize,
    /// Pages and files that were refused.
    pub(super) refused: usize,
    /// Why printing failed.
    pub(super) fault: Option<Fault>,
}

impl Printer {
    /// Prints one object a line, or rows of a table.
    pub(super) fn new(json: bool) -> Self {
        Printer {
            json,
            at: (0, 0),
            waiting: BTreeMap::new(),
            expected: BTreeMap::new(),
            seen: Repeats::default(),
            printed: 0,
            refused: 0,
            fault: None,
        }
    }

    /// Says how many lines a file has.
    pub(super) fn expect(&mut self, file: usize, lines: usize) {
        self.expected.insert(file, lines);
        self.go_on();
    }

    /// Takes a line of a file.
    pub(super) fn take(&mut self, file: usize, page: usize, line: Line) {
        self.refused += usize::from(matches!(line, Line::Refused { .. }));
        self.waiting.insert((file, page), line);
        self.go_on();
    }

    fn go_on(&mut self) {
        loop {
            let (file, page) = self.at;
            if let Some(line) = self.waiting.remove(&self.at) {
                let line = self.compared(line);
                let text = match self.json {
                    true => one_line(&serde_json::to_string(&line).unwrap_or_default()),
                    false => plain(&table_row(&line)),
                };
                self.print(&text);
                self.at = (file, page + 1);
            } else if self.expected.get(&file).is_some_and(|lines| page >= *lines) {
                self.expected.remove(&file);
                self.at = (file + 1, 0);
            } else {
                return;
            }
        }
    }

    /// A page with a flag where it was printed before.
    fn compared(&mut self, line: Line) -> Line {
        let Line::Page(mut page) = line else { return line };
        self.printed += 1;
        let fingerprint = page.fingerprint.take();
        // One separator sheet looks like the other, and is laid into many places.
        let separates = page.barcodes.iter().any(|code| code.role == "separator");
        if let Some(print) = fingerprint.filter(|_| !separates) {
            let mut codes: Vec<_> = page.barcodes.iter().map(|c| (c.format, c.bytes_b64.clone())).collect();
            codes.sort_unstable();
            let name = format!("{}:{}", page.file, page.page);
            if let Some((place, first)) = self.seen.next(print, codes, (self.printed, name)) {
                page.flags.push(Flag::repeated(&first, place));
            }
        }
        Line::Page(page)
    }

    /// Prints a line at once.
    pub(super) fn print(&mut self, text: &str) {
        if let Err(e) = writeln!(std::io::stdout().lock(), "{text}") {
            self.fault = Some(Fault::new(&super::OUTPUT).detail(e.kind()));
        }
    }
}

/// JSON of no more than one line: some readers also end one at U+0085, U+2028 and U+2029.
fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                line.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => line.push(c),
        }
    }
    line
}

/// The files that are meant: those that are named, and in folders those that are called as pages are, in the order of
/// their names. Links to folders in them are not followed. With it, how many files and links were passed over.
pub(super) fn files(named: &[PathBuf]) -> (Vec<PathBuf>, usize) {
    let (mut files, mut passed_over) = (Vec::new(), 0);
    for path in named {
        if path.is_dir() { below(path, &mut files, &mut passed_over) } else { files.push(path.clone()) }
    }
    (files, passed_over)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>, passed_over: &mut usize) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        // Opened as a file it is refused with its reason.
        return files.push(folder.to_owned());
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            match path.is_symlink() {
                true => *passed_over += 1,
                false => below(&path, files, passed_over),
            }
        } else if is_called_as_pages_are(&path) {
            files.push(path);
        } else {
            *passed_over += 1;
        }
    }
}

fn is_called_as_pages_are(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    PAGES.contains(&extension.as_str())
}

/// What scanners and telephones call their files; those that cannot be read are refused by name.
const PAGES: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "tif", "tiff", "pdf", "webp", "jp2", "j2k", "jpx", "jpf", "heic",
    "heif", "bmp", "gif",
];

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_line_of_json_is_one_line_to_every_reader() {
        let text = "đ\u{85}\u{2028}\n\u{2029}\u{9f}é";
        let line = one_line(&serde_json::to_string(text).unwrap());
        assert_eq!(line, r#""đ\u0085\u2028\n\u2029\u009fé""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
