//! The image data of a PNG (ISO/IEC 15948), which is what a PDF means by `/FlateDecode` with `/Predictor 15`.

use crate::page::PageHead;
use std::io::Cursor;

/// What the IDAT chunks of a PNG hold, joined.
pub fn joined(file: &[u8]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(file.len());
    let mut rest = file.get(8..).unwrap_or_default();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (Some(data), Some(next)) = (tail.get(..length), tail.get(length.saturating_add(4)..)) else {
            break;
        };
        if &head[4..] == b"IDAT" {
            stream.extend_from_slice(data);
        }
        rest = next;
    }
    stream
}

/// The samples of a page whose coding is [`crate::page::Coding::Png`], stretched to 8 bits: grey, or RGB where there
/// are three components or a palette.
pub(super) fn decode(
    page: &PageHead,
    stream: &[u8],
    bits: u8,
    components: u8,
    palette: Option<&[u8]>,
) -> Result<Vec<u8>, png::DecodingError> {
    let colour = match (palette, components) {
        (Some(_), _) => 3,
        (None, 1) => 0,
        _ => 2,
    };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], body: &[u8]| {
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(body);
        // Nobody looks at this checksum.
        file.extend([0; 4]);
    };
    let sides = [page.width.to_be_bytes(), page.height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&sides[..], &[bits, colour, 0, 0, 0]].concat());
    palette.into_iter().for_each(|table| chunk(b"PLTE", table));
    chunk(b"IDAT", stream);
    chunk(b"IEND", &[]);
    let room = super::samples::MAX_PIXELS * 8;
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: room });
    decoder.ignore_checksums(true);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info()?;
    let mut samples = vec![0; reader.output_buffer_size().ok_or(png::DecodingError::LimitsExceeded)?];
    let frame = reader.next_frame(&mut samples)?;
    samples.truncate(frame.buffer_size());
    Ok(samples)
}
