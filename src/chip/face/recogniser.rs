//! Describes a face by 128 numbers: the residual network of dlib (D. King), as `@vladmandic/face-api` carries it. Faces
//! of one person lie near one another; how near is a matter of the pictures too, and no proof of anything.

use super::Picture;
use super::crop::{Square, sample};
use super::detector::filter;
use super::layers::{Filter, Plane, max_pool, mean_pool};
use super::weights::{Broken, Weights};
use zeroize::Zeroizing;

/// The network.
pub(super) struct Recogniser {
    first: Convolution,
    blocks: Vec<Block>,
    /// 256 values times 128.
    last: Filter,
}

/// A convolution whose outputs are scaled and shifted.
struct Convolution {
    filter: Filter,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Two convolutions beside a way around them.
struct Block {
    one: Convolution,
    two: Convolution,
    /// Halves height and width.
    down: bool,
}

/// What describes a face. It never leaves this program, is never written down, and is wiped after use.
pub(super) struct Descriptor(Zeroizing<Vec<f32>>);

/// Side of the square that the network looks at.
pub(super) const INPUT: usize = 150;
const MEAN: [f32; 3] = [122.782, 117.001, 104.298];
const LENGTH: usize = 128;
/// The blocks in their order: name, channels in, channels out, whether it halves.
const BLOCKS: [(&str, usize, usize, bool); 14] = [
    ("conv32_1", 32, 32, false),
    ("conv32_2", 32, 32, false),
    ("conv32_3", 32, 32, false),
    ("conv64_down", 32, 64, true),
    ("conv64_1", 64, 64, false),
    ("conv64_2", 64, 64, false),
    ("conv64_3", 64, 64, false),
    ("conv128_down", 64, 128, true),
    ("conv128_1", 128, 128, false),
    ("conv128_2", 128, 128, false),
    ("conv256_down", 128, 256, true),
    ("conv256_1", 256, 256, false),
    ("conv256_2", 256, 256, false),
    ("conv256_down_out", 256, 256, true),
];

impl Recogniser {
    /// Builds the network of its weights.
    ///
    /// # Errors
    /// A tensor is absent, of another shape, or left over.
    pub(super) fn new(mut weights: Weights) -> Result<Recogniser, Broken> {
        let weights = &mut weights;
        let first = Convolution::new(weights, "conv32_down", 7, 3, 32)?;
        let mut blocks = Vec::new();
        for (name, from, to, down) in BLOCKS {
            let one = Convolution::new(weights, &format!("{name}/conv1"), 3, from, to)?;
            let two = Convolution::new(weights, &format!("{name}/conv2"), 3, to, to)?;
            blocks.push(Block { one, two, down });
        }
        let last = weights.take("fc", &[256, LENGTH])?;
        let last = Filter::new(1, 256, LENGTH, &last).ok_or_else(|| Broken::Absent("fc".to_owned()))?;
        weights.done()?;
        Ok(Recogniser { first, blocks, last })
    }

    /// Describes what stands in a square of a picture.
    pub(super) fn describe(&self, picture: &Picture, square: Square) -> Descriptor {
        let input = sample(picture, square, INPUT, MEAN);
        let mut out = max_pool(&self.first.apply(&input, 2, 0).relu(), 3, 2, false);
        for block in &self.blocks {
            out = block.apply(out);
        }
        let mean = mean_pool(&out, out.height, 1);
        Descriptor(self.last.apply(&mean, 1, 0).values)
    }
}

impl Convolution {
    fn new(weights: &mut Weights, name: &str, size: usize, from: usize, to: usize) -> Result<Self, Broken> {
        let filter = filter(weights, &format!("{name}/conv/filters"), size, from, to)?;
        let bias = weights.take(&format!("{name}/conv/bias"), &[to])?;
        let scale = weights.take(&format!("{name}/scale/weights"), &[to])?;
        let shift = weights.take(&format!("{name}/scale/biases"), &[to])?;
        // (x + bias) * scale + shift, with what does not depend on x added up beforehand.
        let shift = shift.iter().zip(&bias).zip(&scale).map(|((shift, bias), scale)| bias * scale + shift);
        Ok(Convolution { filter, shift: shift.collect(), scale })
    }

    fn apply(&self, input: &Plane, stride: usize, pad: usize) -> Plane {
        self.filter.apply(input, stride, pad).map(|v, c| v * self.scale[c] + self.shift[c])
    }
}

impl Block {
    fn apply(&self, input: Plane) -> Plane {
        let (stride, pad) = if self.down { (2, 0) } else { (1, 1) };
        let out = self.two.apply(&self.one.apply(&input, stride, pad).relu(), 1, 1);
        let around = if self.down { mean_pool(&input, 2, 2) } else { input };
        join(&around, &out).relu()
    }
}

/// The sum of two planes; where one is smaller, zeros stand below it, right of it and behind its channels.
fn join(a: &Plane, b: &Plane) -> Plane {
    let mut sum = Plane::zeros(a.height.max(b.height), a.width.max(b.width), a.channels.max(b.channels));
    for part in [a, b] {
        for y in 0..part.height {
            for x in 0..part.width {
                let from = &part.values[(y * part.width + x) * part.channels..][..part.channels];
                let to = &mut sum.values[(y * sum.width + x) * sum.channels..][..part.channels];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
    }
    sum
}

impl Descriptor {
    /// How far apart two faces are (Euclid), 0 for the same picture.
    pub(super) fn distance(&self, other: &Descriptor) -> f64 {
        let squares = self.0.iter().zip(other.0.iter()).map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> &[f32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_other_sizes_are_added_from_the_upper_left_and_the_first_channel() {
        let plane = |height, width, channels, values: &[f32]| {
            let mut plane = Plane::zeros(height, width, channels);
            plane.values.copy_from_slice(values);
            plane
        };
        let a = plane(2, 2, 1, &[1.0, 2.0, 3.0, 4.0]);
        let b = plane(1, 1, 2, &[10.0, 20.0]);
        let sum = join(&a, &b);
        assert_eq!((sum.height, sum.width, sum.channels), (2, 2, 2));
        assert_eq!(*sum.values, [11.0, 20.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0]);
    }

    #[test]
    fn distance_is_that_of_euclid() {
        let of = |values: &[f32]| Descriptor(Zeroizing::new(values.to_vec()));
        assert!((of(&[0.0, 3.0]).distance(&of(&[4.0, 0.0])) - 5.0).abs() < 1e-12);
        assert!(of(&[0.5, 0.25]).distance(&of(&[0.5, 0.25])) == 0.0);
    }
}
