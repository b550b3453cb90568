//! `hoso status`: every dossier of the station, where it is and why; what waits to be delivered, for whom, since when, and
//! who has to act.

use super::deliver::row;
use super::summary::Summary;
use crate::fault::Outcome;
use crate::ledger::delivery::{Delivery, Which};
use crate::station::Station;
use crate::workshop::Workshop;
use serde_json::{Value, json};
use std::collections::HashMap;
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
    // What was cancelled waits for nobody by itself, but its dossier does.
    let waiting = workshop.ledger.deliveries(Which { unreceipted: true, ..Which::default() }).await?;
    let summary = Summary::of_all(workshop.ledger.runs().await?);
    if args.json {
        let mut of_run: HashMap<String, Vec<Value>> = HashMap::new();
        for delivery in &waiting {
            for run in &delivery.runs {
                of_run.entry(run.run.to_string()).or_default().push(row::to_json(delivery));
            }
        }
        for mut line in summary.to_json() {
            let waits = line.get("run").and_then(Value::as_str).and_then(|run| of_run.remove(run));
            if let Some(line) = line.as_object_mut().filter(|line| line.contains_key("run")) {
                line.insert("deliveries".into(), json!(waits.unwrap_or_default()));
            }
            println!("{line}");
        }
        for delivery in waiting.iter().filter(|d| d.runs.is_empty()) {
            println!("{}", json!({ "delivery": row::to_json(delivery) }));
        }
    } else {
        print!("{}", summary.render());
        print!("{}", waits(&waiting));
        println!("nhật ký / journal: {entries} mục, chuỗi nguyên vẹn / entries, chain whole");
    }
    Ok(0)
}

/// What waits to be delivered, and what the desk does meanwhile.
fn waits(waiting: &[Delivery]) -> String {
    if waiting.is_empty() {
        return String::new();
    }
    let mut table = row::table();
    waiting.iter().for_each(|delivery| table.row(row::cells(delivery)));
    let mut out = format!("\nchưa giao / not delivered yet: {}\n{}", waiting.len(), table.render());
    for delivery in waiting.iter().filter(|d| d.wants_paper()) {
        out.push_str(&format!("{}: {}\n", row::short(delivery), row::PAPER));
    }
    out.push('\n');
    out
}
