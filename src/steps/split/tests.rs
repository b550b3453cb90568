use super::*;
use crate::digest::Digests;
use crate::dossier::{Applicant, DeskSlip, FileRecord, PageRecord};
use crate::page::{Dpi, DpiSource};
use crate::scan::barcode::{Barcode, Format, Stage};
use crate::scan::{Luma, quality};

const A: &str = "H49.12.5-250914-0042";
const B: &str = "H49.12.5-250914-0043";

fn code(text: &str) -> Barcode {
    Barcode {
        format: Format::QRCode,
        text: text.into(),
        bytes: text.into(),
        corners: [[0.0; 2]; 4],
        module_px: 3.0,
        found_by: Stage::Finders,
    }
}

/// A batch of so many files, whose pages carry these codes.
fn batch(files: &[&[&[&str]]]) -> Dossier {
    let mut batch = Dossier { batch: "lot".into(), ..Dossier::default() };
    for (file, pages) in files.iter().enumerate() {
        let digests = Digests::of(&[u8::try_from(file).unwrap()]);
        let name = format!("f{file}.tif");
        batch.files.push(FileRecord { name, digests, fault: None, signed: false, kept: None });
        for (at, texts) in pages.iter().enumerate() {
            batch.pages.push(PageRecord {
                file,
                number: u32::try_from(at).unwrap() + 1,
                width: 100,
                height: 100,
                dpi: None,
                quality: None,
                codes: texts.iter().map(|text| code(text)).collect(),
                fault: None,
            });
        }
    }
    batch
}

fn blank(batch: &mut Dossier, page: usize) {
    let paper = Luma::new(827, 1169, vec![240; 827 * 1169]).unwrap();
    let dpi = Dpi { x: 100.0, y: 100.0, source: DpiSource::Header };
    let judged = quality::judge(&paper, dpi, &quality::Profile::default());
    assert!(judged.blank.is_blank);
    batch.pages[page].quality = Some(judged);
}

fn divided(batch: Dossier, config: &SplitConfig) -> (Dossier, Vec<(Dossier, Option<Report>)>) {
    match run(batch, config) {
        StepOutput::Split(batch, children) => (batch, children),
        other => panic!("{other:?}"),
    }
}

/// File and number of every page of a dossier, in order.
fn pages(dossier: &Dossier) -> Vec<(String, u32)> {
    dossier.pages.iter().map(|p| (dossier.files[p.file].name.clone(), p.number)).collect()
}

fn found(dossier: &Dossier) -> Vec<&str> {
    dossier.findings.iter().map(|f| f.code.as_str()).collect()
}

#[test]
fn nothing_that_was_typed_or_printed_for_one_dossier_reaches_another() {
    let cover = format!("HOSO-SHEET/1/COVER/D:{A}/P:1.005129/N:1");
    let mut lot = batch(&[&[&[&cover], &[], &["HOSO-SEP-2"], &[B], &[], &["PATCHT"], &[]]]);
    lot.code = Some(A.into());
    lot.procedure = Some("1.009999".into());
    lot.applicant = Some(Applicant { name: Some("Trần Thị Bích Liên".into()), ..Applicant::default() });
    lot.dates = Dates { received: Some(1), due: Some(2) };
    let typed = DeskSlip { procedure: Some("1.001193".into()), ..DeskSlip::default() };
    lot.slips.insert(B.into(), typed);
    let (_, children) = divided(lot, &SplitConfig::default());
    let said: Vec<_> =
        children.iter().map(|(d, _)| (d.code.as_deref(), d.procedure.as_deref(), d.expected_pages)).collect();
    assert_eq!(
        said,
        [(Some(A), Some("1.005129"), Some(1)), (Some(B), Some("1.001193"), Some(2)), (None, None, None)]
    );
    assert!(children.iter().all(|(d, _)| d.applicant.is_none() && d.dates == Dates::default()));
    let text = String::from_utf8(children[2].0.to_json()).unwrap();
    assert!(!text.contains(A) && !text.contains(B) && !text.contains("Bích"), "{text}");
}

#[test]
fn what_was_typed_for_a_folder_of_one_dossier_is_its_own_unless_another_one_was_announced() {
    let typed = |files: &[&[&[&str]]]| {
        let mut lot = batch(files);
        lot.applicant =
            Some(Applicant { name: Some("Trần Thị Bích Liên".into()), ..Applicant::default() });
        divided(lot, &SplitConfig::default()).1
    };
    assert!(typed(&[&[&["HOSO-SEP"], &[A], &[]]])[0].0.applicant.is_some());
    let two = typed(&[&[&["HOSO-SEP"], &[A], &["HOSO-SEP-3"]]]);
    assert!(two.len() == 2 && two.iter().all(|(d, _)| d.applicant.is_none()));
}

#[test]
fn the_cover_says_the_procedure_where_nobody_typed_it_and_a_difference_is_a_finding() {
    let cover = format!("HOSO-SHEET/1/COVER/D:{A}/P:1.005129");
    let mut lot = batch(&[&[&[&cover], &[]]]);
    let (_, children) = divided(lot.clone(), &SplitConfig::default());
    assert_eq!((children[0].0.procedure.as_deref(), found(&children[0].0)), (Some("1.005129"), vec![]));
    lot.procedure = Some("1.001193".into());
    let (_, children) = divided(lot, &SplitConfig::default());
    assert_eq!(
        (children[0].0.procedure.as_deref(), found(&children[0].0)),
        (Some("1.001193"), vec!["STEP-044"])
    );
}

#[test]
fn fronts_and_backs_of_two_files_meet_before_anything_is_cut() {
    // Sheets: separator with blank back, A with a back, separator with blank back, B with a blank back.
    let mut lot = batch(&[&[&["HOSO-SEP-2"], &[A], &["HOSO-SEP-2"], &[B]], &[&[], &[], &[], &[]]]);
    [4, 6, 7].into_iter().for_each(|page| blank(&mut lot, page));
    let config = SplitConfig { collate: Collate::OddEvenReversed, ..SplitConfig::default() };
    // The turned pile: the first back is the last sheet's.
    let mut reversed = lot.clone();
    reversed.pages[4..].reverse();
    (4..8).for_each(|at| reversed.pages[at].number = u32::try_from(at).unwrap() - 3);
    let (_, children) = divided(reversed, &config);
    let file = |name: &str, number| (name.to_owned(), number);
    assert_eq!(pages(&children[0].0), [file("f0.tif", 2), file("f1.tif", 3)]);
    assert_eq!(pages(&children[1].0), [file("f0.tif", 4), file("f1.tif", 1)]);
    assert!(children.iter().all(|(d, refused)| refused.is_none() && d.findings.is_empty()), "{children:?}");
    let (_, children) = divided(lot, &SplitConfig { collate: Collate::OddEven, ..config });
    assert_eq!(pages(&children[0].0), [file("f0.tif", 2), file("f1.tif", 2)]);
    assert_eq!(pages(&children[1].0), [file("f0.tif", 4), file("f1.tif", 4)]);
}

#[test]
fn fronts_without_backs_refuse_the_batch_or_are_a_finding_of_every_dossier_and_no_page_is_lost() {
    let lot = batch(&[&[&[A], &[], &[B]], &[&[], &[]]]);
    let mut config = SplitConfig { collate: Collate::OddEven, ..SplitConfig::default() };
    let StepOutput::Refuse(whole, reason) = run(lot.clone(), &config) else { panic!("taken") };
    assert_eq!((reason.code.as_str(), reason.detail.as_deref()), ("SCAN-095", Some("3 fronts, 2 backs")));
    assert_eq!(whole.pages.len(), 5);
    config.page_count = OnMismatch::Note;
    let (batch, children) = divided(lot, &config);
    assert_eq!(children.iter().map(|(d, _)| d.pages.len()).sum::<usize>(), 5);
    assert!(children.iter().all(|(d, _)| found(d).contains(&"SCAN-095")));
    assert_eq!(found(&batch), ["SCAN-095"]);
}

#[test]
fn a_missed_separator_is_told_with_its_file_and_refused_where_the_pipeline_says_so() {
    let mut lot = batch(&[&[&["HOSO-SEP-1"], &[A]], &[&["HOSO-SEP"], &[], &[], &[]]]);
    lot.pages[4].fault = Some(Fault::new(&assemble::NO_PAGES).report());
    lot.slips.insert(B.into(), DeskSlip::default());
    let (parent, children) = divided(lot.clone(), &SplitConfig::default());
    assert_eq!(found(&parent), ["SCAN-093"]);
    assert_eq!(parent.findings[0].place.as_deref(), Some("f1.tif, page 3"));
    assert!(children.iter().all(|(d, refused)| refused.is_none() && found(d).contains(&"SCAN-093")));
    let config = SplitConfig { missed: OnMismatch::Refuse, ..SplitConfig::default() };
    let (_, children) = divided(lot, &config);
    let refused: Vec<bool> = children.iter().map(|(_, refused)| refused.is_some()).collect();
    // The first one has as many pages as its sheet says: nothing of another dossier lies in it.
    assert_eq!(refused, [false, true]);
    let reason = children[1].1.as_ref().unwrap();
    assert!(reason.detail.as_ref().unwrap().starts_with("SCAN-093"), "{reason}");
}

#[test]
fn a_long_segment_names_the_page_where_the_next_separator_should_have_been() {
    let lot = batch(&[&[&["HOSO-SEP-1"], &[A], &[], &[], &[]]]);
    let (_, children) = divided(lot, &SplitConfig { page_count: OnMismatch::Note, ..SplitConfig::default() });
    let missed = children[0].0.findings.iter().find(|f| f.code == "SCAN-091").unwrap();
    assert_eq!(missed.place.as_deref(), Some("f0.tif, page 3"));
}

#[test]
fn labels_of_another_system_open_dossiers_only_where_the_pipeline_says_so() {
    let lot = batch(&[&[&["LH-1"], &[], &["LH-2"], &[]]]);
    assert_eq!(divided(lot.clone(), &SplitConfig::default()).1.len(), 1);
    let barcode_starts = vec![crate::pipeline::BarcodeKind::Qr];
    let (_, children) = divided(lot.clone(), &SplitConfig { barcode_starts, ..SplitConfig::default() });
    assert_eq!(children.iter().map(|(d, _)| d.pages.len()).collect::<Vec<_>>(), [2, 2]);
    let barcode_starts = vec![crate::pipeline::BarcodeKind::Code128];
    assert_eq!(divided(lot, &SplitConfig { barcode_starts, ..SplitConfig::default() }).1.len(), 1);
}

#[test]
fn every_so_many_pages_a_dossier_begins() {
    let lot = batch(&[&[&[], &[], &[], &[], &[]]]);
    let every = std::num::NonZeroU32::new(2);
    let (_, children) = divided(lot, &SplitConfig { every, ..SplitConfig::default() });
    assert_eq!(children.iter().map(|(d, _)| d.pages.len()).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(children.iter().map(|(_, r)| r.is_some()).collect::<Vec<_>>(), [false, false, true]);
}
