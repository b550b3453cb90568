//! Where a scan lies on its page: as large as the paper, upright, straight.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::page::PageHead;

/// Where the unit square of an image lands on its page, points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Width of the page as shown.
    pub width: f32,
    /// Height of the page as shown.
    pub height: f32,
    /// The `cm` operands that put the unit square of the image on the page.
    pub matrix: [f32; 6],
}

impl Placement {
    /// `skew` degrees clockwise, of those that the page is shown turned, are taken away by turning about the middle of
    /// the page; the page keeps its size.
    ///
    /// # Errors
    /// [`RESOLUTION`], [`PAGE_SIZE`].
    pub fn of(image: &PageHead, skew: f32) -> Outcome<Self> {
        let points = |pixels: u32, dpi: f32| f64::from(pixels) / f64::from(dpi) * 72.0;
        let dpi_fits = |dpi: f32| dpi.is_finite() && (1.0..=20_000.0).contains(&dpi);
        if !dpi_fits(image.dpi.x) || !dpi_fits(image.dpi.y) {
            return Err(Fault::new(&RESOLUTION).detail(format!("{} x {} dpi", image.dpi.x, image.dpi.y)));
        }
        let (w, h) = (points(image.width, image.dpi.x), points(image.height, image.dpi.y));
        let turns = image.turns % 4;
        let (width, height) = match image.window {
            Some(window) => (f64::from(window.width), f64::from(window.height)),
            None if turns.is_multiple_of(2) => (w, h),
            None => (h, w),
        };
        if ![width, height].iter().all(|side| (3.0..=14_400.0).contains(side)) {
            return Err(Fault::new(&PAGE_SIZE).detail(format!("{width:.1} x {height:.1} points")));
        }
        // Columns of the stored image's axes on the page, y upward: mirror, then turn clockwise, then straighten.
        let mirror = if image.mirrored { -1.0 } else { 1.0 };
        let (u, v) = ((mirror * w, 0.0), (0.0, h));
        let turn = |(x, y): (f64, f64)| match turns {
            0 => (x, y),
            1 => (y, -x),
            2 => (-x, -y),
            _ => (-y, x),
        };
        let ((a, b), (c, d)) =
            (straighten(turn(u), skew - image.tilt_deg), straighten(turn(v), skew - image.tilt_deg));
        // The middle of the image, from the middle of the page.
        let off = image.window.map_or((0.0, 0.0), |window| (f64::from(window.right), f64::from(window.up)));
        let off = straighten(off, skew);
        let (e, f) = (width / 2.0 + off.0 - (a + c) / 2.0, height / 2.0 + off.1 - (b + d) / 2.0);
        // Four decimals are a tenth of a micrometre, and -0 is written as 0.
        let tidy = |value: f64| ((value * 10_000.0).round() / 10_000.0 + 0.0) as f32;
        Ok(Placement { width: tidy(width), height: tidy(height), matrix: [a, b, c, d, e, f].map(tidy) })
    }
}

/// Turned against the clock by so many degrees.
fn straighten((x, y): (f64, f64), degrees: f32) -> (f64, f64) {
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    (x * cos - y * sin, x * sin + y * cos)
}

/// A resolution that no page can have.
pub const RESOLUTION: Code = Code {
    id: "PDF-026",
    class: Class::Input,
    vi: "Độ phân giải của trang không hợp lệ",
    en: "the page has an impossible resolution",
    remedy_vi: "Quét lại trang với độ phân giải từ 200 dpi",
    remedy_en: "scan the page again at 200 dpi or more",
};

/// A page smaller or larger than PDF/A allows.
pub const PAGE_SIZE: Code = Code {
    id: "PDF-027",
    class: Class::Input,
    vi: "Khổ trang nằm ngoài giới hạn của PDF/A",
    en: "the page size is outside what PDF/A allows",
    remedy_vi: "Kiểm tra độ phân giải ghi trong ảnh; khổ trang tối đa là 5 m",
    remedy_en: "check the resolution in the image; a page is at most 5 m a side",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Coding, PageImage, Window};

    fn image(width: u32, height: u32, dpi: f32) -> PageHead {
        PageImage::plain(width, height, dpi, Coding::Grey(vec![])).head
    }

    #[test]
    fn pages_are_as_large_as_the_paper() {
        let placed = Placement::of(&image(1654, 2339, 200.0), 0.0).unwrap();
        assert_eq!((placed.width, placed.height), (595.44, 842.04));
        assert_eq!(placed.matrix, [595.44, 0.0, 0.0, 842.04, 0.0, 0.0]);
    }

    #[test]
    fn quarter_turns_and_mirrors_land_on_the_page() {
        let mut image = image(200, 100, 72.0);
        // Page position of the stored image's (left, top), as the viewer sees it: x right, y up.
        let corner = |image: &PageHead| {
            let m = Placement::of(image, 0.0).unwrap().matrix;
            (m[2] + m[4], m[3] + m[5])
        };
        let expected = [(0.0, 100.0), (100.0, 200.0), (200.0, 0.0), (0.0, 0.0)];
        for (turns, want) in expected.into_iter().enumerate() {
            image.turns = turns as u8;
            assert_eq!(corner(&image), want, "turned {turns} times");
        }
        image.mirrored = true;
        let expected = [(200.0, 100.0), (100.0, 0.0), (0.0, 0.0), (0.0, 200.0)];
        for (turns, want) in expected.into_iter().enumerate() {
            image.turns = turns as u8;
            assert_eq!(corner(&image), want, "mirrored, turned {turns} times");
        }
    }

    #[test]
    fn skew_is_turned_back_about_the_middle() {
        let m = Placement::of(&image(200, 100, 72.0), 2.0).unwrap().matrix;
        // The right end of the image's base line rises: content that fell to the right becomes level.
        assert!(m[1] > 0.0);
        let middle = ((m[0] + m[2]) / 2.0 + m[4], (m[1] + m[3]) / 2.0 + m[5]);
        assert!((middle.0 - 100.0).abs() < 0.001 && (middle.1 - 50.0).abs() < 0.001);
    }

    #[test]
    fn what_a_page_cuts_away_lies_outside_of_it() {
        // The page shows the lower 80 of 100 points, and a margin of 5 to the left and to the right.
        let window = Some(Window { width: 210.0, height: 80.0, right: 0.0, up: 10.0 });
        let placed = Placement::of(&PageHead { window, ..image(200, 100, 72.0) }, 0.0).unwrap();
        assert_eq!((placed.width, placed.height), (210.0, 80.0));
        assert_eq!(placed.matrix, [200.0, 0.0, 0.0, 100.0, 5.0, 0.0]);
    }

    #[test]
    fn a_page_that_was_straightened_stays_so() {
        let crooked = image(200, 100, 72.0);
        let straightened = PageHead { tilt_deg: -2.0, ..crooked };
        let placed = |image, skew| Placement::of(image, skew).unwrap();
        assert_eq!(placed(&straightened, 0.0), placed(&crooked, 2.0));
        assert_eq!(placed(&straightened, -2.0), placed(&crooked, 0.0));
    }
}
