//! `hoso evidence`: what a court, or the recipient, is handed about a dossier, in one file.

use super::target::write_whole;
use crate::evidence::manifest::{Missing, Named};
use crate::evidence::{Scope, gather};
use crate::fault::Outcome;
use crate::station::Station;
use crate::workshop::Workshop;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `hoso evidence DOSSIER -o FILE.zip`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso evidence H40.17.5-261121-0006 -o chung-cu.zip\n  \
    hoso verify chung-cu.zip --trust anchors --log-key anchors/log --receipt-key anchors/receipts\n\n\
    The same state of the station gives the same bytes. What is missing is named in the bundle, and here.")]
pub struct Args {
    /// The dossier's code, its label in `hoso status`, or the first 8 digits of a run's identity.
    dossier: String,
    /// The bundle to write.
    #[arg(short, long, value_name = "FILE.zip")]
    output: PathBuf,
    /// Only what went to the recipient: results, their receipts of the log and of the wallet.
    #[arg(long)]
    recipient_only: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Writes the bundle and says what is in it and what is missing.
///
/// # Errors
/// `EVID-020` for a dossier that is not there; `STEP-030` without the log's key; `LEDG-003`, `BLOB-002` where what the station
/// holds does not hold together; a file that cannot be written.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    let scope = if args.recipient_only { Scope::Recipient } else { Scope::Whole };
    let bundle = gather(&workshop.station, &workshop.ledger, &workshop.blobs, &args.dossier, scope)
        .await
        .map_err(|fault| fault.at(&args.dossier))?;
    let (digests, ()) = write_whole(&args.output, |sink| bundle.write(&workshop.blobs, sink).map(drop))?;
    let manifest = &bundle.manifest;
    let due: Vec<&Missing> = manifest.missing.iter().filter(|m| m.due).collect();
    if args.json {
        let line = json!({
            "bundle": args.output, "sha256": digests.sha256, "size": digests.size, "scope": manifest.scope,
            "dossier": manifest.dossier, "as_of": manifest.as_of, "runs": manifest.runs.len(),
            "entries": manifest.entries.len() + 2, "missing": due,
        });
        println!("{line}");
        return Ok(0);
    }
    let documents: usize = manifest.runs.iter().map(|run| run.documents.len()).sum();
    let receipts = manifest.runs.iter().flat_map(|r| &r.deliveries).filter(|d| d.receipt.is_some()).count();
    println!("gói chứng cứ / bundle       {}", args.output.display());
    println!("SHA-256                     {}", digests.sha256);
    println!("hồ sơ / dossier             {}", shown(&manifest.dossier));
    println!("tình trạng tới / as of      {}", manifest.as_of);
    println!("tài liệu / documents        {documents}");
    println!("biên nhận giao / receipts   {receipts}");
    for missing in due {
        println!("CÒN THIẾU / MISSING         {}: {} / {}", missing.what, missing.vi, missing.en);
    }
    Ok(0)
}

/// A dossier's name for people.
pub(super) fn shown(dossier: &Named) -> String {
    match dossier {
        Named::Code(code) => code.clone(),
        Named::CodeSha256(digest) => format!("SHA-256 {digest}"),
        Named::Run(run) => run.short(),
    }
}
