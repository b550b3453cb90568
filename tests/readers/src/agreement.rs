//! Chip authentication, which no reader at hand knows: put together from dmrtd's basic access, key derivation and MACs, with
//! the agreement by the OpenSSL command line. The first command under the new keys shows that both sides have the same.

use crate::Table;
use crate::chip_card::Card;
use crate::chip_card::chip::dg;
use crate::chip_card::mint::{Agreement, Issuer, Order};
use crate::chip_card::suite::Suite;
use crate::dmrtd_reader::keys;
use dmrtd::crypto::aes::{AesCipher, BlockCipherMode, KeyLength};
use dmrtd::crypto::iso9797::{mac_alg3, pad, unpad};
use dmrtd::crypto::kdf::DeriveKey;
use dmrtd::proto::bac_session::{BacAction, BacSession};
use dmrtd::proto::iso7816::command_apdu::CommandApdu;
use dmrtd::proto::iso7816::response_apdu::ResponseApdu;
use dmrtd::proto::iso7816::sm::{SecureMessaging, do8e, do97};
use std::fs;
use std::path::Path;
use std::process::Command;

const READER: &str = "dmrtd, openssl";

pub(crate) fn all(table: &mut Table, issuer: &Issuer, folder: &Path) {
    let key = |suite, curve, id| Agreement { suite, curve, id };
    let other = key(Suite::Aes128, 12, Some(1));
    for (name, curve, agreements) in [
        ("AES-128, brainpoolP256r1", "brainpoolP256r1", vec![key(Suite::Aes128, 13, None)]),
        ("AES-192, P-256", "prime256v1", vec![key(Suite::Aes192, 12, None)]),
        ("AES-256, brainpoolP384r1", "brainpoolP384r1", vec![key(Suite::Aes256, 16, None)]),
        ("3DES, P-256", "prime256v1", vec![key(Suite::TripleDes, 12, None)]),
        ("second of two, AES-128, P-256", "prime256v1", vec![other, key(Suite::Aes128, 12, Some(2))]),
    ] {
        let chosen = *agreements.last().unwrap();
        let card = Card::new(issuer.card(&Order { agreements, ..Order::default() }));
        table.row(READER, &format!("CA {name}"), || run(card, chosen, curve, folder));
    }
}

fn run(mut card: Card, chosen: Agreement, curve: &str, folder: &Path) -> Result<String, String> {
    // The issuer's last key; that it stands in DG14 is looked up here.
    let spki = fs::read(folder.join("ca.der")).unwrap();
    if !card.chip.files[&dg(14)].windows(spki.len()).any(|window| window == spki) {
        return Err("the key is not in DG14".to_owned());
    }
    let script = format!(
        "openssl ecparam -name {curve} -param_enc explicit -genkey -noout -out t.key
        openssl pkey -in t.key -pubout -outform DER -out t.der
        openssl pkeyutl -derive -inkey t.key -peerkey ca.der -peerform DER -out t.shared"
    );
    let made = Command::new("bash").args(["-euc", &script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let shared = fs::read(folder.join("t.shared")).unwrap();
    let public = fs::read(folder.join("t.der")).unwrap();
    let point = &public[public.len() - 1 - 2 * shared.len()..];

    let mut session = open(&mut card)?;
    let id = chosen.id.map_or(vec![], |id| vec![0x84, 1, id]);
    if chosen.suite == Suite::TripleDes {
        let data = [&[0x91, point.len() as u8], point, &id[..]].concat();
        send(&mut card, &mut session, (0x22, 0x41, 0xa6), data, 0)?;
    } else {
        let oid = [0x80, 10, 4, 0, 0x7f, 0, 7, 2, 2, 3, 2, chosen.suite.arc()];
        send(&mut card, &mut session, (0x22, 0x41, 0xa4), [&oid[..], &id].concat(), 0)?;
        let object = [&[0x80, point.len() as u8], point].concat();
        let data = [&[0x7c, object.len() as u8], &object[..]].concat();
        if send(&mut card, &mut session, (0x86, 0, 0), data, 256)? != [0x7c, 0] {
            return Err("GENERAL AUTHENTICATE did not answer 7C00".to_owned());
        }
    }
    first_command(&mut card, chosen.suite, &shared)?;
    Ok("the first command under the new keys is answered rightly".to_owned())
}

/// Basic access by dmrtd.
fn open(card: &mut Card) -> Result<impl SecureMessaging + use<>, String> {
    card.answer(&[0, 0xa4, 4, 0x0c, 7, 0xa0, 0, 0, 2, 0x47, 0x10, 1]);
    let mut session = BacSession::new(keys(false)?);
    loop {
        match session.next().map_err(|error| error.0)? {
            BacAction::SendApdu(command) => {
                session.feed_response(&card.answer(&command)).map_err(|error| error.0)?;
            }
            BacAction::Done(messaging) => return Ok(messaging),
        }
    }
}

fn send(
    card: &mut Card,
    session: &mut impl SecureMessaging,
    (ins, p1, p2): (u8, u8, u8),
    data: Vec<u8>,
    ne: u32,
) -> Result<Vec<u8>, String> {
    let command = CommandApdu::new(0, ins, p1, p2, Some(data), ne).map_err(|error| error.to_string())?;
    let command = session.protect(&command).map_err(|error| error.0)?;
    let answer =
        ResponseApdu::from_bytes(&card.answer(&command.to_bytes())).map_err(|error| error.to_string())?;
    let answer = session.unprotect(&answer).map_err(|error| error.0)?;
    if !answer.status.is_success() {
        return Err(format!("{ins:02x} {p1:02x} {p2:02x}: {}", answer.status.description()));
    }
    Ok(answer.data.unwrap_or_default())
}

/// READ BINARY of the first five bytes of DG1 with the counter at one, then at two for the answer.
fn first_command(card: &mut Card, suite: Suite, shared: &[u8]) -> Result<(), String> {
    let block = suite.block();
    let aes = |length| AesCipher::new(length);
    let (key, aes) = match suite {
        Suite::TripleDes => (DeriveKey::iso9797_mac_alg3(shared), None),
        Suite::Aes128 => {
            (DeriveKey::cmac128(shared), Some((aes(KeyLength::S128), DeriveKey::aes128(shared, false))))
        }
        Suite::Aes192 => {
            (DeriveKey::cmac192(shared), Some((aes(KeyLength::S192), DeriveKey::aes192(shared, false))))
        }
        Suite::Aes256 => {
            (DeriveKey::cmac256(shared), Some((aes(KeyLength::S256), DeriveKey::aes256(shared, false))))
        }
    };
    let mac = |message: &[u8]| match &aes {
        None => mac_alg3(&key, message, false).unwrap(),
        Some((cipher, _)) => cipher.calculate_cmac(message, &key).unwrap(),
    };
    let counter = |value: u8| [vec![0; block - 1], vec![value]].concat();
    let header = [0x0c, 0xb0, 0x81, 0];
    let le = do97(5);
    let message = [counter(1), pad(&header, block).unwrap(), pad(&le, block).unwrap()].concat();
    let body = [le, do8e(&mac(&message))].concat();
    let command = [&header[..], &[body.len() as u8], &body, &[0]].concat();

    let answer = card.answer(&command);
    // Tag, length, indicator and one block.
    let text = 3 + block;
    let [.., 0x90, 0] = answer[..] else { return Err(format!("answered {answer:02x?}")) };
    if answer.len() != text + 4 + 10 + 2 || answer[..3] != [0x87, block as u8 + 1, 1] {
        return Err(format!("answered {answer:02x?}"));
    }
    let covered = pad(&answer[..text + 4], block).unwrap();
    if answer[text + 4..text + 14] != do8e(&mac(&[counter(2), covered].concat())) {
        return Err("the MAC of the answer is wrong".to_owned());
    }
    if let Some((cipher, key)) = aes {
        let vector = cipher.encrypt(&counter(2), &key, None, BlockCipherMode::Ecb, false).unwrap();
        let plain = cipher.decrypt(&answer[3..text], &key, Some(&vector), BlockCipherMode::Cbc).unwrap();
        if unpad(&plain, block).unwrap() != &card.chip.files[&dg(1)][..5] {
            return Err("the bytes of DG1 differ".to_owned());
        }
    }
    Ok(())
}
