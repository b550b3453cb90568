//! A page made smaller by halves, once, for all who look at its lines and marks and not at its letters.

use crate::scan::Luma;

/// The reduced planes of a page.
pub(super) struct Pyramid {
    /// 80 to 160 dpi; `None` where the page itself has no more.
    middle: Option<(Luma, f32)>,
    /// 40 to 80 dpi; `None` where the page itself has no more.
    small: Option<(Luma, f32)>,
}

/// From this resolution on a plane is halved once more: letters of office text stay some 3 pixels high.
const LEAST: f32 = 80.0;
/// Pixels that the small plane has at most: A0 at 50 dpi. A page that claims to be larger is looked at from further
/// away, so that what a look costs does not depend on what a header says.
const MOST: usize = 4 << 20;

impl Pyramid {
    /// Halves a page of a given resolution until it has less than 80 dpi.
    pub(super) fn of(page: &Luma, dpi: f32) -> Pyramid {
        let mut pyramid = Pyramid { middle: None, small: None };
        loop {
            let (last, dpi) = match &pyramid.small {
                Some((plane, dpi)) => (plane, *dpi),
                None => (page, dpi),
            };
            let large = last.width * last.height > MOST;
            if (dpi < LEAST && !large) || last.width < 64 || last.height < 64 {
                return pyramid;
            }
            let next = (last.half(), dpi / 2.0);
            pyramid.middle = pyramid.small.replace(next);
        }
    }

    /// The plane of 40 to 80 dpi, and its resolution.
    pub(super) fn small<'a>(&'a self, page: &'a Luma, dpi: f32) -> (&'a Luma, f32) {
        self.small.as_ref().map_or((page, dpi), |(plane, dpi)| (plane, *dpi))
    }

    /// The plane twice as fine as the small one, and its resolution.
    pub(super) fn middle<'a>(&'a self, page: &'a Luma, dpi: f32) -> (&'a Luma, f32) {
        self.middle.as_ref().map_or((page, dpi), |(plane, dpi)| (plane, *dpi))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(width: usize, height: usize, dpi: f32) -> [(usize, f32); 2] {
        let page = Luma::new(width, height, vec![255; width * height]).unwrap();
        let pyramid = Pyramid::of(&page, dpi);
        [pyramid.middle(&page, dpi), pyramid.small(&page, dpi)].map(|(plane, dpi)| (plane.width, dpi))
    }

    #[test]
    fn a_page_is_halved_to_less_than_80_dpi() {
        assert_eq!(sizes(1654, 200, 200.0), [(827, 100.0), (413, 50.0)]);
        assert_eq!(sizes(2480, 300, 300.0), [(1240, 150.0), (620, 75.0)]);
        assert_eq!(sizes(900, 300, 75.0), [(900, 75.0), (900, 75.0)]);
        assert_eq!(sizes(1240, 300, 150.0), [(1240, 150.0), (620, 75.0)]);
    }

    #[test]
    fn a_page_that_claims_to_be_a_wall_is_made_small_all_the_same() {
        assert_eq!(sizes(8_000, 4_000, 79.0), [(4_000, 39.5), (2_000, 19.75)]);
    }
}
