//! The lane of parcels: claimed as couriers come free, shared over the recipients, beside the steps and never behind
//! them.

use super::{Engine, LEDGER_AGAIN, LOOK_AGAIN, PANICKED, SETTLE_ATTEMPTS, Work};
use crate::fault::{Fault, Outcome};
use crate::ledger::{Ledger, ParcelLease, ParcelSettlement};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many parcels may be on their way at once, all recipients together.
const COURIERS: usize = 64;

/// What is on its way, by recipient.
#[derive(Default)]
pub(super) struct OnWay {
    counts: Mutex<HashMap<String, usize>>,
    /// A courier came back.
    freed: Notify,
}

impl OnWay {
    fn leave(&self, recipient: &str) {
        *self.counts().entry(recipient.to_owned()).or_default() += 1;
    }

    /// Gives how many are still on their way, in all.
    fn back(&self, recipient: &str) -> usize {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(recipient) {
            *count -= 1;
            if *count == 0 {
                counts.remove(recipient);
            }
        }
        let left = counts.values().sum();
        drop(counts);
        self.freed.notify_one();
        left
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Ledger, W: Work> Engine<L, W> {
    /// Sends what is due until it is told to stop; what is on its way then goes on in `tasks`.
    pub(super) async fn send_all(
        self: Arc<Self>,
        on_way: Arc<OnWay>,
        tasks: TaskTracker,
        settled: Arc<Notify>,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let look_again = match self.claim_parcels(&on_way, &tasks, &settled).await {
                Ok(()) => LOOK_AGAIN,
                // Said by the lane of steps, which asks the same ledger.
                Err(_) => LEDGER_AGAIN,
            };
            tokio::select! {
                () = on_way.freed.notified() => {}
                () = self.ledger.changed() => {}
                () = tokio::time::sleep(look_again) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn claim_parcels(
        self: &Arc<Self>,
        on_way: &Arc<OnWay>,
        tasks: &TaskTracker,
        settled: &Arc<Notify>,
    ) -> Outcome<()> {
        for recipient in self.work.back() {
            self.ledger.wake(&recipient).await?;
        }
        let mut rooms = self.work.rooms();
        let mut free = COURIERS;
        for (recipient, count) in on_way.counts().iter() {
            rooms.on_way(recipient, *count);
            free = free.saturating_sub(*count);
        }
        if free == 0 {
            return Ok(());
        }
        for parcel in self.ledger.claim_parcels_within(&self.name, free, rooms).await? {
            on_way.leave(&parcel.recipient);
            let (engine, on_way, settled) = (Arc::clone(self), Arc::clone(on_way), Arc::clone(settled));
            tasks.spawn(async move {
                let recipient = parcel.recipient.clone();
                engine.one_parcel(parcel).await;
                if on_way.back(&recipient) == 0 {
                    settled.notify_one();
                }
            });
        }
        Ok(())
    }

    async fn one_parcel(&self, parcel: ParcelLease) {
        let (key, recipient) = (parcel.key, parcel.recipient.clone());
        let work = Arc::clone(&self.work);
        let mut sending = tokio::spawn(async move { work.send(&parcel).await });
        let third = self.ledger.lease() / 3;
        let outcome = loop {
            tokio::select! {
                sent = &mut sending => {
                    // A panic is a defect: sending the same thing again would only find it again.
                    break sent.unwrap_or_else(|_| ParcelSettlement::Dead(Fault::new(&PANICKED).report()));
                }
                () = tokio::time::sleep(third) => {
                    let _ = self.ledger.renew_parcel(&key).await;
                }
            }
        };
        if let ParcelSettlement::Later { reason, .. } | ParcelSettlement::Dead(reason) = &outcome {
            self.say(recipient, reason.clone());
        }
        for attempt in 1..=SETTLE_ATTEMPTS {
            match self.ledger.settle_parcel(&key, &self.name, outcome.clone()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(parcel = %key.id, "the parcel's lease was lost, or it was held or cancelled meanwhile");
                    return;
                }
                // A receipt is kept in hand for a while; after that the recipient is asked for it again.
                Err(_) if attempt < SETTLE_ATTEMPTS => tokio::time::sleep(LEDGER_AGAIN).await,
                Err(fault) => tracing::error!(parcel = %key.id, %fault, "the parcel could not be settled"),
            }
        }
    }
}
