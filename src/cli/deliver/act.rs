//! `hoso deliver retry`, `redrive`, `cancel`: what a person does to deliveries. Each act stands in the journal.

use super::row;
use crate::cli::operator::operator;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::delivery::{Delivery, DeliveryState};
use crate::station::Station;
use crate::workshop::Workshop;
use serde_json::json;
use std::path::Path;

/// `hoso deliver retry ID` or `--all`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso deliver retry 3fa94c21\n  hoso deliver retry --all --to wallet")]
pub struct Retry {
    /// The id, or as much of its beginning as no other has.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Everything that waits for a later time.
    #[arg(long)]
    all: bool,
    /// Only to this recipient.
    #[arg(long, value_name = "NAME", requires = "all")]
    to: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// `hoso deliver redrive ID` or `--dead`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso deliver redrive 3fa94c21\n  hoso deliver redrive --dead --to wallet"
)]
pub struct Redrive {
    /// The id, or as much of its beginning as no other has.
    #[arg(required_unless_present = "dead", conflicts_with = "dead")]
    id: Option<String>,
    /// Every dead letter.
    #[arg(long)]
    dead: bool,
    /// Only to this recipient.
    #[arg(long, value_name = "NAME", requires = "dead")]
    to: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// `hoso deliver cancel ID [--why TEXT]`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso deliver cancel 3fa94c21 --why \"đã trả bản giấy tại quầy\"")]
pub struct Cancel {
    /// The id, or as much of its beginning as no other has.
    id: String,
    /// Why, in a few words; no name and no number of a person. Left out, the journal says that no reason was given.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes due now; 0.
///
/// # Errors
/// No station; `SEND-122`, `SEND-123`, `SEND-125`; `LEDG-001`.
pub async fn retry(args: Retry, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    match args.id {
        Some(id) => say(&workshop.ledger.retry(&id, &operator()).await?, args.json),
        None => say_count(workshop.ledger.retry_all(args.to, &operator()).await?, args.json),
    }
    Ok(0)
}

/// Sends dead letters on their way again; 0, or 5 where it is held for want of consent.
///
/// # Errors
/// As [`retry`].
pub async fn redrive(args: Redrive, station: Option<&Path>) -> Outcome<u8> {
    let workshop = Workshop::open(Station::find(station)?).await?;
    let Some(id) = args.id else {
        say_count(workshop.ledger.redrive_dead(args.to, &operator()).await?, args.json);
        return Ok(0);
    };
    let delivery = workshop.ledger.redrive(&id, &operator()).await?;
    say(&delivery, args.json);
    Ok(if delivery.state == DeliveryState::Held { Class::Later.exit_code() } else { 0 })
}

/// Ends one; 0.
///
/// # Errors
/// As [`retry`]; `SEND-132` for a reason that cannot be kept.
pub async fn cancel(args: Cancel, station: Option<&Path>) -> Outcome<u8> {
    let why = args.why.as_deref().map_or_else(|| Ok(NO_REASON.to_owned()), reason)?;
    let workshop = Workshop::open(Station::find(station)?).await?;
    say(&workshop.ledger.cancel(&args.id, &why, &operator()).await?, args.json);
    Ok(0)
}

fn say(delivery: &Delivery, as_json: bool) {
    if as_json {
        println!("{}", row::to_json(delivery));
        return;
    }
    println!("{}: {} / {}", row::short(delivery), delivery.state.vi(), delivery.state.as_str());
    if let Some(reason) = &delivery.reason {
        println!("{reason}");
    }
}

fn say_count(count: usize, as_json: bool) {
    if as_json {
        println!("{}", json!({ "deliveries": count }));
    } else {
        println!("{count} lượt gửi / deliveries");
    }
}

/// A reason is kept for years and read by many: short, one line, and nothing in it that looks like an identity number
/// or a telephone number.
fn reason(text: &str) -> Outcome<String> {
    let text = text.trim();
    let wrong = |what: &str| Err(Fault::new(&BAD_REASON).at("--why").detail(what));
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return wrong("1 to 200 characters");
    }
    if text.chars().any(char::is_control) {
        return wrong("one line without control characters");
    }
    let mut digits = 0;
    for c in text.chars().filter(|c| !matches!(c, ' ' | '.' | '-')) {
        digits = if c.is_numeric() { digits + 1 } else { 0 };
        if digits >= 9 {
            return wrong("nine digits in a row");
        }
    }
    Ok(text.to_owned())
}

const LONGEST_REASON: usize = 200;
const NO_REASON: &str = "không nêu lý do / no reason given";

/// A reason that cannot be kept.
pub const BAD_REASON: Code = Code {
    id: "SEND-132",
    class: Class::Input,
    vi: "Lý do phải ngắn gọn, trên một dòng, không có số định danh hay số điện thoại",
    en: "the reason has to be short, on one line, and without anyone's number",
    remedy_vi: "Ghi lại lý do, ví dụ \"đã trả bản giấy tại quầy\"",
    remedy_en: "write it again, e.g. \"handed over on paper\"",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&BAD_REASON];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_holds_no_number_of_a_person() {
        assert_eq!(reason("  đã trả bản giấy tại quầy ").unwrap(), "đã trả bản giấy tại quầy");
        assert!(reason("hồ sơ H40.17.5-261121-0001").is_err(), "eleven digits: say it without the code");
        for wrong in ["", "  ", "a\nb", "\u{1b}[31m", "001090123456", "sđt 0912 345 678", &"x".repeat(201)] {
            assert_eq!(reason(wrong).unwrap_err().code, &BAD_REASON, "{wrong:?}");
        }
    }
}
