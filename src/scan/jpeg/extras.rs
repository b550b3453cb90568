//! The application segments of a JPEG: JFIF, EXIF, ICC and Adobe.

use super::Head;
use crate::page::{Dpi, DpiSource};
use crate::scan::ifd;

/// What the application markers add.
#[derive(Default)]
pub(super) struct Extras<'a> {
    jfif: Option<Dpi>,
    exif: Option<(u8, bool, Option<Dpi>)>,
    icc: Vec<(u8, u8, &'a [u8])>,
    /// Where the transform byte lies, and what it says.
    pub(super) adobe: Option<(usize, u8)>,
}

impl<'a> Extras<'a> {
    /// JFIF density (T.871, 10.1); unit 0 is an aspect ratio and says nothing of size.
    pub(super) fn jfif(&mut self, body: &[u8]) {
        let [b'J', b'F', b'I', b'F', 0, _, _, unit, x1, x0, y1, y0, ..] = body else { return };
        let scale = match unit {
            1 => 1.0,
            2 => 2.54,
            _ => return,
        };
        let x = f32::from(u16::from_be_bytes([*x1, *x0])) * scale;
        let y = f32::from(u16::from_be_bytes([*y1, *y0])) * scale;
        self.jfif = Some(Dpi { x, y, source: DpiSource::Header });
    }

    pub(super) fn exif(&mut self, body: &[u8]) {
        if let Some(block) = body.strip_prefix(b"Exif\0\0") {
            self.exif = self.exif.take().or_else(|| ifd::exif(block));
        }
    }

    /// ICC.1:2022, annex B.4: numbered chunks.
    pub(super) fn icc(&mut self, body: &'a [u8]) {
        if let Some([number, count, chunk @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
            self.icc.push((*number, *count, chunk));
        }
    }

    pub(super) fn into_head(mut self, head: &mut Head) {
        if let Some((turns, mirrored, dpi)) = self.exif {
            head.turns = turns;
            head.mirrored = mirrored;
            head.dpi = dpi;
        }
        // Scanners write JFIF; cameras write 72 into EXIF without meaning it.
        head.dpi = self.jfif.filter(|d| d.x > 1.0 && d.y > 1.0).or(head.dpi);
        head.adobe = self.adobe.map(|(_, transform)| transform);
        head.adobe_at = self.adobe.map(|(at, _)| at);
        self.icc.sort_by_key(|(number, ..)| *number);
        let whole = !self.icc.is_empty()
            && self.icc.iter().enumerate().all(|(i, (number, count, _))| {
                usize::from(*number) == i + 1 && usize::from(*count) == self.icc.len()
            });
        if whole {
            head.icc = Some(self.icc.iter().flat_map(|(.., chunk)| chunk.iter().copied()).collect());
        }
    }
}
