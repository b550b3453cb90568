//! `hoso run`: admit what is handed in, work until nothing is left to do, say what became of it.

use super::progress::Progress;
use super::stop::stop_on_signal;
use super::summary::{HandedIn, Summary};
use crate::engine::Until;
use crate::fault::{Fault, Outcome};
use crate::ledger::{Admission, Ledger, Tally};
use crate::pipeline::Pipeline;
use crate::station::Station;
use crate::steps::admit::{self, Found};
use crate::workshop::{Workshop, pipeline_of};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `hoso run PIPELINE INPUT...`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso run pipelines/intake-desk.toml scans/2026-11-21\n\nThe same command again does nothing twice."
)]
pub struct Args {
    /// A pipeline file, or the name of one in the station's pipelines/.
    pipeline: String,
    /// Folders or files to hand in.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
    /// How many seconds to wait for something that was put off before leaving it to the next command.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    patience: u64,
}

/// Runs it; 0 when everything handed in is done or a duplicate, 1 when something was refused, 5 when something waits.
///
/// # Errors
/// What stops the whole command: no station, a pipeline with mistakes, an input path that cannot be read.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let pipeline = match pipeline_of(&station, &args.pipeline) {
        Ok(pipeline) => pipeline,
        Err(faults) => return super::all_faults(faults),
    };
    let workshop = Workshop::open(station).await?;
    let stop = stop_on_signal();
    let before = workshop.tally().await?;
    let mut handed_in = HandedIn::default();
    // All inputs are looked at before the first is taken: a typing mistake must not leave half of them taken.
    let mut batches = Vec::new();
    for input in &args.inputs {
        batches.extend(admit::find(input, pipeline.batch)?);
    }
    for found in batches {
        if stop.is_cancelled() {
            handed_in.left += 1;
            continue;
        }
        match found {
            Ok(found) => hand_in(&workshop, &pipeline, found, &mut handed_in).await?,
            Err(fault) => handed_in.refused.push(fault.report()),
        }
    }
    // Whoever hands in again what waits for a person says that its reason is mended.
    workshop.ledger.reopen(handed_in.runs.clone()).await?;
    work(&workshop, &pipeline.name, before, args.json, Duration::from_secs(args.patience), stop).await?;
    let summary = Summary::of(handed_in, workshop.ledger.runs().await?);
    if args.json {
        for line in summary.to_json() {
            println!("{line}");
        }
    } else {
        print!("{}", summary.render());
        println!("tệp kết quả / files: {}", workshop.station.path("out").display());
    }
    let unpublished = workshop.ledger.unpublished().await?.len();
    if unpublished > 0 {
        let detail = format!("out/: {unpublished} hồ sơ chưa đặt được / dossiers are not laid out");
        return Err(Fault::new(&crate::blobs::NOT_STORED).detail(detail));
    }
    Ok(exit_code(&summary))
}

async fn hand_in(workshop: &Workshop, pipeline: &Pipeline, found: Found, into: &mut HandedIn) -> Outcome<()> {
    let source = found.source.clone();
    match workshop.admit(pipeline, found).await {
        Ok((id, Admission::New)) => into.runs.push(id),
        Ok((id, Admission::Again(_))) => {
            into.again += 1;
            into.runs.push(id);
        }
        Ok((_, Admission::Duplicate(first))) => into.duplicates.push((source, first)),
        // A disk or ledger that takes no more stops the command: what was not acknowledged is not lost, it is
        // still where it was.
        Err(fault) if fault.code.class == crate::fault::Class::Later => return Err(fault.at(source)),
        Err(fault) => into.refused.push(fault.at(source).report()),
    }
    Ok(())
}

async fn work(
    workshop: &Workshop,
    title: &str,
    before: Tally,
    quiet: bool,
    patience: Duration,
    stop: CancellationToken,
) -> Outcome<()> {
    let progress = Progress::start(title, Arc::clone(&workshop.ledger), before, quiet);
    let worked = workshop.work(Until::Idle(patience), stop, Some(progress.put_off.clone())).await;
    progress.finish().await;
    worked.map(|_| ())
}

fn exit_code(summary: &Summary) -> u8 {
    match summary.counts() {
        (_, _, _, waiting) if waiting > 0 => 5,
        (_, refused, _, _) if refused > 0 => 1,
        _ => 0,
    }
}
