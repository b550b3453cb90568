//! The tables. `STRICT`, so that a wrong type is an error and not a surprise years later.

use super::sqlite::consent;

/// The version in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 3;

/// The way from an empty file to today: every version with the scripts that lead to it from the one before. What a
/// released program has run is never edited, only added to.
pub(super) const MIGRATIONS: &[(i64, &[&str])] =
    &[(2, &[TABLES]), (3, &[OUTBOX, consent::TABLES, consent::HOLDERS_OF_OLD])];

/// Version 2, from nothing.
pub(super) const TABLES: &str = "
CREATE TABLE run (
  id BLOB PRIMARY KEY, label TEXT NOT NULL, code TEXT, source TEXT NOT NULL,
  pipeline TEXT NOT NULL, pipeline_digest BLOB NOT NULL, cursor INTEGER NOT NULL, steps INTEGER NOT NULL,
  lane INTEGER NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL,
  lease_token BLOB, lease_until INTEGER, lease_owner TEXT, attempts INTEGER NOT NULL DEFAULT 0, setbacks INTEGER NOT NULL DEFAULT 0,
  record BLOB NOT NULL, reason TEXT, parent BLOB, admitted_at INTEGER NOT NULL, work_ms INTEGER NOT NULL DEFAULT 0,
  published INTEGER NOT NULL DEFAULT 0, journal BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX run_ready  ON run (lane, due, id) WHERE state = 'ready';
CREATE INDEX run_leased ON run (lease_until)   WHERE state = 'leased';
CREATE INDEX run_parent ON run (parent)        WHERE parent IS NOT NULL;
CREATE INDEX run_code   ON run (code)          WHERE state = 'leased';
CREATE INDEX run_unpublished ON run (id)       WHERE state IN ('done', 'sending') AND published = 0;

CREATE TABLE link (run BLOB NOT NULL, source TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (run, source)) STRICT, WITHOUT ROWID;

CREATE TABLE pipeline (digest BLOB PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
  run BLOB NOT NULL, entry INTEGER NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL,
  input BLOB NOT NULL, output BLOB NOT NULL, at INTEGER NOT NULL, worker TEXT NOT NULL,
  prev BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (run, entry)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER journal_is_not_edited BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE reading (
  run BLOB NOT NULL, reading BLOB NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (run, reading)
) STRICT, WITHOUT ROWID;
CREATE INDEX reading_runs    ON reading (reading);
CREATE INDEX reading_leaving ON reading (reading) WHERE state = 'leaving';

CREATE TABLE parcel (
  id BLOB PRIMARY KEY, recipient TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL,
  lease_token BLOB, lease_until INTEGER, lease_owner TEXT, attempts INTEGER NOT NULL DEFAULT 0, first_at INTEGER,
  receipt BLOB, reason TEXT, progress BLOB, subject TEXT NOT NULL, posted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_subject ON parcel (subject, posted_at) WHERE state IN ('pending', 'leased');
CREATE INDEX parcel_due ON parcel (due) WHERE state IN ('pending', 'leased');
CREATE TABLE parcel_of (run BLOB NOT NULL, parcel BLOB NOT NULL, PRIMARY KEY (run, parcel)) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_runs ON parcel_of (parcel);
";

/// To version 3: the outbox is claimed recipient by recipient, and a receipt lies in its parcel's row.
///
/// `seq` is the order of posting, whatever the clock did. `head` marks the oldest open parcel of its subject, the only
/// one that may go; two triggers keep it, whoever changes a state. Open are `pending`, `leased` and `held`: what is
/// held keeps its place. A claim walks `parcel_claim`, which has nothing in it that could not go. The indexes carry what
/// their own conditions ask, so that SQLite need not look into the table for it.
const OUTBOX: &str = "
DROP INDEX parcel_subject;
DROP INDEX parcel_due;
ALTER TABLE parcel ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parcel ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parcel ADD COLUMN proof BLOB;
UPDATE parcel SET seq = o.place FROM (SELECT id, row_number() OVER (ORDER BY posted_at, id) AS place FROM parcel) o
  WHERE o.id = parcel.id;
CREATE UNIQUE INDEX parcel_seq ON parcel (seq);
CREATE INDEX parcel_open   ON parcel (subject, seq, state) WHERE state IN ('pending', 'leased', 'held');
UPDATE parcel SET head = NOT EXISTS (SELECT 1 FROM parcel o WHERE o.subject = parcel.subject
  AND o.state IN ('pending', 'leased', 'held') AND o.seq < parcel.seq) WHERE state IN ('pending', 'leased', 'held');
CREATE INDEX parcel_claim  ON parcel (recipient, due, seq, head, state) WHERE state = 'pending' AND head = 1;
CREATE INDEX parcel_leased ON parcel (lease_until, recipient, state)    WHERE state = 'leased';
CREATE INDEX parcel_behind ON parcel (recipient, head, state)           WHERE state = 'pending' AND head = 0;
CREATE INDEX parcel_held   ON parcel (recipient, state)                 WHERE state = 'held';
CREATE TRIGGER parcel_closed AFTER UPDATE OF state ON parcel
WHEN OLD.state IN ('pending', 'leased', 'held') AND NEW.state NOT IN ('pending', 'leased', 'held') BEGIN
  UPDATE parcel SET head = 1 WHERE id = (SELECT id FROM parcel WHERE subject = NEW.subject
    AND state IN ('pending', 'leased', 'held') ORDER BY seq LIMIT 1);
END;
CREATE TRIGGER parcel_opened AFTER UPDATE OF state ON parcel
WHEN OLD.state NOT IN ('pending', 'leased', 'held') AND NEW.state IN ('pending', 'leased', 'held') BEGIN
  UPDATE parcel SET head = NOT EXISTS (SELECT 1 FROM parcel o WHERE o.subject = NEW.subject
    AND o.state IN ('pending', 'leased', 'held') AND o.seq < NEW.seq) WHERE id = NEW.id;
  UPDATE parcel SET head = 0 WHERE id = (SELECT id FROM parcel WHERE subject = NEW.subject
    AND state IN ('pending', 'leased', 'held') AND seq > NEW.seq ORDER BY seq LIMIT 1);
END;
-- A process of version 2 that still runs writes no place: its parcels must not be swallowed.
CREATE TRIGGER parcel_posted AFTER INSERT ON parcel WHEN NEW.seq = 0 BEGIN
  UPDATE parcel SET seq = (SELECT max(seq) + 1 FROM parcel), head = NOT EXISTS (SELECT 1 FROM parcel o
    WHERE o.subject = NEW.subject AND o.id <> NEW.id AND o.state IN ('pending', 'leased', 'held')) WHERE id = NEW.id;
END;
CREATE INDEX parcel_told   ON parcel (subject, seq, state)              WHERE state IN ('leased', 'receipted');
CREATE INDEX parcel_ended  ON parcel (subject, seq, state)              WHERE state IN ('dead', 'cancelled');
CREATE INDEX run_unlaid    ON run (id)                                  WHERE state = 'parked' AND published = 0;
";

/// The next recipient, in the order of names, that has something which may go: `?1` the one before.
pub(super) const NEXT_RECIPIENT: &str = "
SELECT recipient FROM parcel WHERE state = 'pending' AND head = 1 AND recipient > ?1 ORDER BY recipient LIMIT 1";

/// What of one recipient is due: `?1` who, `?2` now, `?3` how many.
pub(super) const DUE_PARCELS: &str = "
SELECT id FROM parcel WHERE state = 'pending' AND head = 1 AND recipient = ?1 AND due <= ?2 ORDER BY due, seq LIMIT ?3";

/// Parcels whose courier is gone: `?1` now, `?2` how many at once.
pub(super) const LAPSED_PARCELS: &str = "
UPDATE parcel SET state = 'pending' WHERE id IN
  (SELECT id FROM parcel WHERE state = 'leased' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2)";

/// Due runs: `?1` now, `?2` how many.
/// Two arms under `UNION ALL`, each on its own partial index; one `OR` would scan the table.
pub(super) const CLAIMABLE: &str = "
SELECT id FROM (
  SELECT id, lane, due FROM (SELECT id, lane, due FROM run r WHERE state = 'ready' AND due <= ?1
     AND (code IS NULL OR NOT EXISTS (SELECT 1 FROM run o WHERE o.code = r.code AND o.state = 'leased' AND o.lease_until >= ?1))
     ORDER BY lane, due, id LIMIT ?2)
  UNION ALL
  SELECT id, lane, due FROM (SELECT id, lane, due FROM run WHERE state = 'leased' AND lease_until < ?1
     ORDER BY lease_until LIMIT ?2)
) ORDER BY lane, due, id LIMIT ?2";

/// What waits for a recipient that answers again: `?1` who, `?2` now.
pub(super) const WAKE: &str = "
UPDATE parcel SET due = ?2 WHERE state = 'pending' AND head = 1 AND recipient = ?1 AND due > ?2";
