//! Somebody's log as a verifier sees it: a folder with `checkpoint` and `tile/`, fetched from a web server or the log's own.
//! Nothing in it is believed but the checkpoint's signature; every answer is proven under the signed root.

use super::note::{Checkpoint, KeyKind, Note, Signed, VerifierKey};
use super::store::OTHER_ORIGIN;
use super::tiles::{Edge, NO_SUBTREE, Tiles, WIDTH, tile_path};
use super::tree::{self, Hash, is_consistent, leaf_hash};
use crate::fault::{Fault, Outcome};
use std::fs;
use std::path::{Path, PathBuf};

/// A copy whose checkpoint a trusted key signed.
#[derive(Debug)]
pub struct LogCopy {
    folder: PathBuf,
    head: Checkpoint,
    note: String,
}

impl LogCopy {
    /// Opens a copy.
    ///
    /// # Errors
    /// [`super::UNREADABLE`] where there is no checkpoint, [`super::note::BAD_NOTE`], [`OTHER_ORIGIN`] where no key of `keys` signed it.
    pub fn open(folder: &Path, keys: &[VerifierKey]) -> Outcome<LogCopy> {
        let place = folder.join("checkpoint");
        let note = fs::read_to_string(&place)
            .map_err(|e| Fault::new(&super::UNREADABLE).detail(e.kind()).at(place.display()))?;
        let parsed = Note::parse(&note).map_err(|f| f.at(place.display()))?;
        let head = Checkpoint::parse(parsed.text()).map_err(|f| f.at(place.display()))?;
        let mut own = keys.iter().filter(|k| k.kind() == KeyKind::Log && k.name() == head.origin);
        if !own.any(|key| parsed.signed_by(key) == Signed::By) {
            return Err(Fault::new(&OTHER_ORIGIN).at(place.display()));
        }
        Ok(LogCopy { folder: folder.to_owned(), head, note })
    }

    /// What the checkpoint says.
    pub fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The checkpoint as it was signed.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The root of the first `size` leaves, proven to be the beginning of the signed tree.
    ///
    /// # Errors
    /// [`NO_SUBTREE`] where tiles are missing or damaged, or the copy is smaller.
    pub fn root_at(&self, size: u64) -> Outcome<Hash> {
        let damaged = || Fault::new(&NO_SUBTREE).detail(format!("the first {size} leaves"));
        if size > self.head.size {
            return Err(damaged());
        }
        let edge = self.edge(self.head.size)?;
        let tiles = Tiles::new(&self.folder, &edge);
        let root = tree::root(&tiles, size)?;
        let path = tree::consistency_proof(&tiles, size, self.head.size)?;
        let Checkpoint { size: whole, root: signed, .. } = &self.head;
        if is_consistent(size, *whole, &root, signed, &path) { Ok(root) } else { Err(damaged()) }
    }

    /// The first place from `from` on where each of some entries stands, once all that was read has given the signed root:
    /// what is not found then is not there.
    ///
    /// # Errors
    /// [`NO_SUBTREE`].
    pub fn find(&self, from: u64, entries: &[Hash]) -> Outcome<Vec<Option<u64>>> {
        let mut found = vec![None; entries.len()];
        let from = from - from % WIDTH as u64;
        let mut edge = self.edge(from.min(self.head.size))?;
        self.read(&mut edge, |place, entry| {
            for (wanted, found) in entries.iter().zip(&mut found) {
                if wanted[..] == *entry {
                    found.get_or_insert(place);
                }
            }
        })?;
        self.compare(&edge)?;
        Ok(found)
    }

    /// Reads every entry and every tile and compares all of them with the signed root; then `at` is called with the tree's
    /// root at every size that `sizes` names, in order.
    ///
    /// # Errors
    /// [`NO_SUBTREE`], naming the first file that is missing or differs.
    pub fn verify(&self, sizes: &[u64], mut at: impl FnMut(u64, Hash) -> Outcome<()>) -> Outcome<()> {
        let mut edge = Edge::default();
        let mut sizes = sizes.iter().copied().filter(|s| *s <= self.head.size).peekable();
        let mut roots = Vec::new();
        while let Some(0) = sizes.peek() {
            roots.push((0, tree::root(&edge, 0)?));
            sizes.next();
        }
        let differs = |path: String| Fault::new(&NO_SUBTREE).detail("not what the entries give").at(path);
        for number in 0..self.head.size.div_ceil(WIDTH as u64) {
            for entry in self.bundle(number)? {
                for tile in edge.push(leaf_hash(&entry)) {
                    let path = tile_path(Some(tile.level), tile.number, WIDTH);
                    if fs::read(self.folder.join(&path)).ok().as_deref() != Some(tile.hashes.as_flattened()) {
                        return Err(differs(path));
                    }
                }
                while sizes.peek() == Some(&edge.size()) {
                    roots.push((edge.size(), tree::root(&edge, edge.size())?));
                    sizes.next();
                }
            }
        }
        for (level, number, hashes) in edge.partial() {
            let path = tile_path(Some(level), number, hashes.len());
            if self.tile(level, number, hashes.len())?.as_slice() != hashes {
                return Err(differs(path));
            }
        }
        self.compare(&edge)?;
        roots.into_iter().try_for_each(|(size, root)| at(size, root))
    }

    /// Every entry with its place, once more compared with the signed root at the end.
    ///
    /// # Errors
    /// [`NO_SUBTREE`].
    pub fn entries(&self, each: impl FnMut(u64, &[u8])) -> Outcome<()> {
        let mut edge = Edge::default();
        self.read(&mut edge, each)?;
        self.compare(&edge)
    }

    fn compare(&self, edge: &Edge) -> Outcome<()> {
        if tree::root(edge, self.head.size)? == self.head.root {
            return Ok(());
        }
        Err(Fault::new(&NO_SUBTREE).detail("the tiles do not give the signed root"))
    }

    /// The edge of the first `size` leaves, not yet compared with anything.
    fn edge(&self, size: u64) -> Outcome<Edge> {
        let width = (size % WIDTH as u64) as usize;
        let tail = if width == 0 { Vec::new() } else { self.tile(0, size / WIDTH as u64, width)? };
        let nothing = Edge::default();
        Edge::from_tiles(&Tiles::new(&self.folder, &nothing), size, tail)
    }

    /// Reads entries from the edge's end to the end of the copy.
    fn read(&self, edge: &mut Edge, mut each: impl FnMut(u64, &[u8])) -> Outcome<()> {
        for number in edge.size() / WIDTH as u64..self.head.size.div_ceil(WIDTH as u64) {
            for entry in self.bundle(number)? {
                if edge.size() == self.head.size {
                    return Ok(());
                }
                each(edge.size(), &entry);
                edge.push(leaf_hash(&entry));
            }
        }
        Ok(())
    }

    /// A tile of some width: its own file, or the beginning of a wider one.
    fn tile(&self, level: u8, number: u64, width: usize) -> Outcome<Vec<Hash>> {
        let bytes = self.file(Some(level), number, width)?;
        let hashes = bytes.as_chunks::<32>().0.get(..width).map(<[Hash]>::to_vec);
        hashes.ok_or_else(|| Fault::new(&NO_SUBTREE).at(tile_path(Some(level), number, width)))
    }

    /// The entries of one bundle, as many as the copy has of them.
    fn bundle(&self, number: u64) -> Outcome<Vec<Vec<u8>>> {
        let width = (self.head.size - number * WIDTH as u64).min(WIDTH as u64) as usize;
        let damaged = || Fault::new(&NO_SUBTREE).at(tile_path(None, number, width));
        let bytes = self.file(None, number, width)?;
        let (mut rest, mut entries) = (&bytes[..], Vec::with_capacity(width));
        while entries.len() < width {
            let (length, after) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, after) = after.split_at_checked(length).ok_or_else(damaged)?;
            entries.push(entry.to_vec());
            rest = after;
        }
        Ok(entries)
    }

    fn file(&self, level: Option<u8>, number: u64, width: usize) -> Outcome<Vec<u8>> {
        let path = tile_path(level, number, width);
        fs::read(self.folder.join(&path))
            .or_else(|e| fs::read(self.folder.join(tile_path(level, number, WIDTH))).map_err(|_| e))
            .map_err(|e| Fault::new(&NO_SUBTREE).detail(e.kind()).at(path))
    }
}

#[cfg(test)]
mod tests;
