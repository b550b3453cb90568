//! Tiles (C2SP tlog-tiles): the tree cut into files of up to 256 hashes, eight levels a tile, that any web server can
//! hand out. Everything here is derived from the leaves and can be written again.

use super::tree::{Hash, Subtrees, leaf_hash, node_hash};
use crate::fault::{Class, Code, Fault, Outcome};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Hashes in a full tile.
pub const WIDTH: usize = 256;

/// `tile/<L>/<N>[.p/<W>]`: the path of a tile, level `None` for the entries bundle; `width` 256 is a full tile.
pub fn tile_path(level: Option<u8>, number: u64, width: usize) -> String {
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    let level = level.map_or("entries".to_owned(), |l| l.to_string());
    let partial = if width == WIDTH { String::new() } else { format!(".p/{width}") };
    format!("tile/{level}/{}{partial}", groups.join("/"))
}

/// The right edge of a growing tree: on each tile level the hashes after the last full tile. Enough to append to
/// the tree and to know its root, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// A tile that has just become full.
#[derive(Debug)]
pub struct FullTile {
    /// Tile level.
    pub level: u8,
    /// Number within its level.
    pub number: u64,
    /// 256 hashes.
    pub hashes: Vec<Hash>,
}

impl Edge {
    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf hash; gives the tiles that it filled.
    pub fn push(&mut self, leaf: Hash) -> Vec<FullTile> {
        self.size += 1;
        let mut full = Vec::new();
        let mut hash = leaf;
        for level in 0u8..8 {
            let place = usize::from(level);
            if self.levels.len() <= place {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            self.levels[place].push(hash);
            if self.levels[place].len() < WIDTH {
                break;
            }
            let hashes = std::mem::replace(&mut self.levels[place], Vec::with_capacity(WIDTH));
            hash = fold(&hashes);
            let number = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            full.push(FullTile { level, number, hashes });
        }
        full
    }

    /// The partial tiles, lowest level first: level, number, hashes. Levels without hashes are left out.
    pub fn partial(&self) -> impl Iterator<Item = (u8, u64, &[Hash])> {
        self.levels.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| {
            let above = 8 * (level as u32 + 1);
            (level as u8, self.size.checked_shr(above).unwrap_or(0), hashes.as_slice())
        })
    }

    /// The edge of the first `size` leaves, from the full tiles below a folder; `tail` are the hashes of the leaves after the
    /// last full tile. Nothing is believed: a caller compares the root.
    ///
    /// # Errors
    /// [`NO_SUBTREE`].
    pub fn from_tiles(tiles: &Tiles<'_>, size: u64, tail: Vec<Hash>) -> Outcome<Edge> {
        let mut edge = Edge { size, levels: vec![tail] };
        for level in 1..8u8 {
            let complete = size >> (8 * u32::from(level));
            if complete == 0 {
                break;
            }
            let first = complete - complete % WIDTH as u64;
            let folded = (first..complete).map(|number| Ok(fold(&tiles.full(level - 1, number)?)));
            edge.levels.push(folded.collect::<Outcome<Vec<Hash>>>()?);
        }
        Ok(edge)
    }

    fn hashes(&self, tile_level: u8, number: u64) -> Option<&[Hash]> {
        let full = self.size.checked_shr(8 * (u32::from(tile_level) + 1)).unwrap_or(0);
        (full == number).then(|| self.levels.get(usize::from(tile_level)).map(Vec::as_slice)).flatten()
    }
}

impl Subtrees for Edge {
    fn subtree(&self, level: u8, index: u64) -> Outcome<Hash> {
        let spot = Spot::of(level, index);
        let hashes = self.hashes(spot.level, spot.tile).and_then(|h| h.get(spot.from..spot.to));
        hashes.map(fold).ok_or_else(|| Fault::new(&NO_SUBTREE).detail("left of the edge"))
    }
}

/// The whole tree: full tiles in files, the edge in memory. What was read and hashed is kept while it lives, so that the
/// proofs of one commit cost little more than one.
pub struct Tiles<'a> {
    folder: &'a Path,
    edge: &'a Edge,
    mends: bool,
    tiles: RefCell<HashMap<(u8, u64), Vec<Hash>>>,
    nodes: RefCell<HashMap<(u8, u64), Hash>>,
}

impl<'a> Tiles<'a> {
    /// Over the folder that holds `tile/` and the right edge of the same tree.
    pub fn new(folder: &'a Path, edge: &'a Edge) -> Self {
        Tiles { folder, edge, mends: false, tiles: RefCell::default(), nodes: RefCell::default() }
    }

    /// Over the folder that holds `leaves`, too: a tile that is not there is made again from them.
    pub fn mending(folder: &'a Path, edge: &'a Edge) -> Self {
        Tiles { mends: true, ..Tiles::new(folder, edge) }
    }

    /// A hash as it stands in a tile.
    fn stored(&self, level: u8, number: u64, place: usize) -> Outcome<Hash> {
        let missing = || Fault::new(&NO_SUBTREE).at(tile_path(Some(level), number, WIDTH));
        if let Some(hashes) = self.edge.hashes(level, number) {
            return hashes.get(place).copied().ok_or_else(missing);
        }
        if let Some(hashes) = self.tiles.borrow().get(&(level, number)) {
            return hashes.get(place).copied().ok_or_else(missing);
        }
        let hashes = self.full(level, number)?;
        let hash = hashes.get(place).copied().ok_or_else(missing)?;
        let mut tiles = self.tiles.borrow_mut();
        if tiles.len() >= MAX_KEPT_TILES {
            tiles.clear();
        }
        tiles.insert((level, number), hashes);
        Ok(hash)
    }

    /// The 256 hashes of a full tile, from its file.
    fn full(&self, level: u8, number: u64) -> Outcome<Vec<Hash>> {
        let path = tile_path(Some(level), number, WIDTH);
        let missing = || Fault::new(&NO_SUBTREE).at(&path);
        let bytes = match fs::read(self.folder.join(&path)) {
            Ok(bytes) if bytes.len() == WIDTH * 32 => return Ok(bytes.as_chunks::<32>().0.to_vec()),
            Ok(bytes) => Err(missing().detail(format!("{} bytes", bytes.len()))),
            Err(e) => Err(missing().detail(e.kind())),
        };
        if !self.mends {
            return bytes;
        }
        let hashes = self.made_again(level, number).ok_or_else(missing)?;
        write_tile(self.folder, &path, hashes.as_flattened())?;
        Ok(hashes)
    }

    fn made_again(&self, level: u8, number: u64) -> Option<Vec<Hash>> {
        let first = number.checked_mul(WIDTH as u64)?;
        let Some(below) = level.checked_sub(1) else {
            let mut bytes = vec![0; WIDTH * 32];
            let leaves = fs::File::open(self.folder.join("leaves")).ok()?;
            leaves.read_exact_at(&mut bytes, first.checked_mul(32)?).ok()?;
            return Some(bytes.as_chunks::<32>().0.iter().map(|entry| leaf_hash(entry)).collect());
        };
        (first..first + WIDTH as u64).map(|n| Some(fold(&self.full(below, n).ok()?))).collect()
    }
}

impl Subtrees for Tiles<'_> {
    fn subtree(&self, level: u8, index: u64) -> Outcome<Hash> {
        if level.is_multiple_of(8) {
            return self.stored(level / 8, index / WIDTH as u64, (index % WIDTH as u64) as usize);
        }
        if let Some(hash) = self.nodes.borrow().get(&(level, index)) {
            return Ok(*hash);
        }
        let hash = node_hash(&self.subtree(level - 1, 2 * index)?, &self.subtree(level - 1, 2 * index + 1)?);
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() >= MAX_KEPT_NODES {
            nodes.clear();
        }
        nodes.insert((level, index), hash);
        Ok(hash)
    }
}

/// Writes a tile by way of a temporary name, so that a reader never sees half of it.
///
/// # Errors
/// [`super::store::FOLDER`].
pub fn write_tile(folder: &Path, path: &str, bytes: &[u8]) -> Outcome<()> {
    let target = folder.join(path);
    let fault = |e: std::io::Error| Fault::new(&super::store::FOLDER).detail(e.kind()).at(path);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(fault)?;
    }
    let temporary = PathBuf::from(format!("{}.tmp", target.display()));
    let mut file = fs::File::create(&temporary).map_err(fault)?;
    file.write_all(bytes).map_err(fault)?;
    fs::rename(&temporary, &target).map_err(fault)
}

/// Entries as tlog-tiles writes them: each after its length in two bytes.
pub(super) fn entry_bundle(entries: &[Hash]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [&[0, 32][..], entry].concat()).collect()
}

/// Where a complete subtree lies within the tiles.
struct Spot {
    level: u8,
    tile: u64,
    from: usize,
    to: usize,
}

impl Spot {
    fn of(level: u8, index: u64) -> Spot {
        let inner = level % 8;
        let first = index << inner;
        let from = (first % WIDTH as u64) as usize;
        Spot { level: level / 8, tile: first / WIDTH as u64, from, to: from + (1 << inner) }
    }
}

/// The root of a power of two of hashes.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold(left), &fold(right))
        }
    }
}

const MAX_KEPT_TILES: usize = 64;
const MAX_KEPT_NODES: usize = 1 << 16;

/// A tile that should be there is not, or is damaged.
pub const NO_SUBTREE: Code = Code {
    id: "LOG-006",
    class: Class::Inner,
    vi: "Thiếu hoặc hỏng tệp mảnh của nhật ký minh bạch",
    en: "a tile of the transparency log is missing or damaged",
    remedy_vi: "Chạy hoso log check THƯ-MỤC để dựng lại các mảnh từ tệp leaves",
    remedy_en: "run hoso log check DIR, which writes the tiles again from the leaves",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tree::{self, leaf_hash, tests::Leaves};

    #[test]
    fn tile_paths_are_those_of_the_specification() {
        assert_eq!(tile_path(Some(0), 1_234_067, WIDTH), "tile/0/x001/x234/067");
        assert_eq!(tile_path(Some(0), 0, WIDTH), "tile/0/000");
        assert_eq!(tile_path(Some(1), 273, 17), "tile/1/273.p/17");
        assert_eq!(tile_path(None, 1000, 1), "tile/entries/x001/000.p/1");
    }

    #[test]
    fn tiles_give_the_same_roots_and_proofs_as_the_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let leaves = Leaves((0..66_000u32).map(|i| leaf_hash(&i.to_be_bytes())).collect());
        let mut edge = Edge::default();
        for (count, leaf) in leaves.0.iter().enumerate() {
            if [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537].contains(&count) {
                assert_eq!(
                    tree::root(&edge, count as u64).unwrap(),
                    tree::root(&leaves, count as u64).unwrap()
                );
            }
            for tile in edge.push(*leaf) {
                let path = tile_path(Some(tile.level), tile.number, WIDTH);
                write_tile(folder.path(), &path, tile.hashes.as_flattened()).unwrap();
            }
        }
        let tiles = Tiles::new(folder.path(), &edge);
        for (index, size) in
            [(0, 1), (0, 66_000), (65_535, 66_000), (65_536, 66_000), (300, 1000), (65_999, 66_000)]
        {
            let path = tree::inclusion_proof(&tiles, index, size).unwrap();
            assert_eq!(path, tree::inclusion_proof(&leaves, index, size).unwrap());
            let old = index + 1;
            assert_eq!(
                tree::consistency_proof(&tiles, old, size).unwrap(),
                tree::consistency_proof(&leaves, old, size).unwrap()
            );
        }
    }

    #[test]
    fn a_missing_tile_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut edge = Edge::default();
        for i in 0..300u32 {
            edge.push(leaf_hash(&i.to_be_bytes()));
        }
        let fault = tree::inclusion_proof(&Tiles::new(folder.path(), &edge), 3, 300).unwrap_err();
        assert_eq!((fault.code.id, fault.place.as_deref()), ("LOG-006", Some("tile/0/000")));
    }
}
