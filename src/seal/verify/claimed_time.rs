//! The time that a signer claims (ISO 32000-1, 7.9.4 dates in `/M`): a claim, and shown as one.

use jiff::Timestamp;

/// `D:YYYYMMDDhhmmss+hh'mm'` as RFC 3339; none where it is malformed.
pub(super) fn pdf_date(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix("D:").unwrap_or(text);
    let digits = text.get(..14).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    let zone = match text.get(14..)?.replace('\'', "").as_str() {
        "" | "Z" | "Z0000" => "Z".to_owned(),
        zone if zone.len() == 5 => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    let (date, time) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
    );
    let stamp = format!("{date}T{time}{zone}");
    stamp.parse::<Timestamp>().ok().map(|_| stamp)
}
