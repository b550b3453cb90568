//! Whether the scans of a JPEG give its whole picture (ISO/IEC 10918-1, F.2 and G.2): all codes are read, none is
//! made a pixel. A decoder goes on with zeros where a scan ends too early, and says nothing.

use super::BROKEN;
use super::markers::Markers;
use crate::fault::{Fault, Outcome};

/// Reads all codes of all scans, up to the end marker.
///
/// # Errors
/// [`BROKEN`] where a scan has no code for a block of its picture.
pub(super) fn whole(bytes: &[u8]) -> Outcome<()> {
    let mut reader = Markers { bytes, at: 2 };
    let mut picture = Picture::default();
    let mut scans = 0;
    loop {
        let marker = match reader.next()? {
            0xD9 => return Ok(()),
            0x01 | 0xD0..=0xD8 => continue,
            marker => marker,
        };
        let (_, body) = reader.segment()?;
        let read = match marker {
            0xC0..=0xC2 => picture.frame(marker == 0xC2, body),
            0xC4 => picture.tables(body),
            0xDD => picture.interval(body),
            0xDA => {
                scans += 1;
                picture.scan(body, bytes, reader.at).map(|end| reader.at = end)
            }
            _ => Some(()),
        };
        read.ok_or_else(|| Fault::new(&BROKEN).detail(format!("breaks off in scan {scans}")))?;
    }
}

/// What the segments before a scan say of it.
#[derive(Default)]
struct Picture {
    progressive: bool,
    width: usize,
    height: usize,
    parts: Vec<Part>,
    /// By class (0 mean values, 1 details) and number.
    tables: [[Option<Table>; 4]; 2],
    /// MCUs between two restarts; 0 for none.
    interval: usize,
}

/// One component.
struct Part {
    id: u8,
    /// Blocks of an MCU, across and down.
    across: usize,
    down: usize,
    /// Blocks of a row, those of the padding too.
    stride: usize,
    /// Of each block of a progressive picture, the coefficients that are known not to be zero.
    known: Vec<u64>,
}

impl Picture {
    fn frame(&mut self, progressive: bool, body: &[u8]) -> Option<()> {
        let &[_, h1, h0, w1, w0, count, ref rest @ ..] = body else { return None };
        self.progressive = progressive;
        self.width = usize::from(u16::from_be_bytes([w1, w0]));
        self.height = usize::from(u16::from_be_bytes([h1, h0]));
        for part in rest.chunks_exact(3).take(usize::from(count)) {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return None;
            }
            self.parts.push(Part { id: part[0], across, down, stride: 0, known: Vec::new() });
        }
        let (columns, rows) = self.mcus();
        for part in &mut self.parts {
            part.stride = columns * part.across;
            if progressive {
                part.known = vec![0; part.stride * rows * part.down];
            }
        }
        Some(())
    }

    /// The most blocks across and down an MCU.
    fn most(&self) -> (usize, usize) {
        self.parts.iter().fold((1, 1), |(x, y), part| (x.max(part.across), y.max(part.down)))
    }

    /// MCUs across and down where the components are interleaved.
    fn mcus(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (self.width.div_ceil(8 * across), self.height.div_ceil(8 * down))
    }

    fn interval(&mut self, body: &[u8]) -> Option<()> {
        self.interval = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        Some(())
    }

    fn tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [place, rest @ ..] = body {
            let (table, left) = Table::read(rest)?;
            *self.tables.get_mut(usize::from(place >> 4))?.get_mut(usize::from(place & 15))? = Some(table);
            body = left;
        }
        Some(())
    }

    /// Reads one scan; gives where its codes end.
    fn scan(&mut self, body: &[u8], bytes: &[u8], at: usize) -> Option<usize> {
        let count = usize::from(*body.first()?);
        let &[from, to, high_low, ..] = body.get(1 + 2 * count..)? else { return None };
        let mut named = Vec::new();
        for pair in body.get(1..1 + 2 * count)?.chunks_exact(2) {
            named.push((self.parts.iter().position(|part| part.id == pair[0])?, pair[1]));
        }
        let (most_across, most_down) = self.most();
        // A scan of one component has its blocks in rows, and none of the padding.
        let alone = match named[..] {
            [(i, _)] => self.parts.get(i).map(|part| {
                let columns = (self.width * part.across).div_ceil(8 * most_across);
                (columns, (self.height * part.down).div_ceil(8 * most_down))
            }),
            _ => None,
        };
        let (columns, rows) = alone.unwrap_or_else(|| self.mcus());
        let band = match (self.progressive, high_low >> 4) {
            (false, _) => Band::All,
            (true, 0) if from == 0 => Band::Mean,
            (true, _) if from == 0 => Band::MeanAgain,
            (true, 0) => Band::Details(from, to.min(63)),
            (true, _) => Band::DetailsAgain(from, to.min(63)),
        };
        let mut codes = Codes { bytes, at, held: 0, left: 0, run: 0 };
        for mcu in 0..columns * rows {
            if self.interval > 0 && mcu > 0 && mcu % self.interval == 0 {
                codes.restart(mcu / self.interval - 1)?;
            }
            let (column, row) = (mcu % columns, mcu / columns);
            for &(i, places) in &named {
                let Picture { tables: [mean, details], parts, .. } = self;
                let part = parts.get_mut(i)?;
                let mean = mean.get(usize::from(places >> 4))?.as_ref();
                let details = details.get(usize::from(places & 15))?.as_ref();
                let (across, down) = if alone.is_some() { (1, 1) } else { (part.across, part.down) };
                for block in 0..across * down {
                    let (x, y) = (column * across + block % across, row * down + block / across);
                    match band {
                        Band::All => codes.all(mean?, details?)?,
                        Band::Mean => codes.mean(mean?)?,
                        Band::MeanAgain => codes.bit().map(drop)?,
                        Band::Details(from, to) => {
                            codes.details(details?, from, to, part.known.get_mut(y * part.stride + x)?)?;
                        }
                        Band::DetailsAgain(from, to) => {
                            codes.again(details?, from, to, part.known.get_mut(y * part.stride + x)?)?;
                        }
                    }
                }
            }
        }
        Some(codes.at)
    }
}

/// What a scan tells of each block.
#[derive(Clone, Copy)]
enum Band {
    /// All at once (F.2.2).
    All,
    /// The mean value, then one bit more of it (G.1.2.1).
    Mean,
    MeanAgain,
    /// Details from one place of the zigzag to another, then one bit more of each (G.1.2.2, G.1.2.3).
    Details(u8, u8),
    DetailsAgain(u8, u8),
}

/// A Huffman table (F.2.2.3).
struct Table {
    /// Of each length from 1 to 16: its first code, how many there are, and where their values begin.
    lengths: [(u32, u32, usize); 16],
    values: Vec<u8>,
}

impl Table {
    /// The table, and what is left of the segment behind it.
    fn read(body: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = body.split_at_checked(16)?;
        let mut lengths = [(0, 0, 0); 16];
        let (mut code, mut start) = (0u32, 0usize);
        for (length, &count) in lengths.iter_mut().zip(counts) {
            *length = (code, u32::from(count), start);
            code = (code + u32::from(count)) << 1;
            start += usize::from(count);
        }
        let (values, rest) = rest.split_at_checked(start)?;
        Some((Table { lengths, values: values.to_vec() }, rest))
    }
}

/// The bits of a scan up to the next marker.
struct Codes<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u8,
    left: u8,
    /// Blocks without further codes of their own.
    run: u32,
}

impl Codes<'_> {
    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.held = *self.bytes.get(self.at)?;
            self.at += 1;
            if self.held == 0xFF {
                // Anything but stuffing is a marker: no code is left.
                if self.bytes.get(self.at) != Some(&0) {
                    self.at -= 1;
                    return None;
                }
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.held >> self.left & 1))
    }

    fn bits(&mut self, count: u8) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    fn value(&mut self, table: &Table) -> Option<u8> {
        let mut code = 0;
        for &(first, count, start) in &table.lengths {
            code = code << 1 | self.bit()?;
            if code.checked_sub(first).is_some_and(|nth| nth < count) {
                return table.values.get(start + (code - first) as usize).copied();
            }
        }
        None
    }

    /// A run of zeros and the size of what follows it.
    fn run_size(&mut self, table: &Table) -> Option<(u8, u8)> {
        self.value(table).map(|value| (value >> 4, value & 15))
    }

    fn all(&mut self, mean: &Table, details: &Table) -> Option<()> {
        self.mean(mean)?;
        let mut k = 1;
        while k < 64 {
            match self.run_size(details)? {
                (15, 0) => k += 16,
                (_, 0) => break,
                (zeros, size) => {
                    self.bits(size)?;
                    k += zeros + 1;
                }
            }
        }
        Some(())
    }

    fn mean(&mut self, table: &Table) -> Option<()> {
        let size = self.value(table)?;
        self.bits(size.min(16)).map(drop)
    }

    fn details(&mut self, table: &Table, from: u8, to: u8, known: &mut u64) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let mut k = from;
        while k <= to {
            match self.run_size(table)? {
                (15, 0) => k += 16,
                (run, 0) => {
                    self.run = (1 << run) + self.bits(run)? - 1;
                    break;
                }
                (zeros, size) => {
                    self.bits(size)?;
                    k += zeros;
                    *known |= 1 << k.min(63);
                    k += 1;
                }
            }
        }
        Some(())
    }

    fn again(&mut self, table: &Table, from: u8, to: u8, known: &mut u64) -> Option<()> {
        let mut k = from;
        while self.run == 0 && k <= to {
            let (mut zeros, size) = self.run_size(table)?;
            if size > 0 {
                self.bit()?;
            } else if zeros < 15 {
                self.run = (1 << zeros) + self.bits(zeros)?;
                break;
            }
            // What was known before has one bit more each, up to the place behind so many zeros.
            while k <= to {
                if *known >> k & 1 == 1 {
                    self.bit()?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size > 0 && k <= to {
                *known |= 1 << k;
            }
            k += 1;
        }
        if self.run > 0 {
            for k in k..=to {
                if *known >> k & 1 == 1 {
                    self.bit()?;
                }
            }
            self.run -= 1;
        }
        Some(())
    }

    /// Passes the restart marker of this number.
    fn restart(&mut self, number: usize) -> Option<()> {
        let mut markers = Markers { bytes: self.bytes, at: self.at };
        if usize::from(markers.next().ok()?) != 0xD0 + number % 8 {
            return None;
        }
        (self.at, self.left, self.run) = (markers.at, 0, 0);
        Some(())
    }
}
