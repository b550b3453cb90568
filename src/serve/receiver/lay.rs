//! `out/inbox/`: what arrived, for people and for the program that takes it on. Whole files only, made of blobs that are on the disk,
//! and again at will: what a crash left undone is laid when the receiver starts.

use super::checks;
use super::inbox::{Delivery, Inbox, Laid};
use crate::blobs::{self, Blobs};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use openssl::pkey::{PKey, Private};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Lays what is not there yet, and then whatever arrives, until it is told to stop.
pub(super) async fn until(
    inbox: &Inbox,
    blobs: &Arc<Blobs>,
    (out, keys): (&Path, &[PKey<Private>]),
    arrived: &Notify,
    stop: &CancellationToken,
) {
    loop {
        match some(inbox, blobs, out, keys).await {
            Ok(0) => {
                tokio::select! {
                    () = arrived.notified() => {}
                    () = stop.cancelled() => return,
                }
            }
            Ok(_) if stop.is_cancelled() => return,
            Ok(_) => {}
            Err(fault) => {
                tracing::error!(
                    code = fault.code.id,
                    detail = fault.detail.as_deref(),
                    "out/inbox cannot be laid out"
                );
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}

/// Lays the next few; gives how many.
async fn some(inbox: &Inbox, blobs: &Arc<Blobs>, out: &Path, keys: &[PKey<Private>]) -> Outcome<usize> {
    let (register, store, folder, keys) = (inbox.clone(), Arc::clone(blobs), out.to_owned(), keys.to_vec());
    let work = move || -> Outcome<Vec<(Sha256, Laid)>> {
        let waiting = register.unlaid(BATCH)?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let refused = |e: std::io::Error| Fault::new(&blobs::NOT_STORED).at("out/inbox").detail(e.kind());
        std::fs::create_dir_all(&folder).map_err(refused)?;
        // One that cannot be laid stops nobody else's.
        let (mut laid, mut failed) = (Vec::new(), None);
        for delivery in &waiting {
            match lay(delivery, &store, &folder, &keys) {
                Ok(one) => laid.push(one),
                Err(fault) => failed = Some(fault),
            }
        }
        failed.filter(|_| laid.is_empty()).map_or(Ok(laid), Err)
    };
    let laid =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Fault::new(&super::FAILURE)))?;
    let count = laid.len();
    if count > 0 {
        inbox.mark_laid(laid).await?;
    }
    Ok(count)
}

fn lay(delivery: &Delivery, blobs: &Blobs, folder: &Path, keys: &[PKey<Private>]) -> Outcome<(Sha256, Laid)> {
    let came = blobs.get(&delivery.blob)?;
    let inside = delivery.document.and_then(|_| checks::opened(&came, keys));
    let laid = if inside.is_some() { Laid::Opened } else { Laid::AsItCame };
    let bytes = inside.as_ref().map_or(came.as_slice(), |inside| inside.as_slice());
    blobs.lay(&folder.join(delivery.file_name(laid)), bytes)?;
    Ok((delivery.facts.delivery_id, laid))
}

const BATCH: u32 = 64;
const AGAIN: Duration = Duration::from_secs(5);
