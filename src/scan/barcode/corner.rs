//! Data Matrix codes by their solid corner, sampled straight from the grey plane.
//!
//! Two long dark runs that meet at a right angle are the two solid sides; what they span is the code. Its number of
//! modules is the one whose dotted sides alternate best. The grid is then moved in small steps to where its modules
//! differ most, and read at their grey centres; error correction is the decoder library's.

use super::patch::{Patch, bilinear};
use super::{Barcode, Effort, Format, Stage, read};
use rxing::common::BitMatrix;

/// The Data Matrix code of an upright patch whose grey values are stretched, if it holds one.
pub(crate) fn read(patch: &Patch, effort: &mut Effort) -> Option<Barcode> {
    if patch.width < 8
        || patch.height < 8
        || patch.data.len() > MOST_PIXELS
        || !effort.spend(patch.data.len())
    {
        return None;
    }
    let (upright, level) = (bars(patch, false), bars(patch, true));
    let mut corners: Vec<Corner> =
        upright.iter().flat_map(|v| level.iter().filter_map(move |h| corner(v, h))).collect();
    // The largest first; a frame drawn around a code is larger still, so there must be room for more.
    corners.sort_by(|a, b| b.area().total_cmp(&a.area()));
    let mut grids: Vec<(f32, Grid)> = corners
        .iter()
        .take(MOST_CORNERS)
        .filter(|corner| corner.is_solid(patch))
        .flat_map(|corner| SIZES.iter().filter_map(|size| Grid::of(corner, *size)))
        .map(|grid| grid.turned(patch))
        .filter(|(score, _)| *score > 0.45)
        .collect();
    grids.sort_by(|a, b| b.0.total_cmp(&a.0));
    grids.iter().take(MOST_GRIDS).find_map(|(_, grid)| {
        let refined = grid.refined(patch);
        effort.spend(grid.columns * grid.rows * 60).then(|| read_grid(patch, &refined)).flatten()
    })
}

/// A long dark run: a solid side.
#[derive(Debug, Clone, Copy)]
struct Bar {
    /// Middle of its thickness, across the run.
    at: f32,
    /// Half of its thickness.
    half: f32,
    /// Where it starts and ends.
    from: f32,
    to: f32,
}

/// The longest runs of rows (or columns), neighbours joined, the longest first.
fn bars(patch: &Patch, level: bool) -> Vec<Bar> {
    let (lines, length) = if level { (patch.height, patch.width) } else { (patch.width, patch.height) };
    let value = |line: usize, at: usize| {
        patch.data[if level { line * patch.width + at } else { at * patch.width + line }]
    };
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for line in 0..lines {
        let (mut best, mut start) = ((0, 0), None);
        for at in 0..=length {
            let dark = at < length && value(line, at) < DARK;
            match (dark, start) {
                (true, None) => start = Some(at),
                (false, Some(from)) => {
                    if at - from > best.1 - best.0 {
                        best = (from, at);
                    }
                    start = None;
                }
                _ => {}
            }
        }
        if best.1 - best.0 >= LEAST_SIDE {
            runs.push((line, best.0, best.1));
        }
    }
    let mut joined: Vec<(Bar, usize)> = Vec::new();
    for (line, from, to) in runs {
        let length = (to - from) as f32;
        match joined.last_mut() {
            Some((bar, last))
                if *last + 1 == line
                    && (bar.from - from as f32).abs() + (bar.to - to as f32).abs() < 0.25 * length =>
            {
                bar.half += 0.5;
                bar.at += 0.5;
                bar.from = bar.from.min(from as f32);
                bar.to = bar.to.max(to as f32);
                *last = line;
            }
            _ => joined.push((Bar { at: line as f32, half: 0.5, from: from as f32, to: to as f32 }, line)),
        }
    }
    let mut bars: Vec<Bar> = joined.into_iter().map(|(bar, _)| bar).collect();
    bars.sort_by(|a, b| (b.to - b.from).total_cmp(&(a.to - a.from)));
    bars.truncate(MOST_BARS);
    bars
}

/// A solid corner: outer corner, and the outer ends of the side that becomes the left one and the one that becomes
/// the lower one.
#[derive(Debug, Clone, Copy)]
struct Corner {
    at: [f32; 2],
    up: [f32; 2],
    right: [f32; 2],
}

impl Corner {
    fn area(&self) -> f32 {
        (length(sub(self.up, self.at)) * length(sub(self.right, self.at))).abs()
    }

    /// True where both sides are dark a little way inside, whatever the size of a module: seen once for all sizes.
    fn is_solid(&self, patch: &Patch) -> bool {
        let (up, right) = (sub(self.up, self.at), sub(self.right, self.at));
        let dark_along = |along: [f32; 2], inward: [f32; 2]| {
            let step = LEAST_MODULE / 2.0 / length(inward).max(1.0);
            let sum: f32 = (0..SOLID_SAMPLES)
                .map(|i| (i as f32 + 0.5) / SOLID_SAMPLES as f32)
                .map(|t| sample(patch, [0, 1].map(|i| self.at[i] + along[i] * t + inward[i] * step)))
                .sum();
            sum / SOLID_SAMPLES as f32 <= MOST_SOLID
        };
        dark_along(up, right) && dark_along(right, up)
    }
}

/// Two bars that share an end.
fn corner(upright: &Bar, level: &Bar) -> Option<Corner> {
    let slack = (0.1 * (upright.to - upright.from).min(level.to - level.from)).max(2.5);
    let near = |end: f32, bar: &Bar| (end - 0.5 - bar.at).abs() <= slack + bar.half;
    let left = near(level.from, upright);
    let top = near(upright.from, level);
    if !(left || near(level.to, upright)) || !(top || near(upright.to, level)) {
        return None;
    }
    // Pixel edges lie half a pixel before pixel centres.
    let (x0, x1, y0, y1) = (level.from - 0.5, level.to - 0.5, upright.from - 0.5, upright.to - 0.5);
    let (x, far_x) = if left { (x0, x1) } else { (x1, x0) };
    let (y, far_y) = if top { (y0, y1) } else { (y1, y0) };
    let (one, other) = ([far_x, y], [x, far_y]);
    let at = [x, y];
    let (a, b) = (sub(one, at), sub(other, at));
    let (up, right) = if a[0] * b[1] - a[1] * b[0] > 0.0 { (one, other) } else { (other, one) };
    Some(Corner { at, up, right })
}

/// Where the modules of a code lie on the patch.
#[derive(Debug, Clone, Copy)]
struct Grid {
    rows: usize,
    columns: usize,
    /// Outer corners: lower left, upper left, lower right.
    at: [f32; 2],
    up: [f32; 2],
    right: [f32; 2],
    /// What the fourth corner departs from a parallelogram.
    skew: [f32; 2],
}

impl Grid {
    fn of(corner: &Corner, (rows, columns): (usize, usize)) -> Option<Self> {
        let (tall, wide) = (length(sub(corner.up, corner.at)), length(sub(corner.right, corner.at)));
        let (across, down) = (wide / columns as f32, tall / rows as f32);
        let alike = across < 1.18 * down && down < 1.18 * across;
        (alike && across.min(down) >= LEAST_MODULE).then_some(Grid {
            rows,
            columns,
            at: corner.at,
            up: corner.up,
            right: corner.right,
            skew: [0.0, 0.0],
        })
    }

    /// The middle of a module; row 0 is the upper dotted one. Half steps reach the outer edges.
    fn point(&self, column: f32, row: f32) -> [f32; 2] {
        let u = (column + 0.5) / self.columns as f32;
        let v = 1.0 - (row + 0.5) / self.rows as f32;
        let along = |i: usize| {
            self.at[i]
                + u * (self.right[i] - self.at[i])
                + v * (self.up[i] - self.at[i])
                + u * v * self.skew[i]
        };
        [along(0), along(1)]
    }

    fn value(&self, patch: &Patch, column: f32, row: f32) -> f32 {
        sample(patch, self.point(column, row))
    }

    fn module(&self) -> f32 {
        length(sub(self.right, self.at)) / self.columns as f32
    }

    /// How well the dotted sides alternate and the solid ones do not, -1 to 1, the worse side.
    fn dots(&self, patch: &Patch) -> f32 {
        let line = |count: usize, dark: usize, value: &dyn Fn(f32) -> f32| {
            let (mut signed, mut spread) = (0f32, 40f32);
            let mut before = value(0.0);
            for at in 1..count {
                let here = value(at as f32);
                let step = here - before;
                signed += if at % 2 == dark { -step } else { step };
                spread += step.abs();
                before = here;
            }
            signed / spread
        };
        let top = line(self.columns, 0, &|c| self.value(patch, c, 0.0));
        // Print fails here mostly; the other sides cannot make it better.
        if top < LEAST_STRAIGHT {
            return top;
        }
        let left = (0..self.rows).map(|r| self.value(patch, 0.0, r as f32)).sum::<f32>() / self.rows as f32;
        let last = self.rows as f32 - 1.0;
        let below =
            (0..self.columns).map(|c| self.value(patch, c as f32, last)).sum::<f32>() / self.columns as f32;
        if left.max(below) > 120.0 {
            return -1.0;
        }
        let side = line(self.rows, 1, &|r| self.value(patch, self.columns as f32 - 1.0, r));
        top.min(side)
    }

    /// The best of nine grids whose two sides are each turned a little, with its score: a degree too much is enough
    /// to leave the dotted side of a long code.
    fn turned(self, patch: &Patch) -> (f32, Self) {
        let across = |from: [f32; 2], to: [f32; 2], by: f32| {
            let side = sub(to, from);
            let scale = by / length(side).max(1.0);
            [to[0] - side[1] * scale, to[1] + side[0] * scale]
        };
        let steps = [-0.8, 0.0, 0.8].map(|s| s * self.module());
        let mut best = (self.dots(patch), self);
        // A side that leaves its dots half way still shows half of them; print shows none.
        if best.0 < LEAST_STRAIGHT {
            return best;
        }
        for up in steps {
            for right in steps {
                let moved = Grid {
                    up: across(self.at, self.up, up),
                    right: across(self.at, self.right, right),
                    ..self
                };
                let score = moved.dots(patch);
                if score > best.0 {
                    best = (score, moved);
                }
            }
        }
        best
    }

    /// Moves the grid in small steps to where its modules differ most from their mean.
    fn refined(mut self, patch: &Patch) -> Self {
        let mut best = self.spread(patch);
        for step in [0.3, 0.15, 0.08].map(|s| s * self.module()) {
            for knob in 0..8 {
                for sign in [step, -step] {
                    let mut moved = self;
                    let point = match knob / 2 {
                        0 => &mut moved.at,
                        1 => &mut moved.up,
                        2 => &mut moved.right,
                        _ => &mut moved.skew,
                    };
                    point[knob % 2] += sign;
                    let spread = moved.spread(patch);
                    if spread > best {
                        (self, best) = (moved, spread);
                        break;
                    }
                }
            }
        }
        self
    }

    /// Variance of the modules, and what the dotted sides add to it.
    fn spread(&self, patch: &Patch) -> f32 {
        let (mut sum, mut squares, mut n) = (0f32, 0f32, 0f32);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let value = self.value(patch, column as f32, row as f32);
                sum += value;
                squares += value * value;
                n += 1.0;
            }
        }
        (squares / n - (sum / n) * (sum / n)) * (1.5 + self.dots(patch))
    }
}

fn read_grid(patch: &Patch, grid: &Grid) -> Option<Barcode> {
    let (columns, rows) = (grid.columns, grid.rows);
    let values: Vec<f32> = (0..columns * rows)
        .map(|at| grid.value(patch, (at % columns) as f32, (at / columns) as f32))
        .collect();
    let border = |at: usize| match (at % columns, at / columns) {
        (0, _) => Some(true),
        (_, row) if row + 1 == rows => Some(true),
        (column, 0) => Some(column % 2 == 0),
        (column, row) if column + 1 == columns => Some(row % 2 == 1),
        _ => None,
    };
    // The border is known: its dark and light modules tell where the level lies.
    let mean_of = |dark: bool| {
        let (sum, n) = (0..values.len())
            .filter(|at| border(*at) == Some(dark))
            .fold((0f32, 0f32), |(s, n), at| (s + values[at], n + 1.0));
        sum / n.max(1.0)
    };
    let level = (mean_of(true) + mean_of(false)) / 2.0;
    for sharpen in [0.0, 0.15, 0.28] {
        let sharp = |x: usize, y: usize| {
            let near = |dx: isize, dy: isize| match (x.checked_add_signed(dx), y.checked_add_signed(dy)) {
                (Some(x), Some(y)) if x < columns && y < rows => values[y * columns + x],
                _ => 255.0,
            };
            values[y * columns + x] * (1.0 + 4.0 * sharpen)
                - sharpen * (near(-1, 0) + near(1, 0) + near(0, -1) + near(0, 1))
        };
        let mut bits = BitMatrix::new(columns as u32, rows as u32).ok()?;
        let mut wrong = 0usize;
        for at in 0..values.len() {
            let (x, y) = (at % columns, at / columns);
            let dark = sharp(x, y) < level;
            wrong += usize::from(border(at).is_some_and(|known| known != dark));
            if border(at).unwrap_or(dark) {
                bits.set(x as u32, y as u32);
            }
        }
        if wrong * 5 > columns + rows {
            continue;
        }
        if let Some((text, bytes)) = read::data_matrix_bits(&bits) {
            let (right, below) = (columns as f32 - 0.5, rows as f32 - 0.5);
            let corners = [[-0.5, -0.5], [right, -0.5], [right, below], [-0.5, below]]
                .map(|[c, r]| patch.to_page(grid.point(c, r)));
            let module_px = grid.module() * patch.scale();
            return Some(Barcode {
                format: Format::DataMatrix,
                text,
                bytes,
                corners,
                module_px,
                found_by: Stage::Corners,
            });
        }
    }
    None
}

/// The grey value at a point, that of the rim beyond it.
fn sample(patch: &Patch, [x, y]: [f32; 2]) -> f32 {
    let (w, h) = (patch.width.saturating_sub(1) as f32, patch.height.saturating_sub(1) as f32);
    bilinear(&patch.data, patch.width, patch.height, x.clamp(0.0, w), y.clamp(0.0, h)).unwrap_or(255.0)
}

fn sub(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

fn length(v: [f32; 2]) -> f32 {
    v[0].hypot(v[1])
}

/// Rows and columns of all symbols (ISO/IEC 16022, table 7; ISO/IEC 21471, table 7).
const SIZES: [(usize, usize); 48] = [
    (10, 10),
    (12, 12),
    (14, 14),
    (16, 16),
    (18, 18),
    (20, 20),
    (22, 22),
    (24, 24),
    (26, 26),
    (32, 32),
    (36, 36),
    (40, 40),
    (44, 44),
    (48, 48),
    (52, 52),
    (64, 64),
    (72, 72),
    (80, 80),
    (88, 88),
    (96, 96),
    (104, 104),
    (120, 120),
    (132, 132),
    (144, 144),
    (8, 18),
    (8, 32),
    (12, 26),
    (12, 36),
    (16, 36),
    (16, 48),
    (8, 48),
    (8, 64),
    (8, 80),
    (8, 96),
    (8, 120),
    (8, 144),
    (12, 64),
    (12, 88),
    (16, 64),
    (20, 36),
    (20, 44),
    (20, 64),
    (22, 48),
    (24, 48),
    (24, 64),
    (26, 40),
    (26, 48),
    (26, 64),
];
/// Darker than this, of stretched values, may be part of a solid side.
const DARK: u8 = 150;
/// Pixels of the shortest solid side.
const LEAST_SIDE: usize = 11;
/// Runs that are combined, each way.
const MOST_BARS: usize = 20;
/// Corners whose sizes are tried.
const MOST_CORNERS: usize = 60;
/// Grids that are sampled.
const MOST_GRIDS: usize = 12;
/// Pixels of the smallest module that is read.
const LEAST_MODULE: f32 = 1.3;
/// Places of a side where it is seen whether it is solid.
const SOLID_SAMPLES: usize = 16;
/// Mean of a solid side at most, half a module of the smallest kind inside: blur lightens it.
const MOST_SOLID: f32 = 190.0;
/// How well the dots of a grid must alternate before it is turned.
const LEAST_STRAIGHT: f32 = 0.12;
/// Larger patches hold no small code.
const MOST_PIXELS: usize = 1_500_000;
