//! Light and edges where a page has text: sharpness, contrast, exposure.

use crate::scan::Luma;
use crate::scan::ink::{Ink, percentile};

/// What the squares with text on them show, at full resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tone {
    /// Share of the whole step from paper to ink that an edge takes within 1/100 inch; 1 where nothing shows it.
    pub(super) sharpness: f32,
    /// Step from paper to ink, 0 to 1; 1 where nothing shows it.
    pub(super) contrast: f32,
    /// Light of the ink, 0 to 255; 0 where there is none.
    pub(super) ink_level: f32,
    /// Squares that it was seen on.
    pub(super) tiles: usize,
}

/// Squares looked at, spread over the text of the page.
const MAX_TILES: usize = 160;

impl Tone {
    /// Measures `luma` of `dpi` where its reduced plane has ink.
    pub(super) fn of(luma: &Luma, dpi: f32, ink: &Ink) -> Tone {
        // 1/100 inch between the two samples of an edge, so that the figure does not depend on resolution.
        let reach = ((dpi / 200.0).round() as usize).clamp(1, 8);
        let side = 32 * reach;
        let tiles = inked_tiles(luma, side, ink);
        let every = tiles.len().div_ceil(MAX_TILES).max(1);
        let mut sharp = Vec::new();
        let mut steps = Vec::new();
        let mut inks = Vec::new();
        for &(left, top) in tiles.iter().step_by(every) {
            let Some((step, low)) = levels(luma, left, top, side, reach) else { continue };
            // The steepest few places of the square, the single steepest one left to noise.
            let steepest = f32::from(percentile(&edges(luma, left, top, side, reach), 0.99));
            sharp.push((steepest / f32::from(step)).min(1.0));
            steps.push(f32::from(step) / 255.0);
            inks.push(f32::from(low));
        }
        let tiles = sharp.len();
        Tone {
            sharpness: median(&mut sharp).unwrap_or(1.0),
            contrast: median(&mut steps).unwrap_or(1.0),
            ink_level: median(&mut inks).unwrap_or(0.0),
            tiles,
        }
    }
}

/// Corners of the squares that have some ink and are not full of it.
fn inked_tiles(luma: &Luma, side: usize, ink: &Ink) -> Vec<(usize, usize)> {
    let (across, down) = (luma.width / side, luma.height / side);
    let shrunk = (luma.width / ink.width.max(1)).max(1);
    let mut inked = vec![0u32; across * down];
    for run in &ink.runs {
        let ty = run.y as usize * shrunk / side;
        // Split at the border between squares.
        let (mut from, to) = (run.from as usize * shrunk, run.to as usize * shrunk);
        while from < to && ty < down && from / side < across {
            let end = to.min((from / side + 1) * side);
            inked[ty * across + from / side] += ((end - from) / shrunk).max(1) as u32;
            from = end;
        }
    }
    let full = (side / shrunk).pow(2).max(1) as f32;
    (0..across * down)
        .filter(|&tile| (0.02..0.9).contains(&(inked[tile] as f32 / full)))
        .map(|tile| (tile % across * side, tile / across * side))
        .collect()
}

/// Step from ink to paper and light of the ink in one square; none where it is not a square of text.
fn levels(luma: &Luma, left: usize, top: usize, side: usize, reach: usize) -> Option<(u8, u8)> {
    let mut counts = [0u32; 256];
    for y in (top..top + side).step_by(reach) {
        luma.row(y)[left..left + side].iter().for_each(|&s| counts[usize::from(s)] += 1);
    }
    let (low, high) = (percentile(&counts, 0.01), percentile(&counts, 0.9));
    let step = high.saturating_sub(low);
    let dark: u32 = counts[..usize::from(low.saturating_add(step / 2))].iter().sum();
    let total: u32 = counts.iter().sum();
    let share = dark as f32 / total.max(1) as f32;
    (step >= 30 && (0.005..0.5).contains(&share)).then_some((step, low))
}

/// Steps over 1/100 inch, along the rows and down them, whichever is the larger.
fn edges(luma: &Luma, left: usize, top: usize, side: usize, reach: usize) -> [u32; 256] {
    let mut counts = [0u32; 256];
    for y in (top + reach..top + side - reach).step_by(2 * reach) {
        let (above, row, below) = (luma.row(y - reach), luma.row(y), luma.row(y + reach));
        let (from, to) = (left + reach, left + side - reach);
        let across = row[from + reach..].iter().zip(&row[from - reach..to - reach]);
        let down = above[from..to].iter().zip(&below[from..to]);
        for ((&a, &b), (&c, &d)) in across.zip(down) {
            counts[usize::from(a.abs_diff(b).max(c.abs_diff(d)))] += 1;
        }
    }
    counts
}

fn median(values: &mut [f32]) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}
