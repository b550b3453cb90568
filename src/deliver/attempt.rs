//! What one attempt at a delivery came to.
//!
//! There are three ends and no fourth: a receipt that was checked, a reason to try again, a reason not to.

use crate::fault::{Class, Code, Fault};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// What a receiver gave as proof, byte for byte as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptBytes(pub Vec<u8>);

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It arrived, and here is the proof, already checked.
    Delivered(ReceiptBytes),
    /// Not proven to have arrived; worth another try.
    Again {
        /// What happened.
        reason: Fault,
        /// How long the receiver asked to be left alone, in seconds.
        retry_after: Option<u64>,
    },
    /// It will not arrive as it is; a person must act.
    Never(Fault),
}

impl Attempt {
    /// Another try, after the usual wait.
    pub fn again(reason: impl Into<Fault>) -> Self {
        Attempt::Again { reason: reason.into(), retry_after: None }
    }

    /// True where the receiver answered like a working service, so that its breaker may close: it took the
    /// delivery, or refused this one, or asked for patience.
    pub fn shows_a_live_receiver(&self) -> bool {
        match self {
            Attempt::Delivered(_) | Attempt::Never(_) => true,
            Attempt::Again { reason, .. } => reason.code == &BUSY,
        }
    }

    /// True where the receiver may have it although no proof came back: ask before sending again.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Attempt::Delivered(_) | Attempt::Never(_) => false,
            Attempt::Again { reason, .. } => reason.code != &super::link::UNREACHABLE,
        }
    }
}

/// What a status other than success says, by the outbox's rules: 408, 425, 429 and 409 "in progress" are worth
/// another try, other 4xx are not, everything else is. A redirect is not followed but tried again: on a
/// commune's line it is more often a login page in the way than a receiver that moved.
pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap, in_progress: bool, now: i64) -> Attempt {
    let told = |code: &'static Code| Fault::new(code).detail(format!("HTTP {}", status.as_u16()));
    let wait =
        |code: &'static Code| Attempt::Again { reason: told(code), retry_after: retry_after(headers, now) };
    match status.as_u16() {
        300..=399 => Attempt::again(told(&REDIRECTED)),
        408 | 425 | 429 => wait(&BUSY),
        409 if in_progress => wait(&BUSY),
        409 => Attempt::Never(told(&CONFLICT)),
        400..=499 => Attempt::Never(told(&REFUSED)),
        _ => wait(&SERVER_FAILED),
    }
}

/// `Retry-After` in seconds from now: a number, or a date (RFC 9110 10.2.3).
fn retry_after(headers: &HeaderMap, now: i64) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds);
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
    Some(u64::try_from(date.timestamp().as_second().saturating_sub(now)).unwrap_or(0))
}

/// A redirect, which is never followed.
pub const REDIRECTED: Code = Code {
    id: "SEND-030",
    class: Class::Later,
    vi: "Nơi nhận chuyển hướng sang địa chỉ khác, hệ thống không đi theo",
    en: "the receiver redirects elsewhere, which is not followed",
    remedy_vi: "Kiểm tra đường truyền có trang đăng nhập chen vào không, rồi kiểm tra địa chỉ nơi nhận",
    remedy_en: "check the line for a login page in between, then the receiver's address",
};

/// The receiver failed inside.
pub const SERVER_FAILED: Code = Code {
    id: "SEND-031",
    class: Class::Later,
    vi: "Hệ thống nơi nhận đang gặp lỗi",
    en: "the receiver failed",
    remedy_vi: "Hệ thống sẽ tự gửi lại",
    remedy_en: "it is tried again by itself",
};

/// The receiver asks for patience.
pub const BUSY: Code = Code {
    id: "SEND-032",
    class: Class::Later,
    vi: "Nơi nhận đang bận",
    en: "the receiver is busy",
    remedy_vi: "Hệ thống sẽ tự gửi lại sau",
    remedy_en: "it is tried again later by itself",
};

/// The receiver refuses this delivery.
pub const REFUSED: Code = Code {
    id: "SEND-033",
    class: Class::Person,
    vi: "Nơi nhận từ chối, gửi lại như cũ cũng không được",
    en: "the receiver refuses it; sending the same again cannot help",
    remedy_vi: "Xem lý do, sửa rồi gửi lại; nếu cần, báo dân nhận trực tiếp tại quầy",
    remedy_en: "read the reason, correct it and send again, or hand it over at the desk",
};

/// The receiver has another document under the same delivery number.
pub const CONFLICT: Code = Code {
    id: "SEND-034",
    class: Class::Person,
    vi: "Nơi nhận đã có tài liệu khác mang cùng mã gửi",
    en: "the receiver holds other bytes under the same delivery id",
    remedy_vi: "Không gửi đè; báo ngay cho người quản trị để đối chiếu hai bản",
    remedy_en: "never overwrite; have the keeper compare both documents",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, in_progress: bool) -> Attempt {
        of_status(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), in_progress, 0)
    }

    #[test]
    fn only_four_client_errors_are_worth_another_try() {
        for status in 400..500 {
            let again = matches!(of(status, false), Attempt::Again { .. });
            assert_eq!(again, [408, 425, 429].contains(&status), "{status}");
        }
        assert!(matches!(of(409, true), Attempt::Again { .. }));
        for status in [300, 302, 307, 500, 502, 503, 599] {
            assert!(matches!(of(status, false), Attempt::Again { .. }), "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let headers = |text: &str| HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers("120"), 0), Some(120));
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_777 - 60), Some(60));
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_777 + 60), Some(0));
        assert_eq!(retry_after(&headers("soon"), 0), None);
    }
}
