//! Time of one whole reading of the emulated card in process: COM, SOD, DG1, DG2 (15 KB), DG13, DG14, DG15 with PACE, active
//! and chip authentication; the card's own part told apart. `cargo bench --bench card`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench ends at its first surprise")]

#[allow(dead_code, unreachable_pub, reason = "the card can do more than this bench asks for")]
#[path = "../tests/card/mod.rs"]
mod chip_card;

use chip_card::Card;
use chip_card::mint::{Active, CAN, Hash, Issuer, Order};
use chip_card::quirks::Quirks;
use hoso::chip::reader::{AccessKeys, Lost, Session, SystemEntropy, Transceiver};
use std::time::{Duration, Instant};

const READINGS: usize = 30;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(folder.path());
    let ec = issuer.card(&Order::default());
    let rsa = issuer.card(&Order { active: Some(Active::Rsa(2048, Hash::Sha256)), ..Order::default() });
    let short = Quirks { no_extended: true, ..Quirks::default() };
    println!(
        "{READINGS} readings each; machine part without a card's radio, ms: least, median, most (card's part: median)"
    );
    for (name, chip, quirks) in [
        ("AES-128, brainpoolP256r1, AA ECDSA", &ec, Quirks::default()),
        ("AES-128, brainpoolP256r1, AA RSA-2048", &rsa, Quirks::default()),
        ("the first without extended length", &ec, short),
    ] {
        let mut whole = Vec::new();
        let mut cards = Vec::new();
        let mut commands = 0;
        for _ in 0..READINGS {
            let mut card = Timed { card: Card::with(chip.clone(), quirks.clone()), spent: Duration::ZERO };
            let keys = AccessKeys::default().can(CAN).unwrap();
            let began = Instant::now();
            let captured =
                Session::new(keys, None).unwrap().read(&mut card, &mut SystemEntropy, &mut |_| {}).unwrap();
            whole.push(began.elapsed());
            cards.push(card.spent);
            commands = card.card.commands;
            assert!(
                captured.reading.active_authentication.is_some()
                    && captured.reading.chip_authentication.is_some()
            );
        }
        whole.sort();
        cards.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "{name:<40} {:>3} commands  {:6.1} {:6.1} {:6.1}  ({:.1})",
            commands,
            ms(whole[0]),
            ms(whole[READINGS / 2]),
            ms(whole[READINGS - 1]),
            ms(cards[READINGS / 2]),
        );
    }
}

/// A card and the time that it took for its own work.
struct Timed {
    card: Card,
    spent: Duration,
}

impl Transceiver for Timed {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        let began = Instant::now();
        let answer = self.card.answer(command);
        self.spent += began.elapsed();
        if answer.is_empty() { Err(Lost) } else { Ok(answer) }
    }
}
