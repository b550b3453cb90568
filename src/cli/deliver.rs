//! `hoso deliver`: one document sent by hand, and the outbox in people's hands.

pub mod act;
pub mod list;
pub(super) mod row;

use super::operator::operator;
use super::stop::stop_on_signal;
use crate::blobs::Blobs;
use crate::deliver::push::RecipientHandle;
use crate::digest::{Digests, Sha256};
use crate::dossier::ResultSlip;
use crate::engine::Until;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::NewParcel;
use crate::ledger::delivery::{Delivery, DeliveryState};
use crate::pdf::revise::Document;
use crate::station::config::RecipientConfig;
use crate::station::{MISFIT, Station};
use crate::steps::admit::BAD_SLIP;
use crate::steps::deliver::{NO_WALLET, Parcel};
use crate::workshop::Workshop;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `hoso deliver FILE.pdf --to NAME`, and what is done with what was queued
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true, after_help = EXAMPLE)]
pub struct Args {
    #[command(flatten)]
    queue: Option<Queue>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// One document for one recipient.
#[derive(Debug, clap::Args)]
struct Queue {
    /// The document: a PDF that is not encrypted. A file that is called like a command is given with its folder (./list).
    file: PathBuf,
    /// The recipient, by its name in hoso.toml; one that speaks push v1.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Whose it is: the citizen's handle at the recipient, 64 hexadecimal digits. Left out: the one in the slip beside the
    /// document (FILE.toml); without a slip it is for the recipient itself, e.g. from commune to province.
    #[arg(long, value_name = "HANDLE")]
    holder: Option<String>,
    /// Counts up where the same document has to be delivered once more as something new.
    #[arg(long, value_name = "N", default_value_t = 1)]
    revision: u32,
    /// Send it now and say how it ended.
    #[arg(long)]
    wait: bool,
    /// How many seconds to wait at most.
    #[arg(long, default_value_t = 20, value_name = "SECONDS", requires = "wait")]
    patience: u64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What is queued, on its way, given up or delivered: since when, why, and who has to act.
    List(list::Args),
    /// All about one delivery, and what was done to it by hand.
    Show(list::Show),
    /// Send what waits for its time now.
    Retry(act::Retry),
    /// Send a dead letter on its way again, under its old name; the recipient is asked first what it has.
    Redrive(act::Redrive),
    /// End a delivery: it never goes out again. What a courier has in hand may still arrive, and its receipt is kept then.
    Cancel(act::Cancel),
}

const EXAMPLE: &str = "Example:
  hoso deliver ket-qua.pdf --to wallet --holder 5f0c…e670 --wait --json
  hoso deliver list --state dead
  hoso deliver redrive 3fa94c21

The same document for the same recipient again is the same delivery: nothing goes out twice.
Ends with 0 when it is queued (with --wait: when its receipt is here), 5 when it still waits, 6 when a person has to act.";

/// The largest document that is sent by hand, bytes; receivers of this program take as much.
const LARGEST: u64 = 64 << 20;

/// Runs it.
///
/// # Errors
/// No station or recipient; a file that is no PDF; `BLOB-001`; `LEDG-001`; those of the commands below.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    match (args.command, args.queue) {
        (Some(Command::List(args)), _) => list::list(args, station).await,
        (Some(Command::Show(args)), _) => list::show(args, station).await,
        (Some(Command::Retry(args)), _) => act::retry(args, station).await,
        (Some(Command::Redrive(args)), _) => act::redrive(args, station).await,
        (Some(Command::Cancel(args)), _) => act::cancel(args, station).await,
        (None, Some(args)) => queue(args, station).await,
        (None, None) => Err(Fault::new(&NOTHING_NAMED)),
    }
}

async fn queue(args: Queue, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let config =
        station.config.recipients.get(&args.to).ok_or_else(|| {
            Fault::new(&MISFIT).detail(format!("[recipients.{}] is not in hoso.toml", args.to))
        })?;
    if matches!(config, RecipientConfig::Dvcqg { .. }) {
        return Err(Fault::new(&WANTS_A_DOSSIER).at(&args.to));
    }
    let purpose = config.needs_consent().map(str::to_owned);
    let holder = holder(&args)?;
    if purpose.is_some() && holder.is_none() {
        return Err(Fault::new(&NOBODY_TO_ASK).at(&args.to));
    }
    let handle = holder.map_or_else(|| itself(&args.to), Ok)?;
    let workshop = Workshop::open(station).await?;
    let document = store(&workshop.blobs, &args.file)?;
    let parcel = Parcel::push(&args.to, &handle, document, args.revision, purpose);
    let parcel = NewParcel {
        id: parcel.id,
        recipient: parcel.recipient.clone(),
        subject: parcel.subject.clone(),
        body: parcel.to_json(),
    };
    let (mut delivery, new) = workshop.ledger.post_by_hand(parcel, &operator()).await?;
    if args.wait && !is_over(&delivery) {
        delivery = wait(&workshop, delivery, Duration::from_secs(args.patience)).await?;
    }
    say(&delivery, new, args.json);
    Ok(match delivery.state {
        DeliveryState::Receipted => 0,
        DeliveryState::Pending | DeliveryState::Leased if !args.wait => 0,
        DeliveryState::Pending | DeliveryState::Leased | DeliveryState::Held => Class::Later.exit_code(),
        DeliveryState::Dead | DeliveryState::Cancelled => Class::Person.exit_code(),
    })
}

fn say(delivery: &Delivery, new: bool, as_json: bool) {
    if as_json {
        let line = json!({
            "delivery_id": delivery.id, "state": delivery.state, "to": delivery.recipient, "new": new,
            "receipt": delivery.receipt, "reason": delivery.reason,
        });
        println!("{line}");
        return;
    }
    let known = if new { "" } else { " (đã xếp hàng từ trước / queued before)" };
    println!("{}: {} / {}{known}", delivery.id, delivery.state.vi(), delivery.state.as_str());
    if let Some(reason) = &delivery.reason {
        eprintln!("hoso: {reason}");
    }
}

/// Whose document it is, where that is said.
fn holder(args: &Queue) -> Outcome<Option<RecipientHandle>> {
    if let Some(holder) = &args.holder {
        return RecipientHandle::parse(holder).map(Some).map_err(|f| f.at("--holder"));
    }
    let path = args.file.with_extension("toml");
    if path == args.file || !path.is_file() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A slip holds a citizen's data: what is wrong with it is not quoted.
    let bytes = read(&path, 1 << 20)?;
    let slip: ResultSlip = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| toml::from_str(text).ok())
        .ok_or_else(|| Fault::new(&BAD_SLIP).at(&name))?;
    let wallet = slip.wallet.ok_or_else(|| Fault::new(&NO_WALLET).at(&name))?;
    RecipientHandle::parse(&wallet).map(Some).map_err(|f| f.at(name))
}

/// The handle of a recipient to whom a document goes for its own use.
fn itself(name: &str) -> Outcome<RecipientHandle> {
    let digest = Sha256::of(format!("hoso recipient itself v1\n{name}").as_bytes());
    RecipientHandle::parse(&digest.to_string())
}

/// Whether whoever gets it could open it: a PDF with pages, whole and not encrypted.
///
/// # Errors
/// `PDF-059` for an encrypted one, the other faults of [`Document::open`], [`NO_DOCUMENT`].
pub(in crate::cli) fn readable(bytes: &[u8]) -> Outcome<()> {
    let document = Document::open(bytes)?;
    let (_, catalog) = document.catalog()?;
    document.lookup(&catalog, b"Pages")?.as_dict().map(|_| ()).ok_or_else(|| Fault::new(&NO_DOCUMENT))
}

/// Looks at a document and stores it; what is stored is what was looked at.
fn store(blobs: &Blobs, path: &Path) -> Outcome<Digests> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = read(path, LARGEST)?;
    readable(&bytes).map_err(|fault| fault.at(&name))?;
    blobs.put(&bytes).map_err(|fault| fault.at(name))
}

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unreadable =
        |e: std::io::Error| Fault::new(&crate::steps::admit::UNREADABLE).at(&name).detail(e.kind());
    // A pipe would let the command wait for a writer that never comes.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&crate::steps::admit::UNREADABLE).at(&name).detail("not a plain file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Fault::new(&TOO_LARGE).at(&name).detail(format!("limit {limit} bytes")));
    }
    Ok(bytes)
}

/// Whether waiting longer changes nothing.
fn is_over(delivery: &Delivery) -> bool {
    !matches!(delivery.state, DeliveryState::Pending | DeliveryState::Leased)
}

/// Works until this delivery is over, or the patience ends; whoever else works at this station may be the one who sends it.
async fn wait(workshop: &Workshop, delivery: Delivery, patience: Duration) -> Outcome<Delivery> {
    let id = delivery.id.to_string();
    let stop = stop_on_signal();
    let look = async {
        let started = Instant::now();
        loop {
            // A ledger that fails ends the waiting, too: the work beside it would go on without end.
            let found = workshop.ledger.delivery(&id).await;
            let over = found.as_ref().map_or(true, |(delivery, _)| is_over(delivery));
            if over || started.elapsed() >= patience || stop.is_cancelled() {
                stop.cancel();
                return found.map(|_| ());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let (worked, looked) = tokio::join!(workshop.work(Until::Stopped, stop.clone(), None), look);
    worked?;
    looked?;
    workshop.ledger.delivery(&id).await.map(|(delivery, _)| delivery)
}

/// Neither a document nor a command.
pub const NOTHING_NAMED: Code = Code {
    id: "SEND-127",
    class: Class::Input,
    vi: "Chưa nêu tệp cần gửi hoặc việc cần làm",
    en: "neither a document nor something to do was named",
    remedy_vi: "Xem `hoso deliver --help`",
    remedy_en: "see `hoso deliver --help`",
};
/// The portal takes dossiers, not files.
pub const WANTS_A_DOSSIER: Code = Code {
    id: "SEND-128",
    class: Class::Input,
    vi: "Nơi nhận này là cổng dịch vụ công: cổng nhận cả hồ sơ, không nhận từng tệp",
    en: "this recipient is a portal, which takes a dossier and not a file",
    remedy_vi: "Đặt phiếu TÊN.toml cạnh TÊN.pdf rồi chạy `hoso run result-delivery TÊN.pdf`",
    remedy_en: "lay the slip NAME.toml beside NAME.pdf and run `hoso run result-delivery NAME.pdf`",
};
/// Consent is required, and it is not said whose.
pub const NOBODY_TO_ASK: Code = Code {
    id: "SEND-129",
    class: Class::Input,
    vi: "Nơi nhận này đòi hỏi sự đồng ý của công dân, nhưng chưa nêu kết quả là của ai",
    en: "this recipient requires a citizen's consent, and it is not said whose document it is",
    remedy_vi: "Thêm --holder, hoặc ghi wallet trong phiếu TÊN.toml cạnh TÊN.pdf",
    remedy_en: "add --holder, or write wallet into the slip NAME.toml beside NAME.pdf",
};
/// Not a document that anyone could open.
pub const NO_DOCUMENT: Code = Code {
    id: "SEND-130",
    class: Class::Input,
    vi: "Tệp PDF không có trang nào",
    en: "the PDF has no pages",
    remedy_vi: "Xuất lại tệp PDF từ nguồn rồi gửi lại",
    remedy_en: "export the PDF again from its source, then send it again",
};
/// A document above the limit.
pub const TOO_LARGE: Code = Code {
    id: "SEND-131",
    class: Class::Input,
    vi: "Tệp lớn hơn mức cho phép",
    en: "the file is larger than allowed",
    remedy_vi: "Giảm dung lượng tệp (bản quét không cần quá 300 dpi) rồi gửi lại",
    remedy_en: "make it smaller (a scan needs no more than 300 dpi), then send it again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NOTHING_NAMED, &WANTS_A_DOSSIER, &NOBODY_TO_ASK, &NO_DOCUMENT, &TOO_LARGE];
