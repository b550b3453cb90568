//! Codes of dots (and stacked PDF417) in a region: a few renderings of it, one format at a time.

use super::locate::Region;
use super::patch::Patch;
use super::{Barcode, Effort, Format, read};
use crate::scan::luma::Luma;

/// Every code of dots in a region, most regions holding none or one.
pub(crate) fn read(luma: &Luma, region: &Region, formats: &[Format], effort: &mut Effort) -> Vec<Barcode> {
    let mut found = Vec::new();
    let mut cut = Patch::cut(luma, region.x0, region.y0, region.x1, region.y1);
    if cut.data.len() > MOST_PIXELS {
        return found;
    }
    cut.stretch();
    while found.len() < MOST_CODES {
        let Some(code) = read_one(&cut, region, formats, effort) else { break };
        cut.whiten(&code.corners);
        found.push(code);
    }
    found
}

fn read_one(cut: &Patch, region: &Region, formats: &[Format], effort: &mut Effort) -> Option<Barcode> {
    let formats: Vec<Format> =
        formats.iter().copied().filter(|f| !f.is_linear() && could_be(*f, cut, region)).collect();
    if formats.is_empty() {
        return None;
    }
    let mut tries = |patch: &Patch| {
        formats.iter().find_map(|format| {
            effort.spend(patch.data.len()).then(|| read::decode(patch, *format, false)).flatten()
        })
    };
    if let Some(code) = tries(cut) {
        return Some(code);
    }
    let directions = cut.directions();
    // Bars of a PDF417 know which way is up better than its grid does.
    let angle = if directions.coherence > 0.5 { directions.gradient } else { directions.grid };
    let straight = (angle.abs() > 0.01).then(|| cut.turned(angle));
    if let Some(straight) = &straight
        && let Some(code) = tries(straight)
    {
        return Some(code);
    }
    if cut.data.len() > MOST_DOUBLED {
        return None;
    }
    let best = straight.as_ref().unwrap_or(cut);
    if let Some(code) = tries(&best.doubled()) {
        return Some(code);
    }
    tries(&best.blurred().doubled())
}

/// Cheap reasons why a region cannot hold a format.
fn could_be(format: Format, cut: &Patch, region: &Region) -> bool {
    let (wide, tall) = (cut.width / region.cell, cut.height / region.cell);
    match format {
        // 4 mm to 60 mm with the padding of both sides; a code touching others makes a larger region.
        Format::DataMatrix => wide.max(tall) <= 40 && wide.max(tall) <= 6 * wide.min(tall),
        Format::PDF417 => wide.max(tall) >= 10,
        Format::QRCode => wide.min(tall) >= 4,
        Format::Code128 | Format::Code39 => false,
    }
}

/// Codes of dots that one region may hold.
const MOST_CODES: usize = 6;
/// Larger regions are photographs.
const MOST_PIXELS: usize = 3_000_000;
/// Larger regions are not enlarged.
const MOST_DOUBLED: usize = 500_000;
