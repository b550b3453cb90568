//! `hoso identity`: readings of chip cards, judged and made.

use crate::chip::card_qr::CardQr;
use crate::chip::compare::{Agreement, Comparison, Field, Source, Typed, compare};
use crate::chip::holder::Holder;
use crate::chip::reading::{FileId, Reading};
use crate::chip::reason::Short;
use crate::chip::verdict::{Check, DgState, Overall, Policy, Validity, Verdict};
use crate::chip::{self, Trust};
use crate::fault::{Class, Code, Fault, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What can be done with readings.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what chip readings prove: signature, issuer, data groups, copy protection.
    #[command(after_help = "Exit code: 0 every reading is genuine, 1 any is not or could not be read.\n\n\
        Example:\n  hoso identity verify citizen.reading.json --anchors anchors/csca --qr card-qr.txt")]
    Verify(VerifyArgs),
    /// Make a reading file from a folder of raw chip files (EF_SOD.bin, DG1.bin, Datagroup2.bin, ...).
    #[command(after_help = "Example:\n  hoso identity reading --from dump/ -o citizen.reading.json")]
    Reading(ReadingArgs),
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
    /// Text of the card's QR code, compared with the chip.
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// What was typed at the desk, JSON with any of number, name, birth, sex, expiry.
    #[arg(long, value_name = "FILE")]
    typed: Option<PathBuf>,
    /// Judge as of this time (RFC 3339) in place of now.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Data groups that must be there and match, besides 1 and 2.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=16))]
    require: Vec<u8>,
    /// Accept SHA-1, short keys and the like; they are still shown.
    #[arg(long)]
    allow_weak: bool,
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
        Command::Anchors(command) => super::anchors::run(command),
    }
}

fn verify(args: &VerifyArgs) -> Outcome<u8> {
    let trust = args.anchors.as_deref().map_or_else(|| Ok(Trust::default()), Trust::load)?;
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
    let mut policy = Policy { allow_weak: args.allow_weak, ..Policy::default() };
    policy.required.extend(&args.require);
    let now = args.at.unwrap_or_else(jiff::Timestamp::now);
    let mut code = 0;
    for path in &args.readings {
        let judged =
            read(path, 8 << 20).and_then(|json| Reading::parse(&json).map_err(|f| f.at(path.display())));
        let judged = judged.map(|reading| {
            let verdict = chip::verify(&reading, &trust, now, &policy);
            let holder = Holder::of(&reading, &verdict);
            let table = compare(holder.as_ref(), qr.as_ref(), typed.as_ref());
            (verdict, table)
        });
        match judged {
            Ok((verdict, table)) => {
                if verdict.short != Short::Verified {
                    code = 1;
                }
                if args.json {
                    let line = serde_json::json!({"file": path, "verdict": verdict, "comparison": table});
                    println!("{line}");
                } else {
                    print!("{}", describe(path, &verdict, &table));
                }
            }
            Err(fault) => {
                code = 1;
                if args.json {
                    println!("{}", serde_json::json!({"file": path, "fault": fault.report()}));
                } else {
                    println!("{}\n  {fault}", path.display());
                }
            }
        }
    }
    Ok(code)
}

/// A verdict for people: conclusion, then each check, Vietnamese first.
fn describe(path: &Path, verdict: &Verdict, table: &[Comparison]) -> String {
    let mut out = String::new();
    let word = match verdict.short {
        Short::Verified => "ĐÃ XÁC MINH / verified",
        Short::IntegrityOnly => "CHỈ TOÀN VẸN / integrity only",
        Short::Failed => "GIẢ MẠO / failed",
        Short::Unverified => "CHƯA XÁC MINH ĐƯỢC / could not be verified",
    };
    let _ = writeln!(out, "{}: {word}", path.display());
    let _ = writeln!(out, "  {}\n  {}", verdict.vi, verdict.en);
    let mut row = |vi: &str, en: &str, value: &str| {
        let pad = 34usize.saturating_sub((vi.chars().count() + en.chars().count()) + 3);
        let _ = writeln!(out, "  {vi} / {en}{:pad$} {value}", "");
    };
    row("Chữ ký", "signature", check(verdict.pa_signature));
    row("Cơ quan cấp", "issuer", check(verdict.pa_chain));
    let anchor = verdict.anchor.as_ref().map_or("-", |a| a.file.as_str());
    row("Chứng thư gốc", "anchor", anchor);
    let groups: Vec<String> = verdict.dg.iter().map(|(n, s)| format!("DG{n} {}", state(*s))).collect();
    row("Nhóm dữ liệu", "data groups", &groups.join(", "));
    let clone = verdict.clone_check.map_or("chưa kiểm tra / not checked", |_| "AA đúng / AA holds");
    row("Chống sao chép", "clone check", clone);
    let validity = match verdict.validity {
        Validity::Valid => "còn hạn / valid",
        Validity::Expired => "hết hạn / expired",
        Validity::Unknown => "không rõ / unknown",
    };
    row("Thời hạn thẻ", "validity", validity);
    let revocation = match verdict.revocation {
        Some(chip::trust::Revocation::Fresh) => "không bị thu hồi / not revoked",
        Some(chip::trust::Revocation::Stale) => "danh sách cũ / list out of date",
        Some(chip::trust::Revocation::Revoked) => "đã bị thu hồi / revoked",
        Some(chip::trust::Revocation::Unknown) | None => "không có danh sách / no list",
    };
    row("Thu hồi", "revocation", revocation);
    if verdict.pace_downgrade {
        row("Lưu ý", "note", "mở bằng BAC dù thẻ có PACE / opened with BAC although the card offers PACE");
    }
    for flag in &verdict.flags {
        let (vi, en) = flag.sentence();
        row("Lưu ý", "note", &format!("{vi} / {en}"));
    }
    for line in table.iter().filter(|c| c.outcome != Agreement::Absent) {
        let outcome = if line.outcome == Agreement::Agree { "khớp / agree" } else { "KHÁC / differ" };
        let pair = format!("{} - {}: {outcome}", source(line.left), source(line.right));
        let (vi, en) = field(line.field);
        row(vi, en, &pair);
    }
    if matches!(verdict.overall, Overall::Unverifiable(chip::reason::Unproven::NoAnchor)) {
        row(
            "Cần làm",
            "to do",
            "đặt chứng thư gốc vào thư mục --anchors / put the issuer's CSCA into --anchors",
        );
    }
    out
}

fn check(check: Check) -> &'static str {
    match check {
        Check::Ok => "đúng / holds",
        Check::Failed => "SAI / fails",
        Check::NotChecked => "chưa kiểm tra / not checked",
    }
}

fn state(state: DgState) -> &'static str {
    match state {
        DgState::Ok => "đúng/ok",
        DgState::Mismatch => "SAI/mismatch",
        DgState::NotInSod => "không được ký/not signed",
        DgState::Missing => "thiếu/missing",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Chip => "chip",
        Source::Qr => "QR",
        Source::Typed => "khai/typed",
    }
}

fn field(field: Field) -> (&'static str, &'static str) {
    match field {
        Field::Number => ("Số định danh", "number"),
        Field::Name => ("Họ tên", "name"),
        Field::Birth => ("Ngày sinh", "birth"),
        Field::Sex => ("Giới tính", "sex"),
        Field::Expiry => ("Ngày hết hạn", "expiry"),
        Field::Issued => ("Ngày cấp", "issued"),
    }
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
    std::fs::write(&args.out, reading.to_json())
        .map_err(|e| Fault::new(&NOT_WRITTEN).at(args.out.display()).detail(e.kind()))?;
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
fn read(path: &Path, largest: usize) -> Outcome<Vec<u8>> {
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
pub const CODES: &[&Code] = &[&FILE_UNREADABLE, &TWICE, &NOT_WRITTEN, &TYPED];

/// An input cannot be read.
pub const FILE_UNREADABLE: Code = Code {
    id: "CHIP-030",
    class: Class::Input,
    vi: "Không đọc được tệp hoặc thư mục",
    en: "the file or folder cannot be read",
    remedy_vi: "Kiểm tra đường dẫn và quyền đọc",
    remedy_en: "check the path and the permission to read it",
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
    remedy_vi: "Dùng JSON với các trường number, name, birth (YYYY-MM-DD), sex, expiry",
    remedy_en: "use JSON with number, name, birth (YYYY-MM-DD), sex, expiry",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chip_files_are_known_by_the_names_that_readers_give_them() {
        for (name, id) in [
            ("EF_SOD.bin", FileId::Sod),
            ("SOD", FileId::Sod),
            ("EF.COM", FileId::Com),
            ("Datagroup15.bin", FileId::Dg(15)),
            ("DG1.bin", FileId::Dg(1)),
            ("EF_DG13.bin", FileId::Dg(13)),
            ("ef.cardaccess", FileId::CardAccess),
        ] {
            assert_eq!(file_id(name), Some(id), "{name}");
        }
        assert_eq!((file_id("DG17.bin"), file_id("notes.txt"), file_id("DG.bin")), (None, None, None));
    }
}
