//! `emrtd` 0.0.2 (crates.io): basic access and secure messaging with 3DES, over PC/SC only.

use crate::chip_card::Card;
use crate::chip_card::chip::{COM, SOD, dg};
use crate::chip_card::mint::{BIRTH, EXPIRY, Issuer, NUMBER};
use crate::chip_card::vpcd::Laid;
use crate::{Table, orders};
use emrtd::{EmrtdComms, EmrtdError, other_mrz};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

/// Waits until pcscd has seen that the card was taken away: whoever connects before talks to a card that is not there.
fn gone() -> Result<(), String> {
    let context = pcsc::Context::establish(pcsc::Scope::User).map_err(|e| format!("no pcscd: {e}"))?;
    until(&context, |cards| cards.is_empty()).map(|_| ())
}

/// Waits for the card to be seen.
fn connect(context: &pcsc::Context) -> Result<pcsc::Card, String> {
    let cards = until(context, |cards| !cards.is_empty())?;
    let card = cards.first().ok_or("no card")?;
    context.connect(card, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).map_err(|e| format!("the card: {e}"))
}

/// Waits until those readers that hold a card are as wanted, and names them. They are only looked at: a connection to a card that
/// is just leaving ends in a reset that fails, after which pcscd may see no card for long.
fn until(context: &pcsc::Context, wanted: impl Fn(&[CString]) -> bool) -> Result<Vec<CString>, String> {
    let names = context.list_readers_owned().map_err(|e| e.to_string())?;
    let mut states: Vec<_> =
        names.into_iter().map(|name| pcsc::ReaderState::new(name, pcsc::State::UNAWARE)).collect();
    let began = Instant::now();
    loop {
        match context.get_status_change(Duration::from_millis(500), &mut states) {
            Ok(()) | Err(pcsc::Error::Timeout) => {}
            Err(error) => return Err(error.to_string()),
        }
        states.iter_mut().for_each(pcsc::ReaderState::sync_current_state);
        let holds = |state: &&pcsc::ReaderState| state.event_state().contains(pcsc::State::PRESENT);
        let cards: Vec<CString> = states.iter().filter(holds).map(|state| state.name().to_owned()).collect();
        if wanted(&cards) {
            return Ok(cards);
        }
        if began.elapsed() > Duration::from_secs(15) {
            return Err(format!("pcscd still sees {} cards", cards.len()));
        }
    }
}
