//! A document that comes in parts: each is safe before it is answered, the last makes the whole a delivery as any other.

use super::checks::{Envelope, Part};
use super::gate::Passed;
use super::{
    AtIt, Begun, ELSEWHERE, FAILED, FAILURE, IN_PROGRESS, Receiver, SIGNATURE_INVALID, failed, parts,
};
use crate::deliver::signature;
use crate::digest::Sha256;
use crate::fault::Fault;
use crate::serve::body::TOO_LARGE;
use crate::serve::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::request::Parts as Head;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Receiver {
    /// Takes one PATCH: a part of a document, or its last.
    pub(super) async fn take_part(
        self: &Arc<Self>,
        id: &str,
        parts: &Head,
        body: Body,
    ) -> Result<Result<u64, (StatusCode, Bytes)>, Problem> {
        let Begun { envelope, passed, bytes, room } = self.begin(id, parts, body, false).await?;
        signature::check_digest(&parts.headers, &Sha256::of(&bytes))
            .map_err(|fault| self.unsigned(&fault))?;
        let part = Part::read(&parts.headers, bytes.len())?;
        if part.length > passed.sender.largest {
            return Err(TOO_LARGE);
        }
        let at_it = AtIt::begin(self, envelope.id).ok_or(IN_PROGRESS)?;
        drop(room);
        let room = self.room_for(usize::try_from(part.length).unwrap_or(usize::MAX)).await?;
        let receiver = Arc::clone(self);
        let keeping = tokio::spawn(async move {
            let _until_the_end = (at_it, room);
            receiver.keep_part(envelope, passed, part, bytes).await
        });
        keeping.await.unwrap_or(Err(FAILED))
    }

    async fn keep_part(
        self: Arc<Self>,
        envelope: Envelope,
        passed: Passed,
        part: Part,
        bytes: Bytes,
    ) -> Result<Result<u64, (StatusCode, Bytes)>, Problem> {
        let (receiver, id) = (Arc::clone(&self), envelope.id);
        let sender = Arc::clone(&passed.sender);
        let own = parts::key(&sender.name, &id);
        let laid = tokio::task::spawn_blocking(move || {
            let Part { whole, at, length } = part;
            // It may be here since long: then it is not written again.
            let here = receiver.setup.inbox.look(&id)?;
            match here.filter(|first| first.facts.sha256 == whole && first.sender == sender.name) {
                Some(first) => Ok(Err(first.receipt)),
                None => receiver.parts.add(&own, &whole, at, length, &bytes).map(Ok),
            }
        });
        let laid =
            laid.await.unwrap_or_else(|_| Err(Fault::new(&FAILURE))).map_err(|fault| failed(&fault))?;
        let safe = match laid {
            Ok(parts::Laid::Whole(bytes)) => {
                let kept = Arc::clone(&self).keep(envelope, passed, Some(part.whole), bytes.into()).await;
                if kept.as_ref().err() == Some(&FAILED) {
                    return kept.map(Err);
                }
                self.parts.forget(&own);
                // Parts that were each what was signed and are not the whole: a crash left one of them torn.
                return match kept {
                    Err(SIGNATURE_INVALID) => Err(ELSEWHERE.with_safe(0)),
                    kept => kept.map(Err),
                };
            }
            Ok(parts::Laid::Safe(safe)) => Ok(safe),
            Ok(parts::Laid::Elsewhere(safe)) => Err(ELSEWHERE.with_safe(safe)),
            Err(receipt) => {
                self.setup.inbox.use_up(passed.mark).await.map_err(|fault| failed(&fault))?;
                self.tally.repeated.fetch_add(1, Ordering::Relaxed);
                return Ok(Err((StatusCode::OK, receipt.into())));
            }
        };
        self.setup.inbox.use_up(passed.mark).await.map_err(|fault| failed(&fault))?;
        safe.map(Ok)
    }
}
