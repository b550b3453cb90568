//! The tables of the register, and how a file is opened, made and brought up to date.

use super::{bytes, failed, read};
use crate::commit;
use crate::deliver::credential::register::{OTHER_VERSION, UNAVAILABLE};
use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, params};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens the file for writing, makes it where it is not there, and brings an older one up to date.
pub(super) fn open(path: &Path) -> Outcome<Connection> {
    let unusable = |e: std::io::Error| Fault::new(&UNAVAILABLE).detail(e.kind());
    // It holds fields of results: for its owner alone, from its first byte on. SQLite gives its side files the same mode.
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unusable)?;
    let failed = |e: rusqlite::Error| failed(&e);
    let db = Connection::open(path).map_err(failed)?;
    db.execute_batch(
        "PRAGMA busy_timeout=30000; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
    )
    .and_then(|()| commit::write_ahead(&db))
    .map_err(failed)?;
    db.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    match version {
        VERSION => db.execute_batch("COMMIT").map_err(failed)?,
        0 => db.execute_batch(&format!("{TABLES} PRAGMA user_version={VERSION}; COMMIT")).map_err(failed)?,
        1 => {
            from_1(&db).map_err(failed)?;
            db.execute_batch(&format!("PRAGMA user_version={VERSION}; COMMIT")).map_err(failed)?;
            // Version 1 left what it deleted in free pages.
            db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").map_err(failed)?;
        }
        other => {
            let _ = db.execute_batch("ROLLBACK");
            return Err(Fault::new(&OTHER_VERSION).detail(format!("version {other}, not {VERSION}")));
        }
    }
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// Version 1 did not know which document an issuance is of, nor when it is to be let go of.
fn from_1(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "ALTER TABLE issuance ADD COLUMN sha256 BLOB; ALTER TABLE issuance ADD COLUMN let_go INTEGER;",
    )?;
    db.execute_batch(INDEXES)?;
    let rows: Vec<i64> = db
        .prepare("SELECT rowid FROM issuance")?
        .query_map([], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for row in rows {
        let record: Vec<u8> =
            db.query_row("SELECT record FROM issuance WHERE rowid = ?1", [row], |r| r.get(0))?;
        let issuance = read(&record)?;
        db.prepare_cached("UPDATE issuance SET record = ?2, sha256 = ?3, let_go = ?4 WHERE rowid = ?1")?
            .execute(params![
                row,
                bytes(&issuance)?,
                &issuance.document.digests.sha256.0[..],
                issuance.let_go_at()
            ])?;
    }
    Ok(())
}

const VERSION: i64 = 2;
/// Version 1 and its two additions.
pub(super) const TABLES: &str = "
CREATE TABLE issuance (
  id TEXT NOT NULL UNIQUE, link BLOB NOT NULL UNIQUE, code BLOB NOT NULL UNIQUE, token BLOB UNIQUE, document BLOB NOT NULL UNIQUE,
  record BLOB NOT NULL, sha256 BLOB, let_go INTEGER
) STRICT;
CREATE TABLE nonce (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_until ON nonce (until);
CREATE TABLE list (list INTEGER PRIMARY KEY, taken INTEGER NOT NULL) STRICT;
CREATE TABLE place (list INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (list, place)) STRICT, WITHOUT ROWID;
CREATE TABLE revoked (list INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (list, place)) STRICT, WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX issuance_sha256 ON issuance (sha256);
CREATE INDEX issuance_let_go ON issuance (let_go) WHERE let_go IS NOT NULL;
";
const INDEXES: &str = "
CREATE INDEX issuance_sha256 ON issuance (sha256);
CREATE INDEX issuance_let_go ON issuance (let_go) WHERE let_go IS NOT NULL;
";
