//! What a station demands of a reading, as arguments: the same wherever a reading is judged, so that no command shows as
//! genuine what another one refuses.

use crate::chip::{Policy, Reading, Trust, Verdict, verify};
use crate::digest::Sha256;
use crate::fault::Outcome;
use std::path::{Path, PathBuf};

/// Arguments of every command that judges readings.
#[derive(Debug, clap::Args)]
pub(crate) struct DemandArgs {
    /// Folder of revocation lists, besides those in the folder of anchors.
    #[arg(long, value_name = "DIR")]
    crl: Option<PathBuf>,
    /// Judge as of this time (RFC 3339) in place of now.
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// What this station asked the chip to sign (`hoso card read --challenge`): an answer to anything else is a replay.
    #[arg(long, value_name = "HEX", value_parser = crate::cli::card::challenge)]
    challenge: Option<[u8; 8]>,
    /// SHA-256 of the key that this station made for chip authentication, as `hoso card read` tells it: without it a
    /// recorded chip authentication does not count, since it could have been written without a chip.
    #[arg(long, value_name = "SHA256")]
    terminal_key: Option<Sha256>,
    /// Data groups that must be there and match, besides 1 and 2.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=16))]
    require: Vec<u8>,
    /// Accept SHA-1, short keys and the like; they are still shown.
    #[arg(long)]
    allow_weak: bool,
}

impl DemandArgs {
    /// Whom the station trusts: nobody without a folder of anchors.
    ///
    /// # Errors
    /// Those of reading the folders.
    pub(crate) fn trust(&self, anchors: Option<&Path>) -> Outcome<Trust> {
        let mut trust = anchors.map_or_else(|| Ok(Trust::default()), Trust::load)?;
        if let Some(folder) = &self.crl {
            trust.add_lists(folder)?;
        }
        Ok(trust)
    }

    pub(crate) fn policy(&self) -> Policy {
        let challenge = self.challenge.map(|challenge| challenge.to_vec());
        let (allow_weak, terminal_key) = (self.allow_weak, self.terminal_key);
        let mut policy = Policy { allow_weak, challenge, terminal_key, ..Policy::default() };
        policy.required.extend(&self.require);
        policy
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.at.unwrap_or_else(jiff::Timestamp::now)
    }

    /// The verdict on one reading.
    ///
    /// # Errors
    /// As [`DemandArgs::trust`].
    pub(crate) fn judge(&self, reading: &Reading, anchors: &Path) -> Outcome<Verdict> {
        Ok(verify(reading, &self.trust(Some(anchors))?, self.now(), &self.policy()))
    }
}
