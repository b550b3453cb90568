//! `hoso.toml`. An unknown key is an error: a typing mistake must never quietly switch something off.

use super::{BAD_CONFIG, NO_SECRET};
use crate::fault::{Fault, Outcome};
use crate::seal::key::preflight::Issuers;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The station's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The identifier code of the office, e.g. `H40.17.5`.
    pub office: String,
    /// What the office is called.
    pub name: String,
    /// A training station: everything it makes says so, and `check` warns of it.
    #[serde(default)]
    pub training: bool,
    /// How many steps run at once; 0 or absent: one a core.
    #[serde(default)]
    pub workers: usize,
    /// The transparency log.
    pub log: LogConfig,
    /// What this station is as a witness of others' logs.
    pub witness: Option<WitnessRole>,
    /// Keys that seal, by name.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyConfig>,
    /// The timestamp authority (RFC 3161).
    pub timestamp: Option<TimestampConfig>,
    /// How long deliveries are tried; the defaults suit the field, a training station shortens them.
    #[serde(default)]
    pub backoff: crate::deliver::outbox::Backoff,
    /// The wallet issuer.
    pub issuer: Option<IssuerConfig>,
    /// What evidence bundles show.
    #[serde(default)]
    pub evidence: EvidenceConfig,
    /// Who is delivered to, by name.
    #[serde(default)]
    pub recipients: BTreeMap<String, RecipientConfig>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogConfig {
    /// The log's name in every checkpoint (C2SP tlog-checkpoint, "origin").
    pub origin: String,
    /// Ed25519 private key, PEM.
    pub key: Reference,
    /// Who is asked to vouch for its checkpoints.
    #[serde(default)]
    pub witnesses: Vec<WitnessConfig>,
}

/// `[[log.witnesses]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WitnessConfig {
    /// The address below which `add-checkpoint` lies.
    pub url: Reference,
    /// The witness's public key, a line `name+id+base64`.
    pub key: String,
}

/// `[witness]`: this station vouches for the logs of others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WitnessRole {
    /// The name that it cosigns under.
    pub name: String,
    /// Ed25519 private key, PEM; used for nothing else, not for the station's own log.
    pub key: Reference,
    /// Public keys of the logs that it watches, lines `name+id+base64`.
    pub logs: Vec<String>,
}

/// `[keys.NAME]`: one of `p12`, `pem`, `pkcs11` and `csc` says where the key is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyConfig {
    /// PKCS#12 file, below the station.
    pub p12: Option<String>,
    /// PEM file with key and certificates, below the station.
    pub pem: Option<String>,
    /// A token: a `pkcs11:` URI.
    pub pkcs11: Option<String>,
    /// A remote signing service: its base address.
    pub csc: Option<CscConfig>,
    /// Password of the file, PIN of the token or of the credential.
    pub password: Option<Reference>,
    /// More certificates, PEM, below the station: those above the signer's, or the signer's where a token has none.
    pub certificates: Option<String>,
    /// Issuers whose certificates are taken; all where it is left out.
    #[serde(default)]
    pub issuers: Issuers,
    /// The name that the visible signature shows.
    pub name: String,
}

/// `[keys.NAME.csc]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CscConfig {
    /// Base address, `https://host/csc/v2`.
    pub url: Reference,
    /// The credential; the only one where it is left out.
    pub credential: Option<String>,
    /// OAuth 2.0 access token.
    pub token: Reference,
}

/// `[issuer]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IssuerConfig {
    /// The key that signs credentials: ECDSA P-256, PEM.
    pub key: Reference,
    /// Its certificate and those above it, PEM, below the station; goes into every credential.
    pub certificates: Option<String>,
    /// The public address, where `hoso serve` is not told another one.
    pub public_url: Option<String>,
}

/// `[evidence]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EvidenceConfig {
    /// How bundles name their dossier.
    pub code: ShownCode,
}

/// How evidence bundles name their dossier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownCode {
    /// By its code.
    #[default]
    Plain,
    /// By SHA-256 of its code; the portal's answers, which hold the code, stay out.
    Hashed,
}

/// `[timestamp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TimestampConfig {
    /// Where the authority answers.
    pub url: Reference,
}

/// `[recipients.NAME.dvcqg]` or `[recipients.NAME.push]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum RecipientConfig {
    /// The national portal's sync contract, session dialect.
    Dvcqg {
        /// Base address of the adapter.
        url: Reference,
        /// Account.
        username: Reference,
        /// Its password.
        password: Reference,
        /// `madonvi`: the unit's code at the portal.
        unit: String,
        /// `dstcode` header, where the adapter wants one.
        dstcode: Option<String>,
        /// Public base address under which the portal fetches documents.
        links: String,
    },
    /// A wallet or store that speaks push v1.
    Push {
        /// Base address.
        url: Reference,
        /// The receiver's public key or certificate, PEM, below the station: its receipts are checked with it.
        receipt_key: String,
        /// The key that signs our requests, PEM.
        key: Reference,
    },
}

impl Config {
    /// Reads the text.
    ///
    /// # Errors
    /// `STAT-002` with line and column.
    pub fn parse(text: &str) -> Outcome<Self> {
        toml::from_str(text).map_err(|e| {
            let start = e.span().map_or(0, |s| s.start).min(text.len());
            let before = text.get(..start).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            Fault::new(&BAD_CONFIG).at(format!("line {line}")).detail(e.message())
        })
    }
}

/// A value kept elsewhere: `env:NAME`, `file:PATH` (below the station); anything else stands for itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// The bytes it refers to.
    ///
    /// # Errors
    /// `STAT-004` naming the reference, never its value.
    pub fn bytes(&self, root: &Path) -> Outcome<Vec<u8>> {
        if let Some(name) = self.0.strip_prefix("env:") {
            return std::env::var(name)
                .map(String::into_bytes)
                .map_err(|_| Fault::new(&NO_SECRET).at(&self.0));
        }
        if let Some(path) = self.0.strip_prefix("file:") {
            return std::fs::read(root.join(path))
                .map_err(|e| Fault::new(&NO_SECRET).at(&self.0).detail(e.kind()));
        }
        Ok(self.0.clone().into_bytes())
    }

    /// The text it refers to, without white space at its ends.
    ///
    /// # Errors
    /// As [`Reference::bytes`], and where it is not UTF-8.
    pub fn text(&self, root: &Path) -> Outcome<String> {
        String::from_utf8(self.bytes(root)?)
            .map(|t| t.trim().to_owned())
            .map_err(|_| Fault::new(&NO_SECRET).at(&self.0).detail("not UTF-8"))
    }
}

impl std::fmt::Debug for Reference {
    /// A value that stands for itself may be a secret: only references are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown =
            if self.0.starts_with("env:") || self.0.starts_with("file:") { &self.0 } else { "(given)" };
        f.write_str(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_named_with_its_line() {
        let fault = Config::parse("office = \"H40\"\nname = \"x\"\ntranning = true\n").unwrap_err();
        assert!(fault.to_string().contains("line 3"), "{fault}");
    }

    #[test]
    fn a_secret_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", Reference("hunter2".into())), "(given)");
    }
}
