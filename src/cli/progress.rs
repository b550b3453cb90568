//! Progress on a terminal; plain lines elsewhere, so that a log file stays readable. It reads the ledger, which is
//! what is true, whoever does the work.

use crate::engine::PutOff;
use crate::ledger::{Ledger, SqliteLedger, Tally};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Shows how the work goes until every sender is gone.
pub(super) struct Progress {
    /// Where the engine says what it puts off.
    pub(super) put_off: mpsc::UnboundedSender<PutOff>,
    shown: JoinHandle<()>,
}

impl Progress {
    /// Begins from what the ledger says had ended `before`.
    pub(super) fn start(title: &str, ledger: Arc<SqliteLedger>, before: Tally, quiet: bool) -> Self {
        let (put_off, queue) = mpsc::unbounded_channel();
        let terminal = std::io::stderr().is_terminal();
        let target =
            if terminal && !quiet { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        // The template is a constant that is known to be sound; the default bar does as well.
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} hồ sơ, {msg}") {
            bar.set_style(style.progress_chars("█▉ "));
        }
        bar.set_prefix(title.to_owned());
        let plain = !terminal && !quiet;
        let shown = tokio::spawn(show(title.to_owned(), ledger, before, queue, bar, plain));
        Progress { put_off, shown }
    }

    /// Waits until the last of it is shown.
    pub(super) async fn finish(self) {
        drop(self.put_off);
        let _ = self.shown.await;
    }
}

async fn show(
    title: String,
    ledger: Arc<SqliteLedger>,
    before: Tally,
    mut queue: mpsc::UnboundedReceiver<PutOff>,
    bar: ProgressBar,
    plain: bool,
) {
    let mut told: HashSet<(String, String)> = HashSet::new();
    let mut last = (u64::MAX, u64::MAX);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let heard = tokio::select! {
            heard = queue.recv() => match heard {
                Some(put_off) => Some(put_off),
                None => break,
            },
            _ = tick.tick() => None,
        };
        let ticked = heard.is_none();
        // Each kind of setback once: a silent recipient would fill the screen.
        if let Some(PutOff { label, reason }) = heard
            && told.insert((label.clone(), reason.code.clone()))
        {
            bar.suspend(|| eprintln!("{title}: {label}: tạm hoãn / put off: {reason}"));
        }
        // Counting costs what waits: not for every word that is heard.
        if ticked && let Ok(now) = ledger.tally().await {
            let ended = now.ended.saturating_sub(before.ended);
            let open = now.working + now.waiting + now.sending;
            bar.set_length(ended + open);
            bar.set_position(ended);
            bar.set_message(format!(
                "{} đang làm, {} chờ, {} đang gửi",
                now.working, now.waiting, now.sending
            ));
            if plain && (ended, open) != last {
                last = (ended, open);
                eprintln!("{title}: {ended} xong / done, {open} còn lại / to go");
            }
        }
    }
    bar.finish();
}
