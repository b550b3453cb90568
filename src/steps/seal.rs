//! In: documents. Out: the same, signed under a signature profile, with a timestamp where the pipeline asks for one.
//! What can go wrong: a key that may not sign (wrong password, expired), a timestamp authority that does not answer (the
//! signature stands at B-B, the dossier waits, visibly, and is raised later; nothing is published meanwhile), an incoming
//! PDF that cannot take a signature (it stays as it is, and that is said).

use super::{Desk, StepOutput, assemble};
use crate::digest::Sha256;
use crate::dossier::{Document, Dossier, Paper, SealedDocument};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pipeline::SealConfig;
use crate::scan::barcode::Barcode;
use crate::seal::appearance::AppearanceFacts;
use crate::seal::evidence::Evidence;
use crate::seal::profile::{OnPage, SignatureProfile};
use crate::seal::raise::{self, Raising};
use crate::seal::sign::{self, Level, Order, Sheet};
use crate::seal::timestamp::TimestampSource;

/// Signs every document.
///
/// # Errors
/// Those of [`sign::sign_sheet`], [`raise::raise`] and of the key and the profile.
pub fn run(mut dossier: Dossier, config: &SealConfig, desk: &Desk) -> Outcome<StepOutput> {
    if dossier.papers.is_empty() {
        // A result comes as the office made it: the file is the document. The agency's seal goes on nothing that the
        // office has not said what it is.
        if dossier.slip.is_none() {
            return Err(Fault::new(&NO_SLIP).at(&dossier.batch));
        }
        dossier.papers = dossier.files.iter().map(as_it_came).collect();
    }
    if dossier.papers.is_empty() {
        return Err(Fault::new(&assemble::NO_PAGES).at(dossier.label()));
    }
    let profile = desk.signature_profile(&config.profile)?;
    let key = desk.key(&config.key)?;
    let at = jiff::Timestamp::from_millisecond(desk.clock.now_ms()).unwrap_or_default();
    let timestamps = if config.timestamp { Some(desk.timestamps()?) } else { None };
    let mut silent = None;
    for index in 0..dossier.papers.len() {
        let place = format!("paper {}", index + 1);
        if let Some(sealed) = &mut dossier.papers[index].sealed {
            // Signed at an earlier attempt; one authority's silence need not be heard for every paper.
            if sealed.awaits_stamp && silent.is_none() {
                silent = stamp_later(sealed, timestamps.as_deref(), at, desk).map_err(|f| f.at(&place))?;
            }
            continue;
        }
        let Some(document) = dossier.papers[index].document.clone() else { continue };
        let file = source_file(&dossier, &dossier.papers[index]);
        if !document.archived && file.is_some_and(|f| f.signed) {
            dossier.findings.push(Fault::new(&LEFT_SIGNED).at(&place).report());
            continue;
        }
        let kept = file.is_some_and(|f| f.kept.is_some());
        let facts = AppearanceFacts {
            name: key.shown_name.clone(),
            office: Some(key.shown_name.clone()),
            occupied_shares: codes_on(&dossier, &dossier.papers[index], &profile),
            ..AppearanceFacts::default()
        };
        let order = Order { profile: &profile, facts: &facts, at, field: None };
        let original = desk.blobs.original(&document.digests.blake3)?;
        let signed = Sheet::open(original.clone()).and_then(|sheet| {
            let asked = timestamps.as_deref();
            match &silent {
                Some(_) => sign::sign_for_now(&sheet, key.handle.as_ref(), &order, Some(&Silent)),
                None => sign::sign_for_now(&sheet, key.handle.as_ref(), &order, asked),
            }
        });
        match signed {
            Ok((tail, why)) => {
                let (digests, ()) = desk.blobs.put_with(|out| {
                    original.write_to(out)?;
                    out.write_all(&tail.bytes).map_err(|e| Fault::new(&sign::COPY).detail(e.kind()))
                })?;
                dossier.papers[index].sealed = Some(SealedDocument {
                    digests,
                    level: tail.seal.level.name().to_owned(),
                    profile: config.profile.clone(),
                    at: at.as_millisecond(),
                    awaits_stamp: why.is_some(),
                });
                silent = silent.or(why);
            }
            // A stranger's PDF that takes no signature is still kept, hashed and logged.
            Err(fault) if kept && fault.code.class == Class::Input => {
                dossier.findings.push(fault.at(&place).report());
                dossier.findings.push(Fault::new(&NOT_SEALED).at(&place).report());
            }
            Err(fault) => return Err(fault.at(&place).at(&dossier.batch)),
        }
    }
    let waiting: Vec<i64> = dossier
        .papers
        .iter()
        .filter_map(|p| p.sealed.as_ref().filter(|s| s.awaits_stamp))
        .map(|s| s.at)
        .collect();
    if let (Some(since), Some(why)) = (waiting.iter().min(), silent) {
        let since = jiff::Timestamp::from_millisecond(*since).unwrap_or_default().to_zoned(sign::vietnam());
        let since = since.strftime("%Y-%m-%dT%H:%M:%S%:z");
        let fault =
            Fault::new(&AWAITS_STAMP).detail(format!("{} x, {since}, {}", waiting.len(), why.code.id));
        return Ok(StepOutput::Wait(dossier, fault));
    }
    Ok(StepOutput::Next(dossier))
}

/// Asks for the time stamp that a document waits for; gives why it has to go on waiting.
fn stamp_later(
    sealed: &mut SealedDocument,
    timestamps: Option<&dyn TimestampSource>,
    at: jiff::Timestamp,
    desk: &Desk,
) -> Outcome<Option<Fault>> {
    let raising = Raising { tsa: timestamps, roots: &[], evidence: &Evidence::default(), online: None, at };
    let original = desk.blobs.original(&sealed.digests.blake3)?;
    let copy = rustix::fs::memfd_create("sealed", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|e| Fault::new(&sign::COPY).detail(e.kind()))?;
    let copy = std::fs::File::from(copy);
    match raise::raise(&original, &copy, Level::BT, &raising) {
        Ok(_) => {}
        Err(fault) if fault.code.class == Class::Later => return Ok(Some(fault)),
        Err(fault) => return Err(fault),
    }
    let raised = Original::file(copy)?;
    let (digests, ()) = desk.blobs.put_with(|out| raised.write_to(out))?;
    sealed.digests = digests;
    sealed.level = Level::BT.name().to_owned();
    sealed.awaits_stamp = false;
    Ok(None)
}

/// An authority that was silent a moment ago: asking it again for every paper would only cost time.
struct Silent;

impl TimestampSource for Silent {
    fn stamp(&self, _: &Sha256) -> Outcome<Vec<u8>> {
        Err(Fault::new(&crate::seal::timestamp::SILENT))
    }
}

/// Where the codes are on the page that will show the signature, which must not cover them.
fn codes_on(dossier: &Dossier, paper: &Paper, profile: &SignatureProfile) -> Vec<[f64; 4]> {
    let last = profile.look.as_ref().is_some_and(|look| look.page == OnPage::Last);
    let index = if last { paper.pages.last() } else { paper.pages.first() };
    let Some(page) = index.and_then(|index| dossier.pages.get(*index)) else { return Vec::new() };
    let span = |code: &Barcode, axis: usize, pixels: u32| {
        let at = code.corners.map(|corner| f64::from(corner[axis]));
        // A code needs its quiet zone: four modules.
        let quiet = 4.0 * f64::from(code.module_px);
        let from = at.into_iter().fold(f64::INFINITY, f64::min) - quiet;
        let to = at.into_iter().fold(0.0, f64::max) + quiet;
        [from, to].map(|pixel| (pixel / f64::from(pixels.max(1))).clamp(0.0, 1.0))
    };
    let shares = page.codes.iter().map(|code| {
        let ([left, right], [top, bottom]) = (span(code, 0, page.width), span(code, 1, page.height));
        [left, top, right, bottom]
    });
    shares.collect()
}

fn as_it_came(file: &crate::dossier::FileRecord) -> Paper {
    Paper { document: Some(Document { digests: file.digests, archived: false }), ..Paper::default() }
}

fn source_file<'a>(dossier: &'a Dossier, paper: &Paper) -> Option<&'a crate::dossier::FileRecord> {
    let page = dossier.pages.get(*paper.pages.first()?)?;
    dossier.files.get(page.file)
}

/// A PDF that came signed.
pub const LEFT_SIGNED: Code = Code {
    id: "STEP-011",
    class: Class::Person,
    vi: "Tệp PDF nhận vào đã có chữ ký số, được giữ nguyên từng byte",
    en: "the PDF came with signatures and is kept byte for byte",
    remedy_vi: "Xem kết quả kiểm tra chữ ký bằng `hoso verify`",
    remedy_en: "see what its signatures are worth with `hoso verify`",
};
/// A result without its slip.
pub const NO_SLIP: Code = Code {
    id: "STEP-013",
    class: Class::Input,
    vi: "Kết quả chưa có phiếu thông tin (.toml cùng tên)",
    en: "the result has no slip (a .toml of the same name)",
    remedy_vi: "Ghi phiếu theo mẫu trong test-data/results rồi đưa vào lại",
    remedy_en: "write the slip like those in test-data/results and hand it in again",
};
/// A PDF that takes no signature.
pub const NOT_SEALED: Code = Code {
    id: "STEP-012",
    class: Class::Person,
    vi: "Tệp PDF nhận vào không ký thêm được, được giữ nguyên và chỉ ghi nhật ký",
    en: "the PDF cannot take a signature; it is kept as it came and only logged",
    remedy_vi: "In và quét lại nếu cần bản có chữ ký của cán bộ",
    remedy_en: "print and scan it where a copy with the officer's signature is needed",
};
/// A document waits for its time stamp.
pub const AWAITS_STAMP: Code = Code {
    id: "STEP-014",
    class: Class::Later,
    vi: "Giấy tờ đã ký số, đang chờ dấu thời gian",
    en: "the documents are signed and wait for their time stamps",
    remedy_vi: "Hệ thống tự hỏi lại; nếu lâu thì kiểm tra đường truyền tới máy chủ cấp dấu thời gian",
    remedy_en: "it is asked for again by itself; if it takes long, check the line to the time stamp authority",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&LEFT_SIGNED, &NOT_SEALED, &NO_SLIP, &AWAITS_STAMP];
