//! `hoso scan`: judges pages from outside any station.

mod order;

use crate::digest::Digests;
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::original::Original;
use crate::page::Dpi;
use crate::sandbox::{self, Pool};
use crate::scan::barcode::{Barcode, Format, Policy, Searched};
use crate::scan::quality::{Fingerprint, Flag, Profile};
use crate::scan::separate::role_of;
use crate::scan::{Limits, PageInfo, Reader, Sheaf, source};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use order::{Order, Work};
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What to scan and how to print it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso scan *.jpg batch.pdf --json | jq 'select(.flags != [])'\n\n\
    Exit code 1 when a file or page was refused, or there was none; the others are still judged.")]
pub struct Args {
    /// Files of pages, and folders of them: JPEG, PNG, TIFF, WebP, JPEG 2000, PDF. In folders the others are passed over.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a page and line.
    #[arg(long)]
    json: bool,
    /// Search every page for codes to its last pixel, not only where one seems to be: a third of a second more a page and code found so.
    #[arg(long)]
    thorough: bool,
    /// Pages judged at once; by default as many as there are cores.
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
    /// Pixels of the upright page; nothing of a page that is kept as it is.
    width: Option<u32>,
    height: Option<u32>,
    dpi: Option<Dpi>,
    /// How the file codes the pixels.
    coding: source::Coded,
    skew_deg: Option<f32>,
    skew_confidence: Option<f32>,
    /// Degrees clockwise by which this page, turned already as its file says, must still be turned to be read.
    orientation: Option<u16>,
    orientation_confidence: Option<f32>,
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
    /// To know the page again.
    #[serde(skip)]
    fingerprint: Option<Fingerprint>,
}

/// A barcode, its corners in pixels of the upright page.
#[derive(Serialize)]
struct Found {
    format: Format,
    text: String,
    bytes_b64: String,
    corners: [[f32; 2]; 4],
    module_px: f32,
    /// What the code is for, by the name of its [`Role`](crate::scan::separate::Role).
    role: String,
}

impl From<Barcode> for Found {
    fn from(code: Barcode) -> Self {
        // A role is a name, or an object of one key with what the code says: the text is told already.
        let role = match serde_json::to_value(role_of(code.format, &code.text)) {
            Ok(serde_json::Value::String(name)) => name,
            Ok(serde_json::Value::Object(said)) => said.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        Found {
            format: code.format,
            bytes_b64: STANDARD.encode(&code.bytes),
            text: code.text,
            corners: code.corners,
            module_px: code.module_px,
            role,
        }
    }
}

/// What a page is judged by.
struct Rules {
    limits: Limits,
    profile: Profile,
    codes: Policy,
}

/// Judges every page of every file; refused ones are reported in their place.
///
/// # Errors
/// [`OUTPUT`] where the answer cannot be written.
pub fn run(args: &Args) -> Outcome<u8> {
    let codes = Policy { thorough: args.thorough, ..Policy::default() };
    let rules = Rules { limits: Limits::default(), profile: Profile::default(), codes };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let jobs = args.jobs.map_or(cores, std::num::NonZeroUsize::get).min(256);
    let reader = Reader::boxed(Arc::new(Pool::new(jobs, sandbox::Policy::default())));
    let (files, passed_over) = order::files(&args.files);
    let order = Order::new(files.len());
    let printer = Mutex::new(order::Printer::new(args.json));
    if !args.json {
        lock(&printer).print(HEADER);
    }
    let say = |file: usize, page: usize, line: Line| lock(&printer).take(file, page, line);
    let work = || {
        while let Some(work) = order.next() {
            match work {
                Work::Open(index) => {
                    let name = files[index].display().to_string();
                    let opened = open(&files[index], &reader, &rules.limits);
                    let pages = opened.as_ref().map_or(1, |opened| opened.sheaf.pages().len());
                    lock(&printer).expect(index, pages);
                    order.opened(index, opened.map_err(|fault| say(index, 0, refused(name, None, &fault))));
                }
                Work::Page(opened, file, index) => {
                    let name = files[file].display().to_string();
                    let line = page(&opened, index, &rules)
                        .map(|line| Line::Page(Box::new(PageLine { file: name.clone(), ..line })))
                        .unwrap_or_else(|fault| refused(name, Some(index + 1), &fault));
                    say(file, index, line);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs {
            scope.spawn(work);
        }
        work();
    });
    if passed_over > 0 {
        eprintln!("hoso: {passed_over} tệp khác bị bỏ qua / {passed_over} files of other kinds passed over");
    }
    if files.is_empty() {
        eprintln!("hoso: không có trang nào trong thư mục / no pages in the folder");
    }
    let printer = printer.into_inner().unwrap_or_else(PoisonError::into_inner);
    match printer.fault {
        Some(fault) => Err(fault),
        None => Ok(u8::from(printer.refused > 0 || files.is_empty())),
    }
}

/// A file whose pages are known.
struct Opened {
    sheaf: Sheaf,
    digests: Digests,
}

fn open(path: &Path, reader: &Reader, limits: &Limits) -> Outcome<Opened> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind());
    // A pipe is not even opened: nobody waits for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&UNREADABLE).detail("not a plain file"));
    }
    let original = Original::file(File::open(path).map_err(unreadable)?)?;
    limits.file(original.len())?;
    let sheaf = reader.open(original.clone(), limits)?;
    Ok(Opened { sheaf, digests: original.digests()? })
}

fn refused(file: String, page: Option<usize>, fault: &Fault) -> Line {
    Line::Refused { file, page, error: Box::new(fault.report()) }
}

fn page(opened: &Opened, index: usize, rules: &Rules) -> Outcome<PageLine> {
    let start = Instant::now();
    let info: PageInfo = opened.sheaf.pages().get(index).ok_or(&source::NO_SUCH_PAGE)?.clone()?;
    let judged = match info.foreign {
        Some(_) => None,
        None => Some(opened.sheaf.judge(info.number, &rules.profile, Some(&rules.codes))?),
    };
    let quality = judged.as_ref().map(|j| &j.quality);
    let mut flags: Vec<Flag> = quality.map(|q| q.flags.clone()).unwrap_or_default();
    flags.extend(info.foreign.map(Flag::foreign));
    flags.extend(opened.sheaf.signed().then(Flag::signed));
    let codes = judged.as_ref().and_then(|j| j.codes.as_ref());
    Ok(PageLine {
        file: String::new(),
        page: info.number,
        width: judged.as_ref().map(|j| j.width),
        height: judged.as_ref().map(|j| j.height),
        dpi: judged.as_ref().map(|j| j.dpi),
        coding: info.coding,
        skew_deg: quality.map(|q| q.skew_deg),
        skew_confidence: quality.map(|q| q.skew_confidence),
        orientation: quality.map(|q| u16::from(q.orientation.turns % 4) * 90),
        orientation_confidence: quality.map(|q| q.orientation.confidence),
        blank: quality.map(|q| q.blank),
        sharpness: quality.map(|q| q.sharpness),
        contrast: quality.map(|q| q.contrast),
        flags,
        searched: codes.map(|codes| codes.searched),
        barcodes: codes.map_or_else(Vec::new, |found| found.codes.iter().cloned().map(Found::from).collect()),
        sha256: opened.digests.sha256.to_string(),
        blake3: opened.digests.blake3.to_string(),
        fingerprint: quality.and_then(|q| q.fingerprint.clone()),
        ms: (start.elapsed().as_secs_f64() * 100_000.0).round() / 100.0,
    })
}

const HEADER: &str =
    "TRANG / PAGE                              ĐIỂM ẢNH / PIXELS   DPI    NGHIÊNG / SKEW  GHI CHÚ / NOTES";

fn table_row(line: &Line) -> String {
    match line {
        Line::Refused { file, page, error } => {
            let place = page.map_or(file.clone(), |page| format!("{file}:{page}"));
            format!("{place:<40}  ✗ {error}")
        }
        Line::Page(page) => {
            let source = if page.dpi.is_some_and(|dpi| dpi.source.is_assumed()) { "?" } else { "" };
            let figure = |n: Option<f32>| n.map_or("-".to_owned(), |n| format!("{n:.0}"));
            let pixels = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
            let skew = page.skew_deg.map_or("-".to_owned(), |s| format!("{s:+.2}°"));
            let flags = page.flags.iter().map(|f| format!("{} / {}", f.vi, f.en));
            let flags = if page.flags.is_empty() { vec!["tốt / good".to_owned()] } else { flags.collect() };
            // What they are, not what they say: that may be a citizen's whole card.
            let codes = page.barcodes.iter().map(|code| format!("[{} {}]", code.format, code.role));
            let notes: Vec<String> = codes.chain([flags.join("; ")]).collect();
            format!(
                "{:<40}  {:>6} x {:<6}     {:>4}{source:<2} {skew:>12}    {}",
                format!("{}:{}", page.file, page.page),
                pixels(page.width),
                pixels(page.height),
                figure(page.dpi.map(|dpi| dpi.x.min(dpi.y))),
                notes.join(" ")
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
