//! The rules of the outbox: what a delivery is called, when it is tried again, when it is given up.
//!
//! Pure functions over values; the rows live in the ledger, and every time is handed in as Unix milliseconds.
//! A delivery that was given up is a dead letter with a reason. It is never "delivered".

use super::Attempt;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault};
use serde::{Deserialize, Serialize};

/// The name of a delivery: the same for every attempt, another for another sink, recipient, document or revision.
///
/// SHA-256 over the parts, each preceded by its length (8 bytes, big-endian). `recipient` is a handle that
/// outlives the recipient's keys, so that a new key does not make a second delivery.
pub fn delivery_id(sink: &str, recipient: &str, sha256: &Sha256, revision: u32) -> Sha256 {
    let mut hasher = openssl::sha::Sha256::new();
    let revision = revision.to_be_bytes();
    for part in [b"hoso delivery v1".as_slice(), sink.as_bytes(), recipient.as_bytes(), &sha256.0, &revision]
    {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Sha256(hasher.finish())
}

/// How long to wait and when to give up. A training station uses short times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// The longest first wait, milliseconds; it doubles with every attempt.
    pub base_ms: u64,
    /// No wait is longer, unless the receiver asked for it, milliseconds.
    pub cap_ms: u64,
    /// A delivery first tried this long ago is given up, milliseconds.
    pub give_up_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { base_ms: 1_000, cap_ms: 15 * 60 * 1_000, give_up_ms: 72 * 3_600 * 1_000 }
    }
}

/// What the outbox needs to know of an attempt that did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Worth another try, no sooner than the receiver asked for.
    Again {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// The receiver said yes, but its receipt is missing or wrong.
    ReceiptInvalid,
    /// Not worth another try.
    Never,
}

impl AttemptOutcome {
    /// The part of an attempt that the rules look at; `None` when it was delivered.
    pub fn of(attempt: &Attempt) -> Option<Self> {
        use super::receipt;
        match attempt {
            Attempt::Delivered(_) => None,
            Attempt::Never(_) => Some(AttemptOutcome::Never),
            Attempt::Again { reason, retry_after } => {
                let receipts = [
                    &receipt::UNREADABLE,
                    &receipt::UNKNOWN_KEY,
                    &receipt::BAD_SIGNATURE,
                    &receipt::MISMATCH,
                ];
                Some(if receipts.contains(&reason.code) {
                    AttemptOutcome::ReceiptInvalid
                } else {
                    AttemptOutcome::Again { retry_after: *retry_after }
                })
            }
        }
    }
}

/// What happens to a delivery after an attempt that did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It waits until then, Unix milliseconds.
    RetryAt(i64),
    /// It is a dead letter until a person sends it on its way again.
    Dead(DeadReason),
}

/// Why a delivery was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadReason {
    /// The receiver, or a check before sending, refused it for good.
    Refused,
    /// It was tried for as long as the rules allow.
    GaveUp,
    /// The receiver never proved that it has it.
    ReceiptInvalid,
}

impl DeadReason {
    /// The dead letter in words. For [`DeadReason::Refused`] the attempt's own fault says more; `None`.
    pub fn fault(self) -> Option<Fault> {
        match self {
            DeadReason::Refused => None,
            DeadReason::GaveUp => Some(Fault::new(&GAVE_UP)),
            DeadReason::ReceiptInvalid => Some(Fault::new(&RECEIPT_INVALID)),
        }
    }
}

/// When a delivery is tried again: full jitter over a doubling wait, later where the receiver asked for it, and
/// once more exactly at the deadline before it is given up.
///
/// `attempt` counts the attempts made so far, from 1; `first_tried` and `now` are Unix milliseconds; `dice(n)`
/// gives a random number from 0 to n ([`dice`] outside tests).
pub fn next_attempt(
    rule: &Backoff,
    attempt: u32,
    last: AttemptOutcome,
    first_tried: i64,
    now: i64,
    mut dice: impl FnMut(u64) -> u64,
) -> Decision {
    let (asked, reason) = match last {
        AttemptOutcome::Never => return Decision::Dead(DeadReason::Refused),
        // As patient as with silence: after an outage, one maintenance page with status 200 must not end it.
        AttemptOutcome::ReceiptInvalid => (None, DeadReason::ReceiptInvalid),
        AttemptOutcome::Again { retry_after } => (retry_after, DeadReason::GaveUp),
    };
    let deadline = first_tried.saturating_add_unsigned(rule.give_up_ms);
    if now >= deadline {
        return Decision::Dead(reason);
    }
    let doubled =
        1u64.checked_shl(attempt.saturating_sub(1)).map_or(u64::MAX, |f| rule.base_ms.saturating_mul(f));
    let widest = doubled.min(rule.cap_ms);
    let wait = dice(widest).min(widest).saturating_add(asked.unwrap_or(0).saturating_mul(1_000));
    Decision::RetryAt(now.saturating_add_unsigned(wait).min(deadline))
}

/// A random number from 0 to `most`, from OpenSSL.
pub fn dice(most: u64) -> u64 {
    let mut bytes = [0u8; 8];
    // Without randomness everyone waits the longest: late, but never all at once and early.
    match openssl::rand::rand_bytes(&mut bytes) {
        Ok(()) => {
            most.checked_add(1).map_or_else(|| u64::from_le_bytes(bytes), |n| u64::from_le_bytes(bytes) % n)
        }
        Err(_) => most,
    }
}

/// When a sink that keeps failing is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerRule {
    /// So many failures in a row open it.
    pub failures: u32,
    /// How long it stays open before one delivery may probe, milliseconds; doubles with every probe that fails.
    pub first_ms: u64,
    /// No longer than this, milliseconds.
    pub open_ms: u64,
}

impl Default for BreakerRule {
    fn default() -> Self {
        BreakerRule { failures: 5, first_ms: 1_000, open_ms: 30_000 }
    }
}

/// One sink's breaker: a dead receiver costs one probe at a time instead of a try for every delivery.
///
/// Ask [`Breaker::admit`] before an attempt and tell [`Breaker::settle`] after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    failures: u32,
    /// Probes that failed since it opened.
    probes: u32,
    /// A probe is out.
    probing: bool,
    /// Set while open: from then on one probe may go.
    probe_from: Option<i64>,
}

/// What a breaker says to a delivery that wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Go.
    Go,
    /// Go, alone: the sink's fate hangs on this one.
    Probe,
    /// Wait until then, Unix milliseconds. The delivery's own attempt count does not rise.
    Wait(i64),
}

impl Breaker {
    /// May a delivery go now? `now` in Unix milliseconds.
    ///
    /// A probe whose end is never told (its worker died) is replaced after another `open_ms`.
    pub fn admit(&mut self, rule: &BreakerRule, now: i64) -> Gate {
        let gate = self.look(rule, now);
        if gate == Gate::Probe {
            self.probing = true;
            self.probe_from = Some(now.saturating_add_unsigned(rule.open_ms));
        }
        gate
    }

    /// What [`Breaker::admit`] would say.
    pub fn look(&self, rule: &BreakerRule, now: i64) -> Gate {
        match self.probe_from {
            None => Gate::Go,
            // A clock set back must not keep a sink closed for as long as the clock was wrong.
            Some(from) if now < from && from <= now.saturating_add_unsigned(rule.open_ms) => Gate::Wait(from),
            Some(_) => Gate::Probe,
        }
    }

    /// Learns how an attempt ended; `live` is [`Attempt::shows_a_live_receiver`].
    pub fn settle(&mut self, rule: &BreakerRule, live: bool, now: i64) {
        if live {
            *self = Breaker::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        match self.probe_from {
            // One that was on its way when it opened says nothing new.
            Some(_) if !self.probing => return,
            Some(_) => self.probes = self.probes.saturating_add(1),
            None if self.failures < rule.failures.max(1) => return,
            None => {}
        }
        let doubled = 1u64.checked_shl(self.probes).map_or(u64::MAX, |f| rule.first_ms.saturating_mul(f));
        self.probing = false;
        self.probe_from = Some(now.saturating_add_unsigned(doubled.min(rule.open_ms)));
    }

    /// True while the sink is left alone.
    pub fn is_open(&self) -> bool {
        self.probe_from.is_some()
    }
}

/// A delivery was tried for as long as the rules allow.
pub const GAVE_UP: Code = Code {
    id: "SEND-050",
    class: Class::Person,
    vi: "Đã gửi nhiều lần mà chưa được, hệ thống ngừng tự gửi",
    en: "it was tried for as long as allowed and did not arrive",
    remedy_vi: "Kiểm tra nơi nhận rồi cho gửi lại; trong lúc chờ, báo dân nhận tại quầy",
    remedy_en: "check the receiver, then send it on its way again; meanwhile hand it over at the desk",
};

/// A receiver that says yes but never proves it.
pub const RECEIPT_INVALID: Code = Code {
    id: "SEND-051",
    class: Class::Person,
    vi: "Nơi nhận trả lời nhưng không có biên nhận hợp lệ, chưa coi là đã giao",
    en: "the receiver answers without a valid receipt; it does not count as delivered",
    remedy_vi: "Đối chiếu khóa ký biên nhận của nơi nhận đã khai, rồi cho gửi lại",
    remedy_en: "compare the receiver's pinned receipt key, then send it on its way again",
};

/// A sink is being left alone.
pub const SINK_PAUSED: Code = Code {
    id: "SEND-052",
    class: Class::Later,
    vi: "Tạm ngừng gửi tới nơi nhận này vì lỗi liên tiếp",
    en: "the receiver failed several times in a row and is left alone for a while",
    remedy_vi: "Hệ thống tự thử lại từng hồ sơ một cho tới khi nơi nhận hoạt động",
    remedy_en: "one delivery at a time probes until the receiver works again",
};

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: AttemptOutcome = AttemptOutcome::Again { retry_after: None };

    #[test]
    fn parts_of_a_delivery_id_do_not_run_into_each_other() {
        let sha = Sha256::of(b"pdf");
        let id = delivery_id("ab", "c", &sha, 1);
        assert_eq!(id, delivery_id("ab", "c", &sha, 1));
        for other in [
            delivery_id("a", "bc", &sha, 1),
            delivery_id("ab", "c", &sha, 2),
            delivery_id("ab", "d", &sha, 1),
            delivery_id("ab", "c", &Sha256::of(b"other"), 1),
        ] {
            assert_ne!(id, other);
        }
        // Pinned: another release must find the same delivery under the same name.
        assert_eq!(
            delivery_id("wallet", "r", &Sha256([0; 32]), 0).to_string(),
            "6ad33309874879352a983f8a80bfea6196cb8ec63824de3ad489a9719823292d"
        );
    }

    #[test]
    fn the_wait_doubles_up_to_the_cap_and_jitter_spans_it_all() {
        let rule = Backoff::default();
        let at = |attempt, roll: fn(u64) -> u64| next_attempt(&rule, attempt, AGAIN, 0, 1_000, roll);
        assert_eq!(at(1, |most| most), Decision::RetryAt(2_000));
        assert_eq!(at(2, |most| most), Decision::RetryAt(3_000));
        assert_eq!(at(10, |most| most), Decision::RetryAt(513_000));
        for attempt in [11, 64, 65, u32::MAX] {
            assert_eq!(at(attempt, |most| most), Decision::RetryAt(901_000), "{attempt}");
        }
        assert_eq!(at(9, |_| 0), Decision::RetryAt(1_000));
        assert_eq!(
            at(9, |_| u64::MAX),
            Decision::RetryAt(257_000),
            "dice beyond their range do not break the cap"
        );
    }

    #[test]
    fn a_receiver_that_asks_for_patience_gets_it_but_not_beyond_the_deadline() {
        let rule = Backoff::default();
        let asked = |seconds| AttemptOutcome::Again { retry_after: Some(seconds) };
        let deadline = 72 * 3_600 * 1_000;
        assert_eq!(next_attempt(&rule, 1, asked(7_200), 0, 0, |_| 5), Decision::RetryAt(7_200_005));
        assert_eq!(next_attempt(&rule, 1, asked(u64::MAX), 0, 0, |_| 5), Decision::RetryAt(deadline));
        assert_eq!(next_attempt(&rule, 1, AGAIN, 0, deadline - 1, |m| m), Decision::RetryAt(deadline));
        assert_eq!(next_attempt(&rule, 9, AGAIN, 0, deadline, |_| 0), Decision::Dead(DeadReason::GaveUp));
    }

    #[test]
    fn wrong_receipts_and_refusals_end_as_dead_letters_with_their_own_reason() {
        let rule = Backoff::default();
        let never = next_attempt(&rule, 1, AttemptOutcome::Never, 0, 0, |_| 0);
        assert_eq!(never, Decision::Dead(DeadReason::Refused));
        let wrong = |now| next_attempt(&rule, 3, AttemptOutcome::ReceiptInvalid, 0, now, |_| 0);
        assert_eq!(wrong(259_199_999), Decision::RetryAt(259_199_999));
        assert_eq!(wrong(259_200_000), Decision::Dead(DeadReason::ReceiptInvalid));
        assert_eq!(serde_json::to_string(&DeadReason::ReceiptInvalid).unwrap(), "\"receipt-invalid\"");
    }

    #[test]
    fn a_breaker_opens_after_five_failures_and_lets_one_probe_through() {
        let rule = BreakerRule::default();
        let mut breaker = Breaker::default();
        for now in 0..4 {
            breaker.settle(&rule, false, now);
            assert_eq!(breaker.admit(&rule, now), Gate::Go);
        }
        breaker.settle(&rule, false, 4);
        assert_eq!(breaker.admit(&rule, 5), Gate::Wait(1_004));
        breaker.settle(&rule, false, 900);
        assert_eq!(breaker.look(&rule, 1_003), Gate::Wait(1_004), "one that was on its way already");
        assert_eq!(breaker.admit(&rule, 1_004), Gate::Probe);
        assert_eq!(breaker.admit(&rule, 1_005), Gate::Wait(31_004), "one probe at a time");
        breaker.settle(&rule, false, 1_010);
        assert_eq!(breaker.admit(&rule, 1_011), Gate::Wait(3_010), "twice as long");
        assert_eq!(breaker.admit(&rule, 3_010), Gate::Probe);
        breaker.settle(&rule, true, 3_020);
        assert_eq!(breaker.admit(&rule, 3_021), Gate::Go);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_sink_that_stays_dead_is_probed_every_half_minute_and_not_less() {
        let rule = BreakerRule::default();
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| breaker.settle(&rule, false, 0));
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..70 {
            let Gate::Wait(until) = breaker.admit(&rule, now) else { panic!("open") };
            waits.push(until - now);
            now = until;
            assert_eq!(breaker.admit(&rule, now), Gate::Probe);
            breaker.settle(&rule, false, now);
        }
        assert_eq!(waits[..6], [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
        assert!(waits[6..].iter().all(|wait| *wait == 30_000));
    }

    #[test]
    fn a_lost_probe_and_a_clock_set_back_do_not_close_a_sink_for_ever() {
        let rule = BreakerRule::default();
        let mut breaker = Breaker::default();
        (0..5).for_each(|now| breaker.settle(&rule, false, 1_000_000 + now));
        assert_eq!(breaker.admit(&rule, 1_040_000), Gate::Probe);
        assert_eq!(breaker.admit(&rule, 1_070_000), Gate::Probe, "the first probe never came back");
        assert_eq!(breaker.admit(&rule, 5), Gate::Probe, "the clock was set back");
    }

    #[test]
    fn dice_stay_within_their_range() {
        assert_eq!(dice(0), 0);
        assert!((0..1_000).all(|_| dice(3) <= 3));
    }
}
