//! Progress on a terminal; plain lines elsewhere, so that a log file stays readable.

use crate::engine::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Shows a run's progress until every sender is gone.
pub struct Progress {
    /// Where the engine says what happens.
    pub events: mpsc::UnboundedSender<Event>,
    shown: JoinHandle<()>,
}

impl Progress {
    /// Begins with this many dossiers; batches that are divided add to it.
    pub fn start(title: &str, dossiers: u64, quiet: bool) -> Self {
        let (events, mut queue) = mpsc::unbounded_channel();
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(dossiers),
            if terminal && !quiet { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        // The template is a constant that is known to be sound; the default bar does as well.
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} hồ sơ, {msg}") {
            bar.set_style(style.progress_chars("█▉ "));
        }
        bar.set_prefix(title.to_owned());
        let plain = !terminal && !quiet;
        let title = title.to_owned();
        let shown = tokio::spawn(async move {
            let (mut steps, mut delivered, mut put_off) = (0u64, 0u64, 0u64);
            while let Some(event) = queue.recv().await {
                match event {
                    Event::Step(_) => steps += 1,
                    Event::Split(children) => {
                        bar.inc_length(children as u64);
                        if plain {
                            eprintln!("{title}: tách thành {children} hồ sơ / divided into {children} dossiers");
                        }
                    }
                    Event::Ended => {
                        bar.inc(1);
                        if plain {
                            eprintln!("{title}: {}/{}", bar.position(), bar.length().unwrap_or(0));
                        }
                    }
                    Event::PutOff(label, fault) => {
                        put_off += 1;
                        bar.suspend(|| eprintln!("{title}: {label}: {fault}"));
                    }
                    Event::Delivered => delivered += 1,
                    Event::NotDelivered => put_off += 1,
                }
                bar.set_message(format!("{steps} bước, {delivered} biên nhận, {put_off} lần hoãn"));
            }
            bar.finish();
        });
        Progress { events, shown }
    }

    /// Waits until the last event is shown.
    pub async fn finish(self) {
        drop(self.events);
        let _ = self.shown.await;
    }
}
