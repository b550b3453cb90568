//! Codes of bars in a region: rows averaged along the bars, enlarged, thresholded, decoded.
//!
//! Averaging takes noise away and enlarging keeps edges between pixels, so that bars of two pixels can be read.
//! Code 39 has no check digit: it counts only when two rows say the same.

use super::locate::Region;
use super::patch::Patch;
use super::{Barcode, Effort, Format, Stage, read};
use crate::scan::luma::Luma;
use rxing::common::BitArray;
use rxing::oned::{Code39Reader, Code128Reader, OneDReader};
use rxing::{DecodeHints, RXingResult};

/// Every code of bars in a region, cut out and its grey values stretched.
pub(crate) fn read(cut: &Patch, region: &Region, formats: &[Format], effort: &mut Effort) -> Vec<Barcode> {
    let formats: Vec<Format> = formats.iter().copied().filter(|f| f.is_linear()).collect();
    if formats.is_empty() || cut.data.len() > MOST_PIXELS {
        return Vec::new();
    }
    let angle = cut.directions().gradient;
    let turned = (angle.abs() > 0.004).then(|| cut.turned(angle));
    let straight = turned.as_ref().unwrap_or(cut);
    if region.loose && !carries_on(straight, region.cell) {
        return Vec::new();
    }
    let mut hits: Vec<Hit> = Vec::new();
    for band in [9, 3] {
        sweep(straight, band, &formats, effort, &mut hits);
        if hits.iter().any(|hit| hit.rows >= 2) {
            break;
        }
    }
    // A disagreement at one place is settled by the number of rows; a tie by nobody.
    let settled = |hit: &&Hit| {
        let rivals = hits.iter().filter(|other| other.text != hit.text && other.overlaps(hit));
        (hit.format != Format::Code39 || (hit.rows >= 2 && hit.text.len() >= 3))
            && rivals.map(|r| r.rows).max().unwrap_or(0) < hit.rows
    };
    let code = |hit: &Hit| {
        let (y0, y1) = (hit.y0 as f32, hit.y1 as f32);
        barcode(straight, hit.format, hit.text.clone(), [hit.x0, y0, hit.x1, y1], hit.backwards)
    };
    hits.iter().filter(settled).map(code).collect()
}

/// A text read from some rows.
struct Hit {
    format: Format,
    text: String,
    /// Rows that agree.
    rows: usize,
    x0: f32,
    x1: f32,
    /// First row of its bars.
    y0: usize,
    /// One past the last.
    y1: usize,
    backwards: bool,
}

impl Hit {
    fn overlaps(&self, other: &Hit) -> bool {
        let across = self.x0.max(other.x0) < self.x1.min(other.x1);
        across && self.y0.max(other.y0) < self.y1.min(other.y1)
    }

    /// True where the rows of two hits overlap or all but touch: the last row of ragged bars is like none before it.
    fn touches(&self, other: &Hit) -> bool {
        let across = self.x0.max(other.x0) < self.x1.min(other.x1);
        across && self.y0.max(other.y0) <= self.y1.min(other.y1) + MOST_MISSES
    }
}

/// A code of bars from its place `[x0, y0, x1, y1]` in a patch where its bars are upright.
pub(crate) fn barcode(
    patch: &Patch,
    format: Format,
    text: String,
    place: [f32; 4],
    backwards: bool,
) -> Barcode {
    let [x0, y0, x1, y1] = place;
    let corners = if backwards {
        [[x1, y1], [x0, y1], [x0, y0], [x1, y0]]
    } else {
        [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    };
    let module_px = (x1 - x0) / modules(format, &text) * patch.scale();
    // Code 128 says up to 255 (ISO 8859-1), Code 39 ASCII.
    let bytes = text.chars().map(u8::try_from).collect::<Result<_, _>>();
    let bytes = bytes.unwrap_or_else(|_| text.clone().into_bytes());
    Barcode {
        format,
        text,
        bytes,
        corners: corners.map(|c| patch.to_page(c)),
        module_px,
        found_by: Stage::Cells,
    }
}

/// About how many modules a text is wide.
fn modules(format: Format, text: &str) -> f32 {
    let characters = text.chars().count() as f32;
    // Code 128 has 11 modules a symbol plus 35 around them, pairs of digits share one; Code 39 has 13 to 16.
    match format {
        Format::Code128 if text.bytes().all(|b| b.is_ascii_digit() || b == b'\x1d') => {
            5.5 * characters + 35.0
        }
        Format::Code128 => 11.0 * characters + 35.0,
        _ => 14.5 * (characters + 2.0),
    }
}

/// The text of a result; that of a Code 128 was asked for as if it were of GS1. An FNC1 in front says that it is, one
/// in second place which industry wrote it; further ones separate fields, as GS (ISO/IEC 15417, annex B).
pub(crate) fn text(format: Format, result: &RXingResult) -> Option<String> {
    let mut text = result.getText();
    let [start, said @ .., check, _] = result.getRawBytes() else { return Some(text.to_owned()) };
    if format != Format::Code128 {
        return Some(text.to_owned());
    }
    // The library takes a check symbol of that value for an FNC1, too.
    if *check == FNC1 {
        text = text.strip_suffix(GS).or(text.strip_suffix(GS1)).unwrap_or(text);
    }
    let is_gs1 = said.iter().find(|symbol| !(96..=101).contains(*symbol)) == Some(&FNC1);
    let text = match text.strip_prefix(GS1).filter(|_| is_gs1) {
        Some(rest) => rest.to_owned(),
        None if said.get(1) == Some(&FNC1) => {
            let industry =
                |c: char| if *start == START_C { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
            match text.split_once(GS) {
                Some((first, rest)) if first.chars().all(industry) => format!("{first}{rest}"),
                _ => text.to_owned(),
            }
        }
        None => text.to_owned(),
    };
    (!text.is_empty()).then_some(text)
}

/// The rows above and below `y` that show the same bars between `x0` and `x1`: first, and one past the last.
pub(crate) fn extent(patch: &Patch, x0: usize, x1: usize, y: usize) -> (usize, usize) {
    let row = |y: usize| patch.data.get(y * patch.width + x0..y * patch.width + x1.min(patch.width));
    let walk = |step: isize| {
        let (mut edge, mut at, mut misses) = (y, y, 0);
        let mut model = row(y);
        while let Some(next) = at.checked_add_signed(step).filter(|next| *next < patch.height) {
            let here = row(next);
            let alike = matches!((model, here), (Some(a), Some(b)) if correlation(a, b) > 0.5);
            if alike {
                (edge, model, misses) = (next, here, 0);
            } else {
                misses += 1;
                if misses > MOST_MISSES {
                    break;
                }
            }
            at = next;
        }
        edge
    };
    (walk(-1), walk(1) + 1)
}

/// How much a row goes up and down.
fn steps(patch: &Patch, x0: usize, x1: usize, y: usize) -> u32 {
    let row = patch.data.get(y * patch.width + x0..y * patch.width + x1.min(patch.width)).unwrap_or_default();
    row.windows(2).map(|pair| u32::from(pair[0].abs_diff(pair[1]))).sum()
}

fn correlation(a: &[u8], b: &[u8]) -> f32 {
    // Whole numbers become vector instructions; 64 pixels of 255 squared stay below 2^32.
    let (mut n, mut sa, mut sb, mut ab, mut aa, mut bb) = (0u64, 0u64, 0u64, 0u64, 0u64, 0u64);
    for (a, b) in a.chunks(64).zip(b.chunks(64)) {
        let mut part = [0u32; 5];
        for (p, q) in a.iter().zip(b) {
            let (p, q) = (u32::from(*p), u32::from(*q));
            for (sum, v) in part.iter_mut().zip([p, q, p * q, p * p, q * q]) {
                *sum = sum.wrapping_add(v);
            }
        }
        n += a.len().min(b.len()) as u64;
        let [pa, pb, pab, paa, pbb] = part.map(u64::from);
        (sa, sb, ab, aa, bb) = (sa + pa, sb + pb, ab + pab, aa + paa, bb + pbb);
    }
    let n = n.max(1) as f64;
    let about = |both: u64, one: u64, other: u64| both as f64 - one as f64 * other as f64 / n;
    (about(ab, sa, sb) / ((about(aa, sa, sa) + 1.0) * (about(bb, sb, sb) + 1.0)).sqrt()) as f32
}

/// Reads bands of rows from top to bottom; where they hold codes and the region is taller than a code, also those
/// between them that no code reaches.
fn sweep(patch: &Patch, band: usize, formats: &[Format], effort: &mut Effort, hits: &mut Vec<Hit>) {
    let every = (patch.height / 10).max(3);
    for bands in [every.min(FEW_BANDS), every] {
        // As many side by side as anywhere: nothing more is to be expected in these rows.
        let abreast =
            |y: usize, hits: &[Hit]| hits.iter().filter(|hit| (hit.y0..hit.y1).contains(&y)).count();
        let most = hits.iter().map(|hit| abreast(hit.y0, hits)).max().unwrap_or(0);
        let is_closer = bands > FEW_BANDS;
        if is_closer && most == 0 {
            return;
        }
        for index in 0..bands {
            let y = patch.height * (2 * index + 1) / (2 * bands);
            if !is_closer || abreast(y, hits) < most {
                read_band(patch, y, band, formats, effort, hits);
            }
        }
        if bands == every {
            return;
        }
    }
}

/// True where rows three cells apart show the same bars: letters are lower, and no line of print is like the next.
fn carries_on(patch: &Patch, cell: usize) -> bool {
    let strip = |at: usize| profile(patch, at * cell, (at + 1) * cell);
    let strips: Vec<Vec<f32>> = (0..patch.height / cell).map(strip).collect();
    let bytes = |strip: &[f32]| strip.iter().map(|v| *v as u8).collect::<Vec<u8>>();
    let alike = |four: &[Vec<f32>]| {
        has_bars(&four[0], 32.0) && correlation(&bytes(&four[0]), &bytes(&four[3])) > LEAST_ALIKE
    };
    strips.windows(4).any(alike)
}

fn read_band(
    patch: &Patch,
    y: usize,
    band: usize,
    formats: &[Format],
    effort: &mut Effort,
    hits: &mut Vec<Hit>,
) {
    let (y0, y1) = (y.saturating_sub(band / 2), (y + band / 2 + 1).min(patch.height));
    // Text and tables wash out where bars do not.
    let wide = profile(patch, y.saturating_sub(10), (y + 11).min(patch.height));
    let mark = effort.mark();
    if !has_bars(&wide, 32.0) || !effort.spend(patch.width * 30) {
        return;
    }
    let profile = profile(patch, y0, y1);
    for sharpen in [0.0, 0.6] {
        let mut row = bits(&profile, sharpen);
        let mut any = false;
        for _ in 0..MOST_SIDE_BY_SIDE {
            let Some((format, text, from, to, backwards)) = decode_row(&row, formats) else { break };
            any = true;
            clear(&mut row, from, to);
            let native = |x: usize| ((x as f32 - QUIET as f32) / SCALE as f32).clamp(0.0, patch.width as f32);
            let (x0, x1) = (native(from), native(to));
            // A band may lie half beside the bars: its strongest row does not.
            let core = (y0..y1).max_by_key(|y| steps(patch, x0 as usize, x1 as usize, *y)).unwrap_or(y);
            let (y0, y1) = extent(patch, x0 as usize, x1 as usize, core);
            note(hits, Hit { format, text, rows: 1, x0, x1, y0, y1, backwards });
        }
        if any {
            effort.refund(mark);
            return;
        }
    }
}

/// Joins a hit to the same text on the same bars.
fn note(hits: &mut Vec<Hit>, hit: Hit) {
    match hits.iter_mut().find(|old| old.format == hit.format && old.text == hit.text && old.touches(&hit)) {
        Some(old) => {
            old.rows += 1;
            (old.y0, old.y1) = (old.y0.min(hit.y0), old.y1.max(hit.y1));
        }
        None => hits.push(hit),
    }
}

fn profile(patch: &Patch, y0: usize, y1: usize) -> Vec<f32> {
    let mut sums = vec![0u32; patch.width];
    for y in y0..y1 {
        for (sum, p) in sums.iter_mut().zip(&patch.data[y * patch.width..(y + 1) * patch.width]) {
            *sum += u32::from(*p);
        }
    }
    let rows = (y1 - y0).max(1) as f32;
    sums.into_iter().map(|sum| sum as f32 / rows).collect()
}

/// True where some line across a region meets as many bars as a code has: frames and rules are long and straight,
/// too, but few.
pub(crate) fn crosses_bars(luma: &Luma, region: &Region) -> bool {
    let (along, from, to) = if region.upright {
        (1, (region.y0, region.x0), (region.y1, region.x1))
    } else {
        (luma.width, (region.x0, region.y0), (region.x1, region.y1))
    };
    let across = if region.upright { luma.width } else { 1 };
    let crosses = |line: &usize, depth: usize, share: f32| {
        let at = from.0 + (to.0 - from.0) * line / (CROSSINGS + 1);
        let start = at * across + from.1 * along;
        let mean = |i: usize| {
            let deep = (0..depth).filter_map(|row| luma.data.get(start + i * along + row * across));
            deep.map(|p| f32::from(*p)).sum::<f32>() / depth as f32
        };
        let values: Vec<f32> = (0..to.1 - from.1).map(mean).collect();
        let (low, high) = values.iter().fold((255f32, 0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        has_bars(&values, ((high - low) * share).max(6.0))
    };
    if region.loose {
        // Print washes out over more rows than its letters are high; most of the lines lie in the bars.
        return (1..=CROSSINGS).filter(|line| crosses(line, 2 * region.cell, 0.25)).count() * 2 > CROSSINGS;
    }
    (1..=CROSSINGS).any(|line| crosses(&line, 1, 0.125))
}

/// A code of bars has at least eight bars; each is a step down and a step up.
fn has_bars(profile: &[f32], least: f32) -> bool {
    swings(profile.iter().copied(), least) >= 16
}

/// How often values go up or down by some step.
pub(crate) fn swings(values: impl Iterator<Item = f32>, least: f32) -> usize {
    let mut values = values.peekable();
    let (mut swings, mut up, mut last) = (0, false, values.peek().copied().unwrap_or_default());
    for value in values {
        let step = value - last;
        if (up && step < -least) || (!up && step > least) {
            swings += 1;
            up = !up;
            last = value;
        } else if (up && step > 0.0) || (!up && step < 0.0) {
            last = value;
        }
    }
    swings
}

/// Enlarges a profile three times (Catmull-Rom) and thresholds it midway between the lightest and darkest value
/// nearby. Quiet zones are added on both sides.
fn bits(profile: &[f32], sharpen: f32) -> BitArray {
    let at = |i: isize| profile[i.clamp(0, profile.len() as isize - 1) as usize];
    let sharp: Vec<f32> = (0..profile.len() as isize)
        .map(|i| at(i) + sharpen * (at(i) - (at(i - 1) + at(i + 1)) / 2.0))
        .collect();
    let at = |i: isize| sharp[i.clamp(0, sharp.len() as isize - 1) as usize];
    let mut row = BitArray::with_size(profile.len() * SCALE + 2 * QUIET);
    for i in 0..sharp.len() as isize {
        let near = (i - REACH..=i + REACH).map(at);
        let (low, high) = near.fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
        // Within a bar or a space wider than what is near, the light alone tells which of them.
        let level = if high - low < 40.0 { 128.0 } else { (low + high) / 2.0 };
        for part in 0..SCALE {
            let t = (part as f32 + 0.5) / SCALE as f32 - 0.5;
            let (from, t) = if t < 0.0 { (i - 1, t + 1.0) } else { (i, t) };
            let (a, b, c, d) = (at(from - 1), at(from), at(from + 1), at(from + 2));
            let value =
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
            if value < level {
                row.set(QUIET + i as usize * SCALE + part);
            }
        }
    }
    row
}

/// The first code in a row: its format, text, first and last bit, and whether it stands on its head.
fn decode_row(row: &BitArray, formats: &[Format]) -> Option<(Format, String, usize, usize, bool)> {
    let size = row.get_size();
    let mut reversed = row.clone();
    reversed.reverse();
    for (row, backwards) in [(row, false), (&reversed, true)] {
        for &format in formats {
            let result = read::guarded(|| {
                let hints = DecodeHints { AssumeGs1: Some(format == Format::Code128), ..Default::default() };
                let result = match format {
                    Format::Code128 => Code128Reader.decode_row(0, row, &hints),
                    _ => Code39Reader::default().decode_row(0, row, &hints),
                }
                .ok()?;
                Some((text(format, &result)?, result))
            });
            let Some((text, result)) = result else { continue };
            let [a, b, ..] = result.getPoints() else { continue };
            // The library tells the middle of the first symbol, and of a Code 39 half the place of its end.
            let end = if format == Format::Code39 { b.x * 2.0 } else { b.x };
            // No space of a code is as wide as this, and its quiet zones are wider.
            let quiet = 6.0 * (end - a.x) / modules(format, &text);
            let quiet = (quiet as usize).max(8 * SCALE);
            let from = outward(row, a.x as usize, false, quiet);
            let to = outward(row, (end as usize).min(size.saturating_sub(1)), true, quiet);
            let (from, to) = if backwards { (size - to, size - from) } else { (from, to) };
            return Some((format, text, from, to, backwards));
        }
    }
    None
}

/// From inside a code to the quiet zone beyond it: so many bits without a bar.
fn outward(row: &BitArray, start: usize, forth: bool, quiet: usize) -> usize {
    let (mut at, mut edge, mut blank) = (start, start, 0);
    while blank < quiet {
        let next = if forth { at + 1 } else { at.wrapping_sub(1) };
        if next >= row.get_size() {
            break;
        }
        at = next;
        if row.get(at) {
            (edge, blank) = (at, 0);
        } else {
            blank += 1;
        }
    }
    if forth { edge + 1 } else { edge }
}

fn clear(row: &mut BitArray, from: usize, to: usize) {
    for at in from..to.min(row.get_size()) {
        row.unset(at);
    }
}

/// The values of symbols of Code 128.
const FNC1: u8 = 102;
const START_C: u8 = 105;
/// What the library writes for an FNC1, and for one in front.
const GS: char = '\u{1d}';
const GS1: &str = "]C1";
/// How much rows of the same bars are alike, at least; ragged ones are at 0.95, lines of bold print below 0.6.
const LEAST_ALIKE: f32 = 0.7;
/// Lines across a region along which bars are counted before it is looked at more closely.
const CROSSINGS: usize = 7;
/// Rows unlike their neighbours that do not end a code.
const MOST_MISSES: usize = 3;
/// Bits per pixel of a row.
const SCALE: usize = 3;
/// White bits on both sides of a row.
const QUIET: usize = 40;
/// Pixels on each side that set the threshold.
const REACH: isize = 14;
/// Bands of rows that a region is read in before any code is known in it.
const FEW_BANDS: usize = 12;
/// Codes side by side in one region: A4 across holds eight of the smallest.
const MOST_SIDE_BY_SIDE: usize = 8;
/// Larger regions are photographs.
pub(crate) const MOST_PIXELS: usize = 6_000_000;

#[cfg(test)]
mod tests {
    use super::super::sample::code_128_of;
    use super::*;

    /// What the library reads of symbols of code set B, and the bytes of it.
    fn said(symbols: &[usize]) -> (String, Vec<u8>) {
        let modules = code_128_of(symbols);
        let mut row = BitArray::with_size(modules.len() * SCALE + 2 * QUIET);
        for at in (0..modules.len() * SCALE).filter(|at| modules[at / SCALE]) {
            row.set(QUIET + at);
        }
        let (format, text, from, to, _) = decode_row(&row, &[Format::Code128]).unwrap();
        let patch = Patch::whole(&Luma { width: 8, height: 1, data: vec![255; 8] });
        let code = barcode(&patch, format, text, [from as f32, 0.0, to as f32, 1.0], false);
        (code.text, code.bytes)
    }

    fn set_b(text: &str) -> Vec<usize> {
        [104].into_iter().chain(text.bytes().map(|b| usize::from(b) - 32)).collect()
    }

    fn with_fnc1(text: &str) -> Vec<usize> {
        let fnc1 = |b| if b == b'^' { 102 } else { usize::from(b) - 32 };
        [104].into_iter().chain(text.bytes().map(fnc1)).collect()
    }

    #[test]
    fn fields_of_a_gs1_128_stay_apart_and_other_codes_say_what_they_said() {
        let text = |symbols: &[usize]| said(symbols).0;
        assert_eq!(said(&with_fnc1("^10AB^2155")), ("10AB\u{1d}2155".to_owned(), b"10AB\x1d2155".to_vec()));
        assert_eq!(text(&with_fnc1("7^BC^")), "7\u{1d}BC\u{1d}");
        // The industry's letter, or its two digits.
        assert_eq!(text(&with_fnc1("A^BC^D")), "ABC\u{1d}D");
        assert_eq!(text(&[105, 12, 102, 100, 34]), "12B");
        assert_eq!(text(&set_b("]C1AB")), "]C1AB");
        // Each check symbol once or more, FNC1 among them.
        for number in 0..1200 {
            let plain = format!("HS-{number}");
            assert_eq!(text(&set_b(&plain)), plain);
            let gs1 = format!("^10{number}^21A");
            assert_eq!(text(&with_fnc1(&gs1)), gs1.replacen('^', "", 1).replace('^', "\u{1d}"));
        }
        // FNC4 adds 128.
        assert_eq!(said(&[104, 100, 73, 33]), ("éA".to_owned(), b"\xe9A".to_vec()));
    }

    #[test]
    fn bars_carry_on_and_lines_of_strokes_do_not() {
        let cell = 8;
        let strokes = |high: usize| {
            let dark = |x: usize, y: usize| x / 4 * 7919 % 13 * (y / high + 3) * 31 % 7 < 3;
            let data = (0..320 * 80).map(|at| if dark(at % 320, at / 320) { 0 } else { 255 }).collect();
            Patch::whole(&Luma { width: 320, height: 80, data })
        };
        assert!(carries_on(&strokes(5 * cell), cell));
        assert!(!carries_on(&strokes(2 * cell), cell));
    }
}
