//! Times and spans of time in certificates and revocation lists.

use super::Parts;
use crate::der::{self, DerError, Tlv};

/// A span of time, both ends included; an end that is not there is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From.
    pub from: End,
    /// Until.
    pub until: End,
}

/// One end of a [`Validity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is none.
    Open,
    /// There is one.
    At(jiff::Timestamp),
    /// There is one that cannot be read: no time is inside.
    Unreadable,
}

impl Validity {
    /// That of a certificate.
    pub fn of(parts: &Parts) -> Self {
        let end = |time: Option<jiff::Timestamp>| time.map_or(End::Unreadable, End::At);
        Validity { from: end(parts.not_before), until: end(parts.not_after) }
    }

    /// True where the moment is inside.
    pub fn holds(&self, moment: jiff::Timestamp) -> bool {
        let within = |end: End, inside: fn(jiff::Timestamp, jiff::Timestamp) -> bool| match end {
            End::Open => true,
            End::At(time) => inside(time, moment),
            End::Unreadable => false,
        };
        within(self.from, |from, moment| from <= moment)
            && within(self.until, |until, moment| moment <= until)
    }
}

/// UTCTime or GeneralizedTime with seconds and in UTC, as RFC 5280 4.1.2.5 demands; what is later than this program's
/// calendar is its last moment.
pub fn time(tlv: &Tlv<'_>) -> Option<jiff::Timestamp> {
    let text = std::str::from_utf8(tlv.content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tlv.tag {
        0x17 if text.len() == 12 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 if text.len() == 14 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let moment =
        jiff::civil::DateTime::new(year, pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?, 0).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).map_or(jiff::Timestamp::MAX, |zoned| zoned.timestamp()))
}

/// The privateKeyUsagePeriod extension as a span; `None` without one.
pub fn private_key_period(parts: &Parts) -> Option<Validity> {
    let extension = parts.extension("2.5.29.16")?;
    let read = || -> Result<Validity, DerError> {
        let mut fields = der::only(&extension.value, 0x30)?.reader();
        let mut end = |tag| -> Result<End, DerError> {
            let Some(field) = fields.optional(tag)? else { return Ok(End::Open) };
            // The tag hides that these are GeneralizedTime.
            Ok(time(&Tlv { tag: 0x18, ..field }).map_or(End::Unreadable, End::At))
        };
        Ok(Validity { from: end(0x80)?, until: end(0x81)? })
    };
    Some(read().unwrap_or(Validity { from: End::Unreadable, until: End::Unreadable }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Option<String> {
        let bytes = der::tlv(tag, text.as_bytes());
        time(&der::Reader::new(&bytes).read_tlv().unwrap()).map(|t| t.to_string())
    }

    #[test]
    fn both_forms_are_read_and_anything_else_is_no_time() {
        assert_eq!(read(0x17, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
        assert_eq!(read(0x17, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
        assert_eq!(read(0x18, "20260228120000Z").as_deref(), Some("2026-02-28T12:00:00Z"));
        assert_eq!(read(0x18, "99991231235959Z"), Some(jiff::Timestamp::MAX.to_string()));
        for (tag, text) in [
            (0x17, "20260228120000Z"),
            (0x18, "260228120000Z"),
            (0x18, "20260230120000Z"),
            (0x17, "2602281200Z"),
            (0x17, "260228120000"),
            (0x17, "+6+228120000Z"),
            (0x17, "26022812000\u{e9}Z"),
            (0x13, "260228120000Z"),
        ] {
            assert_eq!(read(tag, text), None, "{text}");
        }
    }

    #[test]
    fn a_span_holds_its_ends_and_one_that_cannot_be_read_holds_nothing() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let span = Validity { from: End::At(at(10)), until: End::At(at(20)) };
        assert_eq!([9, 10, 20, 21].map(|s| span.holds(at(s))), [false, true, true, false]);
        assert!(Validity { from: End::Open, until: End::Open }.holds(at(0)));
        assert!(!Validity { from: End::Open, until: End::Unreadable }.holds(at(0)));
    }
}
