//! `hoso card`: chip cards that lie on a reader.

use crate::chip::reader::{AccessKeys, Captured, Group, Proof, Session};
use crate::chip::reading::Access;
use crate::clock::Clock;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::staged::Staged;
use crate::station::challenges::Challenges;
use crate::station::{NO_STATION, Station};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

#[cfg(feature = "pcsc")]
mod live;

/// What can be done with cards.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the card readers and what lies on them.
    #[command(after_help = "Example:\n  hoso card list")]
    List(ListArgs),
    /// Read the chip of a card into a reading file.
    #[command(
        after_help = "What opens the chip is the holder's secret. Other programs of this machine can see the command \
        line: --can-file, --mrz-file (- is standard input) and the variables HOSO_CARD_CAN, HOSO_CARD_MRZ, \
        HOSO_CARD_NUMBER, HOSO_CARD_BIRTH and HOSO_CARD_EXPIRY keep it from them.\n\n\
        Inside a station (or with --station) the station remembers for 24 hours what it asked the chip: only then, and \
        once, does a pipeline count the answer as given to this station.\n\n\
        Examples:\n  hoso card read --can-file - -o citizen.reading.json\n  \
        hoso card read --number 001090123456 --birth 1990-01-01 --expiry 2030-01-01 -o citizen.reading.json"
    )]
    Read(Box<ReadArgs>),
}

/// Arguments of `hoso card list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Arguments of `hoso card read`; without `Debug`, since they hold what opens the card.
#[derive(clap::Args)]
pub struct ReadArgs {
    /// Part of the reader's name; otherwise the first reader with a card on it.
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// The six digits printed on the card (card access number).
    #[arg(long, value_name = "NNNNNN", conflicts_with = "can_file")]
    can: Option<String>,
    /// A file that holds them.
    #[arg(long, value_name = "FILE")]
    can_file: Option<PathBuf>,
    /// The lines of the machine readable zone.
    #[arg(long, value_name = "LINES", num_args = 1..=3, conflicts_with = "mrz_file")]
    mrz: Vec<String>,
    /// A file that holds them.
    #[arg(long, value_name = "FILE")]
    mrz_file: Option<PathBuf>,
    /// Document number, or the twelve digits of the holder.
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// Birth date: YYMMDD, YYYY-MM-DD or DD/MM/YYYY.
    #[arg(long, value_name = "D")]
    birth: Option<String>,
    /// Expiry date, in the same forms.
    #[arg(long, value_name = "D")]
    expiry: Option<String>,
    /// What the chip is asked to sign, made by the server for this reading alone: 16 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = challenge)]
    challenge: Option<[u8; 8]>,
    /// Where to write the reading.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Seconds to wait for a card, at the beginning and after each loss.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// How often a card that was taken away may be laid back.
    #[arg(long, value_name = "N", default_value_t = 20)]
    retries: u32,
    /// Say what came of it as a JSON object.
    #[arg(long)]
    json: bool,
}

impl std::fmt::Debug for ReadArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadArgs").field("out", &self.out).finish_non_exhaustive()
    }
}

/// Runs a command on cards.
///
/// # Errors
/// The fault that stopped it.
pub async fn run(command: Command, station: Option<&Path>) -> Outcome<u8> {
    match command {
        Command::List(args) => list(&args),
        Command::Read(args) => {
            let challenges = challenges(station)?;
            let stop = super::stop::stop_on_signal();
            let read = move || read(*args, challenges.as_ref(), &|| stop.is_cancelled());
            let read = tokio::task::spawn_blocking(read);
            read.await.unwrap_or_else(|_| Err(Fault::new(&crate::chip::reader::INNER)))
        }
    }
}

/// Where the station that this is remembers what it asked; a reading can be made without a station, and proves less then.
fn challenges(given: Option<&Path>) -> Outcome<Option<Challenges>> {
    match Station::find(given) {
        Ok(station) => Ok(Some(Challenges::of(&station))),
        Err(fault) if given.is_none() && *fault.code == NO_STATION => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn read(mut args: ReadArgs, challenges: Option<&Challenges>, stop: &dyn Fn() -> bool) -> Outcome<u8> {
    // One that somebody else made is not written down: this station could not say when it was made, or for whom.
    let challenge = match (challenges, args.challenge) {
        (Some(challenges), None) if cfg!(feature = "pcsc") => Some(fresh(challenges)?),
        (_, given) => given,
    };
    let mut session = Session::new(keys(&args)?, challenge.map(|c| c.to_vec()))?;
    let given = [&mut args.can, &mut args.number, &mut args.birth, &mut args.expiry];
    given.into_iter().flatten().chain(&mut args.mrz).for_each(Zeroize::zeroize);
    // Found out before the citizen has to hold still.
    let folder = args.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Fault::new(&NOT_WRITTEN).at(args.out.display()).detail("no such folder"));
    }
    let Some(mut captured) = capture(&args, &mut session, stop)? else { return Ok(INTERRUPTED) };
    captured.reading.read_at = Some(jiff::Timestamp::now());
    if let (Some(challenges), Some(transcript)) = (challenges, &captured.reading.chip_authentication) {
        challenges.give_out(&transcript.digest(), Clock::System.now_ms())?;
    }
    write(&args.out, Zeroizing::new(captured.reading.to_json()).as_bytes())?;
    if args.json {
        println!("{}", summary(&args.out, &captured));
    } else {
        print!("{}", describe(&args.out, &captured));
    }
    captured.reading.files.values_mut().for_each(Zeroize::zeroize);
    Ok(0)
}

/// A challenge that this station made and remembers before any chip sees it.
fn fresh(challenges: &Challenges) -> Outcome<[u8; 8]> {
    let mut challenge = [0; 8];
    openssl::rand::rand_bytes(&mut challenge).map_err(|_| Fault::new(&crate::chip::reader::INNER))?;
    challenges.give_out(&Sha256::of(&challenge), Clock::System.now_ms())?;
    Ok(challenge)
}

#[cfg(feature = "pcsc")]
use live::{capture, list};

#[cfg(not(feature = "pcsc"))]
fn list(_: &ListArgs) -> Outcome<u8> {
    Err(Fault::new(&NO_READERS_BUILT))
}

#[cfg(not(feature = "pcsc"))]
fn capture(_: &ReadArgs, _: &mut Session, _: &dyn Fn() -> bool) -> Outcome<Option<Captured>> {
    Err(Fault::new(&NO_READERS_BUILT))
}

/// What opens the card: from the command line, else from files, else from the environment.
fn keys(args: &ReadArgs) -> Outcome<AccessKeys> {
    let mut keys = AccessKeys::default();
    if let Some(can) = secret(args.can.as_deref(), args.can_file.as_deref(), "HOSO_CARD_CAN")? {
        keys = keys.can(&can)?;
    }
    let lines = Some(Zeroizing::new(args.mrz.join("\n"))).filter(|lines| !lines.is_empty());
    let lines = lines.as_ref().map(|lines| lines.as_str());
    if let Some(mrz) = secret(lines, args.mrz_file.as_deref(), "HOSO_CARD_MRZ")? {
        keys = keys.mrz(&mrz)?;
    }
    let number = secret(args.number.as_deref(), None, "HOSO_CARD_NUMBER")?;
    let birth = secret(args.birth.as_deref(), None, "HOSO_CARD_BIRTH")?;
    let expiry = secret(args.expiry.as_deref(), None, "HOSO_CARD_EXPIRY")?;
    match (number, birth, expiry) {
        (Some(number), Some(birth), Some(expiry)) => keys.fields(&number, &birth, &expiry),
        (None, None, None) => Ok(keys),
        _ => Err(Fault::new(&crate::chip::reader::access::NOT_FIELDS).detail("all three are needed")),
    }
}

fn secret(given: Option<&str>, file: Option<&Path>, variable: &str) -> Outcome<Option<Zeroizing<String>>> {
    if let Some(given) = given {
        return Ok(Some(Zeroizing::new(given.to_owned())));
    }
    let Some(path) = file else {
        return Ok(std::env::var(variable).ok().filter(|v| !v.is_empty()).map(Zeroizing::new));
    };
    let unreadable = |e: std::io::Error| Fault::new(&SECRET_UNREADABLE).at(path.display()).detail(e.kind());
    // Made large enough at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_SECRET + 1));
    let most = LARGEST_SECRET as u64;
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        std::fs::File::open(path)
            .map_err(unreadable)?
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(Fault::new(&SECRET_UNREADABLE).at(path.display()).detail("not text")),
    }
}

pub(super) fn challenge(text: &str) -> Result<[u8; 8], String> {
    let mut bytes = [0; 8];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "16 hexadecimal digits are needed".to_owned())?;
    Ok(bytes)
}

/// Whole or not at all, and for nobody else to read.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let write = || -> std::io::Result<()> {
        let staged = Staged::beside(path, 0o600)?;
        staged.file().write_all(bytes)?;
        staged.publish()
    };
    write().map_err(|e| Fault::new(&NOT_WRITTEN).at(path.display()).detail(e))
}

fn summary(path: &Path, captured: &Captured) -> serde_json::Value {
    let groups: serde_json::Map<_, _> = captured
        .groups
        .iter()
        .map(|(number, group)| {
            let said = match group {
                Group::Read(_) => "read".to_owned(),
                Group::Protected => "protected".to_owned(),
                Group::Absent => "absent".to_owned(),
                Group::Refused(sw) => format!("refused {sw:04X}"),
                Group::RefusedInClear(sw) => format!("refused in the clear {sw:04X}"),
                Group::Malformed => "malformed".to_owned(),
            };
            (format!("DG{number}"), said.into())
        })
        .collect();
    let proof = |proof: &Proof<()>| match proof {
        Proof::Open | Proof::NotOffered => "not_offered".to_owned(),
        Proof::Refused(sw) => format!("refused {sw:04X}"),
        Proof::Answered(()) => "answered".to_owned(),
    };
    let failure = captured.pace_failure.map(|f| format!("{:?}: {}", f.step, f.trouble));
    serde_json::json!({
        "file": path,
        "access": captured.reading.access,
        "pace_failure": failure,
        "groups": groups,
        "active_authentication": proof(&captured.active),
        "chip_authentication": proof(&captured.chip),
        "challenge": captured.reading.active_authentication.as_ref().map(|aa| hex::encode(&aa.challenge)),
        "terminal_key_sha256": captured.reading.chip_authentication.as_ref().map(|ca| Sha256::of(&ca.terminal_key)),
    })
}

fn describe(path: &Path, captured: &Captured) -> String {
    let mut out = format!("{}: đã đọc xong, chưa xác minh / read, not verified yet\n", path.display());
    let access = match captured.reading.access {
        Access::PaceCan => "PACE, số CAN / card access number",
        Access::PaceMrz => "PACE, MRZ",
        Access::Bac => "BAC, MRZ",
        Access::Unknown => "?",
    };
    out.push_str(&format!("  mở bằng / opened with: {access}\n"));
    if let Some(failure) = captured.pace_failure {
        out.push_str(&format!(
            "  LƯU Ý: thẻ có PACE nhưng phải mở bằng BAC / NOTE: the card offers PACE and was opened with BAC ({:?}: {})\n",
            failure.step, failure.trouble
        ));
    }
    let groups: Vec<String> = captured
        .groups
        .iter()
        .map(|(number, group)| match group {
            Group::Read(size) => format!("DG{number} {size} byte"),
            Group::Protected => format!("DG{number} được bảo vệ, không đọc/protected, not read"),
            Group::Absent => format!("DG{number} không có/absent"),
            Group::Refused(sw) => format!("DG{number} bị từ chối/refused {sw:04X}"),
            Group::RefusedInClear(sw) => {
                format!("DG{number} bị từ chối, không có xác thực/refused in the clear {sw:04X}")
            }
            Group::Malformed => format!("DG{number} sai dạng/malformed"),
        })
        .collect();
    out.push_str(&format!("  nhóm dữ liệu / data groups: {}\n", groups.join(", ")));
    for (name, proof) in [("AA", &captured.active), ("CA", &captured.chip)] {
        let said = match proof {
            Proof::Open | Proof::NotOffered => "thẻ không có / not offered".to_owned(),
            Proof::Refused(sw) => format!("thẻ từ chối / refused {sw:04X}"),
            Proof::Answered(()) => "đã ghi lại để xác minh / recorded, to be verified".to_owned(),
        };
        out.push_str(&format!("  chống sao chép / clone check {name}: {said}\n"));
    }
    out.push_str(&format!("  tiếp theo / next: hoso identity verify {}", path.display()));
    // What only the station that read the card can say of the proofs.
    if let Some(exchange) = &captured.reading.active_authentication {
        out.push_str(&format!(" --challenge {}", hex::encode(&exchange.challenge)));
    }
    if let Some(evidence) = &captured.reading.chip_authentication {
        out.push_str(&format!(" --terminal-key {}", Sha256::of(&evidence.terminal_key)));
    }
    out.push_str(" --anchors DIR\n");
    out
}

/// Ended by Ctrl-C.
const INTERRUPTED: u8 = 130;
const LARGEST_SECRET: usize = 4096;

/// All faults of this door.
pub const CODES: &[&Code] = &[&NO_READERS_BUILT, &SECRET_UNREADABLE, &NOT_WRITTEN];

/// This program was built without card readers.
pub const NO_READERS_BUILT: Code = Code {
    id: "CARD-030",
    class: Class::Setup,
    vi: "Bản hoso này được dựng không kèm đầu đọc thẻ",
    en: "this build of hoso has no card reader",
    remedy_vi: "Dùng bản dựng với: cargo build --features pcsc (cần libpcsclite-dev), và bật dịch vụ pcscd",
    remedy_en: "use one built with: cargo build --features pcsc (needs libpcsclite-dev), and have pcscd run",
};

/// The file with the card's key cannot be read.
pub const SECRET_UNREADABLE: Code = Code {
    id: "CARD-031",
    class: Class::Input,
    vi: "Không đọc được tệp chứa số CAN hoặc MRZ",
    en: "the file with the card access number or zone cannot be read",
    remedy_vi: "Kiểm tra đường dẫn và quyền đọc",
    remedy_en: "check the path and the permission to read it",
};

/// The reading cannot be written.
pub const NOT_WRITTEN: Code = Code {
    id: "CARD-032",
    class: Class::Setup,
    vi: "Không ghi được tệp kết quả đọc thẻ",
    en: "the reading file cannot be written",
    remedy_vi: "Kiểm tra thư mục đích và dung lượng trống, rồi đọc lại thẻ",
    remedy_en: "check the target folder and the free space, then read the card again",
};

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn args(line: &str) -> Result<ReadArgs, clap::Error> {
        let line = Line::try_parse_from(["card", "read", "-o", "x.json"].into_iter().chain(line.split(' ')))?;
        match line.command {
            Command::Read(args) => Ok(*args),
            Command::List(_) => unreachable!("asked for read"),
        }
    }

    #[test]
    fn keys_come_from_the_line_and_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("can");
        std::fs::write(&file, "123456\n").unwrap();
        let from_file = args(&format!("--can-file {}", file.display())).unwrap();
        assert_eq!(keys(&from_file).unwrap().passwords().count(), 1);
        let all = args("--can 123456 --number 090123456 --birth 900101 --expiry 2030-01-01").unwrap();
        assert_eq!(keys(&all).unwrap().passwords().count(), 2);
        let zone = "--mrz I<UTOL898902C<3<<<<<<<<<<<<<<< 6908061F9406236UTO<<<<<<<<<<<2 ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
        assert_eq!(keys(&args(zone).unwrap()).unwrap().zones().count(), 1);
        assert_eq!(keys(&args("--number 1 --birth 900101").unwrap()).err().unwrap().code.id, "CARD-003");
        assert_eq!(keys(&args("--can 12345").unwrap()).err().unwrap().code.id, "CARD-001");
        let missing = args("--can-file /nonexistent/can").unwrap();
        assert_eq!(keys(&missing).err().unwrap().code.id, "CARD-031");
    }

    #[test]
    fn wrong_usage_is_refused_before_any_card_is_touched_and_nothing_is_shown() {
        assert!(args("--can 1 --can-file x").is_err());
        assert!(args("--challenge 0011").is_err());
        assert!(args("--challenge 00112233445566zz").is_err());
        let fine = args("--can 123456 --challenge 0011223344556677").unwrap();
        assert_eq!(fine.challenge, Some([0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]));
        assert!(!format!("{:?}", Command::Read(Box::new(fine))).contains("123456"));
    }

    #[test]
    fn a_reading_is_written_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.reading.json");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let fault = write(&folder.path().join("no/such/file"), b"x").unwrap_err();
        assert_eq!(fault.code.id, "CARD-032");
    }

    #[cfg(not(feature = "pcsc"))]
    #[test]
    fn a_build_without_readers_says_so() {
        let read = read(args("--can 123456").unwrap(), None, &|| false).unwrap_err();
        assert_eq!((read.code.id, read.code.class), ("CARD-030", Class::Setup));
        assert_eq!(list(&ListArgs { json: false }).unwrap_err().code.id, "CARD-030");
    }
}
