//! A judged bundle: the conclusion, what each document and delivery is worth, and every reason.

use crate::digest::Sha256;
use crate::evidence::manifest::Named;
use crate::log::receipt::ReceiptOutcome;
use crate::seal::verify::{self, Verdict};
use serde::Serialize;
use std::collections::BTreeSet;

/// A judged bundle, as `hoso verify --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The conclusion.
    pub verdict: Verdict,
    /// `evidence`.
    pub kind: &'static str,
    /// Which dossier, as the manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dossier: Option<Named>,
    /// The office that made the bundle, as the manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// The state it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// What the signature over the manifest is worth.
    pub manifest: Verdict,
    /// Every document.
    pub documents: Vec<Judged>,
    /// Every delivery.
    pub deliveries: Vec<JudgedDelivery>,
    /// How many entries of the journal were checked.
    pub journal_entries: u64,
    /// Why, the weightiest first.
    pub reasons: Vec<Finding>,
    /// What nobody checked, and does not weigh.
    pub not_checked: BTreeSet<String>,
}

/// A document of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Its entry.
    pub entry: String,
    /// Its digest.
    pub sha256: Sha256,
    /// What its signatures are worth; absent where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<verify::Report>,
    /// What its receipt of the log is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Verdict>,
    /// The same in detail: valid, or one of the ways in which a receipt is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_outcome: Option<ReceiptOutcome>,
    /// When the log's office says that it was issued, where the receipt holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<String>,
}

/// A delivery of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedDelivery {
    /// Name of the recipient at the station.
    pub recipient: String,
    /// The delivery.
    pub id: Sha256,
    /// `push` or `portal`.
    pub by: String,
    /// What its receipt is worth; absent where nothing can be concluded from it: a portal signs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Verdict>,
    /// When the receiver had it, as it signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it weighs.
    pub weight: Verdict,
    /// The entry, run or delivery that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Stable.
    pub code: String,
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Report {
    pub(super) fn new() -> Self {
        Report {
            verdict: Verdict::Valid,
            kind: "evidence",
            dossier: None,
            office: None,
            as_of: None,
            manifest: Verdict::Indeterminate,
            documents: Vec::new(),
            deliveries: Vec::new(),
            journal_entries: 0,
            reasons: Vec::new(),
            not_checked: BTreeSet::new(),
        }
    }

    pub(super) fn conclude(mut self) -> Self {
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
        self.reasons.truncate(MAX_REASONS);
        self.verdict = self.reasons.first().map_or(Verdict::Valid, |f| f.weight).max(self.manifest);
        self
    }
}

const MAX_REASONS: usize = 256;
