//! In: a batch with its codes. Out: one dossier for each segment between separators and dossier codes, its papers and
//! pages in order. What can go wrong: another number of pages than a separator says, two codes in one segment: the
//! dossier goes on with a finding, or is refused, as the pipeline says.

use super::{StepOutput, assemble};
use crate::dossier::{Dates, Dossier, ReadingRecord};
use crate::fault::{Class, Code, Fault, Report};
use crate::pipeline::{OnMismatch, SplitConfig};
use crate::scan::separate::{self, PageMark, Segment};

/// Divides the batch.
pub fn run(mut batch: Dossier, config: &SplitConfig) -> StepOutput {
    let marks: Vec<PageMark> = batch
        .pages
        .iter()
        .enumerate()
        .map(|(index, page)| PageMark {
            index,
            roles: page.codes.iter().map(|c| separate::role_of(c.format, &c.text)).collect(),
            failed: page.fault.is_some(),
        })
        .collect();
    let segments = separate::split(&marks);
    let filled = segments.iter().filter(|s| !s.pages.is_empty()).count();
    let mut children = Vec::with_capacity(segments.len());
    for segment in &segments {
        if segment.pages.is_empty() {
            batch.findings.extend(segment.findings.iter().cloned());
            continue;
        }
        children.push(one(&batch, segment, filled, children.len() + 1, config));
    }
    if children.is_empty() {
        // Separators alone, or no page at all: the batch itself goes on and is refused for having no page.
        return StepOutput::Next(batch);
    }
    StepOutput::Split(batch, children)
}

fn one(
    batch: &Dossier,
    segment: &Segment,
    filled: usize,
    number: usize,
    config: &SplitConfig,
) -> (Dossier, Option<Report>) {
    let mut refusal = None;
    let code = segment.code.as_ref().map(ToString::to_string);
    let mut dossier = Dossier {
        batch: if filled == 1 { batch.batch.clone() } else { format!("{}#{number}", batch.batch) },
        received_at: batch.received_at,
        // What was typed belongs to the folder: it is the dossier's only where the folder is one dossier.
        code: code.or_else(|| batch.code.clone().filter(|_| filled == 1)),
        procedure: batch.procedure.clone(),
        applicant: batch.applicant.clone().filter(|_| filled == 1),
        dates: if filled == 1 { batch.dates } else { Dates::default() },
        expected_pages: segment.expected_pages,
        files: batch.files.clone(),
        pages: batch.pages.clone(),
        ..Dossier::default()
    };
    for pages in &segment.papers {
        dossier.papers.extend(assemble::group_papers(batch, pages));
    }
    keep_own(&mut dossier);
    if let Some(slip) = dossier.code.as_ref().and_then(|code| batch.slips.get(code)) {
        // Its dates were read when the batch was admitted.
        let _ = dossier.apply(slip.clone());
    }
    dossier.readings = readings(batch, dossier.code.as_deref(), filled);
    for finding in &segment.findings {
        let is = |code: &Code| finding.code == code.id;
        if is(&separate::NO_CODE) && dossier.code.is_some() {
            continue;
        }
        let refuse = (is(&separate::PAGE_COUNT) && config.page_count == OnMismatch::Refuse)
            || (is(&separate::NO_CODE) && config.no_code == OnMismatch::Refuse)
            || is(&separate::TWO_CODES);
        if refuse {
            let why = format!("{}: {} / {} {}", finding.code, finding.vi, finding.en, finding.detail.as_deref().unwrap_or(""));
            refusal.get_or_insert_with(|| Fault::new(&DIVIDED_WRONG).at(dossier.label()).detail(why.trim_end()).report());
        }
        dossier.findings.push(finding.clone());
    }
    (dossier, refusal)
}

/// A reading goes to the dossier whose code its name begins with, or to the only dossier there is.
fn readings(batch: &Dossier, code: Option<&str>, filled: usize) -> Vec<ReadingRecord> {
    let file_name = |r: &ReadingRecord| r.name.rsplit('/').next().unwrap_or("").to_owned();
    batch
        .readings
        .iter()
        .filter(|r| filled == 1 || code.is_some_and(|c| file_name(r).starts_with(c)))
        .cloned()
        .collect()
}

/// Leaves only the pages and files of this dossier in its record, so that nothing of its neighbours travels with it.
fn keep_own(dossier: &mut Dossier) {
    let mut pages = Vec::new();
    let mut files = Vec::new();
    let mut file_of: Vec<Option<usize>> = vec![None; dossier.files.len()];
    for paper in &mut dossier.papers {
        for index in &mut paper.pages {
            let Some(mut page) = dossier.pages.get(*index).cloned() else { continue };
            if let (Some(slot), Some(file)) = (file_of.get_mut(page.file), dossier.files.get(page.file)) {
                page.file = *slot.get_or_insert_with(|| {
                    files.push(file.clone());
                    files.len() - 1
                });
            }
            *index = pages.len();
            pages.push(page);
        }
    }
    dossier.pages = pages;
    dossier.files = files;
}

/// The batch was not what its separators say.
pub const DIVIDED_WRONG: Code = Code {
    id: "STEP-020",
    class: Class::Input,
    vi: "Hồ sơ tách ra không khớp với tờ phân cách hoặc mã hồ sơ",
    en: "the dossier does not agree with its separator or its code",
    remedy_vi: "Đếm lại giấy, kiểm tra tờ phân cách, quét lại cả hồ sơ",
    remedy_en: "count the sheets, look at the separator, scan the whole dossier again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&DIVIDED_WRONG];
