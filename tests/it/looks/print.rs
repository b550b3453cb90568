//! A page as a renderer shows it, at 100 dots an inch.

use std::path::Path;

/// Pixels of a page, from the upper left corner.
pub(crate) struct Print {
    image: image::RgbImage,
}

impl Print {
    pub(crate) fn read(path: &Path) -> Print {
        Print { image: image::open(path).unwrap().into_rgb8() }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.image.dimensions()
    }

    /// The box around everything that is not paper: left, top, right, bottom in millimetres.
    pub(crate) fn ink(&self) -> Option<[f64; 4]> {
        self.colored(dark)
    }

    /// The box around the pixels of a colour.
    pub(crate) fn colored(&self, wanted: impl Fn([u8; 3]) -> bool) -> Option<[f64; 4]> {
        let mut found: Option<[u32; 4]> = None;
        for (x, y, pixel) in self.image.enumerate_pixels() {
            if wanted(pixel.0) {
                let [x0, y0, x1, y1] = found.unwrap_or([x, y, x, y]);
                found = Some([x0.min(x), y0.min(y), x1.max(x), y1.max(y)]);
            }
        }
        found.map(|[x0, y0, x1, y1]| [x0, y0, x1 + 1, y1 + 1].map(|n| f64::from(n) * 25.4 / 100.0))
    }

    /// The share of ink that the other print does not have within a pixel of the same place, the worse of both ways.
    pub(crate) fn apart(&self, other: &Print) -> f64 {
        let one_way = |a: &Print, b: &Print| {
            let (mut ink, mut alone) = (0u32, 0u32);
            for (x, y, pixel) in a.image.enumerate_pixels().filter(|(_, _, pixel)| very_dark(pixel.0)) {
                let _ = pixel;
                ink += 1;
                let near = (-1i64..=1).flat_map(|dx| (-1i64..=1).map(move |dy| (dx, dy))).any(|(dx, dy)| {
                    let (x, y) = (u32::try_from(i64::from(x) + dx), u32::try_from(i64::from(y) + dy));
                    match (x, y) {
                        (Ok(x), Ok(y)) => b.image.get_pixel_checked(x, y).is_some_and(|p| dark(p.0)),
                        _ => false,
                    }
                });
                alone += u32::from(!near);
            }
            f64::from(alone) / f64::from(ink.max(1))
        };
        one_way(self, other).max(one_way(other, self))
    }

    /// How many black pixels of another print are no longer dark, or coloured, here.
    pub(crate) fn lost(&self, before: &Print) -> usize {
        assert_eq!(self.size(), before.size());
        let pairs = self.image.pixels().zip(before.image.pixels());
        pairs.filter(|(now, then)| very_dark(then.0) && now.0 != then.0).count()
    }
}

fn dark([r, g, b]: [u8; 3]) -> bool {
    u16::from(r) + u16::from(g) + u16::from(b) < 600
}

fn very_dark([r, g, b]: [u8; 3]) -> bool {
    u16::from(r) + u16::from(g) + u16::from(b) < 330
}
