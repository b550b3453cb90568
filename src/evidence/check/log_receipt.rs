//! A document's receipt of the transparency log.

use super::{Finding, Judge, Judged, RECEIPT_OPEN, RECEIPT_REFUTED, Small};
use crate::evidence::manifest::Document;
use crate::log::check::{Later, Policy, judge};
use crate::log::outcome::Class as Acted;
use crate::log::receipt::ReceiptOutcome;
use crate::seal::verify::Verdict;

impl Judge<'_> {
    /// Judges the receipt, where there is one, and notes which log it is of.
    pub(super) fn log_receipt(&mut self, document: &Document, judged: &mut Judged, small: &Small<'_>) {
        let receipt = document.log_receipt.as_deref().and_then(|n| Some((n, small.get(n)?)));
        if let Some((name, text)) = receipt {
            // The authorities that stamped the log's heads lead to the same roots as those of signatures.
            let authorities = self.trust.seals.anchors.certificates();
            let policy =
                Policy { authorities: &authorities, known: &self.known, ..Policy::of(self.trust.logs) };
            let text = String::from_utf8_lossy(text);
            let verdict = judge(&text, &document.digests, &policy, &Later::default());
            self.report.not_checked.extend(verdict.not_checked.iter().map(ToString::to_string));
            let weight = log_weight(verdict.outcome);
            if weight != Verdict::Valid {
                let code = if weight == Verdict::Invalid { &RECEIPT_REFUTED } else { &RECEIPT_OPEN };
                self.report.reasons.push(Finding {
                    weight,
                    about: Some(name.to_owned()),
                    code: code.id.into(),
                    vi: verdict.vi.into(),
                    en: verdict.en.into(),
                });
            } else {
                judged.logged = verdict.statement.map(|s| s.issued_at);
                self.logs.extend(verdict.origin.map(|origin| (name.to_owned(), origin)));
            }
            judged.log = Some(weight);
            judged.log_outcome = Some(verdict.outcome);
        }
    }
}

/// What an outcome of a log receipt weighs. A paper that was replaced is what it was, and somebody has to look at the newer
/// one; one that was revoked is not to be relied upon.
fn log_weight(outcome: ReceiptOutcome) -> Verdict {
    match outcome.class() {
        Acted::Valid => Verdict::Valid,
        Acted::NotYetAnchored | Acted::UnknownLog | Acted::Superseded => Verdict::Indeterminate,
        Acted::Revoked | Acted::Altered | Acted::BrokenConsistency => Verdict::Invalid,
    }
}
