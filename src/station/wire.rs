//! Who may talk to this station over HTTP, and with which keys it answers: `[inbox]`, `[senders.NAME]`, `[clients.NAME]`.

use super::NO_SECRET;
use super::config::{RecipientConfig, Reference};
use crate::deliver::link::Line;
use crate::deliver::wire_key::SigningKey;
use crate::fault::{Fault, Outcome};
use serde::Deserialize;
use std::path::Path;
use zeroize::Zeroizing;

/// `[inbox]`: this station as a receiver of push v1.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InboxConfig {
    /// The key that signs receipts: ECDSA P-256 or Ed25519, PEM.
    pub receipt_key: Reference,
    /// Its name on receipts; the station's where it is left out.
    pub name: Option<String>,
    /// Keys (ECDSA P-256, PEM) that open what senders encrypted for this station; without one it is kept as it came, for whoever
    /// holds the key.
    #[serde(default)]
    pub decryption_keys: Vec<Reference>,
}

/// `[senders.NAME]`: who may send by push v1.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SenderConfig {
    /// Public keys or certificates that its requests are signed with, PEM, below the station; two while it changes keys.
    pub keys: Vec<String>,
    /// Certificates of which it has to show one when it connects (mutual TLS), PEM, below the station.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// What it calls this station in its own configuration: delivery ids are computed anew then.
    pub sink: Option<String>,
    /// The largest document that is taken from it, bytes.
    #[serde(default = "largest")]
    pub largest: u64,
}

/// `[clients.NAME]`: programs that hand in dossiers and ask how they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientConfig {
    /// SHA-256 of its bearer token, 64 hexadecimal digits; several while it changes tokens.
    pub token_sha256: Vec<crate::digest::Sha256>,
    /// Pipelines that it may hand in to; the first is taken where it names none.
    #[serde(default)]
    pub pipelines: Vec<String>,
    /// It may ask about every run, not only about what it handed in.
    #[serde(default)]
    pub sees_all: bool,
    /// The largest file that is taken from it, bytes.
    #[serde(default = "largest")]
    pub largest: u64,
}

/// 64 MiB.
fn largest() -> u64 {
    64 << 20
}

impl RecipientConfig {
    /// How it is reached: `ca` are the only authorities trusted for it; with `certificate` this station shows who it is, with the key
    /// that signs its requests.
    ///
    /// # Errors
    /// `STAT-004` for a file or key that cannot be read; `SEND-010`.
    pub fn line(&self, root: &Path) -> Outcome<Line> {
        let RecipientConfig::Push { certificate, ca, key, .. } = self else { return Ok(Line::default()) };
        let read = |path: &String| {
            std::fs::read(root.join(path)).map_err(|e| Fault::new(&NO_SECRET).at(path).detail(e.kind()))
        };
        let identity = |path: &String| {
            let key = SigningKey::from_pem(&Zeroizing::new(key.bytes(root)?))?.private_pem()?;
            Ok::<_, Fault>((read(path)?, key))
        };
        Ok(Line {
            authorities_pem: ca.as_ref().map(read).transpose()?,
            identity_pem: certificate.as_ref().map(identity).transpose()?,
            ..Line::default()
        })
    }
}
