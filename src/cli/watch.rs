//! `hoso watch`: the hot folder of a scanner. Takes what is complete, works on it, and says what still waits.

use super::stop::stop_on_signal;
use crate::engine::Until;
use crate::fault::{Fault, Outcome};
use crate::ledger::Admission;
use crate::pipeline::Pipeline;
use crate::station::Station;
use crate::steps::admit;
use crate::watch::{HotFolder, READINGS_KEPT, REFUSED, TAKEN, fingerprint};
use crate::workshop::{Workshop, pipeline_of};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// `hoso watch PIPELINE DIR`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso watch intake-desk /srv/scanner\n\nWhat was taken moves to DIR/.taken and is kept there, but for chip readings, which are removed after three days; what could not be, to DIR/.refused."
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

/// How often it is looked for readings that were kept long enough.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

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
    let refused = if let Some(until) = until {
        let watching = watch(&args, &workshop, &pipeline, &stop);
        let working = async {
            let worked = workshop.work(until, stop.clone(), None).await;
            // Without a worker nothing more may be taken.
            stop.cancel();
            worked
        };
        let (watched, worked) = tokio::join!(watching, working);
        worked?;
        watched?
    } else {
        let refused = watch(&args, &workshop, &pipeline, &stop).await?;
        workshop.work(Until::Idle(Duration::from_secs(20)), stop, None).await?;
        refused
    };
    Ok(u8::from(refused > 0))
}

async fn watch(
    args: &Args,
    workshop: &Workshop,
    pipeline: &Pipeline,
    stop: &CancellationToken,
) -> Outcome<usize> {
    let mut refused = 0;
    let mut hot = HotFolder::new(&args.dir, Duration::from_secs(args.settle));
    let mut said_waiting = 0;
    let mut tidied: Option<Instant> = None;
    loop {
        if tidied.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            hot.forget_readings(READINGS_KEPT, SystemTime::now());
            tidied = Some(Instant::now());
        }
        let (ready, waiting) = match hot.look(Instant::now()) {
            Ok(found) => found,
            Err(e) => {
                stop.cancel();
                return Err(Fault::new(&admit::UNREADABLE).at(args.dir.display()).detail(e.kind()));
            }
        };
        for entry in ready {
            refused += usize::from(!take(&mut hot, &entry, workshop, pipeline).await);
        }
        if waiting != said_waiting {
            println!("chờ máy quét ghi xong / waiting for the scanner to finish: {waiting}");
            said_waiting = waiting;
        }
        if stop.is_cancelled() || (args.once && waiting == 0) {
            return Ok(refused);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Admits an entry. What was acknowledged is kept in `.taken`, what was not in `.refused`, and its reason is said
/// once.
async fn take(hot: &mut HotFolder, entry: &Path, workshop: &Workshop, pipeline: &Pipeline) -> bool {
    let moved = |e: std::io::Error| Fault::new(&admit::UNREADABLE).at(entry.display()).detail(e.kind());
    let taken = match hot.take(entry) {
        Ok(taken) => taken,
        Err(e) => {
            println!("{}", moved(e));
            return false;
        }
    };
    let before = fingerprint(&taken);
    let mut whole = admit_all(&taken, workshop, pipeline).await;
    if fingerprint(&taken) != before {
        // Somebody held a file of it open. What is there now is another batch, and is admitted as one.
        whole &= admit_all(&taken, workshop, pipeline).await;
    }
    if let Err(e) = hot.keep(&taken, if whole { TAKEN } else { REFUSED }) {
        println!("{}", moved(e));
    }
    whole
}

async fn admit_all(taken: &Path, workshop: &Workshop, pipeline: &Pipeline) -> bool {
    let found = match admit::find(taken, pipeline.batch) {
        Ok(found) => found,
        Err(fault) => {
            println!("{fault}");
            return false;
        }
    };
    let mut whole = true;
    for batch in found {
        let admitted = match batch {
            Ok(batch) => {
                let source = batch.source.clone();
                workshop.admit(pipeline, batch).await.map(|(_, admission)| (source, admission))
            }
            Err(fault) => Err(fault),
        };
        match admitted {
            Ok((source, Admission::New)) => println!("{source}: tiếp nhận / admitted"),
            Ok((source, _)) => println!("{source}: đã có từ trước / known from before"),
            Err(fault) => {
                whole = false;
                println!("{fault}");
            }
        }
    }
    whole
}
