//! Where an image ends by its own account. What follows may be another kind of file (a polyglot).

use super::Format;

/// Bytes up to the image's own end; `None` where none is found.
pub(super) fn of(format: Format, image: &[u8]) -> Option<usize> {
    match format {
        Format::Jpeg => jpeg(image),
        Format::Jp2 => jp2(image),
        Format::Codestream => codestream(image).then_some(image.len()),
    }
}

/// Segments up to the end-of-image marker (ITU-T T.81, B.1.1); within a scan FF is followed by 00 or a restart marker.
fn jpeg(image: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let [0xff, marker, ..] = image.get(at..)? else { return None };
        match marker {
            0xff => at += 1,
            0xd9 => return Some(at + 2),
            0x00 | 0x01 | 0xd0..=0xd8 => return None,
            _ => {
                let length = u16::from_be_bytes(*image.get(at + 2..)?.first_chunk()?);
                at = at.checked_add(2 + usize::from(length).max(2))?;
                if *marker == 0xda {
                    at += scan(image.get(at..)?)?;
                }
            }
        }
    }
}

/// Length of entropy-coded data: up to the next marker that is not a restart.
fn scan(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += data.get(at..)?.iter().position(|b| *b == 0xff)?;
        match data.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

/// Boxes laid end to end (ISO/IEC 15444-1, I.4), the codestream in the last that is of its type ending in its marker.
fn jp2(image: &[u8]) -> Option<usize> {
    let (mut at, mut ended) = (0usize, false);
    while at < image.len() {
        let rest = image.get(at..)?;
        let kind = rest.get(4..8)?;
        let (head, length) = match u32::from_be_bytes(*rest.first_chunk()?) {
            // To the end of the file.
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(*rest.get(8..)?.first_chunk()?)).ok()?),
            length => (8, usize::try_from(length).ok()?),
        };
        let content = rest.get(head..length)?;
        let printable = kind.iter().all(|b| (0x20..0x7f).contains(b));
        if !printable {
            return None;
        }
        if kind == b"jp2c" {
            ended = codestream(content);
        }
        at += length;
    }
    ended.then_some(at)
}

/// The last two bytes are the end-of-codestream marker (A.4.4).
fn codestream(data: &[u8]) -> bool {
    data.ends_with(&[0xff, 0xd9])
}
