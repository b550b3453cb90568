//! The push receiver's part of `hoso serve`: who may send, what signs the receipts, where it is kept.

use crate::clock::Clock;
use crate::deliver::wire_key::{KEY_UNREADABLE, SigningKey};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::issuer::PublicUrl;
use crate::serve::receiver::inbox::{Inbox, UNAVAILABLE};
use crate::serve::receiver::{Audit, Gate, Receiver, Sender, Setup};
use crate::station::Station;
use crate::station::config::Reference;
use openssl::pkey::{PKey, Private};
use std::path::Path;
use std::sync::Arc;

/// The receiver; `None` at a station that nobody sends to.
///
/// # Errors
/// [`NO_RECEIPT_KEY`]; keys, certificates or a register that cannot be used.
pub(super) async fn door(station: &Station, at: &PublicUrl) -> Outcome<Option<Arc<Receiver>>> {
    let config = &station.config;
    if config.senders.is_empty() {
        return Ok(None);
    }
    let receipts = config.inbox.as_ref().ok_or(&NO_RECEIPT_KEY)?;
    let pem = zeroize::Zeroizing::new(receipts.receipt_key.bytes(&station.root)?);
    let receipt_key = SigningKey::from_pem(&pem).map_err(|fault| fault.at("inbox.receipt-key"))?;
    let senders = config.senders.iter().map(|(name, sender)| Sender::open(name, sender, &station.root));
    let senders = senders.collect::<Outcome<Vec<_>>>()?;
    let (inbox, clock) = (inbox(station)?, Clock::System);
    let used = inbox.nonces(clock.now_ms() / 1000).await?;
    Ok(Some(Receiver::new(Setup {
        name: receipts.name.clone().unwrap_or_else(|| config.name.clone()),
        receipt_key,
        opening_keys: receipts
            .decryption_keys
            .iter()
            .map(|key| opening(key, &station.root))
            .collect::<Outcome<_>>()?,
        gate: Gate::new(&at.origin, senders, used)?,
        inbox,
        blobs: station.blobs()?,
        parts: station.path("var/inbox"),
        out: station.path("out/inbox"),
        audit: Audit::open(&station.path("var/audit.jsonl"), clock.clone()),
        clock,
    })))
}

/// A key that opens what was encrypted for this station.
fn opening(key: &Reference, root: &Path) -> Outcome<PKey<Private>> {
    let pem = zeroize::Zeroizing::new(key.bytes(root)?);
    let wrong = || Fault::new(&KEY_UNREADABLE).at("inbox.decryption-keys");
    let key = PKey::private_key_from_pem_passphrase(&pem, b"").map_err(|_| wrong())?;
    // Read once more as what signs, which looks at the curve.
    SigningKey::new(key.clone()).map_err(|fault| fault.at("inbox.decryption-keys"))?;
    Ok(key)
}

/// The station's register of what arrived, `var/inbox.db`.
///
/// # Errors
/// `HTTP-020`, `HTTP-021`.
pub(in crate::cli) fn inbox(station: &Station) -> Outcome<Inbox> {
    let folder = station.path("var");
    std::fs::create_dir_all(&folder).map_err(|e| Fault::new(&UNAVAILABLE).detail(e.kind()))?;
    Inbox::open(&folder.join("inbox.db"))
}

/// Senders are configured, and nothing signs receipts for them.
pub const NO_RECEIPT_KEY: Code = Code {
    id: "HTTP-025",
    class: Class::Setup,
    vi: "Đã khai bên gửi nhưng trạm chưa có khóa ký biên nhận",
    en: "senders are configured, but the station has no key that signs receipts",
    remedy_vi: "Thêm mục [inbox] với receipt-key (ECDSA P-256 hoặc Ed25519, PEM) vào hoso.toml",
    remedy_en: "add [inbox] with a receipt-key (ECDSA P-256 or Ed25519, PEM) to hoso.toml",
};
