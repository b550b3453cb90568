//! `hoso scan`: judges pages from outside any station.

use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::page::{Dpi, DpiSource};
use crate::scan::barcode::{self, Barcode, Format, PageCodes, Policy, Searched};
use crate::scan::quality::{Flag, Profile, Quality};
use crate::scan::{Limits, PageInfo, Source, open, quality, source};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What to scan and how to print it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso scan *.jpg batch.pdf --json | jq 'select(.flags != [])'\n\n\
    Exit code 1 when a file or page was refused; the others are still judged.")]
pub struct Args {
    /// Files of pages: JPEG, PNG, TIFF, PDF.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a page and line.
    #[arg(long)]
    json: bool,
    /// Files judged at once; by default as many as there are cores.
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

/// One line of output: a judged page, or what stopped it.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Page(Box<PageLine>),
    Refused {
        file: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        page: Option<usize>,
        error: Box<Report>,
    },
}

#[derive(Serialize)]
struct PageLine {
    file: String,
    page: usize,
    /// Pixels of the upright page.
    width: u32,
    height: u32,
    dpi: Dpi,
    coding: source::Coded,
    skew_deg: Option<f32>,
    skew_confidence: Option<f32>,
    orientation: u16,
    blank: Option<crate::scan::blank::Blank>,
    sharpness: Option<f32>,
    contrast: Option<f32>,
    flags: Vec<Flag>,
    barcodes: Vec<Found>,
    /// How the page was searched for barcodes.
    searched: Option<Searched>,
    sha256: String,
    blake3: String,
    ms: f64,
}

/// A barcode, its corners in pixels of the upright page.
#[derive(Serialize)]
struct Found {
    format: Format,
    text: String,
    corners: [[f32; 2]; 4],
    module_px: f32,
}

impl From<Barcode> for Found {
    fn from(code: Barcode) -> Self {
        Found { format: code.format, text: code.text, corners: code.corners, module_px: code.module_px }
    }
}

/// Judges every file; refused ones are reported in their place.
///
/// # Errors
/// [`OUTPUT`] where the answer cannot be written.
pub fn run(args: &Args) -> Outcome<u8> {
    let limits = Limits::default();
    let profile = Profile::default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let jobs = args.jobs.map_or(cores, std::num::NonZeroUsize::get).min(args.files.len()).min(256);
    let printer =
        Mutex::new(Printer { json: args.json, next: 0, waiting: BTreeMap::new(), refused: 0, fault: None });
    let next = AtomicUsize::new(0);
    if !args.json {
        lock(&printer).print(HEADER);
    }
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = args.files.get(index) else { return };
                    file(path, &limits, &profile, |line| lock(&printer).take(index, &line));
                    lock(&printer).done(index);
                }
            });
        }
    });
    let printer = printer.into_inner().unwrap_or_else(PoisonError::into_inner);
    match printer.fault {
        Some(fault) => Err(fault),
        None => Ok(u8::from(printer.refused > 0)),
    }
}

/// Judges one file, a page at a time.
fn file(path: &Path, limits: &Limits, profile: &Profile, mut say: impl FnMut(Line)) {
    let name = path.display().to_string();
    let refuse = |page: Option<usize>, fault: &Fault| Line::Refused {
        file: name.clone(),
        page,
        error: Box::new(fault.report()),
    };
    let start = Instant::now();
    let opened = read(path, limits).and_then(|bytes| {
        let digests = Digests::of(&bytes);
        Ok((digests, open(bytes, limits)?))
    });
    let (digests, source) = match opened {
        Ok(opened) => opened,
        Err(fault) => return say(refuse(None, &fault)),
    };
    // What all pages share is told with the first.
    let mut shared = start.elapsed().as_secs_f64();
    for (i, info) in source.pages().iter().enumerate() {
        let start = Instant::now();
        match info.clone().and_then(|info| page(&source, &info, profile)) {
            Err(fault) => say(refuse(Some(i + 1), &fault)),
            Ok(mut line) => {
                line.file.clone_from(&name);
                line.sha256 = digests.sha256.to_string();
                line.blake3 = digests.blake3.to_string();
                line.ms = ((start.elapsed().as_secs_f64() + shared) * 100_000.0).round() / 100.0;
                shared = 0.0;
                say(Line::Page(Box::new(line)));
            }
        }
    }
}

fn page(source: &Source, info: &PageInfo, profile: &Profile) -> Outcome<PageLine> {
    let judged: Option<(u32, u32, Quality, PageCodes)> = match info.foreign {
        Some(_) => None,
        None => {
            let luma = source.luma(info.number)?;
            let dpi = source.upright_dpi(info.number)?;
            let quality = quality::judge(&luma, dpi, profile);
            let assumed = dpi.source == DpiSource::Assumed;
            let codes = barcode::read_page(&luma, (!assumed).then_some(dpi.x.min(dpi.y)), &Policy::default());
            Some((luma.width as u32, luma.height as u32, quality, codes))
        }
    };
    let mut flags: Vec<Flag> = judged.as_ref().map(|(_, _, q, _)| q.flags.clone()).unwrap_or_default();
    flags.extend(info.foreign.map(Flag::foreign));
    flags.extend(source.signed().then(Flag::signed));
    let quality = judged.as_ref().map(|(_, _, q, _)| q.clone());
    let quality = quality.as_ref();
    Ok(PageLine {
        file: String::new(),
        page: info.number,
        width: judged.as_ref().map_or(info.width, |(w, ..)| *w),
        height: judged.as_ref().map_or(info.height, |(_, h, ..)| *h),
        dpi: source::upright(info.dpi, info.turns),
        coding: info.coding,
        skew_deg: quality.map(|q| q.skew_deg),
        skew_confidence: quality.map(|q| q.skew_confidence),
        orientation: u16::from(info.turns) * 90,
        blank: quality.map(|q| q.blank),
        sharpness: quality.map(|q| q.sharpness),
        contrast: quality.map(|q| q.contrast),
        flags,
        searched: judged.as_ref().map(|(.., codes)| codes.searched),
        barcodes: judged
            .map_or_else(Vec::new, |(.., codes)| codes.codes.into_iter().map(Found::from).collect()),
        sha256: String::new(),
        blake3: String::new(),
        ms: 0.0,
    })
}

/// The bytes of a file, never more than the limits allow, whatever its length was a moment ago.
fn read(path: &Path, limits: &Limits) -> Outcome<Vec<u8>> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind());
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&UNREADABLE).detail("not a plain file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    limits.file(length)?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(limits.file_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    limits.file(bytes.len() as u64)?;
    Ok(bytes)
}

const HEADER: &str =
    "TRANG / PAGE                              ĐIỂM ẢNH / PIXELS   DPI    NGHIÊNG / SKEW  GHI CHÚ / NOTES";

/// Prints lines in the order of the files, each file's as soon as those before it are done.
struct Printer {
    json: bool,
    next: usize,
    waiting: BTreeMap<usize, (Vec<String>, bool)>,
    refused: usize,
    fault: Option<Fault>,
}

impl Printer {
    fn take(&mut self, index: usize, line: &Line) {
        self.refused += usize::from(matches!(line, Line::Refused { .. }));
        let text = if self.json { serde_json::to_string(line).unwrap_or_default() } else { table_row(line) };
        if index == self.next {
            self.print(&text);
        } else {
            self.waiting.entry(index).or_default().0.push(text);
        }
    }

    fn done(&mut self, index: usize) {
        self.waiting.entry(index).or_default().1 = true;
        loop {
            let Some((lines, is_done)) = self.waiting.remove(&self.next) else { return };
            lines.iter().for_each(|line| self.print(line));
            if !is_done {
                return;
            }
            self.next += 1;
        }
    }

    fn print(&mut self, text: &str) {
        if let Err(e) = writeln!(std::io::stdout().lock(), "{text}") {
            self.fault = Some(Fault::new(&OUTPUT).detail(e.kind()));
        }
    }
}

fn table_row(line: &Line) -> String {
    match line {
        Line::Refused { file, page, error } => {
            let place = page.map_or(file.clone(), |page| format!("{file}:{page}"));
            format!("{place:<40}  ✗ {error}")
        }
        Line::Page(page) => {
            let source = match page.dpi.source {
                DpiSource::Assumed => "?",
                DpiSource::Header | DpiSource::Placement => "",
            };
            let skew = page.skew_deg.map_or("-".to_owned(), |s| format!("{s:+.2}°"));
            let notes: Vec<String> = page.flags.iter().map(|f| format!("{} / {}", f.vi, f.en)).collect();
            format!(
                "{:<40}  {:>6} x {:<6}     {:>4.0}{source:<2} {skew:>12}    {}",
                format!("{}:{}", page.file, page.page),
                page.width,
                page.height,
                page.dpi.x.min(page.dpi.y),
                if notes.is_empty() { "tốt / good".to_owned() } else { notes.join("; ") }
            )
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file cannot be opened or read.
pub const UNREADABLE: Code = Code {
    id: "SCAN-048",
    class: Class::Input,
    vi: "Không mở được tệp",
    en: "the file cannot be read",
    remedy_vi: "Kiểm tra tên tệp và quyền đọc",
    remedy_en: "check its name and permissions",
};

/// Standard output is gone.
pub const OUTPUT: Code = Code {
    id: "SCAN-049",
    class: Class::Later,
    vi: "Không ghi được kết quả ra màn hình",
    en: "the output cannot be written",
    remedy_vi: "Chạy lại lệnh",
    remedy_en: "run the command again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&UNREADABLE, &OUTPUT];
