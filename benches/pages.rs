//! What each craft costs a page, on one thread, beside the physical floor of the same bytes (JPEG decode,
//! SHA-256). `cargo bench`; whole pipelines beside other programs are in `scripts/bench`.

#![expect(clippy::expect_used, reason = "a bench ends at its first surprise, with its place")]

use hoso::digest::Digests;
use hoso::pdf::archive::{ArchivePage, Metadata, assemble};
use hoso::scan::barcode::{Policy, read_page};
use hoso::scan::{Limits, Profile, judge, open};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

const ROUNDS: usize = 5;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("test-data/intake");
    println!(
        "{:<26}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "ms a page (best of 5)", "pages", "hash", "decode", "judge", "codes", "archive", "all"
    );
    for (name, batch) in [
        ("JPEG colour 200 dpi", "batch-1"),
        ("JPEG colour 300 dpi", "batch-3"),
        ("TIFF G4 300 dpi", "batch-2"),
    ] {
        bench(name, &files(&root.join(batch)));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("test-data is part of the checkout")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|p| p.extension().is_some_and(|e| e == "jpg" || e == "tif"))
        .collect();
    files.sort();
    files
}

fn bench(name: &str, files: &[PathBuf]) {
    let mut best = [f64::MAX; 5];
    let mut pages = 0u32;
    for _ in 0..ROUNDS {
        let mut spent = [0.0; 5];
        pages = 0;
        for file in files {
            let bytes = std::fs::read(file).expect("a readable file");
            spent[0] += ms(|| {
                black_box(Digests::of(&bytes));
            });
            let source = open(bytes, &Limits::default()).expect("a good file");
            for number in 1..=source.pages().len() {
                pages += 1;
                let mut luma = None;
                spent[1] += ms(|| luma = source.luma(number).ok());
                let luma = luma.expect("a good page");
                let dpi = source.upright_dpi(number).expect("a good page");
                spent[2] += ms(|| drop(black_box(judge(&luma, dpi, &Profile::default()))));
                spent[3] += ms(|| drop(black_box(read_page(&luma, Some(dpi.x), &Policy::default()))));
                let meta = Metadata {
                    title: String::new(),
                    created: Some(jiff::Timestamp::UNIX_EPOCH),
                    creator_tool: String::new(),
                    dossier_code: None,
                };
                spent[4] += ms(|| {
                    let image = source.page_image(number).expect("a good page");
                    drop(black_box(assemble(&[ArchivePage { image, skew_deg: 0.0 }], &meta)));
                });
            }
        }
        for (best, spent) in best.iter_mut().zip(spent) {
            *best = best.min(spent);
        }
    }
    let page: Vec<f64> = best.iter().map(|total| total / f64::from(pages)).collect();
    print!("{name:<26}{pages:>6}");
    page.iter().for_each(|value| print!("{value:>9.2}"));
    println!("{:>9.2}", page.iter().sum::<f64>());
}

fn ms(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1000.0
}
