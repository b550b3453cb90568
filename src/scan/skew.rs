//! How far the lines of a page are turned, by the sharpness of its projection profile (±8°).

use crate::scan::ink::{INKED, Ink};

/// The turn of the content, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Skew {
    /// Degrees; positive where the content is turned clockwise.
    pub(super) degrees: f32,
    /// 0 to 1; below 0.3 the page has too few lines to tell.
    pub(super) confidence: f32,
}

const RANGE: f32 = 8.0;
const COARSE: f32 = 0.5;
const FINE: f32 = 0.05;
/// Points read; a dense page is thinned evenly.
const MAX_POINTS: usize = 24_000;
const MIN_POINTS: usize = 250;
/// Bins a pixel.
const BINS: f32 = 2.0;

/// Measures the lower edges of all marks that do not touch the picture's edge.
pub(super) fn measure(ink: &Ink) -> Skew {
    let points = lower_edges(ink);
    if points.len() < MIN_POINTS {
        return Skew { degrees: 0.0, confidence: 0.0 };
    }
    let steps = (2.0 * RANGE / COARSE) as i32;
    let coarse: Vec<(f32, f32)> = (0..=steps)
        .map(|i| -RANGE + i as f32 * COARSE)
        .map(|angle| (sharpness(&points, ink, angle), angle))
        .collect();
    let best = coarse.iter().copied().fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    let fine = (COARSE / FINE) as i32;
    let best = (-fine..=fine)
        .map(|i| best.1 + i as f32 * FINE)
        .map(|angle| (sharpness(&points, ink, angle), angle))
        .fold((0.0, 0.0), |a: (f32, f32), b| if b.0 > a.0 { b } else { a });
    let mut levels: Vec<f32> = coarse.iter().map(|(level, _)| *level).collect();
    levels.sort_by(f32::total_cmp);
    let middle = levels[levels.len() / 2];
    let confidence = if best.0 > 0.0 { (1.0 - middle / best.0).clamp(0.0, 1.0) } else { 0.0 };
    // A best angle at the end of the range is the flank of something further out.
    let inside = best.1.abs() < RANGE - FINE;
    Skew { degrees: best.1, confidence: if inside { confidence } else { 0.0 } }
}

/// Inked pixels above paper, centre of the picture as origin.
fn lower_edges(ink: &Ink) -> Vec<(f32, f32)> {
    let (mx, my) = (ink.width / 25, ink.height / 25);
    let edge: Vec<bool> = ink.marks.iter().map(|m| ink.at_edge(m)).collect();
    let mut points = Vec::new();
    for y in my..ink.height.saturating_sub(my + 1) {
        for x in mx..ink.width.saturating_sub(mx) {
            let at = y * ink.width + x;
            let label = ink.labels[at];
            if label != 0 && ink.strength[at + ink.width] < INKED && !edge[label as usize - 1] {
                points.push((x as f32 - ink.width as f32 / 2.0, y as f32));
            }
        }
    }
    let every = points.len().div_ceil(MAX_POINTS).max(1);
    points.into_iter().step_by(every).collect()
}

/// Sum of squared steps between neighbouring bins of the profile along one angle.
fn sharpness(points: &[(f32, f32)], ink: &Ink, degrees: f32) -> f32 {
    let slope = degrees.to_radians().tan();
    let lift = ink.width as f32 / 2.0 * slope.abs() + 1.0;
    let mut bins = vec![0u32; ((ink.height as f32 + 2.0 * lift) * BINS) as usize + 2];
    let last = bins.len() - 1;
    for &(x, y) in points {
        let bin = ((y - x * slope + lift) * BINS) as usize;
        bins[bin.min(last)] += 1;
    }
    // Two half-pixel bins together, so that the grid of pixels draws no lines of its own at 0 degrees.
    let smooth: Vec<f32> = bins.windows(2).map(|w| (w[0] + w[1]) as f32).collect();
    smooth.windows(3).map(|w| (w[2] - w[0]) * (w[2] - w[0])).sum()
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

    #[test]
    fn turned_lines_are_measured_to_a_tenth_of_a_degree() {
        for degrees in [-6.3f32, -2.0, -0.4, 0.0, 0.7, 3.5, 7.2] {
            let skew = measure(&Ink::of(&text(degrees), 50.0));
            assert!((skew.degrees - degrees).abs() <= 0.15, "{degrees}: {skew:?}");
            assert!(skew.confidence > 0.3, "{degrees}: {skew:?}");
        }
    }

    #[test]
    fn an_empty_page_has_no_confidence() {
        let page = Luma::new(413, 585, vec![235; 413 * 585]).unwrap();
        assert_eq!(measure(&Ink::of(&page, 50.0)).confidence, 0.0);
    }
}
