//! Light codes on a dark ground: inverted, with the paper around the ground left white.
//!
//! Inverted, too, that paper would be one large dark mass in which a search for solid sides and corners loses its time.
//! Bold words, as dark as such a ground, enclose next to nothing and are left at once.

use super::locate::Region;
use super::patch::Patch;

/// A cut inverted for a light code, where its dark ground encloses enough that is light; words enclose little.
pub(crate) fn inverted(cut: &Patch, region: &Region) -> Option<Patch> {
    let mut light = cut.inverted();
    whiten_paper(&mut light);
    let enclosed = light.data.iter().filter(|p| **p < DARK).count();
    (enclosed * LEAST_ENCLOSED > region.cells * region.cell * region.cell).then_some(light)
}

/// Whitens what is dark as far as the rim of an inverted patch.
fn whiten_paper(light: &mut Patch) {
    let (width, height) = (light.width, light.height);
    let sides = (0..height).flat_map(|y| [y * width, y * width + width.saturating_sub(1)]);
    let ends = (0..width).flat_map(|x| [x, height.saturating_sub(1) * width + x]);
    let mut paper: Vec<usize> = sides.chain(ends).collect();
    while let Some(at) = paper.pop() {
        let Some(pixel) = light.data.get_mut(at).filter(|p| **p < DARK) else { continue };
        *pixel = 255;
        let x = at % width;
        paper.extend([at.wrapping_sub(width), at + width]);
        paper.extend((x > 0).then(|| at - 1));
        paper.extend((x + 1 < width).then_some(at + 1));
    }
}

/// Darker than this, of stretched values, is ink.
const DARK: u8 = 128;
/// One part in so many of a region's flagged cells is at least enclosed.
const LEAST_ENCLOSED: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::locate::Kind;
    use super::*;
    use crate::scan::luma::Luma;

    /// A dark square on paper, light in its middle or as far as the paper.
    fn square(is_open: bool) -> Option<Patch> {
        let data = (0..24 * 24).map(|at| (at % 24, at / 24)).map(|(x, y)| {
            let is_ground = (4..20).contains(&x) && (4..20).contains(&y);
            let is_light = (9..15).contains(&x) && (9..if is_open { 24 } else { 15 }).contains(&y);
            if is_ground && !is_light { 0 } else { 255 }
        });
        let luma = Luma::new(24, 24, data.collect()).unwrap();
        let region = Region {
            x0: 0,
            y0: 0,
            x1: 24,
            y1: 24,
            kind: Kind::Matrix,
            upright: false,
            cell: 4,
            cells: 16,
            dark: 0.8,
            edges: 0.2,
            loose: false,
        };
        inverted(&Patch::whole(&luma), &region)
    }

    #[test]
    fn what_a_dark_ground_encloses_is_inverted_and_the_paper_around_it_is_not() {
        let light = square(false).unwrap();
        let dark = |x: usize, y: usize| light.data[y * 24 + x] == 0;
        assert!((0..24 * 24).all(|at| {
            let (x, y) = (at % 24, at / 24);
            dark(x, y) == ((9..15).contains(&x) && (9..15).contains(&y))
        }));
        assert!(square(true).is_none());
    }
}
