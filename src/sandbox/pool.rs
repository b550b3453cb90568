//! A few children that wait, so that starting them costs nothing that shows.

use super::cell::Cell;
use super::{Answer, COMMAND, Jailed, KILLED, NONSENSE, Policy};
use crate::fault::{Fault, Outcome};
use rustix::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

/// At most so many children, started when they are needed and kept.
pub struct Pool {
    program: Program,
    policy: Policy,
    most: usize,
    cells: Mutex<Cells>,
    returned: Condvar,
}

/// What a child runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// What it is told.
    pub args: Vec<String>,
}

impl Default for Program {
    /// This very program, even where the file it was started from has been replaced since (proc(5)).
    fn default() -> Self {
        Program { path: "/proc/self/exe".into(), args: vec![COMMAND.into()] }
    }
}

/// What is asked of a child.
pub struct Request<'a> {
    /// What to do; at most [`super::MOST_ASKED`] bytes.
    pub header: &'a [u8],
    /// The file it is about and a number that no other file of this pool has. It is handed over to a child that does
    /// not have it; a child has the last one that it was given.
    pub file: Option<(u64, BorrowedFd<'a>)>,
    /// Bytes that the answer may carry besides its header.
    pub most_payload: u64,
}

#[derive(Default)]
struct Cells {
    idle: Vec<Cell>,
    busy: usize,
}

impl Pool {
    /// A pool of this program's decoders.
    pub fn new(most: usize, policy: Policy) -> Self {
        Pool::of(Program::default(), most, policy)
    }

    /// A pool of another program's, which must call [`super::serve`].
    pub fn of(program: Program, most: usize, policy: Policy) -> Self {
        let (cells, returned) = (Mutex::default(), Condvar::new());
        Pool { program, policy, most: most.max(1), cells, returned }
    }

    /// Asks a child and reads its answer; `read` gives nothing where it makes no sense. Waits while all are busy.
    ///
    /// A child that had served others before may have died of them: the same is asked once more of a new one.
    ///
    /// # Errors
    /// [`super::DIED`], [`super::LATE`], [`super::MEMORY`], [`NONSENSE`]: what the request did to the child.
    /// [`super::NOT_STARTED`], [`KILLED`]: what this machine did.
    pub fn ask<T>(&self, request: &Request<'_>, read: impl Fn(Answer) -> Option<T>) -> Outcome<T> {
        let mut new = false;
        loop {
            let mut turn = self.take(request.file.map(|(number, _)| number), new)?;
            let Some(mut cell) = turn.cell.take() else { return Err(Fault::new(&super::NOT_STARTED)) };
            let was_used = cell.served > 0;
            let fault = match cell.ask(request) {
                Ok(answer) => match read(answer) {
                    Some(answer) => {
                        turn.cell = Some(cell);
                        return Ok(answer);
                    }
                    None => Fault::new(&NONSENSE),
                },
                Err(broken) => cell.autopsy(broken),
            };
            if new || !(was_used || fault.code == &KILLED) {
                return Err(fault);
            }
            new = true;
        }
    }

    /// What protects this process from its children; starts one to know.
    ///
    /// # Errors
    /// [`super::NOT_STARTED`].
    pub fn jailed(&self) -> Outcome<Jailed> {
        let turn = self.take(None, false)?;
        turn.cell.as_ref().map(|cell| cell.jailed).ok_or_else(|| Fault::new(&super::NOT_STARTED))
    }

    /// How many children there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// A child for one request: one that has the file, or any that waits, or a new one; only a new one if asked.
    fn take(&self, file: Option<u64>, new: bool) -> Outcome<Turn<'_>> {
        let mut cells = self.lock();
        let idle = loop {
            let at =
                cells.idle.iter().position(|cell| cell.holds == file).or(cells.idle.len().checked_sub(1));
            if at.is_some() || cells.busy < self.most {
                break at.map(|at| cells.idle.swap_remove(at));
            }
            cells = self.returned.wait(cells).unwrap_or_else(PoisonError::into_inner);
        };
        cells.busy += 1;
        drop(cells);
        let mut turn = Turn { pool: self, cell: idle.filter(|_| !new) };
        if turn.cell.is_some() {
            return Ok(turn);
        }
        turn.cell = Some(Cell::start(&self.program, self.policy)?);
        Ok(turn)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use one child; the child, where it still lives, goes back when this is dropped.
struct Turn<'a> {
    pool: &'a Pool,
    cell: Option<Cell>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let kept = self.cell.take().filter(|cell| !cell.is_spent());
        let mut cells = self.pool.lock();
        cells.busy -= 1;
        cells.idle.extend(kept);
        drop(cells);
        self.pool.returned.notify_one();
    }
}
