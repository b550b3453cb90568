//! A station opened for work: its ledger, its desk and an engine over both.

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::digest::Blake3;
use crate::engine::{Engine, PutOff, Until};
use crate::fault::{Fault, Outcome};
use crate::ledger::{self, Admission, Ledger, NewRun, SqliteLedger, Tally};
use crate::pipeline::{self, Pipeline, StepConfig};
use crate::sandbox::{self, Pool};
use crate::scan::Reader;
use crate::station::{MISFIT, Station};
use crate::steps::Desk;
use crate::steps::admit::{self, Found};
use crate::work::{StationWork, wanted};
use crate::worker;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Everything that a command which works needs.
pub struct Workshop {
    /// The station.
    pub station: Station,
    /// Where dossiers wait.
    pub ledger: Arc<SqliteLedger>,
    /// Bytes by digest.
    pub blobs: Arc<Blobs>,
    /// Chip readings as they came, until they are let go of.
    pub readings: Arc<Blobs>,
    cores: usize,
}

impl Workshop {
    /// Opens blobs and ledger, and takes back what dead workers of this machine held.
    ///
    /// # Errors
    /// `BLOB-001`, `LEDG-001`, `LEDG-002`.
    pub async fn open(station: Station) -> Outcome<Self> {
        let (blobs, readings) = (station.blobs()?, station.readings()?);
        let ledger = SqliteLedger::open(&station.path("var/ledger.db"), Clock::System)?;
        let ledger = Arc::new(ledger.with_readings(Arc::clone(&readings)));
        ledger.release_dead(worker::is_alive).await?;
        let cores = match station.config.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            given => given,
        };
        Ok(Workshop { station, ledger, blobs, readings, cores })
    }

    /// Admits a batch that was found: its bytes are stored first, then the ledger says that it is there.
    ///
    /// # Errors
    /// Those of [`admit::store`]; `LEDG-001`. Nothing is acknowledged then.
    pub async fn admit(&self, pipeline: &Pipeline, found: Found) -> Outcome<(Blake3, Admission)> {
        self.ledger.keep_pipeline(pipeline.digest, pipeline.name.clone(), pipeline.text.clone()).await?;
        let found = Arc::new(found);
        for attempt in 1.. {
            let run = self.stored(pipeline, &found).await?;
            let id = run.id;
            match self.ledger.admit(vec![run]).await {
                Ok(mut admissions) => return Ok((id, admissions.pop().ok_or(&ledger::UNAVAILABLE)?)),
                // The same bytes were let go of meanwhile for another run: they are stored again.
                Err(fault) if *fault.code == ledger::READING_GONE && attempt < STORE_ATTEMPTS => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::new(&ledger::READING_GONE))
    }

    /// The run of a batch whose bytes are safe.
    async fn stored(&self, pipeline: &Pipeline, found: &Arc<Found>) -> Outcome<NewRun> {
        let (name, found) = (pipeline.name.clone(), Arc::clone(found));
        let (blobs, readings, now) =
            (Arc::clone(&self.blobs), Arc::clone(&self.readings), Clock::System.now_ms());
        let stored = tokio::task::spawn_blocking(move || admit::store(&found, &name, &blobs, &readings, now))
            .await
            .unwrap_or_else(|_| Err(Fault::new(&crate::engine::PANICKED)))?;
        Ok(NewRun {
            id: stored.id,
            label: stored.dossier.label().to_owned(),
            code: stored.dossier.code.clone(),
            source: stored.dossier.batch.clone(),
            pipeline: pipeline.name.clone(),
            pipeline_digest: pipeline.digest,
            cursor: 0,
            steps: u32::try_from(pipeline.steps.len()).unwrap_or(u32::MAX),
            lane: pipeline.lane,
            record: stored.dossier.to_json(),
            parent: None,
            refused: None,
            readings: wanted(&stored.dossier),
        })
    }

    /// Where this station's pages are read: as many children as it has workers, started when they are needed.
    pub fn reader(&self) -> Reader {
        Reader::boxed(Arc::new(Pool::new(self.cores, sandbox::Policy::default())))
    }

    /// Works until there is nothing to do, or until stopped.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn work(
        &self,
        until: Until,
        stop: CancellationToken,
        put_off: Option<mpsc::UnboundedSender<PutOff>>,
    ) -> Outcome<Tally> {
        let cores = Arc::new(Semaphore::new(self.cores));
        let desk = Desk::new(
            self.station.clone(),
            self.reader(),
            Arc::clone(&self.blobs),
            Arc::clone(&self.readings),
            Clock::System,
            Arc::clone(&cores),
            Handle::current(),
        );
        let work = StationWork::new(Arc::new(desk), Arc::clone(&self.ledger), Handle::current());
        let mut engine = Engine::new(Arc::clone(&self.ledger), Arc::new(work), cores, stop);
        if let Some(put_off) = put_off {
            engine = engine.telling(put_off);
        }
        engine.run(until).await
    }

    /// Puts parked runs back to work; gives how many.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn reopen_parked(&self) -> Outcome<usize> {
        let runs = self.ledger.runs().await?;
        let parked = runs.iter().filter(|r| r.state == ledger::State::Parked).map(|r| r.id).collect();
        self.ledger.reopen(parked).await
    }

    /// How much waits.
    ///
    /// # Errors
    /// `LEDG-001`.
    pub async fn tally(&self) -> Outcome<Tally> {
        self.ledger.tally().await
    }
}

/// How often a batch is stored whose readings are let go of for others meanwhile.
const STORE_ATTEMPTS: u32 = 8;

/// Reads a pipeline for a station: a path, or a name in the station's `pipelines/`.
///
/// # Errors
/// `PIPE-002` where there is none; every `PIPE-001` in it; every `STAT-003` that it needs and the station lacks.
pub fn pipeline_of(station: &Station, given: &str) -> Result<Pipeline, Vec<Fault>> {
    let name = given.strip_suffix(".toml").unwrap_or(given);
    let candidates = [PathBuf::from(given), station.path("pipelines").join(format!("{name}.toml"))];
    let Some(path) = candidates.iter().find(|p| p.is_file()) else {
        return Err(vec![Fault::new(&pipeline::UNKNOWN).at(given)]);
    };
    let text = fs::read_to_string(path)
        .map_err(|e| vec![Fault::new(&pipeline::UNKNOWN).at(path.display()).detail(e.kind())])?;
    let place = path.file_name().and_then(|n| n.to_str()).unwrap_or(given);
    let pipeline = Pipeline::parse(place, &text)?;
    let faults = misfits(station, place, &pipeline);
    if faults.is_empty() { Ok(pipeline) } else { Err(faults) }
}

/// What a pipeline asks for and this station does not have.
fn misfits(station: &Station, place: &str, pipeline: &Pipeline) -> Vec<Fault> {
    let missing = |what: String| Fault::new(&MISFIT).at(place).detail(what);
    let mut faults = Vec::new();
    for step in &pipeline.steps {
        match step {
            StepConfig::Seal(seal) => {
                if !station.config.keys.contains_key(&seal.key) {
                    faults.push(missing(format!("[keys.{}] is not in hoso.toml", seal.key)));
                }
                if let Err(fault) = crate::steps::desk::signature_profile(station, &seal.profile) {
                    faults.push(fault.at(place));
                }
                if seal.timestamp && station.config.timestamp.is_none() {
                    faults.push(missing("[timestamp] is not in hoso.toml".into()));
                }
            }
            StepConfig::Deliver(deliver) => {
                for name in deliver.to.iter().filter(|n| !station.config.recipients.contains_key(*n)) {
                    faults.push(missing(format!("[recipients.{name}] is not in hoso.toml")));
                }
            }
            _ => {}
        }
    }
    faults
}
