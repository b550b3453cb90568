//! From bytes to the receipt: a blob first, then the row that is the acknowledgement.

use super::checks::{Envelope, Unfit};
use super::gate::Passed;
use super::inbox::{Delivery, Kept, Laid, Mark};
use super::{CONFLICT, CONFLICTING, FAILED, FAILURE, Receiver, failed};
use crate::deliver::receipt::{self, Facts};
use crate::deliver::signature;
use crate::digest::{Digests, Sha256};
use crate::fault::Fault;
use crate::serve::problem::Problem;
use axum::body::Bytes;
use axum::http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Receiver {
    /// Stores, writes down, signs.
    pub(super) async fn keep(
        self: Arc<Self>,
        envelope: Envelope,
        passed: Passed,
        told: Option<Sha256>,
        bytes: Bytes,
    ) -> Result<(StatusCode, Bytes), Problem> {
        let permit = self.disk.acquire().await.map_err(|_| FAILED)?;
        let (receiver, sender, mark) = (Arc::clone(&self), Arc::clone(&passed.sender), passed.mark);
        let stored =
            tokio::task::spawn_blocking(move || receiver.store(&envelope, &sender.name, told, &bytes));
        let stored = stored.await.unwrap_or(Stored::Failed(Fault::new(&FAILURE)));
        drop(permit);
        match stored {
            Stored::New(delivery) => self.enter(*delivery, mark).await,
            Stored::Again(receipt) => {
                self.setup.inbox.use_up(mark).await.map_err(|fault| failed(&fault))?;
                self.tally.repeated.fetch_add(1, Ordering::Relaxed);
                Ok((StatusCode::OK, receipt.into()))
            }
            Stored::Conflict(facts) => {
                let (sender, at) = (passed.sender.name.clone(), self.setup.clock.now_ms());
                self.setup
                    .inbox
                    .note_conflict(facts, sender, at, mark)
                    .await
                    .map_err(|fault| failed(&fault))?;
                Err(self.conflict(&passed.sender.name))
            }
            Stored::Unfit(Unfit::Altered) => {
                Err(self.unsigned(&Fault::new(&signature::DIGEST_MISMATCH).at(&passed.sender.name)))
            }
            Stored::Unfit(Unfit::Problem(problem)) => Err(problem),
            Stored::Failed(fault) => Err(failed(&fault)),
        }
    }

    /// The row that is the acknowledgement.
    async fn enter(&self, delivery: Delivery, mark: Mark) -> Result<(StatusCode, Bytes), Problem> {
        let (receipt, sender) = (delivery.receipt.clone(), delivery.sender.clone());
        match self.setup.inbox.keep(delivery, mark).await.map_err(|fault| failed(&fault))? {
            Kept::New => {
                self.tally.received.fetch_add(1, Ordering::Relaxed);
                self.arrived.notify_one();
                Ok((StatusCode::CREATED, receipt.into()))
            }
            Kept::Again(first) => {
                self.tally.repeated.fetch_add(1, Ordering::Relaxed);
                Ok((StatusCode::OK, first.into()))
            }
            Kept::Conflict => Err(self.conflict(&sender)),
        }
    }

    /// An alarm: two documents claim to be one delivery.
    fn conflict(&self, sender: &str) -> Problem {
        self.setup.audit.note("conflict", &Fault::new(&CONFLICT).at(sender));
        CONFLICTING
    }

    /// Looks at the bytes and makes them durable; blocks.
    fn store(&self, envelope: &Envelope, sender: &str, told: Option<Sha256>, bytes: &[u8]) -> Stored {
        let digests = Digests::of(bytes);
        if let Err(unfit) = envelope.fits(told, &digests, bytes, &self.setup.opening_keys) {
            return Stored::Unfit(unfit);
        }
        let facts = Facts { delivery_id: envelope.id, sha256: digests.sha256, size: digests.size };
        let stored = || {
            if let Some(first) = self.setup.inbox.look(&envelope.id)? {
                return Ok(if first.facts == facts {
                    Stored::Again(first.receipt)
                } else {
                    Stored::Conflict(facts)
                });
            }
            let blob = self.setup.blobs.put(bytes)?.blake3;
            let received_at = self.setup.clock.now_ms();
            let at = jiff::Timestamp::from_millisecond(received_at).unwrap_or_default();
            let receipt = receipt::write_receipt_of(
                &facts,
                envelope.document,
                at,
                &self.setup.name,
                &self.setup.receipt_key,
            )?;
            Ok(Stored::New(Box::new(Delivery {
                facts,
                blob,
                sender: sender.to_owned(),
                recipient: envelope.recipient,
                document: envelope.document,
                received_at,
                receipt,
                laid: Laid::No,
            })))
        };
        stored().unwrap_or_else(Stored::Failed)
    }
}

/// What came of bytes before the register was asked.
enum Stored {
    New(Box<Delivery>),
    Again(Vec<u8>),
    Conflict(Facts),
    Unfit(Unfit),
    Failed(Fault),
}
