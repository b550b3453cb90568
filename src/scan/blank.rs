//! Is a page blank? Flagged only, never deleted: a lone page number or a note by hand is content.

use crate::scan::Luma;
use crate::scan::ink::{Ink, Mark, percentile};
use crate::scan::streak::Streaks;
use serde::{Deserialize, Serialize};

/// How empty a page is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Blank {
    /// 1 for spotless paper, towards 0 the more is on it; 0.5 and above is blank.
    pub score: f32,
    /// Nothing on the page that a person would have put there.
    pub is_blank: bool,
}

/// What a page is judged by.
pub(super) struct Seen<'a> {
    /// Its marks.
    pub(super) ink: &'a Ink,
    /// A finer plane, to tell a crisp pale stroke from the other side's shine.
    pub(super) middle: &'a Luma,
    /// The feeder's lines, in pixels of that plane.
    pub(super) streaks: &'a Streaks,
}

/// Judges a page by the marks on it. Left out: the outer 5 mm, what touches the picture's edge (scanner borders)
/// unless it is a picture, punch holes, staples, specks, folds, the feeder's streaks, and the pale print of the
/// other side.
pub(super) fn judge(seen: &Seen<'_>) -> Blank {
    // A page strewn with specks has some that grew together. Strokes of pen and print are darker than those.
    let least = if specks(seen.ink).count() > MANY_SPECKS { 110 } else { 0 };
    scored(seen, Found::of(seen, least, 0.0).length_mm)
}

/// Judges a page whose marks lie on lines, as specks never do: pale letters are in pieces there, and each piece is as
/// good as a speck. Of writing enough is whole and crisp; of the other side's, nearly nothing is.
pub(super) fn judge_lined(seen: &Seen<'_>) -> Blank {
    let found = Found::of(seen, 0, noise(seen.middle));
    let is_writing =
        found.marks * MANY_SPECKS >= specks(seen.ink).count() && found.length_mm > found.shining_mm;
    scored(seen, if is_writing { found.length_mm } else { 0.0 })
}

fn scored(seen: &Seen<'_>, writing_mm: f32) -> Blank {
    let length_mm = if writing_mm == 0.0 { light_on_dark(seen) } else { writing_mm };
    let is_blank = length_mm == 0.0;
    let score = if is_blank {
        let area: usize = specks(seen.ink).map(|m| m.area).sum();
        1.0 - (area as f32 / seen.ink.strength.len() as f32 * 50.0).min(0.5)
    } else {
        0.5 / (1.0 + length_mm / 3.0)
    };
    Blank { score, is_blank }
}

/// What is on a page beside dirt.
#[derive(Default)]
struct Found {
    /// Number of marks that a person put there.
    marks: usize,
    /// Their length.
    length_mm: f32,
    /// Length of those of the other side.
    shining_mm: f32,
}

impl Found {
    /// Of marks that are at least so dark, on paper of so much noise.
    fn of(seen: &Seen<'_>, least: u8, noise: f32) -> Found {
        let ink = seen.ink;
        let columns = streak_columns(ink);
        let mut found = Found::default();
        for (mark, picture) in ink.marks.iter().zip(pictures(ink)) {
            let is_dirt = || {
                in_margin(ink, mark)
                    || ink.at_edge(mark)
                    || is_speck(ink, mark)
                    || mark.peak < least
                    || is_hole(ink, mark)
                    || is_staple(ink, mark)
                    || is_fold(ink, mark)
                    || is_streak(seen, mark, &columns)
            };
            let length_mm = mark.long() as f32 / ink.per_mm;
            if !picture && is_dirt() {
                continue;
            }
            if !picture && shines_through(seen, mark, noise) {
                found.shining_mm += length_mm;
            } else {
                found.marks += 1;
                found.length_mm += length_mm;
            }
        }
        found
    }
}

/// Specks on one page from which on two may have met by chance.
const MANY_SPECKS: usize = 300;

/// Whether a page is strewn with specks: looked at more closely they would seem to be writing, unless they lie on lines.
pub(super) fn is_strewn(ink: &Ink) -> bool {
    ink.marks.len() > MANY_SPECKS
}

fn in_margin(ink: &Ink, mark: &Mark) -> bool {
    let reach = (5.0 * ink.per_mm) as usize;
    mark.right < reach
        || mark.bottom < reach
        || mark.left + reach >= ink.width
        || mark.top + reach >= ink.height
}

/// Which marks that touch the edge are pictures and not the scanner's border: they reach well into the page, and
/// are not of one shade there.
fn pictures(ink: &Ink) -> Vec<bool> {
    let reach = (12.0 * ink.per_mm) as usize;
    let inside = |at: usize, length: usize| at >= reach && at + reach < length;
    let mut sums = vec![(0u64, 0u64, 0u64); ink.marks.len()];
    for run in &ink.runs {
        let (mark, y) = (run.mark as usize, run.y as usize);
        if !ink.at_edge(&ink.marks[mark]) || !inside(y, ink.height) {
            continue;
        }
        for x in run.from as usize..run.to as usize {
            if inside(x, ink.width) {
                let level = u64::from(ink.strength[y * ink.width + x]);
                let (count, sum, squares) = sums[mark];
                sums[mark] = (count + 1, sum + level, squares + level * level);
            }
        }
    }
    let least = 100.0 * ink.per_mm * ink.per_mm;
    sums.into_iter()
        .map(|(count, sum, squares)| {
            let n = (count as f32).max(1.0);
            let mean = sum as f32 / n;
            n >= least && squares as f32 / n - mean * mean > 20.0 * 20.0
        })
        .collect()
}

/// How far light shapes reach on a page that is dark nearly everywhere, in millimetres; one light rectangle is paper
/// that lies on a dark lid.
fn light_on_dark(seen: &Seen<'_>) -> f32 {
    let (ink, middle) = (seen.ink, seen.middle);
    if ink.paper >= DARK_PAGE {
        return 0.0;
    }
    let per_mm = ink.per_mm * middle.width as f32 / ink.width.max(1) as f32;
    let reach = (12.0 * per_mm) as usize;
    let (mut count, mut left, mut right, mut top, mut bottom) = (0usize, usize::MAX, 0, usize::MAX, 0);
    for y in reach..middle.height.saturating_sub(reach) {
        for (x, _) in middle.row(y).iter().enumerate().filter(|(_, light)| **light >= LIGHT) {
            if x >= reach && x + reach < middle.width {
                count += 1;
                (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
            }
        }
    }
    if (count as f32) < 100.0 * per_mm * per_mm {
        return 0.0;
    }
    let (wide, tall) = ((right - left + 1) as f32, (bottom - top + 1) as f32);
    if count as f32 > 0.85 * wide * tall { 0.0 } else { wide.max(tall) / per_mm }
}

/// Light of a page that is dark where others are paper.
const DARK_PAGE: u8 = 64;
/// Light of what is seen on it.
const LIGHT: u8 = 128;

fn specks(ink: &Ink) -> impl Iterator<Item = &Mark> {
    ink.marks.iter().filter(|mark| is_speck(ink, mark))
}

/// Smaller than any letter (1.4 mm), or too pale for pen or print.
fn is_speck(ink: &Ink, mark: &Mark) -> bool {
    const PALEST: u8 = 36;
    (mark.long() as f32) < 1.4 * ink.per_mm || mark.area < 4 || mark.peak < PALEST
}

/// Round, full, 4 to 10 mm, within 25 mm of an edge (ISO 838 puts its centre 12 mm in).
fn is_hole(ink: &Ink, mark: &Mark) -> bool {
    let (w, h) = (mark.width() as f32 / ink.per_mm, mark.height() as f32 / ink.per_mm);
    (4.0..=10.0).contains(&w)
        && (4.0..=10.0).contains(&h)
        && (0.7..1.4).contains(&(w / h))
        && mark.fill() > 0.6
        && to_edge(ink, mark) < 25.0
}

/// A thin straight bar of 7 to 15 mm within 20 mm of an edge.
fn is_staple(ink: &Ink, mark: &Mark) -> bool {
    let (w, h) = (mark.width() as f32 / ink.per_mm, mark.height() as f32 / ink.per_mm);
    let length = w.hypot(h);
    // A slanted bar fills little of its box, but no more than its thickness along its length.
    let thickness = mark.area as f32 / ink.per_mm.powi(2) / length;
    (7.0..=15.0).contains(&length) && thickness < 1.3 && length > 8.0 * thickness && to_edge(ink, mark) < 20.0
}

/// Millimetres from a mark to the nearest edge of the picture.
fn to_edge(ink: &Ink, mark: &Mark) -> f32 {
    let pixels = mark.left.min(mark.top).min(ink.width - 1 - mark.right).min(ink.height - 1 - mark.bottom);
    pixels as f32 / ink.per_mm
}

/// A pale thin line over most of the page: a fold, or the ruling of an empty sheet.
fn is_fold(ink: &Ink, mark: &Mark) -> bool {
    let spans = mark.width() * 10 > ink.width * 6 || mark.height() * 10 > ink.height * 6;
    spans && mark.peak < 110 && mark.area as f32 / mark.long() as f32 <= 1.5 * ink.per_mm
}

/// Columns inked over half of the page while the paper 2 mm to either side is clean: dust under the glass of a
/// feeder draws them. Dense text inks its neighbours too.
fn streak_columns(ink: &Ink) -> Vec<bool> {
    let mut counts = vec![0usize; ink.width];
    for run in &ink.runs {
        counts[run.from as usize..run.to as usize].iter_mut().for_each(|c| *c += 1);
    }
    let beside = (2.0 * ink.per_mm).ceil() as usize;
    let clean = |x: Option<usize>| x.and_then(|x| counts.get(x)).is_none_or(|&c| c * 20 < ink.height);
    (0..ink.width)
        .map(|x| counts[x] * 2 > ink.height && clean(x.checked_sub(beside)) && clean(Some(x + beside)))
        .collect()
}

/// A thin mark that lies on a streak, or a long one in a column that is nothing but streak.
fn is_streak(seen: &Seen<'_>, mark: &Mark, columns: &[bool]) -> bool {
    let ink = seen.ink;
    let thin = (1.2 * ink.per_mm).max(2.0);
    let shrunk = (seen.middle.width / ink.width.max(1)).max(1);
    let lies = |streaks: &[usize], from: usize, to: usize| {
        (to - from) as f32 + 1.0 <= thin
            && streaks.iter().any(|&at| (from.saturating_sub(1)..=to + 1).contains(&(at / shrunk)))
    };
    let is_column = mark.width() as f32 <= thin
        && mark.height() >= 4 * mark.width()
        && columns[mark.left..=mark.right].iter().any(|&s| s);
    is_column
        || lies(&seen.streaks.columns, mark.left, mark.right)
        || lies(&seen.streaks.rows, mark.top, mark.bottom)
}

/// Pale, and soft all round: light that came through the paper has no sharp edge, a pencil's line has.
fn shines_through(seen: &Seen<'_>, mark: &Mark, noise: f32) -> bool {
    const PALE: u8 = 90;
    const CRISP: f32 = 0.42;
    if mark.peak >= PALE {
        return false;
    }
    let (ink, middle) = (seen.ink, seen.middle);
    let shrunk = (middle.width / ink.width.max(1)).max(1);
    let (left, right) = (mark.left.saturating_sub(1) * shrunk, ((mark.right + 2) * shrunk).min(middle.width));
    let (top, bottom) =
        (mark.top.saturating_sub(1) * shrunk, ((mark.bottom + 2) * shrunk).min(middle.height));
    let mut levels = [0u32; 256];
    let mut steps = [0u32; 256];
    for y in top..bottom {
        let row = &middle.row(y)[left..right];
        row.iter().for_each(|&s| levels[usize::from(s)] += 1);
        row.windows(2).for_each(|w| steps[usize::from(w[0].abs_diff(w[1]))] += 1);
        if y + 1 < bottom {
            let below = &middle.row(y + 1)[left..right];
            row.iter().zip(below).for_each(|(a, b)| steps[usize::from(a.abs_diff(*b))] += 1);
        }
    }
    let depth = percentile(&levels, 0.9).saturating_sub(percentile(&levels, 0.02));
    let step = f32::from(percentile(&steps, CRISPEST));
    (step * step - noise * noise).max(0.0).sqrt() < CRISP * f32::from(depth)
}

/// Share of the steps between neighbours that are smaller than an edge's.
const CRISPEST: f32 = 0.985;

/// The step that noise alone makes at [`CRISPEST`]: 3.4 times the median, in which even dense text hardly counts.
fn noise(plane: &Luma) -> f32 {
    let mut steps = [0u32; 256];
    for y in (0..plane.height).step_by(8) {
        plane.row(y).windows(2).for_each(|w| steps[usize::from(w[0].abs_diff(w[1]))] += 1);
    }
    3.4 * f32::from(percentile(&steps, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A4 at 50 dpi, paper of 235.
    fn paper() -> Luma {
        Luma::new(413, 585, vec![235; 413 * 585]).unwrap()
    }

    fn put(page: &mut Luma, x: usize, y: usize, w: usize, h: usize, level: u8) {
        for row in y..y + h {
            page.data[row * page.width + x..row * page.width + x + w].fill(level);
        }
    }

    fn is_blank(page: &Luma) -> bool {
        judge(&Seen { ink: &Ink::of(page, 50.0), middle: page, streaks: &Streaks::default() }).is_blank
    }

    #[test]
    fn paper_with_holes_specks_a_streak_and_a_black_border_is_blank() {
        let mut page = paper();
        for (y, shade) in [(200, 30), (360, 30)] {
            for dy in 0..12usize {
                let half = [3, 5, 5, 6, 6, 6, 6, 6, 6, 5, 5, 3][dy];
                put(&mut page, 25 - half, y + dy, 2 * half, 1, shade);
            }
        }
        for i in 0..200 {
            put(&mut page, 30 + (i * 37) % 350, 40 + (i * 53) % 500, 1, 1, 90);
        }
        put(&mut page, 300, 0, 1, 585, 150);
        put(&mut page, 0, 0, 30, 585, 5);
        assert!(is_blank(&page));
    }

    #[test]
    fn light_shapes_on_a_black_page_are_not_blank_and_a_light_sheet_on_a_black_lid_is() {
        let black = || Luma::new(413, 585, vec![0; 413 * 585]).unwrap();
        let mut page = black();
        put(&mut page, 80, 380, 250, 100, 255);
        assert!(is_blank(&page));
        put(&mut page, 130, 180, 90, 120, 255);
        assert!(!is_blank(&page));
        assert!(is_blank(&black()));
    }

    #[test]
    fn a_lone_page_number_is_not_blank() {
        let mut page = paper();
        put(&mut page, 205, 550, 2, 5, 110);
        assert!(!is_blank(&page));
    }

    #[test]
    fn a_dense_page_of_narrow_strokes_is_not_a_page_of_streaks() {
        let mut page = paper();
        for line in 0..50 {
            for x in (40..370).step_by(4) {
                put(&mut page, x, 40 + line * 10, 1, 6, 60);
            }
        }
        assert!(!is_blank(&page));
    }

    #[test]
    fn a_column_of_digits_alone_is_not_a_streak() {
        let mut page = paper();
        for line in 0..40 {
            put(&mut page, 200, 60 + line * 10, 3, 6, 60);
        }
        assert!(!is_blank(&page));
    }

    #[test]
    fn a_pale_print_of_the_other_side_is_blank_and_pencil_is_not() {
        let mut page = paper();
        for line in 0..30 {
            put(&mut page, 60, 60 + line * 15, 280, 4, 205);
        }
        assert!(is_blank(&page));
        put(&mut page, 100, 300, 30, 1, 170);
        assert!(!is_blank(&page));
    }
}
