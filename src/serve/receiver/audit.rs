//! Refusals and alarms, one JSON line each in `var/audit.jsonl`: when, what, whose. No address, no body, no personal data. Whoever
//! sends rubbish without end fills neither memory nor disk: lines that come too fast are counted, and the file starts over at its
//! limit, with the one before it kept.

use crate::clock::Clock;
use crate::fault::Fault;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};

/// Where refusals are written down.
#[derive(Debug, Clone)]
pub struct Audit {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

impl Audit {
    /// Appends to a file; its thread ends with the last handle. A file that cannot be opened or written is told to the program's
    /// log, where every line goes besides.
    pub fn open(path: &Path, clock: Clock) -> Self {
        let (lines, queue) = mpsc::sync_channel::<String>(QUEUE);
        let path = path.to_owned();
        let begun = std::thread::Builder::new().name("audit".into()).spawn(move || {
            let mut file = append(&path);
            while let Ok(line) = queue.recv() {
                file = file.filter(|file| file.metadata().is_ok_and(|about| about.len() < LARGEST)).or_else(
                    || {
                        let _ = std::fs::rename(&path, path.with_extension("jsonl.1"));
                        append(&path)
                    },
                );
                if let Some(file) = &mut file
                    && let Err(error) = file.write_all(line.as_bytes())
                {
                    tracing::warn!(kind = ?error.kind(), "the audit file cannot be written");
                }
            }
        });
        if let Err(error) = begun {
            tracing::warn!(kind = ?error.kind(), "refusals are told in the program's log only");
        }
        Audit { lines, dropped: Arc::default(), clock }
    }

    /// Writes one event down; never waits.
    pub fn note(&self, event: &str, fault: &Fault) {
        tracing::warn!(
            event,
            code = fault.code.id,
            detail = fault.detail.as_deref(),
            "a request was not taken"
        );
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        let line = json!({
            "at": crate::clock::vietnam_time(self.clock.now_ms()),
            "event": event,
            "code": fault.code.id,
            "sender": fault.place,
            "detail": fault.detail,
            "not_written_before": lost,
        });
        if self.lines.try_send(format!("{line}\n")).is_err() {
            self.dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

fn append(path: &PathBuf) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).ok()
}

const QUEUE: usize = 256;
/// Bytes.
const LARGEST: u64 = 16 << 20;
