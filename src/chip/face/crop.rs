//! Cuts a square out of a picture and brings it to the size that a network looks at.

use super::Picture;
use super::layers::Plane;

/// A square in pixels of a picture. What lies outside the picture is black.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Square {
    /// Left edge.
    pub(super) x: i64,
    /// Upper edge.
    pub(super) y: i64,
    /// Pixels on a side, at least 1.
    pub(super) side: u32,
}

/// The square at `to` by `to` points, two neighbours mixed each way (the `resizeBilinear` of TensorFlow without its two
/// options), with `mean` taken away and 255 as one.
pub(super) fn sample(picture: &Picture, square: Square, to: usize, mean: [f32; 3]) -> Plane {
    let mut out = Plane::zeros(to, to, 3);
    let scale = f64::from(square.side) / to as f64;
    let last = square.side.saturating_sub(1);
    let steps: Vec<(u32, u32, f32)> = (0..to)
        .map(|n| {
            let at = n as f64 * scale;
            let low = (at.floor() as u32).min(last);
            (low, (at.ceil() as u32).min(last), (at - f64::from(low)) as f32)
        })
        .collect();
    let pixel = |x: u32, y: u32| picture.pixel(square.x + i64::from(x), square.y + i64::from(y));
    for (row, (top, bottom, down)) in out.values.chunks_exact_mut(to * 3).zip(&steps) {
        for (point, (left, right, across)) in row.chunks_exact_mut(3).zip(&steps) {
            let [a, b] = [pixel(*left, *top), pixel(*right, *top)];
            let [c, d] = [pixel(*left, *bottom), pixel(*right, *bottom)];
            for channel in 0..3 {
                let [a, b, c, d] = [a, b, c, d].map(|p| f32::from(p[channel]));
                let upper = a + (b - a) * across;
                let lower = c + (d - c) * across;
                point[channel] = (upper + (lower - upper) * down - mean[channel]) / 255.0;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32, values: &[u8]) -> Picture {
        Picture::new(width, height, values.iter().flat_map(|v| [*v; 3]).collect()).unwrap()
    }

    fn values(picture: &Picture, square: Square, to: usize) -> Vec<f32> {
        sample(picture, square, to, [0.0; 3]).values.iter().step_by(3).map(|v| (v * 255.0).round()).collect()
    }

    #[test]
    fn a_square_of_the_right_size_is_copied() {
        let picture = grey(3, 2, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(values(&picture, Square { x: 1, y: 0, side: 2 }, 2), [2.0, 3.0, 5.0, 6.0]);
    }

    #[test]
    fn what_lies_outside_is_black() {
        let picture = grey(2, 2, &[10, 20, 30, 40]);
        assert_eq!(values(&picture, Square { x: -1, y: -1, side: 2 }, 2), [0.0, 0.0, 0.0, 10.0]);
        assert_eq!(values(&picture, Square { x: 50, y: 0, side: 2 }, 2), [0.0; 4]);
    }

    #[test]
    fn neighbours_are_mixed_as_tensorflow_mixes_them() {
        // tf.image.resizeBilinear([[0, 100], [200, 44]], [4, 4]), rounded.
        let picture = grey(2, 2, &[0, 100, 200, 44]);
        let all = values(&picture, Square { x: 0, y: 0, side: 2 }, 4);
        assert_eq!(all[..8], [0.0, 50.0, 100.0, 100.0, 100.0, 86.0, 72.0, 72.0]);
        assert_eq!(all[8..], [200.0, 122.0, 44.0, 44.0, 200.0, 122.0, 44.0, 44.0]);
        assert_eq!(values(&picture, Square { x: 0, y: 0, side: 2 }, 1), [0.0]);
    }

    #[test]
    fn colours_keep_their_own_mean() {
        let picture = Picture::new(1, 1, vec![255, 100, 0]).unwrap();
        let point = sample(&picture, Square { x: 0, y: 0, side: 1 }, 1, [0.0, 100.0, 51.0]);
        assert_eq!(*point.values, [1.0, 0.0, -0.2]);
    }
}
