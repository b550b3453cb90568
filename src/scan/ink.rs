//! Where a page is inked: a small plane of 50 to 100 dpi, its paper level, and the connected marks on it.

use crate::scan::Luma;

/// How much of the paper's light is missing, 0 to 255, at a resolution of 50 to 100 dpi.
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
    /// Mark number + 1 of each pixel, 0 for paper.
    pub(super) labels: Vec<u32>,
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
}

/// A pixel is inked from this share of missing light on (0.12).
pub(super) const INKED: u8 = 30;
/// Side of the squares whose brightest tenth is taken for paper.
const TILE: usize = 32;

impl Ink {
    /// From a plane already brought down to 50 to 100 dpi.
    pub(super) fn of(small: &Luma, dpi: f32) -> Ink {
        let (width, height) = (small.width, small.height);
        let (across, down) = (width.div_ceil(TILE), height.div_ceil(TILE));
        let mut levels: Vec<u8> = Vec::with_capacity(across * down);
        for ty in 0..down {
            for tx in 0..across {
                let mut counts = [0u32; 256];
                let (from, to) = (tx * TILE, ((tx + 1) * TILE).min(width));
                for y in ty * TILE..((ty + 1) * TILE).min(height) {
                    small.row(y)[from..to].iter().for_each(|&s| counts[usize::from(s)] += 1);
                }
                levels.push(percentile(&counts, 0.9));
            }
        }
        let mut sorted = levels.clone();
        sorted.sort_unstable();
        // Three quarters up: pages lie on dark tables, and pictures are printed on them.
        let paper = sorted[(sorted.len() * 3 / 4).min(sorted.len() - 1)];
        // Shadows reach down to 60% of the paper's light; what is darker over a whole tile is ink.
        let floor = (f32::from(paper) * 0.6) as u8;
        let scale: Vec<u32> = levels.iter().map(|&l| (255 << 16) / u32::from(l.max(floor).max(1))).collect();
        let mut strength = Vec::with_capacity(width * height);
        for y in 0..height {
            for (tx, run) in small.row(y).chunks(TILE).enumerate() {
                let scale = scale[(y / TILE) * across + tx];
                strength.extend(run.iter().map(|&s| 255 - ((u32::from(s) * scale) >> 16).min(255) as u8));
            }
        }
        let (marks, labels) = label(width, height, &strength);
        Ink { width, height, per_mm: (dpi / 25.4).max(0.1), strength, paper, marks, labels }
    }

    /// True where a mark touches the edge of the picture.
    pub(super) fn at_edge(&self, mark: &Mark) -> bool {
        mark.left == 0 || mark.top == 0 || mark.right + 1 == self.width || mark.bottom + 1 == self.height
    }
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

/// Marks of eight-connected inked pixels, and which pixel belongs to which.
fn label(width: usize, height: usize, strength: &[u8]) -> (Vec<Mark>, Vec<u32>) {
    let mut labels = vec![0u32; strength.len()];
    let mut marks = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for start in 0..strength.len() {
        if strength[start] < INKED || labels[start] != 0 {
            continue;
        }
        let number = marks.len() as u32 + 1;
        let (x, y) = (start % width, start / width);
        let mut mark = Mark { left: x, top: y, right: x, bottom: y, area: 0, peak: 0 };
        labels[start] = number;
        open.push(start);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            mark.left = mark.left.min(x);
            mark.right = mark.right.max(x);
            mark.top = mark.top.min(y);
            mark.bottom = mark.bottom.max(y);
            mark.area += 1;
            mark.peak = mark.peak.max(strength[at]);
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if strength[next] >= INKED && labels[next] == 0 {
                        labels[next] = number;
                        open.push(next);
                    }
                }
            }
        }
        marks.push(mark);
    }
    (marks, labels)
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
        assert_eq!(ink.marks[0].height(), 10);
    }
}
