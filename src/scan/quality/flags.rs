//! What a person should look at, in words: each flag has a stable code, two sentences and the figure behind it.

use super::{Orientation, Profile, Quality};
use crate::page::{Dpi, DpiSource};
use crate::scan::ink::Ink;
use crate::scan::quality::tone::Tone;
use crate::scan::source::Foreign;
use crate::scan::streak::Streaks;
use serde::{Deserialize, Serialize};

/// One thing to look at.
///
/// | code | figure |
/// |---|---|
/// | `page.blank` | score, 0.5 to 1: nothing on it that a person would have put there |
/// | `page.dpi_low` | dots per inch, below the profile |
/// | `page.dpi_assumed` | dots per inch, assumed from A4: the file does not say, or what cannot be true |
/// | `page.dark` | light of the paper, 0 to 255 |
/// | `page.bright` | light of the ink, 0 to 255: washed out |
/// | `page.blur` | sharpness, 0 to 1 |
/// | `page.contrast_low` | contrast, 0 to 1 |
/// | `page.sideways` | quarter turns clockwise that would show it upright, or probably would: 1 or 3 |
/// | `page.upside_down` | the same: 2 |
/// | `page.skew` | degrees that the content is turned, clockwise positive |
/// | `page.cut_edge` | letters that touch the edge where most do |
/// | `page.streak` | lines that the feeder drew |
/// | `page.repeated` | number of the page that it seems to show again |
/// | `page.first_of_several` | 1: the photograph has others behind it, as large, which are not taken |
/// | `page.codes_capped` | barcodes read: the search ended early, there may be more |
/// | `page.foreign` | 0: kept as it is and not analysed |
/// | `file.signed` | 1: carries a signature and is never written anew |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Stable name, one of the table above.
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

    /// The flag of a photograph whose file holds more than one.
    pub fn first_of_several() -> Self {
        Flag::new(
            "page.first_of_several",
            "Tệp chụp chứa nhiều ảnh, chỉ lấy ảnh đầu: nếu ảnh sau là trang khác, gửi riêng trang đó",
            "the file holds several photographs and only the first is taken: send another page by itself",
            1.0,
        )
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

    /// The flag of a page on which the search for barcodes ended before all that looks like one was tried.
    pub fn codes_capped(read: usize) -> Self {
        Flag::new(
            "page.codes_capped",
            format!(
                "Đọc được {read} mã vạch rồi dừng vì trang có quá nhiều chỗ giống mã: có thể còn mã chưa đọc"
            ),
            format!(
                "{read} barcodes read before the search ended: too much looks like one, there may be more"
            ),
            read as f32,
        )
    }

    /// The flag of a page that seems to have been scanned before: what that page is called, and its place in the batch
    /// (counted from 1).
    pub fn repeated(first: &str, place: usize) -> Self {
        Flag::new(
            "page.repeated",
            format!("Trang này có vẻ trùng với trang {first}: kiểm tra xem có bị quét hai lần không"),
            format!("this page seems to be page {first} again: was it scanned twice?"),
            place as f32,
        )
    }
}

/// What the flags are raised on, beside the measures that are kept.
pub(super) struct Seen<'a> {
    pub(super) ink: &'a Ink,
    pub(super) tone: Tone,
    pub(super) streaks: &'a Streaks,
    pub(super) dpi: Dpi,
}

/// All flags of a page, in the order in which a clerk should see them.
pub(super) fn all(quality: &Quality, seen: &Seen<'_>, profile: &Profile) -> Vec<Flag> {
    let mut flags = Vec::new();
    resolution(seen.dpi, profile, &mut flags);
    if quality.blank.is_blank {
        flags.push(Flag::new("page.blank", "Trang có vẻ trắng", "the page seems blank", quality.blank.score));
    }
    tone(quality, seen, profile, &mut flags);
    turned(quality, profile, &mut flags);
    let cut = cut_marks(seen.ink);
    if cut >= MIN_CUT {
        flags.push(Flag::new(
            "page.cut_edge",
            "Chữ có thể bị cắt ở mép trang",
            "text may be cut at an edge",
            cut as f32,
        ));
    }
    let streaks = seen.streaks.columns.len() + seen.streaks.rows.len();
    if streaks > 0 {
        flags.push(Flag::new(
            "page.streak",
            "Có vệt sọc chạy suốt trang: lau kính bộ nạp giấy",
            "a line runs through the whole page: clean the glass of the feeder",
            streaks as f32,
        ));
    }
    flags
}

fn resolution(dpi: Dpi, profile: &Profile, flags: &mut Vec<Flag>) {
    let least = dpi.x.min(dpi.y);
    if least < profile.min_dpi * profile.dpi_tolerance {
        flags.push(Flag::new(
            "page.dpi_low",
            format!("Độ phân giải {least:.0} dpi, dưới mức {:.0} dpi: quét lại ở 300 dpi", profile.min_dpi),
            format!("{least:.0} dpi, below {:.0}: scan again at 300 dpi", profile.min_dpi),
            least,
        ));
    }
    let (vi, en) = match dpi.source {
        DpiSource::Header | DpiSource::Placement => return,
        DpiSource::Assumed => (
            format!(
                "Tệp không ghi độ phân giải; tạm tính {least:.0} dpi theo khổ A4: bật ghi DPI ở máy quét"
            ),
            format!("no resolution in the file; {least:.0} dpi assumed from A4: let the scanner write it"),
        ),
        DpiSource::Doubted => (
            format!("Độ phân giải ghi trong tệp không hợp lý; tạm tính {least:.0} dpi theo khổ A4"),
            format!("the resolution in the file cannot be true; {least:.0} dpi assumed from A4"),
        ),
    };
    flags.push(Flag::new("page.dpi_assumed", vi, en, least));
}

fn tone(quality: &Quality, seen: &Seen<'_>, profile: &Profile, flags: &mut Vec<Flag>) {
    let paper = f32::from(quality.paper);
    if paper < profile.min_paper {
        flags.push(Flag::new(
            "page.dark",
            "Trang quá tối",
            format!("the paper is dark ({paper} of 255)"),
            paper,
        ));
    }
    if quality.blank.is_blank || seen.tone.tiles < MIN_TILES {
        return;
    }
    if quality.sharpness < profile.min_sharpness {
        flags.push(Flag::new("page.blur", "Chữ bị nhoè", "the text is blurred", quality.sharpness));
    }
    if quality.contrast < profile.min_contrast {
        flags.push(Flag::new(
            "page.contrast_low",
            "Chữ mờ, độ tương phản thấp",
            "low contrast between paper and ink",
            quality.contrast,
        ));
    } else if seen.tone.ink_level > 130.0 && quality.paper >= 250 {
        flags.push(Flag::new(
            "page.bright",
            "Trang bị cháy sáng, nét chữ nhạt",
            "overexposed: the ink is washed out",
            seen.tone.ink_level,
        ));
    }
}

fn turned(quality: &Quality, profile: &Profile, flags: &mut Vec<Flag>) {
    let Orientation { turns, confidence } = quality.orientation;
    let is_sure = confidence >= profile.orientation_confidence;
    let turn = match (turns, is_sure) {
        (1, true) => Some((
            "Trang nằm ngang: xoay 90° theo chiều kim đồng hồ",
            "the page lies on its side: turn it by 90 degrees clockwise",
        )),
        (3, true) => Some((
            "Trang nằm ngang: xoay 90° ngược chiều kim đồng hồ",
            "the page lies on its side: turn it by 90 degrees counterclockwise",
        )),
        (1, false) => Some((
            "Trang nằm ngang: xoay 90°, có lẽ theo chiều kim đồng hồ",
            "the page lies on its side: turn it by 90 degrees, probably clockwise",
        )),
        (3, false) => Some((
            "Trang nằm ngang: xoay 90°, có lẽ ngược chiều kim đồng hồ",
            "the page lies on its side: turn it by 90 degrees, probably counterclockwise",
        )),
        (2, true) => {
            Some(("Trang bị ngược đầu: xoay 180°", "the page is upside down: turn it by 180 degrees"))
        }
        _ => None,
    };
    if let Some((vi, en)) = turn {
        let code = if turns == 2 { "page.upside_down" } else { "page.sideways" };
        flags.push(Flag::new(code, vi, en, f32::from(turns)));
    }
    if quality.skew_confidence >= profile.skew_confidence && quality.skew_deg.abs() > profile.max_skew_deg {
        let degrees = quality.skew_deg;
        let side = if degrees > 0.0 { "phải" } else { "trái" };
        flags.push(Flag::new(
            "page.skew",
            format!("Trang nghiêng {:.1}° về bên {side}", degrees.abs()),
            format!("turned by {degrees:.1} degrees (clockwise positive)"),
            degrees,
        ));
    }
}

/// Letters that touch the picture's edge: the most on any one side.
fn cut_marks(ink: &Ink) -> usize {
    let letter = |n: usize| (1.2..=9.0).contains(&(n as f32 / ink.per_mm));
    let mut sides = [0usize; 4];
    for mark in ink.marks.iter().filter(|m| letter(m.long()) && m.peak > 80 && m.area >= 4) {
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
