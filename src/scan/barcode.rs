//! Barcodes on a page: where they are, what they say.
//!
//! A page is first searched by our own localisation on the grey plane ([`locate`], [`finder`]); only the small
//! regions it proposes are handed to decoders, one format at a time. Small pictures (photographs, crops, cards) are
//! searched whole. Work is counted in pixels, not in seconds, so that a page gives the same codes on every machine.

pub mod corner;
pub mod finder;
pub mod linear;
pub mod locate;
pub mod matrix;
pub mod patch;
pub mod read;

use crate::scan::luma::Luma;
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
    /// What it says; bytes are read as UTF-8 where they are UTF-8.
    pub text: String,
    /// The bytes as encoded, before any character set was guessed.
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
    /// Also search a large page whole when its regions gave no code: for cover sheets and sides of cards, where a
    /// code is expected. Costs about a hundred milliseconds.
    pub thorough: bool,
    /// Stages that run.
    pub stages: Vec<Stage>,
    /// At most this many regions of a page are handed to decoders, the most promising first.
    pub max_regions: usize,
    /// At most this many pixels are handed to decoders for one page, all attempts together.
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
}

/// Finds every code on a page. `dpi` sets the size of what is looked for (cells of 2 mm); without it the page is
/// taken to be A4. Never fails: a page without a readable code has none.
pub fn read_page(luma: &Luma, dpi: Option<f32>, policy: &Policy) -> PageCodes {
    let pixels = luma.width.saturating_mul(luma.height);
    let small = pixels < policy.whole_below_px;
    let mut searched = Searched::Localised;
    let mut codes = Vec::new();
    if pixels == 0 || luma.data.len() != pixels || pixels > MOST_PIXELS {
        return PageCodes { codes, searched };
    }
    let mut effort = Effort { left: policy.max_effort_px };
    let filled = localised(luma, dpi, policy, small, &mut effort, &mut codes);
    let asked = small || (codes.is_empty() && (policy.thorough || filled));
    if asked && policy.stages.contains(&Stage::Whole) {
        searched = Searched::WholeImage;
        if policy.thorough || small {
            whole(&Patch::whole(luma), policy, &mut codes);
        } else {
            // One code fills the picture: what is that large in it is read better at a smaller size.
            let mut patch = Patch::whole(luma);
            while patch.data.len() > FILLED_PX {
                patch = patch.halved();
            }
            whole(&patch, policy, &mut codes);
        }
    }
    let top_left = |code: &Barcode| {
        let [x, y] = centre(&code.corners);
        (y as i64, x as i64)
    };
    codes.sort_by_key(top_left);
    PageCodes { codes, searched }
}

/// What a page may still cost.
pub(crate) struct Effort {
    left: usize,
}

impl Effort {
    /// Takes so many pixels from the budget, unless they are not there any more.
    pub(crate) fn spend(&mut self, pixels: usize) -> bool {
        match self.left.checked_sub(pixels) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// The regions of a page that look like codes. Tells whether one of them is most of the picture.
fn localised(
    luma: &Luma,
    dpi: Option<f32>,
    policy: &Policy,
    small: bool,
    effort: &mut Effort,
    codes: &mut Vec<Barcode>,
) -> bool {
    let map = locate::survey(luma, dpi);
    let mut patterns = Vec::new();
    if policy.wants(Format::QRCode, Stage::Finders) {
        let step = if small { 2 } else { map.cell * 5 / 8 };
        patterns = finder::patterns(luma, map.threshold, step);
        read_triples(luma, &patterns, codes);
    }
    let known = |codes: &[Barcode], region: &locate::Region| {
        let centre = [(region.x0 + region.x1) as f32 / 2.0, (region.y0 + region.y1) as f32 / 2.0];
        codes.iter().any(|code| inside(&code.corners, centre))
    };
    if policy.stages.contains(&Stage::Cells) {
        for region in map.regions.iter().filter(|r| !r.is_low()).take(policy.max_regions) {
            if known(codes, region) {
                continue;
            }
            let mut found = Vec::new();
            if region.kind == locate::Kind::Linear {
                found = linear::read(luma, region, &policy.formats, effort);
            }
            // A small picture goes to these decoders whole, after this.
            if found.is_empty() && !small {
                let before = codes.len();
                if policy.wants(Format::QRCode, Stage::Finders) && region.may_hold_qr() {
                    let mut cut = Patch::cut(luma, region.x0, region.y0, region.x1, region.y1);
                    if effort.spend(cut.data.len()) {
                        cut.stretch();
                        let more = finder::patterns_in(&cut);
                        read_triples(luma, &more, codes);
                        patterns.extend(more);
                    }
                }
                if codes.len() == before {
                    let finders = patterns.iter().filter(|p| region.holds(p.at)).count();
                    found = matrix::read(luma, region, finders, policy, effort);
                }
            }
            found.into_iter().for_each(|code| add(codes, code));
        }
    }
    if policy.wants(Format::DataMatrix, Stage::Corners) {
        let mut low: Vec<&locate::Region> = map.regions.iter().filter(|r| r.is_low() && !known(codes, r)).collect();
        low.sort_by(|a, b| b.dark.total_cmp(&a.dark));
        for region in low.into_iter().take(2 * policy.max_regions) {
            matrix::read_small(luma, region, effort).into_iter().for_each(|code| add(codes, code));
        }
    }
    map.regions.iter().any(|r| (r.x1 - r.x0) * (r.y1 - r.y0) * 2 > luma.width * luma.height)
}

/// Reads the QR codes that some finder patterns propose.
fn read_triples(luma: &Luma, patterns: &[finder::Pattern], codes: &mut Vec<Barcode>) {
    for triple in finder::triples(patterns) {
        if codes.iter().all(|code| !inside(&code.corners, triple.centre()))
            && let Some(code) = finder::read(luma, &triple)
        {
            add(codes, code);
        }
    }
}

/// Every decoder on the whole picture; what is found is painted over and the picture is read again, so that equal
/// codes are all found.
fn whole(picture: &Patch, policy: &Policy, codes: &mut Vec<Barcode>) {
    let mut patch = picture.clone();
    for code in codes.iter() {
        patch.whiten(&code.corners);
    }
    for &format in Format::ALL.iter().filter(|f| policy.formats.contains(f)) {
        for _ in 0..MOST_EQUAL {
            let Some(code) = read::whole(&patch, format, !codes.is_empty()) else { break };
            patch.whiten(&code.corners);
            add(codes, Barcode { found_by: Stage::Whole, ..code });
        }
    }
}

/// Adds a code unless the same one is already known at that place.
fn add(codes: &mut Vec<Barcode>, code: Barcode) {
    let middle = centre(&code.corners);
    let known = |old: &Barcode| {
        old.format == code.format
            && (inside(&old.corners, middle) || inside(&code.corners, centre(&old.corners)))
    };
    if codes.len() < MOST_CODES && !codes.iter().any(known) {
        codes.push(code);
    }
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

/// Larger planes are not searched; scanning refuses them long before.
const MOST_PIXELS: usize = 200_000_000;
/// Pixels to which a picture is made smaller that one code seems to fill.
const FILLED_PX: usize = 500_000;
/// More codes than this on one page are noise or malice.
const MOST_CODES: usize = 64;
/// Equal codes looked for in a picture that is searched whole, per format.
const MOST_EQUAL: usize = 8;

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::sample::{CARD, Place, Sheet};
    use super::*;
    use qrcode::EcLevel;
    use std::path::PathBuf;

    fn texts(page: &PageCodes) -> Vec<(Format, &str)> {
        page.codes.iter().map(|code| (code.format, code.text.as_str())).collect()
    }

    #[test]
    fn a_card_code_of_two_pixels_a_module_is_read_at_any_turn() {
        let mut missed = Vec::new();
        let (mut tried, mut seed) = (0, 0);
        for module in [1.8, 2.0, 2.2, 2.6] {
            for ec in [EcLevel::L, EcLevel::M] {
                for degrees in [0.0, 90.0, 3.0, -3.0, 7.0, 180.0, 271.2, 45.0] {
                    seed += 1;
                    let mut sheet = Sheet::a4(200, seed);
                    let centre = [500.3 + (seed % 7) as f32 * 41.37, 700.7 + (seed % 5) as f32 * 133.21];
                    sheet.code(Format::QRCode, CARD, ec, Place { centre, module, degrees });
                    let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
                    tried += 1;
                    match &page.codes[..] {
                        [code] if code.text == CARD => {
                            assert_eq!(code.bytes, CARD.as_bytes());
                            assert!((code.module_px - module).abs() < 0.15, "{} {module}", code.module_px);
                            let [x, y] = super::centre(&code.corners);
                            assert!((x - centre[0]).abs() < 3.0 && (y - centre[1]).abs() < 3.0);
                        }
                        [] => missed.push((module, ec, degrees)),
                        other => panic!("wrong codes: {other:?}"),
                    }
                }
            }
        }
        eprintln!("card codes: {} of {tried}, missed {missed:?}", tried - missed.len());
        assert!(missed.len() * 20 <= tried, "{missed:?}");
    }

    #[test]
    fn bars_and_dots_are_read_on_one_page_at_200_dpi() {
        for (seed, degrees) in [(1, 0.0), (2, 2.0), (3, -5.0), (4, 90.0), (5, 180.0)] {
            let mut sheet = Sheet::a4(200, seed);
            let wanted = [
                (Format::Code128, "H49.12.5-250914-0042", [600.0, 420.0], 2.6),
                (Format::QRCode, "hoso:1;d=H49.12.5-250914-0042", [300.0, 800.0], 3.0),
                (Format::Code39, "HOSO-SEP-5", [900.0, 1300.0], 2.6),
            ];
            for (format, text, centre, module) in wanted {
                sheet.code(format, text, EcLevel::M, Place { centre, module, degrees });
            }
            let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
            let mut found = texts(&page);
            let mut wanted = wanted.map(|w| (w.0, w.1));
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "at {degrees} degrees: {:?}", page.codes);
        }
    }

    #[test]
    fn equal_codes_on_one_page_are_all_found_from_top_to_bottom() {
        let mut sheet = Sheet::a4(200, 9);
        for y in [500.0, 900.0] {
            sheet.code(
                Format::QRCode,
                CARD,
                EcLevel::M,
                Place { centre: [700.0, y], module: 2.2, degrees: 1.0 },
            );
        }
        for y in [1300.0, 1900.0] {
            let place = Place { centre: [800.0, y], module: 2.4, degrees: 0.0 };
            sheet.code(Format::Code128, "PATCHT", EcLevel::M, place);
        }
        let page = read_page(&sheet.scanned(), None, &Policy::default());
        let found = texts(&page);
        let (qr, bars) = ((Format::QRCode, CARD), (Format::Code128, "PATCHT"));
        assert_eq!(found, [qr, qr, bars, bars]);
        assert_eq!(page.searched, Searched::Localised);
        assert!(!format!("{page:?}").contains("001090123456"));
    }

    #[test]
    fn a_small_picture_is_searched_whole_and_says_so() {
        let mut sheet = Sheet::new(700, 450, 3);
        sheet.code(
            Format::QRCode,
            CARD,
            EcLevel::L,
            Place { centre: [500.0, 200.0], module: 2.4, degrees: 4.0 },
        );
        let page = read_page(&sheet.scanned(), None, &Policy::default());
        assert_eq!((texts(&page), page.searched), (vec![(Format::QRCode, CARD)], Searched::WholeImage));
    }

    #[test]
    fn a_page_of_text_has_no_code_and_few_low_regions() {
        let luma = Sheet::a4(200, 21).scanned();
        let regions = locate::survey(&luma, Some(200.0)).regions;
        assert!(regions.iter().all(locate::Region::is_low) && regions.len() < 40, "{regions:?}");
        let started = ran();
        assert!(read_page(&luma, Some(200.0), &Policy::default()).codes.is_empty());
        eprintln!("no-code page at 200 dpi: {:.1} ms", ran() - started);
    }

    #[test]
    fn odd_planes_have_no_code_and_no_panic() {
        for (width, height, data) in [
            (0, 0, Vec::new()),
            (1, 1, vec![0]),
            (3, 5, vec![9; 15]),
            (40, 1, vec![0; 40]),
            (1, 3000, vec![255; 3000]),
            (10, 10, vec![0; 99]),
            (usize::MAX, 2, Vec::new()),
        ] {
            assert!(read_page(&Luma { width, height, data }, None, &Policy::default()).codes.is_empty());
        }
        let mut sheet = Sheet::new(1700, 1300, 5);
        for at in 0..sheet.luma.data.len() {
            sheet.luma.data[at] = if sheet.random().is_multiple_of(2) { 0 } else { 255 };
        }
        let started = ran();
        assert!(read_page(&sheet.luma, Some(f32::NAN), &Policy::default()).codes.is_empty());
        eprintln!("noise of 2.2 megapixels: {:.0} ms", ran() - started);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        #[test]
        fn any_small_picture_is_survived(width in 1usize..90, data in proptest::collection::vec(0u8.., 1..4000)) {
            let height = data.len() / width;
            let luma = Luma { width, height, data: data[..width * height].to_vec() };
            read_page(&luma, None, &Policy::default());
        }
    }

    /// Milliseconds this thread has run, where the system tells; waiting for a core does not count.
    fn ran() -> f64 {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanos = stat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        nanos.unwrap_or_default() / 1e6
    }

    fn shared(folder: &str) -> Option<PathBuf> {
        let base = std::env::var_os("HOSO_SHARED_DATA").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
            PathBuf::from,
        );
        let path = base.join(folder);
        if !path.is_dir() {
            eprintln!("skipped: no shared data beside the checkout");
            return None;
        }
        Some(path)
    }

    /// Pictures of a folder with the text beside each, if any.
    fn pictures(folder: &str) -> Vec<(PathBuf, Luma, Option<String>)> {
        let Some(path) = shared(folder) else { return Vec::new() };
        let mut names: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let open = |name: PathBuf| {
            let image = image::open(&name).ok()?.into_luma8();
            let (width, height) = (image.width() as usize, image.height() as usize);
            let text = std::fs::read(name.with_extension("txt")).ok();
            let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Some((name, Luma { width, height, data: image.into_raw() }, text))
        };
        names.into_iter().filter_map(open).collect()
    }

    #[test]
    fn photographs_that_nobody_here_took_give_the_right_text_or_none() {
        for (folder, least) in [
            ("qrcode-3", 42),
            ("code128-1", 7),
            ("code39-1", 4),
            ("pdf417-1", 12),
            ("datamatrix-1", 21),
            ("falsepositives-2", 0),
        ] {
            let (mut hits, mut all, mut slowest, started) = (0, 0, 0f64, ran());
            for (name, luma, text) in pictures(&format!("barcodes/{folder}")) {
                let start = ran();
                let page = read_page(&luma, None, &Policy::default());
                slowest = slowest.max(ran() - start);
                all += 1;
                let raw = std::fs::read(name.with_extension("bin")).ok();
                for code in &page.codes {
                    let right = Some(&code.text) == text.as_ref() || Some(&code.bytes) == raw.as_ref();
                    assert!(right, "{name:?}: {:?} instead of {text:?}", code.text);
                }
                hits += usize::from(!page.codes.is_empty());
            }
            eprintln!("{folder}: {hits} of {all}, {:.0} ms, slowest {slowest:.0} ms", ran() - started);
            assert!(all == 0 || hits >= least, "{folder}: {hits}");
        }
    }

    #[test]
    fn real_scans_hold_none_of_these_codes() {
        for (name, luma, _) in pictures("scans") {
            let start = ran();
            let page = read_page(&luma, None, &Policy::default());
            let took = ran() - start;
            let regions = locate::survey(&luma, None).regions.len();
            eprintln!("{name:?} {}x{} {regions} regions {took:.0} ms", luma.width, luma.height);
            assert!(page.codes.is_empty(), "{name:?}: {:?}", texts(&page));
        }
    }
}
