//! `hoso log anchor` and `hoso log witness`: others confirm the newest head, and receipts that waited for it are completed.

use super::place::{Place, authority};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::witness::client::HttpWitness;
use crate::log::{Log, Receipt, VerifierKey};
use crate::seal::timestamp::HttpTimestamp;
use crate::steps::anchor::Confirmers;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Handle;

/// Which log, who is asked, and where receipts lie.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the log, where it is not the station's.
    dir: Option<PathBuf>,
    /// Time stamp authority (RFC 3161); otherwise that of the folder's file `tsa` or of the station.
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// A witness: its address and its key line, `URL KEY` in one argument; the station's where not given.
    #[arg(long, value_name = "URL KEY")]
    witness: Vec<String>,
    /// Receipts that await a stamp, or folders of them, to be written anew once it is there; the station's out/ where not
    /// given.
    #[arg(long, value_name = "PATH")]
    refresh: Vec<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, stamp: bool, station: Option<&Path>, handle: &Handle) -> Outcome<u8> {
    let place = Place::of(args.dir.as_deref(), station)?;
    let log = place.open()?;
    let confirmers = confirmers(args, stamp, &place, handle)?;
    if confirmers.authority.is_none() && confirmers.witnesses.is_empty() {
        return Err(Fault::new(&NOBODY));
    }
    let round = confirmers.ask(&log, PATIENCE)?;
    let never = || false;
    let completed = match &place {
        Place::Station(station) if args.refresh.is_empty() && round.stamped => {
            log.complete_awaiting(&station.path("out"), never)?
        }
        Place::Station(station) if args.refresh.is_empty() => log.complete(&station.path("out"), &never)?,
        _ => args.refresh.iter().map(|path| log.complete(path, &never)).sum::<Outcome<usize>>()?,
    };
    if args.json {
        let faults: Vec<_> = round.faults.iter().map(Fault::report).collect();
        println!(
            "{}",
            json!({"size": round.size, "stamped": round.stamped, "cosigned": round.cosigned, "completed": completed,
                "faults": faults})
        );
    } else {
        let stamped = if round.stamped { "có / yes" } else { "chưa / not yet" };
        println!("điểm chốt / head                   {} mục / leaves", round.size);
        println!("dấu thời gian / time stamp         {stamped}");
        println!("nhân chứng / witnesses             {}", round.cosigned);
        println!("biên nhận bổ sung / completed      {completed}");
        round.faults.iter().for_each(|fault| eprintln!("hoso: {fault}"));
    }
    Ok(round.faults.first().map_or(0, |fault| fault.code.class.exit_code()))
}

fn confirmers(args: &Args, stamp: bool, place: &Place, handle: &Handle) -> Outcome<Confirmers> {
    let mut confirmers = of_place(place, handle)?;
    if let Some(url) = &args.tsa {
        confirmers.authority = Some(HttpTimestamp::new(url, handle.clone())?);
    }
    if !stamp {
        confirmers.authority = None;
    }
    for witness in &args.witness {
        let bad = || Fault::new(&crate::log::witness::client::ADDRESS).at("--witness");
        let (url, key) = witness.split_once(' ').ok_or_else(bad)?;
        let key = VerifierKey::parse(key.trim()).map_err(|f| f.at("--witness"))?;
        confirmers.witnesses.push(HttpWitness::new(url, key, handle.clone())?);
    }
    Ok(confirmers)
}

/// Those whom the station names, or the folder's file `tsa`.
fn of_place(place: &Place, handle: &Handle) -> Outcome<Confirmers> {
    let dir = match place {
        Place::Station(station) => return Confirmers::of(station, handle),
        Place::Folder(dir, _) => dir,
    };
    let authority = authority(dir).map(|url| HttpTimestamp::new(&url, handle.clone())).transpose()?;
    Ok(Confirmers { authority, witnesses: Vec::new() })
}

/// Receipts that were just made, confirmed by whoever answers at once. Nobody is waited for long: what is missing is told, and
/// fetched later by `hoso log anchor`.
///
/// # Errors
/// Those of the log.
pub(super) fn completed(
    place: &Place,
    log: &Log,
    receipts: Vec<Receipt>,
    handle: &Handle,
) -> Outcome<Vec<Receipt>> {
    let confirmers = match of_place(place, handle) {
        Ok(confirmers) if confirmers.authority.is_none() && confirmers.witnesses.is_empty() => {
            return Ok(receipts);
        }
        Ok(confirmers) => confirmers,
        Err(fault) => {
            eprintln!("hoso: {fault}");
            return Ok(receipts);
        }
    };
    let round = confirmers.ask(log, AT_ONCE)?;
    round.faults.iter().for_each(|fault| eprintln!("hoso: {fault}"));
    if !round.stamped && round.cosigned == 0 {
        return Ok(receipts);
    }
    receipts.iter().map(|receipt| log.prove_statement(&receipt.statement)).collect()
}

const AT_ONCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// Nobody to ask.
pub(super) const NOBODY: Code = Code {
    id: "LOG-029",
    class: Class::Setup,
    vi: "Chưa khai đơn vị cấp dấu thời gian hoặc nhân chứng nào",
    en: "neither a time stamp authority nor a witness is configured",
    remedy_vi: "Thêm [timestamp] hoặc [[log.witnesses]] vào hoso.toml, hoặc dùng --tsa, --witness",
    remedy_en: "add [timestamp] or [[log.witnesses]] to hoso.toml, or use --tsa, --witness",
};
