//! Regions of a page that look like a code: dense edges, half dark.
//!
//! Cells of about 1 mm get three figures: share of dark pixels, and how much rows and columns go up and down. Cells
//! that are half dark and full of edges are flagged; neighbours join to regions. Printed text is not dark enough,
//! photographs and seals mostly have too few edges. Bars with ragged edges, as a scan in black and white has, and bars
//! of wide modules fall into pieces there: what is parallel by a looser measure and as large as a code is a region, too.

use super::Format;
use super::patch::percentile;
use crate::scan::luma::Luma;

/// What a survey of a page tells.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Grey value midway between ink and paper.
    pub threshold: u8,
    /// Side of a cell, about 1 mm.
    pub cell: usize,
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
    /// True where bars stand, so that the code runs from left to right.
    pub upright: bool,
    /// Side of a cell, about 1 mm.
    pub cell: usize,
    /// Flagged cells.
    pub cells: usize,
    /// Share of dark pixels in those cells.
    pub dark: f32,
    /// Density of edges in those cells.
    pub edges: f32,
    /// Bars by a looser measure, of ragged edges or wide modules: only for the decoders of bars.
    pub loose: bool,
}

impl Region {
    /// Pixels of it that lie on the page.
    pub fn pixels(&self, luma: &Luma) -> usize {
        let side = |from: usize, to: usize, most: usize| to.min(most).saturating_sub(from);
        side(self.x0, self.x1, luma.width) * side(self.y0, self.y1, luma.height)
    }

    /// True where a point lies in the region.
    pub fn holds(&self, [x, y]: [f32; 2]) -> bool {
        x >= self.x0 as f32 && x < self.x1 as f32 && y >= self.y0 as f32 && y < self.y1 as f32
    }

    /// True where a QR code finds room and the region is not a picture.
    pub fn may_hold_qr(&self) -> bool {
        let (wide, tall) = self.core();
        let (short, long) = (wide.min(tall), wide.max(tall));
        short >= 5 * self.cell && long <= 8 * short && (self.x1 - self.x0) * (self.y1 - self.y0) < 1_500_000
    }

    /// True where only a Data Matrix finds room; most such regions are words of bold print.
    pub fn is_low(&self) -> bool {
        let (wide, tall) = self.core();
        self.kind == Kind::Matrix && wide.min(tall) < 5 * self.cell
    }

    /// True where a light code on dark ground may be: at its rim are cells darker than it, at that of a dark one lighter
    /// ones. The solid sides of a Data Matrix are light then.
    pub fn may_be_light(&self, format: Format) -> bool {
        self.dark > if format == Format::QRCode { LEAST_DARK_QR } else { LEAST_DARK_GROUND }
    }

    /// True where a square code finds room and little else does: words are wider.
    pub fn is_square(&self) -> bool {
        let (wide, tall) = self.core();
        2 * wide.max(tall) <= 3 * wide.min(tall)
    }

    /// Bars so few that they may be the modules of a square code.
    fn take_for_dots(&mut self, luma: &Luma) {
        let pad = (PAD_BARS - PAD) * self.cell;
        let (mut dots, (across, down)) = (*self, if self.upright { (pad, 0) } else { (0, pad) });
        dots.kind = Kind::Matrix;
        (dots.x0, dots.x1) = (self.x0 + across, self.x1.saturating_sub(across));
        (dots.y0, dots.y1) = (self.y0 + down, self.y1.saturating_sub(down));
        let is_cut = self.x0 == 0 || self.y0 == 0 || self.x1 == luma.width || self.y1 == luma.height;
        if self.kind == Kind::Linear && !is_cut && dots.is_square() {
            *self = dots;
        }
    }

    /// True where two regions touch and one carries the bars of the other on.
    fn continues(&self, other: &Region) -> bool {
        let shared = |a0: usize, a1: usize, b0: usize, b1: usize| a1.min(b1).saturating_sub(a0.max(b0));
        let (x, y) =
            (shared(self.x0, self.x1, other.x0, other.x1), shared(self.y0, self.y1, other.y0, other.y1));
        let wide = (self.x1 - self.x0).min(other.x1 - other.x0);
        let tall = (self.y1 - self.y0).min(other.y1 - other.y0);
        let beside = if self.upright { y * 10 > tall * 7 } else { x * 10 > wide * 7 };
        self.upright == other.upright && x > 0 && y > 0 && beside
    }

    /// True where bars of another region lie in this one, but for the padding of an end.
    fn covers(&self, other: &Region) -> bool {
        let slack = PAD * self.cell;
        self.upright == other.upright
            && self.x0 <= other.x0 + slack
            && self.y0 <= other.y0 + slack
            && self.x1 + slack >= other.x1
            && self.y1 + slack >= other.y1
    }

    /// How long its bars are, in pixels.
    fn breadth(&self) -> usize {
        let side = if self.upright { self.y1 - self.y0 } else { self.x1 - self.x0 };
        side.saturating_sub(2 * PAD * self.cell)
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

/// Surveys a page. Reads two to four rows of each cell once; again on a page so empty that a lone code is less than a
/// hundredth of it, and where most of the picture is not paper but what the paper lies on.
pub fn survey(luma: &Luma, dpi: Option<f32>) -> Vec<Survey> {
    let cell = cell_side(luma, dpi);
    let pairs = Levels::of(luma).pairs();
    pairs.into_iter().map(|(paper, ink)| survey_at(luma, cell, paper, ink)).collect()
}

fn survey_at(luma: &Luma, cell: usize, paper: u8, ink: u8) -> Survey {
    let threshold = ((u16::from(paper) + u16::from(ink)) / 2) as u8;
    let contrast = paper.saturating_sub(ink);
    let grid = Grid::of(luma, cell, threshold, contrast / 16);
    let regions =
        if grid.down * grid.across > 0 { grid.regions(luma, f32::from(contrast)) } else { Vec::new() };
    Survey { threshold, cell, regions }
}

/// 1 mm in pixels: by the resolution where it is believable, else by the long side of A4.
fn cell_side(luma: &Luma, dpi: Option<f32>) -> usize {
    let by_page = luma.width.max(luma.height) / 292;
    let side = match dpi {
        Some(dpi) if (72.0..=1300.0).contains(&dpi) => (dpi / 25.4).round() as usize,
        _ => by_page,
    };
    side.clamp(4, 51)
}

/// Grey values of a sample of the page.
struct Levels {
    /// What one pixel in five thousand is at most: a code of 10 mm alone on A4 has four.
    darkest: u8,
    /// The 1st percentile.
    ink: u8,
    /// The 60th.
    paper: u8,
    /// The 98th: a card on a dark lid is more.
    lightest: u8,
}

impl Levels {
    fn of(luma: &Luma) -> Self {
        let mut histogram = [0usize; 256];
        let mut count = 0usize;
        for row in luma.data.chunks_exact(luma.width).step_by(16) {
            for p in row.iter().step_by(3) {
                histogram[usize::from(*p)] += 1;
                count += 1;
            }
        }
        let at = |rank: usize| percentile(&histogram, rank);
        Levels {
            darkest: at(count / 5000),
            ink: at(count / 100),
            paper: at(count * 60 / 100),
            lightest: at(count * 98 / 100),
        }
    }

    /// What may be paper and ink; pairs without contrast are left out.
    fn pairs(&self) -> Vec<(u8, u8)> {
        let contrast = |(paper, ink): &(u8, u8)| paper.saturating_sub(*ink);
        let usual = (self.paper, self.ink);
        let mut pairs = vec![usual];
        let lone = (self.paper, self.darkest);
        if contrast(&lone) / 2 > contrast(&usual) {
            pairs.push(lone);
        }
        let on_the_lid = (self.lightest, self.ink);
        if contrast(&on_the_lid) / 2 > contrast(&usual) {
            pairs.push(on_the_lid);
        }
        pairs.retain(|pair| contrast(pair) >= LEAST_CONTRAST);
        pairs
    }
}

/// Sums over the pixels of some rows of each cell.
struct Grid {
    side: usize,
    across: usize,
    down: usize,
    /// Rows of a cell that are looked at.
    rows: usize,
    /// Dark pixels.
    dark: Vec<u32>,
    /// Steps from a pixel to its right neighbour, and to its lower one, by [`Grid::unit`].
    gx: Vec<u32>,
    gy: Vec<u32>,
    /// What a step of 1 in the sums is in light.
    unit: u32,
}

impl Grid {
    /// Steps of up to `noise` do not count.
    fn of(luma: &Luma, side: usize, threshold: u8, noise: u8) -> Self {
        let width = luma.width;
        let across = width.saturating_sub(1) / side;
        let down = luma.height.saturating_sub(1) / side;
        let cells = across * down;
        let every = side.div_ceil(MOST_ROWS).max(2);
        // The steps of four rows fit a byte: those of ink on paper are some 14 times the noise, the rare larger
        // ones are cut off there.
        let shift = match noise {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        };
        let mut grid = Grid {
            side,
            across,
            down,
            rows: side.div_ceil(every),
            dark: Vec::with_capacity(cells),
            gx: Vec::with_capacity(cells),
            gy: Vec::with_capacity(cells),
            unit: 1 << shift,
        };
        let used = across * side;
        let (mut dark, mut gx, mut gy) = (vec![0u8; used], vec![0u8; used], vec![0u8; used]);
        for row in 0..down {
            dark.fill(0);
            gx.fill(0);
            gy.fill(0);
            for y in (row * side..(row + 1) * side).step_by(every) {
                let here = &luma.data[y * width..y * width + used];
                let right = &luma.data[y * width + 1..y * width + used + 1];
                let below = &luma.data[(y + 1) * width..(y + 1) * width + used];
                // Plain loops over bytes of equal number become vector instructions.
                for (sum, p) in dark.iter_mut().zip(here) {
                    *sum = sum.wrapping_add(u8::from(*p < threshold));
                }
                for ((sum, p), q) in gx.iter_mut().zip(here).zip(right) {
                    *sum = sum.saturating_add(p.abs_diff(*q).saturating_sub(noise) >> shift);
                }
                for ((sum, p), q) in gy.iter_mut().zip(here).zip(below) {
                    *sum = sum.saturating_add(p.abs_diff(*q).saturating_sub(noise) >> shift);
                }
            }
            grid.dark.extend(dark.chunks_exact(side).map(total));
            grid.gx.extend(gx.chunks_exact(side).map(total));
            grid.gy.extend(gy.chunks_exact(side).map(total));
        }
        grid
    }

    /// Pixels of a cell that are looked at.
    fn samples(&self) -> f32 {
        (self.side * self.rows) as f32
    }

    /// Sums over 3 x 3 cells; at the rim over those that there are.
    fn smooth(&self, cells: &[u32]) -> Vec<u32> {
        let (across, down) = (self.across, self.down);
        let mut rows = vec![0u32; cells.len()];
        for (out, row) in rows.chunks_exact_mut(across).zip(cells.chunks_exact(across)) {
            out.copy_from_slice(row);
            for (sum, left) in out.iter_mut().skip(1).zip(row) {
                *sum = sum.wrapping_add(*left);
            }
            for (sum, right) in out.iter_mut().zip(row.iter().skip(1)) {
                *sum = sum.wrapping_add(*right);
            }
        }
        let mut sums = rows.clone();
        for y in 0..down {
            for near in [y.wrapping_sub(1), y + 1].into_iter().filter(|n| *n < down) {
                let other = &rows[near * across..(near + 1) * across];
                for (sum, v) in sums[y * across..(y + 1) * across].iter_mut().zip(other) {
                    *sum = sum.wrapping_add(*v);
                }
            }
        }
        sums
    }

    /// What each cell and its neighbours look like, and which of them are bars by the looser measure.
    fn flags(&self, contrast: f32) -> (Vec<Flag>, Vec<Flag>) {
        let samples = 9.0 * self.samples();
        let (dark, gx, gy) = (self.smooth(&self.dark), self.smooth(&self.gx), self.smooth(&self.gy));
        let (least, most) = ((samples * LEAST_DARK) as u32, (samples * MOST_DARK) as u32);
        let scale = samples * contrast * 8.0 / (self.side as f32 * self.unit as f32);
        let (edges, parallel) = ((scale * EDGES) as u32, (scale * PARALLEL_EDGES) as u32);
        let loosely = (scale * LOOSE_EDGES) as u32;
        let flag = |((dark, gx), gy): ((&u32, &u32), &u32)| {
            if *dark < least || *dark > most {
                return (Flag::None, Flag::None);
            }
            let (low, high) = (*gx.min(gy), *gx.max(gy));
            let bars = if gx > gy { Flag::Upright } else { Flag::Level };
            let flag = if high >= parallel && high > 3 * low {
                bars
            } else if low + high >= edges {
                Flag::Dots
            } else {
                Flag::None
            };
            (flag, if high >= loosely && high > 2 * low { bars } else { Flag::None })
        };
        dark.iter().zip(&gx).zip(&gy).map(flag).unzip()
    }

    fn regions(&self, luma: &Luma, contrast: f32) -> Vec<Region> {
        let (flags, loose) = self.flags(contrast);
        let mut regions = joined(self.components(flags, luma, contrast));
        // The smallest codes of bars are 15 mm by 3; what is smaller are words with many upright strokes, and the
        // smallest codes of dots.
        regions.iter_mut().filter(|r| r.cells < LEAST_BARS).for_each(|r| r.take_for_dots(luma));
        regions.retain(|r| r.kind == Kind::Matrix || r.cells >= LEAST_BARS);
        let mut bars = joined(self.components(loose, luma, contrast));
        let told = |bars: &Region| regions.iter().any(|r| r.kind == Kind::Linear && r.covers(bars));
        bars.retain(|bars| {
            bars.cells >= LEAST_LOOSE && bars.breadth() >= LEAST_BREADTH * bars.cell && !told(bars)
        });
        regions.extend(bars.into_iter().map(|bars| Region { loose: true, ..bars }));
        regions.sort_by_key(|r| std::cmp::Reverse(r.cells));
        regions
    }

    /// Flagged cells that touch, as regions.
    fn components(&self, mut flags: Vec<Flag>, luma: &Luma, contrast: f32) -> Vec<Region> {
        let side = self.side;
        let samples = self.samples();
        let mut regions = Vec::new();
        let mut stack = Vec::new();
        for start in 0..flags.len() {
            if flags[start] == Flag::None {
                continue;
            }
            let (mut x0, mut y0, mut x1, mut y1) = (usize::MAX, usize::MAX, 0, 0);
            let (mut dark, mut edges) = (0u32, 0u32);
            let (mut cells, mut upright, mut level) = (0usize, 0usize, 0usize);
            let mut count = |flag: Flag| {
                cells += 1;
                upright += usize::from(flag == Flag::Upright);
                level += usize::from(flag == Flag::Level);
            };
            count(flags[start]);
            flags[start] = Flag::None;
            stack.push(start);
            while let Some(at) = stack.pop() {
                let (x, y) = (at % self.across, at / self.across);
                dark = dark.saturating_add(self.dark[at]);
                edges = edges.saturating_add(self.gx[at].saturating_add(self.gy[at]));
                (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
                for ny in y.saturating_sub(1)..(y + 2).min(self.down) {
                    for nx in x.saturating_sub(1)..(x + 2).min(self.across) {
                        let near = &mut flags[ny * self.across + nx];
                        if *near != Flag::None {
                            count(*near);
                            *near = Flag::None;
                            stack.push(ny * self.across + nx);
                        }
                    }
                }
            }
            let (wide, tall) = (x1 + 1 - x0, y1 + 1 - y0);
            let short = wide.min(tall);
            if cells < LEAST_CELLS || short < LEAST_SIDE || cells * 4 < wide * tall {
                continue;
            }
            let kind = if (upright + level) * 2 > cells { Kind::Linear } else { Kind::Matrix };
            // The first and last bars of a code may lie in cells that are too light or too dark.
            let (across, down) = match kind {
                Kind::Matrix => (PAD, PAD),
                Kind::Linear if upright > level => (PAD_BARS, PAD),
                Kind::Linear => (PAD, PAD_BARS),
            };
            regions.push(Region {
                x0: x0.saturating_sub(across) * side,
                y0: y0.saturating_sub(down) * side,
                x1: ((x1 + 1 + across) * side).min(luma.width),
                y1: ((y1 + 1 + down) * side).min(luma.height),
                kind,
                upright: upright > level,
                cell: side,
                cells,
                dark: dark as f32 / samples / cells as f32,
                edges: edges as f32 * self.unit as f32 / samples / cells as f32 / contrast * side as f32
                    / 8.0,
                loose: false,
            });
        }
        regions
    }
}

/// The sum of some bytes, eight at a time: pairs side by side in one word, gathered by one multiplication.
fn total(bytes: &[u8]) -> u32 {
    const PAIRS: u64 = 0x00FF_00FF_00FF_00FF;
    let (eights, rest) = bytes.as_chunks::<8>();
    let whole = eights.iter().fold(0u32, |sum, eight| {
        let word = u64::from_le_bytes(*eight);
        let pairs = (word & PAIRS).wrapping_add(word >> 8 & PAIRS);
        sum.wrapping_add((pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as u32)
    });
    rest.iter().fold(whole, |sum, v| sum.wrapping_add(u32::from(*v)))
}

/// Joins pieces of bars that lie in one line: wide bars and spaces leave cells without edges between them.
fn joined(regions: Vec<Region>) -> Vec<Region> {
    let (bars, mut done): (Vec<Region>, Vec<Region>) =
        regions.into_iter().partition(|r| r.kind == Kind::Linear);
    let mut lines: Vec<Region> = Vec::new();
    for mut piece in bars {
        while let Some(at) = lines.iter().position(|line| line.continues(&piece)) {
            let line = lines.swap_remove(at);
            piece = Region {
                x0: piece.x0.min(line.x0),
                y0: piece.y0.min(line.y0),
                x1: piece.x1.max(line.x1),
                y1: piece.y1.max(line.y1),
                cells: piece.cells + line.cells,
                ..piece
            };
        }
        lines.push(piece);
    }
    done.append(&mut lines);
    done
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    None,
    /// Bars that stand.
    Upright,
    /// Bars that lie.
    Level,
    /// Dense edges of all directions.
    Dots,
}

/// Paper that is no lighter than its ink by this much shows nothing.
const LEAST_CONTRAST: u8 = 24;
/// Share of dark pixels of 3 x 3 cells.
const LEAST_DARK: f32 = 0.25;
/// Share of dark pixels from which on a code would be light on dark.
const LEAST_DARK_QR: f32 = 0.46;
/// See [`LEAST_DARK_QR`].
const LEAST_DARK_GROUND: f32 = 0.5;
/// See [`LEAST_DARK`].
const MOST_DARK: f32 = 0.75;
/// Least density of edges (sum of both differences over the contrast) at cells of 8 pixels.
const EDGES: f32 = 0.12;
/// Least density of edges where they are parallel.
const PARALLEL_EDGES: f32 = 0.06;
/// Least density of edges where bars are only looked for: of modules of 0.5 mm, noise taken off.
const LOOSE_EDGES: f32 = 0.04;
/// Rows of a cell that are looked at.
const MOST_ROWS: usize = 4;
/// Smaller regions are noise.
const LEAST_CELLS: usize = 6;
/// Smaller regions of bars are words.
const LEAST_BARS: usize = 24;
/// Smaller regions of bars by the looser measure are words.
const LEAST_LOOSE: usize = 60;
/// Bars by the looser measure are at least this many cells long.
const LEAST_BREADTH: usize = 5;
/// Lines of print are lower than this.
const LEAST_SIDE: usize = 3;
/// Cells added on each side, for the quiet zone.
const PAD: usize = 3;
/// Cells added where a code of bars begins and ends.
const PAD_BARS: usize = 8;
