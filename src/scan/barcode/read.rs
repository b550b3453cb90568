//! One decoder on one picture: the decoder library behind caps and a guard against its panics.

use super::patch::Patch;
use super::{Barcode, Format, Stage, linear, matrix, segments};
use rxing::common::reedsolomon::{PredefinedGenericGF, ReedSolomonDecoder};
use rxing::common::{BitMatrix, DetectorRXingResult, HybridBinarizer};
use rxing::datamatrix::DataMatrixReader;
use rxing::datamatrix::decoder::Decoder as DataMatrixDecoder;
use rxing::oned::{Code39Reader, Code128Reader, OneDReader};
use rxing::pdf417::PDF417Reader;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::qrcode::decoder::{BitMatrixParser, DataBlock};
use rxing::qrcode::detector::Detector;
use rxing::{
    BinaryBitmap, DecodeHints, Luma8LuminanceSource, RXingResult, RXingResultMetadataType,
    RXingResultMetadataValue, Reader,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A patch as the library sees it: made black and white once, whatever number of formats is looked for.
pub(crate) struct Picture<'a> {
    patch: &'a Patch,
    bitmap: Bitmap,
}

type Bitmap = BinaryBitmap<HybridBinarizer<Luma8LuminanceSource>>;

impl<'a> Picture<'a> {
    /// Nothing where a patch is too small or too large for the library.
    pub(crate) fn of(patch: &'a Patch) -> Option<Self> {
        if patch.width < 8 || patch.height < 1 || patch.data.len() > MOST_PIXELS {
            return None;
        }
        let (width, height) = (u32::try_from(patch.width).ok()?, u32::try_from(patch.height).ok()?);
        let source = Luma8LuminanceSource::new(patch.data.clone(), width, height).ok()?;
        Some(Picture { patch, bitmap: BinaryBitmap::new(HybridBinarizer::new(source)) })
    }

    /// The picture as the library sees it, black and white.
    fn two_tones(&self) -> Patch {
        let black = self.bitmap.get_black_matrix();
        let width = self.patch.width;
        let mut tones = self.patch.clone();
        tones.data.fill(255);
        for (y, row) in tones.data.chunks_exact_mut(width.max(1)).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                if black.get(x as u32, y as u32) {
                    *pixel = 0;
                }
            }
        }
        tones
    }

    /// One format, as the picture is.
    pub(crate) fn decode(&mut self, format: Format, hard: bool) -> Option<Barcode> {
        guarded(|| match format {
            Format::QRCode => self.qr(),
            Format::Code128 | Format::Code39 => self.bars(format),
            Format::PDF417 => self.generic(format, &hints(hard), &mut PDF417Reader),
            Format::DataMatrix => self.generic(format, &hints(hard), &mut DataMatrixReader),
        })
    }

    /// A code of bars anywhere in a picture, its bars upright.
    fn bars(&mut self, format: Format) -> Option<Barcode> {
        let patch = self.patch;
        // Every row of a small picture, some thirty of a larger one: its bars were sought in regions before.
        let hard = patch.data.len() < MOST_DOUBLED;
        let result = match format {
            Format::Code128 => {
                let hints = DecodeHints { AssumeGs1: Some(true), ..hints(hard) };
                Code128Reader._do_decode(&mut self.bitmap, &hints)
            }
            _ => Code39Reader::default()._do_decode(&mut self.bitmap, &hints(hard)),
        }
        .ok()?;
        let text = linear::text(format, &result)?;
        let [a, b, ..] = result.getPoints() else { return None };
        let backwards = result.getRXingResultMetadata().contains_key(&RXingResultMetadataType::ORIENTATION);
        let last = patch.width as f32 - 1.0;
        // The library halves the place where a Code 39 ends, before it turns the row around.
        let end = match (format, backwards) {
            (Format::Code39, false) => b.x * 2.0,
            (Format::Code39, true) => last - (last - b.x) * 2.0,
            _ => b.x,
        };
        let (x0, x1) = (a.x.min(end).clamp(0.0, last), a.x.max(end).clamp(0.0, last));
        let (y0, y1) = linear::extent(patch, x0 as usize, x1 as usize, a.y as usize);
        let height = (y1 - y0) as f32;
        if format == Format::Code39 && !(text.len() >= 3 && height >= 8.0 && height > 0.03 * (x1 - x0)) {
            return None;
        }
        Some(linear::barcode(patch, format, text, [x0, y0 as f32, x1, y1 as f32], backwards))
    }

    /// QR by the library's two detectors on one black and white picture.
    fn qr(&self) -> Option<Barcode> {
        let patch = self.patch;
        let code = |text, bytes, corners, module_px| Barcode {
            format: Format::QRCode,
            text,
            bytes,
            corners,
            module_px,
            found_by: Stage::Whole,
        };
        let black = self.bitmap.get_black_matrix();
        if let Ok(detected) = Detector::new(black).detect_with_hints(&hints(true))
            && let Some((text, bytes)) = qr_bits(detected.getBits())
            && let [bottom_left, top_left, top_right, ..] = detected.getPoints()
        {
            let size = detected.getBits().getWidth() as f32;
            let (tl, tr, bl) =
                ([top_left.x, top_left.y], [top_right.x, top_right.y], [bottom_left.x, bottom_left.y]);
            let at = |u: f32, v: f32| {
                let axis = |i: usize| tl[i] + u * (tr[i] - tl[i]) + v * (bl[i] - tl[i]);
                patch.to_page([axis(0), axis(1)])
            };
            let (low, high) = (-3.5 / (size - 7.0), (size - 3.5) / (size - 7.0));
            let corners = [at(low, low), at(high, low), at(high, high), at(low, high)];
            let module_px = (tr[0] - tl[0]).hypot(tr[1] - tl[1]) / (size - 7.0) * patch.scale();
            return Some(code(text, bytes, corners, module_px));
        }
        let mut finders = FindFinderPatterns(black, true, 0);
        if finders.len() > 200 {
            return None;
        }
        for set in GenerateFinderPatternSets(&mut finders).into_iter().take(12) {
            let Ok(sampled) = SampleQR(black, &set) else { continue };
            if let Some((text, bytes)) = qr_bits(sampled.getBits())
                && let [a, b, c, d, ..] = sampled.getPoints()
            {
                let corners = [a, b, c, d].map(|p| patch.to_page([p.x, p.y]));
                let side = (b.x - a.x).hypot(b.y - a.y) * patch.scale();
                let module_px = side / sampled.getBits().getWidth() as f32;
                return Some(code(text, bytes, corners, module_px));
            }
        }
        None
    }

    fn generic(&mut self, format: Format, hints: &DecodeHints, reader: &mut impl Reader) -> Option<Barcode> {
        let result = reader.decode_with_hints(&mut self.bitmap, hints).ok()?;
        let patch = self.patch;
        let text = result.getText().to_owned();
        if text.is_empty() {
            return None;
        }
        let (text, bytes) = match byte_segments(&result).filter(|s| covers(s, &text)) {
            Some(bytes) => (text, bytes),
            None => unguessed(text),
        };
        let corners = corners(format, &result, patch).map(|c| patch.to_page(c));
        Some(Barcode { format, text, bytes, corners, module_px: 0.0, found_by: Stage::Whole })
    }
}

/// The first code of some formats in a whole picture, with the retries that pay there. `quick` leaves them out.
pub(crate) fn whole(patch: &Patch, formats: &[Format], quick: bool) -> Option<Barcode> {
    let mut picture = Picture::of(patch)?;
    // The library looks for a PDF417 four ways round; its guards are seen at a tenth of that.
    let tones = formats.contains(&Format::PDF417).then(|| picture.two_tones());
    let guarded = tones.as_ref().is_some_and(matrix::has_guard);
    let dots: Vec<Format> = formats.iter().copied().filter(|f| !f.is_linear()).collect();
    let formats: Vec<Format> = formats.iter().copied().filter(|f| *f != Format::PDF417 || guarded).collect();
    if let Some(code) = formats.iter().find_map(|f| picture.decode(*f, true)) {
        return Some(code);
    }
    if formats.len() > dots.len() {
        let quarter = patch.quarter();
        let mut picture = Picture::of(&quarter)?;
        if let Some(code) = formats.iter().filter(|f| f.is_linear()).find_map(|f| picture.decode(*f, true)) {
            return Some(code);
        }
    }
    if quick {
        return None;
    }
    let angle = patch.directions().gradient;
    let turned_guard = |tones: &Patch| matrix::has_guard(&tones.turned_roughly(angle));
    if angle.abs() > 0.01 && tones.as_ref().is_some_and(turned_guard) {
        let turned = patch.turned(angle);
        let code = Picture::of(&turned).and_then(|mut picture| picture.decode(Format::PDF417, false));
        if code.is_some() {
            return code;
        }
    }
    let again = |patch: &Patch, hard: bool| {
        let mut picture = Picture::of(patch)?;
        dots.iter().filter(|f| **f != Format::PDF417).find_map(|f| picture.decode(*f, hard))
    };
    if let Some(code) = again(&patch.inverted(), false) {
        return Some(code);
    }
    if patch.data.len() > MOST_DOUBLED {
        return None;
    }
    again(&patch.doubled(), true).or_else(|| again(&patch.blurred(), false))
}

/// The text and bytes of a sampled QR grid, or of its mirror image.
pub(crate) fn qr_bits(bits: &BitMatrix) -> Option<(String, Vec<u8>)> {
    let said = |is_mirrored| segments::read(&qr_codewords(bits, is_mirrored)?, bits.getWidth() as usize);
    guarded(|| said(false).or_else(|| said(true)))
}

/// The data codewords of a QR grid, corrected. The library is asked no further: it fails at the text of many symbols
/// with an FNC1.
fn qr_codewords(bits: &BitMatrix, is_mirrored: bool) -> Option<Vec<u8>> {
    let mut parser = BitMatrixParser::new(bits.clone()).ok()?;
    if is_mirrored {
        parser.mirror();
    }
    let version = parser.readVersion().ok()?;
    let level = parser.readFormatInformation().ok()?.getErrorCorrectionLevel();
    let blocks = DataBlock::getDataBlocks(&parser.readCodewords().ok()?, version, level).ok()?;
    let reed_solomon = ReedSolomonDecoder::new(PredefinedGenericGF::QrCodeField256.into());
    let mut data = Vec::new();
    for block in &blocks {
        let mut codewords = block.getCodewords().to_vec();
        let held = block.getNumDataCodewords() as usize;
        let checks = i32::try_from(codewords.len().checked_sub(held)?).ok()?;
        reed_solomon.decode(&mut codewords, checks).ok()?;
        codewords.truncate(held);
        data.append(&mut codewords);
    }
    Some(data)
}

/// The text and bytes of a sampled Data Matrix grid.
pub(crate) fn data_matrix_bits(bits: &BitMatrix) -> Option<(String, Vec<u8>)> {
    guarded(|| {
        let decoded = DataMatrixDecoder::new().decode(bits).ok()?;
        let text = decoded.getText().to_owned();
        let segments = decoded.getByteSegments().concat();
        match covers(&segments, &text) {
            _ if text.is_empty() => None,
            true => Some((text, segments)),
            false => Some(unguessed(text)),
        }
    })
}

/// True where byte segments hold the whole text, one character or one byte at a time.
fn covers(segments: &[u8], text: &str) -> bool {
    segments == text.as_bytes() || (!segments.is_empty() && segments.len() == text.chars().count())
}

/// Where the library shows bytes as Latin-1 characters: the bytes, and their text if they are UTF-8.
fn unguessed(text: String) -> (String, Vec<u8>) {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    match bytes {
        Some(bytes) => (String::from_utf8(bytes.clone()).unwrap_or(text), bytes),
        None => (text.clone(), text.into_bytes()),
    }
}

fn byte_segments(result: &RXingResult) -> Option<Vec<u8>> {
    match result.getRXingResultMetadata().get(&RXingResultMetadataType::BYTE_SEGMENTS) {
        Some(RXingResultMetadataValue::ByteSegments(segments)) => Some(segments.concat()),
        _ => None,
    }
}

/// Where a code lies in a patch, as [`Barcode::corners`] are told.
fn corners(format: Format, result: &RXingResult, patch: &Patch) -> [[f32; 2]; 4] {
    let (right, below) = (patch.width as f32 - 1.0, patch.height as f32 - 1.0);
    // The library turns a picture counter-clockwise until it finds a PDF417, and tells its place in the turned one.
    let turned = match result.getRXingResultMetadata().get(&RXingResultMetadataType::ORIENTATION) {
        Some(RXingResultMetadataValue::Orientation(degrees)) => *degrees,
        _ => 0,
    };
    let points = result.getPoints().iter().map(|p| match turned {
        90 => [right - p.y, p.x],
        180 => [right - p.x, below - p.y],
        270 => [p.y, below - p.x],
        _ => [p.x, p.y],
    });
    match points.collect::<Vec<_>>()[..] {
        // Those of a PDF417, then those of its codewords.
        [top_left, bottom_left, top_right, bottom_right, _, _, _, _] => {
            [top_left, top_right, bottom_right, bottom_left]
        }
        // One of its two ways to a Data Matrix goes round the other way.
        [a, b, c, d] if format == Format::DataMatrix => {
            let is_clockwise = (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0]);
            if is_clockwise { [a, b, c, d] } else { [a, d, c, b] }
        }
        ref few if few.len() > 2 => bounding(few),
        _ => bounding(&[[0.0, 0.0], [right, below]]),
    }
}

fn bounding(points: &[[f32; 2]]) -> [[f32; 2]; 4] {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for p in points {
        for i in 0..2 {
            low[i] = low[i].min(p[i]);
            high[i] = high[i].max(p[i]);
        }
    }
    [low, [high[0], low[1]], high, [low[0], high[1]]]
}

fn hints(hard: bool) -> DecodeHints {
    DecodeHints { TryHarder: Some(hard), ..Default::default() }
}

/// The library has panicked on hostile pictures before; then the picture has no code.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok().flatten()
}

/// Larger pictures are not enlarged.
const MOST_DOUBLED: usize = 150_000;
/// Larger pictures never reach the library.
pub(crate) const MOST_PIXELS: usize = 40_000_000;
