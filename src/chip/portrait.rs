//! Where the face lies in DG2 (ISO/IEC 19794-5 and 39794-5 in Doc 9303-10, 4.7.2), and how large it says it is. Nothing
//! is decoded here.

mod ending;

use super::lds;
use crate::der::{DerError, Reader, Tlv};
use std::ops::Range;

/// A face image inside a DG2 file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portrait {
    /// How it is coded.
    pub format: Format,
    /// Its bytes within the file.
    pub range: Range<usize>,
    /// Pixels across, as its own header declares.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Something follows the image's own end, or the end is not found: show it re-encoded only.
    pub trailing: bool,
}

/// How a face is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// JPEG 2000 in a JP2 file.
    Jp2,
    /// A bare JPEG 2000 codestream.
    Codestream,
}

/// Why no portrait is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortraitError {
    /// DG2 has another structure.
    #[error(transparent)]
    Der(#[from] DerError),
    /// No image is found where one belongs.
    #[error("no JPEG or JPEG 2000 image is found")]
    NoImage,
    /// The image declares more pixels than any portrait has.
    #[error("the image declares {width} x {height} pixels")]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// Finds the first face in DG2.
///
/// # Errors
/// See [`PortraitError`].
pub fn find(file: &[u8]) -> Result<Portrait, PortraitError> {
    let content = lds::open(file, 2)?;
    let group = Reader::lenient(content).expect(0x7f61)?;
    let mut members = group.lenient();
    members.expect(0x02)?;
    let template = members.expect(0x7f60)?;
    let mut fields = template.lenient();
    let data = loop {
        let field = fields.read_tlv()?;
        if matches!(field.tag, 0x5f2e | 0x7f2e) {
            break field;
        }
    };
    let image = if data.tag == 0x5f2e {
        let (start, end) = record(data.content)?;
        &data.content[start..end]
    } else {
        block(&data)?
    };
    // The offset in the file: the image is a slice of it.
    let start = image.as_ptr() as usize - file.as_ptr() as usize;
    let (format, size) = measure(image).ok_or(PortraitError::NoImage)?;
    let (width, height) = size.filter(|(w, h)| *w > 0 && *h > 0).ok_or(PortraitError::NoImage)?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PortraitError::TooLarge { width, height });
    }
    let trailing = ending::of(format, image) != Some(image.len());
    Ok(Portrait { format, range: start..start + image.len(), width, height, trailing })
}

/// ISO/IEC 19794-5: the first face's image in the record.
fn record(bytes: &[u8]) -> Result<(usize, usize), PortraitError> {
    let read = || -> Option<(usize, usize)> {
        if !bytes.starts_with(b"FAC\0") {
            return None;
        }
        let face = bytes.get(14..)?;
        let length = usize::try_from(u32::from_be_bytes(*face.first_chunk()?)).ok()?;
        let points = usize::from(u16::from_be_bytes(*face.get(4..)?.first_chunk()?));
        // 20 bytes of facial information, 8 a feature point, 12 of image information.
        let start = 14 + 20 + points * 8 + 12;
        let end = length.checked_add(14)?;
        (start < end && end <= bytes.len()).then_some((start, end))
    };
    read().ok_or(PortraitError::NoImage)
}

/// ISO/IEC 39794-5: the first two-dimensional image of the first representation. The tags, outside in: face image data
/// block 65, representation blocks A1, a block 30, its image representation A1, the choices `base` and `2D` A0 and A0,
/// the image 80. Some writers put one more A1 around it all.
fn block<'a>(data: &Tlv<'a>) -> Result<&'a [u8], PortraitError> {
    let first = |around: Tlv<'a>, tag: u32| -> Option<Tlv<'a>> {
        let mut fields = around.lenient();
        for _ in 0..MOST_FIELDS {
            let field = fields.read_tlv().ok()?;
            if field.tag == tag {
                return Some(field);
            }
        }
        None
    };
    let outer = first(*data, 0x65).or_else(|| first(first(*data, 0xa1)?, 0x65));
    let image = [0xa1, 0x30, 0xa1, 0xa0, 0xa0, 0x80].into_iter().try_fold(outer, |around, tag| {
        // None inside stays None: the path ends.
        Some(Some(first(around?, tag)?))
    });
    image.flatten().map(|t| t.content).ok_or(PortraitError::NoImage)
}

type Size = (u32, u32);

fn measure(image: &[u8]) -> Option<(Format, Option<Size>)> {
    if image.starts_with(JPEG) {
        Some((Format::Jpeg, jpeg_size(image)))
    } else if image.starts_with(JP2) {
        Some((Format::Jp2, jp2_size(image)))
    } else if image.starts_with(CODESTREAM) {
        Some((Format::Codestream, codestream_size(image)))
    } else {
        None
    }
}

/// From the first start-of-frame segment (ITU-T T.81, B.2.2).
fn jpeg_size(image: &[u8]) -> Option<Size> {
    let mut rest = image.get(2..)?;
    loop {
        let [0xff, marker, high, low, body @ ..] = rest else { return None };
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let [_, h1, h2, w1, w2, ..] = body else { return None };
            let pair = |a: &u8, b: &u8| u32::from(u16::from_be_bytes([*a, *b]));
            return Some((pair(w1, w2), pair(h1, h2)));
        }
        if length < 2 || matches!(marker, 0xd9 | 0xda) {
            return None;
        }
        rest = rest.get(2 + length..)?;
    }
}

/// The larger of what the image header box and the codestream declare (ISO/IEC 15444-1, I.5.3.1).
fn jp2_size(image: &[u8]) -> Option<Size> {
    let at = |mark: &[u8]| image.windows(mark.len()).position(|w| w == mark).map(|p| p + mark.len());
    let header = image.get(at(b"ihdr")?..)?;
    let height = u32::from_be_bytes(*header.first_chunk()?);
    let width = u32::from_be_bytes(*header.get(4..)?.first_chunk()?);
    let (w, h) = codestream_size(image.get(at(b"jp2c")?..)?)?;
    Some((width.max(w), height.max(h)))
}

/// From the SIZ segment (ISO/IEC 15444-1, A.5.1); the grid, which is never less than the image.
fn codestream_size(image: &[u8]) -> Option<Size> {
    let segment = image.strip_prefix(CODESTREAM)?.get(4..)?;
    Some((u32::from_be_bytes(*segment.first_chunk()?), u32::from_be_bytes(*segment.get(4..)?.first_chunk()?)))
}

/// Most elements that are looked through for one of them.
const MOST_FIELDS: usize = 32;
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
const JP2: &[u8] = b"\0\0\0\x0cjP  ";
const CODESTREAM: &[u8] = &[0xff, 0x4f, 0xff, 0x51];
/// Portraits on chips have some hundred pixels a side.
pub(crate) const MOST_PIXELS: u64 = 4_000 * 4_000;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::der;

    /// A DG2 around an image, as the standard lays it out.
    pub(crate) fn dg2(image: &[u8]) -> Vec<u8> {
        let mut record = b"FAC\x00010\x00".to_vec();
        let face = 32 + image.len() as u32;
        record.extend((face + 14).to_be_bytes());
        record.extend([0, 1]);
        record.extend(face.to_be_bytes());
        record.extend([0; 28]);
        record.extend(image);
        let wide = |tag: [u8; 2], content: &[u8]| [&[tag[0]], &der::tlv(tag[1], content)[..]].concat();
        let header = der::tlv(0xa1, &der::tlv(0x81, &[2]));
        let template = wide([0x7f, 0x60], &[header, wide([0x5f, 0x2e], &record)].concat());
        der::tlv(0x75, &wide([0x7f, 0x61], &[&[2, 1, 1], &template[..]].concat()))
    }

    /// The same in the newer encoding, with a version and a number before the image, as its schema orders them.
    pub(crate) fn newer_dg2(image: &[u8]) -> Vec<u8> {
        let wide = |tag: [u8; 2], content: &[u8]| [&[tag[0]], &der::tlv(tag[1], content)[..]].concat();
        let two_d = [der::tlv(0x80, image), der::tlv(0xa1, &der::tlv(0xa0, &der::tlv(0x80, &[1])))].concat();
        let representation = der::tlv(0xa1, &der::tlv(0xa0, &der::tlv(0xa0, &two_d)));
        let one = der::tlv(0x30, &[der::tlv(0x80, &[0]), representation].concat());
        let version = der::tlv(0xa0, &[der::tlv(0x80, &[3]), der::tlv(0x81, &[7, 0xe3])].concat());
        let face = der::tlv(0x65, &[version, der::tlv(0xa1, &one)].concat());
        let header = der::tlv(0xa1, &der::tlv(0x81, &[2]));
        let template = wide([0x7f, 0x60], &[header, wide([0x7f, 0x2e], &face)].concat());
        der::tlv(0x75, &wide([0x7f, 0x61], &[&[2, 1, 1], &template[..]].concat()))
    }

    /// The head of a JPEG of that size.
    pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let [w1, w2] = width.to_be_bytes();
        let [h1, h2] = height.to_be_bytes();
        [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, h1, h2, w1, w2, 1, 1, 0x11, 0, 0xff, 0xd9]
            .to_vec()
    }

    #[test]
    fn a_face_is_found_with_its_size_and_its_place() {
        let file = dg2(&jpeg(300, 400));
        let portrait = find(&file).unwrap();
        assert_eq!((portrait.format, portrait.width, portrait.height), (Format::Jpeg, 300, 400));
        assert_eq!(file[portrait.range], jpeg(300, 400));
    }

    #[test]
    fn the_newer_encoding_is_walked_and_a_picture_elsewhere_in_it_is_not_taken() {
        let file = newer_dg2(&jpeg(300, 400));
        let portrait = find(&file).unwrap();
        assert_eq!((portrait.width, portrait.height, portrait.trailing), (300, 400, false));
        assert_eq!(file[portrait.range], jpeg(300, 400));
        let around = |content: &[u8]| {
            let wide = |tag: [u8; 2], content: &[u8]| [&[tag[0]], &der::tlv(tag[1], content)[..]].concat();
            let template = wide([0x7f, 0x60], &wide([0x7f, 0x2e], content));
            der::tlv(0x75, &wide([0x7f, 0x61], &[&[2, 1, 1], &template[..]].concat()))
        };
        assert_eq!(
            find(&around(&der::tlv(0x65, &der::tlv(0x80, &jpeg(300, 400))))),
            Err(PortraitError::NoImage)
        );
        assert_eq!(find(&around(&jpeg(300, 400))), Err(PortraitError::NoImage));
        for length in 0..file.len() {
            assert!(find(&file[..length]).is_err());
        }
    }

    #[test]
    fn what_follows_an_image_shows() {
        for (image, trailing) in [
            (jpeg(300, 400), false),
            ([&jpeg(300, 400)[..], b"PK\x03\x04"].concat(), true),
            ([&jpeg(300, 400)[..], &jpeg(300, 400)].concat(), true),
            (jpeg(300, 400)[..jpeg(300, 400).len() - 2].to_vec(), true),
        ] {
            for file in [dg2(&image), newer_dg2(&image)] {
                assert_eq!(find(&file).unwrap().trailing, trailing);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_declares() {
        assert_eq!(
            find(&dg2(&jpeg(60_000, 60_000))),
            Err(PortraitError::TooLarge { width: 60_000, height: 60_000 })
        );
        assert_eq!(find(&dg2(&jpeg(0, 400))), Err(PortraitError::NoImage));
        assert_eq!(find(&dg2(b"GIF89a")), Err(PortraitError::NoImage));
    }

    #[test]
    fn every_cut_is_refused() {
        let file = dg2(&jpeg(300, 400));
        for length in 0..file.len() {
            assert!(find(&file[..length]).is_err());
        }
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 0xff;
            let _ = find(&flipped);
        }
    }
}
