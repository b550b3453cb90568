//! What a page's resolution is taken to be: that of its file where it can be true.

use crate::page::{Dpi, DpiSource};

/// A resolution that can be true, or one assumed: the long side over the long side of A4 (297 mm).
/// Not believed: below 50, above 2,400, and the 72 and 96 that cameras and screens write without meaning it, where
/// the page would be larger than A2; nor a header by which it would be smaller than a card, unless it is one that
/// scanners work at and a portrait or a stamp would have that size.
pub(super) fn believed(dpi: Option<Dpi>, width: u32, height: u32) -> Dpi {
    let long = width.max(height) as f32;
    let a4 = long / A4_INCHES;
    let assumed = |source| Dpi { x: a4, y: a4, source };
    let Some(told) = dpi.filter(|d| d.x > 0.0 && d.y > 0.0) else { return assumed(DpiSource::Assumed) };
    let possible = |dpi: f32| (LEAST_DPI..=MOST_DPI).contains(&dpi);
    let inches = long / told.x;
    let is_small =
        inches < LEAST_INCHES && !(SCANNED_DPI.contains(&told.x) && inches >= LEAST_SCANNED_INCHES);
    let is_a_habit = told.x <= 96.0 && inches > A2_INCHES || is_small;
    if possible(told.x) && possible(told.y) && !(told.source == DpiSource::Header && is_a_habit) {
        told
    } else if told.source == DpiSource::Placement && told.x.is_finite() && told.y.is_finite() {
        // A page of a PDF keeps its shape whatever its size.
        let by = (width as f32 / told.x).max(height as f32 / told.y) / A4_INCHES;
        Dpi { x: told.x * by, y: told.y * by, source: DpiSource::Doubted }
    } else {
        assumed(DpiSource::Doubted)
    }
}

/// A resolution as seen after turning.
pub(super) fn upright(dpi: Dpi, turns: u8) -> Dpi {
    if turns % 2 == 1 { Dpi { x: dpi.y, y: dpi.x, ..dpi } } else { dpi }
}

const LEAST_DPI: f32 = 50.0;
const MOST_DPI: f32 = 2400.0;
/// 297 mm.
const A4_INCHES: f32 = 297.0 / 25.4;
/// 70 mm: shorter than the long side of an identity card (85.6 mm), with room for a tight crop.
const LEAST_INCHES: f32 = 70.0 / 25.4;
/// What a picture smaller than a card is scanned at; more is the figure of the glass and not of the picture.
const SCANNED_DPI: std::ops::RangeInclusive<f32> = 150.0..=600.0;
/// 20 mm: half the long side of the smallest portrait.
const LEAST_SCANNED_INCHES: f32 = 20.0 / 25.4;
/// 594 mm.
const A2_INCHES: f32 = 594.0 / 25.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portrait_of_35_by_45_mm_keeps_the_resolution_that_its_scanner_wrote() {
        let dpi = |width: u32, height: u32, dpi: f32| {
            believed(Some(Dpi { x: dpi, y: dpi, source: DpiSource::Header }), width, height)
        };
        for told in [150.0, 200.0, 300.0, 600.0] {
            let pixels = |mm: f32| (mm / 25.4 * told).round() as u32;
            assert_eq!(
                (dpi(pixels(35.0), pixels(45.0), told).x, DpiSource::Header),
                (told, DpiSource::Header)
            );
        }
        // A thumbnail, and the figures that cameras and screens write.
        for (width, height, told) in
            [(120, 160, 300.0), (160, 120, 72.0), (200, 150, 96.0), (1240, 1754, 1200.0)]
        {
            assert_eq!(dpi(width, height, told).source, DpiSource::Doubted, "{width} x {height} at {told}");
        }
    }
}
