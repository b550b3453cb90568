//! In: the files of a batch. Out: a record for every page of them: size, resolution, how it looks, the codes on it.
//! What can go wrong: a file or page that cannot be read; it is written down in its place and the rest goes on.

use super::{Desk, StepOutput};
use crate::dossier::{Dossier, FileRecord, PageRecord};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pipeline::PagesConfig;
use crate::scan::barcode::{Barcode, Policy};
use crate::scan::separate::{Role, role_of};
use crate::scan::{Limits, Sheaf, quality, source};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Decodes every page once and judges it, and looks for codes while it is decoded where `codes` says so.
///
/// # Errors
/// `BLOB-002` where an original is lost; `BOX-004`, `BOX-007`, `SCAN-056` where the machine fails and no page is to
/// blame.
pub fn run(
    mut dossier: Dossier,
    config: &PagesConfig,
    desk: &Desk,
    codes: Option<&Policy>,
) -> Outcome<StepOutput> {
    dossier.pages.clear();
    let profile = quality::Profile { min_dpi: f32::from(config.dpi_min), ..quality::Profile::default() };
    for index in 0..dossier.files.len() {
        let original = desk.blobs.original(&dossier.files[index].digests.blake3)?;
        match desk.reader.open(original, &Limits::default()) {
            Ok(sheaf) => {
                let file = &mut dossier.files[index];
                file.signed = sheaf.signed();
                file.kept = kept(&sheaf);
                let pass = Pass { sheaf: &sheaf, file: index, name: &file.name, profile: &profile, codes };
                dossier.pages.extend(pass.judge_all(desk)?);
            }
            Err(fault) if !is_of_the_page(&fault) => return Err(fault.at(&dossier.files[index].name)),
            Err(fault) => dossier.pages.push(unreadable_file(&mut dossier.files[index], index, &fault)),
        }
    }
    flag_repeats(&mut dossier.pages);
    let found = u32::try_from(dossier.pages.len()).unwrap_or(u32::MAX);
    let failed = dossier.pages.iter().any(|p| p.fault.is_some());
    // Before a batch is divided only a manifest can have said how many there are; a file that cannot be read is
    // refused with its own reason later.
    match dossier.expected_pages.filter(|expected| *expected != found && !failed) {
        None => Ok(StepOutput::Next(dossier)),
        Some(expected) => {
            let detail = format!("{found} pages, the manifest says {expected}");
            let reason = Fault::new(&PAGE_COUNT).at(&dossier.batch).detail(detail).report();
            Ok(StepOutput::Refuse(dossier, reason))
        }
    }
}

/// Flags pages that a feeder seems to have taken twice.
fn flag_repeats(pages: &mut [PageRecord]) {
    let mut seen = quality::Repeats::default();
    for (place, page) in pages.iter_mut().enumerate() {
        let Some(quality) = &mut page.quality else { continue };
        let Some(kept) = &mut quality.fingerprint else { continue };
        // Fifty kilobytes a page that nobody asks for again.
        let fine = std::mem::take(&mut kept.fine);
        let print = quality::Fingerprint { fine, ..kept.clone() };
        // One separator sheet looks like the other, and is laid into many places.
        let separates = |c: &Barcode| matches!(role_of(c.format, &c.text), Role::Separator { .. });
        if page.codes.iter().any(separates) {
            continue;
        }
        let mut texts: Vec<_> = page.codes.iter().map(|c| (c.format, c.bytes.clone())).collect();
        texts.sort_unstable();
        if let Some(first) = seen.next(print, texts, place + 1) {
            quality.flags.push(quality::Flag::repeated(&first.to_string(), first));
        }
    }
}

/// A file that cannot be opened holds the place of one page, so that its neighbours know that something is missing.
fn unreadable_file(file: &mut FileRecord, index: usize, fault: &Fault) -> PageRecord {
    let report = fault.clone().at(&file.name).report();
    file.fault = Some(report.clone());
    PageRecord { fault: Some(report), ..blank_record(index, 1) }
}

/// Why a PDF is kept as it came, if it is.
fn kept(sheaf: &Sheaf) -> Option<String> {
    if sheaf.signed() {
        return Some("the PDF carries signatures".into());
    }
    sheaf.pages().iter().flatten().find_map(|p| p.foreign.map(|f| format!("{} / {}", f.vi(), f.en())))
}

/// One file on its way through the judgement.
struct Pass<'a> {
    sheaf: &'a Sheaf,
    file: usize,
    name: &'a str,
    profile: &'a quality::Profile,
    codes: Option<&'a Policy>,
}

impl Pass<'_> {
    /// Judges pages on as many threads as the desk has cores to spare; one page a thread is in memory at a time.
    fn judge_all(&self, desk: &Desk) -> Outcome<Vec<PageRecord>> {
        let count = self.sheaf.pages().len();
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Outcome<PageRecord>>> = Mutex::new(Vec::with_capacity(count));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return;
                }
                let record = self.judge(index);
                done.lock().unwrap_or_else(PoisonError::into_inner).push(record);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..desk.spare_cores().min(count.max(1)) {
                scope.spawn(work);
            }
            work();
        });
        let records = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut records = records.into_iter().collect::<Outcome<Vec<_>>>()?;
        records.sort_by_key(|record| record.number);
        Ok(records)
    }

    fn judge(&self, index: usize) -> Outcome<PageRecord> {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let mut record = blank_record(self.file, number);
        if let Err(mut fault) = self.fill(index, &mut record) {
            // The craft knows the page at most; which file it is in is ours to say.
            fault.place = Some(format!("{}, page {number}", self.name));
            if !is_of_the_page(&fault) {
                return Err(fault);
            }
            record = PageRecord { fault: Some(fault.report()), ..blank_record(self.file, number) };
        }
        Ok(record)
    }

    /// What the page shows, or only what is known of it where it is kept as it came.
    fn fill(&self, index: usize, record: &mut PageRecord) -> Outcome<()> {
        let info = self.sheaf.pages().get(index).ok_or(&source::NO_SUCH_PAGE)?.clone()?;
        (record.width, record.height) = (info.width, info.height);
        if info.foreign.is_some() {
            return Ok(());
        }
        let judged = self.sheaf.judge(index + 1, self.profile, self.codes)?;
        (record.width, record.height) = (judged.width, judged.height);
        record.dpi = Some(judged.dpi);
        record.quality = Some(judged.quality);
        record.codes = judged.codes.map(|found| found.codes).unwrap_or_default();
        Ok(())
    }
}

/// Whether the page is to blame. What the machine did wrong is no reason to refuse a paper: the step fails, and is
/// done again.
fn is_of_the_page(fault: &Fault) -> bool {
    matches!(fault.code.class, Class::Input | Class::Person)
}

fn blank_record(file: usize, number: u32) -> PageRecord {
    PageRecord { file, number, width: 0, height: 0, dpi: None, quality: None, codes: Vec::new(), fault: None }
}

/// Another number of pages than the manifest says.
pub const PAGE_COUNT: Code = Code {
    id: "STEP-002",
    class: Class::Input,
    vi: "Số trang khác với bảng kê",
    en: "another number of pages than the manifest says",
    remedy_vi: "Đếm lại giấy; quét lại trang thiếu hoặc sửa bảng kê",
    remedy_en: "count the sheets; scan what is missing, or mend the manifest",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&PAGE_COUNT];
