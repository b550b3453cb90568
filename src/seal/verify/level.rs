//! The level that a signature reached (EN 319 142-1 section 6): what the file itself holds to prove it with, long after
//! servers and trust folders have gone.

use super::chain::{ChainReport, Moment, is_answered};
use super::enclosed;
use super::history::History;
use super::judge::{Found, Judged};
use super::record::{CoverageClass, Integrity, Level, SignatureKind, SignatureReport};
use crate::pdf::revise::Document;
use crate::seal::evidence::Evidence;

/// Works out levels once all signatures and document time stamps are judged, and puts the judgement into words. `found`
/// and `judged` are in the same order, oldest first; `store` is the newest security store.
pub(super) fn settle(
    document: &Document<'_>,
    found: &[Found],
    history: &History,
    store: &Evidence,
    judged: Vec<Judged>,
) -> Vec<SignatureReport> {
    let stamps: Vec<(usize, Evidence)> = found
        .iter()
        .zip(&judged)
        .filter(|(_, j)| j.report.kind == SignatureKind::DocumentTimestamp && holds(&j.report))
        .filter_map(|(f, _)| Some((f.end(), store_at(document, history, f.section()?))))
        .collect();
    let mut reports = Vec::new();
    for (found, mut one) in found.iter().zip(judged) {
        if one.report.level == Level::BB && one.report.integrity == Integrity::Intact {
            let later = || stamps.iter().filter(|(end, _)| *end > found.end());
            let own = one.report.timestamp.as_ref().is_some_and(|t| t.ok);
            if own || later().next().is_some() {
                one.report.level = Level::BT;
                if proves(&one, store) {
                    one.report.level = Level::BLT;
                    if later().any(|(_, then)| proves(&one, then)) {
                        one.report.level = Level::BLTA;
                    }
                }
            }
        }
        let (vi, en) = one.report.sentences();
        (one.report.vi, one.report.en) = (vi.to_owned(), en.to_owned());
        reports.push(one.report);
    }
    reports
}

fn holds(stamp: &SignatureReport) -> bool {
    stamp.integrity == Integrity::Intact
        && stamp.timestamp.as_ref().is_some_and(|t| t.ok)
        && matches!(stamp.coverage, CoverageClass::Whole | CoverageClass::WholeRevision)
}

/// The security store of the revision that ends with this section.
fn store_at(document: &Document<'_>, history: &History, section: usize) -> Evidence {
    let offset = history.sections.get(section).copied().unwrap_or(usize::MAX);
    document
        .until_section(document.length(), offset)
        .and_then(|revision| enclosed::of_document(&revision))
        .unwrap_or_default()
}

/// Whether the file's own evidence answers for the signer and for the authority of its time stamp.
fn proves(one: &Judged, store: &Evidence) -> bool {
    let mut evidence = store.clone();
    evidence.certificates.extend(one.carried.certificates.iter().cloned());
    evidence.crls.extend(one.carried.crls.iter().cloned());
    evidence.ocsp.extend(one.carried.ocsp.iter().cloned());
    let answered = |chain: &ChainReport, moment: Moment| is_answered(chain, &evidence, moment);
    let stamp = one.report.timestamp.as_ref().and_then(|t| t.chain.as_ref());
    answered(&one.report.chain, one.moment) && stamp.is_none_or(|chain| answered(chain, one.stamp_moment))
}
