//! Failure on purpose: what a stand-in does wrong, and how often.

use super::effects::Accepted;
use super::loopback::Cut;
use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a stand-in fails, counted in requests.
#[derive(Debug, Clone, Default, clap::Args)]
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
    /// What goes wrong and how often: NAME=HOW,NAME=HOW,…
    ///
    /// HOW is a share of the requests (20%, 0.5%) or every:N. The same seed=N (1 by itself) makes the same requests fail.
    /// Where several names would hit one request, the first that was written does.
    ///
    /// Nothing is done: 500, 503 (with Retry-After: 1), html (HTTP 200 and a web page), redirect (302), reset (the
    /// connection is cut).
    /// It is done: lost-answer (the connection is cut), empty (HTTP 200 and {}), and at the portal duplicate (a new dossier is
    /// answered with "đã tồn tại"), unknown-code (an error_code nobody knows).
    /// Besides: session-expiry (at the portal, the session ends before the call), slow=2s@3% (that share waits so long
    /// first; slow=300ms: all of them).
    #[arg(long, value_name = "SPEC", verbatim_doc_comment)]
    pub faults: Option<Faults>,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answered as the contract says.
    Fair,
    /// HTTP 500, nothing done.
    Fail,
    /// HTTP 503 with Retry-After, nothing done.
    Busy,
    /// HTTP 200 with HTML, nothing done.
    Html,
    /// HTTP 302, nothing done.
    Redirect,
    /// The connection is cut, nothing done.
    Reset,
    /// Done, answer lost.
    LoseAnswer,
    /// Done, answered with an empty JSON object.
    NoReceipt,
    /// The session of the call ends first; otherwise fair.
    SessionExpiry,
    /// Done, answered as a duplicate.
    Duplicate,
    /// Done, answered with a code that is not of the contract.
    UnknownCode,
}

impl Fate {
    /// The answer of a request that nothing is done for.
    pub fn refusal(self) -> Option<Response> {
        match self {
            Fate::Fail => Some((StatusCode::INTERNAL_SERVER_ERROR, "failed on purpose").into_response()),
            Fate::Busy => Some(
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "busy on purpose")
                    .into_response(),
            ),
            Fate::Html => Some(Html("<!doctype html><title>Bảo trì</title>").into_response()),
            Fate::Redirect => {
                Some((StatusCode::FOUND, [(header::LOCATION, "/dang-nhap")], "").into_response())
            }
            Fate::Reset => {
                let mut answer = (StatusCode::BAD_GATEWAY, "cut on purpose").into_response();
                answer.extensions_mut().insert(CutOff);
                Some(answer)
            }
            Fate::Fair
            | Fate::LoseAnswer
            | Fate::NoReceipt
            | Fate::SessionExpiry
            | Fate::Duplicate
            | Fate::UnknownCode => None,
        }
    }

    /// What is left of an answer once the work is done.
    pub fn spoil(self, cut: Option<Cut>, answer: Response) -> Response {
        // Whoever keeps the record has to know what was done, whatever the caller is told.
        let mut spoilt = match self {
            Fate::LoseAnswer => {
                if let Some(cut) = cut {
                    cut.now();
                }
                (StatusCode::BAD_GATEWAY, "lost on purpose").into_response()
            }
            Fate::NoReceipt if answer.status().is_success() => {
                ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
            }
            _ => return answer,
        };
        let accepted = answer.extensions().get::<Accepted>().cloned();
        spoilt.extensions_mut().insert(accepted.unwrap_or_else(|| Accepted::of_status(answer.status())));
        spoilt
    }
}

/// Marks an answer that is to be cut off.
#[derive(Debug, Clone)]
struct CutOff;

/// Lays the cutting of connections over a stand-in that [`super::loopback::Loopback`] serves.
pub fn cuttable(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        let cut = Cut::of(request.extensions());
        let answer = next.run(request).await;
        if let (Some(cut), Some(_)) = (cut, answer.extensions().get::<CutOff>()) {
            cut.now();
        }
        answer
    }))
}

/// What goes wrong and how often, as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    seed: u64,
    rules: Vec<(Fate, When)>,
    slow: Vec<(Duration, When)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Parts of a million.
    Share(u64),
    Every(u64),
}

impl When {
    fn hits(self, seed: u64, rule: usize, request: u64) -> bool {
        match self {
            When::Share(parts) => thrown(seed, rule as u64, request) % 1_000_000 < parts,
            When::Every(n) => request.is_multiple_of(n),
        }
    }
}

impl Faults {
    /// Only what a stand-in without sessions and dossiers can do.
    ///
    /// # Errors
    /// [`BAD_FAULTS`] with the first that is for the portal.
    pub fn without_portal(self) -> Outcome<Self> {
        let portal = |fate: &Fate| matches!(fate, Fate::SessionExpiry | Fate::Duplicate | Fate::UnknownCode);
        match self.rules.iter().find(|(fate, _)| portal(fate)) {
            Some((fate, _)) => Err(Fault::new(&BAD_FAULTS).detail(format!("{fate:?} is for the portal"))),
            None => Ok(self),
        }
    }

    fn fate(&self, request: u64) -> Fate {
        let hit = self.rules.iter().enumerate().find(|(at, (_, when))| when.hits(self.seed, *at, request));
        hit.map_or(Fate::Fair, |(_, (fate, _))| *fate)
    }

    fn wait(&self, request: u64) -> Duration {
        let waits = self.slow.iter().enumerate();
        waits.filter(|(at, (_, when))| when.hits(self.seed, 1_000 + at, request)).map(|(_, (d, _))| *d).sum()
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Faults { seed: 1, rules: Vec::new(), slow: Vec::new() };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, how) = part.split_once('=').ok_or_else(|| format!("{part}: NAME=HOW is needed"))?;
            let fate = match name {
                "seed" => {
                    faults.seed = how.parse().map_err(|_| format!("{part}: a number is needed"))?;
                    continue;
                }
                "slow" => {
                    let (wait, when) = how.split_once('@').unwrap_or((how, "100%"));
                    faults.slow.push((
                        duration(wait).ok_or_else(|| format!("{part}: 2s or 300ms is needed"))?,
                        when_of(when)?,
                    ));
                    continue;
                }
                "500" => Fate::Fail,
                "503" => Fate::Busy,
                "html" => Fate::Html,
                "redirect" => Fate::Redirect,
                "reset" => Fate::Reset,
                "lost-answer" => Fate::LoseAnswer,
                "empty" => Fate::NoReceipt,
                "session-expiry" => Fate::SessionExpiry,
                "duplicate" => Fate::Duplicate,
                "unknown-code" => Fate::UnknownCode,
                _ => return Err(format!("{name} is no fault; see --help")),
            };
            faults.rules.push((fate, when_of(how)?));
        }
        Ok(faults)
    }
}

fn when_of(text: &str) -> Result<When, String> {
    let wrong = || format!("{text}: 20%, 0.5% or every:N is needed");
    if let Some(n) = text.strip_prefix("every:") {
        return n.parse().ok().filter(|n| *n > 0).map(When::Every).ok_or_else(wrong);
    }
    let share = text.strip_suffix('%').and_then(|n| n.parse::<f64>().ok());
    // At most a million: nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let parts = |share: f64| (share * 10_000.0).round() as u64;
    share.filter(|s| (0.0..=100.0).contains(s)).map(|s| When::Share(parts(s))).ok_or_else(wrong)
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1_000),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).map(Duration::from_millis)
}

/// A number that looks random and is the same for the same three (SplitMix64).
fn thrown(seed: u64, rule: u64, request: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0xA076_1D64_78BD_642F)
        .wrapping_add(rule.wrapping_mul(0xE703_7ED1_A0B4_28DB))
        .wrapping_add(request.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Deals out fates, one a request.
pub struct Fates {
    deal: Box<dyn Fn(u64) -> Fate + Send + Sync>,
    wait: Box<dyn Fn(u64) -> Duration + Send + Sync>,
    dealt: AtomicU64,
}

impl Fates {
    /// Fates by a rule that is given the number of the request, from 1.
    pub fn by(deal: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Self {
        Fates { deal: Box::new(deal), wait: Box::new(|_| Duration::ZERO), dealt: AtomicU64::new(0) }
    }

    /// The next request's fate, after the wait.
    pub async fn next(&self) -> Fate {
        let request = self.dealt.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = (self.wait)(request);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        (self.deal)(request)
    }
}

impl From<Mischief> for Fates {
    fn from(rule: Mischief) -> Self {
        let always = Duration::from_millis(rule.slow.unwrap_or(0));
        let (faults, waits) = (rule.faults.clone(), rule.faults.clone());
        let deal = move |request: u64| {
            let due = |every: Option<u64>| every.is_some_and(|n| n > 0 && request.is_multiple_of(n));
            match () {
                () if due(rule.fail_every) => Fate::Fail,
                () if due(rule.html_every) => Fate::Html,
                () if due(rule.lose_answer_every) => Fate::LoseAnswer,
                () if due(rule.no_receipt_every) => Fate::NoReceipt,
                () => faults.as_ref().map_or(Fate::Fair, |faults| faults.fate(request)),
            }
        };
        let wait =
            move |request: u64| always + waits.as_ref().map_or(Duration::ZERO, |faults| faults.wait(request));
        Fates { wait: Box::new(wait), ..Fates::by(deal) }
    }
}

impl fmt::Debug for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fates").field("dealt", &self.dealt).finish_non_exhaustive()
    }
}

/// A fault that this stand-in cannot have.
pub const BAD_FAULTS: Code = Code {
    id: "MOCK-020",
    class: Class::Input,
    vi: "Hệ thống giả lập này không có loại lỗi đã nêu trong --faults",
    en: "this stand-in has no such fault as --faults names",
    remedy_vi: "Xem các loại lỗi bằng --help",
    remedy_en: "see --help for those it has",
};

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

    #[test]
    fn one_grammar_says_what_goes_wrong_and_how_often() {
        let spec = "lost-answer=20%,500=5%,html=1%,slow=2s@3%,session-expiry=every:50,duplicate=2%,seed=7";
        let faults: Faults = spec.parse().unwrap();
        let dealt: Vec<Fate> = (1..=100_000).map(|n| faults.fate(n)).collect();
        let share = |fate| dealt.iter().filter(|f| **f == fate).count();
        assert!((19_500..20_500).contains(&share(Fate::LoseAnswer)), "{}", share(Fate::LoseAnswer));
        assert!((3_600..4_400).contains(&share(Fate::Fail)), "5 % of what is left: {}", share(Fate::Fail));
        assert!(share(Fate::SessionExpiry) > 1_000);
        let slow = (1..=100_000).filter(|n| !faults.wait(*n).is_zero()).count();
        assert!((2_700..3_300).contains(&slow), "{slow}");
        let again: Faults = spec.parse().unwrap();
        assert!((1..=1_000).all(|n| again.fate(n) == faults.fate(n)), "the same seed, the same fates");
        let other: Faults = spec.replace("seed=7", "seed=8").parse().unwrap();
        assert!((1..=1_000).any(|n| other.fate(n) != faults.fate(n)));
        for bad in
            ["lost", "lost-answer=", "lost-answer=120%", "500=every:0", "slow=2", "500=-1%", "x=1%", "seed=a"]
        {
            assert!(bad.parse::<Faults>().is_err(), "{bad}");
        }
        let wallet = "lost-answer=20%".parse::<Faults>().unwrap().without_portal();
        assert!(wallet.is_ok());
        assert_eq!(faults.without_portal().unwrap_err().code, &BAD_FAULTS);
    }
}
