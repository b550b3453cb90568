//! `hoso check`: a doctor. Looks at configuration, pipelines, keys, anchors, the log and the ledger, and says
//! everything that is wrong at once.

use crate::clock::Clock;
use crate::fault::{Fault, Outcome};
use crate::sandbox::{Landlock, UNPROTECTED};
use crate::scan::Reader;
use crate::station::Station;
use crate::steps::Desk;
use crate::workshop::{Workshop, pipeline_of};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// `hoso check`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso check --station /srv/hoso")]
pub struct Args {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs it; 0 when nothing is wrong, 4 otherwise.
///
/// # Errors
/// No station, or one whose configuration cannot be read.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let workshop = Workshop::open(station.clone()).await?;
    let reader = workshop.reader();
    let desk = Desk::new(
        station.clone(),
        reader.clone(),
        Arc::clone(&workshop.blobs),
        Arc::clone(&workshop.readings),
        Clock::System,
        Arc::new(Semaphore::new(0)),
        Handle::current(),
    );
    let mut findings: Vec<(String, Result<String, Vec<Fault>>)> = Vec::new();
    let journal = workshop.ledger.check_journal().await;
    findings.push((
        "sổ / ledger".into(),
        journal.map(|n| format!("{n} journal entries, chain whole")).map_err(|f| vec![f]),
    ));
    for name in pipeline_names(&station) {
        let read = pipeline_of(&station, &name).map(|p| format!("{} steps", p.steps.len()));
        findings.push((format!("pipelines/{name}"), read));
    }
    for name in station.config.keys.keys() {
        let key = desk.key(name).map_err(|f| vec![f]).map(|k| days_left(k.handle.certificate()));
        findings.push((format!("keys.{name}"), key));
    }
    let log = desk
        .log()
        .map_err(|f| vec![f])
        .and_then(|log| log.check().map(|n| format!("{n} leaves, signed head agrees")).map_err(|f| vec![f]));
    findings.push(("nhật ký / log".into(), log));
    let trust = desk.trust().map_err(|f| vec![f]).map(|t| format!("{} chip authorities", t.len()));
    findings.push(("anchors/csca".into(), trust));
    findings.push(("hộp giải mã / decoders' box".into(), decoders(&reader)));
    if station.config.training {
        eprintln!("TRẠM HUẤN LUYỆN / TRAINING STATION: nothing it signs has legal force");
    }
    let mut wrong = 0;
    for (what, result) in &findings {
        let faults = result.as_ref().err().map_or(&[][..], Vec::as_slice);
        wrong += usize::from(!faults.is_empty());
        if args.json {
            let reports: Vec<_> = faults.iter().map(Fault::report).collect();
            println!(
                "{}",
                json!({ "what": what, "ok": faults.is_empty(), "said": result.as_ref().ok(), "faults": reports })
            );
        } else if let Ok(said) = result {
            println!("ok    {what}: {said}");
        } else {
            faults.iter().for_each(|fault| println!("LỖI   {what}: {fault}"));
        }
    }
    Ok(if wrong == 0 { 0 } else { 4 })
}

/// Starts a decoder and says what protects this machine from it. What this kernel lacks is told as a sentence, not as
/// a fault: decoders run apart and limited all the same.
fn decoders(reader: &Reader) -> Result<String, Vec<Fault>> {
    let start = Instant::now();
    let jailed = reader.jailed().map_err(|f| vec![f])?;
    let landlock = match jailed.landlock {
        Landlock::Full => "landlock (files, network, signals)",
        Landlock::Partial => "landlock (files; not signals)",
        Landlock::None => "NO landlock",
    };
    let seccomp = if jailed.seccomp { "seccomp" } else { "NO seccomp" };
    let ms = start.elapsed().as_millis();
    let said = format!("{landlock}, {seccomp}, limits of memory, time and files; ready in {ms} ms");
    let missing = format!("; CHÚ Ý {} {} / {}", UNPROTECTED.id, UNPROTECTED.vi, UNPROTECTED.en);
    let remedy = format!(". {} / {}", UNPROTECTED.remedy_vi, UNPROTECTED.remedy_en);
    Ok(if jailed.is_whole() { said } else { said + &missing + &remedy })
}

fn pipeline_names(station: &Station) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(station.path("pipelines"))
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|e| e.file_name().into_string().ok())
                .filter(|n| n.ends_with(".toml"))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

fn days_left(certificate: &openssl::x509::X509Ref) -> String {
    let left = openssl::asn1::Asn1Time::days_from_now(0).and_then(|now| now.diff(certificate.not_after()));
    left.map_or_else(|_| "validity unknown".into(), |d| format!("may sign, {} days left", d.days))
}
