//! In: the files of a batch. Out: a record for every page of them: size, resolution, how it looks, the codes on it.
//! What can go wrong: a file or page that cannot be read; it is written down in its place and the rest goes on.

use super::{Desk, StepOutput};
use crate::dossier::{Dossier, FileRecord, PageRecord};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::Dpi;
use crate::pipeline::PagesConfig;
use crate::scan::barcode::Barcode;
use crate::scan::{self, Limits, Luma, PageInfo, Source, quality};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Something else that wants to see the plane while it is decoded.
pub type Look<'a> = &'a (dyn Fn(&Luma, Dpi) -> Vec<Barcode> + Sync);

/// Decodes every page once and judges it.
///
/// # Errors
/// `BLOB-002` where an original is lost.
pub fn run(
    mut dossier: Dossier,
    config: &PagesConfig,
    desk: &Desk,
    look: Option<Look<'_>>,
) -> Outcome<StepOutput> {
    dossier.pages.clear();
    let profile = quality::Profile { min_dpi: f32::from(config.dpi_min), ..quality::Profile::default() };
    for index in 0..dossier.files.len() {
        let bytes = desk.blobs.get(&dossier.files[index].digests.blake3)?;
        match scan::open(bytes, &Limits::default()) {
            Ok(source) => {
                let file = &mut dossier.files[index];
                file.signed = source.signed();
                file.kept = kept(&source);
                let pass = Pass { source: &source, file: index, name: &file.name, profile: &profile, look };
                dossier.pages.extend(pass.judge_all(desk));
            }
            Err(fault) => dossier.pages.push(unreadable_file(&mut dossier.files[index], index, &fault)),
        }
    }
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

/// A file that cannot be opened holds the place of one page, so that its neighbours know that something is missing.
fn unreadable_file(file: &mut FileRecord, index: usize, fault: &Fault) -> PageRecord {
    let report = fault.clone().at(&file.name).report();
    file.fault = Some(report.clone());
    PageRecord { fault: Some(report), ..blank_record(index, 1) }
}

/// Why a PDF is kept as it came, if it is.
fn kept(source: &Source) -> Option<String> {
    if source.signed() {
        return Some("the PDF carries signatures".into());
    }
    source.pages().iter().flatten().find_map(|p| p.foreign.map(|f| format!("{} / {}", f.vi(), f.en())))
}

/// One file on its way through the judgement.
struct Pass<'a> {
    source: &'a Source,
    file: usize,
    name: &'a str,
    profile: &'a quality::Profile,
    look: Option<Look<'a>>,
}

impl Pass<'_> {
    /// Judges pages on as many threads as the desk has cores to spare; one page a thread is in memory at a time.
    fn judge_all(&self, desk: &Desk) -> Vec<PageRecord> {
        let count = self.source.pages().len();
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<PageRecord>> = Mutex::new(Vec::with_capacity(count));
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
        let mut records = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        records.sort_by_key(|record| record.number);
        records
    }

    fn judge(&self, index: usize) -> PageRecord {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let mut record = blank_record(self.file, number);
        match self.read(index) {
            Ok((_, Some((luma, dpi)))) => {
                record.width = u32::try_from(luma.width).unwrap_or(0);
                record.height = u32::try_from(luma.height).unwrap_or(0);
                record.dpi = Some(dpi);
                record.quality = Some(quality::judge(&luma, dpi, self.profile));
                record.codes = self.look.map(|look| look(&luma, dpi)).unwrap_or_default();
            }
            Ok((info, None)) => {
                record.width = info.width;
                record.height = info.height;
            }
            Err(mut fault) => {
                // The craft knows the page at most; which file it is in is ours to say.
                fault.place = Some(format!("{}, page {number}", self.name));
                record.fault = Some(fault.report());
            }
        }
        record
    }

    /// The page decoded, or only what is known of it where it is kept as it came.
    fn read(&self, index: usize) -> Outcome<(PageInfo, Option<(Luma, Dpi)>)> {
        let info = self.source.pages().get(index).ok_or(&scan::source::NO_SUCH_PAGE)?.clone()?;
        if info.foreign.is_some() {
            return Ok((info, None));
        }
        let luma = self.source.luma(index + 1)?;
        Ok((info, Some((luma, self.source.upright_dpi(index + 1)?))))
    }
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
