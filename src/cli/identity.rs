//! `hoso identity`: readings of chip cards, judged and made.

pub(super) mod demands;
mod table;

use super::target::refuse_input;
use crate::chip::card_qr::CardQr;
use crate::chip::compare::{Typed, compare};
use crate::chip::holder::Holder;
use crate::chip::number;
use crate::chip::reading::{Access, FileId, LARGEST_READING, Reading};
use crate::chip::report::{Conclusion, Report, Sentence};
use crate::chip::verdict::{Overall, Policy, Refusal, Unproven, Verdict};
use crate::chip::{self, Trust};
use crate::fault::{Class, Code, Fault, Outcome};
use demands::DemandArgs;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What can be done with readings.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what chip readings prove: signature, issuer, data groups, copy protection.
    #[command(
        after_help = "Exit code: 0 genuine, 3 genuine but the clone check was not made, 4 unverifiable, 5 forged,\n\
        2 written wrongly, 1 a file cannot be read. Of several readings the worst counts. The face is never written.\n\n\
        Example:\n  hoso identity verify citizen.reading.json --anchors anchors/csca --qr card-qr.txt"
    )]
    Verify(VerifyArgs),
    /// Make a reading file from a folder of raw chip files (EF_SOD.bin, DG1.bin, Datagroup2.bin, ...).
    #[command(after_help = "Example:\n  hoso identity reading --from dump/ -o citizen.reading.json")]
    Reading(ReadingArgs),
    /// Show the face of a chip whose data are genuine, and of no other.
    Portrait(super::portrait::Args),
    /// Compare the face of a genuine chip with a picture taken now: it assists, a person decides.
    Face(super::face::Args),
    /// The authorities that are trusted: import master lists, show who is in.
    #[command(subcommand)]
    Anchors(super::anchors::Command),
}

/// Arguments of `hoso identity verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Reading files.
    #[arg(required = true, value_name = "READING")]
    readings: Vec<PathBuf>,
    /// Folder of trusted country signing certificates and revocation lists.
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    #[command(flatten)]
    demands: DemandArgs,
    /// Text of the card's QR code, compared with the chip.
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// What was typed at the desk, JSON with any of number, name, birth, sex, expiry.
    #[arg(long, value_name = "FILE")]
    typed: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Arguments of `hoso identity reading`.
#[derive(Debug, clap::Args)]
pub struct ReadingArgs {
    /// Folder of raw files.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Where to write the reading.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs a command on readings.
///
/// # Errors
/// The fault that stopped it; a reading that cannot be read is reported and does not stop the others.
pub fn run(command: &Command) -> Outcome<u8> {
    match command {
        Command::Verify(args) => verify(args),
        Command::Reading(args) => make(args),
        Command::Portrait(args) => super::portrait::run(args),
        Command::Face(args) => super::face::run(args),
        Command::Anchors(command) => super::anchors::run(command),
    }
}

fn verify(args: &VerifyArgs) -> Outcome<u8> {
    // 4 and 5 are conclusions here, so that no fault may end with its class's own code.
    Ok(judge_all(args).unwrap_or_else(|fault| {
        eprintln!("hoso: {fault}");
        FAULT
    }))
}

fn judge_all(args: &VerifyArgs) -> Outcome<u8> {
    let trust = args.demands.trust(args.anchors.as_deref())?;
    let qr = match &args.qr {
        Some(path) => Some(CardQr::parse(&read(path, 64 * 1024)?).map_err(|f| f.at(path.display()))?),
        None => None,
    };
    let typed: Option<Typed> =
        match &args.typed {
            Some(path) => {
                let typed = serde_json::from_slice(&read(path, 64 * 1024)?);
                Some(typed.map_err(|e| {
                    Fault::new(&TYPED).at(format_args!("{}, line {}", path.display(), e.line()))
                })?)
            }
            None => None,
        };
    let (policy, now) = (args.demands.policy(), args.demands.now());
    let mut codes = Vec::new();
    for path in &args.readings {
        match judge(path, &trust, now, &policy) {
            Ok((reading, verdict)) => {
                let mut report = Report::of(reading.as_ref(), &verdict);
                let holder = reading.as_ref().and_then(|reading| Holder::of(reading, &verdict));
                report.comparison = compare(holder.as_ref(), qr.as_ref(), typed.as_ref());
                report.next = Sentence::next(&verdict, &report.comparison);
                report.notes = number::notes(holder.as_ref(), qr.as_ref(), typed.as_ref());
                codes.push(report.overall.exit_code());
                report.file = Some(path.display().to_string());
                if args.json {
                    println!("{}", serde_json::to_string(&report).unwrap_or_default());
                } else {
                    print!("{}", table::describe(&report));
                }
            }
            Err(fault) => {
                codes.push(FAULT);
                if args.json {
                    println!("{}", serde_json::json!({"file": path, "fault": fault.report()}));
                } else {
                    println!("{}\n  {fault}", path.display());
                }
            }
        }
    }
    Ok(worst(&codes))
}

/// A reading and the verdict on it. What is a reading file and holds too much or too little to be one is judged too.
fn judge(
    path: &Path,
    trust: &Trust,
    now: jiff::Timestamp,
    policy: &Policy,
) -> Outcome<(Option<Reading>, Verdict)> {
    let json = read(path, LARGEST_READING)?;
    let refused = |reason| Ok((None, Verdict::refused(reason, Access::Unknown, now, policy)));
    match Reading::parse(&json) {
        Ok(reading) => {
            let verdict = chip::verify(&reading, trust, now, policy);
            Ok((Some(reading), verdict))
        }
        Err(fault) if *fault.code == chip::reading::READING_TOO_LARGE => {
            refused(Overall::Rejected(Refusal::Limit))
        }
        Err(fault) if *fault.code == chip::reading::READING_INCOMPLETE => {
            refused(Overall::Unverifiable(Unproven::NoRawFiles))
        }
        Err(fault) => Err(fault.at(path.display())),
    }
}

/// A disproved reading is worse than one that cannot be read, and that one worse than an unproven one.
fn worst(codes: &[u8]) -> u8 {
    let order = [Conclusion::Forged.exit_code(), FAULT, 4, 3];
    order.into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

fn make(args: &ReadingArgs) -> Outcome<u8> {
    let unreadable =
        |path: &Path, e: &std::io::Error| Fault::new(&FILE_UNREADABLE).at(path.display()).detail(e.kind());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&args.from).map_err(|e| unreadable(&args.from, &e))? {
        paths.push(entry.map_err(|e| unreadable(&args.from, &e))?.path());
    }
    paths.sort();
    let mut files = BTreeMap::new();
    for path in paths.iter().filter(|p| p.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(id) = file_id(&name) else {
            eprintln!("bỏ qua / passed over: {}", path.display());
            continue;
        };
        if files.insert(id, read(path, id.largest())?).is_some() {
            return Err(Fault::new(&TWICE).at(path.display()).detail(id));
        }
    }
    let reading = Reading::of_files(files).map_err(|fault| fault.at(args.from.display()))?;
    refuse_input(&args.out, &paths)?;
    super::card::write(&args.out, Zeroizing::new(reading.to_json()).as_bytes())
        .map_err(|fault| Fault { code: &NOT_WRITTEN, ..fault })?;
    let sizes: Vec<String> = reading.files.iter().map(|(id, b)| format!("{id} {}", b.len())).collect();
    println!("{}: {} byte", args.out.display(), sizes.join(", "));
    Ok(0)
}

/// `EF_SOD.bin`, `SOD`, `Datagroup1.bin`, `dg13.bin`, `EF.CardAccess`.
fn file_id(name: &str) -> Option<FileId> {
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".bin").unwrap_or(&lower);
    let stem = stem.strip_prefix("ef").map_or(stem, |rest| rest.trim_start_matches(['_', '.', '-']));
    match stem {
        "com" => Some(FileId::Com),
        "sod" => Some(FileId::Sod),
        "cardaccess" => Some(FileId::CardAccess),
        "cardsecurity" => Some(FileId::CardSecurity),
        _ => {
            let digits = stem.strip_prefix("datagroup").or_else(|| stem.strip_prefix("dg"))?;
            let number: u8 = digits.trim_start_matches(['_', '-']).parse().ok()?;
            (1..=16).contains(&number).then_some(FileId::Dg(number))
        }
    }
}

/// A whole file, refused above `largest` bytes before memory is taken for it.
pub(super) fn read(path: &Path, largest: usize) -> Outcome<Vec<u8>> {
    let unreadable = |e: std::io::Error| Fault::new(&FILE_UNREADABLE).at(path.display()).detail(e.kind());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(largest as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > largest {
        let fault = Fault::new(&chip::reading::READING_TOO_LARGE);
        return Err(fault.at(path.display()).detail(format_args!("over {largest} bytes")));
    }
    Ok(bytes)
}

/// All faults of this door.
pub const CODES: &[&Code] = &[&FILE_UNREADABLE, &TWICE, &NOT_WRITTEN, &TYPED, &demands::NOT_IMPORTED];

/// Exit code of `identity verify` where a file could not be read.
const FAULT: u8 = 1;

/// An input cannot be read.
pub const FILE_UNREADABLE: Code = Code {
    id: "CHIP-030",
    class: Class::Input,
    vi: "Không đọc được tệp hoặc thư mục",
    en: "the file or folder cannot be read",
    remedy_vi: "Kiểm tra đường dẫn và quyền đọc; thư mục tệp gốc của chip: trước hết tạo tệp kết quả đọc bằng hoso identity reading --from",
    remedy_en: "check the path and the permission to read it; of a folder of raw chip files make a reading first with hoso identity reading --from",
};

/// Two files claim to be the same one.
pub const TWICE: Code = Code {
    id: "CHIP-031",
    class: Class::Input,
    vi: "Hai tệp trong thư mục cùng là một tệp của chip",
    en: "two files of the folder are the same file of the chip",
    remedy_vi: "Chỉ giữ lại một tệp",
    remedy_en: "keep one of them",
};

/// The reading cannot be written.
pub const NOT_WRITTEN: Code = Code {
    id: "CHIP-032",
    class: Class::Setup,
    vi: "Không ghi được tệp kết quả đọc thẻ",
    en: "the reading file cannot be written",
    remedy_vi: "Kiểm tra thư mục đích và dung lượng trống",
    remedy_en: "check the target folder and the free space",
};

/// What was typed is not in the form expected.
pub const TYPED: Code = Code {
    id: "CHIP-033",
    class: Class::Input,
    vi: "Tệp thông tin khai không đúng mẫu",
    en: "the file of typed fields has another form",
    remedy_vi: "Dùng JSON với các trường number, name, birth (dd/mm/yyyy), sex, expiry, mỗi trường là một chuỗi",
    remedy_en: "use JSON with number, name, birth (dd/mm/yyyy), sex, expiry, each a string",
};

#[cfg(test)]
mod tests;
