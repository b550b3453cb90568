//! In: a batch with its codes. Out: one dossier for each segment between separators and dossier codes, its papers and
//! pages in order. What can go wrong: another number of pages than a separator says, two codes in one segment: the
//! dossier goes on with a finding, or is refused, as the pipeline says.

use super::{StepOutput, assemble};
use crate::dossier::{Dates, Dossier, Paper, ReadingRecord};
use crate::fault::{Class, Code, Fault, Report};
use crate::pipeline::{OnMismatch, SplitConfig};
use crate::scan::separate::{self, PageMark, Segment};
use std::collections::{BTreeMap, BTreeSet};

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
    let divided = divided_files(&batch, &segments);
    let mut children = Vec::with_capacity(segments.len());
    for segment in &segments {
        if !segment.pages.is_empty() {
            children.push(one(&batch, segment, filled, children.len() + 1, config, &divided));
        } else if segment.expected_pages.is_some() {
            // The sheet announces pages, and none came: somebody must look into the feeder.
            children.push(announced_and_missing(&batch, segment, children.len() + 1));
        } else {
            batch.findings.extend(segment.findings.iter().cloned());
        }
    }
    if children.is_empty() {
        let reason = Fault::new(&assemble::NO_PAGES).at(batch.label()).report();
        return StepOutput::Refuse(batch, reason);
    }
    StepOutput::Split(batch, children)
}

/// Files kept as they came whose pages lie in more than one segment: whoever gets such a file gets the others' papers.
fn divided_files(batch: &Dossier, segments: &[Segment]) -> BTreeSet<usize> {
    let mut owner = BTreeMap::new();
    let mut divided = BTreeSet::new();
    for (number, segment) in segments.iter().enumerate() {
        for page in segment.pages.iter().chain(&segment.separator).filter_map(|i| batch.pages.get(*i)) {
            let kept = batch.files.get(page.file).is_some_and(|f| f.kept.is_some());
            if kept && *owner.entry(page.file).or_insert(number) != number {
                divided.insert(page.file);
            }
        }
    }
    divided
}

fn announced_and_missing(batch: &Dossier, segment: &Segment, number: usize) -> (Dossier, Option<Report>) {
    let dossier = Dossier {
        batch: format!("{}#{number}", batch.batch),
        received_at: batch.received_at,
        expected_pages: segment.expected_pages,
        findings: segment.findings.clone(),
        ..Dossier::default()
    };
    let expected = segment.expected_pages.unwrap_or(0);
    let detail = format!("0 pages, expected {expected}");
    let reason = Fault::new(&DIVIDED_WRONG).at(&dossier.batch).detail(detail).report();
    (dossier, Some(reason))
}

fn one(
    batch: &Dossier,
    segment: &Segment,
    filled: usize,
    number: usize,
    config: &SplitConfig,
    divided: &BTreeSet<usize>,
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
    whole_kept_files(&mut dossier);
    if segment.pages.iter().filter_map(|i| batch.pages.get(*i)).any(|page| divided.contains(&page.file)) {
        refusal = Some(Fault::new(&INDIVISIBLE).at(dossier.label()).report());
    }
    if let (Some(read), Some(typed)) = (&segment.code, batch.code.as_ref().filter(|_| filled == 1))
        && read.to_string() != *typed
    {
        let detail = format!("read {read}, typed {typed}");
        refusal = Some(Fault::new(&OTHER_CODE).at(&batch.batch).detail(detail).report());
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
            let why = format!(
                "{}: {} / {} {}",
                finding.code,
                finding.vi,
                finding.en,
                finding.detail.as_deref().unwrap_or("")
            );
            refusal.get_or_insert_with(|| {
                Fault::new(&DIVIDED_WRONG).at(dossier.label()).detail(why.trim_end()).report()
            });
        }
        dossier.findings.push(finding.clone());
    }
    (dossier, refusal)
}

/// A kept file is one paper, wherever codes on its pages would cut it.
fn whole_kept_files(dossier: &mut Dossier) {
    let mut papers: Vec<Paper> = Vec::new();
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    for paper in std::mem::take(&mut dossier.papers) {
        let file = paper.pages.first().and_then(|i| dossier.pages.get(*i)).map(|p| p.file);
        let kept = file.filter(|f| dossier.files.get(*f).is_some_and(|f| f.kept.is_some()));
        match kept.and_then(|f| at.get(&f).copied()).and_then(|i| papers.get_mut(i)) {
            Some(open) => open.pages.extend(paper.pages),
            None => {
                if let Some(file) = kept {
                    at.insert(file, papers.len());
                }
                papers.push(paper);
            }
        }
    }
    dossier.papers = papers;
}

/// A reading goes to the dossier whose code it is named after, or to the only dossier there is.
fn readings(batch: &Dossier, code: Option<&str>, filled: usize) -> Vec<ReadingRecord> {
    let file_name = |r: &ReadingRecord| r.name.rsplit('/').next().unwrap_or("").to_owned();
    batch
        .readings
        .iter()
        .filter(|r| {
            filled == 1 || code.is_some_and(|c| file_name(r).strip_suffix(".reading.json") == Some(c))
        })
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
/// A PDF that is kept as it came holds several dossiers.
pub const INDIVISIBLE: Code = Code {
    id: "STEP-021",
    class: Class::Input,
    vi: "Tệp PDF giữ nguyên này chứa nhiều hồ sơ nên không thể tách",
    en: "this PDF is kept as it came and holds several dossiers, so it cannot be divided",
    remedy_vi: "Quét lại thành JPEG hoặc TIFF, hoặc tách sẵn mỗi hồ sơ một tệp",
    remedy_en: "scan to JPEG or TIFF, or hand in one file a dossier",
};
/// The code on the page is not the one that was typed.
pub const OTHER_CODE: Code = Code {
    id: "STEP-022",
    class: Class::Input,
    vi: "Mã hồ sơ trên giấy khác mã đã nhập trong dossier.toml",
    en: "the dossier code on the paper is not the one in dossier.toml",
    remedy_vi: "Kiểm tra giấy có đúng của hồ sơ này không, sửa dossier.toml rồi đưa vào lại",
    remedy_en: "see whether the papers are this dossier's, mend dossier.toml and hand it in again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&DIVIDED_WRONG, &INDIVISIBLE, &OTHER_CODE];
