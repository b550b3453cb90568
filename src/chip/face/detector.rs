//! Finds faces: the tiny face detector of `@vladmandic/face-api` (a Tiny YOLO v2 of separable convolutions). It gives
//! boxes around the features of faces, brows to chin, and how sure it is of each.

use super::Picture;
use super::crop::{Square, sample};
use super::layers::{Depthwise, Filter, Plane, max_pool};
use super::weights::{Broken, Weights};

/// The network.
pub(super) struct Detector {
    first: (Filter, Vec<f32>),
    stages: Vec<Separable>,
    last: (Filter, Vec<f32>),
}

/// A convolution of each channel by itself, and one that mixes them.
struct Separable {
    each: Depthwise,
    mix: Filter,
    bias: Vec<f32>,
}

/// A face in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// How sure the network is, 0 to 1.
    pub(super) score: f64,
    /// Left edge of its box in pixels; it may lie outside the picture.
    pub(super) x: f64,
    /// Upper edge.
    pub(super) y: f64,
    /// Pixels across.
    pub(super) width: f64,
    /// Pixels down.
    pub(super) height: f64,
}

/// Side of the square that the network looks at.
const INPUT: usize = 416;
/// Cells on each side of what it says, and boxes in each.
const CELLS: usize = 13;
const ANCHORS: [(f64, f64); 5] = [
    (1.603_231, 2.094_468),
    (6.041_143, 7.080_126),
    (2.882_459, 3.518_061),
    (4.266_906, 5.178_857),
    (9.041_765, 10.663_08),
];
/// Values for a box: where, how large, how sure.
const BOX: usize = 5;
const MEAN: [f32; 3] = [117.001, 114.697, 97.404];
/// Below this it is no face.
const SURE: f64 = 0.5;
/// Two boxes that share more of what they cover are one face.
const OVERLAP: f64 = 0.4;
/// Channels after each stage.
const CHANNELS: [usize; 6] = [16, 32, 64, 128, 256, 512];

impl Detector {
    /// Builds the network of its weights.
    ///
    /// # Errors
    /// A tensor is absent, of another shape, or left over.
    pub(super) fn new(mut weights: Weights) -> Result<Detector, Broken> {
        let weights = &mut weights;
        let first = filter(weights, "conv0/filters", 3, 3, CHANNELS[0])?;
        let first = (first, weights.take("conv0/bias", &[CHANNELS[0]])?);
        let mut stages = Vec::new();
        for (nth, pair) in CHANNELS.windows(2).enumerate() {
            let name = |part: &str| format!("conv{}/{part}", nth + 1);
            let each = weights.take(&name("depthwise_filter"), &[3, 3, pair[0], 1])?;
            let each =
                Depthwise::new(3, pair[0], each).ok_or_else(|| Broken::Absent(name("depthwise_filter")))?;
            let mix = filter(weights, &name("pointwise_filter"), 1, pair[0], pair[1])?;
            stages.push(Separable { each, mix, bias: weights.take(&name("bias"), &[pair[1]])? });
        }
        let outputs = ANCHORS.len() * BOX;
        let last = filter(weights, "conv8/filters", 1, CHANNELS[5], outputs)?;
        let last = (last, weights.take("conv8/bias", &[outputs])?);
        weights.done()?;
        Ok(Detector { first, stages, last })
    }

    /// The faces in a picture, surest first.
    pub(super) fn find(&self, picture: &Picture) -> Vec<Found> {
        let (width, height) = (picture.width(), picture.height());
        // The picture in the upper left of a black square.
        let side = width.max(height);
        let input = sample(picture, Square { x: 0, y: 0, side }, INPUT, MEAN);
        best(boxes(&self.forward(&input), width, height))
    }

    fn forward(&self, input: &Plane) -> Plane {
        let mut out = leaky(self.first.0.apply(input, 1, 0).bias(&self.first.1));
        for (nth, stage) in self.stages.iter().enumerate() {
            out = max_pool(&out, 2, 2, true);
            let each = stage.each.apply(&out, 1);
            out = leaky(stage.mix.apply(&each, 1, 0).bias(&stage.bias));
            if nth + 1 == self.stages.len() {
                out = max_pool(&out, 2, 1, true);
            }
        }
        self.last.0.apply(&out, 1, 0).bias(&self.last.1)
    }
}

/// A filter by name.
///
/// # Errors
/// The tensor is absent or has another shape.
pub(super) fn filter(
    weights: &mut Weights,
    name: &str,
    size: usize,
    channels: usize,
    outputs: usize,
) -> Result<Filter, Broken> {
    let values = weights.take(name, &[size, size, channels, outputs])?;
    Filter::new(size, channels, outputs, &values).ok_or_else(|| Broken::Absent(name.to_owned()))
}

/// A tenth of what is negative is kept. Written as the library computes it, for the same last bits.
fn leaky(plane: Plane) -> Plane {
    plane.map(|v, _| {
        let least = v * 0.1_f32;
        (v - least).max(0.0) + least
    })
}

/// The boxes that the network is sure of, in pixels of the picture.
fn boxes(out: &Plane, width: u32, height: u32) -> Vec<Found> {
    let (w, h, input) = (f64::from(width), f64::from(height), INPUT as f64);
    // The share of the input square that the picture fills, in whole pixels as the library counts them.
    let scale = input / w.max(h);
    let (fill_x, fill_y) = ((w * scale).round().max(1.0) / input, (h * scale).round().max(1.0) / input);
    let cells = CELLS as f64;
    let mut found = Vec::new();
    for (nth, values) in out.values.chunks_exact(BOX).enumerate() {
        let (cell, anchor) = (nth / ANCHORS.len(), ANCHORS[nth % ANCHORS.len()]);
        let (row, column) = ((cell / CELLS) as f64, (cell % CELLS) as f64);
        let [x, y, across, down, score] = [0, 1, 2, 3, 4].map(|n| f64::from(values[n]));
        let score = sigmoid(score);
        let across = across.exp() * anchor.0 / cells / fill_x * w;
        let down = down.exp() * anchor.1 / cells / fill_y * h;
        let x = (column + sigmoid(x)) / cells / fill_x * w - across / 2.0;
        let y = (row + sigmoid(y)) / cells / fill_y * h - down / 2.0;
        if score > SURE && [x, y, across, down].iter().all(|v| v.is_finite()) {
            found.push(Found { score, x, y, width: across, height: down });
        }
    }
    found
}

/// Of boxes that cover the same face, the surest.
fn best(mut boxes: Vec<Found>) -> Vec<Found> {
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Found> = Vec::new();
    for candidate in boxes {
        if kept.iter().all(|k| k.overlap(&candidate) <= OVERLAP) {
            kept.push(candidate);
        }
    }
    kept
}

impl Found {
    /// The area that two boxes share, as a part of the area that they cover together.
    fn overlap(&self, other: &Found) -> f64 {
        let across = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let down = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        let shared = across.max(0.0) * down.max(0.0);
        shared / (self.width * self.height + other.width * other.height - shared)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: f64, x: f64, y: f64, side: f64) -> Found {
        Found { score, x, y, width: side, height: side }
    }

    #[test]
    fn of_two_boxes_on_one_face_the_surer_is_kept_and_a_neighbour_stays() {
        let boxes = vec![found(0.6, 0.0, 0.0, 10.0), found(0.9, 2.0, 0.0, 10.0), found(0.7, 30.0, 0.0, 10.0)];
        let kept: Vec<f64> = best(boxes).iter().map(|f| f.score).collect();
        assert_eq!(kept, [0.9, 0.7]);
    }

    #[test]
    fn boxes_overlap_by_shared_over_covered() {
        let (a, b) = (found(1.0, 0.0, 0.0, 10.0), found(1.0, 5.0, 0.0, 10.0));
        assert!((a.overlap(&b) - 50.0 / 150.0).abs() < 1e-12);
        assert!((a.overlap(&a) - 1.0).abs() < 1e-12);
        assert!(a.overlap(&found(1.0, 11.0, 0.0, 10.0)) == 0.0);
    }

    #[test]
    fn a_box_is_told_in_pixels_of_a_picture_that_is_not_square() {
        let mut out = Plane::zeros(CELLS, CELLS, ANCHORS.len() * BOX);
        // Cell in row 6, column 3, first anchor: centre of the cell, the anchor's own size, nearly certain.
        let at = ((6 * CELLS + 3) * ANCHORS.len()) * BOX;
        out.values.iter_mut().skip(4).step_by(BOX).for_each(|v| *v = -9.0);
        out.values[at + 4] = 9.0;
        let [face] = boxes(&out, 416, 832)[..] else { panic!("one face") };
        // The square of 832 has cells of 64 pixels.
        assert!((face.x + face.width / 2.0 - 3.5 * 64.0).abs() < 1e-9);
        assert!((face.y + face.height / 2.0 - 6.5 * 64.0).abs() < 1e-9);
        assert!((face.width - ANCHORS[0].0 * 64.0).abs() < 1e-9);
        assert!((face.height - ANCHORS[0].1 * 64.0).abs() < 1e-9);
    }

    #[test]
    fn a_box_without_end_is_no_face() {
        let mut out = Plane::zeros(CELLS, CELLS, ANCHORS.len() * BOX);
        out.values.iter_mut().skip(4).step_by(BOX).for_each(|v| *v = 9.0);
        out.values.iter_mut().skip(2).step_by(BOX).for_each(|v| *v = 1e6);
        assert_eq!(boxes(&out, 100, 100), []);
        out.values.iter_mut().for_each(|v| *v = f32::NAN);
        assert_eq!(boxes(&out, 100, 100), []);
    }
}
