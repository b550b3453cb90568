//! What a file may ask of this machine, checked on declared sizes before any memory is taken.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// The policy. The defaults hold an A3 page at 600 dpi (70 MP) and refuse what no desk scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes a file may have.
    pub file_bytes: u64,
    /// Pages a file may have.
    pub pages: usize,
    /// Pixels a page may have.
    pub pixels: u64,
    /// Bytes a page may have once decoded as its file codes it, deep colours and all.
    pub decoded_bytes: u64,
    /// Pixels a side of a page may have.
    pub side: u32,
    /// Decoded bytes for one encoded byte, above [`Limits::ratio_floor`]; bilevel counts as 1 bit a pixel.
    pub ratio: u64,
    /// Decoded bytes below which the ratio is not asked: a blank page compresses without end.
    pub ratio_floor: u64,
    /// Bytes that one embedded stream (PDF object, content) may inflate to when it is not a page's pixels.
    pub stream_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes: 512 << 20,
            pages: 2_000,
            pixels: 100_000_000,
            decoded_bytes: 320 << 20,
            side: 65_500,
            ratio: 2_000,
            ratio_floor: 16 << 20,
            stream_bytes: 16 << 20,
        }
    }
}

impl Limits {
    /// Checks the length of a file.
    ///
    /// # Errors
    /// [`FILE_TOO_LARGE`].
    pub fn file(&self, bytes: u64) -> Outcome<()> {
        if bytes > self.file_bytes {
            return Err(
                Fault::new(&FILE_TOO_LARGE).detail(format!("{bytes} bytes, at most {}", self.file_bytes))
            );
        }
        Ok(())
    }

    /// Checks the number of pages of a file.
    ///
    /// # Errors
    /// [`TOO_MANY_PAGES`].
    pub fn count(&self, pages: usize) -> Outcome<()> {
        if pages > self.pages {
            return Err(Fault::new(&TOO_MANY_PAGES).detail(format!("more than {} pages", self.pages)));
        }
        Ok(())
    }

    /// Checks the declared size of one page: `bits` a pixel once decoded, `encoded` bytes in the file.
    ///
    /// # Errors
    /// [`NO_PIXELS`], [`SIDE_TOO_LONG`], [`TOO_MANY_PIXELS`], [`RATIO`].
    pub fn page(&self, width: u32, height: u32, bits: u64, encoded: u64) -> Outcome<()> {
        if width == 0 || height == 0 {
            return Err(Fault::new(&NO_PIXELS).detail(format!("{width} x {height}")));
        }
        if width > self.side || height > self.side {
            return Err(Fault::new(&SIDE_TOO_LONG)
                .detail(format!("{width} x {height} pixels, at most {} a side", self.side)));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.pixels {
            return Err(
                Fault::new(&TOO_MANY_PIXELS).detail(format!("{pixels} pixels, at most {}", self.pixels))
            );
        }
        let decoded = pixels.saturating_mul(bits) / 8;
        if decoded > self.decoded_bytes {
            return Err(Fault::new(&TOO_MANY_PIXELS)
                .detail(format!("{decoded} bytes of pixels, at most {}", self.decoded_bytes)));
        }
        if decoded > self.ratio_floor && decoded > encoded.saturating_mul(self.ratio) {
            return Err(Fault::new(&RATIO)
                .detail(format!("{decoded} bytes from {encoded}, at most {} to 1", self.ratio)));
        }
        Ok(())
    }
}

/// The file is larger than the policy allows.
pub const FILE_TOO_LARGE: Code = Code {
    id: "SCAN-010",
    class: Class::Input,
    vi: "Tệp quá lớn",
    en: "the file is too large",
    remedy_vi: "Chia thành nhiều tệp nhỏ hơn rồi gửi lại",
    remedy_en: "split it into smaller files",
};

/// The file has more pages than the policy allows.
pub const TOO_MANY_PAGES: Code = Code {
    id: "SCAN-011",
    class: Class::Input,
    vi: "Tệp có quá nhiều trang",
    en: "the file has too many pages",
    remedy_vi: "Chia thành nhiều tệp nhỏ hơn rồi gửi lại",
    remedy_en: "split it into smaller files",
};

/// One side of a page is longer than the policy allows.
pub const SIDE_TOO_LONG: Code = Code {
    id: "SCAN-012",
    class: Class::Input,
    vi: "Trang có cạnh quá dài",
    en: "a side of the page is too long",
    remedy_vi: "Quét lại với độ phân giải 200 đến 300 dpi",
    remedy_en: "scan it again at 200 to 300 dpi",
};

/// A page declares more pixels than the policy allows.
pub const TOO_MANY_PIXELS: Code = Code {
    id: "SCAN-013",
    class: Class::Input,
    vi: "Trang có quá nhiều điểm ảnh",
    en: "the page has too many pixels",
    remedy_vi: "Quét lại với độ phân giải 200 đến 300 dpi",
    remedy_en: "scan it again at 200 to 300 dpi",
};

/// A few bytes that would become very many.
pub const RATIO: Code = Code {
    id: "SCAN-014",
    class: Class::Input,
    vi: "Dữ liệu ảnh bị nén bất thường, có thể là tệp độc hại",
    en: "the image would inflate beyond any real scan",
    remedy_vi: "Quét lại từ bản giấy",
    remedy_en: "scan the paper again",
};

/// A page of no width or no height.
pub const NO_PIXELS: Code = Code {
    id: "SCAN-015",
    class: Class::Input,
    vi: "Trang không có điểm ảnh nào",
    en: "the page has no pixels",
    remedy_vi: "Quét lại từ bản giấy",
    remedy_en: "scan the paper again",
};

#[cfg(test)]
pub(super) mod bombs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_bilevel_page_of_half_a_kilobyte_is_not_a_bomb() {
        Limits::default().page(2480, 3508, 1, 450).unwrap();
    }

    #[test]
    fn a_page_over_any_limit_is_refused_with_the_limit_that_it_broke() {
        let limits = Limits::default();
        assert_eq!(limits.page(0, 10, 8, 1).unwrap_err().code.id, NO_PIXELS.id);
        assert_eq!(limits.page(65_501, 10, 8, 1 << 20).unwrap_err().code.id, SIDE_TOO_LONG.id);
        assert_eq!(limits.page(20_000, 20_000, 1, 1 << 20).unwrap_err().code.id, TOO_MANY_PIXELS.id);
        assert_eq!(limits.page(9_000, 9_000, 8, 1_000).unwrap_err().code.id, RATIO.id);
    }
}
