//! Codes of dots (and stacked PDF417) in a region: a few renderings of it, one format at a time.

use super::locate::Region;
use super::patch::Patch;
use super::read::Picture;
use super::{Barcode, Effort, Format, Policy, Stage, corner, finder, light, pattern};
use crate::scan::luma::Luma;

/// The Data Matrix of a region that is too low for other codes of dots; most such regions are words of bold print.
pub(crate) fn read_small(luma: &Luma, region: &Region, effort: &mut Effort) -> Option<Barcode> {
    let pad = 2 * region.cell;
    let mut cut = Patch::cut(luma, region.x0 + pad, region.y0 + pad, region.x1 - pad, region.y1 - pad);
    cut.stretch();
    if let Some(code) = small(&cut, region, effort) {
        return Some(code);
    }
    let may_be_light = region.is_square() && region.may_be_light(Format::DataMatrix);
    let light = may_be_light.then(|| light::inverted(&cut, region)).flatten()?;
    small(&light, region, effort)
}

fn small(cut: &Patch, region: &Region, effort: &mut Effort) -> Option<Barcode> {
    let soft = cut.blurred();
    let angle = soft.directions().grid;
    let leans = leans(cut, angle);
    let rough = leans.then(|| cut.turned_roughly(angle));
    if !has_solid_sides(rough.as_ref().unwrap_or(cut), region) {
        return None;
    }
    let turned = leans.then(|| cut.turned(angle));
    let straight = turned.as_ref().unwrap_or(cut);
    let soft = if leans { straight.blurred() } else { soft };
    corner::read(straight, effort).or_else(|| corner::read(&soft, effort))
}

/// True where a turn moves the ends of a patch by more than its reader forgives.
fn leans(patch: &Patch, angle: f32) -> bool {
    angle.abs() * patch.width.max(patch.height) as f32 > 0.75
}

/// Every code of dots in a region that was cut out and stretched, most regions holding none or one. `soft` is the
/// blurred cut; `finders` says whether QR finder patterns were seen in it.
pub(crate) fn read(
    mut cut: Patch,
    mut soft: Patch,
    region: &Region,
    finders: bool,
    policy: &Policy,
    effort: &mut Effort,
) -> Vec<Barcode> {
    let mut found = Vec::new();
    if cut.data.len() > MOST_PIXELS {
        return found;
    }
    while found.len() < MOST_CODES {
        let mark = effort.mark();
        let Some(code) = read_one(&cut, &soft, region, finders, policy, effort) else {
            if found.is_empty() && region.may_be_light(Format::QRCode) {
                let light = light::inverted(&cut, region);
                found.extend(light.and_then(|light| read_light(&light, region, policy, effort)));
            }
            return found;
        };
        effort.refund(mark);
        cut.whiten(&code.corners);
        soft.whiten(&code.corners);
        found.push(code);
    }
    effort.cap();
    found
}

/// The light code of a region whose grey values are inverted.
fn read_light(cut: &Patch, region: &Region, policy: &Policy, effort: &mut Effort) -> Option<Barcode> {
    let soft = cut.blurred();
    if policy.wants(Format::QRCode, Stage::Finders) && region.may_hold_qr() && effort.spend(cut.data.len()) {
        let plane = Luma { width: cut.width, height: cut.height, data: cut.data.clone() };
        let patterns = pattern::patterns_in(&Patch::whole(&plane), &soft);
        for triple in finder::triples(&patterns).iter().take(MOST_TRIPLES) {
            if let finder::Reading::Code(code) = finder::read(&plane, triple) {
                let corners = code.corners.map(|at| cut.to_page(at));
                return Some(Barcode { corners, ..*code });
            }
        }
    }
    let wanted = policy.formats.contains(&Format::DataMatrix) && region.may_be_light(Format::DataMatrix);
    let policy = Policy { formats: vec![Format::DataMatrix], ..policy.clone() };
    wanted.then(|| read_one(cut, &soft, region, false, &policy, effort)).flatten()
}

fn read_one(
    cut: &Patch,
    soft: &Patch,
    region: &Region,
    finders: bool,
    policy: &Policy,
    effort: &mut Effort,
) -> Option<Barcode> {
    let directions = soft.directions();
    // Bars of a PDF417 know which way is up better than its grid does.
    let angle = if directions.coherence > 0.5 { directions.gradient } else { directions.grid };
    let leans = leans(cut, angle);
    let rough = leans.then(|| cut.turned_roughly(angle));
    let seen = rough.as_ref().unwrap_or(cut);
    let formats: Vec<Format> =
        policy.formats.iter().copied().filter(|format| could_be(*format, seen, region, finders)).collect();
    if formats.is_empty() {
        return None;
    }
    let straight = leans.then(|| cut.turned(angle));
    let best = straight.as_ref().unwrap_or(cut);
    if policy.stages.contains(&Stage::Corners)
        && formats.contains(&Format::DataMatrix)
        && let Some(code) = corner::read(best, effort).or_else(|| corner::read(&best.blurred(), effort))
    {
        return Some(code);
    }
    let mut tries = |patch: &Patch, formats: &[Format]| {
        let mut picture = if formats.is_empty() { None } else { Picture::of(patch) }?;
        formats
            .iter()
            .find_map(|f| effort.spend(patch.data.len()).then(|| picture.decode(*f, false)).flatten())
            .map(|code| Barcode { found_by: Stage::Cells, ..code })
    };
    if let Some(code) = tries(best, &formats) {
        return Some(code);
    }
    if straight.is_some()
        && let Some(code) = tries(cut, &formats)
    {
        return Some(code);
    }
    // Words with solid sides are many; what the corners do not tell of a Data Matrix, a larger picture does not.
    let formats: Vec<Format> = formats.into_iter().filter(|f| *f != Format::DataMatrix).collect();
    if cut.data.len() > MOST_DOUBLED || formats.is_empty() {
        return None;
    }
    tries(&best.doubled(), &formats).or_else(|| tries(&best.blurred().doubled(), &formats))
}

/// Cheap reasons why a straightened region cannot hold a format: most regions are bold print.
fn could_be(format: Format, patch: &Patch, region: &Region, finders: bool) -> bool {
    let (wide, tall) = region.core();
    match format {
        // A code that touches others makes a larger region.
        Format::DataMatrix => wide.max(tall) <= 64 * region.cell && has_solid_sides(patch, region),
        Format::PDF417 => wide.max(tall) >= 10 * region.cell && has_guard(patch),
        Format::QRCode => finders,
        Format::Code128 | Format::Code39 => false,
    }
}

/// Two solid sides of a Data Matrix: a dark run along some row and one along some column, one of them a good part of
/// the region's longer side and the other of its shorter one.
fn has_solid_sides(patch: &Patch, region: &Region) -> bool {
    let (wide, tall) = region.core();
    let (across, down) = (longest_runs(patch, true), longest_runs(patch, false));
    across.max(down) * 9 >= wide.max(tall) * 5 && across.min(down) * 2 >= wide.min(tall)
}

/// The longest dark run along any row, or along any column.
fn longest_runs(patch: &Patch, rows: bool) -> usize {
    let mut longest = 0u16;
    if rows {
        for row in patch.data.chunks_exact(patch.width.max(1)) {
            let mut run = 0u16;
            for p in row {
                run = if *p < 128 { run.saturating_add(1) } else { 0 };
                longest = longest.max(run);
            }
        }
    } else {
        // All columns at once, row by row.
        let mut runs = vec![0u16; patch.width];
        for row in patch.data.chunks_exact(patch.width.max(1)) {
            for (run, p) in runs.iter_mut().zip(row) {
                *run = if *p < 128 { run.saturating_add(1) } else { 0 };
                longest = longest.max(*run);
            }
        }
    }
    usize::from(longest)
}

/// The guards 8:1:1:1:1:1:1:3 or 7:1:1:3:1:1:1:2:1 of a PDF417 along rows or columns, either way round, one above
/// the other.
pub(crate) fn has_guard(patch: &Patch) -> bool {
    const START: [f32; 8] = [8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0];
    const STOP: [f32; 9] = [7.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 2.0, 1.0];
    [true, false].iter().any(|rows| {
        let mut places: Vec<usize> = Vec::new();
        lines(patch, *rows, 3, |runs| {
            let mut place = runs.first().copied().unwrap_or(0);
            for at in 1..runs.len() {
                if like(runs, at, &START) || like(runs, at, &STOP) {
                    places.push(place);
                }
                place += runs[at];
            }
        });
        places.sort_unstable();
        places.windows(4).any(|four| four[3] - four[0] <= 6)
    })
}

/// True where runs from one on have these widths, from the left or from the right.
#[inline]
fn like<const N: usize>(runs: &[usize], at: usize, want: &[f32; N]) -> bool {
    let Some(here) = runs.get(at..).and_then(|rest| rest.first_chunk::<N>()) else { return false };
    let unit = here.iter().sum::<usize>() as f32 / want.iter().sum::<f32>();
    let slack = (0.6 * unit).max(1.1);
    let close = |run: usize, want: f32| (run as f32 - want * unit).abs() < slack;
    unit >= 1.0
        && (here.iter().zip(want).all(|(run, want)| close(*run, *want))
            || here.iter().zip(want.iter().rev()).all(|(run, want)| close(*run, *want)))
}

/// Run lengths of every `step`th row or column, the first run white (perhaps of no length).
fn lines(patch: &Patch, rows: bool, step: usize, mut take: impl FnMut(&[usize])) {
    let width = patch.width.max(1);
    let mut runs: Vec<usize> = Vec::new();
    let mut told = |edges: &[u32], length: usize| {
        runs.clear();
        let mut before = 0;
        for edge in edges.iter().map(|edge| *edge as usize).chain([length]) {
            runs.push(edge - before);
            before = edge;
        }
        take(&runs);
    };
    if rows {
        let mut edges = Vec::new();
        for row in patch.data.chunks_exact(width).step_by(step) {
            pattern::edges_of(row, 128, &mut edges);
            told(&edges, row.len());
        }
        return;
    }
    // All columns at once, row by row: no column is walked down through the whole picture.
    let mut columns: Vec<(bool, Vec<u32>)> = vec![(false, Vec::new()); patch.width.div_ceil(step)];
    for (y, row) in patch.data.chunks_exact(width).enumerate() {
        for ((dark, edges), pixel) in columns.iter_mut().zip(row.iter().step_by(step)) {
            if (*pixel < 128) != *dark {
                *dark = !*dark;
                edges.push(y as u32);
            }
        }
    }
    columns.iter().for_each(|(_, edges)| told(edges, patch.height));
}

/// Threes of finder patterns that are tried on a dark ground.
const MOST_TRIPLES: usize = 16;
/// Codes of dots that one region may hold.
const MOST_CODES: usize = 24;
/// Larger regions are photographs.
pub(crate) const MOST_PIXELS: usize = 3_000_000;
/// Larger regions are not enlarged.
const MOST_DOUBLED: usize = 500_000;
