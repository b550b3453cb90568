//! `out/inbox/`: what arrived, for people and for the program that takes it on. Whole files only, made of blobs that are on the disk,
//! and again at will: what a crash left undone is laid when the receiver starts.

use super::inbox::{Delivery, Inbox};
use crate::blobs::{self, Blobs};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Lays what is not there yet, and then whatever arrives, until it is told to stop.
pub(super) async fn until(
    inbox: &Inbox,
    blobs: &Arc<Blobs>,
    out: &Path,
    arrived: &Notify,
    stop: &CancellationToken,
) {
    loop {
        match some(inbox, blobs, out).await {
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
async fn some(inbox: &Inbox, blobs: &Arc<Blobs>, out: &Path) -> Outcome<usize> {
    let (register, store, folder) = (inbox.clone(), Arc::clone(blobs), out.to_owned());
    let work = move || -> Outcome<Vec<Sha256>> {
        let waiting = register.unlaid(BATCH)?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let refused = |e: std::io::Error| Fault::new(&blobs::NOT_STORED).at("out/inbox").detail(e.kind());
        std::fs::create_dir_all(&folder).map_err(refused)?;
        waiting.iter().map(|delivery| lay(delivery, &store, &folder)).collect()
    };
    let laid =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Fault::new(&super::FAILURE)))?;
    let count = laid.len();
    if count > 0 {
        inbox.mark_laid(laid).await?;
    }
    Ok(count)
}

fn lay(delivery: &Delivery, blobs: &Blobs, folder: &Path) -> Outcome<Sha256> {
    blobs.lay(&folder.join(delivery.file_name()), &blobs.get(&delivery.blob)?)?;
    Ok(delivery.facts.delivery_id)
}

const BATCH: u32 = 64;
const AGAIN: Duration = Duration::from_secs(5);
