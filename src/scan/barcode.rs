//! Barcodes on a page: where they are, what they say.
//!
//! A page is first searched by our own localisation on the grey plane ([`locate`], [`finder`]); only the small
//! regions it proposes are handed to decoders, one format at a time. Small pictures (photographs, crops, cards) are
//! searched whole. Work is counted in pixels, not in seconds, so that a page gives the same codes on every machine.

pub mod corner;
mod effort;
pub mod finder;
mod light;
pub mod linear;
pub mod locate;
pub mod matrix;
pub mod patch;
pub mod pattern;
pub mod read;
pub mod segments;

use crate::scan::luma::Luma;
pub(crate) use effort::Effort;
use effort::Vain;
use patch::Patch;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The formats that are looked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Format {
    /// QR Code, ISO/IEC 18004.
    QRCode,
    /// Code 128, ISO/IEC 15417.
    Code128,
    /// Code 39, ISO/IEC 16388.
    Code39,
    /// PDF417, ISO/IEC 15438.
    PDF417,
    /// Data Matrix ECC 200, ISO/IEC 16022.
    DataMatrix,
}

impl Format {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Format; 5] =
        [Format::QRCode, Format::Code128, Format::Code39, Format::PDF417, Format::DataMatrix];

    /// True for codes of bars, false for codes of dots.
    pub fn is_linear(self) -> bool {
        matches!(self, Format::Code128 | Format::Code39)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One code on one page. Two codes of equal text at two places are two barcodes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Barcode {
    /// Its symbology.
    pub format: Format,
    /// What it says, in the character set that the code names; where it names none, UTF-8 where the bytes are UTF-8,
    /// else ISO 8859-1. Field separators of GS1 (FNC1) are GS, U+001D.
    pub text: String,
    /// The bytes as encoded, before any character set was guessed; of a PDF417 or Data Matrix that names one, its text
    /// as UTF-8.
    pub bytes: Vec<u8>,
    /// Its corners in pixels of the page, clockwise from the corner that is top left when the code is upright.
    pub corners: [[f32; 2]; 4],
    /// The width of its narrowest element in pixels of the page; 0 where the decoder does not tell.
    pub module_px: f32,
    /// The stage of the search that found it.
    pub found_by: Stage,
}

/// Shows no text: a card's code is personal data.
impl fmt::Debug for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barcode")
            .field("format", &self.format)
            .field("bytes", &self.bytes.len())
            .field("corners", &self.corners)
            .field("module_px", &self.module_px)
            .finish_non_exhaustive()
    }
}

/// What proposes the places that are handed to decoders. Each can be left out, to learn what it finds and costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Three finder patterns of a QR code, from run lengths.
    Finders,
    /// Cells of 2 mm that are half dark and full of edges.
    Cells,
    /// The solid corner of a Data Matrix.
    Corners,
    /// Every pixel was given to every decoder.
    Whole,
}

impl Stage {
    /// All of them, in the order in which they run.
    pub const ALL: [Stage; 4] = [Stage::Finders, Stage::Cells, Stage::Corners, Stage::Whole];
}

/// How a page was searched; part of the record, since a region that nobody proposed was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Searched {
    /// Only the regions that look like codes.
    Localised,
    /// Every pixel was given to every decoder.
    WholeImage,
}

/// What to look for, and how hard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Formats to look for.
    pub formats: Vec<Format>,
    /// Pictures below this many pixels are searched whole.
    pub whole_below_px: usize,
    /// Also search a large page whole, whatever its regions gave: for cover sheets and sides of cards, where a code
    /// is expected. Costs a third of a second, and as much again for every code that only this finds.
    pub thorough: bool,
    /// Stages that run.
    pub stages: Vec<Stage>,
    /// At most this many regions of a page are handed to decoders in vain, the most promising first. Those that
    /// hold a code do not count, so that a page full of codes is read whole and a hard page stays cheap.
    pub max_regions: usize,
    /// At most this many pixels are handed to decoders in vain for one page, all attempts together.
    pub max_effort_px: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            formats: Format::ALL.to_vec(),
            whole_below_px: 2_000_000,
            thorough: false,
            stages: Stage::ALL.to_vec(),
            max_regions: 24,
            max_effort_px: 8_000_000,
        }
    }
}

impl Policy {
    /// True where a format is looked for by a stage.
    fn wants(&self, format: Format, stage: Stage) -> bool {
        self.formats.contains(&format) && self.stages.contains(&stage)
    }
}

/// The codes of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageCodes {
    /// Every code, from the top of the page to its bottom.
    pub codes: Vec<Barcode>,
    /// How the page was searched.
    pub searched: Searched,
    /// The search ended before all that looked like a code had been tried: there may be more than these.
    #[serde(default)]
    pub capped: bool,
}

/// Finds every code on a page. `dpi` sets the size of what is looked for (cells of 2 mm); without it the page is
/// taken to be A4. Never fails: a page without a readable code has none.
pub fn read_page(luma: &Luma, dpi: Option<f32>, policy: &Policy) -> PageCodes {
    let pixels = luma.width.saturating_mul(luma.height);
    let small = pixels < policy.whole_below_px;
    let mut searched = Searched::Localised;
    let mut codes = Vec::new();
    if pixels == 0 || luma.data.len() != pixels || pixels > MOST_PIXELS {
        return PageCodes { codes, searched, capped: pixels > MOST_PIXELS };
    }
    let mut effort = Effort::of(policy);
    let mut seen = Seen::default();
    for map in locate::survey(luma, dpi) {
        let of_map = localised(luma, &map, policy, small, &mut effort, &mut codes);
        seen = Seen { filled: seen.filled || of_map.filled, crowded: seen.crowded || of_map.crowded };
    }
    let unasked = if small { !is_noise(luma) } else { seen.filled && codes.is_empty() };
    if (policy.thorough || unasked) && policy.stages.contains(&Stage::Whole) {
        let without_qr = seen.crowded && !policy.thorough;
        let formats: Vec<Format> = Format::ALL
            .into_iter()
            .filter(|f| policy.formats.contains(f) && !(without_qr && *f == Format::QRCode))
            .collect();
        if !without_qr && pixels <= read::MOST_PIXELS {
            searched = Searched::WholeImage;
        }
        if policy.thorough || small {
            // What the regions were too many for is looked at now.
            effort.capped &= searched == Searched::Localised;
            whole(&Patch::whole(luma), &formats, policy.thorough, &mut effort, &mut codes);
        } else {
            // One code fills the picture: what is that large in it is read better at a smaller size.
            let large = luma.data.len() > FILLED_PX;
            let mut patch = if large { Patch::half_of(luma) } else { Patch::whole(luma) };
            while patch.data.len() > FILLED_PX {
                patch = patch.halved();
            }
            whole(&patch, &formats, false, &mut effort, &mut codes);
        }
    }
    let top_left = |code: &Barcode| {
        let [x, y] = centre(&code.corners);
        (y as i64, x as i64)
    };
    codes.sort_by_key(top_left);
    PageCodes { codes, searched, capped: effort.capped }
}

/// What a first look at a page says of a second.
#[derive(Default)]
struct Seen {
    /// One region is most of the picture.
    filled: bool,
    /// There are more finder patterns than codes have.
    crowded: bool,
}

/// A picture of some size that goes up and down everywhere, as no picture of codes does.
fn is_noise(luma: &Luma) -> bool {
    let rows = luma.data.chunks_exact(luma.width).step_by(16);
    let swings: usize = rows.clone().map(|row| linear::swings(row.iter().map(|p| f32::from(*p)), 32.0)).sum();
    luma.data.len() > NOISE_PX && swings * 5 > rows.len() * luma.width
}

/// The regions of a page that look like codes.
fn localised(
    luma: &Luma,
    map: &locate::Survey,
    policy: &Policy,
    small: bool,
    effort: &mut Effort,
    codes: &mut Vec<Barcode>,
) -> Seen {
    let mut patterns = Vec::new();
    if policy.wants(Format::QRCode, Stage::Finders) {
        let step = if small { 2 } else { map.cell * 5 / 8 };
        patterns = pattern::patterns(luma, map.threshold, step);
        read_triples(luma, &patterns, effort, codes);
    }
    let known = |codes: &[Barcode], region: &locate::Region| {
        let centre = [(region.x0 + region.x1) as f32 / 2.0, (region.y0 + region.y1) as f32 / 2.0];
        codes.iter().any(|code| inside(&code.corners, centre))
    };
    let mut vain = Vain::of(policy);
    if policy.stages.contains(&Stage::Cells) {
        let likely = |r: &&locate::Region| {
            !r.is_low() && (r.kind == locate::Kind::Matrix || linear::crosses_bars(luma, r))
        };
        for region in map.regions.iter().filter(likely) {
            if known(codes, region) {
                continue;
            }
            if !vain.allows(region) {
                if region.loose {
                    continue;
                }
                effort.cap();
                break;
            }
            let (mark, had) = (effort.mark(), codes.len());
            let pixels = region.pixels(luma);
            // What is too large for every decoder is not even copied.
            let in_vain = pixels > matrix::MOST_PIXELS
                && (region.kind == locate::Kind::Matrix || pixels > linear::MOST_PIXELS);
            if in_vain {
                effort.cap();
            }
            if in_vain || !effort.spend(pixels) {
                vain.count(region);
                continue;
            }
            let mut cut = Patch::cut(luma, region.x0, region.y0, region.x1, region.y1);
            cut.stretch();
            // Codes that touch make one region; what is known of it is no reason to give up on others.
            let mut holds_known = false;
            for code in codes.iter().filter(|code| region.holds(centre(&code.corners))) {
                cut.whiten(&code.corners);
                holds_known = true;
            }
            let mut found = Vec::new();
            if region.kind == locate::Kind::Linear {
                found = linear::read(&cut, region, &policy.formats, effort);
            }
            // A small picture goes to these decoders whole, after this.
            if found.is_empty() && !small && !region.loose {
                let soft = cut.blurred();
                let before = codes.len();
                if policy.wants(Format::QRCode, Stage::Finders) && region.may_hold_qr() {
                    let more = pattern::patterns_in(&cut, &soft);
                    read_triples(luma, &more, effort, codes);
                    patterns.extend(more);
                }
                if codes.len() == before {
                    let inside = patterns.iter().filter(|p| region.holds(p.at));
                    let finders = pattern::are_three_alike(inside.map(|p| p.unit).collect());
                    found = matrix::read(cut, soft, region, finders, policy, effort);
                }
            }
            for code in found {
                add(codes, code, effort);
            }
            let held_none = codes.len() == had && !holds_known;
            if held_none {
                vain.count(region);
            }
            if !held_none || region.loose {
                effort.refund(mark);
            }
        }
    }
    if policy.wants(Format::DataMatrix, Stage::Corners) {
        let mut low: Vec<&locate::Region> =
            map.regions.iter().filter(|r| r.is_low() && r.dark >= LEAST_DARK && !known(codes, r)).collect();
        low.sort_by(|a, b| b.dark.total_cmp(&a.dark));
        // A page of bold words is no page whose search was cut short.
        for region in low {
            if !vain.allows(region) {
                continue;
            }
            let mark = effort.mark();
            match matrix::read_small(luma, region, effort) {
                Some(code) => {
                    effort.refund(mark);
                    add(codes, code, effort);
                }
                None => vain.count(region),
            }
        }
    }
    Seen {
        filled: map.regions.iter().any(|r| (r.x1 - r.x0) * (r.y1 - r.y0) * 2 > luma.width * luma.height),
        crowded: patterns.len() >= CROWDED,
    }
}

/// Reads the QR codes that some finder patterns propose.
fn read_triples(luma: &Luma, patterns: &[pattern::Pattern], effort: &mut Effort, codes: &mut Vec<Barcode>) {
    let (mut failed, mut strange) = (0, 0);
    for triple in finder::triples(patterns) {
        if codes.iter().any(|code| triple.places().into_iter().any(|at| inside(&code.corners, at))) {
            continue;
        }
        if failed == MOST_FAILED || strange == MOST_STRANGE.max(2 * patterns.len()) {
            effort.cap();
            return;
        }
        match finder::read(luma, &triple) {
            finder::Reading::Code(code) => {
                add(codes, *code, effort);
            }
            finder::Reading::Illegible => failed += 1,
            finder::Reading::Strange => strange += 1,
        }
    }
}

/// Every decoder on the whole picture; what is found is painted over and the picture is read again, so that equal
/// codes are all found. A thorough search tries the costly ways, too, after those that found something.
fn whole(picture: &Patch, formats: &[Format], thorough: bool, effort: &mut Effort, codes: &mut Vec<Barcode>) {
    if picture.data.len() > read::MOST_PIXELS {
        effort.cap();
        return;
    }
    let mut patch = picture.clone();
    for code in codes.iter() {
        patch.whiten(&code.corners);
    }
    let mut formats = formats.to_vec();
    for _ in 0..MOST_IN_WHOLE {
        let quick = !thorough && !codes.is_empty();
        let Some(code) = read::whole(&patch, &formats, quick) else { return };
        patch.whiten(&code.corners);
        let format = code.format;
        if !add(codes, Barcode { found_by: Stage::Whole, ..code }, effort) {
            // The paint did not cover it; it must not stand before the others for ever.
            formats.retain(|f| *f != format);
        }
    }
    effort.cap();
}

/// Adds a code unless the same one is already known at that place; tells whether it did.
fn add(codes: &mut Vec<Barcode>, code: Barcode, effort: &mut Effort) -> bool {
    let middle = centre(&code.corners);
    let known = |old: &Barcode| {
        old.format == code.format
            && (inside(&old.corners, middle) || inside(&code.corners, centre(&old.corners)))
    };
    if codes.iter().any(known) {
        return false;
    }
    if codes.len() == MOST_CODES {
        effort.cap();
        return false;
    }
    codes.push(code);
    true
}

fn centre(corners: &[[f32; 2]; 4]) -> [f32; 2] {
    let sum = corners.iter().fold([0.0, 0.0], |s, c| [s[0] + c[0], s[1] + c[1]]);
    [sum[0] / 4.0, sum[1] / 4.0]
}

/// True where a point lies in the convex quadrilateral.
fn inside(corners: &[[f32; 2]; 4], [x, y]: [f32; 2]) -> bool {
    let side = |i: usize| {
        let (a, b) = (corners[i], corners[(i + 1) % 4]);
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
    };
    let sides = [side(0), side(1), side(2), side(3)];
    sides.iter().all(|s| *s >= 0.0) || sides.iter().all(|s| *s <= 0.0)
}

/// A Data Matrix is at least this dark: its solid sides see to it. Print mostly is not.
const LEAST_DARK: f32 = 0.32;
/// Larger planes are not searched; scanning refuses them long before.
const MOST_PIXELS: usize = 200_000_000;
/// Smaller pictures may be one code to their rims.
const NOISE_PX: usize = 500_000;
/// Pixels to which a picture is made smaller that one code seems to fill.
const FILLED_PX: usize = 500_000;
/// More codes than this on one page are malice.
const MOST_CODES: usize = 512;
/// Codes looked for in a picture that is searched whole.
const MOST_IN_WHOLE: usize = 16;
/// Finder patterns from which on a picture is not given whole to the decoder of QR codes, which would lose itself.
const CROWDED: usize = 48;
/// Threes of finder patterns that may look like a code and not be read.
const MOST_FAILED: usize = 16;
/// Threes that may turn out to be of different codes, at least; among many patterns twice as many as those.
const MOST_STRANGE: usize = 16;

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests;
