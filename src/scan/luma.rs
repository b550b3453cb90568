//! The grey plane that every judgement of a page reads: decoded once, full size, 8 bits.

/// 8-bit luma, row by row, no padding; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width * height` samples.
    pub data: Vec<u8>,
}

impl Luma {
    /// A plane of given samples; `None` where their number does not fit the size.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        (width > 0 && height > 0 && width.checked_mul(height)? == data.len()).then_some(Luma {
            width,
            height,
            data,
        })
    }

    /// One row of samples, empty beyond the last.
    pub fn row(&self, y: usize) -> &[u8] {
        let start = y.saturating_mul(self.width);
        self.data.get(start..start + self.width).unwrap_or(&[])
    }

    /// Half the size, each sample the mean of 2 x 2 (an odd last row or column is dropped, a single one kept).
    pub fn half(&self) -> Luma {
        if self.width < 2 || self.height < 2 {
            return self.clone();
        }
        let (width, height) = (self.width / 2, self.height / 2);
        let mut data = vec![0u8; width * height];
        for (y, out) in data.chunks_exact_mut(width).enumerate() {
            let (upper, lower) = (self.row(2 * y), self.row(2 * y + 1));
            half_row(upper, lower, out);
        }
        Luma { width, height, data }
    }

    /// The upright page: mirrored left to right first where asked, then turned clockwise by quarter turns.
    #[must_use]
    pub fn upright(self, turns: u8, mirrored: bool) -> Luma {
        let mut plane = self;
        if mirrored {
            for row in plane.data.chunks_exact_mut(plane.width.max(1)) {
                row.reverse();
            }
        }
        match turns % 4 {
            1 => plane.turned(true),
            2 => {
                plane.data.reverse();
                plane
            }
            3 => plane.turned(false),
            _ => plane,
        }
    }

    /// One quarter turn, clockwise or against it, in tiles that stay in the cache.
    fn turned(&self, clockwise: bool) -> Luma {
        const TILE: usize = 64;
        let (width, height) = (self.height, self.width);
        let mut data = vec![0u8; self.data.len()];
        for y0 in (0..self.height).step_by(TILE) {
            for x0 in (0..self.width).step_by(TILE) {
                for y in y0..(y0 + TILE).min(self.height) {
                    let row = &self.data[y * self.width..(y + 1) * self.width];
                    let last = (x0 + TILE).min(self.width);
                    for (x, &sample) in row.iter().enumerate().take(last).skip(x0) {
                        let to = if clockwise {
                            x * width + (width - 1 - y)
                        } else {
                            (height - 1 - x) * width + y
                        };
                        data[to] = sample;
                    }
                }
            }
        }
        Luma { width, height, data }
    }
}

/// The means of 2 x 2 samples of two rows.
pub(in crate::scan) fn half_row(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    const PAIRS: u64 = 0x00FF_00FF_00FF_00FF;
    let whole = out.len() / 4 * 4;
    let fours = out.as_chunks_mut::<4>().0;
    let (upper_eights, lower_eights) = (upper.as_chunks::<8>().0, lower.as_chunks::<8>().0);
    // Eight samples in one word: neighbours are added in four lanes of 16 bits, which are then packed again.
    for (four, (a, b)) in fours.iter_mut().zip(upper_eights.iter().zip(lower_eights)) {
        let (a, b) = (u64::from_le_bytes(*a), u64::from_le_bytes(*b));
        let sum = (a & PAIRS)
            .wrapping_add(a >> 8 & PAIRS)
            .wrapping_add(b & PAIRS)
            .wrapping_add(b >> 8 & PAIRS)
            .wrapping_add(0x0002_0002_0002_0002);
        let lanes = sum >> 2 & PAIRS;
        let packed = (lanes | lanes >> 8) & 0x0000_FFFF_0000_FFFF;
        *four = ((packed | packed >> 16) as u32).to_le_bytes();
    }
    let pairs = upper[2 * whole..].chunks_exact(2).zip(lower[2 * whole..].chunks_exact(2));
    for (sample, (a, b)) in out[whole..].iter_mut().zip(pairs) {
        *sample = ((u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]) + 2) >> 2) as u8;
    }
}

/// Packed rows (1 = black, most significant bit first, each row padded to a byte) as luma.
pub(super) fn from_packed(width: usize, height: usize, packed: &[u8]) -> Option<Luma> {
    let stride = width.div_ceil(8);
    if packed.len() < stride.checked_mul(height)? {
        return None;
    }
    let mut data = Vec::with_capacity(width.checked_mul(height)?.checked_add(8)?);
    for row in packed.chunks_exact(stride).take(height) {
        let end = data.len() + width;
        for &byte in row {
            data.extend_from_slice(&eight(byte));
        }
        data.truncate(end);
    }
    Luma::new(width, height, data)
}

/// Eight pixels of a packed byte. The product holds the byte eight times, each time a bit further on, so that its bits
/// come to stand at the tops of eight bytes.
fn eight(byte: u8) -> [u8; 8] {
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let black = (u64::from(byte).wrapping_mul(0x8040_2010_0804_0201) & TOPS) >> 7;
    (!black.wrapping_mul(255)).to_le_bytes()
}

/// BT.601 luma of one colour (the weights that JPEG's own luma has, ITU-T T.871).
pub(super) fn luma_of(r: u8, g: u8, b: u8) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 32_768) >> 16) as u8
}

/// One sample of some opacity as seen on white paper.
pub(super) fn over_white(sample: u8, alpha: u8) -> u8 {
    ((u32::from(sample) * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 127) / 255) as u8
}

/// RGB samples as luma.
pub(super) fn from_rgb(width: usize, height: usize, rgb: &[u8]) -> Option<Luma> {
    Luma::new(width, height, rgb.chunks_exact(3).map(|p| luma_of(p[0], p[1], p[2])).collect())
}

/// CMYK samples as luma: naive subtraction, `inverted` where 255 is no ink (Adobe's habit).
pub(super) fn from_cmyk(width: usize, height: usize, cmyk: &[u8], inverted: bool) -> Option<Luma> {
    let flip = if inverted { 0 } else { 255 };
    let data = cmyk
        .chunks_exact(4)
        .map(|p| {
            let ink = luma_of(p[0] ^ flip, p[1] ^ flip, p[2] ^ flip);
            (u32::from(ink) * u32::from(p[3] ^ flip) / 255) as u8
        })
        .collect();
    Luma::new(width, height, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane() -> Luma {
        Luma::new(3, 2, vec![1, 2, 3, 4, 5, 6]).unwrap()
    }

    #[test]
    fn turning_and_mirroring_follow_the_exif_orders() {
        assert_eq!(plane().upright(1, false), Luma::new(2, 3, vec![4, 1, 5, 2, 6, 3]).unwrap());
        assert_eq!(plane().upright(2, false).data, [6, 5, 4, 3, 2, 1]);
        assert_eq!(plane().upright(3, false), Luma::new(2, 3, vec![3, 6, 2, 5, 1, 4]).unwrap());
        assert_eq!(plane().upright(0, true).data, [3, 2, 1, 6, 5, 4]);
        assert_eq!(plane().upright(3, true), Luma::new(2, 3, vec![1, 4, 2, 5, 3, 6]).unwrap());
    }

    #[test]
    fn four_quarter_turns_give_the_page_back() {
        let page = Luma::new(130, 77, (0..130 * 77).map(|i| (i % 251) as u8).collect()).unwrap();
        let mut turned = page.clone();
        for _ in 0..4 {
            turned = turned.upright(1, false);
        }
        assert_eq!(turned, page);
    }

    #[test]
    fn packed_rows_unpack_with_their_padding_dropped() {
        assert_eq!(from_packed(3, 2, &[0b1010_0000, 0b0101_1111]).unwrap().data, [0, 255, 0, 255, 0, 255]);
        let all: Vec<u8> = (0..=255).collect();
        let plain: Vec<u8> = all
            .iter()
            .flat_map(|b| (0..8).map(move |i| if b >> (7 - i) & 1 == 1 { 0 } else { 255 }))
            .collect();
        assert_eq!(from_packed(2048, 1, &all).unwrap().data, plain);
        assert!(from_packed(9, 2, &[0, 0, 0]).is_none());
    }

    #[test]
    fn the_half_plane_is_the_mean_of_four() {
        assert_eq!(Luma::new(3, 2, vec![0, 10, 99, 20, 10, 99]).unwrap().half().data, [10]);
        // Words and what is left of a row say the same.
        let (width, height) = (29usize, 4usize);
        let page =
            Luma::new(width, height, (0..width * height).map(|i| (i * 97 % 256) as u8).collect()).unwrap();
        let at = |x: usize, y: usize| u32::from(page.data[y * width + x]);
        for (i, &mean) in page.half().data.iter().enumerate() {
            let (x, y) = (2 * (i % 14), 2 * (i / 14));
            let sum = at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1);
            assert_eq!(u32::from(mean), (sum + 2) / 4, "{x} {y}");
        }
        assert!(Luma::new(8, 2, vec![255; 16]).unwrap().half().data.iter().all(|s| *s == 255));
    }
}
