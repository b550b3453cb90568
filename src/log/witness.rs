//! Witnessing other offices' logs (C2SP tlog-witness): a witness keeps the last checkpoint that it vouched for of every log
//! that it knows, and vouches for a newer one only where that proves to have grown out of it.

pub mod client;

use super::note::{Checkpoint, KeyKind, MAX_NOTE, Note, Signed, Signer, VerifierKey, decimal};
use super::store::history::{self, Head};
use super::tree::{Hash, is_consistent};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Longest request that is read: 63 hashes and a note.
pub const MAX_REQUEST: usize = MAX_NOTE + 64 * 46;

/// The body of an `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Size of the checkpoint that the witness vouched for last.
    pub old: u64,
    /// Consistency proof from there.
    pub proof: Vec<Hash>,
    /// The newer checkpoint, signed by its log.
    pub note: String,
}

impl Request {
    /// The body.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        format!("{text}\n{}", self.note)
    }

    /// Reads a body, strictly; none where it is not one.
    pub fn parse(text: &str) -> Option<Request> {
        if text.len() > MAX_REQUEST {
            return None;
        }
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ").and_then(decimal)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == 63 {
                return None;
            }
            proof.push(STANDARD.decode(line).ok()?.try_into().ok()?);
        }
        Some(Request { old, proof, note: note.to_owned() })
    }
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: cosignature lines.
    Cosigned(String),
    /// 400: no request, or an old size above the new one.
    Malformed,
    /// 404: the log is not known here.
    UnknownLog,
    /// 403: no trusted key signed it.
    NotSigned,
    /// 409: the size of the checkpoint that was vouched for last, which is not the old size, or has another root.
    Conflict(u64),
    /// 422: the proof does not hold.
    NotConsistent,
}

/// A witness: its key, the logs that it knows, and a folder for what it vouched for.
#[derive(Debug)]
pub struct Witness {
    folder: PathBuf,
    signer: Signer,
    logs: Vec<VerifierKey>,
    turn: Mutex<()>,
}

impl Witness {
    /// A witness whose memory lies in `folder`. Without that memory it must not go on: whoever loses it takes another key.
    ///
    /// # Errors
    /// [`STATE`].
    pub fn open(folder: &Path, signer: Signer, logs: Vec<VerifierKey>) -> Outcome<Witness> {
        fs::create_dir_all(folder).map_err(|e| Fault::new(&STATE).detail(e.kind()))?;
        let logs = logs.into_iter().filter(|k| k.kind() == KeyKind::Log).collect();
        Ok(Witness { folder: folder.to_owned(), signer, logs, turn: Mutex::default() })
    }

    /// The key that checks its cosignatures.
    pub fn verifier(&self) -> VerifierKey {
        self.signer.witness()
    }

    /// Judges a request at a time (POSIX seconds). What is vouched for is durable before it is answered.
    ///
    /// # Errors
    /// [`STATE`] where its memory cannot be read or written: then it vouches for nothing.
    pub fn add_checkpoint(&self, body: &str, now: u64) -> Outcome<Answer> {
        let Some(request) = Request::parse(body) else { return Ok(Answer::Malformed) };
        let Ok(note) = Note::parse(&request.note) else { return Ok(Answer::Malformed) };
        let Ok(head) = Checkpoint::parse(note.text()) else { return Ok(Answer::Malformed) };
        let keys: Vec<&VerifierKey> = self.logs.iter().filter(|k| k.name() == head.origin).collect();
        if keys.is_empty() {
            return Ok(Answer::UnknownLog);
        }
        let Some(key) = keys.iter().find(|k| note.signed_by(k) == Signed::By) else {
            return Ok(Answer::NotSigned);
        };
        if request.old > head.size {
            return Ok(Answer::Malformed);
        }
        let own = format!("{}\n{}", note.text(), note.lines_by(std::slice::from_ref(key)));
        let new = Head { note: own, checkpoint: head };
        // Comparing with the last one and keeping the new one are one step, for other processes, too.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let unusable = |e: std::io::Error| Fault::new(&STATE).detail(e.kind());
        let folder = self.folder.join(Sha256::of(new.checkpoint.origin.as_bytes()).to_string());
        fs::create_dir_all(&folder).map_err(unusable)?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(unusable)?;
        let answer = self.judge(&folder, &keys, &request, &new, now);
        drop(lock);
        answer
    }

    fn judge(
        &self,
        folder: &Path,
        keys: &[&VerifierKey],
        request: &Request,
        new: &Head,
        now: u64,
    ) -> Outcome<Answer> {
        let last = last(folder, keys)?;
        let (size, root) = match &last {
            Some(head) => (head.checkpoint.size, head.checkpoint.root),
            None => (0, openssl::sha::sha256(b"")),
        };
        let Checkpoint { size: new_size, root: new_root, .. } = &new.checkpoint;
        if request.old != size || (size == *new_size && root != *new_root && last.is_some()) {
            return Ok(Answer::Conflict(size));
        }
        if !is_consistent(size, *new_size, &root, new_root, &request.proof) {
            return Ok(Answer::NotConsistent);
        }
        if last.is_none_or(|last| last.checkpoint.size < *new_size) {
            history::append(folder, new).map_err(|f| Fault { code: &STATE, ..f })?;
        }
        Ok(Answer::Cosigned(self.signer.cosign(&new.checkpoint.text(), now)?))
    }
}

/// What was vouched for last; any of the log's keys may have signed it.
fn last(folder: &Path, keys: &[&VerifierKey]) -> Outcome<Option<Head>> {
    let mut unread = None;
    for key in keys {
        match history::last(folder, key) {
            Ok(head) => return Ok(head),
            Err(fault) => unread = Some(fault),
        }
    }
    Err(unread.map_or_else(|| Fault::new(&STATE), |f| Fault { code: &STATE, ..f }))
}

/// The memory of a witness cannot be used.
pub const STATE: Code = Code {
    id: "LOG-025",
    class: Class::Setup,
    vi: "Không đọc hoặc ghi được sổ của nhân chứng, từ chối ký xác nhận",
    en: "the witness's memory cannot be read or written, refusing to cosign",
    remedy_vi: "Khôi phục thư mục var/witness; nếu đã mất thì phải dùng khóa nhân chứng mới",
    remedy_en: "restore the folder var/witness; where it is lost, the witness needs a new key",
};

#[cfg(test)]
mod tests;
