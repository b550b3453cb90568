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
mod jbig2_page;
mod jp2_page;
mod orientation;
mod pdf_page;
mod png_page;
mod pyramid;
mod streak;
mod tiff_decode;
mod tiff_pages;
mod webp_page;

pub mod barcode;
pub mod complete;
pub mod separate;
pub mod sheet;

pub use limits::Limits;
pub use luma::Luma;
pub use quality::{Fingerprint, Flag, Orientation, Profile, Quality, Repeats, judge};
pub use reader::{Reader, Sheaf};
pub use sniff::{Kind, sniff};
pub use source::{Foreign, PageInfo, Source, open};

use crate::fault::Code;

/// All faults of this room that opening and judging a page can raise (SCAN-001 to SCAN-049).
pub const CODES: &[&Code] = &[
    &sniff::EMPTY,
    &sniff::ZIP,
    &sniff::HEIC,
    &sniff::GIF,
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
    &jpeg::TWO,
    &png_page::BROKEN,
    &png_page::ANIMATED,
    &webp_page::BROKEN,
    &webp_page::ANIMATED,
    &jbig2_page::PIXELS,
    &jp2_page::BROKEN,
    &jp2_page::CODING,
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
