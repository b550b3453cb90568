//! How much goes to one recipient at once, and how the couriers that are free are shared over all of them.
//!
//! Additive increase, multiplicative decrease: a recipient that answers gets one more at a time after each window of
//! deliveries, one that fails or stalls half as many. Where others were served within the last minute, too, one gets no
//! more than is of use on its line: a backlog would win little from a longer queue, and whoever has one document would
//! wait behind it. A recipient that fails again and again, or asks for patience, is left alone as a whole until a time;
//! nothing of it is claimed meanwhile. Pure: every time is handed in.

mod flow;

use super::Attempt;
use super::outbox::{Breaker, BreakerRule, Gate};
use flow::Flow;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The rule for every recipient of a station: `[pace]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PaceRule {
    /// How many go to one recipient at once before anything is known of it.
    pub first: usize,
    /// How many go to one recipient at once at most.
    pub most: usize,
    /// When it is left alone.
    pub breaker: BreakerRule,
}

impl Default for PaceRule {
    fn default() -> Self {
        PaceRule { first: 4, most: 32, breaker: BreakerRule::default() }
    }
}

/// What is known of one recipient's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    limit: usize,
    /// Deliveries since the limit last changed.
    well: usize,
    /// Counts the halvings; what started before the last one does not halve again.
    round: u64,
    breaker: Breaker,
    quiet_until: Option<i64>,
    flow: Flow,
    /// When something last went to it.
    served: Option<i64>,
}

/// An attempt that has begun; hand it back to [`Pace::end`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    round: u64,
    began: i64,
}

impl Pace {
    /// A recipient that nothing is known of.
    pub fn new(rule: &PaceRule) -> Self {
        Pace {
            limit: rule.first.clamp(1, rule.most.max(1)),
            well: 0,
            round: 0,
            breaker: Breaker::default(),
            quiet_until: None,
            flow: Flow::NEW,
            served: None,
        }
    }

    /// Whether something went to it lately, so that others share the station with it.
    pub fn is_company(&self, now: i64) -> bool {
        self.served.is_some_and(|served| now.abs_diff(served) < COMPANY_MS)
    }

    /// How many may be on their way at `now` (Unix milliseconds); none while it is left alone, one as a probe, and no more
    /// than are of use where others are served, too.
    pub fn room(&self, rule: &PaceRule, now: i64, company: bool) -> usize {
        match (self.closed_until(rule, now), self.breaker.is_open()) {
            (Some(_), _) => 0,
            (None, true) => 1,
            (None, false) if company => self.limit.min(self.flow.room()),
            (None, false) => self.limit,
        }
    }

    /// Until when it is left alone, Unix milliseconds; `None` where something may go.
    pub fn closed_until(&self, rule: &PaceRule, now: i64) -> Option<i64> {
        let quiet = self.quiet(now);
        let broken = match self.breaker.look(&rule.breaker, now) {
            Gate::Wait(until) => Some(until),
            Gate::Go | Gate::Probe => None,
        };
        quiet.max(broken)
    }

    /// A clock set back must not keep a recipient quiet for as long as the clock was wrong.
    fn quiet(&self, now: i64) -> Option<i64> {
        let longest = now.saturating_add_unsigned(LONGEST_QUIET_MS);
        self.quiet_until.filter(|until| now < *until && *until <= longest)
    }

    /// An attempt wants to begin.
    ///
    /// # Errors
    /// Until when it has to wait, Unix milliseconds.
    pub fn begin(&mut self, rule: &PaceRule, now: i64) -> Result<Ticket, i64> {
        if let Some(until) = self.quiet(now) {
            return Err(until);
        }
        match self.breaker.admit(&rule.breaker, now) {
            Gate::Wait(until) => Err(until),
            Gate::Go | Gate::Probe => {
                self.served = Some(now);
                Ok(Ticket { round: self.round, began: now })
            }
        }
    }

    /// An attempt has ended; `true` where a recipient that was left alone answers again.
    pub fn end(&mut self, rule: &PaceRule, ticket: Ticket, attempt: &Attempt, now: i64) -> bool {
        let closed = self.breaker.is_open();
        self.breaker.settle(&rule.breaker, attempt.shows_a_live_receiver(), now);
        self.adapt(rule, ticket, attempt, now);
        closed && !self.breaker.is_open()
    }

    fn adapt(&mut self, rule: &PaceRule, ticket: Ticket, attempt: &Attempt, now: i64) {
        let Attempt::Again { retry_after, .. } = attempt else {
            self.flow.answered(ticket.began, now);
            self.well += 1;
            if self.well >= self.limit {
                self.limit = (self.limit + 1).min(rule.most.max(1));
                self.well = 0;
            }
            return;
        };
        if let Some(seconds) = retry_after {
            let wait = seconds.saturating_mul(1_000).min(LONGEST_QUIET_MS);
            self.quiet_until = self.quiet_until.max(Some(now.saturating_add_unsigned(wait)));
        }
        // Those that were on their way together fail together: that is one sign, not many.
        if ticket.round == self.round {
            self.round += 1;
            self.limit = (self.limit / 2).max(1);
            self.well = 0;
        }
    }
}

/// What a claim is told of the recipients: how many each may have on its way, and how many it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rooms {
    known: HashMap<String, Room>,
    unknown: usize,
}

/// One recipient's room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// At most so many at once; none while it is left alone.
    pub most: usize,
    /// So many are on their way.
    pub on_way: usize,
    /// Until when it is left alone, Unix milliseconds.
    pub closed_until: Option<i64>,
}

impl Rooms {
    /// So many each, nothing on its way.
    pub fn of_all(most: usize) -> Self {
        Rooms { known: HashMap::new(), unknown: most }
    }

    /// What is known of all lines; nothing is on its way so far.
    pub fn of(paces: &HashMap<String, Pace>, rule: &PaceRule, now: i64) -> Self {
        let served = paces.values().filter(|pace| pace.is_company(now)).count();
        let room = |pace: &Pace| {
            let company = served > usize::from(pace.is_company(now));
            Room {
                most: pace.room(rule, now, company),
                on_way: 0,
                closed_until: pace.closed_until(rule, now),
            }
        };
        let known = paces.iter().map(|(recipient, pace)| (recipient.clone(), room(pace))).collect();
        Rooms { known, unknown: Pace::new(rule).limit }
    }

    /// Says how many one recipient has on its way.
    pub fn on_way(&mut self, recipient: &str, count: usize) {
        let unknown = Room { most: self.unknown, ..Room::default() };
        self.known.entry(recipient.to_owned()).or_insert(unknown).on_way = count;
    }

    /// What is said of one.
    pub fn at(&self, recipient: &str) -> Room {
        self.known.get(recipient).copied().unwrap_or(Room { most: self.unknown, ..Room::default() })
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Rooms::of_all(usize::MAX)
    }
}

/// Shares `free` couriers over recipients that have something due: always the next to whoever has the fewest on its
/// way, and to nobody more than are then still free. So whoever stalls never holds the last courier: of N, one
/// recipient gets half, two get a third each, and there is one left for whoever comes.
///
/// `wants[i]` says how many of recipient `i` are due; gives how many each gets.
pub fn shares(free: usize, rooms: &[Room], wants: &[usize]) -> Vec<usize> {
    let mut given = vec![0; rooms.len()];
    for left in (1..=free).rev() {
        let next = rooms
            .iter()
            .zip(wants)
            .zip(&given)
            .enumerate()
            .filter(|(_, ((room, wants), given))| {
                *given < *wants && room.on_way + **given < room.most.min(left)
            })
            .min_by_key(|(_, ((room, _), given))| room.on_way + **given);
        let Some((at, _)) = next else { break };
        given[at] += 1;
    }
    given
}

/// A receiver that asks for more is asked again after this: a mistake of its clock must not stop it for days.
const LONGEST_QUIET_MS: u64 = 15 * 60 * 1_000;

/// Who was served within this time shares the station.
const COMPANY_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{ReceiptBytes, attempt, link};
    use crate::fault::Fault;

    const RULE: PaceRule = PaceRule {
        first: 4,
        most: 32,
        breaker: BreakerRule { failures: 5, first_ms: 1_000, open_ms: 30_000 },
    };

    fn good() -> Attempt {
        Attempt::Delivered(ReceiptBytes(Vec::new()))
    }

    fn silent() -> Attempt {
        Attempt::again(Fault::new(&link::TIMED_OUT))
    }

    fn busy(seconds: u64) -> Attempt {
        Attempt::Again { reason: Fault::new(&attempt::BUSY), retry_after: Some(seconds) }
    }

    /// So many attempts one after the other.
    fn pass(pace: &mut Pace, attempt: &Attempt, times: usize) {
        for _ in 0..times {
            let ticket = pace.begin(&RULE, 0).unwrap();
            pace.end(&RULE, ticket, attempt, 0);
        }
    }

    #[test]
    fn a_window_of_deliveries_makes_room_for_one_more_up_to_the_cap() {
        let mut pace = Pace::new(&RULE);
        assert_eq!(pace.room(&RULE, 0, false), 4);
        pass(&mut pace, &good(), 3);
        assert_eq!(pace.room(&RULE, 0, false), 4);
        pass(&mut pace, &good(), 1);
        assert_eq!(pace.room(&RULE, 0, false), 5);
        pass(&mut pace, &good(), 2_000);
        assert_eq!(pace.room(&RULE, 0, false), 32);
    }

    #[test]
    fn a_refusal_of_one_delivery_is_an_answer_like_any_other() {
        let mut pace = Pace::new(&RULE);
        pass(&mut pace, &Attempt::Never(Fault::new(&attempt::REFUSED)), 4);
        assert_eq!(pace.room(&RULE, 0, false), 5);
    }

    #[test]
    fn what_fails_together_halves_once_and_the_floor_is_one() {
        let mut pace = Pace::new(&RULE);
        pass(&mut pace, &good(), 2_000);
        let together: Vec<Ticket> = (0..4).map(|_| pace.begin(&RULE, 0).unwrap()).collect();
        assert!(!together.into_iter().any(|t| pace.end(&RULE, t, &silent(), 0)));
        assert_eq!(pace.room(&RULE, 0, false), 16);
        for room in [8, 4, 2, 1, 1] {
            pass(&mut pace, &silent(), 1);
            assert_eq!(pace.limit, room);
            pace.breaker = Breaker::default();
        }
    }

    #[test]
    fn patience_that_is_asked_for_holds_for_the_whole_recipient_and_ends() {
        let mut pace = Pace::new(&RULE);
        pass(&mut pace, &busy(9), 1);
        assert_eq!(pace.room(&RULE, 8_999, false), 0);
        assert_eq!(pace.closed_until(&RULE, 0), Some(9_000));
        assert_eq!(pace.begin(&RULE, 5), Err(9_000));
        assert_eq!(pace.room(&RULE, 9_000, false), 2);
        let mut pace = Pace::new(&RULE);
        pass(&mut pace, &busy(u64::MAX), 1);
        assert_eq!(pace.closed_until(&RULE, 0), Some(900_000));
    }

    #[test]
    fn a_dead_recipient_is_closed_then_probed_by_one_and_opened_by_its_answer() {
        let mut pace = Pace::new(&RULE);
        pass(&mut pace, &silent(), 5);
        assert_eq!((pace.room(&RULE, 999, false), pace.closed_until(&RULE, 0)), (0, Some(1_000)));
        assert_eq!(pace.room(&RULE, 1_000, false), 1);
        let probe = pace.begin(&RULE, 1_000).unwrap();
        assert!(pace.begin(&RULE, 1_001).is_err(), "one probe at a time");
        assert!(!pace.end(&RULE, probe, &silent(), 1_100));
        assert_eq!(pace.closed_until(&RULE, 1_100), Some(3_100), "twice as long");
        let probe = pace.begin(&RULE, 3_100).unwrap();
        assert!(pace.end(&RULE, probe, &good(), 3_200), "it is back");
        assert!(pace.room(&RULE, 3_200, false) >= 1 && pace.begin(&RULE, 3_200).is_ok());
    }

    #[test]
    fn a_backlog_takes_what_it_can_alone_and_what_is_of_use_in_company() {
        let mut paces =
            HashMap::from([("backlog".to_owned(), Pace::new(&RULE)), ("desk".to_owned(), Pace::new(&RULE))]);
        // 32 on their way, one answer every 2 ms, the quickest in 4: two are of use.
        let backlog = paces.get_mut("backlog").unwrap();
        for n in 0..2_000 {
            let ticket = backlog.begin(&RULE, n * 2).unwrap();
            backlog.end(&RULE, ticket, &good(), n * 2 + if n % 10 == 0 { 4 } else { 64 });
        }
        let now = 4_100;
        assert_eq!(Rooms::of(&paces, &RULE, now).at("backlog").most, 32);
        let ticket = paces.get_mut("desk").unwrap().begin(&RULE, now).unwrap();
        paces.get_mut("desk").unwrap().end(&RULE, ticket, &good(), now + 5);
        let rooms = Rooms::of(&paces, &RULE, now + 1_000);
        assert_eq!((rooms.at("backlog").most, rooms.at("desk").most, rooms.at("new").most), (4, 2, 4));
        paces.get_mut("backlog").unwrap().served = Some(now + 90_000);
        assert_eq!(
            Rooms::of(&paces, &RULE, now + 90_000).at("backlog").most,
            32,
            "the desk was quiet for long"
        );
    }

    #[test]
    fn couriers_are_shared_evenly_and_one_is_always_left_for_whoever_comes() {
        let rooms = |on_way: &[usize]| -> Vec<Room> {
            on_way.iter().map(|n| Room { most: 32, on_way: *n, closed_until: None }).collect()
        };
        assert_eq!(shares(64, &rooms(&[0]), &[100_000]), [32]);
        assert_eq!(shares(32, &rooms(&[32]), &[100_000]), [0], "half of all couriers are one recipient's");
        assert_eq!(shares(32, &rooms(&[32, 0]), &[100_000, 1]), [0, 1]);
        assert_eq!(shares(12, &rooms(&[0, 0, 0]), &[100, 100, 100]), [3, 3, 3]);
        assert_eq!(shares(2, &rooms(&[5, 0, 1]), &[9, 9, 9]), [0, 1, 0]);
        assert_eq!(shares(1, &rooms(&[0, 0]), &[9, 9]), [1, 0]);
        assert_eq!(shares(64, &[Room::default(), Room { most: 1, ..Room::default() }], &[9, 9]), [0, 1]);
        assert_eq!(shares(0, &rooms(&[0]), &[9]), [0]);
        assert_eq!(shares(5, &[], &[]), Vec::<usize>::new());
        // Twenty that stall, with all they may have: the next one finds a courier.
        let mut on_way = vec![0; 20];
        let mut free = 64;
        for _ in 0..100 {
            let given = shares(free, &rooms(&on_way), &[1_000; 20]);
            free -= given.iter().sum::<usize>();
            on_way.iter_mut().zip(&given).for_each(|(n, g)| *n += g);
        }
        assert!(free >= 1);
        on_way.push(0);
        assert!(shares(free, &rooms(&on_way), &[1_000; 21])[20] >= 1);
    }
}
