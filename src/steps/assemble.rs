//! In: papers as lists of pages. Out: a PDF/A-2b for each, the bytes of the scan inside it unchanged; a PDF that is
//! signed or is no plain scan stays as it came. What can go wrong: a page of the dossier that cannot be read: the
//! dossier is refused with that page's reason, since a paper with a page missing would be a lie.

use super::{Desk, StepOutput};
use crate::dossier::{Document, Dossier, Paper};
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::pdf::archive::{self, ArchivePage, Metadata};
use crate::scan::{Limits, Quality, Sheaf};
use std::collections::BTreeMap;

/// Makes the document of every paper.
///
/// # Errors
/// `STEP-001` without a page; `BLOB-001`, `BLOB-002`; those of [`archive::assemble`].
pub fn run(mut dossier: Dossier, desk: &Desk) -> Outcome<StepOutput> {
    if dossier.papers.is_empty() {
        dossier.papers = whole_papers(&dossier);
    }
    if let Some(reason) = first_bad_page(&dossier) {
        return Ok(StepOutput::Refuse(dossier, reason));
    }
    if dossier.papers.iter().all(|p| p.pages.is_empty()) {
        return Err(Fault::new(&NO_PAGES).at(dossier.label()));
    }
    let mut open = OpenFiles::default();
    for index in 0..dossier.papers.len() {
        let document = one_paper(&dossier, &dossier.papers[index], &mut open, desk)?;
        dossier.papers[index].document = Some(document);
    }
    Ok(StepOutput::Next(dossier))
}

/// Why the first page that cannot be read cannot be, and how many more there are.
fn first_bad_page(dossier: &Dossier) -> Option<Report> {
    let pages = dossier.papers.iter().flat_map(|p| &p.pages);
    let mut bad = pages.filter_map(|i| dossier.pages.get(*i)?.fault.as_ref());
    let mut reason = bad.next()?.clone();
    let others = bad.count();
    if others > 0 {
        let more = format!("{others} trang khác cũng lỗi / {others} more pages fail");
        reason.detail = Some(reason.detail.map_or(more.clone(), |detail| format!("{detail}; {more}")));
    }
    Some(reason)
}

/// Where nothing divided the batch: all its plain pages are one paper, and each kept file is another.
pub(super) fn whole_papers(dossier: &Dossier) -> Vec<Paper> {
    group_papers(dossier, &(0..dossier.pages.len()).collect::<Vec<_>>())
}

/// Divides a run of pages where a kept file begins or ends.
pub(super) fn group_papers(dossier: &Dossier, pages: &[usize]) -> Vec<Paper> {
    let kept = |page: usize| {
        let file = dossier.pages.get(page).map(|p| p.file)?;
        dossier.files.get(file)?.kept.as_ref().map(|_| file)
    };
    let mut papers: Vec<(Option<usize>, Paper)> = Vec::new();
    for page in pages {
        match papers.last_mut() {
            Some((of, paper)) if *of == kept(*page) => paper.pages.push(*page),
            _ => papers.push((kept(*page), Paper { pages: vec![*page], ..Paper::default() })),
        }
    }
    papers.into_iter().map(|(_, paper)| paper).collect()
}

fn one_paper(dossier: &Dossier, paper: &Paper, open: &mut OpenFiles, desk: &Desk) -> Outcome<Document> {
    let pages: Vec<_> = paper.pages.iter().filter_map(|i| dossier.pages.get(*i)).collect();
    if let Some(file) = pages.first().and_then(|p| dossier.files.get(p.file)).filter(|f| f.kept.is_some()) {
        // A kept file leaves whole or not at all: a part of its pages would take the others with it.
        let first = pages.first().map(|p| p.file);
        let whole = dossier.pages.iter().filter(|p| Some(p.file) == first).count();
        if pages.len() != whole || pages.iter().any(|p| Some(p.file) != first) {
            return Err(Fault::new(&super::split::INDIVISIBLE).at(&file.name));
        }
        return Ok(Document { digests: file.digests, archived: false });
    }
    let created = jiff::Timestamp::from_millisecond(dossier.received_at).ok();
    let meta = Metadata {
        title: dossier.title.clone().unwrap_or_else(|| dossier.label().to_owned()),
        created,
        creator_tool: concat!("hoso ", env!("CARGO_PKG_VERSION")).into(),
        dossier_code: dossier.code.clone(),
    };
    // One page at a time is in memory, whatever the paper's length.
    let images = pages.into_iter().map(|page| {
        let file = dossier.files.get(page.file).ok_or(&NO_PAGES)?;
        let sheaf = open.get(page.file, &file.digests.blake3, desk)?;
        let image = sheaf.page_image(page.number as usize).map_err(|f| f.at(&file.name))?;
        Ok(ArchivePage { image, skew_deg: page.quality.as_ref().map_or(0.0, straighten_deg) })
    });
    let (digests, _) = desk.blobs.put_with(|sink| archive::write_each(images, &meta, sink))?;
    Ok(Document { digests, archived: true })
}

/// How far a page is turned where that is sure. A page of handwriting or a map shows no lines to trust, and a wrong
/// turn is worse than none.
fn straighten_deg(quality: &Quality) -> f32 {
    if quality.skew_confidence >= SURE { quality.skew_deg } else { 0.0 }
}

/// From this confidence on a page is straightened; the profile that flags skew asks for less.
const SURE: f32 = 0.6;

/// Files opened for this dossier, so that a file of many pages is read once; the last one is enough, since pages of
/// a file follow each other.
#[derive(Default)]
struct OpenFiles {
    last: BTreeMap<usize, Sheaf>,
}

impl OpenFiles {
    fn get(&mut self, file: usize, digest: &crate::digest::Blake3, desk: &Desk) -> Outcome<&Sheaf> {
        if !self.last.contains_key(&file) {
            self.last.clear();
            let sheaf = desk.reader.open(desk.blobs.original(digest)?, &Limits::default())?;
            self.last.insert(file, sheaf);
        }
        self.last.get(&file).ok_or_else(|| Fault::new(&NO_PAGES))
    }
}

/// There is no page.
pub const NO_PAGES: Code = Code {
    id: "STEP-001",
    class: Class::Input,
    vi: "Hồ sơ không có trang nào",
    en: "the dossier has no page",
    remedy_vi: "Kiểm tra tờ phân cách và quét lại",
    remedy_en: "look at the separator sheets and scan again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_PAGES];
