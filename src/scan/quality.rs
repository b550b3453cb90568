//! Is a page good enough to stand for its paper? Measures and flags; a person decides.

mod flags;
mod tone;

pub use crate::scan::fingerprint::{Fingerprint, Repeats};
pub use crate::scan::orientation::Orientation;
pub use flags::Flag;

use crate::page::Dpi;
use crate::scan::blank::{self, Blank};
use crate::scan::ink::Ink;
use crate::scan::pyramid::Pyramid;
use crate::scan::{Luma, orientation, skew, streak};
use serde::{Deserialize, Serialize};
use tone::Tone;

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
    /// Least confidence at which a page is called upside down, and told which way to turn where it lies on its side.
    pub orientation_confidence: f32,
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
            orientation_confidence: 0.5,
            min_sharpness: 0.45,
            min_contrast: 0.35,
            min_paper: 110.0,
        }
    }
}

/// What was measured on one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Degrees that the content is shown turned, clockwise positive; on a page that lies on its side, from the nearest
    /// quarter turn.
    pub skew_deg: f32,
    /// 0 to 1; below 0.3 the page has too few lines to tell.
    pub skew_confidence: f32,
    /// Which way up it lies.
    #[serde(default)]
    pub orientation: Orientation,
    /// How empty it is.
    pub blank: Blank,
    /// Share of the whole step from paper to ink that an edge takes within 1/100 inch: 1 is sharp. 1 where
    /// nothing on the page could show it.
    pub sharpness: f32,
    /// Step from paper to ink over the full range, 0 to 1; 1 where nothing on the page could show it.
    pub contrast: f32,
    /// Light of the paper, 0 to 255.
    #[serde(default)]
    pub paper: u8,
    /// To know the page again; none where there is hardly anything on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// What a person should look at, worst first.
    pub flags: Vec<Flag>,
}

/// Measures an upright page and compares it with a profile. `dpi` is that of the upright plane.
pub fn judge(luma: &Luma, dpi: Dpi, profile: &Profile) -> Quality {
    judge_shown(luma, dpi, 0.0, profile)
}

/// As [`judge`], of a page that is shown turned clockwise by `tilt` degrees: so its skew is told.
pub fn judge_shown(luma: &Luma, dpi: Dpi, tilt: f32, profile: &Profile) -> Quality {
    let scale = dpi.x.min(dpi.y).max(1.0);
    let pyramid = Pyramid::of(luma, scale);
    let (middle, middle_dpi) = pyramid.middle(luma, scale);
    let (small, small_dpi) = pyramid.small(luma, scale);
    let ink = Ink::of(small, small_dpi);
    let streaks = streak::find(middle, middle_dpi);
    let mut blank = blank::judge(&blank::Seen { ink: &ink, middle, streaks: &streaks });
    let edges = skew::Edges::of(&ink);
    let lines = edges.lines();
    if blank.is_blank && middle.width > small.width {
        // A hard pencil's line is lost in the small plane. Few pages are empty, so a closer look costs little.
        let again = blank_closely(luma, (middle, middle_dpi), &streaks, &ink, &lines);
        blank = again.filter(|again| !again.is_blank).unwrap_or(blank);
    }
    let skew = lines.skew();
    let closer = || (luma.width > small.width).then(|| closely(luma, scale));
    let orientation = orientation::judge(&ink, &edges, &lines, closer);
    let tone = Tone::of(luma, scale, &ink);
    let straight = if skew.confidence >= profile.skew_confidence { skew.degrees } else { 0.0 };
    let fingerprint = if blank.is_blank { None } else { Fingerprint::of(small, &ink, straight) };
    let mut quality = Quality {
        skew_deg: round(on_paper(skew.degrees, lines.are_down(), dpi) + tilt, 100.0),
        skew_confidence: round(skew.confidence, 100.0),
        orientation: Orientation { confidence: round(orientation.confidence, 100.0), ..orientation },
        blank: Blank { score: round(blank.score, 1000.0), ..blank },
        sharpness: round(tone.sharpness, 1000.0),
        contrast: round(tone.contrast, 1000.0),
        paper: ink.paper,
        fingerprint,
        flags: Vec::new(),
    };
    quality.flags = flags::all(&quality, &flags::Seen { ink: &ink, tone, streaks: &streaks, dpi }, profile);
    quality
}

/// Whether a page is blank by the marks of its middle plane; none where they would say nothing.
fn blank_closely(
    luma: &Luma,
    (middle, dpi): (&Luma, f32),
    streaks: &streak::Streaks,
    ink: &Ink,
    lines: &skew::Lines,
) -> Option<Blank> {
    let finer = Ink::of(middle, dpi);
    let enlarged = streaks.enlarged((luma.width / middle.width.max(1)).max(1));
    let seen = blank::Seen { ink: &finer, middle: luma, streaks: &enlarged };
    let is_strewn = blank::is_strewn(ink) || blank::is_strewn(&finer);
    if is_strewn && (lines.are_sure() || skew::Edges::of_any(&finer).lines().are_sure()) {
        // Noise makes soft marks crisp in the finest plane, and small marks are crisp in the coarser one.
        let coarser = blank::judge_lined(&blank::Seen { ink: &finer, middle, streaks });
        return if coarser.is_blank { None } else { Some(blank::judge_lined(&seen)) };
    }
    (!blank::is_strewn(ink)).then(|| blank::judge(&seen))
}

/// Degrees on paper of lines measured in pixels, which are not square in a fax.
fn on_paper(degrees: f32, down: bool, dpi: Dpi) -> f32 {
    let ratio = if down { dpi.y / dpi.x } else { dpi.x / dpi.y };
    if !(0.1..=10.0).contains(&ratio) {
        return degrees;
    }
    (degrees.to_radians().tan() * ratio).atan().to_degrees()
}

/// The edges of a page at 160 dpi or more, where it has as many.
fn closely(page: &Luma, dpi: f32) -> skew::Edges {
    if dpi >= 320.0 || page.data.len() > 16 << 20 {
        return closely(&page.half(), dpi / 2.0);
    }
    skew::Edges::of(&Ink::of(page, dpi))
}

fn round(value: f32, steps: f32) -> f32 {
    // + 0.0 turns a negative zero into the plain one that people expect to read.
    (value * steps).round() / steps + 0.0
}

#[cfg(test)]
mod tests;
