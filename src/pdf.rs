//! PDF: pages read with bounds, archives written (PDF/A-2b), text embedded, revisions appended.
pub mod archive;
pub mod font;
mod frame;
pub mod g4;
pub mod icc;
mod jbig2;
pub mod output;
pub mod placement;
pub mod png_stream;
pub mod print;
pub mod read;
pub mod revise;
pub mod samples;
pub mod wallet;
pub mod xmp;

use crate::fault::Code;

/// Every fault of this room.
pub const CODES: &[&Code] = &[
    &read::BROKEN,
    &read::CUT,
    &read::ENCRYPTED,
    &read::NO_PAGES,
    &read::TOO_MANY_PAGES,
    &read::CONTENT,
    &read::PIXELS,
    &read::LOST,
    &read::COUNT,
    &font::NO_GLYPH,
    &font::CUT,
    &samples::PACKING,
    &samples::DECODING,
    &output::NOT_WRITTEN,
    &archive::NO_PAGES,
    &archive::TOO_MANY,
    &placement::RESOLUTION,
    &placement::PAGE_SIZE,
    &archive::NOT_PIXELS,
    &archive::JPEG_KIND,
];
