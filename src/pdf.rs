//! PDF: pages read with bounds, archives written (PDF/A-2b), text embedded, revisions appended.
pub mod archive;
pub mod font;
pub mod read;
pub mod revise;

use crate::fault::Code;

/// Every fault of this room.
pub const CODES: &[&Code] = &[&font::NO_GLYPH, &font::CUT];
