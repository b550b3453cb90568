//! The grey samples of a JBIG2 image as a PDF embeds it (ITU-T T.88). Whoever made the page has checked what the
//! segments declare.

use hayro_jbig2::{DecodeError, DecodeSettings, Decoder, Globals, Page};

/// One byte a pixel, 0 or 255, as a reader of the PDF shows it; `None` where rows are missing.
pub(super) fn decode(
    bytes: &[u8],
    globals: Option<&[u8]>,
    inverted: bool,
    (width, height): (u32, u32),
) -> Result<Option<Vec<u8>>, DecodeError> {
    let settings = DecodeSettings { strict: true };
    let shared = globals.map(|globals| Globals::new(globals, &settings)).transpose()?;
    let page = Page::new_embedded(bytes, shared.as_ref(), &settings)?;
    if (page.width(), page.height()) != (width, height) {
        return Ok(None);
    }
    let count = (width as usize).saturating_mul(height as usize);
    let mut samples = Samples { bytes: Vec::with_capacity(count), inverted };
    page.decode(&mut samples)?;
    Ok((samples.bytes.len() == count).then_some(samples.bytes))
}

/// Takes pixels as the decoder gives them.
struct Samples {
    bytes: Vec<u8>,
    inverted: bool,
}

impl Decoder for Samples {
    fn push_pixel(&mut self, black: bool) {
        self.bytes.push(if black == self.inverted { 255 } else { 0 });
    }

    fn push_pixel_chunk(&mut self, black: bool, chunk_count: u32) {
        let to = self.bytes.len().saturating_add(8 * chunk_count as usize);
        self.bytes.resize(to, if black == self.inverted { 255 } else { 0 });
    }

    fn next_line(&mut self) {}
}
