//! Hears that the file was written, by this process or another, without reading any of it.

use super::super::UNAVAILABLE;
use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// A connection that only ever asks for the version of the data (`PRAGMA data_version`).
#[derive(Debug)]
pub(super) struct Listener {
    db: Connection,
    last: i64,
}

impl Listener {
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|e| Fault::new(&UNAVAILABLE).detail(e))?;
        Ok(Listener { db, last: 0 })
    }

    /// True where something was committed since it last said so. Where it cannot tell, it says so, too: whoever
    /// listens looks for themselves.
    pub(super) fn heard(&mut self) -> bool {
        let version = self
            .db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut asked| asked.query_row([], |r| r.get(0)));
        match version {
            Ok(version) => std::mem::replace(&mut self.last, version) != version,
            Err(_) => true,
        }
    }
}
