//! The register of issuances in one SQLite file: WAL, `synchronous=FULL`. Changes that wait while a commit flushes go into
//! the next commit together; looking needs no commit and has its own connections. Several processes may have it open: `hoso serve`
//! answers wallets while `hoso offer` at the counter adds to it.
//!
//! What was let go of is gone from the file and its log: freed bytes are overwritten (`secure_delete`), and the log is emptied
//! within a minute ([`tidy`]). What the file system, a snapshot or a backup keeps of overwritten blocks is theirs to forget.

mod commits;
mod schema;
mod tidy;

use crate::clock::Clock;
use crate::deliver::credential::issuance::{Issuance, Place};
use crate::deliver::credential::proof::Mark;
use crate::deliver::credential::register::{Handle, Register, Secrets, UNAVAILABLE};
use crate::deliver::credential::status_list::{self, PLACES};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use commits::Commits;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The register of a station.
#[derive(Debug, Clone)]
pub struct Store {
    commits: Commits,
    path: PathBuf,
    /// Connections that only read, as many as were ever needed at once.
    readers: Arc<Mutex<Vec<Connection>>>,
}

impl Store {
    /// Opens the file, making it if it is not there, for its owner alone.
    ///
    /// # Errors
    /// `SEND-074` where it cannot be opened, `SEND-075` where another version made it.
    pub fn open(path: &Path) -> Outcome<Self> {
        Self::open_at(path, Clock::System)
    }

    /// As [`Store::open`]; what has had its time by this clock is let go of.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_at(path: &Path, clock: Clock) -> Outcome<Self> {
        let commits = Commits::start(path, clock)?;
        Ok(Store { commits, path: path.to_owned(), readers: Arc::default() })
    }

    /// The register's keys; made when first asked for.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn secrets(&self) -> Outcome<Secrets> {
        let mut nonces = [0u8; 32];
        let made = || -> Result<(), openssl::error::ErrorStack> { openssl::rand::rand_bytes(&mut nonces) };
        let failed = |_| Fault::new(&UNAVAILABLE).detail("OpenSSL made no key");
        let requests = {
            let mut made = made;
            made().map_err(failed)?;
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(failed)?;
            let key = EcKey::generate(&group).and_then(PKey::from_ec_key).map_err(failed)?;
            zeroize::Zeroizing::new(key.private_key_to_pkcs8().map_err(failed)?)
        };
        let fresh = (nonces.to_vec(), requests);
        let kept = self
            .commits
            .run(move |db| {
                let put = "INSERT OR IGNORE INTO setting VALUES (?1, ?2)";
                db.execute(put, params!["nonces", fresh.0])?;
                db.execute(put, params!["requests", &fresh.1[..]])?;
                let get = |name: &str| {
                    db.query_row("SELECT value FROM setting WHERE name = ?1", [name], |r| {
                        r.get::<_, Vec<u8>>(0)
                    })
                };
                Ok((get("nonces")?, zeroize::Zeroizing::new(get("requests")?)))
            })
            .await?;
        let nonces = kept
            .0
            .try_into()
            .map_err(|_| Fault::new(&UNAVAILABLE).detail("the key of nonces is not 32 bytes"))?;
        Ok(Secrets { nonces, requests: kept.1 })
    }

    /// Remembers the public address that is served, for `hoso offer`.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn set_public_url(&self, url: &str) -> Outcome<()> {
        let url = url.as_bytes().to_vec();
        self.commits
            .run(move |db| {
                db.execute("INSERT OR REPLACE INTO setting VALUES ('public-url', ?1)", params![url])
                    .map(|_| ())
            })
            .await
    }

    /// The public address that was served last.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn public_url(&self) -> Outcome<Option<String>> {
        let sql = "SELECT value FROM setting WHERE name = 'public-url'";
        let bytes = self.read(move |db| db.query_row(sql, [], |r| r.get::<_, Vec<u8>>(0)).optional()).await?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// How many transactions were made since it was opened: several changes share one.
    pub fn commits(&self) -> u64 {
        self.commits.made()
    }

    /// Lets go of everything personal whose time is over; gives how many issuances that touched. `hoso serve` does it every
    /// minute by itself.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn let_go(&self, now: i64) -> Outcome<usize> {
        let mut count = 0;
        loop {
            match self.commits.run(move |db| tidy::let_go(db, now)).await? {
                0 => break,
                some => count += some,
            }
        }
        self.commits.empty_log().await?;
        Ok(count)
    }

    /// The issuances of one document, the oldest first.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn of_document(&self, sha256: Sha256) -> Outcome<Vec<Issuance>> {
        self.read(move |db| {
            let mut rows =
                db.prepare_cached("SELECT record FROM issuance WHERE sha256 = ?1 ORDER BY rowid")?;
            rows.query_map([&sha256.0[..]], record)?.collect()
        })
        .await
    }

    /// All issuances, the newest first.
    ///
    /// # Errors
    /// `SEND-074`.
    pub async fn list(&self, most: u32) -> Outcome<Vec<Issuance>> {
        self.read(move |db| {
            let mut rows = db.prepare_cached("SELECT record FROM issuance ORDER BY rowid DESC LIMIT ?1")?;
            let records = rows.query_map([most], record)?;
            records.collect()
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let (readers, path) = (Arc::clone(&self.readers), self.path.clone());
        let run = move || {
            let kept = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let db = match kept {
                Some(db) => db,
                None => commits::reader(&path)?,
            };
            let result = job(&db)?;
            readers.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            Ok(result)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(Fault::new(&UNAVAILABLE).detail("the reader ended")),
        }
    }
}

impl Register for Store {
    async fn add(&self, mut issuance: Issuance) -> Outcome<Issuance> {
        // Drawn beforehand: most draws hit a free place at once.
        let draws = (0..64).map(|_| status_list::random_place()).collect::<Outcome<Vec<u32>>>()?;
        self.commits
            .run(move |db| {
                issuance.place = place(db, &draws)?;
                db.prepare_cached(
                    "INSERT INTO issuance (id, link, code, token, document, record, sha256, let_go)
                     VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    issuance.id,
                    &issuance.link.0[..],
                    &issuance.code.0[..],
                    &issuance.document_digest().0[..],
                    bytes(&issuance)?,
                    &issuance.document.digests.sha256.0[..],
                    issuance.let_go_at(),
                ])?;
                Ok(issuance)
            })
            .await
    }

    async fn look(&self, by: Handle) -> Outcome<Option<Issuance>> {
        self.read(move |db| find(db, &by)?.map(|(_, record)| read(&record)).transpose()).await
    }

    async fn change<T: Send + 'static>(
        &self,
        by: Handle,
        mark: Option<Mark>,
        change: impl FnOnce(Option<&mut Issuance>, bool) -> T + Send + 'static,
    ) -> Outcome<T> {
        self.commits
            .run(move |db| {
                let fresh = match mark {
                    None => true,
                    Some(mark) => {
                        db.prepare_cached("INSERT OR IGNORE INTO nonce VALUES (?1, ?2)")?
                            .execute(params![&mark.digest.0[..], mark.until])?
                            == 1
                    }
                };
                let Some((row, before)) = find(db, &by)? else { return Ok(change(None, fresh)) };
                let mut issuance = read(&before)?;
                let revoked = issuance.revoked.is_some();
                let result = change(Some(&mut issuance), fresh);
                put(db, row, &issuance, &before)?;
                if !revoked && issuance.revoked.is_some() {
                    let Place { list, index } = issuance.place;
                    db.execute("INSERT OR IGNORE INTO revoked VALUES (?1, ?2)", params![list, index])?;
                }
                Ok(result)
            })
            .await
    }

    async fn revoked(&self, list: u32) -> Outcome<Option<(u64, Vec<u32>)>> {
        self.read(move |db| {
            let there: bool =
                db.query_row("SELECT EXISTS (SELECT 1 FROM place WHERE list = ?1)", [list], |r| r.get(0))?;
            // The first list is there before the first offer: whoever looks meets no error.
            if !there && list != 0 {
                return Ok(None);
            }
            let mut rows = db.prepare_cached("SELECT place FROM revoked WHERE list = ?1")?;
            let places = rows.query_map([list], |r| r.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
            Ok(Some((places.len() as u64, places)))
        })
        .await
    }

    async fn revocations(&self, list: u32) -> Outcome<u64> {
        self.read(move |db| {
            db.prepare_cached("SELECT count(*) FROM revoked WHERE list = ?1")?
                .query_row([list], |r| r.get::<_, i64>(0))
                .map(i64::unsigned_abs)
        })
        .await
    }

    async fn ready(&self) -> Outcome<()> {
        self.commits.run(|db| db.query_row("SELECT count(*) FROM setting", [], |_| Ok(()))).await
    }
}

/// A free place: the lists are filled to half, so that a draw hits a taken place every second time at the worst.
fn place(db: &Connection, draws: &[u32]) -> rusqlite::Result<Place> {
    let full = i64::from(PLACES / 2);
    let (list, taken): (u32, i64) = db
        .query_row("SELECT list, taken FROM list ORDER BY list DESC LIMIT 1", [], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .optional()?
        .unwrap_or((0, 0));
    let list = if taken >= full { list.saturating_add(1) } else { list };
    for index in draws {
        let put = db
            .prepare_cached("INSERT OR IGNORE INTO place VALUES (?1, ?2)")?
            .execute(params![list, index])?;
        if put == 1 {
            db.execute(
                "INSERT INTO list VALUES (?1, 1) ON CONFLICT (list) DO UPDATE SET taken = taken + 1",
                [list],
            )?;
            return Ok(Place { list, index: *index });
        }
    }
    Err(rusqlite::Error::QueryReturnedNoRows)
}

/// The row and the bytes of an issuance.
fn find(db: &Connection, by: &Handle) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    let (sql, digest) = match by {
        Handle::Id(id) => {
            let mut row = db.prepare_cached("SELECT rowid, record FROM issuance WHERE id = ?1")?;
            return row.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional();
        }
        Handle::Link(digest) => ("SELECT rowid, record FROM issuance WHERE link = ?1", digest),
        Handle::Code(digest) => ("SELECT rowid, record FROM issuance WHERE code = ?1", digest),
        Handle::Token(digest) => ("SELECT rowid, record FROM issuance WHERE token = ?1", digest),
        Handle::Document(digest) => ("SELECT rowid, record FROM issuance WHERE document = ?1", digest),
    };
    db.prepare_cached(sql)?.query_row([&digest.0[..]], |r| Ok((r.get(0)?, r.get(1)?))).optional()
}

/// Rows and bytes of issuances that hold what has had its time.
fn find_due(db: &Connection, now: i64, most: u32) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut rows = db.prepare_cached("SELECT rowid, record FROM issuance WHERE let_go <= ?1 LIMIT ?2")?;
    rows.query_map(params![now, most], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
}

/// Writes an issuance back where it is no longer what it was.
fn put(db: &Connection, row: i64, issuance: &Issuance, before: &[u8]) -> rusqlite::Result<()> {
    let record = bytes(issuance)?;
    if record != before {
        let token = issuance.token().map(|token| &token.digest.0[..]);
        db.prepare_cached("UPDATE issuance SET token = ?2, record = ?3, let_go = ?4 WHERE rowid = ?1")?
            .execute(params![row, token, record, issuance.let_go_at()])?;
    }
    Ok(())
}

fn bytes(issuance: &Issuance) -> rusqlite::Result<Vec<u8>> {
    serde_json::to_vec(issuance).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn read(record: &[u8]) -> rusqlite::Result<Issuance> {
    serde_json::from_slice(record)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, e.into()))
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Issuance> {
    read(row.get_ref(0)?.as_blob()?)
}

fn failed(error: &rusqlite::Error) -> Fault {
    // The text of a conversion error may quote a record.
    let what = match error {
        rusqlite::Error::SqliteFailure(code, _) => format!("{:?}", code.code),
        rusqlite::Error::FromSqlConversionFailure(..) => "a record cannot be read".to_owned(),
        _ => "a statement failed".to_owned(),
    };
    Fault::new(&UNAVAILABLE).detail(what)
}

#[cfg(test)]
mod tests;
