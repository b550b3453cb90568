//! Bilevel pages as CCITT Group 4 (ITU-T T.6): what a PDF and every fax since 1984 can read, without loss.

use fax::{Color, VecWriter, encoder::Encoder};

/// The widest page that the encoder's 16-bit run arithmetic can take.
pub const MAX_WIDTH: u32 = 32_767;

/// One strip for the whole page, with its end-of-block, for `/K -1 /BlackIs1 false`.
///
/// `rows` are packed most significant bit first, 1 = black, each padded to a byte. `None` where the length does
/// not fit the size, a side is zero, or the page is wider than [`MAX_WIDTH`].
pub fn encode(rows: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    if width == 0 || height == 0 || width > MAX_WIDTH {
        return None;
    }
    let stride = width.div_ceil(8) as usize;
    if rows.len() != stride.checked_mul(height as usize)? {
        return None;
    }
    let mut encoder = Encoder::new(VecWriter::new());
    for row in rows.chunks_exact(stride) {
        let pels = row
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
            .take(width as usize)
            .map(|bit| if bit == 1 { Color::Black } else { Color::White });
        match encoder.encode_line(pels, width) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
    match encoder.finish() {
        Ok(writer) => Some(writer.finish()),
        Err(never) => match never {},
    }
}

/// The grey samples of one strip, 0 or 255, as a reader of the PDF shows them. `None` where the strip breaks off, or a
/// side is zero or wider than [`MAX_WIDTH`]; rows that an end mark leaves out are white.
pub fn decode(strip: &[u8], width: u32, height: u32, black_is_1: bool) -> Option<Vec<u8>> {
    if width == 0 || height == 0 || width > MAX_WIDTH {
        return None;
    }
    let (white, black) = if black_is_1 { (0, 255) } else { (255, 0) };
    let columns = width as usize;
    let mut samples = vec![white; columns.checked_mul(height as usize)?];
    let bytes = strip.iter().map(|byte| Ok::<u8, std::convert::Infallible>(*byte));
    let mut decoder = fax::decoder::Group4Decoder::new(bytes, width).ok()?;
    for row in samples.chunks_exact_mut(columns) {
        if let fax::decoder::DecodeStatus::End = decoder.advance().ok()? {
            break;
        }
        for (sample, color) in row.iter_mut().zip(fax::decoder::pels(decoder.transition(), width)) {
            if color == Color::Black {
                *sample = black;
            }
        }
    }
    Some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(strip: &[u8], width: u32, height: u32) -> Vec<u8> {
        let mut rows = Vec::new();
        fax::decoder::decode_g4(strip.iter().copied(), width, Some(height), |transitions| {
            let mut row = vec![0u8; width.div_ceil(8) as usize];
            for (x, color) in fax::decoder::pels(transitions, width).enumerate() {
                if color == Color::Black {
                    row[x / 8] |= 0x80 >> (x % 8);
                }
            }
            rows.extend(row);
        });
        rows
    }

    proptest! {
        #[test]
        fn every_page_comes_back_as_it_was(width in 1u32..200, seed in proptest::collection::vec(any::<u8>(), 1..400), sparse in any::<bool>()) {
            let stride = width.div_ceil(8) as usize;
            let height = (seed.len() / stride).max(1);
            let mut rows: Vec<u8> = seed.iter().cycle().take(stride * height).copied().collect();
            for (index, byte) in rows.iter_mut().enumerate() {
                if sparse && index % 3 != 0 {
                    *byte = if index % 2 == 0 { 0 } else { 0xff };
                }
                if index % stride == stride - 1 && width % 8 != 0 {
                    *byte &= 0xffu8 << (8 - width % 8);
                }
            }
            let strip = encode(&rows, width, height as u32).unwrap();
            prop_assert_eq!(decode(&strip, width, height as u32), rows);
        }
    }

    #[test]
    fn rows_that_do_not_fit_the_size_are_refused() {
        assert_eq!(encode(&[0; 3], 8, 4), None);
        assert_eq!(encode(&[], 0, 0), None);
        assert_eq!(encode(&[0; 4096], MAX_WIDTH + 1, 1), None);
    }

    #[test]
    fn the_widest_page_does_not_overflow() {
        let mut rows = vec![0u8; 4096 * 3];
        rows[4095] = 0b10;
        rows[4096] = 0x80;
        let strip = encode(&rows, MAX_WIDTH, 3).unwrap();
        assert_eq!(decode(&strip, MAX_WIDTH, 3), rows);
    }
}
