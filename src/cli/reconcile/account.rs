//! What an interrupted reconciliation has asked already, kept for a day.

use super::Row;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The account of one recipient.
pub(super) struct Account {
    path: PathBuf,
    file: File,
    known: HashMap<Sha256, Row>,
}

impl Account {
    /// Goes on with the account in a folder, or begins one.
    pub(super) fn open(folder: &Path, recipient: &str, now: i64, afresh: bool) -> Outcome<Self> {
        let unable = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e.kind());
        fs::create_dir_all(folder).map_err(unable)?;
        let path = folder.join(format!("{recipient}.asked.jsonl"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => String::new(),
            Err(e) => return Err(unable(e)),
        };
        let mut lines = text.lines();
        let began = lines.next().and_then(|line| line.parse::<i64>().ok());
        let young = began.is_some_and(|began| (0..DAY_MS).contains(&now.saturating_sub(began)));
        let goes_on = young && !afresh;
        // A line that a crash tore is asked again.
        let rows = lines.filter(|_| goes_on).filter_map(|line| serde_json::from_str::<Row>(line).ok());
        // What lacked may have been sent since: it is asked about again, or it would be told twice.
        let there = rows.filter(|row| row.standing.is_some_and(|standing| !standing.lacks()));
        let known = there.map(|row| (row.delivery_id, row)).collect();
        let mut options = OpenOptions::new();
        options.create(true).mode(0o600);
        if goes_on {
            options.append(true)
        } else {
            options.write(true).truncate(true)
        };
        let mut file = options.open(&path).map_err(unable)?;
        let head = if goes_on { "\n".to_owned() } else { format!("{now}\n") };
        file.write_all(head.as_bytes()).map_err(unable)?;
        Ok(Account { path, file, known })
    }

    /// What the portal said of a parcel's dossier.
    pub(super) fn known(&mut self, parcel: &Sha256) -> Option<Row> {
        self.known.remove(parcel)
    }

    /// Notes what it said.
    pub(super) fn keep(&mut self, row: &Row) -> Outcome<()> {
        let line = serde_json::to_string(row).unwrap_or_default() + "\n";
        self.file.write_all(line.as_bytes()).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))
    }

    /// All was asked: the next reconciliation begins anew.
    pub(super) fn close(self) -> Outcome<()> {
        fs::remove_file(&self.path).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()))
    }
}

const DAY_MS: i64 = 86_400_000;

/// What was asked or told cannot be written down.
pub(super) const UNWRITABLE: Code = Code {
    id: "SEND-146",
    class: Class::Later,
    vi: "Không ghi được kết quả đối chiếu",
    en: "what was reconciled cannot be written down",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi vào var/reconcile/",
    remedy_en: "check the free space and the right to write in var/reconcile/",
};
