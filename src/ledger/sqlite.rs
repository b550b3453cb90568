//! The ledger in one SQLite file: WAL, `synchronous=FULL`, one writer thread that commits whatever has gathered
//! while the disk was busy as one transaction.

pub mod consent;
pub mod hand;
mod listener;
pub mod look;
mod outbox;
mod readings;
mod runs;
mod told;
mod views;
mod writer;

use super::journal;
use super::{
    Admission, Lease, LeaseKey, Ledger, NewParcel, NewRun, ParcelKey, ParcelLease, ParcelSettlement, Queue,
    RunId, RunView, Settlement, Tally,
};
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::deliver::pace::Rooms;
use crate::digest::Blake3;
use crate::fault::{Fault, Outcome};
use listener::Listener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
pub(crate) use writer::Writer;

/// How long a worker may be silent before its run is given to another.
pub const LEASE: Duration = Duration::from_secs(60);

/// How often it is looked whether others wrote.
const LISTEN_EVERY: Duration = Duration::from_millis(10);

/// The embedded ledger.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    writer: Writer,
    clock: Clock,
    lease_ms: i64,
    readings: Option<Arc<Blobs>>,
    /// The recipient that a claim served last.
    turn: Arc<Mutex<String>>,
    /// Hears of what others write.
    listener: Arc<Mutex<Listener>>,
}

impl SqliteLedger {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// `LEDG-001` where it cannot be opened, `LEDG-002` where another version made it.
    pub fn open(path: &Path, clock: Clock) -> Outcome<Self> {
        Self::open_with_lease(path, clock, LEASE)
    }

    /// As [`SqliteLedger::open`], with a lease of another length.
    ///
    /// # Errors
    /// As [`SqliteLedger::open`].
    pub fn open_with_lease(path: &Path, clock: Clock, lease: Duration) -> Outcome<Self> {
        let writer = Writer::start(path)?;
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(60_000);
        let listener = Arc::new(Mutex::new(Listener::open(path)?));
        Ok(SqliteLedger { writer, clock, lease_ms, readings: None, turn: Arc::default(), listener })
    }

    /// With the store whose readings the runs name; without one nothing is looked for and nothing let go of.
    pub fn with_readings(mut self, readings: Arc<Blobs>) -> Self {
        self.readings = Some(readings);
        self
    }

    /// Makes the leases of workers that are dead (as `alive` says) lapse at once.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn release_dead(&self, alive: fn(&str) -> bool) -> Outcome<()> {
        self.writer.run(move |db| runs::release(db, alive)).await
    }

    /// Keeps a pipeline's text under its digest, so that a run can finish under what it was admitted with.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn keep_pipeline(&self, digest: Blake3, name: String, text: String) -> Outcome<()> {
        self.writer
            .run(move |db| {
                db.execute(
                    "INSERT OR IGNORE INTO pipeline VALUES (?1, ?2, ?3)",
                    rusqlite::params![&digest.0[..], name, text],
                )
                .map(|_| ())
            })
            .await
    }

    /// The text of a pipeline by its digest.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn pipeline_text(&self, digest: Blake3) -> Outcome<Option<String>> {
        self.writer
            .run(move |db| {
                match db
                    .query_row("SELECT text FROM pipeline WHERE digest = ?1", [&digest.0[..]], |r| r.get(0))
                {
                    Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
                    other => other.map(Some),
                }
            })
            .await
    }

    /// Puts parcels into the outbox that belong to no run; for each, whether it is new. One that is known stays as it is.
    ///
    /// # Errors
    /// `LEDG-001`; nothing is posted then.
    pub async fn post(&self, parcels: Vec<NewParcel>) -> Outcome<Vec<bool>> {
        let now = self.clock.now_ms();
        self.writer.run(move |db| parcels.iter().map(|p| outbox::post(db, None, p, now)).collect()).await
    }

    /// Walks the journal's chains and gives the number of entries.
    ///
    /// # Errors
    /// `LEDG-003` with the first place where a chain does not hold.
    pub async fn check_journal(&self) -> Outcome<u64> {
        self.writer.run(journal::check).await?.map_err(|place| Fault::new(&super::JOURNAL_BROKEN).at(place))
    }
}

impl Ledger for SqliteLedger {
    async fn admit(&self, new: Vec<NewRun>) -> Outcome<Vec<Admission>> {
        let (now, store) = (self.clock.now_ms(), self.readings.clone());
        self.writer
            .run(move |db| {
                // Before anything is written: a job that says no must have changed nothing.
                let wanted = new.iter().flat_map(|run| &run.readings);
                if let Some(Err(fault)) = store.map(|store| readings::all_stand(&store, wanted)) {
                    return Ok(Err(fault));
                }
                new.iter().map(|run| runs::admit(db, run, now)).collect::<rusqlite::Result<_>>().map(Ok)
            })
            .await?
    }

    async fn claim(&self, worker: &str, n: usize) -> Outcome<Vec<Lease>> {
        let (now, until, worker) =
            (self.clock.now_ms(), self.clock.now_ms() + self.lease_ms, worker.to_owned());
        self.writer.run(move |db| runs::claim(db, &worker, n, now, until)).await
    }

    async fn renew(&self, lease: &LeaseKey) -> Outcome<bool> {
        let (now, until, key) = (self.clock.now_ms(), self.clock.now_ms() + self.lease_ms, *lease);
        self.writer.run(move |db| runs::renew(db, &key, now, until)).await
    }

    async fn settle(&self, lease: &LeaseKey, worker: &str, outcome: Settlement) -> Outcome<bool> {
        let (now, key, worker) = (self.clock.now_ms(), *lease, worker.to_owned());
        self.writer.run(move |db| runs::settle(db, &key, &worker, &outcome, now)).await
    }

    async fn claim_parcels_within(&self, worker: &str, n: usize, rooms: Rooms) -> Outcome<Vec<ParcelLease>> {
        let (now, worker, turn) = (self.clock.now_ms(), worker.to_owned(), Arc::clone(&self.turn));
        let until = now + self.lease_ms;
        // Where a power cut takes it back, the parcel is claimed again: what is on its way has its row since it was posted,
        // and sending it once more is harmless.
        self.writer
            .run_hastily(move |db| {
                let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                outbox::claim(db, &worker, n, &rooms, &mut turn, (now, until))
            })
            .await
    }

    async fn wake(&self, recipient: &str) -> Outcome<usize> {
        let (now, recipient) = (self.clock.now_ms(), recipient.to_owned());
        self.writer.run(move |db| outbox::wake(db, &recipient, now)).await
    }

    async fn queues(&self) -> Outcome<Vec<Queue>> {
        let now = self.clock.now_ms();
        self.writer.run(move |db| outbox::queues(db, now)).await
    }

    async fn changed(&self) {
        loop {
            if self.listener.lock().unwrap_or_else(PoisonError::into_inner).heard() {
                return;
            }
            tokio::time::sleep(LISTEN_EVERY).await;
        }
    }

    async fn renew_parcel(&self, parcel: &ParcelKey) -> Outcome<bool> {
        let (until, key) = (self.clock.now_ms() + self.lease_ms, *parcel);
        self.writer.run(move |db| outbox::renew(db, &key, until)).await
    }

    async fn settle_parcel(
        &self,
        parcel: &ParcelKey,
        worker: &str,
        outcome: ParcelSettlement,
    ) -> Outcome<bool> {
        let (now, key, worker) = (self.clock.now_ms(), *parcel, worker.to_owned());
        self.writer.run(move |db| outbox::settle(db, &key, &worker, &outcome, now)).await
    }

    async fn tally(&self) -> Outcome<Tally> {
        let now = self.clock.now_ms();
        self.writer.run(move |db| views::tally(db, now)).await
    }

    async fn unpublished(&self) -> Outcome<Vec<RunView>> {
        // What was given up is handed over on paper: that has to lie there, too.
        const UNLAID: &str = "id IN (SELECT id FROM run WHERE state IN ('done', 'sending') AND published=0 UNION ALL
            SELECT id FROM run WHERE state='parked' AND published=0 AND EXISTS (SELECT 1 FROM parcel_of o WHERE o.run=run.id))";
        self.writer.run(|db| views::select(db, UNLAID, 64)).await
    }

    async fn mark_published(&self, run: RunId, state: super::State) -> Outcome<()> {
        self.writer
            .run(move |db| {
                let sql = "UPDATE run SET published=1 WHERE id=?1 AND state=?2";
                db.execute(sql, rusqlite::params![&run.0[..], state.as_str()]).map(|_| ())
            })
            .await
    }

    async fn let_go(&self, worker: &str, thorough: bool) -> Outcome<usize> {
        let Some(store) = self.readings.clone() else { return Ok(0) };
        let (now, worker) = (self.clock.now_ms(), worker.to_owned());
        let mut count = 0;
        if thorough {
            let store = Arc::clone(&store);
            count += self.writer.run_alone(move |db| readings::let_go_of_strays(db, &store)).await??;
        }
        loop {
            let (store, worker) = (Arc::clone(&store), worker.clone());
            let gone = self.writer.run_alone(move |db| readings::let_go(db, &store, &worker, now)).await?;
            match gone {
                (0, None) => return Ok(count),
                (more, None) => count += more,
                (_, Some(fault)) => return Err(fault),
            }
        }
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms.unsigned_abs())
    }
}

/// A 128-bit token that is never given out twice.
fn token() -> rusqlite::Result<[u8; 16]> {
    let mut token = [0u8; 16];
    openssl::rand::rand_bytes(&mut token).map_err(|_| rusqlite::Error::InvalidQuery)?;
    Ok(token)
}
