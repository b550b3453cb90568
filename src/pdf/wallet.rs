//! The small copy of an archive that a citizen's wallet takes: a derivative, which never replaces the master.

use super::archive::{self, ArchivePage, Archived, Metadata, Note};
use super::samples::{self, Samples};
use crate::fault::{Fault, Outcome};
use crate::page::{Coding, Dpi, PageImage};
use image::{GrayImage, RgbImage, imageops};
use std::borrow::{Borrow, Cow};

/// What a page of the copy may weigh, bytes of its image.
pub const PAGE_BYTES: usize = 150_000;

/// Resolution and JPEG quality, tried in turn until a page is small enough.
const STEPS: [(f32, u8); 5] = [(150.0, 60), (150.0, 45), (120.0, 45), (100.0, 40), (100.0, 25)];

/// Makes a PDF/A-2b of small pages. Group 4 and what is small already go in as they are.
///
/// # Errors
/// As [`archive::assemble`].
pub fn assemble(pages: &[ArchivePage], meta: &Metadata) -> Outcome<Archived> {
    assemble_each(pages.iter().map(Ok), meta)
}

/// As [`assemble`], of pages that are made one after the other.
///
/// # Errors
/// As [`archive::assemble_each`].
pub fn assemble_each<P: Borrow<ArchivePage>>(
    pages: impl IntoIterator<Item = Outcome<P>>,
    meta: &Metadata,
) -> Outcome<Archived> {
    let mut notes = Vec::new();
    let small = pages.into_iter().zip(1usize..).map(|(page, number)| {
        let page = page?;
        let page = page.borrow();
        let image = shrink(&page.image).map_err(|fault| fault.at(format!("page {number}")))?;
        if let Coding::Jpeg { bytes, .. } | Coding::G4 { bytes, .. } = &image.coding
            && bytes.len() > PAGE_BYTES
        {
            notes.push(Note::WalletLarge { page: number, bytes: bytes.len() });
        }
        Ok(ArchivePage { image, skew_deg: page.skew_deg })
    });
    let mut archived = archive::assemble_each(small, meta)?;
    archived.notes.extend(notes);
    Ok(archived)
}

/// One page made small enough for the copy; its physical size stays.
///
/// # Errors
/// As [`archive::assemble`].
pub fn shrink(image: &PageImage) -> Outcome<PageImage> {
    let (width, height) = (image.width, image.height);
    let raw = |bytes: &[u8], channels: u8| Samples { bytes: bytes.to_vec(), width, height, channels };
    let samples = match &image.coding {
        Coding::G4 { .. } | Coding::Bilevel(_) => return Ok(image.clone()),
        // A CMYK JPEG always leaves its profile behind: half a megabyte for one picture.
        Coding::Jpeg { bytes, components: 1 | 3, .. } if bytes.len() <= PAGE_BYTES => {
            return Ok(image.clone());
        }
        Coding::Jpeg { bytes, inverted, .. } => samples::decode_jpeg(bytes, *inverted)?,
        Coding::Grey(bytes) => raw(bytes, 1),
        Coding::Rgb(bytes) => raw(bytes, 3),
    };
    let expected = u64::from(samples.width) * u64::from(samples.height) * u64::from(samples.channels);
    if samples.bytes.len() as u64 != expected || (samples.width, samples.height) != (width, height) {
        return Err(Fault::new(&archive::NOT_PIXELS).detail(format!("expected {expected} bytes of samples")));
    }
    let mut best: Option<PageImage> = None;
    for (dpi, quality) in STEPS {
        let scaled = scale(&samples, image.dpi, dpi);
        let bytes = samples::encode_jpeg(&scaled, quality)?;
        let small = bytes.len() <= PAGE_BYTES;
        let coding =
            Coding::Jpeg { bytes, components: scaled.channels, inverted: false, icc: profile(image) };
        // The page keeps its physical size to the last pixel.
        let dpi = Dpi {
            x: image.dpi.x * scaled.width as f32 / width as f32,
            y: image.dpi.y * scaled.height as f32 / height as f32,
            source: image.dpi.source,
        };
        best = Some(PageImage { width: scaled.width, height: scaled.height, dpi, coding, ..image.clone() });
        if small {
            break;
        }
    }
    Ok(best.unwrap_or_else(|| image.clone()))
}

/// The profile still fits the samples unless these were CMYK; large ones are not worth their weight.
fn profile(image: &PageImage) -> Option<Vec<u8>> {
    match &image.coding {
        Coding::Jpeg { components: 1 | 3, icc: Some(icc), .. } if icc.len() <= 16_384 => Some(icc.clone()),
        _ => None,
    }
}

/// Area-averages down to a resolution; never up.
fn scale(samples: &Samples, from: Dpi, to: f32) -> Cow<'_, Samples> {
    let side = |pixels: u32, dpi: f32| {
        let wanted = (f64::from(pixels) * f64::from(to) / f64::from(dpi)).round();
        if wanted.is_finite() { (wanted as u32).clamp(1, pixels.max(1)) } else { pixels }
    };
    let (width, height) = (side(samples.width, from.x), side(samples.height, from.y));
    if (width, height) == (samples.width, samples.height) {
        return Cow::Borrowed(samples);
    }
    let bytes = samples.bytes.clone();
    let scaled = if samples.channels == 1 {
        GrayImage::from_raw(samples.width, samples.height, bytes)
            .map(|page| imageops::thumbnail(&page, width, height).into_raw())
    } else {
        RgbImage::from_raw(samples.width, samples.height, bytes)
            .map(|page| imageops::thumbnail(&page, width, height).into_raw())
    };
    match scaled {
        Some(bytes) => Cow::Owned(Samples { bytes, width, height, channels: samples.channels }),
        None => Cow::Borrowed(samples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::DpiSource;

    fn meta() -> Metadata {
        Metadata {
            title: "x".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            creator_tool: "t".into(),
            dossier_code: None,
        }
    }

    fn page(width: u32, height: u32, coding: Coding) -> ArchivePage {
        let dpi = Dpi { x: 300.0, y: 300.0, source: DpiSource::Header };
        ArchivePage {
            image: PageImage { width, height, dpi, turns: 1, mirrored: false, coding },
            skew_deg: 0.0,
        }
    }

    /// A noisy page, hard on a JPEG encoder.
    fn noise(width: u32, height: u32) -> Vec<u8> {
        let mut state = 7u32;
        (0..width * height * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 25) as u8 + 100
            })
            .collect()
    }

    #[test]
    fn a_heavy_page_becomes_light_and_keeps_its_paper_size() {
        let heavy = page(1200, 1500, Coding::Rgb(noise(1200, 1500)));
        let small = shrink(&heavy.image).unwrap();
        let Coding::Jpeg { bytes, .. } = &small.coding else { panic!("not a JPEG") };
        assert!(bytes.len() <= PAGE_BYTES, "{}", bytes.len());
        let inches = |image: &PageImage| image.width as f32 / image.dpi.x;
        assert!((inches(&small) - inches(&heavy.image)).abs() < 1e-4);
        assert_eq!(small.turns, 1);
        assert!(assemble(&[heavy], &meta()).unwrap().notes.is_empty());
    }

    #[test]
    fn bilevel_and_small_jpegs_stay_as_they_are() {
        let samples = Samples { bytes: vec![90; 300 * 300], width: 300, height: 300, channels: 1 };
        let bytes = samples::encode_jpeg(&samples, 80).unwrap();
        let pages = [
            page(300, 300, Coding::Jpeg { bytes, components: 1, inverted: false, icc: None }),
            page(16, 16, Coding::Bilevel(vec![0; 32])),
        ];
        assert_eq!(assemble(&pages, &meta()), archive::assemble(&pages, &meta()));
    }

    #[test]
    fn samples_that_do_not_fit_are_refused_with_their_page() {
        let fault = assemble(&[page(10, 10, Coding::Grey(vec![0; 99]))], &meta()).unwrap_err();
        assert_eq!((fault.code, fault.place.as_deref()), (&archive::NOT_PIXELS, Some("page 1")));
    }
}
