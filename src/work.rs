//! What the engine makes happen at a station: the steps of its pipelines, its parcels, its `out/` folder.

use crate::clock::Clock;
use crate::courier::Courier;
use crate::deliver::pace::Rooms;
use crate::digest::Blake3;
use crate::dossier::{Dossier, Evidence, ReadingRecord};
use crate::engine::{Made, Work};
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::ledger::{
    Lease, NewParcel, NewRun, ParcelLease, ParcelSettlement, RunView, SqliteLedger, StepRecord, Wanted,
};
use crate::pipeline::{Keep, Pipeline, StepConfig};
use crate::publish;
use crate::steps::deliver::Body;
use crate::steps::{self, Desk, StepOutput};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The work of one station.
pub struct StationWork {
    desk: Arc<Desk>,
    ledger: Arc<SqliteLedger>,
    runtime: Handle,
    pipelines: Mutex<HashMap<Blake3, Arc<Vec<StepConfig>>>>,
    courier: Courier,
}

impl StationWork {
    /// Work at a desk; pipelines are read from the ledger, where every run's own is kept.
    pub fn new(desk: Arc<Desk>, ledger: Arc<SqliteLedger>, runtime: Handle) -> Self {
        let courier = Courier::new(Arc::clone(&desk));
        StationWork { desk, ledger, runtime, pipelines: Mutex::default(), courier }
    }

    fn steps(&self, digest: Blake3) -> Outcome<Arc<Vec<StepConfig>>> {
        if let Some(steps) = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Ok(Arc::clone(steps));
        }
        let text = self.runtime.block_on(self.ledger.pipeline_text(digest))?.ok_or(&PIPELINE_LOST)?;
        let pipeline = Pipeline::parse("pinned pipeline", &text)
            .map_err(|faults| faults.into_iter().next().unwrap_or_else(|| Fault::new(&PIPELINE_LOST)))?;
        let steps = Arc::new(pipeline.steps);
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::clone(&steps));
        Ok(steps)
    }
}

impl Work for StationWork {
    fn step(&self, lease: &Lease) -> Outcome<Made> {
        let started = Instant::now();
        let dossier: Dossier = serde_json::from_slice(&lease.record).map_err(|e| {
            Fault::new(&RECORD_UNREADABLE).detail(format!("line {}, column {}", e.line(), e.column()))
        })?;
        let steps = self.steps(lease.pipeline_digest)?;
        let output = steps::run(&steps, lease.cursor as usize, dossier, &self.desk, &lease.key.run)?;
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let record = |d: &Dossier| StepRecord {
            record: d.to_json(),
            label: d.label().to_owned(),
            code: d.code.clone(),
            took_ms,
            readings: wanted(d),
        };
        Ok(match output {
            StepOutput::Next(dossier) => Made::Next(record(&dossier)),
            StepOutput::Refuse(dossier, reason) => Made::Refuse(record(&dossier), reason),
            StepOutput::Wait(dossier, fault) => Made::Wait(record(&dossier), fault),
            StepOutput::Split(batch, children) => {
                let mut twins = HashMap::new();
                let children = children.iter().map(|child| child_run(lease, child, &mut twins)).collect();
                Made::Split(record(&batch), children)
            }
            StepOutput::Send(dossier, parcels) => {
                let parcels = parcels
                    .into_iter()
                    .map(|p| NewParcel {
                        id: p.id,
                        recipient: p.recipient.clone(),
                        subject: p.subject.clone(),
                        body: p.to_json(),
                    })
                    .collect();
                Made::Send(record(&dossier), parcels)
            }
        })
    }

    async fn send(&self, parcel: &ParcelLease) -> ParcelSettlement {
        // A citizen may have said no since it was claimed: what rests on consent is asked about once more.
        let body = serde_json::from_slice(&parcel.body);
        if let Ok(Body::Push { .. }) = body
            && !self.ledger.may_send(&parcel.key, &parcel.body).await.unwrap_or(false)
        {
            // Settles nothing where the lease is gone; a ledger that fails is asked again.
            return ParcelSettlement::Rest { due: Clock::System.now_ms() };
        }
        self.courier.send(parcel).await
    }

    fn rooms(&self) -> Rooms {
        self.courier.rooms()
    }

    fn back(&self) -> Vec<String> {
        self.courier.back()
    }

    fn publish(&self, run: &RunView) -> Outcome<()> {
        publish::lay_out(&self.desk, run)
    }

    fn upkeep(&self, stop: &CancellationToken) -> Outcome<()> {
        let count = self.desk.complete_receipts(|| stop.is_cancelled())?;
        if count > 0 {
            tracing::info!(count, "receipts that awaited their time stamp were completed");
        }
        Ok(())
    }
}

/// A dossier that was split from a batch. Its identity follows from its own pages and slip, so that a batch that is
/// split twice has the same children, and a folder that is handed in again with one dossier mended sends nothing of
/// the others again. Equal dossiers in one batch stay two.
fn child_run(parent: &Lease, child: &(Dossier, Option<Report>), twins: &mut HashMap<Blake3, u64>) -> NewRun {
    let (child, refused) = child;
    let content = child_content(parent, child);
    let twin = twins.entry(content).and_modify(|n| *n += 1).or_insert(0);
    let id = Blake3::of_parts("hoso child v1", &[&content.0, &twin.to_be_bytes()]);
    NewRun {
        id,
        label: child.label().to_owned(),
        code: child.code.clone(),
        source: child.batch.clone(),
        pipeline: parent.pipeline.clone(),
        pipeline_digest: parent.pipeline_digest,
        cursor: parent.cursor + 1,
        steps: parent.steps,
        lane: parent.lane,
        record: child.to_json(),
        parent: Some(parent.key.run),
        refused: refused.clone(),
        readings: wanted(child),
    }
}

/// The readings whose bytes a dossier still wants: those that are not judged yet, and those that its pipeline keeps.
pub(crate) fn wanted(dossier: &Dossier) -> Vec<Wanted> {
    let of_one = |record: &ReadingRecord| {
        let reading = record.digests.blake3;
        match &record.evidence {
            None => Some(Wanted { reading, kept: false }),
            Some(Evidence { keep: Keep::Reading, .. }) => Some(Wanted { reading, kept: true }),
            Some(Evidence { keep: Keep::Verdict | Keep::WithoutFace, .. }) => None,
        }
    };
    dossier.readings.iter().filter_map(of_one).collect()
}

fn child_content(parent: &Lease, child: &Dossier) -> Blake3 {
    let typed = serde_json::to_vec(&(
        &child.code,
        &child.procedure,
        &child.dates,
        &child.applicant,
        &child.expected_pages,
    ));
    let mut parts = vec![parent.pipeline.as_bytes().to_vec(), typed.unwrap_or_default()];
    parts.extend(child.filing.as_ref().and_then(|filing| serde_json::to_vec(filing).ok()));
    for page in &child.pages {
        let file = child.files.get(page.file).map(|f| f.digests.blake3.0.to_vec()).unwrap_or_default();
        parts.push([file, page.number.to_be_bytes().to_vec()].concat());
    }
    parts.extend(child.readings.iter().map(|r| r.digests.blake3.0.to_vec()));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Blake3::of_parts("hoso child content v1", &parts)
}

/// The pipeline that a run was admitted with is gone.
pub const PIPELINE_LOST: Code = Code {
    id: "WORK-001",
    class: Class::Person,
    vi: "Không còn bản quy trình mà hồ sơ được tiếp nhận theo",
    en: "the pipeline that the dossier was admitted with is gone from the ledger",
    remedy_vi: "Khôi phục sổ hồ sơ từ bản sao lưu",
    remedy_en: "restore the ledger from the backup",
};
/// A record cannot be read.
pub const RECORD_UNREADABLE: Code = Code {
    id: "WORK-002",
    class: Class::Person,
    vi: "Bản ghi của hồ sơ không đọc được (có thể do phiên bản khác)",
    en: "the dossier's record cannot be read (perhaps another version wrote it)",
    remedy_vi: "Dùng đúng phiên bản chương trình hoặc khôi phục từ bản sao lưu",
    remedy_en: "use the version that wrote it, or restore from the backup",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&PIPELINE_LOST, &RECORD_UNREADABLE];
