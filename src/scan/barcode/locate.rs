//! Regions of a page that look like a code: dense edges, half dark.
//!
//! Cells of about 2 mm get three figures: share of dark pixels, density of edges, and the structure tensor. Cells
//! that are half dark and full of edges are flagged; neighbours join to regions. Printed text is not dark enough,
//! photographs and seals mostly have too few edges.

use super::patch::percentile;
use crate::scan::luma::Luma;

/// What a survey of a page tells.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Grey value midway between ink and paper.
    pub threshold: u8,
    /// Regions that may hold a code, the most promising first.
    pub regions: Vec<Region>,
}

/// A rectangle of the page that may hold a code, its quiet zone included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x0: usize,
    /// Top edge.
    pub y0: usize,
    /// Right edge, exclusive.
    pub x1: usize,
    /// Bottom edge, exclusive.
    pub y1: usize,
    /// Bars or dots.
    pub kind: Kind,
    /// Side of a cell, about 2 mm.
    pub cell: usize,
    /// Flagged cells.
    pub cells: usize,
}

impl Region {
    /// True where a point lies in the region.
    pub fn holds(&self, [x, y]: [f32; 2]) -> bool {
        x >= self.x0 as f32 && x < self.x1 as f32 && y >= self.y0 as f32 && y < self.y1 as f32
    }

    /// Sides without the padding, in pixels.
    pub fn core(&self) -> (usize, usize) {
        let bare = |side: usize| side.saturating_sub(2 * PAD * self.cell).max(self.cell);
        (bare(self.x1 - self.x0), bare(self.y1 - self.y0))
    }
}

/// What a region's edges look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All edges parallel: bars.
    Linear,
    /// Edges in two directions: dots.
    Matrix,
}

/// Surveys a page. Reads every second row once.
pub fn survey(luma: &Luma, dpi: Option<f32>) -> Survey {
    let (paper, ink) = levels(luma);
    let threshold = ((u16::from(paper) + u16::from(ink)) / 2) as u8;
    let contrast = f32::from(paper.saturating_sub(ink));
    if contrast < 24.0 {
        return Survey { threshold, regions: Vec::new() };
    }
    let cell = cell_side(luma, dpi);
    let grid = Grid::of(luma, cell, threshold);
    let regions = grid.regions(luma, cell, contrast);
    Survey { threshold, regions }
}

/// 2 mm in pixels: by the resolution where it is believable, else by the long side of A4.
fn cell_side(luma: &Luma, dpi: Option<f32>) -> usize {
    let by_page = luma.width.max(luma.height) / 146;
    let side = match dpi {
        Some(dpi) if (72.0..=1300.0).contains(&dpi) => (dpi * 2.0 / 25.4).round() as usize,
        _ => by_page,
    };
    side.max(8)
}

/// Grey values of paper (60th percentile) and ink (1st) of a sample.
fn levels(luma: &Luma) -> (u8, u8) {
    let mut histogram = [0usize; 256];
    let mut count = 0usize;
    for row in luma.data.chunks_exact(luma.width).step_by(16) {
        for p in row.iter().step_by(3) {
            histogram[usize::from(*p)] += 1;
            count += 1;
        }
    }
    (percentile(&histogram, count * 60 / 100), percentile(&histogram, count / 100))
}

#[derive(Clone, Copy, Default)]
struct Cell {
    dark: u32,
    edges: u32,
    xx: u64,
    yy: u64,
    xy: i64,
}

struct Grid {
    across: usize,
    down: usize,
    /// Samples behind each cell.
    samples: f32,
    cells: Vec<Cell>,
}

impl Grid {
    fn of(luma: &Luma, side: usize, threshold: u8) -> Self {
        let width = luma.width;
        let across = width.saturating_sub(1) / side;
        let down = luma.height.saturating_sub(1) / side;
        let mut cells = vec![Cell::default(); across * down];
        for (row, line) in cells.chunks_exact_mut(across.max(1)).enumerate() {
            for y in (row * side..(row + 1) * side).step_by(2) {
                let here = &luma.data[y * width..(y + 1) * width];
                let below = &luma.data[(y + 1) * width..(y + 2) * width];
                for (at, cell) in line.iter_mut().enumerate() {
                    let from = at * side;
                    cell.take(
                        &here[from..from + side],
                        &here[from + 1..=from + side],
                        &below[from..from + side],
                        threshold,
                    );
                }
            }
        }
        Grid { across, down, samples: (side * side.div_ceil(2)) as f32, cells }
    }

    fn at(&self, x: usize, y: usize) -> &Cell {
        &self.cells[y * self.across + x]
    }

    fn regions(&self, luma: &Luma, side: usize, contrast: f32) -> Vec<Region> {
        let least_edges = EDGE_DENSITY * 16.0 / side as f32;
        let mut flagged = vec![false; self.cells.len()];
        for y in 0..self.down {
            for x in 0..self.across {
                let (mut dark, mut edges, mut n) = (0u32, 0u32, 0f32);
                for ny in y.saturating_sub(1)..(y + 2).min(self.down) {
                    for nx in x.saturating_sub(1)..(x + 2).min(self.across) {
                        dark += self.at(nx, ny).dark;
                        edges += self.at(nx, ny).edges;
                        n += self.samples;
                    }
                }
                let (dark, edges) = (dark as f32 / n, edges as f32 / n / contrast);
                flagged[y * self.across + x] = dark > 0.25 && dark < 0.75 && edges > least_edges;
            }
        }
        let mut regions = Vec::new();
        let mut stack = Vec::new();
        for start in 0..flagged.len() {
            if !flagged[start] {
                continue;
            }
            flagged[start] = false;
            stack.push(start);
            let (mut x0, mut y0, mut x1, mut y1, mut cells) = (usize::MAX, usize::MAX, 0, 0, 0usize);
            let mut sum = Cell::default();
            while let Some(at) = stack.pop() {
                let (x, y) = (at % self.across, at / self.across);
                sum.add(&self.cells[at]);
                cells += 1;
                (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
                for ny in y.saturating_sub(1)..(y + 2).min(self.down) {
                    for nx in x.saturating_sub(1)..(x + 2).min(self.across) {
                        let near = ny * self.across + nx;
                        if flagged[near] {
                            flagged[near] = false;
                            stack.push(near);
                        }
                    }
                }
            }
            if cells < LEAST_CELLS {
                continue;
            }
            regions.push(Region {
                x0: x0.saturating_sub(PAD) * side,
                y0: y0.saturating_sub(PAD) * side,
                x1: ((x1 + 1 + PAD) * side).min(luma.width),
                y1: ((y1 + 1 + PAD) * side).min(luma.height),
                kind: if sum.coherence() > 0.5 { Kind::Linear } else { Kind::Matrix },
                cell: side,
                cells,
            });
        }
        regions.sort_by_key(|r| std::cmp::Reverse(r.cells));
        regions
    }
}

impl Cell {
    /// Takes a run of pixels with their right and lower neighbours.
    fn take(&mut self, here: &[u8], right: &[u8], below: &[u8], threshold: u8) {
        let (mut dark, mut edges, mut xx, mut yy, mut xy) = (0u32, 0u32, 0i32, 0i32, 0i32);
        for ((p, r), b) in here.iter().zip(right).zip(below) {
            let (gx, gy) = (i32::from(*r) - i32::from(*p), i32::from(*b) - i32::from(*p));
            dark += u32::from(*p < threshold);
            edges += gx.unsigned_abs() + gy.unsigned_abs();
            xx += gx * gx;
            yy += gy * gy;
            xy += gx * gy;
        }
        self.dark += dark;
        self.edges += edges;
        self.xx += u64::from(xx.unsigned_abs());
        self.yy += u64::from(yy.unsigned_abs());
        self.xy += i64::from(xy);
    }

    fn add(&mut self, other: &Cell) {
        self.xx += other.xx;
        self.yy += other.yy;
        self.xy += other.xy;
    }

    fn coherence(&self) -> f32 {
        let (xx, yy, xy) = (self.xx as f32, self.yy as f32, self.xy as f32);
        if xx + yy > 0.0 { (xx - yy).hypot(2.0 * xy) / (xx + yy) } else { 0.0 }
    }
}

/// Least density of edges (sum of both differences over the contrast) at cells of 16 pixels.
const EDGE_DENSITY: f32 = 0.12;
/// Smaller regions are noise.
const LEAST_CELLS: usize = 4;
/// Cells added on each side, for the quiet zone.
const PAD: usize = 2;
