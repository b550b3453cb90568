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
    /// The page was straightened by its matrix.
    Straightened {
        /// Page, from 1.
        page: usize,
        /// Degrees clockwise that were taken away.
        degrees: f32,
    },
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
            Note::Straightened { page, degrees } => {
                write!(
                    f,
                    "trang {page}: đã xoay thẳng {degrees:.2}° / page {page}: straightened by {degrees:.2}°"
                )
            }
        }
    }
}
