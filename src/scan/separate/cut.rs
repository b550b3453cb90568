//! The rules of cutting, in order:
//!
//! 1. a separator or cover opens a segment; the sheet, and in a two-sided batch its blank or equal other side, is kept
//!    as evidence beside the papers, never among them;
//! 2. a page with a dossier code opens a segment with that code, unless the open segment is still without code and
//!    pages, or carries the same code: then the page joins it, and opens a new paper;
//! 3. a page with another code that the office prints on first pages ([`PageMark::opener`]) does the same;
//! 4. where every dossier has so many pages, the next page after the last of them opens a segment;
//! 5. any other page joins the open paper.
//!
//! What a sheet or a code said counts for its own segment only. The QR of a card and the QR that the system
//! prints on papers (an old result may be handed in with a new dossier) never cut.

use super::findings::{
    DOSSIER_COUNT, EMPTY, Finding, MISSED_SHEET, NO_CODE, NOT_FOUND, PAGE_COUNT, SHEET_DISAGREES, TWICE,
    TWO_CODES, UNREAD,
};
use super::role::Role;
use crate::codes::{DossierCode, ProcedureCode};
use std::num::NonZeroU32;

/// One page of a batch, as cutting sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageMark {
    /// Its place in the batch as it came, from 0.
    pub index: usize,
    /// What its codes are for.
    pub roles: Vec<Role>,
    /// The text of a code that opens a dossier though its grammar is not ours, where the rules of the office say so.
    pub opener: Option<String>,
    /// True where the page could not be decoded, so that its codes are not known.
    pub failed: bool,
    /// True where nothing seems to stand on it.
    pub blank: bool,
}

/// What cuts a batch, and what is known of it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Separators and covers cut; otherwise they are pages like others.
    pub sheets: bool,
    /// Dossier codes cut; otherwise they only name the segment they are in.
    pub dossier_codes: bool,
    /// Every dossier has so many pages, where its sheet says nothing else.
    pub every: Option<NonZeroU32>,
    /// The batch holds both sides of its sheets, front then back.
    pub two_sided: bool,
    /// Every dossier stands behind a sheet.
    pub sheet_required: bool,
    /// How many dossiers there are, where somebody counted.
    pub dossiers: Option<u32>,
    /// The dossiers that somebody has announced.
    pub announced: Vec<DossierCode>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            sheets: true,
            dossier_codes: true,
            every: None,
            two_sided: false,
            sheet_required: false,
            dossiers: None,
            announced: Vec::new(),
        }
    }
}

/// A batch in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// The dossiers, in order.
    pub segments: Vec<Segment>,
    /// What is to be said of the batch as a whole.
    pub findings: Vec<Finding>,
}

/// The pages of one dossier in a batch, all by their places in the batch as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// The dossier, where exactly one code was found.
    pub code: Option<DossierCode>,
    /// The procedure, where the cover says it.
    pub procedure: Option<ProcedureCode>,
    /// The separator sheet that opened it; kept as evidence.
    pub separator: Option<usize>,
    /// The other side of that sheet, where it is blank or says the same; kept as evidence too.
    pub backs: Vec<usize>,
    /// Its pages in order, the separator not among them.
    pub pages: Vec<usize>,
    /// The same pages, cut into papers.
    pub papers: Vec<Vec<usize>>,
    /// How many pages its sheet or the rules announced.
    pub expected_pages: Option<u32>,
    /// What a clerk should look at.
    pub findings: Vec<Finding>,
}

impl Segment {
    /// True where as many pages came as were announced.
    pub fn count_agrees(&self) -> bool {
        self.expected_pages.is_some_and(|n| usize::try_from(n) == Ok(self.pages.len()))
    }
}

/// Cuts a batch, given in the order of its sheets. Every page is in exactly one segment, among its pages, as its
/// separator or as that one's other side.
pub fn split(pages: &[PageMark], rules: &Rules) -> Cut {
    let side_of = if rules.two_sided { other_sides(pages, rules) } else { vec![None; pages.len()] };
    let mut done: Vec<Segment> = Vec::new();
    let mut open: Option<Open> = None;
    // Fronts of sheets whose code is on the back, waiting for it.
    let mut fronts = Vec::new();
    for (at, page) in pages.iter().enumerate() {
        match side_of.get(at).copied().flatten() {
            Some(sheet) if sheet > at => {
                fronts.push(page.index);
                continue;
            }
            Some(_) => {
                if let Some(open) = &mut open {
                    open.segment.backs.push(page.index);
                    continue;
                }
            }
            None => {}
        }
        let codes = distinct_codes(page);
        let sheet = Announcement::of(page, rules);
        if sheet.is_some() || open.as_ref().is_none_or(|open| open.ends_before(page, &codes, rules)) {
            let mut next = Open::start(rules, sheet, page.index);
            next.segment.backs.append(&mut fronts);
            done.extend(open.replace(next).map(|open| open.close(rules)));
        }
        if let Some(open) = &mut open {
            open.take(page, &codes);
        }
    }
    done.extend(open.map(|open| open.close(rules)));
    Cut { findings: of_the_batch(&done, pages, rules), segments: done }
}

/// For each place the place of the sheet whose other side it is. A side belongs to a sheet when it is blank or says
/// the same; sides are paired by their places, and where the count has slipped, by what follows the sheet.
fn other_sides(pages: &[PageMark], rules: &Rules) -> Vec<Option<usize>> {
    let mut side_of: Vec<Option<usize>> = vec![None; pages.len()];
    for (at, page) in pages.iter().enumerate() {
        let Some(sheet) = Announcement::of(page, rules) else { continue };
        if side_of.get(at).copied().flatten().is_some() {
            continue;
        }
        let before = at.checked_sub(1).filter(|_| at % 2 == 1);
        if let Some(before) = before
            && pages.get(before).is_some_and(bare)
            && let Some(slot) = side_of.get_mut(before).filter(|slot| slot.is_none())
        {
            *slot = Some(at);
            continue;
        }
        let same = |next: &PageMark| {
            at % 2 == 0
                && Announcement::of(next, rules).as_ref() == Some(&sheet)
                && distinct_codes(next) == distinct_codes(page)
        };
        if pages.get(at + 1).is_some_and(|next| bare(next) || same(next))
            && let Some(slot) = side_of.get_mut(at + 1)
        {
            *slot = Some(at);
        }
    }
    side_of
}

fn bare(page: &PageMark) -> bool {
    page.blank && !page.failed && page.roles.is_empty() && page.opener.is_none()
}

/// What the codes of one sheet say together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Announcement {
    expected_pages: Option<u32>,
    procedure: Option<ProcedureCode>,
    disagrees: bool,
}

impl Announcement {
    /// Nothing where the page is no sheet. Equal codes are one; where numbers differ, none of them is believed.
    fn of(page: &PageMark, rules: &Rules) -> Option<Self> {
        let (mut sheets, mut numbers, mut procedures) = (0, Vec::new(), Vec::new());
        for role in page.roles.iter().filter(|_| rules.sheets) {
            match role {
                Role::Separator { expected_pages } => numbers.extend(*expected_pages),
                Role::Cover(cover) => {
                    numbers.extend(cover.expected_pages);
                    procedures.extend(cover.procedure.clone());
                }
                _ => continue,
            }
            sheets += 1;
        }
        numbers.dedup();
        procedures.dedup();
        let disagrees = numbers.len() > 1 || procedures.len() > 1;
        (sheets > 0).then(|| Announcement {
            expected_pages: numbers.first().copied().filter(|_| numbers.len() == 1),
            procedure: procedures.pop().filter(|_| procedures.is_empty()),
            disagrees,
        })
    }
}

/// A segment that still takes pages.
struct Open {
    segment: Segment,
    /// The text that opened it, of a code whose grammar is not ours.
    opener: Option<String>,
    /// The rules, not a sheet, say how many pages it has.
    fixed: Option<usize>,
    rivals: bool,
    disagrees: bool,
    failed: Vec<usize>,
}

impl Open {
    fn start(rules: &Rules, sheet: Option<Announcement>, index: usize) -> Self {
        let mut segment = Segment { separator: sheet.as_ref().map(|_| index), ..Segment::default() };
        let mut disagrees = false;
        if let Some(sheet) = sheet {
            segment.expected_pages = sheet.expected_pages;
            segment.procedure = sheet.procedure;
            disagrees = sheet.disagrees;
        }
        let every = rules.every.filter(|_| segment.expected_pages.is_none());
        segment.expected_pages = segment.expected_pages.or(every.map(NonZeroU32::get));
        let fixed = every.and_then(|n| usize::try_from(n.get()).ok());
        Open { segment, opener: None, fixed, rivals: false, disagrees, failed: Vec::new() }
    }

    /// Whether this page, which is no sheet, opens the next segment.
    fn ends_before(&self, page: &PageMark, codes: &[&DossierCode], rules: &Rules) -> bool {
        let pages = &self.segment.pages;
        if self.fixed.is_some_and(|most| pages.len() >= most) {
            return true;
        }
        if !codes.is_empty() {
            return rules.dossier_codes
                && match &self.segment.code {
                    Some(own) => !codes.contains(&own),
                    None => !pages.is_empty(),
                };
        }
        match (&page.opener, &self.opener) {
            (Some(text), Some(own)) => text != own,
            (Some(_), None) => !pages.is_empty(),
            (None, _) => false,
        }
    }

    fn take(&mut self, page: &PageMark, codes: &[&DossierCode]) {
        if page.failed {
            self.failed.push(page.index);
        }
        match codes {
            [] => {}
            [code] => {
                let own = self.segment.code.get_or_insert_with(|| (*code).clone());
                self.rivals |= own != *code;
            }
            // Which of them it is, nobody guesses.
            _ => self.rivals = true,
        }
        if self.segment.separator == Some(page.index) {
            return;
        }
        if self.opener.is_none() {
            self.opener.clone_from(&page.opener);
        }
        self.segment.pages.push(page.index);
        let opens_paper = !codes.is_empty() || page.opener.is_some();
        match self.segment.papers.last_mut() {
            Some(paper) if !opens_paper => paper.push(page.index),
            _ => self.segment.papers.push(vec![page.index]),
        }
    }

    fn close(self, rules: &Rules) -> Segment {
        let Open { mut segment, rivals, disagrees, failed, .. } = self;
        let count = segment.pages.len();
        let mut found = Vec::new();
        if rivals {
            found.push(Finding::new(&TWO_CODES));
        } else if segment.code.is_none() && count > 0 {
            found.push(Finding::new(&NO_CODE).detail(format!("{count} pages")));
        }
        if disagrees {
            found.push(Finding::new(&SHEET_DISAGREES).on(segment.separator));
        }
        if segment.separator.is_some() && count == 0 {
            found.push(Finding::new(&EMPTY).on(segment.separator));
        }
        if let Some(expected) = segment.expected_pages
            && count > 0
            && !segment.count_agrees()
        {
            let detail = format!("{count} pages, {expected} expected");
            found.push(Finding::new(&PAGE_COUNT).detail(detail.clone()));
            let expected = usize::try_from(expected).unwrap_or(usize::MAX);
            // One page too many is a page too many; two may be a sheet that was not read and what it hid.
            if count >= expected.saturating_add(2) {
                found.push(
                    Finding::new(&MISSED_SHEET).on(segment.pages.get(expected).copied()).detail(detail),
                );
            }
        }
        if rules.sheet_required && segment.separator.is_none() {
            found.push(Finding::new(&MISSED_SHEET).on(segment.pages.first().copied()));
        }
        if !failed.is_empty() {
            let detail = format!("{} pages", failed.len());
            found.push(Finding::new(&UNREAD).on(failed).detail(detail));
        }
        segment.findings = found;
        segment
    }
}

/// What only shows when all segments are seen side by side.
fn of_the_batch(segments: &[Segment], pages: &[PageMark], rules: &Rules) -> Vec<Finding> {
    let mut found = Vec::new();
    let filled = segments.iter().filter(|segment| !segment.pages.is_empty()).count();
    // Where a sheet may hide: where one was missed, and on pages that nobody could read.
    let suspects = || {
        let missed = segments.iter().flat_map(|segment| &segment.findings);
        let missed = missed.filter(|finding| finding.code == &MISSED_SHEET).flat_map(|f| f.pages.clone());
        let failed = pages.iter().filter(|page| page.failed).map(|page| page.index);
        let mut all: Vec<usize> = missed.chain(failed).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    if let Some(expected) = rules.dossiers.filter(|n| usize::try_from(*n) != Ok(filled)) {
        let detail = format!("{filled} dossiers, {expected} expected");
        found.push(Finding::new(&DOSSIER_COUNT).on(suspects()).detail(detail));
    }
    let known = |code: &DossierCode| segments.iter().any(|s| s.code.as_ref() == Some(code));
    for code in rules.announced.iter().filter(|code| !known(code)) {
        found.push(Finding::new(&NOT_FOUND).on(suspects()).detail(code.to_string()));
    }
    for (at, segment) in segments.iter().enumerate() {
        let Some(code) = &segment.code else { continue };
        if segments.iter().take(at).any(|earlier| earlier.code.as_ref() == Some(code)) {
            found.push(Finding::new(&TWICE).on(segment.pages.first().copied()).detail(code.to_string()));
        }
    }
    found
}

fn distinct_codes(page: &PageMark) -> Vec<&DossierCode> {
    let mut codes: Vec<&DossierCode> = Vec::new();
    for role in &page.roles {
        let code = match role {
            Role::DossierCode(code) => code,
            Role::Cover(cover) => &cover.dossier,
            _ => continue,
        };
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}
