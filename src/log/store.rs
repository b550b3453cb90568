//! A log on disk: one folder, many processes.
//!
//! - `leaves`: 32 bytes an entry (SHA-256 of a statement), append-only and synced; the truth.
//! - `statements`: one canonical statement a line, so that receipts can be made again. Private to the station.
//! - `checkpoint`: the signed head; replaced whole. `tile/`: derived, for web servers and other people's tools.
//!
//! A head is signed only over leaves that are on disk, and only where they extend the head signed before: never
//! two roots for one size. Leaves beyond the signed head are kept and signed next time; nobody was promised less.

use super::note::{Checkpoint, Note, Signed, Signer, VerifierKey};
use super::receipt::Receipt;
use super::statement::{Statement, StatementFacts};
use super::tiles::{Edge, FullTile, Tiles, WIDTH, tile_path, write_tile};
use super::tree::{self, Hash, leaf_hash, root_of_inclusion};
use crate::digest::{Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::pkey::{PKey, Private};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An open log. Shared freely between threads; other processes may append to the same folder.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    signer: Signer,
    state: Mutex<State>,
}

/// What was read and checked of the folder so far.
#[derive(Debug, Default)]
struct State {
    edge: Edge,
    /// First eight bytes of an entry to its index.
    known: HashMap<[u8; 8], u32>,
    head: Option<Head>,
}

#[derive(Debug, Clone)]
struct Head {
    note: String,
    checkpoint: Checkpoint,
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
        let log = Log { folder: folder.to_owned(), signer, state: Mutex::default() };
        let _lock = log.lock()?;
        log.refresh(&mut log.state())?;
        Ok(log)
    }

    /// The key that checks this log's receipts.
    pub fn verifier(&self) -> VerifierKey {
        self.signer.verifier()
    }

    /// The signed head as last seen by this process.
    ///
    /// # Errors
    /// [`CHECKPOINT_LOST`] cannot happen after a successful open.
    pub fn checkpoint(&self) -> Outcome<String> {
        let state = self.state();
        Ok(state.head.as_ref().ok_or(&CHECKPOINT_LOST)?.note.clone())
    }

    /// Logs one document; the same document with the same facts keeps its place, however often it is logged.
    ///
    /// # Errors
    /// As [`Log::append`], and those of [`Statement::new`].
    pub fn append_document(&self, document: &Digests, facts: &StatementFacts) -> Outcome<Receipt> {
        let statement = Statement::new(document, facts, &self.signer)?;
        self.append(&[statement])?.pop().ok_or_else(|| Fault::new(&NOT_LOGGED))
    }

    /// The statement that [`Log::append_document`] would log.
    ///
    /// # Errors
    /// Those of [`Statement::new`].
    pub fn statement(&self, document: &Digests, facts: &StatementFacts) -> Outcome<Statement> {
        Statement::new(document, facts, &self.signer)
    }

    /// Logs statements in one commit; a receipt each, in order, once they are durable and signed for.
    ///
    /// # Errors
    /// As [`Log::open`]. After a fault nothing was promised; the same call may be made again.
    pub fn append(&self, statements: &[Statement]) -> Outcome<Vec<Receipt>> {
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let mut fresh: Vec<(Hash, &Statement)> = Vec::new();
        let mut places = Vec::with_capacity(statements.len());
        let mut in_batch: HashMap<Hash, u64> = HashMap::new();
        for statement in statements {
            let entry = statement.entry();
            let known = in_batch.get(&entry).copied().or(self.place_of(&state, &entry)?);
            let place = match known {
                Some(place) => place,
                None => {
                    let place = state.edge.size() + fresh.len() as u64;
                    fresh.push((entry, statement));
                    in_batch.insert(entry, place);
                    place
                }
            };
            places.push(place);
        }
        if !fresh.is_empty() {
            if state.edge.size() + fresh.len() as u64 > u64::from(u32::MAX) {
                return Err(Fault::new(&TOO_LARGE));
            }
            let lines: Vec<u8> =
                fresh.iter().flat_map(|(_, s)| [&s.to_bytes()[..], b"\n"].concat()).collect();
            let entries: Vec<u8> = fresh.iter().flat_map(|(entry, _)| *entry).collect();
            self.extend("statements", &lines)?;
            self.extend("leaves", &entries)?;
            self.refresh(&mut state)?;
        }
        let tiles = Tiles::new(&self.folder, &state.edge);
        statements
            .iter()
            .zip(places)
            .map(|(statement, place)| self.receipt(&state, &tiles, statement, place))
            .collect()
    }

    /// A receipt under the newest head for a document that was logged before, found by its SHA-256; the last
    /// statement about it counts.
    ///
    /// # Errors
    /// [`NOT_LOGGED`]; as [`Log::open`].
    pub fn prove(&self, document: &Sha256) -> Outcome<Receipt> {
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let mut found = None;
        for line in BufReader::new(self.read("statements")?).split(b'\n') {
            let line = line.map_err(|e| io_fault(&e, "statements"))?;
            // A torn line at the end was never promised to anyone.
            if let Ok(statement) = Statement::parse(&line)
                && statement.sha256 == *document
                && let Some(place) = self.place_of(&state, &statement.entry())?
            {
                found = Some((statement, place));
            }
        }
        let (statement, place) = found.ok_or(&NOT_LOGGED)?;
        self.receipt(&state, &Tiles::new(&self.folder, &state.edge), &statement, place)
    }

    /// The proof that the log of `old` leaves grew into the log of now.
    ///
    /// # Errors
    /// [`NOT_LOGGED`] where the log never was that large; as [`Log::open`].
    pub fn prove_growth(&self, old: u64) -> Outcome<Vec<Hash>> {
        let state = self.state();
        if old > state.edge.size() {
            return Err(Fault::new(&NOT_LOGGED).detail(format!("{old} leaves of {}", state.edge.size())));
        }
        tree::consistency_proof(&Tiles::new(&self.folder, &state.edge), old, state.edge.size())
    }

    /// Reads the folder from its leaves again, writes all tiles again, and says how many leaves there are.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn check(&self) -> Outcome<u64> {
        let _lock = self.lock()?;
        let mut state = self.state();
        let head = state.head.take();
        *state = State::default();
        match fs::remove_dir_all(self.folder.join("tile")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_fault(&e, "tile")),
            _ => self.refresh(&mut state)?,
        }
        if let (Some(before), Some(now)) = (head, &state.head)
            && now.checkpoint.size < before.checkpoint.size
        {
            return Err(Fault::new(&ROLLED_BACK));
        }
        self.write_edge(&state)?;
        Ok(state.edge.size())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps other processes out until the file is closed.
    fn lock(&self) -> Outcome<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(self.folder.join("lock"));
        let file = file.map_err(|e| io_fault(&e, "lock"))?;
        file.lock().map_err(|e| io_fault(&e, "lock"))?;
        Ok(file)
    }

    /// Takes in what other processes added, checks it against the signed head, and signs what is not yet signed.
    fn refresh(&self, state: &mut State) -> Outcome<()> {
        // Where a check fails half way, what was read is not to be built upon.
        let mut next = std::mem::take(state);
        let head = next.head.clone();
        match self.read_on(&mut next) {
            Ok(()) => *state = next,
            // The head that was seen stays known: an older one must not pass later.
            Err(fault) => {
                state.head = head;
                return Err(fault);
            }
        }
        Ok(())
    }

    fn read_on(&self, state: &mut State) -> Outcome<()> {
        let mut leaves = self.open_leaves()?;
        let length = leaves.metadata().map_err(|e| io_fault(&e, "leaves"))?.len();
        let count = length / 32;
        if !length.is_multiple_of(32) {
            leaves
                .set_len(count * 32)
                .and_then(|()| leaves.sync_all())
                .map_err(|e| io_fault(&e, "leaves"))?;
        }
        let seen = state.edge.size();
        let signed = self.read_head()?;
        match (&signed, &state.head) {
            (None, Some(_)) => return Err(Fault::new(&CHECKPOINT_LOST)),
            (None, None) if count > 0 => {
                return Err(Fault::new(&CHECKPOINT_LOST).detail(format!("{count} leaves")));
            }
            (Some(now), Some(before)) if now.checkpoint.size < before.checkpoint.size => {
                return Err(Fault::new(&ROLLED_BACK).detail("an older checkpoint"));
            }
            _ => {}
        }
        let signed_size = signed.as_ref().map_or(0, |h| h.checkpoint.size);
        if count < seen || count < signed_size {
            let detail = format!("{count} leaves on disk, {} signed for", signed_size.max(seen));
            return Err(Fault::new(&ROLLED_BACK).detail(detail));
        }
        if count > u64::from(u32::MAX) {
            return Err(Fault::new(&TOO_LARGE));
        }
        if seen >= signed_size {
            self.compare(state, signed.as_ref())?;
        }
        leaves.seek(SeekFrom::Start(seen * 32)).map_err(|e| io_fault(&e, "leaves"))?;
        let mut reader = BufReader::with_capacity(1 << 16, leaves);
        let mut bundle = Vec::new();
        if !seen.is_multiple_of(WIDTH as u64) && count > seen {
            bundle = self.entries(seen - seen % WIDTH as u64, seen)?;
        }
        state.known.reserve((count - seen) as usize);
        for index in seen..count {
            let mut entry = [0; 32];
            reader.read_exact(&mut entry).map_err(|e| io_fault(&e, "leaves"))?;
            state.known.entry(prefix(&entry)).or_insert(index as u32);
            bundle.push(entry);
            for tile in state.edge.push(leaf_hash(&entry)) {
                self.write_full(&tile, &bundle)?;
            }
            if bundle.len() == WIDTH {
                bundle.clear();
            }
            if index + 1 == signed_size {
                self.compare(state, signed.as_ref())?;
            }
        }
        state.head = signed;
        if state.head.is_none() || count > signed_size {
            self.write_edge(state)?;
            state.head = Some(self.sign(&state.edge)?);
        }
        Ok(())
    }

    /// The signed root must be the root of the leaves.
    fn compare(&self, state: &State, signed: Option<&Head>) -> Outcome<()> {
        let Some(signed) = signed else { return Ok(()) };
        let (size, edge) = (signed.checkpoint.size, &state.edge);
        let root = if size == edge.size() {
            tree::root(edge, size)?
        } else {
            tree::root(&Tiles::new(&self.folder, edge), size)?
        };
        if root == signed.checkpoint.root {
            return Ok(());
        }
        Err(Fault::new(&FORKED).detail(format!("at {size} leaves")))
    }

    fn sign(&self, edge: &Edge) -> Outcome<Head> {
        let origin = self.signer.name().to_owned();
        let checkpoint = Checkpoint { origin, size: edge.size(), root: tree::root(edge, edge.size())? };
        let note = self.signer.sign(&checkpoint.text())?;
        let fault = |e: std::io::Error| io_fault(&e, "checkpoint");
        let temporary = self.folder.join("checkpoint.tmp");
        let mut file = File::create(&temporary).map_err(fault)?;
        file.write_all(note.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
        fs::rename(&temporary, self.folder.join("checkpoint")).map_err(fault)?;
        File::open(&self.folder).and_then(|d| d.sync_all()).map_err(fault)?;
        Ok(Head { note, checkpoint })
    }

    fn read_head(&self) -> Outcome<Option<Head>> {
        let note = match fs::read_to_string(self.folder.join("checkpoint")) {
            Ok(note) => note,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_fault(&e, "checkpoint")),
        };
        let parsed = Note::parse(&note).map_err(|f| f.at("checkpoint"))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(|f| f.at("checkpoint"))?;
        if checkpoint.origin != self.signer.name() || parsed.signed_by(&self.signer.verifier()) != Signed::By
        {
            return Err(Fault::new(&OTHER_ORIGIN).at("checkpoint"));
        }
        Ok(Some(Head { note, checkpoint }))
    }

    fn receipt(
        &self,
        state: &State,
        tiles: &Tiles<'_>,
        statement: &Statement,
        index: u64,
    ) -> Outcome<Receipt> {
        let head = state.head.as_ref().ok_or(&CHECKPOINT_LOST)?;
        let path = tree::inclusion_proof(tiles, index, head.checkpoint.size)?;
        // A damaged tile must not leave the house as a receipt that proves nothing.
        if root_of_inclusion(&statement.leaf(), index, head.checkpoint.size, &path)
            != Some(head.checkpoint.root)
        {
            return Err(
                Fault::new(&super::tiles::NO_SUBTREE).detail(format!("the proof of leaf {index} fails"))
            );
        }
        Ok(Receipt { statement: statement.clone(), index, path, checkpoint: head.note.clone() })
    }

    /// Where an entry lies; eight bytes find it, all 32 decide.
    fn place_of(&self, state: &State, entry: &Hash) -> Outcome<Option<u64>> {
        let Some(place) = state.known.get(&prefix(entry)).map(|p| u64::from(*p)) else { return Ok(None) };
        Ok((self.entries(place, place + 1)?.first() == Some(entry)).then_some(place))
    }

    fn entries(&self, from: u64, to: u64) -> Outcome<Vec<Hash>> {
        let mut bytes = vec![0; (to - from) as usize * 32];
        let mut file = self.read("leaves")?;
        file.seek(SeekFrom::Start(from * 32))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|e| io_fault(&e, "leaves"))?;
        Ok(bytes.as_chunks::<32>().0.to_vec())
    }

    fn open_leaves(&self) -> Outcome<File> {
        let path = self.folder.join("leaves");
        let new = !path.exists();
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(path);
        let file = file.map_err(|e| io_fault(&e, "leaves"))?;
        if new {
            File::open(&self.folder).and_then(|d| d.sync_all()).map_err(|e| io_fault(&e, "folder"))?;
        }
        Ok(file)
    }

    fn read(&self, name: &str) -> Outcome<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(self.folder.join(name));
        file.map_err(|e| io_fault(&e, name))
    }

    fn extend(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let mut file = self.read(name)?;
        // A torn line of an earlier crash is ended, so that this one starts clean.
        let end = file.seek(SeekFrom::End(0)).map_err(|e| io_fault(&e, name))?;
        if name == "statements" && end > 0 {
            let mut last = [0];
            let read = file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
            read.map_err(|e| io_fault(&e, name))?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(|e| io_fault(&e, name))?;
            }
        }
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| io_fault(&e, name))
    }

    fn write_full(&self, tile: &FullTile, bundle: &[Hash]) -> Outcome<()> {
        let path = tile_path(Some(tile.level), tile.number, WIDTH);
        let known = fs::metadata(self.folder.join(&path)).is_ok_and(|m| m.len() == (WIDTH * 32) as u64);
        if known {
            return Ok(());
        }
        write_tile(&self.folder, &path, tile.hashes.as_flattened())?;
        remove_partials(&self.folder.join(&path));
        if tile.level == 0 {
            let path = tile_path(None, tile.number, WIDTH);
            write_tile(&self.folder, &path, &entry_bundle(bundle))?;
            remove_partials(&self.folder.join(&path));
        }
        Ok(())
    }

    /// The partial tiles that a reader of the head signed next will ask for.
    fn write_edge(&self, state: &State) -> Outcome<()> {
        for (level, number, hashes) in state.edge.partial() {
            write_tile(&self.folder, &tile_path(Some(level), number, hashes.len()), hashes.as_flattened())?;
            if level == 0 {
                let size = state.edge.size();
                let entries = self.entries(size - hashes.len() as u64, size)?;
                write_tile(&self.folder, &tile_path(None, number, hashes.len()), &entry_bundle(&entries))?;
            }
        }
        Ok(())
    }
}

/// Entries as tlog-tiles writes them: each after its length in two bytes.
fn entry_bundle(entries: &[Hash]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [&[0, 32][..], entry].concat()).collect()
}

/// Once a tile is full its partial forms are not needed; what cannot be removed does no harm.
fn remove_partials(full: &Path) {
    let _ = fs::remove_dir_all(PathBuf::from(format!("{}.p", full.display())));
}

fn prefix(entry: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    [a, b, c, d, e, f, g, h]
}

fn io_fault(error: &std::io::Error, place: &str) -> Fault {
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
    remedy_vi: "Khôi phục tệp leaves mới nhất từ bản sao lưu; không xóa điểm chốt",
    remedy_en: "restore the newest leaves file from a backup; do not delete the checkpoint",
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
    remedy_vi: "Khôi phục tệp checkpoint từ bản sao lưu",
    remedy_en: "restore the checkpoint file from a backup",
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
