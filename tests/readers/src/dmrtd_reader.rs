//! `dmrtd` 0.3.5 (crates.io): basic access, PACE with generic mapping on P-256, secure messaging with 3DES and AES, active and passive authentication.

use crate::chip_card::Card;
use crate::chip_card::chip::{COM, SOD, dg};
use crate::chip_card::mint::{BIRTH, CAN, EXPIRY, Issuer, NUMBER};
use crate::chip_card::quirks::Quirks;
use crate::chip_card::suite::{Suite, random};
use crate::{Table, orders};
use chrono::NaiveDate;
use dmrtd::auth::passive::{DataGroup, TrustAnchor, verify};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::{Passport, PassportError};
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use std::cell::RefCell;
use std::rc::Rc;

const READER: &str = "dmrtd 0.3.5";

/// The card in process.
struct Near(Rc<RefCell<Card>>);

impl Transceiver for Near {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        Ok(self.0.borrow_mut().answer(apdu))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Door {
    Basic,
    Can,
    Zone,
}

pub(crate) fn all(table: &mut Table, issuer: &Issuer) {
    for (name, order) in orders() {
        let chip = issuer.card(&order);
        for (door, title) in [(Door::Can, "PACE-CAN"), (Door::Zone, "PACE-MRZ"), (Door::Basic, "BAC")] {
            // It knows 3DES in secure messaging only: "only AES cipher is supported (got DeSede)".
            if door != Door::Basic && order.pace[0].0 == Suite::TripleDes {
                continue;
            }
            // Beyond 32 KB it asks with INS B1 for as many bytes as are left, without room for tag and length of DO'53'.
            let quirks = Quirks { le_without_header: true, ..Quirks::default() };
            let card = Card::with(chip.clone(), quirks);
            table.row(READER, &format!("{title} {name}"), || read(card, door, issuer));
        }
    }
}

/// Opens the card, reads it whole, checks its key and its signature.
fn read(card: Card, door: Door, issuer: &Issuer) -> Result<String, String> {
    let files = card.chip.files.clone();
    let access = card.chip.card_access.clone();
    let card = Rc::new(RefCell::new(card));
    let mut reader = Passport::new(Near(Rc::clone(&card)));
    let failed = |what: &'static str| move |error: PassportError| format!("{what}: {error:?}");
    if door == Door::Basic {
        reader.start_session(keys(false)?).map_err(failed("BAC"))?;
    } else {
        let announced = reader.read_ef_card_access().map_err(failed("CardAccess"))?;
        if Some(announced.to_bytes()) != access.as_deref() {
            return Err("CardAccess differs".to_owned());
        }
        match door {
            Door::Can => {
                let key = CanKey::new(CAN).map_err(|e| e.to_string())?;
                reader.start_session_pace(key, &announced).map_err(failed("PACE"))?;
            }
            _ => reader.start_session_pace(keys(true)?, &announced).map_err(failed("PACE"))?,
        }
    }
    let same = |id: u16, bytes: &[u8]| {
        if files[&id] == bytes { Ok(()) } else { Err(format!("file {id:04x} differs")) }
    };
    same(COM, reader.read_ef_com().map_err(failed("COM"))?.to_bytes())?;
    let sod = reader.read_ef_sod().map_err(failed("SOD"))?;
    same(SOD, sod.to_bytes())?;
    same(dg(1), reader.read_ef_dg1().map_err(failed("DG1"))?.to_bytes())?;
    same(dg(2), reader.read_ef_dg2().map_err(failed("DG2"))?.to_bytes())?;
    same(dg(13), reader.read_ef_dg13().map_err(failed("DG13"))?.to_bytes())?;
    same(dg(14), reader.read_ef_dg14().map_err(failed("DG14"))?.to_bytes())?;
    same(dg(15), reader.read_ef_dg15().map_err(failed("DG15"))?.to_bytes())?;
    match reader.read_ef_dg3() {
        Err(error) if error.code.is_some_and(|sw| (sw.sw1, sw.sw2) == (0x69, 0x82)) => {}
        other => return Err(format!("DG3 was not refused: {:?}", other.is_ok())),
    }
    match reader.read_ef_dg11() {
        Err(error) if error.code.is_some_and(|sw| (sw.sw1, sw.sw2) == (0x6a, 0x82)) => {}
        other => return Err(format!("DG11 is not missing: {:?}", other.is_ok())),
    }
    // Its verification of active authentication knows RSA and P-256 ("only NIST P-256 is implemented").
    reader.verify_active_authentication(&random(8)).map_err(failed("AA"))?;
    let groups: Vec<DataGroup<'_>> =
        [1, 2, 13, 14, 15].map(|number| DataGroup { number, bytes: &files[&dg(number)] }).into();
    let passive =
        verify(sod.to_bytes(), &groups, &[anchor(issuer)?]).map_err(|error| format!("PA: {error}"))?;
    if !passive.is_authentic() {
        return Err(format!("PA: {:?}", passive.chain));
    }
    let commands = card.borrow().commands;
    Ok(format!("7 files equal, DG3 6982, DG11 6A82, AA and PA hold, {commands} commands"))
}

fn anchor(issuer: &Issuer) -> Result<TrustAnchor, String> {
    let pem = std::fs::read(issuer.anchors().join("csca.pem")).unwrap();
    let der = openssl::x509::X509::from_pem(&pem).unwrap().to_der().unwrap();
    TrustAnchor::from_certificate(&der).map_err(|error| format!("CSCA: {error}"))
}

/// The keys of the machine readable zone.
pub(crate) fn keys(pace: bool) -> Result<DBAKey, String> {
    DBAKey::new(NUMBER, date(BIRTH), date(EXPIRY), pace).map_err(|error| error.to_string())
}

fn date(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%y%m%d").unwrap()
}
