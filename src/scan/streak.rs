//! Lines that the feeder draws: dust on its glass marks every row of the page at one place.
//!
//! What tells them from a printed rule is that they run on through the margins, from edge to edge of the sheet,
//! where no printer prints, and that they are thin.

use crate::scan::Luma;
use crate::scan::ink::percentile;

/// The streaks of one direction: their places across the plane, in its pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Streaks {
    /// Places of lines that run down the plane.
    pub(super) columns: Vec<usize>,
    /// Places of lines that run across it.
    pub(super) rows: Vec<usize>,
}

impl Streaks {
    /// The same on a plane so many times as large.
    pub(super) fn enlarged(&self, times: usize) -> Streaks {
        let all = |places: &[usize]| places.iter().map(|at| at * times).collect();
        Streaks { columns: all(&self.columns), rows: all(&self.rows) }
    }
}

/// Least step between a streak and the paper beside it, of 255. Paper and JPEG are quieter than this in the mean
/// of 2 x 2, and a row that noise hides is one of many.
const STEP: u8 = 6;
/// Bands along the line. It must be seen in the two outer ones, where no printer prints, and in most others.
const BANDS: usize = 24;
/// Share of the bands in which it is seen.
const SEEN: f32 = 0.8;
/// Millimetres at the sides that show the sheet's own edge, and the scanner's.
const SIDE_MM: f32 = 6.0;

/// Looks for streaks on a plane of 80 to 160 dpi.
pub(super) fn find(plane: &Luma, dpi: f32) -> Streaks {
    let per_mm = (dpi / 25.4).max(0.1);
    let mut counts = [0u32; 256];
    for y in (0..plane.height).step_by(16) {
        plane.row(y).iter().for_each(|&s| counts[usize::from(s)] += 1);
    }
    // A row counts where both sides of the place are paper: what is printed across a streak says nothing.
    let bright = (f32::from(percentile(&counts, 0.8)) * 0.75) as u8;
    Streaks { columns: columns(plane, per_mm, bright), rows: rows(plane, per_mm, bright) }
}

/// Neighbours 0.75 mm away: a streak is thinner, and so is the paper's shadow beside it.
fn reach(per_mm: f32) -> usize {
    ((0.75 * per_mm).round() as usize).max(2)
}

/// What is seen of a streak in one band: the places at which it can be seen, and those at which it is.
#[derive(Clone, Copy, PartialEq)]
enum Sight {
    Seen,
    Hidden,
    Missing,
}

impl Sight {
    fn of(seen: u32, clear: u32, all: u32) -> Sight {
        match clear * 4 >= all {
            true if seen * 4 >= clear * 3 => Sight::Seen,
            // Half of them still: a streak that noise all but hides.
            true if seen * 2 < clear => Sight::Missing,
            _ => Sight::Hidden,
        }
    }
}

/// Bands seen, or none where one of them, or an end, has nothing.
#[derive(Clone, Copy)]
struct Tally {
    seen: u8,
    broken: bool,
}

impl Tally {
    fn add(&mut self, band: usize, sight: Sight) {
        let is_end = band == 0 || band + 1 == BANDS;
        self.seen += u8::from(sight == Sight::Seen);
        self.broken |= sight == Sight::Missing || (is_end && sight != Sight::Seen);
    }

    fn is_streak(self) -> bool {
        !self.broken && f32::from(self.seen) >= SEEN * BANDS as f32
    }
}

fn columns(plane: &Luma, per_mm: f32, bright: u8) -> Vec<usize> {
    let reach = reach(per_mm);
    let (width, height) = (plane.width, plane.height);
    if width < 8 * reach || height < 4 * BANDS {
        return Vec::new();
    }
    // Every second row is enough to see a line, and no band has more than a byte can count.
    let every = (if height > 600 { 2 } else { 1 }).max(height.div_ceil(200 * BANDS));
    let mut tallies = vec![Tally { seen: 0, broken: false }; width - 2 * reach];
    for band in 0..BANDS {
        let (from, to) = (band * height / BANDS, (band + 1) * height / BANDS);
        let mut seen = vec![0u8; tallies.len()];
        let mut clear = vec![0u8; tallies.len()];
        for y in (from..to).step_by(every) {
            let row = plane.row(y);
            let sides = row.iter().zip(&row[2 * reach..]);
            let sums = seen.iter_mut().zip(clear.iter_mut());
            for (((seen, clear), &here), (&left, &right)) in sums.zip(&row[reach..]).zip(sides) {
                let side = left.min(right);
                let is_clear = u8::from(side >= bright);
                *clear = clear.wrapping_add(is_clear);
                *seen = seen.wrapping_add(is_clear & u8::from(side.saturating_sub(here) >= STEP));
            }
        }
        let all = (to - from).div_ceil(every) as u32;
        for (tally, (seen, clear)) in tallies.iter_mut().zip(seen.into_iter().zip(clear)) {
            tally.add(band, Sight::of(seen.into(), clear.into(), all));
        }
    }
    let margin = ((SIDE_MM * per_mm) as usize).saturating_sub(reach);
    let count = tallies.len();
    let inside = |x: usize| x >= margin && x + margin < count;
    let found: Vec<bool> = tallies.iter().enumerate().map(|(x, t)| inside(x) && t.is_streak()).collect();
    thin(&found, per_mm).map(|x| x + reach).collect()
}

fn rows(plane: &Luma, per_mm: f32, bright: u8) -> Vec<usize> {
    let reach = reach(per_mm);
    let (width, height) = (plane.width, plane.height);
    if height < 8 * reach || width < 4 * BANDS {
        return Vec::new();
    }
    let margin = ((SIDE_MM * per_mm) as usize).max(reach);
    let found: Vec<bool> = (0..height)
        .map(|y| {
            if y < margin || y + margin >= height {
                return false;
            }
            let (above, row, below) = (plane.row(y - reach), plane.row(y), plane.row(y + reach));
            let mut tally = Tally { seen: 0, broken: false };
            // The outer bands first: hardly any row has anything there.
            for band in [0, BANDS - 1].into_iter().chain(1..BANDS - 1) {
                let (from, to) = (band * width / BANDS, (band + 1) * width / BANDS);
                let (mut seen, mut clear) = (0u32, 0u32);
                for ((&a, &here), &b) in above[from..to].iter().zip(&row[from..to]).zip(&below[from..to]) {
                    let side = a.min(b);
                    clear += u32::from(side >= bright);
                    seen += u32::from(side >= bright && side.saturating_sub(here) >= STEP);
                }
                tally.add(band, Sight::of(seen, clear, (to - from) as u32));
                if tally.broken {
                    return false;
                }
            }
            tally.is_streak()
        })
        .collect();
    thin(&found, per_mm).collect()
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
