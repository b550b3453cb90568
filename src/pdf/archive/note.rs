//! What a reader of an archive should know about how it was made.

use serde::Serialize;
use std::fmt;

/// A step away from plain passing through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// A CMYK JPEG without a usable profile was converted to RGB and encoded again (quality 90).
    CmykConverted {
        /// Page, from 1.
        page: usize,
    },
    /// An embedded colour profile is broken or of the wrong kind; the samples are taken as sRGB or grey.
    ProfileIgnored {
        /// Page, from 1.
        page: usize,
    },
    /// The colour profile of a page of the wallet copy was left out, for its weight or for the colours it was made for.
    ProfileLeft {
        /// Page, from 1.
        page: usize,
    },
    /// No PDF can carry the coding of the scan (WebP, JPEG in strips): its pixels were coded anew, which may take more
    /// room than the scan does.
    Repacked {
        /// Page, from 1.
        page: usize,
    },
    /// The page is turned by more than [`SKEW_MAX`](super::SKEW_MAX); it was left as it is.
    SkewLeft {
        /// Page, from 1.
        page: usize,
    },
    /// A page of the wallet copy is larger than [`crate::pdf::wallet::PAGE_BYTES`]: it could not be made smaller.
    WalletLarge {
        /// Page, from 1.
        page: usize,
        /// Bytes of its image.
        bytes: usize,
    },
    /// The page of the file had text that a reader can search, which the archive does not have.
    TextLeft {
        /// Page, from 1.
        page: usize,
    },
    /// The archive takes more room than the scans: their pixels are coded in a way that it carries at a greater length.
    Grown {
        /// Bytes of the scans.
        scans: u64,
        /// Bytes of the archive.
        archive: u64,
    },
    /// The page was straightened by its matrix.
    Straightened {
        /// Page, from 1.
        page: usize,
        /// Degrees clockwise that were taken away.
        degrees: f32,
    },
}

impl Note {
    /// What is to be said of an archive of so many bytes made of so many: nothing up to a hundredth more, and the few
    /// kilobytes that every PDF/A has around its pages.
    pub fn of_growth(scans: u64, archive: u64) -> Option<Note> {
        const AROUND: u64 = 8 << 10;
        let most = scans.saturating_add(scans / 100).saturating_add(AROUND);
        (archive > most).then_some(Note::Grown { scans, archive })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::CmykConverted { page } => {
                write!(
                    f,
                    "trang {page}: ảnh CMYK đã chuyển sang RGB / page {page}: CMYK turned to RGB, quality 90"
                )
            }
            Note::ProfileIgnored { page } => {
                write!(
                    f,
                    "trang {page}: bỏ qua hồ sơ màu hỏng / page {page}: unusable colour profile left out"
                )
            }
            Note::ProfileLeft { page } => {
                write!(
                    f,
                    "trang {page}: bản cho ví không mang hồ sơ màu / page {page}: wallet copy without its colour profile"
                )
            }
            Note::Repacked { page } => {
                write!(
                    f,
                    "trang {page}: kiểu nén không đưa vào PDF được, ảnh đã nén lại, tệp có thể lớn hơn / \
                     page {page}: no PDF carries its coding; coded anew, the file may be larger"
                )
            }
            Note::SkewLeft { page } => {
                write!(
                    f,
                    "trang {page}: nghiêng quá mức, giữ nguyên / page {page}: turned too far to straighten"
                )
            }
            Note::WalletLarge { page, bytes } => {
                write!(
                    f,
                    "trang {page}: bản cho ví vẫn lớn, {bytes} byte / page {page}: wallet copy still large"
                )
            }
            Note::TextLeft { page } => {
                write!(
                    f,
                    "trang {page}: không giữ lớp chữ tìm kiếm / page {page}: its searchable text is not kept"
                )
            }
            Note::Grown { scans, archive } => {
                write!(
                    f,
                    "tệp lớn hơn bản quét: {scans} thành {archive} byte / \
                     larger than the scans: {scans} to {archive} bytes"
                )
            }
            Note::Straightened { page, degrees } => {
                write!(
                    f,
                    "trang {page}: đã xoay thẳng {degrees:.2}° / page {page}: straightened by {degrees:.2}°"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_and_the_frame_of_a_pdf_is_none() {
        assert_eq!(Note::of_growth(30_000, 33_000), None);
        assert_eq!(Note::of_growth(1_000_000, 1_010_000), None);
        let (scans, archive) = (1_000_000, 1_100_000);
        assert_eq!(Note::of_growth(scans, archive), Some(Note::Grown { scans, archive }));
    }
}
