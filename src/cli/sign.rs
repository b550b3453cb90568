//! `hoso sign`: PDFs in, the same PDFs with a signature behind them out.

mod key;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::appearance::AppearanceFacts;
use crate::seal::batch::{self, Done, How, Job};
use crate::seal::key::file::read_certificates;
use crate::seal::key::preflight::{self, Issuers};
use crate::seal::profile::SignatureProfile;
use crate::seal::sign::{self, Level, Order, common_name};
use crate::seal::timestamp::{HttpTimestamp, TimestampSource};
use clap::error::ErrorKind;
use jiff::Timestamp;
use key::KeyArgs;
use openssl::x509::X509;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Arguments of `hoso sign`.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("to").required(true).args(["output", "out_dir"])),
    after_help = "Examples:\n  hoso sign scan.pdf -o signed.pdf --key officer.p12 --passfile password.txt \
        --profile intake_scan --tsa http://127.0.0.1:3161/\n  \
        hoso sign *.pdf --out-dir signed --pinfile pin.txt \
        --pkcs11 'pkcs11:token=VGCA;id=%01?module-path=/usr/lib/libvendor.so'\n\n\
        Exit code: 0 all signed, 1 at least one of several was not, 2 wrong usage; with one file, that of its fault."
)]
pub struct Args {
    /// The PDFs to sign; they are never changed.
    #[arg(value_name = "IN.pdf", required = true)]
    inputs: Vec<PathBuf>,
    /// Where the signed PDF goes; it appears whole or not at all.
    #[arg(short, long, value_name = "OUT.pdf")]
    output: Option<PathBuf>,
    /// Where signed PDFs go, under their own names; one that fails stops no other.
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// Which kind of signature: intake_scan, result_agency, invisible, or the path of a profile (*.toml).
    #[arg(long, default_value = "invisible", value_name = "NAME|FILE.toml")]
    profile: String,
    /// PAdES level: B-B, B-T, B-LT or B-LTA [default: B-T with --tsa, B-B without]
    #[arg(
        long,
        value_parser = level,
        requires_ifs = [("B-T", "tsa"), ("B-LT", "tsa"), ("B-LTA", "tsa")],
        value_name = "LEVEL"
    )]
    level: Option<Level>,
    /// Time stamp authority (RFC 3161). Where it fails, nothing is written.
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// Seconds to wait for the authority's answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    tsa_timeout: u64,
    /// Write a signature without its time stamp (B-B) where the authority fails, and say so.
    #[arg(long, requires = "tsa")]
    allow_lower: bool,
    /// An empty signature field to sign into, or the name of the new one.
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// Folder of trusted roots (*.pem, *.crt, *.cer): the time stamp authority must lead to one of them.
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// File of accepted issuers of the signer's certificate, one a line: common name, or sha256:FINGERPRINT.
    #[arg(long, value_name = "FILE")]
    issuers: Option<PathBuf>,
    /// The signer's name as it is shown [default: the certificate's common name]
    #[arg(long)]
    name: Option<String>,
    /// The agency's name as it is shown.
    #[arg(long)]
    office: Option<String>,
    /// A picture of the agency's seal (PNG, transparent).
    #[arg(long, value_name = "FILE.png")]
    seal_image: Option<PathBuf>,
    /// The time of signing, ISO 8601 with zone [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
    /// One JSON object for every file instead of a table.
    #[arg(long)]
    json: bool,
}

/// Signs; prints what was made.
///
/// # Errors
/// With `-o`, whatever stopped it; the output file is then untouched. With `--out-dir`, what keeps every file from being
/// signed.
pub async fn run(args: Args) -> Outcome<u8> {
    if args.output.is_some() && args.inputs.len() > 1 {
        return usage(ErrorKind::ArgumentConflict, "several files go into --out-dir, not into one --output");
    }
    let mut names = HashSet::new();
    if args.out_dir.is_some() && !args.inputs.iter().all(|path| names.insert(path.file_name())) {
        return usage(
            ErrorKind::ArgumentConflict,
            "two of the files have one name, and would be one in --out-dir",
        );
    }
    let handle = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || sign_files(&args, handle));
    done.await.map_err(|_| Fault::new(&crate::seal::key::SIGNING))?
}

fn sign_files(args: &Args, handle: tokio::runtime::Handle) -> Outcome<u8> {
    let level = args.level.unwrap_or(if args.tsa.is_some() { Level::BT } else { Level::BB });
    if level > Level::BT {
        return Err(Fault::new(&LEVEL).detail(level.name()));
    }
    let jobs: Vec<Job> = args.inputs.iter().map(|input| job(args, input)).collect();
    if let [only] = &jobs[..] {
        refuse_same(only)?;
    }
    let profile = profile(&args.profile)?;
    let issuers = match &args.issuers {
        Some(path) => Issuers::from_lines(&String::from_utf8_lossy(&read(path, MAX_FILE)?)),
        None => Issuers::default(),
    };
    let anchors = args.trust.as_deref().map(anchors).transpose()?.unwrap_or_default();
    let key = args.key.open(handle.clone())?;
    let at = args.time.unwrap_or_else(Timestamp::now);
    preflight::check(key.as_ref(), at, &issuers, None).map_err(|f| f.at(args.key.place()))?;
    let tsa = args.tsa.as_ref().filter(|_| level > Level::BB);
    let tsa = tsa.map(|url| HttpTimestamp::new(url, handle)).transpose()?;
    let tsa = tsa.map(|tsa| tsa.trusting(anchors).within(Duration::from_secs(args.tsa_timeout)));
    let facts = AppearanceFacts {
        name: args.name.clone().unwrap_or_else(|| common_name(key.as_ref())),
        office: args.office.clone(),
        seal_png: args.seal_image.as_ref().map(|path| read(path, MAX_IMAGE)).transpose()?,
        occupied: Vec::new(),
    };
    let how = How {
        key: key.as_ref(),
        order: Order { profile: &profile, facts: &facts, at, field: args.field.as_deref() },
        tsa: tsa.as_ref().map(|tsa| tsa as &dyn TimestampSource),
        allow_lower: args.allow_lower,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        stamps: STAMPS,
    };
    if args.out_dir.is_none() {
        return sign_one(args, &jobs, &how);
    }
    sign_many(args, jobs, &how)
}

fn sign_one(args: &Args, jobs: &[Job], how: &How<'_>) -> Outcome<u8> {
    let told = Mutex::new(None);
    batch::run(jobs, how, &|_, outcome| *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome));
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = told.unwrap_or_else(|| Err(Fault::new(&crate::seal::key::SIGNING)))?;
    if let [job] = jobs {
        if args.json { print_json(job, &Ok(done)) } else { print_table(job, &done) }
    }
    Ok(0)
}

fn sign_many(args: &Args, jobs: Vec<Job>, how: &How<'_>) -> Outcome<u8> {
    let failed = AtomicUsize::new(0);
    let tell = |job: &Job, outcome: Outcome<Done>| {
        if outcome.is_err() {
            failed.fetch_add(1, Ordering::Relaxed);
        }
        if args.json { print_json(job, &outcome) } else { print_line(job, &outcome) }
    };
    let count = jobs.len();
    let (same, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| refuse_same(job).is_err());
    for job in &same {
        tell(job, Err(Fault::new(&SAME_FILE).at(job.input.display())));
    }
    batch::run(&jobs, how, &|index, outcome| {
        if let Some(job) = jobs.get(index) {
            tell(job, outcome);
        }
    });
    let failed = failed.into_inner();
    if !args.json {
        println!("{} / {count} tệp đã ký / files signed", count - failed);
    }
    Ok(u8::from(failed > 0))
}

fn job(args: &Args, input: &Path) -> Job {
    let output = match (&args.output, &args.out_dir) {
        (Some(output), _) => output.clone(),
        (None, folder) => folder.clone().unwrap_or_default().join(input.file_name().unwrap_or_default()),
    };
    Job { input: input.to_owned(), output }
}

fn refuse_same(job: &Job) -> Outcome<()> {
    match (job.input.canonicalize(), job.output.canonicalize()) {
        (Ok(from), Ok(to)) if from == to => Err(Fault::new(&SAME_FILE)),
        _ => Ok(()),
    }
}

fn print_json(job: &Job, outcome: &Outcome<Done>) {
    let mut object = match outcome {
        Ok(done) => serde_json::to_value(&done.seal).unwrap_or_default(),
        Err(fault) => serde_json::json!({ "fault": fault.report() }),
    };
    if let Some(map) = object.as_object_mut() {
        map.insert("input".into(), job.input.display().to_string().into());
        if let Ok(done) = outcome {
            map.insert("output".into(), job.output.display().to_string().into());
            if let Some(fault) = &done.lowered {
                map.insert("lowered".into(), serde_json::to_value(fault.report()).unwrap_or_default());
            }
        }
    }
    println!("{object}");
}

fn print_line(job: &Job, outcome: &Outcome<Done>) {
    match outcome {
        Ok(done) => {
            println!("{}  {}", done.seal.level.name(), job.output.display());
            warn(done);
        }
        Err(fault) => eprintln!("hoso: {fault}"),
    }
}

fn print_table(job: &Job, done: &Done) {
    let seal = &done.seal;
    println!("Đã ký / signed:         {}", job.output.display());
    println!("Mức / level:            PAdES {}", seal.level.name());
    println!("Bộ quy định / profile:  {}", seal.profile);
    println!(
        "Thời điểm / time:       {}",
        seal.signed_at.to_zoned(sign::vietnam()).strftime("%Y-%m-%dT%H:%M:%S%:z")
    );
    match &seal.shown {
        Some(shown) => println!("Hiển thị / shown:       trang {} / page {}", shown.page, shown.page),
        None => println!("Hiển thị / shown:       không / no"),
    }
    warn(done);
}

fn warn(done: &Done) {
    if let Some(fault) = &done.lowered {
        eprintln!(
            "hoso: chỉ đạt mức {0}, chưa có dấu thời gian / only {0}, no time stamp: {fault}",
            done.seal.level.name()
        );
    }
}

fn level(text: &str) -> Result<Level, String> {
    let levels = [Level::BB, Level::BT, Level::BLT, Level::BLTA];
    levels.into_iter().find(|l| l.name() == text).ok_or_else(|| "B-B, B-T, B-LT or B-LTA".to_owned())
}

/// Wrong usage that the parser alone cannot see.
fn usage(kind: ErrorKind, what: &str) -> Outcome<u8> {
    let _ = clap::Command::new("hoso sign").error(kind, what).print();
    Ok(2)
}

fn profile(name: &str) -> Outcome<SignatureProfile> {
    if Path::new(name).extension().is_none_or(|e| e != "toml") {
        return SignatureProfile::built_in(name);
    }
    let text = read(Path::new(name), MAX_FILE)?;
    let text =
        String::from_utf8(text).map_err(|_| Fault::new(&crate::seal::profile::BROKEN_PROFILE).at(name))?;
    SignatureProfile::from_toml(&text).map_err(|fault| fault.at(name))
}

/// The certificates of a folder, or of its `signing` where it has one, so that a station's `anchors/` can be given.
fn anchors(folder: &Path) -> Outcome<Vec<X509>> {
    let inner = folder.join("signing");
    let folder = if inner.is_dir() { inner } else { folder.to_owned() };
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(folder.display());
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if matches!(kind.as_str(), "pem" | "crt" | "cer") {
            out.extend(read_certificates(&read(&path, MAX_FILE)?).map_err(|f| f.at(path.display()))?);
        }
    }
    if out.is_empty() {
        return Err(Fault::new(&UNREADABLE).detail("no certificates").at(folder.display()));
    }
    Ok(out)
}

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let unreadable = |what: &dyn std::fmt::Display| Fault::new(&UNREADABLE).detail(what).at(path.display());
    let size = std::fs::metadata(path).map_err(|e| unreadable(&e.kind()))?.len();
    if size > limit {
        return Err(unreadable(&format!("{size} bytes, at most {limit}")));
    }
    std::fs::read(path).map_err(|e| unreadable(&e.kind()))
}

/// Every code of this file.
pub const CODES: &[&Code] = &[&UNREADABLE, &SAME_FILE, &LEVEL];
/// Every code of how keys are named.
pub const KEY_CODES: &[&Code] = key::CODES;

const MAX_FILE: u64 = 1 << 20;
const MAX_IMAGE: u64 = 4 << 20;
/// Time stamps that are fetched at once.
const STAMPS: usize = 4;

/// A file that cannot be read.
pub const UNREADABLE: Code = Code {
    id: "SEAL-051",
    class: Class::Input,
    vi: "Không đọc được tệp",
    en: "the file cannot be read",
    remedy_vi: "Kiểm tra đường dẫn, quyền đọc và dung lượng tệp",
    remedy_en: "check its path, permissions and size",
};

/// Output and input are one file.
pub const SAME_FILE: Code = Code {
    id: "SEAL-053",
    class: Class::Setup,
    vi: "Tệp kết quả trùng với bản gốc",
    en: "the output is the input",
    remedy_vi: "Chọn tên khác cho tệp đã ký; bản gốc không bao giờ bị ghi đè",
    remedy_en: "choose another name; an original is never overwritten",
};

/// A level that is not made yet.
pub const LEVEL: Code = Code {
    id: "SEAL-055",
    class: Class::Setup,
    vi: "Mức chữ ký này chưa làm được bằng lệnh hoso sign",
    en: "hoso sign does not make this level yet",
    remedy_vi: "Ký ở mức B-T",
    remedy_en: "sign at B-T",
};
