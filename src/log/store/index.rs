//! Where the statements about a document are: by the first eight bytes of its SHA-256, the place of the leaf and the offset of
//! its line in `statements`.
//!
//! Sorted runs on disk, merged four at a time, and the newest in memory: ten million leaves cost 200 MB of disk and less than
//! a megabyte of memory. Derived from `leaves` and `statements`, and made again where it is missing; a wrong hit does no
//! harm, since whoever looks something up compares all 32 bytes.

use super::io_fault;
use crate::fault::Outcome;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The first bytes of a document's SHA-256.
pub(super) type Key = [u8; 8];

/// A leaf and where its statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) place: u64,
    pub(super) line: u64,
}

/// The index of one folder.
#[derive(Debug, Default)]
pub(super) struct Index {
    runs: Vec<Run>,
    fresh: BTreeMap<Key, Vec<Spot>>,
    count: usize,
}

/// One sorted file over the leaves `from..to`, whose statements end at `text_end`.
#[derive(Debug)]
struct Run {
    path: PathBuf,
    file: File,
    from: u64,
    to: u64,
    text_end: u64,
    count: u64,
    fences: Vec<Key>,
}

impl Index {
    /// The runs of a folder that cover its leaves from the first one on without a gap; what else lies there is removed.
    ///
    /// # Errors
    /// [`super::FOLDER`].
    pub(super) fn load(folder: &Path, leaves: u64, text: u64) -> Outcome<Index> {
        let fault = |e: io::Error| io_fault(&e, FOLDER_NAME);
        let mut found = Vec::new();
        match fs::read_dir(folder.join(FOLDER_NAME)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            Err(e) => return Err(fault(e)),
            Ok(entries) => {
                for entry in entries {
                    let path = entry.map_err(fault)?.path();
                    match Run::open(&path) {
                        Some(run) if run.to <= leaves && run.text_end <= text => found.push(run),
                        _ => fs::remove_file(path).map_err(fault)?,
                    }
                }
            }
        }
        // Of two that begin together the longer one is the merged one.
        found.sort_by_key(|run| (run.from, std::cmp::Reverse(run.to)));
        let mut index = Index::default();
        for run in found {
            if run.from == index.covered() { index.runs.push(run) } else { run.remove() }
        }
        Ok(index)
    }

    /// How many leaves are in runs, and where their statements end.
    pub(super) fn covered(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.to)
    }

    pub(super) fn text_covered(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.text_end)
    }

    /// Every leaf that may be about this key, oldest first.
    ///
    /// # Errors
    /// [`super::FOLDER`].
    pub(super) fn find(&self, key: &Key) -> Outcome<Vec<Spot>> {
        let mut found = Vec::new();
        for run in &self.runs {
            run.find(key, &mut found).map_err(|e| io_fault(&e, FOLDER_NAME))?;
        }
        found.extend(self.fresh.get(key).into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Takes in one leaf.
    pub(super) fn add(&mut self, key: Key, spot: Spot) {
        self.fresh.entry(key).or_default().push(spot);
        self.count += 1;
    }

    /// Whether so much is in memory that it is time to [`Index::spill`].
    pub(super) fn is_full(&self) -> bool {
        self.count >= FRESH
    }

    /// Lays what is in memory on disk: the leaves up to `to`, whose statements end at `text_end`. Called by whoever holds the
    /// folder's lock; what another process laid down meanwhile is taken over first.
    ///
    /// # Errors
    /// [`super::FOLDER`]; the index then stays as it was.
    pub(super) fn spill(&mut self, folder: &Path, to: u64, text_end: u64) -> Outcome<()> {
        let fault = |e: io::Error| io_fault(&e, FOLDER_NAME);
        let mut runs = Index::load(folder, to, text_end)?.runs;
        let from = runs.last().map_or(0, |run| run.to);
        // Runs of ours that another process took away meanwhile still count: their files are open here.
        let mut records: Vec<(Key, Spot)> = Vec::new();
        for run in self.runs.iter().filter(|run| run.to > from) {
            for record in run.records().map_err(fault)? {
                records.push(record.map_err(fault)?);
            }
        }
        records.extend(self.fresh.iter().flat_map(|(key, spots)| spots.iter().map(|s| (*key, *s))));
        records.retain(|(_, s)| s.place >= from);
        records.sort_unstable();
        records.dedup();
        if !records.is_empty() {
            let count = records.len() as u64;
            let run = Run::write(folder, (from, to, text_end, count), records.into_iter().map(Ok));
            runs.push(run.map_err(fault)?);
        }
        while let Some(merged) = merge_last(folder, &mut runs).map_err(fault)? {
            runs.push(merged);
        }
        *self = Index { runs, ..Index::default() };
        Ok(())
    }
}

/// Joins the last four runs where they are of about one size.
fn merge_last(folder: &Path, runs: &mut Vec<Run>) -> io::Result<Option<Run>> {
    let Some(first) = runs.len().checked_sub(FAN) else { return Ok(None) };
    let last = &runs[first..];
    let largest = last.iter().map(|r| r.count).max().unwrap_or(0);
    if last.iter().any(|r| r.count.saturating_mul(2) < largest) {
        return Ok(None);
    }
    let (from, end) = (last[0].from, &last[FAN - 1]);
    let head = (from, end.to, end.text_end, last.iter().map(|r| r.count).sum());
    let mut readers: Vec<_> = last.iter().map(Run::records).collect::<io::Result<_>>()?;
    let mut heap = BinaryHeap::new();
    for (number, reader) in readers.iter_mut().enumerate() {
        if let Some(record) = reader.next().transpose()? {
            heap.push(std::cmp::Reverse((record, number)));
        }
    }
    let records = std::iter::from_fn(|| {
        let std::cmp::Reverse((record, number)) = heap.pop()?;
        match readers[number].next() {
            Some(Ok(next)) => heap.push(std::cmp::Reverse((next, number))),
            Some(Err(e)) => return Some(Err(e)),
            None => {}
        }
        Some(Ok(record))
    });
    let merged = Run::write(folder, head, records)?;
    runs.drain(first..).for_each(Run::remove);
    Ok(Some(merged))
}

impl Run {
    fn open(path: &Path) -> Option<Run> {
        let file = File::open(path).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let word = |n: usize| Some(u64::from_le_bytes(*head.get(n * 8..)?.first_chunk()?));
        let (from, to, text_end, count) = (word(1)?, word(2)?, word(3)?, word(4)?);
        let fences = count.div_ceil(FENCE);
        let length = (HEAD as u64)
            .checked_add(count.checked_mul(RECORD as u64)?)?
            .checked_add(fences.checked_mul(8)?)?;
        if head.first_chunk() != Some(MAGIC) || from >= to || file.metadata().ok()?.len() != length {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(fences * 8).ok()?];
        file.read_exact_at(&mut bytes, length - fences * 8).ok()?;
        let fences = bytes.as_chunks::<8>().0.to_vec();
        Some(Run { path: path.to_owned(), file, from, to, text_end, count, fences })
    }

    fn write(
        folder: &Path,
        (from, to, text_end, count): (u64, u64, u64, u64),
        records: impl Iterator<Item = io::Result<(Key, Spot)>>,
    ) -> io::Result<Run> {
        let folder = folder.join(FOLDER_NAME);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{from:012}-{to:012}.run"));
        let temporary = path.with_extension("tmp");
        let mut sink = BufWriter::with_capacity(1 << 16, File::create(&temporary)?);
        sink.write_all(MAGIC)?;
        for word in [from, to, text_end, count] {
            sink.write_all(&word.to_le_bytes())?;
        }
        let mut fences = Vec::new();
        for (number, record) in (0u64..).zip(records) {
            let (key, spot) = record?;
            if number.is_multiple_of(FENCE) {
                fences.push(key);
            }
            sink.write_all(&key)?;
            sink.write_all(&(spot.place as u32).to_le_bytes())?;
            sink.write_all(&spot.line.to_le_bytes())?;
        }
        sink.write_all(fences.as_flattened())?;
        sink.into_inner()?.sync_data()?;
        fs::rename(&temporary, &path)?;
        Run::open(&path).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn find(&self, key: &Key, found: &mut Vec<Spot>) -> io::Result<()> {
        let mut block = self.fences.partition_point(|fence| fence < key).saturating_sub(1) as u64;
        let mut bytes = [0; RECORD * FENCE as usize];
        while self.fences.get(block as usize).is_some_and(|fence| fence <= key) {
            let first = block * FENCE;
            let count = (self.count - first).min(FENCE) as usize;
            let bytes = &mut bytes[..count * RECORD];
            self.file.read_exact_at(bytes, HEAD as u64 + first * RECORD as u64)?;
            let records = bytes.as_chunks::<RECORD>().0;
            let begin = records.partition_point(|r| r[..8] < key[..]);
            for record in records[begin..].iter().take_while(|r| r[..8] == key[..]) {
                found.push(read_record(record).1);
            }
            block += 1;
        }
        Ok(())
    }

    fn records(&self) -> io::Result<impl Iterator<Item = io::Result<(Key, Spot)>> + use<>> {
        // By position and not by path: another process may have removed the name.
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(HEAD as u64))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut record = [0; RECORD];
        Ok((0..self.count).map(move |_| {
            reader.read_exact(&mut record)?;
            Ok(read_record(&record))
        }))
    }

    /// What cannot be removed is removed at the next opening.
    fn remove(self) {
        let _ = fs::remove_file(self.path);
    }
}

fn read_record(record: &[u8; RECORD]) -> (Key, Spot) {
    let [a, b, c, d, e, f, g, h, place @ .., _, _, _, _, _, _, _, _] = *record;
    let [.., s, t, u, v, w, x, y, z] = *record;
    let spot = Spot {
        place: u64::from(u32::from_le_bytes(place)),
        line: u64::from_le_bytes([s, t, u, v, w, x, y, z]),
    };
    ([a, b, c, d, e, f, g, h], spot)
}

const FOLDER_NAME: &str = "index";
const MAGIC: &[u8; 8] = b"hosoidx1";
const HEAD: usize = 40;
const RECORD: usize = 20;
/// Records between two keys that are kept in memory.
const FENCE: u64 = 256;
/// Records in memory before they are laid down.
const FRESH: usize = 1 << 14;
/// Runs that are merged at once.
const FAN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u64) -> Key {
        openssl::sha::sha256(&i.to_be_bytes())[..8].try_into().unwrap()
    }

    #[test]
    fn everything_is_found_again_before_and_after_merging_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::default();
        for i in 0..9000u64 {
            index.add(key(i % 8000), Spot { place: i, line: 10 * i });
            if i % 100 == 99 {
                index.spill(folder.path(), i + 1, 10 * i + 10).unwrap();
            }
        }
        assert!(index.runs.len() < 16, "{}", index.runs.len());
        let again = Index::load(folder.path(), 9000, 90_000).unwrap();
        assert_eq!((again.covered(), again.text_covered()), (9000, 90_000));
        for index in [&index, &again] {
            for i in 0..8000 {
                let mut spots = vec![Spot { place: i, line: 10 * i }];
                if i < 1000 {
                    spots.push(Spot { place: i + 8000, line: 10 * (i + 8000) });
                }
                assert_eq!(index.find(&key(i)).unwrap(), spots, "{i}");
            }
            assert_eq!(index.find(&key(8000)).unwrap(), []);
            assert_eq!(index.find(&[0xff; 8]).unwrap(), []);
            assert_eq!(index.find(&[0; 8]).unwrap(), []);
        }
    }

    #[test]
    fn many_leaves_of_one_document_cross_the_fences() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::default();
        for i in 0..2000u64 {
            index.add(if i < 100 { key(1) } else { key(2) }, Spot { place: i, line: i });
        }
        index.spill(folder.path(), 2000, 2000).unwrap();
        assert_eq!(index.find(&key(1)).unwrap().len(), 100);
        assert_eq!(index.find(&key(2)).unwrap().len(), 1900);
    }

    #[test]
    fn a_damaged_or_future_run_is_dropped_with_all_that_lies_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::default();
        for i in 0..3u64 {
            index.add(key(i), Spot { place: i, line: i });
            index.spill(folder.path(), i + 1, i + 1).unwrap();
        }
        assert_eq!(Index::load(folder.path(), 2, 2).unwrap().covered(), 2);
        let second = folder.path().join("index/000000000001-000000000002.run");
        let bytes = fs::read(&second).unwrap();
        fs::write(&second, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(Index::load(folder.path(), 3, 3).unwrap().covered(), 1);
        assert!(!second.exists());
    }
}
