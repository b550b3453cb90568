//! How well a face is seen: whether its picture holds the detail that a comparison needs.

use super::Picture;
use super::crop::{Square, sample};

/// What was measured in the square of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quality {
    /// How much of what is seen is fine detail: the mean step between each point and its four neighbours together, in
    /// parts of the spread of all values. Brightness and contrast do not move it; blur does.
    pub(super) sharpness: f64,
    /// The part of the face that is nearly black.
    pub(super) dark: f64,
    /// The part that is nearly white.
    pub(super) bright: f64,
}

/// The side at which every face is measured, so that a large picture of a soft face is as soft as a small one.
const SIDE: usize = 100;

/// Measures a face within its square.
pub(super) fn quality(picture: &Picture, square: Square) -> Quality {
    let plane = sample(picture, square, SIDE, [0.0; 3]);
    // The weights of ITU-R BT.601.
    let grey: Vec<f64> = plane
        .values
        .chunks_exact(3)
        .map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]))
        .collect();
    let count = grey.len() as f64;
    let mean = grey.iter().sum::<f64>() / count;
    let spread = (grey.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    let (mut steps, mut points) = (0.0, 0.0);
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let at = y * SIDE + x;
            let around = grey[at - 1] + grey[at + 1] + grey[at - SIDE] + grey[at + SIDE];
            steps += (around - 4.0 * grey[at]).abs();
            points += 1.0;
        }
    }
    let part = |test: fn(&f64) -> bool| grey.iter().filter(|v| test(v)).count() as f64 / count;
    Quality {
        // A square without any spread holds no face.
        sharpness: if spread < 1.0 / 255.0 { 0.0 } else { steps / points / spread },
        dark: part(|v| *v < 0.08),
        bright: part(|v| *v > 0.97),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripes of `period` pixels between two greys.
    fn stripes(period: u32, low: u8, high: u8) -> Picture {
        let rgb = (0..200 * 200_u32).flat_map(|n| {
            let wave = f64::from(n % 200 % period) / f64::from(period) * std::f64::consts::TAU;
            [(f64::from(low) + f64::from(high - low) * (0.5 + 0.5 * wave.sin())) as u8; 3]
        });
        Picture::new(200, 200, rgb.collect()).unwrap()
    }

    const WHOLE: Square = Square { x: 0, y: 0, side: 200 };

    #[test]
    fn fine_stripes_are_sharp_wide_ones_soft_whatever_their_contrast() {
        let fine = quality(&stripes(10, 0, 250), WHOLE).sharpness;
        let wide = quality(&stripes(100, 0, 250), WHOLE).sharpness;
        assert!(fine > 20.0 * wide, "{fine} {wide}");
        let pale = quality(&stripes(10, 100, 180), WHOLE).sharpness;
        assert!((pale / fine - 1.0).abs() < 0.1, "{pale} {fine}");
    }

    #[test]
    fn a_wall_is_not_sharp_and_darkness_and_glare_are_seen() {
        let wall = |v| quality(&Picture::new(200, 200, vec![v; 120_000]).unwrap(), WHOLE);
        assert_eq!(wall(128), Quality { sharpness: 0.0, dark: 0.0, bright: 0.0 });
        assert_eq!((wall(5).dark, wall(255).bright), (1.0, 1.0));
    }
}
