//! What a station demands of a reading, as arguments: the same wherever a reading is judged, so that no command shows as
//! genuine what another one refuses.

use crate::chip::{Policy, Reading, Trust, Verdict, verify};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
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
        if let Some(folder) = anchors.filter(|_| trust.is_empty())
            && let Some(list) = list_as_received(folder)
        {
            return Err(Fault::new(&NOT_IMPORTED).at(list.display()));
        }
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

/// A master list that lies in a folder as it was downloaded; nobody is trusted by it.
fn list_as_received(folder: &Path) -> Option<PathBuf> {
    let paths = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| {
            path.extension().is_some_and(|e| ["ml", "ldif"].iter().any(|l| e.eq_ignore_ascii_case(l)))
        })
        .min()
}

/// The folder of anchors holds nothing but a list that was not imported.
pub(crate) const NOT_IMPORTED: Code = Code {
    id: "CHIP-035",
    class: Class::Setup,
    vi: "Thư mục --anchors chỉ có danh sách chứng thư gốc chưa nhập, nên chưa tin cậy cơ quan nào",
    en: "the --anchors folder holds only a master list that was not imported, so nobody is trusted",
    remedy_vi: "Nhập danh sách bằng hoso identity anchors import, với chứng thư của nơi công bố ở --root",
    remedy_en: "import it with hoso identity anchors import, with its publisher's certificate as --root",
};

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        demands: DemandArgs,
    }

    #[test]
    fn a_list_that_was_not_imported_is_told_and_an_empty_folder_trusts_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let demands = Line::parse_from(["test"]).demands;
        assert!(demands.trust(Some(folder.path())).unwrap().is_empty());
        std::fs::write(folder.path().join("DE_ML.ML"), b"0").unwrap();
        let fault = demands.trust(Some(folder.path())).err().unwrap();
        assert_eq!((fault.code.id, fault.place.is_some()), ("CHIP-035", true));
    }
}
