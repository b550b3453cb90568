//! `hoso watch`: the hot folder of a scanner. Takes what is complete, works on it, and says what still waits.

use super::stop::stop_on_signal;
use crate::engine::Until;
use crate::fault::{Fault, Outcome};
use crate::ledger::Admission;
use crate::pipeline::Pipeline;
use crate::station::Station;
use crate::steps::admit;
use crate::watch::HotFolder;
use crate::workshop::{Workshop, pipeline_of};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// `hoso watch PIPELINE DIR`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso watch intake-desk /srv/scanner\n\nWhat was taken moves to DIR/.taken and is kept there."
)]
pub struct Args {
    /// A pipeline file, or the name of one in the station's pipelines/.
    pipeline: String,
    /// The folder that the scanner writes into; every file or folder in it is one batch.
    dir: PathBuf,
    /// How many seconds a file must stand still before it is taken.
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    settle: u64,
    /// End when the folder is empty and all work is done.
    #[arg(long)]
    once: bool,
}

/// Runs it until it is told to stop.
///
/// # Errors
/// No station, a pipeline with mistakes, a folder that cannot be read; `LEDG-001`.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let pipeline = match pipeline_of(&station, &args.pipeline) {
        Ok(pipeline) => pipeline,
        Err(faults) => return super::all_faults(faults),
    };
    let workshop = Workshop::open(station).await?;
    let stop = stop_on_signal();
    let until = if args.once { None } else { Some(Until::Stopped) };
    if let Some(until) = until {
        let (watched, worked) =
            tokio::join!(watch(&args, &workshop, &pipeline, &stop), workshop.work(until, stop.clone(), None));
        watched?;
        worked?;
    } else {
        watch(&args, &workshop, &pipeline, &stop).await?;
        workshop.work(Until::Idle(Duration::from_secs(20)), stop, None).await?;
    }
    Ok(0)
}

async fn watch(
    args: &Args,
    workshop: &Workshop,
    pipeline: &Pipeline,
    stop: &CancellationToken,
) -> Outcome<()> {
    let mut hot = HotFolder::new(&args.dir, Duration::from_secs(args.settle));
    let mut said_waiting = 0;
    loop {
        let (ready, waiting) = match hot.look(Instant::now()) {
            Ok(found) => found,
            Err(e) => {
                stop.cancel();
                return Err(Fault::new(&admit::UNREADABLE).at(args.dir.display()).detail(e.kind()));
            }
        };
        for entry in ready {
            take(&mut hot, &entry, workshop, pipeline).await;
        }
        if waiting != said_waiting {
            println!("chờ máy quét ghi xong / waiting for the scanner to finish: {waiting}");
            said_waiting = waiting;
        }
        if stop.is_cancelled() || (args.once && waiting == 0) {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Admits an entry and moves it aside. Whatever fails is said; the entry stays and is looked at again.
async fn take(hot: &mut HotFolder, entry: &Path, workshop: &Workshop, pipeline: &Pipeline) {
    let found = match admit::find(entry, pipeline.batch) {
        Ok(found) => found,
        Err(fault) => return println!("{fault}"),
    };
    let mut whole = true;
    for batch in found {
        let admitted = match batch {
            Ok(batch) => workshop.admit(pipeline, batch).await,
            Err(fault) => Err(fault),
        };
        match admitted {
            Ok((id, Admission::New)) => println!("tiếp nhận / admitted {}", id.short()),
            Ok((id, _)) => println!("đã có / known {}", id.short()),
            Err(fault) => {
                whole = false;
                println!("{fault}");
            }
        }
    }
    if whole && let Err(e) = hot.taken(entry) {
        println!("{}", Fault::new(&admit::UNREADABLE).at(entry.display()).detail(e.kind()));
    }
}
