//! What recipients acknowledged, read beside whoever works: a connection of its own that cannot write.

use super::{UNAVAILABLE, schema};
use crate::digest::{Blake3, Sha256};
use crate::fault::{Fault, Outcome};
use rusqlite::{Connection, OpenFlags, Row, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The outbox, to be read only.
pub struct Outbox {
    db: Connection,
    /// What the order of posting is called.
    order: &'static str,
    /// The receipt itself, where its row holds it.
    proof: &'static str,
}

/// The last thing about one subject that a recipient acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// What it is about.
    pub subject: String,
    /// Its idempotency key.
    pub id: Sha256,
    /// Its place in the order of posting.
    pub order: i64,
    /// When its receipt was checked (ms).
    pub at: i64,
    /// Where the receipt lies.
    pub receipt: Option<Blake3>,
}

/// One parcel about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Its idempotency key.
    pub id: Sha256,
    /// What its sender needs.
    pub body: Vec<u8>,
    /// How far its sender came, as it wrote that down, where it is not receipted.
    pub progress: Option<Vec<u8>>,
    /// Its receipt was checked and is kept.
    pub receipted: bool,
}

impl Outbox {
    /// Opens the ledger's file. Where there is none, or somebody is making it at this moment, nothing was acknowledged.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn open(path: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = match path.try_exists() {
            Ok(false) => of_nothing(),
            Ok(true) | Err(_) => Connection::open_with_flags(path, flags),
        }
        .map_err(failed)?;
        db.execute_batch("PRAGMA busy_timeout=30000; PRAGMA trusted_schema=OFF;").map_err(failed)?;
        let mut columns = columns(&db).map_err(failed)?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
        if version == 0 && columns.is_empty() {
            db = of_nothing().map_err(failed)?;
            columns = self::columns(&db).map_err(failed)?;
        }
        // The ledger may be of a version that has no receipts in its rows: it is only read here, never brought up to date.
        let order = if columns.contains("seq") { "seq" } else { "posted_at" };
        let proof = if columns.contains("proof") { "proof" } else { "NULL" };
        Ok(Outbox { db, order, proof })
    }

    /// The last acknowledged parcel of every subject of a recipient, by subject.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn acknowledged(&self, recipient: &str) -> Outcome<Vec<Acknowledged>> {
        let sql = format!(
            "SELECT subject, id, {}, due, receipt FROM parcel WHERE recipient=?1 AND state='receipted'",
            self.order
        );
        let mut last: BTreeMap<String, Acknowledged> = BTreeMap::new();
        let mut statement = self.db.prepare(&sql).map_err(failed)?;
        for row in statement.query_map([recipient], acknowledged).map_err(failed)? {
            let row = row.map_err(failed)?;
            match last.get(&row.subject) {
                Some(known) if (known.order, known.id) >= (row.order, row.id) => {}
                _ => drop(last.insert(row.subject.clone(), row)),
            }
        }
        Ok(last.into_values().collect())
    }

    /// The subjects of a recipient about which something is still on its way.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn on_their_way(&self, recipient: &str) -> Outcome<BTreeSet<String>> {
        let sql = "SELECT DISTINCT subject FROM parcel WHERE recipient=?1 AND state IN ('pending', 'leased', 'held')";
        let mut statement = self.db.prepare(sql).map_err(failed)?;
        let subjects = statement.query_map([recipient], |r| r.get(0)).map_err(failed)?;
        subjects.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// The body of a parcel; nothing for one that is not there.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn body(&self, id: &Sha256) -> Outcome<Option<Vec<u8>>> {
        let mut statement = self.db.prepare_cached("SELECT body FROM parcel WHERE id=?1").map_err(failed)?;
        let mut rows = statement.query(params![&id.0[..]]).map_err(failed)?;
        rows.next().map_err(failed)?.map(|r| r.get(0).map_err(failed)).transpose()
    }

    /// The receipt of a parcel, where it lies in its row and not among the blobs.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn proof(&self, id: &Sha256) -> Outcome<Option<Vec<u8>>> {
        let sql = format!("SELECT {} FROM parcel WHERE id=?1", self.proof);
        let mut statement = self.db.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query(params![&id.0[..]]).map_err(failed)?;
        Ok(rows.next().map_err(failed)?.map(|r| r.get(0).map_err(failed)).transpose()?.flatten())
    }

    /// Everything about a subject that a recipient was ever sent or is to be sent, in the order of posting.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn news(&self, recipient: &str, subject: &str) -> Outcome<Vec<News>> {
        // Three arms, each on the partial index whose condition it repeats.
        let columns = format!("SELECT id, body, progress, state, {} AS place FROM parcel", self.order);
        let of = "recipient=?1 AND subject=?2";
        let sql = format!(
            "{columns} WHERE {of} AND state IN ('leased', 'receipted')
             UNION ALL {columns} WHERE {of} AND state IN ('pending', 'leased', 'held') AND state<>'leased'
             UNION ALL {columns} WHERE {of} AND state IN ('dead', 'cancelled') ORDER BY place, id"
        );
        let mut statement = self.db.prepare_cached(&sql).map_err(failed)?;
        let news = |r: &Row<'_>| {
            Ok(News {
                id: Sha256(r.get::<_, Vec<u8>>(0)?.try_into().map_err(|_| rusqlite::Error::InvalidQuery)?),
                body: r.get(1)?,
                progress: r.get(2)?,
                receipted: r.get::<_, String>(3)? == "receipted",
            })
        };
        let rows = statement.query_map(params![recipient, subject], news).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// What a parcel is about; nothing for one that is not there.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub fn subject(&self, id: &Sha256) -> Outcome<Option<String>> {
        let sql = "SELECT subject FROM parcel WHERE id=?1";
        let mut statement = self.db.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params![&id.0[..]]).map_err(failed)?;
        rows.next().map_err(failed)?.map(|r| r.get(0).map_err(failed)).transpose()
    }
}

/// What the table of parcels has; nothing where there is no such table yet.
fn columns(db: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = db.prepare("SELECT name FROM pragma_table_info('parcel')")?;
    statement.query_map([], |r| r.get(0))?.collect()
}

/// The ledger of a station where nothing happened yet.
fn of_nothing() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    let scripts = schema::MIGRATIONS.iter().flat_map(|(_, scripts)| scripts.iter());
    scripts.copied().try_for_each(|script| db.execute_batch(script))?;
    Ok(db)
}

fn acknowledged(r: &Row<'_>) -> rusqlite::Result<Acknowledged> {
    let digest = |bytes: Vec<u8>| bytes.try_into().ok();
    Ok(Acknowledged {
        subject: r.get(0)?,
        id: Sha256(digest(r.get(1)?).ok_or(rusqlite::Error::InvalidQuery)?),
        order: r.get(2)?,
        at: r.get(3)?,
        receipt: r.get::<_, Option<Vec<u8>>>(4)?.and_then(digest).map(Blake3),
    })
}

fn failed(error: rusqlite::Error) -> Fault {
    Fault::new(&UNAVAILABLE).detail(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_nobody_has_made_yet_or_is_making_holds_nothing_and_another_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let empty = |outbox: Outbox| {
            assert_eq!(outbox.acknowledged("portal"), Ok(Vec::new()));
            assert_eq!(outbox.on_their_way("portal"), Ok(BTreeSet::new()));
            assert_eq!(outbox.news("portal", "H40"), Ok(Vec::new()));
            assert_eq!(outbox.proof(&Sha256::of(b"x")), Ok(None));
        };
        empty(Outbox::open(&path).unwrap());
        assert!(!path.exists(), "looking makes nothing");
        let maker = Connection::open(&path).unwrap();
        crate::commit::write_ahead(&maker).unwrap();
        empty(Outbox::open(&path).unwrap());
        maker.execute_batch("PRAGMA user_version=99").unwrap();
        let later = Outbox::open(&path).unwrap();
        assert!(later.acknowledged("portal").is_err(), "a ledger of a version that has no parcels");
        let letter = dir.path().join("letter");
        std::fs::write(&letter, "not a ledger, but a letter. ".repeat(100)).unwrap();
        assert!(Outbox::open(&letter).is_err());
    }
}
