//! `claims/`: keys and certificates as this station has them. Nobody trusts a bundle for them.

use super::{Source, Work};
use crate::digest::Blake3;
use crate::dossier::is_plain_code;
use crate::evidence::manifest::Run;
use crate::fault::{Fault, Outcome};
use crate::log::Signer;
use crate::station::config::RecipientConfig;
use std::fs;

impl Work<'_> {
    /// Keys and certificates that a reader compares with those that came from elsewhere.
    pub(super) fn claims(&mut self, signer: &Signer, runs: &[Run]) -> Outcome<()> {
        self.put("claims/log.keys", Source::Bytes(format!("{}\n", signer.verifier()).into_bytes()));
        for delivery in runs.iter().flat_map(|run| &run.deliveries) {
            let config = self.station.config.recipients.get(&delivery.recipient);
            if let Some(RecipientConfig::Push { receipt_key, .. }) = config {
                self.claim("receipts", &delivery.recipient, &self.station.path(receipt_key))?;
            }
        }
        let mut folders = vec![
            ("signing", self.station.path("anchors/signing")),
            // Long receipts leave these out.
            ("authorities", self.station.path("var/log/authorities")),
        ];
        if runs.iter().any(|run| run.identity.is_some()) {
            folders.push(("csca", self.station.path("anchors/csca")));
        }
        for (claim, folder) in folders {
            let mut files: Vec<_> =
                fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
            files.sort();
            for file in files.iter().filter(|f| f.is_file()) {
                let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
                self.claim(claim, stem, file)?;
            }
        }
        Ok(())
    }

    fn claim(&mut self, folder: &str, stem: &str, file: &std::path::Path) -> Outcome<()> {
        let kind = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !["pem", "crt", "cer", "crl", "ocsp", "ors"].contains(&kind) {
            return Ok(());
        }
        let unreadable =
            |e: std::io::Error| Fault::new(&crate::seal::verify::anchors::ANCHORS).detail(e.kind());
        if fs::metadata(file).map_err(unreadable)?.len() > MAX_CLAIM {
            return Ok(());
        }
        let bytes = fs::read(file).map_err(|e| unreadable(e).at(file.display()))?;
        // A private key that somebody laid among the anchors stays where it is.
        if bytes.windows(11).any(|w| w == b"PRIVATE KEY") {
            return Ok(());
        }
        let stem = if is_plain_code(stem) { stem.to_owned() } else { Blake3::of(stem.as_bytes()).short() };
        self.put(&format!("claims/{folder}/{stem}.{kind}"), Source::Bytes(bytes));
        Ok(())
    }
}

const MAX_CLAIM: u64 = 16 << 20;
