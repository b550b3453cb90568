//! Lines that the feeder draws: dust on its glass marks every row of the page at one place.
//!
//! What tells them from a printed rule is that they run on through the margins, from edge to edge of the sheet,
//! where no printer prints, and that they are thin.

use crate::scan::Luma;

/// The streaks of one direction: their places across the plane, in its pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Streaks {
    /// Places of lines that run down the plane.
    pub(super) columns: Vec<usize>,
    /// Places of lines that run across it.
    pub(super) rows: Vec<usize>,
}

/// Least step between a streak and the paper beside it, of 255. Paper and JPEG are quieter than this in the mean
/// of 2 x 2, and a row that noise hides is one of many.
const STEP: u8 = 6;
/// Share of the rows at which a streak is seen.
const SEEN: f32 = 0.8;
/// Bands along the line: in each of them it must be seen, in the outer ones as well as in the middle.
const BANDS: usize = 24;
/// Millimetres at the sides that show the sheet's own edge, and the scanner's.
const SIDE_MM: f32 = 6.0;

/// Looks for streaks on a plane of 100 to 200 dpi.
pub(super) fn find(plane: &Luma, dpi: f32) -> Streaks {
    let per_mm = (dpi / 25.4).max(0.1);
    Streaks { columns: columns(plane, per_mm), rows: rows(plane, per_mm) }
}

/// Neighbours 0.75 mm away: a streak is thinner, and so is the paper's shadow beside it.
fn reach(per_mm: f32) -> usize {
    ((0.75 * per_mm).round() as usize).max(2)
}

fn columns(plane: &Luma, per_mm: f32) -> Vec<usize> {
    let reach = reach(per_mm);
    let (width, height) = (plane.width, plane.height);
    if width < 8 * reach || height < 4 * BANDS {
        return Vec::new();
    }
    // Every second row is enough to see a line, and no band has more than a byte can count.
    let every = (if height > 600 { 2 } else { 1 }).max(height.div_ceil(200 * BANDS));
    let mut good = vec![0u8; width - 2 * reach];
    let mut weakest = vec![u8::MAX; good.len()];
    for band in 0..BANDS {
        let (from, to) = (band * height / BANDS, (band + 1) * height / BANDS);
        let mut darker = vec![0u8; good.len()];
        let mut lighter = vec![0u8; good.len()];
        let mut count = 0u32;
        for y in (from..to).step_by(every) {
            let row = plane.row(y);
            count += 1;
            let sides = row.iter().zip(&row[2 * reach..]);
            let sums = darker.iter_mut().zip(lighter.iter_mut());
            for (((darker, lighter), &here), (&left, &right)) in sums.zip(&row[reach..]).zip(sides) {
                *darker += u8::from(left.min(right).saturating_sub(here) >= STEP);
                *lighter += u8::from(here.saturating_sub(left.max(right)) >= STEP);
            }
        }
        let sums = darker.into_iter().zip(lighter);
        for ((good, weakest), (darker, lighter)) in good.iter_mut().zip(weakest.iter_mut()).zip(sums) {
            let share = (u32::from(darker.max(lighter)) * 100 / count.max(1)) as u8;
            *good += u8::from(share >= 75);
            *weakest = (*weakest).min(share);
        }
    }
    let margin = ((SIDE_MM * per_mm) as usize).saturating_sub(reach);
    let is_streak: Vec<bool> = (0..good.len())
        .map(|x| {
            x >= margin
                && x + margin < good.len()
                && f32::from(good[x]) >= SEEN * BANDS as f32
                && weakest[x] >= 25
        })
        .collect();
    thin(&is_streak, per_mm).map(|x| x + reach).collect()
}

fn rows(plane: &Luma, per_mm: f32) -> Vec<usize> {
    let reach = reach(per_mm);
    let (width, height) = (plane.width, plane.height);
    if height < 8 * reach || width < 4 * BANDS {
        return Vec::new();
    }
    let margin = (SIDE_MM * per_mm) as usize;
    let is_streak: Vec<bool> = (0..height)
        .map(|y| {
            if y < margin.max(reach) || y + margin.max(reach) >= height {
                return false;
            }
            let (above, row, below) = (plane.row(y - reach), plane.row(y), plane.row(y + reach));
            let share = |from: usize, to: usize| {
                let (mut darker, mut lighter) = (0u32, 0u32);
                for ((&a, &here), &b) in above[from..to].iter().zip(&row[from..to]).zip(&below[from..to]) {
                    darker += u32::from(a.min(b).saturating_sub(here) >= STEP);
                    lighter += u32::from(here.saturating_sub(a.max(b)) >= STEP);
                }
                darker.max(lighter) * 100 / (to - from) as u32
            };
            // The outer bands first: hardly any row has anything there.
            let band = |i: usize| share(i * width / BANDS, (i + 1) * width / BANDS);
            band(0) >= 25 && band(BANDS - 1) >= 25 && {
                let shares: Vec<u32> = (0..BANDS).map(band).collect();
                let good = shares.iter().filter(|&&s| s >= 75).count();
                good as f32 >= SEEN * BANDS as f32 && shares.iter().all(|&s| s >= 25)
            }
        })
        .collect();
    thin(&is_streak, per_mm).collect()
}

/// The middles of groups that are thin enough for a streak: at most 1 mm.
fn thin(found: &[bool], per_mm: f32) -> impl Iterator<Item = usize> {
    let most = (per_mm.ceil() as usize).max(3);
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for (at, _) in found.iter().enumerate().filter(|(_, found)| **found) {
        match groups.last_mut() {
            Some((_, to)) if at <= *to + 2 => *to = at,
            _ => groups.push((at, at)),
        }
    }
    groups.into_iter().filter(move |(from, to)| to - from < most).map(|(from, to)| (from + to) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A4 at 100 dpi, paper with a little noise.
    fn paper() -> Luma {
        let mut state = 1u32;
        let data = (0..827 * 1169)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                232 + (state >> 24) as u8 % 5
            })
            .collect();
        Luma::new(827, 1169, data).unwrap()
    }

    fn put(page: &mut Luma, x: usize, y: usize, w: usize, h: usize, level: u8) {
        for row in y..y + h {
            page.data[row * page.width + x..row * page.width + x + w].fill(level);
        }
    }

    #[test]
    fn a_pale_line_from_edge_to_edge_is_a_streak_in_both_directions() {
        let mut page = paper();
        put(&mut page, 400, 0, 1, 1169, 222);
        put(&mut page, 500, 0, 2, 1169, 90);
        assert_eq!(find(&page, 100.0).columns, [400, 500]);
        let found = find(&page.upright(1, false), 100.0);
        assert_eq!((found.columns.len(), found.rows), (0, vec![400, 500]));
    }

    #[test]
    fn a_streak_is_seen_through_the_text_that_it_crosses() {
        let mut page = paper();
        for line in 0..50 {
            for x in (80..740).step_by(5) {
                put(&mut page, x, 100 + line * 20, 2, 8, 40);
            }
        }
        assert_eq!(find(&page, 100.0), Streaks::default());
        put(&mut page, 403, 0, 1, 1169, 180);
        assert_eq!(find(&page, 100.0).columns, [403]);
    }

    #[test]
    fn rules_frames_and_borders_are_no_streaks() {
        let mut page = paper();
        // A frame 15 mm inside, a shadow along the left edge, a band of grey.
        put(&mut page, 60, 60, 2, 1050, 30);
        put(&mut page, 760, 60, 2, 1050, 30);
        put(&mut page, 60, 60, 700, 2, 30);
        put(&mut page, 5, 0, 2, 1169, 60);
        put(&mut page, 300, 0, 40, 1169, 200);
        assert_eq!(find(&page, 100.0), Streaks::default());
    }
}
