//! Finder patterns of QR codes: runs of 1:1:3:1:1 along rows, confirmed along columns, their edges placed between
//! pixels by interpolation.

use super::patch::Patch;
use crate::scan::luma::Luma;

/// One finder pattern.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// Its centre.
    pub at: [f32; 2],
    /// A seventh of its width along rows and columns.
    pub unit: f32,
    /// Rows that crossed it.
    hits: u32,
}

/// The finder patterns of a page, the surest first. `threshold` lies midway between ink and paper; every `step`th row
/// is read.
pub fn patterns(luma: &Luma, threshold: u8, step: usize) -> Vec<Pattern> {
    let mut found = Vec::new();
    crossed(luma, threshold, step, &mut found);
    found.sort_by_key(|p| std::cmp::Reverse(p.hits));
    found.truncate(MOST_PATTERNS);
    found
}

/// The finder patterns of a small part of a page, by more means: blur taken back, and three levels, since spread ink
/// and blur close the light rings of small modules.
pub(crate) fn patterns_in(cut: &Patch, soft: &Patch) -> Vec<Pattern> {
    let mut found: Vec<Pattern> = Vec::new();
    let plane = |data: Vec<u8>| Luma { width: cut.width, height: cut.height, data };
    let sharp = plane(cut.sharpened(soft).data);
    for threshold in [128, 96, 160] {
        crossed(&sharp, threshold, 1, &mut found);
        // A code whose level is that far off that none of its three patterns shows is rarer than a page of print.
        if found.is_empty() {
            break;
        }
    }
    found.sort_by_key(|p| std::cmp::Reverse(p.hits));
    found.truncate(MOST_PATTERNS);
    for pattern in &mut found {
        pattern.at = cut.to_page(pattern.at);
    }
    found
}

/// True where three of some finder patterns are about as large as each other.
pub(crate) fn are_three_alike(mut units: Vec<f32>) -> bool {
    units.sort_by(f32::total_cmp);
    units.windows(3).any(|three| three[2] < 1.5 * three[0])
}

fn crossed(luma: &Luma, threshold: u8, step: usize, found: &mut Vec<Pattern>) {
    let mut edges: Vec<u32> = Vec::new();
    let mut rejected = 0usize;
    // Those that rows from here on can still cross: a picture full of patterns must not cost their square.
    let mut live: Vec<usize> = (0..found.len()).collect();
    for y in (0..luma.height).step_by(step.max(1)) {
        let row = &luma.data[y * luma.width..(y + 1) * luma.width];
        edges_of(row, threshold, &mut edges);
        live.retain(|at| found[*at].at[1] + 2.0 * found[*at].unit >= y as f32);
        // Even entries open a dark run: dark, light, dark, light, dark.
        for six in edges.windows(6).step_by(2) {
            let run = |i: usize| (six[i + 1] - six[i]) as f32;
            let total = (six[5] - six[0]) as f32;
            let unit = total / 7.0;
            let slack = (0.6 * unit).max(1.3);
            let thin = [0, 1, 3, 4].iter().all(|i| (run(*i) - unit).abs() < slack);
            if unit < 1.2 || !thin || (run(2) - 3.0 * unit).abs() > slack * 1.5 {
                continue;
            }
            let x = (six[2] + six[3]) as f32 / 2.0 - 0.5;
            if let Some(&old) = live.iter().find(|at| near(&found[**at], [x, y as f32])) {
                found[old].hits += 1;
                continue;
            }
            if rejected > MOST_REJECTED {
                return;
            }
            match confirm(luma, threshold, x, y as f32, unit) {
                Some(pattern) => match live.iter().find(|at| near(&found[**at], pattern.at)) {
                    Some(&old) => found[old].hits += 1,
                    None => {
                        live.push(found.len());
                        found.push(pattern);
                    }
                },
                None => rejected += 1,
            }
        }
    }
}

/// Where a row turns dark and light again: even entries open a dark run.
pub(crate) fn edges_of(row: &[u8], threshold: u8, edges: &mut Vec<u32>) {
    edges.clear();
    let mut before = 0u64;
    let mut take = |mask: u64, start: usize| {
        // A bit is set where a pixel differs from the one before it.
        let mut turns = mask ^ (mask << 1 | before);
        before = mask >> 63;
        while turns != 0 {
            edges.push((start + turns.trailing_zeros() as usize) as u32);
            turns &= turns - 1;
        }
    };
    let mut words = row.chunks_exact(64);
    let mut start = 0;
    for word in &mut words {
        take(darkness(word, threshold), start);
        start += 64;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let mut padded = [255u8; 64];
        padded[..rest.len()].copy_from_slice(rest);
        let mut mask = darkness(&padded, threshold);
        if threshold == 255 {
            mask &= (1 << rest.len()) - 1;
        }
        take(mask, start);
    }
    // A dark run that reaches the rim of the page has no end there.
    edges.retain(|x| (*x as usize) < row.len());
}

/// One bit a pixel, the first lowest: set where it is darker than `threshold`.
fn darkness(word: &[u8], threshold: u8) -> u64 {
    let mut mask = 0u64;
    for (at, eight) in word.chunks_exact(8).enumerate() {
        let mut flags = [0u8; 8];
        for (flag, p) in flags.iter_mut().zip(eight) {
            *flag = u8::from(*p < threshold);
        }
        // Eight bytes of 0 or 1 are gathered to eight bits by one multiplication.
        let bits = u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * at);
    }
    mask
}

fn near(pattern: &Pattern, at: [f32; 2]) -> bool {
    let gap = [pattern.at[0] - at[0], pattern.at[1] - at[1]];
    gap[0].abs() < 2.0 * pattern.unit && gap[1].abs() < 2.0 * pattern.unit
}

/// Measures a proposed pattern along its column and its row, twice.
fn confirm(luma: &Luma, threshold: u8, x: f32, y: f32, unit: f32) -> Option<Pattern> {
    let (y, tall) = cross(luma, threshold, x, y, unit, false)?;
    let (x, wide) = cross(luma, threshold, x, y, unit, true)?;
    let (y, tall_again) = cross(luma, threshold, x, y, unit, false)?;
    let tall = (tall + tall_again) / 2.0;
    let alike = tall < 1.4 * wide && wide < 1.4 * tall;
    alike.then_some(Pattern { at: [x, y], unit: (wide + tall) / 2.0, hits: 1 })
}

/// Walks from the core both ways over three edges; gives the middle and a seventh of the whole.
fn cross(luma: &Luma, threshold: u8, x: f32, y: f32, unit: f32, across: bool) -> Option<(f32, f32)> {
    let (xi, yi) = (x.round() as usize, y.round() as usize);
    if xi >= luma.width || yi >= luma.height {
        return None;
    }
    let (start, end) = if across { (xi, luma.width) } else { (yi, luma.height) };
    let value = |at: usize| {
        let at = if across { yi * luma.width + at } else { at * luma.width + xi };
        f32::from(luma.data[at])
    };
    let level = f32::from(threshold);
    let reach = (unit * 8.0) as usize + 4;
    if value(start) >= level {
        return None;
    }
    let walk = |forth: bool| -> Option<[f32; 3]> {
        let mut edges = [0f32; 3];
        let mut count = 0usize;
        let mut at = start;
        for _ in 0..reach {
            let next = if forth { at + 1 } else { at.checked_sub(1)? };
            if next >= end {
                return None;
            }
            let (a, b) = (value(at), value(next));
            if (a < level) != (b < level) {
                let share = (level - a) / (b - a);
                edges[count] = if forth { at as f32 + share } else { at as f32 - share };
                count += 1;
                if count == 3 {
                    return Some(edges);
                }
            }
            at = next;
        }
        None
    };
    let (forth, back) = (walk(true)?, walk(false)?);
    let seventh = (forth[2] - back[2]) / 7.0;
    let close = |run: f32, want: f32, slack: f32| (run - want).abs() < slack * seventh;
    let fits = close(forth[0] - back[0], 3.0 * seventh, 0.9)
        && close(forth[1] - forth[0], seventh, 0.55)
        && close(forth[2] - forth[1], seventh, 0.55)
        && close(back[0] - back[1], seventh, 0.55)
        && close(back[1] - back[2], seventh, 0.55);
    let middle = (forth[2] + back[2]) / 4.0 + (forth[0] + back[0]) / 4.0;
    fits.then_some((middle, seventh))
}

/// Patterns that are combined; halftone prints make hundreds that mean nothing. Those of 130 codes.
const MOST_PATTERNS: usize = 400;
/// Proposals that may fail before the search of a page ends.
const MOST_REJECTED: usize = 20_000;
