//! Scanning: what came out of a scanner is opened within limits, decoded once to grey, and judged.
//!
//! [`source`] is the way in; everything behind it works on pages, never on files.

pub mod blank;
pub mod jpeg;
pub mod limits;
pub mod luma;
pub mod quality;
pub mod reader;
pub mod skew;
pub mod sniff;
pub mod source;

mod ccitt;
mod fingerprint;
mod ifd;
mod ink;
mod orientation;
mod pdf_page;
mod png_page;
mod pyramid;
mod streak;
mod tiff_decode;
mod tiff_pages;

pub mod barcode;
pub mod complete;
pub mod separate;
pub mod sheet;

pub use limits::Limits;
pub use luma::Luma;
pub use quality::{Fingerprint, Flag, Orientation, Profile, Quality, judge, repeats};
pub use reader::{Reader, Sheaf};
pub use sniff::{Kind, sniff};
pub use source::{Foreign, PageInfo, Source, open};

use crate::fault::Code;

/// All faults of this room that opening and judging a page can raise (SCAN-001 to SCAN-049).
pub const CODES: &[&Code] = &[
    &sniff::EMPTY,
    &sniff::ZIP,
    &sniff::HEIC,
    &sniff::JPEG_2000,
    &sniff::GIF_OR_WEBP,
    &sniff::UNKNOWN,
    &limits::FILE_TOO_LARGE,
    &limits::TOO_MANY_PAGES,
    &limits::SIDE_TOO_LONG,
    &limits::TOO_MANY_PIXELS,
    &limits::RATIO,
    &limits::NO_PIXELS,
    &jpeg::BROKEN,
    &jpeg::CUT,
    &jpeg::CODING,
    &png_page::BROKEN,
    &tiff_pages::BROKEN,
    &tiff_pages::LOOP,
    &tiff_pages::CODING,
    &tiff_decode::PIXELS,
    &source::NO_SUCH_PAGE,
    &source::FOREIGN,
    &source::PANIC,
    &pdf_page::PIXELS,
    &reader::GIVEN_UP,
    &reader::NOT_HANDED_OVER,
];
