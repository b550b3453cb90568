//! QR codes by their three finder patterns, sampled straight from the grey plane.
//!
//! Three patterns at a right angle give the grid; its modules are then read at their grey centres, so that modules of
//! less than two pixels (a card's code copied at 200 dpi) survive, where a picture of black and white pixels would have
//! lost them. Error correction and character sets are the decoder library's.

use super::patch::bilinear;
use super::pattern::Pattern;
use super::{Barcode, Format, Stage, read};
use crate::scan::luma::Luma;
use rxing::common::BitMatrix;

/// Three finder patterns that could belong to one code.
#[derive(Debug, Clone, Copy)]
pub struct Triple {
    top_left: [f32; 2],
    top_right: [f32; 2],
    bottom_left: [f32; 2],
    module: f32,
    misfit: f32,
}

impl Triple {
    /// Its three patterns, and the middle of the code.
    pub fn places(&self) -> [[f32; 2]; 4] {
        let across = |axis: usize| (self.top_right[axis] + self.bottom_left[axis]) / 2.0;
        [self.top_left, self.top_right, self.bottom_left, [across(0), across(1)]]
    }
}

/// What came of a triple.
#[derive(Debug)]
pub enum Reading {
    /// A code.
    Code(Box<Barcode>),
    /// The patterns have the lines between them that a code has, and no text could be read.
    Illegible,
    /// The patterns are not of one code.
    Strange,
}

/// Proposes codes from the patterns of a page, the best fitting first. A pattern is put together with those nearest
/// to it: the others of its code are, on a page so full that it has further ones.
pub fn triples(patterns: &[Pattern]) -> Vec<Triple> {
    let mut found = Vec::new();
    let mut near: Vec<(f32, &Pattern)> = Vec::new();
    for corner in patterns {
        let gap = |other: &Pattern| length(sub(other.at, corner.at));
        near.clear();
        near.extend(patterns.iter().filter(|p| !std::ptr::eq(*p, corner)).map(|p| (gap(p), p)));
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(MOST_NEAR);
        for (i, (_, one)) in near.iter().enumerate() {
            found.extend(near[i + 1..].iter().filter_map(|(_, other)| triple(corner, one, other)));
        }
    }
    found.sort_by(|a: &Triple, b| a.misfit.total_cmp(&b.misfit));
    found
}

fn triple(corner: &Pattern, one: &Pattern, other: &Pattern) -> Option<Triple> {
    let least = corner.unit.min(one.unit).min(other.unit);
    let most = corner.unit.max(one.unit).max(other.unit);
    if most > 1.35 * least {
        return None;
    }
    let (a, b) = (sub(one.at, corner.at), sub(other.at, corner.at));
    let (long_a, long_b) = (a[0].hypot(a[1]), b[0].hypot(b[1]));
    let cosine = (a[0] * b[0] + a[1] * b[1]) / (long_a * long_b);
    let ratio = long_a / long_b;
    if !(cosine.abs() < 0.12 && (0.87..1.15).contains(&ratio)) {
        return None;
    }
    // A turned pattern is crossed by rows on a longer way.
    let turn = a[1].atan2(a[0]).rem_euclid(std::f32::consts::FRAC_PI_2);
    let turn = turn.min(std::f32::consts::FRAC_PI_2 - turn);
    let module = (corner.unit + one.unit + other.unit) / 3.0 * turn.cos();
    let modules = (long_a + long_b) / 2.0 / module;
    if !(12.0..=175.0).contains(&modules) {
        return None;
    }
    let clockwise = a[0] * b[1] - a[1] * b[0] > 0.0;
    let (right, left) = if clockwise { (one, other) } else { (other, one) };
    Some(Triple {
        top_left: corner.at,
        top_right: right.at,
        bottom_left: left.at,
        module,
        misfit: cosine.abs() + (1.0 - ratio).abs() + (most / least - 1.0) * 0.3,
    })
}

/// Reads the code that a triple proposes.
pub fn read(luma: &Luma, triple: &Triple) -> Reading {
    let span = (length(sub(triple.top_right, triple.top_left))
        + length(sub(triple.bottom_left, triple.top_left)))
        / 2.0;
    let guess = ((span / triple.module + 7.0 - 17.0) / 4.0).round() as i32;
    let mut sizes: Vec<(f32, usize)> = (guess - 3..=guess + 3)
        .filter(|version| (1..=40).contains(version))
        .map(|version| 17 + 4 * version as usize)
        .map(|size| (timing(luma, &Warp::of(triple, size)), size))
        .filter(|(score, size)| {
            *score > LEAST_TIMING && contour(luma, &Warp::of(triple, *size)) > LEAST_CONTOUR
        })
        .collect();
    if sizes.is_empty() {
        return Reading::Strange;
    }
    sizes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let warps = sizes.iter().take(2).flat_map(|&(_, size)| {
        let warp = Warp::of(triple, size);
        [false, true].map(|refine| if refine { warp.refined(luma) } else { warp })
    });
    let code = warps.into_iter().find_map(|warp| read_grid(luma, &warp));
    code.map_or(Reading::Illegible, |code| Reading::Code(Box::new(code)))
}

fn read_grid(luma: &Luma, warp: &Warp) -> Option<Barcode> {
    let size = warp.size;
    let values = warp.values(luma)?;
    for sharpen in [0.0, 0.12, 0.25] {
        let sharp = sharpened(&values, size, sharpen);
        for levels in [local_mean(&sharp, size), vec![mean(&sharp); sharp.len()]] {
            let mut bits = BitMatrix::new(size as u32, size as u32).ok()?;
            for (at, (value, level)) in sharp.iter().zip(&levels).enumerate() {
                if value < level {
                    bits.set((at % size) as u32, (at / size) as u32);
                }
            }
            if let Some((text, bytes)) = read::qr_bits(&bits) {
                let end = size as f32 - 0.5;
                let corners =
                    [[-0.5, -0.5], [end, -0.5], [end, end], [-0.5, end]].map(|[c, r]| warp.at(c, r));
                let module_px = length(sub(warp.top_right, warp.top_left)) / (size as f32 - 7.0);
                return Some(Barcode {
                    format: Format::QRCode,
                    text,
                    bytes,
                    corners,
                    module_px,
                    found_by: Stage::Finders,
                });
            }
        }
    }
    None
}

/// Where the modules of a code lie on the page.
#[derive(Debug, Clone, Copy)]
struct Warp {
    size: usize,
    top_left: [f32; 2],
    top_right: [f32; 2],
    bottom_left: [f32; 2],
    /// What the fourth corner departs from a parallelogram.
    skew: [f32; 2],
}

impl Warp {
    fn of(triple: &Triple, size: usize) -> Self {
        Warp {
            size,
            top_left: triple.top_left,
            top_right: triple.top_right,
            bottom_left: triple.bottom_left,
            skew: [0.0, 0.0],
        }
    }

    /// The centre of a module by column and row.
    fn at(&self, column: f32, row: f32) -> [f32; 2] {
        let span = self.size as f32 - 7.0;
        let (u, v) = ((column - 3.0) / span, (row - 3.0) / span);
        let along = |axis: usize| {
            self.top_left[axis]
                + u * (self.top_right[axis] - self.top_left[axis])
                + v * (self.bottom_left[axis] - self.top_left[axis])
                + u * v * self.skew[axis]
        };
        [along(0), along(1)]
    }

    fn value(&self, luma: &Luma, column: usize, row: usize) -> Option<f32> {
        let [x, y] = self.at(column as f32, row as f32);
        bilinear(&luma.data, luma.width, luma.height, x, y)
    }

    fn values(&self, luma: &Luma) -> Option<Vec<f32>> {
        let modules = (0..self.size * self.size).map(|at| self.value(luma, at % self.size, at / self.size));
        modules.collect()
    }

    /// Moves the grid in small steps to where its modules differ most from their mean: there they are hit in their
    /// middle.
    fn refined(mut self, luma: &Luma) -> Self {
        let module = length(sub(self.top_right, self.top_left)) / (self.size as f32 - 7.0);
        let mut best = self.spread(luma);
        for step in [0.3 * module, 0.15 * module, 0.08 * module] {
            for knob in 0..8 {
                for sign in [step, -step] {
                    let mut moved = self;
                    let point = match knob / 2 {
                        0 => &mut moved.top_left,
                        1 => &mut moved.top_right,
                        2 => &mut moved.bottom_left,
                        _ => &mut moved.skew,
                    };
                    point[knob % 2] += sign;
                    let spread = moved.spread(luma);
                    if spread > best {
                        (self, best) = (moved, spread);
                        break;
                    }
                }
            }
        }
        self
    }

    fn spread(&self, luma: &Luma) -> f32 {
        let (mut sum, mut squares, mut n) = (0f32, 0f32, 0f32);
        for row in 0..self.size {
            for column in (row % 3..self.size).step_by(3) {
                let Some(value) = self.value(luma, column, row) else { return 0.0 };
                sum += value;
                squares += value * value;
                n += 1.0;
            }
        }
        squares / n - (sum / n) * (sum / n)
    }
}

/// How well the timing rows alternate, -1 to 1, the worse of both.
fn timing(luma: &Luma, warp: &Warp) -> f32 {
    let line = |across: bool| {
        let (mut signed, mut spread, mut before) = (0f32, 1f32, None);
        for at in 8..warp.size.saturating_sub(8) {
            let value = if across { warp.value(luma, at, 6) } else { warp.value(luma, 6, at) };
            let Some(value) = value else { return -1.0 };
            if let Some(before) = before {
                let step: f32 = value - before;
                signed += if at % 2 == 0 { -step } else { step };
                spread += step.abs();
            }
            before = Some(value);
        }
        signed / spread
    };
    // Version 1 has no more than five alternating modules a line; its score is rough but its codes are few.
    let across = line(true);
    if across <= LEAST_TIMING { across } else { across.min(line(false)) }
}

/// How much lighter the light modules around the three patterns are than the dark ones at their rims, by the spread of
/// all modules: patterns of a halftone are no squares.
fn contour(luma: &Luma, warp: &Warp) -> f32 {
    let last = warp.size - 1;
    let corners = |x: usize, y: usize| [(x, y), (last - x, y), (x, last - y)];
    let mean_of = |modules: Vec<(usize, usize)>| {
        let modules = modules.into_iter().flat_map(|(x, y)| corners(x, y));
        let values: Vec<f32> = modules.filter_map(|(x, y)| warp.value(luma, x, y)).collect();
        mean(&values)
    };
    let light = mean_of((0..7).flat_map(|at| [(7, at), (at, 7)]).collect());
    let dark = mean_of((0..7).flat_map(|at| [(6, at), (at, 6), (0, at), (at, 0)]).collect());
    (light - dark) / warp.spread(luma).max(1.0).sqrt()
}

/// Takes back what blur has mixed in from the four neighbours.
fn sharpened(values: &[f32], size: usize, share: f32) -> Vec<f32> {
    if share == 0.0 {
        return values.to_vec();
    }
    let at = |x: usize, y: usize| values[y * size + x];
    let mut out = Vec::with_capacity(values.len());
    for y in 0..size {
        for x in 0..size {
            let here = at(x, y);
            let left = if x > 0 { at(x - 1, y) } else { 255.0 };
            let right = if x + 1 < size { at(x + 1, y) } else { 255.0 };
            let up = if y > 0 { at(x, y - 1) } else { 255.0 };
            let down = if y + 1 < size { at(x, y + 1) } else { 255.0 };
            out.push(here * (1.0 + 4.0 * share) - share * (left + right + up + down));
        }
    }
    out
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// The mean of 11 x 11 modules around each; masks keep codes half dark.
fn local_mean(values: &[f32], size: usize) -> Vec<f32> {
    let side = size + 1;
    let mut sums = vec![0f64; side * side];
    for y in 0..size {
        let mut row = 0f64;
        for x in 0..size {
            row += f64::from(values[y * size + x]);
            sums[(y + 1) * side + x + 1] = sums[y * side + x + 1] + row;
        }
    }
    let mut out = Vec::with_capacity(values.len());
    for y in 0..size {
        let (y0, y1) = (y.saturating_sub(5), (y + 6).min(size));
        for x in 0..size {
            let (x0, x1) = (x.saturating_sub(5), (x + 6).min(size));
            let sum =
                sums[y1 * side + x1] - sums[y0 * side + x1] - sums[y1 * side + x0] + sums[y0 * side + x0];
            out.push((sum / ((y1 - y0) * (x1 - x0)) as f64) as f32);
        }
    }
    out
}

fn sub(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

fn length(v: [f32; 2]) -> f32 {
    v[0].hypot(v[1])
}

/// Patterns with which one is put together.
const MOST_NEAR: usize = 47;
/// See [`contour`]: codes have 1.8 to 2.1, less where one of three is stained; halftones have up to 0.5.
const LEAST_CONTOUR: f32 = 0.8;
/// How well the timing rows of a code alternate at least.
const LEAST_TIMING: f32 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of three patterns, drawn as squares or only as the lines through their middles.
    fn reading(are_squares: bool) -> Reading {
        let (size, module) = (25usize, 4usize);
        let ring = |x: usize, y: usize| x.abs_diff(3).max(y.abs_diff(3));
        let dark = |x: usize, y: usize| {
            let (near_x, near_y) = (x.min(size - 1 - x), y.min(size - 1 - y));
            let is_pattern = near_x < 8 && near_y < 8 && (x < 8 || y < 8);
            if is_pattern && (are_squares || near_x == 3 || near_y == 3) {
                return matches!(ring(near_x, near_y), 0 | 1 | 3);
            }
            if x == 6 || y == 6 {
                (x + y).is_multiple_of(2)
            } else {
                (x * 7 + y * 5 + x * y).is_multiple_of(3)
            }
        };
        let (width, quiet) = ((size + 8) * module, 4 * module);
        let pixel = |at: usize| {
            let place = |v: usize| v.checked_sub(quiet).map(|v| v / module).filter(|v| *v < size);
            match (place(at % width), place(at / width)) {
                (Some(x), Some(y)) if dark(x, y) => 0,
                _ => 255,
            }
        };
        let luma = Luma { width, height: width, data: (0..width * width).map(pixel).collect() };
        let near = (quiet + 3 * module) as f32 + 1.5;
        let far = near + ((size - 7) * module) as f32;
        let triple = Triple {
            top_left: [near, near],
            top_right: [far, near],
            bottom_left: [near, far],
            module: module as f32,
            misfit: 0.0,
        };
        read(&luma, &triple)
    }

    #[test]
    fn patterns_that_are_no_squares_are_left_before_anything_is_decoded() {
        assert!(matches!(reading(true), Reading::Illegible));
        assert!(matches!(reading(false), Reading::Strange));
    }
}
