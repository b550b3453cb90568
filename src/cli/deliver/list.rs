//! `hoso deliver list`, `hoso deliver show`.

use super::row;
use crate::cli::target::write_bytes;
use crate::clock::{Clock, vietnam_time};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::delivery::{DeliveryState, Which};
use crate::station::Station;
use crate::steps::deliver::Body;
use crate::workshop::Workshop;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `hoso deliver list`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso deliver list --state dead\n  hoso deliver list --open --older-than 2d --json"
)]
pub struct Args {
    /// Only to this recipient.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Only in this state.
    #[arg(long, value_name = "STATE")]
    state: Option<DeliveryState>,
    /// Only what was queued so long ago: a number and s, m, h or d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<i64>,
    /// Leave out what is receipted or cancelled.
    #[arg(long)]
    open: bool,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
}

/// `hoso deliver show ID`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso deliver show 3fa94c21 --json")]
pub struct Show {
    /// The id, or as much of its beginning as no other has.
    id: String,
    /// Write the recipient's receipt into this file, byte for byte as it came; `hoso verify` judges it.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Lists; always 0.
///
/// # Errors
/// No station; `LEDG-001`.
pub async fn list(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    let which = Which {
        recipient: args.to,
        state: args.state,
        posted_by: args.older_than.map(|age| Clock::System.now_ms().saturating_sub(age)),
        open: args.open,
        unreceipted: false,
    };
    let deliveries = workshop.ledger.deliveries(which).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        for delivery in &deliveries {
            // Whoever reads may have read enough.
            if writeln!(out, "{}", row::to_json(delivery)).is_err() {
                break;
            }
        }
        return Ok(0);
    }
    let mut table = row::table();
    deliveries.iter().for_each(|delivery| table.row(row::cells(delivery)));
    let paper = deliveries.iter().filter(|d| d.wants_paper()).count();
    let _ = write!(out, "{}", table.render());
    let _ = writeln!(out, "\n{} lượt gửi / deliveries", deliveries.len());
    if paper > 0 {
        let _ = writeln!(out, "{paper} không tự gửi được / do not go out by themselves: {}", row::PAPER);
    }
    Ok(0)
}

/// Shows one; always 0.
///
/// # Errors
/// No station; `SEND-122`, `SEND-123`; `SEND-135` where a receipt is asked for that is not there; `LEDG-001`.
pub async fn show(args: Show, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    let (delivery, acts) = workshop.ledger.delivery(&args.id).await?;
    if let Some(path) = &args.receipt {
        let bytes = match (&delivery.proof, &delivery.receipt) {
            (Some(proof), _) => proof.clone(),
            (None, Some(digest)) => workshop.blobs.get(digest)?,
            (None, None) => return Err(Fault::new(&NO_RECEIPT).at(row::short(&delivery))),
        };
        write_bytes(path, &bytes)?;
    }
    let (kind, document, purpose, encrypted) = match serde_json::from_slice(&delivery.body) {
        Ok(Body::Push { document, purpose, key, .. }) => ("push", Some(document), purpose, key.is_some()),
        Ok(Body::Portal(_)) => ("portal", None, None, false),
        Err(_) => ("?", None, None, false),
    };
    if args.json {
        let mut line = row::to_json(&delivery);
        if let Value::Object(line) = &mut line {
            let acts: Vec<Value> = acts
                .iter()
                .map(|a| json!({ "act": a.kind, "at": vietnam_time(a.at), "who": a.who, "why": a.why }))
                .collect();
            line.insert("kind".into(), json!(kind));
            line.insert("document".into(), json!(document));
            line.insert("purpose".into(), json!(purpose));
            line.insert("encrypted".into(), json!(encrypted));
            line.insert("acts".into(), json!(acts));
        }
        println!("{line}");
        return Ok(0);
    }
    let mut table = row::table();
    table.row(row::cells(&delivery));
    print!("{}", table.render());
    println!("\nmã đầy đủ / id            {}", delivery.id);
    println!("loại / kind               {kind}");
    if let Some(document) = document {
        println!("tài liệu / document       sha256 {}, {} B", document.sha256, document.size);
    }
    if let Some(purpose) = purpose {
        println!("mục đích / purpose        {purpose}");
    }
    if let Some(receipt) = delivery.receipt {
        println!("biên nhận / receipt       {receipt}");
    }
    if delivery.wants_paper() {
        println!("trong lúc chờ / meanwhile {}", row::PAPER);
    }
    if let Some(reason) = &delivery.reason {
        println!("\n{reason}");
    }
    for act in &acts {
        let why = act.why.as_deref().unwrap_or_default();
        println!("{}  {}  {}  {why}", vietnam_time(act.at), act.kind, act.who);
    }
    Ok(0)
}

/// `90s`, `15m`, `2h`, `3d` in milliseconds.
fn age(text: &str) -> Result<i64, String> {
    let wrong = || "a number and s, m, h or d, e.g. 2d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).and_then(|n| n.parse::<u32>().ok()).ok_or_else(wrong)?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    Ok(i64::from(number).saturating_mul(seconds).saturating_mul(1_000))
}

/// No receipt yet.
pub const NO_RECEIPT: Code = Code {
    id: "SEND-135",
    class: Class::Later,
    vi: "Lượt gửi này chưa có biên nhận",
    en: "there is no receipt of this delivery yet",
    remedy_vi: "Chờ nơi nhận xác nhận, hoặc chạy `hoso work`",
    remedy_en: "wait for the recipient, or run `hoso work`",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_RECEIPT];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("90s"), Ok(90_000));
        assert_eq!(age("2d"), Ok(172_800_000));
        for wrong in ["", "d", "2", "2w", "-1d", "1.5h", "ngày", "99999999999s"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
