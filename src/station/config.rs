//! `hoso.toml`. An unknown key is an error: a typing mistake must never quietly switch something off.

use super::wire::{ClientConfig, InboxConfig, SenderConfig};
use super::{BAD_CONFIG, NO_SECRET};
use crate::deliver::portal::dialect::Dialect;
use crate::fault::{Fault, Outcome};
use crate::seal::key::preflight::Issuers;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// How much goes to one recipient at once, and when one that fails is left alone.
    #[serde(default)]
    pub pace: crate::deliver::pace::PaceRule,
    /// The wallet issuer.
    pub issuer: Option<IssuerConfig>,
    /// What evidence bundles show.
    #[serde(default)]
    pub evidence: EvidenceConfig,
    /// Who is delivered to, by name.
    #[serde(default)]
    pub recipients: BTreeMap<String, RecipientConfig>,
    /// This station as a receiver.
    pub inbox: Option<InboxConfig>,
    /// Who may send to it, by name.
    #[serde(default)]
    pub senders: BTreeMap<String, SenderConfig>,
    /// Programs that hand in and ask, by name.
    #[serde(default)]
    pub clients: BTreeMap<String, ClientConfig>,
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
    /// The national portal's sync contract.
    Dvcqg {
        /// Which of its envelopes the adapter speaks: `session`, `bridge` or `older-bridge`.
        #[serde(default)]
        dialect: Dialect,
        /// Base address of the adapter.
        url: Reference,
        /// Account, of a session adapter.
        username: Option<Reference>,
        /// Its password.
        password: Option<Reference>,
        /// `madonvi`, `MaDinhDanhDV`: the unit's code at the portal.
        unit: String,
        /// `dstcode` header, where the adapter wants one.
        dstcode: Option<String>,
        /// Public base address under which the portal fetches documents: what `hoso serve` offers below `/files/`.
        links: String,
        /// For how many days a link is good; 90 by itself.
        link_days: Option<u32>,
        /// Paths below the base address, where they are not the usual ones.
        #[serde(default)]
        endpoints: Box<Endpoints>,
        /// A recipient of the session dialect that answers questions for this bridge.
        ask_through: Option<String>,
        /// Tables other than the national ones: `profiles/portal/NAME.toml`.
        adapter: Option<String>,
        /// Obligatory fields that this adapter is known to take empty.
        #[serde(default)]
        waived: BTreeSet<String>,
    },
    /// A wallet or store that speaks push v1.
    Push {
        /// Base address.
        url: Reference,
        /// The receiver's public key or certificate, PEM, below the station: its receipts are checked with it.
        receipt_key: String,
        /// The key that signs our requests, PEM.
        key: Reference,
        /// Whether anything of a citizen's goes there only once they agreed (Law 91/2025/QH15). An authority that hands
        /// over its own result need not ask; a store run by others does.
        #[serde(default)]
        consent: ConsentRule,
        /// The purpose that the consent has to name, where one is required.
        purpose: Option<String>,
        /// The certificate of that key and those above it, PEM, below the station: shown to a receiver that asks who connects
        /// (mutual TLS).
        certificate: Option<String>,
        /// The only authorities that are trusted for this receiver, PEM, below the station; otherwise those of the system.
        ca: Option<String>,
    },
}

/// Whether a citizen's consent is asked for before anything of theirs goes to a recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentRule {
    /// It goes without; a citizen who says no stops it all the same.
    #[default]
    NotRequired,
    /// It is held until they agree.
    Required,
}

impl RecipientConfig {
    /// The purpose that a citizen has to have agreed to, where consent is required.
    pub fn needs_consent(&self) -> Option<&str> {
        match self {
            RecipientConfig::Push { consent: ConsentRule::Required, purpose, .. } => {
                Some(purpose.as_deref().unwrap_or_default())
            }
            RecipientConfig::Push { .. } | RecipientConfig::Dvcqg { .. } => None,
        }
    }
}

/// `[recipients.NAME.dvcqg.endpoints]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Endpoints {
    /// Session: where sessions are given; `login` by itself.
    pub auth: Option<String>,
    /// Session: where everything else is taken; `integration` by itself.
    pub integration: Option<String>,
    /// Bridge: where new dossiers go.
    pub add: Option<String>,
    /// Bridge: where changed ones go.
    pub update: Option<String>,
    /// Bridges: where progress goes.
    pub progress: Option<String>,
    /// Older bridge: where dossiers go; `DongBoHoSoMC` by itself.
    pub dossier: Option<String>,
}

impl Config {
    /// Reads the text.
    ///
    /// # Errors
    /// `STAT-002` with line and column.
    pub fn parse(text: &str) -> Outcome<Self> {
        let config: Config = toml::from_str(text).map_err(|e| {
            let start = e.span().map_or(0, |s| s.start).min(text.len());
            let before = text.get(..start).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            Fault::new(&BAD_CONFIG).at(format!("line {line}")).detail(e.message())
        })?;
        for (name, recipient) in &config.recipients {
            if recipient.needs_consent().is_some_and(|purpose| !is_purpose(purpose)) {
                let wanted =
                    "consent is required, so `purpose` has to say what for: 1 to 64 of a-z, 0-9, - and .";
                return Err(Fault::new(&BAD_CONFIG).at(format!("recipients.{name}")).detail(wanted));
            }
        }
        Ok(config)
    }
}

/// Whether a text can name the purpose of a consent.
pub fn is_purpose(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
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
    fn a_recipient_says_which_dialect_its_adapter_speaks() {
        let base = "office = \"H40\"\nname = \"x\"\n[log]\norigin = \"o\"\nkey = \"k\"\n[recipients.p.dvcqg]\nurl = \"https://x\"\nunit = \"u\"\nlinks = \"https://l\"\n";
        let read = |more: &str| Config::parse(&format!("{base}{more}"));
        let dialect = |config: &Config| match &config.recipients["p"] {
            RecipientConfig::Dvcqg { dialect, .. } => *dialect,
            RecipientConfig::Push { .. } => panic!("push"),
        };
        assert_eq!(dialect(&read("").unwrap()), Dialect::Session);
        let bridge = "dialect = \"bridge\"\n[recipients.p.dvcqg.endpoints]\nadd = \"a\"\n";
        assert_eq!(dialect(&read(bridge).unwrap()), Dialect::Bridge);
        assert_eq!(dialect(&read("dialect = \"older-bridge\"").unwrap()), Dialect::OlderBridge);
        assert!(read("dialect = \"other\"").is_err());
        assert!(read("[recipients.p.dvcqg.endpoints]\nad = \"a\"").is_err());
    }

    #[test]
    fn a_secret_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", Reference("hunter2".into())), "(given)");
    }
}
