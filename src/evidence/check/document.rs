//! A sealed document: what its signatures are worth.

use super::{CONTRADICTS, Finding, INCOMPLETE, Judge, Judged, Small};
use crate::digest::Digests;
use crate::evidence::manifest::Document;
use crate::seal::verify::report::Reason;
use crate::seal::verify::{self, Verdict};

impl Judge<'_> {
    /// Judges a document and its receipt of the log; `bytes` are those that the manifest lists, where they are there.
    pub(super) fn document(&mut self, document: &Document, bytes: Option<&[u8]>, small: &Small<'_>) {
        let mut judged = Judged {
            entry: document.entry.clone(),
            sha256: document.digests.sha256,
            seal: None,
            log: None,
            log_outcome: None,
            logged: None,
        };
        if document.log_receipt.is_none() {
            self.say(Verdict::Indeterminate, Some(&document.entry), &INCOMPLETE);
        }
        if let Some(bytes) = bytes {
            if Digests::of(bytes) != document.digests {
                self.say(Verdict::Invalid, Some(&document.entry), &CONTRADICTS);
            }
            let record = verify::verify(bytes, &self.trust.seals);
            let report = verify::Report::of(&record, self.trust.seals.anchors.policy());
            for gap in record.signatures.iter().flat_map(|s| &s.not_checked) {
                self.not_checked(&gap.vi, &gap.en);
            }
            let weighty = report.reasons.first().filter(|_| report.verdict != Verdict::Valid);
            if let Some(Reason { code, vi, en }) = weighty {
                self.report.reasons.push(Finding {
                    weight: report.verdict,
                    about: Some(document.entry.clone()),
                    code: code.clone(),
                    vi: vi.clone(),
                    en: en.clone(),
                });
            } else if report.verdict != Verdict::Valid {
                self.say(report.verdict, Some(&document.entry), &verify::NO_SIGNATURE);
            }
            judged.seal = Some(report);
        }
        self.log_receipt(document, &mut judged, small);
        self.report.documents.push(judged);
    }
}
