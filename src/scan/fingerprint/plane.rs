//! A page's ink in cells of three quarters of a millimetre: what was filled in differently shows here alone.

use crate::scan::ink::Ink;

const ACROSS: usize = 256;
const DOWN: usize = 384;
/// Two cells in a byte, rows one after the other.
const BYTES: usize = ACROSS * DOWN / 2;
const CELL_MM: (f32, f32) = (0.75, 0.78125);
/// Of all ink within a few letters, 6 x 4.7 mm, how much lies elsewhere at most, however the two are laid over each
/// other. Sheets scanned again reach 0.19; another name 0.25 and more, a number written by hand 0.2 and more.
const MOST: f32 = 0.22;
/// Cells of a tile.
const TILE: (usize, usize) = (8, 6);
/// Squares of all cells in both tiles together below which dust may be all that there is: two letters have more.
const LEAST: u32 = 1_400;
/// Half cells that a tile may lie elsewhere, each way: scanners stretch, and skew is measured to a quarter degree.
const REACH: i32 = 3;
/// Missing light that paper's grain reaches.
const GRAIN: u8 = 12;
/// What a cell full of ink is written as.
const FULL: f32 = 15.0;

/// The plane of a page about the middle of its ink, straightened.
pub(super) fn of(ink: &Ink, middle: (f32, f32), skew_deg: f32) -> Vec<u8> {
    let mut strength = ink.strength.clone();
    for run in ink.runs.iter().filter(|run| ink.at_edge(&ink.marks[run.mark as usize])) {
        let row = run.y as usize * ink.width;
        strength[row + run.from as usize..row + run.to as usize].fill(0);
    }
    let (mut sum, mut squares) = (0u64, 0u64);
    for level in ink.runs.iter().flat_map(|run| super::inked(ink, run)).map(|(_, level)| level) {
        sum += level;
        squares += level * level;
    }
    let level = squares as f32 / sum.max(1) as f32;
    let cell = level * ink.per_mm * ink.per_mm * CELL_MM.0 * CELL_MM.1;
    let (sin, cos) = (-skew_deg).to_radians().sin_cos();
    let mut cells = vec![0f32; ACROSS * DOWN];
    for (row_y, row) in strength.chunks_exact(ink.width.max(1)).enumerate() {
        let dy = row_y as f32 - middle.1;
        for (row_x, &level) in row.iter().enumerate().filter(|(_, level)| **level > GRAIN) {
            let dx = row_x as f32 - middle.0;
            let x = (dx * cos - dy * sin) / ink.per_mm / CELL_MM.0 + ACROSS as f32 / 2.0 - 0.5;
            let y = (dx * sin + dy * cos) / ink.per_mm / CELL_MM.1 + DOWN as f32 / 2.0 - 0.5;
            if x < 0.0 || y < 0.0 || x >= ACROSS as f32 - 1.0 || y >= DOWN as f32 - 1.0 {
                continue;
            }
            let (left, top) = (x as usize, y as usize);
            let (fx, fy) = (x - left as f32, y - top as f32);
            let (level, at) = (f32::from(level - GRAIN), top * ACROSS + left);
            cells[at] += level * (1.0 - fx) * (1.0 - fy);
            cells[at + 1] += level * fx * (1.0 - fy);
            cells[at + ACROSS] += level * (1.0 - fx) * fy;
            cells[at + ACROSS + 1] += level * fx * fy;
        }
    }
    let written = |sum: f32| (sum / cell.max(1.0) * FULL).round().min(FULL) as u8;
    cells.chunks_exact(2).map(|pair| written(pair[0]) | written(pair[1]) << 4).collect()
}

/// A plane to be compared: a byte a cell, with a margin of paper that is wider than a tile may reach.
pub(super) struct Cells(Vec<u8>);

impl Cells {
    /// Of a plane as it is kept; none where it is no plane.
    pub(super) fn of(plane: &[u8]) -> Option<Cells> {
        if plane.len() != BYTES {
            return None;
        }
        let mut cells = vec![0; WIDE * (DOWN + 2 * MARGIN)];
        for (row, pairs) in cells.chunks_exact_mut(WIDE).skip(MARGIN).zip(plane.chunks_exact(ACROSS / 2)) {
            for (two, pair) in row[MARGIN..].chunks_exact_mut(2).zip(pairs) {
                two.copy_from_slice(&[pair & 15, pair >> 4]);
            }
        }
        Some(Cells(cells))
    }

    /// No few letters differ between two planes. `doubted` is the tile to begin with, and becomes the one that differs:
    /// forms of one print differ in the same places.
    pub(super) fn agree(&self, other: &Cells, doubted: &mut usize) -> bool {
        let step = (TILE.0 / 2, TILE.1 / 2);
        let (wide, tall) = ((ACROSS - TILE.0) / step.0 + 1, (DOWN - TILE.1) / step.1 + 1);
        let first = *doubted;
        for i in 0..wide * tall {
            let tile = (first + i) % (wide * tall);
            if !self.agrees_at(other, (tile % wide * step.0, tile / wide * step.1)) {
                *doubted = tile;
                return false;
            }
        }
        true
    }

    /// One tile lies in the other plane, or next to where it should.
    fn agrees_at(&self, other: &Cells, at: (usize, usize)) -> bool {
        let nearby = || {
            (1..=REACH).any(|far| {
                let ring = |x: i32, y: i32| x.abs().max(y.abs()) == far;
                (-far..=far).any(|y| (-far..=far).any(|x| ring(x, y) && self.lies_alike(other, at, (x, y))))
            })
        };
        self.is_paper(at) && other.is_paper(at) || self.lies_alike(other, at, (0, 0)) || nearby()
    }

    /// A tile has no ink, as most have.
    fn is_paper(&self, at: (usize, usize)) -> bool {
        (0..TILE.1).all(|row| self.row(MARGIN + at.1 + row, MARGIN + at.0)[..TILE.0] == [0; TILE.0])
    }

    /// A tile is that of the other plane shifted by so many half cells.
    fn lies_alike(&self, other: &Cells, at: (usize, usize), shift: (i32, i32)) -> bool {
        let (odd_x, odd_y) = ((shift.0 & 1) as usize, (shift.1 & 1) as usize);
        let moved = |at: usize, shift: i32| (MARGIN + at).wrapping_add_signed((shift >> 1) as isize);
        let (to_x, to_y) = (moved(at.0, shift.0), moved(at.1, shift.1));
        // By column: six rows of the largest squares, 2 x 60 x 60, are less than sixteen bits hold.
        let (mut squares, mut products) = ([0u16; TILE.0], [0u16; TILE.0]);
        for row in 0..TILE.1 {
            let mine = self.row(MARGIN + at.1 + row, MARGIN + at.0);
            let (above, below) = (other.row(to_y + row, to_x), other.row(to_y + row + odd_y, to_x));
            for x in 0..TILE.0 {
                let mine = u16::from(4 * mine[x]);
                let theirs = u16::from(above[x] + above[x + odd_x] + below[x] + below[x + odd_x]);
                squares[x] += mine * mine + theirs * theirs;
                products[x] += mine * theirs;
            }
        }
        let sum = |columns: [u16; TILE.0]| columns.into_iter().map(u32::from).sum::<u32>();
        let (squares, product) = (sum(squares), sum(products));
        squares <= 16 * LEAST || (squares - 2 * product) as f32 <= MOST * squares as f32
    }

    /// From a cell on to the right, as far as a tile that is shifted reaches; all is paper beyond the margin.
    fn row(&self, y: usize, x: usize) -> &[u8; TILE.0 + 1] {
        self.0[y * WIDE + x..].first_chunk().unwrap_or(&[0; TILE.0 + 1])
    }
}

/// Cells of paper around the plane, and how wide it is with them.
const MARGIN: usize = 4;
const WIDE: usize = ACROSS + 2 * MARGIN;

#[cfg(test)]
mod tests {
    use super::super::{Fingerprint, Repeats};
    use super::*;
    use crate::scan::Luma;

    fn mixed(seed: u32) -> u32 {
        let seed = (seed ^ seed >> 16).wrapping_mul(0x7feb_352d);
        let seed = (seed ^ seed >> 15).wrapping_mul(0x846c_a68b);
        seed ^ seed >> 16
    }

    /// How a sheet was laid and seen.
    struct Scan {
        degrees: f32,
        right: f32,
        down: f32,
        paper: f32,
        grain: u32,
    }

    const FLAT: Scan = Scan { degrees: 0.0, right: 0.0, down: 0.0, paper: 240.0, grain: 4 };

    /// Lines of letters 2 mm wide, the same for all; a few letters in two lines are the person's.
    fn scanned(person: u32, scan: &Scan) -> Fingerprint {
        let inked = |x: f32, y: f32| {
            let (line, column) = ((y / 7.0).floor(), (x / 2.0).floor());
            let (in_x, in_y) = (x - column * 2.0, y - line * 7.0);
            if !(25.0..185.0).contains(&x) || !(28.0..270.0).contains(&y) || in_x >= 1.6 || in_y >= 2.8 {
                return false;
            }
            let (line, column) = (line as u32, column as u32);
            let theirs = (line == 30 || line == 31) && (30..44).contains(&column);
            let letter = mixed(if theirs { person } else { 0 } * 100_000 + line * 100 + column);
            !letter.is_multiple_of(6)
                && letter >> 8 >> ((in_x / 0.4) as u32 * 4 + (in_y / 0.7) as u32) & 1 == 1
        };
        let (width, height) = (413usize, 585usize);
        let (sin, cos) = (-scan.degrees).to_radians().sin_cos();
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let covered = (0..16u8).filter(|i| {
                    let dx = (x as f32 + f32::from(i % 4) / 4.0) / 50.0 * 25.4 - 105.0;
                    let dy = (y as f32 + f32::from(i / 4) / 4.0) / 50.0 * 25.4 - 148.5;
                    inked(dx * cos - dy * sin + 105.0 - scan.right, dx * sin + dy * cos + 148.5 - scan.down)
                });
                let light = scan.paper * (1.0 - covered.count() as f32 / 16.0 * 0.75);
                let grain = mixed((y * width + x) as u32 + scan.grain * 1_000_003) % (2 * scan.grain + 1);
                data.push((light + grain as f32 - scan.grain as f32).clamp(0.0, 255.0) as u8);
            }
        }
        let page = Luma { width, height, data };
        Fingerprint::of(&page, &Ink::of(&page, 50.0), scan.degrees + 0.1).unwrap()
    }

    #[test]
    fn filled_forms_of_one_print_are_other_sheets_and_a_sheet_scanned_again_is_not() {
        let mut seen = Repeats::default();
        for person in 1..=5 {
            assert_eq!(seen.next(scanned(person, &FLAT), (), person), None);
        }
        let again = [
            Scan { right: 3.1, down: -2.3, ..FLAT },
            Scan { degrees: 0.9, paper: 205.0, grain: 6, ..FLAT },
            Scan { degrees: -1.1, right: -2.2, down: 4.4, grain: 7, ..FLAT },
        ];
        for (scan, person) in again.iter().zip(2..) {
            assert_eq!(seen.next(scanned(person, scan), (), 0), Some(person));
        }
    }
}
