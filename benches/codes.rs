//! What the search for barcodes costs and finds, alone: `cargo bench --bench codes -- [--thorough] [--without STAGE] [--dpi N] FILE.pgm...`
//!
//! Grey planes (PGM, `P5`) are read before the clock starts; each gives one JSON line with its codes and the CPU
//! milliseconds of [`read_page`], the best of three. `scripts/bench_codes.py` makes pages and runs other readers beside.

#![expect(clippy::expect_used, reason = "a bench ends at its first surprise, with its place")]

use hoso::scan::barcode::{Policy, Stage, read_page};
use hoso::scan::luma::Luma;

const ROUNDS: usize = 3;

fn main() {
    let mut policy = Policy::default();
    let mut dpi = None;
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--thorough" => policy.thorough = true,
            "--without" => {
                let name = args.next().unwrap_or_default();
                let stage: Stage = serde_json::from_value(name.into()).expect("the name of a stage");
                policy.stages.retain(|s| *s != stage);
            }
            "--dpi" => dpi = args.next().and_then(|n| n.parse().ok()),
            _ => files.push(arg),
        }
    }
    if files.is_empty() {
        println!("codes: no files; see scripts/bench_codes.py");
    }
    for file in files {
        let luma = plane(&std::fs::read(&file).expect("a readable file")).expect("a PGM of 8 bits");
        let mut ms = f64::MAX;
        let mut page = None;
        for _ in 0..ROUNDS {
            let began = ran();
            page = Some(read_page(&luma, dpi, &policy));
            ms = ms.min(ran() - began);
        }
        let page = page.expect("at least one round");
        let codes: Vec<_> = page
            .codes
            .iter()
            .map(|c| {
                serde_json::json!({ "format": c.format, "text": c.text, "bytes": c.bytes, "corners": c.corners,
                    "module_px": c.module_px, "found_by": c.found_by })
            })
            .collect();
        let line = serde_json::json!({ "file": file, "ms": ms, "searched": page.searched, "codes": codes });
        println!("{line}");
    }
}

/// A binary PGM of 8 bits without comments.
fn plane(bytes: &[u8]) -> Option<Luma> {
    let mut head = bytes.splitn(4, u8::is_ascii_whitespace);
    let magic = head.next()?;
    let mut number = || std::str::from_utf8(head.next()?).ok()?.parse::<usize>().ok();
    let (width, height) = (number()?, number()?);
    let rest = head.next()?.strip_prefix(b"255\n")?;
    (magic == b"P5").then(|| Luma::new(width, height, rest.to_vec()))?
}

/// CPU milliseconds of this thread: waiting for a core does not count.
fn ran() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
