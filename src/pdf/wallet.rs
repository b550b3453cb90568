//! The small copy of an archive that a citizen's wallet takes: a derivative, which never replaces the master.

use super::archive::{self, ArchivePage, Archived, Metadata, Note};
use super::g4;
use super::samples::{self, Samples};
use crate::fault::Outcome;
use crate::page::{Coding, Dpi, PageHead, PageImage, Recoded};
use image::{GrayImage, RgbImage, imageops};
use std::borrow::{Borrow, Cow};
use std::io::Write;

/// What a page of the copy may weigh, bytes of its image.
pub const PAGE_BYTES: usize = 150_000;

/// Resolution and JPEG quality, tried in turn until a page is small enough.
const STEPS: [(f32, u8); 5] = [(150.0, 60), (150.0, 45), (120.0, 45), (100.0, 40), (100.0, 25)];
/// Where that is not enough (a page that is all noise, a map), resolution falls on by this share, to [`COARSEST`].
const COARSER: f32 = 0.75;
const COARSEST: f32 = 20.0;

/// Makes a PDF/A-2b of small pages. Group 4 and what is small already go in as they are; a bilevel page that Group 4
/// cannot make small (a halftone) becomes grey.
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
    let mut bytes = Vec::new();
    let notes = write_each(pages, meta, &mut bytes)?;
    Ok(Archived { bytes, notes })
}

/// As [`assemble_each`], to a sink; see [`archive::write_each`].
///
/// # Errors
/// As [`archive::write_each`].
pub fn write_each<P: Borrow<ArchivePage>>(
    pages: impl IntoIterator<Item = Outcome<P>>,
    meta: &Metadata,
    sink: &mut dyn Write,
) -> Outcome<Vec<Note>> {
    let mut notes = Vec::new();
    let small = pages.into_iter().zip(1usize..).map(|(page, number)| {
        let page = page?;
        let page = page.borrow();
        let image = shrink(&page.image).map_err(|fault| fault.at(format!("page {number}")))?;
        let bytes = weight(&image.coding);
        if bytes > PAGE_BYTES {
            notes.push(Note::WalletLarge { page: number, bytes });
        }
        Ok(ArchivePage { image, skew_deg: page.skew_deg })
    });
    let mut all = archive::write_each(small, meta, sink)?;
    all.extend(notes);
    Ok(all)
}

/// One page made small enough for the copy; its physical size stays.
///
/// # Errors
/// As [`archive::assemble`].
pub fn shrink(image: &PageImage) -> Outcome<PageImage> {
    if matches!(image.head.recoded, Some(Recoded::Shrunk | Recoded::ShrunkPlain)) {
        // It came out of a decoder's box and could be made no smaller there.
        return Ok(image.clone());
    }
    let (width, height) = (image.head.width, image.head.height);
    let samples = match &image.coding {
        Coding::G4 { bytes, .. } if bytes.len() <= PAGE_BYTES => return Ok(image.clone()),
        Coding::G4 { .. } => match samples::decode(image) {
            Ok(samples) => samples,
            Err(_) => return Ok(image.clone()),
        },
        Coding::Bilevel(rows) => match g4::encode(rows, width, height) {
            Some(strip) if strip.len() > PAGE_BYTES => samples::decode(image)?,
            Some(bytes) => {
                return Ok(PageImage { coding: Coding::G4 { bytes, black_is_1: false }, ..image.clone() });
            }
            // Too wide for Group 4: the archive packs it, and a page of much white is small so.
            None if miniz_oxide::deflate::compress_to_vec_zlib(rows, 6).len() <= PAGE_BYTES => {
                return Ok(image.clone());
            }
            None => samples::decode(image)?,
        },
        // A CMYK JPEG always leaves its profile behind: half a megabyte for one picture.
        Coding::Jpeg { bytes, components: 1 | 3, icc, .. } | Coding::Jpx { bytes, icc, .. }
            if bytes.len() + icc.as_ref().or(image.profile.as_ref()).map_or(0, Vec::len) <= PAGE_BYTES =>
        {
            return Ok(image.clone());
        }
        Coding::Jbig2 { .. } | Coding::Png { .. }
            if weight(&image.coding) + image.profile.as_ref().map_or(0, Vec::len) <= PAGE_BYTES =>
        {
            return Ok(image.clone());
        }
        Coding::Jpeg { .. }
        | Coding::Jpx { .. }
        | Coding::Jbig2 { .. }
        | Coding::Png { .. }
        | Coding::Grey(_)
        | Coding::Rgb(_) => samples::decode(image)?,
    };
    let (icc, recoded) = match profile(image) {
        Ok(icc) => (icc, Recoded::Shrunk),
        Err(Left) => (None, Recoded::ShrunkPlain),
    };
    let mut best: Option<PageImage> = None;
    let coarser = std::iter::successors(Some(100.0 * COARSER), |dpi| Some(dpi * COARSER));
    let coarser = coarser.take_while(|dpi| *dpi >= COARSEST).map(|dpi| (dpi, 25));
    for (dpi, quality) in STEPS.into_iter().chain(coarser) {
        let scaled = scale(&samples, image.head.dpi, dpi);
        let bytes = samples::encode_jpeg(&scaled, quality)?;
        let icc = icc.clone();
        let small = bytes.len() + icc.as_ref().map_or(0, Vec::len) <= PAGE_BYTES;
        let coding = Coding::Jpeg { bytes, components: scaled.channels, inverted: false, icc };
        // The page keeps its physical size to the last pixel.
        let dpi = Dpi {
            x: image.head.dpi.x * scaled.width as f32 / width as f32,
            y: image.head.dpi.y * scaled.height as f32 / height as f32,
            source: image.head.dpi.source,
        };
        let (width, height) = (scaled.width, scaled.height);
        let head = PageHead { width, height, dpi, recoded: Some(recoded), ..image.head };
        best = Some(PageImage { head, coding, profile: None });
        if small {
            break;
        }
    }
    Ok(best.unwrap_or_else(|| image.clone()))
}

/// Bytes of the picture itself.
fn weight(coding: &Coding) -> usize {
    match coding {
        Coding::Jpeg { bytes, .. } | Coding::G4 { bytes, .. } | Coding::Jpx { bytes, .. } => bytes.len(),
        Coding::Jbig2 { bytes, globals, .. } => bytes.len() + globals.as_ref().map_or(0, Vec::len),
        Coding::Png { stream, palette, .. } => stream.len() + palette.as_ref().map_or(0, Vec::len),
        // Never of a page that was shrunk, but for one of bits that packs small.
        Coding::Bilevel(_) | Coding::Grey(_) | Coding::Rgb(_) => 0,
    }
}

/// A profile that does not come along.
struct Left;

/// The profile still fits the samples unless these were CMYK; large ones are not worth their weight.
fn profile(image: &PageImage) -> Result<Option<Vec<u8>>, Left> {
    let (profile, fits) = match &image.coding {
        Coding::Jpeg { components, icc, .. } => (icc.as_ref(), matches!(components, 1 | 3)),
        Coding::Jpx { icc, .. } => (icc.as_ref(), true),
        Coding::G4 { .. } | Coding::Bilevel(_) | Coding::Jbig2 { .. } => return Ok(None),
        Coding::Png { .. } | Coding::Grey(_) | Coding::Rgb(_) => (None, true),
    };
    match profile.or(image.profile.as_ref()) {
        None => Ok(None),
        Some(profile) if fits && profile.len() <= 16_384 => Ok(Some(profile.clone())),
        Some(_) => Err(Left),
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

    fn meta() -> Metadata {
        Metadata {
            title: "x".into(),
            created: Some(jiff::Timestamp::UNIX_EPOCH),
            creator_tool: "t".into(),
            dossier_code: None,
        }
    }

    fn page(width: u32, height: u32, coding: Coding) -> ArchivePage {
        let mut image = PageImage::plain(width, height, 300.0, coding);
        image.head.turns = 1;
        ArchivePage { image, skew_deg: 0.0 }
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
        let inches = |image: &PageImage| image.head.width as f32 / image.head.dpi.x;
        assert!((inches(&small) - inches(&heavy.image)).abs() < 1e-4);
        assert_eq!(small.head.turns, 1);
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
        assert!(matches!(shrink(&pages[1].image).unwrap().coding, Coding::G4 { .. }));
    }

    /// A halftone: what Group 4 makes larger instead of smaller.
    fn halftone(width: u32, height: u32) -> Vec<u8> {
        noise(width / 8, height).chunks_exact(3).map(|p| p[0] ^ p[1] << 1 ^ p[2] << 3).collect()
    }

    #[test]
    fn a_page_too_wide_for_group_4_is_made_small_and_a_heavy_profile_is_left_out_and_told() {
        let wide = page(33_000, 200, Coding::Bilevel(halftone(33_000, 200)));
        let small = shrink(&wide.image).unwrap();
        assert!(matches!(&small.coding, Coding::Jpeg { bytes, .. } if bytes.len() <= PAGE_BYTES));
        let mut heavy = page(600, 400, Coding::Rgb(noise(600, 400)));
        heavy.image.profile = Some(vec![0; 20_000]);
        let notes = assemble(&[heavy], &meta()).unwrap().notes;
        assert_eq!(notes, [Note::ProfileLeft { page: 1 }]);
    }

    #[test]
    fn pages_that_nothing_makes_small_are_made_coarser_until_they_fit() {
        let rows = halftone(904, 1200);
        let strip = g4::encode(&rows, 904, 1200).unwrap();
        assert!(strip.len() > PAGE_BYTES);
        let mut pages = [
            page(904, 1200, Coding::Rgb(noise(904, 1200))),
            page(904, 1200, Coding::Bilevel(rows)),
            page(904, 1200, Coding::G4 { bytes: strip, black_is_1: false }),
        ];
        for page in &mut pages {
            (page.image.head.dpi.x, page.image.head.dpi.y) = (100.0, 100.0);
        }
        for page in &pages {
            let small = shrink(&page.image).unwrap();
            let Coding::Jpeg { bytes, .. } = &small.coding else { panic!("not a JPEG") };
            assert!(bytes.len() <= PAGE_BYTES, "{}", bytes.len());
            let inches = |image: &PageImage| image.head.height as f32 / image.head.dpi.y;
            assert!((inches(&small) - inches(&page.image)).abs() < 1e-3);
        }
    }

    #[test]
    fn a_strip_is_shown_in_grey_as_a_reader_of_the_pdf_shows_it() {
        let strip = g4::encode(&[0b1010_0000, 0b0000_0000], 4, 2).unwrap();
        assert_eq!(g4::decode(&strip, 4, 2, false).unwrap(), [0, 255, 0, 255, 255, 255, 255, 255]);
        assert_eq!(g4::decode(&strip, 4, 2, true).unwrap(), [255, 0, 255, 0, 0, 0, 0, 0]);
        assert_eq!(g4::decode(&strip, 0, 2, true), None);
    }

    #[test]
    fn the_same_pages_give_the_same_bytes_in_both_profiles_however_many_threads_work() {
        let samples = Samples { bytes: noise(300, 400), width: 300, height: 400, channels: 3 };
        let bytes = samples::encode_jpeg(&samples, 80).unwrap();
        let pages = [
            page(300, 400, Coding::Jpeg { bytes, components: 3, inverted: false, icc: None }),
            page(904, 1200, Coding::Rgb(noise(904, 1200))),
            page(16, 16, Coding::Bilevel(vec![90; 32])),
        ];
        let both = || (archive::assemble(&pages, &meta()).unwrap(), assemble(&pages, &meta()).unwrap());
        let alone = both();
        assert_ne!(alone.0.bytes, alone.1.bytes);
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..4).map(|_| scope.spawn(both)).collect();
            others.into_iter().for_each(|other| assert!(other.join().unwrap() == alone));
        });
    }

    #[test]
    fn samples_that_do_not_fit_are_refused_with_their_page() {
        let fault = assemble(&[page(10, 10, Coding::Grey(vec![0; 99]))], &meta()).unwrap_err();
        assert_eq!((fault.code, fault.place.as_deref()), (&archive::NOT_PIXELS, Some("page 1")));
    }
}
