//! Whether two pages are scans of the same side of the same sheet. It only suggests: forms look alike, so the ink
//! has to agree everywhere, and what a clerk filled in differently is a difference.

mod plane;

use crate::digest::Blake3;
use crate::scan::Luma;
use crate::scan::ink::{Ink, Run};
use base64::{Engine, engine::general_purpose::STANDARD};
use plane::Cells;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::LazyCell;
use std::collections::VecDeque;

/// What is kept of a page to know it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Digest of the page reduced to 40 to 80 dpi: equal for equal pixels, whatever file they came in.
    pub pixels: Blake3,
    /// Where ink grows from left to right over the page, a bit a place: differs in few bits between pages alike.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub outline: u64,
    /// Ink of each of 16 x 24 cells of 12 x 12.5 mm about the ink's own centre, straightened; 24 is the mean.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub cells: Vec<u8>,
    /// The same in cells of a sixteenth of that width and height, four bits each: what was filled in differently shows
    /// here alone. Not kept when the batch has been looked through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub fine: Vec<u8>,
}

const ACROSS: usize = 16;
const DOWN: usize = 24;
const CELL_MM: (f32, f32) = (12.0, 12.5);
/// What a cell of mean ink is written as.
const MEAN: f32 = 24.0;

impl Fingerprint {
    /// Takes it from the reduced plane and its ink; none where there is hardly any ink to compare.
    pub(super) fn of(small: &Luma, ink: &Ink, skew_deg: f32) -> Option<Fingerprint> {
        let counted: Vec<bool> = ink
            .marks
            .iter()
            .map(|m| !ink.at_edge(m) && m.long() as f32 > ink.per_mm && m.area >= 3)
            .collect();
        let runs = || ink.runs.iter().filter(|run| counted[run.mark as usize]);
        let (mut total, mut sum_x, mut sum_y) = (0u64, 0u64, 0u64);
        for run in runs() {
            for (x, level) in inked(ink, run) {
                total += level;
                sum_x += level * x as u64;
                sum_y += level * u64::from(run.y);
            }
        }
        // Two lines of text over A4.
        if (total as f32) < 255.0 * 60.0 * ink.per_mm * ink.per_mm {
            return None;
        }
        let (cx, cy) = (sum_x as f32 / total as f32, sum_y as f32 / total as f32);
        let (sin, cos) = (-skew_deg).to_radians().sin_cos();
        let mut sums = Grid::new();
        for run in runs() {
            let dy = run.y as f32 - cy;
            for (x, level) in pieces(ink, run) {
                let dx = x - cx;
                let across = (dx * cos - dy * sin) / ink.per_mm / CELL_MM.0;
                let down = (dx * sin + dy * cos) / ink.per_mm / CELL_MM.1;
                sums.share(across, down, level);
            }
        }
        Some(Fingerprint {
            pixels: Blake3::of(&small.data),
            outline: outline(&sums.cells),
            cells: sums.in_means(total as f32),
            fine: plane::of(ink, (cx, cy), skew_deg),
        })
    }

    /// Alike as a whole, as sheets of one form are.
    fn is_like(&self, other: &Fingerprint) -> bool {
        if (self.outline ^ other.outline).count_ones() > MOST_BITS || self.cells.len() != other.cells.len() {
            return false;
        }
        let (mean, most) = self.distance(other);
        mean <= MOST_MEAN && most <= MOST_CELL
    }

    /// Share of the ink that lies elsewhere, and the largest difference of a cell in means.
    fn distance(&self, other: &Fingerprint) -> (f32, f32) {
        let pairs = || self.cells.iter().zip(&other.cells);
        let apart: u32 = pairs().map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let both: u32 = pairs().map(|(a, b)| u32::from(*a) + u32::from(*b)).sum();
        let most = pairs().map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        (apart as f32 / both.max(1) as f32, f32::from(most) / MEAN)
    }
}

/// Rescans of a page differ in up to 7 bits, 2% of the ink and 0.33 means; most forms filled in for two people in 2% of
/// the ink or more and over 1 mean somewhere. Names and numbers as long as each other do not: the fine cells tell them.
const MOST_BITS: u32 = 10;
const MOST_MEAN: f32 = 0.03;
const MOST_CELL: f32 = 0.4;

/// The pages of a batch as they come, to know one again. Only a suggestion, for a person to look at. Sheets of one form
/// that differ in a printed code alone are alike to the eye, so `C` is what the codes of a page say; `N` is what the
/// page is called.
pub struct Repeats<C, N> {
    pages: VecDeque<(Fingerprint, C, N)>,
    /// Where two pages alike differed last.
    doubted: usize,
}

impl<C, N> Default for Repeats<C, N> {
    fn default() -> Self {
        Repeats { pages: VecDeque::new(), doubted: 0 }
    }
}

impl<C: PartialEq, N: Clone> Repeats<C, N> {
    /// Takes the next page; gives the first one that it seems to be again.
    pub fn next(&mut self, page: Fingerprint, codes: C, name: N) -> Option<N> {
        let doubted = &mut self.doubted;
        let fine = LazyCell::new(|| Cells::of(&page.fine));
        // Near enough in all places to be one side of one sheet.
        let mut again = |old: &Fingerprint| {
            let old = Cells::of(&old.fine);
            old.zip(fine.as_ref()).is_some_and(|(old, new)| old.agree(new, doubted))
        };
        let mut seen = self.pages.iter().filter(|old| old.1 == codes);
        let first = seen.find(|old| old.0.pixels == page.pixels || old.0.is_like(&page) && again(&old.0));
        let first = first.map(|old| old.2.clone());
        self.pages.push_back((page, codes, name));
        if self.pages.len() > WINDOW {
            self.pages.pop_front();
        }
        first
    }
}

/// Pages that are remembered: a feeder takes a sheet again soon, and a box of a million is one batch, too.
const WINDOW: usize = 1000;

/// The pixels of a run, with the light that is missing there.
fn inked<'a>(ink: &'a Ink, run: &Run) -> impl Iterator<Item = (usize, u64)> + 'a {
    let row = run.y as usize * ink.width;
    (run.from as usize..run.to as usize).map(move |x| (x, u64::from(ink.strength[row + x])))
}

/// A run in pieces of a few pixels: where each has its middle, and the light that is missing in it.
fn pieces<'a>(ink: &'a Ink, run: &Run) -> impl Iterator<Item = (f32, f32)> + 'a {
    const PIECE: usize = 4;
    let row = run.y as usize * ink.width;
    let (from, to) = (run.from as usize, run.to as usize);
    let parts = ink.strength[row + from..row + to].chunks(PIECE).enumerate();
    parts.map(move |(i, part)| {
        let sum: u32 = part.iter().map(|&s| u32::from(s)).sum();
        ((from + i * PIECE) as f32 + (part.len() - 1) as f32 / 2.0, sum as f32)
    })
}

/// Ink by place.
struct Grid {
    cells: Vec<f32>,
}

impl Grid {
    fn new() -> Grid {
        Grid { cells: vec![0f32; ACROSS * DOWN] }
    }

    /// Shares ink out among the four nearest cells, so that a small shift moves little of it. `across` and `down` are
    /// cells of 12 x 12.5 mm from the middle.
    fn share(&mut self, across: f32, down: f32, level: f32) {
        let place = |at: f32, cells: usize| (at + cells as f32 / 2.0 - 0.5).clamp(0.0, cells as f32 - 1.001);
        let (x, y) = (place(across, ACROSS), place(down, DOWN));
        let (left, top) = (x as usize, y as usize);
        let (fx, fy) = (x - left as f32, y - top as f32);
        let at = top * ACROSS + left;
        self.cells[at] += level * (1.0 - fx) * (1.0 - fy);
        self.cells[at + 1] += level * fx * (1.0 - fy);
        self.cells[at + ACROSS] += level * (1.0 - fx) * fy;
        self.cells[at + ACROSS + 1] += level * fx * fy;
    }

    fn in_means(&self, total: f32) -> Vec<u8> {
        let scale = MEAN * self.cells.len() as f32 / total;
        self.cells.iter().map(|s| (s * scale).round().min(255.0) as u8).collect()
    }
}

/// Eight rows of eight steps, from cells put together two and three.
fn outline(sums: &[f32]) -> u64 {
    let block = |x: usize, y: usize| -> f32 {
        (0..3)
            .flat_map(|j| (0..2).map(move |i| (x * 2 + i, y * 3 + j)))
            .map(|(x, y)| sums[y * ACROSS + x])
            .sum()
    };
    (0..64).fold(0, |bits, i| {
        let (x, y) = (i % 8, i / 8);
        bits << 1 | u64::from(block((x + 1) % 8, y) > block(x, y))
    })
}

fn to_hex<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{value:016x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u64::from_str_radix(&String::deserialize(from)?, 16).map_err(serde::de::Error::custom)
}

fn to_base64<S: Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(value))
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form at 50 dpi: printed lines, and what one person wrote into two fields.
    fn form(name: u32, shift: usize, paper: u8) -> Fingerprint {
        let (width, height) = (413usize, 585usize);
        let mut page = Luma { width, height, data: vec![paper; width * height] };
        let mut line = |y: usize, from: usize, to: usize, seed: u32| {
            let mut state = seed;
            let mut x = from;
            while x < to {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let wide = 2 + (state >> 24) as usize % 3;
                for y in y + shift..y + shift + 4 + (state >> 16) as usize % 2 {
                    page.data[y * width + x + shift..y * width + x + shift + wide].fill(paper / 4);
                }
                x += wide + 1 + (state >> 20) as usize % 3;
            }
        };
        (0..30).for_each(|i| line(60 + i * 15, 50, 330, 7 + i as u32));
        line(520, 60, 60 + 20 * name as usize, name);
        line(535, 200, 200 + 15 * name as usize, name);
        Fingerprint::of(&page, &Ink::of(&page, 50.0), 0.0).unwrap()
    }

    #[test]
    fn a_page_scanned_twice_is_suggested_and_another_persons_form_is_not() {
        let mut seen = Repeats::default();
        let pages = [
            (form(3, 0, 235), "", None),
            (form(7, 0, 235), "", None),
            (form(3, 5, 215), "", Some(0)),
            (form(3, 0, 235), "", Some(0)),
            // The same form with another number printed on it is another sheet.
            (form(3, 0, 235), "H-2", None),
            (form(3, 0, 235), "H-2", Some(4)),
        ];
        for (at, (page, codes, first)) in pages.into_iter().enumerate() {
            assert_eq!(seen.next(page, codes, at), first, "page {at}");
        }
    }

    #[test]
    fn names_and_numbers_of_equal_length_are_another_persons() {
        let filled = |seed: u32, shift: usize| {
            let (width, height) = (413usize, 585usize);
            let mut page = Luma { width, height, data: vec![235; width * height] };
            let mut strokes = |y: usize, from: usize, to: usize, seed: u32| {
                let mut state = seed;
                for x in (from..to).step_by(5) {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // A figure of five rows, or of one.
                    let tall = if state >> 24 & 1 == 1 { 5 } else { 1 };
                    for place in 0..tall {
                        let at = (y + shift + place) * width + x + shift;
                        page.data[at..at + 4].fill(60);
                    }
                }
            };
            (0..30).for_each(|i| strokes(60 + i * 15, 50, 360, 7 + i as u32));
            (0..3).for_each(|i| strokes(67 + i * 15, 130, 190, seed + i as u32));
            Fingerprint::of(&page, &Ink::of(&page, 50.0), 0.0).unwrap()
        };
        let mut seen = Repeats::default();
        for person in 1..6 {
            assert_eq!(seen.next(filled(100 * person, 0), (), person), None);
        }
        let (mean, most) = filled(100, 0).distance(&filled(200, 0));
        assert!(mean <= MOST_MEAN && most <= MOST_CELL, "they were told apart before: {mean} {most}");
        assert_eq!(seen.next(filled(300, 3), (), 6), Some(3));
    }

    #[test]
    fn a_box_without_end_is_remembered_by_its_last_pages() {
        let page = form(3, 0, 235);
        let mut seen = Repeats::default();
        assert_eq!(seen.next(page.clone(), 0, 0), None);
        (1..WINDOW).for_each(|at| assert_eq!(seen.next(page.clone(), at, at), None));
        assert_eq!(seen.next(page.clone(), 1, WINDOW), Some(1));
        assert_eq!(seen.next(page.clone(), 0, WINDOW + 1), None, "too long ago");
    }

    #[test]
    fn a_fingerprint_comes_back_from_its_record() {
        let print = form(3, 0, 235);
        let text = serde_json::to_string(&print).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), print);
    }

    #[test]
    fn paper_has_none() {
        let page = Luma::new(413, 585, vec![235; 413 * 585]).unwrap();
        assert!(Fingerprint::of(&page, &Ink::of(&page, 50.0), 0.0).is_none());
    }
}
