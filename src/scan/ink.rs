//! Where a page is inked: a small plane of 40 to 80 dpi, its paper level, and the connected marks on it.

use crate::scan::Luma;

/// How much of the paper's light is missing, 0 to 255, at a resolution of 40 to 80 dpi.
pub(super) struct Ink {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Pixels of this plane in a millimetre.
    pub(super) per_mm: f32,
    pub(super) strength: Vec<u8>,
    /// Light of the paper, 0 to 255.
    pub(super) paper: u8,
    /// Connected marks.
    pub(super) marks: Vec<Mark>,
    /// Inked stretches of rows, top to bottom and left to right.
    pub(super) runs: Vec<Run>,
    /// Where the runs of each row begin, and one more: where the last row's end.
    rows: Vec<usize>,
}

/// An unbroken inked stretch of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) y: u32,
    pub(super) from: u32,
    /// One behind the last.
    pub(super) to: u32,
    /// Index of its mark.
    pub(super) mark: u32,
}

/// One connected mark; the box is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
    pub(super) area: usize,
    pub(super) peak: u8,
}

impl Mark {
    pub(super) fn width(&self) -> usize {
        self.right - self.left + 1
    }

    pub(super) fn height(&self) -> usize {
        self.bottom - self.top + 1
    }

    /// The longer side of its box.
    pub(super) fn long(&self) -> usize {
        self.width().max(self.height())
    }

    /// The shorter side of its box.
    pub(super) fn short(&self) -> usize {
        self.width().min(self.height())
    }

    /// Share of its box that is inked.
    pub(super) fn fill(&self) -> f32 {
        self.area as f32 / (self.width() * self.height()) as f32
    }

    fn joined(&self, other: &Mark) -> Mark {
        Mark {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
            area: self.area + other.area,
            peak: self.peak.max(other.peak),
        }
    }
}

/// A pixel is inked from this share of missing light on (0.12).
pub(super) const INKED: u8 = 30;
/// Side of the squares whose brightest tenth is taken for paper.
const TILE: usize = 32;

impl Ink {
    /// From a plane already brought down to 40 to 80 dpi.
    pub(super) fn of(small: &Luma, dpi: f32) -> Ink {
        let (width, height) = (small.width, small.height);
        let (across, levels) = tile_levels(small);
        let mut sorted = levels.clone();
        sorted.sort_unstable();
        // Three quarters up: pages lie on dark tables, and pictures are printed on them.
        let paper = sorted[(sorted.len() * 3 / 4).min(sorted.len() - 1)];
        // Shadows reach down to 60% of the paper's light; what is darker over a whole tile is ink.
        let floor = (f32::from(paper) * 0.6) as u8;
        let scale: Vec<u32> = levels.iter().map(|&l| (255 << 16) / u32::from(l.max(floor).max(1))).collect();
        let mut strength = vec![0u8; width * height];
        for (y, row) in strength.chunks_exact_mut(width).enumerate() {
            let scales = &scale[(y / TILE) * across..];
            for ((out, run), &scale) in row.chunks_mut(TILE).zip(small.row(y).chunks(TILE)).zip(scales) {
                for (out, &s) in out.iter_mut().zip(run) {
                    *out = 255 - (u32::from(s).wrapping_mul(scale) >> 16).min(255) as u8;
                }
            }
        }
        let (runs, rows, marks) = marks(width, &strength);
        Ink { width, height, per_mm: (dpi / 25.4).max(0.1), strength, paper, marks, runs, rows }
    }

    /// The inked stretches of one row; none beyond the last.
    pub(super) fn row(&self, y: usize) -> &[Run] {
        match (self.rows.get(y), self.rows.get(y + 1)) {
            (Some(&from), Some(&to)) => &self.runs[from..to],
            _ => &[],
        }
    }

    /// True where a mark touches the edge of the picture.
    pub(super) fn at_edge(&self, mark: &Mark) -> bool {
        mark.left == 0 || mark.top == 0 || mark.right + 1 == self.width || mark.bottom + 1 == self.height
    }
}

/// Squares in a row of squares, and the paper level of each.
fn tile_levels(small: &Luma) -> (usize, Vec<u8>) {
    let (across, down) = (small.width.div_ceil(TILE), small.height.div_ceil(TILE));
    let mut levels: Vec<u8> = Vec::with_capacity(across * down);
    for ty in 0..down {
        for tx in 0..across {
            let mut counts = [0u32; 256];
            let (from, to) = (tx * TILE, ((tx + 1) * TILE).min(small.width));
            // Every second row shows the paper as well as all do.
            for y in (ty * TILE..((ty + 1) * TILE).min(small.height)).step_by(2) {
                small.row(y)[from..to].iter().for_each(|&s| counts[usize::from(s)] += 1);
            }
            levels.push(percentile(&counts, 0.9));
        }
    }
    (across, levels)
}

/// The level below which a share of the counted samples lies.
pub(super) fn percentile(counts: &[u32; 256], share: f32) -> u8 {
    let total: u32 = counts.iter().sum();
    let wanted = (total as f32 * share) as u32;
    let mut seen = 0u32;
    for (level, count) in counts.iter().enumerate() {
        seen += count;
        if seen > wanted {
            return level as u8;
        }
    }
    255
}

/// Runs, where the runs of each row begin, and the eight-connected marks that they make up. Each run is joined to
/// those it touches in the row above, so that noise costs what text costs: once over the runs.
fn marks(width: usize, strength: &[u8]) -> (Vec<Run>, Vec<usize>, Vec<Mark>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut rows: Vec<usize> = vec![0];
    let mut parts: Vec<Mark> = Vec::new();
    let mut parents: Vec<u32> = Vec::new();
    let mut above = 0usize;
    for (y, row) in strength.chunks_exact(width).enumerate() {
        let start = runs.len();
        let mut at = 0usize;
        let mut touching = above;
        while let Some(gap) = first_inked(&row[at..]) {
            let from = at + gap;
            let length = row[from..].iter().position(|&s| s < INKED).unwrap_or(row.len() - from);
            let to = from + length;
            at = to;
            let peak = row[from..to].iter().copied().max().unwrap_or(0);
            let number = runs.len() as u32;
            runs.push(Run { y: y as u32, from: from as u32, to: to as u32, mark: number });
            parts.push(Mark { left: from, top: y, right: to - 1, bottom: y, area: length, peak });
            parents.push(number);
            // A run above that ends before this one begins ends before all that follow, too.
            while touching < start && (runs[touching].to as usize) < from {
                touching += 1;
            }
            let mut next = touching;
            while next < start && (runs[next].from as usize) <= to {
                join(&mut parents, next as u32, number);
                next += 1;
            }
            if at >= row.len() {
                break;
            }
        }
        rows.push(runs.len());
        above = start;
    }
    let mut numbers: Vec<u32> = vec![u32::MAX; runs.len()];
    let mut marks: Vec<Mark> = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let root = root(&mut parents, i as u32) as usize;
        if numbers[root] == u32::MAX {
            numbers[root] = marks.len() as u32;
            marks.push(*part);
        } else {
            let mark = &mut marks[numbers[root] as usize];
            *mark = mark.joined(part);
        }
        runs[i].mark = numbers[root];
    }
    (runs, rows, marks)
}

/// The first inked pixel; paper is passed over by the vector.
fn first_inked(row: &[u8]) -> Option<usize> {
    const STEP: usize = 16;
    let clean = row
        .chunks_exact(STEP)
        .position(|part| part.iter().fold(0, |darkest: u8, &s| darkest.max(s)) >= INKED)
        .unwrap_or(row.len() / STEP);
    let from = clean * STEP;
    row[from..].iter().position(|&s| s >= INKED).map(|gap| from + gap)
}

fn root(parents: &mut [u32], mut of: u32) -> u32 {
    while parents[of as usize] != of {
        let above = parents[parents[of as usize] as usize];
        parents[of as usize] = above;
        of = above;
    }
    of
}

/// The elder of the two stays root, so that marks are numbered from the top.
fn join(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_strokes_are_two_marks_and_a_shadow_is_none() {
        let mut plane = Luma::new(100, 60, vec![230; 6_000]).unwrap();
        for y in 0..60 {
            for x in 60..100 {
                plane.data[y * 100 + x] = 206;
            }
        }
        for y in 10..20 {
            plane.data[y * 100 + 20] = 40;
            plane.data[y * 100 + 24] = 40;
        }
        let ink = Ink::of(&plane, 50.0);
        assert_eq!(ink.marks.len(), 2);
        assert_eq!((ink.marks[0].height(), ink.marks[0].area), (10, 10));
    }

    #[test]
    fn a_mark_is_one_however_its_branches_meet() {
        // Two teeth, joined only by the bar below them, and a dot that touches by its corner.
        let drawing = ["#...#.", "#...#.", "#####.", ".....#", "......", "#....."];
        let strength: Vec<u8> =
            drawing.iter().flat_map(|r| r.bytes().map(|b| if b == b'#' { 200 } else { 0 })).collect();
        let (runs, rows, marks) = marks(6, &strength);
        assert_eq!((runs.len(), rows.len(), marks.len()), (7, 7, 2));
        let joined = Mark { left: 0, top: 0, right: 5, bottom: 3, area: 10, peak: 200 };
        assert_eq!(marks[0], joined);
        assert_eq!(marks[1].area, 1);
        assert_eq!(runs.iter().map(|r| r.mark).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_checkerboard_is_one_mark() {
        let strength: Vec<u8> =
            (0..10_000).map(|i| if (i % 100 + i / 100) % 2 == 0 { 255 } else { 0 }).collect();
        let (_, _, marks) = marks(100, &strength);
        assert_eq!(marks.iter().map(|m| m.area).collect::<Vec<_>>(), [5_000]);
    }
}
