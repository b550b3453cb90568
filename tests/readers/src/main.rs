//! Other people's readers read the emulated card, in process and, with `--reader HOST:PORT`, through pcscd and its virtual
//! reader at that address; what they read is compared with what was minted. Ends with 1 where anything differs.

#[allow(dead_code, reason = "the card can do more than these readers ask for")]
#[path = "../../card/mod.rs"]
mod chip_card;

mod agreement;
mod dmrtd_reader;
mod emrtd_reader;
mod plain;

use chip_card::mint::{Active, Agreement, Hash, Issuer, Order};
use chip_card::suite::Suite;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;

/// One row of the table.
pub(crate) struct Row {
    reader: &'static str,
    card: String,
    outcome: Result<String, String>,
}

/// Rows as they come.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Runs one reading and prints how it went.
    pub(crate) fn row(
        &mut self,
        reader: &'static str,
        card: &str,
        read: impl FnOnce() -> Result<String, String>,
    ) {
        let began = Instant::now();
        let outcome = read();
        let (mark, text) = match &outcome {
            Ok(text) => ("ok  ", text),
            Err(text) => ("FAIL", text),
        };
        println!("{mark} {reader:<14} {card:<34} {text} ({} ms)", began.elapsed().as_millis());
        self.rows.push(Row { reader, card: card.to_owned(), outcome });
    }
}

fn main() -> ExitCode {
    let reader: Option<SocketAddr> =
        std::env::args().skip_while(|arg| arg != "--reader").nth(1).map(|text| text.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("hoso-readers-{}", std::process::id()));
    let issuer = Issuer::new(&folder);
    let mut table = Table::default();
    plain::examples(&mut table);
    dmrtd_reader::all(&mut table, &issuer);
    agreement::all(&mut table, &issuer, &folder);
    match reader {
        Some(address) => emrtd_reader::all(&mut table, &issuer, address),
        None => println!(
            "     emrtd 0.0.2    left out: it speaks PC/SC only (--reader HOST:PORT of a virtual reader)"
        ),
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let failed: Vec<&Row> = table.rows.iter().filter(|row| row.outcome.is_err()).collect();
    for row in &failed {
        println!("failed: {} on {}", row.reader, row.card);
    }
    println!("{} passed, {} failed", table.rows.len() - failed.len(), failed.len());
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// The cards that are read.
pub(crate) fn orders() -> Vec<(&'static str, Order)> {
    let agreement = |suite, curve| Agreement { suite, curve, id: None };
    let card = |suite, active| Order { pace: vec![(suite, 12)], active: Some(active), ..Order::default() };
    let p256 = Active::Ec(12, Hash::Sha256);
    vec![
        ("AES-128, RSA-1536 SHA-1", card(Suite::Aes128, Active::Rsa(1536, Hash::Sha1))),
        ("AES-128, RSA-1536 SHA-256", card(Suite::Aes128, Active::Rsa(1536, Hash::Sha256))),
        ("AES-192, P-256", card(Suite::Aes192, p256)),
        ("AES-256, P-256 by name", Order { named_curves: true, ..card(Suite::Aes256, p256) }),
        ("AES-128, DG2 of 40 KB", Order { portrait: 40_000, ..card(Suite::Aes128, p256) }),
        (
            "3DES, P-256",
            Order { agreements: vec![agreement(Suite::TripleDes, 12)], ..card(Suite::TripleDes, p256) },
        ),
    ]
}
