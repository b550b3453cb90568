//! In: a batch with its codes. Out: one dossier for each segment between separators and dossier codes, its papers and
//! pages in order. What can go wrong: another number of pages than a separator says, two codes in one segment, a
//! separator that was expected and not found, fronts without backs: the dossier goes on with a finding, or is refused,
//! as the pipeline says.

use super::{StepOutput, assemble};
use crate::codes::DossierCode;
use crate::dossier::{Dates, Dossier, Paper, ReadingRecord};
use crate::fault::{Class, Code, Fault, Report};
use crate::pipeline::{CutAt, OnMismatch, SplitConfig};
use crate::scan::separate::{self, Collate, Cut, PageMark, Role, Rules, Segment, collate, findings};
use std::collections::{BTreeMap, BTreeSet};

/// Divides the batch.
pub fn run(mut batch: Dossier, config: &SplitConfig) -> StepOutput {
    let order = match in_order(&mut batch, config) {
        Ok(order) => order,
        Err(reason) => return StepOutput::Refuse(batch, *reason),
    };
    let marks: Vec<PageMark> = order.into_iter().filter_map(|index| mark(&batch, index, config)).collect();
    let cut = separate::split(&marks, &rules(&batch, config));
    let division = Division::of(&batch, &cut, config);
    let mut children = Vec::with_capacity(cut.segments.len());
    let mut said = Vec::new();
    for segment in &cut.segments {
        if !segment.pages.is_empty() {
            children.push(division.one(segment, children.len() + 1));
        } else if segment.expected_pages.is_some() {
            // The sheet announces pages, and none came: somebody must look into the feeder.
            children.push(division.announced_and_missing(segment, children.len() + 1));
        } else {
            said.extend(division.reports(&segment.findings));
        }
    }
    said.extend(division.overall.into_iter().skip(batch.findings.len()));
    batch.findings.extend(said);
    if children.is_empty() {
        let reason = Fault::new(&assemble::NO_PAGES).at(batch.label()).report();
        return StepOutput::Refuse(batch, reason);
    }
    StepOutput::Split(batch, children)
}

/// The places of the pages in the order of their sheets.
fn in_order(batch: &mut Dossier, config: &SplitConfig) -> Result<Vec<usize>, Box<Report>> {
    if config.collate == Collate::None {
        return Ok((0..batch.pages.len()).collect());
    }
    let mut counts = vec![0usize; batch.files.len()];
    for page in &batch.pages {
        if let Some(count) = counts.get_mut(page.file) {
            *count += 1;
        }
    }
    let (fronts, backs) = collate::sides(&counts);
    if fronts != backs {
        let detail = format!("{fronts} fronts, {backs} backs");
        let finding = Fault::new(&findings::SIDES_DIFFER).at(&batch.batch).detail(detail).report();
        if config.page_count == OnMismatch::Refuse {
            return Err(Box::new(finding));
        }
        batch.findings.push(finding);
    }
    Ok(collate::order(fronts, backs, config.collate))
}

fn mark(batch: &Dossier, index: usize, config: &SplitConfig) -> Option<PageMark> {
    let page = batch.pages.get(index)?;
    let roles: Vec<Role> = page.codes.iter().map(|c| separate::role_of(c.format, &c.text)).collect();
    let opens = |format| config.barcode_starts.iter().any(|kind| kind.format() == format);
    let opener =
        page.codes.iter().zip(&roles).find(|(code, role)| **role == Role::Unknown && opens(code.format));
    Some(PageMark {
        index,
        opener: opener.map(|(code, _)| code.text.clone()),
        roles,
        failed: page.fault.is_some(),
        blank: page.quality.as_ref().is_some_and(|quality| quality.blank.is_blank),
    })
}

fn rules(batch: &Dossier, config: &SplitConfig) -> Rules {
    Rules {
        sheets: config.at.contains(&CutAt::Separator),
        dossier_codes: config.at.contains(&CutAt::DossierCode),
        every: config.every,
        two_sided: config.two_sided || config.collate != Collate::None,
        sheet_required: config.sheet_required,
        dossiers: config.dossiers,
        announced: batch.slips.keys().filter_map(|code| code.parse::<DossierCode>().ok()).collect(),
    }
}

/// A batch that was cut, on its way into dossiers.
struct Division<'a> {
    batch: &'a Dossier,
    config: &'a SplitConfig,
    /// Segments with pages.
    filled: usize,
    /// The batch is one dossier, so that what was typed for the folder is meant for it.
    alone: bool,
    /// Files kept as they came that several dossiers share.
    divided: BTreeSet<usize>,
    /// What is to be said of the batch as a whole; every dossier of it hears it.
    overall: Vec<Report>,
    /// A dossier is missing, so its pages may lie in another one.
    missing: bool,
}

impl<'a> Division<'a> {
    fn of(batch: &'a Dossier, cut: &Cut, config: &'a SplitConfig) -> Self {
        let filled = cut.segments.iter().filter(|s| !s.pages.is_empty()).count();
        let empty = cut.segments.iter().filter(|s| s.pages.is_empty() && s.expected_pages.is_some()).count();
        let missing = [&findings::DOSSIER_COUNT, &findings::NOT_FOUND];
        let mut division = Division {
            batch,
            config,
            filled,
            alone: filled + empty == 1,
            divided: divided_files(batch, &cut.segments),
            overall: Vec::new(),
            missing: cut.findings.iter().any(|f| missing.contains(&f.code)),
        };
        let overall: Vec<Report> = division.reports(&cut.findings).collect();
        division.overall = batch.findings.iter().cloned().chain(overall).collect();
        division
    }

    fn reports(&self, findings: &[separate::Finding]) -> impl Iterator<Item = Report> {
        findings.iter().map(|finding| finding.fault(|index| self.name(index)).report())
    }

    /// What a clerk calls a page: its file, and its number there.
    fn name(&self, index: usize) -> String {
        let page = self.batch.pages.get(index);
        let file = page.and_then(|page| Some((self.batch.files.get(page.file)?, page.number)));
        file.map_or_else(
            || format!("page {}", index + 1),
            |(file, number)| format!("{}, page {number}", file.name),
        )
    }

    fn announced_and_missing(&self, segment: &Segment, number: usize) -> (Dossier, Option<Report>) {
        let dossier = Dossier {
            batch: format!("{}#{number}", self.batch.batch),
            received_at: self.batch.received_at,
            expected_pages: segment.expected_pages,
            findings: self.reports(&segment.findings).chain(self.overall.iter().cloned()).collect(),
            ..Dossier::default()
        };
        let expected = segment.expected_pages.unwrap_or(0);
        let detail = format!("0 pages, expected {expected}");
        let reason = Fault::new(&DIVIDED_WRONG).at(&dossier.batch).detail(detail).report();
        (dossier, Some(reason))
    }

    fn one(&self, segment: &Segment, number: usize) -> (Dossier, Option<Report>) {
        let (batch, config, alone) = (self.batch, self.config, self.alone);
        let mut refusal = None;
        let code = segment.code.as_ref().map(ToString::to_string);
        let on_cover = segment.procedure.as_ref().map(|p| p.as_str().to_owned());
        let mut dossier = Dossier {
            batch: if self.filled == 1 { batch.batch.clone() } else { format!("{}#{number}", batch.batch) },
            received_at: batch.received_at,
            // What was typed belongs to the folder: it is the dossier's only where the folder is one dossier.
            code: code.or_else(|| batch.code.clone().filter(|_| alone)),
            procedure: batch.procedure.clone().filter(|_| alone),
            applicant: batch.applicant.clone().filter(|_| alone),
            filing: batch.filing.clone().filter(|_| alone),
            dates: if alone { batch.dates } else { Dates::default() },
            expected_pages: segment.expected_pages,
            files: batch.files.clone(),
            pages: batch.pages.clone(),
            ..Dossier::default()
        };
        for pages in &segment.papers {
            dossier.papers.extend(assemble::group_papers(batch, pages));
        }
        whole_kept_files(&mut dossier);
        if segment
            .pages
            .iter()
            .filter_map(|i| batch.pages.get(*i))
            .any(|page| self.divided.contains(&page.file))
        {
            refusal = Some(Fault::new(&INDIVISIBLE).at(dossier.label()).report());
        }
        if let (Some(read), Some(typed)) = (&segment.code, batch.code.as_ref().filter(|_| alone))
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
        if let (Some(cover), Some(typed)) = (&on_cover, &dossier.procedure)
            && cover != typed
        {
            let detail = format!("cover {cover}, typed {typed}");
            dossier.findings.push(Fault::new(&OTHER_PROCEDURE).at(dossier.label()).detail(detail).report());
        }
        dossier.procedure = dossier.procedure.or(on_cover);
        dossier.readings = readings(batch, dossier.code.as_deref(), alone);
        for finding in &segment.findings {
            let is = |code: &Code| finding.code == code;
            if is(&findings::NO_CODE) && dossier.code.is_some() {
                continue;
            }
            let refuse = (is(&findings::PAGE_COUNT) && config.page_count == OnMismatch::Refuse)
                || (is(&findings::NO_CODE) && config.no_code == OnMismatch::Refuse)
                || (is(&findings::MISSED_SHEET) && config.missed == OnMismatch::Refuse)
                || is(&findings::TWO_CODES);
            let said = finding.fault(|index| self.name(index)).report();
            if refuse {
                refusal.get_or_insert_with(|| because(&said, dossier.label()));
            }
            dossier.findings.push(said);
        }
        // What is missing lies in another dossier, unless its count says that it does not lie in this one.
        if self.missing && config.missed == OnMismatch::Refuse && !segment.count_agrees() {
            let why = self
                .overall
                .iter()
                .find(|r| [findings::DOSSIER_COUNT.id, findings::NOT_FOUND.id].contains(&r.code.as_str()));
            if let Some(why) = why {
                refusal.get_or_insert_with(|| because(why, dossier.label()));
            }
        }
        dossier.findings.extend(self.overall.iter().cloned());
        (dossier, refusal)
    }
}

fn because(finding: &Report, label: &str) -> Report {
    let detail = finding.detail.as_deref().unwrap_or("");
    let why = format!("{}: {} / {} {detail}", finding.code, finding.vi, finding.en);
    Fault::new(&DIVIDED_WRONG).at(label).detail(why.trim_end()).report()
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
fn readings(batch: &Dossier, code: Option<&str>, alone: bool) -> Vec<ReadingRecord> {
    let file_name = |r: &ReadingRecord| r.name.rsplit('/').next().unwrap_or("").to_owned();
    batch
        .readings
        .iter()
        .filter(|r| alone || code.is_some_and(|c| file_name(r).strip_suffix(".reading.json") == Some(c)))
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
/// The procedure on the cover is not the one that was typed.
pub const OTHER_PROCEDURE: Code = Code {
    id: "STEP-044",
    class: Class::Person,
    vi: "Mã thủ tục trên tờ bìa khác mã đã nhập",
    en: "the procedure on the cover sheet is not the one that was typed",
    remedy_vi: "Xem mã nào đúng; hồ sơ đi tiếp với mã đã nhập",
    remedy_en: "see which of them is right; the dossier goes on with the typed one",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&DIVIDED_WRONG, &INDIVISIBLE, &OTHER_CODE, &OTHER_PROCEDURE];

#[cfg(test)]
mod tests;
