//! What is let go of when its time is over, and out of the log too: SQLite keeps old pages there until it is emptied.

use super::{failed, find_due, put, read};
use rusqlite::Connection;

/// Once a minute. The log is emptied whoever wrote to it: the counter's commands are other processes.
pub(super) fn tidy(db: &Connection, now: i64) {
    loop {
        match transaction(db, now) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) => {
                tracing::warn!(detail = failed(&e).detail.as_deref(), "the register could not be tidied");
                break;
            }
        }
    }
    empty_log(db);
}

fn transaction(db: &Connection, now: i64) -> rusqlite::Result<usize> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let done = let_go(db, now).and_then(|some| {
        // Nonces that ended a day ago are refused by their own end.
        db.prepare_cached("DELETE FROM nonce WHERE until < ?1")?.execute([now.saturating_sub(86_400)])?;
        Ok(some)
    });
    db.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

/// Some of the issuances that hold what has had its time; none where there are no more.
pub(super) fn let_go(db: &Connection, now: i64) -> rusqlite::Result<usize> {
    let due = find_due(db, now, AT_ONCE)?;
    for (row, before) in &due {
        let mut issuance = read(before)?;
        issuance.let_go(now);
        // Written whatever came of it: what stays due would be found for ever.
        put(db, *row, &issuance, &[])?;
    }
    Ok(due.len())
}

/// Others that read or write just now are not waited for: the next minute will do.
pub(super) fn empty_log(db: &Connection) {
    let emptied = db.execute_batch(
        "PRAGMA busy_timeout=500; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout=30000;",
    );
    if let Err(e) = emptied {
        tracing::warn!(detail = failed(&e).detail.as_deref(), "the register's log could not be emptied");
    }
}

/// Issuances that share a transaction.
const AT_ONCE: u32 = 256;
