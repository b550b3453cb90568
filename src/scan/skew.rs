//! How far the lines of a page are turned, by the sharpness of its projection profiles (±8°, and ±16° where nothing
//! is clear there), whether they run across the page or down it.

use crate::scan::ink::{Ink, Mark, Run};

/// The turn of the content, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Skew {
    /// Degrees; positive where the content is turned clockwise.
    pub(super) degrees: f32,
    /// 0 to 1; below 0.3 the page has too few lines to tell.
    pub(super) confidence: f32,
}

/// Lines found across the page and down it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lines {
    /// Turn of the lines that run across.
    pub(super) across: Skew,
    /// Turn of the lines that run down, from upright.
    pub(super) down: Skew,
}

impl Lines {
    /// The turn of whichever lines are the surer.
    pub(super) fn skew(&self) -> Skew {
        if self.are_down() { self.down } else { self.across }
    }

    /// The lines run down the page: it lies on its side.
    pub(super) fn are_down(&self) -> bool {
        self.down.confidence > self.across.confidence
    }

    /// There are lines, and not the same in both directions as a screen or the grain of paper has them.
    pub(super) fn are_sure(&self) -> bool {
        let (sure, other) = (self.skew().confidence, self.across.confidence.min(self.down.confidence));
        sure >= SURE || (sure >= LIKELY && sure - other >= LIKELY_LEAD)
    }
}

const UNKNOWN: Skew = Skew { degrees: 0.0, confidence: 0.0 };
const RANGE: f32 = 8.0;
/// So far it is looked where nothing is clear within [`RANGE`].
const FAR: f32 = 16.0;
/// Confidence that needs no second look: nearly all text has more.
const CLEAR: f32 = 0.8;
/// Confidence from which on lines beyond [`RANGE`] are believed.
const CLEARLY_FAR: f32 = 0.8;
/// Degrees from a peak at which its flank has ended.
const ASIDE: f32 = 2.5;
/// Share of a peak that another may have: of chance it has 0.9 and more.
const NEXT: f32 = 0.85;
/// Confidence of lines that are sure whatever the other direction has.
const SURE: f32 = 0.9;
/// Confidence of lines that are sure where the other direction has [`LIKELY_LEAD`] less.
const LIKELY: f32 = 0.6;
const LIKELY_LEAD: f32 = 0.3;
const COARSE: f32 = 0.5;
const FINE: f32 = 0.05;
const MIN_POINTS: usize = 250;

/// Edges of ink: the pixels at which strokes end, in each of the four directions.
pub(super) struct Edges {
    /// Where strokes end above; `(x, y)`, here and below.
    pub(super) upper: Vec<(u32, u32)>,
    /// Where they end below: letters stand on their line.
    pub(super) lower: Vec<(u32, u32)>,
    /// Where they end to the left.
    pub(super) left: Vec<(u32, u32)>,
    /// Where they end to the right.
    pub(super) right: Vec<(u32, u32)>,
    width: usize,
    height: usize,
}

impl Edges {
    /// Of the marks that may be text; of all marks that do not touch the picture's edge where text is too little.
    pub(super) fn of(ink: &Ink) -> Edges {
        let text: Vec<bool> = ink.marks.iter().map(|m| !ink.at_edge(m) && may_be_text(ink, m)).collect();
        let edges = Edges::chosen(ink, &text);
        if edges.lower.len() >= MIN_POINTS {
            return edges;
        }
        Edges::of_any(ink)
    }

    /// Of all marks that do not touch the picture's edge.
    pub(super) fn of_any(ink: &Ink) -> Edges {
        let any: Vec<bool> = ink.marks.iter().map(|m| !ink.at_edge(m)).collect();
        Edges::chosen(ink, &any)
    }

    fn chosen(ink: &Ink, marks: &[bool]) -> Edges {
        let mut edges = Edges {
            upper: Vec::new(),
            lower: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            width: ink.width,
            height: ink.height,
        };
        // The outer 4% are the scanner's own.
        let (mx, my) = (ink.width / 25, ink.height / 25);
        let inside = |x: u32| (mx..ink.width - mx).contains(&(x as usize));
        for y in my.max(1)..ink.height.saturating_sub(my.max(1)) {
            let row = ink.row(y);
            for run in row.iter().filter(|run| marks[run.mark as usize]) {
                let at = run.y;
                bare(run, ink.row(y - 1), |x| edges.upper.extend(inside(x).then_some((x, at))));
                bare(run, ink.row(y + 1), |x| edges.lower.extend(inside(x).then_some((x, at))));
                edges.left.extend(inside(run.from).then_some((run.from, at)));
                edges.right.extend(inside(run.to - 1).then_some((run.to - 1, at)));
            }
        }
        edges
    }

    /// The lines of both directions.
    pub(super) fn lines(&self) -> Lines {
        let (across, down) = (self.seen(false, &self.lower), self.seen(true, &self.left));
        let (mut rough, mut rough_down) = (roughly(&across), roughly(&down));
        if rough.confidence.max(rough_down.confidence) < CLEAR {
            (rough, rough_down) = (farther(&across, rough), farther(&down, rough_down));
        }
        // Only those lines are measured finely that the page will be judged by.
        if rough_down.confidence > rough.confidence {
            Lines { across: rough, down: finely(&down, rough_down) }
        } else {
            Lines { across: finely(&across, rough), down: rough_down }
        }
    }

    /// How sharp lines of one direction and turn are drawn by some of the edges; comparable between such.
    pub(super) fn sharpness(&self, down: bool, points: &[(u32, u32)], degrees: f32) -> f32 {
        Table::of(&self.seen(down, points), 4, 2).level(degrees)
    }

    fn seen<'a>(&self, down: bool, points: &'a [(u32, u32)]) -> Seen<'a> {
        let (length, depth) = if down { (self.height, self.width) } else { (self.width, self.height) };
        Seen { points, down, length, depth }
    }
}

/// A line of letters, a word, or some lines grown together; not a rule, a frame, a picture or a seal.
pub(super) fn may_be_text(ink: &Ink, mark: &Mark) -> bool {
    let short = mark.short() as f32 / ink.per_mm;
    short >= 1.0 && (short <= 9.0 || (0.12..0.55).contains(&mark.fill()))
}

/// Calls for each pixel of a run that no run of a neighbouring row covers.
fn bare(run: &Run, neighbours: &[Run], mut each: impl FnMut(u32)) {
    let first = neighbours.partition_point(|n| n.to <= run.from);
    let mut at = run.from;
    for other in neighbours[first..].iter().take_while(|n| n.from < run.to) {
        (at..other.from).for_each(&mut each);
        at = at.max(other.to);
    }
    (at..run.to).for_each(&mut each);
}

/// Points as lines see them: along the line, and across it.
struct Seen<'a> {
    points: &'a [(u32, u32)],
    down: bool,
    length: usize,
    depth: usize,
}

impl Seen<'_> {
    /// Along and across. Lines that run down lean the other way when the page turns the same way.
    fn each(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let last = self.length.saturating_sub(1);
        let down = self.down;
        self.points.iter().map(move |&(x, y)| {
            if down { (last.saturating_sub(y as usize), x as usize) } else { (x as usize, y as usize) }
        })
    }
}

/// Counts of points in blocks along the lines and bins across them. One angle is then a sum of shifted rows.
struct Table {
    counts: Vec<u16>,
    bins: usize,
    fineness: usize,
    block: usize,
    length: usize,
}

impl Table {
    fn of(seen: &Seen<'_>, block: usize, fineness: usize) -> Table {
        let bins = seen.depth * fineness;
        let mut counts = vec![0u16; seen.length.div_ceil(block) * bins];
        for (along, across) in seen.each() {
            let at = along / block * bins + across * fineness;
            counts[at] = counts[at].saturating_add(1);
        }
        Table { counts, bins, fineness, block, length: seen.length }
    }

    /// The level at every half degree, with its angle.
    fn levels(&self, from: f32, to: f32) -> Vec<(f32, f32)> {
        let steps = ((to - from) / COARSE) as i32;
        (0..=steps).map(|i| from + i as f32 * COARSE).map(|angle| (self.level(angle), angle)).collect()
    }

    /// Sum of squared steps between neighbouring bins of the profile along one angle.
    fn level(&self, degrees: f32) -> f32 {
        let slope = degrees.to_radians().tan();
        let lift = self.length as f32 / 2.0 * slope.abs() + 1.0;
        let room = (2.0 * lift * self.fineness as f32) as usize + 4;
        let mut profile = vec![0u16; self.bins + room];
        for (index, row) in self.counts.chunks_exact(self.bins.max(1)).enumerate() {
            let middle = (index * self.block) as f32 + (self.block as f32 - self.length as f32) / 2.0;
            let shift = ((lift - middle * slope) * self.fineness as f32).max(0.0) as usize;
            for (sum, &count) in profile[shift.min(room)..].iter_mut().zip(row) {
                *sum = sum.wrapping_add(count);
            }
        }
        // Whole numbers, so that the sums can be taken side by side.
        let step = |a: u16, b: u16| {
            let d = u32::from(a.abs_diff(b));
            u64::from(d.wrapping_mul(d))
        };
        let sum: u64 = match self.fineness {
            1 => profile.iter().zip(&profile[1..]).map(|(&a, &b)| step(a, b)).fold(0, u64::wrapping_add),
            // Two half-pixel bins together, so that the grid of pixels draws no lines of its own.
            _ => {
                let pairs: Vec<u16> =
                    profile.iter().zip(&profile[1..]).map(|(a, b)| a.wrapping_add(*b)).collect();
                pairs.iter().zip(&pairs[2..]).map(|(&a, &b)| step(a, b)).fold(0, u64::wrapping_add)
            }
        };
        sum as f32
    }
}

/// The turn to half a degree.
fn roughly(seen: &Seen<'_>) -> Skew {
    if seen.points.len() < MIN_POINTS {
        return UNKNOWN;
    }
    peak(&Table::of(seen, 8, 1).levels(-RANGE, RANGE), RANGE)
}

/// The same where nothing is clear within the range: lines that are turned further are clear there, and without them
/// the highest of chance is hardly higher than the next.
fn farther(seen: &Seen<'_>, rough: Skew) -> Skew {
    if seen.points.len() < MIN_POINTS {
        return rough;
    }
    let levels = Table::of(seen, 8, 1).levels(-FAR, FAR);
    let far = peak(&levels, FAR);
    if far.degrees.abs() >= RANGE {
        return if far.confidence >= CLEARLY_FAR { far } else { UNKNOWN };
    }
    let best = highest(levels.iter().copied()).0;
    let aside = levels.into_iter().filter(|(_, angle)| (angle - far.degrees).abs() > ASIDE);
    let is_chance = highest(aside).0 > NEXT * best;
    if is_chance { UNKNOWN } else { rough }
}

/// The highest of some levels, and by how much it is higher than most.
fn peak(seen: &[(f32, f32)], range: f32) -> Skew {
    let best = highest(seen.iter().copied());
    let mut levels: Vec<f32> = seen.iter().map(|(level, _)| *level).collect();
    levels.sort_by(f32::total_cmp);
    let middle = levels[levels.len() / 2];
    let confidence = if best.0 > 0.0 { (1.0 - middle / best.0).clamp(0.0, 1.0) } else { 0.0 };
    // A best angle at the end of the range is the flank of something further out.
    Skew { degrees: best.1, confidence: if best.1.abs() < range { confidence } else { 0.0 } }
}

/// The turn to a twentieth of a degree, near one that is roughly known.
fn finely(seen: &Seen<'_>, rough: Skew) -> Skew {
    if rough.confidence <= 0.0 {
        return rough;
    }
    let table = Table::of(seen, 4, 2);
    let near = |middle: f32, steps: i32, step: f32| {
        highest((-steps..=steps).map(|i| middle + i as f32 * step).map(|angle| (table.level(angle), angle)))
    };
    let tenth = near(rough.degrees, (COARSE / (2.0 * FINE)) as i32, 2.0 * FINE);
    Skew { degrees: near(tenth.1, 1, FINE).1, ..rough }
}

fn highest(levels: impl Iterator<Item = (f32, f32)>) -> (f32, f32) {
    levels.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Luma;

    /// Lines of "words" turned by an angle.
    fn text(degrees: f32) -> Luma {
        let (width, height) = (413usize, 585usize);
        let slope = degrees.to_radians().tan();
        let mut page = Luma::new(width, height, vec![235; width * height]).unwrap();
        for line in 0..28 {
            for x in 40..370usize {
                if (x * 7 + line * 13) % 11 > 7 {
                    continue;
                }
                let y = 60.0 + line as f32 * 16.0 + (x as f32 - 206.0) * slope;
                let tall = 3 + (x * 31 + line * 17) % 3;
                for up in 0..tall {
                    let at = (y.round() as usize - up) * width + x;
                    page.data[at] = 60;
                }
            }
        }
        page
    }

    /// The same without the regular steps that could be lines of another turn.
    fn words(degrees: f32) -> Luma {
        let (width, height) = (413usize, 585usize);
        let slope = degrees.to_radians().tan();
        let mut page = Luma::new(width, height, vec![235; width * height]).unwrap();
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        for line in 0..24 {
            let mut x = 40usize;
            while x < 366 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let (wide, tall) = (1 + state as usize % 3, 3 + (state >> 20) as usize % 4);
                for x in x..x + wide {
                    let y = 90.0 + line as f32 * 16.0 + (x as f32 - 206.0) * slope;
                    for up in 0..tall {
                        page.data[(y.round() as usize - up) * width + x] = 60;
                    }
                }
                x += wide + if state >> 40 & 7 == 0 { 4 } else { 1 };
            }
        }
        page
    }

    fn measure(page: &Luma) -> Lines {
        Edges::of(&Ink::of(page, 50.0)).lines()
    }

    #[test]
    fn turned_lines_are_measured_to_a_tenth_of_a_degree() {
        for degrees in [-6.3f32, -2.0, -0.4, 0.0, 0.7, 3.5, 7.2] {
            let skew = measure(&text(degrees)).skew();
            assert!((skew.degrees - degrees).abs() <= 0.15, "{degrees}: {skew:?}");
            assert!(skew.confidence > 0.3, "{degrees}: {skew:?}");
        }
    }

    #[test]
    fn lines_that_are_turned_further_are_found_there() {
        for degrees in [8.0f32, 9.3, -10.0, 12.5, -14.0] {
            let skew = measure(&words(degrees)).skew();
            assert!((skew.degrees - degrees).abs() <= 0.2 && skew.confidence > 0.6, "{degrees}: {skew:?}");
        }
    }

    #[test]
    fn lines_that_run_down_are_turned_the_way_that_the_page_is() {
        for degrees in [-6.3f32, -0.4, 0.0, 3.5] {
            for turns in [1, 3] {
                let lines = measure(&text(degrees).upright(turns, false));
                assert!(lines.are_down(), "{degrees}: {lines:?}");
                assert!((lines.skew().degrees - degrees).abs() <= 0.15, "{degrees}: {lines:?}");
            }
        }
    }

    #[test]
    fn an_empty_page_has_no_confidence() {
        let page = Luma::new(413, 585, vec![235; 413 * 585]).unwrap();
        assert_eq!(measure(&page).skew().confidence, 0.0);
    }

    #[test]
    fn pixels_beside_a_neighbours_run_are_bare() {
        let run = |from, to| Run { y: 0, from, to, mark: 0 };
        let mut seen = Vec::new();
        bare(&run(3, 12), &[run(0, 4), run(6, 8), run(11, 20), run(30, 31)], |x| seen.push(x));
        assert_eq!(seen, [4, 5, 8, 9, 10]);
    }
}
