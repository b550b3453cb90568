//! What reconciling told the portal again: one line each in `var/reconcile/NAME.told.jsonl`, its receipt among the blobs.

use super::account::UNWRITABLE;
use crate::blobs::Blobs;
use crate::clock::vietnam_time;
use crate::deliver::file_link::Links;
use crate::deliver::portal::SyncReceipt;
use crate::digest::Blake3;
use crate::fault::{Fault, Outcome};
use crate::ledger::acknowledged::{Acknowledged, Outbox};
use crate::station::Station;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// The list of one recipient.
pub(super) struct Told {
    file: File,
    /// When the links that were sent last end, by dossier.
    until: HashMap<String, i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at: String,
    dossier: String,
    why: String,
    receipt: Blake3,
    links_until: Option<i64>,
}

impl Told {
    pub(super) fn open(station: &Station, recipient: &str) -> Outcome<Self> {
        let unable = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e.kind());
        let path = station.path("var/reconcile").join(format!("{recipient}.told.jsonl"));
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(unable)?;
        let text = fs::read_to_string(&path).map_err(unable)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(unable)?;
        }
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let until = lines.filter_map(|line| Some((line.dossier, line.links_until?))).collect();
        Ok(Told { file, until })
    }

    /// Whether the links of a dossier end soon. Those that nobody knows the end of are due.
    pub(super) fn links_are_due(
        &self,
        outbox: &Outbox,
        blobs: &Blobs,
        acknowledged: &Acknowledged,
        links: &Links,
        now: i64,
    ) -> Outcome<bool> {
        let kept = match (outbox.proof(&acknowledged.id)?, &acknowledged.receipt) {
            (Some(proof), _) => Some(proof),
            (None, Some(digest)) => blobs.get(digest).ok(),
            (None, None) => None,
        };
        let receipt = kept.and_then(|bytes| serde_json::from_slice::<SyncReceipt>(&bytes).ok());
        let renewed = acknowledged.subject.rsplit(' ').next().and_then(|code| self.until.get(code)).copied();
        let until = receipt.and_then(|receipt| receipt.links_until).max(renewed);
        Ok(until.is_none_or(|until| links.due(until, now)))
    }

    /// Writes down that a dossier was told again; on disk when this returns.
    pub(super) fn keep(
        &mut self,
        dossier: &str,
        why: &str,
        receipt: &[u8],
        blobs: &Blobs,
        now: i64,
    ) -> Outcome<()> {
        let links_until = serde_json::from_slice::<SyncReceipt>(receipt).ok().and_then(|r| r.links_until);
        let line = Line {
            at: vietnam_time(now),
            dossier: dossier.into(),
            why: why.into(),
            receipt: blobs.put(receipt)?.blake3,
            links_until,
        };
        let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))?;
        if let Some(until) = links_until {
            self.until.insert(line.dossier, until);
        }
        Ok(())
    }
}
