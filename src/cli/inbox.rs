//! `hoso inbox`: what other stations sent here by push v1, the newest first.

use super::serve;
use super::table::Table;
use crate::clock::vietnam_time;
use crate::fault::{Fault, Outcome};
use crate::serve::receiver::FAILURE;
use crate::serve::receiver::inbox::{Conflict, Delivery, Laid};
use crate::station::Station;
use serde_json::{Value, json};
use std::path::Path;

/// `hoso inbox`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What arrived, the newest first, and what was sent under an id that was taken.
    List(List),
}

/// `hoso inbox list`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso inbox list --json | jq 'select(.state == \"received\") | .file'")]
pub struct List {
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    most: u32,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// No station; `HTTP-020`.
pub async fn run(command: Command, station: Option<&Path>) -> Outcome<u8> {
    let Command::List(args) = command;
    let station = Station::find(station)?;
    let inbox = serve::inbox(&station)?;
    let look = move || Ok((inbox.list(args.most)?, inbox.conflicts(args.most)?));
    let (deliveries, conflicts) =
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Err(Fault::new(&FAILURE)))?;
    if args.json {
        deliveries
            .iter()
            .map(delivery)
            .chain(conflicts.iter().map(conflict))
            .for_each(|line| println!("{line}"));
    } else {
        print!("{}", table(&deliveries));
        for conflict in &conflicts {
            let id = &conflict.facts.delivery_id.to_string()[..12];
            println!("TRÙNG MÃ / CONFLICT {id} {} {}", conflict.sender, vietnam_time(conflict.at));
        }
    }
    Ok(0)
}

fn delivery(delivery: &Delivery) -> Value {
    json!({
        "state": "received",
        "delivery_id": delivery.facts.delivery_id,
        "sender": delivery.sender,
        "recipient": delivery.recipient,
        "received_at": vietnam_time(delivery.received_at),
        "sha256": delivery.facts.sha256,
        "size": delivery.facts.size,
        "document_sha256": delivery.document,
        "file": (delivery.laid != Laid::No).then(|| format!("out/inbox/{}", delivery.file_name(delivery.laid))),
    })
}

fn conflict(conflict: &Conflict) -> Value {
    json!({
        "state": "conflict",
        "delivery_id": conflict.facts.delivery_id,
        "sender": conflict.sender,
        "at": vietnam_time(conflict.at),
        "sha256": conflict.facts.sha256,
    })
}

fn table(deliveries: &[Delivery]) -> String {
    let mut table = Table::new(&["mã gửi / id", "bên gửi / sender", "đến lúc / received", ">byte"]);
    for delivery in deliveries {
        table.row(vec![
            delivery.facts.delivery_id.to_string()[..12].to_owned(),
            delivery.sender.clone(),
            vietnam_time(delivery.received_at),
            delivery.facts.size.to_string(),
        ]);
    }
    table.render()
}
