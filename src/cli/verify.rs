//! `hoso verify`: judges signed PDFs and their receipts, offline unless told otherwise.
//!
//! The exit code is that of the worst file: a refuted one before one that cannot be read, that before one that cannot be
//! judged.

mod bundle;
mod delivery;
mod judged;
mod table;

use super::log::load_keys;
use super::target::{refuse_input, write_bytes};
use crate::evidence::Trust;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::UNREADABLE;
use crate::seal::evidence::fetch::Online;
use crate::seal::verify::{Anchors, Asked, Demand, Policy, Question, Report, Verdict, paper};
use crate::station::Station;
use jiff::Timestamp;
use judged::Judged;
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What to verify, and whom to trust.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso verify ket-qua.pdf --trust anchors --log-keys anchors/log\n  \
    hoso verify chung-cu.zip --trust anchors --log-key anchors/log --receipt-key anchors/receipts\n  \
    hoso verify ket-qua.pdf --report bien-ban-kiem-tra.pdf\n  hoso verify out/ --station /srv/hoso\n\n\
    Exit code: 0 valid, 4 indeterminate (no signature, nobody to trust, no evidence of revocation), 5 invalid,\n\
    2 written wrongly, 1 a file, the trust folder or keys cannot be read. Of several files the worst counts:\n\
    5, then 1, then 4.")]
pub struct Args {
    /// Signed PDFs, evidence bundles (*.zip), wallet receipts (*.receipt), or folders of PDFs and receipts; X.tlog-proof beside X.pdf is checked together
    /// with it. Left out: the station's out/.
    paths: Vec<PathBuf>,
    /// Folder of trusted roots (*.pem), revocation lists (*.crl), OCSP answers (*.ocsp) and policy.toml, or a station's
    /// anchors folder; otherwise the station's, where there is one.
    #[arg(long, value_name = "DIR", visible_alias = "anchors")]
    trust: Option<PathBuf>,
    /// Public keys of trusted logs: a line, a file of lines, or a folder of such files; otherwise the station's.
    #[arg(long, visible_alias = "log-key")]
    log_keys: Vec<String>,
    /// Keys of wallets that receipts may be signed with, PEM files or a folder of them; otherwise the station's.
    #[arg(long, visible_alias = "receipt-key")]
    receipt_keys: Vec<PathBuf>,
    /// Judge as of this time (RFC 3339) in place of now: certificates must have been valid then, and what was revoked
    /// later does not count.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Ask the authorities' servers for evidence that neither the file nor the trust folder holds.
    #[arg(long)]
    online: bool,
    /// Demand evidence of revocation whatever the trust folder's policy says.
    #[arg(long)]
    require_revocation: bool,
    /// Say everything about every file, not only about those that are not valid.
    #[arg(long)]
    details: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Also write the report about one file as a PDF/A.
    #[arg(long, value_name = "OUT.pdf")]
    report: Option<PathBuf>,
}

/// Judges all that was named.
///
/// # Errors
/// None that is not told here: 4 and 5 are conclusions, so that no fault may end with its class's own code.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = station.map(Path::to_owned);
    let handle = tokio::runtime::Handle::current();
    // Authorities are waited for in a thread that may block.
    let done = tokio::task::spawn_blocking(move || judge_all(&args, station.as_deref(), handle));
    let done = done.await.unwrap_or_else(|_| Err(Fault::new(&STOPPED)));
    Ok(done.unwrap_or_else(|fault| {
        eprintln!("hoso: {fault}");
        FAULT
    }))
}

fn judge_all(args: &Args, station: Option<&Path>, handle: tokio::runtime::Handle) -> Outcome<u8> {
    // A court has no station: one is used where it is there, and needed only where nothing else is named.
    let station = match Station::find(station) {
        Ok(station) => Some(station),
        Err(fault) if args.paths.is_empty() || station.is_some() => return Err(fault),
        Err(_) => None,
    };
    let own = |below: &str| station.as_ref().map(|s| s.path(below));
    let roots = args.trust.clone().or_else(|| own("anchors"));
    let mut anchors = roots.as_deref().map(Anchors::load).transpose()?.unwrap_or_default();
    if args.require_revocation {
        anchors.set_policy(Policy { revocation: Demand::Required });
    }
    // A folder as a station's anchors/ has them; roots of cards are needed for bundles alone.
    let cards = roots.map(|folder| folder.join("csca")).filter(|folder| folder.is_dir());
    let cards = cards.as_deref().map(crate::chip::Trust::load).transpose()?;
    let log_keys = match own("anchors/log") {
        Some(folder) if args.log_keys.is_empty() => vec![folder.to_string_lossy().into_owned()],
        _ => args.log_keys.clone(),
    };
    let keys = load_keys(&log_keys)?;
    let receipt_keys = match own("anchors/receipts") {
        Some(folder) if args.receipt_keys.is_empty() => vec![folder],
        _ => args.receipt_keys.clone(),
    };
    let receipt_keys = delivery::load_keys(&receipt_keys)?;
    let paths = if args.paths.is_empty() { own("out").into_iter().collect() } else { args.paths.clone() };
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for path in &paths {
        if let Err(fault) = collect(path, 0, &mut files) {
            missing.push((path, fault));
        }
    }
    let alone = matches!((&paths[..], &files[..]), ([path], [file]) if path == file);
    if args.report.is_some() && !(alone && files.iter().all(|f| !bundle::is_one(f))) {
        eprintln!("hoso: --report: chỉ dùng với một tệp PDF / is for one PDF");
        return Ok(USAGE);
    }
    if let Some(output) = &args.report {
        refuse_input(output, &files)?;
    }
    let online = if args.online { Some(Online::new(handle)?) } else { None };
    let asked = online.as_ref().map(|online| Asked::new(online));
    let at = args.at.unwrap_or_else(Timestamp::now);
    let question = Question { anchors: &anchors, at, as_of: args.at.is_some(), online: asked.as_ref() };
    let shown = args.report.is_some() || (alone && !args.json);
    let mut run = Run { args, alone, listing: table::Listing::default(), codes: Vec::new() };
    for (path, fault) in &missing {
        run.unreadable(path, &path.to_string_lossy(), fault);
    }
    for file in &files {
        let name = shown_name(file, &paths);
        if bundle::is_one(file) {
            let trust =
                Trust { seals: question, logs: &keys, receivers: &receipt_keys, cards: cards.as_ref() };
            run.bundle(file, &name, bundle::judge(file, &trust));
        } else if file.extension().is_some_and(|e| e == delivery::EXTENSION) {
            run.receipt(file, &name, delivery::judge(file, &receipt_keys));
        } else {
            run.pdf(file, &name, judged::judge(file, &question, &keys, shown))?;
        }
    }
    run.end(files.is_empty() && missing.is_empty())
}

/// What was asked, and what became of it so far.
struct Run<'a> {
    args: &'a Args,
    /// One file was named, and no folder.
    alone: bool,
    listing: table::Listing,
    codes: Vec<u8>,
}

/// A line of `--json`: the report alone where one file was named.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a crate::log::receipt::ReceiptVerdict>,
}

/// The same for a bundle.
#[derive(Serialize)]
struct PrintedBundle<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(flatten)]
    report: &'a crate::evidence::Report,
}

impl Run<'_> {
    fn pdf(&mut self, file: &Path, name: &str, judged: Outcome<Judged>) -> Outcome<()> {
        let judged = match judged {
            Ok(judged) => judged,
            Err(fault) => {
                self.unreadable(file, name, &fault);
                return Ok(());
            }
        };
        if self.args.json {
            self.print(file, &judged.report, judged.receipt.as_ref());
        } else if self.alone {
            print!("{}", table::one(&judged));
        }
        self.listing.pdf(name, &judged, self.args.details);
        if let Some(output) = &self.args.report {
            let pdf = paper::print(&judged.report, &judged.subject)?;
            write_bytes(output, &pdf)?;
        }
        self.codes.push(judged.report.verdict.exit_code());
        Ok(())
    }

    fn receipt(&mut self, file: &Path, name: &str, verdict: Outcome<delivery::Verdict>) {
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(fault) => return self.unreadable(file, name, &fault),
        };
        if self.args.json {
            println!("{}", json!({"file": file, "verdict": verdict.verdict(), "delivery": verdict}));
        }
        self.listing.delivery(name, &verdict);
        self.codes.push(verdict.verdict().exit_code());
    }

    fn bundle(&mut self, file: &Path, name: &str, judged: Outcome<crate::evidence::Report>) {
        let report = match judged {
            Ok(report) => report,
            Err(fault) => return self.unreadable(file, name, &fault),
        };
        if self.args.json {
            let printed = PrintedBundle { file: (!self.alone).then_some(file), report: &report };
            print_line(&printed);
        } else if self.alone {
            print!("{}", bundle::one(name, &report));
        }
        self.listing.bundle(name, &report, self.args.details);
        self.codes.push(report.verdict.exit_code());
    }

    /// A file that cannot be read is not proven; the others are judged all the same.
    fn unreadable(&mut self, file: &Path, name: &str, fault: &Fault) {
        if self.args.json {
            self.print(file, &Report::unread(&fault.report()), None);
        }
        eprintln!("hoso: {fault}");
        self.listing.unreadable(name, fault);
        self.codes.push(FAULT);
    }

    fn print(&self, file: &Path, report: &Report, receipt: Option<&crate::log::receipt::ReceiptVerdict>) {
        let printed = Printed { file: (!self.alone).then_some(file), report, receipt };
        print_line(&printed);
    }

    fn end(&self, nothing: bool) -> Outcome<u8> {
        if nothing {
            let nothing = Fault::new(&NOTHING);
            if self.args.json {
                print_line(&Report::unread(&nothing.report()));
            }
            eprintln!("hoso: {nothing}");
            return Ok(Verdict::Indeterminate.exit_code());
        }
        let told = self.args.json || (self.alone && self.listing.is_told());
        if !told {
            print!("{}", self.listing.render());
        }
        let worst = [Verdict::Invalid.exit_code(), FAULT, Verdict::Indeterminate.exit_code()];
        Ok(worst.into_iter().find(|code| self.codes.contains(code)).unwrap_or(0))
    }
}

/// One JSON object, its keys in the order in which they are declared.
fn print_line(object: &impl Serialize) {
    println!("{}", serde_json::to_string(object).unwrap_or_default());
}

/// A file's path below what was asked for, as long as that still tells it apart.
fn shown_name(file: &Path, asked: &[PathBuf]) -> String {
    let below = asked.iter().find_map(|a| file.strip_prefix(a).ok()).filter(|b| !b.as_os_str().is_empty());
    below.unwrap_or(file).to_string_lossy().into_owned()
}

/// Files named are taken as they are; of folders the PDFs and receipts, all the way down, links to folders left out.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inner: Vec<PathBuf> =
        fs::read_dir(path).map_err(unreadable)?.filter_map(|e| Some(e.ok()?.path())).collect();
    inner.sort();
    for entry in inner {
        let wanted = |e: &std::ffi::OsStr| e.eq_ignore_ascii_case("pdf") || e == delivery::EXTENSION;
        let wanted = entry.extension().is_some_and(wanted);
        if entry.is_dir() && !entry.is_symlink() && depth < MAX_DEPTH {
            collect(&entry, depth + 1, files)?;
        } else if wanted && entry.is_file() {
            files.push(entry);
        }
    }
    Ok(())
}

const MAX_DEPTH: usize = 32;
const FAULT: u8 = 1;
const USAGE: u8 = 2;

/// Nothing found.
const NOTHING: Code = Code {
    id: "VRFY-007",
    class: Class::Input,
    vi: "Không tìm thấy tệp nào để kiểm tra",
    en: "there is nothing here to verify",
    remedy_vi: "Chỉ tới tệp PDF hoặc thư mục có tệp PDF",
    remedy_en: "point to a PDF or to a folder that holds some",
};

/// The judging itself broke off.
const STOPPED: Code = Code {
    id: "VRFY-070",
    class: Class::Inner,
    vi: "Việc kiểm tra bị dừng giữa chừng",
    en: "the verification broke off",
    remedy_vi: "Chạy lại; nếu lặp lại, gửi tệp cho người phát triển",
    remedy_en: "run it again; if it happens again, send the file to the developers",
};
