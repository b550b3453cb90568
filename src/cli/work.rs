//! `hoso work`: a worker beside others: takes what is due, until told to stop.

use super::progress::Progress;
use super::stop::stop_on_signal;
use crate::engine::Until;
use crate::fault::Outcome;
use crate::station::Station;
use crate::workshop::Workshop;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// `hoso work`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso work --until-idle --retry-parked")]
pub struct Args {
    /// End when nothing is left to do, instead of waiting for more.
    #[arg(long)]
    until_idle: bool,
    /// Lay the files of every finished dossier into out/ again: it was deleted or damaged.
    #[arg(long)]
    out_again: bool,
    /// Put dossiers that wait for a person back to work first: the reason has been mended.
    #[arg(long)]
    retry_parked: bool,
}

/// Runs it.
///
/// # Errors
/// No station; `LEDG-001`.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    if args.retry_parked {
        let count = workshop.reopen_parked().await?;
        println!("{count} hồ sơ được chạy lại / dossiers put back to work");
    }
    if args.out_again {
        let count = workshop.ledger.unpublish().await?;
        println!("{count} hồ sơ được đặt lại vào out/ / dossiers are laid into out/ again");
    }
    let tally = workshop.tally().await?;
    let until = if args.until_idle { Until::Idle(Duration::from_secs(20)) } else { Until::Stopped };
    let progress = Progress::start("work", Arc::clone(&workshop.ledger), tally, false);
    let worked = workshop.work(until, stop_on_signal(), Some(progress.put_off.clone())).await;
    progress.finish().await;
    let tally = worked?;
    println!("{}", serde_json::to_string(&tally).unwrap_or_default());
    Ok(0)
}
