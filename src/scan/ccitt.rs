//! Fax codings of bilevel pages to packed rows: Group 4 (ITU-T T.6), Group 3 in one dimension and in two, and its
//! variant without end-of-line marks (ITU-T T.4; TIFF 6.0, sections 10 and 11).

use fax::maps::{black, white};
use fax::{BitReader, ByteReader};
use std::convert::Infallible;

/// Rows where 1 is the code's "black", most significant bit first, each padded to a byte.
/// `None` where the data end or break before the last row; a few rows that an explicit end mark leaves out are white.
pub(super) fn group4(bytes: &[u8], width: u32, rows: u32) -> Option<Vec<u8>> {
    let mut packed = Packed::new(width, rows)?;
    let mut decoder = fax::decoder::Group4Decoder::new(bits(bytes), width).ok()?;
    for _ in 0..rows {
        match decoder.advance().ok()? {
            fax::decoder::DecodeStatus::End => break,
            fax::decoder::DecodeStatus::Incomplete => packed.row(decoder.transition()),
        }
    }
    packed.finish()
}

/// The data, and a byte of zeros behind them: the reader looks ahead by the length of the longest code, and takes what
/// is shorter than that for an end. No code is made of zeros.
fn bits(bytes: &[u8]) -> impl Iterator<Item = Result<u8, Infallible>> + '_ {
    bytes.iter().copied().chain([0]).map(Ok)
}

/// How rows of Group 3 are set off from each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// An end-of-line code before each row (TIFF compression 3).
    Marked,
    /// The same, and behind it a bit that says whether the row is coded by itself or by the one above it (T4Options,
    /// bit 0).
    Tagged,
    /// No codes; each row begins at a byte (TIFF compression 2).
    Aligned,
}

/// Group 3 rows (modified Huffman, modified READ), packed as [`group4`] packs them.
pub(super) fn group3(bytes: &[u8], width: u32, rows: u32, form: Rows) -> Option<Vec<u8>> {
    let mut packed = Packed::new(width, rows)?;
    let mut reader = ByteReader::new(bits(bytes)).ok()?;
    let mut line = Line::default();
    for _ in 0..rows {
        let mut is_alone = true;
        match form {
            Rows::Marked | Rows::Tagged => {
                // Fill bits, then 000000000001; the first row of some writers has none.
                while reader.peek(12) == Some(0) {
                    reader.consume(1).ok()?;
                }
                match reader.peek(12) {
                    Some(1) => reader.consume(12).ok()?,
                    // Without the mark there is no bit behind it either.
                    _ if form == Rows::Tagged => return None,
                    _ => {}
                }
                if form == Rows::Tagged {
                    is_alone = reader.peek(1)? == 1;
                    reader.consume(1).ok()?;
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
        line =
            if is_alone { alone(&mut reader, width)? } else { by_the_row_above(&mut reader, &line, width)? };
        packed.row(&line.0);
    }
    packed.finish()
}

/// Where the colour changes in a row, white first, each place once and all before its end.
#[derive(Default)]
struct Line(Vec<u32>);

impl Line {
    /// Adds a change at a place not before the last; two at one place are none.
    fn change(&mut self, at: u32, width: u32) {
        match self.0.last() {
            Some(&last) if last == at => {
                self.0.pop();
            }
            // A change at the end is none; the row ends there in any colour.
            _ if at >= width => {}
            _ => self.0.push(at),
        }
    }
}

/// A row of runs (T.4, 4.1).
fn alone(reader: &mut ByteReader<impl Iterator<Item = Result<u8, Infallible>>>, width: u32) -> Option<Line> {
    let mut line = Line::default();
    let (mut at, mut is_black) = (0u32, false);
    while at < width {
        at = at.checked_add(run(reader, is_black)?)?;
        if at > width {
            return None;
        }
        line.change(at, width);
        is_black = !is_black;
    }
    Some(line)
}

/// A row told by its differences from the one above (T.4, 4.2).
fn by_the_row_above(
    reader: &mut ByteReader<impl Iterator<Item = Result<u8, Infallible>>>,
    above: &Line,
    width: u32,
) -> Option<Line> {
    let mut line = Line::default();
    // No place yet: a change of the row above in its first pixel lies behind it.
    let mut last: Option<u32> = None;
    let mut is_black = false;
    // The first change above that lies behind the last place; it only moves on.
    let mut first = 0usize;
    while last.is_none_or(|at| at < width) {
        let at = last.unwrap_or(0);
        while above.0.get(first).is_some_and(|&change| last.is_some_and(|at| change <= at)) {
            first += 1;
        }
        // Changes to black are the even ones.
        let next = first + usize::from((first % 2 == 1) != is_black);
        let of = |i: usize| above.0.get(i).copied().unwrap_or(width);
        match mode(reader)? {
            Mode::Pass => last = Some(of(next + 1)),
            Mode::Horizontal => {
                let middle = at.checked_add(run(reader, is_black)?)?;
                let end = middle.checked_add(run(reader, !is_black)?)?;
                if end > width {
                    return None;
                }
                line.change(middle, width);
                line.change(end, width);
                last = Some(end);
            }
            Mode::Vertical(by) => {
                let change = of(next).checked_add_signed(by)?;
                if change < at || change > width {
                    return None;
                }
                line.change(change, width);
                is_black = !is_black;
                last = Some(change);
            }
        }
    }
    Some(line)
}

enum Mode {
    Pass,
    Horizontal,
    Vertical(i32),
}

/// The codes of T.4, table 4; its extensions are not taken.
fn mode(reader: &mut ByteReader<impl Iterator<Item = Result<u8, Infallible>>>) -> Option<Mode> {
    const CODES: [(u8, u16, Mode); 9] = [
        (1, 0b1, Mode::Vertical(0)),
        (3, 0b011, Mode::Vertical(1)),
        (3, 0b010, Mode::Vertical(-1)),
        (3, 0b001, Mode::Horizontal),
        (4, 0b0001, Mode::Pass),
        (6, 0b00_0011, Mode::Vertical(2)),
        (6, 0b00_0010, Mode::Vertical(-2)),
        (7, 0b000_0011, Mode::Vertical(3)),
        (7, 0b000_0010, Mode::Vertical(-3)),
    ];
    let (length, _, mode) =
        CODES.into_iter().find(|(length, code, _)| reader.peek(*length) == Some(*code))?;
    reader.consume(length).ok()?;
    Some(mode)
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

/// Rows that a page may end before its declared height: 2 mm at 200 dpi. Some senders round it up.
const MOST_LEFT_OUT: usize = 16;

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

    /// The rows, and white ones for what is left out; `None` where that is more than a few.
    fn finish(mut self) -> Option<Vec<u8>> {
        let most = (self.length / self.stride.max(1) / 16).min(MOST_LEFT_OUT) * self.stride;
        if self.length - self.data.len() > most {
            return None;
        }
        self.data.resize(self.length, 0);
        Some(self.data)
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
    fn the_last_row_needs_no_bytes_behind_it() {
        let (width, height, packed) = sample();
        let whole = encoded();
        // The mark of the end is 24 bits, and the padding fewer than 8.
        let rows = &whole[..whole.len() - 3];
        assert_eq!(group4(rows, width, height).unwrap(), packed);
        // White 4 (1011), black 4 (011), white 4 (1011), black 4 (011): the row ends with the last byte but two bits.
        assert_eq!(group3(&[0b1011_0111, 0b0110_1100], 16, 1, Rows::Aligned).unwrap(), [0x0F, 0x0F]);
    }

    #[test]
    fn a_page_that_stops_early_is_not_white_paper() {
        let (width, height, packed) = sample();
        let end = [0, 0x10, 0x01, 0, 0x10, 0x01];
        assert!(group4(&end, width, height).is_none());
        let whole = encoded();
        assert!(group4(&whole, width, 4 * height).is_none());
        let mut with_white = packed;
        with_white.resize(10 * 42, 0);
        assert_eq!(group4(&whole, width, height + 2).unwrap(), with_white);
        assert!(group4(&whole, width, height + 3).is_none());
        let mut ended = bytes(IN_ONE);
        ended.extend_from_slice(&[0, 0x10, 0x01, 0, 0x10, 0x01]);
        assert!(group3(&ended, 70, 240, Rows::Marked).is_none());
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

    /// 70 x 24 pixels of boxes and lines, its paper coded as black, by another program's hand (libtiff).
    const DRAWING: &str = "ffffffffffffdffffcffffffffffffeffffcffffffff01fff7fffce00007fcfe7ff7fffce00007fbffbffbfffce00007f7ffdffd\
        fffce00007efffeffefffce00007dffff7ff7ffce00007dffff7ffbffce00007bffffbffbffce00007bffffbffdffce00007bfff\
        fbffeffce00007bffffbfff7fcffffffbffffbfffbfcffffffdffff7fffdfcffffffdffff7fffdfcffffffefffeffffefcffffff\
        f7ffdfffff7c01fffffbffbfffffbc01fffffcfe7fffffdc01ffffff01ffffffec01ffffffffffffffec01fffffffffffffff4ff\
        fffffffffffffff8";
    const IN_ONE: &str = "001350521c338009a8298e040009a8357820e0c0009ac9c471b851c1800135938a3851c28e0b8009ac9c63820e1470c0009ac9c8\
        70c0e14707001359398e0c0e14704001359398e0c0e1c70e0026b27638671c28e1c004d64ec70ce3871c28009ac9d8e19c7041c2\
        0009ac9d8e19c7071c40013503038671c3038a0026a1943830383038c004d432870607060718009a8658e181c338e40026a19838\
        20e1b073001f06e3851c140ec007c1438dc0c0f000f818f0cc1f001f02c1f001f05a1d0009a81e6380";
    const IN_TWO: &str = "0019a8290e19c0056470200066a0d5e083830002993845c65c2e00335938a3851c28e0b800ba4c8e148e180019ac9c870c0e1470\
        700174991c291c100066b2731c181c38e1c005d26470b800cd64ec70ce3871c2800bfb23840019ac9d8e19c7071c400147d91c50\
        019a8650e0c0e0c0e30017f800cd432c70c0e19c72001591c113239800fc1b8e1470503b0015971a60a003f031e1983e0028f001\
        f82d0e80044d40f380";
    const IN_TWO_ALIGNED: &str = "00019a8290e19c0001591c0800019a8357820e0c00014c9c22e32e1700019ac9c51c28e14705c00174991c291c3000019ac9c870\
        c0e14707000174991c291c1000019ac9cc706070e387000174991c2e00019ac9d8e19c70e38500017f647080019ac9d8e19c7071\
        c4000147d91c50019a8650e0c0e0c0e300017f80019a8658e181c338e40001591c1132398001f8371c28e0a07600015971a60a00\
        01f818f0cc1f0001478001f82d0e800113503ce0";

    fn bytes(digits: &str) -> Vec<u8> {
        hex::decode(digits).unwrap()
    }

    #[test]
    fn group_3_in_one_and_two_dimensions_gives_the_same_rows() {
        let drawing = bytes(DRAWING);
        assert_eq!(group3(&bytes(IN_ONE), 70, 24, Rows::Marked).unwrap(), drawing);
        assert_eq!(group3(&bytes(IN_TWO), 70, 24, Rows::Tagged).unwrap(), drawing);
        assert_eq!(group3(&bytes(IN_TWO_ALIGNED), 70, 24, Rows::Tagged).unwrap(), drawing);
    }

    #[test]
    fn two_dimensional_rows_cut_or_bent_anywhere_end_without_a_crash() {
        let whole = bytes(IN_TWO);
        for length in 0..whole.len() - 8 {
            assert!(group3(&whole[..length], 70, 24, Rows::Tagged).is_none(), "{length}");
        }
        for at in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[at / 8] ^= 0x80 >> (at % 8);
            if let Some(rows) = group3(&bent, 70, 24, Rows::Tagged) {
                assert_eq!(rows.len(), 9 * 24);
            }
        }
    }
}
