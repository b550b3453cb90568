//! Pages made by hand, good and bad.

use super::*;
use crate::page::DpiSource;

/// A4 at 200 dpi with lines of strokes, ink and paper given.
fn page(ink: u8, paper: u8) -> Luma {
    let (width, height) = (1654usize, 2339usize);
    let mut page = Luma { width, height, data: vec![paper; width * height] };
    for line in 0..60 {
        for stroke in (180..1450).step_by(9).filter(|x| (x / 9 + line) % 6 != 0) {
            for y in 0..20 {
                let at = (200 + line * 32 + y) * width + stroke;
                page.data[at..at + 3].fill(ink);
            }
        }
    }
    page
}

fn blurred(page: &Luma, reach: usize) -> Luma {
    let mut out = page.clone();
    // Twice along each direction: a triangle, near enough to a lens.
    for turn in [0, 1, 0, 3] {
        let from = out.clone();
        for y in 0..from.height {
            let row = from.row(y);
            for x in reach..from.width - reach {
                let sum: u32 = row[x - reach..=x + reach].iter().map(|&s| u32::from(s)).sum();
                out.data[y * from.width + x] = (sum / (2 * reach as u32 + 1)) as u8;
            }
        }
        out = out.upright(turn, false);
    }
    out
}

fn codes(page: &Luma, dpi: f32, source: DpiSource) -> Vec<String> {
    let quality = judge(page, Dpi { x: dpi, y: dpi, source }, &Profile::default());
    quality.flags.into_iter().map(|f| f.code).collect()
}

#[test]
fn a_good_page_has_no_flag() {
    assert_eq!(codes(&page(30, 235), 200.0, DpiSource::Header), [""; 0]);
    assert_eq!(codes(&page(0, 255), 200.0, DpiSource::Header), [""; 0]);
}

#[test]
fn every_fault_of_a_page_has_its_flag() {
    let header = DpiSource::Header;
    assert_eq!(codes(&page(30, 235), 190.0, header), ["page.dpi_low"]);
    assert_eq!(codes(&page(30, 235), 196.0, header), [""; 0]);
    assert_eq!(codes(&page(30, 235), 200.0, DpiSource::Assumed), ["page.dpi_assumed"]);
    assert_eq!(codes(&page(30, 235), 200.0, DpiSource::Doubted), ["page.dpi_assumed"]);
    assert_eq!(codes(&page(10, 90), 200.0, header)[0], "page.dark");
    assert_eq!(codes(&page(165, 235), 200.0, header), ["page.contrast_low"]);
    assert_eq!(codes(&page(235, 235), 200.0, header), ["page.blank"]);
}

#[test]
fn the_lines_of_a_fax_are_turned_as_far_as_its_paper_was() {
    // 204 x 98 dpi: three degrees on paper are a degree and a half in pixels.
    let dpi = Dpi { x: 204.0, y: 98.0, source: DpiSource::Header };
    let (width, height) = (1687usize, 1146usize);
    let mut page = Luma { width, height, data: vec![235; width * height] };
    let slope = 3.0f32.to_radians().tan() * dpi.y / dpi.x;
    for line in 0..28 {
        for x in (160..1500).filter(|x| (x / 4 * 7 + line * 13) % 11 <= 7) {
            let foot = (130.0 + line as f32 * 32.0 + (x as f32 - 843.0) * slope).round() as usize;
            for y in foot - 6 - (x / 4 * 31 + line * 17) % 6..foot {
                page.data[y * width + x] = 60;
            }
        }
    }
    let seen = |page: &Luma, dpi| judge(page, dpi, &Profile::default());
    let quality = seen(&page, dpi);
    assert!((quality.skew_deg - 3.0).abs() < 0.2, "{quality:?}");
    let side = seen(&page.upright(1, false), Dpi { x: dpi.y, y: dpi.x, ..dpi });
    assert!((side.skew_deg - 3.0).abs() < 0.2, "{side:?}");
}

#[test]
fn blur_is_seen_on_wide_letters() {
    let mut wide = page(235, 235);
    for y in (300..2_000).step_by(60) {
        for x in (200..1_400).step_by(40) {
            for row in y..y + 26 {
                wide.data[row * 1654 + x..row * 1654 + x + 14].fill(20);
            }
        }
    }
    assert!(!codes(&wide, 200.0, DpiSource::Header).contains(&"page.blur".to_owned()));
    assert!(codes(&blurred(&wide, 4), 200.0, DpiSource::Header).contains(&"page.blur".to_owned()));
}

#[test]
fn a_column_of_letters_at_the_edge_is_a_cut_edge() {
    let mut cut = page(30, 235);
    for line in 0..20 {
        for y in 0..20 {
            let at = (300 + line * 60 + y) * 1654;
            cut.data[at..at + 14].fill(30);
        }
    }
    assert_eq!(codes(&cut, 200.0, DpiSource::Header), ["page.cut_edge"]);
}

/// A4 at 200 dpi with some lines of letters, so many levels darker than its paper: strokes of which one in three
/// reaches up, and one in eleven down where `down` says so.
fn letters(lines: usize, ink: u8, down: bool) -> Luma {
    let (width, height) = (1654usize, 2339usize);
    let mut page = Luma { width, height, data: vec![235; width * height] };
    let mut state = 7u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below as usize
    };
    for line in 0..lines {
        let (mut x, foot) = (150 + random(20), 200 + line * 60);
        while x < 1_480 {
            let tall = 14 + if random(3) == 0 { 10 } else { 0 };
            let deep = if down && random(11) == 0 { 8 } else { 0 };
            for y in foot - tall..foot + deep {
                page.data[y * width + x..y * width + x + 3].fill(235 - ink);
            }
            for y in [foot - 14, foot - 3] {
                page.data[y * width + x..(y + 3) * width].chunks_mut(width).for_each(|row| {
                    row[..9].fill(235 - ink);
                });
            }
            x += 11 + random(3) + if random(6) == 0 { 12 } else { 0 };
        }
    }
    page
}

#[test]
fn more_pale_text_never_makes_a_page_emptier() {
    for ink in [40, 45, 55, 70] {
        for lines in [2, 5, 15, 34] {
            let codes = codes(&letters(lines, ink, true), 200.0, DpiSource::Header);
            assert!(!codes.contains(&"page.blank".to_owned()), "{ink} {lines}: {codes:?}");
        }
    }
}

#[test]
fn what_shines_through_and_specks_without_number_are_blank() {
    let header = DpiSource::Header;
    for ink in [40, 50, 60] {
        let codes = codes(&blurred(&letters(34, ink, true), 4), 200.0, header);
        assert!(codes.contains(&"page.blank".to_owned()), "{ink}: {codes:?}");
    }
    let mut strewn = page(235, 235);
    let mut state = 5u32;
    for _ in 0..3_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = (state >> 8) as usize % (2_330 * 1_654);
        for y in 0..4 {
            strewn.data[at + y * 1_654..at + y * 1_654 + 4].fill(150);
        }
    }
    assert_eq!(codes(&strewn, 200.0, header), ["page.blank"]);
}

#[test]
fn a_page_on_its_side_is_flagged_where_foot_and_head_are_unsure() {
    let plain = letters(34, 180, false);
    let dpi = Dpi { x: 200.0, y: 200.0, source: DpiSource::Header };
    for turned in 0..4 {
        let page = plain.clone().upright(turned, false);
        let quality = judge(&page, dpi, &Profile { orientation_confidence: 1.01, ..Profile::default() });
        let codes: Vec<&str> = quality.flags.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes.contains(&"page.sideways"), turned % 2 == 1, "{turned}: {:?}", quality.orientation);
        let is_worded = quality.flags.iter().all(|f| f.en.contains("probably"));
        assert!(is_worded, "{turned}: {:?}", quality.flags);
    }
}
