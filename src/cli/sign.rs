//! `hoso sign`: PDFs in, the same PDFs with a signature behind them out.

mod key;
mod renew;
mod trust;

use super::target::same_file;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::appearance::AppearanceFacts;
use crate::seal::batch::{self, Done, How, Job};
use crate::seal::evidence::fetch::Online;
use crate::seal::key::SIGNING;
use crate::seal::key::preflight::{self, Issuers};
use crate::seal::profile::SignatureProfile;
use crate::seal::raise::Raising;
use crate::seal::sign::{self, Level, Order, common_name};
use crate::seal::timestamp::{HttpTimestamp, TimestampSource};
use clap::error::ErrorKind;
use jiff::Timestamp;
use key::KeyArgs;
use openssl::x509::X509Ref;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use trust::Trust;

/// Arguments of `hoso sign`.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("to").args(["output", "out_dir"])),
    after_help = "Examples:\n  hoso sign scan.pdf -o signed.pdf --key officer.p12 --passfile password.txt \
        --profile intake_scan --tsa http://127.0.0.1:3161/\n  \
        hoso sign *.pdf --out-dir signed --pinfile pin.txt \
        --pkcs11 'pkcs11:token=VGCA;id=%01?module-path=/usr/lib/libvendor.so'\n  \
        hoso sign --renew archive/*.pdf --tsa http://127.0.0.1:3161/ --trust anchors\n\n\
        Exit code: 0 all signed, 1 at least one of several was not, 2 wrong usage; with one file, that of its fault."
)]
pub struct Args {
    /// The PDFs to sign; they are never changed.
    #[arg(value_name = "IN.pdf", required = true)]
    inputs: Vec<PathBuf>,
    /// Where the signed PDF goes; it appears whole or not at all.
    #[arg(short, long, value_name = "OUT.pdf", required_unless_present_any = ["out_dir", "renew"])]
    output: Option<PathBuf>,
    /// Where signed PDFs go, under their own names; one that fails stops no other.
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// Which kind of signature: a name, or the path of a profile (*.toml).
    #[arg(
        long,
        default_value = "invisible",
        value_name = "NAME|FILE.toml",
        long_help = format!(
            "Which kind of signature: {}, or the path of a profile (*.toml)",
            SignatureProfile::names().join(", ")
        )
    )]
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
    /// Where the authority fails write the signature without its time stamp (B-B), where evidence fails at B-T; and say so.
    #[arg(long, requires = "tsa")]
    allow_lower: bool,
    /// Renew the archive time stamps of files at B-LTA before they run out; no key is needed. Without -o or --out-dir a
    /// file is replaced, whole or not at all.
    #[arg(long, requires = "tsa", conflicts_with_all = ["from", "level", "allow_lower", "field"])]
    renew: bool,
    /// With --renew: only what runs out within so many days.
    #[arg(long, value_name = "DAYS", requires = "renew", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..))]
    within: u16,
    /// An empty signature field to sign into, or the name of the new one.
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// Folder of trusted roots, intermediates (*.pem, *.crt, *.cer) and revocation lists (*.crl). The time stamp authority
    /// must lead to one of the roots; B-LT and B-LTA need it.
    #[arg(long, value_name = "DIR", required_if_eq_any = [("level", "B-LT"), ("level", "B-LTA"), ("renew", "true")])]
    trust: Option<PathBuf>,
    /// Ask the issuer whether the signer's certificate was revoked, before signing; B-LT and B-LTA always do.
    #[arg(long)]
    check_revocation: bool,
    /// Ask nobody but the time stamp authority: evidence is what lies in --trust.
    #[arg(long)]
    offline: bool,
    /// File of accepted issuers of the signer's certificate, one a line: common name, or sha256:FINGERPRINT.
    #[arg(long, value_name = "FILE")]
    issuers: Option<PathBuf>,
    /// The signer's name as it is shown [default: the certificate's common name]
    #[arg(long)]
    name: Option<String>,
    /// The agency's name as it is shown.
    #[arg(long)]
    office: Option<String>,
    /// What the signer is, as it is shown: "Chủ tịch".
    #[arg(long)]
    title: Option<String>,
    /// Number and symbol of the document, as a profile for annexes shows it: 123/QĐ-UBND.
    #[arg(long)]
    number: Option<String>,
    /// The form of a copy, where the profile's own is not meant.
    #[arg(long)]
    copy_form: Option<String>,
    /// A picture of the agency's seal (PNG, transparent).
    #[arg(long, value_name = "FILE.png")]
    seal_image: Option<PathBuf>,
    /// A picture of the person's handwritten signature (PNG, transparent).
    #[arg(long, value_name = "FILE.png")]
    signature_image: Option<PathBuf>,
    /// The time of signing, ISO 8601 with zone [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
    /// One JSON object for every file instead of a table.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether nobody outside is asked for anything.
    pub(super) fn is_alone(&self) -> bool {
        let lasting = self.level.is_some_and(|level| level > Level::BT);
        let asks = self.tsa.is_some() || self.check_revocation || self.renew || lasting;
        !asks && !self.key.is_remote()
    }
}

/// Signs; prints what was made.
///
/// # Errors
/// With `-o`, whatever stopped it; the output file is then untouched. With `--out-dir`, what keeps every file from being
/// signed.
pub fn run(args: &Args) -> Outcome<u8> {
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
    let line = Line::default();
    let level = args.level.unwrap_or(if args.tsa.is_some() { Level::BT } else { Level::BB });
    let trust = args.trust.as_deref().map(Trust::load).transpose()?.unwrap_or_default();
    // Only where somebody is to be asked: opening the list of the world's authorities costs memory and time.
    let asks = args.renew || args.check_revocation || level > Level::BT;
    let online = (asks && !args.offline).then(|| Online::new(line.handle()?)).transpose()?;
    let tsa = args.tsa.as_ref().filter(|_| level > Level::BB);
    let tsa = tsa.map(|url| HttpTimestamp::new(url, line.handle()?)).transpose()?;
    let tsa =
        tsa.map(|tsa| tsa.trusting(trust.certificates.clone()).within(Duration::from_secs(args.tsa_timeout)));
    let tsa = tsa.as_ref().map(|tsa| tsa as &dyn TimestampSource);
    let raising = Raising {
        tsa,
        roots: &trust.roots,
        evidence: &trust.evidence,
        online: online.as_ref(),
        at: Timestamp::now(),
    };
    if args.renew {
        return renew::run(args, &raising);
    }
    let jobs: Vec<Job> = args.inputs.iter().map(|input| job(args, input)).collect();
    if let [only] = &jobs[..] {
        refuse_same(only)?;
    }
    let profile = SignatureProfile::named(&args.profile)?;
    let issuers = match &args.issuers {
        Some(path) => Issuers::from_lines(&String::from_utf8_lossy(&read(path, MAX_FILE)?)),
        None => Issuers::default(),
    };
    let key = args.key.open(&line, &trust.certificates)?;
    let at = args.time.unwrap_or_else(Timestamp::now);
    let ask = |certificate: &X509Ref, issuer: &X509Ref| {
        Ok(preflight::standing(certificate, issuer, &trust.evidence, online.as_ref(), at))
    };
    let ask: Option<preflight::AskRevocation<'_>> =
        if args.check_revocation || level > Level::BT { Some(&ask) } else { None };
    preflight::check(key.as_ref(), at, &issuers, ask).map_err(|f| f.at(args.key.place()))?;
    if preflight::is_silent_on_use(key.certificate()) {
        eprintln!(
            "hoso: chứng thư không ghi mục đích sử dụng; nhiều phần mềm sẽ không chấp nhận chữ ký\n      the certificate does not \
             say what it is for; many verifiers, this one too, will not take its signatures"
        );
    }
    let facts = AppearanceFacts {
        name: args.name.clone().unwrap_or_else(|| common_name(key.as_ref())),
        office: args.office.clone(),
        title: args.title.clone(),
        number: args.number.clone(),
        copy_form: args.copy_form.clone(),
        seal_png: args.seal_image.as_ref().map(|path| read(path, MAX_IMAGE)).transpose()?,
        signature_png: args.signature_image.as_ref().map(|path| read(path, MAX_IMAGE)).transpose()?,
        ..AppearanceFacts::default()
    };
    let how = How {
        key: key.as_ref(),
        order: Order { profile: &profile, facts: &facts, at, field: args.field.as_deref() },
        tsa,
        raise: (level > Level::BT).then_some((level, &raising)),
        allow_lower: args.allow_lower,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        stamps: STAMPS,
    };
    if args.out_dir.is_none() {
        return sign_one(args, &jobs, &how);
    }
    sign_many(args, jobs, &how)
}

/// What talks to the outside: a runtime, started when it is first asked for.
#[derive(Default)]
struct Line(OnceCell<Runtime>);

impl Line {
    fn handle(&self) -> Outcome<Handle> {
        if self.0.get().is_none() {
            let _ = self.0.set(Runtime::new().map_err(|e| Fault::new(&SIGNING).detail(e.kind()))?);
        }
        self.0.get().map(|runtime| runtime.handle().clone()).ok_or_else(|| Fault::new(&SIGNING))
    }
}

fn sign_one(args: &Args, jobs: &[Job], how: &How<'_>) -> Outcome<u8> {
    let told = Mutex::new(None);
    batch::run(jobs, how, &|_, outcome| *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome));
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = told.unwrap_or_else(|| Err(Fault::new(&SIGNING)))?;
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
    if same_file(&job.input, &job.output) { Err(Fault::new(&SAME_FILE)) } else { Ok(()) }
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
        eprintln!("hoso: chỉ đạt mức {0} / only {0}: {fault}", done.seal.level.name());
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

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let unreadable = |what: &dyn std::fmt::Display| Fault::new(&UNREADABLE).detail(what).at(path.display());
    let size = std::fs::metadata(path).map_err(|e| unreadable(&e.kind()))?.len();
    if size > limit {
        return Err(unreadable(&format!("{size} bytes, at most {limit}")));
    }
    std::fs::read(path).map_err(|e| unreadable(&e.kind()))
}

/// Every code of this file.
pub const CODES: &[&Code] = &[&UNREADABLE, &SAME_FILE];
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
