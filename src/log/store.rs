//! A log on disk: one folder, many processes.
//!
//! - `leaves`: 32 bytes an entry (SHA-256 of a statement or mark), append-only and synced; the truth.
//! - `statements`: one canonical statement or mark a line, so that receipts can be made again. Private to the station.
//! - `history`: every head that was signed, one line each, synced before anyone sees the head.
//! - `anchors/`: time stamps and cosignatures of heads. `checkpoint`, `tile/`: for web servers and other people's tools.
//! - `index/`: where a document's statements are. These last three are derived and made again where they are missing.
//!
//! A head is signed only over leaves that are on disk, and only where they extend every head signed before: never
//! two roots for one size. Leaves beyond the signed head are kept and signed next time; nobody was promised less.

mod anchors;
mod commit;
mod folder;
pub(crate) mod history;
mod index;

pub use anchors::certificates;
pub(crate) use anchors::{note_of, sizes as anchored_sizes, token_of};

use super::cose_receipt;
use super::mark::{Mark, Status};
use super::note::{Note, Signer, VerifierKey};
use super::notice::Notice;
use super::proof::Stamp;
use super::receipt::Receipt;
use super::statement::{SALT, Statement, StatementFacts};
use super::tiles::{Edge, Tiles};
use super::tree::{self, Hash};
use crate::digest::{Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::timestamp::without_certificates;
use commit::{Commit, Item};
use history::Head;
use index::Index;
use openssl::pkey::{PKey, Private};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// An open log. Shared freely between threads, whose appends then share one flush; other processes may append to the same
/// folder.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    signer: Signer,
    salt: Zeroizing<[u8; 32]>,
    /// An authority stamps its heads: receipts without a stamp say that they await one.
    stamped: bool,
    state: Mutex<State>,
    commit: Commit,
}

/// What was read and checked of the folder so far.
#[derive(Debug, Default)]
struct State {
    edge: Edge,
    index: Index,
    /// How many leaves are in the index.
    indexed: u64,
    /// Up to where `statements` was read.
    text: u64,
    head: Option<Head>,
}

impl Log {
    /// Opens the log in `folder`, making it where there is none, and checks its leaves against its signed head.
    ///
    /// # Errors
    /// [`FOLDER`]; [`ROLLED_BACK`], [`FORKED`] or [`CHECKPOINT_LOST`] where the folder contradicts what was signed: the
    /// log then refuses to sign; [`OTHER_ORIGIN`]; those of [`Signer::new`].
    pub fn open(folder: &Path, origin: &str, key: PKey<Private>) -> Outcome<Log> {
        Log::open_with(folder, Signer::new(origin, key)?)
    }

    /// As [`Log::open`], with a signer that is already made.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(folder: &Path, signer: Signer) -> Outcome<Log> {
        fs::create_dir_all(folder).map_err(|e| io_fault(&e, "folder"))?;
        let salt = signer.derive(SALT)?;
        let log = Log {
            folder: folder.to_owned(),
            signer,
            salt,
            stamped: false,
            state: Mutex::default(),
            commit: Commit::default(),
        };
        let _lock = log.lock()?;
        log.refresh(&mut log.state())?;
        Ok(log)
    }

    /// Says whether a time stamp authority is asked about this log's heads.
    #[must_use]
    pub fn stamped(mut self, stamped: bool) -> Log {
        self.stamped = stamped;
        self
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key that checks this log's receipts.
    pub fn verifier(&self) -> VerifierKey {
        self.signer.verifier()
    }

    /// The signed head as last seen by this process, with the cosignatures that are kept of it.
    ///
    /// # Errors
    /// [`CHECKPOINT_LOST`] cannot happen after a successful open; [`FOLDER`].
    pub fn checkpoint(&self) -> Outcome<String> {
        let head = self.state().head.clone().ok_or(&CHECKPOINT_LOST)?;
        self.cosigned(&head)
    }

    /// Logs one document; the same document with the same facts keeps its place, however often it is logged.
    ///
    /// # Errors
    /// As [`Log::append`], and those of [`Statement::new`].
    pub fn append_document(&self, document: &Digests, facts: &StatementFacts) -> Outcome<Receipt> {
        let statement = self.statement(document, facts)?;
        self.append(&[statement])?.pop().ok_or_else(|| Fault::new(&NOT_LOGGED))
    }

    /// The statement that [`Log::append_document`] would log.
    ///
    /// # Errors
    /// Those of [`Statement::new`].
    pub fn statement(&self, document: &Digests, facts: &StatementFacts) -> Outcome<Statement> {
        Statement::salted(document, facts, &self.salt)
    }

    /// Logs statements in one commit, together with what other threads log at the same time; a receipt each, in order,
    /// once they are durable and signed for. Where a statement supersedes a document that is in this log, the mark that
    /// says so of the older one is logged with it.
    ///
    /// # Errors
    /// As [`Log::open`]. After a fault nothing was promised; the same call may be made again.
    pub fn append(&self, statements: &[Statement]) -> Outcome<Vec<Receipt>> {
        let mut items: Vec<Item> = statements.iter().map(Item::paper).collect();
        for older in statements.iter().filter_map(|s| s.supersedes) {
            items.extend(self.marks(&older, Status::Superseded)?.iter().map(Item::mark));
        }
        let placed = self.commit(items)?;
        // All of one commit stand under one head.
        let Some(head) = placed.first().map(|first| Head::read(&first.checkpoint, &self.verifier())) else {
            return Ok(Vec::new());
        };
        let (stamp, checkpoint) = self.confirmed(&head?)?;
        let receipts = statements.iter().zip(placed).map(|(statement, placed)| {
            let (stamp, checkpoint) = (stamp.clone(), checkpoint.clone());
            let (statement, index, path) = (statement.clone(), placed.index, placed.path);
            short(Receipt { statement, stamp, index, path, checkpoint })
        });
        receipts.collect()
    }

    /// Logs that a document does not hold any more; a notice for each statement that was made about it.
    ///
    /// # Errors
    /// [`NOT_LOGGED`] for a document that is not in this log; as [`Log::append`].
    pub fn revoke(&self, document: &Sha256) -> Outcome<Vec<Notice>> {
        let marks = self.marks(document, Status::Revoked)?;
        if marks.is_empty() {
            return Err(Fault::new(&NOT_LOGGED));
        }
        let placed = self.commit(marks.iter().map(Item::mark).collect())?;
        let notices = marks.into_iter().zip(placed).map(|(mark, placed)| {
            let stamp = if self.stamped { Stamp::Awaited } else { Stamp::None };
            let (index, path, checkpoint) = (placed.index, placed.path, placed.checkpoint.to_string());
            Notice { mark, stamp, index, path, checkpoint }
        });
        Ok(notices.collect())
    }

    /// A receipt for a document that was logged before, found by its SHA-256; the last statement about it counts. It is
    /// under the first head that an authority stamped or a witness cosigned, and under the newest one where there is none.
    ///
    /// # Errors
    /// [`NOT_LOGGED`]; as [`Log::open`].
    pub fn prove(&self, document: &Sha256) -> Outcome<Receipt> {
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let (statement, place) = self.papers(&state, document)?.pop().ok_or(&NOT_LOGGED)?;
        self.proven(&state, statement, place)
    }

    /// As [`Log::prove`], for one statement that was logged.
    ///
    /// # Errors
    /// As there.
    pub fn prove_statement(&self, statement: &Statement) -> Outcome<Receipt> {
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let mut papers = self.papers(&state, &statement.sha256)?.into_iter();
        let (statement, place) = papers.find(|(paper, _)| paper == statement).ok_or(&NOT_LOGGED)?;
        self.proven(&state, statement, place)
    }

    /// A receipt of this log as COSE ([`cose_receipt::of`]).
    ///
    /// # Errors
    /// As there.
    pub fn cose_receipt(&self, receipt: &Receipt) -> Outcome<Vec<u8>> {
        cose_receipt::of(receipt, &self.signer)
    }

    /// Keeps a time stamp token over the text of the head of `size` leaves; whoever asked for it has checked it.
    ///
    /// # Errors
    /// [`FOLDER`]; `SEAL-012` for what is no token.
    pub fn keep_token(&self, size: u64, token: &[u8]) -> Outcome<()> {
        let (_, certificates) = without_certificates(token)?;
        let _lock = self.lock()?;
        anchors::keep_certificates(&self.folder, &certificates)?;
        anchors::keep_token(&self.folder, size, token)
    }

    /// The time stamp token that is kept for the head of `size` leaves.
    ///
    /// # Errors
    /// [`FOLDER`].
    pub fn token_of(&self, size: u64) -> Outcome<Option<Vec<u8>>> {
        token_of(&self.folder, size)
    }

    /// Keeps cosignature lines of these witnesses for the checkpoint that they stand under in `note`; returns the
    /// checkpoint with all that are kept. Lines that are not by one of the keys are left out.
    ///
    /// # Errors
    /// [`OTHER_ORIGIN`] where the note is not this log's; [`FOLDER`].
    pub fn keep_cosignatures(&self, note: &str, witnesses: &[VerifierKey]) -> Outcome<String> {
        let _lock = self.lock()?;
        let head = Head::read(note, &self.verifier())?;
        let parsed = Note::parse(note)?;
        let good: Vec<_> = witnesses.iter().filter(|w| parsed.cosigned_at(w).is_some()).cloned().collect();
        let own = format!("{}\n{}", parsed.text(), parsed.lines_by(&[self.verifier()]));
        let kept = self.cosigned(&Head { note: own.clone(), ..head.clone() })?;
        let before = Note::parse(&kept)?;
        let others = before.lines_except(&[&good[..], &[self.verifier()]].concat());
        let note = format!("{own}{others}{}", parsed.lines_by(&good));
        anchors::keep_note(&self.folder, head.checkpoint.size, &note)?;
        Ok(note)
    }

    /// The proof that the log of `old` leaves grew into the log of now.
    ///
    /// # Errors
    /// [`NOT_LOGGED`] where the log never was that large; as [`Log::open`].
    pub fn prove_growth(&self, old: u64) -> Outcome<Vec<Hash>> {
        self.prove_growth_between(old, self.size())
    }

    /// The proof that the log of `old` leaves grew into that of `new`.
    ///
    /// # Errors
    /// As [`Log::prove_growth`].
    pub fn prove_growth_between(&self, old: u64, new: u64) -> Outcome<Vec<Hash>> {
        let _lock = self.lock()?;
        let state = self.state();
        if old > new || new > state.edge.size() {
            let detail = format!("{old} to {new} leaves of {}", state.edge.size());
            return Err(Fault::new(&NOT_LOGGED).detail(detail));
        }
        tree::consistency_proof(&Tiles::mending(&self.folder, &state.edge), old, new)
    }

    /// How many leaves are signed for.
    pub fn size(&self) -> u64 {
        self.state().head.as_ref().map_or(0, |h| h.checkpoint.size)
    }

    fn proven(&self, state: &State, statement: Statement, place: u64) -> Outcome<Receipt> {
        let newest = state.head.clone().ok_or(&CHECKPOINT_LOST)?;
        let anchored = match anchors::first_token(&self.folder, place + 1)? {
            Some(size) => Some(size),
            None => anchors::first_note(&self.folder, place + 1)?,
        };
        let head = match anchored.filter(|size| *size < newest.checkpoint.size) {
            Some(size) => self.kept_head(size)?.unwrap_or(newest),
            None => newest,
        };
        let tiles = Tiles::mending(&self.folder, &state.edge);
        let path = folder::proof(&tiles, &head, &statement.leaf(), place)?;
        let (stamp, checkpoint) = self.confirmed(&head)?;
        short(Receipt { statement, stamp, index: place, path, checkpoint })
    }

    /// Every statement about a document with its place, oldest first.
    fn papers(&self, state: &State, document: &Sha256) -> Outcome<Vec<(Statement, u64)>> {
        let mut papers = Vec::new();
        for spot in state.index.find(&folder::key(document))? {
            let line = folder::line_at(&self.folder, spot.line)?;
            let Ok(statement) = Statement::parse(&line) else { continue };
            if statement.sha256 == *document
                && folder::entry_at(&self.folder, spot.place)? == statement.entry()
            {
                papers.push((statement, spot.place));
            }
        }
        Ok(papers)
    }

    /// What is to be logged where this becomes of a document; empty where it never was logged.
    fn marks(&self, document: &Sha256, status: Status) -> Outcome<Vec<Mark>> {
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let mut papers = self.papers(&state, document)?;
        papers.dedup_by_key(|(_, place)| *place);
        Ok(papers.iter().map(|(statement, _)| Mark::of(statement, status)).collect())
    }

    /// What is kept about a head: its time stamp, and the head with its cosignatures.
    fn confirmed(&self, head: &Head) -> Outcome<(Stamp, String)> {
        let stamp = match token_of(&self.folder, head.checkpoint.size)? {
            Some(token) => Stamp::Token(token),
            None if self.stamped => Stamp::Awaited,
            None => Stamp::None,
        };
        Ok((stamp, self.cosigned(head)?))
    }

    /// The head with the cosignatures that are kept of it.
    fn cosigned(&self, head: &Head) -> Outcome<String> {
        let kept = note_of(&self.folder, head.checkpoint.size)?;
        // What is kept under this size must be this very head, or it is not handed out.
        let same =
            |note: &String| Head::read(note, &self.verifier()).is_ok_and(|k| k.checkpoint == head.checkpoint);
        Ok(kept.filter(same).unwrap_or_else(|| head.note.clone()))
    }

    /// A head that was signed before, from what is kept about it or from the history.
    fn kept_head(&self, size: u64) -> Outcome<Option<Head>> {
        let key = self.verifier();
        if let Some(note) = note_of(&self.folder, size)?
            && let Ok(head) = Head::read(&note, &key)
            && head.checkpoint.size == size
        {
            return Ok(Some(head));
        }
        history::of_size(&self.folder, &key, size)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a receipt would be longer than [`SHORT`], its time stamp goes without its certificates: they lie in
/// `authorities/`, and whoever trusts the authority has its own.
fn short(mut receipt: Receipt) -> Outcome<Receipt> {
    if let Stamp::Token(token) = &receipt.stamp
        && receipt.to_text().len() > SHORT
    {
        receipt.stamp = Stamp::Token(without_certificates(token)?.0);
    }
    Ok(receipt)
}

/// Bytes of a receipt that still takes the authority's certificates along.
const SHORT: usize = 2500;

pub(super) fn io_fault(error: &std::io::Error, place: &str) -> Fault {
    Fault::new(&FOLDER).detail(error.kind()).at(place)
}

/// The folder cannot be read or written.
pub const FOLDER: Code = Code {
    id: "LOG-010",
    class: Class::Later,
    vi: "Không đọc hoặc ghi được thư mục nhật ký minh bạch",
    en: "the log's folder cannot be read or written",
    remedy_vi: "Kiểm tra ổ đĩa và quyền truy cập",
    remedy_en: "check the disk and the permissions",
};
/// There are fewer leaves than were signed for.
pub const ROLLED_BACK: Code = Code {
    id: "LOG-011",
    class: Class::Setup,
    vi: "Nhật ký ngắn hơn điểm chốt đã ký, từ chối ký tiếp",
    en: "the log is shorter than its signed head, refusing to sign",
    remedy_vi: "Khôi phục thư mục nhật ký mới nhất từ bản sao lưu; không xóa history và checkpoint",
    remedy_en: "restore the newest folder from a backup; do not delete history and checkpoint",
};
/// The leaves do not give the signed root.
pub const FORKED: Code = Code {
    id: "LOG-012",
    class: Class::Setup,
    vi: "Nội dung nhật ký không khớp với điểm chốt đã ký, từ chối ký tiếp",
    en: "the leaves do not give the root that was signed, refusing to sign",
    remedy_vi: "Tệp leaves đã bị sửa; khôi phục từ bản sao lưu và báo cho người phụ trách",
    remedy_en: "the leaves file was changed; restore it from a backup and tell the keeper",
};
/// Leaves without a signed head.
pub const CHECKPOINT_LOST: Code = Code {
    id: "LOG-013",
    class: Class::Setup,
    vi: "Có nhật ký nhưng mất điểm chốt đã ký, từ chối ký tiếp",
    en: "there are leaves but no signed head, refusing to sign",
    remedy_vi: "Khôi phục tệp history và checkpoint từ bản sao lưu",
    remedy_en: "restore the files history and checkpoint from a backup",
};
/// The head is another log's, or not signed by this key.
pub const OTHER_ORIGIN: Code = Code {
    id: "LOG-014",
    class: Class::Setup,
    vi: "Điểm chốt trong thư mục không do khóa này ký",
    en: "the head in this folder is not signed by this key",
    remedy_vi: "Dùng đúng thư mục, tên và khóa của nhật ký",
    remedy_en: "use the folder, name and key that belong together",
};
/// The document or size is not in the log.
pub const NOT_LOGGED: Code = Code {
    id: "LOG-015",
    class: Class::Input,
    vi: "Tài liệu này chưa được ghi vào nhật ký",
    en: "this document is not in the log",
    remedy_vi: "Ghi tài liệu bằng hoso log append",
    remedy_en: "log it with hoso log append",
};
/// More leaves than one log takes.
pub const TOO_LARGE: Code = Code {
    id: "LOG-016",
    class: Class::Setup,
    vi: "Nhật ký đã đầy",
    en: "the log is full",
    remedy_vi: "Mở nhật ký mới với tên khác",
    remedy_en: "start a new log under another name",
};

#[cfg(test)]
mod tests;
