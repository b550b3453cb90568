//! A piece of a page, cut out, turned or enlarged for one attempt at reading, that knows where it came from.

use crate::scan::luma::{Luma, half_row};

/// Grey pixels with their way back to the page. Pixel `(i, j)` has its centre at `(i, j)`.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width * height` samples.
    pub data: Vec<u8>,
    origin: [f32; 2],
    right: [f32; 2],
    down: [f32; 2],
}

impl Patch {
    /// The whole page.
    pub fn whole(luma: &Luma) -> Self {
        Patch {
            width: luma.width,
            height: luma.height,
            data: luma.data.clone(),
            origin: [0.0, 0.0],
            right: [1.0, 0.0],
            down: [0.0, 1.0],
        }
    }

    /// The rectangle from `(x0, y0)` to before `(x1, y1)`, cut to the page.
    pub fn cut(luma: &Luma, x0: usize, y0: usize, x1: usize, y1: usize) -> Self {
        let (x1, y1) = (x1.min(luma.width), y1.min(luma.height));
        let (x0, y0) = (x0.min(x1), y0.min(y1));
        let mut data = Vec::with_capacity((x1 - x0) * (y1 - y0));
        for y in y0..y1 {
            data.extend_from_slice(&luma.data[y * luma.width + x0..y * luma.width + x1]);
        }
        Patch {
            width: x1 - x0,
            height: y1 - y0,
            data,
            origin: [x0 as f32, y0 as f32],
            right: [1.0, 0.0],
            down: [0.0, 1.0],
        }
    }

    /// The same content turned by `angle` (radians, so that a line at that angle becomes horizontal), outside filled
    /// with white.
    pub fn turned(&self, angle: f32) -> Self {
        self.turned_by(angle, |x, y| self.between(x, y))
    }

    /// As [`Patch::turned`], each pixel the nearest one: for a first look, at a third of the cost.
    pub fn turned_roughly(&self, angle: f32) -> Self {
        const HALF: i64 = 1 << 15;
        self.turned_by(angle, |x, y| {
            let (x, y) = ((x + HALF) >> 16, (y + HALF) >> 16);
            self.data
                .get((y as usize).wrapping_mul(self.width).wrapping_add(x as usize))
                .copied()
                .unwrap_or(255)
        })
    }

    /// `sample` gives the value at a place of 16 fractional bits.
    #[inline(always)]
    fn turned_by(&self, angle: f32, sample: impl Fn(i64, i64) -> u8) -> Self {
        let (s, c) = angle.sin_cos();
        let (w, h) = (self.width as f32, self.height as f32);
        let (tw, th) = ((w * c.abs() + h * s.abs()).ceil(), (w * s.abs() + h * c.abs()).ceil());
        let (width, height) = (tw as usize, th as usize);
        let start = [
            (w - 1.0) / 2.0 - (tw - 1.0) / 2.0 * c + (th - 1.0) / 2.0 * s,
            (h - 1.0) / 2.0 - (tw - 1.0) / 2.0 * s - (th - 1.0) / 2.0 * c,
        ];
        // Fixed point of 16 bits: a step is exact to a thousandth of a pixel over a page.
        let fixed = |v: f32| (f64::from(v) * 65536.0) as i64;
        let (step_x, step_y) = (fixed(c), fixed(s));
        let mut data = vec![255u8; width * height];
        for (j, row) in data.chunks_exact_mut(width.max(1)).enumerate() {
            let mut x = fixed(start[0] - j as f32 * s);
            let mut y = fixed(start[1] + j as f32 * c);
            let (first, last) = self.covered(x, y, step_x, step_y, row.len());
            (x, y) = (x + first as i64 * step_x, y + first as i64 * step_y);
            for out in &mut row[first..last] {
                *out = sample(x, y);
                (x, y) = (x.wrapping_add(step_x), y.wrapping_add(step_y));
            }
        }
        let origin = self.to_page(start);
        let along = |d: [f32; 2]| {
            [self.right[0] * d[0] + self.down[0] * d[1], self.right[1] * d[0] + self.down[1] * d[1]]
        };
        Patch { width, height, data, origin, right: along([c, s]), down: along([-s, c]) }
    }

    /// Which of so many steps from a point lie between four pixels: from the first to before the last.
    fn covered(&self, x: i64, y: i64, step_x: i64, step_y: i64, steps: usize) -> (usize, usize) {
        let (mut first, mut last) = (0i64, steps as i64);
        for (at, step, side) in [(x, step_x, self.width), (y, step_y, self.height)] {
            let end = (side as i64 - 1) << 16;
            // at + n * step >= 0 and < end.
            match step.signum() {
                1 => {
                    first = first.max((-at + step - 1).div_euclid(step));
                    last = last.min((end - at + step - 1).div_euclid(step));
                }
                -1 => {
                    first = first.max((at - end).div_euclid(-step) + 1);
                    last = last.min(at.div_euclid(-step) + 1);
                }
                _ if at < 0 || at >= end => return (0, 0),
                _ => {}
            }
        }
        if first >= last { (0, 0) } else { (first as usize, last as usize) }
    }

    /// The value between four pixels, by coordinates of 16 fractional bits; white where one of them is not there.
    #[inline(always)]
    fn between(&self, x: i64, y: i64) -> u8 {
        let at = ((y >> 16) as usize).wrapping_mul(self.width).wrapping_add((x >> 16) as usize);
        let pair = |at: usize| match self.data.get(at..at.wrapping_add(2)) {
            Some(&[a, b]) => (u32::from(a), u32::from(b)),
            _ => (255, 255),
        };
        let (upper, lower) = (pair(at), pair(at.wrapping_add(self.width)));
        let (fx, fy) = (((x >> 8) & 255) as u32, ((y >> 8) & 255) as u32);
        let mix = |(a, b): (u32, u32)| (a << 8).wrapping_add(b.wrapping_sub(a).wrapping_mul(fx));
        let (upper, lower) = (mix(upper), mix(lower));
        ((upper << 8).wrapping_add(lower.wrapping_sub(upper).wrapping_mul(fy)) >> 16) as u8
    }

    /// The same content at twice the size, bilinear.
    pub fn doubled(&self) -> Self {
        let (width, height) = (self.width * 2, self.height * 2);
        let mut data = vec![0u8; width * height];
        let mut mixed = vec![0u16; self.width];
        for (j, out) in data.chunks_exact_mut(width.max(1)).enumerate() {
            let row = |at: usize| &self.data[at * self.width..(at + 1) * self.width];
            let near = j / 2;
            let far = if j % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(self.height - 1) };
            for ((sum, a), b) in mixed.iter_mut().zip(row(near)).zip(row(far)) {
                *sum = u16::from(*a).wrapping_mul(3).wrapping_add(u16::from(*b));
            }
            let last = mixed.len() - 1;
            for (i, pair) in out.chunks_exact_mut(2).enumerate() {
                let mix = |other: usize| ((mixed[i] * 3 + mixed[other] + 8) >> 4) as u8;
                (pair[0], pair[1]) = (mix(i.saturating_sub(1)), mix((i + 1).min(last)));
            }
        }
        let half = |v: [f32; 2]| [v[0] / 2.0, v[1] / 2.0];
        Patch {
            width,
            height,
            data,
            origin: self.to_page([-0.25, -0.25]),
            right: half(self.right),
            down: half(self.down),
        }
    }

    /// The same content at half the size, each pixel the mean of four.
    pub fn halved(&self) -> Self {
        let twice = |v: [f32; 2]| [v[0] * 2.0, v[1] * 2.0];
        Patch {
            width: self.width / 2,
            height: self.height / 2,
            data: half(&self.data, self.width, self.height),
            origin: self.to_page([0.5, 0.5]),
            right: twice(self.right),
            down: twice(self.down),
        }
    }

    /// The whole page at half its size, without a copy of it at its own.
    pub fn half_of(luma: &Luma) -> Self {
        Patch {
            width: luma.width / 2,
            height: luma.height / 2,
            data: half(&luma.data, luma.width, luma.height),
            origin: [0.5, 0.5],
            right: [2.0, 0.0],
            down: [0.0, 2.0],
        }
    }

    /// A quarter turn clockwise, exact.
    pub fn quarter(&self) -> Self {
        let (width, height) = (self.height, self.width);
        let mut data = vec![0u8; self.data.len()];
        for (y, row) in self.data.chunks_exact(self.width.max(1)).enumerate() {
            for (x, value) in row.iter().enumerate() {
                data[x * width + (width - 1 - y)] = *value;
            }
        }
        let back = |v: [f32; 2]| [-v[0], -v[1]];
        Patch {
            width,
            height,
            data,
            origin: self.to_page([0.0, self.height.saturating_sub(1) as f32]),
            right: back(self.down),
            down: self.right,
        }
    }

    /// The same content under a 3x3 binomial blur.
    pub fn blurred(&self) -> Self {
        let mut out = self.clone();
        let w = self.width;
        if w < 3 || self.height < 3 {
            return out;
        }
        // Three rows summed, then three columns: plain loops over equal lengths become vector instructions.
        let mut sums = vec![0u16; w];
        for y in 1..self.height - 1 {
            let row = |y: usize| &self.data[y * w..(y + 1) * w];
            for ((sum, (above, below)), here) in
                sums.iter_mut().zip(row(y - 1).iter().zip(row(y + 1))).zip(row(y))
            {
                *sum = u16::from(*above).wrapping_add(u16::from(*below)).wrapping_add(2 * u16::from(*here));
            }
            let columns = sums.iter().zip(&sums[1..]).zip(&sums[2..]);
            for (out, ((left, here), right)) in out.data[y * w + 1..(y + 1) * w - 1].iter_mut().zip(columns) {
                *out =
                    (left.wrapping_add(*right).wrapping_add(here.wrapping_mul(2)).wrapping_add(8) >> 4) as u8;
            }
        }
        out
    }

    /// The same content with a 3x3 blur taken back, which `soft` is the outcome of.
    pub fn sharpened(&self, soft: &Patch) -> Self {
        let mut out = self.clone();
        for (sharp, soft) in out.data.iter_mut().zip(&soft.data) {
            let (blurred, here) = (i16::from(*soft), i16::from(*sharp));
            *sharp = (3 * here - 2 * blurred).clamp(0, 255) as u8;
        }
        out
    }

    /// Black for white.
    pub fn inverted(&self) -> Self {
        let mut out = self.clone();
        out.data.iter_mut().for_each(|p| *p = 255 - *p);
        out
    }

    /// Stretches the grey values so that the darkest and the lightest hundredth become black and white.
    pub fn stretch(&mut self) {
        let mut histogram = [0usize; 256];
        for p in &self.data {
            histogram[usize::from(*p)] += 1;
        }
        let share = self.data.len() / 100;
        let low = percentile(&histogram, share);
        let high = percentile(&histogram, self.data.len().saturating_sub(share + 1));
        if high <= low {
            return;
        }
        let span = u32::from(high - low);
        let table: Vec<u8> =
            (0..=255u8).map(|v| (u32::from(v.saturating_sub(low)).min(span) * 255 / span) as u8).collect();
        self.data.iter_mut().for_each(|p| *p = table[usize::from(*p)]);
    }

    /// Paints a quadrilateral of the page white (its upright box, a little wider).
    pub fn whiten(&mut self, corners: &[[f32; 2]; 4]) {
        let scale = self.right[0];
        if scale <= 0.0 || self.right[1] != 0.0 || self.down != [0.0, scale] {
            return;
        }
        let bound = |axis: usize, least: bool| {
            let values = corners.iter().map(|c| (c[axis] - self.origin[axis]) / scale);
            if least { values.fold(f32::MAX, f32::min) } else { values.fold(f32::MIN, f32::max) }
        };
        let clamp = |v: f32, most: usize| v.clamp(0.0, most as f32) as usize;
        let (x0, x1) = (clamp(bound(0, true) - 2.0, self.width), clamp(bound(0, false) + 3.0, self.width));
        let (y0, y1) = (clamp(bound(1, true) - 2.0, self.height), clamp(bound(1, false) + 3.0, self.height));
        for y in y0..y1 {
            self.data[y * self.width + x0..y * self.width + x1].fill(255);
        }
    }

    /// Where a point of the patch lies on the page.
    pub fn to_page(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            self.origin[0] + x * self.right[0] + y * self.down[0],
            self.origin[1] + x * self.right[1] + y * self.down[1],
        ]
    }

    /// Pixels of the page per pixel of the patch.
    pub fn scale(&self) -> f32 {
        self.right[0].hypot(self.right[1])
    }

    /// Sums over the patch that tell the direction of its edges: the angle of the gradient (radians, -90° to 90°)
    /// and how much they agree (0 to 1); the angle of a grid (-45° to 45°).
    pub fn directions(&self) -> Directions {
        let (mut xx, mut yy, mut xy, mut re4, mut im4) = (0f64, 0f64, 0f64, 0f64, 0f64);
        for y in (1..self.height.saturating_sub(1)).step_by(2) {
            let at = y * self.width;
            for x in 1..self.width.saturating_sub(1) {
                let p = |at: usize| i32::from(self.data[at]);
                let gx = p(at + x + 1).wrapping_sub(p(at + x - 1));
                let gy = p(at + x + self.width).wrapping_sub(p(at + x - self.width));
                // Most of a region is paper or ink; its noise has no direction.
                if gx.unsigned_abs().wrapping_add(gy.unsigned_abs()) < LEAST_STEP {
                    continue;
                }
                let (gx, gy) = (gx as f32, gy as f32);
                let (gx2, gy2, gxy) = (gx * gx, gy * gy, gx * gy);
                xx += f64::from(gx2);
                yy += f64::from(gy2);
                xy += f64::from(gxy);
                // By the square of the step: corners, where both steps are large, must not outweigh edges.
                let scale = 1.0 / (gx2 + gy2 + 1.0);
                re4 += f64::from((gx2 * gx2 - 6.0 * gx2 * gy2 + gy2 * gy2) * scale);
                im4 += f64::from(4.0 * gxy * (gx2 - gy2) * scale);
            }
        }
        let spread = (xx - yy).hypot(2.0 * xy);
        Directions {
            gradient: (0.5 * (2.0 * xy).atan2(xx - yy)) as f32,
            coherence: if xx + yy > 0.0 { (spread / (xx + yy)) as f32 } else { 0.0 },
            grid: (0.25 * im4.atan2(re4)) as f32,
        }
    }
}

/// Smaller steps of light, of 510, do not tell a direction.
const LEAST_STEP: u32 = 16;

/// See [`Patch::directions`].
#[derive(Debug, Clone, Copy)]
pub struct Directions {
    /// Angle of the gradient, across the bars of a linear code.
    pub gradient: f32,
    /// 1 where all edges are parallel.
    pub coherence: f32,
    /// Angle of a square grid.
    pub grid: f32,
}

/// The value between four pixels; nothing outside of the picture.
#[inline]
pub(crate) fn bilinear(data: &[u8], width: usize, height: usize, x: f32, y: f32) -> Option<f32> {
    if !(x >= 0.0 && y >= 0.0) || width == 0 || height == 0 {
        return None;
    }
    let (x0, y0) = (x as usize, y as usize);
    if x0 >= width || y0 >= height || x > (width - 1) as f32 || y > (height - 1) as f32 {
        return None;
    }
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let p = |x: usize, y: usize| f32::from(data[y * width + x]);
    let top = p(x0, y0) + (p(x1, y0) - p(x0, y0)) * fx;
    let bottom = p(x0, y1) + (p(x1, y1) - p(x0, y1)) * fx;
    Some(top + (bottom - top) * fy)
}

/// The first value whose running count exceeds `rank`.
pub(crate) fn percentile(histogram: &[usize; 256], rank: usize) -> u8 {
    let mut sum = 0usize;
    for (value, count) in histogram.iter().enumerate() {
        sum += count;
        if sum > rank {
            return value as u8;
        }
    }
    255
}

/// Every four samples as their mean.
fn half(data: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut halves = vec![0u8; (width / 2) * (height / 2)];
    let pairs = data.chunks_exact(2 * width.max(1));
    for (out, pair) in halves.chunks_exact_mut((width / 2).max(1)).zip(pairs) {
        let (upper, lower) = pair.split_at(width);
        half_row(upper, lower, out);
    }
    halves
}
