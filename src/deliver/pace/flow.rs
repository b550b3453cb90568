//! How many deliveries on one line are of use at once: those of a second times the seconds of the quickest one (Little's
//! law). Whatever is on its way beyond that waits in a queue, here or at the recipient, and others wait behind it.

/// What was seen of one line's speed. Times are Unix milliseconds and handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// The quickest delivery of this period and of the one before: a line that has become slower is learned again.
    quickest: Option<i64>,
    quickest_before: Option<i64>,
    period_began: i64,
    window_began: i64,
    /// Deliveries of this window.
    done: i64,
    /// What the last whole window found.
    useful: usize,
}

impl Flow {
    /// A line that nothing is known of.
    pub(super) const NEW: Flow = Flow {
        quickest: None,
        quickest_before: None,
        period_began: i64::MIN,
        window_began: i64::MIN,
        done: 0,
        useful: 0,
    };

    /// How many may be on their way where others are served, too: what is of use, and a few that keep the line busy and
    /// find out whether it takes more.
    pub(super) fn room(&self) -> usize {
        self.useful + SPARE
    }

    /// A delivery that was begun at `began` has its answer.
    pub(super) fn answered(&mut self, began: i64, now: i64) {
        // A clock that jumped says nothing of the line.
        let Some(took) = now.checked_sub(began).filter(|took| (0..=LONGEST_MS).contains(took)) else {
            return;
        };
        let took = took.max(1);
        let aged = now.checked_sub(self.period_began).is_none_or(|age| !(0..=PERIOD_MS).contains(&age));
        if aged {
            (self.quickest_before, self.quickest, self.period_began) = (self.quickest, None, now);
        }
        self.quickest = Some(self.quickest.map_or(took, |quickest| quickest.min(took)));
        if self.done == 0 {
            // What lay idle before this window is not the line's slowness.
            self.window_began = self.window_began.max(began).min(now);
        }
        self.done += 1;
        if self.done == WINDOW {
            let quickest = self
                .quickest_before
                .map_or(took, |before| before.min(took))
                .min(self.quickest.unwrap_or(took));
            let lasted = now.saturating_sub(self.window_began).max(1);
            self.useful = usize::try_from(WINDOW * quickest / lasted).unwrap_or(0);
            (self.window_began, self.done) = (now, 0);
        }
    }
}

/// Deliveries in a window.
const WINDOW: i64 = 32;
/// On their way beyond what is of use.
const SPARE: usize = 2;
/// How long the quickest delivery is remembered, at least.
const PERIOD_MS: i64 = 10_000;
/// A delivery that took longer is a clock that jumped, or a line nobody measures.
const LONGEST_MS: i64 = 10 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that takes `each` ms for a delivery and `rate` a second at most, with so many on their way for so long.
    fn run(flow: &mut Flow, from: i64, each: i64, rate: i64, seconds: i64, most: usize) -> i64 {
        let (mut now, mut free_at) = (from, vec![from; most]);
        let gap = 1_000_000 / rate;
        let mut micros = from * 1_000;
        while now < from + seconds * 1_000 {
            let room = flow.room().min(most);
            let slot = (0..room).min_by_key(|at| free_at[*at]).unwrap();
            let began = free_at[slot];
            micros = (micros + gap).max((began + each) * 1_000);
            now = micros / 1_000;
            free_at[slot] = now;
            flow.answered(began, now);
        }
        now
    }

    #[test]
    fn a_line_whose_queue_only_grows_gets_few_and_a_long_one_gets_many() {
        let mut near = Flow::NEW;
        run(&mut near, 0, 4, 500, 20, 32);
        assert!((3..=6).contains(&near.room()), "4 ms at 500 a second: two are of use, {}", near.room());
        let mut far = Flow::NEW;
        run(&mut far, 0, 200, 10_000, 60, 32);
        assert!(far.room() >= 32, "200 ms and wide: {}", far.room());
    }

    #[test]
    fn a_line_that_has_become_longer_is_learned_again() {
        let mut flow = Flow::NEW;
        let then = run(&mut flow, 0, 4, 500, 20, 32);
        run(&mut flow, then, 200, 10_000, 90, 32);
        assert!(flow.room() >= 24, "{}", flow.room());
    }

    #[test]
    fn a_clock_that_jumps_is_no_measurement() {
        let mut flow = Flow::NEW;
        for _ in 0..200 {
            flow.answered(1_000_000, 0);
            flow.answered(0, i64::MAX);
            flow.answered(i64::MIN, i64::MAX);
            flow.answered(i64::MAX, i64::MIN);
        }
        assert_eq!(flow, Flow::NEW);
        // Back by an hour in the middle of a window.
        for n in 0..100 {
            flow.answered(10_000_000 + n, 10_000_005 + n);
        }
        for n in 0..100 {
            flow.answered(6_000_000 + n, 6_000_005 + n);
        }
        assert!((2..64).contains(&flow.room()), "{}", flow.room());
    }
}
