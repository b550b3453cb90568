//! What arrived by push v1, in `var/inbox.db`: WAL, `synchronous=FULL`, written as the ledger is: deliveries that gather while a
//! commit flushes share the next one. A row is the acknowledgement: it names a blob that is on the disk already, and holds the
//! receipt that was, and will be, given for it.

use crate::commit;
use crate::deliver::receipt::Facts;
use crate::digest::{Blake3, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::Writer;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The register of what arrived.
#[derive(Debug, Clone)]
pub struct Inbox {
    writer: Writer,
    path: PathBuf,
    /// Connections that only read, as many as were ever needed at once.
    readers: Arc<Mutex<Vec<Connection>>>,
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Id, digest and size of what came over the wire.
    pub facts: Facts,
    /// Where the bytes lie.
    pub blob: Blake3,
    /// Who sent it, by its name in the configuration.
    pub sender: String,
    /// For whom: the handle, which says nothing to anyone else.
    pub recipient: Sha256,
    /// SHA-256 of the document as its sender told it, where what came is encrypted.
    pub document: Option<Sha256>,
    /// When it was safe (ms).
    pub received_at: i64,
    /// The receipt, byte for byte.
    pub receipt: Vec<u8>,
    /// How it lies in `out/inbox/`.
    pub laid: Laid,
}

/// How a delivery lies in `out/inbox/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Laid {
    /// Not yet.
    No,
    /// As it came.
    AsItCame,
    /// What was inside.
    Opened,
}

impl Delivery {
    /// What it is called in `out/inbox/`, laid in this way.
    pub fn file_name(&self, laid: Laid) -> String {
        let sealed = self.document.is_some() && laid != Laid::Opened;
        format!("{}.{}", self.facts.delivery_id, if sealed { "jwe" } else { "pdf" })
    }
}

/// Something that was sent under an id that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Id, digest and size (0: not kept) of what was sent.
    pub facts: Facts,
    /// Who sent it.
    pub sender: String,
    /// When first (ms).
    pub at: i64,
}

/// A nonce that is used up: a digest over it and its key, and the second from which on its signature is refused anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The first half of a SHA-256.
    pub digest: [u8; 16],
    /// Unix seconds.
    pub until: i64,
}

/// What keeping came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is here now.
    New,
    /// It was here; the first receipt.
    Again(Vec<u8>),
    /// Something else is here under its id, and stays.
    Conflict,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries kept.
    pub deliveries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Attempts to put something else under an id that was taken.
    pub conflicts: u64,
}

impl Inbox {
    /// Opens the file, making it if it is not there, for its owner alone.
    ///
    /// # Errors
    /// [`UNAVAILABLE`], [`OTHER_VERSION`].
    pub fn open(path: &Path) -> Outcome<Self> {
        let db = create(path)?;
        let writer = Writer::over("inbox", db).map_err(ours)?;
        Ok(Inbox { writer, path: path.to_owned(), readers: Arc::default() })
    }

    /// Keeps a delivery and uses its nonce up; durable when this returns. What is there already is never overwritten.
    ///
    /// # Errors
    /// [`UNAVAILABLE`]: nothing is acknowledged then.
    pub async fn keep(&self, delivery: Delivery, mark: Mark) -> Outcome<Kept> {
        let job = move |db: &Connection| {
            use_up(db, mark)?;
            let first = db
                .prepare_cached("SELECT sha256, size, receipt FROM delivery WHERE id = ?1")?
                .query_row([&delivery.facts.delivery_id.0[..]], |r| {
                    Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?, r.get::<_, Vec<u8>>(2)?))
                })
                .optional()?;
            if let Some((sha256, size, receipt)) = first {
                if sha256 == delivery.facts.sha256.0 && size.unsigned_abs() == delivery.facts.size {
                    return Ok(Kept::Again(receipt));
                }
                conflict(db, &delivery.facts, &delivery.sender, delivery.received_at)?;
                return Ok(Kept::Conflict);
            }
            insert(db, &delivery)?;
            Ok(Kept::New)
        };
        self.writer.run(job).await.map_err(ours)
    }

    /// Writes down that something else was sent under an id that is taken, and uses the nonce up.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub async fn note_conflict(&self, facts: Facts, sender: String, at: i64, mark: Mark) -> Outcome<()> {
        let job = move |db: &Connection| use_up(db, mark).and_then(|()| conflict(db, &facts, &sender, at));
        self.writer.run(job).await.map_err(ours)
    }

    /// Uses a nonce up.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub async fn use_up(&self, mark: Mark) -> Outcome<()> {
        self.writer.run(move |db| use_up(db, mark)).await.map_err(ours)
    }

    /// Nonces whose signatures would still be in time; forgets the others.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub async fn nonces(&self, now: i64) -> Outcome<Vec<Mark>> {
        let job = move |db: &Connection| {
            db.execute("DELETE FROM nonce WHERE until < ?1", [now])?;
            let mut rows = db.prepare("SELECT digest, until FROM nonce")?;
            let marks = rows.query_map([], |r| {
                let digest: Vec<u8> = r.get(0)?;
                Ok(Mark { digest: digest.try_into().unwrap_or_default(), until: r.get(1)? })
            })?;
            marks.collect()
        };
        self.writer.run(job).await.map_err(ours)
    }

    /// A delivery by its id. Blocks: to be asked where blocking is allowed.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub fn look(&self, id: &Sha256) -> Outcome<Option<Delivery>> {
        self.read(|db| {
            db.prepare_cached(&format!("SELECT {COLUMNS} FROM delivery WHERE id = ?1"))?
                .query_row([&id.0[..]], delivery)
                .optional()
        })
    }

    /// The deliveries, the newest first. Blocks.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub fn list(&self, most: u32) -> Outcome<Vec<Delivery>> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM delivery ORDER BY rowid DESC LIMIT ?1");
            db.prepare_cached(&sql)?.query_map([most], delivery)?.collect()
        })
    }

    /// What was sent under ids that were taken, the newest first. Blocks.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub fn conflicts(&self, most: u32) -> Outcome<Vec<Conflict>> {
        self.read(|db| {
            let sql = "SELECT id, sha256, sender, at FROM conflict ORDER BY at DESC LIMIT ?1";
            let read = |r: &Row<'_>| {
                let facts = Facts { delivery_id: sha256(r, 0)?, sha256: sha256(r, 1)?, size: 0 };
                Ok(Conflict { facts, sender: r.get(2)?, at: r.get(3)? })
            };
            db.prepare_cached(sql)?.query_map([most], read)?.collect()
        })
    }

    /// Some deliveries that are not in `out/inbox/` yet, the oldest first. Blocks.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub fn unlaid(&self, most: u32) -> Outcome<Vec<Delivery>> {
        self.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM delivery WHERE laid = 0 ORDER BY rowid LIMIT ?1");
            db.prepare_cached(&sql)?.query_map([most], delivery)?.collect()
        })
    }

    /// Notes that these lie in `out/inbox/`.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub async fn mark_laid(&self, laid: Vec<(Sha256, Laid)>) -> Outcome<()> {
        let job = move |db: &Connection| {
            let mut mark = db.prepare_cached("UPDATE delivery SET laid = ?2 WHERE id = ?1")?;
            laid.iter().try_for_each(|(id, how)| mark.execute(params![&id.0[..], *how as i64]).map(|_| ()))
        };
        self.writer.run(job).await.map_err(ours)
    }

    /// How much there is. Blocks.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub fn counts(&self) -> Outcome<Counts> {
        self.read(|db| {
            let count = |sql: &str| {
                db.prepare_cached(sql)?.query_row([], |r| r.get::<_, i64>(0)).map(i64::unsigned_abs)
            };
            Ok(Counts {
                deliveries: count("SELECT count(*) FROM delivery")?,
                bytes: count("SELECT coalesce(sum(size), 0) FROM delivery")?,
                conflicts: count("SELECT count(*) FROM conflict")?,
            })
        })
    }

    /// Whether a commit reaches the disk.
    ///
    /// # Errors
    /// [`UNAVAILABLE`].
    pub async fn ready(&self) -> Outcome<()> {
        let job = |db: &Connection| {
            db.query_row("SELECT count(*) FROM (SELECT 1 FROM delivery LIMIT 1)", [], |_| Ok(()))
        };
        self.writer.run(job).await.map_err(ours)
    }

    fn read<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Outcome<T> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match kept {
            Some(db) => db,
            None => reader(&self.path).map_err(|e| failed(&e))?,
        };
        let result = job(&db).map_err(|e| failed(&e));
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        result
    }
}

fn use_up(db: &Connection, mark: Mark) -> rusqlite::Result<()> {
    let put = "INSERT OR IGNORE INTO nonce VALUES (?1, ?2)";
    db.prepare_cached(put)?.execute(params![&mark.digest[..], mark.until]).map(|_| ())
}

fn conflict(db: &Connection, facts: &Facts, sender: &str, at: i64) -> rusqlite::Result<()> {
    // Once for what was tried: a sender that insists does not fill the disk.
    db.execute(
        "INSERT OR IGNORE INTO conflict VALUES (?1, ?2, ?3, ?4)",
        params![&facts.delivery_id.0[..], &facts.sha256.0[..], sender, at],
    )
    .map(|_| ())
}

fn insert(db: &Connection, d: &Delivery) -> rusqlite::Result<()> {
    let size = i64::try_from(d.facts.size).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT INTO delivery (id, sha256, size, blob, sender, recipient, document, received_at, receipt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        &d.facts.delivery_id.0[..],
        &d.facts.sha256.0[..],
        size,
        &d.blob.0[..],
        d.sender,
        &d.recipient.0[..],
        d.document.as_ref().map(|digest| &digest.0[..]),
        d.received_at,
        d.receipt,
    ])
    .map(|_| ())
}

fn delivery(r: &Row<'_>) -> rusqlite::Result<Delivery> {
    let document = r.get::<_, Option<Vec<u8>>>(6)?.and_then(|bytes| bytes.try_into().ok()).map(Sha256);
    Ok(Delivery {
        facts: Facts {
            delivery_id: sha256(r, 0)?,
            sha256: sha256(r, 1)?,
            size: r.get::<_, i64>(2)?.unsigned_abs(),
        },
        blob: Blake3(sha256(r, 3)?.0),
        sender: r.get(4)?,
        recipient: sha256(r, 5)?,
        document,
        received_at: r.get(7)?,
        receipt: r.get(8)?,
        laid: [Laid::No, Laid::AsItCame]
            .get(usize::from(r.get::<_, u16>(9)?))
            .copied()
            .unwrap_or(Laid::Opened),
    })
}

/// 32 bytes of a column; a row that holds something else is not ours.
fn sha256(r: &Row<'_>, at: usize) -> rusqlite::Result<Sha256> {
    let bytes: Vec<u8> = r.get(at)?;
    let length = bytes.len();
    bytes.try_into().map(Sha256).map_err(|_| {
        rusqlite::Error::InvalidColumnType(at, format!("{length} bytes"), rusqlite::types::Type::Blob)
    })
}

const COLUMNS: &str = "id, sha256, size, blob, sender, recipient, document, received_at, receipt, laid";

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.execute_batch("PRAGMA busy_timeout=30000; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
    Ok(db)
}

fn create(path: &Path) -> Outcome<Connection> {
    let unusable = |e: std::io::Error| Fault::new(&UNAVAILABLE).detail(e.kind());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(unusable)?;
    let failed = |e: rusqlite::Error| failed(&e);
    let db = Connection::open(path).map_err(failed)?;
    db.execute_batch("PRAGMA busy_timeout=30000; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;")
        .and_then(|()| commit::write_ahead(&db))
        .map_err(failed)?;
    db.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    match version {
        VERSION => db.execute_batch("COMMIT").map_err(failed)?,
        0 => db.execute_batch(&format!("{TABLES} PRAGMA user_version={VERSION}; COMMIT")).map_err(failed)?,
        other => {
            let _ = db.execute_batch("ROLLBACK");
            return Err(Fault::new(&OTHER_VERSION).detail(format!("version {other}, not {VERSION}")));
        }
    }
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

fn failed(error: &rusqlite::Error) -> Fault {
    let what = match error {
        rusqlite::Error::SqliteFailure(code, _) => format!("{:?}", code.code),
        _ => "a statement failed".to_owned(),
    };
    Fault::new(&UNAVAILABLE).detail(what)
}

/// A fault of the shared writer in the words of this file.
fn ours(fault: Fault) -> Fault {
    Fault { code: &UNAVAILABLE, ..fault }
}

const VERSION: i64 = 1;
const TABLES: &str = "
CREATE TABLE delivery (
  id BLOB NOT NULL UNIQUE, sha256 BLOB NOT NULL, size INTEGER NOT NULL, blob BLOB NOT NULL, sender TEXT NOT NULL,
  recipient BLOB NOT NULL, document BLOB, received_at INTEGER NOT NULL, receipt BLOB NOT NULL, laid INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX delivery_unlaid ON delivery (laid) WHERE laid = 0;
CREATE TABLE conflict (
  id BLOB NOT NULL, sha256 BLOB NOT NULL, sender TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (id, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE nonce (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_until ON nonce (until);
";

/// The register cannot be written or read.
pub const UNAVAILABLE: Code = Code {
    id: "HTTP-020",
    class: Class::Later,
    vi: "Sổ hồ sơ đến không ghi hoặc đọc được",
    en: "the register of what arrived cannot be written or read",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi trên var/inbox.db; bên gửi sẽ tự gửi lại",
    remedy_en: "check the free space and the right to write var/inbox.db; senders try again by themselves",
};

/// The register was made by another version.
pub const OTHER_VERSION: Code = Code {
    id: "HTTP-021",
    class: Class::Setup,
    vi: "Sổ hồ sơ đến do phiên bản khác của chương trình tạo ra",
    en: "the register of what arrived was made by another version of the program",
    remedy_vi: "Dùng đúng phiên bản hoặc nâng cấp theo hướng dẫn",
    remedy_en: "use that version, or upgrade as the manual says",
};
