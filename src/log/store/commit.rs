//! One flush for many: whoever comes while a commit runs waits, and the next one of them commits for all that wait.

use super::folder::{entry_at, key, proof};
use super::index::{Key, Spot};
use super::{CHECKPOINT_LOST, Log, State, TOO_LARGE};
use crate::fault::{Fault, Outcome};
use crate::log::mark::Mark;
use crate::log::statement::Statement;
use crate::log::tiles::Tiles;
use crate::log::tree::{Hash, leaf_hash};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Something to be logged.
#[derive(Debug)]
pub(super) struct Item {
    key: Key,
    entry: Hash,
    line: Vec<u8>,
}

impl Item {
    pub(super) fn paper(statement: &Statement) -> Item {
        Item::new(key(&statement.sha256), statement.to_bytes())
    }

    pub(super) fn mark(mark: &Mark) -> Item {
        Item::new(key(&mark.sha256), mark.to_bytes())
    }

    fn new(key: Key, mut line: Vec<u8>) -> Item {
        let entry = openssl::sha::sha256(&line);
        line.push(b'\n');
        Item { key, entry, line }
    }
}

/// Where something was logged, proven under the checkpoint of its commit.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) index: u64,
    pub(super) path: Vec<Hash>,
    pub(super) checkpoint: Arc<str>,
}

/// Those who wait for a commit.
#[derive(Debug, Default)]
pub(super) struct Commit {
    queue: Mutex<Queue>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<(u64, Vec<Item>)>,
    done: HashMap<u64, Outcome<Vec<Placed>>>,
    committing: bool,
    next: u64,
}

impl Commit {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Logs items in order, with whatever else is waiting.
    pub(super) fn commit(&self, items: Vec<Item>) -> Outcome<Vec<Placed>> {
        let mut queue = self.commit.queue();
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.push((ticket, items));
        loop {
            if let Some(placed) = queue.done.remove(&ticket) {
                return placed;
            }
            if queue.committing {
                queue = self.commit.turn.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let batch = std::mem::take(&mut queue.waiting);
            if batch.iter().all(|(t, _)| *t != ticket) {
                // Whoever took these items along broke off; they may be on disk, and the same call may be made again.
                return Err(Fault::new(&super::FOLDER).detail("the commit broke off"));
            }
            queue.committing = true;
            drop(queue);
            let ended = Ended(&self.commit);
            let done = self.flush(&batch);
            queue = self.commit.queue();
            let mut placed = done.map(Vec::into_iter);
            for (ticket, items) in &batch {
                let own = match &mut placed {
                    Ok(placed) => Ok(placed.by_ref().take(items.len()).collect()),
                    Err(fault) => Err(fault.clone()),
                };
                queue.done.insert(*ticket, own);
            }
            drop(queue);
            drop(ended);
            queue = self.commit.queue();
        }
    }

    /// Statements, leaves and head to the disk, in this order; then a proof for each.
    fn flush(&self, batch: &[(u64, Vec<Item>)]) -> Outcome<Vec<Placed>> {
        let items = || batch.iter().flat_map(|(_, items)| items);
        let _lock = self.lock()?;
        let mut state = self.state();
        self.refresh(&mut state)?;
        let mut fresh: Vec<&Item> = Vec::new();
        let mut in_batch: HashMap<Hash, u64> = HashMap::new();
        let mut places = Vec::new();
        for item in items() {
            let known = match in_batch.get(&item.entry) {
                Some(place) => Some(*place),
                None => self.place_of(&state, item)?,
            };
            let place = known.unwrap_or_else(|| {
                fresh.push(item);
                state.edge.size() + fresh.len() as u64 - 1
            });
            in_batch.insert(item.entry, place);
            places.push(place);
        }
        if !fresh.is_empty() {
            self.write(&mut state, &fresh)?;
        }
        let head = state.head.as_ref().ok_or(&CHECKPOINT_LOST)?;
        let tiles = Tiles::mending(&self.folder, &state.edge);
        let checkpoint: Arc<str> = head.note.as_str().into();
        let placed = items().zip(places).map(|(item, index)| {
            let path = proof(&tiles, head, &leaf_hash(&item.entry), index)?;
            Ok(Placed { index, path, checkpoint: Arc::clone(&checkpoint) })
        });
        placed.collect()
    }

    fn write(&self, state: &mut State, fresh: &[&Item]) -> Outcome<()> {
        if state.edge.size() + fresh.len() as u64 > u64::from(u32::MAX) {
            return Err(Fault::new(&TOO_LARGE));
        }
        let lines: Vec<u8> = fresh.iter().flat_map(|item| item.line.iter().copied()).collect();
        let entries: Vec<Hash> = fresh.iter().map(|item| item.entry).collect();
        let mut line = self.extend("statements", &lines)?;
        self.extend("leaves", entries.as_flattened())?;
        let first = state.edge.size();
        let spots = (first..).zip(fresh).map(|(place, item)| {
            let spot = Spot { place, line };
            line += item.line.len() as u64;
            (item.key, spot)
        });
        let spots: Vec<_> = spots.collect();
        self.take_in(state, &entries, spots, line)
    }

    /// Where an item lies already; eight bytes of the document find it, all 32 of the entry decide.
    fn place_of(&self, state: &State, item: &Item) -> Outcome<Option<u64>> {
        for spot in state.index.find(&item.key)? {
            if entry_at(&self.folder, spot.place)? == item.entry {
                return Ok(Some(spot.place));
            }
        }
        Ok(None)
    }
}

/// Lets the next one go on, also after a panic.
struct Ended<'a>(&'a Commit);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.queue().committing = false;
        self.0.turn.notify_all();
    }
}
