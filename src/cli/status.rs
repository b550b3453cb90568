//! `hoso status`: every dossier of the station, where it is and why.

use super::summary::Summary;
use crate::fault::Outcome;
use crate::station::Station;
use crate::workshop::Workshop;
use std::path::Path;

/// `hoso status`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso status --json | jq 'select(.state == \"parked\")'")]
pub struct Args {
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
}

/// Runs it; always 0 where the ledger can be read and its journal holds.
///
/// # Errors
/// No station; `LEDG-001`; `LEDG-003` where the journal's chain is broken.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    let entries = workshop.ledger.check_journal().await?;
    let summary = Summary::of_all(workshop.ledger.runs().await?);
    if args.json {
        for line in summary.to_json() {
            println!("{line}");
        }
    } else {
        print!("{}", summary.render());
        println!("nhật ký / journal: {entries} mục, chuỗi nguyên vẹn / entries, chain whole");
    }
    Ok(0)
}
