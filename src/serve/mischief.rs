//! Failure on purpose: what a stand-in does wrong, and how often.

use super::loopback::Cut;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a stand-in fails, counted in requests.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Mischief {
    /// Every N-th request is answered with HTTP 500, before anything is done
    #[arg(long, value_name = "N")]
    pub fail_every: Option<u64>,
    /// Every N-th request is answered with HTTP 200 and an HTML page, before anything is done
    #[arg(long, value_name = "N")]
    pub html_every: Option<u64>,
    /// Every N-th request is done, and its answer lost: the connection is cut
    #[arg(long, value_name = "N")]
    pub lose_answer_every: Option<u64>,
    /// Every N-th request is done and answered with HTTP 200, without a receipt
    #[arg(long, value_name = "N")]
    pub no_receipt_every: Option<u64>,
    /// Every request waits so long first, milliseconds
    #[arg(long, value_name = "MS")]
    pub slow: Option<u64>,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answered as the contract says.
    Fair,
    /// HTTP 500, nothing done.
    Fail,
    /// HTTP 200 with HTML, nothing done.
    Html,
    /// Done, answer lost.
    LoseAnswer,
    /// Done, answered with an empty JSON object.
    NoReceipt,
}

impl Fate {
    /// The answer of a request that nothing is done for.
    pub fn refusal(self) -> Option<Response> {
        match self {
            Fate::Fail => Some((StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose").into_response()),
            Fate::Html => Some(Html("<!doctype html><title>Bảo trì</title>").into_response()),
            Fate::Fair | Fate::LoseAnswer | Fate::NoReceipt => None,
        }
    }

    /// What is left of an answer once the work is done.
    pub fn spoil(self, cut: Option<Cut>, answer: Response) -> Response {
        match self {
            Fate::LoseAnswer => {
                if let Some(cut) = cut {
                    cut.now();
                }
                (StatusCode::BAD_GATEWAY, "lost on purpose").into_response()
            }
            Fate::NoReceipt if answer.status().is_success() => {
                ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
            }
            _ => answer,
        }
    }
}

/// Deals out fates, one a request.
pub struct Fates {
    deal: Box<dyn Fn(u64) -> Fate + Send + Sync>,
    wait: Duration,
    dealt: AtomicU64,
}

impl Fates {
    /// Fates by a rule that is given the number of the request, from 1.
    pub fn by(deal: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Self {
        Fates { deal: Box::new(deal), wait: Duration::ZERO, dealt: AtomicU64::new(0) }
    }

    /// The next request's fate, after the wait.
    pub async fn next(&self) -> Fate {
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
        (self.deal)(self.dealt.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl From<Mischief> for Fates {
    fn from(rule: Mischief) -> Self {
        let deal = move |request: u64| {
            let due = |every: Option<u64>| every.is_some_and(|n| n > 0 && request.is_multiple_of(n));
            match () {
                () if due(rule.fail_every) => Fate::Fail,
                () if due(rule.html_every) => Fate::Html,
                () if due(rule.lose_answer_every) => Fate::LoseAnswer,
                () if due(rule.no_receipt_every) => Fate::NoReceipt,
                () => Fate::Fair,
            }
        };
        Fates { wait: Duration::from_millis(rule.slow.unwrap_or(0)), ..Fates::by(deal) }
    }
}

impl fmt::Debug for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fates").field("dealt", &self.dealt).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fates_come_as_often_as_they_were_asked_for() {
        let fates =
            Fates::from(Mischief { fail_every: Some(2), lose_answer_every: Some(3), ..Mischief::default() });
        let mut dealt = Vec::new();
        for _ in 0..6 {
            dealt.push(fates.next().await);
        }
        use Fate::{Fail, Fair, LoseAnswer};
        assert_eq!(dealt, [Fair, Fail, LoseAnswer, Fail, Fair, Fail]);
    }
}
