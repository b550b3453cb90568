//! What time it is, in one place, so that tests can say what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that counts milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands until it is moved.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        match self {
            Clock::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
            Clock::Set(ms) => ms.load(Ordering::SeqCst),
        }
    }
}

/// A moment as Vietnamese offices write it: `2025-09-14T08:05:09+07:00` (ISO 8601, Decree 30/2020).
pub fn vietnam_time(ms: i64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(7));
    jiff::Timestamp::from_millisecond(ms)
        .map(|t| t.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        .unwrap_or_default()
}

/// The day that it is in Vietnam at a moment: UTC+07:00, all year.
pub fn vietnam_day(at: jiff::Timestamp) -> jiff::civil::Date {
    jiff::tz::offset(7).to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnam_is_seven_hours_ahead() {
        assert_eq!(vietnam_time(1_757_811_909_000), "2025-09-14T08:05:09+07:00");
        let late = "2026-11-21T18:00:00Z".parse().unwrap();
        assert_eq!(vietnam_day(late), jiff::civil::date(2026, 11, 22));
    }
}
