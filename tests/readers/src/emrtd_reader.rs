//! `emrtd` 0.0.2 (crates.io): basic access and secure messaging with 3DES, over PC/SC only.

use crate::chip_card::Card;
use crate::chip_card::chip::{COM, SOD, dg};
use crate::chip_card::mint::{BIRTH, EXPIRY, Issuer, NUMBER};
use crate::chip_card::vpcd::Laid;
use crate::{Table, orders};
use emrtd::{EmrtdComms, EmrtdError, other_mrz};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) fn all(table: &mut Table, issuer: &Issuer, address: SocketAddr) {
    for (name, order) in orders().into_iter().take(2) {
        let card = Card::new(issuer.card(&order));
        let files = card.chip.files.clone();
        table.row("emrtd 0.0.2", &format!("BAC over PC/SC, {name}"), || {
            let laid = Laid::on(address, card, Duration::ZERO);
            let outcome = read(&files);
            let card = laid.take().map_err(|error| format!("the card: {error}"))?;
            gone()?;
            outcome.map(|text| format!("{text}, {} commands", card.commands))
        });
    }
}

fn read(files: &BTreeMap<u16, Vec<u8>>) -> Result<String, String> {
    let failed = |what: &'static str| move |error: EmrtdError| format!("{what}: {error}");
    let context = pcsc::Context::establish(pcsc::Scope::User).map_err(|e| format!("no pcscd: {e}"))?;
    let mut reader = EmrtdComms::new(connect(&context)?);
    reader.select_emrtd_application().map_err(failed("SELECT"))?;
    let secret = other_mrz(NUMBER, BIRTH, EXPIRY).map_err(failed("MRZ"))?;
    reader.establish_bac_session_keys(secret.as_bytes()).map_err(failed("BAC"))?;
    let mut count = 0;
    for id in [COM, SOD, dg(1), dg(2), dg(13), dg(14), dg(15)] {
        reader.select_ef(&id.to_be_bytes(), "file", true).map_err(failed("SELECT EF"))?;
        let bytes = reader.read_data_from_ef(true).map_err(failed("READ"))?;
        if files[&id] != bytes {
            return Err(format!("file {id:04x} differs"));
        }
        count += 1;
    }
    match reader.select_ef(&dg(3).to_be_bytes(), "DG3", true) {
        Err(EmrtdError::RecvApduError(0x69, 0x82)) => {}
        other => return Err(format!("DG3 was not refused: {other:?}")),
    }
    Ok(format!("{count} files equal, DG3 6982"))
}

/// Waits until pcscd has seen that the card was taken away: it looks a few times a second, and whoever connects before
/// talks to a card that is not there.
fn gone() -> Result<(), String> {
    let context = pcsc::Context::establish(pcsc::Scope::User).map_err(|e| format!("no pcscd: {e}"))?;
    for _ in 0..200 {
        let mut names = [0; 2048];
        let mut readers = context.list_readers(&mut names).map_err(|e| e.to_string())?;
        if readers.all(|name| context.connect(name, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).is_err()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("the card was taken away and is still seen".to_owned())
}

/// Waits for the card to be seen.
fn connect(context: &pcsc::Context) -> Result<pcsc::Card, String> {
    let mut last = String::new();
    for _ in 0..200 {
        let mut names = [0; 2048];
        for name in context.list_readers(&mut names).map_err(|e| e.to_string())? {
            match context.connect(name, pcsc::ShareMode::Shared, pcsc::Protocols::ANY) {
                Ok(card) => return Ok(card),
                Err(error) => last = error.to_string(),
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("no card: {last}"))
}
