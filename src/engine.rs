//! The engine: claim, run, settle. It alone moves dossiers; what a step does is behind [`Work`].
//!
//! Steps run on the blocking pool, at most one a permit; parcels of the outbox go out beside them. A panic ends at
//! the step and parks the dossier. Stopping means: claim nothing more, let what runs finish, leave the rest where it
//! is; whatever a crash leaves leased is due again at once when its process is gone.

mod sending;

use crate::deliver::pace::Rooms;
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::ledger::{
    Lease, Ledger, NewParcel, NewRun, ParcelLease, ParcelSettlement, RunView, Settlement, StepRecord, Tally,
};
use crate::worker;
use sending::OnWay;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the engine makes happen, without knowing what it is.
pub trait Work: Send + Sync + 'static {
    /// Runs the step at the lease's cursor. On the blocking pool; may take seconds.
    ///
    /// # Errors
    /// The fault's class decides what becomes of the run: `Input` refuses it, `Later` puts it off, all else parks it.
    fn step(&self, lease: &Lease) -> Outcome<Made>;
    /// Sends one parcel and checks the receipt.
    fn send(&self, parcel: &ParcelLease) -> impl Future<Output = ParcelSettlement> + Send;
    /// How many parcels each recipient may have on its way now.
    fn rooms(&self) -> Rooms {
        Rooms::default()
    }
    /// The recipients whose lines are back since this was last asked: what waited for them need not wait longer.
    fn back(&self) -> Vec<String> {
        Vec::new()
    }
    /// Lays a finished run's files where people look for them. May be called again for the same run.
    ///
    /// # Errors
    /// Tried again at the next opportunity.
    fn publish(&self, run: &RunView) -> Outcome<()>;
    /// What is set right from time to time while an engine runs until it is stopped. On the blocking pool, one at a time;
    /// ends soon after `stop`.
    ///
    /// # Errors
    /// Said, and tried again the next time.
    fn upkeep(&self, stop: &CancellationToken) -> Outcome<()> {
        let _ = stop;
        Ok(())
    }
}

/// What a step came to.
#[derive(Debug)]
pub enum Made {
    /// On to the next step.
    Next(StepRecord),
    /// The run is divided.
    Split(StepRecord, Vec<NewRun>),
    /// What was handed in cannot be taken, and the record says why.
    Refuse(StepRecord, Report),
    /// All is made; these parcels go out.
    Send(StepRecord, Vec<NewParcel>),
    /// A part is made and stays made; the step goes on later.
    Wait(StepRecord, Fault),
}

/// What a person should hear while it happens.
#[derive(Debug, Clone)]
pub struct PutOff {
    /// Which dossier or recipient waits.
    pub label: String,
    /// Why.
    pub reason: Report,
}

/// When to return.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// When nothing is left that can be done within this time.
    Idle(Duration),
    /// When told to stop.
    Stopped,
}

/// The engine over a ledger and some work.
pub struct Engine<L, W> {
    ledger: Arc<L>,
    work: Arc<W>,
    permits: Arc<Semaphore>,
    name: String,
    stop: CancellationToken,
    put_off: Option<mpsc::UnboundedSender<PutOff>>,
}

/// A run that was claimed so often without moving takes its worker down with it.
const MOST_ATTEMPTS: u32 = 5;
/// How often finished files are laid out while other work goes on.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked whether something outside is to be set right.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked for readings that nobody names.
const THOROUGH_EVERY: Duration = Duration::from_secs(3600);
/// How often a step's end is offered to a ledger that fails; shorter in all than a lease.
const SETTLE_ATTEMPTS: u32 = 8;
/// How long to leave a ledger alone that failed.
const LEDGER_AGAIN: Duration = Duration::from_secs(1);
/// How long to look away when there is nothing to do.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl<L: Ledger, W: Work> Engine<L, W> {
    /// An engine with as many permits as steps may run at once; the work may look at how many are free.
    pub fn new(ledger: Arc<L>, work: Arc<W>, permits: Arc<Semaphore>, stop: CancellationToken) -> Self {
        Engine { ledger, work, permits, name: worker::own_name(), stop, put_off: None }
    }

    /// Says what is put off to whoever listens.
    pub fn telling(mut self, put_off: mpsc::UnboundedSender<PutOff>) -> Self {
        self.put_off = Some(put_off);
        self
    }

    /// Works until there is nothing to do, or until stopped.
    ///
    /// # Errors
    /// `LEDG-001` where the ledger fails.
    pub async fn run(self, until: Until) -> Outcome<Tally> {
        let engine = Arc::new(self);
        let steps = Arc::clone(&engine.permits);
        let tasks = TaskTracker::new();
        let settled = Arc::new(Notify::new());
        let on_way = Arc::new(OnWay::default());
        let sending_stops = engine.stop.child_token();
        let sending = tokio::spawn(Arc::clone(&engine).send_all(
            Arc::clone(&on_way),
            tasks.clone(),
            Arc::clone(&settled),
            sending_stops.clone(),
        ));
        let upkeep = match until {
            Until::Stopped => Some(tokio::spawn(Arc::clone(&engine).keep_up())),
            Until::Idle(_) => None,
        };
        let mut published = Instant::now();
        let mut thorough = Instant::now();
        let mut ailing: Option<Instant> = None;
        engine.publish_all().await;
        engine.let_go(true).await;
        let ended = loop {
            if engine.stop.is_cancelled() {
                break Ok(());
            }
            let (claimed, mut failed) = match engine.claim_steps(&steps, &tasks, &settled).await {
                Ok(claimed) => (claimed, None),
                Err(fault) => (0, Some(fault)),
            };
            // Beside the work, not after it: a clerk waits for the sealed file while others' boxes go on.
            if published.elapsed() >= PUBLISH_EVERY || (claimed == 0 && tasks.is_empty()) {
                engine.publish_all().await;
                let again = thorough.elapsed() >= THOROUGH_EVERY;
                if again {
                    thorough = Instant::now();
                }
                engine.let_go(again).await;
                published = Instant::now();
            }
            if claimed > 0 {
                continue;
            }
            if let Until::Idle(patience) = until
                && failed.is_none()
                && tasks.is_empty()
            {
                match engine.wait_is_worth_it(patience).await {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(fault) => failed = Some(fault),
                }
            }
            // A ledger that fails (disk full, locked) is said and tried again: the engine must never end unseen while
            // others go on acknowledging. Whoever waits at a desk waits no longer than their patience.
            let Some(fault) = failed else {
                ailing = None;
                engine.look_away(&settled, LOOK_AGAIN).await;
                continue;
            };
            let since = *ailing.get_or_insert_with(|| {
                engine.say("ledger".into(), fault.report());
                Instant::now()
            });
            if matches!(until, Until::Idle(patience) if since.elapsed() >= patience) {
                break Err(fault);
            }
            engine.look_away(&settled, LEDGER_AGAIN).await;
        };
        sending_stops.cancel();
        let _ = sending.await;
        if let Some(upkeep) = upkeep {
            // It was told to stop; what it has in hand is done again the next time.
            upkeep.abort();
        }
        tasks.close();
        tasks.wait().await;
        engine.publish_all().await;
        engine.let_go(false).await;
        ended?;
        engine.ledger.tally().await
    }

    /// Until something is settled, the engine is stopped, or this long.
    async fn look_away(&self, settled: &Notify, time: Duration) {
        tokio::select! {
            () = settled.notified() => {}
            () = tokio::time::sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn claim_steps(
        self: &Arc<Self>,
        permits: &Arc<Semaphore>,
        tasks: &TaskTracker,
        settled: &Arc<Notify>,
    ) -> Outcome<usize> {
        let free = permits.available_permits();
        if free == 0 {
            return Ok(0);
        }
        let leases = self.ledger.claim(&self.name, free).await?;
        let count = leases.len();
        for lease in leases {
            let Ok(permit) = Arc::clone(permits).try_acquire_owned() else { break };
            let (engine, settled) = (Arc::clone(self), Arc::clone(settled));
            tasks.spawn(async move {
                engine.one_step(lease).await;
                drop(permit);
                settled.notify_one();
            });
        }
        Ok(count)
    }

    async fn one_step(&self, lease: Lease) {
        let key = lease.key;
        let label = lease.label.clone();
        let setbacks = lease.setbacks;
        let settlement = if lease.attempts > MOST_ATTEMPTS {
            Settlement::Parked(
                Fault::new(&KILLS_WORKER).detail(format!("{} attempts", lease.attempts)).report(),
            )
        } else {
            let work = Arc::clone(&self.work);
            let running = tokio::task::spawn_blocking(move || {
                std::panic::catch_unwind(AssertUnwindSafe(|| work.step(&lease)))
                    .unwrap_or_else(|_| Err(Fault::new(&PANICKED)))
            });
            match self.holding(&key, running).await {
                Ok(made) => {
                    if let Made::Wait(_, fault) = &made {
                        self.say(label, fault.report());
                    }
                    settlement(made, setbacks)
                }
                Err(fault) => {
                    if fault.code.class == Class::Later {
                        self.say(label, fault.report());
                    }
                    setback(&fault, setbacks)
                }
            }
        };
        for attempt in 1..=SETTLE_ATTEMPTS {
            match self.ledger.settle(&key, &self.name, settlement.clone()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(run = %key.run.short(), "the lease was lost; another worker has the run");
                    return;
                }
                // What the step made is kept in hand for a while: running it again would cost more than waiting.
                Err(_) if attempt < SETTLE_ATTEMPTS => tokio::time::sleep(LEDGER_AGAIN).await,
                // The lease lapses and the step runs again: nothing was made visible.
                Err(fault) => {
                    tracing::error!(run = %key.run.short(), %fault, "the step could not be settled");
                }
            }
        }
    }

    /// Waits for a step and renews its lease meanwhile.
    async fn holding(
        &self,
        key: &crate::ledger::LeaseKey,
        mut running: tokio::task::JoinHandle<Outcome<Made>>,
    ) -> Outcome<Made> {
        let third = self.ledger.lease() / 3;
        loop {
            tokio::select! {
                done = &mut running => return done.unwrap_or_else(|_| Err(Fault::new(&PANICKED))),
                () = tokio::time::sleep(third) => {
                    // A lost lease is found at settling; a step is pure, so its rest does no harm.
                    let _ = self.ledger.renew(key).await;
                }
            }
        }
    }

    /// Lays out what is made. What fails is said and tried again at the next opportunity.
    async fn publish_all(&self) {
        let Ok(runs) = self.ledger.unpublished().await else { return };
        for run in runs {
            let (id, state) = (run.id, run.state);
            let label = run.label.clone();
            let work = Arc::clone(&self.work);
            let published = tokio::task::spawn_blocking(move || work.publish(&run)).await;
            match published.unwrap_or_else(|_| Err(Fault::new(&PANICKED))) {
                Ok(()) => drop(self.ledger.mark_published(id, state).await),
                // One that cannot be laid out stops nobody else's.
                Err(fault) => self.say(label, fault.report()),
            }
        }
    }

    /// Lets go of the readings that no run wants any more. What fails is said, and tried again at the next opportunity.
    async fn let_go(&self, thorough: bool) {
        match self.ledger.let_go(&self.name, thorough).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "chip readings were let go of"),
            // A ledger that fails is said by whoever claims from it.
            Err(fault) if *fault.code == crate::ledger::UNAVAILABLE => {}
            Err(fault) => self.say("var/readings".into(), fault.report()),
        }
    }

    async fn keep_up(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let (work, stop) = (Arc::clone(&self.work), self.stop.clone());
            let kept = tokio::task::spawn_blocking(move || work.upkeep(&stop)).await;
            if let Err(fault) = kept.unwrap_or_else(|_| Err(Fault::new(&PANICKED))) {
                self.say("out/".into(), fault.report());
            }
            tokio::select! {
                () = tokio::time::sleep(UPKEEP_EVERY) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn wait_is_worth_it(&self, patience: Duration) -> Outcome<bool> {
        let (tally, queues, rooms) =
            (self.ledger.tally().await?, self.ledger.queues().await?, self.work.rooms());
        // What is due at a recipient that is left alone waits, too.
        let (mut sending, mut next) = (0, tally.next_due);
        for queue in queues {
            sending += queue.leased;
            match rooms.at(&queue.recipient).closed_until {
                None => sending += queue.due,
                Some(until) if queue.due > 0 => next = Some(next.map_or(until, |next| next.min(until))),
                Some(_) => {}
            }
        }
        if tally.working + sending > 0 {
            return Ok(true);
        }
        let now = crate::clock::Clock::System.now_ms();
        Ok(next.is_some_and(|due| due - now <= i64::try_from(patience.as_millis()).unwrap_or(i64::MAX)))
    }

    fn say(&self, label: String, reason: Report) {
        if let Some(put_off) = &self.put_off {
            let _ = put_off.send(PutOff { label, reason });
        }
    }
}

fn settlement(made: Made, setbacks: u32) -> Settlement {
    match made {
        Made::Next(record) => Settlement::Done(record),
        Made::Split(record, children) => Settlement::Split(record, children),
        Made::Refuse(record, reason) => Settlement::Refused(Some(record), reason),
        Made::Send(record, parcels) => Settlement::Send(record, parcels),
        Made::Wait(record, fault) => {
            Settlement::Later { made: Some(record), after_ms: pause(setbacks), reason: fault.report() }
        }
    }
}

/// How long a run that was set back waits, in milliseconds: doubling, to five minutes.
fn pause(setbacks: u32) -> i64 {
    (1_000i64 << setbacks.min(9)).min(300_000)
}

/// What becomes of a run whose step failed.
fn setback(fault: &Fault, setbacks: u32) -> Settlement {
    match fault.code.class {
        Class::Input => Settlement::Refused(None, fault.report()),
        Class::Later => Settlement::Later { made: None, after_ms: pause(setbacks), reason: fault.report() },
        Class::Setup | Class::Person | Class::Inner => Settlement::Parked(fault.report()),
    }
}

/// A step panicked.
pub const PANICKED: Code = Code {
    id: "ENGN-001",
    class: Class::Inner,
    vi: "Chương trình gặp lỗi bên trong ở bước này; hồ sơ được giữ nguyên",
    en: "this step failed inside the program; the dossier is kept as it was",
    remedy_vi: "Báo người hỗ trợ kèm mã hồ sơ; các hồ sơ khác vẫn chạy",
    remedy_en: "tell the support with the dossier's code; the other dossiers go on",
};
/// A run takes its worker down.
pub const KILLS_WORKER: Code = Code {
    id: "ENGN-002",
    class: Class::Person,
    vi: "Hồ sơ này đã nhiều lần làm dừng chương trình",
    en: "this dossier has brought the program down several times",
    remedy_vi: "Báo người hỗ trợ; kiểm tra các tệp của hồ sơ trước khi chạy lại",
    remedy_en: "tell the support; look at its files before it runs again",
};
/// Every code of this room.
pub const CODES: &[&Code] = &[&PANICKED, &KILLS_WORKER];
