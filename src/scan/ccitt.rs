//! Fax codings of bilevel pages to packed rows: Group 4 (ITU-T T.6), Group 3 one-dimensional and its variant
//! without end-of-line marks (ITU-T T.4; TIFF 6.0, section 10).

use fax::maps::{black, white};
use fax::{BitReader, ByteReader};
use std::convert::Infallible;

/// Rows where 1 is the code's "black", most significant bit first, each padded to a byte.
/// `None` where the data ends or breaks before the last row; rows that an explicit end mark leaves out are white.
pub(super) fn group4(bytes: &[u8], width: u32, rows: u32) -> Option<Vec<u8>> {
    let mut packed = Packed::new(width, rows)?;
    let input = bytes.iter().map(|&b| Ok::<u8, Infallible>(b));
    let mut decoder = fax::decoder::Group4Decoder::new(input, width).ok()?;
    for _ in 0..rows {
        match decoder.advance().ok()? {
            fax::decoder::DecodeStatus::End => break,
            fax::decoder::DecodeStatus::Incomplete => packed.row(decoder.transition()),
        }
    }
    Some(packed.finish())
}

/// How rows of Group 3 are set off from each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// An end-of-line code before each row (TIFF compression 3).
    Marked,
    /// No codes; each row begins at a byte (TIFF compression 2).
    Aligned,
}

/// One-dimensional Group 3 (modified Huffman) rows, packed as [`group4`] packs them.
pub(super) fn group3(bytes: &[u8], width: u32, rows: u32, form: Rows) -> Option<Vec<u8>> {
    let mut packed = Packed::new(width, rows)?;
    let mut reader = ByteReader::new(bytes.iter().map(|&b| Ok::<u8, Infallible>(b))).ok()?;
    let mut line: Vec<u32> = Vec::new();
    for _ in 0..rows {
        match form {
            Rows::Marked => {
                // Fill bits, then 000000000001; the first row of some writers has none.
                while reader.peek(12) == Some(0) {
                    reader.consume(1).ok()?;
                }
                if reader.peek(12) == Some(1) {
                    reader.consume(12).ok()?;
                }
                if reader.peek(12) == Some(1) {
                    break;
                }
            }
            Rows::Aligned => {
                let bits = reader.bits_to_byte_boundary();
                reader.consume(bits).ok()?;
            }
        }
        line.clear();
        let (mut at, mut is_black) = (0u32, false);
        while at < width {
            at = at.checked_add(run(&mut reader, is_black)?)?;
            if at > width {
                return None;
            }
            line.push(at);
            is_black = !is_black;
        }
        packed.row(&line);
    }
    Some(packed.finish())
}

/// One run: any number of make-up codes and a terminating one.
fn run(reader: &mut ByteReader<impl Iterator<Item = Result<u8, Infallible>>>, is_black: bool) -> Option<u32> {
    let mut sum = 0u32;
    loop {
        let code = if is_black { black::decode(reader)? } else { white::decode(reader)? };
        sum = sum.checked_add(u32::from(code))?;
        if code < 64 {
            return Some(sum);
        }
    }
}

struct Packed {
    width: usize,
    stride: usize,
    length: usize,
    data: Vec<u8>,
}

impl Packed {
    fn new(width: u32, rows: u32) -> Option<Self> {
        let width = usize::try_from(width).ok()?;
        let stride = width.div_ceil(8);
        let length = stride.checked_mul(usize::try_from(rows).ok()?)?;
        Some(Packed { width, stride, length, data: Vec::with_capacity(length) })
    }

    /// Adds a row given as positions of colour change, white first.
    fn row(&mut self, changes: &[u32]) {
        let start = self.data.len();
        self.data.resize(start + self.stride, 0);
        let row = &mut self.data[start..];
        for pair in changes.chunks(2).filter(|pair| pair.len() == 2 || pair.len() == 1) {
            let from = (pair[0] as usize).min(self.width);
            let to = pair.get(1).map_or(self.width, |&to| (to as usize).min(self.width));
            fill(row, from, to);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.data.resize(self.length, 0);
        self.data
    }
}

/// Sets bits `from..to` of a row.
fn fill(row: &mut [u8], from: usize, to: usize) {
    if from >= to {
        return;
    }
    let (first, last) = (from / 8, (to - 1) / 8);
    let head = 0xFFu8 >> (from % 8);
    let tail = 0xFFu8 << (7 - (to - 1) % 8);
    if first == last {
        row[first] |= head & tail;
        return;
    }
    row[first] |= head;
    row[first + 1..last].fill(0xFF);
    row[last] |= tail;
}

#[cfg(test)]
mod tests {
    use super::*;
    use fax::{Color, VecWriter, encoder::Encoder};

    fn sample() -> (u32, u32, Vec<u8>) {
        let (width, height) = (77u32, 40u32);
        let bits = |x: u32, y: u32| (x / (y % 7 + 2)).is_multiple_of(3) && !y.is_multiple_of(5);
        let mut packed = Vec::new();
        for y in 0..height {
            for byte in 0..width.div_ceil(8) {
                let mut b = 0u8;
                for bit in 0..8 {
                    let x = byte * 8 + bit;
                    if x < width && bits(x, y) {
                        b |= 0x80 >> bit;
                    }
                }
                packed.push(b);
            }
        }
        (width, height, packed)
    }

    fn encoded() -> Vec<u8> {
        let (width, height, packed) = sample();
        let stride = width.div_ceil(8) as usize;
        let mut encoder = Encoder::new(VecWriter::new());
        for y in 0..height as usize {
            let row = &packed[y * stride..(y + 1) * stride];
            let pels = (0..width as usize)
                .map(|x| if row[x / 8] & (0x80 >> (x % 8)) != 0 { Color::Black } else { Color::White });
            encoder.encode_line(pels, width).unwrap();
        }
        encoder.finish().unwrap().finish()
    }

    #[test]
    fn group_4_gives_back_what_was_written() {
        let (width, height, packed) = sample();
        assert_eq!(group4(&encoded(), width, height).unwrap(), packed);
    }

    #[test]
    fn a_cut_strip_is_refused_at_every_length() {
        let (width, height, _) = sample();
        let whole = encoded();
        for length in 0..whole.len() / 2 {
            assert!(group4(&whole[..length], width, height).is_none(), "{length}");
        }
    }

    #[test]
    fn a_row_that_runs_past_the_width_is_refused() {
        // White 3 (1000), black 2 (11), white 3 (1000) is eight pixels in ten bits.
        let bits = [0b1000_1110, 0b0000_0000];
        assert_eq!(group3(&bits, 8, 1, Rows::Aligned).unwrap(), [0b0001_1000]);
        assert!(group3(&bits, 7, 1, Rows::Aligned).is_none());
    }

    #[test]
    fn a_marked_row_is_found_behind_its_fill_bits() {
        // Fill, EOL, then the same row.
        let bits = [0, 0b0000_0001, 0b1000_1110, 0b0000_0000];
        assert_eq!(group3(&bits, 8, 1, Rows::Marked).unwrap(), [0b0001_1000]);
    }
}
