//! One decoder on one picture: the decoder library behind caps and a guard against its panics.

use super::patch::Patch;
use super::{Barcode, Format};
use rxing::common::{BitMatrix, DetectorRXingResult, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::datamatrix::DataMatrixReader;
use rxing::oned::{Code39Reader, Code128Reader};
use rxing::pdf417::PDF417Reader;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::qrcode::decoder::qrcode_decoder;
use rxing::qrcode::detector::Detector;
use rxing::{
    BinaryBitmap, DecodeHints, Luma8LuminanceSource, RXingResult, RXingResultMetadataType,
    RXingResultMetadataValue, Reader,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One format on one patch, as it is.
pub(crate) fn decode(patch: &Patch, format: Format, hard: bool) -> Option<Barcode> {
    if patch.width < 8 || patch.height < 1 || patch.data.len() > MOST_PIXELS {
        return None;
    }
    guarded(|| match format {
        Format::QRCode => qr(patch),
        Format::Code128 => generic(patch, format, hints(hard), &mut Code128Reader),
        Format::Code39 => generic(patch, format, hints(hard), &mut Code39Reader::default()),
        Format::PDF417 => generic(patch, format, hints(hard), &mut PDF417Reader),
        Format::DataMatrix => generic(patch, format, hints(hard), &mut DataMatrixReader),
    })
}

/// One format on a whole picture with the retries that pay there: stretched, inverted, turned, doubled.
/// `quick` leaves out the expensive ones.
pub(crate) fn whole(patch: &Patch, format: Format, quick: bool) -> Option<Barcode> {
    if let Some(code) = decode(patch, format, true) {
        return confirmed(patch, code);
    }
    if quick {
        return None;
    }
    let small = patch.data.len() < 700_000;
    let mut tries: Vec<Patch> = Vec::new();
    match format {
        Format::QRCode | Format::DataMatrix => {
            tries.push(patch.inverted());
            if small {
                tries.push(patch.doubled());
            }
            tries.push(patch.blurred());
        }
        Format::PDF417 => tries.push(patch.turned(std::f32::consts::FRAC_PI_2)),
        Format::Code128 | Format::Code39 => {
            if small {
                tries.push(patch.doubled());
            }
        }
    }
    tries.iter().find_map(|patch| confirmed(patch, decode(patch, format, true)?))
}

/// Code 39 has no check digit: a whole picture must say it twice, under two thresholds, or be long.
fn confirmed(patch: &Patch, code: Barcode) -> Option<Barcode> {
    if code.format != Format::Code39 || code.text.len() >= 6 {
        return Some(code);
    }
    let again = guarded(|| {
        let mut bitmap = BinaryBitmap::new(GlobalHistogramBinarizer::new(source(patch)?));
        let result = Code39Reader::default().decode_with_hints(&mut bitmap, &hints(true)).ok()?;
        (result.getText() == code.text).then_some(())
    });
    again.map(|()| code)
}

/// The text and bytes of a sampled QR grid.
pub(crate) fn qr_bits(bits: &BitMatrix) -> Option<(String, Vec<u8>)> {
    guarded(|| {
        let utf8 = DecodeHints { CharacterSet: Some("UTF8".to_owned()), ..Default::default() };
        let decoded = qrcode_decoder::decode_bitmatrix_with_hints(bits, &utf8).ok()?;
        let segments = decoded.getByteSegments().concat();
        let text = decoded.getText().to_owned();
        if !text.contains('\u{fffd}') {
            let bytes = if covers(&segments, &text) { segments } else { text.clone().into_bytes() };
            return Some((text, bytes));
        }
        // Not UTF-8: the text is the library's guess, the bytes are what counts.
        let guessed = qrcode_decoder::decode_bitmatrix_with_hints(bits, &DecodeHints::default()).ok()?;
        Some((guessed.getText().to_owned(), segments))
    })
}

/// True where byte segments hold the whole text, one character or one byte at a time.
fn covers(segments: &[u8], text: &str) -> bool {
    segments == text.as_bytes() || (!segments.is_empty() && segments.len() == text.chars().count())
}

/// QR by the library's two detectors on one black and white picture.
fn qr(patch: &Patch) -> Option<Barcode> {
    let bitmap = BinaryBitmap::new(HybridBinarizer::new(source(patch)?));
    let black = bitmap.get_black_matrix();
    if let Ok(detected) = Detector::new(black).detect_with_hints(&hints(true))
        && let Some((text, bytes)) = qr_bits(detected.getBits())
        && let [bottom_left, top_left, top_right, ..] = detected.getPoints()
    {
        let size = detected.getBits().getWidth() as f32;
        let (tl, tr, bl) = ([top_left.x, top_left.y], [top_right.x, top_right.y], [bottom_left.x, bottom_left.y]);
        let at = |u: f32, v: f32| {
            let axis = |i: usize| tl[i] + u * (tr[i] - tl[i]) + v * (bl[i] - tl[i]);
            patch.to_page([axis(0), axis(1)])
        };
        let (low, high) = (-3.5 / (size - 7.0), (size - 3.5) / (size - 7.0));
        let corners = [at(low, low), at(high, low), at(high, high), at(low, high)];
        let module_px = (tr[0] - tl[0]).hypot(tr[1] - tl[1]) / (size - 7.0) * patch.scale();
        return Some(Barcode { format: Format::QRCode, text, bytes, corners, module_px });
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
            return Some(Barcode { format: Format::QRCode, text, bytes, corners, module_px });
        }
    }
    None
}

fn generic(patch: &Patch, format: Format, hints: DecodeHints, reader: &mut impl Reader) -> Option<Barcode> {
    let result = reader.decode_with_hints(&mut BinaryBitmap::new(HybridBinarizer::new(source(patch)?)), &hints).ok()?;
    let text = result.getText().to_owned();
    if text.is_empty() {
        return None;
    }
    let bytes = segments(&result).filter(|s| covers(s, &text)).unwrap_or_else(|| text.clone().into_bytes());
    let points: Vec<[f32; 2]> = result.getPoints().iter().map(|p| [p.x, p.y]).collect();
    let corners = match (format, &points[..]) {
        (Format::Code128 | Format::Code39, [a, b, ..]) => linear_corners(patch, format, *a, *b, &result),
        (_, [_, _, _, ..]) => bounding(&points),
        _ => bounding(&[[0.0, 0.0], [patch.width as f32, patch.height as f32]]),
    };
    let corners = corners.map(|c| patch.to_page(c));
    Some(Barcode { format, text, bytes, corners, module_px: 0.0 })
}

/// A row tells where bars begin and end, not how high they are: a band around the row that was read. The library
/// halves the end of a Code 39, so that its band runs to the end of the picture here.
fn linear_corners(patch: &Patch, format: Format, a: [f32; 2], b: [f32; 2], result: &RXingResult) -> [[f32; 2]; 4] {
    let turned = matches!(
        result.getRXingResultMetadata().get(&RXingResultMetadataType::ORIENTATION),
        Some(RXingResultMetadataValue::Orientation(90 | 270))
    );
    let (width, height) = (patch.width as f32, patch.height as f32);
    if format == Format::Code39 {
        return if turned {
            bounding(&[[a[0] - 40.0, 0.0], [a[0] + 40.0, height]])
        } else {
            bounding(&[[0.0, a[1] - 40.0], [width, a[1] + 40.0]])
        };
    }
    let (x0, x1) = (a[0].min(b[0]), a[0].max(b[0]));
    let (y0, y1) = (a[1].min(b[1]), a[1].max(b[1]));
    let half = (0.12 * (x1 - x0).max(y1 - y0)).max(8.0);
    if turned { bounding(&[[x0 - half, y0], [x1 + half, y1]]) } else { bounding(&[[x0, y0 - half], [x1, y1 + half]]) }
}

fn segments(result: &RXingResult) -> Option<Vec<u8>> {
    match result.getRXingResultMetadata().get(&RXingResultMetadataType::BYTE_SEGMENTS) {
        Some(RXingResultMetadataValue::ByteSegments(segments)) => Some(segments.concat()),
        _ => None,
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

fn source(patch: &Patch) -> Option<Luma8LuminanceSource> {
    let (width, height) = (u32::try_from(patch.width).ok()?, u32::try_from(patch.height).ok()?);
    Luma8LuminanceSource::new(patch.data.clone(), width, height).ok()
}

/// The library has panicked on hostile pictures before; then the picture has no code.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok().flatten()
}

/// Larger pictures never reach the library.
const MOST_PIXELS: usize = 40_000_000;
