//! Reading the folder on, checking it against what was signed, and writing to it. A method here is called by whoever holds
//! the folder's lock.

use super::history::{self, Head};
use super::index::{Index, Key, Spot};
use super::{CHECKPOINT_LOST, FORKED, Log, OTHER_ORIGIN, ROLLED_BACK, State, TOO_LARGE, anchors, io_fault};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::log::mark::Mark;
use crate::log::note::Checkpoint;
use crate::log::statement::{MAX_STATEMENT, Statement};
use crate::log::tiles::{Edge, FullTile, NO_SUBTREE, Tiles, WIDTH, entry_bundle, tile_path, write_tile};
use crate::log::tree::{self, Hash, leaf_hash, root_of_inclusion};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A log of so many leaves is read whole at every opening; of a larger one the right edge, which gives the signed root
/// or the whole is read after all.
const READ_WHOLE: u64 = if cfg!(test) { 1 << 11 } else { 1 << 16 };
/// Leaves whose statements are looked for at once.
const WINDOW: usize = 1 << 15;

impl Log {
    /// Reads the folder from its leaves again, writes all tiles and the index again, and says how many leaves there are.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn check(&self) -> Outcome<u64> {
        let _lock = self.lock()?;
        let mut state = self.state();
        let head = state.head.clone();
        *state = State { head, ..State::default() };
        for derived in ["tile", "index"] {
            match fs::remove_dir_all(self.folder.join(derived)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_fault(&e, derived)),
                _ => {}
            }
        }
        self.refresh(&mut state)?;
        self.write_edge(&state)?;
        Ok(state.edge.size())
    }

    /// Keeps other processes out until the file is closed.
    pub(super) fn lock(&self) -> Outcome<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(self.folder.join("lock"));
        let file = file.map_err(|e| io_fault(&e, "lock"))?;
        file.lock().map_err(|e| io_fault(&e, "lock"))?;
        Ok(file)
    }

    /// Takes in what other processes added, checks it against the signed head, and signs what is not yet signed.
    pub(super) fn refresh(&self, state: &mut State) -> Outcome<()> {
        self.advance(state, |next| self.read_on(next))
    }

    /// Takes in what this process has just written, and signs it.
    pub(super) fn take_in(
        &self,
        state: &mut State,
        entries: &[Hash],
        spots: Vec<(Key, Spot)>,
        text: u64,
    ) -> Outcome<()> {
        self.advance(state, |next| {
            let size = next.edge.size();
            let mut bundle = self.entries(size - size % WIDTH as u64, size)?;
            for entry in entries {
                self.push(next, *entry, &mut bundle, false)?;
            }
            for (key, spot) in spots {
                next.index.add(key, spot);
            }
            (next.text, next.indexed) = (text, next.edge.size());
            if next.index.is_full() {
                next.index.spill(&self.folder, next.indexed, text)?;
            }
            self.sign(next)
        })
    }

    /// Where a step fails half way, what it read is not to be built upon; the head that was seen stays known: an older one
    /// must not pass later.
    fn advance(&self, state: &mut State, step: impl FnOnce(&mut State) -> Outcome<()>) -> Outcome<()> {
        let mut next = std::mem::take(state);
        let head = next.head.clone();
        match step(&mut next) {
            Ok(()) => *state = next,
            Err(fault) => {
                state.head = next.head.or(head);
                return Err(fault);
            }
        }
        Ok(())
    }

    fn read_on(&self, state: &mut State) -> Outcome<()> {
        let count = self.whole_leaves()?;
        let signed = self.read_head(state.head.as_ref(), count)?;
        let signed_size = signed.as_ref().map_or(0, |h| h.checkpoint.size);
        let seen = state.edge.size();
        if count < seen || count < signed_size {
            let detail = format!("{count} leaves on disk, {} signed for", signed_size.max(seen));
            return Err(Fault::new(&ROLLED_BACK).detail(detail));
        }
        if count > u64::from(u32::MAX) {
            return Err(Fault::new(&TOO_LARGE));
        }
        let mut again = false;
        if seen == 0 {
            let stamped = anchors::first_token(&self.folder, count + 1)?;
            if stamped.or(anchors::first_note(&self.folder, count + 1)?).is_some() {
                return Err(Fault::new(&ROLLED_BACK).detail(format!("{count} leaves, more were confirmed")));
            }
            match signed.as_ref().filter(|_| signed_size > READ_WHOLE).map(|head| self.right_edge(head)) {
                Some(Ok(edge)) => state.edge = edge,
                // A tile is missing or damaged: all of them are made again.
                Some(Err(_)) => again = true,
                None => {}
            }
            let text = fs::metadata(self.folder.join("statements")).map_or(0, |m| m.len());
            state.index = Index::load(&self.folder, count, text)?;
            (state.indexed, state.text) = (state.index.covered(), state.index.text_covered());
        }
        self.read_leaves(state, count, signed.as_ref(), again)?;
        self.read_statements(state, count)?;
        state.head = signed;
        if state.head.is_none() || count > signed_size { self.sign(state) } else { self.show(state) }
    }

    /// How many leaves there are; a torn one at the end is cut off.
    fn whole_leaves(&self) -> Outcome<u64> {
        let leaves = self.open_leaves()?;
        let fault = |e: std::io::Error| io_fault(&e, "leaves");
        let length = leaves.metadata().map_err(fault)?.len();
        if !length.is_multiple_of(32) {
            leaves.set_len(length - length % 32).and_then(|()| leaves.sync_all()).map_err(fault)?;
        }
        Ok(length / 32)
    }

    /// The edge at a signed head from the tiles, where it gives the signed root.
    fn right_edge(&self, head: &Head) -> Outcome<Edge> {
        let size = head.checkpoint.size;
        let nothing = Edge::default();
        let tail = self.entries(size - size % WIDTH as u64, size)?;
        let tail = tail.iter().map(|entry| leaf_hash(entry)).collect();
        let edge = Edge::from_tiles(&Tiles::mending(&self.folder, &nothing), size, tail)?;
        self.compare(&edge, head)?;
        Ok(edge)
    }

    fn read_leaves(&self, state: &mut State, count: u64, signed: Option<&Head>, again: bool) -> Outcome<()> {
        let fault = |e: std::io::Error| io_fault(&e, "leaves");
        let seen = state.edge.size();
        if let Some(head) = signed.filter(|h| h.checkpoint.size <= seen) {
            self.compare(&state.edge, head)?;
        }
        if count == seen {
            return Ok(());
        }
        let mut bundle = self.entries(seen - seen % WIDTH as u64, seen)?;
        let mut leaves = self.open_leaves()?;
        leaves.seek(SeekFrom::Start(seen * 32)).map_err(fault)?;
        let mut reader = BufReader::with_capacity(1 << 16, leaves);
        for index in seen..count {
            let mut entry = [0; 32];
            reader.read_exact(&mut entry).map_err(fault)?;
            self.push(state, entry, &mut bundle, again)?;
            if let Some(head) = signed.filter(|h| h.checkpoint.size == index + 1) {
                self.compare(&state.edge, head)?;
            }
        }
        Ok(())
    }

    fn push(&self, state: &mut State, entry: Hash, bundle: &mut Vec<Hash>, again: bool) -> Outcome<()> {
        bundle.push(entry);
        for tile in state.edge.push(leaf_hash(&entry)) {
            self.write_full(&tile, bundle, again)?;
        }
        if bundle.len() == WIDTH {
            bundle.clear();
        }
        Ok(())
    }

    /// Finds the line of every leaf that is not in the index yet. Lines without a leaf were never promised to anyone; a leaf
    /// without a line stays in the log, and no receipt can be made for it.
    fn read_statements(&self, state: &mut State, count: u64) -> Outcome<()> {
        if state.indexed >= count {
            return Ok(());
        }
        let fault = |e: std::io::Error| io_fault(&e, "statements");
        let mut file = self.file("statements")?;
        file.seek(SeekFrom::Start(state.text)).map_err(fault)?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (mut offset, mut next, mut line) = (state.text, state.indexed, Vec::new());
        let mut wanted: HashMap<Hash, u64> = HashMap::new();
        loop {
            if wanted.len() < WINDOW / 2 && next < count {
                let upto = count.min(next + WINDOW as u64);
                wanted.extend(self.entries(next, upto)?.into_iter().zip(next..upto));
                next = upto;
            }
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(fault)? as u64;
            if wanted.is_empty() || length == 0 {
                break;
            }
            if let Some(text) = line.strip_suffix(b"\n")
                && let Some(key) = subject(text)
                && let Some(place) = wanted.remove(&openssl::sha::sha256(text))
            {
                state.index.add(key, Spot { place, line: offset });
                (state.indexed, state.text) = (place + 1, offset + length);
                if state.index.is_full() {
                    state.index.spill(&self.folder, state.indexed, state.text)?;
                }
            }
            offset += length;
        }
        state.indexed = count;
        Ok(())
    }

    /// The signed root must be the root of the leaves.
    fn compare(&self, edge: &Edge, head: &Head) -> Outcome<()> {
        let size = head.checkpoint.size;
        let root = if size == edge.size() {
            tree::root(edge, size)?
        } else {
            tree::root(&Tiles::mending(&self.folder, edge), size)?
        };
        if root == head.checkpoint.root {
            return Ok(());
        }
        Err(Fault::new(&FORKED).detail(format!("at {size} leaves")))
    }

    /// Signs what is in the tree, and shows it to the world once it is written down.
    fn sign(&self, state: &mut State) -> Outcome<()> {
        let (edge, origin) = (&state.edge, self.signer.name().to_owned());
        let checkpoint = Checkpoint { origin, size: edge.size(), root: tree::root(edge, edge.size())? };
        let note = self.signer.sign(&checkpoint.text())?;
        state.head = Some(Head { note, checkpoint });
        self.write_edge(state)?;
        self.show(state)
    }

    /// History first, then the file that others fetch; each only where it does not say so already.
    fn show(&self, state: &State) -> Outcome<()> {
        let Some(head) = &state.head else { return Ok(()) };
        let written = history::last(&self.folder, &self.verifier())?;
        if written.is_none_or(|w| w.checkpoint.size < head.checkpoint.size) {
            history::append(&self.folder, head)?;
        }
        let target = self.folder.join("checkpoint");
        let shown = fs::read_to_string(&target).ok();
        let shown = shown.and_then(|note| Head::read(&note, &self.verifier()).ok());
        if shown.is_some_and(|shown| shown.checkpoint == head.checkpoint) {
            return Ok(());
        }
        // Not synced: after a crash it is made again from the history.
        let temporary = self.folder.join("checkpoint.tmp");
        let written = fs::write(&temporary, &head.note).and_then(|()| fs::rename(&temporary, target));
        written.map_err(|e| io_fault(&e, "checkpoint"))
    }

    /// The largest head that was ever signed, of those in the history, in `checkpoint` and in memory.
    fn read_head(&self, before: Option<&Head>, leaves: u64) -> Outcome<Option<Head>> {
        let written = history::last(&self.folder, &self.verifier())?;
        let shown = match fs::read_to_string(self.folder.join("checkpoint")) {
            Ok(note) => match Head::read(&note, &self.verifier()) {
                Ok(head) => Some(head),
                // It is derived; torn by a crash or damaged, it is written again.
                Err(_) if written.is_some() => None,
                Err(fault) => return Err(fault.at("checkpoint")),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Fault::new(&OTHER_ORIGIN).at("checkpoint"));
            }
            Err(e) => return Err(io_fault(&e, "checkpoint")),
        };
        if written.is_none() && shown.is_none() && (before.is_some() || leaves > 0) {
            return Err(Fault::new(&CHECKPOINT_LOST).detail(format!("{leaves} leaves")));
        }
        let mut largest: Option<Head> = None;
        for head in [written, shown, before.cloned()].into_iter().flatten() {
            match &largest {
                Some(other) if other.checkpoint.size > head.checkpoint.size => {}
                Some(other) if other.checkpoint.size == head.checkpoint.size => {
                    if other.checkpoint.root != head.checkpoint.root {
                        let detail = format!("two heads of {} leaves", head.checkpoint.size);
                        return Err(Fault::new(&FORKED).detail(detail));
                    }
                }
                _ => largest = Some(head),
            }
        }
        Ok(largest)
    }

    fn entries(&self, from: u64, to: u64) -> Outcome<Vec<Hash>> {
        let mut bytes = vec![0; (to - from) as usize * 32];
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let file = self.file("leaves")?;
        file.read_exact_at(&mut bytes, from * 32).map_err(|e| io_fault(&e, "leaves"))?;
        Ok(bytes.as_chunks::<32>().0.to_vec())
    }

    fn open_leaves(&self) -> Outcome<File> {
        let new = !self.folder.join("leaves").exists();
        let file = self.file("leaves")?;
        if new {
            File::open(&self.folder).and_then(|d| d.sync_all()).map_err(|e| io_fault(&e, "folder"))?;
        }
        Ok(file)
    }

    fn file(&self, name: &str) -> Outcome<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(self.folder.join(name));
        file.map_err(|e| io_fault(&e, name))
    }

    /// Adds bytes, durably; the offset that they begin at.
    pub(super) fn extend(&self, name: &str, bytes: &[u8]) -> Outcome<u64> {
        let fault = |e: std::io::Error| io_fault(&e, name);
        let mut file = self.file(name)?;
        let mut end = file.seek(SeekFrom::End(0)).map_err(fault)?;
        if name == "statements" && end > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, end - 1).map_err(fault)?;
            // A torn line of an earlier crash is ended, so that this one starts clean.
            if last != *b"\n" {
                file.write_all(b"\n").map_err(fault)?;
                end += 1;
            }
        }
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(fault)?;
        Ok(end)
    }

    fn write_full(&self, tile: &FullTile, bundle: &[Hash], again: bool) -> Outcome<()> {
        let path = tile_path(Some(tile.level), tile.number, WIDTH);
        let known = fs::metadata(self.folder.join(&path)).is_ok_and(|m| m.len() == (WIDTH * 32) as u64);
        if known && !again {
            return Ok(());
        }
        if tile.level == 0 {
            let path = tile_path(None, tile.number, WIDTH);
            write_tile(&self.folder, &path, &entry_bundle(bundle))?;
            remove_partials(&self.folder.join(&path));
        }
        write_tile(&self.folder, &path, tile.hashes.as_flattened())?;
        remove_partials(&self.folder.join(&path));
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

/// The path from a leaf to a head, checked: a damaged tile must not leave the house as a receipt that proves nothing.
pub(super) fn proof(tiles: &Tiles<'_>, head: &Head, leaf: &Hash, index: u64) -> Outcome<Vec<Hash>> {
    let size = head.checkpoint.size;
    let path = tree::inclusion_proof(tiles, index, size)?;
    if root_of_inclusion(leaf, index, size, &path) == Some(head.checkpoint.root) {
        return Ok(path);
    }
    Err(Fault::new(&NO_SUBTREE).detail(format!("the proof of leaf {index} fails")))
}

/// The key of the document that a line of `statements` is about.
fn subject(line: &[u8]) -> Option<Key> {
    let sha256 = Statement::parse(line).map(|s| s.sha256).or_else(|_| Mark::parse(line).map(|m| m.sha256));
    sha256.ok().as_ref().map(key)
}

/// The first bytes of a document's SHA-256.
pub(super) fn key(document: &Sha256) -> Key {
    let [a, b, c, d, e, f, g, h, ..] = document.0;
    [a, b, c, d, e, f, g, h]
}

/// The line of `statements` at an offset, without its end; what is not there is empty.
pub(super) fn line_at(folder: &Path, offset: u64) -> Outcome<Vec<u8>> {
    let fault = |e: std::io::Error| io_fault(&e, "statements");
    let mut file = File::open(folder.join("statements")).map_err(fault)?;
    file.seek(SeekFrom::Start(offset)).map_err(fault)?;
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_STATEMENT as u64 + 1)).read_until(b'\n', &mut line).map_err(fault)?;
    line.pop_if(|b| *b == b'\n');
    Ok(line)
}

/// The entry at a place, from `leaves`.
pub(super) fn entry_at(folder: &Path, place: u64) -> Outcome<Hash> {
    let fault = |e: std::io::Error| io_fault(&e, "leaves");
    let mut entry = [0; 32];
    File::open(folder.join("leaves")).and_then(|f| f.read_exact_at(&mut entry, place * 32)).map_err(fault)?;
    Ok(entry)
}

/// Once a tile is full its partial forms are not needed; what cannot be removed does no harm.
fn remove_partials(full: &Path) {
    let _ = fs::remove_dir_all(PathBuf::from(format!("{}.p", full.display())));
}
