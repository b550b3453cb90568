//! The emulated card on a virtual reader: `card --folder DIR [--reader 127.0.0.1:35963]`. Lies there until the reader is gone.

#[allow(dead_code, reason = "the card can do more than is asked for here")]
#[path = "../../card/mod.rs"]
mod chip_card;

use chip_card::Card;
use chip_card::mint::{BIRTH, CAN, EXPIRY, Issuer, NUMBER, Order, zone};
use chip_card::vpcd::Laid;
use std::path::PathBuf;
use std::time::Duration;

fn main() {
    let after = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let folder =
        PathBuf::from(after("--folder").expect("--folder DIR: where keys and certificates are made"));
    let reader = after("--reader").unwrap_or_else(|| "127.0.0.1:35963".to_owned());
    let issuer = Issuer::new(&folder);
    let card = Card::new(issuer.card(&Order::default()));
    println!(
        "anchors {}\nCAN {CAN}\nnumber {NUMBER} birth {BIRTH} expiry {EXPIRY}",
        issuer.anchors().display()
    );
    println!("{}", zone().join("\n"));
    match Laid::on(reader.parse().unwrap(), card, Duration::from_secs(2)).wait() {
        Ok(card) => println!("{} commands", card.commands),
        Err(error) => println!("no reader at {reader}: {error}"),
    }
}
