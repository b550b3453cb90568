//! Is a page blank? Flagged only, never deleted: a lone page number or a note by hand is content.

use crate::scan::ink::{Ink, Mark};
use serde::{Deserialize, Serialize};

/// How empty a page is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Blank {
    /// 1 for spotless paper, towards 0 the more is on it; 0.5 and above is blank.
    pub score: f32,
    /// Nothing on the page that a person would have put there.
    pub is_blank: bool,
}

/// Judges a page by the marks on it. Left out: the outer 4% on each side, what touches the picture's edge
/// (scanner borders), punch holes, specks, streaks of the feeder, and the pale print of the other side.
pub(super) fn judge(ink: &Ink) -> Blank {
    let streaks = streak_columns(ink);
    let mut length_mm = 0.0f32;
    let mut specks = 0usize;
    for mark in &ink.marks {
        if in_margin(ink, mark) || ink.at_edge(mark) || is_hole(ink, mark) || is_streak(ink, mark, &streaks) {
            continue;
        }
        if is_speck(ink, mark) {
            specks += mark.area;
            continue;
        }
        length_mm += mark.width().max(mark.height()) as f32 / ink.per_mm;
    }
    let is_blank = length_mm == 0.0;
    let score = if is_blank {
        1.0 - (specks as f32 / ink.strength.len() as f32 * 50.0).min(0.5)
    } else {
        0.5 / (1.0 + length_mm / 3.0)
    };
    Blank { score, is_blank }
}

fn in_margin(ink: &Ink, mark: &Mark) -> bool {
    let (x, y) = (ink.width / 25, ink.height / 25);
    mark.right < x || mark.bottom < y || mark.left >= ink.width - x || mark.top >= ink.height - y
}

/// Smaller than any letter (1.4 mm), or too pale for pen or print.
fn is_speck(ink: &Ink, mark: &Mark) -> bool {
    const PALEST: u8 = 36;
    let long = mark.width().max(mark.height()) as f32 / ink.per_mm;
    long < 1.4 || mark.area < 4 || mark.peak < PALEST
}

/// Round, full, 4 to 10 mm, within 25 mm of an edge (ISO 838 puts its centre 12 mm in).
fn is_hole(ink: &Ink, mark: &Mark) -> bool {
    let (w, h) = (mark.width() as f32 / ink.per_mm, mark.height() as f32 / ink.per_mm);
    let full = mark.area as f32 / (mark.width() * mark.height()) as f32;
    let near = 25.0 * ink.per_mm;
    let to_edge =
        mark.left.min(mark.top).min(ink.width - 1 - mark.right).min(ink.height - 1 - mark.bottom) as f32;
    (4.0..=10.0).contains(&w)
        && (4.0..=10.0).contains(&h)
        && (0.7..1.4).contains(&(w / h))
        && full > 0.6
        && to_edge < near
}

/// Columns inked over half of the page while the paper 2 mm to either side is clean: dust under the glass of a
/// feeder draws them. Dense text inks its neighbours too.
fn streak_columns(ink: &Ink) -> Vec<bool> {
    let mut counts = vec![0usize; ink.width];
    for row in ink.labels.chunks_exact(ink.width) {
        for (count, &label) in counts.iter_mut().zip(row) {
            *count += usize::from(label != 0);
        }
    }
    let beside = (2.0 * ink.per_mm).ceil() as usize;
    let clean = |x: Option<usize>| x.and_then(|x| counts.get(x)).is_none_or(|&c| c * 20 < ink.height);
    (0..ink.width)
        .map(|x| counts[x] * 2 > ink.height && clean(x.checked_sub(beside)) && clean(Some(x + beside)))
        .collect()
}

/// A thin upright mark that lies in a streak column.
fn is_streak(ink: &Ink, mark: &Mark, columns: &[bool]) -> bool {
    mark.width() as f32 <= (1.2 * ink.per_mm).max(2.0)
        && mark.height() >= 4 * mark.width()
        && columns[mark.left..=mark.right].iter().any(|&s| s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Luma;

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
        judge(&Ink::of(page, 50.0)).is_blank
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
