//! The layers of a small convolutional network, written out: convolution, pooling, rectifiers.
//!
//! One thread and one order of addition, so that the same picture gives the same numbers on every run. Sizes are those
//! that TensorFlow calls `valid` and `same`; names and orders of axes are its own too (rows, columns, channels).

use zeroize::Zeroizing;

/// Values in rows, columns and channels, the channels of one point side by side. They were made of a face: the memory
/// is wiped when it is given back.
pub(super) struct Plane {
    /// Rows.
    pub(super) height: usize,
    /// Columns.
    pub(super) width: usize,
    /// Values at each point.
    pub(super) channels: usize,
    /// All of them, `height * width * channels`.
    pub(super) values: Zeroizing<Vec<f32>>,
}

/// A square convolution, its weights laid out for the loop that uses them.
pub(super) struct Filter {
    size: usize,
    channels: usize,
    outputs: usize,
    /// For each eight outputs, the eight weights of every input value; missing outputs weigh nothing.
    panels: Vec<f32>,
}

/// A square convolution of each channel by itself.
pub(super) struct Depthwise {
    size: usize,
    channels: usize,
    weights: Vec<f32>,
}

/// Outputs that are summed at once, and points that are.
const OUTPUTS: usize = 8;
const POINTS: usize = 4;
/// Points whose surroundings are gathered at once: they stay in the cache of the processor.
const GATHERED: usize = 8 * POINTS;

impl Plane {
    /// Zeros.
    pub(super) fn zeros(height: usize, width: usize, channels: usize) -> Plane {
        Plane { height, width, channels, values: Zeroizing::new(vec![0.0; height * width * channels]) }
    }

    fn row(&self, y: usize) -> &[f32] {
        let length = self.width * self.channels;
        &self.values[y * length..(y + 1) * length]
    }

    /// Applies a function to every value, given the number of its channel.
    pub(super) fn map(mut self, function: impl Fn(f32, usize) -> f32) -> Plane {
        for point in self.values.chunks_exact_mut(self.channels) {
            for (channel, value) in point.iter_mut().enumerate() {
                *value = function(*value, channel);
            }
        }
        self
    }

    /// Negative values become nothing.
    pub(super) fn relu(self) -> Plane {
        self.map(|v, _| v.max(0.0))
    }

    /// Adds one value for each channel.
    pub(super) fn bias(self, bias: &[f32]) -> Plane {
        debug_assert_eq!(bias.len(), self.channels);
        self.map(|v, c| v + bias[c])
    }
}

impl Filter {
    /// `weights` in the order rows, columns, inputs, outputs; `None` where their number is another.
    pub(super) fn new(size: usize, channels: usize, outputs: usize, weights: &[f32]) -> Option<Filter> {
        let inputs = size * size * channels;
        if inputs == 0 || outputs == 0 || weights.len() != inputs * outputs {
            return None;
        }
        let mut panels = Vec::with_capacity(inputs * outputs.next_multiple_of(OUTPUTS));
        for first in (0..outputs).step_by(OUTPUTS) {
            for row in weights.chunks_exact(outputs) {
                let panel = &row[first..outputs.min(first + OUTPUTS)];
                panels.extend_from_slice(panel);
                panels.extend(std::iter::repeat_n(0.0, OUTPUTS - panel.len()));
            }
        }
        Some(Filter { size, channels, outputs, panels })
    }

    /// The convolution of a plane with `pad` zeros on every side: the surroundings of some points are gathered as rows of
    /// a matrix, which is multiplied by the weights.
    pub(super) fn apply(&self, input: &Plane, stride: usize, pad: usize) -> Plane {
        debug_assert_eq!(input.channels, self.channels);
        let (height, width) =
            (steps(input.height, self.size, stride, pad), steps(input.width, self.size, stride, pad));
        let mut out = Plane::zeros(height, width, self.outputs);
        let inputs = self.size * self.size * self.channels;
        let mut gathered = Zeroizing::new(vec![0.0_f32; GATHERED * inputs]);
        for (block, sums) in out.values.chunks_mut(GATHERED * self.outputs).enumerate() {
            let points = sums.len() / self.outputs;
            for (nth, surroundings) in gathered.chunks_exact_mut(inputs).take(points).enumerate() {
                let point = block * GATHERED + nth;
                self.gather(input, (point / width) * stride, (point % width) * stride, pad, surroundings);
            }
            self.multiply(&gathered, inputs, points, sums);
        }
        out
    }

    /// Copies the input values around one point, zeros where it ends.
    fn gather(&self, input: &Plane, top: usize, left: usize, pad: usize, to: &mut [f32]) {
        let length = self.size * self.channels;
        // The columns of the input that are there, and where they come to lie in a row of the surroundings.
        let from = left.saturating_sub(pad).min(input.width);
        let until = (left + self.size).saturating_sub(pad).min(input.width).max(from);
        let start = (from + pad).saturating_sub(left).min(self.size) * self.channels;
        let count = (until - from) * self.channels;
        for (dy, row) in to.chunks_exact_mut(length).enumerate() {
            row.fill(0.0);
            let y = top + dy;
            if y >= pad && y - pad < input.height {
                let source = &input.row(y - pad)[from * self.channels..from * self.channels + count];
                row[start..start + count].copy_from_slice(source);
            }
        }
    }

    fn multiply(&self, gathered: &[f32], inputs: usize, points: usize, sums: &mut [f32]) {
        for (first, panel) in self.panels.chunks_exact(inputs * OUTPUTS).enumerate() {
            let first = first * OUTPUTS;
            let kept = OUTPUTS.min(self.outputs - first);
            // Rows after the last point are left from before; what they give is not kept.
            for (group, rows) in gathered.chunks_exact(POINTS * inputs).enumerate() {
                if group * POINTS >= points {
                    break;
                }
                let tile = tile(rows, panel, inputs);
                for (nth, tile) in tile.iter().enumerate().take(points - group * POINTS) {
                    let at = (group * POINTS + nth) * self.outputs + first;
                    sums[at..at + kept].copy_from_slice(&tile[..kept]);
                }
            }
        }
    }
}

/// Eight sums for each of four points. The sums stay in registers.
fn tile(rows: &[f32], panel: &[f32], inputs: usize) -> [[f32; OUTPUTS]; POINTS] {
    let mut sums = [[0.0_f32; OUTPUTS]; POINTS];
    let (a, rest) = rows.split_at(inputs);
    let (b, rest) = rest.split_at(inputs);
    let (c, d) = rest.split_at(inputs);
    for ((((weights, a), b), c), d) in panel.chunks_exact(OUTPUTS).zip(a).zip(b).zip(c).zip(d) {
        for (sums, value) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
    sums
}

impl Depthwise {
    /// `weights` in the order rows, columns, channels; `None` where their number is another.
    pub(super) fn new(size: usize, channels: usize, weights: Vec<f32>) -> Option<Depthwise> {
        (weights.len() == size * size * channels && channels > 0 && size > 0).then_some(Depthwise {
            size,
            channels,
            weights,
        })
    }

    /// The convolution of a plane with `pad` zeros on every side, point by point.
    pub(super) fn apply(&self, input: &Plane, pad: usize) -> Plane {
        debug_assert_eq!(input.channels, self.channels);
        let (height, width) = (steps(input.height, self.size, 1, pad), steps(input.width, self.size, 1, pad));
        let mut out = Plane::zeros(height, width, self.channels);
        for (point, sums) in out.values.chunks_exact_mut(self.channels).enumerate() {
            let (top, left) = (point / width, point % width);
            for (nth, weights) in self.weights.chunks_exact(self.channels).enumerate() {
                let (y, x) = (top + nth / self.size, left + nth % self.size);
                if y < pad || x < pad || y - pad >= input.height || x - pad >= input.width {
                    continue;
                }
                let at = (x - pad) * self.channels;
                let values = &input.row(y - pad)[at..at + self.channels];
                for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                    *sum += value * weight;
                }
            }
        }
        out
    }
}

/// The largest value of each square. `same`: squares may hang over the lower and right edge, so that nothing is left out.
pub(super) fn max_pool(input: &Plane, size: usize, stride: usize, same: bool) -> Plane {
    pool(input, size, stride, same, f32::NEG_INFINITY, f32::max)
}

/// The mean of each square; what does not fill a square at the lower and right edge is left out.
pub(super) fn mean_pool(input: &Plane, size: usize, stride: usize) -> Plane {
    let sums = pool(input, size, stride, false, 0.0, |a, b| a + b);
    let area = (size * size) as f32;
    sums.map(|v, _| v / area)
}

fn pool(
    input: &Plane,
    size: usize,
    stride: usize,
    same: bool,
    empty: f32,
    join: fn(f32, f32) -> f32,
) -> Plane {
    let length = |n: usize| if same { n.div_ceil(stride) } else { steps(n, size, stride, 0) };
    let mut out = Plane::zeros(length(input.height), length(input.width), input.channels);
    let (width, channels) = (out.width, input.channels);
    for (point, kept) in out.values.chunks_exact_mut(channels).enumerate() {
        kept.fill(empty);
        let (top, left) = ((point / width) * stride, (point % width) * stride);
        for y in top..(top + size).min(input.height) {
            let row = &input.row(y)[left * channels..(left + size).min(input.width) * channels];
            for values in row.chunks_exact(channels) {
                for (kept, value) in kept.iter_mut().zip(values) {
                    *kept = join(*kept, *value);
                }
            }
        }
    }
    out
}

/// How many times a square of `size` finds room in `length` with `pad` zeros on both sides.
fn steps(length: usize, size: usize, stride: usize, pad: usize) -> usize {
    (length + 2 * pad).checked_sub(size).map_or(0, |room| room / stride + 1)
}

#[cfg(test)]
mod tests;
