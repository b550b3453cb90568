//! Is a page good enough to stand for its paper? Measures and flags; a person decides.

use crate::page::{Dpi, DpiSource};
use crate::scan::blank::{self, Blank};
use crate::scan::ink::{Ink, percentile};
use crate::scan::source::Foreign;
use crate::scan::{Luma, skew};
use serde::{Deserialize, Serialize};

/// The legal and practical floor of a page (TT 01/2019 and Decree 30/2020: at least 200 dpi).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Least resolution.
    pub min_dpi: f32,
    /// Share of [`Profile::min_dpi`] from which on it still passes: scanners round.
    pub dpi_tolerance: f32,
    /// Most degrees that lines may be turned.
    pub max_skew_deg: f32,
    /// Least confidence at which a skew is flagged.
    pub skew_confidence: f32,
    /// Least sharpness.
    pub min_sharpness: f32,
    /// Least contrast between paper and ink.
    pub min_contrast: f32,
    /// Least light of the paper, 0 to 255.
    pub min_paper: f32,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            min_dpi: 200.0,
            dpi_tolerance: 0.975,
            max_skew_deg: 3.0,
            skew_confidence: 0.3,
            min_sharpness: 0.45,
            min_contrast: 0.35,
            min_paper: 110.0,
        }
    }
}

/// What was measured on one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Degrees that the content is turned, clockwise positive.
    pub skew_deg: f32,
    /// 0 to 1; below 0.3 the page has too few lines to tell.
    pub skew_confidence: f32,
    /// How empty it is.
    pub blank: Blank,
    /// Share of the whole step from paper to ink that an edge takes within 1/100 inch: 1 is sharp. 1 where
    /// nothing on the page could show it.
    pub sharpness: f32,
    /// Step from paper to ink over the full range, 0 to 1; 1 where nothing on the page could show it.
    pub contrast: f32,
    /// What a person should look at, worst first.
    pub flags: Vec<Flag>,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Stable name: `page.dpi_low`, `page.dpi_assumed`, `page.blank`, `page.skew`, `page.blur`,
    /// `page.contrast_low`, `page.dark`, `page.bright`, `page.cut_edge`, `page.foreign`, `file.signed`.
    pub code: String,
    /// For a clerk.
    pub vi: String,
    /// The same, English.
    pub en: String,
    /// The figure behind it, in the unit of the code.
    pub value: f32,
}

impl Flag {
    fn new(code: &str, vi: impl Into<String>, en: impl Into<String>, value: f32) -> Self {
        Flag { code: code.to_owned(), vi: vi.into(), en: en.into(), value }
    }

    /// The flag of a page that is kept as it is and not analysed.
    pub fn foreign(why: Foreign) -> Self {
        Flag::new("page.foreign", format!("Không phân tích: {}", why.vi()), why.en(), 0.0)
    }

    /// The flag of a file that must not be written anew.
    pub fn signed() -> Self {
        Flag::new(
            "file.signed",
            "Tệp đã ký số, phải giữ nguyên",
            "the file is signed and stays as it is",
            1.0,
        )
    }
}

/// Measures an upright page and compares it with a profile. `dpi` is that of the upright plane.
pub fn judge(luma: &Luma, dpi: Dpi, profile: &Profile) -> Quality {
    let scale = dpi.x.min(dpi.y).max(1.0);
    let (small, small_dpi) = reduced(luma, scale);
    let ink = Ink::of(small.as_ref().unwrap_or(luma), small_dpi);
    let blank = blank::judge(&ink);
    let skew = skew::measure(&ink);
    let tone = Tone::of(luma, scale);
    let mut quality = Quality {
        skew_deg: round(skew.degrees, 100.0),
        skew_confidence: round(skew.confidence, 100.0),
        blank: Blank { score: round(blank.score, 1000.0), ..blank },
        sharpness: round(tone.sharpness, 1000.0),
        contrast: round(tone.contrast, 1000.0),
        flags: Vec::new(),
    };
    quality.flags = flags(&quality, &ink, &tone, dpi, profile);
    quality
}

fn flags(quality: &Quality, ink: &Ink, tone: &Tone, dpi: Dpi, profile: &Profile) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut flag =
        |code: &str, vi: String, en: String, value: f32| flags.push(Flag::new(code, vi, en, value));
    let least = dpi.x.min(dpi.y);
    if least < profile.min_dpi * profile.dpi_tolerance {
        flag(
            "page.dpi_low",
            format!("Độ phân giải {least:.0} dpi, dưới mức {:.0} dpi: quét lại ở 300 dpi", profile.min_dpi),
            format!("{least:.0} dpi, below {:.0}: scan again at 300 dpi", profile.min_dpi),
            least,
        );
    }
    if dpi.source == DpiSource::Assumed {
        flag(
            "page.dpi_assumed",
            format!(
                "Tệp không ghi độ phân giải; tạm tính {least:.0} dpi theo khổ A4: bật ghi DPI ở máy quét"
            ),
            format!("no resolution in the file; {least:.0} dpi assumed from A4: let the scanner write it"),
            least,
        );
    }
    if quality.blank.is_blank {
        let score = quality.blank.score;
        flag("page.blank", "Trang có vẻ trắng".into(), "the page seems blank".into(), score);
    }
    if ink.paper < profile.min_paper as u8 {
        flag(
            "page.dark",
            "Trang quá tối".into(),
            format!("the paper is dark ({} of 255)", ink.paper),
            f32::from(ink.paper),
        );
    }
    if !quality.blank.is_blank && tone.tiles >= MIN_TILES {
        if quality.sharpness < profile.min_sharpness {
            flag("page.blur", "Chữ bị nhoè".into(), "the text is blurred".into(), quality.sharpness);
        }
        if quality.contrast < profile.min_contrast {
            flag(
                "page.contrast_low",
                "Chữ mờ, độ tương phản thấp".into(),
                "low contrast between paper and ink".into(),
                quality.contrast,
            );
        } else if tone.ink_level > 130.0 && ink.paper >= 250 {
            flag(
                "page.bright",
                "Trang bị cháy sáng, nét chữ nhạt".into(),
                "overexposed: the ink is washed out".into(),
                tone.ink_level,
            );
        }
    }
    if quality.skew_confidence >= profile.skew_confidence && quality.skew_deg.abs() > profile.max_skew_deg {
        let degrees = quality.skew_deg;
        let side = if degrees > 0.0 { "phải" } else { "trái" };
        flag(
            "page.skew",
            format!("Trang nghiêng {:.1}° về bên {side}", degrees.abs()),
            format!("turned by {degrees:.1} degrees (clockwise positive)"),
            degrees,
        );
    }
    let cut = cut_marks(ink);
    if cut >= MIN_CUT {
        flag(
            "page.cut_edge",
            "Chữ có thể bị cắt ở mép trang".into(),
            "text may be cut at an edge".into(),
            cut as f32,
        );
    }
    flags
}

/// Letters that touch the picture's edge: the most on any one side.
fn cut_marks(ink: &Ink) -> usize {
    let letter = |n: usize| (1.2..=9.0).contains(&(n as f32 / ink.per_mm));
    let mut sides = [0usize; 4];
    for mark in ink.marks.iter().filter(|m| letter(m.width().max(m.height())) && m.peak > 80 && m.area >= 4) {
        sides[0] += usize::from(mark.left == 0);
        sides[1] += usize::from(mark.right + 1 == ink.width);
        sides[2] += usize::from(mark.top == 0);
        sides[3] += usize::from(mark.bottom + 1 == ink.height);
    }
    sides.into_iter().max().unwrap_or(0)
}

/// A handful of letters may touch by chance or be dirt; a line or a column of them does not.
const MIN_CUT: usize = 6;
/// Squares with text on them below which sharpness and contrast say nothing.
const MIN_TILES: usize = 3;
/// Squares looked at, spread over the page.
const MAX_TILES: usize = 1_200;

/// Halved until it has less than 100 dpi; `None` where it has already.
fn reduced(luma: &Luma, dpi: f32) -> (Option<Luma>, f32) {
    let mut small: Option<Luma> = None;
    let mut dpi = dpi;
    while dpi >= 100.0 && small.as_ref().unwrap_or(luma).width >= 64 {
        small = Some(small.as_ref().unwrap_or(luma).half());
        dpi /= 2.0;
    }
    (small, dpi)
}

/// Light and edges in the squares that have text on them, at full resolution.
struct Tone {
    sharpness: f32,
    contrast: f32,
    ink_level: f32,
    tiles: usize,
}

impl Tone {
    fn of(luma: &Luma, dpi: f32) -> Tone {
        // 1/100 inch between the two samples of an edge, so that the figure does not depend on resolution.
        let reach = ((dpi / 200.0).round() as usize).clamp(1, 8);
        let side = 32 * reach;
        let (across, down) = (luma.width / side, luma.height / side);
        let every = (across * down).div_ceil(MAX_TILES).max(1);
        let mut sharp = Vec::new();
        let mut steps = Vec::new();
        let mut inks = Vec::new();
        for tile in (0..across * down).step_by(every) {
            let (left, top) = (tile % across * side, tile / across * side);
            let mut counts = [0u32; 256];
            for y in top..top + side {
                luma.row(y)[left..left + side].iter().for_each(|&s| counts[usize::from(s)] += 1);
            }
            let (low, high) = (percentile(&counts, 0.01), percentile(&counts, 0.9));
            let step = i32::from(high) - i32::from(low);
            let dark: u32 = counts[..usize::from(low.saturating_add((step / 2) as u8))].iter().sum();
            let share = dark as f32 / (side * side) as f32;
            if step < 30 || !(0.005..0.5).contains(&share) {
                continue;
            }
            let mut edges = [0u32; 256];
            for y in (top + reach..top + side - reach).step_by(reach) {
                let (above, row, below) = (luma.row(y - reach), luma.row(y), luma.row(y + reach));
                for x in left + reach..left + side - reach {
                    let dx = row[x + reach].abs_diff(row[x - reach]);
                    let dy = below[x].abs_diff(above[x]);
                    edges[usize::from(dx.max(dy))] += 1;
                }
            }
            // The steepest few places of the square, the single steepest one left to noise.
            let steepest = f32::from(percentile(&edges, 0.99));
            sharp.push((steepest / step as f32).min(1.0));
            steps.push(step as f32 / 255.0);
            inks.push(f32::from(low));
        }
        let tiles = sharp.len();
        Tone {
            sharpness: upper(&mut sharp).unwrap_or(1.0),
            contrast: upper(&mut steps).unwrap_or(1.0),
            ink_level: upper(&mut inks).unwrap_or(0.0),
            tiles,
        }
    }
}

/// The median.
fn upper(values: &mut [f32]) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

fn round(value: f32, steps: f32) -> f32 {
    // + 0.0 turns a negative zero into the plain one that people expect to read.
    (value * steps).round() / steps + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(codes(&page(10, 90), 200.0, header)[0], "page.dark");
        assert_eq!(codes(&page(165, 235), 200.0, header), ["page.contrast_low"]);
        assert_eq!(codes(&page(235, 235), 200.0, header), ["page.blank"]);
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
}
